//! Which events may come next, and the decisions on what people ask.

use super::action::AgentAction;
use super::command::AgentRunCommand;
use super::event::AgentRunEvent;
use super::refusal::AgentRunRefusal;
use super::state::{AgentRun, AgentRunStatus, CallState, ToolCall};
use crate::agent::REASON_CHARACTERS_MAX;
use crate::event::Aggregate;

impl AgentRun {
    /// Whether `event` may come next: whether it is what came of what was next.
    pub fn admits(&self, event: &AgentRunEvent) -> bool {
        let is_new = self.status == AgentRunStatus::New;
        let is_paused = self.status == AgentRunStatus::Paused;
        let may_end = !is_new && !self.status.is_over();
        let next = || self.next(event.at_ms());
        let is_called = |name: &str| self.calls_state(name).is_some_and(|state| *state == CallState::Called);
        match event {
            AgentRunEvent::AgentRunStarted(_) | AgentRunEvent::AgentRunForked(_) => is_new,
            AgentRunEvent::AgentMemoryRead { .. } => next() == AgentAction::ReadMemory,
            AgentRunEvent::AgentToolsListed { tool, tools, .. } => {
                next() == AgentAction::ListTools { grant: tool.clone() } && self.tools_of(tool, tools).is_ok()
            }
            AgentRunEvent::AgentModelAsked { turn, attempt, request_digest, .. } => {
                let (turn, attempt) = (*turn, *attempt);
                next() == AgentAction::AskModel { turn, attempt } && *request_digest == self.request_digest()
            }
            AgentRunEvent::AgentModelAnswered { turn, .. } | AgentRunEvent::AgentModelFailed { turn, .. } => {
                may_end && self.asked.is_some() && *turn == self.turn
            }
            AgentRunEvent::AgentOutputRejected { .. } | AgentRunEvent::AgentRunCompleted { .. } => {
                matches!(next(), AgentAction::Conclude { .. })
            }
            AgentRunEvent::AgentMemoryWritten { .. } => {
                matches!(next(), AgentAction::Conclude { remembers: true, .. })
            }
            // What does not fit the schema is found out by who carries out.
            AgentRunEvent::AgentToolRefused { call, .. } => {
                may_end && !is_paused && self.open_call().is_some_and(|open| open.call == *call && open.attempts == 0)
            }
            AgentRunEvent::AgentApprovalRequested { call, arguments, reason, .. } => {
                let (call, arguments, reason) = (call.clone(), arguments.clone(), *reason);
                next() == AgentAction::AskSomebody { call, arguments, reason }
            }
            AgentRunEvent::AgentApprovalGiven { call, .. } | AgentRunEvent::AgentApprovalDenied { call, .. } => {
                may_end && matches!(self.calls_state(call), Some(CallState::Asked { .. }))
            }
            AgentRunEvent::AgentToolCalled { call, arguments, attempt, .. } => {
                let (call, arguments, attempt) = (call.clone(), arguments.clone(), *attempt);
                next() == AgentAction::CallTool { call, arguments, attempt }
            }
            AgentRunEvent::AgentToolAnswered { call, .. } | AgentRunEvent::AgentToolFailed { call, .. } => {
                may_end && is_called(call)
            }
            AgentRunEvent::AgentRunPaused { .. } => may_end && !is_paused,
            AgentRunEvent::AgentRunResumed { .. } => is_paused,
            AgentRunEvent::AgentRunCancelled { .. } | AgentRunEvent::AgentRunFailed { .. } => may_end,
        }
    }

    fn calls_state(&self, call: &str) -> Option<&CallState> {
        self.call(call).map(|call| &call.state)
    }

    /// The call about which somebody is asked.
    fn asked_about(&self, wanted: Option<&str>, now_ms: i64) -> Result<&ToolCall, AgentRunRefusal> {
        let open = self.open_call().filter(|call| wanted.is_none_or(|wanted| call.call == wanted));
        match open.map(|call| (call, &call.state)) {
            Some((_, CallState::Asked { expires_at_ms, .. })) if now_ms >= *expires_at_ms => {
                Err(AgentRunRefusal::ApprovalExpired)
            }
            Some((call, CallState::Asked { .. })) => Ok(call),
            _ => Err(AgentRunRefusal::NothingToApprove(wanted.map(str::to_owned))),
        }
    }

