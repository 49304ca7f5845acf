//! The exchanges and the queue that publishing needs.
//!
//! ```text
//! news ──▶ subscribers' queues
//!   └─ what none of them wants ─▶ news.unrouted (exchange) ─▶ news.unrouted (queue, bounded)
//! ```

use super::ConnectError;
use crate::message::Destination;
use futures_util::future::try_join_all;
use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use news::routing;

/// What the broker must have. Names are declared again on every connection: whoever cleans up a broker by hand gets back
/// what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The topic exchange that subscribers bind to.
    exchange: String,
    /// The fanout exchange for what none of them wants, and its queue.
    unrouted: String,
    /// How many messages that queue keeps.
    unrouted_limit: u32,
}

/// One thing that is declared.
#[derive(Debug, Clone, Copy)]
enum Part {
    UnroutedExchange,
    UnroutedQueue,
    Binding,
    Exchange,
}

impl Part {
    /// Each after what it needs.
    const ALL: [Self; 4] = [Self::UnroutedExchange, Self::UnroutedQueue, Self::Binding, Self::Exchange];
}

impl Topology {
    /// For an exchange of that name, at most 246 bytes.
    pub fn new(exchange: impl Into<String>, unrouted_limit: u32) -> Self {
        let exchange = exchange.into();
        Self { unrouted: routing::unrouted(&exchange), exchange, unrouted_limit }
    }

    /// Declares all of it, and gives a channel on which messages are confirmed.
    ///
    /// What is there already in another form is used as it is, with a warning: publishing goes on, and nothing is lost by it,
    /// as a message that no queue takes comes back and its record comes again.
    ///
    /// # Errors
    ///
    /// Something is not there and can't be made.
    pub(super) async fn declare(&self, connection: &Connection) -> Result<Channel, ConnectError> {
        let channel = self.open(connection).await?;
        // All at once, in one round trip; the broker does them in this order.
        let parts = Part::ALL.map(|part| self.declare_part(part, &channel));
        let channel = match try_join_all(parts).await {
            Ok(_) => channel,
            Err(_) => self.declare_one_by_one(connection).await?,
        };
        let confirm = channel.confirm_select(ConfirmSelectOptions::default()).await;
        confirm.map_err(|source| ConnectError::Topology { what: "a channel with confirms".into(), source })?;
        Ok(channel)
    }

    /// Something is there in another form; which, and whether it will do.
    async fn declare_one_by_one(&self, connection: &Connection) -> Result<Channel, ConnectError> {
        let mut channel = self.open(connection).await?;
        for part in Part::ALL {
            let Err(refused) = self.declare_part(part, &channel).await else { continue };
            if !refused.is_amqp_soft_error() {
                return Err(self.failed(part, refused));
            }
            // The broker has closed the channel.
            channel = self.open(connection).await?;
            if self.find_part(part, &channel).await.is_err() {
                return Err(self.failed(part, refused));
            }
            self.warn(part, &refused);
        }
        Ok(channel)
    }

    /// Asks whether the exchange is there, which costs the broker nothing.
    pub(super) async fn ask(&self, channel: &Channel) -> lapin::Result<()> {
        self.find_part(Part::Exchange, channel).await
    }

    /// The name of the exchange that a message goes to.
    pub(super) fn exchange(&self, destination: Destination) -> ShortString {
        match destination {
            Destination::Subscribers => self.exchange.as_str().into(),
            Destination::Unrouted => self.unrouted.as_str().into(),
        }
    }

    async fn open(&self, connection: &Connection) -> Result<Channel, ConnectError> {
        connection.create_channel().await.map_err(|source| ConnectError::Topology { what: "a channel".into(), source })
    }

    async fn declare_part(&self, part: Part, channel: &Channel) -> lapin::Result<()> {
        let unrouted = ShortString::from(self.unrouted.as_str());
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        match part {
            Part::UnroutedExchange => {
                channel.exchange_declare(unrouted, ExchangeKind::Fanout, durable, FieldTable::default()).await
            }
            Part::UnroutedQueue => {
                let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
                channel.queue_declare(unrouted, durable, self.queue_arguments()).await.map(drop)
            }
            Part::Binding => {
                let (options, none) = (QueueBindOptions::default(), FieldTable::default());
                channel.queue_bind(unrouted.clone(), unrouted, "".into(), options, none).await
            }
            Part::Exchange => {
                let alternate = [("alternate-exchange", text(&self.unrouted))];
                let name = ShortString::from(self.exchange.as_str());
                channel.exchange_declare(name, ExchangeKind::Topic, durable, table(alternate)).await
            }
        }
    }

    /// Every argument is said, as brokers differ in their defaults: classic queues on one, quorum queues on another.
    fn queue_arguments(&self) -> FieldTable {
        table([
            ("x-queue-type", text("quorum")),
            ("x-max-length", AMQPValue::LongLongInt(self.unrouted_limit.into())),
            ("x-overflow", text("drop-head")),
        ])
    }

    async fn find_part(&self, part: Part, channel: &Channel) -> lapin::Result<()> {
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let exchange =
            |name: &str| channel.exchange_declare(name.into(), ExchangeKind::Topic, passive, FieldTable::default());
        match part {
            Part::UnroutedExchange => exchange(&self.unrouted).await,
            Part::Exchange => exchange(&self.exchange).await,
            Part::UnroutedQueue => {
                let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                channel.queue_declare(self.unrouted.as_str().into(), passive, FieldTable::default()).await.map(drop)
            }
            // AMQP can't ask for a binding. If it isn't there, what nobody wants comes back.
            Part::Binding => Ok(()),
        }
    }

    fn failed(&self, part: Part, source: lapin::Error) -> ConnectError {
        ConnectError::Topology { what: self.describe(part), source }
    }

    fn warn(&self, part: Part, refused: &lapin::Error) {
        tracing::warn!(
            what = self.describe(part),
            wanted = self.wanted(part),
            %refused,
            "The broker has it in another form, and it is used as it is. To mend it: delete it, when its messages have been \
             read, and it is made anew; or bring the settings into line with it."
        );
    }

    fn describe(&self, part: Part) -> String {
        match part {
            Part::UnroutedExchange => format!("exchange {}", self.unrouted),
            Part::UnroutedQueue => format!("queue {}", self.unrouted),
            Part::Binding => format!("the binding of queue {0} to exchange {0}", self.unrouted),
            Part::Exchange => format!("exchange {}", self.exchange),
        }
    }

    fn wanted(&self, part: Part) -> String {
        match part {
            Part::UnroutedExchange => "fanout, durable".into(),
            Part::UnroutedQueue => {
                format!("durable, x-queue-type quorum, x-max-length {}, x-overflow drop-head", self.unrouted_limit)
            }
            Part::Binding => "any routing key".into(),
            Part::Exchange => format!("topic, durable, alternate-exchange {}", self.unrouted),
        }
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}
