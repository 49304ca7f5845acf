//! The poller over HTTP, against the stand-ins for Kinesis, DynamoDB Streams and SQS.

use std::{sync::Arc, time::Duration};

use aws_sdk_kinesis::{
    primitives::Blob,
    types::{PutRecordsRequestEntry, ShardIteratorType},
};
use aws_sdk_sqs::config::{Credentials, Region};
use bytes::Bytes;
use local::{
    aws::Aws,
    event_source::{
        Counts, DynamoDbSource, Invoke, Invoked, KinesisSource, Mapping, Notice, Nowhere, Options, Pause, Poller,
        SqsDestination,
    },
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const STREAM: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/news";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:failures";

/// The clients' configuration; each client made of it has its own connections.
macro_rules! client {
    ($sdk:ident, $aws:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .endpoint_url($aws.url())
                .region(Region::new(local::REGION))
                .credentials_provider(Credentials::new("local", "local", None, None, "test"))
                .retry_config($sdk::config::retry::RetryConfig::disabled())
                .build(),
        )
    };
}

fn mapping(arn: &str, more: &Value) -> Mapping {
    let mut properties = json!({
        "FunctionName": "function",
        "EventSourceArn": arn,
        "StartingPosition": "TRIM_HORIZON",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Mapping::read(&properties).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A function that passes its events on, and answers as a closure says.
struct Function<F> {
    events: mpsc::UnboundedSender<Value>,
    answer: F,
}

impl<F: Fn(&Value) -> Invoked + Send + Sync + 'static> Invoke for Function<F> {
    async fn invoke(&self, event: Bytes) -> Invoked {
        let event = serde_json::from_slice(&event).unwrap();
        let answer = (self.answer)(&event);
        let _ = self.events.send(event);
        answer
    }
}

fn done(_: &Value) -> Invoked {
    Invoked::Answered(Bytes::from_static(b"{}"))
}

/// The test's end of a poller.
struct Ends {
    events: mpsc::UnboundedReceiver<Value>,
    notices: mpsc::UnboundedReceiver<Notice>,
}

impl Ends {
    fn new<F>(answer: F) -> (Self, Function<F>, Options) {
        let (sender, events) = mpsc::unbounded_channel();
        let (noting, notices) = mpsc::unbounded_channel();
        let soon = Pause { first: Duration::from_millis(5), longest: Duration::from_millis(20) };
        let options = Options::default()
            .poll_interval(Duration::from_millis(5))
            .shard_interval(Duration::from_millis(20))
            .retry_pause(soon)
            .trouble_pause(soon)
            .observe(move |notice| drop(noting.send(notice.clone())));
        (Self { events, notices }, Function { events: sender, answer }, options)
    }

    /// So many records, in the order they were handed over.
    async fn records(&mut self, count: usize) -> Vec<Value> {
        let mut records = Vec::new();
        while records.len() < count {
            let event = self.events.recv().await.expect("a poller that runs");
            records.extend(event["Records"].as_array().unwrap().iter().cloned());
        }
        records
    }

    /// The next notice of this kind.
    async fn notice(&mut self, kind: impl Fn(&Notice) -> bool) -> Notice {
        loop {
            let notice = self.notices.recv().await.expect("a poller that runs");
            if kind(&notice) {
                return notice;
            }
        }
    }
}

async fn stopped(poller: Poller) -> Counts {
    poller.stop(Duration::from_secs(10)).await.0
}

// ------------------------------------------------------------------------------------------------ Kinesis

async fn put(aws: &Aws, records: &[(&str, &[u8])]) {
    let entry = |(key, data): &(&str, &[u8])| {
        PutRecordsRequestEntry::builder().partition_key(*key).data(Blob::new(*data)).build().unwrap()
    };
    let entries = records.iter().map(entry).collect();
    let answer = client!(aws_sdk_kinesis, aws).put_records().stream_name("news").set_records(Some(entries)).send();
    assert_eq!(answer.await.unwrap().failed_record_count, Some(0));
}

fn source(aws: &Aws, mapping: &Mapping) -> KinesisSource {
    KinesisSource::new(client!(aws_sdk_kinesis, aws), mapping)
}

fn data(record: &Value) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    String::from_utf8(STANDARD.decode(record["kinesis"]["data"].as_str().unwrap()).unwrap()).unwrap()
}

/// The clock of the test's runtime stands still, and the poller's doesn't.
#[tokio::test(start_paused = true)]
async fn records_of_kinesis_come_in_lambdas_form() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    put(&aws, &[("thread", b"{\"a\":1}")]).await;
    let mapping = mapping(STREAM, &json!({}));
    let source = source(&aws, &mapping).role("arn:aws:iam::123456789012:role/enrich");
    let (mut ends, function, options) = Ends::new(done);
    let poller = Poller::start(mapping, source, function, Nowhere, options).unwrap();
    let mut record = ends.records(1).await.remove(0);
    let arrived = record["kinesis"]["approximateArrivalTimestamp"].take();
    assert!(arrived.as_f64().is_some_and(|seconds| seconds > 1.7e9), "{arrived}");
    let number = aws.kinesis().records("news")[0].records[0].number.clone();
    let expected = json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "thread",
            "sequenceNumber": number,
            "data": "eyJhIjoxfQ==",
            "approximateArrivalTimestamp": null,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{number}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/enrich",
        "awsRegion": "eu-west-1",
        "eventSourceARN": STREAM,
    });
    assert_eq!(record, expected);
    ends.notice(|notice| matches!(notice, Notice::BatchDone { .. })).await;
    let (counts, checkpoints) = poller.stop(Duration::from_secs(10)).await;
    assert_eq!((counts.handed_over, counts.unfinished), (1, 0));
    assert_eq!(checkpoints.get("shardId-000000000000"), Some(number.as_str()));
}

