//! A WebSocket to one of LSEG's servers.

use ::lseg::discovery::PROTOCOL;
use futures_util::{Sink, SinkExt, StreamExt};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    future::poll_fn,
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        error::{CapacityError, ProtocolError},
        handshake::client::Request,
        http::{HeaderValue, StatusCode, header},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use url::{Host, Url};

/// The largest message that is taken. The servers' own are of 64 KiB at most (`MaxMsgSize`).
const LARGEST_MESSAGE: usize = 4 << 20;

/// What may wait to be sent. All that is ever sent are a few requests, pongs, and tokens of a few KiB.
const LARGEST_BACKLOG: usize = 256 << 10;

/// What a connection runs over: TCP, or TLS over it.
trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// There is no WebSocket to that server.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("{server} is no address of a WebSocket")]
    Address { server: Url },
    #[error("could not reach {server}: {source}")]
    Unreachable { server: Url, source: io::Error },
    #[error("no TLS with {server}: {source}")]
    Tls { server: Url, source: io::Error },
    #[error("{server} did not answer within {} ms", .after.as_millis())]
    TimedOut { server: Url, after: Duration },
    #[error("{server} refuses the WebSocket: {status}{}", meaning(*.status))]
    Refused { server: Url, status: StatusCode },
    #[error("{server} speaks another protocol than {PROTOCOL}")]
    Subprotocol { server: Url },
    #[error("{server} is no WebSocket server: {source}")]
    Handshake { server: Url, source: tungstenite::Error },
}

impl ConnectError {
    /// Whether another token might help.
    pub(super) fn is_about_the_token(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if matches!(status.as_u16(), 401 | 403))
    }
}

fn meaning(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => " (not logged in)",
        403 => " (not entitled, or not from this network)",
        404 => " (no WebSocket at this path)",
        407 => " (a proxy wants a login)",
        301 | 302 | 307 | 308 => " (redirects of a WebSocket are not followed)",
        _ => "",
    }
}

/// What comes out of a socket.
#[derive(Debug)]
pub(super) enum Heard {
    /// A text frame.
    Text(tungstenite::Utf8Bytes),
    /// A frame of another kind; the WebSocket's own pings are answered already.
    Other,
    /// Nothing else will come, and why.
    Over(String),
}

/// A WebSocket that reads while it writes: what can't be sent at once waits, within bounds.
pub(super) struct Socket {
    stream: WebSocketStream<Box<dyn Transport>>,
    /// From where it was made.
    local: Option<IpAddr>,
    /// Since when something waits to be sent.
    unsent: Option<Instant>,
    /// Sending is impossible; what came before can still be read.
    deaf: Option<String>,
    /// The farewell is in line, after which nothing may be sent.
    closing: bool,
}

impl Socket {
    /// Connects within `limit`, TLS and upgrade included.
    pub(super) async fn open(server: &Url, tls: &Arc<ClientConfig>, limit: Duration) -> Result<Self, ConnectError> {
        let opened = tokio::time::timeout(limit, Self::opened(server, tls)).await;
        opened.unwrap_or_else(|_| Err(ConnectError::TimedOut { server: server.clone(), after: limit }))
    }

    async fn opened(server: &Url, tls: &Arc<ClientConfig>) -> Result<Self, ConnectError> {
        let request = upgrade(server)?;
        let unreachable = |source| ConnectError::Unreachable { server: server.clone(), source };
        let tcp = reach(server).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let local = tcp.local_addr().ok().map(|address| address.ip());
        let transport: Box<dyn Transport> =
            if server.scheme() == "wss" { Box::new(encrypted(server, tls, tcp).await?) } else { Box::new(tcp) };
        let (stream, _) = client_async_with_config(request, transport, Some(bounds()))
            .await
            .map_err(|error| refusal(server, error))?;
        Ok(Self { stream, local, unsent: None, deaf: None, closing: false })
    }

    /// The address on this machine.
    pub(super) fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// Puts a text in line. It is on its way with the next [`next`](Self::next).
    pub(super) fn send(&mut self, text: String) {
        self.put(Message::text(text));
    }

