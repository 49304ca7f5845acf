//! Endpoints of LSEG's cloud.

use super::{
    Timings,
    api::{Api, Ask},
    denied::Denied,
};
use crate::secrets::Secret;
use ::lseg::discovery::{DiscoveryError, Endpoint, PATH, candidates, read};
use runtime::Backoff;
use std::sync::{Mutex, PoisonError};
use url::{Host, Url};

/// What there is none of.
const WHAT: &str = "no list of endpoints";

/// Finds endpoints.
#[derive(Debug)]
pub(super) struct Discovery {
    api: Api,
    region: String,
    connections: u8,
    backoff: Mutex<Option<Backoff>>,
}

impl Discovery {
    pub(super) fn new(api: Api, region: String, connections: u8) -> Self {
        Self { api, region, connections, backoff: Mutex::default() }
    }

    /// The region's endpoints for each connection, in its order of preference.
    pub(super) async fn servers(&self, token: &Secret, timings: &Timings) -> Result<Vec<Vec<Url>>, Denied> {
        let answer = self.api.ask(PATH, &Ask::Document { token }).await;
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        let pauses = backoff.get_or_insert_with(|| timings.backoff());
        let answer = answer.map_err(|error| Denied::unanswered(WHAT, &error, pauses, timings))?;
        if answer.status != 200 {
            return Err(Denied::answered(WHAT, &answer, &[token.reveal()], pauses, timings));
        }
        let lists = self.chosen(&answer.body).map_err(|error| match error {
            DiscoveryError::Malformed(_) => Denied::soon(error.to_string(), pauses),
            DiscoveryError::NoEndpoint { .. } => Denied::late(error.to_string(), timings),
        })?;
        *backoff = None;
        Ok(lists)
    }

    fn chosen(&self, answer: &[u8]) -> Result<Vec<Vec<Url>>, DiscoveryError> {
        let lists = candidates(&read(answer)?, &self.region, self.connections)?;
        let urls = |list: Vec<Endpoint>| list.iter().filter_map(|endpoint| self.url(endpoint)).collect();
        Ok(lists.into_iter().map(urls).collect())
    }

    // What has anything in it but a host would lead elsewhere.
    fn url(&self, endpoint: &Endpoint) -> Option<Url> {
        let scheme = if self.api.is_plain() { "ws" } else { "wss" };
        let host = Host::parse(&endpoint.host).ok()?;
        Url::parse(&format!("{scheme}://{host}:{}/WebSocket", endpoint.port)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(endpoints: &[&str]) -> Vec<String> {
        let service = |host: &&str| {
            serde_json::json!({
                "endpoint": host, "port": 443, "location": ["us-east-1a"], "transport": "websocket",
                "dataFormat": ["tr_json2"],
            })
        };
        let services: Vec<_> = endpoints.iter().map(service).collect();
        let answer = serde_json::json!({ "services": services }).to_string();
        let client = crate::http::client(&crate::sources::lseg::tests::no_tls(), std::time::Duration::from_secs(5));
        let api = Api::new(client.unwrap(), "https://api.example.net").unwrap();
        let lists = Discovery::new(api, "us-east-1".into(), 1).chosen(answer.as_bytes()).unwrap();
        lists.concat().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn endpoint_is_a_host_and_nothing_else() {
        let listed = ["a.example.net", "user@b.example.net", "c.example.net/path?", "d.example.net:1", "10.0.0.1"];
        assert_eq!(chosen(&listed), ["wss://a.example.net/WebSocket", "wss://10.0.0.1/WebSocket"]);
    }
}
