//! Trying a feed once.

use crate::rig::{Secret, cloud, cloud_of, deployed, quick, settings};
use ingester::sources::lseg::{Cloud, Step, Timings};
use news::feeds::{Authentication, Lseg};
use serde_json::json;
use simulator::{Accounts, Answer, End, Heard, Options, Simulator, Target};
use std::time::Duration;

async fn told(cloud: &Cloud) -> Vec<(Step, Result<String, String>)> {
    let mut told = Vec::new();
    cloud.check(|step, result| told.push((step, result))).await;
    told
}

#[tokio::test]
async fn each_step_says_how_it_went_and_the_server_is_told_goodbye() {
    let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
    let told = told(&cloud(&simulator, 1)).await;
    let steps: Vec<_> = told.iter().map(|(step, result)| (*step, result.is_ok())).collect();
    assert_eq!(steps, [(Step::Token, true), (Step::Endpoints, true), (Step::Login, true), (Step::News, true)]);
    assert_eq!(told[0].1, Ok("a token for 7199 s".into()));
    simulator.until(|journal| journal.up() == 0).await.unwrap();
    let connection = &simulator.connections()[0];
    assert_eq!(connection.end, Some(End::ByClient));
    assert_eq!(connection.heard.last(), Some(&Heard::CloseSocket));
}

#[tokio::test]
async fn own_installation_has_no_token_and_no_list() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let mut told = Vec::new();
    deployed(&simulator, 1).check(|step, result| told.push((step, result.is_ok()))).await;
    assert_eq!(told, [(Step::Login, true), (Step::News, true)]);
}

#[tokio::test]
async fn first_step_that_fails_is_the_last() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let secret = Secret::new(&json!({"client_id": "nobody", "client_secret": "nothing"}));
    let told_of = told(&cloud_of(&simulator, settings(&simulator), &secret, quick())).await;
    assert!(matches!(&told_of[..], [(Step::Token, Err(why))] if why.contains("invalid_client")), "{told_of:?}");

    simulator.answer_next(Target::Discovery, Answer::status(403));
    let told_of = told(&cloud(&simulator, 1)).await;
    assert!(matches!(&told_of[..], [_, (Step::Endpoints, Err(why))] if why.contains("403")), "{told_of:?}");

    let settings_of = |service: &str| Lseg { service: Some(service.into()), ..settings(&simulator) };
    let secret = Secret::v2();
    let told_of = told(&cloud_of(&simulator, settings_of("ELSEWHERE"), &secret, quick())).await;
    assert!(matches!(&told_of[..], [_, _, (Step::Login, Ok(_)), (Step::News, Err(_))]), "{told_of:?}");
}

#[tokio::test]
async fn server_without_an_answer_is_given_up() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("ws://{}/WebSocket", listener.local_addr().unwrap());
    let settings = news::feeds::LsegDeployed {
        name: "wire".into(),
        servers: vec![server],
        user: "newsloom".into(),
        application_id: "256".into(),
        connections: 1,
        service: None,
        scores: false,
    };
    let timings = Timings { connect: Duration::from_millis(50), ..quick() };
    let deployed = ingester::sources::lseg::Deployed::new(settings, crate::rig::tls(&simulator)).unwrap();
    let mut told = Vec::new();
    deployed.timings(timings).check(|step, result| told.push((step, result))).await;
    assert!(matches!(&told[..], [(Step::Login, Err(why))] if why.contains("did not answer within 50 ms")), "{told:?}");
}

#[tokio::test]
async fn version_1_check_throws_nobody_out() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let secret = Secret::v1(&Accounts::default().password);
    let v1 = || Lseg { authentication: Authentication::V1, ..settings(&simulator) };
    let rig = crate::rig::Rig::cloud(cloud_of(&simulator, v1(), &secret, quick()));
    simulator.until_subscribed(1).await.unwrap();
    let told = told(&cloud_of(&simulator, v1(), &secret, quick())).await;
    assert!(matches!(&told[..], [(Step::Token, Err(why))] if why.contains("quota")), "{told:?}");
    assert_eq!(simulator.journal().subscribed(), 1);
    rig.stop().await;
}
