//! Kinesis, as far as a writer sees it: takes every record at once, and remembers when which came.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use bench::http::{self, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    collections::HashMap,
    io::BufReader,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

/// The stand-in. It answers as long as the process lives.
pub(crate) struct Kinesis {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whether records are looked into.
    keeps_arrivals: bool,
    records: usize,
    requests: usize,
    first: Option<Instant>,
    last: Option<Instant>,
    /// By the item's id.
    arrivals: HashMap<String, Instant>,
}

/// What came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Came {
    pub(crate) records: usize,
    pub(crate) requests: usize,
    pub(crate) first: Option<Instant>,
    pub(crate) last: Option<Instant>,
    pub(crate) arrivals: HashMap<String, Instant>,
}

impl Kinesis {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &state));
            }
        });
        Ok(Self { address, state })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forgets what came; from now on looks into records, or only counts them.
    pub(crate) fn begin(&self, keeps_arrivals: bool) {
        *self.lock() = State { keeps_arrivals, ..State::default() };
    }

    pub(crate) fn records(&self) -> usize {
        self.lock().records
    }

    /// How many of these never came.
    pub(crate) fn missing<'a>(&self, ids: impl Iterator<Item = &'a String>) -> usize {
        let state = self.lock();
        ids.filter(|id| !state.arrivals.contains_key(*id)).count()
    }

    pub(crate) fn came(&self) -> Came {
        let state = self.lock();
        Came {
            records: state.records,
            requests: state.requests,
            first: state.first,
            last: state.last,
            arrivals: state.arrivals.clone(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    while let Some(request) = http::read(&mut reader, stream)? {
        let response = answer(&request, state);
        http::write(stream, &response)?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Put<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "Data", borrow)]
    data: Cow<'a, str>,
}

fn answer(request: &Request, state: &Mutex<State>) -> Response {
    let now = Instant::now();
    let put = serde_json::from_slice::<Put<'_>>(&request.body);
    let Some(put) = put.ok().filter(|_| request.target.ends_with(".PutRecords")) else {
        return Response::refusal(&json!({ "__type": "InvalidArgumentException", "message": "only PutRecords" }));
    };
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.first.get_or_insert(now);
    state.last = Some(now);
    state.requests += 1;
    state.records += put.records.len();
    if state.keeps_arrivals {
        let ids: Vec<_> = put.records.iter().filter_map(|record| id(&record.data)).collect();
        for id in ids {
            state.arrivals.entry(id).or_insert(now);
        }
    }
    let taken = json!({ "SequenceNumber": "1", "ShardId": "shardId-000000000000" });
    Response::aws_json(&json!({ "FailedRecordCount": 0, "Records": vec![taken; put.records.len()] }))
}

fn id(data: &str) -> Option<String> {
    let data = STANDARD.decode(data).ok()?;
    let item: Value = serde_json::from_slice(&data).ok()?;
    item["id"].as_str().map(ToOwned::to_owned)
}
