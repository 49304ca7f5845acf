//! Errors in a line.

use std::{error::Error, fmt::Write};

/// An error with what caused it, in a line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors repeat their cause in their own words.
        if !text.ends_with(&error.to_string()) {
            let _ = write!(text, ": {error}");
        }
        cause = error.source();
    }
    text
}
