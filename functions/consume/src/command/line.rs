//! An item as a line.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use news::{EnrichedItem, Kind, Label, Sentiment, Status};
use std::fmt::Write;
use unicode_width::UnicodeWidthChar;

/// How a line is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// In colours.
    pub(crate) color: bool,
    /// Where a line is shown: it is cut to so many columns, and its time is short. In a file it is whole.
    pub(crate) columns: Option<usize>,
}

/// An item as a line, without the line's end.
pub(crate) fn line(item: &EnrichedItem, now: Timestamp, look: Look) -> String {
    let parts = parts(item, now, look);
    let fitting = look.columns.map_or_else(|| parts.clone(), |columns| cut(&parts, columns));
    let mut line = String::new();
    for Part { text, style } in fitting {
        let _ = if look.color { write!(line, "{style}{text}{style:#}") } else { write!(line, "{text}") };
    }
    line.truncate(line.trim_end().len());
    line
}

/// A body as a line: as it was published, but for line breaks between its members.
pub(crate) fn json(body: &[u8]) -> Vec<u8> {
    let between = |byte: &&u8| !matches!(byte, b'\n' | b'\r');
    body.trim_ascii().iter().filter(between).copied().collect()
}

/// A piece of a line.
#[derive(Debug, Clone)]
struct Part {
    text: String,
    style: Style,
}

const PLAIN: Style = Style::new();
const DIM: Style = Style::new().dimmed();
const LOUD: Style = AnsiColor::Red.on_default().bold();
const MARKED: Style = AnsiColor::Yellow.on_default().bold();

fn parts(item: &EnrichedItem, now: Timestamp, look: Look) -> Vec<Part> {
    let news = &item.item;
    let part = |text: String, style| Part { text, style };
    let short = look.columns.is_some();
    let (sentiment, mood) = sentiment(&item.sentiment);
    let mut parts = vec![
        part(format!("{}  {:>5}  ", time(news.published, now, short), age(news.published, now)), DIM),
        part(padded(&news.language, 2), PLAIN),
        part(padded(&sentiment, 13), mood),
        part(padded(&news.provider, 4), DIM),
    ];
    if news.kind == Kind::Alert {
        parts.push(part("ALERT ".into(), LOUD));
    }
    if news.kind == Kind::Correction {
        parts.push(part("CORRECTED ".into(), MARKED));
    }
    if news.status == Status::Canceled {
        parts.push(part("CANCELED ".into(), MARKED));
    }
    parts.push(headline(item));
    parts
}

fn headline(item: &EnrichedItem) -> Part {
    let text = plain(&item.item.headline);
    if !text.is_empty() {
        return Part { text, style: PLAIN };
    }
    // A cancellation without a headline at least says which story it takes back.
    let text = if item.item.status == Status::Canceled { plain(&item.item.thread) } else { "(no headline)".into() };
    Part { text, style: DIM }
}

fn sentiment(sentiment: &Sentiment) -> (String, Style) {
    match sentiment {
        Sentiment::Judged(judgement) => {
            let style = match judgement.label {
                Label::Negative => AnsiColor::Red.on_default(),
                Label::Neutral => PLAIN,
                Label::Positive => AnsiColor::Green.on_default(),
            };
            (format!("{} {:.2}", judgement.label.name(), judgement.score), style)
        }
        Sentiment::Unjudged { reason } => (format!("({})", reason.name()), DIM),
    }
}

/// In UTC; on a terminal without the day where it is today's.
fn time(published: Timestamp, now: Timestamp, short: bool) -> String {
    if !short {
        return published.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    }
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let form = if day(published) == day(now) { "%H:%M:%S" } else { "%m-%d %H:%M:%S" };
    published.strftime(form).to_string()
}

fn age(published: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(published).as_secs_f64().max(0.0);
    match seconds {
        ..10.0 => format!("{seconds:.1}s"),
        ..60.0 => format!("{:.0}s", seconds.floor()),
        ..3600.0 => format!("{:.0}m", (seconds / 60.0).floor()),
        ..172_800.0 => format!("{:.0}h", (seconds / 3600.0).floor()),
        _ => format!("{:.0}d", (seconds / 86_400.0).floor()),
    }
}

fn padded(text: &str, columns: usize) -> String {
    let text = plain(text);
    let missing = columns.saturating_sub(text.chars().map(width).sum());
    text + &" ".repeat(missing + 2)
}

