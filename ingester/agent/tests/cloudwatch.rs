//! Log and metrics on their way to CloudWatch Logs, over a real socket.

use aws_sdk_cloudwatchlogs::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use ingester::cloudwatch::Lines;
use local::aws::Aws;
use std::sync::{Arc, Mutex};

const GROUP: &str = "/newsloom/news/ingester";

fn client(aws: &Aws) -> Client {
    let config = aws_sdk_cloudwatchlogs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn lines_arrive_in_their_order_in_a_stream_made_for_them() {
    let aws = Aws::start().await.unwrap();
    let (lines, waiting) = Lines::new();
    let sending = tokio::spawn(waiting.send(client(&aws), GROUP.into(), "host/1".into(), |why| panic!("{why}")));
    lines.put("first");
    lines.put(" ");
    lines.put("second");
    lines.flush().await;
    assert_eq!(aws.logs().lines(GROUP), ["first", "second"]);
    assert_eq!(aws.logs().streams(GROUP), ["host/1"]);
    lines.put("third");
    drop(lines);
    sending.await.unwrap();
    assert_eq!(aws.logs().lines(GROUP), ["first", "second", "third"]);
}

#[tokio::test]
async fn service_that_fails_for_a_while_gets_every_line_and_one_complaint() {
    let aws = Aws::start().await.unwrap();
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let (lines, waiting) = Lines::new();
    let complain = {
        let complaints = Arc::clone(&complaints);
        move |why: &str| complaints.lock().unwrap().push(why.to_owned())
    };
    tokio::spawn(waiting.send(client(&aws), GROUP.into(), "host/1".into(), complain));
    lines.put("first");
    lines.flush().await;
    aws.logs().fail(2);
    lines.put("second");
    lines.flush().await;
    assert_eq!(aws.logs().lines(GROUP), ["first", "second"]);
    let complaints = complaints.lock().unwrap();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].starts_with("could not write to the log group /newsloom/news/ingester: "), "{complaints:?}");
}

#[tokio::test]
async fn lines_beyond_what_may_wait_are_left_out_and_counted() {
    let aws = Aws::start().await.unwrap();
    let complaints = Arc::new(Mutex::new(Vec::new()));
    let (lines, waiting) = Lines::new();
    for _ in 0..10_007 {
        lines.put("line");
    }
    let complain = {
        let complaints = Arc::clone(&complaints);
        move |why: &str| complaints.lock().unwrap().push(why.to_owned())
    };
    let sending = tokio::spawn(waiting.send(client(&aws), GROUP.into(), "host/1".into(), complain));
    drop(lines);
    sending.await.unwrap();
    assert_eq!(aws.logs().lines(GROUP).len(), 10_000);
    assert_eq!(*complaints.lock().unwrap(), ["7 lines were left out of CloudWatch: too many waited"]);
}
