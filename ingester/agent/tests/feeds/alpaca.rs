//! Alpaca's stream, as a server of this machine plays it.

use crate::stage::{Live, Stage, no_tls};
use futures_util::{SinkExt, StreamExt};
use ingester::{
    secrets,
    sources::alpaca::{Alpaca, Tempo},
};
use news::feeds;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// Everything that is quick, quick; what mustn't happen in a test, never.
const SOON: Tempo = Tempo {
    pauses: [Duration::from_millis(1), Duration::from_millis(5)],
    healthy: Duration::from_hours(1),
    occupied: Duration::from_hours(1),
    hopeless: Duration::from_hours(1),
    answer: Duration::from_secs(10),
    silence: Duration::from_hours(1),
};

/// The server's end of a connection.
struct Peer<S>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next text of the client's; `None` after its goodbye.
    async fn hear(&mut self) -> Option<Value> {
        while let Some(Ok(message)) = self.0.next().await {
            if let Message::Text(text) = message {
                return Some(serde_json::from_str(&text).unwrap());
            }
        }
        None
    }

    /// From the welcome to the subscription, for the right keys only.
    async fn welcome(&mut self) {
        self.say(json!([{ "T": "success", "msg": "connected" }])).await;
        assert_eq!(self.hear().await.unwrap(), json!({ "action": "auth", "key": "PKEXAMPLE", "secret": "hunter2" }));
        self.say(json!([{ "T": "success", "msg": "authenticated" }])).await;
        assert_eq!(self.hear().await.unwrap(), json!({ "action": "subscribe", "news": ["*"] }));
        self.say(json!([{ "T": "subscription", "news": ["*"] }])).await;
    }

    /// Until the client goes.
    async fn wait(&mut self) {
        while self.hear().await.is_some() {}
    }
}

fn article(id: u64, headline: &str) -> Value {
    json!({
        "T": "n", "id": id, "headline": headline, "summary": "", "author": "A. Writer", "content": "",
        "created_at": "2026-01-05T08:00:00Z", "updated_at": "2026-01-05T08:00:01Z", "url": "https://news.example/1",
        "symbols": ["XMPL"], "source": "example",
    })
}

