//! Executions and runs of agents that an evaluation begins, and what they come to.
//!
//! Invariant: the id of each follows from the evaluation and the case, so that an evaluation that is begun again after a crash
//! finds what it began, and waits for the same end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use timeloom_commands::{CancelExecution, CommandContext, CommandError, StartAgentRun, StartExecution};
use timeloom_domain::agent_run::AgentRunEvent;
use timeloom_domain::evaluation::CaseRun;
use timeloom_domain::evaluation_set::value_of;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, AgentRunId, CommandId, ExecutionId, Slug, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_engine::sub_workflows::{Came, came_to};
use timeloom_store::{
    Direction, EventLog, Filter, LogError, Position, RecordedEvent, StreamKey, SubscriptionMessage, TenantScope, codec,
};
use uuid::Uuid;

use crate::models::Models;

/// Longest time for a case: what waits longer is given up.
const CASE_TIME_MAX: Duration = Duration::from_secs(600);
/// The same for messages.
const CASE_MINUTES_MAX: u64 = CASE_TIME_MAX.as_secs() / 60;
/// The events that end a run of an agent.
const AGENT_ENDS: [&str; 3] = ["AgentRunCompleted", "AgentRunFailed", "AgentRunCancelled"];
/// Ends that may wait to be looked at: a run has one.
const QUEUE_EVENTS_MAX: usize = 4;
/// A position that no event reaches.
const END_OF_LOG: Position = Position(i64::MAX as u64);

/// What a case came to: what was run, and its output or why there is none.
pub(super) type Ran = (Option<CaseRun>, Result<Value, String>);

/// Begins runs for one evaluation.
pub(super) struct Runs<'a> {
    models: &'a Models,
    evaluation: Uuid,
    asked: &'a RecordedEvent,
    /// Whom the cases are about: executions are about the same.
    pub(super) subject: Option<String>,
}

impl<'a> Runs<'a> {
    /// Runs for the evaluation that `asked` asks for.
    pub(super) fn new(models: &'a Models, evaluation: Uuid, asked: &'a RecordedEvent) -> Self {
        Self { models, evaluation, asked, subject: None }
    }

    /// The context of a command that follows from the evaluation.
    pub(super) fn context(&self, command_id: Uuid) -> CommandContext {
        CommandContext {
            causation_id: Some(self.asked.id),
            correlation_id: self.asked.metadata.correlation_id.or(Some(self.asked.id)),
            ..CommandContext::trusted(
                self.asked.stream.tenant,
                Actor::System(super::NAME.to_owned()),
                CommandId(command_id),
            )
        }
    }

    /// Runs a version of a workflow with items, as by hand and without pinned items; `key` tells what for.
    pub(super) async fn workflow(
        &self,
        (workflow, version): (WorkflowId, u32),
        key: &str,
        items: Vec<Item>,
    ) -> Result<Ran, CommandError> {
        let id = ExecutionId(Uuid::new_v5(&self.evaluation, key.as_bytes()));
        let run = Some(CaseRun::Execution { execution: id });
        let start = StartExecution {
            execution_id: Some(id),
            version: Some(version),
            items: Some(items),
            is_without_pins: true,
            subject: self.subject.clone(),
            ..StartExecution::by_hand(workflow)
        };
        let commands = self.models.commands();
        match commands.start_execution(&self.context(id.0), start).await {
            Ok(_) => {}
            Err(CommandError::Refused(refusal)) => return Ok((None, Err(refusal.message))),
            Err(error) => return Err(error),
        }
        let came = came_to(&self.models.inner.log, self.asked.stream.tenant, id);
        let output = match tokio::time::timeout(CASE_TIME_MAX, came).await {
            Ok(came) => match came? {
                Came::Completed(items) => Ok(value_of(&items)),
                Came::Failed { node: Some(node) } => Err(format!("execution {id} failed in node '{node}'")),
                Came::Failed { node: None } => Err(format!("execution {id} failed")),
                Came::Cancelled => Err(format!("execution {id} was cancelled")),
            },
            Err(_) => {
                self.give_up(id).await?;
                Err(format!("execution {id} did not end within {CASE_MINUTES_MAX} minutes"))
            }
        };
        Ok((run, output))
    }

    async fn give_up(&self, id: ExecutionId) -> Result<(), CommandError> {
        let reason = format!("it did not end within the {CASE_MINUTES_MAX} minutes that a case of an evaluation has");
        let context = self.context(Uuid::new_v5(&id.0, b"give-up"));
        let cancel = CancelExecution { execution_id: id, reason };
        match self.models.commands().cancel_execution(&context, cancel).await {
            Ok(_) | Err(CommandError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Runs a version of an agent with an input; `key` tells what for.
    pub(super) async fn agent(
        &self,
        (agent, version): (&Slug, u32),
        key: &str,
        input: Value,
    ) -> Result<Ran, CommandError> {
        let id = AgentRunId(Uuid::new_v5(&self.evaluation, key.as_bytes()));
        let run = Some(CaseRun::AgentRun { run: id });
        let start = StartAgentRun {
            run_id: Some(id),
            agent: agent.clone(),
            version: Some(version),
            record: None,
            input,
            session: None,
            caller: None,
        };
        match self.models.commands().start_agent_run(&self.context(id.0), start).await {
            Ok(_) => {}
            // What does not fit is told with the value: it stays out of the report.
            Err(CommandError::Refused(refusal)) => {
                let why = format!("the agent does not take the input: {}", refusal.code);
                return Ok((None, Err(why)));
            }
            Err(error) => return Err(error),
        }
        let stream = StreamKey::new(self.asked.stream.tenant, AgentRunEvent::CATEGORY, id.to_string());
        let ended = ended(&self.models.inner.log, &stream, &AGENT_ENDS);
        let output = match tokio::time::timeout(CASE_TIME_MAX, ended).await {
            Ok(ended) => match codec::decode::<AgentRunEvent>(&*ended?)? {
                AgentRunEvent::AgentRunCompleted { output, .. } => Ok(output),
                AgentRunEvent::AgentRunFailed { code, .. } => Err(format!("run {id} of the agent failed: {code}")),
                _ => Err(format!("run {id} of the agent was cancelled")),
            },
            Err(_) => Err(format!("run {id} of the agent did not end within {CASE_MINUTES_MAX} minutes")),
        };
        Ok((run, output))
    }
}

/// The newest event of these types in a stream; waits for one.
async fn ended(log: &Arc<dyn EventLog>, stream: &StreamKey, types: &[&str]) -> Result<Arc<RecordedEvent>, LogError> {
    let filter = Filter {
        categories: Vec::new(),
        event_types: types.iter().copied().map(Arc::from).collect(),
        stream: Some(stream.clone()),
    };
    let scope = || TenantScope::One(stream.tenant);
    loop {
        // Before the look, so that an end in between is seen by one or the other.
        let mut events = log.subscribe(scope(), log.head(), filter.clone(), QUEUE_EVENTS_MAX);
        let newest = log.read_all(scope(), END_OF_LOG, Direction::Backward, &filter, 1).await?;
        if let Some(found) = newest.into_iter().next() {
            return Ok(found);
        }
        loop {
            match events.next().await {
                Some(SubscriptionMessage::Event(event)) => return Ok(event),
                Some(SubscriptionMessage::CaughtUp(_) | SubscriptionMessage::Checkpoint(_)) => {}
                Some(SubscriptionMessage::FellBehind(_)) => break,
                Some(SubscriptionMessage::Failed(error)) => return Err(error),
                None => return Err(LogError::Closed),
            }
        }
    }
}
