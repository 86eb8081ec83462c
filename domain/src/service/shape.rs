//! What becomes of an answer: the items that are made of it, and how further pages are asked for.
//!
//! Never evaluates anything: what is written down in JavaScript becomes options of the HTTP Request.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pattern::{Filling, sent_name};
use super::table::Pages;
use crate::item::JsonObject;

/// How deep scripts may name each other.
const SCRIPT_DEPTH_MAX: usize = 3;

/// Code with the scripts that it names in their places.
pub(super) fn with_scripts(scripts: &BTreeMap<String, String>, pattern: &str) -> String {
    let named = |code: String, (name, script): (&String, &String)| {
        code.replace(&format!("#{{{name}}}"), &format!("({script})"))
    };
    let mut code = pattern.to_owned();
    for _ in 0..SCRIPT_DEPTH_MAX {
        code = scripts.iter().fold(code, named);
    }
    code
}

/// The same for every text within a pattern.
pub(super) fn all_with_scripts(scripts: &BTreeMap<String, String>, pattern: &Value) -> Value {
    match pattern {
        Value::String(text) => Value::String(with_scripts(scripts, text)),
        Value::Array(elements) => elements.iter().map(|element| all_with_scripts(scripts, element)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), all_with_scripts(scripts, field)))
            .collect::<JsonObject>()
            .into(),
        other => other.clone(),
    }
}

/// What becomes of an answer, gathered part by part; what is told later counts.
pub(super) struct Shape<'s> {
    scripts: &'s BTreeMap<String, String>,
    items: Option<Value>,
    pagination: Option<Value>,
}

impl<'s> Shape<'s> {
    /// Nothing yet; what is told may name these scripts.
    pub fn new(scripts: &'s BTreeMap<String, String>) -> Self {
        Self { scripts, items: None, pagination: None }
    }

    /// Adds what a part of the table tells.
    ///
    /// # Errors
    /// When a parameter cannot stand within JavaScript.
    pub fn add(&mut self, filling: &mut Filling<'_>, answer: &str, pages: Option<&Pages>) -> Result<(), String> {
        if !answer.is_empty() {
            self.items = self.code(filling, answer)?;
        }
        if let Some(pages) = pages {
            self.pagination = Some(self.pages(filling, pages)?);
        }
        Ok(())
    }

    /// Writes it into the options of the HTTP Request.
    pub fn write(self, options: &mut JsonObject) {
        if let Some(items) = self.items {
            let response = options.entry("response").or_insert_with(|| json!({}));
            // The options of an answer stand in a group of the same name.
            let group = response.as_object_mut().map(|fields| fields.entry("response").or_insert_with(|| json!({})));
            if let Some(fields) = group.and_then(Value::as_object_mut) {
                fields.insert("items".to_owned(), items);
            }
        }
        if let Some(pagination) = self.pagination {
            options.insert("pagination".to_owned(), json!({ "pagination": pagination }));
        }
    }

    /// JavaScript with scripts and parameters in it, as an expression.
    fn code(&self, filling: &mut Filling<'_>, pattern: &str) -> Result<Option<Value>, String> {
        filling.value(&json!({ "$code": with_scripts(self.scripts, pattern) }))
    }

    fn pages(&self, filling: &mut Filling<'_>, pages: &Pages) -> Result<Value, String> {
        let mut parameters = Vec::new();
        for (kind, fields) in [("qs", &pages.query), ("headers", &pages.headers), ("body", &pages.body)] {
            for (name, pattern) in fields {
                let value = self.code(filling, pattern.as_str().unwrap_or_default())?;
                parameters.extend(value.map(|value| json!({"type": kind, "name": sent_name(name), "value": value})));
            }
        }
        let last = self.code(filling, &format!("!({})", pages.more))?;
        Ok(json!({
            "parameters": {"parameters": parameters},
            "paginationCompleteWhen": "other",
            "completeExpression": last,
        }))
    }
}
