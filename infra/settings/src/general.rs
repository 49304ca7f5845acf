//! What concerns the whole environment.

use crate::{Enrichment, Ingestion, Monitoring, Network, Redistribution, Table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One environment of the pipeline: one file, one `newsloom.toml`.
///
/// Only `name`, `region` and one feed are needed. No secret belongs in here: credentials live in
/// Secrets Manager, and the file names them at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Begins the name of every resource: 2 to 24 lower-case letters, digits and hyphens, a letter
    /// first. A change replaces everything, so two environments in one account differ here.
    #[schemars(regex(pattern = r"^[a-z](-?[a-z0-9])+$"), length(min = 2, max = 24))]
    pub name: String,

    /// The AWS region, `eu-west-1`. A change makes everything anew.
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: String,

    /// Left out: the partition of the region, `aws-cn` for `cn-…`, `aws-us-gov` for `us-gov-…`.
    #[serde(default)]
    pub partition: Option<Partition>,

    /// The account, 12 digits. Left out: any. Given, a deployment into another one is refused.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub account: Option<String>,

    /// Written on every resource as the tag `Environment`: `production`. Left out: no such tag.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub environment: Option<String>,

    /// Tags for every resource, at most 40. Keys of up to 128 characters that don't begin with
    /// `aws:`, values of up to 256.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 40))]
    pub tags: BTreeMap<String, String>,

    /// What `destroy`, or a change that replaces, does to what holds data: the stream, the table,
    /// the broker, buckets, secrets and keys.
    #[serde(default)]
    pub removal: Removal,

    /// One stack, or one for each stage, so that a stage can be created and destroyed alone.
    #[serde(default)]
    pub stages: Layout,

    /// The processors that our binaries are built for, on Lambda and on EC2. `make package` builds
    /// for the same; arm64 costs about a fifth less and needs its Rust target installed.
    #[serde(default)]
    pub architecture: Architecture,

    /// Where Terraform keeps its state.
    #[serde(default)]
    pub terraform: Terraform,

    /// The VPC for ingester, broker and publish function.
    #[serde(default)]
    pub network: Network,

    /// Who keeps the keys. Everything is encrypted in any case.
    #[serde(default)]
    pub encryption: Encryption,

    /// Where packages are put for AWS to take.
    #[serde(default)]
    pub code: Code,

    /// Feeds → Kinesis.
    pub ingestion: Ingestion,

    /// Kinesis → SageMaker → DynamoDB.
    #[serde(default)]
    pub enrichment: Enrichment,

    /// The table of enriched articles.
    #[serde(default)]
    pub table: Table,

    /// DynamoDB → RabbitMQ.
    #[serde(default)]
    pub redistribution: Redistribution,

    /// Alarms, dashboard, logs and traces.
    #[serde(default)]
    pub monitoring: Monitoring,
}

impl Settings {
    /// The partition that was given, or the region's.
    pub fn partition(&self) -> Partition {
        self.partition.unwrap_or_else(|| Partition::of_region(&self.region))
    }
}

/// A family of regions with its own ARNs and domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Partition {
    /// The commercial regions.
    #[serde(rename = "aws")]
    Commercial,
    /// China.
    #[serde(rename = "aws-cn")]
    China,
    /// The government of the United States.
    #[serde(rename = "aws-us-gov")]
    UsGov,
}

impl Partition {
    /// The partition that a region lies in.
    pub fn of_region(region: &str) -> Self {
        match region {
            region if region.starts_with("cn-") => Self::China,
            region if region.starts_with("us-gov-") => Self::UsGov,
            _ => Self::Commercial,
        }
    }

    /// Its name, as ARNs have it: `aws-cn`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commercial => "aws",
            Self::China => "aws-cn",
            Self::UsGov => "aws-us-gov",
        }
    }
}

/// What happens to data when its resource goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// It goes too. For trying things out; the default.
    #[default]
    Destroy,
    /// It stays: deletion protection is on where AWS has it, buckets that hold something refuse,
    /// and CloudFormation leaves it behind.
    Retain,
    /// As `retain`, and Terraform refuses every plan that would destroy it.
    Prevent,
}

/// How stages become stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// All stages in one stack; the default.
    #[default]
    Together,
    /// A stack for each stage; later ones read what earlier ones put out.
    Separate,
}

/// A processor architecture, in Lambda's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// Intel and AMD; the default.
    #[default]
    #[serde(rename = "x86_64")]
    X86,
    /// Graviton.
    #[serde(rename = "arm64")]
    Arm,
}

impl Architecture {
    /// Lambda's, EC2's and Image Builder's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }
}

/// Where Terraform keeps its state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "backend", rename_all = "snake_case", deny_unknown_fields)]
pub enum Terraform {
    /// In `synth-out/terraform.tfstate`: for one person trying things out. The state holds the
    /// broker's password, so it must not be shared.
    #[default]
    Local,
    /// In an S3 bucket that exists already, locked while someone works.
    S3(S3Backend),
}

/// A bucket for Terraform's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Backend {
    /// The bucket; turn its versioning on.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))]
    pub bucket: String,
    /// Begins the key of each stack's state: `<key_prefix>/<stack>.tfstate`. Left out: `name`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 512))]
    pub key_prefix: Option<String>,
    /// The bucket's region. Left out: the environment's.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
    /// The KMS key that encrypts the state, an ARN. Left out: the bucket's default.
    #[serde(default)]
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"))]
    pub kms_key_arn: Option<String>,
}

/// Where packages are put for AWS to take: functions' zips, and the ingester.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Code {
    /// A bucket that exists already, in the environment's region. Left out: one is made.
    /// CloudFormation can't make a bucket, have it filled and make a function from it in one go: give a
    /// bucket, or a stack to each stage.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))]
    pub bucket: Option<String>,
}

/// Who keeps the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Encryption {
    /// Keys of your own in KMS, rotated each year, whose use CloudTrail records and you can revoke.
    /// About one US dollar a month for each, and for requests. Otherwise AWS's own keys.
    pub customer_managed: bool,
    /// A key that exists already, an ARN; its policy must let in this account, CloudWatch and, for the
    /// ingester's disk, the account's role `AWSServiceRoleForAutoScaling`. Left out: new ones are made. Only with `customer_managed = true`.
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"))]
    pub key_arn: Option<String>,
    /// How many days a key that was deleted can be had back, 7 to 30.
    #[schemars(range(min = 7, max = 30))]
    pub deletion_window_days: u8,
}

impl Default for Encryption {
    fn default() -> Self {
        Self { customer_managed: false, key_arn: None, deletion_window_days: 30 }
    }
}
