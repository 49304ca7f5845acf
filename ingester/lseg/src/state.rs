//! How a stream is, and what is to be done about it.
//!
//! Meanings are those of LSEG's WebSocket API protocol specification, version 1.4 (State, StreamState, DataState,
//! StateCode); numbers those of the Real-Time SDK's `rsslState.h`.

use crate::scalar::{self, Scalar};
use serde::{Deserialize, Deserializer};
use std::{borrow::Cow, fmt};

/// How a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct State<'a> {
    /// Whether it stands.
    #[serde(rename = "Stream", default)]
    pub stream: Stream,
    /// Whether what came on it is good.
    #[serde(rename = "Data", default)]
    pub data: Data,
    /// Why.
    #[serde(rename = "Code", default)]
    pub code: Code,
    /// Why, in the server's words; it may quote what it was sent.
    #[serde(rename = "Text", borrow, default, deserialize_with = "scalar::text")]
    pub text: Option<Cow<'a, str>>,
}

/// What is to be done about an item's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Nothing: it is open and good.
    Healthy,
    /// It stands, but something may be stale or lost.
    Suspect,
    /// Nothing changed but the words.
    Unchanged,
    /// To be asked for again on this connection, after a pause.
    Again,
    /// It would be refused again until somebody changes something.
    Late,
    /// To be asked for by the new name in the message.
    Redirected,
}

/// What is to be done about a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Go on.
    Healthy,
    /// It stands, but something may be stale or lost.
    Suspect,
    /// Nothing changed but the words.
    Unchanged,
    /// Another connection, with another token, at another endpoint.
    Again,
    /// It would be refused again until somebody changes something.
    Late,
}

impl State<'_> {
    /// What is to be done, if this is an item's.
    pub fn of_item(&self) -> Item {
        match (self.stream, self.data) {
            (Stream::Open, Data::Ok) => Item::Healthy,
            (Stream::Open, Data::Suspect) => Item::Suspect,
            (Stream::Open, Data::NoChange) | (Stream::Unspecified, _) => Item::Unchanged,
            (Stream::Closed, _) if self.code.lasts() => Item::Late,
            (Stream::Closed | Stream::ClosedRecover | Stream::NonStreaming, _) => Item::Again,
            (Stream::Redirected, _) => Item::Redirected,
        }
    }

    /// What is to be done, if this is a login's.
    pub fn of_login(&self) -> Login {
        match (self.stream, self.data) {
            (Stream::Open, Data::Ok) => Login::Healthy,
            (Stream::Open, Data::Suspect) => Login::Suspect,
            (Stream::Open, Data::NoChange) | (Stream::Unspecified, _) => Login::Unchanged,
            _ if self.code.lasts() => Login::Late,
            _ => Login::Again,
        }
    }

    /// Whether the answer to a batch is the good one: its own stream ends, and the items' begin.
    pub fn is_batch_accepted(&self) -> bool {
        self.stream == Stream::Closed && self.data == Data::Ok
    }
}

impl fmt::Display for State<'_> {
    /// `Closed, Suspect, NotEntitled`, and the server's words, which nobody has masked yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {:?}, {}", self.stream, self.data, self.code.name())?;
        match &self.text {
            Some(text) if !text.is_empty() => write!(f, ": {text}"),
            _ => Ok(()),
        }
    }
}

/// Whether a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stream {
    /// The server doesn't say, or says something new.
    #[default]
    Unspecified,
    /// It does.
    Open,
    /// It was a single answer.
    NonStreaming,
    /// It doesn't, but can come back on this service.
    ClosedRecover,
    /// It is not to be had here; perhaps on another connection.
    Closed,
    /// It is to be had by another name.
    Redirected,
}

/// Whether what came on a stream is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Data {
    /// As it was.
    #[default]
    NoChange,
    /// It is.
    Ok,
    /// It may be stale, or something was lost upstream.
    Suspect,
}

/// A code that this table lists.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// Why a stream is as it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
            /// One that is not in the specification: to be tried again.
            Unknown,
            /// None is said.
            #[default]
            None,
        }

        impl Code {
            /// All that have a number, with it.
            pub const NUMBERED: &[(Self, u64)] = &[(Self::None, 0), $((Self::$name, $number),)+];

            /// As it is on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                    Self::Unknown => "Unknown",
                    Self::None => "None",
                }
            }
        }
    };
}

