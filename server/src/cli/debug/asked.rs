//! An execution of a server or a data folder, asked for by GraphQL.

use std::collections::HashMap;

use serde_json::{Value, json};
use timeloom_debugger::{About, EventRow, Source, SourceError};
use tokio::runtime::Handle;

use crate::cli::client::Client;
use crate::cli::output::text;

const START: &str = "query($stream: StreamInput!) { stateAt(stream: $stream) {
  workflow: part(path: \"/start/workflow_id\") revision: part(path: \"/start/workflow_revision\")
  version: part(path: \"/start/workflow_version\") } }";
const WORKFLOW: &str = "query($id: ID!, $revision: Int!) {
  stateAt(entity: { kind: WORKFLOW, id: $id }, asOf: { revision: $revision }) { state } }";
const EVENTS: &str = "query($filter: EventFilter!, $from: Position) {
  events(first: 100, from: $from, filter: $filter) {
    nodes { revision position recordedAt type node } pageInfo { hasNextPage } } }";
const STATE: &str = "query($stream: StreamInput!, $revision: Int!) {
  stateAt(stream: $stream, asOf: { revision: $revision }) { state } }";
const PAYLOAD: &str = "query($filter: EventFilter!, $from: Position) {
  events(first: 1, from: $from, filter: $filter) { nodes { payload } } }";

/// Events that are read of one execution.
const EVENTS_MAX: usize = 200_000;

/// [`Source`] by GraphQL.
pub(super) struct AskedSource<'c> {
    client: &'c Client,
    execution: String,
    place: String,
    is_live: bool,
    handle: Handle,
    /// The place in the log of each event that was read.
    positions: HashMap<u64, u64>,
    newest: u64,
}

impl<'c> AskedSource<'c> {
    pub(super) fn new(client: &'c Client, execution: String, place: String, is_live: bool, handle: Handle) -> Self {
        Self { client, execution, place, is_live, handle, positions: HashMap::new(), newest: 0 }
    }

    fn ask(&self, query: &str, variables: Value) -> Result<Value, SourceError> {
        let asked = self.handle.block_on(self.client.ask(query, variables));
        asked.map_err(|error| SourceError(format!("{error:#}")))
    }

    fn stream(&self) -> Value {
        json!({ "category": "execution", "id": self.execution })
    }

    /// The workflow as it was run.
    fn definition(&self) -> Result<Option<Value>, SourceError> {
        let start = self.ask(START, json!({ "stream": self.stream() }))?;
        let start = start.get("stateAt").cloned().unwrap_or_default();
        if start.is_null() {
            return Err(SourceError(format!("there is nothing called execution/{}: check its id", self.execution)));
        }
        let (id, revision) = (&start["workflow"], &start["revision"]);
        if id.is_null() {
            return Ok(None);
        }
        let found = self.ask(WORKFLOW, json!({ "id": id, "revision": revision }))?;
        let state = found.pointer("/stateAt/state").cloned().unwrap_or_default();
        let published = || state["versions"].as_array()?.iter().find(|version| version["version"] == start["version"]);
        Ok(match start["version"].is_null() {
            true => state.get("draft").cloned(),
            false => published().and_then(|version| version.get("definition").cloned()),
        })
    }
}

/// The names of a definition's nodes.
pub(super) fn node_names(definition: &Value) -> Vec<String> {
    let nodes = definition.get("nodes").and_then(Value::as_array).into_iter().flatten();
    nodes.map(|node| text(node, "/name")).collect()
}

impl Source for AskedSource<'_> {
    fn about(&mut self) -> Result<About, SourceError> {
        let definition = self.definition()?.unwrap_or_default();
        Ok(About {
            execution: self.execution.clone(),
            workflow: text(&definition, "/name"),
            place: self.place.clone(),
            nodes: node_names(&definition),
        })
    }

    fn events(&mut self, _after: u64) -> Result<Vec<EventRow>, SourceError> {
        let mut rows = Vec::new();
        loop {
            let variables = json!({ "filter": { "stream": self.stream() }, "from": self.newest.to_string() });
            let page = self.ask(EVENTS, variables)?;
            for event in page.pointer("/events/nodes").and_then(Value::as_array).into_iter().flatten() {
                let row = EventRow {
                    revision: event["revision"].as_u64().unwrap_or_default(),
                    position: text(event, "/position").parse().unwrap_or_default(),
                    recorded_at: text(event, "/recordedAt"),
                    event_type: text(event, "/type"),
                    node: event["node"].as_str().map(str::to_owned),
                };
                self.positions.insert(row.revision, row.position);
                self.newest = row.position;
                rows.push(row);
            }
            if self.positions.len() > EVENTS_MAX {
                return Err(SourceError(format!(
                    "the execution has more than {EVENTS_MAX} events: look at a fork of it"
                )));
            }
            if page.pointer("/events/pageInfo/hasNextPage") != Some(&Value::Bool(true)) {
                return Ok(rows);
            }
        }
    }

    fn state(&mut self, revision: u64) -> Result<Value, SourceError> {
        let mut data = self.ask(STATE, json!({ "stream": self.stream(), "revision": revision }))?;
        Ok(data.pointer_mut("/stateAt/state").map(Value::take).unwrap_or_default())
    }

    fn payload(&mut self, revision: u64) -> Result<Value, SourceError> {
        let position = self.positions.get(&revision).copied().unwrap_or_default();
        let before = position.saturating_sub(1).to_string();
        let mut data = self.ask(PAYLOAD, json!({ "filter": { "stream": self.stream() }, "from": before }))?;
        Ok(data.pointer_mut("/events/nodes/0/payload").map(Value::take).unwrap_or_default())
    }

    fn is_live(&self) -> bool {
        self.is_live
    }
}
