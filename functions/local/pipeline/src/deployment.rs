//! Where a running pipeline is reached: on this machine or on AWS, by the outputs of its stack.

use std::path::PathBuf;

/// A pipeline that runs, and how to reach it.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Region, credentials, and the endpoint where AWS isn't AWS.
    pub config: aws_config::SdkConfig,
    /// What the stack says about itself.
    pub outputs: Outputs,
    /// The topic exchange that enriched items are published to.
    pub exchange: String,
    /// Certificates (PEM) to trust beside the system's, for a broker of this machine.
    pub broker_ca: Option<PathBuf>,
}

/// The stack's outputs that one needs to put something in and take something out.
///
/// ```
/// use local_pipeline::Outputs;
/// let missing = Outputs::read(|name| (name == "StreamName").then(|| "news".to_owned())).unwrap_err();
/// assert!(missing.to_string().contains("ArticlesTable"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs {
    /// `StreamName`: the Kinesis stream that items are put on.
    pub stream: String,
    /// `ArticlesTable`: the table of enriched items.
    pub table: String,
    /// `QuarantineUrl`: the queue of records that can never succeed.
    pub quarantine_url: String,
    /// `EnrichFailuresUrl`: the queue that says where records were that enrich gave up on.
    pub enrich_failures_url: String,
    /// `PublishFailuresUrl`: the same for publish.
    pub publish_failures_url: String,
    /// `BrokerUrl`: `amqps://host:port`.
    pub broker_url: String,
    /// `BrokerSecret`: the ARN of the secret with username and password.
    pub broker_secret: String,
}

/// A stack that doesn't say what is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stack has no output {}", .0.join(", "))]
pub struct MissingOutputs(pub Vec<&'static str>);

impl Outputs {
    /// Takes them by name.
    ///
    /// # Errors
    ///
    /// Names every one that is missing.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, MissingOutputs> {
        let mut missing = Vec::new();
        let mut output = |name: &'static str| {
            lookup(name).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let outputs = Self {
            stream: output("StreamName"),
            table: output("ArticlesTable"),
            quarantine_url: output("QuarantineUrl"),
            enrich_failures_url: output("EnrichFailuresUrl"),
            publish_failures_url: output("PublishFailuresUrl"),
            broker_url: output("BrokerUrl"),
            broker_secret: output("BrokerSecret"),
        };
        if missing.is_empty() { Ok(outputs) } else { Err(MissingOutputs(missing)) }
    }
}
