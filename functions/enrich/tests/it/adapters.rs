//! The adapters against the services' own protocols, on this machine.

use crate::items::item;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use enrich::{
    Failure, Position, Rejected,
    articles::{Articles, Stored},
    dynamodb::DynamoDb,
    quarantine::{Data, Quarantine, Quarantined, Why},
    sagemaker::SageMaker,
    sentiment::Models,
    sqs::Sqs,
};
use jiff::Timestamp;
use local::aws::{Aws, sagemaker::Answer};
use news::{EnrichedItem, Reason, Sentiment, table};
use runtime::Budget;
use std::time::Duration;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/quarantine";

fn configuration(aws: &Aws) -> SdkConfig {
    let patience = Duration::from_millis(500);
    let timeouts = TimeoutConfig::builder().connect_timeout(patience).operation_attempt_timeout(patience).build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(local::REGION))
        .endpoint_url(aws.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "test")))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .build()
}

fn seconds(seconds: u64) -> Budget {
    Budget::of(Duration::from_secs(seconds))
}

fn articles(aws: &Aws) -> DynamoDb {
    DynamoDb::new(aws_sdk_dynamodb::Client::new(&configuration(aws)), "articles", 2, 2)
}

fn enriched(id: &str) -> EnrichedItem {
    EnrichedItem {
        item: item(id, "Example plc warns"),
        sentiment: Sentiment::Unjudged { reason: Reason::NoRoute },
        arrived: None,
        enriched: Timestamp::UNIX_EPOCH,
    }
}

fn many(count: usize) -> Vec<EnrichedItem> {
    (0..count).map(|number| enriched(&format!("{number:04}"))).collect()
}

async fn store(articles: &DynamoDb, items: &[EnrichedItem]) -> Vec<Result<Stored, Failure>> {
    articles.store(&items.iter().collect::<Vec<_>>(), seconds(10)).await
}

async fn known(articles: &DynamoDb, items: &[EnrichedItem]) -> Vec<Result<bool, Failure>> {
    articles.known(&items.iter().map(|item| item.item.id.as_str()).collect::<Vec<_>>(), seconds(10)).await
}

async fn with_table() -> (Aws, DynamoDb) {
    let aws = Aws::start().await.unwrap();
    aws.dynamodb().create_table("articles");
    let articles = articles(&aws);
    (aws, articles)
}

/// How many statements each request had, the largest first: two are on their way at once.
fn statements(aws: &Aws) -> Vec<usize> {
    let calls = aws.dynamodb().calls("BatchExecuteStatement");
    let mut statements: Vec<_> = calls.iter().map(local::aws::DynamoDbCall::statements).collect();
    statements.sort_unstable_by(|one, other| other.cmp(one));
    statements
}

#[tokio::test]
async fn items_are_inserted_25_at_a_time_and_only_once() {
    let (aws, articles) = with_table().await;
    let items = many(60);
    assert_eq!(store(&articles, &items).await, vec![Ok(Stored::Now); 60]);
    assert_eq!(statements(&aws), [25, 25, 10]);
    let rows = aws.dynamodb().items("articles");
    let expected = serde_json::to_value(table::to_row(&items[7], 2)).unwrap();
    assert_eq!(rows[7], expected);

    let changed: Vec<_> = items.iter().cloned().map(|item| EnrichedItem { enriched: Timestamp::MAX, ..item }).collect();
    assert_eq!(store(&articles, &changed).await, vec![Ok(Stored::Before); 60]);
    assert_eq!(aws.dynamodb().items("articles"), rows, "what is there stays as it is");
}

#[tokio::test]
async fn keys_alone_are_looked_up_100_at_a_time() {
    let (aws, articles) = with_table().await;
    let items = many(250);
    store(&articles, &items[..120]).await;
    let known = known(&articles, &items).await;
    assert_eq!(known.iter().filter(|known| **known == Ok(true)).count(), 120);
    assert!(known[120..].iter().all(|known| *known == Ok(false)));
    let calls = aws.dynamodb().calls("BatchGetItem");
    let asked: Vec<_> = calls.iter().map(|call| call.request()["RequestItems"]["articles"].clone()).collect();
    let mut keys: Vec<_> = asked.iter().map(|asked| asked["Keys"].as_array().unwrap().len()).collect();
    keys.sort_unstable();
    assert_eq!(keys, [50, 100, 100]);
    assert!(asked.iter().all(|asked| asked["ProjectionExpression"] == "article_id" && asked["ConsistentRead"] == true));
}

