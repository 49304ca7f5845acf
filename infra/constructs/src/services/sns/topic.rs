//! Topics, their handles and their renderings.

use std::borrow::Cow;

use crate::{
    policy::{Document, Grant, Permissions, Statement, Use},
    services::{
        kms::KeyRef,
        sqs::{FIFO, Fifo},
    },
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Part, Properties, Pseudo, Ref, Resource,
        Stack, Text, Types, Value,
    },
};

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
    /// [`TopicRef::publish`] includes them, and a service needs [`Key::for_service`](crate::services::kms::Key::for_service).
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
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
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
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
