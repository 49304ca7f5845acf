//! Policy documents: statements that are merged, sorted and written always in the same way.

use super::statement::{Effect, Principal, Statement};
use crate::tree::{Properties, Text, Value};

/// What a handle offers to somebody else: `stream.read()`. Given with `stack.grant`.
///
/// ```
/// use constructs::policy::{Grant, Statement};
/// let list = Grant::of([Statement::allow(["kinesis:ListStreams"]).on_any("lists what is there")]);
/// let publish = Grant::of([Statement::allow(["sns:Publish"]).on("arn:aws:sns:eu-west-1:111122223333:news")]);
/// assert_eq!(list.and(publish).statements().len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grant(Vec<Statement>);

impl Grant {
    /// A grant of these statements.
    pub fn of(statements: impl IntoIterator<Item = Statement>) -> Self {
        Self(statements.into_iter().collect())
    }

    /// This grant and another.
    pub fn and(mut self, more: Grant) -> Self {
        self.0.extend(more.0);
        self
    }

    /// The same grant under one more condition, on every statement.
    pub fn when(self, operator: &'static str, key: &'static str, value: impl Into<Text>) -> Self {
        let value = value.into();
        Self(self.0.into_iter().map(|statement| statement.when(operator, key, &value)).collect())
    }

    /// The statements in order.
    pub fn statements(&self) -> &[Statement] {
        &self.0
    }
}

impl From<Statement> for Grant {
    fn from(statement: Statement) -> Self {
        Self(vec![statement])
    }
}

impl IntoIterator for Grant {
    type Item = Statement;
    type IntoIter = std::vec::IntoIter<Statement>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A policy document.
///
/// Statements that differ only in their actions are one statement; actions are sorted, and every value that
/// may be a list is one. So the document does not depend on who granted first what, and one more right is
/// one more line.
///
/// ```
/// use constructs::policy::{Document, Statement};
/// use constructs::tree::Value;
/// let trust = Document::trusting("lambda.amazonaws.com");
/// assert!(trust.assumable_by("lambda.amazonaws.com"));
/// let for_terraform = Value::json(trust.clone());
/// let for_cloudformation = Value::from(trust);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    statements: Vec<Statement>,
}

impl Document {
    /// The version of the policy language; the only other one, 2008-10-17, knows no variables.
    pub const VERSION: &'static str = "2012-10-17";

    /// A document of these statements.
    pub fn of(statements: impl IntoIterator<Item = Statement>) -> Self {
        let mut document = Self::default();
        document.extend(statements);
        document
    }

    /// A trust policy: the service may assume the role that carries it.
    pub fn trusting(service: &'static str) -> Self {
        Self::of([Statement::assume(service)])
    }

    /// One more statement, merged into one that differs only in its actions.
    pub fn and(mut self, statement: Statement) -> Self {
        self.add(statement);
        self
    }

    /// Adds a statement in place.
    pub fn add(&mut self, mut statement: Statement) {
        let twin = self.statements.iter_mut().find(|known| known.differs_in_actions_only(&statement));
        let Some(twin) = twin else {
            statement.sort_actions();
            self.statements.push(statement);
            return;
        };
        twin.actions.append(&mut statement.actions);
        twin.sort_actions();
    }

    /// The merged statements, in order of first appearance.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Whether it says nothing. AWS takes no empty documents.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Whether this trust policy lets a service assume the role. Conditions are taken as met; a trust in
    /// everyone does not count, as it is never meant.
    pub fn assumable_by(&self, service: &str) -> bool {
        let names = |statement: &Statement| match &statement.principal {
            Principal::Service(names) => names.iter().any(|name| name == service),
            _ => false,
        };
        let assumes = |statement: &Statement| statement.actions.iter().any(|action| action == "sts:AssumeRole");
        let mut speaking = self.statements.iter().filter(|statement| names(statement) && assumes(statement));
        let denied =
            speaking.clone().any(|statement| statement.effect == Effect::Deny && statement.conditions.is_empty());
        !denied && speaking.any(|statement| statement.effect == Effect::Allow)
    }

