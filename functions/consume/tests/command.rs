//! The command, as its own process, with a real broker.

mod desk;

use desk::{Consume, Desk, Ended, PATIENCE, articles, ids, ids_of, item};
use local::{
    aws::Aws,
    proxy::Proxy,
    rabbitmq::{self, Broker},
};
use news::routing;
use nix::sys::signal::Signal;
use serde_json::json;
use std::collections::BTreeSet;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

// ------------------------------------------------------------------------------------------------ what comes

#[tokio::test]
async fn only_items_that_a_pattern_matches_come() {
    let desk = Desk::new().await;
    let mut consume = desk.consume(&["en.negative.*", "ja.#", "--json"]);
    consume.subscribed().await;
    let items = ["article", "alert", "cancellation", "no-route"].map(|example| item(example, example));
    desk.publish_all(&items).await;
    assert_eq!(ids(&consume.lines(2).await), ["alert", "no-route"]);
    let Ended { code, lines, said } = consume.interrupt().await;
    assert_eq!((code, lines.len()), (Some(0), 0));
    assert!(said.ends_with("consume: 2 items.\n"), "{said}");
}

#[tokio::test]
async fn json_is_the_body_that_was_sent() {
    let desk = Desk::new().await;
    let mut consume = desk.consume(&["--json", "-n", "2"]);
    consume.subscribed().await;
    let mut later = serde_json::to_value(item("article", "later")).unwrap();
    later["entities"] = json!([{ "name": "Example plc" }]);
    let bodies = [serde_json::to_vec(&item("no-route", "plain")).unwrap(), serde_json::to_vec(&later).unwrap()];
    for body in &bodies {
        desk.send("en.positive.rtrs", None, body).await;
    }
    let lines = consume.lines(2).await;
    assert_eq!(lines, bodies.map(|body| String::from_utf8(body).unwrap()));
    assert_eq!(consume.end().await.code, Some(0));
}

#[tokio::test]
async fn readable_lines_have_the_whole_headline_in_a_pipe_and_no_colours() {
    let desk = Desk::new().await;
    let mut consume = desk.consume(&["--tail"]);
    consume.subscribed().await;
    desk.publish(&item("alert", "a")).await;
    let line = consume.line().await;
    let (start, end) =
        ("2026-01-02T03:01:10Z", "en  negative 0.96  RTRS  ALERT EXAMPLE PLC CUTS DIVIDEND, WARNS OF LOSS");
    assert!(line.starts_with(start) && line.ends_with(end), "{line}");
    consume.signal(Signal::SIGTERM);
    assert_eq!(consume.end().await.code, Some(0));
}

#[tokio::test]
async fn count_ends_it_and_leaves_the_rest() {
    let desk = Desk::new().await;
    desk.consume(&["--queue", "desk", "-q"]).interrupt_when(&desk, "desk").await;
    desk.publish_all(&articles(10, 10)).await;
    let consume = desk.consume(&["--queue", "desk", "--json", "-n", "3"]);
    let Ended { code, lines, .. } = consume.end().await;
    assert_eq!((code, ids(&lines)), (Some(0), ids_of(&articles(3, 0))));
    desk.until_depth("desk", 7).await;
}

#[tokio::test]
async fn message_that_came_twice_is_printed_once() {
    let desk = Desk::new().await;
    let mut consume = desk.consume(&["--queue", "desk", "--json"]);
    consume.subscribed().await;
    for id in ["a", "a", "b", "a", "b", "c"] {
        desk.publish(&item("article", id)).await;
    }
    assert_eq!(ids(&consume.lines(3).await), ["a", "b", "c"]);
    let Ended { lines, said, .. } = consume.interrupt().await;
    assert!(lines.is_empty() && said.contains("3 items, 3 repeats."), "{said}");
    desk.until_depth("desk", 0).await;
}

