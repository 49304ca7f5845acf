//! SageMaker's runtime in front of the Hugging Face inference container, with a lexicon for a model.
//!
//! The container's protocol is that of `text-classification` in transformers 5: a string or a list of strings, flat
//! answers but for a list with `top_k`, and any exception fails the whole request with 400. A body of `text/csv` with
//! a column `inputs` is a list of its rows. Which sentiment a
//! headline has is counted from words ("a lexicon, no FinBERT"), and the header `x-newsloom-model: lexicon` says so.

mod csv;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::{
    journal::Journal,
    lexicon::{judge, tokens},
    lock,
};
use crate::{
    Place,
    server::{self, HangUp, Reply},
};

/// The service. Endpoints exist by being asked, unless [`only`](Self::only) lists them.
#[derive(Debug, Clone)]
pub struct SageMaker {
    place: Place,
    state: Arc<Mutex<State>>,
}

/// Something to answer in place of the model's opinion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `ThrottlingException`, 400.
    Throttled,
    /// `ModelNotReadyException`, 429: a serverless endpoint that is still being provided for.
    NotReady,
    /// `ModelError`, 424: the container answered with `status` and `message`.
    ModelError {
        /// What the container answered with: 400 when the pipeline failed, 500 or more when the server did.
        status: u16,
        /// The container's message.
        message: String,
    },
    /// `InternalFailure`, 500.
    InternalFailure,
    /// `ServiceUnavailable`, 503.
    Unavailable,
    /// `ValidationError`, 400, as for an endpoint that does not exist.
    Validation(String),
    /// Any status and body, with no error type: what a proxy between would say.
    Status(u16, String),
    /// No answer at all, until the client gives up.
    Hang,
    /// The connection is closed without an answer.
    Close,
    /// 200 with this body, whatever it is.
    Body(String),
}

/// What an endpoint does with requests while it starts.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use std::time::Duration;
/// use local::aws::{Aws, sagemaker::ColdStart};
///
/// let aws = Aws::start().await?;
/// // Like a serverless endpoint: 8 seconds for the first request, and again after 5 minutes without one.
/// aws.sagemaker().cold_start(ColdStart::Waits, Duration::from_secs(8), Duration::from_mins(5));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColdStart {
    /// They are answered when it has started.
    Waits,
    /// They are answered `ModelNotReadyException`, 429.
    NotReady,
}

/// How a model spells the sentiments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The one for good news.
    pub positive: String,
    /// The one for bad news.
    pub negative: String,
    /// The one for neither.
    pub neutral: String,
}

/// A request as the endpoint saw it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The endpoint's name.
    pub endpoint: String,
    /// The headlines; empty when the request held none that could be read.
    pub inputs: Vec<String>,
    /// `parameters` as sent, or null.
    pub parameters: Value,
    /// The HTTP status it was answered with; none while it is in progress, or when the connection was closed.
    pub answered: Option<u16>,
    /// The size of the request's body in bytes.
    pub bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    per_call: Duration,
    per_headline: Duration,
    workers: usize,
    endpoints: HashMap<String, Endpoint>,
    only: Option<Vec<String>>,
    poison: Vec<String>,
    unknown: Vec<String>,
    cold: Option<Cold>,
    throttled_until: Option<Instant>,
    down: bool,
    down_until: Option<Instant>,
    calls: Journal<Call>,
    judged: usize,
    in_progress: usize,
    peak: usize,
}

/// How endpoints start.
#[derive(Debug, Clone, Copy)]
struct Cold {
    kind: ColdStart,
    takes: Duration,
    idle: Duration,
}

#[derive(Debug, Default)]
struct Endpoint {
    labels: Labels,
    script: VecDeque<Answer>,
    workers: Option<Arc<Semaphore>>,
    /// When it has or will have started.
    ready: Option<Instant>,
    /// When it was last asked.
    asked: Option<Instant>,
}

impl SageMaker {
    /// How long an answer takes: so much for a request, and so much for each headline in it. Defaults to nothing.
    pub fn latency(&self, per_call: Duration, per_headline: Duration) {
        let mut state = lock(&self.state);
        (state.per_call, state.per_headline) = (per_call, per_headline);
    }

