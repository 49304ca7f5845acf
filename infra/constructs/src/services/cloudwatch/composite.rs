//! Composite alarms: alarms on the states of other alarms, so that one cause tells once.

use std::{borrow::Cow, ops::Not};

use super::{
    actions::{Actions, action_setters, check_name_and_description},
    alarm::AlarmRef,
};
use crate::{
    services::units::Seconds,
    tree::{Access, Arn, Attribute, Construct, Handle, Name, NodeRef, Properties, Ref, Resource, Stack, Text, Types},
};

const MOST_ALARMS: usize = 100;

/// When a composite alarm alarms: states of other alarms, joined by and, or, not.
///
/// ```
/// # use constructs::services::cloudwatch::{AlarmRef, Rule};
/// fn rule(late: AlarmRef, failing: AlarmRef, deploying: AlarmRef) -> Rule {
///     Rule::all([Rule::any([late, failing]), !Rule::from(deploying)])
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rule(Form);

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// A function of CloudWatch's and the alarm's ARN.
    State(&'static str, Text),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
}

impl Rule {
    /// All of them.
    pub fn all<R: Into<Rule>>(rules: impl IntoIterator<Item = R>) -> Self {
        Self(Form::All(rules.into_iter().map(Into::into).collect()))
    }

    /// At least one of them.
    pub fn any<R: Into<Rule>>(rules: impl IntoIterator<Item = R>) -> Self {
        Self(Form::Any(rules.into_iter().map(Into::into).collect()))
    }

    /// The alarm is quiet.
    pub fn ok(alarm: AlarmRef) -> Self {
        Self(Form::State("OK", alarm.arn().into()))
    }

    /// The alarm has too little data to know.
    pub fn insufficient_data(alarm: AlarmRef) -> Self {
        Self(Form::State("INSUFFICIENT_DATA", alarm.arn().into()))
    }

    fn text(&self) -> Text {
        match &self.0 {
            Form::State(state, arn) => Text::from(*state) + "(\"" + arn + "\")",
            Form::Not(rule) => Text::from("NOT ") + rule.grouped(),
            Form::All(rules) => joined(rules, " AND "),
            Form::Any(rules) => joined(rules, " OR "),
        }
    }

    fn grouped(&self) -> Text {
        match &self.0 {
            Form::All(rules) | Form::Any(rules) if rules.len() > 1 => Text::from("(") + self.text() + ")",
            _ => self.text(),
        }
    }

    fn alarms(&self) -> usize {
        match &self.0 {
            Form::State(..) => 1,
            Form::Not(rule) => rule.alarms(),
            Form::All(rules) | Form::Any(rules) => rules.iter().map(Rule::alarms).sum(),
        }
    }

    fn has_gap(&self) -> bool {
        match &self.0 {
            Form::State(..) => false,
            Form::Not(rule) => rule.has_gap(),
            Form::All(rules) | Form::Any(rules) => rules.is_empty() || rules.iter().any(Rule::has_gap),
        }
    }
}

fn joined(rules: &[Rule], word: &'static str) -> Text {
    let mut rules = rules.iter().map(Rule::grouped);
    let first = rules.next().unwrap_or_else(|| "".into());
    rules.fold(first, |all, rule| all + word + rule)
}

impl From<AlarmRef> for Rule {
    /// The alarm alarms.
    fn from(alarm: AlarmRef) -> Self {
        Self(Form::State("ALARM", alarm.arn().into()))
    }
}

impl From<CompositeAlarmRef> for Rule {
    /// The alarm alarms.
    fn from(alarm: CompositeAlarmRef) -> Self {
        Self(Form::State("ALARM", alarm.arn().into()))
    }
}

impl Not for Rule {
    type Output = Rule;

    fn not(self) -> Rule {
        Self(Form::Not(Box::new(self)))
    }
}

/// An alarm on other alarms.
///
/// ```
/// # use constructs::{services::cloudwatch::{AlarmRef, CompositeAlarm, CompositeAlarmRef}, tree::Stack};
/// fn news_stopped(stack: &mut Stack, late: AlarmRef, failing: AlarmRef, topic: &'static str) -> CompositeAlarmRef {
///     let stopped = CompositeAlarm::any([late, failing]).description("No news come through: see the dashboard").notify(topic);
///     stack.add("Stopped", stopped)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct CompositeAlarm {
    rule: Rule,
    suppressor: Option<(Text, Seconds, Seconds)>,
    description: Cow<'static, str>,
    actions: Actions,
    name: Option<Text>,
}

impl CompositeAlarm {
    /// Alarms when the rule holds.
    pub fn when(rule: impl Into<Rule>) -> Self {
        Self {
            rule: rule.into(),
            suppressor: None,
            description: Cow::Borrowed(""),
            actions: Actions::default(),
            name: None,
        }
    }

