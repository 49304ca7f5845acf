//! Key Management Service: keys that are the customer's own.

use crate::{
    policy::{Document, Grant, Permissions, Statement, Use},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Id, Lookup, NodeRef, Properties, Pseudo, Ref, Resource, Stack, Text,
        Types, Value,
    },
};

use super::units::Days;

/// What a service needs that encrypts, reads and rotates by itself.
const ENCRYPTING: [&str; 7] = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// A symmetric key, rotated every year.
///
/// Its policy lets the account's IAM policies decide who may use it, as AWS's default policy does, and
/// the services named with [`Key::for_service`] use it for the account's resources.
///
/// ```
/// use constructs::{services::kms::Key, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let key = stack.add("Key", Key::new("Encrypts the news stream"));
/// stack.output("KeyArn", key.arn());
/// ```
#[derive(Debug, Clone)]
pub struct Key {
    description: &'static str,
    waiting: Days,
    policy: Document,
}

impl Key {
    /// A key, and what it encrypts.
    pub fn new(description: &'static str) -> Self {
        let root = Text::from("arn:") + Pseudo::Partition + ":iam::" + Pseudo::Account + ":root";
        let account = Statement::allow(["kms:*"]).named("Account").to_aws(root).on("*");
        Self { description, waiting: Days(30), policy: Document::of([account]) }
    }

    /// How long a deleted key can still be saved, 7 to 30 days. Defaults to 30.
    pub fn deleted_after(mut self, waiting: Days) -> Self {
        self.waiting = waiting;
        self
    }

    /// Lets an AWS service use the key by itself, for resources of this account only: CloudWatch for an
    /// encrypted topic. CloudWatch Logs doesn't say for which account it asks: see [`Key::for_log_groups`].
    pub fn for_service(mut self, principal: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        let statement = Statement::allow(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"])
            .to_service(principal)
            .on("*")
            .when("StringEquals", "aws:SourceAccount", Pseudo::Account);
        self.policy.add(statement);
        self
    }

    /// Lets CloudWatch Logs of this region encrypt those log groups of this account whose name matches:
    /// `/newsloom/*`.
    pub fn for_log_groups(mut self, region: &str, name: impl Into<Text>) -> Self {
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let groups = Text::from("arn:") + Pseudo::Partition + ":logs:" + Pseudo::Region + ":" + Pseudo::Account;
        let statement = Statement::allow(ENCRYPTING)
            .to_service(format!("logs.{region}.amazonaws.com{suffix}"))
            .on("*")
            .when("ArnLike", "kms:EncryptionContext:aws:logs:arn", groups + ":log-group:" + name.into());
        self.policy.add(statement);
        self
    }

    /// Adds a statement to the key's policy; its resource is `*`, the key itself.
    pub fn allowing(mut self, statement: Statement) -> Self {
        self.policy.add(statement);
        self
    }

    /// A key that is managed elsewhere, by its ARN.
    pub fn existing(arn: impl Into<Text>) -> ExistingKey {
        ExistingKey::Arn(arn.into())
    }

    /// A key that is managed elsewhere, by its alias: `alias/newsloom-ingestion-key`. Rights are on keys and not
    /// on aliases, so Terraform looks the key up, and CloudFormation asks for its ARN.
    pub fn existing_alias(alias: impl Into<Text>) -> ExistingKey {
        ExistingKey::Alias(alias.into())
    }
}

impl Construct for Key {
    type Handle = KeyRef;

    fn build(self, stack: &mut Stack) -> KeyRef {
        if !(7..=30).contains(&self.waiting.0) {
            stack.problem(format!("a key can wait 7 to 30 days for its deletion, not {}", self.waiting.0));
        }
        let alias = Text::from("alias/") + stack.physical_name();
        let key = KeyRef { node: stack.resource(self) };
        stack.child("Alias", Alias { name: alias, key });
        key
    }
}

/// See [`Key::existing`] and [`Key::existing_alias`].
#[derive(Debug, Clone)]
pub enum ExistingKey {
    /// By its ARN.
    Arn(Text),
    /// By its alias.
    Alias(Text),
}

impl Construct for ExistingKey {
    type Handle = KeyRef;

    fn build(self, stack: &mut Stack) -> KeyRef {
        let lookup = Lookup::new("aws_kms_key", "AWS::KMS::Key");
        let lookup = match &self {
            Self::Arn(arn) => lookup.by("key_id", arn).known(ARN, arn),
            Self::Alias(alias) => lookup.by("key_id", alias),
        };
        KeyRef { node: lookup.build(stack) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Key`] of a stack, or one that exists already.
///
/// `encrypted_by` takes one, or an `Option` of one: `None` leaves the key to AWS, so that the choice needs no branch.
#[derive(Debug, Clone, Copy)]
pub struct KeyRef {
    node: NodeRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));

impl KeyRef {
    /// The key's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The key's id.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, Attribute::id("key_id", Access::Ref))
    }

    /// May decrypt what the key encrypted.
    pub fn decrypt(self) -> Grant {
        Statement::allow(["kms:Decrypt"]).on(self.arn()).into()
    }

    /// May encrypt with the key, and read it back: services that write ask for both.
    pub fn encrypt(self) -> Grant {
        Statement::allow(["kms:Decrypt", "kms:GenerateDataKey"]).on(self.arn()).into()
    }
}

impl Handle for KeyRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Key {
    fn types(&self) -> Types {
        Types::new("kms", "aws_kms_key", "AWS::KMS::Key")
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("Description", self.description)
            .set("EnableKeyRotation", true)
            .set("PendingWindowInDays", self.waiting)
            .set("KeyPolicy", &self.policy)
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("description", self.description)
            .set("enable_key_rotation", true)
            .set("deletion_window_in_days", self.waiting)
            .set("policy", Value::json(&self.policy))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Resource, of: None, document: &self.policy })
    }
}

/// A readable name for a key.
#[derive(Debug)]
struct Alias {
    name: Text,
    key: KeyRef,
}

impl Resource for Alias {
    fn types(&self) -> Types {
        Types::new("kms", "aws_kms_alias", "AWS::KMS::Alias")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("AliasName", &self.name).set("TargetKeyId", self.key.arn())
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("name", &self.name).set("target_key_id", self.key.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, check_stack, problems};

    #[test]
    fn renderings() {
        check("kms_key", Key::new("Encrypts the news stream"));
        check_stack("kms_key_existing", |stack| {
            let own = stack.add("Own", Key::existing_alias("alias/newsloom-ingestion-key"));
            stack.output("OwnArn", own.arn());
            let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
            let given = stack.add("Given", Key::existing(arn));
            stack.output("GivenArn", given.arn());
        });
        check("kms_key_for_a_service", Key::new("Encrypts alarms").for_service("cloudwatch.amazonaws.com"));
        check("kms_key_for_log_groups", Key::new("Encrypts logs").for_log_groups("eu-west-1", "/newsloom/*"));
    }

    #[test]
    fn a_key_waits_seven_to_thirty_days() {
        let found = problems(|stack| {
            stack.add("Key", Key::new("Too hasty").deleted_after(Days(1)));
        });
        assert!(found.contains("Key: a key can wait 7 to 30 days for its deletion, not 1"), "{found}");
    }
}
