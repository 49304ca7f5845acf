//! The HTTP server under every stand-in: one thread, loopback, port 0.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
};

use crate::background::Background;

/// The largest body read: a little over the largest that AWS takes (DynamoDB, 16 MiB).
const LARGEST_BODY: usize = 17 << 20;

/// What an answer turns into: a response, or a connection closed without one.
pub(crate) type Reply = Result<Response<Full<Bytes>>, HangUp>;

/// The connection is closed and the client told nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

/// A running server. Dropping it closes its connections and waits for its thread.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    background: Background,
}

type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;
type Answer = dyn Fn(Request<Bytes>) -> Answering + Send + Sync;

impl Server {
    /// Serves `answer` on a free port of 127.0.0.1, on a thread called `name`.
    pub(crate) fn start<F>(name: &str, answer: impl Fn(Request<Bytes>) -> F + Send + Sync + 'static) -> io::Result<Self>
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let answer: Arc<Answer> = Arc::new(move |request| Box::pin(answer(request)));
        let background = Background::run(name, serve(listener, answer))?;
        Ok(Self { address, background })
    }

    /// `127.0.0.1:` and the port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's own runtime, for what has to go on while the caller's stands still.
    pub(crate) fn runtime(&self) -> &Handle {
        self.background.runtime()
    }
}

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed without an answer")
    }
}

impl std::error::Error for HangUp {}

/// A response with a JSON body and AWS's request id.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, "application/json", body)
}

/// A response with a body of the media type, and AWS's request id.
pub(crate) fn respond(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("content-type", media_type.parse().expect("a media type"));
    headers.insert("x-amzn-requestid", request_id().parse().expect("hexadecimal digits"));
    response
}

/// A random UUID, as AWS gives to each request.
pub(crate) fn request_id() -> String {
    let bits = (fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

async fn serve(listener: std::net::TcpListener, answer: Arc<Answer>) {
    let listener = TcpListener::from_std(listener).expect("a listener that does not block");
    loop {
        // Accepting fails when the process has too many files open; others may be closed meanwhile.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(converse(stream, Arc::clone(&answer)));
    }
}

async fn converse(stream: TcpStream, answer: Arc<Answer>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            match read(request).await {
                Ok(request) => answer(request).await,
                Err(response) => Ok(response),
            }
        }
    });
    // An error here is a client that went away, or a `HangUp` that was asked for.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// The request with the whole of its body.
async fn read(request: Request<Incoming>) -> Result<Request<Bytes>, Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(Request::from_parts(head, body.to_bytes())),
        Err(error) => {
            let message = serde_json::json!({ "message": format!("could not read the body: {error}") });
            Err(json(StatusCode::PAYLOAD_TOO_LARGE, message.to_string()))
        }
    }
}
