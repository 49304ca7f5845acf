//! Subscriptions: who hears of what a topic publishes.

use super::topic::TopicRef;
use crate::{
    services::sqs::QueueRef,
    tree::{Access, Arn, Attribute, Construct, Handle, NodeRef, Properties, Ref, Resource, Stack, Text, Types, Value},
};

/// Somebody who hears of what a topic publishes.
///
/// A queue lets the topic send, and the subscription waits for that. A mail address or a web server has to
/// confirm before it hears anything.
///
/// ```
/// use constructs::{services::{sns::{Subscription, Topic}, sqs::Queue}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let news = stack.add("News", Topic::standard());
/// let english = stack.add("English", Queue::standard());
/// let filter = serde_json::json!({"language": ["en"]});
/// stack.add("NewsToEnglish", Subscription::queue(news, english).raw().filter(filter));
/// ```
#[derive(Debug, Clone)]
pub struct Subscription {
    topic: TopicRef,
    protocol: &'static str,
    endpoint: Text,
    queue: Option<QueueRef>,
    raw: bool,
    filter: Option<(&'static str, Value)>,
    dead_letters: Option<QueueRef>,
}

impl Subscription {
    fn new(topic: TopicRef, protocol: &'static str, endpoint: Text) -> Self {
        Self { topic, protocol, endpoint, queue: None, raw: false, filter: None, dead_letters: None }
    }

    /// A mail address, which gets the text of each message.
    pub fn email(topic: TopicRef, address: impl Into<Text>) -> Self {
        Self::new(topic, "email", address.into())
    }

    /// A mail address, which gets each message with its attributes as JSON.
    pub fn email_json(topic: TopicRef, address: impl Into<Text>) -> Self {
        Self::new(topic, "email-json", address.into())
    }

    /// A telephone number with its country code, `+4930…`, which gets text messages.
    pub fn sms(topic: TopicRef, number: impl Into<Text>) -> Self {
        Self::new(topic, "sms", number.into())
    }

    /// A web server, by its `https://` address. It has to check signatures.
    pub fn https(topic: TopicRef, url: impl Into<Text>) -> Self {
        Self::new(topic, "https", url.into())
    }

    /// A queue. Its policy then lets the topic send, unless the queue exists already.
    pub fn queue(topic: TopicRef, queue: QueueRef) -> Self {
        Self { queue: Some(queue), ..Self::new(topic, "sqs", queue.arn().into()) }
    }

    /// A function, by its ARN. Its policy has to let `sns.amazonaws.com` invoke it.
    pub fn function(topic: TopicRef, arn: impl Into<Text>) -> Self {
        Self::new(topic, "lambda", arn.into())
    }

    /// Gives a queue or web server the bare message rather than SNS's JSON around it.
    pub fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Hears of messages only whose attributes match this policy, a JSON object; takes up to 15 minutes to
    /// change. Everything is heard of where this is left out.
    pub fn filter(mut self, policy: impl Into<Value>) -> Self {
        self.filter = Some(("MessageAttributes", policy.into()));
        self
    }

    /// Hears of messages only whose body, which must be JSON, matches this policy.
    pub fn filter_by_body(mut self, policy: impl Into<Value>) -> Self {
        self.filter = Some(("MessageBody", policy.into()));
        self
    }

    /// Keeps what can't be delivered in a queue, which then lets the topic send. It is lost where this is
    /// left out, after hours of trying for mail and web servers, and 23 days for queues and functions.
    pub fn dead_letters_to(mut self, queue: QueueRef) -> Self {
        self.dead_letters = Some(queue);
        self
    }
}

impl Construct for Subscription {
    type Handle = SubscriptionRef;

