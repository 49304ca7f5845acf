//! The adapter against a real node.

use crate::support::*;
use lapin::{
    Connection, ConnectionProperties, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use local::{
    proxy::Proxy,
    rabbitmq::{Broker, PASSWORD, USER},
};
use news::routing::header;
use publish::{
    Broker as _, Failure, Limits, NotReady, Returned,
    broker::{ConnectError, RabbitMq, Topology},
    message::Message,
    publish,
};
use runtime::{Budget, with_causes};
use std::time::Duration;
use tokio::time::Instant;

async fn connected(broker: &Broker, vhost: &str) -> RabbitMq<Logins> {
    let mut rabbitmq = RabbitMq::new(told(&plain(broker, vhost), None), Logins::right());
    rabbitmq.connect(budget(10)).await.unwrap();
    rabbitmq
}

#[tokio::test]
async fn message_has_all_that_the_contract_says() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    subscribe(broker, &vhost, "en.positive.*").await;
    let mut rabbitmq = connected(broker, &vhost).await;
    let report = publish(vec![Message::new(0, &article(), Some("Root=1-a"))], &mut rabbitmq, LIMITS, budget(5)).await;
    assert_eq!(confirmed(&report), [article().item.id]);

    let messages = broker.drain(&vhost, QUEUE).await.unwrap();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((message.exchange.as_str(), message.routing_key.as_str()), ("news", "en.positive.rtrs"));
    assert_eq!(message.body, serde_json::to_vec(&article()).unwrap());
    let properties = &message.properties;
    let text = |text: &Option<lapin::types::ShortString>| text.clone().unwrap().to_string();
    assert_eq!(text(properties.content_type()), "application/json");
    assert_eq!(text(properties.kind()), "news.item.v1");
    assert_eq!(text(properties.app_id()), "newsloom");
    assert_eq!((*properties.delivery_mode(), *properties.timestamp()), (Some(2), Some(1_767_323_045)));
    let headers = properties.headers().as_ref().unwrap().inner();
    assert_eq!(headers[header::TRACE], AMQPValue::LongString("Root=1-a".into()));
    assert!(matches!(headers[header::SENT], AMQPValue::LongLongInt(sent) if sent > 1_767_323_045_000));
}

#[tokio::test]
async fn tls_trusts_the_named_file_and_nobody_else() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let url = format!("amqps://{}/{vhost}", broker.tls_address());
    let mut trusting = RabbitMq::new(told(&url, Some(&broker.ca_file())), Logins::right());
    trusting.connect(budget(10)).await.unwrap();
    assert_eq!(confirmed(&send(&["a1"], &mut trusting).await), ["a1"]);

    let mut told = told(&url, None);
    told.connect = Duration::from_secs(2);
    let error = RabbitMq::new(told, Logins::right()).connect(budget(10)).await.unwrap_err();
    assert!(with_causes(&error).contains("UnknownIssuer"), "{}", with_causes(&error));
    assert!(!with_causes(&error).contains(PASSWORD));
}

#[tokio::test]
async fn what_nobody_wants_waits_in_a_bounded_queue_and_the_oldest_go() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let mut told = told(&plain(broker, &vhost), None);
    told.topology = Topology::new("news", 3);
    let mut rabbitmq = RabbitMq::new(told, Logins::right());
    let ids_sent = ["a1", "b1", "c1", "d1", "e1"];
    for id in ids_sent {
        assert_eq!(confirmed(&send(&[id], &mut rabbitmq).await), [id]);
    }
    assert_eq!(ids(broker, &vhost, "news.unrouted").await, ["c1", "d1", "e1"]);
}

