//! The Lambda Runtime API: what a `bootstrap` asks for its next event.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>, and as much of the Extensions API as a runtime
//! needs that registers itself to be told of its end.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    lock,
    server::{Reply, Server, json, request_id},
};

/// A server of the Runtime API for one execution environment.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use local::runtime_api::{Options, Outcome, RuntimeApi};
///
/// let lambda = RuntimeApi::start().await?;
/// println!("AWS_LAMBDA_RUNTIME_API={} ./bootstrap", lambda.address());
/// let invocation = lambda.invoke(r#"{"Records":[]}"#, Options::default()).await;
/// assert!(matches!(invocation.outcome, Outcome::Response(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RuntimeApi {
    server: Server,
    shared: Arc<Shared>,
}

/// How an event is handed out.
#[derive(Debug, Clone)]
pub struct Options {
    /// The function's timeout, counted from when the runtime takes the event. Defaults to 30 seconds.
    pub timeout: Duration,
    /// The X-Ray trace header, `Root=1-…;Sampled=1`. Left out when `None`.
    pub trace: Option<String>,
}

/// One event and what became of it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What the runtime answered.
    pub outcome: Outcome,
    /// From handing the event out to receiving the answer. Zero when it was never handed out.
    pub took: Duration,
    /// The request id the runtime was given; its logs carry it.
    pub request_id: String,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered with this.
    Response(Vec<u8>),
    /// The function failed, its process ended (`Runtime.ExitError`), its response has more than 6 MiB and 100 bytes
    /// (`Function.ResponseSizeTooLarge`), or the event more than 6 MiB (`RequestTooLargeException`: it is not handed out).
    Error {
        /// `errorType`.
        kind: String,
        /// `errorMessage`.
        message: String,
    },
    /// The runtime said that it cannot start.
    InitError {
        /// `errorType`.
        kind: String,
        /// `errorMessage`.
        message: String,
    },
    /// No answer in time. AWS would end the process now; here it goes on, and a late answer is refused.
    TimedOut,
}

/// The largest event, in bytes.
const MOST_OF_EVENT: usize = 6 << 20;

/// The largest response, in bytes.
const MOST_OF_RESPONSE: usize = (6 << 20) + 100;

/// Longer than the slowest start on a busy machine: an event that nobody takes by then is [`Outcome::TimedOut`], unless
/// it waits behind another one.
const PATIENCE: Duration = Duration::from_mins(1);

impl RuntimeApi {
    /// Starts the server on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port can be had, or no thread.
    #[expect(clippy::unused_async, reason = "one way to start for all parts, and room for one that must wait")]
    pub async fn start() -> io::Result<Self> {
        Self::for_function("function", crate::REGION, Arc::default())
    }

