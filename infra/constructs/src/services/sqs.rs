//! Simple Queue Service: messages that wait until somebody takes them.

use std::{borrow::Cow, ops::RangeInclusive};

use super::{kms::KeyRef, units::Seconds};
use crate::{
    policy::{Document, Grant, Permissions, Statement, Use},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Part, Properties, Pseudo, Ref, Resource,
        Stack, Text, Types, Url, Value,
    },
};

const FIFO: &str = ".fifo";
const LONGEST_NAME: usize = 80;

/// A queue.
///
/// Encrypted by SQS and reached over TLS only. A receiver waits up to 20 seconds for a message, so that an
/// empty queue costs few requests. Named after its path.
///
/// ```
/// use constructs::{services::{sqs::Queue, units::{Days, Minutes}}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let failed = stack.add("Failed", Queue::standard().retention(Days(14)));
/// let work = stack.add("Work", Queue::standard().visibility(Minutes(6)).dead_letters_to(failed, 5));
/// stack.output("WorkUrl", work.url());
/// ```
#[derive(Debug, Clone)]
pub struct Queue {
    order: Option<Fifo>,
    visibility: Seconds,
    retention: Seconds,
    delay: Seconds,
    wait: Seconds,
    largest: u32,
    key: Option<KeyRef>,
    key_reuse: Option<Seconds>,
    dead_letters: Option<(QueueRef, u32)>,
    sources: Sources,
    statements: Vec<Statement>,
    name: Option<Text>,
}

/// How a queue or topic keeps order: within each message group. A repeat within five minutes is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fifo {
    by_content: bool,
    per_group: bool,
}

impl Fifo {
    /// Repeats are known by the id that the sender gives.
    pub fn by_id() -> Self {
        Self { by_content: false, per_group: false }
    }

    /// A message with the same content is a repeat, unless the sender gives ids.
    pub fn by_content() -> Self {
        Self { by_content: true, per_group: false }
    }

    /// Knows repeats within a message group only, and limits the throughput of each group rather than of the
    /// whole: AWS's high throughput. Left out, a queue takes 300 calls a second.
    pub fn per_group(mut self) -> Self {
        self.per_group = true;
        self
    }

    pub(super) fn is_by_content(self) -> bool {
        self.by_content
    }

    pub(super) fn is_per_group(self) -> bool {
        self.per_group
    }

    fn scope(self) -> &'static str {
        if self.per_group { "messageGroup" } else { "queue" }
    }

    fn limit(self) -> &'static str {
        if self.per_group { "perMessageGroupId" } else { "perQueue" }
    }

    /// The name with the ending that AWS asks for.
    pub(super) fn name(name: Text) -> Text {
        let ends = matches!(name.parts().last(), Some(Part::Literal(text)) if text.ends_with(FIFO));
        if ends { name } else { name + FIFO }
    }
}

/// Whose dead letters a queue takes.
#[derive(Debug, Clone)]
enum Sources {
    Any,
    Nobody,
    These(Vec<Text>),
}

impl Queue {
    /// A queue of any throughput. A message may come twice, and before an older one.
    pub fn standard() -> Self {
        Self {
            order: None,
            visibility: Seconds(30),
            retention: Seconds(345_600),
            delay: Seconds(0),
            wait: Seconds(20),
            largest: 1_048_576,
            key: None,
            key_reuse: None,
            dead_letters: None,
            sources: Sources::Any,
            statements: Vec::new(),
            name: None,
        }
    }

    /// A queue that keeps order and drops repeats: `Queue::fifo(Fifo::by_content())`.
    pub fn fifo(fifo: Fifo) -> Self {
        Self { order: Some(fifo), ..Self::standard() }
    }

    /// How long a received message is hidden from others, 0 seconds to 12 hours. Defaults to 30 seconds;
    /// what isn't deleted by then comes again. For a function, six times its timeout.
    pub fn visibility(mut self, time: impl Into<Seconds>) -> Self {
        self.visibility = time.into();
        self
    }

