//! Statements back from a rendered document, so that a policy written by hand shows in the matrix and
//! answers questions.

use std::borrow::Cow;

use super::{
    check::document_of,
    document::Document,
    statement::{Condition, Principal, Statement},
};
use crate::tree::{Properties, Text, Value};

impl Document {
    /// The document in a value, however it is written. Nothing if there is none, or if it says what
    /// statements cannot: `NotAction`, several kinds of principals at once, values that are no strings.
    ///
    /// ```
    /// use constructs::policy::Document;
    /// let trust = Document::trusting("ec2.amazonaws.com");
    /// assert_eq!(Document::read(&trust.to_value()), Some(trust));
    /// ```
    pub fn read(value: &Value) -> Option<Self> {
        let document = document_of(value)?;
        let Value::Map(fields) = &*document else { return None };
        let statements = match fields.get("Statement")? {
            Value::List(statements) => statements.iter().map(statement).collect::<Option<Vec<_>>>()?,
            one => vec![statement(one)?],
        };
        Some(Self::of(statements))
    }
}

fn statement(value: &Value) -> Option<Statement> {
    let Value::Map(fields) = value else { return None };
    if fields.iter().any(|(name, _)| name.starts_with("Not")) {
        return None;
    }
    let actions = names(fields.get("Action")?)?;
    let mut statement = match one(fields.get("Effect")?)?.literal()? {
        "Allow" => Statement::allow(actions),
        "Deny" => Statement::deny(actions),
        _ => return None,
    };
    statement.sid = fields.get("Sid").and_then(one).and_then(|sid| name(&sid));
    statement.resources = fields.get("Resource").map_or(Some(Vec::new()), texts)?;
    statement.principal = fields.get("Principal").map_or(Some(Principal::Holder), principal)?;
    statement.conditions = fields.get("Condition").map_or(Some(Vec::new()), conditions)?;
    Some(statement)
}

fn principal(value: &Value) -> Option<Principal> {
    let Value::Map(kinds) = value else {
        return (one(value)?.literal()? == "*").then_some(Principal::Everyone);
    };
    let (kind, value) = kinds.iter().next().filter(|_| kinds.len() == 1)?;
    match kind {
        "Service" => names(value).map(Principal::Service),
        "AWS" => match texts(value)? {
            all if all.iter().any(|arn| arn.literal() == Some("*")) => Some(Principal::Everyone),
            arns => Some(Principal::Aws(arns)),
        },
        _ => None,
    }
}

fn conditions(value: &Value) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    for (operator, keys) in map(value)?.iter() {
        for (key, values) in map(keys)?.iter() {
            let (operator, key) = (operator.to_owned().into(), key.to_owned().into());
            conditions.push(Condition { operator, key, values: texts(values)? });
        }
    }
    Some(conditions)
}

fn map(value: &Value) -> Option<&Properties> {
    match value {
        Value::Map(fields) => Some(fields),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<Text>> {
    match value {
        Value::List(items) => items.iter().map(one).collect(),
        value => Some(vec![one(value)?]),
    }
}

fn names(value: &Value) -> Option<Vec<Cow<'static, str>>> {
    texts(value)?.iter().map(name).collect()
}

fn name(text: &Text) -> Option<Cow<'static, str>> {
    text.literal().map(|text| text.to_owned().into())
}

/// One string; conditions are also written with bare booleans and numbers.
fn one(value: &Value) -> Option<Text> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(bare) => Some(bare.to_string().into()),
        Value::Integer(bare) => Some(bare.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_written_by_hand_is_read() {
        let text = r#"{"Version": "2012-10-17", "Statement": {
            "Sid": "Tls", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*",
            "Resource": ["arn:aws:s3:::code"], "Condition": {"Bool": {"aws:SecureTransport": false}}}}"#;
        let expected = Statement::deny(["s3:*"]).named("Tls").to_everyone().on("arn:aws:s3:::code").when(
            "Bool",
            "aws:SecureTransport",
            "false",
        );
        assert_eq!(Document::read(&text.into()), Some(Document::of([expected])));
    }

    #[test]
    fn what_statements_cannot_say_is_not_read() {
        let text = r#"{"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Action": "s3:*", "Resource": "*"}}"#;
        assert_eq!(Document::read(&text.into()), None);
        assert_eq!(Document::read(&"news".into()), None);
    }
}
