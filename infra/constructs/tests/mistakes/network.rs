//! Networks, security groups, launch templates, groups of instances, images.

use constructs::{
    services::{
        autoscaling::AutoScalingGroup,
        ec2::{Ami, Architecture, LaunchTemplate},
        iam::{InstanceProfile, Role, Service},
        imagebuilder::{Component, Document, Platform, Schedule},
        units::Gib,
        vpc::{Network, Peer, Port, SecurityGroup},
    },
    tree::{Access, Id, Raw, Stack},
};

use super::{Case, check};

fn template(stack: &mut Stack) -> constructs::services::ec2::LaunchTemplateRef {
    stack.add("Template", LaunchTemplate::of(Ami::amazon_linux_2023(Architecture::Arm64), "t4g.small"))
}

const CASES: &[Case] = &[
    (
        "a network that is too large, and one that isn't written like one",
        |stack| {
            stack.add("Large", Network::new("10.0.0.0/8"));
            stack.add("Odd", Network::new("10.0.0.0"));
        },
        &["Large: the network's block is 10.0.0.0/8; AWS takes /16 to /28", "Odd: `10.0.0.0` is no block"],
    ),
    (
        "subnets outside of the network, and over each other",
        |stack| {
            let outside = Network::new("10.0.0.0/16").private_blocks(["10.0.0.0/24", "10.1.0.0/24"]);
            stack.add("Outside", outside);
            stack.add("Over", Network::new("10.0.0.0/16").private_blocks(["10.0.0.0/23", "10.0.1.0/24"]));
        },
        &["Outside: the subnet 10.1.0.0/24 is outside the network's 10.0.0.0/16", "Over: the subnets 10.0.0.0/23 and"],
    ),
    (
        "a subnet outside of its network, in Raw",
        |stack| {
            let vpc = stack.add("Vpc", Raw::resource("aws_vpc").terraform("cidr_block", "10.0.0.0/16"));
            let subnet = Raw::resource("aws_subnet").terraform("vpc_id", vpc.get::<Id>("id", Access::None));
            stack.add("Subnet", subnet.terraform("cidr_block", "10.1.0.0/24"));
        },
        &["Subnet: aws_subnet.cidr_block: cidr_block is 10.1.0.0/24, which is outside the network's 10.0.0.0/16"],
    ),
    (
        "an existing network by its name tag, a subnet by its block",
        |stack| {
            stack.add("Network", Network::existing("main").private_subnets(["10.0.0.0/24"]));
        },
        &["the network `main` is no id; one is written like `vpc-0a1b2c3d`", "the subnet `10.0.0.0/24` is no id"],
    ),
    (
        "SSH from everywhere, and a rule between two that are no groups",
        |stack| {
            let network = stack.add("Network", Network::new("10.0.0.0/16"));
            let ingester = stack.add("Ingester", SecurityGroup::in_vpc(network, "Reads the feed"));
            stack.allow(Peer::anywhere(), ingester, Port::tcp(22), "To look around");
            stack.allow(network, Peer::block("10.9.0.1/16"), Port::HTTPS, "To nobody");
        },
        &[
            "`Ingester` would be reached from everywhere at a port for administrators",
            "is a security group; one of them",
        ],
    ),
    (
        "ports and protocols that don't exist, in Raw",
        |stack| {
            let rule = |protocol: &'static str, from: u32, to: u32| {
                Raw::resource("aws_vpc_security_group_ingress_rule")
                    .terraform("security_group_id", "sg-0a1b2c3d")
                    .terraform("ip_protocol", protocol)
                    .terraform("from_port", from)
                    .terraform("to_port", to)
                    .terraform("cidr_ipv4", "10.0.0.1/8")
            };
            stack.add("One", rule("tcpp", 1, 2));
            stack.add("Two", rule("tcp", 70_000, 1));
        },
        &["`tcpp` is no protocol", "from_port is 70000; allowed is 0 to 65535", "`10.0.0.1/8`"],
    ),
    (
        "an instance of another processor than the image, with a disk of nothing",
        |stack| {
            let ami = Ami::amazon_linux_2023(Architecture::Arm64);
            stack.add("Template", LaunchTemplate::of(ami, "m7i.large").disk(Gib(0)));
        },
        &["Template: m7i.large runs x86_64, and the image is for arm64", "the disk has 0 GiB; EBS has 1 to 65536"],
    ),
    (
        "a function's role for an instance",
        |stack| {
            let role = stack.add("Role", Role::of(Service::LAMBDA));
            stack.add("Profile", InstanceProfile::of(role));
        },
        &["Profile: ec2.amazonaws.com can't assume the role `Role`"],
    ),
    (
        "a group in no subnet, with more wanted than there may be",
        |stack| {
            let template = template(stack);
            stack.add("Ingester", AutoScalingGroup::of(template, ["subnet-0a1b2c3d"]).between(1..=2).desired(5));
        },
        &["Ingester: "],
    ),
    (
        "a schedule of five fields; a version that is none",
        |stack| {
            let document = Document::new("Installs the ingester");
            stack.add("Ingester", Component::new(Platform::Linux, "1.0", document));
            let five = Raw::resource("aws_cloudwatch_event_rule").terraform("name", "nightly");
            stack.add("Nightly", five.terraform("schedule_expression", "cron(0 4 * * *)"));
            let _ = Schedule::cron("0 4 * * *");
        },
        &["Ingester: ", "`cron(0 4 * * *)` has 5 fields; six are needed"],
    ),
];

#[test]
fn of_networks_and_instances_are_answered() {
    check("network", CASES);
}
