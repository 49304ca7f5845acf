//! What the server says of its streams.

use crate::rig::{Rig, cloud, deployed};
use simulator::{Connection, Heard, Options, Simulator, State, Story};
use std::time::Duration;

#[tokio::test]
async fn item_stream_that_can_recover_is_asked_for_again_on_the_same_connection() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let mut rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    rig.until(|feed| feed.connected.get() == 1).await;
    simulator.say(State::closed_recover().text("source is down"));
    let requests =
        |connection: &Connection| connection.heard.iter().filter(|heard| matches!(heard, Heard::Request(_))).count();
    simulator.until(|journal| requests(&journal.connections[0]) == 2).await.unwrap();
    rig.until(|feed| feed.connected.get() == 1 && feed.current_trouble().is_none()).await;
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    assert_eq!(simulator.connections().len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn item_stream_that_is_refused_is_trouble_and_no_loop() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.say(State::closed("NotEntitled").text("no permission for this"));
    let trouble = rig.trouble().await;
    assert!(trouble.contains("NotEntitled"), "{trouble}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(simulator.connections().len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn suspect_shows_until_the_server_takes_it_back() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    rig.until(|feed| feed.connected.get() == 1).await;
    simulator.say(State::open("Suspect"));
    rig.until(|feed| feed.suspect.get() == 1).await;
    assert_eq!(rig.status.connected.get(), 1, "the stream stands");
    simulator.say(State::open("Ok"));
    rig.until(|feed| feed.suspect.get() == 0).await;
    simulator.say(State::open("Suspect"));
    rig.until(|feed| feed.suspect.get() == 1).await;
    let status = rig.status.clone();
    rig.stop().await;
    assert_eq!(status.suspect.get(), 0, "with the connection goes what it was suspected of");
}

#[tokio::test]
async fn gap_that_the_server_reports_is_counted() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.say(State::open("Suspect").code("GapDetected").text("lines were down"));
    rig.until(|feed| feed.gaps.get() >= 1).await;
    rig.stop().await;
}

#[tokio::test]
async fn closed_login_leads_to_another_endpoint() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let mut rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.say_of_login(State::closed("Timeout"));
    simulator.until(|journal| journal.connections.len() == 2 && journal.subscribed() == 1).await.unwrap();
    let connections = simulator.connections();
    assert_ne!(connections[0].endpoint, connections[1].endpoint);
    assert_ne!(connections[0].logins[0].token, connections[1].logins[0].token, "with another token");
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    rig.stop().await;
}

#[tokio::test]
async fn login_that_is_withdrawn_for_good_is_no_loop() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.say_of_login(State::closed("NotEntitled").text("thrown out"));
    let trouble = rig.trouble().await;
    assert!(trouble.contains("thrown out"), "{trouble}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(simulator.connections().len(), 1);
    rig.stop().await;
}
