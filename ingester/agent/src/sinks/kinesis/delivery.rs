//! The loop: records in, requests out, and the disk beside it.

use super::{
    answers::{self, Failure, Outcome},
    batches::{Batches, Held, Pace, Request},
    disk::Disk,
    reports::Reports,
};
use crate::{
    outbox::{Record, Records},
    status::SinkStatus,
};
use aws_sdk_kinesis::Client;
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How many records are taken at once.
const AT_ONCE: usize = 500;

/// Where records go.
pub(super) struct Stream {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) timeout: Duration,
}

type Answer = (Request, Result<Vec<Outcome>, Failure>);

/// All that is in hand.
pub(super) struct Delivery {
    stream: Stream,
    status: Arc<SinkStatus>,
    batches: Batches,
    disk: Disk,
    reports: Reports,
    /// What came and may not go into the window yet.
    incoming: VecDeque<Record>,
    on_the_way: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
}

impl Delivery {
    pub(super) fn new(stream: Stream, status: Arc<SinkStatus>, batches: Batches, disk: Disk, reports: Reports) -> Self {
        let (incoming, on_the_way) = (VecDeque::new(), FuturesUnordered::new());
        Self { stream, status, batches, disk, reports, incoming, on_the_way }
    }

    /// Until `records` ends and all is done, or `last` has passed after its end.
    pub(super) async fn run(mut self, mut records: Records, last: Duration) {
        let mut came = Vec::with_capacity(AT_ONCE);
        let mut ends: Option<Instant> = None;
        loop {
            let now = Instant::now();
            self.advance(now);
            if ends.is_some_and(|ends| self.is_done() || ends <= now) {
                break;
            }
            let next = [self.batches.next_at(now), self.disk.next_at(&self.batches, now), ends];
            let next = next.into_iter().flatten().min();
            tokio::select! {
                Some((request, answer)) = self.on_the_way.next() => self.answered(request, answer, Instant::now()),
                done = self.disk.done() => {
                    self.disk.settle(done, &mut self.batches, &mut self.incoming, Instant::now());
                    self.report_disk(Instant::now());
                }
                count = records.recv_many(&mut came, AT_ONCE), if ends.is_none() => {
                    self.incoming.extend(came.drain(..));
                    if count == 0 {
                        ends = Some(Instant::now() + last);
                    }
                }
                () = wait_until(next) => (),
            }
        }
        self.finish().await;
    }

    /// Does all that can be done now.
    fn advance(&mut self, now: Instant) {
        while !self.incoming.is_empty() && self.disk.lets_pass(&self.batches, now) {
            if let Some(record) = self.incoming.pop_front() {
                self.batches.push(record, None, now);
            }
        }
        while let Some(request) = self.batches.next(now) {
            self.send(request);
        }
        self.disk.work(&mut self.batches, &self.incoming, now);
        self.report_disk(now);
    }

    fn send(&mut self, request: Request) {
        self.status.requests.inc();
        self.status.resent.inc_by(request.resent as u64);
        let entries = request.arrivals.iter().map(|arrival| answers::entry(self.batches.get(*arrival))).collect();
        let Stream { client, name, timeout } = &self.stream;
        let put = answers::put(client.clone(), name.clone(), entries, *timeout);
        self.on_the_way.push(put.map(|answer| (request, answer)).boxed_local());
    }

    fn answered(&mut self, request: Request, answer: Result<Vec<Outcome>, Failure>, now: Instant) {
        match answer {
            Ok(outcomes) => self.partly(&request, &outcomes, now),
            Err(Failure::Invalid(why)) => self.invalid(request, why, now),
            Err(failure) => {
                match failure {
                    Failure::Standing(_) => self.batches.failed(request, Pace::Slow, now),
                    Failure::Late(_) => self.batches.late(request, now),
                    _ => self.batches.failed(request, Pace::Soon, now),
                }
                self.reports.stream(Some(failure.text()), now);
            }
        }
    }

    fn partly(&mut self, request: &Request, outcomes: &[Outcome], now: Instant) {
        let accepted: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
        for held in self.batches.answered(request, &accepted, now) {
            let Record { published, received, .. } = held.record;
            self.status.accept(held.record.size(), published, received);
            self.disk.accepted(&held, now);
        }
        self.reports.stream(None, now);
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        if let Some(Err(why)) = outcomes.iter().find(|outcome| outcome.is_err()) {
            self.reports.failed_records(failed, outcomes.len(), why, now);
        }
    }

    fn invalid(&mut self, request: Request, why: String, now: Instant) {
        let count = request.arrivals.len();
        match self.batches.invalid(request, now) {
            Some(held) => self.refuse(held, why, now),
            None if self.batches.is_failing() => self.reports.stream(Some(&why), now),
            None => self.reports.failed_records(count, count, &why, now),
        }
    }

    fn refuse(&mut self, held: Held, why: String, now: Instant) {
        self.status.refused.inc();
        tracing::error!(thread = held.record.thread, why, "Kinesis refuses a record for itself: it is set aside.");
        self.disk.refuse(held, why, now);
    }

    fn report_disk(&mut self, now: Instant) {
        let contents = self.disk.contents();
        self.status.spooled.set(i64::try_from(contents.records).unwrap_or(i64::MAX));
        self.status.spooled_bytes.set(i64::try_from(contents.bytes).unwrap_or(i64::MAX));
        self.status.lost.inc_by(self.disk.take_damaged());
        self.reports.disk(self.disk.trouble(), now);
    }

    fn is_done(&self) -> bool {
        self.incoming.is_empty() && self.batches.window().is_empty() && self.disk.has_nothing_to_read()
    }

    async fn finish(mut self) {
        let waiting = self.batches.window().count_not_on_disk() + self.incoming.len();
        // Their records stay in the window: whether Kinesis has them nobody knows.
        self.on_the_way.clear();
        let lost = self.disk.finish(&mut self.batches, &mut self.incoming).await;
        self.report_disk(Instant::now());
        if lost > 0 {
            self.status.lost.inc_by(lost as u64);
            tracing::error!(records = lost, "Records are lost: neither Kinesis nor the disk took them.");
        }
        let spooled = self.disk.contents().records;
        if spooled > 0 {
            tracing::warn!(records = spooled, written = waiting - lost.min(waiting), "Records wait on disk.");
        }
    }
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
