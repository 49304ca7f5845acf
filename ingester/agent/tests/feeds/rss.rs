//! Pages on a server of this machine.

use crate::{
    server::{Answer, Asked, Server},
    stage::{Live, Stage, no_tls},
};
use ingester::sources::rss::{Rss, Tempo};
use news::feeds;
use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const SOON: Tempo = Tempo {
    poll: Duration::from_millis(5),
    apart: Duration::from_millis(1),
    spread: Duration::ZERO,
    timeout: Duration::from_secs(5),
};

fn pages(urls: Vec<String>) -> Rss {
    let settings = feeds::Rss { name: "wire".into(), urls, poll_seconds: 300, language: None };
    Rss::new(settings, no_tls()).tempo(SOON)
}

fn page(titles: &[&str]) -> Answer {
    let item = |title: &&str| format!("<item><guid>{title}</guid><title>{title}</title></item>");
    let items = titles.iter().map(item).collect::<Vec<_>>().concat();
    Answer::new(200, format!("<rss version=\"2.0\"><channel><language>en</language>{items}</channel></rss>"))
}

fn header<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    asked.headers.get(name).map(String::as_str)
}

async fn asked(server: &Server, times: usize) -> Vec<Asked> {
    let waiting = async {
        while server.asked().len() < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the page is asked again");
    server.asked()
}

/// How far a test is, for its server.
#[derive(Debug, Clone, Default)]
struct Step(Arc<AtomicUsize>);

impl Step {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn next(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits for a trouble with these words.
async fn says(live: &Live<'_>, words: &str) {
    live.until(words, |feed| feed.current_trouble().is_some_and(|trouble| trouble.contains(words))).await;
}

#[tokio::test]
async fn only_what_changed_is_asked_for_and_sent() {
    let mut count = 0;
    let server = Server::start(move |asked| {
        count += 1;
        let answer = match (count, header(asked, "if-none-match")) {
            (1, None) => page(&["b", "a"]),
            (5.., _) => page(&["c", "b"]),
            (_, Some("\"v1\"")) => Answer::new(304, ""),
            (_, other) => panic!("asked with {other:?}"),
        };
        answer.header("etag", "\"v1\"").header("last-modified", "Mon, 05 Jan 2026 08:00:05 GMT")
    });
    let server = server.await;
    Stage::new()
        .beside(pages(vec![server.url("/feed")]), async |live: &mut Live<'_>| {
            let headlines = [live.item().await, live.item().await, live.item().await].map(|item| item.headline);
            assert_eq!(headlines, ["a", "b", "c"], "the oldest first, each once");
            assert_eq!((live.feed.connected.get(), live.feed.current_trouble()), (1, None));
            let second = asked(&server, 2).await.remove(1);
            assert_eq!(header(&second, "if-modified-since"), Some("Mon, 05 Jan 2026 08:00:05 GMT"));
            assert!(header(&second, "user-agent").unwrap().starts_with("newsloom-ingester/"));
            assert_eq!(header(&second, "accept-encoding"), Some("gzip"));
        })
        .await;
}

#[tokio::test]
async fn page_that_never_changes_leaves_nothing_to_remember() {
    let server = Server::start(|_| page(&["a"])).await;
    Stage::new()
        .beside(pages(vec![server.url("/feed")]), async |live: &mut Live<'_>| {
            live.item().await;
            asked(&server, 5).await;
            assert!(live.is_empty());
            assert_eq!((live.feed.items.get(), live.feed.duplicates.get()), (1, 0), "the outbox saw it once");
        })
        .await;
}

#[tokio::test]
async fn compressed_page_is_read() {
    let server = Server::start(|_| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(br#"<rss version="2.0"><channel><item><title>a</title></item></channel></rss>"#).unwrap();
        Answer::new(200, encoder.finish().unwrap()).header("content-encoding", "gzip")
    });
    let server = server.await;
    Stage::new()
        .beside(pages(vec![server.url("/feed")]), async |live: &mut Live<'_>| {
            assert_eq!(live.item().await.headline, "a");
        })
        .await;
}

#[tokio::test]
async fn redirections_are_followed_and_those_for_ever_are_remembered() {
    let mut count = 0;
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/old" => Answer::new(301, "").header("location", "/newer"),
        "/newer" => Answer::new(308, "").header("location", "new?x=1"),
        "/new?x=1" => Answer::new(302, "").header("location", "/today"),
        "/today" => {
            count += 1;
            page(&[&format!("n{count}")])
        }
        path => panic!("asked for {path}"),
    });
    let server = server.await;
    Stage::new()
        .beside(pages(vec![server.url("/old")]), async |live: &mut Live<'_>| {
            let (first, second) = (live.item().await, live.item().await);
            assert_eq!((first.headline.as_str(), second.headline.as_str()), ("n1", "n2"));
            assert!(second.thread.starts_with(&format!("rss:{} ", server.url("/old"))), "{}", second.thread);
            let paths: Vec<_> = asked(&server, 6).await.into_iter().take(6).map(|asked| asked.path).collect();
            assert_eq!(paths, ["/old", "/newer", "/new?x=1", "/today", "/new?x=1", "/today"]);
        })
        .await;
}