    /// How long a message is kept, 60 seconds to 14 days. Defaults to 4 days; what isn't deleted by then is
    /// gone. A dead letter's time runs from when it was first sent, so keep those longer.
    pub fn retention(mut self, time: impl Into<Seconds>) -> Self {
        self.retention = time.into();
        self
    }

    /// How long a new message is hidden, 0 to 15 minutes. Defaults to 0.
    pub fn delay(mut self, time: impl Into<Seconds>) -> Self {
        self.delay = time.into();
        self
    }

    /// How long a receiver waits for a message, 0 to 20 seconds. Defaults to 20, where AWS's own default
    /// of 0 makes receivers ask over and over, and misses messages now and then.
    pub fn receive_wait(mut self, time: impl Into<Seconds>) -> Self {
        self.wait = time.into();
        self
    }

    /// The largest message in bytes, 1024 to 1 048 576. Defaults to 1 048 576, 1 MiB.
    pub fn largest_message(mut self, bytes: u32) -> Self {
        self.largest = bytes;
        self
    }

    /// Encrypted with this key. Who sends or receives needs rights on the key; the grants include them.
    /// A service that sends, such as SNS, needs [`super::kms::Key::for_service`].
    pub fn encrypted_by(mut self, key: KeyRef) -> Self {
        self.key = Some(key);
        self
    }

    /// How long SQS uses one data key before it asks for another, 60 seconds to 24 hours. Defaults to 5
    /// minutes; longer costs less. For a queue with a key of its own.
    pub fn key_reused_for(mut self, time: impl Into<Seconds>) -> Self {
        self.key_reuse = Some(time.into());
        self
    }

    /// Moves a message to another queue of the same kind after it was received so many times, 1 to 1000.
    /// Where this is left out, a message that can't be handled comes again until its time is over.
    pub fn dead_letters_to(mut self, queue: QueueRef, after_receives: u32) -> Self {
        self.dead_letters = Some((queue, after_receives));
        self
    }

    /// Takes the dead letters of these queues only, 1 to 10 of them by ARN. Make the ARN from the name where
    /// the queue is made after this one. Any queue of the account and region may, where this is left out.
    pub fn dead_letters_only_from<A: Into<Text>>(mut self, queues: impl IntoIterator<Item = A>) -> Self {
        self.sources = Sources::These(queues.into_iter().map(Into::into).collect());
        self
    }

    /// Takes no other queue's dead letters.
    pub fn no_dead_letters(mut self) -> Self {
        self.sources = Sources::Nobody;
        self
    }

    /// Lets an AWS service send messages, on behalf of this account only.
    pub fn allow_service(self, principal: impl Into<Cow<'static, str>>) -> Self {
        let send = Statement::allow(["sqs:SendMessage"]).to_service(principal);
        self.allowing(send.when("StringEquals", "aws:SourceAccount", Pseudo::Account))
    }

    /// Adds a statement to the queue's policy. Where it names no resource, it is about this queue.
    pub fn allowing(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    /// Another name than the one made from the path: up to 80 letters, digits, `-` and `_`. What keeps order
    /// ends in `.fifo`, which is added where it's missing.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A queue that is managed elsewhere, by name, in this region and account.
    pub fn existing(name: impl Into<Text>) -> ExistingQueue {
        ExistingQueue { name: name.into(), key: None }
    }
}

impl Construct for Queue {
    type Handle = QueueRef;