codes! {
    /// There is no such item.
    NotFound = 1,
    /// Somebody upstream didn't answer in time.
    Timeout = 2,
    /// The user may not have it.
    NotEntitled = 3,
    /// Something in the request is not understood.
    InvalidArgument = 4,
    /// The request makes no sense.
    UsageError = 5,
    /// Something more important took its place.
    Preempted = 6,
    /// Updates are being merged.
    JitConflationStarted = 7,
    /// They no longer are.
    RealtimeResumed = 8,
    /// Something upstream changes over.
    FailoverStarted = 9,
    /// It has.
    FailoverCompleted = 10,
    /// Something was lost.
    GapDetected = 11,
    /// No room.
    NoResources = 12,
    /// Too many streams.
    TooManyItems = 13,
    /// It is open already.
    AlreadyOpen = 14,
    /// No such service now.
    SourceUnknown = 15,
    /// It isn't open.
    NotOpen = 16,
    /// It will never have an update.
    NonUpdatingItem = 19,
    /// No such kind of view.
    UnsupportedViewType = 20,
    /// No such view.
    InvalidView = 21,
    /// All fields come, although some were asked for.
    FullViewProvided = 22,
    /// Several items have to be asked for one by one.
    UnableToRequestAsBatch = 23,
    /// Several items have to be asked for one by one.
    NoBatchViewSupportInReq = 26,
    /// Too many logins of this user.
    ExceededMaxMountsPerUser = 27,
    /// Something went wrong at the server.
    Error = 28,
    /// The permissions can't be looked up now.
    DacsDown = 29,
    /// No such user.
    UserUnknownToPermSys = 30,
    /// Too many logins.
    MaxLoginsReached = 31,
    /// The application may not connect.
    UserAccessToAppDenied = 32,
    /// What comes fills a gap.
    GapFill = 34,
    /// The application may not connect.
    AppAuthorizationFailed = 35,
}

