//! Kafka: a node that produces, and a trigger that reads a topic's partitions by their offsets.
//!
//! No consumer groups: which process reads follows from the shards of this installation, and up to where it has read is kept in
//! the log of this installation.

mod batch;
mod client;
mod fetch;
mod packing;
mod scram;
mod sign_in;
mod trigger;
mod words;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{
    ONE_TO_ONE, choice, collection, json as json_field, list, long_text, many, number, off, on, options, palette,
    switch, text,
};

use self::batch::Record;
use self::client::Cluster;
use self::packing::Packing;
pub(super) use self::trigger::KafkaTrigger;
use super::content::{always, payload};
use crate::fields::Fields;

/// The credential of both.
pub(super) const CREDENTIALS: &[CredentialDefinition] = &[always("kafka")];

pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    text("topic", "The topic.").like("orders").needed(),
    switch("sendInputData", "Whether the whole item is sent, as JSON.").called("Send input data").or_true(),
    long_text("message", "What is sent.").when(&[off("sendInputData")]),
    switch("useKey", "Whether messages have keys: those of the same key come to the same partition.")
        .called("Use key")
        .or_false(),
    text("key", "The key.").when(&[on("useKey")]),
    switch("jsonParameters", "Whether headers are given as JSON.").called("JSON parameters").or_false(),
    list(
        "headersUi",
        &[many("headerValues", "Header", &[text("key", "The name."), text("value", "The value.")])],
        "Headers of the message.",
    )
    .called("Headers")
    .when(&[off("jsonParameters")]),
    json_field("headerParametersJson", "Headers of the message.")
        .called("Headers (JSON)")
        .when(&[on("jsonParameters")]),
    collection(
        "options",
        &[
            switch("compression", "Whether messages are packed.").or_false(),
            options(
                "codec",
                &[
                    choice("gzip", "GZIP"),
                    choice("snappy", "Snappy"),
                    choice("lz4", "LZ4"),
                    choice("zstd", "Zstandard"),
                ],
                "How, where they are.",
            )
            .or_text("gzip"),
            switch("acks", "Whether all copies must have a message; else one is enough.").or_false(),
            number("timeout", "Longest time for that, in milliseconds.").or_number(30_000.0),
        ],
        "What else to decide.",
    ),
];

/// Kafka.
pub(super) struct Kafka;

impl NodeType for Kafka {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.kafka",
            display_name: "Kafka",
            description: "Sends messages to topics of Kafka.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "broadcast", &["stream", "produce", "redpanda", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Kafka {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        if run.boolean("useSchemaRegistry", 0, false)? {
            return Err(NodeError::operation("schema registries are not asked here: send the message as it is to be"));
        }
        let fields = Fields::of(run, "kafka").await?;
        let mut cluster = Cluster::new(&fields, &run.services.outbound)?;
        let mut given = Vec::new();
        for index in 0..run.items().len() {
            let sent = send(&mut cluster, run, index).await.map_err(|error| error.at_item(index))?;
            given.push(Item::new(sent).paired_with(index));
        }
        Ok(NodeOutput::single(given))
    }
}

/// Sends one message, and tells where it is.
async fn send(cluster: &mut Cluster, run: &mut NodeRun<'_>, index: usize) -> Result<Map<String, Value>, NodeError> {
    let topic = run.text("topic", index, "")?;
    let value = payload(run, index, "sendInputData")?;
    let key = if run.boolean("useKey", index, false)? { Some(run.text("key", index, "")?.into_bytes()) } else { None };
    let headers = headers(run, index)?;
    let packing = match run.boolean("options.compression", index, false)? {
        true => Packing::named(&run.text("options.codec", index, "gzip")?)?,
        false => Packing::Nothing,
    };
    let acks: i16 = if run.boolean("options.acks", index, false)? { -1 } else { 1 };
    let partitions = cluster.partitions(&topic).await?;
    let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX).max(1);
    let partition = match &key {
        Some(key) => words::partition_of(key, count),
        None => i32::try_from(index).unwrap_or_default() % count,
    };
    let record = Record { key, value: Some(value), headers, ..Record::default() };
    let timeout = run.number("options.timeout", index, 30_000.0)?.clamp(1.0, 30_000.0) as i32;
    let offset = cluster.produce(&topic, partition, (&record, packing), run.scope.now_ms, (acks, timeout)).await?;
    let told = [
        ("topicName", json!(topic)),
        ("partition", json!(partition)),
        ("errorCode", json!(0)),
        ("baseOffset", json!(offset.to_string())),
    ];
    Ok(told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn headers(run: &mut NodeRun<'_>, index: usize) -> Result<Vec<(String, Vec<u8>)>, NodeError> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    };
    if run.boolean("jsonParameters", index, false)? {
        let given = match run.parameter("headerParametersJson", index)? {
            Some(Value::String(json)) if json.trim().is_empty() => Value::Null,
            Some(Value::String(json)) => serde_json::from_str(&json)
                .map_err(|error| NodeError::operation(format!("the headers are no JSON: {error}")))?,
            other => other.unwrap_or_default(),
        };
        let given = given.as_object().cloned().unwrap_or_default();
        return Ok(given.iter().map(|(name, value)| (name.clone(), text(value))).collect());
    }
    let entries = run.parameter("headersUi.headerValues", index)?;
    let entries = entries.as_ref().and_then(Value::as_array).into_iter().flatten();
    let header = |entry: &Value| Some((entry.get("key")?.as_str()?.to_owned(), text(entry.get("value")?)));
    Ok(entries.filter_map(header).collect())
}
