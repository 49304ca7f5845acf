//! The RabbitMQ that items are published to.

use std::path::{Path, PathBuf};

use local::rabbitmq;

use crate::provision::Login;

/// Which RabbitMQ.
#[derive(Debug, Clone, Default)]
pub enum BrokerChoice {
    /// An installed one, as a private node.
    #[default]
    Auto,
}

/// A RabbitMQ that runs.
#[derive(Debug)]
pub struct Broker {
    node: rabbitmq::Broker,
    login: Login,
    ca: PathBuf,
}

/// There is no RabbitMQ to be had.
pub type BrokerError = rabbitmq::Error;

impl Broker {
    /// Starts it, or finds it.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn start(_choice: &BrokerChoice) -> Result<Self, BrokerError> {
        let node = rabbitmq::Broker::start().await?;
        let login = Login { username: rabbitmq::USER.into(), password: rabbitmq::PASSWORD.into() };
        let ca = node.ca_file();
        Ok(Self { node, login, ca })
    }

    /// How it was had.
    pub fn how(&self) -> &'static str {
        "RabbitMQ of this machine, a private node"
    }

    /// Where it is, without the login.
    pub fn url(&self) -> String {
        format!("amqps://{}", self.node.tls_address())
    }

    /// Who may log in.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// The authority of its certificate.
    pub fn ca_file(&self) -> Option<&Path> {
        Some(&self.ca)
    }

    /// The node, where it is a private one.
    pub fn node(&self) -> Option<&rabbitmq::Broker> {
        Some(&self.node)
    }

    /// Ends it, where it was started here.
    pub async fn stop(self) {}
}
