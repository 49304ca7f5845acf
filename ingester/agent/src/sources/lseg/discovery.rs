//! Endpoints of LSEG's cloud.

use super::{
    Timings,
    api::{Api, Ask},
    denied::Denied,
};
use crate::secrets::Secret;
use runtime::Backoff;
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};
use url::Url;

/// Where endpoints are listed (`Refinitiv/websocket-api`, example clients).
const PATH: &str = "/streaming/pricing/v1/?transport=websocket";

/// A list of endpoints.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default)]
    services: Vec<Service>,
}

/// An endpoint, as it is listed. Whatever isn't known about it is left empty, so that one odd entry spoils no list.
#[derive(Debug, Deserialize)]
struct Service {
    #[serde(default)]
    endpoint: String,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    location: Vec<String>,
    #[serde(default)]
    transport: String,
    #[serde(default, rename = "dataFormat")]
    data_format: Vec<String>,
}

/// Finds endpoints.
#[derive(Debug)]
pub(super) struct Discovery {
    api: Api,
    region: String,
    connections: usize,
    backoff: Mutex<Option<Backoff>>,
}

impl Discovery {
    pub(super) fn new(api: Api, region: String, connections: usize) -> Self {
        Self { api, region, connections, backoff: Mutex::default() }
    }

    /// The region's endpoints, in order of preference: for one connection first those that balance over several zones, for
    /// two first those of a single zone.
    pub(super) async fn servers(&self, token: &Secret, timings: &Timings) -> Result<Vec<Url>, Denied> {
        const WHAT: &str = "no list of endpoints";
        let answer = self.api.ask(PATH, &Ask::Document { token }).await;
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        let pauses = backoff.get_or_insert_with(|| timings.backoff());
        let answer = answer.map_err(|error| Denied::unanswered(WHAT, &error, pauses, timings))?;
        if answer.status != 200 {
            return Err(Denied::answered(WHAT, &answer, [token], pauses, timings));
        }
        let listed: Listed =
            serde_json::from_slice(&answer.body).map_err(|error| Denied::soon(format!("{WHAT}: {error}"), pauses))?;
        let servers = self.chosen(&listed);
        if servers.is_empty() {
            return Err(Denied::late(self.nothing(&listed), timings));
        }
        *backoff = None;
        Ok(servers)
    }

    fn chosen(&self, listed: &Listed) -> Vec<Url> {
        let fits = |service: &&Service| service.is_web_socket() && service.is_in(&self.region);
        let mut services: Vec<_> = listed.services.iter().filter(fits).collect();
        // Stable: within a kind, the list's own order.
        services.sort_by_key(|service| (service.location.len() > 1) == (self.connections > 1));
        let mut servers: Vec<Url> = Vec::with_capacity(services.len());
        for url in services.iter().filter_map(|service| service.url(self.api.is_plain())) {
            if !servers.contains(&url) {
                servers.push(url);
            }
        }
        servers
    }

    fn nothing(&self, listed: &Listed) -> String {
        let regions: BTreeSet<_> = listed.services.iter().filter_map(Service::region).collect();
        let regions = regions.into_iter().collect::<Vec<_>>().join(", ");
        format!("no endpoint is in the region {}; there are some in {regions}", self.region)
    }
}

impl Service {
    fn is_web_socket(&self) -> bool {
        self.transport == "websocket" && self.data_format.iter().any(|format| format == "tr_json2")
    }

    /// A location is a region with the letter of a zone.
    fn is_in(&self, region: &str) -> bool {
        self.region() == Some(region)
    }

    fn region(&self) -> Option<&str> {
        self.location.first().map(|location| location.trim_end_matches(|zone: char| zone.is_ascii_lowercase()))
    }

    fn url(&self, plain: bool) -> Option<Url> {
        let scheme = if plain { "ws" } else { "wss" };
        // An address with anything in it but a host would lead elsewhere.
        let host = url::Host::parse(&self.endpoint).ok()?;
        Url::parse(&format!("{scheme}://{host}:{}/WebSocket", self.port)).ok().filter(|_| self.port != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three hosts of each of two regions as LSEG lists them, and what isn't for us.
    fn listed() -> Listed {
        let mut services = Vec::new();
        for region in ["eu-west-1", "us-east-1"] {
            for (number, zones) in [(1, &["a"][..]), (3, &["a", "b"]), (2, &["b"])] {
                let location: Vec<_> = zones.iter().map(|zone| format!("{region}{zone}")).collect();
                services.push(serde_json::json!({
                    "endpoint": format!("{region}-{number}.example.net"), "port": 443, "location": location,
                    "transport": "websocket", "dataFormat": ["tr_json2"], "provider": "aws",
                }));
            }
        }
        services.push(serde_json::json!({
            "endpoint": "rssl.example.net", "port": 14002, "location": ["us-east-1a"], "transport": "tcp",
            "dataFormat": ["rwf"],
        }));
        services.push(serde_json::json!({
            "endpoint": "user@elsewhere.example.net/x?", "port": 443, "location": ["us-east-1a"],
            "transport": "websocket", "dataFormat": ["tr_json2"],
        }));
        services.push(serde_json::json!({"endpoint": "new.example.net"}));
        serde_json::from_value(serde_json::json!({"services": services})).unwrap()
    }

    fn discovery(region: &str, connections: usize) -> Discovery {
        let tls = crate::sources::lseg::tests::no_tls();
        let client = crate::http::client(&tls, std::time::Duration::from_secs(5)).unwrap();
        Discovery::new(Api::new(client, "https://api.example.net").unwrap(), region.into(), connections)
    }

    #[test]
    fn balanced_endpoint_comes_first_for_one_connection_and_single_zones_for_two() {
        for (connections, expected) in [(1, ["3", "1", "2"]), (2, ["1", "2", "3"])] {
            let servers = discovery("us-east-1", connections).chosen(&listed());
            let servers: Vec<_> = servers.iter().map(Url::as_str).collect();
            let expected = expected.map(|number| format!("wss://us-east-1-{number}.example.net/WebSocket"));
            assert_eq!(servers, expected);
        }
    }

    #[test]
    fn region_without_endpoints_is_named_with_those_that_have_some() {
        let discovery = discovery("us-east", 1);
        assert!(discovery.chosen(&listed()).is_empty(), "us-east is no region");
        assert_eq!(
            discovery.nothing(&listed()),
            "no endpoint is in the region us-east; there are some in eu-west-1, us-east-1"
        );
    }
}
