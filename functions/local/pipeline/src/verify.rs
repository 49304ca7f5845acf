//! The test vector: known items in, the exact expectations out.
//!
//! [`verify`] puts the rows of a [`Vector`] into a pipeline that runs, on this machine or on AWS, waits for what comes of
//! them in the table, on the exchange and in the quarantine, and compares it with what the vector says, all of it. Everything
//! of a run begins with a mark of its own, so that it can be told from what others do with the same pipeline; it subscribes
//! with a queue of its own; and it removes what it left, however it ends. Others see it nonetheless: who subscribes to all
//! news gets the run's items too.

pub mod command;
mod exchange;
mod feed;
mod judge;
mod models;
pub mod outputs;
mod plan;
mod queues;
mod report;
mod seen;
mod stopping;
mod stream;
mod table;
mod vector;

pub use exchange::ExchangeError;
pub use feed::{Feed, Simulated};
pub use models::{Model, Models};
pub use outputs::OutputsError;
pub use report::{Count, Counts, Look, Outcome, Report, RowReport, Stage, Times, Wrong};
pub use vector::{DEFAULT, Expect, Put, Row, Story, Trick, Vector};

use crate::Deployment;
use aws_config::{SdkConfig, timeout::TimeoutConfig};
use exchange::Subscriber;
use futures_util::future::join3;
use judge::Went;
use news::feeds::Filter;
use plan::{Known, Plan, Planned, Work};
use queues::{Patience, Sqs, Watch};
use seen::{GivenUp, Quarantined, Seen, SetAside, Stored};
use std::{
    future::{Future, pending},
    time::Duration,
};
use stopping::Stopping;
use stream::Stream;
use table::Table;
use tokio::time::Instant;

/// How a run is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which model judges which language.
    pub models: Models,
    /// Whether the models do what the vector asks of them: refuse [`Vector::refused_texts`], and answer for
    /// [`Vector::languages_without_sentiments`] with labels that are none.
    pub tricks: bool,
    /// What the pipeline lets in of what its feed sends; all, unless said otherwise. Without a feed it isn't asked.
    pub filter: Filter,
    /// Whether to subscribe to the exchange; otherwise that stage is left out.
    pub exchange: bool,
    /// How long each stage is waited for: first table and quarantine, then the exchange.
    pub limit: Duration,
    /// How long to wait, when all has come, for more to come that shouldn't.
    pub settle: Duration,
    /// How long between two looks at table and queues.
    pub poll: Duration,
}

impl Options {
    /// For a pipeline on this machine: 30 seconds a stage, two seconds for more to come.
    pub fn local(models: Models) -> Self {
        let (limit, settle, poll) = (Duration::from_secs(30), Duration::from_secs(2), Duration::from_millis(50));
        Self { models, tricks: false, filter: Filter::default(), exchange: true, limit, settle, poll }
    }

    /// For a pipeline on AWS: 120 seconds a stage, as a serverless endpoint may have to start; ten seconds for more to
    /// come.
    pub fn aws(models: Models) -> Self {
        let (limit, settle, poll) = (Duration::from_mins(2), Duration::from_secs(10), Duration::from_millis(500));
        Self { models, tricks: false, filter: Filter::default(), exchange: true, limit, settle, poll }
    }
}

/// A run that could not begin: nothing was put in.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Nobody could subscribe.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The table can't be read.
    #[error("could not read the table {table}: {why}")]
    Table {
        /// Its name.
        table: String,
        /// Why.
        why: String,
    },
    /// A queue can't be read.
    #[error("{0}")]
    Queue(String),
}

/// Puts a vector into a pipeline, and says what came of it. Where the pipeline has a `feed` that can be told what to send,
/// stories go that way; otherwise items are put on the stream.
///
/// When `stop` ends, the run does too, after the request that is under way and one last look, and says so. However it
/// ends, what it left is removed.
///
/// # Errors
///
/// The run could not begin: the table, a queue or the broker can't be reached.
pub async fn verify(
    deployment: &Deployment,
    feed: Option<&dyn Feed>,
    vector: &Vector,
    options: &Options,
    stop: impl Future<Output = ()>,
) -> Result<Report, VerifyError> {
    let seen = Seen::new();
    let Options { models, tricks, filter, .. } = options;
    let known = Known { feed: feed.map(Feed::name), models, tricks: *tricks, filter };
    let plan = Plan::new(vector, &run(), seen.clock.started, known);
    let work = async |stopping: Stopping| {
        let mut run = Box::pin(Run::begin(deployment, feed, &plan, options, seen, stopping.clone())).await?;
        Box::pin(run.go()).await;
        let interrupted = stopping.is_so();
        run.end().await;
        Ok::<_, VerifyError>((run.seen, interrupted))
    };
    let (seen, interrupted) = Box::pin(stopping::until(stop, work)).await?;
    let went = Went { exchange: options.exchange, limit: options.limit, interrupted };
    Ok(judge::judge(&plan, &seen, went))
}

