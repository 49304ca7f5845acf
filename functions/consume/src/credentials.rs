//! Who the subscriber is, and where that is written.

use amqp::{Login, SecretError, login_of_secret};
use aws_sdk_secretsmanager::Client;
use std::path::PathBuf;

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
    /// Secrets Manager does not hand it out, or the secret is something else.
    #[error(transparent)]
    Secret(#[from] SecretError),
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
            Self::Secret { client, id } => Ok(login_of_secret(client, id).await?),
        }
    }
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
