//! A simulator that runs beside a test or a program.

use crate::{
    endpoint::{Behind, listen},
    item::Item,
    journal::{Connection, Journal},
    messages::State,
    newsroom::{Letter, Newsroom, Pair, prebuild},
    options::Options,
    tls::{self, TlsError},
    trouble::{Answer, Target},
    world::{Command, Cut, World},
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
};

/// How long [`Simulator::until`] waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running simulator. It has a thread of its own, so that it keeps time whatever the runtime of the test does.
/// Dropping it stops it, and breaks its connections.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use simulator::{Options, Simulator, Story};
///
/// let simulator = Simulator::start(Options::manual()).await?;
/// // A client of `simulator.api_url()` or `simulator.websocket_urls()` comes …
/// simulator.send([Story::alert("Example plc halts trading")]).await;
/// simulator.until(|journal| journal.counts.released == 1).await?;
/// assert_eq!(simulator.journal().counts.missed, 1, "… or doesn't.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Simulator {
    world: Arc<World>,
    api: SocketAddr,
    inbox: mpsc::UnboundedSender<Letter>,
    runtime: Handle,
    thread: Option<JoinHandle<()>>,
}

/// It didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An option is out of its range.
    #[error("{0} endpoints are asked for; 1 to 3 are allowed")]
    Endpoints(usize),
    /// A port can't be had.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No certificate could be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system has no thread for it.
    #[error("could not start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// What was waited for didn't come.
#[derive(Debug, thiserror::Error)]
#[error("waited {} s in vain; the journal has {counts:?} and {connections:#?}", PATIENCE.as_secs())]
pub struct TimedOut {
    counts: crate::journal::Counts,
    connections: Vec<Connection>,
}

