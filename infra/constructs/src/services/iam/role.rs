//! Roles, and the services that assume them.

use std::borrow::Cow;

use super::Grantee;
use crate::{
    policy::{Document, Grant, Permissions, Statement, Use},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
        Text, Types, Value,
    },
};

/// The longest name that a role can have.
const LONGEST_ROLE_NAME: usize = 64;

/// A service that can assume a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its principal, the same in every partition.
    pub principal: &'static str,
    /// Whether it tells on whose behalf it assumes a role, so that a trust policy can refuse other accounts.
    tells_account: bool,
}

impl Service {
    /// Instances. EC2 sets no source keys when it assumes a role.
    pub const EC2: Self = Self::silent("ec2.amazonaws.com");
    /// Functions. Lambda sets no source keys when it assumes an execution role.
    pub const LAMBDA: Self = Self::silent("lambda.amazonaws.com");
    /// Models and endpoints (SageMaker Developer Guide, "Cross-service confused deputy prevention").
    pub const SAGEMAKER: Self = Self::telling("sagemaker.amazonaws.com");
    /// Flow logs (VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs").
    pub const FLOW_LOGS: Self = Self::telling("vpc-flow-logs.amazonaws.com");

    /// A service that sets `aws:SourceAccount` when it assumes a role; its documentation says so.
    pub const fn telling(principal: &'static str) -> Self {
        Self { principal, tells_account: true }
    }

    /// A service that doesn't.
    pub const fn silent(principal: &'static str) -> Self {
        Self { principal, tells_account: false }
    }

    fn trust(self) -> Statement {
        let statement = Statement::assume(self.principal);
        if !self.tells_account {
            return statement;
        }
        statement.when("StringEquals", "aws:SourceAccount", Pseudo::Account)
    }
}

/// A role: rights that a service, or somebody, takes on.
///
/// What it may do is said with `stack.grant`, and ends up in one inline policy.
///
/// ```
/// use constructs::{services::{iam::{Role, Service}, kinesis::Stream}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let news = stack.add("News", Stream::on_demand());
/// let ingester = stack.add("Ingester", Role::of(Service::EC2));
/// stack.grant(ingester, news.write());
/// ```
#[derive(Debug, Clone)]
pub struct Role {
    service: Option<Service>,
    trust: Document,
    description: Option<Cow<'static, str>>,
    boundary: Option<Text>,
    name: Option<Text>,
}

impl Role {
    /// A role that a service assumes. Where the service says for whom, only this account is trusted.
    pub fn of(service: Service) -> Self {
        Self { service: Some(service), ..Self::trusting(Document::of([service.trust()])) }
    }

    /// A role with a trust policy of its own.
    pub fn trusting(trust: Document) -> Self {
        Self { service: None, trust, description: None, boundary: None, name: None }
    }

    /// What it is for, up to 1000 characters.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The policy that bounds whatever the role is granted.
    pub fn boundary(mut self, policy: impl Into<Text>) -> Self {
        self.boundary = Some(policy.into());
        self
    }

    /// Another name than the one made from the path; up to 64 characters.
    pub fn named(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A role that is managed elsewhere, by name. What is granted to it becomes an inline policy of its own.
    pub fn existing(name: impl Into<Text>) -> ExistingRole {
        ExistingRole(name.into())
    }
}

impl Construct for Role {
    type Handle = RoleRef;

    fn build(mut self, stack: &mut Stack) -> RoleRef {
        self.name.get_or_insert_with(|| stack.physical_name_within(LONGEST_ROLE_NAME).into());
        let service = self.service;
        RoleRef { node: stack.resource(self), service }
    }
}

impl Stack {
    /// Reports a problem unless the service can assume the role. Roles with a trust policy of their own, and
    /// existing ones, are asked what they say.
    pub(crate) fn must_be_assumable(&mut self, role: RoleRef, service: Service) {
        let trusted = match role.service {
            Some(known) => known == service,
            None => self.edit::<Role>(role.node).is_none_or(|role| role.trust.assumable_by(service.principal)),
        };
        if !trusted {
            let path = self.path_of(role.node).unwrap_or_default().to_owned();
            self.problem(format!(
                "{} can't assume the role `{path}`; its trust policy doesn't name it",
                service.principal
            ));
        }
    }
}

/// See [`Role::existing`].
#[derive(Debug, Clone)]
pub struct ExistingRole(Text);

impl Construct for ExistingRole {
    type Handle = RoleRef;

    fn build(self, stack: &mut Stack) -> RoleRef {
        let arn = Text::from("arn:") + Pseudo::Partition + ":iam::" + Pseudo::Account + ":role/" + &self.0;
        let lookup = Lookup::new("aws_iam_role", "AWS::IAM::Role").known(ROLE_NAME, &self.0).known(ARN, arn);
        RoleRef { node: lookup.by("name", &self.0).build(stack), service: None }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Role`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct RoleRef {
    node: NodeRef,
    service: Option<Service>,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));

const ROLE_NAME: Attribute = Attribute::name("name", Access::Ref);

impl RoleRef {
    /// The role's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The role's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, ROLE_NAME)
    }

    /// May hand this role to a service, and to no other.
    pub fn pass_to(self, service: Service) -> Grant {
        Statement::allow(["iam:PassRole"])
            .on(self.arn())
            .when("StringEquals", "iam:PassedToService", service.principal)
            .into()
    }
}

impl Grantee for RoleRef {
    fn role(self) -> RoleRef {
        self
    }
}

impl Handle for RoleRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Role {
    fn types(&self) -> Types {
        Types::new("iam", "aws_iam_role", "AWS::IAM::Role")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("RoleName", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set("AssumeRolePolicyDocument", &self.trust)
            .set_some("PermissionsBoundary", self.boundary.as_ref())
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set("assume_role_policy", Value::json(&self.trust))
            .set_some("permissions_boundary", self.boundary.as_ref())
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Trust, of: None, document: &self.trust })
    }
}
