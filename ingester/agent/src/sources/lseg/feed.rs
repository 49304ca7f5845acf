//! A feed: its connections, and what they share.

use super::{
    Timings,
    board::Board,
    connect::{ConnectError, Socket},
    connection::{Connection, Over, Scores, Surroundings},
    denied::Denied,
    discovery::Discovery,
    rotation::Rotation,
    supervise::{Link, Next, Outcome, keep_up},
    tokens::{Pass, Tokens},
};
use crate::{outbox::Outbox, secrets::Secret};
use ::lseg::{Again, Identity, Options, Ric};
use futures_util::future::join_all;
use rustls::ClientConfig;
use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How one gets in.
#[derive(Debug)]
pub(super) enum Access {
    /// With tokens, to endpoints that are listed.
    Cloud { tokens: Box<Tokens>, discovery: Discovery },
    /// With a name, to servers that are known.
    Deployed { user: String, servers: Vec<Url> },
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) application_id: String,
    pub(super) service: Option<String>,
    pub(super) scores: bool,
}

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) name: String,
    pub(super) access: Access,
    connections: usize,
    request: Request,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) timings: Timings,
    scores: Option<Scores>,
    rotation: Endpoints,
}

/// Held while the endpoints are asked for, so that two connections don't do it at the same time.
#[derive(Debug, Default)]
struct Endpoints {
    asking: Mutex<()>,
    rotation: std::sync::Mutex<Rotation>,
}

