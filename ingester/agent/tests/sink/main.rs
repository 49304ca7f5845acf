//! The Kinesis sink against a stream that fails: real requests, real files.

mod speed;

use aws_sdk_kinesis::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig},
};
use ingester::{
    outbox::{Outbox, Outboxes, Records, Taken},
    sinks::{
        Sink,
        kinesis::{self, Kinesis},
    },
    status::{SinkStatus, Status},
};
use local::{aws::Aws, proxy::Proxy};
use news::{NewsItem, feeds::Filter};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufRead,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const STREAM: &str = "news";

const SPOOL: &str = "spool/news.redb";

/// Ids by thread, in their order.
type Threads = BTreeMap<String, Vec<String>>;

/// A stream, and a folder for the spool.
struct Desk {
    aws: Aws,
    folder: TempDir,
}

/// A sink to run, and what feeds it.
struct Line {
    sink: Kinesis,
    records: Records,
    outbox: Outbox,
    status: Arc<SinkStatus>,
}

impl Desk {
    async fn new() -> Self {
        let aws = Aws::start().await.unwrap();
        aws.kinesis().create_stream(STREAM, 2);
        Self { aws, folder: TempDir::new().unwrap() }
    }

    fn line(&self) -> Line {
        line(&self.aws.url(), self.folder.path())
    }

    /// What is on the stream, repeats left out.
    fn threads(&self) -> Threads {
        let (mut threads, mut seen) = (Threads::new(), BTreeSet::new());
        for record in self.aws.kinesis().records(STREAM).into_iter().flat_map(|shard| shard.records) {
            let id = NewsItem::from_record(&record.data).unwrap().id;
            if seen.insert(id.clone()) {
                threads.entry(record.key).or_default().push(id);
            }
        }
        threads
    }

    fn count(&self) -> usize {
        self.aws.kinesis().records(STREAM).iter().map(|shard| shard.records.len()).sum()
    }
}

fn line(url: &str, folder: &Path) -> Line {
    line_of(url, folder, 64 << 20)
}

fn line_of(url: &str, folder: &Path, memory: usize) -> Line {
    let mut status = Status::new();
    let (outboxes, records) = Outboxes::new(Filter::default(), 2 * memory);
    let outbox = outboxes.of(status.feed("wire"));
    let sink = Kinesis::new(client(url), STREAM, folder.join(SPOOL), status.sink());
    Line { sink: sink.timeout(Duration::from_millis(300)), records, outbox, status: status.sink() }
}

fn client(url: &str) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(1)).build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new(local::REGION))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    Client::from_conf(config.build())
}

fn item(id: &str, thread: &str) -> NewsItem {
    let item = serde_json::json!({
        "version": 1, "id": id, "thread": thread, "source": "wire", "provider": "RTRS", "language": "en",
        "kind": "article", "status": "usable", "headline": "Example plc opens a plant", "body": "x".repeat(1000),
        "published": "2026-01-02T03:04:05.678Z",
    });
    serde_json::from_value(item).unwrap()
}

/// So many items of so many threads, from a number on.
fn threads(from: usize, items: usize, threads: usize) -> Threads {
    let mut ids = Threads::new();
    for number in from..from + items {
        ids.entry(format!("thread-{}", number % threads)).or_default().push(format!("id-{number}"));
    }
    ids
}

/// Offers these.
fn offer(outbox: &Outbox, from: usize, items: usize, threads: usize) {
    for number in from..from + items {
        let item = item(&format!("id-{number}"), &format!("thread-{}", number % threads));
        assert_eq!(outbox.offer(item), Taken::Queued);
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came to this: {what}");
}

/// Runs a sink beside a script; the feed ends with the script.
async fn run<F: Future>(line: Line, script: impl FnOnce(Outbox, Arc<SinkStatus>) -> F) -> F::Output {
    let (ended, value) = tokio::join!(line.sink.run(line.records), script(line.outbox, line.status));
    ended.unwrap();
    value
}

#[tokio::test]
async fn records_that_fail_go_again_and_each_thread_keeps_its_order() {
    let desk = Desk::new().await;
    let mut count = 0;
    desk.aws.kinesis().fail_records_where(move |_| {
        count += 1;
        count % 3 == 0
    });
    let line = desk.line();
    let status = Arc::clone(&line.status);
    run(line, async |outbox, status| {
        offer(&outbox, 0, 2000, 70);
        until("all are there", || status.accepted.get() == 2000).await;
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 2000, 70));
    assert_eq!(desk.count(), 2000, "none went twice");
    assert!(status.resent.get() >= 600, "{}", status.resent.get());
    for call in desk.aws.kinesis().calls("PutRecords") {
        let keys = call.keys();
        assert!(keys.len() <= 500);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "one record of a thread");
    }
}

