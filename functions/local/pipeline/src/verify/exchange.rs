//! A subscriber that counts every delivery, also those that a usual one takes for repeats.

use super::seen::{Delivered, is_of};
use crate::Deployment;
use amqp::{Login, SecretError, login_of_secret};
use futures_util::StreamExt;
use lapin::{
    Channel, Connection, ConnectionProperties, ExchangeKind,
    message::Delivery,
    options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    tcp::OwnedTLSConfig,
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};
use news::routing::{self, header};
use runtime::with_causes;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// How long connecting may take, and every answer of the broker.
const PATIENCE: Duration = Duration::from_secs(10);

/// AMQP's number for a message that survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// Nobody could subscribe.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No credentials.
    #[error("could not read the broker's credentials")]
    Secret(#[from] SecretError),
    /// The certificate to trust can't be read.
    #[error("could not read the certificate {}", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The stack's output is no address.
    #[error("BrokerUrl is no address of a broker: {0}")]
    Address(String),
    /// There is no way to it.
    #[error("could not connect to the broker {broker}: {why}")]
    Unreachable {
        /// Its address.
        broker: String,
        /// Why.
        why: String,
    },
    /// It takes the name and the password, or the subscription, of nobody like us.
    #[error("the broker {broker} refuses: {why}")]
    Refused {
        /// Its address.
        broker: String,
        /// In its words.
        why: String,
    },
}

/// A subscriber with a queue of its own, which the broker removes with the connection.
#[derive(Debug)]
pub(super) struct Subscriber {
    connection: Connection,
    inbox: mpsc::UnboundedReceiver<Delivered>,
    reader: JoinHandle<()>,
    mark: String,
    /// What else to know.
    pub(super) notes: Vec<String>,
}

impl Subscriber {
    /// Subscribes to what is of the run: by the last word of the routing key, which is its provider, and to all that
    /// nobody subscribed to.
    pub(super) async fn connect(deployment: &Deployment, mark: &str, began: Instant) -> Result<Self, ExchangeError> {
        let secrets = aws_sdk_secretsmanager::Client::new(&deployment.config);
        let login = login_of_secret(&secrets, &deployment.outputs.broker_secret).await?;
        let broker = deployment.outputs.broker_url.as_str();
        let connection = connect(deployment, &login).await?;
        let opened = within(broker, subscribe(&connection, &deployment.exchange, mark)).await?;
        let (consumer, notes) = opened.map_err(|error| refused(broker, &error))?;
        let (outbox, inbox) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            let mut consumer = consumer;
            while let Some(Ok(delivery)) = consumer.next().await {
                if outbox.send(delivered(delivery, began.elapsed())).is_err() {
                    break;
                }
            }
        });
        Ok(Self { connection, inbox, reader, mark: mark.into(), notes })
    }

    /// What came since it was last asked, of the run.
    pub(super) fn take(&mut self) -> Vec<Delivered> {
        let mut came = Vec::new();
        while let Ok(delivered) = self.inbox.try_recv() {
            came.extend(is_of_run(&delivered, &self.mark).then_some(delivered));
        }
        came
    }

    /// Whether the connection is still there.
    pub(super) fn is_connected(&self) -> bool {
        !self.reader.is_finished()
    }

    /// Ends the subscription, and the queue with it.
    pub(super) async fn close(self) {
        // What is not closed in order, the broker notices by the end of the process.
        let _ = timeout(PATIENCE, self.connection.close(200, "".into())).await;
    }
}

fn is_of_run(delivered: &Delivered, mark: &str) -> bool {
    is_of(&delivered.message_id, mark) || delivered.headers.get(header::PROVIDER).is_some_and(|own| own == mark)
}

