//! SQS: queues that can be sent to, and read by the test. Any queue URL is a queue.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AWS_JSON, error, lock};
use crate::server::{request_id, respond};

/// The largest message, and the largest batch, in bytes: bodies and attributes together.
const MOST_BYTES: usize = 1 << 20;

/// The service, with no message at first.
#[derive(Debug, Clone, Default)]
pub struct Sqs {
    state: Arc<Mutex<State>>,
}

/// A message as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `MessageBody`.
    pub body: String,
    /// The message attributes, whatever their data type, as strings.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<String, Vec<Message>>,
    failures: usize,
    calls: usize,
}

impl Sqs {
    /// The messages of a queue so far, in the order they were sent.
    pub fn messages(&self, queue_url: &str) -> Vec<Message> {
        lock(&self.state).queues.get(queue_url).cloned().unwrap_or_default()
    }

    /// The next so many messages fail: one of a batch as its entry (`InternalError`, not the sender's fault), one
    /// sent alone as the whole request (`InternalFailure`, 500).
    pub fn fail(&self, messages: usize) {
        lock(&self.state).failures = messages;
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        lock(&self.state).calls
    }

    /// No message and no fault, as at the start.
    pub fn reset(&self) {
        *lock(&self.state) = State::default();
    }

    pub(super) fn answer(&self, operation: &str, body: &Bytes) -> Response<Full<Bytes>> {
        let mut state = lock(&self.state);
        state.calls += 1;
        let answer = match operation {
            "SendMessage" => serde_json::from_slice(body).map(|send| state.send(send)),
            _ => serde_json::from_slice(body).map(|batch| state.send_batch(batch)),
        };
        match answer {
            Ok(Ok(answer)) => respond(StatusCode::OK, AWS_JSON, answer.to_string()),
            Ok(Err(refusal)) => refusal.response(),
            Err(misread) => error(StatusCode::BAD_REQUEST, "SerializationException", &misread.to_string()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    queue_url: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    queue_url: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    message_body: String,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    data_type: String,
    /// Binary values are left out: nothing here sends them.
    #[serde(default)]
    string_value: Option<String>,
}

impl State {
    fn send(&mut self, send: Send) -> Result<Value, Refusal> {
        if send.content.bytes() > MOST_BYTES {
            return Err(Refusal::new(
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
            ));
        }
        send.content.check()?;
        if self.fails() {
            return Err(Refusal { status: 500, ..Refusal::new("InternalFailure", "told to fail") });
        }
        Ok(self.keep(&send.queue_url, send.content))
    }

    fn send_batch(&mut self, batch: Batch) -> Result<Value, Refusal> {
        batch.check()?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for Entry { id, content } in batch.entries {
            match content.check() {
                Err(refusal) => failed
                    .push(json!({ "Id": id, "SenderFault": true, "Code": refusal.code, "Message": refusal.message })),
                Ok(()) if self.fails() => failed.push(
                    json!({ "Id": id, "SenderFault": false, "Code": "InternalError", "Message": "told to fail" }),
                ),
                Ok(()) => {
                    let mut kept = self.keep(&batch.queue_url, content);
                    kept["Id"] = id.into();
                    successful.push(kept);
                }
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }

    fn fails(&mut self) -> bool {
        let fails = self.failures > 0;
        self.failures = self.failures.saturating_sub(1);
        fails
    }

    /// Puts a message in its queue, and says what a client checks: the digests.
    fn keep(&mut self, queue_url: &str, content: Content) -> Value {
        let mut kept =
            json!({ "MessageId": request_id(), "MD5OfMessageBody": digest(content.message_body.as_bytes()) });
        if !content.message_attributes.is_empty() {
            kept["MD5OfMessageAttributes"] = content.digest_of_attributes().into();
        }
        let attributes = content.message_attributes.into_iter();
        let attributes =
            attributes.map(|(name, attribute)| (name, attribute.string_value.unwrap_or_default())).collect();
        let message = Message { body: content.message_body, attributes };
        self.queues.entry(queue_url.to_owned()).or_default().push(message);
        kept
    }
}

impl Batch {
    fn check(&self) -> Result<(), Refusal> {
        let ids: HashSet<_> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        let bytes: usize = self.entries.iter().map(|entry| entry.content.bytes()).sum();
        let refused = |code: &'static str, message: String| Err(Refusal::new(code, message));
        match self.entries.len() {
            0 => refused("AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request.".to_owned()),
            many if many > 10 => refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", format!("Maximum number of entries per request are 10. You have sent {many}.")),
            many if many > ids.len() => refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.".to_owned()),
            _ if !ids.iter().all(|id| is_entry_id(id)) => refused("AWS.SimpleQueueService.InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.".to_owned()),
            _ if bytes > MOST_BYTES => refused("AWS.SimpleQueueService.BatchRequestTooLong", format!("Batch requests cannot be longer than {MOST_BYTES} bytes. You have sent {bytes} bytes.")),
            _ => Ok(()),
        }
    }
}

fn is_entry_id(id: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    (1..=80).contains(&id.len()) && id.chars().all(allowed)
}

impl Content {
    fn bytes(&self) -> usize {
        let attribute = |(name, attribute): (&String, &Attribute)| {
            name.len() + attribute.data_type.len() + attribute.string_value.as_ref().map_or(0, String::len)
        };
        self.message_body.len() + self.message_attributes.iter().map(attribute).sum::<usize>()
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.message_body.is_empty() {
            return Err(Refusal::new("MissingParameter", "The request must contain the parameter MessageBody."));
        }
        if !self.message_body.chars().all(is_allowed) {
            return Err(Refusal::new(
                "InvalidMessageContents",
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
            ));
        }
        if self.message_attributes.len() > 10 {
            let message = format!(
                "Number of message attributes [{}] exceeds the allowed maximum [10].",
                self.message_attributes.len()
            );
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        match self
            .message_attributes
            .iter()
            .find(|(_, attribute)| attribute.string_value.as_ref().is_none_or(String::is_empty))
        {
            Some((name, _)) => Err(Refusal::new(
                "InvalidParameterValue",
                format!("Message (user) attribute '{name}' must contain a non-empty value of type 'String'."),
            )),
            None => Ok(()),
        }
    }

    /// The MD5 that clients compare: name, data type and value by name, each with its length before it.
    fn digest_of_attributes(&self) -> String {
        const STRING: u8 = 1;
        let mut bytes = Vec::new();
        for (name, attribute) in &self.message_attributes {
            add(&mut bytes, name);
            add(&mut bytes, &attribute.data_type);
            bytes.push(STRING);
            add(&mut bytes, attribute.string_value.as_deref().unwrap_or_default());
        }
        digest(&bytes)
    }
}

fn add(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", md5::compute(bytes))
}

/// SQS takes what XML 1.0 can hold.
fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Why a request, or a message of a batch, is not taken.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    /// The code is in a header of its own, as SQS had its codes before it spoke JSON.
    fn response(&self) -> Response<Full<Bytes>> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let shape = self.code.rsplit('.').next().unwrap_or(self.code);
        let mut response = error(status, &format!("com.amazonaws.sqs#{shape}"), &self.message);
        let whose = if self.status < 500 { "Sender" } else { "Receiver" };
        if let Ok(code) = format!("{};{whose}", self.code).parse() {
            response.headers_mut().insert("x-amzn-query-error", code);
        }
        response
    }
}
