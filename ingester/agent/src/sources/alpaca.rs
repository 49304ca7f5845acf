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

use crate::{
    outbox::Outbox,
    secrets::{Place, Secret},
    sources::{
        Source,
        pause::{Pause, up_to},
    },
    status::FeedStatus,
};
use errors::Patience;
use link::{Link, LinkError};
use message::Message;
use news::feeds::{self, ALPACA_SANDBOX_URL, ALPACA_URL};
use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
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

/// What the secret holds.
#[derive(Debug, Deserialize)]
struct Login {
    key_id: Secret,
    secret_key: Secret,
}

/// Why a connection ended, and what that means for the next.
#[derive(Debug)]
struct Ended {
    why: String,
    patience: Patience,
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
            let mut session = Session { alpaca: &self, outbox: &outbox, link: None, since: None };
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

/// One connection.
struct Session<'a> {
    alpaca: &'a Alpaca,
    outbox: &'a Outbox,
    link: Option<Link>,
    /// Since when news come.
    since: Option<Instant>,
}

impl Session<'_> {
    /// Goes from the connection to its end.
    async fn talk(&mut self) -> Ended {
        let login: Login = match self.alpaca.login.read().await {
            Ok(login) => login,
            // Whoever puts it right doesn't restart anything.
            Err(error) => return Ended { why: error.to_string(), patience: Patience::Some },
        };
        match self.begin(&login).await {
            Ok(()) => self.listen(&login).await,
            Err(ended) => ended,
        }
    }

    /// From nothing to a subscription.
    async fn begin(&mut self, login: &Login) -> Result<(), Ended> {
        let url = self.alpaca.url();
        let opening = timeout(self.alpaca.tempo.answer, Link::open(url, &self.alpaca.tls)).await;
        let link = opening.map_err(|_| self.slow("connecting"))?.map_err(|error| broken(&error))?;
        self.link = Some(link);
        self.until(
            login,
            "waiting for a welcome",
            |message| matches!(message, Message::Success { msg } if msg == "connected"),
        )
        .await?;
        let auth = json!({ "action": "auth", "key": login.key_id.reveal(), "secret": login.secret_key.reveal() });
        self.say(&auth).await?;
        self.until(
            login,
            "waiting for an answer to the login",
            |message| matches!(message, Message::Success { msg } if msg == "authenticated"),
        )
        .await?;
        self.say(&json!({ "action": "subscribe", "news": self.alpaca.settings.symbols })).await?;
        self.until(login, "waiting for an answer to the subscription", |message| {
            matches!(message, Message::Subscription { .. })
        })
        .await?;
        self.since = Some(Instant::now());
        self.status().connected.set(1);
        self.status().trouble(None);
        tracing::info!(
            feed = self.status().name,
            url,
            symbols = self.alpaca.settings.symbols.len(),
            "Alpaca's news come."
        );
        Ok(())
    }

    /// Takes what comes, for ever.
    async fn listen(&mut self, login: &Login) -> Ended {
        let mut was_asked = false;
        loop {
            match timeout(self.alpaca.tempo.silence, self.hear(login)).await {
                Ok(Ok(_)) => was_asked = false,
                Ok(Err(ended)) => return ended,
                Err(_) if was_asked => return silent(),
                Err(_) => {
                    was_asked = true;
                    if let Err(ended) = self.ping().await {
                        return ended;
                    }
                }
            }
        }
    }

    /// Waits for one message; news may come before it.
    async fn until(&mut self, login: &Login, what: &str, is_it: impl Fn(&Message) -> bool) -> Result<(), Ended> {
        let longest = self.alpaca.tempo.answer;
        let waiting = async {
            loop {
                if self.hear(login).await?.iter().any(&is_it) {
                    return Ok(());
                }
            }
        };
        match timeout(longest, waiting).await {
            Ok(heard) => heard,
            Err(_) => Err(self.slow(what)),
        }
    }

    /// What comes next: news are passed on, an error is the end, the rest is for who asked. A ping has nothing in it.
    async fn hear(&mut self, login: &Login) -> Result<Vec<Message>, Ended> {
        let Some(link) = &mut self.link else { return Err(broken(&LinkError::Closed(String::new()))) };
        let frame = link.next().await.map_err(|error| broken(&error))?;
        self.status().heard();
        let mut others = Vec::new();
        for message in message::read(&frame) {
            match message {
                Ok(Message::News(news)) => {
                    self.status().fragments.inc();
                    self.outbox.offer(news.item(&self.alpaca.settings.name));
                }
                Ok(Message::Error { code, msg }) => self.error(code, &msg, login)?,
                Ok(other) => others.push(other),
                Err(error) => self.refuse(&error),
            }
        }
        Ok(others)
    }

    fn error(&self, code: u16, msg: &str, login: &Login) -> Result<(), Ended> {
        let Some(patience) = errors::patience(code) else { return Ok(()) };
        if code == errors::SLOW_CLIENT {
            self.status().gaps.inc();
        }
        let msg = login.secret_key.masked_in(&login.key_id.masked_in(msg));
        let msg: String = msg.chars().take(200).collect();
        Err(Ended { why: format!("Alpaca says {code}, {msg}{}", errors::advice(code)), patience })
    }

    fn refuse(&self, error: &serde_json::Error) {
        self.status().refused.inc();
        tracing::warn!(feed = self.status().name, %error, "A message is none of Alpaca's.");
    }

    async fn say(&mut self, text: &serde_json::Value) -> Result<(), Ended> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let sending = timeout(self.alpaca.tempo.answer, link.send(text.to_string())).await;
        sending.map_err(|_| self.slow("sending"))?.map_err(|error| broken(&error))
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let sending = timeout(self.alpaca.tempo.answer, link.ping()).await;
        sending.map_err(|_| self.slow("sending"))?.map_err(|error| broken(&error))
    }

    /// Counts the connection as lost, or says goodbye.
    async fn leave(&mut self, willingly: bool) {
        let was_connected = self.since.is_some();
        self.status().connected.set(0);
        if was_connected && !willingly {
            self.status().disconnects.inc();
        }
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }

    fn status(&self) -> &FeedStatus {
        self.outbox.status()
    }

    fn slow(&self, what: &str) -> Ended {
        let seconds = self.alpaca.tempo.answer.as_secs();
        Ended { why: format!("{what} took longer than {seconds} seconds"), patience: Patience::Little }
    }
}

fn silent() -> Ended {
    Ended { why: "the server is silent, and answers no ping".into(), patience: Patience::Little }
}

fn broken(error: &LinkError) -> Ended {
    Ended { why: error.to_string(), patience: Patience::Little }
}
