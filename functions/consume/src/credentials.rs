//! Who the subscriber is, and where that is written.

use aws_sdk_secretsmanager::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
};
use serde::Deserialize;
use std::{fmt, path::PathBuf};

/// Where the name and the password are.
///
/// What can change while a subscriber runs, a file or a secret, is read again when the broker refuses it.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Here.
    Fixed(Login),
    /// The password is the content of a file, without the line's end.
    File {
        /// Whose password it is.
        username: String,
        /// The file.
        path: PathBuf,
    },
    /// A secret of Secrets Manager, `{"username": …, "password": …}`, as the stack makes it.
    Secret {
        /// Who asks for it.
        client: Client,
        /// Its name or its ARN.
        id: String,
    },
}

/// A name and its password, which no debug output shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Login {
    /// The name, which may be shown.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why there is no name and password.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("could not read the password from {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Secrets Manager does not hand it out.
    #[error("could not read the secret {id}: {cause}")]
    Secret {
        /// Which one.
        id: String,
        /// Why, in AWS's words.
        cause: String,
    },
    /// The secret is something else.
    #[error("the secret {id} is no JSON object with a username and a password")]
    Form {
        /// Which one.
        id: String,
    },
}

impl Credentials {
    /// Whether reading them again may give others.
    pub(crate) fn can_change(&self) -> bool {
        !matches!(self, Self::Fixed(_))
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// The file or the secret is not there, or not what it should be.
    pub async fn read(&self) -> Result<Login, CredentialsError> {
        match self {
            Self::Fixed(login) => Ok(login.clone()),
            Self::File { username, path } => {
                let read = tokio::fs::read_to_string(path).await;
                let text = read.map_err(|source| CredentialsError::File { path: path.clone(), source })?;
                Ok(Login { username: username.clone(), password: text.trim_end_matches(['\r', '\n']).into() })
            }
            Self::Secret { client, id } => secret(client, id).await,
        }
    }
}

async fn secret(client: &Client, id: &str) -> Result<Login, CredentialsError> {
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|error| CredentialsError::Secret {
        id: id.into(),
        cause: match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            _ => DisplayErrorContext(&error).to_string(),
        },
    })?;
    // What serde says of a wrong form quotes it.
    let text = answer.secret_string().unwrap_or_default();
    serde_json::from_str(text).map_err(|_| CredentialsError::Form { id: id.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_output_shows_the_password() {
        let login = Login { username: "reader".into(), password: "hunter2".into() };
        let shown = format!("{:?} {:?}", login, Credentials::Fixed(login.clone()));
        assert!(shown.contains("reader") && !shown.contains("hunter2"), "{shown}");
    }

    #[tokio::test]
    async fn password_of_a_file_ends_before_the_line_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a secret \r\n").unwrap();
        let credentials = Credentials::File { username: "reader".into(), path: file.path().into() };
        assert_eq!(credentials.read().await.unwrap().password, "a secret ");
    }
}
