//! Subnets in their zones, and how they route.

use super::{
    Cidr,
    network::{ID, NatGateways},
    parts::{Address, Association, Attachment, Gateway, Nat, Route, RouteTable, Subnet},
};
use crate::tree::{Access, Attribute, Id, NodeRef, Ref, Stack, Text};

const ALLOCATION: Attribute = Attribute::id("allocation_id", Access::GetAtt("AllocationId"));

/// A subnet and the table it routes by.
pub(super) struct Tier {
    pub(super) subnet: NodeRef,
    pub(super) table: NodeRef,
    association: NodeRef,
    /// The route to the internet, if it has one.
    route: Option<NodeRef>,
}

/// What leads out of subnets: the routes, each once, and what gives them to the subnets.
pub(super) fn ways_out(tiers: &[Tier]) -> impl Iterator<Item = NodeRef> {
    let mut routes: Vec<NodeRef> = tiers.iter().filter_map(|tier| tier.route).collect();
    routes.dedup();
    let associations = tiers.iter().filter(|tier| tier.route.is_some()).map(|tier| tier.association);
    routes.into_iter().chain(associations)
}

/// Builds a network's parts.
pub(super) struct Parts<'s> {
    pub(super) stack: &'s mut Stack,
    pub(super) vpc: Ref<Id>,
    pub(super) zones: &'s [Text],
}

impl Parts<'_> {
    pub(super) fn public(&mut self, blocks: &[Cidr]) -> Vec<Tier> {
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
        let mut subnet = |(number, block): (usize, &Cidr), zone| {
            let tier = self.subnet("Public", number, *block, zone, table);
            Tier { route: Some(route), ..tier }
        };
        subnets.map(|(numbered, zone)| subnet(numbered, zone)).collect()
    }

    pub(super) fn private(&mut self, blocks: &[Cidr], nats: &[NodeRef]) -> Vec<Tier> {
        let mut tiers = Vec::new();
        for ((number, block), zone) in (1..).zip(blocks).zip(self.zones) {
            let id = format!("Private{number}");
            let name = self.name(&format!("private-{number}"));
            let table = self.stack.child(&format!("{id}Routes"), RouteTable { vpc: self.vpc, name });
            let nat = nats.get(number - 1).or(nats.last());
            let route = nat.map(|nat| Route::to_nat(Ref::new(table, ID), Ref::new(*nat, ID)));
            let route = route.map(|route| self.stack.child(&format!("{id}Route"), route));
            tiers.push(Tier { route, ..self.subnet("Private", number, *block, zone, table) });
        }
        tiers
    }

    fn subnet(&mut self, tier: &str, number: usize, block: Cidr, zone: &Text, table: NodeRef) -> Tier {
        let name = self.name(&format!("{}-{number}", tier.to_ascii_lowercase()));
        let id = format!("{tier}{number}");
        let subnet = self.stack.child(&id, Subnet { vpc: self.vpc, block, zone: zone.clone(), name });
        let association = Association { subnet: Ref::new(subnet, ID), table: Ref::new(table, ID) };
        let association = self.stack.child(&format!("{id}Association"), association);
        Tier { subnet, table, association, route: None }
    }

    pub(super) fn nats(&mut self, nat: NatGateways, public: &[Tier]) -> Vec<NodeRef> {
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
