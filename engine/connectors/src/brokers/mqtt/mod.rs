//! MQTT 3.1.1: a node that publishes, and a trigger that subscribes.

mod client;
mod packet;
mod trigger;

use async_trait::async_trait;
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, collection, long_text, numbered, off, options, palette, switch, text};

use self::client::{Client, Quality};
pub(super) use self::trigger::MqttTrigger;
use super::content::{always, passed_on, payload};
use crate::fields::Fields;

/// The credential of both.
pub(super) const CREDENTIALS: &[CredentialDefinition] = &[always("mqtt")];

pub(super) const PARAMETERS: &[ParameterDefinition] = &[
    text("topic", "The topic.").like("orders/new").needed(),
    switch("sendInputData", "Whether the whole item is sent, as JSON.").called("Send input data").or_true(),
    long_text("message", "What is sent.").when(&[off("sendInputData")]),
    collection(
        "options",
        &[
            options(
                "qos",
                &[
                    numbered(0.0, "Received at most once"),
                    numbered(1.0, "Received at least once"),
                    numbered(2.0, "Exactly once"),
                ],
                "How surely it is to arrive.",
            )
            .called("QoS")
            .or_number(0.0),
            switch("retain", "Whether the broker keeps it for those who subscribe later.").or_false(),
        ],
        "What else to decide.",
    ),
];

/// MQTT.
pub(super) struct Mqtt;

impl NodeType for Mqtt {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.mqtt",
            display_name: "MQTT",
            description: "Publishes messages by MQTT.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "broadcast", &["mosquitto", "iot", "publish", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Mqtt {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let fields = Fields::of(run, "mqtt").await?;
        // Whoever publishes needs no session, and must not take over that of a trigger.
        let id = format!("timeloom-{:016x}", run.seed);
        let mut client = Client::connect(&fields, &id, true, &run.services.outbound).await?;
        for index in 0..run.items().len() {
            let topic = run.text("topic", index, "")?;
            let quality = Quality::of(run.number("options.qos", index, 0.0)?);
            let retain = run.boolean("options.retain", index, false)?;
            let message = payload(run, index, "sendInputData")?;
            client.publish(&topic, &message, quality, retain).await.map_err(|error| error.at_item(index))?;
        }
        client.leave().await;
        Ok(passed_on(run))
    }
}
