//! Tokens, old and new, right and wrong.

use crate::rig::{Rig, Secret, cloud, cloud_of, deployed, quick, settings};
use ingester::sources::lseg::Timings;
use news::feeds::{Authentication, Lseg};
use rcgen::KeyPair;
use serde_json::json;
use simulator::{Accounts, Answer, Asked, Exchange, Options, Simulator, Story, Target};
use std::time::{Duration, Instant};

fn asked(simulator: &Simulator) -> Vec<Exchange> {
    simulator.journal().exchanges
}

fn v1(simulator: &Simulator) -> Lseg {
    Lseg { authentication: Authentication::V1, ..settings(simulator) }
}

#[tokio::test]
async fn news_come_over_tls_to_who_logs_in_with_a_secret() {
    let simulator = Simulator::start(Options { tls: true, ..Options::burst(200) }).await.unwrap();
    let mut rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until(|journal| journal.counts.released == 200).await.unwrap();
    simulator.settle().await.unwrap();
    let journal = simulator.journal();
    let sent: Vec<_> = journal.confirmed().iter().map(|item| item.id.clone()).collect();
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let item = rig.next().await;
        assert_eq!(item.source, "wire");
        received.push(item.id);
    }
    assert_eq!(received, sent, "every item, once, in order");
    assert!(sent.len() > 150, "{}", sent.len());
    let login = &journal.connections[0].logins[0];
    assert_eq!((login.application.as_str(), login.token), ("256", Some(1)));
    assert!(login.position.starts_with("127.0.0.1/") && login.position.len() > 10, "{}", login.position);
    assert_eq!(rig.status.connected.get(), 1);
    assert_eq!(rig.status.current_trouble(), None);
    rig.stop().await;
}

#[tokio::test]
async fn news_come_to_who_signs_instead_of_showing_a_secret() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let login = json!({"client_id": Accounts::default().client_id, "private_key": key, "key_id": "k1"});
    let secret = Secret::new(&login);
    let mut rig = Rig::cloud(cloud_of(&simulator, settings(&simulator), &secret, quick()));
    simulator.until_subscribed(1).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    assert_eq!(rig.headlines(1).await, ["Example plc halts trading"]);
    rig.stop().await;
}