    /// For the function of this name; its request ids are numbered by `count`.
    pub(crate) fn for_function(name: &str, region: &str, count: Arc<AtomicU64>) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(name, region, count));
        let answering = Arc::clone(&shared);
        let server = Server::start("runtime-api", move |request| answer(Arc::clone(&answering), request))?;
        Ok(Self { server, shared })
    }

    /// `127.0.0.1:port`, the value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// When the runtime first asked for an event: the end of its cold start.
    ///
    /// # Errors
    ///
    /// When the runtime reported that it cannot start, or its process ended, before that.
    pub async fn ready(&self) -> Result<Instant, Outcome> {
        let mut phase = self.shared.phase.subscribe();
        match phase.wait_for(|phase| !matches!(phase, Phase::Starting)).await.as_deref().cloned() {
            Ok(Phase::Ready(when)) => Ok(when),
            Ok(Phase::Ended { outcome, ready }) => ready.ok_or(outcome),
            Ok(Phase::Starting) | Err(_) => unreachable!("waited until it was over, and the sender lives as long"),
        }
    }

    /// Hands an event to the runtime and waits for the answer. Events wait in line for a runtime that is busy.
    pub async fn invoke(&self, payload: impl Into<Bytes>, options: Options) -> Invocation {
        let event = Event { id: self.shared.next_id(), payload: payload.into(), options };
        if event.payload.len() > MOST_OF_EVENT {
            return Invocation::too_large(event.id);
        }
        let (id, timeout) = (event.id.clone(), event.options.timeout);
        let (sender, receiver) = oneshot::channel();
        let (handed, mut taken) = watch::channel(None);
        self.shared.waiting().insert(id.clone(), Waiting { handed, answer: sender });
        let _forgotten = Forget { shared: &self.shared, id: &id };
        let _ = self.shared.events.send(event);

        let (outcome, took) = self.outcome(receiver, &mut taken, timeout).await;
        Invocation { outcome, took, request_id: id.clone() }
    }

    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        self.server.runtime()
    }

    /// When the runtime first asked for an event, if it has.
    pub(crate) fn was_ready(&self) -> Option<Instant> {
        match &*self.shared.phase.borrow() {
            Phase::Starting => None,
            Phase::Ready(when) => Some(*when),
            Phase::Ended { ready, .. } => *ready,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.shared.phase.borrow(), Phase::Ended { .. })
    }

    /// Something through which to say that the process ended.
    pub(crate) fn obituary(&self) -> Obituary {
        Obituary { shared: Arc::clone(&self.shared) }
    }

    async fn outcome(
        &self,
        answer: oneshot::Receiver<Answered>,
        taken: &mut watch::Receiver<Option<Instant>>,
        timeout: Duration,
    ) -> (Outcome, Duration) {
        let mut phase = self.shared.phase.subscribe();
        let too_late = async {
            let mut was_idle = false;
            loop {
                // What is waited for is a lock, and no lock may be held while time passes.
                let handed = async { taken.wait_for(Option::is_some).await.is_ok() };
                match tokio::time::timeout(PATIENCE, handed).await {
                    Ok(true) => {
                        tokio::time::sleep(timeout).await;
                        return timeout;
                    }
                    // Answered meanwhile: the other branch is about to say so.
                    Ok(false) => std::future::pending().await,
                    Err(_) if self.shared.is_busy() => was_idle = false,
                    // Between two events a runtime is idle for a moment, and no longer.
                    Err(_) if was_idle || self.was_ready().is_none() => return Duration::ZERO,
                    Err(_) => was_idle = true,
                }
            }
        };
        let ended =
            async { phase.wait_for(|phase| matches!(phase, Phase::Ended { .. })).await.map(|ended| ended.clone()) };
        tokio::select! {
            biased;
            Ok(answered) = answer => (answered.outcome, answered.took),
            Ok(ended) = ended => match ended {
                Phase::Ended { outcome, .. } => (outcome, Duration::ZERO),
                _ => unreachable!("waited for the end"),
            },
            took = too_late => (Outcome::TimedOut, took),
        }
    }
}

impl Invocation {
    fn too_large(request_id: String) -> Self {
        let kind = "RequestTooLargeException".to_owned();
        let message = format!("Request must be smaller than {MOST_OF_EVENT} bytes for the InvokeFunction operation");
        Self { outcome: Outcome::Error { kind, message }, took: Duration::ZERO, request_id }
    }

    /// The answer as JSON.
    ///
    /// # Panics
    ///
    /// When there is none, or it isn't JSON: with what there is instead.
    pub fn json(&self) -> serde_json::Value {
        let Outcome::Response(body) = &self.outcome else { panic!("no response but {:?}", self.outcome) };
        serde_json::from_slice(body)
            .unwrap_or_else(|error| panic!("{error} in the response {:?}", String::from_utf8_lossy(body)))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), trace: None }
    }
}

/// Says on behalf of a process that it is no more.
#[derive(Debug, Clone)]
pub(crate) struct Obituary {
    shared: Arc<Shared>,
}

impl Obituary {
    /// Ends what waits for the process with this message; an error the runtime reported before stays the reason.
    pub(crate) fn ended(&self, message: String) {
        self.shared.end(Outcome::Error { kind: "Runtime.ExitError".to_owned(), message });
    }
}

#[derive(Debug)]
struct Shared {
    function: String,
    region: String,
    events: mpsc::UnboundedSender<Event>,
    /// Asked by one `next` at a time, as by a real runtime.
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    waiting: Mutex<HashMap<String, Waiting>>,
    phase: watch::Sender<Phase>,
    count: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Phase {
    Starting,
    Ready(Instant),
    Ended { outcome: Outcome, ready: Option<Instant> },
}

#[derive(Debug)]
struct Event {
    id: String,
    payload: Bytes,
    options: Options,
}

#[derive(Debug)]
struct Waiting {
    handed: watch::Sender<Option<Instant>>,
    answer: oneshot::Sender<Answered>,
}

#[derive(Debug)]
struct Answered {
    outcome: Outcome,
    took: Duration,
}

/// Takes an invocation off the list when nobody waits for it any more.
struct Forget<'a> {
    shared: &'a Shared,
    id: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.waiting().remove(self.id);
    }
}

