//! Conditions: that operators and keys exist, and that some action of the statement looks at the key.
//!
//! The reference lists keys per action, those of its resource types included. A key that none of the
//! statement's actions looks at is found: the condition never holds. That one action of several does not
//! look at it is not.

use super::{Findings, Subject, Use, actions::Meaning, did_you_mean, entries, keys, literal};
use crate::{
    policy::reference,
    tree::{Properties, Value},
};

pub(super) fn check(subject: &Subject<'_>, meaning: &Meaning, findings: &mut Findings) {
    let place = subject.at("Condition");
    let operators = match subject.fields.get("Condition") {
        None | Some(Value::Null) => return,
        Some(Value::Map(operators)) => operators,
        Some(other) => {
            findings.add(&place, format!("conditions are an object of operators, not {}", other.word()));
            return;
        }
    };
    for (operator, compared) in operators.iter() {
        let place = format!("{place}.{operator}");
        if !keys::OPERATORS.contains(&keys::bare(operator)) {
            let hint = did_you_mean(operator, keys::OPERATORS);
            findings.add(&place, format!("there is no condition operator `{operator}`{hint}"));
        }
        match compared {
            Value::Map(compared) => check_keys(subject, meaning, (&place, operator), compared, findings),
            other => findings.add(&place, format!("an operator holds an object of keys, not {}", other.word())),
        }
    }
}

fn check_keys(
    subject: &Subject<'_>,
    meaning: &Meaning,
    (place, operator): (&str, &str),
    compared: &Properties,
    findings: &mut Findings,
) {
    for (key, values) in compared.iter() {
        let place = format!("{place}.{key}");
        if let Some(message) = key_mistake(subject, meaning, key) {
            findings.add(&place, message);
        }
        let is_exact = matches!(keys::bare(operator), "StringEquals" | "StringNotEquals");
        for (place, value) in entries(&place, Some(values)) {
            let value = literal(value).filter(|value| is_exact && value.contains(['*', '?']));
            if let Some(value) = value {
                let like = operator.replace("Equals", "Like");
                findings.add(&place, format!("{operator} takes `{value}` letter by letter; wildcards need {like}"));
            }
        }
    }
}

fn key_mistake(subject: &Subject<'_>, meaning: &Meaning, key: &str) -> Option<String> {
    if keys::GLOBAL.iter().any(|form| keys::is_of_form(key, form)) {
        return None;
    }
    // Providers of web identities bring keys of their own: `token.actions.githubusercontent.com:sub`.
    let mut known = meaning.known.iter();
    let is_web_identity = known.any(|known| known.action.name == "AssumeRoleWithWebIdentity");
    let looked_at = || meaning.known.iter().flat_map(|known| &known.action.keys).map(|key| key.name);
    if is_web_identity && subject.role == Use::Trust || looked_at().any(|form| keys::is_of_form(key, form)) {
        return None;
    }
    let Some((prefix, name)) = key.split_once(':') else {
        return Some(format!("`{key}` is no condition key; one is `aws:Key` or `service:Key`"));
    };
    let service = reference::service(prefix);
    let exists = service.is_some_and(|service| service.keys().iter().any(|form| keys::is_of_form(key, form.name)));
    if exists {
        let names: Vec<_> = meaning.known.iter().map(|known| format!("`{}`", known.name)).collect();
        let names = super::some_of(&names, 3);
        return (!meaning.and_more).then(|| format!("{names} never looks at `{key}`, so the condition never holds"));
    }
    // A service that the reference does not cover may have any key.
    if !prefix.eq_ignore_ascii_case("aws") && service.is_none() && meaning.and_more {
        return None;
    }
    let of_services = meaning.services.iter().flat_map(|service| service.keys()).map(|key| key.name);
    let of_prefix = service.into_iter().flat_map(reference::Service::keys).map(|key| key.name);
    let candidates = keys::GLOBAL.into_iter().chain(of_services).chain(of_prefix);
    let of_the_name = move |form: &&str| form.rsplit(':').next().is_some_and(|known| known.eq_ignore_ascii_case(name));
    let namesake = candidates.clone().find(of_the_name).map(|form| format!("; did you mean `{form}`?"));
    let hint = namesake.unwrap_or_else(|| did_you_mean(key, candidates));
    Some(format!("there is no condition key `{key}`{hint}"))
}