impl Code {
    /// Whether the same request will be refused again until somebody changes something.
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            Self::NotEntitled
                | Self::AppAuthorizationFailed
                | Self::UserUnknownToPermSys
                | Self::UserAccessToAppDenied
                | Self::NotFound
                | Self::InvalidArgument
                | Self::UsageError
                | Self::InvalidView
                | Self::UnsupportedViewType
                | Self::ExceededMaxMountsPerUser
                | Self::MaxLoginsReached
        )
    }

    /// Whether it says that items have to be asked for one by one.
    pub const fn refuses_batches(self) -> bool {
        matches!(self, Self::UnableToRequestAsBatch | Self::NoBatchViewSupportInReq)
    }

    fn named(name: &str) -> Self {
        // The SDK's names of two of them begin with the permission system's.
        let plain = if name == "DacsDown" { name } else { name.strip_prefix("Dacs").unwrap_or(name) };
        let known = Self::NUMBERED.iter().find(|(code, _)| code.name() == plain);
        known.map_or(Self::Unknown, |(code, _)| *code)
    }

    fn numbered(number: u64) -> Self {
        Self::NUMBERED.iter().find(|(_, known)| *known == number).map_or(Self::Unknown, |(code, _)| *code)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Scalar::deserialize(from)? {
            Scalar::Text(name) => Self::named(&name),
            Scalar::Number(number) => Self::numbered(number),
            _ => Self::None,
        })
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(from)?;
        let is = |name: &str, number: u64| match &scalar {
            Scalar::Text(text) => text == name,
            Scalar::Number(given) => *given == number,
            _ => false,
        };
        let known = [
            ("Open", 1, Self::Open),
            ("NonStreaming", 2, Self::NonStreaming),
            ("ClosedRecover", 3, Self::ClosedRecover),
            ("Closed", 4, Self::Closed),
            ("Redirected", 5, Self::Redirected),
        ];
        Ok(known
            .into_iter()
            .find(|(name, number, _)| is(name, *number))
            .map_or(Self::Unspecified, |(_, _, stream)| stream))
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Scalar::deserialize(from)? {
            Scalar::Text(name) if name == "Ok" => Self::Ok,
            Scalar::Text(name) if name == "Suspect" => Self::Suspect,
            Scalar::Number(1) => Self::Ok,
            Scalar::Number(2) => Self::Suspect,
            _ => Self::NoChange,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is to be done about an item and a login in this state.
    fn judged(stream: &str, data: &str, code: &str) -> (Item, Login) {
        let json = format!(r#"{{"Stream":"{stream}","Data":"{data}","Code":"{code}"}}"#);
        let state: State<'_> = serde_json::from_str(&json).unwrap();
        (state.of_item(), state.of_login())
    }

    const LASTING: [&str; 11] = [
        "NotEntitled",
        "AppAuthorizationFailed",
        "UserUnknownToPermSys",
        "UserAccessToAppDenied",
        "NotFound",
        "InvalidArgument",
        "UsageError",
        "InvalidView",
        "UnsupportedViewType",
        "ExceededMaxMountsPerUser",
        "MaxLoginsReached",
    ];

    const PASSING: [&str; 9] = [
        "Timeout",
        "NoResources",
        "SourceUnknown",
        "DacsDown",
        "TooManyItems",
        "NotOpen",
        "Preempted",
        "Error",
        "None",
    ];

    const INFORMATION: [&str; 11] = [
        "FailoverStarted",
        "FailoverCompleted",
        "GapDetected",
        "GapFill",
        "JitConflationStarted",
        "RealtimeResumed",
        "FullViewProvided",
        "AlreadyOpen",
        "NonUpdatingItem",
        "NoBatchViewSupportInReq",
        "UnableToRequestAsBatch",
    ];

    #[test]
    fn open_streams_are_judged_by_their_data_whatever_the_code() {
        for code in LASTING.into_iter().chain(PASSING).chain(INFORMATION).chain(["SomethingNew"]) {
            assert_eq!(judged("Open", "Ok", code), (Item::Healthy, Login::Healthy), "{code}");
            assert_eq!(judged("Open", "Suspect", code), (Item::Suspect, Login::Suspect), "{code}");
            assert_eq!(judged("Open", "NoChange", code), (Item::Unchanged, Login::Unchanged), "{code}");
            assert_eq!(judged("Ajar", "Ok", code), (Item::Unchanged, Login::Unchanged), "{code}");
        }
    }

    #[test]
    fn closed_streams_are_judged_by_their_code() {
        for data in ["Ok", "Suspect", "NoChange"] {
            for code in LASTING {
                assert_eq!(judged("Closed", data, code), (Item::Late, Login::Late), "{code}");
                assert_eq!(judged("ClosedRecover", data, code), (Item::Again, Login::Late), "{code}");
                assert_eq!(judged("NonStreaming", data, code), (Item::Again, Login::Late), "{code}");
                assert_eq!(judged("Redirected", data, code), (Item::Redirected, Login::Late), "{code}");
            }
            for code in PASSING.into_iter().chain(INFORMATION).chain(["SomethingNew"]) {
                for stream in ["Closed", "ClosedRecover", "NonStreaming"] {
                    assert_eq!(judged(stream, data, code), (Item::Again, Login::Again), "{stream} {code}");
                }
                assert_eq!(judged("Redirected", data, code), (Item::Redirected, Login::Again), "{code}");
            }
        }
    }

    #[test]
    fn every_code_of_the_specification_has_its_name_and_its_number() {
        let known = LASTING.into_iter().chain(PASSING).chain(INFORMATION);
        assert_eq!(known.clone().count(), Code::NUMBERED.len());
        for name in known {
            let (code, number) = Code::NUMBERED.iter().find(|(code, _)| code.name() == name).unwrap();
            assert_eq!((Code::named(name), Code::numbered(*number)), (*code, *code), "{name}");
        }
        assert_eq!(Code::named("DacsMaxLoginsReached"), Code::MaxLoginsReached);
        assert_eq!((Code::named("DacsNone1"), Code::numbered(17)), (Code::Unknown, Code::Unknown));
    }

    #[test]
    fn numbers_are_as_good_as_names_and_anything_may_be_missing() {
        fn state(json: &str) -> State<'_> {
            serde_json::from_str(json).unwrap()
        }
        let expected = State { stream: Stream::Closed, data: Data::Suspect, code: Code::NotEntitled, text: None };
        assert_eq!(state(r#"{"Stream":4,"Data":2,"Code":3,"Text":null}"#), expected);
        assert_eq!(state(r#"{"Stream":"Closed","Data":"Suspect","Code":"NotEntitled","More":1}"#), expected);
        let nothing = State { stream: Stream::Unspecified, data: Data::NoChange, code: Code::None, text: None };
        assert_eq!(state("{}"), nothing);
        assert_eq!(state(r#"{"Stream":[],"Data":{},"Code":null,"Text":7}"#), nothing);
        let numbers =
            [(1, Stream::Open), (2, Stream::NonStreaming), (3, Stream::ClosedRecover), (5, Stream::Redirected)];
        for (number, stream) in numbers {
            let json = format!(r#"{{"Stream":{number}}}"#);
            assert_eq!(state(&json).stream, stream);
        }
    }

    #[test]
    fn batch_is_accepted_by_a_good_end_only() {
        for (stream, data, accepted) in [
            ("Closed", "Ok", true),
            ("Closed", "Suspect", false),
            ("Open", "Ok", false),
            ("ClosedRecover", "Ok", false),
        ] {
            let json = format!(r#"{{"Stream":"{stream}","Data":"{data}"}}"#);
            assert_eq!(serde_json::from_str::<State<'_>>(&json).unwrap().is_batch_accepted(), accepted);
        }
    }
}
