//! The broker's credentials, from Secrets Manager.

use amqp::{Login, SecretError, login_of_secret};
use aws_sdk_secretsmanager::Client;
use std::future::Future;

/// Somebody who knows the broker's credentials.
pub trait Credentials {
    /// The credentials as they are now. Asked for again when the broker refuses the last ones.
    ///
    /// # Errors
    ///
    /// They can't be had.
    fn login(&self) -> impl Future<Output = Result<Login, SecretError>>;
}

/// A secret in Secrets Manager: `{"username": …, "password": …}`.
#[derive(Debug, Clone)]
pub struct Secret {
    client: Client,
    id: String,
}

impl Secret {
    /// The secret of that name or ARN.
    pub fn new(client: Client, id: impl Into<String>) -> Self {
        Self { client, id: id.into() }
    }
}

impl Credentials for Secret {
    async fn login(&self) -> Result<Login, SecretError> {
        login_of_secret(&self.client, &self.id).await
    }
}
