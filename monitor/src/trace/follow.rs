//! Follows the log and makes it into spans, in one process of all that have the log: the one that has a certain shard.
//!
//! Goes on from the mark, which is behind what was sent: after a crash some spans are sent again, under the same ids, and
//! none is forgotten. Never waits for anything but the log.

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::event::Event as _;
use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::ids::ExecutionId;
use timeloom_domain::trace::{ExecutionTrace, SpanId, TraceId};
use timeloom_store::leases::{Held, Shard};
use timeloom_store::{
    Direction, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StreamKey, Subscription,
    SubscriptionMessage, TenantScope,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::TracesParts;
use super::command::Commanded;
use super::export::Outbox;
use super::fold::{Made, Stories, makes_span};
use super::projected::{Awaited, Shown};
use super::read::Facts;
use super::span::{self, recorded};

/// What is hashed to the shard whose process follows.
const SHARD_KEY: &str = "traces";
/// Events that may wait to be looked at.
const QUEUE_EVENTS_MAX: usize = 16_384;
/// How long an event waits for others of the same command, and how often it is told up to where the log was sent.
const TICK: Duration = Duration::from_millis(250);
/// How far back it goes to what was not sent when nobody followed: nobody looks for older traces that were not there.
const LOOK_BACK_MAX: chrono::TimeDelta = chrono::TimeDelta::hours(1);
/// How long it still follows after it was told to stop.
const STOP_TIME_MAX: Duration = Duration::from_secs(1);
/// Pause before the log is tried again after it failed.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// What follows the log.
pub(super) struct Follower {
    parts: TracesParts,
    outbox: Outbox,
    shown: Shown,
    stories: Stories,
    command: Option<Commanded>,
    /// The head of the log when this process began to trace.
    since: Position,
    /// Up to where it has looked.
    from: Position,
    /// Up to where it has told that it looked.
    told: Position,
    is_live: bool,
}

/// Why following ended.
#[derive(PartialEq, Eq)]
enum Ended {
    /// It is another process's now.
    Lost,
    Stopped,
    /// The subscription is to be made anew.
    Again,
}

impl Follower {
    pub(super) fn new(parts: TracesParts, outbox: Outbox, shown: Shown) -> Self {
        let (stories, since) = (Stories::new(parts.sampling), parts.log.head());
        Self { parts, outbox, shown, stories, command: None, since, from: since, told: since, is_live: false }
    }

    /// Follows whenever it is this process's turn, until it is stopped.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let (shard, mut held) = (Shard::of(SHARD_KEY), self.parts.leases.held());
        loop {
            let has_turn = |held: &Held| held.lease(shard).is_some();
            match stopping.run_until_cancelled(held.wait_for(has_turn)).await {
                Some(Ok(_)) => {}
                // Whoever gives leases has ended, and has given none.
                Some(Err(_)) | None => return,
            }
            self.from = match stopping.run_until_cancelled(self.begin()).await {
                Some(from) => from,
                None => return,
            };
            (self.told, self.command) = (self.from, None);
            self.stories = Stories::new(self.parts.sampling);
            let ended = loop {
                match self.follow(shard, &mut held, &stopping).await {
                    Ended::Again => {}
                    ended => break ended,
                }
            };
            self.tick();
            if ended == Ended::Stopped {
                return;
            }
        }
    }

    /// Where to begin. Without a mark that is where this process began: what was before anybody asked for traces is left
    /// alone.
    async fn begin(&self) -> Position {
        loop {
            match self.try_begin().await {
                Ok(position) => return position,
                Err(error) => tracing::warn!(%error, "it is not known up to where traces were sent; trying again"),
            }
            tokio::time::sleep(FAULT_PAUSE).await;
        }
    }

    async fn try_begin(&self) -> Result<Position, LogError> {
        let Some(marked) = self.parts.mark.load().await? else {
            self.parts.mark.save(self.since.0).await?;
            return Ok(self.since);
        };
        let oldest_us = (self.parts.clock.now() - LOOK_BACK_MAX).timestamp_micros();
        let oldest = self.parts.log.position_at(oldest_us).await?;
        // A log that was put back from a backup may be shorter than the mark says.
        Ok(Position(marked).max(oldest).min(self.parts.log.head()))
    }

    async fn follow(&mut self, shard: Shard, held: &mut watch::Receiver<Held>, stopping: &CancellationToken) -> Ended {
        let log = Arc::clone(&self.parts.log);
        let mut events = log.subscribe(TenantScope::All, self.from, Filter::default(), QUEUE_EVENTS_MAX);
        self.is_live = false;
        loop {
            let message = tokio::select! {
                () = stopping.cancelled() => {
                    // What a stop brought about is a part of the story.
                    let _ = tokio::time::timeout(STOP_TIME_MAX, self.follow_to(log.head(), &mut events)).await;
                    return Ended::Stopped;
                }
                Ok(()) = held.changed() => {
                    if held.borrow_and_update().lease(shard).is_none() {
                        return Ended::Lost;
                    }
                    continue;
                }
                message = events.next() => message,
                () = tokio::time::sleep(TICK), if self.is_behind() => {
                    self.tick();
                    continue;
                }
            };
            if let Some(ended) = self.take(message).await {
                return ended;
            }
        }
    }

    async fn follow_to(&mut self, head: Position, events: &mut Subscription) {
        while self.from < head {
            let message = events.next().await;
            if self.take(message).await.is_some() {
                return;
            }
        }
    }

    async fn take(&mut self, message: Option<SubscriptionMessage>) -> Option<Ended> {
        match message {
            Some(SubscriptionMessage::Event(event)) => {
                let position = event.position;
                self.take_event(&event).await;
                self.from = position;
                if position.0 - self.told.0 >= QUEUE_EVENTS_MAX as u64 {
                    self.tick();
                }
            }
            Some(SubscriptionMessage::Checkpoint(position)) => self.from = self.from.max(position),
            Some(SubscriptionMessage::CaughtUp(position)) => {
                self.from = self.from.max(position);
                self.is_live = true;
            }
            Some(SubscriptionMessage::FellBehind(_)) => return Some(Ended::Again),
            Some(SubscriptionMessage::Failed(error)) => {
                tracing::warn!(%error, "traces cannot follow the log; trying again");
                tokio::time::sleep(FAULT_PAUSE).await;
                return Some(Ended::Again);
            }
            None => return Some(Ended::Stopped),
        }
        None
    }

    fn is_behind(&self) -> bool {
        self.command.is_some() || self.from > self.told
    }

    /// Ends what waits for more of the same, and tells up to where the log was made into spans.
    fn tick(&mut self) {
        self.end_command();
        if self.from > self.told && self.outbox.reached(self.from) {
            self.told = self.from;
        }
    }

    async fn take_event(&mut self, event: &Arc<RecordedEvent>) {
        if !self.command.as_mut().is_some_and(|command| command.take(event)) {
            self.end_command();
            self.command = Commanded::of(event);
        }
        if &*event.stream.category != ExecutionEvent::CATEGORY {
            return;
        }
        if makes_span(&event.event_type) && !self.stories.knows(&event.stream) {
            match self.read_again(event).await {
                Ok(()) => {}
                Err(error) => tracing::warn!(stream = %event.stream, %error, "an execution is missing in traces"),
            }
        }
        if let Some(made) = self.stories.take(event, &*self.parts.workflow_name) {
            self.put(made, event).await;
        }
    }

    /// Takes in what was before `event` in its stream, as far as one read goes.
    async fn read_again(&mut self, event: &RecordedEvent) -> Result<(), LogError> {
        let before = usize::try_from(event.revision.0 - 1).unwrap_or(READ_EVENTS_MAX).min(READ_EVENTS_MAX);
        let log = &self.parts.log;
        let earlier = log.read_stream(&event.stream, Revision::default(), Direction::Forward, before).await?;
        for event in earlier.iter().take(before) {
            // Their spans were sent when they happened.
            let _ = self.stories.take(event, &*self.parts.workflow_name);
        }
        Ok(())
    }

    async fn put(&self, made: Made, event: &RecordedEvent) {
        let Made { mut span, came_of, ended } = made;
        if let Some(of) = came_of {
            match self.origin(event, of).await {
                Ok(link) => span.links.extend(link.map(|(trace, of)| span::link(trace, of))),
                Err(error) => {
                    tracing::warn!(stream = %event.stream, %error, "from what an execution came is missing in traces")
                }
            }
        }
        self.outbox.put(span);
        if let Some((trace, parent)) = ended.filter(|_| self.is_live) {
            let from = recorded(event.recorded_at);
            self.shown.put(Awaited { position: event.position, trace, parent, from }, &self.outbox);
        }
    }

    /// The span of an execution from which another one goes on.
    async fn origin(&self, event: &RecordedEvent, of: ExecutionId) -> Result<Option<(TraceId, SpanId)>, LogError> {
        let stream = StreamKey { id: of.to_string().into(), ..event.stream.clone() };
        let first = self.parts.log.read_stream(&stream, Revision::default(), Direction::Forward, 1).await?;
        let Some(first) = first.first() else { return Ok(None) };
        let root = Facts::of(first).and_then(|facts| facts.root).unwrap_or(of);
        let trace = ExecutionTrace::of(root, first.metadata.traceparent());
        Ok(Some((trace.trace(), trace.span())))
    }

    fn end_command(&mut self) {
        let Some(command) = self.command.take() else { return };
        let (place, position, from) = command.ended();
        self.outbox.put(command.made());
        if self.is_live {
            self.shown.put(Awaited { position, trace: place.trace, parent: place.span, from }, &self.outbox);
        }
    }
}
