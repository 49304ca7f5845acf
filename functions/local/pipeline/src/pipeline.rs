//! All of it, running: what the stack describes, between a feed and a broker of this machine.

mod folder;
mod functions;
mod start;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_kinesis::primitives::Blob;
use local::{
    aws::Aws,
    lambda::Lambda,
    rabbitmq::choice::{Choice, Chosen},
};
use settings::Settings;
use simulator::Simulator;
use tokio::sync::Mutex;

use crate::{
    Deployment,
    ingester::{Ingester, IngesterError},
    programs::Programs,
    provision::Provisioned,
    triggers::Trigger,
};

use folder::Folder;

pub use start::{StartError, Started};

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the stack is made from.
    pub settings: Settings,
    /// The programs that its functions and its machine run.
    pub programs: Programs,
    /// Where logs, the ingester's configuration and its spool are kept. It must exist.
    pub folder: PathBuf,
    /// What the feed sends.
    pub feed: simulator::Options,
    /// Where stream, table, queues and secrets are.
    pub aws: Place,
    /// Which RabbitMQ.
    pub broker: Choice,
    /// Who judges headlines.
    pub scorer: Scorer,
    /// Whether everything is let in that the feed sends, whatever the settings' filter says: for books that balance.
    pub unfiltered: bool,
}

/// Where AWS is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// In this process.
    #[default]
    Embedded,
    /// At this address: MiniStack, LocalStack, AWS's own emulator.
    At(String),
}

/// Who judges headlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scorer {
    /// A lexicon that speaks the protocol of SageMaker and of Hugging Face's container. It is no FinBERT.
    Lexicon {
        /// How long a request takes.
        latency: Duration,
    },
    /// An endpoint of SageMaker, with the caller's own AWS credentials.
    SageMaker {
        /// Its name.
        endpoint: String,
    },
}

/// The pipeline, running. Dropping it ends everything at once; [`stop`](Self::stop) lets it finish first.
#[derive(Debug)]
pub struct Pipeline {
    ingester: Mutex<Option<Ingester>>,
    triggers: Vec<Trigger>,
    functions: BTreeMap<String, Arc<Lambda>>,
    feed: Simulator,
    broker: Chosen,
    provisioned: Option<Provisioned>,
    deployment: Deployment,
    environment: Vec<(String, String)>,
    put: AtomicUsize,
    judge: String,
    filters: bool,
    embedded: bool,
    lexicon: bool,
    aws: Aws,
    // Last: others may use the folder once everything is gone.
    _folder: Folder,
}

impl Pipeline {
    /// How to reach it.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The variables that lead a program to its AWS.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Who judges headlines, in a few words.
    pub fn judge(&self) -> &str {
        &self.judge
    }

    /// The feed.
    pub fn feed(&self) -> &Simulator {
        &self.feed
    }

    /// AWS on this machine: the models, and all else unless it is elsewhere.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// The broker.
    pub fn broker(&self) -> &Chosen {
        &self.broker
    }

    /// A function by the name of its program, `enrich` or `publish`.
    ///
    /// # Panics
    ///
    /// When the stack has none of that name.
    pub fn function(&self, name: &str) -> &Lambda {
        self.functions.get(name).unwrap_or_else(|| panic!("the stack has no function {name}"))
    }

    /// All functions.
    pub fn functions(&self) -> impl Iterator<Item = &Lambda> {
        self.functions.values().map(AsRef::as_ref)
    }

    /// The event source mappings, in the order in which items pass them.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// Puts a record on the stream that doesn't come from the feed.
    ///
    /// # Errors
    ///
    /// When Kinesis refuses it.
    pub async fn put(&self, key: &str, data: &str) -> Result<(), aws_sdk_kinesis::Error> {
        let client = aws_sdk_kinesis::Client::new(&self.deployment.config);
        let record = client.put_record().stream_name(&self.deployment.outputs.stream).partition_key(key);
        record.data(Blob::new(data)).send().await?;
        self.put.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// How many records were put on the stream that didn't come from the feed.
    pub fn put_aside_the_feed(&self) -> usize {
        self.put.load(Ordering::Relaxed)
    }

    /// Kills the ingester at once, as a crash would, and starts it again.
    ///
    /// # Errors
    ///
    /// When it doesn't start again.
    pub async fn crash_ingester(&self) -> Result<(), IngesterError> {
        let mut ingester = self.ingester.lock().await;
        if let Some(running) = ingester.take() {
            *ingester = Some(running.crash().await?);
        }
        Ok(())
    }

    /// How many items the ingester's filter has left out.
    pub async fn left_out(&self) -> usize {
        let ingester = self.ingester.lock().await;
        match ingester.as_ref() {
            Some(ingester) if self.filters => ingester.left_out().await.unwrap_or_default(),
            _ => 0,
        }
    }

    /// Whether stream, table and queues are in this process, so that they can be made to fail.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// Whether the lexicon judges, which can be made to fail.
    pub fn has_lexicon(&self) -> bool {
        self.lexicon
    }

    /// Whether the ingester still runs.
    pub async fn ingester_runs(&self) -> bool {
        self.ingester.lock().await.as_mut().is_some_and(Ingester::is_running)
    }

    /// The ends of it, one after the other as items flow: the ingester says goodbye to the feed and sends what it has,
    /// what is on its way is waited for, and then everything else goes.
    ///
    /// # Errors
    ///
    /// When the ingester had to be killed, or something could not be removed at an endpoint that isn't in this process.
    pub async fn stop(mut self) -> Result<(), StopError> {
        let ingester = self.ingester.lock().await.take();
        let ended = match ingester {
            Some(ingester) => ingester.stop().await,
            None => Ok(()),
        };
        for trigger in self.triggers.drain(..) {
            trigger.stop(LAST_BATCHES).await;
        }
        for function in self.functions.values() {
            function.stop().await;
        }
        let remains = match self.provisioned.take() {
            Some(provisioned) => provisioned.remove().await,
            None => Vec::new(),
        };
        ended?;
        if remains.is_empty() { Ok(()) } else { Err(StopError::Remains(remains.join(", "))) }
    }
}

/// What did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The ingester.
    #[error(transparent)]
    Ingester(#[from] IngesterError),
    /// What was made at an endpoint.
    #[error("could not remove {0}")]
    Remains(String),
}

/// How long batches that are under way may take at the end.
const LAST_BATCHES: Duration = Duration::from_secs(5);
