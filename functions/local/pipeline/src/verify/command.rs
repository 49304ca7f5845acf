//! `newsloom-local verify`: the command line, and what it does.

use super::{Feed, Look, Models, Report, Simulated, Vector, VerifyError, outputs, verify};
use crate::{
    Deployment, Pipeline,
    command::{Start, load},
    pipeline::Scorer,
};
use anyhow::Context;
use aws_config::{BehaviorVersion, Region};
use clap::{Args, ValueEnum};
use local::aws::{SageMaker, sagemaker::Labels};
use settings::{Broker, Endpoint, Layout, Network, Problems, Settings};
use simulator::Pace;
use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Put known items into a pipeline, and say of each whether it came out as expected
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  newsloom-local verify                                     a pipeline on this machine, started for it
  newsloom-local verify --target aws --config newsloom.toml the one on AWS, found by its CloudFormation stack
  newsloom-local verify --target aws --terraform synth-out  the same, found by Terraform's outputs

The items are marked, and removed afterwards; but who subscribes to all news gets them too. On AWS, credentials are found
as the AWS CLI finds them, and AWS_ENDPOINT_URL leads elsewhere.

Exit status: 0 as expected, 1 something isn't, 2 it could not be tried, 130 stopped by a signal.")]
pub struct Options {
    /// Where the pipeline runs
    #[arg(long, value_enum, default_value_t)]
    pub target: Target,

    #[command(flatten)]
    pub(crate) start: Start,

    /// Another test vector than the one that is built in
    #[arg(long, value_name = "FILE")]
    pub vector: Option<PathBuf>,

    /// A CloudFormation stack to take outputs from; repeatable [default: <name>, or <name>-<stage> for separate stages]
    #[arg(long, value_name = "NAME", conflicts_with = "terraform")]
    pub stack: Vec<String>,

    /// Take the outputs from Terraform, which was applied in this folder
    #[arg(long, value_name = "DIR")]
    pub terraform: Option<PathBuf>,

    /// Leave the exchange out, where the broker can't be reached from here
    #[arg(long)]
    pub skip_exchange: bool,

    /// Wait so long for each stage [default: 30 on this machine, 120 on AWS]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub limit: Option<u64>,

    /// Wait so long for more to come that shouldn't [default: 2 on this machine, 10 on AWS]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub settle: Option<u64>,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,

    /// Write JUnit's XML to a file, too
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Where the pipeline runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// On this machine.
    #[default]
    Local,
    /// On AWS.
    Aws,
}

const FAILED: i32 = 1;
const NOT_TRIED: i32 = 2;
const STOPPED: i32 = 130;

impl Options {
    /// The vector that is asked for.
    ///
    /// # Errors
    ///
    /// The file can't be read, or everything that is wrong with it.
    pub fn read_vector(&self) -> Result<Vector, Problems> {
        let Some(path) = &self.vector else { return Ok(Vector::default()) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Problems::of(&name, error.to_string()))?;
        Vector::read(&name, &text)
    }

    /// As the command line has it.
    fn applied_to(&self, options: super::Options) -> super::Options {
        super::Options {
            exchange: options.exchange && !self.skip_exchange,
            limit: self.limit.map_or(options.limit, Duration::from_secs),
            settle: self.settle.map_or(options.settle, Duration::from_secs),
            ..options
        }
    }

    /// The stacks that have the outputs.
    fn stacks(&self, settings: &Settings) -> Vec<String> {
        match settings.stages {
            _ if !self.stack.is_empty() => self.stack.clone(),
            Layout::Together => vec![settings.name.clone()],
            Layout::Separate => STAGES.map(|stage| format!("{}-{stage}", settings.name)).into(),
        }
    }
}

/// The stages that put out what is needed.
const STAGES: [&str; 3] = ["ingestion", "enrichment", "redistribution"];

/// Verifies what the command line says; the exit code.
pub async fn run(options: &Options) -> i32 {
    let verified = match options.target {
        Target::Local => Box::pin(run_here(options)).await,
        Target::Aws => Box::pin(run_on_aws(options)).await,
    };
    verified.unwrap_or_else(|error| not_tried(&error))
}

/// The pipeline on AWS that the settings describe.
async fn run_on_aws(options: &Options) -> anyhow::Result<i32> {
    let (settings, vector, deployment) = prepare(options).await?;
    let how = super::Options::aws(Models::of_settings(&settings));
    let hint = private(&settings);
    Ok(run_with(options, &vector, &deployment, None, how, hint.as_deref()).await)
}

