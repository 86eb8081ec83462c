//! Version 1: format and calculate, with moment.js's formats.
//!
//! Times without a zone are of UTC, whatever the zone of the workflow is, until the author names a zone.

use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::Value;
use timeloom_domain::item::{Item, SharedObject};
use timeloom_engine::node::{NodeError, NodeRun};
use timeloom_expressions::time::{from_ms, parse, parse_format};

use super::{added, moment, shown, unit, zone};
use crate::values;

/// A whole number of at least so many characters counts milliseconds.
const UNIX_MS_CHARS_MIN: usize = 12;
/// A text of at least so many digits is a count, which a calculation does not read.
const COUNT_CHARS_MIN: usize = 9;

/// The item's JSON with the result in it; `None` where there is nothing to format.
pub(super) fn convert(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Option<SharedObject>, NodeError> {
    let mut json = item.json.clone();
    let value = run.parameter("value", index)?;
    let calculates = run.text("action", index, "format")? == "calculate";
    let value = match value {
        Some(value) => value,
        None if calculates => return Err(unreadable(None)),
        None => return Ok(None),
    };
    let name = run.text("dataPropertyName", index, "data")?;
    let from_format = run.text("options.fromFormat", index, "")?;
    let result = if calculates {
        calculated(run, &value, &from_format, index)?
    } else {
        formatted(run, &value, &from_format, index)?
    };
    json.insert(name, Value::String(result));
    Ok(Some(json))
}

fn formatted(run: &mut NodeRun<'_>, value: &Value, from_format: &str, index: usize) -> Result<String, NodeError> {
    let to_format = run.text("toFormat", index, "MM/DD/YYYY")?;
    let from_zone = run.text("options.fromTimezone", index, "")?;
    let to_zone = run.text("options.toTimezone", index, "")?;
    let fallback = if from_zone.is_empty() && to_zone.is_empty() { Tz::UTC } else { run.scope.timezone };
    let zone_option = |name: &str| if name.is_empty() { Ok(fallback) } else { zone(name) };
    let (from_zone, to_zone) = (zone_option(&from_zone)?, zone_option(&to_zone)?);
    let number = values::number(value);
    let moment = if number.is_finite() { unix(number) } else { read(value, from_format, from_zone) };
    match moment {
        Ok(moment) => Ok(moment::write(&moment.with_timezone(&to_zone), &to_format)),
        // A format that does not fit is told in the result.
        Err(_) if !from_format.is_empty() => Ok("Invalid date".to_owned()),
        Err(error) => Err(error),
    }
}

/// The moment that a number means, also one in text: seconds where it has few digits, else milliseconds.
fn unix(number: f64) -> Result<DateTime<Tz>, NodeError> {
    let whole = if number.fract() == 0.0 { number } else { number * 1000.0 };
    let is_seconds = values::number_text(whole).len() < UNIX_MS_CHARS_MIN;
    let ms = if is_seconds { whole * 1000.0 } else { whole };
    from_ms(ms as i64, Tz::UTC).ok_or_else(|| unreadable(Some(&Value::from(number))))
}

fn calculated(run: &mut NodeRun<'_>, value: &Value, from_format: &str, index: usize) -> Result<String, NodeError> {
    let duration = run.number("duration", index, 0.0)?;
    let unit = unit(&run.text("timeUnit", index, "days")?)?;
    let sign = if run.text("operation", index, "add")? == "subtract" { -1.0 } else { 1.0 };
    let is_count = |text: &str| text.len() >= COUNT_CHARS_MIN && values::number_of_text(text).is_finite();
    let moment = match value {
        _ if !from_format.is_empty() => read(value, from_format, Tz::UTC)?,
        Value::Null => unix(0.0)?,
        Value::Number(_) => from_ms(values::number(value) as i64, Tz::UTC).ok_or_else(|| unreadable(Some(value)))?,
        Value::String(text) if is_count(text) => return Err(unreadable(Some(value))),
        _ => read(value, from_format, Tz::UTC)?,
    };
    let result = added(&moment, sign * duration, unit)?.with_timezone(&Tz::UTC);
    Ok(timeloom_expressions::time::to_iso(&result))
}

fn read(value: &Value, from_format: &str, zone: Tz) -> Result<DateTime<Tz>, NodeError> {
    let by_format = (!from_format.is_empty())
        .then(|| parse_format(&values::text(value), &moment::reading_format(from_format)?, zone))
        .flatten();
    by_format.or_else(|| parse(value, zone)).ok_or_else(|| unreadable(Some(value)))
}

fn unreadable(value: Option<&Value>) -> NodeError {
    NodeError::operation("the text could not be read as a date: name its format in the option 'From Format'")
        .described(format!("the text is '{}'", shown(value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::DateAndTime;
    use super::*;
    use crate::testing::Bench;

    fn result(parameters: Value) -> Value {
        Bench::new(&DateAndTime, 1.0, parameters).input(json!([{"id": 7}])).output()[0]["data"].clone()
    }

    #[test]
    fn formats_dates_and_timestamps() {
        assert_eq!(result(json!({"value": "2024-03-05T10:00:00Z"})), json!("03/05/2024"));
        assert_eq!(result(json!({"value": 1_709_632_800})), json!("03/05/2024"));
        assert_eq!(result(json!({"value": 1_709_632_800.5, "toFormat": "HH:mm:ss"})), json!("10:00:00"));
        let zones = json!({"fromTimezone": "America/New_York", "toTimezone": "Europe/Berlin"});
        let parameters = json!({"value": "2024-03-05 10:00", "toFormat": "HH:mm Z", "options": zones});
        assert_eq!(result(parameters), json!("16:00 +01:00"));
    }

    #[test]
    fn reads_by_the_given_format() {
        let parameters = json!({"value": "05.03.2024", "toFormat": "X", "options": {"fromFormat": "DD.MM.YYYY"}});
        assert_eq!(result(parameters), json!("1709596800"));
    }

    #[test]
    fn calculates_in_calendar_units() {
        let parameters = json!({"action": "calculate", "value": "2024-01-31", "duration": 1, "timeUnit": "months"});
        assert_eq!(result(parameters.clone()), json!("2024-02-29T00:00:00.000Z"));
        let mut back = parameters;
        back["operation"] = json!("subtract");
        assert_eq!(result(back), json!("2023-12-31T00:00:00.000Z"));
    }

    #[test]
    fn counts_are_seconds_or_milliseconds_and_local_times_are_of_utc() {
        let shown = |value: Value| result(json!({"value": value, "toFormat": "YYYY-MM-DD HH:mm", "custom": true}));
        assert_eq!(shown(json!("1709632800")), json!("2024-03-05 10:00"));
        assert_eq!(shown(json!("1709632800000")), json!("2024-03-05 10:00"));
        assert_eq!(shown(json!(null)), json!("1970-01-01 00:00"));
        assert_eq!(shown(json!("2024-03-05T10:00:00")), json!("2024-03-05 10:00"));
        let sum = |value: Value| json!({"action": "calculate", "value": value, "duration": 1, "timeUnit": "hours"});
        assert_eq!(result(sum(json!(1_709_632_800))), json!("1970-01-20T19:53:52.800Z"));
        let mut bench = Bench::new(&DateAndTime, 1.0, sum(json!("1709632800"))).input(json!([{}]));
        assert!(bench.failure().contains("could not be read as a date"));
    }

    #[test]
    fn nothing_to_format_gives_no_item_and_names_are_taken_as_they_are() {
        let input = json!([{"d": "2024-03-05"}, {}]);
        let parameters = json!({"value": "={{ $json.d }}", "dataPropertyName": "a.b"});
        let mut bench = Bench::new(&DateAndTime, 1.0, parameters).input(input);
        assert_eq!(bench.output(), json!([{"d": "2024-03-05", "a.b": "03/05/2024"}]));
        let options = json!({"fromFormat": "DD.MM.YYYY"});
        assert_eq!(result(json!({"value": "soon", "options": options})), json!("Invalid date"));
    }

    #[test]
    fn a_text_that_is_no_date_fails() {
        let mut bench = Bench::new(&DateAndTime, 1.0, json!({"value": "soon"})).input(json!([{}]));
        assert!(bench.failure().contains("could not be read as a date"));
        let mut bench = bench.continue_on_fail();
        assert!(bench.output()[0]["error"].is_string());
    }
}
