//! Alarms: how long a period may be, and whom an action tells.

use super::{Findings, Subject, integer, literal, reference};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let (period, actions) = match subject.name {
        "aws_cloudwatch_metric_alarm" => ("period", ["alarm_actions", "ok_actions", "insufficient_data_actions"]),
        "AWS::CloudWatch::Alarm" => ("Period", ["AlarmActions", "OKActions", "InsufficientDataActions"]),
        _ => return,
    };
    if let Some(seconds) = subject.first(period).and_then(integer) {
        let allowed = matches!(seconds, 10 | 20 | 30) || seconds > 0 && seconds % 60 == 0;
        if !allowed {
            findings.add(period, format!("{period} is {seconds}; allowed are 10, 20, 30 and multiples of 60"));
        }
    }
    for property in actions {
        for (path, value) in subject.each(property) {
            let other = reference(value).map(|reference| reference.attribute.kind);
            let given = literal(value).filter(|literal| !literal.starts_with("arn:"));
            if let Some(kind @ ("name" | "id" | "url")) = other {
                findings.add(&path, format!("{property} take ARNs; the reference is a {kind}"));
            } else if let Some(given) = given {
                findings.add(&path, format!("{property} take ARNs; {given:?} is none"));
            }
        }
    }
}
