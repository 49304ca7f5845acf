//! Lines of an input, whatever it is and however it comes.

use super::{gunzip::Gunzip, input::Input, line::Line};
use crate::status::FeedStatus;
use bytes::Bytes;

/// The longest line that is read: four times what a stream takes.
pub(super) const LONGEST: usize = 4 << 20;

/// How a gzip file begins (RFC 1952, section 2.3.1); no JSON does.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Cuts an input into lines.
pub(super) struct Lines {
    input: Input,
    form: Form,
    cutter: Cutter,
    over: bool,
}

/// What the input's first bytes say.
enum Form {
    Unknown,
    Plain,
    Compressed(Box<Gunzip>),
}

impl Lines {
    pub(super) fn of(input: Input) -> Self {
        Self { input, form: Form::Unknown, cutter: Cutter::default(), over: false }
    }

    /// The next line that has anything in it.
    pub(super) async fn next(&mut self, status: &FeedStatus) -> anyhow::Result<Option<Line>> {
        loop {
            if let Some(line) = self.cutter.next() {
                return Ok(Some(line));
            }
            if self.over {
                return Ok(self.cutter.last());
            }
            self.fill(status).await?;
        }
    }

    async fn fill(&mut self, status: &FeedStatus) -> anyhow::Result<()> {
        if let Form::Compressed(gunzip) = &mut self.form
            && let Some(piece) = gunzip.take()?
        {
            self.cutter.give(&piece);
            return Ok(());
        }
        let piece = self.input.read(status).await?;
        self.over = piece.is_empty();
        if let Form::Unknown = self.form {
            self.form = if piece.starts_with(&GZIP) { Form::Compressed(Box::new(Gunzip::new())) } else { Form::Plain };
        }
        match &mut self.form {
            Form::Compressed(gunzip) if self.over => self.cutter.give(&gunzip.finish()?),
            Form::Compressed(gunzip) => gunzip.give(piece),
            _ => self.cutter.give(&piece),
        }
        Ok(())
    }
}

/// Bytes in, lines out.
#[derive(Debug, Default)]
struct Cutter {
    bytes: Vec<u8>,
    /// Up to here it was cut.
    cut: usize,
    /// Up to here there is no end of a line.
    searched: usize,
    /// The line's beginning was thrown away: it is too long.
    skipping: bool,
    number: u64,
}

impl Cutter {
    fn give(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.cut);
        self.searched -= self.cut;
        self.cut = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line that has anything in it.
    fn next(&mut self) -> Option<Line> {
        loop {
            let Some(at) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                self.skip_if_too_long();
                return None;
            };
            let end = self.searched + at;
            let line = self.line(end);
            (self.cut, self.searched) = (end + 1, end + 1);
            if line.is_some() {
                return line;
            }
        }
    }

    /// What is left when no more comes.
    fn last(&mut self) -> Option<Line> {
        let line = self.line(self.bytes.len());
        *self = Self { number: self.number, ..Self::default() };
        line
    }

    fn line(&mut self, end: usize) -> Option<Line> {
        let skipped = std::mem::take(&mut self.skipping);
        self.number += 1;
        let text = self.bytes[self.cut..end].trim_ascii();
        // Windows' editors begin a file with a mark of UTF-8.
        let text = if self.number == 1 { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) } else { text };
        let too_long = skipped || text.len() > LONGEST;
        let has_any = too_long || !text.is_empty();
        has_any.then(|| Line { number: self.number, text: (!too_long).then(|| Bytes::copy_from_slice(text)) })
    }

    fn skip_if_too_long(&mut self) {
        if self.bytes.len() - self.cut > LONGEST || self.skipping {
            self.skipping = true;
            self.cut = self.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(mut cutter: Cutter, pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in pieces {
            cutter.give(piece);
            lines.extend(std::iter::from_fn(|| cutter.next()));
        }
        lines.extend(cutter.last());
        lines
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_come(text in "[ab\r\n]{0,60}", size in 1..9_usize) {
            let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
            let expected: Vec<_> = (1..)
                .zip(text.split('\n'))
                .filter(|(_, text)| !text.trim().is_empty())
                .map(|(number, text)| Line { number, text: Some(Bytes::copy_from_slice(text.trim().as_bytes())) })
                .collect();
            prop_assert_eq!(all(Cutter::default(), &pieces), expected);
        }
    }

    #[test]
    fn line_that_is_too_long_is_refused_and_the_next_is_read() {
        let long = vec![b'x'; LONGEST + 10];
        let lines = all(Cutter::default(), &[&long[..LONGEST / 2], &long, b"\nnext\n"]);
        assert_eq!(
            lines,
            [Line { number: 1, text: None }, Line { number: 2, text: Some(Bytes::from_static(b"next")) }]
        );
        assert_eq!(lines[0].item("recorded"), Err("is longer than 4194304 bytes".into()));
    }

    #[test]
    fn mark_of_utf_8_at_the_beginning_is_no_part_of_the_line() {
        let lines = all(Cutter::default(), &[b"\xEF\xBB\xBF{}\n"]);
        assert_eq!(lines[0].text.as_deref(), Some(&b"{}"[..]));
    }
}
