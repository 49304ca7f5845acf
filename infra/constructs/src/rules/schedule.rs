//! Schedules: `cron(…)` of six fields, `rate(…)` with the right word.

use super::{Findings, Subject, literal};

/// Properties that hold a schedule of six fields. Others, such as an Auto Scaling group's, have five.
const SCHEDULES: [(&str, &str); 10] = [
    ("aws_appautoscaling_scheduled_action", "schedule"),
    ("aws_backup_plan", "rule.schedule"),
    ("aws_cloudwatch_event_rule", "schedule_expression"),
    ("aws_imagebuilder_image_pipeline", "schedule.schedule_expression"),
    ("aws_scheduler_schedule", "schedule_expression"),
    ("AWS::ApplicationAutoScaling::ScalableTarget", "ScheduledActions.Schedule"),
    ("AWS::Backup::BackupPlan", "BackupPlan.BackupPlanRule.ScheduleExpression"),
    ("AWS::Events::Rule", "ScheduleExpression"),
    ("AWS::ImageBuilder::ImagePipeline", "Schedule.ScheduleExpression"),
    ("AWS::Scheduler::Schedule", "ScheduleExpression"),
];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (_, property) in SCHEDULES.iter().filter(|(name, _)| *name == subject.name) {
        for (path, value) in subject.each(property) {
            let Some(expression) = literal(value) else { continue };
            if let Err(problem) = read(expression) {
                findings.add(path, format!("`{expression}` {problem}"));
            }
        }
    }
}

fn read(expression: &str) -> Result<(), String> {
    let form = expression.strip_suffix(')').and_then(|rest| rest.split_once('('));
    match form {
        Some(("cron", fields)) => cron(fields),
        Some(("rate", rate)) => self::rate(rate),
        Some(("at", _)) => Ok(()),
        _ => Err("is no schedule; one is `cron(…)`, `rate(…)` or `at(…)`".to_owned()),
    }
}

fn cron(fields: &str) -> Result<(), String> {
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if fields.len() != 6 {
        let count = fields.len();
        return Err(format!(
            "has {count} fields; six are needed: minutes, hours, day of month, month, day of week, year"
        ));
    }
    if (fields[2] == "?") == (fields[4] == "?") {
        return Err("needs a `?` as its day of the month or as its day of the week, and not as both".to_owned());
    }
    Ok(())
}

fn rate(rate: &str) -> Result<(), String> {
    let (count, unit) = rate.split_once(' ').unwrap_or((rate, ""));
    let count = count.parse::<u32>().ok().filter(|count| *count > 0);
    let one = unit.strip_suffix('s').unwrap_or(unit);
    let (Some(count), "minute" | "hour" | "day") = (count, one) else {
        return Err("is no rate; one is a number and minutes, hours or days, as in `rate(5 minutes)`".to_owned());
    };
    let plural = if count == 1 { one.to_owned() } else { format!("{one}s") };
    if unit == plural { Ok(()) } else { Err(format!("is written `rate({count} {plural})`")) }
}
