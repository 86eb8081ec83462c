//! Commands on runs of agents.

use std::sync::Arc;

use serde_json::Value;
use timeloom_domain::access::Permission;
use timeloom_domain::agent::{Agent, AgentEvent, AgentRecord, PROMPT_BYTES_MAX};
use timeloom_domain::agent_memory::SESSION_CHARACTERS_MAX;
use timeloom_domain::agent_run::{
    AgentCaller, AgentForkChanges, AgentForkFacts, AgentPlan, AgentReplay, AgentRun, AgentRunCommand, AgentRunEvent,
    AgentRunFacts, AgentRunRefusal, INPUT_BYTES_MAX, InvalidFork, ToolResultChange, replayed,
};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::feature_flag::Feature;
use timeloom_domain::ids::{Actor, AgentRunId, Slug};
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::item::JsonObject;
use timeloom_store::log::READ_EVENTS_MAX;
use timeloom_store::{Direction, Revision, StreamKey, codec};

use super::{fits, naming};
use crate::bridge::{Base, StreamState};
use crate::execution::REASON_CHARACTERS_MAX;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// Most events of a run that is read as a whole.
const RUN_EVENTS_MAX: usize = 100_000;

/// The version of agents that nodes bring along.
const BROUGHT_ALONG: u32 = 0;

/// A run to begin.
#[derive(Debug, Clone)]
pub struct StartAgentRun {
    /// Its id; `None` takes the command's.
    pub run_id: Option<AgentRunId>,
    /// The agent.
    pub agent: Slug,
    /// The version; `None` takes the newest.
    pub version: Option<u32>,
    /// What the agent is, where a node brings it along: nobody registered it.
    pub record: Option<Box<AgentRecord>>,
    /// What it is given.
    pub input: Value,
    /// The session whose earlier runs are remembered.
    pub session: Option<String>,
    /// What of a workflow asks for it.
    pub caller: Option<AgentCaller>,
}

/// A fork to begin.
#[derive(Debug, Clone)]
pub struct ForkAgentRun {
    /// Id of the new run; `None` takes the command's.
    pub new_id: Option<AgentRunId>,
    /// The run from which it goes on.
    pub run: AgentRunId,
    /// With which turn it begins.
    pub at: AgentForkTurn,
    /// What the model is told to be and do.
    pub prompt: Option<String>,
    /// The route by which the model is asked.
    pub model: Option<String>,
    /// How far it may go.
    pub limits: Option<Value>,
    /// What tools are to have given in the turn before.
    pub tool_results: Vec<ToolResultChange>,
    /// Why, for those who read its history.
    pub reason: String,
}

/// With which turn a fork begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentForkTurn {
    /// The one after the calls whose results are changed; where none are, the first.
    Natural,
    /// This one; 1 is the first.
    Turn(u32),
}

impl Commands {
    /// Begins a run of an agent. Whoever drives agents goes on from its first event.
    ///
    /// # Errors
    /// A refusal where there is no such agent or version, or the input does not fit; a conflict or fault.
    pub async fn start_agent_run(
        &self,
        context: &CommandContext,
        start: StartAgentRun,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        self.check_tenant(context)?;
        let id = start.run_id.unwrap_or(AgentRunId(context.command_id.0));
        let facts = match self.agent_run_facts(context, start).await {
            Ok(facts) => facts,
            // The agent may have changed since the command was carried out: its answer stays the same.
            Err(refused @ CommandError::Refused(_)) => return self.run_begun_before(context, id).await?.ok_or(refused),
            Err(error) => return Err(error),
        };
        let stream = self.stream::<AgentRunEvent>(context, id);
        let command = AgentRunCommand::Start(Box::new(facts));
        Ok(self.execute::<AgentRun>(context, stream, command, Base::New).await?.with(id))
    }

