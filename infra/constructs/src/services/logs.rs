//! CloudWatch Logs: groups of log streams, kept for a bounded time, and metrics counted in them.

use std::borrow::Cow;

use super::{kms::KeyRef, units::Days};
use crate::{
    policy::{Grant, Statement},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Removal, Resource,
        Stack, Text, Types, Value,
    },
};

/// The retentions that CloudWatch Logs knows, in days.
const DAYS_KEPT: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// The default of every log group, also of those that a function makes for itself.
pub(super) const DEFAULT_RETENTION: Days = Days(30);
const MOST_DIMENSIONS: usize = 3;

/// A log group. What is in it is deleted after a time; nothing is kept for ever.
///
/// Encrypted by CloudWatch Logs, with its own key unless another is given. Named after its path.
///
/// ```
/// use constructs::{services::{logs::LogGroup, units::Days}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let logs = stack.add("Logs", LogGroup::new().retention(Days(90)));
/// stack.output("LogGroup", logs.name());
/// ```
#[derive(Debug, Clone)]
pub struct LogGroup {
    retention: Days,
    class: Class,
    key: Option<KeyRef>,
    name: Option<Text>,
    removal: Removal,
}

/// What can be done with the events of a group; it can't be changed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    /// Everything: live tail, metric and subscription filters, alarms. The default.
    #[default]
    Standard,
    /// About half the price to take events in; they can be queried with Logs Insights, and little else.
    InfrequentAccess,
}

impl LogGroup {
    /// A group that keeps its events for 30 days.
    pub fn new() -> Self {
        let removal = Removal::default();
        Self { retention: DEFAULT_RETENTION, class: Class::default(), key: None, name: None, removal }
    }

    /// How long events are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192,
    /// 2557, 2922, 3288 or 3653 days. Defaults to 30. A shorter time deletes what is older.
    pub fn retention(mut self, retention: Days) -> Self {
        self.retention = retention;
        self
    }

    /// Takes events at the price of the infrequent access class. Changing it replaces the group.
    pub fn infrequent_access(mut self) -> Self {
        self.class = Class::InfrequentAccess;
        self
    }

    /// Encrypted with this key. Its policy must let CloudWatch Logs use it for this group, see
    /// [`Key::for_log_groups`](super::kms::Key::for_log_groups).
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// Another name than the one made from the path, up to 512 letters, digits and `. - _ / #`.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A group that is managed elsewhere, by name, in this region and account.
    pub fn existing(name: impl Into<Text>) -> ExistingLogGroup {
        ExistingLogGroup(name.into())
    }
}

impl Default for LogGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Construct for LogGroup {
    type Handle = LogGroupRef;

    fn build(mut self, stack: &mut Stack) -> LogGroupRef {
        let Days(days) = self.retention;
        if !DAYS_KEPT.contains(&days) {
            stack.problem(format!("logs are kept {days} days; CloudWatch Logs knows {} days", list(&DAYS_KEPT)));
        }
        self.name.get_or_insert_with(|| stack.physical_name().into());
        let class = self.class;
        LogGroupRef { node: stack.resource(self), class }
    }
}

/// See [`LogGroup::existing`].
#[derive(Debug, Clone)]
pub struct ExistingLogGroup(Text);

impl Construct for ExistingLogGroup {
    type Handle = LogGroupRef;

    fn build(self, stack: &mut Stack) -> LogGroupRef {
        let arn = log_groups() + &self.0;
        let lookup = Lookup::new("aws_cloudwatch_log_group", "AWS::Logs::LogGroup")
            .by("name", &self.0)
            .known(NAME, &self.0)
            .known(ARN, arn);
        LogGroupRef { node: lookup.build(stack), class: Class::Standard }
    }
}

/// A metric that is counted, or read, from the events of a log group.
///
/// ```
/// use constructs::{services::logs::{LogGroup, MetricFilter}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let logs = stack.add("Logs", LogGroup::new());
/// let gaps = MetricFilter::counting(logs, "{ $.message = \"Gap in the feed.\" }", "Newsloom", "FeedGaps");
/// stack.add("Gaps", gaps.default_value(0.0));
/// ```
#[derive(Debug, Clone)]
pub struct MetricFilter {
    group: LogGroupRef,
    pattern: Cow<'static, str>,
    namespace: Cow<'static, str>,
    metric: Cow<'static, str>,
    value: Cow<'static, str>,
    default: Option<f64>,
    unit: Option<&'static str>,
    dimensions: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    name: Option<Text>,
}

