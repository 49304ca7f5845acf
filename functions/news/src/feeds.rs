//! Where the news comes from.

use crate::NewsItem;
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

/// How the cloud of LSEG is reached when a feed doesn't say (`Refinitiv/websocket-api`, example clients).
pub const LSEG_API: &str = "https://api.refinitiv.com";

/// Where Alpaca's news come from (Alpaca, "Real-time News").
pub const ALPACA_URL: &str = "wss://stream.data.alpaca.markets/v1beta1/news";

/// Where Alpaca's invented news come from.
pub const ALPACA_SANDBOX_URL: &str = "wss://stream.data.sandbox.alpaca.markets/v1beta1/news";

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
    /// Where tokens are given and endpoints listed. Left out: `https://api.refinitiv.com`. Another is
    /// for a simulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$"))]
    pub api: Option<String>,
}

/// How to log in to LSEG's cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// A machine id: the secret holds `username`, `password` and `client_id`. One session each.
    V1,
    /// A service account: the secret holds `client_id`, and `client_secret` or `private_key` (PEM or
    /// JWK, to sign assertions with). Five sessions; the default.
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
    /// Where the stream is. Left out: Alpaca's own. Another is for a simulator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^wss?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"))]
    pub url: Option<String>,
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

impl Filter {
    /// Whether an item is sent on.
    ///
    /// Languages, providers and subjects are compared in any case; an item without an urgency fits no list of them. A
    /// provider fits with or without LSEG's `NS:`, which items don't carry.
    pub fn takes(&self, item: &NewsItem) -> bool {
        let provider =
            |wanted: &String| wanted.strip_prefix("NS:").unwrap_or(wanted).eq_ignore_ascii_case(&item.provider);
        let subject = |wanted: &String| item.subjects.iter().any(|has| has.eq_ignore_ascii_case(wanted));
        (self.languages.is_empty() || self.languages.iter().any(|wanted| wanted.eq_ignore_ascii_case(&item.language)))
            && (self.providers.is_empty() || self.providers.iter().any(provider))
            && (self.subjects.is_empty() || self.subjects.iter().any(subject))
            && (self.urgencies.is_empty() || item.urgency.is_some_and(|urgency| self.urgencies.contains(&urgency)))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> NewsItem {
        let record = br#"{
            "version": 1, "id": "a", "thread": "t", "source": "wire", "provider": "p", "language": "und", "kind": "alert",
            "status": "usable", "headline": "h", "published": "2026-01-02T03:04:05Z"
        }"#;
        NewsItem::from_record(record).unwrap()
    }

    #[test]
    fn item_is_taken_that_fits_every_list() {
        let item = NewsItem {
            provider: "RTRS".into(),
            language: "en".into(),
            urgency: Some(1),
            subjects: vec!["M:1L".into(), "R:VOD.L".into()],
            ..plain()
        };
        let filter = |languages: &[&str], providers: &[&str], subjects: &[&str], urgencies: &[u8]| {
            let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
            Filter {
                languages: texts(languages),
                providers: texts(providers),
                subjects: texts(subjects),
                urgencies: urgencies.into(),
            }
        };
        assert!(filter(&[], &[], &[], &[]).takes(&item));
        assert!(filter(&["de", "EN"], &["NS:RTRS"], &["m:1l"], &[1, 3]).takes(&item));
        assert!(filter(&[], &["rtrs"], &[], &[]).takes(&item));
        for refuses in [
            filter(&["de"], &[], &[], &[]),
            filter(&[], &["NS:LSE"], &[], &[]),
            filter(&[], &[], &["M:2"], &[]),
            filter(&[], &[], &[], &[3]),
        ] {
            assert!(!refuses.takes(&item), "{refuses:?}");
        }
        let unsaid = NewsItem { urgency: None, ..item };
        assert!(!filter(&[], &[], &[], &[1]).takes(&unsaid));
    }
}
