//! Reading times: ISO 8601, RFC 2822, HTTP, SQL, Unix seconds and milliseconds, and Luxon formats.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;
use serde_json::Value;

use super::format::{MONTHS, Part, WEEKDAYS, split};
use super::{from_local, from_ms, offset_at};

/// Reads a JSON text or number as a time, answered in `zone`; local times are taken to be of `zone`.
///
/// Numbers, and texts of 9 to 17 digits, are Unix time: seconds below 12 digits, milliseconds from there.
pub fn parse(value: &Value, zone: Tz) -> Option<DateTime<Tz>> {
    match value {
        Value::Number(number) => from_unix(number.as_f64()?, zone),
        Value::String(text) => parse_text(text, zone),
        _ => None,
    }
}

/// Reads a text as a time; see [`parse`].
pub fn parse_text(text: &str, zone: Tz) -> Option<DateTime<Tz>> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let numeric = digits.chars().all(|character| character.is_ascii_digit() || character == '.');
    if numeric && (9..=17).contains(&digits.len()) {
        return from_unix(text.parse().ok()?, zone);
    }
    parse_iso(text, zone).or_else(|| parse_rfc2822(text, zone)).or_else(|| parse_common(text, zone))
}

fn from_unix(number: f64, zone: Tz) -> Option<DateTime<Tz>> {
    if !number.is_finite() || number.abs() >= 8.64e15 {
        return None;
    }
    let milliseconds = if number.fract() != 0.0 || number.abs() < 1e11 { number * 1000.0 } else { number };
    from_ms(milliseconds.trunc() as i64, zone)
}

/// Where a text says which offset its time has.
enum Stated {
    Local,
    Offset(i32),
    Zone(Tz),
}

fn at(local: NaiveDateTime, stated: &Stated, zone: Tz) -> Option<DateTime<Tz>> {
    let local_ms = local.and_utc().timestamp_millis();
    match stated {
        Stated::Local => from_local(local_ms, offset_at(local_ms, zone)?, zone),
        Stated::Offset(seconds) => from_ms(local_ms - i64::from(*seconds) * 1000, zone),
        Stated::Zone(of) => Some(from_local(local_ms, offset_at(local_ms, *of)?, *of)?.with_timezone(&zone)),
    }
}

/// ISO 8601 date, ordinal date or week date with an optional time; SQL's blank in place of `T` is read too.
fn parse_iso(text: &str, zone: Tz) -> Option<DateTime<Tz>> {
    let mut cursor = Cursor { rest: text };
    let date = iso_date(&mut cursor)?;
    if cursor.rest.is_empty() {
        return at(date.and_time(NaiveTime::MIN), &Stated::Local, zone);
    }
    if !(cursor.take('T') || cursor.take('t') || cursor.take(' ')) {
        return None;
    }
    let (time, carried) = clock_time(&mut cursor)?;
    let stated = stated_offset(&mut cursor)?;
    cursor.rest.is_empty().then_some(())?;
    let local = date.and_time(time).checked_add_signed(TimeDelta::try_days(carried)?)?;
    at(local, &stated, zone)
}

fn iso_date(cursor: &mut Cursor<'_>) -> Option<NaiveDate> {
    let year = match cursor.sign() {
        Some(sign) => sign * i32::try_from(cursor.digits(6)?).ok()?,
        None => i32::try_from(cursor.digits(4)?).ok()?,
    };
    let dashed = cursor.take('-');
    if cursor.take('W') {
        let week = cursor.digits(2)?;
        let has_day = cursor.take('-') || cursor.rest.starts_with(|next: char| next.is_ascii_digit());
        let day = if has_day { cursor.digits(1)? } else { 1 };
        let weekday = Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
        return NaiveDate::from_isoywd_opt(year, week, weekday);
    }
    let run = cursor.rest.chars().take_while(char::is_ascii_digit).count();
    match (dashed, run) {
        (false, 0) => NaiveDate::from_ymd_opt(year, 1, 1),
        (_, 3) => NaiveDate::from_yo_opt(year, cursor.digits(3)?),
        (_, 2) => {
            let month = cursor.digits(2)?;
            let day = if cursor.take('-') { cursor.digits(2)? } else { 1 };
            NaiveDate::from_ymd_opt(year, month, day)
        }
        (false, 4) => NaiveDate::from_ymd_opt(year, cursor.digits(2)?, cursor.digits(2)?),
        _ => None,
    }
}

/// Hours with optional minutes, seconds and fraction; the number is days to add, for 24:00.
fn clock_time(cursor: &mut Cursor<'_>) -> Option<(NaiveTime, i64)> {
    let hour = cursor.digits(2)?;
    let (mut minute, mut second, mut nanos) = (0, 0, 0);
    let mut has_next = cursor.take(':') || cursor.rest.starts_with(|next: char| next.is_ascii_digit());
    if has_next {
        minute = cursor.digits(2)?;
        has_next = cursor.take(':') || cursor.rest.starts_with(|next: char| next.is_ascii_digit());
    }
    if has_next {
        second = cursor.digits(2)?;
        if cursor.take('.') || cursor.take(',') {
            nanos = cursor.fraction_nanos()? / 1_000_000 * 1_000_000;
        }
    }
    if hour == 24 && minute == 0 && second == 0 && nanos == 0 {
        return Some((NaiveTime::MIN, 1));
    }
    Some((NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?, 0))
}

