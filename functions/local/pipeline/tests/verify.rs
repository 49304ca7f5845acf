//! The test vector against stand-ins for the functions: one that does right, and some that don't.

use aws_sdk_kinesis::config::{Credentials, Region, SharedCredentialsProvider};
use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use local::{
    aws::{Aws, StreamRecord},
    rabbitmq::{Broker, PASSWORD, USER},
};
use local_pipeline::{
    Deployment, Outputs,
    verify::{Feed, Model, Models, Options, Outcome, Report, Vector, VerifyError, never, verify},
};
use news::{EnrichedItem, Judgement, Label, NewsItem, Reason, Sentiment, Status, routing, table};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, task::JoinHandle, time::sleep};

const STREAM: &str = "news";
const TABLE: &str = "articles";

/// What a stand-in does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    DropsAnItem,
    PublishesNothingOfIt,
    PublishesTwice,
    PublishesOutOfOrder,
    PublishesUnderAnotherKey,
    PublishesUnderAnothersMark,
    PublishesAnotherBody,
    PublishesAStranger,
    JudgesWrongly,
    SumsUpWrongly,
    NamesAnotherModel,
    CutsTheHeadline,
    DropsPoison,
    IsBlockedByPoison,
    NamesAnotherReason,
    SetsAsideWhatIsFine,
    StoresWhatIsTooLarge,
    GivesUp,
}

/// A pipeline without functions.
struct Desk {
    aws: Aws,
    deployment: Deployment,
    models: Models,
    channel: Channel,
    /// How many records the functions are done with.
    handled: AtomicUsize,
    _connection: Connection,
}

impl Desk {
    async fn new() -> Arc<Self> {
        let aws = Aws::start().await.unwrap();
        aws.kinesis().create_stream(STREAM, 2);
        aws.dynamodb().create_table(TABLE);
        for queue in ["quarantine", "enrich-failures", "publish-failures"] {
            aws.sqs().create_queue(queue);
        }
        let broker = Broker::shared().await.unwrap();
        let vhost = broker.vhost().await.unwrap();
        let connection = Connection::connect(&broker.url(&vhost), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let outputs = Outputs {
            stream: STREAM.into(),
            table: TABLE.into(),
            quarantine_url: aws.queue_url("quarantine"),
            enrich_failures_url: aws.queue_url("enrich-failures"),
            publish_failures_url: aws.queue_url("publish-failures"),
            broker_url: format!("amqps://{}/{vhost}", broker.tls_address()),
            broker_secret: aws.secrets().put("broker", &json!({ "username": USER, "password": PASSWORD })),
        };
        let (config, exchange) = (config(&aws).await, routing::EXCHANGE.to_owned());
        let deployment = Deployment { config, outputs, exchange, broker_ca: Some(broker.ca_file()) };
        let model = Model { name: "lexicon".into(), version: "1".into() };
        let models = ["en", "de", "sv"]
            .into_iter()
            .fold(Models::default(), |models, language| models.with([language], model.clone()));
        let handled = AtomicUsize::new(0);
        Arc::new(Self { aws, deployment, models, channel, handled, _connection: connection })
    }

    fn options(&self) -> Options {
        let poll = Duration::from_millis(20);
        let (limit, settle) = (Duration::from_secs(30), Duration::from_millis(300));
        Options { tricks: true, limit, settle, poll, ..Options::local(self.models.clone()) }
    }

    /// What comes of the vector where the functions do this.
    async fn verify(self: &Arc<Self>, fault: Fault) -> Report {
        self.verify_with(fault, &Vector::default(), &self.options(), never()).await
    }

    /// What comes of these rows alone where the functions do this, when they are done with all of them. Nobody waits for
    /// what never comes, and nothing else can be late.
    async fn verify_rows(self: &Arc<Self>, fault: Fault, rows: &[&str]) -> Report {
        let mut vector = Vector::default();
        vector.rows.retain(|row| rows.contains(&row.name.as_str()));
        assert_eq!(vector.rows.len(), rows.len());
        let done = until(|| self.handled.load(Ordering::SeqCst) == rows.len());
        self.verify_with(fault, &vector, &self.options(), done).await
    }

    async fn verify_with(
        self: &Arc<Self>,
        fault: Fault,
        vector: &Vector,
        options: &Options,
        stop: impl Future<Output = ()>,
    ) -> Report {
        let functions = Functions::start(self, fault);
        let report = verify(&self.deployment, None, vector, options, stop).await.unwrap();
        functions.stop();
        report
    }

    fn messages(&self, queue: &str) -> usize {
        self.aws.sqs().messages(queue).len()
    }
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(10)).await;
    }
}