/// Plays `script` on each connection, with its number, from 1.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(script: impl AsyncFn(usize, Peer<TcpStream>) + 'static) -> (Self, impl Future<Output = ()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let server = Self { address: listener.local_addr().unwrap(), connections: Arc::clone(&connections) };
        let serving = async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                if let Ok(socket) = accept_async(stream).await {
                    script(number, Peer(socket)).await;
                }
            }
        };
        (server, serving)
    }

    fn url(&self) -> String {
        format!("ws://{}/v1beta1/news", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn keys(directory: &Path, secret: &str) -> secrets::Place {
    let file = directory.join("keys.json");
    std::fs::write(&file, json!({ "key_id": "PKEXAMPLE", "secret_key": secret }).to_string()).unwrap();
    secrets::Place::File(file)
}

fn alpaca(url: String, keys: secrets::Place) -> Alpaca {
    let settings =
        feeds::Alpaca { name: "wire".into(), symbols: vec!["*".into()], sandbox: false, secret: None, url: Some(url) };
    Alpaca::new(settings, keys, no_tls()).tempo(SOON)
}

/// Runs the source against a script, with the test beside it.
async fn played(
    script: impl AsyncFn(usize, Peer<TcpStream>) + 'static,
    tempo: Tempo,
    test: impl AsyncFnOnce(&mut Live<'_>, &Server),
) {
    let directory = tempfile::tempdir().unwrap();
    let (server, serving) = Server::start(script).await;
    let source = alpaca(server.url(), keys(directory.path(), "hunter2")).tempo(tempo);
    let mut stage = Stage::new();
    let testing = stage.beside(source, async |live: &mut Live<'_>| test(live, &server).await);
    tokio::select! {
        () = testing => (),
        () = serving => (),
    }
}

async fn trouble(live: &Live<'_>) -> String {
    live.until("trouble", |feed| feed.current_trouble().is_some()).await;
    live.feed.current_trouble().unwrap()
}

#[tokio::test]
async fn articles_come_as_items_in_arrays_of_any_length() {
    let script = async |_, mut peer: Peer<TcpStream>| {
        peer.welcome().await;
        peer.say(
            json!([article(1, "Example plc lifts outlook"), { "T": "n", "id": "?" }, article(2, "Sample AG does too")]),
        )
        .await;
        peer.say(json!([article(1, "Example plc lifts outlook")])).await;
        peer.say(json!([article(3, "Third plc waits")])).await;
        peer.wait().await;
    };
    played(script, SOON, async |live, _| {
        let ids = [live.item().await, live.item().await, live.item().await].map(|item| item.thread);
        assert_eq!(ids, ["alpaca:1", "alpaca:2", "alpaca:3"]);
        let feed = live.feed;
        assert_eq!((feed.connected.get(), feed.refused.get(), feed.duplicates.get()), (1, 1, 1));
        assert_eq!((feed.fragments.get(), feed.disconnects.get(), feed.current_trouble()), (4, 0, None));
    })
    .await;
}

#[tokio::test]
async fn connection_that_is_lost_is_followed_by_another() {
    let script = async |number, mut peer: Peer<TcpStream>| {
        peer.welcome().await;
        peer.say(json!([article(number as u64, "Example plc lifts outlook")])).await;
        if number == 3 {
            peer.wait().await;
        }
    };
    played(script, SOON, async |live, server| {
        for number in 1..=3 {
            assert_eq!(live.item().await.thread, format!("alpaca:{number}"));
        }
        live.until("two losses", |feed| feed.disconnects.get() == 2 && feed.connected.get() == 1).await;
        assert_eq!((server.connections(), live.feed.current_trouble()), (3, None));
    })
    .await;
}

#[tokio::test]
async fn goodbye_is_said_to_the_server() {
    let (said, heard) = std::sync::mpsc::channel();
    let script = async move |_, mut peer: Peer<TcpStream>| {
        peer.welcome().await;
        peer.say(json!([article(1, "Example plc lifts outlook")])).await;
        while let Some(message) = peer.0.next().await {
            said.send(matches!(message, Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1000)).unwrap();
        }
    };
    played(script, SOON, async |live, _| {
        live.item().await;
    })
    .await;
    assert_eq!(heard.recv(), Ok(true));
}

#[tokio::test]
async fn keys_that_are_refused_are_not_tried_again_soon_and_not_shown() {
    let script = async |_, mut peer: Peer<TcpStream>| {
        peer.say(json!([{ "T": "success", "msg": "connected" }])).await;
        peer.hear().await;
        peer.say(json!([{ "T": "error", "code": 402, "msg": "auth failed for PKEXAMPLE/hunter2" }])).await;
        peer.wait().await;
    };
    played(script, SOON, async |live, server| {
        let trouble = trouble(live).await;
        assert_eq!(trouble, "Alpaca says 402, auth failed for ***/***: put other keys into the secret");
        assert_eq!((server.connections(), live.feed.connected.get(), live.feed.disconnects.get()), (1, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn keys_are_read_for_each_connection() {
    let directory = tempfile::tempdir().unwrap();
    let keys = keys(directory.path(), "old");
    let path = directory.path().to_owned();
    let script = async move |number, mut peer: Peer<TcpStream>| {
        if number == 1 {
            peer.say(json!([{ "T": "success", "msg": "connected" }])).await;
            assert_eq!(peer.hear().await.unwrap()["secret"], "old");
            super::alpaca::keys(&path, "hunter2");
            peer.say(json!([{ "T": "error", "code": 402, "msg": "auth failed" }])).await;
        } else {
            peer.welcome().await;
            peer.say(json!([article(1, "Example plc lifts outlook")])).await;
            peer.wait().await;
        }
    };
    let (server, serving) = Server::start(script).await;
    let tempo = Tempo { hopeless: Duration::from_millis(1), ..SOON };
    let source = alpaca(server.url(), keys).tempo(tempo);
    let mut stage = Stage::new();
    tokio::select! {
        () = stage.beside(source, async |live: &mut Live<'_>| { live.item().await; }) => (),
        () = serving => (),
    }
}

#[tokio::test]
async fn place_that_another_connection_has_is_asked_for_again_later() {
    let free = Arc::new(AtomicBool::new(false));
    let is_free = Arc::clone(&free);
    let script = async move |_, mut peer: Peer<TcpStream>| {
        if is_free.load(Ordering::SeqCst) {
            peer.welcome().await;
        } else {
            peer.say(json!([{ "T": "error", "code": 406, "msg": "connection limit exceeded" }])).await;
        }
        peer.wait().await;
    };
    let tempo = Tempo { occupied: Duration::from_millis(2), ..SOON };
    played(script, tempo, async |live, _| {
        let expected = "Alpaca says 406, connection limit exceeded: another program uses these keys";
        assert_eq!(trouble(live).await, expected);
        free.store(true, Ordering::SeqCst);
        live.until("a connection", |feed| feed.connected.get() == 1 && feed.current_trouble().is_none()).await;
    })
    .await;
}

#[tokio::test]
async fn slow_client_is_told_of_a_gap() {
    let script = async |_, mut peer: Peer<TcpStream>| {
        peer.welcome().await;
        peer.say(json!([{ "T": "error", "code": 403, "msg": "already authenticated" }])).await;
        peer.say(json!([
            article(1, "Example plc lifts outlook"),
            { "T": "error", "code": 407, "msg": "slow client" },
            article(2, "Sample AG does too"),
        ]))
        .await;
        peer.wait().await;
    };
    played(script, SOON, async |live, _| {
        assert_eq!([live.item().await, live.item().await].map(|item| item.thread), ["alpaca:1", "alpaca:2"]);
        live.until("a gap", |feed| feed.gaps.get() >= 1 && feed.disconnects.get() >= 1).await;
    })
    .await;
}

#[tokio::test]
async fn news_that_came_with_the_goodbye_is_taken() {
    let script = async |_, mut peer: Peer<TcpStream>| {
        peer.welcome().await;
        peer.say(json!([{ "T": "error", "code": 407, "msg": "slow client" }])).await;
        peer.say(json!([article(1, "Example plc lifts outlook")])).await;
        peer.wait().await;
    };
    let tempo = Tempo { pauses: [Duration::from_hours(1); 2], ..SOON };
    played(script, tempo, async |live, server| {
        assert_eq!((live.item().await.thread.as_str(), server.connections()), ("alpaca:1", 1));
    })
    .await;
}

#[tokio::test]
async fn server_that_answers_pings_is_alive_and_one_that_does_not_is_left() {
    let script = async |number, mut peer: Peer<TcpStream>| {
        peer.welcome().await;
        peer.say(json!([article(number as u64, "Example plc lifts outlook")])).await;
        if number > 1 {
            // Reads nothing, so it answers nothing.
            return std::future::pending().await;
        }
        let mut pings = 0;
        while let Some(Ok(message)) = peer.0.next().await {
            pings += usize::from(matches!(message, Message::Ping(_)));
            if pings == 3 {
                return;
            }
        }
        panic!("the client left a server that answers, after {pings} pings");
    };
    let tempo = Tempo { silence: Duration::from_millis(300), ..SOON };
    played(script, tempo, async |live, _| {
        live.item().await;
        live.item().await;
        live.until("an end of patience", |feed| feed.disconnects.get() == 2).await;
        assert_eq!(trouble(live).await, "the server is silent, and answers no ping");
    })
    .await;
}

#[tokio::test]
async fn pings_of_the_server_are_answered() {
    let script = async |_, mut peer: Peer<TcpStream>| {
        peer.welcome().await;
        peer.0.send(Message::Ping("are you there".into())).await.unwrap();
        let answer = timeout(Duration::from_secs(20), peer.0.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(answer, Message::Pong("are you there".into()));
        peer.say(json!([article(1, "Example plc lifts outlook")])).await;
        peer.wait().await;
    };
    played(script, SOON, async |live, _| {
        live.item().await;
    })
    .await;
}

#[tokio::test]
async fn server_that_says_nothing_does_not_hold_it_up() {
    let speaks = Arc::new(AtomicBool::new(false));
    let may_speak = Arc::clone(&speaks);
    let script = async move |_, mut peer: Peer<TcpStream>| {
        if may_speak.load(Ordering::SeqCst) {
            peer.welcome().await;
        }
        peer.wait().await;
    };
    let tempo = Tempo { answer: Duration::from_millis(300), ..SOON };
    played(script, tempo, async |live, _| {
        assert_eq!(trouble(live).await, "waiting for a welcome took longer than 300ms");
        speaks.store(true, Ordering::SeqCst);
        live.until("a connection", |feed| feed.connected.get() == 1).await;
    })
    .await;
}

#[tokio::test]
async fn missing_keys_are_a_trouble_that_names_the_place() {
    let mut stage = Stage::new();
    let place = secrets::Place::File("/nowhere/keys.json".into());
    stage
        .beside(alpaca("ws://127.0.0.1:9/".into(), place), async |live: &mut Live<'_>| {
            assert!(trouble(live).await.starts_with("could not read /nowhere/keys.json"));
        })
        .await;
}

#[tokio::test]
async fn stream_comes_over_tls_from_a_server_that_is_trusted_only() {
    let authority = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(authority.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![authority.cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let trusting = Arc::new(client.with_root_certificates(roots).with_no_client_auth());

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/v1beta1/news", listener.local_addr().unwrap());
    let serving = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = TlsAcceptor::from(Arc::new(server.clone())).accept(stream).await else { continue };
            let mut peer = Peer(accept_async(stream).await.unwrap());
            peer.welcome().await;
            peer.say(json!([article(1, "Example plc lifts outlook")])).await;
            peer.wait().await;
        }
    };
    let directory = tempfile::tempdir().unwrap();
    let source = |tls| {
        let settings = feeds::Alpaca {
            name: "wire".into(),
            symbols: vec!["*".into()],
            sandbox: false,
            secret: None,
            url: Some(url.clone()),
        };
        Alpaca::new(settings, keys(directory.path(), "hunter2"), tls).tempo(SOON)
    };
    let testing = async {
        let stranger = async |live: &mut Live<'_>| trouble(live).await;
        let trouble = Stage::new().beside(source(no_tls()), stranger).await;
        assert!(trouble.contains("invalid peer certificate"), "{trouble}");
        Stage::new().beside(source(trusting), async |live: &mut Live<'_>| live.item().await).await;
    };
    tokio::select! {
        () = testing => (),
        () = serving => (),
    }
}
