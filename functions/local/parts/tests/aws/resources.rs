//! What a stack makes is made, with the services' own clients, and is where everything else is.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use aws_sdk_kinesis::types::{StreamMode, StreamModeDetails, StreamStatus};
use local::aws::{Aws, sagemaker::Answer};
use serde_json::json;

use super::config;

async fn elsewhere() -> Aws {
    Aws::builder().region("us-east-1").account("111122223333").start().await.unwrap()
}

#[tokio::test]
async fn a_stream_is_created_described_and_deleted() {
    let aws = elsewhere().await;
    let client = aws_sdk_kinesis::Client::new(&config(&aws).await);
    let on_demand = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand).build().unwrap();
    client.create_stream().stream_name("provisioned").shard_count(2).send().await.unwrap();
    client.create_stream().stream_name("news").stream_mode_details(on_demand).send().await.unwrap();
    let summary = loop {
        let described = client.describe_stream_summary().stream_name("news").send().await.unwrap();
        let summary = described.stream_description_summary.unwrap();
        if summary.stream_status == StreamStatus::Active {
            break summary;
        }
    };
    assert_eq!(summary.stream_arn, "arn:aws:kinesis:us-east-1:111122223333:stream/news");
    assert_eq!(summary.open_shard_count, 4, "as many as on-demand streams begin with");
    assert_eq!(summary.retention_period_hours, 24);
    client.increase_stream_retention_period().stream_name("news").retention_period_hours(48).send().await.unwrap();
    client.delete_stream().stream_name("provisioned").send().await.unwrap();
    loop {
        match client.describe_stream_summary().stream_name("provisioned").send().await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break assert!(error.into_service_error().is_resource_not_found_exception()),
        }
    }
    assert_eq!(client.list_streams().send().await.unwrap().stream_names, ["news"]);
}

#[tokio::test]
async fn a_table_is_created_with_a_stream_that_can_be_read_by_its_arn() {
    let aws = elsewhere().await;
    let client = aws_sdk_dynamodb::Client::new(&config(&aws).await);
    let id = AttributeDefinition::builder().attribute_name("article_id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("article_id").key_type(KeyType::Hash);
    let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage);
    let create = client.create_table().table_name("articles").billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(id.build().unwrap()).key_schema(key.build().unwrap());
    create.stream_specification(stream.build().unwrap()).send().await.unwrap();
    let table = client.describe_table().table_name("articles").send().await.unwrap().table.unwrap();
    assert_eq!(table.table_status, Some(TableStatus::Active));
    let arn = "arn:aws:dynamodb:us-east-1:111122223333:table/articles";
    assert_eq!(table.table_arn.as_deref(), Some(arn));
    let stream = table.latest_stream_arn.unwrap();
    assert!(stream.starts_with(&format!("{arn}/stream/")), "{stream}");

    let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires").build().unwrap();
    client.update_time_to_live().table_name("articles").time_to_live_specification(expiry).send().await.unwrap();
    let expiry = client.describe_time_to_live().table_name("articles").send().await.unwrap();
    let expiry = expiry.time_to_live_description.unwrap();
    assert_eq!(expiry.time_to_live_status, Some(TimeToLiveStatus::Enabled));

    let put = client.put_item().table_name("articles").item("article_id", AttributeValue::S("a".to_owned()));
    put.send().await.unwrap();
    let streams = local_streams(&aws, "DescribeStream", json!({ "StreamArn": stream })).await;
    let shard = streams["StreamDescription"]["Shards"][0]["ShardId"].clone();
    assert_eq!(streams["StreamDescription"]["StreamArn"], stream);
    let place = json!({ "StreamArn": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
    let place = local_streams(&aws, "GetShardIterator", place).await["ShardIterator"].clone();
    let records = local_streams(&aws, "GetRecords", json!({ "ShardIterator": place })).await;
    assert_eq!(records["Records"][0]["awsRegion"], "us-east-1");
    assert_eq!(records["Records"][0]["dynamodb"]["Keys"]["article_id"]["S"], "a");
}

/// DynamoDB Streams, as its client asks.
async fn local_streams(aws: &Aws, operation: &str, body: serde_json::Value) -> serde_json::Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = aws.url().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let body = body.to_string();
    let target = format!("DynamoDBStreams_20120810.{operation}");
    let authorization =
        "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.0\r\n\
         authorization: {authorization}\r\nx-amz-date: 20260101T000000Z\r\nx-amz-target: {target}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{response}");
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_journal_that_is_off_grows_no_more_and_counts_go_on() {
    let aws = Aws::start().await.unwrap();
    let client = aws_sdk_sagemakerruntime::Client::new(&config(&aws).await);
    let blob = || aws_sdk_sagemakerruntime::primitives::Blob::new(r#"{"inputs":["a","b"]}"#);
    let invoke = || client.invoke_endpoint().endpoint_name("finbert").body(blob()).send();
    aws.secrets().put("broker", &json!(1));
    let secrets = aws_sdk_secretsmanager::Client::new(&config(&aws).await);
    invoke().await.unwrap();
    aws.journal(false);
    invoke().await.unwrap();
    secrets.get_secret_value().secret_id("broker").send().await.unwrap();
    assert!(aws.sagemaker().calls().is_empty() && aws.secrets().calls().is_empty());
    assert_eq!((aws.sagemaker().count(), aws.sagemaker().judged()), (2, 4));
    aws.sagemaker().reset();
    invoke().await.unwrap();
    assert!(aws.sagemaker().calls().is_empty(), "still off");
    aws.journal(true);
    aws.sagemaker().answer("finbert", Answer::Close);
    assert!(invoke().await.is_err());
    assert_eq!(aws.sagemaker().calls()[0].answered, None);
    assert_eq!((aws.sagemaker().count(), aws.sagemaker().judged()), (2, 2));
    assert_eq!(aws.sagemaker().calls().len(), 1);
    assert!(aws.sagemaker().opinion("finbert", "a").1 > 0.0);
    let environment: std::collections::BTreeMap<_, _> = elsewhere().await.environment().into_iter().collect();
    assert_eq!(environment["AWS_REGION"], "us-east-1");
    assert_eq!((aws.region(), aws.account()), (local::REGION, local::ACCOUNT));
}
