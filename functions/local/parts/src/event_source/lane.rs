//! One lane of a shard: batches one after the other, each tried until it is done or given up.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use super::{
    answer::{self, Verdict},
    buffer::{self, Buffer, Item, Limits, MOST_BYTES, Next},
    checkpoints::age,
    destination::{Condition, Destination, Discarded, LastResponse},
    function::{Invoke, Invoked},
    job::{Flow, Job},
    notice::{Batch, Notice},
};

/// A lane: its shard, and which it is.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) shard: Arc<str>,
    pub(super) number: usize,
}

/// A batch, or what bisecting has left of one.
#[derive(Debug)]
struct Piece {
    items: Vec<Item>,
    /// How often it was tried again, of [`maximum_retry_attempts`](super::Mapping::maximum_retry_attempts).
    retries: u32,
    /// How often these records were invoked, within larger pieces too.
    invocations: u32,
    /// Failures in a row, and refusals to run: they make the pause longer.
    failures: u32,
    /// The pause before it is tried.
    pause: Duration,
    last: LastResponse,
}

/// How an attempt went.
enum Attempt {
    Done,
    /// The function answered that so many are done. None of them may be.
    PartlyDone(usize),
    Failed(String),
    NotRun(String),
}

/// Hands over the lane's batches until there are no more, or the poller stops.
pub(super) async fn run<S, I, D>(job: Arc<Job<S, I, D>>, lane: Lane, buffer: Arc<Buffer>)
where
    S: Sync + Send,
    I: Invoke,
    D: Destination,
{
    while let ControlFlow::Continue(Some(batch)) = next(&job, &lane, &buffer).await {
        if job.settle(&lane, batch).await.is_break() {
            return;
        }
    }
}

async fn next<S, I, D>(job: &Job<S, I, D>, lane: &Lane, buffer: &Buffer) -> Flow<Option<Vec<Item>>> {
    let limits =
        Limits { records: job.mapping.batch_size, bytes: MOST_BYTES, window: job.mapping.maximum_batching_window };
    loop {
        job.pause(Duration::ZERO).await?;
        let mut changes = buffer.changes();
        let until = match buffer.next(lane.number, limits) {
            Next::Batch(batch) => return ControlFlow::Continue(Some(batch)),
            Next::Ended => return ControlFlow::Continue(None),
            Next::Wait(until) => until,
        };
        let due = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let change = async {
            tokio::select! {
                _ = changes.changed() => (),
                () = due => (),
            }
        };
        job.unless_stopped(change).await?;
    }
}

