//! The pipeline, read in the order that records flow.
//!
//! ```text
//! feeds ─▶ Ingestion/News ─▶ Enrichment/Enrich ─▶ Enrichment/Articles ─▶ Redistribution/Publish ─▶ Redistribution/Broker
//! ```
//!
//! Every stage is a construct: all of them in one stack, a stack each, or one alone.

mod enrichment;
mod ingestion;
mod machine;
mod monitoring;
mod redistribution;
mod shared;

pub(crate) use enrichment::{Enrichment, EnrichmentRef, table_name};
pub(crate) use ingestion::{Ingestion, IngestionRef, stream_name};
pub(crate) use monitoring::{Monitoring, Watched};
pub(crate) use redistribution::{Redistribution, RedistributionRef};
pub(crate) use shared::{Shared, SharedRef};

use constructs::{
    services::{
        kms::{Key, KeyRef},
        lambda::{self, Origin, Source, Streaming},
        sqs::{Queue, QueueRef},
        units::{Days, Seconds},
    },
    tree::Stack,
};
use settings::{Function, LogLevel, Settings, Trigger};

/// The stage's key, if the customer keeps the keys; also for log groups, which all have the pipeline's name in
/// theirs.
fn own_key(stack: &mut Stack, settings: &Settings, what: &'static str) -> Option<KeyRef> {
    own_key_for(stack, settings, what, |key| for_logs(key, settings))
}

fn for_logs(key: Key, settings: &Settings) -> Key {
    key.for_log_groups(&settings.region, format!("*{}*", settings.name))
}

/// The same, for services that use it by themselves.
fn own_key_for(
    stack: &mut Stack,
    settings: &Settings,
    what: &'static str,
    services: impl FnOnce(Key) -> Key,
) -> Option<KeyRef> {
    let encryption = &settings.encryption;
    if !encryption.customer_managed {
        return None;
    }
    if let Some(arn) = &encryption.key_arn {
        return Some(stack.add("Key", Key::existing(arn)));
    }
    let key = Key::new(what).deleted_after(Days(encryption.deletion_window_days.into()));
    Some(stack.add("Key", services(key)))
}

/// A queue for what a person has to look at: kept as long as a queue can keep, and nothing takes from it.
fn queue_for_people(stack: &mut Stack, id: &str, days: u8, key: Option<KeyRef>) -> QueueRef {
    let queue = Queue::standard().retention(Days(days.into()));
    stack.add(id, queue.encrypted_by(key))
}

/// What both functions have in common, from the settings.
fn sized(function: lambda::Function, size: &Function, settings: &Settings, key: Option<KeyRef>) -> lambda::Function {
    let mut function = function
        .architecture(architecture(settings))
        .memory(constructs::services::units::Mib(size.memory_mib.into()))
        .timeout(Seconds(size.timeout_seconds.into()))
        .log_level(log_level(size.log_level))
        .log_retention(Days(settings.monitoring.log_retention_days.into()));
    if let Some(level) = own_level(size.log_level) {
        function = function.environment([("RUST_LOG", level)]);
    }
    for layer in &size.layers {
        function = function.layer(layer);
    }
    if let Some(calls) = size.reserved_concurrency {
        function = function.reserved_concurrency(calls.into());
    }
    if settings.monitoring.tracing {
        function = function.traced();
    }
    function.encrypted_by(key).logs_encrypted_by(key)
}

fn architecture(settings: &Settings) -> lambda::Architecture {
    match settings.architecture {
        settings::Architecture::X86 => lambda::Architecture::X86,
        settings::Architecture::Arm => lambda::Architecture::Arm64,
    }
}

/// What Lambda lets through. Metrics are lines of the log that say no level, and those are `Info` to Lambda (Lambda
/// Developer Guide, "Log-level filtering"): it must let these through whatever the function is to be quiet about.
fn log_level(level: LogLevel) -> lambda::LogLevel {
    match level {
        LogLevel::Error | LogLevel::Warn | LogLevel::Info => lambda::LogLevel::Info,
        LogLevel::Debug => lambda::LogLevel::Debug,
        LogLevel::Trace => lambda::LogLevel::Trace,
    }
}

/// What the function filters itself, where Lambda can't.
fn own_level(level: LogLevel) -> Option<&'static str> {
    matches!(level, LogLevel::Error | LogLevel::Warn).then(|| level.name())
}

/// How records come to a function, from the settings. Nothing is lost: a function reports which records
/// failed, and what it gives up on goes to the queue.
fn triggered<K: Origin + Streaming>(source: Source<K>, trigger: &Trigger, failures: QueueRef) -> Source<K> {
    let source = source
        .batch(trigger.batch_size.into())
        .window(Seconds(trigger.window_seconds.into()))
        .parallelization(trigger.batches_per_shard.into())
        .retries(trigger.retries.into())
        .max_age(Seconds(trigger.max_record_age_seconds))
        .report_failures()
        .on_failure(failures);
    if trigger.bisect { source.bisect() } else { source }
}

/// A construct's id from a name in the settings: `wire-news` → `WireNews`.
fn id(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter_map(|word| word.split_at_checked(1)).map(|(first, rest)| first.to_ascii_uppercase() + rest).collect()
}
