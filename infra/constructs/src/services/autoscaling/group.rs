//! Groups of instances.

use std::ops::RangeInclusive;

use super::{LifecycleHook, hook::HookOf};
use crate::{
    policy::{Grant, Statement},
    services::{
        ec2::LaunchTemplateRef,
        iam::{RoleRef, ServiceLinkedRoleRef},
        units::{Days, Seconds},
    },
    tree::{
        Access, Arn, Attribute, Backend, Construct, Handle, Name, NodeRef, Properties, Ref, Resource, Stack, Text,
        Types, Value,
    },
};

/// The metrics of a group, which cost nothing.
const METRICS: [&str; 8] = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
];

/// A group of instances of one template, spread over subnets.
///
/// What fails is replaced, and so is, one instance at a time, what runs an older version of the template
/// when a new one is deployed. Its metrics are collected.
///
/// ```
/// use constructs::{
///     services::{autoscaling::AutoScalingGroup, ec2::{Ami, Architecture, LaunchTemplate}, vpc::Network},
///     tree::App,
/// };
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let network = stack.add("Network", Network::new("10.0.0.0/16"));
/// let linux = Ami::amazon_linux_2023(Architecture::Arm64);
/// let template = stack.add("Template", LaunchTemplate::of(linux, "t4g.small"));
/// let ingester = stack.add("Ingester", AutoScalingGroup::of(template, network.private_subnets()));
/// stack.output("GroupName", ingester.name());
/// ```
#[derive(Debug, Clone)]
pub struct AutoScalingGroup {
    template: LaunchTemplateRef,
    subnets: Vec<Text>,
    size: (u32, u32),
    desired: Option<u32>,
    grace: Seconds,
    warmup: Option<Seconds>,
    lifetime: Option<Days>,
    is_new_first: bool,
    termination: Vec<TerminationPolicy>,
    cpu: Option<u32>,
    hooks: Vec<LifecycleHook>,
    service_role: Option<ServiceLinkedRoleRef>,
    name: Option<Text>,
}

impl AutoScalingGroup {
    /// A group of exactly one instance, in one of these subnets: when its zone fails, the next one starts
    /// in another.
    pub fn of<T: Into<Text>>(template: LaunchTemplateRef, subnets: impl IntoIterator<Item = T>) -> Self {
        Self {
            template,
            subnets: subnets.into_iter().map(Into::into).collect(),
            size: (1, 1),
            desired: Some(1),
            grace: Seconds(300),
            warmup: None,
            lifetime: None,
            is_new_first: false,
            termination: Vec::new(),
            cpu: None,
            hooks: Vec::new(),
            service_role: None,
            name: None,
        }
    }

    /// Exactly so many instances. Defaults to 1.
    pub fn exactly(mut self, count: u32) -> Self {
        self.size = (count, count);
        self.desired = Some(count);
        self
    }

    /// From so many instances to so many. It starts with the least, and a deployment leaves the number as
    /// it is, unless [`AutoScalingGroup::desired`] says one.
    pub fn between(mut self, sizes: RangeInclusive<u32>) -> Self {
        self.size = (*sizes.start(), *sizes.end());
        self.desired = None;
        self
    }

    /// The number of instances that every deployment sets.
    pub fn desired(mut self, count: u32) -> Self {
        self.desired = Some(count);
        self
    }

    /// How long a new instance may take before it is checked. Defaults to 300 seconds; too short, and
    /// instances are replaced while they start.
    pub fn health_check_grace(mut self, grace: Seconds) -> Self {
        self.grace = grace;
        self
    }

    /// How long until a new instance counts for metrics and updates. Defaults to the grace period.
    pub fn warmup(mut self, warmup: Seconds) -> Self {
        self.warmup = Some(warmup);
        self
    }

    /// Replaces each instance after so many days, 1 to 365, with what the template says then: with an image
    /// named by a parameter, that is how updates arrive. Left out, instances run until they fail.
    pub fn replaced_after(mut self, lifetime: Days) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Starts the new instance before it stops the old one, so that for a while both run. CloudFormation's
    /// updates do so only where the group may grow; its replacements of failed instances always.
    pub fn new_first(mut self) -> Self {
        self.is_new_first = true;
        self
    }

    /// Which instance goes first when the group shrinks; again for what decides between equals. Left out,
    /// AWS's default, which evens out zones and then takes the oldest template.
    pub fn terminating(mut self, policy: TerminationPolicy) -> Self {
        self.termination.push(policy);
        self
    }

