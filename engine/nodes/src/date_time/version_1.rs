//! Version 1: format and calculate, with moment.js's formats.

use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::Value;
use timeloom_domain::item::{Item, SharedObject};
use timeloom_engine::node::{NodeError, NodeRun};
use timeloom_expressions::time::{parse, parse_format};

use super::{added, moment, shown, unit, zone};
use crate::values;

/// The item's JSON with the result in it.
pub(super) fn convert(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<SharedObject, NodeError> {
    let mut json = item.json.clone();
    let Some(value) = run.parameter("value", index)? else { return Ok(json) };
    let name = run.text("dataPropertyName", index, "data")?;
    let from_format = run.text("options.fromFormat", index, "")?;
    let result = match run.text("action", index, "format")?.as_str() {
        "calculate" => calculated(run, &value, &from_format, index)?,
        _ => formatted(run, &value, &from_format, index)?,
    };
    values::set(&mut json, &name, Value::String(result), true);
    Ok(json)
}

fn formatted(run: &mut NodeRun<'_>, value: &Value, from_format: &str, index: usize) -> Result<String, NodeError> {
    let to_format = run.text("toFormat", index, "MM/DD/YYYY")?;
    let workflow_zone = run.scope.timezone;
    let zone_option = |name: String| if name.is_empty() { Ok(workflow_zone) } else { zone(&name) };
    let from_zone = zone_option(run.text("options.fromTimezone", index, "")?)?;
    let to_zone = zone_option(run.text("options.toTimezone", index, "")?)?;
    let moment = read(value, from_format, from_zone)?.with_timezone(&to_zone);
    Ok(moment::write(&moment, &to_format))
}

fn calculated(run: &mut NodeRun<'_>, value: &Value, from_format: &str, index: usize) -> Result<String, NodeError> {
    let duration = run.number("duration", index, 0.0)?;
    let unit = unit(&run.text("timeUnit", index, "days")?)?;
    let sign = if run.text("operation", index, "add")? == "subtract" { -1.0 } else { 1.0 };
    let moment = read(value, from_format, run.scope.timezone)?;
    let result = added(&moment, sign * duration, unit)?.with_timezone(&Tz::UTC);
    Ok(timeloom_expressions::time::to_iso(&result))
}

fn read(value: &Value, from_format: &str, zone: Tz) -> Result<DateTime<Tz>, NodeError> {
    let by_format = (!from_format.is_empty())
        .then(|| parse_format(&values::text(value), &moment::reading_format(from_format)?, zone))
        .flatten();
    by_format.or_else(|| parse(value, zone)).ok_or_else(|| {
        NodeError::operation("the text could not be read as a date: name its format in the option 'From Format'")
            .described(format!("the text is '{}'", shown(Some(value))))
    })
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
    fn a_text_that_is_no_date_fails() {
        let mut bench = Bench::new(&DateAndTime, 1.0, json!({"value": "soon"})).input(json!([{}]));
        assert!(bench.failure().contains("could not be read as a date"));
        let mut bench = bench.continue_on_fail();
        assert!(bench.output()[0]["error"].is_string());
    }
}
