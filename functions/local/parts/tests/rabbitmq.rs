//! The node, with lapin for a client.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Event,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    tcp::OwnedTLSConfig,
    types::{AMQPValue, FieldTable},
};
use local::{
    proxy::Proxy,
    rabbitmq::{Broker, Error, PASSWORD, USER},
};

async fn connect(url: &str) -> Connection {
    Connection::connect(url, ConnectionProperties::default()).await.unwrap()
}

async fn confirming(connection: &Connection) -> Channel {
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

async fn declare(channel: &Channel, queue: &str) {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
}

async fn publish(channel: &Channel, queue: &str, body: &str) -> Confirmation {
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default().with_delivery_mode(2);
    let sent = channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties).await.unwrap();
    sent.await.unwrap()
}

#[tokio::test]
async fn messages_are_counted_and_taken() {
    let broker = Broker::shared().await.unwrap();
    let (vhost, other) = (broker.vhost().await.unwrap(), broker.vhost().await.unwrap());
    let connection = connect(&broker.url(&vhost)).await;
    let channel = confirming(&connection).await;
    declare(&channel, "feed").await;
    for body in ["a", "b"] {
        assert_eq!(publish(&channel, "feed", body).await, Confirmation::Ack(None));
    }
    assert_eq!(broker.queue_depth(&vhost, "feed").await.unwrap(), 2);
    let bodies: Vec<_> = broker.drain(&vhost, "feed").await.unwrap().into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, [b"a", b"b"]);
    assert_eq!(broker.queue_depth(&vhost, "feed").await.unwrap(), 0);
    assert!(matches!(broker.queue_depth(&other, "feed").await, Err(Error::Amqp(_))), "another virtual host");
}

#[tokio::test]
async fn tls_is_trusted_with_the_nodes_authority_only() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let authority = std::fs::read_to_string(broker.ca_file()).unwrap();
    let trusting = OwnedTLSConfig { identity: None, cert_chain: Some(authority) };
    let runtime = || lapin::runtime::default_runtime().unwrap();
    let (url, properties) = (broker.tls_url(&vhost), ConnectionProperties::default());
    let connection = Connection::connect_with_config(&url, properties.clone(), trusting, runtime()).await.unwrap();
    assert!(connection.status().connected());
    let trusting = OwnedTLSConfig::default();
    assert!(Connection::connect_with_config(&url, properties, trusting, runtime()).await.is_err());
}

#[tokio::test]
async fn users_come_and_go_and_change_their_password() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let connects = async |password: &str| {
        let url = broker.url_as("reader", password, &vhost);
        Connection::connect(&url, ConnectionProperties::default()).await.is_ok()
    };
    broker.add_user("reader", "one \"quoted\" word").await.unwrap();
    assert!(!connects("one \"quoted\" word").await, "not permitted yet");
    broker.permit("reader", &vhost).await.unwrap();
    assert!(connects("one \"quoted\" word").await);
    broker.change_password("reader", "another").await.unwrap();
    assert!(!connects("one \"quoted\" word").await);
    assert!(connects("another").await);
    broker.delete_user("reader").await.unwrap();
    assert!(!connects("another").await);
    assert!(matches!(broker.permit("reader", &vhost).await, Err(Error::Refused { .. })));
}

#[tokio::test]
async fn a_cut_connection_is_noticed_and_a_new_one_goes_through() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let proxy = Proxy::start(broker.address()).await.unwrap();
    let url = broker.url_via(&proxy, &vhost);
    let connection = connect(&url).await;
    let mut events = connection.events_listener();
    proxy.cut();
    while !matches!(events.next().await, Some(Event::Error(_)) | None) {}
    assert!(!connection.status().connected());

    proxy.refuse(true);
    assert!(Connection::connect(&url, ConnectionProperties::default()).await.is_err());
    proxy.refuse(false);
    let channel = confirming(&connect(&url).await).await;
    assert!(channel.status().connected());
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn nothing_passes_a_paused_proxy() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let proxy = Proxy::start(broker.address()).await.unwrap();
    let connection = connect(&broker.url_via(&proxy, &vhost)).await;
    let channel = confirming(&connection).await;
    declare(&channel, "feed").await;
    proxy.pause();
    let mut waiting = std::pin::pin!(publish(&channel, "feed", "late"));
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut waiting).await.is_err());
    proxy.resume();
    assert_eq!(waiting.await, Confirmation::Ack(None));
}

