//! What all protocols share: JSON taken apart field by field, streams of events and of lines.
//!
//! Never holds more than a named number of bytes, and never panics on what came.

mod fields;
mod lines;
mod sse;

pub use fields::{Fields, Misfit};
pub use lines::LineReader;
pub use sse::{EventReader, ServerEvent};

/// Most bytes of a line of a stream.
pub const LINE_BYTES_MAX: usize = 4 << 20;
/// Most bytes of an event of a stream.
pub const EVENT_BYTES_MAX: usize = 8 << 20;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// A line that does not end.
    #[error("a line of more than {} MiB", LINE_BYTES_MAX >> 20)]
    LineTooLong,
    /// An event that does not end.
    #[error("an event of more than {} MiB", EVENT_BYTES_MAX >> 20)]
    EventTooLong,
    /// Bytes that are no text.
    #[error("bytes that are not UTF-8")]
    NotText,
}
