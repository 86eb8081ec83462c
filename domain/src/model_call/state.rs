//! The calls of one worker, in sums: each of them is an event, and no event changes another.

use serde::{Deserialize, Serialize};

use super::ModelCallEvent;
use crate::event::Aggregate;

/// The calls of one worker, in sums.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCalls {
    /// How many were answered.
    pub completed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many were cancelled.
    pub cancelled: u64,
    /// Tokens that models read.
    pub input_tokens: u64,
    /// Tokens that they wrote.
    pub output_tokens: u64,
    /// How often a target was left alone.
    pub circuits_opened: u64,
}

/// Nothing is refused: what a worker did is a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModelCallRefusal {}

impl Aggregate for ModelCalls {
    const FOLD_VERSION: u32 = 1;

    type Event = ModelCallEvent;
    type Command = Vec<ModelCallEvent>;
    type Refusal = ModelCallRefusal;

    fn apply(&mut self, event: &ModelCallEvent) {
        match event {
            ModelCallEvent::ModelCallCompleted { .. } => self.completed += 1,
            ModelCallEvent::ModelCallFailed { .. } => self.failed += 1,
            ModelCallEvent::ModelCallRefused { .. } => self.refused += 1,
            ModelCallEvent::ModelCallCancelled { .. } => self.cancelled += 1,
            ModelCallEvent::CircuitOpened { .. } => self.circuits_opened += 1,
            ModelCallEvent::CircuitHalfOpened { .. } | ModelCallEvent::CircuitClosed { .. } => {}
        }
        if let Some(usage) = event.call().and_then(|call| call.usage) {
            self.input_tokens = self.input_tokens.saturating_add(usage.input_tokens);
            self.output_tokens = self.output_tokens.saturating_add(usage.output_tokens);
        }
    }

    fn decide(&self, command: &Vec<ModelCallEvent>) -> Result<Vec<ModelCallEvent>, ModelCallRefusal> {
        Ok(command.clone())
    }
}
