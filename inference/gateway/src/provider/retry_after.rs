//! After which time a provider wants to be asked again.

use chrono::DateTime;
use http::HeaderMap;
use http::header::RETRY_AFTER;

/// Longest time that is believed, in milliseconds: a day.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Reads it: milliseconds in a header of their own, seconds, or a date.
pub(super) fn read(headers: &HeaderMap, now_ms: i64) -> Option<u64> {
    let text = |value: &http::HeaderValue| value.to_str().ok().map(|text| text.trim().to_owned());
    let exact = headers.get("retry-after-ms").and_then(text).and_then(|text| text.parse::<f64>().ok());
    let said = headers.get(RETRY_AFTER).and_then(text);
    let wait_ms = exact.or_else(|| {
        let said = said?;
        let seconds = said.parse::<f64>().ok().map(|seconds| seconds * 1000.0);
        seconds.or_else(|| {
            let at = DateTime::parse_from_rfc2822(&said).ok()?;
            Some((at.timestamp_millis() - now_ms) as f64)
        })
    })?;
    wait_ms.is_finite().then(|| (wait_ms.max(0.0) as u64).min(WAIT_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        read(&pairs.collect::<HeaderMap>(), 1_445_412_470_000)
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_read_and_nothing_else() {
        assert_eq!(wait(&[("retry-after", "3")]), Some(3_000));
        assert_eq!(wait(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(wait(&[("retry-after", "3"), ("retry-after-ms", "120")]), Some(120));
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), Some(10_000));
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2014 07:28:00 GMT")]), None, "it was a Tuesday");
        assert_eq!(wait(&[("retry-after", "Tue, 21 Oct 2014 07:28:00 GMT")]), Some(0));
        assert_eq!(wait(&[("retry-after", "99999999999")]), Some(WAIT_MS_MAX));
        assert_eq!(wait(&[("retry-after", "-4")]), Some(0));
        assert_eq!(wait(&[("retry-after", "NaN")]), None);
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[]), None);
    }
}
