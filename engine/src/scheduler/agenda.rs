//! What is due next, and what became of times that were missed: all schedules of a process, as data.
//!
//! It reads no clock and starts nothing. Invariant: of one schedule no time is given out twice, unless the clock went back;
//! then it is the same firing, which can begin only once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono_tz::Tz;
use timeloom_domain::definition::MisfirePolicy;
use timeloom_domain::ids::{TenantId, WorkflowId};

use crate::schedule::Timetable;

/// What is looked at later than this after it was due was missed, in milliseconds. Before, it is only late.
pub const LATE_MS_MAX: i64 = 60_000;
/// Most missed times of one schedule that are made up for.
pub const MADE_UP_MAX: usize = 100;
/// Most late times of one schedule that one look gives out; the rest comes with the next.
const LATE_FIRINGS_MAX: usize = 100;

/// Which trigger of which workflow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Name of the node.
    pub node: Arc<str>,
}

/// A schedule that counts now.
#[derive(Debug, Clone)]
pub struct ActiveSchedule {
    /// Which trigger.
    pub key: ScheduleKey,
    /// The active version of the workflow.
    pub version: u32,
    /// When that version became active, in milliseconds since 1970: it is not due before.
    pub since_ms: i64,
    /// Its times.
    pub timetable: Timetable,
    /// Their zone.
    pub zone: Tz,
    /// Whether it gives the item that tells when it was due.
    pub tells_time: bool,
    /// What becomes of times that were missed.
    pub misfire: MisfirePolicy,
}

/// An execution to start.
#[derive(Debug, Clone)]
pub struct Firing {
    /// The schedule.
    pub schedule: Arc<ActiveSchedule>,
    /// When it was due, in milliseconds since 1970.
    pub due_at_ms: i64,
}

struct Entry {
    schedule: Arc<ActiveSchedule>,
    /// Everything due up to here was given out or left out.
    done_ms: i64,
    /// What was due up to here was missed, however late it is: nothing ran then.
    away_until_ms: i64,
    next_ms: Option<i64>,
}

/// All schedules of a process.
#[derive(Default)]
pub struct Agenda {
    entries: HashMap<ScheduleKey, Entry>,
    due: BTreeSet<(i64, ScheduleKey)>,
    now_ms: i64,
}

impl Agenda {
    /// The schedules that count from now on, in place of all others. What was due after `done_ms` is still to be looked at;
    /// `None` when the process has been looking all the time.
    pub fn replace(&mut self, active: Vec<ActiveSchedule>, now_ms: i64, done_ms: Option<i64>) {
        let mut before = std::mem::take(&mut self.entries);
        self.due.clear();
        for schedule in active {
            let same = |known: &Entry| {
                (known.schedule.version, known.schedule.since_ms) == (schedule.version, schedule.since_ms)
            };
            let known = before.remove(&schedule.key).filter(same);
            let mut entry = known.unwrap_or_else(|| {
                // A time ahead of the clock is one of a clock that was wrong.
                let done_ms = done_ms.unwrap_or(i64::MIN).max(schedule.since_ms).min(now_ms);
                Entry { schedule: Arc::new(schedule), done_ms, away_until_ms: i64::MIN, next_ms: None }
            });
            if done_ms.is_some() {
                entry.away_until_ms = now_ms;
            }
            entry.next_ms = entry.schedule.timetable.next_after(entry.done_ms);
            let key = entry.schedule.key.clone();
            self.due.extend(entry.next_ms.map(|next| (next, key.clone())));
            self.entries.insert(key, entry);
        }
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// When the next schedule is due, in milliseconds since 1970.
    pub fn next_at(&self) -> Option<i64> {
        self.due.first().map(|(next, _)| *next)
    }

    /// Whether there are no schedules.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is to be started at `now_ms`, the earliest first.
    pub fn take_due(&mut self, now_ms: i64) -> Vec<Firing> {
        if now_ms < self.now_ms {
            self.go_back(now_ms);
        }
        self.now_ms = now_ms;
        let mut firings = Vec::new();
        while let Some((next, key)) = self.due.first().cloned() {
            if next > now_ms {
                break;
            }
            self.due.pop_first();
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.take_due(now_ms, &mut firings);
            self.due.extend(entry.next_ms.map(|next| (next, key)));
        }
        firings.sort_by_key(|firing| firing.due_at_ms);
        firings
    }

    /// The clock went back: what lies ahead again is due again, and begins only where it has not begun before.
    fn go_back(&mut self, now_ms: i64) {
        self.due.clear();
        for (key, entry) in &mut self.entries {
            if entry.done_ms > now_ms {
                entry.done_ms = now_ms;
                entry.away_until_ms = entry.away_until_ms.min(now_ms);
                entry.next_ms = entry.schedule.timetable.next_after(now_ms);
            }
            self.due.extend(entry.next_ms.map(|next| (next, key.clone())));
        }
    }
}

impl Entry {
    fn take_due(&mut self, now_ms: i64, firings: &mut Vec<Firing>) {
        let late_from = now_ms.saturating_sub(LATE_MS_MAX).max(self.away_until_ms).max(self.done_ms);
        let schedule = Arc::clone(&self.schedule);
        let fire = |due_at_ms: i64| Firing { schedule: Arc::clone(&schedule), due_at_ms };
        let late = self.times(late_from, now_ms);
        let missed = self.next_ms.is_some_and(|next| next <= late_from);
        if missed {
            let made_up = match self.schedule.misfire {
                MisfirePolicy::Skip => 0,
                MisfirePolicy::Once => usize::from(late.is_empty()),
                MisfirePolicy::All => MADE_UP_MAX,
            };
            let ScheduleKey { workflow_id, node, .. } = &self.schedule.key;
            tracing::warn!(%workflow_id, %node, policy = ?self.schedule.misfire, "times of a schedule were missed");
            firings.extend(self.newest(late_from, made_up).into_iter().map(&fire));
        }
        self.done_ms = if late.len() < LATE_FIRINGS_MAX { now_ms } else { late.last().copied().unwrap_or(now_ms) };
        firings.extend(late.into_iter().map(fire));
        self.next_ms = self.schedule.timetable.next_after(self.done_ms);
    }

    /// The times after `from_ms` up to `to_ms`, as many as one look gives out.
    fn times(&self, from_ms: i64, to_ms: i64) -> Vec<i64> {
        let next = |after: i64| self.schedule.timetable.next_after(after).filter(|next| *next <= to_ms);
        std::iter::successors(next(from_ms), |last| next(*last)).take(LATE_FIRINGS_MAX).collect()
    }

    /// The newest `count` times up to `to_ms` that were not given out, the oldest of them first.
    fn newest(&self, to_ms: i64, count: usize) -> Vec<i64> {
        let mut found = Vec::new();
        let mut to_ms = to_ms;
        while found.len() < count {
            let Some(last) = self.last_until(to_ms) else { break };
            found.push(last);
            to_ms = last - 1;
        }
        found.reverse();
        found
    }

    /// The last time up to `to_ms` that was not given out. From every moment before it the next time is at or before
    /// `to_ms`, from it on none is: so it is found by halving.
    fn last_until(&self, to_ms: i64) -> Option<i64> {
        let next = |after: i64| self.schedule.timetable.next_after(after).filter(|next| *next <= to_ms);
        let mut last = next(self.done_ms)?;
        let (mut before, mut beyond) = (last, to_ms);
        while before < beyond {
            let middle = before + (beyond - before) / 2;
            match next(middle) {
                Some(later) => (last, before) = (later, later),
                None => beyond = middle,
            }
        }
        Some(last)
    }
}
