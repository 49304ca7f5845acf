//! From the command line to what is to be done.

use super::Options;
use crate::{Broker, Credentials, Login, Queue, Subscribe};
use anyhow::{Context, anyhow, bail, ensure};
use aws_config::retry::RetryConfig;
use aws_sdk_secretsmanager::Client;
use news::routing;
use std::time::Duration;

/// How much a queue keeps that nobody named: it must not fill a broker when its user forgot it.
const DEFAULT_MAX_LENGTH: u32 = 1_000_000;

/// How long such a queue outlives its last subscriber: a week.
const DEFAULT_EXPIRES: Duration = Duration::from_hours(7 * 24);

/// How much waits for a slow subscriber with `--tail`.
const TAIL_MAX_LENGTH: u32 = 100_000;

/// The longest name of a queue, and the longest pattern: AMQP's short string.
const LONGEST_NAME: usize = 255;

/// What is to be done.
pub(crate) struct Task {
    pub(crate) subscribe: Subscribe,
    /// What may not be what was meant.
    pub(crate) warnings: Vec<String>,
}

/// What the command takes from the environment, beside the options.
pub(crate) struct Environment {
    pub(crate) variable: fn(&str) -> Option<String>,
    pub(crate) host: String,
}

impl Environment {
    pub(crate) fn of_the_process() -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Self { variable: |name| std::env::var(name).ok().filter(|value| !value.is_empty()), host }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    /// `ada@desk-7`; the host alone where there is no name, as in containers.
    fn owner(&self) -> String {
        let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| self.get(name));
        user.map_or_else(|| self.host.clone(), |user| format!("{user}@{}", self.host))
    }
}

/// What is asked for; an error is one of usage.
pub(crate) async fn task(options: &Options, environment: &Environment) -> anyhow::Result<Task> {
    check_patterns(options)?;
    let (broker, queue) = (broker(options)?, queue(options, environment)?);
    let warnings = warnings(options, &broker, environment);
    let credentials = credentials(options, &broker, environment).await?;
    let subscribe = Subscribe::to(broker, queue)
        .credentials(credentials)
        .exchange(&options.exchange)
        .patterns(&options.patterns)
        .unbind(&options.unbind)
        .prefetch(options.prefetch)
        .window(options.window);
    Ok(Task { subscribe, warnings })
}

fn broker(options: &Options) -> anyhow::Result<Broker> {
    let url = options.url.as_ref().ok_or_else(|| {
        anyhow!(
            "no broker: give --url amqps://user@host:5671 or set NEWSLOOM_BROKER_URL (the stack's output BrokerUrl)"
        )
    })?;
    let broker = Broker::parse(url).map_err(|error| anyhow!("--url {error}"))?;
    let Some(path) = &options.ca else { return Ok(broker) };
    let pem = std::fs::read_to_string(path).with_context(|| format!("could not read --ca {}", path.display()))?;
    ensure!(pem.contains("-----BEGIN CERTIFICATE-----"), "--ca {} has no certificate in PEM form", path.display());
    Ok(broker.ca(pem))
}

async fn credentials(options: &Options, broker: &Broker, environment: &Environment) -> anyhow::Result<Credentials> {
    let username =
        || broker.username().map(String::from).context("whose password? name the user: --url amqps://user@host");
    if let Some(path) = options.password_file.clone() {
        return Ok(Credentials::File { username: username()?, path });
    }
    if let Some(id) = options.secret.clone() {
        return Ok(Credentials::Secret { client: secrets_manager().await, id });
    }
    if let Some(password) = environment.get("NEWSLOOM_BROKER_PASSWORD") {
        return Ok(Credentials::Fixed(Login { username: username()?, password }));
    }
    match (broker.login(), broker.username()) {
        (Some(login), _) => Ok(Credentials::Fixed(login.clone())),
        (None, Some(name)) => {
            bail!("no password for {name}: give --password-file or --secret, or set NEWSLOOM_BROKER_PASSWORD")
        }
        (None, None) => Ok(Credentials::Fixed(Login { username: "guest".into(), password: "guest".into() })),
    }
}

async fn secrets_manager() -> Client {
    let config = runtime::aws::configuration(Duration::from_secs(5), Duration::from_secs(10)).await;
    // Unlike a function nobody calls again, and there is time.
    Client::new(&config.into_builder().retry_config(RetryConfig::standard()).build())
}

fn queue(options: &Options, environment: &Environment) -> anyhow::Result<Queue> {
    let queue = match &options.queue {
        _ if options.tail => Queue::tail().max_length(TAIL_MAX_LENGTH),
        Some(name) => Queue::durable(name),
        None => Queue::durable(own_name(options, environment)).max_length(DEFAULT_MAX_LENGTH).expires(DEFAULT_EXPIRES),
    };
    let length = queue.name().map_or(1, str::len);
    ensure!(
        (1..=LONGEST_NAME).contains(&length),
        "the queue's name has {length} bytes, 1 to {LONGEST_NAME} are allowed: give a shorter --queue"
    );
    let queue = options.max_length.into_iter().fold(queue, Queue::max_length);
    Ok(options.expires.into_iter().fold(queue, Queue::expires))
}

