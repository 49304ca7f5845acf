//! The ingester of the stack's machine, as a process of this one.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use local::guardian::Guarded;
use news::{
    feeds::{Authentication, Feed, Lseg},
    settings::IngesterSettings,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use crate::stack::{Made, Stack};

/// What it is started with.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The program.
    pub program: PathBuf,
    /// Where configuration, log and spool are.
    pub folder: PathBuf,
    /// What leads it to this machine's AWS, and to the feed's certificate.
    pub environment: Vec<(String, String)>,
}

/// The ingester, running. It is killed when this is dropped.
#[derive(Debug)]
pub struct Ingester {
    machine: Machine,
    child: Child,
    health: u16,
    _guarded: Guarded,
}

/// An ingester that doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum IngesterError {
    /// The stack's machine has no configuration for it.
    #[error("the stack's launch template has no configuration of the ingester: {0}")]
    Configuration(String),
    /// Its files or its process.
    #[error("could not start the ingester: {0}")]
    Start(#[from] io::Error),
    /// It ended.
    #[error("the ingester ended, {status}; {} says why", .log.display())]
    Ended {
        /// How.
        status: ExitStatus,
        /// Where its log is.
        log: PathBuf,
    },
    /// It runs and doesn't say where it listens.
    #[error("the ingester doesn't listen after {} s; {} says why", PATIENCE.as_secs(), .0.display())]
    Silent(PathBuf),
}

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// The metric of what its filter didn't want, with the labels after it.
const FILTERED: &str = "newsloom_ingester_filtered_total";

/// Between these lines the machine's start script has the configuration.
const BEGIN: &str = "cat > /etc/newsloom/ingester.json <<'CONFIG'\n";
const END: &str = "\nCONFIG\n";

/// What the stack's machine tells its ingester.
///
/// # Errors
///
/// When the stack has no machine, or its script no configuration.
pub fn told(stack: &Stack, made: &Made) -> Result<IngesterSettings, IngesterError> {
    let missing = |what: &str| IngesterError::Configuration(what.to_owned());
    let (_, template) = stack.of_type("AWS::EC2::LaunchTemplate").next().ok_or_else(|| missing("there is none"))?;
    let script = &template["LaunchTemplateData"]["UserData"]["Fn::Base64"];
    // Names of buckets are in it too, which don't matter here.
    let script = match script {
        Value::String(text) => text,
        other => other["Fn::Sub"].as_str().ok_or_else(|| missing("it has no user data"))?,
    };
    let rest = script.split_once(BEGIN).ok_or_else(|| missing("its user data writes none"))?.1;
    let text = rest.split_once(END).ok_or_else(|| missing("its user data doesn't end it"))?.0;
    let text = made.resolve(&serde_json::json!({ "Fn::Sub": text }));
    let text = text.map_err(|error| missing(&error.to_string()))?;
    serde_json::from_str(text.as_str().unwrap_or_default()).map_err(|error| missing(&error.to_string()))
}

/// The same with this machine's feed in place of the feeds: the first one that is LSEG's, or one like it.
pub fn with_feed(told: IngesterSettings, api: String, secret: String) -> IngesterSettings {
    let lseg = told.feeds.iter().find_map(|feed| if let Feed::Lseg(feed) = feed { Some(feed.clone()) } else { None });
    let feed = lseg.unwrap_or_else(|| Lseg {
        name: "lseg".into(),
        region: String::new(),
        authentication: Authentication::V2,
        connections: 1,
        service: None,
        scores: false,
        secret: None,
        api: None,
    });
    let feed = Lseg {
        region: "us-east-1".into(),
        authentication: Authentication::V2,
        service: None,
        secret: Some(secret),
        api: Some(api),
        ..feed
    };
    // CloudWatch is not on this machine: its log file is.
    IngesterSettings { feeds: vec![Feed::Lseg(feed)], log_group: None, region: Some(local::REGION.into()), ..told }
}

impl Machine {
    /// Starts the ingester and waits until it serves its health.
    ///
    /// # Errors
    ///
    /// When it can't be started, or ends.
    pub async fn start(self, settings: &IngesterSettings) -> Result<Ingester, IngesterError> {
        let text = serde_json::to_string_pretty(settings).map_err(io::Error::other)?;
        std::fs::write(self.folder.join("ingester.json"), text)?;
        self.run().await
    }

