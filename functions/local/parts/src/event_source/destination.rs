//! Where discarded batches are told of.

use std::{error::Error, fmt};

use aws_sdk_sqs::Client;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    buffer::Item,
    mapping::{Mapping, Service},
    sdk,
};

/// Something that takes what is told of discarded batches: [`SqsDestination`], [`Nowhere`], or one of a test's own.
#[diagnostic::on_unimplemented(message = "pass an `SqsDestination`, `Nowhere`, or something that takes texts")]
pub trait Destination: Send + Sync + 'static {
    /// Sends a message. It is tried again, after a pause, until it is taken.
    fn send(&self, body: String) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send;
}

/// The destination of a mapping that has none. What it is sent is gone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Destination for Nowhere {
    async fn send(&self, _body: String) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

/// An SQS queue.
///
/// ```
/// use local::event_source::SqsDestination;
///
/// # fn example(client: aws_sdk_sqs::Client) {
/// let failures = SqsDestination::new(client, "arn:aws:sqs:eu-west-1:123456789012:failures").unwrap();
/// assert_eq!(failures.queue_url(), "https://sqs.eu-west-1.amazonaws.com/123456789012/failures");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SqsDestination {
    client: Client,
    queue_url: String,
}

impl SqsDestination {
    /// The queue with this ARN, [`Mapping::on_failure`]; `None` if it is no queue's. Give it a client that nobody else
    /// uses, for the reason told at [`KinesisSource::new`](super::KinesisSource::new).
    pub fn new(client: Client, arn: &str) -> Option<Self> {
        let parts: Vec<_> = arn.split(':').collect();
        let ["arn", partition, "sqs", region, account, queue] = *parts.as_slice() else { return None };
        let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        Some(Self { client, queue_url: format!("https://sqs.{region}.{domain}/{account}/{queue}") })
    }

    /// The same client and another address of the queue, as some emulators have.
    pub fn at(mut self, queue_url: impl Into<String>) -> Self {
        self.queue_url = queue_url.into();
        self
    }

    /// The queue's address.
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }
}

impl Destination for SqsDestination {
    async fn send(&self, body: String) -> Result<(), Box<dyn Error + Send + Sync>> {
        let message = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        match sdk::ask(message.send()).await {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.reason.into()),
        }
    }
}

/// Why a batch was discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It failed as often as [`maximum_retry_attempts`](Mapping::maximum_retry_attempts) allows, or is a record that no
    /// invocation can hold.
    RetryAttemptsExhausted,
    /// Its records are older than [`maximum_record_age`](Mapping::maximum_record_age) allows.
    RecordAgeExceeded,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::RecordAgeExceeded => "RecordAgeExceeded",
        })
    }
}

/// What the last invocation of a discarded batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastResponse {
    /// It was never run.
    None,
    /// It answered, and not that all was done.
    Answered,
    /// It failed.
    Failed,
}

/// A discarded batch, to be told of.
#[derive(Debug)]
pub(super) struct Discarded<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) shard: &'a str,
    pub(super) items: &'a [Item],
    pub(super) condition: Condition,
    pub(super) invocations: u32,
    pub(super) last: LastResponse,
    pub(super) now: Timestamp,
}

impl Discarded<'_> {
    /// As in the Lambda Developer Guide, "Retain discarded batch records for a Kinesis data stream (DynamoDB) event
    /// source in Lambda".
    pub(super) fn body(&self) -> String {
        let source = &self.mapping.event_source;
        let info = match source.service {
            Service::Kinesis => "KinesisBatchInfo",
            Service::DynamoDb => "DDBStreamBatchInfo",
        };
        let body = json!({
            "requestContext": {
                "requestId": crate::server::request_id(),
                "functionArn": self.mapping.function_arn(),
                "condition": self.condition.to_string(),
                "approximateInvokeCount": self.invocations,
            },
            "responseContext": self.response(),
            "version": "1.0",
            "timestamp": instant(self.now),
            info: {
                "shardId": self.shard,
                "startSequenceNumber": self.items.first().map(|item| &item.number),
                "endSequenceNumber": self.items.last().map(|item| &item.number),
                "approximateArrivalOfFirstRecord": self.items.first().map(|item| instant(item.arrived)),
                "approximateArrivalOfLastRecord": self.items.last().map(|item| instant(item.arrived)),
                "batchSize": self.items.len(),
                "streamArn": source.arn,
            },
        });
        body.to_string()
    }

    fn response(&self) -> Value {
        let error = match self.last {
            LastResponse::None => return Value::Null,
            LastResponse::Answered => Value::Null,
            LastResponse::Failed => "Unhandled".into(),
        };
        json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": error })
    }
}

/// `2019-11-14T00:38:06.021Z`, and without a fraction on the full second.
fn instant(time: Timestamp) -> String {
    let format = if time.subsec_millisecond() == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
    time.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_or_none() {
        for (millis, expected) in [
            (1_573_691_886_021, "2019-11-14T00:38:06.021Z"),
            (1_573_691_886_580, "2019-11-14T00:38:06.580Z"),
            (1_573_691_886_000, "2019-11-14T00:38:06Z"),
        ] {
            assert_eq!(instant(Timestamp::from_millisecond(millis).unwrap()), expected);
        }
    }
}
