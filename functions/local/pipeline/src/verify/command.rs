//! `newsloom-local verify`: the command line, and what it does.

use super::{Feed, Look, Models, Outcome, Report, Simulated, Vector, VerifyError, outputs, verify};
use crate::{
    Deployment, Pipeline,
    command::{Start, load},
    pipeline::Scorer,
};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum, error::ErrorKind, parser::ValueSource};
use local::aws::{SageMaker, sagemaker::Labels};
use settings::{Broker, Endpoint, Layout, Network, Problems, Settings};
use simulator::Pace;
use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

/// Put known items into a pipeline, and say of each whether it came out as expected
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  newsloom-local verify                                     a pipeline on this machine, started for it
  newsloom-local verify --target aws --config newsloom.toml the one on AWS, found by its CloudFormation stack
  newsloom-local verify --target aws --terraform synth-out  the same, found by Terraform's outputs

The items are marked, and removed afterwards; but others notice them:
  - who subscribes to all news gets them too;
  - those that can never succeed lie in the quarantine until the run ends. On AWS its alarm, where there is one, goes off
    and mails whoever is on call: tell them before.

On AWS, credentials are found as the AWS CLI finds them; --aws-endpoint or AWS_ENDPOINT_URL lead elsewhere.
For a pipeline on this machine only: --folder, --programs, --broker, --latency, --sagemaker-endpoint, --seed and --pace.
For one on AWS only: --stack and --terraform.

Exit status: 0 as expected, 1 something isn't, 2 it could not be tried or told, 130 stopped by a signal.")]
#[allow(rustdoc::invalid_html_tags, reason = "these comments are what --help shows")]
pub struct Options {
    #[command(flatten)]
    given: Given,

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

/// Options that have no meaning for a pipeline on AWS, by their names in [`Start`].
const LOCAL_ONLY: [&str; 7] = ["folder", "programs", "broker", "latency", "sagemaker_endpoint", "seed", "pace"];

/// Those that have none for a pipeline on this machine.
const AWS_ONLY: [&str; 2] = ["stack", "terraform"];

/// Refuses options that have no meaning where the pipeline runs: whoever gives one expects something of it. It has none
/// itself, and comes first, as those behind it take their values away.
#[derive(Debug, Clone, Default)]
struct Given;

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let target = matches.get_one::<Target>("target").copied().unwrap_or_default();
        let (none, place) = match target {
            Target::Local => (&AWS_ONLY[..], "on this machine; --target aws is missing"),
            Target::Aws => (&LOCAL_ONLY[..], "on AWS"),
        };
        let is_given = |name: &&&str| matches.value_source(name) == Some(ValueSource::CommandLine);
        let given: Vec<_> = none.iter().filter(is_given).map(|name| format!("--{}", name.replace('_', "-"))).collect();
        if given.is_empty() {
            return Ok(Self);
        }
        let message = format!("{} means nothing for a pipeline {place}", given.join(", "));
        Err(clap::Error::raw(ErrorKind::ArgumentConflict, message))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(drop)
    }
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
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return not_tried(&anyhow::Error::new(error).context("could not listen to signals")),
    };
    let verified = match options.target {
        Target::Local => Box::pin(run_here(options, &mut signals)).await,
        Target::Aws => Box::pin(run_on_aws(options, &mut signals)).await,
    };
    verified.unwrap_or_else(|error| not_tried(&error))
}

/// The pipeline on AWS that the settings describe.
async fn run_on_aws(options: &Options, signals: &mut Signals) -> anyhow::Result<i32> {
    let (settings, vector, deployment) = tokio::select! {
        prepared = prepare(options) => prepared?,
        () = signals.next() => return Ok(STOPPED),
    };
    let how = super::Options::aws(Models::of_settings(&settings));
    let hint = private(&settings);
    Ok(run_with(options, &vector, &deployment, None, how, hint.as_deref(), signals).await)
}

