//! Blocks of addresses, subnets inside their network, ports.

use super::{Cidr, Findings, Subject, integer, literal, reference};

/// Properties that hold a block of IPv4 addresses, in types of EC2 only.
const BLOCKS: [&str; 10] = [
    "cidr_block",
    "cidr_ipv4",
    "CidrBlock",
    "CidrIp",
    "destination_cidr_block",
    "DestinationCidrBlock",
    "ingress.cidr_blocks",
    "egress.cidr_blocks",
    "SecurityGroupIngress.CidrIp",
    "SecurityGroupEgress.CidrIp",
];

/// Types of EC2 in Terraform don't share a first word.
const TERRAFORM: [&str; 9] = [
    "aws_route",
    "aws_security_group",
    "aws_security_group_rule",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_ipv4_cidr_block_association",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_network_acl_rule",
];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    if !TERRAFORM.contains(&subject.name) && !subject.name.starts_with("AWS::EC2::") {
        return;
    }
    for (path, value) in BLOCKS.iter().flat_map(|path| subject.each(path)) {
        if let Some(Err(error)) = literal(value).map(str::parse::<Cidr>) {
            findings.add(path, error.to_string());
        }
    }
    match subject.name {
        "aws_subnet" => inside(subject, ["vpc_id", "cidr_block"], findings),
        "AWS::EC2::Subnet" => inside(subject, ["VpcId", "CidrBlock"], findings),
        "aws_vpc_security_group_egress_rule" | "aws_vpc_security_group_ingress_rule" | "aws_security_group_rule" => {
            ports(subject, ["from_port", "to_port", "ip_protocol", "protocol"], findings);
        }
        "AWS::EC2::SecurityGroupIngress" | "AWS::EC2::SecurityGroupEgress" => {
            ports(subject, ["FromPort", "ToPort", "IpProtocol", "IpProtocol"], findings);
        }
        _ => {}
    }
}

fn inside(subject: &Subject<'_>, [vpc, block]: [&str; 2], findings: &mut Findings) {
    let network = subject.first(vpc).and_then(reference).and_then(|vpc| subject.known.literal(vpc, block));
    let whole = network.and_then(|network| network.parse::<Cidr>().ok());
    let own = subject.word(block).and_then(|own| own.parse::<Cidr>().ok());
    if let (Some(whole), Some(own)) = (whole, own)
        && !whole.contains(own)
    {
        findings.add(block, format!("{block} is {own}, which is outside the network's {whole}"));
    }
}

fn ports(subject: &Subject<'_>, [from, to, protocol, other]: [&str; 4], findings: &mut Findings) {
    let port = |name: &str| subject.first(name).and_then(integer);
    for name in [from, to] {
        if let Some(port) = port(name).filter(|port| !(-1..=65_535).contains(port)) {
            findings.add(name, format!("{name} is {port}; allowed is 0 to 65535, or -1 for all"));
        }
    }
    let spoken = subject.word(protocol).or_else(|| subject.word(other)).unwrap_or_default();
    let has_ports = matches!(spoken, "tcp" | "udp" | "6" | "17");
    if let (Some(first), Some(last), true) = (port(from), port(to), has_ports)
        && first > last
    {
        findings.add(from, format!("{from} is {first} and {to} is {last}; the last port comes before the first"));
    }
    let known = ["tcp", "udp", "icmp", "icmpv6", "all"];
    let is_number = spoken.parse::<i16>().is_ok_and(|number| (-1..=255).contains(&number));
    if !spoken.is_empty() && !is_number && !known.contains(&spoken.to_ascii_lowercase().as_str()) {
        findings.add(
            protocol,
            format!("`{spoken}` is no protocol; there is tcp, udp, icmp, icmpv6, -1 for all, or a number"),
        );
    }
}