impl MetricFilter {
    /// Counts the events that match a filter pattern, up to 1024 characters; an empty one matches all.
    pub fn counting(
        group: LogGroupRef,
        pattern: impl Into<Cow<'static, str>>,
        namespace: impl Into<Cow<'static, str>>,
        metric: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            group,
            pattern: pattern.into(),
            namespace: namespace.into(),
            metric: metric.into(),
            value: "1".into(),
            default: None,
            unit: None,
            dimensions: Vec::new(),
            name: None,
        }
    }

    /// What a matching event adds: a number, or a field of the event such as `$.latency`. Defaults to 1.
    pub fn value(mut self, value: impl Into<Cow<'static, str>>) -> Self {
        self.value = value.into();
        self
    }

    /// What is reported for a period in which events came and none matched. Without it nothing is, and alarms
    /// have missing data. Not together with dimensions.
    pub fn default_value(mut self, value: f64) -> Self {
        self.default = Some(value);
        self
    }

    /// The metric's unit, in CloudWatch's words: `Milliseconds`, `Count`. Defaults to `None`.
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// A dimension whose value is a field of the event, such as `$.feed`. Up to 3; every combination of values
    /// is a metric of its own and is paid for, so no ids.
    pub fn dimension(mut self, name: impl Into<Cow<'static, str>>, field: impl Into<Cow<'static, str>>) -> Self {
        self.dimensions.push((name.into(), field.into()));
        self
    }

    /// Another name than the one made from the path.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl Construct for MetricFilter {
    type Handle = MetricFilterRef;

    fn build(mut self, stack: &mut Stack) -> MetricFilterRef {
        if self.group.class == Class::InfrequentAccess {
            stack.problem("a group of the infrequent access class takes no metric filters; use the standard class");
        }
        if self.default.is_some() && !self.dimensions.is_empty() {
            stack.problem("a metric with dimensions takes no default value; leave out one of them");
        }
        if self.dimensions.len() > MOST_DIMENSIONS {
            stack.problem(format!("{} dimensions; CloudWatch Logs takes up to 3", self.dimensions.len()));
        }
        let pattern = self.pattern.trim();
        let open = [('{', '}'), ('[', ']')];
        if let Some((first, last)) =
            open.into_iter().find(|(first, last)| pattern.starts_with(*first) && !pattern.ends_with(*last))
        {
            stack.problem(format!("the pattern `{pattern}` starts with `{first}` and doesn't end with `{last}`"));
        }
        self.name.get_or_insert_with(|| stack.physical_name().into());
        MetricFilterRef { node: stack.resource(self) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`LogGroup`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct LogGroupRef {
    node: NodeRef,
    class: Class,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("name", Access::Ref);

impl LogGroupRef {
    /// The group's ARN. CloudFormation's ends in `:*`, Terraform's doesn't; services take both, policies don't, see
    /// [`LogGroupRef::streams`].
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The group's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The ARN of all its streams, which is what rights are given on.
    pub fn streams(self) -> Text {
        log_groups() + self.name() + ":*"
    }

    /// May write events, in streams that it makes. Not the group itself: that is there, with its retention.
    pub fn write(self) -> Grant {
        Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"]).on(self.streams()).into()
    }

    /// May read and search events.
    pub fn read(self) -> Grant {
        let actions = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"];
        Statement::allow(actions).on(self.streams()).into()
    }
}

impl Handle for LogGroupRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// A [`MetricFilter`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct MetricFilterRef {
    node: NodeRef,
}

impl Handle for MetricFilterRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

fn log_groups() -> Text {
    Text::from("arn:") + Pseudo::Partition + ":logs:" + Pseudo::Region + ":" + Pseudo::Account + ":log-group:"
}

fn list(numbers: &[u32]) -> String {
    let words: Vec<_> = numbers.iter().map(u32::to_string).collect();
    words.join(", ")
}

// ---------------------------------------------------------------------------------------------------

impl Resource for LogGroup {
    fn types(&self) -> Types {
        Types::new("logs", "aws_cloudwatch_log_group", "AWS::Logs::LogGroup")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn protect(&mut self, removal: Removal) {
        self.removal = removal;
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("LogGroupName", self.name.as_ref())
            .set("RetentionInDays", self.retention)
            .set_some("LogGroupClass", self.class_word())
            .set_some("KmsKeyId", self.key.map(KeyRef::arn))
            .set_some("DeletionProtectionEnabled", self.is_protected().then_some(true))
    }

    fn terraform(&self) -> Properties {
        // A destroyed stack leaves its logs behind, as CloudFormation's deletion policy does; they expire by
        // themselves. Refusing instead would block every rename of a function.
        let left_behind = self.removal == Removal::Retain;
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set("retention_in_days", self.retention)
            .set_some("log_group_class", self.class_word())
            .set_some("kms_key_id", self.key.map(KeyRef::arn))
            .set_some("skip_destroy", left_behind.then_some(true))
            .set_some("deletion_protection_enabled", self.is_protected().then_some(true))
    }
}

impl LogGroup {
    fn is_protected(&self) -> bool {
        self.removal == Removal::Prevent
    }

    fn class_word(&self) -> Option<&'static str> {
        match self.class {
            Class::Standard => None,
            Class::InfrequentAccess => Some("INFREQUENT_ACCESS"),
        }
    }
}

impl Resource for MetricFilter {
    fn types(&self) -> Types {
        Types::new("logs", "aws_cloudwatch_log_metric_filter", "AWS::Logs::MetricFilter")
    }

    fn cloudformation(&self) -> Properties {
        let dimension = |(name, field): &(Cow<'static, str>, Cow<'static, str>)| {
            Properties::default().set("Key", name.clone().into_owned()).set("Value", field.clone().into_owned())
        };
        let metric = Properties::default()
            .set("MetricNamespace", self.namespace.clone().into_owned())
            .set("MetricName", self.metric.clone().into_owned())
            .set("MetricValue", self.value.clone().into_owned())
            .set_some("DefaultValue", self.default)
            .set_some("Unit", self.unit)
            .set_filled("Dimensions", Value::list(self.dimensions.iter().map(dimension)));
        Properties::default()
            .set_some("FilterName", self.name.as_ref())
            .set("LogGroupName", self.group.name())
            .set("FilterPattern", self.pattern.clone().into_owned())
            .set("MetricTransformations", [metric])
    }

    fn terraform(&self) -> Properties {
        let dimensions: Properties =
            self.dimensions.iter().map(|(name, field)| (name.clone(), field.clone().into_owned())).collect();
        let metric = Properties::default()
            .set("namespace", self.namespace.clone().into_owned())
            .set("name", self.metric.clone().into_owned())
            .set("value", self.value.clone().into_owned())
            .set_some("default_value", self.default.map(|value| value.to_string()))
            .set_some("unit", self.unit)
            .set_filled("dimensions", dimensions);
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set("log_group_name", self.group.name())
            .set("pattern", self.pattern.clone().into_owned())
            .set("metric_transformation", metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            iam::{Role, Service},
            kms::Key,
        },
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("logs_group", LogGroup::new());
        check_stack("logs_group_with_own_key", |stack| {
            let key = stack.add("Key", Key::new("Encrypts logs").for_log_groups("eu-west-1", "/newsloom/*"));
            let group = LogGroup::new().named("/newsloom/ingester").retention(Days(365)).encrypted_by(key);
            let logs = stack.add("Logs", group);
            let writer = stack.add("Writer", Role::of(Service::EC2));
            stack.grant(writer, logs.write());
        });
        check_stack("logs_existing", |stack| {
            let logs = stack.add("Logs", LogGroup::existing("/newsloom/ingester"));
            let reader = stack.add("Reader", Role::of(Service::EC2));
            stack.grant(reader, logs.read());
        });
        check_stack("logs_metric_filter", |stack| {
            let logs = stack.add("Logs", LogGroup::new());
            let gaps = MetricFilter::counting(logs, "{ $.message = \"Gap.\" }", "Newsloom", "Gaps");
            stack.add("Gaps", gaps.default_value(0.0).unit("Count"));
            let slow = MetricFilter::counting(logs, "{ $.latency > 0 }", "Newsloom", "Latency").value("$.latency");
            stack.add("Slow", slow.unit("Milliseconds").dimension("Feed", "$.feed"));
        });
    }

    #[test]
    fn what_cloudwatch_logs_does_not_take_is_refused() {
        let group = problems(|stack| {
            stack.add("Logs", LogGroup::new().retention(Days(45)));
        });
        assert!(group.contains("Logs: logs are kept 45 days; CloudWatch Logs knows 1, 3, 5, 7,"), "{group}");

        let filter = problems(|stack| {
            let logs = stack.add("Logs", LogGroup::new().infrequent_access());
            let gaps = MetricFilter::counting(logs, "", "Newsloom", "Gaps").default_value(0.0);
            stack.add(
                "Gaps",
                gaps.dimension("A", "$.a").dimension("B", "$.b").dimension("C", "$.c").dimension("D", "$.d"),
            );
        });
        for message in [
            "Gaps: a group of the infrequent access class takes no metric filters; use the standard class",
            "Gaps: a metric with dimensions takes no default value; leave out one of them",
            "Gaps: 4 dimensions; CloudWatch Logs takes up to 3",
        ] {
            assert!(filter.contains(message), "{filter}");
        }
    }
}
