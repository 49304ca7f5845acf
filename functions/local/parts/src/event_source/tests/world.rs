//! A stream, a function and a destination that do as they are told, and a poller between them.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::event_source::{
    checkpoints::{Checkpoints, Counts, Progress},
    destination::Destination,
    function::{Invoke, Invoked},
    job::Job,
    mapping::Mapping,
    notice::Notice,
    options::Options,
    shard,
    source::{Page, Place, ReadError, Record, ShardInfo, Source},
};

pub(super) const SHARD: &str = "shardId-000000000000";

/// The properties of a mapping, with some of its own.
pub(super) fn mapping(more: &Value) -> Mapping {
    let mut properties = json!({
        "FunctionName": "enrich",
        "EventSourceArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/news",
        "StartingPosition": "TRIM_HORIZON",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": { "OnFailure": { "Destination": "arn:aws:sqs:eu-west-1:123456789012:failures" } },
    });
    properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Mapping::read(&properties).unwrap_or_else(|problems| panic!("{problems}"))
}

thread_local! {
    /// Where paused time began; each test has a thread of its own.
    static BEGIN: OnceLock<Instant> = const { OnceLock::new() };
}

/// The first moment of every test.
pub(super) const EPOCH: i64 = 1_767_323_046;

/// A clock that stands still with tokio's.
pub(super) fn now() -> Timestamp {
    let begin = BEGIN.with(|begin| *begin.get_or_init(Instant::now));
    Timestamp::from_second(EPOCH).unwrap() + begin.elapsed()
}

/// Everything a test looks at.
#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) stream: Stream,
    pub(super) function: Function,
    pub(super) destination: Queue,
    pub(super) notices: Arc<Mutex<Vec<Notice>>>,
}

/// A poller's core as a task of the test's own runtime.
pub(super) struct Running {
    task: JoinHandle<()>,
    stopping: watch::Sender<Option<Duration>>,
    progress: Arc<Mutex<Progress>>,
}

impl World {
    pub(super) fn start(&self, mapping: Mapping) -> Running {
        self.start_with(mapping, |options| options)
    }

    pub(super) fn start_with(&self, mapping: Mapping, options: impl FnOnce(Options) -> Options) -> Running {
        now();
        let notices = Arc::clone(&self.notices);
        let noted = Options::default().observe(move |notice| notices.lock().unwrap().push(notice.clone()));
        let mut options = options(noted);
        options.clock = now;
        let progress = Arc::new(Mutex::new(Progress::of(options.checkpoints.clone())));
        let (stopping, stopped) = watch::channel(None);
        let job = Job {
            mapping,
            options,
            source: self.stream.clone(),
            function: self.function.clone(),
            destination: self.destination.clone(),
            progress: Arc::clone(&progress),
            stopping: stopped,
        };
        Running { task: tokio::spawn(shard::run(Arc::new(job))), stopping, progress }
    }