fn stated_offset(cursor: &mut Cursor<'_>) -> Option<Stated> {
    let _ = cursor.take(' ');
    if cursor.rest.is_empty() {
        return Some(Stated::Local);
    }
    if cursor.take('Z') || cursor.take('z') {
        return Some(Stated::Offset(0));
    }
    let stated = match cursor.sign() {
        Some(sign) => {
            let hours = i32::try_from(cursor.digits(2)?).ok()?;
            let _ = cursor.take(':');
            let minutes = if cursor.rest.is_empty() || cursor.rest.starts_with('[') {
                0
            } else {
                i32::try_from(cursor.digits(2)?).ok()?
            };
            Stated::Offset(sign * (hours * 3600 + minutes * 60))
        }
        None => {
            let zone = cursor.rest.parse().ok()?;
            cursor.rest = "";
            Stated::Zone(zone)
        }
    };
    Some(stated)
}

fn parse_rfc2822(text: &str, zone: Tz) -> Option<DateTime<Tz>> {
    let moment = DateTime::parse_from_rfc2822(text).ok()?;
    from_ms(moment.timestamp_millis(), zone)
}

/// Forms that JavaScript's own date parser reads and people write: `1/31/2024 5:06 PM`, `Jan 31, 2024`, `31 Jan 2024`.
fn parse_common(text: &str, zone: Tz) -> Option<DateTime<Tz>> {
    const DATES: [&str; 8] = [
        "M/d/yyyy",
        "yyyy/M/d",
        "yyyy-M-d",
        "LLL d, yyyy",
        "LLLL d, yyyy",
        "d LLL yyyy",
        "d LLLL yyyy",
        "ccc LLL d yyyy",
    ];
    const TIMES: [&str; 7] = ["", " H:mm", " H:mm:ss", " H:mm:ss.SSS", " h:mm a", " h:mm:ss a", " H:mm:ss 'GMT'ZZZ"];
    let text = text.replace(", ", ",");
    for date in DATES {
        for time in TIMES {
            let pattern = format!("{date}{time}").replace(", ", ",");
            if let Some(moment) = parse_format(&text, &pattern, zone) {
                return Some(moment);
            }
            if !time.is_empty() {
                let with_comma = format!("{},{}", date.replace(", ", ","), time.trim_start());
                if let Some(moment) = parse_format(&text, &with_comma, zone) {
                    return Some(moment);
                }
            }
        }
    }
    None
}

/// What a format has read so far.
#[derive(Default)]
struct Fields {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    afternoon: Option<bool>,
    offset: Option<i32>,
    zone: Option<Tz>,
    unix_ms: Option<i64>,
}

/// Reads `text` with a Luxon format, as `DateTime.fromFormat` does; `None` when it does not fit.
pub fn parse_format(text: &str, luxon_format: &str, zone: Tz) -> Option<DateTime<Tz>> {
    let mut cursor = Cursor { rest: text };
    let mut fields = Fields::default();
    for part in split(luxon_format) {
        match part {
            Part::Literal(literal) => cursor.rest = cursor.rest.strip_prefix(literal.as_str())?,
            Part::Token(letter, count) => read_token(&mut cursor, &mut fields, letter, count)?,
        }
    }
    cursor.rest.is_empty().then_some(())?;
    if let Some(ms) = fields.unix_ms {
        return from_ms(ms, zone);
    }
    finish(&fields, zone)
}

fn finish(fields: &Fields, zone: Tz) -> Option<DateTime<Tz>> {
    let year = fields.year?;
    let date = match fields.ordinal {
        Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal)?,
        None => NaiveDate::from_ymd_opt(year, fields.month.unwrap_or(1), fields.day.unwrap_or(1))?,
    };
    let hour = match fields.afternoon {
        Some(afternoon) => {
            (1..=12).contains(&fields.hour).then_some(())?;
            fields.hour % 12 + if afternoon { 12 } else { 0 }
        }
        None => fields.hour,
    };
    let time = NaiveTime::from_hms_nano_opt(hour, fields.minute, fields.second, fields.nanos)?;
    let stated = match (fields.offset, fields.zone) {
        (Some(offset), _) => Stated::Offset(offset),
        (None, Some(of)) => Stated::Zone(of),
        (None, None) => Stated::Local,
    };
    at(date.and_time(time), &stated, zone)
}

