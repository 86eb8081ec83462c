//! One execution as a whole: the node runs of all links of its chain, and those from which a retry or a fork goes on.
//!
//! Invariant: a story depends on the log alone, and holds at most [`FOLD_BYTES_MAX`] bytes of payloads.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::definition::{Node, WorkflowDefinition};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::{
    Execution, ExecutionEvent, ExecutionStatus, NodeFacts, NodeRunState, NodeRunStatus, StartFacts,
};
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::item::Outputs;
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::{Direction, LogError, Position, Revision, StreamKey, codec};

use crate::bare::BareExecution;
use crate::error::HistoryError;
use crate::fold::{FOLD_BYTES_MAX, Fold};
use crate::moment::{Moment, absent, position_of};
use crate::pages::Place;
use crate::past::Past;

/// Most executions, each a retry or a fork of the one before, that one story goes through.
pub const STORY_DEEP_MAX: usize = 64;
/// Bytes of payloads whose data is read where it is wanted: handing it to another thread would take as long.
const READ_HERE_BYTES: usize = 64 << 10;

/// Where an event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlace {
    /// Its place in the log.
    pub position: Position,
    /// Its place in its stream.
    pub revision: Revision,
    /// Name of its type.
    pub event_type: Arc<str>,
}

impl From<&Place> for EventPlace {
    fn from(event: &Place) -> Self {
        Self { position: event.position, revision: event.revision, event_type: Arc::clone(&event.event_type) }
    }
}

/// One run of one node.
#[derive(Debug, Clone)]
pub struct StoryRun {
    /// What is known of it.
    pub state: NodeRunState,
    /// Its place in the order of all.
    pub execution_index: usize,
    /// The stream that has it.
    pub stream: StreamKey,
    /// The event that ended it.
    pub written: Option<EventPlace>,
    /// The attempts that failed before, with what went wrong.
    pub failed_attempts: Vec<(u32, Value)>,
    /// Which part of the story it is in.
    part: usize,
}

/// What was run under one definition: the execution itself, or one from which it goes on.
#[derive(Debug, Clone)]
struct Part {
    start: Arc<StartFacts>,
    definition: Option<Arc<WorkflowDefinition>>,
}

/// One execution as a whole.
#[derive(Debug, Clone)]
pub struct Story {
    /// How it began; where it goes on from others, how the first of those did.
    pub start: Arc<StartFacts>,
    /// Ids of its streams, and of those from which it goes on.
    pub ids: Vec<String>,
    /// Node runs in their order.
    pub runs: Vec<StoryRun>,
    /// How far it is.
    pub status: ExecutionStatus,
    /// What went wrong, when it failed.
    pub error: Option<Value>,
    parts: Vec<Part>,
    by_run: HashMap<(String, usize), usize>,
}

