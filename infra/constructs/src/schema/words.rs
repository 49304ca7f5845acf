//! The words of findings: near names, short lists, ranges.

use std::fmt::Display;

const MOST_NAMES: usize = 8;
const MOST_NEAR: usize = 3;

/// The names much like `name`, the nearest first, at most three.
pub(super) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = plain(name);
    let allowed = 1 + wanted.len() / 5;
    let mut found: Vec<(usize, &str)> = known
        .map(|known| (strsim::osa_distance(&wanted, &plain(known)), known))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort_unstable();
    found.truncate(MOST_NEAR);
    found.into_iter().map(|(_, known)| known).collect()
}

/// `RetentionPeriod` and `retention_period` are one name to a reader.
fn plain(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `a, b, c`, or the first few and how many more.
pub(super) fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let shown = items.len().min(MOST_NAMES);
    let text = items[..shown].join(", ");
    match items.len() - shown {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// The values allowed, those most like `given` first.
pub(super) fn allowed(given: &str, values: &[String]) -> String {
    let wanted = plain(given);
    let mut sorted: Vec<&String> = values.iter().collect();
    sorted.sort_by_key(|value| strsim::osa_distance(&wanted, &plain(value)));
    let quoted = sorted.into_iter().map(|value| match value.as_str() {
        "" => "\"\"",
        value => value,
    });
    format!("allowed {} {}", are(values.len()), listed(quoted))
}

/// `is` or `are`.
pub(super) fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// `allowed is 24 to 8760`.
pub(super) fn range<T: Display>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("allowed is {min} to {max}"),
        (Some(min), None) => format!("allowed is {min} or more"),
        (None, Some(max)) => format!("allowed is {max} or less"),
        (None, None) => "anything is allowed".to_owned(),
    }
}

/// `1 element`, `2 elements`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A literal as a message shows it, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
