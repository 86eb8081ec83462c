//! What an execution answers to commands: events, or a refusal.

use std::sync::Arc;

use super::{
    Execution, ExecutionCommand, ExecutionEvent, ExecutionRefusal, ExecutionStatus, NodeRunStatus, PauseReason,
};
use crate::event::Event;

impl Execution {
    /// What comes of a command.
    pub(super) fn decided(&self, command: &ExecutionCommand) -> Result<Vec<ExecutionEvent>, ExecutionRefusal> {
        match command {
            ExecutionCommand::Start(facts) => {
                if self.start.is_some() {
                    return Err(ExecutionRefusal::AlreadyExists);
                }
                Ok(vec![ExecutionEvent::ExecutionStarted(Arc::clone(facts))])
            }
            ExecutionCommand::Continue(continuation) => {
                if self.start.is_some() {
                    return Err(ExecutionRefusal::AlreadyExists);
                }
                Ok(vec![ExecutionEvent::ExecutionContinued(continuation.clone())])
            }
            ExecutionCommand::Retry(retry) => {
                if self.start.is_some() {
                    return Err(ExecutionRefusal::AlreadyExists);
                }
                Ok(vec![ExecutionEvent::ExecutionRetried(retry.clone())])
            }
            ExecutionCommand::Fork(fork) => {
                if self.start.is_some() {
                    return Err(ExecutionRefusal::AlreadyExists);
                }
                Ok(vec![ExecutionEvent::ExecutionForked(fork.clone())])
            }
            ExecutionCommand::Record(event) => {
                self.check_next(event)?;
                Ok(vec![(**event).clone()])
            }
            ExecutionCommand::NoteRetry { execution } => {
                self.check_failed()?;
                let known = self.retried_as.contains(execution);
                Ok(unless(known, || ExecutionEvent::ExecutionRetriedAs { execution: *execution }))
            }
            ExecutionCommand::Dismiss { reason } => {
                self.check_failed()?;
                Ok(unless(self.dismissed.is_some(), || ExecutionEvent::ExecutionDismissed { reason: reason.clone() }))
            }
            ExecutionCommand::Cancel { .. }
            | ExecutionCommand::Pause { .. }
            | ExecutionCommand::Unpause { .. }
            | ExecutionCommand::ChangeBreakpoints { .. }
            | ExecutionCommand::Resume { .. } => self.control(command),
        }
    }

