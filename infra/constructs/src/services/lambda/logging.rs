//! Where and how a function logs.

use crate::{
    services::{
        kms::KeyRef,
        logs::{DEFAULT_RETENTION, LogGroup, LogGroupRef},
        units::Days,
    },
    tree::{Properties, Stack, Text},
};

/// How much of its own events a function logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find a mistake, and all below.
    Debug,
    /// What happened, and all below.
    Info,
    /// What is odd, and all below.
    Warn,
    /// What failed, and all below.
    Error,
    /// What ended the function.
    Fatal,
}

/// How much Lambda logs about a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemLogLevel {
    /// Also what helps to find a mistake.
    Debug,
    /// Also starts, ends and reports.
    Info,
    /// Only what is odd.
    Warn,
}

/// A function's logging.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logging {
    pub(super) target: Target,
    pub(super) format: Format,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A group that is made, how long it keeps its events, and what encrypts them.
    Own {
        kept: Days,
        key: Option<KeyRef>,
    },
    Given(LogGroupRef),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Json { application: Option<LogLevel>, system: Option<SystemLogLevel> },
    Text,
}

impl Default for Logging {
    fn default() -> Self {
        let format = Format::Json { application: None, system: None };
        Self { target: Target::Own { kept: DEFAULT_RETENTION, key: None }, format }
    }
}

impl Logging {
    /// A group of its own again, with another retention.
    pub(super) fn set_retention(&mut self, kept: Days) {
        let key = if let Target::Own { key, .. } = self.target { key } else { None };
        self.target = Target::Own { kept, key };
    }

    /// A group of its own again, with a key.
    pub(super) fn set_key(&mut self, key: KeyRef) {
        let kept = if let Target::Own { kept, .. } = self.target { kept } else { DEFAULT_RETENTION };
        self.target = Target::Own { kept, key: Some(key) };
    }

    /// Levels are for JSON only, so that a level makes it JSON again.
    pub(super) fn set_application_level(&mut self, level: LogLevel) {
        let system = if let Format::Json { system, .. } = self.format { system } else { None };
        self.format = Format::Json { application: Some(level), system };
    }

    pub(super) fn set_system_level(&mut self, level: SystemLogLevel) {
        let application = if let Format::Json { application, .. } = self.format { application } else { None };
        self.format = Format::Json { application, system: Some(level) };
    }

    /// The group that was given, or a new one below the function.
    pub(super) fn settle(&mut self, stack: &mut Stack, function: &Text) -> LogGroupRef {
        let group = match self.target {
            Target::Given(group) => group,
            Target::Own { kept, key } => {
                let group = LogGroup::new().named(Text::from("/aws/lambda/") + function).retention(kept);
                let group = if let Some(key) = key { group.encrypted_by(key) } else { group };
                stack.add("Logs", group)
            }
        };
        self.target = Target::Given(group);
        group
    }

    pub(super) fn properties(&self, [format, application, system, group]: [&'static str; 4]) -> Properties {
        let properties = match self.format {
            Format::Text => Properties::default().set(format, "Text"),
            Format::Json { application: own, system: lambdas } => Properties::default()
                .set(format, "JSON")
                .set_some(application, own.map(LogLevel::word))
                .set_some(system, lambdas.map(SystemLogLevel::word)),
        };
        match self.target {
            Target::Given(to) => properties.set(group, to.name()),
            Target::Own { .. } => properties,
        }
    }
}

impl LogLevel {
    fn word(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl SystemLogLevel {
    fn word(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
        }
    }
}