/// A pipeline that is started for it.
async fn run_here(options: &Options) -> anyhow::Result<i32> {
    let vector = options.read_vector()?;
    let mut starting = options.start.options()?;
    // Nothing but what the vector has: invented news would only be in its way.
    starting.feed.pace = Pace::Manual;
    let (settings, is_lexicon) = (starting.settings.clone(), matches!(starting.scorer, Scorer::Lexicon { .. }));
    let pipeline = Box::pin(Pipeline::start(starting, |started| eprintln!("{started}"))).await?;
    pipeline.feed().until_subscribed(1).await?;
    teach(pipeline.aws().sagemaker(), &vector, &settings);
    let how = super::Options { tricks: is_lexicon, ..super::Options::local(Models::of_settings(&settings)) };
    let feed = Simulated::new(pipeline.feed(), feed_name(&settings));
    let code = run_on(options, &vector, pipeline.deployment(), Some(&feed), how).await;
    pipeline.stop().await?;
    Ok(code)
}

/// What items say they come from: the feed that the simulator takes the place of.
fn feed_name(settings: &Settings) -> &str {
    let mut feeds = settings.ingestion.feeds.iter();
    feeds
        .find_map(|feed| if let settings::Feed::Lseg(feed) = feed { Some(&*feed.name) } else { None })
        .unwrap_or("lseg")
}

/// Has the lexicon do what the vector asks of models.
fn teach(lexicon: &SageMaker, vector: &Vector, settings: &Settings) {
    for text in vector.refused_texts() {
        lexicon.poison(text);
    }
    for language in vector.languages_without_sentiments() {
        let own = settings.enrichment.routes.iter().find(|route| route.languages == [language]);
        if let Some(route) = own {
            let endpoint = match &route.endpoint {
                Endpoint::Existing(endpoint) => endpoint.endpoint_name.clone(),
                _ => format!("{}-{}", settings.name, route.name),
            };
            lexicon.labels(&endpoint, Labels::numbered());
        }
    }
}

/// Verifies a pipeline that runs, on this machine for instance; the exit code. `how` is changed by what the command line
/// says.
pub async fn run_on(
    options: &Options,
    vector: &Vector,
    deployment: &Deployment,
    feed: Option<&dyn Feed>,
    how: super::Options,
) -> i32 {
    run_with(options, vector, deployment, feed, how, None).await
}

async fn prepare(options: &Options) -> anyhow::Result<(Settings, Vector, Deployment)> {
    let (settings, vector) = match (load(&options.start.config), options.read_vector()) {
        (Ok(settings), Ok(vector)) => (settings, vector),
        (settings, vector) => {
            let none = Problems::default;
            return Err(settings.err().unwrap_or_else(none).and(vector.err().unwrap_or_else(none)).into());
        }
    };
    let region = Region::new(settings.region.clone());
    let config = aws_config::defaults(BehaviorVersion::latest()).region(region).load().await;
    let outputs = match &options.terraform {
        Some(folder) => outputs::from_terraform(Path::new("terraform"), &folders(folder, &settings)).await,
        None => outputs::from_cloudformation(&config, &options.stacks(&settings)).await,
    };
    let exchange = settings.redistribution.exchange.clone();
    let deployment = Deployment { config, outputs: outputs?, exchange, broker_ca: None };
    Ok((settings, vector, deployment))
}

/// Separate stages have a state each.
fn folders(folder: &Path, settings: &Settings) -> Vec<PathBuf> {
    match settings.stages {
        Layout::Together => vec![folder.into()],
        Layout::Separate => STAGES.map(|stage| folder.join(stage)).into(),
    }
}

/// What to say when a broker can't be reached that is meant to be out of reach.
fn private(settings: &Settings) -> Option<String> {
    let is_private = match &settings.redistribution.broker {
        Broker::Single(broker) | Broker::Cluster(broker) => !broker.public,
        Broker::Existing(broker) => broker.private,
    };
    let vpc = match &settings.network {
        Network::New(network) => format!("{}'s own VPC ({})", settings.name, network.cidr),
        Network::Existing(network) => format!("the VPC {}", network.vpc_id),
    };
    let hint = format!(
        "the broker is in reach of {vpc} only: verify from in there, or leave that stage out with --skip-exchange"
    );
    is_private.then_some(hint)
}

