//! A TCP connection that can be cut, held up and refused: the network between a client and the broker.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::background::Background;

/// A forwarder from a free port of 127.0.0.1 to an address. Dropping it closes its connections.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use local::{proxy::Proxy, rabbitmq::Broker};
///
/// let broker = Broker::shared().await?;
/// let proxy = Proxy::start(broker.address()).await?;
/// let url = broker.url_via(&proxy, "/");
/// // … connect to the url, then
/// proxy.cut();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    accepted: Arc<AtomicUsize>,
    _background: Background,
}

/// What the network is like.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    paused: bool,
    refusing: bool,
    /// How often connections were cut.
    cuts: usize,
}

impl Proxy {
    /// Starts forwarding to `upstream`, `127.0.0.1:5672`.
    ///
    /// # Errors
    ///
    /// When no port can be had, or no thread.
    #[expect(clippy::unused_async, reason = "one way to start for all parts, and room for one that must wait")]
    pub async fn start(upstream: impl Into<String>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (weather, forecast) = watch::channel(Weather::default());
        let accepted = Arc::new(AtomicUsize::new(0));
        let forwarding = forward_all(listener, upstream.into().into(), forecast, Arc::clone(&accepted));
        Ok(Self { address, weather, accepted, _background: Background::run("proxy", forwarding)? })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection there is (both sides see a reset). New ones are forwarded.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    /// Holds back every byte, in both directions, as a network does that loses everything: nobody is told.
    pub fn pause(&self) {
        self.weather.send_modify(|weather| weather.paused = true);
    }

    /// Lets bytes through again, also those held back.
    pub fn resume(&self) {
        self.weather.send_modify(|weather| weather.paused = false);
    }

    /// Whether new connections are reset at once. Those there are go on.
    pub fn refuse(&self, refuse: bool) {
        self.weather.send_modify(|weather| weather.refusing = refuse);
    }

    /// How many connections were accepted so far, refused ones not counted.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

async fn forward_all(
    listener: std::net::TcpListener,
    upstream: Arc<str>,
    weather: watch::Receiver<Weather>,
    accepted: Arc<AtomicUsize>,
) {
    let listener = TcpListener::from_std(listener).expect("a listener that does not block");
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        // Closing then tells the other side that something is wrong, in place of a regular end.
        let _ = client.set_zero_linger();
        if weather.borrow().refusing {
            continue;
        }
        accepted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(forward(client, Arc::clone(&upstream), weather.clone()));
    }
}

async fn forward(mut client: TcpStream, upstream: Arc<str>, weather: watch::Receiver<Weather>) {
    let cuts = weather.borrow().cuts;
    let Ok(mut server) = TcpStream::connect(&*upstream).await else { return };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_zero_linger();
    }
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let both = async {
        tokio::join!(carry(from_client, to_server, weather.clone()), carry(from_server, to_client, weather.clone()))
    };
    let mut forecast = weather.clone();
    let cut = forecast.wait_for(|weather| weather.cuts > cuts);
    tokio::select! {
        _ = both => (),
        _ = cut => (),
    }
}

/// Carries bytes until the sender has no more, which the receiver is told.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        weather.wait_for(|weather| !weather.paused).await.map_err(io::Error::other)?;
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
