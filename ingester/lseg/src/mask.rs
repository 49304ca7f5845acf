//! A server's words, fit for a log.

/// The longest text that is kept, in characters.
const LONGEST: usize = 300;

/// The longest word that may be one: a token has hundreds of letters, a name has not.
const LONGEST_WORD: usize = 48;

/// A server's words without `secrets`, without anything long enough to be a part of one, on one line.
///
/// A server may quote what it was sent, and cut it anywhere. At most 300 characters are kept.
///
/// ```
/// let token = "eyJ0eXAi".repeat(100);
/// let said = format!("bad token {}\nsorry", &token[..90]);
/// assert_eq!(lseg::mask::plain(&said, [token.as_str()]), "bad token *** sorry");
/// ```
pub fn plain<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = text.to_owned();
    for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
    }
    let mut plain = String::with_capacity(text.len());
    for piece in text.split_inclusive(|letter| !could_be_of_a_token(letter)) {
        let word = piece.trim_end_matches(|letter| !could_be_of_a_token(letter));
        plain.push_str(if word.len() > LONGEST_WORD { "***" } else { word });
        plain.extend(piece[word.len()..].chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
    }
    plain.chars().take(LONGEST).collect()
}

fn could_be_of_a_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.+/=~".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_part_of_a_token_is_masked() {
        let token = "eyJ0eXAi.".repeat(40);
        let cases = [
            ("Login refused", "Login refused".to_owned()),
            (&format!("bad token {token}, sorry"), "bad token ***, sorry".to_owned()),
            (&format!("bad token {}", &token[..100]), "bad token ***".to_owned()),
            ("secret hunter2 on\nline two", "secret *** on line two".to_owned()),
            (&"word ".repeat(100), "word ".repeat(60)),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text, [token.as_str(), "hunter2", ""]), expected);
        }
    }
}
