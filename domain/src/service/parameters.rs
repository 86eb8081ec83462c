//! The parameters of one node, with the defaults that its file leaves out and a memory of what was read.
//!
//! Never evaluates an expression. Invariant: what was not read is told by [`Parameters::unread`], empty values apart.

use std::collections::HashSet;

use serde_json::Value;

use super::table::Locator;
use crate::item::JsonObject;

/// Most parameters that are told to be left out, by name.
const UNREAD_MAX: usize = 50;

/// The parameters of one node.
pub(super) struct Parameters<'n> {
    own: &'n Value,
    defaults: [&'n JsonObject; 2],
    locators: &'n [Locator],
    read: HashSet<String>,
}

impl<'n> Parameters<'n> {
    /// The parameters `own`; of `defaults` the first that tells one counts.
    pub fn new(own: &'n Value, defaults: [&'n JsonObject; 2], locators: &'n [Locator]) -> Self {
        Self { own, defaults, locators, read: HashSet::new() }
    }

    /// The value at a dotted path, expressions as they are written. Of a parameter that says how it names a thing, the
    /// name.
    ///
    /// # Errors
    /// When a thing is named by an address in which the id is not found.
    pub fn get(&mut self, path: &str) -> Result<Option<Value>, String> {
        self.read.insert(path.to_owned());
        let own = lookup(self.own, path);
        let found = own.or_else(|| self.defaults.iter().find_map(|defaults| defaults.get(path)));
        let Some(found) = found else { return Ok(None) };
        if found.get("__rl").is_none() {
            return Ok(Some(found.clone()));
        }
        let named = found.get("value").cloned().unwrap_or_default();
        if found.get("mode").and_then(Value::as_str) != Some("url") {
            return Ok(Some(named));
        }
        self.in_address(path, &named).map(Some)
    }

    /// The node's own value at a dotted path, which is not taken down as read.
    pub fn peek(&self, path: &str) -> Option<&'n Value> {
        lookup(self.own, path)
    }

    fn in_address(&self, path: &str, address: &Value) -> Result<Value, String> {
        let lost = |why: &str| format!("the parameter '{path}' names it by an address, {why}: name it by its id");
        let rule = self.locators.iter().find(|rule| rule.parameter == path);
        let rule = rule.ok_or_else(|| lost("in which its id is not told"))?;
        let address = address.as_str().unwrap_or_default();
        if address.starts_with('=') {
            return Err(lost("which is an expression"));
        }
        let (before, fragment) = address.split_once('#').unwrap_or((address, ""));
        let fields =
            before.split_once('?').map_or("", |(_, query)| query).split('&').filter_map(|pair| pair.split_once('='));
        let field =
            rule.query.as_ref().and_then(|wanted| fields.into_iter().find(|(name, _)| *name == wanted.as_str()));
        if rule.fragment && !fragment.is_empty() {
            return Ok(fragment.into());
        }
        if let Some((_, id)) = field.filter(|(_, id)| !id.is_empty()) {
            return Ok(id.into());
        }
        let without_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
        let trail = without_scheme.split(['?', '#']).next().unwrap_or_default();
        let mut segments = trail.split('/').skip(1);
        let segment = match rule.segment {
            Some(index) => segments.nth(index),
            None => segments.last(),
        };
        let segment = segment.unwrap_or_default();
        let Some(count) = rule.digits else {
            return if segment.is_empty() { Err(lost("which has no id")) } else { Ok(segment.into()) };
        };
        let digits: String = segment.chars().filter(char::is_ascii_hexdigit).collect();
        let start = digits.len().checked_sub(count).ok_or_else(|| lost("which has no id"))?;
        Ok(digits[start..].into())
    }

    /// Takes down that these parameters change nothing that is sent.
    pub fn ignore(&mut self, paths: &[String]) {
        self.read.extend(paths.iter().cloned());
    }

    /// The parameters that nothing was made of, by dotted path.
    pub fn unread(&self) -> Vec<String> {
        let mut unread = Vec::new();
        self.collect(self.own, "", &mut unread);
        unread
    }

    fn collect(&self, value: &Value, path: &str, unread: &mut Vec<String>) {
        if self.read.contains(path) || is_empty(value) || unread.len() >= UNREAD_MAX {
            return;
        }
        match value {
            Value::Object(fields) if fields.contains_key("__rl") => unread.push(path.to_owned()),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| self.collect(field, &joined(path, name), unread));
            }
            Value::Array(elements) => {
                let numbered = elements.iter().enumerate();
                numbered.for_each(|(index, element)| self.collect(element, &joined(path, &index.to_string()), unread));
            }
            _ => unread.push(path.to_owned()),
        }
    }
}

/// Whether a value says nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.iter().all(is_empty),
        Value::Object(fields) if fields.contains_key("__rl") => fields.get("value").is_none_or(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A path below another.
pub(super) fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn lookup<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| match value {
        Value::Array(elements) => key.parse::<usize>().ok().and_then(|index| elements.get(index)),
        value => value.get(key),
    })
}
