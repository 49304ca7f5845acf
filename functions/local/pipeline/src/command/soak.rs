//! A bad day, in minutes.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    console::Console,
    options::Start,
    signals::{STOPPED, Signals},
};
use crate::{Pipeline, faults::Fault, ledger::Ledger, subscriber::Subscriber, verdict::Verdict};

/// `newsloom-local soak`.
///
/// Every item counts: the settings' filter is left out.
#[derive(Args, Debug)]
pub struct Soak {
    #[command(flatten)]
    start: Start,

    /// How long
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,

    /// Only let time pass
    #[arg(long)]
    no_faults: bool,
}

/// How often the books are shown.
const PERIOD: Duration = Duration::from_secs(10);

impl Soak {
    pub(crate) async fn run(self) -> ExitCode {
        let mut console = Console::new();
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                eprintln!("newsloom-local: could not listen to signals: {error}");
                return ExitCode::FAILURE;
            }
        };
        let soaked = tokio::select! {
            soaked = Box::pin(self.soak(&mut console)) => soaked,
            () = signals.next() => return ExitCode::from(STOPPED),
        };
        match soaked {
            Ok(verdict) if verdict.is_good() => {
                console.line(&format!("{verdict}"));
                ExitCode::SUCCESS
            }
            Ok(verdict) => {
                console.line(&format!("{verdict}"));
                eprintln!(
                    "newsloom-local: promises were not kept; --seed {} does it again, logs are in {}",
                    self.start.seed,
                    self.start.folder.display()
                );
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("newsloom-local: {error:#}");
                ExitCode::FAILURE
            }
        }
    }

    async fn soak(&self, console: &mut Console) -> anyhow::Result<Verdict> {
        let mut options = self.start.options()?;
        options.unfiltered = true;
        console.line(&format!("{}, seed {}, for {} s", options.settings.name, self.start.seed, self.seconds));
        let starting = Pipeline::start(options, |started| {
            console.line(&started.to_string());
        });
        let pipeline = Box::pin(starting).await?;
        let subscriber = Subscriber::start(pipeline.deployment(), Some("newsloom-local")).await?;
        pipeline.feed().resume();
        let chance = (!self.no_faults).then_some(self.start.seed);
        let verdict = soak(&pipeline, &subscriber, Duration::from_secs(self.seconds), chance, |line| {
            console.line(line);
        });
        let verdict = Box::pin(verdict).await?;
        drop(subscriber);
        pipeline.stop().await?;
        Ok(verdict)
    }
}

/// Lets a pipeline run for so long, with faults at random from this seed, several at once, and says how the books stand
/// meanwhile; then waits until everything has come to its end.
///
/// # Errors
///
/// When a fault can't be made to happen, or the books can't be had.
pub async fn soak(
    pipeline: &Pipeline,
    subscriber: &Subscriber,
    duration: Duration,
    seed: Option<u64>,
    mut told: impl FnMut(&str),
) -> anyhow::Result<Verdict> {
    let started = Instant::now();
    let (report, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let faults = async {
        match seed {
            Some(seed) => bad_day(pipeline, seed, duration, &report).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(faults);
    let mut clock = tokio::time::interval(PERIOD);
    clock.tick().await;
    let mut over = false;
    while !over || started.elapsed() < duration {
        tokio::select! {
            Some(line) = reports.recv() => told(&line),
            ended = &mut faults, if !over => {
                ended?;
                over = true;
            }
            _ = clock.tick() => {
                // The table may be throttled just now: who counts its rows is no better off than others.
                let books = Ledger::of(pipeline, subscriber).await;
                let books = books.map_or_else(|error| error.to_string(), |books| books.to_string());
                told(&format!("  {:>4} s  {books}", started.elapsed().as_secs()));
            }
            () = tokio::time::sleep_until((started + duration).into()), if seed.is_none() => over = true,
        }
    }
    pipeline.feed().pause();
    Ok(Verdict::of(pipeline, subscriber).await?)
}

/// Three at a time, each after a pause, all from one seed.
async fn bad_day(
    pipeline: &Pipeline,
    seed: u64,
    duration: Duration,
    report: &tokio::sync::mpsc::UnboundedSender<String>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let one = |lane: u64, faults: &[Fault]| {
        let faults: Vec<_> = faults.iter().copied().filter(|fault| fault.can_happen(pipeline)).collect();
        async move {
            let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(3).wrapping_add(lane));
            loop {
                tokio::time::sleep(Duration::from_millis(random.u64(1000..6000))).await;
                if started.elapsed() >= duration {
                    return anyhow::Ok(());
                }
                let Some(fault) = random.choice(&faults).copied() else { continue };
                let _ = report.send(format!("  {:>4} s  {}", started.elapsed().as_secs(), fault.name()));
                fault.happen(pipeline).await?;
            }
        }
    };
    // No fault stands beside itself: a broker isn't killed while it starts.
    let [broker, aws, ends] = [
        one(0, &[Fault::BrokerRestarted]),
        one(1, &[Fault::TableThrottled, Fault::EndpointDown, Fault::FunctionsKilled]),
        one(2, &[Fault::IngesterKilled, Fault::FeedCut]),
    ];
    tokio::try_join!(broker, aws, ends)?;
    Ok(())
}
