//! What an execution recorded after one of its events: for each node run when it began, and for effects what came of them.
//!
//! Read from the log once, when a fork or a replay is taken up. Invariant: it holds at most [`RECORDED_BYTES_MAX`] of what
//! effects gave, and nothing of what other nodes did.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::definition::References;
use timeloom_domain::execution::{ExecutionEvent, NodeFacts, Response};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::{Outputs, SharedObject};
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, EventLog, LogError, Revision, StreamKey, codec};
use uuid::Uuid;

use super::fingerprint::{Fingerprint, Fingerprints};
use crate::chain::stream_of;
use crate::machine::Machine;
use crate::plan::Plan;

/// Most bytes of the events of effects that one recording holds.
pub(crate) const RECORDED_BYTES_MAX: usize = 256 << 20;
/// Most links of a chain that are read.
const LINKS_MAX: usize = 100_000;

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the effects of the execution gave more than {RECORDED_BYTES_MAX} bytes: fork at a later event")]
    TooLarge,
}

/// What an execution recorded.
pub(crate) struct Recording {
    plan: Arc<Plan>,
    runs: HashMap<(String, usize), Recorded>,
}

/// One node run as it was recorded.
pub(crate) struct Recorded {
    /// Its place in the order of all: the node's chance follows from it.
    pub(crate) execution_index: usize,
    /// The time that its expressions told, in milliseconds since 1970.
    pub(crate) started_at_ms: i64,
    /// The execution that has it, and the revision of the event that ended it.
    pub(crate) place: (ExecutionId, u64),
    /// Of everything that it read; for effects alone.
    pub(super) reads: Option<Fingerprint>,
    /// How it ended; for effects alone.
    pub(crate) end: Option<RecordedEnd>,
}

/// How an effect ended.
#[derive(Debug, Clone)]
pub(crate) struct RecordedEnd {
    pub(crate) outputs: Option<Outputs>,
    pub(crate) memory: Option<SharedObject>,
    pub(crate) hints: Vec<String>,
    pub(crate) error: Option<Value>,
    /// What the node told besides: answers and facts.
    pub(crate) told: Vec<Told>,
}

/// What a node told besides its output.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Responded { response: Box<Response>, more: bool },
    Saved { data: BTreeMap<String, String> },
}

impl Recording {
    /// What `source`, a machine right after the events `before` of `stream`, did from there on.
    pub(crate) async fn read(
        log: &Arc<dyn EventLog>,
        stream: &StreamKey,
        before: &[ExecutionEvent],
        source: &Machine,
    ) -> Result<Self, RecordingError> {
        Self::follow(log, stream, before, source, |_| {}).await
    }

    /// The same; `seen` is told of each event that came after.
    pub(crate) async fn follow(
        log: &Arc<dyn EventLog>,
        stream: &StreamKey,
        before: &[ExecutionEvent],
        source: &Machine,
        mut seen: impl FnMut(&ExecutionEvent) + Send,
    ) -> Result<Self, RecordingError> {
        let mut reader = Reader::new(source);
        // A node run that failed for good is due again.
        let failed = |event: &ExecutionEvent| matches!(event, ExecutionEvent::NodeFailed { outputs: None, .. });
        if let Some(place) = before.iter().rposition(failed) {
            reader.take(link_of(stream), place as u64 + 1, 0, before[place].clone())?;
        }
        let (mut stream, mut after) = (stream.clone(), Revision(before.len() as u64));
        let mut left_for = before.last().and_then(next_link);
        for _ in 0..LINKS_MAX {
            let next = match left_for.take() {
                Some(next) => Some(next),
                None => reader.read_link(log, &stream, after, &mut seen).await?,
            };
            let Some(next) = next else { break };
            (stream, after) = (stream_of(&stream, next), Revision::default());
        }
        Ok(Self { plan: Arc::clone(source.plan()), runs: reader.runs })
    }

    /// A run of a node.
    pub(crate) fn find(&self, node: &str, run_index: usize) -> Option<&Recorded> {
        self.runs.get(&(node.to_owned(), run_index))
    }

    /// What the execution ran.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }
}

fn link_of(stream: &StreamKey) -> ExecutionId {
    stream.id.parse().unwrap_or(ExecutionId(Uuid::nil()))
}

fn next_link(event: &ExecutionEvent) -> Option<ExecutionId> {
    match event {
        ExecutionEvent::ExecutionContinuedAsNew { next, .. } => Some(*next),
        _ => None,
    }
}

struct Reader {
    plan: Arc<Plan>,
    references: HashMap<usize, References>,
    gave: Fingerprints,
    /// What runs under way read, from when they began.
    reads: HashMap<(String, usize), Fingerprint>,
    runs: HashMap<(String, usize), Recorded>,
    bytes: usize,
    /// The effect that ended last: what it told besides follows it.
    newest: Option<(String, usize)>,
}

