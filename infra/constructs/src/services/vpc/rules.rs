//! Who may talk to whom: one rule at each end.

use std::{borrow::Cow, ops::RangeInclusive};

use super::{Cidr, NetworkRef, SecurityGroupRef, network::BLOCK, security_group::check_description};
use crate::tree::{
    Access, Attribute, Construct, Handle, Id, Lookup, NodeRef, Other, Properties, Pseudo, Ref, Resource, Stack, Text,
    Types, Value, pascal,
};

/// Ports at which nobody but an attacker is served from everywhere: SSH and Remote Desktop.
const FOR_ADMINISTRATORS: [i32; 2] = [22, 3389];

/// Which ports of which protocol.
///
/// ```
/// use constructs::services::vpc::Port;
/// let port = Port::tcp(5671);
/// assert_ne!(port, Port::HTTPS);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    protocol: &'static str,
    /// The first and last port; a type and code where the protocol is ICMP. `None` for all protocols.
    range: Option<(i32, i32)>,
}

impl Port {
    /// TCP port 443.
    pub const HTTPS: Self = Self::tcp(443);
    /// Echo requests.
    pub const PING: Self = Self { protocol: "icmp", range: Some((8, -1)) };
    /// Every port of every protocol.
    pub const ALL: Self = Self { protocol: "-1", range: None };

    /// One TCP port.
    pub const fn tcp(port: u16) -> Self {
        Self::range("tcp", port, port)
    }

    /// TCP ports from the first to the last.
    pub const fn tcp_range(ports: RangeInclusive<u16>) -> Self {
        Self::range("tcp", *ports.start(), *ports.end())
    }

    /// One UDP port.
    pub const fn udp(port: u16) -> Self {
        Self::range("udp", port, port)
    }

    /// UDP ports from the first to the last.
    pub const fn udp_range(ports: RangeInclusive<u16>) -> Self {
        Self::range("udp", *ports.start(), *ports.end())
    }

    const fn range(protocol: &'static str, first: u16, last: u16) -> Self {
        Self { protocol, range: Some((first as i32, last as i32)) }
    }

    /// `Tcp5671`, the end of a rule's id.
    fn id(self) -> String {
        match (self.protocol, self.range) {
            (_, None) => "Everything".to_owned(),
            ("icmp", _) => "Ping".to_owned(),
            ("tcp", Some((first, last))) if first == last => format!("Tcp{first}"),
            ("tcp", Some((first, last))) => format!("Tcp{first}To{last}"),
            (_, Some((first, last))) if first == last => format!("Udp{first}"),
            (_, Some((first, last))) => format!("Udp{first}To{last}"),
        }
    }

    fn is_for_administrators(self) -> bool {
        match (self.protocol, self.range) {
            ("tcp", Some((first, last))) => FOR_ADMINISTRATORS.iter().any(|port| (first..=last).contains(port)),
            _ => false,
        }
    }

    fn is_every_port(self) -> bool {
        self.range.is_none_or(|(first, last)| first <= 1 && last == 65535)
    }
}

/// One end of a connection: a security group, a network, a block of addresses, an AWS service's addresses.
#[derive(Debug, Clone)]
pub struct Peer(End);

#[derive(Debug, Clone)]
enum End {
    Group(SecurityGroupRef),
    /// A network, by its node and digest; the whole handle is large.
    Network(NodeRef, u32),
    Block(Cow<'static, str>),
    List(PrefixListRef),
}

impl Peer {
    /// Every IPv4 address there is. To be reached from everywhere at SSH's or Remote Desktop's port, or at
    /// all ports, is refused.
    pub fn anywhere() -> Self {
        Self::block("0.0.0.0/0")
    }

    /// A block of IPv4 addresses, such as `10.0.0.0/16`.
    pub fn block(block: impl Into<Cow<'static, str>>) -> Self {
        Self(End::Block(block.into()))
    }

    fn group(&self) -> Option<SecurityGroupRef> {
        match self.0 {
            End::Group(group) => Some(group),
            _ => None,
        }
    }

    fn is_anywhere(&self) -> bool {
        matches!(&self.0, End::Block(block) if block.parse() == Ok(Cidr::ANYWHERE))
    }

    /// What it is called in a message.
    fn shown(&self, stack: &Stack) -> String {
        match &self.0 {
            End::Block(block) if !self.is_anywhere() => block.clone().into_owned(),
            _ => self.id(stack),
        }
    }