    fn build(mut self, stack: &mut Stack) -> QueueRef {
        self.check(stack);
        let name = self.name.take().unwrap_or_else(|| stack.physical_name().into());
        let fifo = self.order.is_some();
        let name = if fifo { Fifo::name(name) } else { name };
        check_name(stack, &name, fifo);
        self.name = Some(name);
        let statements = std::mem::take(&mut self.statements);
        let (key, visibility) = (self.key, Some(self.visibility));
        let mut queue = QueueRef { node: stack.resource(self), policy: None, key, fifo, visibility };
        let over_tls = Statement::deny(["sqs:*"]).named("TlsOnly").to_everyone().on(queue.arn()).when(
            "Bool",
            "aws:SecureTransport",
            "false",
        );
        let document = Document::of([over_tls]);
        queue.policy = Some(stack.child("Policy", QueuePolicy { queue, document }));
        for statement in statements {
            queue.allow(stack, statement);
        }
        queue
    }
}

impl Queue {
    fn check(&self, stack: &mut Stack) {
        let times: [(&str, Seconds, RangeInclusive<u32>); 4] = [
            ("the visibility timeout", self.visibility, 0..=43_200),
            ("the retention", self.retention, 60..=1_209_600),
            ("the delay", self.delay, 0..=900),
            ("the receive wait", self.wait, 0..=20),
        ];
        let reuse = self.key_reuse.map(|time| ("the reuse of a data key", time, 60..=86_400));
        for (what, Seconds(time), range) in times.into_iter().chain(reuse) {
            if !range.contains(&time) {
                let (least, most) = (range.start(), range.end());
                stack.problem(format!("{what} is {time} seconds; SQS takes {least} to {most} seconds"));
            }
        }
        let bytes = self.largest;
        if !(1024..=1_048_576).contains(&bytes) {
            stack.problem(format!("the largest message has {bytes} bytes; SQS takes 1024 to 1048576 bytes"));
        }
        if self.key_reuse.is_some() && self.key.is_none() {
            stack.problem(
                "a data key is reused only where the queue has a key of its own; give it one with encrypted_by",
            );
        }
        if let Sources::These(queues) = &self.sources
            && !(1..=10).contains(&queues.len())
        {
            stack.problem(format!("dead letters are taken from {} queues; SQS takes 1 to 10 by name", queues.len()));
        }
        self.check_dead_letters(stack);
    }

    fn check_dead_letters(&self, stack: &mut Stack) {
        let Some((queue, receives)) = self.dead_letters else { return };
        if !(1..=1000).contains(&receives) {
            stack.problem(format!("a message is set aside after {receives} receives; SQS takes 1 to 1000"));
        }
        if queue.fifo != self.order.is_some() {
            let kinds = if queue.fifo {
                "standard, and its dead letters go to one that keeps order"
            } else {
                "FIFO, and its dead letters go to a standard one"
            };
            stack.problem(format!("the queue is {kinds}; both must be of one kind"));
        }
    }
}

fn check_name(stack: &mut Stack, name: &Text, fifo: bool) {
    let Some(name) = name.literal() else { return };
    let length = name.len();
    if !(1..=LONGEST_NAME).contains(&length) {
        stack.problem(format!("the queue name `{name}` has {length} characters; SQS takes 1 to {LONGEST_NAME}"));
    }
    let body = if fifo { name.trim_end_matches(FIFO) } else { name };
    if !body.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)) {
        stack.problem(format!("the queue name `{name}` must be letters, digits, `-` and `_`"));
    }
}

/// See [`Queue::existing`].
#[derive(Debug, Clone)]
pub struct ExistingQueue {
    name: Text,
    key: Option<KeyRef>,
}

impl ExistingQueue {
    /// The key it is encrypted with, if it isn't SQS's own.
    pub fn encrypted_by(mut self, key: KeyRef) -> Self {
        self.key = Some(key);
        self
    }
}

impl Construct for ExistingQueue {
    type Handle = QueueRef;

