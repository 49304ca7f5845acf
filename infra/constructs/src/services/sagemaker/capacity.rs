//! What an endpoint runs on: nothing while nobody asks, or instances.

use std::borrow::Cow;

use crate::{
    services::units::{Gib, Mib, Seconds},
    tree::{Properties, Stack},
};

/// Capacity that comes with the requests and goes after them. The first request after a pause waits for the model
/// to load: seconds to tens of seconds.
///
/// ```
/// use constructs::services::{sagemaker::Serverless, units::Mib};
/// let warm = Serverless::of(Mib(4096), 20).provisioned(2);
/// ```
#[derive(Debug, Clone)]
pub struct Serverless {
    memory: Mib,
    max_concurrency: u32,
    provisioned: Option<u32>,
}

impl Serverless {
    /// Memory, 1024 to 6144 MiB in steps of 1024, and how many requests may run at once, 1 to 200; more are
    /// refused. Processors grow with the memory.
    pub fn of(memory: Mib, max_concurrency: u32) -> Self {
        Self { memory, max_concurrency, provisioned: None }
    }

    /// How many are kept warm, up to the maximum concurrency, paid by the hour. Defaults to none.
    pub fn provisioned(mut self, concurrency: u32) -> Self {
        self.provisioned = Some(concurrency);
        self
    }

    pub(super) fn is_provisioned(&self) -> bool {
        self.provisioned.is_some()
    }

    pub(super) fn check(&self, stack: &mut Stack) {
        let Self { memory: Mib(memory), max_concurrency, provisioned } = *self;
        if !(1024..=6144).contains(&memory) || memory % 1024 != 0 {
            stack.problem(format!(
                "a serverless endpoint has {memory} MiB; SageMaker takes 1024 to 6144 in steps of 1024"
            ));
        }
        if !(1..=200).contains(&max_concurrency) {
            stack.problem(format!(
                "a serverless endpoint's maximum concurrency is {max_concurrency}; SageMaker takes 1 to 200"
            ));
        }
        if let Some(provisioned) = provisioned
            && !(1..=max_concurrency).contains(&provisioned)
        {
            stack.problem(format!(
                "{provisioned} requests are kept warm; that is 1 to the maximum concurrency, {max_concurrency}"
            ));
        }
    }

    pub(super) fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("MemorySizeInMB", self.memory)
            .set("MaxConcurrency", self.max_concurrency)
            .set_some("ProvisionedConcurrency", self.provisioned)
    }

    pub(super) fn terraform(&self) -> Properties {
        Properties::default()
            .set("memory_size_in_mb", self.memory)
            .set("max_concurrency", self.max_concurrency)
            .set_some("provisioned_concurrency", self.provisioned)
    }
}

/// To which instance a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// To any: SageMaker's default.
    Random,
    /// To the one with the fewest unanswered requests: for requests of uneven length.
    LeastOutstandingRequests,
}

impl Routing {
    fn word(self) -> &'static str {
        match self {
            Self::Random => "RANDOM",
            Self::LeastOutstandingRequests => "LEAST_OUTSTANDING_REQUESTS",
        }
    }
}

/// Instances that wait for requests.
///
/// ```
/// use constructs::services::{sagemaker::Instances, units::Seconds};
/// let pair = Instances::of("ml.g5.xlarge").count(2).startup_timeout(Seconds(600));
/// ```
#[derive(Debug, Clone)]
pub struct Instances {
    kind: Cow<'static, str>,
    count: u32,
    volume: Option<Gib>,
    startup: Option<Seconds>,
    download: Option<Seconds>,
    routing: Option<Routing>,
}

impl Instances {
    /// One instance of a type, such as `ml.m5.xlarge`.
    pub fn of(kind: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: kind.into(), count: 1, volume: None, startup: None, download: None, routing: None }
    }

    /// How many to start with; scaling may change it later. Defaults to 1; from 2 on they stand in several zones.
    pub fn count(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// The volume of each, 1 to 512 GiB. Left out, SageMaker chooses; types with local storage take none.
    pub fn volume(mut self, size: Gib) -> Self {
        self.volume = Some(size);
        self
    }

    /// How long a container may take until it answers health checks, 60 to 3600 seconds. Left out, 8 minutes.
    pub fn startup_timeout(mut self, timeout: Seconds) -> Self {
        self.startup = Some(timeout);
        self
    }

    /// How long fetching the model from S3 may take, 60 to 3600 seconds.
    pub fn download_timeout(mut self, timeout: Seconds) -> Self {
        self.download = Some(timeout);
        self
    }

    /// To which of them a request goes. Defaults to [`Routing::Random`].
    pub fn routing(mut self, routing: Routing) -> Self {
        self.routing = Some(routing);
        self
    }

    /// The family's letters and digits: `m5d` in `ml.m5d.xlarge`.
    fn family(&self) -> Option<&str> {
        let (family, size) = self.kind.strip_prefix("ml.")?.split_once('.')?;
        let letters = |text: &str| {
            text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
        };
        (!family.is_empty() && !size.is_empty() && letters(family) && letters(size)).then_some(family)
    }

    /// Whether the type brings disks of its own, which are encrypted by their hardware and take no key.
    pub fn has_local_storage(&self) -> bool {
        let Some(family) = self.family() else { return false };
        let after_generation = family.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        ["g5", "g6", "p4d", "p5", "p6", "trn"].iter().any(|known| family.starts_with(known))
            || after_generation.contains('d')
    }

    pub(super) fn has_graphics(&self) -> bool {
        self.family().is_some_and(|family| family.starts_with('g') || family.starts_with('p'))
    }

    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    pub(super) fn check(&self, stack: &mut Stack) {
        if self.family().is_none() {
            stack.problem(format!("the instance type `{}` must be like `ml.m5.xlarge`", self.kind));
        }
        if self.count == 0 {
            stack.problem("a variant starts with at least 1 instance; scaling may take it away later");
        }
        if let Some(Gib(size)) = self.volume {
            if !(1..=512).contains(&size) {
                stack.problem(format!("an instance's volume is {size} GiB; SageMaker takes 1 to 512"));
            } else if self.has_local_storage() {
                stack.problem(format!("`{}` has local storage and takes no volume", self.kind));
            }
        }
        for (what, timeout) in [("starting a container", self.startup), ("fetching the model", self.download)] {
            if let Some(Seconds(seconds)) = timeout
                && !(60..=3600).contains(&seconds)
            {
                stack.problem(format!("{what} may take {seconds} seconds; SageMaker takes 60 to 3600"));
            }
        }
    }

    pub(super) fn cloudformation(&self, variant: Properties) -> Properties {
        variant
            .set("InstanceType", self.kind.clone().into_owned())
            .set("InitialInstanceCount", self.count)
            .set_some("VolumeSizeInGB", self.volume)
            .set_some("ContainerStartupHealthCheckTimeoutInSeconds", self.startup)
            .set_some("ModelDataDownloadTimeoutInSeconds", self.download)
            .set_some(
                "RoutingConfig",
                self.routing.map(|routing| Properties::default().set("RoutingStrategy", routing.word())),
            )
    }

    pub(super) fn terraform(&self, variant: Properties) -> Properties {
        variant
            .set("instance_type", self.kind.clone().into_owned())
            .set("initial_instance_count", self.count)
            .set_some("volume_size_in_gb", self.volume)
            .set_some("container_startup_health_check_timeout_in_seconds", self.startup)
            .set_some("model_data_download_timeout_in_seconds", self.download)
            .set_some(
                "routing_config",
                self.routing.map(|routing| Properties::default().set("routing_strategy", routing.word())),
            )
    }
}
