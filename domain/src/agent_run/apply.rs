//! Folds events into a run.

use super::event::{AgentRunEvent, ApprovalReason, ModelTurn};
use super::facts::AgentCarried;
use super::request::result_message;
use super::state::{AgentLineage, AgentRun, AgentRunStatus, CallState, ToolCall};
use super::{ANSWER_BYTES_MAX, CALLS_PER_TURN_MAX};
use crate::chat::{FinishReason, Message, Part, Role};

impl AgentRun {
    /// Folds one event in.
    pub(super) fn fold(&mut self, event: &AgentRunEvent) {
        match event {
            AgentRunEvent::AgentRunStarted(facts) => {
                self.facts = Some(facts.clone());
                (self.status, self.turn) = (AgentRunStatus::Running, 1);
            }
            AgentRunEvent::AgentRunForked(fork) => {
                self.facts = Some(fork.facts.clone());
                (self.status, self.turn) = (AgentRunStatus::Running, fork.turn);
                let (of, origin, revision, turn) = (fork.of, fork.origin, fork.revision, fork.turn);
                self.lineage = Some(AgentLineage { of, origin, revision, turn });
                self.carry(&fork.carried);
            }
            AgentRunEvent::AgentMemoryRead { exchanges, .. } => self.memory = Some(exchanges.clone()),
            AgentRunEvent::AgentMemoryWritten { .. } => self.remembered = true,
            AgentRunEvent::AgentToolsListed { tool, digest, tools, .. } => self.fold_list(tool, digest, tools),
            AgentRunEvent::AgentModelAsked { .. }
            | AgentRunEvent::AgentModelAnswered { .. }
            | AgentRunEvent::AgentModelFailed { .. }
            | AgentRunEvent::AgentOutputRejected { .. } => self.fold_question(event),
            AgentRunEvent::AgentToolRefused { .. }
            | AgentRunEvent::AgentApprovalRequested { .. }
            | AgentRunEvent::AgentApprovalGiven { .. }
            | AgentRunEvent::AgentApprovalDenied { .. }
            | AgentRunEvent::AgentToolCalled { .. }
            | AgentRunEvent::AgentToolAnswered { .. }
            | AgentRunEvent::AgentToolFailed { .. } => self.fold_call(event),
            AgentRunEvent::AgentRunPaused { at_ms, .. } => {
                (self.status, self.paused_at_ms) = (AgentRunStatus::Paused, Some(*at_ms));
            }
            AgentRunEvent::AgentRunResumed { at_ms } => self.resume(*at_ms),
            AgentRunEvent::AgentRunCancelled { reason, at_ms } => {
                self.failure = Some(("CANCELLED".to_owned(), reason.clone()));
                self.end(AgentRunStatus::Cancelled, *at_ms);
            }
            AgentRunEvent::AgentRunCompleted { output, at_ms } => {
                self.output = Some(output.clone());
                self.end(AgentRunStatus::Completed, *at_ms);
            }
            AgentRunEvent::AgentRunFailed { code, message, at_ms } => {
                self.failure = Some((code.clone(), message.clone()));
                self.end(AgentRunStatus::Failed, *at_ms);
            }
        }
    }

    fn carry(&mut self, carried: &AgentCarried) {
        let AgentCarried { memory, messages, last_calls, calls_by_tool, approved, repairs } = carried.clone();
        (self.memory, self.messages, self.last_calls) = (memory, messages, last_calls);
        (self.calls_by_tool, self.approved, self.repairs) = (calls_by_tool, approved, repairs);
        self.spent.tool_calls = self.calls_by_tool.values().sum();
    }

    fn fold_question(&mut self, event: &AgentRunEvent) {
        match event {
            AgentRunEvent::AgentModelAsked { attempt, .. } => {
                (self.asked, self.retry_at_ms) = (Some(*attempt), None);
            }
            AgentRunEvent::AgentModelAnswered { answer, .. } => self.answered(answer),
            AgentRunEvent::AgentModelFailed { code, message, retry_at_ms, .. } => {
                self.failures = self.asked.take().unwrap_or(self.failures.saturating_add(1));
                self.retry_at_ms = *retry_at_ms;
                if retry_at_ms.is_none() {
                    self.failed_for_good = Some((code.clone(), message.clone()));
                }
            }
            AgentRunEvent::AgentOutputRejected { message, .. } => {
                let told = format!("Your answer cannot be used: {message}\nAnswer again, with nothing but the answer.");
                self.messages.push(Message::text(Role::User, told));
                self.repairs = self.repairs.saturating_add(1);
                self.candidate = None;
                self.last_calls.clear();
                self.turn = self.turn.saturating_add(1);
            }
            _ => {}
        }
    }

