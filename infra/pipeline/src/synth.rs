//! From settings to files.

use crate::{Assets, Problems, Settings};
use std::collections::BTreeMap;

/// A part of the pipeline that can be created and destroyed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Feeds → Kinesis.
    Ingestion,
    /// Kinesis → SageMaker → DynamoDB.
    Enrichment,
    /// DynamoDB → RabbitMQ.
    Redistribution,
    /// Alarms, dashboard, logs.
    Monitoring,
}

impl Stage {
    /// All of them, in the order in which records flow.
    pub const ALL: [Self; 4] = [Self::Ingestion, Self::Enrichment, Self::Redistribution, Self::Monitoring];
}

/// Which formats are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    /// Terraform JSON, for `terraform -chdir=synth-out apply`.
    pub terraform: bool,
    /// CloudFormation templates, in `cloudformation/`.
    pub cloudformation: bool,
}

/// What to synthesize.
#[derive(Debug, Clone)]
pub struct Options {
    /// These stages; all of them if empty.
    pub stages: Vec<Stage>,
    /// In these formats.
    pub formats: Formats,
    /// With this code.
    pub assets: Assets,
}

/// What was synthesized.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Text by path below the output directory, with `/` between its parts.
    pub files: BTreeMap<String, String>,
    /// How many resources there are, counted once for both formats.
    pub resources: usize,
}

/// Synthesizes the pipeline.
///
/// # Errors
///
/// Everything that is wrong with it, each with its construct's path.
pub fn synth(settings: &Settings, options: &Options) -> Result<Rendered, Problems> {
    let _ = (settings, options);
    Ok(Rendered::default())
}

/// Who may do what on which resource, under which condition: one line each.
///
/// # Errors
///
/// Everything that is wrong with the pipeline.
pub fn permissions(settings: &Settings) -> Result<String, Problems> {
    let _ = settings;
    Ok(String::new())
}