#[tokio::test]
async fn statements_that_are_throttled_are_sent_again_and_only_they() {
    let (aws, articles) = with_table().await;
    aws.dynamodb().throttle_statements(7);
    assert_eq!(store(&articles, &many(20)).await, vec![Ok(Stored::Now); 20]);
    assert_eq!(statements(&aws), [20, 7]);
}

#[tokio::test]
async fn requests_that_are_throttled_or_never_answered_are_sent_again() {
    let (aws, articles) = with_table().await;
    aws.dynamodb().throttle(2);
    assert_eq!(store(&articles, &many(3)).await, vec![Ok(Stored::Now); 3]);
    aws.dynamodb().throttle(2);
    assert_eq!(known(&articles, &many(4)).await, [Ok(true), Ok(true), Ok(true), Ok(false)]);
    aws.dynamodb().hang(1);
    assert_eq!(store(&articles, &many(4)).await[3], Ok(Stored::Now));
}

#[tokio::test]
async fn table_that_is_away_fails_everything_for_now_when_the_time_is_up() {
    let (aws, articles) = with_table().await;
    aws.dynamodb().down(true);
    let items = many(3);
    let refs: Vec<_> = items.iter().collect();
    let stored = articles.store(&refs, Budget::of(Duration::from_millis(300))).await;
    assert!(stored.iter().all(|stored| matches!(stored, Err(Failure::Transient(_)))), "{stored:?}");
    let known = articles.known(&["a"], Budget::of(Duration::from_millis(300))).await;
    assert!(matches!(known[..], [Err(Failure::Transient(_))]), "{known:?}");
    assert!(statements(&aws).len() > 1);
}

#[tokio::test]
async fn table_that_does_not_exist_is_not_asked_again() {
    let aws = Aws::start().await.unwrap();
    let articles = articles(&aws);
    let stored = store(&articles, &many(30)).await;
    assert!(stored.iter().all(|stored| matches!(stored, Err(Failure::Transient(_)))), "{stored:?}");
    assert_eq!(statements(&aws), [25, 5]);
    assert!(matches!(known(&articles, &many(1)).await[..], [Err(Failure::Transient(_))]));
    assert_eq!(aws.dynamodb().calls("BatchGetItem").len(), 1);
}

#[tokio::test]
async fn row_that_the_table_refuses_is_refused_alone() {
    let (aws, articles) = with_table().await;
    let mut items = many(5);
    items[1].item.id = "k".repeat(2049);
    items[3].item.body = "x".repeat(table::MAX_ROW);
    let codes: Vec<_> = store(&articles, &items)
        .await
        .into_iter()
        .map(|stored| match stored {
            Ok(_) => "stored",
            Err(Failure::Permanent { code, .. }) => code,
            Err(Failure::Transient(_)) => "later",
        })
        .collect();
    assert_eq!(codes, ["stored", "table_refused", "stored", "too_large", "stored"]);
    assert_eq!(aws.dynamodb().count("articles"), 3);
}

