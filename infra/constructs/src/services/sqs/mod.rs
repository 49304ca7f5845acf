//! Simple Queue Service: messages that wait until somebody takes them.

use std::{borrow::Cow, ops::RangeInclusive};

use super::{kms::KeyRef, units::Seconds};
use crate::{
    policy::{Document, Statement},
    tree::{Construct, Lookup, Part, Pseudo, Stack, Text},
};

mod fifo;
mod handle;
mod rendering;

#[cfg(test)]
mod tests;

pub(super) use fifo::FIFO;
pub use fifo::Fifo;
pub use handle::QueueRef;
use handle::{ARN, NAME, URL};
use rendering::QueuePolicy;

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
    /// A service that sends, such as SNS, needs [`Key::for_service`](crate::services::kms::Key::for_service).
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
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
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
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
