//! The calendar event that Convert to File makes of each item, and its parameters.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use sha2::{Digest as _, Sha256};
use timeloom_domain::catalogue::{Choice, Condition, ParameterDefinition};
use timeloom_domain::item::BinaryData;
use timeloom_engine::node::{NodeError, NodeRun};
use timeloom_expressions::time;

use super::calendar::{Event, Person, write};
use super::kept;
use crate::describe::{choice, collection, date_time, is, list, long_text, many, number, one, options, switch, text};

const EVENTS: &[Condition] = &[is("operation", &["iCal"])];

pub(super) const TITLE: ParameterDefinition =
    text("title", "What the event is called.").called("Event title").or_text("").when(EVENTS);
pub(super) const START: ParameterDefinition = date_time("start", "When it begins.").when(EVENTS);
pub(super) const END: ParameterDefinition =
    date_time("end", "When it ends; for whole days, the last of them.").when(EVENTS);
pub(super) const ALL_DAY: ParameterDefinition =
    switch("allDay", "Whether it is of whole days, without times.").called("All day").or_false().when(EVENTS);

const NAME: ParameterDefinition = text("name", "Who that is.").or_text("");
const EMAIL: ParameterDefinition = text("email", "Their address.").like("ada@example.com").or_text("");
const BUSY: &[Choice] =
    &[choice("BUSY", "Busy"), choice("FREE", "Free"), choice("OOF", "Out of office"), choice("TENTATIVE", "Tentative")];
const STATUS: &[Choice] =
    &[choice("CONFIRMED", "Confirmed"), choice("CANCELLED", "Cancelled"), choice("TENTATIVE", "Tentative")];

pub(super) const MORE: ParameterDefinition = collection(
    "additionalFields",
    &[
        list(
            "attendeesUi",
            &[many(
                "attendeeValues",
                "Attendee",
                &[NAME, EMAIL, switch("rsvp", "Whether they are asked to answer.").called("RSVP").or_false()],
            )],
            "Who is invited.",
        )
        .called("Attendees"),
        options("busyStatus", BUSY, "What it makes of the time.").called("Busy status"),
        text("calName", "Name of the calendar.").called("Calendar name"),
        long_text("description", "What it is about."),
        text("fileName", "Name of the file.").or_text("event.ics"),
        list(
            "geolocationUi",
            &[one(
                "geolocationValues",
                "Geolocation",
                &[number("lat", "Degrees north."), number("lon", "Degrees east.")],
            )],
            "Where on the earth.",
        )
        .called("Geolocation"),
        text("location", "Where."),
        list("organizerUi", &[one("organizerValues", "Organizer", &[NAME, EMAIL])], "Who invites.").called("Organizer"),
        text("recurrenceRule", "How it comes again, as RFC 5545 writes it.")
            .called("Recurrence rule")
            .like("FREQ=WEEKLY;COUNT=4"),
        options("status", STATUS, "Whether it takes place."),
        text("uid", "What identifies it; what it tells when empty.").called("UID"),
        text("url", "An address about it.").called("URL"),
        switch("useWorkflowTimezone", "Whether times without a zone are of the workflow's, not UTC.")
            .called("Use workflow timezone")
            .or_false(),
    ],
    "What else to tell.",
)
.when(EVENTS);

/// The file of an item's event.
///
/// # Errors
/// [`NodeError`] when its times are none, or the end is before the beginning.
pub(super) fn file(run: &mut NodeRun<'_>, index: usize) -> Result<BinaryData, NodeError> {
    let zone =
        if run.boolean("additionalFields.useWorkflowTimezone", index, false)? { run.scope.timezone } else { Tz::UTC };
    let (begins, ends) = (moment(run, "start", zone, index)?, moment(run, "end", zone, index)?);
    if ends < begins {
        return Err(NodeError::operation(format!("the event of item {index} ends before it begins"))
            .described("give an end that is not before the start"));
    }
    let days: Option<(NaiveDate, NaiveDate)> =
        run.boolean("allDay", index, false)?.then(|| (begins.date_naive(), ends.date_naive()));
    let mut more = |name: &str| run.text(&format!("additionalFields.{name}"), index, "");
    let mut event = Event {
        uid: more("uid")?,
        calendar: more("calName")?,
        description: more("description")?,
        location: more("location")?,
        url: more("url")?,
        status: more("status")?,
        busy: more("busyStatus")?,
        rule: more("recurrenceRule")?,
        begins: begins.to_utc(),
        ends: ends.to_utc(),
        days,
        ..Event::default()
    };
    event.title = run.text("title", index, "")?;
    event.made = DateTime::from_timestamp_millis(run.scope.now_ms).unwrap_or_default();
    event.organizer = people(run, "organizerUi.organizerValues", index)?.pop();
    event.attendees = people(run, "attendeesUi.attendeeValues", index)?;
    event.place = place(run, index)?;
    if event.uid.is_empty() {
        event.uid = own_id(&event);
    }
    let name = run.text("additionalFields.fileName", index, "event.ics")?;
    kept(run, write(&event).into_bytes(), "text/calendar", name)
}

fn moment(run: &mut NodeRun<'_>, name: &str, zone: Tz, index: usize) -> Result<DateTime<Tz>, NodeError> {
    let value = run.parameter(name, index)?.unwrap_or_default();
    time::parse(&value, zone).ok_or_else(|| {
        NodeError::operation(format!("the {name} of item {index}'s event is no date that can be read"))
            .described("write it as 2030-06-01T12:00:00, or give a date by an expression")
    })
}

/// The people of a list, or the one of an entry that there is once.
fn people(run: &mut NodeRun<'_>, path: &str, index: usize) -> Result<Vec<Person>, NodeError> {
    let value = run.parameter(&format!("additionalFields.{path}"), index)?.unwrap_or_default();
    let entries = match value {
        serde_json::Value::Array(entries) => entries,
        serde_json::Value::Object(_) => vec![value],
        _ => Vec::new(),
    };
    let text = |entry: &serde_json::Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let person = |entry: &serde_json::Value| Person {
        name: text(entry, "name"),
        email: text(entry, "email"),
        answers: entry["rsvp"].as_bool().unwrap_or_default(),
    };
    Ok(entries.iter().map(person).filter(|person| !person.email.is_empty()).collect())
}

fn place(run: &mut NodeRun<'_>, index: usize) -> Result<Option<(f64, f64)>, NodeError> {
    let value = run.parameter("additionalFields.geolocationUi.geolocationValues", index)?.unwrap_or_default();
    let degrees = |field: &str| value.get(field).map(crate::values::number).filter(|degrees| degrees.is_finite());
    Ok(degrees("lat").zip(degrees("lon")))
}

/// Identifies an event by what it tells, so that the same one is the same again.
fn own_id(event: &Event) -> String {
    let told = [&event.title, &event.description, &event.location];
    let mut digest = Sha256::new();
    for text in told {
        digest.update(text.len().to_le_bytes());
        digest.update(text.as_bytes());
    }
    for moment in [event.begins, event.ends] as [DateTime<Utc>; 2] {
        digest.update(moment.timestamp_millis().to_le_bytes());
    }
    let hex: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}@timeloom")
}
