//! Alpaca's news, written by Benzinga, over a WebSocket.
//!
//! ```text
//! ◀ [{"T":"success","msg":"connected"}]
//! ▶ {"action":"auth","key":"…","secret":"…"}          within ten seconds
//! ◀ [{"T":"success","msg":"authenticated"}]
//! ▶ {"action":"subscribe","news":["*"]}
//! ◀ [{"T":"subscription","news":["*"]}]
//! ◀ [{"T":"n",…},{"T":"n",…}]                          for ever
//! ```
//!
//! Sources: Alpaca, "WebSocket Stream" (the sequence, the ten seconds, one connection for most accounts, the errors) and
//! "Real-time News" (the messages). How a message becomes an item is in `message`, what each error leads to in
//! `errors`. What was published between two connections doesn't come: the stream has no memory.

mod errors;
mod link;
mod message;
mod session;

use crate::{
    outbox::Outbox,
    secrets::Place,
    sources::{
        Source,
        pause::{Pause, up_to},
    },
};
use errors::Patience;
use news::feeds::{self, ALPACA_SANDBOX_URL, ALPACA_URL};
use rustls::ClientConfig;
use session::Session;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Alpaca's news.
///
/// ```no_run
/// use ingester::{secrets::Place, sources::alpaca::Alpaca, tls};
/// use news::feeds;
///
/// let settings = feeds::Alpaca {
///     name: "alpaca".into(),
///     symbols: vec!["*".into()],
///     sandbox: false,
///     secret: None,
///     url: None,
/// };
/// let login = Place::Environment(&[("key_id", "ALPACA_KEY_ID"), ("secret_key", "ALPACA_SECRET_KEY")]);
/// let source = Alpaca::new(settings, login, tls::client()?);
/// # Ok::<(), tls::NoRoots>(())
/// ```
#[derive(Debug)]
pub struct Alpaca {
    settings: feeds::Alpaca,
    login: Place,
    tls: Arc<ClientConfig>,
    tempo: Tempo,
}

/// How long it waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Tempo {
    /// Pauses between connections: the first up to this, the longest up to that. Defaults to one second and one minute,
    /// drawn at random.
    pub pauses: [Duration; 2],
    /// After which time of good news the pauses are short again. Defaults to a minute.
    pub healthy: Duration,
    /// The pause when another connection has the account's place. Defaults to a minute.
    pub occupied: Duration,
    /// The pause when only a person can help: wrong keys, say. Defaults to a quarter of an hour.
    pub hopeless: Duration,
    /// How long connecting may take, and each answer to what was sent. Defaults to ten seconds.
    pub answer: Duration,
    /// After which silence the server is asked whether it is there; after twice that it isn't. Defaults to half a minute.
    pub silence: Duration,
}

impl Default for Tempo {
    fn default() -> Self {
        Self {
            pauses: [Duration::from_secs(1), Duration::from_mins(1)],
            healthy: Duration::from_mins(1),
            occupied: Duration::from_mins(1),
            hopeless: Duration::from_mins(15),
            answer: Duration::from_secs(10),
            silence: Duration::from_secs(30),
        }
    }
}

impl Alpaca {
    /// As the configuration has it, with the keys that are in `login`. They are read for each connection, so new ones
    /// need no restart.
    pub fn new(settings: feeds::Alpaca, login: Place, tls: Arc<ClientConfig>) -> Self {
        Self { settings, login, tls, tempo: Tempo::default() }
    }

    /// Another tempo, as tests need it.
    #[must_use]
    pub fn tempo(self, tempo: Tempo) -> Self {
        Self { tempo, ..self }
    }

    fn url(&self) -> &str {
        let own = if self.settings.sandbox { ALPACA_SANDBOX_URL } else { ALPACA_URL };
        self.settings.url.as_deref().unwrap_or(own)
    }
}

impl Source for Alpaca {
    async fn run(self, outbox: Outbox, stop: CancellationToken) -> anyhow::Result<()> {
        let mut pause = Pause::between(self.tempo.pauses);
        loop {
            let mut session = Session::new(&self, &outbox);
            let ended = stop.run_until_cancelled(session.talk()).await;
            session.leave(ended.is_none()).await;
            let Some(ended) = ended else { return Ok(()) };
            if session.since.is_some_and(|since| since.elapsed() >= self.tempo.healthy) {
                pause.reset();
            }
            let wait = self.wait(ended.patience, &mut pause);
            tracing::warn!(
                feed = self.settings.name,
                why = ended.why,
                pause_ms = wait.as_millis(),
                "The connection has ended; there will be another."
            );
            outbox.status().trouble(Some(ended.why));
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Ok(());
            }
        }
    }
}

impl Alpaca {
    fn wait(&self, patience: Patience, pause: &mut Pause) -> Duration {
        match patience {
            Patience::Little => pause.next(),
            // Half of it by chance, so that two that want the same place don't meet each time.
            Patience::Some => self.tempo.occupied / 2 + up_to(self.tempo.occupied / 2),
            Patience::Much => self.tempo.hopeless,
        }
    }
}
