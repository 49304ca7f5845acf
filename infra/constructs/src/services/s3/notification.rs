//! Who hears of new and deleted objects.

use std::borrow::Cow;

use crate::{
    policy::Statement,
    services::{sns::TopicRef, sqs::QueueRef},
    tree::{NodeRef, Properties, Pseudo, Stack, Text, Value},
};

/// Something that happens to objects, or to those whose keys start or end in a certain way.
///
/// ```
/// use constructs::{services::{s3::{Bucket, Event}, sqs::Queue}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let arrived = stack.add("Arrived", Queue::standard());
/// stack.add("Inbox", Bucket::new().notifying_queue(Event::created().under("news/").ending_in(".json"), arrived));
/// ```
#[derive(Debug, Clone)]
pub struct Event {
    word: &'static str,
    prefix: Option<Cow<'static, str>>,
    suffix: Option<Cow<'static, str>>,
}

impl Event {
    /// An object was made, in whatever way.
    pub fn created() -> Self {
        Self { word: "s3:ObjectCreated:*", prefix: None, suffix: None }
    }

    /// An object was deleted, or marked as deleted where there are versions.
    pub fn removed() -> Self {
        Self { word: "s3:ObjectRemoved:*", ..Self::created() }
    }

    /// A rule deleted an object, or marked it as deleted.
    pub fn expired() -> Self {
        Self { word: "s3:LifecycleExpiration:*", ..Self::created() }
    }

    /// Only where the key starts so.
    pub fn under(mut self, prefix: impl Into<Cow<'static, str>>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Only where the key ends so.
    pub fn ending_in(mut self, suffix: impl Into<Cow<'static, str>>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }
}

#[derive(Debug, Clone, Copy)]
enum Listener {
    Queue(QueueRef),
    Topic(TopicRef),
}

/// What a bucket tells whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Notifications {
    pub(super) to_event_bus: bool,
    listeners: Vec<(Event, Listener)>,
}

impl Notifications {
    pub(super) fn is_empty(&self) -> bool {
        !self.to_event_bus && self.listeners.is_empty()
    }

    pub(super) fn tell_queue(&mut self, event: Event, queue: QueueRef) {
        self.listeners.push((event, Listener::Queue(queue)));
    }

    pub(super) fn tell_topic(&mut self, event: Event, topic: TopicRef) {
        self.listeners.push((event, Listener::Topic(topic)));
    }

    /// Lets the bucket of this name send to all who listen, and gives the policies that say so: S3 tries
    /// them before it takes a notification. The name rather than the bucket, or both would wait for each other.
    pub(super) fn allow(&self, stack: &mut Stack, bucket: &Text) -> Vec<NodeRef> {
        let arn = Text::from("arn:") + Pseudo::Partition + ":s3:::" + bucket;
        let from_bucket = |action: &'static str| {
            Statement::allow([action]).to_service("s3.amazonaws.com").when("ArnEquals", "aws:SourceArn", &arn).when(
                "StringEquals",
                "aws:SourceAccount",
                Pseudo::Account,
            )
        };
        let mut policies = Vec::new();
        for (_, listener) in &self.listeners {
            let ordered = match listener {
                Listener::Queue(queue) => {
                    queue.allow(stack, from_bucket("sqs:SendMessage"));
                    policies.extend(queue.policy());
                    queue.is_fifo()
                }
                Listener::Topic(topic) => {
                    topic.allow(stack, from_bucket("sns:Publish"));
                    policies.extend(topic.policy());
                    topic.is_fifo()
                }
            };
            if ordered {
                stack.problem("a bucket notifies standard queues and topics only, and this one keeps order");
            }
        }
        policies.dedup();
        policies
    }

    pub(super) fn cloudformation(&self) -> Properties {
        let listener = |name: &'static str, arn: Value, event: &Event| {
            let rules =
                [("prefix", &event.prefix), ("suffix", &event.suffix)].into_iter().filter_map(|(name, value)| {
                    let value = value.as_ref()?.to_string();
                    Some(Properties::default().set("Name", name).set("Value", value))
                });
            let rules: Vec<Properties> = rules.collect();
            let filter = (!rules.is_empty())
                .then(|| Properties::default().set("S3Key", Properties::default().set("Rules", rules)));
            Properties::default().set(name, arn).set("Event", event.word).set_some("Filter", filter)
        };
        let bus = Properties::default().set("EventBridgeEnabled", true);
        Properties::default()
            .set_some("EventBridgeConfiguration", self.to_event_bus.then_some(bus))
            .set_filled(
                "QueueConfigurations",
                Value::list(self.queues().map(|(event, queue)| listener("Queue", queue.arn().into(), event))),
            )
            .set_filled(
                "TopicConfigurations",
                Value::list(self.topics().map(|(event, topic)| listener("Topic", topic.arn().into(), event))),
            )
    }

    pub(super) fn terraform(&self) -> Properties {
        let listener = |name: &'static str, arn: Value, event: &Event| {
            Properties::default()
                .set(name, arn)
                .set("events", [event.word])
                .set_some("filter_prefix", event.prefix.as_ref().map(ToString::to_string))
                .set_some("filter_suffix", event.suffix.as_ref().map(ToString::to_string))
        };
        Properties::default()
            .set_some("eventbridge", self.to_event_bus.then_some(true))
            .set_filled(
                "queue",
                Value::list(self.queues().map(|(event, queue)| listener("queue_arn", queue.arn().into(), event))),
            )
            .set_filled(
                "topic",
                Value::list(self.topics().map(|(event, topic)| listener("topic_arn", topic.arn().into(), event))),
            )
    }

    fn queues(&self) -> impl Iterator<Item = (&Event, QueueRef)> {
        self.listeners.iter().filter_map(|(event, listener)| match listener {
            Listener::Queue(queue) => Some((event, *queue)),
            Listener::Topic(_) => None,
        })
    }

    fn topics(&self) -> impl Iterator<Item = (&Event, TopicRef)> {
        self.listeners.iter().filter_map(|(event, listener)| match listener {
            Listener::Topic(topic) => Some((event, *topic)),
            Listener::Queue(_) => None,
        })
    }
}
