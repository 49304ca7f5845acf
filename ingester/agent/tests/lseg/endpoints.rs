//! Where connections go.

use crate::rig::{Rig, Secret, cloud, cloud_of, deployed, quick, settings};
use news::feeds::Lseg;
use simulator::{Asked, Cut, Options, Simulator};

#[tokio::test]
async fn single_connection_goes_to_the_endpoint_that_balances() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    assert_eq!(simulator.connections()[0].endpoint, 2);
    rig.stop().await;
}

#[tokio::test]
async fn two_connections_go_to_two_zones_with_one_token() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let rig = Rig::cloud(cloud(&simulator, 2));
    simulator.until_subscribed(2).await.unwrap();
    let mut endpoints: Vec<_> = simulator.connections().iter().map(|one| one.endpoint).collect();
    endpoints.sort_unstable();
    assert_eq!(endpoints, [0, 1]);
    let asked: Vec<_> = simulator.journal().exchanges.iter().map(|one| one.asked).collect();
    assert_eq!(asked, [Asked::ClientCredentials, Asked::Discovery]);
    rig.until(|feed| feed.connected.get() == 2).await;
    rig.stop().await;
}

#[tokio::test]
async fn each_attempt_is_at_the_next_endpoint_and_the_list_is_asked_for_after_a_round() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    // Refused before news can come, so that no attempt counts as a good one.
    for _ in 0..4 {
        simulator.answer_next(simulator::Target::Discovery, simulator::Answer::status(503));
    }
    let rig = Rig::cloud(cloud(&simulator, 1));
    for round in 1..=7 {
        simulator.until(|journal| journal.connections.len() >= round && journal.subscribed() == 1).await.unwrap();
        simulator.cut(Cut::Reset).await.unwrap();
    }
    simulator.until_subscribed(1).await.unwrap();
    let endpoints: Vec<_> = simulator.connections().iter().map(|one| one.endpoint).collect();
    assert_eq!(endpoints, [2, 0, 1, 2, 0, 1, 2, 0]);
    rig.stop().await;
}

#[tokio::test]
async fn standby_that_comes_back_never_joins_the_other() {
    let simulator = Simulator::start(Options { endpoints: 2, ..Options::manual() }).await.unwrap();
    let rig = Rig::deployed(deployed(&simulator, 2));
    simulator.until_subscribed(2).await.unwrap();
    for _ in 0..6 {
        let first = simulator.connections().iter().find(|one| one.is_up()).map(|one| one.number).unwrap();
        simulator.cut_one(first, Cut::Close).await.unwrap();
        simulator.until_subscribed(2).await.unwrap();
        let mut up: Vec<_> = simulator.connections().iter().filter(|one| one.is_up()).map(|one| one.endpoint).collect();
        up.sort_unstable();
        assert_eq!(up, [0, 1]);
    }
    rig.stop().await;
}

#[tokio::test]
async fn region_without_endpoints_is_named() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let secret = Secret::v2();
    let settings = Lseg { region: "ap-northeast-1".into(), ..settings(&simulator) };
    let rig = Rig::cloud(cloud_of(&simulator, settings, &secret, quick()));
    let trouble = rig.trouble().await;
    assert_eq!(trouble, "region \"ap-northeast-1\" has no endpoint; there are eu-west-1, us-east-1");
    rig.stop().await;
}

#[tokio::test]
async fn server_that_is_gone_is_passed_over() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = news::feeds::LsegDeployed {
        name: "wire".into(),
        servers: vec![format!("ws://{gone}/WebSocket"), simulator.websocket_urls()[0].clone()],
        user: "newsloom".into(),
        application_id: "256".into(),
        connections: 1,
        service: None,
        scores: false,
    };
    let deployed = ingester::sources::lseg::Deployed::new(settings, crate::rig::tls(&simulator)).unwrap();
    let rig = Rig::deployed(deployed.timings(quick()));
    simulator.until_subscribed(1).await.unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn server_of_another_authority_is_not_trusted() {
    let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
    let other = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
    let secret = Secret::v2();
    let rig = Rig::cloud(cloud_of(&other, settings(&simulator), &secret, quick()));
    let trouble = rig.trouble().await;
    assert!(trouble.contains("certificate"), "{trouble}");
    assert_eq!(simulator.journal().exchanges, []);
    rig.stop().await;
}
