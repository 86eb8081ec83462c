//! What a fork takes over of a run.

use std::collections::BTreeSet;

use super::apply::result_messages;
use super::facts::{AgentCarried, ToolResultChange};
use super::state::{AgentRun, CallState};

/// Longest result that a fork may give a tool, in bytes.
const RESULT_BYTES_MAX: usize = 256 << 10;

/// A run cannot be forked so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFork {
    /// The run did not come to that turn.
    #[error("the run has no turn {0} to go on from: it came to turn {1}")]
    NoTurn(u32, u32),
    /// A result is to be changed that is not one of the turn before.
    #[error("call '{0}' is none of the turn before: fork at the turn that comes after it")]
    NoCall(String),
    /// A result is too large.
    #[error("what a tool gave has {0} bytes: at most {RESULT_BYTES_MAX} are allowed")]
    TooLarge(usize),
}

impl AgentRun {
    /// Whether a fork at `turn` may begin from this state: the turn is next, and nothing was done for it.
    pub fn is_before(&self, turn: u32) -> bool {
        self.facts.is_some() && self.turn == turn && self.calls.is_empty() && self.candidate.is_none()
    }

    /// What was said and done, with what tools are to have given in the turn before.
    ///
    /// # Errors
    /// [`InvalidFork`] where a call is none of that turn, or what it is to have given is too large.
    pub fn carried(&self, changes: &[ToolResultChange]) -> Result<AgentCarried, InvalidFork> {
        let mut last_calls = self.last_calls.clone();
        for ToolResultChange { call, content } in changes {
            if content.len() > RESULT_BYTES_MAX {
                return Err(InvalidFork::TooLarge(content.len()));
            }
            let known = last_calls.iter_mut().find(|known| known.call == *call);
            let known = known.ok_or_else(|| InvalidFork::NoCall(call.chars().take(64).collect()))?;
            known.state = CallState::Done { content: content.clone(), failed: false, from_tool: true };
        }
        let mut messages = self.messages.clone();
        messages.truncate(messages.len().saturating_sub(last_calls.len()));
        messages.extend(result_messages(&last_calls));
        Ok(AgentCarried {
            memory: self.memory.clone(),
            messages,
            last_calls,
            calls_by_tool: self.calls_by_tool.clone(),
            // Somebody let that run call them, not this one.
            approved: BTreeSet::new(),
            repairs: self.repairs,
        })
    }
}
