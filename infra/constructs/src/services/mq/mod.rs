//! Amazon MQ: brokers that run RabbitMQ.

mod broker;
mod configuration;
mod words;

pub use broker::{Broker, BrokerRef, ExistingBroker, RabbitMq, User};
pub use configuration::{Configuration, ConfigurationRef};
pub use words::{Day, Instance, Version};

/// The port of AMQP 0-9-1 over TLS, and of AMQP 1.0 on RabbitMQ 4; brokers speak nothing in clear.
pub const AMQPS: u16 = 5671;

/// The port of the web console and the management API.
pub const HTTPS: u16 = 443;
