//! Who waits for a model, and who of them are computed together next. Pure: it waits for nothing and wakes nobody.
//!
//! Requests whose shapes differ are never in one batch: each shape has a lane of its own. Of all lanes the one whose first
//! request comes first is next; in a lane the higher priority goes first, then the earlier deadline, then who came first.
//! Invariants: no batch has more rows than it may; nobody whose deadline passed is in one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::ask::Priority;

/// Lanes that are looked at for one batch. Only where whole lanes cannot keep their deadlines, or wait for others, is
/// more than one looked at.
const LANES_LOOKED_MAX: usize = 8;

/// What a batch must have in common: types and shapes but for the rows, as numbers.
pub(super) type Shape = Vec<u64>;

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) priority: Priority,
    pub(super) until: Duration,
    pub(super) ticket: u64,
}

/// Where somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    lane: u64,
    pub(super) rank: Rank,
}

/// Somebody who waits.
#[derive(Debug)]
pub(super) struct Waiting<P> {
    pub(super) rank: Rank,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) since: Duration,
    pub(super) payload: P,
}

/// How a batch is gathered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'rules> {
    /// Most rows.
    pub(super) rows_max: usize,
    /// Sizes that are worth stopping at.
    pub(super) preferred: &'rules [usize],
    /// How long the first may wait for others.
    pub(super) delay: Duration,
    /// What a batch rarely takes longer than.
    pub(super) compute: Duration,
    /// Whether requests may be computed together at all.
    pub(super) together: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) struct Next<P> {
    /// To be computed now, together. Empty when there is nothing.
    pub(super) batch: Vec<Waiting<P>>,
    /// Those who cannot be computed before their deadline any more.
    pub(super) missed: Vec<Waiting<P>>,
    /// When to look again although nobody came.
    pub(super) look_at: Option<Duration>,
}

#[derive(Debug)]
struct Lane<P> {
    shape: Shape,
    waiting: BTreeMap<Rank, Waiting<P>>,
}

/// Everybody who waits.
#[derive(Debug)]
pub(super) struct Queue<P> {
    lanes: HashMap<u64, Lane<P>>,
    by_shape: HashMap<Shape, u64>,
    /// The first of each lane.
    heads: BTreeSet<(Rank, u64)>,
    /// All by deadline.
    due: BTreeMap<(Duration, u64), Place>,
    /// Requests and bytes of each priority.
    by_priority: [(usize, usize); Priority::ALL.len()],
    lane_numbers: u64,
    rows: usize,
    bytes: usize,
}

/// What of a lane would be a batch now.
enum Look {
    /// These, and those who cannot keep their deadlines are to be told.
    Go { batch: Vec<Rank>, hopeless: Vec<Rank> },
    /// They may wait for others until then.
    Later(Duration),
    /// None of these can keep its deadline.
    Hopeless(Vec<Rank>),
}

impl<P> Default for Queue<P> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            by_shape: HashMap::new(),
            heads: BTreeSet::new(),
            due: BTreeMap::new(),
            by_priority: [(0, 0); Priority::ALL.len()],
            lane_numbers: 0,
            rows: 0,
            bytes: 0,
        }
    }
}

