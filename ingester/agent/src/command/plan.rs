//! From configuration and command line to what is to be done. All that is wrong with them is said at once.

use super::options::{Listen, Told};
use anyhow::{Context, bail};
use news::{
    feeds::{Alpaca, Authentication, Feed, Lseg, LsegDeployed, Replay, Rss},
    settings::IngesterSettings,
};
use std::{
    collections::BTreeSet,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use url::Url;

/// OpenTelemetry's port for what Prometheus reads.
const PORT: u16 = 9464;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) pipeline: String,
    pub(crate) region: Option<String>,
    pub(crate) log_group: Option<String>,
    pub(crate) filter: news::feeds::Filter,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) to: Target,
    pub(crate) spool: PathBuf,
    pub(crate) spool_mib: u32,
    /// Bytes.
    pub(crate) memory: usize,
    pub(crate) listen: Option<SocketAddr>,
}

/// Where items go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A Kinesis stream, by name.
    Kinesis(String),
    /// Standard output, items as on the stream.
    Stdout,
    /// Standard output, headlines for people.
    Headlines,
    File(PathBuf),
}

impl Plan {
    /// Reads the configuration, adds what the command line says.
    ///
    /// # Errors
    ///
    /// The file can't be read, or everything that is wrong with it and the command line, a line each.
    pub(crate) fn of(told: &Told, environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let settings = told.config.as_deref().map(read).transpose()?;
        let listen = listen(told, settings.is_some());
        let mut settings = settings.unwrap_or_else(at_a_desk);
        settings.feeds.extend(feeds_of(told, &environment));
        let (to, mut problems) = match target(told, settings.stream.as_deref()) {
            Ok(to) => (to, Vec::new()),
            Err(problem) => (Target::Stdout, vec![problem]),
        };
        problems.extend(problems_of(&settings.feeds));
        if !problems.is_empty() {
            bail!(problems.join("\n"));
        }
        Ok(Self {
            pipeline: settings.pipeline,
            region: settings.region,
            log_group: settings.log_group,
            filter: settings.filter,
            feeds: settings.feeds,
            to,
            spool: spool(told, environment),
            spool_mib: settings.spool_mib,
            memory: usize::from(told.memory) << 20,
            listen,
        })
    }

    /// Whether anything of AWS is needed.
    pub(crate) fn needs_aws(&self) -> bool {
        let in_s3 = |feed: &Feed| matches!(feed, Feed::Replay(replay) if replay.location.starts_with("s3://"));
        matches!(self.to, Target::Kinesis(_))
            || self.log_group.is_some()
            || self.feeds.iter().any(|feed| in_s3(feed) || is_in_secrets_manager(feed.secret()))
    }
}

/// Whether a login is in Secrets Manager, by the name that the configuration gives it: `file:` is a file of this machine,
/// and without a name it is in the environment.
pub(crate) fn is_in_secrets_manager(secret: Option<&str>) -> bool {
    secret.is_some_and(|name| !name.starts_with("file:"))
}

fn read(path: &Path) -> anyhow::Result<IngesterSettings> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    let settings = if is_toml {
        toml::from_str(&text).map_err(|error| error.to_string())
    } else {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    settings.map_err(|error| anyhow::anyhow!("{}: {}", path.display(), error.trim_end()))
}

/// Nothing but what the command line says.
fn at_a_desk() -> IngesterSettings {
    IngesterSettings {
        pipeline: "desk".into(),
        region: None,
        stream: None,
        log_group: None,
        spool_mib: 1024,
        filter: news::feeds::Filter::default(),
        feeds: Vec::new(),
    }
}

fn listen(told: &Told, configured: bool) -> Option<SocketAddr> {
    match told.listen {
        Some(Listen::Nowhere) => None,
        Some(Listen::At(address)) => Some(address),
        None => configured.then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
    }
}

fn spool(told: &Told, environment: impl Fn(&str) -> Option<String>) -> PathBuf {
    let of_systemd = || environment("STATE_DIRECTORY").filter(|folder| !folder.is_empty());
    told.spool.clone().or_else(|| of_systemd().map(PathBuf::from)).unwrap_or_else(|| ".newsloom".into())
}

fn target(told: &Told, stream: Option<&str>) -> Result<Target, String> {
    match (told.to.as_deref(), stream) {
        (None, Some(stream)) => Ok(Target::Kinesis(stream.into())),
        (None | Some("stdout" | "-"), _) => Ok(Target::Stdout),
        (Some("headlines"), _) => Ok(Target::Headlines),
        (Some(to), _) => match to.split_once(':') {
            Some(("kinesis", "")) => Err("--to kinesis: names no stream; kinesis:STREAM is allowed".into()),
            Some(("kinesis", stream)) => Ok(Target::Kinesis(stream.into())),
            _ if to.is_empty() => Err("--to is empty; kinesis:STREAM, stdout, headlines or a file is allowed".into()),
            _ => Ok(Target::File(to.into())),
        },
    }
}

