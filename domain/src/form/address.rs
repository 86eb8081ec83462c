//! Which addresses a page may lead to.

/// Longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 8_192;

/// The address of a page on the web: `http` and `https` alone, and `http` where no scheme is written, as people write
/// `example.org/thanks`. `None` for anything else, scripts in the first place.
///
/// ```
/// use timeloom_domain::form::web_address;
///
/// assert_eq!(web_address(" https://example.org/a?b=c "), Some("https://example.org/a?b=c".to_owned()));
/// assert_eq!(web_address("example.org:8080/thanks"), Some("http://example.org:8080/thanks".to_owned()));
/// assert_eq!(web_address("javascript:alert(1)"), None);
/// assert_eq!(web_address("//example.org"), None);
/// ```
pub fn web_address(text: &str) -> Option<String> {
    let text = text.trim();
    let is_plain = |character: char| {
        !character.is_control() && !character.is_whitespace() && !matches!(character, '<' | '>' | '"' | '\\' | '`')
    };
    if text.len() > ADDRESS_BYTES_MAX || !text.chars().all(is_plain) {
        return None;
    }
    let is_host = |rest: &str| rest.starts_with(|first: char| first.is_alphanumeric() || first == '[');
    if let Some((scheme, rest)) = text.split_once("://") {
        let known = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known))?;
        return is_host(rest).then(|| format!("{known}://{rest}"));
    }
    // What stands behind a colon is a port, or the text begins with a scheme that is none of ours.
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = is_host(text) && host.split_once(':').is_none_or(|(_, port)| has_port(port));
    is_address.then(|| format!("http://{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_page_on_the_web_is_no_address() {
        for text in [
            "",
            "javascript:alert(1)",
            "JavaScript:alert(1)//://",
            "java\nscript:alert(1)",
            "javascript://example.org/%0aalert(1)",
            "data:text/html,<script>",
            "vbscript:x",
            "ftp://example.org",
            "//example.org/a",
            "/local",
            "http://",
            "https:///path",
            "https://exa mple.org",
            "https://example.org/\"onload=",
            "https://example.org\\@other",
        ] {
            assert_eq!(web_address(text), None, "{text:?}");
        }
    }

    #[test]
    fn addresses_keep_their_path_and_get_a_scheme() {
        for (text, expected) in [
            ("HTTPS://Example.org/A", "https://Example.org/A"),
            ("http://[::1]:80/", "http://[::1]:80/"),
            ("localhost:3000?x=a:b", "http://localhost:3000?x=a:b"),
            ("example.org/a:b", "http://example.org/a:b"),
        ] {
            assert_eq!(web_address(text).as_deref(), Some(expected));
        }
    }
}
