//! Secrets Manager: values that nobody should read in code, in a template or in a state file.

mod password;
mod renderings;

use std::borrow::Cow;

pub use password::PasswordRules;
pub(super) use password::RandomPassword;
use renderings::{CurrentValue, Rotation, RotationPermission, SecretPolicy, SecretVersion};

use super::{kms::KeyRef, units::Days};
use crate::{
    policy::{Document, Grant, Statement},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Other, Pseudo, Ref, Removal, Stack, Text,
    },
};

const LONGEST_NAME: usize = 512;

/// A secret.
///
/// Encrypted, with the key that AWS manages for Secrets Manager unless another is given. Named after its
/// path. Its value is never part of what synth writes: it is generated where it is kept, or people put it in.
///
/// ```
/// use constructs::{services::{iam::{Role, Service}, secretsmanager::{PasswordRules, Secret}}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("redistribution");
/// let login = stack.add("Login", Secret::generated("newsloom", PasswordRules::default()));
/// let publish = stack.add("Publish", Role::of(Service::LAMBDA));
/// stack.grant(publish, login.read());
/// ```
#[derive(Debug, Clone)]
pub struct Secret {
    content: Content,
    description: Option<Cow<'static, str>>,
    key: Option<KeyRef>,
    recovery: Option<Days>,
    replicas: Vec<Replica>,
    rotation: Option<(Text, Days)>,
    policy: Document,
    name: Option<Text>,
}

#[derive(Debug, Clone)]
enum Content {
    Empty,
    Generated { username: Cow<'static, str>, rules: PasswordRules, version: u32 },
}

#[derive(Debug, Clone)]
struct Replica {
    region: Cow<'static, str>,
    key: Option<Text>,
}

impl Secret {
    /// A secret whose value people put in later, and what it is for. Reading it fails until then.
    pub fn empty(description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: Some(description.into()), ..Self::of(Content::Empty) }
    }

    /// A name and a password that AWS makes up: `{"username":"…","password":"…"}`. Terraform passes the
    /// password on without keeping it in its state (an ephemeral resource and a write-only argument).
    pub fn generated(username: impl Into<Cow<'static, str>>, rules: PasswordRules) -> Self {
        Self::of(Content::Generated { username: username.into(), rules, version: 1 })
    }

    fn of(content: Content) -> Self {
        Self {
            content,
            description: None,
            key: None,
            recovery: None,
            replicas: Vec::new(),
            rotation: None,
            policy: Document::default(),
            name: None,
        }
    }

    /// What it is for, up to 2048 characters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The version of a generated password, from 1. Raising it makes Terraform generate another one at the
    /// next apply; CloudFormation generates only once, when the secret is created.
    pub fn version(mut self, number: u32) -> Self {
        if let Content::Generated { version, .. } = &mut self.content {
            *version = number;
        }
        self
    }

    /// Encrypted with this key. [`SecretRef::read`] and [`SecretRef::write`] include the rights on it.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }

    /// How long a deleted secret can be restored, 7 to 30 days, or 0 for not at all; until then its name is
    /// taken. Defaults to 30, and to 0 where the app's removal rule is to destroy. Terraform only:
    /// CloudFormation always leaves 30 days.
    pub fn recovery_window(mut self, days: Days) -> Self {
        self.recovery = Some(days);
        self
    }

    /// Kept in another region too, encrypted with the key that AWS manages there.
    pub fn replica(mut self, region: impl Into<Cow<'static, str>>) -> Self {
        self.replicas.push(Replica { region: region.into(), key: None });
        self
    }

    /// Kept in another region too, encrypted with a key of that region.
    pub fn replica_encrypted_by(mut self, region: impl Into<Cow<'static, str>>, key: impl Into<Text>) -> Self {
        self.replicas.push(Replica { region: region.into(), key: Some(key.into()) });
        self
    }

    /// Rotated by a function, given by its ARN, every 1 to 1000 days and once at the start. The function may
    /// then be called for this secret; grant its role [`SecretRef::rotate`].
    pub fn rotated_by(mut self, function: impl Into<Text>, every: Days) -> Self {
        self.rotation = Some((function.into(), every));
        self
    }

