//! Alarms, dashboard, logs and traces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Alarms, dashboard, logs and traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Monitoring {
    /// Who gets mail when an alarm goes off, and has to confirm once. Empty: alarms change their
    /// state and nobody is told.
    #[schemars(length(max = 20), inner(regex(pattern = r"^[^\s@,;]+@[^\s@,;]+\.[^\s@,;.]+$"), length(max = 254)))]
    pub alarm_mail: Vec<String>,
    /// A dashboard in CloudWatch; the first three of an account are free.
    pub dashboard: bool,
    /// Traces in X-Ray, of the functions and what they call.
    pub tracing: bool,
    /// Days that logs are kept, one of CloudWatch's numbers.
    #[schemars(extend("enum" = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]))]
    pub log_retention_days: u16,
    /// When alarms go off.
    pub thresholds: Thresholds,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            alarm_mail: Vec::new(),
            dashboard: true,
            tracing: false,
            log_retention_days: 14,
            thresholds: Thresholds::default(),
        }
    }
}

/// When alarms go off. One record in a failure queue or in the quarantine always does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// A record that waits longer in a stream means that a function doesn't keep up, 1 to 86 400
    /// seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub iterator_age_seconds: u32,
    /// From publication to the broker, 99 of 100 items, 1 to 86 400 seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub item_age_seconds: u32,
    /// A model's answer, 99 of 100 requests, 1 to 60 000 milliseconds.
    #[schemars(range(min = 1, max = 60_000))]
    pub model_latency_ms: u32,
    /// Functions' errors within five minutes, 1 to 100 000.
    #[schemars(range(min = 1, max = 100_000))]
    pub function_errors: u32,
    /// Minutes without a heartbeat of the ingester, 1 to 60.
    #[schemars(range(min = 1, max = 60))]
    pub heartbeat_minutes: u8,
    /// Of the memory that the broker may use, 10 to 95 percent.
    #[schemars(range(min = 10, max = 95))]
    pub broker_memory_percent: u8,
    /// Left on the broker's disk above the level at which it takes no more messages, which differs from type to
    /// type; 1 to 1000 GiB.
    #[schemars(range(min = 1, max = 1000))]
    pub broker_disk_free_gib: u16,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            iterator_age_seconds: 60,
            item_age_seconds: 120,
            model_latency_ms: 5_000,
            function_errors: 1,
            heartbeat_minutes: 3,
            broker_memory_percent: 80,
            broker_disk_free_gib: 1,
        }
    }
}
