//! systemd: ready, alive, stopping. Without systemd nothing of it happens.

use crate::health::Health;
use sd_notify::NotifyState;
use std::time::Duration;

/// Whether systemd runs it, and would start it again.
pub fn is_supervised() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Says that everything runs. Not that feeds are connected: a unit whose feed is away must start all the same.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Says that it ends.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Says in a line how it is, for `systemctl status`.
pub fn tell(health: &Health) {
    let connected = health.feeds.iter().filter(|feed| feed.connected > 0).count();
    let line = format!(
        "{}: {connected} of {} feeds deliver, {} accepted, {} on disk",
        health.status,
        health.feeds.len(),
        health.sink.accepted,
        health.sink.spooled
    );
    notify(&[NotifyState::Status(&line)]);
}

/// Tells systemd that it is alive, twice in the time after which systemd would restart it. It runs on the thread that does
/// everything else: if that stands still, systemd hears nothing.
pub async fn watchdog() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut beat = tokio::time::interval((patience / 2).max(Duration::from_millis(1)));
    loop {
        beat.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd can't be told.");
    }
}
