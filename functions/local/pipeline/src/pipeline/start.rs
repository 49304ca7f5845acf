//! Starting it, part by part.

use std::{
    error::Error,
    fmt,
    path::Path,
    sync::atomic::AtomicUsize,
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use local::{
    aws::Aws,
    lambda::Lambda,
    rabbitmq::choice::{Chosen, Unavailable},
    runtime_api::Outcome,
};
use news::feeds::Filter;
use serde_json::json;
use settings::Problems;
use simulator::Simulator;
use tokio::sync::Mutex;

use super::{Options, Pipeline, Place, Scorer, folder::Folder, functions};
use crate::{
    Deployment, Outputs,
    deployment::MissingOutputs,
    ingester::{self, IngesterError, Machine},
    programs::NotBuilt,
    provision::{Login, Logins, ProvisionError, Provisioned},
    stack::{Made, Physical, Stack},
    triggers::{Named, Trigger, TriggerError},
};

/// A part that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Which: `broker`.
    pub part: &'static str,
    /// What, where, of which kind, in a few words.
    pub what: String,
    /// How long it took.
    pub took: Duration,
}

/// A line of progress.
impl fmt::Display for Started {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "  {:<10} {:>5.1} s  {}", self.part, self.took.as_secs_f64(), self.what)
    }
}

