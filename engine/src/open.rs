//! Which executions are open, and up to where all have ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use timeloom_store::{Position, RecordedEvent, StreamKey};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The open executions of this process.
#[derive(Default)]
pub(crate) struct OpenExecutions {
    by_stream: HashMap<StreamKey, Open>,
    starts: BTreeMap<Position, ()>,
    /// When executions that rest are to be taken up.
    alarms: BTreeSet<(i64, StreamKey)>,
    seen: Position,
}

// Invariant: `settled` never lies behind an execution that is open, nor before the place where this process began.

struct Open {
    started_at: Position,
    cancelled: CancellationToken,
    /// Wakes the task that drives it, when somebody else wrote into its stream.
    nudged: Arc<Notify>,
    /// How often that happened.
    nudges: u64,
    /// Set while nothing drives it: it waits for a time, or for a nudge.
    resting: Option<Resting>,
}

/// An execution that stands still.
struct Resting {
    /// Its stream's first event, to take it up again.
    started: Arc<RecordedEvent>,
    /// When it is to be taken up, in milliseconds since 1970; `None` when somebody nudges it.
    until_ms: Option<i64>,
}

/// What a task holds that drives an execution.
#[derive(Clone)]
pub(crate) struct Hold {
    /// Set when the execution is cancelled, or everything stops.
    pub(crate) cancelled: CancellationToken,
    /// Told when somebody else wrote into its stream.
    pub(crate) nudged: Arc<Notify>,
}

impl OpenExecutions {
    /// Goes on from a remembered position: every execution that began at or before it has ended.
    pub(crate) fn resume_from(&mut self, settled: Position) {
        self.seen = self.seen.max(settled);
    }

    /// Takes an execution in; `None` when it is open already. What cancels `all` cancels it too.
    pub(crate) fn begin(&mut self, stream: &StreamKey, started_at: Position, all: &CancellationToken) -> Option<Hold> {
        self.seen = self.seen.max(started_at);
        if self.by_stream.contains_key(stream) {
            return None;
        }
        let hold = Hold { cancelled: all.child_token(), nudged: Arc::default() };
        let (cancelled, nudged) = (hold.cancelled.clone(), Arc::clone(&hold.nudged));
        self.by_stream.insert(stream.clone(), Open { started_at, cancelled, nudged, nudges: 0, resting: None });
        self.starts.insert(started_at, ());
        Some(hold)
    }

    /// How often somebody else wrote into the stream of an open execution.
    pub(crate) fn nudges(&self, stream: &StreamKey) -> u64 {
        self.by_stream.get(stream).map_or(0, |open| open.nudges)
    }

    /// Lets an execution stand still that nothing drives any more, unless it was nudged since `nudges` was read: then it is
    /// to be driven on at once, and the answer is false.
    pub(crate) fn rest(
        &mut self,
        stream: &StreamKey,
        started: &Arc<RecordedEvent>,
        until_ms: Option<i64>,
        nudges: u64,
    ) -> bool {
        let Some(open) = self.by_stream.get_mut(stream) else { return true };
        if open.nudges != nudges {
            return false;
        }
        open.resting = Some(Resting { started: Arc::clone(started), until_ms });
        if let Some(until_ms) = until_ms {
            self.alarms.insert((until_ms, stream.clone()));
        }
        true
    }

    /// Somebody else wrote into a stream: the task that drives it is told; one that rests is taken up, which is the answer.
    pub(crate) fn nudge(&mut self, stream: &StreamKey) -> Option<(Arc<RecordedEvent>, Hold)> {
        let open = self.by_stream.get_mut(stream)?;
        open.nudges += 1;
        open.nudged.notify_one();
        self.take_up(stream)
    }

    /// The executions whose time to be taken up has come, and when the next one's comes.
    pub(crate) fn due(&mut self, now_ms: i64) -> (Vec<(Arc<RecordedEvent>, Hold)>, Option<i64>) {
        let mut due = Vec::new();
        while let Some((until_ms, stream)) = self.alarms.first().cloned() {
            if until_ms > now_ms {
                return (due, Some(until_ms));
            }
            self.alarms.pop_first();
            due.extend(self.take_up(&stream));
        }
        (due, None)
    }

    fn take_up(&mut self, stream: &StreamKey) -> Option<(Arc<RecordedEvent>, Hold)> {
        let open = self.by_stream.get_mut(stream)?;
        let Resting { started, until_ms } = open.resting.take()?;
        if let Some(until_ms) = until_ms {
            self.alarms.remove(&(until_ms, stream.clone()));
        }
        Some((started, Hold { cancelled: open.cancelled.clone(), nudged: Arc::clone(&open.nudged) }))
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
            if let Some(until_ms) = open.resting.and_then(|resting| resting.until_ms) {
                self.alarms.remove(&(until_ms, stream.clone()));
            }
        }
    }

    /// Tells an execution to stop. One that rests is let go.
    pub(crate) fn cancel(&mut self, stream: &StreamKey) {
        let Some(open) = self.by_stream.get(stream) else { return };
        open.cancelled.cancel();
        if open.resting.is_some() {
            self.end(stream);
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
        assert!(token.cancelled.is_cancelled());
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
        assert_eq!((first.cancelled.is_cancelled(), second.cancelled.is_cancelled()), (true, false));
        all.cancel();
        assert!(second.cancelled.is_cancelled());
        assert!(
            open.begin(&stream("late"), Position(3), &all).unwrap().cancelled.is_cancelled(),
            "what begins after it too"
        );
    }
}
