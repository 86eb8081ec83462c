//! NATS Trigger: a durable consumer of a stream of JetStream, which is told that a message was taken; or, without a stream, whoever
//! hears a subject.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::listener::listener_id;
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_nodes::describe::{TRIGGER, options, palette, switch, text, told};

use super::CREDENTIALS;
use super::client::{Client, Delivered};
use crate::brokers::content::{Beat, MESSAGE_BYTES_MAX, credential, item, item_of, meanwhile, value_of, written_out};
use crate::wire::garbled;

/// Number of the subscription of a trigger.
const SUBSCRIPTION: u64 = 2;
/// How long JetStream waits for a message before it says that there is none.
const PULL_TIME: Duration = Duration::from_secs(20);
/// After so long without an answer a message is sent again.
const ACK_WAIT: Duration = Duration::from_secs(60);
/// How long it is waited for anything before the server is asked whether it is there.
const QUIET_TIME: Duration = Duration::from_secs(25);
/// How often the server is told that a message is being worked on.
const WORK_INTERVAL: Duration = Duration::from_secs(20);
/// Messages that are asked for at once.
const BATCH: usize = 16;

const PARAMETERS: &[ParameterDefinition] = &[
    text("subject", "The subject; * stands for a word, > for all that follow.").like("orders.>").needed(),
    text("stream", "The stream of JetStream that keeps its messages; empty to hear them as they pass.").like("ORDERS"),
    text("durable", "Name of the consumer at the server; its own where nothing is said.").called("Durable consumer"),
    options(
        "deliver",
        &[
            told("new", "New messages", "What comes after the workflow became active."),
            told("all", "All messages", "Everything that the stream still has, first."),
        ],
        "Where the consumer begins the first time.",
    )
    .or_text("new"),
    switch("jsonParse", "Whether messages are read as JSON.").called("JSON parse").or_false(),
    switch("onlyMessage", "Whether the message alone is given.").called("Only message").or_false(),
];

/// NATS Trigger.
pub(in super::super) struct NatsTrigger;

impl NodeType for NatsTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "timeloom.natsTrigger",
            display_name: "NATS Trigger",
            description: "Starts an execution for each message of a stream of JetStream, or of a subject.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "broadcast", &["jetstream", "subscribe", "broker"]),
            credentials: CREDENTIALS,
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        written_out(node, &["subject"], &["stream", "durable", "deliver"])
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for NatsTrigger {
    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let subject = listening.text("subject", "");
        let stream = listening.text("stream", "");
        let fields = credential(listening, "nats").await?;
        let mut client = Client::connect(&fields, &listening.services.outbound).await?;
        if stream.trim().is_empty() {
            client.subscribe(&subject, SUBSCRIPTION).await?;
            listening.opened().await?;
            return hear(&mut client, listening).await;
        }
        let consumer = consume(&mut client, listening, stream.trim(), &subject).await?;
        listening.opened().await?;
        pull(&mut client, listening, stream.trim(), &consumer).await
    }
}

/// Hears what passes: nobody keeps it for later.
async fn hear(client: &mut Client, listening: &Listening) -> Result<(), NodeError> {
    loop {
        match client.next(QUIET_TIME).await? {
            Some(delivered) => take(listening, &delivered, None).await?,
            None => client.ping().await?,
        }
    }
}

/// Makes the consumer, which stays at the server; answers its name.
async fn consume(client: &mut Client, listening: &Listening, stream: &str, subject: &str) -> Result<String, NodeError> {
    let own = || format!("timeloom-{}", listener_id(listening.workflow_id, &listening.node.name).0.simple());
    let durable = Some(listening.text("durable", "")).filter(|name| !name.trim().is_empty()).unwrap_or_else(own);
    // A draft that is tried out gets a consumer that goes with it.
    let name = if listening.is_test { format!("{durable}-test") } else { durable };
    if name.contains(['.', '*', '>', ' ', '/']) || stream.contains(['.', '*', '>', ' ', '/']) {
        return Err(NodeError::operation("names of streams and consumers have no points, blanks or signs in them"));
    }
    let deliver = if listening.text("deliver", "new") == "all" && !listening.is_test { "all" } else { "new" };
    let mut config = json!({
        "name": name, "deliver_policy": deliver, "ack_policy": "explicit", "ack_wait": ACK_WAIT.as_nanos() as u64,
        "filter_subject": subject, "max_ack_pending": 4 * BATCH, "replay_policy": "instant",
    });
    if let Some(config) = config.as_object_mut() {
        if listening.is_test {
            config.insert("inactive_threshold".to_owned(), json!(ACK_WAIT.as_nanos() as u64));
        } else {
            config.insert("durable_name".to_owned(), json!(name));
        }
    }
    // One that is there goes on where it was.
    let there = client.ask(&format!("$JS.API.CONSUMER.INFO.{stream}.{name}"), &json!({})).await;
    if there.is_err() {
        let question = json!({ "stream_name": stream, "config": config, "action": "create" });
        client.ask(&format!("$JS.API.CONSUMER.CREATE.{stream}.{name}"), &question).await?;
    }
    Ok(name)
}