#[tokio::test]
async fn malformed_message_is_said_and_rejected_and_the_others_go_on() {
    let desk = Desk::new().await;
    let mut consume = desk.consume(&["--queue", "desk", "--json"]);
    consume.subscribed().await;
    desk.publish(&item("article", "before")).await;
    desk.send("en.negative.rtrs", Some("broken-1"), b"Profit warning").await;
    desk.send("en.negative.rtrs", None, b"").await;
    desk.publish(&item("article", "after")).await;
    assert_eq!(ids(&consume.lines(2).await), ["before", "after"]);
    let Ended { code, said, .. } = consume.interrupt().await;
    assert!(said.contains("message_id=\"broken-1\"") && !said.contains("Profit"), "{said}");
    assert!(said.contains("2 items, 2 malformed messages."), "{said}");
    assert_eq!(code, Some(0));
    desk.until_depth("desk", 0).await;
}

#[tokio::test]
async fn newer_form_ends_it_and_stays_in_the_queue() {
    let desk = Desk::new().await;
    let consume = desk.consume(&["--queue", "desk"]);
    consume.subscribed().await;
    desk.send("en.negative.rtrs", Some("new-1"), br#"{"version": 2, "story": {}}"#).await;
    let Ended { code, said, .. } = consume.end().await;
    assert!(said.contains("message new-1 is of form 2; forms up to 1 are understood"), "{said}");
    assert_eq!(code, Some(1));
    desk.until_depth("desk", 1).await;
}

// ------------------------------------------------------------------------------------------------ queues

#[tokio::test]
async fn queue_keeps_what_comes_while_nobody_subscribes() {
    let desk = Desk::new().await;
    desk.consume(&["en.#", "-q"]).interrupt_when(&desk, &own_queue("en.#")).await;
    desk.publish_all(&[item("article", "a"), item("no-route", "b"), item("alert", "c")]).await;
    let mut consume = desk.consume(&["en.#", "--json"]);
    assert_eq!(ids(&consume.lines(2).await), ["a", "c"]);
    let said = consume.interrupt().await.said;
    assert!(said.contains("patterns=\"en.#\" waiting=2 existed=true"), "{said}");
}

#[tokio::test]
async fn processes_with_the_same_queue_share_the_work() {
    let desk = Desk::new().await;
    let mut both = [desk.consume(&["--queue", "work", "--json"]), desk.consume(&["--queue", "work", "--json"])];
    for consume in &both {
        consume.subscribed().await;
    }
    let items = articles(100, 10);
    desk.publish_all(&items).await;
    let [first, second] = &mut both;
    first.line().await;
    second.line().await;
    let [first, second] = both;
    let (first, second) = (until_empty(&desk, "work", first).await, until_empty(&desk, "work", second).await);
    let all: BTreeSet<String> = first.iter().chain(&second).cloned().collect();
    assert_eq!((first.len() + second.len(), all.len()), (98, 98));
}

#[tokio::test]
async fn tail_leaves_no_queue_behind() {
    let desk = Desk::new().await;
    desk.publish(&item("article", "before")).await;
    let mut consume = desk.consume(&["--tail", "--json"]);
    consume.subscribed().await;
    assert_eq!(desk.queues().await, "1");
    desk.publish(&item("article", "now")).await;
    assert_eq!(ids(&[consume.line().await]), ["now"]);
    assert_eq!(consume.interrupt().await.code, Some(0));
    assert_eq!(desk.queues().await, "0");
}

#[tokio::test]
async fn queue_with_other_settings_is_an_error_that_says_what_to_do() {
    let desk = Desk::new().await;
    desk.consume(&["--queue", "desk", "-q"]).interrupt_when(&desk, "desk").await;
    let Ended { code, said, .. } = desk.consume(&["--queue", "desk", "--max-length", "5"]).end().await;
    assert_eq!(code, Some(1));
    assert!(said.contains("the queue \"desk\" exists with other settings") && said.contains("--delete"), "{said}");
}

#[tokio::test]
async fn pattern_of_an_earlier_run_is_taken_away_and_a_queue_is_deleted() {
    let desk = Desk::new().await;
    desk.consume(&["--queue", "desk", "-q"]).interrupt_when(&desk, "desk").await;
    let mut consume = desk.consume(&["--queue", "desk", "--json", "ja.#", "--unbind", "#"]);
    consume.subscribed().await;
    desk.publish_all(&[item("article", "a"), item("no-route", "b")]).await;
    assert_eq!(ids(&[consume.line().await]), ["b"]);
    assert!(consume.interrupt().await.lines.is_empty());

    desk.publish(&item("no-route", "c")).await;
    let Ended { code, said, .. } = desk.consume(&["--queue", "desk", "--delete"]).end().await;
    assert!(code == Some(0) && said.contains("Deleted the queue, with what waited in it. items=1"), "{said}");
    assert_eq!(desk.queues().await, "0");
}

#[tokio::test]
async fn queue_that_was_deleted_under_it_is_made_again() {
    let desk = Desk::new().await;
    let mut consume = desk.consume(&["--queue", "desk", "--json"]);
    consume.subscribed().await;
    assert_eq!(desk.consume(&["--queue", "desk", "--delete"]).end().await.code, Some(0));
    consume.until_said("Connected again.", 1).await;
    desk.publish(&item("article", "a")).await;
    assert_eq!(ids(&[consume.line().await]), ["a"]);
}

#[tokio::test]
async fn subscriber_that_comes_before_the_publisher_waits_for_the_exchange() {
    let desk = Desk::without_exchange(Broker::shared().await.unwrap()).await;
    let mut consume = desk.consume(&["--json"]);
    consume.until_said("There is no such exchange yet", 1).await;
    desk.declare_exchange().await;
    consume.subscribed().await;
    desk.publish(&item("article", "a")).await;
    assert_eq!(ids(&[consume.line().await]), ["a"]);
}

// ------------------------------------------------------------------------------------------------ what goes wrong

#[tokio::test]
async fn what_was_written_and_not_acknowledged_comes_again_after_a_kill() {
    let desk = Desk::new().await;
    let (hold, proxy) = one_way(desk.broker.address()).await;
    let url = format!("amqp://{}:{}@{proxy}/{}", rabbitmq::USER, rabbitmq::PASSWORD, desk.vhost);
    let mut consume = Consume::of(&url, &["--queue", "desk", "--json"]);
    consume.subscribed().await;
    hold.send_replace(true);
    desk.publish(&item("article", "written")).await;
    assert_eq!(ids(&[consume.line().await]), ["written"]);
    consume.signal(Signal::SIGKILL);
    drop(hold);
    assert_eq!(consume.end().await.code, None);

    let mut next = desk.consume(&["--queue", "desk", "--json"]);
    assert_eq!(ids(&[next.line().await]), ["written"]);
    assert!(next.interrupt().await.lines.is_empty());
}

#[tokio::test]
async fn broker_restarts_and_nothing_is_lost_or_printed_twice() {
    let broker: &'static Broker = Box::leak(Box::new(Broker::start().await.unwrap()));
    let desk = Desk::without_exchange(broker).await;
    desk.declare_exchange().await;
    let mut consume = desk.consume(&["--queue", "desk", "--json"]);
    consume.subscribed().await;
    let items = articles(60, 100);
    desk.publish_all(&items[..30]).await;
    let mut lines = consume.lines(10).await;
    broker.restart().await.unwrap();
    let (_connection, channel) = desk.connect().await;
    for item in &items[30..] {
        let body = serde_json::to_vec(item).unwrap();
        let (key, id) = (routing::key(item), routing::message_id(&item.item.id));
        let properties = lapin::BasicProperties::default().with_delivery_mode(2).with_message_id(id.into());
        let options = lapin::options::BasicPublishOptions::default();
        channel.basic_publish("news".into(), key.into(), options, &body, properties).await.unwrap().await.unwrap();
    }
    lines.extend(consume.lines(50).await);
    let mut printed = ids(&lines);
    // What was redelivered may come after what is new.
    printed.sort();
    assert_eq!(printed, ids_of(&items));
    let Ended { code, lines, said } = consume.interrupt().await;
    assert_eq!((code, lines.len()), (Some(0), 0));
    assert_eq!(said.matches("Lost the connection").count(), 1, "{said}");
    assert_eq!(said.matches("Connected again.").count(), 1, "{said}");
    desk.until_depth("desk", 0).await;
    broker.kill().await.unwrap();
}

#[tokio::test]
async fn connection_that_is_cut_is_made_again() {
    let desk = Desk::new().await;
    let proxy = Proxy::start(desk.broker.address()).await.unwrap();
    let mut consume = Consume::of(&desk.broker.url_via(&proxy, &desk.vhost), &["--queue", "desk", "--json"]);
    consume.subscribed().await;
    let items = articles(90, 2000);
    let mut lines = Vec::new();
    for (part, items) in items.chunks(30).enumerate() {
        desk.publish_all(&items[..20]).await;
        lines.extend(consume.lines(5).await);
        proxy.cut();
        desk.publish_all(&items[20..]).await;
        consume.until_said("Connected again.", part + 1).await;
    }
    lines.extend(consume.lines(75).await);
    let mut printed = ids(&lines);
    printed.sort();
    assert_eq!(printed, ids_of(&items));
    assert!(consume.interrupt().await.lines.is_empty());
    desk.until_depth("desk", 0).await;
}

#[tokio::test]
async fn silent_network_is_noticed() {
    let desk = Desk::new().await;
    let proxy = Proxy::start(desk.broker.address()).await.unwrap();
    let url = desk.broker.url_via(&proxy, &desk.vhost) + "?heartbeat=1";
    let mut consume = Consume::of(&url, &["--queue", "desk", "--json"]);
    consume.subscribed().await;
    proxy.pause();
    consume.until_said("Lost the connection", 1).await;
    proxy.cut();
    proxy.resume();
    desk.publish(&item("article", "a")).await;
    assert_eq!(ids(&[consume.line().await]), ["a"]);
}

#[tokio::test]
async fn interrupt_leaves_in_the_queue_what_was_not_printed() {
    let desk = Desk::new().await;
    desk.consume(&["--queue", "desk", "-q"]).interrupt_when(&desk, "desk").await;
    let items = articles(300, 8000);
    desk.publish_all(&items).await;
    let mut consume = desk.consume(&["--queue", "desk", "--json", "--prefetch", "50"]);
    // As long as nobody reads on, the pipe is full and it waits in the middle of a line.
    let mut lines = consume.lines(1).await;
    let Ended { code, lines: rest, .. } = consume.interrupt().await;
    lines.extend(rest);
    assert_eq!(code, Some(0));
    assert!(lines.len() < 300);
    assert_eq!(ids(&lines), ids_of(&items[..lines.len()]));
    desk.until_depth("desk", 300 - lines.len()).await;
}

#[tokio::test]
async fn second_interrupt_ends_it_at_once() {
    let desk = Desk::new().await;
    desk.consume(&["--queue", "desk", "-q"]).interrupt_when(&desk, "desk").await;
    // More than fits into a pipe.
    desk.publish_all(&articles(1, 1_000_000)).await;
    let mut consume = desk.consume(&["--queue", "desk", "--json", "-v"]);
    consume.until_printing().await;
    // It waits for whoever reads, in the middle of a line.
    consume.signal(Signal::SIGINT);
    consume.until_said("Stopping", 1).await;
    consume.signal(Signal::SIGTERM);
    assert_eq!(consume.end_unread().await, Some(130));
    desk.until_depth("desk", 1).await;
}

#[tokio::test]
async fn whoever_stops_reading_ends_it_quietly() {
    let desk = Desk::new().await;
    let mut consume = desk.consume(&["--queue", "desk", "--json", "-q"]);
    desk.until_queue("desk").await;
    desk.publish(&item("article", "a")).await;
    consume.line().await;
    consume.close_output();
    desk.publish(&item("article", "b")).await;
    let Ended { code, said, .. } = consume.end().await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
    desk.until_depth("desk", 1).await;
}

#[tokio::test]
async fn interrupt_ends_it_while_it_connects() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://guest:guest@{}", silent.local_addr().unwrap());
    let consume = Consume::of(&url, &[]);
    let _connection = silent.accept().await.unwrap();
    assert_eq!(consume.interrupt().await.code, Some(0));
}

