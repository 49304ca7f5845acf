//! A Lambda function as a process of this machine: a real `bootstrap` under a Runtime API of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64, mpsc as blocking},
    time::{Duration, Instant},
};

use bytes::Bytes;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::{mpsc, oneshot},
};

use crate::{
    guardian::Guarded,
    lock,
    runtime_api::{Invocation, Obituary, Options, Outcome, RuntimeApi},
};

/// A function that runs. Dropping it kills the process and what the process started; so does the end of this process,
/// however it ends.
///
/// It starts from an empty environment but for `PATH`, so that nothing of the developer's AWS account leaks in.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use local::{aws::Aws, function::Function};
///
/// let aws = Aws::start().await?;
/// let enrich = Function::builder("target/debug/enrich").envs(aws.environment()).memory(256).start().await?;
/// let invocation = enrich.invoke(&serde_json::json!({ "Records": [] })).await;
/// assert_eq!(invocation.json(), serde_json::json!({ "batchItemFailures": [] }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Function {
    // First, as it ends on the thread of the second.
    process: Process,
    runtime_api: RuntimeApi,
    options: Options,
    started: Instant,
}

/// What a [`Function`] is started with. Its debug text has the names of the environment's variables, and no values.
#[derive(Clone)]
pub struct Builder {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    name: String,
    memory: u32,
    timeout: Duration,
    trace: Option<String>,
    sink: Option<Sink>,
    count: Option<Arc<AtomicU64>>,
}

/// Where lines go as they come.
#[derive(Clone)]
struct Sink(Arc<dyn Fn(&str) + Send + Sync>);

/// How many lines are kept where they also go elsewhere.
const LAST_LINES: usize = 100;

/// Where a line is cut that doesn't end, in bytes, as Lambda cuts them.
const LONGEST_LINE: u64 = 256 << 10;