    /// What people ask of an execution under way.
    fn control(&self, command: &ExecutionCommand) -> Result<Vec<ExecutionEvent>, ExecutionRefusal> {
        if let Some(next) = self.continued_as {
            return Err(ExecutionRefusal::Continued(next));
        }
        if matches!(command, ExecutionCommand::Cancel { .. }) && self.status == ExecutionStatus::Cancelled {
            return Ok(Vec::new());
        }
        self.check_running()?;
        let event = match command {
            ExecutionCommand::Cancel { reason } => ExecutionEvent::ExecutionCancelled { reason: reason.clone() },
            ExecutionCommand::Pause { .. } if self.paused.is_some() => return Ok(Vec::new()),
            ExecutionCommand::Pause { reason, at_ms } => ExecutionEvent::ExecutionPaused {
                reason: PauseReason::Requested { reason: reason.clone() },
                at_ms: *at_ms,
            },
            ExecutionCommand::Unpause { .. } if self.paused.is_none() => return Ok(Vec::new()),
            ExecutionCommand::Unpause { step } => ExecutionEvent::ExecutionUnpaused { step: *step },
            ExecutionCommand::ChangeBreakpoints { breakpoints } if *breakpoints == self.breakpoints => {
                return Ok(Vec::new());
            }
            ExecutionCommand::ChangeBreakpoints { breakpoints } => {
                if breakpoints.iter().any(|breakpoint| breakpoint.node.is_empty()) {
                    return Err(ExecutionRefusal::EmptyBreakpoint);
                }
                ExecutionEvent::ExecutionBreakpointsChanged { breakpoints: breakpoints.clone() }
            }
            ExecutionCommand::Resume { cause, items } => {
                let wait = self.waiting.as_ref().ok_or(ExecutionRefusal::NotWaiting)?;
                let (node, cause, items) = (wait.node.clone(), Some(*cause), items.clone());
                ExecutionEvent::ExecutionResumed { node, cause, items }
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![event])
    }

    /// Whether the engine may take this down as the next thing that it did: what [`ExecutionCommand::Record`] decides, for
    /// whoever has the event at hand.
    ///
    /// # Errors
    /// [`ExecutionRefusal`] when it cannot follow what there is.
    pub fn check_next(&self, event: &ExecutionEvent) -> Result<(), ExecutionRefusal> {
        self.check_running()?;
        if begins(event) {
            return Err(ExecutionRefusal::AlreadyExists);
        }
        self.check_order(event)
    }

    fn check_failed(&self) -> Result<(), ExecutionRefusal> {
        match self.status {
            ExecutionStatus::New => Err(ExecutionRefusal::NotFound),
            ExecutionStatus::Failed | ExecutionStatus::Cancelled => Ok(()),
            ExecutionStatus::Continued => match self.continued_as {
                Some(next) => Err(ExecutionRefusal::Continued(next)),
                None => Err(ExecutionRefusal::NotFailed(self.status.name())),
            },
            status => Err(ExecutionRefusal::NotFailed(status.name())),
        }
    }

    fn check_running(&self) -> Result<(), ExecutionRefusal> {
        match self.status {
            ExecutionStatus::New => Err(ExecutionRefusal::NotFound),
            status if status.has_ended() => Err(ExecutionRefusal::Ended(status.name())),
            _ => Ok(()),
        }
    }

    /// Whether a node event may follow: it continues an open run or begins the next one.
    fn check_order(&self, event: &ExecutionEvent) -> Result<(), ExecutionRefusal> {
        let (ExecutionEvent::NodeScheduled { run }
        | ExecutionEvent::NodeStarted { run, .. }
        | ExecutionEvent::NodeCompleted { run, .. }
        | ExecutionEvent::NodeFailed { run, .. }
        | ExecutionEvent::NodeRetried { run, .. }
        | ExecutionEvent::NodeStubbed { run, .. }
        | ExecutionEvent::ExecutionWaiting { run: Some(run), .. }) = event
        else {
            return Ok(());
        };
        let refuse = |detail: String| {
            Err(ExecutionRefusal::OutOfOrder { event: event.event_type(), node: run.node.clone(), detail })
        };
        let Some(index) = self.own_index(run) else {
            return refuse(format!("run {} was before this stream", run.execution_index));
        };
        match self.node_runs.get(index) {
            None if index == self.node_runs.len() => Ok(()),
            None => {
                let next = self.earlier_runs + self.node_runs.len();
                refuse(format!("run {next} comes before run {}", run.execution_index))
            }
            Some(open) if open.node != run.node => refuse(format!("run {} is of '{}'", run.execution_index, open.node)),
            Some(open) if matches!(open.status, NodeRunStatus::Completed | NodeRunStatus::Failed) => {
                refuse("this run has ended".to_owned())
            }
            Some(_) => Ok(()),
        }
    }
}

/// Whether a stream begins with such an event.
fn begins(event: &ExecutionEvent) -> bool {
    matches!(
        event,
        ExecutionEvent::ExecutionStarted(_)
            | ExecutionEvent::ExecutionContinued(_)
            | ExecutionEvent::ExecutionRetried(_)
            | ExecutionEvent::ExecutionForked(_)
    )
}

/// No event when it `is_so` already.
fn unless(is_so: bool, event: impl FnOnce() -> ExecutionEvent) -> Vec<ExecutionEvent> {
    if is_so { Vec::new() } else { vec![event()] }
}
