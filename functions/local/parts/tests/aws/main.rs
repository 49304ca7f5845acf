//! AWS's own clients against the stand-ins.

mod resources;
mod sagemaker;
mod secrets;
mod sqs;

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse,
};
use aws_sdk_kinesis::{
    operation::put_records::builders::PutRecordsFluentBuilder,
    types::{PutRecordsRequestEntry, ShardIteratorType},
};
use aws_sdk_sagemakerruntime::{
    error::{ProvideErrorMetadata, SdkError},
    operation::invoke_endpoint::InvokeEndpointError,
    primitives::Blob,
};
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use local::aws::{
    Aws, StreamRecord,
    sagemaker::{Answer, Labels},
};
use serde_json::{Value, json};

/// As a function is configured: by its environment alone, but that a test cannot set its own.
async fn config(aws: &Aws) -> aws_config::SdkConfig {
    let credentials = aws_sdk_dynamodb::config::Credentials::new("local", "local", None, None, "test");
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(aws_sdk_dynamodb::config::Region::new(aws.region().to_owned()))
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(credentials))
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .load()
        .await
}

// ------------------------------------------------------------------------------------------------ SageMaker

async fn invoke(aws: &Aws, body: Value) -> Result<Value, InvokeEndpointError> {
    let client = aws_sdk_sagemakerruntime::Client::new(&config(aws).await);
    let request = client.invoke_endpoint().endpoint_name("finbert").content_type("application/json");
    match request.body(Blob::new(body.to_string())).send().await {
        Ok(answer) => Ok(serde_json::from_slice(answer.body.unwrap().as_ref()).unwrap()),
        Err(error) => Err(error.into_service_error()),
    }
}

#[tokio::test]
async fn requests_are_remembered() {
    let aws = Aws::start().await.unwrap();
    invoke(&aws, json!({ "inputs": ["a", "b"], "parameters": { "top_k": null } })).await.unwrap();
    let calls = aws.sagemaker().calls();
    assert_eq!((calls[0].inputs.as_slice(), calls[0].answered), (["a", "b"].map(str::to_owned).as_slice(), Some(200)));
    assert_eq!(calls[0].parameters, json!({ "top_k": null }));
}

#[tokio::test]
async fn what_the_pipeline_cannot_read_fails_the_whole_request() {
    let aws = Aws::start().await.unwrap();
    aws.sagemaker().poison("plague");
    let long = "word ".repeat(600);
    for inputs in [json!([]), json!(["a", null]), json!(["a", 1]), json!(["a", "the plague"]), json!([long]), json!({})]
    {
        match invoke(&aws, json!({ "inputs": inputs })).await {
            Err(InvokeEndpointError::ModelError(error)) => {
                assert_eq!(error.original_status_code(), Some(400), "{inputs}");
                assert!(error.original_message().is_some_and(|message| message.contains("\"code\": 400")), "{error:?}");
                assert!(error.message().is_some_and(|message| message.contains("Received client error (400)")));
                assert!(error.log_stream_arn().is_some());
            }
            other => panic!("{inputs}: {other:?}"),
        }
    }
    let truncated = json!({ "inputs": [long], "parameters": { "truncation": true, "max_length": 512 } });
    assert!(invoke(&aws, truncated).await.is_ok());
    let alone = json!({ "inputs": [long], "parameters": { "truncation": true } });
    assert!(invoke(&aws, alone).await.is_err(), "the tokenizer has no length of its own");
}

#[tokio::test]
async fn the_script_is_followed_and_then_the_model_answers_again() {
    let aws = Aws::start().await.unwrap();
    let body = || json!({ "inputs": ["a"] });
    let model_error = Answer::ModelError { status: 503, message: "worker died".to_owned() };
    aws.sagemaker().answers(
        "finbert",
        [
            Answer::Throttled,
            Answer::NotReady,
            model_error,
            Answer::InternalFailure,
            Answer::Unavailable,
            Answer::Validation("no".to_owned()),
            Answer::Status(404, "{}".to_owned()),
            Answer::Body("[1]".to_owned()),
        ],
    );
    aws.sagemaker().answer("another", Answer::Hang);

    let throttled = invoke(&aws, body()).await.unwrap_err();
    assert_eq!(throttled.code(), Some("ThrottlingException"));
    assert!(invoke(&aws, body()).await.unwrap_err().is_model_not_ready_exception());
    let InvokeEndpointError::ModelError(error) = invoke(&aws, body()).await.unwrap_err() else { panic!() };
    assert_eq!(error.original_status_code(), Some(503));
    assert!(invoke(&aws, body()).await.unwrap_err().is_internal_failure());
    assert!(invoke(&aws, body()).await.unwrap_err().is_service_unavailable());
    assert!(invoke(&aws, body()).await.unwrap_err().is_validation_error());
    assert_eq!(invoke(&aws, body()).await.unwrap_err().code(), None);
    assert_eq!(invoke(&aws, body()).await.unwrap(), json!([1]));
    assert_eq!(invoke(&aws, body()).await.unwrap()[0]["label"], "neutral");

    aws.sagemaker().throttle_for(Duration::from_hours(1));
    assert_eq!(invoke(&aws, body()).await.unwrap_err().code(), Some("ThrottlingException"));
    aws.sagemaker().throttle_for(Duration::ZERO);
    assert!(invoke(&aws, body()).await.is_ok());
}