impl Story {
    /// The execution in whose chain `stream` is, as it was at a moment.
    ///
    /// # Errors
    /// [`HistoryError`], whose message says what to ask instead.
    pub async fn load<'p>(past: impl Into<Past<'p>>, stream: &StreamKey, moment: Moment) -> Result<Self, HistoryError> {
        let past = past.into();
        if &*stream.category != ExecutionEvent::CATEGORY {
            return Err(HistoryError::NotAnExecution(stream.clone()));
        }
        let position = position_of(past, Some(stream), moment).await?;
        let mut story = told(past, stream.clone(), position, FOLD_BYTES_MAX, STORY_DEEP_MAX).await?;
        let runs = story.runs.iter().enumerate();
        story.by_run = runs.map(|(place, run)| ((run.state.node.clone(), run.state.run_index), place)).collect();
        Ok(story)
    }

    /// Place of a run of a node in [`Self::runs`].
    pub fn find(&self, node: &str, run_index: usize) -> Option<usize> {
        self.by_run.get(&(node.to_owned(), run_index)).copied()
    }

    /// What a run gave, by output.
    pub fn outputs(&self, place: usize) -> Option<&Outputs> {
        self.runs.get(place)?.state.outputs.as_ref()
    }

    /// The node of a run as it was written down when it ran.
    pub fn node(&self, place: usize) -> Option<&Node> {
        let run = self.runs.get(place)?;
        let definition = self.parts.get(run.part)?.definition.as_ref()?;
        definition.nodes.iter().find(|node| node.name == run.state.node)
    }

    /// The newest run of a node before another one.
    pub fn newest_before(&self, node: &str, place: usize) -> Option<usize> {
        (0..place).rev().find(|candidate| self.runs[*candidate].state.node == node)
    }

    fn begin(start: &Arc<StartFacts>, definition: Option<Arc<WorkflowDefinition>>) -> Self {
        Self {
            start: Arc::clone(start),
            ids: Vec::new(),
            runs: Vec::new(),
            status: ExecutionStatus::New,
            error: None,
            parts: vec![Part { start: Arc::clone(start), definition }],
            by_run: HashMap::new(),
        }
    }

    /// Goes on from this one with another start: runs that had not ended are made again.
    fn go_on(&mut self, earlier_runs: usize, start: Arc<StartFacts>, definition: Option<Arc<WorkflowDefinition>>) {
        let has_ended = |run: &StoryRun| match run.state.status {
            NodeRunStatus::Completed => true,
            NodeRunStatus::Failed => run.state.outputs.is_some(),
            _ => false,
        };
        self.runs.retain(|run| run.execution_index < earlier_runs && has_ended(run));
        self.parts.push(Part { start, definition });
    }

    /// Takes a link in.
    fn take(&mut self, stream: &StreamKey, link: Execution, mut ends: HashMap<usize, Ended>) {
        let part = self.parts.len() - 1;
        self.ids.push(stream.id.to_string());
        let earlier_runs = link.earlier_runs;
        for (own, state) in link.node_runs.into_iter().enumerate() {
            let execution_index = earlier_runs + own;
            let Ended { written, failed_attempts } = ends.remove(&execution_index).unwrap_or_default();
            let stream = stream.clone();
            self.runs.push(StoryRun { state, execution_index, stream, written, failed_attempts, part });
        }
        (self.status, self.error) = (link.status, link.error);
    }

    /// How the part began in which a run is.
    pub fn start_of(&self, place: usize) -> Option<&StartFacts> {
        self.parts.get(self.runs.get(place)?.part).map(|part| &*part.start)
    }
}

/// What the events tell of a run besides its state.
#[derive(Default)]
struct Ended {
    written: Option<EventPlace>,
    failed_attempts: Vec<(u32, Value)>,
}

/// One link, folded.
struct Link {
    execution: Execution,
    first: ExecutionEvent,
    ends: HashMap<usize, Ended>,
    bytes: usize,
}

type Told<'a> = Pin<Box<dyn Future<Output = Result<Story, HistoryError>> + Send + 'a>>;

