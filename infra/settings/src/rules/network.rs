//! Ranges of addresses, zones and subnets.

use super::Rules;
use crate::{Network, NewNetwork, Zones};

pub(super) fn check(rules: &mut Rules<'_>) {
    match &rules.settings.network {
        Network::New(network) => {
            rules.zones(network);
            rules.ranges(network);
        }
        Network::Existing(network) => {
            for list in ["private_subnet_ids", "public_subnet_ids"] {
                let ids = match list {
                    "private_subnet_ids" => &network.private_subnet_ids,
                    _ => &network.public_subnet_ids,
                };
                let keyed = ids.iter().enumerate();
                rules.unique(keyed.map(|(index, id)| (format!("network.{list}[{index}]"), id.as_str())));
            }
        }
    }
}

impl Rules<'_> {
    fn zones(&mut self, network: &NewNetwork) {
        let Zones::Names(names) = &network.zones else {
            return;
        };
        let region = &self.settings.region;
        let key = |index: usize| format!("network.zones[{index}]");
        for (index, name) in names.iter().enumerate() {
            let letter = name.strip_prefix(region.as_str());
            if letter.is_none_or(|letter| letter.len() != 1) {
                self.problem(&key(index), format!("{name:?} given, which is no zone of {region}"));
            }
        }
        let keyed = names.iter().enumerate();
        self.unique(keyed.map(|(index, name)| (key(index), name.as_str())));
    }

    fn ranges(&mut self, network: &NewNetwork) {
        let whole = self.range("network.cidr", &network.cidr);
        let mut taken: Vec<(String, Range)> = Vec::new();
        let lists =
            [("network.private_cidrs", &network.private_cidrs), ("network.public_cidrs", &network.public_cidrs)];
        for (list, cidrs) in lists {
            let zones = network.zones.count();
            if !cidrs.is_empty() && cidrs.len() != zones {
                let given = cidrs.len();
                let message = format!("{given} given; {zones} needed, one for each zone");
                self.problem(list, message);
            }
            for (index, cidr) in cidrs.iter().enumerate() {
                let key = format!("{list}[{index}]");
                let Some(range) = self.range(&key, cidr) else {
                    continue;
                };
                if whole.is_some_and(|whole| !whole.holds(range)) {
                    self.problem(&key, format!("{cidr} is not inside the network, {}", network.cidr));
                }
                if let Some((other, _)) = taken.iter().find(|(_, other)| other.meets(range)) {
                    self.problem(&key, format!("{cidr} overlaps {other}"));
                }
                taken.push((key, range));
            }
        }
        self.both_or_none(network);
    }

    fn both_or_none(&mut self, network: &NewNetwork) {
        let (private, public) = (&network.private_cidrs, &network.public_cidrs);
        let (given, missing) = match (private.is_empty(), public.is_empty()) {
            (false, true) => ("private_cidrs", "public_cidrs"),
            (true, false) => ("public_cidrs", "private_cidrs"),
            _ => return,
        };
        let message = format!("given without {missing}; give both, or neither to divide the network evenly");
        self.problem(&format!("network.{given}"), message);
    }

    fn range(&mut self, key: &str, cidr: &str) -> Option<Range> {
        let range = Range::parse(cidr);
        match range {
            None => self.problem(key, format!("{cidr} is no range of addresses")),
            Some(range) if range.first & (range.size() - 1) != 0 => {
                let first = std::net::Ipv4Addr::from(range.first & !(range.size() - 1));
                let bits = range.bits;
                self.problem(key, format!("{cidr} begins inside its own range; {first}/{bits} is meant"));
            }
            Some(_) => return range,
        }
        None
    }
}

/// A range of IPv4 addresses.
#[derive(Clone, Copy)]
struct Range {
    first: u32,
    bits: u32,
}

impl Range {
    fn parse(cidr: &str) -> Option<Self> {
        let (address, bits) = cidr.split_once('/')?;
        let address: std::net::Ipv4Addr = address.parse().ok()?;
        let bits = bits.parse().ok().filter(|bits| (8..=32).contains(bits))?;
        Some(Self { first: address.into(), bits })
    }

    fn size(self) -> u32 {
        1 << (32 - self.bits)
    }

    fn last(self) -> u32 {
        self.first | (self.size() - 1)
    }

    fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last() <= self.last()
    }

    fn meets(self, other: Self) -> bool {
        self.first <= other.last() && other.first <= self.last()
    }
}