/// A function that doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program could not be started.
    #[error("could not start {path}")]
    Start {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No Runtime API for it.
    #[error("could not serve the Runtime API")]
    RuntimeApi(#[source] io::Error),
    /// It ended, or said that it cannot start, before it asked for an event.
    #[error("the function did not get ready: {0:?}")]
    NotReady(Outcome),
    /// The process is no more.
    #[error("the function's process has ended")]
    Ended,
}

impl Function {
    /// A function whose `bootstrap` is the program at `path`.
    pub fn builder(path: impl AsRef<Path>) -> Builder {
        Builder {
            path: path.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            name: path.as_ref().file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
            memory: 128,
            timeout: Duration::from_secs(30),
            trace: None,
            sink: None,
            count: None,
        }
    }

    /// Waits until the function asks for its first event, and says how long after its start that was: the cold start
    /// but for what AWS adds (a microVM, a download).
    ///
    /// # Errors
    ///
    /// When it ended before, or said that it cannot start.
    pub async fn ready(&self) -> Result<Duration, Error> {
        let when = self.runtime_api.ready().await.map_err(Error::NotReady)?;
        Ok(when.duration_since(self.started))
    }

    /// Invokes the function with an event and waits for the answer. A process that has died answers
    /// `Runtime.ExitError` with its last lines.
    pub async fn invoke(&self, event: &serde_json::Value) -> Invocation {
        self.invoke_bytes(event.to_string()).await
    }

    /// Like [`invoke`](Self::invoke), with an event as it is: for events kept ready, and such that aren't JSON.
    pub async fn invoke_bytes(&self, event: impl Into<Bytes>) -> Invocation {
        self.runtime_api.invoke(event, self.options.clone()).await
    }

    /// Like [`invoke_bytes`](Self::invoke_bytes), with a timeout or trace header of its own.
    pub async fn invoke_with(&self, event: impl Into<Bytes>, options: Options) -> Invocation {
        self.runtime_api.invoke(event, options).await
    }

    /// What the function wrote so far, to standard output and standard error, in the order it was read: the last 100
    /// lines where they go to a [`sink`](Builder::sink), else all.
    pub fn lines(&self) -> Vec<String> {
        self.process.lines.all()
    }

    /// Stops the process as Lambda does between invocations: it stays in memory, and its clock and sockets age.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub async fn freeze(&self) -> Result<(), Error> {
        self.process.signal(Signal::SIGSTOP).await
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub async fn thaw(&self) -> Result<(), Error> {
        self.process.signal(Signal::SIGCONT).await
    }

    /// Kills the process at once (SIGKILL), as Lambda does after a timeout, and waits for its end.
    pub async fn kill(&self) {
        let _ = self.process.signal(Signal::SIGKILL).await;
        self.process.ended().await;
    }

    /// Asks the process to end (SIGTERM), kills it after two seconds, and says how it ended.
    pub async fn stop(self) -> Option<ExitStatus> {
        self.end().await
    }

    /// Whether it has ended, or said that it cannot start: it will answer no more events.
    pub fn has_ended(&self) -> bool {
        self.runtime_api.has_ended()
    }

    /// How long it took to ask for its first event, if it has.
    pub(crate) fn started_in(&self) -> Option<Duration> {
        self.runtime_api.was_ready().map(|when| when.duration_since(self.started))
    }

    /// Kills the process, without waiting for its end.
    pub(crate) fn kill_soon(&self) {
        drop(self.process.order(Signal::SIGKILL));
    }

    pub(crate) async fn end(&self) -> Option<ExitStatus> {
        let _ = self.process.signal(Signal::SIGTERM).await;
        if tokio::time::timeout(Duration::from_secs(2), self.process.ended()).await.is_err() {
            self.kill().await;
        }
        self.process.ended().await
    }

    /// The process's id, for reading what it costs.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }
}

impl Builder {
    /// An argument of the program. A `bootstrap` has none; an interpreter has its script.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Arguments of the program.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// An environment variable. The last value given for a name counts, also over those that are set anyway.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Environment variables.
    pub fn envs<N: Into<OsString>, V: Into<OsString>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Its name. Defaults to the program's.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The memory it is told that it has, in MiB. Defaults to 128; nothing here enforces it.
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory = mib;
        self
    }

    /// Its timeout, from taking an event to answering it. Defaults to 30 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The X-Ray trace header of its events. Defaults to none.
    pub fn trace(mut self, header: impl Into<String>) -> Self {
        self.trace = Some(header.into());
        self
    }

    /// Where each line goes that the function writes, as it comes: on a thread that reads nothing else meanwhile. A line
    /// of more than 256 KiB comes in pieces. Defaults to nowhere, and then [`Function::lines`] keeps them all.
    ///
    /// ```
    /// use local::function::Function;
    ///
    /// let enrich = Function::builder("target/debug/enrich").sink(|line| println!("enrich: {line}"));
    /// ```
    pub fn sink(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.sink = Some(Sink(Arc::new(sink)));
        self
    }

    /// Has lines go here, too.
    pub(crate) fn and_sink(self, other: impl Fn(&str) + Send + Sync + 'static) -> Self {
        match self.sink.clone() {
            None => self.sink(other),
            Some(Sink(first)) => self.sink(move |line| {
                first(line);
                other(line);
            }),
        }
    }

    /// An environment variable, unless a value was given for the name.
    pub(crate) fn default_env(mut self, name: &str, value: String) -> Self {
        self.environment.entry(name.into()).or_insert_with(|| value.into());
        self
    }

    /// Takes the numbers of its request ids from here, so that no other environment of the function has the same.
    pub(crate) fn numbered_by(mut self, count: Arc<AtomicU64>) -> Self {
        self.count = Some(count);
        self
    }

    /// Starts the process. It need not be [`ready`](Function::ready) yet: events wait for it.
    ///
    /// # Errors
    ///
    /// When the program could not be started.
    #[expect(clippy::unused_async, reason = "one way to start for all parts, and room for one that must wait")]
    pub async fn start(self) -> Result<Function, Error> {
        self.start_now()
    }

    pub(crate) fn start_now(self) -> Result<Function, Error> {
        let count = self.count.clone().unwrap_or_default();
        let runtime_api = RuntimeApi::for_function(&self.name, &self.region(), count).map_err(Error::RuntimeApi)?;
        let command = self.command(&runtime_api.address());
        let started = Instant::now();
        let process = Process::start(&runtime_api, command, Lines::going_to(self.sink.clone()));
        let process = process.map_err(|source| Error::Start { path: self.path.clone(), source })?;
        let options = Options { timeout: self.timeout, trace: self.trace };
        Ok(Function { process, runtime_api, options, started })
    }

    /// The one that its environment names.
    fn region(&self) -> String {
        let region = self.environment.get(std::ffi::OsStr::new("AWS_REGION"));
        region.map_or_else(|| crate::REGION.to_owned(), |region| region.to_string_lossy().into_owned())
    }

    fn command(&self, address: &str) -> Command {
        let given = [
            ("AWS_LAMBDA_RUNTIME_API", address.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]local".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
        ];
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(given).envs(crate::no_account()).envs(&self.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that a signal reaches what a script started, and Ctrl-C here doesn't.
        command.process_group(0).kill_on_drop(true);
        command
    }
}

/// The process, looked after on the Runtime API's own thread.
#[derive(Debug)]
struct Process {
    pid: u32,
    lines: Lines,
    orders: Option<mpsc::UnboundedSender<Order>>,
    status: tokio::sync::watch::Receiver<Option<ExitStatus>>,
    /// Locked by nobody, but so that this can be shared between threads.
    gone: Mutex<blocking::Receiver<()>>,
}

#[derive(Debug)]
struct Order {
    signal: Signal,
    done: oneshot::Sender<()>,
}

impl Process {
    fn start(runtime_api: &RuntimeApi, mut command: Command, lines: Lines) -> io::Result<Self> {
        // A tokio child belongs to the runtime it was made in.
        let _entered = runtime_api.runtime().enter();
        let mut child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        let guarded = Guarded::group(pid)?;
        let output = lines.clone().read(child.stdout.take());
        let errors = lines.clone().read(child.stderr.take());
        let reading = tokio::spawn(async move { tokio::join!(output, errors) });
        let (orders, received) = mpsc::unbounded_channel();
        let (ended, status) = tokio::sync::watch::channel(None);
        let (last_breath, gone) = blocking::channel();
        let obituary = runtime_api.obituary();
        let remembered = lines.clone();
        tokio::spawn(async move {
            let status = look_after(&mut child, received).await;
            drop(guarded);
            // A grandchild may hold the pipes open; what the process itself wrote is there at once.
            let _ = tokio::time::timeout(Duration::from_millis(200), reading).await;
            write_obituary(&obituary, status, &remembered);
            ended.send_replace(status);
            drop(last_breath);
        });
        Ok(Self { pid, lines, orders: Some(orders), status, gone: Mutex::new(gone) })
    }

    async fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.order(signal).await.map_err(|_| Error::Ended)
    }

    /// Has a signal sent; what comes back says when it was.
    fn order(&self, signal: Signal) -> oneshot::Receiver<()> {
        let (done, sent) = oneshot::channel();
        if let Some(orders) = &self.orders {
            // A process that has ended takes no orders, which drops `done`.
            let _ = orders.send(Order { signal, done });
        }
        sent
    }

    async fn ended(&self) -> Option<ExitStatus> {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await;
        ended.map_or(None, |status| *status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody gives orders any more: the process is killed.
        drop(self.orders.take());
        let gone = self.gone.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = gone.recv_timeout(Duration::from_secs(2));
    }
}

/// Passes signals on until the process ends, and kills it when there is nobody left to give any.
async fn look_after(child: &mut Child, mut orders: mpsc::UnboundedReceiver<Order>) -> Option<ExitStatus> {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let send = |signal| {
        if let Some(group) = group {
            let _ = killpg(group, signal);
        }
    };
    loop {
        tokio::select! {
            status = child.wait() => {
                // What it leaves behind ends with it, as with Lambda's environments. The group's id belongs to those that
                // are left; where none is, nobody has a group of this id the moment after.
                send(Signal::SIGKILL);
                return status.ok();
            }
            order = orders.recv() => {
                let Some(Order { signal, done }) = order else {
                    send(Signal::SIGKILL);
                    return child.wait().await.ok();
                };
                send(signal);
                if signal == Signal::SIGSTOP {
                    stands_still(child).await;
                }
                let _ = done.send(());
            }
        }
    }
}

/// One thread takes the signal and stops the others, which go on until then.
async fn stands_still(child: &Child) {
    let Some(pid) = child.id() else { return };
    for _ in 0..1_000 {
        // Where there is no such file, a moment has to do.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            return tokio::time::sleep(Duration::from_millis(20)).await;
        };
        if stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn write_obituary(obituary: &Obituary, status: Option<ExitStatus>, lines: &Lines) {
    let how = status.map_or_else(|| "in an unknown way".to_owned(), |status| status.to_string());
    let lines = lines.all();
    let last = lines.iter().skip(lines.len().saturating_sub(10)).map(String::as_str).collect::<Vec<_>>();
    obituary.ended(format!("the process ended: {how}; its last lines: {}", last.join("\n")));
}

/// The lines read so far.
#[derive(Debug, Clone, Default)]
struct Lines {
    kept: Arc<Mutex<VecDeque<String>>>,
    sink: Option<Sink>,
}

impl Lines {
    fn going_to(sink: Option<Sink>) -> Self {
        Self { kept: Arc::default(), sink }
    }

    fn all(&self) -> Vec<String> {
        self.kept().iter().cloned().collect()
    }

    async fn read(self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(pipe) = pipe else { return };
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while (&mut pipe).take(LONGEST_LINE).read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            self.add(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }

    fn add(&self, line: &str) {
        let mut kept = self.kept();
        if let Some(Sink(sink)) = &self.sink {
            sink(line);
            if kept.len() == LAST_LINES {
                kept.pop_front();
            }
        }
        kept.push_back(line.to_owned());
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<String>> {
        lock(&self.kept)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("path", &self.path)
            .field("arguments", &self.arguments)
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .field("name", &self.name)
            .field("memory", &self.memory)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}
