//! What others refer to a queue by.

use super::rendering::QueuePolicy;
use crate::{
    policy::{Grant, Statement},
    services::{kms::KeyRef, lambda::Messages, units::Seconds},
    tree::{Access, Arn, Attribute, Handle, Name, NodeRef, Ref, Stack, Text, Url},
};

/// A [`Queue`](super::Queue) of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct QueueRef {
    pub(super) node: NodeRef,
    /// None for a queue that exists already; its policy isn't ours to write.
    pub(super) policy: Option<NodeRef>,
    pub(super) key: Option<KeyRef>,
    pub(super) fifo: bool,
    pub(super) visibility: Option<Seconds>,
}

pub(super) const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
pub(super) const NAME: Attribute = Attribute::name("name", Access::GetAtt("QueueName"));
pub(super) const URL: Attribute = Attribute::url("url", Access::Ref);

impl QueueRef {
    /// The queue's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The queue's name, with its `.fifo` where it keeps order.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The address that messages are sent to and received from.
    pub fn url(self) -> Ref<Url> {
        Ref::new(self.node, URL)
    }

    /// Whether it keeps order.
    pub fn is_fifo(self) -> bool {
        self.fifo
    }

    /// How long a received message is hidden; unknown for a queue that exists already.
    pub fn visibility(self) -> Option<Seconds> {
        self.visibility
    }

    /// The node of its policy, for what has to wait until others may send; none where it exists already.
    pub fn policy(self) -> Option<NodeRef> {
        self.policy
    }

    /// May send messages, to the queue's URL.
    pub fn send(self) -> Grant {
        self.with_key(Statement::allow(["sqs:SendMessage"]), KeyRef::encrypt)
    }

    /// May receive messages, keep them hidden longer, and delete them. What an event source mapping needs.
    pub fn receive(self) -> Grant {
        let actions =
            ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"];
        self.with_key(Statement::allow(actions), KeyRef::decrypt)
    }

    /// May throw all messages away.
    pub fn purge(self) -> Grant {
        Statement::allow(["sqs:PurgeQueue"]).on(self.arn()).into()
    }

    /// Adds a statement to the queue's policy; where it names no resource, it is about this queue. A queue
    /// that exists already keeps the policy it has.
    pub fn allow(self, stack: &mut Stack, statement: Statement) {
        let Some(policy) = self.policy else { return };
        let statement = if statement.resources.is_empty() { statement.on(self.arn()) } else { statement };
        match stack.edit::<QueuePolicy>(policy) {
            Some(policy) => policy.document.add(statement),
            None => stack
                .problem("the policy of another stack's queue can't be changed here; do it where the queue was added"),
        }
    }

    /// Lets a topic, rule or bucket send messages: the service, where it sends for this ARN.
    pub(crate) fn allow_source(self, stack: &mut Stack, service: &'static str, source: impl Into<Text>) {
        let send = Statement::allow(["sqs:SendMessage"]).to_service(service);
        self.allow(stack, send.when("ArnEquals", "aws:SourceArn", source));
    }

    fn with_key(self, statement: Statement, on_key: fn(KeyRef) -> Grant) -> Grant {
        let grant = Grant::from(statement.on(self.arn()));
        match self.key {
            Some(key) => grant.and(on_key(key)),
            None => grant,
        }
    }
}

impl QueueRef {
    /// Its messages, for `stack.trigger`.
    pub fn messages(self) -> Messages {
        let messages = Messages::of(self.arn(), self.receive());
        let messages = if self.is_fifo() { messages.in_order() } else { messages };
        match self.visibility() {
            Some(time) => messages.hidden_for(time),
            None => messages,
        }
    }
}

impl Handle for QueueRef {
    fn node(self) -> NodeRef {
        self.node
    }
}
