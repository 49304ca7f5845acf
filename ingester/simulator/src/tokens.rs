//! Tokens: who has which, and until when.

use crate::options::Accounts;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Every token that was issued.
#[derive(Debug)]
pub(crate) struct Tokens {
    random: fastrand::Rng,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    issued: u64,
}

/// An access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) owner: String,
    pub(crate) until: Instant,
    /// Whether its end is the end of the connection that was logged in with it: version 1.
    pub(crate) ends_sessions: bool,
    /// The sign-on it came of; another may throw it out.
    pub(crate) sign_on: u64,
}

#[derive(Debug, Clone)]
struct Refresh {
    owner: String,
    until: Instant,
    sign_on: u64,
}

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) life: Duration,
    /// Sign-ons that are thrown out by this one.
    pub(crate) thrown_out: Vec<u64>,
}

/// Why it gets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The name, the password or the refresh token is wrong.
    Grant,
    /// The service account, its secret or its assertion is.
    Client,
    /// Somebody else is signed on, and exclusive control wasn't asked for.
    Quota,
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed ^ 0x7061_7373);
        Self { random, access: HashMap::new(), refresh: HashMap::new(), issued: 0 }
    }

    /// A machine id's password.
    pub(crate) fn password(
        &mut self,
        accounts: &Accounts,
        given: (&str, &str, &str),
        exclusive: bool,
        now: Instant,
    ) -> Result<Issued, Denied> {
        if given != (&accounts.username, &accounts.password, &accounts.app_key) {
            return Err(Denied::Grant);
        }
        self.refresh.retain(|_, refresh| refresh.until > now);
        let others: Vec<u64> = self.refresh.values().map(|refresh| refresh.sign_on).collect();
        if !others.is_empty() && !exclusive {
            return Err(Denied::Quota);
        }
        self.refresh.clear();
        for access in self.access.values_mut().filter(|access| others.contains(&access.sign_on)) {
            access.until = now;
        }
        let sign_on = self.issued + 1;
        let refresh = self.uuid();
        let until = now + accounts.refresh_life;
        self.refresh.insert(refresh.clone(), Refresh { owner: accounts.username.clone(), until, sign_on });
        let life = accounts.v1_token_life.min(accounts.refresh_life);
        let access = self.issue(&accounts.username, sign_on, now + life, true);
        Ok(Issued { access, refresh: Some(refresh), life, thrown_out: others })
    }

    /// A refresh token. It lives on; near its end the access tokens that it gets are shorter-lived.
    pub(crate) fn refresh(
        &mut self,
        accounts: &Accounts,
        given: (&str, &str, &str),
        now: Instant,
    ) -> Result<Issued, Denied> {
        let (username, app_key, token) = given;
        let known = self.refresh.get(token).filter(|known| known.until > now).cloned();
        let known =
            known.filter(|known| known.owner == username && app_key == accounts.app_key).ok_or(Denied::Grant)?;
        let life = accounts.v1_token_life.min(known.until - now);
        let access = self.issue(&known.owner, known.sign_on, now + life, true);
        Ok(Issued { access, refresh: Some(token.into()), life, thrown_out: Vec::new() })
    }

    /// A service account's secret.
    pub(crate) fn client(
        &mut self,
        accounts: &Accounts,
        client_id: &str,
        is_known: bool,
        now: Instant,
    ) -> Result<Issued, Denied> {
        if client_id != accounts.client_id || !is_known {
            return Err(Denied::Client);
        }
        let life = accounts.v2_token_life;
        let access = self.issue(client_id, 0, now + life, false);
        Ok(Issued { access, refresh: None, life, thrown_out: Vec::new() })
    }

    /// Whose it is, if it was issued here. It may have ended.
    pub(crate) fn find(&self, token: &str) -> Option<&Access> {
        self.access.get(token)
    }

    /// Whose it is, if it holds.
    pub(crate) fn check(&self, token: &str, now: Instant) -> Option<&Access> {
        self.find(token).filter(|access| access.until > now)
    }

    /// Ends every access token.
    pub(crate) fn expire(&mut self, now: Instant) {
        for access in self.access.values_mut() {
            access.until = access.until.min(now);
        }
    }

    /// Ends every sign-on of version 1 and says which there were: somebody else is signed on now.
    pub(crate) fn throw_out(&mut self, now: Instant) -> Vec<u64> {
        let sign_ons = self.refresh.drain().map(|(_, refresh)| refresh.sign_on).collect::<Vec<_>>();
        for access in self.access.values_mut().filter(|access| access.ends_sessions) {
            access.until = access.until.min(now);
        }
        sign_ons
    }

    /// Ends every refresh token too, so that only a password helps.
    pub(crate) fn expire_refresh(&mut self) {
        self.refresh.clear();
    }

    fn issue(&mut self, owner: &str, sign_on: u64, until: Instant, ends_sessions: bool) -> String {
        self.issued += 1;
        let parts = [60, 900, 250].map(|length| self.base64(length));
        let access = Access { number: self.issued, owner: owner.into(), until, ends_sessions, sign_on };
        let token = parts.join(".");
        self.access.insert(token.clone(), access);
        token
    }

    fn base64(&mut self, length: usize) -> String {
        let bytes: Vec<u8> = (0..length).map(|_| self.random.u8(..)).collect();
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn uuid(&mut self) -> String {
        let number = format!("{:032x}", self.random.u128(..));
        [&number[..8], &number[8..12], &number[12..16], &number[16..20], &number[20..]].join("-")
    }
}

