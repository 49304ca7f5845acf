//! What others refer to a bucket by.

use super::satellites::{BucketPolicy, Matter, Satellite};
use crate::{
    policy::{Grant, Statement},
    services::kms::KeyRef,
    tree::{Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Pseudo, Ref, Stack, Text, Url},
};

/// A [`Bucket`](super::Bucket) of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct BucketRef {
    pub(super) node: NodeRef,
    /// None for a bucket that exists already; its policy isn't ours to write.
    pub(super) policy: Option<NodeRef>,
    pub(super) key: Option<KeyRef>,
    pub(super) takes_logs: bool,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("bucket", Access::Ref);
const HOST: Attribute = Attribute::url("bucket_regional_domain_name", Access::GetAtt("RegionalDomainName"));

impl BucketRef {
    /// The bucket's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The bucket's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The host it is reached at in its region.
    pub fn host(self) -> Ref<Url> {
        Ref::new(self.node, HOST)
    }

    /// The ARN of all objects whose keys start so; of all objects for `""`.
    pub fn objects(self, prefix: impl Into<Text>) -> Text {
        self.arn() + "/" + prefix.into() + "*"
    }

    /// May get objects, and list them, so that a missing one is known to be missing.
    pub fn read(self) -> Grant {
        self.with_decrypt(Statement::allow(["s3:GetObject"]).on(self.objects(""))).and(self.list())
    }

    /// May get and list the objects whose keys start so.
    pub fn read_prefix(self, prefix: impl Into<Text>) -> Grant {
        let prefix = prefix.into();
        let list = Statement::allow(["s3:ListBucket"]).on(self.arn());
        let list = list.when("StringLike", "s3:prefix", prefix.clone() + "*");
        self.with_decrypt(Statement::allow(["s3:GetObject"]).on(self.objects(prefix))).and(list.into())
    }

    /// May list all objects.
    pub fn list(self) -> Grant {
        Statement::allow(["s3:ListBucket"]).on(self.arn()).into()
    }

    /// May put objects, in parts too.
    pub fn put(self) -> Grant {
        self.put_prefix("")
    }

    /// May put objects whose keys start so, in parts too.
    pub fn put_prefix(self, prefix: impl Into<Text>) -> Grant {
        self.with_encrypt(Statement::allow(["s3:PutObject"]).on(self.objects(prefix)))
    }

    /// May put and delete objects, and give up uploads.
    pub fn write(self) -> Grant {
        self.write_prefix("")
    }

    /// May put and delete objects whose keys start so, and give up uploads.
    pub fn write_prefix(self, prefix: impl Into<Text>) -> Grant {
        let actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"];
        self.with_encrypt(Statement::allow(actions).on(self.objects(prefix)))
    }

    /// May delete objects; where there are versions, they stay.
    pub fn delete(self) -> Grant {
        Statement::allow(["s3:DeleteObject"]).on(self.objects("")).into()
    }

    /// Adds a statement to the bucket's policy; where it names no resource, it is about the bucket and
    /// everything in it. A bucket that exists already keeps the policy it has.
    pub fn allow(self, stack: &mut Stack, statement: Statement) {
        let Some(policy) = self.policy else { return };
        let whole = statement.resources.is_empty();
        let statement = if whole { statement.on(self.arn()).on(self.objects("")) } else { statement };
        match stack.edit::<BucketPolicy>(policy) {
            Some(policy) => policy.document.add(statement),
            None => stack.problem(
                "the policy of another stack's bucket can't be changed here; do it where the bucket was added",
            ),
        }
    }

    pub(super) fn take_logs_of(self, stack: &mut Stack, source: BucketRef, prefix: Text) {
        if self.key.is_some() && !self.takes_logs {
            stack.problem("S3 writes no logs to a bucket that is encrypted with a KMS key; log to another");
        }
        if !self.takes_logs {
            let delivery = log_delivery(self.objects(&prefix)).when("ArnEquals", "aws:SourceArn", source.arn()).when(
                "StringEquals",
                "aws:SourceAccount",
                Pseudo::Account,
            );
            self.allow(stack, delivery);
        }
        let logging = stack.child("Logging", Satellite { bucket: source, of: Matter::Logging { to: self, prefix } });
        if let Some(policy) = self.policy.filter(|policy| stack.path_of(*policy).is_some()) {
            stack.depends(logging, policy);
        }
    }

    /// What is kept beside the bucket under an id, if it is in this stack.
    pub(super) fn child(self, stack: &Stack, id: &str) -> Option<NodeRef> {
        stack.find(&format!("{}/{id}", stack.path_of(self.node)?))
    }

    pub(super) fn with_decrypt(self, statement: Statement) -> Grant {
        self.with_key(statement, KeyRef::decrypt)
    }

    fn with_encrypt(self, statement: Statement) -> Grant {
        self.with_key(statement, KeyRef::encrypt)
    }

    fn with_key(self, statement: Statement, on_key: fn(KeyRef) -> Grant) -> Grant {
        let grant = Grant::from(statement);
        match self.key {
            Some(key) => grant.and(on_key(key)),
            None => grant,
        }
    }
}

impl Handle for BucketRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// Lets S3 write logs.
pub(super) fn log_delivery(objects: Text) -> Statement {
    Statement::allow(["s3:PutObject"]).to_service("logging.s3.amazonaws.com").on(objects)
}

// ---------------------------------------------------------------------------------------------------

/// See [`Bucket::existing`](super::Bucket::existing).
#[derive(Debug, Clone)]
pub struct ExistingBucket {
    pub(super) name: Text,
    pub(super) key: Option<KeyRef>,
}

impl ExistingBucket {
    /// The key it is encrypted with, if it isn't S3's own.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }
}

impl Construct for ExistingBucket {
    type Handle = BucketRef;

    fn build(self, stack: &mut Stack) -> BucketRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":s3:::" + &self.name;
        let lookup = Lookup::new("aws_s3_bucket", "AWS::S3::Bucket")
            .by("bucket", &self.name)
            .known(NAME, &self.name)
            .known(ARN, arn);
        BucketRef { node: lookup.build(stack), policy: None, key: self.key, takes_logs: true }
    }
}