/// Why it didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings describe no stack.
    #[error("{0}")]
    Settings(Problems),
    /// Programs are missing.
    #[error(transparent)]
    NotBuilt(#[from] NotBuilt),
    /// The stack has something that can't be run here.
    #[error("the stack's {resource}: {cause}")]
    Stack {
        /// Its logical id.
        resource: String,
        /// What about it.
        cause: String,
    },
    /// The stack doesn't say what is needed.
    #[error(transparent)]
    Outputs(#[from] MissingOutputs),
    /// AWS on this machine did not start.
    #[error("could not start AWS on this machine: {0}")]
    Aws(std::io::Error),
    /// The feed did not start.
    #[error("could not start the feed: {0}")]
    Feed(#[from] simulator::StartError),
    /// The broker did not start.
    #[error(transparent)]
    Broker(#[from] Box<Unavailable>),
    /// Something could not be made.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// A function did not start.
    #[error("could not start a function: {0}")]
    Function(#[source] Box<dyn Error + Send + Sync>),
    /// A function started and failed.
    #[error("the function {name} doesn't get ready: {cause}; {log} may say more")]
    NotReady {
        /// The program.
        name: String,
        /// What it said.
        cause: String,
        /// Where its log is.
        log: String,
    },
    /// An event source mapping can't be polled.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The ingester did not start.
    #[error(transparent)]
    Ingester(#[from] IngesterError),
    /// Another pipeline runs there.
    #[error("another pipeline runs in {0}; --folder names another folder")]
    InUse(String),
    /// A file could not be written.
    #[error("could not write in {folder}: {source}")]
    Folder {
        /// Where.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
    /// There are no AWS credentials for a real endpoint.
    #[error("--sagemaker-endpoint needs AWS credentials, and there are none: {0}")]
    Credentials(String),
}

impl StartError {
    pub(super) fn stack(resource: &str, cause: &dyn std::fmt::Display) -> Self {
        Self::Stack { resource: resource.to_owned(), cause: cause.to_string() }
    }
}

/// How long a request to AWS on this machine may take: it is at hand, and a throttled one is tried again by who asks.
const REQUEST: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Starts all of it, and says of each part when it runs. What was started before something fails ends again. The feed
    /// is paused, so that who subscribes gets all of it: [`Simulator::resume`].
    ///
    /// # Errors
    ///
    /// The first part that doesn't start.
    pub async fn start(options: Options, mut told: impl FnMut(Started)) -> Result<Self, StartError> {
        options.programs.check()?;
        let at = |source| StartError::Folder { folder: options.folder.display().to_string(), source };
        let folder = Folder::take(&options.folder).map_err(at)?;
        let folder = folder.ok_or_else(|| StartError::InUse(options.folder.display().to_string()))?;
        let stack = timed("stack", &mut told, async {
            let stack = Stack::of(&options.settings).map_err(StartError::Settings)?;
            Ok((stack, format!("{} from its settings, as CloudFormation gets it", options.settings.name)))
        });
        let stack = stack.await?;
        // It takes the longest by far.
        let choice = options.broker.clone();
        let since = Instant::now();
        let broker = tokio::spawn(async move { choice.start().await.map(|broker| (broker, since.elapsed())) });
        let aws = timed("aws", &mut told, start_aws(&options)).await?;
        let feed = timed("feed", &mut told, start_feed(&options)).await?;
        let (broker, took) = broker.await.map_err(|error| StartError::Function(error.into()))?.map_err(Box::new)?;
        told(Started { part: "broker", what: describe(&broker), took });

        let config = config(&options.aws, &aws).await;
        let logins = Logins { broker: login(&broker), feed: login_of(&feed) };
        let making = async {
            let provisioned = Provisioned::make(&stack, &config, &logins, options.aws == Place::Embedded).await?;
            let what = provisioned.describe();
            Ok((provisioned, what))
        };
        let mut provisioned = timed("made", &mut told, making).await?;
        add_the_rest(&stack, &mut provisioned.made, &broker);
        let parts = Parts { aws, feed, broker, logins, folder };
        Box::pin(Self::run(&options, &stack, provisioned, &config, parts, told)).await
    }

    async fn run(
        options: &Options,
        stack: &Stack,
        mut provisioned: Provisioned,
        config: &SdkConfig,
        parts: Parts,
        mut told: impl FnMut(Started),
    ) -> Result<Self, StartError> {
        let Parts { aws, feed, broker, logins, folder } = parts;
        let environment = environment(options, &aws);
        let models = match options.scorer {
            Scorer::Lexicon { .. } => Vec::new(),
            Scorer::SageMaker { .. } => callers_aws().await?,
        };
        let running = timed("functions", &mut told, async {
            let around = functions::Surroundings {
                programs: &options.programs,
                aws: environment.clone(),
                models,
                broker_ca: broker.ca_file(),
                scorer: &options.scorer,
                folder: &options.folder,
            };
            let functions = functions::functions(stack, &mut provisioned.made, &around)?;
            for Named { program, lambda } in functions.values() {
                warm(program, lambda, &options.folder).await?;
            }
            let what = functions.values().map(|named| named.program.as_str()).collect::<Vec<_>>().join(" and ");
            Ok((functions, format!("{what}; {}", options.scorer.describe())))
        });
        let functions = running.await?;
        let outputs = stack.outputs(&provisioned.made);
        let deployment = Deployment {
            config: config.clone(),
            outputs: Outputs::read(|name| outputs.get(name).cloned())?,
            exchange: options.settings.redistribution.exchange.clone(),
            broker_ca: broker.ca_file().map(ToOwned::to_owned),
        };
        let triggers = timed("triggers", &mut told, async {
            let triggers = Trigger::all(stack, &provisioned.made, &functions, config, &options.folder)?;
            let what = triggers.iter().map(Trigger::describe).collect::<Vec<_>>().join("; ");
            Ok((triggers, what))
        });
        let triggers = triggers.await?;
        let ingester = timed("ingester", &mut told, async {
            let told = ingester::told(stack, &provisioned.made)?;
            let secret = told_secret(&options.settings.name);
            provisioned.feed_secret(&secret, &logins).await?;
            let mut told = ingester::with_feed(told, feed.api_url(), secret);
            if options.unfiltered {
                told.filter = Filter::default();
            }
            let machine = machine(options, &feed, environment.clone())?;
            let running = machine.start(&told).await?;
            let what = format!("feed to {}, health at 127.0.0.1:{}", deployment.outputs.stream, running.health_port());
            Ok((running, what))
        });
        let ingester = ingester.await?;
        Ok(Self {
            ingester: Mutex::new(Some(ingester)),
            triggers,
            functions: functions.into_values().map(|named| (named.program, named.lambda)).collect(),
            feed,
            broker,
            provisioned: Some(provisioned),
            deployment,
            environment,
            put: AtomicUsize::new(0),
            judge: options.scorer.describe(),
            filters: !options.unfiltered,
            embedded: options.aws == Place::Embedded,
            lexicon: matches!(options.scorer, Scorer::Lexicon { .. }),
            _folder: folder,
            aws,
        })
    }
}

/// What runs before the stack's own.
struct Parts {
    aws: Aws,
    feed: Simulator,
    broker: Chosen,
    logins: Logins,
    folder: Folder,
}

async fn timed<T>(
    part: &'static str,
    told: &mut impl FnMut(Started),
    work: impl Future<Output = Result<(T, String), StartError>>,
) -> Result<T, StartError> {
    let since = Instant::now();
    let (result, what) = work.await?;
    told(Started { part, what, took: since.elapsed() });
    Ok(result)
}

async fn start_aws(options: &Options) -> Result<(Aws, String), StartError> {
    let aws = Aws::start().await.map_err(StartError::Aws)?;
    // They grow with every request, and nobody reads them.
    aws.journal(false);
    if let Scorer::Lexicon { latency } = options.scorer {
        aws.sagemaker().latency(latency, Duration::ZERO);
    }
    let what = match &options.aws {
        Place::Embedded => format!("Kinesis, DynamoDB, SQS, Secrets Manager, SageMaker at {}", aws.url()),
        Place::At(url) => format!("Kinesis, DynamoDB, SQS, Secrets Manager at {url}, SageMaker at {}", aws.url()),
    };
    Ok((aws, what))
}

async fn start_feed(options: &Options) -> Result<(Simulator, String), StartError> {
    let feed = Simulator::start(simulator::Options { tls: true, ..options.feed.clone() }).await?;
    // Until somebody watches: see `Pipeline::start`.
    feed.pause();
    let what = format!("a simulator of LSEG's, invented news, at {}", feed.api_url());
    Ok((feed, what))
}

fn describe(broker: &Chosen) -> String {
    let how = match broker.how() {
        "installed" => "the installed RabbitMQ, a private node",
        "container" => "RabbitMQ in a container",
        _ => "a RabbitMQ that runs",
    };
    format!("{how}, at {}", broker.url())
}

fn login(broker: &Chosen) -> Login {
    Login { username: broker.username().to_owned(), password: broker.password().to_owned() }
}

/// Logins of version 2, which is what the ingester is told to use.
fn login_of(feed: &Simulator) -> serde_json::Value {
    let accounts = &feed.options().accounts;
    json!({ "client_id": accounts.client_id, "client_secret": accounts.client_secret })
}

fn told_secret(pipeline: &str) -> String {
    format!("{pipeline}/feeds/lseg")
}

/// The endpoints and the broker exist already.
fn add_the_rest(stack: &Stack, made: &mut Made, broker: &Chosen) {
    for (id, properties) in stack.of_type("AWS::SageMaker::Endpoint") {
        let name = properties["EndpointName"].as_str().unwrap_or(id);
        made.add(id, Physical::named(name).with("EndpointName", name));
    }
    for (id, _) in stack.of_type("AWS::AmazonMQ::Broker") {
        let physical = Physical::named(id).with("AmqpEndpoints", json!([broker.url()]));
        made.add(id, physical.with("ConsoleURLs", json!([])));
    }
}

async fn config(place: &Place, aws: &Aws) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(local::REGION))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(REQUEST).build());
    match place {
        Place::Embedded => {
            let nobody = SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "local"));
            loader.endpoint_url(aws.url()).credentials_provider(nobody).load().await
        }
        // An emulator that checks signatures has credentials of its own, which the environment holds.
        Place::At(url) if std::env::var_os("AWS_ACCESS_KEY_ID").is_some() => loader.endpoint_url(url).load().await,
        Place::At(url) => {
            let test = SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "local"));
            loader.endpoint_url(url).credentials_provider(test).load().await
        }
    }
}

