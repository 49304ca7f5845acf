//! Why something was not done.

/// Why something was not done, and whether trying again can help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The same record fails whenever it comes: it is set aside, so that it cannot block its shard.
    #[error("{code}: {text}")]
    Permanent {
        /// A word for it, for who counts them: `unknown_label`.
        code: &'static str,
        /// What is wrong, for the person who looks at it. It may quote the record, so it is never logged.
        text: String,
    },
    /// It may succeed later: the stream brings it again.
    #[error("{0}")]
    Transient(String),
}

impl Failure {
    /// What fails whenever it is tried.
    pub fn permanent(code: &'static str, text: impl Into<String>) -> Self {
        Self::Permanent { code, text: text.into() }
    }

    /// What may succeed later.
    pub fn transient(text: impl Into<String>) -> Self {
        Self::Transient(text.into())
    }
}

impl From<news::Refused> for Failure {
    fn from(refused: news::Refused) -> Self {
        Self::permanent(refused.code(), refused.to_string())
    }
}
