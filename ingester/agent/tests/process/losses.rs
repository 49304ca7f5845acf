//! Nothing is lost: neither by a signal, nor by a crash, nor while Kinesis is away.

use crate::support::{Desk, until};
use nix::sys::signal::Signal;
use simulator::{Heard, Options, Pace};
use std::{collections::BTreeSet, time::Duration};

fn rate(items: f64, count: u64) -> Options {
    Options { pace: Pace::Rate(items), count: Some(count), ..Options::default() }
}

#[tokio::test]
async fn stopped_under_load_it_says_goodbye_and_everything_it_read_is_on_the_stream() {
    let desk = Desk::new(rate(500.0, 1_000_000)).await;
    let process = desk.start(1);
    until("a thousand items are on the stream", || desk.records() > 1000).await;
    process.signal(Signal::SIGTERM);
    let (status, took, log) = process.ended().await;
    assert!(status.success(), "{log}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let connection = desk.feed.connections().remove(0);
    let goodbye: Vec<_> = connection.heard.iter().skip_while(|heard| matches!(heard, Heard::Request(_))).collect();
    assert!(
        matches!(goodbye[..], [Heard::CloseItem(_), Heard::CloseLogin, Heard::CloseSocket]),
        "{:?}",
        connection.heard
    );
    // What was on the wire when it said goodbye it may have read or not; what it confirmed, it read.
    let arrived: BTreeSet<_> = desk.arrived().into_values().flatten().collect();
    for item in desk.feed.journal().confirmed() {
        assert!(arrived.contains(&item.id), "{} was read and never arrived", item.id);
    }
}

#[tokio::test]
async fn while_kinesis_is_away_items_wait_on_disk_and_arrive_in_order() {
    let desk = Desk::new(rate(200.0, 2000)).await;
    let process = desk.start(2);
    process.listens().await;
    until("items are on the stream", || desk.records() > 200).await;
    desk.aws.kinesis().down(true);
    until("items are on disk", || process.metric(SPOOLED) > 300).await;
    let (code, health) = process.get("/healthz");
    assert_eq!(code, 503, "{health}");
    desk.aws.kinesis().down(false);
    desk.feed.until(|journal| journal.counts.released == 2000).await.unwrap();
    everything_is_on_the_stream(&desk).await;
    process.signal(Signal::SIGTERM);
    let (status, _, log) = process.ended().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn killed_while_kinesis_is_away_it_brings_everything_at_its_next_start() {
    let desk = Desk::new(rate(200.0, 1000)).await;
    desk.aws.kinesis().down(true);
    let process = desk.start(1);
    // All that was sent is read, and all that was read is on disk.
    desk.feed.until(|journal| journal.counts.released == 1000).await.unwrap();
    desk.feed.settle().await.unwrap();
    process.listens().await;
    until("all are on disk", || process.metric(SPOOLED) == delivered(&desk)).await;
    process.signal(Signal::SIGKILL);
    let (status, ..) = process.ended().await;
    assert!(!status.success());

    desk.aws.kinesis().down(false);
    let again = desk.start(1);
    everything_is_on_the_stream(&desk).await;
    again.signal(Signal::SIGTERM);
    let (status, _, log) = again.ended().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn stopped_while_kinesis_is_away_it_keeps_what_it_read() {
    let desk = Desk::new(rate(500.0, 500)).await;
    desk.aws.kinesis().down(true);
    let process = desk.start(1);
    desk.feed.until(|journal| journal.counts.released == 500).await.unwrap();
    desk.feed.settle().await.unwrap();
    process.signal(Signal::SIGINT);
    let (status, took, log) = process.ended().await;
    assert!(status.success() && took < Duration::from_secs(10), "{took:?} {log}");
    desk.aws.kinesis().down(false);
    let again = desk.start(1);
    everything_is_on_the_stream(&desk).await;
    drop(again);
}

/// Waits until every story that was delivered is on the stream, and asserts that nothing else is and that all are in order.
async fn everything_is_on_the_stream(desk: &Desk) {
    desk.feed.settle().await.unwrap();
    until("all are on the stream", || desk.arrived().values().map(Vec::len).sum::<usize>() == delivered(desk)).await;
    desk.assert_arrived(desk.feed.journal().delivered());
}

/// Distinct stories that the feed delivered.
fn delivered(desk: &Desk) -> usize {
    desk.feed.look(|journal| journal.delivered_ids().len())
}

const SPOOLED: &str = "newsloom_ingester_spooled";
