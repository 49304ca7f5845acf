//! The function as Lambda runs it: the real binary, under a Runtime API, with a real broker.

use crate::support::*;
use lapin::types::{AMQPValue, FieldTable};
use local::{
    aws::Aws,
    function::{Builder, Function},
    rabbitmq::{Broker, Message, PASSWORD, USER},
    runtime_api::{Invocation, Outcome},
};
use news::{EnrichedItem, settings::PublishSettings, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where the function runs.
struct Stage {
    aws: Aws,
    settings: PublishSettings,
}

impl Stage {
    async fn new(broker: &Broker, vhost: &str) -> Self {
        let aws = Aws::start().await.unwrap();
        let secret = aws.secrets().put("broker", &json!({ "username": USER, "password": PASSWORD }));
        let settings = PublishSettings {
            pipeline: "news".into(),
            broker_url: plain(broker, vhost),
            broker_secret: secret,
            broker_ca_file: None,
            exchange: "news".into(),
            unrouted_limit: 1000,
            messages_in_flight: 100,
            confirm_timeout_ms: 2000,
            connect_timeout_ms: 3000,
        };
        Self { aws, settings }
    }

    fn builder(&self) -> Builder {
        let variables = self.settings.clone().into_variables();
        Function::builder(env!("CARGO_BIN_EXE_publish")).envs(self.aws.environment()).envs(variables)
    }

    async fn start(&self) -> Function {
        let function = self.builder().trace("Root=1-0-a;Sampled=0").start().await.unwrap();
        function.ready().await.unwrap();
        function
    }
}

/// The insertion of an item, as the stream has it.
fn insertion(number: u32, item: &EnrichedItem) -> Value {
    let image = serde_json::to_value(table::to_row(item, 2)).unwrap();
    json!({
        "eventID": format!("{number:032x}"), "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/articles/stream/2026-01-01T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_767_323_046, "Keys": { table::KEY: image[table::KEY] }, "NewImage": image,
            "SequenceNumber": number.to_string(), "SizeBytes": 700, "StreamViewType": "NEW_IMAGE",
        },
    })
}

/// Items `a1 b1 a2` from number 101 on: the letter is the story.
fn insertions(ids: &[&str]) -> Value {
    let records = ids.iter().zip(101..).map(|(id, number)| insertion(number, &item(id, &id[..1], "RTRS")));
    event(&records.collect::<Vec<_>>())
}

fn event(records: &[Value]) -> Value {
    json!({ "Records": records })
}

const DONE: &str = r#"{"batchItemFailures":[]}"#;

fn response(invocation: &Invocation) -> String {
    match &invocation.outcome {
        Outcome::Response(body) => String::from_utf8_lossy(body).into_owned(),
        other => format!("{other:?}"),
    }
}

/// What happened, for a person to read.
fn snapshot(
    stage: &Stage,
    situation: &str,
    event: &Value,
    invocations: &[&Invocation],
    queues: &[(&str, Vec<Message>)],
    function: &Function,
) {
    let mut parts = vec!["event".to_owned()];
    parts.extend(event["Records"].as_array().unwrap().iter().map(ToString::to_string));
    parts.extend(invocations.iter().map(|invocation| format!("\nresponse\n{}", response(invocation))));
    for (queue, messages) in queues {
        parts.push(format!("\nqueue {queue}: {}", messages.len()));
        parts.extend(messages.iter().map(|message| pretty(&readable(message))));
    }
    parts.push("\noutput".into());
    parts.extend(function.lines().iter().map(|line| timeless(line)));
    let text = parts.join("\n");
    let (address, _) = stage.settings.broker_url.split_once('?').unwrap_or((&stage.settings.broker_url, ""));
    let text = text.replace(address, "(broker)");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("publish_{situation}"), text));
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn readable(message: &Message) -> Value {
    let properties = &message.properties;
    // Those of the broker's own differ from version to version.
    let headers = properties.headers().iter().flat_map(FieldTable::inner);
    let headers = headers.filter(|(name, _)| !name.as_str().starts_with("x-"));
    let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.as_str(), header(name.as_str(), value))).collect();
    json!({
        "exchange": message.exchange, "routing_key": message.routing_key,
        "message_id": properties.message_id(), "type": properties.kind(), "content_type": properties.content_type(),
        "app_id": properties.app_id(), "delivery_mode": properties.delivery_mode(), "timestamp": properties.timestamp(),
        "headers": headers,
        "body": serde_json::from_slice::<Value>(&message.body).unwrap(),
    })
}