/// Never: for [`verify`], where nothing can stop a run.
pub fn never() -> impl Future<Output = ()> {
    pending()
}

/// A word that no other run has.
fn run() -> String {
    (0..8).map(|_| char::from(fastrand::u8(b'a'..=b'z'))).collect()
}

/// How long a request may take, with all its attempts: nobody waits longer for the end of a run that is stopped.
const REQUEST: Duration = Duration::from_secs(20);

/// How long an attempt at one may take.
const ATTEMPT: Duration = Duration::from_secs(8);

/// The same AWS, for requests that don't take for ever.
fn bounded(config: &SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_timeout(REQUEST).operation_attempt_timeout(ATTEMPT);
    let timeouts = timeouts.connect_timeout(ATTEMPT / 2).build();
    config.to_builder().timeout_config(timeouts).build()
}

/// A run that goes on.
struct Run<'a> {
    plan: &'a Plan<'a>,
    options: &'a Options,
    feed: Option<&'a dyn Feed>,
    stream: Stream,
    table: Table,
    subscriber: Option<Subscriber>,
    quarantine: Watch<Sqs>,
    failures: [Watch<Sqs>; 2],
    seen: Seen,
    stopping: Stopping,
}

impl<'a> Run<'a> {
    /// Looks at everything once, and subscribes: whoever may not do that finds out before anything is put in.
    async fn begin(
        deployment: &'a Deployment,
        feed: Option<&'a dyn Feed>,
        plan: &'a Plan<'a>,
        options: &'a Options,
        seen: Seen,
        stopping: Stopping,
    ) -> Result<Self, VerifyError> {
        let outputs = &deployment.outputs;
        let config = &bounded(&deployment.config);
        let mut subscriber = None;
        if options.exchange {
            subscriber = Some(Subscriber::connect(deployment, &plan.mark, seen.clock.began).await?);
        }
        let watch = |url: &str, name| Watch::new(Sqs::new(config, url), name, stopping.clone());
        let mut run = Self {
            plan,
            options,
            feed,
            stream: Stream::new(config, &outputs.stream),
            table: Table::new(config, &outputs.table),
            subscriber,
            quarantine: watch(&outputs.quarantine_url, "the quarantine"),
            failures: [
                watch(&outputs.enrich_failures_url, "the queue of enrich's failures"),
                watch(&outputs.publish_failures_url, "the queue of publish's failures"),
            ],
            seen,
            stopping: stopping.clone(),
        };
        let why = |why| VerifyError::Table { table: outputs.table.clone(), why };
        run.look_at_table().await.map_err(why)?;
        if let Some(why) = run.look_at_queues(Patience::None).await.into_iter().next() {
            run.end().await;
            return Err(VerifyError::Queue(why));
        }
        Ok(run)
    }

    async fn go(&mut self) {
        self.put_in().await;
        self.wait(Self::is_decided).await;
        self.wait(Self::is_published).await;
        let settled = Instant::now() + self.options.settle;
        while Instant::now() < settled && !self.stopping.is_so() {
            self.look(Patience::None).await;
            self.stopping.sleep_until(settled.min(Instant::now() + self.options.poll)).await;
        }
        // What has come until now counts, also in a run that is stopped.
        self.look(if self.stopping.is_so() { Patience::None } else { Patience::Second }).await;
    }

    async fn put_in(&mut self) {
        for (place, planned) in self.plan.tried() {
            for _ in 0..planned.row.times {
                if self.stopping.is_so() {
                    return;
                }
                self.put(place, planned).await;
            }
        }
    }

    async fn put(&mut self, place: usize, planned: &Planned<'_>) {
        let at = self.seen.now();
        // Before it is sent: whatever the answer, it may be in.
        self.seen.put.entry(place).or_insert_with(|| seen::Put { at, ..seen::Put::default() });
        let sent = match (&planned.work, self.feed) {
            (Work::Skip(_), _) => return,
            (Work::Item { item, .. }, Some(feed)) => feed.send(feed::story(item)).await.map(|()| None),
            (Work::Item { item, .. }, None) => self.stream.put(&item.thread, item.to_record()).await.map(Some),
            (Work::Record { key, data }, _) => self.stream.put(key, data.clone()).await.map(Some),
        };
        let now = self.seen.now();
        let Some(put) = self.seen.put.get_mut(&place) else { return };
        match sent {
            Ok(accepted) => {
                put.times += 1;
                if let Some(accepted) = accepted {
                    put.accepted.get_or_insert(now);
                    put.numbers.push((accepted.shard, accepted.number));
                }
            }
            Err(why) => put.refused = Some(why),
        }
    }

    /// Looks until something is so, as long as a stage may take, or until the run is to end.
    async fn wait(&mut self, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + self.options.limit;
        while !self.stopping.is_so() {
            self.look(Patience::None).await;
            if is_so(self) || Instant::now() >= end {
                return;
            }
            self.stopping.sleep_until(Instant::now() + self.options.poll).await;
        }
    }

