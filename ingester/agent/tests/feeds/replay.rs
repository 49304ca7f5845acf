//! Recorded items from files and from S3.

use crate::{
    server::{Answer, Asked, Server},
    stage::{Stage, no_tls},
};
use aws_config::{Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use ingester::sources::replay::Replay;
use news::feeds;
use std::{io::Write, path::Path};

const ITEMS: &str = r#"
{"version":1,"id":"a1","thread":"a","source":"tape","provider":"RTRS","language":"en","kind":"alert","status":"usable","headline":"Example plc lifts outlook","published":"2026-01-05T08:00:00Z"}
no item
{"headline":"Sample AG keeps its outlook","language":"DE"}
{"version":9,"headline":"?"}
{"version":1,"id":"a1","thread":"a","source":"tape","provider":"RTRS","language":"en","kind":"alert","status":"usable","headline":"Example plc lifts outlook","published":"2026-01-05T08:00:00Z"}
{"version":1,"id":"a2","thread":"a","source":"tape","provider":"RTRS","language":"en","kind":"article","status":"usable","headline":"Example plc lifts outlook","published":"2026-01-05T08:00:01Z"}"#;

fn replay(location: impl Into<String>) -> Replay {
    let location = location.into();
    Replay::new(feeds::Replay { name: "wire".into(), location, speed: 0.0, repeat: false })
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().into()
}

fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

async fn headlines(stage: &mut Stage) -> Vec<String> {
    stage.items().await.into_iter().map(|item| item.headline).collect()
}

#[tokio::test]
async fn items_of_a_file_go_once_and_what_is_none_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (head, tail) = ITEMS.split_at(ITEMS.len() / 2);
    // Several members, as `cat a.gz b.gz` makes them.
    let members = [compressed(head), compressed(tail)].concat();
    for (name, bytes) in [("a.jsonl", ITEMS.as_bytes().to_vec()), ("a.gz", compressed(ITEMS)), ("b", members)] {
        let file = directory.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let mut stage = Stage::new();
        stage.run(replay(path(&file))).await.unwrap();
        let expected = ["Example plc lifts outlook", "Sample AG keeps its outlook", "Example plc lifts outlook"];
        assert_eq!(headlines(&mut stage).await, expected, "{name}");
        assert_eq!((stage.feed.refused.get(), stage.feed.duplicates.get(), stage.feed.items.get()), (2, 1, 4));
        assert_eq!(stage.feed.connected.get(), 0);
    }
}

#[tokio::test]
async fn what_can_not_be_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cut.gz");
    let bytes = compressed(ITEMS);
    std::fs::write(&file, &bytes[..bytes.len() - 9]).unwrap();
    for (location, expected) in [
        (path(&directory.path().join("none")), "could not open"),
        (path(&file), "could not read"),
        ("s3://example".into(), "\"s3://example\" is no object"),
    ] {
        let error = Stage::new().run(replay(location)).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// S3 with one object, in a region of its own.
fn s3(bytes: Vec<u8>) -> impl FnMut(&Asked) -> Answer {
    let mut asked = 0;
    move |request| {
        asked += 1;
        let authorization = &request.headers["authorization"];
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
        if !authorization.contains("/eu-central-1/s3/aws4_request") {
            return Answer::new(301, "").header("x-amz-bucket-region", "eu-central-1");
        }
        if asked == 2 {
            return Answer::new(503, "<Error><Code>SlowDown</Code></Error>");
        }
        if request.path != "/example/2026/a%20b.jsonl" {
            return Answer::new(404, "<Error><Code>NoSuchKey</Code></Error>");
        }
        let (from, to) = request.headers["range"].strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        if from >= bytes.len() {
            return Answer::new(416, "");
        }
        assert_eq!(request.headers.get("if-match").map(String::as_str), (from > 0).then_some("\"e1\""));
        Answer::new(206, bytes[from..bytes.len().min(to + 1)].to_vec()).header("etag", "\"e1\"")
    }
}

fn from_s3(server: &Server, key: &str) -> Replay {
    let credentials = Credentials::new("AKIDEXAMPLE", "hunter2", None, None, "test");
    let aws = SdkConfig::builder()
        .endpoint_url(server.url(""))
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    replay(format!("s3://example/{key}")).aws(aws).tls(no_tls())
}

#[tokio::test]
async fn object_is_read_part_by_part_from_the_region_where_it_is() {
    // Two parts of four MiB, and a bit.
    let line = format!("{{\"headline\":\"Example plc lifts outlook\",\"body\":\"{}\"}}\n", "x".repeat(500_000));
    let lines: String = (0..18).map(|number| line.replace("lifts", &format!("lifts {number}"))).collect();
    let server = Server::start(s3(lines.into_bytes())).await;
    let mut stage = Stage::new();
    stage.run(from_s3(&server, "2026/a b.jsonl")).await.unwrap();
    let headlines = headlines(&mut stage).await;
    assert_eq!((headlines.len(), headlines[17].as_str()), (18, "Example plc lifts 17 outlook"));
    let ranges: Vec<_> = server.asked().iter().map(|asked| asked.headers["range"].clone()).collect();
    let first = "bytes=0-4194303";
    assert_eq!(ranges, [first, first, first, "bytes=4194304-8388607", "bytes=8388608-12582911"]);
}

#[tokio::test]
async fn object_that_is_not_there_is_an_error_in_the_words_of_s3() {
    let server = Server::start(s3(Vec::new())).await;
    let error = Stage::new().run(from_s3(&server, "none")).await.unwrap_err();
    let expected = "could not read s3://example/none: S3 doesn't give s3://example/none: 404 Not Found, NoSuchKey";
    assert_eq!(format!("{error:#}"), expected);
}

#[tokio::test]
async fn empty_object_has_no_items() {
    let server = Server::start(s3(Vec::new())).await;
    let mut stage = Stage::new();
    stage.run(from_s3(&server, "2026/a b.jsonl")).await.unwrap();
    assert!(stage.items().await.is_empty());
}

#[tokio::test]
async fn replay_that_repeats_goes_on_until_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.jsonl");
    std::fs::write(&file, ITEMS).unwrap();
    let settings = feeds::Replay { name: "wire".into(), location: path(&file), speed: 0.0, repeat: true };
    let live = async |live: &mut crate::stage::Live<'_>| {
        live.until("the second round", |feed| feed.items.get() > 4).await;
    };
    Stage::new().beside(Replay::new(settings), live).await;
}
