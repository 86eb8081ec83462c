//! The task of one group: reads the log, gives events out, takes back what is not settled in time, and remembers how far it
//! came. It ends with its last consumer.

use std::sync::Arc;
use std::time::Duration;

use timeloom_domain::access::{Permission, Principal};
use timeloom_domain::ids::EventId;
use timeloom_store::claims::Claim;
use timeloom_store::mark::Mark;
use timeloom_store::{
    Filter, LogError, Position, RecordedEvent, Subscription, SubscriptionMessage, TenantScope, Wanted as Named,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tonic::Status;

use super::CATEGORY;
use super::desk::{Desk, Item};
use super::event::{GroupEvent, Source};
use super::group::{self, Group, GroupKey};
use super::shown::{Connection, Statistics};
use crate::filter::{Asked, Wanted};
use crate::front::Front;
use crate::names;
use crate::status;
use crate::wire::Ids;
use crate::wire::persistent_subscriptions::ReadResp;

/// Events that a group has in hand, whatever its settings ask for.
const IN_HAND_MAX: usize = 1_000;
/// Events that wait for one consumer, whatever it asks for.
pub(crate) const SLOTS_MAX: usize = 500;
/// Events that one group has put aside.
const PARKED_MAX: usize = 10_000;
/// Most characters of a reason that are kept.
const REASON_CHARACTERS_MAX: usize = 500;
/// Events in the queue that the log fills.
const QUEUE_MAX: usize = 512;
/// How often times that passed are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Consumers of one group, whatever its settings say.
const CONSUMERS_MAX: usize = 256;
/// How often it is asked whether consumers may still look.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A consumer that wants to join.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) id: u64,
    pub(crate) principal: Principal,
    pub(crate) slots: usize,
    pub(crate) ids: Ids,
    pub(crate) events: mpsc::Sender<Result<ReadResp, Status>>,
}

/// What a consumer says of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Park,
    Retry,
    Skip,
    /// Let go of the consumer.
    Stop,
}

#[derive(Debug)]
pub(crate) enum Message {
    Join(Joining),
    Leave(u64),
    Settle {
        by: u64,
        events: Vec<EventId>,
        verdict: Verdict,
        reason: String,
    },
    /// It was updated or deleted, or parked events are to be given again.
    Changed,
    Tell(oneshot::Sender<Statistics>),
}

struct Consumer {
    id: u64,
    principal: Principal,
    ids: Ids,
    slots: usize,
    given: i64,
    events: mpsc::Sender<Result<ReadResp, Status>>,
}

pub(crate) struct Work {
    front: Front,
    key: GroupKey,
    group: Group,
    wanted: Option<Wanted>,
    mark: Arc<dyn Mark>,
    marked: Position,
    marked_at: Instant,
    looked_at: Instant,
    desk: Desk,
    subscription: Subscription,
    consumers: Vec<Consumer>,
    given: i64,
}

impl Work {
    pub(crate) async fn begin(front: Front, key: GroupKey, group: Group, mark: Arc<dyn Mark>) -> Result<Self, Status> {
        let marked = mark.load().await.map_err(|error| status::fault(&error))?.unwrap_or(0);
        let settled = group.after.max(Position(marked));
        let wanted = wanted(&group.source)?;
        let subscription = follow(&front, &key, &group.source, settled)?;
        let now = Instant::now();
        let mut work = Self {
            front,
            key,
            group,
            wanted,
            mark,
            marked: settled,
            marked_at: now,
            looked_at: now,
            desk: Desk::after(settled),
            subscription,
            consumers: Vec::new(),
            given: 0,
        };
        work.take_back().await?;
        Ok(work)
    }

