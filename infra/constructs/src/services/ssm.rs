//! Systems Manager's Parameter Store: settings and small secrets under a path.

use std::borrow::Cow;

use super::{
    kms::KeyRef,
    secretsmanager::{PasswordRules, RandomPassword},
};
use crate::{
    policy::{Grant, Statement},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Kind, Lookup, Name, NodeRef, Other, Properties, Pseudo, Ref,
        Resource, Stack, Text, Types, Value,
    },
};

/// A parameter that anyone with the right may read, in clear.
///
/// Named `/app/path` after its path, so that a grant can cover a branch.
///
/// ```
/// use constructs::{services::ssm::Parameter, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let topics = stack.add("Topics", Parameter::list(["R:VOD.L", "R:BP.L"]).description("What we subscribe to"));
/// stack.output("TopicsName", topics.name());
/// ```
#[derive(Debug, Clone)]
pub struct Parameter {
    value: Text,
    list: bool,
    common: Common,
    data_type: Option<&'static str>,
}

/// A parameter that is encrypted, for Terraform only: CloudFormation can't create one, and its template
/// leaves it out; using it there is a problem. A secret that CloudFormation must have too is a
/// [`super::secretsmanager::Secret`].
///
/// The value is written and never read back (a write-only argument), so it isn't in the state.
#[derive(Debug, Clone)]
pub struct SecureParameter {
    source: Source,
    version: u32,
    key: Option<KeyRef>,
    common: Common,
}

#[derive(Debug, Clone)]
enum Source {
    Given(Text),
    Generated(PasswordRules),
}

#[derive(Debug, Clone, Default)]
struct Common {
    description: Option<Cow<'static, str>>,
    pattern: Option<Cow<'static, str>>,
    tier: Tier,
    name: Option<Text>,
}

/// What a parameter costs and how large it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tier {
    /// Up to 4 KB, free. The default.
    #[default]
    Standard,
    /// Up to 8 KB, and paid for; it can't go back to standard.
    Advanced,
    /// Standard as long as the value fits.
    IntelligentTiering,
}

impl Tier {
    fn word(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Advanced => "Advanced",
            Self::IntelligentTiering => "Intelligent-Tiering",
        }
    }

    fn most_bytes(self) -> usize {
        if self == Self::Standard { 4096 } else { 8192 }
    }
}

impl Parameter {
    /// A text.
    pub fn string(value: impl Into<Text>) -> Self {
        Self { value: value.into(), list: false, common: Common::default(), data_type: None }
    }

    /// Several texts, none of which has a comma in it.
    pub fn list<T: Into<Text>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut values = values.into_iter().map(Into::into);
        let first = values.next().unwrap_or_else(|| "".into());
        let value = values.fold(first, |all, value| all + "," + value);
        Self { list: true, ..Self::string(value) }
    }

    /// The id of a machine image, which Systems Manager checks to exist and to be usable.
    pub fn image(id: impl Into<Text>) -> Self {
        Self { data_type: Some("aws:ec2:image"), ..Self::string(id) }
    }

    /// An encrypted value that comes from elsewhere: a sensitive [`crate::tree::Parameter`] of the stack, or
    /// another resource. Terraform only, see [`SecureParameter`].
    pub fn secure(value: impl Into<Text>) -> SecureParameter {
        SecureParameter::of(Source::Given(value.into()))
    }

    /// An encrypted value that AWS makes up. Terraform only, see [`SecureParameter`].
    pub fn generated(rules: PasswordRules) -> SecureParameter {
        SecureParameter::of(Source::Generated(rules))
    }

    /// A parameter that is managed elsewhere, by name, in this region and account.
    pub fn existing(name: impl Into<Text>) -> ExistingParameter {
        ExistingParameter { name: name.into(), key: None }
    }
}

impl SecureParameter {
    fn of(source: Source) -> Self {
        Self { source, version: 1, key: None, common: Common::default() }
    }

    /// The version of the value, from 1. Terraform can't see a write-only value change; raising this makes it
    /// write the value again, and generate another where it is generated.
    pub fn version(mut self, number: u32) -> Self {
        self.version = number;
        self
    }

    /// Encrypted with this key rather than the one that AWS manages for Systems Manager.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }
}

