//! Where the news comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where news comes from. Credentials are always in Secrets Manager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Feed {
    /// LSEG Machine Readable News from the cloud (Real-Time Optimized).
    Lseg(Lseg),
    /// LSEG Machine Readable News from an own installation (RTDS).
    LsegDeployed(LsegDeployed),
    /// Alpaca's news, written by Benzinga; a free account is enough.
    Alpaca(Alpaca),
    /// RSS and Atom pages, read from time to time; needs no account.
    Rss(Rss),
    /// A file of recorded items, for tests, demonstrations and batches.
    Replay(Replay),
}

impl Feed {
    /// What this feed is called in metrics, secrets and logs.
    pub fn name(&self) -> &str {
        match self {
            Self::Lseg(Lseg { name, .. })
            | Self::LsegDeployed(LsegDeployed { name, .. })
            | Self::Alpaca(Alpaca { name, .. })
            | Self::Rss(Rss { name, .. })
            | Self::Replay(Replay { name, .. }) => name,
        }
    }

    /// The secret that exists already, if the file names one.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Lseg(Lseg { secret, .. }) | Self::Alpaca(Alpaca { secret, .. }) => secret.as_deref(),
            Self::LsegDeployed(_) | Self::Rss(_) | Self::Replay(_) => None,
        }
    }

    /// Whether it logs in with credentials, so that it needs a secret: its own or a new one.
    pub fn needs_credentials(&self) -> bool {
        matches!(self, Self::Lseg(_) | Self::Alpaca(_))
    }
}

/// LSEG Machine Readable News from the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lseg {
    /// What this feed is called in metrics, secrets and logs; a name appears once.
    #[schemars(regex(pattern = r"^[a-z](-?[a-z0-9])*$"), length(max = 32))]
    pub name: String,
    /// LSEG's region to connect to, the nearest: `us-east-1`, `us-east-2`, `eu-central-1`,
    /// `eu-west-1`, `ap-northeast-1` or `ap-southeast-1`.
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: String,
    /// How to log in.
    #[serde(default)]
    pub authentication: Authentication,
    /// 1, or 2 for a hot standby in another zone: what one misses while it reconnects, the other
    /// has. The feed offers no other cover for gaps. Version 1 logins allow one only.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub connections: u8,
    /// The service that carries the news. Left out: LSEG's default.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub service: Option<String>,
    /// Also take LSEG's own scores (`MRN_TRNA`), if the contract has them: for comparison.
    #[serde(default)]
    pub scores: bool,
    /// The secret with the login, a name or an ARN. Left out: an empty one is made,
    /// `<name>/feeds/<feed>`, for you to fill.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9/_+=.@:-]{1,512}$"))]
    pub secret: Option<String>,
}

/// How to log in to LSEG's cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// A machine id: the secret holds `username`, `password` and `client_id`. One session each.
    V1,
    /// A service account: the secret holds `client_id` and `client_secret`. Five sessions; the
    /// default.
    #[default]
    V2,
}

/// LSEG Machine Readable News from an own installation, without a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LsegDeployed {
    /// What this feed is called in metrics and logs; a name appears once.
    #[schemars(regex(pattern = r"^[a-z](-?[a-z0-9])*$"), length(max = 32))]
    pub name: String,
    /// The servers, `ws://ads1:15000/WebSocket`, in order of preference. The network must lead
    /// there.
    #[schemars(
        length(min = 1, max = 8),
        inner(regex(pattern = r"^wss?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"))
    )]
    pub servers: Vec<String>,
    /// The user that the installation knows (DACS).
    #[schemars(length(min = 1, max = 255))]
    pub user: String,
    /// The application's number, as the installation knows it.
    #[serde(default = "application")]
    #[schemars(regex(pattern = r"^[0-9]{1,5}$"))]
    pub application_id: String,
    /// 1, or 2 for a hot standby: needs two servers.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub connections: u8,
    /// The service that carries the news: `ELEKTRON_DD`. Left out: the installation's default.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    pub service: Option<String>,
    /// Also take LSEG's own scores (`MRN_TRNA`).
    #[serde(default)]
    pub scores: bool,
}

/// Alpaca's news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alpaca {
    /// What this feed is called in metrics, secrets and logs; a name appears once.
    #[schemars(regex(pattern = r"^[a-z](-?[a-z0-9])*$"), length(max = 32))]
    pub name: String,
    /// Only news on these, `["AAPL", "MSFT"]`; `["*"]` is all, and the default.
    #[serde(default = "all")]
    #[schemars(length(min = 1, max = 500), inner(length(min = 1, max = 32)))]
    pub symbols: Vec<String>,
    /// Use the sandbox and its own keys.
    #[serde(default)]
    pub sandbox: bool,
    /// The secret with `key_id` and `secret_key`, a name or an ARN. Left out: an empty one is
    /// made, `<name>/feeds/<feed>`, for you to fill.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9/_+=.@:-]{1,512}$"))]
    pub secret: Option<String>,
}

/// RSS and Atom pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rss {
    /// What this feed is called in metrics and logs; a name appears once.
    #[schemars(regex(pattern = r"^[a-z](-?[a-z0-9])*$"), length(max = 32))]
    pub name: String,
    /// The pages.
    #[schemars(length(min = 1, max = 200), inner(regex(pattern = r"^https?://[^\s@]+$")))]
    pub urls: Vec<String>,
    /// How often each is asked, 60 to 86 400 seconds; a page that wants to be asked less is.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 60, max = 86_400))]
    pub poll_seconds: u32,
    /// The language of pages that don't say: `en`. Left out: undetermined, which only a route for
    /// `*` takes.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[a-z]{2,3}$"))]
    pub language: Option<String>,
}

/// A file of recorded items, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// What this feed is called in metrics and logs; a name appears once.
    #[schemars(regex(pattern = r"^[a-z](-?[a-z0-9])*$"), length(max = 32))]
    pub name: String,
    /// The file: `s3://bucket/key`, or a path on the ingester's machine.
    #[schemars(regex(pattern = r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+|/.+)$"))]
    pub location: String,
    /// 1 is the recorded pace, 10 ten times that, 0 as fast as it goes.
    #[serde(default = "recorded_pace")]
    #[schemars(range(min = 0.0, max = 100_000.0))]
    pub speed: f64,
    /// Begin again at the end, for ever. Items keep their ids, so the table takes them once.
    #[serde(default)]
    pub repeat: bool,
}

/// Which items are sent on: those that fit every list that isn't empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Languages: `["en"]`.
    #[schemars(inner(regex(pattern = r"^[a-z]{2,3}$")))]
    pub languages: Vec<String>,
    /// Providers, as the feed names them: `["NS:RTRS"]`.
    #[schemars(inner(length(min = 1, max = 64)))]
    pub providers: Vec<String>,
    /// Subjects, one of which an item must have: `["M:1L"]`.
    #[schemars(inner(length(min = 1, max = 64)))]
    pub subjects: Vec<String>,
    /// Urgencies: 1 is an alert, 3 an article.
    #[schemars(inner(range(min = 1, max = 9)))]
    pub urgencies: Vec<u8>,
}

fn one() -> u8 {
    1
}

fn application() -> String {
    "256".into()
}

fn all() -> Vec<String> {
    vec!["*".into()]
}

fn five_minutes() -> u32 {
    300
}

fn recorded_pace() -> f64 {
    1.0
}
