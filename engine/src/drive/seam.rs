//! Where a long execution goes on in another stream.
//!
//! Invariant: whoever follows the log finds the next stream driven already when it begins.

use std::sync::Arc;

use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::ExecutionId;
use timeloom_store::Revision;

use super::error::DriveError;
use super::{Drive, Turn};
use crate::chain::{ContinueAsNew, place_after, place_of, stream_of};
use crate::machine::Machine;
use crate::open::Outcome;
use crate::writer::{ExecutionWriter, FirstEvent, WriteError};

impl Drive {
    /// Ends the stream and begins the next. Where the summary is too large, the execution goes on where it is, and the
    /// next look is a stream's length away.
    pub(super) async fn go_on_in_next(
        &mut self,
        writer: &mut ExecutionWriter,
        machine: &Machine,
    ) -> Result<(), DriveError> {
        let (next, at_ms) = (ExecutionId(self.inner.parts.ids.uuid()), self.inner.parts.clock.now_ms());
        let summary = self.summary(machine, at_ms)?;
        let ContinueAsNew { summary_bytes_max, .. } = self.inner.options.continue_as_new;
        if summary.bytes() > summary_bytes_max {
            let (bytes, execution) = (summary.bytes(), &self.started.stream);
            tracing::warn!(%execution, bytes, "the execution stays in its stream: what it is in the middle of is large");
            self.seam_at = self.inner.options.continue_as_new.next_look(writer.revision());
            return Ok(());
        }
        self.take_over(writer).await?;
        writer.record(&[ExecutionEvent::ExecutionContinuedAsNew { next, at_ms }]).await?;
        // Somebody who began it in the moment since has it now: the log says so when it is read again.
        let next = self.begin_next(writer, next, &summary).await?;
        *writer = next.ok_or(WriteError::Overtaken)?;
        Ok(())
    }

    /// A process ended between the two appends of a seam: the second one is made here.
    pub(super) async fn begin_left(
        &mut self,
        writer: &ExecutionWriter,
        machine: &Machine,
        (next, at_ms): (ExecutionId, i64),
    ) -> Result<Turn, DriveError> {
        let summary = self.summary(machine, at_ms)?;
        let begun = self.begin_next(writer, next, &summary).await?;
        Ok(if begun.is_some() { Turn::NextStream } else { Turn::Over(Outcome::Ended) })
    }

    fn summary(&self, machine: &Machine, at_ms: i64) -> Result<FirstEvent, DriveError> {
        let stream = &self.started.stream;
        let link = stream.id.parse().map_err(|_| DriveError::Id(stream.clone()))?;
        Ok(FirstEvent::try_new(machine.continuation(place_after(link, self.chained), at_ms))?)
    }

    /// Begins the next stream, or finds that it has begun; `None` when somebody else is in it.
    async fn begin_next(
        &mut self,
        left: &ExecutionWriter,
        next: ExecutionId,
        summary: &FirstEvent,
    ) -> Result<Option<ExecutionWriter>, DriveError> {
        let stream = stream_of(&self.started.stream, next);
        // Before it begins: who follows the log must find that it is driven already.
        if !self.inner.lock_open().hand_over(&self.open_as, &stream) {
            return Ok(None);
        }
        self.open_as = stream.clone();
        let parts = &self.inner.parts;
        let mut writer = ExecutionWriter::new(Arc::clone(&parts.log), Arc::clone(&parts.ids), stream.clone())
            .until(self.ownership.lost().clone());
        writer.ask(left.asked());
        let appended = writer.begin(summary, left).await?;
        let Some(recorded) = appended.events.into_iter().next() else { return Ok(None) };
        self.inner.lock_open().moved(&stream, recorded.position);
        self.started = recorded;
        self.chained = place_of(Some(summary.event()));
        self.seam_at = self.inner.options.continue_as_new.next_look(Revision::default());
        Ok(Some(writer))
    }
}
