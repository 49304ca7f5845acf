//! Health and metrics, for this machine only.
//!
//! `GET /healthz` is 200 while every feed delivers and the sink takes, else 503; both with the whole story as JSON.
//! `GET /metrics` is OpenMetrics, for Prometheus.

use crate::status::{FeedStatus, Status};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// OpenMetrics' media type (OpenMetrics 1.0, "Protocol Negotiation").
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What `/healthz` says.
#[derive(Debug, Serialize)]
pub struct Health {
    /// `ok`, or `degraded`: something doesn't deliver, or waits on disk.
    pub status: &'static str,
    /// Every feed.
    pub feeds: Vec<FeedHealth>,
    /// Where items go.
    pub sink: SinkHealth,
}

/// One feed.
#[derive(Debug, Serialize)]
pub struct FeedHealth {
    /// As the configuration names it.
    pub name: String,
    /// Connections that deliver.
    pub connected: i64,
    /// How long its server has been silent.
    pub silence_seconds: u64,
    /// Whole items so far.
    pub items: u64,
    /// Why it doesn't deliver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Where items go.
#[derive(Debug, Serialize)]
pub struct SinkHealth {
    /// Records that it has.
    pub accepted: u64,
    /// Records that wait on disk.
    pub spooled: i64,
    /// Records that are nowhere.
    pub lost: u64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl Health {
    /// How it is now.
    pub fn of(status: &Status) -> Self {
        let feeds: Vec<_> = status.feeds().iter().map(|feed| FeedHealth::of(feed)).collect();
        let sink = status.sink();
        let sink = SinkHealth {
            accepted: sink.accepted.get(),
            spooled: sink.spooled.get(),
            lost: sink.lost.get(),
            trouble: sink.current_trouble(),
        };
        let is_well = feeds.iter().all(|feed| feed.trouble.is_none()) && sink.trouble.is_none() && sink.spooled == 0;
        Self { status: if is_well { "ok" } else { "degraded" }, feeds, sink }
    }
}

impl FeedHealth {
    fn of(feed: &FeedStatus) -> Self {
        let connected = feed.connected.get();
        let silent = || format!("not connected for {} s", feed.silence().as_secs());
        let has_ended = feed.has_ended();
        Self {
            name: feed.name.clone(),
            connected,
            silence_seconds: feed.silence().as_secs(),
            items: feed.items.get(),
            trouble: feed.current_trouble().or_else(|| (connected == 0 && !has_ended).then(silent)),
        }
    }
}

/// A port to serve from, so that a taken one is known before anything starts.
///
/// # Errors
///
/// The port can't be had.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, status: Arc<Status>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of handles, most likely: the feeds need them more.
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        let status = Arc::clone(&status);
        let service = service_fn(move |request| {
            let answer = answer(&request, &status);
            async move { Ok::<_, Infallible>(answer) }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(serving);
    }
}

fn answer(request: &Request<Incoming>, status: &Status) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".into());
    }
    match request.uri().path() {
        "/metrics" => text(StatusCode::OK, OPEN_METRICS, status.metrics()),
        "/healthz" => {
            let health = Health::of(status);
            let code = if health.status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            text(code, "application/json", serde_json::to_string(&health).unwrap_or_default() + "\n")
        }
        _ => text(StatusCode::NOT_FOUND, "text/plain", "/healthz and /metrics are here\n".into()),
    }
}

fn text(code: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let tls = crate::tls::trusting(rustls::RootCertStore::empty());
        let client = crate::http::client(&tls, PATIENCE).unwrap();
        let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn health_tells_who_delivers_and_who_does_not() {
        let mut status = Status::new();
        let (lseg, press) = (status.feed("lseg"), status.feed("press"));
        lseg.connected.set(2);
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::new(status)));

        press.trouble(Some("https://news.example/feed answers 500".into()));
        let (code, body) = get(address, "/healthz").await;
        let health: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((code, health["status"].as_str()), (503, Some("degraded")));
        assert_eq!(health["feeds"][0]["trouble"], serde_json::Value::Null);
        assert_eq!(health["feeds"][1]["trouble"], "https://news.example/feed answers 500");

        press.trouble(None);
        press.connected.set(1);
        assert_eq!(get(address, "/healthz").await.0, 200);
        let (code, metrics) = get(address, "/metrics").await;
        assert!(code == 200 && metrics.contains("newsloom_ingester_connected{feed=\"lseg\"} 2"), "{metrics}");
        assert_eq!(get(address, "/").await.0, 404);
    }
}