#[tokio::test]
async fn what_sagemaker_says_decides_what_happens_to_a_request() {
    let aws = Aws::start().await.unwrap();
    let models = SageMaker::new(aws_sdk_sagemakerruntime::Client::new(&configuration(&aws)));
    let model_error = |status| Answer::ModelError { status, message: "the model's own words".into() };
    let (busy, refused, unusable) = ("busy", "refused", "unusable");
    for (answer, expected) in [
        (Answer::Throttled, busy),
        (Answer::NotReady, busy),
        (model_error(500), busy),
        (model_error(503), busy),
        (model_error(400), refused),
        (Answer::InternalFailure, busy),
        (Answer::Unavailable, busy),
        (Answer::Status(530, "{}".into()), busy),
        (Answer::Status(429, "slow down".into()), busy),
        (Answer::Status(502, "<html>".into()), busy),
        (Answer::Hang, busy),
        (Answer::Close, busy),
        (Answer::Validation("Endpoint e not found.".into()), unusable),
        (Answer::Status(403, r#"{"__type":"AccessDeniedException","Message":"no"}"#.into()), unusable),
    ] {
        aws.sagemaker().answer("e", answer.clone());
        let body = br#"{"inputs":["a"],"parameters":{"top_k":null}}"#;
        let rejected = models.invoke("e", body.to_vec()).await.unwrap_err();
        let class = match &rejected {
            Rejected::Busy(_) => busy,
            Rejected::Refused(text) => {
                assert!(text.contains("the model's own words"), "{text}");
                refused
            }
            Rejected::Unusable(_) => unusable,
        };
        assert_eq!(class, expected, "{answer:?} is {rejected:?}");
        assert!(models.invoke("e", body.to_vec()).await.is_ok(), "after {answer:?}");
    }
}

fn quarantined(number: usize) -> Quarantined {
    Quarantined {
        reason: Why { code: "malformed".into(), text: "is no news item".into() },
        position: Position { sequence_number: Some(number.to_string()), ..Position::default() },
        id: None,
        data: Data::of(b"no item".into()),
        bytes: 7,
        cut: false,
        function: "enrich".into(),
        request_id: "r".into(),
        time: Timestamp::UNIX_EPOCH,
    }
}

fn quarantine(aws: &Aws) -> Sqs {
    Sqs::new(aws_sdk_sqs::Client::new(&configuration(aws)), QUEUE)
}

/// The numbers of the records in the queue, in its order.
fn numbers(aws: &Aws) -> Vec<usize> {
    let read = |message: &local::aws::Message| serde_json::from_str::<Quarantined>(&message.body).unwrap();
    let messages = aws.sqs().messages(QUEUE);
    messages.iter().map(|message| read(message).position.sequence_number.unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn records_are_set_aside_ten_at_a_time_in_order() {
    let aws = Aws::start().await.unwrap();
    let records: Vec<_> = (0..25).map(quarantined).collect();
    assert_eq!(quarantine(&aws).keep(&records, seconds(5)).await, vec![Ok(()); 25]);
    assert_eq!(numbers(&aws), (0..25).collect::<Vec<_>>());
    assert_eq!(aws.sqs().count(), 3);
}

#[tokio::test]
async fn message_that_fails_is_sent_again_alone() {
    let aws = Aws::start().await.unwrap();
    aws.sqs().fail(2);
    let records: Vec<_> = (0..5).map(quarantined).collect();
    assert_eq!(quarantine(&aws).keep(&records, seconds(5)).await, vec![Ok(()); 5]);
    assert_eq!(numbers(&aws), [2, 3, 4, 0, 1]);
}

#[tokio::test]
async fn after_a_batch_that_fails_no_other_is_sent() {
    let aws = Aws::start().await.unwrap();
    aws.sqs().fail(10_000);
    let records: Vec<_> = (0..25).map(quarantined).collect();
    let kept = quarantine(&aws).keep(&records, Budget::of(Duration::from_millis(300))).await;
    assert!(kept.len() == 25 && kept.iter().all(Result::is_err), "{kept:?}");
    aws.sqs().fail(0);
    assert!(numbers(&aws).is_empty());
}

#[tokio::test]
async fn large_and_odd_data_becomes_a_message_that_sqs_takes() {
    let aws = Aws::start().await.unwrap();
    let odd =
        ["\u{0}\u{1}\u{fffe}\u{ffff}\u{7f}".as_bytes().to_vec(), vec![0xff, 0x00, 0xf3], vec![1; 1 << 20], vec![]];
    let records: Vec<_> = odd
        .iter()
        .map(|data| Quarantined { data: Data::of(data.clone()), bytes: data.len(), ..quarantined(0) })
        .collect();
    assert_eq!(quarantine(&aws).keep(&records, seconds(5)).await, vec![Ok(()); 4]);
    let read: Vec<Quarantined> =
        aws.sqs().messages(QUEUE).iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect();
    assert_eq!(read[0].data, Data::of(odd[0].clone()));
    assert_eq!(read[1].data, Data::of(odd[1].clone()));
    assert!(read[2].cut && read[2].bytes == 1 << 20);
}