#[tokio::test]
async fn message_that_no_queue_takes_fails_and_others_do_not() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    subscribe(broker, &vhost, "*.*.rtrs").await;
    let mut rabbitmq = connected(broker, &vhost).await;
    unbind_unrouted(broker, &vhost).await;
    let batch: Vec<_> = (0..40)
        .map(|position| {
            let provider = if position % 4 == 3 { "nobody" } else { "RTRS" };
            Message::new(position, &item(&format!("{position:02}"), &position.to_string(), provider), None)
        })
        .collect();
    let report = publish(batch, &mut rabbitmq, LIMITS, budget(5)).await;
    let mut failed = failures(&report);
    failed.sort();
    let unwanted: Vec<_> = (0..10).map(|nth| format!("{:02}", nth * 4 + 3)).collect();
    assert_eq!(failed.iter().map(|(id, _)| *id).collect::<Vec<_>>(), unwanted);
    assert_eq!(failed[0].1, "no queue took it (basic.return): 312 NO_ROUTE");
    assert_eq!(broker.queue_depth(&vhost, QUEUE).await.unwrap(), 30);
}

#[tokio::test]
async fn queue_of_another_length_is_used_as_it_is() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    connected(broker, &vhost).await;
    let mut told = told(&plain(broker, &vhost), None);
    told.topology = Topology::new("news", 5);
    let mut rabbitmq = RabbitMq::new(told, Logins::right());
    assert_eq!(confirmed(&send(&["a1"], &mut rabbitmq).await), ["a1"]);
    assert_eq!(ids(broker, &vhost, "news.unrouted").await, ["a1"]);
}

#[tokio::test]
async fn exchange_without_an_alternate_is_used_and_what_nobody_wants_fails() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let connection = Connection::connect(&broker.url(&vhost), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("news".into(), ExchangeKind::Topic, durable, FieldTable::default()).await.unwrap();
    subscribe(broker, &vhost, "*.*.rtrs").await;
    let mut rabbitmq = connected(broker, &vhost).await;
    let batch = vec![Message::new(0, &item("a1", "a", "RTRS"), None), Message::new(1, &item("b1", "b", "x"), None)];
    let report = publish(batch, &mut rabbitmq, LIMITS, budget(5)).await;
    assert_eq!((confirmed(&report), report.first_failure()), (vec!["a1"], Some(1)));
}

#[tokio::test]
async fn user_without_the_right_to_declare_publishes_to_what_is_there() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    broker.add_user("writer", "w").await.unwrap();
    let rights = format!(
        r#"rabbit_auth_backend_internal:set_permissions(<<"writer">>, <<"{vhost}">>, <<"^$">>, <<".*">>, <<"^$">>, <<"test">>)"#
    );
    broker.eval(rights).await.unwrap();
    let writer = || {
        let mut told = told(&plain(broker, &vhost), None);
        told.connect = Duration::from_secs(2);
        RabbitMq::new(told, Logins::of(&[("writer", "w")]))
    };
    let error = writer().connect(budget(5)).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Topology { what, .. } if what == "exchange news.unrouted"), "{error:?}");
    assert!(with_causes(&error).contains("ACCESS_REFUSED"), "{}", with_causes(&error));

    connected(broker, &vhost).await;
    assert_eq!(confirmed(&send(&["a1"], &mut writer()).await), ["a1"]);
}

#[tokio::test]
async fn changed_password_is_read_anew_and_a_wrong_one_is_no_storm() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    broker.add_user("rotated", "first").await.unwrap();
    broker.permit("rotated", &vhost).await.unwrap();
    let logins = Logins::of(&[("rotated", "first"), ("rotated", "second")]);
    let mut rabbitmq = RabbitMq::new(told(&plain(broker, &vhost), None), logins.clone());
    rabbitmq.connect(budget(5)).await.unwrap();
    broker.change_password("rotated", "second").await.unwrap();
    broker.close_connections_of(&vhost).await;
    assert_eq!(confirmed(&send(&["a1"], &mut rabbitmq).await), ["a1"]);
    assert_eq!(logins.asked(), 2);

    let wrong = Logins::of(&[("rotated", "third")]);
    let mut refused = RabbitMq::new(told(&plain(broker, &vhost), None), wrong.clone());
    let error = refused.connect(budget(5)).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Refused { user, .. } if user == "rotated"), "{error:?}");
    assert!(!format!("{error:?} {}", with_causes(&error)).contains("third"));
    assert_eq!(wrong.asked(), 1);
}

