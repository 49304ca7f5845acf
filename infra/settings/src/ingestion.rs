//! Feeds → Kinesis: the stream, and the machine that fills it.

use crate::{Architecture, Feed, Filter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Feeds → Kinesis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ingestion {
    /// Where the news comes from; one ingester reads all of them.
    #[schemars(length(min = 1, max = 16))]
    pub feeds: Vec<Feed>,
    /// Which items are sent on. Left out: all.
    #[serde(default)]
    pub filter: Filter,
    /// The Kinesis stream.
    #[serde(default)]
    pub stream: Stream,
    /// The machine that runs the ingester.
    #[serde(default)]
    pub instance: Instance,
    /// The image that the machine starts from.
    #[serde(default)]
    pub image: Image,
}

/// The Kinesis stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// Shards, 1 to 500; each takes 1 MB and 1000 records a second, and one is enough for most
    /// feeds. Left out: on demand, which costs more and never throttles for long.
    #[schemars(range(min = 1, max = 500))]
    pub shards: Option<u16>,
    /// How long records wait to be read, 24 to 8760 hours. Longer survives a longer failure
    /// downstream; beyond 24 hours costs extra.
    #[schemars(range(min = 24, max = 8760))]
    pub retention_hours: u16,
}

impl Default for Stream {
    fn default() -> Self {
        Self { shards: None, retention_hours: 24 }
    }
}

/// The machine that runs the ingester, one in an Auto Scaling group that replaces it when it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Instance {
    /// EC2's type, of the environment's `architecture`. Left out: `t3.small`, or `t4g.small` for
    /// arm64.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$"))]
    pub instance_type: Option<String>,
    /// The disk, 8 to 1024 GiB; what the system leaves is for the spool that holds items while
    /// Kinesis is away.
    #[schemars(range(min = 8, max = 1024))]
    pub volume_gib: u16,
    /// How many items the spool may hold on that disk, 64 to 524 288 MiB.
    #[schemars(range(min = 64, max = 524_288))]
    pub spool_mib: u32,
}

impl Default for Instance {
    fn default() -> Self {
        Self { instance_type: None, volume_gib: 16, spool_mib: 4096 }
    }
}

impl Instance {
    /// The type that was given, or the smallest sensible one.
    pub fn instance_type(&self, architecture: Architecture) -> &str {
        let smallest = match architecture {
            Architecture::X86 => "t3.small",
            Architecture::Arm => "t4g.small",
        };
        self.instance_type.as_deref().unwrap_or(smallest)
    }
}

/// The image that the machine starts from. It needs systemd, the SSM agent and the AWS CLI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Image {
    /// The newest of a public line, Amazon Linux 2023 by default; the ingester is installed when
    /// the machine starts.
    Public(PublicImage),
    /// An image by its id; the ingester is installed when the machine starts.
    Id(ImageById),
    /// An image with the ingester inside, built by EC2 Image Builder: starts in half a minute, and
    /// needs nothing but the feed and Kinesis to start. A network of our own needs a NAT for it, as
    /// the machine that builds has no public address.
    Baked(BakedImage),
}

impl Default for Image {
    fn default() -> Self {
        Self::Public(PublicImage::default())
    }
}

/// The newest image that a public parameter of Systems Manager names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PublicImage {
    /// The parameter. Left out: Amazon Linux 2023 of the environment's `architecture`.
    #[schemars(regex(pattern = r"^/aws/service/[A-Za-z0-9/._-]+$"))]
    pub parameter: Option<String>,
}

impl PublicImage {
    /// The parameter that was given, or Amazon Linux 2023's.
    pub fn parameter(&self, architecture: Architecture) -> String {
        self.parameter.clone().unwrap_or_else(|| {
            let architecture = architecture.name();
            format!("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}")
        })
    }
}

/// An image by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageById {
    /// The image: `ami-0a1b2c3d`.
    #[schemars(regex(pattern = r"^ami-[0-9a-f]{8,17}$"))]
    pub ami_id: String,
}

/// An image with the ingester inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BakedImage {
    /// When it is built anew, for the system's updates: a cron expression of six fields in UTC.
    /// Sundays at four by default; built only if the parent image or the ingester changed.
    #[schemars(regex(pattern = r"^cron\(.+\)$"))]
    pub schedule: String,
    /// The machine that builds it, of the environment's `architecture`. Left out: the ingester's.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$"))]
    pub build_instance_type: Option<String>,
}

impl Default for BakedImage {
    fn default() -> Self {
        Self { schedule: "cron(0 4 ? * sun *)".into(), build_instance_type: None }
    }
}