    /// The document as an object: as it is for CloudFormation, in `Value::json` for Terraform.
    pub fn to_value(&self) -> Value {
        let statements = self.statements.iter().map(Statement::to_value).collect();
        Value::Map(Properties::default().set("Version", Self::VERSION).set("Statement", Value::List(statements)))
    }
}

impl Extend<Statement> for Document {
    fn extend<I: IntoIterator<Item = Statement>>(&mut self, statements: I) {
        for statement in statements {
            self.add(statement);
        }
    }
}

impl From<Document> for Value {
    fn from(document: Document) -> Self {
        document.to_value()
    }
}

impl From<&Document> for Value {
    fn from(document: &Document) -> Self {
        document.to_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Pseudo;

    const STREAM: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/news";

    fn json(value: &Value) -> serde_json::Value {
        match value {
            Value::Text(text) => text.literal().unwrap_or("(reference)").into(),
            Value::List(items) => items.iter().map(json).collect(),
            Value::Map(fields) => fields.iter().map(|(name, value)| (name.to_owned(), json(value))).collect(),
            other => panic!("no {} in a policy", other.word()),
        }
    }

    #[test]
    fn statements_that_differ_only_in_actions_become_one() {
        let document = Document::of([
            Statement::allow(["kinesis:PutRecords"]).on(STREAM),
            Statement::allow(["kinesis:ListStreams"]).on_any("lists what is there"),
            Statement::allow(["kinesis:DescribeStreamSummary", "kinesis:PutRecords"]).on(STREAM),
        ]);
        let expected = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["kinesis:DescribeStreamSummary", "kinesis:PutRecords"], "Resource": [STREAM]},
                {"Effect": "Allow", "Action": ["kinesis:ListStreams"], "Resource": ["*"]},
            ],
        });
        assert_eq!(json(&document.to_value()), expected);
    }

    #[test]
    fn a_condition_keeps_statements_apart() {
        let put = || Statement::allow(["kinesis:PutRecords"]).on(STREAM);
        let document = Document::of([put(), put().when("StringEquals", "aws:SourceAccount", Pseudo::Account)]);
        assert_eq!(document.statements().len(), 2);
    }

    #[test]
    fn conditions_with_one_operator_share_its_object() {
        let document = Document::of([Statement::allow(["sns:Publish"])
            .named("Alarms")
            .on("arn:aws:sns:eu-west-1:111122223333:alarms")
            .to_service("cloudwatch.amazonaws.com")
            .when("StringEquals", "aws:SourceAccount", Pseudo::Account)
            .when("StringEquals", "aws:SourceOrgID", "o-1")
            .when("StringEquals", "aws:SourceOrgID", "o-2")]);
        let expected = serde_json::json!([{
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com"]},
            "Action": ["sns:Publish"],
            "Resource": ["arn:aws:sns:eu-west-1:111122223333:alarms"],
            "Condition": {"StringEquals": {"aws:SourceAccount": ["(reference)"], "aws:SourceOrgID": ["o-1", "o-2"]}},
        }]);
        assert_eq!(json(&document.to_value())["Statement"], expected);
    }

    #[test]
    fn a_role_is_assumable_by_those_its_trust_policy_names() {
        let trust = Document::of([Statement::assume("ec2.amazonaws.com").to_service("lambda.amazonaws.com")]);
        assert!(trust.assumable_by("ec2.amazonaws.com"));
        assert!(trust.assumable_by("lambda.amazonaws.com"));
        assert!(!trust.assumable_by("sagemaker.amazonaws.com"));

        let denied = trust.and(Statement::deny(["sts:AssumeRole"]).to_service("ec2.amazonaws.com"));
        assert!(!denied.assumable_by("ec2.amazonaws.com"));
        assert!(!Document::of([Statement::allow(["sts:AssumeRole"]).to_everyone()]).assumable_by("ec2.amazonaws.com"));
    }
}
