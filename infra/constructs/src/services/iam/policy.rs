//! Policies under a name, for several roles.

use std::borrow::Cow;

use super::{Grantee, RoleRef};
use crate::{
    policy::{Document, Grant, Permissions, Use},
    tree::{Access, Arn, Attribute, Construct, Handle, NodeRef, Properties, Ref, Resource, Stack, Text, Types, Value},
};

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

// ---------------------------------------------------------------------------------------------------

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

// ---------------------------------------------------------------------------------------------------

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