    /// Grows and shrinks so that the processors are busy for so many percent, 1 to 100, on average.
    pub fn cpu_target(mut self, percent: u32) -> Self {
        self.cpu = Some(percent);
        self
    }

    /// Waits when an instance starts or stops. The first instance of a new group may start before the hook
    /// is there.
    pub fn hook(mut self, hook: LifecycleHook) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Launches instances with this version of Auto Scaling's own role: the one that may use the key of their
    /// disks. Left out, the account's, which may use no key but AWS's.
    pub fn service_role(mut self, role: ServiceLinkedRoleRef) -> Self {
        self.service_role = Some(role);
        self
    }

    /// Another name than the one made from the path; up to 255 characters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    fn check(&self, stack: &mut Stack) {
        let (least, most) = self.size;
        if least > most {
            stack.problem(format!("the group has from {least} to {most} instances; the first number is the smaller"));
        } else if let Some(desired) = self.desired.filter(|desired| !(least..=most).contains(desired)) {
            stack.problem(format!("{desired} instances are desired; the group has {least} to {most}"));
        }
        if self.subnets.is_empty() {
            stack.problem("the group has no subnets to start instances in");
        }
        if let Some(days) = self.lifetime.map(|lifetime| lifetime.0).filter(|days| !(1..=365).contains(days)) {
            stack.problem(format!("instances are replaced after {days} days; Auto Scaling takes 1 to 365"));
        }
        if let Some(percent) = self.cpu.filter(|percent| !(1..=100).contains(percent)) {
            stack.problem(format!("the processors' target is {percent} percent; it can be 1 to 100"));
        }
        if self.cpu.is_some() && least == most {
            stack.problem(format!("a group of exactly {most} can't follow its processors; say `between`"));
        }
        for hook in &self.hooks {
            if !(30..=7200).contains(&hook.timeout.0) {
                let seconds = hook.timeout.0;
                stack.problem(format!("the hook `{}` waits {seconds} seconds; Auto Scaling takes 30 to 7200", hook.id));
            }
        }
    }
}

impl Construct for AutoScalingGroup {
    type Handle = AutoScalingGroupRef;

    fn build(self, stack: &mut Stack) -> AutoScalingGroupRef {
        self.check(stack);
        let (role, cpu, hooks) = (self.template.role(), self.cpu, self.hooks.clone());
        let path_name = stack.physical_name();
        let group = AutoScalingGroupRef { node: stack.resource(Group { group: self, path_name }), role };
        if let Some(percent) = cpu {
            let name = format!("{}-cpu", stack.physical_name());
            stack.child("Cpu", CpuPolicy { group, percent, name });
        }
        for hook in hooks {
            let id = hook.id.clone();
            stack.add(&id, HookOf { group, hook });
        }
        group
    }
}

/// Which instance goes first when a group shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminationPolicy {
    /// The one that has run longest.
    OldestInstance,
    /// The one that started last: to try a new version out.
    NewestInstance,
    /// One of the oldest version of the template.
    OldestLaunchTemplate,
    /// The one whose paid hour ends soonest.
    ClosestToNextInstanceHour,
    /// AWS's own order.
    Default,
}

impl TerminationPolicy {
    fn word(self) -> &'static str {
        match self {
            Self::OldestInstance => "OldestInstance",
            Self::NewestInstance => "NewestInstance",
            Self::OldestLaunchTemplate => "OldestLaunchTemplate",
            Self::ClosestToNextInstanceHour => "ClosestToNextInstanceHour",
            Self::Default => "Default",
        }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`AutoScalingGroup`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct AutoScalingGroupRef {
    node: NodeRef,
    role: Option<RoleRef>,
}

impl AutoScalingGroupRef {
    /// The group's name, for the dimension `AutoScalingGroupName` of its metrics.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, Attribute::name("name", Access::Ref))
    }

    /// The group's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("AutoScalingGroupARN")))
    }

    /// The role that its instances run with, where the template has a profile.
    pub fn role(self) -> Option<RoleRef> {
        self.role
    }

    /// May say that what a hook waits for is done, or goes on.
    pub fn complete_lifecycle(self) -> Grant {
        let actions = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"];
        Statement::allow(actions).on(self.arn()).into()
    }
}

impl Handle for AutoScalingGroupRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug)]
struct Group {
    group: AutoScalingGroup,
    path_name: String,
}

impl Group {
    fn name(&self) -> Text {
        self.group.name.clone().unwrap_or_else(|| self.path_name.clone().into())
    }

