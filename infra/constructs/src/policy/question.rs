//! Questions to policies, for tests: may this role delete that table?

use super::{
    glob::{Pattern, shown},
    statement::{Condition, Effect, Statement},
};
use crate::tree::{NodeRef, Part, Text};

/// What a list of statements says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some statement allows it and none denies it for good.
    Allowed {
        /// One line per way of being allowed, then one per conditional denial; empty if it is always allowed.
        under: Vec<String>,
    },
    /// A statement denies it, whatever the others say.
    Denied,
    /// Nobody said anything, which in AWS means no.
    NotGranted,
}

impl Verdict {
    /// Whether it is allowed, if only under conditions.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Whether the statements allow an action. `concerns` says which of their resources the question is about:
/// those that [`cover`](covers) an ARN, or all that [`touch`](touches) a construct.
///
/// ```
/// use constructs::policy::{Statement, Verdict, covers, may};
/// use constructs::tree::Text;
/// let read = [Statement::allow(["s3:GetObject"]).on("arn:aws:s3:::code/*")];
/// let enrich = Text::from("arn:aws:s3:::code/enrich.zip");
/// assert!(may(&read, "s3:GetObject", &|resource| covers(resource, &enrich)).is_allowed());
/// assert_eq!(may(&read, "s3:PutObject", &|resource| covers(resource, &enrich)), Verdict::NotGranted);
/// ```
pub fn may(statements: &[Statement], action: &str, concerns: &dyn Fn(&Text) -> bool) -> Verdict {
    let of =
        |effect| move |statement: &&Statement| statement.effect == effect && speaks_of(statement, action, concerns);
    let (allow, deny): (Vec<_>, Vec<_>) =
        (statements.iter().filter(of(Effect::Allow)).collect(), statements.iter().filter(of(Effect::Deny)).collect());
    let is_always = |statement: &&Statement| statement.conditions.is_empty();
    if deny.iter().any(is_always) {
        return Verdict::Denied;
    }
    if allow.is_empty() {
        return Verdict::NotGranted;
    }
    let words = |statement: &&Statement| condition_words(&statement.conditions, &plain);
    let mut under = if allow.iter().any(is_always) { Vec::new() } else { allow.iter().filter_map(words).collect() };
    under.extend(deny.iter().filter_map(words).map(|words| format!("unless {words}")));
    Verdict::Allowed { under }
}

/// Whether a policy's resource covers an ARN: the same text, or one that its `*` and `?` stand for.
/// References are equal if they are the same attribute of the same node.
pub fn covers(resource: &Text, arn: &Text) -> bool {
    let (pattern, given) = (units(resource), units(arn));
    // How far `given` can have been read at each step of the pattern.
    let mut reached = vec![false; given.len() + 1];
    reached[0] = true;
    for unit in &pattern {
        let mut next = vec![false; given.len() + 1];
        for place in 0..=given.len() {
            next[place] = match unit {
                Unit::Char('*') => reached[place] || (place > 0 && next[place - 1]),
                Unit::Char('?') => place > 0 && reached[place - 1],
                unit => place > 0 && reached[place - 1] && given[place - 1] == *unit,
            };
        }
        reached = next;
    }
    reached[given.len()]
}

/// Whether a policy's resource is `*`, or says anything about a node: the table, or its indexes.
pub fn touches(resource: &Text, node: NodeRef) -> bool {
    let is_of = |part: &Part| matches!(part, Part::Reference(reference) if reference.node == node);
    resource.literal() == Some("*") || resource.parts().iter().any(is_of)
}

fn speaks_of(statement: &Statement, action: &str, concerns: &dyn Fn(&Text) -> bool) -> bool {
    let wanted = Pattern::of_wildcard(&action.to_ascii_lowercase());
    let is_named = |known: &str| Pattern::of_wildcard(&known.to_ascii_lowercase()).meets(&wanted);
    statement.actions.iter().any(|known| is_named(known)) && statement.resources.iter().any(concerns)
}

#[derive(PartialEq)]
enum Unit<'a> {
    Char(char),
    Part(&'a Part),
}

fn units(text: &Text) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    for part in text.parts() {
        match part {
            Part::Literal(literal) => units.extend(literal.chars().map(Unit::Char)),
            part => units.push(Unit::Part(part)),
        }
    }
    units
}

