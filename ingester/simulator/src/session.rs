//! The server's side of one connection.

mod publish;
mod requests;

use crate::{
    item::Ric,
    journal::{Connection, End, Fate, Heard},
    messages::{self, Asked, DOMAIN, Named, State},
    options::{Options, Pace},
    tokens::Access,
    wire::Wire,
    world::{Command, Cut, Link, Release, Wants, World, locked},
};
use futures_util::{SinkExt, StreamExt};
use publish::Held;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// How many releases are written before somebody else has a turn.
const BATCH: usize = 64;

/// How long a client may take to answer a close, or the ping before a reset.
const FAREWELL: Duration = Duration::from_secs(1);

/// One connection.
pub(super) struct Session {
    world: Arc<World>,
    link: Arc<Link>,
    socket: WebSocketStream<Wire>,
    commands: mpsc::UnboundedReceiver<Command>,
    news: mpsc::Receiver<Arc<Release>>,
    login: Option<LoggedIn>,
    /// The client's last message with a token, for errors that quote it.
    said_at_login: String,
    /// By the ID that the client gave it.
    streams: BTreeMap<i64, Stream>,
    sequence: u64,
    heard: Instant,
    pinged: Option<Pinged>,
    silent_until: Option<Instant>,
    held: Option<Held>,
    /// Before this, the journal has nothing of this connection's to settle.
    unsettled: usize,
}

#[derive(Debug)]
struct LoggedIn {
    named: Named,
    access: Option<Access>,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    ric: Ric,
}

/// A ping that is to be answered.
#[derive(Debug, Clone, Copy)]
struct Pinged {
    at: Instant,
    /// How far the journal was: what is before was read by a client that answers.
    upto: usize,
}

enum Event {
    Command(Option<Command>),
    Frame(Option<Result<Message, Error>>),
    News(usize),
    Time,
    Stop,
}

/// Serves a connection to its end.
pub(super) async fn run(mut session: Session) {
    let mut batch = Vec::with_capacity(BATCH);
    let end = loop {
        let event = session.event(&mut batch).await;
        if let Err(end) = session.on(event, &mut batch).await {
            break end;
        }
    };
    session.finish(end).await;
}

impl Session {
    pub(super) fn new(world: Arc<World>, endpoint: usize, socket: WebSocketStream<Wire>) -> Self {
        let (told, commands) = mpsc::unbounded_channel();
        let (offered, news) = mpsc::channel(backlog(&world.options));
        let number = world.log.write(|journal| journal.open(endpoint));
        let link = Link {
            number,
            endpoint,
            commands: told,
            news: offered,
            wants: Wants::default(),
            account: std::sync::Mutex::default(),
        };
        let link = Arc::new(link);
        world.links().push(Arc::clone(&link));
        tracing::info!(connection = number, endpoint, "A client is here.");
        Self {
            // Any number will do, but a test that fails should fail again.
            sequence: 16 * (1 + crate::text::hash_of(&[world.options.seed, number as u64]) % 4000),
            world,
            link,
            socket,
            commands,
            news,
            login: None,
            said_at_login: String::new(),
            streams: BTreeMap::new(),
            heard: Instant::now(),
            pinged: None,
            silent_until: None,
            held: None,
            unsettled: 0,
        }
    }

    async fn event(&mut self, batch: &mut Vec<Arc<Release>>) -> Event {
        let silent = self.is_silent();
        let wakeup = self.wakeup();
        tokio::select! {
            command = self.commands.recv() => Event::Command(command),
            frame = self.socket.next(), if !silent => Event::Frame(frame),
            count = self.news.recv_many(batch, BATCH) => Event::News(count),
            () = sleep_until(wakeup) => Event::Time,
            () = self.world.stop.cancelled() => Event::Stop,
        }
    }

    async fn on(&mut self, event: Event, batch: &mut Vec<Arc<Release>>) -> Result<(), End> {
        match event {
            Event::Command(Some(command)) => {
                self.publish_queued(batch).await?;
                self.obey(command).await
            }
            Event::Frame(Some(Ok(message))) => self.receive(message).await,
            Event::Frame(None | Some(Err(Error::ConnectionClosed))) if self.client_closed() => Err(End::ByClient),
            Event::Frame(_) => Err(End::Vanished),
            Event::News(1..) => self.publish(batch).await,
            Event::Time => self.tick().await,
            Event::Stop | Event::Command(None) | Event::News(0) => Err(End::Stopped),
        }
    }

