//! The stack's event source mappings, polled with its settings.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::SdkConfig;
use bytes::Bytes;
use jiff::Timestamp;
use local::{
    event_source::{
        Counts, Destination, DynamoDbSource, Invoke, Invoked, KinesisSource, Mapping, Notice, Nowhere, Options, Poller,
        Service, Source, SqsDestination,
    },
    lambda::Lambda,
    runtime_api::Outcome,
};

use crate::stack::{Made, Stack};

/// A mapping that polls.
#[derive(Debug)]
pub struct Trigger {
    mapping: Mapping,
    program: String,
    poller: Poller,
}

/// A mapping that can't be polled.
#[derive(Debug, thiserror::Error)]
#[error("the stack's {mapping} can't be polled here: {cause}")]
pub struct TriggerError {
    mapping: String,
    cause: String,
}

/// How long a shard without new records is left alone. AWS asks once a second or four times; here nobody wants to wait.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A function, and the name of the program that it is.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) program: String,
    pub(crate) lambda: Arc<Lambda>,
}

impl Trigger {
    /// All of a stack, in the order in which items pass them. What happens is written to `triggers.log` in the folder.
    pub(crate) fn all(
        stack: &Stack,
        made: &Made,
        functions: &BTreeMap<String, Named>,
        config: &SdkConfig,
        folder: &Path,
    ) -> Result<Vec<Self>, TriggerError> {
        let log = Log::open(&folder.join("triggers.log"));
        let log = log.map_err(|error| TriggerError { mapping: "mappings".to_owned(), cause: error.to_string() })?;
        let mappings = stack.of_type("AWS::Lambda::EventSourceMapping");
        let triggers = mappings.map(|(id, properties)| {
            let failed = |cause: String| TriggerError { mapping: id.to_owned(), cause };
            let properties = made.resolve(properties).map_err(|error| failed(error.to_string()))?;
            let mapping = Mapping::read(&properties).map_err(|problems| failed(problems.to_string()))?;
            let function = functions.get(&mapping.function_arn()).cloned();
            let function = function.ok_or_else(|| failed(format!("there is no function {}", mapping.function_name)))?;
            let poller = poll(&mapping, made, function.clone(), config, &log).map_err(failed)?;
            Ok(Self { mapping, program: function.program, poller })
        });
        let mut triggers = triggers.collect::<Result<Vec<_>, _>>()?;
        triggers.sort_by_key(|trigger| trigger.mapping.event_source.service == Service::DynamoDb);
        Ok(triggers)
    }

    /// Its settings.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.poller.counts()
    }

    /// Which function it calls, with how many records at once.
    pub fn describe(&self) -> String {
        let Mapping { batch_size, maximum_batching_window, parallelization_factor, .. } = &self.mapping;
        let mut text = format!("{} gets up to {batch_size} at once", self.program);
        if !maximum_batching_window.is_zero() {
            let _ = write!(text, " of {} s", maximum_batching_window.as_secs());
        }
        if *parallelization_factor > 1 {
            let _ = write!(text, " in {parallelization_factor} lanes a shard");
        }
        text
    }

    /// How old the oldest record is that it isn't done with; none when there is none.
    pub fn behind(&self) -> Option<Duration> {
        self.poller.counts().iterator_age
    }

    /// Ends it once the batches that are under way have been answered, or after so long.
    pub async fn stop(self, limit: Duration) {
        self.poller.stop(limit).await;
    }
}

fn poll(mapping: &Mapping, made: &Made, function: Named, config: &SdkConfig, log: &Log) -> Result<Poller, String> {
    let failures = match &mapping.on_failure {
        Some(arn) => Some(queue(arn, made, config)?),
        None => None,
    };
    let name = function.program.clone();
    let log = log.clone();
    let options = Options::default().poll_interval(POLL_INTERVAL).observe(move |notice| log.note(&name, notice));
    let started = match mapping.event_source.service {
        Service::Kinesis => {
            let source = KinesisSource::new(aws_sdk_kinesis::Client::new(config), mapping);
            start(mapping, source, function, failures, options)
        }
        Service::DynamoDb => {
            let source = DynamoDbSource::new(aws_sdk_dynamodbstreams::Client::new(config), mapping);
            start(mapping, source, function, failures, options)
        }
    };
    started.map_err(|error| error.to_string())
}

fn start(
    mapping: &Mapping,
    source: impl Source,
    function: Named,
    failures: Option<SqsDestination>,
    options: Options,
) -> io::Result<Poller> {
    fn with(
        mapping: &Mapping,
        source: impl Source,
        function: Named,
        destination: impl Destination,
        options: Options,
    ) -> io::Result<Poller> {
        Poller::start(mapping.clone(), source, function, destination, options)
    }
    match failures {
        Some(queue) => with(mapping, source, function, queue, options),
        None => with(mapping, source, function, Nowhere, options),
    }
}

fn queue(arn: &str, made: &Made, config: &SdkConfig) -> Result<SqsDestination, String> {
    let queue = SqsDestination::new(aws_sdk_sqs::Client::new(config), arn);
    let queue = queue.ok_or_else(|| format!("{arn} is no queue"))?;
    let url = made.reference_of("Arn", arn).ok_or_else(|| format!("there is no queue {arn}"))?;
    Ok(queue.at(url))
}

impl Invoke for Named {
    async fn invoke(&self, event: Bytes) -> Invoked {
        match self.lambda.invoke(event).await.map(|invocation| invocation.outcome) {
            Ok(Outcome::Response(body)) => Invoked::Answered(body.into()),
            Ok(Outcome::Error { kind, message } | Outcome::InitError { kind, message }) => {
                Invoked::Failed { kind, message }
            }
            Ok(Outcome::TimedOut) => {
                Invoked::Failed { kind: "Sandbox.Timedout".to_owned(), message: "it took too long".to_owned() }
            }
            Err(throttled) => Invoked::NotRun(throttled.to_string()),
        }
    }
}

/// A file that every mapping writes to.
#[derive(Debug, Clone)]
struct Log(Arc<Mutex<File>>);

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(File::options().create(true).append(true).open(path)?))))
    }

    /// Batches that are done are too many to be told one by one.
    fn note(&self, name: &str, notice: &Notice) {
        if !matches!(notice, Notice::BatchDone { .. }) {
            let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk is no reason to stop.
            let _ = writeln!(file, "{:.3} {name}: {notice}", Timestamp::now());
        }
    }
}
