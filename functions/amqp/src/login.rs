//! A name and its password, and the secret that holds them.

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use runtime::with_causes;
use serde::Deserialize;
use std::fmt;

/// Who somebody is to the broker. Its text has no password in it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Login {
    /// The name, which may be shown.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// No login. No text of it has any part of the secret's value in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager didn't give it.
    #[error("could not read the secret {secret}: {why}")]
    Denied {
        /// Name or ARN.
        secret: String,
        /// In its words.
        why: String,
    },
    /// The secret is something else.
    #[error("the secret {secret} is not {{\"username\": …, \"password\": …}}")]
    Malformed {
        /// Name or ARN.
        secret: String,
    },
}

/// Reads a secret of Secrets Manager, by its name or ARN: `{"username": …, "password": …}`, as the stack makes it.
///
/// # Errors
///
/// It can't be had, or is something else.
pub async fn login_of_secret(client: &Client, secret: &str) -> Result<Login, SecretError> {
    let asked = client.get_secret_value().secret_id(secret).send().await;
    let answer = asked.map_err(|error| SecretError::Denied { secret: secret.into(), why: why(&error) })?;
    read(answer.secret_string().unwrap_or_default()).ok_or_else(|| SecretError::Malformed { secret: secret.into() })
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
