//! An execution in a capsule.

use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::Value;
use timeloom_debugger::{About, EventRow, Source, SourceError};
use timeloom_history::{Moment, state_at};
use timeloom_store::{Direction, EventLog as _, RecordedEvent, Revision};
use tokio::runtime::Handle;

use crate::capsule::OpenCapsule;

/// Events that are read at a time.
const PAGE_EVENTS: usize = 500;

/// [`Source`] of a capsule.
pub(super) struct PackedSource {
    open: OpenCapsule,
    place: String,
    handle: Handle,
}

impl PackedSource {
    pub(super) fn new(open: OpenCapsule, place: String, handle: Handle) -> Self {
        Self { open, place, handle }
    }

    fn read(&self, after: u64, limit: usize) -> Result<Vec<Arc<RecordedEvent>>, SourceError> {
        let stream = self.open.stream();
        let read = self.open.log().read_stream(&stream, Revision(after), Direction::Forward, limit);
        self.handle.block_on(read).map_err(|error| SourceError(error.to_string()))
    }
}

/// What an event says.
fn payload(event: &RecordedEvent) -> Value {
    serde_json::from_str(event.payload.get()).unwrap_or_default()
}

/// The node that an event is about.
fn node(payload: &Value) -> Option<String> {
    let node = payload.pointer("/run/node").or_else(|| payload.get("node"))?;
    node.as_str().map(str::to_owned)
}

impl Source for PackedSource {
    fn about(&mut self) -> Result<About, SourceError> {
        let definition = self.handle.block_on(self.open.definition());
        let definition = definition.map_err(|error| SourceError(format!("{error:#}")))?;
        Ok(About {
            execution: self.open.stream().id.to_string(),
            workflow: definition.name.clone(),
            place: self.place.clone(),
            nodes: definition.nodes.iter().map(|node| node.name.clone()).collect(),
        })
    }

    fn events(&mut self, after: u64) -> Result<Vec<EventRow>, SourceError> {
        let (mut rows, mut after) = (Vec::new(), after);
        loop {
            let page = self.read(after, PAGE_EVENTS)?;
            let Some(last) = page.last() else { return Ok(rows) };
            after = last.revision.0;
            rows.extend(page.iter().map(|event| EventRow {
                revision: event.revision.0,
                position: event.position.0,
                recorded_at: event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true),
                event_type: event.event_type.to_string(),
                node: node(&payload(event)),
            }));
        }
    }

    fn state(&mut self, revision: u64) -> Result<Value, SourceError> {
        let stream = self.open.stream();
        let state = state_at(self.open.log(), &stream, Moment::Revision(Revision(revision)));
        self.handle.block_on(state).map(|state| state.state).map_err(|error| SourceError(error.to_string()))
    }

    fn payload(&mut self, revision: u64) -> Result<Value, SourceError> {
        let page = self.read(revision.saturating_sub(1), 1)?;
        Ok(page.first().map(|event| payload(event)).unwrap_or_default())
    }

    fn is_live(&self) -> bool {
        false
    }
}