fn feeds_of(told: &Told, environment: impl Fn(&str) -> Option<String>) -> Vec<Feed> {
    let mut feeds = Vec::new();
    let connections = if told.standby { 2 } else { 1 };
    if !told.rss.is_empty() {
        let rss = Rss { name: "rss".into(), urls: told.rss.clone(), poll_seconds: 300, language: None };
        feeds.push(Feed::Rss(rss));
    }
    for (index, location) in told.replay.iter().enumerate() {
        let name = if index == 0 { "replay".into() } else { format!("replay-{}", index + 1) };
        feeds.push(Feed::Replay(Replay { name, location: location.clone(), speed: told.speed, repeat: false }));
    }
    if told.alpaca {
        let symbols = vec!["*".into()];
        feeds.push(Feed::Alpaca(Alpaca { name: "alpaca".into(), symbols, sandbox: false, secret: None, url: None }));
    }
    if let Some(region) = &told.lseg {
        let is_v1 = environment("LSEG_USERNAME").is_some();
        feeds.push(Feed::Lseg(Lseg {
            name: "lseg".into(),
            region: region.clone(),
            authentication: if is_v1 { Authentication::V1 } else { Authentication::V2 },
            connections,
            service: None,
            scores: false,
            secret: None,
            api: told.lseg_api.clone(),
        }));
    }
    if let Some(user) = &told.lseg_user {
        feeds.push(Feed::LsegDeployed(LsegDeployed {
            name: "lseg-deployed".into(),
            servers: told.lseg_server.clone(),
            user: user.clone(),
            application_id: "256".into(),
            connections,
            service: None,
            scores: false,
        }));
    }
    feeds
}

fn problems_of(feeds: &[Feed]) -> Vec<String> {
    let mut problems = Vec::new();
    if feeds.is_empty() {
        problems
            .push("no feed: give a --config with feeds, or --rss, --replay, --alpaca, --lseg, --lseg-server".into());
    }
    let mut names = BTreeSet::new();
    for feed in feeds {
        if !names.insert(feed.name()) {
            problems.push(format!("feed {}: another feed has this name; a name appears once", feed.name()));
        }
        problems.extend(problems_with(feed).into_iter().map(|problem| format!("feed {}: {problem}", feed.name())));
    }
    let from_stdin = feeds.iter().filter(|feed| matches!(feed, Feed::Replay(replay) if replay.location == "-")).count();
    if from_stdin > 1 {
        problems.push("--replay - is there twice; standard input can be read once".into());
    }
    problems
}

fn problems_with(feed: &Feed) -> Vec<String> {
    match feed {
        Feed::Lseg(lseg) => {
            let mut problems = connections(lseg.connections, usize::MAX);
            if lseg.authentication == Authentication::V1 && lseg.connections > 1 {
                problems.push("2 connections; a version 1 login allows 1".into());
            }
            problems.extend(lseg.api.iter().filter_map(|api| address(api, &["https", "http"])));
            problems
        }
        Feed::LsegDeployed(deployed) => {
            let addresses = deployed.servers.iter().filter_map(|server| address(server, &["ws", "wss"]));
            addresses.chain(connections(deployed.connections, deployed.servers.len())).collect()
        }
        Feed::Alpaca(alpaca) => alpaca.url.iter().filter_map(|url| address(url, &["wss", "ws"])).collect(),
        Feed::Rss(rss) => rss.urls.iter().filter_map(|url| address(url, &["https", "http"])).collect(),
        Feed::Replay(replay) => {
            let is_pace = replay.speed.is_finite() && replay.speed >= 0.0;
            if is_pace { Vec::new() } else { vec![format!("speed is {}; 0 and more is allowed", replay.speed)] }
        }
    }
}

fn connections(wanted: u8, servers: usize) -> Vec<String> {
    let mut problem = String::new();
    if !(1..=2).contains(&wanted) {
        let _ = write!(problem, "{wanted} connections; 1 or 2 are allowed");
    } else if usize::from(wanted) > servers {
        let _ = write!(problem, "{wanted} connections and {servers} server; a hot standby needs two servers");
    }
    if problem.is_empty() { Vec::new() } else { vec![problem] }
}