    async fn run(self) -> Result<Ingester, IngesterError> {
        let log = self.log();
        let output = File::options().create(true).append(true).open(&log)?;
        let before = output.metadata()?.len();
        let mut command = Command::new(&self.program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("STATE_DIRECTORY", self.folder.join("spool")).current_dir(&self.folder);
        command.arg("--config").arg(self.folder.join("ingester.json")).args(["--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // A group of its own, so that Ctrl-C here doesn't reach it before its turn.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        let guarded = Guarded::group(child.id().unwrap_or_default())?;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(health) = port_in(&log, before) {
                return Ok(Ingester { machine: self, child, health, _guarded: guarded });
            }
            if let Some(status) = child.try_wait()? {
                return Err(IngesterError::Ended { status, log });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(IngesterError::Silent(log))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("ingester.log")
    }
}

impl Ingester {
    /// Where it serves health and metrics: `127.0.0.1:` and this.
    pub fn health_port(&self) -> u16 {
        self.health
    }

    /// Whether it hasn't ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// How many items its filter has left out so far; none when it doesn't say.
    pub async fn left_out(&self) -> Option<usize> {
        let asking = async {
            let mut connection = TcpStream::connect(("127.0.0.1", self.health)).await?;
            let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            connection.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let answer = tokio::time::timeout(Duration::from_secs(2), asking).await.ok()?.ok()?;
        let lines = answer.lines().filter(|line| line.starts_with(FILTERED));
        let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok());
        Some(counts.sum())
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.machine.log()
    }

    /// Kills it at once, as a crash would, and starts it again with what is on its disk, as systemd does.
    ///
    /// # Errors
    ///
    /// When it doesn't start again.
    pub async fn crash(mut self) -> Result<Self, IngesterError> {
        self.child.kill().await?;
        self.machine.clone().run().await
    }

    /// Asks it to end, and waits: it says goodbye to the feed and sends what it has. After twenty seconds it is killed.
    ///
    /// # Errors
    ///
    /// When it had to be killed, or ended with an error.
    pub async fn stop(mut self) -> Result<(), IngesterError> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await;
        let Ok(status) = ended else {
            self.child.kill().await?;
            return Err(io::Error::other("it did not end within 20 s and was killed").into());
        };
        let status = status?;
        if status.success() { Ok(()) } else { Err(IngesterError::Ended { status, log: self.log() }) }
    }
}

/// The port in its latest words about it.
fn port_in(log: &Path, from: u64) -> Option<u16> {
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let address = text.split("address=127.0.0.1:").nth(1)?;
    // Only once the line is whole.
    let (port, _) = address.split_once(|letter: char| !letter.is_ascii_digit())?;
    port.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Settings;

    fn told_by(config: &str) -> IngesterSettings {
        let settings = Settings::from_toml("newsloom.toml", config).unwrap();
        told(&Stack::of(&settings).unwrap(), &Made::default()).unwrap()
    }

    #[test]
    fn machine_says_what_the_ingester_reads() {
        let told = told_by(include_str!("../../../../newsloom.toml"));
        assert_eq!(told.stream.as_deref(), Some("newsloom-ingestion-news"));
        assert_eq!(told.feeds.len(), 1);
        let production = told_by(include_str!("../../../../examples/production.toml"));
        assert!(production.feeds.iter().any(|feed| matches!(feed, Feed::Lseg(_))), "{production:?}");
    }

    #[test]
    fn feed_of_this_machine_takes_the_place_of_the_others_and_keeps_their_filter() {
        let told = told_by(include_str!("../../../../examples/production.toml"));
        let local = with_feed(told.clone(), "https://localhost:1".into(), "feeds/lseg".into());
        assert_eq!(local.filter, told.filter);
        let [Feed::Lseg(feed)] = local.feeds.as_slice() else { panic!("{local:?}") };
        assert_eq!(feed.api.as_deref(), Some("https://localhost:1"));
        assert_eq!(feed.secret.as_deref(), Some("feeds/lseg"));
    }
}
