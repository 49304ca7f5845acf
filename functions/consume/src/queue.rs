//! The queue that items wait in.

use lapin::{
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable, ShortString},
};
use std::time::Duration;

/// The queue that items wait in until the subscriber takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    name: Option<String>,
    max_length: Option<u32>,
    expires: Option<Duration>,
}

impl Queue {
    /// A durable quorum queue, which keeps what comes while nobody subscribes. Subscribers that name the same queue
    /// share the work: each item goes to one of them. 1 to 255 bytes.
    pub fn durable(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), max_length: None, expires: None }
    }

    /// A queue for this connection alone: what comes from now on, as long as the subscriber is there to take it. After
    /// the connection was lost there is a gap.
    pub fn tail() -> Self {
        Self { name: None, max_length: None, expires: None }
    }

    /// Keeps at most so many items; then the oldest go. Without it there is no limit but the broker's disk.
    #[must_use]
    pub fn max_length(self, items: u32) -> Self {
        Self { max_length: Some(items), ..self }
    }

    /// Is removed, with what waits in it, after nobody subscribed for so long; at least a millisecond. Without it
    /// stays until it is deleted.
    #[must_use]
    pub fn expires(self, after: Duration) -> Self {
        Self { expires: Some(after), ..self }
    }

    /// Its name; none for [`tail`](Self::tail), which the broker names.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn short_name(&self) -> ShortString {
        self.name.clone().unwrap_or_default().into()
    }

    pub(crate) fn options(&self) -> QueueDeclareOptions {
        let durable = self.name.is_some();
        QueueDeclareOptions { durable, exclusive: !durable, auto_delete: !durable, ..QueueDeclareOptions::default() }
    }

    pub(crate) fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        // Said for both: what a queue is when nobody says so is a setting of the broker, and differs between versions.
        let kind = if self.name.is_some() { "quorum" } else { "classic" };
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        if let Some(items) = self.max_length {
            arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(items.into()));
        }
        if let Some(after) = self.expires {
            let milliseconds = i64::try_from(after.as_millis()).unwrap_or(i64::MAX).max(1);
            arguments.insert("x-expires".into(), AMQPValue::LongLongInt(milliseconds));
        }
        arguments
    }
}
