//! Writing settings as variables, and reading variables without stopping at the first mistake.

use super::SettingsError;
use std::fmt::Display;
use std::str::FromStr;

/// Collects variables in the order in which they are written.
pub(super) struct Writer<V> {
    pub(super) variables: Vec<(String, V)>,
}

impl<V: From<String>> Writer<V> {
    pub(super) fn new() -> Self {
        Self { variables: Vec::new() }
    }

    pub(super) fn value(&mut self, name: &str, value: V) {
        self.variables.push((name.into(), value));
    }

    pub(super) fn optional(&mut self, name: &str, value: Option<V>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    pub(super) fn number(&mut self, name: &str, number: impl Display) {
        self.value(name, number.to_string().into());
    }

    pub(super) fn list(&mut self, name: &str, list: &[String]) {
        self.value(name, list.join(",").into());
    }
}

/// An unsigned number that knows its bounds, for the words of an error.
pub(super) trait Number: FromStr + Display + Default + PartialOrd + Copy {
    const MAX: Self;
    const ONE: Self;
}

impl Number for u16 {
    const MAX: Self = Self::MAX;
    const ONE: Self = 1;
}

impl Number for u32 {
    const MAX: Self = Self::MAX;
    const ONE: Self = 1;
}

/// Looks variables up and remembers everything that was wrong.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    error: SettingsError,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, error: SettingsError::default() }
    }

    /// The settings, if nothing was wrong on the way to them.
    pub(super) fn finish<T>(self, settings: T) -> Result<T, SettingsError> {
        let fine = self.error == SettingsError::default();
        if fine { Ok(settings) } else { Err(self.error) }
    }

    // Lambda can't tell a variable that is empty from one that isn't there; nor do we.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    pub(super) fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.error.missing.push(name.into());
            String::new()
        })
    }

    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let list = self.text(name);
        list.split(',').map(|entry| entry.trim().into()).collect()
    }

    pub(super) fn number<N: Number>(&mut self, name: &str) -> N {
        self.between(name, N::default(), N::MAX)
    }

    pub(super) fn positive<N: Number>(&mut self, name: &str) -> N {
        self.between(name, N::ONE, N::MAX)
    }

    pub(super) fn at_most<N: Number>(&mut self, name: &str, max: N) -> N {
        self.between(name, N::default(), max)
    }

    fn between<N: Number>(&mut self, name: &str, min: N, max: N) -> N {
        let Some(value) = self.optional(name) else {
            self.error.missing.push(name.into());
            return N::default();
        };
        match value.trim().parse() {
            Ok(number) if number >= min && number <= max => number,
            _ => {
                self.error.malformed.push(format!("{name} is {value:?}, a whole number of {min} to {max} is needed"));
                N::default()
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    /// A lookup in a table instead of the environment.
    pub(crate) fn lookup(variables: &[(String, String)]) -> impl Fn(&str) -> Option<String> {
        let variables = variables.to_vec();
        move |name| {
            let found = variables.iter().find(|(own, _)| own == name)?;
            Some(found.1.clone())
        }
    }

    /// Lambda refuses names that it uses itself, and names that are no identifiers.
    pub(crate) fn assert_allowed(variables: &[(String, String)]) {
        for (name, _) in variables {
            let reserved = ["AWS_", "LAMBDA_", "_"].iter().any(|own| name.starts_with(own))
                || ["TZ", "LANG", "PATH", "LD_LIBRARY_PATH"].contains(&name.as_str());
            let identifier = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            assert!(!reserved && identifier, "{name} can't be set");
        }
        let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes < 4096, "Lambda takes 4 KiB of environment, this is {bytes}");
    }
}
