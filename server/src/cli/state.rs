//! `timeloom state`: the state of anything at any moment, and what changed between two.

use std::io::IsTerminal as _;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::Client;
use super::moment::{self, Moment};
use super::{Access, Failure, output, why};
use crate::config::Config;

const STATE: &str = "query($stream: StreamInput!, $asOf: AsOf) { stateAt(stream: $stream, asOf: $asOf) {
  kind category id position revision recordedAt lastEventType status state
  unknownEventCount unknownEvents { position revision type schemaVersion } } }";
const FIRST: &str = "query($stream: StreamInput!) { events(first: 1, filter: { stream: $stream }) {
  nodes { position recordedAt } } }";
const DIFF: &str = "query($stream: StreamInput!, $from: AsOf!, $to: AsOf) {
  stateDiff(stream: $stream, from: $from, to: $to) {
    kind category id from { position revision recordedAt } to { position revision recordedAt } patch
    changes { op path before after writtenBy { position } } events { position revision type schemaVersion recordedAt known }
    eventsOmitted unknownEventCount } }";

const COMPARE: &str = "query($left: StreamInput!, $leftAsOf: AsOf, $right: StreamInput!, $rightAsOf: AsOf) {
  stateComparison(left: $left, leftAsOf: $leftAsOf, right: $right, rightAsOf: $rightAsOf) {
    kind left { position revision recordedAt } right { position revision recordedAt } patch
    changes { op path before after } } }";

/// Longest value that a change is shown with, in characters; `--json` has all of it.
const SHOWN_CHARACTERS_MAX: usize = 200;

#[derive(Debug, Subcommand)]
pub enum StateVerb {
    /// Print the exact state of a workflow, execution, plugin or model
    Get {
        /// What: KIND/ID, such as execution/0192… or plugin/acme/tools.
        entity: String,
        #[command(flatten)]
        when: When,
        #[command(flatten)]
        access: Access,
    },
    /// Print what changed between two moments
    Diff {
        /// What: KIND/ID, such as execution/0192… or workflow/0192….
        entity: String,
        /// The earlier moment: a position (17), a revision (r3), a time (2026-01-31T12:00:00Z) or a day.
        #[arg(long, value_name = "MOMENT")]
        from: Moment,
        /// The later moment; now when absent.
        #[arg(long, value_name = "MOMENT")]
        to: Option<Moment>,
        /// Whether to colour the changes.
        #[arg(long, default_value = "auto")]
        color: Colour,
        #[command(flatten)]
        access: Access,
    },
    /// Print from where a value of a state comes: the event that wrote it, and the way back to the trigger
    Why {
        /// What: KIND/ID, such as execution/0192….
        entity: String,
        /// Where in its state, as a JSON pointer: /node_runs/1/outputs/0/0/json/name.
        path: String,
        #[command(flatten)]
        when: When,
        #[command(flatten)]
        access: Access,
    },
    /// Print how two things of the same kind differ, such as two executions of a workflow
    Compare {
        /// The one: KIND/ID.
        left: String,
        /// The other: KIND/ID.
        right: String,
        /// The moment of the one; now when absent.
        #[arg(long, value_name = "MOMENT")]
        left_at: Option<Moment>,
        /// The moment of the other; now when absent.
        #[arg(long, value_name = "MOMENT")]
        right_at: Option<Moment>,
        /// Whether to colour the changes.
        #[arg(long, default_value = "auto")]
        color: Colour,
        #[command(flatten)]
        access: Access,
    },
}

/// The moment of a state; now when none is given.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct When {
    /// The moment: a position (17), a revision (r3), a time (2026-01-31T12:00:00Z) or a day.
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// Right after this event of the thing; 1 is its first.
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u64>,
    /// Right after the newest event recorded by this time.
    #[arg(long, value_name = "TIME", value_parser = moment::time)]
    time: Option<DateTime<Utc>>,
}

