//! Embeddings: texts as vectors, so that what means the same lies near; and which of some texts lie nearest to another.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::chat::{EmbedInput, EmbedRequest};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::vectors::cosine;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, blocking};

use super::asking::{Chats, about_route, route_of};
use crate::describe::{ONE_TO_ONE, is, long_text, number, options, palette, structure, text, told};
use crate::models::short;

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "operation",
        &[
            told("embed", "Embed", "Gives the vector of each item."),
            told("search", "Search", "Gives the items nearest to a query."),
            told("classify", "Classify", "Gives the class whose examples are nearest."),
        ],
        "What to do.",
    )
    .or_text("embed"),
    long_text("text", "The text of each item.").like("{{ $json.text }}").needed(),
    text("model", "The route of the gateway, where no embedding is attached.")
        .called("Route")
        .naming("route")
        .or_text(""),
    text("query", "The text to which the items are compared.").when(&[is("operation", &["search"])]),
    number("limit", "Most items that are given, 1 to 1,000.").or_number(5.0).when(&[is("operation", &["search"])]),
    structure("classes", "A text, or a list of texts, for each class by its name.")
        .when(&[is("operation", &["classify"])]),
    text("field", "Field that gets the vector.").or_text("embedding").when(&[is("operation", &["embed"])]),
    text("field", "Field that gets the class.").or_text("class").when(&[is("operation", &["classify"])]),
];

/// Texts of one question.
const TEXTS_TOGETHER: usize = 64;
/// Most examples of classes.
const CLASSES_MAX: usize = 1_000;
/// Most items that are compared at once.
const ITEMS_MAX: usize = 10_000;

/// The Embeddings node.
pub(crate) struct Embeddings;

impl NodeType for Embeddings {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.embeddings",
            display_name: "Embeddings",
            description: "Makes vectors of texts, finds texts that mean nearly what a query says, or tells to which class they are nearest.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "orbit", &["vector", "semantic", "similarity", "classify"]),
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, node: &Node) -> HelperPorts {
        let names_route = node.parameters.get("model").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
        let ports = HelperPorts::default();
        if names_route { ports.taking("ai_embedding") } else { ports.requiring("ai_embedding") }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Embeddings {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.len() > ITEMS_MAX {
            let message = format!("{} items are too many for one run: at most {ITEMS_MAX}", items.len());
            return Err(NodeError::operation(message).described("put a Loop Over Items before the node"));
        }
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let operation = Operation::read(run)?;
        let mut texts = Vec::with_capacity(items.len());
        for index in 0..items.len() {
            let text = run.text("text", index, "")?;
            if text.trim().is_empty() {
                return Err(NodeError::operation("there is no text to embed").at_item(index));
            }
            texts.push(text);
        }
        texts.extend(operation.texts());
        let (route, dimensions) = route(run)?;
        let mut vectors = embedded(&mut Chats::new(run), &route, dimensions, texts).await?;
        let others = vectors.split_off(items.len());
        // Each is compared with each: other tasks of this thread go on elsewhere.
        Ok(NodeOutput::single(blocking(async { operation.items(&items, vectors, &others) })))
    }
}

/// What is done with the vectors of the items.
enum Operation {
    /// They are given, in this field.
    Embed(String),
    /// The items nearest to a query are given, at most so many.
    Search(String, usize),
    /// The class of the nearest example is given, in this field: classes with an example each.
    Classify(String, Vec<(String, String)>),
}

impl Operation {
    fn read(run: &mut NodeRun<'_>) -> Result<Self, NodeError> {
        match run.text("operation", 0, "embed")?.as_str() {
            "embed" => Ok(Self::Embed(run.text("field", 0, "embedding")?)),
            "search" => {
                let query = run.text("query", 0, "")?;
                if query.trim().is_empty() {
                    return Err(NodeError::operation("there is no query").described("say what to search for"));
                }
                Ok(Self::Search(query, run.number("limit", 0, 5.0)?.clamp(1.0, 1_000.0) as usize))
            }
            "classify" => Ok(Self::Classify(run.text("field", 0, "class")?, classes(run.parameter("classes", 0)?)?)),
            other => Err(NodeError::operation(format!("'{other}' is no operation: use embed, search or classify"))),
        }
    }

