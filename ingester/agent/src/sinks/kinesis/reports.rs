//! What is wrong, said at once and then each minute.

use crate::status::SinkStatus;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often it is said while it lasts.
const AGAIN: Duration = Duration::from_mins(1);

/// What is wrong with Kinesis and with the disk.
#[derive(Debug)]
pub(super) struct Reports {
    status: Arc<SinkStatus>,
    stream: Option<String>,
    disk: Option<String>,
    stream_said: Said,
    disk_said: Said,
    throttled_said: Said,
}

/// When something was last said.
#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    /// Whether the end of it is yet to be said.
    open: bool,
}

impl Reports {
    pub(super) fn new(status: Arc<SinkStatus>) -> Self {
        Self {
            status,
            stream: None,
            disk: None,
            stream_said: Said::default(),
            disk_said: Said::default(),
            throttled_said: Said::default(),
        }
    }

    /// How Kinesis is: `Some` with what is wrong.
    pub(super) fn stream(&mut self, trouble: Option<&str>, now: Instant) {
        match trouble {
            Some(error) if self.stream_said.is_time(now) => tracing::error!(error, "Kinesis doesn't take records."),
            None if self.stream_said.is_over() => tracing::info!("Kinesis takes records again."),
            _ => (),
        }
        if self.stream.as_deref() != trouble {
            self.stream = trouble.map(str::to_owned);
            self.publish();
        }
    }

    /// How the disk is: `Some` with what is wrong.
    pub(super) fn disk(&mut self, trouble: Option<String>, now: Instant) {
        match &trouble {
            Some(error) if self.disk_said.is_time(now) => {
                tracing::error!(error, "Records are in memory alone: the disk doesn't take them.");
            }
            None if self.disk_said.is_over() => tracing::info!("The disk takes records again."),
            _ => (),
        }
        if self.disk != trouble {
            self.disk = trouble;
            self.publish();
        }
    }

    /// Kinesis took some records of a request and failed others, which is no trouble unless it lasts.
    pub(super) fn failed_records(&mut self, failed: usize, of: usize, why: &str, now: Instant) {
        if self.throttled_said.is_time(now) {
            tracing::warn!(failed, of, why, "Kinesis failed records; they go again.");
        }
    }

    fn publish(&self) {
        let both: Vec<_> = [&self.stream, &self.disk].into_iter().flatten().map(String::as_str).collect();
        self.status.trouble((!both.is_empty()).then(|| both.join("; ")));
    }
}

impl Said {
    fn is_time(&mut self, now: Instant) -> bool {
        if self.at.is_some_and(|at| now < at + AGAIN) {
            return false;
        }
        self.at = Some(now);
        self.open = true;
        true
    }

    /// Once, if it was said that there is trouble.
    fn is_over(&mut self) -> bool {
        std::mem::take(&mut self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    #[test]
    fn trouble_is_said_at_once_and_then_each_minute_and_its_end_once() {
        let (mut said, now) = (Said::default(), Instant::now());
        assert!(said.is_time(now) && !said.is_time(now + Duration::from_secs(59)));
        assert!(said.is_time(now + Duration::from_mins(1)));
        assert!(said.is_over() && !said.is_over());
    }

    #[test]
    fn status_has_both_troubles_while_they_last() {
        let (status, now) = (Status::new().sink(), Instant::now());
        let mut reports = Reports::new(Arc::clone(&status));
        reports.stream(Some("no stream"), now);
        reports.disk(Some("no disk".into()), now);
        assert_eq!(status.current_trouble().as_deref(), Some("no stream; no disk"));
        reports.stream(None, now);
        assert_eq!(status.current_trouble().as_deref(), Some("no disk"));
        reports.disk(None, now);
        assert_eq!(status.current_trouble(), None);
    }
}
