//! Drives one run: does what is next until there is nothing to do.

use std::future::Future;
use std::time::Duration;

use timeloom_commands::{CommandContext, CommandError};
use timeloom_domain::agent_run::{AgentAction, AgentRun, AgentRunEvent};
use timeloom_domain::ids::{Actor, AgentRunId, CommandId, EventId, TenantId};
use tokio::sync::{SemaphorePermit, watch};

use crate::AGENTS_ACTOR;
use crate::runs::AgentRuns;

/// Pause before the log is asked again that failed; it doubles each time.
const FAULT_PAUSE: Duration = Duration::from_millis(200);
/// Longest such pause.
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest rest for which a task is kept, in milliseconds. One for longer, or for somebody, is the follower's to end.
const KEPT_REST_MS_MAX: i64 = 10_000;
/// Time after which a run is looked at again that cannot go on, in milliseconds.
const STUCK_MS: i64 = 60_000;

/// One run, and what is needed to drive it.
pub(crate) struct Driver {
    pub(crate) runs: AgentRuns,
    pub(crate) tenant: TenantId,
    pub(crate) run: AgentRunId,
    /// The event with which it began.
    pub(crate) begun_by: EventId,
    pub(crate) correlation: EventId,
    /// Told of what people say.
    pub(crate) heard: watch::Receiver<u64>,
}

/// What became of an event that was to be written down.
pub(crate) enum Taken {
    /// It is, or there is nothing more to do here: look again.
    Look,
    /// Somebody else was first, or the run stands still or is over: what was to be begun is not.
    Otherwise,
    /// It cannot be: this is why.
    Refused(String),
}

/// Why a run is not driven any further.
pub(crate) enum Left {
    /// It is over.
    Over,
    /// It is not this process's any more.
    Elsewhere,
    /// There is nothing to do before that time, in milliseconds since 1970, or before somebody says something.
    Rests(Option<i64>),
}

impl Driver {
    /// Drives the run as far as it goes. Answers how many words were heard of it before it was looked at last.
    pub(crate) async fn drive(&mut self) -> (u64, Left) {
        loop {
            let inner = &self.runs.inner;
            let heard = *self.heard.borrow_and_update();
            if inner.stopping.is_cancelled() || !(inner.parts.drives)(&self.run.to_string()) {
                return (heard, Left::Elsewhere);
            }
            let run = self.load().await;
            let taken = match run.next(self.now_ms()) {
                AgentAction::Nothing => return (heard, Left::Over),
                AgentAction::Rest(until_ms) if self.rest(until_ms).await => continue,
                AgentAction::Rest(until_ms) => return (heard, Left::Rests(until_ms)),
                action => self.step(run, action).await,
            };
            if let Taken::Refused(why) = taken {
                tracing::warn!(run = %self.run, why, "a run of an agent cannot go on");
                let message = format!("what came of it cannot be written down: {why}");
                let failed =
                    AgentRunEvent::AgentRunFailed { code: "NOT_RECORDED".to_owned(), message, at_ms: self.now_ms() };
                if let Taken::Refused(why) = self.take(failed).await {
                    tracing::error!(run = %self.run, why, "a run of an agent stands still");
                    return (heard, Left::Rests(Some(self.now_ms().saturating_add(STUCK_MS))));
                }
            }
        }
    }

    /// Does one thing, with a place among those that are done at once.
    async fn step(&self, run: AgentRun, action: AgentAction) -> Taken {
        let steps = &self.runs.inner.steps;
        if let Ok(place) = steps.try_acquire() {
            return self.act(&run, action, place).await;
        }
        let Ok(place) = steps.acquire().await else { return Taken::Look };
        // Somebody may have ended the run while it waited for its place.
        let run = self.load().await;
        let action = run.next(self.now_ms());
        self.act(&run, action, place).await
    }

