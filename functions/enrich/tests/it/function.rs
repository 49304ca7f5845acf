//! The real binary under a Runtime API, with the services on this machine. The snapshots are what it does: event in,
//! calls, answer, rows, messages, log out.

use crate::items::{item, item_in};
use local::{
    aws::{
        Aws,
        sagemaker::{Answer, Labels},
    },
    function::{Error, Function},
    runtime_api::{Invocation, Options, Outcome},
};
use news::{
    Kind, NewsItem, Status,
    settings::{EnrichSettings, Route},
    table,
};
use serde_json::{Map, Value, json};
use std::{
    fmt::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/quarantine";

/// One of each at once, so that calls have an order.
fn settings() -> EnrichSettings {
    let route = |languages: &[&str], endpoint: &str, model: &str| Route {
        languages: languages.iter().map(|&language| language.into()).collect(),
        endpoint_name: endpoint.into(),
        model: model.into(),
        model_version: "main".into(),
    };
    EnrichSettings {
        pipeline: "news".into(),
        table_name: "articles".into(),
        quarantine_url: QUEUE.into(),
        ttl_days: 0,
        routes: vec![
            route(&["en"], "finbert", "ProsusAI/finbert"),
            route(&["de", "fr"], "multilingual", "example/finbert-multilingual"),
        ],
        headlines_per_request: 4,
        requests_in_flight: 1,
        request_timeout_ms: 10_000,
        writes_in_flight: 1,
    }
}

/// The function and what it works with.
struct Stage {
    aws: Aws,
    function: Function,
}

impl Stage {
    async fn new() -> Self {
        Self::with(settings()).await
    }

    async fn with(settings: EnrichSettings) -> Self {
        let aws = Aws::start().await.unwrap();
        aws.dynamodb().create_table("articles");
        let function = Function::builder(env!("CARGO_BIN_EXE_enrich")).envs(aws.environment());
        let function = function.envs(settings.into_variables()).start().await.unwrap();
        function.ready().await.unwrap();
        Self { aws, function }
    }

    async fn invoke(&self, event: &Value) -> Invocation {
        self.invoke_with(event, Options::default()).await
    }

    /// Invokes the function, and waits for what it has to say: the answer comes by another way than the log.
    async fn invoke_with(&self, event: &Value, options: Options) -> Invocation {
        let invocation = self.function.invoke_with(event.to_string(), options).await;
        let deadline = Instant::now() + Duration::from_secs(10);
        let told = |line: &String| line.contains(&invocation.request_id) && line.contains("Batch done.");
        while !self.function.lines().iter().any(told) {
            assert!(Instant::now() < deadline, "{:?}", self.function.lines());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        invocation
    }

    /// What the function did, since the last time that the services' journals were reset.
    fn seen(&self, event: &Value, invocation: &Invocation) -> String {
        let mut text = "event\n".to_owned();
        for record in records_of(event) {
            let _ = writeln!(text, "  {record}");
        }
        let mut section = |title: &str, lines: Vec<Value>| {
            let _ = writeln!(text, "{title}");
            for line in lines {
                let _ = writeln!(text, "  {}", redacted(line));
            }
        };
        section("models", self.model_calls());
        section("table", self.table_calls());
        section("answer", vec![answer_of(invocation)]);
        section("rows", self.rows());
        section("quarantine", self.messages());
        section("log", self.log(invocation));
        text
    }

    /// Endpoint by endpoint: they are asked at once.
    fn model_calls(&self) -> Vec<Value> {
        let mut calls = self.aws.sagemaker().calls();
        calls.sort_by(|one, other| one.endpoint.cmp(&other.endpoint));
        let shown = |call: &local::aws::sagemaker::Call| json!({ "endpoint": call.endpoint, "inputs": call.inputs, "parameters": call.parameters, "answered": call.answered });
        calls.iter().map(shown).collect()
    }

    fn table_calls(&self) -> Vec<Value> {
        let calls = self.aws.dynamodb().all_calls();
        let shown = |call: &local::aws::DynamoDbCall| {
            let request = call.request();
            let keys = request.pointer("/RequestItems/articles/Keys").and_then(Value::as_array).map(Vec::len);
            let statements = request["Statements"].as_array().map(Vec::len);
            let asked = keys.map_or(json!({ "statements": statements }), |keys| json!({ "keys": keys }));
            json!({ "operation": call.operation, "asked": asked, "answered": call.answered })
        };
        calls.iter().map(shown).collect()
    }

    /// As items; how they are rows, the table's own tests say.
    fn rows(&self) -> Vec<Value> {
        let item = |row: Value| table::from_row(serde_json::from_value(row).unwrap()).unwrap();
        let rows = self.aws.dynamodb().items("articles").into_iter();
        rows.map(|row| serde_json::to_value(item(row)).unwrap()).collect()
    }

    fn messages(&self) -> Vec<Value> {
        let messages = self.aws.sqs().messages(QUEUE);
        messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }

    /// The lines of this invocation; every one is JSON.
    fn log(&self, invocation: &Invocation) -> Vec<Value> {
        let lines = self.function.lines();
        let lines = lines.iter().filter(|line| line.contains(&invocation.request_id));
        lines.filter_map(|line| log_line(line)).collect()
    }
}

/// Times, ids of requests and how long something took differ from run to run; scores are the lexicon's own affair after two
/// digits; the rest of a metric's line is locked where it is written.
fn redacted(value: Value) -> Value {
    const DIFFER: [&str; 7] = ["enriched", "time", "requestId", "request_id", "milliseconds", "ModelLatency", "_aws"];
    let member = |(name, value): (String, Value)| {
        let differs = DIFFER.contains(&name.as_str());
        let value = if differs { json!("…") } else { redacted(value) };
        (name, value)
    };
    match value {
        Value::Object(members) => members.into_iter().map(member).collect::<Map<_, _>>().into(),
        Value::Array(values) => values.into_iter().map(redacted).collect(),
        Value::Number(number) if number.is_f64() => json!(format!("{:.2}", number.as_f64().unwrap())),
        other => other,
    }
}

/// A line of the log without what the logging itself adds; `None` for what others log.
fn log_line(line: &str) -> Option<Value> {
    let mut line: Map<String, Value> = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let target = line.remove("target");
    line.retain(|name, _| !["timestamp", "spans"].contains(&name.as_str()));
    let ours = target.is_none_or(|target| target.as_str().is_some_and(|target| target.starts_with("enrich")));
    ours.then_some(line.into())
}

fn answer_of(invocation: &Invocation) -> Value {
    match &invocation.outcome {
        Outcome::Response(_) => invocation.json(),
        other => json!(format!("{other:?}")),
    }
}

fn records_of(event: &Value) -> Vec<Value> {
    let shown = |record: &Value| {
        let record = enrich::Record::from_event(&serde_json::value::to_raw_value(record).unwrap());
        let data = String::from_utf8_lossy(&record.data).into_owned();
        json!({ "sequence_number": record.position.sequence_number, "data": serde_json::from_str(&data).unwrap_or(json!(data)) })
    };
    event["Records"].as_array().unwrap().iter().map(shown).collect()
}

/// An event of these records' data, with the numbers that Kinesis would give them.
fn event(records: &[Vec<u8>]) -> Value {
    let record = |(at, data): (usize, &Vec<u8>)| {
        let number = format!("495903382714902566085596925383615710959215759891365{:05}", 88898 + at);
        let mut data_64 = aws_lambda_events::encodings::Base64Data::default();
        data_64.0.clone_from(data);
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "thread",
                "sequenceNumber": number,
                "data": data_64,
                "approximateArrivalTimestamp": 1_767_323_045.731,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("shardId-000000000000:{number}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/newsloom-enrichment-enrich",
            "awsRegion": "eu-west-1",
            "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/news",
        })
    };
    json!({ "Records": records.iter().enumerate().map(record).collect::<Vec<_>>() })
}

fn items(items: &[NewsItem]) -> Value {
    event(&items.iter().map(NewsItem::to_record).collect::<Vec<_>>())
}

/// The sequence number of a record of an event.
fn number(event: &Value, at: usize) -> &str {
    event["Records"][at]["kinesis"]["sequenceNumber"].as_str().unwrap()
}

fn again_from(event: &Value, at: usize) -> Value {
    json!({ "batchItemFailures": [{ "itemIdentifier": number(event, at) }] })
}

fn done() -> Value {
    json!({ "batchItemFailures": [] })
}

fn snapshot(situation: &str, text: &str) {
    let mut insta = insta::Settings::clone_current();
    insta.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../snapshots"));
    insta.set_prepend_module_to_snapshot(false);
    insta.set_omit_expression(true);
    insta.bind(|| insta::assert_snapshot!(format!("enrich_{situation}"), text));
}

/// Runs one event after the scene was set, and locks what was seen.
async fn locked(situation: &str, event: &Value, set: impl FnOnce(&Aws)) -> (Stage, Invocation) {
    let stage = Stage::new().await;
    set(&stage.aws);
    let invocation = stage.invoke(event).await;
    snapshot(situation, &stage.seen(event, &invocation));
    (stage, invocation)
}

#[tokio::test]
async fn ordinary_batch_is_judged_and_stored() {
    let alert = NewsItem { kind: Kind::Alert, thread: "t1".into(), ..item("a1", "EXAMPLE PLC CUTS OUTLOOK") };
    let story = NewsItem { thread: "t1".into(), body: "LONDON - …".into(), ..item("a2", "Example plc cuts outlook") };
    let event = items(&[alert, item("b1", "Sample AG lifts outlook after record quarter"), story]);
    let (stage, invocation) = locked("ordinary_batch", &event, |_| ()).await;
    assert_eq!(invocation.json(), done());
    assert_eq!(
        stage.aws.not_understood(),
        ["GET /ping -", "GET /ping -"],
        "connections are warm before the first event"
    );
}

#[tokio::test]
async fn repeats_are_skipped_and_nothing_is_asked_for_them() {
    let stage = Stage::new().await;
    stage.invoke(&items(&[item("a", "Example plc cuts outlook")])).await;
    stage.aws.sagemaker().reset();
    stage.aws.dynamodb().reset();
    let event = items(&[item("a", "Example plc cuts outlook"), item("b", "Oil falls"), item("b", "Oil falls")]);
    let invocation = stage.invoke(&event).await;
    snapshot("repeats", &stage.seen(&event, &invocation));
    assert_eq!((invocation.json(), stage.aws.sagemaker().judged()), (done(), 1));
}

#[tokio::test]
async fn languages_go_to_their_endpoints_and_what_has_none_is_stored_unjudged() {
    let event = items(&[
        item_in("de", "a", "Gewinn steigt stark"),
        item_in("en", "b", "Profit rises"),
        item_in("ja", "c", "株価が上昇"),
        item_in("fr", "d", "Le titre chute"),
        NewsItem { status: Status::Canceled, ..item("e", "Profit rises") },
        item("f", " "),
    ]);
    let (_, invocation) = locked("mixed_languages", &event, |_| ()).await;
    assert_eq!(invocation.json(), done());
}

#[tokio::test]
async fn headline_that_the_model_cannot_stand_is_set_aside_and_the_batch_goes_on() {
    let event = items(&[item("a", "Oil falls"), item("b", "x\u{7}x"), item("c", "Gold gains"), item("d", "Fed meets")]);
    let (stage, invocation) = locked("poison_in_the_middle", &event, |aws| aws.sagemaker().poison("\u{7}")).await;
    assert_eq!((invocation.json(), stage.aws.dynamodb().count("articles")), (done(), 3));
}

#[tokio::test]
async fn label_that_is_no_sentiment_is_set_aside() {
    let event = items(&[item("a", "Oil falls"), item_in("de", "b", "Gewinn steigt")]);
    let labels = |aws: &Aws| aws.sagemaker().labels("finbert", Labels::numbered());
    let (stage, invocation) = locked("unknown_label", &event, labels).await;
    assert_eq!((invocation.json(), stage.aws.dynamodb().count("articles")), (done(), 1));
}

#[tokio::test]
async fn aggregated_record_is_set_aside() {
    let event = event(&[vec![0xF3, 0x89, 0x9A, 0xC2, 0x0A, 0x01, 0xFF], item("a", "Oil falls").to_record()]);
    let (stage, invocation) = locked("aggregated", &event, |_| ()).await;
    assert_eq!((invocation.json(), stage.aws.dynamodb().count("articles")), (done(), 1));
}

#[tokio::test]
async fn malformed_records_are_set_aside_among_good_ones() {
    let mut event = event(&[
        item("a", "Oil falls").to_record(),
        b"Profit warning".to_vec(),
        br#"{"version":9,"story":{}}"#.to_vec(),
        item("", "Gold gains").to_record(),
        b"?".to_vec(),
        item("b", "Fed meets").to_record(),
    ]);
    event["Records"][4]["kinesis"]["data"] = json!("no base64!");
    let (stage, invocation) = locked("malformed_among_good", &event, |_| ()).await;
    assert_eq!((invocation.json(), stage.aws.dynamodb().count("articles")), (done(), 2));
}

#[tokio::test]
async fn throttled_endpoint_is_asked_again_until_it_answers() {
    let event = items(&[item("a", "Oil falls"), item("b", "Gold gains")]);
    let busy = |aws: &Aws| aws.sagemaker().answers("finbert", vec![Answer::Throttled; 3]);
    let (_, invocation) = locked("endpoint_throttled", &event, busy).await;
    assert_eq!(invocation.json(), done());
}

#[tokio::test]
async fn endpoint_that_is_throttled_for_seconds_is_waited_for() {
    let stage = Stage::new().await;
    stage.aws.sagemaker().throttle_for(Duration::from_secs(2));
    let invocation = stage.invoke(&items(&[item("a", "Oil falls")])).await;
    assert_eq!((invocation.json(), stage.aws.dynamodb().count("articles")), (done(), 1));
    assert!(stage.aws.sagemaker().count() < 40, "not hammered: {}", stage.aws.sagemaker().count());
}

#[tokio::test]
async fn endpoint_that_is_not_ready_is_asked_again() {
    let event = items(&[item("a", "Oil falls")]);
    let cold = |aws: &Aws| aws.sagemaker().answers("finbert", [Answer::NotReady, Answer::Unavailable, Answer::Close]);
    let (_, invocation) = locked("endpoint_not_ready", &event, cold).await;
    assert_eq!(invocation.json(), done());
}

#[tokio::test]
async fn endpoint_that_does_not_exist_stops_its_records_and_no_others() {
    let event = items(&[item_in("de", "a", "Gewinn steigt"), item("b", "Oil falls"), item_in("ja", "c", "株価が上昇")]);
    let absent = |aws: &Aws| aws.sagemaker().only(["multilingual"]);
    let (stage, invocation) = locked("endpoint_absent", &event, absent).await;
    assert_eq!(invocation.json(), again_from(&event, 1));
    assert_eq!((stage.aws.dynamodb().count("articles"), stage.aws.sqs().count()), (2, 0));
}

#[tokio::test]
async fn throttled_table_is_asked_again() {
    let event = items(&[item("a", "Oil falls"), item("b", "Gold gains")]);
    let (_, invocation) = locked("table_throttled", &event, |aws| aws.dynamodb().throttle(2)).await;
    assert_eq!(invocation.json(), done());
}

#[tokio::test]
async fn statement_that_is_throttled_is_sent_again_alone() {
    let event = items(&[item("a", "Oil falls"), item("b", "Gold gains"), item("c", "Fed meets")]);
    let (_, invocation) = locked("statement_throttled", &event, |aws| aws.dynamodb().throttle_statements(1)).await;
    assert_eq!(invocation.json(), done());
}

#[tokio::test]
async fn near_the_deadline_what_is_judged_is_stored_and_the_rest_comes_again() {
    let stage = Stage::new().await;
    stage.aws.sagemaker().answer("finbert", Answer::Hang);
    let event = items(&[item_in("de", "a", "Gewinn steigt"), item("b", "Oil falls"), item_in("de", "c", "Verlust")]);
    let short = Options { timeout: Duration::from_millis(2500), ..Options::default() };
    let invocation = stage.invoke_with(&event, short).await;
    snapshot("time_nearly_up", &stage.seen(&event, &invocation));
    assert_eq!(invocation.json(), again_from(&event, 1));
    assert_eq!(stage.aws.dynamodb().count("articles"), 2);
}

#[tokio::test]
async fn without_any_time_the_first_record_comes_again_at_once() {
    let stage = Stage::new().await;
    let event = items(&[item("a", "Oil falls"), item("b", "Gold gains")]);
    let short = Options { timeout: Duration::from_millis(450), ..Options::default() };
    let invocation = stage.invoke_with(&event, short).await;
    assert_eq!(invocation.json(), again_from(&event, 0));
    assert_eq!((stage.aws.sagemaker().count(), stage.aws.dynamodb().count("articles")), (0, 0));
}

#[tokio::test]
async fn record_that_cannot_be_set_aside_comes_again() {
    let stage = Stage::new().await;
    stage.aws.sqs().fail(100_000);
    let event = event(&[item("a", "Oil falls").to_record(), b"no item".to_vec(), item("b", "Gold gains").to_record()]);
    let short = Options { timeout: Duration::from_millis(1500), ..Options::default() };
    let invocation = stage.invoke_with(&event, short).await;
    snapshot("quarantine_down", &stage.seen(&event, &invocation));
    assert_eq!(invocation.json(), again_from(&event, 1));
    assert_eq!(stage.aws.dynamodb().count("articles"), 2);
}

#[tokio::test]
async fn frozen_function_goes_on_when_it_is_thawed() {
    let stage = Stage::new().await;
    assert_eq!(stage.invoke(&items(&[item("a", "Oil falls")])).await.json(), done());
    stage.function.freeze().await.unwrap();
    // What a pool takes for an open connection need not be one any more.
    stage.aws.sagemaker().answer("finbert", Answer::Close);
    stage.function.thaw().await.unwrap();
    assert_eq!(stage.invoke(&items(&[item("b", "Gold gains")])).await.json(), done());
    assert_eq!(stage.aws.dynamodb().count("articles"), 2);
}

#[tokio::test]
async fn replay_of_an_event_asks_nothing_and_stores_nothing() {
    let stage = Stage::new().await;
    let event = items(&[item("a", "Oil falls"), item_in("ja", "b", "株価が上昇")]);
    stage.invoke(&event).await;
    let rows = stage.aws.dynamodb().items("articles");
    stage.aws.sagemaker().reset();
    stage.aws.dynamodb().reset();
    let invocation = stage.invoke(&event).await;
    snapshot("shard_replay", &stage.seen(&event, &invocation));
    assert_eq!((invocation.json(), stage.aws.sagemaker().count()), (done(), 0));
    assert_eq!(stage.aws.dynamodb().items("articles"), rows);
}

#[tokio::test]
async fn record_without_a_number_that_has_to_come_again_fails_the_invocation() {
    let mut event = items(&[item("a", "Oil falls")]);
    event["Records"][0]["kinesis"]["sequenceNumber"] = json!("");
    let absent = |aws: &Aws| aws.sagemaker().only(["another"]);
    let (_, invocation) = locked("no_sequence_number", &event, absent).await;
    assert!(
        matches!(&invocation.outcome, Outcome::Error { kind, .. } if kind == "Enrich.NoSequenceNumber"),
        "{invocation:?}"
    );
}

#[tokio::test]
async fn item_that_nobody_traced_goes_on_under_the_invocations_trace() {
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let stage = Stage::new().await;
    let own = NewsItem { trace: Some("Root=1-own".into()), ..item("b", "Gold gains") };
    let traced = Options { trace: Some(trace.into()), ..Options::default() };
    stage.invoke_with(&items(&[item("a", "Oil falls"), own]), traced).await;
    let rows = stage.aws.dynamodb().items("articles");
    assert_eq!(rows[0]["trace"]["S"], trace);
    assert_eq!(rows[1]["trace"]["S"], "Root=1-own");
}

#[tokio::test]
async fn large_batch_is_asked_several_at_once_and_within_its_bounds() {
    let many = EnrichSettings { headlines_per_request: 16, requests_in_flight: 3, writes_in_flight: 4, ..settings() };
    let stage = Stage::with(many).await;
    stage.aws.sagemaker().latency(Duration::from_millis(50), Duration::ZERO);
    let all: Vec<_> = (0..100).map(|number| item(&format!("{number:03}"), &format!("Oil falls {number}"))).collect();
    assert_eq!(stage.invoke(&items(&all)).await.json(), done());
    assert_eq!((stage.aws.sagemaker().count(), stage.aws.sagemaker().peak()), (7, 3));
    assert_eq!(stage.aws.dynamodb().count("articles"), 100);
    assert_eq!(stage.aws.dynamodb().all_calls().len(), 1 + 4);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_told_to_lambda_at_once() {
    let function = Function::builder(env!("CARGO_BIN_EXE_enrich")).env("ROUTES", "x").start().await.unwrap();
    let Err(Error::NotReady(outcome)) = function.ready().await else { panic!("it got ready") };
    let said = format!("{outcome:?}");
    assert!(
        said.contains("missing environment variables: PIPELINE, TABLE_NAME") && said.contains("ROUTES is"),
        "{said}"
    );

    // Without a Runtime API to tell, the log still says so.
    let mut command = Command::new(env!("CARGO_BIN_EXE_enrich"));
    let output = command.env_clear().env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("missing environment variables: PIPELINE"));
}
