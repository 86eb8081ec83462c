//! Text Classifier and Sentiment Analysis: a language model says to which of some classes a text belongs, and the item goes
//! out where the class says.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition, PortNames};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{
    Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeShape, NodeType, RequiredInputs,
};

use super::asking::{Chats, models_of, system, user};
use super::{LANGUAGE_MODEL, schema};
use crate::describe::{
    ONE_TO_ONE, collection, list, long_text, many, options, outputs_vary, palette, switch, text, told,
};

const CLASSIFIER_PARAMETERS: &[ParameterDefinition] = &[
    long_text("inputText", "The text.").called("Text to classify").like("{{ $json.text }}"),
    list(
        "categories",
        &[many(
            "categories",
            "Category",
            &[
                text("category", "Name of the class.").like("Invoice"),
                text("description", "What belongs to it, for the model.").like("Bills that have to be paid"),
            ],
        )],
        "The classes: each has an output.",
    ),
    collection(
        "options",
        &[
            switch("multiClass", "Whether a text may belong to several classes.")
                .called("Allow multiple classes to be true")
                .or_false(),
            options(
                "fallback",
                &[
                    told("discard", "Discard item", "It goes nowhere."),
                    told("other", "Output on extra, 'Other' branch", "It goes to an output of its own."),
                ],
                "What happens to a text that belongs to none.",
            )
            .called("When no clear match")
            .or_text("discard"),
            SYSTEM,
        ],
        "What else to decide.",
    ),
];

const SYSTEM: ParameterDefinition =
    long_text("systemPromptTemplate", "What the model is told first; {categories} stands for their names.").or_text("");

const SENTIMENT_PARAMETERS: &[ParameterDefinition] = &[
    long_text("inputText", "The text.").called("Text to analyze").like("{{ $json.text }}"),
    collection(
        "options",
        &[
            text("categories", "The sentiments, with commas between: each has an output.")
                .called("Sentiment categories")
                .or_text(SENTIMENTS),
            SYSTEM,
            switch("includeDetailedResults", "Whether strength and confidence are given as well.").or_false(),
        ],
        "What else to decide.",
    ),
];

/// The sentiments when the author names none.
const SENTIMENTS: &str = "Positive, Neutral, Negative";
/// Most classes of one node.
const CLASSES_MAX: usize = 100;

/// Text Classifier.
pub(crate) struct TextClassifier;

/// Sentiment Analysis.
pub(crate) struct SentimentAnalysis;

impl NodeType for TextClassifier {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "@n8n/n8n-nodes-langchain.textClassifier",
            display_name: "Text Classifier",
            description: "Sends items to one output or another, by what a text is about.",
            versions: &[1.0, 1.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: CLASSIFIER_PARAMETERS,
            palette: palette(NodeGroup::Ai, "tags", &["categorize", "label", "route", "classify"]),
            port_names: outputs_vary("It has an output for each class, and one more where others are kept."),
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        let has_other = options_of(node).and_then(|options| options.get("fallback")) == Some(&json!("other"));
        shape_of(listed(node).len() + usize::from(has_other))
    }

    fn output_names(&self, node: &Node) -> Vec<String> {
        let name = |class: &Value| class.get("category").and_then(Value::as_str).unwrap_or_default().to_owned();
        let has_other = self.shape(node).outputs > listed(node).len().max(1);
        listed(node).iter().map(name).chain(has_other.then(|| "other".to_owned())).collect()
    }

