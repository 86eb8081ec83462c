//! Effects that do not happen: a fork or a replay is answered from what another execution recorded.
//!
//! Two things must agree before an answer is given: the node as it is written down, and everything that it reads. Invariant:
//! a node that touches the outside world, waits for it or remembers runs only where somebody lifted it; else it is answered
//! from the recording, or fails.

mod fingerprint;
mod recording;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use timeloom_domain::execution::{ForkChange, ForkEffects, NodeFacts};
use timeloom_domain::item::Outputs;

pub(crate) use self::fingerprint::Fingerprints;
pub(crate) use self::recording::{Recorded, RecordedEnd, Recording, RecordingError, Told};
use crate::machine::RunData;
use crate::plan::Plan;

/// Name of the failure of a node whose effect was neither recorded nor lifted.
pub const NOT_ANSWERED: &str = "EffectNotAnswered";

/// What stands in for effects in one execution.
#[derive(Clone)]
pub(crate) struct Stubs {
    recording: Arc<Recording>,
    effects: ForkEffects,
    outputs: HashMap<(String, usize), Outputs>,
    variables: Vec<(String, Value)>,
    /// What the nodes of this execution gave so far.
    gave: Fingerprints,
}

/// Why an effect is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAnswered {
    #[error("its effect was never recorded")]
    NeverRecorded,
    #[error("it is written down otherwise than when its effect was recorded")]
    NodeDiffers,
    #[error("it reads something else than when its effect was recorded")]
    ReadsDiffer,
}

impl Stubs {
    /// Stubs by a recording, with what is changed and which effects may happen.
    pub(crate) fn new(recording: Arc<Recording>, changes: &[ForkChange], effects: ForkEffects) -> Self {
        let (mut outputs, mut variables) = (HashMap::new(), Vec::new());
        for change in changes {
            match change {
                ForkChange::Output { node, run_index, outputs: given } => {
                    outputs.insert((node.clone(), *run_index), given.clone());
                }
                ForkChange::Variable { name, value } => variables.push((name.clone(), value.clone())),
                ForkChange::Parameter { .. } => {}
            }
        }
        Self { recording, effects, outputs, variables, gave: Fingerprints::default() }
    }

    /// Takes in what nodes gave before.
    pub(crate) fn begin(&mut self, data: &RunData) {
        self.gave = Fingerprints::of(data);
    }

    /// Takes in what a node gave.
    pub(crate) fn take(&mut self, run: &NodeFacts, outputs: &Outputs) {
        self.gave.take(run, outputs);
    }

    /// Variables that are other than the deployment's.
    pub(crate) fn variables(&self) -> &[(String, Value)] {
        &self.variables
    }

    /// What a node run gives instead of running.
    pub(crate) fn replaced(&self, run: &NodeFacts) -> Option<&Outputs> {
        self.outputs.get(&(run.node.clone(), run.run_index))
    }

    /// Whether the effects of a node happen.
    pub(crate) fn is_live(&self, node: &str) -> bool {
        self.effects.is_live(node)
    }

    /// The same run in the recording.
    pub(crate) fn recorded(&self, run: &NodeFacts) -> Option<&Recorded> {
        self.recording.find(&run.node, run.run_index)
    }

    /// What was recorded of a node run whose effect is not to happen.
    pub(crate) fn answer(&self, plan: &Plan, run: &NodeFacts) -> Result<&Recorded, NotAnswered> {
        let recorded = self.recorded(run).ok_or(NotAnswered::NeverRecorded)?;
        if !self.recording.plan().works_like(plan, &run.node) {
            return Err(NotAnswered::NodeDiffers);
        }
        let references = plan.graph.index(&run.node).map(|node| plan.references(node)).unwrap_or_default();
        let reads_changed = references.reads_vars && !self.variables.is_empty();
        match recorded.reads {
            Some(reads) if !reads_changed && reads == self.gave.read(run, &references) => Ok(recorded),
            Some(_) => Err(NotAnswered::ReadsDiffer),
            None => Err(NotAnswered::NeverRecorded),
        }
    }
}

impl NotAnswered {
    /// The failure as run data shows it.
    pub(crate) fn to_json(self, node: &str) -> Value {
        json!({
            "name": NOT_ANSWERED,
            "message": format!("the effect of '{node}' does not happen in a fork or a replay, and there is no answer for it: {self}"),
            "description": format!(
                "Fork again and let '{node}' happen (effects PER_NODE), or say what it gives (a changed output)."
            ),
        })
    }
}
