//! A function's environment variables.

use std::borrow::Cow;

use crate::{
    rules,
    tree::{Part, Properties, Stack, Text},
};

/// The quota "Environment variables", for all names and values together.
const MOST_BYTES: usize = 4096;

/// Names and values in the order they were given.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment(Vec<(Cow<'static, str>, Text)>);

impl Environment {
    /// A name that was given before takes the new value.
    pub(super) fn set(&mut self, name: Cow<'static, str>, value: Text) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name, value)),
        }
    }

    pub(super) fn check(&self, stack: &mut Stack) {
        for problem in self.0.iter().filter_map(|(name, value)| rules::variable_problem(name, value)) {
            stack.problem(problem);
        }
        let bytes: usize = self.0.iter().map(|(name, value)| name.len() + known_bytes(value)).sum();
        if bytes > MOST_BYTES {
            stack.problem(format!("the environment variables have {bytes} bytes; Lambda takes 4096 together"));
        }
    }

    pub(super) fn properties(&self) -> Properties {
        self.0.iter().map(|(name, value)| (name.clone(), value)).collect()
    }
}

/// The bytes that are known now; a reference may become any number.
fn known_bytes(value: &Text) -> usize {
    let parts = value.parts().iter();
    parts.map(|part| if let Part::Literal(literal) = part { literal.len() } else { 0 }).sum()
}
