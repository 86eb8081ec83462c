//! Adding, rounding and telling differences of times, unit by unit, as Luxon does.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use chrono_tz::Tz;

use super::{Unit, from_local, from_ms, offset_seconds};

/// `moment` later by `amount` of `unit`; negative amounts go back. Months are clamped to their last day.
///
/// A fraction of a calendar unit counts with casual lengths (a month has 30 days). `None` when the
/// result is outside the years that can be told.
pub fn plus(moment: &DateTime<Tz>, amount: f64, unit: Unit) -> Option<DateTime<Tz>> {
    plus_all(moment, &[(unit, amount)])
}

/// `moment` later by several amounts at once: calendar units first, clamped once, then exact time.
pub fn plus_all(moment: &DateTime<Tz>, amounts: &[(Unit, f64)]) -> Option<DateTime<Tz>> {
    let (mut months, mut days, mut exact_ms) = (0.0, 0.0, 0.0);
    for &(unit, amount) in amounts {
        let whole = amount.trunc();
        match unit {
            Unit::Years => months += whole * 12.0,
            Unit::Quarters => months += whole * 3.0,
            Unit::Months => months += whole,
            Unit::Weeks => days += whole * 7.0,
            Unit::Days => days += whole,
            _ => exact_ms += amount * unit.casual_ms(),
        }
        if unit <= Unit::Days {
            exact_ms += (amount - whole) * unit.casual_ms();
        }
    }
    let mut moved = *moment;
    if months != 0.0 || days != 0.0 {
        let local = add_calendar(moment.naive_local(), to_i64(months)?, to_i64(days)?)?;
        moved = from_local(local.and_utc().timestamp_millis(), offset_seconds(moment), moment.timezone())?;
    }
    // A fraction of a millisecond is cut off the moment that is reached, not the amount.
    let reached = to_i64((moved.timestamp_millis() as f64 + exact_ms).trunc())?;
    from_ms(reached, moment.timezone())
}

fn to_i64(number: f64) -> Option<i64> {
    (number.is_finite() && number.abs() < 9.0e15).then_some(number as i64)
}

fn add_calendar(local: NaiveDateTime, months: i64, days: i64) -> Option<NaiveDateTime> {
    let step = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved = if months < 0 { local.checked_sub_months(step)? } else { local.checked_add_months(step)? };
    moved.checked_add_signed(chrono::TimeDelta::try_days(days)?)
}

/// The first moment of the `unit` that `moment` lies in. Weeks start on Monday.
pub fn start_of(moment: &DateTime<Tz>, unit: Unit) -> Option<DateTime<Tz>> {
    let local = moment.naive_local();
    let date = local.date();
    let time = local.time();
    let start = match unit {
        Unit::Years => NaiveDate::from_ymd_opt(date.year(), 1, 1)?.and_time(NaiveTime::MIN),
        Unit::Quarters => NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1)?.and_time(NaiveTime::MIN),
        Unit::Months => date.with_day(1)?.and_time(NaiveTime::MIN),
        Unit::Weeks => {
            let back = i64::from(date.weekday().num_days_from_monday());
            date.checked_sub_signed(chrono::TimeDelta::try_days(back)?)?.and_time(NaiveTime::MIN)
        }
        Unit::Days => date.and_time(NaiveTime::MIN),
        Unit::Hours => date.and_hms_opt(time.hour(), 0, 0)?,
        Unit::Minutes => date.and_hms_opt(time.hour(), time.minute(), 0)?,
        Unit::Seconds => date.and_hms_opt(time.hour(), time.minute(), time.second())?,
        Unit::Milliseconds => return Some(*moment),
    };
    from_local(start.and_utc().timestamp_millis(), offset_seconds(moment), moment.timezone())
}

/// The last millisecond of the `unit` that `moment` lies in.
pub fn end_of(moment: &DateTime<Tz>, unit: Unit) -> Option<DateTime<Tz>> {
    let next = start_of(&plus(moment, 1.0, unit)?, unit)?;
    plus(&next, -1.0, Unit::Milliseconds)
}

