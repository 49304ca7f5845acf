//! What a plan's feeds and sink are made of.

use super::plan::{Plan, Target, is_in_secrets_manager};
use crate::{
    cloudwatch::{Lines, Waiting},
    http,
    outbox::{Outbox, Records},
    secrets::Place,
    sinks::{
        Sink,
        kinesis::Kinesis,
        lines::{File, Stdout},
    },
    sources::{Source, alpaca::Alpaca, lseg, replay::Replay, rss::Rss},
    status::SinkStatus,
    tls,
};
use ::lseg::analytics::Analytics;
use anyhow::Context;
use aws_config::SdkConfig;
use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use news::feeds::{Authentication, Feed};
use rustls::ClientConfig;
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, task::spawn_local};
use tokio_util::sync::CancellationToken;

/// Connecting to a service of AWS, and a whole request to it.
const AWS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];

/// A request for a token or for endpoints (LSEG, RTSDK configuration guides: REST time-out).
const LSEG: Duration = Duration::from_secs(45);

/// How many of LSEG's scores may wait for the disk.
const SCORES: usize = 1000;

/// The variables that hold logins, by the members of the secrets.
const LSEG_V1: &[(&str, &str)] =
    &[("username", "LSEG_USERNAME"), ("password", "LSEG_PASSWORD"), ("client_id", "LSEG_APP_KEY")];
const LSEG_V2: &[(&str, &str)] = &[
    ("client_id", "LSEG_CLIENT_ID"),
    ("client_secret", "LSEG_CLIENT_SECRET"),
    ("private_key", "LSEG_PRIVATE_KEY"),
    ("key_id", "LSEG_KEY_ID"),
];
const ALPACA: &[(&str, &str)] = &[("key_id", "APCA_API_KEY_ID"), ("secret_key", "APCA_API_SECRET_KEY")];

/// What all of them share.
pub(super) struct Parts {
    tls: Arc<ClientConfig>,
    aws: Option<SdkConfig>,
}

impl Parts {
    /// # Errors
    ///
    /// Nothing is trusted here, or AWS is needed and there is no region.
    pub(super) async fn of(plan: &Plan) -> anyhow::Result<Self> {
        let tls = tls::client()?;
        if !plan.needs_aws() {
            return Ok(Self { tls, aws: None });
        }
        let [connect, attempt] = AWS;
        let aws = runtime::aws::configuration_in(plan.region.clone(), connect, attempt).await;
        anyhow::ensure!(aws.region().is_some(), "no AWS region: the configuration's `region` or AWS_REGION names one");
        Ok(Self { tls, aws: Some(aws) })
    }

    pub(super) fn aws(&self) -> anyhow::Result<&SdkConfig> {
        self.aws.as_ref().context("nothing of AWS was asked for")
    }

    /// Where a feed's login is.
    pub(super) fn login(&self, feed: &Feed) -> anyhow::Result<Place> {
        let secret = feed.secret();
        if is_in_secrets_manager(secret) {
            let client = aws_sdk_secretsmanager::Client::new(self.aws()?);
            return Ok(Place::Manager { client, id: secret.unwrap_or_default().into() });
        }
        if let Some(path) = secret.and_then(|secret| secret.strip_prefix("file:")) {
            return Ok(Place::File(path.into()));
        }
        Ok(Place::Environment(match feed {
            Feed::Lseg(lseg) if lseg.authentication == Authentication::V1 => LSEG_V1,
            Feed::Alpaca(_) => ALPACA,
            _ => LSEG_V2,
        }))
    }

    pub(super) fn cloud(&self, feed: &Feed, settings: &news::feeds::Lseg) -> anyhow::Result<lseg::Cloud> {
        let http = http::client(&self.tls, LSEG)?;
        Ok(lseg::Cloud::new(settings.clone(), self.login(feed)?, Arc::clone(&self.tls), http)?)
    }

    pub(super) fn deployed(&self, settings: &news::feeds::LsegDeployed) -> anyhow::Result<lseg::Deployed> {
        Ok(lseg::Deployed::new(settings.clone(), Arc::clone(&self.tls))?)
    }