    /// How long an endpoint takes to start: when it is asked for the first time, and for the first time after `idle`
    /// without a request. Defaults to no time.
    pub fn cold_start(&self, kind: ColdStart, takes: Duration, idle: Duration) {
        let mut state = lock(&self.state);
        state.cold = Some(Cold { kind, takes, idle });
        for endpoint in state.endpoints.values_mut() {
            (endpoint.ready, endpoint.asked) = (None, None);
        }
    }

    /// How many requests each endpoint works on at once; others wait in line. Defaults to 0, any number.
    pub fn workers(&self, count: usize) {
        let mut state = lock(&self.state);
        state.workers = count;
        state.endpoints.values_mut().for_each(|endpoint| endpoint.workers = None);
    }

    /// How an endpoint's model spells its labels. Defaults to [`Labels::finbert`].
    pub fn labels(&self, endpoint: &str, labels: Labels) {
        lock(&self.state).endpoint(endpoint).labels = labels;
    }

    /// The next request to this endpoint is answered so. Answers queue up; after them, the model answers again.
    pub fn answer(&self, endpoint: &str, answer: Answer) {
        self.answers(endpoint, [answer]);
    }

    /// The next requests to this endpoint are answered so, in this order.
    pub fn answers(&self, endpoint: &str, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.state).endpoint(endpoint).script.extend(answers);
    }

    /// Every request to any endpoint is throttled from now, for so long. Zero ends it.
    pub fn throttle_for(&self, duration: Duration) {
        lock(&self.state).throttled_until = Some(Instant::now() + duration);
    }

    /// A request with a headline that contains this fails as a whole, as the container's does on what it can't read.
    pub fn poison(&self, word: impl Into<String>) {
        lock(&self.state).poison.push(word.into());
    }

    /// A headline that contains this gets a label that is no sentiment: `mixed`. The request succeeds.
    pub fn unknown_label(&self, word: impl Into<String>) {
        lock(&self.state).unknown.push(word.into());
    }

    /// Whether connections are closed in place of an answer.
    pub fn down(&self, down: bool) {
        lock(&self.state).down = down;
    }

    /// Connections are closed in place of an answer from now, for so long. Zero ends it.
    pub fn down_for(&self, duration: Duration) {
        lock(&self.state).down_until = Some(Instant::now() + duration);
    }

    /// Only these endpoints exist. Defaults to all.
    pub fn only<N: Into<String>>(&self, endpoints: impl IntoIterator<Item = N>) {
        lock(&self.state).only = Some(endpoints.into_iter().map(Into::into).collect());
    }

    /// The requests so far, in the order they came.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.calls().to_vec()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        lock(&self.state).calls.total()
    }

    /// How many headlines were in the requests that got an opinion (200).
    pub fn judged(&self) -> usize {
        lock(&self.state).judged
    }

    /// The largest number of requests that were in progress at once, those in line included.
    pub fn peak(&self) -> usize {
        lock(&self.state).peak
    }

    /// As it was at the start: no journal, no script, no latency. A request in progress goes on.
    pub fn reset(&self) {
        let mut state = lock(&self.state);
        state.calls.reset();
        let calls = std::mem::take(&mut state.calls);
        *state = State { in_progress: state.in_progress, calls, ..State::default() };
    }

    /// What the endpoint's model says of a headline: the label, and how sure it is.
    pub fn opinion(&self, endpoint: &str, headline: &str) -> (String, f64) {
        let [surest, ..] = opinions(headline, &lock(&self.state).model(endpoint));
        surest
    }
}

impl Labels {
    /// `positive`, `negative`, `neutral`: ProsusAI/finbert.
    pub fn finbert() -> Self {
        Self::of("positive", "negative", "neutral")
    }

    /// `Positive`, `Negative`, `Neutral`: yiyanghkust/finbert-tone.
    pub fn finbert_tone() -> Self {
        Self::of("Positive", "Negative", "Neutral")
    }

    /// `LABEL_0` positive, `LABEL_1` negative, `LABEL_2` neutral: a model whose configuration names none.
    pub fn numbered() -> Self {
        Self::of("LABEL_0", "LABEL_1", "LABEL_2")
    }

    /// Any others.
    pub fn of(positive: &str, negative: &str, neutral: &str) -> Self {
        Self { positive: positive.to_owned(), negative: negative.to_owned(), neutral: neutral.to_owned() }
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::finbert()
    }
}

