//! Politeness towards hosts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Who asks which host. One at a time, and not at once after the last.
#[derive(Debug)]
pub(super) struct Doors {
    apart: Duration,
    /// When the host was last asked.
    hosts: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Instant>>>>>,
}

impl Doors {
    /// Questions to one host are that far from each other.
    pub(super) fn apart(apart: Duration) -> Self {
        Self { apart, hosts: Mutex::default() }
    }

    /// Runs a question to a host when it is its turn.
    pub(super) async fn alone<T>(&self, host: &str, asking: impl Future<Output = T>) -> T {
        let door =
            Arc::clone(self.hosts.lock().unwrap_or_else(PoisonError::into_inner).entry(host.into()).or_default());
        let mut last = door.lock().await;
        if let Some(last) = *last {
            sleep_until(last + self.apart).await;
        }
        let answer = asking.await;
        *last = Some(Instant::now());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn host_is_asked_one_at_a_time_and_each_host_for_itself() {
        let doors = Doors::apart(Duration::from_secs(1));
        let started = Instant::now();
        let ask = async |host: &str| {
            let begun = doors.alone(host, async {
                let begun = started.elapsed().as_secs();
                tokio::time::sleep(Duration::from_secs(2)).await;
                begun
            });
            begun.await
        };
        let begun = tokio::join!(ask("a"), ask("a"), ask("b"), ask("a"));
        assert_eq!(begun, (0, 3, 0, 6));
    }
}
