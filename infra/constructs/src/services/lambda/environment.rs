//! A function's environment variables.

use std::borrow::Cow;

use crate::tree::{Part, Properties, Stack, Text};

/// The quota "Environment variables", for all names and values together.
const MOST_BYTES: usize = 4096;

/// What Lambda sets itself and lets nobody change (Lambda Developer Guide, "Defined runtime environment variables").
const RESERVED: [&str; 18] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

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
        for (name, value) in &self.0 {
            if RESERVED.contains(&name.as_ref()) {
                stack
                    .problem(format!("the environment variable `{name}` is set by Lambda itself; choose another name"));
            } else if !is_name(name) {
                stack.problem(format!(
                    "the environment variable `{name}` must be a letter, then at least one letter, digit or `_`"
                ));
            }
            if value.is_sensitive() {
                stack.problem(format!(
                    "the environment variable `{name}` holds a secret, which anyone who sees the function could read; \
                     give the secret's ARN and fetch it"
                ));
            }
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

fn is_name(name: &str) -> bool {
    let rest = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(rest)
}

/// The bytes that are known now; a reference may become any number.
fn known_bytes(value: &Text) -> usize {
    let parts = value.parts().iter();
    parts.map(|part| if let Part::Literal(literal) = part { literal.len() } else { 0 }).sum()
}
