//! Environment variables of functions: names that Lambda keeps for itself, values that are nobody's to see.

use crate::tree::Text;

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

/// What is wrong with a variable, whoever wrote it.
pub(crate) fn variable_problem(name: &str, value: &Text) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!("the environment variable `{name}` is set by Lambda itself; choose another name"));
    }
    if !is_name(name) {
        return Some(format!(
            "the environment variable `{name}` must be a letter, then at least one letter, digit or `_`"
        ));
    }
    let holds_secret = value.is_sensitive() || value.literal().is_some_and(|value| looks_secret(name, value));
    holds_secret.then(|| {
        format!(
            "the environment variable `{name}` holds a secret, which anyone who sees the function could read; \
             give the secret's ARN and fetch it"
        )
    })
}

/// An access key's id, or a word that the name calls a password. A name that says where the secret is, such as
/// `PASSWORD_SECRET_ARN`, is none.
fn looks_secret(name: &str, value: &str) -> bool {
    const NAMES: [&str; 6] = ["PASSWORD", "PASSPHRASE", "API_KEY", "ACCESS_TOKEN", "CLIENT_SECRET", "PRIVATE_KEY"];
    let is_access_key = value.len() == 20
        && (value.starts_with("AKIA") || value.starts_with("ASIA"))
        && value.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
    let name = name.to_ascii_uppercase();
    let is_password = NAMES.iter().any(|end| name.ends_with(end));
    is_access_key || is_password && !value.is_empty() && !value.starts_with("arn:")
}

fn is_name(name: &str) -> bool {
    let rest = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.len() > 1 && name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.chars().all(rest)
}
