//! What a tail keeps under its lock: recent events, live subscribers, waiters. Never waits for anything.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::live::{Ended, Live};
use super::{RECENT_BYTES_MAX, RECENT_EVENTS_MAX};
use crate::envelope::{Position, RecordedEvent, StreamKey};
use crate::log::SubscriptionMessage;

/// Waiters are looked through for abandoned ones when there are more than this and twice as many as the last time.
const WAITERS_BEFORE_SWEEP: usize = 1_024;

pub(super) struct State {
    head: Position,
    began_at: Position,
    /// The newest position of each category since then; there are a handful of categories.
    newest: HashMap<Arc<str>, Position>,
    /// The newest events without a gap, the last of them at `head`.
    recent: VecDeque<Arc<RecordedEvent>>,
    recent_bytes: usize,
    /// Subscribers to one stream: a commit visits only those of its own streams.
    by_stream: HashMap<StreamKey, Vec<Live>>,
    others: Vec<Live>,
    waiters: BTreeMap<Position, Vec<oneshot::Sender<()>>>,
    waiter_count: usize,
    sweep_at: usize,
}

impl State {
    pub(super) fn new(head: Position) -> Self {
        Self {
            head,
            began_at: head,
            newest: HashMap::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            by_stream: HashMap::new(),
            others: Vec::new(),
            waiters: BTreeMap::new(),
            waiter_count: 0,
            sweep_at: WAITERS_BEFORE_SWEEP,
        }
    }

    pub(super) fn deliver(&mut self, events: &[Arc<RecordedEvent>]) {
        for event in events {
            self.recent_bytes += event.payload.get().len();
            self.recent.push_back(Arc::clone(event));
            self.head = event.position;
            match self.newest.get_mut(&event.stream.category) {
                Some(newest) => *newest = event.position,
                None => drop(self.newest.insert(Arc::clone(&event.stream.category), event.position)),
            }
        }
        while self.recent.len() > RECENT_EVENTS_MAX || self.recent_bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.recent_bytes -= oldest.payload.get().len();
        }
        if !self.by_stream.is_empty() {
            for of_one_stream in events.chunk_by(|left, right| left.stream == right.stream) {
                self.deliver_to_stream(of_one_stream);
            }
        }
        offer_all(&mut self.others, events);
    }

    pub(super) fn newest_of(&self, category: &str) -> Position {
        self.newest.get(category).copied().unwrap_or(self.began_at)
    }

    fn deliver_to_stream(&mut self, events: &[Arc<RecordedEvent>]) {
        let Some(first) = events.first() else { return };
        if let Some(subscribers) = self.by_stream.get_mut(&first.stream) {
            offer_all(subscribers, events);
            if subscribers.is_empty() {
                self.by_stream.remove(&first.stream);
            }
        }
    }

    pub(super) fn attach(&mut self, mut live: Live) -> Result<(), Box<Live>> {
        let oldest = self.recent.front().map_or(self.head.0 + 1, |event| event.position.0);
        let next = live.cursor.0.saturating_add(1);
        if next < oldest {
            return Err(Box::new(live));
        }
        let seen = usize::try_from(next - oldest).unwrap_or(usize::MAX).min(self.recent.len());
        // One slot more for the message that says that it is live now.
        let wanted = || self.recent.range(seen..).filter(|event| live.wants(event));
        if live.outlet.sender.is_closed() {
            return Ok(());
        }
        if wanted().count() + 1 > live.outlet.sender.capacity() || !live.outlet.budget.fits(wanted()) {
            return Err(Box::new(live));
        }
        let fed = self.recent.range(seen..).try_for_each(|event| live.offer(std::slice::from_ref(event)));
        if fed.is_err() || live.outlet.sender.try_send(SubscriptionMessage::CaughtUp(self.head)).is_err() {
            // Checkpoints took the room: history reads on from the cursor.
            return if live.outlet.sender.is_closed() { Ok(()) } else { Err(Box::new(live)) };
        }
        live.cursor = live.cursor.max(self.head);
        live.told = live.cursor;
        match &live.filter.stream {
            Some(stream) => self.by_stream.entry(stream.clone()).or_default().push(live),
            None => self.others.push(live),
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, stream: Option<&StreamKey>, id: u64) {
        let Some(stream) = stream else {
            self.others.retain(|live| live.id != id);
            return;
        };
        if let Some(subscribers) = self.by_stream.get_mut(stream) {
            subscribers.retain(|live| live.id != id);
            if subscribers.is_empty() {
                self.by_stream.remove(stream);
            }
        }
    }

    pub(super) fn add_waiter(&mut self, position: Position, waiter: oneshot::Sender<()>) {
        if self.waiter_count >= self.sweep_at {
            self.waiters.retain(|_, waiters| {
                waiters.retain(|waiter| !waiter.is_closed());
                !waiters.is_empty()
            });
            self.waiter_count = self.waiters.values().map(Vec::len).sum();
            self.sweep_at = WAITERS_BEFORE_SWEEP.max(self.waiter_count * 2);
        }
        self.waiters.entry(position).or_default().push(waiter);
        self.waiter_count += 1;
    }

    pub(super) fn wake_waiters(&mut self, head: Position) {
        while let Some(entry) = self.waiters.first_entry() {
            if *entry.key() > head {
                break;
            }
            for waiter in entry.remove() {
                self.waiter_count -= 1;
                // Who gave up waiting does not need to know.
                let _ = waiter.send(());
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_stream.clear();
        self.others.clear();
        self.waiters.clear();
        self.waiter_count = 0;
    }

    pub(super) fn subscriber_count(&self) -> usize {
        self.others.len() + self.by_stream.values().map(Vec::len).sum::<usize>()
    }
}

/// Offers `events` to all and lets go who cannot take them.
fn offer_all(subscribers: &mut Vec<Live>, events: &[Arc<RecordedEvent>]) {
    let mut index = 0;
    while let Some(live) = subscribers.get_mut(index) {
        match live.offer(events) {
            Ok(()) => index += 1,
            Err(ended) => {
                let live = subscribers.swap_remove(index);
                if ended == Ended::TooSlow {
                    let resume_from = live.cursor;
                    live.end(SubscriptionMessage::FellBehind(resume_from));
                }
            }
        }
    }
}
