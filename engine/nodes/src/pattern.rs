//! Regular expressions as workflow authors write them: JavaScript's syntax, with or without `/…/flags`.
//!
//! Matching takes bounded time: a pattern that backtracks too much is refused, never waited for.

use std::collections::HashMap;

use fancy_regex::{Regex, RegexBuilder};

/// Most steps back that one match may take.
const BACKTRACK_MAX: usize = 1_000_000;

/// Why a text could not be tried against a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// The pattern is not a regular expression.
    #[error("'{pattern}' is not a regular expression: {reason}")]
    Syntax {
        /// The pattern as the author wrote it.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The match needs too many steps.
    #[error("the regular expression '{0}' needs too many steps for this text; make it simpler")]
    Steps(String),
}

/// Patterns that were compiled before, by their text.
#[derive(Default)]
pub(crate) struct Patterns {
    compiled: HashMap<String, Regex>,
}

impl Patterns {
    /// Whether `text` holds a match of `pattern`.
    ///
    /// # Errors
    /// [`PatternError`] when the pattern is no regular expression or needs too many steps.
    pub fn matches(&mut self, pattern: &str, text: &str) -> Result<bool, PatternError> {
        if !self.compiled.contains_key(pattern) {
            self.compiled.insert(pattern.to_owned(), compile(pattern)?);
        }
        match self.compiled.get(pattern).map(|regex| regex.is_match(text)) {
            Some(Ok(matched)) => Ok(matched),
            Some(Err(_)) => Err(PatternError::Steps(pattern.to_owned())),
            None => Ok(false),
        }
    }
}

/// The compiled form of `/source/flags` or a bare source.
///
/// # Errors
/// [`PatternError::Syntax`].
pub(crate) fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let (source, flags) = split_flags(pattern);
    let mut prefix = String::new();
    for flag in ['i', 'm', 's'] {
        if flags.contains(flag) {
            prefix.push(flag);
        }
    }
    let prefix = if prefix.is_empty() { prefix } else { format!("(?{prefix})") };
    RegexBuilder::new(&format!("{prefix}{}", translate(source)))
        .backtrack_limit(BACKTRACK_MAX)
        .build()
        .map_err(|error| PatternError::Syntax { pattern: pattern.to_owned(), reason: error.to_string() })
}

/// Source and flags of `/source/flags`; without that form, all is source.
fn split_flags(pattern: &str) -> (&str, &str) {
    let Some(inner) = pattern.strip_prefix('/') else { return (pattern, "") };
    // The first slash that only flags follow ends the source.
    let end = inner.char_indices().find(|(at, c)| {
        *c == '/' && inner[at + 1..].chars().all(|flag| matches!(flag, 'g' | 'i' | 'm' | 'u' | 's' | 'y'))
    });
    match end {
        Some((at, _)) => (&inner[..at], &inner[at + 1..]),
        None => (pattern, ""),
    }
}

/// JavaScript's syntax in the words of the engine that we use.
fn translate(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut written = String::with_capacity(source.len() + 8);
    let mut at = 0;
    let mut in_class = false;
    while let Some(&character) = characters.get(at) {
        let next = characters.get(at + 1).copied();
        match (character, next) {
            ('\\', Some(escaped)) => {
                written.push_str(&escape(escaped, in_class));
                at += 1;
            }
            ('[', _) if in_class => written.push_str("\\["),
            ('[', Some('^')) if characters.get(at + 2) == Some(&']') => {
                written.push_str("[\\s\\S]");
                at += 2;
            }
            ('[', Some(']')) => {
                written.push_str("(?!)");
                at += 1;
            }
            ('[', _) => {
                in_class = true;
                written.push('[');
            }
            (']', _) if in_class => {
                in_class = false;
                written.push(']');
            }
            ('&' | '~', Some(same)) if in_class && same == character => {
                written.push('\\');
                written.push(character);
            }
            ('{', _) if !in_class && !is_quantifier(&characters[at..]) => written.push_str("\\{"),
            _ => written.push(character),
        }
        at += 1;
    }
    written
}

/// Whether `{2}`, `{2,}` or `{2,3}` stands at the beginning.
fn is_quantifier(characters: &[char]) -> bool {
    let Some(end) = characters.iter().position(|c| *c == '}') else { return false };
    let inner = &characters[1..end];
    inner.first().is_some_and(char::is_ascii_digit) && inner.iter().all(|c| c.is_ascii_digit() || *c == ',')
}

/// An escape: digits and word characters are ASCII in JavaScript, and unknown letters stand for themselves.
fn escape(escaped: char, in_class: bool) -> String {
    match (escaped, in_class) {
        ('d', false) => "[0-9]".to_owned(),
        ('D', false) => "[^0-9]".to_owned(),
        ('w', false) => "[A-Za-z0-9_]".to_owned(),
        ('W', false) => "[^A-Za-z0-9_]".to_owned(),
        ('d', true) => "0-9".to_owned(),
        ('w', true) => "A-Za-z0-9_".to_owned(),
        ('b', true) => "\\x08".to_owned(),
        ('/', _) => "/".to_owned(),
        ('0', _) => "\\x00".to_owned(),
        (known, _) if "DWsSbBnrtfvxupPk123456789".contains(known) => format!("\\{known}"),
        (letter, _) if letter.is_ascii_alphanumeric() => letter.to_string(),
        (other, _) if other.is_ascii_punctuation() => format!("\\{other}"),
        (other, _) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Patterns::default().matches(pattern, text).unwrap()
    }

    #[test]
    fn flags_may_follow_slashes() {
        assert!(matches("/^ab+$/i", "ABB"));
        assert!(!matches("^ab+$", "ABB"));
        assert!(matches("/a.c/s", "a\nc"));
        assert!(matches("/api/v1", "x/api/v1/y"));
    }

    #[test]
    fn javascript_syntax_is_understood() {
        assert!(matches(r"(?<=\$)\d{2,}", "cost: $42"));
        assert!(matches(r"^(\w)\1$", "aa"));
        assert!(matches(r"^[[\]{}]+$", "[{}]"));
        assert!(matches(r"^{a}\/\-$", "{a}/-"));
        assert!(matches(r"^[^]$", "\n"));
        assert!(!matches(r"^\d$", "٣"));
    }

    #[test]
    fn a_bad_pattern_is_told_and_a_dear_one_refused() {
        assert!(matches!(compile("(a"), Err(PatternError::Syntax { .. })));
        let dear = Patterns::default().matches(r"^(?=(a+)+$)\1b", &"a".repeat(40));
        assert!(dear == Ok(false) || matches!(dear, Err(PatternError::Steps(_))));
    }
}
