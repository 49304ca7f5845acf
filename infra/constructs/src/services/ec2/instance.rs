//! Single instances.

use super::LaunchTemplateRef;
use crate::{
    services::{
        iam::RoleRef,
        vpc::{name_map, name_pairs},
    },
    tree::{
        Access, Arn, Attribute, Backend, Construct, Handle, Id, NodeRef, Other, Properties, Ref, Resource, Stack, Text,
        Types,
    },
};

/// One instance, in one subnet. When the template changes, or the instance is lost, it is not replaced by
/// itself: an `AutoScalingGroup` of exactly one does that.
///
/// ```
/// use constructs::{services::{ec2::{Ami, Architecture, Instance, LaunchTemplate}, vpc::Network}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("tools");
/// let network = stack.add("Network", Network::new("10.0.0.0/16"));
/// let template = LaunchTemplate::of(Ami::amazon_linux_2023(Architecture::Arm64), "t4g.nano");
/// let template = stack.add("Template", template);
/// for subnet in network.private_subnets().take(1) {
///     let probe = stack.add("Probe", Instance::of(template, subnet));
///     stack.output("ProbeId", probe.id());
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Instance {
    template: LaunchTemplateRef,
    subnet: Text,
    is_protected: bool,
    name: String,
}

impl Instance {
    /// An instance of the template's newest version. A new version replaces it.
    pub fn of(template: LaunchTemplateRef, subnet: impl Into<Text>) -> Self {
        Self { template, subnet: subnet.into(), is_protected: false, name: String::new() }
    }

    /// Refuses to be terminated, until this line is gone and deployed.
    pub fn protected(mut self) -> Self {
        self.is_protected = true;
        self
    }
}

impl Construct for Instance {
    type Handle = InstanceRef;

    fn build(mut self, stack: &mut Stack) -> InstanceRef {
        self.name = stack.physical_name();
        let role = self.template.role();
        InstanceRef { node: stack.resource(self), role }
    }
}

// ---------------------------------------------------------------------------------------------------

/// An [`Instance`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct InstanceRef {
    node: NodeRef,
    role: Option<RoleRef>,
}

impl InstanceRef {
    /// The instance's id.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, Attribute::id("id", Access::Ref))
    }

    /// The instance's ARN. Terraform only.
    pub fn arn(self) -> Ref<Arn> {
        Ref::new(self.node, Attribute::arn("arn", Access::None))
    }

    /// Its address in the network.
    pub fn private_address(self) -> Ref<Other> {
        Ref::new(self.node, Attribute::other("private_ip", Access::GetAtt("PrivateIp")))
    }

    /// The role that it runs with, where its template has a profile.
    pub fn role(self) -> Option<RoleRef> {
        self.role
    }
}

impl Handle for InstanceRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

impl Resource for Instance {
    fn types(&self) -> Types {
        Types::new("ec2", "aws_instance", "AWS::EC2::Instance")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("LaunchTemplate", self.template.specification(Backend::CloudFormation))
            .set("SubnetId", &self.subnet)
            .set_some("DisableApiTermination", self.is_protected.then_some(true))
            .set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("launch_template", self.template.specification(Backend::Terraform))
            .set("subnet_id", &self.subnet)
            .set_some("disable_api_termination", self.is_protected.then_some(true))
            .set("tags", name_map(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            ec2::{Ami, Architecture, LaunchTemplate},
            vpc::Network,
        },
        testing::check_stack,
    };

    #[test]
    fn renderings() {
        check_stack("ec2_instance", |stack| {
            let office = Network::existing("vpc-0a1b2c3d4e5f60718").private_subnets(["subnet-0a1b2c3d4e5f60718"]);
            let network = stack.add("Network", office);
            let linux = Ami::amazon_linux_2023(Architecture::Arm64);
            let template = stack.add("Template", LaunchTemplate::of(linux, "t4g.nano"));
            for subnet in network.private_subnets() {
                let probe = stack.add("Probe", Instance::of(template, subnet).protected());
                stack.output("ProbeAddress", probe.private_address());
            }
        });
    }
}
