//! The words of the `newsloom` command.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Turns newsloom.toml into Terraform and CloudFormation: a real-time news feed, enriched, on AWS
#[derive(Debug, Parser)]
#[command(
    name = "newsloom",
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  newsloom synth                                 newsloom.toml → synth-out/
  terraform -chdir=synth-out init
  terraform -chdir=synth-out apply
  newsloom check --config examples/production.toml

Exit status: 0 fine, 1 problems were found, 2 the command was wrong."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write Terraform JSON and CloudFormation templates
    #[command(after_help = "\
Examples:
  newsloom synth
  newsloom synth --config examples/production.toml --out synth-out/production
  newsloom synth --stage enrichment --format terraform
  newsloom synth --without-assets                look at it before anything is built

Only files that changed are touched. Files that an earlier run wrote and this one doesn't are
removed; files that others put there stay.")]
    Synth(Synth),
    /// Say everything that is wrong with a configuration, and write nothing
    #[command(after_help = "\
Examples:
  newsloom check
  newsloom check --config examples/production.toml --json

The pipeline is synthesized and checked in full, against both providers' schemas.")]
    Check(Check),
    /// Print who may do what on which resource
    #[command(after_help = "\
Example:
  newsloom permissions | grep Enrich")]
    Permissions(Config),
    /// Print the JSON Schema of newsloom.toml, for editors
    #[command(after_help = "\
Example:
  newsloom schema --out newsloom.schema.json     what `make schema` does")]
    Schema {
        /// Write it to a file instead
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The environment
    #[arg(short, long, value_name = "FILE", default_value = "newsloom.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Synth {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Where to write
    #[arg(short, long, value_name = "DIR", default_value = "synth-out")]
    pub(crate) out: PathBuf,
    /// What to write
    #[arg(short, long, value_enum, default_value = "all")]
    pub(crate) format: Format,
    /// Only this stage; may be given several times
    #[arg(short, long, value_enum)]
    pub(crate) stage: Vec<StageName>,
    /// Where `make package` puts the packages
    #[arg(long, value_name = "DIR", default_value = "target/package")]
    pub(crate) assets: PathBuf,
    /// Don't look for packages; write placeholders
    #[arg(long, conflicts_with = "assets")]
    pub(crate) without_assets: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Terraform,
    Cloudformation,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StageName {
    Ingestion,
    Enrichment,
    Redistribution,
    Monitoring,
}