    /// What was released before a command is sent before it is obeyed.
    async fn publish_queued(&mut self, batch: &mut Vec<Arc<Release>>) -> Result<(), End> {
        for _ in 0..self.news.len() {
            batch.extend(self.news.try_recv().ok());
        }
        self.publish(batch).await
    }

    async fn receive(&mut self, message: Message) -> Result<(), End> {
        self.heard = Instant::now();
        match message {
            Message::Text(text) => self.hear(&text).await,
            Message::Close(_) => {
                self.note(|connection| connection.heard.push(Heard::CloseSocket));
                Ok(())
            }
            Message::Binary(_) => self.reject("binary frames are not understood", "").await,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::Cut(Cut::Close) => Err(End::Closed),
            Command::Cut(Cut::Reset) => Err(self.reset().await),
            Command::Behind => Err(End::Slow),
            Command::Say(state) => self.say(&state).await,
            Command::SayLogin(state) => self.say_of_login(&state).await,
            Command::Frame(frame) => self.send(frame).await,
            Command::Ping => self.ping().await,
            Command::Silence(duration) => {
                self.silent_until = Some(Instant::now() + duration);
                Ok(())
            }
            Command::Slow(bytes_per_second, duration) => {
                self.socket.get_ref().slow().down(bytes_per_second, duration);
                Ok(())
            }
            Command::Expired => {
                self.end_token();
                Ok(())
            }
            Command::ThrowOut(sign_ons) if self.signed_on_by(&sign_ons) => {
                let state = State::closed("NotEntitled").text("Force Logout: the machine id signed on somewhere else.");
                self.say_of_login(&state).await
            }
            Command::ThrowOut(_) => Ok(()),
        }
    }

    /// The next tick acts on it.
    fn end_token(&mut self) {
        if let Some(access) = self.login.as_mut().and_then(|login| login.access.as_mut()) {
            access.until = access.until.min(Instant::now());
        }
    }

    fn signed_on_by(&self, sign_ons: &[u64]) -> bool {
        let access = self.login.as_ref().and_then(|login| login.access.as_ref());
        access.is_some_and(|access| access.ends_sessions && sign_ons.contains(&access.sign_on))
    }

    /// What is due by now.
    async fn tick(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.silent_until.is_some_and(|until| until <= now) {
            self.silent_until = None;
            // What came meanwhile was not read; it counts from here.
            self.heard = now;
        }
        if self.session_ends().is_some_and(|until| until <= now) {
            let state = State::closed("Timeout").text("The session ends: its token was not renewed in time.");
            return self.say_of_login(&state).await;
        }
        match self.pinged {
            _ if self.is_silent() => Ok(()),
            Some(pinged) if self.heard <= pinged.at && pinged.at + self.world.options.ping_timeout <= now => {
                Err(End::Silent)
            }
            None if self.heard + self.world.options.ping_after <= now => self.ping().await,
            _ => Ok(()),
        }
    }

    fn wakeup(&self) -> Instant {
        let ping = match self.pinged {
            Some(pinged) if self.heard <= pinged.at => pinged.at + self.world.options.ping_timeout,
            _ => self.heard + self.world.options.ping_after,
        };
        let ping = self.silent_until.unwrap_or(ping);
        self.session_ends().map_or(ping, |ends| ends.min(ping))
    }

    /// When the token ends, if the session ends with it.
    fn session_ends(&self) -> Option<Instant> {
        let access = self.login.as_ref()?.access.as_ref()?;
        access.ends_sessions.then_some(access.until)
    }

    fn is_silent(&self) -> bool {
        self.silent_until.is_some()
    }

    async fn ping(&mut self) -> Result<(), End> {
        let upto = self.world.log.write(|journal| {
            journal.connection_mut(self.link.number).pings_sent += 1;
            journal.entries.len()
        });
        self.pinged = Some(Pinged { at: Instant::now(), upto });
        self.send(array(messages::PING)).await
    }

    fn pong(&mut self) {
        let answered = self.pinged.take();
        let (number, from) = (self.link.number, self.unsettled);
        self.world.log.write(|journal| {
            journal.connection_mut(number).pings_answered += 1;
            if let Some(Pinged { upto, .. }) = answered {
                journal.settle(number, from..upto, Fate::Confirmed);
            }
        });
        self.unsettled = answered.map_or(from, |pinged| pinged.upto);
    }

