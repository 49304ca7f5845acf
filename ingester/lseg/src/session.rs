//! One connection's side of the protocol.
//!
//! The login comes first; its answer must be open and good before anything is asked for. Then each RIC has a stream,
//! which is asked for again when it ends, with pauses that grow. All the while either side may ping, and silence is the
//! end. Time comes from the caller: nothing here waits.

mod login;
mod news;
mod output;
mod pulse;
mod streams;

pub use output::{Again, End, Identity, Options, Output, Ric};

use crate::{
    envelope::Assembler,
    mask,
    message::{self, Kind, Message},
    request,
};
use jiff::Timestamp;
use login::Login;
use pulse::{Beat, Pulse};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::{Duration, Instant},
};
use streams::Streams;

/// How long a login may be without an answer (the Real-Time SDK's default).
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(45);

/// How long an item may be without an answer (the Real-Time SDK's default).
pub const ITEM_TIMEOUT: Duration = Duration::from_secs(15);

/// How long silence is borne until the server says (its usual value).
pub const PING_TIMEOUT: Duration = Duration::from_secs(30);

/// One connection's side of the protocol.
///
/// ```
/// use lseg::{Identity, Options, Output, Ric, Session};
/// use std::time::Instant;
///
/// let options = Options {
///     identity: Identity::User("user".into()),
///     application_id: "256".into(),
///     position: "10.0.0.5".into(),
///     service: None,
///     rics: vec![Ric::Story],
///     source: "wire".into(),
/// };
/// let (now, wall, mut out) = (Instant::now(), jiff::Timestamp::UNIX_EPOCH, vec![]);
/// let mut session = Session::new(options, now, &mut out);
/// let answer = r#"[{"ID":1,"Type":"Refresh","Domain":"Login","State":{"Stream":"Open","Data":"Ok"}}]"#;
/// session.receive(answer, now, wall, &mut out);
/// let sent: Vec<_> = out.iter().map(|output| if let Output::Send(frame) = output { frame } else { "" }).collect();
/// assert_eq!(sent[1], r#"{"ID":2,"Domain":"NewsTextAnalytics","Key":{"Name":"MRN_STORY"}}"#);
/// ```
pub struct Session {
    options: Options,
    /// The token before this one: a server may still quote it.
    former_token: Option<String>,
    login: Login,
    streams: Streams,
    pulse: Pulse,
    assembler: Assembler,
    /// The longest message that the server takes.
    max_message: usize,
    standing: Standing,
    suspect: bool,
    /// Goodbye is said: what is still under way is taken, and nothing else is done.
    leaving: bool,
    over: bool,
}

/// What was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Starting,
    Up,
    Down,
}

impl Session {
    /// A connection that has just been made. The login is the first output.
    pub fn new(options: Options, now: Instant, out: &mut Vec<Output>) -> Self {
        Self::with_seed(options, RandomState::new().build_hasher().finish(), now, out)
    }

    /// The same with pauses that can be foreseen.
    pub fn with_seed(options: Options, seed: u64, now: Instant, out: &mut Vec<Output>) -> Self {
        let mut session = Self {
            former_token: None,
            login: Login::new(now),
            streams: Streams::new(&options.rics, options.service.as_deref(), seed),
            pulse: Pulse::new(now),
            assembler: Assembler::default(),
            max_message: usize::MAX,
            standing: Standing::Starting,
            suspect: false,
            leaving: false,
            over: false,
            options,
        };
        session.send(request::login(&session.options, false), out);
        session
    }

    /// A text frame came. `wall` is the time on the clock, for items.
    pub fn receive(&mut self, frame: &str, now: Instant, wall: Timestamp, out: &mut Vec<Output>) {
        if self.over {
            return;
        }
        self.pulse.heard(now);
        for message in message::read(frame) {
            match message {
                Ok(message) => self.handle(&message, now, wall, out),
                Err(malformed) => out.push(Output::Refused(malformed.to_string())),
            }
            if self.over {
                return;
            }
        }
        self.give_up(now, out);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.over || self.leaving {
            return;
        }
        match self.pulse.beat(now) {
            Beat::Fine => {}
            Beat::Ask => self.send(request::PING.into(), out),
            Beat::Dead(silence) => {
                let why = format!("the server was silent for {} seconds", silence.as_secs());
                return self.end(why, Again::Soon, out);
            }
        }
        self.tick_login(now, out);
        self.tick_streams(now, out);
        self.tell(out);
        self.give_up(now, out);
    }