/// The endpoint a path invokes.
pub(super) fn endpoint(path: &str) -> Option<&str> {
    path.strip_prefix("/endpoints/")?.strip_suffix("/invocations").filter(|name| !name.contains('/'))
}

impl SageMaker {
    pub(super) fn new(place: Place) -> Self {
        Self { place, state: Arc::default() }
    }

    pub(super) fn journal(&self, on: bool) {
        lock(&self.state).calls.switch(on);
    }

    pub(super) async fn invoke(&self, endpoint: &str, request: &Request<Bytes>) -> Reply {
        let asked = Asked::read(request);
        let progress = Progress::start(self, endpoint, &asked, request.body().len());
        let reply = self.decide(endpoint, &asked, request.body().len()).await;
        progress.answered(&reply);
        reply
    }

    async fn decide(&self, endpoint: &str, asked: &Asked, bytes: usize) -> Reply {
        let refusal = lock(&self.state).refusal(endpoint, &self.place, bytes);
        if let Some(answer) = refusal {
            return answer.reply(endpoint, &self.place).await;
        }
        let start = lock(&self.state).start(endpoint);
        match start {
            Some((ColdStart::NotReady, _)) => return Answer::NotReady.reply(endpoint, &self.place).await,
            Some((ColdStart::Waits, left)) => tokio::time::sleep(left).await,
            None => (),
        }
        self.work(endpoint, asked.inputs.len()).await;
        let model = lock(&self.state).model(endpoint);
        match asked.answer(&model) {
            Ok(opinions) => Answer::Body(opinions.to_string()).reply(endpoint, &self.place).await,
            Err(message) => Answer::ModelError { status: 400, message }.reply(endpoint, &self.place).await,
        }
    }

    /// Takes as long as the model would, after a wait for one of its workers.
    async fn work(&self, endpoint: &str, headlines: usize) {
        let (takes, workers) = {
            let mut state = lock(&self.state);
            let headlines = u32::try_from(headlines).unwrap_or(u32::MAX);
            (state.per_call + state.per_headline.saturating_mul(headlines), state.workers_of(endpoint))
        };
        let _worker = match &workers {
            Some(workers) => Some(workers.acquire().await.expect("never closed")),
            None => None,
        };
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
    }
}

impl State {
    fn endpoint(&mut self, name: &str) -> &mut Endpoint {
        self.endpoints.entry(name.to_owned()).or_default()
    }

    fn workers_of(&mut self, endpoint: &str) -> Option<Arc<Semaphore>> {
        let count = self.workers;
        if count == 0 {
            return None;
        }
        let workers = self.endpoint(endpoint).workers.get_or_insert_with(|| Arc::new(Semaphore::new(count)));
        Some(Arc::clone(workers))
    }

    fn model(&mut self, endpoint: &str) -> Model {
        let labels = self.endpoint(endpoint).labels.clone();
        Model { labels, poison: self.poison.clone(), unknown: self.unknown.clone() }
    }

    /// How long the endpoint still takes to start, if it hasn't.
    fn start(&mut self, endpoint: &str) -> Option<(ColdStart, Duration)> {
        let Cold { kind, takes, idle } = self.cold?;
        let now = Instant::now();
        let endpoint = self.endpoint(endpoint);
        let warm = endpoint.asked.is_some_and(|asked| now.saturating_duration_since(asked) <= idle);
        let ready = *endpoint.ready.get_or_insert(now + takes);
        let ready = if warm { ready } else { now + takes };
        // The pause begins when it has started, at the earliest.
        (endpoint.ready, endpoint.asked) = (Some(ready), Some(now.max(ready)));
        let left = ready.saturating_duration_since(now);
        (!left.is_zero()).then_some((kind, left))
    }

    /// What is answered without asking the model.
    fn refusal(&mut self, endpoint: &str, place: &Place, bytes: usize) -> Option<Answer> {
        if self.down || self.down_until.is_some_and(|until| Instant::now() < until) {
            return Some(Answer::Close);
        }
        if bytes > MOST_BYTES {
            let message = format!(
                "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less \
                 than or equal to {MOST_BYTES}"
            );
            return Some(Answer::Validation(message));
        }
        if self.only.as_ref().is_some_and(|only| !only.iter().any(|name| name == endpoint)) {
            let message = format!("Endpoint {endpoint} of account {} not found.", place.account);
            return Some(Answer::Validation(message));
        }
        if self.throttled_until.is_some_and(|until| Instant::now() < until) {
            return Some(Answer::Throttled);
        }
        self.endpoint(endpoint).script.pop_front()
    }
}

