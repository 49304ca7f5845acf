//! Sources: what a function is called for, one batch at a time.

use std::{borrow::Cow, marker::PhantomData};

use super::{
    destination::Destination,
    filter::Filter,
    function::FunctionRef,
    mapping::{Mapping, MappingRef},
};
use crate::{
    policy::Grant,
    services::{kms::KeyRef, units::Seconds},
    tree::{Arn, Ref, Stack, Text},
};

/// Records of a Kinesis stream, from `stream.records()`.
pub type Records = Source<Kinesis>;
/// Changes of a DynamoDB table, from `table.changes()`.
pub type Changes = Source<DynamoDb>;
/// Messages of an SQS queue, from `queue.messages()`.
pub type Messages = Source<Sqs>;

/// A source that calls a function with batches, and how it does so: [`Records`], [`Changes`] or [`Messages`].
///
/// ```
/// use constructs::{services::{kinesis::Stream, lambda::{Filter, Function, one_of}, units::Seconds}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let news = stack.add("News", Stream::on_demand());
/// let enrich = stack.add("Enrich", Function::rust("target/lambda/enrich.zip"));
/// let english = news
///     .records()
///     .batch(100)
///     .window(Seconds(1))
///     .bisect()
///     .report_failures()
///     .retries(3)
///     .filter(Filter::data().field("language", one_of(["en"])));
/// stack.trigger(enrich, english);
/// ```
#[derive(Debug, Clone)]
pub struct Source<K> {
    settings: Settings,
    origin: PhantomData<K>,
}

/// Kinesis data streams.
#[derive(Debug, Clone, Copy)]
pub struct Kinesis;
/// Streams of DynamoDB tables.
#[derive(Debug, Clone, Copy)]
pub struct DynamoDb;
/// SQS queues.
#[derive(Debug, Clone, Copy)]
pub struct Sqs;

/// Where a source's records come from.
pub trait Origin: Clone + 'static {
    /// The id of a function's source of this kind: `Records`.
    const ID: &'static str;
}

/// Origins that keep their records in order for a while, and are read from a position.
pub trait Streaming: Origin {}

impl Origin for Kinesis {
    const ID: &'static str = "Records";
}

impl Origin for DynamoDb {
    const ID: &'static str = "Changes";
}

impl Origin for Sqs {
    const ID: &'static str = "Messages";
}

impl Streaming for Kinesis {}
impl Streaming for DynamoDb {}

/// What a mapping is made of, whatever its origin.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) arn: Text,
    pub(super) read: Grant,
    pub(super) id: Cow<'static, str>,
    pub(super) batch: Option<u32>,
    pub(super) window: Option<Seconds>,
    pub(super) parallelization: Option<u32>,
    /// Nothing for queues.
    pub(super) start: Option<Start>,
    /// Nothing means until the records expire.
    pub(super) retries: Option<u32>,
    pub(super) max_age: Option<Seconds>,
    pub(super) tumbling: Option<Seconds>,
    pub(super) bisects: bool,
    pub(super) reports_failures: bool,
    pub(super) on_failure: Option<Destination>,
    /// Finished patterns, or what is wrong with them.
    pub(super) filters: Vec<Result<serde_json::Value, String>>,
    pub(super) is_counted: bool,
    pub(super) is_enabled: bool,
    pub(super) key: Option<KeyRef>,
    pub(super) concurrency: Option<u32>,
    pub(super) pollers: Option<(u32, u32)>,
    pub(super) is_fifo: bool,
    pub(super) hidden_for: Option<Seconds>,
}

/// Where reading starts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    TrimHorizon,
    Latest,
    /// Seconds since 1970.
    At(u64),
}

impl<K: Origin> Source<K> {
    fn new(arn: Text, read: Grant, start: Option<Start>) -> Self {
        let settings = Settings {
            arn,
            read,
            id: K::ID.into(),
            batch: None,
            window: None,
            parallelization: None,
            start,
            retries: None,
            max_age: None,
            tumbling: None,
            bisects: false,
            reports_failures: false,
            on_failure: None,
            filters: Vec::new(),
            is_counted: false,
            is_enabled: true,
            key: None,
            concurrency: None,
            pollers: None,
            is_fifo: false,
            hidden_for: None,
        };
        Self { settings, origin: PhantomData }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// How many records a call gets at most, 1 to 10 000. Defaults to 100, for queues to 10. A batch also ends
    /// at 6 MB of event. More than 10 of a queue need a [window](Source::window).
    pub fn batch(self, records: u32) -> Self {
        self.with(|settings| settings.batch = Some(records))
    }

    /// How long records are gathered until a batch is full, 0 to 300 seconds. Defaults to 0: what is there
    /// is sent at once.
    pub fn window(self, window: Seconds) -> Self {
        self.with(|settings| settings.window = Some(window))
    }

    /// The function answers with the records that failed, and only those are sent again; of a stream, those
    /// and all after them. Without it, one failed record repeats its whole batch.
    pub fn report_failures(self) -> Self {
        self.with(|settings| settings.reports_failures = true)
    }

    /// Only records that match this filter, or another of up to 5; the others are gone. See [`Filter`].
    pub fn filter(self, filter: Filter<K>) -> Self {
        self.with(|settings| settings.filters.push(filter.finish()))
    }

    /// Encrypts the filters with this key, whose policy must let Lambda use it:
    /// `Key::new(…).for_service("lambda.amazonaws.com")`.
    pub fn filters_encrypted_by(self, key: KeyRef) -> Self {
        self.with(|settings| settings.key = Some(key))
    }

    /// Counts the records that were read, filtered out, sent and failed, as metrics (`EventCount`), which are paid for.
    pub fn counted(self) -> Self {
        self.with(|settings| settings.is_counted = true)
    }

    /// Set up, and stopped: nothing is read until it is enabled by hand or without this.
    pub fn disabled(self) -> Self {
        self.with(|settings| settings.is_enabled = false)
    }

    /// Another id than `Records`, `Changes` or `Messages`: for a function with two sources of one kind. It is
    /// written as ids are, and stands below the function.
    pub fn named(self, id: impl Into<Cow<'static, str>>) -> Self {
        self.with(|settings| settings.id = id.into())
    }
}

impl<K: Streaming> Source<K> {
    /// How many batches of one shard are processed at a time, 1 to 10. Defaults to 1. Records of one partition
    /// key stay in order.
    pub fn parallelization(self, batches: u32) -> Self {
        self.with(|settings| settings.parallelization = Some(batches))
    }