impl Shared {
    fn new(function: &str, region: &str, count: Arc<AtomicU64>) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        Self {
            function: function.to_owned(),
            region: region.to_owned(),
            events,
            queue: tokio::sync::Mutex::new(queue),
            waiting: Mutex::default(),
            phase: watch::Sender::new(Phase::Starting),
            count,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        lock(&self.waiting)
    }

    /// A request id that says which invocation it was.
    fn next_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.count.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, crate::ACCOUNT, self.function)
    }

    fn end(&self, outcome: Outcome) {
        self.phase.send_if_modified(|phase| {
            let ready = match phase {
                Phase::Starting => None,
                Phase::Ready(when) => Some(*when),
                Phase::Ended { .. } => return false,
            };
            *phase = Phase::Ended { outcome, ready };
            true
        });
    }

    /// Whether the runtime has an event that somebody waits for.
    fn is_busy(&self) -> bool {
        self.waiting().values().any(|waiting| waiting.handed.borrow().is_some())
    }

    /// Gives the answer to who waits for it; false when nobody does.
    fn settle(&self, id: &str, outcome: Outcome) -> bool {
        let Some(waiting) = self.waiting().remove(id) else { return false };
        let took = waiting.handed.borrow().map_or(Duration::ZERO, |since| since.elapsed());
        waiting.answer.send(Answered { outcome, took }).is_ok()
    }

    /// The next event that somebody still waits for.
    async fn next(&self) -> Option<Event> {
        let mut queue = self.queue.lock().await;
        loop {
            let event = queue.recv().await?;
            let waiting = self.waiting();
            if let Some(waiting) = waiting.get(&event.id) {
                waiting.handed.send_replace(Some(Instant::now()));
                return Some(event);
            }
        }
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Bytes>) -> Reply {
    let path = request.uri().path().to_owned();
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    Ok(match (request.method(), parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(&shared).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            responded(&shared, id, request.into_body())
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            let Failure { kind, message } = Failure::read(&request);
            settled(shared.settle(id, Outcome::Error { kind, message }))
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            let Failure { kind, message } = Failure::read(&request);
            shared.end(Outcome::InitError { kind, message });
            settled(true)
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => registered(&shared),
        // An environment that only ends by being killed sends its extensions nothing.
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => std::future::pending().await,
        (method, _) => refused(StatusCode::NOT_FOUND, "NotFound", &format!("the Runtime API has no {method} {path}")),
    })
}

async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    shared.phase.send_if_modified(|phase| {
        let starting = matches!(phase, Phase::Starting);
        if starting {
            *phase = Phase::Ready(Instant::now());
        }
        starting
    });
    let Some(event) = shared.next().await else { std::future::pending().await };
    let deadline = SystemTime::now() + event.options.timeout;
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut response = json(StatusCode::OK, event.payload);
    let headers = [
        ("lambda-runtime-aws-request-id", Some(event.id)),
        ("lambda-runtime-deadline-ms", Some(deadline.to_string())),
        ("lambda-runtime-invoked-function-arn", Some(shared.arn())),
        ("lambda-runtime-trace-id", event.options.trace),
    ];
    for (name, value) in headers {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn registered(shared: &Shared) -> Response<Full<Bytes>> {
    let body = serde_json::json!({
        "functionName": shared.function, "functionVersion": "$LATEST", "handler": "bootstrap",
    });
    let mut response = json(StatusCode::OK, body.to_string());
    let id = request_id().parse().expect("hexadecimal digits");
    response.headers_mut().insert("lambda-extension-identifier", id);
    response
}

fn responded(shared: &Shared, id: &str, body: Bytes) -> Response<Full<Bytes>> {
    let bytes = body.len();
    if bytes <= MOST_OF_RESPONSE {
        return settled(shared.settle(id, Outcome::Response(body.into())));
    }
    let kind = "Function.ResponseSizeTooLarge".to_owned();
    let message = format!(
        "Response payload size ({bytes} bytes) exceeded maximum allowed payload size ({MOST_OF_RESPONSE} bytes)."
    );
    if !shared.settle(id, Outcome::Error { kind, message }) {
        return settled(false);
    }
    let message = format!("Exceeded maximum allowed payload size ({MOST_OF_RESPONSE} bytes).");
    refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
}

fn settled(known: bool) -> Response<Full<Bytes>> {
    if known {
        return json(StatusCode::ACCEPTED, r#"{"status":"OK"}"#);
    }
    refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "nobody waits for an answer to this request")
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json(status, serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string())
}

/// The error document a runtime sends; what it leaves out is in a header or unknown.
#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "errorType", default)]
    kind: String,
    #[serde(rename = "errorMessage", default)]
    message: String,
}

