//! What the tests need around the command: an exchange with news on it, and the process itself.

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use local::rabbitmq::Broker;
use news::{EnrichedItem, routing};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// How long anything may take, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A virtual host with the exchange as publish makes it, and a connection to publish on.
pub(crate) struct Desk {
    pub(crate) broker: &'static Broker,
    pub(crate) vhost: String,
    pub(crate) channel: Channel,
    _connection: Connection,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let desk = Self::without_exchange(Broker::shared().await.unwrap()).await;
        desk.declare_exchange().await;
        desk
    }

    pub(crate) async fn without_exchange(broker: &'static Broker) -> Self {
        let vhost = broker.vhost().await.unwrap();
        let connection = Connection::connect(&broker.url(&vhost), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { broker, vhost, channel, _connection: connection }
    }

    /// As publish does it.
    pub(crate) async fn declare_exchange(&self) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        let alternate = AMQPValue::LongString(routing::unrouted(routing::EXCHANGE).into());
        arguments.insert("alternate-exchange".into(), alternate);
        let exchange = routing::EXCHANGE.into();
        self.channel.exchange_declare(exchange, ExchangeKind::Topic, options, arguments).await.unwrap();
    }

    pub(crate) async fn publish(&self, item: &EnrichedItem) {
        let body = serde_json::to_vec(item).unwrap();
        self.send(&routing::key(item), Some(&routing::message_id(&item.item.id)), &body).await;
    }

    pub(crate) async fn publish_all(&self, items: &[EnrichedItem]) {
        for item in items {
            self.publish(item).await;
        }
    }

    pub(crate) async fn send(&self, key: &str, id: Option<&str>, body: &[u8]) {
        let properties = BasicProperties::default().with_delivery_mode(2);
        let properties = id.into_iter().fold(properties, |properties, id| properties.with_message_id(id.into()));
        let exchange = routing::EXCHANGE.into();
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish(exchange, key.into(), options, body, properties).await;
        assert!(sent.unwrap().await.unwrap().is_ack());
    }

    /// A process that subscribes here, as the broker's administrator.
    pub(crate) fn consume(&self, arguments: &[&str]) -> Consume {
        Consume::of(&self.broker.url(&self.vhost), arguments)
    }

    /// How many items a quorum queue has, also those that somebody holds.
    pub(crate) async fn depth(&self, queue: &str) -> usize {
        let (state, count) =
            (format!("{{'{}_{queue}', node()}}", self.vhost), "fun rabbit_fifo:query_messages_total/1");
        let query = format!("begin {{ok, {{_, Count}}, _}} = ra:local_query({state}, {count}), Count end");
        self.broker.eval(query).await.unwrap().parse().unwrap()
    }

    /// Waits until it has so many: the queue hears of acknowledgements a moment after the broker took them.
    pub(crate) async fn until_depth(&self, queue: &str, expected: usize) {
        let mut depth = self.depth(queue).await;
        let until = async {
            while depth != expected {
                depth = self.depth(queue).await;
            }
        };
        let late = tokio::time::timeout(PATIENCE, until).await;
        assert!(late.is_ok(), "{queue} has {depth} items, not {expected}");
    }

    /// How many queues there are.
    pub(crate) async fn queues(&self) -> String {
        let vhost = &self.vhost;
        self.broker.eval(format!("length(rabbit_amqqueue:list(<<\"{vhost}\">>))")).await.unwrap()
    }
}

/// The contract's example of that name, as somebody else's.
pub(crate) fn item(example: &str, id: &str) -> EnrichedItem {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contract/examples");
    let text = std::fs::read_to_string(folder.join(example).with_extension("json")).unwrap();
    let mut item: EnrichedItem = serde_json::from_str(&text).unwrap();
    item.item.id = id.into();
    item
}