/// The variables that lead a program to AWS on this machine.
fn environment(options: &Options, aws: &Aws) -> Vec<(String, String)> {
    let mut variables = aws.environment();
    let mut set = |name: &str, value: String| {
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value));
    };
    if let Place::At(url) = &options.aws {
        set("AWS_ENDPOINT_URL", url.clone());
        set("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", aws.url());
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SSL_CERT_FILE"] {
            if let Ok(value) = std::env::var(name) {
                set(name, value);
            }
        }
    }
    variables
}

/// For the function that asks models: the caller's region and credentials, and the address of SageMaker's runtime there.
/// The other services are in this process, and look neither at regions nor at signatures.
async fn callers_aws() -> Result<Vec<(&'static str, String)>, StartError> {
    use aws_sdk_dynamodb::config::ProvideCredentials;
    let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let missing = |what: &str| StartError::Credentials(what.to_owned());
    let provider = config.credentials_provider().ok_or_else(|| missing("nothing provides them"))?;
    let credentials = provider.provide_credentials().await;
    let credentials = credentials.map_err(|error| StartError::Credentials(runtime::with_causes(&error)))?;
    let region = config.region().ok_or_else(|| missing("no region is set"))?.to_string();
    let own = std::env::var("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME");
    let address = own.unwrap_or_else(|_| format!("https://runtime.sagemaker.{region}.amazonaws.com"));
    let mut variables = vec![
        ("AWS_REGION", region),
        ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", address),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id().to_owned()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key().to_owned()),
    ];
    variables.extend(credentials.session_token().map(|token| ("AWS_SESSION_TOKEN", token.to_owned())));
    Ok(variables)
}

