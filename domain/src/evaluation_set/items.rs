//! What a case gives to a workflow, and what a workflow gives: values as items, items as values.

use serde_json::{Map, Value};

use crate::item::Item;

/// The items with which a workflow begins for a value: an object is one, a list of objects several; anything else is the field
/// `input` of one.
pub fn items_of(value: &Value) -> Vec<Item> {
    let item = |fields: &Map<String, Value>| Item::new(fields.clone());
    match value {
        Value::Object(fields) => vec![item(fields)],
        Value::Array(values) if !values.is_empty() && values.iter().all(Value::is_object) => {
            values.iter().filter_map(Value::as_object).map(item).collect()
        }
        other => {
            let mut fields = Map::new();
            fields.insert("input".to_owned(), other.clone());
            vec![Item::new(fields)]
        }
    }
}

/// What items come to: one is an object, several are a list of such, none is null.
pub fn value_of(items: &[Item]) -> Value {
    match items {
        [] => Value::Null,
        [one] => one.json.to_value(),
        many => Value::Array(many.iter().map(|item| item.json.to_value()).collect()),
    }
}
