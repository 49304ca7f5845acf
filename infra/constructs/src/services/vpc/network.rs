//! Networks: a block of addresses, and subnets over zones.

use std::borrow::Cow;

use super::{
    Cidr, FlowLogs, digest,
    flow_logs::FlowLog,
    parts::{Address, Association, Attachment, DefaultGroup, Gateway, Nat, Route, RouteTable, Subnet, Vpc},
};
use crate::tree::{Access, Attribute, Construct, Handle, Id, Lookup, NodeRef, Other, Pseudo, Ref, Stack, Text};

/// The most zones a network spreads over; no region has more that need no opting in.
const MOST_ZONES: usize = 6;
/// The most route tables a network has: one for each private subnet, and one for the public ones.
const MOST_TABLES: usize = MOST_ZONES + 1;
/// The smallest subnet that AWS takes: 16 addresses, 11 of them usable.
const SMALLEST: u8 = 28;

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
    block: Cow<'static, str>,
    zones: Vec<Text>,
    subnet_prefix: Option<u8>,
    /// Empty where they are carved.
    private: Vec<Cow<'static, str>>,
    /// `None` where there are none.
    public: Option<Vec<Cow<'static, str>>>,
    nat: NatGateways,
    flow_logs: Option<FlowLogs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NatGateways {
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
        ExistingNetwork { vpc_id: vpc_id.into(), private: Vec::new(), public: Vec::new(), tables: Vec::new() }
    }

    /// The blocks of the subnets; what is wrong with them becomes problems.
    fn plan(&self, stack: &mut Stack) -> Plan {
        let count = self.zones.len();
        if !(1..=MOST_ZONES).contains(&count) {
            stack.problem(format!("a network over {count} zones; it spreads over 1 to {MOST_ZONES}"));
        }
        let Some(whole) = parsed(stack, &self.block) else { return Plan::default() };
        if !(16..=SMALLEST).contains(&whole.prefix()) {
            stack.problem(format!("the network's block is {whole}; AWS takes /16 to /{SMALLEST}"));
        }
        let prefix = self.subnet_prefix.unwrap_or((whole.prefix() + 4).min(SMALLEST));
        if prefix < whole.prefix() || prefix > SMALLEST {
            let block = whole.prefix();
            stack.problem(format!("the subnets' prefix is {prefix}; in a /{block} it can be {block} to {SMALLEST}"));
            return Plan::default();
        }
        let halves = if self.public.is_some() { 2 } else { 1 };
        let private = self.blocks(stack, "private", &self.private, |zone| carve(whole, prefix, zone, 0, halves));
        let public = match &self.public {
            Some(public) => self.blocks(stack, "public", public, |zone| carve(whole, prefix, zone, 1, halves)),
            None => Vec::new(),
        };
        let all: Vec<Cidr> = private.iter().chain(&public).copied().collect();
        check_blocks(stack, whole, &all);
        Plan { private, public }
    }

    /// One tier's blocks: as they are given, or carved.
    fn blocks(
        &self,
        stack: &mut Stack,
        tier: &str,
        given: &[Cow<'static, str>],
        carved: impl Fn(u32) -> Option<Cidr>,
    ) -> Vec<Cidr> {
        let zones = self.zones.len();
        if !given.is_empty() {
            if given.len() != zones {
                stack.problem(format!("{} {tier} subnets are given for {zones} zones; each zone has one", given.len()));
            }
            return given.iter().filter_map(|block| parsed(stack, block)).collect();
        }
        let blocks: Vec<Cidr> = (0..).zip(&self.zones).filter_map(|(zone, _)| carved(zone)).collect();
        if blocks.len() < zones {
            let block = &self.block;
            stack.problem(format!(
                "{zones} {tier} subnets of this size don't fit into {block}; choose a larger `subnet_prefix`"
            ));
        }
        blocks
    }
}

#[derive(Default)]
struct Plan {
    private: Vec<Cidr>,
    public: Vec<Cidr>,
}

fn zones(count: u8) -> Vec<Text> {
    (0..count).map(|zone| Pseudo::Zone(zone).into()).collect()
}

fn parsed(stack: &mut Stack, block: &str) -> Option<Cidr> {
    block.parse().map_err(|error: super::CidrError| stack.problem(error.to_string())).ok()
}