    /// Everything is in the table or set aside that has to be.
    fn is_decided(&self) -> bool {
        self.plan.tried().all(|(_, planned)| {
            let aside = self.times_set_aside(planned);
            if planned.is_published() { self.is_seen(planned) } else { aside >= usize::from(planned.row.times) }
        })
    }

    /// It is in the table, or set aside.
    fn is_seen(&self, planned: &Planned<'_>) -> bool {
        planned.id().is_some_and(|id| self.seen.stored.contains_key(id)) || self.times_set_aside(planned) > 0
    }

    fn times_set_aside(&self, planned: &Planned<'_>) -> usize {
        self.seen.quarantined.iter().filter(|message| self.plan.is_about(planned, &message.set_aside)).count()
    }

    /// Everything that is in the table and has to be has come out of the exchange.
    fn is_published(&self) -> bool {
        let Some(subscriber) = &self.subscriber else { return true };
        let came = |id: &str| {
            let id = news::routing::message_id(id);
            self.seen.delivered.iter().any(|delivered| delivered.message_id == id)
        };
        let published = self.plan.tried().filter(|(_, planned)| planned.is_published());
        let mut stored =
            published.filter_map(|(_, planned)| planned.id()).filter(|id| self.seen.stored.contains_key(*id));
        stored.all(came) || !subscriber.is_connected()
    }

    /// Looks at everything. What can't be looked at now may be the next time; who waits finds out.
    async fn look(&mut self, patience: Patience) {
        let mut failed = self.look_at_queues(patience).await;
        failed.extend(self.look_at_table().await.err());
        self.look_at_exchange();
        for why in failed {
            self.note(why);
        }
    }

    fn note(&mut self, note: String) {
        if !self.seen.notes.contains(&note) {
            self.seen.notes.push(note);
        }
    }

    fn look_at_exchange(&mut self) {
        let Some(subscriber) = &mut self.subscriber else { return };
        self.seen.delivered.extend(subscriber.take());
        if !subscriber.is_connected() {
            self.note("the connection to the broker was lost".into());
        }
    }

    /// Only for what is not known yet.
    async fn look_at_table(&mut self) -> Result<(), String> {
        let unknown: Vec<&str> = self.plan.ids().filter(|id| !self.seen.stored.contains_key(*id)).collect();
        let found = self.table.read(&unknown).await?;
        let at = self.seen.now();
        self.seen.stored.extend(found.into_iter().map(|(id, item)| (id, Stored { at, item })));
        Ok(())
    }

    /// Gives what could not be looked at; what was seen before that counts.
    async fn look_at_queues(&mut self, patience: Patience) -> Vec<String> {
        let (mark, started) = (self.plan.mark.as_str(), self.seen.clock.started);
        let [of_enrich, of_publish] = &mut self.failures;
        let mut set_aside = Vec::new();
        let [mut by_enrich, mut by_publish] = [Vec::new(), Vec::new()];
        let (quarantine, enrich, publish) = join3(
            self.quarantine.look(patience, |body| SetAside::of_run(body, mark), &mut set_aside),
            of_enrich.look(patience, |body| GivenUp::during(body, started), &mut by_enrich),
            of_publish.look(patience, |body| GivenUp::during(body, started), &mut by_publish),
        )
        .await;
        let at = self.seen.now();
        self.seen.quarantined.extend(set_aside.into_iter().map(|set_aside| Quarantined { at, set_aside }));
        self.seen.given_up.extend(by_enrich.into_iter().chain(by_publish));
        [quarantine, enrich, publish].into_iter().filter_map(Result::err).collect()
    }

    /// Removes what the run left.
    async fn end(&mut self) {
        let late =
            self.plan.tried().filter(|(place, planned)| self.seen.put.contains_key(place) && !self.is_seen(planned));
        let late = late.count();
        if late > 0 {
            let mark = &self.plan.mark;
            self.note(format!("{late} rows were put in and never seen: what comes of them later stays, as {mark}:…"));
        }
        if let Some(mut subscriber) = self.subscriber.take() {
            self.seen.delivered.extend(subscriber.take());
            self.seen.notes.append(&mut subscriber.notes);
            subscriber.close().await;
        }
        let mut notes = self.quarantine.leave(|_| false).await;
        for failures in &mut self.failures {
            let (seen, started) = (&self.seen, self.seen.clock.started);
            let is_sure = |given_up: GivenUp| given_up.batch.is_some_and(|batch| batch.is_of(seen));
            notes.extend(failures.leave(|body| !GivenUp::during(body, started).is_some_and(is_sure)).await);
        }
        let ids: Vec<&str> = self.plan.ids().collect();
        if let Err(why) = self.table.delete(&ids).await {
            notes.push(format!("could not remove the run's rows: {why}"));
        }
        for note in notes {
            self.note(note);
        }
    }
}
