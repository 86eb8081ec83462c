//! Triggers on Redis: one for channels, whose messages nobody keeps, and one for streams, which remember theirs.

mod client;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use timeloom_domain::catalogue::{CredentialDefinition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_nodes::describe::{TRIGGER, collection, palette, switch, text};

use self::client::Client;
pub(super) use self::stream::RedisStreamTrigger;
use super::content::{always, credential, item, value_of, written_out};

/// The credential of both.
const CREDENTIALS: &[CredentialDefinition] = &[always("redis")];
/// How often the server is asked whether it is there while nothing comes.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Most channels of one trigger.
const CHANNELS_MAX: usize = 100;

const PARAMETERS: &[ParameterDefinition] = &[
    text("channels", "Channels with commas between them; * stands for anything.").like("orders, alarms.*").needed(),
    collection(
        "options",
        &[
            switch("jsonParseBody", "Whether messages are read as JSON.").called("JSON parse body").or_false(),
            switch("onlyMessage", "Whether the message alone is given.").called("Only message").or_false(),
        ],
        "What else to decide.",
    ),
];

/// Redis Trigger.
pub(super) struct RedisTrigger;

impl NodeType for RedisTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.redisTrigger",
            display_name: "Redis Trigger",
            description: "Starts an execution for each message on channels of Redis.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "database", &["valkey", "pub/sub", "subscribe"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        written_out(node, &["channels"], &[])
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for RedisTrigger {
    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let named = listening.text("channels", "");
        let channels: Vec<&str> = named.split(',').map(str::trim).filter(|channel| !channel.is_empty()).collect();
        if channels.is_empty() || channels.len() > CHANNELS_MAX {
            return Err(NodeError::operation(format!(
                "there are {} channels: give 1 to {CHANNELS_MAX}",
                channels.len()
            )));
        }
        let fields = credential(listening, "redis").await?;
        let mut client = Client::connect(&fields, &listening.services.outbound).await?;
        let subscribe: Vec<&[u8]> =
            std::iter::once(&b"PSUBSCRIBE"[..]).chain(channels.iter().map(|channel| channel.as_bytes())).collect();
        client.send(&subscribe).await?;
        for _ in &channels {
            client.reply().await?.checked()?;
        }
        listening.opened().await?;
        loop {
            if !client.comes(PING_INTERVAL).await? {
                client.send(&[b"PING"]).await?;
                if !client.comes(PING_INTERVAL).await? {
                    return Err(NodeError::api("Redis has not answered for a while"));
                }
            }
            let reply = client.reply().await?.checked()?;
            match reply.texts().as_deref() {
                Some([kind, _, channel, content]) if kind == b"pmessage" => {
                    listening.take(message(listening, channel, content)).await?;
                }
                // An answer to whether it is there.
                _ => {}
            }
            if let Some(too_large) = client.take_too_large() {
                listening.refuse(None, &too_large.beginning, too_large.reason()).await?;
            }
        }
    }
}

fn message(listening: &Listening, channel: &[u8], content: &[u8]) -> Message {
    let value = value_of(content, listening.boolean("options.jsonParseBody", false));
    let channel = String::from_utf8_lossy(channel).into_owned();
    let item = match listening.boolean("options.onlyMessage", false) {
        true => item([("message", value)]),
        false => item([("channel", json!(channel)), ("message", value)]),
    };
    Message { position: None, items: vec![item], bytes: content.len() }
}