impl Endpoints {
    fn with<T>(&self, change: impl FnOnce(&mut Rotation) -> T) -> T {
        change(&mut self.rotation.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Feed {
    pub(super) fn new(
        name: String,
        access: Access,
        connections: usize,
        request: Request,
        tls: Arc<ClientConfig>,
    ) -> Self {
        let (timings, rotation) = (Timings::default(), Endpoints::default());
        Self { name, access, connections, request, tls, timings, scores: None, rotation }
    }

    pub(super) fn timings(self, timings: Timings) -> Self {
        Self { timings, ..self }
    }

    pub(super) fn scores(self, scores: Scores) -> Self {
        Self { scores: Some(scores), ..self }
    }

    /// Delivers until it is told to stop.
    pub(super) async fn run(self, outbox: Outbox, stop: CancellationToken) {
        let board = Board::new(outbox, self.connections);
        let slots = (0..self.connections).map(|slot| {
            let connecting = Connecting { feed: &self, board: &board, slot, stop: &stop };
            keep_up(connecting, &self.timings, &stop)
        });
        tokio::select! {
            _ = join_all(slots) => {}
            () = self.renew() => {}
        }
    }

    /// Renews what must be renewed, for ever.
    async fn renew(&self) {
        match &self.access {
            Access::Cloud { tokens, .. } => tokens.keep_new(&self.timings).await,
            Access::Deployed { .. } => std::future::pending().await,
        }
    }

    /// Whom to log in as. `exclusively`: another session of the same login is thrown out.
    pub(super) async fn pass(&self, exclusively: bool) -> Result<Option<Pass>, Denied> {
        match &self.access {
            Access::Cloud { tokens, .. } => tokens.pass(&self.timings, exclusively).await.map(Some),
            Access::Deployed { .. } => Ok(None),
        }
    }

    /// Each connection's endpoints, in its order of preference.
    pub(super) async fn servers(&self, token: Option<&Secret>) -> Result<Vec<Vec<Url>>, Denied> {
        match (&self.access, token) {
            (Access::Cloud { tokens, discovery }, Some(token)) => match discovery.servers(token, &self.timings).await {
                Err(denied) if denied.is_about_the_token && tokens.doubt(token, &self.timings).await => {
                    Err(denied.for_now())
                }
                listed => listed,
            },
            (Access::Cloud { .. }, None) => Ok(Vec::new()),
            (Access::Deployed { servers, .. }, _) => {
                Ok((0..self.connections).map(|slot| from(servers, slot)).collect())
            }
        }
    }

    /// What a session at this socket is told.
    pub(super) fn options(&self, socket: &Socket, token: Option<&Secret>) -> Options {
        let identity = match (&self.access, token) {
            (Access::Deployed { user, .. }, _) => Identity::User(user.clone()),
            (Access::Cloud { .. }, token) => {
                Identity::Token(token.map(|token| token.reveal().to_owned()).unwrap_or_default())
            }
        };
        let rics = if self.request.scores { vec![Ric::Story, Ric::Scores] } else { vec![Ric::Story] };
        Options {
            identity,
            application_id: self.request.application_id.clone(),
            position: position(socket),
            service: self.request.service.clone(),
            rics,
            source: self.name.clone(),
        }
    }

    /// The next endpoint for a connection.
    async fn endpoint(&self, slot: usize, token: Option<&Secret>) -> Result<Url, Denied> {
        let _asking = self.rotation.asking.lock().await;
        if let Some(server) = self.rotation.with(|rotation| rotation.take(slot)) {
            return Ok(server);
        }
        let servers = self.servers(token).await?;
        tracing::debug!(feed = self.name, connection = slot, servers = ?servers.get(slot), "These are the endpoints.");
        let learnt = self.rotation.with(|rotation| {
            rotation.learn(servers);
            rotation.take(slot)
        });
        learnt.ok_or_else(|| Denied::late("there is no endpoint", &self.timings))
    }
}

/// All servers, beginning with the one at `first`.
fn from(servers: &[Url], first: usize) -> Vec<Url> {
    let mut servers = servers.to_vec();
    let count = servers.len().max(1);
    servers.rotate_left(first % count);
    servers
}

/// Where this runs: the address, and the host's name (RTO example clients, `Position`).
fn position(socket: &Socket) -> String {
    let address = socket.local().map_or_else(|| "127.0.0.1".into(), |address| address.to_string());
    format!("{address}/{}", gethostname::gethostname().to_string_lossy())
}

/// One of a feed's connections.
struct Connecting<'a> {
    feed: &'a Feed,
    board: &'a Board,
    slot: usize,
    stop: &'a CancellationToken,
}

/// Why there is no connection.
enum NoConnection {
    Denied(Denied),
    Connect(ConnectError),
}

impl From<Denied> for NoConnection {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl Link for Connecting<'_> {
    async fn attempt(&mut self) -> Outcome {
        let connected = tokio::select! {
            () = self.stop.cancelled() => return stopped(),
            connected = self.connect() => connected,
        };
        let outcome = match connected {
            Ok((socket, pass)) => self.deliver(socket, pass).await,
            Err(NoConnection::Denied(denied)) => {
                Outcome { healthy: Duration::ZERO, next: denied.next(), why: denied.why }
            }
            Err(NoConnection::Connect(error)) => {
                Outcome { why: error.to_string(), healthy: Duration::ZERO, next: Next::Soon }
            }
        };
        self.feed.rotation.with(|rotation| rotation.leave(self.slot));
        outcome
    }

    fn pausing(&self, why: &str, pause: Duration) {
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        if pause >= self.feed.timings.late {
            tracing::error!(feed = self.feed.name, connection = self.slot, why, pause_ms, "Somebody must act.");
        } else {
            tracing::warn!(feed = self.feed.name, connection = self.slot, why, pause_ms, "Not connected.");
        }
        self.board.lost(self.slot, Some(why.into()));
    }
}

impl Connecting<'_> {
    async fn connect(&self) -> Result<(Socket, Option<Pass>), NoConnection> {
        let pass = self.feed.pass(true).await?;
        let token = pass.as_ref().map(|pass| &pass.token);
        let server = self.feed.endpoint(self.slot, token).await?;
        match Socket::open(&server, &self.feed.tls, self.feed.timings.connect).await {
            Ok(socket) => {
                tracing::info!(feed = self.feed.name, connection = self.slot, %server, "Connected.");
                Ok((socket, pass))
            }
            Err(error) => {
                if error.is_about_the_token() {
                    self.doubt(token).await;
                }
                Err(NoConnection::Connect(error))
            }
        }
    }

    async fn deliver(&self, socket: Socket, pass: Option<Pass>) -> Outcome {
        let token = pass.as_ref().map(|pass| &pass.token);
        let options = self.feed.options(&socket, token);
        let around = Surroundings {
            board: self.board,
            slot: self.slot,
            timings: &self.feed.timings,
            scores: self.feed.scores.as_ref(),
            stop: self.stop,
        };
        let works = || self.feed.rotation.with(|rotation| rotation.works(self.slot));
        let renewals = pass.as_ref().and_then(|pass| pass.renewals.clone());
        let over = Connection::new(socket, options, around).run(renewals, works).await;
        // The tokens are locked while one is asked for: who stops doesn't wait for that.
        let next = self.stop.run_until_cancelled(self.next(&over, pass.as_ref())).await;
        Outcome { why: over.why, healthy: over.healthy, next: next.unwrap_or(Next::Soon) }
    }

    async fn next(&self, over: &Over, pass: Option<&Pass>) -> Next {
        // Who doesn't get in with an old token may with a new one; who was thrown out would not.
        let another_token = over.said && self.doubt(pass.map(|pass| &pass.token)).await;
        let may_get_in = another_token && !over.worked || self.threw_itself_out(pass).await;
        match over.again {
            Again::Late if !may_get_in => Next::Late,
            Again::Soon | Again::Late => Next::Soon,
        }
    }

    async fn threw_itself_out(&self, pass: Option<&Pass>) -> bool {
        match (&self.feed.access, pass) {
            (Access::Cloud { tokens, .. }, Some(pass)) => tokens.has_signed_on_since(pass).await,
            _ => false,
        }
    }

    /// The server may have refused it for the token's sake: whether the next attempt has another.
    async fn doubt(&self, token: Option<&Secret>) -> bool {
        match (&self.feed.access, token) {
            (Access::Cloud { tokens, .. }, Some(token)) => tokens.doubt(token, &self.feed.timings).await,
            _ => false,
        }
    }
}

fn stopped() -> Outcome {
    Outcome { why: "stopped".into(), healthy: Duration::ZERO, next: Next::Soon }
}