/// Whom a service account's assertion is for (LSEG's example clients).
pub const AUDIENCE: &str = "https://login.ciam.refinitiv.com/as/token.oauth2";

/// Whether an assertion names this client, is for the right audience and holds. Its signature is **not** checked.
pub(crate) fn assertion_fits(assertion: &str, client_id: &str, now_seconds: i64) -> bool {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts[..] else { return false };
    let decode = |part: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok()
    };
    let (Some(header), Some(claims)) = (decode(header), decode(claims)) else { return false };
    let is_signed = header["alg"].is_string() && BASE64_URL_SAFE_NO_PAD.decode(signature).is_ok_and(|s| !s.is_empty());
    let audience =
        claims["aud"] == AUDIENCE || claims["aud"].as_array().is_some_and(|all| all.contains(&AUDIENCE.into()));
    is_signed
        && audience
        && claims["iss"] == client_id
        && claims["sub"] == client_id
        && claims["exp"].as_i64().is_some_and(|until| until > now_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(tokens: &mut Tokens, accounts: &Accounts, exclusive: bool) -> Result<Issued, Denied> {
        let given = (&*accounts.username, &*accounts.password, &*accounts.app_key);
        tokens.password(accounts, given, exclusive, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn exclusive_sign_on_ends_the_other_and_a_polite_one_is_denied() {
        let (mut tokens, accounts) = (Tokens::new(1), Accounts::default());
        let first = password(&mut tokens, &accounts, true).unwrap();
        assert_eq!(password(&mut tokens, &accounts, false).unwrap_err(), Denied::Quota);
        let second = password(&mut tokens, &accounts, true).unwrap();
        assert_eq!(second.thrown_out, [1]);
        assert_eq!(tokens.check(&first.access, Instant::now()), None);
        assert_eq!(tokens.check(&second.access, Instant::now()).unwrap().owner, accounts.username);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_shorten_near_the_end_of_their_refresh_token() {
        let mut tokens = Tokens::new(1);
        let accounts = Accounts { refresh_life: Duration::from_secs(1000), ..Accounts::default() };
        let first = password(&mut tokens, &accounts, true).unwrap();
        assert_eq!(first.life, Duration::from_mins(10));
        tokio::time::advance(Duration::from_secs(700)).await;
        assert_eq!(tokens.check(&first.access, Instant::now()), None);
        let refresh = first.refresh.unwrap();
        let given = (&*accounts.username, &*accounts.app_key, &*refresh);
        assert_eq!(tokens.refresh(&accounts, given, Instant::now()).unwrap().life, Duration::from_mins(5));
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(tokens.refresh(&accounts, given, Instant::now()).unwrap_err(), Denied::Grant);
    }

    #[test]
    fn assertion_must_be_for_us_by_whom_it_says_and_hold() {
        let encode = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let assertion = |claims: serde_json::Value| {
            format!("{}.{}.c2ln", encode(serde_json::json!({"alg": "RS256"})), encode(claims))
        };
        let claims = serde_json::json!({"iss": "GE-1", "sub": "GE-1", "aud": AUDIENCE, "exp": 100});
        assert!(assertion_fits(&assertion(claims.clone()), "GE-1", 99));
        assert!(!assertion_fits(&assertion(claims.clone()), "GE-1", 100));
        assert!(!assertion_fits(&assertion(claims.clone()), "GE-2", 99));
        for member in ["iss", "sub", "aud", "exp"] {
            let mut wrong = claims.clone();
            wrong[member] = "other".into();
            assert!(!assertion_fits(&assertion(wrong), "GE-1", 99), "{member}");
        }
        assert!(!assertion_fits("a.b", "GE-1", 0));
        assert!(!assertion_fits("", "GE-1", 0));
    }
}
