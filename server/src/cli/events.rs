//! `timeloom events`: list, tail and search.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::{Access, Failure, output};
use crate::config::Config;

const EVENTS: &str = "query($first: Int!, $from: Position, $filter: EventFilter!, $direction: Direction!) {
  events(first: $first, from: $from, filter: $filter, direction: $direction) {
    nodes { position recordedAt category streamId revision type schemaVersion known actor { kind name } causationId payload }
    pageInfo { hasNextPage endCursor } } }";

const SEARCH: &str = "query($text: String!, $first: Int!, $after: String, $filter: EventFilter!) {
  searchPayloads(query: $text, first: $first, after: $after, filter: $filter) {
    nodes { position excerpt event { recordedAt category streamId type } }
    extent { searchedEvents complete goOnAt } pageInfo { hasNextPage endCursor } } }";

/// How often a followed log is asked for news.
const TAIL_PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub enum EventsVerb {
    /// List events, oldest first
    List {
        #[command(flatten)]
        which: Which,
        /// Go on after this position.
        #[arg(long)]
        after: Option<u64>,
        /// How many, at most 100.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        #[command(flatten)]
        access: Access,
    },
    /// Look for a text in the payloads of events, the newest first
    Search {
        /// The text, as it is: 2 to 200 characters.
        text: String,
        #[command(flatten)]
        which: Which,
        /// How many, at most 100.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// Print the newest events and follow the log (a server's, with --server)
    Tail {
        #[command(flatten)]
        which: Which,
        /// How many to begin with, at most 100.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Stop after these instead of following.
        #[arg(long)]
        no_follow: bool,
        #[command(flatten)]
        access: Access,
    },
}

/// Which events.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Only of this kind of thing: workflow, execution, plugin or model.
    #[arg(long)]
    category: Vec<String>,
    /// Only of this type, such as NodeCompleted.
    #[arg(long = "type")]
    event_type: Vec<String>,
    /// Only of one thing, such as execution/ID.
    #[arg(long, value_name = "KIND/ID")]
    stream: Option<String>,
    /// Only what somebody brought about: the id of an account, or kind and name such as system:engine.
    #[arg(long)]
    actor: Vec<String>,
}

impl Which {
    fn filter(&self) -> anyhow::Result<Value> {
        let some = |list: &Vec<String>| if list.is_empty() { Value::Null } else { json!(list) };
        let stream = match self.stream.as_deref().map(|stream| stream.split_once('/')) {
            None => Value::Null,
            Some(Some((category, id))) => json!({ "category": category, "id": id }),
            Some(None) => anyhow::bail!("--stream must be KIND/ID, such as execution/0192…"),
        };
        let (categories, types) = (some(&self.category), some(&self.event_type));
        Ok(json!({ "categories": categories, "types": types, "stream": stream, "actors": some(&self.actor) }))
    }
}

impl EventsVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::List { which, after, limit, access } => {
                let client = Client::open(&access, config).await?;
                let variables = json!({
                    "first": limit,
                    "from": after.map(|after| after.to_string()),
                    "filter": which.filter()?,
                    "direction": "FORWARD",
                });
                let data = client.ask(EVENTS, variables).await;
                client.close().await;
                let list = data?.get("events").cloned().unwrap_or_default();
                if access.json {
                    output::json(&list);
                    return Ok(());
                }
                print(&list, false);
                if list.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
                    output::notice(&format!("more: --after {}", last_position(&list).unwrap_or_default()));
                }
                Ok(())
            }
            Self::Search { text, which, limit, after, access } => {
                let variables = json!({ "text": text, "first": limit, "after": after, "filter": which.filter()? });
                let client = Client::open(&access, config).await?;
                let data = client.ask(SEARCH, variables).await;
                client.close().await;
                let found = data?.get("searchPayloads").cloned().unwrap_or_default();
                print_found(&found, access.json);
                Ok(())
            }
            Self::Tail { which, limit, no_follow, access } => {
                let client = Client::open(&access, config).await?;
                let result = tail(&client, &which, limit, no_follow, access.json).await;
                client.close().await;
                Ok(result?)
            }
        }
    }
}

async fn tail(client: &Client, which: &Which, limit: u32, no_follow: bool, json: bool) -> anyhow::Result<()> {
    let filter = which.filter()?;
    let newest = json!({ "first": limit, "filter": filter, "direction": "BACKWARD" });
    let mut list = client.ask(EVENTS, newest).await?.get("events").cloned().unwrap_or_default();
    if let Some(Value::Array(nodes)) = list.get_mut("nodes") {
        nodes.reverse();
    }
    let mut after = last_position(&list).unwrap_or_else(|| "0".to_owned());
    print(&list, json);
    if no_follow {
        return Ok(());
    }
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(TAIL_PAUSE) => {}
        }
        let news = json!({ "first": 100, "from": after, "filter": filter, "direction": "FORWARD" });
        let list = client.ask(EVENTS, news).await?.get("events").cloned().unwrap_or_default();
        print(&list, json);
        after = last_position(&list).unwrap_or(after);
    }
}

fn print_found(found: &Value, json: bool) {
    if json {
        output::json(found);
        return;
    }
    for hit in found.get("nodes").and_then(Value::as_array).into_iter().flatten() {
        output::line(&format!(
            "{:>8}  {}  {}/{}  {}  {}",
            output::text(hit, "/position"),
            output::text(hit, "/event/recordedAt"),
            output::text(hit, "/event/category"),
            output::text(hit, "/event/streamId"),
            output::text(hit, "/event/type"),
            output::text(hit, "/excerpt"),
        ));
    }
    let (searched, go_on_at) = (output::text(found, "/extent/searchedEvents"), output::text(found, "/extent/goOnAt"));
    if found.pointer("/extent/complete") == Some(&Value::Bool(false)) {
        output::notice(&format!("{searched} events were looked at, there are more: --after {go_on_at}"));
    } else if found.pointer("/pageInfo/hasNextPage") == Some(&Value::Bool(true)) {
        output::notice(&format!("more: --after {}", output::text(found, "/pageInfo/endCursor")));
    }
}

fn last_position(list: &Value) -> Option<String> {
    list.get("nodes")?.as_array()?.last()?.get("position")?.as_str().map(str::to_owned)
}

fn print(list: &Value, json: bool) {
    for event in list.get("nodes").and_then(Value::as_array).into_iter().flatten() {
        if json {
            output::json(event);
            continue;
        }
        let node = event.pointer("/payload/run/node").or_else(|| event.pointer("/payload/node"));
        let node = node.and_then(Value::as_str).map(|node| format!("  {node}")).unwrap_or_default();
        let known = event.get("known").and_then(Value::as_bool).unwrap_or(true);
        let unknown = if known {
            String::new()
        } else {
            format!("  (unknown to this version, schema {})", output::text(event, "/schemaVersion"))
        };
        output::line(&format!(
            "{:>8}  {}  {}/{}  {}{node}{unknown}",
            output::text(event, "/position"),
            output::text(event, "/recordedAt"),
            output::text(event, "/category"),
            output::text(event, "/streamId"),
            output::text(event, "/type"),
        ));
    }
}