/// Conditions as a reader takes them: `kms:ViaService = sqs.eu-west-1.amazonaws.com and …`. Nothing if
/// there are none.
pub(super) fn condition_words(conditions: &[Condition], name: &dyn Fn(&Text) -> String) -> Option<String> {
    let words = |condition: &Condition| {
        let values: Vec<_> = condition.values.iter().map(name).collect();
        format!("{} {} {}", condition.key, operator_words(&condition.operator), values.join(" or "))
    };
    let words: Vec<_> = conditions.iter().map(words).collect();
    (!words.is_empty()).then(|| words.join(" and "))
}

fn operator_words(operator: &str) -> &str {
    match operator {
        "StringEquals" | "ArnEquals" | "NumericEquals" | "Bool" => "=",
        "StringNotEquals" | "ArnNotEquals" | "NumericNotEquals" => "≠",
        "StringLike" | "ArnLike" => "like",
        "StringNotLike" | "ArnNotLike" => "not like",
        other => other,
    }
}

/// A text for those who know no construct's path.
pub(super) fn plain(text: &Text) -> String {
    shown(text, &|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Access, Arn, Attribute, Ref};

    fn arn(index: u32) -> Ref<Arn> {
        Ref::new(NodeRef { stack: 0, index }, Attribute::arn("arn", Access::GetAtt("Arn")))
    }

    #[test]
    fn a_resource_covers_itself_and_what_its_wildcards_stand_for() {
        let cases: [(Text, Text, bool); 9] = [
            ("*".into(), arn(1).into(), true),
            (arn(1).into(), arn(1).into(), true),
            (arn(1).into(), arn(2).into(), false),
            (arn(1) + "/*", arn(1) + "/enrich.zip", true),
            (arn(1) + "/*", arn(1).into(), false),
            (arn(1) + "/*", arn(2) + "/enrich.zip", false),
            (arn(1) + "/??", arn(1) + "/ab", true),
            (arn(1) + "/a*c*", arn(1) + "/abbc", true),
            (arn(1) + "/a*c", arn(1) + "/abcd", false),
        ];
        for (resource, given, expected) in cases {
            assert_eq!(covers(&resource, &given), expected, "{} and {}", plain(&resource), plain(&given));
        }
    }

    #[test]
    fn what_nobody_grants_is_not_granted() {
        let statements = [Statement::allow(["dynamodb:PutItem"]).on(arn(1))];
        let about = |index| move |resource: &Text| touches(resource, arn(index).reference().node);
        assert!(may(&statements, "dynamodb:PutItem", &about(1)).is_allowed());
        assert!(may(&statements, "DynamoDB:putitem", &about(1)).is_allowed());
        assert_eq!(may(&statements, "dynamodb:PutItem", &about(2)), Verdict::NotGranted);
        assert_eq!(may(&statements, "dynamodb:DeleteTable", &about(1)), Verdict::NotGranted);
    }

    #[test]
    fn a_denial_wins() {
        let statements = [Statement::allow(["s3:GetObject"]).on("*"), Statement::deny(["s3:*"]).on(arn(1) + "/*")];
        let object = arn(1) + "/enrich.zip";
        assert_eq!(may(&statements, "s3:GetObject", &|resource| covers(resource, &object)), Verdict::Denied);
        let other = arn(2) + "/enrich.zip";
        assert!(may(&statements, "s3:GetObject", &|resource| covers(resource, &other)).is_allowed());
    }

    #[test]
    fn conditions_are_told() {
        let decrypt = || Statement::allow(["kms:Decrypt"]).on(arn(1));
        let via = [decrypt().when("StringEquals", "kms:ViaService", "sqs.eu-west-1.amazonaws.com")];
        let key = Text::from(arn(1));
        let verdict = may(&via, "kms:Decrypt", &|resource| covers(resource, &key));
        assert_eq!(
            verdict,
            Verdict::Allowed { under: vec!["kms:ViaService = sqs.eu-west-1.amazonaws.com".to_owned()] }
        );

        let [via] = via;
        let plain_text = Statement::deny(["kms:*"]).on("*").when("Bool", "aws:SecureTransport", "false");
        let verdict = may(&[via, decrypt(), plain_text], "kms:Decrypt", &|resource| covers(resource, &key));
        assert_eq!(verdict, Verdict::Allowed { under: vec!["unless aws:SecureTransport = false".to_owned()] });
    }
}