    fn termination_policies(&self) -> Value {
        Value::list(self.group.termination.iter().map(|policy| policy.word()))
    }

    /// The least and greatest percentage of instances in service while some are replaced.
    fn healthy(&self) -> (u32, u32) {
        let least = self.group.size.0.max(1);
        if self.group.is_new_first { (100, 200) } else { ((least - 1) * 100 / least, 100) }
    }

    /// How many instances CloudFormation leaves in service; it wants fewer than the most there may be.
    fn in_service(&self) -> u32 {
        let (least, most) = self.group.size;
        let wanted = if self.group.is_new_first { least } else { least.saturating_sub(1) };
        wanted.min(most.saturating_sub(1))
    }
}

impl Resource for Group {
    fn types(&self) -> Types {
        Types::new("autoscaling", "aws_autoscaling_group", "AWS::AutoScaling::AutoScalingGroup")
    }

    fn cloudformation(&self) -> Properties {
        let group = &self.group;
        let (least, most) = self.healthy();
        let maintenance = Properties::default().set("MinHealthyPercentage", least).set("MaxHealthyPercentage", most);
        let name =
            Properties::default().set("Key", "Name").set("Value", &self.path_name).set("PropagateAtLaunch", true);
        // CloudFormation takes these numbers as strings.
        Properties::default()
            .set("AutoScalingGroupName", self.name())
            .set("LaunchTemplate", group.template.specification(Backend::CloudFormation))
            .set("VPCZoneIdentifier", Value::list(&group.subnets))
            .set("MinSize", group.size.0.to_string())
            .set("MaxSize", group.size.1.to_string())
            .set_some("DesiredCapacity", group.desired.map(|count| count.to_string()))
            .set("HealthCheckType", "EC2")
            .set("HealthCheckGracePeriod", group.grace)
            .set_some("DefaultInstanceWarmup", group.warmup)
            .set_some("MaxInstanceLifetime", group.lifetime.map(seconds))
            .set_some("InstanceMaintenancePolicy", group.is_new_first.then_some(maintenance))
            .set_filled("TerminationPolicies", self.termination_policies())
            .set_some("ServiceLinkedRoleARN", group.service_role.map(ServiceLinkedRoleRef::arn))
            .set("MetricsCollection", [Properties::default().set("Granularity", "1Minute").set("Metrics", METRICS)])
            .set("Tags", [name])
    }

    fn cloudformation_attributes(&self) -> Properties {
        let pause = self.group.warmup.unwrap_or(self.group.grace).0.min(3600);
        // What would start or stop instances in the midst of an update.
        let suspended = ["AZRebalance", "AlarmNotification", "HealthCheck", "ReplaceUnhealthy", "ScheduledActions"];
        let update = Properties::default()
            .set("MinInstancesInService", self.in_service())
            .set("MaxBatchSize", 1)
            .set("PauseTime", format!("PT{pause}S"))
            .set("SuspendProcesses", suspended);
        Properties::default().set("UpdatePolicy", Properties::default().set("AutoScalingRollingUpdate", update))
    }

    fn terraform(&self) -> Properties {
        let group = &self.group;
        let (least, most) = self.healthy();
        let healthy = || Properties::default().set("min_healthy_percentage", least).set("max_healthy_percentage", most);
        let refresh = Properties::default().set("strategy", "Rolling").set("preferences", healthy());
        let name =
            Properties::default().set("key", "Name").set("value", &self.path_name).set("propagate_at_launch", true);
        Properties::default()
            .set("name", self.name())
            .set("launch_template", group.template.specification(Backend::Terraform))
            .set("vpc_zone_identifier", Value::list(&group.subnets))
            .set("min_size", group.size.0)
            .set("max_size", group.size.1)
            .set_some("desired_capacity", group.desired)
            .set("health_check_type", "EC2")
            .set("health_check_grace_period", group.grace)
            .set_some("default_instance_warmup", group.warmup)
            .set_some("max_instance_lifetime", group.lifetime.map(seconds))
            .set_some("instance_maintenance_policy", group.is_new_first.then(healthy))
            .set_filled("termination_policies", self.termination_policies())
            .set_some("service_linked_role_arn", group.service_role.map(ServiceLinkedRoleRef::arn))
            .set("enabled_metrics", METRICS)
            .set("instance_refresh", refresh)
            .set("tag", [name])
    }
}

fn seconds(days: Days) -> u32 {
    days.0.saturating_mul(24 * 60 * 60)
}

#[derive(Debug)]
struct CpuPolicy {
    group: AutoScalingGroupRef,
    percent: u32,
    name: String,
}

