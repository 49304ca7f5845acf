//! A function as the Lambda service runs it: one execution environment for each invocation that is in progress.
//!
//! An environment is a process of its own ([`crate::function`]). It takes one event at a time, is kept for the next one,
//! and is thrown away when it died, took too long, or has been idle for a while.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use crate::{
    background::Background,
    function::{Builder, Function},
    lock,
    runtime_api::Outcome,
};

/// A function that can be invoked many times at once. Dropping it kills its environments; so does the end of this
/// process, however it ends.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use local::{function::Function, lambda::{Lambda, Options}};
///
/// let builder = Function::builder("target/debug/enrich").memory(256);
/// let enrich = Lambda::new(builder, Options { concurrency: Some(10), ..Options::default() })?;
/// let invocation = enrich.invoke(r#"{"Records":[]}"#).await?;
/// println!("{:?} in {:?}; cold start {:?}", invocation.outcome, invocation.took, invocation.cold_start);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lambda {
    // First, as its thread uses the second.
    _housekeeping: Background,
    service: Arc<Service>,
}

/// How a function is run.
///
/// ```
/// use local::lambda::Options;
/// assert_eq!(Options::default().concurrency, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The function's reserved concurrency: how many invocations may be in progress at once, others are throttled. With
    /// 0 all are. Defaults to none, which is an account's 1000.
    pub concurrency: Option<usize>,
    /// Where every line of every environment is appended. Defaults to nowhere.
    pub log: Option<PathBuf>,
    /// How long an environment is kept that has nothing to do. Defaults to 5 minutes; Lambda doesn't say, and is seen to
    /// keep them that long and longer.
    pub idle: Duration,
}

/// An event that was taken, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// What the function answered. A process that ended is `Runtime.ExitError`, one that could not be started
    /// `Runtime.InvalidEntrypoint`.
    pub outcome: Outcome,
    /// From handing the event out to receiving the answer. Zero when it was never handed out.
    pub took: Duration,
    /// The request id, another for each invocation of the function; its logs carry it.
    pub request_id: String,
    /// How long the environment took to start, when it was started for this event.
    pub cold_start: Option<Duration>,
}

/// The function's concurrency is used up (`TooManyRequestsException`, 429): the event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the function is throttled: {limit} invocations are in progress, and no more may be")]
pub struct Throttled {
    /// How many may be. Zero, too, once the function was stopped.
    pub limit: usize,
}

/// A function that can't be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log can't be written.
    #[error("could not open the log {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread to look after environments.
    #[error("could not start a thread")]
    Thread(#[source] io::Error),
}

/// What a function has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Environments that there are now, busy and idle.
    pub alive: usize,
    /// Environments started.
    pub started: u64,
    /// Environments killed by [`Lambda::kill_one`] and [`Lambda::kill_all`].
    pub killed: u64,
    /// Events taken.
    pub invocations: u64,
    /// Invocations that ended in anything but a response, timeouts among them, as in Lambda's metric `Errors`.
    pub errors: u64,
    /// Invocations that were not answered in time.
    pub timeouts: u64,
    /// Invocations in progress.
    pub in_flight: usize,
    /// Events not taken.
    pub throttled: u64,
}

/// What an account has unless it asks for more.
const ACCOUNT_CONCURRENCY: usize = 1_000;

/// How many of the last lines stay in memory.
const LAST_LINES: usize = 200;

impl Lambda {
    /// A function without an environment: the first event starts one. A [`sink`](Builder::sink) gets the lines of all.
    ///
    /// # Errors
    ///
    /// When the log can't be opened, or there is no thread to be had.
    pub fn new(builder: Builder, options: Options) -> Result<Self, Error> {
        let log = Arc::new(Log::open(options.log.clone())?);
        let (retire, retired) = unbounded_channel();
        let writing = Arc::clone(&log);
        let service = Arc::new(Service {
            builder: builder.and_sink(move |line| writing.add(line)).numbered_by(Arc::default()),
            options,
            log,
            retire,
            state: Mutex::default(),
            next: AtomicU64::new(1),
        });
        let housekeeping = Background::run("lambda", keep_house(Arc::clone(&service), retired));
        Ok(Self { _housekeeping: housekeeping.map_err(Error::Thread)?, service })
    }

    /// Invokes the function and waits for the answer, in the environment that was used last of those that are idle, else
    /// in a new one. One that is not answered in time is killed before this returns. Giving up to wait kills it, too.
    ///
    /// # Errors
    ///
    /// When as many invocations are in progress as may be: the event was not taken.
    pub async fn invoke(&self, event: impl Into<Bytes>) -> Result<Invocation, Throttled> {
        let place = Service::take(&self.service)?;
        let invocation = match &place.environment {
            Ok(function) => run(function, event.into(), place.cold).await,
            Err(message) => Invocation::never_started(message.clone()),
        };
        place.leave(&invocation.outcome).await;
        Ok(invocation)
    }

