//! Writing times: Luxon's format tokens (English) and its `toISO`.

use std::fmt::Write;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::{OffsetName, Tz};

use super::{offset_seconds, week_of};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// ISO 8601 as Luxon's `toISO` writes it: `2023-01-01T00:00:00.000-05:00`, with `Z` for offset 0 of UTC.
pub fn to_iso(moment: &DateTime<Tz>) -> String {
    let mut text = String::with_capacity(29);
    let year = moment.year();
    match year {
        0..=9999 => text.push_str(&pad(i64::from(year), 4)),
        _ => {
            text.push(if year < 0 { '-' } else { '+' });
            text.push_str(&pad(i64::from(year.abs()), 6));
        }
    }
    let millis = moment.timestamp_subsec_millis();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "-{:02}-{:02}T{:02}:{:02}:{:02}.{millis:03}",
        moment.month(),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    );
    // Luxon writes `Z` for the zones UTC and GMT only; another zone at 0, `Etc/UTC` too, gets `+00:00`.
    if offset_seconds(moment) == 0 && is_utc(moment.timezone()) {
        text.push('Z');
    } else {
        text.push_str(&offset_text(offset_seconds(moment), ":", true));
    }
    text
}

fn is_utc(zone: Tz) -> bool {
    matches!(zone, Tz::UTC | Tz::GMT)
}

fn offset_text(seconds: i32, separator: &str, padded: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    let (hours, rest) = (minutes / 60, minutes % 60);
    if padded {
        format!("{sign}{hours:02}{separator}{rest:02}")
    } else if rest == 0 {
        format!("{sign}{hours}")
    } else {
        format!("{sign}{hours}:{rest}")
    }
}

fn pad(number: i64, width: usize) -> String {
    if number < 0 { format!("-{:0width$}", -number) } else { format!("{number:0width$}") }
}

/// `moment` written with Luxon's tokens, for example `yyyy-MM-dd HH:mm:ss`. Text in single quotes is literal.
pub fn format(moment: &DateTime<Tz>, luxon_format: &str) -> String {
    let mut text = String::with_capacity(luxon_format.len() + 8);
    for part in split(luxon_format) {
        match part {
            Part::Literal(literal) => text.push_str(&literal),
            Part::Token(letter, count) => match token(moment, letter, count) {
                Some(written) => text.push_str(&written),
                None => text.extend(std::iter::repeat_n(letter, count)),
            },
        }
    }
    text
}

/// One part of a Luxon format.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// Text as it stands.
    Literal(String),
    /// A run of one letter.
    Token(char, usize),
}

/// The parts of a Luxon format.
pub(super) fn split(luxon_format: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut quoted: Option<String> = None;
    for character in luxon_format.chars() {
        match (&mut quoted, character) {
            (Some(literal), '\'') => {
                let literal = std::mem::take(literal);
                parts.push(Part::Literal(if literal.is_empty() { "'".to_owned() } else { literal }));
                quoted = None;
            }
            (Some(literal), _) => literal.push(character),
            (None, '\'') => quoted = Some(String::new()),
            (None, _) if !character.is_ascii_alphabetic() => parts.push(Part::Literal(character.to_string())),
            (None, _) => match parts.last_mut() {
                Some(Part::Token(letter, count)) if *letter == character => *count += 1,
                _ => parts.push(Part::Token(character, 1)),
            },
        }
    }
    if let Some(literal) = quoted.filter(|literal| !literal.is_empty()) {
        parts.push(Part::Literal(literal));
    }
    parts
}

fn token(moment: &DateTime<Tz>, letter: char, count: usize) -> Option<String> {
    match letter {
        'S' | 'u' | 's' | 'm' | 'h' | 'H' | 'a' => clock_token(moment, letter, count),
        'Z' | 'z' | 'X' | 'x' => zone_token(moment, letter, count),
        'D' | 't' | 'T' | 'f' | 'F' => macro_token(moment, letter, count),
        _ => date_token(moment, letter, count),
    }
}

fn clock_token(moment: &DateTime<Tz>, letter: char, count: usize) -> Option<String> {
    let millis = i64::from(moment.timestamp_subsec_millis());
    let hour12 = i64::from(moment.hour12().1);
    Some(match (letter, count) {
        ('S', 1) => millis.to_string(),
        ('S', 3) | ('u', 1) => pad(millis, 3),
        ('u', 2) => pad(millis / 10, 2),
        ('u', 3) => (millis / 100).to_string(),
        ('s', 1 | 2) => pad(i64::from(moment.second()), count),
        ('m', 1 | 2) => pad(i64::from(moment.minute()), count),
        ('h', 1 | 2) => pad(hour12, count),
        ('H', 1 | 2) => pad(i64::from(moment.hour()), count),
        ('a', 1) => if moment.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        _ => return None,
    })
}

fn zone_token(moment: &DateTime<Tz>, letter: char, count: usize) -> Option<String> {
    let offset = offset_seconds(moment);
    Some(match (letter, count) {
        ('Z', 1) => offset_text(offset, "", false),
        ('Z', 2) => offset_text(offset, ":", true),
        ('Z', 3) => offset_text(offset, "", true),
        ('Z', 4) => zone_abbreviation(moment),
        ('z', 1) => moment.timezone().name().to_owned(),
        ('X', 1) => moment.timestamp().to_string(),
        ('x', 1) => moment.timestamp_millis().to_string(),
        _ => return None,
    })
}

