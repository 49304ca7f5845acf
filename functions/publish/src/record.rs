//! A record of the table's stream.

use news::{EnrichedItem, FORM, table};
use serde::Deserialize;
use serde_dynamo::{AttributeValue, Item};
use serde_json::{Value, value::RawValue};
use std::borrow::Cow;

/// A record of the table's stream, as far as publishing needs it.
#[derive(Debug)]
pub struct Record {
    /// Its place in the stream. `None` only for what is no record at all.
    pub number: Option<String>,
    /// What happened to the table.
    pub change: Change,
}

/// What happened to the table.
#[derive(Debug)]
pub enum Change {
    /// A new item, for subscribers.
    New(Box<EnrichedItem>),
    /// Nothing for subscribers: a row was changed or removed, by its expiry for instance. The trigger filters these; an
    /// existing mapping of somebody else's might not.
    Ignored,
    /// A new row that will never be a message.
    Refused(Refused),
}

/// A new row that will never be a message, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: String,
    /// The row's key, if it has one.
    pub key: Option<String>,
    /// The story that the row says it is of.
    pub thread: Option<String>,
    /// The row as it came, in DynamoDB's JSON; the whole record if it has no row.
    pub row: String,
}

/// What is read of a record. `aws_lambda_events::dynamodb::EventRecord` reads it all, and refuses it all if a member is
/// missing that nobody here looks at.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a record")]
struct Raw<'a> {
    #[serde(rename = "eventName", borrow)]
    event_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    dynamodb: Option<RawChange<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase", expecting = "a change")]
struct RawChange<'a> {
    sequence_number: Option<String>,
    #[serde(borrow)]
    new_image: Option<&'a RawValue>,
}

