//! Feeds in, records out, until somebody says stop.

use super::{
    logs,
    options::Told,
    parts::{Parts, Scores},
    plan::{Plan, Target},
    stop, usage,
};
use crate::{
    cloudwatch::{Lines, Waiting},
    health::{self, Health},
    outbox::Outboxes,
    report::{PERIOD, Reporter},
    service,
    status::Status,
};
use anyhow::Context;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet, spawn_local},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long feeds have to say goodbye, the sink to send or keep what is left, and the log to be sent. The sink takes five
/// seconds at most, but for a disk that hangs: then what it holds is worth more than being on time. The unit allows 30.
const GOODBYE: Duration = Duration::from_secs(3);
const FLUSH: Duration = Duration::from_secs(15);
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often `systemctl status` has news.
const TELL: Duration = Duration::from_secs(10);

/// Does it; the exit code.
pub(super) async fn run(told: &Told) -> ExitCode {
    let plan = match Plan::of(told, |name| std::env::var(name).ok()) {
        Ok(plan) => plan,
        Err(error) => return usage(&error),
    };
    let (lines, waiting) = plan.log_group.as_ref().map(|_| Lines::new()).unzip();
    logs::init(told, lines.clone());
    let log = lines.zip(waiting);
    let lines = log.as_ref().map(|(lines, _)| lines.clone());
    let outcome = ingest(&plan, log).await;
    if let Err(error) = &outcome {
        tracing::error!("{error:#}");
    }
    if let Some(lines) = lines {
        let _ = timeout(LAST_WORDS, lines.flush()).await;
    }
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn ingest(plan: &Plan, log: Option<(Lines, Waiting)>) -> anyhow::Result<()> {
    let stop = stop::signals().context("could not listen to signals")?;
    let parts = Parts::of(plan).await?;
    let (lines, waiting) = log.unzip();
    waiting.map(|waiting| parts.ship(plan, waiting)).transpose()?;
    let mut status = Status::new();
    let (outboxes, records) = Outboxes::new(plan.filter.clone(), plan.memory);
    let ways = plan.feeds.iter().map(|feed| outboxes.of(status.feed(feed.name()))).collect::<Vec<_>>();
    drop(outboxes);
    let sink = parts.sink(plan, records, status.sink())?;
    let listener = listen(plan).await?;
    let scores = Scores::to(plan, lines.clone());
    let mut feeds = JoinSet::new();
    for (feed, outbox) in plan.feeds.iter().zip(ways) {
        let name = feed.name().to_owned();
        let running = parts.run(feed, outbox, stop.clone(), &scores).with_context(|| format!("feed {name}"))?;
        feeds.spawn_local(async move { (name, running.await) });
    }
    let mut sinking = spawn_local(sink);
    let status = Arc::new(status);
    let background = Background::start(plan, &status, listener, lines);
    service::ready();
    tracing::info!(feeds = plan.feeds.len(), to = %plan.to, "Started.");
    let outcome = until_the_end(&mut feeds, &mut sinking, &stop, &status).await;
    service::stopping();
    stop.cancel();
    let ended = end(feeds, sinking).await;
    let sink = status.sink();
    let (accepted, on_disk, lost) = (sink.accepted.get(), sink.spooled.get(), sink.lost.get());
    tracing::info!(accepted, on_disk, lost, "Stopped.");
    background.finish(&status).await;
    outcome.and(ended)
}

async fn listen(plan: &Plan) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = plan.listen else { return Ok(None) };
    let help = || format!("could not listen on {address}; --listen takes another address, or none");
    let listener = health::bind(address).await.with_context(help)?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "Health is at /healthz, metrics are at /metrics.");
    }
    Ok(Some(listener))
}

