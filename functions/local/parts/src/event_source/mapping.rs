//! The settings of an event source mapping, as CloudFormation has them.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::filter::{Filter, MOST_FILTERS};

/// An event source mapping: the properties of `AWS::Lambda::EventSourceMapping`, with AWS's defaults, checked against
/// AWS's ranges.
///
/// References (`Fn::GetAtt`, `Ref`) are to be resolved before. Numbers and truth values may be texts, as in any template.
/// `Tags`, `MetricsConfig` and `KmsKeyArn` change nothing about what is delivered and are ignored. Everything else that
/// isn't done here is refused, in clear words: a setting that had no effect here could have one on AWS.
///
/// ```
/// use local::event_source::{Mapping, StartingPosition};
/// use serde_json::json;
///
/// let mapping = Mapping::read(&json!({
///     "FunctionName": "enrich",
///     "EventSourceArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/news",
///     "StartingPosition": "TRIM_HORIZON",
///     "MaximumRetryAttempts": 100,
///     "FunctionResponseTypes": ["ReportBatchItemFailures"],
/// }))
/// .unwrap();
/// assert_eq!(mapping.batch_size, 100);
/// assert_eq!(mapping.starting_position, StartingPosition::TrimHorizon);
///
/// let problems = Mapping::read(&json!({ "FunctionName": "enrich", "BatchSize": 0 })).unwrap_err();
/// assert_eq!(
///     problems.to_string(),
///     "EventSourceArn is missing\n\
///      StartingPosition is missing; TRIM_HORIZON, LATEST or AT_TIMESTAMP is wanted\n\
///      BatchSize is 0; 1 to 10000 is allowed",
/// );
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Mapping {
    /// `FunctionName`: a name, with or without a version, an ARN, or the end of one, `123456789012:function:enrich`.
    pub function_name: String,
    /// `EventSourceArn`.
    pub event_source: EventSource,
    /// `Enabled`. Defaults to true. A mapping that isn't reads nothing.
    pub enabled: bool,
    /// `StartingPosition` and `StartingPositionTimestamp`.
    pub starting_position: StartingPosition,
    /// `BatchSize`: the most records of a batch, 1 to 10 000. Defaults to 100.
    pub batch_size: usize,
    /// `MaximumBatchingWindowInSeconds`: how long a batch that isn't full waits, 0 to 300 s from its first record.
    /// Defaults to 0.
    pub maximum_batching_window: Duration,
    /// `ParallelizationFactor`: how many batches of a shard may be under way, 1 to 10. Defaults to 1.
    pub parallelization_factor: usize,
    /// `MaximumRetryAttempts`: how often a batch that failed is tried again, 0 to 10 000. `None` (-1, the default) is
    /// until its records are too old.
    pub maximum_retry_attempts: Option<u32>,
    /// `MaximumRecordAgeInSeconds`: how old a record may be when it is handed over, 60 to 604 800 s. `None` (-1, the
    /// default) is as old as can be.
    pub maximum_record_age: Option<Duration>,
    /// `BisectBatchOnFunctionError`. Defaults to false.
    pub bisect_batch_on_function_error: bool,
    /// `FunctionResponseTypes` has `ReportBatchItemFailures`. Without, what the function answers doesn't count.
    pub report_batch_item_failures: bool,
    /// `FilterCriteria`: a record that none of these matches is gone. Without any, all pass. At most five.
    pub filters: Vec<Filter>,
    /// `DestinationConfig.OnFailure.Destination`: the ARN of the SQS queue that is told of discarded batches.
    pub on_failure: Option<String>,
}

/// Where a mapping's records come from: `EventSourceArn`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSource {
    /// The ARN itself.
    pub arn: String,
    /// The service.
    pub service: Service,
    /// The region, `eu-west-1`.
    pub region: String,
    /// The account, twelve digits.
    pub account: String,
    /// The name of the stream, or of the table whose stream it is.
    pub name: String,
}

