//! A feed that runs against a simulator, and what came of it.

use ingester::{
    http,
    outbox::{Outbox, Outboxes, Records},
    secrets::Place,
    sources::{
        Source,
        lseg::{Cloud, Deployed, Timings},
    },
    status::{FeedStatus, Status},
};
use news::{
    NewsItem,
    feeds::{Authentication, Filter, Lseg, LsegDeployed},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::{Value, json};
use simulator::{Accounts, Simulator};
use std::{io::Write, sync::Arc, time::Duration};
use tempfile::NamedTempFile;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Timings for tests: pauses are short, and what is wrong stays so.
pub(crate) fn quick() -> Timings {
    Timings {
        connect: Duration::from_secs(5),
        login: Duration::from_secs(5),
        write: Duration::from_secs(5),
        farewell: Duration::from_secs(2),
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(20),
        healthy: Duration::from_mins(1),
        late: Duration::from_mins(15),
        doubt: Duration::ZERO,
    }
}

/// A running feed.
pub(crate) struct Rig {
    pub(crate) status: Arc<FeedStatus>,
    records: Records,
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Rig {
    pub(crate) fn cloud(cloud: Cloud) -> Self {
        Self::start(|outbox, stop| tokio::spawn(cloud.run(outbox, stop)))
    }

    pub(crate) fn deployed(deployed: Deployed) -> Self {
        Self::start(|outbox, stop| tokio::spawn(deployed.run(outbox, stop)))
    }

    fn start(run: impl FnOnce(Outbox, CancellationToken) -> JoinHandle<anyhow::Result<()>>) -> Self {
        let feed = Status::new().feed("wire");
        let (outboxes, records) = Outboxes::new(Filter::default(), 64 << 20);
        let stop = CancellationToken::new();
        let running = run(outboxes.of(Arc::clone(&feed)), stop.clone());
        Self { status: feed, records, stop, running }
    }

    /// The next item.
    pub(crate) async fn next(&mut self) -> NewsItem {
        let record = timeout(PATIENCE, self.records.recv()).await.expect("no item came").expect("the feed ended");
        NewsItem::from_record(&record.data).unwrap()
    }

    /// The next items' headlines.
    pub(crate) async fn headlines(&mut self, count: usize) -> Vec<String> {
        let mut headlines = Vec::with_capacity(count);
        while headlines.len() < count {
            headlines.push(self.next().await.headline);
        }
        headlines
    }

    /// Waits until the feed's status is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&FeedStatus) -> bool) {
        let so = async {
            // Nobody tells of a counter's change.
            while !is_so(&self.status) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, so).await.unwrap_or_else(|_| panic!("waited in vain: {:#?}", self.status));
    }

    /// Waits until the feed is in trouble, and says why.
    pub(crate) async fn trouble(&self) -> String {
        self.until(|feed| feed.current_trouble().is_some()).await;
        self.status.current_trouble().unwrap_or_default()
    }

    /// Stops it, and returns what came and wasn't taken yet.
    pub(crate) async fn stop(mut self) -> Vec<NewsItem> {
        self.stop.cancel();
        timeout(Duration::from_secs(3), self.running).await.expect("it stops within three seconds").unwrap().unwrap();
        let mut left = Vec::new();
        while let Ok(record) = self.records.try_recv() {
            left.push(NewsItem::from_record(&record.data).unwrap());
        }
        left
    }
}

/// A login on disk.
pub(crate) struct Secret(NamedTempFile);

impl Secret {
    pub(crate) fn new(login: &Value) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(login.to_string().as_bytes()).unwrap();
        Self(file)
    }

    pub(crate) fn v1(password: &str) -> Self {
        let accounts = Accounts::default();
        Self::new(&json!({"username": accounts.username, "password": password, "client_id": accounts.app_key}))
    }

    pub(crate) fn v2() -> Self {
        let accounts = Accounts::default();
        Self::new(&json!({"client_id": accounts.client_id, "client_secret": accounts.client_secret}))
    }

    pub(crate) fn place(&self) -> Place {
        Place::File(self.0.path().into())
    }
}

/// What trusts the simulator's own authority, and nobody else.
pub(crate) fn tls(simulator: &Simulator) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = simulator.ca_pem() {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(versions.with_root_certificates(roots).with_no_client_auth())
}

/// A cloud feed of one connection, as a simulator has it by default.
pub(crate) fn settings(simulator: &Simulator) -> Lseg {
    Lseg {
        name: "wire".into(),
        region: "us-east-1".into(),
        authentication: Authentication::V2,
        connections: 1,
        service: None,
        scores: false,
        secret: None,
        api: Some(simulator.api_url()),
    }
}

pub(crate) fn cloud_of(simulator: &Simulator, settings: Lseg, secret: &Secret, timings: Timings) -> Cloud {
    let tls = tls(simulator);
    let client = http::client(&tls, Duration::from_secs(5)).unwrap();
    Cloud::new(settings, secret.place(), tls, client).unwrap().timings(timings)
}

/// A cloud feed of this many connections, with a secret.
pub(crate) fn cloud(simulator: &Simulator, connections: u8) -> Cloud {
    let settings = Lseg { connections, ..settings(simulator) };
    // It is read within the process, and only while the feed runs.
    let secret = Box::leak(Box::new(Secret::v2()));
    cloud_of(simulator, settings, secret, quick())
}

/// A feed of an own installation at all endpoints.
pub(crate) fn deployed(simulator: &Simulator, connections: u8) -> Deployed {
    let settings = LsegDeployed {
        name: "wire".into(),
        servers: simulator.websocket_urls(),
        user: "newsloom".into(),
        application_id: "256".into(),
        connections,
        service: Some("ELEKTRON_DD".into()),
        scores: false,
    };
    Deployed::new(settings, tls(simulator)).unwrap().timings(quick())
}
