//! What the tests share: a feed, a stream, and the program between them.

use local::aws::Aws;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use simulator::{About, Options, Simulator};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) const STREAM: &str = "news";
pub(crate) const GROUP: &str = "/newsloom/test/ingester";
const SECRET: &str = "feeds/lseg";

/// How long something that must happen may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// A feed and a stream, and a folder for the program between them.
pub(crate) struct Desk {
    pub(crate) feed: Simulator,
    pub(crate) aws: Aws,
    pub(crate) folder: TempDir,
}

impl Desk {
    pub(crate) async fn new(options: Options) -> Self {
        let feed = Simulator::start(Options { tls: true, ..options }).await.unwrap();
        let aws = Aws::start().await.unwrap();
        aws.kinesis().create_stream(STREAM, 4);
        let accounts = &feed.options().accounts;
        let login = json!({ "client_id": accounts.client_id, "client_secret": accounts.client_secret });
        aws.secrets().put(SECRET, &login);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), feed.ca_pem().unwrap()).unwrap();
        Self { feed, aws, folder }
    }

    /// A configuration as the stack writes it, with so many connections.
    pub(crate) fn configure(&self, connections: u8) -> PathBuf {
        let config = json!({
            "pipeline": "test", "region": "eu-west-1", "stream": STREAM, "log_group": GROUP, "spool_mib": 64,
            "feeds": [{
                "kind": "lseg", "name": "lseg", "region": "us-east-1", "secret": SECRET,
                "connections": connections, "api": self.feed.api_url(),
            }],
        });
        let path = self.folder.path().join("ingester.json");
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ingester"));
        command.envs(self.aws.environment()).env("SSL_CERT_FILE", self.folder.path().join("ca.pem"));
        command.env("STATE_DIRECTORY", self.folder.path().join("state")).env_remove("RUST_LOG");
        command.current_dir(self.folder.path());
        command
    }

    /// The program, running with that configuration.
    pub(crate) fn start(&self, connections: u8) -> Process {
        let config = self.configure(connections);
        let mut command = self.command();
        command.arg("--config").arg(config).args(["--listen", "127.0.0.1:0"]);
        Process::start(command, &self.folder)
    }

    /// What is on the stream: per partition key the ids in their order, repeats left out.
    pub(crate) fn arrived(&self) -> BTreeMap<String, Vec<String>> {
        let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for shard in self.aws.kinesis().records(STREAM) {
            for record in shard.records {
                let item = news::NewsItem::from_record(&record.data).unwrap();
                assert_eq!(item.thread, record.key);
                let ids = arrived.entry(record.key).or_default();
                if !ids.contains(&item.id) {
                    ids.push(item.id);
                }
            }
        }
        arrived
    }

    /// How many records are on the stream, repeats included.
    pub(crate) fn records(&self) -> usize {
        self.aws.kinesis().records(STREAM).iter().map(|shard| shard.records.len()).sum()
    }

    /// Asserts that these items, and no others, are on the stream, each story's in the order in which they were sent.
    pub(crate) fn assert_arrived<'a>(&self, sent: impl IntoIterator<Item = &'a Arc<About>>) {
        let arrived = self.arrived();
        let mut left: BTreeMap<String, usize> = arrived.values().flatten().map(|id| (id.clone(), 0)).collect();
        let mut threads: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for item in sent {
            assert!(left.remove(&item.id).is_some(), "{} was sent and never arrived", item.id);
            threads.entry(item.thread.clone()).or_default().push(item.id.clone());
        }
        assert!(left.is_empty(), "arrived and were never sent: {left:?}");
        let mut orders: Vec<_> = threads.into_values().collect();
        let mut arrived: Vec<_> = arrived.into_values().collect();
        orders.sort();
        arrived.sort();
        assert_eq!(arrived, orders, "a story's items are out of order");
    }
}

/// The program, running. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(mut command: Command, folder: &TempDir) -> Self {
        let log = folder.path().join(format!("{}.log", fastrand::u64(..)));
        let stderr = fs::File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Duration, String) {
        let asked = Instant::now();
        until("the program ends", || self.child.try_wait().unwrap().is_some()).await;
        let status = self.child.wait().unwrap();
        (status, asked.elapsed(), self.log())
    }

    /// What it answers there: the status, and the body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut connection = TcpStream::connect(self.address()).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// A metric's value, by its name and labels.
    pub(crate) fn metric(&self, name: &str) -> usize {
        let (_, metrics) = self.get("/metrics");
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
    }

    /// Waits until it serves health and metrics.
    pub(crate) async fn listens(&self) {
        until("it listens", || self.log().contains("Health is at")).await;
    }

    fn address(&self) -> SocketAddr {
        let log = self.log();
        let address = log.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        address.unwrap_or_else(|| panic!("it doesn't listen yet: {log}")).parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
