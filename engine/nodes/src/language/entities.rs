//! Entities: names of people, places and other things in a text, and where they stand.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::Node;
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::LANGUAGE_MODEL;
use super::asking::{Chats, models_of, system, user};
use crate::describe::{ONE_TO_ONE, long_text, palette, text};
use crate::models::Gathered;

const PARAMETERS: &[ParameterDefinition] = &[
    long_text("text", "The text.").like("{{ $json.text }}").needed(),
    text("kinds", "Kinds of entities, with commas between.").or_text(KINDS),
];

/// The kinds when the author names none.
const KINDS: &str = "person, organisation, place, date";

/// The Entities node.
pub(crate) struct Entities;

impl NodeType for Entities {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.entities",
            display_name: "Entities",
            description: "Finds names of people, places and other things in a text, by a language model.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "scan-search", &["names", "people", "places", "ner"]),
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, _node: &Node) -> HelperPorts {
        HelperPorts::default().requiring(LANGUAGE_MODEL)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Entities {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut chats, mut gathered) = (Chats::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = found(run, &mut chats, &items[index], index).await;
            gathered.take(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn found(run: &mut NodeRun<'_>, chats: &mut Chats, item: &Item, index: usize) -> Result<Item, NodeError> {
    let models = models_of(run, index)?;
    let text = run.text("text", index, "")?;
    let kinds = run.text("kinds", index, KINDS)?;
    let kinds: Vec<&str> = kinds.split(',').map(str::trim).filter(|kind| !kind.is_empty()).collect();
    let entity = json!({
        "type": "object",
        "properties": { "text": { "type": "string" }, "kind": { "type": "string", "enum": kinds } },
        "required": ["text", "kind"],
        "additionalProperties": false,
    });
    let schema = json!({
        "type": "object",
        "properties": { "entities": { "type": "array", "items": entity } },
        "required": ["entities"],
        "additionalProperties": false,
    });
    let instruction = format!(
        "List the entities of the kinds {} that the text of the user names, each as the text writes it, in its order.",
        kinds.join(", ")
    );
    let data = chats.ask_for_data(&models, vec![system(instruction), user(text.as_str())], schema).await?;
    let listed = data.get("entities").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut made = item.clone();
    made.json.insert("entities".to_owned(), Value::Array(placed(&text, listed)));
    Ok(made)
}

/// Entities with where they stand, in characters. What the text does not say was made up, and is left out.
fn placed(text: &str, listed: &[Value]) -> Vec<Value> {
    let mut from = 0;
    let mut found = Vec::new();
    for entity in listed {
        let word = |field: &str| entity.get(field).and_then(Value::as_str).unwrap_or_default();
        if word("text").is_empty() {
            continue;
        }
        let after = text.get(from..).and_then(|rest| rest.find(word("text"))).map(|place| from + place);
        let Some(start) = after.or_else(|| text.find(word("text"))) else { continue };
        from = start + word("text").len();
        let characters = |end: usize| text[..end].chars().count();
        found.push(json!({
            "text": word("text"), "kind": word("kind"), "start": characters(start), "end": characters(from),
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::testing::{ScriptedChats, asked, texts};

    #[tokio::test]
    async fn entities_are_told_with_their_places_and_none_is_made_up() {
        let chats = ScriptedChats::answering([
            r#"{"entities": [{"text": "Bär", "kind": "person"}, {"text": "Bär", "kind": "person"}, {"text": "Rome", "kind": "place"}]}"#,
        ]);
        let parameters = json!({"text": "={{ $json.text }}"});
        let output =
            asked(&Entities, 1.0, parameters, json!({"model": "m"}), &chats, texts(["Bär met Bär."])).await.unwrap();
        let entity = |start, end| json!({"text": "Bär", "kind": "person", "start": start, "end": end});
        assert_eq!(output[0][0]["entities"], json!([entity(0, 3), entity(8, 11)]));
    }
}