/// A pipeline that is started for it.
async fn run_here(options: &Options, signals: &mut Signals) -> anyhow::Result<i32> {
    let vector = options.read_vector()?;
    let mut starting = options.start.options()?;
    // Nothing but what the vector has: invented news would only be in its way.
    starting.feed.pace = Pace::Manual;
    let (settings, is_lexicon) = (starting.settings.clone(), matches!(starting.scorer, Scorer::Lexicon { .. }));
    let started = async {
        let pipeline = Box::pin(Pipeline::start(starting, |started| eprintln!("{started}"))).await?;
        pipeline.feed().until_subscribed(1).await?;
        anyhow::Ok(pipeline)
    };
    let pipeline = tokio::select! {
        started = started => started?,
        () = signals.next() => return Ok(STOPPED),
    };
    teach(pipeline.aws().sagemaker(), &vector, &settings);
    let (usual, filter) = (super::Options::local(Models::of_settings(&settings)), settings.ingestion.filter.clone());
    let how = super::Options { tricks: is_lexicon, filter, ..usual };
    let feed = Simulated::new(pipeline.feed(), feed_name(&settings));
    let code = run_with(options, &vector, pipeline.deployment(), Some(&feed), how, None, signals).await;
    if !signals.is_impatient() {
        Box::pin(end(pipeline, signals)).await;
    }
    Ok(code)
}

/// Lets what is under way finish, unless somebody doesn't want to wait. Whatever becomes of it, the verdict stands.
async fn end(pipeline: Pipeline, signals: &mut Signals) {
    tokio::select! {
        ended = pipeline.stop() => if let Err(error) = ended {
            complain(&format!("the pipeline did not end in order: {:#}", anyhow::Error::new(error)));
        },
        () = signals.next() => (),
    }
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
    match Signals::listen() {
        Ok(mut signals) => run_with(options, vector, deployment, feed, how, None, &mut signals).await,
        Err(error) => not_tried(&anyhow::Error::new(error).context("could not listen to signals")),
    }
}

async fn prepare(options: &Options) -> anyhow::Result<(Settings, Vector, Deployment)> {
    let (settings, vector) = match (load(&options.start.config), options.read_vector()) {
        (Ok(settings), Ok(vector)) => (settings, vector),
        (settings, vector) => {
            let none = Problems::default;
            return Err(settings.err().unwrap_or_else(none).and(vector.err().unwrap_or_else(none)).into());
        }
    };
    let config = config(options, &settings).await;
    let outputs = match &options.terraform {
        Some(folder) => outputs::from_terraform(Path::new("terraform"), &folders(folder, &settings)).await,
        None => outputs::from_cloudformation(&config, &options.stacks(&settings)).await,
    };
    let exchange = settings.redistribution.exchange.clone();
    let deployment = Deployment { config, outputs: outputs?, exchange, broker_ca: None };
    Ok((settings, vector, deployment))
}

/// AWS, as the command line and the settings have it.
async fn config(options: &Options, settings: &Settings) -> SdkConfig {
    let config = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(settings.region.clone()));
    let config = match &options.start.aws_endpoint {
        Some(endpoint) => config.endpoint_url(endpoint),
        None => config,
    };
    config.load().await
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
    signals: &mut Signals,
) -> i32 {
    let how = options.applied_to(how);
    let stop = Notify::new();
    let impatient = async {
        signals.next().await;
        complain("cleaning up; once more ends it at once");
        stop.notify_one();
        signals.next().await;
    };
    let verified = tokio::select! {
        verified = verify(deployment, feed, vector, &how, stop.notified()) => verified,
        () = impatient => {
            complain(
                "ended before it had cleaned up: messages of others in the quarantine and in the queues of failures may \
                 stay hidden for 10 minutes, and the run's own stay",
            );
            return STOPPED;
        }
    };
    match verified {
        Ok(report) => print(options, &report, &mut io::stdout().lock()),
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

/// Tells what came of it; the exit code. What can't be told is complained about, and never makes a bad verdict look better.
fn print(options: &Options, report: &Report, out: &mut impl Printer) -> i32 {
    let text = if options.json { report.to_json() } else { report.to_text(Look { color: out.in_colour() }) };
    let mut untold = Vec::new();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader that went away, as `head` does, is no reason to complain.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            untold.push(format!("could not write the report: {error}"));
        }
        _ => (),
    }
    if let Some(path) = &options.junit
        && let Err(error) = std::fs::write(path, report.to_junit())
    {
        untold.push(format!("could not write {}: {error}", path.display()));
    }
    for complaint in &untold {
        complain(complaint);
    }
    match verdict(report) {
        0 if !untold.is_empty() => NOT_TRIED,
        code => code,
    }
}

