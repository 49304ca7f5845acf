//! What the command says: lines on standard error, and JSON for CloudWatch.

use super::options::Told;
use crate::cloudwatch::Lines;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Begins to log. `RUST_LOG` says from which level on, else `--verbose` and `--quiet`. Only the first call has an effect.
pub(super) fn init(told: &Told, lines: Option<Lines>) {
    let plain =
        tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal()).with_target(false);
    let json = lines.map(|lines| {
        let json = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
        json.with_writer(move || lines.clone()).boxed()
    });
    let _ = tracing_subscriber::registry().with(filter(told)).with(plain).with(json).try_init();
}

/// Says only what is wrong, unless asked: the steps say the rest.
pub(super) fn init_for_checks(told: &Told) {
    let quiet = Told { quiet: !told.verbose, verbose: told.verbose, ..Told::default() };
    init(&quiet, None);
}

fn filter(told: &Told) -> EnvFilter {
    let level = match (told.quiet, told.verbose) {
        (true, _) => "warn",
        (_, true) => "warn,ingester=debug,lseg=debug",
        _ => "warn,ingester=info,lseg=info",
    };
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| level.into());
    EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new(level))
}
