//! A terminal with a status line at its end, which everything that is written comes before.

use std::io::{self, IsTerminal, Write};

/// Standard output, and its last line when it is a terminal.
#[derive(Debug)]
pub(crate) struct Console {
    is_terminal: bool,
    colours: bool,
    status: String,
}

impl Console {
    /// Of this process.
    pub(crate) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { is_terminal, colours, status: String::new() }
    }

    /// Whether there is somebody to see a status line.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether colours are wanted.
    pub(crate) fn colours(&self) -> bool {
        self.colours
    }

    /// Writes a line. A reader that went away, as `head` does, is no reason to complain; it is said by `false`.
    pub(crate) fn line(&mut self, text: &str) -> bool {
        let (clear, status) = if self.is_terminal { ("\r\x1b[K", self.status.as_str()) } else { ("", "") };
        let mut out = io::stdout().lock();
        let written = write!(out, "{clear}{text}\n{status}");
        written.and_then(|()| out.flush()).is_ok()
    }

    /// Shows a status, cut to the width of the terminal; without a terminal nothing.
    pub(crate) fn status(&mut self, text: &str) {
        if !self.is_terminal {
            return;
        }
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        self.status = text.chars().take(width.saturating_sub(1)).collect();
        let mut out = io::stdout().lock();
        let _ = write!(out, "\r\x1b[K{}", self.status).and_then(|()| out.flush());
    }

    /// The same text, dim where there are colours.
    pub(crate) fn dim(&self, text: &str) -> String {
        if self.colours { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.status("");
    }
}