    /// Starts with what comes next, not with the oldest record that is kept. Records that come in the minutes
    /// in which the mapping is created, or in the seconds in which it is changed, are missed.
    pub fn latest(self) -> Self {
        self.with(|settings| settings.start = Some(Start::Latest))
    }

    /// How often a batch is repeated after an error, 0 to 10 000 times. By default until its records expire,
    /// which holds up its shard for so long.
    pub fn retries(self, retries: u32) -> Self {
        self.with(|settings| settings.retries = Some(retries))
    }

    /// How old a record may be to be sent at all, 60 to 604 800 seconds. By default as old as the stream keeps it.
    pub fn max_age(self, age: Seconds) -> Self {
        self.with(|settings| settings.max_age = Some(age))
    }

    /// Cuts a failed batch in two, to find the record that fails. This uses up no retries.
    pub fn bisect(self) -> Self {
        self.with(|settings| settings.bisects = true)
    }

    /// Hands a state from call to call for so long, 0 to 900 seconds, for sums over time. Defaults to 0: no state.
    pub fn tumbling_window(self, window: Seconds) -> Self {
        self.with(|settings| settings.tumbling = Some(window))
    }

    /// Where batches go that were given up: a queue or topic gets where they are in the stream, a bucket also
    /// what was in them. Without it they are gone. The right to send goes to the function's role.
    pub fn on_failure(self, destination: impl Into<Destination>) -> Self {
        self.with(|settings| settings.on_failure = Some(destination.into()))
    }
}

impl Records {
    /// Records of a stream, or of one of its consumers, and the right to read them.
    pub fn of(arn: Ref<Arn>, read: Grant) -> Self {
        Self::new(arn.into(), read, Some(Start::TrimHorizon))
    }

    /// Starts with the first record after a time, in seconds since 1970.
    pub fn starting_at(self, seconds_since_1970: u64) -> Self {
        self.with(|settings| settings.start = Some(Start::At(seconds_since_1970)))
    }
}

impl Changes {
    /// Changes in the stream of a table, and the right to read them.
    pub fn of(stream_arn: Ref<Arn>, read: Grant) -> Self {
        Self::new(stream_arn.into(), read, Some(Start::TrimHorizon))
    }
}

impl Messages {
    /// Messages of a queue, and the right to receive and delete them.
    pub fn of(queue_arn: Ref<Arn>, read: Grant) -> Self {
        Self::new(queue_arn.into(), read, None)
    }

    /// The queue keeps messages in order: batches have up to 10, and there is no window.
    pub fn in_order(self) -> Self {
        self.with(|settings| settings.is_fifo = true)
    }

    /// How long the queue hides a message that was received. Shorter than the function's timeout, messages would
    /// be processed twice; AWS advises six times as long.
    pub fn hidden_for(self, timeout: Seconds) -> Self {
        self.with(|settings| settings.hidden_for = Some(timeout))
    }

    /// How many calls this queue makes at a time, 2 to 1000. By default as many as there is work for. Not
    /// together with [`Source::pollers`].
    pub fn max_concurrency(self, calls: u32) -> Self {
        self.with(|settings| settings.concurrency = Some(calls))
    }

    /// Keeps so many pollers running, which are paid for and scale up three times as fast: 2 to 200 at least, 2 to
    /// 2000 at most.
    pub fn pollers(self, range: std::ops::RangeInclusive<u32>) -> Self {
        self.with(|settings| settings.pollers = Some(range.into_inner()))
    }
}

/// What can call a function in batches.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't trigger a function",
    label = "not a source of batches",
    note = "pass `stream.records()`, `table.changes()` or `queue.messages()`",
    note = "for what calls a function by itself, such as a topic or a rule, use `stack.allow_invoke`"
)]
pub trait Trigger {
    /// Where it comes from.
    type Origin: Origin;

    /// The source with its settings.
    fn source(self) -> Source<Self::Origin>;
}

impl<K: Origin> Trigger for Source<K> {
    type Origin = K;

    fn source(self) -> Self {
        self
    }
}

impl Stack {
    /// Calls a function with batches of a source: `stack.trigger(enrich, news.records().batch(100))`. Its role
    /// gets the right to read, and to send to the destination of failures; the mapping waits until it has them.
    ///
    /// It stands below the function, as `Enrich/Records`.
    pub fn trigger(&mut self, function: FunctionRef, source: impl Trigger) -> MappingRef {
        let settings = source.source().settings;
        let path = self.path_below(function);
        let id = settings.id.clone();
        if self.find(&format!("{path}/{id}")).is_some() {
            self.problem(format!("`{path}` has two sources called `{id}`; give one another id with `named`"));
        }
        self.add_below(&path, &id, Mapping { function, settings })
    }
}