async fn connect(deployment: &Deployment, login: &Login) -> Result<Connection, ExchangeError> {
    let broker = deployment.outputs.broker_url.as_str();
    let ca = match &deployment.broker_ca {
        None => None,
        Some(path) => {
            let read = tokio::fs::read_to_string(path).await;
            Some(read.map_err(|source| ExchangeError::Certificate { path: path.clone(), source })?)
        }
    };
    let mut uri: AMQPUri = broker.trim().parse().map_err(ExchangeError::Address)?;
    uri.authority.userinfo.username.clone_from(&login.username);
    uri.authority.userinfo.password.clone_from(&login.password);
    // By the letter a closing slash names the virtual host "", which nobody has.
    if uri.vhost.is_empty() {
        uri.vhost = "/".into();
    }
    let properties = ConnectionProperties::default().with_connection_name("newsloom-local verify".into());
    let tls = OwnedTLSConfig { identity: None, cert_chain: ca };
    let runtime = lapin::runtime::default_runtime().map_err(|error| refused(broker, &error))?;
    let connecting = Connection::connect_uri_with_config(uri, properties, tls, runtime);
    within(broker, connecting).await?.map_err(|error| match error.kind() {
        lapin::ErrorKind::ProtocolError(_) => refused(broker, &error),
        _ => ExchangeError::Unreachable { broker: broker.into(), why: with_causes(&error) },
    })
}

async fn within<T>(broker: &str, question: impl Future<Output = T>) -> Result<T, ExchangeError> {
    let why = || format!("no answer within {} s", PATIENCE.as_secs());
    timeout(PATIENCE, question).await.map_err(|_| ExchangeError::Unreachable { broker: broker.into(), why: why() })
}

fn refused(broker: &str, error: &lapin::Error) -> ExchangeError {
    ExchangeError::Refused { broker: broker.into(), why: with_causes(error) }
}

async fn subscribe(
    connection: &Connection,
    exchange: &str,
    mark: &str,
) -> lapin::Result<(lapin::Consumer, Vec<String>)> {
    let mut notes = Vec::new();
    let unrouted = routing::unrouted(exchange);
    ensure(connection, exchange, &unrouted).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    // Said, as a broker may have another default, and an exclusive queue can't be a quorum queue.
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    let queue = channel.queue_declare("".into(), options, arguments).await?.name().clone();
    bind(&channel, queue.as_str(), exchange, &format!("#.{mark}")).await?;
    // A refusal closes its channel, so that it has one of its own.
    let second = connection.create_channel().await?;
    if let Err(error) = bind(&second, queue.as_str(), &unrouted, "").await {
        notes.push(format!("nobody looked at {unrouted}: {}", with_causes(&error)));
    }
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
    Ok((consumer, notes))
}

/// The exchanges are made by publish, when it first publishes: too late for who wants its first message. So they are made
/// here as it makes them, where they are missing.
async fn ensure(connection: &Connection, exchange: &str, unrouted: &str) -> lapin::Result<()> {
    let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let mut alternate = FieldTable::default();
    alternate.insert("alternate-exchange".into(), AMQPValue::LongString(unrouted.into()));
    for (name, kind, arguments) in
        [(unrouted, ExchangeKind::Fanout, FieldTable::default()), (exchange, ExchangeKind::Topic, alternate)]
    {
        let channel = connection.create_channel().await?;
        if channel.exchange_declare(name.into(), kind.clone(), passive, FieldTable::default()).await.is_err() {
            let channel = connection.create_channel().await?;
            channel.exchange_declare(name.into(), kind, durable, arguments).await?;
        }
    }
    Ok(())
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, pattern: &str) -> lapin::Result<()> {
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.into(), exchange.into(), pattern.into(), options, none).await
}

fn delivered(delivery: Delivery, at: Duration) -> Delivered {
    let properties = &delivery.properties;
    let text = |text: &Option<lapin::types::ShortString>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    let headers = properties.headers().iter().flat_map(FieldTable::inner);
    let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_string(), plain(value))).collect();
    Delivered {
        at,
        exchange: delivery.exchange.to_string(),
        routing_key: delivery.routing_key.to_string(),
        message_id: text(properties.message_id()),
        kind: text(properties.kind()),
        content_type: text(properties.content_type()),
        persistent: *properties.delivery_mode() == Some(PERSISTENT),
        headers,
        body: delivery.data,
    }
}

fn plain(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::ShortString(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}
