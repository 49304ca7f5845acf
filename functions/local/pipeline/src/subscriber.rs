//! Somebody who takes everything from the exchange, and keeps account of it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use consume::{Broker, Credentials, Queue, Subscribe};
use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::Deployment;

/// A subscription to everything. Dropping it ends it.
#[derive(Debug)]
pub struct Subscriber {
    account: Arc<Mutex<Account>>,
    task: JoinHandle<()>,
}

/// What came out of the exchange so far.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Messages, repeats included.
    pub messages: u64,
    /// Items, each once, with how long it took from the ingester to here.
    pub ages: HashMap<String, Duration>,
    /// The ids of each thread's items, in the order in which they first came. Empty unless they are kept.
    pub threads: BTreeMap<String, Vec<String>>,
    /// Items by language.
    pub languages: BTreeMap<String, u64>,
    /// Items by sentiment, `unjudged` among them.
    pub sentiments: BTreeMap<&'static str, u64>,
    recent: VecDeque<(Instant, Duration)>,
    trouble: Option<String>,
}

/// Why nothing can be subscribed to.
#[derive(Debug, thiserror::Error)]
pub enum SubscriberError {
    /// The broker's address makes no sense.
    #[error(transparent)]
    Address(#[from] consume::BrokerError),
    /// The broker's certificates can't be read.
    #[error("could not read {}: {source}", .path.display())]
    Certificates {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The broker did not let it in.
    #[error("could not subscribe: {0}")]
    Refused(String),
}

/// How long the recent past is, which the rate and the ages of a status line are of.
const RECENT: Duration = Duration::from_secs(10);

/// How long the first connection may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Subscriber {
    /// Subscribes, and returns once the broker has the subscription: whatever is published from now on comes here. With a
    /// queue's name nothing is missed while the broker is away, and the queue goes when it was unused for a minute.
    ///
    /// # Errors
    ///
    /// When the broker can't be reached, or refuses.
    pub async fn start(deployment: &Deployment, queue: Option<&str>) -> Result<Self, SubscriberError> {
        let mut broker = Broker::parse(&deployment.outputs.broker_url)?;
        if let Some(path) = &deployment.broker_ca {
            let certificates = |source| SubscriberError::Certificates { path: path.clone(), source };
            broker = broker.ca(std::fs::read_to_string(path).map_err(certificates)?);
        }
        let client = aws_sdk_secretsmanager::Client::new(&deployment.config);
        let credentials = Credentials::Secret { client, id: deployment.outputs.broker_secret.clone() };
        let queue = queue.map_or_else(Queue::tail, |name| Queue::durable(name).expires(Duration::from_mins(1)));
        let subscribe = Subscribe::to(broker, queue).exchange(&deployment.exchange).prefetch(1000);
        let mut subscription = subscribe.credentials(credentials).start();
        let account = Arc::new(Mutex::new(Account::default()));
        let kept = Arc::clone(&account);
        let started = Instant::now();
        while !subscription.is_connected() {
            let refused = SubscriberError::Refused;
            match tokio::time::timeout(Duration::from_millis(10), subscription.next()).await {
                Ok(Some(Ok(delivery))) => {
                    lock(&kept).note(&delivery, 0);
                    delivery.ack();
                }
                Ok(Some(Err(error))) => return Err(refused(error.to_string())),
                Ok(None) => return Err(refused("it ended at once".to_owned())),
                Err(_) if started.elapsed() > PATIENCE => {
                    return Err(refused(format!("no subscription within {} s", PATIENCE.as_secs())));
                }
                Err(_) => {}
            }
        }
        let task = tokio::spawn(async move {
            while let Some(delivery) = subscription.next().await {
                match delivery {
                    Ok(delivery) => {
                        let repeats = subscription.counts().duplicates;
                        lock(&kept).note(&delivery, repeats);
                        delivery.ack();
                    }
                    Err(error) => lock(&kept).trouble = Some(error.to_string()),
                }
            }
        });
        Ok(Self { account, task })
    }

    /// What came so far, as a copy.
    pub fn account(&self) -> Account {
        lock(&self.account).clone()
    }

    /// Something of it, without copying the rest.
    pub fn look<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        look(&lock(&self.account))
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Account {
    fn note(&mut self, delivery: &consume::Delivery, repeats: u64) {
        let item = &delivery.item.item;
        // The feed's own delays are not ours.
        let age = Timestamp::now().duration_since(item.received.unwrap_or(item.published)).unsigned_abs();
        if self.ages.insert(item.id.clone(), age).is_none() {
            self.threads.entry(item.thread.clone()).or_default().push(item.id.clone());
            *self.languages.entry(item.language.clone()).or_default() += 1;
            *self.sentiments.entry(delivery.item.sentiment.name()).or_default() += 1;
        }
        self.messages = self.ages.len() as u64 + repeats;
        self.recent.push_back((Instant::now(), age));
        while self.recent.front().is_some_and(|(at, _)| at.elapsed() > RECENT) {
            self.recent.pop_front();
        }
    }

    /// How many items came in a second, over the last ten.
    pub fn rate(&self) -> f64 {
        let recent = self.recent.iter().filter(|(at, _)| at.elapsed() <= RECENT).count();
        f64::from(u32::try_from(recent).unwrap_or(u32::MAX)) / RECENT.as_secs_f64()
    }

    /// The age below which so many of a hundred of the last ten seconds' items were; none when none came.
    pub fn age(&self, percent: usize) -> Option<Duration> {
        let mut ages: Vec<_> = self.recent.iter().map(|(_, age)| *age).collect();
        ages.sort_unstable();
        ages.get((ages.len() * percent / 100).min(ages.len().saturating_sub(1))).copied()
    }

    /// Why it ended, if it did.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}