    fn answered(&mut self, answer: &ModelTurn) {
        (self.asked, self.failures, self.retry_at_ms) = (None, 0, None);
        self.spent.turns = self.spent.turns.saturating_add(1);
        if let Some(usage) = answer.usage {
            self.spent.input_tokens = self.spent.input_tokens.saturating_add(usage.input_tokens);
            self.spent.output_tokens = self.spent.output_tokens.saturating_add(usage.output_tokens);
        }
        self.spent.cost = self.spent.cost.plus(answer.cost.unwrap_or_default());
        self.failed_for_good = unusable(answer);
        self.messages.push(Message { parts: answer.parts.clone(), ..Message::text(Role::Assistant, "") });
        let turn = self.turn;
        let call = |(place, part): (usize, &Part)| match part {
            Part::ToolCall { id, name, arguments } => Some(ToolCall {
                call: format!("{turn}.{place}"),
                provider_call: id.clone(),
                tool: name.clone(),
                arguments: arguments.clone(),
                state: CallState::Due,
                attempts: 0,
            }),
            _ => None,
        };
        let calls = answer.parts.iter().filter(|part| matches!(part, Part::ToolCall { .. }));
        self.calls = calls.enumerate().filter_map(call).collect();
        if self.calls.is_empty() {
            self.candidate = self.messages.last().map(Message::joined_text);
        }
    }

    fn fold_call(&mut self, event: &AgentRunEvent) {
        match event {
            AgentRunEvent::AgentToolRefused { call, message, .. } => self.done(call, message, true, false),
            AgentRunEvent::AgentApprovalRequested { call, reason, expires_at_ms, at_ms, .. } => {
                self.status = AgentRunStatus::WaitingForApproval;
                let (since_ms, expires_at_ms, reason) = (*at_ms, *expires_at_ms, *reason);
                self.set(call, CallState::Asked { since_ms, expires_at_ms, reason });
            }
            AgentRunEvent::AgentApprovalGiven { call, at_ms, .. } => {
                // Who lets a call happen that was cut off has said nothing of later ones.
                let granted = self
                    .call(call)
                    .filter(|call| matches!(call.state, CallState::Asked { reason: ApprovalReason::Granted, .. }));
                self.approved.extend(granted.map(|call| call.tool.clone()));
                self.heard(call, *at_ms);
                match self.call(call).is_some_and(ToolCall::is_about_tools) {
                    true => self.answered_about_tools(call, None),
                    false => self.set(call, CallState::Approved),
                }
            }
            AgentRunEvent::AgentApprovalDenied { call, reason, at_ms } => {
                self.heard(call, *at_ms);
                if self.call(call).is_some_and(ToolCall::is_about_tools) {
                    return self.answered_about_tools(call, Some(reason));
                }
                self.done(call, &format!("Somebody was asked and did not let this happen: {reason}"), true, false);
            }
            AgentRunEvent::AgentToolCalled { call, tool, attempt, .. } => {
                let is_first = self.call(call).is_some_and(|known| known.attempts == 0);
                if is_first {
                    *self.calls_by_tool.entry(tool.clone()).or_default() += 1;
                    self.spent.tool_calls = self.spent.tool_calls.saturating_add(1);
                }
                if let Some(known) = self.calls.iter_mut().find(|known| known.call == *call) {
                    (known.attempts, known.state) = (*attempt, CallState::Called);
                }
            }
            AgentRunEvent::AgentToolAnswered { call, content, cut_off_from_bytes, .. } => match cut_off_from_bytes {
                None => self.done(call, content, false, true),
                Some(bytes) => {
                    let told = format!("{content}\n[cut off here: it had {bytes} bytes]");
                    self.done(call, &told, false, true);
                }
            },
            AgentRunEvent::AgentToolFailed { call, message, .. } => self.done(call, message, true, true),
            _ => {}
        }
    }

