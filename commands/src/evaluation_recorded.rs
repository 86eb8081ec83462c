//! Cases of what was recorded: executions that completed.
//!
//! A set outlives what it was made of. Invariant: nothing about a subject gets into it, and nothing that was erased.

use std::sync::Arc;

use timeloom_domain::access::Permission;
use timeloom_domain::evaluation_set::{CASE_BYTES_MAX, CaseOrigin, EvaluationCase, value_of};
use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::{ExecutionId, TenantId};
use timeloom_store::subjects::is_erased;
use timeloom_store::{Direction, Filter, LogError, Position, RecordedEvent, Revision, StreamKey, TenantScope, codec};

use crate::{CommandContext, CommandError, Commands};

/// Events that give items.
const RUNS: [&str; 2] = ["NodeCompleted", "NodeFailed"];
/// Most runs of nodes that are looked at, the newest first, to find the one that gave items.
const RUNS_LOOKED_AT_MAX: usize = 16;
/// A position that no event reaches.
const END_OF_LOG: Position = Position(i64::MAX as u64);

/// Cases that were made of what was recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedCases {
    /// The cases, in the order in which they were asked for.
    pub cases: Vec<EvaluationCase>,
    /// How many were left out: they are about a subject, were erased, did not complete, or are too large.
    pub left_out: u32,
}

impl RecordedCases {
    /// Takes in what was made of one thing that was recorded.
    pub fn take(&mut self, case: Option<EvaluationCase>) {
        match case.filter(|case| case.bytes() <= CASE_BYTES_MAX) {
            Some(case) => self.cases.push(case),
            None => self.left_out += 1,
        }
    }
}

impl Commands {
    /// Cases of executions that completed: the items with which they began, and what their last nodes gave.
    ///
    /// # Errors
    /// A refusal, or a fault.
    pub async fn cases_of_executions(
        &self,
        context: &CommandContext,
        executions: &[ExecutionId],
    ) -> Result<RecordedCases, CommandError> {
        context.require(Permission::ExecutionRead)?;
        let mut recorded = RecordedCases::default();
        for execution in executions {
            recorded.take(self.case_of(context, *execution).await?);
        }
        Ok(recorded)
    }

    /// Whether an execution is about a subject, or was.
    ///
    /// # Errors
    /// A fault when the log fails.
    pub async fn is_about_somebody(&self, tenant: TenantId, execution: ExecutionId) -> Result<bool, LogError> {
        let stream = StreamKey::new(tenant, ExecutionEvent::CATEGORY, execution.to_string());
        let first = self.inner.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?;
        let Some(first) = first.first() else { return Ok(false) };
        Ok(is_erased(&first.payload) || codec::decode::<ExecutionEvent>(first)?.subject(&stream.id).is_some())
    }

    /// The case of an execution; `None` where there is none, or must be none.
    async fn case_of(
        &self,
        context: &CommandContext,
        execution: ExecutionId,
    ) -> Result<Option<EvaluationCase>, CommandError> {
        let stream = self.stream::<ExecutionEvent>(context, execution);
        let first = self.inner.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?;
        let Some(first) = first.first().filter(|first| !is_erased(&first.payload)) else { return Ok(None) };
        // What goes on from another one has no beginning of its own.
        let ExecutionEvent::ExecutionStarted(start) = codec::decode(first)? else { return Ok(None) };
        let completed = self.newest_of(&stream, END_OF_LOG, &["ExecutionCompleted"]).await?;
        if start.subject.is_some() || completed.is_none() {
            return Ok(None);
        }
        let mut to = END_OF_LOG;
        for _ in 0..RUNS_LOOKED_AT_MAX {
            let Some(run) = self.newest_of(&stream, to, &RUNS).await?.filter(|run| !is_erased(&run.payload)) else {
                break;
            };
            if let ExecutionEvent::NodeCompleted { outputs, .. }
            | ExecutionEvent::NodeFailed { outputs: Some(outputs), .. } = codec::decode(&run)?
            {
                let output = outputs.first().map(|items| value_of(items)).unwrap_or_default();
                return Ok(Some(EvaluationCase {
                    id: execution.to_string(),
                    input: value_of(&start.items),
                    expected: Some(output),
                    from: CaseOrigin::Execution { execution },
                }));
            }
            to = Position(run.position.0.saturating_sub(1));
        }
        Ok(None)
    }

    /// The newest event of these types in a stream, up to a position.
    async fn newest_of(
        &self,
        stream: &StreamKey,
        to: Position,
        event_types: &[&str],
    ) -> Result<Option<Arc<RecordedEvent>>, LogError> {
        let filter = Filter {
            categories: Vec::new(),
            event_types: event_types.iter().copied().map(Arc::from).collect(),
            stream: Some(stream.clone()),
        };
        let scope = TenantScope::One(stream.tenant);
        Ok(self.inner.log.read_all(scope, to, Direction::Backward, &filter, 1).await?.into_iter().next())
    }
}