fn verdict(report: &Report) -> i32 {
    let tried = report.rows.len() > report.rows(Outcome::Skipped);
    match report {
        Report { interrupted: true, .. } => STOPPED,
        Report { passed: true, .. } => 0,
        // Whatever else is wrong, it isn't with what was asked for.
        _ if !tried => NOT_TRIED,
        _ => FAILED,
    }
}

/// Where reports are printed.
trait Printer: Write {
    fn in_colour(&self) -> bool;
}

impl Printer for io::StdoutLock<'_> {
    fn in_colour(&self) -> bool {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.is_terminal() && !unwanted
    }
}

fn not_tried(error: &anyhow::Error) -> i32 {
    complain(&format!("{error:#}"));
    NOT_TRIED
}

fn complain(words: &str) {
    let _ = writeln!(io::stderr(), "newsloom-local verify: {words}");
}

/// Ctrl-C and SIGTERM. The first ends the run, which then cleans up; a second ends all at once.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    heard: u32,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, heard: 0 })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
        self.heard += 1;
    }

    /// Whether somebody said it more than once.
    fn is_impatient(&self) -> bool {
        self.heard > 1
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
        assert!(Cli::try_parse_from(["verify", "--target", "aws", "--stack", "a", "--terraform", "b"]).is_err());
    }

    #[test]
    fn options_that_mean_nothing_where_the_pipeline_runs_are_refused() {
        let refusal =
            |words: &[&str]| Cli::try_parse_from([&["verify"], words].concat()).err().map(|error| error.to_string());
        for fine in [
            &["--broker", "installed", "--seed", "2", "--pace", "max", "--latency", "3", "--folder", "f"][..],
            &["--target", "aws", "--aws-endpoint", "http://127.0.0.1:4566", "--config", "c", "--stack", "a"],
            &["--target", "aws", "--terraform", "d", "--json", "--limit", "5"],
        ] {
            assert_eq!(refusal(fine), None, "{fine:?}");
        }
        let aws = "error: --broker, --seed means nothing for a pipeline on AWS\n";
        assert!(refusal(&["--target", "aws", "--seed", "1", "--broker", "auto"]).unwrap().starts_with(aws));
        let here = "error: --stack means nothing for a pipeline on this machine; --target aws is missing\n";
        assert!(refusal(&["--stack", "a"]).unwrap().starts_with(here));
    }

    #[tokio::test]
    async fn endpoint_that_is_named_is_the_one_that_is_asked() {
        let address = "http://127.0.0.1:4566";
        let told = options(&["--target", "aws", "--aws-endpoint", address]);
        assert_eq!(config(&told, &settings("")).await.endpoint_url(), Some(address));
    }

    /// Where a report is written, with so much room.
    struct Disk(Option<io::ErrorKind>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.map_or(Ok(bytes.len()), |kind| Err(kind.into()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Printer for Disk {
        fn in_colour(&self) -> bool {
            false
        }
    }

    #[test]
    fn what_cannot_be_told_never_makes_it_look_better() {
        use io::ErrorKind::{BrokenPipe, StorageFull};
        let failed = crate::verify::report::tests::report();
        let passed = Report { passed: true, ..failed.clone() };
        let stopped = Report { interrupted: true, ..failed.clone() };
        let mut skipped = failed.clone();
        skipped.rows.retain(|row| row.outcome == Outcome::Skipped);
        let nowhere = options(&["--junit", "/nowhere/junit.xml"]);
        for (report, codes) in [(passed, [0, 0, 2, 2]), (failed, [1; 4]), (stopped, [130; 4]), (skipped, [2; 4])] {
            let print = |error, options: &Options| print(options, &report, &mut Disk(error));
            let plain = options(&[]);
            let found = [
                print(None, &plain),
                print(Some(BrokenPipe), &plain),
                print(Some(StorageFull), &plain),
                print(None, &nowhere),
            ];
            assert_eq!(found, codes, "{report:?}");
        }
    }

    #[test]
    fn stacks_and_folders_follow_the_layout() {
        let (together, separate) = (settings(""), settings("stages = \"separate\""));
        assert_eq!(options(&[]).stacks(&together), ["desk"]);
        assert_eq!(options(&[]).stacks(&separate), ["desk-ingestion", "desk-enrichment", "desk-redistribution"]);
        assert_eq!(options(&["--target", "aws", "--stack", "a", "--stack", "b"]).stacks(&separate), ["a", "b"]);
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
