//! Reading: which shards there are, and each of them to its end.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{task::JoinSet, time::Instant};

use super::{
    buffer::{Buffer, Item},
    destination::Destination,
    function::Invoke,
    job::{Flow, Job},
    lane::{self, Lane},
    mapping::StartingPosition,
    notice::Notice,
    source::{Page, Place, ReadError, Record, ShardInfo, Source},
};

/// Which shards were begun with, and which are over.
#[derive(Debug, Default)]
struct Known {
    begun: HashSet<String>,
    ended: HashSet<String>,
    /// Whether there was a list already: only the shards of the first begin at the mapping's starting position.
    listed: bool,
}

/// How reading a shard ends, unless the poller stops before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is closed, and was read to its end.
    Closed,
    /// It is not there any more.
    Gone,
}

/// Does what the mapping says, until the poller stops.
pub(super) async fn run<S: Source, I: Invoke, D: Destination>(job: Arc<Job<S, I, D>>) {
    if !job.mapping.enabled {
        return job.stopped().await;
    }
    let mut shards = JoinSet::new();
    let _ = follow(&job, &mut shards).await;
    while let Some(ended) = shards.join_next().await {
        let (_shard, _end) = joined(ended);
    }
}

/// Looks for shards again and again, and begins with those whose parents are over.
async fn follow<S: Source, I: Invoke, D: Destination>(
    job: &Arc<Job<S, I, D>>,
    shards: &mut JoinSet<(String, Flow<End>)>,
) -> Flow {
    let mut known = Known::default();
    let mut failures = 0;
    loop {
        let pause = match job.unless_stopped(job.source.shards()).await? {
            Ok(listed) => {
                failures = 0;
                for (shard, from) in known.ready(job, &listed) {
                    shards.spawn(read(Arc::clone(job), shard, from));
                }
                job.options.shard_interval
            }
            Err(error) => {
                failures += 1;
                job.read_failed(None, &error, failures)
            }
        };
        let ended = async {
            match shards.join_next().await {
                Some(ended) => joined(ended),
                None => std::future::pending().await,
            }
        };
        let ended = async {
            tokio::select! {
                (shard, end) = ended => Some((shard, end)),
                () = tokio::time::sleep(pause) => None,
            }
        };
        if let Some((shard, ControlFlow::Continue(end))) = job.unless_stopped(ended).await? {
            known.end(shard, end);
        }
    }
}