    /// Adds a statement to the secret's own policy; its resource is `*`, the secret itself. A policy that
    /// lets everyone in is refused by AWS.
    pub fn allowing(mut self, statement: Statement) -> Self {
        self.policy.add(statement);
        self
    }

    /// Another name than the one made from the path; up to 512 letters, digits and `/_+=.@-`.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A secret that is managed elsewhere, by name, in this region and account. AWS ends a secret's ARN in
    /// six characters of its own, so grants are for `…:secret:<name>-??????`.
    pub fn existing(name: impl Into<Text>) -> ExistingSecret {
        ExistingSecret { id: name.into(), by_name: true, key: None }
    }

    /// A secret that is managed elsewhere, by its whole ARN: also of another account or region.
    pub fn existing_arn(arn: impl Into<Text>) -> ExistingSecret {
        ExistingSecret { id: arn.into(), by_name: false, key: None }
    }

    fn report_problems(&self, stack: &mut Stack) {
        if let Content::Generated { username, rules, .. } = &self.content {
            rules.check(stack);
            if username.is_empty() {
                stack.problem("a generated secret needs a username");
            }
        }
        if let Some(Days(days)) = self.recovery
            && days != 0
            && !(7..=30).contains(&days)
        {
            stack.problem(format!("a recovery window of {days} days; it is 0, or 7 to 30 days"));
        }
        if let Some((_, Days(days))) = self.rotation
            && !(1..=1000).contains(&days)
        {
            stack.problem(format!("rotated every {days} days; Secrets Manager rotates every 1 to 1000 days"));
        }
        if let Some(name) = self.name.as_ref().and_then(Text::literal) {
            let refused = |letter: char| !letter.is_ascii_alphanumeric() && !"/_+=.@-".contains(letter);
            if let Some(letter) = name.chars().find(|letter| refused(*letter)) {
                stack.problem(format!("the name `{name}` has a `{letter}`; letters, digits and /_+=.@- are allowed"));
            }
            if name.len() > LONGEST_NAME {
                stack.problem(format!("the name has {} characters; a secret's has up to {LONGEST_NAME}", name.len()));
            }
        }
    }
}

impl Construct for Secret {
    type Handle = SecretRef;

    fn build(mut self, stack: &mut Stack) -> SecretRef {
        let name = self.name.get_or_insert_with(|| stack.physical_name().into()).clone();
        if stack.removal() == Removal::Destroy {
            self.recovery.get_or_insert(Days(0));
        }
        self.report_problems(stack);
        let (content, key) = (self.content.clone(), self.key);
        let (rotation, policy) = (self.rotation.take(), std::mem::take(&mut self.policy));
        let mut secret = SecretRef { node: stack.resource(self), name: None, by_name: false, key, version: None };
        let name = Lookup::new("aws_secretsmanager_secret", "AWS::SecretsManager::Secret").known(NAME, name);
        secret.name = Some(stack.add("Name", name));
        if let Content::Generated { username, rules, version } = content {
            let password = Ref::new(stack.child("Password", RandomPassword(rules)), RandomPassword::VALUE);
            secret.version = Some(stack.child("Version", SecretVersion { secret, username, password, version }));
        }
        if !policy.is_empty() {
            stack.child("Policy", SecretPolicy { secret, policy });
        }
        if let Some((function, every)) = rotation {
            let permission =
                stack.child("RotationPermission", RotationPermission { secret, function: function.clone() });
            let rotation = stack.child("Rotation", Rotation { secret, function, every });
            stack.depends(rotation, permission);
        }
        secret
    }
}

/// See [`Secret::existing`] and [`Secret::existing_arn`].
#[derive(Debug, Clone)]
pub struct ExistingSecret {
    id: Text,
    by_name: bool,
    key: Option<KeyRef>,
}

impl ExistingSecret {
    /// The key it is encrypted with, if it isn't Secrets Manager's own.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }
}

impl Construct for ExistingSecret {
    type Handle = SecretRef;

