//! Which streams belong to an execution: its links, what it goes on from, what it called, and the workflows that were run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::agent_run::{AgentRunEvent, asked_id};
use timeloom_domain::definition::WorkflowDefinition;
use timeloom_domain::event::{Aggregate as _, Event as _};
use timeloom_domain::execution::{ExecutionEvent, NodeFacts, StartFacts, called_id};
use timeloom_domain::ids::{ExecutionId, TenantId, WorkflowId};
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_store::{Direction, EventLog, LogError, Position, Revision, StreamKey, codec};
use timeloom_verify::capsule::{
    CredentialNamed, EVENTS_MAX, InForce, LeftOut, LeftOutKind, NodeTypeInForce, Role, Stream, WorkflowInForce,
};

use super::{CapsuleMakeError, EXECUTIONS_MAX};

/// Events that are read at a time: each may have large items.
const PAGE_EVENTS: usize = 100;

/// The events that end a run of an agent.
const AGENT_RUN_ENDS: [&str; 3] = ["AgentRunCompleted", "AgentRunFailed", "AgentRunCancelled"];

/// What belongs to an execution.
pub(super) struct Gathered {
    /// Its streams, each with how many of its events.
    pub(super) streams: Vec<Stream>,
    /// The places of all events.
    pub(super) positions: BTreeSet<Position>,
    /// What does not come along.
    pub(super) left_out: Vec<LeftOut>,
    /// What was run.
    pub(super) in_force: InForce,
}

/// Finds out what belongs to an execution.
pub(super) async fn gather(
    log: &dyn EventLog,
    tenant: TenantId,
    execution: ExecutionId,
) -> Result<Gathered, CapsuleMakeError> {
    let mut gathering = Gathering {
        log,
        tenant,
        open: VecDeque::from([(execution, Role::Execution)]),
        known: BTreeSet::from([execution]),
        run: BTreeMap::new(),
        gathered: Gathered {
            streams: Vec::new(),
            positions: BTreeSet::new(),
            left_out: Vec::new(),
            in_force: InForce::default(),
        },
    };
    while let Some((id, role)) = gathering.open.pop_front() {
        gathering.execution(id, role).await?;
    }
    for (workflow, runs) in std::mem::take(&mut gathering.run) {
        gathering.workflow(workflow, &runs).await?;
    }
    let mut gathered = gathering.gathered;
    gathered.in_force.tidy();
    Ok(gathered)
}

struct Gathering<'log> {
    log: &'log dyn EventLog,
    tenant: TenantId,
    /// Executions that are to be looked at.
    open: VecDeque<(ExecutionId, Role)>,
    known: BTreeSet<ExecutionId>,
    /// Which revisions and versions of which workflows were run.
    run: BTreeMap<WorkflowId, BTreeSet<(u64, Option<u32>)>>,
    gathered: Gathered,
}

/// What an execution's stream says, as far as it matters here.
#[derive(Default)]
struct Seen {
    positions: Vec<Position>,
    root: Option<ExecutionId>,
    named: Vec<(ExecutionId, Role)>,
    run: Option<(WorkflowId, u64, Option<u32>)>,
    /// Places of effects in the order of all node runs: they may have called others.
    effects: BTreeSet<usize>,
    has_ended: bool,
}

impl Seen {
    fn take(&mut self, own: ExecutionId, role: Role, position: Position, event: &ExecutionEvent) {
        self.positions.push(position);
        let mut name = |id: ExecutionId, role: Role| self.named.push((id, role));
        match event {
            ExecutionEvent::ExecutionStarted(start) => self.began(start, own),
            ExecutionEvent::ExecutionRetried(retry) => {
                name(retry.of, Role::Earlier);
                self.began(&retry.start, own);
            }
            ExecutionEvent::ExecutionForked(fork) => {
                name(fork.of, Role::Earlier);
                name(fork.origin, Role::Earlier);
                self.began(&fork.start, own);
            }
            ExecutionEvent::ExecutionContinued(continuation) => {
                name(continuation.root, role);
                name(continuation.previous, role);
                self.began(&continuation.start, continuation.root);
            }
            ExecutionEvent::ExecutionContinuedAsNew { next, .. } => {
                name(*next, role);
                self.has_ended = true;
            }
            ExecutionEvent::NodeStarted { run: NodeFacts { execution_index, .. }, .. } => {
                self.effects.insert(*execution_index);
            }
            ExecutionEvent::ExecutionCompleted { .. }
            | ExecutionEvent::ExecutionFailed { .. }
            | ExecutionEvent::ExecutionCancelled { .. } => self.has_ended = true,
            _ => {}
        }
    }

