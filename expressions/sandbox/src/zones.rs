//! Time zone data for the guest, whose QuickJS has none of its own.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS, Tz};

/// The zone of that name, however it is capitalised.
pub fn find(name: &str) -> Option<Tz> {
    name.parse().ok().or_else(|| TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)).copied())
}

/// Minutes east of UTC; NaN where the zone or the moment does not exist.
pub fn offset_minutes(zone: &str, epoch_ms: f64) -> f64 {
    at(zone, epoch_ms).map_or(f64::NAN, |offset| f64::from(offset.fix().local_minus_utc()) / 60.0)
}

/// Abbreviation such as `EST`, and whether daylight saving time applies.
pub fn abbreviation(zone: &str, epoch_ms: f64) -> String {
    at(zone, epoch_ms).and_then(|offset| offset.abbreviation().map(str::to_owned)).unwrap_or_default()
}

/// Whether daylight saving time applies.
pub fn is_dst(zone: &str, epoch_ms: f64) -> bool {
    at(zone, epoch_ms).is_some_and(|offset| !offset.dst_offset().is_zero())
}

#[expect(clippy::cast_possible_truncation, reason = "JavaScript's dates lie within ±8.64e15 ms; others give no date")]
fn at(zone: &str, epoch_ms: f64) -> Option<<Tz as TimeZone>::Offset> {
    let moment = DateTime::from_timestamp_millis(epoch_ms as i64).filter(|_| epoch_ms.is_finite())?;
    Some(find(zone)?.offset_from_utc_datetime(&moment.naive_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINTER: f64 = 1_700_000_000_000.0;

    #[test]
    fn offsets_follow_the_zone_and_the_season() {
        assert_eq!(offset_minutes("America/New_York", WINTER), -300.0);
        assert_eq!(offset_minutes("America/New_York", 1_720_000_000_000.0), -240.0);
        assert_eq!(offset_minutes("Asia/Kolkata", WINTER), 330.0);
    }

    #[test]
    fn unknown_zones_and_moments_are_told_apart_from_utc() {
        assert!(offset_minutes("Mars/Olympus", WINTER).is_nan());
        assert!(offset_minutes("UTC", f64::NAN).is_nan());
        assert_eq!(find("europe/BERLIN").map(|zone| zone.name()), Some("Europe/Berlin"));
    }

    #[test]
    fn abbreviations_are_of_the_season() {
        assert_eq!(abbreviation("America/New_York", WINTER), "EST");
        assert!(!is_dst("America/New_York", WINTER) && is_dst("America/New_York", 1_720_000_000_000.0));
    }
}
