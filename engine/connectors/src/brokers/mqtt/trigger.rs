//! MQTT Trigger.
//!
//! A message of MQTT has no name of its own: while it is under way it has a number, which the broker gives to another one
//! later. So that a message that comes again starts nothing twice, and another one of the same number and content does start,
//! time is cut into epochs, in each of which a number stands for one message. An epoch ends when a number comes anew, and when
//! the broker has been heard to have all our answers; it is kept as the cursor.

use async_trait::async_trait;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::listener::listener_id;
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType, Taken};
use timeloom_nodes::describe::{TRIGGER, collection, palette, switch, text};

use super::CREDENTIALS;
use super::client::{Came, Client, PING_INTERVAL};
use super::packet::{PUBLISH_ACK, PUBLISH_COMPLETE, PUBLISH_RECEIVED, PUBLISH_RELEASE, Packet, Published};
use crate::brokers::content::{MESSAGE_BYTES_MAX, credential, item, item_of, meanwhile, value_of, written_out};
use crate::wire::garbled;

const PARAMETERS: &[ParameterDefinition] = &[
    text("topics", "Topics with commas between them; ':1' or ':2' behind one asks for a surer delivery.")
        .like("orders/#:1, alarms/+")
        .needed(),
    collection(
        "options",
        &[
            switch("jsonParseBody", "Whether messages are read as JSON.").called("JSON parse body").or_false(),
            switch("onlyMessage", "Whether the message alone is given.").called("Only message").or_false(),
            switch("parallelProcessing", "Executions run side by side: changes nothing here.")
                .called("Parallel processing"),
        ],
        "What else to decide.",
    ),
];

/// Most topics of one trigger.
const TOPICS_MAX: usize = 100;

/// MQTT Trigger.
pub(in super::super) struct MqttTrigger;

impl NodeType for MqttTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.mqttTrigger",
            display_name: "MQTT Trigger",
            description: "Starts an execution for each message of MQTT topics.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "broadcast", &["mosquitto", "iot", "subscribe", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        written_out(node, &["topics"], &[])
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for MqttTrigger {
    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let topics = topics(&listening.text("topics", ""))?;
        let fields = credential(listening, "mqtt").await?;
        let own = || format!("timeloom-{}", listener_id(listening.workflow_id, &listening.node.name).0.simple());
        let named = fields.some_text("clientId").unwrap_or_else(own);
        // A draft that is tried out must not take the session of the version that is active.
        let id = if listening.is_test { format!("{named}-test") } else { named };
        let is_clean = !fields.is_false("clean") || listening.is_test;
        let mut client = Client::connect(&fields, &id, is_clean, &listening.services.outbound).await?;
        // A session that the broker kept has its topics; asking again would bring what it retains once more.
        let goes_on = client.session_present && listening.cursor.is_some();
        let before = if goes_on { Vec::new() } else { client.subscribe(&topics).await? };
        listening.opened().await?;
        if listening.cursor.is_none() {
            listening.settle(json!({ "epoch": 0 })).await?;
        }
        let mut session =
            Session { client, epoch: epoch(listening.cursor.as_ref()), is_used: false, is_settling: false };
        for came in before {
            session.came(listening, came).await?;
        }
        loop {
            if session.client.comes(PING_INTERVAL).await? {
                let came = session.client.next().await?;
                session.came(listening, came).await?;
            } else {
                session.client.ping().await?;
                session.is_settling = true;
                if !session.client.comes(PING_INTERVAL).await? {
                    return Err(NodeError::api("the broker has not answered for a while"));
                }
            }
        }
    }
}

struct Session {
    client: Client,
    epoch: u64,
    /// Whether messages have come in this epoch.
    is_used: bool,
    /// Whether nothing has come since the broker was asked whether it is there.
    is_settling: bool,
}

