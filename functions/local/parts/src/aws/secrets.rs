//! Secrets Manager: secrets, their current value and the one before.

use std::{
    collections::BTreeMap,
    fmt, iter,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{AWS_JSON, error, journal::Journal, lock};
use crate::{
    Place,
    server::{request_id, respond},
};

/// The service, empty at first.
#[derive(Debug, Clone)]
pub struct Secrets {
    place: Place,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By name.
    secrets: BTreeMap<String, Secret>,
    calls: Journal<String>,
    failures: usize,
}

#[derive(Debug)]
struct Secret {
    arn: String,
    description: Option<String>,
    current: Option<Version>,
    previous: Option<Version>,
    created: SystemTime,
    changed: SystemTime,
    /// When it will be gone. Until then nobody reads it.
    deleted: Option<SystemTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    id: String,
    value: Content,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
enum Content {
    #[serde(rename = "SecretString")]
    Text(String),
    /// In base64.
    #[serde(rename = "SecretBinary")]
    Binary(String),
}

/// What kind it is, and never what it says.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "SecretString",
            Self::Binary(_) => "SecretBinary",
        })
    }
}

impl Secrets {
    /// Stores a secret under a name or an ARN, in place of what was there, and gives its ARN.
    pub fn put(&self, name_or_arn: &str, value: &Value) -> String {
        let name = name_in(name_or_arn).to_owned();
        let given = name_or_arn.starts_with("arn:").then(|| name_or_arn.to_owned());
        let mut state = lock(&self.state);
        let before = state.secrets.get(&name).map(|secret| secret.arn.clone());
        let mut secret = Secret::new(given.or(before).unwrap_or_else(|| self.new_arn(&name)), None);
        secret.take(Version { id: request_id(), value: Content::Text(value.to_string()) });
        let arn = secret.arn.clone();
        state.secrets.insert(name, secret);
        arn
    }

    /// The next so many requests fail with `InternalServiceError`, 500.
    pub fn fail(&self, requests: usize) {
        lock(&self.state).failures = requests;
    }

    /// The secret ids whose values were asked for, in order.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.state).calls.calls().to_vec()
    }

    pub(super) fn new(place: Place) -> Self {
        Self { place, state: Arc::default() }
    }

    pub(super) fn journal(&self, on: bool) {
        lock(&self.state).calls.switch(on);
    }

    /// The answer; none to an operation that isn't known.
    pub(super) fn answer(&self, operation: &str, body: &Bytes) -> Option<Response<Full<Bytes>>> {
        let answer = match operation {
            "GetSecretValue" => self.act(body, State::get),
            "CreateSecret" => self.act(body, |state, create: Create| {
                let arn = self.new_arn(&create.name);
                state.create(create, arn)
            }),
            "PutSecretValue" => self.act(body, State::put),
            "DescribeSecret" => self.act(body, State::describe),
            "DeleteSecret" => self.act(body, State::delete),
            "GetRandomPassword" => self.act(body, |_, password: Password| password.generate()),
            _ => return None,
        };
        Some(match answer {
            Ok(answer) => respond(StatusCode::OK, AWS_JSON, answer.to_string()),
            Err(Refusal(status, code, message)) => error(status, code, &message),
        })
    }

    fn act<T: DeserializeOwned>(
        &self,
        body: &Bytes,
        act: impl FnOnce(&mut State, T) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        let asked = serde_json::from_slice(body)
            .map_err(|misread| Refusal(StatusCode::BAD_REQUEST, "SerializationException", misread.to_string()))?;
        act(&mut lock(&self.state), asked)
    }

    /// Secrets Manager adds a dash and six characters to the name.
    fn new_arn(&self, name: &str) -> String {
        let added: String = iter::repeat_with(fastrand::alphanumeric).take(6).collect();
        self.place.arn("secretsmanager", &format!("secret:{name}-{added}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    secret_id: String,
    #[serde(default)]
    version_id: Option<String>,
    #[serde(default)]
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    client_request_token: Option<String>,
    #[serde(flatten)]
    value: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    secret_id: String,
    #[serde(default)]
    client_request_token: Option<String>,
    #[serde(flatten)]
    value: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    secret_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    secret_id: String,
    #[serde(default)]
    force_delete_without_recovery: bool,
    #[serde(default)]
    recovery_window_in_days: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "as Secrets Manager has them")]
struct Password {
    #[serde(rename = "PasswordLength")]
    length: usize,
    exclude_characters: String,
    exclude_numbers: bool,
    exclude_punctuation: bool,
    exclude_uppercase: bool,
    exclude_lowercase: bool,
    include_space: bool,
    require_each_included_type: bool,
}

/// Why there is no answer.
struct Refusal(StatusCode, &'static str, String);

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, code, message.into())
    }
}

