//! What the program is told.

use clap::Parser;
use jiff::Timestamp;
use simulator::{Accounts, Options, Pace, Script};
use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

/// A real-time news feed that isn't one: LSEG's protocol, invented news, trouble on request.
///
/// Serves tokens, the list of endpoints and WebSocket endpoints on 127.0.0.1, and prints where. Every company, person,
/// place and number in the news is invented.
///
/// Ends with 0 after Ctrl-C, SIGTERM or, with --exit, once everything is sent; with 1 if it can't start; with 2 if an
/// option is wrong.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(name = "newsfeed-sim", version, max_term_width = 100)]
pub(crate) struct Command {
    /// The port of the HTTP side; endpoints are on those after it. 0 takes any that are free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Serve TLS, by an authority that is made anew at each start
    #[arg(long)]
    tls: bool,
    /// Where the authority's certificate is written [default: a file in the directory for temporary files]
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) ca: Option<PathBuf>,
    /// Decides every invented item and every trouble at random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// recorded; x10, ten times as fast; 500/s, evenly; max, as fast as clients take it
    #[arg(long, default_value = "recorded")]
    pace: PaceText,
    /// How many items are invented, repeats included [default: no end]
    #[arg(long)]
    count: Option<u64>,
    /// Invent this many items before anything is served, for paces that inventing wouldn't keep up with
    #[arg(long, value_name = "ITEMS", default_value_t = 0)]
    prebuild: usize,
    /// Leave once everything is sent and clients have read it; needs an end: --count or --prebuild
    #[arg(long)]
    pub(crate) exit: bool,
    /// The time of the first item, such as 2026-01-02T03:04:05Z; the same seed and time make the same bytes [default: items
    /// are from when they are sent]
    #[arg(long, value_name = "TIME")]
    base_time: Option<Timestamp>,
    /// How many connections must have asked for news before the first item is sent
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 1)]
    wait_for: usize,
    /// Endpoints, each a zone of its own, 1 to 3; with several there is another that is in all zones
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    endpoints: u8,
    /// The region that endpoints are in
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// A script of what goes wrong, TOML or JSON; see the README
    #[arg(long, value_name = "FILE")]
    trouble: Option<PathBuf>,
    /// A user who may log in without a token, as to an own installation; again for another [default: anybody]
    #[arg(long)]
    pub(crate) user: Vec<String>,
    /// The service account of version 2 logins
    #[arg(long, default_value = "GE-000000000000")]
    pub(crate) client_id: String,
    /// Its secret, an invented one
    #[arg(long, default_value = "simulated-secret")]
    client_secret: String,
    /// The machine id of version 1 logins
    #[arg(long, default_value = "GE-A-00000000-0-0000")]
    pub(crate) username: String,
    /// Its password, an invented one
    #[arg(long, default_value = "simulated-password")]
    password: String,
    /// Its application's key
    #[arg(long, default_value = "simulated-app-key")]
    pub(crate) app_key: String,
    /// Take any token, issued here or not
    #[arg(long)]
    any_token: bool,
    /// Seconds that tokens of version 1 hold, and with them the session unless they are renewed
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    token_life: u64,
    /// Refuse MRN_TRNA, as without a contract for scores
    #[arg(long)]
    no_scores: bool,
    /// Seconds of a client's silence before it is sent a ping
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    ping_after: u64,
    /// Seconds that it may take to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    ping_timeout: u64,
    /// Print a line of JSON at the start and another at the end, instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// A client to run, after --: in its words {server}, {server2} and {api} become addresses. They end together, with the
    /// client's exit code; standard output is the client's
    #[arg(last = true, value_name = "CLIENT")]
    pub(crate) client: Vec<String>,
}

impl Command {
    /// As the library has it.
    pub(crate) fn options(&self) -> anyhow::Result<Options> {
        let ends = self.count.is_some() || self.prebuild > 0;
        anyhow::ensure!(ends || !self.exit, "--exit needs an end: --count or --prebuild");
        Ok(Options {
            seed: self.seed,
            pace: self.pace.0,
            count: self.count,
            prebuilt: self.prebuild,
            wait_for: self.wait_for,
            base_time: self.base_time,
            endpoints: usize::from(self.endpoints),
            address: SocketAddr::from(([127, 0, 0, 1], self.port)),
            tls: self.tls,
            accounts: self.accounts(),
            region: self.region.clone(),
            scores: !self.no_scores,
            ping_after: Duration::from_secs(self.ping_after),
            ping_timeout: Duration::from_secs(self.ping_timeout),
            // The program counts; only a test compares items.
            keep_entries: false,
            script: self.trouble.as_deref().map(Script::read).transpose()?.unwrap_or_default(),
            ..Options::default()
        })
    }

    fn accounts(&self) -> Accounts {
        Accounts {
            username: self.username.clone(),
            password: self.password.clone(),
            app_key: self.app_key.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            users: self.user.clone(),
            any_token: self.any_token,
            v1_token_life: Duration::from_secs(self.token_life),
            ..Accounts::default()
        }
    }
}

/// A pace as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PaceText(Pace);

impl FromStr for PaceText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
        let pace = match text {
            "recorded" => Some(Pace::Recorded(1.0)),
            "max" => Some(Pace::Max),
            _ => text
                .strip_prefix('x')
                .and_then(number)
                .map(Pace::Recorded)
                .or_else(|| text.strip_suffix("/s").and_then(number).map(Pace::Rate)),
        };
        pace.map(Self).ok_or_else(|| "recorded, x10, 500/s and max are allowed, with other numbers".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn paces_are_read_as_they_are_written() {
        let cases = [
            ("recorded", Some(Pace::Recorded(1.0))),
            ("x10", Some(Pace::Recorded(10.0))),
            ("x0.5", Some(Pace::Recorded(0.5))),
            ("500/s", Some(Pace::Rate(500.0))),
            ("max", Some(Pace::Max)),
            ("x0", None),
            ("-1/s", None),
            ("xNaN", None),
            ("500", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<PaceText>().ok().map(|pace| pace.0), expected, "{text}");
        }
    }

    #[test]
    fn help_and_defaults_are_sound() {
        Command::command().debug_assert();
        let options = Command::parse_from(["newsfeed-sim"]).options().unwrap();
        let library = Options::default();
        assert_eq!((options.seed, options.pace, options.endpoints), (library.seed, library.pace, library.endpoints));
        assert_eq!(options.accounts.client_secret, library.accounts.client_secret);
        assert!(Command::parse_from(["newsfeed-sim", "--exit"]).options().is_err());
    }
}
