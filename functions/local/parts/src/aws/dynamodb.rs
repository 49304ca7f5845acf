//! DynamoDB: the emulator `dynoxide`, in this process and in memory, behind faults of our own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use dynoxide::Database;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use super::{error, journal::Journal, lock};
use crate::{
    Place,
    server::{HangUp, Reply},
};

/// The service, with no table at first. Faults apply to requests, not to the helpers here.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    place: Place,
    database: Emulator,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    listener: Arc<Mutex<Option<TcpListener>>>,
    state: Arc<Mutex<State>>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// `PutItem`, `BatchExecuteStatement`, …
    pub operation: String,
    /// The request's body.
    pub body: Bytes,
    /// The HTTP status it was answered with; none while in progress, or when the connection was closed.
    pub answered: Option<u16>,
}

#[derive(Debug, Default)]
struct State {
    throttled: usize,
    throttled_until: Option<Instant>,
    throttled_statements: usize,
    latency: Duration,
    down: bool,
    hanging: usize,
    calls: Journal<Call>,
}

impl DynamoDb {
    /// The next so many requests are answered `ProvisionedThroughputExceededException`, 400.
    pub fn throttle(&self, requests: usize) {
        lock(&self.state).throttled = requests;
    }

    /// Every request is throttled from now, for so long. Zero ends it.
    pub fn throttle_for(&self, duration: Duration) {
        lock(&self.state).throttled_until = Some(Instant::now() + duration);
    }

    /// The next so many statements of `BatchExecuteStatement` are not executed and answered with the error
    /// `ProvisionedThroughputExceeded`; those beside them are executed.
    pub fn throttle_statements(&self, statements: usize) {
        lock(&self.state).throttled_statements = statements;
    }

    /// How long every answer takes, beside the work itself. Defaults to nothing.
    pub fn latency(&self, latency: Duration) {
        lock(&self.state).latency = latency;
    }

    /// Whether connections are closed in place of an answer.
    pub fn down(&self, down: bool) {
        lock(&self.state).down = down;
    }

    /// The next so many requests get no answer at all, until the client gives up. They are not executed.
    pub fn hang(&self, requests: usize) {
        lock(&self.state).hanging = requests;
    }

