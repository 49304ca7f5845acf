//! Roles that belong to a service.

use crate::{
    policy::Statement,
    services::kms::Key,
    tree::{
        Access, Attribute, Construct, Handle, Name, NodeRef, Properties, Pseudo, Ref, Resource, Stack, Text, Types,
    },
};

/// A role that belongs to a service, in a version of its own: so that a key's policy can name exactly who
/// uses it, and can be made before the service was ever used in the account.
///
/// ```
/// use constructs::{services::{iam::ServiceLinkedRole, kms::Key}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("ingestion");
/// let scaling = stack.add("Scaling", ServiceLinkedRole::autoscaling("newsloom"));
/// stack.add("Key", scaling.uses(Key::new("Encrypts the disks")));
/// ```
#[derive(Debug, Clone)]
pub struct ServiceLinkedRole {
    service: &'static str,
    suffix: Text,
}

impl ServiceLinkedRole {
    /// Auto Scaling's, whose name ends in this suffix: up to 35 letters, digits and any of `_+=,.@-`. Two of
    /// an account differ in it.
    pub fn autoscaling(suffix: impl Into<Text>) -> Self {
        Self { service: "autoscaling.amazonaws.com", suffix: suffix.into() }
    }
}

impl Construct for ServiceLinkedRole {
    type Handle = ServiceLinkedRoleRef;

    fn build(self, stack: &mut Stack) -> ServiceLinkedRoleRef {
        if let Some(suffix) = self.suffix.literal().filter(|suffix| !(1..=35).contains(&suffix.len())) {
            stack.problem(format!("the suffix `{suffix}` has {} characters; IAM takes 1 to 35", suffix.len()));
        }
        let service = self.service;
        ServiceLinkedRoleRef { node: stack.resource(self), service }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`ServiceLinkedRole`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct ServiceLinkedRoleRef {
    node: NodeRef,
    service: &'static str,
}

const NAME: Attribute = Attribute::name("name", Access::Ref);

impl ServiceLinkedRoleRef {
    /// The role's ARN. CloudFormation tells its name only.
    pub fn arn(self) -> Text {
        let name = Ref::<Name>::new(self.node, NAME);
        let roles = Text::from("arn:") + Pseudo::Partition + ":iam::" + Pseudo::Account + ":role/aws-service-role/";
        roles + self.service + "/" + name
    }

    /// Lets the service use a key for what it starts: encrypted disks (Amazon EC2 Auto Scaling User Guide,
    /// "Required AWS KMS key policy for use with encrypted volumes", narrowed to what EC2 asks for).
    pub fn uses(self, key: Key) -> Key {
        let actions = [
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ];
        let lends = Statement::allow(["kms:CreateGrant"]).to_aws(self.arn()).on("*");
        key.allowing(Statement::allow(actions).to_aws(self.arn()).on("*")).allowing(lends.when(
            "Bool",
            "kms:GrantIsForAWSResource",
            "true",
        ))
    }
}

impl Handle for ServiceLinkedRoleRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for ServiceLinkedRole {
    fn types(&self) -> Types {
        Types::new("iam", "aws_iam_service_linked_role", "AWS::IAM::ServiceLinkedRole")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("AWSServiceName", self.service).set("CustomSuffix", &self.suffix)
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("aws_service_name", self.service).set("custom_suffix", &self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_stack, problems};

    #[test]
    fn renderings() {
        check_stack("iam_service_linked_role_uses_a_key", |stack| {
            let scaling = stack.add("Scaling", ServiceLinkedRole::autoscaling("newsloom"));
            stack.add("Key", scaling.uses(Key::new("Encrypts the disks")));
        });
    }

    #[test]
    fn a_suffix_leaves_room_for_the_service() {
        let found = problems(|stack| {
            stack.add("Scaling", ServiceLinkedRole::autoscaling("n".repeat(36)));
        });
        assert!(found.contains("has 36 characters; IAM takes 1 to 35"), "{found}");
    }
}
