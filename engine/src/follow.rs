//! Follows the log and the leases: which executions are open, which of them are this process's to drive, when.
//!
//! Invariant: while history is read, nothing of it is driven: what began may have ended.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use timeloom_domain::event::Event;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::Actor;
use timeloom_store::leases::{Held, ShardsChanged};
use timeloom_store::{
    Direction, Filter, Position, RecordedEvent, Revision, StreamKey, SubscriptionMessage, TenantScope,
};
use tokio::sync::watch;

use crate::checkpoint::{Checkpoint, OpenWait};
use crate::drive::Drive;
use crate::lane::{self, Lane};
use crate::open::{News, Outcome};
use crate::runner::{Age, Engine, Inner};
use crate::shards::Ownership;
use crate::writer::ENGINE_ACTOR;

/// Events that a runner may lag behind the log before it reads again from where it was.
const SUBSCRIPTION_EVENTS_MAX: usize = 65_536;
/// Pause before the log is followed, or an execution's first event is read, again after it failed.
const FOLLOW_PAUSE: Duration = Duration::from_secs(1);
/// How long a wait is trusted before the clock is looked at again, since it may be set.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// The events by which open executions are known. One that was left by `ExecutionContinuedAsNew` stays open until the next
/// stream begins: if that never came, the engine that finds it has to begin it.
const FOLLOWED_TYPES: [&str; 12] = [
    "ExecutionStarted",
    "ExecutionContinued",
    "ExecutionRetried",
    "ExecutionForked",
    "ExecutionCompleted",
    "ExecutionFailed",
    "ExecutionCancelled",
    "ExecutionWaiting",
    "ExecutionResumed",
    "ExecutionPaused",
    "ExecutionUnpaused",
    "ExecutionBreakpointsChanged",
];

/// What follows the log.
pub(crate) struct Follower {
    engine: Engine,
    /// The shards as they were looked at last.
    before: Held,
    /// Whether history is behind.
    is_live: bool,
}

/// Why following is begun again.
enum Ended {
    Stopped,
    Again,
}

impl Follower {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, before: Held::default(), is_live: false }
    }

    /// Goes on from a checkpoint until the engine stops.
    pub(crate) async fn run(mut self, checkpoint: Checkpoint) {
        let mut from = checkpoint.position();
        self.engine.inner.lock_open().resume(checkpoint);
        let mut held = self.engine.inner.parts.leases.held();
        self.look_at_leases(&mut held);
        while let Ended::Again = self.follow(&mut from, &mut held).await {}
    }

    async fn follow(&mut self, from: &mut Position, held: &mut watch::Receiver<Held>) -> Ended {
        let filter = Filter {
            categories: vec![Arc::from(ExecutionEvent::CATEGORY)],
            event_types: FOLLOWED_TYPES.map(Arc::from).to_vec(),
            stream: None,
        };
        let inner = Arc::clone(&self.engine.inner);
        let mut subscription = inner.parts.log.subscribe(TenantScope::All, *from, filter, SUBSCRIPTION_EVENTS_MAX);
        self.is_live = false;
        loop {
            let message = tokio::select! {
                () = inner.stopping.cancelled() => return Ended::Stopped,
                message = subscription.next() => message,
                // Whoever gives leases has ended: this process has no more shards than now.
                Ok(()) = held.changed() => {
                    self.look_at_leases(held);
                    continue;
                }
                () = next_due(&inner), if self.is_live => {
                    self.go_on_with_due();
                    continue;
                }
            };
            match message {
                Some(SubscriptionMessage::Event(event)) => {
                    *from = event.position;
                    self.take(event);
                }
                Some(SubscriptionMessage::Checkpoint(position)) => *from = (*from).max(position),
                Some(SubscriptionMessage::CaughtUp(_)) => self.take_up(),
                Some(SubscriptionMessage::FellBehind(position)) => {
                    self.take_up();
                    *from = (*from).min(position);
                    return Ended::Again;
                }
                Some(SubscriptionMessage::Failed(error)) => {
                    tracing::error!(%error, "the engine cannot follow the log");
                    // `from` has passed them: what was found so far is not found again.
                    self.take_up();
                    inner.stopping.run_until_cancelled(tokio::time::sleep(FOLLOW_PAUSE)).await;
                    return Ended::Again;
                }
                None => return Ended::Stopped,
            }
        }
    }

    /// Takes a change of this process's shards in.
    fn look_at_leases(&mut self, held: &mut watch::Receiver<Held>) {
        let now = held.borrow_and_update().clone();
        let changed = ShardsChanged::between(&self.before, &now);
        self.before = now;
        let Inner { parts, stopping, tasks, .. } = &*self.engine.inner;
        let has_gained = self.engine.inner.lock_shards().change(changed, &parts.leases, stopping, tasks);
        if has_gained && self.is_live {
            self.take_up();
        }
    }

    /// Drives what nobody drives, in the order in which it began.
    fn take_up(&mut self) {
        self.is_live = true;
        let inner = &self.engine.inner;
        let idle = inner.lock_open().take_up(|shard| inner.lock_shards().hold(shard).is_some());
        idle.into_iter().for_each(|stream| self.engine.drive(stream, None));
    }

    fn go_on_with_due(&self) {
        let inner = &self.engine.inner;
        let due = inner.lock_open().take_due(inner.parts.clock.now_ms());
        due.into_iter().for_each(|stream| self.engine.drive(stream, None));
    }

    fn take(&self, event: Arc<RecordedEvent>) {
        let inner = &self.engine.inner;
        if lane::begins(&event) {
            let lane = Lane::of(&event);
            let mut open = inner.lock_open();
            lane.left.iter().for_each(|left| open.told_end(left));
            if open.begin(&event.stream, event.position, lane.shard) && self.is_live {
                drop(open);
                self.engine.drive(event.stream.clone(), Some(event));
            }
            return;
        }
        let news = match &*event.event_type {
            "ExecutionWaiting" => News::Waits(wait_of(&event)),
            "ExecutionResumed" => News::Resumed,
            "ExecutionPaused" => News::Paused,
            "ExecutionUnpaused" => News::Unpaused,
            "ExecutionBreakpointsChanged" => News::Breakpoints,
            ended => {
                let mut open = inner.lock_open();
                if ended == "ExecutionCancelled" {
                    // While history is read again, after falling behind, executions of this process are under way.
                    open.cancel(&event.stream);
                }
                open.told_end(&event.stream);
                return;
            }
        };
        // What the engine itself took down is known to whoever drives the execution.
        let is_own = matches!(&event.metadata.actor, Actor::System(name) if name == ENGINE_ACTOR);
        let goes_on = inner.lock_open().told(&event.stream, news, is_own);
        if goes_on && self.is_live {
            self.engine.drive(event.stream.clone(), None);
        }
    }
}

