//! What the tests share: a broker, a login, items, and a subscriber's queue.

use amqp::{Login, SecretError};
use lapin::{
    Connection, ConnectionProperties,
    options::{QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use local::rabbitmq::{Broker, PASSWORD, USER};
use news::EnrichedItem;
use publish::{
    Limits, Report,
    broker::{RabbitMq, Tls, Told, Topology},
    credentials::Credentials,
    message::Message,
    publish,
};
use runtime::Budget;
use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{MutexGuard, OnceCell};

/// The queue of the tests' subscriber.
pub(crate) const QUEUE: &str = "subscriber";

/// A broker that may be blocked and killed, one test at a time; whole again for each.
pub(crate) async fn troubled() -> MutexGuard<'static, Broker> {
    static TROUBLED: OnceCell<tokio::sync::Mutex<Broker>> = OnceCell::const_new();
    let broker = TROUBLED.get_or_init(|| async { tokio::sync::Mutex::new(Broker::start().await.unwrap()) }).await;
    let broker = broker.lock().await;
    if broker.unblock().await.is_err() {
        broker.restart().await.unwrap();
    }
    broker
}

/// A topic exchange's worth of subscribers: one queue, which takes everything. Made by the subscriber, who needs the exchange.
pub(crate) async fn subscribe(broker: &Broker, vhost: &str, pattern: &str) {
    let told = told(&plain(broker, vhost), None);
    RabbitMq::new(told, Logins::right()).connect(budget(10)).await.unwrap();
    let connection = Connection::connect(&broker.url(vhost), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(QUEUE.into(), durable, arguments).await.unwrap();
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(QUEUE.into(), "news".into(), pattern.into(), options, none).await.unwrap();
    connection.close(200, "".into()).await.unwrap();
}

/// Takes the queue of the unrouted off its exchange.
pub(crate) async fn unbind_unrouted(broker: &Broker, vhost: &str) {
    let connection = Connection::connect(&broker.url(vhost), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let (name, none) = ("news.unrouted", FieldTable::default());
    channel.queue_unbind(name.into(), name.into(), "".into(), none).await.unwrap();
    connection.close(200, "".into()).await.unwrap();
}

/// `amqp://127.0.0.1:port/vhost`, without credentials.
pub(crate) fn plain(broker: &Broker, vhost: &str) -> String {
    format!("amqp://{}/{vhost}", broker.address())
}

pub(crate) fn told(url: &str, ca_file: Option<&Path>) -> Told {
    Told {
        address: url.parse().unwrap(),
        tls: Tls::trusting(ca_file).unwrap(),
        topology: Topology::new("news", 1000),
        connect: Duration::from_secs(3),
        blocked: Duration::from_secs(1),
    }
}

/// Hands out logins one after the other, the last one again and again, and counts.
#[derive(Debug, Clone)]
pub(crate) struct Logins {
    logins: Arc<Mutex<VecDeque<Login>>>,
    asked: Arc<Mutex<usize>>,
}

impl Logins {
    pub(crate) fn of(logins: &[(&str, &str)]) -> Self {
        let login = |(user, password): &(&str, &str)| Login { username: (*user).into(), password: (*password).into() };
        Self { logins: Arc::new(Mutex::new(logins.iter().map(login).collect())), asked: Arc::default() }
    }

    pub(crate) fn right() -> Self {
        Self::of(&[(USER, PASSWORD)])
    }

    pub(crate) fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

impl Credentials for Logins {
    async fn login(&self) -> Result<Login, SecretError> {
        *self.asked.lock().unwrap() += 1;
        let mut logins = self.logins.lock().unwrap();
        let login = logins.front().unwrap().clone();
        if logins.len() > 1 {
            logins.pop_front();
        }
        Ok(login)
    }
}

pub(crate) fn article() -> EnrichedItem {
    serde_json::from_str(include_str!("../../../../docs/contract/examples/article.json")).unwrap()
}

/// An item of a story; of a provider `x` if nobody shall be bound to it.
pub(crate) fn item(id: &str, thread: &str, provider: &str) -> EnrichedItem {
    let mut item = article();
    item.item.id = id.into();
    item.item.thread = thread.into();
    item.item.provider = provider.into();
    item
}

/// Items `a1 b1 a2`: the letter is the story.
pub(crate) fn messages(ids: &[&str]) -> Vec<Message> {
    let message = |(position, id): (usize, &&str)| Message::new(position, &item(id, &id[..1], "RTRS"), None);
    ids.iter().enumerate().map(message).collect()
}

pub(crate) const LIMITS: Limits = Limits { in_flight: 100, confirm: Duration::from_secs(2) };

pub(crate) async fn send(ids: &[&str], broker: &mut RabbitMq<Logins>) -> Report {
    publish(messages(ids), broker, LIMITS, budget(10)).await
}

pub(crate) fn budget(seconds: u64) -> Budget {
    Budget::of(Duration::from_secs(seconds))
}

pub(crate) fn confirmed(report: &Report) -> Vec<&str> {
    let mut ids: Vec<_> = report.confirmed.iter().map(|(message, _)| message.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

pub(crate) fn failures(report: &Report) -> Vec<(&str, String)> {
    report.failed.iter().map(|(message, failure)| (message.id.as_str(), failure.to_string())).collect()
}

/// The ids in a queue, in order.
pub(crate) async fn ids(broker: &Broker, vhost: &str, queue: &str) -> Vec<String> {
    let messages = broker.drain(vhost, queue).await.unwrap();
    messages.iter().map(|message| message.properties.message_id().clone().unwrap().to_string()).collect()
}

/// Nothing lost, and each story in its order: of every id that is promised the first appearance is after the first
/// appearances of the earlier ones of its story.
pub(crate) fn assert_in_order(ids: &[String], promised: &[&str]) {
    let first = |id: &str| ids.iter().position(|other| other == id);
    for id in promised {
        let at = first(id).unwrap_or_else(|| panic!("{id} was lost: {ids:?}"));
        for earlier in promised.iter().filter(|earlier| earlier[..1] == id[..1] && *earlier < id) {
            assert!(first(earlier).is_some_and(|earlier| earlier < at), "{earlier} comes after {id}: {ids:?}");
        }
    }
}

/// Waits until something is so, at most ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, so: impl Fn() -> F) {
    for _ in 0..500 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain until {what}");
}