#[tokio::test]
async fn version_1_sessions_get_new_tokens_while_they_stand() {
    let accounts = Accounts { v1_token_life: Duration::from_secs(1), ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await.unwrap();
    let secret = Secret::v1(&Accounts::default().password);
    let mut rig = Rig::cloud(cloud_of(&simulator, v1(&simulator), &secret, quick()));
    simulator.until(|journal| journal.connection(1).is_some_and(|first| first.logins.len() == 3)).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    let journal = simulator.journal();
    assert_eq!(journal.connections.len(), 1, "it is the same connection");
    let logins = &journal.connections[0].logins;
    assert!(logins.iter().all(|login| login.accepted));
    assert_eq!(logins.iter().map(|login| login.again).collect::<Vec<_>>(), [false, true, true]);
    let grants: Vec<_> = journal.exchanges.iter().map(|exchange| exchange.asked).collect();
    assert_eq!(grants[..4], [Asked::Password, Asked::Discovery, Asked::Refresh, Asked::Refresh]);
    rig.stop().await;
}

#[tokio::test]
async fn password_is_used_again_when_the_refresh_token_is_used_up() {
    let accounts = Accounts { v1_token_life: Duration::from_secs(1), ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await.unwrap();
    let secret = Secret::v1(&Accounts::default().password);
    let mut rig = Rig::cloud(cloud_of(&simulator, v1(&simulator), &secret, quick()));
    simulator.until_subscribed(1).await.unwrap();
    simulator.expire_refresh_tokens();
    let passwords = |exchanges: &[Exchange]| exchanges.iter().filter(|one| one.asked == Asked::Password).count();
    simulator.until(|journal| passwords(&journal.exchanges) == 2).await.unwrap();
    simulator.until_subscribed(1).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    let exchanges = asked(&simulator);
    assert!(exchanges.contains(&Exchange { asked: Asked::Refresh, status: 400 }), "{exchanges:?}");
    rig.stop().await;
}

#[tokio::test]
async fn shorter_token_asks_for_the_password_and_the_feed_goes_on() {
    let accounts =
        Accounts { v1_token_life: Duration::from_secs(2), refresh_life: Duration::from_secs(3), ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await.unwrap();
    let secret = Secret::v1(&Accounts::default().password);
    let mut rig = Rig::cloud(cloud_of(&simulator, v1(&simulator), &secret, quick()));
    let grants = |exchanges: &[Exchange]| -> Vec<_> {
        exchanges.iter().filter(|one| one.asked != Asked::Discovery).map(|one| one.asked).collect()
    };
    simulator.until(|journal| grants(&journal.exchanges).len() == 3).await.unwrap();
    assert_eq!(grants(&asked(&simulator)), [Asked::Password, Asked::Refresh, Asked::Password]);
    // Exclusive control threw the own session out, or the new token came in time: either way news come.
    simulator
        .until(|journal| journal.connections.iter().any(|one| one.logins.iter().any(|login| login.token >= Some(3))))
        .await
        .unwrap();
    simulator.until_subscribed(1).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    rig.stop().await;
}

#[tokio::test]
async fn version_2_token_is_kept_for_the_next_connection_until_it_is_near_its_end() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let timings = Timings { doubt: Duration::from_mins(1), ..quick() };
    let secret = Secret::v2();
    let rig = Rig::cloud(cloud_of(&simulator, settings(&simulator), &secret, timings));
    for connections in 1..=5 {
        simulator.until_subscribed(1).await.unwrap();
        simulator.cut(simulator::Cut::Close).await.unwrap();
        simulator.until(|journal| journal.connections.len() > connections).await.unwrap();
    }
    let tokens = asked(&simulator).iter().filter(|one| one.asked == Asked::ClientCredentials).count();
    assert_eq!(tokens, 1);
    rig.stop().await;
}

#[tokio::test]
async fn token_that_has_ended_early_is_replaced() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let mut rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.expire_tokens();
    simulator.cut(simulator::Cut::Close).await.unwrap();
    simulator.until_subscribed(1).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    let tokens = asked(&simulator).iter().filter(|one| one.asked == Asked::ClientCredentials).count();
    assert_eq!(tokens, 2);
    rig.stop().await;
}

#[tokio::test]
async fn wrong_login_is_tried_once_for_both_connections_and_the_reason_is_shown() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let secret = Secret::new(&json!({"client_id": Accounts::default().client_id, "client_secret": "mistyped"}));
    let settings = Lseg { connections: 2, ..settings(&simulator) };
    let rig = Rig::cloud(cloud_of(&simulator, settings, &secret, quick()));
    let trouble = rig.trouble().await;
    assert_eq!(trouble, "no token: status 401, invalid_client, Invalid client or client credentials.");
    // A hot loop would have made hundreds by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(asked(&simulator), [Exchange { asked: Asked::ClientCredentials, status: 401 }]);
    rig.stop().await;
}

#[tokio::test]
async fn wrong_login_is_tried_again_later_with_what_the_secret_holds_then() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"username": "GE-A-1", "password": "wrong", "client_id": "key"}"#).unwrap();
    let tls = crate::rig::tls(&simulator);
    let client = ingester::http::client(&tls, Duration::from_secs(5)).unwrap();
    let place = ingester::secrets::Place::File(file.path().into());
    let timings = Timings { late: Duration::from_millis(100), ..quick() };
    let cloud = ingester::sources::lseg::Cloud::new(v1(&simulator), place, tls, client).unwrap().timings(timings);
    let rig = Rig::cloud(cloud);
    assert!(rig.trouble().await.contains("invalid_grant, Invalid username or password."));
    let accounts = Accounts::default();
    let right = json!({"username": accounts.username, "password": accounts.password, "client_id": accounts.app_key});
    std::fs::write(file.path(), right.to_string()).unwrap();
    simulator.until_subscribed(1).await.unwrap();
    rig.until(|feed| feed.connected.get() == 1 && feed.current_trouble().is_none()).await;
    rig.stop().await;
}

