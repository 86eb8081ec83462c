//! One rule of a trigger, and from when it counts.

use chrono::{DateTime, Datelike as _, NaiveDate};
use chrono_tz::Tz;

use super::cron::{Pattern, moment};

/// Most matches of a pattern that are looked at for one that counts.
const MATCHES_MAX: usize = 4_000;

/// One rule.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// Every match of a pattern.
    Each(Pattern),
    /// The matches of a pattern in every so many days, weeks or months.
    Nth { pattern: Pattern, unit: Unit, every: i64 },
    /// The first match of a pattern, and again after so many milliseconds.
    Cadence { pattern: Pattern, step_ms: i64 },
    /// Again after so many milliseconds.
    Interval { step_ms: i64 },
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Days.
    Days,
    /// Weeks, which begin on Sunday.
    Weeks,
    /// Months from the first match on.
    Months,
    /// Months from January on.
    CalendarMonths,
}

impl Unit {
    /// Which day, week or month it is, in an unbroken count.
    fn number(self, at: &DateTime<Tz>) -> i64 {
        let date = at.date_naive();
        let days = i64::from(date.num_days_from_ce()) - i64::from(NaiveDate::default().num_days_from_ce());
        match self {
            Self::Days => days,
            // The first day of 1970 was a Thursday.
            Self::Weeks => (days + 4).div_euclid(7),
            Self::Months | Self::CalendarMonths => i64::from(date.year()) * 12 + i64::from(date.month0()),
        }
    }
}

/// A rule that counts from a moment on.
#[derive(Debug, Clone)]
pub(super) struct Anchored {
    rule: Rule,
    zone: Tz,
    /// The first match after that moment, or the moment itself where there is no pattern.
    first_ms: Option<i64>,
}

impl Anchored {
    pub(super) fn new(rule: Rule, since_ms: i64, zone: Tz) -> Self {
        let first_ms = match &rule {
            Rule::Each(_) => None,
            Rule::Nth { pattern, .. } | Rule::Cadence { pattern, .. } => pattern.next_after(since_ms, zone),
            Rule::Interval { .. } => Some(since_ms),
        };
        Self { rule, zone, first_ms }
    }

    pub(super) fn next_after(&self, after_ms: i64) -> Option<i64> {
        match &self.rule {
            Rule::Each(pattern) => pattern.next_after(after_ms, self.zone),
            Rule::Nth { pattern, unit, every } => self.nth_after(pattern, *unit, *every, after_ms),
            Rule::Cadence { step_ms, .. } => {
                let first = self.first_ms?;
                Some(if after_ms < first { first } else { step_after(first, *step_ms, after_ms)? })
            }
            Rule::Interval { step_ms } => step_after(self.first_ms?, *step_ms, after_ms),
        }
    }

    fn nth_after(&self, pattern: &Pattern, unit: Unit, every: i64, after_ms: i64) -> Option<i64> {
        let origin = match unit {
            Unit::CalendarMonths => 0,
            _ => unit.number(&moment(self.first_ms?, self.zone)?),
        };
        let mut at_ms = after_ms;
        for _ in 0..MATCHES_MAX {
            at_ms = pattern.next_after(at_ms, self.zone)?;
            if (unit.number(&moment(at_ms, self.zone)?) - origin).rem_euclid(every) == 0 {
                return Some(at_ms);
            }
        }
        None
    }
}

/// The first of the moments `from + n * step` after `after`.
fn step_after(from: i64, step: i64, after: i64) -> Option<i64> {
    let steps = after.checked_sub(from)?.div_euclid(step).checked_add(1)?;
    from.checked_add(steps.checked_mul(step)?)
}
