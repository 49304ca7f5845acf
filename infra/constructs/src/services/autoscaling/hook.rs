//! Lifecycle hooks: moments at which a group waits.

use std::borrow::Cow;

use super::AutoScalingGroupRef;
use crate::{
    services::units::Seconds,
    tree::{Construct, Properties, Resource, Stack, Types},
};

/// A moment at which a group waits until something, usually the instance itself, says that it may go on;
/// who says so needs [`AutoScalingGroupRef::complete_lifecycle`].
///
/// ```
/// use constructs::services::{autoscaling::LifecycleHook, units::Seconds};
/// let drain = LifecycleHook::stopping("Drain").within(Seconds(120)).otherwise_continue();
/// ```
#[derive(Debug, Clone)]
pub struct LifecycleHook {
    pub(super) id: Cow<'static, str>,
    transition: &'static str,
    pub(super) timeout: Seconds,
    result: &'static str,
}

impl LifecycleHook {
    /// Before a new instance counts as in service.
    pub fn starting(id: impl Into<Cow<'static, str>>) -> Self {
        let transition = "autoscaling:EC2_INSTANCE_LAUNCHING";
        Self { id: id.into(), transition, timeout: Seconds(3600), result: "ABANDON" }
    }

    /// Before an instance is terminated.
    pub fn stopping(id: impl Into<Cow<'static, str>>) -> Self {
        Self { transition: "autoscaling:EC2_INSTANCE_TERMINATING", ..Self::starting(id) }
    }

    /// How long it waits, 30 to 7200 seconds. Defaults to 3600.
    pub fn within(mut self, timeout: Seconds) -> Self {
        self.timeout = timeout;
        self
    }

    /// Goes on when nobody said anything in time. Otherwise a starting instance is given up and replaced,
    /// and a stopping one stops without waiting for other hooks.
    pub fn otherwise_continue(mut self) -> Self {
        self.result = "CONTINUE";
        self
    }
}

/// A hook of one group.
pub(super) struct HookOf {
    pub(super) group: AutoScalingGroupRef,
    pub(super) hook: LifecycleHook,
}

impl Construct for HookOf {
    type Handle = ();

    fn build(self, stack: &mut Stack) {
        let name = stack.physical_name();
        stack.resource(Hook { group: self.group, moment: self.hook, name });
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct Hook {
    group: AutoScalingGroupRef,
    moment: LifecycleHook,
    name: String,
}

impl Resource for Hook {
    fn types(&self) -> Types {
        Types::new("autoscaling", "aws_autoscaling_lifecycle_hook", "AWS::AutoScaling::LifecycleHook")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("LifecycleHookName", &self.name)
            .set("AutoScalingGroupName", self.group.name())
            .set("LifecycleTransition", self.moment.transition)
            .set("HeartbeatTimeout", self.moment.timeout)
            .set("DefaultResult", self.moment.result)
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("name", &self.name)
            .set("autoscaling_group_name", self.group.name())
            .set("lifecycle_transition", self.moment.transition)
            .set("heartbeat_timeout", self.moment.timeout)
            .set("default_result", self.moment.result)
    }
}
