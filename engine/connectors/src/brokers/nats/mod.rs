//! NATS: a node that publishes, and a trigger that consumes a stream of JetStream, or hears a subject.

mod client;
mod trigger;

use async_trait::async_trait;
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_engine::node::{Behaviour, EffectNode, NodeError, NodeOutput, NodeRun, NodeType};
use timeloom_nodes::describe::{ONE_TO_ONE, long_text, off, palette, switch, text};

use self::client::Client;
pub(super) use self::trigger::NatsTrigger;
use super::content::{always, passed_on, payload};
use crate::fields::Fields;

/// The credential of both.
pub(super) const CREDENTIALS: &[CredentialDefinition] = &[always("nats")];

const PARAMETERS: &[ParameterDefinition] = &[
    text("subject", "The subject.").like("orders.new").needed(),
    switch("sendInputData", "Whether the whole item is sent, as JSON.").called("Send input data").or_true(),
    long_text("message", "What is sent.").when(&[off("sendInputData")]),
    switch("confirmed", "Whether a stream of JetStream must say that it has the message.").or_false(),
];

/// NATS.
pub(super) struct Nats;

impl NodeType for Nats {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.nats",
            display_name: "NATS",
            description: "Publishes messages by NATS.",
            versions: &[1.0],
            role: NodeRole::Effect,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "broadcast", &["jetstream", "publish", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Effect(self)
    }
}

#[async_trait]
impl EffectNode for Nats {
    async fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let fields = Fields::of(run, "nats").await?;
        let mut client = Client::connect(&fields, &run.services.outbound).await?;
        for index in 0..run.items().len() {
            let subject = run.text("subject", index, "")?;
            let message = payload(run, index, "sendInputData")?;
            // A stream leaves out what it has seen under the same id: so an attempt that is made again sends nothing twice.
            let id = format!("{}-{index}", run.idempotency_key);
            let sent = if run.boolean("confirmed", index, false)? {
                client.publish_confirmed(&subject, &id, &message).await
            } else {
                client.publish(&subject, Some(&id), &message).await
            };
            sent.map_err(|error| error.at_item(index))?;
        }
        // What was sent has arrived when the server answers.
        client.ping().await?;
        Ok(passed_on(run))
    }
}
