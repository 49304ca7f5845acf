//! Simple Notification Service: one message, many who hear of it.

use std::borrow::Cow;

use super::{
    kms::KeyRef,
    sqs::{Fifo, QueueRef},
};
use crate::{
    policy::{Document, Grant, Permissions, Statement, Use},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Part, Properties, Pseudo, Ref, Resource,
        Stack, Text, Types, Value,
    },
};

const FIFO: &str = ".fifo";
const LONGEST_NAME: usize = 256;
const LONGEST_DISPLAY_NAME: usize = 100;

/// A topic.
///
/// Taken over TLS only, from this account's roles and from the services it names; notifications to HTTPS
/// are signed with SHA-256. Named after its path.
///
/// ```
/// use constructs::{services::sns::{Subscription, Topic}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("monitoring");
/// let alarms = stack.add("Alarms", Topic::standard().allow_service("cloudwatch.amazonaws.com"));
/// stack.add("Mail", Subscription::email(alarms, "news@example.com"));
/// stack.output("TopicArn", alarms.arn());
/// ```
#[derive(Debug, Clone)]
pub struct Topic {
    order: Option<Fifo>,
    display_name: Option<Cow<'static, str>>,
    key: Option<KeyRef>,
    traced: bool,
    statements: Vec<Statement>,
    name: Option<Text>,
}

impl Topic {
    /// A topic of any throughput. A message may come twice, and before an older one.
    pub fn standard() -> Self {
        Self { order: None, display_name: None, key: None, traced: false, statements: Vec::new(), name: None }
    }

    /// A topic that keeps order and drops repeats, for queues only: `Topic::fifo(Fifo::by_content())`.
    pub fn fifo(fifo: Fifo) -> Self {
        Self { order: Some(fifo), ..Self::standard() }
    }

    /// Who mails and text messages come from, up to 100 characters. Defaults to the topic's name.
    pub fn display_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.display_name = Some(name.into());
        self
    }

    /// Encrypted with this key as well as on AWS's disks. Who publishes needs rights on the key;
    /// [`TopicRef::publish`] includes them, and a service needs [`super::kms::Key::for_service`].
    pub fn encrypted_by(mut self, key: KeyRef) -> Self {
        self.key = Some(key);
        self
    }

    /// Starts or passes on X-Ray traces. For a topic that keeps no order.
    pub fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Lets an AWS service publish on behalf of this account only: `cloudwatch.amazonaws.com` for alarms. For
    /// a service that doesn't say on whose behalf, see [`Topic::allowing`].
    pub fn allow_service(self, principal: impl Into<Cow<'static, str>>) -> Self {
        let publish = Statement::allow(["sns:Publish"]).to_service(principal);
        self.allowing(publish.when("StringEquals", "aws:SourceAccount", Pseudo::Account))
    }

    /// Adds a statement to the topic's policy. Where it names no resource, it is about this topic.
    pub fn allowing(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    /// Another name than the one made from the path: up to 256 letters, digits, `-` and `_`. What keeps
    /// order ends in `.fifo`, which is added where it's missing.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A topic that is managed elsewhere, by its ARN.
    pub fn existing(arn: impl Into<Text>) -> ExistingTopic {
        ExistingTopic { arn: arn.into(), key: None }
    }
}

impl Construct for Topic {
    type Handle = TopicRef;

    fn build(mut self, stack: &mut Stack) -> TopicRef {
        let fifo = self.order.is_some();
        let name = self.name.take().unwrap_or_else(|| stack.physical_name().into());
        let name = if fifo { Fifo::name(name) } else { name };
        check_name(stack, &name, fifo);
        self.name = Some(name);
        self.check(stack);
        let statements = std::mem::take(&mut self.statements);
        let key = self.key;
        let mut topic = TopicRef { node: stack.resource(self), policy: None, key, fifo };
        let document = topic.policy_document();
        topic.policy = Some(stack.child("Policy", TopicPolicy { topic, document }));
        for statement in statements {
            topic.allow(stack, statement);
        }
        topic
    }
}

