//! Buckets: what is said of them, what is checked, and how they are written down.

use super::{
    handle::{BucketRef, ExistingBucket, log_delivery},
    lifecycle::Rule,
    notification::{Event, Notifications},
    satellites::{BucketPolicy, Matter, Satellite},
};
use crate::{
    policy::{Document, Statement},
    services::{kms::KeyRef, sns::TopicRef, sqs::QueueRef, units::Days},
    tree::{Construct, NodeRef, Properties, Pseudo, Removal, Resource, Stack, Text, Types, Value},
};

const LONGEST_NAME: usize = 63;
const ACCOUNT_LENGTH: usize = 12;
/// As long as the longest region, `ap-southeast-1`.
const REGION_LENGTH: usize = 14;

/// A bucket.
///
/// Nothing in it is ever public, it is reached over TLS only, keeps old versions, encrypts objects, belongs
/// to its owner without access control lists, and drops uploads that weren't finished within a week. It is
/// named after its path, the account and the region, as names are taken worldwide.
///
/// ```
/// use constructs::{services::{s3::Bucket, units::Days}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("enrichment");
/// let quarantine = stack.add("Quarantine", Bucket::new().expire_noncurrent_after(Days(30)));
/// stack.output("QuarantineName", quarantine.name());
/// ```
#[derive(Debug, Clone)]
pub struct Bucket {
    key: Option<KeyRef>,
    versioned: bool,
    uploads: Days,
    rules: Vec<Rule>,
    logs: Option<(BucketRef, Text)>,
    takes_logs: bool,
    notifications: Notifications,
    tls: Option<Tls>,
    statements: Vec<Statement>,
    name: Option<Text>,
    emptied: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// What S3 asks of everybody already; some auditors want it said.
    V1_2,
    /// Refuses clients that know no newer one than 1.2.
    V1_3,
}

impl Default for Bucket {
    fn default() -> Self {
        Self::new()
    }
}

impl Bucket {
    /// A private bucket.
    pub fn new() -> Self {
        Self {
            key: None,
            versioned: true,
            uploads: Days(7),
            rules: Vec::new(),
            logs: None,
            takes_logs: false,
            notifications: Notifications::default(),
            tls: None,
            statements: Vec::new(),
            name: None,
            emptied: false,
        }
    }

    /// Encrypts objects with this key instead of S3's own, through a bucket key, which asks KMS less often.
    /// Who reads or writes needs rights on the key; the grants include them.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// Keeps no old versions: what is overwritten or deleted is gone.
    pub fn unversioned(mut self) -> Self {
        self.versioned = false;
        self
    }

    /// Deletes versions so many days after a newer one took their place, at least 1. They are kept for ever
    /// where this is left out.
    pub fn expire_noncurrent_after(self, days: Days) -> Self {
        self.rule(Rule::noncurrent(days))
    }

    /// Drops the parts of an upload that wasn't finished after so many days, at least 1. Defaults to 7.
    pub fn abort_uploads_after(mut self, days: Days) -> Self {
        self.uploads = days;
        self
    }

    /// Adds a rule for objects as they grow old. At most 1000 with the bucket's own.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Writes a line for each request into another bucket of the account and region, within hours, under a
    /// prefix such as `news/`. That bucket's policy then lets S3 write.
    pub fn logging_to(mut self, bucket: BucketRef, prefix: impl Into<Text>) -> Self {
        self.logs = Some((bucket, prefix.into()));
        self
    }

    /// Takes the logs of every bucket of the account, so that buckets of other stacks may log here. Where
    /// this is left out, each bucket that logs here is let in by itself.
    pub fn taking_logs(mut self) -> Self {
        self.takes_logs = true;
        self
    }

    /// Tells EventBridge of everything that happens to objects.
    pub fn notifying_event_bus(mut self) -> Self {
        self.notifications.to_event_bus = true;
        self
    }