    /// A feed, running.
    pub(super) fn run(
        &self,
        feed: &Feed,
        outbox: Outbox,
        stop: CancellationToken,
        scores: &Scores,
    ) -> anyhow::Result<LocalBoxFuture<'static, anyhow::Result<()>>> {
        let tls = || Arc::clone(&self.tls);
        Ok(match feed {
            Feed::Lseg(settings) => Box::pin(self.cloud(feed, settings)?.scores(scores.sender()).run(outbox, stop)),
            Feed::LsegDeployed(settings) => {
                Box::pin(self.deployed(settings)?.scores(scores.sender()).run(outbox, stop))
            }
            Feed::Alpaca(settings) => {
                Box::pin(Alpaca::new(settings.clone(), self.login(feed)?, tls()).run(outbox, stop))
            }
            Feed::Rss(settings) => Box::pin(Rss::new(settings.clone(), tls()).run(outbox, stop)),
            Feed::Replay(settings) => {
                let replay = Replay::new(settings.clone()).tls(tls());
                let replay = match &self.aws {
                    Some(aws) => replay.aws(aws.clone()),
                    None => replay,
                };
                // Every round has the ids of the first.
                let outbox = if settings.repeat { outbox.repeating() } else { outbox };
                Box::pin(replay.run(outbox, stop))
            }
        })
    }

    /// The sink; it runs when it is waited for.
    pub(super) fn sink(
        &self,
        plan: &Plan,
        records: Records,
        status: Arc<SinkStatus>,
    ) -> anyhow::Result<LocalBoxFuture<'static, anyhow::Result<()>>> {
        Ok(match &plan.to {
            Target::Stdout => Box::pin(Stdout::new(status).run(records)),
            Target::Headlines => Box::pin(Stdout::headlines(status).run(records)),
            Target::File(path) => Box::pin(File::new(path, status).run(records)),
            Target::Kinesis(stream) => {
                let client = aws_sdk_kinesis::Client::new(self.aws()?);
                let kinesis = Kinesis::new(client, stream, plan.spool.join("spool.redb"), status);
                Box::pin(kinesis.spool_mib(plan.spool_mib).run(records))
            }
        })
    }

    /// Sends lines to the plan's log group.
    pub(super) fn ship(&self, plan: &Plan, waiting: Waiting) -> anyhow::Result<()> {
        let Some(group) = plan.log_group.clone() else { return Ok(()) };
        let client = aws_sdk_cloudwatchlogs::Client::new(self.aws()?);
        // It may not go to the log that it can't write to.
        spawn_local(waiting.send(client, group, log_stream(), |trouble| eprintln!("ingester: {trouble}")));
        Ok(())
    }
}

/// A stream for each start, which its host's name leads to.
fn log_stream() -> String {
    let host = gethostname::gethostname().to_string_lossy().replace([':', '*'], "-");
    format!("{host}/{}", Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S.%3f"))
}

/// Where LSEG's scores are put: as lines in the log group, or in a file beside the spool.
pub(super) struct Scores(mpsc::Sender<Analytics>);

impl Scores {
    pub(super) fn to(plan: &Plan, lines: Option<Lines>) -> Self {
        let (sender, scores) = mpsc::channel(SCORES);
        let file = plan.spool.join("scores.jsonl");
        spawn_local(async move {
            match lines {
                Some(lines) => put(scores, lines).await,
                None => write(scores, file).await,
            }
        });
        Self(sender)
    }

    fn sender(&self) -> mpsc::Sender<Analytics> {
        self.0.clone()
    }
}

async fn put(mut scores: mpsc::Receiver<Analytics>, lines: Lines) {
    while let Some(analytics) = scores.recv().await {
        lines.put(&line(&analytics));
    }
}

async fn write(mut scores: mpsc::Receiver<Analytics>, path: PathBuf) {
    while let Some(analytics) = scores.recv().await {
        let (place, text) = (path.clone(), line(&analytics));
        // A disk may be slow; the feeds are read by this thread.
        let written = tokio::task::spawn_blocking(move || append(&place, &text)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(path = %path.display(), %error, "LSEG's scores can't be written; they are left out.");
            return;
        }
    }
}

fn line(analytics: &Analytics) -> String {
    serde_json::to_string(analytics).unwrap_or_default()
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())
}
