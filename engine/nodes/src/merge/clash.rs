//! What happens when merged items have fields of the same name.

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use crate::values;

/// How fields of the same name are brought together.
#[derive(Debug, Clone, Default)]
pub(super) struct Clash {
    resolve: Option<String>,
    shallow: bool,
    keep_over_empty: bool,
}

impl Clash {
    /// As the node's options say.
    ///
    /// # Errors
    /// [`NodeError`] when an expression fails.
    pub fn of(run: &mut NodeRun<'_>) -> Result<Self, NodeError> {
        let chosen = run.parameter("options.clashHandling.values", 0)?;
        let option = |key: &str| chosen.as_ref().and_then(|chosen| chosen.get(key));
        Ok(Self {
            resolve: option("resolveClash").and_then(Value::as_str).map(str::to_owned),
            shallow: option("mergeMode").and_then(Value::as_str) == Some("shallowMerge"),
            keep_over_empty: option("overrideEmpty").is_some_and(values::truthy),
        })
    }

    /// Whether each input's fields get a number behind their name.
    pub fn adds_suffix(&self) -> bool {
        self.resolve.as_deref() == Some("addSuffix")
    }

    /// Index of the input whose fields win, where one is named.
    pub fn preferred(&self) -> Option<usize> {
        let number: usize = self.resolve.as_deref()?.strip_prefix("preferInput")?.parse().ok()?;
        number.checked_sub(1)
    }

    /// Whether the fields of the last input win, whichever that is.
    pub fn prefers_last(&self) -> bool {
        self.resolve.as_deref() == Some("preferLast")
    }

    /// Adds `source`'s fields to `target`; those of `source` win.
    pub fn merge(&self, target: &mut JsonObject, source: &JsonObject) {
        for (key, value) in source {
            match target.get_mut(key) {
                None => {
                    target.insert(key.clone(), value.clone());
                }
                Some(existing) => self.merge_value(existing, value),
            }
        }
    }

    fn merge_value(&self, existing: &mut Value, value: &Value) {
        if self.keep_over_empty && (value.is_null() || value.as_str() == Some("")) {
            return;
        }
        match (existing, value) {
            (Value::Object(existing), Value::Object(value)) if !self.shallow => self.merge(existing, value),
            (Value::Array(existing), Value::Array(value)) if !self.shallow => {
                for (index, element) in value.iter().enumerate() {
                    match existing.get_mut(index) {
                        Some(slot) => self.merge_value(slot, element),
                        None => existing.push(element.clone()),
                    }
                }
            }
            (existing, value) => existing.clone_from(value),
        }
    }

    /// One item of several; fields and attachments of the later ones win.
    pub fn combine(&self, items: &[&Item]) -> Item {
        let mut combined = Item::default();
        for item in items {
            self.merge(&mut combined.json, &item.json);
            if let Some(binary) = &item.binary {
                combined.binary.get_or_insert_default().extend(binary.clone());
            }
        }
        combined
    }
}

/// The items with `_number` behind every field name.
pub(super) fn with_suffix(items: Vec<Item>, number: usize) -> Vec<Item> {
    let rename = |item: Item| {
        let json = item.json.into_iter().map(|(key, value)| (format!("{key}_{number}"), value)).collect();
        let binary = item
            .binary
            .map(|binary| binary.into_iter().map(|(key, value)| (format!("{key}_{number}"), value)).collect());
        Item { json, binary, ..item }
    };
    items.into_iter().map(rename).collect()
}
