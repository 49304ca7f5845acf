//! Logins: what is in the secret, and what is sent for a token.

use super::{
    assertion::{AssertionError, assertion},
    key::PrivateKey,
};
use crate::secrets::{Place, Secret, SecretError};
use ::lseg::token::SCOPE;
use jiff::Timestamp;
use news::feeds::Authentication;
use serde::Deserialize;

/// How a signed assertion is announced (RFC 7523, section 2.2).
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A login of LSEG's cloud.
#[derive(Debug)]
pub(super) enum Login {
    V1(MachineId),
    V2(ServiceAccount),
}

/// A version 1 login.
#[derive(Debug, Deserialize)]
pub(super) struct MachineId {
    username: String,
    password: Secret,
    client_id: Secret,
}

/// A version 2 login.
#[derive(Debug, Deserialize)]
pub(super) struct ServiceAccount {
    client_id: String,
    client_secret: Option<Secret>,
    private_key: Option<PrivateKey>,
    /// What the account calls the key, where the key doesn't say it.
    key_id: Option<String>,
    /// PS256, RS256 or ES256, where the key doesn't say it.
    algorithm: Option<String>,
}

/// A request for a token.
#[derive(Debug)]
pub(super) struct Form {
    /// Names and values.
    pub(super) members: Vec<(&'static str, Secret)>,
    /// The name of the request's own login, which has no password.
    pub(super) basic: Option<Secret>,
}

/// There is no login to ask with.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{0} has neither `client_secret` nor `private_key`")]
    Nothing(String),
    #[error("{0} has both `client_secret` and `private_key`: one of them must go")]
    Both(String),
    #[error(transparent)]
    Assertion(#[from] AssertionError),
}

impl Login {
    /// Reads the login.
    pub(super) async fn read(place: &Place, version: Authentication) -> Result<Self, LoginError> {
        let login = match version {
            Authentication::V1 => Self::V1(place.read().await?),
            Authentication::V2 => Self::V2(place.read().await?),
        };
        if let Self::V2(account) = &login {
            match (&account.client_secret, &account.private_key) {
                (None, None) => return Err(LoginError::Nothing(place.to_string())),
                (Some(_), Some(_)) => return Err(LoginError::Both(place.to_string())),
                _ => {}
            }
        }
        Ok(login)
    }

    /// The request for a first token. `exclusively` throws another session of a version 1 login out.
    pub(super) fn first(&self, exclusively: bool) -> Result<Form, AssertionError> {
        match self {
            Self::V1(machine) => Ok(machine.password(exclusively)),
            Self::V2(account) => account.credentials(Timestamp::now()),
        }
    }

    /// The request for the token after another one, with what came with it.
    pub(super) fn refresh(&self, token: &str) -> Option<Form> {
        match self {
            Self::V1(machine) => Some(machine.refresh(token)),
            Self::V2(_) => None,
        }
    }
}

impl MachineId {
    fn password(&self, exclusively: bool) -> Form {
        let exclusively = if exclusively { "True" } else { "False" };
        let members = vec![
            ("grant_type", Secret::new("password")),
            ("username", Secret::new(self.username.as_str())),
            ("password", self.password.clone()),
            ("client_id", self.client_id.clone()),
            ("scope", Secret::new(SCOPE)),
            ("takeExclusiveSignOnControl", Secret::new(exclusively)),
        ];
        Form { members, basic: Some(self.client_id.clone()) }
    }

    fn refresh(&self, token: &str) -> Form {
        let members = vec![
            ("grant_type", Secret::new("refresh_token")),
            ("username", Secret::new(self.username.as_str())),
            ("client_id", self.client_id.clone()),
            ("refresh_token", Secret::new(token)),
        ];
        Form { members, basic: Some(self.client_id.clone()) }
    }
}

impl ServiceAccount {
    fn credentials(&self, now: Timestamp) -> Result<Form, AssertionError> {
        let mut members = vec![
            ("grant_type", Secret::new("client_credentials")),
            ("client_id", Secret::new(self.client_id.as_str())),
            ("scope", Secret::new(SCOPE)),
        ];
        if let Some(secret) = &self.client_secret {
            members.push(("client_secret", secret.clone()));
        } else if let Some(key) = &self.private_key {
            members.push(("client_assertion_type", Secret::new(ASSERTION)));
            members.push(("client_assertion", self.assertion(key, now)?));
        }
        Ok(Form { members, basic: None })
    }

