//! The archive of old ranges of the log: sealed, compressed segments in a folder or in S3, from which reads and proofs are
//! answered as from rows, and the archiver, which moves ranges there. Never changes an event, and never drops a row whose
//! segment was not read back and compared.
//!
//! The format of a segment is frozen, see `docs/archive.md`. Invariants: the same rows give the same bytes; every byte that
//! is read is covered by a hash that the log itself has; of what a file says of lengths nothing is believed unchecked.

mod archiver;
mod block;
mod check;
mod error;
mod index;
mod numbers;
mod places;
mod reader;
mod restorer;
#[cfg(feature = "s3")]
mod s3;
mod squeeze;
mod writer;

pub use archiver::{Archiver, Job, Progress, Sealed, segment_of};
pub use error::ArchiveError;
pub use index::{SegmentIndex, Subtree};
pub use places::{Folder, Place, Places};
pub use reader::{SegmentReader, read_segment};
pub use restorer::Restored;
pub use writer::{SEGMENT_EVENTS_MAX, SEGMENT_TEXT_BYTES, SealedSegment, SegmentWriter};
