//! Lambda's events, read record by record, and the answer that says how far a batch came.

use aws_lambda_events::streams::{
    DynamoDbBatchItemFailure, DynamoDbEventResponse, KinesisBatchItemFailure, KinesisEventResponse,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A batch of records, none of them read yet: one that makes no sense must not fail its neighbours.
#[derive(Debug, Default, Deserialize)]
pub struct Batch {
    /// Each record's own JSON, in the order of the stream.
    #[serde(rename = "Records", default)]
    pub records: Vec<Box<RawValue>>,
}

/// Lambda's answer for a Kinesis stream. `first` is the sequence number of the earliest record that has to come
/// again, and all later ones with it; `None` if the batch is done.
///
/// Never a null or empty identifier: Lambda reads it as the whole batch having failed (Lambda Developer Guide,
/// "Configuring partial batch response with Kinesis Data Streams and Lambda").
pub fn kinesis_response(first: Option<String>) -> KinesisEventResponse {
    let mut response = KinesisEventResponse::default();
    response.batch_item_failures.extend(first.map(|number| {
        let mut failure = KinesisBatchItemFailure::default();
        failure.item_identifier = Some(number);
        failure
    }));
    response
}

/// The same for a table's stream.
pub fn dynamodb_response(first: Option<String>) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures.extend(first.map(|number| {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(number);
        failure
    }));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_name_one_record_or_none() {
        let json = |response: &KinesisEventResponse| serde_json::to_string(response).unwrap();
        assert_eq!(json(&kinesis_response(None)), r#"{"batchItemFailures":[]}"#);
        let failed = r#"{"batchItemFailures":[{"itemIdentifier":"495"}]}"#;
        assert_eq!(json(&kinesis_response(Some("495".into()))), failed);
        assert_eq!(serde_json::to_string(&dynamodb_response(Some("495".into()))).unwrap(), failed);
    }

    #[test]
    fn records_are_kept_as_they_came() {
        let batch: Batch = serde_json::from_str(r#"{"Records":[{"a":1},"odd",null]}"#).unwrap();
        let texts: Vec<&str> = batch.records.iter().map(|record| record.get()).collect();
        assert_eq!(texts, [r#"{"a":1}"#, r#""odd""#, "null"]);
    }
}
