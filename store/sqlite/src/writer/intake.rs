//! How the writer takes what waits: as much as fits one commit, and when there is nothing, what comes next.
//!
//! Callers that wait for an answer send their next append right after it. The writer lets as many come as came the last
//! time, for a small part of the time that a commit takes: fewer, larger commits are quicker for everybody. A commit that
//! did not wait for the disk was so short that callers hardly met in it: then more are let come, for longer.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::{ArchiveRequest, Message, Request};
use crate::queue::receive_within;

/// Most requests in one commit.
pub(super) const BATCH_REQUESTS_MAX: usize = 512;
/// Bytes of payload and metadata as stored from which a batch takes no more requests.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// The longest time that a batch is kept open for more.
const GATHERING_MAX: Duration = Duration::from_micros(200);
/// The same after a commit of several appends that did not wait for the disk: less than the disk would have taken.
const RELAXED_GATHERING: Duration = Duration::from_micros(500);
/// So many times as many appends as came the last time are let come then.
const RELAXED_GROWTH: usize = 2;
/// The part of a commit's time that a batch is kept open.
const COMMITS_PER_GATHERING: u32 = 4;

/// What the writer takes its requests from.
pub(super) struct Intake {
    queue: mpsc::Receiver<Message>,
    /// What the archiver asks for, in its order.
    archiving: VecDeque<ArchiveRequest>,
    /// Who waits for the end.
    closers: Vec<oneshot::Sender<()>>,
    /// Requests of the last batch that had any.
    last_requests: usize,
    /// How long the last commit took.
    last_commit: Duration,
    /// Whether it waited for the disk.
    last_waited: bool,
}

impl Intake {
    pub(super) fn new(queue: mpsc::Receiver<Message>) -> Self {
        Self {
            queue,
            archiving: VecDeque::new(),
            closers: Vec::new(),
            last_requests: 0,
            last_commit: Duration::ZERO,
            last_waited: true,
        }
    }

    /// Fills `batch` with what is there.
    pub(super) fn fill(&mut self, batch: &mut Vec<Request>) {
        let alone = self.last_requests < 2;
        let (wanted, patience) = if self.last_waited || alone {
            (self.last_requests, GATHERING_MAX.min(self.last_commit / COMMITS_PER_GATHERING))
        } else {
            (self.last_requests * RELAXED_GROWTH, RELAXED_GATHERING)
        };
        let mut bytes = batch.iter().map(|request| request.measured.bytes).sum::<usize>();
        let mut began = None;
        while batch.len() < BATCH_REQUESTS_MAX && bytes < BATCH_BYTES_MAX {
            match self.queue.try_recv() {
                Ok(message) => bytes += self.take(message, batch),
                Err(mpsc::error::TryRecvError::Disconnected) => break,
                Err(mpsc::error::TryRecvError::Empty) => {
                    if batch.is_empty() || batch.len() >= wanted {
                        break;
                    }
                    let left = patience.saturating_sub(began.get_or_insert_with(Instant::now).elapsed());
                    if left.is_zero() {
                        break;
                    }
                    if self.last_waited {
                        thread::yield_now();
                    } else if let Some(Some(message)) = receive_within(&mut self.queue, left) {
                        bytes += self.take(message, batch);
                    }
                }
            }
        }
        if !batch.is_empty() {
            self.last_requests = batch.len();
        }
    }

    /// Waits for the next message, at most `time`, and puts it into `batch`. False when there will be none any more.
    pub(super) fn wait(&mut self, batch: &mut Vec<Request>, time: Option<Duration>) -> bool {
        let message = match time {
            Some(time) => match receive_within(&mut self.queue, time) {
                None => return true,
                Some(message) => message,
            },
            None => self.queue.blocking_recv(),
        };
        let Some(message) = message else { return false };
        self.take(message, batch);
        true
    }

    /// What the archiver asks for next.
    pub(super) fn next_archiving(&mut self) -> Option<ArchiveRequest> {
        self.archiving.pop_front()
    }

    /// How long the last commit took, and whether it waited for the disk.
    pub(super) fn committed(&mut self, took: Duration, waited: bool) {
        (self.last_commit, self.last_waited) = (took, waited);
    }

    /// Tells whoever waits for it that the writer is at its end.
    pub(super) fn tell_closers(self) {
        for closer in self.closers {
            // Whoever does not wait for the end any more does not need to know.
            let _ = closer.send(());
        }
    }

    fn take(&mut self, message: Message, batch: &mut Vec<Request>) -> usize {
        match message {
            Message::Append(request) => {
                let bytes = request.measured.bytes;
                batch.push(*request);
                bytes
            }
            Message::Archive(request) => {
                self.archiving.push_back(request);
                0
            }
            Message::Close(closer) => {
                self.queue.close();
                self.closers.push(closer);
                0
            }
        }
    }
}