impl Session {
    async fn came(&mut self, listening: &mut Listening, came: Came) -> Result<(), NodeError> {
        match came {
            Came::Packet(Packet::Publish(published)) => {
                self.is_settling = false;
                self.take(listening, published).await
            }
            Came::TooLarge { bytes, beginning } => {
                self.is_settling = false;
                let reason = format!("the message has {bytes} bytes, at most {MESSAGE_BYTES_MAX} are taken");
                listening.refuse(None, &beginning.content, reason).await?;
                self.tell(&beginning).await
            }
            // Of quality 2: the broker knows that we have it, and lets the number go.
            Came::Packet(Packet::PublishAnswer { kind: PUBLISH_RELEASE, id }) => {
                self.client.tell(PUBLISH_COMPLETE, id).await
            }
            // It answers in order: all our answers before the question have arrived.
            Came::Packet(Packet::PingAnswer) if self.is_settling && self.is_used => self.next_epoch(listening).await,
            Came::Packet(Packet::PingAnswer) => Ok(()),
            Came::Packet(_) => Err(garbled("MQTT", "an answer to nothing")),
        }
    }

    async fn take(&mut self, listening: &mut Listening, published: Published) -> Result<(), NodeError> {
        let message = self.message(listening, &published);
        let taken = meanwhile(listening.take(message), PING_INTERVAL, &mut self.client).await?;
        if taken == Taken::Repeated && !published.is_repeated && published.id.is_some() {
            // The broker says that it never sent this one: its number stands for another message now.
            self.next_epoch(listening).await?;
            listening.take(self.message(listening, &published)).await?;
        }
        self.is_used |= published.id.is_some();
        self.tell(&published).await
    }

    /// Tells the broker that we have a message.
    async fn tell(&mut self, published: &Published) -> Result<(), NodeError> {
        match published.id {
            Some(id) if published.is_exactly_once => self.client.tell(PUBLISH_RECEIVED, id).await,
            Some(id) => self.client.tell(PUBLISH_ACK, id).await,
            None => Ok(()),
        }
    }

    async fn next_epoch(&mut self, listening: &mut Listening) -> Result<(), NodeError> {
        self.epoch += 1;
        self.is_used = false;
        listening.settle(json!({ "epoch": self.epoch })).await
    }

    fn message(&self, listening: &Listening, published: &Published) -> Message {
        let Published { topic, id, content, .. } = published;
        let value = value_of(content, listening.boolean("options.jsonParseBody", false));
        let item = match listening.boolean("options.onlyMessage", false) {
            true => item_of(value),
            false => item([("message", value), ("topic", json!(topic))]),
        };
        let position = id.map(|id| {
            let mut digest = Sha256::new();
            digest.update(topic.as_bytes());
            digest.update([0]);
            digest.update(content);
            let digest: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("{}/{id}/{digest}", self.epoch)
        });
        Message { position, items: vec![item], bytes: content.len() }
    }
}

fn epoch(cursor: Option<&Value>) -> u64 {
    cursor.and_then(|cursor| cursor.get("epoch")).and_then(Value::as_u64).unwrap_or(0)
}

fn topics(written: &str) -> Result<Vec<(String, u8)>, NodeError> {
    let topic = |written: &str| match written.rsplit_once(':') {
        Some((topic, "0")) => (topic.to_owned(), 0),
        Some((topic, "1")) => (topic.to_owned(), 1),
        Some((topic, "2")) => (topic.to_owned(), 2),
        _ => (written.to_owned(), 0),
    };
    let topics: Vec<_> = written.split(',').map(str::trim).filter(|part| !part.is_empty()).map(topic).collect();
    if topics.is_empty() || topics.len() > TOPICS_MAX {
        return Err(NodeError::operation(format!("there are {} topics: give 1 to {TOPICS_MAX}", topics.len())));
    }
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_say_how_surely_they_are_to_arrive() {
        let told = topics("orders/#:1, alarms/+ ,sensor:2,a:b").unwrap();
        let told: Vec<(&str, u8)> = told.iter().map(|(topic, quality)| (topic.as_str(), *quality)).collect();
        assert_eq!(told, [("orders/#", 1), ("alarms/+", 0), ("sensor", 2), ("a:b", 0)]);
        assert!(topics(" , ").is_err());
    }
}
