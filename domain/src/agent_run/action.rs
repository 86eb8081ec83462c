//! What is to be done next in a run, from its state alone.

use serde_json::Value;

use super::event::ApprovalReason;
use super::state::{AgentRun, AgentRunStatus, CallState, ToolCall};
use super::{MODEL_TRIES_MAX, TRANSCRIPT_BYTES_MAX};
use crate::agent::{AgentTool, Approval};
use crate::chat::Part;
use crate::item::JsonObject;

/// How often a call is begun that was cut off.
pub const TOOL_ATTEMPTS_MAX: u32 = 3;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentAction {
    /// Nothing: it is over, or never began.
    Nothing,
    /// Wait for somebody, or until this time, in milliseconds since 1970.
    Rest(Option<i64>),
    /// Look up what was said in earlier runs.
    ReadMemory,
    /// Ask a server of the Model Context Protocol which tools it has.
    ListTools {
        /// The grant that names the server.
        grant: String,
    },
    /// Ask the model.
    AskModel {
        /// Which question.
        turn: u32,
        /// Which try at it.
        attempt: u32,
    },
    /// Tell the model that a call does not happen.
    Refuse {
        /// The call.
        call: String,
        /// Why, as a word.
        code: &'static str,
        /// Why.
        message: String,
    },
    /// Ask somebody whether a call may happen.
    AskSomebody {
        /// The call.
        call: String,
        /// All of its arguments.
        arguments: JsonObject,
        /// Why.
        reason: AskWhy,
    },
    /// Call a tool.
    CallTool {
        /// The call.
        call: String,
        /// All of its arguments.
        arguments: JsonObject,
        /// Which attempt.
        attempt: u32,
    },
    /// Give a call up that was cut off too often.
    GiveUp {
        /// The call.
        call: String,
    },
    /// Look whether this text is what the run is to give. If it is, remember it where that is due, else complete.
    Conclude {
        /// The text.
        text: String,
        /// Whether it is to be remembered first.
        remembers: bool,
    },
    /// Fail.
    Fail {
        /// Why, as a word.
        code: String,
        /// Why, and what to do.
        message: String,
    },
}

/// Why somebody is asked.
pub type AskWhy = ApprovalReason;

impl AgentRun {
    /// What is to be done next, at a time in milliseconds since 1970. Where something was begun and has not ended, whoever
    /// began it is gone.
    pub fn next(&self, now_ms: i64) -> AgentAction {
        let Some(facts) = self.facts.as_deref() else { return AgentAction::Nothing };
        match self.status {
            AgentRunStatus::New | AgentRunStatus::Completed | AgentRunStatus::Failed | AgentRunStatus::Cancelled => {
                return AgentAction::Nothing;
            }
            AgentRunStatus::Paused => return AgentAction::Rest(None),
            AgentRunStatus::Running | AgentRunStatus::WaitingForApproval => {}
        }
        if let Some(ToolCall { state: CallState::Asked { expires_at_ms, .. }, tool, .. }) = self.open_call() {
            return match now_ms >= *expires_at_ms {
                true => fail("APPROVAL_EXPIRED", format!("nobody said in time whether '{tool}' may be called")),
                false => AgentAction::Rest(Some(*expires_at_ms)),
            };
        }
        if self.deadline_ms().is_some_and(|deadline_ms| now_ms > deadline_ms) {
            let limit = facts.plan.limits.time_ms;
            return fail("TIME_EXHAUSTED", format!("it took longer than {limit} ms, the agent's limit of time"));
        }
        if facts.session.is_some() && facts.plan.memory.is_some() && self.memory.is_none() {
            return AgentAction::ReadMemory;
        }
        if let Some((code, message)) = &self.failed_for_good {
            return AgentAction::Fail { code: code.clone(), message: message.clone() };
        }
        if let Some(call) = self.open_call() {
            return self.next_of(call);
        }
        if let Some(list) = self.next_list() {
            return list;
        }
        if let Some(text) = &self.candidate {
            let remembers = facts.session.is_some() && facts.plan.memory.is_some() && !self.remembered;
            return AgentAction::Conclude { text: text.clone(), remembers };
        }
        if let Some(retry_at_ms) = self.retry_at_ms.filter(|retry_at_ms| now_ms < *retry_at_ms) {
            return AgentAction::Rest(Some(retry_at_ms));
        }
        self.exhausted().unwrap_or_else(|| self.ask())
    }