trait CloseConnections {
    async fn close_connections_of(&self, vhost: &str);
}

impl CloseConnections for Broker {
    /// Of one virtual host alone: other tests share the node.
    async fn close_connections_of(&self, vhost: &str) {
        let close = format!(
            r#"begin [rabbit_networking:close_connection(Pid, "told to") || Pid <- rabbit_networking:connections(),
               (catch rabbit_reader:info(Pid, [vhost])) =:= [{{vhost, <<"{vhost}">>}}]], ok end"#
        );
        assert_eq!(self.eval(close.replace('\n', " ")).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn connection_that_the_broker_closed_between_batches_is_replaced() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let mut rabbitmq = connected(broker, &vhost).await;
    for id in ["a1", "a2", "a3"] {
        broker.close_connections_of(&vhost).await;
        assert_eq!(confirmed(&send(&[id], &mut rabbitmq).await), [id]);
    }
    assert_eq!(ids(broker, &vhost, "news.unrouted").await, ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn connection_cut_in_mid_batch_is_replaced_and_nothing_is_lost() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let proxy = Proxy::start(broker.address()).await.unwrap();
    let url = format!("amqp://{}/{vhost}", proxy.address());
    let mut rabbitmq = RabbitMq::new(told(&url, None), Logins::right());
    rabbitmq.connect(budget(5)).await.unwrap();
    // Sent, and no answer comes back: then the connection breaks.
    proxy.pause();
    let cutting = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        proxy.cut();
        proxy.resume();
    };
    let (report, ()) = tokio::join!(send(&["a1", "b1", "a2", "a3", "b2"], &mut rabbitmq), cutting);
    assert_eq!(confirmed(&report), ["a1", "a2", "a3", "b1", "b2"]);
    assert_in_order(&ids(broker, &vhost, "news.unrouted").await, &["a1", "a2", "a3", "b1", "b2"]);
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn network_that_swallows_everything_is_noticed_in_time_and_recovered_from() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let proxy = Proxy::start(broker.address()).await.unwrap();
    let mut told = told(&format!("amqp://{}/{vhost}", proxy.address()), None);
    told.connect = Duration::from_millis(500);
    let mut rabbitmq = RabbitMq::new(told, Logins::right());
    rabbitmq.connect(budget(5)).await.unwrap();
    proxy.pause();
    let limits = Limits { confirm: Duration::from_millis(300), ..LIMITS };
    let report = publish(messages(&["a1", "b1", "a2"]), &mut rabbitmq, limits, budget(5)).await;
    assert_eq!((report.failed.len(), report.left.len(), report.first_failure()), (2, 1, Some(0)));
    assert_eq!(failures(&report)[0].1, "not confirmed within 300 ms");

    // It has no answer, so it is asked; and then a new one is tried.
    let started = Instant::now();
    let report = publish(messages(&["a1"]), &mut rabbitmq, limits, budget(5)).await;
    assert!(failures(&report)[0].1.contains("within 500 ms"), "{:?}", failures(&report));
    assert!(started.elapsed() < Duration::from_secs(3));

    proxy.resume();
    let report = publish(messages(&["a1", "b1", "a2"]), &mut rabbitmq, limits, budget(5)).await;
    assert_eq!(confirmed(&report), ["a1", "a2", "b1"]);
    assert_in_order(&ids(broker, &vhost, "news.unrouted").await, &["a1", "a2", "b1"]);
}

#[tokio::test]
async fn blocked_broker_is_waited_for_and_then_reported() {
    let broker = troubled().await;
    let vhost = broker.vhost().await.unwrap();
    let mut rabbitmq = connected(&broker, &vhost).await;
    broker.block().await.unwrap();
    // The broker says that it is blocked only when somebody publishes, and keeps what it got for later.
    let limits = Limits { confirm: Duration::from_millis(500), ..LIMITS };
    let first = publish(messages(&["a1"]), &mut rabbitmq, limits, budget(5)).await;
    assert_eq!(failures(&first), [("a1", "not confirmed within 500 ms".into())]);
    let started = Instant::now();
    let error = rabbitmq.ready(budget(5)).await.unwrap_err();
    assert_eq!(error, NotReady("it has an alarm: low on memory".into()));
    assert!(started.elapsed() >= Duration::from_secs(1));

    let unblocking = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        broker.unblock().await.unwrap();
    };
    let (report, ()) = tokio::join!(send(&["a1", "b1", "a2"], &mut rabbitmq), unblocking);
    assert_eq!(confirmed(&report), ["a1", "a2", "b1"]);
    assert_in_order(&ids(&broker, &vhost, "news.unrouted").await, &["a1", "a2", "b1"]);
}

