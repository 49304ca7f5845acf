//! CloudWatch Logs: `CreateLogStream` and `PutLogEvents`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde::Deserialize;

use super::{AWS_JSON, error, lock};
use crate::server::respond;

/// The service. Every group is there, as if a stack had made it; streams are made by who writes.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By group and stream.
    streams: BTreeMap<(String, String), Vec<String>>,
    failures: usize,
}

impl Logs {
    /// The next so many requests fail with `ServiceUnavailableException`, 503.
    pub fn fail(&self, requests: usize) {
        lock(&self.state).failures = requests;
    }

    /// The names of a group's streams.
    pub fn streams(&self, group: &str) -> Vec<String> {
        let state = lock(&self.state);
        state.streams.keys().filter(|(of, _)| of == group).map(|(_, stream)| stream.clone()).collect()
    }

    /// The lines of a group, stream after stream.
    pub fn lines(&self, group: &str) -> Vec<String> {
        let state = lock(&self.state);
        state.streams.iter().filter(|((of, _), _)| of == group).flat_map(|(_, lines)| lines.clone()).collect()
    }

    pub(super) fn answer(&self, operation: &str, body: &Bytes) -> Response<Full<Bytes>> {
        let Ok(asked) = serde_json::from_slice::<Asked>(body) else {
            return error(
                StatusCode::BAD_REQUEST,
                "SerializationException",
                "logGroupName or logStreamName is missing",
            );
        };
        let mut state = lock(&self.state);
        if state.failures > 0 {
            state.failures -= 1;
            return error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", "told to fail");
        }
        let place = (asked.group, asked.stream);
        if operation == "CreateLogStream" {
            if state.streams.contains_key(&place) {
                let message = "The specified log stream already exists";
                return error(StatusCode::BAD_REQUEST, "ResourceAlreadyExistsException", message);
            }
            state.streams.insert(place, Vec::new());
            return respond(StatusCode::OK, AWS_JSON, String::new());
        }
        let Some(lines) = state.streams.get_mut(&place) else {
            let message = "The specified log stream does not exist.";
            return error(StatusCode::BAD_REQUEST, "ResourceNotFoundException", message);
        };
        if let Some(refusal) = refusal(&asked.events) {
            return error(StatusCode::BAD_REQUEST, "InvalidParameterException", refusal);
        }
        lines.extend(asked.events.into_iter().map(|event| event.message));
        respond(StatusCode::OK, AWS_JSON, "{}")
    }
}

/// What PutLogEvents asks of its events (CloudWatch Logs API, PutLogEvents).
fn refusal(events: &[Event]) -> Option<&'static str> {
    let bytes: usize = events.iter().map(|event| event.message.len() + 26).sum();
    if events.is_empty() || events.len() > 10_000 || bytes > 1_048_576 {
        return Some("1 to 10 000 events, at most 1 048 576 bytes");
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Some("Log events in a single PutLogEvents request must be in chronological order.");
    }
    events.iter().any(|event| event.message.is_empty()).then_some("an event's message is empty")
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "logGroupName")]
    group: String,
    #[serde(rename = "logStreamName")]
    stream: String,
    #[serde(rename = "logEvents", default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    timestamp: i64,
    message: String,
}