/// A queue for this user, here, and these patterns: as it belongs to them it never has others.
fn own_name(options: &Options, environment: &Environment) -> String {
    let (owner, patterns) = (environment.owner(), options.patterns.join(","));
    let exchange = if options.exchange == routing::EXCHANGE { String::new() } else { format!("/{}", options.exchange) };
    format!("consume.{owner}{exchange}:{patterns}")
}

fn check_patterns(options: &Options) -> anyhow::Result<()> {
    for pattern in options.patterns.iter().chain(&options.unbind) {
        let length = pattern.len();
        ensure!((1..=LONGEST_NAME).contains(&length), "a pattern has {length} bytes, 1 to {LONGEST_NAME} are allowed");
    }
    Ok(())
}

fn warnings(options: &Options, broker: &Broker, environment: &Environment) -> Vec<String> {
    let mut warnings: Vec<_> = options.patterns.iter().filter_map(|pattern| never_matches(pattern)).collect();
    let from_environment = environment.get("NEWSLOOM_BROKER_URL") == options.url;
    if broker.login().is_some() && !from_environment {
        warnings.push(
            "Whoever lists this machine's processes reads the password on the command line: use --password-file, \
             --secret or NEWSLOOM_BROKER_PASSWORD."
                .into(),
        );
    }
    if broker.is_in_the_clear() {
        warnings.push("The password and the news go over the network in the clear: use amqps://.".into());
    }
    warnings
}

/// A sentence about a pattern that no routing key ever matches.
fn never_matches(pattern: &str) -> Option<String> {
    let words: Vec<_> = pattern.split('.').collect();
    let open = words.contains(&"#");
    let fixed = words.iter().filter(|word| **word != "#").count();
    if (open && fixed > 3) || (!open && fixed != 3) {
        return Some(format!(
            "No item matches {pattern}: a routing key has three words, <language>.<sentiment>.<provider>."
        ));
    }
    let capital = pattern.chars().any(|letter| letter.is_ascii_uppercase());
    capital.then(|| format!("No item matches {pattern}: routing keys are in lower case."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn options(arguments: &[&str]) -> Options {
        let broker = ["consume", "--url", "amqps://reader:hunter2@broker"];
        Options::try_parse_from(broker.iter().chain(arguments)).unwrap()
    }

    fn environment() -> Environment {
        Environment { variable: |name| (name == "USER").then(|| "ada".into()), host: "desk-7".into() }
    }

    #[test]
    fn queue_is_named_after_who_asks_for_what_unless_it_is_named() {
        for (arguments, name) in [
            (&[][..], Some("consume.ada@desk-7:#")),
            (&["en.negative.*", "*.*.rtrs"], Some("consume.ada@desk-7:en.negative.*,*.*.rtrs")),
            (&["--exchange", "other"], Some("consume.ada@desk-7/other:#")),
            (&["--queue", "archive"], Some("archive")),
            (&["--tail"], None),
        ] {
            assert_eq!(queue(&options(arguments), &environment()).unwrap().name(), name);
        }
    }

    #[test]
    fn queue_without_a_name_is_bounded_and_one_with_a_name_is_as_asked() {
        let queue = |arguments: &[&str]| queue(&options(arguments), &environment()).unwrap();
        let week = DEFAULT_EXPIRES;
        assert_eq!(queue(&[]), Queue::durable("consume.ada@desk-7:#").max_length(1_000_000).expires(week));
        assert_eq!(queue(&["--queue", "a"]), Queue::durable("a"));
        assert_eq!(queue(&["--queue", "a", "--max-length", "5"]), Queue::durable("a").max_length(5));
        assert_eq!(
            queue(&["--expires", "7d", "--max-length", "5"]),
            Queue::durable("consume.ada@desk-7:#").max_length(5).expires(week)
        );
    }

    #[test]
    fn names_that_are_too_long_are_refused_before_the_broker_sees_them() {
        let long = "x".repeat(256);
        assert!(queue(&options(&["--queue", &long]), &environment()).is_err());
        assert!(check_patterns(&options(&[&long])).is_err());
    }

    #[test]
    fn patterns_that_match_nothing_are_pointed_out() {
        for pattern in ["#", "en.negative.*", "en.#", "*.*.*", "#.rtrs", "en.#.negative.rtrs"] {
            assert_eq!(never_matches(pattern), None, "{pattern}");
        }
        for pattern in ["en.negative", "*", "en.negative.rtrs.x", "#.a.b.c.d", "EN.*.*"] {
            assert!(never_matches(pattern).is_some(), "{pattern}");
        }
    }

    #[tokio::test]
    async fn password_on_the_command_line_is_warned_of_and_never_said() {
        let task = task(&options(&[]), &environment()).await.unwrap();
        assert!(task.warnings[0].starts_with("Whoever lists") && !task.warnings[0].contains("hunter2"));
        assert!(!format!("{:?}", task.subscribe).contains("hunter2"));
    }

    #[tokio::test]
    async fn user_without_a_password_is_an_error_of_usage() {
        let options = Options::try_parse_from(["consume", "--url", "amqps://reader@broker"]).unwrap();
        let error = task(&options, &environment()).await.err().unwrap().to_string();
        assert!(error.starts_with("no password for reader"), "{error}");
    }
}
