//! DynamoDB Streams → RabbitMQ: every new row of the articles table becomes a message that subscribers get.
//!
//! [`publish`](publish()) is what publishing a batch means, and knows neither AWS nor AMQP; [`record`] reads a record of the
//! stream, [`message`] says what goes on the exchange. Around it: [`broker`] (RabbitMQ), [`credentials`] (Secrets Manager),
//! [`handler`] (Lambda's events and answers).

pub mod broker;
pub mod credentials;
pub mod handler;
pub mod message;
mod publish;
pub mod record;

pub use publish::{Broker, Failure, Limits, NotReady, Report, Returned, publish};