#[tokio::test]
async fn broker_that_is_not_there_yet_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let consume = Consume::of(&format!("amqp://{address}"), &[]);
    consume.until_said("Could not connect; trying again until it works.", 1).await;
    let said = consume.interrupt().await.said;
    assert!(said.contains("Connection refused") && said.matches("Could not connect").count() == 1, "{said}");
}

// ------------------------------------------------------------------------------------------------ who may

#[tokio::test]
async fn password_that_was_changed_is_read_again_from_the_secret() {
    let desk = Desk::new().await;
    let aws = Aws::start().await.unwrap();
    desk.broker.add_user("reader", "first-password").await.unwrap();
    desk.broker.permit("reader", &desk.vhost).await.unwrap();
    let login = |password: &str| json!({ "username": "reader", "password": password });
    aws.secrets().put("broker", &login("first-password"));
    let proxy = Proxy::start(desk.broker.address()).await.unwrap();
    let url = format!("amqp://{}/{}", proxy.address(), desk.vhost);
    let environment = aws.environment();
    let mut environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    environment.push(("NEWSLOOM_BROKER_URL", &url));
    let mut consume = Consume::start(&environment, &["--secret", "broker", "--json", "-vv"]);
    consume.subscribed().await;

    desk.broker.change_password("reader", "second-password").await.unwrap();
    aws.secrets().put("broker", &login("second-password"));
    proxy.cut();
    consume.until_said("Connected again.", 1).await;
    desk.publish(&item("article", "a")).await;
    assert_eq!(ids(&[consume.line().await]), ["a"]);
    assert_eq!(aws.secrets().calls(), ["broker", "broker"]);

    desk.broker.change_password("reader", "third-password").await.unwrap();
    proxy.cut();
    let Ended { code, said, .. } = consume.end().await;
    assert!(code == Some(1) && said.contains("refuses the name \"reader\" or its password"), "{said}");
    assert!(!said.contains("-password\""), "{said}");
    assert_eq!(aws.secrets().calls().len(), 3);
}

