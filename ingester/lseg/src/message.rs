//! Frames of the protocol `tr_json2`, as a server sends them.
//!
//! From LSEG's WebSocket API protocol specification, version 1.4: a frame is a list of messages or a single one; names
//! are case sensitive, members have no order, unknown ones are ignored; a message without a type is a request, one
//! without a domain is of MarketPrice; enumerations are names or numbers (those of the Real-Time SDK's `rsslMsg.h`,
//! `rsslRDM.h` and `rsslState.h`). The type comes before all: a ping has neither domain nor id.

use crate::{
    scalar::{self, Scalar},
    state::State,
};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A message, borrowed from its frame.
///
/// ```
/// let frame = r#"[{"ID":2,"Type":"Update","Fields":{"FRAG_NUM":1}},{"Type":"Ping"}]"#;
/// let messages: Vec<_> = lseg::message::read(frame).into_iter().flatten().collect();
/// assert_eq!(messages[0].fields.as_ref().and_then(|fields| fields.number), Some(1));
/// assert_eq!(messages[1].kind, lseg::message::Kind::Ping);
/// ```
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// What it is; a request where nothing is said.
    #[serde(rename = "Type", default)]
    pub kind: Kind,
    /// Of which domain; MarketPrice where nothing is said.
    #[serde(rename = "Domain", default)]
    pub domain: Domain,
    /// The streams that it is for.
    #[serde(rename = "ID", default)]
    pub ids: Ids,
    /// How the stream is.
    #[serde(rename = "State", borrow, default)]
    pub state: Option<State<'a>>,
    /// What came of an item.
    #[serde(rename = "Fields", borrow, default)]
    pub fields: Option<Fields<'a>>,
    /// What is wrong, in an error. `Debug`, beside it, is never read: it quotes what was sent, a token included.
    #[serde(rename = "Text", borrow, default, deserialize_with = "scalar::text")]
    pub text: Option<Cow<'a, str>>,
    #[serde(rename = "Key", borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(rename = "Elements", borrow, default)]
    elements: Option<&'a RawValue>,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Somebody wants something: what a message is that doesn't say.
    #[default]
    Request,
    /// The state of a stream and all that is known.
    Refresh,
    /// The state of a stream.
    Status,
    /// Something new.
    Update,
    /// The end of a stream.
    Close,
    /// To be answered at once.
    Ping,
    /// The answer.
    Pong,
    /// What was sent is wrong.
    Error,
    /// Of no use here.
    Other,
}

/// What a stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Domain {
    /// Logins.
    Login,
    /// Prices: what a message is about that doesn't say.
    #[default]
    MarketPrice,
    /// News.
    NewsTextAnalytics,
    /// Anything else.
    Other,
}

/// The streams that a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ids {
    /// None is named.
    #[default]
    None,
    /// One, nearly always.
    One(i64),
    /// One message for several.
    Many(Vec<i64>),
}

/// The fields of the envelope: a part of an item.
#[derive(Debug, Deserialize)]
pub struct Fields<'a> {
    /// Names the item, at most 255 characters.
    #[serde(rename = "GUID", borrow, default, deserialize_with = "scalar::text")]
    pub guid: Option<Cow<'a, str>>,
    /// Who cut it into parts, at most 40 characters: `HDC_PRD_A`.
    #[serde(rename = "MRN_SRC", borrow, default, deserialize_with = "scalar::text")]
    pub source: Option<Cow<'a, str>>,
    /// Which part it is, from 1.
    #[serde(rename = "FRAG_NUM", default, deserialize_with = "scalar::number")]
    pub number: Option<u64>,
    /// How many bytes all parts have together; only the first part says.
    #[serde(rename = "TOT_SIZE", default, deserialize_with = "scalar::number")]
    pub total: Option<u64>,
    /// The part itself, base64.
    #[serde(rename = "FRAGMENT", borrow, default, deserialize_with = "scalar::text")]
    pub fragment: Option<Cow<'a, str>>,
}

/// What a stream is called.
#[derive(Debug, Default, Deserialize)]
pub struct Key<'a> {
    /// The RIC.
    #[serde(rename = "Name", borrow, default, deserialize_with = "scalar::text")]
    pub name: Option<Cow<'a, str>>,
    /// The service.
    #[serde(rename = "Service", borrow, default, deserialize_with = "scalar::text")]
    pub service: Option<Cow<'a, str>>,
    #[serde(rename = "Elements", borrow, default)]
    elements: Option<&'a RawValue>,
}