/// So many articles, with so many bytes each.
pub(crate) fn articles(count: usize, bytes: usize) -> Vec<EnrichedItem> {
    let article = |number| {
        let mut item = item("article", &format!("article-{number:04}"));
        item.item.body = "x".repeat(bytes);
        item
    };
    (0..count).map(article).collect()
}

/// The ids in lines of JSON.
pub(crate) fn ids(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| serde_json::from_str::<EnrichedItem>(line).unwrap().item.id).collect()
}

/// The ids of items.
pub(crate) fn ids_of(items: &[EnrichedItem]) -> Vec<String> {
    items.iter().map(|item| item.item.id.clone()).collect()
}

/// A process of the command.
pub(crate) struct Consume {
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    said: Arc<Mutex<String>>,
    listening: tokio::task::JoinHandle<()>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// What it printed that nobody had read yet.
    pub(crate) lines: Vec<String>,
    pub(crate) said: String,
}

impl Consume {
    /// Of a broker.
    pub(crate) fn of(url: &str, arguments: &[&str]) -> Self {
        Self::start(&[("NEWSLOOM_BROKER_URL", url)], arguments)
    }

    pub(crate) fn start(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consume"));
        // Nothing of the developer's own.
        command.env_clear().env("USER", "ada").envs(environment.iter().copied()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let listening = tokio::spawn(listen(child.stderr.take().unwrap(), said.clone()));
        Self { child, lines: Some(lines), said, listening }
    }

    /// The next line that it prints.
    pub(crate) async fn line(&mut self) -> String {
        let next = self.lines.as_mut().unwrap().next_line();
        let line = tokio::time::timeout(PATIENCE, next).await;
        let line = line.unwrap_or_else(|_| panic!("no line; it said:\n{}", self.said()));
        line.unwrap().unwrap_or_else(|| panic!("no more lines; it said:\n{}", self.said()))
    }

    pub(crate) async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            lines.push(self.line().await);
        }
        lines
    }

    /// Waits until it has begun to print a line, and reads no more of it than that.
    pub(crate) async fn until_printing(&mut self) {
        let begun = tokio::time::timeout(PATIENCE, self.lines.as_mut().unwrap().get_mut().fill_buf()).await;
        assert!(!begun.expect("it prints").unwrap().is_empty());
    }

    /// Nobody reads its lines any more.
    pub(crate) fn close_output(&mut self) {
        self.lines = None;
    }

    /// Waits until it said this so often on standard error.
    pub(crate) async fn until_said(&self, text: &str, times: usize) {
        let said = async {
            while self.said().matches(text).count() < times {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let late = tokio::time::timeout(PATIENCE, said).await;
        late.unwrap_or_else(|_| panic!("it didn't say {text:?}, but:\n{}", self.said()));
    }

    pub(crate) async fn subscribed(&self) {
        self.until_said("Subscribed.", 1).await;
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs");
        kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end, and reads what it still printed.
    pub(crate) async fn end(mut self) -> Ended {
        let ending = async {
            let mut rest = Vec::new();
            while let Some(lines) = &mut self.lines
                && let Some(line) = lines.next_line().await.unwrap()
            {
                rest.push(line);
            }
            (self.child.wait().await.unwrap(), rest)
        };
        let ended = tokio::time::timeout(PATIENCE, ending).await;
        let (status, lines) =
            ended.unwrap_or_else(|_| panic!("it doesn't end; it said:\n{}", self.said.lock().unwrap()));
        (&mut self.listening).await.unwrap();
        Ended { code: status.code(), lines, said: self.said.lock().unwrap().clone() }
    }

    /// Waits for its end without reading what it prints.
    pub(crate) async fn end_unread(mut self) -> Option<i32> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").unwrap().code()
    }

    pub(crate) async fn interrupt(self) -> Ended {
        self.signal(Signal::SIGINT);
        self.end().await
    }
}

async fn listen(mut stderr: tokio::process::ChildStderr, said: Arc<Mutex<String>>) {
    let mut buffer = vec![0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        said.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}
