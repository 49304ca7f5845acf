//! Secrets Manager: `GetSecretValue`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AWS_JSON, error, lock};
use crate::server::{request_id, respond};

/// The service, empty at first.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By ARN.
    secrets: BTreeMap<String, Secret>,
    calls: Vec<String>,
    failures: usize,
}

#[derive(Debug)]
struct Secret {
    name: String,
    value: String,
    version: String,
}

impl Secrets {
    /// Stores a secret under a name or an ARN, in place of what was there, and gives its ARN.
    pub fn put(&self, name_or_arn: &str, value: &Value) -> String {
        let arn = arn(name_or_arn);
        let name = name(&arn).to_owned();
        let secret = Secret { name, value: value.to_string(), version: request_id() };
        lock(&self.state).secrets.insert(arn.clone(), secret);
        arn
    }

    /// The next so many requests fail with `InternalServiceError`, 500.
    pub fn fail(&self, requests: usize) {
        lock(&self.state).failures = requests;
    }

    /// The secret ids that were asked for, in order.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.state).calls.clone()
    }

    pub(super) fn answer(&self, body: &Bytes) -> Response<Full<Bytes>> {
        let Ok(Asked { id }) = serde_json::from_slice(body) else {
            return error(StatusCode::BAD_REQUEST, "SerializationException", "SecretId is missing");
        };
        let mut state = lock(&self.state);
        state.calls.push(id.clone());
        if state.failures > 0 {
            state.failures -= 1;
            return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError", "told to fail");
        }
        let found = state.secrets.iter().find(|(arn, secret)| **arn == id || secret.name == id);
        let Some((arn, secret)) = found else {
            let message = "Secrets Manager can't find the specified secret.";
            return error(StatusCode::BAD_REQUEST, "ResourceNotFoundException", message);
        };
        let answer = json!({
            "ARN": arn, "Name": secret.name, "SecretString": secret.value, "VersionId": secret.version,
            "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_767_225_600.0,
        });
        respond(StatusCode::OK, AWS_JSON, answer.to_string())
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "SecretId")]
    id: String,
}

/// Secrets Manager adds a dash and six characters to the name.
fn arn(name_or_arn: &str) -> String {
    if name_or_arn.starts_with("arn:") {
        return name_or_arn.to_owned();
    }
    format!("arn:aws:secretsmanager:{}:{}:secret:{name_or_arn}-AbCdEf", crate::REGION, crate::ACCOUNT)
}

fn name(arn: &str) -> &str {
    let last = arn.rsplit(':').next().unwrap_or(arn);
    match last.rsplit_once('-') {
        Some((name, added)) if added.len() == 6 => name,
        _ => last,
    }
}