    fn build(self, stack: &mut Stack) -> SubscriptionRef {
        self.check(stack);
        let topic = self.topic.arn();
        let queues: Vec<QueueRef> = [self.queue, self.dead_letters].into_iter().flatten().collect();
        let subscription = SubscriptionRef { node: stack.resource(self) };
        for queue in queues {
            queue.allow_source(stack, "sns.amazonaws.com", topic);
            // What is published before the queue lets the topic send would be lost.
            if let Some(policy) = queue.policy() {
                stack.depends(subscription, policy);
            }
        }
        subscription
    }
}

impl Subscription {
    fn check(&self, stack: &mut Stack) {
        let protocol = self.protocol;
        if self.raw && !["sqs", "https"].contains(&protocol) {
            stack.problem(format!("raw messages go to queues and web servers only, not to {protocol}"));
        }
        let endpoint = self.endpoint.literal();
        if let Some(endpoint) = endpoint.filter(|endpoint| !plausible(protocol, endpoint)) {
            let form = match protocol {
                "https" => "an address that starts with https://",
                "sms" => "a number that starts with + and the country code",
                "lambda" => "a function's ARN",
                _ => "a mail address",
            };
            stack.problem(format!("messages are sent to `{endpoint}`, which must be {form}"));
        }
        if self.topic.is_fifo() && self.queue.is_none() {
            stack.problem(format!("a topic that keeps order sends to queues only, not to {protocol}"));
        }
        if !self.topic.is_fifo() && self.queue.is_some_and(QueueRef::is_fifo) {
            stack.problem("a topic that keeps no order can't send to a FIFO queue");
        }
        if self.dead_letters.is_some_and(|queue| queue.is_fifo() != self.topic.is_fifo()) {
            let kind = if self.topic.is_fifo() { "FIFO" } else { "standard" };
            stack.problem(format!("the dead letters of a {kind} topic go to a {kind} queue"));
        }
        let filter = self.filter.as_ref().map(|(_, policy)| policy);
        if let Some(policy) = filter.filter(|policy| !matches!(policy, Value::Map(fields) if !fields.is_empty())) {
            stack.problem(format!("a filter policy is a JSON object with at least one key, not {}", policy.word()));
        }
    }
}

fn plausible(protocol: &str, endpoint: &str) -> bool {
    match protocol {
        "https" => endpoint.starts_with("https://"),
        "sms" => endpoint.strip_prefix('+').is_some_and(|digits| digits.chars().all(|digit| digit.is_ascii_digit())),
        "lambda" => endpoint.starts_with("arn:"),
        _ => endpoint.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')),
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Subscription`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct SubscriptionRef {
    node: NodeRef,
}

impl SubscriptionRef {
    /// The subscription's ARN; the word `PendingConfirmation` until somebody confirmed it.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::Ref))
    }
}

impl Handle for SubscriptionRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Subscription {
    fn types(&self) -> Types {
        Types::new("sns", "aws_sns_topic_subscription", "AWS::SNS::Subscription")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("TopicArn", self.topic.arn())
            .set("Protocol", self.protocol)
            .set("Endpoint", &self.endpoint)
            .set_some("RawMessageDelivery", self.raw.then_some(true))
            .set_some("FilterPolicyScope", self.filter.as_ref().map(|(scope, _)| *scope))
            .set_some("FilterPolicy", self.filter.as_ref().map(|(_, policy)| policy.clone()))
            .set_some("RedrivePolicy", self.redrive())
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("topic_arn", self.topic.arn())
            .set("protocol", self.protocol)
            .set("endpoint", &self.endpoint)
            .set_some("raw_message_delivery", self.raw.then_some(true))
            .set_some("filter_policy_scope", self.filter.as_ref().map(|(scope, _)| *scope))
            .set_some("filter_policy", self.filter.as_ref().map(|(_, policy)| Value::json(policy.clone())))
            .set_some("redrive_policy", self.redrive().map(Value::json))
    }
}

impl Subscription {
    fn redrive(&self) -> Option<Properties> {
        self.dead_letters.map(|queue| Properties::default().set("deadLetterTargetArn", queue.arn()))
    }
}
