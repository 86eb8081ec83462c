//! The events of a calendar file as data.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::NodeError;

use super::lines::{Component, Line, calendar};
use crate::values::number_value;

/// What is given of each event as text, under which name.
const TEXTS: [(&str, &str); 9] = [
    ("UID", "uid"),
    ("SUMMARY", "summary"),
    ("DESCRIPTION", "description"),
    ("LOCATION", "location"),
    ("STATUS", "status"),
    ("CLASS", "class"),
    ("TRANSP", "timeTransparent"),
    ("URL", "url"),
    ("DURATION", "duration"),
];
/// Moments of each event.
const MOMENTS: [(&str, &str); 5] = [
    ("DTSTART", "start"),
    ("DTEND", "end"),
    ("DTSTAMP", "stamp"),
    ("CREATED", "created"),
    ("LAST-MODIFIED", "lastModified"),
];

/// A calendar as data: `prodId`, `version`, `method`, and `events`, each with its texts, its moments (`start.date` as an instant,
/// and where it is told in a zone `start.local`), who takes part, how it comes again and when it reminds.
///
/// A time without a zone is read in `zone`.
///
/// # Errors
/// [`NodeError`] when it is no calendar file.
pub(in crate::files) fn read(text: &str, zone: Tz) -> Result<Value, NodeError> {
    let calendar = calendar(text)?;
    let zones = Zones { usual: zone, calendar: &calendar };
    let mut read = JsonObject::new();
    for (name, field) in [("PRODID", "prodId"), ("VERSION", "version"), ("METHOD", "method"), ("X-WR-CALNAME", "name")]
    {
        if let Some(line) = calendar.line(name) {
            read.insert(field.to_owned(), Value::String(line.text()));
        }
    }
    let events = calendar.named("VEVENT").map(|event| Value::Object(zones.event(event))).collect();
    read.insert("events".to_owned(), Value::Array(events));
    Ok(Value::Object(read))
}

struct Zones<'c> {
    usual: Tz,
    calendar: &'c Component,
}

