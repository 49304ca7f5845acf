//! Where a feed's login is written, and reading it.

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata};
use serde::de::DeserializeOwned;
use std::{fmt, path::PathBuf};

/// A text that no log shows.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A text of somebody else's, such as a server's error, without this secret in it.
    pub fn masked_in(&self, text: &str) -> String {
        if self.0.is_empty() { text.into() } else { text.replace(&self.0, "***") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a feed's login is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A secret of Secrets Manager, by name or ARN.
    Manager {
        /// Who asks for it.
        client: Client,
        /// Name or ARN.
        id: String,
    },
    /// A file, JSON like the secret.
    File(PathBuf),
    /// Variables of the environment: a member of the login and the variable that holds it.
    Environment(&'static [(&'static str, &'static str)]),
}

/// There is no login. No text of it has any part of a secret in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager didn't give it.
    #[error("could not read the secret {id}: {why}")]
    Denied {
        /// Name or ARN.
        id: String,
        /// In its words.
        why: String,
    },
    /// The file can't be read.
    #[error("could not read {path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what the feed logs in with.
    #[error("{place} is not what this feed logs in with: {why}")]
    Malformed {
        /// The secret, the file, the variables.
        place: String,
        /// What is missing.
        why: String,
    },
}

impl Place {
    /// Reads the login. It is read anew each time: secrets are rotated.
    ///
    /// # Errors
    ///
    /// It can't be had, or is something else.
    pub async fn read<L: DeserializeOwned>(&self) -> Result<L, SecretError> {
        let text = match self {
            Self::Manager { client, id } => from_manager(client, id).await?,
            Self::File(path) => tokio::fs::read_to_string(path)
                .await
                .map_err(|source| SecretError::File { path: path.clone(), source })?,
            Self::Environment(names) => from_environment(names, |name| std::env::var(name).ok()),
        };
        serde_json::from_str(&text)
            .map_err(|error| SecretError::Malformed { place: self.to_string(), why: why(&error) })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manager { id, .. } => write!(f, "the secret {id}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(names) => {
                let names: Vec<_> = names.iter().map(|(_, name)| *name).collect();
                write!(f, "the environment ({})", names.join(", "))
            }
        }
    }
}

async fn from_manager(client: &Client, id: &str) -> Result<String, SecretError> {
    let denied = |why: String| SecretError::Denied { id: id.into(), why };
    let answer = client.get_secret_value().secret_id(id).send().await.map_err(|error| {
        // Never its `Debug`: an answer that could not be read may be in it.
        denied(match error.as_service_error() {
            Some(refused) => {
                format!("{}, {}", refused.code().unwrap_or("unknown"), refused.message().unwrap_or("no reason given"))
            }
            None => error.to_string(),
        })
    })?;
    answer.secret_string.filter(|text| !text.is_empty()).ok_or_else(|| denied("it is empty: put the login in".into()))
}

fn from_environment(names: &[(&str, &str)], lookup: impl Fn(&str) -> Option<String>) -> String {
    let set = names.iter().filter_map(|(member, name)| Some(((*member).to_owned(), lookup(name)?.into())));
    serde_json::Value::Object(set.collect()).to_string()
}

/// What a parser says, as far as it quotes nothing: a misplaced value would be in its own words.
fn why(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let quotes_nothing = text.starts_with("missing field") || text.starts_with("data did not match");
    let text = if quotes_nothing { text } else { "no JSON of that form".into() };
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Login {
        client_id: String,
        client_secret: Secret,
    }

    #[tokio::test]
    async fn login_of_a_file_is_read_and_no_text_shows_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"client_id":"GE-1","client_secret":"hunter2"}"#).unwrap();
        let place = Place::File(file.path().into());
        let login: Login = place.read().await.unwrap();
        assert_eq!(login.client_secret.reveal(), "hunter2");
        assert!(!format!("{login:?}").contains("hunter2"));
        assert_eq!(login.client_secret.masked_in("no such secret: hunter2"), "no such secret: ***");
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_without_quoting_it() {
        let cases = [
            (r#"{"client_id":"GE-1"}"#, "missing field `client_secret`"),
            (r#"{"client_id":"GE-1","client_secret":["hunter2"]}"#, "no JSON of that form"),
            ("hunter2", "no JSON of that form"),
        ];
        for (content, expected) in cases {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), content).unwrap();
            let error = Place::File(file.path().into()).read::<Login>().await.unwrap_err().to_string();
            assert!(error.ends_with(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn variables_that_are_set_make_a_login() {
        let names =
            [("client_id", "LSEG_CLIENT_ID"), ("client_secret", "LSEG_CLIENT_SECRET"), ("password", "LSEG_PASSWORD")];
        let text = from_environment(&names, |name| (name != "LSEG_PASSWORD").then(|| name.to_lowercase()));
        assert_eq!(text, r#"{"client_id":"lseg_client_id","client_secret":"lseg_client_secret"}"#);
    }
}