/// The zone's block in one half of the network; in the whole where there is only one tier and it needs it.
fn carve(whole: Cidr, prefix: u8, zone: u32, half: u32, halves: u32) -> Option<Cidr> {
    let all = 1_u32.checked_shl(u32::from(prefix - whole.prefix()))?;
    let index = zone + half * all / 2;
    let fits = zone < if halves == 1 { all } else { all / 2 };
    fits.then(|| whole.nth(prefix, index)).flatten()
}

fn check_blocks(stack: &mut Stack, whole: Cidr, blocks: &[Cidr]) {
    for (index, block) in blocks.iter().enumerate() {
        if !whole.contains(*block) {
            stack.problem(format!("the subnet {block} is outside the network's {whole}"));
        }
        if block.prefix() > SMALLEST {
            stack.problem(format!("the subnet {block} is too small; AWS takes up to /{SMALLEST}"));
        }
        for other in blocks[index + 1..].iter().filter(|other| block.overlaps(**other)) {
            stack.problem(format!("the subnets {block} and {other} overlap"));
        }
    }
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
        }
    }
}

/// A subnet and the table it routes by.
struct Tier {
    subnet: NodeRef,
    table: NodeRef,
}

/// Builds a network's parts.
struct Parts<'s> {
    stack: &'s mut Stack,
    vpc: Ref<Id>,
    zones: &'s [Text],
}

impl Parts<'_> {
    fn public(&mut self, blocks: &[Cidr]) -> Vec<Tier> {
        if blocks.is_empty() {
            return Vec::new();
        }
        let gateway = self.stack.child("Gateway", Gateway { vpc: self.vpc, name: self.name("gateway") });
        let gateway_id = Ref::new(gateway, ID);
        let attachment = self.stack.child("GatewayAttachment", Attachment { vpc: self.vpc, gateway: gateway_id });
        let table = self.stack.child("PublicRoutes", RouteTable { vpc: self.vpc, name: self.name("public") });
        let route = self.stack.child("PublicRoute", Route::to_gateway(Ref::new(table, ID), gateway_id));
        self.stack.depends(route, attachment);
        let subnets = (1..).zip(blocks).zip(self.zones);
        subnets.map(|((number, block), zone)| self.subnet("Public", number, *block, zone, table)).collect()
    }

    fn private(&mut self, blocks: &[Cidr], nats: &[NodeRef]) -> Vec<Tier> {
        let mut tiers = Vec::new();
        for ((number, block), zone) in (1..).zip(blocks).zip(self.zones) {
            let id = format!("Private{number}");
            let name = self.name(&format!("private-{number}"));
            let table = self.stack.child(&format!("{id}Routes"), RouteTable { vpc: self.vpc, name });
            if let Some(nat) = nats.get(number - 1).or(nats.last()) {
                let route = Route::to_nat(Ref::new(table, ID), Ref::new(*nat, ID));
                self.stack.child(&format!("{id}Route"), route);
            }
            tiers.push(self.subnet("Private", number, *block, zone, table));
        }
        tiers
    }

    fn subnet(&mut self, tier: &str, number: usize, block: Cidr, zone: &Text, table: NodeRef) -> Tier {
        let name = self.name(&format!("{}-{number}", tier.to_ascii_lowercase()));
        let id = format!("{tier}{number}");
        let subnet = self.stack.child(&id, Subnet { vpc: self.vpc, block, zone: zone.clone(), name });
        let association = Association { subnet: Ref::new(subnet, ID), table: Ref::new(table, ID) };
        self.stack.child(&format!("{id}Association"), association);
        Tier { subnet, table }
    }

    fn nats(&mut self, nat: NatGateways, public: &[Tier]) -> Vec<NodeRef> {
        let count = match nat {
            NatGateways::None => 0,
            NatGateways::One => 1,
            NatGateways::PerZone => public.len(),
        };
        let own = |id: &str, stack: &Stack| stack.find(&format!("{}/{id}", stack.path()));
        let way_out = [own("Gateway", self.stack), own("GatewayAttachment", self.stack)];
        let mut nats = Vec::new();
        for (number, tier) in (1..).zip(&public[..count.min(public.len())]) {
            let name = self.name(&format!("nat-{number}"));
            let address = self.stack.child(&format!("Nat{number}Address"), Address { name: name.clone() });
            let subnet = Ref::new(tier.subnet, ID);
            let nat =
                self.stack.child(&format!("Nat{number}"), Nat { address: Ref::new(address, ALLOCATION), subnet, name });
            // Neither names the internet gateway, yet both need it.
            for gateway in way_out.into_iter().flatten() {
                self.stack.depends(address, gateway);
                self.stack.depends(nat, gateway);
            }
            nats.push(nat);
        }
        nats
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.stack.physical_name())
    }
}