impl Zones<'_> {
    fn event(&self, event: &Component) -> JsonObject {
        let mut fields = JsonObject::new();
        let mut put = |field: &str, value: Value| fields.insert(field.to_owned(), value);
        for (name, field) in TEXTS {
            if let Some(line) = event.line(name) {
                put(field, Value::String(line.text()));
            }
        }
        for (name, field) in MOMENTS {
            if let Some(moment) = event.line(name).and_then(|line| self.moment(line)) {
                put(field, moment);
            }
        }
        for (name, field) in [("SEQUENCE", "sequence"), ("PRIORITY", "priority")] {
            if let Some(number) = event.line(name).and_then(|line| line.value.trim().parse::<i64>().ok()) {
                put(field, json!(number));
            }
        }
        let all = |name: &'static str| event.lines.iter().filter(move |line| line.name == name);
        let categories: Vec<String> = all("CATEGORIES").flat_map(Line::texts).collect();
        if !categories.is_empty() {
            put("categories", json!(categories));
        }
        if let Some(organizer) = event.line("ORGANIZER") {
            put("organizer", person(organizer));
        }
        let attendees: Vec<Value> = all("ATTENDEE").map(person).collect();
        if !attendees.is_empty() {
            put("attendees", json!(attendees));
        }
        if let Some((latitude, longitude)) = event.line("GEO").and_then(|line| line.value.split_once(';')) {
            let degrees = |text: &str| text.trim().parse().ok().map(number_value);
            put("geo", json!({"lat": degrees(latitude), "lon": degrees(longitude)}));
        }
        if let Some(rule) = event.line("RRULE") {
            put("recurrenceRule", self.rule(rule));
        }
        let excepted: Vec<Value> = all("EXDATE").flat_map(|line| self.moments(line)).collect();
        if !excepted.is_empty() {
            put("exceptionDates", json!(excepted));
        }
        let alarms: Vec<Value> = event.named("VALARM").map(alarm).collect();
        if !alarms.is_empty() {
            put("alarms", json!(alarms));
        }
        fields
    }

    fn moment(&self, line: &Line) -> Option<Value> {
        self.moments(line).into_iter().next()
    }

    /// Each moment of a line: a day is its beginning in UTC.
    fn moments(&self, line: &Line) -> Vec<Value> {
        let moment = |text: &str| {
            if let Ok(day) = NaiveDate::parse_from_str(text, "%Y%m%d") {
                return Some(json!({"date": iso(day.and_time(chrono::NaiveTime::MIN).and_utc()), "type": "DATE"}));
            }
            if let Some(utc) = text.strip_suffix('Z') {
                let moment = NaiveDateTime::parse_from_str(utc, "%Y%m%dT%H%M%S").ok()?;
                return Some(json!({"date": iso(moment.and_utc()), "type": "DATE-TIME"}));
            }
            let wall = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()?;
            let zone = line.parameter("TZID");
            let moment = self.instant(wall, zone);
            let mut told = json!({"date": iso(moment), "type": "DATE-TIME"});
            if let Some(zone) = zone {
                told["local"] = json!({"date": wall.format("%Y-%m-%dT%H:%M:%S").to_string(), "timezone": zone});
            }
            Some(told)
        };
        line.value.split(',').filter_map(|text| moment(text.trim())).collect()
    }

    /// When a clock shows `wall` there. A name that is none of the time zone database is looked for among the file's own zones,
    /// whose standard time is taken.
    fn instant(&self, wall: NaiveDateTime, zone: Option<&str>) -> DateTime<Utc> {
        let known = zone.map_or(Some(self.usual), |name| name.trim_start_matches('/').parse::<Tz>().ok());
        if let Some(zone) = known {
            // A time that the clocks leave out is the one an hour later.
            let later = || zone.from_local_datetime(&(wall + Duration::hours(1))).earliest();
            let moment = zone.from_local_datetime(&wall).earliest().or_else(later);
            return moment.map_or(wall.and_utc(), |moment| moment.with_timezone(&Utc));
        }
        let named = |of: &&Component| of.line("TZID").map(|line| line.value.as_str()) == zone;
        let own = self.calendar.named("VTIMEZONE").find(named);
        let offset = own
            .and_then(|own| own.named("STANDARD").last()?.line("TZOFFSETTO"))
            .and_then(|line| seconds_of(line.value.trim()))
            .unwrap_or(0);
        (wall - Duration::seconds(offset)).and_utc()
    }

    fn rule(&self, line: &Line) -> Value {
        let mut rule = JsonObject::new();
        for (name, value) in line.value.split(';').filter_map(|part| part.split_once('=')) {
            let (field, value) = match name.to_ascii_uppercase().as_str() {
                "FREQ" => ("frequency", json!(value)),
                "INTERVAL" => ("interval", whole(value)),
                "COUNT" => ("count", whole(value)),
                "UNTIL" => {
                    let until = Line { value: value.to_owned(), ..Line::default() };
                    ("until", self.moment(&until).unwrap_or_default())
                }
                "BYDAY" => ("byDay", json!(value.split(',').collect::<Vec<_>>())),
                "BYMONTH" => ("byMonth", value.split(',').map(whole).collect()),
                "BYMONTHDAY" => ("byMonthDay", value.split(',').map(whole).collect()),
                "BYSETPOS" => ("bySetPos", value.split(',').map(whole).collect()),
                "WKST" => ("weekStart", json!(value)),
                _ => continue,
            };
            rule.insert(field.to_owned(), value);
        }
        Value::Object(rule)
    }
}

fn whole(text: &str) -> Value {
    text.trim().parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}

/// Seconds east of UTC of an offset such as `+0130`.
fn seconds_of(offset: &str) -> Option<i64> {
    let digits = offset.strip_prefix(['+', '-'])?;
    let two = |from: usize| digits.get(from..from + 2)?.parse::<i64>().ok();
    let seconds = two(0)? * 3_600 + two(2)? * 60 + two(4).unwrap_or(0);
    Some(if offset.starts_with('-') { -seconds } else { seconds })
}

fn person(line: &Line) -> Value {
    let address = line.value.trim();
    let email = match address.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &address[7..],
        _ => address,
    };
    let mut person = json!({"email": email});
    for (name, field) in [("CN", "name"), ("PARTSTAT", "partstat"), ("ROLE", "role"), ("RSVP", "rsvp")] {
        if let Some(value) = line.parameter(name) {
            person[field] = if name == "RSVP" { json!(value.eq_ignore_ascii_case("TRUE")) } else { json!(value) };
        }
    }
    person
}

fn alarm(alarm: &Component) -> Value {
    let mut told = JsonObject::new();
    for (name, field) in [("ACTION", "action"), ("TRIGGER", "trigger"), ("DESCRIPTION", "description")] {
        if let Some(line) = alarm.line(name) {
            told.insert(field.to_owned(), Value::String(line.text()));
        }
    }
    Value::Object(told)
}

fn iso(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