    /// Begins a run that goes on from a turn of another one. What was said and done before is taken over from its records.
    ///
    /// # Errors
    /// A refusal where there is no such run or turn; a conflict or fault.
    pub async fn fork_agent_run(
        &self,
        context: &CommandContext,
        fork: ForkAgentRun,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        if fork.limits.is_some() {
            // How far an agent may go is what its version says: who may not publish one may not say otherwise.
            context.require(Permission::RegistryWrite)?;
        }
        self.check_tenant(context)?;
        let id = fork.new_id.unwrap_or(AgentRunId(context.command_id.0));
        if let Some(begun) = self.run_begun_before(context, id).await? {
            return Ok(begun);
        }
        let facts = self.agent_fork_facts(context, fork).await?;
        let stream = self.stream::<AgentRunEvent>(context, id);
        let command = AgentRunCommand::Fork(Box::new(facts));
        Ok(self.execute::<AgentRun>(context, stream, command, Base::New).await?.with(id))
    }

    /// Lets a call of a tool happen that waits for approval, or not. `call` names the one that is meant.
    ///
    /// # Errors
    /// A refusal where nobody is asked, or an agent answers; a conflict or fault.
    pub async fn answer_agent_approval(
        &self,
        context: &CommandContext,
        run: AgentRunId,
        call: Option<String>,
        approves: bool,
        note: String,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        if matches!(context.actor, Actor::Agent(_)) {
            let message = "agents cannot approve what agents do: let a person answer";
            return Err(Refusal::new("APPROVAL_BY_AGENT", message).into());
        }
        let at_ms = self.clock().now_ms();
        let command = match approves {
            true => AgentRunCommand::Approve { call, note, at_ms },
            false => AgentRunCommand::Deny { call, reason: note, at_ms },
        };
        self.change_agent_run(context, run, command).await
    }

