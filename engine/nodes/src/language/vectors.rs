//! Vector Store: texts with their vectors in a collection of the log, and a search for those that mean nearly the same.
//!
//! `timeloom.vectorStore` is our own; the Simple Vector Store of n8n's files is the same with other names.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{Condition, HelperPorts, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::Node;
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::vectors::{VectorCommand, VectorRow};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType, VectorError};

use super::asking::Chats;
use super::embeddings::{embedded, route};
use super::summarise::parts;
use crate::describe::{
    ONE_TO_ONE, is, long_text, mode, number, options, palette, resource, structure, switch, text, told,
};
use crate::models::short;

const FINDS: &[Condition] = &[is("operation", &["search"])];
const PUTS: &[Condition] = &[is("operation", &["insert"])];

const PARAMETERS: &[ParameterDefinition] = &[
    options(
        "operation",
        &[
            told("search", "Search", "Finds rows that mean nearly what a query says."),
            told("insert", "Insert", "Puts a row in for each item."),
            told("delete", "Delete", "Takes the rows out that items name."),
            told("clear", "Clear", "Takes all rows out."),
        ],
        "What to do.",
    )
    .or_text("search"),
    text("collection", "The collection's name: every workflow of the tenant finds it by it.")
        .like("documents")
        .needed(),
    long_text("text", "The text of each item.").like("{{ $json.text }}").when(PUTS),
    text("id", "The row's name; made of the node run when empty.").or_text("").when(PUTS),
    text("id", "The row's name.").when(&[is("operation", &["delete"])]),
    structure("metadata", "What else is kept with the text.").when(PUTS),
    text("query", "The text to which rows are compared.").like("{{ $json.question }}").when(FINDS),
    number("limit", "Most rows that are given, 1 to 1,000.").or_number(4.0).when(FINDS),
    text("model", "The route of the gateway that embeds, where no embedding is attached.")
        .called("Route")
        .naming("route")
        .or_text("")
        .when(&[is("operation", &["search", "insert"])]),
];

const KEY: &str = "vector_store_key";

const SIMPLE_PARAMETERS: &[ParameterDefinition] = &[
    options(
        "mode",
        &[
            told("load", "Get many", "Finds documents that mean nearly what a prompt says."),
            told("insert", "Insert documents", "Puts documents in."),
            told("retrieve-as-tool", "Retrieve documents (as tool for AI Agent)", "Serves an agent as a tool."),
        ],
        "What to do.",
    )
    .called("Operation mode"),
    text("memoryKey", "The collection's name.").or_text(KEY).until(1.1),
    resource(
        "memoryKey",
        "collection",
        &[mode("list", "From list", None), mode("id", "Manual", Some(KEY))],
        "The collection.",
    )
    .since(1.2),
    long_text("prompt", "The text to which documents are compared.").when(&[is("mode", &["load"])]),
    text("toolName", "The tool's name; the node's own when empty.").like("company_knowledge").when(AS_TOOL),
    long_text("toolDescription", "What a model is told of it.").when(AS_TOOL),
    number("topK", "Most documents that are given, 1 to 1,000.")
        .called("Limit")
        .or_number(4.0)
        .when(&[is("mode", &["load", "retrieve-as-tool"])]),
    switch("clearStore", "Whether what was there goes first.").or_false().when(&[is("mode", &["insert"])]),
];

const AS_TOOL: &[Condition] = &[is("mode", &["retrieve-as-tool"])];

/// The kind of connection of document loaders.
const DOCUMENT: &str = "ai_document";
/// The kind of connection of embeddings.
const EMBEDDING: &str = "ai_embedding";
/// Rows of one command.
const ROWS_TOGETHER: usize = 200;
/// Most rows that one run puts in.
const ROWS_MAX: usize = 20_000;
/// Most queries of one run: each is compared with all rows.
const QUERIES_MAX: usize = 1_000;
/// Longest name of a collection or a row, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// The Vector Store node.
pub(crate) struct VectorStore;

