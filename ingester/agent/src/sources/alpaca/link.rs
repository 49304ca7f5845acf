//! A WebSocket.

use crate::http::USER_AGENT;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConfig, pki_types::ServerName};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use url::Url;

/// The largest message: some hundred articles.
const LARGEST: usize = 16 << 20;

/// How long a goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection to a server.
pub(super) struct Link(WebSocketStream<Box<dyn Io>>);

/// There is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0:?} is no address of a WebSocket, wss://host/path")]
    Address(String),
    #[error("could not connect to {host}: {source}")]
    Connect { host: String, source: io::Error },
    #[error("could not open a WebSocket: {0}")]
    Open(tungstenite::Error),
    #[error("the connection broke: {0}")]
    Broken(tungstenite::Error),
    #[error("the server closed the connection{0}")]
    Closed(String),
}

impl Link {
    /// Connects, with TLS if the address wants it.
    pub(super) async fn open(url: &str, tls: &Arc<ClientConfig>) -> Result<Self, LinkError> {
        let none = || LinkError::Address(url.into());
        let address = Url::parse(url).map_err(|_| none())?;
        let host = address.host_str().ok_or_else(none)?;
        let port = address.port_or_known_default().ok_or_else(none)?;
        let failed = |source| LinkError::Connect { host: host.into(), source };
        // Brackets around an IPv6 address are the address's, not the host's.
        let plain_host = host.trim_matches(['[', ']']);
        let tcp = TcpStream::connect((plain_host, port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let stream: Box<dyn Io> = match address.scheme() {
            "wss" => Box::new(secured(tcp, plain_host, tls).await.map_err(failed)?),
            "ws" => Box::new(tcp),
            _ => return Err(none()),
        };
        let mut request = url.into_client_request().map_err(LinkError::Open)?;
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let limits = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        let (socket, _) = client_async_with_config(request, stream, Some(limits)).await.map_err(LinkError::Open)?;
        Ok(Self(socket))
    }

    /// The next message, or nothing for a ping or a pong. Pings are answered.
    pub(super) async fn next(&mut self) -> Result<Bytes, LinkError> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(text.into()),
            Some(Ok(Message::Binary(bytes))) => Ok(bytes),
            Some(Ok(Message::Close(frame))) => Err(closed(frame)),
            Some(Ok(_)) => Ok(Bytes::new()),
            Some(Err(error)) => Err(LinkError::Broken(error)),
            None => Err(closed(None)),
        }
    }

    pub(super) async fn send(&mut self, text: String) -> Result<(), LinkError> {
        self.0.send(Message::text(text)).await.map_err(LinkError::Broken)
    }

    pub(super) async fn ping(&mut self) -> Result<(), LinkError> {
        self.0.send(Message::Ping(Bytes::new())).await.map_err(LinkError::Broken)
    }

    /// Says goodbye, and waits a second for the server to do the same: the place for a connection is free at once then.
    /// Gives what came before that.
    pub(super) async fn close(mut self) -> Vec<Bytes> {
        let mut frames = Vec::new();
        let goodbye = async {
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            if self.0.close(Some(frame)).await.is_ok() {
                while let Some(Ok(message)) = self.0.next().await {
                    if message.is_text() || message.is_binary() {
                        frames.push(message.into_data());
                    }
                }
            }
        };
        let _ = timeout(FAREWELL, goodbye).await;
        frames
    }
}

async fn secured(tcp: TcpStream, host: &str, tls: &Arc<ClientConfig>) -> io::Result<impl Io + use<>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await
}

fn closed(frame: Option<CloseFrame>) -> LinkError {
    // Its reason is the server's own text, so it stays away from logs.
    LinkError::Closed(frame.map(|frame| format!(" with code {}", u16::from(frame.code))).unwrap_or_default())
}