impl<S, I: Invoke, D: Destination> Job<S, I, D> {
    /// Tries a batch until each of its records is done or given up. Breaks when the poller stops: what is left then is
    /// unfinished.
    async fn settle(&self, lane: &Lane, batch: Vec<Item>) -> Flow {
        let mut pieces = vec![Piece::new(batch)];
        while let Some(piece) = pieces.pop() {
            self.pause(piece.pause).await?;
            let piece = self.without_expired(lane, piece).await?;
            if piece.items.is_empty() {
                continue;
            }
            if buffer::size(&piece.items) > MOST_BYTES {
                // A single record that no invocation can hold. The Kinesis guide sends it to the destination.
                self.discard(lane, &piece, Condition::RetryAttemptsExhausted).await?;
                continue;
            }
            let (piece, attempt) = self.attempt(piece).await;
            match attempt {
                Attempt::Done => {
                    self.tell(|| Notice::BatchDone { batch: piece.named(lane) });
                    self.done(lane, &piece.items);
                }
                Attempt::NotRun(reason) => {
                    self.tell(|| Notice::NotRun { batch: piece.named(lane), reason });
                    pieces.push(piece.later(self));
                }
                Attempt::Failed(reason) => {
                    self.tell(|| Notice::BatchFailed { batch: piece.named(lane), reason });
                    self.failed(lane, piece, &mut pieces).await?;
                }
                Attempt::PartlyDone(done) => {
                    self.tell(|| Notice::BatchPartlyDone { batch: piece.named(lane), done });
                    self.partly_done(lane, piece, done, &mut pieces).await?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    async fn attempt(&self, mut piece: Piece) -> (Piece, Attempt) {
        let invoked = self.function.invoke(buffer::event(&piece.items)).await;
        if let Invoked::NotRun(reason) = invoked {
            self.count(|counts| counts.not_run += 1);
            return (piece, Attempt::NotRun(reason));
        }
        let again = u64::from(piece.invocations > 0);
        piece.invocations = piece.invocations.saturating_add(1);
        let attempt = match invoked {
            Invoked::Answered(answer) => {
                piece.last = LastResponse::Answered;
                self.verdict(&answer, &piece.items)
            }
            Invoked::Failed { kind, message } => {
                piece.last = LastResponse::Failed;
                Attempt::Failed(format!("{kind}: {message}"))
            }
            Invoked::NotRun(reason) => Attempt::NotRun(reason),
        };
        self.count(|counts| {
            counts.invocations += 1;
            counts.retries += again;
            counts.function_errors += u64::from(matches!(attempt, Attempt::Failed(_)));
            counts.partial_failures += u64::from(matches!(attempt, Attempt::PartlyDone(_)));
        });
        (piece, attempt)
    }

    fn verdict(&self, answer: &[u8], items: &[Item]) -> Attempt {
        if !self.mapping.report_batch_item_failures {
            return Attempt::Done;
        }
        let numbers: Vec<_> = items.iter().map(|item| item.number.as_str()).collect();
        match answer::read(answer, &numbers) {
            Verdict::Done => Attempt::Done,
            Verdict::From(place) => Attempt::PartlyDone(place),
            Verdict::Nothing(reason) => Attempt::Failed(reason),
        }
    }

    /// Splits a batch that failed as a whole, tries it again, or gives it up.
    async fn failed(&self, lane: &Lane, piece: Piece, pieces: &mut Vec<Piece>) -> Flow {
        if !self.mapping.bisect_batch_on_function_error || piece.items.len() < 2 {
            return self.retry(lane, piece, pieces).await;
        }
        let middle = piece.items.len() / 2;
        self.tell(|| Notice::Split { batch: piece.named(lane), first: middle });
        let (first, second) = piece.split(middle);
        pieces.push(second);
        pieces.push(Piece { pause: self.options.retry_pause.after(1), ..first });
        ControlFlow::Continue(())
    }

    /// The first records are done; the rest is tried again. Where bisecting is on, cutting them off is the split, which
    /// takes no attempt; where none is done there is nothing to cut off.
    async fn partly_done(&self, lane: &Lane, piece: Piece, done: usize, pieces: &mut Vec<Piece>) -> Flow {
        if done == 0 {
            return self.retry(lane, piece, pieces).await;
        }
        let (first, rest) = piece.split(done);
        self.done(lane, &first.items);
        if self.mapping.bisect_batch_on_function_error {
            pieces.push(Piece { pause: self.options.retry_pause.after(1), ..rest });
            return ControlFlow::Continue(());
        }
        self.retry(lane, rest, pieces).await
    }

    async fn retry(&self, lane: &Lane, piece: Piece, pieces: &mut Vec<Piece>) -> Flow {
        let exhausted = self.mapping.maximum_retry_attempts.is_some_and(|most| piece.retries >= most);
        if exhausted {
            return self.discard(lane, &piece, Condition::RetryAttemptsExhausted).await;
        }
        pieces.push(Piece { retries: piece.retries.saturating_add(1), ..piece.later(self) });
        ControlFlow::Continue(())
    }

    /// Gives up the records at the front that are too old; those of a shard grow old in their order.
    async fn without_expired(&self, lane: &Lane, mut piece: Piece) -> Flow<Piece> {
        let Some(oldest) = self.mapping.maximum_record_age else { return ControlFlow::Continue(piece) };
        let now = self.now();
        let expired = piece.items.iter().take_while(|item| age(item.arrived, now) > oldest).count();
        if expired > 0 {
            let rest = piece.items.split_off(expired);
            self.discard(lane, &piece, Condition::RecordAgeExceeded).await?;
            piece.items = rest;
        }
        ControlFlow::Continue(piece)
    }

    /// Tells the destination until it is told, and only then lets the checkpoint move on.
    async fn discard(&self, lane: &Lane, piece: &Piece, condition: Condition) -> Flow {
        if self.mapping.on_failure.is_some() {
            let body = Discarded {
                mapping: &self.mapping,
                shard: &lane.shard,
                items: &piece.items,
                condition,
                invocations: piece.invocations,
                last: piece.last,
                now: self.now(),
            };
            self.send(lane, piece, body.body()).await?;
        }
        self.tell(|| Notice::Discarded { batch: piece.named(lane), condition });
        let mut progress = self.progress();
        progress.counts.discarded += piece.items.len() as u64;
        progress.finish(&lane.shard, piece.items.iter().map(|item| item.ordinal));
        ControlFlow::Continue(())
    }

    async fn send(&self, lane: &Lane, piece: &Piece, body: String) -> Flow {
        let mut failures = 0_u32;
        while let Err(error) = self.destination.send(body.clone()).await {
            failures = failures.saturating_add(1);
            self.tell(|| Notice::DestinationFailed { batch: piece.named(lane), reason: error.to_string() });
            self.pause(self.options.trouble_pause.about(failures)).await?;
        }
        self.count(|counts| counts.destination_messages += 1);
        ControlFlow::Continue(())
    }

    fn done(&self, lane: &Lane, items: &[Item]) {
        let mut progress = self.progress();
        progress.counts.handed_over += items.len() as u64;
        progress.finish(&lane.shard, items.iter().map(|item| item.ordinal));
    }
}

impl Piece {
    fn new(items: Vec<Item>) -> Self {
        Self { items, retries: 0, invocations: 0, failures: 0, pause: Duration::ZERO, last: LastResponse::None }
    }

    /// The same, after a pause.
    fn later<S, I, D>(self, job: &Job<S, I, D>) -> Self {
        let failures = self.failures.saturating_add(1);
        Self { failures, pause: job.options.retry_pause.after(failures), ..self }
    }

    /// The first so many records and the rest, which are tried at once.
    fn split(mut self, first: usize) -> (Self, Self) {
        let items = self.items.split_off(first);
        let Self { retries, invocations, last, .. } = self;
        let part = |items| Self { retries, invocations, last, ..Self::new(items) };
        (part(self.items), part(items))
    }

    /// What an observer is told of it.
    fn named(&self, lane: &Lane) -> Batch {
        Batch {
            shard: lane.shard.to_string(),
            lane: lane.number,
            numbers: self.items.iter().map(|item| item.number.clone()).collect(),
            invocations: self.invocations,
        }
    }
}