impl Engine {
    /// Drives an execution in a task of its own, if it is this process's to drive and is not driven. `started` is its first
    /// event when it began this moment.
    fn drive(&self, stream: StreamKey, started: Option<Arc<RecordedEvent>>) {
        let Some((shard, began_at)) = self.inner.lock_open().place_of(&stream) else { return };
        let Some(hold) = self.inner.lock_shards().hold(shard).map(Arc::clone) else { return };
        let Some(reins) = self.inner.lock_open().drive(&stream, hold.lease.epoch, &hold.lost) else { return };
        // What began before this process had the shard may have been driven by another.
        let may_be_old = began_at <= hold.lease.since;
        let age = if started.is_some() && !may_be_old { Age::New } else { Age::Old };
        let (engine, task) = (self.clone(), hold.tasks.token());
        self.inner.tasks.spawn(async move {
            let started = match started {
                Some(started) => Some(started),
                None => first_event(&engine.inner, &stream, &hold.lost).await,
            };
            let ownership = Ownership::new(hold, may_be_old);
            let (stream, outcome) = match started {
                Some(started) => Drive::new(&engine, started, ownership, reins).run(age).await,
                None => (stream, Outcome::Rests),
            };
            drop(task);
            engine.rested(stream, outcome);
        });
    }

    fn rested(&self, stream: StreamKey, outcome: Outcome) {
        let epoch = |shard| self.inner.lock_shards().hold(shard).map(|hold| hold.lease.epoch);
        let goes_on = self.inner.lock_open().rested(&stream, outcome, epoch);
        if goes_on {
            self.drive(stream, None);
        }
    }
}

/// The event with which a stream begins; `None` when its shard is lost before the log can be read, or there is none.
async fn first_event(
    inner: &Inner,
    stream: &StreamKey,
    lost: &tokio_util::sync::CancellationToken,
) -> Option<Arc<RecordedEvent>> {
    loop {
        match inner.parts.log.read_stream(stream, Revision::default(), Direction::Forward, 1).await {
            Ok(events) => return events.into_iter().next(),
            Err(error) => tracing::warn!(execution = %stream, %error, "the log cannot be read; trying again"),
        }
        lost.run_until_cancelled(tokio::time::sleep(FOLLOW_PAUSE)).await?;
    }
}

/// Returns when an execution that waits may be due.
async fn next_due(inner: &Inner) {
    let due_ms = inner.lock_open().next_due_ms();
    let Some(due_ms) = due_ms else { return std::future::pending().await };
    let wait_ms = u64::try_from(due_ms.saturating_sub(inner.parts.clock.now_ms())).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(wait_ms).min(CLOCK_LOOK)).await;
}

fn wait_of(event: &RecordedEvent) -> OpenWait {
    #[derive(Deserialize)]
    struct Waiting {
        #[serde(default)]
        until_ms: Option<i64>,
    }

    let until_ms = serde_json::from_str(event.payload.get()).ok().and_then(|Waiting { until_ms }| until_ms);
    OpenWait { until_ms }
}
