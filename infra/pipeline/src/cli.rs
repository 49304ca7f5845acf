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
  newsloom package                               the functions' zips and the ingester → target/package/
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
  newsloom synth --without-assets=ingester       the functions' packages are there, the ingester's isn't

Only files that changed are touched. Files that an earlier run wrote and this one doesn't are
removed; files that others put there stay.")]
    Synth(Synth),
    /// Build functions and ingester: release builds, checked for Lambda and Amazon Linux, functions zipped
    #[command(after_help = "\
Examples:
  newsloom package
  newsloom package --config examples/production.toml enrich
  newsloom package --from target/lambda          built by `cargo lambda build`, or on another machine

The same sources and the same toolchain give the same bytes, wherever the checkout is. A package whose
executable didn't change is not written again. Nothing is installed: what is missing is named.")]
    Package(Package),
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
pub(crate) struct Package {
    /// Only these; all of them if none is named
    #[arg(value_enum, value_name = "NAME")]
    pub(crate) programs: Vec<AssetName>,
    #[command(flatten)]
    pub(crate) config: Config,
    /// Where the packages go
    #[arg(short, long, value_name = "DIR", default_value = "target/package")]
    pub(crate) out: PathBuf,
    /// Take executables from there instead of building: NAME, or NAME/bootstrap
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
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
    /// Write placeholders for these packages and don't look for them; for all, if none is named
    #[arg(
        long,
        value_enum,
        value_name = "NAMES",
        num_args = 0..,
        require_equals = true,
        value_delimiter = ',',
        default_missing_values = ["enrich", "publish", "ingester"]
    )]
    pub(crate) without_assets: Vec<AssetName>,
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
pub(crate) enum AssetName {
    Enrich,
    Publish,
    Ingester,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StageName {
    Ingestion,
    Enrichment,
    Redistribution,
    Monitoring,
}