    fn helper_ports(&self, _node: &Node) -> HelperPorts {
        HelperPorts::default().requiring(LANGUAGE_MODEL)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

impl NodeType for SentimentAnalysis {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "@n8n/n8n-nodes-langchain.sentimentAnalysis",
            display_name: "Sentiment Analysis",
            description: "Sends items to one output or another, by the sentiment of a text.",
            versions: &[1.0, 1.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: SENTIMENT_PARAMETERS,
            palette: palette(NodeGroup::Ai, "smile", &["positive", "negative", "mood", "emotion"]),
            port_names: PortNames {
                inputs: &[],
                outputs: &["Positive", "Neutral", "Negative"],
                vary: Some("It has an output for each sentiment that is named."),
            },
            ..NodeDefinition::BLANK
        }
    }

    fn shape(&self, node: &Node) -> NodeShape {
        shape_of(sentiments(node).len())
    }

    fn output_names(&self, node: &Node) -> Vec<String> {
        sentiments(node)
    }

    fn helper_ports(&self, _node: &Node) -> HelperPorts {
        HelperPorts::default().requiring(LANGUAGE_MODEL)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

fn shape_of(outputs: usize) -> NodeShape {
    NodeShape { inputs: 1, outputs: outputs.max(1), required_inputs: RequiredInputs::Any }
}

fn options_of(node: &Node) -> Option<&Value> {
    node.parameters.get("options")
}

/// The classes of a classifier as they are written down: their number is that of its outputs.
fn listed(node: &Node) -> &[Value] {
    let listed = node.parameters.get("categories").and_then(|fields| fields.get("categories"));
    listed.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn sentiments(node: &Node) -> Vec<String> {
    let named = options_of(node).and_then(|options| options.get("categories")).and_then(Value::as_str);
    let named = named.filter(|named| !named.trim().is_empty()).unwrap_or(SENTIMENTS);
    named.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

#[async_trait]
impl EffectNode for TextClassifier {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let (mut chats, mut outputs) = (Chats::new(run), vec![Vec::new(); self.shape(run.node).outputs]);
        for index in 0..items.len() {
            let places = classes_of(run, &mut chats, index).await;
            match places.and_then(|places| within(places, outputs.len())) {
                Ok(places) => {
                    for place in places {
                        outputs[place].push(items[index].clone().paired_with(index));
                    }
                }
                Err(error) if run.continues_on_fail() => outputs[0].push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::many(outputs))
    }
}

/// The places, if the node has an output for each: it has as many as classes are written down, whatever expressions make of them.
fn within(places: Vec<usize>, outputs: usize) -> Result<Vec<usize>, NodeError> {
    if places.iter().all(|place| *place < outputs) {
        return Ok(places);
    }
    Err(NodeError::operation("the node has fewer outputs than classes")
        .described("Write the list of categories and what happens to others without an expression."))
}

/// The outputs at which an item goes out.
async fn classes_of(run: &mut NodeRun<'_>, chats: &mut Chats, index: usize) -> Result<Vec<usize>, NodeError> {
    let models = models_of(run, index)?;
    let text = text_of(run, index)?;
    let classes = run.parameter("categories.categories", index)?;
    let classes = classes.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let field = |class: &Value, name: &str| class.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let names: Vec<String> = classes.iter().map(|class| field(class, "category")).collect();
    check_classes(&names)?;
    let several = run.boolean("options.multiClass", index, false)?;
    let has_other = run.text("options.fallback", index, "discard")? == "other";
    let told: Vec<String> = classes
        .iter()
        .map(|class| format!("- {}: {}", field(class, "category"), field(class, "description")))
        .collect();
    let ask = match several {
        true => "Say for each class whether the text of the user belongs to it. It may belong to several, or to none.",
        false => {
            "Say to which class the text of the user belongs. It belongs to one; to 'none of them' if it fits no other."
        }
    };
    let own = run.text("options.systemPromptTemplate", index, "")?.replace("{categories}", &names.join(", "));
    let instruction = format!("{}\n{ask}\nThe classes:\n{}", own, told.join("\n")).trim().to_owned();
    const NONE: &str = "none of them";
    let schema = match several {
        true => {
            let properties = names.iter().map(|name| (name.clone(), json!({ "type": "boolean" })));
            schema::object(JsonObject::from_iter(properties), names.iter().map(String::as_str).collect())
        }
        false => one_of(names.iter().map(String::as_str).chain([NONE]), JsonObject::new()),
    };
    let data = chats.ask_for_data(&models, vec![system(instruction), user(text)], schema).await?;
    let found: Vec<usize> = match several {
        true => (0..names.len()).filter(|place| data.get(&names[*place]) == Some(&json!(true))).collect(),
        false => place_of(&names, data.get("class")).into_iter().collect(),
    };
    Ok(if found.is_empty() && has_other { vec![names.len()] } else { found })
}

#[async_trait]
impl EffectNode for SentimentAnalysis {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let names = sentiments(run.node);
        check_classes(&names)?;
        let (mut chats, mut outputs) = (Chats::new(run), vec![Vec::new(); names.len()]);
        for index in 0..items.len() {
            match sentiment_of(run, &mut chats, &names, index).await {
                Ok((place, found)) => {
                    let mut made: Item = items[index].clone();
                    made.json.insert("sentimentAnalysis".to_owned(), found);
                    outputs[place].push(made.paired_with(index));
                }
                Err(error) if run.continues_on_fail() => outputs[0].push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::many(outputs))
    }
}

async fn sentiment_of(
    run: &mut NodeRun<'_>,
    chats: &mut Chats,
    names: &[String],
    index: usize,
) -> Result<(usize, Value), NodeError> {
    let models = models_of(run, index)?;
    let text = text_of(run, index)?;
    let in_detail = run.boolean("options.includeDetailedResults", index, false)?;
    let own = run.text("options.systemPromptTemplate", index, "")?.replace("{categories}", &names.join(", "));
    let ask = format!("Say which sentiment the text of the user has: {}.", names.join(", "));
    let mut more = JsonObject::new();
    if in_detail {
        let part = |what: &str| json!({ "type": "number", "description": format!("{what}, from 0 to 1") });
        more.insert("strength".to_owned(), part("How strong the sentiment is"));
        more.insert("confidence".to_owned(), part("How sure you are"));
    }
    let schema = one_of(names.iter().map(String::as_str), more);
    let messages = vec![system(format!("{own}\n{ask}").trim()), user(text)];
    let data = chats.ask_for_data(&models, messages, schema).await?;
    let place = place_of(names, data.get("class")).ok_or_else(|| {
        let said = data.get("class").map(ToString::to_string).unwrap_or_default();
        NodeError::api(format!("the model named no sentiment that was asked for, but {said}"))
    })?;
    let mut found = json!({ "category": names[place] });
    for name in ["strength", "confidence"].iter().filter(|_| in_detail) {
        found[*name] = data.get(*name).cloned().unwrap_or_default();
    }
    Ok((place, found))
}

fn text_of(run: &mut NodeRun<'_>, index: usize) -> Result<String, NodeError> {
    let text = run.text("inputText", index, "")?;
    if text.trim().is_empty() {
        return Err(NodeError::operation("there is no text").described("say in the parameter 'inputText' where it is"));
    }
    Ok(text)
}

fn check_classes(names: &[String]) -> Result<(), NodeError> {
    if names.is_empty() || names.len() > CLASSES_MAX || names.iter().any(String::is_empty) {
        let message = format!("the node has {} classes, or one without a name", names.len());
        return Err(NodeError::operation(message).described(format!("name 1 to {CLASSES_MAX} classes")));
    }
    Ok(())
}

/// The schema of an answer that names one class.
fn one_of<'n>(names: impl Iterator<Item = &'n str>, mut more: JsonObject) -> Value {
    let names: Vec<&str> = names.collect();
    more.insert("class".to_owned(), json!({ "type": "string", "enum": names }));
    let required: Vec<String> = more.keys().cloned().collect();
    schema::object(more, required.iter().map(String::as_str).collect())
}

/// Which of them was named, in capitals or not.
fn place_of(names: &[String], named: Option<&Value>) -> Option<usize> {
    let named = named?.as_str()?.trim();
    names.iter().position(|name| name.eq_ignore_ascii_case(named))
}

#[cfg(test)]
mod tests {
    use timeloom_domain::chat::{Format, Role};

    use super::*;
    use crate::language::testing::{ScriptedChats, asked, said, texts};

    fn classes() -> Value {
        json!({"inputText": "={{ $json.text }}", "categories": {"categories": [
            {"category": "bill", "description": "asks for money"}, {"category": "praise", "description": ""}]}})
    }

    #[tokio::test]
    async fn items_go_out_where_their_class_says() {
        let chats = ScriptedChats::answering([
            r#"{"class": "Praise"}"#,
            r#"{"class": "bill"}"#,
            r#"{"class": "none of them"}"#,
        ]);
        let items = texts(["good", "pay", "rain"]);
        let output =
            asked(&TextClassifier, 1.1, classes(), json!({"model": "m"}), &chats, items.clone()).await.unwrap();
        assert_eq!(output, json!([[{"text": "pay"}], [{"text": "good"}]]), "what fits nothing is dropped");
        let request = &chats.requests()[0];
        assert!(said(request, Role::System).contains("- bill: asks for money"));
        let Some(Format::Schema { schema, .. }) = &request.format else { panic!("{:?}", request.format) };
        assert_eq!(schema["properties"]["class"]["enum"], json!(["bill", "praise", "none of them"]));

        let mut with_other = classes();
        with_other["options"] = json!({"fallback": "other", "multiClass": true});
        let chats = ScriptedChats::answering([r#"{"bill": true, "praise": true}"#, "{}", r#"{"bill": false}"#]);
        let output = asked(&TextClassifier, 1.1, with_other, json!({"model": "m"}), &chats, items).await.unwrap();
        assert_eq!(output, json!([[{"text": "good"}], [{"text": "good"}], [{"text": "pay"}, {"text": "rain"}]]));
    }

    #[tokio::test]
    async fn a_sentiment_is_told_beside_the_item() {
        let chats = ScriptedChats::answering([r#"{"class": "Negative", "strength": 0.8, "confidence": 0.9}"#]);
        let parameters = json!({"inputText": "={{ $json.text }}", "options": {"includeDetailedResults": true}});
        let output =
            asked(&SentimentAnalysis, 1.1, parameters.clone(), json!({"model": "m"}), &chats, texts(["bad"])).await;
        let told = json!({"category": "Negative", "strength": 0.8, "confidence": 0.9});
        assert_eq!(output.unwrap(), json!([[], [], [{"text": "bad", "sentimentAnalysis": told}]]));
        let chats = ScriptedChats::answering([r#"{"class": "odd"}"#]);
        let error =
            asked(&SentimentAnalysis, 1.0, parameters, json!({"model": "m"}), &chats, texts(["x"])).await.unwrap_err();
        assert!(error.message.contains("\"odd\""), "{error}");
    }
}