/// What the answer to a login says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Server {
    /// The longest message that it takes, bytes: it drops who sends a longer one.
    pub max_message: Option<u64>,
    /// After how many seconds without a word it takes a client for dead, and wants to be taken.
    pub ping_timeout: Option<u64>,
    /// Whether several RICs can be asked for in one request.
    pub batches: Option<bool>,
}

/// A frame, or a message of it, is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at column {column}")]
pub struct Malformed {
    what: &'static str,
    column: usize,
}

/// The messages of a frame. One that is none leaves the others as they are.
pub fn read(frame: &str) -> Vec<Result<Message<'_>, Malformed>> {
    let list = frame.trim_ascii_start().starts_with('[');
    if !list {
        return vec![one(frame)];
    }
    match serde_json::from_str::<Vec<Message<'_>>>(frame) {
        Ok(messages) => messages.into_iter().map(Ok).collect(),
        Err(error) => one_by_one(frame).unwrap_or_else(|| vec![Err(Malformed::new(&error))]),
    }
}

/// The slow way, for a frame of which one message is none.
fn one_by_one(frame: &str) -> Option<Vec<Result<Message<'_>, Malformed>>> {
    let parts = serde_json::from_str::<Vec<&RawValue>>(frame).ok()?;
    Some(parts.into_iter().map(|part| one(part.get())).collect())
}

fn one(text: &str) -> Result<Message<'_>, Malformed> {
    serde_json::from_str(text).map_err(|error| Malformed::new(&error))
}

impl Malformed {
    /// Without the parser's own words: they quote what they found.
    pub(crate) fn new(error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a member is missing or of another type",
            serde_json::error::Category::Eof => "JSON ends too early",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "no JSON",
        };
        Self { what, column: error.column() }
    }
}

impl<'a> Message<'a> {
    /// What the stream is called; nothing where it isn't said.
    pub fn key(&self) -> Key<'a> {
        self.key.and_then(part).unwrap_or_default()
    }

    /// What the answer to a login says about the server.
    pub fn server(&self) -> Server {
        let said: Said = self.elements.and_then(part).unwrap_or_default();
        let can: Capabilities = self.key().elements.and_then(part).unwrap_or_default();
        // A set of bits, of which the first is for requests (Real-Time SDK, `SupportBatchRequests`).
        let batches = can.batches.map(|bits| bits & 1 == 1);
        Server { max_message: said.max_message, ping_timeout: said.ping_timeout, batches }
    }
}

fn part<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

#[derive(Default, Deserialize)]
struct Said {
    #[serde(rename = "MaxMsgSize", default, deserialize_with = "scalar::number")]
    max_message: Option<u64>,
    #[serde(rename = "PingTimeout", default, deserialize_with = "scalar::number")]
    ping_timeout: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Capabilities {
    #[serde(rename = "SupportBatchRequests", default, deserialize_with = "scalar::number")]
    batches: Option<u64>,
}

impl Ids {
    /// Them all.
    pub fn as_slice(&self) -> &[i64] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Scalar::deserialize(from)? {
            Scalar::Text(name) => Self::named(&name),
            Scalar::Number(number) => Self::numbered(number),
            _ => Self::Other,
        })
    }
}

impl Kind {
    fn named(name: &str) -> Self {
        match name {
            "Update" => Self::Update,
            "Refresh" => Self::Refresh,
            "Status" => Self::Status,
            "Request" => Self::Request,
            "Close" => Self::Close,
            "Ping" => Self::Ping,
            "Pong" => Self::Pong,
            "Error" => Self::Error,
            _ => Self::Other,
        }
    }

    /// Pings, pongs and errors are of the WebSocket API alone, and have no number.
    fn numbered(number: u64) -> Self {
        match number {
            1 => Self::Request,
            2 => Self::Refresh,
            3 => Self::Status,
            4 => Self::Update,
            5 => Self::Close,
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Scalar::deserialize(from)? {
            Scalar::Text(name) => match &*name {
                "Login" => Self::Login,
                "MarketPrice" => Self::MarketPrice,
                "NewsTextAnalytics" => Self::NewsTextAnalytics,
                _ => Self::Other,
            },
            Scalar::Number(1) => Self::Login,
            Scalar::Number(6) => Self::MarketPrice,
            Scalar::Number(33) => Self::NewsTextAnalytics,
            _ => Self::Other,
        })
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(IdsVisitor)
    }
}

struct IdsVisitor;

