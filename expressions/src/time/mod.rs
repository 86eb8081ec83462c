//! Date and time arithmetic as Luxon users know it, on `chrono-tz`: for nodes that work with dates.
//!
//! Never reads a clock: the present comes in as a parameter. Invariant: every function answers in the
//! zone of the time it was given, and calendar arithmetic keeps the local time of day, as Luxon does.

mod format;
mod math;
mod parse;

use std::str::FromStr;

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use format::{format, to_iso};
pub use math::{diff, end_of, plus, plus_all, start_of, week_of};
pub use parse::{parse, parse_format, parse_text};

/// A unit of time, as nodes name it: `days`, `day`, `d`… read by [`Unit::from_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Calendar years.
    Years,
    /// Quarters of a calendar year.
    Quarters,
    /// Calendar months.
    Months,
    /// Weeks, from Monday.
    Weeks,
    /// Calendar days.
    Days,
    /// Hours of exactly 3,600 seconds.
    Hours,
    /// Minutes.
    Minutes,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    /// All units, longest first.
    pub const ALL: [Self; 9] = [
        Self::Years,
        Self::Quarters,
        Self::Months,
        Self::Weeks,
        Self::Days,
        Self::Hours,
        Self::Minutes,
        Self::Seconds,
        Self::Milliseconds,
    ];

    /// The name of the unit in a Luxon duration object, for example `days`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Years => "years",
            Self::Quarters => "quarters",
            Self::Months => "months",
            Self::Weeks => "weeks",
            Self::Days => "days",
            Self::Hours => "hours",
            Self::Minutes => "minutes",
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
        }
    }

    /// Length in milliseconds, with years of 365 and months of 30 days as Luxon's casual conversion has it.
    pub fn casual_ms(self) -> f64 {
        const DAY: f64 = 86_400_000.0;
        match self {
            Self::Years => 365.0 * DAY,
            Self::Quarters => 91.0 * DAY,
            Self::Months => 30.0 * DAY,
            Self::Weeks => 7.0 * DAY,
            Self::Days => DAY,
            Self::Hours => 3_600_000.0,
            Self::Minutes => 60_000.0,
            Self::Seconds => 1_000.0,
            Self::Milliseconds => 1.0,
        }
    }
}

/// The text is not the name of a unit of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a unit of time: use years, quarters, months, weeks, days, hours, minutes, seconds or milliseconds"
)]
pub struct UnknownUnit(pub String);

impl FromStr for Unit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Self, UnknownUnit> {
        match text.to_ascii_lowercase().as_str() {
            "year" | "years" | "y" => Ok(Self::Years),
            "quarter" | "quarters" | "q" => Ok(Self::Quarters),
            "month" | "months" => Ok(Self::Months),
            "week" | "weeks" | "w" => Ok(Self::Weeks),
            "day" | "days" | "d" => Ok(Self::Days),
            "hour" | "hours" | "h" => Ok(Self::Hours),
            "minute" | "minutes" | "m" => Ok(Self::Minutes),
            "second" | "seconds" | "s" => Ok(Self::Seconds),
            "millisecond" | "milliseconds" | "ms" => Ok(Self::Milliseconds),
            _ => Err(UnknownUnit(text.to_owned())),
        }
    }
}

/// The moment `ms` milliseconds after 1970 in `zone`; `None` outside the years that can be told.
pub fn from_ms(ms: i64, zone: Tz) -> Option<DateTime<Tz>> {
    Some(DateTime::<Utc>::from_timestamp_millis(ms)?.with_timezone(&zone))
}

/// Seconds east of UTC at `moment`.
pub(crate) fn offset_seconds(moment: &DateTime<Tz>) -> i32 {
    moment.offset().fix().local_minus_utc()
}

/// Seconds east of UTC in `zone` at `utc_ms`.
fn offset_at(utc_ms: i64, zone: Tz) -> Option<i32> {
    let utc = DateTime::<Utc>::from_timestamp_millis(utc_ms)?;
    Some(zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc())
}

/// The moment when clocks in `zone` show `local_ms`, given the offset that held before.
///
/// In a gap the clock goes on from before it; in an overlap the given offset is kept where it fits.
fn from_local(local_ms: i64, offset_before: i32, zone: Tz) -> Option<DateTime<Tz>> {
    let first = offset_at(local_ms.checked_sub(i64::from(offset_before) * 1000)?, zone)?;
    if first == offset_before {
        return from_ms(local_ms - i64::from(first) * 1000, zone);
    }
    let second = offset_at(local_ms - i64::from(first) * 1000, zone)?;
    let offset = if first == second { first } else { first.min(second) };
    from_ms(local_ms - i64::from(offset) * 1000, zone)
}
