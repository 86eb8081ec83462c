//! A request with its inputs and the way back to whoever asks, and the batch that several of them are.

use std::time::Duration;

use tokio::sync::oneshot;

use super::ask::{Answer, NotComputed};
use super::desk::Outcome;
use super::queue::Waiting;
use crate::instance::Inputs;

/// What comes along with a request through the queue.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) inputs: Inputs,
    pub(super) reply: Reply,
}

/// The way back.
pub(super) type Reply = oneshot::Sender<Result<Answer, NotComputed>>;

/// All of a request but its inputs.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) ticket: u64,
    pub(super) since: Duration,
    pub(super) until: Duration,
    pub(super) reply: Reply,
}

/// Requests that are computed together: their inputs lie side by side, as instances want them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) heads: Vec<Head>,
    pub(super) inputs: Vec<Inputs>,
}

/// A request's answer that is still to be sent.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) reply: Reply,
    pub(super) result: Result<Answer, NotComputed>,
}

impl Batch {
    pub(super) fn new(waiting: Vec<Waiting<Job>>) -> Self {
        let mut batch = Self::default();
        for one in waiting {
            let Job { inputs, reply } = one.payload;
            batch.heads.push(Head { ticket: one.rank.ticket, since: one.since, until: one.rank.until, reply });
            batch.inputs.push(inputs);
        }
        batch
    }

    pub(super) fn rows(&self) -> usize {
        self.inputs.iter().map(|inputs| inputs.rows).sum()
    }

    /// Cuts it in two; the second half is given back.
    pub(super) fn cut(&mut self) -> Self {
        let middle = self.heads.len() / 2;
        Self { heads: self.heads.split_off(middle), inputs: self.inputs.split_off(middle) }
    }

    /// One batch for each request.
    pub(super) fn alone(self) -> impl Iterator<Item = Self> {
        let requests = self.heads.into_iter().zip(self.inputs);
        requests.map(|(head, inputs)| Self { heads: vec![head], inputs: vec![inputs] })
    }
}

impl Head {
    /// Ends it. `at` is when the run that answers began.
    pub(super) fn end(self, at: Duration, result: Result<Answer, NotComputed>) -> Ended {
        let failed = result.as_ref().err().map(NotComputed::reason);
        let queue = at.saturating_sub(self.since);
        let compute = result.as_ref().map_or(Duration::ZERO, |answer| answer.timings.compute);
        let outcome = Outcome { ticket: self.ticket, until: self.until, queue, compute, failed };
        Ended { outcome, reply: self.reply, result }
    }
}
