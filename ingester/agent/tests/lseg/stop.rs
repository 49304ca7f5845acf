//! Saying goodbye.

use crate::rig::{Rig, Secret, cloud, cloud_of, deployed, quick, settings};
use news::feeds::{Authentication, Lseg};
use serde_json::json;
use simulator::{Accounts, End, Heard, Options, Simulator};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;
use url::Url;

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

#[tokio::test]
async fn token_service_that_does_not_answer_is_not_waited_for() {
    let accounts = Accounts { v1_token_life: Duration::from_secs(1), ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await.unwrap();
    let relay = Relay::to(&simulator.api_url()).await;
    let secret = Secret::v1(&Accounts::default().password);
    let settings = Lseg { authentication: Authentication::V1, api: Some(relay.url.clone()), ..settings(&simulator) };
    let rig = Rig::cloud(cloud_of(&simulator, settings, &secret, quick()));
    simulator.until_subscribed(1).await.unwrap();
    relay.silent.cancel();
    relay.asked.notified().await;
    // Its request alone would take five.
    rig.stop().await;
}

/// Stands before a service until it falls silent.
struct Relay {
    url: String,
    silent: CancellationToken,
    /// Somebody waits for an answer that won't come.
    asked: Arc<Notify>,
}

impl Relay {
    async fn to(service: &str) -> Self {
        let service = Url::parse(service).unwrap().socket_addrs(|| None).unwrap().remove(0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (silent, asked) = (CancellationToken::new(), Arc::new(Notify::new()));
        let relay = Self { url, silent: silent.clone(), asked: Arc::clone(&asked) };
        tokio::spawn(async move {
            let mut waiting = vec![];
            while let Ok((mut client, _)) = listener.accept().await {
                if silent.is_cancelled() {
                    asked.notify_one();
                    waiting.push(client);
                    continue;
                }
                let silent = silent.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(service).await.unwrap();
                    silent.run_until_cancelled(copy_bidirectional(&mut client, &mut server)).await
                });
            }
        });
        relay
    }
}
