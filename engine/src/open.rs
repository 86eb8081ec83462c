//! Which executions are open, which of them this process drives, for what the others wait, and up to where all have ended.
//!
//! Every process knows all of them: a small entry each, so that it can go on with any when it gets their shard. Invariant:
//! the settled position never lies behind an execution that is open, nor before the place where this process began.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use timeloom_domain::event::Event;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::leases::{Epoch, Shard};
use timeloom_store::{Position, StreamKey};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::checkpoint::{Checkpoint, OPEN_REMEMBERED_MAX, OpenExecution, OpenWait};

/// The open executions.
#[derive(Default)]
pub(crate) struct OpenExecutions {
    by_stream: HashMap<StreamKey, Open>,
    starts: BTreeSet<Position>,
    due: Due,
    seen: Position,
}

/// When those that wait are due, in milliseconds since 1970.
#[derive(Default)]
struct Due(BTreeSet<(i64, StreamKey)>);

impl Due {
    /// Sets or forgets when an execution is due.
    fn set(&mut self, stream: &StreamKey, open: &mut Open, due_ms: Option<i64>) {
        if let Some(before) = std::mem::replace(&mut open.due_ms, due_ms) {
            self.0.remove(&(before, stream.clone()));
        }
        self.0.extend(due_ms.map(|due_ms| (due_ms, stream.clone())));
    }
}

struct Open {
    began_at: Position,
    shard: Shard,
    stands: Stands,
    /// As when it stands among those that are due.
    due_ms: Option<i64>,
    driven: Option<Driven>,
    /// The stream that it leaves, until the next one is known to have begun.
    leaves: Option<StreamKey>,
}

/// What holds an execution up, as far as the log has told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stands {
    waits: Option<OpenWait>,
    is_paused: bool,
}

impl Stands {
    fn still(self) -> bool {
        self.is_paused || self.waits.is_some()
    }

    /// When it goes on by itself.
    fn due_ms(self) -> Option<i64> {
        self.waits.filter(|_| !self.is_paused)?.until_ms
    }
}

/// What this process does with an execution.
struct Driven {
    /// In which epoch of its shard.
    epoch: Epoch,
    reins: Reins,
    /// Whether somebody else wrote into its stream since its driver began to listen.
    is_called: bool,
    /// Whether the log told its end meanwhile.
    has_ended: bool,
}

/// By what the driver of an execution is told of what happens around it.
#[derive(Clone)]
pub(crate) struct Reins {
    /// Set when the execution is cancelled, or its shard is lost.
    pub(crate) cancelled: CancellationToken,
    /// Told when somebody else wrote into its stream.
    pub(crate) nudged: Arc<Notify>,
}

/// What a news of an open execution is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// It waits.
    Waits(OpenWait),
    /// Its wait is over.
    Resumed,
    /// It stands still.
    Paused,
    /// It is let go.
    Unpaused,
    /// Where it pauses was changed.
    Breakpoints,
}

/// How the driving of an execution came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The execution has ended.
    Ended,
    /// It waits, at the longest until then (milliseconds since 1970), or until somebody says so.
    Waits(Option<i64>),
    /// It rests unfinished: another process goes on, or this one when it has its shard again.
    Rests,
}

impl OpenExecutions {
    /// Goes on from what was remembered.
    pub(crate) fn resume(&mut self, checkpoint: Checkpoint) {
        self.seen = self.seen.max(checkpoint.position());
        for open in checkpoint.open.into_iter().flatten() {
            let OpenExecution { tenant, id, began_at, shard, waits, is_paused } = open;
            let stream = StreamKey::new(tenant, ExecutionEvent::CATEGORY, id);
            if let Some(shard) = Shard::try_new(shard) {
                self.begin(&stream, began_at, shard);
                self.stand(&stream, |stands| *stands = Stands { waits, is_paused });
            }
        }
    }