/// A request that is counted while it is in progress, even when the client goes away.
struct Progress<'a> {
    sagemaker: &'a SageMaker,
    call: usize,
    headlines: usize,
}

impl<'a> Progress<'a> {
    fn start(sagemaker: &'a SageMaker, endpoint: &str, asked: &Asked, bytes: usize) -> Self {
        let mut state = lock(&sagemaker.state);
        state.in_progress += 1;
        state.peak = state.peak.max(state.in_progress);
        let call = state.calls.add(Call {
            endpoint: endpoint.to_owned(),
            inputs: asked.inputs.clone(),
            parameters: Value::Object(asked.parameters.clone()),
            answered: None,
            bytes,
        });
        Self { sagemaker, call, headlines: asked.inputs.len() }
    }

    fn answered(&self, reply: &Reply) {
        let status = reply.as_ref().ok().map(|response| response.status().as_u16());
        let mut state = lock(&self.sagemaker.state);
        if status == Some(200) {
            state.judged += self.headlines;
        }
        if let Some(call) = state.calls.get_mut(self.call) {
            call.answered = status;
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.sagemaker.state);
        state.in_progress = state.in_progress.saturating_sub(1);
    }
}

/// What SageMaker takes (SageMaker runtime API, `BodyBlob`).
const MOST_BYTES: usize = 6_291_456;

/// What is inside the container.
#[derive(Debug, Clone, Default)]
struct Model {
    labels: Labels,
    poison: Vec<String>,
    unknown: Vec<String>,
}

/// What the container makes of a request's body.
#[derive(Debug, Default)]
struct Asked {
    inputs: Vec<String>,
    list: bool,
    parameters: Map<String, Value>,
    fault: Option<String>,
}

impl Asked {
    fn read(request: &Request<Bytes>) -> Self {
        let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/csv") {
            return match csv::inputs(&String::from_utf8_lossy(request.body())) {
                Ok(inputs) => Self::list(&inputs),
                Err(message) => Self::fault(message),
            };
        }
        let body = match serde_json::from_slice::<Value>(request.body()) {
            Ok(body) => body,
            Err(error) => return Self::fault(format!("{error}: the body is no JSON")),
        };
        let parameters = body.get("parameters").and_then(Value::as_object).cloned().unwrap_or_default();
        let asked = match body.get("inputs") {
            Some(Value::String(text)) => Self { inputs: vec![text.clone()], ..Self::default() },
            Some(Value::Array(list)) => Self::list(list),
            Some(_) => Self::fault(WRONG_TYPE),
            None => Self::fault("'inputs'"),
        };
        Self { parameters, ..asked }
    }

    fn list(list: &[Value]) -> Self {
        let inputs: Vec<_> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let fault = match list.len() {
            0 => Some("list index out of range".to_owned()),
            all if all != inputs.len() => Some(WRONG_TYPE.to_owned()),
            _ => None,
        };
        Self { inputs, list: true, fault, ..Self::default() }
    }

    fn fault(message: impl Into<String>) -> Self {
        Self { fault: Some(message.into()), ..Self::default() }
    }

    /// The container's answer, or the exception that fails the request.
    fn answer(&self, model: &Model) -> Result<Value, String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if self.inputs.iter().any(|text| contains_any(text, &model.poison)) {
            return Err("The model could not be run on an input".to_owned());
        }
        let longest = self.inputs.iter().map(|text| tokens(text)).max().unwrap_or_default();
        if longest > MOST_TOKENS && !self.truncates() {
            return Err(format!(
                "The size of tensor a ({longest}) must match the size of tensor b ({MOST_TOKENS}) at non-singleton dimension 1"
            ));
        }
        Ok(self.arrange(model))
    }

    /// `truncation` alone does nothing: the tokenizer has no length of its own.
    fn truncates(&self) -> bool {
        let asked = self.parameters.get("truncation") == Some(&Value::Bool(true));
        let length = self.parameters.get("max_length").and_then(Value::as_u64);
        asked && length.is_some_and(|length| length <= MOST_TOKENS as u64)
    }

    /// Nested only for a list with `top_k`; else one opinion for each input, or all opinions of the only one.
    fn arrange(&self, model: &Model) -> Value {
        let most = match self.parameters.get("top_k") {
            None => return self.inputs.iter().map(|text| top(text, model, 1)[0].clone()).collect(),
            Some(most) => most.as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(3),
        };
        let mut opinions = self.inputs.iter().map(|text| Value::Array(top(text, model, most)));
        if self.list { opinions.collect() } else { opinions.next().unwrap_or_default() }
    }
}

