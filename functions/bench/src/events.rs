//! Batches as Lambda hands them to the functions, of items that their numbers say everything about.

use std::{ops::Range, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use news::{EnrichedItem, FORM, Judgement, Kind, Label, NewsItem, Sentiment, Status, table};
use serde_json::{Value, json};

/// The id of an item.
pub(crate) fn id(number: usize) -> String {
    format!("urn:example:wire:{number:08}")
}

/// A batch of Kinesis records.
pub(crate) fn kinesis(numbers: Range<usize>) -> Vec<u8> {
    let now = Timestamp::now();
    batch(numbers.map(|number| kinesis_record(number, now)))
}

/// A batch of changes of the articles table.
pub(crate) fn dynamodb(numbers: Range<usize>) -> Vec<u8> {
    let now = Timestamp::now();
    batch(numbers.map(|number| dynamodb_record(number, now)))
}

fn batch(records: impl Iterator<Item = Value>) -> Vec<u8> {
    json!({ "Records": records.collect::<Vec<_>>() }).to_string().into()
}

/// As in the Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
fn kinesis_record(number: usize, now: Timestamp) -> Value {
    let item = item(number, now);
    let arrived = Duration::from_millis(before(now, 247).as_millisecond().unsigned_abs());
    let sequence_number = format!("4959{number:052}");
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": item.thread,
            "sequenceNumber": sequence_number,
            "data": STANDARD.encode(item.to_record()),
            "approximateArrivalTimestamp": arrived.as_secs_f64(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{sequence_number}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/enrich",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/news",
    })
}

/// As in the Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB".
fn dynamodb_record(number: usize, now: Timestamp) -> Value {
    let row = table::to_row(&enriched(number, now), 30);
    json!({
        "eventID": format!("{number:032x}"),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": now.as_second(),
            "Keys": { table::KEY: { "S": id(number) } },
            "NewImage": row,
            "SequenceNumber": format!("{number:021}"),
            "SizeBytes": table::size(&row),
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/articles/stream/2026-01-01T00:00:00.000",
    })
}

/// A story of its own, with a first paragraph, published just now.
fn item(number: usize, now: Timestamp) -> NewsItem {
    let published = before(now, 300);
    NewsItem {
        version: FORM,
        id: id(number),
        thread: format!("urn:example:story:{number:08}"),
        source: "wire".into(),
        provider: "RTRS".into(),
        language: "en".into(),
        kind: Kind::Article,
        status: Status::Usable,
        urgency: Some(3),
        take: Some(1),
        headline: format!("Company {} {}", number % 97, words(number, 9)),
        body: format!("LONDON, Jan 2 - {}.", words(number + 1, 40)),
        subjects: vec![format!("R:CO{}.L", number % 97), "N2:GB".into(), "N2:CMPNY".into()],
        url: None,
        published,
        first_published: Some(published),
        received: Some(before(now, 266)),
        trace: None,
    }
}

fn enriched(number: usize, now: Timestamp) -> EnrichedItem {
    let labels = Label::ALL;
    let label = labels[number % labels.len()];
    let scores = labels.map(|other| (other, if other == label { 0.9312 } else { 0.0344 }));
    let judgement = Judgement {
        label,
        score: 0.9312,
        scores: scores.into(),
        model: "ProsusAI/finbert".into(),
        model_version: "main".into(),
    };
    EnrichedItem {
        item: item(number, now),
        sentiment: Sentiment::Judged(judgement),
        arrived: Some(before(now, 247)),
        enriched: before(now, 79),
    }
}

/// Milliseconds before, as exactly as all times of an item are.
fn before(now: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_millisecond(now.as_millisecond() - ms).expect("a time of this century")
}

/// Words that differ from number to number and are the same in every run.
fn words(number: usize, count: usize) -> String {
    const WORDS: [&str; 12] =
        ["shares", "bank", "profit", "falls", "rises", "inflation", "merger", "warns", "record", "oil", "rate", "cut"];
    let word = |place: usize| WORDS[(number * 7 + place * 5 + place * place) % WORDS.len()];
    (0..count).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(event: &[u8]) -> Vec<Value> {
        let event: Value = serde_json::from_slice(event).unwrap();
        event["Records"].as_array().unwrap().clone()
    }

    #[test]
    fn kinesis_records_hold_items_of_our_form() {
        let records = records(&kinesis(5..7));
        assert_eq!(records.len(), 2);
        let data = STANDARD.decode(records[1]["kinesis"]["data"].as_str().unwrap()).unwrap();
        assert_eq!(NewsItem::from_record(&data).unwrap().id, id(6));
    }

    #[test]
    fn changes_hold_rows_of_our_table() {
        let now = Timestamp::now();
        let record = &dynamodb_record(5, now)["dynamodb"];
        assert_eq!(record["Keys"]["article_id"]["S"], id(5));
        let row = serde_json::from_value(record["NewImage"].clone()).unwrap();
        assert_eq!(table::from_row(row).unwrap(), enriched(5, now));
        assert!(record["NewImage"]["sentiment"]["M"]["label"]["S"].is_string());
    }
}
