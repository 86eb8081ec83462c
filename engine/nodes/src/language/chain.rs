//! Basic LLM Chain: a prompt and messages, and what a language model answers.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{Condition, HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::chat::{ImageSource, Message, Part, Role};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::PROMPT_TYPE;
use super::asking::{Chats, models_of, user};
use super::{LANGUAGE_MODEL, OUTPUT_PARSER, schema};
use crate::describe::{ONE_TO_ONE, choice, is, list, long_text, many, options, palette, switch, text};
use crate::files::{attached, base64_of};
use crate::models::Gathered;

const PARAMETERS: &[ParameterDefinition] = &[
    long_text("prompt", "The prompt.").until(1.3),
    options("promptType", PROMPT_TYPE, "Where the prompt is.").called("Source for prompt").or_text("auto").since(1.4),
    long_text("text", "The prompt.")
        .called("Prompt (user message)")
        .like("Sum this up: {{ $json.text }}")
        .when(&[is("promptType", &["define"])])
        .since(1.4),
    switch("hasOutputParser", "Whether the attached output parser says what is to be given.")
        .called("Require specific output format")
        .or_true()
        .until(1.2),
    switch("hasOutputParser", "Whether the attached output parser says what is to be given.")
        .called("Require specific output format")
        .or_false()
        .since(1.3),
    list("messages", &[many("messageValues", "Message", MESSAGE)], "Messages before the prompt.")
        .called("Chat messages"),
];

const SPOKEN: &[Condition] = &[is("type", &["HumanMessagePromptTemplate"])];
const MESSAGE: &[ParameterDefinition] = &[
    options(
        "type",
        &[
            choice("AIMessagePromptTemplate", "AI"),
            choice("SystemMessagePromptTemplate", "System"),
            choice("HumanMessagePromptTemplate", "User"),
        ],
        "Who says it.",
    )
    .called("Role")
    .or_text("SystemMessagePromptTemplate"),
    options(
        "messageType",
        &[choice("text", "Text"), choice("imageBinary", "Image (binary)"), choice("imageUrl", "Image (URL)")],
        "What it is.",
    )
    .or_text("text")
    .when(SPOKEN),
    text("binaryImageDataKey", "Attachment with the picture.")
        .called("Image data field name")
        .or_text("data")
        .when(&[is("messageType", &["imageBinary"])]),
    text("imageUrl", "Address of the picture.").called("Image URL").when(&[is("messageType", &["imageUrl"])]),
    options(
        "imageDetail",
        &[choice("auto", "Auto"), choice("low", "Low"), choice("high", "High")],
        "How closely the model looks.",
    )
    .called("Image details")
    .when(&[is("messageType", &["imageBinary", "imageUrl"])]),
    long_text("message", "The words.").when(&[is("type", &["AIMessagePromptTemplate", "SystemMessagePromptTemplate"])]),
    long_text("message", "The words.").when(&[is("messageType", &["text"])]),
];

/// Most messages before the prompt.
const MESSAGES_MAX: usize = 200;

/// Basic LLM Chain.
pub(crate) struct ChainLlm;

impl NodeType for ChainLlm {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "@n8n/n8n-nodes-langchain.chainLlm",
            display_name: "Basic LLM Chain",
            description: "Asks a language model and gives its answer, as text or as data.",
            versions: &[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "link", &["llm", "prompt", "gpt", "ask", "completion"]),
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, node: &Node) -> HelperPorts {
        let ports = HelperPorts::default().requiring(LANGUAGE_MODEL);
        let has_parser = node.parameters.get("hasOutputParser").and_then(Value::as_bool) == Some(true);
        if has_parser { ports.requiring(OUTPUT_PARSER) } else { ports.taking(OUTPUT_PARSER) }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for ChainLlm {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut chats, mut gathered) = (Chats::new(run), Gathered::default());
        for index in 0..items.len() {
            let made = answered(run, &mut chats, &items[index], index).await;
            gathered.take_all(run, index, made)?;
        }
        Ok(NodeOutput::single(gathered.items()))
    }
}

async fn answered(run: &mut NodeRun<'_>, chats: &mut Chats, item: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
    let models = models_of(run, index)?;
    let mut messages = messages(run, item, index)?;
    messages.push(user(prompt(run, index)?));
    let has_parser = run.boolean("hasOutputParser", index, run.version() < 1.3)?;
    let parser = if has_parser { run.attached(OUTPUT_PARSER).into_iter().next() } else { None };
    let Some(parser) = parser else {
        let chatted = chats.ask(&models, messages, None).await?;
        return Ok(vec![of_fields([("text", json!(chatted.answer.text().trim()))])]);
    };
    let schema = schema::of_parser(run, parser, index)?;
    let data = chats.ask_for_data(&models, messages, schema).await?;
    Ok(match data {
        Value::Object(fields) if run.version() >= 1.6 => vec![Item::new(fields)],
        Value::Object(_) => vec![of_fields([("response", data)])],
        other => vec![of_fields([("data", other)])],
    })
}

