//! A file's lines, some at a time.

use crate::Failure;
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The longest line, bytes: the largest record that Kinesis takes.
const LONGEST: usize = 10 * 1024 * 1024;

/// A line that isn't empty.
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u64,
    /// What it holds, unless that is too much.
    pub(super) text: Result<Vec<u8>, Failure>,
}

/// A file's lines.
pub(super) struct Lines<R> {
    input: R,
    read: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn of(input: R) -> Self {
        Self { input, read: 0 }
    }

    /// How many lines were read so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// The next lines, at most so many; none at the end.
    pub(super) async fn next(&mut self, most: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        while lines.len() < most {
            let Some(text) = self.line().await? else { break };
            self.read += 1;
            if text.as_ref().is_ok_and(|text| text.trim_ascii().is_empty()) {
                continue;
            }
            lines.push(Line { number: self.read, text });
        }
        Ok(lines)
    }

    async fn line(&mut self) -> io::Result<Option<Result<Vec<u8>, Failure>>> {
        let mut text = Vec::new();
        let mut length = 0;
        loop {
            let mut part = (&mut self.input).take(LONGEST as u64);
            let mut rest = Vec::new();
            let read = part.read_until(b'\n', if length == 0 { &mut text } else { &mut rest }).await?;
            length += read;
            let last = if length == read { &text } else { &rest }.last();
            if read < LONGEST || last == Some(&b'\n') {
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        if length > LONGEST {
            let text = format!("the line has {length} bytes, {LONGEST} are allowed");
            return Ok(Some(Err(Failure::permanent("too_large", text))));
        }
        Ok(Some(Ok(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &[u8]) -> Vec<(u64, Result<Vec<u8>, Failure>)> {
        let mut lines = Lines::of(input);
        let mut all = Vec::new();
        loop {
            let next = lines.next(2).await.unwrap();
            if next.is_empty() {
                return all;
            }
            all.extend(next.into_iter().map(|line| (line.number, line.text)));
        }
    }

    #[tokio::test]
    async fn empty_lines_count_and_are_left_out_and_the_last_needs_no_end() {
        let lines = all(b"a\n\n  \r\nb\nc").await;
        assert_eq!(lines, [(1, Ok(b"a\n".into())), (4, Ok(b"b\n".into())), (5, Ok(b"c".into()))]);
        assert!(all(b"").await.is_empty());
    }

    #[tokio::test]
    async fn line_that_is_too_long_is_refused_and_its_neighbours_are_read() {
        let mut input = vec![b'x'; 2 * LONGEST + 7];
        input.extend(b"\nb\n");
        let lines = all(&input).await;
        assert_eq!(lines.len(), 2);
        assert!(matches!(lines[0], (1, Err(Failure::Permanent { code: "too_large", .. }))));
        assert_eq!(lines[1], (2, Ok(b"b\n".into())));
    }
}
