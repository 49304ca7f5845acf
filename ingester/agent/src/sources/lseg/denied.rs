//! Refusals, and when to ask again.

use super::{
    Timings,
    api::{Answer, ApiError},
    supervise::Next,
};
use ::lseg::token::{Grant, Verdict, problem, verdict};
use runtime::Backoff;
use tokio::time::Instant;

/// There is no token, or no list of endpoints.
#[derive(Debug, Clone)]
pub(super) struct Denied {
    /// Without secrets.
    pub(super) why: String,
    /// When it makes sense to ask again.
    pub(super) until: Instant,
    /// It will be so until somebody acts: an alarm.
    pub(super) lasts: bool,
    /// Another token might help.
    pub(super) is_about_the_token: bool,
}

impl Denied {
    /// Something is wrong that passes.
    pub(super) fn soon(why: impl Into<String>, backoff: &mut Backoff) -> Self {
        let until = Instant::now() + backoff.next_pause();
        Self { why: why.into(), until, lasts: false, is_about_the_token: false }
    }

    /// Somebody must do something about it.
    pub(super) fn late(why: impl Into<String>, timings: &Timings) -> Self {
        let until = Instant::now() + timings.late;
        Self { why: why.into(), until, lasts: true, is_about_the_token: false }
    }

    /// The same, but the reason for it is gone.
    pub(super) fn for_now(self) -> Self {
        Self { until: Instant::now(), lasts: false, ..self }
    }

    /// When another attempt makes sense: when it was said, or else after the usual pause.
    pub(super) fn next(&self) -> Next {
        if self.until > Instant::now() { Next::At(self.until) } else { Next::Soon }
    }

    /// There was no answer.
    pub(super) fn unanswered(what: &str, error: &ApiError, backoff: &mut Backoff, timings: &Timings) -> Self {
        let why = format!("{what}: {error}");
        match error {
            ApiError::Unreachable { .. } => Self::soon(why, backoff),
            ApiError::TooLarge { .. } | ApiError::Elsewhere { .. } | ApiError::Circle { .. } => {
                Self::late(why, timings)
            }
        }
    }

    /// There was an answer, and it is another than the wanted one.
    pub(super) fn answered(
        what: &str,
        answer: &Answer,
        secrets: &[&str],
        backoff: &mut Backoff,
        timings: &Timings,
    ) -> Self {
        let why = format!("{what}: status {}, {}", answer.status, problem(&answer.body, secrets));
        let denied = match verdict(answer.status, Grant::ClientCredentials) {
            Verdict::Soon => Self::soon(why, backoff),
            _ => Self::late(why, timings),
        };
        let asked = answer.retry_after.map_or(denied.until, |after| Instant::now() + after);
        Self { until: denied.until.max(asked), is_about_the_token: answer.status == 401, ..denied }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answered(status: u16, retry_after: Option<u64>) -> Duration {
        let timings = Timings::default();
        let retry_after = retry_after.map(Duration::from_secs);
        let answer = Answer { status, retry_after, body: br#"{"error":"invalid_grant"}"#.to_vec() };
        let denied = Denied::answered("no token", &answer, &[], &mut timings.backoff(), &timings);
        assert_eq!(denied.why, format!("no token: status {status}, invalid_grant"));
        denied.until - Instant::now()
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_logins_wait_long_and_busy_servers_as_long_as_they_say() {
        let quarter = Duration::from_mins(15);
        for status in [400, 401, 403, 404, 410, 451] {
            assert_eq!(answered(status, None), quarter, "{status}");
            assert_eq!(answered(status, Some(5)), quarter, "{status}");
        }
        for status in [429, 500, 503] {
            assert!(answered(status, None) <= Duration::from_secs(1), "{status}");
            assert_eq!(answered(status, Some(120)), Duration::from_mins(2), "{status}");
        }
    }
}
