//! How a service says no, and what that means for a second attempt.

use aws_sdk_sagemakerruntime::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use runtime::with_causes;
use std::error::Error;

/// How a service says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// Not now: throttled, not ready, broken, or not to be reached. The same request may well succeed after a pause.
    Busy(String),
    /// The request can't be done: something in it is wrong.
    Refused(String),
    /// Nothing can be done with the service as it is set up: it isn't there, or access is denied. Asking again at once
    /// is no use, and nothing that was asked about is to blame.
    Unusable(String),
}

impl Rejected {
    /// What the service said.
    pub fn text(&self) -> &str {
        let (Self::Busy(text) | Self::Refused(text) | Self::Unusable(text)) = self;
        text
    }
}

/// Codes by which AWS's services say that it is too much, whatever their status.
const THROTTLED: [&str; 6] = [
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
];

/// What an SDK's error means.
pub(crate) fn rejected<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, HttpResponse>) -> Rejected {
    let Some(service) = error.as_service_error() else {
        // Whatever happened on the way, the request itself was not judged; but one that can't even be made never will.
        let made = !matches!(error, SdkError::ConstructionFailure(_));
        return if made { Rejected::Busy(with_causes(error)) } else { Rejected::Unusable(with_causes(error)) };
    };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = service.code().unwrap_or("no code");
    let text = format!("{code} ({status}): {}", service.message().unwrap_or("no message"));
    match code {
        _ if THROTTLED.contains(&code) || status >= 500 || status == 429 => Rejected::Busy(text),
        "ValidationException" => Rejected::Refused(text),
        _ => Rejected::Unusable(text),
    }
}
