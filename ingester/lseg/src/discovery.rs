//! Endpoints of LSEG's cloud: which there are, and which to connect to.
//!
//! The list is the answer of `/streaming/pricing/v1/?transport=websocket`. A region has an endpoint in each of two zones
//! and one that balances over both; LSEG's examples take the balanced one for a single connection, and one of each zone
//! for a hot standby.

use crate::message::Malformed;
use serde::Deserialize;

/// The protocol, as the list and the WebSocket's handshake name it.
pub const PROTOCOL: &str = "tr_json2";

/// Where the list is, behind the API's address.
pub const PATH: &str = "/streaming/pricing/v1/?transport=websocket";

/// Somewhere to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub host: String,
    /// Its port, usually 443.
    pub port: u16,
    /// The zones behind it, `us-east-1a`; several if it balances.
    pub zones: Vec<String>,
}

/// There is nowhere to connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The answer is none.
    #[error("the list of endpoints is none: {0}")]
    Malformed(#[from] Malformed),
    /// Other regions have endpoints.
    #[error("region {region:?} has no endpoint; there are {}", .known.join(", "))]
    NoEndpoint {
        /// The one that was wanted.
        region: String,
        /// Those that have some, sorted.
        known: Vec<String>,
    },
}

/// Reads the list, without what has another transport or protocol.
///
/// # Errors
///
/// It is no list. Entries that are none are left out.
pub fn read(answer: &[u8]) -> Result<Vec<Endpoint>, DiscoveryError> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| Malformed::new(&error))?;
    let service = |service| serde_json::from_value::<Service>(service).ok();
    Ok(answer.services.into_iter().filter_map(service).filter_map(Service::endpoint).collect())
}

/// For each of `connections`, the endpoints of a region that it tries one after the other.
///
/// A single connection begins with an endpoint that balances over zones. Several begin with one zone each, a different
/// one as far as there are; then come those that balance, then the others' zones. When a round is through, the list is
/// to be asked for anew.
///
/// ```
/// use lseg::discovery::{Endpoint, candidates};
/// let endpoint = |host: &str, zones: &[&str]| Endpoint {
///     host: host.into(), port: 443, zones: zones.iter().map(ToString::to_string).collect(),
/// };
/// let all = [
///     endpoint("1", &["us-east-1a"]), endpoint("2", &["us-east-1b"]), endpoint("3", &["us-east-1a", "us-east-1b"]),
/// ];
/// let hosts = |lists: Vec<Vec<Endpoint>>| -> Vec<String> {
///     lists.iter().map(|list| list.iter().map(|endpoint| endpoint.host.as_str()).collect()).collect()
/// };
/// assert_eq!(hosts(candidates(&all, "us-east-1", 1)?), ["312"]);
/// assert_eq!(hosts(candidates(&all, "us-east-1", 2)?), ["132", "231"]);
/// # Ok::<(), lseg::discovery::DiscoveryError>(())
/// ```
///
/// # Errors
///
/// The region has no endpoint.
pub fn candidates(all: &[Endpoint], region: &str, connections: u8) -> Result<Vec<Vec<Endpoint>>, DiscoveryError> {
    let here: Vec<&Endpoint> = all.iter().filter(|endpoint| endpoint.region() == Some(region)).collect();
    if here.is_empty() {
        return Err(DiscoveryError::NoEndpoint { region: region.into(), known: regions(all) });
    }
    let (balanced, single): (Vec<_>, Vec<_>) = here.into_iter().partition(|endpoint| endpoint.zones.len() > 1);
    if connections <= 1 {
        return Ok(vec![balanced.into_iter().chain(single).cloned().collect()]);
    }
    let zones = zones(&single);
    let list = |connection: usize| {
        let own = zones.get(connection % zones.len().max(1)).copied();
        let (mine, others): (Vec<_>, Vec<_>) = single.iter().partition(|endpoint| endpoint.zone() == own);
        let mut balanced = balanced.clone();
        let turn = connection % balanced.len().max(1);
        balanced.rotate_left(turn);
        mine.into_iter().copied().chain(balanced).chain(others.into_iter().copied()).cloned().collect()
    };
    Ok((0..usize::from(connections)).map(list).collect())
}

impl Endpoint {
    /// The region of its first zone: `us-east-1` of `us-east-1a`.
    pub fn region(&self) -> Option<&str> {
        let region = self.zone()?.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
        Some(region).filter(|region| !region.is_empty())
    }

    fn zone(&self) -> Option<&str> {
        self.zones.first().map(String::as_str)
    }
}