    fn build(self, stack: &mut Stack) -> QueueRef {
        let place = Text::from(Pseudo::Region) + ":" + Pseudo::Account + ":";
        let arn = Text::from("arn:") + Pseudo::Partition + ":sqs:" + place + &self.name;
        let host = Text::from("https://sqs.") + Pseudo::Region + "." + Pseudo::DnsSuffix;
        let lookup = Lookup::new("aws_sqs_queue", "AWS::SQS::Queue")
            .by("name", &self.name)
            .known(NAME, &self.name)
            .known(ARN, arn)
            .known(URL, host + "/" + Pseudo::Account + "/" + &self.name);
        let fifo = matches!(self.name.parts().last(), Some(Part::Literal(text)) if text.ends_with(FIFO));
        QueueRef { node: lookup.build(stack), policy: None, key: self.key, fifo, visibility: None }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Queue`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct QueueRef {
    node: NodeRef,
    /// None for a queue that exists already; its policy isn't ours to write.
    policy: Option<NodeRef>,
    key: Option<KeyRef>,
    fifo: bool,
    visibility: Option<Seconds>,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("name", Access::GetAtt("QueueName"));
const URL: Attribute = Attribute::url("url", Access::Ref);

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

impl Handle for QueueRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Queue {
    fn types(&self) -> Types {
        Types::new("sqs", "aws_sqs_queue", "AWS::SQS::Queue")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("QueueName", self.name.as_ref())
            .set_some("FifoQueue", self.order.map(|_| true))
            .set_some("ContentBasedDeduplication", self.order.map(|fifo| fifo.by_content))
            .set_some("DeduplicationScope", self.order.map(Fifo::scope))
            .set_some("FifoThroughputLimit", self.order.map(Fifo::limit))
            .set("VisibilityTimeout", self.visibility)
            .set("MessageRetentionPeriod", self.retention)
            .set("DelaySeconds", self.delay)
            .set("ReceiveMessageWaitTimeSeconds", self.wait)
            .set("MaximumMessageSize", self.largest)
            .set_some("SqsManagedSseEnabled", self.key.is_none().then_some(true))
            .set_some("KmsMasterKeyId", self.key.map(KeyRef::arn))
            .set_some("KmsDataKeyReusePeriodSeconds", self.key_reuse)
            .set_some("RedrivePolicy", self.redrive())
            .set_some("RedriveAllowPolicy", self.redrive_allow())
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("fifo_queue", self.order.map(|_| true))
            .set_some("content_based_deduplication", self.order.map(|fifo| fifo.by_content))
            .set_some("deduplication_scope", self.order.map(Fifo::scope))
            .set_some("fifo_throughput_limit", self.order.map(Fifo::limit))
            .set("visibility_timeout_seconds", self.visibility)
            .set("message_retention_seconds", self.retention)
            .set("delay_seconds", self.delay)
            .set("receive_wait_time_seconds", self.wait)
            .set("max_message_size", self.largest)
            .set_some("sqs_managed_sse_enabled", self.key.is_none().then_some(true))
            .set_some("kms_master_key_id", self.key.map(KeyRef::arn))
            .set_some("kms_data_key_reuse_period_seconds", self.key_reuse)
            .set_some("redrive_policy", self.redrive().map(Value::json))
            .set_some("redrive_allow_policy", self.redrive_allow().map(Value::json))
    }
}

impl Queue {
    fn redrive(&self) -> Option<Properties> {
        let (queue, receives) = self.dead_letters?;
        Some(Properties::default().set("deadLetterTargetArn", queue.arn()).set("maxReceiveCount", receives))
    }

    fn redrive_allow(&self) -> Option<Properties> {
        let permission = |word: &'static str| Properties::default().set("redrivePermission", word);
        match &self.sources {
            Sources::Any => None,
            Sources::Nobody => Some(permission("denyAll")),
            Sources::These(queues) => Some(permission("byQueue").set("sourceQueueArns", Value::list(queues))),
        }
    }
}

/// Who may do what with a queue besides those whose own policies say so.
#[derive(Debug)]
struct QueuePolicy {
    queue: QueueRef,
    document: Document,
}

impl Resource for QueuePolicy {
    fn types(&self) -> Types {
        Types::new("sqs", "aws_sqs_queue_policy", "AWS::SQS::QueuePolicy")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("Queues", [self.queue.url()]).set("PolicyDocument", &self.document)
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("queue_url", self.queue.url()).set("policy", Value::json(&self.document))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Resource, of: Some(self.queue.node), document: &self.document })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            iam::{Role, Service},
            kms::Key,
            units::{Days, Hours, Minutes},
        },
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("sqs_standard", Queue::standard());
        check("sqs_fifo", Queue::fifo(Fifo::by_content().per_group()).named("orders"));
        check_stack("sqs_with_dead_letters", |stack| {
            let arn = Text::from("arn:") + Pseudo::Partition + ":sqs:" + Pseudo::Region + ":" + Pseudo::Account;
            let failed = Queue::standard().retention(Days(14)).dead_letters_only_from([arn + ":newsloom-work"]);
            let failed = stack.add("Failed", failed);
            let work = Queue::standard()
                .visibility(Minutes(6))
                .delay(Seconds(5))
                .receive_wait(Seconds(10))
                .largest_message(262_144)
                .dead_letters_to(failed, 5)
                .no_dead_letters()
                .allow_service("events.amazonaws.com");
            stack.add("Work", work);
        });
        check_stack("sqs_with_own_key", |stack| {
            let key = stack.add("Key", Key::new("Encrypts what waits"));
            let work = stack.add("Work", Queue::standard().encrypted_by(key).key_reused_for(Hours(1)));
            let sender = stack.add("Sender", Role::of(Service::EC2));
            stack.grant(sender, work.send());
            let receiver = stack.add("Receiver", Role::of(Service::LAMBDA));
            stack.grant(receiver, work.receive());
        });
        check_stack("sqs_existing", |stack| {
            let work = stack.add("Work", Queue::existing("prod-work"));
            let sender = stack.add("Sender", Role::of(Service::EC2));
            stack.grant(sender, work.send().and(work.purge()));
            stack.output("Url", work.url());
        });
    }

    #[test]
    fn what_sqs_refuses_is_a_problem() {
        let queue = Queue::standard;
        let cases: [(Queue, &str); 9] = [
            (queue().visibility(Hours(13)), "the visibility timeout is 46800 seconds; SQS takes 0 to 43200 seconds"),
            (queue().retention(Seconds(59)), "the retention is 59 seconds; SQS takes 60 to 1209600 seconds"),
            (queue().delay(Minutes(16)), "the delay is 960 seconds; SQS takes 0 to 900 seconds"),
            (queue().receive_wait(Seconds(21)), "the receive wait is 21 seconds; SQS takes 0 to 20 seconds"),
            (queue().largest_message(10), "the largest message has 10 bytes; SQS takes 1024 to 1048576 bytes"),
            (queue().key_reused_for(Hours(1)), "a data key is reused only where the queue has a key of its own"),
            (queue().dead_letters_only_from([""; 0]), "dead letters are taken from 0 queues; SQS takes 1 to 10"),
            (queue().named("a.fifo"), "the queue name `a.fifo` must be letters, digits, `-` and `_`"),
            (Queue::fifo(Fifo::by_id()).named("a".repeat(76)), "has 81 characters; SQS takes 1 to 80"),
        ];
        for (queue, message) in cases {
            let found = problems(|stack| {
                stack.add("Work", queue);
            });
            assert!(found.contains("Work: ") && found.contains(message), "{message}\n{found}");
        }
    }

    #[test]
    fn dead_letters_go_to_a_queue_of_the_same_kind() {
        let found = problems(|stack| {
            let ordered = stack.add("Ordered", Queue::fifo(Fifo::by_id()));
            let plain = stack.add("Plain", Queue::standard().dead_letters_to(ordered, 0));
            stack.add("Work", Queue::fifo(Fifo::by_id()).dead_letters_to(plain, 3));
        });
        assert!(
            found.contains("Plain: the queue is standard, and its dead letters go to one that keeps order"),
            "{found}"
        );
        assert!(found.contains("Plain: a message is set aside after 0 receives; SQS takes 1 to 1000"), "{found}");
        assert!(found.contains("Work: the queue is FIFO, and its dead letters go to a standard one"), "{found}");
    }
}
