//! Where goes what a function could not do, or did.

use super::handle::FunctionRef;
use crate::{
    policy::Grant,
    services::{s3::BucketRef, sns::TopicRef, sqs::QueueRef, units::Seconds},
    tree::{Construct, NodeRef, Properties, Resource, Stack, Text, Types},
};

const SECONDS_KEPT: std::ops::RangeInclusive<u32> = 60..=21_600;
const MOST_RETRIES: u32 = 2;

/// A queue, topic, bucket, bus or function that takes what a function could not process. Their handles become one
/// by themselves: `on_failure(failures)`. The right to send goes to the function's role.
#[derive(Debug, Clone)]
pub struct Destination {
    arn: Text,
    send: Grant,
}

impl Destination {
    /// A destination by its ARN, and the right to send to it.
    pub fn of(arn: impl Into<Text>, send: Grant) -> Self {
        Self { arn: arn.into(), send }
    }

    pub(super) fn arn(&self) -> &Text {
        &self.arn
    }

    pub(super) fn send(&self) -> Grant {
        self.send.clone()
    }
}

/// Records that a function gave up on go to the queue: where they were, not what they held.
impl From<QueueRef> for Destination {
    fn from(queue: QueueRef) -> Self {
        Self::of(queue.arn(), queue.send())
    }
}

/// The topic's subscribers hear where the records were that a function gave up on.
impl From<TopicRef> for Destination {
    fn from(topic: TopicRef) -> Self {
        Self::of(topic.arn(), topic.publish())
    }
}

/// Records that a function gave up on are kept whole, under `aws/lambda/` (Lambda Developer Guide, "Retaining
/// discarded batches").
impl From<BucketRef> for Destination {
    fn from(bucket: BucketRef) -> Self {
        Self::of(bucket.arn(), bucket.put_prefix("aws/lambda/").and(bucket.list()))
    }
}

impl From<FunctionRef> for Destination {
    fn from(function: FunctionRef) -> Self {
        Self::of(function.arn(), function.invoke())
    }
}

/// What becomes of asynchronous calls, such as those of topics, rules and buckets: Lambda queues them, tries
/// three times within 6 hours, and then drops them unless told where to put them.
///
/// ```
/// use constructs::services::{lambda::{EventInvoke, Function}, units::Seconds};
/// let alert = Function::rust("target/lambda/alert.zip").event_invoke(EventInvoke::new().retries(0).max_age(Seconds(300)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct EventInvoke {
    max_age: Option<Seconds>,
    retries: Option<u32>,
    on_failure: Option<Destination>,
    on_success: Option<Destination>,
}

impl EventInvoke {
    /// Lambda's own settings, to be changed.
    pub fn new() -> Self {
        Self::default()
    }

    /// How old a call may become while it waits, 60 to 21 600 seconds. Defaults to 21 600, which is 6 hours.
    pub fn max_age(mut self, age: Seconds) -> Self {
        self.max_age = Some(age);
        self
    }

    /// How often a call is repeated after an error, 0 to 2 times. Defaults to 2.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Where calls go that failed for good. Without one they are gone.
    pub fn on_failure(mut self, destination: impl Into<Destination>) -> Self {
        self.on_failure = Some(destination.into());
        self
    }

    /// Where the answers of calls go that succeeded.
    pub fn on_success(mut self, destination: impl Into<Destination>) -> Self {
        self.on_success = Some(destination.into());
        self
    }

    pub(super) fn sends(&self) -> impl Iterator<Item = Grant> {
        self.on_failure.iter().chain(&self.on_success).map(Destination::send)
    }
}

/// The settings of one function, below it.
#[derive(Debug)]
pub(super) struct FunctionEventInvoke {
    pub(super) function: FunctionRef,
    pub(super) settings: EventInvoke,
}

impl Construct for FunctionEventInvoke {
    type Handle = NodeRef;

    fn build(self, stack: &mut Stack) -> NodeRef {
        if let Some(Seconds(age)) = self.settings.max_age
            && !SECONDS_KEPT.contains(&age)
        {
            stack.problem(format!("calls may become {age} seconds old; Lambda keeps them 60 to 21600 seconds"));
        }
        if let Some(retries) = self.settings.retries
            && retries > MOST_RETRIES
        {
            stack.problem(format!("{retries} retries; Lambda repeats an asynchronous call up to 2 times"));
        }
        stack.resource(self)
    }
}

impl Resource for FunctionEventInvoke {
    fn types(&self) -> Types {
        Types::new("lambda", "aws_lambda_function_event_invoke_config", "AWS::Lambda::EventInvokeConfig")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("FunctionName", self.function.name())
            .set("Qualifier", "$LATEST")
            .set_some("MaximumEventAgeInSeconds", self.settings.max_age)
            .set_some("MaximumRetryAttempts", self.settings.retries)
            .set_filled("DestinationConfig", self.destinations(["OnFailure", "OnSuccess", "Destination"]))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("function_name", self.function.name())
            .set_some("maximum_event_age_in_seconds", self.settings.max_age)
            .set_some("maximum_retry_attempts", self.settings.retries)
            .set_filled("destination_config", self.destinations(["on_failure", "on_success", "destination"]))
    }
}

impl FunctionEventInvoke {
    fn destinations(&self, [failure, success, destination]: [&'static str; 3]) -> Properties {
        let to = |to: &Destination| Properties::default().set(destination, to.arn());
        Properties::default()
            .set_some(failure, self.settings.on_failure.as_ref().map(to))
            .set_some(success, self.settings.on_success.as_ref().map(to))
    }
}