#[tokio::test]
async fn missing_login_is_awaited() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let secret = Secret::new(&json!({}));
    let rig = Rig::cloud(cloud_of(&simulator, settings(&simulator), &secret, quick()));
    assert!(rig.trouble().await.ends_with("is not what this feed logs in with: missing field `client_id`"));
    assert_eq!(asked(&simulator), []);
    rig.stop().await;
}

#[tokio::test]
async fn server_that_is_busy_is_asked_when_it_says() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    simulator.answer_next(Target::Token, Answer::status(429).retry_after(1));
    let started = Instant::now();
    let rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    let statuses: Vec<_> = asked(&simulator).iter().map(|one| one.status).collect();
    assert_eq!(statuses, [429, 200, 200]);
    rig.stop().await;
}

#[tokio::test]
async fn redirects_are_followed_where_credentials_may_go() {
    let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
    let here = format!("{}/auth/oauth2/v2/token", simulator.api_url());
    simulator.answer_next(Target::Token, Answer::redirect(307, here));
    simulator.answer_next(Target::Token, Answer::redirect(302, "/auth/oauth2/v2/token"));
    simulator.answer_next(Target::Discovery, Answer::redirect(308, "/streaming/pricing/v1/?transport=websocket"));
    let rig = Rig::cloud(cloud(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    let statuses: Vec<_> = asked(&simulator).iter().map(|one| one.status).collect();
    assert_eq!(statuses, [307, 302, 200, 308, 200]);
    rig.stop().await;
}

#[tokio::test]
async fn redirects_elsewhere_or_in_a_circle_are_not_followed() {
    for (location, expected, requests) in [
        ("https://localhost.example.com/auth/oauth2/v2/token", "redirects to https://localhost.example.com", 1),
        ("http://localhost:1/auth/oauth2/v2/token", "redirects to http://localhost:1", 1),
        ("/auth/oauth2/v2/token", "redirects more than 5 times", 6),
    ] {
        let simulator = Simulator::start(Options { tls: true, ..Options::manual() }).await.unwrap();
        for _ in 0..20 {
            simulator.answer_next(Target::Token, Answer::redirect(307, location));
        }
        let rig = Rig::cloud(cloud(&simulator, 1));
        let trouble = rig.trouble().await;
        assert!(trouble.contains(expected), "{trouble}");
        assert_eq!(asked(&simulator).len(), requests);
        rig.stop().await;
    }
}

#[tokio::test]
async fn own_installation_knows_its_users_and_refuses_others() {
    let accounts = Accounts { users: vec!["newsloom".into()], ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await.unwrap();
    let mut rig = Rig::deployed(deployed(&simulator, 1));
    simulator.until_subscribed(1).await.unwrap();
    simulator.send([Story::alert("Example plc halts trading")]).await;
    rig.next().await;
    assert_eq!(asked(&simulator), [], "no token, no list");
    rig.stop().await;

    let accounts = Accounts { users: vec!["somebody".into()], ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await.unwrap();
    let rig = Rig::deployed(deployed(&simulator, 1));
    rig.trouble().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(simulator.connections().len(), 1, "what will be refused again isn't tried again soon");
    rig.stop().await;
}

#[tokio::test]
async fn who_is_thrown_out_by_another_does_not_fight_back() {
    let simulator = Simulator::start(Options::manual()).await.unwrap();
    let secret = Secret::v1(&Accounts::default().password);
    let rig = Rig::cloud(cloud_of(&simulator, v1(&simulator), &secret, quick()));
    simulator.until_subscribed(1).await.unwrap();
    simulator.throw_out();
    let trouble = rig.trouble().await;
    assert!(trouble.contains("signed on somewhere else"), "{trouble}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(simulator.connections().len(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn who_was_thrown_out_does_not_renew_its_token() {
    let accounts = Accounts { v1_token_life: Duration::from_secs(1), ..Accounts::default() };
    let simulator = Simulator::start(Options { accounts, ..Options::manual() }).await.unwrap();
    let secret = Secret::v1(&Accounts::default().password);
    let rig = Rig::cloud(cloud_of(&simulator, v1(&simulator), &secret, quick()));
    simulator.until_subscribed(1).await.unwrap();
    simulator.throw_out();
    rig.trouble().await;
    let before = asked(&simulator);
    // Longer than the token lives.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(asked(&simulator), before);
    rig.stop().await;
}
