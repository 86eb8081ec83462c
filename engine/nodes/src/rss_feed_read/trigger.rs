//! RSS Feed Trigger: looks at a feed when its times say so, and starts an execution for each entry that was not there before.
//!
//! What it remembers are digests of the entries that the feed had last. An entry that goes and comes again is known by its
//! execution, whose id follows from the entry.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use timeloom_domain::catalogue::{NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::definition::{Node, Problem};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{Behaviour, Listen, Listening, Message, NodeError, NodeType};
use timeloom_engine::schedule::{CRON, Schedule};

use super::{RssFeedRead, entries_of};
use crate::describe::{TRIGGER, palette, text};
use crate::schedule::POLL_TIMES;
use crate::values::has_expression;

const PARAMETERS: &[ParameterDefinition] = &[
    POLL_TIMES,
    text("feedUrl", "Address of the feed.").called("Feed URL").like("https://example.com/feed.xml").needed(),
];

/// Most entries of a feed that are remembered. Of more, the first are: feeds begin with what is new.
const REMEMBERED_MAX: usize = 2_000;
/// Bytes of a digest that are remembered of an entry.
const DIGEST_BYTES: usize = 8;
/// Longest wait before the clock is looked at again, in milliseconds: it may have been set.
const LOOK_MS_MAX: i64 = 60_000;

/// RSS Feed Trigger.
#[derive(Default)]
pub(crate) struct RssFeedReadTrigger {
    reader: RssFeedRead,
}

impl NodeType for RssFeedReadTrigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.rssFeedReadTrigger",
            display_name: "RSS Feed Trigger",
            description: "Starts an execution for each new entry of a feed.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: TRIGGER,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::Triggers, "rss", &["feed", "atom", "news", "blog", "poll"]),
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let problem =
            |field: &str, message: String| Problem { node: Some(node.name.clone()), field: field.to_owned(), message };
        let mut problems = Vec::new();
        if let Err(error) = schedule(&node.parameters) {
            problems.push(problem("parameters.pollTimes", error.message));
        }
        if node.parameters.get("feedUrl").is_some_and(has_expression) {
            let message = "it is an expression: write the address out, a trigger has no items for expressions";
            problems.push(problem("parameters.feedUrl", message.to_owned()));
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
impl Listen for RssFeedReadTrigger {
    fn place(&self, node: &Node) -> Value {
        json!([node.parameters.get("feedUrl")])
    }

    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let schedule = schedule(&listening.node.parameters).map_err(|error| NodeError::operation(error.to_string()))?;
        let mut seen = seen(listening.cursor.as_ref());
        let timetable = schedule.timetable(listening.now_ms(), listening.timezone);
        loop {
            let entries = self.entries(listening).await?;
            if seen.is_none() && !listening.is_test {
                // Written down first: after a death, what came in between would pass for what was there before.
                let there: BTreeSet<String> = entries.iter().take(REMEMBERED_MAX).map(digest_of).collect();
                listening.settle(json!({ "seen": there })).await?;
                seen = Some(there);
            }
            listening.opened().await?;
            self.tell(listening, entries, &mut seen).await?;
            let next_ms = timetable.next_after(listening.now_ms());
            let Some(next_ms) = next_ms else { return std::future::pending().await };
            while let left_ms @ 1.. = next_ms - listening.now_ms() {
                tokio::time::sleep(Duration::from_millis(left_ms.min(LOOK_MS_MAX).unsigned_abs())).await;
            }
        }
    }
}

impl RssFeedReadTrigger {
    async fn entries(&self, listening: &Listening) -> Result<Vec<JsonObject>, NodeError> {
        let url = listening.text("feedUrl", "");
        let text = self.reader.fetch(&url, false, &listening.services.outbound).await?;
        entries_of(&text, &[])
    }

    /// Starts an execution for each entry that is new; a draft that is tried out gets the newest entry.
    async fn tell(
        &self,
        listening: &mut Listening,
        entries: Vec<JsonObject>,
        seen: &mut Option<BTreeSet<String>>,
    ) -> Result<(), NodeError> {
        let digests: Vec<String> = entries.iter().take(REMEMBERED_MAX).map(digest_of).collect();
        let now: BTreeSet<String> = digests.iter().cloned().collect();
        let known = match seen {
            Some(known) => std::mem::take(known),
            None => digests.iter().skip(1).cloned().collect(),
        };
        // Feeds begin with the newest; executions begin with the oldest.
        let fresh: Vec<(JsonObject, &String)> =
            entries.into_iter().zip(&digests).filter(|(_, digest)| !known.contains(*digest)).collect();
        for (entry, digest) in fresh.into_iter().rev() {
            let bytes = entry.values().map(|value| value.to_string().len()).sum();
            let message = Message { position: Some(digest.clone()), items: vec![Item::new(entry)], bytes };
            // Of those before a failure some are known by then, and are recognised when they come again.
            listening.take(message).await?;
        }
        if now != known {
            listening.advance(json!({ "seen": now }));
        }
        *seen = Some(now);
        Ok(())
    }
}

fn schedule(parameters: &Value) -> Result<Schedule, timeloom_engine::schedule::ScheduleError> {
    let times = parameters.get("pollTimes").filter(|times| times.get("item").is_some());
    let every_minute = || json!({ "item": [{ "mode": "everyMinute" }] });
    Schedule::parse(CRON, &json!({ "triggerTimes": times.cloned().unwrap_or_else(every_minute) }))
}

fn seen(cursor: Option<&Value>) -> Option<BTreeSet<String>> {
    let seen = cursor?.get("seen")?.as_array()?;
    Some(seen.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// What tells an entry from others: what the feed says of itself, else where it leads, else all of it.
fn digest_of(entry: &JsonObject) -> String {
    let name = ["guid", "id", "link"].into_iter().find_map(|field| entry.get(field).filter(|value| !value.is_null()));
    let text = name.map_or_else(|| json!(entry).to_string(), Value::to_string);
    Sha256::digest(text.as_bytes()).iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect()
}