    /// Takes an execution in; false when it is known.
    pub(crate) fn begin(&mut self, stream: &StreamKey, began_at: Position, shard: Shard) -> bool {
        self.seen = self.seen.max(began_at);
        if self.by_stream.contains_key(stream) {
            return false;
        }
        self.by_stream.insert(
            stream.clone(),
            Open { began_at, shard, stands: Stands::default(), due_ms: None, driven: None, leaves: None },
        );
        self.starts.insert(began_at);
        true
    }

    /// Begins to drive an execution in an epoch of its shard, if nobody does in this process. What cancels `all` cancels it
    /// too.
    pub(crate) fn drive(&mut self, stream: &StreamKey, epoch: Epoch, all: &CancellationToken) -> Option<Reins> {
        let open = self.by_stream.get_mut(stream).filter(|open| open.driven.is_none())?;
        let reins = Reins { cancelled: all.child_token(), nudged: Arc::default() };
        self.due.set(stream, open, None);
        open.driven = Some(Driven { epoch, reins: reins.clone(), is_called: false, has_ended: false });
        Some(reins)
    }

    /// The driver of an execution is about to read its stream: what others wrote before that, it finds there.
    pub(crate) fn listen(&mut self, stream: &StreamKey) {
        if let Some(driven) = self.by_stream.get_mut(stream).and_then(|open| open.driven.as_mut()) {
            driven.is_called = false;
        }
    }

    /// The driving of an execution came to its end. Answers whether it is to be driven again: somebody called it
    /// meanwhile, or its shard is `held` in another epoch by now.
    pub(crate) fn rested(
        &mut self,
        stream: &StreamKey,
        outcome: Outcome,
        held: impl Fn(Shard) -> Option<Epoch>,
    ) -> bool {
        let Some(open) = self.by_stream.get_mut(stream) else { return false };
        let Some(driven) = open.driven.take() else { return false };
        match outcome {
            Outcome::Ended => self.end(stream),
            _ if driven.has_ended => self.end(stream),
            Outcome::Waits(_) if driven.is_called => return true,
            Outcome::Waits(until_ms) => self.due.set(stream, open, until_ms),
            Outcome::Rests => return held(open.shard).is_some_and(|epoch| epoch != driven.epoch),
        }
        false
    }

    /// The log told that an execution ended. Whoever drives it here finds out by itself.
    pub(crate) fn told_end(&mut self, stream: &StreamKey) {
        match self.by_stream.get_mut(stream).map(|open| &mut open.driven) {
            Some(Some(driven)) => driven.has_ended = true,
            Some(None) => self.end(stream),
            None => {}
        }
    }

    /// The log told what holds an execution up. Answers whether it is to be driven on. Of what is the engine's own word
    /// (`is_own`) whoever drives the execution knows.
    pub(crate) fn told(&mut self, stream: &StreamKey, news: News, is_own: bool) -> bool {
        let goes_on = matches!(news, News::Resumed | News::Unpaused);
        self.stand(stream, |stands| match news {
            News::Waits(wait) => stands.waits = Some(wait),
            News::Resumed => stands.waits = None,
            News::Paused => stands.is_paused = true,
            News::Unpaused => stands.is_paused = false,
            News::Breakpoints => {}
        });
        match self.by_stream.get_mut(stream).map(|open| &mut open.driven) {
            Some(Some(driven)) if !is_own => {
                driven.is_called = true;
                driven.reins.nudged.notify_one();
                false
            }
            Some(None) => goes_on && !is_own,
            Some(Some(_)) | None => false,
        }
    }

    fn stand(&mut self, stream: &StreamKey, change: impl FnOnce(&mut Stands)) {
        let Some(open) = self.by_stream.get_mut(stream) else { return };
        let before = open.stands;
        change(&mut open.stands);
        if before == open.stands || open.driven.is_some() {
            return;
        }
        let due_ms = open.stands.due_ms();
        self.due.set(stream, open, due_ms);
    }

