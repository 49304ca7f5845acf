//! Assertions: what a service account signs instead of showing its secret.

use super::key::{Key, KeyError};
use crate::secrets::Secret;
use ::lseg::token::AUDIENCE;
use jiff::Timestamp;
use jsonwebtoken::Header;
use serde::Serialize;

/// How long one is valid, seconds: it is used at once.
const LIFE: i64 = 300;

/// What an assertion says (RFC 7523, section 3).
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// It could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum AssertionError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("could not sign with the private key: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

/// Says who asks, signed; each is used once.
pub(super) fn assertion(client: &str, key: &Key, now: Timestamp) -> Result<Secret, AssertionError> {
    let header = Header { kid: key.id.clone(), ..Header::new(key.algorithm) };
    let issued = now.as_second();
    let claims = Claims { iss: client, sub: client, aud: AUDIENCE, iat: issued, exp: issued + LIFE, jti: unique(now) };
    Ok(Secret::new(jsonwebtoken::encode(&header, &claims, &key.secret)?))
}

fn unique(now: Timestamp) -> String {
    let mut bytes = [0; 16];
    // Where there is no randomness, there is no TLS either; the time alone still differs.
    let _ = rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    format!("{:x}-{:032x}", now.as_nanosecond(), u128::from_be_bytes(bytes))
}
