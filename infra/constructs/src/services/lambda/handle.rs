//! What others know a function by.

use crate::{
    policy::{Grant, Statement},
    services::{
        iam::{Grantee, RoleRef},
        logs::{LogGroup, LogGroupRef},
    },
    tree::{Access, Arn, Attribute, Construct, Handle, Lookup, Name, NodeRef, Pseudo, Ref, Stack, Text},
};

/// A [`Function`](super::Function) of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct FunctionRef {
    pub(super) node: NodeRef,
    pub(super) role: RoleRef,
    pub(super) group: LogGroupRef,
}

const ARN: Attribute = Attribute::arn("arn", Access::GetAtt("Arn"));
const NAME: Attribute = Attribute::name("function_name", Access::Ref);

impl FunctionRef {
    /// The function's ARN.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, ARN)
    }

    /// The function's name.
    pub fn name(self) -> Ref<Name> {
        Ref::new(self.node, NAME)
    }

    /// The role it runs with.
    pub fn role(self) -> RoleRef {
        self.role
    }

    /// The group it logs to.
    pub fn log_group(self) -> LogGroupRef {
        self.group
    }

    /// May call the function. Not for the function itself: its rights come before it, and would refer to it.
    pub fn invoke(self) -> Grant {
        Statement::allow(["lambda:InvokeFunction"]).on(self.arn()).into()
    }
}

impl Grantee for FunctionRef {
    fn role(self) -> RoleRef {
        self.role
    }
}

impl Handle for FunctionRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

/// See [`Function::existing`](super::Function::existing).
#[derive(Debug, Clone)]
pub struct ExistingFunction {
    pub(super) name: Text,
    pub(super) role: RoleRef,
}

impl Construct for ExistingFunction {
    type Handle = FunctionRef;

    fn build(self, stack: &mut Stack) -> FunctionRef {
        let group = stack.add("Logs", LogGroup::existing(Text::from("/aws/lambda/") + &self.name));
        let arn = Text::from("arn:") + Pseudo::Partition + ":lambda:" + Pseudo::Region + ":" + Pseudo::Account;
        let lookup = Lookup::new("aws_lambda_function", "AWS::Lambda::Function")
            .by("function_name", &self.name)
            .known(NAME, &self.name)
            .known(ARN, arn + ":function:" + &self.name);
        FunctionRef { node: lookup.build(stack), role: self.role, group }
    }
}