    /// When to call [`tick`](Self::tick) next, at the latest.
    pub fn wakeup(&self) -> Option<Instant> {
        if self.over || self.leaving {
            return None;
        }
        let due = [self.login.deadline(), self.streams.deadline(), self.assembler.deadline()];
        due.into_iter().flatten().chain([self.pulse.deadline()]).min()
    }

    /// A new token of version 1 logins, before the old one ends: there is no answer to it.
    pub fn renew(&mut self, token: String, out: &mut Vec<Output>) {
        if self.over || self.leaving {
            return;
        }
        if let Identity::Token(old) = std::mem::replace(&mut self.options.identity, Identity::Token(token)) {
            self.former_token = Some(old);
        }
        self.send(request::login(&self.options, true), out);
    }

    /// Says goodbye: closes items and login. Items that are still under way are taken; nothing else is answered.
    pub fn close(&mut self, out: &mut Vec<Output>) {
        if self.over || self.leaving {
            return;
        }
        for id in self.streams.standing() {
            self.send(request::close(id), out);
        }
        self.send(request::LOGOUT.into(), out);
        self.leaving = true;
    }

    /// The connection has ended, in whatever way: tells what will stay incomplete because of it.
    pub fn abandon(&mut self, out: &mut Vec<Output>) {
        self.assembler.abandon();
        self.tell_lost(out);
    }

    /// The parts that wait for others, for who wants to know how much memory they take.
    pub fn assembler(&self) -> &Assembler {
        &self.assembler
    }

    fn handle(&mut self, message: &Message<'_>, now: Instant, wall: Timestamp, out: &mut Vec<Output>) {
        match message.kind {
            Kind::Update => self.update(message, now, wall, out),
            _ if self.leaving => {}
            Kind::Ping => self.send(request::PONG.into(), out),
            Kind::Pong => {}
            Kind::Refresh | Kind::Status => self.state(message, now, out),
            Kind::Error => self.error(message, now, out),
            Kind::Request | Kind::Close | Kind::Other => {
                out.push(Output::Refused(format!("a server doesn't send messages of type {:?}", message.kind)));
            }
        }
    }

    fn state(&mut self, message: &Message<'_>, now: Instant, out: &mut Vec<Output>) {
        for id in message.ids.as_slice() {
            if *id == request::LOGIN {
                self.login_state(message, now, out);
            } else {
                self.stream_state(*id, message, now, out);
            }
            if self.over {
                return;
            }
        }
        self.tell(out);
    }

    /// Something that was sent is wrong.
    fn error(&mut self, message: &Message<'_>, now: Instant, out: &mut Vec<Output>) {
        let why = format!("the server reports an error: {}", self.masked(message.text.as_deref().unwrap_or("no text")));
        for id in message.ids.as_slice() {
            if *id == request::LOGIN && self.login.is_waiting() {
                return self.end(why, Again::Soon, out);
            }
            self.stream_error(*id, &why, now, out);
        }
        out.push(Output::Refused(why));
    }

    fn give_up(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.over {
            return;
        }
        self.assembler.expire(now);
        self.tell_lost(out);
    }

    fn tell_lost(&mut self, out: &mut Vec<Output>) {
        while let Some(lost) = self.assembler.lost() {
            out.push(Output::Incomplete(lost.to_string()));
        }
    }

    /// Says how things stand, where that has changed.
    fn tell(&mut self, out: &mut Vec<Output>) {
        if self.over {
            return;
        }
        let suspect = self.login.suspect || self.streams.suspect();
        if suspect != self.suspect {
            self.suspect = suspect;
            out.push(Output::Suspect(suspect));
        }
        if self.standing != Standing::Up && self.streams.all_open() {
            self.standing = Standing::Up;
            out.push(Output::Up);
        }
    }

    fn down(&mut self, why: String, out: &mut Vec<Output>) {
        if !self.over && self.standing != Standing::Down {
            self.standing = Standing::Down;
            out.push(Output::Down(why));
        }
    }

    fn send(&mut self, frame: String, out: &mut Vec<Output>) {
        if self.over {
            return;
        }
        if frame.len() > self.max_message {
            let why =
                format!("a message of {} bytes can't be sent: the server takes {}", frame.len(), self.max_message);
            return self.end(why, Again::Late, out);
        }
        out.push(Output::Send(frame));
    }

    fn end(&mut self, why: String, again: Again, out: &mut Vec<Output>) {
        if !self.over {
            self.over = true;
            out.push(Output::End(End { why, again }));
        }
    }

    /// The server's words, fit for a log.
    fn masked(&self, text: &str) -> String {
        let token = if let Identity::Token(token) = &self.options.identity { Some(token.as_str()) } else { None };
        mask::plain(text, token.into_iter().chain(self.former_token.as_deref()))
    }
}
