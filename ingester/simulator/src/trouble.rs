//! What goes wrong, and when.

use crate::{messages::State, text::chance_of};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{path::Path, time::Duration};

/// What goes wrong, and when. A script is written in TOML or JSON, see the README; in tests it is made of values.
///
/// ```
/// use simulator::{Script, Trouble};
/// let script: Script = r#"
///     [[trouble]]
///     at = 10
///     kind = "missing_fragment"
///
///     [[trouble]]
///     chance = 0.01
///     kind = "silence"
///     seconds = 2.5
///
///     [[http]]
///     on = "token"
///     nth = 2
///     status = 429
///     retry_after = 3
/// "#
/// .parse()?;
/// assert_eq!(script, Script::default()
///     .at(10, Trouble::MissingFragment)
///     .chance(0.01, Trouble::Silence { seconds: 2.5 })
///     .http(simulator::Target::Token, 2, simulator::Answer::status(429).retry_after(3)));
/// # Ok::<(), simulator::ScriptError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// On the WebSocket, by item.
    pub trouble: Vec<Rule>,
    /// On the HTTP side, by request.
    pub http: Vec<HttpRule>,
}

/// A trouble, and when it comes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Rule {
    /// At which items.
    pub when: When,
    /// Only on this endpoint, from 0.
    pub endpoint: Option<usize>,
    /// Only on this connection, from 1.
    pub connection: Option<usize>,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// At which items. Items are counted from 1, as they leave the newsroom: all connections count alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// At this one.
    At(u64),
    /// At every n-th.
    Every(u64),
    /// At random, 0 to 1, for each connection by itself; the seed decides.
    Chance(f64),
}

/// What can go wrong with an item, or while it is sent. Where a trouble needs several fragments an item of one is cut
/// in three.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trouble {
    /// The last fragment comes first.
    OutOfOrder,
    /// The second fragment never comes.
    MissingFragment,
    /// Each fragment comes twice; the item is whole all the same.
    RepeatedFragment,
    /// A second fragment comes of an item that never began, before this one, which is whole.
    OrphanFragment,
    /// Between the fragments comes the next item; both are whole.
    Interleaved,
    /// The fragment is no base64.
    CorruptBase64,
    /// A byte in the middle is wrong.
    CorruptGzip,
    /// The JSON ends in the middle.
    CorruptJson,
    /// `TOT_SIZE` is one less than what comes.
    TotalTooSmall,
    /// `TOT_SIZE` is one more than what comes.
    TotalTooLarge,
    /// `TOT_SIZE` says 1 GiB.
    TotalHuge,
    /// 64 MiB of spaces in a few kilobytes of gzip.
    Bomb,
    /// The `GUID` has 300 characters, 255 are allowed.
    LongId,
    /// The item is sent again at once, whole, as it is.
    Twice,
    /// All messages of the item in one frame.
    Packed,
    /// Frames are single objects instead of arrays.
    Single,
    /// A frame that is no JSON comes first.
    Garbage,
    /// A binary frame comes first.
    Binary,
    /// A message of an unknown type comes first.
    UnknownType,
    /// An error comes first that quotes the client's login, with its token.
    Error,
    /// A status of the item stream comes first; unless it leaves the stream open, the item is lost with it.
    State(State),
    /// The same for the login.
    LoginState(State),
    /// The connection is closed as it should be, with the item or, `inside`, after its first fragment.
    Close {
        /// Whether the first fragment is sent before.
        #[serde(default)]
        inside: bool,
    },
    /// The connection is reset.
    Reset {
        /// Whether the first fragment is sent before.
        #[serde(default)]
        inside: bool,
    },
    /// Nothing is sent, read or answered for a while; what should have been sent is lost.
    Silence {
        /// How long.
        seconds: f64,
    },
    /// Bytes dribble, 100 at a time.
    Slow {
        /// How many of them a second.
        bytes_per_second: u32,
        /// How long.
        seconds: f64,
    },
    /// Every token ends now; sessions of version 1 with them.
    ExpireTokens,
    /// The machine id signs on somewhere else: its sessions of version 1 end.
    ThrowOut,
}

/// An answer of the HTTP side that isn't the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRule {
    /// To which requests.
    pub on: Target,
    /// To the n-th of them, from 1.
    #[serde(default)]
    pub nth: Option<u64>,
    /// To every n-th of them.
    #[serde(default)]
    pub every: Option<u64>,
    /// The status.
    pub status: u16,
    /// Seconds after which another attempt makes sense.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// Where to ask instead, for redirections.
    #[serde(default)]
    pub location: Option<String>,
}