/// The service that has the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A Kinesis data stream.
    Kinesis,
    /// The stream of a DynamoDB table.
    DynamoDb,
}

/// Where reading begins in the shards that there are when the mapping starts. Shards that appear later are read from
/// their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartingPosition {
    /// With the oldest record.
    TrimHorizon,
    /// With the records that come from now on.
    Latest,
    /// With the first record at or after this time. Kinesis only.
    AtTimestamp(Timestamp),
}

/// Everything that is wrong with a mapping, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Mapping {
    /// Reads the `Properties` of an `AWS::Lambda::EventSourceMapping`.
    ///
    /// # Errors
    ///
    /// All problems at once: the property, what it is, and what is allowed.
    pub fn read(properties: &Value) -> Result<Self, Problems> {
        let Value::Object(members) = properties else {
            return Err(Problems(vec![format!("the properties are {properties}; an object is wanted")]));
        };
        let mut reader = Reader { members, problems: Vec::new() };
        let mapping = reader.mapping();
        reader.unknown();
        match mapping {
            Some(mapping) if reader.problems.is_empty() => Ok(mapping),
            _ => Err(Problems(reader.problems)),
        }
    }

    /// The function's ARN; made of the source's region and account where the mapping has only a name.
    pub fn function_arn(&self) -> String {
        if self.function_name.starts_with("arn:") {
            return self.function_name.clone();
        }
        let EventSource { region, account, .. } = &self.event_source;
        let (account, name) = self.function_name.split_once(":function:").unwrap_or((account, &self.function_name));
        format!("arn:aws:lambda:{region}:{account}:function:{name}")
    }

    /// Whether a record of the event passes the filters.
    pub(super) fn passes(&self, record: &Value) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(record))
    }
}

impl<'de> Deserialize<'de> for Mapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Problems {
    /// The problems, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Properties that change nothing about what is delivered.
const WITHOUT_EFFECT: [&str; 3] = ["Tags", "MetricsConfig", "KmsKeyArn"];

/// Properties of the type that AWS refuses for streams.
const OF_OTHER_SOURCES: [&str; 10] = [
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "LoggingConfig",
    "ProvisionedPollerConfig",
    "Queues",
    "ScalingConfig",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Topics",
];

const KNOWN: [&str; 15] = [
    "BatchSize",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "Enabled",
    "EventSourceArn",
    "FilterCriteria",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "StartingPosition",
    "StartingPositionTimestamp",
    "TumblingWindowInSeconds",
];

const POSITIONS: &str = "TRIM_HORIZON, LATEST or AT_TIMESTAMP is wanted";

struct Reader<'a> {
    members: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    fn mapping(&mut self) -> Option<Mapping> {
        let function_name = self.function_name();
        let event_source = self.event_source();
        let service = event_source.as_ref().map(|source| source.service);
        let starting_position = self.starting_position(service);
        let batch_size = self.number("BatchSize", 100, 1..=10_000);
        let window = self.number("MaximumBatchingWindowInSeconds", 0, 0..=300);
        let factor = self.number("ParallelizationFactor", 1, 1..=10);
        let attempts = self.number("MaximumRetryAttempts", -1, -1..=10_000);
        let age = self.record_age();
        self.tumbling_window();
        let bisect = self.truth("BisectBatchOnFunctionError", false);
        let enabled = self.truth("Enabled", true);
        let report = self.response_types();
        let filters = self.filters(service);
        let on_failure = self.destination();
        Some(Mapping {
            function_name: function_name?,
            event_source: event_source?,
            enabled,
            starting_position: starting_position?,
            batch_size: usize::try_from(batch_size).ok()?,
            maximum_batching_window: Duration::from_secs(window.unsigned_abs()),
            parallelization_factor: usize::try_from(factor).ok()?,
            maximum_retry_attempts: u32::try_from(attempts).ok(),
            maximum_record_age: u64::try_from(age).ok().map(Duration::from_secs),
            bisect_batch_on_function_error: bisect,
            report_batch_item_failures: report,
            filters,
            on_failure,
        })
    }