    /// Alarms when at least one of them does.
    pub fn any<R: Into<Rule>>(rules: impl IntoIterator<Item = R>) -> Self {
        Self::when(Rule::any(rules))
    }

    /// Alarms when all of them do.
    pub fn all<R: Into<Rule>>(rules: impl IntoIterator<Item = R>) -> Self {
        Self::when(Rule::all(rules))
    }

    /// Tells nobody while another alarm alarms, such as one that is set during a deployment. Waits so long
    /// for it to alarm, and stays quiet so long after it is over.
    pub fn quiet_while(mut self, other: AlarmRef, wait: Seconds, after: Seconds) -> Self {
        self.suppressor = Some((other.arn().into(), wait, after));
        self
    }

    /// What the alarm means and what to do about it, up to 1024 characters. Required.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Another name than the one made from the path; up to 255 characters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

action_setters!(CompositeAlarm);

impl Construct for CompositeAlarm {
    type Handle = CompositeAlarmRef;

    fn build(mut self, stack: &mut Stack) -> CompositeAlarmRef {
        check_name_and_description(self.name.as_ref(), &self.description, stack);
        self.actions.report_problems(stack);
        let alarms = self.rule.alarms();
        if self.rule.has_gap() {
            stack.problem("the rule has an `any` or `all` of nothing");
        }
        if alarms > MOST_ALARMS {
            stack.problem(format!("the rule names {alarms} alarms; it can name {MOST_ALARMS}"));
        }
        self.name.get_or_insert_with(|| stack.physical_name().into());
        CompositeAlarmRef { node: stack.resource(self) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`CompositeAlarm`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct CompositeAlarmRef {
    node: NodeRef,
}

impl CompositeAlarmRef {
    /// The alarm's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
    }

    /// The alarm's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, Attribute::name("alarm_name", Access::Ref))
    }
}

impl Handle for CompositeAlarmRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for CompositeAlarm {
    fn types(&self) -> Types {
        Types::new("cloudwatch", "aws_cloudwatch_composite_alarm", "AWS::CloudWatch::CompositeAlarm")
    }

    fn cloudformation(&self) -> Properties {
        let properties = Properties::default()
            .set_some("AlarmName", self.name.as_ref())
            .set("AlarmDescription", self.description.to_string())
            .set("AlarmRule", self.rule.text());
        let properties = match &self.suppressor {
            Some((alarm, wait, after)) => properties
                .set("ActionsSuppressor", alarm)
                .set("ActionsSuppressorWaitPeriod", *wait)
                .set("ActionsSuppressorExtensionPeriod", *after),
            None => properties,
        };
        self.actions.cloudformation(properties)
    }

    fn terraform(&self) -> Properties {
        let suppressor = self.suppressor.as_ref().map(|(alarm, wait, after)| {
            Properties::default().set("alarm", alarm).set("wait_period", *wait).set("extension_period", *after)
        });
        let properties = Properties::default()
            .set_some("alarm_name", self.name.as_ref())
            .set("alarm_description", self.description.to_string())
            .set("alarm_rule", self.rule.text())
            .set_some("actions_suppressor", suppressor);
        self.actions.terraform(properties)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::cloudwatch::{Alarm, Metric},
        testing::{check_stack, problems},
    };

    fn alarm(stack: &mut Stack, id: &str) -> AlarmRef {
        let errors = Metric::new("AWS/Lambda", "Errors").dimension("FunctionName", "enrich");
        stack.add(id, Alarm::when(errors).above(0.0).description("See the log"))
    }

    #[test]
    fn renderings() {
        check_stack("cloudwatch_composite", |stack| {
            let (late, failing) = (alarm(stack, "Late"), alarm(stack, "Failing"));
            let deploying = stack.add("Deploying", Alarm::existing("deploying"));
            let either = stack.add("Either", CompositeAlarm::any([late, failing]).description("One of them"));
            let rule = Rule::all([either.into(), !Rule::any([Rule::from(late), Rule::insufficient_data(failing)])]);
            let whole = CompositeAlarm::when(rule)
                .description("Nothing comes through: look at the dashboard")
                .quiet_while(deploying, Seconds(60), Seconds(300))
                .notify("arn:aws:sns:eu-west-1:123456789012:alarms");
            stack.add("Whole", whole);
        });
    }

    #[test]
    fn a_rule_names_alarms() {
        let found = problems(|stack| {
            stack.add("It", CompositeAlarm::any::<AlarmRef>([]));
        });
        assert!(found.contains("It: the rule has an `any` or `all` of nothing"), "{found}");
        assert!(found.contains("It: an alarm needs a description: what it means, and what to do"), "{found}");
    }
}
