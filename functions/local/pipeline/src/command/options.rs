//! What it is told.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use local::rabbitmq::choice::NoChoice;
use settings::{Problem, Problems, Settings};
use simulator::Pace;

use super::{bench, demo, send, soak};
use crate::{
    pipeline::{self, Place, Scorer},
    programs::Programs,
    verify,
};

/// Runs the whole pipeline on this machine, from the same newsloom.toml that is deployed.
///
/// What runs is what the stack describes: its stream, table and queues, its functions with their environment, and its
/// event source mappings with their settings. AWS is emulated in this process, RabbitMQ is a real one, the feed is a
/// simulator of LSEG's with invented news, and a lexicon takes FinBERT's place.
#[derive(Parser, Debug)]
#[command(name = "newsloom-local", version, max_term_width = 100, after_help = "More with --help after a command.")]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

/// What it can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Start everything and print the enriched feed until Ctrl-C
    Demo(demo::Demo),
    /// Put in an item of your own, and print what came out and when
    Send(send::Send),
    /// Put known items in, and say of each whether it came out as expected
    Verify(Box<verify::command::Options>),
    /// Let faults happen for a while, at random, and see whether the books balance
    Soak(soak::Soak),
    /// Measure how long items take and how many a second there are, beside what the parts take alone
    Bench(bench::Bench),
}

/// What every command that starts a pipeline takes.
#[derive(Args, Debug, Clone)]
pub(crate) struct Start {
    /// The environment to run
    #[arg(short, long, value_name = "FILE", default_value = "newsloom.toml")]
    pub(crate) config: PathBuf,

    /// Where logs and the spool are kept
    #[arg(long, value_name = "FOLDER", default_value = "target/local")]
    pub(crate) folder: PathBuf,

    /// Where ingester, enrich and publish are [default: beside this program]
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    pub(crate) programs: Option<PathBuf>,

    /// Use the AWS at this address for all but SageMaker: MiniStack, LocalStack, AWS's own emulator
    #[arg(long, value_name = "URL", help_heading = "Parts")]
    pub(crate) aws_endpoint: Option<String>,

    /// The RabbitMQ: auto, an installed one as a private node, else a container; installed; container; running, the one at
    /// 127.0.0.1:5672; or amqps://user:password@host:port/vhost
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "auto",
        env = "NEWSLOOM_LOCAL_BROKER",
        hide_env_values = true,
        help_heading = "Parts"
    )]
    pub(crate) broker: String,

    /// How long the lexicon takes for a request, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20, help_heading = "Parts")]
    pub(crate) latency: u64,

    /// Ask this endpoint of SageMaker instead, with your AWS credentials
    #[arg(long, value_name = "NAME", conflicts_with = "aws_endpoint", help_heading = "Parts")]
    pub(crate) sagemaker_endpoint: Option<String>,

    /// What decides the invented news
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Feed")]
    pub(crate) seed: u64,

    /// How fast news come: recorded, 4 a second in bursts; x10, ten times that; 500/s; max
    #[arg(long, value_name = "PACE", default_value = "recorded", value_parser = pace, help_heading = "Feed")]
    pub(crate) pace: Pace,
}

impl Start {
    /// What to start, and where: makes the folder.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the configuration.
    pub(crate) fn options(&self) -> Result<pipeline::Options, Problems> {
        let settings = load(&self.config)?;
        let folder = self.folder.display().to_string();
        let failed = |error: std::io::Error| Problems::of(&*folder, format!("can't be used: {error}"));
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let programs = match &self.programs {
            // The ingester is started in another folder.
            Some(folder) => Programs { folder: std::path::absolute(folder).map_err(failed)? },
            None => Programs::beside_this_one().map_err(failed)?,
        };
        Ok(pipeline::Options {
            settings,
            programs,
            folder: self.folder.canonicalize().map_err(failed)?,
            feed: simulator::Options { seed: self.seed, pace: self.pace, ..simulator::Options::default() },
            aws: self.aws_endpoint.clone().map_or(Place::Embedded, Place::At),
            broker: self.broker.parse().map_err(|error: NoChoice| Problems::of("--broker", error.to_string()))?,
            unfiltered: false,
            scorer: match &self.sagemaker_endpoint {
                Some(endpoint) => Scorer::SageMaker { endpoint: endpoint.clone() },
                None => Scorer::Lexicon { latency: Duration::from_millis(self.latency) },
            },
        })
    }
}

/// Reads a configuration.
pub(crate) fn load(config: &std::path::Path) -> Result<Settings, Problems> {
    let name = config.display().to_string();
    let text = std::fs::read_to_string(config).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let help = missing.then(|| "--config names another file; newsloom.toml is in the repository".to_owned());
        let message = if missing { "there is no such file".to_owned() } else { error.to_string() };
        Problems::new(vec![Problem { place: None, subject: name.clone(), message, help }])
    })?;
    Settings::from_toml(&name, &text)
}

fn pace(text: &str) -> Result<Pace, String> {
    let number = |digits: &str| digits.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    let pace = match text {
        "recorded" => Some(Pace::Recorded(1.0)),
        "max" => Some(Pace::Max),
        _ => match (text.strip_prefix('x'), text.strip_suffix("/s")) {
            (Some(factor), _) => number(factor).map(Pace::Recorded),
            (_, Some(rate)) => number(rate).map(Pace::Rate),
            _ => None,
        },
    };
    pace.ok_or_else(|| "recorded, x10, 500/s or max".to_owned())
}

/// Does what it is told; the exit code.
pub async fn run(options: Options) -> ExitCode {
    match options.command {
        Command::Demo(demo) => Box::pin(demo.run()).await,
        Command::Send(send) => Box::pin(send.run()).await,
        Command::Verify(verify) => exit(Box::pin(verify::command::run(&verify)).await),
        Command::Soak(soak) => Box::pin(soak.run()).await,
        Command::Bench(bench) => Box::pin(bench.run()).await,
    }
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