async fn config(aws: &Aws) -> aws_config::SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "test");
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(aws.url())
        .region(Region::new(aws.region().to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .load()
        .await
}

/// In place of enrich and publish.
struct Functions {
    task: JoinHandle<()>,
}

impl Functions {
    fn start(desk: &Arc<Desk>, fault: Fault) -> Self {
        let desk = Arc::clone(desk);
        let work = Work { desk, fault, stored: HashSet::new(), held: None, blocked: HashSet::new() };
        Self { task: tokio::spawn(work.run()) }
    }

    fn stop(self) {
        assert!(!self.task.is_finished(), "the functions' stand-in panicked");
        self.task.abort();
    }
}

struct Work {
    desk: Arc<Desk>,
    fault: Fault,
    stored: HashSet<String>,
    held: Option<EnrichedItem>,
    /// Partition keys that nothing comes of any more.
    blocked: HashSet<String>,
}

impl Work {
    async fn run(mut self) {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let mut alternate = FieldTable::default();
        let unrouted = routing::unrouted(routing::EXCHANGE);
        alternate.insert("alternate-exchange".into(), AMQPValue::LongString(unrouted.as_str().into()));
        let declare =
            |name: &str, kind, arguments| self.desk.channel.exchange_declare(name.into(), kind, durable, arguments);
        declare(&unrouted, ExchangeKind::Fanout, FieldTable::default()).await.unwrap();
        declare(routing::EXCHANGE, ExchangeKind::Topic, alternate).await.unwrap();
        let mut done: HashMap<String, usize> = HashMap::new();
        loop {
            let shards = self.desk.aws.kinesis().records(STREAM);
            for shard in shards {
                let done = done.entry(shard.id).or_default();
                for record in &shard.records[*done..] {
                    self.enrich(record).await;
                    *done += 1;
                    self.desk.handled.fetch_add(1, Ordering::SeqCst);
                }
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    async fn enrich(&mut self, record: &StreamRecord) {
        if self.blocked.contains(&record.key) {
            return;
        }
        let item = match NewsItem::from_record(&record.data) {
            Ok(item) => item,
            Err(refused) if self.fault == Fault::IsBlockedByPoison => {
                self.blocked.insert(record.key.clone());
                return self.set_aside(record, refused.code(), None).await;
            }
            Err(_) if self.fault == Fault::DropsPoison && record.data.starts_with(b"Profit") => return,
            Err(refused) => return self.set_aside(record, refused.code(), None).await,
        };
        let is = |name: &str| item.id.ends_with(&format!(":{name}"));
        if self.fault == Fault::DropsAnItem && is("positive") || !self.stored.insert(item.id.clone()) {
            return;
        }
        if self.fault == Fault::SetsAsideWhatIsFine && is("positive") {
            self.set_aside(record, "unknown_label", Some(&item.id)).await;
        }
        if self.fault == Fault::GivesUp && is("positive") {
            self.give_up(record).await;
        }
        let sentiment = match self.judge(&item) {
            Ok(sentiment) => sentiment,
            Err(code) => return self.set_aside(record, code, Some(&item.id)).await,
        };
        let now = Timestamp::now();
        let mut item = EnrichedItem { item, sentiment, arrived: Some(now), enriched: now };
        if self.fault == Fault::CutsTheHeadline && item.item.id.ends_with(":long-headline") {
            item.item.headline.truncate(512);
        }
        let row = table::to_row(&item, 0);
        if table::size(&row) > table::MAX_ROW {
            if self.fault == Fault::StoresWhatIsTooLarge {
                item.item.body.clear();
                self.desk.aws.dynamodb().put(TABLE, &serde_json::to_value(table::to_row(&item, 0)).unwrap());
            }
            return self.set_aside(record, "too_large", Some(&item.item.id)).await;
        }
        self.desk.aws.dynamodb().put(TABLE, &serde_json::to_value(row).unwrap());
        self.publish_all(item).await;
    }

    fn judge(&self, item: &NewsItem) -> Result<Sentiment, &'static str> {
        let unjudged = |reason| Ok(Sentiment::Unjudged { reason });
        match item {
            _ if item.status == Status::Canceled => return unjudged(Reason::Canceled),
            _ if item.headline.is_empty() => return unjudged(Reason::NoHeadline),
            _ if self.desk.models.of(&item.language).is_none() => return unjudged(Reason::NoRoute),
            _ if item.headline.contains("qzxqzx") => return Err("model_refused"),
            _ if item.language == "sv" => return Err("unknown_label"),
            _ => (),
        }
        let wrong = |fault| self.fault == fault && item.id.ends_with(":positive");
        let (label, score) = self.desk.aws.sagemaker().opinion("finbert", &item.headline);
        let label = Label::from_model(&label).unwrap();
        let label = if wrong(Fault::JudgesWrongly) { Label::Negative } else { label };
        let others = Label::ALL.into_iter().filter(|other| *other != label).map(|other| (other, (1.0 - score) / 2.0));
        let mut scores: std::collections::BTreeMap<_, _> = others.chain([(label, score)]).collect();
        if wrong(Fault::SumsUpWrongly) {
            scores.retain(|other, _| *other == label);
            scores.insert(Label::Negative, 0.5);
        }
        let model = if wrong(Fault::NamesAnotherModel) { "another" } else { "lexicon" };
        Ok(Sentiment::Judged(Judgement { label, score, scores, model: model.into(), model_version: "1".into() }))
    }

    async fn set_aside(&self, record: &StreamRecord, code: &str, id: Option<&str>) {
        let odd = self.fault == Fault::NamesAnotherReason && code == "aggregated";
        let message = json!({
            "reason": { "code": if odd { "odd" } else { code }, "text": "why" },
            "position": { "partition_key": record.key, "sequence_number": record.number },
            "id": id, "data": { "text": "…" }, "bytes": record.data.len(), "cut": true,
            "function": "enrich", "request_id": "r", "time": Timestamp::now(),
        });
        self.send(&self.desk.deployment.outputs.quarantine_url, message.to_string()).await;
    }

    async fn give_up(&self, record: &StreamRecord) {
        let message = json!({
            "requestContext": {
                "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:enrich",
                "condition": "RetryAttemptsExhausted",
            },
            "KinesisBatchInfo": {
                "shardId": self.shard_of(record), "startSequenceNumber": record.number,
                "endSequenceNumber": record.number, "batchSize": 1,
                "approximateArrivalOfLastRecord": Timestamp::now(),
            },
        });
        self.send(&self.desk.deployment.outputs.enrich_failures_url, message.to_string()).await;
    }

    fn shard_of(&self, record: &StreamRecord) -> String {
        let shards = self.desk.aws.kinesis().records(STREAM);
        shards.into_iter().find(|shard| shard.records.contains(record)).unwrap().id
    }

    async fn send(&self, queue: &str, body: String) {
        let client = aws_sdk_sqs::Client::new(&self.desk.deployment.config);
        client.send_message().queue_url(queue).message_body(body).send().await.unwrap();
    }

    async fn publish_all(&mut self, item: EnrichedItem) {
        let is = |name: &str| item.item.id.ends_with(&format!(":{name}"));
        match self.fault {
            Fault::PublishesNothingOfIt if is("positive") => return,
            Fault::PublishesOutOfOrder if is("take-1") => {
                self.held = Some(item);
                return;
            }
            // Another take comes behind it, which the run waits for.
            Fault::PublishesTwice if is("take-1") => self.publish(&item).await,
            Fault::PublishesAStranger if is("positive") => {
                let mut stranger = item.clone();
                stranger.item.id.push('?');
                self.publish(&stranger).await;
            }
            _ => (),
        }
        self.publish(&item).await;
        if let Some(held) = self.held.take_if(|held| held.item.thread == item.item.thread) {
            self.publish(&held).await;
        }
    }

    async fn publish(&self, item: &EnrichedItem) {
        let news = &item.item;
        let wrong = |fault| self.fault == fault && news.id.ends_with(":positive");
        let mut headers = FieldTable::default();
        for (name, value) in [
            ("language", news.language.as_str()),
            ("sentiment", item.sentiment.name()),
            ("provider", &news.provider),
            ("source", &news.source),
            ("kind", news.kind.name()),
            ("status", news.status.name()),
            ("thread", &news.thread),
        ] {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
        headers.insert("sent_ms".into(), AMQPValue::LongLongInt(Timestamp::now().as_millisecond()));
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_type("news.item.v1".into())
            .with_message_id(routing::message_id(&news.id).into())
            .with_delivery_mode(2)
            .with_headers(headers);
        let mut body = item.clone();
        if wrong(Fault::PublishesAnotherBody) {
            body.item.body = "another".into();
        }
        let key = routing::key(item);
        let key = if wrong(Fault::PublishesUnderAnotherKey) { key.replacen("en.", "EN.", 1) } else { key };
        let strange = wrong(Fault::PublishesUnderAnothersMark);
        let key = if strange { key.replacen("newsloom-verify", "another", 1) } else { key };
        let (exchange, body) = (routing::EXCHANGE.into(), serde_json::to_vec(&body).unwrap());
        let options = BasicPublishOptions::default();
        let sent = self.desk.channel.basic_publish(exchange, key.into(), options, &body, properties).await;
        sent.unwrap().await.unwrap();
    }
}

/// Everything that is wrong, a line each.
fn wrong(report: &Report) -> Vec<String> {
    let rows = report.rows.iter();
    let of_rows = rows.flat_map(|row| row.wrong.iter().map(move |wrong| format!("{}: {wrong}", row.name)));
    of_rows.chain(report.wrong.iter().cloned()).collect()
}

#[tokio::test]
async fn pipeline_that_does_right_passes_and_nothing_is_left() {
    let desk = Desk::new().await;
    desk.aws.dynamodb().put(TABLE, &json!({ "article_id": { "S": "somebody's" } }));
    let report = desk.verify(Fault::None).await;
    assert!(report.passed, "{report:#?}");
    let skipped: Vec<_> = report.rows.iter().filter(|row| row.outcome == Outcome::Skipped).collect();
    assert_eq!(skipped.iter().map(|row| &*row.name).collect::<Vec<_>>(), ["fragments"]);
    assert_eq!(report.counts.exchange, Some(report.counts.table));
    assert_eq!((report.counts.unrouted, report.counts.given_up), (0, 0));
    assert_eq!(report.counts.reasons["malformed"], 2);
    let row = report.rows.iter().find(|row| row.name == "positive").unwrap();
    assert!(row.times.stream <= row.times.exchange && row.times.enriched.is_some(), "{:?}", row.times);
    assert_eq!(desk.aws.dynamodb().count(TABLE), 1, "what is somebody else's stays");
    assert_eq!(desk.messages("quarantine"), 0);
    assert_eq!(report.notes, Vec::<String>::new());
    assert_eq!(desk.aws.not_understood(), Vec::<String>::new());
}

#[tokio::test]
async fn second_run_finds_nothing_of_the_first() {
    let desk = Desk::new().await;
    let functions = Functions::start(&desk, Fault::None);
    for _ in 0..2 {
        let report = verify(&desk.deployment, None, &Vector::default(), &desk.options(), never()).await.unwrap();
        assert!(report.passed, "{report:#?}");
    }
    functions.stop();
}

#[tokio::test]
async fn exchange_can_be_left_out() {
    let desk = Desk::new().await;
    let options = Options { exchange: false, ..desk.options() };
    let report = desk.verify_with(Fault::PublishesNothingOfIt, &Vector::default(), &options, never()).await;
    assert!(report.passed, "{report:#?}");
    assert_eq!(report.counts.exchange, None);
}

/// A test for each fault, so that they run beside each other.
macro_rules! faults {
    ($($name:ident: $fault:ident => $expected:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let desk = Desk::new().await;
            let report = desk.verify(Fault::$fault).await;
            is_wrong(&desk, &report, &$expected);
        }
    )*};
}

/// This is wrong and nothing else, and nothing is left.
fn is_wrong(desk: &Desk, report: &Report, all: &[&str]) {
    assert!(!report.passed);
    let wrong = wrong(report);
    for expected in all {
        assert!(wrong.iter().any(|wrong| wrong.contains(expected)), "{expected}: {wrong:#?}");
    }
    assert!(wrong.iter().all(|wrong| all.iter().any(|expected| wrong.contains(expected))), "{wrong:#?}");
    assert_eq!(desk.aws.dynamodb().count(TABLE), 0);
    assert_eq!((desk.messages("quarantine"), desk.messages("enrich-failures")), (0, 0));
}

/// The same for faults that leave something out: of these rows alone, as all the others would be waited for too.
macro_rules! losses {
    ($($name:ident: $fault:ident of $rows:expr => $expected:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let desk = Desk::new().await;
            let report = desk.verify_rows(Fault::$fault, &$rows).await;
            is_wrong(&desk, &report, &$expected);
        }
    )*};
}

losses! {
    dropped_item_is_found: DropsAnItem of ["positive"] => [
        "positive: table: row: expected one, found none after 30 s when it was stopped",
        "positive: exchange: messages: expected 1, found none after 30 s when it was stopped",
    ];
    unpublished_item_is_found: PublishesNothingOfIt of ["positive"] => [
        "positive: exchange: messages: expected 1, found none after 30 s when it was stopped",
    ];
    lost_poison_is_found: DropsPoison of ["no-json"] => [
        "no-json: quarantine: messages: expected 1, found none after 30 s when it was stopped",
    ];
    blocked_key_is_found: IsBlockedByPoison of ["no-json", "last"] => [
        "last: table: row: expected one, found none after 30 s when it was stopped",
        "last: exchange: messages: expected 1, found none after 30 s when it was stopped",
    ];
}

#[tokio::test]
async fn what_never_comes_is_waited_for_as_long_as_is_said_and_no_longer() {
    let desk = Desk::new().await;
    let mut vector = Vector::default();
    vector.rows.retain(|row| row.name == "positive");
    let options = Options { limit: Duration::from_secs(1), ..desk.options() };
    let report = desk.verify_with(Fault::DropsAnItem, &vector, &options, never()).await;
    let expected =
        ["table: row: expected one, found none after 1 s", "exchange: messages: expected 1, found none after 1 s"];
    is_wrong(&desk, &report, &expected);
    assert!(!report.interrupted && report.seconds >= 1.0, "{report:?}");
}

#[tokio::test]
async fn message_that_comes_by_way_of_the_unrouted_is_counted_as_one() {
    let desk = Desk::new().await;
    let report = desk.verify(Fault::PublishesUnderAnothersMark).await;
    is_wrong(&desk, &report, &["positive: exchange: routing key: expected \"en.positive.newsloom-verify-"]);
    assert_eq!(report.counts.unrouted, 1);
}

#[tokio::test]
async fn run_that_tries_nothing_does_not_pass() {
    let desk = Desk::new().await;
    let mut vector = Vector::default();
    vector.rows.retain(|row| row.name == "fragments");
    let report = desk.verify_with(Fault::None, &vector, &desk.options(), never()).await;
    is_wrong(&desk, &report, &["nothing was tried: every row was skipped"]);
}

faults! {
    repeated_message_is_found: PublishesTwice => ["take-1: exchange: messages: expected 1, found 2"];
    wrong_order_is_found: PublishesOutOfOrder => ["take-2: exchange: order: expected after take-1, found before take-1"];
    wrong_key_is_found: PublishesUnderAnotherKey => ["positive: exchange: routing key: expected \"en.positive."];
    wrong_body_is_found: PublishesAnotherBody => ["positive: exchange: body, body: expected \"Example plc raised"];
    message_of_no_row_is_found: PublishesAStranger => ["exchange: a message of no row: newsloom-verify-"];
    wrong_label_is_found: JudgesWrongly => [
        "positive: table: sentiment.label: expected \"positive\", found \"negative\"",
        "positive: exchange: routing key: expected \"en.positive.",
        "positive: exchange: header sentiment: expected \"positive\", found \"negative\"",
    ];
    wrong_scores_are_found: SumsUpWrongly => ["positive: table: sentiment.scores: expected a sum of 1"];
    wrong_model_is_found: NamesAnotherModel => ["positive: table: sentiment.model: expected \"lexicon\", found \"another\""];
    changed_item_is_found: CutsTheHeadline => ["long-headline: table: headline: expected \"Sample Corp"];
    wrong_reason_is_found: NamesAnotherReason => ["aggregated: quarantine: reason: expected aggregated, found odd: why"];
    healthy_item_in_the_quarantine_is_found: SetsAsideWhatIsFine => [
        "positive: quarantine: messages: expected none, found unknown_label: why",
    ];
    row_of_what_was_set_aside_is_found: StoresWhatIsTooLarge => ["too-large: table: row: expected none, found one"];
    batch_that_was_given_up_is_found: GivesUp => ["enrich gave up on a batch of 1: RetryAttemptsExhausted"];
}

#[tokio::test]
async fn stopped_run_says_so_and_cleans_up() {
    let desk = Desk::new().await;
    let functions = Functions::start(&desk, Fault::DropsAnItem);
    let rows = async {
        while desk.aws.dynamodb().count(TABLE) < 5 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let report = verify(&desk.deployment, None, &Vector::default(), &desk.options(), rows).await.unwrap();
    functions.stop();
    assert!(report.interrupted && !report.passed);
    assert!(report.notes.iter().any(|note| note.contains("never seen")), "{:?}", report.notes);
}

/// A feed that says when it is asked, and takes its time.
#[derive(Default)]
struct Slow {
    asked: Notify,
    sent: AtomicBool,
}

impl Feed for Slow {
    fn name(&self) -> &'static str {
        "lseg"
    }

    fn send(&self, _: simulator::Story) -> futures_util::future::BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            assert!(!self.sent.load(Ordering::SeqCst), "it was stopped");
            self.asked.notify_one();
            sleep(Duration::from_millis(200)).await;
            self.sent.store(true, Ordering::SeqCst);
            Ok(())
        })
    }
}

