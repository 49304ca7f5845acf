//! Functions in a VPC.

use crate::{
    policy::{Grant, Statement},
    tree::{Id, Properties, Pseudo, Ref, Stack, Text},
};

const MOST_SUBNETS: usize = 16;
const MOST_SECURITY_GROUPS: usize = 5;

/// Where a function's network interfaces are.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) subnets: Vec<Ref<Id>>,
    pub(super) security_groups: Vec<Ref<Id>>,
}

impl Network {
    pub(super) fn check(&self, stack: &mut Stack) {
        let counts = [
            ("subnets", self.subnets.len(), MOST_SUBNETS),
            ("security groups", self.security_groups.len(), MOST_SECURITY_GROUPS),
        ];
        for (what, given, most) in counts {
            if !(1..=most).contains(&given) {
                stack.problem(format!("{given} {what}; a function in a VPC has 1 to {most}"));
            }
        }
    }

    pub(super) fn properties(&self, [subnets, security_groups]: [&'static str; 2]) -> Properties {
        Properties::default().set(subnets, self.subnets.clone()).set(security_groups, self.security_groups.clone())
    }
}

/// Lambda makes the network interfaces with the function's role. The function's own code is denied what it
/// does not need, as the Lambda Developer Guide advises ("Giving Lambda functions access to resources in an
/// Amazon VPC"); Lambda doesn't take narrower resources than the account's.
pub(super) fn interfaces(name: &Text) -> Grant {
    let changing = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    ];
    let looking = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"];
    let function = Text::from("arn:")
        + Pseudo::Partition
        + ":lambda:"
        + Pseudo::Region
        + ":"
        + Pseudo::Account
        + ":function:"
        + name;
    let resource = |kind: &'static str| {
        Text::from("arn:") + Pseudo::Partition + ":ec2:" + Pseudo::Region + ":" + Pseudo::Account + kind
    };
    Grant::of([
        // The first covers the others, which only say what it is about.
        Statement::allow(changing).on(resource(":*/*")).on(resource(":network-interface/*")).on(resource(":subnet/*")),
        Statement::allow(looking).on_any("descriptions take no resource"),
        Statement::deny(changing.into_iter().chain(looking)).on_any("whatever else allows it").when(
            "ArnEquals",
            "lambda:SourceFunctionArn",
            function,
        ),
    ])
}
