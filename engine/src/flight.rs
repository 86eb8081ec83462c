//! Effects that overlap, where the branches of a workflow run at the same time.
//!
//! Each runs in a task of its own and lands when it is waited for; events are written by the execution's one writer alone.

use std::time::{Duration, Instant};

use timeloom_expressions::evaluator::Session;
use tokio::task::{JoinError, JoinSet};

use crate::attempt::Given;
use crate::burst::EffectTask;
use crate::node::NodeError;

/// Most effects of one execution at the same time.
pub(crate) const EFFECTS_MAX: usize = 16;

/// What came of something that overlapped.
pub(crate) enum Landed {
    /// An attempt ended.
    Effect(Box<LandedEffect>),
    /// The pause before another attempt at the node run with this place in the order of all is over.
    RetryDue(usize),
}

/// An attempt that ended.
pub(crate) struct LandedEffect {
    pub(crate) task: EffectTask,
    pub(crate) took: Duration,
    /// `None` when it took longer than it may.
    pub(crate) result: Option<Result<Given, NodeError>>,
    pub(crate) limit: Duration,
}

/// What is under way. Dropped, everything of it is torn down.
#[derive(Default)]
pub(crate) struct Flight {
    running: JoinSet<Landed>,
    /// How many of them wait for other executions.
    waiting: usize,
}

impl Flight {
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.running.len() >= EFFECTS_MAX
    }

    /// Whether everything under way waits for other executions.
    pub(crate) fn only_waits(&self) -> bool {
        self.waiting > 0 && self.waiting == self.running.len()
    }

    /// Begins an attempt that its event has announced.
    pub(crate) fn begin(&mut self, mut task: EffectTask, mut session: Session, limit: Duration) {
        self.waiting += usize::from(task.attempt.waits_for_others());
        self.running.spawn(async move {
            let began = Instant::now();
            let result = tokio::time::timeout(limit, task.attempt.run_effect(&mut session)).await.ok();
            Landed::Effect(Box::new(LandedEffect { task, took: began.elapsed(), result, limit }))
        });
    }

    /// Begins the pause before another attempt.
    pub(crate) fn begin_pause(&mut self, execution_index: usize, pause: Duration) {
        self.running.spawn(async move {
            tokio::time::sleep(pause).await;
            Landed::RetryDue(execution_index)
        });
    }

    /// Waits for the next that ends; `None` when nothing is under way.
    pub(crate) async fn land(&mut self) -> Option<Result<Landed, JoinError>> {
        let landed = self.running.join_next().await;
        if let Some(Ok(Landed::Effect(landed))) = &landed {
            self.waiting -= usize::from(landed.task.attempt.waits_for_others());
        }
        landed
    }
}
