//! The work of one group, as a value: what waits, who has what, what is settled. Knows no clock and no log.
//!
//! Invariant: an event that was taken in is waiting, with one consumer, or settled.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use timeloom_domain::ids::EventId;
use timeloom_store::{Position, RecordedEvent};
use tokio::time::Instant;

/// An event on its way.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) event: Arc<RecordedEvent>,
    pub(crate) retries: u32,
    /// Whether it had been put aside: its place in the log does not count then.
    pub(crate) was_parked: bool,
}

#[derive(Debug)]
struct Held {
    item: Item,
    by: u64,
    until: Instant,
}

/// A consumer's place.
#[derive(Debug)]
struct Place {
    id: u64,
    slots: usize,
    holds: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Desk {
    waiting: VecDeque<Item>,
    held: HashMap<EventId, Held>,
    places: VecDeque<Place>,
    unsettled: BTreeSet<Position>,
    taken_up_to: Position,
}

impl Desk {
    /// The work of a group that has settled everything up to a position.
    pub(crate) fn after(settled: Position) -> Self {
        Self { taken_up_to: settled, ..Self::default() }
    }

    /// Everything up to here is settled.
    pub(crate) fn settled_up_to(&self) -> Position {
        let first = self.unsettled.first();
        first.map_or(self.taken_up_to, |first| Position(first.0.saturating_sub(1)))
    }

    pub(crate) fn taken_up_to(&self) -> Position {
        self.taken_up_to
    }

    /// Everything up to here was looked at, and what is wanted of it was taken in.
    pub(crate) fn looked_at(&mut self, position: Position) {
        self.taken_up_to = self.taken_up_to.max(position);
    }

    /// Takes in an event of the log.
    pub(crate) fn take_in(&mut self, event: Arc<RecordedEvent>) {
        self.looked_at(event.position);
        self.unsettled.insert(event.position);
        self.waiting.push_back(Item { event, retries: 0, was_parked: false });
    }

    /// Takes in an event that had been put aside, unless it is here.
    pub(crate) fn take_back(&mut self, event: Arc<RecordedEvent>) {
        let is_here = self.held.contains_key(&event.id) || self.waiting.iter().any(|item| item.event.id == event.id);
        if !is_here {
            self.waiting.push_front(Item { event, retries: 0, was_parked: true });
        }
    }

    /// Events that wait or are with a consumer.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.held.len()
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// A consumer who takes up to `slots` events at a time.
    pub(crate) fn join(&mut self, id: u64, slots: usize) {
        self.places.push_back(Place { id, slots, holds: 0 });
    }