impl When {
    fn moment(&self) -> Option<Moment> {
        self.at.or(self.revision.map(Moment::Revision)).or(self.time.map(Moment::Time))
    }
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// At a terminal.
    Auto,
    Always,
    Never,
}

impl Colour {
    fn is_wanted(self) -> bool {
        match self {
            Self::Auto => std::io::stdout().is_terminal(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl StateVerb {
    pub async fn run(self, config: &Config) -> Result<(), Failure> {
        match self {
            Self::Get { entity, when, access } => get(&entity, when.moment(), &access, config).await,
            Self::Diff { entity, from, to, color, access } => {
                diff(&entity, from, to, color.is_wanted(), &access, config).await
            }
            Self::Why { entity, path, when, access } => {
                why::tell(stream(&entity)?, &path, when.moment(), &access, config).await
            }
            Self::Compare { left, right, left_at, right_at, color, access } => {
                compare([&left, &right], [left_at, right_at], color.is_wanted(), &access, config).await
            }
        }
    }
}

fn stream(entity: &str) -> Result<Value, Failure> {
    match entity.split_once('/') {
        Some((category, id)) if !category.is_empty() && !id.is_empty() => Ok(json!({ "category": category, "id": id })),
        _ => {
            output::error(&format!("'{entity}' must be KIND/ID, such as execution/0192…"));
            Err(Failure::Refused)
        }
    }
}

async fn get(entity: &str, moment: Option<Moment>, access: &Access, config: &Config) -> Result<(), Failure> {
    let stream = stream(entity)?;
    let client = Client::open(access, config).await?;
    let data = client.ask(STATE, json!({ "stream": stream, "asOf": moment.map(Moment::as_of) })).await;
    let data = match data {
        Ok(data) if data.get("stateAt").is_some_and(Value::is_null) => match why_absent(&client, entity, &stream).await
        {
            Ok(why) => {
                client.close().await;
                output::error(&why);
                return Err(Failure::Refused);
            }
            Err(error) => Err(error),
        },
        other => other,
    };
    client.close().await;
    let view = data?.get("stateAt").cloned().unwrap_or_default();
    if access.json {
        output::json(&view);
        return Ok(());
    }
    let status = match view.get("status").and_then(Value::as_str) {
        Some(status) => format!("is {status}"),
        None => "is of a kind that this version does not know; here are its newest events".to_owned(),
    };
    output::line(&format!(
        "{entity} {status} at position {} ({}, {})",
        output::text(&view, "/position"),
        output::text(&view, "/lastEventType"),
        output::text(&view, "/recordedAt"),
    ));
    if view.get("kind").is_some_and(Value::is_string) {
        tell_unknown(&view);
    }
    output::line(&serde_json::to_string_pretty(view.get("state").unwrap_or(&Value::Null))?);
    Ok(())
}

/// Why there is no state at a moment.
async fn why_absent(client: &Client, entity: &str, stream: &Value) -> anyhow::Result<String> {
    let data = client.ask(FIRST, json!({ "stream": stream })).await?;
    Ok(match data.pointer("/events/nodes/0") {
        None => format!("there is nothing called {entity}: check its kind and id"),
        Some(first) => {
            let (position, time) = (output::text(first, "/position"), output::text(first, "/recordedAt"));
            format!("{entity} came to be at position {position} ({time}): ask for that or a later moment")
        }
    })
}

fn tell_unknown(view: &Value) {
    let count = view.get("unknownEventCount").and_then(Value::as_u64).unwrap_or(0);
    if count == 0 {
        return;
    }
    output::notice(&format!("{count} events are unknown to this version and were left out:"));
    for event in view.get("unknownEvents").and_then(Value::as_array).into_iter().flatten() {
        let (position, name) = (output::text(event, "/position"), output::text(event, "/type"));
        output::notice(&format!("{position:>8}  {name}, schema {}", output::text(event, "/schemaVersion")));
    }
}

async fn diff(
    entity: &str,
    from: Moment,
    to: Option<Moment>,
    coloured: bool,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let variables = json!({ "stream": stream(entity)?, "from": from.as_of(), "to": to.map(Moment::as_of) });
    let client = Client::open(access, config).await?;
    let data = client.ask(DIFF, variables).await;
    client.close().await;
    let found = data?.get("stateDiff").cloned().unwrap_or_default();
    if access.json {
        output::json(&found);
        return Ok(());
    }
    output::line(&format!("{entity} from {} to {}", point(&found, "from"), point(&found, "to")));
    for event in found.get("events").and_then(Value::as_array).into_iter().flatten() {
        let (position, time) = (output::text(event, "/position"), output::text(event, "/recordedAt"));
        let unknown = if event.get("known") == Some(&Value::Bool(false)) { "  (unknown to this version)" } else { "" };
        output::line(&format!("{position:>8}  {time}  {}{unknown}", output::text(event, "/type")));
    }
    if let Some(omitted) = found.get("eventsOmitted").and_then(Value::as_u64).filter(|omitted| *omitted > 0) {
        output::line(&format!("          and {omitted} more events"));
    }
    tell_changes(&found, "nothing changed", coloured);
    Ok(())
}

async fn compare(
    entities: [&str; 2],
    moments: [Option<Moment>; 2],
    coloured: bool,
    access: &Access,
    config: &Config,
) -> Result<(), Failure> {
    let [left_as_of, right_as_of] = moments.map(|moment| moment.map(Moment::as_of));
    let (left, right) = (stream(entities[0])?, stream(entities[1])?);
    let variables = json!({ "left": left, "leftAsOf": left_as_of, "right": right, "rightAsOf": right_as_of });
    let client = Client::open(access, config).await?;
    let data = client.ask(COMPARE, variables).await;
    client.close().await;
    let found = data?.get("stateComparison").cloned().unwrap_or_default();
    if access.json {
        output::json(&found);
        return Ok(());
    }
    for (entity, side) in entities.iter().zip(["left", "right"]) {
        output::line(&format!("{entity} at {}", point(&found, side)));
    }
    tell_changes(&found, "they are alike", coloured);
    Ok(())
}

/// Where a thing was at a moment.
fn point(found: &Value, name: &str) -> String {
    let text = |field: &str| output::text(found, &format!("/{name}/{field}"));
    match found.pointer(&format!("/{name}/recordedAt")) {
        Some(Value::String(_)) => {
            format!("revision {} (position {}, {})", text("revision"), text("position"), text("recordedAt"))
        }
        _ => "before its first event".to_owned(),
    }
}

fn tell_changes(found: &Value, none: &str, coloured: bool) {
    let changes = found.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    if changes.is_empty() {
        output::line(none);
    }
    for change in &changes {
        tell_change(change, coloured);
    }
}

/// One change: `+` what came, `-` what went, `~` what became something else.
pub(super) fn tell_change(change: &Value, coloured: bool) {
    let (sign, colour) = match output::text(change, "/op").as_str() {
        "add" => ('+', 32),
        "remove" => ('-', 31),
        _ => ('~', 33),
    };
    let value = |side: &str| shortened(change.get(side).unwrap_or(&Value::Null));
    let what = match sign {
        '+' => value("after"),
        '-' => value("before"),
        _ => format!("{} → {}", value("before"), value("after")),
    };
    let path = change.get("path").and_then(Value::as_str).filter(|path| !path.is_empty()).unwrap_or("everything");
    let by = change.pointer("/writtenBy/position").and_then(Value::as_str);
    let by = by.map(|position| format!("  (at position {position})")).unwrap_or_default();
    let line = format!("{sign} {path}: {what}{by}");
    output::line(&if coloured { format!("\u{1b}[{colour}m{line}\u{1b}[0m") } else { line });
}

pub(super) fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