    fn set(&mut self, call: &str, state: CallState) {
        if let Some(known) = self.calls.iter_mut().find(|known| known.call == call) {
            known.state = state;
        }
    }

    /// Somebody answered: the time that they took does not count.
    fn heard(&mut self, call: &str, at_ms: i64) {
        if self.status == AgentRunStatus::WaitingForApproval {
            self.status = AgentRunStatus::Running;
        }
        if let Some(CallState::Asked { since_ms, .. }) = self.call(call).map(|call| &call.state) {
            self.waited_ms = self.waited_ms.saturating_add(at_ms.saturating_sub(*since_ms).max(0));
            // What of a pause passed until now is in that time.
            self.paused_at_ms = self.paused_at_ms.map(|paused_at_ms| paused_at_ms.max(at_ms));
        }
    }

    fn done(&mut self, call: &str, content: &str, failed: bool, from_tool: bool) {
        self.set(call, CallState::Done { content: content.to_owned(), failed, from_tool });
        if self.open_call().is_none() {
            self.last_calls = std::mem::take(&mut self.calls);
            self.messages.extend(result_messages(&self.last_calls));
            self.turn = self.turn.saturating_add(1);
        }
    }

    fn resume(&mut self, at_ms: i64) {
        let asks = matches!(self.open_call(), Some(ToolCall { state: CallState::Asked { .. }, .. }));
        self.status = if asks { AgentRunStatus::WaitingForApproval } else { AgentRunStatus::Running };
        // While somebody is asked, time does not count anyway.
        let paused_at_ms = self.paused_at_ms.take().filter(|_| !asks);
        let paused_ms = paused_at_ms.map_or(0, |since_ms| at_ms.saturating_sub(since_ms).max(0));
        self.waited_ms = self.waited_ms.saturating_add(paused_ms);
    }

    fn end(&mut self, status: AgentRunStatus, at_ms: i64) {
        (self.status, self.ended_at_ms) = (status, Some(at_ms));
    }
}

/// What the model is told of calls that are done.
pub(super) fn result_messages(calls: &[ToolCall]) -> impl Iterator<Item = Message> {
    calls.iter().filter_map(|call| match &call.state {
        CallState::Done { content, failed, from_tool } => {
            Some(result_message(&call.provider_call, content, *failed, *from_tool))
        }
        _ => None,
    })
}

/// Why an answer cannot be gone on with.
fn unusable(answer: &ModelTurn) -> Option<(String, String)> {
    let refusal = answer.parts.iter().find_map(|part| match part {
        Part::Refusal { text } => Some(text.chars().take(500).collect::<String>()),
        _ => None,
    });
    let because = |code: &str, message: String| Some((code.to_owned(), message));
    if let Some(refusal) = refusal {
        return because("MODEL_REFUSED", format!("the model will not answer: {refusal}"));
    }
    match answer.finish {
        Some(FinishReason::Refusal) => return because("MODEL_REFUSED", "the model will not answer".to_owned()),
        Some(FinishReason::ContentFilter) => {
            return because("CONTENT_FILTERED", "the provider held the answer back".to_owned());
        }
        Some(FinishReason::Length) => {
            let message = "the model's answer was cut off: let it write more tokens (sampling.output_tokens_max)";
            return because("ANSWER_CUT_OFF", message.to_owned());
        }
        _ => {}
    }
    let calls = answer.parts.iter().filter(|part| matches!(part, Part::ToolCall { .. })).count();
    if calls > CALLS_PER_TURN_MAX {
        let message = format!("the model wanted {calls} tools called at once: at most {CALLS_PER_TURN_MAX} are");
        return because("TOO_MANY_CALLS", message);
    }
    let bytes: usize = answer.parts.iter().map(Part::bytes).sum();
    if bytes > ANSWER_BYTES_MAX {
        return because("ANSWER_TOO_LARGE", format!("the model's answer has more than {ANSWER_BYTES_MAX} bytes"));
    }
    None
}
