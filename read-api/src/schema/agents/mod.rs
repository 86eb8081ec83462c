//! Agents and their runs: what is known of them, and every change of theirs.

mod agent;
mod inputs;
mod query;
mod run;
mod session;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Object, Result};
use timeloom_commands::{AgentForkTurn, CommandError, ForkAgentRun, Outcome, Refusal, StartAgentRun};
use timeloom_domain::access::Permission;
use timeloom_domain::agent::AgentRecord;
use timeloom_domain::agent_memory::AgentMemoryCommand;
use timeloom_domain::agent_run::ToolResultChange;
use timeloom_domain::ids::{AgentRunId, Slug};
use timeloom_projections::AsOf;
use timeloom_store::{Filter, Position, Subscription, SubscriptionMessage, TenantScope};
use uuid::Uuid;

pub(crate) use self::agent::Agent;
use self::inputs::{
    AgentRunReasonInput, ClearAgentMemoryInput, ConfigureAgentInput, DeprecateAgentInput, ForkAgentRunInput,
    GiveApprovalInput, PublishAgentVersionInput, RegisterAgentInput, ResumeAgentRunInput, RetireAgentInput,
    StartAgentRunInput,
};
pub use self::query::AgentQuery;
pub(crate) use self::run::stream as agent_run_stream;
use self::run::{AgentRun, agent_run};
use super::faults::{coded, fault, fell_behind};
use super::payloads::{ShownId, UserError, payload, refused, user_error};
use super::reading::{rows, state};
use super::start::WaitFor;
use crate::state::ApiState;

/// Longest time that a caller may wait, in milliseconds.
const TIMEOUT_MAX_MS: u64 = 300_000;
/// Ends of one run that may queue up for a caller.
const QUEUE_EVENTS_MAX: usize = 8;
/// The events that end a run.
pub(crate) const AGENT_RUN_ENDS: [&str; 3] = ["AgentRunCompleted", "AgentRunFailed", "AgentRunCancelled"];

payload! {
    /// What a command on an agent came to.
    AgentPayload {
        name: Slug => String,
        /// The agent, from the read models: asking for it waits until they show `position`.
        agent: Agent = agent
    }
}
payload! {
    /// What a command on a run of an agent came to.
    AgentRunPayload {
        run_id: AgentRunId => Uuid,
        /// The run, from the read models: asking for it waits until they show `position`.
        run: AgentRun = agent_run
    }
}

impl ShownId for AgentRunId {
    type Shown = Uuid;

    fn shown(&self) -> Uuid {
        self.0
    }
}

/// A name as the domain takes it, or the payload that says why not.
macro_rules! slug {
    ($name:expr, $payload:ident) => {
        match Slug::try_new($name) {
            Ok(name) => name,
            Err(error) => return Ok($payload::from(refused("INVALID_NAME", error.to_string()))),
        }
    };
}

/// The payload that says what its sender may not do, before anything of what they sent is looked at.
macro_rules! allowed {
    ($asked:ident, $permission:ident, $payload:ident) => {
        if let Err(forbidden) = $asked.require(Permission::$permission) {
            return Ok($payload::from(UserError::from(Refusal::from(forbidden))));
        }
    };
}

/// One agent as of a moment.
pub(crate) async fn agent(state: &ApiState, name: Slug, as_of: AsOf) -> Result<Option<Agent>> {
    Ok(rows(state.read_models().agent(state.tenant(), &name, as_of).await)?.map(|row| Agent { row, as_of }))
}

/// What a command looked up; nothing where it is not there.
fn found<T>(result: Result<T, CommandError>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(CommandError::Refused(refusal)) if refusal.code == "AGENT_RUN_NOT_FOUND" => Ok(None),
        Err(CommandError::Refused(refusal)) => Err(coded(refusal.code, refusal.message)),
        Err(error) => {
            user_error(error)?;
            Err(coded("BUSY", "the server is busy: try again"))
        }
    }
}

/// The changes of agents and their runs.
#[derive(Debug, Default)]
pub struct AgentMutation;

#[Object]
impl AgentMutation {
    /// Takes a name for an agent.
    async fn register_agent(&self, context: &Context<'_>, input: RegisterAgentInput) -> Result<AgentPayload> {
        let (state, name) = (state(context)?, slug!(input.name, AgentPayload));
        let context = state.context(input.command_id);
        AgentPayload::of(state.commands().register_agent(&context, name, input.description, input.owner).await)
    }

