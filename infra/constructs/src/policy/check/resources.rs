//! Resources: that they are ARNs, and that they are what the actions act on.
//!
//! A `*` is found for every action that takes a resource type, also where AWS calls all its types optional:
//! S3 does so for `s3:GetObject`, as it acts on either an object or an access point. It stays where a
//! condition narrows it: a tag of the resource, or a key of the action that holds an ARN, compared
//! positively.

use super::{Findings, Subject, Use, actions::Known, actions::Meaning, some_of, text};
use crate::{
    policy::{
        glob::{Pattern, shown},
        reference::{Action, ResourceType},
    },
    tree::{Part, Pseudo, Text, Value},
};

pub(super) fn check(subject: &Subject<'_>, meaning: &Meaning, findings: &mut Findings) {
    if subject.role == Use::Trust {
        if subject.has("Resource") || subject.has("NotResource") {
            findings.add(&subject.place, "a trust policy names no resource; it is about its own role");
        }
        return;
    }
    if subject.has("NotResource") {
        if !subject.denies() {
            let message = "`NotResource` allows everything else; name the resources in `Resource`";
            findings.add(&subject.at("NotResource"), message);
        }
        return;
    }
    let values = subject.values("Resource");
    if values.is_empty() {
        // Some resources, such as an ECR repository, take a policy without it.
        if subject.role == Use::Identity {
            findings.add(&subject.place, "`Resource` is missing; name the resources");
        }
        return;
    }
    check_values(subject, meaning, &values, findings);
}

fn check_values(subject: &Subject<'_>, meaning: &Meaning, values: &[(String, &Value)], findings: &mut Findings) {
    let mut targets = Vec::new();
    for (place, value) in values {
        match Target::read(subject, place, value) {
            Ok(target) => targets.push(target),
            Err(message) => findings.add(place, message),
        }
    }
    // With a broken resource among them, nothing is known about the rest.
    if targets.len() < values.len() {
        return;
    }
    let before = findings.0.len();
    for known in &meaning.known {
        if let Some(message) = misfit(subject, known, &targets) {
            findings.add(&known.place, message);
        }
    }
    if findings.0.len() == before && !meaning.and_more {
        check_all_are_taken(meaning, &targets, findings);
    }
}

/// A resource of the statement.
struct Target {
    place: String,
    shown: String,
    /// Nothing where it is not known.
    pattern: Option<Pattern>,
}

impl Target {
    fn read(subject: &Subject<'_>, place: &str, value: &Value) -> Result<Self, String> {
        let template = |part: &Part| subject.template(part);
        let Some(text) = text(value).filter(|text| !text.is_expression()) else {
            return Ok(Self { place: place.to_owned(), shown: String::new(), pattern: None });
        };
        if let Some(kind) = text.reference().map(|reference| reference.attribute.kind)
            && let Some(word) = not_an_arn(kind)
        {
            return Err(format!("the resource is {word}; an ARN belongs there"));
        }
        if let Some(Part::Literal(start)) = text.parts().first()
            && start != "*"
            && !start.starts_with("arn:")
        {
            let shown = shown(text, &template);
            return Err(format!(
                "`{shown}` is no ARN; an ARN belongs there, or `*` where the actions take no resource"
            ));
        }
        let pattern = Some(Pattern::of_text(text, &template));
        Ok(Self { place: place.to_owned(), shown: shown(text, &template), pattern })
    }

    fn is_everything(&self) -> bool {
        self.shown == "*"
    }

    fn fits(&self, action: &Action) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        action.resources.iter().any(|resource| pattern.meets(&Pattern::of_type(resource)))
    }
}

fn not_an_arn(kind: &str) -> Option<&'static str> {
    match kind {
        "name" => Some("a name"),
        "id" => Some("an id"),
        "url" => Some("an address"),
        _ => None,
    }
}

/// What is wrong with the resources in an action's eyes.
fn misfit(subject: &Subject<'_>, known: &Known, targets: &[Target]) -> Option<String> {
    let Known { name, action, .. } = known;
    let everything = targets.iter().any(Target::is_everything);
    // In a resource's own policy, `*` is the resource.
    if everything && (subject.role == Use::Resource || subject.denies()) {
        return None;
    }
    if action.resources.is_empty() {
        let unknown = targets.iter().any(|target| target.pattern.is_none());
        let message = format!("`{name}` takes no resource; allow it on `*`, in a statement of its own");
        return (!everything && !unknown && subject.role == Use::Identity).then_some(message);
    }
    if everything {
        let message = format!("`{name}` takes a resource, so `*` is too much; it takes {}", formats(&action.resources));
        return (!is_narrowed(subject, action)).then_some(message);
    }
    if targets.iter().any(|target| target.fits(action)) {
        return None;
    }
    let given: Vec<_> = targets.iter().map(|target| format!("`{}`", target.shown)).collect();
    Some(format!("`{name}` does not act on {}; it takes {}", some_of(&given, 3), formats(&action.resources)))
}

/// A resource that no action acts on is a mistake too, though a harmless one until the action is added.
fn check_all_are_taken(meaning: &Meaning, targets: &[Target], findings: &mut Findings) {
    let taken = |target: &Target| meaning.known.iter().any(|known| target.fits(&known.action));
    for target in targets.iter().filter(|target| !target.is_everything() && !taken(target)) {
        findings.add(&target.place, format!("none of the actions acts on `{}`", target.shown));
    }
}

fn formats(resources: &[ResourceType]) -> String {
    let all: Vec<_> = resources.iter().map(|resource| format!("{}: {}", resource.name, resource.format)).collect();
    some_of(&all, 4)
}

fn is_narrowed(subject: &Subject<'_>, action: &Action) -> bool {
    let holds_arn = |key: &str| {
        let mut keys = action.keys.iter();
        keys.any(|known| known.name.eq_ignore_ascii_case(key) && known.kind.ends_with("ARN"))
    };
    let is_tag = |key: &str| {
        let key = key.to_ascii_lowercase();
        key.contains("resourcetag/") || key.contains("buckettag/") || key.contains("existingobjecttag/")
    };
    let is_positive = |operator: &str| {
        !operator.contains("Not") && !operator.ends_with("IfExists") && !operator.starts_with("ForAllValues:")
    };
    let Some(Value::Map(operators)) = subject.fields.get("Condition") else { return false };
    operators.iter().filter(|(operator, _)| is_positive(operator) && *operator != "Null").any(|(_, keys)| match keys {
        Value::Map(keys) => keys.iter().any(|(key, _)| is_tag(key) || holds_arn(key)),
        _ => false,
    })
}

/// Whether the only principal is an account as a whole: `arn:aws:iam::111122223333:root`, or its digits.
pub(super) fn speaks_to_account_root(subject: &Subject<'_>) -> bool {
    let Some(Value::Map(principal)) = subject.fields.get("Principal") else { return false };
    let accounts = super::entries("AWS", principal.get("AWS"));
    principal.len() == 1 && accounts.len() == 1 && accounts.iter().all(|(_, value)| text(value).is_some_and(is_root))
}

fn is_root(account: &Text) -> bool {
    match account.parts() {
        [Part::Pseudo(Pseudo::Account)] => true,
        [Part::Literal(whole)] if is_account(whole) => true,
        [Part::Literal(start), .., Part::Literal(end)] => start.starts_with("arn:") && end.ends_with(":root"),
        [Part::Literal(whole)] => whole.starts_with("arn:") && whole.ends_with(":root"),
        _ => false,
    }
}

fn is_account(digits: &str) -> bool {
    digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