/// What BERT takes.
const MOST_TOKENS: usize = 512;

/// A label that no model of sentiments has.
const NO_SENTIMENT: &str = "mixed";

const WRONG_TYPE: &str = "text input must be of type `str` (single example), `list[str]` (batch or single pretokenized example) or \
     `list[list[str]]` (batch of pretokenized examples).";

fn contains_any(text: &str, words: &[String]) -> bool {
    words.iter().any(|word| text.contains(word.as_str()))
}

fn top(text: &str, model: &Model, most: usize) -> Vec<Value> {
    let opinions = opinions(text, model).into_iter().take(most);
    opinions.map(|(label, score)| json!({ "label": label, "score": score })).collect()
}

/// All three, the surest first.
fn opinions(text: &str, model: &Model) -> [(String, f64); 3] {
    let scores = judge(text);
    let labels = &model.labels;
    let mut opinions = [
        (labels.positive.clone(), scores.positive),
        (labels.negative.clone(), scores.negative),
        (labels.neutral.clone(), scores.neutral),
    ];
    opinions.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    if contains_any(text, &model.unknown) {
        NO_SENTIMENT.clone_into(&mut opinions[0].0);
    }
    opinions
}

impl Answer {
    async fn reply(self, endpoint: &str, place: &Place) -> Reply {
        let refused = |status, kind, message: &str| Ok(refuse(status, kind, &json!({ "Message": message })));
        match self {
            Self::Throttled => refused(400, "ThrottlingException", "Rate exceeded"),
            Self::NotReady => refused(429, "ModelNotReadyException", "The model is not ready for inference yet."),
            Self::ModelError { status, message } => Ok(model_error(endpoint, place, status, &message)),
            Self::InternalFailure => refused(500, "InternalFailure", "An internal failure occurred."),
            Self::Unavailable => refused(503, "ServiceUnavailable", "The service is currently unavailable."),
            Self::Validation(message) => refused(400, "ValidationError", &message),
            Self::Status(status, body) => Ok(server::json(self::status(status), body)),
            Self::Hang => std::future::pending().await,
            Self::Close => Err(HangUp),
            Self::Body(body) => Ok(opinion(body)),
        }
    }
}

fn opinion(body: String) -> Response<Full<Bytes>> {
    let mut response = server::json(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert("x-amzn-invoked-production-variant", "AllTraffic".parse().expect("a word"));
    headers.insert("x-newsloom-model", "lexicon".parse().expect("a word"));
    response
}

/// As SageMaker words it, around what the container said.
fn model_error(endpoint: &str, place: &Place, status: u16, message: &str) -> Response<Full<Bytes>> {
    let kind = if status < 500 { "InternalServerException" } else { "InternalServerError" };
    let said = format!("{{\n  \"code\": {status},\n  \"type\": \"{kind}\",\n  \"message\": {}\n}}\n", json!(message));
    let whose = if status < 500 { "client" } else { "server" };
    let group = format!("/aws/sagemaker/Endpoints/{endpoint}");
    let account = &place.account;
    let body = json!({
        "ErrorCode": if status < 500 { "CLIENT_ERROR_FROM_MODEL" } else { "SERVER_ERROR_FROM_MODEL" },
        "LogStreamArn": place.arn("logs", &format!("log-group:{group}")),
        "Message": format!("Received {whose} error ({status}) from primary with message \"{said}\". See the log group {group} in account {account} for more information."),
        "OriginalMessage": said,
        "OriginalStatusCode": status,
    });
    refuse(424, "ModelError", &body)
}

fn refuse(status: u16, kind: &'static str, body: &Value) -> Response<Full<Bytes>> {
    let mut response = server::json(self::status(status), body.to_string());
    response.headers_mut().insert("x-amzn-errortype", kind.parse().expect("a word"));
    response
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