/// A part of the HTTP side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Both token endpoints.
    Token,
    /// The list of endpoints.
    Discovery,
}

/// An answer that isn't the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header of this name, seconds.
    pub retry_after: Option<u64>,
    /// The header of this name.
    pub location: Option<String>,
}

impl Answer {
    /// This status, with an error as its text.
    pub fn status(status: u16) -> Self {
        Self { status, retry_after: None, location: None }
    }

    /// With this header, seconds.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// To be asked for somewhere else.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self { location: Some(location.into()), ..Self::status(status) }
    }
}

/// A script that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file can't be read.
    #[error("could not read {path}: {source}")]
    Unreadable {
        /// Which one.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML of this form.
    #[error("is no trouble script: {0}")]
    Toml(#[from] toml::de::Error),
    /// It is no JSON of this form.
    #[error("is no trouble script: {0}")]
    Json(#[from] serde_json::Error),
}

impl Script {
    /// Reads a file, JSON if its name ends so, else TOML.
    ///
    /// # Errors
    ///
    /// It can't be read, or is none.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        let unreadable = |source| ScriptError::Unreadable { path: path.display().to_string(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json { Ok(serde_json::from_str(&text)?) } else { text.parse() }
    }

    /// At this item, from 1, on every connection.
    pub fn at(self, number: u64, trouble: Trouble) -> Self {
        self.rule(When::At(number), trouble)
    }

    /// At every n-th item, on every connection.
    pub fn every(self, number: u64, trouble: Trouble) -> Self {
        self.rule(When::Every(number), trouble)
    }

    /// At random, 0 to 1, on each connection by itself.
    pub fn chance(self, chance: f64, trouble: Trouble) -> Self {
        self.rule(When::Chance(chance), trouble)
    }

    /// The rule before this only on one endpoint, from 0.
    pub fn on_endpoint(mut self, endpoint: usize) -> Self {
        if let Some(rule) = self.trouble.last_mut() {
            rule.endpoint = Some(endpoint);
        }
        self
    }

    /// The rule before this only on one connection, from 1.
    pub fn on_connection(mut self, connection: usize) -> Self {
        if let Some(rule) = self.trouble.last_mut() {
            rule.connection = Some(connection);
        }
        self
    }

    /// The n-th request is answered so.
    pub fn http(mut self, on: Target, nth: u64, answer: Answer) -> Self {
        let Answer { status, retry_after, location } = answer;
        self.http.push(HttpRule { on, nth: Some(nth), every: None, status, retry_after, location });
        self
    }

    fn rule(mut self, when: When, trouble: Trouble) -> Self {
        self.trouble.push(Rule { when, endpoint: None, connection: None, trouble });
        self
    }

    /// What goes wrong with this item on this connection.
    pub(crate) fn of(&self, seed: u64, number: u64, endpoint: usize, connection: usize) -> Vec<&Trouble> {
        let is_due = |(index, rule): &(usize, &Rule)| {
            let here = rule.endpoint.is_none_or(|only| only == endpoint)
                && rule.connection.is_none_or(|only| only == connection);
            here && match rule.when {
                When::At(at) => at == number,
                When::Every(every) => number.is_multiple_of(every.max(1)),
                When::Chance(chance) => {
                    chance_of(&[seed, number, *index as u64, endpoint as u64, connection as u64]) < chance
                }
            }
        };
        self.trouble.iter().enumerate().filter(is_due).map(|(_, rule)| &rule.trouble).collect()
    }

    /// How the n-th request is answered, if not as usual.
    pub(crate) fn answer(&self, on: Target, number: u64) -> Option<Answer> {
        let is_due = |rule: &&HttpRule| {
            rule.on == on
                && (rule.nth == Some(number) || rule.every.is_some_and(|every| number.is_multiple_of(every.max(1))))
        };
        let HttpRule { status, retry_after, location, .. } = self.http.iter().find(is_due)?.clone();
        Some(Answer { status, retry_after, location })
    }
}

impl std::str::FromStr for Script {
    type Err = ScriptError;

    /// Reads TOML.
    fn from_str(text: &str) -> Result<Self, ScriptError> {
        Ok(toml::from_str(text)?)
    }
}

impl TryFrom<Map<String, Value>> for Rule {
    type Error = String;

    fn try_from(mut rule: Map<String, Value>) -> Result<Self, String> {
        let when = when(&mut rule)?;
        let endpoint = whole(&mut rule, "endpoint")?;
        let connection = whole(&mut rule, "connection")?;
        let trouble = Trouble::deserialize(Value::Object(rule)).map_err(|error| error.to_string())?;
        Ok(Self { when, endpoint, connection, trouble })
    }
}

fn when(rule: &mut Map<String, Value>) -> Result<When, String> {
    let at = whole(rule, "at")?.map(|at| When::At(at as u64));
    let every = whole(rule, "every")?.map(|every| When::Every(every as u64));
    let chance = match rule.remove("chance") {
        None => None,
        Some(value) => match value.as_f64().filter(|chance| (0.0..=1.0).contains(chance)) {
            Some(chance) => Some(When::Chance(chance)),
            None => return Err(format!("chance is {value}; 0 to 1 is allowed")),
        },
    };
    let mut given = [at, every, chance].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(when), None) => Ok(when),
        _ => Err("a trouble has one of at, every and chance".into()),
    }
}