    /// What it is called in a rule's id. The same for the same end, whatever else is in the stacks.
    fn id(&self, stack: &Stack) -> String {
        let named = |node: NodeRef, digest: u32, kind: &str| match stack.path_of(node) {
            Some(path) => pascal(path),
            None => format!("{kind}{digest:08x}"),
        };
        match &self.0 {
            End::Group(group) => named(group.node, group.digest, "Group"),
            End::Network(node, digest) => named(*node, *digest, "Network"),
            End::List(list) => named(list.node, list.digest, "PrefixList"),
            End::Block(_) if self.is_anywhere() => "Anywhere".to_owned(),
            End::Block(block) => format!("Block{}", block.replace(['.', '/'], "x")),
        }
    }
}

impl From<SecurityGroupRef> for Peer {
    fn from(group: SecurityGroupRef) -> Self {
        Self(End::Group(group))
    }
}

impl From<NetworkRef> for Peer {
    fn from(network: NetworkRef) -> Self {
        Self(End::Network(network.node, network.digest))
    }
}

impl From<PrefixListRef> for Peer {
    fn from(list: PrefixListRef) -> Self {
        Self(End::List(list))
    }
}

impl From<Cidr> for Peer {
    fn from(block: Cidr) -> Self {
        Self::block(block.to_string())
    }
}

impl Stack {
    /// Lets `from` open connections to `to` at a port, and says why, in up to 255 characters. Each end that
    /// is a security group gets a rule of its own, so that two groups may name each other; answers need none.
    ///
    /// ```
    /// # use constructs::{services::vpc::{Network, Peer, Port, SecurityGroup}, tree::App};
    /// # let mut app = App::new("newsloom");
    /// # let stack = app.stack("network");
    /// # let network = stack.add("Network", Network::new("10.0.0.0/16").with_nat());
    /// let ingester = stack.add("Ingester", SecurityGroup::in_vpc(network, "Reads the feed"));
    /// stack.allow(ingester, Peer::anywhere(), Port::HTTPS, "The feed has no fixed addresses");
    /// ```
    pub fn allow(&mut self, from: impl Into<Peer>, to: impl Into<Peer>, port: Port, why: impl Into<Cow<'static, str>>) {
        let (from, to, why) = (from.into(), to.into(), why.into());
        self.check_rule(&from, &to, port, &why);
        if let Some(group) = from.group() {
            self.add_rule(Rule { direction: Direction::Out, group, peer: to.clone(), port, why: why.clone() });
        }
        if let Some(group) = to.group() {
            self.add_rule(Rule { direction: Direction::In, group, peer: from, port, why });
        }
    }

    fn check_rule(&mut self, from: &Peer, to: &Peer, port: Port, why: &str) {
        check_description(self, why);
        let (source, target) = (from.shown(self), to.shown(self));
        for end in [from, to] {
            if let End::Block(block) = &end.0
                && let Err(error) = block.parse::<Cidr>()
            {
                self.problem(error.to_string());
            }
        }
        if from.group().is_none() && to.group().is_none() {
            self.problem(format!("neither `{source}` nor `{target}` is a security group; one of them must be"));
        }
        if port.range.is_some_and(|(first, last)| first > last && port.protocol != "icmp") {
            self.problem(format!("from `{source}` to `{target}`: the last port comes before the first"));
        }
        if from.is_anywhere() && (port.is_for_administrators() || port.is_every_port()) {
            let what = if port.is_every_port() { "every port" } else { "a port for administrators (22, 3389)" };
            self.problem(format!(
                "`{target}` would be reached from everywhere at {what}; name who may, or use Session Manager"
            ));
        }
    }

    fn add_rule(&mut self, rule: Rule) {
        let group = match self.path_of(rule.group.node) {
            Some(path) => path.to_owned(),
            None => format!("Rules{:08x}", rule.group.digest),
        };
        let word = match rule.direction {
            Direction::In => "From",
            Direction::Out => "To",
        };
        let path = format!("{group}/{word}{}{}", rule.peer.id(self), rule.port.id());
        // Said twice, it is still one rule; AWS refuses a second one.
        if self.find(&path).is_none() {
            self.resource_at(&path, rule);
        }
    }
}

/// The addresses of an AWS service, which change: for rules about what goes through a gateway endpoint.
///
/// Terraform looks the list up; CloudFormation can't, and asks for its id with a parameter.
///
/// ```
/// use constructs::{services::vpc::{Network, Port, PrefixList, SecurityGroup}, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("network");
/// let network = stack.add("Network", Network::new("10.0.0.0/16"));
/// let s3 = stack.add("S3", PrefixList::s3());
/// let ingester = stack.add("Ingester", SecurityGroup::in_vpc(network, "Reads the feed"));
/// stack.allow(ingester, s3, Port::HTTPS, "The binary is in S3");
/// ```
#[derive(Debug, Clone)]
pub struct PrefixList {
    by: &'static str,
    value: Text,
}

impl PrefixList {
    /// S3's addresses in the region.
    pub fn s3() -> Self {
        Self::of_service("s3")
    }

