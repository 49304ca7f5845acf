//! Virtual Private Cloud: networks, their subnets and endpoints, and who may talk to whom.
//!
//! Nothing in a network can be reached, or reach anything, until a line says so: security groups start
//! empty in both directions, and [`Stack::allow`](crate::tree::Stack::allow) adds one rule at each end.

mod endpoints;
mod existing;
mod flow_logs;
mod network;
mod parts;
mod plan;
mod rules;
mod security_group;
mod tiers;

pub use crate::rules::{Cidr, CidrError};
pub use endpoints::{GatewayEndpoint, GatewayEndpointRef, InterfaceEndpoints, InterfaceEndpointsRef, InterfaceService};
pub use existing::ExistingNetwork;
pub use flow_logs::FlowLogs;
pub use network::{Network, NetworkRef};
pub use rules::{Peer, Port, PrefixList, PrefixListRef};
pub use security_group::{ExistingSecurityGroup, SecurityGroup, SecurityGroupRef};

use crate::tree::{Properties, Value};

/// The tag that the console shows as a name, for Terraform.
pub(super) fn name_map(name: &str) -> Properties {
    Properties::default().set("Name", name.to_owned())
}

/// The tag that the console shows as a name, for CloudFormation.
pub(super) fn name_pairs(name: &str) -> Value {
    Value::list([Properties::default().set("Key", "Name").set("Value", name.to_owned())])
}

/// A number that stays the same for a path of a stack: how a rule in one stack is told by its peer in another.
fn digest(stack: &str, path: &str) -> u32 {
    let bytes = stack.bytes().chain([b'/']).chain(path.bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