    /// Tells a queue of an event. The queue's policy then lets the bucket send.
    pub fn notifying_queue(mut self, event: Event, queue: QueueRef) -> Self {
        self.notifications.tell_queue(event, queue);
        self
    }

    /// Tells a topic of an event. The topic's policy then lets the bucket publish.
    pub fn notifying_topic(mut self, event: Event, topic: TopicRef) -> Self {
        self.notifications.tell_topic(event, topic);
        self
    }

    /// Refuses older versions of TLS. Defaults to what S3 takes, 1.2.
    pub fn minimum_tls(mut self, version: Tls) -> Self {
        self.tls = Some(version);
        self
    }

    /// Adds a statement to the bucket's policy. Where it names no resource, it is about the bucket and
    /// everything in it.
    pub fn allowing(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    /// Another name than the one made from path, account and region: 3 to 63 small letters, digits, `-`
    /// and `.`, as no other bucket in the world is called.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A bucket that is managed elsewhere, by name.
    pub fn existing(name: impl Into<Text>) -> ExistingBucket {
        ExistingBucket { name: name.into(), key: None }
    }
}

impl Construct for Bucket {
    type Handle = BucketRef;

    fn build(mut self, stack: &mut Stack) -> BucketRef {
        self.rules.insert(0, Rule::abort_uploads(self.uploads));
        self.check_rules(stack);
        let name = self.name.take().unwrap_or_else(|| made_name(stack));
        check_name(stack, &name);
        let senders = self.notifications.allow(stack, &name);
        self.name = Some(name);
        let definition = self.clone();
        let mut bucket = BucketRef {
            node: stack.resource(self),
            policy: None,
            key: definition.key,
            takes_logs: definition.takes_logs,
        };
        for policy in senders {
            stack.depends(bucket, policy);
        }
        let access = definition.add_satellites(stack, bucket);
        let policy = stack.child("Policy", BucketPolicy { bucket, document: definition.policy_document(bucket) });
        // S3 refuses two changes of a bucket's access at once.
        stack.depends(policy, access);
        bucket.policy = Some(policy);
        for statement in definition.statements {
            bucket.allow(stack, statement);
        }
        if let Some((logs, prefix)) = definition.logs {
            logs.take_logs_of(stack, bucket, prefix);
        }
        bucket
    }
}

impl Bucket {
    /// Terraform's resources beside the bucket; gives the last of those that touch who has access.
    fn add_satellites(&self, stack: &mut Stack, bucket: BucketRef) -> NodeRef {
        let public_access = stack.child("PublicAccess", Satellite { bucket, of: Matter::PublicAccess });
        let ownership = stack.child("Ownership", Satellite { bucket, of: Matter::Ownership });
        stack.depends(ownership, public_access);
        stack.child("Encryption", Satellite { bucket, of: Matter::Encryption(self.key) });
        let versioning =
            self.versioned.then(|| stack.child("Versioning", Satellite { bucket, of: Matter::Versioning }));
        let lifecycle = stack.child("Lifecycle", Satellite { bucket, of: Matter::Lifecycle(self.rules.clone()) });
        if let Some(versioning) = versioning {
            stack.depends(lifecycle, versioning);
        }
        if !self.notifications.is_empty() {
            let notifications = self.notifications.clone();
            stack.child("Notifications", Satellite { bucket, of: Matter::Notifications(notifications) });
        }
        ownership
    }

    fn policy_document(&self, bucket: BucketRef) -> Document {
        let denied = |name: &'static str| {
            Statement::deny(["s3:*"]).named(name).to_everyone().on(bucket.arn()).on(bucket.objects(""))
        };
        let over_tls = denied("TlsOnly").when("Bool", "aws:SecureTransport", "false");
        let mut document = Document::of([over_tls]);
        if let Some(version) = self.tls {
            let version = if version == Tls::V1_2 { "1.2" } else { "1.3" };
            document.add(denied("RecentTls").when("NumericLessThan", "s3:TlsVersion", version));
        }
        if self.takes_logs {
            let anyone = log_delivery(bucket.objects("")).when("StringEquals", "aws:SourceAccount", Pseudo::Account);
            document.add(anyone);
        }
        document
    }

