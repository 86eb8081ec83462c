//! `$fromAI('name', 'description', 'type', default)`: what a model fills in of a tool's parameters.
//!
//! A call becomes an argument of the tool's JSON Schema, and a read of that argument in the workflow that the tool runs: what
//! a model wrote is data there, never an expression.

use serde_json::{Value, json};
use timeloom_domain::item::JsonObject;

/// How the call is written; letters count as the same in either case.
const CALL: &str = "$fromai(";
/// Longest name of an argument, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// The arguments that a model fills.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    properties: JsonObject,
    required: Vec<String>,
}

impl Arguments {
    /// Adds an argument; the first that tells of a name counts.
    pub(super) fn add(&mut self, name: &str, schema: Value, is_required: bool) {
        if self.properties.contains_key(name) {
            return;
        }
        self.properties.insert(name.to_owned(), schema);
        if is_required {
            self.required.push(name.to_owned());
        }
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.keys().map(String::as_str)
    }

    /// Their JSON Schema.
    pub(super) fn schema(self) -> Value {
        json!({"type": "object", "properties": self.properties, "required": self.required})
    }
}

/// Whether a text has such a call.
pub(super) fn asks(text: &str) -> bool {
    text.to_ascii_lowercase().contains(CALL)
}

/// JavaScript with reads of arguments in place of the calls; the arguments are added.
///
/// # Errors
/// What cannot be read, in words.
pub(super) fn rewritten(script: &str, arguments: &mut Arguments) -> Result<String, String> {
    let (mut made, mut rest) = (String::new(), script);
    while let Some(place) = rest.to_ascii_lowercase().find(CALL) {
        check_outside(&rest[..place])?;
        made.push_str(&rest[..place]);
        let (parts, after) = listed(&rest[place + CALL.len()..])?;
        let name = parts.first().and_then(|part| text_of(part)).unwrap_or_default();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(plain) {
            return Err(format!("$fromAI has the name '{name}': use 1 to 64 letters, digits, '_' and '-'"));
        }
        let mut schema = match parts.get(2).and_then(|part| text_of(part)).as_deref() {
            Some("number") => json!({"type": "number"}),
            Some("boolean") => json!({"type": "boolean"}),
            // An object, or anything that JSON can say.
            Some("json") => json!({}),
            _ => json!({"type": "string"}),
        };
        if let Some(description) = parts.get(1).and_then(|part| text_of(part)).filter(|text| !text.is_empty()) {
            schema["description"] = json!(description);
        }
        let default = parts.get(3).map(String::as_str).filter(|text| !text.is_empty() && *text != "undefined");
        arguments.add(&name, schema, default.is_none());
        match default {
            Some(default) => made.push_str(&format!("($json[\"{name}\"] ?? {default})")),
            None => made.push_str(&format!("$json[\"{name}\"]")),
        }
        rest = after;
    }
    check_outside(rest)?;
    made.push_str(rest);
    Ok(made)
}

/// Whether a script reads of an execution what is not there where the tool runs.
fn check_outside(script: &str) -> Result<(), String> {
    let read = ["$json", "$(", "$node", "$input", "$item", "$binary", "$prevNode"];
    match read.into_iter().find(|name| script.contains(name)) {
        Some(name) => Err(format!("it mixes $fromAI with {name} in one expression: write two, one after the other")),
        None => Ok(()),
    }
}

/// The arguments of a call as they are written, and what comes after it.
fn listed(text: &str) -> Result<(Vec<String>, &str), String> {
    let (mut parts, mut part, mut quote, mut depth, mut escaped) = (Vec::new(), String::new(), None, 0_usize, false);
    for (place, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')') if depth == 0 => {
                parts.push(part.trim().to_owned());
                return Ok((parts, &text[place + 1..]));
            }
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                continue;
            }
            (None, _) => {}
        }
        part.push(letter);
    }
    Err("$fromAI( is not closed".to_owned())
}

/// The text that a literal is.
fn text_of(literal: &str) -> Option<String> {
    let quote = literal.chars().next().filter(|letter| matches!(letter, '\'' | '"' | '`'))?;
    let inside = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    let (mut text, mut letters) = (String::new(), inside.chars());
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            },
            other => other,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_become_arguments_and_reads_of_them() {
        let mut arguments = Arguments::default();
        let script =
            "/*auto*/ $fromAI('Subject', `what it's about, in short`, 'string') + $fromAi(\"n\", '', 'number', 3)";
        let made = rewritten(script, &mut arguments).unwrap();
        assert_eq!(made, "/*auto*/ $json[\"Subject\"] + ($json[\"n\"] ?? 3)");
        assert_eq!(
            arguments.schema(),
            json!({"type": "object", "required": ["Subject"], "properties": {
                "Subject": {"type": "string", "description": "what it's about, in short"}, "n": {"type": "number"},
            }})
        );
    }

    #[test]
    fn what_is_no_name_or_has_no_end_is_told() {
        for script in ["$fromAI('a b')", "$fromAI('a'", "$fromAI($json.x)", "$json.a + $fromAI('a')"] {
            assert!(rewritten(script, &mut Arguments::default()).unwrap_err().contains("$fromAI"), "{script}");
        }
    }
}
