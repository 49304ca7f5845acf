//! One connection's life: connected, declared, bound, consuming.

use crate::{
    Login, SubscribeError,
    broker::{ConnectError, said},
    subscription::Subscribe,
};
use lapin::{
    Channel, Connection, Consumer, ErrorKind,
    options::{
        BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::FieldTable,
};
use std::time::Duration;

/// How long the broker may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look for an exchange that is not there yet.
const EXCHANGE_PAUSE: Duration = Duration::from_secs(2);

/// How long a clean end may take.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// A connection that consumes.
pub(crate) struct Session {
    connection: Connection,
    channel: Channel,
    pub(crate) consumer: Consumer,
    /// The queue's name, also where the broker chose it.
    pub(crate) queue: String,
    /// How many items waited in it.
    pub(crate) waiting: u32,
    /// Whether it was there before.
    pub(crate) existed: bool,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It can't be helped by trying again.
    Final(SubscribeError),
    /// The broker refuses these credentials.
    Login,
    /// Another attempt may succeed.
    Later(String),
}

impl Session {
    /// Connects, declares, binds and consumes. Waits for the exchange, if it is not there yet.
    pub(crate) async fn open(subscribe: &Subscribe, login: &Login, first: bool) -> Result<Self, OpenError> {
        let connection = connect(subscribe, login, first).await?;
        await_exchange(&connection, &subscribe.exchange).await?;
        let waiting = match &subscribe.queue.name() {
            Some(name) => waiting(&connection, name).await?,
            None => None,
        };
        let channel = answer(connection.create_channel()).await?;
        let queue = declare(&channel, subscribe).await?;
        bind(&channel, subscribe, &queue).await?;
        let consumer = consume(&channel, subscribe, &queue).await?;
        let (existed, waiting) = (waiting.is_some(), waiting.unwrap_or(0));
        Ok(Self { connection, channel, consumer, queue, waiting, existed })
    }

    /// Takes no more messages; what the broker had sent before is still here.
    pub(crate) async fn cancel(&self) -> lapin::Result<()> {
        self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await
    }

    /// Ends it: what was acknowledged is, everything else goes back to the queue.
    pub(crate) async fn close(self) {
        let goodbye = async {
            // The channel first: its answer says that the broker took all acknowledgements before it.
            self.channel.close(200, "OK".into()).await?;
            self.connection.close(200, "OK".into()).await
        };
        match tokio::time::timeout(FAREWELL, goodbye).await {
            Ok(Ok(())) => tracing::debug!("Closed the connection."),
            Ok(Err(error)) => tracing::debug!(error = said(&error), "The connection was gone already."),
            Err(_) => tracing::debug!("The broker did not answer the goodbye."),
        }
    }
}

/// Removes a queue, with what waits in it; how much that was.
pub(crate) async fn delete(subscribe: &Subscribe, login: &Login, name: &str) -> Result<u32, OpenError> {
    let connection = connect(subscribe, login, true).await?;
    let channel = answer(connection.create_channel()).await?;
    let deleted = answer(channel.queue_delete(name.into(), QueueDeleteOptions::default())).await?;
    let _ = tokio::time::timeout(FAREWELL, connection.close(200, "OK".into())).await;
    Ok(deleted)
}

async fn connect(subscribe: &Subscribe, login: &Login, first: bool) -> Result<Connection, OpenError> {
    subscribe.broker.connect(login, PATIENCE).await.map_err(|error| match error {
        ConnectError::Login => OpenError::Login,
        ConnectError::Vhost => OpenError::Final(SubscribeError::Vhost { vhost: subscribe.broker.vhost().into() }),
        // Later it may be a renewal on its way, at first it is a setting.
        ConnectError::Certificate(cause) if first => {
            OpenError::Final(SubscribeError::Certificate { broker: subscribe.broker.to_string(), cause })
        }
        ConnectError::Certificate(cause) | ConnectError::Unreachable(cause) => OpenError::Later(cause),
    })
}

async fn await_exchange(connection: &Connection, exchange: &str) -> Result<(), OpenError> {
    let mut told = false;
    loop {
        let channel = answer(connection.create_channel()).await?;
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        // Whatever is named here: a passive declaration looks at the name alone.
        let kind = lapin::ExchangeKind::Topic;
        let declared = within(channel.exchange_declare(exchange.into(), kind, passive, FieldTable::default())).await?;
        match declared {
            Ok(()) => break,
            Err(error) if is(&error, AMQPSoftError::NOTFOUND) => (),
            Err(error) => return Err(refused(&error)),
        }
        if !told {
            tracing::warn!(
                exchange,
                "There is no such exchange yet: publish makes it when it sends its first item. Waiting for it."
            );
        }
        told = true;
        tokio::time::sleep(EXCHANGE_PAUSE).await;
    }
    if told {
        tracing::info!(exchange, "The exchange is there now.");
    }
    Ok(())
}

/// How many items wait in a queue, `None` if it does not exist.
async fn waiting(connection: &Connection, queue: &str) -> Result<Option<u32>, OpenError> {
    let channel = answer(connection.create_channel()).await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match within(channel.queue_declare(queue.into(), passive, FieldTable::default())).await? {
        Ok(queue) => Ok(Some(queue.message_count())),
        Err(error) if is(&error, AMQPSoftError::NOTFOUND) => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

async fn declare(channel: &Channel, subscribe: &Subscribe) -> Result<String, OpenError> {
    let queue = &subscribe.queue;
    match within(channel.queue_declare(queue.short_name(), queue.options(), queue.arguments())).await? {
        Ok(declared) => Ok(declared.name().to_string()),
        Err(error) if is(&error, AMQPSoftError::PRECONDITIONFAILED) => {
            Err(OpenError::Final(SubscribeError::QueueDiffers {
                queue: queue.short_name().to_string(),
                cause: said(&error),
            }))
        }
        Err(error) => Err(refused(&error)),
    }
}

async fn bind(channel: &Channel, subscribe: &Subscribe, queue: &str) -> Result<(), OpenError> {
    let none = FieldTable::default;
    for pattern in &subscribe.patterns {
        let options = QueueBindOptions::default();
        let exchange = subscribe.exchange.as_str().into();
        answer(channel.queue_bind(queue.into(), exchange, pattern.as_str().into(), options, none())).await?;
        tracing::debug!(queue, pattern, "Bound.");
    }
    // After the binding: an item that both patterns match is in neither case missed.
    for pattern in &subscribe.unbind {
        let exchange = subscribe.exchange.as_str().into();
        answer(channel.queue_unbind(queue.into(), exchange, pattern.as_str().into(), none())).await?;
        tracing::debug!(queue, pattern, "Unbound.");
    }
    Ok(())
}

async fn consume(channel: &Channel, subscribe: &Subscribe, queue: &str) -> Result<Consumer, OpenError> {
    answer(channel.basic_qos(subscribe.prefetch, BasicQosOptions::default())).await?;
    let options = BasicConsumeOptions::default();
    answer(channel.basic_consume(queue.into(), "".into(), options, FieldTable::default())).await
}

/// The broker's answer, where any error means that there is no session.
async fn answer<T>(question: impl Future<Output = lapin::Result<T>>) -> Result<T, OpenError> {
    within(question).await?.map_err(|error| refused(&error))
}

async fn within<T>(question: impl Future<Output = lapin::Result<T>>) -> Result<lapin::Result<T>, OpenError> {
    let late = |_| OpenError::Later(format!("no answer within {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, question).await.map_err(late)
}

/// What the broker refuses to this user or for this queue it refuses next time too; what else went wrong may pass.
fn refused(error: &lapin::Error) -> OpenError {
    let refused = [AMQPSoftError::ACCESSREFUSED, AMQPSoftError::RESOURCELOCKED, AMQPSoftError::PRECONDITIONFAILED];
    if refused.into_iter().any(|kind| is(error, kind)) {
        return OpenError::Final(SubscribeError::Refused { cause: said(error) });
    }
    OpenError::Later(said(error))
}

fn is(error: &lapin::Error, kind: AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(amqp) if *amqp.kind() == AMQPErrorKind::Soft(kind))
}
