//! Principals: that they are there where they belong, and that services are called by their names.

use super::{Findings, Subject, Use, did_you_mean, entries, literal};
use crate::tree::Value;

/// Service principals that a stack of this library meets, by their partition-neutral names. From the
/// services' own guides; AWS has no list. A name that is not among them is only doubted if it is close to
/// one, or does not end like one.
const SERVICES: [&str; 38] = [
    "apigateway.amazonaws.com",
    "application-autoscaling.amazonaws.com",
    "autoscaling.amazonaws.com",
    "backup.amazonaws.com",
    "budgets.amazonaws.com",
    "cloudformation.amazonaws.com",
    "cloudfront.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "cloudwatch.amazonaws.com",
    "codebuild.amazonaws.com",
    "config.amazonaws.com",
    "delivery.logs.amazonaws.com",
    "dynamodb.amazonaws.com",
    "dynamodb.application-autoscaling.amazonaws.com",
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "ecs.amazonaws.com",
    "edgelambda.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "events.amazonaws.com",
    "firehose.amazonaws.com",
    "imagebuilder.amazonaws.com",
    "kinesis.amazonaws.com",
    "lambda.amazonaws.com",
    "logs.amazonaws.com",
    "mq.amazonaws.com",
    "pipes.amazonaws.com",
    "s3.amazonaws.com",
    "sagemaker.amazonaws.com",
    "sagemaker.application-autoscaling.amazonaws.com",
    "scheduler.amazonaws.com",
    "secretsmanager.amazonaws.com",
    "sns.amazonaws.com",
    "sqs.amazonaws.com",
    "ssm.amazonaws.com",
    "states.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
    "xray.amazonaws.com",
];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let names_somebody = subject.has("Principal") || subject.has("NotPrincipal");
    if subject.role == Use::Identity {
        if names_somebody {
            findings.add(&subject.place, "an identity policy names no principal; it is its holder");
        }
        return;
    }
    if !names_somebody {
        findings.add(&subject.place, "`Principal` is missing; say whom it speaks to");
    }
    if subject.has("NotPrincipal") && !subject.denies() {
        findings.add(&subject.at("NotPrincipal"), "`NotPrincipal` allows everyone else; name them in `Principal`");
    }
    check_everyone(subject, findings);
    let Some(Value::Map(principal)) = subject.fields.get("Principal") else { return };
    for (kind, value) in principal.iter() {
        let place = subject.at(&format!("Principal.{kind}"));
        match kind {
            "Service" => check_services(&entries(&place, Some(value)), findings),
            "AWS" | "Federated" | "CanonicalUser" => {}
            _ => findings.add(&place, format!("`{kind}` is no kind of principal; there is `Service` and `AWS`")),
        }
    }
}

/// A role that anyone may assume is never meant. A resource may be public; that is for others to judge.
fn check_everyone(subject: &Subject<'_>, findings: &mut Findings) {
    let everyone = match subject.fields.get("Principal") {
        Some(Value::Map(principal)) => {
            entries("", principal.get("AWS")).iter().any(|(_, value)| literal(value) == Some("*"))
        }
        Some(value) => literal(value) == Some("*"),
        None => false,
    };
    if everyone && subject.role == Use::Trust && !subject.denies() && !subject.has("Condition") {
        findings.add(&subject.at("Principal"), "anyone may assume the role; name who may, or add a condition");
    }
}

fn check_services(names: &[(String, &Value)], findings: &mut Findings) {
    for (place, value) in names {
        if let Some(problem) = literal(value).and_then(problem) {
            findings.add(place, problem);
        }
    }
}

/// What is wrong with a service's name.
pub(crate) fn problem(name: &str) -> Option<String> {
    let neutral = name.strip_suffix(".cn").unwrap_or(name);
    if SERVICES.contains(&neutral) {
        return None;
    }
    let Some(label) = neutral.strip_suffix(".amazonaws.com") else {
        let full = format!("{neutral}.amazonaws.com");
        let hint = if SERVICES.contains(&full.as_str()) {
            format!("; did you mean `{full}`?")
        } else {
            did_you_mean(name, SERVICES)
        };
        return Some(format!("`{name}` is no service; one is called `name.amazonaws.com`{hint}"));
    };
    // Short names differ by a letter and are both right: `ecs`, `ec2`. Long ones do not.
    let is_close = |known: &&&str| label.len() > 4 && strsim::damerau_levenshtein(known, neutral) == 1;
    let close = SERVICES.iter().find(is_close)?;
    Some(format!("the service `{name}` is not known; did you mean `{close}`?"))
}
