//! Ctrl-C and SIGTERM.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a second signal ends with, as shells have it for Ctrl-C.
const ENDED_AT_ONCE: i32 = 130;

/// Cancelled by the first of the two; the second ends the process.
///
/// # Errors
///
/// The system doesn't tell signals.
pub(super) fn signals() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn({
        let stop = stop.clone();
        async move {
            either(&mut interrupt, &mut terminate).await;
            tracing::info!("Stopping; a second signal ends it at once.");
            stop.cancel();
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(ENDED_AT_ONCE);
        }
    });
    Ok(stop)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}