fn of_fields(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Item {
    Item::new(JsonObject::from_iter(fields.into_iter().map(|(name, value)| (name.to_owned(), value))))
}

/// The prompt of one item: a field of it that has a name by custom, or what the node says.
fn prompt(run: &mut NodeRun<'_>, index: usize) -> Result<String, NodeError> {
    let is_defined = run.version() < 1.4 || run.text("promptType", index, "auto")? == "define";
    let text = match is_defined {
        true if run.version() < 1.4 => run.text("prompt", index, "")?,
        true => run.text("text", index, "")?,
        false => {
            let from_item = run.scope.items.get(index).and_then(|item| item.json.get("chatInput").cloned());
            from_item.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
        }
    };
    if text.trim().is_empty() {
        let advice = match is_defined {
            true => "write one, or an expression that is not empty for this item",
            false => "give the item a field chatInput, or choose to define the prompt",
        };
        return Err(NodeError::operation("there is no prompt").described(advice));
    }
    Ok(text)
}

/// The messages before the prompt.
fn messages(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<Message>, NodeError> {
    let listed = run.parameter("messages.messageValues", index)?;
    let listed = listed.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if listed.len() > MESSAGES_MAX {
        return Err(NodeError::operation(format!("there are more than {MESSAGES_MAX} messages")));
    }
    let mut messages = Vec::with_capacity(listed.len() + 1);
    for listed in listed {
        let text = |field: &str| listed.get(field).and_then(Value::as_str).unwrap_or_default();
        let role = match text("type") {
            "HumanMessagePromptTemplate" => Role::User,
            "AIMessagePromptTemplate" => Role::Assistant,
            _ => Role::System,
        };
        let detail = Some(text("imageDetail").to_owned()).filter(|detail| !detail.is_empty());
        let part = match (role, text("messageType")) {
            (Role::User, "imageUrl") => Part::Image { source: ImageSource::Url(text("imageUrl").to_owned()), detail },
            (Role::User, "imageBinary") => {
                let name = listed.get("binaryImageDataKey").and_then(Value::as_str).unwrap_or("data");
                let attachment = attached(item, index, name)?;
                let (media_type, base64) = (attachment.mime_type.clone(), base64_of(run, attachment)?);
                Part::Image { source: ImageSource::Data { media_type, base64 }, detail }
            }
            _ => Part::text(text("message")),
        };
        messages.push(Message { role, name: None, parts: vec![part], extra: JsonObject::new() });
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::testing::{ScriptedChats, asked};

    fn parameters(text: &str) -> Value {
        json!({"promptType": "define", "text": text, "messages": {"messageValues": [{"message": "Be short."}]}})
    }

    #[tokio::test]
    async fn a_prompt_is_asked_by_the_route_of_the_attached_model() {
        let chats = ScriptedChats::answering(["Hello!"]);
        let model = json!({"model": {"__rl": true, "value": "small", "mode": "list"},
            "options": {"temperature": 0, "maxTokens": -1}});
        let output =
            asked(&ChainLlm, 1.9, parameters("=Say hi to {{ $json.name }}"), model, &chats, json!([{"name": "Ada"}]));
        assert_eq!(output.await.unwrap(), json!([[{"text": "Hello!"}]]));
        let request = &chats.requests()[0];
        assert_eq!((request.model.as_str(), request.sampling.temperature), ("small", Some(0.0)));
        assert_eq!(request.sampling.output_tokens_max, None, "-1 is nothing");
        let said: Vec<(Role, String)> = request.messages.iter().map(|said| (said.role, said.joined_text())).collect();
        assert_eq!(said, [(Role::System, "Be short.".to_owned()), (Role::User, "Say hi to Ada".to_owned())]);
        let asker = &chats.askers()[0];
        assert_eq!((asker.node.as_deref(), asker.key.as_deref()), (Some("Tested"), Some("key-1-0")));
    }

    #[tokio::test]
    async fn the_chat_input_is_the_prompt_where_none_is_defined() {
        let chats = ScriptedChats::answering(["yes", "no"]);
        let items = json!([{"chatInput": "One?"}, {"chatInput": "Two?"}]);
        let output = asked(&ChainLlm, 1.7, json!({}), json!({"model": "m"}), &chats, items).await.unwrap();
        assert_eq!(output, json!([[{"text": "yes"}, {"text": "no"}]]));
        let error = asked(&ChainLlm, 1.7, json!({}), json!({"model": "m"}), &chats, json!([{}])).await.unwrap_err();
        assert_eq!(error.message, "there is no prompt");
        let named = asked(&ChainLlm, 1.7, parameters("x"), json!({}), &chats, json!([{}])).await.unwrap_err();
        assert!(named.message.contains("names no model"), "{named}");
    }

    #[tokio::test]
    async fn a_route_that_is_not_there_is_told_with_what_to_do() {
        let chats = ScriptedChats::default();
        let error =
            asked(&ChainLlm, 1.7, parameters("x"), json!({"model": "gone"}), &chats, json!([{}])).await.unwrap_err();
        assert!(error.message.contains("'gone'"), "{error}");
        assert!(error.description.unwrap().contains("set up a route of the gateway with the name 'gone'"));
    }
}
