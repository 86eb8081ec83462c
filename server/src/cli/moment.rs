//! A moment of the past as people write it on the command line.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Value, json};

/// A moment of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Right after the event at this position.
    Position(u64),
    /// Right after this event of the thing, written `r12`.
    Revision(u64),
    /// Right after the newest event recorded by then.
    Time(DateTime<Utc>),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let number = |digits: &str| digits.parse().map_err(|_| format!("{digits} is too large"));
        if digits(text) {
            return number(text).map(Self::Position);
        }
        if let Some(revision) = text.strip_prefix('r').filter(|rest| digits(rest)) {
            return number(revision).map(Self::Revision);
        }
        time(text).map(Self::Time)
    }
}

/// A time: RFC 3339, or a day, which begins at midnight UTC.
///
/// # Errors
/// What can be written instead.
pub fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let midnight = text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    midnight.map(|midnight| midnight.and_utc()).ok_or_else(|| {
        "write a position (17), a revision (r3), a time (2026-01-31T12:00:00Z) or a day (2026-01-31)".to_owned()
    })
}

impl Moment {
    /// As GraphQL's `AsOf`.
    pub fn as_of(self) -> Value {
        match self {
            Self::Position(position) => json!({ "position": position.to_string() }),
            Self::Revision(revision) => json!({ "revision": revision }),
            Self::Time(time) => json!({ "time": time.to_rfc3339_opts(SecondsFormat::Micros, true) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_revisions_times_and_days_are_told_apart() {
        let parsed = |text: &str| text.parse::<Moment>().map(Moment::as_of);
        assert_eq!(parsed("17"), Ok(json!({ "position": "17" })));
        assert_eq!(parsed("r3"), Ok(json!({ "revision": 3 })));
        assert_eq!(parsed("2026-01-31T13:00:00.5+01:00"), Ok(json!({ "time": "2026-01-31T12:00:00.500000Z" })));
        assert_eq!(parsed("2026-01-31"), Ok(json!({ "time": "2026-01-31T00:00:00.000000Z" })));
        for wrong in ["", "r", "yesterday", "-1", "1.5", "2026-13-01", "99999999999999999999"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