#[tokio::test]
async fn request_that_is_under_way_when_a_run_is_stopped_is_finished_and_known() {
    let (desk, feed) = (Desk::new().await, Slow::default());
    let stop = feed.asked.notified();
    let report = verify(&desk.deployment, Some(&feed), &Vector::default(), &desk.options(), stop).await.unwrap();
    assert!(feed.sent.load(Ordering::SeqCst) && report.interrupted);
    assert_eq!(report.counts.put, 1);
    let note = "1 rows were put in and never seen";
    assert!(report.notes.iter().any(|said| said.starts_with(note)), "{:?}", report.notes);
}

async fn refused(deployment: &Deployment, desk: &Desk) -> String {
    let vector = Vector::default();
    let verified: Result<Report, VerifyError> = verify(deployment, None, &vector, &desk.options(), never()).await;
    let error = verified.unwrap_err();
    let text = format!("{:#}", anyhow::Error::new(error));
    assert!(!text.contains(PASSWORD), "{text}");
    let put: usize = desk.aws.kinesis().records(STREAM).iter().map(|shard| shard.records.len()).sum();
    assert_eq!(put, 0, "nothing is put in where it can't be seen");
    text
}

#[tokio::test]
async fn what_cannot_be_reached_is_named_before_anything_is_put_in() {
    let desk = Desk::new().await;
    let with = |change: fn(&mut Deployment)| {
        let mut deployment = desk.deployment.clone();
        change(&mut deployment);
        deployment
    };
    for (deployment, expected) in [
        (
            with(|deployment| deployment.outputs.broker_url = "amqp://127.0.0.1:1".into()),
            "could not connect to the broker amqp://127.0.0.1:1: ",
        ),
        (with(|deployment| deployment.outputs.broker_url = "nowhere".into()), "BrokerUrl is no address of a broker: "),
        (
            with(|deployment| deployment.outputs.broker_secret = "none".into()),
            "could not read the broker's credentials: ",
        ),
        (
            with(|deployment| deployment.broker_ca = Some("/nowhere/ca.pem".into())),
            "could not read the certificate /nowhere/ca.pem: ",
        ),
        (with(|deployment| deployment.outputs.table = "nowhere".into()), "could not read the table nowhere: "),
    ] {
        let text = refused(&deployment, &desk).await;
        assert!(text.starts_with(expected), "{expected}: {text}");
    }
    let other = desk.aws.secrets().put("other", &json!({ "username": USER, "password": "another" }));
    let mut deployment = desk.deployment.clone();
    deployment.outputs.broker_secret = other;
    let text = refused(&deployment, &desk).await;
    assert!(text.contains("refuses: ") && text.contains("ACCESS_REFUSED"), "{text}");
}

/// The futures of a run can be spawned.
#[test]
fn run_can_be_on_any_thread() {
    fn is_send(_: impl Future<Output = ()> + Send) {}
    is_send(never());
}