#[tokio::test]
async fn keys_stay_in_order_over_shards_and_lanes_while_the_stream_goes_away_and_comes_back() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 3);
    let mapping = mapping(STREAM, &json!({ "BatchSize": 7, "ParallelizationFactor": 2 }));
    let (mut ends, function, options) = Ends::new(done);
    let poller = Poller::start(mapping.clone(), source(&aws, &mapping), function, Nowhere, options).unwrap();
    let mut seen = Vec::new();
    for round in 0..4 {
        let texts: Vec<_> = (0..50).map(|number| (format!("{}", number % 9), format!("{round}{number:02}"))).collect();
        put(&aws, &texts.iter().map(|(key, text)| (key.as_str(), text.as_bytes())).collect::<Vec<_>>()).await;
        aws.kinesis().down(true);
        // The list of shards, the first time.
        ends.notice(|notice| matches!(notice, Notice::ReadFailed { .. })).await;
        aws.kinesis().down(false);
        seen.extend(ends.records(50).await);
    }
    let mut texts: Vec<_> = seen.iter().map(data).collect();
    for key in (0..9).map(|key| key.to_string()) {
        let key = key.as_str();
        let of_key = seen.iter().filter(|record| record["kinesis"]["partitionKey"].as_str() == Some(key)).map(data);
        assert!(of_key.collect::<Vec<_>>().is_sorted(), "{key}");
    }
    texts.sort_unstable();
    texts.dedup();
    assert_eq!((texts.len(), seen.len()), (200, 200), "each once");
    let counts = stopped(poller).await;
    assert!(counts.read_errors > 0 && counts.losses == 0, "{counts:?}");
    assert_eq!(aws.not_understood(), [""; 0]);
}

#[tokio::test]
async fn children_of_a_split_are_found_and_come_after_their_parent() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    put(&aws, &[("a", b"1"), ("b", b"2")]).await;
    let client = client!(aws_sdk_kinesis, aws);
    let middle = (1_u128 << 127).to_string();
    let split = client.split_shard().stream_name("news").shard_to_split("shardId-000000000000");
    split.new_starting_hash_key(middle).send().await.unwrap();
    while client.list_shards().stream_name("news").send().await.unwrap().shards().len() < 3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    put(&aws, &[("a", b"3"), ("b", b"4")]).await;
    let mapping = mapping(STREAM, &json!({}));
    let (mut ends, function, options) = Ends::new(done);
    let poller = Poller::start(mapping.clone(), source(&aws, &mapping), function, Nowhere, options).unwrap();
    let texts: Vec<_> = ends.records(4).await.iter().map(data).collect();
    assert_eq!(texts[..2], ["1", "2"]);
    ends.notice(|notice| matches!(notice, Notice::ShardEnded { shard } if shard == "shardId-000000000000")).await;
    assert_eq!(stopped(poller).await.read, 4);
}

