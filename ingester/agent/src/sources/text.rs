//! Plain text of what feeds write as HTML.

use html2text::render::{TaggedLine, TextDecorator};
use std::{borrow::Cow, panic};

/// How much of a text is read: four times what fits into a record.
const LONGEST: usize = 4 << 20;

/// How deep elements may be inside of each other: a browser stops at 512. The parser takes time that grows with the
/// depth for each element, so a page that is one long nest would stop the whole ingester.
const DEEPEST: usize = 256;

/// A line this long is broken; no paragraph is.
const WIDTH: usize = 1 << 20;

/// HTML as plain text: paragraphs with an empty line between them, no markup, no links, no pictures, no scripts;
/// characters instead of entities.
pub(crate) fn plain(html: &str) -> String {
    let html = beginning(html);
    let html = if is_too_deep(html) { Cow::from(without_tags(html)) } else { html.into() };
    tidy(&rendered(&html).unwrap_or_else(|| without_tags(&html)))
}

fn rendered(html: &str) -> Option<String> {
    let config = html2text::config::with_decorator(Bare)
        .raw_mode(true)
        .no_link_wrapping()
        .unicode_strikeout(false)
        .allow_width_overflow();
    // The renderer is somebody else's, and it panics on some tables: on a cell that takes two rows and two columns.
    let rendering = panic::AssertUnwindSafe(|| config.string_from_read(html.as_bytes(), WIDTH));
    panic::catch_unwind(rendering).ok()?.ok()
}

/// HTML as one line of plain text, for a headline.
pub(crate) fn line(html: &str) -> String {
    one_line(&plain(html))
}

/// One line of what may be HTML or not: RSS doesn't say for titles. It is where it has a reference, `&amp;`, or what
/// looks like an element of a line, `<b>`; "profit < expected" isn't.
pub(crate) fn perhaps_html(text: &str) -> String {
    if looks_like_html(text) { line(text) } else { one_line(text) }
}

/// White space of any kind and length as one space.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn looks_like_html(text: &str) -> bool {
    const ELEMENTS: [&str; 12] = ["a", "b", "br", "code", "em", "i", "p", "span", "strong", "sub", "sup", "u"];
    let name_after = |rest: &str| {
        let rest = rest.trim_start_matches('/');
        let name = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())];
        ELEMENTS.iter().any(|element| element.eq_ignore_ascii_case(name)) && rest[name.len()..].contains('>')
    };
    let is_reference = |rest: &str| {
        let name = rest.split_once(';').map_or("", |(name, _)| name);
        let number = name.strip_prefix('#').unwrap_or(name);
        (1..=31).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.split('<').skip(1).any(name_after) || text.split('&').skip(1).any(is_reference)
}

/// As much as is read, up to a whole character.
fn beginning(html: &str) -> &str {
    &html[..html.floor_char_boundary(LONGEST)]
}

/// Whether elements are too deep inside of each other, by a count that is too high rather than too low: an end takes
/// away its own beginning and nothing else, as browsers mend `<b><div></b>`. Those that end by themselves don't count.
fn is_too_deep(html: &str) -> bool {
    const ALONE: [&str; 18] = [
        "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p",
        "source", "track", "wbr",
    ];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1) {
        let is_name = |c: char| !c.is_whitespace() && !matches!(c, '/' | '>');
        let (is_end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name = &tag[..tag.find(|c| !is_name(c)).unwrap_or(tag.len())];
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || ALONE.iter().any(|alone| alone.eq_ignore_ascii_case(name))
        {
            continue;
        }
        if !is_end {
            open.push(name);
        } else if let Some(at) = open.iter().rposition(|open| open.eq_ignore_ascii_case(name)) {
            open.remove(at);
        }
        if open.len() > DEEPEST {
            return true;
        }
    }
    false
}

fn without_tags(html: &str) -> String {
    let mut pieces = html.split('<');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or("", |(_, after)| after));
    }
    text
}

/// No space at the ends of lines, no more than one empty line, no invisible breaks.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(one_line) {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !tidied.is_empty() {
            tidied.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        tidied.push_str(line.trim_matches('\u{200b}'));
        empty = 0;
    }
    tidied
}

/// Nothing around anything.
#[derive(Debug, Clone)]
struct Bare;

impl TextDecorator for Bare {
    type Annotation = ();

