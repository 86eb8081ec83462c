//! What waits for the writer: how many bytes of memory it takes, and how the writer takes it. Only the writer waits here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// Bytes of payload and metadata that may wait for the writer before more appends are refused.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The count of bytes that wait.
#[derive(Debug, Default)]
pub(crate) struct QueuedBytes(Arc<AtomicUsize>);

impl QueuedBytes {
    /// Counts `bytes` until the result is dropped; `None` when more than [`QUEUE_BYTES_MAX`] wait already. Whatever its
    /// size, an append is only ever refused because of others, so that the most in memory is that and one append.
    pub(crate) fn hold(&self, bytes: usize) -> Option<Held> {
        let others = self.0.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { bytes, total: Arc::clone(&self.0) };
        (others <= QUEUE_BYTES_MAX).then_some(held)
    }
}

/// Bytes that are counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The next message, `Some(None)` when there will be none any more, and `None` when nothing came within `time`. Blocks.
pub(crate) fn receive_within<T>(queue: &mut mpsc::Receiver<T>, time: Duration) -> Option<Option<T>> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let began = Instant::now();
    loop {
        if let Poll::Ready(message) = queue.poll_recv(&mut context) {
            return Some(message);
        }
        let left = time.saturating_sub(began.elapsed());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_gets_what_comes_in_time_and_gives_up_when_nothing_does() {
        let (sender, mut queue) = mpsc::channel(4);
        assert_eq!(receive_within(&mut queue, Duration::ZERO), None);
        let sending = thread::spawn(move || sender.blocking_send(1));
        assert_eq!(receive_within(&mut queue, Duration::from_secs(30)), Some(Some(1)));
        sending.join().unwrap().unwrap();
        assert_eq!(receive_within(&mut queue, Duration::from_secs(30)), Some(None));
    }

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
