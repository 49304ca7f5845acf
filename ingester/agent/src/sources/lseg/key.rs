//! The private keys that service accounts sign with.

use crate::secrets::Secret;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde::Deserialize;
use std::str::FromStr;

/// A private key as somebody put it into the secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum PrivateKey {
    /// PEM, or a JWK as text.
    Text(Secret),
    /// A JWK as JSON.
    Jwk(Box<Jwk>),
}

/// A private JSON Web Key (RFC 7517, RFC 7518 section 6).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<Secret>,
    y: Option<Secret>,
    n: Option<Secret>,
    e: Option<Secret>,
    d: Option<Secret>,
    p: Option<Secret>,
    q: Option<Secret>,
    dp: Option<Secret>,
    dq: Option<Secret>,
    qi: Option<Secret>,
}

/// A key that can sign.
pub(super) struct Key {
    pub(super) secret: EncodingKey,
    pub(super) algorithm: Algorithm,
    /// What the account calls it, if the key says so.
    pub(super) id: Option<String>,
}

/// It is no key to sign with. No text of it has any part of a key in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("the private key is neither PEM (PKCS#8, or PKCS#1 for RSA) nor a JWK")]
    Unknown,
    #[error("the private key's {0} is missing or no base64url")]
    Member(&'static str),
    #[error("the private key is of the type {0}; RSA and EC (P-256) can sign")]
    Type(String),
    #[error("the key is for {0}; PS256, RS256 and ES256 are supported, the first two for RSA, the third for EC")]
    Algorithm(String),
}

impl PrivateKey {
    /// What signs, and how: as the key says, or else RS256 for RSA and ES256 for EC.
    pub(super) fn read(&self) -> Result<Key, KeyError> {
        match self {
            Self::Jwk(jwk) => jwk.read(),
            Self::Text(text) if text.reveal().trim_start().starts_with('{') => {
                serde_json::from_str::<Jwk>(text.reveal()).map_err(|_| KeyError::Unknown)?.read()
            }
            Self::Text(text) => from_pem(text.reveal().as_bytes()),
        }
    }
}

impl Key {
    /// The same key with another algorithm.
    pub(super) fn signing(self, algorithm: &str) -> Result<Self, KeyError> {
        Ok(Self { algorithm: supported(algorithm, self.algorithm == Algorithm::ES256)?, ..self })
    }
}

fn from_pem(pem: &[u8]) -> Result<Key, KeyError> {
    if let Ok(secret) = EncodingKey::from_ec_pem(pem) {
        return Ok(Key { secret, algorithm: Algorithm::ES256, id: None });
    }
    let secret = EncodingKey::from_rsa_pem(pem).map_err(|_| KeyError::Unknown)?;
    Ok(Key { secret, algorithm: Algorithm::RS256, id: None })
}

fn supported(name: &str, elliptic: bool) -> Result<Algorithm, KeyError> {
    match Algorithm::from_str(name) {
        Ok(algorithm @ Algorithm::ES256) if elliptic => Ok(algorithm),
        Ok(algorithm @ (Algorithm::PS256 | Algorithm::RS256)) if !elliptic => Ok(algorithm),
        _ => Err(KeyError::Algorithm(name.into())),
    }
}