/// ISO week number and the year it belongs to.
pub fn week_of(moment: &DateTime<Tz>) -> (i32, u32) {
    let week = moment.naive_local().date().iso_week();
    (week.year(), week.week())
}

/// How far `later` is after `earlier`, shared out over `units` from the longest to the shortest.
///
/// The shortest unit carries the fraction. Negative when `later` is the earlier one. The answer has the
/// units in the order longest to shortest, each once.
pub fn diff(later: &DateTime<Tz>, earlier: &DateTime<Tz>, units: &[Unit]) -> Vec<(Unit, f64)> {
    let mut units = if units.is_empty() { vec![Unit::Milliseconds] } else { units.to_vec() };
    units.sort_unstable();
    units.dedup();
    if earlier > later {
        let mut swapped = ordered_diff(later, earlier, &units);
        for (_, amount) in &mut swapped {
            *amount = if *amount == 0.0 { 0.0 } else { -*amount };
        }
        return swapped;
    }
    ordered_diff(earlier, later, &units)
}

fn ordered_diff(earlier: &DateTime<Tz>, later: &DateTime<Tz>, units: &[Unit]) -> Vec<(Unit, f64)> {
    let later = later.with_timezone(&earlier.timezone());
    let mut results: Vec<(Unit, f64)> = Vec::new();
    let mut cursor = *earlier;
    let mut high_water = *earlier;
    let at = |results: &[(Unit, f64)]| plus_all(earlier, results).unwrap_or(later);
    for &unit in units.iter().filter(|unit| **unit <= Unit::Days) {
        results.push((unit, whole_units(&cursor, &later, unit)));
        let last = results.len() - 1;
        high_water = at(&results);
        if high_water <= later {
            cursor = high_water;
            continue;
        }
        results[last].1 -= 1.0;
        cursor = at(&results);
        if cursor > later {
            high_water = cursor;
            results[last].1 -= 1.0;
            cursor = at(&results);
        }
    }
    let mut remaining = (later.timestamp_millis() - cursor.timestamp_millis()) as f64;
    let exact: Vec<Unit> = units.iter().copied().filter(|unit| *unit > Unit::Days).collect();
    if exact.is_empty() {
        add_fraction(&mut results, &cursor, high_water, &later, remaining);
        return results;
    }
    for (index, &unit) in exact.iter().enumerate() {
        let Some(next) = exact.get(index + 1) else {
            results.push((unit, remaining / unit.casual_ms()));
            break;
        };
        // What is left goes down as a fraction, with the digits that this gives in Luxon.
        let share = remaining / unit.casual_ms();
        let fraction = (share * 1000.0 - share.trunc() * 1000.0) / 1000.0;
        results.push((unit, share.trunc()));
        remaining = fraction * (unit.casual_ms() / next.casual_ms()) * next.casual_ms();
    }
    results
}

fn add_fraction(
    results: &mut [(Unit, f64)],
    cursor: &DateTime<Tz>,
    high_water: DateTime<Tz>,
    later: &DateTime<Tz>,
    remaining: f64,
) {
    let Some(last) = results.last_mut() else {
        return;
    };
    let next = if high_water < *later { plus(cursor, 1.0, last.0).unwrap_or(high_water) } else { high_water };
    let span = (next.timestamp_millis() - cursor.timestamp_millis()) as f64;
    if span != 0.0 {
        last.1 += remaining / span;
    }
}

fn whole_units(from: &DateTime<Tz>, to: &DateTime<Tz>, unit: Unit) -> f64 {
    let (a, b) = (from.naive_local().date(), to.naive_local().date());
    let years = i64::from(b.year() - a.year());
    let days = (b - a).num_days();
    let whole = match unit {
        Unit::Years => years,
        Unit::Quarters => i64::from(b.month0() / 3) - i64::from(a.month0() / 3) + years * 4,
        Unit::Months => i64::from(b.month()) - i64::from(a.month()) + years * 12,
        Unit::Weeks => days / 7,
        _ => days,
    };
    whole as f64
}