/// Waits for a signal, for the end of every feed, or for that of the sink.
async fn until_the_end(
    feeds: &mut JoinSet<(String, anyhow::Result<()>)>,
    sinking: &mut JoinHandle<anyhow::Result<()>>,
    stop: &CancellationToken,
    status: &Status,
) -> anyhow::Result<()> {
    let mut failed = 0;
    loop {
        tokio::select! {
            // A sink whose feeds have ended may end in the same breath: their end is what counts then.
            biased;
            () = stop.cancelled() => return Ok(()),
            ended = feeds.join_next() => match ended {
                None if failed > 0 => anyhow::bail!("{failed} of the feeds failed"),
                None if service::is_supervised() => {
                    // Started again, it would replay the same once more.
                    tracing::info!("Every feed has come to its end; there is nothing to do until it is stopped.");
                    stop.cancelled().await;
                }
                None => return Ok(()),
                Some(Ok((name, Ok(())))) => note_end(status, &name, None),
                Some(Ok((name, Err(error)))) => {
                    tracing::error!(feed = name, "This feed gives up: {error:#}");
                    note_end(status, &name, Some(format!("{error:#}")));
                    failed += 1;
                }
                // What a panic left can't be trusted: systemd starts all of it anew.
                Some(Err(error)) => return Err(error).context("a feed ended unexpectedly"),
            },
            ended = &mut *sinking => return ended.context("the sink ended unexpectedly").flatten(),
        }
    }
}

fn note_end(status: &Status, name: &str, trouble: Option<String>) {
    if let Some(feed) = status.feeds().iter().find(|feed| feed.name == name) {
        feed.end();
        feed.connected.set(0);
        feed.trouble(trouble);
    }
}

/// Feeds say goodbye; with the last of them the queue ends, and the sink sends or keeps what is left.
async fn end(
    mut feeds: JoinSet<(String, anyhow::Result<()>)>,
    sinking: JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let goodbyes = async { while feeds.join_next().await.is_some() {} };
    if timeout(GOODBYE, goodbyes).await.is_err() {
        tracing::warn!(feeds = feeds.len(), "Feeds end without a goodbye: it took too long.");
        feeds.shutdown().await;
    }
    // Then it has been waited for already.
    if sinking.is_finished() {
        return Ok(());
    }
    match timeout(FLUSH, sinking).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => Err(error).context("the sink ended unexpectedly"),
        Err(_) => anyhow::bail!("what was on its way did not arrive in {} s", FLUSH.as_secs()),
    }
}

/// Health, watchdog and reports.
struct Background {
    tasks: JoinSet<()>,
    /// Reports until this is cancelled, and once more.
    over: CancellationToken,
    reports: Option<JoinHandle<()>>,
}

impl Background {
    fn start(plan: &Plan, status: &Arc<Status>, listener: Option<TcpListener>, lines: Option<Lines>) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn_local(service::watchdog());
        tasks.spawn_local(tell(Arc::clone(status)));
        if let Some(listener) = listener {
            tasks.spawn_local(health::serve(listener, Arc::clone(status)));
        }
        let over = CancellationToken::new();
        let reporter = Reporter::new(plan.pipeline.as_str(), Arc::clone(status));
        let reports = lines.map(|lines| spawn_local(report(reporter, lines, over.clone())));
        Self { tasks, over, reports }
    }

    async fn finish(mut self, status: &Status) {
        service::tell(&Health::of(status));
        self.over.cancel();
        if let Some(reports) = self.reports {
            let _ = timeout(LAST_WORDS, reports).await;
        }
        self.tasks.shutdown().await;
    }
}

async fn tell(status: Arc<Status>) {
    let mut clock = tokio::time::interval(TELL);
    loop {
        clock.tick().await;
        service::tell(&Health::of(&status));
    }
}

/// The first after a minute: an ingester that dies again and again must not look alive. The last has no heartbeat for the
/// same reason.
async fn report(mut reporter: Reporter, lines: Lines, over: CancellationToken) {
    let mut clock = tokio::time::interval_at(Instant::now() + PERIOD, PERIOD);
    loop {
        tokio::select! {
            () = over.cancelled() => return lines.put_report(&reporter.last_report()),
            _ = clock.tick() => lines.put_report(&reporter.report()),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kinesis(stream) => write!(f, "kinesis:{stream}"),
            Self::Stdout => f.write_str("stdout"),
            Self::Headlines => f.write_str("headlines"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}
