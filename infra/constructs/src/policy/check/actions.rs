//! Actions: that they exist, and that they are named one by one.

use super::{Findings, Subject, Use, did_you_mean, literal, nearest, resources, some_of};
use crate::policy::{
    glob::Pattern,
    reference::{self, Action, Service},
};

/// What the actions of a statement come to.
#[derive(Default)]
pub(super) struct Meaning {
    /// The actions that are named and known.
    pub(super) known: Vec<Known>,
    /// Services that are spoken of.
    pub(super) services: Vec<&'static Service>,
    /// Set when there is more: wildcards, services that the reference does not cover, mistakes.
    pub(super) and_more: bool,
}

/// A known action, where it stands.
pub(super) struct Known {
    pub(super) place: String,
    pub(super) name: String,
    pub(super) action: Action,
}

/// API operations that have no action of their own, and the action that allows them.
pub(super) const OPERATIONS: [(&str, &str); 17] = [
    ("dynamodb:TransactGetItems", "dynamodb:GetItem"),
    ("dynamodb:TransactWriteItems", "dynamodb:PutItem"),
    ("lambda:Invoke", "lambda:InvokeFunction"),
    ("s3:CompleteMultipartUpload", "s3:PutObject"),
    ("s3:CopyObject", "s3:PutObject"),
    ("s3:CreateMultipartUpload", "s3:PutObject"),
    ("s3:DeleteObjects", "s3:DeleteObject"),
    ("s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:ListBuckets", "s3:ListAllMyBuckets"),
    ("s3:ListObjects", "s3:ListBucket"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
    ("s3:UploadPart", "s3:PutObject"),
    ("sns:PublishBatch", "sns:Publish"),
    ("sqs:DeleteMessageBatch", "sqs:DeleteMessage"),
    ("sqs:SendMessageBatch", "sqs:SendMessage"),
];

/// What a trust policy may allow; from the actions of AWS STS that act on a role.
const TRUST: [&str; 6] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:SetContext",
    "sts:SetSourceIdentity",
    "sts:TagSession",
];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) -> Meaning {
    let actions = subject.values("Action");
    let mut meaning = Meaning { and_more: actions.is_empty(), ..Meaning::default() };
    if actions.is_empty() && !subject.has("NotAction") {
        findings.add(&subject.place, "`Action` is missing; name the actions");
    }
    if subject.has("NotAction") && !subject.denies() {
        findings.add(&subject.at("NotAction"), "`NotAction` allows everything else; name the actions in `Action`");
    }
    for (place, value) in actions {
        let Some(name) = literal(value) else {
            meaning.and_more = true;
            continue;
        };
        if let Err(message) = meaning.read(subject, &place, name) {
            findings.add(&place, message);
        }
    }
    meaning
}

impl Meaning {
    fn read(&mut self, subject: &Subject<'_>, place: &str, name: &str) -> Result<(), String> {
        let known_so_far = self.known.len();
        let result = self.read_action(subject, place, name);
        self.and_more |= self.known.len() == known_so_far;
        result
    }

    fn read_action(&mut self, subject: &Subject<'_>, place: &str, name: &str) -> Result<(), String> {
        if subject.role == Use::Trust && !TRUST.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(format!("`{name}` is not for trust policies{}", did_you_mean(name, TRUST)));
        }
        if name == "*" {
            return if subject.denies() { Ok(()) } else { Err("`*` allows everything; name the actions".to_owned()) };
        }
        let (prefix, action) = name.split_once(':').ok_or_else(|| without_service(name))?;
        let service = reference::service(prefix).ok_or_else(|| unknown_service(prefix, action))?;
        self.services.push(service);
        if action.contains(['*', '?']) {
            return wildcard(subject, service, action);
        }
        let action = service.action(action).ok_or_else(|| unknown_action(service, action))?;
        let name = format!("{prefix}:{}", action.name);
        self.known.push(Known { place: place.to_owned(), name, action });
        Ok(())
    }
}

/// What is wrong with an action that stands alone, such as a permission's.
pub(crate) fn problem(name: &str) -> Option<String> {
    let Some((prefix, action)) = name.split_once(':') else { return Some(without_service(name)) };
    let Some(service) = reference::service(prefix) else { return Some(unknown_service(prefix, action)) };
    let known = action.contains(['*', '?']) || service.action(action).is_some();
    (!known).then(|| unknown_action(service, action))
}

fn without_service(name: &str) -> String {
    let has = |service: &&Service| service.action(name).is_some();
    let full = |service: &Service| format!("`{}:{name}`", service.name());
    let candidates: Vec<_> = reference::services().filter_map(reference::service).filter(has).map(full).collect();
    let hint =
        if candidates.is_empty() { String::new() } else { format!("; did you mean {}?", some_of(&candidates, 3)) };
    format!("`{name}` names no service; an action is `service:Action`{hint}")
}

/// Many services are not covered, so a close name is only offered if it has the very action.
fn unknown_service(prefix: &str, action: &str) -> String {
    let has = |name: &&str| reference::service(name).is_some_and(|service| service.action(action).is_some());
    match nearest(prefix, reference::services().filter(has)) {
        Some(service) => format!("there is no service `{prefix}`; did you mean `{service}:{action}`?"),
        None => format!("the action reference does not know the service `{prefix}`"),
    }
}

fn unknown_action(service: &Service, action: &str) -> String {
    let prefix = service.name();
    let full = format!("{prefix}:{action}");
    if let Some((_, allows)) = OPERATIONS.iter().find(|(operation, _)| operation.eq_ignore_ascii_case(&full)) {
        return format!("`{full}` is no action; `{allows}` allows that operation");
    }
    let hint = nearest(action, service.action_names());
    let hint = hint.map_or(String::new(), |name| format!("; did you mean `{prefix}:{name}`?"));
    format!("{prefix} has no action `{action}`{hint}")
}

fn wildcard(subject: &Subject<'_>, service: &Service, action: &str) -> Result<(), String> {
    let prefix = service.name();
    let pattern = Pattern::of_wildcard(&action.to_ascii_lowercase());
    let meets = |name: &&str| pattern.meets(&Pattern::of_wildcard(&name.to_ascii_lowercase()));
    let mut matching = service.action_names().filter(meets).peekable();
    if matching.peek().is_none() {
        return Err(format!("`{prefix}:{action}` matches no action"));
    }
    if subject.denies() || is_key_administration(subject, prefix, action) {
        return Ok(());
    }
    let names: Vec<_> = matching.map(|name| format!("{prefix}:{name}")).collect();
    Err(format!("`{prefix}:{action}` allows more than is said; name the actions: {}", some_of(&names, 6)))
}

/// The one wildcard that AWS itself prescribes: a key's policy lets the account administer the key, so that
/// it cannot become nobody's (`https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html`).
fn is_key_administration(subject: &Subject<'_>, prefix: &str, action: &str) -> bool {
    let everywhere = subject.values("Resource").iter().all(|(_, value)| literal(value) == Some("*"));
    subject.role == Use::Resource
        && (prefix, action) == ("kms", "*")
        && everywhere
        && resources::speaks_to_account_root(subject)
}
