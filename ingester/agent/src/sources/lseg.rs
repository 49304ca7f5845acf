//! LSEG's feeds: the cloud's, and those of own installations.
//!
//! ```text
//! token ──▶ endpoints ──▶ connect ──▶ log in ──▶ news … until the connection ends
//!   ▲ when it is near      │ the next one at                    │
//!   │ its end or doubted   │ each attempt                       │
//!   └──────────────────────┴───────── pause ◀───────────────────┘
//! ```
//!
//! What is said on a connection is [`Session`](::lseg::Session)'s business; here are sockets, HTTP and pauses. With
//! two connections, each is at another endpoint, and the outbox takes each item once.

mod api;
mod assertion;
mod board;
mod check;
mod connect;
mod connection;
mod denied;
mod discovery;
mod feed;
mod key;
mod login;
mod rotation;
mod supervise;
mod tokens;

pub use api::NoApi;
pub use check::Step;

use super::Source;
use crate::{outbox::Outbox, secrets::Place};
use ::lseg::analytics::Analytics;
use api::Api;
use connection::Scores;
use discovery::Discovery;
use feed::{Access, Feed, Request};
use news::feeds::{Authentication, LSEG_API, Lseg, LsegDeployed};
use runtime::Backoff;
use rustls::ClientConfig;
use std::{sync::Arc, time::Duration};
use tokens::Tokens;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The application's number where nobody gave it another (`Refinitiv/websocket-api`, example clients).
const APPLICATION: &str = "256";

/// How long things may take, and how often they are tried.
#[derive(Debug, Clone)]
pub struct Timings {
    /// TCP, TLS and upgrade of a connection, together. 15 s.
    pub connect: Duration,
    /// From a connection's login to news, in a check. 45 s.
    pub login: Duration,
    /// How long a server may leave unread what it is sent. 15 s.
    pub write: Duration,
    /// How long a server may take to answer the farewell. 2 s.
    pub farewell: Duration,
    /// The longest first pause between two attempts; each is drawn below a bound that doubles. 1 s.
    pub first_pause: Duration,
    /// The longest pause. 1 min.
    pub longest_pause: Duration,
    /// How long a connection must work for pauses to begin with the first again. 1 min.
    pub healthy: Duration,
    /// The pause after what will fail again until somebody acts: a wrong password, a missing permission. 15 min.
    pub late: Duration,
    /// How old a token must be to be doubted when a server refuses it: another would be refused as well. 1 min.
    pub doubt: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            login: Duration::from_secs(45),
            write: Duration::from_secs(15),
            farewell: Duration::from_secs(2),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(1),
            healthy: Duration::from_mins(1),
            late: Duration::from_mins(15),
            doubt: Duration::from_mins(1),
        }
    }
}

impl Timings {
    fn backoff(&self) -> Backoff {
        Backoff::new(self.first_pause, self.longest_pause)
    }
}

/// LSEG's news from the cloud.
///
/// ```no_run
/// use ingester::{http, secrets::Place, sources::lseg::Cloud, tls};
/// use std::time::Duration;
///
/// # fn cloud(settings: news::feeds::Lseg) -> anyhow::Result<Cloud> {
/// let tls = tls::client()?;
/// let http = http::client(&tls, Duration::from_secs(45))?;
/// let cloud = Cloud::new(settings, Place::File("lseg.json".into()), tls, http)?;
/// # Ok(cloud)
/// # }
/// ```
#[derive(Debug)]
pub struct Cloud(Feed);

impl Cloud {
    /// A feed as configured. `http` asks for tokens and endpoints; 45 seconds are a good time-out for it.
    ///
    /// Version 1 logins have one session: a second connection would throw the first one out, and isn't made.
    ///
    /// # Errors
    ///
    /// The API's address is none, or one where credentials would travel unencrypted.
    pub fn new(settings: Lseg, login: Place, tls: Arc<ClientConfig>, http: reqwest::Client) -> Result<Self, NoApi> {
        let api = Api::new(http, settings.api.as_deref().unwrap_or(LSEG_API))?;
        let connections = match settings.authentication {
            Authentication::V1 => 1,
            Authentication::V2 => settings.connections.clamp(1, 2),
        };
        let tokens = Tokens::new(settings.name.clone(), api.clone(), login, settings.authentication);
        let discovery = Discovery::new(api, settings.region, connections);
        let request =
            Request { application_id: APPLICATION.into(), service: settings.service, scores: settings.scores };
        let access = Access::Cloud { tokens: Box::new(tokens), discovery };
        Ok(Self(Feed::new(settings.name, access, connections.into(), request, tls)))
    }