    fn unknown(&mut self) {
        let known = |name: &str| KNOWN.contains(&name) || WITHOUT_EFFECT.contains(&name);
        for name in self.members.keys().filter(|name| !known(name)) {
            self.problems.push(if OF_OTHER_SOURCES.contains(&name.as_str()) {
                format!("{name} is not for Kinesis or DynamoDB streams")
            } else {
                format!("{name} is no property of AWS::Lambda::EventSourceMapping that is known here")
            });
        }
    }

    fn problem(&mut self, name: &str, value: &Value, allowed: &str) {
        self.problems.push(format!("{name} is {value}; {allowed}"));
    }

    /// A property; one that is null is absent.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn function_name(&mut self) -> Option<String> {
        let Some(value) = self.get("FunctionName") else {
            self.problems.push("FunctionName is missing".to_owned());
            return None;
        };
        let name = value.as_str().filter(|name| !name.is_empty());
        if name.is_none() {
            self.problem("FunctionName", value, "a name or an ARN is wanted, with references resolved");
        }
        name.map(str::to_owned)
    }

    fn event_source(&mut self) -> Option<EventSource> {
        let Some(value) = self.get("EventSourceArn") else {
            self.problems.push("EventSourceArn is missing".to_owned());
            return None;
        };
        let source = match value.as_str() {
            Some(arn) => EventSource::read(arn),
            None => Err("an ARN is wanted, with references resolved"),
        };
        source.map_err(|wanted| self.problem("EventSourceArn", value, wanted)).ok()
    }

    fn starting_position(&mut self, service: Option<Service>) -> Option<StartingPosition> {
        let timestamp = self.get("StartingPositionTimestamp");
        let Some(value) = self.get("StartingPosition") else {
            self.problems.push(format!("StartingPosition is missing; {POSITIONS}"));
            return None;
        };
        let position = match value.as_str() {
            Some("TRIM_HORIZON") => StartingPosition::TrimHorizon,
            Some("LATEST") => StartingPosition::Latest,
            Some("AT_TIMESTAMP") if service == Some(Service::DynamoDb) => {
                self.problem("StartingPosition", value, "for DynamoDB TRIM_HORIZON or LATEST is allowed");
                return None;
            }
            Some("AT_TIMESTAMP") => return self.at_timestamp(timestamp),
            _ => {
                self.problem("StartingPosition", value, POSITIONS);
                return None;
            }
        };
        if let Some(timestamp) = timestamp {
            let only = format!("it is allowed with AT_TIMESTAMP, and StartingPosition is {value}");
            self.problem("StartingPositionTimestamp", timestamp, &only);
        }
        Some(position)
    }

    fn at_timestamp(&mut self, timestamp: Option<&Value>) -> Option<StartingPosition> {
        const WANTED: &str = "seconds since 1970 are wanted";
        let Some(value) = timestamp else {
            self.problems.push(format!("StartingPositionTimestamp is missing; {WANTED} for AT_TIMESTAMP"));
            return None;
        };
        let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let time = time.and_then(|since| Timestamp::from_duration(since.try_into().ok()?).ok());
        if time.is_none() {
            self.problem("StartingPositionTimestamp", value, WANTED);
        }
        time.map(StartingPosition::AtTimestamp)
    }

    fn number(&mut self, name: &str, default: i64, allowed: std::ops::RangeInclusive<i64>) -> i64 {
        let Some(value) = self.get(name) else { return default };
        match whole(value) {
            Some(number) if allowed.contains(&number) => number,
            _ => {
                self.problem(name, value, &format!("{} to {} is allowed", allowed.start(), allowed.end()));
                default
            }
        }
    }

    fn record_age(&mut self) -> i64 {
        const NAME: &str = "MaximumRecordAgeInSeconds";
        let Some(value) = self.get(NAME) else { return -1 };
        if let Some(age @ (-1 | 60..=604_800)) = whole(value) {
            return age;
        }
        self.problem(NAME, value, "-1 (never too old) or 60 to 604800 is allowed");
        -1
    }

    fn tumbling_window(&mut self) {
        const NAME: &str = "TumblingWindowInSeconds";
        if self.number(NAME, 0, 0..=900) != 0 {
            self.problems.push(format!("{NAME} is {}; tumbling windows are not done here", self.members[NAME]));
        }
    }

    fn truth(&mut self, name: &str, default: bool) -> bool {
        match self.get(name) {
            None => default,
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            Some(value) => {
                self.problem(name, value, "true or false is wanted");
                default
            }
        }
    }

    fn response_types(&mut self) -> bool {
        const NAME: &str = "FunctionResponseTypes";
        let Some(value) = self.get(NAME) else { return false };
        let known = |list: &Vec<Value>| list.len() < 2 && list.iter().all(|kind| kind == "ReportBatchItemFailures");
        if let Some(list) = value.as_array().filter(|list| known(list)) {
            return !list.is_empty();
        }
        self.problem(NAME, value, r#"["ReportBatchItemFailures"] is allowed"#);
        false
    }

    fn filters(&mut self, service: Option<Service>) -> Vec<Filter> {
        const NAME: &str = "FilterCriteria.Filters";
        let Some(criteria) = self.get("FilterCriteria") else { return Vec::new() };
        self.only("FilterCriteria", criteria, &["Filters"]);
        let filters = match criteria.get("Filters") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(filters)) => filters,
            Some(other) => {
                self.problem(NAME, other, "a list is wanted");
                return Vec::new();
            }
        };
        if filters.len() > MOST_FILTERS {
            self.problems.push(format!("{NAME} has {} filters; {MOST_FILTERS} are allowed", filters.len()));
        }
        let filters = filters.iter().enumerate();
        filters.filter_map(|(place, filter)| self.filter(&format!("{NAME}[{place}]"), filter, service)).collect()
    }

    fn filter(&mut self, name: &str, filter: &Value, service: Option<Service>) -> Option<Filter> {
        self.only(name, filter, &["Pattern"]);
        let Some(pattern) = filter["Pattern"].as_str() else {
            self.problem(&format!("{name}.Pattern"), &filter["Pattern"], "a pattern is wanted, JSON in a text");
            return None;
        };
        // Where the source is not known, what is common to both is still checked.
        let read = Filter::read(pattern, service.unwrap_or(Service::DynamoDb));
        read.map_err(|error| self.problems.push(format!("{name}.Pattern: {error}"))).ok()
    }

    fn destination(&mut self) -> Option<String> {
        const NAME: &str = "DestinationConfig.OnFailure.Destination";
        let config = self.get("DestinationConfig")?;
        self.only("DestinationConfig", config, &["OnFailure"]);
        let on_failure = config.get("OnFailure").filter(|value| !value.is_null())?;
        self.only("DestinationConfig.OnFailure", on_failure, &["Destination"]);
        let value = on_failure.get("Destination").filter(|value| !value.is_null())?;
        let parts: Vec<_> = value.as_str().unwrap_or_default().split(':').collect();
        let wanted = match *parts.as_slice() {
            ["arn", _, "sqs", _, _, queue] if in_order(queue) => "a standard queue is wanted, none in order",
            ["arn", _, "sqs", region, account, queue] if ![region, account, queue].contains(&"") => {
                return value.as_str().map(str::to_owned);
            }
            ["arn", _, "sns" | "s3" | "kafka", ..] => "here only SQS queues are destinations",
            _ => "the ARN of an SQS queue is wanted, with references resolved",
        };
        self.problem(NAME, value, wanted);
        None
    }

    /// Says what else is in an object, or that it is none.
    fn only(&mut self, name: &str, value: &Value, known: &[&str]) {
        let Some(members) = value.as_object() else {
            self.problem(name, value, "an object is wanted");
            return;
        };
        for member in members.keys().filter(|member| !known.contains(&member.as_str())) {
            self.problems.push(format!("{name}.{member} is not for streams; {} is", known.join(", ")));
        }
    }
}