    fn ask(&self) -> AgentAction {
        let attempt = self.asked.unwrap_or(self.failures).saturating_add(1);
        if attempt > MODEL_TRIES_MAX {
            return fail("MODEL_INTERRUPTED", "the model was asked too often without an answer: fork the run to go on");
        }
        AgentAction::AskModel { turn: self.turn, attempt }
    }

    /// Whether there is no room for another question.
    fn exhausted(&self) -> Option<AgentAction> {
        let limits = &self.facts.as_deref()?.plan.limits;
        if self.turn > limits.turns {
            let message =
                format!("it asked its model {} times without coming to an end, the agent's limit", limits.turns);
            return Some(fail("TURNS_EXHAUSTED", message));
        }
        let tokens = self.spent.tokens();
        if tokens >= limits.tokens {
            let message = format!("it took {tokens} tokens; the agent's limit is {}", limits.tokens);
            return Some(fail("TOKENS_EXHAUSTED", message));
        }
        if let Some(cost) = limits.cost.filter(|cost| self.spent.cost >= *cost) {
            return Some(fail("BUDGET_EXHAUSTED", format!("it cost {}; the agent's limit is {cost}", self.spent.cost)));
        }
        let bytes: usize = self.messages.iter().flat_map(|message| &message.parts).map(Part::bytes).sum();
        if bytes > TRANSCRIPT_BYTES_MAX {
            let message = format!("more than {TRANSCRIPT_BYTES_MAX} bytes were said: let its tools give less");
            return Some(fail("TRANSCRIPT_TOO_LARGE", message));
        }
        None
    }

    fn next_of(&self, open: &ToolCall) -> AgentAction {
        let Some(facts) = self.facts.as_deref() else { return AgentAction::Nothing };
        if open.is_about_tools() {
            let arguments = serde_json::from_str(&open.arguments).unwrap_or_default();
            return AgentAction::AskSomebody { call: open.call.clone(), arguments, reason: AskWhy::ToolsChanged };
        }
        let refuse = |code, message| AgentAction::Refuse { call: open.call.clone(), code, message };
        let Some(tool) = self.tool(&open.tool) else {
            let message = format!("there is no tool '{}' for this agent", shortened(&open.tool));
            return refuse("NOT_GRANTED", message);
        };
        let arguments = match arguments(tool, &open.arguments) {
            Ok(arguments) => arguments,
            Err(message) => return refuse("INVALID_ARGUMENTS", message),
        };
        let call = open.call.clone();
        match open.state {
            CallState::Due => {
                let limit = facts.plan.limits.tool_calls;
                if self.spent.tool_calls >= limit {
                    return fail("TOOL_CALLS_EXHAUSTED", format!("it called tools {limit} times, the agent's limit"));
                }
                let called = self.calls_by_tool.get(&tool.name).copied().unwrap_or_default();
                if let Some(most) = tool.calls_max.filter(|most| called >= *most) {
                    return refuse(
                        "CALLS_MAX",
                        format!("'{}' may be called {most} times in a run, and was", tool.name),
                    );
                }
                let asks = match tool.approval {
                    Approval::Never => false,
                    Approval::First => !self.approved.contains(&tool.name),
                    Approval::Always => true,
                };
                match asks {
                    true => AgentAction::AskSomebody { call, arguments, reason: AskWhy::Granted },
                    false => AgentAction::CallTool { call, arguments, attempt: 1 },
                }
            }
            CallState::Called if open.attempts >= TOOL_ATTEMPTS_MAX => AgentAction::GiveUp { call },
            CallState::Called if !tool.repeatable => {
                AgentAction::AskSomebody { call, arguments, reason: AskWhy::Interrupted }
            }
            CallState::Approved | CallState::Called => {
                AgentAction::CallTool { call, arguments, attempt: open.attempts.saturating_add(1) }
            }
            CallState::Asked { .. } | CallState::Done { .. } => AgentAction::Rest(None),
        }
    }
}

fn fail(code: &str, message: impl Into<String>) -> AgentAction {
    AgentAction::Fail { code: code.to_owned(), message: message.into() }
}

/// The arguments of a call, where the model filled only what it may.
fn arguments(tool: &AgentTool, written: &str) -> Result<JsonObject, String> {
    let text = if written.trim().is_empty() { "{}" } else { written };
    let filled = match serde_json::from_str(text) {
        Ok(Value::Object(filled)) => filled,
        Ok(_) | Err(_) => return Err(format!("the arguments of '{}' are no JSON object", tool.name)),
    };
    match filled.keys().find(|name| !tool.may_fill(name)) {
        Some(name) => Err(format!("'{}' has no argument '{}' to fill", tool.name, shortened(name))),
        None => Ok(tool.arguments(filled)),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
