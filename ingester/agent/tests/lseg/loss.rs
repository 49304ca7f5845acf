//! What is lost, and what isn't.

use crate::rig::{Rig, Secret, cloud, cloud_of, deployed, quick, settings};
use jiff::Timestamp;
use news::feeds::Lseg;
use simulator::{Cut, End, Generator, Options, Ric, Script, Simulator, Story, Trouble};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// A story's versions in the order they were written, by thread.
fn by_thread<'a>(items: impl IntoIterator<Item = (&'a str, &'a str)>) -> HashMap<&'a str, Vec<&'a str>> {
    let mut threads: HashMap<&str, Vec<&str>> = HashMap::new();
    for (thread, id) in items {
        threads.entry(thread).or_default().push(id);
    }
    threads
}

/// As many invented items as wanted, with stories that go on and repeats.
fn invented(generator: &mut Generator, count: usize) -> Vec<Story> {
    (0..count).map(|_| generator.next(Timestamp::now()).story).collect()
}

#[tokio::test]
async fn what_was_delivered_on_a_hundred_connections_is_there_once_and_in_order() {
    let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
    let rig = Rig::cloud(cloud(&simulator, 1));
    let mut generator = Generator::new(7);
    for round in 1..=100 {
        simulator.until(|journal| journal.connections.len() >= round && journal.subscribed() == 1).await.unwrap();
        simulator.send(invented(&mut generator, 10)).await;
        simulator.cut(if round % 2 == 0 { Cut::Reset } else { Cut::Close }).await.unwrap();
    }
    simulator.until_subscribed(1).await.unwrap();
    simulator.settle().await.unwrap();
    let journal = simulator.journal();
    let status = rig.status.clone();
    let received = rig.stop().await;
    let ids: HashSet<_> = received.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids.len(), received.len(), "each once");
    let delivered = journal.delivered();
    let missing: Vec<_> = delivered.iter().filter(|item| !ids.contains(item.id.as_str())).collect();
    assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), delivered.len());
    assert!(delivered.len() > 800, "{}", delivered.len());
    let sent = by_thread(delivered.iter().map(|item| (item.thread.as_str(), item.id.as_str())));
    // More may have come than was surely read.
    let known: HashSet<_> = delivered.iter().map(|item| item.id.as_str()).collect();
    let order: Vec<_> = received.iter().map(|item| item.id.as_str()).filter(|id| known.contains(id)).collect();
    let position: HashMap<_, _> = order.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    for versions in sent.values() {
        let positions: Vec<_> = versions.iter().map(|id| position[id]).collect();
        assert!(positions.is_sorted(), "{versions:?} came as {positions:?}");
    }
    assert_eq!(status.disconnects.get(), 100);
    assert_eq!(status.connected.get(), 0, "ups and downs are paired");
}

#[tokio::test]
async fn standby_has_what_the_other_misses_and_nothing_comes_twice() {
    let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
    let rig = Rig::cloud(cloud(&simulator, 2));
    let mut generator = Generator::new(7);
    for round in 0..20 {
        simulator.until_subscribed(2).await.unwrap();
        let one = simulator.connections().iter().filter(|one| one.is_up()).map(|one| one.number).min().unwrap();
        simulator.send(invented(&mut generator, 10)).await;
        let cut = simulator.cut_one(one, if round % 2 == 0 { Cut::Reset } else { Cut::Close });
        let (cut, ()) = tokio::join!(cut, simulator.send(invented(&mut generator, 10)));
        cut.unwrap();
    }
    simulator.until_subscribed(2).await.unwrap();
    simulator.settle().await.unwrap();
    assert_eq!(simulator.look(|journal| journal.counts.missed), 0);
    let all: HashSet<_> = simulator.journal().entries.iter().map(|entry| entry.item.id.clone()).collect();
    let status = rig.status.clone();
    let received = rig.stop().await;
    let ids: HashSet<_> = received.iter().map(|item| item.id.clone()).collect();
    assert_eq!(ids.len(), received.len(), "each once");
    let missing: Vec<_> = all.difference(&ids).collect();
    assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), all.len());
    assert_eq!(status.items.get() - status.duplicates.get(), received.len() as u64);
    assert!(status.duplicates.get() > 100, "both deliver: {}", status.duplicates.get());
}

#[tokio::test]
async fn silent_server_is_left() {
    let options = Options { ping_timeout: Duration::from_secs(1), ..Options::manual() };
    let simulator = Simulator::start(options).await.unwrap();
    let mut rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.silence(Duration::from_secs(3));
    simulator.until(|journal| journal.connections.len() == 2 && journal.connections[1].subscribed).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    assert_eq!(rig.status.disconnects.get(), 1);
    assert_eq!(simulator.connections()[1].endpoint, 1, "the other server");
    rig.stop().await;
}

#[tokio::test]
async fn quiet_server_that_answers_is_kept() {
    let options = Options { ping_timeout: Duration::from_secs(1), ..Options::manual() };
    let simulator = Simulator::start(options).await.unwrap();
    let rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until(|journal| journal.connection(1).is_some_and(|one| one.pings_received >= 4)).await.unwrap();
    assert_eq!(simulator.connections().len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn server_that_is_slow_loses_nothing() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let mut rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.slow_down(20_000, Duration::from_millis(500));
    simulator.send((0..20).map(|number| Story::alert(format!("Example plc reports figure {number}")))).await;
    let expected: Vec<_> = (0..20).map(|number| format!("Example plc reports figure {number}")).collect();
    assert_eq!(rig.headlines(20).await, expected);
    rig.stop().await;
}

#[tokio::test]
async fn item_that_breaks_off_is_counted_and_the_next_is_whole() {
    let script = Script::default().at(2, Trouble::Reset { inside: true }).at(4, Trouble::CorruptGzip);
    let simulator = Simulator::start(Options { script, ..Options::manual() }).await.unwrap();
    let mut rig = Rig::deployed(deployed(&simulator, 1));
    for (number, headline) in ["one", "two", "three", "four", "five"].into_iter().enumerate() {
        simulator.until_subscribed(1).await.unwrap();
        simulator.send([Story::alert(format!("Example plc reports {headline}"))]).await;
        simulator.until(|journal| journal.counts.released == number as u64 + 1).await.unwrap();
        if number == 1 {
            simulator.until(|journal| journal.connections[0].end == Some(End::Reset)).await.unwrap();
        }
    }
    let expected = ["one", "three", "five"].map(|headline| format!("Example plc reports {headline}"));
    assert_eq!(rig.headlines(3).await, expected);
    assert_eq!((rig.status.refused.get(), rig.status.incomplete.get()), (1, 1));
    assert_eq!(rig.status.gaps.get(), 2, "both are lost");
    rig.stop().await;
}

#[tokio::test]
async fn scores_go_where_they_are_wanted_and_wait_for_nobody() {
    let simulator = Simulator::start(Options::burst(50)).await.unwrap();
    let secret = Secret::v2();
    let settings = Lseg { scores: true, ..settings(&simulator) };
    let (to, mut scores) = tokio::sync::mpsc::channel(1);
    let rig = Rig::cloud(cloud_of(&simulator, settings, &secret, quick()).scores(to));
    simulator.until(|journal| journal.entries.iter().any(|entry| entry.number == 50)).await.unwrap();
    simulator.settle().await.unwrap();
    let stories = simulator.journal().confirmed().iter().filter(|item| item.ric == Ric::Story).count();
    assert_eq!(rig.stop().await.len(), stories, "scores that nobody takes stop no story");
    assert!(scores.recv().await.is_some());
    assert!(scores.recv().await.is_none(), "the second found no room");
}
