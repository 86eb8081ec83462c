//! An execution folded from its events without the data in them, which is most of what they hold.
//!
//! A long execution is looked at for how it is and for a part of it. So what its nodes gave stays as text until somebody
//! asks for it, and is then read once for all who look. Never: a state of its own, since how an execution is follows from the
//! domain's fold alone. Invariant: with its data it is what the domain folds from the whole events.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use timeloom_domain::event::Aggregate as _;
use timeloom_domain::execution::{Execution, ExecutionEvent, NodeRunState};
use timeloom_domain::item::{Outputs, SharedObject};
use timeloom_store::{LogError, RecordedEvent, codec};

/// What was left out when an event was read.
#[derive(Debug)]
pub(crate) struct LeftOut {
    event: Arc<RecordedEvent>,
    data: OnceLock<Result<Data, LogError>>,
}

/// What a node run gave and remembers.
#[derive(Debug, Clone, Default)]
struct Data {
    outputs: Outputs,
    memory: Option<SharedObject>,
}

impl LeftOut {
    pub(crate) fn of(event: &Arc<RecordedEvent>) -> Self {
        Self { event: Arc::clone(event), data: OnceLock::new() }
    }

    fn data(&self) -> Result<&Data, LogError> {
        let read = || match codec::decode::<ExecutionEvent>(&self.event)? {
            ExecutionEvent::NodeCompleted { outputs, memory, .. } => Ok(Data { outputs, memory }),
            _ => Ok(Data::default()),
        };
        self.data.get_or_init(read).as_ref().map_err(LogError::clone)
    }
}

/// What of a node run's data is where.
#[derive(Debug, Clone)]
struct Left {
    out: Arc<LeftOut>,
    /// Whether what it gave is there; else only what it remembers, since a later event gave something else.
    outputs: bool,
}

impl PartialEq for Left {
    fn eq(&self, other: &Self) -> bool {
        self.outputs == other.outputs && Arc::ptr_eq(&self.out, &other.out)
    }
}

/// An execution without the data of its node runs, and where that is.
#[derive(Debug, Clone, Default)]
pub(crate) struct BareExecution {
    pub(crate) execution: Execution,
    /// By place of the run; a run beyond the end has all its data.
    left: Vec<Option<Left>>,
}

impl BareExecution {
    /// Folds an event in, of which something may have been left out.
    pub(crate) fn apply(&mut self, event: &ExecutionEvent, left_out: Option<&Arc<LeftOut>>) {
        self.execution.apply(event);
        let (ExecutionEvent::NodeCompleted { run, .. } | ExecutionEvent::NodeFailed { run, .. }) = event else {
            return;
        };
        let is_completed = matches!(event, ExecutionEvent::NodeCompleted { .. });
        let place = self.place(run.execution_index);
        if is_completed && left_out.is_some() && place >= self.left.len() {
            self.left.resize(place + 1, None);
        }
        let Some(left) = self.left.get_mut(place) else { return };
        if is_completed {
            *left = left_out.map(|out| Left { out: Arc::clone(out), outputs: true });
        } else if let Some(left) = left {
            left.outputs = false;
        }
    }

    /// Place of the run that an event is about, as the fold finds it.
    pub(crate) fn place(&self, execution_index: usize) -> usize {
        let own = execution_index.saturating_sub(self.execution.earlier_runs);
        own.min(self.execution.node_runs.len().saturating_sub(1))
    }

    /// A node run with its data.
    pub(crate) fn run(&self, place: usize) -> Result<Option<Cow<'_, NodeRunState>>, LogError> {
        let Some(run) = self.execution.node_runs.get(place) else { return Ok(None) };
        let Some(left) = self.left.get(place).and_then(Option::as_ref) else { return Ok(Some(Cow::Borrowed(run))) };
        let mut run = run.clone();
        fill(&mut run, left)?;
        Ok(Some(Cow::Owned(run)))
    }

    /// The execution with all its data.
    pub(crate) fn whole(mut self) -> Result<Execution, LogError> {
        for (run, left) in self.execution.node_runs.iter_mut().zip(&self.left) {
            if let Some(left) = left {
                fill(run, left)?;
            }
        }
        Ok(self.execution)
    }

    /// Whether a run is the same in another state of the execution. Mostly they share the event that ended it, so that the
    /// data need not be read.
    pub(crate) fn same_run(&self, other: &Self, place: usize) -> Result<bool, LogError> {
        let left = |state: &Self| state.left.get(place).cloned().flatten();
        if left(self) == left(other) {
            return Ok(self.execution.node_runs.get(place) == other.execution.node_runs.get(place));
        }
        Ok(self.run(place)? == other.run(place)?)
    }
}

fn fill(run: &mut NodeRunState, left: &Left) -> Result<(), LogError> {
    let Data { outputs, memory } = left.out.data()?;
    run.memory.clone_from(memory);
    if left.outputs {
        run.outputs = Some(outputs.clone());
    }
    Ok(())
}
