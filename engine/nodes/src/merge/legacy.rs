//! The modes of version 1.

use std::collections::HashMap;

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};

use super::clash::Clash;
use super::{by_position, input, origins, unknown};
use crate::values;

/// The items that the node gives.
pub(super) fn run(run: &mut NodeRun<'_>, mode: &str) -> Result<Vec<Item>, NodeError> {
    let (first, second) = (input(run, 0), input(run, 1));
    match mode {
        "append" => Ok(first.into_iter().chain(second).collect()),
        "mergeByIndex" => Ok(by_index(&run.text("join", 0, "left")?, first, second)),
        "multiplex" => by_position::pair_all(&Clash::default(), &first, &second),
        "keepKeyMatches" | "mergeByKey" | "removeKeyMatches" => by_key(run, mode, first, &second),
        "passThrough" => Ok(if run.text("output", 0, "input1")? == "input2" { second } else { first }),
        "wait" => Ok(vec![Item::new(JsonObject::new())]),
        other => Err(unknown("mode", other)),
    }
}

fn by_index(join: &str, first: Vec<Item>, second: Vec<Item>) -> Vec<Item> {
    let length = match join {
        "inner" => first.len().min(second.len()),
        "outer" => first.len().max(second.len()),
        _ => first.len(),
    };
    let merged = (0..length).filter_map(|index| match (first.get(index), second.get(index)) {
        (Some(first), Some(second)) => Some(over(first, second)),
        (only, None) | (None, only) => only.cloned(),
    });
    merged.collect()
}

/// `first` with the fields of `second` over its own; of attachments its own stay.
fn over(first: &Item, second: &Item) -> Item {
    let mut merged = Item { paired_item: origins([first, second]), ..first.clone() };
    merged.json.extend(second.json.clone());
    if let Some(binary) = &second.binary {
        let attachments = merged.binary.get_or_insert_default();
        for (name, attachment) in binary {
            attachments.entry(name.clone()).or_insert_with(|| attachment.clone());
        }
    }
    merged
}

fn by_key(run: &mut NodeRun<'_>, mode: &str, first: Vec<Item>, second: &[Item]) -> Result<Vec<Item>, NodeError> {
    let name1 = run.text("propertyName1", 0, "")?;
    let name2 = run.text("propertyName2", 0, "")?;
    let overwrite = run.text("overwrite", 0, "always")?;
    if second.is_empty() || name1.is_empty() || name2.is_empty() {
        let has_key = |item: &Item| name1.is_empty() || values::has(&item.json, &name1, true);
        return Ok(match mode {
            "keepKeyMatches" => Vec::new(),
            "mergeByKey" => first.into_iter().filter(has_key).collect(),
            _ => first,
        });
    }
    let mut by_value: HashMap<String, &Item> = HashMap::new();
    for item in second {
        let value = values::get(&item.json, &name2, true).filter(|value| values::truthy(value));
        if let Some(value) = value {
            by_value.insert(values::text(value), item);
        }
    }
    let mut output = Vec::new();
    for mut item in first {
        let wanted = match values::get(&item.json, &name1, true) {
            None if mode == "removeKeyMatches" => {
                output.push(item);
                continue;
            }
            // A null is a key that nothing has.
            Some(Value::Null) if mode != "keepKeyMatches" => {
                output.push(item);
                continue;
            }
            Some(value @ (Value::String(_) | Value::Number(_))) => values::text(value),
            // What is neither text nor number cannot be compared.
            _ => continue,
        };
        match (mode, by_value.get(&wanted)) {
            ("keepKeyMatches", Some(_)) | ("removeKeyMatches" | "mergeByKey", None) => output.push(item),
            ("mergeByKey", Some(other)) => {
                let origin = origins([&item, other]);
                copy_fields(&mut item.json, &other.json, &name2, &overwrite);
                output.push(Item { paired_item: origin, ..item });
            }
            _ => {}
        }
    }
    Ok(output)
}

fn copy_fields(target: &mut JsonObject, source: &JsonObject, key_name: &str, overwrite: &str) {
    for (key, value) in source.iter().filter(|(key, _)| *key != key_name) {
        let allowed = match (overwrite, target.get(key)) {
            ("blank", Some(existing)) => existing.is_null() || existing.as_str() == Some(""),
            ("undefined", existing) => existing.is_none(),
            _ => true,
        };
        if allowed {
            target.insert(key.clone(), value.clone());
        }
    }
}
