//! What a run has seen so far.

use jiff::Timestamp;
use news::EnrichedItem;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// What a run has seen so far. Times are since its beginning.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) clock: Clock,
    /// By the row's place.
    pub(super) put: HashMap<usize, Put>,
    /// By the id.
    pub(super) stored: HashMap<String, Stored>,
    /// As they came, all of the run and no others.
    pub(super) delivered: Vec<Delivered>,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) given_up: Vec<GivenUp>,
    /// What else to know.
    pub(super) notes: Vec<String>,
}

/// This machine's clocks when the run began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) began: Instant,
    pub(super) started: Timestamp,
}

/// A row was put in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Put {
    /// When, the first time.
    pub(super) at: Duration,
    /// How often.
    pub(super) times: usize,
    /// When Kinesis said that it had it, the first time; none after a feed.
    pub(super) accepted: Option<Duration>,
    /// Shard and number, of those that Kinesis told us.
    pub(super) numbers: Vec<(String, String)>,
    /// Why it could not be put in.
    pub(super) refused: Option<String>,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub(super) at: Duration,
    /// Or why it is none.
    pub(super) item: Result<EnrichedItem, String>,
}

/// A message from the exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) at: Duration,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) message_id: String,
    pub(super) kind: String,
    pub(super) content_type: String,
    pub(super) persistent: bool,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// A message in the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quarantined {
    pub(super) at: Duration,
    pub(super) set_aside: SetAside,
}

/// What the quarantine says of a record, as far as it is looked at (`enrich::quarantine::Quarantined`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct SetAside {
    pub(super) reason: Why,
    pub(super) position: Position,
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Why {
    pub(super) code: String,
    pub(super) text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Position {
    #[serde(default)]
    pub(super) partition_key: Option<String>,
}

/// A batch that a function gave up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GivenUp {
    /// `publish gave up on 3 records: RetryAttemptsExhausted`.
    pub(super) text: String,
    /// Where the batch was on the stream; none for the table's, whose numbers nobody tells us.
    pub(super) batch: Option<Batch>,
}

/// A batch of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    shard: String,
    numbers: RangeInclusive<Number>,
    records: usize,
}

/// A sequence number: some of Kinesis' have more digits than 128 bits do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Number {
    digits: usize,
    text: String,
}

impl Number {
    fn of(text: &str) -> Self {
        let text = text.trim_start_matches('0');
        Self { digits: text.len(), text: text.into() }
    }
}

impl Seen {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock { began: Instant::now(), started: Timestamp::now() },
            put: HashMap::new(),
            stored: HashMap::new(),
            delivered: Vec::new(),
            quarantined: Vec::new(),
            given_up: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Since the run began.
    pub(super) fn now(&self) -> Duration {
        self.clock.began.elapsed()
    }
}

impl Clock {
    /// A time of day, since the run began; earlier ones are its beginning.
    pub(super) fn since(&self, time: Timestamp) -> Duration {
        Duration::try_from(time.duration_since(self.started)).unwrap_or_default()
    }
}

impl SetAside {
    /// Reads a message's body, if it is of this run.
    pub(super) fn of_run(body: &str, mark: &str) -> Option<Self> {
        let set_aside: Self = serde_json::from_str(body).ok()?;
        let of_run = |text: &Option<String>| text.as_deref().is_some_and(|text| is_of(text, mark));
        (of_run(&set_aside.id) || of_run(&set_aside.position.partition_key)).then_some(set_aside)
    }
}

impl GivenUp {
    /// Reads what Lambda writes about a batch that it gave up on (Lambda Developer Guide, "Retain discarded batches"), if
    /// a record of it came while the run went on. Which records these were it doesn't say.
    pub(super) fn during(body: &str, started: Timestamp) -> Option<Self> {
        let said: Value = serde_json::from_str(body).ok()?;
        let batch = said.get("KinesisBatchInfo").or_else(|| said.get("DDBStreamBatchInfo"))?;
        let last: Timestamp = batch["approximateArrivalOfLastRecord"].as_str()?.parse().ok()?;
        // Lambda counts a table's changes in whole seconds.
        if last.as_second() < started.as_second() {
            return None;
        }
        let function = said["requestContext"]["functionArn"].as_str().unwrap_or("a function");
        let function = function.split(':').nth(6).unwrap_or(function);
        let condition = said["requestContext"]["condition"].as_str().unwrap_or("no reason given");
        let count = batch["batchSize"].as_u64().unwrap_or_default();
        let text = format!("{function:?} gave up on a batch of {count}: {condition:?}").replace('"', "");
        Some(Self { text, batch: said.get("KinesisBatchInfo").and_then(Batch::read) })
    }
}