fn address(text: &str, schemes: &[&str]) -> Option<String> {
    let allowed = || format!("{}:// with a host is allowed", schemes.join(":// or "));
    match Url::parse(text) {
        // Whoever lists this machine's processes would read it.
        Ok(url) if url.password().is_some() => {
            Some("an address has a password in it; a secret is the place for it".into())
        }
        Ok(url) if schemes.contains(&url.scheme()) && url.has_host() => None,
        Ok(_) => Some(format!("{text:?}; {}", allowed())),
        Err(error) => Some(format!("{text:?} is no address ({error}); {}", allowed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn plan(arguments: &[&str]) -> anyhow::Result<Plan> {
        let options = super::super::Options::parse_from(["ingester"].iter().chain(arguments));
        Plan::of(&options.told, |_| None)
    }

    fn file(name: &str, content: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, path.to_str().unwrap().to_owned())
    }

    #[test]
    fn options_alone_are_enough_at_a_desk() {
        let plan = plan(&["--rss", "https://news.example/feed", "--replay", "-", "--to", "today.jsonl"]).unwrap();
        assert_eq!(plan.feeds.iter().map(Feed::name).collect::<Vec<_>>(), ["rss", "replay"]);
        assert_eq!((plan.to.clone(), plan.listen), (Target::File("today.jsonl".into()), None));
        assert!(!plan.needs_aws());
    }

    #[test]
    fn configuration_may_be_json_or_toml_and_the_command_line_adds_to_it() {
        let json =
            r#"{"pipeline":"news","stream":"s","feeds":[{"kind":"rss","name":"press","urls":["https://a.example/"]}]}"#;
        let toml =
            "pipeline = 'news'\nstream = 's'\n[[feeds]]\nkind = 'rss'\nname = 'press'\nurls = ['https://a.example/']";
        for (name, content) in [("ingester.json", json), ("ingester.toml", toml)] {
            let (_folder, path) = file(name, content);
            let plan = plan(&["--config", &path, "--replay", "items.jsonl"]).unwrap();
            assert_eq!(plan.to, Target::Kinesis("s".into()));
            assert_eq!(plan.feeds.len(), 2);
            assert_eq!(plan.listen.unwrap().port(), PORT);
            assert!(plan.needs_aws());
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let config = r#"{"pipeline":"news","feeds":[
            {"kind":"lseg","name":"lseg","region":"eu-west-1","authentication":"v1","connections":2},
            {"kind":"lseg_deployed","name":"lseg","servers":["http://ads1"],"user":"me","connections":2},
            {"kind":"rss","name":"press","urls":["news.example","https://me:hunter2@news.example/"]}
        ]}"#;
        let (_folder, path) = file("ingester.json", config);
        let error = plan(&["--config", &path, "--to", "kinesis:"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "--to kinesis: names no stream; kinesis:STREAM is allowed\n\
             feed lseg: 2 connections; a version 1 login allows 1\n\
             feed lseg: another feed has this name; a name appears once\n\
             feed lseg: \"http://ads1\"; ws:// or wss:// with a host is allowed\n\
             feed lseg: 2 connections and 1 server; a hot standby needs two servers\n\
             feed press: \"news.example\" is no address (relative URL without a base); https:// or http:// with a host is allowed\n\
             feed press: an address has a password in it; a secret is the place for it"
        );
    }

    #[test]
    fn what_is_misspelt_is_named_with_its_place() {
        let (_folder, path) = file("ingester.json", "{\"pipeline\":\"news\",\n\"feed\":[]}");
        let error = plan(&["--config", &path]).unwrap_err().to_string();
        assert!(error.contains("unknown field `feed`, expected one of `pipeline`, `region`, `stream`"), "{error}");
        assert!(error.contains("line 2") && error.contains("ingester.json"), "{error}");
        assert!(plan(&[]).unwrap_err().to_string().starts_with("no feed: give a --config with feeds, or --rss"));
    }

    #[test]
    fn login_in_the_environment_says_which_version_it_is() {
        let options = super::super::Options::parse_from(["ingester", "--lseg", "eu-west-1"]);
        let version = |name: &'static str| {
            let plan = Plan::of(&options.told, |asked| (asked == name).then(|| "set".into())).unwrap();
            let Feed::Lseg(lseg) = &plan.feeds[0] else { panic!("{:?}", plan.feeds) };
            lseg.authentication
        };
        assert_eq!(version("LSEG_USERNAME"), Authentication::V1);
        assert_eq!(version("LSEG_CLIENT_ID"), Authentication::V2);
    }

    #[test]
    fn systemd_says_where_the_spool_is() {
        let options = super::super::Options::parse_from(["ingester", "--replay", "-"]);
        let plan = Plan::of(&options.told, |name| (name == "STATE_DIRECTORY").then(|| "/var/lib/newsloom".into()));
        assert_eq!(plan.unwrap().spool, Path::new("/var/lib/newsloom"));
    }
}
