//! Paths that are to go, and how their answers say so: when that was decided (`Deprecation`, RFC 9745), when they may be gone
//! (`Sunset`, RFC 8594), and what to use instead.
//!
//! Invariant: a path leaves `tests/released-paths.txt` only after the day of its sunset.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use chrono::DateTime;

/// When it was decided, in the words of RFC 9745.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// When it may be gone, in the words of RFC 8594.
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The paths of this API that are to go.
pub(super) const DEPRECATED: &[Deprecated] = &[];

/// A path that is to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deprecated {
    /// The pattern of its route.
    pub route: &'static str,
    /// When that was decided, in seconds since 1970.
    pub since_s: i64,
    /// From when on it may be gone, in seconds since 1970.
    pub sunset_s: i64,
    /// The path to use instead.
    pub instead: &'static str,
}

/// Says in an answer that its path is to go, where it is one of `deprecated`.
pub(super) fn tell(headers: &mut HeaderMap, route: Option<&str>, deprecated: &[Deprecated]) {
    let Some(known) = deprecated.iter().find(|known| route == Some(known.route)) else { return };
    let sunset = DateTime::from_timestamp(known.sunset_s, 0).map(|day| day.format("%a, %d %b %Y %H:%M:%S GMT"));
    let told = [
        (DEPRECATION, Some(format!("@{}", known.since_s))),
        (SUNSET, sunset.map(|sunset| sunset.to_string())),
        (LINK, Some(format!("<{}>; rel=\"successor-version\"", known.instead))),
    ];
    for (name, text) in told {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            // An answer may have links of its own.
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Deprecated; 1] =
        [Deprecated { route: "/log/tree", since_s: 1_688_169_599, sunset_s: 1_719_791_999, instead: "/2/log/tree" }];

    fn told(route: Option<&str>) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        tell(&mut headers, route, &TABLE);
        let mut told: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        told.sort();
        told
    }

    #[test]
    fn a_path_that_is_to_go_says_since_when_until_when_and_what_instead() {
        let expected = [
            ("deprecation", "@1688169599"),
            ("link", "</2/log/tree>; rel=\"successor-version\""),
            ("sunset", "Sun, 30 Jun 2024 23:59:59 GMT"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(told(Some("/log/tree")), expected);
    }

    #[test]
    fn other_paths_say_nothing() {
        assert!(told(Some("/log/tree/tiles/{level}/{index}")).is_empty());
        assert!(told(None).is_empty());
    }

    #[test]
    fn what_goes_is_told_half_a_year_before() {
        const NOTICE_S: i64 = 180 * 24 * 60 * 60;
        for known in DEPRECATED {
            assert!(known.sunset_s - known.since_s >= NOTICE_S, "{} goes too soon", known.route);
            assert!(known.instead.starts_with('/'), "{} has nothing in its place", known.route);
        }
    }
}