    /// Kills (SIGKILL) the environment whose invocation has been in progress for longest, and waits for its end. The
    /// invocation ends in `Runtime.ExitError`. False when none is in progress.
    pub async fn kill_one(&self) -> bool {
        let busy = self.service.state().busy.values().flatten().find(|function| !function.has_ended()).cloned();
        let Some(function) = busy else { return false };
        function.kill().await;
        self.service.state().counts.killed += 1;
        true
    }

    /// Kills (SIGKILL) all environments, idle ones too, waits for their end, and says how many they were.
    pub async fn kill_all(&self) -> usize {
        let environments = self.service.environments();
        for function in &environments {
            function.kill_soon();
        }
        for function in &environments {
            function.kill().await;
        }
        let mut state = self.service.state();
        state.counts.killed += environments.len() as u64;
        drop(state);
        environments.len()
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        let state = self.service.state();
        let idle = state.idle.iter().filter(|idle| !idle.function.has_ended()).count();
        let busy = state.busy.values().flatten().filter(|function| !function.has_ended()).count();
        Counts { alive: idle + busy, in_flight: state.busy.len(), ..state.counts }
    }

    /// The last 200 lines that its environments wrote.
    pub fn lines(&self) -> Vec<String> {
        self.service.log.last_lines()
    }

    /// Asks all environments to end (SIGTERM), and kills those that haven't after two seconds. From now on the function
    /// takes no event.
    pub async fn stop(&self) {
        self.service.state().stopped = true;
        // What is being started now, on another thread, shall not be missed.
        while self.service.state().is_starting() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut ending = JoinSet::new();
        for function in self.service.environments() {
            ending.spawn(async move { function.end().await });
        }
        while ending.join_next().await.is_some() {}
        let idle = std::mem::take(&mut self.service.state().idle);
        for Idle { function, .. } in idle {
            self.service.throw_away(function);
        }
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        let environments = self.service.environments();
        // All at once, not one after the other.
        for function in &environments {
            function.kill_soon();
        }
        let mut state = self.service.state();
        state.stopped = true;
        let idle = std::mem::take(&mut state.idle);
        // Not under the lock: the end of a process is waited for.
        drop(state);
        drop(idle);
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { concurrency: None, log: None, idle: Duration::from_mins(5) }
    }
}

/// The function, its environments, and what they wrote.
#[derive(Debug)]
struct Service {
    builder: Builder,
    options: Options,
    log: Arc<Log>,
    /// Environments whose end is waited for elsewhere.
    retire: UnboundedSender<Arc<Function>>,
    state: Mutex<State>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The one used last is last.
    idle: Vec<Idle>,
    /// By the number of their invocation, so the oldest is first; none while it is being started.
    busy: BTreeMap<u64, Option<Arc<Function>>>,
    counts: Counts,
    stopped: bool,
}

#[derive(Debug)]
struct Idle {
    function: Arc<Function>,
    since: Instant,
}

impl State {
    fn is_starting(&self) -> bool {
        self.busy.values().any(Option::is_none)
    }
}

/// An invocation's place among those in progress. Dropped before its environment was kept for the next one, it was
/// given up, or the environment is no more: nobody else can have it.
#[derive(Debug)]
struct Place {
    service: Arc<Service>,
    number: u64,
    /// Or why there is none.
    environment: Result<Arc<Function>, String>,
    cold: bool,
    kept: bool,
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// All environments, busy ones first.
    fn environments(&self) -> Vec<Arc<Function>> {
        let state = self.state();
        let idle = state.idle.iter().map(|idle| &idle.function);
        let all = state.busy.values().flatten().chain(idle);
        all.filter(|function| !function.has_ended()).cloned().collect()
    }

    fn take(service: &Arc<Self>) -> Result<Place, Throttled> {
        let number = service.next.fetch_add(1, Ordering::Relaxed);
        let idle = service.reserve(number)?;
        let cold = idle.is_none();
        let environment = idle.map_or_else(|| service.start(number), Ok);
        let mut state = service.state();
        state.counts.started += u64::from(cold && environment.is_ok());
        state.busy.insert(number, environment.as_ref().ok().cloned());
        drop(state);
        Ok(Place { service: Arc::clone(service), number, environment, cold, kept: false })
    }

