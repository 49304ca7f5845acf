//! One statement of a policy: who may do what, on which resources, and under which conditions.

use std::borrow::Cow;

use crate::tree::{Part, Properties, Text, Value};

/// Whether a statement gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Gives a right, unless another statement denies it.
    Allow,
    /// Takes a right away, whatever else allows it.
    Deny,
}

impl Effect {
    /// The word in the document: `Allow`, `Deny`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// To whom a statement speaks.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Principal {
    /// The role or user that carries the policy. Identity policies name nobody else.
    #[default]
    Holder,
    /// AWS services, by their partition-neutral names: `lambda.amazonaws.com`.
    Service(Vec<Cow<'static, str>>),
    /// Accounts, roles or users, by ARN.
    Aws(Vec<Text>),
    /// Anyone at all; a condition should narrow it.
    Everyone,
}

impl Principal {
    fn to_value(&self) -> Option<Value> {
        let map = |name, value| Value::Map(Properties::default().set(name, value));
        match self {
            Self::Holder => None,
            Self::Service(names) => Some(map("Service", words(names))),
            Self::Aws(arns) => Some(map("AWS", Value::list(arns))),
            Self::Everyone => Some("*".into()),
        }
    }
}

/// When a statement holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// How key and values are compared: `StringEquals`, `ArnLike`, `Bool`.
    pub operator: Cow<'static, str>,
    /// What is compared: `aws:SourceAccount`, `kms:ViaService`.
    pub key: Cow<'static, str>,
    /// One of these has to match.
    pub values: Vec<Text>,
}

/// One statement of a policy.
///
/// ```
/// use constructs::policy::Statement;
/// use constructs::tree::{Pseudo, Text};
/// let keys = Text::from("arn:") + Pseudo::Partition + ":kms:" + Pseudo::Region + ":" + Pseudo::Account + ":key/*";
/// let decrypt = Statement::allow(["kms:Decrypt"])
///     .on(keys)
///     .when("StringEquals", "kms:CallerAccount", Pseudo::Account);
/// assert_eq!(decrypt.conditions.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Whether it gives or takes.
    pub effect: Effect,
    /// A name for the statement; most have none.
    pub sid: Option<Cow<'static, str>>,
    /// What may be done: `kinesis:PutRecords`.
    pub actions: Vec<Cow<'static, str>>,
    /// What it may be done to, as ARNs. Empty in a trust policy.
    pub resources: Vec<Text>,
    /// Who may do it.
    pub principal: Principal,
    /// When; all of them have to hold.
    pub conditions: Vec<Condition>,
    /// Why the resource is `*`, see [`Statement::on_any`].
    pub any_resource_reason: Option<&'static str>,
}

impl Statement {
    /// Allows the actions; say on what with [`Statement::on`].
    pub fn allow<A: Into<Cow<'static, str>>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::new(Effect::Allow, actions)
    }

    /// Denies the actions, whatever else allows them.
    pub fn deny<A: Into<Cow<'static, str>>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::new(Effect::Deny, actions)
    }

    /// Lets a service assume the role that carries this trust policy.
    pub fn assume(service: impl Into<Cow<'static, str>>) -> Self {
        Self::allow(["sts:AssumeRole"]).to_service(service)
    }

    /// Adds a resource, by ARN.
    pub fn on(mut self, resource: impl Into<Text>) -> Self {
        let resource = resource.into();
        if !self.resources.contains(&resource) {
            self.resources.push(resource);
        }
        self
    }

    /// Every resource, written `*`: for actions that take no resource. The reason is for the reader.
    pub fn on_any(mut self, why: &'static str) -> Self {
        self.any_resource_reason = Some(why);
        self.on("*")
    }

    /// Names the statement. AWS takes letters and digits only.
    pub fn named(mut self, sid: impl Into<Cow<'static, str>>) -> Self {
        self.sid = Some(sid.into());
        self
    }

    /// Speaks to a service, by its partition-neutral name: `lambda.amazonaws.com`. Again for one more;
    /// any other kind of principal said before is replaced.
    pub fn to_service(mut self, service: impl Into<Cow<'static, str>>) -> Self {
        match &mut self.principal {
            Principal::Service(names) => names.push(service.into()),
            other => *other = Principal::Service(vec![service.into()]),
        }
        self
    }

    /// Speaks to an account, role or user, by ARN. Again for one more; any other kind of principal said
    /// before is replaced.
    pub fn to_aws(mut self, arn: impl Into<Text>) -> Self {
        match &mut self.principal {
            Principal::Aws(arns) => arns.push(arn.into()),
            other => *other = Principal::Aws(vec![arn.into()]),
        }
        self
    }

    /// Speaks to anyone. Narrow it with [`Statement::when`] unless it denies.
    pub fn to_everyone(mut self) -> Self {
        self.principal = Principal::Everyone;
        self
    }

    /// Holds only when the key compares to the value. Several conditions all have to hold; the same
    /// operator and key again adds an alternative, as a policy document cannot say otherwise.
    pub fn when(
        self,
        operator: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Text>,
    ) -> Self {
        self.when_one_of(operator, key, [value])
    }

    /// Holds only when the key compares to one of the values.
    pub fn when_one_of<T: Into<Text>>(
        mut self,
        operator: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let (operator, key) = (operator.into(), key.into());
        let values = values.into_iter().map(Into::into);
        match self.conditions.iter_mut().find(|known| known.operator == operator && known.key == key) {
            Some(known) => known.values.extend(values),
            None => self.conditions.push(Condition { operator, key, values: values.collect() }),
        }
        self
    }

    /// Whether the two differ in nothing but their actions, so that they can be one.
    pub(super) fn differs_in_actions_only(&self, other: &Self) -> bool {
        self.effect == other.effect
            && self.sid == other.sid
            && self.resources == other.resources
            && self.principal == other.principal
            && self.conditions == other.conditions
    }

    /// Sorts the actions and drops repeats, so that the order of grants does not show.
    pub(super) fn sort_actions(&mut self) {
        self.actions.sort();
        self.actions.dedup();
    }

    pub(super) fn to_value(&self) -> Value {
        let properties = Properties::default()
            .set_some("Sid", self.sid.clone().map(|sid| Text::from(Part::Literal(sid))))
            .set("Effect", self.effect.word())
            .set_some("Principal", self.principal.to_value())
            .set("Action", words(&self.actions))
            .set_filled("Resource", Value::list(&self.resources))
            .set_filled("Condition", self.conditions_value());
        Value::Map(properties)
    }

    fn conditions_value(&self) -> Properties {
        let mut operators = Properties::default();
        for condition in &self.conditions {
            let values = Value::list(&condition.values);
            match operators.slot(&condition.operator) {
                Value::Map(keys) => keys.insert(condition.key.clone(), values),
                empty => *empty = Value::Map(Properties::default().set(condition.key.clone(), values)),
            }
        }
        operators
    }

    fn new<A: Into<Cow<'static, str>>>(effect: Effect, actions: impl IntoIterator<Item = A>) -> Self {
        Self {
            effect,
            sid: None,
            actions: actions.into_iter().map(Into::into).collect(),
            resources: Vec::new(),
            principal: Principal::Holder,
            conditions: Vec::new(),
            any_resource_reason: None,
        }
    }
}

fn words(words: &[Cow<'static, str>]) -> Value {
    Value::list(words.iter().map(|word| Text::from(Part::Literal(word.clone()))))
}