    /// Lets a version of an agent come out; runs take it from then on. Its schemas are checked, its configuration against
    /// them.
    async fn publish_agent_version(
        &self,
        context: &Context<'_>,
        input: PublishAgentVersionInput,
    ) -> Result<AgentPayload> {
        let (state, name) = (state(context)?, slug!(input.name, AgentPayload));
        let asked = state.context_at(input.command_id, input.expected_revision);
        allowed!(asked, RegistryWrite, AgentPayload);
        let record = match AgentRecord::read(input.record) {
            Ok(record) => record,
            Err(invalid) => return Ok(AgentPayload::from(refused("INVALID_AGENT", invalid.to_string()))),
        };
        AgentPayload::of(state.commands().publish_agent_version(&asked, name, record).await)
    }

    /// Lets runs of an agent begin with another configuration, which has to fit its schema.
    async fn configure_agent(&self, context: &Context<'_>, input: ConfigureAgentInput) -> Result<AgentPayload> {
        let (state, name) = (state(context)?, slug!(input.name, AgentPayload));
        let asked = state.context_at(input.command_id, input.expected_revision);
        allowed!(asked, RegistryWrite, AgentPayload);
        let serde_json::Value::Object(config) = input.config else {
            return Ok(AgentPayload::from(refused("INVALID_CONFIG", "the configuration is no JSON object")));
        };
        AgentPayload::of(state.commands().configure_agent(&asked, name, config).await)
    }

    /// Says that an agent should not be used any more. It still can be.
    async fn deprecate_agent(&self, context: &Context<'_>, input: DeprecateAgentInput) -> Result<AgentPayload> {
        let (state, name) = (state(context)?, slug!(input.name, AgentPayload));
        let replacement = match input.replacement {
            Some(replacement) => Some(slug!(replacement, AgentPayload)),
            None => None,
        };
        let asked = state.context_at(input.command_id, input.expected_revision);
        AgentPayload::of(state.commands().deprecate_agent(&asked, name, input.reason, replacement).await)
    }

    /// Puts an agent away for good. Runs that are under way go on.
    async fn retire_agent(&self, context: &Context<'_>, input: RetireAgentInput) -> Result<AgentPayload> {
        let (state, name) = (state(context)?, slug!(input.name, AgentPayload));
        let asked = state.context_at(input.command_id, input.expected_revision);
        AgentPayload::of(state.commands().retire_agent(&asked, name).await)
    }

    /// Lets an agent forget what was said in a session.
    async fn clear_agent_memory(&self, context: &Context<'_>, input: ClearAgentMemoryInput) -> Result<AgentPayload> {
        let (state, name) = (state(context)?, slug!(input.name, AgentPayload));
        let asked = state.context(input.command_id);
        let clear = AgentMemoryCommand::Clear;
        let cleared = state.commands().change_agent_memory(&asked, &name, &input.session, clear).await;
        AgentPayload::of(cleared.map(|outcome| outcome.with(name)))
    }

    /// Begins a run of an agent, and waits for its end where that is asked for.
    async fn start_agent_run(&self, context: &Context<'_>, input: StartAgentRunInput) -> Result<AgentRunPayload> {
        let (state, agent) = (state(context)?, slug!(input.agent, AgentRunPayload));
        let asked = state.context(input.command_id);
        let id = AgentRunId(asked.command_id.0);
        let waiting = match Waiting::begin(state, id, input.wait_for, input.timeout_ms) {
            Ok(waiting) => waiting,
            Err(refusal) => return Ok(refusal),
        };
        let start = StartAgentRun {
            run_id: Some(id),
            agent,
            version: input.version,
            record: None,
            input: input.input,
            session: input.session,
            caller: None,
        };
        waiting.until_over(state, state.commands().start_agent_run(&asked, start).await).await
    }

    /// Begins a run that goes on from a turn of another one, with something changed. What was said and done before is taken
    /// from its records; from there on the model is asked anew.
    async fn fork_agent_run(&self, context: &Context<'_>, input: ForkAgentRunInput) -> Result<AgentRunPayload> {
        let state = state(context)?;
        let asked = state.context(input.command_id);
        let id = AgentRunId(asked.command_id.0);
        allowed!(asked, ExecutionRun, AgentRunPayload);
        let waiting = match Waiting::begin(state, id, input.wait_for, input.timeout_ms) {
            Ok(waiting) => waiting,
            Err(refusal) => return Ok(refusal),
        };
        let change = |input: inputs::ToolResultInput| ToolResultChange { call: input.call, content: input.content };
        let fork = ForkAgentRun {
            new_id: Some(id),
            run: AgentRunId(input.run_id),
            at: input.turn.map_or(AgentForkTurn::Natural, AgentForkTurn::Turn),
            prompt: input.prompt,
            model: input.model,
            limits: input.limits,
            tool_results: input.tool_results.into_iter().map(change).collect(),
            reason: input.reason,
        };
        waiting.until_over(state, state.commands().fork_agent_run(&asked, fork).await).await
    }