    fn check_open(&self) -> Result<(), AgentRunRefusal> {
        match self.status {
            AgentRunStatus::New => Err(AgentRunRefusal::NotFound),
            status if status.is_over() => Err(AgentRunRefusal::Over(status)),
            _ => Ok(()),
        }
    }
}

impl Aggregate for AgentRun {
    const FOLD_VERSION: u32 = 3;

    type Event = AgentRunEvent;
    type Command = AgentRunCommand;
    type Refusal = AgentRunRefusal;

    fn apply(&mut self, event: &AgentRunEvent) {
        self.fold(event);
    }

    fn decide(&self, command: &AgentRunCommand) -> Result<Vec<AgentRunEvent>, AgentRunRefusal> {
        let event = match command {
            AgentRunCommand::Start(_) | AgentRunCommand::Fork(_) if self.facts.is_some() => {
                return Err(AgentRunRefusal::AlreadyExists);
            }
            AgentRunCommand::Start(facts) => AgentRunEvent::AgentRunStarted(facts.clone()),
            AgentRunCommand::Fork(fork) => AgentRunEvent::AgentRunForked(fork.clone()),
            AgentRunCommand::Take(event) => {
                self.check_open()?;
                if !self.admits(event) {
                    return Err(AgentRunRefusal::OutOfTurn);
                }
                (**event).clone()
            }
            AgentRunCommand::Cancel { .. } if self.status == AgentRunStatus::Cancelled => return Ok(Vec::new()),
            AgentRunCommand::Pause { .. } if self.status == AgentRunStatus::Paused => return Ok(Vec::new()),
            _ => {
                self.check_open()?;
                self.decide_for_people(command)?
            }
        };
        Ok(vec![event])
    }
}

impl AgentRun {
    fn decide_for_people(&self, command: &AgentRunCommand) -> Result<AgentRunEvent, AgentRunRefusal> {
        Ok(match command {
            AgentRunCommand::Approve { call, note, at_ms } => {
                let call = self.asked_about(call.as_deref(), *at_ms)?.call.clone();
                let note = note.chars().take(REASON_CHARACTERS_MAX).collect();
                AgentRunEvent::AgentApprovalGiven { call, note, at_ms: *at_ms }
            }
            AgentRunCommand::Deny { call, reason, at_ms } => {
                let call = self.asked_about(call.as_deref(), *at_ms)?.call.clone();
                AgentRunEvent::AgentApprovalDenied { call, reason: reason_of(reason)?, at_ms: *at_ms }
            }
            AgentRunCommand::Pause { reason, at_ms } => {
                AgentRunEvent::AgentRunPaused { reason: reason_of(reason)?, at_ms: *at_ms }
            }
            AgentRunCommand::Resume { at_ms } => match self.status {
                AgentRunStatus::Paused => AgentRunEvent::AgentRunResumed { at_ms: *at_ms },
                _ => return Err(AgentRunRefusal::NotPaused),
            },
            AgentRunCommand::Cancel { reason, at_ms } => {
                AgentRunEvent::AgentRunCancelled { reason: reason_of(reason)?, at_ms: *at_ms }
            }
            AgentRunCommand::Start(_) | AgentRunCommand::Fork(_) | AgentRunCommand::Take(_) => {
                return Err(AgentRunRefusal::OutOfTurn);
            }
        })
    }
}

fn reason_of(reason: &str) -> Result<String, AgentRunRefusal> {
    let reason = reason.trim();
    let characters = reason.chars().take(REASON_CHARACTERS_MAX + 1).count();
    if characters == 0 || characters > REASON_CHARACTERS_MAX {
        return Err(AgentRunRefusal::InvalidReason);
    }
    Ok(reason.to_owned())
}
