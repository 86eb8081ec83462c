//! RabbitMQ Trigger: consumes a queue, and acknowledges each message when its execution is durable.
//!
//! A message that is delivered again after a crash is known by the id that its sender gave it. One without an id may start a
//! second execution then: the server has no other name for it.

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType, Taken};
use timeloom_nodes::describe::{TRIGGER, collection, list, many, number, options, palette, switch, text, told};

use super::client::{BEAT_INTERVAL, Client, Delivered};
use super::{CREDENTIALS, PAIRS, pairs};
use crate::brokers::content::{
    Beat as _, MESSAGE_BYTES_MAX, credential, item, item_of, meanwhile, value_of, written_out,
};

/// Messages that may be unanswered, where the node does not say.
const UNANSWERED_MAX: u16 = 32;
/// Beats without anything from the server after which it is gone.
const SILENT_BEATS_MAX: u32 = 6;

const PARAMETERS: &[ParameterDefinition] = &[
    text("queue", "The queue.").called("Queue / topic").like("orders").needed(),
    collection(
        "options",
        &[
            options(
                "acknowledge",
                &[
                    told("immediately", "Immediately", "When its execution is durable."),
                    told("executionFinishes", "Execution finishes", "The same: the execution outlives the process."),
                    told(
                        "executionFinishesSuccessfully",
                        "Execution finishes successfully",
                        "The same: a failed execution is tried again from its history.",
                    ),
                    told("laterMessageNode", "Specified later in workflow", "The same."),
                ],
                "When a message is told to be taken.",
            )
            .called("Delete from queue when")
            .or_text("immediately"),
            list("arguments", &[many("argument", "Argument", PAIRS)], "Arguments of the queue."),
            switch("assertQueue", "Whether the queue is made where it is not there.").called("Assert queue").or_true(),
            switch("autoDelete", "Whether it goes when nobody uses it any more.").called("Auto delete").or_false(),
            list(
                "binding",
                &[many(
                    "bindings",
                    "Binding",
                    &[text("exchange", "The exchange."), text("routingKey", "The routing key.").called("Routing key")],
                )],
                "Exchanges that give to the queue.",
            ),
            switch("contentIsBinary", "Whether the content becomes an attachment.")
                .called("Content is binary")
                .or_false(),
            switch("durable", "Whether the queue outlives the server.").or_true(),
            switch("exclusive", "Whether the queue is of this connection alone.").or_false(),
            switch("jsonParseBody", "Whether the content is read as JSON.").called("JSON parse body").or_false(),
            switch("onlyContent", "Whether the content alone is given.").called("Only content").or_false(),
            number("parallelMessages", "Messages that may be unanswered; -1 for as many as is usual.")
                .called("Parallel message processing limit")
                .or_number(-1.0),
        ],
        "What else to decide.",
    ),
];

/// RabbitMQ Trigger.
pub(in super::super) struct RabbitMqTrigger;

impl NodeType for RabbitMqTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.rabbitmqTrigger",
            display_name: "RabbitMQ Trigger",
            description: "Starts an execution for each message of a queue of RabbitMQ.",
            versions: &[1.0, 1.1],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "broadcast", &["amqp", "queue", "consume", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        written_out(node, &["queue"], &["options"])
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for RabbitMqTrigger {
    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let fields = credential(listening, "rabbitmq").await?;
        let mut client = Client::connect(&fields, &listening.services.outbound).await?;
        let queue = queue(&mut client, listening).await?;
        let wanted = listening.number("options.parallelMessages", -1.0);
        let unanswered_max = if wanted >= 1.0 { wanted.min(f64::from(u16::MAX)) as u16 } else { UNANSWERED_MAX };
        // A draft that is tried out takes one message from the others.
        client.consume(&queue, if listening.is_test { 1 } else { unanswered_max }).await?;
        listening.opened().await?;
        let mut silent = 0;
        loop {
            match client.next(BEAT_INTERVAL).await? {
                Some(delivered) => {
                    silent = 0;
                    let tag = delivered.delivery_tag;
                    meanwhile(take(listening, &queue, delivered), BEAT_INTERVAL, &mut client).await?;
                    client.answer(tag).await?;
                }
                None => {
                    silent = if client.has_beaten() { 0 } else { silent + 1 };
                    if silent > SILENT_BEATS_MAX {
                        return Err(NodeError::api("RabbitMQ has not said anything for a while"));
                    }
                    client.beat().await?;
                }
            }
        }
    }
}

/// Makes the queue where that is asked for, and what gives to it; answers its name.
async fn queue(client: &mut Client, listening: &Listening) -> Result<String, NodeError> {
    let mut queue = listening.text("queue", "");
    if listening.boolean("options.assertQueue", true) {
        let is = |name: &str, default: bool| listening.boolean(&format!("options.{name}"), default);
        let kind = (is("durable", true), is("exclusive", false), is("autoDelete", false));
        let arguments = pairs(listening.parameter("options.arguments.argument"));
        queue = client.declare_queue(&queue, kind, &arguments).await?;
    }
    let bindings = listening.parameter("options.binding.bindings").and_then(Value::as_array).into_iter().flatten();
    for binding in bindings {
        let text = |name: &str| binding.get(name).and_then(Value::as_str).unwrap_or_default();
        client.bind(&queue, text("exchange"), text("routingKey")).await?;
    }
    Ok(queue)
}

async fn take(listening: &Listening, queue: &str, delivered: Delivered) -> Result<(), NodeError> {
    let named = delivered.properties.message_id.as_deref().filter(|id| !id.is_empty());
    let position = named.map(|id| format!("{queue}/{id}"));
    if delivered.bytes > MESSAGE_BYTES_MAX as u64 {
        let reason = format!("the message has {} bytes, at most {MESSAGE_BYTES_MAX} are taken", delivered.bytes);
        return listening.refuse(position, &delivered.content, reason).await;
    }
    let item = made(listening, &delivered).await?;
    let bytes = delivered.content.len();
    let taken = listening.take(Message { position, items: vec![item.clone()], bytes }).await?;
    if taken == Taken::Repeated && !delivered.is_redelivered {
        // The server never sent this one: its sender has given the same id to another message.
        listening.take(Message { position: None, items: vec![item], bytes }).await?;
    }
    Ok(())
}

async fn made(listening: &Listening, delivered: &Delivered) -> Result<Item, NodeError> {
    let fields = json!({
        "consumerTag": delivered.consumer_tag, "deliveryTag": delivered.delivery_tag,
        "redelivered": delivered.is_redelivered, "exchange": delivered.exchange, "routingKey": delivered.routing_key,
    });
    let properties = delivered.properties.to_json();
    if listening.boolean("options.contentIsBinary", false) {
        let content_type = delivered.properties.content_type.as_deref();
        let attachment = crate::attachment::of(listening, &delivered.content, None, content_type).await?;
        let mut item = item([("fields", fields), ("properties", properties)]);
        item.binary = Some([("data".to_owned(), attachment)].into_iter().collect());
        return Ok(item);
    }
    let content = value_of(&delivered.content, listening.boolean("options.jsonParseBody", false));
    Ok(match listening.boolean("options.onlyContent", false) {
        true => item_of(content),
        false => item([("fields", fields), ("properties", properties), ("content", content)]),
    })
}
