//! `timeloom execution fork`: a new execution that goes on from an event of another one.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::moment::Moment;
use super::{Access, Failure, output};
use crate::config::Config;

const FORK: &str = "mutation($input: ForkExecutionInput!) { forkExecution(input: $input) {
  executionId position repeated errors { code message ... on Refused { problems { node field message } } } } }";
const PREVIEW: &str = "query($input: ForkExecutionInput!) { forkPreview(input: $input) {
  position earlierRuns effects { node type happens recordedRuns }
  errors { code message ... on Refused { problems { node field message } } } } }";

/// Where a fork begins, and what is other in it.
#[derive(Debug, Args)]
pub struct ForkArguments {
    /// The moment from which it goes on: a position (17), a revision (r3), a time or a day; its newest event when absent.
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// Run the draft as it is now.
    #[arg(long, conflicts_with = "workflow_version")]
    draft: bool,
    /// Run this published version.
    #[arg(long, value_name = "NUMBER")]
    workflow_version: Option<u32>,
    /// Let a node run give these items by output: NODE=JSON, or NODE:RUN=JSON for a later run.
    #[arg(long, value_name = "NODE[:RUN]=JSON", value_parser = changed_output)]
    output: Vec<Value>,
    /// Change a parameter of a node: NODE:/POINTER=JSON.
    #[arg(long, value_name = "NODE:/POINTER=JSON", value_parser = changed_parameter)]
    parameter: Vec<Value>,
    /// Change a variable: NAME=JSON.
    #[arg(long, value_name = "NAME=JSON", value_parser = changed_variable)]
    variable: Vec<Value>,
    /// Which effects may happen.
    #[arg(long, default_value = "stub")]
    effects: Effects,
    /// Let the effects of this node happen, and no others; may be given several times.
    #[arg(long, value_name = "NODE", conflicts_with = "effects")]
    live: Vec<String>,
    /// Why, for those who read its history.
    #[arg(long, default_value = "")]
    reason: String,
    /// Only tell which effects would really happen.
    #[arg(long)]
    preview: bool,
}

/// Which effects may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Effects {
    /// None: they are answered from what was recorded.
    Stub,
    /// All.
    Live,
}

impl ForkArguments {
    pub async fn run(self, id: Uuid, access: &Access, config: &Config) -> Result<(), Failure> {
        let client = Client::open(access, config).await?;
        let result = match self.preview {
            true => client.ask(PREVIEW, json!({ "input": self.input(id) })).await.map_err(Failure::from),
            false => client.change("forkExecution", FORK, self.input(id), access.json).await,
        };
        client.close().await;
        let answer = result?;
        if self.preview {
            return tell_preview(answer.get("forkPreview").unwrap_or(&Value::Null), access);
        }
        if access.json {
            output::json(&answer);
        } else {
            let (fork, position) = (output::text(&answer, "/executionId"), output::text(&answer, "/position"));
            output::line(&format!("forked {id} as {fork}, at position {position}"));
        }
        Ok(())
    }

    fn input(&self, id: Uuid) -> Value {
        let changes: Vec<&Value> = self.output.iter().chain(&self.parameter).chain(&self.variable).collect();
        let version = match (self.draft, self.workflow_version) {
            (true, _) => json!({ "draft": true }),
            (false, Some(version)) => json!({ "published": version }),
            (false, None) => Value::Null,
        };
        let effects = match (self.live.is_empty(), self.effects) {
            (false, _) => "PER_NODE",
            (true, Effects::Stub) => "STUB",
            (true, Effects::Live) => "LIVE",
        };
        json!({
            "executionId": id, "at": self.at.map(Moment::as_of), "version": version, "changes": changes,
            "effects": effects, "liveNodes": self.live, "reason": self.reason,
        })
    }
}

fn tell_preview(preview: &Value, access: &Access) -> Result<(), Failure> {
    if access.json {
        output::json(preview);
    }
    let errors = preview.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
    if !errors.is_empty() {
        errors.iter().for_each(|error| output::error(&output::text(error, "/message")));
        return Err(Failure::Refused);
    }
    if access.json {
        return Ok(());
    }
    let (position, runs) = (output::text(preview, "/position"), output::text(preview, "/earlierRuns"));
    output::line(&format!("it would go on after position {position}, with {runs} node runs before it"));
    let effects = preview.get("effects").and_then(Value::as_array).cloned().unwrap_or_default();
    let fields = ["/node", "/type", "/happens", "/recordedRuns"];
    let rows: Vec<Vec<String>> =
        effects.iter().map(|effect| fields.map(|path| output::text(effect, path)).to_vec()).collect();
    match rows.is_empty() {
        true => output::line("no effect can come after it"),
        false => output::table(&["NODE", "TYPE", "REALLY HAPPENS", "RECORDED RUNS"], &rows),
    }
    Ok(())
}

fn split<'t>(text: &'t str, shape: &str) -> Result<(&'t str, Value), String> {
    let (name, json) = text.split_once('=').ok_or_else(|| format!("write it as {shape}"))?;
    let value = serde_json::from_str(json).map_err(|error| format!("what follows '=' is not JSON: {error}"))?;
    Ok((name, value))
}

fn changed_output(text: &str) -> Result<Value, String> {
    let (node, value) = split(text, "NODE=[[{\"name\": \"value\"}]]")?;
    let (node, run) = match node.rsplit_once(':') {
        Some((name, run)) => match run.parse::<u32>() {
            Ok(run) => (name, run),
            Err(_) => (node, 0),
        },
        None => (node, 0),
    };
    // A bare object, or a list of them, is the first output.
    let outputs = match value {
        Value::Array(outputs) if outputs.iter().all(Value::is_array) => Value::Array(outputs),
        one => json!([one]),
    };
    Ok(json!({ "output": { "node": node, "runIndex": run, "outputs": outputs } }))
}

fn changed_parameter(text: &str) -> Result<Value, String> {
    let (place, value) = split(text, "NODE:/pointer=\"value\"")?;
    let at = place.find(":/").ok_or("write it as NODE:/pointer=\"value\"")?;
    Ok(json!({ "parameter": { "node": &place[..at], "path": &place[at + 1..], "value": value } }))
}

fn changed_variable(text: &str) -> Result<Value, String> {
    let (name, value) = split(text, "NAME=\"value\"")?;
    Ok(json!({ "variable": { "name": name, "value": value } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_in_each_of_their_forms() {
        let outputs = |text: &str| changed_output(text).unwrap()["output"].clone();
        assert_eq!(outputs("Fetch=[[{\"a\":1}],[]]")["outputs"], json!([[{"a": 1}], []]));
        assert_eq!(outputs("Fetch={\"a\":1}"), json!({"node": "Fetch", "runIndex": 0, "outputs": [{"a": 1}]}));
        assert_eq!(outputs("A: B:2=[{}]"), json!({"node": "A: B", "runIndex": 2, "outputs": [[{}]]}));
        let parameter = changed_parameter("Set it:/a/0/value=\"={{ 1 }}\"").unwrap();
        assert_eq!(parameter["parameter"], json!({"node": "Set it", "path": "/a/0/value", "value": "={{ 1 }}"}));
        assert_eq!(changed_variable("rate=2").unwrap()["variable"], json!({"name": "rate", "value": 2}));
        for wrong in ["Fetch", "Fetch=a", "Fetch=["] {
            assert!(changed_output(wrong).is_err() && changed_parameter(wrong).is_err(), "{wrong}");
        }
        assert!(changed_parameter("Set=1").is_err());
    }
}
