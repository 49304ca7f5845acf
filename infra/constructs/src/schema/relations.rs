//! What properties of one object say about each other.

use super::{shape::Relation, words};
use crate::tree::{Properties, Value};

/// The property to blame and what is wrong, where a relation does not hold.
pub(super) fn broken<'a>(relation: &'a Relation, properties: &Properties) -> Option<(&'a str, String)> {
    let set = |names: &'a [String]| -> Vec<&'a str> {
        let there = names.iter().filter(|name| is_set(name, properties));
        there.map(String::as_str).collect()
    };
    match relation {
        Relation::AtMostOne(names) => many(&set(names)),
        Relation::ExactlyOne(names) => many(&set(names)).or_else(|| none("one", names, &set(names))),
        Relation::AtLeastOne(names) => none("at least one", names, &set(names)),
        Relation::Requires(name, others) => {
            let missing = others.iter().filter(|other| !is_set(other, properties));
            let missing: Vec<&String> = missing.collect();
            let wrong = is_set(name, properties) && !missing.is_empty();
            wrong.then(|| (name.as_str(), format!("{name} needs {}", words::listed(missing))))
        }
        Relation::Excludes(name, others) => {
            let there = set(others);
            let wrong = is_set(name, properties) && !there.is_empty();
            wrong.then(|| (name.as_str(), format!("{name} excludes {}", words::listed(there))))
        }
        Relation::AnyOf(sets) => {
            let complete = complete(sets, properties);
            (complete == 0).then(|| (first(sets), format!("needed is {}", either(sets))))
        }
        Relation::OneOf(sets) => {
            let complete = complete(sets, properties);
            let only = if complete == 0 { "needed is" } else { "needed is only one of" };
            (complete != 1).then(|| (first(sets), format!("{only} {}", either(sets))))
        }
    }
}

/// Whether blocks of this name are made by Terraform's `dynamic`.
pub(super) fn is_dynamic(name: &str, properties: &Properties) -> bool {
    match properties.get("dynamic") {
        Some(Value::Map(blocks)) => blocks.get(name).is_some(),
        Some(Value::List(items)) => {
            items.iter().any(|item| matches!(item, Value::Map(blocks) if blocks.get(name).is_some()))
        }
        _ => false,
    }
}

fn is_set(name: &str, properties: &Properties) -> bool {
    match properties.get(name) {
        Some(value) => !matches!(value, Value::Null),
        None => is_dynamic(name, properties),
    }
}

fn many<'a>(set: &[&'a str]) -> Option<(&'a str, String)> {
    let names = set.join(" and ");
    (set.len() > 1).then(|| (set[0], format!("{names} exclude each other")))
}

fn none<'a>(how_many: &str, names: &'a [String], set: &[&str]) -> Option<(&'a str, String)> {
    let message = || format!("{how_many} of {} is needed", words::listed(names));
    set.is_empty().then(|| (names[0].as_str(), message()))
}

fn complete(sets: &[Vec<String>], properties: &Properties) -> usize {
    let whole = |set: &&Vec<String>| set.iter().all(|name| is_set(name, properties));
    sets.iter().filter(whole).count()
}

fn first(sets: &[Vec<String>]) -> &str {
    sets.iter().flatten().next().map_or("", String::as_str)
}

fn either(sets: &[Vec<String>]) -> String {
    let sets: Vec<String> = sets.iter().map(|set| set.join(" with ")).collect();
    sets.join(", or ")
}