impl Topic {
    fn check(&self, stack: &mut Stack) {
        let length = self.display_name.as_ref().map_or(0, |name| name.chars().count());
        if length > LONGEST_DISPLAY_NAME {
            stack
                .problem(format!("the display name has {length} characters; SNS takes {LONGEST_DISPLAY_NAME} at most"));
        }
        if self.traced && self.order.is_some() {
            stack.problem("a topic that keeps order can't be traced");
        }
    }
}

fn check_name(stack: &mut Stack, name: &Text, fifo: bool) {
    let Some(name) = name.literal() else { return };
    let length = name.len();
    if !(1..=LONGEST_NAME).contains(&length) {
        stack.problem(format!("the topic name `{name}` has {length} characters; SNS takes 1 to {LONGEST_NAME}"));
    }
    let body = if fifo { name.trim_end_matches(FIFO) } else { name };
    if !body.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)) {
        stack.problem(format!("the topic name `{name}` must be letters, digits, `-` and `_`"));
    }
}

/// See [`Topic::existing`].
#[derive(Debug, Clone)]
pub struct ExistingTopic {
    arn: Text,
    key: Option<KeyRef>,
}

impl ExistingTopic {
    /// The key it is encrypted with, if it has one.
    pub fn encrypted_by(mut self, key: KeyRef) -> Self {
        self.key = Some(key);
        self
    }
}

impl Construct for ExistingTopic {
    type Handle = TopicRef;

    fn build(self, stack: &mut Stack) -> TopicRef {
        let last = match self.arn.parts().last() {
            Some(Part::Literal(text)) => text.rsplit_once(':').map(|(_, name)| name.to_owned()),
            _ => None,
        };
        let fifo = last.as_ref().is_some_and(|name| name.ends_with(FIFO));
        let mut lookup = Lookup::new("aws_sns_topic", "AWS::SNS::Topic").known(ARN, &self.arn);
        lookup = match last {
            Some(name) => lookup.by("name", &name).known(NAME, name),
            None => lookup.by("name", Text::expression([Text::from("split(\":\", "), self.arn, Text::from(")[5]")])),
        };
        TopicRef { node: lookup.build(stack), policy: None, key: self.key, fifo }
    }
}

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
        if self.topic.fifo && self.queue.is_none() {
            stack.problem(format!("a topic that keeps order sends to queues only, not to {protocol}"));
        }
        if !self.topic.fifo && self.queue.is_some_and(QueueRef::is_fifo) {
            stack.problem("a topic that keeps no order can't send to a FIFO queue");
        }
        if self.dead_letters.is_some_and(|queue| queue.is_fifo() != self.topic.fifo) {
            let kind = if self.topic.fifo { "FIFO" } else { "standard" };
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

/// A [`Topic`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct TopicRef {
    node: NodeRef,
    /// None for a topic that exists already; its policy isn't ours to write.
    policy: Option<NodeRef>,
    key: Option<KeyRef>,
    fifo: bool,
}

const ARN: Attribute = Attribute::arn("arn", Access::Ref);
const NAME: Attribute = Attribute::name("name", Access::GetAtt("TopicName"));

impl TopicRef {
    /// The topic's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The topic's name, with its `.fifo` where it keeps order.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// Whether it keeps order.
    pub fn is_fifo(self) -> bool {
        self.fifo
    }

    /// The node of its policy, for what has to wait until it may publish; none where the topic exists already.
    pub fn policy(self) -> Option<NodeRef> {
        self.policy
    }

    /// May publish.
    pub fn publish(self) -> Grant {
        let grant = Grant::from(Statement::allow(["sns:Publish"]).on(self.arn()));
        match self.key {
            Some(key) => grant.and(key.encrypt()),
            None => grant,
        }
    }

    /// Adds a statement to the topic's policy; where it names no resource, it is about this topic. A topic
    /// that exists already keeps the policy it has.
    pub fn allow(self, stack: &mut Stack, statement: Statement) {
        let Some(policy) = self.policy else { return };
        let statement = if statement.resources.is_empty() { statement.on(self.arn()) } else { statement };
        match stack.edit::<TopicPolicy>(policy) {
            Some(policy) => policy.document.add(statement),
            None => stack
                .problem("the policy of another stack's topic can't be changed here; do it where the topic was added"),
        }
    }

