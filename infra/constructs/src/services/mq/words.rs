//! Versions, instances and days, in Amazon MQ's words.

use std::fmt;

/// A version of RabbitMQ, major and minor; Amazon MQ installs patches by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub(super) &'static str);

impl Version {
    /// The last of the third generation, which brokers made before 2025 run.
    pub const V3_13: Self = Self("3.13");
    /// Quorum queues by default, limits that can be changed, Prometheus.
    pub const V4_2: Self = Self("4.2");
    /// The newest.
    pub const V4_3: Self = Self("4.3");

    /// A version that came after this was written.
    pub const fn new(version: &'static str) -> Self {
        Self(version)
    }

    pub(super) fn major(self) -> u32 {
        self.0.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a broker runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance(pub(super) &'static str);

macro_rules! instances {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        impl Instance {
            $($(#[$doc])* pub const $constant: Self = Self($name);)*
        }
    };
}

instances! {
    /// For trials of RabbitMQ 3.13, alone.
    T3_MICRO = "mq.t3.micro";
    /// For trials: 300 connections.
    M7G_MEDIUM = "mq.m7g.medium";
    /// The smallest for production: 5000 connections alone.
    M7G_LARGE = "mq.m7g.large";
    /// Twice as large.
    M7G_XLARGE = "mq.m7g.xlarge";
    /// Four times as large.
    M7G_2XLARGE = "mq.m7g.2xlarge";
    /// Eight times as large.
    M7G_4XLARGE = "mq.m7g.4xlarge";
    /// For RabbitMQ 3.13.
    M5_LARGE = "mq.m5.large";
    /// For RabbitMQ 3.13.
    M5_XLARGE = "mq.m5.xlarge";
    /// For RabbitMQ 3.13.
    M5_2XLARGE = "mq.m5.2xlarge";
    /// For RabbitMQ 3.13.
    M5_4XLARGE = "mq.m5.4xlarge";
}

impl Instance {
    /// Any other, by its name: `mq.m7g.8xlarge`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    pub(super) fn is_of(self, family: &str) -> bool {
        self.0.strip_prefix("mq.").is_some_and(|rest| rest.split('.').next() == Some(family))
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "days need no words")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Monday => "MONDAY",
            Self::Tuesday => "TUESDAY",
            Self::Wednesday => "WEDNESDAY",
            Self::Thursday => "THURSDAY",
            Self::Friday => "FRIDAY",
            Self::Saturday => "SATURDAY",
            Self::Sunday => "SUNDAY",
        }
    }
}
