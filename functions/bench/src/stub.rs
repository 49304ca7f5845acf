//! SageMaker, DynamoDB and Secrets Manager for a measurement: as fast as they can be, or as slow as they are told to be.
//!
//! The emulators in `local` behave like AWS and would be what is measured. This one remembers ids and counts. A thread
//! for each connection and nothing asynchronous: whoever waits for one connection delays no other.

mod dynamodb;
mod sagemaker;

use std::{
    collections::HashMap,
    io::{self, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde::Serialize;
use serde_json::json;

use bench::http::{self, Request, Response};

/// The stand-in. It answers as long as the process lives.
pub(crate) struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// How long answers take.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Latency {
    /// A request to the model, milliseconds.
    pub(crate) call_ms: f64,
    /// Each headline in it.
    pub(crate) headline_ms: f64,
    /// How many requests the model works on at once, the others wait; 0 is any number.
    pub(crate) workers: usize,
    /// A request to the table, whatever is in it.
    pub(crate) table_ms: f64,
}

/// What was asked for since [`Stub::prepare`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Requests to the model.
    pub(crate) calls: usize,
    /// Headlines in them.
    pub(crate) headlines: usize,
    /// Requests to the table.
    pub(crate) table_requests: usize,
    /// Ids that were looked up.
    pub(crate) looked_up: usize,
    /// Rows that were written, in the place of others or not.
    pub(crate) written: usize,
    /// Rows of an id that had been written before, since the beginning.
    pub(crate) written_twice: usize,
    /// Rows that were refused, because there was one and only new ones were wanted.
    pub(crate) refused: usize,
    /// Rows in the table, those included that were there at the beginning.
    pub(crate) rows: usize,
    /// The most requests that were in progress at once.
    pub(crate) peak: usize,
    /// Requests that nobody expected.
    pub(crate) not_understood: usize,
}

/// What [`Stub::prepare`] sets and requests change.
#[derive(Default)]
struct State {
    latency: Latency,
    counts: Counts,
    table: HashMap<String, Origin>,
    secret: String,
    in_progress: usize,
    working: usize,
}

/// How a row came into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    ThereBefore,
    Written,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    worker_free: Condvar,
}

impl Stub {
    /// Starts it on a free port of 127.0.0.1. Secrets Manager gives `secret` to whoever asks.
    pub(crate) fn start(secret: &serde_json::Value) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        shared.state().secret = secret.to_string();
        let accepting = Arc::clone(&shared);
        thread::Builder::new().name("stub".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                thread::spawn(move || converse(&stream, &shared));
            }
        })?;
        Ok(Self { address, shared })
    }

    /// The value of `AWS_ENDPOINT_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Begins a measurement: counters at zero, and a table with these ids and no others.
    pub(crate) fn prepare(&self, latency: Latency, there: impl IntoIterator<Item = String>) {
        let mut state = self.shared.state();
        state.latency = latency;
        state.counts = Counts::default();
        state.table = there.into_iter().map(|id| (id, Origin::ThereBefore)).collect();
    }

    /// What happened since.
    pub(crate) fn counts(&self) -> Counts {
        let state = self.shared.state();
        Counts { rows: state.table.len(), ..state.counts }
    }
}

/// Answers the requests of a connection until the client closes it.
fn converse(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = http::read(&mut reader, stream)? {
        shared.begun();
        let response = shared.answer(&request);
        shared.ended();
        http::write(stream, &response)?;
    }
    Ok(())
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun(&self) {
        let mut state = self.state();
        state.in_progress += 1;
        state.counts.peak = state.counts.peak.max(state.in_progress);
    }

    fn ended(&self) {
        self.state().in_progress -= 1;
    }

    fn answer(&self, request: &Request) -> Response {
        let understood = match request.target.split_once('.') {
            // Functions connect to a service by asking whether it is there, before their first event.
            _ if request.path == "/ping" => Some(Response::json(&"healthy")),
            _ if sagemaker::is_invocation(&request.path) => sagemaker::answer(self, &request.body),
            Some(("DynamoDB_20120810", operation)) => dynamodb::answer(self, operation, &request.body),
            Some(("secretsmanager", "GetSecretValue")) => Some(self.secret()),
            _ => None,
        };
        understood.unwrap_or_else(|| {
            self.state().counts.not_understood += 1;
            let message = format!("the bench has no answer to {} {}", request.path, request.target);
            Response::refusal(&json!({ "__type": "UnknownOperationException", "message": message }))
        })
    }

    fn secret(&self) -> Response {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:broker-AbCdEf";
        let secret = self.state().secret.clone();
        Response::aws_json(&json!({ "ARN": arn, "Name": "broker", "SecretString": secret, "VersionId": "1" }))
    }

    /// Takes the time of a request to the model with so many headlines, after waiting for a worker.
    fn work(&self, headlines: usize) {
        let mut state = self.state();
        let latency = state.latency;
        let limited = latency.workers > 0;
        while limited && state.working >= latency.workers {
            state = self.worker_free.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.working += 1;
        drop(state);
        sleep(latency.call_ms + latency.headline_ms * crate::count(headlines));
        self.state().working -= 1;
        self.worker_free.notify_one();
    }
}

fn sleep(ms: f64) {
    if ms > 0.0 {
        thread::sleep(Duration::from_secs_f64(ms / 1000.0));
    }
}