fn header(name: &str, value: &AMQPValue) -> Value {
    match value {
        _ if name == "sent_ms" => "(now)".into(),
        AMQPValue::LongString(text) => text.to_string().into(),
        AMQPValue::LongLongInt(number) => (*number).into(),
        other => panic!("{name} is {other:?}"),
    }
}

/// A line of the log without what differs from run to run.
fn timeless(line: &str) -> String {
    let Ok(mut line) = serde_json::from_str::<Value>(line) else { return line.into() };
    for (pointer, instead) in [("/timestamp", "(now)"), ("/_aws/Timestamp", "(now)"), ("/Age", "(ms)")] {
        if let Some(value) = line.pointer_mut(pointer) {
            *value = instead.into();
        }
    }
    line.as_object_mut().map(|line| line.remove("spans"));
    line.to_string()
}

#[tokio::test]
async fn new_items_are_published_with_all_that_the_contract_says() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    subscribe(broker, &vhost, "en.#").await;
    let stage = Stage::new(broker, &vhost).await;
    let function = stage.start().await;
    let example = |text: &str| serde_json::from_str::<EnrichedItem>(text).unwrap();
    let event = event(&[
        insertion(101, &article()),
        insertion(102, &example(include_str!("../../../../docs/contract/examples/alert.json"))),
        insertion(103, &example(include_str!("../../../../docs/contract/examples/no-route.json"))),
    ]);
    let invocation = function.invoke(&event).await;
    assert_eq!(response(&invocation), DONE);
    let queues = [
        (QUEUE, broker.drain(&vhost, QUEUE).await.unwrap()),
        ("news.unrouted", broker.drain(&vhost, "news.unrouted").await.unwrap()),
    ];
    assert_eq!((queues[0].1.len(), queues[1].1.len()), (2, 1));
    snapshot(&stage, "new_items", &event, &[&invocation], &queues, &function);
}

#[tokio::test]
async fn changes_and_removals_are_no_news() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let stage = Stage::new(broker, &vhost).await;
    let function = stage.start().await;
    let mut changed = insertion(101, &article());
    changed["eventName"] = "MODIFY".into();
    let mut expired = insertion(102, &article());
    expired["eventName"] = "REMOVE".into();
    expired["userIdentity"] = json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });
    expired["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    let event = event(&[changed, expired]);
    let invocation = function.invoke(&event).await;
    assert_eq!(response(&invocation), DONE);
    let unrouted = broker.drain(&vhost, "news.unrouted").await.unwrap();
    assert!(unrouted.is_empty());
    snapshot(&stage, "changes_and_removals", &event, &[&invocation], &[("news.unrouted", unrouted)], &function);
}

#[tokio::test]
async fn row_that_is_no_item_is_kept_for_a_person_and_the_batch_goes_on() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    subscribe(broker, &vhost, "#").await;
    let stage = Stage::new(broker, &vhost).await;
    let function = stage.start().await;
    let mut odd = insertion(102, &item("b1", "b", "RTRS"));
    odd["dynamodb"]["NewImage"] = json!({ "article_id": { "S": "b1" }, "headline": { "S": "written by hand" } });
    let event = event(&[insertion(101, &item("a1", "a", "RTRS")), odd, insertion(103, &item("c1", "c", "RTRS"))]);
    let invocation = function.invoke(&event).await;
    assert_eq!(response(&invocation), DONE);
    let kept = broker.drain(&vhost, "news.unrouted").await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(ids(broker, &vhost, QUEUE).await, ["a1", "c1"]);
    snapshot(&stage, "refused_row", &event, &[&invocation], &[("news.unrouted", kept)], &function);
}