impl Failure {
    fn read(request: &Request<Bytes>) -> Self {
        let kind = request.headers().get("lambda-runtime-function-error-type");
        let kind = kind.map_or_else(String::new, |kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
        match serde_json::from_slice::<Self>(request.body()) {
            Ok(failure) if failure.kind.is_empty() => Self { kind, ..failure },
            Ok(failure) => failure,
            Err(_) => Self { kind, message: String::from_utf8_lossy(request.body()).into_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;

    /// As little HTTP as it takes. Gives the head of the response.
    fn ask(api: &RuntimeApi, method: &str, path: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(api.address()).unwrap();
        let length = body.len();
        let head = format!("{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nhost: local");
        write!(stream, "{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response.split("\r\n\r\n").next().unwrap().to_owned()
    }

    /// The id of the next event.
    fn next(api: &RuntimeApi) -> String {
        let head = ask(api, "GET", "next", b"");
        let id = head.lines().find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: "));
        id.unwrap().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_nobody_takes_took_no_time() {
        let api = RuntimeApi::start().await.unwrap();
        let invocation = api.invoke("{}", Options::default()).await;
        assert_eq!((invocation.outcome, invocation.took), (Outcome::TimedOut, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_may_wait_behind_another_for_as_long_as_that_takes() {
        let api = Arc::new(RuntimeApi::start().await.unwrap());
        let invoke = |hours| {
            let (api, options) = (Arc::clone(&api), Options { timeout: Duration::from_hours(hours), trace: None });
            tokio::spawn(async move { api.invoke("{}", options).await })
        };
        let first = invoke(2);
        tokio::task::yield_now().await;
        next(&api);
        let second = invoke(1);
        for _ in 0..10 {
            tokio::task::yield_now().await;
            tokio::time::advance(Duration::from_mins(2)).await;
        }
        assert!(!first.is_finished() && !second.is_finished());
        first.abort();
        let second = second.await.unwrap();
        assert_eq!((second.outcome, second.took), (Outcome::TimedOut, Duration::ZERO), "nobody has asked for it since");
    }

    #[tokio::test]
    async fn events_and_responses_have_largest_sizes() {
        let api = Arc::new(RuntimeApi::start().await.unwrap());
        let invocation = api.invoke(vec![b' '; MOST_OF_EVENT + 1], Options::default()).await;
        let Outcome::Error { kind, message } = invocation.outcome else { panic!("{invocation:?}") };
        assert_eq!(kind, "RequestTooLargeException");
        assert!(message.contains("smaller than 6291456 bytes"), "{message}");
        for (more, status) in [(0, "202"), (1, "413")] {
            let invoked = Arc::clone(&api);
            let running = async move { invoked.invoke(vec![b' '; MOST_OF_EVENT], Options::default()).await.outcome };
            let running = tokio::spawn(running);
            tokio::task::yield_now().await;
            let id = next(&api);
            let head = ask(&api, "POST", &format!("{id}/response"), &vec![b' '; MOST_OF_RESPONSE + more]);
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
            match running.await.unwrap() {
                Outcome::Response(body) => assert_eq!((more, body.len()), (0, MOST_OF_RESPONSE)),
                Outcome::Error { kind, .. } => assert_eq!((more, kind.as_str()), (1, "Function.ResponseSizeTooLarge")),
                other => panic!("{other:?}"),
            }
        }
    }
}
