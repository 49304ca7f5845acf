//! A judge of headlines that counts words: a lexicon, no FinBERT.

/// Words of the financial press that speak well of a company, in English and German; a word counts when it begins
/// like one of these.
const GOOD: [&str; 28] = [
    "beat",
    "surg",
    "soar",
    "rise",
    "rising",
    "rall",
    "gain",
    "jump",
    "climb",
    "grow",
    "profit",
    "record",
    "upgrad",
    "strong",
    "outperform",
    "raise",
    "boost",
    "win",
    "approv",
    "rebound",
    "optimis",
    "exceed",
    "dividend",
    "steigt",
    "gewinn",
    "stark",
    "wachstum",
    "rekord",
];

/// Words that speak ill of one.
const BAD: [&str; 30] = [
    "miss", "plung", "fall", "fell", "drop", "slump", "loss", "los", "declin", "cut", "downgrad", "weak", "warn",
    "lawsuit", "sue", "fraud", "bankrupt", "default", "recall", "probe", "layoff", "crash", "slid", "tumbl", "fear",
    "sinkt", "verlust", "schwach", "klage", "insolven",
];

/// How sure the judge is of each sentiment; the three add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scores {
    pub(super) positive: f64,
    pub(super) negative: f64,
    pub(super) neutral: f64,
}

/// The same headline always gets the same scores.
pub(super) fn judge(headline: &str) -> Scores {
    // The one phrase of good and bad words that the press can't do without.
    let lower = headline.to_lowercase().replace("profit warn", "warn");
    let words: Vec<_> = lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let count = |list: &[&str]| words.iter().filter(|word| list.iter().any(|start| word.starts_with(start))).count();
    let [good, bad] =
        [count(&GOOD), count(&BAD)].map(|found| 2.5 * f64::from(u16::try_from(found).unwrap_or(u16::MAX)));
    let [positive, negative, neutral] = [good, bad, 1.5 + nuance(&lower)].map(|weight| weight.min(50.0).exp());
    let sum = positive + negative + neutral;
    Scores { positive: positive / sum, negative: negative / sum, neutral: neutral / sum }
}

/// About how many tokens BERT makes of a text: its words and punctuation marks, long words in pieces of six letters,
/// and one mark at each end.
pub(super) fn tokens(text: &str) -> usize {
    let (mut tokens, mut letters) = (2, 0_usize);
    for letter in text.chars().chain([' ']) {
        if letter.is_alphanumeric() {
            letters += 1;
            continue;
        }
        tokens += letters.div_ceil(6) + usize::from(!letter.is_whitespace());
        letters = 0;
    }
    tokens
}

/// A little that differs from headline to headline (FNV-1a), so that scores can be told apart.
fn nuance(text: &str) -> f64 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    f64::from(hash) / f64::from(u32::MAX) / 4.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_decide() {
        let good = judge("Apple beats estimates, shares surge to a record");
        assert!(good.positive > good.neutral && good.neutral > good.negative, "{good:?}");
        let bad = judge("Boeing plunges after profit warning and lawsuit");
        assert!(bad.negative > bad.positive, "{bad:?}");
        let warning = judge("Profit warning at Example plc");
        assert!(warning.negative > warning.positive.max(warning.neutral), "{warning:?}");
        let neither = judge("Fed to publish minutes on Wednesday");
        assert!(neither.neutral > neither.positive, "{neither:?}");
    }

    #[test]
    fn scores_add_up_to_one_and_stay_the_same() {
        for headline in ["", "a", "gain ".repeat(5_000).as_str(), "株価が上昇"] {
            let scores = judge(headline);
            assert!((scores.positive + scores.negative + scores.neutral - 1.0).abs() < 1e-9, "{scores:?}");
            assert_eq!(scores, judge(headline));
        }
    }

    #[test]
    fn words_and_marks_are_tokens() {
        assert_eq!(tokens(""), 2);
        assert_eq!(tokens("Apple beats, again"), 6);
        assert_eq!(tokens(&"word ".repeat(511)), 513);
    }
}
