//! What failures have in common: their error's kind and message, without what differs from one to the next.
//!
//! Invariant: the same error has the same fingerprint for ever; where the rules change, the rows are built again.

use serde_json::Value;
use uuid::Uuid;

use crate::payload::error_message;

/// Longest message that counts, in characters: what comes behind is often data.
const MESSAGE_CHARACTERS_MAX: usize = 300;
/// Digits of a fingerprint.
const DIGITS: usize = 16;
/// The space of the ids that fingerprints are cut from.
const FINGERPRINTS: Uuid = Uuid::from_u128(0x3d0b_7a52_94c1_4e8f_b6d3_08e5_1f27_ac90);

/// The fingerprint of an error as nodes write it.
pub(super) fn fingerprint(error: &Value) -> String {
    let kind = error.get("name").and_then(Value::as_str).unwrap_or_default();
    let common = format!("{kind}\n{}", without_particulars(&error_message(error)));
    let mut digits = Uuid::new_v5(&FINGERPRINTS, common.as_bytes()).simple().to_string();
    digits.truncate(DIGITS);
    digits
}

/// A message without numbers, ids and quoted text.
fn without_particulars(message: &str) -> String {
    let mut common = String::with_capacity(message.len().min(MESSAGE_CHARACTERS_MAX));
    let mut rest = message.chars().take(MESSAGE_CHARACTERS_MAX).peekable();
    while let Some(character) = rest.next() {
        if matches!(character, '\'' | '"' | '`') && closes(rest.clone(), character) {
            while rest.next().is_some_and(|inside| inside != character) {}
            common.push('*');
        } else if character.is_whitespace() {
            if !common.ends_with(' ') {
                common.push(' ');
            }
        } else if character.is_alphanumeric() {
            let mut word = String::from(character);
            while let Some(more) = rest.next_if(|next| next.is_alphanumeric() || *next == '-' || *next == '_') {
                word.push(more);
            }
            // A word with a digit is a number, an id or a hash.
            common.push_str(if word.chars().any(|inside| inside.is_ascii_digit()) { "#" } else { &word });
        } else {
            common.push(character);
        }
    }
    common.trim().to_owned()
}

/// Whether quoted text ends; an apostrophe begins none.
fn closes(rest: impl Iterator<Item = char>, quote: char) -> bool {
    rest.into_iter().any(|character| character == quote)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(message: &str) -> String {
        fingerprint(&json!({ "name": "NodeApiError", "message": message }))
    }

    #[test]
    fn what_differs_from_one_to_the_next_does_not_count() {
        assert_eq!(of("order 17 not found"), of("order 18  not found"));
        assert_eq!(of("no row 'abc' in \"x\""), of("no row 'd' in \"yz\""));
        assert_eq!(of("GET /a/0192f3aa-77aa-7000-8000-000000000000 failed"), of("GET /a/b1c2d3 failed"));
        assert_eq!(of("connect ECONNREFUSED 10.0.0.1:80"), of("connect ECONNREFUSED 10.0.0.2:8080"));
        assert_eq!(of("it's 5"), of("it's 6"));
    }

    #[test]
    fn what_tells_failures_apart_counts() {
        assert_ne!(of("order not found"), of("customer not found"));
        assert_ne!(of("x"), fingerprint(&json!({ "name": "Other", "message": "x" })));
        assert_ne!(of("x"), fingerprint(&json!("x")));
        assert_eq!(of("x").len(), DIGITS);
    }

    #[test]
    fn a_fingerprint_stays_what_it_is() {
        assert_eq!(without_particulars("no 'a b' for user-12, it's the 3rd time"), "no * for #, it's the # time");
    }
}