#[tokio::test]
async fn the_latest_position_leaves_out_what_was_there() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    put(&aws, &[("a", b"before")]).await;
    let mapping = mapping(STREAM, &json!({ "StartingPosition": "LATEST" }));
    let (mut ends, function, options) = Ends::new(done);
    let poller = Poller::start(mapping.clone(), source(&aws, &mapping), function, Nowhere, options).unwrap();
    while aws.kinesis().calls("GetRecords").iter().all(|call| call.answered.is_none()) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let asked = aws.kinesis().calls("GetShardIterator")[0].request()["ShardIteratorType"].clone();
    assert_eq!(asked, ShardIteratorType::Latest.as_str());
    put(&aws, &[("a", b"after")]).await;
    assert_eq!(data(&ends.records(1).await[0]), "after");
    assert_eq!(stopped(poller).await.read, 1);
}

/// As Lambda does: whoever expects them takes them apart.
#[tokio::test]
async fn records_that_the_producer_library_has_aggregated_come_as_they_are() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    put(&aws, &[("a", b"\xf3\x89\x9a\xc2protobuf")]).await;
    let mapping = mapping(STREAM, &json!({}));
    let (mut ends, function, options) = Ends::new(done);
    let poller = Poller::start(mapping.clone(), source(&aws, &mapping), function, Nowhere, options).unwrap();
    let record = &ends.records(1).await[0];
    assert_eq!(record["kinesis"]["data"], "84mawnByb3RvYnVm");
    assert_eq!(stopped(poller).await.handed_over, 1);
}

// ------------------------------------------------------------------------------------------------ SQS

#[tokio::test]
async fn the_queue_is_told_of_a_discarded_batch_once_it_takes_messages() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    put(&aws, &[("a", b"1"), ("b", b"2"), ("c", b"3")]).await;
    aws.sqs().fail(2);
    let more = json!({
        "MaximumRetryAttempts": 1,
        "BisectBatchOnFunctionError": true,
        "DestinationConfig": { "OnFailure": { "Destination": QUEUE } },
    });
    let mapping = mapping(STREAM, &more);
    let poison = |event: &Value| {
        let poisoned = event["Records"].as_array().unwrap().iter().any(|record| data(record) == "2");
        if poisoned { Invoked::Failed { kind: "E".into(), message: "2".into() } } else { done(event) }
    };
    let (mut ends, function, options) = Ends::new(poison);
    let queue = SqsDestination::new(client!(aws_sdk_sqs, aws), mapping.on_failure.as_deref().unwrap()).unwrap();
    let url = queue.queue_url().to_owned();
    let poller = Poller::start(mapping.clone(), source(&aws, &mapping), function, queue, options).unwrap();
    ends.notice(|notice| matches!(notice, Notice::DestinationFailed { .. })).await;
    ends.notice(|notice| matches!(notice, Notice::Discarded { .. })).await;
    ends.notice(|notice| matches!(notice, Notice::BatchDone { .. })).await;
    let counts = stopped(poller).await;
    assert_eq!((counts.handed_over, counts.discarded, counts.destination_messages), (2, 1, 1));
    let messages = aws.sqs().messages(&url);
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    let body: Value = serde_json::from_str(&message.body).unwrap();
    let number = &aws.kinesis().records("news")[0].records[1].number;
    assert_eq!(body["KinesisBatchInfo"]["startSequenceNumber"], *number);
    assert_eq!(
        (&body["KinesisBatchInfo"]["batchSize"], &body["KinesisBatchInfo"]["streamArn"]),
        (&1.into(), &STREAM.into())
    );
    assert_eq!(body["requestContext"]["condition"], "RetryAttemptsExhausted");
}

// ------------------------------------------------------------------------------------------------ DynamoDB

async fn stream_arn(aws: &Aws) -> String {
    let streams = client!(aws_sdk_dynamodbstreams, aws).list_streams().table_name("articles").send().await.unwrap();
    streams.streams()[0].stream_arn().unwrap().to_owned()
}