    async fn act(&self, run: &AgentRun, action: AgentAction, place: SemaphorePermit<'_>) -> Taken {
        let at_ms = self.now_ms();
        match action {
            AgentAction::Nothing | AgentAction::Rest(_) => Taken::Look,
            AgentAction::ReadMemory => self.read_memory(run).await,
            AgentAction::ListTools { grant } => self.list_tools(run, grant).await,
            AgentAction::AskModel { turn, attempt } => self.ask(run, turn, attempt).await,
            AgentAction::Refuse { call, code, message } => self.refuse(run, call, code, message).await,
            AgentAction::AskSomebody { call, arguments, reason } => {
                if let Some(why) = self.misfit(run, &call) {
                    return self.refuse(run, call, "INVALID_ARGUMENTS", why).await;
                }
                let time_ms = run.facts.as_deref().map_or(0, |facts| facts.plan.limits.approval_time_ms);
                let expires_at_ms = at_ms.saturating_add(i64::try_from(time_ms).unwrap_or(i64::MAX));
                let tool = tool_of(run, &call);
                self.take(AgentRunEvent::AgentApprovalRequested { call, tool, arguments, reason, expires_at_ms, at_ms })
                    .await
            }
            AgentAction::CallTool { call, arguments, attempt } => {
                if let Some(why) = self.misfit(run, &call).filter(|_| attempt == 1) {
                    return self.refuse(run, call, "INVALID_ARGUMENTS", why).await;
                }
                self.call(run, call, arguments, attempt, place).await
            }
            AgentAction::GiveUp { call } => {
                let message =
                    "it was begun several times and cut off each time: nobody knows what came of it".to_owned();
                self.take(AgentRunEvent::AgentToolFailed { call, code: "INTERRUPTED".to_owned(), message, at_ms }).await
            }
            AgentAction::Conclude { text, remembers } => self.conclude(run, text, remembers).await,
            AgentAction::Fail { code, message } => {
                self.take(AgentRunEvent::AgentRunFailed { code, message, at_ms }).await
            }
        }
    }

    async fn refuse(&self, run: &AgentRun, call: String, code: &str, message: String) -> Taken {
        let (tool, code, at_ms) = (tool_of(run, &call), code.to_owned(), self.now_ms());
        self.take(AgentRunEvent::AgentToolRefused { call, tool, code, message, at_ms }).await
    }

    /// What something comes to that takes its time; `None` where the run is over before.
    pub(crate) async fn unless_over<T>(&self, doing: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(doing);
        let mut heard = self.heard.clone();
        loop {
            tokio::select! {
                done = &mut doing => return Some(done),
                changed = heard.changed() => {
                    if self.load().await.status.is_over() {
                        return None;
                    }
                    // Nobody tells any more: this process stops.
                    if changed.is_err() {
                        return Some(doing.await);
                    }
                }
            }
        }
    }

    /// Rests until a time, where it is near, or until somebody says something. False where it does not.
    async fn rest(&mut self, until_ms: Option<i64>) -> bool {
        let left_ms = until_ms.map(|until_ms| until_ms.saturating_sub(self.now_ms()));
        let Some(left_ms) = left_ms.filter(|left_ms| *left_ms <= KEPT_REST_MS_MAX) else { return false };
        let sleep = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).max(1));
        let _ = tokio::time::timeout(sleep, self.heard.changed()).await;
        true
    }

    /// The run as the log has it.
    async fn load(&self) -> AgentRun {
        let mut pause = FAULT_PAUSE;
        loop {
            match self.runs.inner.parts.commands.agent_run(&self.context(), self.run).await {
                Ok(found) => return found.aggregate.clone(),
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
    }

    /// Writes down what came of an action.
    pub(crate) async fn take(&self, event: AgentRunEvent) -> Taken {
        let (context, mut pause) = (self.context(), FAULT_PAUSE);
        loop {
            match self.runs.inner.parts.commands.take_agent_run_event(&context, self.run, event.clone()).await {
                Ok(_) => return Taken::Look,
                // Somebody else was first, or ended the run.
                Err(CommandError::Refused(refusal)) if refusal.code.starts_with("AGENT_RUN_") => {
                    tracing::debug!(run = %self.run, %refusal, "a run of an agent went on otherwise");
                    return Taken::Otherwise;
                }
                Err(CommandError::Refused(refusal)) => return Taken::Refused(refusal.message),
                Err(error) => wait_out(&error, &mut pause).await,
            }
        }
    }

    /// A command of this run.
    pub(crate) fn context(&self) -> CommandContext {
        let command_id = CommandId(self.runs.inner.parts.commands.ids().uuid());
        CommandContext {
            causation_id: Some(self.begun_by),
            correlation_id: Some(self.correlation),
            ..CommandContext::trusted(self.tenant, Actor::System(AGENTS_ACTOR.to_owned()), command_id)
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.runs.inner.parts.commands.clock().now_ms()
    }

    /// How long the run may go on.
    pub(crate) fn time_left(&self, run: &AgentRun) -> Duration {
        let left_ms = run.deadline_ms().map_or(0, |deadline_ms| deadline_ms.saturating_sub(self.now_ms()));
        // One more, so that the limit is over when it is looked at again.
        Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).saturating_add(1))
    }
}

pub(crate) fn tool_of(run: &AgentRun, call: &str) -> String {
    run.call(call).map(|call| call.tool.chars().take(64).collect()).unwrap_or_default()
}

/// Waits before another try, each time longer.
pub(crate) async fn wait_out(error: &CommandError, pause: &mut Duration) {
    tracing::warn!(%error, "the log does not take what came of a run of an agent; trying again");
    tokio::time::sleep(*pause).await;
    *pause = (2 * *pause).min(FAULT_PAUSE_MAX);
}