    /// DynamoDB's addresses in the region.
    pub fn dynamodb() -> Self {
        Self::of_service("dynamodb")
    }

    /// A list of any owner, by its id.
    pub fn existing(id: impl Into<Text>) -> Self {
        Self { by: "id", value: id.into() }
    }

    fn of_service(service: &'static str) -> Self {
        Self { by: "name", value: Text::from("com.amazonaws.") + Pseudo::Region + "." + service }
    }
}

impl Construct for PrefixList {
    type Handle = PrefixListRef;

    fn build(self, stack: &mut Stack) -> PrefixListRef {
        let digest = super::digest(&stack.name, stack.path());
        let mut list = Lookup::new("aws_ec2_managed_prefix_list", "AWS::EC2::PrefixList").by(self.by, &self.value);
        if self.by == "id" {
            list = list.known(LIST_ID, &self.value);
        }
        PrefixListRef { node: list.build(stack), digest }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`PrefixList`] of a stack.
#[derive(Debug, Clone, Copy)]
pub struct PrefixListRef {
    node: NodeRef,
    digest: u32,
}

const LIST_ID: Attribute = Attribute::id("id", Access::GetAtt("PrefixListId"));

impl PrefixListRef {
    /// The list's id.
    pub fn id(self) -> Ref<Id> {
        Ref::new(self.node, LIST_ID)
    }
}

impl Handle for PrefixListRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

// ---------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// A rule of one group.
#[derive(Debug)]
struct Rule {
    direction: Direction,
    group: SecurityGroupRef,
    peer: Peer,
    port: Port,
    why: Cow<'static, str>,
}

impl Rule {
    fn first(&self) -> Option<i32> {
        self.port.range.map(|(first, _)| first)
    }

    fn last(&self) -> Option<i32> {
        self.port.range.map(|(_, last)| last)
    }
}

impl Resource for Rule {
    fn types(&self) -> Types {
        match self.direction {
            Direction::In => Types::new("vpc", "aws_vpc_security_group_ingress_rule", "AWS::EC2::SecurityGroupIngress"),
            Direction::Out => Types::new("vpc", "aws_vpc_security_group_egress_rule", "AWS::EC2::SecurityGroupEgress"),
        }
    }

    fn cloudformation(&self) -> Properties {
        let (group, list) = match self.direction {
            Direction::In => ("SourceSecurityGroupId", "SourcePrefixListId"),
            Direction::Out => ("DestinationSecurityGroupId", "DestinationPrefixListId"),
        };
        let (name, value): (_, Value) = match &self.peer.0 {
            End::Group(peer) => (group, peer.id().into()),
            End::List(peer) => (list, peer.id().into()),
            End::Network(node, _) => ("CidrIp", Ref::<Other>::new(*node, BLOCK).into()),
            End::Block(block) => ("CidrIp", block.clone().into_owned().into()),
        };
        Properties::default()
            .set("GroupId", self.group.id())
            .set(name, value)
            .set("IpProtocol", self.port.protocol)
            .set_some("FromPort", self.first())
            .set_some("ToPort", self.last())
            .set("Description", self.why.clone().into_owned())
    }

