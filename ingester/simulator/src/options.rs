//! What a simulator is told.

use crate::{envelope::FRAGMENT_BYTES, trouble::Script};
use jiff::Timestamp;
use std::{net::SocketAddr, time::Duration};

/// What a simulator is told. The default is the recorded pace for ever, two endpoints, no TLS, no trouble, any port.
///
/// ```
/// use simulator::{Options, Pace};
/// let options = Options { pace: Pace::Max, count: Some(100), tls: true, ..Options::default() };
/// assert_eq!(options.endpoints, 2);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides every invented item and every trouble at random. Defaults to 1.
    pub seed: u64,
    /// When items are sent.
    pub pace: Pace,
    /// How many items are invented, repeats included; for ever if left out.
    pub count: Option<u64>,
    /// Items are invented beforehand, this many and all of them different, for speeds that inventing would not reach;
    /// when they are used up the feed ends. 0, the default, is none. Each takes about 3 KB.
    pub prebuilt: usize,
    /// How many connections must have asked for news before the first item is sent. Defaults to 1.
    pub wait_for: usize,
    /// The time of the first item; the others follow as recorded. Left out, items are from when they are sent.
    pub base_time: Option<Timestamp>,
    /// Endpoints, each a zone of its own, 1 to 3. Two and more get another that is in all zones. Defaults to 2.
    pub endpoints: usize,
    /// The address of the HTTP side. Endpoints are on the ports after it, or on any if it is 0, as by default.
    pub address: SocketAddr,
    /// Whether everything is behind TLS, by an authority of its own.
    pub tls: bool,
    /// Who may log in.
    pub accounts: Accounts,
    /// The region that endpoints are in. Defaults to `us-east-1`.
    pub region: String,
    /// The service that carries the news. Defaults to `ELEKTRON_DD`.
    pub service: String,
    /// `MRN_SRC` of every message.
    pub source: String,
    /// Whether `MRN_TRNA` is given: scores for English stories.
    pub scores: bool,
    /// The longest fragment, bytes. Defaults to 2600.
    pub fragment_bytes: usize,
    /// The longest message that is taken from a client, and what the login's answer says. Defaults to 61 440.
    pub max_message: usize,
    /// After how much silence of a client it is sent a ping. Defaults to 20 s.
    pub ping_after: Duration,
    /// How long it may take to answer. On the wire it is in whole seconds, at least one. Defaults to 30 s.
    pub ping_timeout: Duration,
    /// How many releases a connection may be behind before it is dropped; none is at [`Pace::Max`]. Defaults to 10 000.
    pub backlog: usize,
    /// Whether the journal keeps every item. Without, it counts only: for millions. Defaults to true.
    pub keep_entries: bool,
    /// What goes wrong.
    pub script: Script,
}

/// When items are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As recorded, so many times as fast: 1.0 is 4.2 items a second, in bursts of up to 34.
    Recorded(f64),
    /// This many a second, evenly.
    Rate(f64),
    /// As fast as the slowest connection takes them.
    Max,
    /// None but those that [`send`](crate::Simulator::send) is given.
    Manual,
}

/// Who may log in, and with what.
#[derive(Clone)]
pub struct Accounts {
    /// A machine id of version 1 logins.
    pub username: String,
    /// Its password.
    pub password: String,
    /// Its application's key.
    pub app_key: String,
    /// A service account of version 2 logins.
    pub client_id: String,
    /// Its secret. A signed assertion does as well; its signature is not checked.
    pub client_secret: String,
    /// Users who may log in without a token, as to an own installation; anybody if empty, as by default.
    pub users: Vec<String>,
    /// Whether any token is taken, issued here or not.
    pub any_token: bool,
    /// How long tokens of version 1 hold, and with them the session unless they are renewed. Defaults to 600 s.
    pub v1_token_life: Duration,
    /// How long a version 1 refresh token can be used. Defaults to six hours.
    pub refresh_life: Duration,
    /// How long tokens of version 2 hold. Defaults to 7199 s.
    pub v2_token_life: Duration,
    /// How many connections a machine id may have at a time. Defaults to 1.
    pub v1_sessions: usize,
    /// How many connections a service account may have at a time. Defaults to 5.
    pub v2_sessions: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            pace: Pace::Recorded(1.0),
            count: None,
            prebuilt: 0,
            wait_for: 1,
            base_time: None,
            endpoints: 2,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: false,
            accounts: Accounts::default(),
            region: "us-east-1".into(),
            service: "ELEKTRON_DD".into(),
            source: "HDC_PRD_A".into(),
            scores: true,
            fragment_bytes: FRAGMENT_BYTES,
            max_message: 61_440,
            ping_after: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(30),
            backlog: 10_000,
            keep_entries: true,
            script: Script::default(),
        }
    }
}

impl Options {
    /// One that sends nothing by itself: for tests that say what comes when.
    pub fn manual() -> Self {
        Self { pace: Pace::Manual, ..Self::default() }
    }

    /// One that sends this many invented items as fast as they are taken.
    pub fn burst(count: u64) -> Self {
        Self { pace: Pace::Max, count: Some(count), ..Self::default() }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            username: "GE-A-00000000-0-0000".into(),
            password: "simulated-password".into(),
            app_key: "simulated-app-key".into(),
            client_id: "GE-000000000000".into(),
            client_secret: "simulated-secret".into(),
            users: Vec::new(),
            any_token: false,
            v1_token_life: Duration::from_mins(10),
            refresh_life: Duration::from_hours(6),
            v2_token_life: Duration::from_secs(7199),
            v1_sessions: 1,
            v2_sessions: 5,
        }
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts")
            .field("username", &self.username)
            .field("client_id", &self.client_id)
            .field("users", &self.users)
            .finish_non_exhaustive()
    }
}
