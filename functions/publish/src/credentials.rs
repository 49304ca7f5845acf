//! The broker's credentials, from Secrets Manager.

use crate::broker::with_causes;
use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use serde::Deserialize;
use std::{fmt, future::Future};

/// Somebody who knows the broker's credentials.
pub trait Credentials {
    /// The credentials as they are now. Asked for again when the broker refuses the last ones.
    ///
    /// # Errors
    ///
    /// They can't be had.
    fn login(&self) -> impl Future<Output = Result<Login, CredentialsError>>;
}

/// Who we are to the broker. Its text has no password in it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// No credentials. No text of it has any part of the secret's value in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Secrets Manager didn't give them.
    #[error("Secrets Manager does not give {secret}: {why}")]
    Denied {
        /// Name or ARN.
        secret: String,
        /// In its words.
        why: String,
    },
    /// The secret is something else.
    #[error("secret {secret} is not {{\"username\": …, \"password\": …}}")]
    Malformed {
        /// Name or ARN.
        secret: String,
    },
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
    async fn login(&self) -> Result<Login, CredentialsError> {
        let asked = self.client.get_secret_value().secret_id(&self.id).send().await;
        let answer = asked.map_err(|error| CredentialsError::Denied { secret: self.id.clone(), why: why(&error) })?;
        read(answer.secret_string().unwrap_or_default())
            .ok_or_else(|| CredentialsError::Malformed { secret: self.id.clone() })
    }
}

// Never its `Debug`, nor what a parser says: an answer that could not be read may be in it.
fn why(error: &SdkError<GetSecretValueError>) -> String {
    match error {
        SdkError::ServiceError(refused) => {
            let refused = refused.err();
            format!("{}, {}", refused.code().unwrap_or("unknown"), refused.message().unwrap_or("no reason given"))
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => with_causes(error),
        other => other.to_string(),
    }
}

// The parser's own words would quote the value.
fn read(secret: &str) -> Option<Login> {
    let login: Login = serde_json::from_str(secret).ok()?;
    let complete = !login.username.is_empty() && !login.password.is_empty();
    complete.then_some(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_read_and_its_password_is_in_no_text() {
        let login = read(r#"{"username":"newsloom","password":"s3cret","host":"b-1"}"#).unwrap();
        assert_eq!(login, Login { username: "newsloom".into(), password: "s3cret".into() });
        assert_eq!(format!("{login:?}"), r#"Login { username: "newsloom", .. }"#);
        for odd in ["", "s3cret", "{}", r#"{"username":"a","password":""}"#, r#"{"username":"a","password":5}"#] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
