//! Which block each subnet has.

use std::borrow::Cow;

use super::{Cidr, CidrError, Network, network::MOST_ZONES};
use crate::tree::Stack;

/// The smallest subnet that AWS takes: 16 addresses, 11 of them usable.
const SMALLEST: u8 = 28;

/// The subnets' blocks.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) private: Vec<Cidr>,
    pub(super) public: Vec<Cidr>,
}

impl Network {
    /// The blocks of the subnets; what is wrong with them becomes problems.
    pub(super) fn plan(&self, stack: &mut Stack) -> Plan {
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

fn parsed(stack: &mut Stack, block: &str) -> Option<Cidr> {
    block.parse().map_err(|error: CidrError| stack.problem(error.to_string())).ok()
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