    fn check_rules(&self, stack: &mut Stack) {
        let mut known = Vec::new();
        for rule in &self.rules {
            rule.check(stack);
            if rule.needs_versions() && !self.versioned {
                stack.problem(format!("the rule `{}` is about old versions, and the bucket keeps none", rule.id));
            }
            if known.contains(&&rule.id) {
                stack.problem(format!("two rules are named `{}`", rule.id));
            }
            known.push(&rule.id);
        }
        if self.takes_logs && self.key.is_some() {
            stack.problem("S3 writes no logs to a bucket that is encrypted with a KMS key; leave the key out");
        }
    }
}

fn made_name(stack: &Stack) -> Text {
    let left = LONGEST_NAME - ACCOUNT_LENGTH - stack.region().map_or(REGION_LENGTH, str::len) - 2;
    let name = stack.physical_name_within(left).to_lowercase();
    Text::from(name) + "-" + Pseudo::Account + "-" + Pseudo::Region
}

fn check_name(stack: &mut Stack, name: &Text) {
    let Some(name) = name.literal() else { return };
    let edge =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter);
    let fits = (3..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed) && !name.contains("..");
    if !(fits && edge(name.chars().next()) && edge(name.chars().last())) {
        stack.problem(format!("the bucket name `{name}` must be 3 to 63 small letters, digits, `-` and `.`, with a letter or digit at both ends"));
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Bucket {
    fn types(&self) -> Types {
        Types::new("s3", "aws_s3_bucket", "AWS::S3::Bucket")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn protect(&mut self, removal: Removal) {
        self.emptied = removal == Removal::Destroy;
    }

    fn cloudformation(&self) -> Properties {
        let enabled = || Properties::default().set("Status", "Enabled");
        let ownership = Properties::default().set("ObjectOwnership", "BucketOwnerEnforced");
        let rules = Properties::default().set("Rules", Value::list(self.rules.iter().map(Rule::cloudformation)));
        let logging = |(bucket, prefix): &(BucketRef, Text)| {
            Properties::default().set("DestinationBucketName", bucket.name()).set("LogFilePrefix", prefix)
        };
        Properties::default()
            .set_some("BucketName", self.name.as_ref())
            .set("PublicAccessBlockConfiguration", no_public_access())
            .set("OwnershipControls", Properties::default().set("Rules", [ownership]))
            .set(
                "BucketEncryption",
                Properties::default().set("ServerSideEncryptionConfiguration", [encryption(self.key)]),
            )
            .set_some("VersioningConfiguration", self.versioned.then(enabled))
            .set("LifecycleConfiguration", rules)
            .set_some("LoggingConfiguration", self.logs.as_ref().map(logging))
            .set_filled("NotificationConfiguration", self.notifications.cloudformation())
    }

    fn terraform(&self) -> Properties {
        Properties::default().set_some("bucket", self.name.as_ref()).set("force_destroy", self.emptied)
    }
}

fn no_public_access() -> Properties {
    Properties::default()
        .set("BlockPublicAcls", true)
        .set("BlockPublicPolicy", true)
        .set("IgnorePublicAcls", true)
        .set("RestrictPublicBuckets", true)
}

fn encryption(key: Option<KeyRef>) -> Properties {
    let algorithm = if key.is_some() { "aws:kms" } else { "AES256" };
    let default = Properties::default().set("SSEAlgorithm", algorithm);
    Properties::default()
        .set("ServerSideEncryptionByDefault", default.set_some("KMSMasterKeyID", key.map(KeyRef::arn)))
        .set_some("BucketKeyEnabled", key.map(|_| true))
}
