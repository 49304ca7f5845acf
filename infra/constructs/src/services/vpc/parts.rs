//! What a network is made of.

use std::borrow::Cow;

use super::{Cidr, name_map, name_pairs};
use crate::tree::{Id, Properties, Ref, Resource, Text, Types};

pub(super) struct Vpc {
    pub(super) block: Cow<'static, str>,
    pub(super) name: String,
}

impl Resource for Vpc {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_vpc", "AWS::EC2::VPC")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("CidrBlock", self.block.clone().into_owned())
            .set("EnableDnsSupport", true)
            .set("EnableDnsHostnames", true)
            .set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("cidr_block", self.block.clone().into_owned())
            .set("enable_dns_support", true)
            .set("enable_dns_hostnames", true)
            .set("tags", name_map(&self.name))
    }
}

/// The group that AWS puts things in when none is named. Managed with no rules, it loses those it came with.
pub(super) struct DefaultGroup {
    pub(super) vpc: Ref<Id>,
}

impl Resource for DefaultGroup {
    fn types(&self) -> Types {
        Types::terraform("vpc", "aws_default_security_group")
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("vpc_id", self.vpc).set("tags", name_map("not used"))
    }
}

pub(super) struct Subnet {
    pub(super) vpc: Ref<Id>,
    pub(super) block: Cidr,
    pub(super) zone: Text,
    pub(super) name: String,
}

impl Resource for Subnet {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_subnet", "AWS::EC2::Subnet")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("VpcId", self.vpc)
            .set("CidrBlock", self.block.to_string())
            .set("AvailabilityZone", &self.zone)
            .set("MapPublicIpOnLaunch", false)
            .set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("vpc_id", self.vpc)
            .set("cidr_block", self.block.to_string())
            .set("availability_zone", &self.zone)
            .set("map_public_ip_on_launch", false)
            .set("tags", name_map(&self.name))
    }
}

pub(super) struct RouteTable {
    pub(super) vpc: Ref<Id>,
    pub(super) name: String,
}

impl Resource for RouteTable {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_route_table", "AWS::EC2::RouteTable")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("VpcId", self.vpc).set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("vpc_id", self.vpc).set("tags", name_map(&self.name))
    }
}

pub(super) struct Association {
    pub(super) subnet: Ref<Id>,
    pub(super) table: Ref<Id>,
}

impl Resource for Association {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_route_table_association", "AWS::EC2::SubnetRouteTableAssociation")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("SubnetId", self.subnet).set("RouteTableId", self.table)
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("subnet_id", self.subnet).set("route_table_id", self.table)
    }
}

/// The way to everywhere that isn't in the network.
pub(super) struct Route {
    table: Ref<Id>,
    gateway: Option<Ref<Id>>,
    nat: Option<Ref<Id>>,
}

impl Route {
    pub(super) fn to_gateway(table: Ref<Id>, gateway: Ref<Id>) -> Self {
        Self { table, gateway: Some(gateway), nat: None }
    }

    pub(super) fn to_nat(table: Ref<Id>, nat: Ref<Id>) -> Self {
        Self { table, gateway: None, nat: Some(nat) }
    }
}

impl Resource for Route {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_route", "AWS::EC2::Route")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("RouteTableId", self.table)
            .set("DestinationCidrBlock", Cidr::ANYWHERE.to_string())
            .set_some("GatewayId", self.gateway)
            .set_some("NatGatewayId", self.nat)
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("route_table_id", self.table)
            .set("destination_cidr_block", Cidr::ANYWHERE.to_string())
            .set_some("gateway_id", self.gateway)
            .set_some("nat_gateway_id", self.nat)
    }
}

/// An internet gateway.
pub(super) struct Gateway {
    pub(super) vpc: Ref<Id>,
    pub(super) name: String,
}

impl Resource for Gateway {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_internet_gateway", "AWS::EC2::InternetGateway")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("vpc_id", self.vpc).set("tags", name_map(&self.name))
    }
}

/// CloudFormation attaches a gateway with a resource; Terraform names the network in the gateway.
pub(super) struct Attachment {
    pub(super) vpc: Ref<Id>,
    pub(super) gateway: Ref<Id>,
}

impl Resource for Attachment {
    fn types(&self) -> Types {
        Types::cloudformation("vpc", "AWS::EC2::VPCGatewayAttachment")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("VpcId", self.vpc).set("InternetGatewayId", self.gateway)
    }
}

/// A public address that stays.
pub(super) struct Address {
    pub(super) name: String,
}

impl Resource for Address {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_eip", "AWS::EC2::EIP")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default().set("Domain", "vpc").set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default().set("domain", "vpc").set("tags", name_map(&self.name))
    }
}

pub(super) struct Nat {
    pub(super) address: Ref<Id>,
    pub(super) subnet: Ref<Id>,
    pub(super) name: String,
}

impl Resource for Nat {
    fn types(&self) -> Types {
        Types::new("vpc", "aws_nat_gateway", "AWS::EC2::NatGateway")
    }

    fn cloudformation(&self) -> Properties {
        Properties::default()
            .set("AllocationId", self.address)
            .set("SubnetId", self.subnet)
            .set("Tags", name_pairs(&self.name))
    }

    fn terraform(&self) -> Properties {
        Properties::default()
            .set("allocation_id", self.address)
            .set("subnet_id", self.subnet)
            .set("tags", name_map(&self.name))
    }
}