/// Simple Vector Store.
pub(crate) struct SimpleVectorStore;

impl NodeType for VectorStore {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.vectorStore",
            display_name: "Vector Store",
            description: "Keeps texts with their vectors, and finds those that mean nearly what a query says.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Ai, "database-zap", &["rag", "vector", "semantic search", "knowledge"]),
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, node: &Node) -> HelperPorts {
        let text = |name: &str| node.parameters.get(name).and_then(Value::as_str).unwrap_or_default();
        let embeds = !matches!(text("operation"), "delete" | "clear") && text("model").is_empty();
        let ports = HelperPorts::default();
        if embeds { ports.requiring(EMBEDDING) } else { ports.taking(EMBEDDING) }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

impl NodeType for SimpleVectorStore {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "@n8n/n8n-nodes-langchain.vectorStoreInMemory",
            display_name: "Simple Vector Store",
            description: "Keeps documents with their vectors, and finds those that mean nearly what a prompt says.",
            versions: &[1.0, 1.1, 1.2, 1.3],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: SIMPLE_PARAMETERS,
            palette: palette(NodeGroup::Ai, "database-zap", &["rag", "vector", "semantic search", "in-memory"]),
            ..NodeDefinition::BLANK
        }
    }

    fn helper_ports(&self, _node: &Node) -> HelperPorts {
        let ports = HelperPorts { serves: vec!["ai_vectorStore", "ai_tool"], ..HelperPorts::default() };
        ports.requiring(EMBEDDING).taking(DOCUMENT)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

/// A row without its vector.
struct Row {
    id: String,
    text: String,
    metadata: JsonObject,
    /// The item that it was made of.
    index: usize,
}

#[async_trait]
impl EffectNode for VectorStore {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let collection = name(run.text("collection", 0, "")?, "the collection")?;
        match run.text("operation", 0, "search")?.as_str() {
            "insert" => {
                let rows = (0..items.len()).map(|index| row(run, index)).collect::<Result<Vec<Row>, _>>()?;
                let ids: Vec<(usize, String)> = rows.iter().map(|row| (row.index, row.id.clone())).collect();
                insert(run, &collection, rows, false).await?;
                let made = ids.into_iter().map(|(index, id)| {
                    let mut made = items[index].clone();
                    made.json.insert("id".to_owned(), json!(id));
                    made.paired_with(index)
                });
                Ok(NodeOutput::single(made.collect()))
            }
            "delete" => {
                bounded(items.len(), ROWS_MAX, "rows")?;
                let ids = (0..items.len()).map(|index| Ok(Arc::from(name(run.text("id", index, "")?, "the row")?)));
                let ids = ids.collect::<Result<Vec<Arc<str>>, NodeError>>()?;
                change(run, &collection, 0, VectorCommand::Remove { by: Arc::from(run.idempotency_key), ids }).await?;
                Ok(NodeOutput::single(items.to_vec()))
            }
            "clear" => {
                change(run, &collection, 0, VectorCommand::Clear { by: Arc::from(run.idempotency_key) }).await?;
                Ok(NodeOutput::single(items.to_vec()))
            }
            "search" => {
                let queries = (0..items.len()).map(|index| run.text("query", index, "")).collect::<Result<_, _>>()?;
                let limit = run.number("limit", 0, 4.0)?;
                search(run, &collection, queries, limit, |row, score| {
                    json!({ "id": &*row.id, "text": row.text, "metadata": row.metadata, "score": short(score) })
                })
                .await
            }
            other => {
                Err(NodeError::operation(format!("'{other}' is no operation: use insert, search, delete or clear")))
            }
        }
    }
}