    /// What is embedded beside the items.
    fn texts(&self) -> Vec<String> {
        match self {
            Self::Embed(_) => Vec::new(),
            Self::Search(query, _) => vec![query.clone()],
            Self::Classify(_, classes) => classes.iter().map(|(_, example)| example.clone()).collect(),
        }
    }

    /// What comes of the items with their vectors, and of the vectors of the texts beside them.
    fn items(&self, items: &[Item], vectors: Vec<Vec<f32>>, others: &[Vec<f32>]) -> Vec<Item> {
        let with = |index: usize, fields: Vec<(String, Value)>| {
            let mut made = items[index].clone();
            fields.into_iter().for_each(|(name, value)| {
                made.json.insert(name, value);
            });
            made.paired_with(index)
        };
        match self {
            Self::Embed(field) => {
                let list = |vector: Vec<f32>| vector.into_iter().map(short).collect::<Value>();
                let vectors = vectors.into_iter().enumerate();
                vectors.map(|(index, vector)| with(index, vec![(field.clone(), list(vector))])).collect()
            }
            Self::Classify(field, classes) => {
                let class_of = |(index, vector): (usize, &Vec<f32>)| {
                    let nearest = nearest(vector, others, 1).pop();
                    let told = nearest.map(|(place, score)| {
                        vec![(field.clone(), json!(classes[place].0)), ("score".to_owned(), short(score))]
                    });
                    with(index, told.unwrap_or_default())
                };
                vectors.iter().enumerate().map(class_of).collect()
            }
            Self::Search(_, limit) => {
                let query = others.first().map(Vec::as_slice).unwrap_or_default();
                let found = nearest(query, &vectors, *limit).into_iter();
                let told = |(index, score): (usize, f32)| {
                    let item = ("item".to_owned(), items[index].json.to_value());
                    let fields = JsonObject::from_iter([item, ("score".to_owned(), short(score))]);
                    Item::new(fields).paired_with(index)
                };
                found.map(told).collect()
            }
        }
    }
}

/// Classes with an example each, those of several examples several times.
fn classes(value: Option<Value>) -> Result<Vec<(String, String)>, NodeError> {
    let unreadable = || {
        NodeError::operation("the parameter 'classes' names no classes")
            .described("write an object: the name of each class, with a text or a list of texts that belong to it")
    };
    let Some(Value::Object(named)) = value else { return Err(unreadable()) };
    let mut found = Vec::new();
    for (class, examples) in named {
        match examples {
            Value::String(example) => found.push((class, example)),
            Value::Array(examples) => {
                let texts = examples.iter().filter_map(Value::as_str);
                found.extend(texts.map(|example| (class.clone(), example.to_owned())));
            }
            _ => return Err(unreadable()),
        }
    }
    if found.is_empty() || found.len() > CLASSES_MAX || found.iter().any(|(_, example)| example.trim().is_empty()) {
        return Err(unreadable());
    }
    Ok(found)
}

/// The route, and how long its vectors are to be.
pub(super) fn route(run: &mut NodeRun<'_>) -> Result<(String, Option<u64>), NodeError> {
    let own = run.text("model", 0, "")?;
    if !own.is_empty() {
        return Ok((own, None));
    }
    let helper = run.needed("ai_embedding")?;
    let dimensions = run.number_of(helper, "options.dimensions", 0)?.filter(|count| *count >= 1.0);
    Ok((route_of(run, helper, 0)?, dimensions.map(|count| count as u64)))
}

pub(super) async fn embedded(
    chats: &mut Chats,
    route: &str,
    dimensions: Option<u64>,
    texts: Vec<String>,
) -> Result<Vec<Vec<f32>>, NodeError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for texts in texts.chunks(TEXTS_TOGETHER) {
        let input = EmbedInput::Texts(texts.to_vec());
        let extra = JsonObject::new();
        let request = EmbedRequest { model: route.to_owned(), input, dimensions, encoding: None, user: None, extra };
        let (models, asker) = chats.next();
        let answer = models.embed(asker, request).await.map_err(|why| about_route(why, route))?.answer;
        if answer.vectors.len() != texts.len() {
            let message = format!("the model gave {} vectors for {} texts", answer.vectors.len(), texts.len());
            return Err(NodeError::api(message));
        }
        vectors.extend(answer.vectors);
    }
    Ok(vectors)
}

