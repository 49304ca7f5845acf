//! What goes into a session, and what comes out.

use crate::analytics::Analytics;
use news::NewsItem;
use std::fmt;

/// Who logs in.
#[derive(Clone)]
pub enum Identity {
    /// A user that an own installation knows (DACS).
    User(String),
    /// An access token of LSEG's cloud. No log shows it.
    Token(String),
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => f.debug_tuple("User").field(user).finish(),
            Self::Token(_) => f.write_str("Token(***)"),
        }
    }
}

/// What to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ric {
    /// `MRN_STORY`: alerts and stories.
    Story,
    /// `MRN_TRNA`: LSEG's scores.
    Scores,
}

impl Ric {
    /// As it is on the wire: `MRN_STORY`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Story => "MRN_STORY",
            Self::Scores => "MRN_TRNA",
        }
    }
}

/// What a session is told.
#[derive(Debug, Clone)]
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
pub enum Output {
    /// To be sent as a text frame, in this order. It may hold a token.
    Send(String),
    /// A whole item.
    Item(Box<NewsItem>),
    /// LSEG's scores of an item.
    Scores(Box<Analytics>),
    /// Logged in, and the streams that the feed can't do without are open: news can come.
    Up,
    /// News can't come for now, although the connection stands: why. `Up` follows.
    Down(String),
    /// The server says that what it sends may be stale (true), or no longer is.
    Suspect(bool),
    /// A message with an item or a part of one came.
    Fragment,
    /// Something was lost, by the feed's own word: why.
    Gap(String),
    /// An item stays incomplete: why. It is to be counted as a gap as well; no [`Gap`](Self::Gap) is told for it.
    Incomplete(String),
    /// An item came that can't be read: why, without its content. It is to be counted as refused and as a gap.
    Unreadable(String),
    /// A message that is no item: why, without its content.
    Refused(String),
    /// The connection is of no use any more; nothing else follows but what is [abandoned](crate::Session::abandon).
    End(End),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(frame) if frame.contains("AuthenticationToken") => f.write_str("Send(***)"),
            Self::Send(frame) => f.debug_tuple("Send").field(frame).finish(),
            Self::Item(item) => f.debug_tuple("Item").field(item).finish(),
            Self::Scores(scores) => f.debug_tuple("Scores").field(scores).finish(),
            Self::Up => f.write_str("Up"),
            Self::Down(why) => f.debug_tuple("Down").field(why).finish(),
            Self::Suspect(suspect) => f.debug_tuple("Suspect").field(suspect).finish(),
            Self::Fragment => f.write_str("Fragment"),
            Self::Gap(why) => f.debug_tuple("Gap").field(why).finish(),
            Self::Incomplete(why) => f.debug_tuple("Incomplete").field(why).finish(),
            Self::Unreadable(why) => f.debug_tuple("Unreadable").field(why).finish(),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
            Self::End(end) => f.debug_tuple("End").field(end).finish(),
        }
    }
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