    /// Counts the invocation in, and gives it an idle environment if there is one.
    fn reserve(&self, number: u64) -> Result<Option<Arc<Function>>, Throttled> {
        let mut state = self.state();
        let limit = self.options.concurrency.unwrap_or(ACCOUNT_CONCURRENCY);
        let limit = if state.stopped { 0 } else { limit };
        if state.busy.len() >= limit {
            state.counts.throttled += 1;
            return Err(Throttled { limit });
        }
        state.counts.invocations += 1;
        state.busy.insert(number, None);
        while let Some(Idle { function, .. }) = state.idle.pop() {
            if !function.has_ended() {
                return Ok(Some(function));
            }
            self.throw_away(function);
        }
        Ok(None)
    }

    fn start(&self, number: u64) -> Result<Arc<Function>, String> {
        let stream = format!("2026/01/01/[$LATEST]{number:032x}");
        let builder = self.builder.clone().default_env("AWS_LAMBDA_LOG_STREAM_NAME", stream);
        builder.start_now().map(Arc::new).map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }

    /// Ends an environment on the thread that keeps house: its end is waited for, and whoever calls this shall not.
    fn throw_away(&self, function: Arc<Function>) {
        function.kill_soon();
        // The other side is there as long as this, but for the moment in which both end.
        let _ = self.retire.send(function);
    }

    fn throw_away_idle(&self) {
        let mut state = self.state();
        let (kept, old): (Vec<_>, Vec<_>) = std::mem::take(&mut state.idle)
            .into_iter()
            .partition(|idle| idle.since.elapsed() < self.options.idle && !idle.function.has_ended());
        state.idle = kept;
        drop(state);
        for Idle { function, .. } in old {
            self.throw_away(function);
        }
    }
}

impl Place {
    /// Counts how the invocation ended, and keeps the environment for the next one if it can take one.
    async fn leave(mut self, outcome: &Outcome) {
        let usable = self.environment.as_ref().ok().filter(|function| {
            let timed_out = matches!(outcome, Outcome::TimedOut);
            !timed_out && !function.has_ended()
        });
        let usable = usable.cloned();
        if let (None, Ok(function)) = (&usable, &self.environment) {
            function.kill().await;
        }
        let mut state = self.service.state();
        state.busy.remove(&self.number);
        state.counts.errors += u64::from(!matches!(outcome, Outcome::Response(_)));
        state.counts.timeouts += u64::from(matches!(outcome, Outcome::TimedOut));
        // Asked once more, under the lock: one that was stopped meanwhile isn't looked for among those that are kept.
        if let Some(function) = usable.filter(|function| !function.has_ended()) {
            self.kept = true;
            state.idle.push(Idle { function, since: Instant::now() });
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        self.service.state().busy.remove(&self.number);
        if let Ok(function) = &self.environment {
            self.service.throw_away(Arc::clone(function));
        }
    }
}

async fn run(function: &Function, event: Bytes, cold: bool) -> Invocation {
    let crate::runtime_api::Invocation { outcome, took, request_id } = function.invoke_bytes(event).await;
    let cold_start = if cold { function.started_in() } else { None };
    Invocation { outcome, took, request_id, cold_start }
}

impl Invocation {
    fn never_started(message: String) -> Self {
        let outcome = Outcome::InitError { kind: "Runtime.InvalidEntrypoint".to_owned(), message };
        Self { outcome, took: Duration::ZERO, request_id: crate::server::request_id(), cold_start: None }
    }
}

/// Waits for the end of environments that were thrown away, and throws away those that have been idle for too long.
async fn keep_house(service: Arc<Service>, mut retired: UnboundedReceiver<Arc<Function>>) {
    let every = (service.options.idle / 10).clamp(Duration::from_millis(10), Duration::from_secs(10));
    let mut clock = tokio::time::interval(every);
    loop {
        tokio::select! {
            function = retired.recv() => drop(function),
            _ = clock.tick() => service.throw_away_idle(),
        }
    }
}

/// Every line of every environment.
#[derive(Debug)]
struct Log {
    file: Option<Mutex<File>>,
    last: Mutex<VecDeque<String>>,
}

impl Log {
    fn open(path: Option<PathBuf>) -> Result<Self, Error> {
        let file = match path {
            None => None,
            Some(path) => match OpenOptions::new().append(true).create(true).open(&path) {
                Ok(file) => Some(Mutex::new(file)),
                Err(source) => return Err(Error::Log { path, source }),
            },
        };
        Ok(Self { file, last: Mutex::default() })
    }

    fn add(&self, line: &str) {
        if let Some(file) = &self.file {
            // In one write, so that a line is whole whoever else appends. A full disk must not end a function.
            let _ = lock(file).write_all(format!("{line}\n").as_bytes());
        }
        let mut last = lock(&self.last);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line.to_owned());
    }

    fn last_lines(&self) -> Vec<String> {
        lock(&self.last).iter().cloned().collect()
    }
}