    /// Ends a run.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn cancel_agent_run(
        &self,
        context: &CommandContext,
        run: AgentRunId,
        reason: String,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        let at_ms = self.clock().now_ms();
        self.change_agent_run(context, run, AgentRunCommand::Cancel { reason, at_ms }).await
    }

    /// Lets a run stand still.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn pause_agent_run(
        &self,
        context: &CommandContext,
        run: AgentRunId,
        reason: String,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        let at_ms = self.clock().now_ms();
        self.change_agent_run(context, run, AgentRunCommand::Pause { reason, at_ms }).await
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn resume_agent_run(
        &self,
        context: &CommandContext,
        run: AgentRunId,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        let at_ms = self.clock().now_ms();
        self.change_agent_run(context, run, AgentRunCommand::Resume { at_ms }).await
    }

    /// Takes down what came of an action of a run. Only who drives it sends this.
    ///
    /// # Errors
    /// A refusal where that is not what was next; a conflict or fault.
    pub async fn take_agent_run_event(
        &self,
        context: &CommandContext,
        run: AgentRunId,
        event: AgentRunEvent,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        self.change_agent_run(context, run, AgentRunCommand::Take(Box::new(event))).await
    }

    /// A run as it is now.
    ///
    /// # Errors
    /// A fault.
    pub async fn agent_run(
        &self,
        context: &CommandContext,
        run: AgentRunId,
    ) -> Result<Arc<StreamState<AgentRun>>, CommandError> {
        self.load(&self.stream::<AgentRunEvent>(context, run)).await
    }

    /// Does a run again from its records, and answers whether they are what would have come. Nobody is asked, nothing called.
    ///
    /// # Errors
    /// A refusal where there is no such run; a fault.
    pub async fn replay_agent_run(
        &self,
        context: &CommandContext,
        run: AgentRunId,
    ) -> Result<AgentReplay, CommandError> {
        let events = self.agent_run_events(&self.stream::<AgentRunEvent>(context, run)).await?;
        if events.is_empty() {
            return Err(Refusal::from(AgentRunRefusal::NotFound).into());
        }
        Ok(replayed(&events))
    }

    async fn change_agent_run(
        &self,
        context: &CommandContext,
        run: AgentRunId,
        command: AgentRunCommand,
    ) -> Result<Outcome<AgentRunId>, CommandError> {
        context.require(Permission::ExecutionRun)?;
        let stream = self.stream::<AgentRunEvent>(context, run);
        Ok(self.execute::<AgentRun>(context, stream, command, Base::Current).await?.with(run))
    }

    async fn run_begun_before(
        &self,
        context: &CommandContext,
        id: AgentRunId,
    ) -> Result<Option<Outcome<AgentRunId>>, CommandError> {
        let stream = self.stream::<AgentRunEvent>(context, id);
        let first = self.inner.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?;
        let own = first.first().filter(|event| event.metadata.command_id == context.command_id);
        Ok(own.map(|own| Outcome { value: id, position: own.position, revision: own.revision, repeated: true }))
    }

    async fn agent_run_facts(
        &self,
        context: &CommandContext,
        start: StartAgentRun,
    ) -> Result<AgentRunFacts, CommandError> {
        self.check_has(context, &Feature::Agents).await?;
        let StartAgentRun { agent: name, version, record, input, session, caller, .. } = start;
        let Chosen { record, config, version, revision } = match record {
            Some(record) => brought_along(*record)?,
            None => self.registered(context, &name, version).await?,
        };
        let bytes = input.to_string().len();
        if bytes > INPUT_BYTES_MAX {
            let message = format!("the input has {bytes} bytes: at most {INPUT_BYTES_MAX} are allowed");
            return Err(Refusal::new("INPUT_TOO_LARGE", message).into());
        }
        fits("INVALID_INPUT", "the input", record.input_schema.as_ref(), &input)?;
        if session.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > SESSION_CHARACTERS_MAX) {
            let message = format!("a session has a name of 1 to {SESSION_CHARACTERS_MAX} characters");
            return Err(Refusal::new("INVALID_SESSION", message).into());
        }
        let prompt = match version {
            // What a workflow says is the prompt as it stands.
            BROUGHT_ALONG => record.prompt.clone(),
            _ => record.prompt_with(&config).map_err(|invalid| Refusal::new("INVALID_AGENT", invalid.to_string()))?,
        };
        let plan = AgentPlan {
            kind: record.kind,
            model: record.model,
            fallback: record.fallback,
            prompt_digest: digest_of(&prompt),
            prompt,
            sampling: record.sampling,
            output_schema: record.output_schema,
            tools: record.tools,
            memory: record.memory,
            limits: record.limits,
        };
        Ok(AgentRunFacts {
            agent: name,
            version,
            agent_revision: revision,
            plan: Box::new(plan),
            input,
            session,
            caller,
            seed: self.ids().seed(),
            at_ms: self.clock().now_ms(),
        })
    }

    async fn registered(
        &self,
        context: &CommandContext,
        name: &Slug,
        version: Option<u32>,
    ) -> Result<Chosen, CommandError> {
        let agent = self.load::<Agent>(&self.stream::<AgentEvent>(context, name)).await?;
        let found = agent.aggregate.runnable(version).map_err(|refusal| naming(Refusal::from(refusal).into(), name))?;
        let is_newest = agent.aggregate.versions.last().is_some_and(|newest| newest.version == found.version);
        let config = if is_newest { &agent.aggregate.config } else { &found.record.config };
        let (record, config, version) = (found.record.clone(), config.clone(), found.version);
        Ok(Chosen { record: *record, config, version, revision: agent.revision.0 })
    }

    async fn agent_fork_facts(
        &self,
        context: &CommandContext,
        fork: ForkAgentRun,
    ) -> Result<AgentForkFacts, CommandError> {
        self.check_has(context, &Feature::Agents).await?;
        let refused = |refusal: AgentRunRefusal| CommandError::from(Refusal::from(refusal));
        let events = self.agent_run_events(&self.stream::<AgentRunEvent>(context, fork.run)).await?;
        let turn = turn_of(&fork, &events).map_err(|invalid| refused(invalid.into()))?;
        let (source, revision) = before_turn(&events, turn).map_err(refused)?;
        let carried = source.carried(&fork.tool_results).map_err(|invalid| refused(invalid.into()))?;
        let mut facts = source.facts.clone().ok_or_else(|| refused(AgentRunRefusal::NotFound))?;
        let ForkAgentRun { run, prompt, model, limits, tool_results, reason, .. } = fork;
        let invalid = |message: String| Refusal::new("INVALID_FORK", message);
        if let Some(prompt) = &prompt {
            if prompt.len() > PROMPT_BYTES_MAX {
                return Err(invalid(format!("the prompt has more than {PROMPT_BYTES_MAX} bytes")).into());
            }
            (facts.plan.prompt_digest, facts.plan.prompt) = (digest_of(prompt), prompt.clone());
        }
        if let Some(model) = &model {
            if model.trim().is_empty() {
                return Err(invalid("the model has no name: name a route of the gateway".to_owned()).into());
            }
            facts.plan.model.clone_from(model);
        }
        let limits = limits.map(|changes| facts.plan.limits.changed(changes)).transpose();
        let limits = limits.map_err(|wrong| invalid(wrong.to_string()))?;
        if let Some(limits) = &limits {
            facts.plan.limits.clone_from(limits);
        }
        (facts.at_ms, facts.seed, facts.caller) = (self.clock().now_ms(), self.ids().seed(), None);
        Ok(AgentForkFacts {
            of: run,
            origin: source.lineage.map_or(run, |lineage| lineage.origin),
            revision,
            turn,
            reason: reason.chars().take(REASON_CHARACTERS_MAX).collect(),
            changes: AgentForkChanges { prompt, model, limits, tool_results },
            facts,
            carried: Box::new(carried),
        })
    }

    async fn agent_run_events(&self, stream: &StreamKey) -> Result<Vec<AgentRunEvent>, CommandError> {
        let (mut events, mut after) = (Vec::new(), Revision::default());
        while events.len() < RUN_EVENTS_MAX {
            let read = self.inner.log.read_stream(stream, after, Direction::Forward, READ_EVENTS_MAX).await?;
            for recorded in &read {
                events.push(codec::decode::<AgentRunEvent>(recorded)?);
            }
            match read.last() {
                Some(last) if read.len() == READ_EVENTS_MAX => after = last.revision,
                _ => break,
            }
        }
        Ok(events)
    }
}