fn zones<'a>(endpoints: &[&'a Endpoint]) -> Vec<&'a str> {
    let mut zones: Vec<&str> = Vec::new();
    for zone in endpoints.iter().filter_map(|endpoint| endpoint.zone()) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    zones
}

fn regions(endpoints: &[Endpoint]) -> Vec<String> {
    let mut regions: Vec<String> = endpoints.iter().filter_map(Endpoint::region).map(Into::into).collect();
    regions.sort();
    regions.dedup();
    regions
}

#[derive(Deserialize)]
struct Answer {
    services: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Service {
    endpoint: String,
    port: u16,
    transport: String,
    #[serde(rename = "dataFormat", default)]
    data_format: Vec<String>,
    #[serde(default)]
    location: Vec<String>,
}

impl Service {
    fn endpoint(self) -> Option<Endpoint> {
        let speaks = self.transport == "websocket" && self.data_format.iter().any(|format| format == PROTOCOL);
        speaks.then_some(Endpoint { host: self.endpoint, port: self.port, zones: self.location })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What LSEG's cloud has answered.
    const ANSWER: &[u8] = include_bytes!("../tests/fixtures/discovery.json");

    fn hosts(region: &str, connections: u8) -> Vec<Vec<String>> {
        let lists = candidates(&read(ANSWER).unwrap(), region, connections).unwrap();
        let number = |endpoint: &Endpoint| endpoint.host.replace("-lrg.optimized-pricing-api.refinitiv.net", "");
        lists.iter().map(|list| list.iter().map(number).collect()).collect()
    }

    #[test]
    fn one_connection_begins_with_the_balanced_endpoint_and_two_with_a_zone_each() {
        assert_eq!(read(ANSWER).unwrap().len(), 18);
        assert_eq!(hosts("eu-west-1", 1), [["eu-west-1-aws-3", "eu-west-1-aws-1", "eu-west-1-aws-2"]]);
        assert_eq!(
            hosts("us-east-2", 2),
            [
                ["us-east-2-aws-1", "us-east-2-aws-3", "us-east-2-aws-2"],
                ["us-east-2-aws-2", "us-east-2-aws-3", "us-east-2-aws-1"],
            ]
        );
    }

    #[test]
    fn two_connections_make_do_with_what_there_is() {
        let endpoint = |host: &str, zones: &[&str]| Endpoint {
            host: host.into(),
            port: 443,
            zones: zones.iter().map(ToString::to_string).collect(),
        };
        let cases = [
            (vec![endpoint("a", &["r-1a"])], ["a", "a"]),
            (vec![endpoint("ab", &["r-1a", "r-1b"])], ["ab", "ab"]),
            (vec![endpoint("ab", &["r-1a", "r-1b"]), endpoint("bc", &["r-1b", "r-1c"])], ["ab", "bc"]),
            (vec![endpoint("a", &["r-1a"]), endpoint("a2", &["r-1a"]), endpoint("b", &["r-1b"])], ["a", "b"]),
        ];
        for (all, expected) in cases {
            let lists = candidates(&all, "r-1", 2).unwrap();
            let first: Vec<&str> = lists.iter().map(|list| list[0].host.as_str()).collect();
            assert_eq!(first, expected);
            assert!(lists.iter().all(|list| list.len() == all.len()), "all are tried");
        }
    }

    #[test]
    fn what_is_not_for_us_is_left_out() {
        let answer = br#"{"services": [
            {"dataFormat": ["rwf"], "endpoint": "a", "location": ["r-1a"], "port": 14002, "transport": "tcp"},
            {"dataFormat": ["rwf"], "endpoint": "b", "location": ["r-1a"], "port": 443, "transport": "websocket"},
            {"endpoint": 7}, null,
            {"dataFormat": ["rwf", "tr_json2"], "endpoint": "c", "location": ["r-1a"], "port": 443, "transport": "websocket"},
            {"dataFormat": ["tr_json2"], "endpoint": "d", "location": ["r-10a"], "port": 443, "transport": "websocket"}
        ]}"#;
        let all = read(answer).unwrap();
        let lists = candidates(&all, "r-1", 1).unwrap();
        assert_eq!(lists, [[Endpoint { host: "c".into(), port: 443, zones: vec!["r-1a".into()] }]]);
        let error = candidates(&all, "r-2", 1).unwrap_err().to_string();
        assert_eq!(error, "region \"r-2\" has no endpoint; there are r-1, r-10");
        assert!(read(b"{}").unwrap_err().to_string().starts_with("the list of endpoints is none: a member is missing"));
    }
}