#[async_trait]
impl EffectNode for SimpleVectorStore {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        if items.is_empty() {
            return Ok(NodeOutput::single(Vec::new()));
        }
        let key = match run.parameter("memoryKey", 0)? {
            Some(Value::Object(fields)) => fields.get("value").and_then(Value::as_str).unwrap_or_default().to_owned(),
            Some(Value::String(key)) => key,
            _ => KEY.to_owned(),
        };
        let collection = name(key, "the collection")?;
        match run.text("mode", 0, "retrieve")?.as_str() {
            "insert" => {
                let clears = run.boolean("clearStore", 0, false)?;
                let mut rows = Vec::new();
                for index in 0..items.len() {
                    rows.extend(documents(run, &items[index], index)?);
                }
                let made = rows.iter().map(|row| {
                    let fields = json!({ "metadata": row.metadata, "pageContent": row.text });
                    Item::new(fields.as_object().cloned().unwrap_or_default()).paired_with(row.index)
                });
                let made = made.collect();
                insert(run, &collection, rows, clears).await?;
                Ok(NodeOutput::single(made))
            }
            "load" => {
                let queries = (0..items.len()).map(|index| run.text("prompt", index, "")).collect::<Result<_, _>>()?;
                let limit = run.number("topK", 0, 4.0)?;
                search(run, &collection, queries, limit, |row, score| {
                    let document = json!({ "metadata": row.metadata, "pageContent": row.text });
                    json!({ "document": document, "score": short(score) })
                })
                .await
            }
            mode => {
                Err(NodeError::operation(format!("the mode '{mode}' serves other nodes and does not run by itself"))
                    .described("choose to get or to insert documents"))
            }
        }
    }
}

fn name(text: String, of: &str) -> Result<String, NodeError> {
    let length = text.trim().chars().count();
    if length == 0 || length > NAME_CHARACTERS_MAX {
        return Err(NodeError::operation(format!("{of} has no name of 1 to {NAME_CHARACTERS_MAX} characters")));
    }
    Ok(text.trim().to_owned())
}

fn row(run: &mut NodeRun<'_>, index: usize) -> Result<Row, NodeError> {
    let text = run.text("text", index, "")?;
    if text.trim().is_empty() {
        return Err(NodeError::operation("there is no text to keep").at_item(index));
    }
    let own = run.text("id", index, "")?;
    let id = if own.trim().is_empty() { made_up(run, index, 0) } else { name(own, "the row")? };
    let metadata = match run.parameter("metadata", index)? {
        Some(Value::Object(fields)) => fields,
        None | Some(Value::Null) => JsonObject::new(),
        Some(_) => return Err(NodeError::operation("the metadata are no object").at_item(index)),
    };
    Ok(Row { id, text, metadata, index })
}

/// A name for a row: the same in every attempt at the node run.
fn made_up(run: &NodeRun<'_>, index: usize, part: usize) -> String {
    format!("{}-{index}-{part}", run.idempotency_key)
}

/// The documents of an item: what the attached loader says, else all of its JSON, cut into parts.
fn documents(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<Row>, NodeError> {
    let loader = run.attached(DOCUMENT).into_iter().next();
    let (mut text, mut metadata) = (item.json.to_value().to_string(), JsonObject::new());
    if let Some(loader) = loader {
        if run.text_of(loader, "dataType", index, "json")? != "json" {
            let message = format!("'{}' loads attachments, which is not supported here", loader.name);
            return Err(NodeError::operation(message).described("take the text out with Extract from File before"));
        }
        if run.text_of(loader, "jsonMode", index, "allInputData")? == "expressionData" {
            text = run.text_of(loader, "jsonData", index, "")?;
        }
        let listed = run.parameter_of(loader, "options.metadata.metadataValues", index)?;
        for value in listed.as_ref().and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = value.get("name").and_then(Value::as_str) {
                metadata.insert(name.to_owned(), value.get("value").cloned().unwrap_or_default());
            }
        }
    }
    let (mut size, mut overlap) = (1_000.0, 200.0);
    let splitter = loader.and_then(|loader| run.attached_to(loader, "ai_textSplitter").into_iter().next());
    if let Some(splitter) = splitter {
        size = run.number_of(splitter, "chunkSize", index)?.unwrap_or(size).clamp(10.0, 1_000_000.0);
        overlap = run.number_of(splitter, "chunkOverlap", index)?.unwrap_or(0.0).clamp(0.0, size / 2.0);
    }
    let cut = parts(&text, size as usize, overlap as usize)?.into_iter().enumerate();
    let whole = cut.filter(|(_, text)| !text.trim().is_empty());
    Ok(whole
        .map(|(part, text)| Row { id: made_up(run, index, part), text, metadata: metadata.clone(), index })
        .collect())
}