/// What a task returned. A panic in it, a function's for instance, is ours.
fn joined<T>(task: Result<T, tokio::task::JoinError>) -> T {
    match task {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl Known {
    /// The shards to begin with now, and where.
    fn ready<S, I, D>(&mut self, job: &Job<S, I, D>, listed: &[ShardInfo]) -> Vec<(String, Place)> {
        let there: HashSet<_> = listed.iter().map(|shard| &shard.id).collect();
        // A parent that is not listed has no records left, but those of it that were read may still be under way.
        let gone = |parent: &String| !there.contains(parent) && !self.begun.contains(parent);
        let over = |parent: &String| self.ended.contains(parent) || gone(parent);
        let ready = |shard: &&ShardInfo| !self.begun.contains(&shard.id) && shard.parents.iter().all(over);
        let ready: Vec<_> = listed.iter().filter(ready).map(|shard| shard.id.clone()).collect();
        self.begun.extend(ready.iter().cloned());
        let mut progress = job.progress();
        // Who goes on from checkpoints has had a first list.
        let first = !std::mem::replace(&mut self.listed, true) && progress.checkpoints().is_empty();
        let position = if first { job.mapping.starting_position } else { StartingPosition::TrimHorizon };
        let start = match position {
            StartingPosition::TrimHorizon => Place::TrimHorizon,
            // From here on no record is left out, also where the first iterator is had much later.
            StartingPosition::Latest => Place::Time(job.now()),
            StartingPosition::AtTimestamp(time) => Place::Time(time),
        };
        for shard in listed {
            progress.start(&shard.id, &start);
        }
        let place = |shard: String| {
            let place = if position == StartingPosition::Latest { Place::Latest } else { progress.place(&shard) };
            (shard, place)
        };
        ready.into_iter().map(place).collect()
    }

    fn end(&mut self, shard: String, end: End) {
        match end {
            End::Closed => {
                self.ended.insert(shard);
            }
            // Should it be listed again, of a stream that was made anew, it is begun with again.
            End::Gone => {
                self.begun.remove(&shard);
            }
        }
    }
}

/// Reads a shard to its end, and waits until all of it is done.
async fn read<S: Source, I: Invoke, D: Destination>(
    job: Arc<Job<S, I, D>>,
    shard: String,
    from: Place,
) -> (String, Flow<End>) {
    job.progress().begin(&shard);
    job.tell(|| Notice::ShardStarted { shard: shard.clone() });
    let buffer = Arc::new(Buffer::new(job.mapping.parallelization_factor));
    let mut lanes = JoinSet::new();
    for number in 0..job.mapping.parallelization_factor {
        let lane = Lane { shard: shard.as_str().into(), number };
        lanes.spawn(lane::run(Arc::clone(&job), lane, Arc::clone(&buffer)));
    }
    let mut reader = Reader { job: &job, shard: &shard, buffer: &buffer, place: from, since: None, failures: 0 };
    let reading = async {
        let end = reader.read().await;
        buffer.close();
        end
    };
    let handing_over = async {
        while let Some(ended) = lanes.join_next().await {
            joined(ended);
        }
    };
    let (end, ()) = tokio::join!(reading, handing_over);
    match end {
        ControlFlow::Break(()) => (),
        ControlFlow::Continue(_) if job.pause(Duration::ZERO).await.is_break() => (),
        ControlFlow::Continue(end) => {
            job.progress().end(&shard);
            if end == End::Closed {
                job.tell(|| Notice::ShardEnded { shard: shard.clone() });
            }
        }
    }
    (shard, end)
}

/// A shard that is being read.
struct Reader<'a, S, I, D> {
    job: &'a Job<S, I, D>,
    shard: &'a str,
    buffer: &'a Buffer,
    place: Place,
    /// Records from before then are left out; none once one was found that isn't.
    since: Option<Timestamp>,
    failures: u32,
}

impl<S: Source, I, D> Reader<'_, S, I, D> {
    async fn read(&mut self) -> Flow<End> {
        let mut iterator = None;
        loop {
            self.job.unless_stopped(self.buffer.room(self.job.options.buffer_bytes)).await?;
            let read = self.job.unless_stopped(self.next(&mut iterator)).await?;
            match read {
                Ok(page) => {
                    self.failures = 0;
                    let idle = page.records.is_empty();
                    self.take(page.records);
                    let Some(next) = page.next else { return ControlFlow::Continue(End::Closed) };
                    iterator = Some(next);
                    if idle {
                        self.job.pause(self.job.options.poll_interval).await?;
                    }
                }
                Err(ReadError::Gone(reason)) if self.is_gone().await? => {
                    self.lost(reason);
                    return ControlFlow::Continue(End::Gone);
                }
                Err(error) => self.recover(error, &mut iterator).await?,
            }
        }
    }

    /// The next page, at an iterator that there is or a new one.
    async fn next(&mut self, iterator: &mut Option<String>) -> Result<Page, ReadError> {
        let at = if let Some(iterator) = iterator {
            iterator.clone()
        } else {
            let from = self.place.clone();
            if from == Place::Latest {
                // Should this fail, or the iterator expire before a record comes, the next one must not leave any out.
                self.place = self.job.progress().place(self.shard);
            }
            let new = self.job.source.iterator(self.shard, &from).await?;
            if let Place::Time(since) = from {
                self.since = Some(since);
            }
            iterator.insert(new).clone()
        };
        self.job.source.records(self.shard, &at).await
    }

    async fn recover(&mut self, error: ReadError, iterator: &mut Option<String>) -> Flow {
        self.failures = self.failures.saturating_add(1);
        match &error {
            ReadError::Expired(_) | ReadError::Gone(_) => *iterator = None,
            ReadError::Lost(reason) => {
                *iterator = None;
                self.place = Place::TrimHorizon;
                self.lost(reason.clone());
            }
            ReadError::Failed(_) => (),
        }
        let renewed = matches!(error, ReadError::Expired(_)) && self.failures == 1;
        if renewed {
            return ControlFlow::Continue(());
        }
        let pause = self.job.read_failed(Some(self.shard), &error, self.failures);
        self.job.pause(pause).await
    }

    /// Whether the stream is there, but not the shard. Without a stream it isn't known: one of the same name may follow.
    async fn is_gone(&self) -> Flow<bool> {
        let listed = self.job.unless_stopped(self.job.source.shards()).await?;
        ControlFlow::Continue(listed.is_ok_and(|shards| shards.iter().all(|shard| shard.id != self.shard)))
    }

    fn lost(&self, reason: String) {
        self.job.count(|counts| counts.losses += 1);
        self.job.tell(|| Notice::RecordsLost { shard: self.shard.to_owned(), reason });
    }

    /// Hands what was read to the lanes, but what the filters leave out.
    fn take(&mut self, records: Vec<Record>) {
        if let Some(last) = records.last() {
            self.place = Place::After(last.number.clone());
        }
        let early = |record: &Record| self.since.is_some_and(|since| is_before(record.arrived, since));
        let early = records.iter().take_while(|record| early(record)).count();
        if early < records.len() {
            self.since = None;
        }
        let items: Vec<_> = records.into_iter().skip(early).filter_map(|record| self.item(record)).collect();
        if !items.is_empty() {
            self.buffer.add(items);
        }
    }

    fn item(&self, record: Record) -> Option<(usize, Item)> {
        let passes = self.job.mapping.passes(&record.event);
        let mut progress = self.job.progress();
        progress.counts.read += 1;
        let ordinal = progress.enter(self.shard, &record.number, record.arrived);
        if !passes {
            progress.counts.filtered_out += 1;
            progress.finish(self.shard, [ordinal]);
            return None;
        }
        drop(progress);
        let lane = self.buffer.lane(&record.key);
        let Record { number, arrived, event, .. } = record;
        Some((lane, Item { ordinal, number, arrived, json: event.to_string(), read: Instant::now() }))
    }
}

/// Earlier, by the full second: DynamoDB's times have no more.
fn is_before(arrived: Timestamp, since: Timestamp) -> bool {
    arrived.as_second() < since.as_second()
}

impl<S, I, D> Job<S, I, D> {
    /// Counts an error, tells of it, and says how long to wait.
    fn read_failed(&self, shard: Option<&str>, error: &ReadError, failures: u32) -> Duration {
        let pause = self.options.trouble_pause.about(failures);
        self.count(|counts| counts.read_errors += 1);
        self.tell(|| Notice::ReadFailed { shard: shard.map(str::to_owned), reason: error.to_string(), pause });
        pause
    }
}
