//! A queue: messages that wait, and messages that somebody has and hasn't deleted.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    time::{Duration, Instant, SystemTime},
};

use serde_json::{Map, Value, json};

use super::{Message, Refusal, content::Content};
use crate::server::request_id;

#[derive(Debug)]
pub(super) struct Queue {
    /// Those that were set.
    attributes: BTreeMap<String, String>,
    /// In the order they were sent.
    messages: BTreeMap<u64, Kept>,
    sent: u64,
    created: SystemTime,
}

#[derive(Debug)]
struct Kept {
    id: String,
    content: Content,
    sent: SystemTime,
    /// Received by nobody before that.
    visible: Instant,
    received: u64,
    first_received: Option<SystemTime>,
}

/// What a receiver asks for.
pub(super) struct Wanted<'a> {
    pub(super) most: usize,
    pub(super) visibility: Duration,
    pub(super) system_attributes: &'a [String],
    pub(super) attributes: &'a [String],
}

/// An attribute that can be set, its range if it is a number, and what a queue has that wasn't told.
type Attribute = (&'static str, Option<RangeInclusive<u64>>, Option<&'static str>);

const ATTRIBUTES: [Attribute; 10] = [
    (VISIBILITY, Some(0..=43_200), Some("30")),
    (WAIT, Some(0..=20), Some("0")),
    (DELAY, Some(0..=MOST_DELAY), Some("0")),
    ("MessageRetentionPeriod", Some(60..=1_209_600), Some("345600")),
    (SIZE, Some(1_024..=1_048_576), Some("1048576")),
    ("SqsManagedSseEnabled", None, Some("true")),
    ("KmsMasterKeyId", None, None),
    ("KmsDataKeyReusePeriodSeconds", Some(60..=86_400), None),
    ("Policy", None, None),
    // Said and not done: nothing here moves messages to another queue.
    ("RedrivePolicy", None, None),
];

const VISIBILITY: &str = "VisibilityTimeout";
const WAIT: &str = "ReceiveMessageWaitTimeSeconds";
const DELAY: &str = "DelaySeconds";
const SIZE: &str = "MaximumMessageSize";

/// How long nobody may receive a message at first, in seconds.
pub(super) const MOST_DELAY: u64 = 900;

impl Queue {
    pub(super) fn new(attributes: BTreeMap<String, String>) -> Result<Self, Refusal> {
        attributes.iter().try_for_each(|(name, value)| check(name, value))?;
        Ok(Self { attributes, messages: BTreeMap::new(), sent: 0, created: SystemTime::now() })
    }

    /// The first attribute that has another value here.
    pub(super) fn differs_in(&self, attributes: &BTreeMap<String, String>) -> Option<String> {
        let differs = |(name, value): &(&String, &String)| self.attribute(name) != Some(value.as_str());
        attributes.iter().find(differs).map(|(name, _)| name.clone())
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.messages.values().map(|kept| kept.content.message()).collect()
    }

    pub(super) fn purge(&mut self) {
        self.messages.clear();
    }

    /// Takes a message, and gives its id.
    pub(super) fn send(&mut self, content: Content) -> String {
        let id = request_id();
        let delay = content.delay_seconds.map_or_else(|| self.seconds(DELAY), Duration::from_secs);
        let kept = Kept {
            id: id.clone(),
            content,
            sent: SystemTime::now(),
            visible: Instant::now() + delay,
            received: 0,
            first_received: None,
        };
        self.sent += 1;
        self.messages.insert(self.sent, kept);
        id
    }

    /// Messages that nobody else gets for a while.
    pub(super) fn receive(&mut self, wanted: &Wanted<'_>) -> Vec<Value> {
        let now = Instant::now();
        let visible = self.messages.iter_mut().filter(|(_, kept)| kept.visible <= now);
        visible.take(wanted.most).map(|(number, kept)| kept.receive(*number, now, wanted)).collect()
    }

    /// When the next message becomes visible that isn't.
    pub(super) fn next_visible(&self) -> Option<Instant> {
        let now = Instant::now();
        self.messages.values().map(|kept| kept.visible).filter(|visible| *visible > now).min()
    }

    /// Deletes what the handle was given for. One that isn't the message's last is no error and does nothing, which is
    /// the worst that SQS says may happen.
    pub(super) fn delete(&mut self, handle: &str) -> Result<(), Refusal> {
        if let Some(number) = self.held(handle)? {
            self.messages.remove(&number);
        }
        Ok(())
    }

    /// Hides what the handle was given for so long from now, zero shows it again.
    pub(super) fn change_visibility(&mut self, handle: &str, timeout: Duration) -> Result<(), Refusal> {
        let number = self.held(handle)?;
        let held = number.and_then(|number| self.messages.get_mut(&number));
        let held = held.filter(|kept| kept.visible > Instant::now()).ok_or_else(|| {
            let message = format!("The message of the handle \"{handle}\" is not in flight.");
            Refusal::new("AWS.SimpleQueueService.MessageNotInflight", message)
        })?;
        held.visible = Instant::now() + timeout;
        Ok(())
    }