    /// Puts the WebSocket's farewell in line, after which nothing is sent.
    pub(super) fn close(&mut self) {
        self.put(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })));
        self.closing = true;
    }

    /// What comes next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Heard {
        poll_fn(|context| self.poll(context)).await
    }

    /// Sends what the network takes at once, for what isn't worth waiting for.
    pub(super) fn flush_now(&mut self) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let _ = Pin::new(&mut self.stream).poll_flush(&mut context);
    }

    /// Since when the server has not taken what waits to be sent.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.unsent
    }

    fn put(&mut self, message: Message) {
        if self.deaf.is_some() || self.closing {
            return;
        }
        self.unsent.get_or_insert_with(Instant::now);
        if let Err(error) = Pin::new(&mut self.stream).start_send(message) {
            self.deaf = Some(said(&error));
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Heard> {
        self.poll_send(context);
        match self.stream.poll_next_unpin(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(message))) => Poll::Ready(self.heard(message)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Heard::Over(said(&error))),
            Poll::Ready(None) => {
                Poll::Ready(Heard::Over(self.deaf.take().unwrap_or_else(|| "the server hung up".into())))
            }
        }
    }

    // A failure here isn't the end: the server's last words may still wait to be read. Its hanging up ends it, or else
    // the time-out for what is unsent.
    fn poll_send(&mut self, context: &mut Context<'_>) {
        if self.unsent.is_none() || self.deaf.is_some() {
            return;
        }
        match self.stream.poll_flush_unpin(context) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.unsent = None,
            Poll::Ready(Err(error)) => self.deaf = Some(said(&error)),
        }
    }

    fn heard(&mut self, message: Message) -> Heard {
        match message {
            Message::Text(text) => Heard::Text(text),
            Message::Close(frame) => Heard::Over(closed(frame)),
            Message::Ping(_) => {
                // The answer is in line, and only sent with a flush.
                self.unsent.get_or_insert_with(Instant::now);
                Heard::Other
            }
            Message::Binary(_) | Message::Pong(_) | Message::Frame(_) => Heard::Other,
        }
    }
}

fn upgrade(server: &Url) -> Result<Request, ConnectError> {
    let address = || ConnectError::Address { server: server.clone() };
    let mut request = server.as_str().into_client_request().map_err(|_| address())?;
    let headers = request.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(crate::http::USER_AGENT));
    Ok(request)
}

async fn reach(server: &Url) -> io::Result<TcpStream> {
    let port = server.port_or_known_default().unwrap_or(443);
    match server.host() {
        Some(Host::Domain(name)) => TcpStream::connect((name, port)).await,
        Some(Host::Ipv4(address)) => TcpStream::connect((address, port)).await,
        Some(Host::Ipv6(address)) => TcpStream::connect((address, port)).await,
        None => Err(io::Error::other("no host")),
    }
}

async fn encrypted(
    server: &Url,
    tls: &Arc<ClientConfig>,
    tcp: TcpStream,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ConnectError> {
    let name = match server.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).ok(),
        Some(Host::Ipv4(address)) => Some(ServerName::IpAddress(IpAddr::V4(address).into())),
        Some(Host::Ipv6(address)) => Some(ServerName::IpAddress(IpAddr::V6(address).into())),
        None => None,
    };
    let name = name.ok_or_else(|| ConnectError::Address { server: server.clone() })?;
    let connected = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await;
    connected.map_err(|source| ConnectError::Tls { server: server.clone(), source })
}

fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
        .write_buffer_size(0)
        .max_write_buffer_size(LARGEST_BACKLOG)
}

fn refusal(server: &Url, error: tungstenite::Error) -> ConnectError {
    let server = server.clone();
    match error {
        tungstenite::Error::Http(answer) => ConnectError::Refused { server, status: answer.status() },
        tungstenite::Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            ConnectError::Subprotocol { server }
        }
        source => ConnectError::Handshake { server, source },
    }
}

fn closed(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) if frame.reason.is_empty() => format!("the server closed the connection ({})", frame.code),
        Some(frame) => format!("the server closed the connection ({}, {})", frame.code, frame.reason),
        None => "the server closed the connection".into(),
    }
}

