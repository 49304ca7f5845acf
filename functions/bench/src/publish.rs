//! `publish`: a private RabbitMQ node, over AMQPS.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use local::rabbitmq::{Broker, Error, Message, PASSWORD, USER};
use news::{routing, settings::PublishSettings};
use serde_json::{Value, json};

use crate::{
    Bench, events,
    measure::measure,
    packages::{self, Program},
    row::{Row, Who},
    stub::Latency,
};

/// What the exchange hands messages to.
struct Scenario {
    name: &'static str,
    /// `x-queue-type`
    queue: &'static str,
}

const SCENARIOS: [Scenario; 2] =
    [Scenario { name: "classic queue", queue: "classic" }, Scenario { name: "quorum queue", queue: "quorum" }];

const FUNCTION: &str = "publish";
const VHOST: &str = "/";
const QUEUE: &str = "bench";

/// How long messages may take to the queue after the last answer: one function doesn't wait for confirms.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the stand-in of Secrets Manager has to give.
pub(crate) fn secret() -> Value {
    json!({ "username": USER, "password": PASSWORD })
}

/// Measures everyone's `publish` in every scenario that is wanted.
pub(crate) async fn rows(bench: &Bench) -> Result<Vec<Row>> {
    if SCENARIOS.iter().all(|scenario| bench.who(FUNCTION, scenario.name).is_empty()) {
        return Ok(Vec::new());
    }
    let broker = match Broker::start().await {
        Err(missing @ Error::NotInstalled(_)) => {
            eprintln!("{FUNCTION} is left out: {missing}");
            return Ok(Vec::new());
        }
        started => started?,
    };
    let connection = Connection::connect(&broker.url(VHOST), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    declare_exchange(&channel).await?;
    let mut rows = Vec::new();
    for scenario in &SCENARIOS {
        for who in bench.who(FUNCTION, scenario.name) {
            let program = program(bench, &broker, who)?;
            let what = format!("{FUNCTION}, {}, {}", scenario.name, who.name());
            eprintln!("{what}");
            declare_queue(&channel, scenario.queue).await?;
            rows.push(row(bench, &broker, scenario, who, &program).await.context(what)?);
            channel.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await?;
        }
    }
    Ok(rows)
}

fn program(bench: &Bench, broker: &Broker, who: Who) -> Result<Program> {
    let program = match who {
        Who::OneByOne => packages::pythons(bench.python()?, "publish", &["pika"])?,
        Who::WithCare => packages::pythons(bench.python()?, "publish_tuned", &["pika"])?,
        Who::Newsloom => packages::ours(&bench.arguments.publish, &bench.folder.join(FUNCTION))?,
    };
    let authority = broker.ca_file().display().to_string();
    let python = [("AMQP_URL", broker.tls_url(VHOST)), ("AMQP_CA_FILE", authority.clone())];
    let settings = PublishSettings {
        pipeline: "bench".into(),
        broker_url: format!("amqps://{}", broker.tls_address()),
        broker_secret: "broker".into(),
        broker_ca_file: Some(authority),
        exchange: routing::EXCHANGE.into(),
        unrouted_limit: 10_000,
        messages_in_flight: 1000,
        confirm_timeout_ms: 10_000,
        connect_timeout_ms: 5_000,
    };
    let builder = program.builder.envs(python).envs(settings.into_variables());
    Ok(Program { builder: builder.name(FUNCTION).env("AWS_ENDPOINT_URL", bench.stub.url()), ..program })
}

async fn row(bench: &Bench, broker: &Broker, scenario: &Scenario, who: Who, program: &Program) -> Result<Row> {
    bench.stub.prepare(Latency::default(), []);
    let measured = measure(&program.builder, bench.plan, events::dynamodb).await?;
    check(broker, bench.plan.all_records()).await?;
    Ok(Row {
        function: FUNCTION,
        scenario: scenario.name,
        who,
        package_kb: program.package_kb,
        measured,
        least: None,
        counts: None,
    })
}

/// Empties the queue; an error where a message is missing or there twice.
async fn check(broker: &Broker, records: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while depth(broker).await? < records && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let messages = broker.drain(VHOST, QUEUE).await?;
    let id = |message: &Message| message.properties.message_id().as_ref().map(ToString::to_string);
    let distinct: HashSet<_> = messages.iter().filter_map(id).collect();
    let missing = (0..records).filter(|&number| !distinct.contains(&events::id(number))).count();
    ensure!(missing == 0, "of {records} records {missing} are not in the queue");
    ensure!(messages.len() == records, "{records} records went in, {} messages are in the queue", messages.len());
    Ok(())
}

async fn depth(broker: &Broker) -> Result<usize> {
    Ok(usize::try_from(broker.queue_depth(VHOST, QUEUE).await?)?)
}

/// As our `publish` declares it, so that everyone publishes to the same.
async fn declare_exchange(channel: &Channel) -> Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    let unrouted = routing::unrouted(routing::EXCHANGE);
    arguments.insert("alternate-exchange".into(), AMQPValue::LongString(unrouted.into()));
    channel.exchange_declare(routing::EXCHANGE.into(), ExchangeKind::Topic, durable, arguments).await?;
    Ok(())
}

/// A new queue that gets everything.
async fn declare_queue(channel: &Channel, kind: &str) -> Result<()> {
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
    channel.queue_declare(QUEUE.into(), durable, arguments).await?;
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(QUEUE.into(), routing::EXCHANGE.into(), "#".into(), options, none).await?;
    Ok(())
}
