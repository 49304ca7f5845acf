//! Grants: what roles may do, in one inline policy each.

use super::RoleRef;
use crate::{
    policy::{Document, Grant, Permissions, Use},
    tree::{Handle, NodeRef, Properties, Resource, Stack, Types, Value},
};

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
        let node = role.node();
        match self.path_of(node) {
            Some(path) => format!("{path}/Policy"),
            None => format!("GrantsToStack{}Role{}", node.stack, node.index),
        }
    }
}

/// What can be granted rights: a role, or something that runs with one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no role that could be granted anything",
    note = "grant to a role, a function or an instance profile; what it may do is the second argument: `stack.grant(enrich, articles.write())`"
)]
pub trait Grantee: Copy {
    /// The role that carries the rights.
    fn role(self) -> RoleRef;
}

// ---------------------------------------------------------------------------------------------------

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
        Some(Permissions { role: Use::Identity, of: Some(self.role.node()), document: &self.document })
    }
}
