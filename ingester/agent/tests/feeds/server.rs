//! A small HTTP server that answers as a test says, and remembers what it was asked.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{net::TcpListener, task::JoinSet};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) at: Instant,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(self.body)).unwrap()
    }
}

type Script = Box<dyn FnMut(&Asked) -> Answer + Send>;

/// Lives as long as its test.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::new(Mutex::new(Box::new(script))), Arc::clone(&asked)));
        Self { address, asked, _tasks: tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>, asked: Arc<Mutex<Vec<Asked>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (script, asked) = (Arc::clone(&script), Arc::clone(&asked));
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let request = read(&request);
                let answer = (script.lock().unwrap())(&request);
                asked.lock().unwrap().push(request);
                async move { Ok::<_, Infallible>(answer.response()) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn read(request: &Request<Incoming>) -> Asked {
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap().to_owned();
    Asked {
        path: request.uri().path_and_query().unwrap().to_string(),
        headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        at: Instant::now(),
    }
}