    /// Says a state of every item stream; one that isn't open is over.
    async fn say(&mut self, state: &State) -> Result<(), End> {
        let service = self.world.options.service.clone();
        for (id, stream) in &self.streams.clone() {
            let asked = Asked { id: *id, domain: DOMAIN, name: Some(stream.ric.name()), service: &service };
            self.send(array(&messages::status(&asked, state))).await?;
        }
        if !state.is_open() {
            self.streams.clear();
            self.update_wants();
        }
        Ok(())
    }

    /// Says a state of the login; after one that isn't open the connection ends.
    async fn say_of_login(&mut self, state: &State) -> Result<(), End> {
        let (id, name) = self.login.as_ref().map_or((1, None), |login| (login.named.id, Some(&*login.named.name)));
        let status = array(&messages::login_status(id, name, state));
        self.send(status).await?;
        if state.is_open() { Ok(()) } else { Err(End::LoggedOut) }
    }

    fn update_wants(&self) {
        self.link.wants.set(self.streams.values().map(|stream| stream.ric));
        let subscribed = !self.streams.is_empty();
        self.note(|connection| connection.subscribed = subscribed);
    }

    /// Writes a frame and waits until it is out.
    async fn send(&mut self, frame: String) -> Result<(), End> {
        self.write(vec![frame]).await
    }

    async fn write(&mut self, frames: Vec<String>) -> Result<(), End> {
        let socket = &mut self.socket;
        let writing = async {
            for frame in frames {
                socket.feed(Message::text(frame)).await?;
            }
            socket.flush().await
        };
        tokio::select! {
            written = timeout(self.world.options.ping_timeout, writing) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Vanished),
                Err(_) => Err(End::Slow),
            },
            () = self.world.stop.cancelled() => Err(End::Stopped),
        }
    }

    /// Before a reset the client is asked how far it has read: nothing else tells what it misses.
    async fn reset(&mut self) -> End {
        let _ = timeout(FAREWELL.min(self.world.options.ping_timeout), self.confirm()).await;
        End::Reset
    }

    async fn confirm(&mut self) -> Result<(), End> {
        self.ping().await?;
        while self.pinged.is_some() {
            match self.socket.next().await {
                Some(Ok(message)) => self.receive(message).await?,
                _ => return Err(End::Vanished),
            }
        }
        Ok(())
    }

    async fn finish(mut self, end: End) {
        self.world.links().retain(|link| link.number != self.link.number);
        *locked(&self.link.account) = None;
        let answered = match end {
            End::Closed | End::LoggedOut | End::Refused => self.close().await,
            End::Reset | End::Silent | End::Slow => {
                self.socket.get_ref().reset_on_drop();
                false
            }
            End::ByClient | End::Vanished | End::Stopped => false,
        };
        let fate = match end {
            End::Vanished | End::Reset | End::Silent | End::Slow => Fate::Lost,
            _ if answered => Fate::Confirmed,
            _ => Fate::Written,
        };
        let Self { link, world, unsettled, socket, .. } = self;
        drop(socket);
        tracing::info!(connection = link.number, ?end, "A client is gone.");
        world.log.write(|journal| {
            journal.settle(link.number, unsettled..usize::MAX, fate);
            let connection = journal.connection_mut(link.number);
            (connection.end, connection.subscribed) = (Some(end), false);
        });
    }

    /// Whether the client answered the close: then it has read everything before.
    async fn close(&mut self) -> bool {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let farewell = async {
            self.socket.close(Some(frame)).await.ok()?;
            let mut answered = None;
            while let Some(Ok(message)) = self.socket.next().await {
                answered = answered.or(matches!(message, Message::Close(_)).then_some(()));
            }
            answered
        };
        timeout(FAREWELL, farewell).await.ok().flatten().is_some()
    }

    fn client_closed(&self) -> bool {
        self.world.log.read(|journal| {
            let connection = journal.connection(self.link.number);
            connection.is_some_and(|connection| connection.heard.contains(&Heard::CloseSocket))
        })
    }

    fn note(&self, what: impl FnOnce(&mut Connection)) {
        self.world.log.write(|journal| what(journal.connection_mut(self.link.number)));
    }
}

/// How many releases may wait for a connection. Where the newsroom waits for the slowest it needs no more than a few.
fn backlog(options: &Options) -> usize {
    match options.pace {
        Pace::Max | Pace::Manual => 4 * BATCH,
        Pace::Recorded(_) | Pace::Rate(_) => options.backlog.max(BATCH),
    }
}

/// A message in a frame of its own, as the real server sends them: an array of one.
fn array(message: &str) -> String {
    format!("[{message}]")
}
