//! What a function says in its log.

use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// The one that people know from the shell, and that the stack uses for levels above `info`; and Lambda's own.
const LEVELS: [&str; 2] = ["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"];

/// Begins to log: in Lambda JSON on standard output, a line for each event with the fields of its spans, the request's id
/// among them; at a desk plain lines on standard error, in colour on a terminal.
///
/// `RUST_LOG`, else `AWS_LAMBDA_LOG_LEVEL`, says from which level on, `info` by default. Only the first call has an effect.
pub fn init() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let json = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false);
        let _ = json.with_env_filter(filter()).try_init();
    } else {
        let plain = tracing_subscriber::fmt().with_writer(stderr).with_ansi(stderr().is_terminal());
        let _ = plain.with_target(false).with_env_filter(filter()).try_init();
    }
}

fn filter() -> EnvFilter {
    let level = LEVELS.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "info".into());
    let filter = EnvFilter::try_new(level.to_lowercase()).unwrap_or_else(|_| EnvFilter::new("info"));
    // It logs messages that come back with their bodies, and at `trace` what logs in. What matters, functions say themselves.
    filter.add_directive("lapin=off".parse().expect("a target and a level"))
}