impl<'de> de::Visitor<'de> for IdsVisitor {
    type Value = Ids;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a list of numbers")
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<Ids, E> {
        i64::try_from(id).map(Ids::One).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<Ids, E> {
        Ok(Ids::One(id))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Ids, A::Error> {
        let mut ids = Vec::new();
        while let Some(id) = list.next_element()? {
            ids.push(id);
        }
        Ok(Ids::Many(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(frame: &str) -> Message<'_> {
        let mut messages = read(frame);
        assert_eq!(messages.len(), 1);
        messages.remove(0).unwrap()
    }

    #[test]
    fn what_a_message_does_not_say_is_request_and_market_price() {
        let message = only("{}");
        assert_eq!((message.kind, message.domain, &message.ids), (Kind::Request, Domain::MarketPrice, &Ids::None));
        assert_eq!(message.server(), Server::default());
    }

    #[test]
    fn enumerations_are_names_or_numbers_in_any_order() {
        let cases = [
            (r#"{"Type":"Refresh","Domain":"Login"}"#, Kind::Refresh, Domain::Login),
            (r#"{"Domain":1,"Type":2}"#, Kind::Refresh, Domain::Login),
            (r#"{"Domain":33,"Type":3}"#, Kind::Status, Domain::NewsTextAnalytics),
            (r#"{"Type":4,"Domain":6}"#, Kind::Update, Domain::MarketPrice),
            (r#"{"Type":1}"#, Kind::Request, Domain::MarketPrice),
            (r#"{"Type":5}"#, Kind::Close, Domain::MarketPrice),
            (r#"{"Type":7,"Domain":"Dictionary"}"#, Kind::Other, Domain::Other),
            (r#"{"Type":"Ping"}"#, Kind::Ping, Domain::MarketPrice),
            (r#"{"Type":"Pong"}"#, Kind::Pong, Domain::MarketPrice),
            (r#"{"Type":"Error"}"#, Kind::Error, Domain::MarketPrice),
        ];
        for (frame, kind, domain) in cases {
            let message = only(frame);
            assert_eq!((message.kind, message.domain), (kind, domain), "{frame}");
        }
    }

    #[test]
    fn ids_are_one_or_many() {
        assert_eq!(only(r#"{"ID":-5}"#).ids.as_slice(), [-5]);
        assert_eq!(only(r#"{"ID":[2,3]}"#).ids.as_slice(), [2, 3]);
        assert_eq!(only("{}").ids.as_slice(), [0; 0]);
        for frame in [r#"{"ID":"2"}"#, r#"{"ID":18446744073709551615}"#, r#"{"ID":[[]]}"#, r#"{"ID":2.5}"#] {
            assert!(read(frame)[0].is_err(), "{frame}");
        }
    }

    #[test]
    fn part_is_borrowed_from_the_frame() {
        let message =
            only(r#"{"Fields":{"GUID":"a","MRN_SRC":null,"FRAG_NUM":1,"TOT_SIZE":"20","FRAGMENT":"H4sI","X":[{}]}}"#);
        let fields = message.fields.unwrap();
        assert!(matches!(fields.fragment, Some(Cow::Borrowed("H4sI"))));
        assert_eq!((fields.guid.as_deref(), fields.source.as_deref()), (Some("a"), None));
        assert_eq!((fields.number, fields.total), (Some(1), Some(20)));
        let escaped = only(r#"{"Fields":{"FRAGMENT":"H4\/I"}}"#);
        assert_eq!(escaped.fields.unwrap().fragment.as_deref(), Some("H4/I"));
    }

    #[test]
    fn answer_to_a_login_says_what_the_server_can() {
        let message = only(
            r#"{"Key":{"Name":"user","Elements":{"SupportBatchRequests":7}},"Elements":{"MaxMsgSize":61430,"PingTimeout":30}}"#,
        );
        let expected = Server { max_message: Some(61430), ping_timeout: Some(30), batches: Some(true) };
        assert_eq!((message.server(), message.key().name.as_deref()), (expected, Some("user")));
    }

    #[test]
    fn message_that_is_none_leaves_the_others() {
        let messages = read(r#" [{"Type":"Ping"},{"ID":{}},{"Type":"Pong"}]"#);
        let kinds: Vec<_> = messages.into_iter().map(|message| message.map(|message| message.kind).ok()).collect();
        assert_eq!(kinds, [Some(Kind::Ping), None, Some(Kind::Pong)]);
        assert_eq!(read("[]").len(), 0);
        for frame in ["", "[{]", "secret", r#"{"secret"}"#, r#"{"State":"secret"}"#] {
            let error = read(frame).remove(0).unwrap_err().to_string();
            assert!(!error.contains("secret") && error.contains(" at column "), "{error}");
        }
    }
}
