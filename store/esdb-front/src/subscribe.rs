//! Reads that do not end: what is there, then what comes. A client that is slower than the log, for longer than its queue
//! is long, is told so and let go; one that may not look any more is let go as well.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::StreamExt as _;
use timeloom_domain::access::{Permission, Principal};
use timeloom_store::{
    Direction, Filter, Position, RecordedEvent, Revision, Subscription, SubscriptionMessage, TenantScope,
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tonic::{Response, Status};

use crate::filter::Wanted;
use crate::front::Front;
use crate::read::{From, Messages, Source, shown};
use crate::status;
use crate::wire::Ids;
use crate::wire::streams::ReadResp;
use crate::wire::streams::read_resp::{CaughtUp, Checkpoint, Content, SubscriptionConfirmation};

/// Messages that wait for a client.
const QUEUE_MESSAGES_MAX: usize = 1_024;
/// How often it is asked whether a client may still look.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Front {
    pub(crate) async fn subscribe(
        &self,
        principal: Principal,
        source: Source,
        from: From,
        ids: Ids,
    ) -> Result<Response<Messages>, Status> {
        let log = &self.inner.parts.log;
        let (filter, after, skipped, wanted) = match source {
            Source::All(wanted) => {
                let after = match from {
                    From::Start => Position::START,
                    From::End => log.head(),
                    From::At(position) => Position(position),
                };
                (Filter::default(), after, Revision(0), wanted)
            }
            Source::Stream(key) => {
                let (after, skipped) = match from {
                    From::Start => (Position::START, Revision(0)),
                    From::End => (log.head(), Revision(0)),
                    From::At(revision) => {
                        let seen = Revision(revision.saturating_add(1));
                        let read = log.read_stream(&key, seen, Direction::Backward, 1).await;
                        let read = read.map_err(|error| status::fault(&error))?;
                        (read.first().map_or(Position::START, |event| event.position), seen)
                    }
                };
                (Filter { stream: Some(key), ..Filter::default() }, after, skipped, None)
            }
        };
        let scope = TenantScope::One(principal.tenant);
        let subscription = log.subscribe(scope, after, filter, QUEUE_MESSAGES_MAX);
        let subscription_id = self.inner.parts.ids.uuid().to_string();
        let confirmation = Content::Confirmation(SubscriptionConfirmation { subscription_id });
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let follower = Follower {
            front: self.clone(),
            principal,
            subscription,
            skipped,
            wanted,
            ids,
            looks,
            unpassed: 0,
            done: false,
        };
        let rest = futures::stream::unfold(follower, Follower::next);
        let first = futures::stream::iter([Ok(ReadResp { content: Some(confirmation) })]);
        Ok(Response::new(first.chain(rest).boxed()))
    }
}

/// A subscription that is going on.
struct Follower {
    front: Front,
    principal: Principal,
    subscription: Subscription,
    /// Revisions of the stream up to and with this one are not wanted.
    skipped: Revision,
    wanted: Option<Wanted>,
    ids: Ids,
    looks: Interval,
    /// Events that were looked at since the last one that passed, or the last checkpoint.
    unpassed: u64,
    done: bool,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<ReadResp, Status>, Self)> {
        while !self.done {
            let message = tokio::select! {
                message = self.subscription.next() => message,
                _ = self.looks.tick() => {
                    if let Err(status) = self.front.renewed(&self.principal, Permission::AuditRead) {
                        return Some(self.ending(status));
                    }
                    continue;
                }
            };
            match self.told(message) {
                Ok(Some(content)) => return Some((Ok(content), self)),
                Ok(None) => {}
                Err(status) => return Some(self.ending(status)),
            }
        }
        None
    }

    fn ending(mut self, status: Status) -> (Result<ReadResp, Status>, Self) {
        self.done = true;
        (Err(status), self)
    }

    fn told(&mut self, message: Option<SubscriptionMessage>) -> Result<Option<ReadResp>, Status> {
        let content = match message {
            Some(SubscriptionMessage::Event(event)) => return self.event(&event),
            Some(SubscriptionMessage::Checkpoint(position)) => return Ok(self.checkpoint(position)),
            Some(SubscriptionMessage::CaughtUp(_)) => Content::CaughtUp(CaughtUp {}),
            Some(SubscriptionMessage::FellBehind(position)) => return Err(status::too_slow(position.0)),
            Some(SubscriptionMessage::Failed(error)) => return Err(status::fault(&error)),
            None => return Err(status::fault(&timeloom_store::LogError::Closed)),
        };
        Ok(Some(ReadResp { content: Some(content) }))
    }

    fn event(&mut self, event: &Arc<RecordedEvent>) -> Result<Option<ReadResp>, Status> {
        if event.revision <= self.skipped {
            return Ok(None);
        }
        let Some(wanted) = &self.wanted else { return Ok(Some(shown(event, self.ids))) };
        if wanted.passes(event)? {
            self.unpassed = 0;
            return Ok(Some(shown(event, self.ids)));
        }
        self.unpassed += 1;
        let due = self.unpassed >= wanted.checkpoint_every;
        Ok(due.then(|| self.checkpoint(event.position)).flatten())
    }

    /// Only a client with a filter is told how far the log was looked at.
    fn checkpoint(&mut self, Position(position): Position) -> Option<ReadResp> {
        self.wanted.as_ref()?;
        self.unpassed = 0;
        let checkpoint = Checkpoint { commit_position: position, prepare_position: position };
        Some(ReadResp { content: Some(Content::Checkpoint(checkpoint)) })
    }
}
