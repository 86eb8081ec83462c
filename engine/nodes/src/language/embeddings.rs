//! Embeddings: texts as vectors, so that what means the same lies near; and which of some texts lie nearest to another.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{HelperPorts, NodeDefinition, NodeRole, ParameterDefinition, ParameterKind};
use timeloom_domain::chat::{EmbedInput, EmbedRequest};
use timeloom_domain::definition::Node;
use timeloom_domain::inference::port::NotAnswered;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};

use super::asking::{Chats, route_of};
use crate::describe::{ONE_TO_ONE, optional, required};
use crate::models::short;

const PARAMETERS: &[ParameterDefinition] = &[
    optional(
        "operation",
        ParameterKind::Options(&["embed", "search"]),
        "Give vectors, or the items nearest to a query.",
    ),
    required("text", ParameterKind::Text, "The text of each item."),
    optional("model", ParameterKind::Text, "The route of the gateway, where no embedding is attached."),
    optional("query", ParameterKind::Text, "search: the text to which the items are compared."),
    optional("limit", ParameterKind::Number, "search: most items that are given, 1 to 1,000; 5 when absent."),
    optional("field", ParameterKind::Text, "embed: the field that gets the vector; embedding when absent."),
];

/// Texts of one question.
const TEXTS_TOGETHER: usize = 64;
/// Most items that are compared at once.
const ITEMS_MAX: usize = 10_000;

/// The Embeddings node.
pub(crate) struct Embeddings;

impl NodeType for Embeddings {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.embeddings",
            display_name: "Embeddings",
            description: "Makes vectors of texts, or finds the items whose texts mean nearly what a query says.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
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
        let searches = run.text("operation", 0, "embed")? == "search";
        let mut texts = Vec::with_capacity(items.len());
        for index in 0..items.len() {
            let text = run.text("text", index, "")?;
            if text.trim().is_empty() {
                return Err(NodeError::operation("there is no text to embed").at_item(index));
            }
            texts.push(text);
        }
        let (route, dimensions) = route(run)?;
        let query = run.text("query", 0, "")?;
        if searches {
            if query.trim().is_empty() {
                return Err(NodeError::operation("there is no query").described("say what to search for"));
            }
            texts.push(query);
        }
        let mut chats = Chats::new(run);
        let mut vectors = embedded(&mut chats, &route, dimensions, texts).await?;
        if !searches {
            let field = run.text("field", 0, "embedding")?;
            let with = |(index, (item, vector)): (usize, (&Item, Vec<f32>))| {
                let mut made = item.clone();
                made.json.insert(field.clone(), vector.into_iter().map(short).collect());
                made.paired_with(index)
            };
            return Ok(NodeOutput::single(items.iter().zip(vectors).enumerate().map(with).collect()));
        }
        let query = vectors.pop().unwrap_or_default();
        let limit = run.number("limit", 0, 5.0)?.clamp(1.0, 1_000.0) as usize;
        let found = nearest(&query, &vectors, limit).into_iter().map(|(index, score)| {
            let fields = JsonObject::from_iter([
                ("item".to_owned(), items[index].json.to_value()),
                ("score".to_owned(), json!(short(score))),
            ]);
            Item::new(fields).paired_with(index)
        });
        Ok(NodeOutput::single(found.collect()))
    }
}

/// The route, and how long its vectors are to be.
fn route(run: &mut NodeRun<'_>) -> Result<(String, Option<u64>), NodeError> {
    let own = run.text("model", 0, "")?;
    if !own.is_empty() {
        return Ok((own, None));
    }
    let helper = run.needed("ai_embedding")?;
    let dimensions = run.number_of(helper, "options.dimensions", 0)?.filter(|count| *count >= 1.0);
    Ok((route_of(run, helper, 0)?, dimensions.map(|count| count as u64)))
}

async fn embedded(
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

fn about_route(why: NotAnswered, route: &str) -> NodeError {
    let is_route = why.code() == "ROUTE_NOT_FOUND";
    let error = NodeError::from(why);
    if is_route {
        return error.described(format!("set up a route of the gateway with the name '{route}' that embeds"));
    }
    error
}

/// The places of the vectors that point most nearly where `query` does, the nearest first, with how nearly: 1 is the same.
pub(super) fn nearest(query: &[f32], vectors: &[Vec<f32>], count: usize) -> Vec<(usize, f32)> {
    let scores = vectors.iter().map(|vector| cosine(query, vector)).enumerate();
    let mut found: Vec<(usize, f32)> = scores.collect();
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    found.truncate(count);
    found
}

/// The cosine of the angle between two vectors; 0 where one has no direction or another length.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    if one.len() != other.len() {
        return 0.0;
    }
    let product = |one: &[f32], other: &[f32]| -> f64 {
        one.iter().zip(other).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
    };
    let lengths = (product(one, one) * product(other, other)).sqrt();
    if lengths > 0.0 { (product(one, other) / lengths) as f32 } else { 0.0 }
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
    async fn what_cannot_be_embedded_is_told() {
        let chats = ScriptedChats::default();
        let failure = async |parameters: Value| given(&mut bench(parameters, &chats, texts(["x"]))).await.unwrap_err();
        assert!(failure(json!({"text": "x"})).await.message.contains("has no embedding"));
        assert!(failure(json!({"text": "", "model": "v"})).await.message.contains("no text"));
        assert!(failure(json!({"text": "x", "model": "gone"})).await.description.unwrap().contains("'gone'"));
        assert_eq!((cosine(&[1.0], &[1.0, 2.0]), cosine(&[0.0], &[1.0]), cosine(&[2.0], &[-3.0])), (0.0, 0.0, -1.0));
    }
}
