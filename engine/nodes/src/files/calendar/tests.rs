//! Calendar files read and written.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::{Event, Person, read, write};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn file(event: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//X//Y//EN\r\n{event}END:VCALENDAR\r\n")
}

#[test]
fn events_are_read_with_their_times_in_every_zone() {
    let zone =
        "BEGIN:VTIMEZONE\r\nTZID:Our Time\r\nBEGIN:STANDARD\r\nTZOFFSETTO:+0130\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    let event = |start: &str| format!("{zone}BEGIN:VEVENT\r\nUID:1\r\nDTSTART{start}\r\nEND:VEVENT\r\n");
    let start = |line: &str| {
        let read = read(&file(&event(line)), Tz::Europe__Berlin).unwrap();
        read["events"][0]["start"]["date"].as_str().unwrap().to_owned()
    };
    assert_eq!(start(":20300601T120000Z"), "2030-06-01T12:00:00.000Z");
    assert_eq!(start(";TZID=America/New_York:20300601T120000"), "2030-06-01T16:00:00.000Z");
    assert_eq!(start(":20300601T120000"), "2030-06-01T10:00:00.000Z", "in the workflow's zone");
    assert_eq!(start(";TZID=\"Our Time\":20300601T120000"), "2030-06-01T10:30:00.000Z", "a zone of the file's own");
    assert_eq!(start(";TZID=Nowhere:20300601T120000"), "2030-06-01T12:00:00.000Z");
    assert_eq!(start(";VALUE=DATE:20300601"), "2030-06-01T00:00:00.000Z");
    assert_eq!(start(":20300331T023000"), "2030-03-31T01:30:00.000Z", "the clocks go forward past it");
}

#[test]
fn what_an_event_says_is_given_by_name() {
    let event = "BEGIN:VEVENT\r\nUID:a@b\r\nSUMMARY:One\\, two\\nthree and a line that goes\r\n  on\r\nCATEGORIES:x,y\\,z\r\n\
                 ORGANIZER;CN=\"Ada; L\":mailto:ada@example.com\r\nATTENDEE;PARTSTAT=ACCEPTED;RSVP=TRUE:MAILTO:bob@example.com\r\n\
                 RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=MO,WE;UNTIL=20300701\r\nGEO:48.1;11.5\r\nSEQUENCE:2\r\n\
                 EXDATE:20300608T120000Z,20300615T120000Z\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\n";
    let read = read(&file(event), Tz::UTC).unwrap();
    let moment = |date: &str, kind: &str| json!({"date": date, "type": kind});
    let expected = json!({
        "prodId": "-//X//Y//EN", "version": "2.0",
        "events": [{
            "uid": "a@b", "summary": "One, two\nthree and a line that goes on", "sequence": 2, "categories": ["x", "y,z"],
            "organizer": {"email": "ada@example.com", "name": "Ada; L"},
            "attendees": [{"email": "bob@example.com", "partstat": "ACCEPTED", "rsvp": true}],
            "geo": {"lat": 48.1, "lon": 11.5},
            "recurrenceRule": {"frequency": "WEEKLY", "count": 4, "byDay": ["MO", "WE"], "until": moment("2030-07-01T00:00:00.000Z", "DATE")},
            "exceptionDates": [moment("2030-06-08T12:00:00.000Z", "DATE-TIME"), moment("2030-06-15T12:00:00.000Z", "DATE-TIME")],
            "alarms": [{"action": "DISPLAY", "trigger": "-PT15M"}],
        }],
    });
    assert_eq!(read, expected);
}

#[test]
fn what_is_no_calendar_is_refused_with_its_line() {
    let deep = "BEGIN:VCALENDAR\r\n".to_owned() + &"BEGIN:X\r\n".repeat(100_000);
    for (text, why) in [
        ("", "line 0 is the last, and no calendar ends there"),
        ("hello", "line 1 has no ':'"),
        ("BEGIN:VEVENT\nEND:VEVENT", "line 1 begins something outside a calendar"),
        ("BEGIN:VCALENDAR\nEND:VEVENT", "line 2 ends what did not begin"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1", "line 3 is the last, and no calendar ends there"),
        (&deep, "line 9 is too deep within others"),
    ] {
        let refusal = read(text, Tz::UTC).unwrap_err().message;
        assert_eq!(refusal, format!("the file is not a calendar that can be read: {why}"));
    }
}

#[test]
fn what_is_written_is_read_again() {
    let event = Event {
        uid: "1@x".to_owned(),
        title: "Größe; a, b \\ ".repeat(12),
        description: "two\nlines\u{7}".to_owned(),
        begins: at("2030-06-01T12:00:00Z"),
        ends: at("2030-06-01T13:00:00Z"),
        made: at("2030-01-01T00:00:00Z"),
        organizer: Some(Person { name: "A \"x\"\nBEGIN:VEVENT".to_owned(), email: "a@b".to_owned(), answers: false }),
        attendees: vec![Person { name: String::new(), email: "c@d".to_owned(), answers: true }],
        place: Some((1.5, -2.25)),
        url: "https://example.com/\r\nBEGIN:X".to_owned(),
        ..Event::default()
    };
    let written = write(&event);
    assert!(written.split("\r\n").all(|line| line.len() <= 75));
    let read = read(&written, Tz::UTC).unwrap();
    assert_eq!(read["events"].as_array().unwrap().len(), 1, "no value begins something else: {written}");
    let read = &read["events"][0];
    assert_eq!(read["summary"], json!(event.title));
    assert_eq!(read["description"], "two\nlines");
    assert_eq!(read["start"]["date"], "2030-06-01T12:00:00.000Z");
    assert_eq!(read["end"]["date"], "2030-06-01T13:00:00.000Z");
    assert_eq!(read["organizer"], json!({"email": "a@b", "name": "A 'x'BEGIN:VEVENT"}));
    assert_eq!(read["attendees"], json!([{"email": "c@d", "rsvp": true}]));
    assert_eq!(read["geo"], json!({"lat": 1.5, "lon": -2.25}));
}

#[test]
fn days_end_with_the_last_of_them() {
    let days = (NaiveDate::from_ymd_opt(2030, 2, 27).unwrap(), NaiveDate::from_ymd_opt(2030, 2, 28).unwrap());
    let written = write(&Event { days: Some(days), ..Event::default() });
    assert!(written.contains("DTSTART;VALUE=DATE:20300227\r\nDTEND;VALUE=DATE:20300301\r\n"), "{written}");
}
