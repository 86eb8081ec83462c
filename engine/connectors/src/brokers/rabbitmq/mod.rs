//! RabbitMQ, by AMQP 0-9-1: a node that sends, and a trigger that consumes a queue.

mod client;
mod frame;
mod table;
mod trigger;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::Item;
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{
    ONE_TO_ONE, choice, collection, is, list, long_text, many, off, options, palette, switch, text,
};

use self::client::{Client, Sent};
use self::frame::Properties;
pub(super) use self::trigger::RabbitMqTrigger;
use super::content::{always, payload};
use crate::fields::Fields;

/// The credential of both.
pub(super) const CREDENTIALS: &[CredentialDefinition] = &[always("rabbitmq")];

/// A name and a value.
pub(super) const PAIRS: &[ParameterDefinition] = &[text("key", "The name."), text("value", "The value.")];

pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", &[choice("sendMessage", "Send a message")], "What is done.").or_text("sendMessage"),
    options("mode", &[choice("queue", "Queue"), choice("exchange", "Exchange")], "Where to.")
        .called("To")
        .or_text("queue"),
    text("queue", "The queue.").called("Queue / topic").like("orders").when(&[is("mode", &["queue"])]),
    text("exchange", "The exchange.").like("events").when(&[is("mode", &["exchange"])]),
    options(
        "exchangeType",
        &[
            choice("direct", "Direct"),
            choice("topic", "Topic"),
            choice("headers", "Headers"),
            choice("fanout", "Fanout"),
        ],
        "What kind of exchange it is.",
    )
    .called("Type")
    .or_text("fanout")
    .when(&[is("mode", &["exchange"])]),
    text("routingKey", "The routing key.").called("Routing key").when(&[is("mode", &["exchange"])]),
    switch("sendInputData", "Whether the whole item is sent, as JSON.").called("Send input data").or_true(),
    long_text("message", "What is sent.").when(&[off("sendInputData")]),
    collection(
        "options",
        &[
            text("alternateExchange", "Where what nobody takes goes.").called("Alternate exchange"),
            list("arguments", &[many("argument", "Argument", PAIRS)], "Arguments of the queue or exchange."),
            switch("autoDelete", "Whether it goes when nobody uses it any more.").called("Auto delete").or_false(),
            switch("durable", "Whether it outlives the server.").or_true(),
            switch("exclusive", "Whether the queue is of this connection alone.").or_false(),
            list("headers", &[many("header", "Header", PAIRS)], "Headers of the message."),
            switch("assertQueue", "Whether the queue is made where it is not there.").called("Assert queue").or_true(),
            switch("assertExchange", "Whether the exchange is made where it is not there.")
                .called("Assert exchange")
                .or_true(),
        ],
        "What else to decide.",
    ),
];

/// RabbitMQ.
pub(super) struct RabbitMq;

impl NodeType for RabbitMq {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.rabbitmq",
            display_name: "RabbitMQ",
            description: "Sends messages to queues and exchanges of RabbitMQ.",
            versions: &[1.0, 1.1],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "broadcast", &["amqp", "queue", "publish", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for RabbitMq {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let operation = run.text("operation", 0, "sendMessage")?;
        if operation != "sendMessage" {
            let message =
                format!("the operation '{operation}' is not known here: messages are acknowledged by the trigger");
            return Err(NodeError::operation(message));
        }
        let fields = Fields::of(run, "rabbitmq").await?;
        let mut client = Client::connect(&fields, &run.services.outbound).await?;
        client.confirm().await?;
        let mut given = Vec::new();
        let mut declared: Option<(String, bool)> = None;
        for index in 0..run.items().len() {
            let sent = send(&mut client, run, index, &mut declared).await.map_err(|error| error.at_item(index))?;
            given.push(Item::new(Map::from_iter([("success".to_owned(), json!(sent))])).paired_with(index));
        }
        client.close().await;
        Ok(NodeOutput::single(given))
    }
}

/// Sends one message, and returns when the server has it.
async fn send(
    client: &mut Client,
    run: &mut NodeRun<'_>,
    index: usize,
    declared: &mut Option<(String, bool)>,
) -> Result<bool, NodeError> {
    let to_queue = run.text("mode", index, "queue")? == "queue";
    let name = run.text(if to_queue { "queue" } else { "exchange" }, index, "")?;
    let target = (name.clone(), to_queue);
    if declared.as_ref() != Some(&target) {
        declare(client, run, index, &target).await?;
        *declared = Some(target);
    }
    let content = payload(run, index, "sendInputData")?;
    let headers = pairs(run.parameter("options.headers.header", index)?.as_ref());
    let routing_key = if to_queue { name.clone() } else { run.text("routingKey", index, "")? };
    // Whoever consumes can tell by it that an attempt was made again.
    let message_id = Some(format!("{}-{index}", run.idempotency_key));
    let properties = Properties { headers, message_id, delivery_mode: Some(2), ..Properties::default() };
    let exchange: &str = if to_queue { "" } else { &name };
    match client.publish((exchange, &routing_key), &properties, &content, to_queue).await? {
        Sent::Taken => Ok(true),
        Sent::Returned(why) => Err(NodeError::operation(format!("nobody takes the message: {why}"))
            .described("check the name of the queue, or let it be made by the option 'assertQueue'")),
    }
}

async fn declare(
    client: &mut Client,
    run: &mut NodeRun<'_>,
    index: usize,
    (name, is_queue): &(String, bool),
) -> Result<(), NodeError> {
    let asserts = if *is_queue { "options.assertQueue" } else { "options.assertExchange" };
    if !run.boolean(asserts, index, true)? {
        return Ok(());
    }
    let durable = run.boolean("options.durable", index, true)?;
    let auto_delete = run.boolean("options.autoDelete", index, false)?;
    let mut arguments = pairs(run.parameter("options.arguments.argument", index)?.as_ref());
    if *is_queue {
        let exclusive = run.boolean("options.exclusive", index, false)?;
        return client.declare_queue(name, (durable, exclusive, auto_delete), &arguments).await.map(drop);
    }
    let alternate = run.text("options.alternateExchange", index, "")?;
    if !alternate.is_empty() {
        arguments.insert("alternate-exchange".to_owned(), json!(alternate));
    }
    let kind = run.text("exchangeType", index, "fanout")?;
    client.declare_exchange(name, &kind, (durable, auto_delete), &arguments).await
}

/// Names and values, as a list of entries has them.
pub(super) fn pairs(entries: Option<&Value>) -> Map<String, Value> {
    let entries = entries.and_then(Value::as_array).into_iter().flatten();
    let pair = |entry: &Value| {
        let name = entry.get("key")?.as_str().filter(|name| !name.is_empty())?;
        Some((name.to_owned(), entry.get("value").cloned().unwrap_or_default()))
    };
    entries.filter_map(pair).collect()
}