macro_rules! common_setters {
    ($parameter:ident) => {
        impl $parameter {
            /// What it is for, up to 1024 characters.
            pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
                self.common.description = Some(description.into());
                self
            }

            /// A regular expression that every value has to match, up to 1024 characters.
            pub fn allowed_pattern(mut self, pattern: impl Into<Cow<'static, str>>) -> Self {
                self.common.pattern = Some(pattern.into());
                self
            }

            /// How large it can be. Defaults to [`Tier::Standard`], 4 KB.
            pub fn tier(mut self, tier: Tier) -> Self {
                self.common.tier = tier;
                self
            }

            /// Another name than the one made from the path: letters, digits and `_.-`, in up to 15 levels
            /// that start with `/`; not below `/aws` or `/ssm`.
            pub fn named(mut self, name: impl Into<Text>) -> Self {
                self.common.name = Some(name.into());
                self
            }
        }
    };
}

common_setters!(Parameter);
common_setters!(SecureParameter);

impl Common {
    fn finish(&mut self, stack: &mut Stack) {
        let Some(name) = &self.name else {
            let rest = stack.physical_name().split_off(stack.prefix().len() + 1);
            self.name = Some(format!("/{}/{rest}", stack.prefix()).into());
            return;
        };
        let Some(name) = name.literal() else { return };
        if let Some(letter) = name.chars().find(|letter| !letter.is_ascii_alphanumeric() && !"/_.-".contains(*letter)) {
            stack.problem(format!("the name `{name}` has a `{letter}`; letters, digits and /_.- are allowed"));
        }
        let first = name.trim_start_matches('/').to_ascii_lowercase();
        if first.starts_with("aws") || first.starts_with("ssm") {
            stack.problem(format!("the name `{name}` starts with `{}`, which AWS keeps for itself", &first[..3]));
        }
        if name.contains('/') && !name.starts_with('/') {
            stack.problem(format!("the name `{name}` has levels and doesn't start with `/`"));
        }
        if name.matches('/').count() > 15 {
            stack.problem(format!("the name `{name}` has more than 15 levels"));
        }
    }
}

impl Construct for Parameter {
    type Handle = ParameterRef;

    fn build(mut self, stack: &mut Stack) -> ParameterRef {
        self.common.finish(stack);
        if let Some(value) = self.value.literal() {
            let (bytes, most) = (value.len(), self.common.tier.most_bytes());
            if value.is_empty() {
                stack.problem("a parameter needs a value");
            }
            if bytes > most {
                stack.problem(format!("the value has {bytes} bytes; this tier takes {most}"));
            }
        }
        ParameterRef { node: stack.resource(self), key: None }
    }
}

impl Construct for SecureParameter {
    type Handle = ParameterRef;

    fn build(mut self, stack: &mut Stack) -> ParameterRef {
        self.common.finish(stack);
        match &self.source {
            Source::Given(value) if value.literal().is_some() => {
                stack.problem(
                    "a secret is written in the code; pass a sensitive parameter of the stack, or generate it",
                );
            }
            Source::Given(_) => {}
            Source::Generated(rules) => {
                rules.check(stack);
                let password = stack.child("Password", RandomPassword(*rules));
                self.source = Source::Given(Ref::<Other>::new(password, RandomPassword::VALUE).into());
            }
        }
        let key = self.key;
        ParameterRef { node: stack.resource(self), key }
    }
}

/// See [`Parameter::existing`].
#[derive(Debug, Clone)]
pub struct ExistingParameter {
    name: Text,
    key: Option<KeyRef>,
}

impl ExistingParameter {
    /// The key it is encrypted with, if it isn't Systems Manager's own.
    pub fn encrypted_by(mut self, key: impl Into<Option<KeyRef>>) -> Self {
        self.key = key.into();
        self
    }
}

impl Construct for ExistingParameter {
    type Handle = ParameterRef;

    fn build(self, stack: &mut Stack) -> ParameterRef {
        // The ARN of `/a/b` ends in `parameter/a/b`, that of `a` in `parameter/a`.
        let slash = if self.name.literal().is_some_and(|name| !name.starts_with('/')) { "/" } else { "" };
        let parameters = Text::from("arn:") + Pseudo::Partition + ":ssm:" + Pseudo::Region + ":" + Pseudo::Account;
        let lookup = Lookup::new("aws_ssm_parameter", "AWS::SSM::Parameter")
            .by("name", &self.name)
            .known(NAME, &self.name)
            .known(ARN, parameters + ":parameter" + slash + &self.name);
        let lookup = match self.name.literal() {
            Some(name) => lookup.stored_at(name),
            None => lookup,
        };
        ParameterRef { node: lookup.build(stack), key: self.key }
    }
}