/// Kills the node while a certain message is on its way.
struct Killing<'a> {
    rabbitmq: RabbitMq<Logins>,
    node: &'a Broker,
    victim: &'static str,
}

impl publish::Broker for Killing<'_> {
    async fn ready(&mut self, budget: Budget) -> Result<(), NotReady> {
        self.rabbitmq.ready(budget).await
    }

    async fn publish(&self, message: &Message) -> Result<Option<Returned>, Failure> {
        let kill = async {
            if message.id == self.victim {
                self.node.kill().await.unwrap();
            }
        };
        tokio::join!(self.rabbitmq.publish(message), kill).0
    }
}

#[tokio::test]
async fn broker_killed_in_mid_batch_loses_nothing() {
    let node = troubled().await;
    let vhost = node.vhost().await.unwrap();
    let rabbitmq = connected(&node, &vhost).await;
    let mut killing = Killing { rabbitmq, node: &node, victim: "b020" };
    let batch: Vec<_> = (0..120).map(|n| format!("{}{:03}", ["a", "b", "c"][n % 3], n / 3)).collect();
    let batch: Vec<_> = batch.iter().map(String::as_str).collect();
    let report = publish(messages(&batch), &mut killing, LIMITS, budget(10)).await;
    let first = report.first_failure().unwrap();
    assert!(first >= 60, "{:?}", failures(&report));
    let before = confirmed(&report);

    node.restart().await.unwrap();
    // What Lambda does: the batch comes again from the earliest failure on.
    let mut rabbitmq = killing.rabbitmq;
    let again = send(&batch[first..], &mut rabbitmq).await;
    assert_eq!(again.first_failure(), None, "{:?}", failures(&again));
    let there = ids(&node, &vhost, "news.unrouted").await;
    assert!(before.iter().all(|id| there.iter().any(|there| there == id)), "what was confirmed is there");
    assert_in_order(&there, &batch);
}

#[tokio::test]
async fn connection_that_was_given_up_is_closed() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    let count = format!(
        r#"length([Pid || Pid <- rabbit_networking:connections(), (catch rabbit_reader:info(Pid, [vhost])) =:= [{{vhost, <<"{vhost}">>}}]])"#
    );
    let rabbitmq = connected(broker, &vhost).await;
    assert_eq!(broker.eval(count.clone()).await.unwrap(), "1");
    drop(rabbitmq);
    eventually("it is gone", || async { broker.eval(count.clone()).await.unwrap() == "0" }).await;
}

#[tokio::test]
async fn declared_queue_is_durable_and_replicated() {
    let broker = Broker::shared().await.unwrap();
    let vhost = broker.vhost().await.unwrap();
    connected(broker, &vhost).await;
    let connection = Connection::connect(&broker.url(&vhost), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1000));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    channel.queue_declare("news.unrouted".into(), durable, arguments).await.unwrap();
    assert_eq!(USER, "newsloom");
}