#[tokio::test]
async fn redirection_that_does_not_end_is_a_trouble() {
    let server = Server::start(|asked| Answer::new(301, "").header("location", format!("{}x", asked.path))).await;
    Stage::new()
        .beside(pages(vec![server.url("/feed")]), async |live: &mut Live<'_>| {
            live.until("trouble", |feed| feed.current_trouble().is_some()).await;
            let expected = format!("{} leads from one address to another more than 5 times", server.url("/feed"));
            assert_eq!(live.feed.current_trouble(), Some(expected));
            assert_eq!(asked(&server, 7).await[6].path, "/feed", "and it is asked again");
        })
        .await;
}

#[tokio::test]
async fn page_that_is_gone_is_never_asked_again_and_the_others_are() {
    let mut others = 0;
    let server = Server::start(move |asked| {
        if asked.path == "/gone" {
            return Answer::new(410, "");
        }
        others += 1;
        page(&[&format!("n{others}")])
    });
    let server = server.await;
    Stage::new()
        .beside(pages(vec![server.url("/gone"), server.url("/feed")]), async |live: &mut Live<'_>| {
            for _ in 0..4 {
                live.item().await;
            }
            let gone = server.asked().into_iter().filter(|asked| asked.path == "/gone").count();
            assert_eq!((gone, live.feed.connected.get()), (1, 1));
            let expected = format!("{} is gone for ever (410): take it out of the configuration", server.url("/gone"));
            assert_eq!(live.feed.current_trouble(), Some(expected));
        })
        .await;
}

#[tokio::test]
async fn server_that_asks_for_a_pause_gets_it() {
    let step = Step::default();
    let now = step.clone();
    let server = Server::start(move |_| match now.get() {
        0 => Answer::new(503, "").header("retry-after", "1"),
        1 => Answer::new(429, ""),
        _ => page(&["a"]).header("cache-control", "max-age=3600"),
    });
    let server = server.await;
    Stage::new()
        .beside(pages(vec![server.url("/feed?token=hunter2")]), async |live: &mut Live<'_>| {
            says(live, &format!("{} answers 503 Service Unavailable", server.url("/feed"))).await;
            assert_eq!(live.feed.connected.get(), 0);
            step.next();
            says(live, &format!("{} answers 429 Too Many Requests", server.url("/feed"))).await;
            step.next();
            live.item().await;
            live.until("an end of the trouble", |feed| feed.current_trouble().is_none()).await;
            let asked = server.asked();
            assert!(asked[1].at - asked[0].at >= Duration::from_secs(1));
        })
        .await;
}

#[tokio::test]
async fn page_that_is_none_is_refused_and_asked_for_in_full_again() {
    let step = Step::default();
    let now = step.clone();
    let server = Server::start(move |asked| {
        assert_eq!(header(asked, "if-none-match"), None, "a bad page isn't known");
        match now.get() {
            0 => Answer::new(200, "<rss version=\"2.0\"><channel><item>").header("etag", "\"v1\""),
            1 => Answer::new(200, vec![b' '; (8 << 20) + 1]).header("etag", "\"v1\""),
            2 => Answer::new(404, "").header("etag", "\"v1\""),
            _ => page(&["a"]),
        }
    });
    let server = server.await;
    let tempo = Tempo { poll: Duration::from_micros(100), ..SOON };
    Stage::new()
        .beside(pages(vec![server.url("/feed")]).tempo(tempo), async |live: &mut Live<'_>| {
            for expected in ["/feed is no page of news: unable to parse XML", "is larger than 8388608", "answers 404"] {
                says(live, expected).await;
                step.next();
            }
            assert_eq!(live.item().await.headline, "a");
            assert!(live.feed.refused.get() >= 1);
        })
        .await;
}

#[tokio::test]
async fn host_is_asked_one_page_after_the_other() {
    let server = Server::start(|_| page(&["a"])).await;
    let urls = (0..4).map(|number| server.url(&format!("/{number}"))).collect();
    let apart = Duration::from_millis(40);
    let source = pages(urls).tempo(Tempo { poll: Duration::from_mins(1), apart, ..SOON });
    Stage::new()
        .beside(source, async |live: &mut Live<'_>| {
            for _ in 0..4 {
                live.item().await;
            }
            let asked = server.asked();
            for pair in asked.windows(2) {
                assert!(pair[1].at - pair[0].at >= apart, "{asked:?}");
            }
        })
        .await;
}

#[tokio::test]
async fn server_that_is_away_is_a_trouble_and_asked_as_usual() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    Stage::new()
        .beside(pages(vec![format!("http://{address}/feed")]), async |live: &mut Live<'_>| {
            live.until("trouble", |feed| feed.current_trouble().is_some()).await;
            let trouble = live.feed.current_trouble().unwrap();
            assert!(trouble.starts_with(&format!("http://{address}/feed error sending request")), "{trouble}");
        })
        .await;
}

#[tokio::test]
async fn what_is_no_address_is_an_error() {
    let error = Stage::new().run(pages(vec!["https://".into()])).await.unwrap_err();
    assert_eq!(error.to_string(), "page 1 of feed wire has no address");
}
