//! Brings ranges of a log back out of its archive, the newest first, so that what is archived stays the beginning of the log.
//! Safe to be ended at any moment: the next run goes on where this one stopped.
//!
//! Invariant, and the order of everything here: rows come back in bounded transactions, each with what stayed of them going in
//! the same one; when those of a segment are all back, they are read from the log and their hashes compared with those that
//! the log's own event has of the range; the event that tells of it is durable; only then the segment is forgotten. Its file
//! stays where it is.

use timeloom_domain::archive::{ArchiveCommand, ArchivedRange, RestoredRange};
use timeloom_domain::ids::Actor;
use timeloom_store::archive::{Archived, DROP_EVENTS_MAX, Segment, Segments};
use timeloom_store::stored::EXPORT_BYTES_MAX;
use timeloom_store::{APPEND_EVENTS_MAX, Position, StoredEvent};
use timeloom_verify::tree::RangeParts;

use crate::archiver::{Archiver, Pages, Progress, segment_of};
use crate::check::written;
use crate::error::ArchiveError;
use crate::reader::SegmentReader;

const _: () = assert!(DROP_EVENTS_MAX > APPEND_EVENTS_MAX, "a transaction has room for at least one append");

/// What a run that brings ranges back did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Segments that are not needed any more.
    pub segments: u64,
    /// Events that are among the rows again.
    pub events: u64,
    /// How far the log is archived now.
    pub archived: Archived,
}

impl Archiver {
    /// Brings back every event from `from` on, as far as whole segments reach, at most `segments_max` of them; first it
    /// finishes what an earlier run began.
    ///
    /// # Errors
    /// [`ArchiveError`], whose message says what to do; what came back until then is back.
    pub async fn restore(
        &self,
        from: Position,
        segments_max: u64,
        actor: &Actor,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Restored, ArchiveError> {
        let _alone = self.alone().await?;
        let before = self.rows.archived().await?.registered;
        let mut restored = Restored { archived: self.resume(actor, &mut progress).await?, ..Restored::default() };
        if restored.archived.registered < before {
            // What an earlier run began counts as done by this one.
            restored.segments = 1;
            restored.events = before.0 - restored.archived.registered.0;
        }
        while restored.segments < segments_max && restored.archived.registered >= from.max(Position(1)) {
            let newest = self.told().await?.ranges.pop();
            let newest = newest.ok_or_else(|| ArchiveError::Refused("the log tells of no segment".to_owned()))?;
            let segment = segment_of(&newest)?;
            restored.archived = self.bring_back(&segment, actor, &mut progress).await?;
            restored.segments += 1;
            restored.events += segment.last.0 + 1 - segment.first.0;
        }
        Ok(restored)
    }

    /// Brings back what is still dropped of the segment that ends last, and forgets it.
    pub(crate) async fn bring_back(
        &self,
        segment: &Segment,
        actor: &Actor,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Archived, ArchiveError> {
        self.bring_rows_back(segment, progress).await?;
        let told = self.told().await?.ranges.pop().filter(|range| range.first == segment.first.0);
        // A run that ended after it had told need not tell again.
        if let Some(range) = told {
            self.prove(&range).await?;
            progress(Progress::Proved(segment.first));
            self.tell(ArchiveCommand::Restore(RestoredRange::from(&range)), actor).await?;
            progress(Progress::ToldBack(segment.first));
        }
        self.rows.forget(segment.clone()).await?;
        progress(Progress::Forgotten(segment.first));
        Ok(self.rows.archived().await?)
    }

    async fn bring_rows_back(
        &self,
        segment: &Segment,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), ArchiveError> {
        let reader = SegmentReader::new(self.places.clone());
        let mut dropped = self.rows.archived().await?.dropped;
        // Rows that were read and have not come back yet, up to `dropped`.
        let mut rows: Vec<StoredEvent> = Vec::new();
        while dropped >= segment.first {
            let start = rows.first().map_or(dropped.0 + 1, |first| first.position.0);
            let all = start == segment.first.0;
            match last_appends(&rows, all) {
                Some(from) => {
                    dropped = self.rows.restore_some(rows.split_off(from)).await?.dropped;
                    progress(Progress::CameBack(dropped));
                }
                None if all => {
                    let detail = "its first append does not begin where it begins".to_owned();
                    let (name, place) = (segment.name.clone(), segment.place.clone());
                    return Err(ArchiveError::Damaged { name, place, detail });
                }
                None => {
                    let block = reader.rows(segment, Position(start - 1)).await?;
                    let before = block.iter().take_while(|row| row.position.0 < start).cloned();
                    rows = before.chain(rows).collect();
                }
            }
        }
        Ok(())
    }

    /// Compares the rows of a range, as the log has them, with the hashes that its event has.
    async fn prove(&self, range: &ArchivedRange) -> Result<(), ArchiveError> {
        let mut log = Pages::after(&*self.rows, Position(range.first.saturating_sub(1)));
        let (mut subtrees, mut buffer) = (RangeParts::from_leaf(range.first.saturating_sub(1)), Vec::new());
        for position in range.first..=range.last {
            let differs = || ArchiveError::DiffersBack(Position(position));
            let row = log.next().await?.filter(|row| row.position.0 == position).ok_or_else(differs)?;
            let leaf = row.computed_leaf(&mut buffer);
            if leaf != row.leaf {
                return Err(differs());
            }
            subtrees.push(leaf);
        }
        if written(&subtrees) != range.subtrees {
            return Err(ArchiveError::DiffersBack(Position(range.first)));
        }
        Ok(())
    }
}

/// From where on the rows are whole appends that can come back in one transaction: as many as may, once there are enough to
/// be worth one. `all` says that nothing is before them. `None` when more have to be read first.
fn last_appends(rows: &[StoredEvent], all: bool) -> Option<usize> {
    let enough =
        rows.len() >= DROP_EVENTS_MAX || rows.iter().map(StoredEvent::text_bytes).sum::<usize>() >= EXPORT_BYTES_MAX;
    if rows.is_empty() || !(all || enough) {
        return None;
    }
    let least = rows.len().saturating_sub(DROP_EVENTS_MAX);
    if least == 0 && all {
        return Some(0);
    }
    // A row begins an append when the one before it ends one.
    let ends = rows.iter().skip(least.saturating_sub(1)).position(|row| row.append.is_some());
    let from = ends.map(|ends| ends + least.saturating_sub(1) + 1)?;
    (from < rows.len()).then_some(from)
}