#[tokio::test]
async fn while_kinesis_is_away_records_wait_on_disk_and_then_go_in_their_order() {
    let desk = Desk::new().await;
    let line = desk.line();
    let status = Arc::clone(&line.status);
    run(line, async |outbox, status| {
        offer(&outbox, 0, 100, 7);
        until("the first are there", || status.accepted.get() == 100).await;
        desk.aws.kinesis().down(true);
        offer(&outbox, 100, 300, 7);
        until("all are on disk", || status.spooled.get() == 300).await;
        assert!(status.current_trouble().is_some_and(|trouble| trouble.contains("dispatch failure")));
        offer(&outbox, 400, 300, 7);
        until("these are too", || status.spooled.get() == 600).await;
        desk.aws.kinesis().down(false);
        offer(&outbox, 700, 100, 7);
        until("all are there", || status.accepted.get() == 800).await;
        until("and off the disk", || status.spooled.get() == 0).await;
        assert_eq!(status.current_trouble(), None);
        offer(&outbox, 800, 100, 7);
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 900, 7));
    assert_eq!((status.accepted.get(), status.lost.get(), status.spooled.get()), (900, 0, 0));
}

#[tokio::test]
async fn what_is_on_disk_takes_no_memory_from_what_comes() {
    let desk = Desk::new().await;
    desk.aws.kinesis().down(true);
    run(line_of(&desk.aws.url(), desk.folder.path(), 100_000), async |outbox, status| {
        for round in 0..5 {
            offer(&outbox, round * 50, 50, 5);
            until("all are on disk", || status.spooled.get() == i64::try_from(round + 1).unwrap() * 50).await;
        }
        desk.aws.kinesis().down(false);
        until("all are there", || status.accepted.get() == 250).await;
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 250, 5));
}

#[tokio::test]
async fn connections_that_break_are_made_again() {
    let desk = Desk::new().await;
    let network = Proxy::start(desk.aws.url().replace("http://", "")).await.unwrap();
    run(line(&format!("http://{}", network.address()), desk.folder.path()), async |outbox, status| {
        offer(&outbox, 0, 50, 5);
        until("the first are there", || status.accepted.get() == 50).await;
        network.cut();
        network.refuse(true);
        offer(&outbox, 50, 50, 5);
        until("it is said", || status.current_trouble().is_some()).await;
        network.refuse(false);
        until("all are there", || status.accepted.get() == 100).await;
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 100, 5));
}

#[tokio::test]
async fn answer_that_is_lost_gives_a_repeat_and_no_loss() {
    let desk = Desk::new().await;
    desk.aws.kinesis().lose_answers(1);
    run(desk.line(), async |outbox, _| offer(&outbox, 0, 200, 20)).await;
    assert_eq!(desk.threads(), threads(0, 200, 20));
    assert!(desk.count() > 200, "what the lost answer was about came again");
}

#[tokio::test]
async fn requests_that_are_never_answered_are_given_up_and_made_again() {
    let desk = Desk::new().await;
    desk.aws.kinesis().hang(3);
    run(desk.line(), async |outbox, status| {
        offer(&outbox, 0, 50, 50);
        until("all are there", || status.accepted.get() == 50).await;
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 50, 50));
}

#[tokio::test]
async fn what_somebody_must_mend_is_said_and_nothing_is_thrown_away() {
    let desk = Desk::new().await;
    desk.aws.kinesis().reject(usize::MAX, "AccessDeniedException");
    run(desk.line(), async |outbox, status| {
        offer(&outbox, 0, 50, 5);
        until("all are on disk", || status.spooled.get() == 50).await;
        let trouble = status.current_trouble().unwrap();
        assert!(trouble.starts_with("AccessDeniedException (400)"), "{trouble}");
        desk.aws.kinesis().reject(0, "");
        until("all are there", || status.accepted.get() == 50).await;
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 50, 5));
}

