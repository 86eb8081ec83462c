//! Version 2: one operation each for the present, adding, formatting, rounding, comparing and taking apart.

use chrono::{DateTime, Datelike, Offset as _, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde_json::{Value, json};
use timeloom_domain::item::{Item, SharedObject};
use timeloom_engine::node::{NodeError, NodeRun};
use timeloom_expressions::port::{Evaluated, SpecialKind};
use timeloom_expressions::time::{self, Unit, diff, from_ms, parse, parse_format, start_of, to_iso, week_of};

use super::{added, shown, unit, zone};
use crate::values;

/// The item's JSON with the result in it.
pub(super) fn convert(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Option<SharedObject>, NodeError> {
    let operation = run.text("operation", index, "getCurrentDate")?;
    let (default_name, result) = match operation.as_str() {
        "getCurrentDate" => ("currentDate", current(run, index)?),
        "addToDate" => ("newDate", moved(run, index, 1.0)?),
        "subtractFromDate" => ("newDate", moved(run, index, -1.0)?),
        "formatDate" => ("formattedDate", formatted(run, index)?),
        "roundDate" => ("roundedDate", rounded(run, index)?),
        "getTimeBetweenDates" => ("timeDifference", between(run, index)?),
        "extractDate" => ("datePart", part(run, index)?),
        other => {
            let message = format!("the operation '{other}' is not known: choose one of the list");
            return Err(NodeError::operation(message));
        }
    };
    let name = run.text("outputFieldName", index, default_name)?;
    let mut json = match run.boolean("options.includeInputFields", index, false)? {
        true => item.json.clone(),
        false => SharedObject::default(),
    };
    if let Some(result) = result {
        json.insert(name, result);
    }
    Ok(Some(json))
}

fn iso(moment: &DateTime<Tz>) -> Option<Value> {
    Some(Value::String(to_iso(moment)))
}

fn current(run: &mut NodeRun<'_>, index: usize) -> Result<Option<Value>, NodeError> {
    let zone = match run.text("options.timezone", index, "")?.as_str() {
        "" => run.scope.timezone,
        name => zone(name)?,
    };
    let with_time = run.boolean("includeTime", index, true)?;
    let now = from_ms(run.scope.now_ms, zone);
    let shown = if with_time { now } else { now.and_then(|now| start_of(&now, Unit::Days)) };
    Ok(shown.as_ref().and_then(iso))
}

/// Reads the date in parameter `path`; it is answered in `zone`, and local times are taken to be of UTC. A value that
/// an expression leaves undefined is the present.
fn date(run: &mut NodeRun<'_>, path: &str, index: usize, zone: Tz) -> Result<DateTime<Tz>, NodeError> {
    let moment = match run.parameter(path, index)? {
        None => from_ms(run.scope.now_ms, zone),
        Some(value) => return read(Some(&value), "", zone),
    };
    moment.ok_or_else(|| NodeError::operation("the present is beyond the years that can be told"))
}

fn read(value: Option<&Value>, from_format: &str, zone: Tz) -> Result<DateTime<Tz>, NodeError> {
    let moment = match value {
        Some(value) if !from_format.is_empty() && values::number(value).is_nan() => {
            parse_format(&values::text(value), from_format, Tz::UTC)
        }
        Some(Value::String(text)) if !values::number_of_text(text).is_nan() && !text.trim().is_empty() => {
            parse(&values::number_value(values::number_of_text(text)), Tz::UTC)
        }
        Some(value) if is_blank(value) => from_ms(0, Tz::UTC),
        Some(value) => parse(value, Tz::UTC),
        None => None,
    };
    moment.map(|moment| moment.with_timezone(&zone)).ok_or_else(|| {
        NodeError::operation("the value could not be read as a date: check it, or name its format")
            .described(format!("the value is '{}'", shown(value)))
    })
}

/// Null and texts without a sign count as 0, the first moment of 1970.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// The zone in which a date is written when the author asks for none: the whole hours that it states east of UTC.
fn stated_zone(value: &Value) -> Tz {
    let hours = value.as_str().and_then(|text| text.split_once('+')?.1.get(..2)?.parse::<u8>().ok());
    let zone = hours.and_then(|hours| format!("Etc/GMT-{hours}").parse().ok());
    zone.unwrap_or(Tz::Etc__UTC)
}

/// The zone of a date that knows its own, of which its text has the offset: the workflow's where that has the same.
fn own_zone(value: &Value, workflow_zone: Tz) -> Tz {
    let stated = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let Some(stated) = stated else { return workflow_zone };
    let fits = |zone: &Tz| stated.with_timezone(zone).offset().fix() == *stated.offset();
    let same = std::iter::once(workflow_zone).chain(TZ_VARIANTS).find(fits);
    same.unwrap_or(Tz::Etc__UTC)
}

fn moved(run: &mut NodeRun<'_>, index: usize, sign: f64) -> Result<Option<Value>, NodeError> {
    let unit = unit(&run.text("timeUnit", index, "days")?)?;
    let duration = run.number("duration", index, 0.0)?;
    let moment = date(run, "magnitude", index, run.scope.timezone)?;
    Ok(iso(&added(&moment, sign * duration, unit)?))
}

fn formatted(run: &mut NodeRun<'_>, index: usize) -> Result<Option<Value>, NodeError> {
    let evaluated = run.evaluated_parameter("date", index)?;
    let has_zone = matches!(evaluated, Evaluated::Special { kind: SpecialKind::DateTime, .. });
    let value = match evaluated.into_json() {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(Value::Null)),
        Some(value) => value,
    };
    let in_workflow_zone = run.boolean("options.timezone", index, false)?;
    let zone = match (in_workflow_zone, has_zone) {
        (true, _) => run.scope.timezone,
        (false, true) => own_zone(&value, run.scope.timezone),
        (false, false) => stated_zone(&value),
    };
    let from_format = run.text("options.fromFormat", index, "")?;
    let moment = read(Some(&value), &from_format, zone)?;
    let to_format = match run.text("format", index, "MM/dd/yyyy")?.as_str() {
        "custom" => run.text("customFormat", index, "")?,
        chosen => chosen.to_owned(),
    };
    Ok(Some(Value::String(time::format(&moment, &to_format))))
}

fn rounded(run: &mut NodeRun<'_>, index: usize) -> Result<Option<Value>, NodeError> {
    let moment = date(run, "date", index, run.scope.timezone)?;
    let up = run.text("mode", index, "roundDown")? == "roundUp";
    let unit = unit(&run.text(if up { "to" } else { "toNearest" }, index, "month")?)?;
    let moment = if up { added(&moment, 1.0, unit)? } else { moment };
    Ok(start_of(&moment, unit).as_ref().and_then(iso))
}

fn between(run: &mut NodeRun<'_>, index: usize) -> Result<Option<Value>, NodeError> {
    let zone = run.scope.timezone;
    let start = date(run, "startDate", index, zone)?;
    let end = date(run, "endDate", index, zone)?;
    let units = match run.parameter("units", index)? {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(unit).collect::<Result<_, _>>()?,
        Some(Value::String(name)) => vec![unit(&name)?],
        _ => vec![Unit::Days],
    };
    let amounts = diff(&end, &start, &units);
    if run.boolean("options.isoString", index, false)? {
        return Ok(Some(Value::String(iso_duration(&amounts))));
    }
    let fields = amounts.iter().map(|(unit, amount)| (unit.name().to_owned(), values::number_value(*amount)));
    Ok(Some(Value::Object(fields.collect())))
}

/// ISO 8601 text of a duration, as Luxon writes it.
fn iso_duration(amounts: &[(Unit, f64)]) -> String {
    let of = |unit: Unit| amounts.iter().find(|(other, _)| *other == unit).map_or(0.0, |(_, amount)| *amount);
    let seconds = of(Unit::Seconds) + of(Unit::Milliseconds) / 1000.0;
    let write = |parts: [(f64, char); 4]| -> String {
        let told = parts.iter().filter(|(amount, _)| *amount != 0.0);
        told.map(|(amount, letter)| format!("{}{letter}", values::number_text(*amount))).collect()
    };
    let date = write([
        (of(Unit::Years), 'Y'),
        (of(Unit::Months) + of(Unit::Quarters) * 3.0, 'M'),
        (of(Unit::Weeks), 'W'),
        (of(Unit::Days), 'D'),
    ]);
    let rounded_seconds = (seconds * 1000.0).round() / 1000.0;
    let time = write([(of(Unit::Hours), 'H'), (of(Unit::Minutes), 'M'), (rounded_seconds, 'S'), (0.0, ' ')]);
    match (date.is_empty(), time.is_empty()) {
        (true, true) => "PT0S".to_owned(),
        (_, true) => format!("P{date}"),
        (_, false) => format!("P{date}T{time}"),
    }
}

fn part(run: &mut NodeRun<'_>, index: usize) -> Result<Option<Value>, NodeError> {
    let moment = date(run, "date", index, run.scope.timezone)?;
    Ok(Some(match run.text("part", index, "month")?.as_str() {
        "year" => json!(moment.year()),
        "month" => json!(moment.month()),
        "week" => json!(week_of(&moment).1),
        "day" => json!(moment.day()),
        "hour" => json!(moment.hour()),
        "minute" => json!(moment.minute()),
        "second" => json!(moment.second()),
        other => {
            let message =
                format!("The part '{other}' is not known: choose year, month, week, day, hour, minute or second");
            return Err(NodeError::operation(message));
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::super::DateAndTime;
    use super::*;
    use crate::testing::Bench;

    fn result(parameters: Value) -> Value {
        Bench::new(&DateAndTime, 2.0, parameters).input(json!([{"id": 7}])).output()[0].clone()
    }

    #[test]
    fn the_present_is_the_runs() {
        assert_eq!(result(json!({})), json!({"currentDate": "2024-05-17T12:30:45.678Z"}));
        let parameters = json!({
            "includeTime": false, "outputFieldName": "now",
            "options": {"timezone": "America/New_York", "includeInputFields": true},
        });
        assert_eq!(result(parameters), json!({"id": 7, "now": "2024-05-17T00:00:00.000-04:00"}));
        let mut wrong = Bench::new(&DateAndTime, 2.0, json!({"options": {"timezone": "Mars"}})).input(json!([{}]));
        assert_eq!(wrong.failure(), "'Mars' is not a time zone");
    }

    #[test]
    fn adds_and_subtracts() {
        let parameters =
            json!({"operation": "addToDate", "magnitude": "2024-01-31", "timeUnit": "months", "duration": 1});
        assert_eq!(result(parameters), json!({"newDate": "2024-02-29T00:00:00.000Z"}));
        let parameters = json!({"operation": "subtractFromDate", "magnitude": 1_706_659_200, "duration": 2});
        assert_eq!(result(parameters), json!({"newDate": "2024-01-29T00:00:00.000Z"}));
    }

    #[test]
    fn formats_in_luxon_tokens() {
        let parameters = json!({"operation": "formatDate", "date": "1682918315906", "format": "yyyy/MM/dd"});
        assert_eq!(result(parameters), json!({"formattedDate": "2023/05/01"}));
        let parameters = json!({
            "operation": "formatDate", "date": "3. 5. 2024", "format": "custom", "customFormat": "cccc",
            "options": {"fromFormat": "d. M. yyyy"},
        });
        assert_eq!(result(parameters), json!({"formattedDate": "Friday"}));
        assert_eq!(result(json!({"operation": "formatDate", "date": null})), json!({"formattedDate": null}));
    }

    #[test]
    fn rounds_down_and_up() {
        let parameters = json!({"operation": "roundDate", "date": "2024-05-17T12:30:00Z", "toNearest": "week"});
        assert_eq!(result(parameters), json!({"roundedDate": "2024-05-13T00:00:00.000Z"}));
        let parameters =
            json!({"operation": "roundDate", "date": "2024-05-17T12:30:00Z", "mode": "roundUp", "to": "hour"});
        assert_eq!(result(parameters), json!({"roundedDate": "2024-05-17T13:00:00.000Z"}));
    }

    #[test]
    fn tells_the_time_between_two_dates() {
        let mut parameters = json!({
            "operation": "getTimeBetweenDates", "startDate": "2024-01-01", "endDate": "2024-03-02T06:00:00Z",
            "units": ["month", "day", "hour"],
        });
        assert_eq!(result(parameters.clone()), json!({"timeDifference": {"months": 2, "days": 1, "hours": 6}}));
        parameters["options"] = json!({"isoString": true});
        assert_eq!(result(parameters), json!({"timeDifference": "P2M1DT6H"}));
    }

    #[test]
    fn takes_a_part() {
        let parameters = json!({"operation": "extractDate", "date": "2024-05-17T12:30:00Z", "part": "week"});
        assert_eq!(result(parameters), json!({"datePart": 20}));
        let mut bad =
            Bench::new(&DateAndTime, 2.0, json!({"operation": "extractDate", "date": "x"})).input(json!([{}]));
        assert_eq!(bad.failure(), "the value could not be read as a date: check it, or name its format");
    }

    fn formatted(date: &str, timezone: chrono_tz::Tz) -> String {
        let parameters =
            json!({"operation": "formatDate", "date": date, "format": "custom", "customFormat": "HH:mm ZZ"});
        let mut bench = Bench::new(&DateAndTime, 2.0, parameters).input(json!([{}]));
        bench.timezone = timezone;
        bench.output()[0]["formattedDate"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_date_that_knows_its_zone_is_written_in_it() {
        assert_eq!(formatted("={{ $now }}", chrono_tz::America::New_York), "08:30 -04:00");
        assert_eq!(formatted("={{ $now }}", chrono_tz::Asia::Kolkata), "18:00 +05:30");
        assert_eq!(formatted("2024-05-17T08:30:45.678-04:00", chrono_tz::America::New_York), "12:30 +00:00");
    }
}
