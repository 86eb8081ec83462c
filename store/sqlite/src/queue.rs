//! How the writer takes what waits for it. Only the writer waits here.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

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
}