/// A message that is being worked on.
struct Working<'a> {
    client: &'a mut Client,
    reply: &'a str,
}

#[async_trait]
impl Beat for Working<'_> {
    async fn beat(&mut self) -> Result<(), NodeError> {
        self.client.publish(self.reply, None, b"+WPI").await
    }
}

/// Asks for messages, and tells the server of each when its execution is durable.
async fn pull(client: &mut Client, listening: &Listening, stream: &str, consumer: &str) -> Result<(), NodeError> {
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
    let question = json!({ "batch": BATCH, "expires": PULL_TIME.as_nanos() as u64 }).to_string();
    loop {
        client.request(&subject, None, question.as_bytes()).await?;
        let mut left = BATCH;
        while left > 0 {
            let Some(delivered) = client.next(QUIET_TIME).await? else {
                client.ping().await?;
                break;
            };
            match (delivered.status(), &delivered.reply) {
                // There is none now: it is asked again.
                (Some(404 | 408), _) => break,
                (Some(100), _) => continue,
                (Some(status), _) if status >= 400 => {
                    return Err(NodeError::api(format!("JetStream gives no more messages: {status}")));
                }
                (_, Some(reply)) => {
                    let reply = reply.clone();
                    let sequence = sequence(&reply).ok_or_else(|| garbled("JetStream", "a message has no number"))?;
                    let taking = take(listening, &delivered, Some(format!("{stream}/{sequence}")));
                    // While too much is under way the message is not to be sent to anybody else.
                    meanwhile(taking, WORK_INTERVAL, &mut Working { client, reply: &reply }).await?;
                    client.publish(&reply, None, b"+ACK").await?;
                    left -= 1;
                }
                (_, None) => {}
            }
        }
    }
}

/// The number of a message in its stream and when it was stored, which the address of its answer tells. A stream that was
/// emptied and made anew begins to count again, at another time.
fn sequence(reply: &str) -> Option<String> {
    let parts: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    // Newer servers put a domain and an account before the stream.
    let parts = if parts.len() >= 9 { parts.get(2..)? } else { parts.get(..)? };
    let (sequence, time) = (parts.get(3)?, parts.get(5)?);
    Some(format!("{sequence}/{time}"))
}

async fn take(listening: &Listening, delivered: &Delivered, position: Option<String>) -> Result<(), NodeError> {
    let Delivered { subject, content, bytes, .. } = delivered;
    if *bytes > MESSAGE_BYTES_MAX {
        let reason = format!("the message has {bytes} bytes, at most {MESSAGE_BYTES_MAX} are taken");
        return listening.refuse(position, content, reason).await;
    }
    let value = value_of(content, listening.boolean("jsonParse", false));
    let item = match listening.boolean("onlyMessage", false) {
        true => item_of(value),
        false => item([("subject", json!(subject)), ("message", value)]),
    };
    listening.take(Message { position, items: vec![item], bytes: *bytes }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_number_in_the_stream() {
        let old = "$JS.ACK.ORDERS.consumer.1.42.7.1700000000000000000.3";
        let new = "$JS.ACK._.ACCOUNT.ORDERS.consumer.1.42.7.1700000000000000000.3.token";
        assert_eq!(sequence(old).as_deref(), Some("42/1700000000000000000"));
        assert_eq!(sequence(new).as_deref(), Some("42/1700000000000000000"));
        assert_eq!(sequence("elsewhere"), None);
    }
}