impl Reader {
    fn new(source: &Machine) -> Self {
        let mut reader = Self {
            plan: Arc::clone(source.plan()),
            references: HashMap::new(),
            gave: Fingerprints::of(source.data()),
            reads: HashMap::new(),
            runs: HashMap::new(),
            bytes: 0,
            newest: None,
        };
        source.in_flight().for_each(|task| reader.begun(&task.facts));
        reader
    }

    /// Reads a link to its end; answers the next one.
    async fn read_link(
        &mut self,
        log: &Arc<dyn EventLog>,
        stream: &StreamKey,
        mut after: Revision,
        seen: &mut (impl FnMut(&ExecutionEvent) + Send),
    ) -> Result<Option<ExecutionId>, RecordingError> {
        let mut next = None;
        let id = link_of(stream);
        loop {
            let read = log.read_stream(stream, after, Direction::Forward, READ_EVENTS_MAX).await?;
            for recorded in &read {
                let event = codec::decode::<ExecutionEvent>(recorded)?;
                next = next_link(&event).or(next);
                seen(&event);
                self.take(id, recorded.revision.0, recorded.payload.get().len(), event)?;
            }
            match read.last() {
                Some(last) if read.len() == READ_EVENTS_MAX => after = last.revision,
                _ => return Ok(next),
            }
        }
    }

    fn take(
        &mut self,
        id: ExecutionId,
        revision: u64,
        bytes: usize,
        event: ExecutionEvent,
    ) -> Result<(), RecordingError> {
        match event {
            ExecutionEvent::NodeScheduled { run }
            | ExecutionEvent::NodeStarted { run, .. }
            | ExecutionEvent::ExecutionWaiting { run: Some(run), .. } => self.begun(&run),
            ExecutionEvent::NodeCompleted { run, started_at_ms, outputs, memory, hints, .. } => {
                let end = RecordedEnd { outputs: Some(outputs), memory, hints, error: None, told: Vec::new() };
                self.ended((id, revision), bytes, run, started_at_ms, end)?;
            }
            ExecutionEvent::NodeFailed { run, started_at_ms, error, outputs, .. } => {
                let (memory, hints) = (None, Vec::new());
                let end = RecordedEnd { outputs, memory, hints, error: Some(error), told: Vec::new() };
                self.ended((id, revision), bytes, run, started_at_ms, end)?;
            }
            ExecutionEvent::ExecutionResponded { node: Some(_), response, more, .. } => {
                self.told(Told::Responded { response: Box::new(response), more });
            }
            ExecutionEvent::ExecutionDataSaved { data, .. } => self.told(Told::Saved { data }),
            _ => {}
        }
        Ok(())
    }

    fn begun(&mut self, run: &NodeFacts) {
        let key = (run.node.clone(), run.run_index);
        if !self.reads.contains_key(&key) {
            let reads = self.read(run);
            self.reads.insert(key, reads);
        }
    }

    /// Of everything that a run reads, as of now.
    fn read(&mut self, run: &NodeFacts) -> Fingerprint {
        let Some(node) = self.plan.graph.index(&run.node) else { return Fingerprint::default() };
        let plan = &self.plan;
        let references = self.references.entry(node).or_insert_with(|| plan.references(node));
        self.gave.read(run, references)
    }

    fn ended(
        &mut self,
        place: (ExecutionId, u64),
        bytes: usize,
        run: NodeFacts,
        started_at_ms: i64,
        end: RecordedEnd,
    ) -> Result<(), RecordingError> {
        let is_effect = self.plan.graph.index(&run.node).is_some_and(|node| self.plan.reaches_out(node));
        let key = (run.node.clone(), run.run_index);
        let begun = self.reads.remove(&key);
        let reads = is_effect.then(|| begun.unwrap_or_else(|| self.read(&run)));
        if let Some(outputs) = &end.outputs {
            self.gave.take(&run, outputs);
        }
        if is_effect {
            self.bytes += bytes;
            if self.bytes > RECORDED_BYTES_MAX {
                return Err(RecordingError::TooLarge);
            }
        }
        self.newest = is_effect.then(|| key.clone());
        let execution_index = run.execution_index;
        self.runs.insert(key, Recorded { execution_index, started_at_ms, place, reads, end: is_effect.then_some(end) });
        Ok(())
    }

    fn told(&mut self, told: Told) {
        let end = self.newest.as_ref().and_then(|newest| self.runs.get_mut(newest)).and_then(|run| run.end.as_mut());
        if let Some(end) = end {
            end.told.push(told);
        }
    }
}
