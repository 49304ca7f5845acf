//! A record's form on disk.

use crate::{outbox::Record, sinks::kinesis::Refused};
use bytes::Bytes;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// The form that is written. Others are kept, not read.
const FORM: u8 = 1;

/// What is before thread and data.
const HEAD: usize = 1 + 8 + 8 + 4;

/// A record on disk, or on its way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sinks::kinesis) struct Entry {
    thread: String,
    data: Bytes,
    published: Timestamp,
    received: Timestamp,
}

impl Entry {
    /// A copy; the data itself is shared.
    pub(in crate::sinks::kinesis) fn of(record: &Record) -> Self {
        Self {
            thread: record.thread.clone(),
            data: record.data.clone(),
            published: record.published,
            received: Timestamp::now().checked_sub(record.received.elapsed()).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// The record again. When it was received is known as far as the clock of this machine can tell.
    pub(in crate::sinks::kinesis) fn into_record(self) -> Record {
        let ago = Duration::try_from(Timestamp::now().duration_since(self.received)).unwrap_or_default();
        let now = Instant::now();
        let received = now.checked_sub(ago).unwrap_or(now);
        Record::spooled(self.thread, self.data, self.published, received)
    }

    /// As one that Kinesis refused.
    pub(in crate::sinks::kinesis) fn refused(self, why: String) -> Refused {
        Refused { thread: self.thread, data: self.data, why }
    }

    /// What it takes on disk, about.
    pub(in crate::sinks::kinesis) fn footprint(&self) -> u64 {
        super::footprint(HEAD + self.thread.len() + self.data.len())
    }

    /// Form, both times in microseconds, the thread's length, the thread, the data.
    pub(super) fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.thread.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEAD + self.thread.len() + self.data.len());
        bytes.push(FORM);
        bytes.extend(self.published.as_microsecond().to_be_bytes());
        bytes.extend(self.received.as_microsecond().to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.thread.as_bytes());
        bytes.extend(&self.data[..]);
        bytes
    }

    /// `None` if it is of another form.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (form, bytes) = bytes.split_first()?;
        let (published, bytes) = bytes.split_first_chunk()?;
        let (received, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (thread, data) = bytes.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let time = |micros: &[u8; 8]| Timestamp::from_microsecond(i64::from_be_bytes(*micros)).ok();
        let entry = Self {
            thread: str::from_utf8(thread).ok()?.to_owned(),
            data: Bytes::copy_from_slice(data),
            published: time(published)?,
            received: time(received)?,
        };
        (*form == FORM).then_some(entry)
    }
}
