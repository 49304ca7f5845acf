//! The command line.

use clap::{ArgAction, Parser, ValueEnum};
use jiff::{Span, SpanRelativeTo, Unit};
use news::routing;
use std::{path::PathBuf, time::Duration};

/// Subscribes to the enriched news feed and prints each item as a line.
///
/// PATTERNs are those of RabbitMQ's topic exchanges, over the routing key <language>.<sentiment>.<provider>, all in lower
/// case: a * is one word, a # any number of words. The sentiment is positive, neutral, negative or unjudged. Without a
/// PATTERN everything comes.
///
/// Items wait in a queue while nobody subscribes. Without --queue it is yours, consume.<user>@<host>:<patterns>: it
/// keeps the last 1 000 000 items, and the broker removes it 7 days after you last subscribed. With --tail nothing is
/// kept.
///
/// An item leaves the queue after its line was written: one that was not written comes next time, and after a crash some
/// may come twice.
#[derive(Parser, Debug)]
#[allow(rustdoc::invalid_html_tags, reason = "these comments are what --help shows")]
#[expect(clippy::struct_excessive_bools, reason = "flags are what a command line has")]
#[command(
    name = "consume",
    version,
    max_term_width = 100,
    after_help = "More with --help.",
    after_long_help = EXAMPLES
)]
pub struct Options {
    /// Patterns of routing keys to subscribe to
    #[arg(value_name = "PATTERN", default_value = "#")]
    pub(crate) patterns: Vec<String>,

    /// The broker, amqps://user@host:5671/vhost
    ///
    /// A secret names the user too. A password in here is accepted, but whoever lists this machine's processes reads
    /// it: the options below, and NEWSLOOM_BROKER_PASSWORD, keep it to yourself. The virtual host is / unless given;
    /// amqp:// is without TLS.
    #[arg(long, env = "NEWSLOOM_BROKER_URL", hide_env_values = true, help_heading = "Broker")]
    pub(crate) url: Option<String>,

    /// Read the password from a file
    #[arg(long, value_name = "FILE", help_heading = "Broker")]
    pub(crate) password_file: Option<PathBuf>,

    /// Read user and password from a secret of AWS Secrets Manager, its name or ARN
    ///
    /// The secret is {"username": …, "password": …}, as the stack makes it. Region and AWS credentials come from where
    /// the AWS CLI has them. It is read again when the broker refuses what it said.
    #[arg(long, value_name = "NAME", env = "NEWSLOOM_BROKER_SECRET", hide_env_values = true, help_heading = "Broker")]
    pub(crate) secret: Option<String>,

    /// Trust the certificates in this PEM file, beside the system's
    #[arg(long, value_name = "FILE", env = "NEWSLOOM_BROKER_CA", hide_env_values = true, help_heading = "Broker")]
    pub(crate) ca: Option<PathBuf>,

    /// The exchange that publish sends to
    #[arg(long, value_name = "NAME", default_value = routing::EXCHANGE, help_heading = "Broker")]
    pub(crate) exchange: String,

    /// Take items from this durable queue, made if it is not there
    ///
    /// Several processes that name the same queue share the work: each item goes to one of them. A queue keeps the
    /// patterns of earlier runs, and AMQP has no way to list them: --unbind takes one away, --delete all.
    #[arg(long, value_name = "NAME", conflicts_with = "tail", help_heading = "Queue")]
    pub(crate) queue: Option<String>,

    /// Only what comes from now on; keep nothing
    #[arg(long, help_heading = "Queue")]
    pub(crate) tail: bool,

    /// Keep at most N items, then drop the oldest [default: 1000000; none with --queue, 100000 with --tail]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Queue")]
    pub(crate) max_length: Option<u32>,

    /// Remove the queue when nobody subscribed for so long, 12h or 7d [default: 7d; never with --queue]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "tail", help_heading = "Queue")]
    pub(crate) expires: Option<Duration>,

    /// Take a pattern away that an earlier run gave the queue; repeatable
    #[arg(long, value_name = "PATTERN", conflicts_with = "tail", help_heading = "Queue")]
    pub(crate) unbind: Vec<String>,

    /// Remove the queue, with what waits in it, and end
    #[arg(long, conflicts_with = "tail", help_heading = "Queue")]
    pub(crate) delete: bool,

    /// Hold at most N items that are not written yet
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Queue")]
    pub(crate) prefetch: u16,

    /// Notice repeats among the last N items; 0 prints them
    #[arg(long, value_name = "N", default_value_t = 100_000, help_heading = "Queue")]
    pub(crate) window: usize,

    /// Print each item's JSON as it was published, a line each
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// End after N items
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Output")]
    pub(crate) count: Option<u64>,

    /// Colours; auto is on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, help_heading = "Output")]
    pub(crate) color: Color,

    /// Say more about what happens, on standard error; twice for the protocol too
    #[arg(short, long, action = ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,

    /// Say only what is wrong
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// Lines of at most 80 columns: clap wraps longer ones without regard to their indentation.
const EXAMPLES: &str = "\
Examples:
  All news from now on, as it comes:
    consume --tail

  Bad news in English, and all of one provider, with what came since last time:
    consume 'en.negative.*' '*.*.rtrs'

  A broker whose password is in Secrets Manager, as the stack makes it:
    cd synth-out
    export NEWSLOOM_BROKER_URL=$(terraform output -raw BrokerUrl)
    export NEWSLOOM_BROKER_SECRET=$(terraform output -raw BrokerSecret)
    consume

  A worker; start as many as it takes, each item goes to one of them:
    consume --queue archive --json >> archive.jsonl

  The next hundred headlines, for another program:
    consume -n 100 --json | jq -r .headline

Columns:
  When it was published (UTC), how old it was when printed, language, sentiment
  with its score or why there is none, provider, headline. ALERT is a headline
  before its story, CORRECTED puts an earlier item right, CANCELED takes its
  story back.

Signals:
  Ctrl-C and SIGTERM end it after the lines that it is writing; what was not
  written stays in the queue. A second one ends it at once.

Environment:
  NEWSLOOM_BROKER_PASSWORD  the password of the user in the URL
  NO_COLOR                  no colours, unless --color=always
  AWS_REGION, AWS_PROFILE…  for --secret, as the AWS CLI has them

Exit codes:
  0    ended as asked: by a signal, by --count, or nobody read the output any more
  1    an error, which is on standard error
  2    the command line makes no sense
  130  ended at once, by a second signal";

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// `7d`, `12h 30m`: more than nothing, days of 24 hours.
fn time(text: &str) -> Result<Duration, String> {
    let span: Span = text.parse().map_err(|_| "no time; 12h and 7d are".to_string())?;
    let total = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).map_err(|error| error.to_string())?;
    // Not more than RabbitMQ takes, 2^32 milliseconds.
    let allowed = (1.0..=4_294_967.0).contains(&total);
    if allowed { Ok(Duration::from_secs_f64(total)) } else { Err("1s to 49d are allowed".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn help_is_what_a_person_reads_first() {
        let help = Options::command().term_width(100).render_long_help().to_string();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("consume_help", help));
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(time("7d"), Ok(Duration::from_hours(168)));
        assert_eq!(time("1h 30m"), Ok(Duration::from_mins(90)));
        for nonsense in ["", "soon", "0s", "-1h", "50d", "1y"] {
            assert!(time(nonsense).is_err(), "{nonsense}");
        }
    }
}
