//! SQS: standard queues.

mod content;
mod queue;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use self::{
    content::Content,
    queue::{Queue, Wanted},
};
use super::{AWS_JSON, error, lock};
use crate::{Place, server::respond};

/// The largest message, and the largest batch, in bytes: bodies and attributes together.
const MOST_BYTES: usize = 1 << 20;

/// The service, with no queue at first. A queue is known by its name: in whatever host's URL, and in its ARN.
///
/// A queue that is sent to and isn't there is made, unless only [created](Self::only_created) ones are wanted.
///
/// Of a queue's attributes `VisibilityTimeout`, `ReceiveMessageWaitTimeSeconds`, `DelaySeconds` and `MaximumMessageSize`
/// are done. The others are checked, kept and told, and have no effect: messages don't grow old, nothing is encrypted,
/// nobody is refused, and no message moves to another queue (`RedrivePolicy`).
#[derive(Debug, Clone)]
pub struct Sqs {
    place: Place,
    state: Arc<Mutex<State>>,
    /// Wakes who waits for messages.
    sent: Arc<Notify>,
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
    /// By name.
    queues: BTreeMap<String, Queue>,
    only_created: bool,
    failures: usize,
    calls: usize,
    waiting: usize,
}

impl Sqs {
    /// A queue of this name, if there is none, and its ARN.
    pub fn create_queue(&self, name: &str) -> String {
        let queue = || Queue::new(BTreeMap::new()).ok();
        let mut state = lock(&self.state);
        if !state.queues.contains_key(name)
            && let Some(queue) = queue()
        {
            state.queues.insert(name.to_owned(), queue);
        }
        self.arn(name)
    }

    /// The ARN of the queue of this name, whether it is there or not.
    pub fn arn(&self, name: &str) -> String {
        self.place.arn("sqs", name)
    }

    /// Whether only queues that were created exist, and sending to others fails, `QueueDoesNotExist`. Defaults to false.
    pub fn only_created(&self, only: bool) {
        lock(&self.state).only_created = only;
    }

    /// The messages in a queue, received or not, in the order they were sent. It is named by URL, ARN or name.
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        lock(&self.state).queues.get(name(queue)).map(Queue::messages).unwrap_or_default()
    }

    /// The next so many messages fail: one of a batch as its entry (`InternalError`, not the sender's fault), one
    /// sent alone as the whole request (`InternalFailure`, 500).
    pub fn fail(&self, messages: usize) {
        lock(&self.state).failures = messages;
    }

    /// How many receivers wait for a message now.
    pub fn waiting(&self) -> usize {
        lock(&self.state).waiting
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        lock(&self.state).calls
    }

    /// No queue and no fault, as at the start.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        *state = State { waiting: state.waiting, ..State::default() };
    }

    pub(super) fn new(place: Place) -> Self {
        Self { place, state: Arc::default(), sent: Arc::default() }
    }

    /// The answer; none to an operation that isn't known.
    pub(super) async fn answer(&self, operation: &str, request: &Request<Bytes>) -> Option<Response<Full<Bytes>>> {
        let body = request.body();
        let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        let answer = match operation {
            "SendMessage" => self.state_of(body, State::send),
            "SendMessageBatch" => self.state_of(body, State::send_batch),
            "DeleteMessage" => self.state_of(body, State::delete),
            "DeleteMessageBatch" => self.state_of(body, State::delete_batch),
            "ChangeMessageVisibility" => self.state_of(body, State::change_visibility),
            "ChangeMessageVisibilityBatch" => self.state_of(body, State::change_visibility_batch),
            "PurgeQueue" => self.state_of(body, State::purge),
            "DeleteQueue" => self.state_of(body, State::delete_queue),
            "CreateQueue" => self.state_of(body, |state, create| state.create(create, |name| self.url(host, name))),
            "GetQueueUrl" => self.state_of(body, |state, named: Named| {
                state.existing(&named.queue_name)?;
                Ok(json!({ "QueueUrl": self.url(host, &named.queue_name) }))
            }),
            "GetQueueAttributes" => self.state_of(body, |state, describe: Describe| {
                let arn = self.arn(name(&describe.queue_url));
                let attributes = state.existing(&describe.queue_url)?.describe(&arn, &describe.attribute_names);
                Ok(json!({ "Attributes": attributes }))
            }),
            "ReceiveMessage" => self.receive(body).await,
            _ => return None,
        };
        lock(&self.state).calls += 1;
        if operation.starts_with("SendMessage") {
            self.sent.notify_waiters();
        }
        Some(
            answer.map_or_else(
                |refusal| refusal.response(),
                |answer| respond(StatusCode::OK, AWS_JSON, answer.to_string()),
            ),
        )
    }

    fn state_of<T: DeserializeOwned>(
        &self,
        body: &Bytes,
        act: impl FnOnce(&mut State, T) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        act(&mut lock(&self.state), read(body)?)
    }

    fn url(&self, host: &str, name: &str) -> String {
        format!("http://{host}/{}/{name}", self.place.account)
    }

    /// Waits for a message, for as long as the request or the queue says.
    async fn receive(&self, body: &Bytes) -> Result<Value, Refusal> {
        let asked: Receive = read(body)?;
        asked.check()?;
        let begin = Instant::now();
        loop {
            let sent = self.sent.notified();
            tokio::pin!(sent);
            // From now on, so that nothing is missed that is sent while we look.
            sent.as_mut().enable();
            let (messages, wait, next) = lock(&self.state).receive(&asked)?;
            let left = wait.saturating_sub(begin.elapsed());
            if !messages.is_empty() || left.is_zero() {
                // SQS leaves the list out when it would be empty.
                return Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) });
            }
            let next = next.map_or(left, |next| next.saturating_duration_since(Instant::now()).min(left));
            let _waiting = Waiting::begin(&self.state);
            let _ = tokio::time::timeout(next, sent).await;
        }
    }
}