#[expect(clippy::needless_pass_by_ref_mut, reason = "a shared one is not held across an await: it is not `Sync`")]
async fn change(
    run: &mut NodeRun<'_>,
    collection: &str,
    number: usize,
    command: VectorCommand,
) -> Result<(), NodeError> {
    let (vectors, tenant) = (Arc::clone(&run.services.vectors), run.tenant);
    vectors.change(tenant, collection, number, command).await.map_err(not_kept)
}

fn not_kept(error: VectorError) -> NodeError {
    NodeError::operation(error.to_string())
}

fn bounded(count: usize, most: usize, what: &str) -> Result<(), NodeError> {
    if count <= most {
        return Ok(());
    }
    let message = format!("{count} {what} are too many for one run: at most {most}");
    Err(NodeError::operation(message).described("put a Loop Over Items before the node"))
}

async fn insert(run: &mut NodeRun<'_>, collection: &str, rows: Vec<Row>, clears: bool) -> Result<(), NodeError> {
    bounded(rows.len(), ROWS_MAX, "rows")?;
    let (route, dimensions) = route(run)?;
    let mut chats = Chats::new(run);
    let texts = rows.iter().map(|row| row.text.clone()).collect();
    let vectors = embedded(&mut chats, &route, dimensions, texts).await?;
    let by: Arc<str> = Arc::from(run.idempotency_key);
    if clears && rows.is_empty() {
        return change(run, collection, 0, VectorCommand::Clear { by }).await;
    }
    let mut number = 0;
    let mut rows = rows.into_iter().zip(vectors).map(|(row, vector)| {
        Arc::new(VectorRow { id: Arc::from(row.id), text: row.text, metadata: row.metadata, vector })
    });
    loop {
        let rows: Vec<Arc<VectorRow>> = rows.by_ref().take(ROWS_TOGETHER).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let (collection_name, clears) = (Arc::from(collection), clears && number == 0);
        let command = VectorCommand::Add { collection: collection_name, by: Arc::clone(&by), rows, clears };
        change(run, collection, number, command).await?;
        number += 1;
    }
}

