//! Tokens of LSEG's cloud: reading what the token service answers, and when to ask it again.
//!
//! From LSEG's example clients (`Refinitiv/websocket-api`, `RDP/python`) and its "Limitations and Guidelines for the RDP
//! Authentication Service": wrong logins can lock an account, so what was refused is not asked again soon.

use crate::{
    mask,
    message::Malformed,
    scalar::{self, Scalar},
};
use serde::Deserialize;
use std::{fmt, time::Duration};

/// Where version 1 tokens are given, behind the API's address.
pub const PATH_V1: &str = "/auth/oauth2/v1/token";

/// Where version 2 tokens are given, behind the API's address.
pub const PATH_V2: &str = "/auth/oauth2/v2/token";

/// What tokens are asked for.
pub const SCOPE: &str = "trapi.streaming.pricing.read";

/// For whom a signed assertion of version 2 is.
pub const AUDIENCE: &str = "https://login.ciam.refinitiv.com/as/token.oauth2";

/// How many redirections are followed.
pub const MAX_REDIRECTS: u8 = 5;

/// How tokens are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Version 1, with the password.
    Password,
    /// Version 1, with the last answer's refresh token.
    Refresh,
    /// Version 2, with a secret or a signed assertion.
    ClientCredentials,
}

/// A token. No log shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What logins and requests carry.
    pub access: String,
    /// What version 1 has the next one for.
    pub refresh: Option<String>,
    /// How long it holds.
    pub lifetime: Duration,
}

/// An answer with no token in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not of this form.
    #[error("the answer is no token: {0}")]
    Malformed(#[from] Malformed),
    /// Something is missing.
    #[error("the answer is no token: {0} is missing")]
    Missing(&'static str),
}

/// What to do after an answer of the token service, or of the list of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Use it.
    Use,
    /// Ask again where `Location` says, at most [`MAX_REDIRECTS`] times, if [`may_follow`] has nothing against it.
    Follow,
    /// The refresh token is no good any more: ask once with the password.
    Password,
    /// Ask again with pauses that grow, not before `Retry-After`.
    Soon,
    /// It would be refused again until somebody changes something: an alarm, and a quarter of an hour.
    Late,
}

/// Reads the answer to a request for a token. `expires_in` may be a number or a text of one.
///
/// ```
/// let answer = br#"{"access_token": "secret", "expires_in": "600", "token_type": "Bearer"}"#;
/// let token = lseg::token::read(answer)?;
/// assert_eq!(token.lifetime.as_secs(), 600);
/// assert_eq!(format!("{token:?}"), "Token { lifetime: 600s, .. }");
/// # Ok::<(), lseg::token::TokenError>(())
/// ```
///
/// # Errors
///
/// There is no token in it, or one that holds for no time.
pub fn read(answer: &[u8]) -> Result<Token, TokenError> {
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| Malformed::new(&error))?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let seconds = answer.expires_in.filter(|seconds| *seconds > 0).ok_or(TokenError::Missing("expires_in"))?;
    Ok(Token {
        access: given(answer.access_token).ok_or(TokenError::Missing("access_token"))?,
        refresh: given(answer.refresh_token),
        // A year at most: nothing has to be able to count further.
        lifetime: Duration::from_secs(seconds.min(31_536_000)),
    })
}

/// What an answer says that is none, for a log: `invalid_grant, Invalid username or password.`
///
/// LSEG's two services write errors in two ways; of what is neither, nothing is quoted.
pub fn problem(answer: &[u8], secrets: &[&str]) -> String {
    let Ok(Problem { error, error_description }) = serde_json::from_slice(answer) else {
        return "no reason given".into();
    };
    let inner = match error {
        Some(Error::Code(Scalar::Text(code))) => Some(code.into_owned()),
        Some(Error::Nested { message, status, .. }) => message.or(status),
        _ => None,
    };
    let said: Vec<String> = inner.into_iter().chain(error_description).collect();
    if said.is_empty() { "no reason given".into() } else { mask::plain(&said.join(", "), secrets.iter().copied()) }
}