/// The story of an execution up to a position, of at most `bytes_max` bytes of payloads.
fn told(past: Past<'_>, stream: StreamKey, position: Position, bytes_max: usize, deep: usize) -> Told<'_> {
    Box::pin(async move {
        let deep = deep.checked_sub(1).ok_or(HistoryError::TooDeep)?;
        let asked = stream;
        let mut link = folded(past, &asked, position, bytes_max).await?;
        let mut stream = asked.clone();
        if let ExecutionEvent::ExecutionContinued(continuation) = &link.first {
            stream = other(&asked, continuation.root);
            link = folded(past, &stream, position, bytes_max).await?;
        }
        let mut left = bytes_max.saturating_sub(link.bytes);
        let mut story = match &link.first {
            ExecutionEvent::ExecutionRetried(retry) => {
                let mut before = earlier(past, &stream, retry.of, retry.revision, left, deep).await?;
                let definition = definition(past, &stream, &retry.start).await?;
                before.go_on(retry.earlier_runs, Arc::new(retry.start.clone()), definition);
                before
            }
            ExecutionEvent::ExecutionForked(fork) => {
                let mut before = earlier(past, &stream, fork.of, fork.revision, left, deep).await?;
                let definition = definition(past, &stream, &fork.start).await?;
                let changed = definition.map(|definition| fork.changed(&definition).map_or(definition, Arc::new));
                before.go_on(fork.earlier_runs, Arc::new(fork.start.clone()), changed);
                before
            }
            _ => {
                let start = link.execution.start.clone().ok_or_else(|| HistoryError::UnknownStream(stream.clone()))?;
                let definition = definition(past, &stream, &start).await?;
                Story::begin(&start, definition)
            }
        };
        loop {
            let next = link.execution.continued_as;
            story.take(&stream, link.execution, link.ends);
            let Some(next) = next else { return Ok(story) };
            stream = other(&asked, next);
            link = match folded(past, &stream, position, left).await {
                // It begins later.
                Err(HistoryError::NotYet { .. } | HistoryError::UnknownStream(_)) => return Ok(story),
                other => other?,
            };
            left = left.saturating_sub(link.bytes);
        }
    })
}

/// The story of the execution from which another one goes on.
async fn earlier(
    past: Past<'_>,
    like: &StreamKey,
    of: ExecutionId,
    revision: u64,
    bytes_max: usize,
    deep: usize,
) -> Result<Story, HistoryError> {
    let stream = other(like, of);
    let position = position_of(past, Some(&stream), Moment::Revision(Revision(revision))).await?;
    told(past, stream, position, bytes_max, deep).await
}

async fn folded(
    past: Past<'_>,
    stream: &StreamKey,
    position: Position,
    bytes_max: usize,
) -> Result<Link, HistoryError> {
    let mut fold = Fold::<BareExecution>::new(past, stream, bytes_max);
    let (mut first, mut ends) = (None, HashMap::<usize, Ended>::new());
    let seen = |_: &BareExecution, event: &Place, known: Option<&ExecutionEvent>| match known {
        Some(ExecutionEvent::NodeCompleted { run, .. } | ExecutionEvent::NodeFailed { run, .. }) => {
            ends.entry(run.execution_index).or_default().written = Some(event.into());
        }
        Some(ExecutionEvent::NodeRetried { run: NodeFacts { execution_index, .. }, attempt, error, .. }) => {
            ends.entry(*execution_index).or_default().failed_attempts.push((*attempt, error.clone()));
        }
        _ => {}
    };
    let beginning = past.log.read_stream(stream, Revision(0), Direction::Forward, 1).await?;
    if let Some(event) = beginning.first().filter(|event| event.position <= position) {
        first = Some(codec::decode::<ExecutionEvent>(event)?);
    }
    let Some(first) = first.take() else { return Err(absent(past, stream).await?) };
    fold.advance(position, seen).await?;
    let bytes = fold.bytes();
    let execution = whole(fold.aggregate, bytes).await?;
    Ok(Link { execution, first, ends, bytes })
}

/// An execution with all its data, of that many bytes of payloads.
async fn whole(state: BareExecution, bytes: usize) -> Result<Execution, LogError> {
    if bytes <= READ_HERE_BYTES {
        return state.whole();
    }
    tokio::task::spawn_blocking(|| state.whole()).await.map_err(LogError::storage)?
}

/// A workflow right after the event at `position` and the last event of it by then; `None` when it had none. Unknown events
/// are left out.
///
/// # Errors
/// [`HistoryError`] when it has too many events or the log fails.
pub async fn workflow_at<'p>(
    past: impl Into<Past<'p>>,
    stream: &StreamKey,
    position: Position,
) -> Result<Option<(Workflow, EventPlace)>, HistoryError> {
    let mut fold = Fold::<Workflow>::new(past.into(), stream, usize::MAX);
    fold.advance(position, |_, _, _| {}).await?;
    Ok(fold.newest.map(|newest| (fold.aggregate, EventPlace::from(&newest))))
}

/// What was run, as it was written down then; `None` when the log does not have it.
async fn definition(
    past: Past<'_>,
    like: &StreamKey,
    start: &StartFacts,
) -> Result<Option<Arc<WorkflowDefinition>>, HistoryError> {
    let stream = StreamKey::new(like.tenant, WorkflowEvent::CATEGORY, start.workflow_id.to_string());
    let position = match position_of(past, Some(&stream), Moment::Revision(Revision(start.workflow_revision))).await {
        Ok(position) => position,
        Err(HistoryError::UnknownStream(_) | HistoryError::RevisionNotReached { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let loaded = workflow_at(past, &stream, position).await?;
    Ok(loaded.and_then(|(workflow, _)| workflow.definition(start.workflow_version).cloned()))
}

fn other(like: &StreamKey, id: ExecutionId) -> StreamKey {
    StreamKey::new(like.tenant, ExecutionEvent::CATEGORY, id.to_string())
}
