//! The words of problems: what was given, what is allowed, what was meant.

use serde_json::Value;
use toml::de::DeValue;

/// The most of a text that a problem repeats.
const LONGEST: usize = 60;

/// A value as it was written, shortened, and without a password that an address may hold.
pub(crate) fn given(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{:?}", shortened(&without_login(text))),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.into();
    };
    let authority = rest.find('/').map_or(rest, |slash| &rest[..slash]);
    let Some(at) = authority.rfind('@') else {
        return text.into();
    };
    format!("{scheme}://***{}", &rest[at..])
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.into();
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{start}…")
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn one_of<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => (*only).into(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

/// The same for JSON values, as TOML writes them.
pub(crate) fn one_of_values(values: &[&Value]) -> String {
    let names: Vec<_> = values.iter().map(ToString::to_string).collect();
    one_of(&names)
}

/// The candidate that was probably meant, if one is close enough.
pub(crate) fn closest<'c>(given: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let lower = given.to_lowercase().replace('-', "_");
    let scored = candidates.map(|name| (strsim::damerau_levenshtein(&lower, name), name));
    let (distance, name) = scored.min()?;
    let shorter = given.chars().count().min(name.len());
    let near = distance * 3 <= shorter.max(if shorter > 3 { 3 } else { 0 });
    near.then_some(name)
}

/// Whether a key is called as secrets are.
pub(crate) fn looks_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let words = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "api_key",
        "apikey",
        "access_key",
        "private_key",
        "app_key",
        "client_id",
    ];
    words.iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_in_an_address_is_not_repeated() {
        assert_eq!(without_login("https://me:pw@host/a@b"), "https://***@host/a@b");
        assert_eq!(without_login("https://host/a@b"), "https://host/a@b");
    }

    #[test]
    fn close_names_are_meant_and_far_ones_are_not() {
        let names = ["shards", "retention_hours"];
        assert_eq!(closest("Shard", names.into_iter()), Some("shards"));
        assert_eq!(closest("retention-hour", names.into_iter()), Some("retention_hours"));
        assert_eq!(closest("zones", names.into_iter()), None);
    }
}
