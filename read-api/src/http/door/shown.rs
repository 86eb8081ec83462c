//! What a request shows to be let in: a key in one of two headers, or a session in its cookie.
//!
//! Invariant: a request that shows a key is let in by the key or not at all; its cookie does not count.

use actix_web::http::header::{self, HeaderMap, HeaderName};

/// Longest key that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 1_024;

/// The header in which some clients of language models show a key, without a word before it.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request shows.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) enum Shown<'a> {
    /// Nothing.
    Nothing,
    /// A key.
    Key(&'a str),
    /// What the browser of a session has.
    Session(&'a str),
    /// A header that shows nothing of what lets in here.
    Unreadable,
}

impl<'a> Shown<'a> {
    /// What `headers` show, where a session has a cookie of that name.
    pub(in crate::http) fn of(headers: &'a HeaderMap, cookie_name: &str) -> Self {
        let authorized = Self::of_only(headers, &header::AUTHORIZATION, Self::of_text);
        match (authorized, Self::of_only(headers, &API_KEY, Self::of_key)) {
            (None, None) => cookie(headers, cookie_name).map_or(Self::Nothing, Self::Session),
            (Some(shown), None) | (None, Some(shown)) => shown,
            // Whoever shows two keys does not say which counts.
            (Some(one), Some(other)) if one == other => one,
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }

    /// What a text in the form of an authorization header shows.
    pub(in crate::http) fn of_text(text: &'a str) -> Self {
        match text.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Self::of_key(key),
            _ => Self::Unreadable,
        }
    }

    /// What a header shows that may come once; `None` where it does not come.
    fn of_only(headers: &'a HeaderMap, name: &HeaderName, read: impl FnOnce(&'a str) -> Self) -> Option<Self> {
        let mut values = headers.get_all(name);
        let text = values.next()?.to_str().ok().filter(|_| values.next().is_none());
        Some(text.map_or(Self::Unreadable, read))
    }

    fn of_key(text: &'a str) -> Self {
        let key = text.trim();
        if (1..=TOKEN_BYTES_MAX).contains(&key.len()) { Self::Key(key) } else { Self::Unreadable }
    }
}

/// The value of a cookie; of one that comes more than once, of the first.
pub(in crate::http) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn shown(headers: &[(&'static str, &'static str)]) -> String {
        let request = headers.iter().fold(TestRequest::get(), |request, header| request.append_header(*header));
        format!("{:?}", Shown::of(request.to_http_request().headers(), "timeloom"))
    }

    #[test]
    fn a_key_counts_before_a_cookie_and_never_falls_back_to_it() {
        assert_eq!(shown(&[]), "Nothing");
        assert_eq!(shown(&[("authorization", "Bearer abc")]), r#"Key("abc")"#);
        assert_eq!(shown(&[("authorization", "bearer  abc"), ("cookie", "timeloom=s")]), r#"Key("abc")"#);
        for wrong in ["abc", "Basic YTpi", "Bearer", "Bearer ", "Bearerabc"] {
            assert_eq!(shown(&[("authorization", wrong), ("cookie", "timeloom=s")]), "Unreadable", "{wrong}");
        }
        assert_eq!(shown(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]), "Unreadable");
        assert_eq!(shown(&[("x-api-key", " abc ")]), r#"Key("abc")"#);
        assert_eq!(shown(&[("x-api-key", ""), ("cookie", "timeloom=s")]), "Unreadable");
        assert_eq!(shown(&[("x-api-key", "a"), ("x-api-key", "a")]), "Unreadable");
        assert_eq!(shown(&[("x-api-key", "a"), ("authorization", "Bearer a")]), r#"Key("a")"#);
        assert_eq!(shown(&[("x-api-key", "a"), ("authorization", "Bearer b")]), "Unreadable");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(shown(&[("cookie", "a=b; timeloom=x.y; c=d")]), r#"Session("x.y")"#);
        assert_eq!(shown(&[("cookie", "a=b"), ("cookie", "timeloom=z")]), r#"Session("z")"#);
        assert_eq!(shown(&[("cookie", "nottimeloom=z; timeloom2=a")]), "Nothing");
    }
}
