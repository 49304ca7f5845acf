//! The permission matrix: who may do what on which resource, one right per line, for a reviewer.
//!
//! Columns are not aligned, so that a right with a long name does not move all the others.

use super::{
    question::condition_words,
    statement::{Effect, Statement},
};
use crate::tree::Text;

/// One right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Who has it, by path: `Enrichment/Enrich`.
    pub who: String,
    /// Given or taken.
    pub effect: Effect,
    /// What: `dynamodb:PutItem`.
    pub action: String,
    /// On what, by path or ARN; empty where there is none, as in a trust policy.
    pub resource: String,
    /// When.
    pub condition: Option<String>,
}

/// The rights that statements come to; `name` says how a resource or a condition's value is shown.
pub fn entries(who: &str, statements: &[Statement], name: &dyn Fn(&Text) -> String) -> Vec<Entry> {
    statements.iter().flat_map(|statement| rights(who, statement, name)).collect()
}

/// The matrix as text: sorted, repeats dropped, an empty line between one holder and the next.
///
/// ```
/// use constructs::policy::{Statement, matrix};
/// let statements = [Statement::allow(["dynamodb:PutItem", "dynamodb:GetItem"]).on("Enrichment/Articles")];
/// let entries = matrix::entries("Enrichment/Enrich", &statements, &|text| text.literal().unwrap_or("?").to_owned());
/// assert_eq!(
///     matrix::render(entries),
///     "Enrichment/Enrich  allow  dynamodb:GetItem  on  Enrichment/Articles\n\
///      Enrichment/Enrich  allow  dynamodb:PutItem  on  Enrichment/Articles\n"
/// );
/// ```
pub fn render(mut entries: Vec<Entry>) -> String {
    entries.sort();
    entries.dedup();
    let groups = entries.chunk_by(|one, next| one.who == next.who);
    let groups: Vec<String> = groups.map(|group| group.iter().map(line).collect()).collect();
    groups.join("\n")
}

fn rights(who: &str, statement: &Statement, name: &dyn Fn(&Text) -> String) -> Vec<Entry> {
    let condition = condition_words(&statement.conditions, name);
    let mut resources: Vec<_> = statement.resources.iter().map(name).collect();
    if resources.is_empty() {
        resources.push(String::new());
    }
    let right = |action: &str, resource: &str| Entry {
        who: who.to_owned(),
        effect: statement.effect,
        action: action.to_owned(),
        resource: resource.to_owned(),
        condition: condition.clone(),
    };
    let of_resource = |resource: &String| statement.actions.iter().map(|action| right(action, resource)).collect();
    resources.iter().flat_map::<Vec<_>, _>(of_resource).collect()
}

fn line(entry: &Entry) -> String {
    let effect = match entry.effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    let mut line = format!("{}  {effect}  {}", entry.who, entry.action);
    if !entry.resource.is_empty() {
        line = line + "  on  " + &entry.resource;
    }
    if let Some(condition) = &entry.condition {
        line = line + "  when  " + condition;
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::question::plain;

    #[test]
    fn rights_are_sorted_and_grouped_by_who_has_them() {
        let publish = [Statement::assume("lambda.amazonaws.com")];
        let enrich = [
            Statement::allow(["kms:Decrypt"]).on("Key").when("StringEquals", "kms:ViaService", "sqs"),
            Statement::allow(["dynamodb:PutItem"]).on("Articles").on("Quarantine"),
            Statement::allow(["dynamodb:PutItem"]).on("Articles"),
            Statement::deny(["dynamodb:DeleteTable"]).on("Articles"),
        ];
        let mut all = entries("Publish", &publish, &plain);
        all.extend(entries("Enrich", &enrich, &plain));
        let expected = "\
Enrich  allow  dynamodb:PutItem  on  Articles
Enrich  allow  dynamodb:PutItem  on  Quarantine
Enrich  allow  kms:Decrypt  on  Key  when  kms:ViaService = sqs
Enrich  deny  dynamodb:DeleteTable  on  Articles

Publish  allow  sts:AssumeRole
";
        assert_eq!(render(all), expected);
    }
}