    /// The requests of this operation so far, in order.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        lock(&self.state).calls.calls().iter().filter(|call| call.operation == operation).cloned().collect()
    }

    /// All requests so far, in order.
    pub fn all_calls(&self) -> Vec<Call> {
        lock(&self.state).calls.calls().to_vec()
    }

    /// No faults and no journal, as at the start. The tables stay.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        state.calls.reset();
        *state = State { calls: std::mem::take(&mut state.calls), ..State::default() };
    }

    pub(super) fn journal(&self, on: bool) {
        lock(&self.state).calls.switch(on);
    }

    /// A table like Newsloom's: hash key `article_id`, on demand, a stream of new images.
    ///
    /// # Panics
    ///
    /// When there is one of that name.
    pub fn create_table(&self, name: &str) {
        let table = json!({
            "TableName": name,
            "AttributeDefinitions": [{ "AttributeName": "article_id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "article_id", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
        });
        let table = serde_json::from_value(table).expect("CreateTable's own form");
        if let Err(error) = self.database.0.create_table(table) {
            panic!("could not create the table {name}: {error}");
        }
    }

    /// Every item of a table in DynamoDB's JSON (`{"article_id":{"S":"…"},…}`), sorted by `article_id`.
    ///
    /// # Panics
    ///
    /// When there is no such table.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let page = self.page(table, &start);
            items.extend(page["Items"].as_array().into_iter().flatten().cloned());
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        items.sort_by_cached_key(|item| item["article_id"]["S"].as_str().unwrap_or_default().to_owned());
        items
    }

    /// How many items a table has.
    ///
    /// # Panics
    ///
    /// When there is no such table.
    pub fn count(&self, table: &str) -> usize {
        self.items(table).len()
    }

    /// Stores an item, given in DynamoDB's JSON, in place of one with the same key.
    ///
    /// # Panics
    ///
    /// When there is no such table, or the item isn't one.
    pub fn put(&self, table: &str, item: &Value) {
        let request = serde_json::from_value(json!({ "TableName": table, "Item": item }));
        let request = request.unwrap_or_else(|error| panic!("not an item: {error}: {item}"));
        if let Err(error) = self.database.0.put_item(request) {
            panic!("could not store {item} in {table}: {error}");
        }
    }

    fn page(&self, table: &str, start: &Value) -> Value {
        let mut request = json!({ "TableName": table });
        if !start.is_null() {
            request["ExclusiveStartKey"] = start.clone();
        }
        let request = serde_json::from_value(request).expect("Scan's own form");
        let page = self.database.0.scan(request).unwrap_or_else(|error| panic!("could not read {table}: {error}"));
        serde_json::to_value(page).expect("a page is JSON")
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

    /// How many statements it has; 0 for other operations than `BatchExecuteStatement`.
    pub fn statements(&self) -> usize {
        self.request()["Statements"].as_array().map_or(0, Vec::len)
    }
}

impl DynamoDb {
    /// An empty database, and a port for it that [`serve`](Self::serve) answers on.
    pub(super) fn start(place: Place) -> io::Result<Self> {
        let database = Database::memory().map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            place,
            database: Emulator(database),
            address: listener.local_addr()?,
            client: Client::builder(TokioExecutor::new()).build_http(),
            listener: Arc::new(Mutex::new(Some(listener))),
            state: Arc::default(),
        })
    }

    /// The emulator speaks HTTP to us alone, so that its own checks of a request's form are those that apply.
    pub(super) async fn serve(self) {
        let Some(listener) = lock(&self.listener).take() else { return };
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
        dynoxide::server::serve_on(listener, self.database.0).await;
    }

    pub(super) async fn answer(&self, operation: &str, request: Request<Bytes>) -> Reply {
        let call = self.note(operation, request.body());
        let reply = self.decide(operation, request).await;
        if let (Ok(response), Some(call)) = (&reply, lock(&self.state).calls.get_mut(call)) {
            call.answered = Some(response.status().as_u16());
        }
        reply
    }

    fn note(&self, operation: &str, body: &Bytes) -> usize {
        let call = Call { operation: operation.to_owned(), body: body.clone(), answered: None };
        lock(&self.state).calls.add(call)
    }

    async fn decide(&self, operation: &str, request: Request<Bytes>) -> Reply {
        let fault = lock(&self.state).fault();
        match fault {
            Fault::Down => return Err(HangUp),
            Fault::Hang => std::future::pending().await,
            Fault::Throttled => {
                let kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
                return Ok(error(StatusCode::BAD_REQUEST, kind, TOO_MUCH));
            }
            Fault::Late(latency) if latency.is_zero() => (),
            Fault::Late(latency) => tokio::time::sleep(latency).await,
        }
        if operation == "BatchExecuteStatement" {
            return self.statements(request).await;
        }
        self.forward(request).await
    }

    /// Leaves out the statements that are to be throttled, and puts their errors where they were.
    async fn statements(&self, request: Request<Bytes>) -> Reply {
        let mut body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let Some(statements) = body["Statements"].as_array_mut() else { return self.forward(request).await };
        let throttled = lock(&self.state).take_statements(statements.len());
        if throttled == 0 {
            return self.forward(request).await;
        }
        statements.drain(..throttled);
        let mut responses = vec![throttled_statement(); throttled];
        if !statements.is_empty() {
            let (head, _) = request.into_parts();
            let answered = self.forward(Request::from_parts(head, body.to_string().into())).await?;
            if !answered.status().is_success() {
                return Ok(answered);
            }
            responses.append(&mut read_responses(answered).await);
        }
        Ok(crate::server::respond(StatusCode::OK, super::AWS_JSON, json!({ "Responses": responses }).to_string()))
    }

    async fn forward(&self, request: Request<Bytes>) -> Reply {
        let (mut head, body) = request.into_parts();
        head.uri = Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query("/")
            .build()
            .expect("an address is an authority");
        // The length may have changed; the client sets its own.
        head.headers.remove("content-length");
        let here = self.place.arn("dynamodb", "");
        let body = replaced(body, &[(&here, EMULATORS_ARN)]);
        match self.client.request(Request::from_parts(head, Full::new(body))).await {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                let body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
                let region = format!(r#""awsRegion":"{}""#, self.place.region);
                // Both say what the body was; the client checks neither, and the server says its length anyway.
                head.headers.remove("content-length");
                head.headers.remove("x-amz-crc32");
                let body = replaced(body, &[(EMULATORS_ARN, &here), (r#""awsRegion":"dynoxide""#, &region)]);
                Ok(Response::from_parts(head, Full::new(body)))
            }
            Err(failure) => {
                Ok(error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", &format!("the emulator: {failure}")))
            }
        }
    }
}

/// How the emulator begins the ARNs of its tables and streams: region and account can't be chosen.
const EMULATORS_ARN: &str = "arn:aws:dynamodb:dynoxide:000000000000:";

/// The body with texts in place of others, if any is in it.
fn replaced(body: Bytes, texts: &[(&str, &str)]) -> Bytes {
    let Ok(text) = std::str::from_utf8(&body) else { return body };
    if !texts.iter().any(|(old, _)| text.contains(old)) {
        return body;
    }
    texts.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new)).into()
}

const TOO_MUCH: &str = "The level of configured provisioned throughput for the table was exceeded. Consider increasing \
                        your provisioning level with the UpdateTable API.";

/// What happens to a request.
enum Fault {
    Down,
    Hang,
    Throttled,
    /// Answered, after so long.
    Late(Duration),
}

impl State {
    fn fault(&mut self) -> Fault {
        if self.down {
            return Fault::Down;
        }
        if take_one(&mut self.hanging) {
            return Fault::Hang;
        }
        let throttled = self.throttled_until.is_some_and(|until| Instant::now() < until);
        if throttled || take_one(&mut self.throttled) { Fault::Throttled } else { Fault::Late(self.latency) }
    }

    fn take_statements(&mut self, most: usize) -> usize {
        let taken = self.throttled_statements.min(most);
        self.throttled_statements -= taken;
        taken
    }
}

fn take_one(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

fn throttled_statement() -> Value {
    json!({ "Error": { "Code": "ProvisionedThroughputExceeded", "Message": TOO_MUCH } })
}

async fn read_responses(response: Response<Full<Bytes>>) -> Vec<Value> {
    let Ok(body) = response.into_body().collect().await;
    let mut body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    body["Responses"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// The database, with a Debug that doesn't say much.
#[derive(Clone)]
struct Emulator(Database);

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Emulator")
    }
}
