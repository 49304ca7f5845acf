//! How an endpoint moves from one configuration to the next.

use crate::{
    services::units::Seconds,
    tree::{Properties, Stack, Text, Value},
};

/// How an endpoint moves to a new configuration, and when it goes back. Variants keep their names across it.
///
/// ```
/// use constructs::services::{sagemaker::Deployment, units::Seconds};
/// let careful = Deployment::canary(10, Seconds(300)).rolled_back_by("newsloom-sentiment-errors");
/// ```
#[derive(Debug, Clone)]
pub struct Deployment {
    way: Way,
    /// How long traffic is watched after each step.
    wait: Seconds,
    timeout: Option<Seconds>,
    old_fleet: Option<Seconds>,
    alarms: Vec<Text>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    AllAtOnce,
    Canary(u32),
    Linear(u32),
    Rolling(u32),
}

impl Deployment {
    /// A second fleet, and all traffic to it at once; the first is kept while it is watched.
    pub fn all_at_once(watched: Seconds) -> Self {
        Self { way: Way::AllAtOnce, wait: watched, timeout: None, old_fleet: None, alarms: Vec::new() }
    }

    /// A second fleet that gets so much of a hundred first, 1 to 50, and the rest when that was watched.
    pub fn canary(percent: u32, watched: Seconds) -> Self {
        Self { way: Way::Canary(percent), ..Self::all_at_once(watched) }
    }

    /// A second fleet that gets so much of a hundred more at each step, 10 to 50.
    pub fn linear(percent: u32, watched: Seconds) -> Self {
        Self { way: Way::Linear(percent), ..Self::all_at_once(watched) }
    }

    /// No second fleet: so much of a hundred of the instances are replaced at each step, 5 to 50. Neither for
    /// serverless endpoints nor for several variants.
    pub fn rolling(percent: u32, watched: Seconds) -> Self {
        Self { way: Way::Rolling(percent), ..Self::all_at_once(watched) }
    }

    /// Goes back when this alarm, by name, goes off meanwhile; up to 10. In Terraform, adding the first one to an
    /// existing endpoint replaces it.
    pub fn rolled_back_by(mut self, alarm: impl Into<Text>) -> Self {
        self.alarms.push(alarm.into());
        self
    }

    /// How long all of it may take, 600 to 14 400 seconds.
    pub fn timeout(mut self, timeout: Seconds) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long the old fleet is kept at the end, up to 3600 seconds. Defaults to none; not for rolling ones.
    pub fn keeping_old_fleet(mut self, wait: Seconds) -> Self {
        self.old_fleet = Some(wait);
        self
    }

    pub(super) fn is_rolling(&self) -> bool {
        matches!(self.way, Way::Rolling(_))
    }

    pub(super) fn check(&self, stack: &mut Stack) {
        let (percent, range) = match self.way {
            Way::AllAtOnce => (1, 1..=1),
            Way::Canary(percent) => (percent, 1..=50),
            Way::Linear(percent) => (percent, 10..=50),
            Way::Rolling(percent) => (percent, 5..=50),
        };
        if !range.contains(&percent) {
            let (least, most) = (range.start(), range.end());
            stack.problem(format!("a step of the deployment is {percent} %; SageMaker takes {least} to {most}"));
        }
        if self.wait.0 > 3600 {
            stack.problem(format!("traffic is watched for {} seconds; SageMaker takes up to 3600", self.wait.0));
        }
        if let Some(Seconds(seconds)) = self.timeout
            && !(600..=14_400).contains(&seconds)
        {
            stack.problem(format!("a deployment may take {seconds} seconds; SageMaker takes 600 to 14400"));
        }
        match self.old_fleet {
            Some(_) if self.is_rolling() => stack.problem("a rolling deployment has no old fleet to keep"),
            Some(Seconds(seconds)) if seconds > 3600 => {
                stack.problem(format!("the old fleet is kept for {seconds} seconds; SageMaker takes up to 3600"));
            }
            _ => {}
        }
        if self.alarms.len() > 10 {
            stack.problem(format!("a deployment is rolled back by up to 10 alarms, not {}", self.alarms.len()));
        }
    }

    pub(super) fn cloudformation(&self) -> Properties {
        let size = |percent: u32| Properties::default().set("Type", "CAPACITY_PERCENT").set("Value", percent);
        let blue_green = |kind: &'static str, step: Option<(&'static str, u32)>| {
            let routing = Properties::default().set("Type", kind).set("WaitIntervalInSeconds", self.wait);
            let routing = match step {
                Some((name, percent)) => routing.set(name, size(percent)),
                None => routing,
            };
            let policy = Properties::default()
                .set("TrafficRoutingConfiguration", routing)
                .set_some("TerminationWaitInSeconds", self.old_fleet)
                .set_some("MaximumExecutionTimeoutInSeconds", self.timeout);
            Properties::default().set("BlueGreenUpdatePolicy", policy)
        };
        let deployment = match self.way {
            Way::AllAtOnce => blue_green("ALL_AT_ONCE", None),
            Way::Canary(percent) => blue_green("CANARY", Some(("CanarySize", percent))),
            Way::Linear(percent) => blue_green("LINEAR", Some(("LinearStepSize", percent))),
            Way::Rolling(percent) => {
                let policy = Properties::default()
                    .set("MaximumBatchSize", size(percent))
                    .set("WaitIntervalInSeconds", self.wait)
                    .set_some("MaximumExecutionTimeoutInSeconds", self.timeout);
                Properties::default().set("RollingUpdatePolicy", policy)
            }
        };
        let alarms = self.alarms.iter().map(|alarm| Properties::default().set("AlarmName", alarm));
        let rollback = Properties::default().set_filled("Alarms", Value::list(alarms));
        deployment.set_filled("AutoRollbackConfiguration", rollback)
    }

    pub(super) fn terraform(&self) -> Properties {
        let size = |percent: u32| Properties::default().set("type", "CAPACITY_PERCENT").set("value", percent);
        let blue_green = |kind: &'static str, step: Option<(&'static str, u32)>| {
            let routing = Properties::default().set("type", kind).set("wait_interval_in_seconds", self.wait);
            let routing = match step {
                Some((name, percent)) => routing.set(name, size(percent)),
                None => routing,
            };
            let policy = Properties::default()
                .set("traffic_routing_configuration", routing)
                .set_some("termination_wait_in_seconds", self.old_fleet)
                .set_some("maximum_execution_timeout_in_seconds", self.timeout);
            Properties::default().set("blue_green_update_policy", policy)
        };
        let deployment = match self.way {
            Way::AllAtOnce => blue_green("ALL_AT_ONCE", None),
            Way::Canary(percent) => blue_green("CANARY", Some(("canary_size", percent))),
            Way::Linear(percent) => blue_green("LINEAR", Some(("linear_step_size", percent))),
            Way::Rolling(percent) => {
                let policy = Properties::default()
                    .set("maximum_batch_size", size(percent))
                    .set("wait_interval_in_seconds", self.wait)
                    .set_some("maximum_execution_timeout_in_seconds", self.timeout);
                Properties::default().set("rolling_update_policy", policy)
            }
        };
        let alarms = self.alarms.iter().map(|alarm| Properties::default().set("alarm_name", alarm));
        let rollback = Properties::default().set_filled("alarms", Value::list(alarms));
        deployment.set_filled("auto_rollback_configuration", rollback)
    }
}