    /// Works as long as no other process may: until `claim` is lost, which is given back at the end.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Message>, claim: Box<dyn Claim>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut began = false;
        let ended = loop {
            let has_room = self.desk.len() < self.in_hand_max();
            let done = tokio::select! {
                message = queue.recv() => match message {
                    Some(message) => {
                        began = true;
                        self.hear(message).await
                    }
                    None => Ok(()),
                },
                message = self.subscription.next(), if has_room => self.take_in(message),
                _ = ticks.tick() => if claim.holds() { self.tick().await } else { Err(status::lost()) },
            };
            if let Err(status) = done {
                break Some(status);
            }
            self.give();
            if began && self.consumers.is_empty() && queue.is_empty() {
                queue.close();
                // Whoever joined at this very moment is heard.
                while let Some(message) = queue.recv().await {
                    if let Message::Join(joining) = message {
                        let _ = joining.events.send(Err(Status::unavailable("the group rests: join again"))).await;
                    }
                }
                break None;
            }
        };
        if let Some(status) = ended {
            for consumer in &self.consumers {
                // Who does not read hears it when the connection ends.
                let _ = consumer.events.try_send(Err(status.clone()));
            }
        }
        self.remember().await;
        claim.give_back().await;
    }

    fn in_hand_max(&self) -> usize {
        usize::try_from(self.group.settings.live_buffer_size).unwrap_or(0).clamp(1, IN_HAND_MAX)
    }

    async fn hear(&mut self, message: Message) -> Result<(), Status> {
        match message {
            Message::Join(joining) => self.join(joining),
            Message::Leave(id) => self.leave(id),
            Message::Settle { by, events, verdict, reason } => {
                for event in events {
                    self.settle(by, event, verdict, &reason).await?;
                }
                if verdict == Verdict::Stop {
                    self.leave(by);
                }
            }
            Message::Changed => self.read_again().await?,
            Message::Tell(asked) => {
                let _ = asked.send(self.statistics());
            }
        }
        Ok(())
    }

    /// Follows what somebody changed, in this process or another one.
    async fn read_again(&mut self) -> Result<(), Status> {
        let read = group::read(&*self.front.inner.parts.log, &self.key).await?;
        let same = read.group.filter(|group| group.created == self.group.created);
        self.group = same.ok_or_else(status::dropped)?;
        self.take_back().await
    }

    fn join(&mut self, joining: Joining) {
        let Joining { id, principal, slots, ids, events } = joining;
        let asked = usize::try_from(self.group.settings.max_subscriber_count).unwrap_or(0);
        let most = if asked == 0 { CONSUMERS_MAX } else { asked.min(CONSUMERS_MAX) };
        let confirmed = if self.consumers.len() >= most {
            Err(status::too_many_consumers(most))
        } else {
            let subscription_id = format!("{}::{}", self.key.over, self.key.name);
            Ok(super::service::confirmation(subscription_id))
        };
        let is_in = confirmed.is_ok();
        // Its queue is empty, and has a place for this.
        if events.try_send(confirmed).is_ok() && is_in {
            self.desk.join(id, slots);
            self.consumers.push(Consumer { id, principal, ids, slots, given: 0, events });
        }
    }

    fn leave(&mut self, id: u64) {
        self.desk.leave(id);
        self.consumers.retain(|consumer| consumer.id != id);
    }

    async fn settle(&mut self, by: u64, event: EventId, verdict: Verdict, reason: &str) -> Result<(), Status> {
        let Some(item) = self.desk.release(event) else { return Ok(()) };
        match verdict {
            Verdict::Done | Verdict::Skip => self.done(by, item).await,
            Verdict::Retry => self.again(by, item, "it was given back too often").await,
            Verdict::Park => self.park(by, item, reason).await,
            Verdict::Stop => {
                self.desk.again(item);
                Ok(())
            }
        }
    }

    async fn done(&mut self, by: u64, item: Item) -> Result<(), Status> {
        if item.was_parked {
            let settled = GroupEvent::ConsumerParkedSettled { position: item.event.position };
            self.record(by, &settled).await?;
            self.group.parked.remove(&item.event.position);
        }
        self.desk.settle(&item);
        Ok(())
    }

    async fn again(&mut self, by: u64, item: Item, reason: &str) -> Result<(), Status> {
        let most = u32::try_from(self.group.settings.max_retry_count).unwrap_or(0);
        if item.retries >= most {
            return self.park(by, item, reason).await;
        }
        self.desk.again(Item { retries: item.retries + 1, ..item });
        Ok(())
    }

    async fn park(&mut self, by: u64, item: Item, reason: &str) -> Result<(), Status> {
        let position = item.event.position;
        if self.group.parked.len() >= PARKED_MAX && !self.group.parked.contains_key(&position) {
            let message = format!("the group has put {PARKED_MAX} events aside: replay them before more are");
            return Err(Status::resource_exhausted(message));
        }
        let reason: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
        let parked = GroupEvent::ConsumerEventParked { position, event: item.event.id, reason };
        self.record(by, &parked).await?;
        self.group.parked.insert(position, false);
        self.desk.settle(&item);
        Ok(())
    }

    /// Writes something down in the name of a consumer, or of one that is still there.
    async fn record(&self, by: u64, event: &GroupEvent) -> Result<(), Status> {
        let named = self.consumers.iter().find(|consumer| consumer.id == by).or_else(|| self.consumers.first());
        let principal = named.map(|consumer| &consumer.principal).ok_or_else(status::dropped)?;
        self.front.record(principal, &self.key, None, event).await
    }

    /// Takes in what was parked and is to be given again.
    async fn take_back(&mut self) -> Result<(), Status> {
        let again: Vec<Position> =
            self.group.parked.iter().filter(|(_, again)| **again).map(|(position, _)| *position).collect();
        for positions in again.chunks(QUEUE_MAX) {
            let named = Named::Positions(positions.to_vec());
            let found = self.front.inner.parts.log.look_up(TenantScope::One(self.key.tenant), &named).await;
            for event in found.map_err(|error| status::fault(&error))? {
                self.desk.take_back(event);
            }
        }
        Ok(())
    }

    fn take_in(&mut self, message: Option<SubscriptionMessage>) -> Result<(), Status> {
        match message {
            Some(SubscriptionMessage::Event(event)) => {
                if self.wants(&event)? {
                    self.desk.take_in(event);
                } else {
                    self.desk.looked_at(event.position);
                }
            }
            Some(SubscriptionMessage::Checkpoint(position) | SubscriptionMessage::CaughtUp(position)) => {
                self.desk.looked_at(position);
            }
            // The consumers were slower than the log for a while: what was missed is read.
            Some(SubscriptionMessage::FellBehind(_)) => {
                let after = self.desk.taken_up_to();
                self.subscription = follow(&self.front, &self.key, &self.group.source, after)?;
            }
            Some(SubscriptionMessage::Failed(error)) => return Err(status::fault(&error)),
            None => return Err(status::fault(&LogError::Closed)),
        }
        Ok(())
    }

    /// Whether the group wants an event. What happens to groups is for none: to park it would happen to one.
    fn wants(&self, event: &RecordedEvent) -> Result<bool, Status> {
        match &self.wanted {
            _ if &*event.stream.category == CATEGORY => Ok(false),
            Some(wanted) => wanted.passes(event),
            None => Ok(true),
        }
    }

    fn give(&mut self) {
        let timeout = u64::try_from(self.group.settings.message_timeout_ms).unwrap_or(0).max(1);
        let until = Instant::now() + Duration::from_millis(timeout);
        let single = self.group.settings.strategy == "DispatchToSingle";
        while let Some((to, item)) = self.desk.give(single, until) {
            let Some(consumer) = self.consumers.iter_mut().find(|consumer| consumer.id == to) else {
                self.desk.leave(to);
                continue;
            };
            let event = super::service::given(&item, consumer.ids);
            if consumer.events.try_send(Ok(event)).is_err() {
                self.leave(to);
            } else {
                consumer.given += 1;
                self.given += 1;
            }
        }
    }

    async fn tick(&mut self) -> Result<(), Status> {
        let now = Instant::now();
        let gone: Vec<u64> =
            self.consumers.iter().filter(|consumer| consumer.events.is_closed()).map(|it| it.id).collect();
        gone.into_iter().for_each(|id| self.leave(id));
        for event in self.desk.overdue(now) {
            if let Some(item) = self.desk.release(event) {
                self.again(0, item, "it was not settled in time, too often").await?;
            }
        }
        if now.duration_since(self.looked_at) >= LOOK_EVERY {
            self.looked_at = now;
            self.let_go_of_those_who_may_not();
            self.read_again().await?;
        }
        let every = u64::try_from(self.group.settings.checkpoint_after_ms).unwrap_or(0);
        let count = self.desk.settled_up_to().0.saturating_sub(self.marked.0);
        let most = u64::try_from(self.group.settings.max_checkpoint_count).unwrap_or(0).max(1);
        if count >= most || now.duration_since(self.marked_at) >= Duration::from_millis(every) {
            self.marked_at = now;
            self.remember().await;
        }
        Ok(())
    }

    fn let_go_of_those_who_may_not(&mut self) {
        let mut gone = Vec::new();
        for consumer in &self.consumers {
            if let Err(status) = self.front.renewed(&consumer.principal, Permission::AuditRead) {
                let _ = consumer.events.try_send(Err(status));
                gone.push(consumer.id);
            }
        }
        gone.into_iter().for_each(|id| self.leave(id));
    }

    /// That it cannot be remembered costs a second look after a crash, no event.
    async fn remember(&mut self) {
        let settled = self.desk.settled_up_to();
        if settled <= self.marked {
            return;
        }
        match self.mark.save(settled.0).await {
            Ok(()) => self.marked = settled,
            Err(error) => tracing::warn!(%error, "how far a group of consumers came could not be remembered"),
        }
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            settled: self.desk.settled_up_to(),
            in_hand: self.desk.len(),
            in_flight: self.desk.held(),
            given: self.given,
            connections: self
                .consumers
                .iter()
                .map(|consumer| Connection {
                    name: consumer.principal.actor.to_string(),
                    given: consumer.given,
                    slots: consumer.slots,
                })
                .collect(),
        }
    }
}

fn wanted(source: &Source) -> Result<Option<Wanted>, Status> {
    let Source::All { filter: Some(filter) } = source else { return Ok(None) };
    let asked = Asked {
        of_streams: filter.of_streams,
        regex: filter.regex.clone(),
        prefixes: filter.prefixes.clone(),
        window: None,
        multiplier: 1,
    };
    Wanted::new(asked).map(Some)
}

fn follow(front: &Front, key: &GroupKey, source: &Source, after: Position) -> Result<Subscription, Status> {
    let filter = match source {
        Source::Stream { name } => Filter { stream: Some(names::key(key.tenant, name)?), ..Filter::default() },
        Source::All { .. } => Filter::default(),
    };
    Ok(front.inner.parts.log.subscribe(TenantScope::One(key.tenant), after, filter, QUEUE_MAX))
}
