//! Names made from a path: for Terraform, for CloudFormation, and for AWS.

/// `Enrichment/DeadLetters` → `enrichment_dead_letters`, a Terraform name.
pub(crate) fn snake(path: &str) -> String {
    words(path, '_')
}

/// `Enrichment/DeadLetters` → `enrichment-dead-letters`, for the names of things in AWS.
pub(crate) fn kebab(path: &str) -> String {
    words(path, '-')
}

/// `Enrichment/DeadLetters` → `EnrichmentDeadLetters`, a CloudFormation logical id.
pub(crate) fn pascal(path: &str) -> String {
    path.chars().filter(|letter| *letter != '/').collect()
}

/// A name of at most so many characters; a longer one ends in a digest of the whole.
pub(crate) fn within(name: String, most: usize) -> String {
    if name.len() <= most {
        return name;
    }
    let digest = name.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let start: String = name.chars().take(most.saturating_sub(9)).collect();
    format!("{}-{digest:08x}", start.trim_end_matches('-'))
}

/// Whether an id may be a path's segment: a letter, then letters and digits.
pub(crate) fn is_id(id: &str) -> bool {
    id.starts_with(|first: char| first.is_ascii_alphabetic()) && id.chars().all(|letter| letter.is_ascii_alphanumeric())
}

/// The name that is closest, if it differs in about every fourth letter at most.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let ranked = known.map(|name| (strsim::osa_distance(given, name), name));
    let (distance, name) = ranked.min()?;
    (distance <= 1 + name.len() / 4).then_some(name)
}

fn words(path: &str, separator: char) -> String {
    let letters: Vec<char> = path.chars().collect();
    let mut out = String::with_capacity(path.len() + 8);
    for (index, letter) in letters.iter().enumerate() {
        if *letter == '/' {
            out.push(separator);
            continue;
        }
        if starts_word(&letters, index) {
            out.push(separator);
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// A capital starts a word after a small letter or digit, and as the last of several capitals (`KMSKey`).
fn starts_word(letters: &[char], index: usize) -> bool {
    let Some(before) = index.checked_sub(1).map(|before| letters[before]) else { return false };
    let after_is_small = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
    letters[index].is_ascii_uppercase()
        && (before.is_ascii_lowercase() || before.is_ascii_digit() || (before.is_ascii_uppercase() && after_is_small))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_differ_still() {
        assert_eq!(within("newsloom-news".into(), 13), "newsloom-news");
        let [one, two] = ["newsloom-enrichment-one", "newsloom-enrichment-two"].map(|name| within(name.into(), 20));
        assert_eq!((one.len(), two.len()), (20, 20));
        assert_ne!(one, two);
        assert!(one.starts_with("newsloom-en-"), "{one}");
    }

    #[test]
    fn paths_become_names() {
        let cases = [
            ("News", "news", "News"),
            ("Enrichment/DeadLetters", "enrichment_dead_letters", "EnrichmentDeadLetters"),
            ("KMSKey", "kms_key", "KMSKey"),
            ("Zone1Subnet", "zone1_subnet", "Zone1Subnet"),
        ];
        for (path, terraform, cloudformation) in cases {
            assert_eq!(snake(path), terraform);
            assert_eq!(pascal(path), cloudformation);
        }
        assert_eq!(kebab("Enrichment/DeadLetters"), "enrichment-dead-letters");
    }

    #[test]
    fn ids_are_letters_and_digits() {
        for (id, allowed) in
            [("News", true), ("News2", true), ("2News", false), ("News-2", false), ("", false), ("Ä", false)]
        {
            assert_eq!(is_id(id), allowed, "{id}");
        }
    }
}
