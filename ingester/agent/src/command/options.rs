//! The command line.

use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// Takes items of news feeds and puts them on a Kinesis stream.
///
/// A configuration names the feeds and the stream: the stack writes one for its machine. At a desk a few options are
/// enough, alone or beside a configuration. Several feeds run at once.
///
/// While Kinesis is away, items wait on disk, and are sent in order when it is back. Delivery is at least once: after a
/// crash some items may come twice, with the same id.
#[derive(Parser, Debug)]
#[allow(rustdoc::invalid_html_tags, reason = "these comments are what --help shows")]
#[command(
    name = "ingester",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    after_help = "More with --help.",
    after_long_help = EXAMPLES
)]
pub struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) told: Told,
}

/// What else it can do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Try credentials, discovery, login and Kinesis one by one, and say which step fails and why
    Check(Check),
}

/// `ingester check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) told: Told,

    /// Print a line of JSON for each step
    #[arg(long)]
    pub(crate) json: bool,
}

/// What it is told.
#[derive(Args, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what a command line has")]
pub(crate) struct Told {
    /// The configuration, JSON or TOML
    #[arg(short, long, value_name = "FILE", env = "NEWSLOOM_INGESTER_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Where items go: kinesis:STREAM; stdout; headlines, on standard output; or a file that lines are added to [default:
    /// the configuration's stream, else stdout]
    #[arg(long, value_name = "WHERE")]
    pub(crate) to: Option<String>,

    /// Read an RSS or Atom page; repeatable
    #[arg(long, value_name = "URL", help_heading = "Feeds")]
    pub(crate) rss: Vec<String>,

    /// Replay recorded items: a file, - for standard input, or s3://bucket/key; .gz is unpacked; repeatable
    #[arg(long, value_name = "FILE", help_heading = "Feeds")]
    pub(crate) replay: Vec<String>,

    /// How fast to replay: 1 is the recorded pace, 10 ten times that, 0 as fast as it goes
    #[arg(long, value_name = "N", default_value_t = 0.0, help_heading = "Feeds")]
    pub(crate) speed: f64,

    /// Read Alpaca's news, with APCA_API_KEY_ID and APCA_API_SECRET_KEY from the environment
    #[arg(long, help_heading = "Feeds")]
    pub(crate) alpaca: bool,

    /// Read LSEG's news from its cloud, in this region of LSEG's, with the login from the environment
    ///
    /// Version 2: LSEG_CLIENT_ID with LSEG_CLIENT_SECRET or LSEG_PRIVATE_KEY. Version 1: LSEG_USERNAME, LSEG_PASSWORD and
    /// LSEG_APP_KEY.
    #[arg(long, value_name = "REGION", help_heading = "Feeds")]
    pub(crate) lseg: Option<String>,

    /// Read LSEG's news from an own installation, ws://host:15000/WebSocket; repeatable, in order of preference
    #[arg(long, value_name = "URL", requires = "lseg_user", help_heading = "Feeds")]
    pub(crate) lseg_server: Vec<String>,

    /// The user that the installation knows
    #[arg(long, value_name = "NAME", requires = "lseg_server", help_heading = "Feeds")]
    pub(crate) lseg_user: Option<String>,

    /// Two connections to LSEG: what one misses while it reconnects, the other has
    #[arg(long, help_heading = "Feeds")]
    pub(crate) standby: bool,

    /// Where LSEG's tokens are given, for a simulator [default: https://api.refinitiv.com]
    #[arg(long, value_name = "URL", requires = "lseg", help_heading = "Feeds")]
    pub(crate) lseg_api: Option<String>,

    /// Where health and metrics are served; none for nowhere [default: 127.0.0.1:9464 with a configuration]
    #[arg(long, value_name = "ADDRESS", value_parser = listen, help_heading = "Operation")]
    pub(crate) listen: Option<Listen>,

    /// Where items wait while Kinesis is away [default: $STATE_DIRECTORY, else .newsloom in the current folder]
    #[arg(long, value_name = "FOLDER", help_heading = "Operation")]
    pub(crate) spool: Option<PathBuf>,

    /// The most that items take in memory on their way, MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(4..=1024), help_heading = "Operation")]
    pub(crate) memory: u16,

    /// Say more about what happens, on standard error; RUST_LOG says it in detail
    #[arg(short, long, help_heading = "Operation")]
    pub(crate) verbose: bool,

    /// Say only what is wrong
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Operation")]
    pub(crate) quiet: bool,
}

/// Where health and metrics are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    Nowhere,
    At(SocketAddr),
}

fn listen(text: &str) -> Result<Listen, String> {
    if text == "none" {
        return Ok(Listen::Nowhere);
    }
    let address: SocketAddr = text.parse().map_err(|_| "an address and a port, 127.0.0.1:9464, or none".to_owned())?;
    // Nothing there is for strangers, and nothing asks who they are.
    if address.ip().is_loopback() {
        Ok(Listen::At(address))
    } else {
        Err("only this machine's own address, 127.0.0.1 or [::1]".into())
    }
}

/// Lines of at most 80 columns: clap wraps longer ones without regard to their indentation.
const EXAMPLES: &str = "\
Examples:
  ingester --config ingester.json          as on the stack's machine
  ingester check --config ingester.json    what works, and what doesn't
  ingester --rss https://news.example/feed --to headlines
  ingester --replay items.jsonl --to kinesis:news
  ingester --lseg-server ws://ads1:15000/WebSocket --lseg-user me --to today.jsonl

Health is at http://127.0.0.1:9464/healthz, metrics for Prometheus at /metrics.
";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn only_this_machine_can_listen() {
        assert_eq!(listen("none"), Ok(Listen::Nowhere));
        assert!(matches!(listen("127.0.0.1:0"), Ok(Listen::At(_))));
        assert!(matches!(listen("[::1]:9464"), Ok(Listen::At(_))));
        for refused in ["0.0.0.0:9464", "9464", "localhost"] {
            assert!(listen(refused).is_err(), "{refused}");
        }
    }
}
