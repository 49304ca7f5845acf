//! Networks: a block of addresses, and subnets over zones.

use std::borrow::Cow;

use super::{
    ExistingNetwork, FlowLogs, digest,
    flow_logs::FlowLog,
    parts::{DefaultGroup, Vpc},
    tiers::{Parts, ways_out},
};
use crate::tree::{Access, Attribute, Construct, Handle, Id, NodeRef, Other, Pseudo, Ref, Stack, Text};

/// The most zones a network spreads over; no region has more that need no opting in.
pub(super) const MOST_ZONES: usize = 6;
/// The most route tables a network has: one for each private subnet, and one for the public ones.
pub(super) const MOST_TABLES: usize = MOST_ZONES + 1;
/// The most routes and associations that lead out of the subnets of one kind.
const MOST_WAYS: usize = 2 * MOST_ZONES;

/// A network with a private subnet in each zone, and public ones where they are asked for.
///
/// Private subnets have no way to the internet unless the network has a NAT gateway; AWS services are
/// reached through [`GatewayEndpoint`](super::GatewayEndpoint) and
/// [`InterfaceEndpoints`](super::InterfaceEndpoints). Nothing gets a public address by itself. Every
/// connection is logged for 30 days, unless said otherwise.
///
/// With Terraform the VPC's default security group is emptied; CloudFormation can't do that, and leaves a
/// group that nothing here uses.
///
/// ```
/// use constructs::{services::vpc::Network, tree::App};
/// let mut app = App::new("newsloom");
/// let stack = app.stack("network");
/// let network = stack.add("Network", Network::new("10.0.0.0/16").zones(3));
/// stack.output("VpcId", network.vpc_id());
/// ```
#[derive(Debug, Clone)]
pub struct Network {
    pub(super) block: Cow<'static, str>,
    pub(super) zones: Vec<Text>,
    pub(super) subnet_prefix: Option<u8>,
    /// Empty where they are carved.
    pub(super) private: Vec<Cow<'static, str>>,
    /// `None` where there are none.
    pub(super) public: Option<Vec<Cow<'static, str>>>,
    nat: NatGateways,
    flow_logs: Option<FlowLogs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NatGateways {
    None,
    One,
    PerZone,
}

impl Network {
    /// A network of a block of addresses, from `/16` to `/28`, over two zones. A block that no network it
    /// will ever be connected to uses as well, such as one of `10.0.0.0/8`.
    pub fn new(block: impl Into<Cow<'static, str>>) -> Self {
        Self {
            block: block.into(),
            zones: zones(2),
            subnet_prefix: None,
            private: Vec::new(),
            public: None,
            nat: NatGateways::None,
            flow_logs: Some(FlowLogs::all()),
        }
    }

    /// Spread over so many of the region's zones, 1 to 6. Defaults to 2. One more zone leaves the other
    /// subnets as they are.
    pub fn zones(mut self, count: u8) -> Self {
        self.zones = zones(count);
        self
    }

    /// Spread over these zones, such as `eu-west-1a`: where an instance type isn't offered in all, or the
    /// template must not depend on the account.
    pub fn zones_named<T: Into<Text>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.zones = names.into_iter().map(Into::into).collect();
        self
    }

    /// The prefix of the subnets carved from the block, up to 28. Defaults to the block's own plus 4:
    /// `/20` with 4091 usable addresses each in a `/16`. Private subnets are carved from the start of the
    /// block, public ones from its middle.
    pub fn subnet_prefix(mut self, prefix: u8) -> Self {
        self.subnet_prefix = Some(prefix);
        self
    }