    /// The executions that nobody drives, of the shards that are held, in the order in which they began: those first that
    /// nothing holds up. The others have to be looked at as well, for a wait holds up one branch, and others may go on.
    pub(crate) fn take_up(&self, is_held: impl Fn(Shard) -> bool) -> Vec<StreamKey> {
        let is_idle = |open: &Open| open.driven.is_none() && is_held(open.shard);
        let mut idle: Vec<_> = self.by_stream.iter().filter(|(_, open)| is_idle(open)).collect();
        idle.sort_unstable_by_key(|(_, open)| (open.stands.still(), open.began_at));
        idle.into_iter().map(|(stream, _)| stream.clone()).collect()
    }

    /// When the next one that waits is due, in milliseconds since 1970.
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.due.0.first().map(|(due_ms, _)| *due_ms)
    }

    /// Those that wait and are due, once.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Vec<StreamKey> {
        let mut due = Vec::new();
        while self.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            let Some((_, stream)) = self.due.0.pop_first() else { break };
            if let Some(open) = self.by_stream.get_mut(&stream) {
                open.due_ms = None;
            }
            due.push(stream);
        }
        due
    }

    /// The shard of an execution, and where it began.
    pub(crate) fn place_of(&self, stream: &StreamKey) -> Option<(Shard, Position)> {
        self.by_stream.get(stream).map(|open| (open.shard, open.began_at))
    }

    /// An open execution goes on in stream `next`. Until [`Self::moved`] it counts from where it began. False when
    /// somebody else has `next` already.
    pub(crate) fn hand_over(&mut self, stream: &StreamKey, next: &StreamKey) -> bool {
        if self.by_stream.contains_key(next) {
            return stream == next;
        }
        if let Some(open) = self.by_stream.remove(stream) {
            self.by_stream.insert(next.clone(), Open { leaves: Some(stream.clone()), ..open });
        }
        true
    }

    /// The stream in which an execution goes on has begun at a position: nothing before that is needed to find it.
    pub(crate) fn moved(&mut self, stream: &StreamKey, began_at: Position) {
        if let Some(open) = self.by_stream.get_mut(stream) {
            self.starts.remove(&open.began_at);
            (open.began_at, open.leaves) = (began_at, None);
            // What was seen is for the follower to say: it takes starts in order, this one comes ahead of others.
            self.starts.insert(began_at);
        }
    }

    /// Lets an execution go.
    fn end(&mut self, stream: &StreamKey) {
        if let Some(mut open) = self.by_stream.remove(stream) {
            self.starts.remove(&open.began_at);
            self.due.set(stream, &mut open, None);
        }
    }

    /// Tells an execution that is driven here to stop.
    pub(crate) fn cancel(&self, stream: &StreamKey) {
        if let Some(driven) = self.by_stream.get(stream).and_then(|open| open.driven.as_ref()) {
            driven.reins.cancelled.cancel();
        }
    }

    /// The position at or before which every execution that began has ended.
    pub(crate) fn settled(&self) -> Position {
        let before = |first: &Position| Position(first.0.saturating_sub(1)).min(self.seen);
        self.starts.first().map_or(self.seen, before)
    }

    /// What is to be remembered.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let settled = self.settled();
        // What began ahead of the follower is left out, for it comes again, and so does the end of what it goes on from.
        let known = self.by_stream.iter().filter(|(_, open)| open.began_at <= self.seen);
        let open = (self.by_stream.len() <= OPEN_REMEMBERED_MAX).then(|| {
            let remembered = known.map(|(stream, open)| OpenExecution {
                tenant: stream.tenant,
                id: open.leaves.as_ref().unwrap_or(stream).id.to_string(),
                began_at: open.began_at,
                shard: open.shard.number(),
                waits: open.stands.waits,
                is_paused: open.stands.is_paused,
            });
            let mut remembered: Vec<_> = remembered.collect();
            remembered.sort_unstable_by_key(|open| open.began_at);
            remembered
        });
        Checkpoint { settled, seen: self.seen, open }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.by_stream.len()
    }

    /// How many are driven here.
    pub(crate) fn driven_count(&self) -> usize {
        self.by_stream.values().filter(|open| open.driven.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use timeloom_domain::ids::TenantId;

    use super::*;

    const EPOCH: Epoch = Epoch(7);

    fn stream(id: &str) -> StreamKey {
        StreamKey::new(TenantId(1), "execution", id)
    }

    fn shard(number: u16) -> Shard {
        Shard::try_new(number).unwrap()
    }

    /// Begun and driven.
    fn begin(open: &mut OpenExecutions, id: &str, began_at: u64, all: &CancellationToken) -> Option<CancellationToken> {
        open.begin(&stream(id), Position(began_at), shard(1)).then_some(())?;
        Some(open.drive(&stream(id), EPOCH, all)?.cancelled)
    }

    fn end(open: &mut OpenExecutions, id: &str) {
        assert!(!open.rested(&stream(id), Outcome::Ended, |_| Some(EPOCH)));
    }

    fn idle(open: &OpenExecutions) -> Vec<String> {
        open.take_up(|of| of == shard(1)).iter().map(|stream| stream.id.to_string()).collect()
    }

    #[test]
    fn the_settled_position_never_lies_behind_an_open_execution() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        open.resume(Checkpoint::settled_at(Position(3)));
        assert_eq!(open.settled(), Position(3), "a restart keeps the place");
        for (id, position) in [("a", 5), ("b", 9), ("c", 20)] {
            assert!(begin(&mut open, id, position, &all).is_some());
        }
        assert!(begin(&mut open, "b", 9, &all).is_none(), "it is open already");
        end(&mut open, "c");
        assert_eq!(open.settled(), Position(4));
        end(&mut open, "a");
        assert_eq!(open.settled(), Position(8));
        end(&mut open, "b");
        assert_eq!((open.settled(), open.count()), (Position(20), 0));
    }

    #[test]
    fn an_execution_that_goes_on_elsewhere_is_open_there_and_nowhere_else() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        let token = begin(&mut open, "a", 5, &all).unwrap();
        assert!(open.hand_over(&stream("a"), &stream("a2")));
        assert_eq!((open.settled(), open.count()), (Position(4), 1), "the next stream is not there yet");
        let remembered = |open: &OpenExecutions| {
            open.checkpoint().open.unwrap().iter().map(|open| open.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(remembered(&open), ["a"], "after a crash now it is to be found where it was");
        assert!(begin(&mut open, "a2", 30, &all).is_none());
        open.moved(&stream("a2"), Position(30));
        assert_eq!((open.settled(), remembered(&open)), (Position(29), vec!["a2".to_owned()]));
        open.cancel(&stream("a2"));
        assert!(token.is_cancelled());
        begin(&mut open, "b", 40, &all).unwrap();
        assert!(!open.hand_over(&stream("b"), &stream("a2")), "somebody has it");
        end(&mut open, "a2");
        end(&mut open, "b");
        assert_eq!((open.settled(), open.count()), (Position(40), 0));
    }

    #[test]
    fn a_stream_that_began_ahead_of_the_follower_settles_nothing_between() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        begin(&mut open, "a", 5, &all).unwrap();
        assert!(open.hand_over(&stream("a"), &stream("a2")));
        open.moved(&stream("a2"), Position(1_000));
        assert_eq!(open.settled(), Position(5), "somebody may have begun at 998, whom nobody took up yet");
        assert_eq!(open.checkpoint(), Checkpoint { settled: Position(5), seen: Position(5), open: Some(vec![]) });
        end(&mut open, "a2");
        assert_eq!(open.settled(), Position(5));
        begin(&mut open, "b", 998, &all).unwrap();
        assert_eq!(open.settled(), Position(997));
    }

    #[test]
    fn cancelling_reaches_one_execution_and_stopping_reaches_all() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        let (first, second) = (begin(&mut open, "a", 1, &all).unwrap(), begin(&mut open, "b", 2, &all).unwrap());
        open.cancel(&stream("a"));
        assert_eq!((first.is_cancelled(), second.is_cancelled()), (true, false));
        all.cancel();
        assert!(second.is_cancelled());
        assert!(begin(&mut open, "late", 3, &all).unwrap().is_cancelled(), "what begins after it too");
    }

    #[test]
    fn what_is_remembered_is_open_after_a_restart_and_what_waits_comes_last() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        for (id, began_at) in [("later", 9), ("first", 5), ("waits", 6), ("paused", 7), ("ended", 8)] {
            open.begin(&stream(id), Position(began_at), shard(1));
        }
        open.begin(&stream("elsewhere"), Position(10), shard(2));
        open.told(&stream("waits"), News::Waits(OpenWait { until_ms: Some(500) }), false);
        open.told(&stream("paused"), News::Paused, false);
        open.told_end(&stream("ended"));
        let checkpoint = open.checkpoint();
        assert_eq!((checkpoint.settled, checkpoint.seen), (Position(4), Position(10)));
        let mut open = OpenExecutions::default();
        open.resume(checkpoint.clone());
        assert_eq!((open.checkpoint(), open.count()), (checkpoint, 5));
        assert_eq!(idle(&open), ["first", "later", "waits", "paused"]);
        assert_eq!((open.take_due(499).len(), open.take_due(500)), (0, vec![stream("waits")]));
        assert!(open.take_due(900).is_empty(), "it is due once");
        assert!(open.told(&stream("paused"), News::Unpaused, false));
        assert!(open.drive(&stream("paused"), EPOCH, &all).is_some());
        assert_eq!(open.place_of(&stream("elsewhere")), Some((shard(2), Position(10))));
    }

    #[test]
    fn too_many_to_remember_are_found_by_reading_from_the_oldest() {
        let mut open = OpenExecutions::default();
        for number in 0..=OPEN_REMEMBERED_MAX {
            open.begin(&stream(&number.to_string()), Position(number as u64 + 50), shard(1));
        }
        let checkpoint = open.checkpoint();
        assert_eq!((checkpoint.open.is_none(), checkpoint.position()), (true, Position(49)));
    }

    #[test]
    fn who_is_called_while_it_comes_to_a_rest_goes_on_and_who_lost_its_shard_when_that_comes_back() {
        let (mut open, all) = (OpenExecutions::default(), CancellationToken::new());
        begin(&mut open, "a", 1, &all).unwrap();
        assert!(!open.told(&stream("a"), News::Resumed, true), "it is the driver's own word");
        assert!(!open.told(&stream("a"), News::Resumed, false), "whoever drives it is there");
        open.listen(&stream("a"));
        assert!(!open.told(&stream("a"), News::Breakpoints, false));
        assert!(open.rested(&stream("a"), Outcome::Waits(Some(800)), |_| Some(EPOCH)));
        open.drive(&stream("a"), EPOCH, &all).unwrap();
        assert!(open.drive(&stream("a"), EPOCH, &all).is_none(), "by one at a time");
        assert!(!open.rested(&stream("a"), Outcome::Waits(Some(800)), |_| Some(EPOCH)));
        assert_eq!(open.next_due_ms(), Some(800));
        open.drive(&stream("a"), EPOCH, &all).unwrap();
        assert!(!open.rested(&stream("a"), Outcome::Rests, |_| Some(EPOCH)), "it would rest again");
        open.drive(&stream("a"), EPOCH, &all).unwrap();
        assert!(!open.rested(&stream("a"), Outcome::Rests, |_| None), "others drive it");
        open.drive(&stream("a"), EPOCH, &all).unwrap();
        assert!(open.rested(&stream("a"), Outcome::Rests, |_| Some(Epoch(8))), "it is ours again");
        open.drive(&stream("a"), Epoch(8), &all).unwrap();
        open.told_end(&stream("a"));
        assert_eq!(open.count(), 1, "whoever drives it finds out");
        assert!(!open.rested(&stream("a"), Outcome::Rests, |_| None));
        assert_eq!((open.count(), open.next_due_ms()), (0, None));
    }
}
