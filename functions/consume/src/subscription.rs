//! A subscription: items as they come, over as many connections as it takes.

use crate::{
    Broker, Credentials, CredentialsError, Delivery, Login, Queue,
    broker::said,
    delivery::{Ledger, Seen},
    message::{self, NotAnItem},
    session::{FAREWELL, OpenError, Session, delete},
};
use futures_util::{Stream, StreamExt};
use lapin::message::Delivery as Message;
use news::routing;
use runtime::Backoff;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// The pauses between attempts to connect: up to a second at first, up to half a minute in the end.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// What to subscribe to, and how.
#[derive(Debug, Clone)]
pub struct Subscribe {
    pub(crate) broker: Broker,
    pub(crate) credentials: Credentials,
    pub(crate) queue: Queue,
    pub(crate) exchange: String,
    pub(crate) patterns: Vec<String>,
    pub(crate) unbind: Vec<String>,
    pub(crate) prefetch: u16,
    window: usize,
}

impl Subscribe {
    /// To everything on the exchange `news`, as who the broker's address says, or else as `guest`, which RabbitMQ knows
    /// on its own machine.
    pub fn to(broker: Broker, queue: Queue) -> Self {
        let guest = || Login { username: "guest".into(), password: "guest".into() };
        let login = broker.login().cloned().unwrap_or_else(guest);
        Self {
            broker,
            credentials: Credentials::Fixed(login),
            queue,
            exchange: routing::EXCHANGE.into(),
            patterns: vec!["#".into()],
            unbind: Vec::new(),
            prefetch: 100,
            window: 100_000,
        }
    }

    /// As somebody else.
    #[must_use]
    pub fn credentials(self, credentials: Credentials) -> Self {
        Self { credentials, ..self }
    }

    /// On another exchange.
    #[must_use]
    pub fn exchange(self, exchange: impl Into<String>) -> Self {
        Self { exchange: exchange.into(), ..self }
    }

    /// To items whose routing key, `<language>.<sentiment>.<provider>`, one of these matches: `*` is one word, `#` any
    /// number of words.
    #[must_use]
    pub fn patterns<P: Into<String>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        Self { patterns: patterns.into_iter().map(Into::into).collect(), ..self }
    }

    /// No longer to these patterns, to which a durable queue was bound before.
    #[must_use]
    pub fn unbind<P: Into<String>>(self, patterns: impl IntoIterator<Item = P>) -> Self {
        Self { unbind: patterns.into_iter().map(Into::into).collect(), ..self }
    }

    /// How many items may be handed out and not acknowledged, 1 to 65 535. Defaults to 100.
    #[must_use]
    pub fn prefetch(self, items: u16) -> Self {
        Self { prefetch: items.max(1), ..self }
    }

    /// Of how many of the last acknowledged items a second message is noticed. Defaults to 100 000, some 15 MB; 0
    /// hands out whatever comes.
    #[must_use]
    pub fn window(self, items: usize) -> Self {
        Self { window: items, ..self }
    }

    /// Begins, in a task of its own on the current Tokio runtime. What goes wrong comes out of the subscription.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn start(self) -> Subscription {
        let (out, deliveries) = mpsc::channel(self.prefetch.into());
        let (stop, stopped) = oneshot::channel();
        let state = Arc::new(State::default());
        let ledger = Ledger::new(self.window);
        let work = Work { subscribe: self, out, ledger, state: state.clone(), login: None, sessions: 0, told: false };
        let task = tokio::spawn(work.run(stopped));
        Subscription { deliveries, stop, task, state }
    }

    /// Removes the queue from the broker, with what waits in it, and says how many items that were.
    ///
    /// # Errors
    ///
    /// The broker can't be reached, or refuses; no second attempt is made.
    pub async fn delete_queue(&self) -> Result<u32, SubscribeError> {
        let Some(name) = self.queue.name() else { return Ok(0) };
        let login = self.credentials.read().await?;
        delete(self, &login, name).await.map_err(|error| match error {
            OpenError::Final(error) => error,
            OpenError::Login => self.login_refused(&login),
            OpenError::Later(cause) => SubscribeError::Unreachable { broker: self.broker.to_string(), cause },
        })
    }

    fn login_refused(&self, login: &Login) -> SubscribeError {
        SubscribeError::Login { broker: self.broker.to_string(), username: login.username.clone() }
    }
}

/// Items as they come: a stream of [`Delivery`]. It goes on over lost connections; an error is its end.
#[derive(Debug)]
pub struct Subscription {
    deliveries: mpsc::Receiver<Result<Delivery, SubscribeError>>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
    state: Arc<State>,
}

impl Subscription {
    /// What happened so far that no delivery tells.
    pub fn counts(&self) -> Counts {
        self.state.counts()
    }

    /// Whether there is a connection at the moment.
    pub fn is_connected(&self) -> bool {
        self.state.connected.load(Ordering::Relaxed)
    }

