//! What the API's answers mean.

use crate::secrets::Secret;
use serde::{Deserialize, Deserializer};
use std::time::Duration;
use tokio::time::Instant;

/// A token, as it is given.
#[derive(Debug, Deserialize)]
pub(super) struct Granted {
    pub(super) access_token: Secret,
    pub(super) refresh_token: Option<Secret>,
    /// A number or, as seen, a text with one.
    #[serde(deserialize_with = "seconds")]
    pub(super) expires_in: Duration,
}

/// What a status means where something was asked with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// These credentials are wrong, or used up.
    Credentials,
    /// It will be refused again until somebody acts.
    Stop,
    /// It may work in a moment.
    Retry,
}

/// The classes of the example clients (`Refinitiv/websocket-api`), and for what isn't in them: a client's mistake lasts, a
/// server's doesn't.
pub(super) fn classify(status: u16) -> Class {
    match status {
        400 | 401 => Class::Credentials,
        408 | 425 | 429 => Class::Retry,
        402..=499 => Class::Stop,
        _ => Class::Retry,
    }
}

/// How long a token lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    issued: Instant,
    pub(super) lasts: Duration,
}

impl Life {
    pub(super) fn new(issued: Instant, lasts: Duration) -> Self {
        Self { issued, lasts }
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.issued)
    }

    /// When a stream should get another: after nine tenths.
    pub(super) fn renewal(&self) -> Instant {
        self.issued + self.lasts.mul_f64(0.9)
    }

    /// Whether it is too near its end to log in with: in its last five minutes, or in the last twentieth of a short one.
    pub(super) fn is_near_its_end(&self, now: Instant) -> bool {
        const SHORT: Duration = Duration::from_secs(600);
        let last = if self.lasts < SHORT { self.lasts.mul_f64(0.05) } else { Duration::from_secs(300) };
        self.age(now) + last >= self.lasts
    }
}

/// `error` and `error_description` of an answer's body, or of the object that is its `error`, without secrets: a server may
/// repeat what it was sent.
pub(super) fn said<'a>(body: &[u8], secrets: impl IntoIterator<Item = &'a Secret>) -> String {
    const LONGEST: usize = 300;
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return String::new() };
    let error = if body["error"].is_object() { &body["error"] } else { &body };
    let words = ["error", "code", "error_description", "message"].iter().filter_map(|name| error[*name].as_str());
    let text = words.collect::<Vec<_>>().join(", ");
    let text = secrets.into_iter().fold(text, |text, secret| secret.masked_in(&text));
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(LONGEST).collect()
}

fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(u64),
        Text(String),
    }
    let seconds = match Seconds::deserialize(from)? {
        Seconds::Number(seconds) => Some(seconds),
        Seconds::Text(text) => text.trim().parse().ok(),
    };
    // A day is more than any token lives; without a bound, a nonsense would be added to a time.
    let bounded = seconds.filter(|seconds| (1..=86_400).contains(seconds));
    bounded.map(Duration::from_secs).ok_or_else(|| serde::de::Error::custom("expires_in is no number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_classed_as_in_the_example_clients() {
        for (status, class) in [
            (400, Class::Credentials),
            (401, Class::Credentials),
            (403, Class::Stop),
            (404, Class::Stop),
            (410, Class::Stop),
            (451, Class::Stop),
            (429, Class::Retry),
            (500, Class::Retry),
            (503, Class::Retry),
            (204, Class::Retry),
            (303, Class::Retry),
        ] {
            assert_eq!(classify(status), class, "{status}");
        }
    }

    #[test]
    fn life_is_a_number_or_a_text() {
        for (written, expected) in [("600", Some(600)), (r#""7199""#, Some(7199)), ("0", None), (r#""soon""#, None)] {
            let text = format!(r#"{{"access_token":"t","expires_in":{written},"scope":"s"}}"#);
            let granted = serde_json::from_str::<Granted>(&text).ok();
            assert_eq!(granted.map(|granted| granted.expires_in.as_secs()), expected, "{written}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn token_is_renewed_at_nine_tenths_and_no_good_for_logins_near_its_end() {
        let issued = Instant::now();
        for (lasts, renewal, end) in [(300, 270, 285), (600, 540, 300), (7199, 6479, 6899)] {
            let life = Life::new(issued, Duration::from_secs(lasts));
            assert_eq!((life.renewal() - issued).as_secs(), renewal, "{lasts}");
            assert!(!life.is_near_its_end(issued + Duration::from_secs(end - 1)), "{lasts}");
            assert!(life.is_near_its_end(issued + Duration::from_secs(end)), "{lasts}");
        }
    }

    #[test]
    fn words_of_an_error_are_shown_without_secrets() {
        let secrets = [Secret::new("hunter2")];
        for (body, expected) in [
            (r#"{"error":"invalid_grant","error_description":"hunter2 is wrong.\n"}"#, "invalid_grant, *** is wrong. "),
            (r#"{"error":{"id":"x","code":"insufficient_scope","message":"No."}}"#, "insufficient_scope, No."),
            ("<html>", ""),
        ] {
            assert_eq!(said(body.as_bytes(), &secrets), expected);
        }
    }
}