/// The places of the vectors that point most nearly where `query` does, the nearest first, with how nearly: 1 is the same.
fn nearest(query: &[f32], vectors: &[Vec<f32>], count: usize) -> Vec<(usize, f32)> {
    let scores = vectors.iter().map(|vector| cosine(query, vector)).enumerate();
    let mut found: Vec<(usize, f32)> = scores.collect();
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    found.truncate(count);
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::language::testing::{ScriptedChats, given, texts};
    use crate::testing::Bench;

    fn bench(parameters: Value, chats: &ScriptedChats, items: Value) -> Bench<'static> {
        let mut bench = Bench::new(&Embeddings, 1.0, parameters).input(items);
        bench.services.models = Arc::new(chats.clone());
        bench
    }

    #[tokio::test]
    async fn texts_become_vectors_many_at_once() {
        let chats = ScriptedChats::default();
        let items: Value = (0..70).map(|count| json!({ "text": "a".repeat(count + 1) })).collect();
        let parameters = json!({"text": "={{ $json.text }}"});
        let bench = bench(parameters, &chats, items);
        let model = json!({"model": "vectors", "options": {"dimensions": 2}});
        let mut bench = bench.helper("ai_embedding", "@n8n/n8n-nodes-langchain.embeddingsOpenAi", model);
        let output = given(&mut bench).await.unwrap();
        assert_eq!((&output[0][69]["embedding"], &output[0][0]["text"]), (&json!([70.0, 70.0]), &json!("a")));
        let embedded = chats.embedded();
        assert_eq!((embedded.len(), embedded[0].model.as_str(), embedded[0].dimensions), (2, "vectors", Some(2)));
    }

    #[tokio::test]
    async fn a_search_gives_the_nearest_first() {
        let chats = ScriptedChats::default();
        let parameters =
            json!({"operation": "search", "text": "={{ $json.text }}", "query": "aab", "limit": 2, "model": "v"});
        let mut bench = bench(parameters, &chats, texts(["bbbb", "aaab", "abab"]));
        let output = given(&mut bench).await.unwrap();
        assert_eq!(output[0].as_array().unwrap().len(), 2);
        assert_eq!(output[0][0]["item"], json!({"text": "aaab"}));
        assert!(output[0][0]["score"].as_f64().unwrap() > 0.99);
    }

    #[tokio::test]
    async fn an_item_gets_the_class_whose_example_is_nearest() {
        let chats = ScriptedChats::default();
        let parameters = json!({"operation": "classify", "text": "={{ $json.text }}", "model": "v",
            "classes": {"many": ["aaaa", "aaa"], "none": "bbbb"}});
        let mut bench = bench(parameters, &chats, texts(["bbb", "aab"]));
        let output = given(&mut bench).await.unwrap();
        assert_eq!((&output[0][0]["class"], &output[0][1]["class"]), (&json!("none"), &json!("many")));
        assert!(classes(Some(json!({}))).is_err() && classes(None).is_err() && classes(Some(json!({"a": 1}))).is_err());
    }

    #[tokio::test]
    async fn what_cannot_be_embedded_is_told() {
        let chats = ScriptedChats::default();
        let failure = async |parameters: Value| given(&mut bench(parameters, &chats, texts(["x"]))).await.unwrap_err();
        assert!(failure(json!({"text": "x"})).await.message.contains("has no embedding"));
        assert!(failure(json!({"text": "", "model": "v"})).await.message.contains("no text"));
        assert!(failure(json!({"text": "x", "model": "gone"})).await.description.unwrap().contains("'gone'"));
        assert_eq!((cosine(&[1.0], &[1.0, 2.0]), cosine(&[0.0], &[1.0]), cosine(&[2.0], &[-3.0])), (0.0, 0.0, -1.0));
    }
}
