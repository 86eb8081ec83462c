//! How instances come and go, what the keeper looks at, and how a pool ends.

use std::time::Duration;

use super::{Desk, Member};
use crate::instance::InstanceFacts;
use crate::pool::ask::NotComputed;

/// How long those that were told to stop may take.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Where a pool is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum Stage {
    /// Its first instances are being made.
    Loading { until: Duration },
    /// It computes.
    Open,
    /// It lets nobody in any more and computes who is there.
    Draining { until: Duration },
    /// It stops what runs.
    Stopping { until: Duration },
    /// It is over.
    Ended,
}

/// What the keeper is to do.
#[derive(Debug)]
pub(in crate::pool) struct Tick<P> {
    /// Those who are told why they are not computed.
    pub(in crate::pool) failed: Vec<(P, NotComputed)>,
    /// An instance that is to be made.
    pub(in crate::pool) make: Option<u64>,
    /// Those to be woken.
    pub(in crate::pool) wake: Vec<u64>,
    /// Where the pool is now.
    pub(in crate::pool) stage: Stage,
}

impl<P> Desk<P> {
    pub(in crate::pool) fn stage(&self) -> Stage {
        self.stage
    }

    /// Gives a new instance its number, while there may be one more.
    pub(in crate::pool) fn make(&mut self) -> Option<u64> {
        let may = matches!(self.stage, Stage::Loading { .. } | Stage::Open);
        (may && self.instances.len() < self.policy.instances_max).then(|| {
            self.instance_numbers += 1;
            self.instances.insert(self.instance_numbers, Member::default());
            self.instance_numbers
        })
    }

    /// An instance is made and warm. True when the pool is open by it.
    pub(in crate::pool) fn ready(&mut self, instance: u64, facts: &InstanceFacts) -> bool {
        if let Some(member) = self.instances.get_mut(&instance) {
            (member.ready, member.idle_since) = (true, None);
        }
        if self.together {
            self.limit.bound(facts.rows_max);
        }
        let ready = self.instances.values().filter(|member| member.ready).count();
        let opens = matches!(self.stage, Stage::Loading { .. }) && ready >= self.policy.instances_min;
        if opens {
            self.stage = Stage::Open;
        }
        opens
    }

    /// An instance broke down. Tells when another may be made in its place; `None` when it shall not.
    pub(in crate::pool) fn broke(&mut self, instance: u64, now: Duration) -> Option<Duration> {
        let needed = self.instances.len() <= self.policy.instances_min;
        let member = self.instances.get_mut(&instance)?;
        let was_ready = std::mem::take(&mut member.ready);
        match self.stage {
            Stage::Open if was_ready || needed => {
                self.counts.replaced += u64::from(was_ready);
                Some(self.rebirth.broke(now))
            }
            // While draining it is still needed for those who wait.
            Stage::Draining { .. } if self.queue.len() > 0 => Some(self.rebirth.broke(now)),
            Stage::Loading { .. } | Stage::Open | Stage::Draining { .. } | Stage::Stopping { .. } | Stage::Ended => {
                None
            }
        }
    }

    /// Whether whoever waits to make an instance again shall go on waiting.
    pub(in crate::pool) fn goes_on(&self) -> bool {
        match self.stage {
            Stage::Loading { .. } | Stage::Open => true,
            Stage::Draining { .. } => self.queue.len() > 0,
            Stage::Stopping { .. } | Stage::Ended => false,
        }
    }

    /// An instance's thread is at its end.
    pub(in crate::pool) fn gone(&mut self, instance: u64) {
        self.instances.remove(&instance);
        self.flights.remove(&instance);
        self.idle.retain(|sleeper| sleeper.instance != instance);
        self.waking.retain(|waking| *waking != instance);
    }

    /// Lets nobody in any more, and leaves those who are there `within` to be computed.
    pub(in crate::pool) fn close(&mut self, now: Duration, within: Duration) {
        self.stage = match self.stage {
            Stage::Loading { .. } => Stage::Stopping { until: now + STOP_GRACE },
            Stage::Open => Stage::Draining { until: now + within },
            Stage::Draining { until } => Stage::Draining { until: until.min(now + within) },
            stopping @ (Stage::Stopping { .. } | Stage::Ended) => stopping,
        };
    }

