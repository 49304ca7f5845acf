//! What both functions have: a size, and a trigger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How large a function is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Function {
    /// Memory, 128 to 10 240 MiB; the processor's share grows with it, a whole one at 1769.
    #[schemars(range(min = 128, max = 10_240))]
    pub memory_mib: u16,
    /// How long one batch may take, 1 to 900 seconds.
    #[schemars(range(min = 1, max = 900))]
    pub timeout_seconds: u16,
    /// Concurrency kept for this function, which is its limit too. Left out: shared with all
    /// functions of the account.
    #[schemars(range(min = 1, max = 1000))]
    pub reserved_concurrency: Option<u16>,
    /// Lambda layers, version ARNs, at most five: for extensions such as an observability agent.
    #[schemars(
        length(max = 5),
        inner(regex(pattern = r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$"))
    )]
    pub layers: Vec<String>,
    /// How much it logs.
    pub log_level: LogLevel,
}

impl Default for Function {
    fn default() -> Self {
        Self {
            memory_mib: 256,
            timeout_seconds: 60,
            reserved_concurrency: None,
            layers: Vec::new(),
            log_level: LogLevel::Info,
        }
    }
}

/// How much is logged. Headlines and bodies never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What might.
    Warn,
    /// One line per decision; the default.
    #[default]
    Info,
    /// What a developer wants.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Its name, as `RUST_LOG` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How records come to a function, and how long one that fails is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Trigger {
    /// Records in a batch, 1 to 10 000; 6 MB end a batch too.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch_size: u16,
    /// How long to wait for a full batch, 0 to 300 seconds: adds that much to every item's age.
    #[schemars(range(min = 0, max = 300))]
    pub window_seconds: u16,
    /// Batches at once per shard, 1 to 10; versions of a story keep their order.
    #[schemars(range(min = 1, max = 10))]
    pub batches_per_shard: u8,
    /// How often a batch that failed is tried again, 0 to 10 000, before its records go to the
    /// failure queue.
    #[schemars(range(min = 0, max = 10_000))]
    pub retries: u16,
    /// How old a record may be, 60 to 604 800 seconds, before it goes to the failure queue. Must
    /// be less than the stream keeps it, or it expires there unseen.
    #[schemars(range(min = 60, max = 604_800))]
    pub max_record_age_seconds: u32,
    /// Halve a batch that failed, so that one record doesn't hold back the others.
    pub bisect: bool,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            batch_size: 100,
            window_seconds: 0,
            batches_per_shard: 1,
            retries: 100,
            max_record_age_seconds: 21_600,
            bisect: true,
        }
    }
}