#[tokio::test]
async fn a_connection_is_closed_or_hangs_when_told_to() {
    let aws = Aws::start().await.unwrap();
    let client = aws_sdk_sagemakerruntime::Client::new(&config(&aws).await);
    let send = || client.invoke_endpoint().endpoint_name("finbert").body(Blob::new(r#"{"inputs":["a"]}"#)).send();
    aws.sagemaker().answers("finbert", [Answer::Close, Answer::Hang]);
    assert!(matches!(send().await, Err(SdkError::DispatchFailure(_))));
    assert!(tokio::time::timeout(Duration::from_millis(50), send()).await.is_err());
    assert!(send().await.is_ok());
}

#[tokio::test]
async fn labels_are_spelled_as_the_endpoints_model_does() {
    let aws = Aws::start().await.unwrap();
    aws.sagemaker().labels("finbert", Labels::finbert_tone());
    let answer = invoke(&aws, json!({ "inputs": "Profit surges to a record" })).await.unwrap();
    let (label, score) = aws.sagemaker().opinion("finbert", "Profit surges to a record");
    assert_eq!(label, "Positive");
    assert_eq!(answer, json!([{ "label": label, "score": score }]));
}

#[tokio::test]
async fn requests_wait_for_a_worker() {
    let aws = Aws::start().await.unwrap();
    aws.sagemaker().workers(1);
    aws.sagemaker().latency(Duration::from_millis(20), Duration::from_millis(1));
    let begin = std::time::Instant::now();
    let body = || json!({ "inputs": ["a", "b"] });
    let (one, two, three) = tokio::join!(invoke(&aws, body()), invoke(&aws, body()), invoke(&aws, body()));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert!(begin.elapsed() >= Duration::from_millis(66), "one after the other");
    assert_eq!(aws.sagemaker().peak(), 3);
    assert_eq!(aws.sagemaker().judged(), 6);
}

#[tokio::test]
async fn an_endpoint_that_is_not_listed_does_not_exist() {
    let aws = Aws::start().await.unwrap();
    aws.sagemaker().only(["other"]);
    let error = invoke(&aws, json!({ "inputs": "a" })).await.unwrap_err();
    assert!(error.is_validation_error());
    assert_eq!(error.message(), Some("Endpoint finbert of account 123456789012 not found."));
}

// ------------------------------------------------------------------------------------------------ DynamoDB

fn insert(id: &str) -> BatchStatementRequest {
    let scores = HashMap::from([("negative".to_owned(), AttributeValue::N("0.04999999701976776".to_owned()))]);
    let subjects = vec![AttributeValue::S("R:AAPL.O".to_owned()), AttributeValue::Null(true)];
    BatchStatementRequest::builder()
        .statement(
            r#"INSERT INTO "articles" VALUE {'article_id': ?, 'scores': ?, 'subjects': ?, 'expires': ?, 'model': ?}"#,
        )
        .parameters(AttributeValue::S(id.to_owned()))
        .parameters(AttributeValue::M(scores))
        .parameters(AttributeValue::L(subjects))
        .parameters(AttributeValue::N("1767225600".to_owned()))
        .parameters(AttributeValue::Null(true))
        .build()
        .unwrap()
}

async fn insert_all(aws: &Aws, ids: &[&str]) -> Vec<BatchStatementResponse> {
    let client = aws_sdk_dynamodb::Client::new(&config(aws).await);
    let statements = ids.iter().map(|id| insert(id)).collect();
    let answer = client.batch_execute_statement().set_statements(Some(statements)).send().await.unwrap();
    answer.responses.unwrap()
}

fn codes(responses: &[BatchStatementResponse]) -> Vec<Option<BatchStatementErrorCodeEnum>> {
    responses.iter().map(|response| response.error().and_then(|error| error.code().cloned())).collect()
}

#[tokio::test]
async fn a_batch_of_statements_inserts_what_is_new_and_says_what_is_not() {
    let aws = Aws::start().await.unwrap();
    aws.dynamodb().create_table("articles");
    let ids: Vec<_> = (0..25).map(|number| format!("id{number:02}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let [first, rest @ ..] = ids.as_slice() else { panic!() };

    assert_eq!(codes(&insert_all(&aws, &[first]).await), [None]);
    let responses = insert_all(&aws, &ids).await;
    assert_eq!(responses.len(), 25);
    assert_eq!(codes(&responses)[0], Some(BatchStatementErrorCodeEnum::DuplicateItem));
    assert!(codes(&responses)[1..].iter().all(Option::is_none));
    assert_eq!(aws.dynamodb().count("articles"), 1 + rest.len());
    assert_eq!(
        aws.dynamodb().items("articles")[3],
        json!({
            "article_id": { "S": "id03" },
            "scores": { "M": { "negative": { "N": "0.04999999701976776" } } },
            "subjects": { "L": [{ "S": "R:AAPL.O" }, { "NULL": true }] },
            "expires": { "N": "1767225600" },
            "model": { "NULL": true },
        })
    );
    let calls = aws.dynamodb().calls("BatchExecuteStatement");
    assert_eq!(calls.iter().map(local::aws::DynamoDbCall::statements).collect::<Vec<_>>(), [1, 25]);
}

#[tokio::test]
async fn throttled_statements_are_not_executed_and_the_others_are() {
    let aws = Aws::start().await.unwrap();
    aws.dynamodb().create_table("articles");
    aws.dynamodb().throttle_statements(3);
    let throttled = || Some(BatchStatementErrorCodeEnum::ProvisionedThroughputExceeded);
    assert_eq!(codes(&insert_all(&aws, &["a", "b"]).await), [throttled(), throttled()]);
    assert_eq!(codes(&insert_all(&aws, &["c", "d", "e"]).await), [throttled(), None, None]);
    let ids: Vec<_> = aws.dynamodb().items("articles").iter().map(|item| item["article_id"]["S"].clone()).collect();
    assert_eq!(ids, ["d", "e"]);
    assert_eq!(codes(&insert_all(&aws, &["a", "d"]).await), [None, Some(BatchStatementErrorCodeEnum::DuplicateItem)]);
}

#[tokio::test]
async fn the_table_is_throttled_away_or_silent_when_told_to() {
    let aws = Aws::start().await.unwrap();
    let dynamodb = aws.dynamodb();
    dynamodb.create_table("articles");
    dynamodb.put("articles", &json!({ "article_id": { "S": "a" } }));
    let client = aws_sdk_dynamodb::Client::new(&config(&aws).await);
    let get = || client.get_item().table_name("articles").key("article_id", AttributeValue::S("a".to_owned())).send();
    assert!(get().await.unwrap().item.is_some());

    dynamodb.throttle(1);
    assert!(get().await.unwrap_err().into_service_error().is_provisioned_throughput_exceeded_exception());
    dynamodb.down(true);
    assert!(matches!(get().await, Err(SdkError::DispatchFailure(_))));
    dynamodb.down(false);
    dynamodb.hang(1);
    assert!(tokio::time::timeout(Duration::from_millis(50), get()).await.is_err());
    assert!(get().await.unwrap().item.is_some());
    let answered: Vec<_> = dynamodb.calls("GetItem").iter().map(|call| call.answered).collect();
    assert_eq!(answered, [Some(200), Some(400), None, None, Some(200)]);
}

// ------------------------------------------------------------------------------------------------ SQS

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/quarantine";

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

#[tokio::test]
async fn messages_are_kept_with_their_attributes_and_digests() {
    let aws = Aws::start().await.unwrap();
    let client = aws_sdk_sqs::Client::new(&config(&aws).await);
    let reason = MessageAttributeValue::builder().data_type("String").string_value("poison").build().unwrap();
    let message = client.send_message().queue_url(QUEUE).message_body("hello").message_attributes("reason", reason);
    let sent = message.send().await.unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert!(sent.md5_of_message_attributes().is_some());
    let messages = aws.sqs().messages(QUEUE);
    assert_eq!((messages[0].body.as_str(), messages[0].attributes["reason"].as_str()), ("hello", "poison"));
    assert!(aws.sqs().messages("another").is_empty());
}

#[tokio::test]
async fn entries_of_a_batch_fail_alone() {
    let aws = Aws::start().await.unwrap();
    let client = aws_sdk_sqs::Client::new(&config(&aws).await);
    aws.sqs().fail(1);
    let entries = vec![entry("a", "1"), entry("b", "2")];
    let sent = client.send_message_batch().queue_url(QUEUE).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!((sent.failed[0].id.as_str(), sent.failed[0].sender_fault), ("a", false));
    assert_eq!(sent.successful[0].id, "b");
    assert_eq!(aws.sqs().messages(QUEUE).len(), 1);
}

#[tokio::test]
async fn a_batch_that_breaks_a_limit_is_refused() {
    let aws = Aws::start().await.unwrap();
    let client = aws_sdk_sqs::Client::new(&config(&aws).await);
    let many = (0..11).map(|number| entry(&number.to_string(), "x")).collect();
    let large = "x".repeat(600_000);
    for (entries, expected) in [
        (many, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        (vec![entry("a", "1"), entry("a", "2")], "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        (vec![entry("a b", "1")], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (vec![entry("a", &large), entry("b", &large)], "AWS.SimpleQueueService.BatchRequestTooLong"),
        (vec![], "AWS.SimpleQueueService.EmptyBatchRequest"),
    ] {
        let send = client.send_message_batch().queue_url(QUEUE).set_entries(Some(entries));
        let error = send.send().await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some(expected), "{error:?}");
    }
    assert!(aws.sqs().messages(QUEUE).is_empty());
}

// ------------------------------------------------------------------------------------------------ Secrets Manager

#[tokio::test]
async fn a_secret_is_found_by_name_and_by_arn() {
    let aws = Aws::start().await.unwrap();
    let client = aws_sdk_secretsmanager::Client::new(&config(&aws).await);
    let arn = aws.secrets().put("newsloom/broker", &json!({ "username": "newsloom" }));
    for id in ["newsloom/broker", &arn] {
        let secret = client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!(secret.secret_string(), Some(r#"{"username":"newsloom"}"#));
    }
    let missing = client.get_secret_value().secret_id("other").send().await.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found_exception());
    assert_eq!(aws.secrets().calls(), ["newsloom/broker", &arn, "other"]);
}

#[tokio::test]
async fn what_is_not_here_says_so() {
    let aws = Aws::start().await.unwrap();
    let client = aws_sdk_secretsmanager::Client::new(&config(&aws).await);
    let error = client.list_secrets().send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("NotImplemented"));
    assert_eq!(error.meta().message(), Some("not on this machine: POST / secretsmanager.ListSecrets"));
    assert_eq!(aws.not_understood(), ["POST / secretsmanager.ListSecrets"]);
}

// ------------------------------------------------------------------------------------------------ Kinesis

async fn kinesis(aws: &Aws) -> aws_sdk_kinesis::Client {
    aws_sdk_kinesis::Client::new(&config(aws).await)
}

fn record(key: &str, data: impl Into<Vec<u8>>) -> PutRecordsRequestEntry {
    let data = aws_sdk_kinesis::primitives::Blob::new(data.into());
    PutRecordsRequestEntry::builder().partition_key(key).data(data).build().unwrap()
}

fn put(client: &aws_sdk_kinesis::Client, keys: &[&str]) -> PutRecordsFluentBuilder {
    let records = keys.iter().map(|key| record(key, *key)).collect();
    client.put_records().stream_name("news").set_records(Some(records))
}

/// The keys on the stream, shard after shard.
fn keys(aws: &Aws) -> Vec<String> {
    aws.kinesis().records("news").into_iter().flat_map(|shard| shard.records).map(|record| record.key).collect()
}

#[tokio::test]
async fn records_are_on_the_shards_of_their_keys_in_order() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 3);
    let client = kinesis(&aws).await;
    put(&client, &["a", "b", "c", "d"]).send().await.unwrap();
    put(&client, &["a", "b", "c", "d"]).send().await.unwrap();
    let shards = aws.kinesis().records("news");
    assert_eq!(shards.len(), 3);
    assert_eq!(shards[0].id, "shardId-000000000000");
    assert_eq!(shards.iter().map(|shard| shard.records.len()).sum::<usize>(), 8);
    for shard in shards {
        let (first, second) = shard.records.split_at(shard.records.len() / 2);
        let data = |records: &[StreamRecord]| records.iter().map(|record| record.data.clone()).collect::<Vec<_>>();
        assert_eq!(data(first), data(second));
        assert!(shard.records.is_sorted_by(|one, next| one.number < next.number));
    }
    assert_eq!(aws.kinesis().calls("PutRecords")[1].keys(), ["a", "b", "c", "d"]);
    assert_eq!(aws.not_understood(), [""; 0]);
}

#[tokio::test]
async fn a_poller_gets_what_was_put() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    let client = kinesis(&aws).await;
    put(&client, &["a", "b"]).send().await.unwrap();
    let shard = client.list_shards().stream_name("news").send().await.unwrap().shards.unwrap().remove(0);
    let place = client.get_shard_iterator().stream_name("news").shard_id(shard.shard_id);
    let place = place.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap().shard_iterator.unwrap();
    let records = client.get_records().shard_iterator(place).send().await.unwrap().records;
    assert_eq!(records.iter().map(|record| record.partition_key.as_deref().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn records_that_fail_are_not_stored_and_those_beside_them_are() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    let client = kinesis(&aws).await;
    aws.kinesis().fail_records_where(|key| key == "b");
    let answer = put(&client, &["a", "b", "c"]).send().await.unwrap();
    assert_eq!(answer.failed_record_count, Some(1));
    let codes: Vec<_> = answer.records.iter().map(|record| record.error_code.as_deref()).collect();
    assert_eq!(codes, [None, Some("ProvisionedThroughputExceededException"), None]);
    assert!(answer.records[1].sequence_number.is_none() && answer.records[2].sequence_number.is_some());
    aws.kinesis().fail_records(2);
    assert_eq!(put(&client, &["d", "e"]).send().await.unwrap().failed_record_count, Some(2));
    put(&client, &["f"]).send().await.unwrap();
    assert_eq!(keys(&aws), ["a", "c", "f"]);
}

#[tokio::test]
async fn the_stream_refuses_what_kinesis_refuses() {
    let aws = Aws::start().await.unwrap();
    let client = kinesis(&aws).await;
    let absent = put(&client, &["a"]).send().await.unwrap_err().into_service_error();
    assert!(absent.is_resource_not_found_exception());
    aws.kinesis().create_stream("news", 1);
    let large = client.put_records().stream_name("news").records(record("a", vec![0; (1 << 20) + 1]));
    assert_eq!(large.send().await.unwrap_err().into_service_error().code(), Some("ValidationException"));
    let most = (0..5).map(|key| record(&key.to_string(), vec![0; (1 << 20) - 1])).collect();
    client.put_records().stream_name("news").set_records(Some(most)).send().await.unwrap();
    let more = (0..6).map(|key| record(&key.to_string(), vec![0; 1 << 20])).collect();
    let more = client.put_records().stream_name("news").set_records(Some(more)).send().await;
    assert!(more.unwrap_err().into_service_error().is_invalid_argument_exception());
    let many = vec!["a"; 501];
    assert!(put(&client, &many).send().await.is_err());
    assert_eq!(keys(&aws).len(), 5);
}

#[tokio::test]
async fn kinesis_fails_when_told_to() {
    let aws = Aws::start().await.unwrap();
    aws.kinesis().create_stream("news", 1);
    let client = kinesis(&aws).await;
    let put = |key| put(&client, &[key]).send();
    aws.kinesis().reject(1, "KMSDisabledException");
    assert!(put("a").await.unwrap_err().into_service_error().is_kms_disabled_exception());
    aws.kinesis().reject(usize::MAX, "InternalFailureException");
    for _ in 0..3 {
        assert_eq!(put("b").await.unwrap_err().raw_response().unwrap().status().as_u16(), 500);
    }
    aws.kinesis().reject(0, "");
    aws.kinesis().poison("c");
    assert!(put("c").await.unwrap_err().into_service_error().is_invalid_argument_exception());
    aws.kinesis().down(true);
    assert!(matches!(put("d").await, Err(aws_sdk_kinesis::error::SdkError::DispatchFailure(_))));
    aws.kinesis().down(false);
    let soon = Duration::from_millis(100);
    aws.kinesis().hang(1);
    assert!(tokio::time::timeout(soon, put("e")).await.is_err());
    assert_eq!(keys(&aws), [""; 0]);
    aws.kinesis().lose_answers(1);
    assert!(tokio::time::timeout(soon, put("f")).await.is_err());
    assert_eq!(keys(&aws), ["f"], "stored, though nobody was told");
    aws.kinesis().latency(soon);
    let begin = std::time::Instant::now();
    put("g").await.unwrap();
    assert!(begin.elapsed() >= soon);
    aws.kinesis().reset();
    assert!(aws.kinesis().calls("PutRecords").is_empty());
}