/// What an agent is at the beginning of a run.
struct Chosen {
    record: AgentRecord,
    config: JsonObject,
    version: u32,
    revision: u64,
}

fn brought_along(record: AgentRecord) -> Result<Chosen, Refusal> {
    record.check().map_err(|invalid| Refusal::new("INVALID_AGENT", invalid.to_string()))?;
    for schema in record.output_schema.iter().chain(record.tools.iter().map(|tool| &tool.parameters)) {
        super::schema::check_schema(schema).map_err(|why| Refusal::new("INVALID_AGENT", why))?;
    }
    Ok(Chosen { record, config: JsonObject::new(), version: BROUGHT_ALONG, revision: 0 })
}

/// The turn that a fork begins with.
fn turn_of(fork: &ForkAgentRun, events: &[AgentRunEvent]) -> Result<u32, InvalidFork> {
    let first = events.first().map_or(1, |event| match event {
        AgentRunEvent::AgentRunForked(fork) => fork.turn,
        _ => 1,
    });
    match (fork.at, fork.tool_results.first()) {
        (AgentForkTurn::Turn(turn), _) => Ok(turn),
        (AgentForkTurn::Natural, None) => Ok(first),
        (AgentForkTurn::Natural, Some(change)) => {
            let turn = change.call.split('.').next().and_then(|turn| turn.parse::<u32>().ok());
            Ok(turn.ok_or_else(|| InvalidFork::NoCall(change.call.chars().take(64).collect()))?.saturating_add(1))
        }
    }
}

/// A run as it was before a turn, and the revision of its last event then.
fn before_turn(events: &[AgentRunEvent], turn: u32) -> Result<(AgentRun, u64), AgentRunRefusal> {
    let (mut run, mut revision) = (AgentRun::default(), 0);
    for event in events {
        if matches!(event, AgentRunEvent::AgentModelAsked { turn: asked, .. } if *asked >= turn) {
            break;
        }
        run.apply(event);
        revision += 1;
    }
    match run.facts.is_some() {
        false => Err(AgentRunRefusal::NotFound),
        true if run.is_before(turn) => Ok((run, revision)),
        true => Err(InvalidFork::NoTurn(turn, run.turn).into()),
    }
}

fn digest_of(prompt: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hexadecimal(&Sha256::digest(prompt.as_bytes()))
}