    /// With other timings, for tests.
    #[must_use]
    pub fn timings(self, timings: Timings) -> Self {
        Self(self.0.timings(timings))
    }

    /// Where LSEG's scores go, if the configuration asks for them. What isn't taken in time is dropped.
    #[must_use]
    pub fn scores(self, to: mpsc::Sender<Analytics>) -> Self {
        Self(self.0.scores(Scores::to(to)))
    }

    /// Tries everything once, one step after the other, and tells of each how it went; ends with the first that fails.
    ///
    /// A version 1 login throws no other session out here: where one is on, the token is refused.
    pub async fn check(&self, told: impl FnMut(Step, Result<String, String>)) {
        check::check(&self.0, told).await;
    }
}

impl Source for Cloud {
    async fn run(self, outbox: Outbox, stop: CancellationToken) -> anyhow::Result<()> {
        self.0.run(outbox, stop).await;
        Ok(())
    }
}

/// LSEG's news from an own installation.
///
/// ```no_run
/// use ingester::{sources::lseg::Deployed, tls};
///
/// # fn deployed(settings: news::feeds::LsegDeployed) -> anyhow::Result<Deployed> {
/// let deployed = Deployed::new(settings, tls::client()?)?;
/// # Ok(deployed)
/// # }
/// ```
#[derive(Debug)]
pub struct Deployed(Feed);

/// It is no address of a server.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address of a WebSocket: ws://ads1:15000/WebSocket, or wss")]
pub struct NoServer(String);

impl Deployed {
    /// A feed as configured.
    ///
    /// # Errors
    ///
    /// A server's address is none, or there are no servers.
    pub fn new(settings: LsegDeployed, tls: Arc<ClientConfig>) -> Result<Self, NoServer> {
        let servers: Vec<Url> = settings.servers.iter().map(|server| address(server)).collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err(NoServer(String::new()));
        }
        // Two connections to one server would cover nothing.
        let connections = usize::from(settings.connections).clamp(1, servers.len().min(2));
        let request =
            Request { application_id: settings.application_id, service: settings.service, scores: settings.scores };
        let access = Access::Deployed { user: settings.user, servers };
        Ok(Self(Feed::new(settings.name, access, connections, request, tls)))
    }

    /// With other timings, for tests.
    #[must_use]
    pub fn timings(self, timings: Timings) -> Self {
        Self(self.0.timings(timings))
    }

    /// Where LSEG's scores go, if the configuration asks for them. What isn't taken in time is dropped.
    #[must_use]
    pub fn scores(self, to: mpsc::Sender<Analytics>) -> Self {
        Self(self.0.scores(Scores::to(to)))
    }

    /// Tries everything once, one step after the other, and tells of each how it went; ends with the first that fails.
    pub async fn check(&self, told: impl FnMut(Step, Result<String, String>)) {
        check::check(&self.0, told).await;
    }
}

impl Source for Deployed {
    async fn run(self, outbox: Outbox, stop: CancellationToken) -> anyhow::Result<()> {
        self.0.run(outbox, stop).await;
        Ok(())
    }
}

fn address(server: &str) -> Result<Url, NoServer> {
    let url = Url::parse(server).ok().filter(|url| matches!(url.scheme(), "ws" | "wss") && url.has_host());
    url.ok_or_else(|| NoServer(server.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trusts nobody.
    pub(super) fn no_tls() -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(versions.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
    }

    #[test]
    fn servers_are_web_sockets() {
        for (server, fine) in [
            ("ws://ads1:15000/WebSocket", true),
            ("wss://10.0.0.5/WebSocket", true),
            ("http://ads1:15000/WebSocket", false),
            ("ads1:15000", false),
        ] {
            assert_eq!(address(server).is_ok(), fine, "{server}");
        }
    }
}
