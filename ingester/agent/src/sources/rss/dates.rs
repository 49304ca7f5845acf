//! Dates as pages write them.
//!
//! RSS wants RFC 822, with years of two or four digits (RSS 2.0 specification); Atom wants RFC 3339 (RFC 4287, section
//! 3.3); HTTP has three forms (RFC 9110, section 5.6.7). Pages write all of them everywhere, and more, so that one reader
//! takes whatever can be understood in one way only.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// The time that a text says, if it says one.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    international(text).or_else(|| spoken(text))
}

/// RFC 3339, and ISO 8601 with less: no offset is UTC, no time is midnight.
fn international(text: &str) -> Option<Timestamp> {
    if !text.get(..4)?.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let utc = |local: DateTime| local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(utc))
        .or_else(|| text.parse::<Date>().ok().and_then(|date| utc(date.to_datetime(Time::midnight()))))
}

/// RFC 822 and what looks like it: parts that tell by their form what they are, in almost any order.
fn spoken(text: &str) -> Option<Timestamp> {
    let mut parts = Parts::default();
    // A day such as 06-Nov-94 (RFC 850) is three parts; an offset such as -0500 is one.
    let separate = |part: &str| part.matches('-').count() == 2 && part.contains(|c: char| c.is_ascii_alphabetic());
    for part in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')')).filter(|part| !part.is_empty())
    {
        if separate(part) {
            part.split('-').for_each(|part| parts.take(part));
        } else {
            parts.take(part);
        }
    }
    parts.timestamp()
}

#[derive(Debug, Default)]
struct Parts {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    /// Seconds since midnight.
    time: Option<i64>,
    /// Seconds east of Greenwich.
    offset: Option<i64>,
}

impl Parts {
    fn take(&mut self, part: &str) {
        if let Some((clock, offset)) = clock(part) {
            self.time = self.time.or(Some(clock));
            self.offset = self.offset.or(offset);
        } else if let Some(offset) = numeric_offset(part) {
            // After a zone's name, as in "GMT+0200", the number says it better.
            self.offset = Some(offset);
        } else if part.bytes().all(|byte| byte.is_ascii_digit()) {
            self.number(part);
        } else {
            self.word(part);
        }
    }

    fn number(&mut self, part: &str) {
        if part.len() <= 2 && self.day.is_none() {
            self.day = part.parse().ok();
        } else if self.year.is_none() {
            self.year = year(part);
        }
    }

    fn word(&mut self, word: &str) {
        let word = word.trim_end_matches('.');
        let is_after_time = self.time.is_some();
        match month(word) {
            Some(month) if self.month.is_none() => self.month = Some(month),
            // What stands before the time is the name of the day.
            _ if is_after_time => self.offset = self.offset.or_else(|| zone(word)),
            _ => (),
        }
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let date = Date::new(self.year?, self.month?, self.day?).ok()?;
        let midnight = date.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC).ok()?.timestamp();
        // A zone that nobody knows is UTC (RFC 5322, section 4.3).
        let seconds = self.time.unwrap_or(0) - self.offset.unwrap_or(0);
        midnight.checked_add(SignedDuration::from_secs(seconds)).ok()
    }
}

/// `8:01`, `08:01:59`, `08:01:59.25`, with an offset right behind or without.
fn clock(part: &str) -> Option<(i64, Option<i64>)> {
    let end = part.find(['+', '-', 'Z', 'z']).filter(|end| *end > 0).unwrap_or(part.len());
    let (clock, rest) = part.split_at(end);
    let mut numbers =
        clock.split(':').map(|number| number.split('.').next().and_then(|whole| whole.parse::<i64>().ok()));
    let hour = numbers.next()??;
    let minute = numbers.next()??;
    let second = numbers.next().unwrap_or(Some(0))?;
    // The end of a day, and a leap second.
    let valid = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    let offset = if rest.is_empty() { None } else { numeric_offset(rest).or_else(|| zone(rest)) };
    valid.then_some((hour * 3600 + minute * 60 + second.min(59), offset))
}