/// Names of FIFO queues end so.
fn in_order(queue: &str) -> bool {
    queue.rsplit_once('.').is_some_and(|(_, kind)| kind == "fifo")
}

/// A whole number, or a text that is one, as CloudFormation takes either.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

impl EventSource {
    /// Reads an ARN, or says what is wanted.
    fn read(arn: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "the ARN of a Kinesis stream or of a DynamoDB table's stream is wanted";
        let mut parts = arn.splitn(6, ':');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(WANTED);
        let (head, _partition, service, region, account, resource) =
            (part()?, part()?, part()?, part()?, part()?, part()?);
        let resource: Vec<_> = resource.split('/').collect();
        let (service, name) = match (head, service, resource.as_slice()) {
            ("arn", "kinesis", ["stream", name]) if !name.is_empty() => (Service::Kinesis, *name),
            ("arn", "kinesis", ["stream", _, "consumer", _]) => {
                return Err("enhanced fan-out is not done here; the stream's own ARN is wanted");
            }
            ("arn", "dynamodb", ["table", name, "stream", label]) if !name.is_empty() && !label.is_empty() => {
                (Service::DynamoDb, *name)
            }
            ("arn", "dynamodb", ["table", _]) => return Err("that is a table; the ARN of its stream is wanted"),
            _ => return Err(WANTED),
        };
        let [arn, region, account, name] = [arn, region, account, name].map(str::to_owned);
        Ok(Self { arn, service, region, account, name })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STREAM: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/news";
    const CHANGES: &str = "arn:aws:dynamodb:eu-west-1:123456789012:table/articles/stream/2026-01-01T00:00:00.000";
    const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failures";

    fn with(more: &Value) -> Value {
        let mut properties =
            json!({ "FunctionName": "enrich", "EventSourceArn": STREAM, "StartingPosition": "TRIM_HORIZON" });
        let members = properties.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        properties
    }

    #[test]
    fn what_is_left_out_is_as_on_aws() {
        let mapping = Mapping::read(&with(&json!({}))).unwrap();
        let source = EventSource {
            arn: STREAM.into(),
            service: Service::Kinesis,
            region: "eu-west-1".into(),
            account: "123456789012".into(),
            name: "news".into(),
        };
        let expected = Mapping {
            function_name: "enrich".into(),
            event_source: source,
            enabled: true,
            starting_position: StartingPosition::TrimHorizon,
            batch_size: 100,
            maximum_batching_window: Duration::ZERO,
            parallelization_factor: 1,
            maximum_retry_attempts: None,
            maximum_record_age: None,
            bisect_batch_on_function_error: false,
            report_batch_item_failures: false,
            filters: vec![],
            on_failure: None,
        };
        assert_eq!(mapping, expected);
        assert_eq!(mapping.function_arn(), "arn:aws:lambda:eu-west-1:123456789012:function:enrich");
    }

    #[test]
    fn the_properties_of_a_template_are_read() {
        let mapping: Mapping = serde_json::from_value(json!({
            "FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:publish",
            "EventSourceArn": CHANGES,
            "StartingPosition": "LATEST",
            "BatchSize": "10",
            "MaximumBatchingWindowInSeconds": 5,
            "ParallelizationFactor": 2,
            "MaximumRetryAttempts": 0,
            "MaximumRecordAgeInSeconds": 21600,
            "BisectBatchOnFunctionError": "true",
            "Enabled": false,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": { "OnFailure": { "Destination": QUEUE } },
            "FilterCriteria": { "Filters": [{ "Pattern": "{\"eventName\":[\"INSERT\"]}" }] },
            "TumblingWindowInSeconds": 0,
            "Tags": [{ "Key": "Application", "Value": "newsloom" }],
            "MetricsConfig": { "Metrics": ["EventCount"] },
            "KmsKeyArn": "x",
        }))
        .unwrap();
        assert_eq!((mapping.event_source.service, mapping.event_source.name.as_str()), (Service::DynamoDb, "articles"));
        assert_eq!(mapping.starting_position, StartingPosition::Latest);
        assert_eq!((mapping.batch_size, mapping.maximum_batching_window.as_secs()), (10, 5));
        assert_eq!((mapping.parallelization_factor, mapping.maximum_retry_attempts), (2, Some(0)));
        assert_eq!(mapping.maximum_record_age, Some(Duration::from_hours(6)));
        assert!(mapping.bisect_batch_on_function_error && mapping.report_batch_item_failures && !mapping.enabled);
        assert_eq!(mapping.on_failure.as_deref(), Some(QUEUE));
        assert_eq!(mapping.filters[0].pattern(), r#"{"eventName":["INSERT"]}"#);
        assert_eq!(mapping.function_arn(), mapping.function_name);
        let at = with(&json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_767_323_046.5 }));
        let at = Mapping::read(&at).unwrap().starting_position;
        assert_eq!(at, StartingPosition::AtTimestamp(Timestamp::from_millisecond(1_767_323_046_500).unwrap()));
    }