    /// The private subnets' blocks, one for each zone, instead of carved ones.
    pub fn private_blocks<T: Into<Cow<'static, str>>>(mut self, blocks: impl IntoIterator<Item = T>) -> Self {
        self.private = blocks.into_iter().map(Into::into).collect();
        self
    }

    /// With a public subnet in each zone, and an internet gateway.
    pub fn with_public_subnets(mut self) -> Self {
        self.public.get_or_insert_default();
        self
    }

    /// With public subnets of these blocks, one for each zone.
    pub fn public_blocks<T: Into<Cow<'static, str>>>(mut self, blocks: impl IntoIterator<Item = T>) -> Self {
        self.public = Some(blocks.into_iter().map(Into::into).collect());
        self
    }

    /// With one NAT gateway, in the first zone, through which private subnets reach the internet. It brings
    /// public subnets. When its zone fails, all private subnets lose their way out.
    pub fn with_nat(mut self) -> Self {
        self.nat = NatGateways::One;
        self.with_public_subnets()
    }

    /// With a NAT gateway in each zone: for the price of each, no zone depends on another.
    pub fn with_nat_per_zone(mut self) -> Self {
        self.nat = NatGateways::PerZone;
        self.with_public_subnets()
    }

    /// Logs these connections. Defaults to all, kept for 30 days.
    pub fn flow_logs(mut self, logs: FlowLogs) -> Self {
        self.flow_logs = Some(logs);
        self
    }

    /// Logs no connections: for trials.
    pub fn without_flow_logs(mut self) -> Self {
        self.flow_logs = None;
        self
    }

    /// A network that is managed elsewhere, by the VPC's id.
    ///
    /// ```
    /// use constructs::{services::vpc::Network, tree::App};
    /// let mut app = App::new("newsloom");
    /// let stack = app.stack("ingestion");
    /// let office = Network::existing("vpc-0a1b2c3d").private_subnets(["subnet-0a1b2c3d", "subnet-1a2b3c4d"]);
    /// let network = stack.add("Network", office);
    /// assert_eq!(network.private_subnets().count(), 2);
    /// ```
    pub fn existing(vpc_id: impl Into<Text>) -> ExistingNetwork {
        ExistingNetwork::of(vpc_id.into())
    }
}

fn zones(count: u8) -> Vec<Text> {
    (0..count).map(|zone| Pseudo::Zone(zone).into()).collect()
}

impl Construct for Network {
    type Handle = NetworkRef;

