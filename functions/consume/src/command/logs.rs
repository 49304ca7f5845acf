//! What the command says of itself: sentences on standard error.

use super::console::Console;
use std::fmt;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Begins to say things.
///
/// The level comes from the command line alone, and lapin's is never lower than `debug`: in its traces are the frames,
/// and in the first of them the password.
pub(crate) fn init(verbose: u8, quiet: bool, console: Console) {
    let filter = match (quiet, verbose) {
        (true, _) => "off,consume=warn",
        (_, 0) => "off,consume=info",
        (_, 1) => "off,consume=debug",
        _ => "off,consume=debug,lapin=debug,rustls_connector=debug",
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(move || console.clone())
        .with_ansi(false)
        .event_format(Sentences)
        .try_init();
}

/// `consume: warning: Lost the connection. cause=…`.
struct Sentences;

impl<S, F> FormatEvent<S, F> for Sentences
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    F: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, F>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            Level::INFO => "",
            _ => "debug: ",
        };
        write!(writer, "consume: {level}")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