/// What to do after an answer with this status, of the token service or of the list of endpoints; `grant` is how the
/// token is asked for, or was. A failure of the network is as good as a 503.
pub const fn verdict(status: u16, grant: Grant) -> Verdict {
    match (status, grant) {
        (200..=299, _) => Verdict::Use,
        (301 | 302 | 307 | 308, _) => Verdict::Follow,
        (400 | 401, Grant::Refresh) => Verdict::Password,
        (408 | 425 | 429 | 500..=599, _) => Verdict::Soon,
        _ => Verdict::Late,
    }
}

/// Whether a redirection leads from one `https` address to another of the same registered domain: a login must not go
/// elsewhere.
///
/// The registered domain is taken to be the last two words of the host, which is right for LSEG's. An address without a
/// scheme stays on its host.
///
/// ```
/// use lseg::token::may_follow;
/// let from = "https://api.refinitiv.com/auth/oauth2/v1/token";
/// assert!(may_follow(from, "https://api.ppe.refinitiv.com/auth/oauth2/v1/token"));
/// assert!(may_follow(from, "/auth/oauth2/beta1/token"));
/// assert!(!may_follow(from, "http://api.refinitiv.com/auth"));
/// assert!(!may_follow(from, "https://refinitiv.com.example/auth"));
/// ```
pub fn may_follow(from: &str, to: &str) -> bool {
    if to.starts_with('/') && !to.starts_with("//") && !to.contains('\\') {
        return true;
    }
    let (Some(from), Some(to)) = (https_host(from), https_host(to)) else { return false };
    domain(&from).is_some_and(|domain_of_from| Some(domain_of_from) == domain(&to))
}

impl Token {
    /// After how long a version 1 session gets a new token: at nine tenths of its life.
    pub fn renew_after(&self) -> Duration {
        self.lifetime.mul_f64(0.9)
    }

    /// For how long it is good for new connections: a twentieth before its end, and five minutes if it holds for ten
    /// minutes or more, it no longer is.
    pub fn usable_for(&self) -> Duration {
        let margin = if self.lifetime < Duration::from_mins(10) { self.lifetime / 20 } else { Duration::from_mins(5) };
        self.lifetime.saturating_sub(margin)
    }

    /// Whether the refresh token it came for is near its end, as it holds for less than the one before: the next one is to
    /// be had with the password.
    pub fn needs_password_after(&self, former: &Self) -> bool {
        self.lifetime < former.lifetime
    }

    /// How the next one is asked for in version 1: with the refresh token, as long as there is a good one.
    pub fn next_grant(&self, former: Option<&Self>) -> Grant {
        let spent = former.is_some_and(|former| self.needs_password_after(former));
        if self.refresh.is_some() && !spent { Grant::Refresh } else { Grant::Password }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "scalar::string")]
    access_token: Option<String>,
    #[serde(default, deserialize_with = "scalar::string")]
    refresh_token: Option<String>,
    #[serde(default, deserialize_with = "scalar::number")]
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Problem<'a> {
    #[serde(borrow, default)]
    error: Option<Error<'a>>,
    #[serde(default, deserialize_with = "scalar::string")]
    error_description: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Error<'a> {
    Nested {
        #[serde(default, deserialize_with = "scalar::string")]
        message: Option<String>,
        #[serde(default, deserialize_with = "scalar::string")]
        status: Option<String>,
    },
    #[serde(borrow)]
    Code(Scalar<'a>),
}

fn https_host(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.split(':').next()?;
    let plain = !host.is_empty() && !authority.contains('@');
    (scheme.eq_ignore_ascii_case("https") && plain).then(|| host.to_ascii_lowercase())
}

