//! The stream of a DynamoDB table as a source.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::{
    Client,
    types::{AttributeValue, Identity, OperationType, ShardIteratorType, StreamRecord},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    mapping::{EventSource, Mapping},
    sdk,
    source::{Page, Place, ReadError, Record, ShardInfo, Source},
};

/// The stream of a DynamoDB table, read with the SDK's client: of AWS, of [`aws::Aws`](crate::aws::Aws), or of any other
/// endpoint.
///
/// ```no_run
/// use local::event_source::{DynamoDbSource, Mapping};
///
/// fn source(config: &aws_sdk_dynamodbstreams::Config, mapping: &Mapping) -> DynamoDbSource {
///     DynamoDbSource::new(aws_sdk_dynamodbstreams::Client::from_conf(config.clone()), mapping)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct DynamoDbSource {
    client: Client,
    source: EventSource,
}

impl DynamoDbSource {
    /// The stream of a mapping. Give it a client that nobody else uses, for the reason told at
    /// [`KinesisSource::new`](super::KinesisSource::new).
    pub fn new(client: Client, mapping: &Mapping) -> Self {
        Self { client, source: mapping.event_source.clone() }
    }

    /// As in the Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB".
    fn record(&self, record: aws_sdk_dynamodbstreams::types::Record) -> Result<Record, ReadError> {
        let change = record.dynamodb.unwrap_or_else(|| StreamRecord::builder().build());
        let number = change.sequence_number.unwrap_or_default();
        if number.is_empty() {
            return Err(ReadError::Failed("GetRecords answered a record without a sequence number".to_owned()));
        }
        let arrived = sdk::time(change.approximate_creation_date_time.as_ref());
        let keys = item(change.keys.unwrap_or_default());
        let key = keys.to_string();
        let mut dynamodb = json!({
            "ApproximateCreationDateTime": arrived.as_second(),
            "Keys": keys,
            "SequenceNumber": number,
            "SizeBytes": change.size_bytes.unwrap_or_default(),
        });
        if let Some(view) = change.stream_view_type {
            dynamodb["StreamViewType"] = view.as_str().into();
        }
        for (name, image) in [("NewImage", change.new_image), ("OldImage", change.old_image)] {
            if let Some(image) = image {
                dynamodb[name] = item(image);
            }
        }
        let mut event = json!({
            "eventID": record.event_id.unwrap_or_default(),
            "eventName": record.event_name.as_ref().map_or("", OperationType::as_str),
            "eventVersion": record.event_version.unwrap_or_else(|| "1.1".to_owned()),
            "eventSource": record.event_source.unwrap_or_else(|| "aws:dynamodb".to_owned()),
            // The mapping's: emulators say all sorts of things, AWS the same.
            "awsRegion": self.source.region,
            "dynamodb": dynamodb,
            "eventSourceARN": self.source.arn,
        });
        if let Some(Identity { r#type, principal_id, .. }) = record.user_identity {
            event["userIdentity"] = json!({ "type": r#type, "principalId": principal_id });
        }
        Ok(Record { number, key, arrived, event })
    }
}

/// An item in DynamoDB's JSON, its attributes in the order of their names.
fn item(attributes: HashMap<String, AttributeValue>) -> Value {
    Value::Object(attributes.into_iter().map(|(name, value)| (name, attribute(value))).collect::<Map<_, _>>())
}

fn attribute(value: AttributeValue) -> Value {
    match value {
        AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::Bs(list) => {
            json!({ "BS": list.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Vec<_>>() })
        }
        AttributeValue::L(list) => json!({ "L": list.into_iter().map(attribute).collect::<Vec<_>>() }),
        AttributeValue::M(members) => json!({ "M": item(members) }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Ns(list) => json!({ "NS": list }),
        AttributeValue::Null(truth) => json!({ "NULL": truth }),
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::Ss(list) => json!({ "SS": list }),
        // A type that DynamoDB has and this SDK doesn't know: there is nothing to hand over of it.
        _ => Value::Null,
    }
}

impl Source for DynamoDbSource {
    async fn shards(&self) -> Result<Vec<ShardInfo>, ReadError> {
        let mut shards = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let request = self.client.describe_stream().stream_arn(&self.source.arn);
            let answer = sdk::ask(request.set_exclusive_start_shard_id(last).send()).await?;
            // Taken for a complete list, it would let children overtake the parents that it leaves out.
            let missing = || ReadError::Failed("DescribeStream answered no description".to_owned());
            let page = answer.stream_description.ok_or_else(missing)?;
            shards.extend(page.shards.unwrap_or_default().into_iter().map(|shard| ShardInfo {
                id: shard.shard_id.unwrap_or_default(),
                parents: shard.parent_shard_id.into_iter().collect(),
            }));
            last = page.last_evaluated_shard_id;
            if last.is_none() {
                return Ok(shards);
            }
        }
    }

    async fn iterator(&self, shard: &str, from: &Place) -> Result<String, ReadError> {
        let request = self.client.get_shard_iterator().stream_arn(&self.source.arn).shard_id(shard);
        let request = match from {
            Place::TrimHorizon | Place::Time(_) => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Place::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            Place::After(number) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).sequence_number(number)
            }
        };
        let answer = sdk::ask(request.send()).await.map_err(|refusal| refusal.at_place(from))?;
        answer.shard_iterator.ok_or_else(|| ReadError::Failed("GetShardIterator answered no iterator".to_owned()))
    }

    async fn records(&self, _shard: &str, iterator: &str) -> Result<Page, ReadError> {
        let request = self.client.get_records().shard_iterator(iterator);
        let answer = sdk::ask(request.send()).await.map_err(sdk::Refusal::at_iterator)?;
        let records = answer.records.unwrap_or_default().into_iter();
        let records = records.map(|record| self.record(record)).collect::<Result<_, _>>()?;
        Ok(Page { records, next: answer.next_shard_iterator })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodbstreams::{
        Config,
        config::BehaviorVersion,
        primitives::{Blob, DateTime},
        types::{self, StreamViewType},
    };

    use super::*;

    fn source() -> DynamoDbSource {
        let arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/articles/stream/2026-01-01T00:00:00.000";
        let properties = json!({ "FunctionName": "f", "EventSourceArn": arn, "StartingPosition": "LATEST" });
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
        DynamoDbSource::new(Client::from_conf(config), &Mapping::read(&properties).unwrap())
    }

    #[test]
    fn a_row_that_expired_has_its_old_image_and_who_removed_it() {
        let change = StreamRecord::builder()
            .approximate_creation_date_time(DateTime::from_secs(1_767_323_046))
            .keys("id", AttributeValue::S("a".into()))
            .old_image("id", AttributeValue::S("a".into()))
            .old_image("bytes", AttributeValue::Bs(vec![Blob::new([0, 255])]))
            .old_image("numbers", AttributeValue::Ns(vec!["1".into(), "2.5".into()]))
            .sequence_number("111")
            .size_bytes(26)
            .stream_view_type(StreamViewType::NewAndOldImages);
        let record = types::Record::builder()
            .event_id("c81e")
            .event_name(OperationType::Remove)
            .event_version("1.1")
            .event_source("aws:dynamodb")
            .aws_region("eu-west-1")
            .user_identity(Identity::builder().r#type("Service").principal_id("dynamodb.amazonaws.com").build())
            .dynamodb(change.build());
        let record = source().record(record.build()).unwrap();
        let expected = json!({
            "eventID": "c81e",
            "eventName": "REMOVE",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_767_323_046,
                "Keys": { "id": { "S": "a" } },
                "OldImage": { "id": { "S": "a" }, "bytes": { "BS": ["AP8="] }, "numbers": { "NS": ["1", "2.5"] } },
                "SequenceNumber": "111",
                "SizeBytes": 26,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" },
            "eventSourceARN": source().source.arn,
        });
        assert_eq!(record.event, expected);
        assert_eq!((record.number.as_str(), record.key.as_str()), ("111", r#"{"id":{"S":"a"}}"#));
    }

    #[test]
    fn a_record_without_a_number_is_none() {
        let error = source().record(types::Record::builder().build()).unwrap_err();
        assert_eq!(error.to_string(), "GetRecords answered a record without a sequence number");
    }
}
