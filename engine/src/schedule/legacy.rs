//! The parameters of the older triggers: Cron and Interval.

use serde_json::Value;

use super::cron::Pattern;
use super::rule::Rule;
use super::{ScheduleError, bounded, number};

const MINUTE_MS: i64 = 60_000;
/// Longest interval in milliseconds: a year.
const INTERVAL_MS_MAX: i64 = 366 * 24 * 60 * MINUTE_MS;

/// The rules of `triggerTimes.item`.
pub(super) fn cron_rules(parameters: &Value) -> Result<Vec<Rule>, ScheduleError> {
    let entries = match parameters.get("triggerTimes").and_then(|times| times.get("item")) {
        Some(Value::Array(entries)) if !entries.is_empty() => entries,
        _ => {
            let message = "there is no time: add one, or use a Schedule Trigger";
            return Err(ScheduleError::new("parameters.triggerTimes", message));
        }
    };
    let in_entry = |index: usize, error: ScheduleError| {
        ScheduleError::new(format!("parameters.triggerTimes.item[{index}].{}", error.field), error.message)
    };
    entries.iter().enumerate().map(|(index, entry)| cron_rule(entry).map_err(|error| in_entry(index, error))).collect()
}

fn cron_rule(entry: &Value) -> Result<Rule, ScheduleError> {
    let minute = || bounded(entry, "minute", 0, 0, 59);
    let hour = || bounded(entry, "hour", 14, 0, 23);
    let expression = match entry.get("mode").and_then(Value::as_str).unwrap_or("everyDay") {
        "everyMinute" => "0 * * * * *".to_owned(),
        "everyHour" => format!("0 {} * * * *", minute()?),
        "everyDay" => format!("0 {} {} * * *", minute()?, hour()?),
        "everyWeek" => format!("0 {} {} * * {}", minute()?, hour()?, bounded(entry, "weekday", 1, 0, 7)?),
        "everyMonth" => format!("0 {} {} {} * *", minute()?, hour()?, bounded(entry, "dayOfMonth", 1, 1, 31)?),
        "everyX" => return every(entry),
        "custom" => {
            let expression = entry.get("cronExpression").and_then(Value::as_str).unwrap_or("* * * * * *");
            return Ok(Rule::Each(Pattern::parse("cronExpression", expression)?));
        }
        other => {
            let message = format!("'{other}' is not known: use everyDay, everyWeek, everyX or custom, for example");
            return Err(ScheduleError::new("mode", message));
        }
    };
    Ok(Rule::Each(Pattern::made("mode", &expression)?))
}

fn every(entry: &Value) -> Result<Rule, ScheduleError> {
    let expression = match entry.get("unit").and_then(Value::as_str).unwrap_or("hours") {
        "minutes" => format!("0 */{} * * * *", bounded(entry, "value", 2, 1, 59)?),
        "hours" => format!("0 0 */{} * * *", bounded(entry, "value", 2, 1, 23)?),
        other => return Err(ScheduleError::new("unit", format!("'{other}' is not known: use minutes or hours"))),
    };
    Ok(Rule::Each(Pattern::made("value", &expression)?))
}

/// The rule of an Interval node.
pub(super) fn interval_rule(parameters: &Value) -> Result<Rule, ScheduleError> {
    let in_parameters = |error: ScheduleError| ScheduleError::new(format!("parameters.{}", error.field), error.message);
    let unit_ms = match parameters.get("unit").and_then(Value::as_str).unwrap_or("seconds") {
        "seconds" => 1_000,
        "minutes" => MINUTE_MS,
        "hours" => 60 * MINUTE_MS,
        other => {
            let message = format!("'{other}' is not known: use seconds, minutes or hours");
            return Err(ScheduleError::new("parameters.unit", message));
        }
    };
    let interval = number(parameters, "interval", 1).map_err(in_parameters)?;
    let step_ms = interval.saturating_mul(unit_ms);
    if interval < 1 || step_ms > INTERVAL_MS_MAX {
        let message = format!("{interval} is out of range: use 1 or more, and at most a year");
        return Err(ScheduleError::new("parameters.interval", message));
    }
    Ok(Rule::Interval { step_ms })
}