    fn began(&mut self, start: &StartFacts, root: ExecutionId) {
        self.root = Some(root);
        self.run = Some((start.workflow_id, start.workflow_revision, start.workflow_version));
    }
}

impl Gathering<'_> {
    async fn execution(&mut self, id: ExecutionId, role: Role) -> Result<(), CapsuleMakeError> {
        let stream = StreamKey::new(self.tenant, ExecutionEvent::CATEGORY, id.to_string());
        let mut seen = Seen::default();
        let room = self.room();
        read(self.log, &stream, u64::MAX, room, |position, recorded| {
            let event = codec::decode::<ExecutionEvent>(recorded)?;
            seen.take(id, role, position, &event);
            Ok(())
        })
        .await?;
        if seen.positions.is_empty() {
            return Err(match role {
                Role::Execution => CapsuleMakeError::Unknown(stream),
                _ => CapsuleMakeError::Gone(stream),
            });
        }
        if !seen.has_ended && role == Role::Called {
            self.leave_out(id, "it has not ended: whoever has its events could make it go on");
            return Ok(());
        }
        if !seen.has_ended {
            return Err(CapsuleMakeError::NotEnded(stream));
        }
        for (named, role) in seen.named {
            self.name(named, role)?;
        }
        if let Some((workflow, revision, version)) = seen.run {
            self.run.entry(workflow).or_default().insert((revision, version));
        }
        let root = seen.root.unwrap_or(id);
        for execution_index in seen.effects {
            self.called(root, execution_index).await?;
            self.asked(root, execution_index).await?;
        }
        self.take(ExecutionEvent::CATEGORY, id.to_string(), role, seen.positions);
        Ok(())
    }

    /// How many more events there may be.
    fn room(&self) -> usize {
        EVENTS_MAX.saturating_sub(self.gathered.positions.len())
    }

    fn take(&mut self, category: &str, id: String, role: Role, positions: Vec<Position>) {
        let events = positions.len() as u64;
        self.gathered.streams.push(Stream { category: category.to_owned(), id, role, events });
        self.gathered.positions.extend(positions);
    }

    fn leave_out(&mut self, id: ExecutionId, reason: &str) {
        let left_out = LeftOut { what: LeftOutKind::Execution, name: id.to_string(), reason: reason.to_owned() };
        self.gathered.left_out.push(left_out);
    }

    /// An execution without which this one cannot be understood.
    fn name(&mut self, id: ExecutionId, role: Role) -> Result<(), CapsuleMakeError> {
        if !self.known.insert(id) {
            return Ok(());
        }
        if self.known.len() > EXECUTIONS_MAX {
            return Err(CapsuleMakeError::TooLarge { what: "executions", max: EXECUTIONS_MAX as u64 });
        }
        self.open.push_back((id, role));
        Ok(())
    }

    /// The executions that a node run called, one after the other, each with its tries.
    async fn called(&mut self, root: ExecutionId, execution_index: usize) -> Result<(), LogError> {
        for number in 0.. {
            let mut failures = 0;
            loop {
                let id = called_id(root, execution_index, number, failures);
                let stream = StreamKey::new(self.tenant, ExecutionEvent::CATEGORY, id.to_string());
                if self.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?.is_empty() {
                    break;
                }
                if self.known.len() >= EXECUTIONS_MAX {
                    self.leave_out(id, "and those called after it: a capsule holds no more executions");
                    return Ok(());
                }
                if self.known.insert(id) {
                    self.open.push_back((id, Role::Called));
                }
                failures += 1;
            }
            if failures == 0 {
                break;
            }
        }
        Ok(())
    }

    /// The runs of agents that a node run asked for, each with its tries.
    async fn asked(&mut self, root: ExecutionId, execution_index: usize) -> Result<(), CapsuleMakeError> {
        for number in 0..EXECUTIONS_MAX {
            let mut failures = 0;
            loop {
                let id = asked_id(root, execution_index, number, failures).to_string();
                let stream = StreamKey::new(self.tenant, AgentRunEvent::CATEGORY, id.clone());
                let (mut positions, mut has_ended) = (Vec::new(), false);
                read(self.log, &stream, u64::MAX, self.room(), |position, recorded| {
                    positions.push(position);
                    has_ended |= AGENT_RUN_ENDS.contains(&&*recorded.event_type);
                    Ok(())
                })
                .await?;
                if positions.is_empty() {
                    break;
                }
                if has_ended {
                    self.take(AgentRunEvent::CATEGORY, id, Role::Called, positions);
                }
                failures += 1;
            }
            if failures == 0 {
                break;
            }
        }
        Ok(())
    }

    /// A workflow up to the newest of its revisions that was run.
    async fn workflow(&mut self, id: WorkflowId, runs: &BTreeSet<(u64, Option<u32>)>) -> Result<(), CapsuleMakeError> {
        let stream = StreamKey::new(self.tenant, WorkflowEvent::CATEGORY, id.to_string());
        let newest = runs.last().map_or(0, |(revision, _)| *revision);
        let (mut workflow, mut positions) = (Workflow::default(), Vec::new());
        let mut ran: Vec<(u64, Option<u32>, Arc<WorkflowDefinition>)> = Vec::new();
        read(self.log, &stream, newest, self.room(), |position, recorded| {
            workflow.apply(&codec::decode::<WorkflowEvent>(recorded)?);
            positions.push(position);
            let now = runs.iter().filter(|(revision, _)| *revision == recorded.revision.0);
            ran.extend(now.filter_map(|(revision, version)| {
                Some((*revision, *version, Arc::clone(workflow.definition(*version)?)))
            }));
            Ok(())
        })
        .await?;
        if ran.len() != runs.len() {
            return Err(CapsuleMakeError::Gone(stream));
        }
        for (revision, version, definition) in ran {
            let (id, name) = (id.to_string(), definition.name.clone());
            self.gathered.in_force.workflows.push(WorkflowInForce { id, name, revision, version });
            self.gathered.in_force.node_types.extend(node_types(&definition));
            self.gathered.in_force.credentials.extend(credentials(&definition));
        }
        self.take(WorkflowEvent::CATEGORY, id.to_string(), Role::Workflow, positions);
        Ok(())
    }
}