fn read_token(cursor: &mut Cursor<'_>, fields: &mut Fields, letter: char, count: usize) -> Option<()> {
    match (letter, count) {
        ('y', 4) => fields.year = Some(i32::try_from(cursor.digits(4)?).ok()?),
        ('y', 1) => fields.year = Some(i32::try_from(cursor.digits_up_to(6)?).ok()?),
        ('y', 2) => {
            let short = i32::try_from(cursor.digits(2)?).ok()?;
            fields.year = Some(if short > 60 { 1900 + short } else { 2000 + short });
        }
        ('M' | 'L', 1) => fields.month = Some(cursor.digits_up_to(2)?),
        ('M' | 'L', 2) => fields.month = Some(cursor.digits(2)?),
        ('M' | 'L', 3 | 4) => fields.month = Some(cursor.name(&MONTHS, count == 3)?),
        ('d', 1) => fields.day = Some(cursor.digits_up_to(2)?),
        ('d', 2) => fields.day = Some(cursor.digits(2)?),
        ('o', 1) => fields.ordinal = Some(cursor.digits_up_to(3)?),
        ('o', 3) => fields.ordinal = Some(cursor.digits(3)?),
        ('E' | 'c', 3 | 4) => drop(cursor.name(&WEEKDAYS, count == 3)?),
        ('H' | 'h', 1) => fields.hour = cursor.digits_up_to(2)?,
        ('H' | 'h', 2) => fields.hour = cursor.digits(2)?,
        ('m', 1) => fields.minute = cursor.digits_up_to(2)?,
        ('m', 2) => fields.minute = cursor.digits(2)?,
        ('s', 1) => fields.second = cursor.digits_up_to(2)?,
        ('s', 2) => fields.second = cursor.digits(2)?,
        ('S', 1) => fields.nanos = cursor.digits_up_to(3)?.checked_mul(1_000_000)?,
        ('S', 3) => fields.nanos = cursor.digits(3)?.checked_mul(1_000_000)?,
        ('u', 1 | 3) => fields.nanos = cursor.fraction_nanos()? / 1_000_000 * 1_000_000,
        ('a', 1) => fields.afternoon = Some(cursor.name(&["AM", "PM"], false)? == 2),
        ('Z', 1..=3) => fields.offset = Some(cursor.offset()?),
        ('z', 1) => {
            let end = cursor.rest.find(' ').unwrap_or(cursor.rest.len());
            let (name, rest) = cursor.rest.split_at(end);
            fields.zone = Some(name.parse().ok()?);
            cursor.rest = rest;
        }
        ('X', 1) => fields.unix_ms = Some(cursor.signed()?.checked_mul(1000)?),
        ('x', 1) => fields.unix_ms = Some(cursor.signed()?),
        // Any other letter stands for itself, as in writing.
        _ => {
            for _ in 0..count {
                cursor.take(letter).then_some(())?;
            }
        }
    }
    Some(())
}

/// What is left to read.
struct Cursor<'a> {
    rest: &'a str,
}

impl Cursor<'_> {
    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn sign(&mut self) -> Option<i32> {
        if self.take('+') {
            Some(1)
        } else if self.take('-') {
            Some(-1)
        } else {
            None
        }
    }

    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        self.rest = rest;
        digits.parse().ok()
    }

    fn digits_up_to(&mut self, count_max: usize) -> Option<u32> {
        let count = self.rest.bytes().take(count_max).take_while(u8::is_ascii_digit).count();
        if count == 0 { None } else { self.digits(count) }
    }

    fn signed(&mut self) -> Option<i64> {
        let negative = self.take('-');
        let count = self.rest.bytes().take(15).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        let number: i64 = digits.parse().ok()?;
        Some(if negative { -number } else { number })
    }

    /// Digits after a decimal point, as nanoseconds.
    fn fraction_nanos(&mut self) -> Option<u32> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        if digits.is_empty() || digits.len() > 30 {
            return None;
        }
        let nine: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
        nine.parse().ok()
    }

    fn offset(&mut self) -> Option<i32> {
        if self.take('Z') {
            return Some(0);
        }
        let sign = self.sign()?;
        let hours = i32::try_from(self.digits_up_to(2)?).ok()?;
        let minutes = if self.take(':') || self.rest.starts_with(|next: char| next.is_ascii_digit()) {
            i32::try_from(self.digits(2)?).ok()?
        } else {
            0
        };
        Some(sign * (hours * 3600 + minutes * 60))
    }

    /// One of `names`, in any case, counted from 1; `short` reads their first three letters.
    fn name(&mut self, names: &[&str], short: bool) -> Option<u32> {
        for (number, name) in (1..).zip(names) {
            let name = if short { name.get(..3)? } else { name };
            if let Some((head, rest)) = self.rest.split_at_checked(name.len())
                && head.eq_ignore_ascii_case(name)
            {
                self.rest = rest;
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use chrono::Datelike;

    use super::*;

    #[test]
    fn years_need_four_digits() {
        assert!(parse_text("12-01-01", Tz::UTC).is_none());
        assert_eq!(parse_text("2012-01-01", Tz::UTC).map(|moment| moment.year()), Some(2012));
    }
}
