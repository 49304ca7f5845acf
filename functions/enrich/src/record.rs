//! A record as it came off the stream, read as far as it can be read.

use crate::Failure;
use aws_lambda_events::encodings::Base64Data;
use jiff::Timestamp;
use news::NewsItem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

/// A record as it came off the stream: its data, where it was, and the item in it, if it is one.
#[derive(Debug)]
pub struct Record {
    /// Where it was.
    pub position: Position,
    /// Its bytes, as they will be set aside if need be.
    pub data: Vec<u8>,
    /// The item, or why it is none.
    pub item: Result<NewsItem, Failure>,
}

/// Where a record was: enough to find it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The stream's ARN, or a file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The shard, `shardId-000000000000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The sequence number, a decimal number of up to 128 bit; a line's number in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<String>,
    /// The partition key; for what Newsloom sends, the item's thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// When Kinesis took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<Timestamp>,
}

impl Record {
    /// Bytes that should be an item.
    pub fn new(position: Position, data: Vec<u8>) -> Self {
        let item = NewsItem::from_record(&data).map_err(Failure::from);
        Self { position, data, item }
    }

    /// A record of Lambda's Kinesis event. One that is not of its form is read as far as it goes: it must not fail its
    /// neighbours, as it would if the event were read at once.
    pub fn from_event(raw: &RawValue) -> Self {
        match serde_json::from_str::<Event>(raw.get()) {
            Ok(event) => event.into_record(),
            Err(error) => Self::loosely(raw, &error),
        }
    }

    fn loosely(raw: &RawValue, error: &serde_json::Error) -> Self {
        let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let position = Position {
            source: text("/eventSourceARN"),
            shard: text("/eventID").and_then(|id| shard(&id)),
            sequence_number: text("/kinesis/sequenceNumber").filter(|number| !number.is_empty()),
            partition_key: text("/kinesis/partitionKey"),
            arrived: value.pointer("/kinesis/approximateArrivalTimestamp").and_then(Value::as_f64).and_then(time),
        };
        let data = value.pointer("/kinesis/data").and_then(|data| Base64Data::deserialize(data).ok());
        match data {
            Some(data) => Self::new(position, data.0),
            None => Self {
                position,
                data: raw.get().as_bytes().to_vec(),
                item: Err(Failure::permanent("malformed_record", format!("is no record of a Kinesis event: {error}"))),
            },
        }
    }

    /// The item's id, if it is an item.
    pub fn id(&self) -> Option<&str> {
        self.item.as_ref().ok().map(|item| item.id.as_str())
    }
}

/// What is needed of a record, as Lambda sends it (Lambda Developer Guide, "Using Lambda to process records from
/// Kinesis").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "eventSourceARN", default)]
    source: Option<String>,
    #[serde(rename = "eventID", default)]
    id: Option<String>,
    kinesis: Kinesis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis {
    data: Base64Data,
    #[serde(default)]
    sequence_number: Option<String>,
    #[serde(default)]
    partition_key: Option<String>,
    #[serde(default)]
    approximate_arrival_timestamp: Option<f64>,
}

impl Event {
    fn into_record(self) -> Record {
        let kinesis = self.kinesis;
        let position = Position {
            source: self.source,
            shard: self.id.and_then(|id| shard(&id)),
            sequence_number: kinesis.sequence_number.filter(|number| !number.is_empty()),
            partition_key: kinesis.partition_key,
            arrived: kinesis.approximate_arrival_timestamp.and_then(time),
        };
        Record::new(position, kinesis.data.0)
    }
}

/// Seconds since 1970 with a fraction, to the millisecond that Kinesis means.
#[expect(clippy::cast_possible_truncation, reason = "what is out of range is no time")]
fn time(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

/// `shardId-000000000000:4959…` → `shardId-000000000000`.
fn shard(event_id: &str) -> Option<String> {
    event_id.split_once(':').map(|(shard, _)| shard.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: &Value) -> Record {
        Record::from_event(&serde_json::value::to_raw_value(event).unwrap())
    }

    fn event() -> Value {
        serde_json::from_str(include_str!("../tests/events/record.json")).unwrap()
    }

    #[test]
    fn record_of_an_event_is_an_item_and_where_it_was() {
        let record = read(&event());
        assert_eq!(record.id(), Some("urn:example:1"));
        assert_eq!(
            record.position,
            Position {
                source: Some("arn:aws:kinesis:eu-west-1:123456789012:stream/news".into()),
                shard: Some("shardId-000000000000".into()),
                sequence_number: Some("49590338271490256608559692538361571095921575989136588898".into()),
                partition_key: Some("urn:example:1".into()),
                arrived: Some("2026-01-02T03:04:05.731Z".parse().unwrap()),
            }
        );
    }

    #[test]
    fn record_of_another_form_is_read_as_far_as_it_goes() {
        for (path, value) in [
            ("/eventSourceARN", json!(7)),
            ("/eventID", json!(["a"])),
            ("/kinesis/partitionKey", json!({})),
            ("/kinesis/approximateArrivalTimestamp", json!("soon")),
        ] {
            let mut event = event();
            *event.pointer_mut(path).unwrap() = value;
            let record = read(&event);
            assert_eq!(record.id(), Some("urn:example:1"), "{path}");
            assert!(record.position.sequence_number.is_some(), "{path}");
        }
    }

    #[test]
    fn record_without_data_is_refused_and_kept_whole() {
        for data in [json!("no base64!"), json!(null)] {
            let mut event = event();
            event["kinesis"]["data"] = data;
            let record = read(&event);
            assert!(matches!(record.item, Err(Failure::Permanent { code: "malformed_record", .. })), "{record:?}");
            assert!(record.position.sequence_number.is_some());
            assert_eq!(serde_json::from_slice::<Value>(&record.data).unwrap(), event);
        }
        for odd in [json!(null), json!("odd"), json!([1])] {
            assert_eq!(read(&odd).position, Position::default());
        }
    }

    #[test]
    fn sequence_number_that_is_missing_or_empty_is_none() {
        for number in [json!(""), json!(null), json!(12)] {
            let mut event = event();
            event["kinesis"]["sequenceNumber"] = number;
            assert_eq!(read(&event).position.sequence_number, None);
        }
    }
}
