//! What the ingester is told.

use crate::feeds::{Feed, Filter};
use serde::{Deserialize, Serialize};

/// What the ingester needs to know: feeds → Kinesis. It is a file on its machine, which the stack writes as JSON; at a
/// desk it may be TOML. Names of secrets, never secrets.
///
/// ```
/// let settings: news::settings::IngesterSettings = serde_json::from_str(
///     r#"{ "pipeline": "news", "stream": "news-ingestion-news", "feeds": [
///         { "kind": "rss", "name": "press", "urls": ["https://news.example/feed"] }
///     ] }"#,
/// )?;
/// assert_eq!(settings.spool_mib, 1024);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngesterSettings {
    /// The environment's name, for the metrics.
    pub pipeline: String,
    /// The region of stream, secrets and logs. Left out: the environment's.
    #[serde(default)]
    pub region: Option<String>,
    /// The Kinesis stream. Left out: the command line says where items go.
    #[serde(default)]
    pub stream: Option<String>,
    /// CloudWatch's group for log and metrics. Left out: they are not sent there.
    #[serde(default)]
    pub log_group: Option<String>,
    /// The most that waits on disk while Kinesis is away, MiB; 1024 by default.
    #[serde(default = "spool_mib")]
    pub spool_mib: u32,
    /// Which items are sent on; all by default.
    #[serde(default)]
    pub filter: Filter,
    /// Where the news comes from, one or more.
    pub feeds: Vec<Feed>,
}

fn spool_mib() -> u32 {
    1024
}
