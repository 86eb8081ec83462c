//! moment.js's format tokens, written by way of Luxon's.

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use timeloom_expressions::time::format;

/// One part of a moment format.
#[derive(Debug, PartialEq, Eq)]
enum Part<'f> {
    /// Text as it stands.
    Literal(&'f str),
    /// A token.
    Token(&'f str),
}

/// All tokens, the longer ones before those that they begin with.
const TOKENS: &[&str] = &[
    "YYYYYY",
    "YYYY",
    "YY",
    "Y",
    "GGGG",
    "GG",
    "gggg",
    "gg",
    "Mo",
    "MMMM",
    "MMM",
    "MM",
    "M",
    "Qo",
    "Q",
    "DDDo",
    "DDDD",
    "DDD",
    "Do",
    "DD",
    "D",
    "dddd",
    "ddd",
    "dd",
    "do",
    "d",
    "E",
    "e",
    "Wo",
    "WW",
    "W",
    "wo",
    "ww",
    "w",
    "A",
    "a",
    "HH",
    "H",
    "hh",
    "h",
    "kk",
    "k",
    "mm",
    "m",
    "ss",
    "s",
    "SSSSSSSSS",
    "SSS",
    "SS",
    "S",
    "ZZ",
    "Z",
    "zz",
    "z",
    "X",
    "x",
    "LTS",
    "LT",
    "LLLL",
    "LLL",
    "LL",
    "L",
    "llll",
    "lll",
    "ll",
    "l",
];

fn split(moment_format: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = moment_format;
    while let Some(first) = rest.chars().next() {
        if let Some((literal, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            parts.push(Part::Literal(literal));
            rest = after;
            continue;
        }
        let token = TOKENS.iter().find(|token| rest.starts_with(**token));
        let length = token.map_or(first.len_utf8(), |token| token.len());
        let (part, after) = rest.split_at(length);
        parts.push(if token.is_some() { Part::Token(part) } else { Part::Literal(part) });
        rest = after;
    }
    parts
}

/// `moment` written with moment.js's tokens, for example `YYYY-MM-DD`.
pub(super) fn write(moment: &DateTime<Tz>, moment_format: &str) -> String {
    let mut text = String::new();
    for part in split(moment_format) {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Token(token) => text.push_str(&write_token(moment, token)),
        }
    }
    text
}

fn write_token(moment: &DateTime<Tz>, token: &str) -> String {
    let sunday_based = moment.weekday().num_days_from_sunday();
    match token {
        "Mo" => ordinal(moment.month()),
        "Qo" => ordinal(moment.month0() / 3 + 1),
        "Do" => ordinal(moment.day()),
        "DDDo" => ordinal(moment.ordinal()),
        "do" => ordinal(sunday_based),
        "Wo" => ordinal(moment.iso_week().week()),
        "wo" => ordinal(us_week(moment).1),
        "w" => us_week(moment).1.to_string(),
        "ww" => format!("{:02}", us_week(moment).1),
        "gggg" => format!("{:04}", us_week(moment).0),
        "gg" => format!("{:02}", us_week(moment).0.rem_euclid(100)),
        "d" | "e" => sunday_based.to_string(),
        "dd" => format(moment, "ccc").chars().take(2).collect(),
        "a" => if moment.hour() < 12 { "am" } else { "pm" }.to_owned(),
        "k" => hour_to_24(moment).to_string(),
        "kk" => format!("{:02}", hour_to_24(moment)),
        "S" => (moment.timestamp_subsec_millis() / 100).to_string(),
        "SS" => format!("{:02}", moment.timestamp_subsec_millis() / 10),
        "SSSSSSSSS" => format!("{:03}000000", moment.timestamp_subsec_millis()),
        "YYYYYY" => format!("{:+07}", moment.year()),
        "LT" | "LTS" | "L" | "LL" | "LLL" | "LLLL" | "l" | "ll" | "lll" | "llll" => write(moment, local_format(token)),
        other => luxon(other).map_or_else(|| other.to_owned(), |luxon| format(moment, luxon)),
    }
}

fn hour_to_24(moment: &DateTime<Tz>) -> u32 {
    if moment.hour() == 0 { 24 } else { moment.hour() }
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// Year and week where weeks start on Sunday and week 1 holds 1 January.
fn us_week(moment: &DateTime<Tz>) -> (i32, u32) {
    let date = moment.date_naive();
    let saturday = date + chrono::TimeDelta::days(6 - i64::from(date.weekday().num_days_from_sunday()));
    (saturday.year(), (saturday.ordinal() - 1) / 7 + 1)
}

/// The named formats of the English locale.
fn local_format(token: &str) -> &'static str {
    match token {
        "LT" => "h:mm A",
        "LTS" => "h:mm:ss A",
        "L" => "MM/DD/YYYY",
        "LL" => "MMMM D, YYYY",
        "LLL" => "MMMM D, YYYY h:mm A",
        "LLLL" => "dddd, MMMM D, YYYY h:mm A",
        "l" => "M/D/YYYY",
        "ll" => "MMM D, YYYY",
        "lll" => "MMM D, YYYY h:mm A",
        _ => "ddd, MMM D, YYYY h:mm A",
    }
}

/// Luxon's token of the same meaning.
fn luxon(token: &str) -> Option<&'static str> {
    Some(match token {
        "YYYY" => "yyyy",
        "YY" => "yy",
        "Y" => "y",
        "GGGG" => "kkkk",
        "GG" => "kk",
        "MMMM" => "LLLL",
        "MMM" => "LLL",
        "MM" => "LL",
        "M" => "L",
        "Q" => "q",
        "DDDD" => "ooo",
        "DDD" => "o",
        "DD" => "dd",
        "D" => "d",
        "dddd" => "cccc",
        "ddd" => "ccc",
        "E" => "c",
        "WW" => "WW",
        "W" => "W",
        "A" | "a" => "a",
        "HH" => "HH",
        "H" => "H",
        "hh" => "hh",
        "h" => "h",
        "mm" => "mm",
        "m" => "m",
        "ss" => "ss",
        "s" => "s",
        "SSS" => "SSS",
        "ZZ" => "ZZZ",
        "Z" => "ZZ",
        "zz" | "z" => "ZZZZ",
        "X" => "X",
        "x" => "x",
        _ => return None,
    })
}