    pub(super) fn notices(&self) -> Vec<String> {
        self.notices.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl Running {
    pub(super) fn counts(&self) -> Counts {
        self.progress.lock().unwrap().counts(now())
    }

    pub(super) fn checkpoints(&self) -> Checkpoints {
        self.progress.lock().unwrap().checkpoints().clone()
    }

    pub(super) fn checkpoint(&self) -> Option<String> {
        self.checkpoints().get(SHARD).map(str::to_owned)
    }

    /// Waits, in paused time, until every record that was read is done.
    pub(super) async fn settled(&self, records: u64) {
        for _ in 0..100_000 {
            let counts = self.counts();
            if counts.read >= records && counts.unfinished == 0 {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("not settled: {:?}", self.counts());
    }

    pub(super) async fn stop(self) -> Counts {
        self.stopping.send_replace(Some(Duration::ZERO));
        self.task.await.unwrap();
        self.progress.lock().unwrap().counts(now())
    }
}

/// A stream in memory. An iterator is the place in its shard, and the generation that it was made in.
#[derive(Clone, Default)]
pub(super) struct Stream(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    shards: BTreeMap<String, Shard>,
    /// Iterators of before are expired.
    generation: usize,
    failures: VecDeque<ReadError>,
    refusals: VecDeque<ReadError>,
    places: Vec<Place>,
    down: bool,
    reads: usize,
}

#[derive(Default)]
struct Shard {
    parents: Vec<String>,
    records: Vec<Record>,
    closed: bool,
}

impl Stream {
    /// Records `key=text` at the end of the first shard; their sequence numbers count from 1.
    pub(super) fn put(&self, records: &[&str]) {
        self.put_on(SHARD, records);
    }

    pub(super) fn put_on(&self, shard: &str, records: &[&str]) {
        let mut shards = self.0.lock().unwrap();
        let shard = shards.shards.entry(shard.to_owned()).or_default();
        for record in records {
            let (key, text) = record.split_once('=').unwrap_or((record, record));
            let number = (shard.records.len() + 1).to_string();
            let event = json!({ "kinesis": { "partitionKey": key, "sequenceNumber": number, "data": base64(text) } });
            shard.records.push(Record { number, key: key.to_owned(), arrived: now(), event });
        }
    }

    /// So many records of keys 1 to n, in turn.
    pub(super) fn put_many(&self, records: usize, keys: usize) {
        let records: Vec<_> = (0..records).map(|record| format!("{}={record}", record % keys)).collect();
        self.put(&records.iter().map(String::as_str).collect::<Vec<_>>());
    }

    pub(super) fn close(&self, shard: &str) {
        self.0.lock().unwrap().shards.get_mut(shard).unwrap().closed = true;
    }

    pub(super) fn add_shard(&self, shard: &str, parents: &[&str]) {
        let parents = parents.iter().map(|&parent| parent.to_owned()).collect();
        self.0.lock().unwrap().shards.insert(shard.to_owned(), Shard { parents, ..Shard::default() });
    }

    pub(super) fn remove_shard(&self, shard: &str) {
        self.0.lock().unwrap().shards.remove(shard);
    }

    pub(super) fn expire_iterators(&self) {
        self.0.lock().unwrap().generation += 1;
    }

    /// The next read fails so.
    pub(super) fn fail(&self, error: ReadError) {
        self.0.lock().unwrap().failures.push_back(error);
    }

    /// The next iterator isn't given.
    pub(super) fn refuse(&self, error: ReadError) {
        self.0.lock().unwrap().refusals.push_back(error);
    }

    pub(super) fn down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }

    /// Where iterators were asked for.
    pub(super) fn places(&self) -> Vec<Place> {
        self.0.lock().unwrap().places.clone()
    }

    pub(super) fn reads(&self) -> usize {
        self.0.lock().unwrap().reads
    }
}

fn base64(text: &str) -> String {
    use ::base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

impl Held {
    fn up(&mut self) -> Result<(), ReadError> {
        if self.down { Err(ReadError::Failed("down".to_owned())) } else { Ok(()) }
    }
}

impl Source for Stream {
    async fn shards(&self) -> Result<Vec<ShardInfo>, ReadError> {
        let mut shards = self.0.lock().unwrap();
        shards.up()?;
        let info = |(id, shard): (&String, &Shard)| ShardInfo { id: id.clone(), parents: shard.parents.clone() };
        Ok(shards.shards.iter().map(info).collect())
    }

    async fn iterator(&self, shard: &str, from: &Place) -> Result<String, ReadError> {
        let mut shards = self.0.lock().unwrap();
        shards.up()?;
        shards.places.push(from.clone());
        if let Some(error) = shards.refusals.pop_front() {
            return Err(error);
        }
        let Some(found) = shards.shards.get(shard) else { return Err(ReadError::Gone("no such shard".to_owned())) };
        let records = &found.records;
        let place = match from {
            Place::TrimHorizon | Place::Time(_) => 0,
            Place::Latest => records.len(),
            Place::After(number) => match records.iter().position(|record| record.number == *number) {
                Some(place) => place + 1,
                None => return Err(ReadError::Lost("no such number".to_owned())),
            },
        };
        Ok(format!("{}/{place}", shards.generation))
    }

    /// As many as 1000, as DynamoDB does.
    async fn records(&self, shard: &str, iterator: &str) -> Result<Page, ReadError> {
        let mut shards = self.0.lock().unwrap();
        shards.up()?;
        shards.reads += 1;
        if let Some(error) = shards.failures.pop_front() {
            return Err(error);
        }
        let (generation, place) = iterator.split_once('/').unwrap();
        if generation != shards.generation.to_string() {
            return Err(ReadError::Expired("iterator".to_owned()));
        }
        let place: usize = place.parse().unwrap();
        let Some(found) = shards.shards.get(shard) else { return Err(ReadError::Gone("no such shard".to_owned())) };
        let records: Vec<_> = found.records.iter().skip(place).take(1000).cloned().collect();
        let end = place + records.len();
        let over = found.closed && end == found.records.len();
        Ok(Page { records, next: (!over).then(|| format!("{generation}/{end}")) })
    }
}

type Script = dyn FnMut(&[String]) -> Invoked + Send;

/// A function that answers as a closure says.
#[derive(Clone)]
pub(super) struct Function {
    script: Arc<Mutex<Box<Script>>>,
    invocations: Arc<Mutex<Vec<Invocation>>>,
    pub(super) takes: Arc<Mutex<Duration>>,
    running: Arc<Mutex<(usize, usize)>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invocation {
    /// Milliseconds since the test began.
    pub(super) at: u128,
    /// The records' sequence numbers.
    pub(super) numbers: Vec<String>,
    pub(super) bytes: usize,
}

impl Default for Function {
    fn default() -> Self {
        let script: Box<Script> = Box::new(|_| done());
        Self {
            script: Arc::new(Mutex::new(script)),
            invocations: Arc::default(),
            takes: Arc::default(),
            running: Arc::default(),
        }
    }
}

impl Function {
    /// What it answers to records of these sequence numbers.
    pub(super) fn answers(&self, script: impl FnMut(&[String]) -> Invoked + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// How long it takes.
    pub(super) fn takes(&self, duration: Duration) {
        *self.takes.lock().unwrap() = duration;
    }

    pub(super) fn invocations(&self) -> Vec<Invocation> {
        self.invocations.lock().unwrap().clone()
    }

    /// The records of each invocation, as `1 2 3`.
    pub(super) fn batches(&self) -> Vec<String> {
        self.invocations().iter().map(|invocation| invocation.numbers.join(" ")).collect()
    }

    /// When each invocation was, and its records.
    pub(super) fn times(&self) -> Vec<(u128, String)> {
        self.invocations().iter().map(|invocation| (invocation.at, invocation.numbers.join(" "))).collect()
    }

    /// The most that ran at once.
    pub(super) fn most_at_once(&self) -> usize {
        self.running.lock().unwrap().1
    }
}

impl Invoke for Function {
    async fn invoke(&self, event: Bytes) -> Invoked {
        let json: Value = serde_json::from_slice(&event).unwrap();
        let records = json["Records"].as_array().unwrap();
        let number = |record: &Value| record["kinesis"]["sequenceNumber"].as_str().unwrap().to_owned();
        let numbers: Vec<_> = records.iter().map(number).collect();
        let at = u128::try_from(now().as_millisecond() - EPOCH * 1000).unwrap();
        self.invocations.lock().unwrap().push(Invocation { at, numbers: numbers.clone(), bytes: event.len() });
        let takes = *self.takes.lock().unwrap();
        {
            let mut running = self.running.lock().unwrap();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        if !takes.is_zero() {
            sleep(takes).await;
        }
        self.running.lock().unwrap().0 -= 1;
        (self.script.lock().unwrap())(&numbers)
    }
}

pub(super) fn done() -> Invoked {
    Invoked::Answered(Bytes::from_static(br#"{"batchItemFailures":[]}"#))
}

pub(super) fn from(number: &str) -> Invoked {
    Invoked::Answered(json!({ "batchItemFailures": [{ "itemIdentifier": number }] }).to_string().into())
}

pub(super) fn failed() -> Invoked {
    Invoked::Failed { kind: "Runtime.ExitError".to_owned(), message: "exit status: 1".to_owned() }
}

pub(super) fn throttled() -> Invoked {
    Invoked::NotRun("throttled".to_owned())
}

/// A destination that fails as often as it is told to.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<(usize, Vec<Value>)>>);

impl Queue {
    pub(super) fn fail(&self, messages: usize) {
        self.0.lock().unwrap().0 = messages;
    }

    pub(super) fn messages(&self) -> Vec<Value> {
        self.0.lock().unwrap().1.clone()
    }

    /// First and last record, and the condition, of each message.
    pub(super) fn discarded(&self) -> Vec<String> {
        let text = |message: &Value| {
            let info = &message["KinesisBatchInfo"];
            let [first, last] = ["startSequenceNumber", "endSequenceNumber"].map(|end| info[end].as_str().unwrap());
            format!("{first}-{last} {}", message["requestContext"]["condition"].as_str().unwrap())
        };
        self.messages().iter().map(text).collect()
    }
}

impl Destination for Queue {
    async fn send(&self, body: String) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut queue = self.0.lock().unwrap();
        if queue.0 > 0 {
            queue.0 -= 1;
            return Err("told to fail".into());
        }
        queue.1.push(serde_json::from_str(&body).unwrap());
        Ok(())
    }
}
