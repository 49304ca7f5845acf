//! Kinesis: the emulator `ferrokinesis`, in this process and in memory, behind faults of our own.

mod faults;

use std::{
    fmt, io,
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use ferrokinesis::{
    actions::{Operation, dispatch},
    error::KinesisErrorResponse,
    store::{Store, StoreOptions},
    validation,
};
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use self::faults::{Fault, Faults};
use super::{error, journal::Journal, lock};
use crate::{
    Place,
    background::Background,
    server::{HangUp, Reply, respond},
};

/// The media type of Kinesis' answers.
const AWS_JSON: &str = "application/x-amz-json-1.1";

/// What an on-demand stream begins with (Kinesis Data Streams Developer Guide, "Choose the right mode").
const ON_DEMAND_SHARDS: u32 = 4;

/// The service, with no stream at first. Faults apply to requests, not to the helpers here.
///
/// It says of every stream that it is provisioned, whichever mode it was created with. It takes records of up to 1 MiB and requests of up to 5 MiB. It speaks JSON, as the SDK for Rust does, and has no
/// enhanced fan-out.
#[derive(Debug, Clone)]
pub struct Kinesis {
    place: Place,
    emulator: Emulator,
    /// Where the emulator's own tasks run, such as a new stream becoming active.
    background: Arc<Background>,
    state: Arc<Mutex<State>>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// `PutRecords`, `GetRecords`, …
    pub operation: String,
    /// The request's body.
    pub body: Bytes,
    /// The HTTP status it was answered with; none while in progress, or when the connection was closed.
    pub answered: Option<u16>,
}

/// A shard and what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// `shardId-000000000000`.
    pub id: String,
    /// Its records, in their order.
    pub records: Vec<StreamRecord>,
}

/// A record on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    /// `PartitionKey`.
    pub key: String,
    /// `Data`, decoded.
    pub data: Bytes,
    /// `SequenceNumber`.
    pub number: String,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    calls: Journal<Call>,
}

impl Kinesis {
    /// The next so many requests are answered with this error code and not executed: 500 for `InternalFailure…`, else
    /// 400. `usize::MAX` is all of them, 0 ends it.
    pub fn reject(&self, requests: usize, code: &str) {
        lock(&self.state).faults.reject(requests, code);
    }

    /// The next so many records of `PutRecords` are not stored and answered `ProvisionedThroughputExceededException`;
    /// those beside them are stored.
    pub fn fail_records(&self, records: usize) {
        let mut left = records;
        self.fail_records_where(move |_| {
            let fails = left > 0;
            left = left.saturating_sub(1);
            fails
        });
    }

    /// The same for each record whose partition key `fails`. It is asked once for each record of each request, in
    /// their order.
    pub fn fail_records_where(&self, fails: impl FnMut(&str) -> bool + Send + 'static) {
        lock(&self.state).faults.fail_records_where(fails);
    }

    /// A `PutRecords` with a record whose data contains this text is refused as a whole, `InvalidArgumentException`.
    pub fn poison(&self, text: &str) {
        lock(&self.state).faults.poison(text);
    }

    /// How long every answer takes, beside the work itself. Defaults to nothing.
    pub fn latency(&self, latency: Duration) {
        lock(&self.state).faults.latency = latency;
    }

    /// Whether connections are closed in place of an answer.
    pub fn down(&self, down: bool) {
        lock(&self.state).faults.down = down;
    }

    /// The next so many requests get no answer at all, until the client gives up. They are not executed.
    pub fn hang(&self, requests: usize) {
        lock(&self.state).faults.hanging = requests;
    }

    /// The next so many requests are executed, and get no answer at all until the client gives up.
    pub fn lose_answers(&self, requests: usize) {
        lock(&self.state).faults.lost_answers = requests;
    }