impl State {
    fn get(&mut self, get: Get) -> Result<Value, Refusal> {
        self.calls.add(get.secret_id.clone());
        let (name, secret) = self.readable(&get.secret_id)?;
        let wanted = |version: &&Version, stage: &str| {
            let stage_fits = get.version_stage.as_deref().is_none_or(|asked| asked == stage);
            let unasked = get.version_id.is_none() && get.version_stage.is_none();
            let id_fits = get.version_id.as_deref().is_none_or(|asked| asked == version.id);
            if unasked { stage == CURRENT } else { stage_fits && id_fits }
        };
        let versions = secret.versions();
        let Some((version, stage)) = versions.into_iter().find(|(version, stage)| wanted(version, stage)) else {
            let stage = get.version_stage.or(get.version_id).unwrap_or_else(|| CURRENT.to_owned());
            let message = format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
            return Err(Refusal::new("ResourceNotFoundException", message));
        };
        let (member, value) = match &version.value {
            Content::Text(text) => ("SecretString", text),
            Content::Binary(base64) => ("SecretBinary", base64),
        };
        Ok(json!({
            "ARN": secret.arn, "Name": name, member: value, "VersionId": version.id,
            "VersionStages": [stage], "CreatedDate": seconds(secret.changed),
        }))
    }

    fn create(&mut self, create: Create, arn: String) -> Result<Value, Refusal> {
        self.check()?;
        let Create { name, description, client_request_token, value } = create;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "/_+=.@-".contains(letter);
        if !(1..=512).contains(&name.len()) || !name.chars().all(allowed) {
            let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
            return Err(Refusal::new("ValidationException", message));
        }
        if let Some(there) = self.secrets.get(&name) {
            if there.deleted.is_some() {
                let message =
                    "You can't create this secret because a secret with this name is already scheduled for deletion.";
                return Err(Refusal::new("InvalidRequestException", message));
            }
            let message = format!("The operation failed because the secret {name} already exists.");
            return Err(Refusal::new("ResourceExistsException", message));
        }
        let mut secret = Secret::new(arn, description);
        let mut answer = json!({ "ARN": secret.arn, "Name": name });
        if let Some(value) = value {
            let id = client_request_token.unwrap_or_else(request_id);
            answer["VersionId"] = id.clone().into();
            secret.take(Version { id, value });
        }
        self.secrets.insert(name, secret);
        Ok(answer)
    }

    fn put(&mut self, put: Put) -> Result<Value, Refusal> {
        let (name, secret) = self.readable(&put.secret_id)?;
        let Some(value) = put.value else {
            let message = "You must provide either SecretString or SecretBinary.";
            return Err(Refusal::new("InvalidRequestException", message));
        };
        let version = Version { id: put.client_request_token.unwrap_or_else(request_id), value };
        let there = secret.versions().into_iter().map(|(version, _)| version).find(|there| there.id == version.id);
        // A request may come twice.
        let repeated = there.is_some_and(|there| there.value == version.value);
        if there.is_some() && !repeated {
            let message = "You can't modify an existing version, you can only create a new version.";
            return Err(Refusal::new("ResourceExistsException", message));
        }
        let answer = json!({ "ARN": secret.arn, "Name": name, "VersionId": version.id, "VersionStages": [CURRENT] });
        if !repeated {
            secret.take(version);
        }
        Ok(answer)
    }

    fn describe(&mut self, Describe { secret_id }: Describe) -> Result<Value, Refusal> {
        let (name, secret) = self.known(&secret_id)?;
        let versions = secret.versions().into_iter().map(|(version, stage)| (version.id.clone(), json!([stage])));
        let versions: serde_json::Map<_, _> = versions.collect();
        let mut answer = json!({
            "ARN": secret.arn, "Name": name, "VersionIdsToStages": versions,
            "CreatedDate": seconds(secret.created), "LastChangedDate": seconds(secret.changed),
        });
        if let Some(description) = &secret.description {
            answer["Description"] = description.as_str().into();
        }
        if let Some(deleted) = secret.deleted {
            answer["DeletedDate"] = seconds(deleted).into();
        }
        Ok(answer)
    }

    fn delete(&mut self, delete: Delete) -> Result<Value, Refusal> {
        let Delete { secret_id, force_delete_without_recovery: at_once, recovery_window_in_days: days } = delete;
        if at_once && days.is_some() {
            let message = "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.";
            return Err(Refusal::new("InvalidParameterException", message));
        }
        let days = days.unwrap_or(30);
        if !(7..=30).contains(&days) {
            let message = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
            return Err(Refusal::new("InvalidParameterException", message));
        }
        let (name, secret) = self.readable(&secret_id)?;
        let gone = SystemTime::now() + if at_once { Duration::ZERO } else { Duration::from_hours(24 * days) };
        secret.deleted = Some(gone);
        let answer = json!({ "ARN": secret.arn, "Name": name, "DeletionDate": seconds(gone) });
        if at_once {
            self.secrets.remove(&name);
        }
        Ok(answer)
    }

