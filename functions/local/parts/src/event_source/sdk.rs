//! What the SDK's clients have in common.

use std::{error::Error, time::Duration};

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use jiff::Timestamp;

use super::source::{Place, ReadError};

/// How long an answer may take. The SDK itself would wait for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks, with patience.
pub(super) async fn ask<T, E, R>(request: impl Future<Output = Result<T, SdkError<E, R>>>) -> Result<T, Refusal>
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Refusal { code: error.code().map(str::to_owned), reason: told(&error) }),
        Err(_) => Err(Refusal { code: None, reason: format!("no answer in {} s", PATIENCE.as_secs()) }),
    }
}

/// Why an SDK's client has no answer.
#[derive(Debug)]
pub(super) struct Refusal {
    code: Option<String>,
    pub(super) reason: String,
}

impl Refusal {
    /// Of a read at an iterator. One that a service does not know any more, for instance because it has begun anew, is
    /// like one that expired.
    pub(super) fn at_iterator(self) -> ReadError {
        match self.code.as_deref() {
            Some("ExpiredIteratorException" | "InvalidArgumentException" | "ValidationException") => {
                ReadError::Expired(self.reason)
            }
            Some("TrimmedDataAccessException") => ReadError::Lost(self.reason),
            Some("ResourceNotFoundException") => ReadError::Gone(self.reason),
            _ => ReadError::Failed(self.reason),
        }
    }

    /// Of the wish for an iterator. A number that is not of this shard is one of a stream that has begun anew.
    pub(super) fn at_place(self, from: &Place) -> ReadError {
        match (self.code.as_deref(), from) {
            (Some("TrimmedDataAccessException"), _)
            | (Some("InvalidArgumentException" | "ValidationException"), Place::After(_)) => {
                ReadError::Lost(self.reason)
            }
            (Some("ResourceNotFoundException"), _) => ReadError::Gone(self.reason),
            _ => ReadError::Failed(self.reason),
        }
    }
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(refusal.reason)
    }
}

/// An error and its causes in one line: the SDK's own words for a connection that failed are "dispatch failure".
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A time of the SDK's, to the millisecond.
pub(super) fn time(time: Option<&aws_sdk_kinesis::primitives::DateTime>) -> Timestamp {
    let millis = time.and_then(|time| time.to_millis().ok());
    millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_refuses_decides_how_reading_goes_on() {
        let refusal = |code: &str| Refusal { code: Some(code.to_owned()), reason: "r".to_owned() };
        let [expired, lost, gone, failed] =
            [ReadError::Expired, ReadError::Lost, ReadError::Gone, ReadError::Failed].map(|kind| kind("r".into()));
        let after = Place::After("1".into());
        for (code, at_iterator, after_number, at_start) in [
            ("ExpiredIteratorException", &expired, &failed, &failed),
            ("InvalidArgumentException", &expired, &lost, &failed),
            ("ValidationException", &expired, &lost, &failed),
            ("TrimmedDataAccessException", &lost, &lost, &lost),
            ("ResourceNotFoundException", &gone, &gone, &gone),
            ("ProvisionedThroughputExceededException", &failed, &failed, &failed),
        ] {
            assert_eq!(refusal(code).at_iterator(), *at_iterator, "{code}");
            assert_eq!(refusal(code).at_place(&after), *after_number, "{code}");
            assert_eq!(refusal(code).at_place(&Place::TrimHorizon), *at_start, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_an_error() {
        let never = std::future::pending::<Result<(), SdkError<aws_sdk_kinesis::Error, ()>>>();
        assert_eq!(ask(never).await.unwrap_err().reason, "no answer in 10 s");
    }
}
