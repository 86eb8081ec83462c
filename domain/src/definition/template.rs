//! Splits the text of a parameter into plain text and the JavaScript between `{{` and `}}`.
//!
//! Never looks inside the code beyond finding its end. Invariant: a text without `{{` costs no allocation.

use std::borrow::Cow;

/// A parameter's text, split. The leading `=` is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template<'a> {
    /// No code: the value is this text.
    Text(&'a str),
    /// Nothing but one `{{ }}`: the value is what the code gives, of any type.
    Code(Cow<'a, str>),
    /// Text and code by turns: the value is their text, joined.
    Mixed(Vec<Part<'a>>),
}

/// One part of a mixed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text as it stands.
    Text(Cow<'a, str>),
    /// JavaScript between `{{` and `}}`.
    Code(Cow<'a, str>),
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Splits a template.
///
/// A bracket pair after an odd number of backslashes is not a bracket; `\}}` inside code stands for `}}`.
/// A last `{{` that is never closed is code up to the end.
///
/// ```
/// use timeloom_domain::definition::template::{Template, split};
/// assert_eq!(split("{{ $json.a }}"), Template::Code(" $json.a ".into()));
/// assert_eq!(split("plain"), Template::Text("plain"));
/// ```
pub fn split(template: &str) -> Template<'_> {
    let Some(mut open) = find_bracket(template, OPEN) else { return Template::Text(template) };
    let mut parts = Vec::new();
    let mut rest = template;
    loop {
        if open > 0 {
            parts.push(Part::Text(unescape_text(&rest[..open])));
        }
        let code = &rest[open + OPEN.len()..];
        let Some(close) = find_close(code) else {
            parts.push(Part::Code(unescape_code(code)));
            break;
        };
        parts.push(Part::Code(unescape_code(&code[..close])));
        rest = &code[close + CLOSE.len()..];
        if rest.is_empty() {
            break;
        }
        match find_bracket(rest, OPEN) {
            Some(next) => open = next,
            None => {
                parts.push(Part::Text(Cow::Borrowed(rest)));
                break;
            }
        }
    }
    match parts.as_mut_slice() {
        [Part::Code(code)] => Template::Code(std::mem::take(code)),
        _ => Template::Mixed(parts),
    }
}

/// Where the first unescaped bracket pair begins.
fn find_bracket(text: &str, bracket: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(bracket)?;
        let backslashes = text[from..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(at);
        }
        from = at + bracket.len();
    }
}

/// Where the code ends: at the first unescaped `}}`.
///
/// When that one lies inside a string, which could only be a syntax error, the first one after it counts.
/// Code with a `/` is left alone: a quote in a regular expression or comment opens no string.
fn find_close(code: &str) -> Option<usize> {
    let first = find_bracket(code, CLOSE)?;
    if code[..first].contains('/') || !ends_in_string(&code[..first]) {
        return Some(first);
    }
    let mut at = first;
    while let Some(next) = code.get(at + 1..).and_then(|rest| rest.find(CLOSE)) {
        at += 1 + next;
        if code[..at].contains('/') {
            break;
        }
        if !ends_in_string(&code[..at]) {
            return Some(at);
        }
    }
    Some(first)
}

fn ends_in_string(code: &str) -> bool {
    let mut quote: Option<u8> = None;
    let mut escaped = false;
    for byte in code.bytes() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            None if matches!(byte, b'"' | b'\'' | b'`') => quote = Some(byte),
            _ => {}
        }
    }
    quote.is_some()
}

fn unescape_text(text: &str) -> Cow<'_, str> {
    if text.contains(r"\\") { Cow::Owned(text.replace(r"\\", r"\")) } else { Cow::Borrowed(text) }
}

fn unescape_code(code: &str) -> Cow<'_, str> {
    if code.contains(r"\}}") { Cow::Owned(code.replacen(r"\}}", CLOSE, 1)) } else { Cow::Borrowed(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(template: &str) -> Vec<Part<'_>> {
        match split(template) {
            Template::Mixed(parts) => parts,
            other => panic!("expected a mixed template, got {other:?}"),
        }
    }

    fn text(text: &str) -> Part<'_> {
        Part::Text(text.into())
    }

    fn code(code: &str) -> Part<'_> {
        Part::Code(code.into())
    }

    #[test]
    fn text_without_brackets_is_borrowed() {
        assert_eq!(split(""), Template::Text(""));
        assert_eq!(split("a } b { c"), Template::Text("a } b { c"));
    }

    #[test]
    fn one_sole_code_part_is_code_and_blanks_around_it_make_it_mixed() {
        assert_eq!(split("{{1}}"), Template::Code("1".into()));
        assert_eq!(mixed("{{1}} "), [code("1"), text(" ")]);
        assert_eq!(mixed(" {{1}}"), [text(" "), code("1")]);
        assert_eq!(mixed("{{1}}{{2}}"), [code("1"), code("2")]);
    }

    #[test]
    fn backslashes_escape_brackets() {
        assert_eq!(split(r"\{{ a }}"), Template::Text(r"\{{ a }}"));
        assert_eq!(mixed(r"\{{ a }} {{ 1 }}"), [text(r"\{{ a }} "), code(" 1 ")]);
        assert_eq!(mixed(r"a\\{{ 2 }}\\z"), [text(r"a\"), code(" 2 "), text(r"\\z")]);
        assert_eq!(split(r#"{{ "a\}}b" }}"#), Template::Code(r#" "a}}b" "#.into()));
    }

    #[test]
    fn unclosed_code_reaches_to_the_end() {
        assert_eq!(split("{{ 1 "), Template::Code(" 1 ".into()));
        assert_eq!(mixed("a{{ 1 "), [text("a"), code(" 1 ")]);
    }

    #[test]
    fn brackets_inside_a_string_do_not_close() {
        assert_eq!(mixed("{{ '}}' }}x"), [code(" '}}' "), text("x")]);
        assert_eq!(
            mixed("{{ a.replace(/'/g,'x') }} it's {{ b }}"),
            [code(" a.replace(/'/g,'x') "), text(" it's "), code(" b ")]
        );
        assert_eq!(mixed("{{ ' }} b"), [code(" ' "), text(" b")]);
    }
}