    fn build(self, stack: &mut Stack) -> SecretRef {
        let lookup = Lookup::new("aws_secretsmanager_secret", "AWS::SecretsManager::Secret").known(ID, &self.id);
        let lookup = if self.by_name {
            let secrets = Text::from("arn:") + Pseudo::Partition + ":secretsmanager:" + Pseudo::Region + ":";
            let pattern = secrets + Pseudo::Account + ":secret:" + &self.id + "-??????";
            lookup.by("name", &self.id).known(NAME, &self.id).known(ARN_PATTERN, pattern)
        } else {
            lookup.by("arn", &self.id).known(ARN, &self.id)
        };
        SecretRef { node: lookup.build(stack), name: None, by_name: self.by_name, key: self.key, version: None }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Secret`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct SecretRef {
    node: NodeRef,
    /// What knows the name, where the resource itself can't tell it: CloudFormation gives only the ARN.
    name: Option<NodeRef>,
    by_name: bool,
    key: Option<KeyRef>,
    /// Terraform's resource with the value, which has to be there before the value is read.
    version: Option<NodeRef>,
}

/// A field of a secret as a property. The two backends have nothing in common here, so there are two texts.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretField {
    /// An expression; its value ends up in Terraform's state.
    pub terraform: Text,
    /// A dynamic reference, which CloudFormation resolves without showing or keeping the value.
    pub cloudformation: Text,
}

const ARN: Attribute = Attribute::arn("arn", Access::Ref);
const NAME: Attribute = Attribute::name("name", Access::None);
/// What the API takes for a secret: its ARN, or its name where that is all we know.
const ID: Attribute = Attribute::other("id", Access::Ref);
/// The ARN with `?` for the six characters that AWS adds; only for policies.
const ARN_PATTERN: Attribute = Attribute::arn("arn_pattern", Access::None);
const SECRET_STRING: Attribute = Attribute::other("secret_string", Access::None).sensitive();

impl SecretRef {
    /// The secret's ARN, with the six characters that AWS adds to the name.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The secret's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.name.unwrap_or(self.node), NAME)
    }

    /// May read the value.
    pub fn read(self) -> Grant {
        let actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"];
        self.with_key(Statement::allow(actions).on(self.granted()), KeyRef::decrypt)
    }

    /// May put in another value, without reading the present one.
    pub fn write(self) -> Grant {
        self.with_key(Statement::allow(["secretsmanager:PutSecretValue"]).on(self.granted()), KeyRef::encrypt)
    }

    /// May rotate it, as the function of [`Secret::rotated_by`] does.
    pub fn rotate(self) -> Grant {
        let actions = [
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ];
        let random =
            Statement::allow(["secretsmanager:GetRandomPassword"]).on_any("makes up a password; takes no resource");
        self.with_key(Statement::allow(actions).on(self.granted()), KeyRef::encrypt).and(random.into())
    }

    /// A field of the secret's JSON as a property of another resource, such as `password`. In Terraform the
    /// value then is in the state: only for what leaves no other way. A function or an instance should
    /// rather read the secret itself when it starts.
    pub fn field(self, stack: &mut Stack, field: &'static str) -> SecretField {
        let path = match stack.path_of(self.node) {
            Some(path) => format!("{path}/Value"),
            None => format!("ValueOfStack{}Secret{}", self.node.stack, self.node.index),
        };
        let value = stack.find(&path).unwrap_or_else(|| {
            let value = stack.resource_at(&path, CurrentValue { secret: self });
            // Another stack's is there before this one is deployed.
            if let Some(version) = self.version.filter(|version| stack.path_of(*version).is_some()) {
                stack.depends(value, version);
            }
            value
        });
        let value = Text::from(Ref::<Other>::new(value, SECRET_STRING));
        let key = format!(")[{}]", quoted(field));
        SecretField {
            terraform: Text::expression([Text::from("jsondecode("), value, key.into()]),
            cloudformation: Text::from("{{resolve:secretsmanager:") + self.id() + ":SecretString:" + field + "}}",
        }
    }

    fn id(self) -> Ref<Other> {
        Ref::new(self.node, ID)
    }

    fn granted(self) -> Ref<Arn> {
        if self.by_name { Ref::new(self.node, ARN_PATTERN) } else { self.arn() }
    }

    fn with_key(self, statement: Statement, on_key: fn(KeyRef) -> Grant) -> Grant {
        let grant = Grant::from(statement);
        match self.key {
            Some(key) => grant.and(on_key(key)),
            None => grant,
        }
    }
}

impl Handle for SecretRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// A string in Terraform's language.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests;