/// `+0100`, `-05:30`, `+1`, also behind `GMT` and `UTC`.
fn numeric_offset(part: &str) -> Option<i64> {
    let part = ["GMT", "UTC"].iter().find_map(|name| part.strip_prefix(name)).unwrap_or(part);
    let (sign, number) = match part.split_at_checked(1)? {
        ("+", number) => (1, number),
        ("-", number) => (-1, number),
        _ => return None,
    };
    let digits: String = number.chars().filter(|c| *c != ':').collect();
    let is_number = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_number)?;
    let (hours, minutes) = if digits.len() <= 2 { (number, 0) } else { (number / 100, number % 100) };
    (hours <= 23 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Two digits are 1950 to 2049 and three are years after 1900 (RFC 5322, section 4.3).
fn year(digits: &str) -> Option<i16> {
    let number: i16 = digits.parse().ok()?;
    Some(match digits.len() {
        1 | 2 if number < 50 => 2000 + number,
        1..=3 => 1900 + number,
        _ => number,
    })
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|month| *month == start)?;
    i8::try_from(at + 1).ok()
}

/// Names of RFC 822 and those that mean one thing to everybody who writes them.
fn zone(name: &str) -> Option<i64> {
    let quarters = match name.to_ascii_uppercase().as_str() {
        "UT" | "UTC" | "GMT" | "Z" | "WET" => 0,
        "EDT" => -16,
        "EST" | "CDT" => -20,
        "CST" | "MDT" => -24,
        "MST" | "PDT" => -28,
        "PST" => -32,
        "BST" | "CET" | "WEST" => 4,
        "CEST" | "EET" => 8,
        "EEST" | "MSK" => 12,
        "HKT" | "SGT" => 32,
        "JST" | "KST" => 36,
        "AEST" => 40,
        "AEDT" => 44,
        _ => return None,
    };
    Some(quarters * 900)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_are_read_however_they_are_written() {
        for (text, expected) in [
            ("Mon, 05 Jan 2026 08:00:00 GMT", "2026-01-05T08:00:00Z"),
            ("Mon, 5 Jan 26 08:01:00 +0000", "2026-01-05T08:01:00Z"),
            ("5 Jan 94 08:01 EST", "1994-01-05T13:01:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 -0530", "2026-01-05T13:30:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 CET", "2026-01-05T07:00:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 BST", "2026-01-05T07:00:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 PDT", "2026-01-05T15:00:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 A", "2026-01-05T08:00:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 XYZ", "2026-01-05T08:00:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 GMT+0200", "2026-01-05T06:00:00Z"),
            ("Mon, 05 Jan 2026 08:00:00+01:00", "2026-01-05T07:00:00Z"),
            ("Mon, 05 Jan 2026 08:00:00 Z", "2026-01-05T08:00:00Z"),
            ("Mon, 05 Jan 2026 24:00:00 GMT", "2026-01-06T00:00:00Z"),
            ("Mon, 05 Jan 2026 23:59:60 GMT", "2026-01-05T23:59:59Z"),
            ("Thurs, 05 January 2026 8:00:00 GMT", "2026-01-05T08:00:00Z"),
            ("lundi, 05 Jan 2026 08:00:00 GMT", "2026-01-05T08:00:00Z"),
            ("January 5, 2026 08:00", "2026-01-05T08:00:00Z"),
            ("5 Jan 2026", "2026-01-05T00:00:00Z"),
            ("2026-01-05T08:00:00Z", "2026-01-05T08:00:00Z"),
            ("2026-01-05T08:00:00.25+01:00", "2026-01-05T07:00:00.25Z"),
            ("2026-01-05T08:00:00+0100", "2026-01-05T07:00:00Z"),
            ("2026-01-05 08:00:00", "2026-01-05T08:00:00Z"),
            (" 2026-01-05 ", "2026-01-05T00:00:00Z"),
            // The three of HTTP.
            ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
            ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"),
            ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"),
        ] {
            assert_eq!(read(text).map(|time| time.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_two_dates_is_none() {
        for text in ["", "soon", "05/01/2026", "31 Feb 2026", "Mon, 05 Jan", "08:00:00", "Mon, 05 Xyz 2026", "2026"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|([A-Za-z0-9:+.,-]{1,6} ?){0,8}") {
            let _ = read(&text);
        }

        #[test]
        fn every_time_is_read_as_it_was_written(seconds in -2_000_000_000..4_000_000_000_i64) {
            let time = Timestamp::from_second(seconds).unwrap();
            for format in ["%a, %d %b %Y %H:%M:%S +0000", "%d %b %Y %H:%M:%S GMT", "%Y-%m-%dT%H:%M:%SZ"] {
                prop_assert_eq!(read(&time.strftime(format).to_string()), Some(time));
            }
        }
    }
}
