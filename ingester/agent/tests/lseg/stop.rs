//! Saying goodbye.

use crate::rig::{Rig, Secret, cloud, cloud_of, deployed, quick, settings};
use serde_json::json;
use simulator::{End, Heard, Options, Simulator};
use std::time::{Duration, Instant};

#[tokio::test]
async fn items_login_and_socket_are_closed_in_this_order() {
    let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
    let rig = Rig::cloud(cloud(&simulator, 2));
    simulator.until_subscribed(2).await.unwrap();
    let status = rig.status.clone();
    rig.stop().await;
    simulator.until(|journal| journal.up() == 0).await.unwrap();
    for connection in simulator.connections() {
        let farewell = &connection.heard[connection.heard.len() - 3..];
        assert_eq!(farewell, [Heard::CloseItem(2), Heard::CloseLogin, Heard::CloseSocket]);
        assert_eq!(connection.end, Some(End::ByClient));
    }
    assert_eq!((status.connected.get(), status.disconnects.get()), (0, 0));
    assert_eq!(status.current_trouble(), None);
}

#[tokio::test]
async fn server_that_does_not_answer_the_farewell_is_not_waited_for() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.silence(Duration::from_secs(10));
    // Answered only by who isn't silent yet.
    let started = Instant::now();
    rig.stop().await;
    assert!(started.elapsed() < Duration::from_millis(2900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn pause_ends_at_once() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let secret = Secret::new(&json!({"client_id": "nobody", "client_secret": "nothing"}));
    let rig = Rig::cloud(cloud_of(&simulator, settings(&simulator), &secret, quick()));
    rig.trouble().await;
    let started = Instant::now();
    rig.stop().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}