#[tokio::test]
async fn record_that_kinesis_refuses_is_set_aside_and_the_others_go() {
    let desk = Desk::new().await;
    desk.aws.kinesis().poison("\"id-13\"");
    let line = desk.line();
    let status = Arc::clone(&line.status);
    run(line, async |outbox, status| {
        offer(&outbox, 0, 100, 10);
        until("all are there but those behind it", || status.accepted.get() >= 91).await;
        offer(&outbox, 100, 100, 10);
        until("all others are there", || status.accepted.get() == 199).await;
    })
    .await;
    let mut expected = threads(0, 200, 10);
    expected.get_mut("thread-3").unwrap().retain(|id| id != "id-13");
    assert_eq!(desk.threads(), expected);
    assert_eq!((status.refused.get(), status.lost.get()), (1, 0));
    let refused = kinesis::refused(&desk.folder.path().join(SPOOL)).unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (&*refused[0].thread, &*refused[0].why),
        ("thread-3", "InvalidArgumentException (400): told to refuse this")
    );
    assert_eq!(NewsItem::from_record(&refused[0].data).unwrap().id, "id-13");
}

#[tokio::test]
async fn what_is_left_at_the_end_goes_first_at_the_next_start() {
    let desk = Desk::new().await;
    desk.aws.kinesis().down(true);
    let line = desk.line();
    let status = Arc::clone(&line.status);
    run(line, async |outbox, _| offer(&outbox, 0, 100, 5)).await;
    assert_eq!((status.accepted.get(), status.lost.get(), status.spooled.get()), (0, 0, 100));
    desk.aws.kinesis().down(false);
    run(desk.line(), async |outbox, _| offer(&outbox, 100, 100, 5)).await;
    assert_eq!(desk.threads(), threads(0, 200, 5));
    assert_eq!(desk.count(), 200);
    run(desk.line(), async |_, _| ()).await;
    assert_eq!(desk.count(), 200, "nothing is left");
}

#[tokio::test]
async fn spool_that_is_full_holds_what_it_has_and_memory_the_rest() {
    let desk = Desk::new().await;
    desk.aws.kinesis().down(true);
    let Line { sink, records, outbox, status } = desk.line();
    let line = Line { sink: sink.spool_mib(1).window(100_000), records, outbox, status };
    run(line, async |outbox, status| {
        offer(&outbox, 0, 2000, 11);
        until("it is full", || status.current_trouble().is_some_and(|trouble| trouble.contains("spool is full"))).await;
        assert!((700..1000).contains(&status.spooled.get()), "{}", status.spooled.get());
        assert!(status.spooled_bytes.get() <= 1 << 20);
        desk.aws.kinesis().down(false);
        until("all are there", || status.accepted.get() == 2000).await;
        assert_eq!(status.lost.get(), 0);
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 2000, 11));
}

#[tokio::test]
async fn spool_that_another_process_has_is_an_error() {
    let desk = Desk::new().await;
    let (first, Line { sink, records, .. }) = (desk.line(), desk.line());
    run(first, async |outbox, status| {
        offer(&outbox, 0, 1, 1);
        until("the first is at work", || status.accepted.get() == 1).await;
        let error = sink.run(records).await.unwrap_err().to_string();
        assert!(error.ends_with("news.redb is in use by another process: each ingester needs a spool of its own"));
    })
    .await;
}

/// Where the process that is killed sends to, and its folder.
const FEEDS: &str = "NEWSLOOM_TEST_FEEDS";

#[tokio::test]
async fn process_that_is_killed_leaves_its_spool_to_the_next() {
    let desk = Desk::new().await;
    desk.aws.kinesis().down(true);
    let mut feeder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "feeds_until_it_is_killed"])
        .env(FEEDS, format!("{} {}", desk.aws.url(), desk.folder.path().display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(feeder.stdout.take().unwrap()).lines();
    let spooled = tokio::task::spawn_blocking(|| lines.map_while(Result::ok).any(|line| line == "on disk: 500"));
    assert!(spooled.await.unwrap());
    feeder.kill().unwrap();
    feeder.wait().unwrap();
    desk.aws.kinesis().down(false);
    run(desk.line(), async |outbox, status| {
        offer(&outbox, 500, 50, 9);
        until("all are there", || status.accepted.get() == 550).await;
    })
    .await;
    assert_eq!(desk.threads(), threads(0, 550, 9));
}

#[tokio::test]
#[ignore = "the process that another test kills"]
async fn feeds_until_it_is_killed() {
    // Asked for by somebody who runs ignored tests too.
    let Ok(told) = std::env::var(FEEDS) else { return };
    let (url, folder) = told.split_once(' ').unwrap();
    run(line(url, Path::new(folder)), async |outbox, status| {
        offer(&outbox, 0, 500, 9);
        until("all are on disk", || status.spooled.get() == 500).await;
        println!("\non disk: {}", status.spooled.get());
        std::future::pending::<()>().await;
    })
    .await;
}