impl Simulator {
    /// Starts one. It listens once this returns.
    ///
    /// # Errors
    ///
    /// An option is out of range, or the system refuses.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        if !(1..=3).contains(&options.endpoints) {
            return Err(StartError::Endpoints(options.endpoints));
        }
        let tls = options.tls.then(tls::new).transpose()?;
        let (api, listeners) = ports(&options)?;
        let ports = listeners.iter().filter_map(|listener| Some(listener.local_addr().ok()?.port())).collect();
        let address = api.local_addr()?;
        let world = Arc::new(World::new(options, tls, ports));
        let (inbox, items) = mpsc::unbounded_channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ready, started) = oneshot::channel();
        let shared = Arc::clone(&world);
        let thread = thread::Builder::new().name("newsfeed-sim".into()).spawn(move || {
            let prebuilt = prebuild(&shared.options);
            runtime.block_on(run(shared, api, listeners, items, prebuilt, ready));
        })?;
        // If the thread is gone there is nothing to connect to, which the first connection will find.
        let _ = started.await;
        Ok(Self { world, api: address, inbox, runtime: handle, thread: Some(thread) })
    }

    /// Where tokens are given and endpoints listed: `http://localhost:40001`.
    pub fn api_url(&self) -> String {
        let scheme = if self.world.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.api.port())
    }

    /// The zones' endpoints, for clients that need no list: `ws://localhost:40002/WebSocket`.
    pub fn websocket_urls(&self) -> Vec<String> {
        let scheme = if self.world.tls.is_some() { "wss" } else { "ws" };
        let zones = self.world.ports.iter().take(self.world.options.endpoints);
        zones.map(|port| format!("{scheme}://localhost:{port}/WebSocket")).collect()
    }

    /// The authority to trust, if there is TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.world.tls.as_ref().map(|tls| tls.ca_pem.as_str())
    }

    /// What it was told.
    pub fn options(&self) -> &Options {
        &self.world.options
    }

    /// What happened so far, as a copy.
    pub fn journal(&self) -> Journal {
        self.world.log.read(Clone::clone)
    }

    /// Something of what happened so far, without copying the rest.
    pub fn look<T>(&self, look: impl FnOnce(&Journal) -> T) -> T {
        self.world.log.read(look)
    }

    /// Every connection so far, in the order they came.
    pub fn connections(&self) -> Vec<Connection> {
        self.look(|journal| journal.connections.clone())
    }

    /// Waits until something is so; it is asked after every change, and at once.
    ///
    /// # Errors
    ///
    /// It isn't after 20 seconds.
    pub async fn until(&self, is_so: impl FnMut(&Journal) -> bool) -> Result<(), TimedOut> {
        // By the simulator's clock: the caller's may be paused, and then runs ahead while nothing happens there.
        let timeout = self.runtime.spawn(tokio::time::sleep(PATIENCE));
        tokio::select! {
            () = self.world.log.until(is_so) => Ok(()),
            _ = timeout => {
                Err(self.look(|journal| TimedOut { counts: journal.counts, connections: journal.connections.clone() }))
            }
        }
    }

    /// Waits until this many connections have asked for news.
    ///
    /// # Errors
    ///
    /// They haven't after 20 seconds.
    pub async fn until_subscribed(&self, connections: usize) -> Result<(), TimedOut> {
        self.until(|journal| journal.subscribed() >= connections).await
    }

    /// Sends items of your own, in this order, to everybody who asked for such. It returns once they are queued on
    /// every connection: what is told to connections afterwards comes after them.
    pub async fn send<I: Into<Item>>(&self, items: impl IntoIterator<Item = I>) {
        let (left, gone) = oneshot::channel();
        let items = items.into_iter().map(Into::into).collect();
        // Without a newsroom there is nobody to send to either.
        if self.inbox.send(Letter { items, left }).is_ok() {
            let _ = gone.await;
        }
    }

    /// Ends every connection, and waits until they are gone.
    ///
    /// # Errors
    ///
    /// They aren't after 20 seconds.
    pub async fn cut(&self, how: Cut) -> Result<(), TimedOut> {
        let up = self.look(|journal| journal.connections.len());
        self.tell(|_| true, &Command::Cut(how));
        self.until(|journal| journal.connections.iter().take(up).all(|connection| !connection.is_up())).await
    }

    /// Ends one connection, by its number, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// It isn't after 20 seconds.
    pub async fn cut_one(&self, connection: usize, how: Cut) -> Result<(), TimedOut> {
        self.tell(|number| number == connection, &Command::Cut(how));
        self.until(|journal| journal.connection(connection).is_none_or(|connection| !connection.is_up())).await
    }

    /// Holds invented items back until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.world.paused.send_replace(true);
    }

    /// Goes on where it paused.
    pub fn resume(&self) {
        self.world.paused.send_replace(false);
    }

    /// Ends every access token. Sessions of version 1 end with theirs; others need a new one to connect again.
    pub fn expire_tokens(&self) {
        self.world.expire_tokens();
    }

    /// Ends every refresh token, so that only a password helps.
    pub fn expire_refresh_tokens(&self) {
        self.world.tokens().expire_refresh();
    }

    /// The machine id signs on somewhere else: its sessions of version 1 end.
    pub fn throw_out(&self) {
        self.world.throw_out();
    }

    /// Says a state of every item stream.
    pub fn say(&self, state: State) {
        self.tell(|_| true, &Command::Say(state));
    }

    /// Says a state of every login; one that isn't open ends the connection.
    pub fn say_of_login(&self, state: State) {
        self.tell(|_| true, &Command::SayLogin(state));
    }

    /// Sends a text frame of your own on every connection, as it is.
    pub fn send_frame(&self, frame: impl Into<String>) {
        self.tell(|_| true, &Command::Frame(frame.into()));
    }

    /// Pings every client; [`Journal::confirmed`] grows as they answer.
    pub fn ping(&self) {
        self.tell(|_| true, &Command::Ping);
    }

    /// Pings every client that has asked for news, and waits until all have answered: what was sent before was read.
    ///
    /// # Errors
    ///
    /// They haven't after 20 seconds.
    pub async fn settle(&self) -> Result<(), TimedOut> {
        let before = self.connections();
        self.ping();
        let answered = |now: &Connection| {
            before.get(now.number - 1).is_none_or(|before| !now.is_up() || now.pings_answered > before.pings_answered)
        };
        self.until(|journal| journal.connections.iter().all(answered)).await
    }

    /// Sends, reads and answers nothing for a while, on every connection. What is released meanwhile is lost.
    pub fn silence(&self, duration: Duration) {
        self.tell(|_| true, &Command::Silence(duration));
    }

    /// Is slow for a while, on every connection.
    pub fn slow_down(&self, bytes_per_second: u32, duration: Duration) {
        self.tell(|_| true, &Command::Slow(bytes_per_second, duration));
    }

    /// Answers the next request so; several are answered in the order they were asked for.
    pub fn answer_next(&self, on: Target, answer: Answer) {
        self.world.answer_next(on, answer);
    }

    fn tell(&self, to: impl Fn(usize) -> bool, command: &Command) {
        self.world.tell(|link| to(link.number), command);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.world.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It panicked, perhaps; its tests have failed already.
            let _ = thread.join();
        }
    }
}

/// The HTTP side's, and one for each endpoint; with several, another that is in all zones.
fn ports(options: &Options) -> Result<(TcpListener, Vec<TcpListener>), StartError> {
    let api = bind(options.address)?;
    let count = if options.endpoints == 1 { 1 } else { options.endpoints + 1 };
    let endpoints = (1_u16..).take(count).map(|index| {
        let port = if options.address.port() == 0 { 0 } else { options.address.port().saturating_add(index) };
        bind(SocketAddr::new(options.address.ip(), port))
    });
    Ok((api, endpoints.collect::<Result<_, _>>()?))
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    Ok(listener)
}

async fn run(
    world: Arc<World>,
    api: TcpListener,
    endpoints: Vec<TcpListener>,
    items: mpsc::UnboundedReceiver<Letter>,
    prebuilt: Vec<Pair>,
    ready: oneshot::Sender<()>,
) {
    let behind = (0..).map(Behind::WebSocket);
    let listeners = std::iter::once((api, Behind::Http)).chain(endpoints.into_iter().zip(behind));
    for (listener, behind) in listeners {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => drop(tokio::spawn(listen(Arc::clone(&world), listener, behind))),
            Err(error) => tracing::error!(%error, "A port can't be listened on."),
        }
    }
    let newsroom = tokio::spawn(Newsroom::new(Arc::clone(&world), items, prebuilt).run());
    // Who started it may be gone.
    let _ = ready.send(());
    world.stop.cancelled().await;
    let _ = newsroom.await;
}