    #[test]
    fn every_problem_names_the_property_its_value_and_what_is_allowed() {
        let filters = |pattern: &str| json!({ "FilterCriteria": { "Filters": [{ "Pattern": pattern }] } });
        let destination = |arn: &str| json!({ "DestinationConfig": { "OnFailure": { "Destination": arn } } });
        for (more, expected) in [
            (json!({ "BatchSize": 0 }), "BatchSize is 0; 1 to 10000 is allowed"),
            (json!({ "BatchSize": 10_001 }), "BatchSize is 10001; 1 to 10000 is allowed"),
            (json!({ "BatchSize": 1.5 }), "BatchSize is 1.5; 1 to 10000 is allowed"),
            (json!({ "BatchSize": "many" }), r#"BatchSize is "many"; 1 to 10000 is allowed"#),
            (
                json!({ "MaximumBatchingWindowInSeconds": 301 }),
                "MaximumBatchingWindowInSeconds is 301; 0 to 300 is allowed",
            ),
            (json!({ "ParallelizationFactor": 11 }), "ParallelizationFactor is 11; 1 to 10 is allowed"),
            (json!({ "MaximumRetryAttempts": -2 }), "MaximumRetryAttempts is -2; -1 to 10000 is allowed"),
            (
                json!({ "MaximumRecordAgeInSeconds": 59 }),
                "MaximumRecordAgeInSeconds is 59; -1 (never too old) or 60 to 604800 is allowed",
            ),
            (json!({ "TumblingWindowInSeconds": 901 }), "TumblingWindowInSeconds is 901; 0 to 900 is allowed"),
            (
                json!({ "TumblingWindowInSeconds": 60 }),
                "TumblingWindowInSeconds is 60; tumbling windows are not done here",
            ),
            (json!({ "Enabled": "yes" }), r#"Enabled is "yes"; true or false is wanted"#),
            (
                json!({ "StartingPosition": "NEWEST" }),
                r#"StartingPosition is "NEWEST"; TRIM_HORIZON, LATEST or AT_TIMESTAMP is wanted"#,
            ),
            (
                json!({ "StartingPosition": "AT_TIMESTAMP" }),
                "StartingPositionTimestamp is missing; seconds since 1970 are wanted for AT_TIMESTAMP",
            ),
            (
                json!({ "StartingPositionTimestamp": 5 }),
                r#"StartingPositionTimestamp is 5; it is allowed with AT_TIMESTAMP, and StartingPosition is "TRIM_HORIZON""#,
            ),
            (
                json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": -5 }),
                "StartingPositionTimestamp is -5; seconds since 1970 are wanted",
            ),
            (
                json!({ "EventSourceArn": CHANGES, "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 5 }),
                r#"StartingPosition is "AT_TIMESTAMP"; for DynamoDB TRIM_HORIZON or LATEST is allowed"#,
            ),
            (
                json!({ "EventSourceArn": { "Fn::GetAtt": ["News", "Arn"] } }),
                r#"EventSourceArn is {"Fn::GetAtt":["News","Arn"]}; an ARN is wanted, with references resolved"#,
            ),
            (
                json!({ "EventSourceArn": QUEUE }),
                "the ARN of a Kinesis stream or of a DynamoDB table's stream is wanted",
            ),
            (json!({ "EventSourceArn": format!("{STREAM}/consumer/c:1") }), "enhanced fan-out is not done here"),
            (
                json!({ "EventSourceArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/articles" }),
                "that is a table; the ARN of its stream is wanted",
            ),
            (json!({ "FunctionResponseTypes": ["Report"] }), r#"["ReportBatchItemFailures"] is allowed"#),
            (destination("arn:aws:s3:::bucket"), "here only SQS queues are destinations"),
            (destination("arn:aws:sns:eu-west-1:123456789012:topic"), "here only SQS queues are destinations"),
            (destination("arn:aws:sqs:eu-west-1:123456789012:q.fifo"), "a standard queue is wanted"),
            (destination("failures"), "the ARN of an SQS queue is wanted"),
            (
                json!({ "DestinationConfig": { "OnSuccess": {} } }),
                "DestinationConfig.OnSuccess is not for streams; OnFailure is",
            ),
            (filters("{}"), "FilterCriteria.Filters[0].Pattern: the pattern is empty"),
            (filters(r#"{"partitionKey":["a"]}"#), "Pattern: partitionKey can't be filtered"),
            (
                json!({ "FilterCriteria": { "Filters": [{}] } }),
                "FilterCriteria.Filters[0].Pattern is null; a pattern is wanted",
            ),
            (
                json!({ "FilterCriteria": { "Filters": vec![json!({ "Pattern": r#"{"data":["a"]}"# }); 6] } }),
                "FilterCriteria.Filters has 6 filters; 5 are allowed",
            ),
            (json!({ "Topics": ["a"] }), "Topics is not for Kinesis or DynamoDB streams"),
            (json!({ "BatchSze": 1 }), "BatchSze is no property of AWS::Lambda::EventSourceMapping that is known here"),
        ] {
            let problems = Mapping::read(&with(&more)).expect_err(&more.to_string());
            let [problem] = problems.0.as_slice() else { panic!("{more}: {problems}") };
            assert!(problem.contains(expected), "{more}: {problem}");
        }
    }

    #[test]
    fn a_functions_arn_is_made_of_what_the_mapping_has_of_it() {
        for (name, arn) in [
            ("enrich:live", "arn:aws:lambda:eu-west-1:123456789012:function:enrich:live"),
            ("111122223333:function:enrich", "arn:aws:lambda:eu-west-1:111122223333:function:enrich"),
        ] {
            assert_eq!(Mapping::read(&with(&json!({ "FunctionName": name }))).unwrap().function_arn(), arn);
        }
    }

    #[test]
    fn all_problems_come_at_once() {
        let problems = Mapping::read(&json!({ "BatchSize": 0, "Enabled": 1, "Topics": [] })).unwrap_err();
        assert_eq!(
            problems.iter().collect::<Vec<_>>(),
            [
                "FunctionName is missing",
                "EventSourceArn is missing",
                "StartingPosition is missing; TRIM_HORIZON, LATEST or AT_TIMESTAMP is wanted",
                "BatchSize is 0; 1 to 10000 is allowed",
                "Enabled is 1; true or false is wanted",
                "Topics is not for Kinesis or DynamoDB streams",
            ]
        );
        let error = serde_json::from_str::<Mapping>(r#"{"BatchSize":0}"#).unwrap_err().to_string();
        assert!(error.contains("BatchSize is 0") && error.contains("FunctionName is missing"), "{error}");
        assert!(Mapping::read(&json!(5)).unwrap_err().to_string().contains("an object is wanted"));
    }
}
