//! Effects: those that overlap are begun and brought to their end here, and what came of any is taken down.
//!
//! Invariant: what came of an effect is taken down once, whatever others write into the stream meanwhile.

use std::time::Duration;

use timeloom_domain::execution::ExecutionEvent;

use super::error::DriveError;
use super::{Drive, RETRY_WAIT_MAX_MS};
use crate::burst::{EffectTask, Pause, Worker};
use crate::flight::{Flight, Landed, LandedEffect};
use crate::machine::Task;
use crate::runner::Age;
use crate::writer::{ExecutionWriter, WriteError};

/// How often somebody else may write into a stream while the end of one effect is taken down.
const FOREIGN_WRITES_MAX: usize = 100;

impl Drive {
    /// After a restart: effects that were under way at the same time are begun again.
    pub(super) async fn begin_those_under_way(
        &self,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        flight: &mut Flight,
    ) -> Result<(), DriveError> {
        let tasks: Vec<Task> = worker.machine.in_flight().collect();
        for task in tasks {
            self.begin_again(task, worker, writer, flight).await?;
        }
        Ok(())
    }

    async fn begin_again(
        &self,
        task: Task,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        flight: &mut Flight,
    ) -> Result<(), DriveError> {
        let (events, pause) = worker.begin_again(task);
        self.record_effect(worker, writer, &events).await?;
        if let Pause::Effect(task) = pause {
            self.take_off(*task, worker, flight);
        }
        Ok(())
    }

    /// Lets an announced effect run beside others.
    pub(super) fn take_off(&self, task: EffectTask, worker: &Worker, flight: &mut Flight) {
        let limit = worker.time_left(&task);
        flight.begin(task, self.inner.parts.evaluator.session(), limit);
    }

    /// Waits for one of the effects under way, and takes down what came of it.
    pub(super) async fn land(
        &mut self,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        flight: &mut Flight,
    ) -> Result<(), DriveError> {
        if flight.only_waits() {
            self.place = None;
        }
        let landed = tokio::select! {
            () = self.cancelled.cancelled() => return Ok(()),
            landed = flight.land() => landed,
        };
        self.place_again().await;
        match landed.transpose()? {
            Some(Landed::Effect(landed)) => {
                let LandedEffect { task, took, result, limit } = *landed;
                let execution_index = task.facts.execution_index;
                if result.is_none() && task.attempt.waits_for_others() {
                    self.inner.parts.services.sub_workflows.abandon(&task.attempt.caller()).await;
                }
                let result = result.unwrap_or_else(|| Err(worker.timed_out(limit)));
                let (events, pause) = worker.conclude_effect(task, took, result);
                self.record_effect(worker, writer, &events).await?;
                if worker.machine.in_flight_at(execution_index).is_some() {
                    let at_ms = if let Some(Pause::Retry(at_ms)) = pause { at_ms } else { 0 };
                    let pause_ms = at_ms.saturating_sub(self.inner.parts.clock.now_ms());
                    let pause_ms = u64::try_from(pause_ms).unwrap_or(0).min(RETRY_WAIT_MAX_MS);
                    flight.begin_pause(execution_index, Duration::from_millis(pause_ms));
                }
            }
            Some(Landed::RetryDue(execution_index)) => {
                if let Some(task) = worker.machine.in_flight_at(execution_index) {
                    self.begin_again(task, worker, writer, flight).await?;
                }
            }
            // Nothing is under way that the events say is: they are begun again when the stream is read anew.
            None => return Err(WriteError::Overtaken.into()),
        }
        Ok(())
    }

    /// Takes down what came of an effect. Somebody who paused the execution meanwhile, or changed its breakpoints, does not
    /// make the effect happen again.
    pub(super) async fn record_effect(
        &self,
        worker: &mut Worker,
        writer: &mut ExecutionWriter,
        events: &[ExecutionEvent],
    ) -> Result<(), DriveError> {
        for _ in 0..FOREIGN_WRITES_MAX {
            let known = usize::try_from(writer.revision().0).unwrap_or(usize::MAX);
            match writer.record(events).await {
                Err(WriteError::Overtaken) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    worker.machine.written(writer.take_written());
                    return Ok(());
                }
            }
            let (mut fresh, all) = self.read(Age::Old).await?;
            fresh.ask(writer.asked());
            let foreign = all.get(known..).unwrap_or_default();
            if fresh.state().status.has_ended() || !foreign.iter().all(holds_up) {
                return Err(WriteError::Overtaken.into());
            }
            foreign.iter().for_each(|event| worker.machine.apply(event));
            *writer = fresh;
        }
        Err(WriteError::Overtaken.into())
    }
}

/// Whether an event only says that the execution is to be held up, or is not any more.
fn holds_up(event: &ExecutionEvent) -> bool {
    matches!(
        event,
        ExecutionEvent::ExecutionPaused { .. }
            | ExecutionEvent::ExecutionUnpaused { .. }
            | ExecutionEvent::ExecutionBreakpointsChanged { .. }
    )
}
