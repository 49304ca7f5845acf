//! A subscriber that notes when each item came, and the times that the item brings along.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use consume::{Broker, Credentials, Queue, Subscribe, Subscription};
use futures_util::StreamExt;
use jiff::Timestamp;
use news::EnrichedItem;
use tokio::task::JoinHandle;

use crate::Deployment;

/// What came so far. Dropping it ends the subscription.
pub(super) struct Arrivals {
    came: Arc<Mutex<Came>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Came {
    items: HashMap<String, Arrival>,
    /// The same items, whole.
    whole: Vec<EnrichedItem>,
    trouble: Option<String>,
}

/// An item's times. All are of this machine's clock, and whole milliseconds but the last. When Kinesis took it is not among
/// them: its emulator says that in whole seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// When the ingester had all of it.
    pub(super) received: Timestamp,
    /// When it was judged.
    pub(super) enriched: Timestamp,
    /// When it was published.
    pub(super) sent: Timestamp,
    /// When it was here, read.
    pub(super) here: Timestamp,
    /// The same by the clock that only goes forward.
    pub(super) at: Instant,
}

/// How long nothing may come while something is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

impl Arrivals {
    /// Subscribes to everything, and returns once the broker has the subscription.
    pub(super) async fn start(deployment: &Deployment) -> Result<Self> {
        let mut broker = Broker::parse(&deployment.outputs.broker_url)?;
        if let Some(path) = &deployment.broker_ca {
            let read = std::fs::read_to_string(path);
            broker = broker.ca(read.with_context(|| format!("could not read {}", path.display()))?);
        }
        let client = aws_sdk_secretsmanager::Client::new(&deployment.config);
        let credentials = Credentials::Secret { client, id: deployment.outputs.broker_secret.clone() };
        let subscribe = Subscribe::to(broker, Queue::tail()).exchange(&deployment.exchange).prefetch(1000);
        let subscription = subscribe.credentials(credentials).start();
        let started = Instant::now();
        while !subscription.is_connected() {
            ensure!(started.elapsed() < PATIENCE, "no subscription within {} s", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let came = Arc::new(Mutex::new(Came::default()));
        let task = tokio::spawn(listen(subscription, Arc::clone(&came)));
        Ok(Self { came, task })
    }

    /// How many items came.
    pub(super) fn count(&self) -> usize {
        lock(&self.came).items.len()
    }

    /// Waits until so many items have come.
    pub(super) async fn until(&self, count: usize) -> Result<()> {
        let mut latest = (self.count(), Instant::now());
        while latest.0 < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let now = self.count();
            if now > latest.0 {
                latest = (now, Instant::now());
            }
            if let Some(trouble) = &lock(&self.came).trouble {
                bail!("the subscription ended: {trouble}");
            }
            let waited = latest.1.elapsed();
            ensure!(
                waited < PATIENCE,
                "{count} items were to come; after {now} nothing did for {} s",
                PATIENCE.as_secs()
            );
        }
        Ok(())
    }

    /// What came, and forgets it.
    pub(super) fn take(&self) -> (HashMap<String, Arrival>, Vec<EnrichedItem>) {
        let mut came = lock(&self.came);
        (std::mem::take(&mut came.items), std::mem::take(&mut came.whole))
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(mut subscription: Subscription, came: Arc<Mutex<Came>>) {
    while let Some(delivery) = subscription.next().await {
        let (at, here) = (Instant::now(), Timestamp::now());
        match delivery {
            Ok(delivery) => {
                lock(&came).note(&delivery, at, here);
                delivery.ack();
            }
            Err(error) => lock(&came).trouble = Some(error.to_string()),
        }
    }
}

impl Came {
    fn note(&mut self, delivery: &consume::Delivery, at: Instant, here: Timestamp) {
        let enriched = &delivery.item;
        let times = (enriched.item.received, delivery.sent);
        let (Some(received), Some(sent)) = times else {
            self.trouble = Some(format!("{} came without one of its times: {times:?}", delivery.message_id));
            return;
        };
        let arrival = Arrival { received, enriched: enriched.enriched, sent, here, at };
        if self.items.insert(enriched.item.id.clone(), arrival).is_none() {
            self.whole.push(enriched.clone());
        }
    }
}

fn lock(came: &Mutex<Came>) -> MutexGuard<'_, Came> {
    came.lock().unwrap_or_else(PoisonError::into_inner)
}