    /// Plans the keeper's next look for somebody with that deadline; true when it must be woken for that.
    pub(super) fn plan_keeper(&mut self, now: Duration, until: Duration) -> bool {
        let grows = self.idle.is_empty() && self.may_grow();
        let at = if grows { until.min(now + self.scale.look_every()) } else { until };
        let earlier = self.keeper_at.is_none_or(|planned| at < planned);
        if earlier {
            self.keeper_at = Some(at);
        }
        earlier
    }

    fn may_grow(&self) -> bool {
        self.instances.len() < self.policy.instances_max && self.instances.values().all(|member| member.ready)
    }

    /// Has the keeper look at once.
    pub(in crate::pool) fn call_keeper(&mut self) {
        self.keeper_called = true;
    }

    /// How long the keeper may sleep; no time when it is to look now, `None` when it may sleep until it is woken.
    pub(in crate::pool) fn keeper_sleep(&self, now: Duration) -> Option<Duration> {
        if self.keeper_called { Some(Duration::ZERO) } else { self.keeper_at.map(|at| at.saturating_sub(now)) }
    }

    /// Looks at all that comes with time alone.
    pub(in crate::pool) fn tick(&mut self, now: Duration) -> Tick<P> {
        let mut failed = Vec::new();
        self.move_on(now);
        let (left, why) = match self.stage {
            Stage::Stopping { .. } | Stage::Ended => (self.queue.clear(), NotComputed::Unloaded),
            _ => (self.queue.expire(now), NotComputed::DeadlineMissed),
        };
        for waiting in left {
            self.counts.fail(why.reason());
            failed.push((waiting.payload, why.clone()));
        }
        let stops = matches!(self.stage, Stage::Stopping { .. });
        for flight in self.flights.values().filter(|flight| stops || flight.until <= now) {
            flight.stop.stop();
        }
        let waited = self.queue.oldest().map(|since| now.saturating_sub(since));
        let grows = matches!(self.stage, Stage::Open) && self.may_grow() && self.scale.look(waited, now);
        let make = if grows { self.make() } else { None };
        let wake = match self.stage {
            Stage::Loading { .. } | Stage::Open => Vec::new(),
            _ => self.idle.drain(..).map(|sleeper| sleeper.instance).collect(),
        };
        (self.keeper_at, self.keeper_called) = (self.next_look(now), false);
        Tick { failed, make, wake, stage: self.stage }
    }

    fn move_on(&mut self, now: Duration) {
        if let Stage::Loading { until } | Stage::Draining { until } = self.stage
            && until <= now
        {
            self.stage = Stage::Stopping { until: now + STOP_GRACE };
        }
        let ends = match self.stage {
            Stage::Loading { .. } | Stage::Open | Stage::Ended => false,
            Stage::Draining { .. } => self.instances.is_empty(),
            Stage::Stopping { until } => self.instances.is_empty() || until <= now,
        };
        if ends {
            self.stage = Stage::Ended;
        }
    }

    fn next_look(&self, now: Duration) -> Option<Duration> {
        let stage = match self.stage {
            Stage::Loading { until } | Stage::Draining { until } | Stage::Stopping { until } => Some(until),
            Stage::Open | Stage::Ended => None,
        };
        let grows = self.queue.len() > 0 && matches!(self.stage, Stage::Open) && self.may_grow();
        let flights = self.flights.values().filter(|flight| !flight.stop.is_stopped()).map(|flight| flight.until).min();
        let looks = [stage, self.queue.due(), flights, grows.then(|| now + self.scale.look_every())];
        looks.into_iter().flatten().min()
    }

    /// How many instances there are, those that do not stop for all that they were told to.
    pub(in crate::pool) fn left(&self) -> usize {
        self.instances.len()
    }
}
