//! How much room items take as text, told without writing them down. Never exact: numbers and escapes are guessed.

use serde_json::Value;

use super::{Item, JsonObject};

/// Bytes that an item's text has besides its fields and attachments.
const ITEM_BYTES: usize = 64;
/// Bytes that the description of an attachment has besides its content.
const BINARY_BYTES: usize = 256;
/// Bytes that a number has, mostly at most.
const NUMBER_BYTES: usize = 8;

impl Item {
    /// About how many bytes it has as text, rather more than less.
    pub(crate) fn text_room(&self) -> usize {
        let attachments = self.binary.iter().flat_map(|binary| binary.values());
        let attached: usize = attachments.map(|attachment| attachment.data.len() + BINARY_BYTES).sum();
        ITEM_BYTES + object(&self.json) + attached
    }
}

fn object(fields: &JsonObject) -> usize {
    fields.iter().map(|(key, field)| key.len() + 4 + value(field)).sum::<usize>() + 2
}

fn value(of: &Value) -> usize {
    match of {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => NUMBER_BYTES,
        // A sixteenth more for what is escaped.
        Value::String(text) => text.len() + text.len() / 16 + 2,
        Value::Array(elements) => elements.iter().map(|element| 1 + value(element)).sum::<usize>() + 2,
        Value::Object(fields) => object(fields),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn there_is_room_for_the_text_and_not_much_more() {
        let fields = json!({ "a": "x".repeat(1_000), "b": [1, 2.5, null, { "c": "y\n".repeat(20) }], "d": true });
        let item = Item::new(fields.as_object().cloned().unwrap()).paired_with(40_000);
        let text = serde_json::to_string(&item).unwrap().len();
        let room = item.text_room();
        assert!(text <= room && room < text + text / 4, "{room} for {text}");
    }
}