    fn terraform(&self) -> Properties {
        let (name, value): (_, Value) = match &self.peer.0 {
            End::Group(peer) => ("referenced_security_group_id", peer.id().into()),
            End::List(peer) => ("prefix_list_id", peer.id().into()),
            End::Network(node, _) => ("cidr_ipv4", Ref::<Other>::new(*node, BLOCK).into()),
            End::Block(block) => ("cidr_ipv4", block.clone().into_owned().into()),
        };
        Properties::default()
            .set("security_group_id", self.group.id())
            .set(name, value)
            .set("ip_protocol", self.port.protocol)
            .set_some("from_port", self.first())
            .set_some("to_port", self.last())
            .set("description", self.why.clone().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        render::Format,
        services::vpc::{Network, SecurityGroup},
        testing::{check_stack, problems},
        tree::App,
    };

    fn group(stack: &mut Stack) -> SecurityGroupRef {
        let network = stack.add("Network", Network::existing("vpc-0a1b2c3d4e5f60718"));
        stack.add("Ingester", SecurityGroup::in_vpc(network, "Reads the feed"))
    }

    #[test]
    fn renderings() {
        check_stack("vpc_rules", |stack| {
            let ingester = group(stack);
            let s3 = stack.add("S3", PrefixList::s3());
            let office = stack.add("Office", PrefixList::existing("pl-0a1b2c3d4e5f60718"));
            stack.allow(ingester, Peer::anywhere(), Port::HTTPS, "The feed has no fixed addresses");
            stack.allow(ingester, s3, Port::HTTPS, "The binary is in S3");
            stack.allow(ingester, ingester, Port::udp_range(7946..=7947), "Members find each other");
            stack.allow(office, ingester, Port::tcp(9100), "Metrics");
            stack.allow(Peer::block("10.1.0.0/16"), ingester, Port::PING, "Is it there");
            stack.allow(ingester, "10.2.0.0/16".parse::<Cidr>().expect("a block"), Port::ALL, "The office");
        });
    }

    #[test]
    fn groups_may_name_each_other_and_a_rule_is_one_however_often_it_is_said() {
        let found = problems(|stack| {
            let one = group(stack);
            let network = stack.add("Other", Network::existing("vpc-1a2b3c4d"));
            let other = stack.add("Broker", SecurityGroup::in_vpc(network, "Takes news"));
            stack.allow(one, other, Port::tcp(5671), "AMQP over TLS");
            stack.allow(other, one, Port::tcp(9100), "Metrics");
            stack.allow(one, other, Port::tcp(5671), "AMQP over TLS");
        });
        assert_eq!(found, "");
    }

    #[test]
    fn a_rule_between_stacks_is_called_the_same_whatever_else_they_hold() {
        let rules = |more: bool| {
            let mut app = App::new("newsloom").region("eu-west-1");
            let stack = app.stack("network");
            if more {
                stack.add("First", PrefixList::existing("pl-0a1b2c3d"));
            }
            let ingester = group(stack);
            let stack = app.stack("broker");
            let network = stack.add("Network", Network::existing("vpc-0a1b2c3d4e5f60718"));
            let broker = stack.add("Broker", SecurityGroup::in_vpc(network, "Takes news"));
            stack.allow(ingester, broker, Port::tcp(5671), "AMQP over TLS");
            let rendered = app.synth(Format::Terraform).expect("no problems");
            rendered.file("broker/vpc.tf.json").expect("a file").to_owned()
        };
        assert_eq!(rules(false), rules(true));
        assert!(rules(true).contains("broker_from_group"), "{}", rules(true));
    }

    #[test]
    fn what_would_be_reached_from_everywhere_is_refused() {
        let everywhere = "`Ingester` would be reached from everywhere at";
        let cases = [
            (Peer::anywhere(), Port::tcp(22), format!("{everywhere} a port for administrators (22, 3389)")),
            (Peer::anywhere(), Port::tcp_range(3000..=4000), format!("{everywhere} a port for administrators")),
            (Peer::anywhere(), Port::tcp_range(0..=65535), format!("{everywhere} every port")),
            (Peer::block("0.0.0.0/0"), Port::ALL, format!("{everywhere} every port")),
            (Peer::block("10.0.0.1/8"), Port::HTTPS, "`10.0.0.1/8` starts inside a block".to_owned()),
            (
                Peer::block("10.0.0.0/8"),
                Port { protocol: "tcp", range: Some((9, 1)) },
                "the last port comes before the first".to_owned(),
            ),
        ];
        for (from, port, message) in cases {
            let found = problems(|stack| {
                let ingester = group(stack);
                stack.allow(from, ingester, port, "Why not");
            });
            assert!(found.contains(&message), "{message}\n{found}");
        }
        let found = problems(|stack| stack.allow(Peer::block("10.0.0.0/8"), Peer::anywhere(), Port::ALL, "What for"));
        assert!(found.contains("neither `10.0.0.0/8` nor `Anywhere` is a security group"), "{found}");
    }
}