/// Calls a function with nothing to do: it starts, and says at once what is wrong with it.
async fn warm(name: &str, function: &Lambda, folder: &Path) -> Result<(), StartError> {
    let log = folder.join(format!("{name}.log")).display().to_string();
    let not_ready = |cause: String| StartError::NotReady { name: name.to_owned(), cause, log: log.clone() };
    let invocation = function.invoke(r#"{"Records":[]}"#).await.map_err(|error| not_ready(error.to_string()))?;
    match invocation.outcome {
        Outcome::Response(_) => Ok(()),
        Outcome::Error { kind, message } | Outcome::InitError { kind, message } => {
            Err(not_ready(format!("{kind}: {message}")))
        }
        Outcome::TimedOut => Err(not_ready("it does not answer".to_owned())),
    }
}

/// The machine of the ingester: its feed's authority in a file, and a folder of its own.
fn machine(options: &Options, feed: &Simulator, mut environment: Vec<(String, String)>) -> Result<Machine, StartError> {
    let folder = options.folder.clone();
    let at = |source| StartError::Folder { folder: folder.display().to_string(), source };
    let authority = folder.join("feed-ca.pem");
    // With the authorities of an endpoint that isn't in this process, as one file takes the place of all others.
    let others = environment.iter().find(|(name, _)| name == "SSL_CERT_FILE").map(|(_, path)| path);
    let others = others.map(std::fs::read_to_string).transpose().map_err(at)?.unwrap_or_default();
    std::fs::write(&authority, format!("{}\n{others}", feed.ca_pem().unwrap_or_default())).map_err(at)?;
    environment.push(("SSL_CERT_FILE".to_owned(), authority.display().to_string()));
    Ok(Machine { program: options.programs.path("ingester"), folder, environment })
}

impl Scorer {
    fn describe(&self) -> String {
        match self {
            Self::Lexicon { latency } if latency.is_zero() => "a lexicon judges, no FinBERT".to_owned(),
            Self::Lexicon { latency } => {
                format!("a lexicon judges, no FinBERT, in {} ms", latency.as_millis())
            }
            Self::SageMaker { endpoint } => format!("SageMaker's endpoint {endpoint} judges"),
        }
    }
}
