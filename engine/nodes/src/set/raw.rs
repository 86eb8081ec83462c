//! Fields as JSON text, with expressions anywhere in it.

use serde_json::Value;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

use crate::{lenient_json, values};

/// The new fields of every item.
pub(super) fn fields(run: &mut NodeRun<'_>) -> Vec<Result<JsonObject, NodeError>> {
    let written = run.raw_parameter("jsonOutput").cloned().unwrap_or_else(|| Value::String("{}".to_owned()));
    let resolved = match written.as_str() {
        Some(text) if text.starts_with('=') => resolve_text(run, text),
        _ => run.resolve_for_items(&written),
    };
    resolved.into_iter().enumerate().map(|(index, json)| object_of(json?, index)).collect()
}

fn object_of(json: Option<Value>, index: usize) -> Result<JsonObject, NodeError> {
    let parsed = match json {
        Some(Value::String(text)) => lenient_json::parse(&text).ok_or_else(|| {
            NodeError::operation(format!("the JSON for item {index} is not valid")).described(text).at_item(index)
        })?,
        other => other.unwrap_or_default(),
    };
    match parsed {
        Value::Object(fields) => Ok(fields),
        _ => Err(NodeError::operation(format!("the JSON for item {index} is not an object"))
            .described("write the fields between { and }")
            .at_item(index)),
    }
}

/// The text of an expression for every item; structures among its parts are written as JSON.
///
/// A text that is one expression keeps that expression's value.
pub(super) fn resolve_text(run: &mut NodeRun<'_>, text: &str) -> Vec<Result<Option<Value>, NodeError>> {
    let template = text.trim_start_matches('=');
    let parts = split(template);
    if let [only] = visible(&parts).as_slice()
        && only.is_expression
    {
        return run.resolve_for_items(&Value::String(format!("={}", only.text)));
    }
    let mut built: Vec<Result<String, NodeError>> = vec![Ok(String::new()); run.scope.items.len()];
    for part in parts {
        if !part.is_expression {
            built.iter_mut().flatten().for_each(|text| text.push_str(part.text));
            continue;
        }
        let resolved = run.resolve_for_items(&Value::String(format!("={}", part.text)));
        for (text, value) in built.iter_mut().zip(resolved) {
            match (text.as_mut(), value) {
                (Ok(text), Ok(value)) => text.push_str(&written(value.as_ref())),
                (Ok(_), Err(error)) => *text = Err(error),
                (Err(_), _) => {}
            }
        }
    }
    built.into_iter().map(|text| text.map(|text| Some(Value::String(text)))).collect()
}

fn written(value: Option<&Value>) -> String {
    match value {
        None => "undefined".to_owned(),
        Some(value @ (Value::Array(_) | Value::Object(_))) => values::stringify(value),
        Some(value) => values::text(value),
    }
}

/// A stretch of a template.
struct Part<'t> {
    text: &'t str,
    is_expression: bool,
}

fn visible<'p, 't>(parts: &'p [Part<'t>]) -> Vec<&'p Part<'t>> {
    parts.iter().filter(|part| part.is_expression || !part.text.trim().is_empty()).collect()
}

/// The template's parts: `{{ … }}` and what lies between. Braces inside an expression's quotes do not end it.
fn split(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find("{{") {
        let Some(length) = expression_length(&rest[start..]) else { break };
        if start > 0 {
            parts.push(Part { text: &rest[..start], is_expression: false });
        }
        parts.push(Part { text: &rest[start..start + length], is_expression: true });
        rest = &rest[start + length..];
    }
    if !rest.is_empty() {
        parts.push(Part { text: rest, is_expression: false });
    }
    parts
}

/// Length of the expression that `text` begins with, both pairs of braces included.
fn expression_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = 2;
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'' | b'`') => quote = Some(byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') && bytes.get(at + 2) != Some(&b'}') => {
                return Some(at + 2);
            }
            _ => {}
        }
        at += 1;
    }
    // A quote that never closes, as in a comment: the first pair of braces ends the expression after all.
    text.find("}}").map(|end| end + 2)
}
