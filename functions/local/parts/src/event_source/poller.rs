//! The poller: a mapping at work on a thread of its own.

use std::{
    fmt, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    checkpoints::{Checkpoints, Counts, Progress},
    destination::Destination,
    function::Invoke,
    job::Job,
    mapping::Mapping,
    options::Options,
    shard,
    source::Source,
};
use crate::{background::Background, lock};

/// A running event source mapping, on a thread and a runtime of its own.
///
/// Dropping it ends it at once, whatever is under way.
///
/// ```no_run
/// use std::time::Duration;
///
/// use local::event_source::{Invoke, KinesisSource, Mapping, Options, Poller, SqsDestination};
///
/// /// The clients are nobody else's.
/// async fn example(
///     mapping: Mapping,
///     function: impl Invoke,
///     kinesis: aws_sdk_kinesis::Client,
///     sqs: aws_sdk_sqs::Client,
/// ) -> std::io::Result<()> {
///     let source = KinesisSource::new(kinesis, &mapping);
///     let failures = mapping.on_failure.as_deref().and_then(|arn| SqsDestination::new(sqs, arn));
///     let failures = failures.expect("a mapping with a destination; `Nowhere` for one without");
///
///     let poller = Poller::start(mapping, source, function, failures, Options::default())?;
///     println!("{:?}", poller.counts());
///     poller.stop(Duration::from_secs(30)).await;
///     Ok(())
/// }
/// ```
pub struct Poller {
    // First, so that nothing runs any more when the rest is dropped.
    background: Background,
    stopping: watch::Sender<Option<Duration>>,
    ended: watch::Receiver<bool>,
    progress: Arc<Mutex<Progress>>,
    clock: fn() -> Timestamp,
}

impl Poller {
    /// Starts to read. The destination is told of discarded batches if the mapping has one
    /// ([`Mapping::on_failure`]); it is [`Nowhere`](super::Nowhere) where there is none.
    ///
    /// # Errors
    ///
    /// When no thread can be had.
    pub fn start<S: Source, I: Invoke, D: Destination>(
        mapping: Mapping,
        source: S,
        function: I,
        destination: D,
        options: Options,
    ) -> io::Result<Self> {
        let progress = Arc::new(Mutex::new(Progress::of(options.checkpoints.clone())));
        let (stopping, stopped) = watch::channel(None);
        let (end, ended) = watch::channel(false);
        let clock = options.clock;
        let job = Job {
            mapping,
            options,
            source,
            function,
            destination,
            progress: Arc::clone(&progress),
            stopping: stopped.clone(),
        };
        let work = async move {
            tokio::select! {
                () = shard::run(Arc::new(job)) => (),
                () = overtime(stopped) => (),
            }
            end.send_replace(true);
        };
        let background = Background::run("event-source", work)?;
        Ok(Self { background, stopping, ended, progress, clock })
    }

    /// What was done so far, and what has yet to be.
    pub fn counts(&self) -> Counts {
        lock(&self.progress).counts((self.clock)())
    }

    /// How far each shard has come.
    pub fn checkpoints(&self) -> Checkpoints {
        lock(&self.progress).checkpoints().clone()
    }

    /// Reads no more, and returns when the invocations that are under way were answered, or after this time. What failed
    /// is not tried again, and what waits is not invoked: both come again from the checkpoints, which another poller may
    /// [start with](Options::checkpoints).
    pub async fn stop(mut self, patience: Duration) -> (Counts, Checkpoints) {
        self.stopping.send_replace(Some(patience));
        // An error is a thread that has ended without saying so: a function that panicked.
        let _ = self.ended.wait_for(|ended| *ended).await;
        (self.counts(), self.checkpoints())
    }
}

/// Returns when the poller was to stop and the time for it is over.
async fn overtime(mut stopping: watch::Receiver<Option<Duration>>) {
    let patience = stopping.wait_for(Option::is_some).await.ok().and_then(|patience| *patience);
    tokio::time::sleep(patience.unwrap_or_default()).await;
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("background", &self.background)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