/// See [`Network::existing`].
#[derive(Debug, Clone)]
pub struct ExistingNetwork {
    vpc_id: Text,
    private: Vec<Text>,
    public: Vec<Text>,
    tables: Vec<Text>,
}

impl ExistingNetwork {
    /// The ids of its private subnets that are to be used, up to 6.
    pub fn private_subnets<T: Into<Text>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.private = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The ids of its public subnets that are to be used, up to 6.
    pub fn public_subnets<T: Into<Text>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.public = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The ids of its route tables, up to 7: only gateway endpoints need them.
    pub fn route_tables<T: Into<Text>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.tables = ids.into_iter().map(Into::into).collect();
        self
    }
}

impl Construct for ExistingNetwork {
    type Handle = NetworkRef;

    fn build(self, stack: &mut Stack) -> NetworkRef {
        let lists = [
            ("private subnets", self.private.len(), MOST_ZONES),
            ("public subnets", self.public.len(), MOST_ZONES),
            ("route tables", self.tables.len(), MOST_TABLES),
        ];
        for (what, count, most) in lists.into_iter().filter(|(_, count, most)| count > most) {
            stack.problem(format!("{count} {what} are given; a network takes up to {most}"));
        }
        let vpc = Lookup::new("aws_vpc", "AWS::EC2::VPC").by("id", &self.vpc_id).known(ID, &self.vpc_id);
        let node = vpc.build(stack);
        let subnet = |id: &Text| Lookup::new("aws_subnet", "AWS::EC2::Subnet").by("id", id).known(ID, id);
        let table =
            |id: &Text| Lookup::new("aws_route_table", "AWS::EC2::RouteTable").by("route_table_id", id).known(ID, id);
        let mut each = |word: &str, ids: &[Text], lookup: &dyn Fn(&Text) -> Lookup| -> Vec<NodeRef> {
            let numbered = (1..).zip(ids);
            numbered.map(|(number, id)| stack.add(&format!("{word}{number}"), lookup(id))).collect()
        };
        let private = few(each("Private", &self.private, &subnet));
        let public = few(each("Public", &self.public, &subnet));
        let tables = few(each("Routes", &self.tables, &table));
        NetworkRef { node, digest: digest(&stack.name, stack.path()), private, public, tables }
    }
}

// ---------------------------------------------------------------------------------------------------

/// A [`Network`] of a stack, or one that exists already.
#[derive(Debug, Clone, Copy)]
pub struct NetworkRef {
    pub(super) node: NodeRef,
    pub(super) digest: u32,
    private: Few<MOST_ZONES>,
    public: Few<MOST_ZONES>,
    tables: Few<MOST_TABLES>,
}

/// A list short enough to be `Copy`.
type Few<const N: usize> = [Option<NodeRef>; N];

fn few<const N: usize>(nodes: impl IntoIterator<Item = NodeRef>) -> Few<N> {
    let mut few = [None; N];
    for (slot, node) in few.iter_mut().zip(nodes) {
        *slot = Some(node);
    }
    few
}

fn ids<const N: usize>(nodes: Few<N>) -> impl Iterator<Item = Ref<Id>> + Clone {
    nodes.into_iter().flatten().map(|node| Ref::new(node, ID))
}

const ID: Attribute = Attribute::id("id", Access::Ref);
const ALLOCATION: Attribute = Attribute::id("allocation_id", Access::GetAtt("AllocationId"));

impl NetworkRef {
    /// The VPC's id.
    pub fn vpc_id(self) -> Ref<Id> {
        Ref::new(self.node, ID)
    }

    /// The VPC's block of addresses.
    pub fn block(self) -> Ref<Other> {
        Ref::new(self.node, Attribute::other("cidr_block", Access::GetAtt("CidrBlock")))
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
            let key = stack.add("Key", Key::new("Encrypts flow logs").for_service("logs.eu-west-1.amazonaws.com"));
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