    /// The requests of this operation so far, in order.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        lock(&self.state).calls.calls().iter().filter(|call| call.operation == operation).cloned().collect()
    }

    /// No faults and no journal, as at the start. The streams stay.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        state.calls.reset();
        *state = State { calls: std::mem::take(&mut state.calls), faults: Faults::default() };
    }

    pub(super) fn journal(&self, on: bool) {
        lock(&self.state).calls.switch(on);
    }

    /// A stream of so many shards, ready to be written.
    ///
    /// # Panics
    ///
    /// When there is one of that name.
    pub fn create_stream(&self, name: &str, shards: u32) {
        self.ask(Operation::CreateStream, json!({ "StreamName": name, "ShardCount": shards }));
        // The emulator makes it active in a task of its own, at once.
        while self.ask(Operation::DescribeStreamSummary, json!({ "StreamName": name }))["StreamDescriptionSummary"]["StreamStatus"]
            != "ACTIVE"
        {
            std::thread::yield_now();
        }
    }

    /// Every record of a stream, shard by shard.
    ///
    /// # Panics
    ///
    /// When there is no such stream.
    pub fn records(&self, stream: &str) -> Vec<Shard> {
        let listed = self.ask(Operation::ListShards, json!({ "StreamName": stream }));
        let shards = listed["Shards"].as_array().into_iter().flatten();
        shards.map(|shard| self.shard(stream, shard["ShardId"].as_str().unwrap_or_default())).collect()
    }

    fn shard(&self, stream: &str, id: &str) -> Shard {
        let from_the_start = json!({ "StreamName": stream, "ShardId": id, "ShardIteratorType": "TRIM_HORIZON" });
        let mut place = self.ask(Operation::GetShardIterator, from_the_start)["ShardIterator"].clone();
        let mut records = Vec::new();
        loop {
            let mut page = self.ask(Operation::GetRecords, json!({ "ShardIterator": place }));
            let found = page["Records"].as_array_mut().map(std::mem::take).unwrap_or_default();
            if found.is_empty() {
                return Shard { id: id.to_owned(), records };
            }
            records.extend(found.iter().map(StreamRecord::of));
            place = page["NextShardIterator"].take();
        }
    }

    /// Asks the emulator itself, whatever the faults, from whatever thread.
    fn ask(&self, operation: Operation, request: Value) -> Value {
        let (answer, answered) = std::sync::mpsc::channel();
        let emulator = self.emulator.clone();
        let asked = request.to_string();
        self.background.runtime().spawn(async move {
            let _ = answer.send(emulator.dispatch(operation, request).await);
        });
        match answered.recv().expect("the emulator's thread runs as long as this") {
            Ok(answer) => answer.unwrap_or_default(),
            Err(refusal) => panic!("{operation} {asked}: {refusal}: {:?}", refusal.body.message),
        }
    }
}

impl Call {
    /// The request's body.
    ///
    /// # Panics
    ///
    /// When it isn't JSON.
    pub fn request(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a request in JSON")
    }

