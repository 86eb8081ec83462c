//! JSON as people type it by hand: single quotes, bare keys, trailing commas and `undefined` are put right.
//!
//! Text inside quotes is never changed.

use serde_json::Value;

/// The value of `text`, read as JSON or, when that fails, as hand-written JSON.
pub(crate) fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&repair(text)).ok())
}

fn repair(text: &str) -> String {
    let characters: Vec<char> = text.trim_end_matches([',', ' ', '\n', '\r', '\t']).chars().collect();
    let mut written = String::with_capacity(text.len() + 16);
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        match character {
            '"' | '\'' => at = copy_quoted(&characters, at, &mut written),
            ',' if matches!(next_visible(&characters, at + 1), Some('}' | ']')) => at += 1,
            letter if letter.is_alphabetic() || matches!(letter, '_' | '$') => {
                at = copy_word(&characters, at, &mut written);
            }
            other => {
                written.push(other);
                at += 1;
            }
        }
    }
    written
}

fn next_visible(characters: &[char], from: usize) -> Option<char> {
    characters.iter().skip(from).copied().find(|character| !character.is_whitespace())
}

/// Writes a quoted text with double quotes; answers the place after it.
fn copy_quoted(characters: &[char], start: usize, written: &mut String) -> usize {
    let quote = characters[start];
    written.push('"');
    let mut at = start + 1;
    while let Some(&character) = characters.get(at) {
        at += 1;
        match character {
            '\\' => match characters.get(at) {
                Some('\'') => {
                    written.push('\'');
                    at += 1;
                }
                Some(escaped) => {
                    written.extend(['\\', *escaped]);
                    at += 1;
                }
                None => written.push('\\'),
            },
            '"' if quote == '\'' => written.push_str("\\\""),
            '\n' => written.push_str("\\n"),
            end if end == quote => break,
            other => written.push(other),
        }
    }
    written.push('"');
    at
}

/// Writes a bare word, in quotes when it is a key; answers the place after it.
fn copy_word(characters: &[char], start: usize, written: &mut String) -> usize {
    let is_word = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let length = characters[start..].iter().take_while(|c| is_word(c)).count();
    let end = start + length;
    let word: String = characters[start..end].iter().collect();
    if next_visible(characters, end) == Some(':') {
        written.push('"');
        written.push_str(&word);
        written.push('"');
    } else {
        // What an expression between the braces left where it found nothing.
        written.push_str(if word == "undefined" { "null" } else { &word });
    }
    end
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hand_written_json_is_put_right() {
        let text = "{ name: 'O\\'Hara \"x\"', list: [1, 2,], nested: {'a': true,}, },";
        assert_eq!(parse(text), Some(json!({"name": "O'Hara \"x\"", "list": [1, 2], "nested": {"a": true}})));
        assert_eq!(parse(r#"{"kept": "a: 'b',}"}"#), Some(json!({"kept": "a: 'b',}"})));
        assert_eq!(parse(r#"{"a": undefined, "b": "undefined"}"#), Some(json!({"a": null, "b": "undefined"})));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        assert_eq!(parse("{ name: }"), None);
        assert_eq!(parse("hello world"), None);
    }
}
