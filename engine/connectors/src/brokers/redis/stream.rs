//! Redis Stream Trigger: reads a stream by the ids of its entries, from where it was.

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_nodes::describe::{TRIGGER, options, palette, switch, text, told};

use super::CREDENTIALS;
use super::client::{Client, Reply};
use crate::brokers::content::{credential, item, value_of, written_out};
use crate::wire::garbled;

/// How long the server waits for a new entry before it says that there is none, in milliseconds.
const BLOCK_MS: &[u8] = b"10000";
/// Entries that are asked for at once.
const COUNT: &[u8] = b"16";

const PARAMETERS: &[ParameterDefinition] = &[
    text("stream", "The key of the stream.").like("orders").needed(),
    options(
        "from",
        &[
            told("new", "New entries", "What is added after the workflow became active."),
            told("beginning", "The beginning", "Everything that the stream still has, first."),
        ],
        "Where it begins the first time; afterwards it goes on where it was.",
    )
    .or_text("new"),
    switch("jsonParse", "Whether values are read as JSON where they are.").called("JSON parse values").or_false(),
];

/// Redis Stream Trigger.
pub(in super::super) struct RedisStreamTrigger;

impl NodeType for RedisStreamTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.redisStreamTrigger",
            display_name: "Redis Stream Trigger",
            description: "Starts an execution for each entry of a stream of Redis.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "database", &["valkey", "xread", "queue", "log"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        written_out(node, &["stream"], &["from"])
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for RedisStreamTrigger {
    fn place(&self, node: &Node) -> Value {
        json!([node.parameters.get("stream"), node.credentials])
    }

    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let stream = listening.text("stream", "");
        let parsed = listening.boolean("jsonParse", false);
        let fields = credential(listening, "redis").await?;
        let mut client = Client::connect(&fields, &listening.services.outbound).await?;
        let mut after = match listening.cursor.as_ref().and_then(|cursor| cursor.get("id")).and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => {
                let begins_new = listening.is_test || listening.text("from", "new") == "new";
                let id = if begins_new { newest(&mut client, &stream).await? } else { "0-0".to_owned() };
                listening.settle(json!({ "id": id })).await?;
                id
            }
        };
        listening.opened().await?;
        loop {
            let ask: [&[u8]; 8] =
                [b"XREAD", b"COUNT", COUNT, b"BLOCK", BLOCK_MS, b"STREAMS", stream.as_bytes(), after.as_bytes()];
            let reply = client.ask(&ask).await?;
            let too_large = client.take_too_large();
            for (id, fields) in entries(reply)? {
                let position = format!("{stream}/{id}");
                match &too_large {
                    // Which of its values it was is not known: the whole entry is left out.
                    Some(one) if fields.iter().any(|(_, value)| value.is_none()) => {
                        listening.refuse(Some(position), &one.beginning, one.reason()).await?;
                    }
                    _ => drop(listening.take(message(&stream, &id, fields, parsed)).await?),
                }
                listening.advance(json!({ "id": id }));
                after = id;
            }
        }
    }
}

/// The id of the newest entry: what comes after it is new.
async fn newest(client: &mut Client, stream: &str) -> Result<String, NodeError> {
    let reply = client.ask(&[b"XREVRANGE", stream.as_bytes(), b"+", b"-", b"COUNT", b"1"]).await?;
    drop(client.take_too_large());
    let Reply::List(entries) = reply else { return Ok("0-0".to_owned()) };
    let newest = entries.into_iter().next().map(entry).transpose()?;
    Ok(newest.map_or_else(|| "0-0".to_owned(), |(id, _)| id))
}

/// The fields of an entry, in order; nothing for a value that was too large.
type EntryFields = Vec<(String, Option<Vec<u8>>)>;

/// The entries of the one stream that was asked for.
fn entries(reply: Reply) -> Result<Vec<(String, EntryFields)>, NodeError> {
    let Reply::List(streams) = reply else { return Ok(Vec::new()) };
    let of_stream = streams.into_iter().next().and_then(|stream| match stream {
        Reply::List(parts) => parts.into_iter().nth(1),
        _ => None,
    });
    match of_stream {
        Some(Reply::List(entries)) => entries.into_iter().map(entry).collect(),
        _ => Err(wrong()),
    }
}

fn entry(reply: Reply) -> Result<(String, EntryFields), NodeError> {
    let Reply::List(parts) = reply else { return Err(wrong()) };
    let mut parts = parts.into_iter();
    let (Some(Reply::Text(id)), fields) = (parts.next(), parts.next()) else { return Err(wrong()) };
    // An entry that was deleted meanwhile has an id and nothing else.
    let fields = match fields {
        Some(Reply::List(fields)) => fields,
        _ => Vec::new(),
    };
    let mut read = Vec::with_capacity(fields.len() / 2);
    let mut fields = fields.into_iter();
    while let (Some(Reply::Text(name)), Some(value)) = (fields.next(), fields.next()) {
        let value = match value {
            Reply::Text(value) => Some(value),
            _ => None,
        };
        read.push((String::from_utf8_lossy(&name).into_owned(), value));
    }
    let id = String::from_utf8(id).map_err(|_| wrong())?;
    Ok((id, read))
}

fn wrong() -> NodeError {
    garbled("the protocol of Redis", "an entry of a stream is none")
}

fn message(stream: &str, id: &str, fields: EntryFields, parsed: bool) -> Message {
    let bytes = fields.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum();
    let values = fields.into_iter().map(|(name, value)| (name, value_of(&value.unwrap_or_default(), parsed)));
    let values: Map<String, Value> = values.collect();
    let item = item([("stream", json!(stream)), ("id", json!(id)), ("message", Value::Object(values))]);
    Message { position: Some(format!("{stream}/{id}")), items: vec![item], bytes }
}
