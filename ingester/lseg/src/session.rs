//! One connection's side of the protocol.

use crate::analytics::Analytics;
use jiff::Timestamp;
use news::NewsItem;
use std::time::Instant;

/// Who logs in.
#[derive(Clone)]
pub enum Identity {
    /// A user that an own installation knows (DACS).
    User(String),
    /// An access token of LSEG's cloud.
    Token(String),
}

/// What to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ric {
    /// `MRN_STORY`: alerts and stories.
    Story,
    /// `MRN_TRNA`: LSEG's scores.
    Scores,
}

/// What a session is told.
#[derive(Clone)]
pub struct Options {
    /// Who logs in.
    pub identity: Identity,
    /// The application's number, `256`.
    pub application_id: String,
    /// Where it runs: the address, and the host's name after a slash.
    pub position: String,
    /// The service with the news; the server's default where there is none.
    pub service: Option<String>,
    /// What to ask for.
    pub rics: Vec<Ric>,
    /// What items say where they come from: the feed's name in the configuration.
    pub source: String,
}

/// What a session wants, or tells.
#[derive(Debug)]
pub enum Output {
    /// To be sent as a text frame, in this order.
    Send(String),
    /// A whole item.
    Item(Box<NewsItem>),
    /// LSEG's scores of an item.
    Scores(Box<Analytics>),
    /// Logged in, and every RIC's stream is open: news can come.
    Up,
    /// News can't come for now, although the connection stands: why. `Up` follows.
    Down(String),
    /// The server says that what it sends may be stale (true), or no longer is.
    Suspect(bool),
    /// A message with an item or a part of one came.
    Fragment,
    /// Something was lost, by the feed's own word or for want of a part: why.
    Gap(String),
    /// An item stays incomplete: why. A `Gap` as well.
    Incomplete(String),
    /// A message that is no item: why, without its content.
    Refused(String),
    /// The connection is of no use any more; nothing else follows.
    End(End),
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// In the server's words, without secrets.
    pub why: String,
    /// When another attempt makes sense.
    pub again: Again,
}

/// When another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// With the usual pauses, at the next endpoint, with a new token if the old one may be used up.
    Soon,
    /// It will fail again until somebody changes something: not entitled, too many logins. A quarter of an hour later.
    Late,
}

/// One connection's side of the protocol.
pub struct Session {}

impl Session {
    /// A connection that has just been made. The login is the first output.
    pub fn new(options: Options, now: Instant, out: &mut Vec<Output>) -> Self {
        let _ = (options, now, out);
        Self {}
    }

    /// A text frame came. `wall` is the time on the clock, for items.
    pub fn receive(&mut self, frame: &str, now: Instant, wall: Timestamp, out: &mut Vec<Output>) {
        let _ = (frame, now, wall, out);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        let _ = (now, out);
    }

    /// When to call [`tick`](Self::tick) next, at the latest.
    pub fn wakeup(&self) -> Option<Instant> {
        None
    }

    /// A new token of version 1 logins, before the old one ends: there is no answer to it.
    pub fn renew(&mut self, token: String, out: &mut Vec<Output>) {
        let _ = (token, out);
    }

    /// Says goodbye: closes items and login.
    pub fn close(&mut self, out: &mut Vec<Output>) {
        let _ = out;
    }
}
