//! Kafka Trigger: reads all partitions of a topic; up to where is kept in the log of this installation.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_nodes::describe::{TRIGGER, collection, number, palette, switch, text};
use tokio::time::Instant;

use super::CREDENTIALS;
use super::batch::Record;
use super::client::{Cluster, EARLIEST, LATEST, Partition};
use super::fetch::Came;
use crate::brokers::content::{credential, item, item_of, value_of, written_out};

/// How long brokers wait for something to come, all of them together.
const WAIT: Duration = Duration::from_secs(1);
/// How often it is looked whether the topic has more partitions.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

const PARAMETERS: &[ParameterDefinition] = &[
    text("topic", "The topic.").like("orders").needed(),
    text("groupId", "There are no consumer groups: changes nothing here.").called("Group ID"),
    collection(
        "options",
        &[
            switch("fromBeginning", "Whether it begins with what the topic has, the first time.")
                .called("Read messages from beginning")
                .or_true(),
            switch("jsonParseMessage", "Whether messages are read as JSON.").called("JSON parse message").or_false(),
            switch("onlyMessage", "Whether the message alone is given.").called("Only message").or_false(),
            switch("returnHeaders", "Whether headers are given.").called("Return headers").or_false(),
            switch("allowAutoTopicCreation", "Topics are never made: changes nothing here.")
                .called("Allow topic creation"),
            switch("parallelProcessing", "Executions run side by side: changes nothing here.")
                .called("Parallel processing"),
            number("sessionTimeout", "There are no consumer groups: changes nothing here.").called("Session timeout"),
            number("heartbeatInterval", "There are no consumer groups: changes nothing here.")
                .called("Heartbeat interval"),
        ],
        "What else to decide.",
    ),
];

/// Kafka Trigger.
pub(in super::super) struct KafkaTrigger;

impl NodeType for KafkaTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.kafkaTrigger",
            display_name: "Kafka Trigger",
            description: "Starts an execution for each message of a topic of Kafka.",
            versions: &[1.0, 1.1],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "broadcast", &["stream", "consume", "redpanda", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let mut problems = written_out(node, &["topic"], &["options"]);
        if node.parameters.get("useSchemaRegistry") == Some(&json!(true)) {
            let message = "schema registries are not asked here: read messages as they are";
            let (node, field) = (Some(node.name.clone()), "parameters.useSchemaRegistry".to_owned());
            problems.push(Problem { node, field, message: message.to_owned() });
        }
        problems
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for KafkaTrigger {
    fn place(&self, node: &Node) -> Value {
        json!([node.parameters.get("topic"), node.credentials])
    }

    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let topic = listening.text("topic", "");
        let fields = credential(listening, "kafka").await?;
        let mut cluster = Cluster::new(&fields, &listening.services.outbound)?;
        let partitions = cluster.partitions_now(&topic).await?;
        let mut offsets = offsets(&mut cluster, listening, &topic, &partitions).await?;
        listening.opened().await?;
        let mut leaders: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        partitions.iter().for_each(|one| leaders.entry(one.leader).or_default().push(one.index));
        let wait = WAIT / u32::try_from(leaders.len()).unwrap_or(1).max(1);
        let mut looked = Instant::now();
        loop {
            for (leader, indexes) in &leaders {
                let wanted: Vec<(i32, i64)> =
                    indexes.iter().filter_map(|index| Some((*index, *offsets.get(index)?))).collect();
                for (index, came) in cluster.fetch(&topic, *leader, &wanted, wait).await? {
                    let next = match came {
                        Came::Records(fetched) => {
                            for record in fetched.records {
                                let next = record.offset + 1;
                                listening.take(message(listening, &topic, index, record)).await?;
                                offsets.insert(index, next);
                                listening.advance(cursor(&offsets));
                            }
                            fetched.next_offset
                        }
                        Came::OutOfRange => {
                            // It was thrown away before it was read: go on with what is left.
                            let partition = Partition { index, leader: *leader };
                            tracing::warn!(topic, index, "a partition has thrown messages away that were not read");
                            Some(cluster.offset(&topic, partition, EARLIEST).await?)
                        }
                    };
                    if let Some(next) = next.filter(|next| offsets.get(&index) != Some(next)) {
                        offsets.insert(index, next);
                        listening.advance(cursor(&offsets));
                    }
                }
            }
            if looked.elapsed() >= LOOK_INTERVAL {
                looked = Instant::now();
                if cluster.partitions_now(&topic).await? != partitions {
                    return Err(NodeError::api("the topic has other partitions or leaders now"));
                }
            }
        }
    }
}

/// Where each partition is read from.
async fn offsets(
    cluster: &mut Cluster,
    listening: &mut Listening,
    topic: &str,
    partitions: &[Partition],
) -> Result<BTreeMap<i32, i64>, NodeError> {
    let known = listening.cursor.as_ref().and_then(|cursor| cursor.get("offsets")).and_then(Value::as_object).cloned();
    let from_beginning = listening.boolean("options.fromBeginning", true) && !listening.is_test;
    let mut offsets = BTreeMap::new();
    for partition in partitions {
        let offset = match &known {
            Some(known) => match known.get(&partition.index.to_string()).and_then(Value::as_i64) {
                Some(offset) => offset,
                // It was added meanwhile: all of it is new.
                None => cluster.offset(topic, *partition, EARLIEST).await?,
            },
            None => cluster.offset(topic, *partition, if from_beginning { EARLIEST } else { LATEST }).await?,
        };
        offsets.insert(partition.index, offset);
    }
    if known.is_none() {
        listening.settle(cursor(&offsets)).await?;
    }
    Ok(offsets)
}

fn cursor(offsets: &BTreeMap<i32, i64>) -> Value {
    let offsets: Map<String, Value> = offsets.iter().map(|(index, next)| (index.to_string(), json!(next))).collect();
    json!({ "offsets": offsets })
}

fn message(listening: &Listening, topic: &str, partition: i32, record: Record) -> Message {
    let Record { offset, timestamp_ms, key, value, headers } = record;
    let content = value.unwrap_or_default();
    let bytes = content.len() + key.as_ref().map_or(0, Vec::len);
    let value = value_of(&content, listening.boolean("options.jsonParseMessage", false));
    let mut item = match listening.boolean("options.onlyMessage", false) {
        true => item_of(value),
        false => item([
            ("message", value),
            ("topic", json!(topic)),
            ("partition", json!(partition)),
            ("offset", json!(offset.to_string())),
        ]),
    };
    if listening.boolean("options.returnHeaders", false) {
        let headers = headers.into_iter().map(|(name, value)| (name, json!(String::from_utf8_lossy(&value))));
        item.json.insert("headers".to_owned(), Value::Object(headers.collect()));
    }
    // A topic that was made anew counts from the beginning again, at other times.
    let position = Some(format!("{topic}/{partition}/{offset}/{timestamp_ms}"));
    Message { position, items: vec![item], bytes }
}