    /// What every topic's policy says. It takes the place of AWS's own, which lets the account do these.
    fn policy_document(self) -> Document {
        let actions = [
            "AddPermission",
            "DeleteTopic",
            "GetTopicAttributes",
            "ListSubscriptionsByTopic",
            "Publish",
            "RemovePermission",
            "SetTopicAttributes",
            "Subscribe",
        ];
        let root = Text::from("arn:") + Pseudo::Partition + ":iam::" + Pseudo::Account + ":root";
        let account = Statement::allow(actions.map(|action| format!("sns:{action}"))).named("Account").to_aws(root);
        // SNS refuses `sns:*` in a topic's policy; publishing is what carries content.
        let over_tls = Statement::deny(["sns:Publish"]).named("TlsOnly").to_everyone().when(
            "Bool",
            "aws:SecureTransport",
            "false",
        );
        Document::of([account.on(self.arn()), over_tls.on(self.arn())])
    }
}

impl Handle for TopicRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// A [`Subscription`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct SubscriptionRef {
    node: NodeRef,
}

impl SubscriptionRef {
    /// The subscription's ARN; the word `PendingConfirmation` until somebody confirmed it.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }
}

impl Handle for SubscriptionRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Topic {
    fn types(&self) -> Types {
        Types::new("sns", "aws_sns_topic", "AWS::SNS::Topic")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("TopicName", self.name.as_ref())
            .set_some("DisplayName", self.display_name.clone().map(Cow::into_owned))
            .set_some("FifoTopic", self.order.map(|_| true))
            .set_some("ContentBasedDeduplication", self.order.map(Fifo::is_by_content))
            .set_some("FifoThroughputScope", self.order.map(throughput_scope))
            .set_some("KmsMasterKeyId", self.key.map(KeyRef::arn))
            .set("SignatureVersion", "2")
            .set_some("TracingConfig", self.traced.then_some("Active"))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("display_name", self.display_name.clone().map(Cow::into_owned))
            .set_some("fifo_topic", self.order.map(|_| true))
            .set_some("content_based_deduplication", self.order.map(Fifo::is_by_content))
            .set_some("fifo_throughput_scope", self.order.map(throughput_scope))
            .set_some("kms_master_key_id", self.key.map(KeyRef::arn))
            .set("signature_version", 2)
            .set_some("tracing_config", self.traced.then_some("Active"))
    }
}

fn throughput_scope(fifo: Fifo) -> &'static str {
    if fifo.is_per_group() { "MessageGroup" } else { "Topic" }
}

/// Who may do what with a topic besides those whose own policies say so.
#[derive(Debug)]
struct TopicPolicy {
    topic: TopicRef,
    document: Document,
}