    /// Lets a call of a tool happen that waits for approval, or not. Agents cannot.
    async fn give_approval(&self, context: &Context<'_>, input: GiveApprovalInput) -> Result<AgentRunPayload> {
        let state = state(context)?;
        let (asked, id) = (state.context(input.command_id), AgentRunId(input.run_id));
        let answered = state.commands().answer_agent_approval(&asked, id, input.call, input.approves, input.note);
        AgentRunPayload::of(answered.await)
    }

    /// Ends a run. What is under way is given up.
    async fn cancel_agent_run(&self, context: &Context<'_>, input: AgentRunReasonInput) -> Result<AgentRunPayload> {
        let state = state(context)?;
        let (asked, id) = (state.context(input.command_id), AgentRunId(input.run_id));
        AgentRunPayload::of(state.commands().cancel_agent_run(&asked, id, input.reason).await)
    }

    /// Lets a run stand still after what is under way.
    async fn pause_agent_run(&self, context: &Context<'_>, input: AgentRunReasonInput) -> Result<AgentRunPayload> {
        let state = state(context)?;
        let (asked, id) = (state.context(input.command_id), AgentRunId(input.run_id));
        AgentRunPayload::of(state.commands().pause_agent_run(&asked, id, input.reason).await)
    }

    /// Lets a paused run go on.
    async fn resume_agent_run(&self, context: &Context<'_>, input: ResumeAgentRunInput) -> Result<AgentRunPayload> {
        let state = state(context)?;
        let (asked, id) = (state.context(input.command_id), AgentRunId(input.run_id));
        AgentRunPayload::of(state.commands().resume_agent_run(&asked, id).await)
    }
}

/// Somebody who waits for the end of a run, or does not.
struct Waiting {
    id: AgentRunId,
    /// There before the command: an end cannot be missed.
    listening: Option<(Subscription, Duration)>,
}

impl Waiting {
    fn begin(
        state: &ApiState,
        id: AgentRunId,
        wait_for: WaitFor,
        timeout_ms: u64,
    ) -> std::result::Result<Self, AgentRunPayload> {
        if timeout_ms > TIMEOUT_MAX_MS {
            let message = format!("timeoutMs is {timeout_ms}, at most {TIMEOUT_MAX_MS} are allowed");
            return Err(refused("TIMEOUT_TOO_LONG", message).into());
        }
        let waits = wait_for == WaitFor::Completed;
        let timeout = Duration::from_millis(timeout_ms);
        let listening = waits.then(|| (subscribe(state, id, state.log().head()), timeout));
        Ok(Self { id, listening })
    }

    /// What the command came to, at the position of the run's end where that came in time.
    async fn until_over(
        self,
        state: &ApiState,
        result: std::result::Result<Outcome<AgentRunId>, CommandError>,
    ) -> Result<AgentRunPayload> {
        let mut payload = AgentRunPayload::of(result)?;
        let Some((mut subscription, timeout)) = self.listening.filter(|_| payload.id.is_some()) else {
            return Ok(payload);
        };
        if payload.written.repeated {
            subscription = subscribe(state, self.id, Position::START);
        }
        let end = async {
            loop {
                match subscription.next().await {
                    Some(SubscriptionMessage::Event(event)) => return Ok((event.position, event.revision)),
                    Some(SubscriptionMessage::Checkpoint(_) | SubscriptionMessage::CaughtUp(_)) => {}
                    Some(SubscriptionMessage::FellBehind(last)) => return Err(fell_behind(last)),
                    Some(SubscriptionMessage::Failed(error)) => return Err(fault(&error)),
                    None => {
                        return Err(coded("CLOSING", "the server is shutting down: the run goes on after its start"));
                    }
                }
            }
        };
        if let Ok(ended) = tokio::time::timeout(timeout, end).await {
            let (position, revision) = ended?;
            (payload.written.position, payload.written.revision) = (Some(position), Some(revision));
        }
        Ok(payload)
    }
}

fn subscribe(state: &ApiState, id: AgentRunId, after: Position) -> Subscription {
    let event_types = AGENT_RUN_ENDS.map(Arc::from).to_vec();
    let filter = Filter { categories: Vec::new(), event_types, stream: Some(run::stream(state, id)) };
    state.log().subscribe(TenantScope::One(state.tenant()), after, filter, QUEUE_EVENTS_MAX)
}
