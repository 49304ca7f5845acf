//! Kinesis → SageMaker → DynamoDB: models, the function that asks them, and the table.

use crate::{Function, Trigger};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kinesis → SageMaker → DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Enrichment {
    /// The size of the function.
    pub function: Function,
    /// How records come to it.
    pub trigger: Trigger,
    /// Headlines in one request to a model, 1 to 128.
    #[schemars(range(min = 1, max = 128))]
    pub headlines_per_request: u16,
    /// Requests on their way at once per batch, 1 to 64. A serverless endpoint refuses more than
    /// its concurrency.
    #[schemars(range(min = 1, max = 64))]
    pub requests_in_flight: u16,
    /// When a request is given up, 100 to 60 000 milliseconds.
    #[schemars(range(min = 100, max = 60_000))]
    pub request_timeout_ms: u32,
    /// Writes to the table on their way at once, 1 to 64.
    #[schemars(range(min = 1, max = 64))]
    pub writes_in_flight: u16,
    /// How long records that can never succeed are kept for a look, 1 to 14 days.
    #[schemars(range(min = 1, max = 14))]
    pub quarantine_days: u8,
    /// Which model judges which language; a language without a route is stored unjudged. Left
    /// out: ProsusAI/finbert judges English on a serverless endpoint.
    #[schemars(length(max = 12))]
    pub routes: Vec<Route>,
}

impl Default for Enrichment {
    fn default() -> Self {
        Self {
            function: Function::default(),
            trigger: Trigger::default(),
            headlines_per_request: 16,
            requests_in_flight: 8,
            request_timeout_ms: 10_000,
            writes_in_flight: 16,
            quarantine_days: 14,
            routes: vec![Route::default()],
        }
    }
}

/// The model for some languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Names the endpoint, `<name>-<route>`; a name appears once.
    #[schemars(regex(pattern = r"^[a-z](-?[a-z0-9])*$"), length(max = 24))]
    pub name: String,
    /// Languages, `["en"]`, or `["*"]` for all that no other route names.
    #[schemars(length(min = 1, max = 64), inner(regex(pattern = r"^([a-z]{2,3}|\*)$")))]
    pub languages: Vec<String>,
    /// What answers.
    pub endpoint: Endpoint,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            name: "finbert".into(),
            languages: vec!["en".into()],
            endpoint: Endpoint::Serverless(ServerlessEndpoint::default()),
        }
    }
}

/// What answers a route's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Endpoint {
    /// Paid by the request; the first after a pause waits seconds for a cold start.
    Serverless(ServerlessEndpoint),
    /// Machines that are always there, and more of them when needed.
    Instances(InstanceEndpoint),
    /// An endpoint that exists already.
    Existing(ExistingEndpoint),
}

/// A serverless endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerlessEndpoint {
    /// The model it runs.
    pub model: Model,
    /// The container, an image in ECR. Left out: Hugging Face's for inference on processors.
    #[schemars(regex(
        pattern = r"^[0-9]{12}\.dkr\.ecr\.[a-z0-9.-]+/[a-z0-9/._-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})$"
    ))]
    pub image: Option<String>,
    /// Memory, 1024 to 6144 MiB in steps of 1024. FinBERT wants 3072.
    #[schemars(range(min = 1024, max = 6144), extend("multipleOf" = 1024))]
    pub memory_mib: u16,
    /// Requests at once, 1 to 200; more are refused and tried again.
    #[schemars(range(min = 1, max = 200))]
    pub max_concurrency: u16,
    /// How many are kept warm, at most `max_concurrency`; paid by the hour. Left out: none.
    #[schemars(range(min = 1, max = 200))]
    pub provisioned_concurrency: Option<u16>,
}

impl Default for ServerlessEndpoint {
    fn default() -> Self {
        Self {
            model: Model::default(),
            image: None,
            memory_mib: 3072,
            max_concurrency: 8,
            provisioned_concurrency: None,
        }
    }
}