/// Text from the network for a terminal: nothing in it moves the cursor, ends the line, or turns its direction.
fn plain(text: &str) -> String {
    let visible = text.chars().filter(|letter| !turns(*letter));
    let spaced: String = visible.map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Marks, embeddings, overrides and isolates of the bidirectional algorithm.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn width(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

/// The beginning that fits, with an ellipsis where something is missing.
fn cut(parts: &[Part], columns: usize) -> Vec<Part> {
    let whole: usize = parts.iter().flat_map(|part| part.text.chars()).map(width).sum();
    if whole <= columns {
        return parts.to_vec();
    }
    let mut room = columns.saturating_sub(1);
    let mut fitting = Vec::new();
    for Part { text, style } in parts {
        let kept: String = text.chars().take_while(|letter| take(&mut room, width(*letter))).collect();
        let is_cut = kept.len() < text.len();
        fitting.push(Part { text: if is_cut { kept + "…" } else { kept }, style: *style });
        if is_cut {
            break;
        }
    }
    fitting
}

fn take(room: &mut usize, columns: usize) -> bool {
    let fits = columns <= *room;
    *room -= if fits { columns } else { 0 };
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    const FILE: Look = Look { color: false, columns: None };

    fn examples() -> Vec<(&'static str, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contract/examples");
        let read = |name| (name, std::fs::read_to_string(folder.join(name).with_extension("json")).unwrap());
        ["alert", "article", "cancellation", "no-route"].map(read).into()
    }

    fn items() -> Vec<EnrichedItem> {
        let mut items: Vec<EnrichedItem> =
            examples().iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
        let mut correction = items[1].clone();
        correction.item.kind = Kind::Correction;
        correction.item.headline = "Example plc lifts outlook after a good quarter, not a record one".into();
        let mut rude = items[0].clone();
        rude.item.headline = "one\ntwo \u{1b}[2J\u{9b}31m\tthree \u{202e}four".into();
        rude.item.provider = "A\u{7}B".into();
        let mut wide = items[3].clone();
        wide.item.headline = "決算発表のお知らせ".repeat(3);
        items.extend([correction, rude, wide]);
        items
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn lines(look: Look) -> String {
        let now = at("2026-01-02T04:00:02Z");
        items().iter().map(|item| line(item, now, look) + "\n").collect()
    }

    fn check(situation: &str, text: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(format!("consume_{situation}"), text));
    }

    #[test]
    fn lines_in_a_file_are_whole_and_name_the_day() {
        check("file", &lines(FILE));
    }

    #[test]
    fn lines_on_a_terminal_fit_it_also_with_wide_letters() {
        let narrow = Look { color: false, columns: Some(60) };
        let text = lines(narrow);
        for line in text.lines() {
            assert!(line.chars().map(width).sum::<usize>() <= 60, "{line}");
        }
        check("terminal_of_60_columns", &text);
    }

    #[test]
    fn colours_are_escapes_around_the_same_text() {
        let text = lines(Look { color: true, columns: Some(60) });
        check("colours", &text.replace('\u{1b}', "␛"));
    }

    #[test]
    fn json_is_what_was_published() {
        let bodies: Vec<_> = items().iter().take(4).map(|item| serde_json::to_vec(item).unwrap()).collect();
        let lines: Vec<_> = bodies.iter().map(|body| json(body)).collect();
        assert_eq!(lines, bodies);
        check("json", &String::from_utf8(lines.join(&b'\n')).unwrap());
        assert_eq!(json(br#"{"later":1,"id":"a"}"#), br#"{"later":1,"id":"a"}"#);
    }

    #[test]
    fn json_of_many_lines_becomes_one() {
        for (name, text) in examples() {
            let line = String::from_utf8(json(text.as_bytes())).unwrap();
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert!(!line.contains('\n') && read(&line) == read(&text), "{name}");
        }
    }

    #[test]
    fn ages_are_short() {
        let now = at("2026-01-10T00:00:00Z");
        for (published, expected) in [
            ("2026-01-09T23:59:59.8Z", "0.2s"),
            ("2026-01-09T23:59:50Z", "10s"),
            ("2026-01-09T23:59:50.02Z", "10.0s"),
            ("2026-01-09T23:59:00.5Z", "59s"),
            ("2026-01-09T23:58:59Z", "1m"),
            ("2026-01-09T22:00:00Z", "2h"),
            ("2026-01-08T00:00:00Z", "2d"),
            ("2026-01-10T00:00:05Z", "0.0s"),
        ] {
            assert_eq!(age(at(published), now), expected, "{published}");
        }
    }

    #[test]
    fn day_is_named_only_where_it_is_not_today() {
        let now = at("2026-01-02T03:04:05Z");
        assert_eq!(time(at("2026-01-02T00:00:00Z"), now, true), "00:00:00");
        assert_eq!(time(at("2026-01-01T23:59:59Z"), now, true), "01-01 23:59:59");
    }

    proptest! {
        #[test]
        fn no_headline_breaks_a_line_or_its_width(headline in "\\PC{0,80}|.{0,80}", columns in 1_usize..120) {
            let mut item = items().remove(0);
            item.item.headline = headline;
            let text = line(&item, at("2026-01-02T04:00:00Z"), Look { color: false, columns: Some(columns) });
            prop_assert!(!text.contains(char::is_control));
            prop_assert!(text.chars().map(width).sum::<usize>() <= columns);
        }
    }
}