    /// Gives up a consumer's place; what it has waits again, and counts as not tried.
    pub(crate) fn leave(&mut self, id: u64) {
        self.places.retain(|place| place.id != id);
        let theirs: Vec<EventId> = self.held.iter().filter(|(_, held)| held.by == id).map(|(id, _)| *id).collect();
        let mut items: Vec<Item> = theirs.iter().filter_map(|id| self.held.remove(id)).map(|held| held.item).collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.event.position));
        items.into_iter().for_each(|item| self.waiting.push_front(item));
    }

    /// Gives the next event to the consumer whose turn it is. With `single`, to the first who has a slot.
    pub(crate) fn give(&mut self, single: bool, until: Instant) -> Option<(u64, Item)> {
        let index = self.places.iter().position(|place| place.holds < place.slots)?;
        let item = self.waiting.pop_front()?;
        let place = self.places.get_mut(index)?;
        place.holds += 1;
        let by = place.id;
        if !single {
            // Whoever got one is last in the row.
            self.places.rotate_left(index);
            self.places.rotate_left(1);
        }
        self.held.insert(item.event.id, Held { item: item.clone(), by, until });
        Some((by, item))
    }

    /// An event that a consumer has no more: it is done with, or is to be put aside.
    pub(crate) fn release(&mut self, id: EventId) -> Option<Item> {
        let held = self.held.remove(&id)?;
        if let Some(place) = self.places.iter_mut().find(|place| place.id == held.by) {
            place.holds = place.holds.saturating_sub(1);
        }
        Some(held.item)
    }

    /// An event is settled for good.
    pub(crate) fn settle(&mut self, item: &Item) {
        if !item.was_parked {
            self.unsettled.remove(&item.event.position);
        }
    }

    /// An event waits once more, before all others.
    pub(crate) fn again(&mut self, item: Item) {
        self.waiting.push_front(item);
    }

    /// The events whose consumers let their time pass.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<EventId> {
        self.held.iter().filter(|(_, held)| held.until <= now).map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::value::RawValue;
    use timeloom_domain::ids::{Actor, CommandId, TenantId};
    use timeloom_store::{Metadata, Revision, StreamKey};
    use uuid::Uuid;

    use super::*;

    fn event(position: u64) -> Arc<RecordedEvent> {
        Arc::new(RecordedEvent {
            position: Position(position),
            stream: StreamKey::new(TenantId(0), "order", "1"),
            revision: Revision(position),
            id: EventId(Uuid::from_u128(position.into())),
            event_type: "Happened".into(),
            event_version: 1,
            payload: Arc::from(RawValue::from_string("{}".to_owned()).unwrap()),
            metadata: Arc::new(Metadata::new(Actor::System("test".to_owned()), CommandId(Uuid::nil()))),
            recorded_at: DateTime::UNIX_EPOCH,
        })
    }

    fn desk(events: u64) -> Desk {
        let mut desk = Desk::after(Position(10));
        (11..=10 + events).for_each(|position| desk.take_in(event(position)));
        desk
    }

    fn given(desk: &mut Desk) -> Vec<(u64, u64)> {
        let until = Instant::now();
        std::iter::from_fn(|| desk.give(false, until)).map(|(to, item)| (to, item.event.position.0)).collect()
    }

    #[test]
    fn consumers_take_turns_as_far_as_they_have_slots() {
        let mut desk = desk(6);
        desk.join(1, 1);
        desk.join(2, 3);
        assert_eq!(given(&mut desk), [(1, 11), (2, 12), (2, 13), (2, 14)]);
        let item = desk.release(event(11).id).unwrap();
        desk.settle(&item);
        assert_eq!(given(&mut desk), [(1, 15)]);
    }

    #[test]
    fn only_what_has_no_unsettled_event_before_it_is_settled() {
        let mut desk = desk(3);
        desk.join(1, 9);
        given(&mut desk);
        let settle = |desk: &mut Desk, position| {
            let item = desk.release(event(position).id).unwrap();
            desk.settle(&item);
            desk.settled_up_to().0
        };
        assert_eq!(settle(&mut desk, 12), 10);
        assert_eq!(settle(&mut desk, 11), 12);
        desk.looked_at(Position(40));
        assert_eq!(settle(&mut desk, 13), 40);
        assert!(desk.release(event(13).id).is_none(), "it was settled");
    }

    #[test]
    fn what_somebody_had_who_left_is_given_to_others_in_order() {
        let mut desk = desk(3);
        desk.join(1, 9);
        given(&mut desk);
        desk.leave(1);
        desk.join(2, 9);
        assert_eq!(given(&mut desk), [(2, 11), (2, 12), (2, 13)]);
        assert_eq!(desk.settled_up_to(), Position(10));
    }

    #[test]
    fn a_parked_event_that_comes_back_does_not_move_the_place_in_the_log() {
        let mut desk = desk(0);
        desk.join(1, 9);
        desk.take_back(event(5));
        desk.take_back(event(5));
        assert_eq!(given(&mut desk), [(1, 5)]);
        let item = desk.release(event(5).id).unwrap();
        desk.settle(&item);
        assert_eq!((desk.settled_up_to(), desk.len()), (Position(10), 0));
    }
}
