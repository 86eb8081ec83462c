//! Which executions are open, and up to where all have ended.

use std::collections::{BTreeMap, HashMap};

use timeloom_store::{Position, StreamKey};
use tokio_util::sync::CancellationToken;

/// The open executions of this process.
#[derive(Default)]
pub(crate) struct OpenExecutions {
    by_stream: HashMap<StreamKey, Open>,
    starts: BTreeMap<Position, ()>,
    seen: Position,
}

// Invariant: `settled` never lies behind an execution that is open, nor before the place where this process began.

struct Open {
    started_at: Position,
    cancelled: CancellationToken,
}

impl OpenExecutions {
    /// Goes on from a remembered position: every execution that began at or before it has ended.
    pub(crate) fn resume_from(&mut self, settled: Position) {
        self.seen = self.seen.max(settled);
    }

    /// Takes an execution in; `None` when it is open already. What cancels `all` cancels it too.
    pub(crate) fn begin(
        &mut self,
        stream: &StreamKey,
        started_at: Position,
        all: &CancellationToken,
    ) -> Option<CancellationToken> {
        self.seen = self.seen.max(started_at);
        if self.by_stream.contains_key(stream) {
            return None;
        }
        let cancelled = all.child_token();
        self.by_stream.insert(stream.clone(), Open { started_at, cancelled: cancelled.clone() });
        self.starts.insert(started_at, ());
        Some(cancelled)
    }

    /// An open execution goes on in stream `next`. Until [`Self::moved`] it counts from where it began. False when
    /// somebody else has `next` already.
    pub(crate) fn hand_over(&mut self, stream: &StreamKey, next: &StreamKey) -> bool {
        if self.by_stream.contains_key(next) {
            return stream == next;
        }
        if let Some(open) = self.by_stream.remove(stream) {
            self.by_stream.insert(next.clone(), open);
        }
        true
    }

    /// The stream in which an execution goes on has begun at a position: nothing before that is needed to find it.
    pub(crate) fn moved(&mut self, stream: &StreamKey, began_at: Position) {
        if let Some(open) = self.by_stream.get_mut(stream) {
            self.starts.remove(&open.started_at);
            open.started_at = began_at;
            // What was seen is for the follower to say: it takes starts in order, this one comes ahead of others.
            self.starts.insert(began_at, ());
        }
    }

    /// Lets an execution go.
    pub(crate) fn end(&mut self, stream: &StreamKey) {
        if let Some(open) = self.by_stream.remove(stream) {
            self.starts.remove(&open.started_at);
        }
    }

    /// Tells an execution to stop.
    pub(crate) fn cancel(&self, stream: &StreamKey) {
        if let Some(open) = self.by_stream.get(stream) {
            open.cancelled.cancel();
        }
    }

    /// The position at or before which every execution that began has ended.
    pub(crate) fn settled(&self) -> Position {
        let before = |first: &Position| Position(first.0.saturating_sub(1)).min(self.seen);
        self.starts.keys().next().map_or(self.seen, before)
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.by_stream.len()
    }
}

#[cfg(test)]
mod tests {
    use timeloom_domain::ids::TenantId;

    use super::*;

    fn stream(id: &str) -> StreamKey {
        StreamKey::new(TenantId(1), "execution", id)
    }

    #[test]
    fn the_settled_position_never_lies_behind_an_open_execution() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        open.resume_from(Position(3));
        assert_eq!(open.settled(), Position(3), "a restart keeps the place");
        for (id, position) in [("a", 5), ("b", 9), ("c", 20)] {
            assert!(open.begin(&stream(id), Position(position), &all).is_some());
        }
        assert!(open.begin(&stream("b"), Position(9), &all).is_none(), "it is open already");
        open.end(&stream("c"));
        assert_eq!(open.settled(), Position(4));
        open.end(&stream("a"));
        assert_eq!(open.settled(), Position(8));
        open.end(&stream("b"));
        assert_eq!((open.settled(), open.count()), (Position(20), 0));
    }

    #[test]
    fn an_execution_that_goes_on_elsewhere_is_open_there_and_nowhere_else() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        let token = open.begin(&stream("a"), Position(5), &all).unwrap();
        assert!(open.hand_over(&stream("a"), &stream("a2")));
        assert_eq!((open.settled(), open.count()), (Position(4), 1), "the next stream is not there yet");
        assert!(open.begin(&stream("a2"), Position(30), &all).is_none());
        open.moved(&stream("a2"), Position(30));
        assert_eq!(open.settled(), Position(29));
        open.cancel(&stream("a2"));
        assert!(token.is_cancelled());
        open.begin(&stream("b"), Position(40), &all).unwrap();
        assert!(!open.hand_over(&stream("b"), &stream("a2")), "somebody has it");
        open.end(&stream("a2"));
        open.end(&stream("b"));
        assert_eq!((open.settled(), open.count()), (Position(40), 0));
    }

    #[test]
    fn a_stream_that_began_ahead_of_the_follower_settles_nothing_between() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        open.begin(&stream("a"), Position(5), &all).unwrap();
        assert!(open.hand_over(&stream("a"), &stream("a2")));
        open.moved(&stream("a2"), Position(1_000));
        assert_eq!(open.settled(), Position(5), "somebody may have begun at 998, whom nobody took up yet");
        open.end(&stream("a2"));
        assert_eq!(open.settled(), Position(5));
        open.begin(&stream("b"), Position(998), &all).unwrap();
        assert_eq!(open.settled(), Position(997));
    }

    #[test]
    fn cancelling_reaches_one_execution_and_stopping_reaches_all() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        let mut begin = |id: &str, position| open.begin(&stream(id), Position(position), &all).unwrap();
        let (first, second) = (begin("a", 1), begin("b", 2));
        open.cancel(&stream("a"));
        assert_eq!((first.is_cancelled(), second.is_cancelled()), (true, false));
        all.cancel();
        assert!(second.is_cancelled());
        assert!(open.begin(&stream("late"), Position(3), &all).unwrap().is_cancelled(), "what begins after it too");
    }
}