impl Resource for TopicPolicy {
    fn types(&self) -> Types {
        Types::new("sns", "aws_sns_topic_policy", "AWS::SNS::TopicPolicy")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("Topics", [self.topic.arn()]).set("PolicyDocument", &self.document)
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("arn", self.topic.arn()).set("policy", Value::json(&self.document))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Resource, of: Some(self.topic.node), document: &self.document })
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            iam::{Role, Service},
            kms::Key,
            sqs::Queue,
        },
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("sns_standard", Topic::standard());
        check_stack("sns_for_alarms", |stack| {
            let key = stack.add("Key", Key::new("Encrypts alarms").for_service("cloudwatch.amazonaws.com"));
            let alarms = Topic::standard()
                .display_name("Newsloom alarms")
                .encrypted_by(key)
                .traced()
                .allow_service("cloudwatch.amazonaws.com");
            let alarms = stack.add("Alarms", alarms);
            stack.add("Mail", Subscription::email(alarms, "news@example.com"));
            let duty = stack.add("Duty", Role::of(Service::LAMBDA));
            stack.grant(duty, alarms.publish());
        });
        check_stack("sns_to_queues", |stack| {
            let news = stack.add("News", Topic::standard());
            let failed = stack.add("Failed", Queue::standard());
            let english = stack.add("English", Queue::standard());
            let filter = serde_json::json!({"language": ["en"]});
            stack.add("ToEnglish", Subscription::queue(news, english).raw().filter(filter).dead_letters_to(failed));
            let filter = serde_json::json!({"score": [{"numeric": [">", 0.5]}]});
            stack.add("ToDesk", Subscription::https(news, "https://desk.example.com/news").filter_by_body(filter));
        });
        check_stack("sns_fifo", |stack| {
            let news = stack.add("News", Topic::fifo(Fifo::by_content().per_group()));
            let work = stack.add("Work", Queue::fifo(Fifo::by_content()));
            stack.add("ToWork", Subscription::queue(news, work));
        });
        check_stack("sns_existing", |stack| {
            let alarms = Topic::existing("arn:aws:sns:eu-west-1:111122223333:alarms");
            let alarms = stack.add("Alarms", alarms);
            stack.add("Text", Subscription::sms(alarms, "+4930123456"));
            stack.output("Name", alarms.name());
            let duty = stack.add("Duty", Role::of(Service::LAMBDA));
            stack.grant(duty, alarms.publish());
        });
    }

    #[test]
    fn what_sns_refuses_of_a_topic_is_a_problem() {
        let cases: [(Topic, &str); 4] = [
            (
                Topic::standard().display_name("x".repeat(101)),
                "the display name has 101 characters; SNS takes 100 at most",
            ),
            (Topic::fifo(Fifo::by_id()).traced(), "a topic that keeps order can't be traced"),
            (Topic::standard().named("a.b"), "the topic name `a.b` must be letters, digits, `-` and `_`"),
            (Topic::standard().named("x".repeat(257)), "has 257 characters; SNS takes 1 to 256"),
        ];
        for (topic, message) in cases {
            let found = problems(|stack| {
                stack.add("News", topic);
            });
            assert!(found.contains("News: ") && found.contains(message), "{message}\n{found}");
        }
    }

    #[test]
    fn what_sns_refuses_of_a_subscription_is_a_problem() {
        type Case = (fn(TopicRef, TopicRef, QueueRef, QueueRef) -> Subscription, &'static str);
        let cases: [Case; 9] = [
            (
                |topic, _, _, _| Subscription::email(topic, "a@b.example").raw(),
                "raw messages go to queues and web servers only, not to email",
            ),
            (
                |topic, _, _, _| Subscription::email(topic, "newsroom"),
                "messages are sent to `newsroom`, which must be a mail address",
            ),
            (
                |topic, _, _, _| Subscription::https(topic, "http://a.example"),
                "`http://a.example`, which must be an address that starts with https://",
            ),
            (|topic, _, _, _| Subscription::sms(topic, "0049"), "`0049`, which must be a number that starts with +"),
            (
                |_, fifo, _, _| Subscription::email(fifo, "a@b.example"),
                "a topic that keeps order sends to queues only, not to email",
            ),
            (
                |topic, _, _, fifo| Subscription::queue(topic, fifo),
                "a topic that keeps no order can't send to a FIFO queue",
            ),
            (
                |topic, _, queue, fifo| Subscription::queue(topic, queue).dead_letters_to(fifo),
                "the dead letters of a standard topic go to a standard queue",
            ),
            (
                |_, fifo, queue, _| Subscription::queue(fifo, queue).dead_letters_to(queue),
                "the dead letters of a FIFO topic go to a FIFO queue",
            ),
            (
                |topic, _, queue, _| Subscription::queue(topic, queue).filter("en"),
                "a filter policy is a JSON object with at least one key, not a string",
            ),
        ];
        for (subscription, message) in cases {
            let found = problems(|stack| {
                let topic = stack.add("Plain", Topic::standard());
                let ordered = stack.add("Ordered", Topic::fifo(Fifo::by_id()));
                let queue = stack.add("Queue", Queue::standard());
                let fifo = stack.add("OrderedQueue", Queue::fifo(Fifo::by_id()));
                stack.add("Heard", subscription(topic, ordered, queue, fifo));
            });
            assert!(found.contains("Heard: ") && found.contains(message), "{message}\n{found}");
        }
    }
}