impl Record {
    /// Reads one record, whatever it is.
    pub fn read(json: &RawValue) -> Self {
        let raw = match serde_json::from_str::<Raw<'_>>(json.get()) {
            Ok(raw) => raw,
            Err(error) => return Self::odd(json, &error),
        };
        let change = raw.dynamodb.unwrap_or_default();
        let number = change.sequence_number.filter(|number| !number.is_empty());
        let change = match (raw.event_name.as_deref(), change.new_image) {
            (Some("INSERT"), Some(image)) => inserted(image),
            (Some("INSERT") | None, image) => refused(image.unwrap_or(json), "is no insertion of a row"),
            (Some(_), _) => Change::Ignored,
        };
        Self { number, change }
    }

    /// Not of the form of a record; what can be said of it still counts.
    fn odd(json: &RawValue, error: &serde_json::Error) -> Self {
        let value: Value = serde_json::from_str(json.get()).unwrap_or_default();
        let number = match &value["dynamodb"]["SequenceNumber"] {
            Value::String(number) if !number.is_empty() => Some(number.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let other = value["eventName"].as_str().is_some_and(|name| name != "INSERT");
        let change = if other { Change::Ignored } else { refused(json, &format!("is no record of a stream: {error}")) };
        Self { number, change }
    }
}

fn inserted(image: &RawValue) -> Change {
    let row = match serde_json::from_str::<Item>(image.get()) {
        Ok(row) => row,
        Err(error) => return refused(image, &format!("is no row: {error}")),
    };
    match table::from_row(row) {
        // A reader of form 1 would misread it, and the message would say that it is of form 1.
        Ok(item) if item.item.version > FORM => {
            refused(image, &format!("is of form {}; forms up to {FORM} are understood", item.item.version))
        }
        Ok(item) => Change::New(Box::new(item)),
        Err(error) => refused(image, &format!("is no enriched item: {error}")),
    }
}

fn refused(row: &RawValue, reason: &str) -> Change {
    let image: Value = serde_json::from_str(row.get()).unwrap_or_default();
    let text = |name: &str| match serde_json::from_value(image[name].clone()) {
        Ok(AttributeValue::S(text)) => Some(text),
        _ => None,
    };
    Change::Refused(Refused {
        reason: reason.into(),
        key: text(table::KEY),
        thread: text("thread"),
        row: row.get().into(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// The insertion of an item, as the stream has it.
    pub(crate) fn insertion(number: &str, item: &EnrichedItem) -> Value {
        let image = serde_json::to_value(table::to_row(item, 2)).unwrap();
        json!({
            "eventID": "c81e728d9d4c2f636f067f89cc14862c", "eventName": "INSERT", "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": "eu-west-1",
            "eventSourceARN": "arn:aws:dynamodb:eu-west-1:000000000000:table/articles/stream/2026-01-01T00:00:00.000",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_767_323_046, "Keys": { table::KEY: image[table::KEY] }, "NewImage": image,
                "SequenceNumber": number, "SizeBytes": 700, "StreamViewType": "NEW_IMAGE",
            },
        })
    }

    pub(crate) fn article() -> EnrichedItem {
        serde_json::from_str(include_str!("../../../docs/contract/examples/article.json")).unwrap()
    }

    fn read(json: &Value) -> Record {
        Record::read(&RawValue::from_string(json.to_string()).unwrap())
    }

    #[test]
    fn insertion_is_a_new_item() {
        let record = read(&insertion("111", &article()));
        assert_eq!(record.number.as_deref(), Some("111"));
        let Change::New(item) = record.change else { panic!("{record:?}") };
        assert_eq!(*item, article());
    }

    #[test]
    fn changes_and_removals_are_ignored_however_odd_they_are() {
        for name in ["MODIFY", "REMOVE"] {
            let mut record = insertion("7", &article());
            record["eventName"] = name.into();
            assert!(matches!(read(&record).change, Change::Ignored));
            record["dynamodb"]["NewImage"] = json!(5);
            assert!(matches!(read(&record).change, Change::Ignored));
            record["dynamodb"] = json!({ "SequenceNumber": 8 });
            let record = read(&record);
            assert!(matches!(record.change, Change::Ignored));
            assert_eq!(record.number.as_deref(), Some("8"));
        }
    }

    #[test]
    fn what_is_no_enriched_item_is_refused_with_reason_key_and_row() {
        let with = |change: fn(&mut Value)| {
            let mut record = insertion("9", &article());
            change(&mut record);
            record
        };
        let cases = [
            (
                with(|record| record["dynamodb"]["NewImage"]["sentiment"] = json!({ "S": "glad" })),
                "is no enriched item: ",
            ),
            (with(|record| record["dynamodb"]["NewImage"]["version"] = json!({ "N": "2" })), "is of form 2; "),
            (with(|record| record["dynamodb"]["NewImage"]["odd"] = json!({ "X": "2" })), "is no row: "),
        ];
        for (record, reason) in cases {
            let Record { number, change: Change::Refused(refused) } = read(&record) else { panic!("{record}") };
            assert_eq!(number.as_deref(), Some("9"));
            assert!(refused.reason.starts_with(reason), "{refused:?}");
            assert_eq!(refused.key.as_deref(), Some(article().item.id.as_str()));
            assert_eq!(refused.thread.as_deref(), Some(article().item.thread.as_str()));
            assert_eq!(serde_json::from_str::<Value>(&refused.row).unwrap(), record["dynamodb"]["NewImage"]);
        }
    }

    #[test]
    fn what_is_no_record_is_refused_whole() {
        for record in [json!(null), json!("odd"), json!({}), json!({ "eventName": "INSERT", "dynamodb": {} })] {
            let Record { number: None, change: Change::Refused(refused) } = read(&record) else { panic!("{record}") };
            assert_eq!(refused.row, record.to_string());
        }
        let numbered = read(&json!({ "eventName": "INSERT", "dynamodb": { "SequenceNumber": 12, "NewImage": {} } }));
        assert_eq!(numbered.number.as_deref(), Some("12"));
    }
}
