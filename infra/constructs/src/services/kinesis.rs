//! Kinesis Data Streams: records in order, kept for a while, read by many.

use super::{kms::KeyRef, lambda::Records, units::Hours};
use crate::{
    policy::{Grant, Statement},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
        Text, Types,
    },
};

const HOURS_KEPT: std::ops::RangeInclusive<u32> = 24..=8760;

/// A stream.
///
/// Encrypted, with the key that AWS manages for Kinesis unless another is given. Named after its path.
///
/// ```
/// use constructs::{services::{kinesis::Stream, units::Hours}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let news = stack.add("News", Stream::on_demand().retention(Hours(48)));
/// stack.output("StreamName", news.name());
/// ```
#[derive(Debug, Clone)]
pub struct Stream {
    /// `None` where AWS scales the shards.
    shards: Option<u32>,
    retention: Hours,
    key: Option<KeyRef>,
    name: Option<Text>,
}

impl Stream {
    /// A stream whose shards AWS scales with the traffic, up to 200 MB a second by default.
    pub fn on_demand() -> Self {
        Self { shards: None, retention: Hours(24), key: None, name: None }
    }

    /// A stream of so many shards, each taking 1 MB or 1000 records a second. At least 1.
    pub fn provisioned(shards: u32) -> Self {
        Self { shards: Some(shards), ..Self::on_demand() }
    }

    /// How long records are kept, 24 to 8760 hours. Defaults to 24; what isn't read by then is gone.
    pub fn retention(mut self, retention: Hours) -> Self {
        self.retention = retention;
        self
    }

    /// Encrypted with this key. Who reads or writes needs rights on the key; [`StreamRef::read`] and
    /// [`StreamRef::write`] include them.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// Another name than the one made from the path.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A stream that is managed elsewhere, by name, in this region and account.
    pub fn existing(name: impl Into<Text>) -> ExistingStream {
        ExistingStream { name: name.into(), key: None }
    }
}

impl Construct for Stream {
    type Handle = StreamRef;

    fn build(mut self, stack: &mut Stack) -> StreamRef {
        let hours = self.retention.0;
        if !HOURS_KEPT.contains(&hours) {
            stack.problem(format!("retention is {hours} hours; Kinesis keeps records 24 to 8760 hours"));
        }
        if self.shards == Some(0) {
            stack.problem("a provisioned stream has at least 1 shard");
        }
        self.name.get_or_insert_with(|| stack.physical_name().into());
        let key = self.key;
        StreamRef { node: stack.resource(self), key }
    }
}

/// See [`Stream::existing`].
#[derive(Debug, Clone)]
pub struct ExistingStream {
    name: Text,
    key: Option<KeyRef>,
}

impl ExistingStream {
    /// The key it is encrypted with, if it isn't Kinesis's own.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }
}

impl Construct for ExistingStream {
    type Handle = StreamRef;

    fn build(self, stack: &mut Stack) -> StreamRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":kinesis:" + Pseudo::Region + ":" + Pseudo::Account;
        let lookup = Lookup::new("aws_kinesis_stream", "AWS::Kinesis::Stream")
            .by("name", &self.name)
            .known(NAME, &self.name)
            .known(ARN, arn + ":stream/" + &self.name);
        StreamRef { node: lookup.build(stack), key: self.key }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Stream`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct StreamRef {
    node: NodeRef,
    key: Option<KeyRef>,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("name", Access::Ref);

impl StreamRef {
    /// The stream's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The stream's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// May read records, shard by shard.
    pub fn read(self) -> Grant {
        let actions = [
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        ];
        self.with_key(Statement::allow(actions).on(self.arn()), KeyRef::decrypt)
    }

    /// May put records.
    pub fn write(self) -> Grant {
        self.with_key(Statement::allow(["kinesis:PutRecord", "kinesis:PutRecords"]).on(self.arn()), KeyRef::encrypt)
    }

    /// May ask how it is: whether it is there and active, how many shards it has.
    pub fn describe(self) -> Grant {
        Statement::allow(["kinesis:DescribeStreamSummary"]).on(self.arn()).into()
    }

    /// Its records, for `stack.trigger`.
    pub fn records(self) -> Records {
        Records::of(self.arn(), self.read())
    }

    fn with_key(self, statement: Statement, on_key: fn(KeyRef) -> Grant) -> Grant {
        let grant = Grant::from(statement);
        match self.key {
            Some(key) => grant.and(on_key(key)),
            None => grant,
        }
    }
}

impl Handle for StreamRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Stream {
    fn types(&self) -> Types {
        Types::new("kinesis", "aws_kinesis_stream", "AWS::Kinesis::Stream")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn cloudformation(&self) -> Properties {
        let mode = if self.shards.is_some() { "PROVISIONED" } else { "ON_DEMAND" };
        Properties::default()
            .set_some("Name", self.name.as_ref())
            .set("StreamModeDetails", Properties::default().set("StreamMode", mode))
            .set_some("ShardCount", self.shards)
            .set("RetentionPeriodHours", self.retention)
            .set("StreamEncryption", Properties::default().set("EncryptionType", "KMS").set("KeyId", self.key_id()))
    }

    fn terraform(&self) -> Properties {
        let mode = if self.shards.is_some() { "PROVISIONED" } else { "ON_DEMAND" };
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set("stream_mode_details", Properties::default().set("stream_mode", mode))
            .set_some("shard_count", self.shards)
            .set("retention_period", self.retention)
            .set("encryption_type", "KMS")
            .set("kms_key_id", self.key_id())
    }
}

impl Stream {
    fn key_id(&self) -> Text {
        match self.key {
            Some(key) => key.arn().into(),
            None => "alias/aws/kinesis".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            iam::{Role, Service},
            kms::Key,
        },
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("kinesis_on_demand", Stream::on_demand());
        check("kinesis_provisioned", Stream::provisioned(2).retention(Hours(48)));
        check_stack("kinesis_with_own_key", |stack| {
            let key = stack.add("Key", Key::new("Encrypts the news"));
            let news = stack.add("News", Stream::on_demand().encrypted_by(key));
            let reader = stack.add("Reader", Role::of(Service::LAMBDA));
            stack.grant(reader, news.read());
        });
        check_stack("kinesis_existing", |stack| {
            let news = stack.add("News", Stream::existing("prod-news"));
            let writer = stack.add("Writer", Role::of(Service::EC2));
            stack.grant(writer, news.write());
        });
    }

    #[test]
    fn retention_is_24_to_8760_hours() {
        let found = problems(|stack| {
            stack.add("News", Stream::on_demand().retention(Hours(12)));
        });
        assert!(found.contains("News: retention is 12 hours; Kinesis keeps records 24 to 8760 hours"), "{found}");
    }
}
