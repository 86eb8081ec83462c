//! The folded memory, and its decisions.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RecallEvent;
use crate::event::Aggregate;

/// Node runs of which it is kept what the mark was before them.
const RAISED_MAX: usize = 64;

/// A memory as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Digests of keys with who saw them first, oldest first.
    pub keys: VecDeque<(Arc<str>, Arc<str>)>,
    /// The highest mark.
    pub mark: Option<f64>,
    /// The newest node runs that looked at the mark, with what it was before them.
    pub raised: VecDeque<(Arc<str>, Option<f64>)>,
}

/// A request to one memory.
#[derive(Debug, Clone, PartialEq)]
pub enum RecallCommand {
    /// Remember keys. A node run does so once; what it sends again changes nothing.
    Remember {
        /// The node run that saw them: its idempotency key.
        by: Arc<str>,
        /// Their digests.
        keys: Vec<Arc<str>>,
        /// How many keys are kept.
        keys_max: u32,
    },
    /// Look at the mark, and raise it where this one is higher.
    Raise {
        /// The node run: its idempotency key.
        by: Arc<str>,
        /// What it saw.
        mark: f64,
    },
    /// Forget everything.
    Clear,
}

/// Why a memory says no: it never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecallRefusal {}

impl Recall {
    /// For each key whether `by` saw it first. One that was forgotten again counts as new.
    pub fn are_new(&self, keys: &[Arc<str>], by: &str) -> Vec<bool> {
        let of_others: HashSet<&str> =
            self.keys.iter().filter(|(_, owner)| &**owner != by).map(|(key, _)| &**key).collect();
        keys.iter().map(|key| !of_others.contains(&**key)).collect()
    }

    /// What the mark was before `by` looked at it; what it is where that is not known any more.
    pub fn mark_before(&self, by: &str) -> Option<f64> {
        let known = self.raised.iter().find(|(owner, _)| &**owner == by);
        known.map_or(self.mark, |(_, before)| *before)
    }
}

impl Aggregate for Recall {
    const FOLD_VERSION: u32 = 1;

    type Event = RecallEvent;
    type Command = RecallCommand;
    type Refusal = RecallRefusal;

    fn apply(&mut self, event: &RecallEvent) {
        match event {
            RecallEvent::RecallKeysAdded { by, keys, keys_max } => {
                self.keys.extend(keys.iter().map(|key| (Arc::clone(key), Arc::clone(by))));
                let surplus = self.keys.len().saturating_sub(usize::try_from(*keys_max).unwrap_or(usize::MAX));
                self.keys.drain(..surplus);
            }
            RecallEvent::RecallMarkRaised { by, mark } => {
                self.raised.push_back((Arc::clone(by), self.mark));
                if self.raised.len() > RAISED_MAX {
                    self.raised.pop_front();
                }
                self.mark = Some(self.mark.map_or(*mark, |highest| highest.max(*mark)));
            }
            RecallEvent::RecallCleared {} => *self = Self::default(),
        }
    }

    fn decide(&self, command: &RecallCommand) -> Result<Vec<RecallEvent>, RecallRefusal> {
        let event = match command {
            RecallCommand::Remember { by, keys, keys_max } => {
                // A node run remembers once. Again it would add what its own keys have pushed out, and be answered otherwise.
                if self.keys.iter().any(|(_, owner)| owner == by) {
                    return Ok(Vec::new());
                }
                let mut known: HashSet<&str> = self.keys.iter().map(|(key, _)| &**key).collect();
                let keys: Vec<Arc<str>> = keys.iter().filter(|key| known.insert(key)).cloned().collect();
                if keys.is_empty() {
                    return Ok(Vec::new());
                }
                RecallEvent::RecallKeysAdded { by: Arc::clone(by), keys, keys_max: *keys_max }
            }
            RecallCommand::Raise { by, mark } => {
                if self.raised.iter().any(|(known, _)| known == by) {
                    return Ok(Vec::new());
                }
                RecallEvent::RecallMarkRaised { by: Arc::clone(by), mark: *mark }
            }
            RecallCommand::Clear if *self == Self::default() => return Ok(Vec::new()),
            RecallCommand::Clear => RecallEvent::RecallCleared {},
        };
        Ok(vec![event])
    }
}
