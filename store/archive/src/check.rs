//! Looks whether a segment is still what the log's own event says of it. Changes nothing.

use sha2::{Digest, Sha256};
use timeloom_domain::archive::ArchivedRange;
use timeloom_store::{LogError, Position};
use timeloom_verify::tree::RangeParts;

use crate::archiver::{Archiver, hexadecimal, segment_of};
use crate::error::ArchiveError;
use crate::reader::read_segment;

impl Archiver {
    /// Reads the whole segment that begins at `first` from its place and compares its hash, and the hashes of the log's Merkle
    /// tree over its rows, with those of the event that tells of it. Gives how many events it has.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Damaged`] and [`ArchiveError::Place`] say what is wrong with it;
    /// [`ArchiveError::Refused`] when no segment begins there.
    pub async fn check_segment(&self, first: Position) -> Result<u64, ArchiveError> {
        let range = self.told().await?.ranges.into_iter().find(|range| range.first == first.0);
        let unknown = || format!("no segment of the archive begins at {first}: timeloom log segments lists them");
        let range = range.ok_or_else(|| ArchiveError::Refused(unknown()))?;
        let segment = segment_of(&range)?;
        let bytes = self.places.open(&segment.place)?.get(&segment.name, segment.bytes).await?;
        let (name, place, sha256) = (segment.name, segment.place, segment.sha256);
        let checked = tokio::task::spawn_blocking(move || {
            if <[u8; 32]>::from(Sha256::digest(&bytes)) != sha256 {
                return Err("it has another hash".to_owned());
            }
            let subtrees = subtrees_of(range.first, &bytes)?;
            if subtrees == range.subtrees {
                Ok(events_of(&range))
            } else {
                Err("its rows have other hashes".to_owned())
            }
        });
        let checked = checked.await.map_err(LogError::storage)?;
        checked.map_err(|detail| ArchiveError::Damaged { name, place, detail })
    }
}

fn events_of(range: &ArchivedRange) -> u64 {
    range.last.saturating_add(1).saturating_sub(range.first)
}

/// The subtrees over the rows of a segment, as events tell of them.
fn subtrees_of(first: u64, bytes: &bytes::Bytes) -> Result<Vec<String>, String> {
    // The event at position 1 is the leaf 0.
    let (mut subtrees, mut buffer) = (RangeParts::from_leaf(first.saturating_sub(1)), Vec::new());
    read_segment(bytes, |rows| {
        rows.iter().for_each(|row| subtrees.push(row.computed_leaf(&mut buffer)));
        Ok::<_, String>(())
    })?;
    Ok(written(&subtrees))
}

/// Subtrees as events tell of them.
pub(crate) fn written(subtrees: &RangeParts) -> Vec<String> {
    subtrees.nodes().map(|(node, hash)| format!("{}:{}", node.level, hexadecimal(&hash))).collect()
}