#[tokio::test]
async fn a_node_of_ones_own_is_blocked_killed_restarted_and_removed() {
    let broker = Broker::start().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    publishing_is_blocked_until_the_alarm_ends(&broker, &vhost).await;
    durable_messages_survive_a_kill_and_a_stop(&broker, &vhost).await;
    connections_are_closed_by_the_broker(&broker, &vhost).await;

    let (folder, pid) = (broker.folder().to_owned(), pid(&broker).await);
    assert!(folder.exists() && is_alive(&pid));
    drop(broker);
    assert!(!folder.exists(), "the folder stayed");
    assert!(!is_alive(&pid), "the node stayed");
    assert!(processes_of(&folder).is_empty(), "{:?}", processes_of(&folder));
}

async fn publishing_is_blocked_until_the_alarm_ends(broker: &Broker, vhost: &str) {
    let connection = connect(&broker.url(vhost)).await;
    let channel = confirming(&connection).await;
    declare(&channel, "feed").await;
    let mut events = connection.events_listener();
    broker.block().await.unwrap();
    let mut waiting = std::pin::pin!(publish(&channel, "feed", "blocked"));
    loop {
        tokio::select! {
            confirmed = &mut waiting => panic!("published in spite of the alarm: {confirmed:?}"),
            event = events.next() => if let Some(Event::ConnectionBlocked(_)) = event { break },
        }
    }
    broker.unblock().await.unwrap();
    assert_eq!(waiting.await, Confirmation::Ack(None));
    connection.close(200, "".into()).await.unwrap();
}

async fn durable_messages_survive_a_kill_and_a_stop(broker: &Broker, vhost: &str) {
    assert_eq!(broker.queue_depth(vhost, "feed").await.unwrap(), 1);
    broker.kill().await.unwrap();
    assert!(Connection::connect(&broker.url(vhost), ConnectionProperties::default()).await.is_err());
    assert!(matches!(broker.vhost().await, Err(Error::Stopped)));
    broker.restart().await.unwrap();
    assert_eq!(depth_when_elected(broker, vhost).await, 1);
    broker.stop().await.unwrap();
    broker.restart().await.unwrap();
    assert_eq!(depth_when_elected(broker, vhost).await, 1);
}

/// A quorum queue has no leader for a moment after the start.
async fn depth_when_elected(broker: &Broker, vhost: &str) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match broker.queue_depth(vhost, "feed").await {
            Ok(depth) if depth > 0 || Instant::now() > deadline => return depth,
            Err(error) if Instant::now() > deadline => panic!("{error}"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connections_are_closed_by_the_broker(broker: &Broker, vhost: &str) {
    let connection = connect(&broker.url(vhost)).await;
    let mut events = connection.events_listener();
    assert!(broker.connections().await.unwrap() >= 1);
    broker.close_connections().await.unwrap();
    while !matches!(events.next().await, Some(Event::Error(_)) | None) {}
    assert!(!connection.status().connected());
}

/// Set for the process that is killed.
const HOLD: &str = "NEWSLOOM_TEST_HOLD";

#[tokio::test]
async fn a_process_that_is_killed_leaves_nothing_behind() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "holds_a_node_until_it_is_killed"])
        .env(HOLD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    let node = lines.find_map(|line| line.strip_prefix("node ").map(str::to_owned)).expect("a node");
    let (pid, folder) = node.split_once(' ').unwrap();
    let folder = Path::new(folder);
    assert!(is_alive(pid) && folder.exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_alive(pid) || folder.exists() || !processes_of(folder).is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", processes_of(folder));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
#[ignore = "the process that another test kills"]
async fn holds_a_node_until_it_is_killed() {
    // Asked for by somebody who runs ignored tests too.
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let broker = Broker::start().await.unwrap();
    println!("\nnode {} {}", pid(&broker).await, broker.folder().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_url_holds_who_and_where() {
    let broker = Broker::shared().await.unwrap();
    assert_eq!(broker.url("/"), format!("amqp://{USER}:{PASSWORD}@{}/%2f", broker.address()));
}

async fn pid(broker: &Broker) -> String {
    broker.eval("list_to_integer(os:getpid())".to_owned()).await.unwrap()
}

/// Not counting one that has ended and nobody waited for.
fn is_alive(pid: &str) -> bool {
    let there = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), None).is_ok();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    there && !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// The processes whose command line or environment names the folder: the node, its helpers, the keeper.
/// None where there is no `/proc`.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let names = |pid: &str, file: &str| {
        let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&text).contains(&folder).then(|| String::from_utf8_lossy(&text).replace('\0', " "))
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    let processes = processes.filter_map(|pid| pid.into_string().ok());
    let processes = processes.filter(|pid| pid.parse::<u32>().is_ok_and(|pid| pid != std::process::id()));
    processes.filter_map(|pid| names(&pid, "cmdline").or_else(|| names(&pid, "environ"))).collect()
}
