//! Information Extractor: data out of a text, in a form that the author says.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::asking::{Chats, models_of, system, user};
use super::{LANGUAGE_MODEL, schema};
use crate::describe::{
    ONE_TO_ONE, choice, collection, is, json, list, long_text, many, options, palette, switch, text, told,
};
use crate::models::Gathered;

const PARAMETERS: &[ParameterDefinition] = &[
    long_text("text", "The text.").like("{{ $json.text }}"),
    options(
        "schemaType",
        &[
            told("fromAttributes", "From attribute descriptions", "A list of what is wanted."),
            told("fromJson", "Generate from JSON example", "An example of the data."),
            told("manual", "Define using JSON Schema", "A schema of the data."),
        ],
        "What says what is wanted.",
    )
    .or_text("fromAttributes"),
    json("jsonSchemaExample", "An example of the data.")
        .called("JSON example")
        .like(r#"{"city": "Lyon"}"#)
        .when(&[is("schemaType", &["fromJson"])]),
    json("inputSchema", "The JSON Schema of the data.").when(&[is("schemaType", &["manual"])]),
    list("attributes", &[many("attributes", "Attribute", ATTRIBUTE)], "The attributes.")
        .when(&[is("schemaType", &["fromAttributes"])]),
    collection(
        "options",
        &[long_text("systemPromptTemplate", "What the model is told first.").or_text(INSTRUCTION)],
        "What else to decide.",
    ),
];

const ATTRIBUTE: &[ParameterDefinition] = &[
    text("name", "Name of the attribute.").like("city"),
    options(
        "type",
        &[choice("boolean", "Boolean"), choice("date", "Date"), choice("number", "Number"), choice("string", "String")],
        "Type of its value.",
    )
    .or_text("string"),
    text("description", "What it is, for the model.").like("The city that the text is about"),
    switch("required", "Whether it must be there.").or_false(),
];

/// What the model is told when the author says nothing.
const INSTRUCTION: &str = "Take the wanted facts out of the text that the user gives. Only what the text itself says counts: \
                           leave out what it does not say, and add nothing of your own.";

/// Information Extractor.
pub(crate) struct InformationExtractor;

impl NodeType for InformationExtractor {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "@n8n/n8n-nodes-langchain.informationExtractor",
            display_name: "Information Extractor",
            description: "Takes data out of a text, in the form that you say.",
            versions: &[1.0, 1.1, 1.2],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "scan-text", &["extract", "data", "structured", "json", "parse"]),
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
impl EffectNode for InformationExtractor {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut chats, mut gathered) = (Chats::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = extracted(run, &mut chats, index).await;
            gathered.take(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn extracted(run: &mut NodeRun<'_>, chats: &mut Chats, index: usize) -> Result<Item, NodeError> {
    let models = models_of(run, index)?;
    let text = run.text("text", index, "")?;
    if text.trim().is_empty() {
        return Err(NodeError::operation("there is no text").described("say in the parameter 'text' where it is"));
    }
    let schema = match run.text("schemaType", index, "fromAttributes")?.as_str() {
        "fromJson" => schema::read(run.parameter("jsonSchemaExample", index)?, "jsonSchemaExample", true)?,
        "manual" => schema::read(run.parameter("inputSchema", index)?, "inputSchema", false)?,
        _ => {
            let listed = run.parameter("attributes.attributes", index)?;
            schema::of_attributes(listed.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default())?
        }
    };
    let instruction = run.text("options.systemPromptTemplate", index, INSTRUCTION)?;
    let data = chats.ask_for_data(&models, vec![system(instruction), user(text)], schema).await?;
    Ok(Item::new(JsonObject::from_iter([("output".to_owned(), json!(data))])))
}

#[cfg(test)]
mod tests {
    use timeloom_domain::chat::{Format, Role};

    use super::*;
    use crate::language::testing::{ScriptedChats, asked, said, texts};

    #[tokio::test]
    async fn attributes_become_a_schema_and_the_answer_data() {
        let chats = ScriptedChats::answering([r#"{"name": "Ada", "age": 36}"#]);
        let parameters = json!({"text": "={{ $json.text }}", "attributes": {"attributes": [
            {"name": "name", "description": "Who", "required": true}, {"name": "age", "type": "number"}]}});
        let items = texts(["Ada is 36."]);
        let output = asked(&InformationExtractor, 1.2, parameters, json!({"model": "m"}), &chats, items).await;
        assert_eq!(output.unwrap(), json!([[{"output": {"name": "Ada", "age": 36}}]]));
        let request = &chats.requests()[0];
        let Some(Format::Schema { schema, .. }) = &request.format else { panic!("{:?}", request.format) };
        assert_eq!(
            (&schema["required"], &schema["properties"]["age"]["type"]),
            (&json!(["name"]), &json!(["number", "null"]))
        );
        assert_eq!(said(request, Role::User), "Ada is 36.");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_data_fails_with_what_was_said() {
        let chats = ScriptedChats::answering(["I do not know."]);
        let parameters = json!({"text": "x", "schemaType": "fromJson", "jsonSchemaExample": "{\"a\": 1}"});
        let error = asked(&InformationExtractor, 1.0, parameters, json!({"model": "m"}), &chats, json!([{}])).await;
        assert!(error.unwrap_err().description.unwrap().contains("I do not know."));
    }
}
