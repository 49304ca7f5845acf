//! Kinesis, by PutRecords, with a spool on disk for while it is away.
//!
//! ```text
//! records ──▶ window ──▶ requests ──▶ Kinesis
//!    │        memory │
//!    │               ▼ what was not accepted for half a second
//!    └──────────▶  spool ──▶ window, in its order
//!  no room there, or older ones on disk
//! ```
//!
//! A record is let go when Kinesis has accepted it. Until then it is in memory, and after half a second on disk as well:
//! a process that is killed loses what came in its last half second and, while the disk is full or fails, what came since
//! that began. What was accepted is taken off the disk a little later, and a request whose answer was lost is sent again, so records come at least once.
//!
//! Records of one thread come in their order (one request has at most one of them), with one exception: when the disk has
//! older records and can't be read for ten seconds, news doesn't wait for it.

mod answers;
mod batches;
mod delivery;
mod disk;
mod reports;
mod spool;

use self::{batches::Batches, delivery::Delivery, disk::Disk, reports::Reports, spool::Storage};
use super::Sink;
use crate::{outbox::Records, status::SinkStatus};
use aws_sdk_kinesis::Client;
use bytes::Bytes;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A stream.
///
/// ```no_run
/// # async fn example(records: ingester::outbox::Records) -> anyhow::Result<()> {
/// use ingester::{sinks::{Sink, kinesis::Kinesis}, status::Status};
/// use std::time::Duration;
///
/// let aws = runtime::aws::configuration(Duration::from_secs(2), Duration::from_secs(5)).await;
/// let client = aws_sdk_kinesis::Client::new(&aws);
/// let status = Status::new();
/// let sink = Kinesis::new(client, "news", "/var/lib/newsloom/spool.redb", status.sink());
/// sink.spool_mib(4096).run(records).await
/// # }
/// ```
#[derive(Debug)]
pub struct Kinesis {
    client: Client,
    stream: String,
    storage: Storage,
    status: Arc<SinkStatus>,
    settings: Settings,
}

/// What can be set.
#[derive(Debug, Clone, Copy)]
struct Settings {
    batches: batches::Limits,
    disk: disk::Limits,
    timeout: Duration,
    /// How long what is left may take at the end.
    last: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batches: batches::Limits { records: 500, bytes: 5 << 20, in_flight: 4, linger: Duration::from_millis(5) },
            disk: disk::Limits { spool: 1 << 30, window: 16 << 20, spill_after: Duration::from_millis(500) },
            timeout: Duration::from_secs(5),
            last: Duration::from_secs(5),
        }
    }
}

impl Kinesis {
    /// A stream, by its name or ARN, and the file of the spool, which is made if it isn't there. The client should try a
    /// request once: what is to be sent again is decided here.
    pub fn new(client: Client, stream: impl Into<String>, spool: impl Into<PathBuf>, status: Arc<SinkStatus>) -> Self {
        let storage = Storage::file(spool.into());
        Self { client, stream: stream.into(), storage, status, settings: Settings::default() }
    }

    /// The most that waits on disk, MiB of the file; 1024 by default. What finds no room stays in memory, where the
    /// outbox refuses what is too much.
    pub fn spool_mib(mut self, mib: u32) -> Self {
        self.settings.disk.spool = u64::from(mib) << 20;
        self
    }

    /// The most that a request holds, bytes; 5 MiB by default, and 10 MiB is what Kinesis takes (Kinesis API,
    /// PutRecords). Requests are smaller for a while when they have no answer in time, but not below 64 KiB.
    pub fn request_bytes(mut self, bytes: usize) -> Self {
        self.settings.batches.bytes = bytes;
        self
    }

    /// How many requests may be on their way, 1 or more; 4 by default.
    pub fn requests_in_flight(mut self, requests: usize) -> Self {
        self.settings.batches.in_flight = requests.max(1);
        self
    }

    /// How long a record waits for others to go with it while a request is on its way; 5 ms by default. When none is,
    /// it goes at once.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.batches.linger = linger;
        self
    }

    /// How long a request may take with its answer before it is sent again, in smaller requests; 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How long a record that Kinesis doesn't have may be in memory alone; 500 ms by default.
    pub fn spill_after(mut self, after: Duration) -> Self {
        self.settings.disk.spill_after = after;
        self
    }

    /// How much of what is on disk may be in memory too, bytes; 16 MiB by default. More makes it no faster.
    pub fn window(mut self, bytes: usize) -> Self {
        self.settings.disk.window = bytes.max(1);
        self
    }
}

/// A record that Kinesis refuses whatever is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its partition key.
    pub thread: String,
    /// The item, as it was to be on the stream.
    pub data: Bytes,
    /// What Kinesis said.
    pub why: String,
}

/// The records that were set aside in a spool, oldest first. They stay there.
///
/// # Errors
///
/// There is no spool of that path, or a process has it.
pub fn refused(spool: &Path) -> anyhow::Result<Vec<Refused>> {
    anyhow::ensure!(spool.is_file(), "there is no spool {}", spool.display());
    let refused = Storage::file(spool.into()).open()?.spool.refused()?;
    Ok(refused.into_iter().map(|(entry, why)| entry.refused(why)).collect())
}

impl Sink for Kinesis {
    /// # Errors
    ///
    /// Another process has the spool.
    async fn run(self, records: Records) -> anyhow::Result<()> {
        let mut batches = Batches::new(self.settings.batches);
        let disk = Disk::open(self.storage, self.settings.disk, &mut batches).await?;
        let waiting = disk.contents().records;
        if waiting > 0 {
            tracing::info!(records = waiting, "Records of an earlier run go first.");
        }
        let reports = Reports::new(Arc::clone(&self.status));
        let stream = delivery::Stream { client: self.client, name: self.stream, timeout: self.settings.timeout };
        Delivery::new(stream, self.status, batches, disk, reports).run(records, self.settings.last).await;
        Ok(())
    }
}