impl Batch {
    fn read(batch: &Value) -> Option<Self> {
        let number = |name: &str| batch[name].as_str().map(Number::of);
        Some(Self {
            shard: batch["shardId"].as_str()?.into(),
            numbers: number("startSequenceNumber")?..=number("endSequenceNumber")?,
            records: batch["batchSize"].as_u64()?.try_into().ok()?,
        })
    }

    /// Whether all of its records are of the run: as many as it has are in its range.
    pub(super) fn is_of(&self, seen: &Seen) -> bool {
        let own = seen.put.values().flat_map(|put| &put.numbers);
        let within = own.filter(|(shard, number)| *shard == self.shard && self.numbers.contains(&Number::of(number)));
        within.count() == self.records
    }
}

/// Whether an id, a thread or a partition key is of this run.
pub(super) fn is_of(text: &str, mark: &str) -> bool {
    text.strip_prefix(mark).is_some_and(|rest| rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_aside_is_of_the_run_by_its_id_or_its_key() {
        let message = |id: &str, key: &str| {
            format!(
                r#"{{"reason": {{"code": "malformed", "text": "t"}}, "position": {{"partition_key": "{key}"}},
                    "id": "{id}", "data": {{"text": "x"}}, "bytes": 1, "cut": false, "function": "f",
                    "request_id": "r", "time": "2026-01-02T03:04:05Z"}}"#
            )
        };
        for (id, key, ours) in [("v-1:a", "x", true), ("x", "v-1:a", true), ("v-12:a", "v-1", false), ("x", "y", false)]
        {
            assert_eq!(SetAside::of_run(&message(id, key), "v-1").is_some(), ours, "{id} {key}");
        }
        assert_eq!(SetAside::of_run("Profit warning", "v-1"), None);
    }

    #[test]
    fn batch_counts_if_it_was_given_up_while_the_run_went_on() {
        let said = |member: &str, last: &str| {
            format!(
                r#"{{"requestContext": {{"functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:publish",
                    "condition": "RetryAttemptsExhausted"}}, "{member}": {{"batchSize": 3,
                    "approximateArrivalOfLastRecord": "{last}"}}}}"#
            )
        };
        let started = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let text = |body: &str| GivenUp::during(body, started).map(|given_up| given_up.text);
        let expected = Some("publish gave up on a batch of 3: RetryAttemptsExhausted".to_owned());
        assert_eq!(text(&said("KinesisBatchInfo", "2026-01-02T03:04:05.700Z")), expected);
        assert_eq!(text(&said("DDBStreamBatchInfo", "2026-01-02T03:04:05Z")), expected);
        assert_eq!(text(&said("KinesisBatchInfo", "2026-01-02T03:04:04Z")), None);
        assert_eq!(text("{}"), None);
    }

    #[test]
    fn batch_is_of_the_run_if_all_of_its_records_are() {
        let mut seen = Seen::new();
        let long = |end: &str| format!("495903382714902566085596925383615710959215759891365888{end}");
        let numbers = ["09", "12", "14"].map(|end| ("shardId-0".to_owned(), long(end)));
        seen.put.insert(0, Put { numbers: numbers.into(), ..Put::default() });
        for (shard, from, to, records, is_of) in [
            ("shardId-0", "09", "12", 2, true),
            ("shardId-0", "09", "12", 3, false),
            ("shardId-0", "10", "14", 2, true),
            ("shardId-1", "09", "12", 2, false),
        ] {
            let numbers = Number::of(&long(from))..=Number::of(&long(to));
            assert_eq!(Batch { shard: shard.into(), numbers, records }.is_of(&seen), is_of, "{shard} {from} {to}");
        }
        assert!(Number::of("9") < Number::of("10"));
    }
}
