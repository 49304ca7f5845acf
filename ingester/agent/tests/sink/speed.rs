//! How fast the sink is by itself: Kinesis answers at once, on a thread of its own.

use super::{STREAM, client, item};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ingester::{
    outbox::Outboxes,
    sinks::{Sink, kinesis::Kinesis},
    status::Status,
};
use news::feeds::Filter;
use nix::time::ClockId;
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

/// Takes every record.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let records = body.windows(14).filter(|window| window == b"\"PartitionKey\"").count();
    let entry = r#"{"SequenceNumber":"1","ShardId":"shardId-000000000000"}"#;
    let answer = format!(r#"{{"FailedRecordCount":0,"Records":[{}]}}"#, vec![entry; records].join(","));
    Ok(Response::builder().header("content-type", "application/x-amz-json-1.1").body(answer.into()).unwrap())
}

/// The address of a Kinesis that answers at once.
fn stub() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
            }
        });
    });
    url
}

#[tokio::test]
#[ignore = "a measurement"]
async fn records_a_second_and_how_long_one_takes() {
    const RECORDS: u32 = 60_000;
    let busy = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
    let before = busy();
    let (seconds, _) = measure(RECORDS, None).await;
    let each = busy().saturating_sub(before) / RECORDS;
    println!(
        "{:.0} records/s of 1.3 KB, as many as it takes; {each:?} of its thread for one",
        f64::from(RECORDS) / seconds
    );
    for rate in [50, 1000, 5000] {
        let pause = Duration::from_secs(1) / rate;
        let (_, metrics) = measure(rate * 3, Some(pause)).await;
        let (half, most) = (quantile(&metrics, 0.5), quantile(&metrics, 0.99));
        println!("{rate} records/s: half within {half} s, 99 of 100 within {most} s");
    }
}

/// Sends so many, with pauses between; gives the seconds it took, and the metrics.
async fn measure(records: u32, pause: Option<Duration>) -> (f64, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut status = Status::new();
    let (outboxes, queue) = Outboxes::new(Filter::default(), 64 << 20);
    let outbox = outboxes.of(status.feed("wire"));
    drop(outboxes);
    let sink = Kinesis::new(client(&stub()), STREAM, folder.path().join("spool.redb"), status.sink());
    let template = item("id", "thread");
    let started = Instant::now();
    let feed = async {
        for number in 0..records {
            let mut item = template.clone();
            item.id = number.to_string();
            item.thread = format!("thread-{}", number / 2);
            outbox.send(item).await;
            match pause {
                Some(pause) => tokio::time::sleep_until((started + pause * number).into()).await,
                // As a source does that waits for its socket.
                None if number % 100 == 0 => tokio::task::yield_now().await,
                None => (),
            }
        }
        drop(outbox);
    };
    let (ended, ()) = tokio::join!(sink.run(queue), feed);
    ended.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!((status.sink().accepted.get(), status.sink().lost.get()), (u64::from(records), 0));
    (seconds, status.metrics())
}

/// The end of the histogram's class that has this part of all records behind it.
fn quantile(metrics: &str, part: f64) -> String {
    let classes =
        metrics.lines().filter_map(|line| line.strip_prefix("newsloom_ingester_latency_seconds_bucket{le=\""));
    let classes: Vec<(&str, f64)> = classes
        .map(|line| line.split_once("\"} ").unwrap())
        .map(|(end, count)| (end, count.parse().unwrap()))
        .collect();
    let all = classes.last().unwrap().1;
    classes.iter().find(|(_, count)| *count >= part * all).unwrap().0.to_owned()
}
