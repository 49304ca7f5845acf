//! What a source is given, and what came of it.

use ingester::{
    outbox::{Outbox, Outboxes, Records},
    sources::Source,
    status::{FeedStatus, Status},
};
use news::{NewsItem, feeds::Filter};
use rustls::{ClientConfig, RootCertStore};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A way to a sink that is this test.
pub(crate) struct Stage {
    pub(crate) feed: Arc<FeedStatus>,
    pub(crate) stop: CancellationToken,
    records: Records,
    outbox: Option<Outbox>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let feed = Status::new().feed("wire");
        let (outboxes, records) = Outboxes::new(Filter::default(), 64 << 20);
        let outbox = Some(outboxes.of(Arc::clone(&feed)));
        Self { feed, stop: CancellationToken::new(), records, outbox }
    }

    /// Runs a source to its end.
    pub(crate) async fn run(&mut self, source: impl Source) -> anyhow::Result<()> {
        let outbox = self.outbox.take().expect("a stage is for one source");
        source.run(outbox, self.stop.clone()).await
    }

    /// The items that came until the source ended.
    pub(crate) async fn items(&mut self) -> Vec<NewsItem> {
        let mut items = Vec::new();
        while let Some(record) = self.records.recv().await {
            items.push(NewsItem::from_record(&record.data).unwrap());
        }
        items
    }

    /// Runs a source beside `test`, and stops it afterwards, which takes less than three seconds.
    pub(crate) async fn beside<T>(&mut self, source: impl Source, test: impl AsyncFnOnce(&mut Live<'_>) -> T) -> T {
        let outbox = self.outbox.take().expect("a stage is for one source");
        let stop = self.stop.clone();
        let mut live = Live { feed: &self.feed, records: &mut self.records };
        let (ended, result) = tokio::join!(source.run(outbox, stop.clone()), async {
            let result = tokio::time::timeout(Duration::from_secs(30), test(&mut live)).await;
            stop.cancel();
            (result, tokio::time::Instant::now())
        });
        let (result, stopped) = result;
        assert!(stopped.elapsed() < Duration::from_secs(3), "stopping took {:?}", stopped.elapsed());
        ended.unwrap();
        result.expect("the test's condition never came")
    }
}

/// TLS that trusts nobody, for what goes without.
pub(crate) fn no_tls() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// A source that runs.
pub(crate) struct Live<'a> {
    pub(crate) feed: &'a FeedStatus,
    records: &'a mut Records,
}

impl Live<'_> {
    /// The next item.
    pub(crate) async fn item(&mut self) -> NewsItem {
        let record = self.records.recv().await.expect("the source goes on");
        NewsItem::from_record(&record.data).unwrap()
    }

    /// Whether no item waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Waits for a condition.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&FeedStatus) -> bool) {
        let waiting = async {
            while !condition(self.feed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(came.is_ok(), "{what} never came: {:?}", self.feed);
    }
}
