//! The report as JUnit's XML.
//!
//! By hand: it is a root, a suite, and a case for each row. The crate for it (quick-junit) brings an XML library, a
//! calendar beside the one that is here, and three smaller ones.

use super::{Outcome, Report, RowReport, Times};
use std::fmt::Write;

pub(super) fn document(report: &Report) -> String {
    let [failed, skipped] = [Outcome::Failed, Outcome::Skipped].map(|outcome| report.rows(outcome));
    let whole = usize::from(!report.passed && failed == 0 || !report.wrong.is_empty());
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{skipped}\" time=\"{:.3}\"",
        report.rows.len() + 1,
        failed + whole,
        report.seconds
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"newsloom-local verify\" {counts}>");
    // Without its zone: readers that know the schema refuse one.
    let started = report.started.strftime("%Y-%m-%dT%H:%M:%S");
    let _ = writeln!(xml, "  <testsuite name=\"{}\" timestamp=\"{started}\" {counts}>", escaped(&report.run));
    for row in &report.rows {
        let failures: Vec<_> = row.wrong.iter().map(ToString::to_string).collect();
        case(&mut xml, &row.name, seconds(row), &failures, row.skipped.as_deref());
    }
    let mut wrong = report.wrong.clone();
    if whole > 0 && wrong.is_empty() {
        wrong.push("the run was not done".into());
    }
    case(&mut xml, "the-run-itself", report.seconds, &wrong, None);
    xml + "  </testsuite>\n</testsuites>\n"
}

fn case(xml: &mut String, name: &str, seconds: f64, wrong: &[String], skipped: Option<&str>) {
    let _ = write!(xml, "    <testcase classname=\"newsloom.verify\" name=\"{}\" time=\"{seconds:.3}\"", escaped(name));
    match (wrong, skipped) {
        ([], None) => xml.push_str("/>\n"),
        ([], Some(why)) => {
            let _ = writeln!(xml, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(why));
        }
        ([first, ..], _) => {
            let (first, all) = (escaped(first), escaped(&wrong.join("\n")));
            let _ = writeln!(xml, ">\n      <failure message=\"{first}\">{all}</failure>\n    </testcase>");
        }
    }
}

/// How long a row took: until its message came, or as far as it got.
fn seconds(row: &RowReport) -> f64 {
    let Times { stream, enriched, seen, exchange } = row.times;
    exchange.or(enriched).or(seen).or(stream).unwrap_or_default() / 1000.0
}

/// A text for an attribute or between tags. XML 1.0 has no way to write most control characters.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => out.push(letter),
            _ => out.push('\u{fffd}'),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_its_place() {
        assert_eq!(
            escaped("a<b>&\"c\"\n\u{1b}\u{0}\u{ffff}é"),
            "a&lt;b&gt;&amp;&quot;c&quot;&#10;\u{fffd}\u{fffd}\u{fffd}é"
        );
    }

    #[test]
    fn document_is_well_formed_and_says_how_many() {
        let report = crate::verify::report::tests::report();
        let xml = document(&report);
        let mut reader = quick_xml::Reader::from_str(&xml);
        reader.config_mut().check_end_names = true;
        let (mut cases, mut failures) = (0, 0);
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{error}: {xml}")) {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                    assert!(tag.attributes().all(|attribute| attribute.is_ok()), "{tag:?}");
                    cases += usize::from(tag.name().as_ref() == "testcase");
                    failures += usize::from(tag.name().as_ref() == "failure");
                }
                _ => (),
            }
        }
        assert_eq!((cases, failures), (6, 3));
        assert!(xml.contains("tests=\"6\" failures=\"3\" errors=\"0\" skipped=\"1\""), "{xml}");
    }
}