    /// The secret of this name or ARN, which may be without its last six characters.
    fn known(&mut self, id: &str) -> Result<(String, &mut Secret), Refusal> {
        self.check()?;
        let is_meant = |name: &str, arn: &str| {
            let partial = arn.len().checked_sub(7).and_then(|length| arn.get(..length));
            name == id || arn == id || partial == Some(id)
        };
        let found = self.secrets.iter_mut().find(|(name, secret)| is_meant(name, &secret.arn));
        found.map(|(name, secret)| (name.clone(), secret)).ok_or_else(|| {
            Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        })
    }

    /// The same, unless it is about to be deleted.
    fn readable(&mut self, id: &str) -> Result<(String, &mut Secret), Refusal> {
        let (name, secret) = self.known(id)?;
        if secret.deleted.is_some() {
            let message = "You can't perform this operation on the secret because it was marked for deletion.";
            return Err(Refusal::new("InvalidRequestException", message));
        }
        Ok((name, secret))
    }

    fn check(&mut self) -> Result<(), Refusal> {
        let fails = self.failures > 0;
        self.failures = self.failures.saturating_sub(1);
        if fails {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(Refusal(status, "InternalServiceError", "told to fail".to_owned()));
        }
        Ok(())
    }
}

const CURRENT: &str = "AWSCURRENT";

impl Secret {
    fn new(arn: String, description: Option<String>) -> Self {
        let now = SystemTime::now();
        Self { arn, description, current: None, previous: None, created: now, changed: now, deleted: None }
    }

    fn take(&mut self, version: Version) {
        self.previous = self.current.replace(version);
        self.changed = SystemTime::now();
    }

    fn versions(&self) -> Vec<(&Version, &'static str)> {
        let current = self.current.iter().map(|version| (version, CURRENT));
        current.chain(self.previous.iter().map(|version| (version, "AWSPREVIOUS"))).collect()
    }
}

impl Default for Password {
    fn default() -> Self {
        Self {
            length: 32,
            exclude_characters: String::new(),
            exclude_numbers: false,
            exclude_punctuation: false,
            exclude_uppercase: false,
            exclude_lowercase: false,
            include_space: false,
            require_each_included_type: true,
        }
    }
}

impl Password {
    fn generate(&self) -> Result<Value, Refusal> {
        let types: Vec<Vec<char>> = self.types();
        let all: Vec<char> = types.concat();
        let invalid = |message: &str| Err(Refusal::new("InvalidParameterException", message));
        if !(1..=4096).contains(&self.length) {
            return invalid("The password length must be between 1 and 4096.");
        }
        if all.is_empty() || (self.require_each_included_type && types.len() > self.length) {
            return invalid("The password can't be generated with these parameters.");
        }
        let mut password: Vec<char> = Vec::new();
        if self.require_each_included_type {
            password.extend(types.iter().filter_map(fastrand::choice));
        }
        password.extend(iter::repeat_with(|| all[fastrand::usize(..all.len())]).take(self.length - password.len()));
        fastrand::shuffle(&mut password);
        Ok(json!({ "RandomPassword": password.into_iter().collect::<String>() }))
    }

    /// The letters of each type that is wanted.
    fn types(&self) -> Vec<Vec<char>> {
        let punctuation = (b'!'..=b'~').map(char::from).filter(char::is_ascii_punctuation).collect::<Vec<_>>();
        let types = [
            (!self.exclude_lowercase, ('a'..='z').collect()),
            (!self.exclude_uppercase, ('A'..='Z').collect()),
            (!self.exclude_numbers, ('0'..='9').collect()),
            (!self.exclude_punctuation, punctuation),
            (self.include_space, vec![' ']),
        ];
        let wanted = types.into_iter().filter(|(wanted, _)| *wanted).map(|(_, letters)| letters);
        let excluded = |letter: &char| self.exclude_characters.contains(*letter);
        let left = wanted.map(|letters| letters.into_iter().filter(|letter| !excluded(letter)).collect::<Vec<_>>());
        left.filter(|letters| !letters.is_empty()).collect()
    }
}

fn name_in(name_or_arn: &str) -> &str {
    let Some(last) = name_or_arn.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next()) else {
        return name_or_arn;
    };
    match last.rsplit_once('-') {
        Some((name, added)) if added.len() == 6 => name,
        _ => last,
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
