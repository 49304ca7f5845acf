//! What ends a command.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a command that was stopped: 128 and the number of SIGINT.
pub(super) const STOPPED: u8 = 130;

/// Ctrl-C, and what a service manager says.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}