/// An endpoint of machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceEndpoint {
    /// The model they run.
    pub model: Model,
    /// The container, an image in ECR. Left out: Hugging Face's for inference, on graphics
    /// processors where the type has them.
    #[schemars(regex(
        pattern = r"^[0-9]{12}\.dkr\.ecr\.[a-z0-9.-]+/[a-z0-9/._-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})$"
    ))]
    pub image: Option<String>,
    /// SageMaker's type.
    #[schemars(regex(pattern = r"^ml\.[a-z][a-z0-9-]*\.[a-z0-9-]+$"))]
    pub instance_type: String,
    /// How many at first, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub count: u16,
    /// More and fewer as needed. Left out: always `count`.
    pub autoscaling: Option<Autoscaling>,
}

impl Default for InstanceEndpoint {
    fn default() -> Self {
        Self { model: Model::default(), image: None, instance_type: "ml.c7i.large".into(), count: 1, autoscaling: None }
    }
}

/// Target tracking on the requests that a machine gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoscaling {
    /// Never fewer machines, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub min: u16,
    /// Never more, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub max: u16,
    /// Requests a minute that one machine should get; a request carries
    /// `headlines_per_request` headlines.
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_instance: u32,
    /// How long to wait after taking a machine away, 0 to 3600 seconds.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_in_cooldown_seconds: u16,
    /// How long to wait after adding one, 0 to 3600 seconds.
    #[serde(default = "one_minute")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_out_cooldown_seconds: u16,
}

/// An endpoint that exists already, in this account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExistingEndpoint {
    /// Its name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9](-*[A-Za-z0-9]){0,62}$"))]
    pub endpoint_name: String,
    /// The model it runs, as items will say.
    #[schemars(length(min = 1, max = 128))]
    pub model: String,
    /// The version of the model, as items will say.
    #[serde(default = "unknown")]
    #[schemars(length(min = 1, max = 128))]
    pub model_version: String,
}

/// A model for text classification with positive, negative and neutral labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
pub enum Model {
    /// Pulled from the Hugging Face hub when the endpoint starts.
    Hub(HubModel),
    /// A `model.tar.gz` in S3, in the form of the Hugging Face containers.
    S3(S3Model),
}

impl Default for Model {
    fn default() -> Self {
        Self::Hub(HubModel {
            id: "ProsusAI/finbert".into(),
            revision: "4556d13015211d73dccd3fdd39d39232506f3e43".into(),
        })
    }
}

impl Model {
    /// What items say about who judged them.
    pub fn id(&self) -> &str {
        match self {
            Self::Hub(model) => &model.id,
            Self::S3(model) => &model.id,
        }
    }

    /// Which version of it.
    pub fn version(&self) -> &str {
        match self {
            Self::Hub(model) => &model.revision,
            Self::S3(model) => &model.version,
        }
    }
}

/// A model of the Hugging Face hub, a public one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubModel {
    /// Its id: `ProsusAI/finbert`, `yiyanghkust/finbert-tone`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"), length(max = 96))]
    pub id: String,
    /// A commit, a tag or a branch. A branch moves, so that two machines may judge differently:
    /// better name a commit.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_./-]{1,100}$"))]
    pub revision: String,
}

/// A model in S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Model {
    /// The archive, `s3://bucket/path/model.tar.gz`, in the environment's region.
    #[schemars(regex(pattern = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+\.tar\.gz$"))]
    pub archive: String,
    /// What items say about who judged them.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
    /// Which version of it.
    #[schemars(length(min = 1, max = 128))]
    pub version: String,
}

/// The table of enriched articles: on demand, its changes streamed to the publish function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Table {
    /// Days after which an article is deleted, up to 3650; 0 keeps them for ever.
    #[schemars(range(max = 3650))]
    pub ttl_days: u16,
    /// Be able to restore any second of the last 35 days. Costs by the gigabyte.
    pub point_in_time_recovery: bool,
}

impl Default for Table {
    fn default() -> Self {
        Self { ttl_days: 90, point_in_time_recovery: true }
    }
}

fn five_minutes() -> u16 {
    300
}

fn one_minute() -> u16 {
    60
}

fn unknown() -> String {
    "unknown".into()
}