    /// Ends it cleanly: the broker has all acknowledgements, and everything else goes back to the queue. A few seconds
    /// at most. What was handed out and is acknowledged only later comes again.
    pub async fn close(self) -> Counts {
        let Self { deliveries, stop, task, state } = self;
        drop(deliveries);
        let _ = stop.send(());
        let _ = task.await;
        state.counts()
    }
}

impl Stream for Subscription {
    type Item = Result<Delivery, SubscribeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.deliveries.poll_recv(context)
    }
}

/// What happened that no delivery tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages with the id of one that was handed out before.
    pub duplicates: u64,
    /// Messages whose body is no item; they were rejected.
    pub malformed: u64,
    /// Connections that were lost.
    pub lost: u64,
}

#[derive(Debug, Default)]
struct State {
    duplicates: AtomicU64,
    malformed: AtomicU64,
    lost: AtomicU64,
    connected: AtomicBool,
}

impl State {
    fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { duplicates: read(&self.duplicates), malformed: read(&self.malformed), lost: read(&self.lost) }
    }
}

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The credentials are not to be had.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The broker does not know the name or the password, also after they were read again.
    #[error("{broker} refuses the name {username:?} or its password")]
    Login {
        /// Which broker.
        broker: String,
        /// Which name.
        username: String,
    },
    /// The virtual host does not exist, or is not for this user.
    #[error("the broker has no virtual host {vhost:?} for this user")]
    Vhost {
        /// Which one.
        vhost: String,
    },
    /// The broker is not who it should be.
    #[error("no TLS with {broker}: {cause}")]
    Certificate {
        /// Which broker.
        broker: String,
        /// Why.
        cause: String,
    },
    /// The queue exists with another type or other limits.
    #[error("the queue {queue:?} exists with other settings: {cause}")]
    QueueDiffers {
        /// Which queue.
        queue: String,
        /// What differs, in the broker's words.
        cause: String,
    },
    /// The user may not do this, or somebody else has the queue to himself.
    #[error("the broker refuses: {cause}")]
    Refused {
        /// In its words.
        cause: String,
    },
    /// There is no connection; only where no second attempt is made.
    #[error("could not connect to {broker}: {cause}")]
    Unreachable {
        /// Which broker.
        broker: String,
        /// Why.
        cause: String,
    },
    /// The publisher is newer than this program. The item stays in the queue.
    #[error("message {message_id} is of form {form}; forms up to {max} are understood", max = news::FORM)]
    Newer {
        /// Which message.
        message_id: String,
        /// Its form.
        form: u16,
    },
}

/// The task behind a subscription.
struct Work {
    subscribe: Subscribe,
    out: mpsc::Sender<Result<Delivery, SubscribeError>>,
    ledger: Ledger,
    state: Arc<State>,
    /// What the broker took last time.
    login: Option<Login>,
    sessions: u64,
    /// Whether it was said that there is no connection.
    told: bool,
}

/// How a session ended.
enum End {
    Lost(String),
    Fatal(SubscribeError),
    /// Nobody listens any more.
    Unheard,
}

