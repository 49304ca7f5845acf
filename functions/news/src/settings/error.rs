//! What can be wrong with an environment.

use std::fmt;

/// The environment does not make settings: everything that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsError {
    /// Names of variables that are unset or empty.
    pub missing: Vec<String>,
    /// Variables that make no sense, each with its value and what is needed.
    pub malformed: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.missing.is_empty() {
            write!(f, "missing environment variables: {}", self.missing.join(", "))?;
        }
        if !self.malformed.is_empty() {
            let separator = if self.missing.is_empty() { "" } else { "; " };
            write!(f, "{separator}malformed: {}", self.malformed.join("; "))?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}