/// A receiver that waits, also one that gives up.
struct Waiting<'a>(&'a Mutex<State>);

impl<'a> Waiting<'a> {
    fn begin(state: &'a Mutex<State>) -> Self {
        lock(state).waiting += 1;
        Self(state)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(self.0).waiting -= 1;
    }
}

/// A queue's name: the last part of its URL or ARN.
fn name(queue: &str) -> &str {
    queue.rsplit(['/', ':']).next().unwrap_or(queue)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|misread| Refusal::new("SerializationException", misread.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Purge {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receive {
    queue_url: String,
    #[serde(default)]
    max_number_of_messages: Option<usize>,
    #[serde(default)]
    visibility_timeout: Option<u64>,
    #[serde(default)]
    wait_time_seconds: Option<u64>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    /// The older name of the same.
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    queue_url: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "E: DeserializeOwned")]
struct Batch<E> {
    queue_url: String,
    entries: Vec<E>,
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
struct DeleteEntry {
    id: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeVisibilityEntry {
    id: String,
    receipt_handle: String,
    visibility_timeout: u32,
}

impl State {
    fn create(&mut self, create: Create, url: impl Fn(&str) -> String) -> Result<Value, Refusal> {
        let Create { queue_name, attributes } = create;
        let fifo = queue_name.rsplit_once('.').is_some_and(|(_, kind)| kind == "fifo");
        if fifo || attributes.contains_key("FifoQueue") {
            return Err(Refusal::new("AWS.SimpleQueueService.UnsupportedOperation", "no FIFO queues on this machine"));
        }
        if !is_entry_id(&queue_name) {
            let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        match self.queues.get(&queue_name) {
            None => drop(self.queues.insert(queue_name.clone(), Queue::new(attributes)?)),
            Some(there) => {
                if let Some(attribute) = there.differs_in(&attributes) {
                    let message = format!(
                        "A queue already exists with the same name and a different value for attribute {attribute}"
                    );
                    return Err(Refusal::new("QueueAlreadyExists", message));
                }
            }
        }
        Ok(json!({ "QueueUrl": url(&queue_name) }))
    }

    fn existing(&mut self, queue: &str) -> Result<&mut Queue, Refusal> {
        self.queues.get_mut(name(queue)).ok_or_else(|| {
            let message = "The specified queue does not exist.";
            Refusal { shape: "QueueDoesNotExist", ..Refusal::new("AWS.SimpleQueueService.NonExistentQueue", message) }
        })
    }

    /// The queue to send to.
    fn wanted(&mut self, queue: &str) -> Result<&mut Queue, Refusal> {
        let known = name(queue);
        if !self.only_created && !self.queues.contains_key(known) {
            self.queues.insert(known.to_owned(), Queue::new(BTreeMap::new())?);
        }
        self.existing(queue)
    }

    fn purge(&mut self, Purge { queue_url }: Purge) -> Result<Value, Refusal> {
        self.existing(&queue_url)?.purge();
        Ok(json!({}))
    }

    fn delete_queue(&mut self, Purge { queue_url }: Purge) -> Result<Value, Refusal> {
        self.existing(&queue_url)?;
        self.queues.remove(name(&queue_url));
        Ok(json!({}))
    }

    /// What there is now, how long to wait when that is nothing, and when to look again.
    fn receive(&mut self, asked: &Receive) -> Result<(Vec<Value>, Duration, Option<Instant>), Refusal> {
        let queue = self.existing(&asked.queue_url)?;
        let system_attributes = [asked.message_system_attribute_names.as_slice(), &asked.attribute_names].concat();
        let wanted = Wanted {
            most: asked.max_number_of_messages.unwrap_or(1),
            visibility: asked.visibility_timeout.map_or_else(|| queue.visibility(), Duration::from_secs),
            system_attributes: &system_attributes,
            attributes: &asked.message_attribute_names,
        };
        let wait = asked.wait_time_seconds.map_or_else(|| queue.wait(), Duration::from_secs);
        Ok((queue.receive(&wanted), wait, queue.next_visible()))
    }

    fn delete(&mut self, Delete { queue_url, receipt_handle }: Delete) -> Result<Value, Refusal> {
        self.existing(&queue_url)?.delete(&receipt_handle)?;
        Ok(json!({}))
    }

    fn change_visibility(
        &mut self,
        ChangeVisibility { queue_url, receipt_handle, visibility_timeout }: ChangeVisibility,
    ) -> Result<Value, Refusal> {
        let timeout = visibility(visibility_timeout)?;
        self.existing(&queue_url)?.change_visibility(&receipt_handle, timeout)?;
        Ok(json!({}))
    }

    fn change_visibility_batch(&mut self, batch: Batch<ChangeVisibilityEntry>) -> Result<Value, Refusal> {
        let ids = batch.entries.iter().map(|entry| (entry.id.as_str(), 0));
        check_batch("ChangeMessageVisibilityBatchRequestEntry", ids)?;
        let queue = self.existing(&batch.queue_url)?;
        let mut outcome = BatchOutcome::default();
        for ChangeVisibilityEntry { id, receipt_handle, visibility_timeout } in batch.entries {
            let changed =
                visibility(visibility_timeout).and_then(|timeout| queue.change_visibility(&receipt_handle, timeout));
            match changed {
                Ok(()) => outcome.succeeded(&id, Map::new()),
                Err(refusal) => outcome.failed(&id, &refusal),
            }
        }
        Ok(outcome.answer())
    }

    fn delete_batch(&mut self, batch: Batch<DeleteEntry>) -> Result<Value, Refusal> {
        check_batch("DeleteMessageBatchRequestEntry", batch.entries.iter().map(|entry| (entry.id.as_str(), 0)))?;
        let queue = self.existing(&batch.queue_url)?;
        let mut outcome = BatchOutcome::default();
        for DeleteEntry { id, receipt_handle } in batch.entries {
            match queue.delete(&receipt_handle) {
                Ok(()) => outcome.succeeded(&id, Map::new()),
                Err(refusal) => outcome.failed(&id, &refusal),
            }
        }
        Ok(outcome.answer())
    }

    fn send(&mut self, send: Send) -> Result<Value, Refusal> {
        send.content.check(self.wanted(&send.queue_url)?.most_bytes())?;
        if self.fails() {
            return Err(Refusal { status: 500, ..Refusal::new("InternalFailure", "told to fail") });
        }
        Ok(keep(self.wanted(&send.queue_url)?, send.content).into())
    }

    fn send_batch(&mut self, batch: Batch<Entry>) -> Result<Value, Refusal> {
        let sizes = batch.entries.iter().map(|entry| (entry.id.as_str(), entry.content.bytes()));
        check_batch("SendMessageBatchRequestEntry", sizes)?;
        let most_bytes = self.wanted(&batch.queue_url)?.most_bytes();
        let mut outcome = BatchOutcome::default();
        for Entry { id, content } in batch.entries {
            match content.check(most_bytes) {
                Err(refusal) => outcome.failed(&id, &refusal),
                Ok(()) if self.fails() => {
                    outcome.failed(&id, &Refusal { status: 500, ..Refusal::new("InternalError", "told to fail") });
                }
                Ok(()) => outcome.succeeded(&id, keep(self.wanted(&batch.queue_url)?, content)),
            }
        }
        Ok(outcome.answer())
    }

    fn fails(&mut self) -> bool {
        let fails = self.failures > 0;
        self.failures = self.failures.saturating_sub(1);
        fails
    }
}

/// How long a message is hidden that somebody has received.
fn visibility(seconds: u32) -> Result<Duration, Refusal> {
    if seconds <= 43_200 {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let reason = "Must be between 0 and 43200, if provided.";
    let message = format!("Value {seconds} for parameter VisibilityTimeout is invalid. Reason: {reason}");
    Err(Refusal::new("InvalidParameterValue", message))
}

impl Receive {
    fn check(&self) -> Result<(), Refusal> {
        let within = |name: &str, given: Option<u64>, least: u64, most: u64| match given {
            Some(value) if !(least..=most).contains(&value) => Err(Refusal::new(
                "InvalidParameterValue",
                format!(
                    "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
                ),
            )),
            _ => Ok(()),
        };
        within("MaxNumberOfMessages", self.max_number_of_messages.map(|most| most as u64), 1, 10)?;
        within("VisibilityTimeout", self.visibility_timeout, 0, 43_200)?;
        within("WaitTimeSeconds", self.wait_time_seconds, 0, 20)
    }
}

/// Puts a message in its queue, and says what a client checks: the digests.
fn keep(queue: &mut Queue, content: Content) -> Map<String, Value> {
    let mut kept = Map::new();
    kept.insert("MD5OfMessageBody".to_owned(), content.digest_of_body().into());
    if let Some(digest) = content.digest_of_attributes() {
        kept.insert("MD5OfMessageAttributes".to_owned(), digest.into());
    }
    kept.insert("MessageId".to_owned(), queue.send(content).into());
    kept
}

/// What became of the entries of a batch.
#[derive(Default)]
struct BatchOutcome {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl BatchOutcome {
    fn succeeded(&mut self, id: &str, mut entry: Map<String, Value>) {
        entry.insert("Id".to_owned(), id.into());
        self.successful.push(entry.into());
    }

    fn failed(&mut self, id: &str, refusal: &Refusal) {
        let senders = refusal.status < 500;
        self.failed.push(json!({ "Id": id, "SenderFault": senders, "Code": refusal.code, "Message": refusal.message }));
    }

    fn answer(self) -> Value {
        json!({ "Successful": self.successful, "Failed": self.failed })
    }
}

/// What SQS asks of the ids and sizes of a batch's entries.
fn check_batch<'a>(kind: &str, entries: impl Iterator<Item = (&'a str, usize)>) -> Result<(), Refusal> {
    let (ids, sizes): (Vec<_>, Vec<_>) = entries.unzip();
    let distinct: HashSet<_> = ids.iter().collect();
    let bytes: usize = sizes.iter().sum();
    let refused = |code: &'static str, message: String| Err(Refusal::new(code, message));
    match ids.len() {
        0 => refused("AWS.SimpleQueueService.EmptyBatchRequest", format!("There should be at least one {kind} in the request.")),
        many if many > 10 => refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", format!("Maximum number of entries per request are 10. You have sent {many}.")),
        many if many > distinct.len() => refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.".to_owned()),
        _ if !ids.iter().all(|id| is_entry_id(id)) => refused("AWS.SimpleQueueService.InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.".to_owned()),
        _ if bytes > MOST_BYTES => refused("AWS.SimpleQueueService.BatchRequestTooLong", format!("Batch requests cannot be longer than {MOST_BYTES} bytes. You have sent {bytes} bytes.")),
        _ => Ok(()),
    }
}

/// The same holds for the name of a queue.
fn is_entry_id(id: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    (1..=80).contains(&id.len()) && id.chars().all(allowed)
}

/// Why a request, or a message of a batch, is not taken.
struct Refusal {
    status: u16,
    code: &'static str,
    /// The error's name in JSON, which may be another one than its code.
    shape: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        let shape = code.rsplit('.').next().unwrap_or(code);
        Self { status: 400, code, shape, message: message.into() }
    }

    /// The code is in a header of its own, as SQS had its codes before it spoke JSON.
    fn response(&self) -> Response<Full<Bytes>> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = error(status, &format!("com.amazonaws.sqs#{}", self.shape), &self.message);
        let whose = if self.status < 500 { "Sender" } else { "Receiver" };
        if let Ok(code) = format!("{};{whose}", self.code).parse() {
            response.headers_mut().insert("x-amzn-query-error", code);
        }
        response
    }
}
