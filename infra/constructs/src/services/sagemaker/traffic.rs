//! What of an endpoint's traffic goes through S3: captures, and asynchronous requests.

use crate::{
    services::kms::KeyRef,
    tree::{Arn, Properties, Ref, Text},
};

/// What of the traffic is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// The requests.
    Input,
    /// The answers.
    Output,
    /// Both.
    InputAndOutput,
}

/// Requests and answers that are kept in S3, to look for drift.
#[derive(Debug, Clone)]
pub struct DataCapture {
    pub(super) destination: Text,
    pub(super) percentage: u32,
    what: Capture,
    pub(super) key: Option<KeyRef>,
}

impl DataCapture {
    /// Keeps so many of a hundred requests and their answers under `s3://bucket/prefix`.
    pub fn to(destination: impl Into<Text>, percentage: u32) -> Self {
        Self { destination: destination.into(), percentage, what: Capture::InputAndOutput, key: None }
    }

    /// Only one side. Defaults to both.
    pub fn only(mut self, what: Capture) -> Self {
        self.what = what;
        self
    }

    /// Encrypts what is kept with this key. Left out, the bucket's own encryption applies.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    fn modes(&self) -> &'static [&'static str] {
        match self.what {
            Capture::Input => &["Input"],
            Capture::Output => &["Output"],
            Capture::InputAndOutput => &["Input", "Output"],
        }
    }
}

/// Answers that are left in S3: for requests up to 1 GB that take up to an hour.
#[derive(Debug, Clone)]
pub struct Asynchronous {
    pub(super) output: Text,
    pub(super) failures: Option<Text>,
    pub(super) inputs: Option<Text>,
    pub(super) at_once: Option<u32>,
    pub(super) topics: [Option<Ref<Arn>>; 2],
    pub(super) key: Option<KeyRef>,
}

impl Asynchronous {
    /// Leaves answers under `s3://bucket/prefix`, and takes requests from under `inputs`.
    pub fn between(inputs: impl Into<Text>, output: impl Into<Text>) -> Self {
        let inputs = Some(inputs.into());
        Self { output: output.into(), failures: None, inputs, at_once: None, topics: [None, None], key: None }
    }

    /// Where failures are described. Left out, only the topic tells of them.
    pub fn failures(mut self, prefix: impl Into<Text>) -> Self {
        self.failures = Some(prefix.into());
        self
    }

    /// How many requests an instance works on at once, 1 to 1000. Left out, SageMaker chooses.
    pub fn at_once(mut self, requests: u32) -> Self {
        self.at_once = Some(requests);
        self
    }

    /// The SNS topics that are told of successes and of failures.
    pub fn telling(mut self, successes: Ref<Arn>, failures: Ref<Arn>) -> Self {
        self.topics = [Some(successes), Some(failures)];
        self
    }

    /// Encrypts the answers with this key. Left out, the bucket's own encryption applies.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }
}

// ---------------------------------------------------------------------------------------------------

impl DataCapture {
    pub(super) fn cloudformation(&self) -> Properties {
        let options = self.modes().iter().map(|mode| Properties::default().set("CaptureMode", *mode));
        Properties::default()
            .set("EnableCapture", true)
            .set("DestinationS3Uri", &self.destination)
            .set("InitialSamplingPercentage", self.percentage)
            .set("CaptureOptions", options.collect::<Vec<_>>())
            .set_some("KmsKeyId", self.key.map(KeyRef::arn))
    }

    pub(super) fn terraform(&self) -> Properties {
        let options = self.modes().iter().map(|mode| Properties::default().set("capture_mode", *mode));
        Properties::default()
            .set("enable_capture", true)
            .set("destination_s3_uri", &self.destination)
            .set("initial_sampling_percentage", self.percentage)
            .set("capture_options", options.collect::<Vec<_>>())
            .set_some("kms_key_id", self.key.map(KeyRef::arn))
    }
}

impl Asynchronous {
    pub(super) fn cloudformation(&self) -> Properties {
        let [successes, failures] = self.topics;
        let topics = Properties::default().set_some("SuccessTopic", successes).set_some("ErrorTopic", failures);
        let output = Properties::default()
            .set("S3OutputPath", &self.output)
            .set_some("S3FailurePath", self.failures.as_ref())
            .set_filled("NotificationConfig", topics)
            .set_some("KmsKeyId", self.key.map(KeyRef::arn));
        let client =
            self.at_once.map(|at_once| Properties::default().set("MaxConcurrentInvocationsPerInstance", at_once));
        Properties::default().set("OutputConfig", output).set_some("ClientConfig", client)
    }

    pub(super) fn terraform(&self) -> Properties {
        let [successes, failures] = self.topics;
        let topics = Properties::default().set_some("success_topic", successes).set_some("error_topic", failures);
        let output = Properties::default()
            .set("s3_output_path", &self.output)
            .set_some("s3_failure_path", self.failures.as_ref())
            .set_filled("notification_config", topics)
            .set_some("kms_key_id", self.key.map(KeyRef::arn));
        let client =
            self.at_once.map(|at_once| Properties::default().set("max_concurrent_invocations_per_instance", at_once));
        Properties::default().set("output_config", output).set_some("client_config", client)
    }
}
