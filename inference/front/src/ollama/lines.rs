//! A stream of lines, with the time that they took.

use std::sync::Arc;

use bytes::Bytes;
use timeloom_domain::chat::Delta;
use timeloom_gateway::CallError;
use timeloom_gateway::ollama::{LineWriter, Took};

use crate::body::moment;
use crate::speaking::Speaking;
use crate::written::Writing;

/// Lines of which one was begun at a time.
pub(super) struct Lines<S> {
    speaking: Arc<S>,
    writer: LineWriter,
    began_ms: i64,
    first_ms: Option<i64>,
}

impl<S: Speaking> Lines<S> {
    /// The lines of an answer to what was asked at `began_ms`.
    pub fn new(speaking: Arc<S>, writer: LineWriter, began_ms: i64) -> Self {
        Self { speaking, writer, began_ms, first_ms: None }
    }
}

impl<S: Speaking> Writing for Lines<S> {
    fn write(&mut self, delta: &Delta) -> Result<Bytes, CallError> {
        let now_ms = self.speaking.now_ms();
        if delta.is_content() {
            self.first_ms.get_or_insert(now_ms);
        }
        self.writer.write(delta, &moment(now_ms))
    }

    fn end(&mut self) -> Result<Bytes, CallError> {
        let now_ms = self.speaking.now_ms();
        let to_first_ns = nanoseconds(self.began_ms, self.first_ms.unwrap_or(now_ms));
        self.writer.end(&moment(now_ms), Took { to_first_ns, total_ns: nanoseconds(self.began_ms, now_ms) })
    }

    fn failed(&self, error: &CallError) -> Bytes {
        LineWriter::failed(&error.message)
    }
}

/// How long it is from one moment to another.
pub(super) fn nanoseconds(from_ms: i64, to_ms: i64) -> u64 {
    u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0).saturating_mul(1_000_000)
}