async fn run_with(
    options: &Options,
    vector: &Vector,
    deployment: &Deployment,
    feed: Option<&dyn Feed>,
    how: super::Options,
    hint: Option<&str>,
) -> i32 {
    let how = options.applied_to(how);
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return not_tried(&anyhow::Error::new(error).context("could not listen to signals")),
    };
    match verify(deployment, feed, vector, &how, signals.next()).await {
        Ok(report) => print(options, &report).unwrap_or_else(|error| not_tried(&error)),
        Err(error @ VerifyError::Exchange(_)) => {
            let error = anyhow::Error::new(error);
            not_tried(&match hint {
                Some(hint) => anyhow::anyhow!("{error:#}; {hint}"),
                None => error,
            })
        }
        Err(error) => not_tried(&error.into()),
    }
}

fn print(options: &Options, report: &Report) -> anyhow::Result<i32> {
    let mut out = std::io::stdout().lock();
    let text = if options.json { report.to_json() } else { report.to_text(Look { color: colours(&out) }) };
    // A reader that went away, as `head` does, is no reason to complain.
    let _ = out.write_all(text.as_bytes());
    if let Some(path) = &options.junit {
        std::fs::write(path, report.to_junit()).with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(match (report.interrupted, report.passed) {
        (true, _) => STOPPED,
        (false, true) => 0,
        (false, false) => FAILED,
    })
}

fn colours(stream: &impl IsTerminal) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !unwanted
}

fn not_tried(error: &anyhow::Error) -> i32 {
    let _ = writeln!(std::io::stderr(), "newsloom-local verify: {error:#}");
    NOT_TRIED
}

/// Ctrl-C and SIGTERM. The first ends the run, which then cleans up; a second ends the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        self.any().await;
        let _ = writeln!(std::io::stderr(), "newsloom-local verify: cleaning up; once more ends it at once");
        if let Ok(mut again) = Self::listen() {
            tokio::spawn(async move {
                again.any().await;
                std::process::exit(STOPPED);
            });
        }
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Debug, Parser)]
    #[command(name = "newsloom-local verify")]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(words: &[&str]) -> Options {
        Cli::parse_from([&["verify"], words].concat()).options
    }

    fn settings(more: &str) -> Settings {
        let text = format!(
            "name = \"desk\"\nregion = \"eu-west-1\"\n{more}\n[[ingestion.feeds]]\nkind = \"rss\"\nname = \"f\"\n\
             urls = [\"https://example.com/feed\"]\nlanguage = \"en\"\n"
        );
        Settings::from_toml("newsloom.toml", &text).unwrap()
    }

    #[test]
    fn command_line_is_sound() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["verify", "--stack", "a", "--terraform", "b"]).is_err());
    }

    #[test]
    fn stacks_and_folders_follow_the_layout() {
        let (together, separate) = (settings(""), settings("stages = \"separate\""));
        assert_eq!(options(&[]).stacks(&together), ["desk"]);
        assert_eq!(options(&[]).stacks(&separate), ["desk-ingestion", "desk-enrichment", "desk-redistribution"]);
        assert_eq!(options(&["--stack", "a", "--stack", "b"]).stacks(&separate), ["a", "b"]);
        assert_eq!(folders(Path::new("out"), &together), [Path::new("out")]);
        assert_eq!(folders(Path::new("out"), &separate)[2], Path::new("out/redistribution"));
    }

    #[test]
    fn broker_that_is_out_of_reach_says_whose_it_is_in() {
        let hint = private(&settings("")).unwrap();
        assert!(hint.contains("desk's own VPC (10.42.0.0/16)") && hint.contains("--skip-exchange"), "{hint}");
        let public = "[redistribution.broker]\ndeployment = \"single\"\npublic = true\n[network]\nkind = \"new\"\n";
        assert_eq!(private(&settings(public)), None);
    }

    #[test]
    fn command_line_goes_before_what_is_usual() {
        let usual = crate::verify::Options::aws(Models::default());
        let told = options(&["--limit", "5", "--settle", "0", "--skip-exchange"]).applied_to(usual.clone());
        assert_eq!((told.limit.as_secs(), told.settle.as_secs(), told.exchange), (5, 0, false));
        assert_eq!(options(&[]).applied_to(usual.clone()), usual);
    }
}
