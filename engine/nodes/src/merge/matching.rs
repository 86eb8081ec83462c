//! Which items of two inputs belong together because chosen fields are equal.

use std::collections::HashMap;

use serde_json::Value;
use timeloom_domain::item::Item;

use crate::values;

/// Fields that must be equal: of input 1, of input 2.
pub(super) type FieldPair = (String, String);

/// How fields are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison {
    /// Whether dots in field names lead into objects.
    pub dots: bool,
    /// Whether `"3"` equals 3.
    pub fuzzy: bool,
    /// Whether an item is matched once only.
    pub first_only: bool,
}

/// The matches of input 1's items, and what is left over.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// Index in input 1, with the indices in input 2 that match it.
    pub matched: Vec<(usize, Vec<usize>)>,
    /// Indices in input 1 without a match.
    pub unmatched1: Vec<usize>,
    /// By index in input 2: whether it was matched.
    pub used2: Vec<bool>,
}

/// Finds the matches.
pub(super) fn find(first: &[Item], second: &[Item], fields: &[FieldPair], comparison: Comparison) -> Matches {
    let index = Index::new(second, fields, comparison);
    let mut matches = Matches { used2: vec![false; second.len()], ..Matches::default() };
    for (position, item) in first.iter().enumerate() {
        let wanted: Option<Vec<&Value>> =
            fields.iter().map(|(field, _)| values::get(&item.json, field, comparison.dots)).collect();
        let found = wanted.map(|wanted| index.find(second, fields, &wanted, comparison)).unwrap_or_default();
        if found.is_empty() {
            matches.unmatched1.push(position);
            continue;
        }
        for found in &found {
            matches.used2[*found] = true;
        }
        matches.matched.push((position, found));
    }
    matches
}

/// Input 2's items by the values of their fields, so that two large inputs need not be compared each with each.
enum Index {
    Exact(HashMap<String, Vec<usize>>),
    /// Fuzzy equality has no key to look up by.
    Each,
}

impl Index {
    fn new(second: &[Item], fields: &[FieldPair], comparison: Comparison) -> Self {
        if comparison.fuzzy {
            return Self::Each;
        }
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (position, item) in second.iter().enumerate() {
            let found: Option<Vec<&Value>> =
                fields.iter().map(|(_, field)| values::get(&item.json, field, comparison.dots)).collect();
            if let Some(found) = found {
                by_key.entry(key(&found)).or_default().push(position);
            }
        }
        Self::Exact(by_key)
    }

    fn find(&self, second: &[Item], fields: &[FieldPair], wanted: &[&Value], comparison: Comparison) -> Vec<usize> {
        let limit = if comparison.first_only { 1 } else { usize::MAX };
        match self {
            Self::Exact(by_key) => by_key.get(&key(wanted)).into_iter().flatten().copied().take(limit).collect(),
            Self::Each => {
                let equal = |item: &Item| {
                    fields.iter().zip(wanted).all(|((_, field), wanted)| {
                        values::fuzzy_equal(Some(wanted), values::get(&item.json, field, comparison.dots))
                    })
                };
                let found = second.iter().enumerate().filter(|(_, item)| equal(item));
                found.map(|(position, _)| position).take(limit).collect()
            }
        }
    }
}

/// A text that is the same for values that are equal.
fn key(values: &[&Value]) -> String {
    let parts: Vec<Value> = values.iter().map(|value| sorted(value)).collect();
    values::stringify(&Value::Array(parts))
}

/// The value with the fields of its objects in order of name.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            let field = |name: &String| (name.clone(), fields.get(name).map(sorted).unwrap_or_default());
            Value::Object(names.into_iter().map(field).collect())
        }
        other => other.clone(),
    }
}
