//! Texts and JavaScript that are put together from what a file holds: literal values, expressions, and both by turns.
//!
//! Never evaluates anything. Invariant: what is put together is one parameter, in which no code ends before its time.

use serde_json::Value;

use crate::definition::template::{Part, Template, split};

/// A piece of a text that is put together.
pub(super) enum Piece {
    /// Text as it stands.
    Text(String),
    /// JavaScript between `{{` and `}}`.
    Code(String),
}

/// What becomes of a value within a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// It is written as it is.
    Text,
    /// It is one segment of an address.
    Address,
}

/// A part of a pattern.
pub(super) enum Reference<'p> {
    /// Text as it stands.
    Text(&'p str),
    /// The name of a parameter.
    Parameter(&'p str),
}

/// A pattern, split into text and the parameters that it names as `@{path}`. Code may stand there as `@{=code}`; its
/// brackets match.
pub(super) fn references(pattern: &str) -> impl Iterator<Item = Reference<'_>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((path, after)) = rest.strip_prefix("@{").and_then(named) {
            rest = after;
            return Some(Reference::Parameter(path));
        }
        let end = rest.get(1..).and_then(|tail| tail.find("@{")).map_or(rest.len(), |at| at.saturating_add(1));
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Reference::Text(text))
    })
}

/// What is named at the beginning of a text, up to the bracket that ends it, and what follows.
fn named(text: &str) -> Option<(&str, &str)> {
    if !text.trim_start_matches('+').starts_with('=') {
        return text.split_once('}');
    }
    let mut open = 0_usize;
    for (at, sign) in text.char_indices() {
        match sign {
            '{' => open = open.saturating_add(1),
            '}' if open == 0 => return Some((text.get(..at)?, text.get(at.saturating_add(1)..)?)),
            '}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Whether a value is an expression.
pub(super) fn is_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('='))
}

/// Whether a value has an expression in it, at any depth.
pub(super) fn holds_expressions(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(holds_expressions),
        Value::Object(fields) => fields.values().any(holds_expressions),
        other => is_expression(other),
    }
}

/// How the parameter that a pattern begins with is called.
pub(super) fn shown(pattern: &Value) -> String {
    match pattern {
        Value::String(text) => text.trim_start_matches("@{").trim_end_matches('}').to_owned(),
        Value::Object(fields) => fields.values().next().map(shown).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// A value as text, expressions as they are written.
///
/// # Errors
/// When it is a list or an object.
pub(super) fn plain(value: &Value, path: &str) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err(format!("the parameter '{path}' is no text")),
    }
}

/// Adds what a parameter's text comes to within another text.
///
/// # Errors
/// When an expression in it cannot stand within other code.
pub(super) fn add_pieces(text: &str, path: &str, within: Within, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let encode = |text: &str| if within == Within::Address { encoded(text) } else { text.to_owned() };
    let Some(template) = text.strip_prefix('=') else {
        pieces.push(Piece::Text(encode(text)));
        return Ok(());
    };
    let wrapped = |code: &str| match within {
        Within::Text => bare(code, path).map(Piece::Code),
        Within::Address => bare(code, path).map(|code| Piece::Code(format!("encodeURIComponent({code})"))),
    };
    match split(template) {
        Template::Text(text) => pieces.push(Piece::Text(encode(text))),
        Template::Code(code) => pieces.push(wrapped(&code)?),
        Template::Mixed(parts) => {
            for part in parts {
                pieces.push(match part {
                    Part::Text(text) => Piece::Text(encode(&text)),
                    Part::Code(code) => wrapped(&code)?,
                });
            }
        }
    }
    Ok(())
}

/// The pieces as one text: an expression where one of them is.
pub(super) fn put_together(pieces: &[Piece]) -> String {
    let is_plain = pieces.iter().all(|piece| matches!(piece, Piece::Text(_)));
    let written = pieces.iter().map(|piece| match piece {
        Piece::Text(text) if is_plain => text.clone(),
        Piece::Text(text) => text.replace("{{", r"\{{"),
        Piece::Code(code) => format!("{{{{ {} }}}}", code),
    });
    let written: String = written.collect();
    if is_plain { written } else { format!("={written}") }
}

/// The code of a template as one JavaScript expression.
///
/// # Errors
/// When it cannot stand within other code.
pub(super) fn code_of(template: &str, path: &str) -> Result<String, String> {
    let quoted = |text: &str| literal(&Value::from(text));
    match split(template) {
        Template::Text(text) => Ok(quoted(text)),
        Template::Code(code) => Ok(format!("({})", bare(&code, path)?)),
        Template::Mixed(parts) => {
            let parts: Result<Vec<String>, String> = parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Ok(quoted(text)),
                    Part::Code(code) => Ok(format!("({})", bare(code, path)?)),
                })
                .collect();
            Ok(format!("[{}].join(\"\")", parts?.join(", ")))
        }
    }
}

/// Code that can stand within other code.
fn bare(code: &str, path: &str) -> Result<String, String> {
    let code = code.trim().trim_end_matches(';').trim_end();
    // What may be several statements cannot stand within an expression; in a function of its own it can.
    if code.contains(';') && !code.starts_with('(') {
        return Err(format!("the expression of the parameter '{path}' has several statements"));
    }
    if code.contains("}}") {
        return Err(format!("the expression of the parameter '{path}' holds two closing brackets together"));
    }
    Ok(if code.contains("//") { format!("{code}\n") } else { code.to_owned() })
}

/// A value as JavaScript in which no two closing brackets stand together: these would end the code.
pub(super) fn literal(value: &Value) -> String {
    // Written over several lines, brackets of the structure are apart; what is left is in texts.
    let written = serde_json::to_string_pretty(value).unwrap_or_default();
    written.replace("}}", "}\\u007d")
}

/// A value as JavaScript, the expressions in it as code.
///
/// # Errors
/// When one of them cannot stand within other code.
pub(super) fn scripted(value: &Value, path: &str) -> Result<String, String> {
    match value {
        Value::String(text) => match text.strip_prefix('=') {
            Some(template) => code_of(template, path),
            None => Ok(literal(value)),
        },
        Value::Array(elements) if holds_expressions(value) => {
            let parts: Result<Vec<String>, String> = elements.iter().map(|element| scripted(element, path)).collect();
            Ok(format!("[{}]", parts?.join(", ")))
        }
        Value::Object(fields) if holds_expressions(value) => {
            let member = |(name, field): (&String, &Value)| -> Result<String, String> {
                Ok(format!("{}: {}", literal(&Value::from(name.as_str())), scripted(field, path)?))
            };
            let members: Result<Vec<String>, String> = fields.iter().map(member).collect();
            // On a line of its own, the bracket stands next to no other.
            Ok(format!("{{{}\n}}", members?.join(", ")))
        }
        other => Ok(literal(other)),
    }
}

/// A text as one segment of an address.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
