//! Listeners: who comes in, and the WebSocket handshake.

use crate::{
    http,
    session::{self, Session},
    wire::Wire,
    world::World,
};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode, header},
    },
};

/// The version of the protocol that both sides must name.
const SUBPROTOCOL: &str = "tr_json2";

/// What is behind a port.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behind {
    Http,
    WebSocket(usize),
}

/// Takes connections until the simulator stops.
pub(crate) async fn listen(world: Arc<World>, listener: TcpListener, behind: Behind) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = world.stop.cancelled() => return,
        };
        match accepted {
            Ok((socket, _)) => drop(tokio::spawn(take(Arc::clone(&world), socket, behind))),
            Err(error) => tracing::warn!(%error, "A connection could not be taken."),
        }
    }
}

async fn take(world: Arc<World>, socket: TcpStream, behind: Behind) {
    // Without it pings would wait for the acknowledgement of what was sent before.
    let _ = socket.set_nodelay(true);
    let wire = match &world.tls {
        None => Wire::plain(socket),
        Some(tls) => match TlsAcceptor::from(Arc::clone(&tls.server)).accept(socket).await {
            Ok(socket) => Wire::tls(socket),
            Err(error) => return tracing::debug!(%error, "No TLS came about."),
        },
    };
    match behind {
        Behind::Http => {
            let stop = world.stop.clone();
            tokio::select! { () = http::serve(world, wire) => {}, () = stop.cancelled() => {} }
        }
        Behind::WebSocket(endpoint) => match handshake(wire).await {
            Ok(socket) => run(world, endpoint, socket).await,
            Err(error) => tracing::debug!(%error, "No WebSocket came about."),
        },
    }
}

async fn run(world: Arc<World>, endpoint: usize, socket: WebSocketStream<Wire>) {
    let session = Session::new(Arc::clone(&world), endpoint, socket);
    session::run(session).await;
}

async fn handshake(wire: Wire) -> Result<WebSocketStream<Wire>, Box<tokio_tungstenite::tungstenite::Error>> {
    #[expect(clippy::result_large_err, reason = "the trait asks for it")]
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if request.uri().path() != "/WebSocket" {
            return Err(refusal(StatusCode::NOT_FOUND, "the stream is at /WebSocket"));
        }
        let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
        let mut offered = offered.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        if !offered.any(|offered| offered.trim() == SUBPROTOCOL) {
            return Err(refusal(StatusCode::BAD_REQUEST, "the subprotocol tr_json2 must be offered"));
        }
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        Ok(response)
    };
    accept_hdr_async(wire, check).await.map_err(Box::new)
}

fn refusal(status: StatusCode, why: &str) -> ErrorResponse {
    let mut refusal = ErrorResponse::new(Some(why.into()));
    *refusal.status_mut() = status;
    refusal
}