    fn build(self, stack: &mut Stack) -> NetworkRef {
        let plan = self.plan(stack);
        let name = stack.physical_name();
        let vpc = stack.resource(Vpc { block: self.block.clone(), name: name.clone() });
        let vpc_id = Ref::new(vpc, ID);
        stack.child("DefaultSecurityGroup", DefaultGroup { vpc: vpc_id });

        let mut parts = Parts { stack, vpc: vpc_id, zones: &self.zones };
        let public = parts.public(&plan.public);
        let nats = parts.nats(self.nat, &public);
        let private = parts.private(&plan.private, &nats);

        if let Some(logs) = self.flow_logs {
            stack.add("FlowLogs", FlowLog { vpc: vpc_id, logs });
        }
        NetworkRef {
            node: vpc,
            digest: digest(&stack.name, stack.path()),
            private: few(private.iter().map(|tier| tier.subnet)),
            public: few(public.iter().map(|tier| tier.subnet)),
            tables: few(private.iter().map(|tier| tier.table).chain(public.first().map(|tier| tier.table))),
            private_ways: few(ways_out(&private)),
            public_ways: few(ways_out(&public)),
        }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Network`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct NetworkRef {
    pub(super) node: NodeRef,
    pub(super) digest: u32,
    pub(super) private: Few<MOST_ZONES>,
    pub(super) public: Few<MOST_ZONES>,
    pub(super) tables: Few<MOST_TABLES>,
    pub(super) private_ways: Few<MOST_WAYS>,
    pub(super) public_ways: Few<MOST_WAYS>,
}

/// A list short enough to be `Copy`.
pub(super) type Few<const N: usize> = [Option<NodeRef>; N];

pub(super) fn few<const N: usize>(nodes: impl IntoIterator<Item = NodeRef>) -> Few<N> {
    let mut few = [None; N];
    for (slot, node) in few.iter_mut().zip(nodes) {
        *slot = Some(node);
    }
    few
}

fn ids<const N: usize>(nodes: Few<N>) -> impl Iterator<Item = Ref<Id>> + Clone {
    nodes.into_iter().flatten().map(|node| Ref::new(node, ID))
}

pub(super) const BLOCK: Attribute = Attribute::other("cidr_block", Access::GetAtt("CidrBlock"));
pub(super) const ID: Attribute = Attribute::id("id", Access::Ref);

impl NetworkRef {
    /// The VPC's id.
    pub fn vpc_id(self) -> Ref<Id> {
        Ref::new(self.node, ID)
    }

    /// The VPC's block of addresses.
    pub fn block(self) -> Ref<Other> {
        Ref::new(self.node, BLOCK)
    }

    /// The private subnets, one for each zone.
    pub fn private_subnets(self) -> impl Iterator<Item = Ref<Id>> + Clone {
        ids(self.private)
    }

    /// The public subnets, one for each zone; none unless the network was made with them.
    pub fn public_subnets(self) -> impl Iterator<Item = Ref<Id>> + Clone {
        ids(self.public)
    }

    /// The tables by which its subnets route. An existing network has those it was given.
    pub fn route_tables(self) -> impl Iterator<Item = Ref<Id>> + Clone {
        ids(self.tables)
    }

    /// What leads out of the private subnets: routes to a NAT gateway, and what gives them to the subnets.
    /// Nothing refers to these, so what needs the internet as it starts has to wait for them, with
    /// `stack.depends`; and on removal they wait for it. Empty for an existing network.
    pub fn private_ways_out(self) -> impl Iterator<Item = NodeRef> {
        self.private_ways.into_iter().flatten()
    }

    /// The same for the public subnets, which lead to the internet gateway.
    pub fn public_ways_out(self) -> impl Iterator<Item = NodeRef> {
        self.public_ways.into_iter().flatten()
    }

    /// How many zones it spreads over.
    pub fn zones(self) -> usize {
        self.private_subnets().count().max(self.public_subnets().count())
    }
}

impl Handle for NetworkRef {
    fn node(self) -> NodeRef {
        self.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{kms::Key, units::Days},
        testing::{check, check_stack, problems},
    };

    #[test]
    fn renderings() {
        check("vpc_network", Network::new("10.0.0.0/16").without_flow_logs());
        check("vpc_network_with_nat", Network::new("10.0.0.0/16").with_nat().flow_logs(FlowLogs::rejected()));
        let named = Network::new("10.20.0.0/20").zones_named(["eu-west-1a", "eu-west-1c"]).with_nat_per_zone();
        check(
            "vpc_network_with_its_own_blocks",
            named
                .private_blocks(["10.20.0.0/23", "10.20.2.0/23"])
                .public_blocks(["10.20.14.0/24", "10.20.15.0/24"])
                .without_flow_logs(),
        );
        check_stack("vpc_network_logged_with_own_key", |stack| {
            let key = stack.add("Key", Key::new("Encrypts flow logs").for_log_groups("eu-west-1", "*"));
            let logs = FlowLogs::all().kept_for(Days(365)).encrypted_by(key);
            stack.add("Network", Network::new("10.0.0.0/24").zones(1).flow_logs(logs));
        });
        check_stack("vpc_network_existing", |stack| {
            let office = Network::existing("vpc-0a1b2c3d4e5f60718").private_subnets(["subnet-0a1b2c3d4e5f60718"]);
            let network = stack.add("Network", office);
            stack.output("VpcId", network.vpc_id());
            stack.output("Block", network.block());
            for subnet in network.private_subnets() {
                stack.output("Subnet", subnet);
            }
        });
    }

    #[test]
    fn one_more_zone_leaves_the_other_subnets_as_they_are() {
        let blocks = |zones| {
            let mut app = crate::tree::App::new("newsloom");
            let plan = Network::new("10.0.0.0/16").zones(zones).with_public_subnets().plan(app.stack("test"));
            (plan.private, plan.public)
        };
        let (two, three) = (blocks(2), blocks(3));
        assert_eq!(two.0, three.0[..2]);
        assert_eq!(two.1, three.1[..2]);
        assert_eq!(three.0[2].to_string(), "10.0.32.0/20");
        assert_eq!(three.1[0].to_string(), "10.0.128.0/20");
    }

    #[test]
    fn ways_out_are_the_routes_and_what_gives_them_to_the_subnets() {
        let paths = |network: Network| {
            let mut app = crate::tree::App::new("newsloom");
            let stack = app.stack("test");
            let network = stack.add("Network", network);
            let named = |node| stack.path_of(node).unwrap_or_default().trim_start_matches("Network/").to_owned();
            let private: Vec<String> = network.private_ways_out().map(named).collect();
            let public: Vec<String> = network.public_ways_out().map(named).collect();
            (private.join(" "), public.join(" "))
        };
        let public = "PublicRoute Public1Association Public2Association".to_owned();
        assert_eq!(paths(Network::new("10.0.0.0/16")), (String::new(), String::new()));
        assert_eq!(paths(Network::new("10.0.0.0/16").with_public_subnets()), (String::new(), public.clone()));
        let private = "Private1Route Private2Route Private1Association Private2Association".to_owned();
        assert_eq!(paths(Network::new("10.0.0.0/16").with_nat()), (private, public));
    }

    #[test]
    fn zones_by_number_are_those_that_need_no_opting_in() {
        let mut app = crate::tree::App::new("newsloom").region("eu-west-1");
        let stack = app.stack("test");
        stack.add("Network", Network::new("10.0.0.0/16"));
        stack.output("Zone", Text::from("zone ") + Pseudo::Zone(1));
        let rendered = app.synth(crate::render::Format::All).expect("no problems");
        let main = rendered.file("main.tf.json").expect("a file");
        assert!(main.contains("aws_availability_zones") && main.contains("opt-in-not-required"), "{main}");
        let outputs = rendered.file("outputs.tf.json").expect("a file");
        assert!(outputs.contains("zone ${data.aws_availability_zones.current.names[1]}"), "{outputs}");
        let template = rendered.file("cloudformation/test.template.json").expect("a file");
        let zone = r#"["zone ${Zone1}", {"Zone1": { "Fn::Select": [1, { "Fn::GetAZs": "" }] }}]"#;
        assert!(template.contains(zone), "{template}");
    }

    #[test]
    fn blocks_that_make_no_network_are_refused() {
        let cases = [
            (Network::new("10.0.0.0"), "`10.0.0.0` is no block of IPv4 addresses such as `10.0.0.0/16`"),
            (Network::new("10.0.0.0/8"), "the network's block is 10.0.0.0/8; AWS takes /16 to /28"),
            (Network::new("10.0.0.0/16").zones(0), "a network over 0 zones; it spreads over 1 to 6"),
            (Network::new("10.0.0.0/16").zones(7), "a network over 7 zones; it spreads over 1 to 6"),
            (Network::new("10.0.0.0/16").subnet_prefix(29), "the subnets' prefix is 29; in a /16 it can be 16 to 28"),
            (
                Network::new("10.0.0.0/24").subnet_prefix(25).with_public_subnets(),
                "2 private subnets of this size don't fit into 10.0.0.0/24; choose a larger `subnet_prefix`",
            ),
            (
                Network::new("10.0.0.0/16").private_blocks(["10.0.0.0/24"]),
                "1 private subnets are given for 2 zones; each zone has one",
            ),
            (
                Network::new("10.0.0.0/16").private_blocks(["10.0.0.0/24", "10.1.0.0/24"]),
                "the subnet 10.1.0.0/24 is outside the network's 10.0.0.0/16",
            ),
            (
                Network::new("10.0.0.0/16").zones(1).private_blocks(["10.0.0.0/23"]).public_blocks(["10.0.1.0/24"]),
                "the subnets 10.0.0.0/23 and 10.0.1.0/24 overlap",
            ),
            (
                Network::new("10.0.0.0/16").zones(1).private_blocks(["10.0.0.0/29"]),
                "the subnet 10.0.0.0/29 is too small; AWS takes up to /28",
            ),
        ];
        for (network, message) in cases {
            let found = problems(|stack| {
                stack.add("Network", network);
            });
            assert!(found.contains(&format!("Network: {message}")), "{message}\n{found}");
        }
    }

    #[test]
    fn an_existing_network_takes_so_many_subnets() {
        let found = problems(|stack| {
            stack.add("Network", Network::existing("vpc-0a1b2c3d").private_subnets(["subnet-0a1b2c3d"; 7]));
        });
        assert!(found.contains("Network: 7 private subnets are given; a network takes up to 6"), "{found}");
    }
}
