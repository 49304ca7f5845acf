//! What alarms of all kinds have in common: whom they tell, and what they are called.

use crate::tree::{Properties, Stack, Text, Value};

const LONGEST_NAME: usize = 255;
const MOST_ACTIONS: usize = 5;

/// What happens when an alarm changes its state: ARNs, of topics mostly.
#[derive(Debug, Clone, Default)]
pub(super) struct Actions {
    alarm: Vec<Text>,
    ok: Vec<Text>,
    insufficient: Vec<Text>,
}

impl Actions {
    pub(super) fn add_alarm(&mut self, action: Text) {
        self.alarm.push(action);
    }

    pub(super) fn add_ok(&mut self, action: Text) {
        self.ok.push(action);
    }

    pub(super) fn add_insufficient(&mut self, action: Text) {
        self.insufficient.push(action);
    }

    pub(super) fn report_problems(&self, stack: &mut Stack) {
        for (state, actions) in [("alarm", &self.alarm), ("ok", &self.ok), ("insufficient data", &self.insufficient)] {
            if actions.len() > MOST_ACTIONS {
                stack.problem(format!("{} actions on {state}; there can be {MOST_ACTIONS}", actions.len()));
            }
        }
    }

    pub(super) fn cloudformation(&self, properties: Properties) -> Properties {
        properties
            .set_filled("AlarmActions", Value::list(&self.alarm))
            .set_filled("OKActions", Value::list(&self.ok))
            .set_filled("InsufficientDataActions", Value::list(&self.insufficient))
    }

    pub(super) fn terraform(&self, properties: Properties) -> Properties {
        properties
            .set_filled("alarm_actions", Value::list(&self.alarm))
            .set_filled("ok_actions", Value::list(&self.ok))
            .set_filled("insufficient_data_actions", Value::list(&self.insufficient))
    }
}

/// Reports a name or a description that CloudWatch refuses, or that helps nobody.
pub(super) fn check_name_and_description(name: Option<&Text>, description: &str, stack: &mut Stack) {
    if description.trim().is_empty() {
        stack.problem("an alarm needs a description: what it means, and what to do");
    }
    if description.chars().count() > 1024 {
        let length = description.chars().count();
        stack.problem(format!("the description has {length} characters; an alarm's has up to 1024"));
    }
    if let Some(name) = name.and_then(Text::literal)
        && name.len() > LONGEST_NAME
    {
        stack.problem(format!("the name has {} characters; an alarm's has up to {LONGEST_NAME}", name.len()));
    }
}

macro_rules! action_setters {
    ($alarm:ident) => {
        impl $alarm {
            /// Tells a topic when it alarms, and when all is well again.
            pub fn notify(self, topic: impl Into<crate::tree::Text>) -> Self {
                let topic = topic.into();
                self.on_alarm(topic.clone()).on_ok(topic)
            }

            /// What happens when it alarms, by ARN; up to 5.
            pub fn on_alarm(mut self, action: impl Into<crate::tree::Text>) -> Self {
                self.actions.add_alarm(action.into());
                self
            }

            /// What happens when all is well again, by ARN; up to 5.
            pub fn on_ok(mut self, action: impl Into<crate::tree::Text>) -> Self {
                self.actions.add_ok(action.into());
                self
            }

            /// What happens when there is too little data to know, by ARN; up to 5.
            pub fn on_insufficient_data(mut self, action: impl Into<crate::tree::Text>) -> Self {
                self.actions.add_insufficient(action.into());
                self
            }
        }
    };
}
pub(super) use action_setters;
