//! Finds secrets in texts, in JSON and in bytes, and puts marks in their place.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};

use super::Secret;
use super::forms::forms;

/// Finds secrets.
pub struct Finder {
    /// `None` when it could not be made: everything is hidden then.
    automaton: Option<AhoCorasick>,
    /// By pattern: the place of its mark, and whether it is base64.
    patterns: Vec<(usize, bool)>,
    marks: Vec<Arc<str>>,
    /// Whether one of the secrets is a number.
    has_numbers: bool,
    bytes_max: usize,
}

/// What stands in place of everything when secrets cannot be searched for.
pub(super) const ALL: &str = "[hidden: secrets could not be searched for]";

/// A place in a text that has a secret in it.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// Where what was found ends, without the letter beside it: there the next secret may begin.
    pub(super) end: usize,
    mark: usize,
}

impl Finder {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let (mut bytes, mut patterns, mut marks) = (Vec::new(), Vec::new(), Vec::<Arc<str>>::new());
        for Secret { text, mark, searched } in secrets {
            let place = marks.iter().position(|known| known == mark).unwrap_or_else(|| {
                marks.push(Arc::clone(mark));
                marks.len() - 1
            });
            for form in forms(text, *searched) {
                patterns.push((place, form.base64));
                bytes.push(form.bytes);
            }
        }
        let has_numbers = secrets.iter().any(|secret| secret.text.bytes().all(|letter| letter.is_ascii_digit()));
        let bytes_max = bytes.iter().map(Vec::len).max().unwrap_or(0);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&bytes);
        Self { automaton: automaton.ok(), patterns, marks, has_numbers, bytes_max }
    }

    /// Most bytes of what is searched for, and of the base64 around it.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max + 1
    }

    /// The places in `text` that have a secret in them, in order.
    pub(super) fn places<'t>(&'t self, text: &'t [u8]) -> Option<impl Iterator<Item = Found> + 't> {
        let found = self.automaton.as_ref()?.find_iter(text);
        Some(found.map(move |found| {
            let (mark, base64) = self.patterns.get(found.pattern().as_usize()).copied().unwrap_or_default();
            let (mut range, end) = (found.range(), found.end());
            if base64 {
                // The letters beside it may have some bits of it.
                let is_base64 = |place: usize| text.get(place).is_some_and(|letter| is_base64(*letter));
                range.start -= usize::from(range.start > 0 && is_base64(range.start - 1));
                range.end += usize::from(is_base64(range.end));
            }
            Found { range, end, mark }
        }))
    }

    /// What stands in its place.
    pub(super) fn mark(&self, found: &Found) -> &str {
        self.marks.get(found.mark).map_or(ALL, |mark| mark)
    }

    /// `bytes` with marks in place of secrets; `None` when there is none.
    pub fn hidden_in_bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let Some(places) = self.places(bytes) else { return Some(ALL.as_bytes().to_vec()) };
        let (mut hidden, mut done) = (Vec::new(), 0);
        for found in places {
            hidden.extend_from_slice(bytes.get(done..found.range.start).unwrap_or_default());
            hidden.extend_from_slice(self.mark(&found).as_bytes());
            done = found.range.end;
        }
        if done == 0 {
            return None;
        }
        hidden.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Some(hidden)
    }

    /// `text` with marks in place of secrets; `None` when there is none.
    pub fn hidden_in_text(&self, text: &str) -> Option<String> {
        let hidden = self.hidden_in_bytes(text.as_bytes())?;
        Some(String::from_utf8(hidden).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Puts marks in place of secrets in a text.
    pub fn hide_in_text(&self, text: &mut String) {
        if let Some(hidden) = self.hidden_in_text(text) {
            *text = hidden;
        }
    }

    /// The same in all texts of a value, names of fields included.
    pub fn hide_in_value(&self, value: &mut Value) {
        if self.is_in(value) {
            *value = self.hidden(std::mem::take(value));
        }
    }

    /// The same in all texts of an object.
    pub fn hide_in_object(&self, object: &mut JsonObject) {
        if self.is_in_object(object) {
            *object = self.hidden_object(std::mem::take(object));
        }
    }

    /// The same in an item, its attachments left out. One without a secret is not copied, whoever else has it.
    pub fn hide_in_item(&self, item: &mut Item) {
        if self.is_in_object(&item.json) {
            item.json = self.hidden_object(std::mem::take(&mut item.json).into_object()).into();
        }
        if let Some(error) = &mut item.error {
            self.hide_in_value(error);
        }
    }

    fn is_in(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_in_text(text),
            Value::Number(number) => self.has_numbers && self.is_in_text(&number.to_string()),
            Value::Array(parts) => parts.iter().any(|part| self.is_in(part)),
            Value::Object(fields) => self.is_in_object(fields),
            Value::Null | Value::Bool(_) => false,
        }
    }

    fn is_in_object(&self, object: &JsonObject) -> bool {
        object.iter().any(|(name, value)| self.is_in_text(name) || self.is_in(value))
    }

    fn is_in_text(&self, text: &str) -> bool {
        self.automaton.as_ref().is_none_or(|automaton| automaton.is_match(text))
    }

    fn hidden(&self, value: Value) -> Value {
        match value {
            Value::String(mut text) => {
                self.hide_in_text(&mut text);
                Value::String(text)
            }
            Value::Number(number) if self.has_numbers => {
                self.hidden_in_text(&number.to_string()).map_or(Value::Number(number), Value::String)
            }
            Value::Array(parts) => Value::Array(parts.into_iter().map(|part| self.hidden(part)).collect()),
            Value::Object(fields) => Value::Object(self.hidden_object(fields)),
            other => other,
        }
    }

    fn hidden_object(&self, object: JsonObject) -> JsonObject {
        let hidden = |(mut name, value): (String, Value)| {
            self.hide_in_text(&mut name);
            (name, self.hidden(value))
        };
        object.into_iter().map(hidden).collect()
    }
}

fn is_base64(letter: u8) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/' | b'-' | b'_')
}
