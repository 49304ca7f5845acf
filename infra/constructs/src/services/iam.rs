//! Identity and Access Management: roles, what they may do, and who may assume them.

mod linked;

pub use linked::{ServiceLinkedRole, ServiceLinkedRoleRef};

use std::borrow::Cow;

use crate::{
    policy::{Document, Grant, Permissions, Statement, Use},
    tree::{
        Access, Arn, Attribute, Construct, Handle, Id, Lookup, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack,
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

/// A customer-managed policy: rights under a name, for several roles. Most roles need none.
///
/// ```
/// use constructs::{services::{iam::{Policy, Role, Service}, kinesis::Stream}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let news = stack.add("News", Stream::on_demand());
/// let ingester = stack.add("Ingester", Role::of(Service::EC2));
/// let writers = stack.add("Writers", Policy::of(news.write()).attached_to(ingester));
/// stack.output("WritersArn", writers.arn());
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    document: Document,
    roles: Vec<RoleRef>,
    description: Option<Cow<'static, str>>,
    name: Option<Text>,
}

impl Policy {
    /// A policy that gives these rights.
    pub fn of(grant: Grant) -> Self {
        Self { document: Document::of(grant), roles: Vec::new(), description: None, name: None }
    }

    /// Gives the rights to a role.
    pub fn attached_to(mut self, holder: impl Grantee) -> Self {
        self.roles.push(holder.role());
        self
    }

    /// What it is for. Changing it replaces the policy.
    pub fn description(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = Some(description.into());
        self
    }
}

impl Construct for Policy {
    type Handle = PolicyRef;

    fn build(mut self, stack: &mut Stack) -> PolicyRef {
        self.name.get_or_insert_with(|| stack.physical_name().into());
        if self.document.is_empty() {
            stack.problem("the policy allows nothing; say what with a grant");
        }
        let roles = self.roles.clone();
        let policy = PolicyRef { node: stack.resource(self) };
        for (index, role) in roles.into_iter().enumerate() {
            stack.child(&format!("Attachment{}", index + 1), Attachment { role, policy: policy.arn().into() });
        }
        policy
    }
}

/// A role in the shape that instances take.
///
/// ```
/// use constructs::{services::iam::{InstanceProfile, Role, Service}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let role = stack.add("Ingester", Role::of(Service::EC2));
/// let profile = stack.add("Profile", InstanceProfile::of(role));
/// stack.output("ProfileName", profile.name());
/// ```
#[derive(Debug, Clone)]
pub struct InstanceProfile {
    role: RoleRef,
    name: Option<Text>,
}

impl InstanceProfile {
    /// The profile of one role, which EC2 must be able to assume.
    pub fn of(role: RoleRef) -> Self {
        Self { role, name: None }
    }
}

impl Construct for InstanceProfile {
    type Handle = InstanceProfileRef;

    fn build(mut self, stack: &mut Stack) -> InstanceProfileRef {
        stack.must_be_assumable(self.role, Service::EC2);
        self.name.get_or_insert_with(|| stack.physical_name().into());
        let role = self.role;
        InstanceProfileRef { node: stack.resource(self), role }
    }
}

impl Stack {
    /// Lets a role, or what runs with one, do something: `stack.grant(enrich, articles.write())`. All that a
    /// role is granted in a stack is one inline policy, `Policy` below the role.
    pub fn grant(&mut self, grantee: impl Grantee, grant: impl Into<Grant>) {
        let role = grantee.role();
        let policy = self.policy_of(role).unwrap_or_else(|| self.add_policy(role));
        if let Some(policy) = self.edit::<RolePolicy>(policy) {
            policy.document.extend(grant.into());
        }
    }

    /// The inline policy that holds what a role was granted so far in this stack: for what has to wait until
    /// the role may do its work, such as an event source mapping.
    pub fn policy_of(&self, role: RoleRef) -> Option<NodeRef> {
        self.find(&self.policy_path(role))
    }

    fn add_policy(&mut self, role: RoleRef) -> NodeRef {
        let path = self.policy_path(role);
        self.resource_at(&path, RolePolicy { role, document: Document::default() })
    }

    fn policy_path(&self, role: RoleRef) -> String {
        match self.path_of(role.node) {
            Some(path) => format!("{path}/Policy"),
            None => format!("GrantsToStack{}Role{}", role.node.stack, role.node.index),
        }
    }

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

// ---------------------------------------------------------------------------------------------------

/// What can be granted rights: a role, or something that runs with one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no role that could be granted anything",
    note = "grant to a role, a function or an instance; say what it may do with the second argument: `stack.grant(enrich, articles.write())`"
)]
pub trait Grantee: Copy {
    /// The role that carries the rights.
    fn role(self) -> RoleRef;
}

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