    fn assertion(&self, key: &PrivateKey, now: Timestamp) -> Result<Secret, AssertionError> {
        let mut key = key.read()?;
        if let Some(algorithm) = &self.algorithm {
            key = key.signing(algorithm)?;
        }
        key.id = key.id.or_else(|| self.key_id.clone());
        assertion(&self.client_id, &key, now)
    }
}

impl Form {
    /// What no text may show.
    pub(super) fn secrets(&self) -> Vec<&str> {
        const SECRET: [&str; 4] = ["password", "client_secret", "client_assertion", "refresh_token"];
        let secret = self.members.iter().filter(|(name, _)| SECRET.contains(name));
        secret.map(|(_, value)| value).chain(&self.basic).map(Secret::reveal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::{DecodingKey, Validation, dangerous, decode, decode_header};
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
    use serde_json::{Value, json};

    async fn read(login: &Value, version: Authentication) -> Result<Login, LoginError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), login.to_string()).unwrap();
        Login::read(&Place::File(file.path().into()), version).await
    }

    fn shown(form: &Form) -> Vec<String> {
        form.members.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect()
    }

    fn value<'a>(form: &'a Form, wanted: &str) -> &'a str {
        form.members.iter().find(|(name, _)| *name == wanted).unwrap().1.reveal()
    }

    #[tokio::test]
    async fn version_1_asks_with_a_password_and_then_with_what_came() {
        let login = json!({"username": "GE-A-1", "password": "hunter2", "client_id": "key"});
        let login = read(&login, Authentication::V1).await.unwrap();
        assert!(!format!("{login:?}").contains("hunter2"));
        let form = login.first(true).unwrap();
        let expected = [
            "grant_type=password",
            "username=GE-A-1",
            "password=hunter2",
            "client_id=key",
            "scope=trapi.streaming.pricing.read",
            "takeExclusiveSignOnControl=True",
        ];
        assert_eq!(shown(&form), expected);
        let refresh = login.refresh("r").unwrap();
        let expected = ["grant_type=refresh_token", "username=GE-A-1", "client_id=key", "refresh_token=r"];
        assert_eq!(shown(&refresh), expected);
        assert_eq!((form.secrets(), refresh.secrets()), (vec!["hunter2", "key"], vec!["r", "key"]));
    }

    #[tokio::test]
    async fn version_2_asks_with_a_secret() {
        let login = json!({"client_id": "GE-1", "client_secret": "hunter2"});
        let form = read(&login, Authentication::V2).await.unwrap().first(true).unwrap();
        let expected = [
            "grant_type=client_credentials",
            "client_id=GE-1",
            "scope=trapi.streaming.pricing.read",
            "client_secret=hunter2",
        ];
        assert_eq!(shown(&form), expected);
        assert_eq!(form.secrets(), ["hunter2"]);
    }

    #[tokio::test]
    async fn assertion_of_a_pem_key_can_be_verified() {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let login = json!({"client_id": "GE-1", "private_key": pair.serialize_pem(), "key_id": "k1"});
        let form = read(&login, Authentication::V2).await.unwrap().first(true).unwrap();
        assert_eq!(value(&form, "client_assertion_type"), ASSERTION);
        let text = value(&form, "client_assertion");
        assert_eq!(decode_header(text).unwrap().kid.as_deref(), Some("k1"));
        let mut validation = Validation::new(jsonwebtoken::Algorithm::ES256);
        validation.set_audience(&["https://login.ciam.refinitiv.com/as/token.oauth2"]);
        let key = DecodingKey::from_ec_pem(pair.public_key_pem().as_bytes()).unwrap();
        let claims = decode::<Value>(text, &key, &validation).unwrap().claims;
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("GE-1"), &json!("GE-1")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
        let again = read(&login, Authentication::V2).await.unwrap().first(true).unwrap();
        let again = dangerous::insecure_decode::<Value>(value(&again, "client_assertion")).unwrap().claims;
        assert_ne!(claims["jti"], again["jti"], "each assertion is another");
    }

    #[tokio::test]
    async fn assertion_of_a_jwk_says_its_name_and_its_algorithm() {
        for (algorithm, expected) in [(Some("PS256"), "PS256"), (None, "RS256")] {
            let mut jwk = rsa();
            if let Some(algorithm) = algorithm {
                jwk["alg"] = json!(algorithm);
            }
            for key in [jwk.clone(), json!(jwk.to_string())] {
                let login = json!({"client_id": "GE-1", "private_key": key});
                let form = read(&login, Authentication::V2).await.unwrap().first(true).unwrap();
                let text = value(&form, "client_assertion");
                let header = decode_header(text).unwrap();
                assert_eq!((format!("{:?}", header.alg).as_str(), header.kid.as_deref()), (expected, Some("k2")));
                let public =
                    DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
                let mut validation = Validation::new(header.alg);
                validation.set_audience(&["https://login.ciam.refinitiv.com/as/token.oauth2"]);
                decode::<Value>(text, &public, &validation).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn assertion_of_an_elliptic_jwk_can_be_verified() {
        let (jwk, public) = p256();
        let login = json!({"client_id": "GE-1", "private_key": jwk});
        let form = read(&login, Authentication::V2).await.unwrap().first(true).unwrap();
        let mut validation = Validation::new(jsonwebtoken::Algorithm::ES256);
        validation.set_audience(&["https://login.ciam.refinitiv.com/as/token.oauth2"]);
        let key = DecodingKey::from_ec_pem(public.as_bytes()).unwrap();
        decode::<Value>(value(&form, "client_assertion"), &key, &validation).unwrap();
    }

    #[tokio::test]
    async fn login_with_nothing_or_with_both_is_refused() {
        for (login, expected) in [
            (json!({"client_id": "GE-1"}), "neither"),
            (json!({"client_id": "GE-1", "client_secret": "a", "private_key": "b"}), "both"),
            (json!({"client_secret": "a"}), "missing field `client_id`"),
        ] {
            let error = read(&login, Authentication::V2).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// A new RSA key as a JWK.
    fn rsa() -> Value {
        let der = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap().serialize_der();
        // PKCS#8: version, algorithm, and an octet string with the key's own sequence.
        let [_, _, (4, key)] = elements(elements(&der)[0].1)[..] else { panic!("no PKCS#8") };
        let numbers = elements(elements(key)[0].1);
        let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
        let encoded = numbers[1..].iter().map(|(_, number)| {
            let number = number.strip_prefix(&[0]).unwrap_or(number);
            json!(URL_SAFE_NO_PAD.encode(number))
        });
        let mut jwk = json!({"kty": "RSA", "kid": "k2"});
        for (name, number) in names.into_iter().zip(encoded) {
            jwk[name] = number;
        }
        jwk
    }

    /// A new P-256 key as a JWK, and its public half in PEM.
    fn p256() -> (Value, String) {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let der = pair.serialize_der();
        let [_, _, (4, key), ..] = elements(elements(&der)[0].1)[..] else { panic!("no PKCS#8") };
        let private = elements(elements(key)[0].1)[1].1;
        let (x, y) = pair.public_key_raw()[1..].split_at(32);
        let [d, x, y] = [private, x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        (json!({"kty": "EC", "crv": "P-256", "kid": "k3", "d": d, "x": x, "y": y}), pair.public_key_pem())
    }

    /// Tags and contents of DER elements in a row.
    fn elements(mut der: &[u8]) -> Vec<(u8, &[u8])> {
        let mut found = Vec::new();
        while let [tag, length, rest @ ..] = der {
            let digits = if *length < 0x80 { 0 } else { usize::from(*length & 0x7f) };
            let length = if digits == 0 {
                usize::from(*length)
            } else {
                rest[..digits].iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit))
            };
            let (content, rest) = rest[digits..].split_at(length);
            found.push((*tag, content));
            der = rest;
        }
        found
    }
}
