//! A calendar file of one event.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

/// Longest line, in bytes: a longer one goes on in the next, after a space.
const LINE_BYTES_MAX: usize = 75;

/// What a file tells of its event. Empty texts are not written.
#[derive(Debug, Default)]
pub(in crate::files) struct Event {
    pub(in crate::files) uid: String,
    pub(in crate::files) calendar: String,
    pub(in crate::files) title: String,
    pub(in crate::files) description: String,
    pub(in crate::files) location: String,
    pub(in crate::files) url: String,
    /// `TENTATIVE`, `CONFIRMED` or `CANCELLED`.
    pub(in crate::files) status: String,
    /// `TENTATIVE`, `BUSY`, `FREE` or `OOF`.
    pub(in crate::files) busy: String,
    /// As in a file: `FREQ=WEEKLY;COUNT=4`.
    pub(in crate::files) rule: String,
    /// Degrees north and east.
    pub(in crate::files) place: Option<(f64, f64)>,
    pub(in crate::files) organizer: Option<Person>,
    pub(in crate::files) attendees: Vec<Person>,
    pub(in crate::files) begins: DateTime<Utc>,
    pub(in crate::files) ends: DateTime<Utc>,
    /// The days from the first to the last one, where it has no times.
    pub(in crate::files) days: Option<(NaiveDate, NaiveDate)>,
    /// When the file is made.
    pub(in crate::files) made: DateTime<Utc>,
}

/// Who takes part.
#[derive(Debug, Default)]
pub(in crate::files) struct Person {
    pub(in crate::files) name: String,
    pub(in crate::files) email: String,
    pub(in crate::files) answers: bool,
}

/// The file of an event.
pub(in crate::files) fn write(event: &Event) -> String {
    let mut file = File::default();
    for line in
        ["BEGIN:VCALENDAR", "VERSION:2.0", "CALSCALE:GREGORIAN", "PRODID:-//Timeloom//Timeloom//EN", "METHOD:PUBLISH"]
    {
        file.line(line);
    }
    file.text("X-WR-CALNAME", &event.calendar);
    file.line("BEGIN:VEVENT");
    file.text("UID", &event.uid);
    file.line(&format!("DTSTAMP:{}", instant(event.made)));
    match event.days {
        Some((first, last)) => {
            // The day of the end is the first that is no longer of it.
            file.line(&format!("DTSTART;VALUE=DATE:{}", day(first)));
            file.line(&format!("DTEND;VALUE=DATE:{}", day(last.succ_opt().unwrap_or(last))));
        }
        None => {
            file.line(&format!("DTSTART:{}", instant(event.begins)));
            file.line(&format!("DTEND:{}", instant(event.ends)));
        }
    }
    file.text("SUMMARY", &event.title);
    file.text("DESCRIPTION", &event.description);
    file.text("LOCATION", &event.location);
    file.plain("URL", &event.url);
    file.plain("STATUS", &event.status.to_ascii_uppercase());
    if let Some((north, east)) = event.place {
        file.line(&format!("GEO:{north};{east}"));
    }
    if let Some(organizer) = &event.organizer {
        file.line(&format!("ORGANIZER{}", named(organizer)));
    }
    for attendee in &event.attendees {
        let answer = if attendee.answers { "TRUE" } else { "FALSE" };
        file.line(&format!("ATTENDEE;RSVP={answer}{}", named(attendee)));
    }
    file.plain("RRULE", event.rule.trim_start_matches("RRULE:"));
    file.plain("X-MICROSOFT-CDO-BUSYSTATUS", &event.busy.to_ascii_uppercase());
    file.line("END:VEVENT");
    file.line("END:VCALENDAR");
    file.0
}

fn named(person: &Person) -> String {
    let name = one_line(&person.name).replace('"', "'");
    let name = if name.is_empty() { String::new() } else { format!(";CN=\"{name}\"") };
    format!("{name}:mailto:{}", one_line(&person.email))
}

fn instant(moment: DateTime<Utc>) -> String {
    moment.format("%Y%m%dT%H%M%SZ").to_string()
}

fn day(day: NaiveDate) -> String {
    format!("{:04}{:02}{:02}", day.year(), day.month(), day.day())
}

/// A value that nothing escapes: what would end its line is left out.
fn one_line(value: &str) -> String {
    value.chars().filter(|character| !character.is_control()).collect()
}

#[derive(Default)]
struct File(String);

impl File {
    fn text(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut escaped = String::with_capacity(text.len());
        for character in text.replace("\r\n", "\n").chars() {
            match character {
                '\n' => escaped.push_str("\\n"),
                '\\' | ';' | ',' => escaped.extend(['\\', character]),
                control if control.is_control() && control != '\t' => {}
                other => escaped.push(other),
            }
        }
        self.line(&format!("{name}:{escaped}"));
    }

    fn plain(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.line(&format!("{name}:{}", one_line(value)));
        }
    }

    /// Writes a line, folded where it is too long.
    fn line(&mut self, line: &str) {
        let mut bytes = 0;
        for character in line.chars() {
            if bytes + character.len_utf8() > LINE_BYTES_MAX {
                self.0.push_str("\r\n ");
                bytes = 1;
            }
            self.0.push(character);
            bytes += character.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}
