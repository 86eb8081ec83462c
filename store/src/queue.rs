//! How many bytes of appends are in memory between their call and their commit. For backends. Never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of payload and metadata that may wait for the writer before more appends are refused.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The count of bytes that wait.
#[derive(Debug, Default)]
pub struct QueuedBytes(Arc<AtomicUsize>);

impl QueuedBytes {
    /// Counts `bytes` until the result is dropped; `None` when more than [`QUEUE_BYTES_MAX`] wait already. Whatever its
    /// size, an append is only ever refused because of others, so that the most in memory is that and one append.
    pub fn hold(&self, bytes: usize) -> Option<Held> {
        let others = self.0.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { bytes, total: Arc::clone(&self.0) };
        (others <= QUEUE_BYTES_MAX).then_some(held)
    }
}

/// Bytes that are counted as long as this lives.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_of_any_size_is_let_in_alone_and_others_wait_until_it_is_done() {
        let queued = QueuedBytes::default();
        let large = queued.hold(QUEUE_BYTES_MAX * 4).unwrap();
        assert!(queued.hold(1).is_none());
        assert!(queued.hold(QUEUE_BYTES_MAX * 4).is_none());
        drop(large);
        let full = queued.hold(QUEUE_BYTES_MAX).unwrap();
        let last = queued.hold(QUEUE_BYTES_MAX * 4).unwrap();
        assert!(queued.hold(1).is_none());
        drop((full, last));
        assert_eq!(queued.0.load(Ordering::Relaxed), 0);
    }
}
