//! Standard error, with a line at its bottom that says how it goes.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
};

/// Standard error. On a terminal it may end in a status line, which everything that is written comes before.
#[derive(Debug, Clone)]
pub(crate) struct Console(Arc<Mutex<Status>>);

#[derive(Debug)]
struct Status {
    possible: bool,
    text: String,
}

impl Console {
    /// With a status line, if `wanted`, and if it is in nobody's way: standard error is a terminal, and standard output
    /// is the same one, or a file. A pipe may well end in the same terminal, where nobody makes room for the line.
    pub(crate) fn new(wanted: bool) -> Self {
        let possible = wanted && io::stderr().is_terminal() && (io::stdout().is_terminal() || stdout_is_a_file());
        Self(Arc::new(Mutex::new(Status { possible, text: String::new() })))
    }

    /// Whether there is a status line at all.
    pub(crate) fn has_status(&self) -> bool {
        self.with(|status| status.possible)
    }

    /// Shows a status, cut to the terminal's width; nothing with an empty one.
    pub(crate) fn show(&self, text: &str) {
        self.with(|status| {
            if !status.possible {
                return;
            }
            let columns = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
            status.clear();
            status.text = text.chars().take(columns.saturating_sub(1)).collect();
            status.draw();
        });
    }

    /// Takes the status away, for what is written on the same terminal.
    pub(crate) fn make_room(&self) {
        self.with(|status| status.clear());
    }

    /// Shows it once more, after what was written.
    pub(crate) fn show_again(&self) {
        self.with(|status| status.draw());
    }

    fn with<T>(&self, act: impl FnOnce(&mut Status) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the log writes.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|status| {
            status.clear();
            // There is nobody to tell that standard error is gone.
            let _ = io::stderr().write_all(bytes);
            status.draw();
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Status {
    fn clear(&self) {
        if self.possible && !self.text.is_empty() {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }

    fn draw(&self) {
        if self.possible && !self.text.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[K{}", self.text);
        }
    }
}

fn stdout_is_a_file() -> bool {
    let copy = io::stdout().as_fd().try_clone_to_owned();
    copy.and_then(|copy| File::from(copy).metadata()).is_ok_and(|metadata| metadata.is_file())
}