#[tokio::test]
async fn batch_that_comes_again_has_the_same_ids_and_bodies() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    subscribe(broker, &vhost, "#").await;
    let stage = Stage::new(broker, &vhost).await;
    let function = stage.start().await;
    let event = insertions(&["a1", "b1", "a2"]);
    let mut taken = Vec::new();
    for _ in 0..2 {
        assert_eq!(response(&function.invoke(&event).await), DONE);
        let mut messages: Vec<_> = broker.drain(&vhost, QUEUE).await.unwrap().iter().map(readable).collect();
        messages.sort_by_key(|message| message["message_id"].to_string());
        taken.push(messages);
    }
    assert_eq!(taken[0], taken[1]);
    assert_eq!(taken[0].len(), 3);
}

#[tokio::test]
async fn message_that_no_queue_takes_comes_again() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    subscribe(broker, &vhost, "*.*.rtrs").await;
    let stage = Stage::new(broker, &vhost).await;
    let function = stage.start().await;
    unbind_unrouted(broker, &vhost).await;
    let event = event(&[
        insertion(101, &item("a1", "a", "RTRS")),
        insertion(102, &item("b1", "b", "nobody's")),
        insertion(103, &item("a2", "a", "RTRS")),
    ]);
    let invocation = function.invoke(&event).await;
    assert_eq!(response(&invocation), r#"{"batchItemFailures":[{"itemIdentifier":"102"}]}"#);
    assert_eq!(ids(broker, &vhost, QUEUE).await, ["a1"]);
    snapshot(&stage, "returned", &event, &[&invocation], &[], &function);
}

#[tokio::test]
async fn broker_with_an_alarm_is_waited_for() {
    let broker = troubled().await;
    let vhost = broker.vhost().await.unwrap();
    let stage = Stage::new(&broker, &vhost).await;
    let function = stage.start().await;
    broker.block().await.unwrap();
    let event = insertions(&["a1", "b1", "a2"]);
    let blocked = function.invoke(&event).await;
    broker.unblock().await.unwrap();
    let unblocked = function.invoke(&event).await;
    assert_eq!(response(&unblocked), DONE);
    let there = ids(&broker, &vhost, "news.unrouted").await;
    assert_in_order(&there, &["a1", "b1", "a2"]);
    snapshot(&stage, "blocked", &event, &[&blocked, &unblocked], &[], &function);
}

#[tokio::test]
async fn frozen_function_reconnects_and_says_nothing() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let mut stage = Stage::new(broker, &vhost).await;
    stage.settings.broker_url += "?heartbeat=1";
    let function = stage.start().await;
    assert_eq!(response(&function.invoke(&insertions(&["a1"])).await), DONE);
    let of_vhost = format!(
        r#"length([Pid || Pid <- rabbit_networking:connections(), (catch rabbit_reader:info(Pid, [vhost])) =:= [{{vhost, <<"{vhost}">>}}]])"#
    );
    function.freeze().await.unwrap();
    eventually("the broker has closed the connection", || async {
        broker.eval(of_vhost.clone()).await.unwrap() == "0"
    })
    .await;
    function.thaw().await.unwrap();
    let event = insertions(&["a2", "b1"]);
    let invocation = function.invoke(&event).await;
    assert_eq!(response(&invocation), DONE);
    assert_eq!(ids(broker, &vhost, "news.unrouted").await, ["a1", "a2", "b1"]);
    snapshot(&stage, "frozen", &event, &[&invocation], &[], &function);
}

