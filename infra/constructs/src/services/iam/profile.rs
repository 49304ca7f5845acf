//! Instance profiles.

use super::{Grantee, RoleRef, Service};
use crate::tree::{
    Access, Arn, Attribute, Construct, Handle, Id, Name, NodeRef, Properties, Ref, Resource, Stack, Text, Types,
};

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

// ---------------------------------------------------------------------------------------------------

/// An [`InstanceProfile`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct InstanceProfileRef {
    node: NodeRef,
    role: RoleRef,
}

impl InstanceProfileRef {
    /// The profile's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::GetAtt("Arn")))
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