    fn decorate_link_start(&mut self, _: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        String::new()
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _: &str, _: &str) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_superscript_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_superscript_end(&self) -> String {
        String::new()
    }
    fn header_prefix(&self, _: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        String::new()
    }
    fn unordered_item_prefix(&self) -> String {
        "- ".into()
    }
    fn ordered_item_prefix(&self, number: i64) -> String {
        format!("{number}. ")
    }
    fn make_subblock_decorator(&self) -> Self {
        Self
    }
    fn finalise(&mut self, _: Vec<String>) -> Vec<TaggedLine<()>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn html_becomes_what_a_reader_sees() {
        for (html, expected) in [
            ("<p>Invented &amp; short.</p>", "Invented & short."),
            ("<p>One.</p><p>Two,<br>three.</p>", "One.\n\nTwo,\nthree."),
            ("Plain, with 5 &lt; 6 &euro; and&nbsp;more", "Plain, with 5 < 6 € and more"),
            ("<b>Bold</b>, <i>italic</i>, <a href=\"https://news.example/\">a link</a>", "Bold, italic, a link"),
            ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
            ("<ol><li>one</li><li>two</li></ol>", "1. one\n2. two"),
            ("<h2>Title</h2>text<hr><img src=\"a.png\" alt=\"a picture\">", "Title\n\ntext"),
            ("<script>alert(1)</script><style>p{}</style>text<!-- secret -->", "text"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>", "a\nb\nc\nd"),
            ("<table><tr><td>a</td><td rowspan=\"2\" colspan=\"2\">b</td></tr></table>", "a b"),
            ("CO<sub>2</sub> and m<sup>2</sup>, <del>old</del>", "CO2 and m², old"),
            ("<blockquote><p>Said.</p></blockquote>", "Said."),
            ("  lots \n of   space\t ", "lots of space"),
            ("<p>unclosed <b>and </p> crossed</b>", "unclosed and\n\ncrossed"),
            ("", ""),
        ] {
            assert_eq!(plain(html), expected, "{html}");
        }
    }

    #[test]
    fn long_paragraph_is_not_broken() {
        let long = "word ".repeat(40_000);
        assert_eq!(plain(&format!("<div><p>{long}</p></div>")), long.trim());
    }

    #[test]
    fn titles_are_html_where_they_look_like_it() {
        for (title, expected) in [
            ("Example &amp; Sample lift outlook", "Example & Sample lift outlook"),
            ("Example <b>lifts</b> outlook", "Example lifts outlook"),
            ("Profit < expected, sales > expected", "Profit < expected, sales > expected"),
            ("Example & Sample; more", "Example & Sample; more"),
            ("Yield <3% &#8211; \n bank", "Yield <3% – bank"),
            ("<unnamed source> says", "<unnamed source> says"),
        ] {
            assert_eq!(perhaps_html(title), expected, "{title}");
        }
    }

    #[test]
    fn what_is_one_long_nest_takes_no_time_and_no_stack() {
        let started = std::time::Instant::now();
        for piece in [
            "<div>",
            "<b>",
            "<table>",
            "<svg>",
            "<p>",
            "<li>",
            "<a>",
            "<i></x>",
            "<b><div></b>",
            "<b><p></b>",
            "<p><i></p>",
            "<table><b></table>",
            "<table><tr><td>",
            "<select><option>",
            "<ruby><rt>",
            "<x-y>",
            "</p>",
            "</br>",
            "<template>",
            "<!--",
            "&",
        ] {
            let nest: String = (0..50_000).map(|number| piece.replace('>', &format!(" id=\"{number}\">"))).collect();
            let text = plain(&format!("{nest}text"));
            assert!(text.len() <= 50_010, "{piece}: {}", text.len());
        }
        assert!(started.elapsed() < std::time::Duration::from_mins(1), "{:?}", started.elapsed());
    }

    #[test]
    fn deep_text_keeps_its_words() {
        let html = format!("{}one<p>two &amp; three", "<div>".repeat(1000));
        assert_eq!(plain(&html), "one two & three");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(<[/a-z]{1,6}[ a-z=\"']{0,8}>?|&[a-z#0-9]{0,6};?|\\PC|[\r\n\t ]){0,40}") {
            let _ = (plain(&text), line(&text), perhaps_html(&text));
        }

        #[test]
        fn what_has_no_markup_keeps_its_words(text in "[a-z ]{0,60}") {
            prop_assert_eq!(plain(&text), one_line(&text));
        }
    }
}