fn domain(host: &str) -> Option<(&str, &str)> {
    let mut words = host.trim_end_matches('.').rsplit('.');
    let (top, name) = (words.next()?, words.next()?);
    (!name.is_empty()).then_some((name, top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetime_is_a_text_or_a_number_and_nothing_less_is_a_token() {
        let token = |text: &str| read(text.as_bytes());
        for lifetime in ["\"600\"", "600"] {
            let read =
                token(&format!(r#"{{"access_token":"A","refresh_token":"R","expires_in":{lifetime}}}"#)).unwrap();
            let expected = Token { access: "A".into(), refresh: Some("R".into()), lifetime: Duration::from_mins(10) };
            assert_eq!(read, expected);
            assert!(!format!("{read:?}").contains(['A', 'R']));
        }
        let cases = [
            (r#"{"access_token":"A","expires_in":"soon"}"#, "the answer is no token: expires_in is missing"),
            (r#"{"access_token":"A","expires_in":0}"#, "the answer is no token: expires_in is missing"),
            (r#"{"access_token":"","expires_in":1}"#, "the answer is no token: access_token is missing"),
            (r#"{"access_token":["secret"]"#, "the answer is no token: JSON ends too early at column 26"),
            ("secret", "the answer is no token: no JSON at column 1"),
        ];
        for (answer, expected) in cases {
            assert_eq!(token(answer).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn problems_are_told_without_what_was_sent() {
        let cases = [
            (r#"{"error":"invalid_grant","error_description":"Bad password."}"#, "invalid_grant, Bad password."),
            (r#"{"error":"invalid_client","error_description":"hunter2 is wrong"}"#, "invalid_client, *** is wrong"),
            (r#"{"error":{"id":"1","code":"401","message":"token expired"}}"#, "token expired"),
            (r#"{"error":7}"#, "no reason given"),
            ("<html>hunter2</html>", "no reason given"),
        ];
        for (answer, expected) in cases {
            assert_eq!(problem(answer.as_bytes(), &["hunter2"]), expected);
        }
    }

    #[test]
    fn wrong_logins_wait_long_and_overload_does_not() {
        use Grant::{ClientCredentials, Password, Refresh};
        let cases: &[(&[u16], [Verdict; 3])] = &[
            (&[200], [Verdict::Use; 3]),
            (&[301, 302, 307, 308], [Verdict::Follow; 3]),
            (&[400, 401], [Verdict::Late, Verdict::Password, Verdict::Late]),
            (&[403, 404, 410, 451], [Verdict::Late; 3]),
            (&[429, 500, 502, 503, 504, 599], [Verdict::Soon; 3]),
            (&[0, 100, 303, 418], [Verdict::Late; 3]),
        ];
        for (statuses, expected) in cases {
            for status in *statuses {
                assert_eq!([Password, Refresh, ClientCredentials].map(|grant| verdict(*status, grant)), *expected);
            }
        }
    }

    fn holding(seconds: u64) -> Token {
        Token { access: "A".into(), refresh: Some("R".into()), lifetime: Duration::from_secs(seconds) }
    }

    #[test]
    fn tokens_are_renewed_in_time() {
        for (lifetime, renewed, usable) in [(300, 270, 285), (599, 539, 569), (600, 540, 300), (7199, 6479, 6899)] {
            let token = holding(lifetime);
            assert_eq!((token.renew_after().as_secs(), token.usable_for().as_secs()), (renewed, usable), "{lifetime}");
        }
    }

    #[test]
    fn password_is_used_again_when_the_refresh_token_nears_its_end() {
        assert_eq!(holding(600).next_grant(None), Grant::Refresh);
        assert_eq!(holding(600).next_grant(Some(&holding(600))), Grant::Refresh);
        assert_eq!(holding(599).next_grant(Some(&holding(600))), Grant::Password);
        assert_eq!(Token { refresh: None, ..holding(600) }.next_grant(None), Grant::Password);
    }

    #[test]
    fn logins_stay_with_https_and_in_the_family() {
        let from = "https://api.refinitiv.com/auth";
        let cases = [
            ("https://api.refinitiv.com:443/auth", true),
            ("HTTPS://API.REFINITIV.COM/auth", true),
            ("https://refinitiv.com", true),
            ("//evil.example/auth", false),
            ("/\\evil.example/auth", false),
            ("https://api.refinitiv.com@evil.example/auth", false),
            ("https://evil.example/https://api.refinitiv.com", false),
            ("https://com/auth", false),
            ("https:///auth", false),
            ("auth", false),
        ];
        for (to, expected) in cases {
            assert_eq!(may_follow(from, to), expected, "{to}");
        }
    }
}
