//! A pipeline keeps its promises while something goes wrong: nothing lost, nothing twice, every story in order, every
//! refusal explained.

#![expect(clippy::large_futures, reason = "there are a few of them, each once")]

use std::time::Duration;

use local_pipeline::{
    Pipeline,
    command::soak::soak,
    faults::Fault,
    pipeline::{Options, Place, Scorer},
    programs::Programs,
    subscriber::Subscriber,
    verdict::Verdict,
};
use settings::Settings;
use simulator::Pace;
use tempfile::TempDir;

/// A pipeline with its subscriber, whose feed has begun.
struct Running {
    pipeline: Pipeline,
    subscriber: Subscriber,
    folder: TempDir,
}

impl Running {
    async fn start(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            settings: Settings::from_toml("newsloom.toml", include_str!("../../../../newsloom.toml")).unwrap(),
            programs: Programs::beside_this_one().unwrap(),
            folder: folder.path().to_owned(),
            feed: simulator::Options { seed, pace: Pace::Rate(40.0), ..simulator::Options::default() },
            aws: Place::Embedded,
            broker: "installed".parse().unwrap(),
            scorer: Scorer::Lexicon { latency: Duration::from_millis(20) },
            unfiltered: true,
        };
        let pipeline = Pipeline::start(options, |_| {}).await.unwrap();
        let subscriber = Subscriber::start(pipeline.deployment(), Some("faults")).await.unwrap();
        pipeline.feed().resume();
        Self { pipeline, subscriber, folder }
    }

    /// Waits until so many items have come out.
    async fn until_published(&self, items: usize) {
        let waiting = async {
            while self.subscriber.look(|account| account.ages.len()) < items {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
        assert!(waited.is_ok(), "{items} items did not come out; {}", self.logs());
    }

    /// Ends the feed and the pipeline, and asserts that every promise was kept.
    async fn was_kept(self, what: &str) {
        self.pipeline.feed().pause();
        let verdict = Verdict::of(&self.pipeline, &self.subscriber).await.unwrap();
        assert!(verdict.is_good(), "{what}: {verdict}\n{}", self.logs());
        self.pipeline.stop().await.unwrap();
    }

    /// The ends of all logs: whoever reads of a failure in CI has nothing else.
    fn logs(&self) -> String {
        let end = |name: &str| {
            let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().rev().take(15).map(|line| line.chars().take(400).collect()).collect();
            format!("--- {name}\n{}", lines.into_iter().rev().collect::<Vec<String>>().join("\n"))
        };
        ["ingester.log", "triggers.log", "enrich.log", "publish.log"].map(end).join("\n")
    }
}

/// Records that nothing can be made of are among the items.
async fn kept_while(fault: Fault) {
    let running = Running::start(7).await;
    running.until_published(20).await;
    running.pipeline.put("nonsense", "this is no news item").await.unwrap();
    fault.happen(&running.pipeline).await.unwrap();
    running.pipeline.put("nonsense", "{\"version\": 1}").await.unwrap();
    let before = running.subscriber.look(|account| account.ages.len());
    running.until_published(before + 40).await;
    running.was_kept(fault.name()).await;
}

#[tokio::test]
async fn broker_is_restarted() {
    kept_while(Fault::BrokerRestarted).await;
}

#[tokio::test]
async fn table_is_throttled() {
    kept_while(Fault::TableThrottled).await;
}

#[tokio::test]
async fn endpoint_is_down_and_back() {
    kept_while(Fault::EndpointDown).await;
}

#[tokio::test]
async fn functions_are_killed_in_mid_invocation() {
    kept_while(Fault::FunctionsKilled).await;
}

#[tokio::test]
async fn ingester_is_killed() {
    kept_while(Fault::IngesterKilled).await;
}

#[tokio::test]
async fn connection_to_the_feed_is_cut() {
    kept_while(Fault::FeedCut).await;
}

#[tokio::test]
async fn everything_at_random_for_a_minute() {
    // The same for everybody, unless somebody looks for others; `make soak` has more time.
    let seed = std::env::var("NEWSLOOM_SOAK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1615);
    println!("NEWSLOOM_SOAK_SEED={seed} does it again");
    let running = Running::start(seed).await;
    let told = |line: &str| println!("{line}");
    let verdict = soak(&running.pipeline, &running.subscriber, Duration::from_mins(1), Some(seed), told).await.unwrap();
    assert!(verdict.is_good(), "NEWSLOOM_SOAK_SEED={seed} does it again: {verdict}\n{}", running.logs());
    running.pipeline.stop().await.unwrap();
}