impl<P> Queue<P> {
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The earliest deadline.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((until, _), _)| *until)
    }

    /// Since when the one that came first of those at the head of a lane has waited.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let heads = self.heads.iter().take(LANES_LOOKED_MAX);
        heads.filter_map(|(rank, lane)| Some(self.lanes.get(lane)?.waiting.get(rank)?.since)).min()
    }

    /// Puts somebody in.
    pub(super) fn push(&mut self, shape: Shape, waiting: Waiting<P>) -> Place {
        let rank = waiting.rank;
        let lane = match self.by_shape.get(&shape) {
            Some(lane) => *lane,
            None => {
                self.lane_numbers += 1;
                self.by_shape.insert(shape.clone(), self.lane_numbers);
                self.lane_numbers
            }
        };
        self.rows += waiting.rows;
        self.bytes += waiting.bytes;
        let (count, bytes) = &mut self.by_priority[rank.priority as usize];
        *count += 1;
        *bytes += waiting.bytes;
        self.due.insert((rank.until, rank.ticket), Place { lane, rank });
        let held = self.lanes.entry(lane).or_insert_with(|| Lane { shape, waiting: BTreeMap::new() });
        let head = held.waiting.first_key_value().map(|(rank, _)| *rank);
        if head.is_none_or(|head| rank < head) {
            if let Some(head) = head {
                self.heads.remove(&(head, lane));
            }
            self.heads.insert((rank, lane));
        }
        held.waiting.insert(rank, waiting);
        Place { lane, rank }
    }

    /// Takes somebody out, if still there.
    pub(super) fn remove(&mut self, place: Place) -> Option<Waiting<P>> {
        let lane = self.lanes.get_mut(&place.lane)?;
        let waiting = lane.waiting.remove(&place.rank)?;
        self.rows -= waiting.rows;
        self.bytes -= waiting.bytes;
        let (count, bytes) = &mut self.by_priority[place.rank.priority as usize];
        *count -= 1;
        *bytes -= waiting.bytes;
        self.due.remove(&(place.rank.until, place.rank.ticket));
        let was_first = self.heads.remove(&(place.rank, place.lane));
        match lane.waiting.first_key_value() {
            Some((head, _)) if was_first => drop(self.heads.insert((*head, place.lane))),
            Some(_) => {}
            None => {
                if let Some(lane) = self.lanes.remove(&place.lane) {
                    self.by_shape.remove(&lane.shape);
                }
            }
        }
        Some(waiting)
    }

    /// Requests and bytes that wait with a lower priority than `than`.
    pub(super) fn below(&self, than: Priority) -> (usize, usize) {
        let lower = self.by_priority.iter().skip(than as usize + 1);
        lower.fold((0, 0), |(count, bytes), (more, and)| (count + more, bytes + and))
    }

    /// Takes out whoever would come last.
    pub(super) fn pop_last(&mut self) -> Option<Waiting<P>> {
        let lasts = self.lanes.iter().filter_map(|(lane, held)| Some((*held.waiting.last_key_value()?.0, *lane)));
        let (rank, lane) = lasts.max()?;
        self.remove(Place { lane, rank })
    }

    /// Takes out those whose deadline passed.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<Waiting<P>> {
        let mut missed = Vec::new();
        while let Some(place) =
            self.due.first_key_value().filter(|((until, _), _)| *until <= now).map(|(_, place)| *place)
        {
            missed.extend(self.remove(place));
        }
        missed
    }

    /// Takes everybody out.
    pub(super) fn clear(&mut self) -> Vec<Waiting<P>> {
        let places: Vec<Place> = self.due.values().copied().collect();
        places.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    /// Takes out the next batch.
    pub(super) fn next(&mut self, now: Duration, rules: &Rules<'_>) -> Next<P> {
        let mut next = Next { batch: Vec::new(), missed: self.expire(now), look_at: None };
        let mut last_resort = None;
        let lanes: Vec<u64> = self.heads.iter().take(LANES_LOOKED_MAX).map(|(_, lane)| *lane).collect();
        for lane in lanes {
            match self.look(lane, now, rules) {
                Look::Go { batch, hopeless } => {
                    next.batch = self.remove_all(lane, batch);
                    next.missed.extend(self.remove_all(lane, hopeless));
                    return next;
                }
                Look::Later(at) => next.look_at = Some(next.look_at.map_or(at, |other| other.min(at))),
                Look::Hopeless(ranks) => last_resort = last_resort.or(Some((lane, ranks))),
            }
        }
        // The machine would stand idle: those that are likely to be late are computed all the same, and the guess of how
        // long it takes is put right by it.
        if let Some((lane, ranks)) = last_resort {
            next.batch = self.remove_all(lane, ranks);
        }
        next
    }

    fn remove_all(&mut self, lane: u64, ranks: Vec<Rank>) -> Vec<Waiting<P>> {
        ranks.into_iter().filter_map(|rank| self.remove(Place { lane, rank })).collect()
    }

    fn look(&self, lane: u64, now: Duration, rules: &Rules<'_>) -> Look {
        let Some(lane) = self.lanes.get(&lane) else { return Look::Hopeless(Vec::new()) };
        let (mut batch, mut hopeless) = (Gathering::default(), Vec::new());
        for (rank, waiting) in &lane.waiting {
            if rank.until < now + rules.compute {
                hopeless.push(*rank);
            } else if !batch.take(waiting, rules) {
                break;
            }
        }
        if batch.ranks.is_empty() {
            for waiting in lane.waiting.values() {
                if !batch.take(waiting, rules) {
                    break;
                }
            }
            return Look::Hopeless(batch.ranks);
        }
        let go_at = (batch.since + rules.delay).min(batch.until.saturating_sub(rules.compute));
        let stop = batch.preferred.or(batch.full.then_some(batch.ranks.len()));
        match stop.or((go_at <= now).then_some(batch.ranks.len())) {
            None => Look::Later(go_at),
            Some(count) => {
                batch.ranks.truncate(count);
                Look::Go { batch: batch.ranks, hopeless }
            }
        }
    }
}

/// A batch that is being gathered.
#[derive(Debug)]
struct Gathering {
    ranks: Vec<Rank>,
    rows: usize,
    since: Duration,
    until: Duration,
    /// Nobody more fits.
    full: bool,
    /// How many there were when a preferred size was reached last.
    preferred: Option<usize>,
}

impl Default for Gathering {
    fn default() -> Self {
        let (since, until) = (Duration::MAX, Duration::MAX);
        Self { ranks: Vec::new(), rows: 0, since, until, full: false, preferred: None }
    }
}

impl Gathering {
    /// Takes somebody in; false when that one does not fit any more. The first always fits: what is larger than memory
    /// allows now is computed in parts.
    fn take<P>(&mut self, waiting: &Waiting<P>, rules: &Rules<'_>) -> bool {
        let rows = self.rows + waiting.rows;
        if self.full || (!self.ranks.is_empty() && rows > rules.rows_max) {
            self.full = true;
            return false;
        }
        self.ranks.push(waiting.rank);
        self.rows = rows;
        self.since = self.since.min(waiting.since);
        self.until = self.until.min(waiting.rank.until);
        self.full = !rules.together || rows >= rules.rows_max;
        if rules.preferred.contains(&rows) {
            self.preferred = Some(self.ranks.len());
        }
        true
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