/// Reads a stream up to a revision, at most so many events of it.
async fn read(
    log: &dyn EventLog,
    stream: &StreamKey,
    to: u64,
    events_max: usize,
    mut seen: impl FnMut(Position, &timeloom_store::RecordedEvent) -> Result<(), LogError> + Send,
) -> Result<(), CapsuleMakeError> {
    let (mut after, mut count) = (Revision::default(), 0);
    while after.0 < to {
        let limit = usize::try_from(to - after.0).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        let page = log.read_stream(stream, after, Direction::Forward, limit).await?;
        let Some(last) = page.last() else { break };
        after = last.revision;
        count += page.len();
        if count > events_max {
            return Err(CapsuleMakeError::TooLarge { what: "events", max: EVENTS_MAX as u64 });
        }
        for recorded in &page {
            seen(recorded.position, recorded)?;
        }
    }
    Ok(())
}

fn node_types(definition: &WorkflowDefinition) -> impl Iterator<Item = NodeTypeInForce> {
    let named = |node: &timeloom_domain::definition::Node| NodeTypeInForce {
        name: node.node_type.clone(),
        version: node.type_version.to_string(),
    };
    definition.nodes.iter().map(named)
}

/// The credentials that nodes name: `{"TYPE": {"id": …, "name": …}}`.
fn credentials(definition: &WorkflowDefinition) -> impl Iterator<Item = CredentialNamed> {
    let by_type = definition.nodes.iter().filter_map(|node| node.credentials.as_ref()?.as_object());
    by_type.flatten().map(|(credential_type, named)| CredentialNamed {
        credential_type: credential_type.clone(),
        name: named.get("name").or_else(|| named.get("id")).and_then(Value::as_str).unwrap_or_default().to_owned(),
    })
}
