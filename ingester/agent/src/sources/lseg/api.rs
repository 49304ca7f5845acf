//! Requests to where tokens are given and endpoints listed.

use super::login::Form;
use crate::secrets::Secret;
use ::lseg::token::MAX_REDIRECTS;
use reqwest::{
    Client, Method, RequestBuilder, Response,
    header::{ACCEPT, HeaderMap, LOCATION, RETRY_AFTER},
};
use runtime::with_causes;
use std::time::Duration;
use url::{Host, Url};

/// The largest answer that is read: LSEG's list of endpoints has 5 KB.
const LARGEST_ANSWER: usize = 1 << 20;

/// LSEG's API, or a simulator's.
#[derive(Debug, Clone)]
pub(super) struct Api {
    client: Client,
    base: Url,
}

/// What to ask for.
#[derive(Debug)]
pub(super) enum Ask<'a> {
    /// A token.
    Grant { form: &'a Form },
    /// A document that only who has a token may see.
    Document { token: &'a Secret },
}

/// An answer, whatever it says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// When to ask again, if it says so.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("could not reach {host}: {why}")]
    Unreachable { host: String, why: String },
    #[error("the answer of {host} is larger than {LARGEST_ANSWER} bytes")]
    TooLarge { host: String },
    #[error("{host} redirects to {to}, where no credentials are sent")]
    Elsewhere { host: String, to: String },
    #[error("{host} redirects more than {MAX_REDIRECTS} times")]
    Circle { host: String },
}

/// It is no address of an API.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no address for credentials: https, or http on this machine")]
pub struct NoApi(String);

impl Api {
    /// At `base`: https, or http on this machine only.
    pub(super) fn new(client: Client, base: &str) -> Result<Self, NoApi> {
        let url = Url::parse(base).ok().filter(|url| url.scheme() == "https" || is_plain_loopback(url));
        Ok(Self { client, base: url.ok_or_else(|| NoApi(base.into()))? })
    }

    /// Whether nothing here is encrypted, as on a simulator's machine.
    pub(super) fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Asks, and follows redirects as far as credentials may go.
    pub(super) async fn ask(&self, path: &str, ask: &Ask<'_>) -> Result<Answer, ApiError> {
        let mut url = self.base.join(path).map_err(|_| self.elsewhere(path.into()))?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(&url, ask).await?;
            let Some(target) = redirected(&response) else { return self.read(response).await };
            url = self.follow(&url, &target)?;
        }
        Err(ApiError::Circle { host: self.host() })
    }

    async fn send(&self, url: &Url, ask: &Ask<'_>) -> Result<Response, ApiError> {
        let request = match ask {
            Ask::Grant { form } => {
                let members: Vec<_> = form.members.iter().map(|(name, value)| (name, value.reveal())).collect();
                let request = self.request(Method::POST, url).form(&members);
                match &form.basic {
                    Some(name) => request.basic_auth(name.reveal(), Some("")),
                    None => request,
                }
            }
            Ask::Document { token } => self.request(Method::GET, url).bearer_auth(token.reveal()),
        };
        request.send().await.map_err(|error| self.unreachable(error))
    }

    fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        self.client.request(method, url.clone()).header(ACCEPT, "application/json")
    }

    async fn read(&self, mut response: Response) -> Result<Answer, ApiError> {
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(ApiError::TooLarge { host: self.host() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body })
    }

    fn follow(&self, from: &Url, target: &str) -> Result<Url, ApiError> {
        let to = from.join(target).map_err(|_| self.elsewhere("no address".into()))?;
        // A name and a password in an address would be sent along.
        let safe = to.username().is_empty() && to.password().is_none() && to.scheme() == "https"
            || (self.is_plain() && is_plain_loopback(&to));
        if safe && same_owner(&self.base, &to) {
            tracing::debug!(host = to.host_str(), "The API is elsewhere.");
            return Ok(to);
        }
        Err(self.elsewhere(to.origin().ascii_serialization()))
    }

    fn elsewhere(&self, to: String) -> ApiError {
        ApiError::Elsewhere { host: self.host(), to }
    }

    // An error's own text has the address in it, and never a header or a form.
    fn unreachable(&self, error: reqwest::Error) -> ApiError {
        ApiError::Unreachable { host: self.host(), why: with_causes(&error.without_url()) }
    }

    fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().into()
    }
}

fn is_plain_loopback(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && loopback
}

/// Whether two hosts are the same, or names with the same last two labels.
fn same_owner(one: &Url, other: &Url) -> bool {
    match (one.host(), other.host()) {
        (Some(Host::Domain(one)), Some(Host::Domain(other))) => owner(one) == owner(other),
        (one, other) => one == other,
    }
}

fn owner(name: &str) -> &str {
    let dots = name.trim_end_matches('.').rmatch_indices('.');
    dots.map(|(at, _)| &name[at + 1..]).nth(1).unwrap_or(name).trim_end_matches('.')
}

fn redirected(response: &Response) -> Option<String> {
    let redirect = matches!(response.status().as_u16(), 301 | 302 | 307 | 308);
    let target = response.headers().get(LOCATION).filter(|_| redirect)?;
    Some(String::from_utf8_lossy(target.as_bytes()).into_owned())
}

/// Seconds, or a time (RFC 9110, section 10.2.3). An hour at most: nobody means more.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_hours(1);
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        // A time in the past is now.
        Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(base: &str) -> Result<Api, NoApi> {
        let tls = crate::sources::lseg::tests::no_tls();
        Api::new(crate::http::client(&tls, Duration::from_secs(5)).unwrap(), base)
    }

    #[test]
    fn credentials_go_nowhere_unencrypted_but_on_this_machine() {
        for (base, fine) in [
            ("https://api.refinitiv.com", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080", true),
            ("http://api.refinitiv.com", false),
            ("http://localhost.example.com", false),
            ("api.refinitiv.com", false),
            ("ftp://127.0.0.1", false),
        ] {
            assert_eq!(api(base).is_ok(), fine, "{base}");
        }
    }

    #[test]
    fn redirects_are_followed_within_the_domain_and_only_encrypted() {
        let cases = [
            ("https://api.refinitiv.com/a/b", "https://api.refinitiv.com/v2", true),
            ("https://api.refinitiv.com/a/b", "/v2", true),
            ("https://api.refinitiv.com/a/b", "https://eu.api.refinitiv.com/v2", true),
            ("https://api.refinitiv.com/a/b", "https://api.refinitiv.com.example.org/v2", false),
            ("https://api.refinitiv.com/a/b", "https://notrefinitiv.com/v2", false),
            ("https://api.refinitiv.com/a/b", "http://api.refinitiv.com/v2", false),
            ("https://api.refinitiv.com/a/b", "http://127.0.0.1/v2", false),
            ("https://10.0.0.1/a", "https://10.1.0.1/a", false),
            ("http://127.0.0.1:1/a", "http://127.0.0.1:2/b", true),
            ("http://127.0.0.1:1/a", "http://10.0.0.1/b", false),
        ];
        for (from, target, fine) in cases {
            let from = Url::parse(from).unwrap();
            let followed = api(from.as_str()).unwrap().follow(&from, target);
            assert_eq!(followed.is_ok(), fine, "{from} to {target}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_time_and_an_hour_at_most() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("100000"), Some(Duration::from_hours(1)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