fn said(error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { size, .. }) => {
            format!("a message of {size} bytes came; {LARGEST_MESSAGE} are taken")
        }
        tungstenite::Error::WriteBufferFull(_) => "the server takes nothing any more".into(),
        error => format!("the connection broke: {error}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sources::lseg::tests::no_tls;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

    pub(in super::super) async fn listener() -> (TcpListener, Url) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("ws://{}/WebSocket", listener.local_addr().unwrap())).unwrap();
        (listener, url)
    }

    async fn answered(answer: &'static str) -> ConnectError {
        let (listener, url) = listener().await;
        let server = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.read(&mut [0; 4096]).await.unwrap();
            tcp.write_all(answer.as_bytes()).await.unwrap();
            tcp
        };
        let tls = no_tls();
        let (opened, _tcp) = tokio::join!(Socket::open(&url, &tls, Duration::from_secs(5)), server);
        opened.map(|_| ()).unwrap_err()
    }

    #[expect(clippy::result_large_err, reason = "the callback's own type")]
    pub(in super::super) async fn accepted(listener: &TcpListener) -> WebSocketStream<TcpStream> {
        let (tcp, _) = listener.accept().await.unwrap();
        let echo = |_: &Request, mut answer: Response| -> Result<Response, ErrorResponse> {
            answer.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
            Ok(answer)
        };
        tokio_tungstenite::accept_hdr_async(tcp, echo).await.unwrap()
    }

    #[tokio::test]
    async fn refused_upgrade_says_why() {
        let refused = answered("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
        assert!(refused.is_about_the_token());
        assert!(refused.to_string().ends_with("403 Forbidden (not entitled, or not from this network)"), "{refused}");
        let no_server = answered("SSH-2.0-x\r\n\r\n").await;
        assert!(matches!(no_server, ConnectError::Handshake { .. }), "{no_server}");
    }

    #[tokio::test]
    async fn server_that_does_not_echo_the_subprotocol_is_refused() {
        let (listener, url) = listener().await;
        let server = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let _ = tokio_tungstenite::accept_async(tcp).await;
        };
        let tls = no_tls();
        let (opened, ()) = tokio::join!(Socket::open(&url, &tls, Duration::from_secs(5)), server);
        assert!(matches!(opened, Err(ConnectError::Subprotocol { .. })));
    }

    #[tokio::test]
    async fn server_that_says_nothing_is_given_up() {
        let (_listener, url) = listener().await;
        let opened = Socket::open(&url, &no_tls(), Duration::from_millis(20)).await;
        assert!(matches!(opened, Err(ConnectError::TimedOut { .. })));
    }

    #[tokio::test]
    async fn text_goes_both_ways_and_the_end_has_a_reason() {
        let (listener, url) = listener().await;
        let server = async {
            let mut socket = accepted(&listener).await;
            socket.send(Message::Ping(vec![1].into())).await.unwrap();
            socket.send(Message::text("hello")).await.unwrap();
            let pong = socket.next().await.unwrap().unwrap();
            let text = socket.next().await.unwrap().unwrap();
            let bye = CloseFrame { code: CloseCode::Restart, reason: "maintenance".into() };
            socket.close(Some(bye)).await.unwrap();
            (pong, text)
        };
        let tls = no_tls();
        let client = async {
            let mut socket = Socket::open(&url, &tls, Duration::from_secs(5)).await.unwrap();
            assert!(matches!(socket.next().await, Heard::Other));
            assert!(matches!(socket.next().await, Heard::Text(text) if text.as_str() == "hello"));
            socket.send("answer".into());
            socket.next().await
        };
        let (heard, (pong, text)) = tokio::join!(client, server);
        assert!(pong.is_pong());
        assert_eq!(text, Message::text("answer"));
        assert!(matches!(&heard, Heard::Over(why) if why.contains("maintenance")), "{heard:?}");
    }

    #[tokio::test]
    async fn message_that_is_too_large_ends_the_connection() {
        let (listener, url) = listener().await;
        let server = async {
            let mut socket = accepted(&listener).await;
            let _ = socket.send(Message::text("x".repeat(LARGEST_MESSAGE + 1))).await;
        };
        let tls = no_tls();
        let client = async {
            let mut socket = Socket::open(&url, &tls, Duration::from_secs(5)).await.unwrap();
            socket.next().await
        };
        let (heard, ()) = tokio::join!(client, server);
        assert!(matches!(&heard, Heard::Over(why) if why.contains("4194304 are taken")), "{heard:?}");
    }

    #[tokio::test]
    async fn server_that_does_not_read_is_noticed_and_still_read() {
        let (listener, url) = listener().await;
        let tls = no_tls();
        let (socket, mut server) = tokio::join!(Socket::open(&url, &tls, Duration::from_secs(5)), accepted(&listener));
        let mut socket = socket.unwrap();
        // More than any socket's buffers: the rest waits here, up to its bound.
        for _ in 0..400 {
            socket.send("x".repeat(60_000));
            socket.flush_now();
        }
        assert!(socket.stuck_since().is_some());
        server.send(Message::text("still here")).await.unwrap();
        assert!(matches!(socket.next().await, Heard::Text(text) if text.as_str() == "still here"));
    }
}