    /// The partition keys of a `PutRecords`, in order; none for others.
    pub fn keys(&self) -> Vec<String> {
        let request = self.request();
        let records = request["Records"].as_array().into_iter().flatten();
        records.map(|record| record["PartitionKey"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl StreamRecord {
    fn of(record: &Value) -> Self {
        let text = |member: &str| record[member].as_str().unwrap_or_default().to_owned();
        Self { key: text("PartitionKey"), data: decoded(record).into(), number: text("SequenceNumber") }
    }
}

/// The data of a record in JSON. What is no base64 was refused before it came here.
fn decoded(record: &Value) -> Vec<u8> {
    BASE64.decode(record["Data"].as_str().unwrap_or_default()).unwrap_or_default()
}

impl Kinesis {
    pub(super) fn start(place: Place) -> io::Result<Self> {
        let options = StoreOptions {
            create_stream_ms: 0,
            delete_stream_ms: 0,
            update_stream_ms: 0,
            shard_limit: 1000,
            aws_account_id: place.account.clone(),
            aws_region: place.region.clone(),
            ..StoreOptions::default()
        };
        Ok(Self {
            place,
            emulator: Emulator { store: Store::new(options), turn: Arc::default() },
            background: Arc::new(Background::run("kinesis", std::future::pending())?),
            state: Arc::default(),
        })
    }

    pub(super) async fn answer(&self, operation: &str, request: Request<Bytes>) -> Reply {
        let call = self.note(operation, request.body());
        let reply = self.decide(operation, request.body()).await;
        if let (Ok(response), Some(call)) = (&reply, lock(&self.state).calls.get_mut(call)) {
            call.answered = Some(response.status().as_u16());
        }
        reply
    }

    fn note(&self, operation: &str, body: &Bytes) -> usize {
        let call = Call { operation: operation.to_owned(), body: body.clone(), answered: None };
        lock(&self.state).calls.add(call)
    }

    async fn decide(&self, operation: &str, body: &Bytes) -> Reply {
        let fault = lock(&self.state).faults.next();
        match fault {
            Fault::Down => return Err(HangUp),
            Fault::Hang => std::future::pending().await,
            Fault::Rejected(code) => {
                let status = if code.starts_with("InternalFailure") { 500 } else { 400 };
                let status = StatusCode::from_u16(status).expect("a status");
                return Ok(error(status, &code, "told to fail"));
            }
            Fault::LostAnswer => {
                let _ = self.execute(operation, body).await;
                std::future::pending::<()>().await;
            }
            Fault::Late(latency) if latency.is_zero() => (),
            Fault::Late(latency) => tokio::time::sleep(latency).await,
        }
        Ok(self.execute(operation, body).await)
    }

    async fn execute(&self, operation: &str, body: &Bytes) -> Response<Full<Bytes>> {
        match self.executed(operation, body).await {
            Ok(Some(answer)) => respond(StatusCode::OK, AWS_JSON, answer.to_string()),
            Ok(None) => respond(StatusCode::OK, AWS_JSON, Bytes::new()),
            Err(refusal) => refused(&refusal),
        }
    }

    async fn executed(&self, operation: &str, body: &Bytes) -> Result<Option<Value>, KinesisErrorResponse> {
        let unknown = || KinesisErrorResponse::client_error("UnknownOperationException", None);
        let known = Operation::from_str(operation).map_err(|()| unknown())?;
        if matches!(known, Operation::SubscribeToShard) {
            return Err(unknown());
        }
        let mut request: Value = serde_json::from_slice(body)
            .map_err(|misread| KinesisErrorResponse::serialization_error(&misread.to_string()))?;
        let on_demand = request["StreamModeDetails"]["StreamMode"] == "ON_DEMAND";
        if matches!(known, Operation::CreateStream) && on_demand && request["ShardCount"].is_null() {
            // The emulator wants a number for these, too.
            request["ShardCount"] = ON_DEMAND_SHARDS.into();
        }
        let request = checked(known, &request)?;
        if matches!(known, Operation::PutRecords) {
            return self.put_records(request).await.map(Some);
        }
        self.emulator.dispatch(known, request).await
    }

    /// Leaves out the records that are to fail, and puts their errors where they were.
    async fn put_records(&self, mut request: Value) -> Result<Value, KinesisErrorResponse> {
        let records = request["Records"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let failing = lock(&self.state).faults.failing(&records)?;
        let (failed, taken): (Vec<_>, Vec<_>) = records.into_iter().zip(&failing).partition(|(_, fails)| **fails);
        let mut stored = Vec::new();
        if !taken.is_empty() {
            request["Records"] = taken.into_iter().map(|(record, _)| record).collect();
            let answer = self.emulator.dispatch(Operation::PutRecords, request).await?;
            stored = answer.unwrap_or_default()["Records"].as_array_mut().map(std::mem::take).unwrap_or_default();
        }
        let mut stored = stored.into_iter();
        let entries =
            failing.iter().map(|fails| if *fails { throttled(&self.place) } else { stored.next().unwrap_or_default() });
        let entries: Vec<_> = entries.collect();
        Ok(json!({ "FailedRecordCount": failed.len(), "Records": entries }))
    }
}

/// The request as far as the operation knows it.
fn checked(operation: Operation, request: &Value) -> Result<Value, KinesisErrorResponse> {
    let rules = operation.validation_rules();
    let rules: Vec<_> = rules.iter().map(|(name, rule)| (*name, rule)).collect();
    let request = validation::check_types(request, &rules)?;
    validation::check_validations(&request, &rules, None)?;
    Ok(request)
}

fn throttled(place: &Place) -> Value {
    let message = format!("Rate exceeded for shard shardId-000000000000 in stream under account {}.", place.account);
    json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": message })
}

fn refused(refusal: &KinesisErrorResponse) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(refusal.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    error(status, &refusal.body.error_type, refusal.body.message.as_deref().unwrap_or_default())
}

/// The emulator, one operation at a time: it keeps a lock of a map over an await, and two of its operations on two threads
/// can wait for each other for ever.
#[derive(Clone)]
struct Emulator {
    store: Store,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Emulator {
    async fn dispatch(&self, operation: Operation, request: Value) -> Result<Option<Value>, KinesisErrorResponse> {
        let _turn = self.turn.lock().await;
        dispatch(&self.store, operation, request).await
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emulator")
    }
}
