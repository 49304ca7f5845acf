//! One connection, from the login to its end.

use super::{
    Alpaca,
    errors::{self, Patience},
    link::{Link, LinkError},
    message::{self, Message},
};
use crate::{outbox::Outbox, secrets::Secret, status::FeedStatus};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout};

/// What the secret holds.
#[derive(Debug, Deserialize)]
struct Login {
    key_id: Secret,
    secret_key: Secret,
}

/// Why a connection ended, and what that means for the next.
#[derive(Debug)]
pub(super) struct Ended {
    /// Without any secret.
    pub(super) why: String,
    pub(super) patience: Patience,
}

/// One connection.
pub(super) struct Session<'a> {
    alpaca: &'a Alpaca,
    outbox: &'a Outbox,
    link: Option<Link>,
    /// Since when news come.
    pub(super) since: Option<Instant>,
}

impl<'a> Session<'a> {
    /// One that has not begun.
    pub(super) fn new(alpaca: &'a Alpaca, outbox: &'a Outbox) -> Self {
        Self { alpaca, outbox, link: None, since: None }
    }

    /// Goes from the connection to its end.
    pub(super) async fn talk(&mut self) -> Ended {
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
        // What comes while there is no room waits in the buffers of both ends.
        self.outbox.room().await;
        let frame = link.next().await.map_err(|error| broken(&error))?;
        self.status().heard();
        let others = self.take(&frame);
        let mut ended = Ok(());
        for message in &others {
            if let Message::Error { code, msg } = message {
                // The first says why, and each is counted.
                ended = ended.and(self.error(*code, msg, login));
            }
        }
        ended.map(|()| others)
    }

    /// Passes the news of a frame on, all of them; the rest is given back.
    fn take(&self, frame: &[u8]) -> Vec<Message> {
        let mut others = Vec::new();
        for message in message::read(frame) {
            match message {
                Ok(Message::News(news)) => {
                    self.status().fragments.inc();
                    self.outbox.offer(news.item(&self.alpaca.settings.name));
                }
                Ok(other) => others.push(other),
                Err(error) => self.refuse(&error),
            }
        }
        others
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
        // Its own words quote what the server sent.
        let (category, column) = (error.classify(), error.column());
        tracing::warn!(feed = self.status().name, ?category, column, "A message is none of Alpaca's.");
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

    /// Counts the connection as lost, or says goodbye. News that were on their way count.
    pub(super) async fn leave(&mut self, willingly: bool) {
        let was_connected = self.since.is_some();
        self.status().connected.set(0);
        if was_connected && !willingly {
            self.status().disconnects.inc();
        }
        if let Some(link) = self.link.take() {
            for frame in link.close().await {
                self.take(&frame);
            }
        }
    }

    fn status(&self) -> &FeedStatus {
        self.outbox.status()
    }

    fn slow(&self, what: &str) -> Ended {
        Ended { why: format!("{what} took longer than {:?}", self.alpaca.tempo.answer), patience: Patience::Little }
    }
}

fn silent() -> Ended {
    Ended { why: "the server is silent, and answers no ping".into(), patience: Patience::Little }
}

fn broken(error: &LinkError) -> Ended {
    Ended { why: error.to_string(), patience: Patience::Little }
}