    /// The message that a handle was given for, unless it is deleted, or was received once more.
    fn held(&self, handle: &str) -> Result<Option<u64>, Refusal> {
        let (number, received) = read_handle(handle).ok_or_else(|| {
            let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
            Refusal::new("ReceiptHandleIsInvalid", message)
        })?;
        let is_last = self.messages.get(&number).is_some_and(|kept| kept.received == received);
        Ok(is_last.then_some(number))
    }

    /// The largest message, in bytes.
    pub(super) fn most_bytes(&self) -> usize {
        self.attribute(SIZE).and_then(|bytes| bytes.parse().ok()).unwrap_or(super::MOST_BYTES)
    }

    pub(super) fn visibility(&self) -> Duration {
        self.seconds(VISIBILITY)
    }

    pub(super) fn wait(&self) -> Duration {
        self.seconds(WAIT)
    }

    /// `GetQueueAttributes`.
    pub(super) fn describe(&self, arn: &str, asked: &[String]) -> Map<String, Value> {
        let now = Instant::now();
        let visible = self.messages.values().filter(|kept| kept.visible <= now).count();
        let delayed = self.messages.values().filter(|kept| kept.visible > now && kept.received == 0).count();
        let mut all = Map::new();
        let mut add = |name: &str, value: String| all.insert(name.to_owned(), value.into());
        add("QueueArn", arn.to_owned());
        add("ApproximateNumberOfMessages", visible.to_string());
        add("ApproximateNumberOfMessagesDelayed", delayed.to_string());
        add("ApproximateNumberOfMessagesNotVisible", (self.messages.len() - visible - delayed).to_string());
        add("CreatedTimestamp", (milliseconds(self.created) / 1000).to_string());
        add("LastModifiedTimestamp", (milliseconds(self.created) / 1000).to_string());
        for (name, _, _) in ATTRIBUTES {
            if let Some(value) = self.attribute(name) {
                add(name, value.to_owned());
            }
        }
        all.retain(|name, _| asked.iter().any(|asked| asked == "All" || asked == name));
        all
    }

    fn seconds(&self, attribute: &str) -> Duration {
        let seconds = self.attribute(attribute).and_then(|seconds| seconds.parse().ok());
        Duration::from_secs(seconds.unwrap_or_default())
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        let default = ATTRIBUTES.iter().find(|(known, ..)| *known == name).and_then(|(.., default)| *default);
        self.attributes.get(name).map(String::as_str).or(default)
    }
}

impl Kept {
    fn receive(&mut self, number: u64, now: Instant, wanted: &Wanted<'_>) -> Value {
        self.received += 1;
        self.visible = now + wanted.visibility;
        let first = *self.first_received.get_or_insert_with(SystemTime::now);
        let mut message = json!({
            "MessageId": self.id,
            "ReceiptHandle": handle(number, self.received),
            "Body": self.content.message_body,
            "MD5OfBody": self.content.digest_of_body(),
        });
        let mut attributes = Map::new();
        for (name, value) in [
            ("ApproximateReceiveCount", self.received.to_string()),
            ("ApproximateFirstReceiveTimestamp", milliseconds(first).to_string()),
            ("SentTimestamp", milliseconds(self.sent).to_string()),
            ("SenderId", "AIDALOCAL".to_owned()),
        ] {
            if wanted.system_attributes.iter().any(|asked| asked == "All" || asked == name) {
                attributes.insert(name.to_owned(), value.into());
            }
        }
        if !attributes.is_empty() {
            message["Attributes"] = attributes.into();
        }
        if let Some((attributes, digest)) = self.content.asked_for(wanted.attributes) {
            message["MessageAttributes"] = attributes;
            message["MD5OfMessageAttributes"] = digest.into();
        }
        message
    }
}

fn check(name: &str, value: &str) -> Result<(), Refusal> {
    let Some((_, range, _)) = ATTRIBUTES.iter().find(|(known, ..)| *known == name) else {
        return Err(Refusal::new("InvalidAttributeName", format!("Unknown Attribute {name}.")));
    };
    let fits = range.as_ref().is_none_or(|range| value.parse().is_ok_and(|value| range.contains(&value)));
    if fits {
        return Ok(());
    }
    Err(Refusal::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}.")))
}

fn handle(number: u64, received: u64) -> String {
    format!("AQEB-{number}-{received}")
}

fn read_handle(handle: &str) -> Option<(u64, u64)> {
    let (number, received) = handle.strip_prefix("AQEB-")?.split_once('-')?;
    Some((number.parse().ok()?, received.parse().ok()?))
}

fn milliseconds(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
}