async fn search(
    run: &mut NodeRun<'_>,
    collection: &str,
    queries: Vec<String>,
    limit: f64,
    told: impl Fn(&VectorRow, f32) -> Value + Send,
) -> Result<NodeOutput, NodeError> {
    if let Some(index) = queries.iter().position(|query| query.trim().is_empty()) {
        return Err(NodeError::operation("there is nothing to search for").at_item(index));
    }
    bounded(queries.len(), QUERIES_MAX, "queries")?;
    let (route, dimensions) = route(run)?;
    let mut chats = Chats::new(run);
    let (vectors, tenant) = (Arc::clone(&run.services.vectors), run.tenant);
    let limit = limit.clamp(1.0, 1_000.0) as usize;
    let mut output = Vec::new();
    for (index, query) in embedded(&mut chats, &route, dimensions, queries).await?.into_iter().enumerate() {
        let found = vectors.nearest(tenant, collection, &query, limit).await.map_err(not_kept)?;
        output.extend(found.iter().map(|(row, score)| {
            Item::new(told(row, *score).as_object().cloned().unwrap_or_default()).paired_with(index)
        }));
    }
    Ok(NodeOutput::single(output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::testing::{ScriptedChats, given, texts};
    use crate::testing::Bench;

    fn bench<'t>(of: &'t dyn NodeType, parameters: Value, items: Value, before: Option<&Bench<'_>>) -> Bench<'t> {
        let mut bench = Bench::new(of, 1.0, parameters).input(items);
        bench.services.models = Arc::new(ScriptedChats::default());
        if let Some(before) = before {
            bench.services.vectors = Arc::clone(&before.services.vectors);
        }
        bench
    }

    #[tokio::test]
    async fn rows_are_kept_found_replaced_and_taken_out() {
        let store = |operation: &str| {
            json!({"operation": operation, "collection": "c", "model": "v", "text": "={{ $json.text }}",
            "id": "={{ $json.id }}", "metadata": {"of": "={{ $json.id }}"}, "query": "={{ $json.text }}", "limit": 2})
        };
        let items = json!([{"text": "bbbb", "id": "b"}, {"text": "aaab", "id": "a"}, {"text": "aaaa", "id": "c"}]);
        let mut first = bench(&VectorStore, store("insert"), items.clone(), None);
        assert_eq!(given(&mut first).await.unwrap(), json!([items]));
        let mut found = bench(&VectorStore, store("search"), texts(["aaaa"]), Some(&first));
        let rows = given(&mut found).await.unwrap();
        assert_eq!((&rows[0][0]["id"], &rows[0][1]["id"]), (&json!("c"), &json!("a")));
        assert_eq!((&rows[0][0]["metadata"], &rows[0][0]["score"]), (&json!({"of": "c"}), &json!(1.0)));
        let mut gone = bench(&VectorStore, store("delete"), json!([{"id": "c"}, {"id": "x"}]), Some(&first));
        given(&mut gone).await.unwrap();
        assert_eq!(given(&mut found).await.unwrap()[0][0]["id"], json!("a"));
        let mut cleared = bench(&VectorStore, store("clear"), json!([{}]), Some(&first));
        given(&mut cleared).await.unwrap();
        assert_eq!(given(&mut found).await.unwrap(), json!([[]]));
    }

    #[tokio::test]
    async fn documents_go_in_by_the_names_of_workflow_files() {
        let model = json!({"model": "v"});
        let kept = json!({"mode": "insert", "memoryKey": {"value": "k"}});
        let loader = json!({"jsonMode": "expressionData", "jsonData": "={{ $json.text }}",
            "options": {"metadata": {"metadataValues": [{"name": "n", "value": "1"}]}}});
        let mut first = bench(&SimpleVectorStore, kept, texts(["aaab", "bbbb"]), None)
            .helper(EMBEDDING, "@n8n/n8n-nodes-langchain.embeddingsOpenAi", model.clone())
            .helper(DOCUMENT, "@n8n/n8n-nodes-langchain.documentDefaultDataLoader", loader);
        assert_eq!(given(&mut first).await.unwrap()[0][0], json!({"metadata": {"n": "1"}, "pageContent": "aaab"}));
        let load = json!({"mode": "load", "memoryKey": "k", "prompt": "={{ $json.text }}", "topK": 1});
        let mut found = bench(&SimpleVectorStore, load, texts(["aaaa"]), Some(&first)).helper(
            EMBEDDING,
            "@n8n/n8n-nodes-langchain.embeddingsOpenAi",
            model,
        );
        assert_eq!(given(&mut found).await.unwrap()[0][0]["document"]["pageContent"], json!("aaab"));
        let other = json!({"mode": "insert", "memoryKey": {"value": "k"}, "clearStore": true});
        let mut second = bench(&SimpleVectorStore, other, texts(["bbbb"]), Some(&first)).helper(
            EMBEDDING,
            "@n8n/n8n-nodes-langchain.embeddingsOpenAi",
            json!({"model": "v"}),
        );
        given(&mut second).await.unwrap();
        let rows = given(&mut found).await.unwrap();
        assert!(rows.to_string().contains("bbbb") && !rows.to_string().contains("aaab"), "{rows}");
        let mut serving = bench(&SimpleVectorStore, json!({"mode": "retrieve"}), json!([{}]), None);
        assert!(given(&mut serving).await.unwrap_err().message.contains("does not run by itself"));
    }
}
