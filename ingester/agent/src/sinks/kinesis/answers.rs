//! A request, and what its answer means.

use crate::outbox::Record;
use aws_sdk_kinesis::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_records::PutRecordsError,
    primitives::Blob,
    types::{PutRecordsRequestEntry, PutRecordsResultEntry},
};
use runtime::with_causes;
use std::time::Duration;

/// Why a request failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may well succeed after a pause: throttled, broken, or not to be reached.
    Passing(String),
    /// There was no answer in time: it may have been too large for the line.
    Late(String),
    /// Somebody has to do something first: there is no such stream, access is denied, its key is disabled.
    Standing(String),
    /// Something in it is wrong: all of it, or one of its records.
    Invalid(String),
}

/// What became of a record.
pub(super) type Outcome = Result<(), String>;

/// Codes of what passes by itself, whatever their status. Credentials that have expired are renewed.
const PASSING: [&str; 12] = [
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "KMSThrottlingException",
    "ExpiredTokenException",
    "ExpiredToken",
    "RequestExpired",
    "RequestTimeout",
];

/// Codes of a request that is wrong in itself.
const INVALID: [&str; 4] =
    ["InvalidArgumentException", "ValidationException", "SerializationException", "RequestEntityTooLargeException"];

impl Failure {
    /// What happened.
    pub(super) fn text(&self) -> &str {
        let (Self::Passing(text) | Self::Late(text) | Self::Standing(text) | Self::Invalid(text)) = self;
        text
    }
}

/// A record as a request has it.
pub(super) fn entry(record: &Record) -> PutRecordsRequestEntry {
    PutRecordsRequestEntry::builder()
        .data(Blob::new(record.data.to_vec()))
        .partition_key(&record.thread)
        .build()
        .expect("it has both that are required")
}

/// Puts records on the stream, and says what became of each. Whether Kinesis has them after a failure is not known.
pub(super) async fn put(
    client: Client,
    stream: String,
    entries: Vec<PutRecordsRequestEntry>,
    timeout: Duration,
) -> Result<Vec<Outcome>, Failure> {
    let count = entries.len();
    let request = client.put_records().set_records(Some(entries));
    let request = if stream.starts_with("arn:") { request.stream_arn(stream) } else { request.stream_name(stream) };
    let answer = tokio::time::timeout(timeout, request.send()).await;
    let answer = answer.map_err(|_| Failure::Late(format!("no answer within {timeout:?}")))?;
    let answers = answer.map_err(|error| failure(&error))?.records;
    if answers.len() != count {
        return Err(Failure::Passing(format!("{} answers to {count} records", answers.len())));
    }
    Ok(answers.iter().map(outcome).collect())
}

fn outcome(answer: &PutRecordsResultEntry) -> Outcome {
    if answer.sequence_number.is_some() && answer.error_code.is_none() {
        return Ok(());
    }
    let code = answer.error_code.as_deref().unwrap_or("no sequence number");
    Err(format!("{code}: {}", answer.error_message.as_deref().unwrap_or("no message")))
}

fn failure(error: &SdkError<PutRecordsError, HttpResponse>) -> Failure {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let Some(service) = error.as_service_error() else {
        return if is_late(error) { Failure::Late(with_causes(error)) } else { Failure::Passing(with_causes(error)) };
    };
    let code = service.code().unwrap_or("no code");
    let text = format!("{code} ({status}): {}", service.message().unwrap_or("no message"));
    judged(code, status, text)
}

/// The client has times of its own.
fn is_late(error: &SdkError<PutRecordsError, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_timeout(),
        _ => false,
    }
}

fn judged(code: &str, status: u16, text: String) -> Failure {
    match code {
        _ if PASSING.contains(&code) || status >= 500 || status == 429 => Failure::Passing(text),
        _ if INVALID.contains(&code) || status == 413 => Failure::Invalid(text),
        _ => Failure::Standing(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_kinesis::error::ConnectorError;
    use std::error::Error;

    #[test]
    fn what_a_code_means_for_the_next_attempt() {
        type Case = (&'static str, u16, fn(String) -> Failure);
        let cases: [Case; 13] = [
            ("ProvisionedThroughputExceededException", 400, Failure::Passing),
            ("KMSThrottlingException", 400, Failure::Passing),
            ("ExpiredTokenException", 400, Failure::Passing),
            ("InternalFailureException", 500, Failure::Passing),
            ("ServiceUnavailable", 503, Failure::Passing),
            ("no code", 429, Failure::Passing),
            ("InvalidArgumentException", 400, Failure::Invalid),
            ("ValidationException", 400, Failure::Invalid),
            ("no code", 413, Failure::Invalid),
            ("ResourceNotFoundException", 400, Failure::Standing),
            ("AccessDeniedException", 400, Failure::Standing),
            ("KMSDisabledException", 400, Failure::Standing),
            ("UnrecognizedClientException", 400, Failure::Standing),
        ];
        for (code, status, expected) in cases {
            assert_eq!(judged(code, status, code.into()), expected(code.into()), "{code} {status}");
        }
    }

    #[test]
    fn client_that_gives_up_waiting_is_late_and_one_that_finds_nobody_is_not() {
        let error = |kind: fn(Box<dyn Error + Send + Sync>) -> ConnectorError| kind("invented".into());
        for (error, late) in [
            (SdkError::timeout_error("invented"), true),
            (SdkError::dispatch_failure(error(ConnectorError::timeout)), true),
            (SdkError::dispatch_failure(error(ConnectorError::io)), false),
        ] {
            assert_eq!(matches!(failure(&error), Failure::Late(_)), late, "{error:?}");
        }
    }

    #[test]
    fn record_is_accepted_that_has_a_number_and_no_error() {
        let result = PutRecordsResultEntry::builder;
        assert_eq!(outcome(&result().sequence_number("1").shard_id("s").build()), Ok(()));
        let failed = result().error_code("InternalFailure").error_message("broken").build();
        assert_eq!(outcome(&failed), Err("InternalFailure: broken".into()));
        assert!(outcome(&result().build()).is_err());
    }
}
