//! Runs of agents that nodes of workflows ask for.
//!
//! The id of such a run follows from the execution that asks, its node run and the number of the ask: an attempt that is made
//! again after a crash finds the run that the one before began, and waits for the same end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use timeloom_commands::{CommandContext, CommandError, Commands, StartAgentRun};
use timeloom_domain::agent_run::{AgentCaller, AgentRun, AgentRunEvent, AgentRunStatus, asked_id};
use timeloom_domain::chat::{Message, Part};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, AgentRunId, CommandId, Slug, TenantId};
use timeloom_engine::node::{AgentAnswer, AgentAsk, AgentStep, Agents, Caller, NodeError};
use timeloom_engine::sub_workflows::DEPTH_MAX;
use timeloom_store::{EventLog, Filter, RequestFacts, StreamKey, SubscriptionMessage, TenantScope};

use crate::drive::wait_out;

/// Pause before a log or command that failed is tried again.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Ends that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 8;
/// The events that end a run.
const ENDS: [&str; 3] = ["AgentRunCompleted", "AgentRunFailed", "AgentRunCancelled"];

/// Runs agents for nodes over a log. Cheap to clone.
#[derive(Clone)]
pub struct AgentCalls {
    log: Arc<dyn EventLog>,
    commands: Commands,
}

impl fmt::Debug for AgentCalls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AgentCalls").finish_non_exhaustive()
    }
}

/// The id of the run that an ask begins. `failures` runs of the same ask failed before.
fn run_id(caller: &Caller, number: usize, failures: u32) -> AgentRunId {
    asked_id(caller.execution_id, caller.execution_index, number, failures)
}

impl AgentCalls {
    /// Runs of the agents of `log`.
    pub fn new(log: Arc<dyn EventLog>, commands: Commands) -> Self {
        Self { log, commands }
    }

    /// The run that this attempt is about: the one that was begun before, unless that failed and the node is to try again.
    async fn run_of(&self, caller: &Caller, number: usize) -> AgentRunId {
        let tries = caller.attempt.min(caller.attempts_max.max(1));
        let mut failures = 0;
        while failures + 1 < tries {
            match self.look(caller.tenant, run_id(caller, number, failures)).await.status {
                AgentRunStatus::Failed | AgentRunStatus::Cancelled => failures += 1,
                _ => break,
            }
        }
        run_id(caller, number, failures)
    }

    async fn look(&self, tenant: TenantId, id: AgentRunId) -> AgentRun {
        let (context, mut pause) = (context(tenant, CommandId(id.0)), FAULT_PAUSE);
        loop {
            match self.commands.agent_run(&context, id).await {
                Ok(found) => return found.aggregate.clone(),
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
    }

    async fn begin(&self, caller: &Caller, ask: AgentAsk, id: AgentRunId) -> Result<(), NodeError> {
        let agent = Slug::try_new(ask.agent).map_err(|error| NodeError::operation(error.to_string()))?;
        let start = StartAgentRun {
            run_id: Some(id),
            agent,
            version: ask.version,
            record: ask.record,
            input: ask.input,
            session: ask.session,
            caller: Some(AgentCaller {
                workflow: caller.workflow_id,
                execution: caller.execution_id,
                node: ask.node,
                depth: caller.depth.saturating_add(1),
            }),
        };
        let request = Some(Arc::new(RequestFacts::within(caller.span)));
        let context = CommandContext { request, ..context(caller.tenant, CommandId(id.0)) };
        let mut pause = FAULT_PAUSE;
        loop {
            match self.commands.start_agent_run(&context, start.clone()).await {
                Ok(_) => return Ok(()),
                Err(CommandError::Refused(refusal)) => {
                    let description = format!("The reason in a word: {}.", refusal.code);
                    return Err(NodeError::operation(refusal.message).described(description));
                }
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
    }

    /// The run at its end; waits for it.
    async fn ended(&self, tenant: TenantId, id: AgentRunId) -> AgentRun {
        let stream = StreamKey::new(tenant, AgentRunEvent::CATEGORY, id.to_string());
        let filter = Filter { categories: Vec::new(), event_types: ENDS.map(Arc::from).to_vec(), stream: Some(stream) };
        loop {
            // Before the look, so that an end in between is seen by one or the other.
            let scope = TenantScope::One(tenant);
            let mut events = self.log.subscribe(scope, self.log.head(), filter.clone(), QUEUE_EVENTS_MAX);
            let run = self.look(tenant, id).await;
            if run.status.is_over() {
                return run;
            }
            loop {
                match events.next().await {
                    Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
                    Some(SubscriptionMessage::Event(_) | SubscriptionMessage::FellBehind(_)) => break,
                    Some(SubscriptionMessage::Failed(error)) => {
                        tracing::warn!(%error, "the end of a run of an agent cannot be waited for; trying again");
                        tokio::time::sleep(FAULT_PAUSE).await;
                        break;
                    }
                    // The log is closed with the process: the next one waits on.
                    None => std::future::pending().await,
                }
            }
        }
    }
}

#[async_trait]
impl Agents for AgentCalls {
    async fn run(&self, caller: &Caller, ask: AgentAsk) -> Result<AgentAnswer, NodeError> {
        if caller.depth >= DEPTH_MAX {
            let message = format!("workflows and agents call each other more than {DEPTH_MAX} deep");
            return Err(NodeError::operation(message).described("let the innermost one end without a further call"));
        }
        let id = self.run_of(caller, ask.number).await;
        self.begin(caller, ask, id).await?;
        let run = self.ended(caller.tenant, id).await;
        match (run.output, run.failure) {
            (Some(output), _) => Ok(AgentAnswer { run: id, output, steps: steps(&run.messages) }),
            (None, failure) => {
                let (code, message) = failure.unwrap_or_default();
                let description = format!("The reason in a word: {code}. It is run {id} of the agent.");
                Err(NodeError::operation(message).described(description))
            }
        }
    }
}

/// The calls of tools in what was said, with what came of each.
fn steps(messages: &[Message]) -> Vec<AgentStep> {
    let mut steps: Vec<AgentStep> = Vec::new();
    for part in messages.iter().flat_map(|message| &message.parts) {
        match part {
            Part::ToolCall { id, name, arguments } => {
                let (id, tool, arguments) = (id.clone(), name.clone(), arguments.clone());
                steps.push(AgentStep { id, tool, arguments, observation: String::new() });
            }
            Part::ToolResult { call, parts, .. } => {
                let told = parts.iter().filter_map(|part| match part {
                    Part::Text { text, .. } => Some(text.as_str()),
                    _ => None,
                });
                // Providers may use an id again in a later turn.
                if let Some(step) = steps.iter_mut().rev().find(|step| step.id == *call) {
                    step.observation = told.collect();
                }
            }
            _ => {}
        }
    }
    steps
}

fn context(tenant: TenantId, command_id: CommandId) -> CommandContext {
    CommandContext::trusted(tenant, Actor::System("engine".to_owned()), command_id)
}
