//! Pauses, breakpoints and waits: what holds an execution up although a node is due.
//!
//! Invariant: nothing here changes what the nodes give, only when.

use timeloom_domain::execution::{Breakpoint, ExecutionEvent, PauseReason, StartFacts};
use timeloom_domain::item::Item;

use super::Machine;

/// What people asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Control {
    pub(super) breakpoints: Vec<Breakpoint>,
    pub(super) is_paused: bool,
    /// The node run, by its place in the order of all, that was let go: no breakpoint holds it up.
    released: Option<usize>,
    /// Whether it pauses again before the node after the one that was let go.
    step: bool,
}

impl Control {
    pub(super) fn new(start: &StartFacts) -> Self {
        Self { breakpoints: start.options.breakpoints.clone(), ..Self::default() }
    }
}

/// The wait of the node that is due.
#[derive(Debug, Clone)]
pub struct DueWait {
    /// Until when at the longest, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// Set once it is over: what the node gives, `None` for its input.
    pub over: Option<Option<Vec<Item>>>,
}

impl Machine {
    /// The wait of the node that is due, if it waits.
    pub fn wait(&self) -> Option<&DueWait> {
        self.wait.as_ref()
    }

    /// Whether somebody is stepping through it.
    pub(super) fn is_stepping(&self) -> bool {
        self.control.step
    }

    /// Why the node that is due may have to be held up, with the condition under which it is. Nothing holds up a node that
    /// has begun.
    pub fn breakpoint(&self, node: &str) -> Option<(PauseReason, Option<&str>)> {
        if self.is_announced || self.wait.is_some() || self.control.released == Some(self.execution_index) {
            return None;
        }
        if self.control.step {
            return Some((PauseReason::Step { node: node.to_owned() }, None));
        }
        let breakpoint = self.control.breakpoints.iter().find(|breakpoint| breakpoint.node == node)?;
        Some((PauseReason::Breakpoint { node: node.to_owned() }, breakpoint.condition.as_deref()))
    }

    /// Folds an event in that is about holding up and going on; false when it is about something else.
    pub(super) fn apply_control(&mut self, event: &ExecutionEvent) -> bool {
        match event {
            ExecutionEvent::ExecutionPaused { .. } => self.control.is_paused = true,
            ExecutionEvent::ExecutionUnpaused { step } => {
                self.control.is_paused = false;
                self.control.released = Some(self.execution_index);
                self.control.step = *step;
            }
            ExecutionEvent::ExecutionBreakpointsChanged { breakpoints } => {
                self.control.breakpoints.clone_from(breakpoints);
            }
            // Old events name no run: then nothing waited that could go on.
            ExecutionEvent::ExecutionWaiting { run: Some(_), until_ms, .. } => {
                self.hold_due();
                self.is_announced = true;
                self.wait = Some(DueWait { until_ms: *until_ms, over: None });
            }
            ExecutionEvent::ExecutionResumed { items, .. } => {
                if let Some(wait) = &mut self.wait {
                    wait.over = Some(items.clone());
                }
                self.has_waited = true;
            }
            _ => return false,
        }
        true
    }
}