#[tokio::test]
async fn broker_restarted_between_batches_is_found_again() {
    let broker = troubled().await;
    let vhost = broker.vhost().await.unwrap();
    let stage = Stage::new(&broker, &vhost).await;
    let function = stage.start().await;
    assert_eq!(response(&function.invoke(&insertions(&["a1", "b1"])).await), DONE);
    broker.restart().await.unwrap();
    let event = insertions(&["a2", "b2"]);
    assert_eq!(response(&function.invoke(&event).await), DONE);
    assert_in_order(&ids(&broker, &vhost, "news.unrouted").await, &["a1", "b1", "a2", "b2"]);
}

#[tokio::test]
async fn function_starts_without_a_broker_and_the_batch_comes_again() {
    let broker = troubled().await;
    let vhost = broker.vhost().await.unwrap();
    broker.stop().await.unwrap();
    let mut stage = Stage::new(&broker, &vhost).await;
    stage.settings.connect_timeout_ms = 300;
    let function = stage.start().await;
    let event = insertions(&["a1", "b1", "a2"]);
    let away = function.invoke(&event).await;
    assert_eq!(response(&away), r#"{"batchItemFailures":[{"itemIdentifier":"101"}]}"#);
    let unnumbered = function.invoke(&json!({ "Records": [null] })).await;
    assert!(matches!(&unnumbered.outcome, Outcome::Error { kind, .. } if kind == "Unnumbered"), "{unnumbered:?}");
    broker.restart().await.unwrap();
    let back = function.invoke(&event).await;
    assert_eq!(response(&back), DONE);
    assert_in_order(&ids(&broker, &vhost, "news.unrouted").await, &["a1", "b1", "a2"]);
    snapshot(&stage, "broker_away", &event, &[&away, &unnumbered, &back], &[], &function);
}

#[tokio::test]
async fn changed_password_is_read_when_it_is_needed() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    broker.add_user("rotating", "before").await.unwrap();
    broker.permit("rotating", &vhost).await.unwrap();
    let stage = Stage::new(broker, &vhost).await;
    let secret = |password: &str| json!({ "username": "rotating", "password": password });
    stage.aws.secrets().put("broker", &secret("before"));
    let function = stage.start().await;
    assert_eq!(response(&function.invoke(&insertions(&["a1"])).await), DONE);

    stage.aws.secrets().put("broker", &secret("after"));
    broker.change_password("rotating", "after").await.unwrap();
    let connection = format!(r#"<<"{vhost}">>"#);
    let close = format!(
        "begin [rabbit_networking:close_connection(Pid, \"told to\") || Pid <- rabbit_networking:connections(), \
         (catch rabbit_reader:info(Pid, [vhost])) =:= [{{vhost, {connection}}}]], ok end"
    );
    broker.eval(close).await.unwrap();
    assert_eq!(response(&function.invoke(&insertions(&["a2"])).await), DONE);
    assert_eq!(stage.aws.secrets().calls().len(), 2);
    let output = function.lines().join("\n");
    assert!(!output.contains("before") && !output.contains("after"), "{output}");
}

#[tokio::test]
async fn credentials_in_the_address_are_refused_at_the_start() {
    let broker = Broker::shared().await.unwrap();
    let mut stage = Stage::new(broker, "/").await;
    stage.settings.broker_url = broker.url("/");
    let function = stage.builder().start().await.unwrap();
    let error = function.ready().await.unwrap_err().to_string();
    assert!(error.contains("BROKER_URL has a user or a password in it"), "{error}");
    assert!(!error.contains(PASSWORD) && !function.lines().join("\n").contains(PASSWORD));
}

#[tokio::test]
async fn function_runs_over_tls() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let mut stage = Stage::new(broker, &vhost).await;
    stage.settings.broker_url = format!("amqps://{}/{vhost}", broker.tls_address());
    stage.settings.broker_ca_file = Some(broker.ca_file().to_string_lossy().into_owned());
    let function = stage.start().await;
    assert_eq!(response(&function.invoke(&insertions(&["a1"])).await), DONE);
    assert_eq!(ids(broker, &vhost, "news.unrouted").await, ["a1"]);
}