impl Resource for CpuPolicy {
    fn types(&self) -> Types {
        Types::new("autoscaling", "aws_autoscaling_policy", "AWS::AutoScaling::ScalingPolicy")
    }

    fn cloudformation(&self) -> Properties {
        let metric = Properties::default().set("PredefinedMetricType", "ASGAverageCPUUtilization");
        let target =
            Properties::default().set("PredefinedMetricSpecification", metric).set("TargetValue", self.percent);
        Properties::default()
            .set("AutoScalingGroupName", self.group.name())
            .set("PolicyType", "TargetTrackingScaling")
            .set("TargetTrackingConfiguration", target)
    }

    fn terraform(&self) -> Properties {
        let metric = Properties::default().set("predefined_metric_type", "ASGAverageCPUUtilization");
        let target =
            Properties::default().set("predefined_metric_specification", metric).set("target_value", self.percent);
        Properties::default()
            .set("name", &self.name)
            .set("autoscaling_group_name", self.group.name())
            .set("policy_type", "TargetTrackingScaling")
            .set("target_tracking_configuration", target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            ec2::{Ami, Architecture, LaunchTemplate},
            iam::{InstanceProfile, Role, Service, ServiceLinkedRole},
            vpc::Network,
        },
        testing::{check_stack, problems},
    };

    fn group(stack: &mut Stack) -> AutoScalingGroup {
        let office = Network::existing("vpc-0a1b2c3d4e5f60718").private_subnets(["subnet-0a1b2c3d4e5f60718"]);
        let network = stack.add("Network", office);
        let role = stack.add("Role", Role::of(Service::EC2));
        let profile = stack.add("Profile", InstanceProfile::of(role));
        let linux = Ami::amazon_linux_2023(Architecture::Arm64);
        let template = stack.add("Template", LaunchTemplate::of(linux, "t4g.small").profile(profile));
        AutoScalingGroup::of(template, network.private_subnets())
    }

    #[test]
    fn renderings() {
        check_stack("autoscaling_group_of_one", |stack| {
            let ingester = group(stack).health_check_grace(Seconds(60));
            stack.add("Ingester", ingester);
        });
        check_stack("autoscaling_group_in_full", |stack| {
            stack.tag("team", "news");
            let scaling = stack.add("Scaling", ServiceLinkedRole::autoscaling("newsloom"));
            let handlers = group(stack)
                .between(2..=6)
                .desired(3)
                .warmup(Seconds(90))
                .replaced_after(Days(30))
                .new_first()
                .terminating(TerminationPolicy::OldestLaunchTemplate)
                .terminating(TerminationPolicy::OldestInstance)
                .cpu_target(60)
                .service_role(scaling)
                .hook(LifecycleHook::stopping("Drain").within(Seconds(120)).otherwise_continue())
                .named("feed-handlers");
            let handlers = stack.add("Handlers", handlers);
            if let Some(role) = handlers.role() {
                stack.grant(role, handlers.complete_lifecycle());
            }
        });
    }

    #[test]
    fn groups_that_can_t_be_are_refused() {
        type Change = fn(AutoScalingGroup) -> AutoScalingGroup;
        let cases: [(Change, &str); 8] = [
            (
                |group| group.between(RangeInclusive::new(3, 2)),
                "the group has from 3 to 2 instances; the first number is the smaller",
            ),
            (|group| group.between(2..=4).desired(5), "5 instances are desired; the group has 2 to 4"),
            (|group| group.between(2..=4).desired(1), "1 instances are desired; the group has 2 to 4"),
            (
                |group| group.replaced_after(Days(366)),
                "instances are replaced after 366 days; Auto Scaling takes 1 to 365",
            ),
            (|group| group.between(1..=2).cpu_target(0), "the processors' target is 0 percent; it can be 1 to 100"),
            (|group| group.cpu_target(60), "a group of exactly 1 can't follow its processors; say `between`"),
            (
                |group| group.hook(LifecycleHook::starting("Ready").within(Seconds(10))),
                "the hook `Ready` waits 10 seconds; Auto Scaling takes 30 to 7200",
            ),
            (
                |group| AutoScalingGroup { subnets: Vec::new(), ..group },
                "the group has no subnets to start instances in",
            ),
        ];
        for (change, message) in cases {
            let found = problems(|stack| {
                let group = change(group(stack));
                stack.add("Ingester", group);
            });
            assert!(found.contains(&format!("Ingester: {message}")), "{message}\n{found}");
        }
    }
}
