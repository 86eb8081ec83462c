//! Cron expressions: five fields, or six with seconds first.

use chrono::{DateTime, TimeZone as _};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::{ScheduleError, literal};

/// Longest cron expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 500;

/// What a cron expression says.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Cron);

impl Pattern {
    /// Reads an expression that stands in `field`.
    pub(super) fn parse(field: &str, expression: &str) -> Result<Self, ScheduleError> {
        let refused = |message: String| ScheduleError::new(field, message);
        let text = literal(expression)
            .ok_or_else(|| refused("holds an expression: write the times out, a schedule has no items".to_owned()))?;
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(refused(format!("has {} bytes, at most {EXPRESSION_BYTES_MAX} are allowed", text.len())));
        }
        let parser =
            CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).sloppy_ranges(true).build();
        let cron = parser.parse(text).map_err(|error| {
            refused(format!("'{text}' is not a cron expression: {error}; it looks like '0 9 * * 1-5'"))
        })?;
        let pattern = Self(cron);
        match pattern.next_after(PROBED_AFTER_MS, Tz::UTC) {
            Some(_) => Ok(pattern),
            None => Err(refused(format!("'{text}' names a time that never comes"))),
        }
    }

    /// An expression that this module made of checked numbers.
    pub(super) fn made(field: &str, expression: &str) -> Result<Self, ScheduleError> {
        Self::parse(field, expression)
    }

    /// The first match after a moment, in milliseconds since 1970.
    pub(super) fn next_after(&self, after_ms: i64, zone: Tz) -> Option<i64> {
        // The search knows whole seconds.
        let after = moment(after_ms.div_euclid(1_000) * 1_000, zone)?;
        self.0.find_next_occurrence(&after, false).ok().map(|next| next.timestamp_millis())
    }
}

/// From when a pattern is asked whether it ever comes: 2024-02-01T00:00:00Z. 30 February never does.
const PROBED_AFTER_MS: i64 = 1_706_745_600_000;

/// A moment as clocks in `zone` show it.
pub(super) fn moment(at_ms: i64, zone: Tz) -> Option<DateTime<Tz>> {
    zone.timestamp_millis_opt(at_ms).single()
}