/// Zone names as `en-US` has them: American zones have letters, the others a distance from GMT.
fn zone_abbreviation(moment: &DateTime<Tz>) -> String {
    const LETTERED: [&str; 14] =
        ["EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "AST", "ADT", "AKST", "AKDT", "HST", "HDT"];
    let zone = moment.timezone();
    let name = moment.offset().abbreviation().unwrap_or_default();
    let is_american =
        zone.name().starts_with("America/") || zone.name().starts_with("US/") || zone == Tz::Pacific__Honolulu;
    if (is_american && LETTERED.contains(&name)) || name == "UTC" {
        return name.to_owned();
    }
    let offset = offset_seconds(moment);
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let sign = if offset < 0 { '-' } else { '+' };
    match (hours, minutes) {
        (0, 0) => "GMT".to_owned(),
        (_, 0) => format!("GMT{sign}{hours}"),
        _ => format!("GMT{sign}{hours}:{minutes:02}"),
    }
}

fn date_token(moment: &DateTime<Tz>, letter: char, count: usize) -> Option<String> {
    let (year, month) = (i64::from(moment.year()), moment.month());
    let weekday = moment.weekday();
    let (week_year, week) = week_of(moment);
    let month_name = MONTHS.get(moment.month0() as usize)?;
    let weekday_name = WEEKDAYS.get(weekday.num_days_from_monday() as usize)?;
    Some(match (letter, count) {
        ('d', 1 | 2) => pad(i64::from(moment.day()), count),
        ('E' | 'c', 1) => weekday.number_from_monday().to_string(),
        ('E' | 'c', 3) => weekday_name[..3].to_owned(),
        ('E' | 'c', 4) => (*weekday_name).to_owned(),
        ('E' | 'c', 5) => weekday_name[..1].to_owned(),
        ('L' | 'M', 1 | 2) => pad(i64::from(month), count),
        ('L' | 'M', 3) => month_name[..3].to_owned(),
        ('L' | 'M', 4) => (*month_name).to_owned(),
        ('L' | 'M', 5) => month_name[..1].to_owned(),
        ('y', 1) => year.to_string(),
        ('y', 2) => pad(year.rem_euclid(100), 2),
        ('y', 4 | 6) => pad(year, count),
        ('k', 2) => pad(i64::from(week_year).rem_euclid(100), 2),
        ('k', 4) => pad(i64::from(week_year), 4),
        ('W', 1 | 2) => pad(i64::from(week), count),
        ('n', 1 | 2) => pad(local_week(moment).1, count),
        ('i', 2) => pad(local_week(moment).0.rem_euclid(100), 2),
        ('i', 4) => pad(local_week(moment).0, 4),
        ('o', 1 | 3) => pad(i64::from(moment.ordinal()), count),
        ('q', 1 | 2) => pad(i64::from((month - 1) / 3 + 1), count),
        ('G', 1) => if year > 0 { "AD" } else { "BC" }.to_owned(),
        ('G', 2) => if year > 0 { "Anno Domini" } else { "Before Christ" }.to_owned(),
        ('G', 5) => if year > 0 { "A" } else { "B" }.to_owned(),
        _ => return None,
    })
}

/// The named formats of the `en-US` locale: `D` to `DDDD`, `t`, `T`, `f` and `F` with their longer forms.
fn macro_token(moment: &DateTime<Tz>, letter: char, count: usize) -> Option<String> {
    let pattern = match (letter, count) {
        ('D', 1) => "M/d/yyyy",
        ('D', 2) => "LLL d, yyyy",
        ('D', 3) => "LLLL d, yyyy",
        ('D', 4) => "cccc, LLLL d, yyyy",
        ('t', 1) => "h:mm a",
        ('t', 2) => "h:mm:ss a",
        ('t', 3) => "h:mm:ss a ZZZZ",
        ('T', 1) => "HH:mm",
        ('T', 2) => "HH:mm:ss",
        ('T', 3) => "HH:mm:ss ZZZZ",
        ('f', 1) => "M/d/yyyy, h:mm a",
        ('f', 2) => "LLL d, yyyy, h:mm a",
        ('f', 3) => "LLLL d, yyyy 'at' h:mm a ZZZZ",
        ('f', 4) => "cccc, LLLL d, yyyy 'at' h:mm a ZZZZ",
        ('F', 1) => "M/d/yyyy, h:mm:ss a",
        ('F', 2) => "LLL d, yyyy, h:mm:ss a",
        ('F', 3) => "LLLL d, yyyy 'at' h:mm:ss a ZZZZ",
        ('F', 4) => "cccc, LLLL d, yyyy 'at' h:mm:ss a ZZZZ",
        _ => return None,
    };
    Some(format(moment, pattern))
}

/// Week and its year as the `en-US` locale counts: from Sunday, and week 1 is the one with January 1.
fn local_week(moment: &DateTime<Tz>) -> (i64, i64) {
    let date = moment.naive_local().date();
    let days_in_year = if date.leap_year() { 366 } else { 365 };
    let (ordinal, weekday) = (i64::from(date.ordinal0()), i64::from(date.weekday().num_days_from_sunday()));
    let year = i64::from(date.year());
    // The week of a late December day that holds the next January 1 is that year's first.
    if ordinal - weekday + 7 > days_in_year {
        return (year + 1, 1);
    }
    let first_weekday = (weekday - ordinal).rem_euclid(7);
    (year, (ordinal + first_weekday) / 7 + 1)
}
