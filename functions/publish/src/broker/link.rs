//! A connection and its one channel.

use super::{ConnectError, Told, Topology, socket};
use crate::{Failure, NotReady, Returned, message::Message};
use amqp::{Login, OwnedSocket};
use futures_util::StreamExt;
use jiff::Timestamp;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, Event,
    options::BasicPublishOptions,
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable},
};
use news::routing::{CONTENT_TYPE, header};
use runtime::{Budget, with_causes};
use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};

/// Who published: a message's `app_id`.
const APP_ID: &str = "newsloom";

/// AMQP's delivery mode of a message that survives a restart.
const PERSISTENT: u8 = 2;

/// How long a connection that may be dead is given for an answer. A round trip takes a few milliseconds.
const ANSWER: Duration = Duration::from_secs(1);

/// A connection and its one channel, on which messages are confirmed.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    channel: Channel,
    /// The broker's alarm, while it blocks us.
    alarm: watch::Receiver<Option<String>>,
    listener: JoinHandle<()>,
    /// When the broker was last heard, milliseconds since 1970. Of the wall clock: the other one may stand still while the
    /// function is frozen.
    heard: AtomicI64,
    /// Whether something that was sent is without an answer.
    unanswered: AtomicBool,
    /// Closes when all else is dropped.
    _socket: OwnedSocket,
}

impl Link {
    /// Connects and declares.
    pub(super) async fn open(told: &Told, login: &Login) -> Result<Self, ConnectError> {
        let socket = OwnedSocket::default();
        let uri = told.address.with_login(&login.username, &login.password);
        let connection = socket::connect(uri, &told.tls, &socket).await;
        let connection = connection.map_err(|source| failed(told, login, source))?;
        let (alarms, alarm) = watch::channel(None);
        let listener = tokio::spawn(listen(connection.events_listener(), alarms));
        let channel = told.topology.declare(&connection).await?;
        let (heard, unanswered) = (AtomicI64::new(now()), AtomicBool::new(false));
        Ok(Self { connection, channel, alarm, listener, heard, unanswered, _socket: socket })
    }

    /// Whether nobody has noticed yet that it is closed.
    pub(super) fn is_open(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Whether it should be asked before it is believed: something is without an answer, or it was silent for more than half
    /// of the heartbeat, so that the broker may have closed it. A clock that went back says nothing, so it is asked too.
    pub(super) fn is_doubtful(&self) -> bool {
        let silent = now() - self.heard.load(Ordering::Relaxed);
        let believed = 0..=i64::from(self.heartbeat()) * 1000 / 2;
        // A blocked connection sends nothing, not even a question.
        !self.is_blocked() && (self.unanswered.load(Ordering::Relaxed) || !believed.contains(&silent))
    }

    /// As broker and client agreed, seconds.
    pub(super) fn heartbeat(&self) -> u16 {
        self.connection.configuration().heartbeat()
    }

    /// Asks the broker something, to see whether it is still there.
    pub(super) async fn answers(&self, topology: &Topology, budget: Budget) -> bool {
        let patience = Budget::of(ANSWER.min(budget.left()));
        let answered = matches!(patience.run(topology.ask(&self.channel)).await, Ok(Ok(())));
        if answered {
            self.hear();
            self.unanswered.store(false, Ordering::Relaxed);
        }
        answered
    }

    /// Waits until the broker takes messages.
    pub(super) async fn unblocked(&self, budget: Budget) -> Result<(), NotReady> {
        match budget.run(self.wait_until_unblocked()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(NotReady(format!("it has an alarm: {}", self.alarm().unwrap_or_default()))),
        }
    }

    /// Sends a message and waits for its confirm.
    pub(super) async fn publish(&self, topology: &Topology, message: &Message) -> Result<Option<Returned>, Failure> {
        // lapin keeps what it can't send, and sends it when the alarm ends, when we have long told Lambda that it failed.
        self.wait_until_unblocked().await;
        let question = Unanswered(&self.unanswered);
        let exchange = topology.exchange(message.destination);
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let key = message.routing_key.as_str().into();
        let sent = self.channel.basic_publish(exchange, key, options, &message.body, properties(message)).await;
        let confirmation = sent.map_err(|error| lost(&error))?.await.map_err(|error| lost(&error))?;
        question.answered();
        self.hear();
        match confirmation {
            Confirmation::Ack(returned) => Ok(returned.map(|returned| Returned {
                id: returned.properties.message_id().clone().map(Into::into).unwrap_or_default(),
                reason: format!("{} {}", returned.reply_code, returned.reply_text),
            })),
            Confirmation::Nack(_) => Err(Failure::Nacked),
            Confirmation::NotRequested => Err(Failure::Lost("the channel confirms nothing".into())),
        }
    }

    async fn wait_until_unblocked(&self) {
        let mut alarm = self.alarm.clone();
        // lapin says it here first; the event comes a moment later. A listener that ended has lost the connection.
        while self.is_blocked() && self.is_open() && alarm.changed().await.is_ok() {}
    }

    fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    fn alarm(&self) -> Option<String> {
        self.alarm.borrow().clone()
    }

    fn hear(&self) {
        self.heard.store(now(), Ordering::Relaxed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Tells of alarms.
async fn listen(events: impl futures_util::Stream<Item = Event>, alarms: watch::Sender<Option<String>>) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                tracing::warn!(%reason, "The broker has an alarm and takes no messages until it ends.");
                alarms.send_replace(Some(reason));
            }
            Event::ConnectionUnblocked => {
                tracing::info!("The broker's alarm has ended.");
                alarms.send_replace(None);
            }
            Event::Error(error) => {
                tracing::debug!(%error, "The connection or its channel is closed.");
                alarms.send_modify(|_| ());
            }
            _ => (),
        }
    }
}

/// A message's properties, as the contract has them.
fn properties(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in &message.headers {
        headers.insert((*name).into(), AMQPValue::LongString(value.as_str().into()));
    }
    headers.insert(header::SENT.into(), AMQPValue::LongLongInt(now()));
    let properties = BasicProperties::default()
        .with_content_type(CONTENT_TYPE.into())
        .with_type(message.kind.into())
        .with_message_id(message.id.as_str().into())
        .with_app_id(APP_ID.into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers);
    match message.timestamp {
        Some(timestamp) => properties.with_timestamp(timestamp),
        None => properties,
    }
}

/// Remembers that there is no answer, unless there is one.
struct Unanswered<'a>(&'a AtomicBool);

impl Unanswered<'_> {
    fn answered(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn lost(error: &lapin::Error) -> Failure {
    Failure::Lost(with_causes(error))
}

fn failed(told: &Told, login: &Login, source: lapin::Error) -> ConnectError {
    if is_refusal(&source) {
        return ConnectError::Refused { user: login.username.clone(), source };
    }
    ConnectError::Unreachable { address: told.address.clone(), source }
}

/// Wrong user or password, `ACCESS_REFUSED`.
fn is_refusal(error: &lapin::Error) -> bool {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => *error.kind() == AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED),
        _ => false,
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