impl Jwk {
    fn read(&self) -> Result<Key, KeyError> {
        let (secret, algorithm, elliptic) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (EncodingKey::from_rsa_der(&self.rsa()?), Algorithm::RS256, false),
            ("EC", Some("P-256")) => (EncodingKey::from_ec_der(&self.p256()?), Algorithm::ES256, true),
            (other, curve) => return Err(KeyError::Type([other, curve.unwrap_or_default()].join(" "))),
        };
        let algorithm = self.alg.as_deref().map_or(Ok(algorithm), |name| supported(name, elliptic))?;
        Ok(Key { secret, algorithm, id: self.kid.clone() })
    }

    /// `RSAPrivateKey` of PKCS#1 (RFC 8017, A.1.2).
    fn rsa(&self) -> Result<Vec<u8>, KeyError> {
        let members = [
            ("n", &self.n),
            ("e", &self.e),
            ("d", &self.d),
            ("p", &self.p),
            ("q", &self.q),
            ("dp", &self.dp),
            ("dq", &self.dq),
            ("qi", &self.qi),
        ];
        let mut content = unsigned(&[0]);
        for (name, member) in members {
            content.extend(unsigned(&bytes(name, member.as_ref())?));
        }
        Ok(der(SEQUENCE, &content))
    }

    /// `PrivateKeyInfo` of PKCS#8 with an `ECPrivateKey` in it (RFC 5208, RFC 5915).
    fn p256(&self) -> Result<Vec<u8>, KeyError> {
        const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        const PRIME256V1: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        // No unused bits; an uncompressed point.
        let point = [&[0, 4], &*bytes("x", self.x.as_ref())?, &*bytes("y", self.y.as_ref())?].concat();
        let private =
            [unsigned(&[1]), der(OCTETS, &bytes("d", self.d.as_ref())?), der(FIRST, &der(BITS, &point))].concat();
        let algorithm = [der(IDENTIFIER, &EC_PUBLIC_KEY), der(IDENTIFIER, &PRIME256V1)].concat();
        let content = [unsigned(&[0]), der(SEQUENCE, &algorithm), der(OCTETS, &der(SEQUENCE, &private))].concat();
        Ok(der(SEQUENCE, &content))
    }
}

fn bytes(name: &'static str, member: Option<&Secret>) -> Result<Vec<u8>, KeyError> {
    let text = member.ok_or(KeyError::Member(name))?;
    URL_SAFE_NO_PAD.decode(text.reveal().trim_end_matches('=')).map_err(|_| KeyError::Member(name))
}

const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const FIRST: u8 = 0xa1;

/// One element in DER (X.690, section 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
    if content.len() >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "a length has eight bytes at most")]
        element.push(0x80 | digits.len() as u8);
    }
    element.extend(digits);
    element.extend(content);
    element
}

/// An integer that isn't negative: no needless zeros in front, and one where the first bit would say it is.
fn unsigned(digits: &[u8]) -> Vec<u8> {
    let first = digits.iter().position(|byte| *byte != 0).unwrap_or(digits.len().saturating_sub(1));
    let mut content = digits[first.min(digits.len())..].to_vec();
    if content.first().is_none_or(|byte| byte & 0x80 != 0) {
        content.insert(0, 0);
    }
    der(0x02, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_signs_are_encoded_as_der_wants_them() {
        let cases: [(&[u8], &[u8]); 5] = [
            (&[], &[2, 1, 0]),
            (&[0], &[2, 1, 0]),
            (&[0, 0, 5], &[2, 1, 5]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[1, 0, 1], &[2, 3, 1, 0, 1]),
        ];
        for (digits, expected) in cases {
            assert_eq!(unsigned(digits), expected, "{digits:?}");
        }
        assert_eq!(der(OCTETS, &[7; 127])[..2], [4, 127]);
        assert_eq!(der(OCTETS, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(der(OCTETS, &[7; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn what_is_no_key_is_named_and_not_shown() {
        let cases = [
            (r#""hunter2""#, "neither PEM"),
            (r#""{\"kty\":\"oct\",\"k\":\"hunter2\"}""#, "oct"),
            (r#"{"kty":"RSA","n":"aHVudGVyMg"}"#, "private key's e"),
            (r#"{"kty":"RSA","n":"hunter2!"}"#, "private key's n"),
            (r#"{"kty":"EC","crv":"P-521"}"#, "EC P-521"),
        ];
        for (written, expected) in cases {
            let key: PrivateKey = serde_json::from_str(written).unwrap();
            let error = key.read().map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
            assert!(!format!("{key:?}").contains("hunter2"));
        }
    }
}