/// A [`Policy`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct PolicyRef {
    node: NodeRef,
}

impl PolicyRef {
    /// The policy's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("PolicyArn")))
    }
}

impl Handle for PolicyRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// An [`InstanceProfile`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct InstanceProfileRef {
    node: NodeRef,
    role: RoleRef,
}

impl InstanceProfileRef {
    /// The profile's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The profile's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, Attribute::name("name", Access::Ref))
    }

    /// The profile's id, which changes when it is replaced.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, Attribute::id("unique_id", Access::None))
    }
}

impl Grantee for InstanceProfileRef {
    fn role(self) -> RoleRef {
        self.role
    }
}

impl Handle for InstanceProfileRef {
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

/// What a role was granted in one stack.
#[derive(Debug)]
struct RolePolicy {
    role: RoleRef,
    document: Document,
}

impl Resource for RolePolicy {
    fn types(&self) -> Types {
        Types::new("iam", "aws_iam_role_policy", "AWS::IAM::RolePolicy")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("PolicyName", "granted")
            .set("RoleName", self.role.name())
            .set("PolicyDocument", &self.document)
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("name", "granted")
            .set("role", self.role.name())
            .set("policy", Value::json(&self.document))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Identity, of: Some(self.role.node), document: &self.document })
    }
}

impl Resource for Policy {
    fn types(&self) -> Types {
        Types::new("iam", "aws_iam_policy", "AWS::IAM::ManagedPolicy")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set_some("ManagedPolicyName", self.name.as_ref())
            .set_some("Description", self.description.clone().map(Cow::into_owned))
            .set("PolicyDocument", &self.document)
            .set_filled("Roles", Value::list(self.roles.iter().map(|role| role.name())))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set_some("name", self.name.as_ref())
            .set_some("description", self.description.clone().map(Cow::into_owned))
            .set("policy", Value::json(&self.document))
    }

    fn permissions(&self) -> Option<Permissions<'_>> {
        Some(Permissions { role: Use::Identity, of: None, document: &self.document })
    }
}

/// Terraform attaches a policy with a resource; CloudFormation lists the roles in the policy.
#[derive(Debug)]
struct Attachment {
    role: RoleRef,
    policy: Text,
}

impl Resource for Attachment {
    fn types(&self) -> Types {
        Types::terraform("iam", "aws_iam_role_policy_attachment")
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("role", self.role.name()).set("policy_arn", &self.policy)
    }
}

impl Resource for InstanceProfile {
    fn types(&self) -> Types {
        Types::new("iam", "aws_iam_instance_profile", "AWS::IAM::InstanceProfile")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set_some("InstanceProfileName", self.name.as_ref()).set("Roles", [self.role.name()])
    }

    fn terraform(&self) -> Properties {
        Properties::default().set_some("name", self.name.as_ref()).set("role", self.role.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::kinesis::Stream,
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("iam_role_for_sagemaker", Role::of(Service::SAGEMAKER).description("Runs the model"));
        check_stack("iam_role_with_grants", |stack| {
            let news = stack.add("News", Stream::on_demand());
            let role = stack.add("Ingester", Role::of(Service::EC2));
            stack.add("Profile", InstanceProfile::of(role));
            stack.grant(role, news.write());
        });
        check_stack("iam_policy_attached", |stack| {
            let news = stack.add("News", Stream::on_demand());
            let role = stack.add("Ingester", Role::existing("feed-handlers"));
            stack.add("Writers", Policy::of(news.write()).attached_to(role));
        });
    }

    #[test]
    fn a_role_that_ec2_cannot_assume_is_refused() {
        let found = problems(|stack| {
            let role = stack.add("Enrich", Role::of(Service::LAMBDA));
            stack.add("Profile", InstanceProfile::of(role));
        });
        assert!(found.contains("Profile: ec2.amazonaws.com can't assume the role `Enrich`"), "{found}");
    }
}
