//! The parameters of the Schedule Trigger.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cron::Pattern;
use super::rule::{Rule, Unit};
use super::{ScheduleError, bounded};

/// Longest interval in weeks.
const WEEKS_MAX: i64 = 520;
/// Longest interval in months.
const MONTHS_MAX: i64 = 120;
const HOUR_MS: i64 = 3_600_000;

/// The rules of `rule.interval`; without any it is every day at midnight.
pub(super) fn rules(parameters: &Value) -> Result<Vec<Rule>, ScheduleError> {
    let daily = [json!({})];
    let entries = match parameters.get("rule").and_then(|rule| rule.get("interval")) {
        Some(Value::Array(entries)) if !entries.is_empty() => entries.as_slice(),
        None | Some(Value::Null | Value::Array(_)) => daily.as_slice(),
        Some(_) => return Err(ScheduleError::new("parameters.rule.interval", "is not a list of rules")),
    };
    let in_entry = |index: usize, error: ScheduleError| {
        ScheduleError::new(format!("parameters.rule.interval[{index}].{}", error.field), error.message)
    };
    entries.iter().enumerate().map(|(index, entry)| rule(entry).map_err(|error| in_entry(index, error))).collect()
}

fn rule(entry: &Value) -> Result<Rule, ScheduleError> {
    match entry.get("field").and_then(Value::as_str).unwrap_or("days") {
        "seconds" => {
            let every = bounded(entry, "secondsInterval", 30, 1, 59)?;
            Ok(Rule::Each(Pattern::made("secondsInterval", &format!("*/{every} * * * * *"))?))
        }
        "minutes" => {
            let every = bounded(entry, "minutesInterval", 5, 1, 59)?;
            Ok(Rule::Each(Pattern::made("minutesInterval", &format!("0 */{every} * * * *"))?))
        }
        "hours" => hours(entry),
        "days" => {
            let every = bounded(entry, "daysInterval", 1, 1, 366)?;
            let pattern = Pattern::made("daysInterval", &format!("0 {} * * *", time_of_day(entry)?))?;
            Ok(nth(pattern, Unit::Days, every))
        }
        "weeks" => {
            let every = bounded(entry, "weeksInterval", 1, 1, WEEKS_MAX)?;
            let expression = format!("0 {} * * {}", time_of_day(entry)?, weekdays(entry)?);
            Ok(nth(Pattern::made("triggerAtDay", &expression)?, Unit::Weeks, every))
        }
        "months" => {
            let every = bounded(entry, "monthsInterval", 1, 1, MONTHS_MAX)?;
            let day = bounded(entry, "triggerAtDayOfMonth", 1, 1, 31)?;
            let expression = format!("0 {} {day} * *", time_of_day(entry)?);
            // As in a cron expression, every three months is January, April, July and October.
            let unit = if 12 % every == 0 { Unit::CalendarMonths } else { Unit::Months };
            Ok(nth(Pattern::made("triggerAtDayOfMonth", &expression)?, unit, every))
        }
        "cronExpression" => {
            let expression = entry.get("expression").and_then(Value::as_str).unwrap_or_default();
            Ok(Rule::Each(Pattern::parse("expression", expression)?))
        }
        other => Err(ScheduleError::new(
            "field",
            format!("'{other}' is not known: use seconds, minutes, hours, days, weeks, months or cronExpression"),
        )),
    }
}

fn hours(entry: &Value) -> Result<Rule, ScheduleError> {
    let every = bounded(entry, "hoursInterval", 1, 1, 8_760)?;
    let minute = bounded(entry, "triggerAtMinute", 0, 0, 59)?;
    let made = |hours: &str| Pattern::made("hoursInterval", &format!("0 {minute} {hours} * * *"));
    Ok(match every {
        1 => Rule::Each(made("*")?),
        // The hours are named one by one: they are times of day then, which a change of the clock neither drops nor doubles.
        _ if 24 % every == 0 => {
            let hours: Vec<String> = (0..24 / every).map(|nth| (nth * every).to_string()).collect();
            Rule::Each(made(&hours.join(","))?)
        }
        _ => Rule::Cadence { pattern: made("*")?, step_ms: every * HOUR_MS },
    })
}

fn nth(pattern: Pattern, unit: Unit, every: i64) -> Rule {
    if every == 1 { Rule::Each(pattern) } else { Rule::Nth { pattern, unit, every } }
}

/// Minute and hour, as a cron expression has them.
fn time_of_day(entry: &Value) -> Result<String, ScheduleError> {
    let hour = bounded(entry, "triggerAtHour", 0, 0, 23)?;
    let minute = bounded(entry, "triggerAtMinute", 0, 0, 59)?;
    Ok(format!("{minute} {hour}"))
}

/// The days of the week, 0 for Sunday, as a cron expression has them.
fn weekdays(entry: &Value) -> Result<String, ScheduleError> {
    let refused = || ScheduleError::new("triggerAtDay", "is not a list of days from 0 (Sunday) to 6 (Saturday)");
    let days: Vec<i64> = match entry.get("triggerAtDay") {
        None | Some(Value::Null) => vec![0],
        Some(Value::Array(days)) => {
            { days.iter().map(|day| bounded(&json!({ "day": day }), "day", 0, 0, 7)).collect::<Result<_, _>>() }
                .map_err(|_| refused())?
        }
        Some(day) => vec![bounded(&json!({ "day": day }), "day", 0, 0, 7).map_err(|_| refused())?],
    };
    let days: BTreeSet<i64> = days.into_iter().map(|day| day % 7).collect();
    if days.is_empty() {
        return Ok("*".to_owned());
    }
    Ok(days.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}