impl Work {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let [base, longest] = PAUSES;
        let mut backoff = Backoff::new(base, longest);
        loop {
            let mut session = tokio::select! {
                biased;
                _ = &mut stopped => return,
                opened = self.open(&mut backoff) => match opened {
                    Ok(session) => session,
                    Err(error) => return self.fail(error).await,
                },
            };
            let began = Instant::now();
            let end = tokio::select! {
                biased;
                _ = &mut stopped => End::Unheard,
                end = self.pump(&mut session) => end,
            };
            self.state.connected.store(false, Ordering::Relaxed);
            match end {
                End::Lost(_) => self.ledger.lost(),
                _ => self.settle(&mut session).await,
            }
            session.close().await;
            match end {
                End::Unheard => return,
                End::Fatal(error) => return self.fail(error).await,
                End::Lost(cause) => self.lost(&cause),
            }
            // One that held was no failed attempt.
            if began.elapsed() > longest {
                backoff = Backoff::new(base, longest);
            }
            tokio::select! {
                _ = &mut stopped => return,
                () = tokio::time::sleep(backoff.next_pause()) => (),
            }
        }
    }

    async fn fail(&self, error: SubscribeError) {
        let _ = self.out.send(Err(error)).await;
    }

    fn lost(&mut self, cause: &str) {
        self.state.lost.fetch_add(1, Ordering::Relaxed);
        self.told = true;
        let broker = &self.subscribe.broker;
        if self.subscribe.queue.name().is_some() {
            tracing::warn!(cause, %broker, "Lost the connection; connecting again.");
        } else {
            tracing::warn!(cause, %broker, "Lost the connection; connecting again. What comes meanwhile is missed.");
        }
    }

    /// A session, however many attempts it takes; an error if more of them are of no use.
    async fn open(&mut self, backoff: &mut Backoff) -> Result<Session, SubscribeError> {
        loop {
            let cause = match self.attempt().await? {
                Ok(session) => {
                    self.opened(&session);
                    return Ok(session);
                }
                Err(cause) => cause,
            };
            let (pause, broker) = (backoff.next_pause(), &self.subscribe.broker);
            if self.told {
                tracing::debug!(cause, %broker, ?pause, "Could not connect.");
            } else {
                tracing::warn!(cause, %broker, "Could not connect; trying again until it works.");
            }
            self.told = true;
            tokio::time::sleep(pause).await;
        }
    }

    fn opened(&mut self, session: &Session) {
        let (broker, queue, waiting) = (&self.subscribe.broker, &session.queue, session.waiting);
        let patterns = self.subscribe.patterns.join(" ");
        if self.sessions > 0 {
            tracing::info!(%broker, queue, waiting, "Connected again.");
        } else {
            tracing::info!(%broker, queue, patterns, waiting, existed = session.existed, "Subscribed.");
        }
        self.sessions += 1;
        self.told = false;
        self.state.connected.store(true, Ordering::Relaxed);
    }

    /// One attempt, with the credentials of the last one; the cause if another may succeed.
    async fn attempt(&mut self) -> Result<Result<Session, String>, SubscribeError> {
        let login = match self.login.take() {
            Some(login) => login,
            None => self.subscribe.credentials.read().await?,
        };
        let opened = Session::open(&self.subscribe, &login, self.sessions == 0).await;
        let (login, opened) = match opened {
            Err(OpenError::Login) if self.subscribe.credentials.can_change() => self.renewed(login).await?,
            opened => (login, opened),
        };
        let opened = match opened {
            Ok(session) => Ok(session),
            Err(OpenError::Later(cause)) => Err(cause),
            Err(OpenError::Login) => return Err(self.subscribe.login_refused(&login)),
            Err(OpenError::Final(error)) => return Err(error),
        };
        self.login = Some(login);
        Ok(opened)
    }

    /// Another attempt, once, with credentials that are read again.
    async fn renewed(&self, refused: Login) -> Result<(Login, Result<Session, OpenError>), SubscribeError> {
        tracing::info!("The broker refuses the credentials; reading them again.");
        let first = self.sessions == 0;
        match self.subscribe.credentials.read().await {
            Ok(login) => {
                let opened = Session::open(&self.subscribe, &login, first).await;
                Ok((login, opened))
            }
            Err(error) if first => Err(error.into()),
            // They were there once: whoever keeps them is away, not the credentials.
            Err(error) => Ok((refused, Err(OpenError::Later(error.to_string())))),
        }
    }

    async fn pump(&self, session: &mut Session) -> End {
        while let Some(next) = session.consumer.next().await {
            let message = match next {
                Ok(message) => message,
                Err(error) => return End::Lost(said(&error)),
            };
            let delivery = match self.take(message) {
                Ok(Some(delivery)) => delivery,
                Ok(None) => continue,
                Err(error) => return End::Fatal(error),
            };
            if self.out.send(Ok(delivery)).await.is_err() {
                return End::Unheard;
            }
        }
        End::Lost("the broker ended the subscription: the queue was deleted, or its node went away".into())
    }

    /// What is to be handed out of a message, if anything.
    fn take(&self, message: Message) -> Result<Option<Delivery>, SubscribeError> {
        let named = message::id(&message.properties);
        let item = match message::read(&message.data) {
            Ok(item) => item,
            Err(NotAnItem::Newer(form)) => {
                return Err(SubscribeError::Newer { message_id: named.unwrap_or_default(), form });
            }
            Err(NotAnItem::Malformed(reason)) => {
                self.set_aside(&message, named, &reason);
                return Ok(None);
            }
        };
        let id = named.unwrap_or_else(|| routing::message_id(&item.item.id));
        match self.ledger.see(&id, &message.acker) {
            Seen::New(place) => return Ok(Some(self.ledger.delivery(message, id, item, place))),
            Seen::Done => self.ledger.ack(&message.acker),
            Seen::Open => (),
        }
        self.state.duplicates.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(message_id = id, redelivered = message.redelivered, "Came before.");
        Ok(None)
    }

    /// Acknowledges repeats that are here already of items that are done with, so that nobody gets them once more.
    async fn settle(&self, session: &mut Session) {
        let settling = async {
            session.cancel().await?;
            while let Some(message) = session.consumer.next().await {
                let message = message?;
                if message::id(&message.properties).is_some_and(|id| self.ledger.is_done(&id)) {
                    self.ledger.ack(&message.acker);
                }
            }
            self.ledger.flush().await;
            Ok::<_, lapin::Error>(())
        };
        // Whatever goes wrong here goes wrong with the goodbye too.
        let _ = tokio::time::timeout(FAREWELL, settling).await;
    }

    fn set_aside(&self, message: &Message, id: Option<String>, reason: &str) {
        self.state.malformed.fetch_add(1, Ordering::Relaxed);
        let (id, bytes) = (id.unwrap_or_else(|| "without id".into()), message.data.len());
        tracing::warn!(message_id = id, routing_key = %message.routing_key, bytes, reason, "Rejected a message that is no item.");
        self.ledger.reject(&message.acker);
    }
}