#[tokio::test]
async fn changes_of_a_table_come_in_lambdas_form_as_far_as_filters_let_them() {
    let aws = Aws::start().await.unwrap();
    aws.dynamodb().create_table("articles");
    let item = |id: &str, text: &str| {
        json!({
            "article_id": { "S": id }, "text": { "S": text }, "number": { "N": "0.1" }, "none": { "NULL": true },
            "bytes": { "B": "AP8=" }, "list": { "L": [{ "BOOL": false }, { "M": { "a": { "SS": ["x"] } } }] },
        })
    };
    let arn = stream_arn(&aws).await;
    let filter = json!({ "Filters": [{ "Pattern": r#"{"eventName":["INSERT"]}"# }] });
    let mapping = mapping(&arn, &json!({ "FilterCriteria": filter, "ParallelizationFactor": 3 }));
    let source = DynamoDbSource::new(client!(aws_sdk_dynamodbstreams, aws), &mapping);
    let region = mapping.event_source.region.clone();
    let (mut ends, function, options) = Ends::new(done);
    let poller = Poller::start(mapping, source, function, Nowhere, options).unwrap();
    aws.dynamodb().put("articles", &item("a", "first"));
    aws.dynamodb().put("articles", &item("a", "second"));
    ends.records(1).await;
    aws.dynamodb().down(true);
    ends.notice(|notice| matches!(notice, Notice::ReadFailed { .. })).await;
    aws.dynamodb().put("articles", &item("b", "third"));
    aws.dynamodb().down(false);
    let mut record = ends.records(1).await.remove(0);
    let change = &mut record["dynamodb"];
    let taken = ["ApproximateCreationDateTime", "SequenceNumber", "SizeBytes"].map(|name| change[name].take());
    assert!(taken[0].is_i64() && taken[1].is_string() && taken[2].as_i64() > Some(0), "{taken:?}");
    assert!(!record["eventID"].take().as_str().unwrap().is_empty());
    let expected = json!({
        "eventID": null,
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": {
            "ApproximateCreationDateTime": null,
            "Keys": { "article_id": { "S": "b" } },
            "NewImage": item("b", "third"),
            "SequenceNumber": null,
            "SizeBytes": null,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": arn,
    });
    assert_eq!(record, expected);
    let counts = stopped(poller).await;
    assert_eq!((counts.read, counts.filtered_out, counts.unfinished), (3, 1, 0));
}

#[tokio::test]
async fn a_discarded_change_is_told_of_as_a_batch_of_the_tables_stream() {
    let aws = Aws::start().await.unwrap();
    aws.dynamodb().create_table("articles");
    aws.dynamodb().put("articles", &json!({ "article_id": { "S": "a" } }));
    let destination = json!({ "OnFailure": { "Destination": QUEUE } });
    let more = json!({ "MaximumRetryAttempts": 0, "DestinationConfig": destination });
    let mapping = mapping(&stream_arn(&aws).await, &more);
    let source = DynamoDbSource::new(client!(aws_sdk_dynamodbstreams, aws), &mapping);
    let queue = SqsDestination::new(client!(aws_sdk_sqs, aws), QUEUE).unwrap();
    let url = queue.queue_url().to_owned();
    // As the function answers that it did nothing.
    let nothing = |event: &Value| {
        let number = &event["Records"][0]["dynamodb"]["SequenceNumber"];
        Invoked::Answered(json!({ "batchItemFailures": [{ "itemIdentifier": number }] }).to_string().into())
    };
    let (mut ends, function, options) = Ends::new(nothing);
    let poller = Poller::start(mapping, source, function, queue, options).unwrap();
    ends.notice(|notice| matches!(notice, Notice::Discarded { .. })).await;
    let counts = stopped(poller).await;
    assert_eq!((counts.partial_failures, counts.discarded), (1, 1));
    let body: Value = serde_json::from_str(&aws.sqs().messages(&url)[0].body).unwrap();
    assert_eq!(body["DDBStreamBatchInfo"]["batchSize"], 1);
}

// ------------------------------------------------------------------------------------------------ Ending

/// Never answers, and says when it is asked.
struct Silent(mpsc::UnboundedSender<Arc<()>>);

impl Invoke for Silent {
    async fn invoke(&self, _event: Bytes) -> Invoked {
        let alive = Arc::new(());
        let _ = self.0.send(Arc::clone(&alive));
        std::future::pending::<()>().await;
        drop(alive);
        Invoked::NotRun(String::new())
    }
}

#[tokio::test]
async fn stopping_has_a_time_limit_and_dropping_has_none() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    put(&aws, &[("a", b"1")]).await;
    let mapping = mapping(STREAM, &json!({}));
    let start = |function| {
        Poller::start(mapping.clone(), source(&aws, &mapping), function, Nowhere, Options::default()).unwrap()
    };
    let (sender, mut asked) = mpsc::unbounded_channel();
    let poller = start(Silent(sender.clone()));
    let invocation = asked.recv().await.unwrap();
    let (counts, checkpoints) = poller.stop(Duration::from_millis(10)).await;
    assert_eq!((counts.unfinished, checkpoints.iter().count()), (1, 0));
    assert_eq!(Arc::strong_count(&invocation), 1, "the invocation is gone");

    let poller = start(Silent(sender));
    let invocation = asked.recv().await.unwrap();
    assert_eq!((poller.counts().read, poller.counts().handed_over), (1, 0));
    drop(poller);
    assert_eq!(Arc::strong_count(&invocation), 1);
}