fn whole(rule: &mut Map<String, Value>, member: &str) -> Result<Option<usize>, String> {
    let Some(value) = rule.remove(member) else { return Ok(None) };
    let whole = value.as_u64().and_then(|number| usize::try_from(number).ok());
    whole.map(Some).ok_or_else(|| format!("{member} is {value}; a number from 0 is allowed"))
}

/// Seconds of a script, as far as they are any.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_a_script_are_named() {
        let cases = [
            ("[[trouble]]\nat = 1\nkind = \"missing\"", "unknown variant `missing`"),
            ("[[trouble]]\nkind = \"twice\"", "one of at, every and chance"),
            ("[[trouble]]\nat = 1\nevery = 2\nkind = \"twice\"", "one of at, every and chance"),
            ("[[trouble]]\nchance = 1.5\nkind = \"twice\"", "chance is 1.5; 0 to 1 is allowed"),
            ("[[trouble]]\nat = -1\nkind = \"twice\"", "at is -1; a number from 0 is allowed"),
            ("[[trouble]]\nat = 1\nkind = \"silence\"\nsecond = 3", "unknown field `second`"),
            ("[[troubles]]", "unknown field `troubles`"),
            ("[[http]]\non = \"login\"\nstatus = 500", "unknown variant `login`"),
        ];
        for (script, expected) in cases {
            let error = script.parse::<Script>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn every_kind_can_be_written() {
        let script: Script = "
            [[trouble]]
            every = 100
            endpoint = 1
            kind = 'state'
            stream = 'Open'
            data = 'Suspect'
            code = 'GapDetected'
            [[trouble]]
            chance = 0.5
            connection = 2
            kind = 'slow'
            bytes_per_second = 100
            seconds = 2
            [[trouble]]
            at = 3
            kind = 'reset'
            inside = true
        "
        .parse()
        .unwrap();
        let suspect = State::open("Suspect").code("GapDetected");
        let expected = Script::default()
            .every(100, Trouble::State(suspect))
            .on_endpoint(1)
            .chance(0.5, Trouble::Slow { bytes_per_second: 100, seconds: 2.0 })
            .on_connection(2)
            .at(3, Trouble::Reset { inside: true });
        assert_eq!(script, expected);
    }

    #[test]
    fn example_can_be_read_and_so_can_json() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bad-day.toml");
        let script = Script::read(&example).unwrap();
        assert_eq!((script.trouble.len(), script.http.len()), (8, 2));
        let json = r#"{"trouble": [{"at": 2, "kind": "close"}]}"#;
        assert_eq!(
            serde_json::from_str::<Script>(json).unwrap(),
            Script::default().at(2, Trouble::Close { inside: false })
        );
        assert!(
            Script::read(Path::new("/nowhere.json"))
                .unwrap_err()
                .to_string()
                .starts_with("could not read /nowhere.json")
        );
    }

    #[test]
    fn chance_is_decided_by_the_seed_and_about_right() {
        let script = Script::default().chance(0.1, Trouble::Twice);
        let hits = |seed| (0..10_000).filter(|number| !script.of(seed, *number, 0, 1).is_empty()).collect::<Vec<_>>();
        assert_eq!(hits(7), hits(7));
        assert_ne!(hits(7), hits(8));
        assert!((900..1100).contains(&hits(7).len()), "{}", hits(7).len());
    }

    #[test]
    fn rules_apply_where_and_when_they_say() {
        let script = Script::default().every(3, Trouble::Twice).on_endpoint(1).at(4, Trouble::Single);
        let kinds = |number, endpoint| script.of(1, number, endpoint, 1).len();
        assert_eq!([kinds(3, 0), kinds(3, 1), kinds(4, 0), kinds(5, 1)], [0, 1, 1, 0]);
        let script = Script::default().http(Target::Token, 2, Answer::status(503));
        assert_eq!(script.answer(Target::Token, 2).unwrap().status, 503);
        assert_eq!(script.answer(Target::Discovery, 2), None);
    }
}