/// A parameter that AWS publishes in every region, such as the newest machine image.
///
/// Its value is read when the stack is deployed: by a data source in Terraform, by a parameter of the
/// template in CloudFormation. What uses it changes when AWS publishes another value and the stack is
/// deployed again.
///
/// ```
/// use constructs::{services::ssm::PublicParameter, tree::{App, Id}};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let image = stack.add("Image", PublicParameter::new("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"));
/// stack.output("ImageId", image.value::<Id>());
/// ```
#[derive(Debug, Clone)]
pub struct PublicParameter(Cow<'static, str>);

impl PublicParameter {
    /// The parameter at a path that starts with `/aws/service/`.
    pub fn new(path: impl Into<Cow<'static, str>>) -> Self {
        Self(path.into())
    }
}

impl Construct for PublicParameter {
    type Handle = PublicParameterRef;

    fn build(self, stack: &mut Stack) -> PublicParameterRef {
        let path = self.0.into_owned();
        if !path.starts_with("/aws/service/") {
            stack.problem(format!("`{path}` is no public parameter; their paths start with `/aws/service/`"));
        }
        let lookup = Lookup::new("aws_ssm_parameter", "AWS::SSM::Parameter").by("name", &path).stored_at(path);
        PublicParameterRef { node: lookup.build(stack) }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Parameter`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct ParameterRef {
    node: NodeRef,
    key: Option<KeyRef>,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("name", Access::Ref);
/// The value in clear; Terraform marks `value` sensitive even where it isn't.
const VALUE: Attribute = Attribute::other("insecure_value", Access::GetAtt("Value"));

impl ParameterRef {
    /// The parameter's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The parameter's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The value of a parameter that isn't encrypted, as the kind that the reader knows it to be.
    pub fn value<K: Kind>(self) -> Ref<K> {
        Ref::new(self.node, VALUE)
    }

    /// May read the value.
    pub fn read(self) -> Grant {
        let grant = Grant::from(Statement::allow(["ssm:GetParameter", "ssm:GetParameters"]).on(self.arn()));
        match self.key {
            Some(key) => grant.and(key.decrypt()),
            None => grant,
        }
    }

    /// May change the value.
    pub fn write(self) -> Grant {
        let grant = Grant::from(Statement::allow(["ssm:PutParameter"]).on(self.arn()));
        match self.key {
            Some(key) => grant.and(key.encrypt()),
            None => grant,
        }
    }
}

impl Handle for ParameterRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// A [`PublicParameter`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct PublicParameterRef {
    node: NodeRef,
}

impl PublicParameterRef {
    /// Its value, as the kind that the reader knows it to be.
    pub fn value<K: Kind>(self) -> Ref<K> {
        Ref::new(self.node, VALUE)
    }
}

impl Handle for PublicParameterRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Parameter {
    fn kind(&self) -> &'static str {
        if self.list { "StringList" } else { "String" }
    }
}

impl Resource for Parameter {
    fn types(&self) -> Types {
        Types::new("ssm", "aws_ssm_parameter", "AWS::SSM::Parameter")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("Name", self.common.name.as_ref())
            .set_some("Description", self.common.description.clone().map(Cow::into_owned))
            .set("Type", self.kind())
            .set("Value", &self.value)
            .set_some("DataType", self.data_type)
            .set("Tier", self.common.tier.word())
            .set_some("AllowedPattern", self.common.pattern.clone().map(Cow::into_owned))
    }

    fn terraform(&self) -> Properties {
        // `value` is sensitive whatever the type, and would hide every change from a plan.
        self.common.terraform(self.kind(), "insecure_value", self.value.clone()).set_some("data_type", self.data_type)
    }
}

impl Resource for SecureParameter {
    fn types(&self) -> Types {
        Types::terraform("ssm", "aws_ssm_parameter")
    }

    fn terraform(&self) -> Properties {
        let value = match &self.source {
            Source::Given(value) => value.into(),
            Source::Generated(_) => Value::Null,
        };
        self.common
            .terraform("SecureString", "value_wo", value)
            .set("value_wo_version", self.version)
            .set_some("key_id", self.key.map(KeyRef::arn))
    }
}

impl Common {
    fn terraform(&self, kind: &'static str, argument: &'static str, value: impl Into<Value>) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set("type", kind)
            .set(argument, value)
            .set("tier", self.tier.word())
            .set_some("allowed_pattern", self.pattern.clone().map(Cow::into_owned))
    }
}

#[cfg(test)]
mod tests;
