//! A Kinesis data stream as a source.

use aws_sdk_kinesis::{
    Client,
    primitives::DateTime,
    types::{EncryptionType, ShardIteratorType},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    mapping::{EventSource, Mapping},
    sdk,
    source::{Page, Place, ReadError, Record, ShardInfo, Source},
};

/// A Kinesis data stream, read with the SDK's client: of AWS, of [`aws::Aws`](crate::aws::Aws), or of any other endpoint.
///
/// Records that the Kinesis Producer Library has aggregated come as they are, as from Lambda.
///
/// ```no_run
/// use local::event_source::{KinesisSource, Mapping};
///
/// fn source(config: &aws_sdk_kinesis::Config, mapping: &Mapping) -> KinesisSource {
///     // A client of its own: connections belong to the runtime that opened them.
///     let client = aws_sdk_kinesis::Client::from_conf(config.clone());
///     KinesisSource::new(client, mapping).role("arn:aws:iam::123456789012:role/enrich")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct KinesisSource {
    client: Client,
    source: EventSource,
    role: String,
}

impl KinesisSource {
    /// The stream of a mapping.
    ///
    /// Give it a client that nobody else uses: the poller has a runtime of its own, and a connection would stand still
    /// with the runtime that opened it.
    pub fn new(client: Client, mapping: &Mapping) -> Self {
        let source = mapping.event_source.clone();
        let role = format!("arn:aws:iam::{}:role/lambda-role", source.account);
        Self { client, source, role }
    }

    /// The function's role, for `invokeIdentityArn`. Defaults to `role/lambda-role` of the stream's account.
    pub fn role(mut self, arn: impl Into<String>) -> Self {
        self.role = arn.into();
        self
    }

    /// As in the Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
    fn record(&self, shard: &str, record: &aws_sdk_kinesis::types::Record) -> Record {
        let number = &record.sequence_number;
        let data = record.data.as_ref();
        let arrived = sdk::time(record.approximate_arrival_timestamp.as_ref());
        let key = record.partition_key.clone().unwrap_or_default();
        let mut kinesis = json!({
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": number,
            "data": STANDARD.encode(data),
            "approximateArrivalTimestamp": seconds(arrived.as_millisecond()),
        });
        if let Some(encryption) = record.encryption_type.as_ref().filter(|kind| **kind != EncryptionType::None) {
            kinesis["encryptionType"] = encryption.as_str().into();
        }
        let event = json!({
            "kinesis": kinesis,
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("{shard}:{number}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self.role,
            "awsRegion": self.source.region,
            "eventSourceARN": self.source.arn,
        });
        Record { number: number.clone(), key, arrived, event }
    }
}

/// Seconds with their fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are far below 2^53")]
fn seconds(millis: i64) -> Value {
    (millis as f64 / 1000.0).into()
}

impl Source for KinesisSource {
    async fn shards(&self) -> Result<Vec<ShardInfo>, ReadError> {
        let mut shards = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // The name goes with the first page, and the token stands for it afterwards.
            let name = next.is_none().then(|| self.source.name.clone());
            let request = self.client.list_shards().set_stream_name(name).set_next_token(next);
            let page = sdk::ask(request.send()).await?;
            shards.extend(page.shards.unwrap_or_default().into_iter().map(|shard| ShardInfo {
                id: shard.shard_id,
                parents: shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id).collect(),
            }));
            next = page.next_token;
            if next.is_none() {
                return Ok(shards);
            }
        }
    }

    async fn iterator(&self, shard: &str, from: &Place) -> Result<String, ReadError> {
        let request = self.client.get_shard_iterator().stream_name(&self.source.name).shard_id(shard);
        let request = match from {
            Place::TrimHorizon => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Place::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
            Place::Time(time) => {
                let time = DateTime::from_millis(time.as_millisecond());
                request.shard_iterator_type(ShardIteratorType::AtTimestamp).timestamp(time)
            }
            Place::After(number) => {
                request.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(number)
            }
        };
        let answer = sdk::ask(request.send()).await.map_err(|refusal| refusal.at_place(from))?;
        answer.shard_iterator.ok_or_else(|| ReadError::Failed("GetShardIterator answered no iterator".to_owned()))
    }

    async fn records(&self, shard: &str, iterator: &str) -> Result<Page, ReadError> {
        let request = self.client.get_records().shard_iterator(iterator);
        let answer = sdk::ask(request.send()).await.map_err(sdk::Refusal::at_iterator)?;
        let records = answer.records.iter().map(|record| self.record(shard, record)).collect();
        Ok(Page { records, next: answer.next_shard_iterator })
    }
}