/// The Luxon format that reads what `moment_format` writes; `None` where a token cannot be read.
pub(super) fn reading_format(moment_format: &str) -> Option<String> {
    let mut luxon_format = String::new();
    for part in split(moment_format) {
        match part {
            Part::Literal(literal) if literal.contains(|character: char| character.is_ascii_alphabetic()) => {
                luxon_format.push_str(&format!("'{literal}'"));
            }
            Part::Literal(literal) => luxon_format.push_str(literal),
            Part::Token(token @ ("LT" | "LTS" | "L" | "LL" | "LLL" | "LLLL" | "l" | "ll" | "lll" | "llll")) => {
                luxon_format.push_str(&reading_format(local_format(token))?);
            }
            Part::Token(token) => luxon_format.push_str(luxon(token)?),
        }
    }
    Some(luxon_format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Tz> {
        timeloom_expressions::time::parse_text(text, Tz::UTC).unwrap()
    }

    #[test]
    fn tokens_write_as_in_moment() {
        let moment = at("2021-03-03T09:41:32.648Z");
        for (tokens, text) in [
            ("MM/DD/YYYY", "03/03/2021"),
            ("MMMM DD YYYY", "March 03 2021"),
            ("X", "1614764492"),
            ("dddd, Do MMM YY [at] h:mm a", "Wednesday, 3rd Mar 21 at 9:41 am"),
            ("YYYY-MM-DDTHH:mm:ss.SSSZ", "2021-03-03T09:41:32.648+00:00"),
            ("DDD w W E d", "62 10 9 3 3"),
            ("LLL", "March 3, 2021 9:41 AM"),
        ] {
            assert_eq!(write(&moment, tokens), text, "{tokens}");
        }
        assert_eq!(write(&at("2024-12-31T00:05:00Z"), "kk gggg ww"), "24 2025 01");
    }

    #[test]
    fn formats_for_reading_are_luxon_formats() {
        assert_eq!(reading_format("YYYY-MM-DD [on] HH:mm").as_deref(), Some("yyyy-LL-dd 'on' HH:mm"));
        assert_eq!(reading_format("x").as_deref(), Some("x"));
        assert_eq!(reading_format("Do"), None);
    }
}