#[tokio::test]
async fn wrong_password_is_an_error_and_never_said() {
    let desk = Desk::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2\n").unwrap();
    let url = format!("amqp://{}@{}/{}", rabbitmq::USER, desk.broker.address(), desk.vhost);
    let path = file.path().to_str().unwrap();
    let from_file = Consume::of(&url, &["--password-file", path, "-vv"]).end().await;
    let given = Consume::of(&desk.broker.url_as(rabbitmq::USER, "hunter2", &desk.vhost), &["-vv"]).end().await;
    for Ended { code, said, .. } in [from_file, given] {
        assert!(code == Some(1) && said.contains("refuses the name \"newsloom\" or its password"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn virtual_host_that_does_not_exist_is_an_error() {
    let desk = Desk::new().await;
    let Ended { code, said, .. } = Consume::of(&desk.broker.url("nowhere"), &[]).end().await;
    assert!(code == Some(1) && said.contains("no virtual host \"nowhere\""), "{said}");
}

#[tokio::test]
async fn secret_that_does_not_exist_is_an_error() {
    let aws = Aws::start().await.unwrap();
    let environment = aws.environment();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let consume = Consume::start(&environment, &["--url", "amqp://127.0.0.1:1", "--secret", "nothing"]);
    let Ended { code, said, .. } = consume.end().await;
    assert!(code == Some(1) && said.contains("could not read the secret nothing: "), "{said}");
    assert!(said.contains("can't find the specified secret"), "{said}");
}

#[tokio::test]
async fn certificates_of_a_private_authority_are_trusted_when_told() {
    let desk = Desk::new().await;
    let url = desk.broker.tls_url(&desk.vhost);
    let Ended { code, said, .. } = Consume::of(&url, &[]).end().await;
    assert!(code == Some(1) && said.contains("no TLS with amqps://localhost") && said.contains("--ca"), "{said}");

    let ca = desk.broker.ca_file();
    let mut consume = Consume::of(&url, &["--ca", ca.to_str().unwrap(), "--json"]);
    consume.subscribed().await;
    desk.publish(&item("article", "a")).await;
    assert_eq!(ids(&[consume.line().await]), ["a"]);
}

#[tokio::test]
async fn command_line_that_makes_no_sense_ends_with_2() {
    for (arguments, expected) in [
        (&[][..], "no broker: give --url"),
        (&["--url", "reader:hunter2@broker"], "is no address of a broker"),
        (&["--url", "amqps://reader@broker"], "no password for reader"),
        (&["--url", "amqps://broker", "--ca", "/nowhere.pem"], "could not read --ca /nowhere.pem"),
        (&["--queue", "a", "--tail"], "cannot be used with"),
        (&["--prefetch", "0"], "invalid value '0' for '--prefetch <N>'"),
        (&["--expires", "soon"], "no time; 12h and 7d are"),
    ] {
        let Ended { code, said, .. } = Consume::start(&[], arguments).end().await;
        assert!(code == Some(2) && said.contains(expected) && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn help_does_not_show_the_password_of_the_environment() {
    let environment =
        [("NEWSLOOM_BROKER_URL", "amqps://reader:hunter2@broker"), ("NEWSLOOM_BROKER_PASSWORD", "hunter2")];
    let Ended { code, lines, .. } = Consume::start(&environment, &["--help"]).end().await;
    assert!(code == Some(0) && !lines.join("\n").contains("hunter2"));
}

// ------------------------------------------------------------------------------------------------ helpers

fn own_queue(patterns: &str) -> String {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    format!("consume.ada@{host}:{patterns}")
}

impl Consume {
    /// Only makes the queue.
    async fn interrupt_when(self, desk: &Desk, queue: &str) {
        desk.until_queue(queue).await;
        assert_eq!(self.interrupt().await.code, Some(0));
    }
}

impl Desk {
    async fn until_queue(&self, queue: &str) {
        let consumers = || async {
            let (connection, channel) = self.connect().await;
            let passive = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
            let declared = channel.queue_declare(queue.into(), passive, lapin::types::FieldTable::default()).await;
            let consumers = declared.map_or(0, |queue| queue.consumer_count());
            connection.close(200, "".into()).await.unwrap();
            consumers
        };
        let until = async { while consumers().await == 0 {} };
        tokio::time::timeout(PATIENCE, until).await.expect("somebody subscribes");
    }

    async fn connect(&self) -> (lapin::Connection, lapin::Channel) {
        let url = self.broker.url(&self.vhost);
        let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }
}

/// Ends a process once the queue is empty; the ids of what it printed that nobody read yet.
async fn until_empty(desk: &Desk, queue: &str, consume: Consume) -> Vec<String> {
    let until = async { while desk.depth(queue).await > 0 {} };
    tokio::time::timeout(PATIENCE, until).await.expect("the queue becomes empty");
    ids(&consume.interrupt().await.lines)
}

/// A connection whose one way, from the client to the broker, can be held up.
async fn one_way(upstream: String) -> (watch::Sender<bool>, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (hold, forecast) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(carry(client, server, forecast.clone()));
        }
    });
    (hold, address)
}

async fn carry(client: TcpStream, server: TcpStream, mut forecast: watch::Receiver<bool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 4096];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        // Held back for good once nobody can let it go any more.
        if forecast.wait_for(|held| !held).await.is_err() || to_server.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    back.abort();
}
