//! All that a pool knows and decides: who waits, who computes what, who is woken, when an instance comes or goes.
//!
//! Pure: it is told the time and answers with what is to be done, which the threads around it do. Invariants: each ask is
//! counted with exactly one outcome; nobody is in two batches; once there is an end, nobody waits.

mod life;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use life::{Stage, Tick};

use super::ask::{Ask, NotComputed, Reason};
use super::counts::Counts;
use super::estimate::Estimate;
use super::limit::Limit;
use super::policy::Policy;
use super::queue::{Place, Queue, Rank, Rules, Shape, Waiting};
use super::rebirth::Rebirth;
use super::scale::Scale;
use crate::instance::Stop;

/// Bounds of what a caller who found no room is told to wait.
const RETRY_LEAST: Duration = Duration::from_millis(5);
const RETRY_MOST: Duration = Duration::from_secs(30);

/// The state of a pool. `P` is what comes along with a request and is not looked at here.
#[derive(Debug)]
pub(super) struct Desk<P> {
    policy: Policy,
    together: bool,
    queue: Queue<P>,
    limit: Limit,
    estimate: Estimate,
    scale: Scale,
    rebirth: Rebirth,
    counts: Counts,
    stage: Stage,
    tickets: u64,
    instance_numbers: u64,
    instances: BTreeMap<u64, Member>,
    /// Those that sleep; the one that fell asleep last is woken first, its caches are warm.
    idle: Vec<Sleeper>,
    /// Those that were woken and are not here yet.
    waking: Vec<u64>,
    flights: BTreeMap<u64, Flight>,
    /// When the keeper looks next.
    keeper_at: Option<Duration>,
    /// It is to look at once.
    keeper_called: bool,
}

#[derive(Debug, Default)]
struct Member {
    ready: bool,
    ending: bool,
    idle_since: Option<Duration>,
}

#[derive(Debug)]
struct Sleeper {
    instance: u64,
    /// It waits for others to come to the first of its batch.
    gathers: bool,
}

/// A batch that is being computed.
#[derive(Debug)]
struct Flight {
    tickets: Vec<u64>,
    /// Of these nobody waits for the answer any more.
    gone: Vec<u64>,
    /// When the last of its deadlines passes.
    until: Duration,
    stop: Stop,
}

/// A request as it comes.
#[derive(Debug)]
pub(super) struct Request<P> {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) shape: Shape,
    pub(super) ask: Ask,
    pub(super) payload: P,
}

/// A request was let in.
#[derive(Debug)]
pub(super) struct Admitted<P> {
    pub(super) place: Place,
    /// Those of a lower priority that had to make room.
    pub(super) displaced: Vec<(P, NotComputed)>,
    /// The instance to be woken.
    pub(super) wake: Option<u64>,
    /// Whether the keeper must look earlier than it meant to.
    pub(super) wake_keeper: bool,
}

/// What an instance is to do.
#[derive(Debug)]
pub(super) enum Work<P> {
    /// To compute these, in batches of so many rows.
    Run { batch: Vec<Waiting<P>>, rows_max: usize, stop: Stop },
    /// To sleep until it is woken, or until then.
    Sleep(Option<Duration>),
    /// To end.
    End,
}

/// What an instance that asked for work is told.
#[derive(Debug)]
pub(super) struct Taken<P> {
    pub(super) work: Work<P>,
    pub(super) missed: Vec<Waiting<P>>,
    /// Another instance to be woken: there is work for it too.
    pub(super) wake: Option<u64>,
}

/// One run of an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) rows: usize,
    pub(super) bucket: usize,
    pub(super) compute: Duration,
}

/// How one request of a flight ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) ticket: u64,
    pub(super) until: Duration,
    pub(super) queue: Duration,
    /// How long its batch was computed; nothing where it failed.
    pub(super) compute: Duration,
    pub(super) failed: Option<Reason>,
}

/// What became of a flight.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) runs: Vec<Run>,
    pub(super) outcomes: Vec<Outcome>,
    /// Rows of the batches for which there was not memory enough.
    pub(super) too_large: Vec<usize>,
}

impl<P> Desk<P> {
    pub(super) fn new(policy: Policy, together: bool, now: Duration) -> Self {
        let rows_max = if together { policy.batch_rows_max } else { 1 };
        Self {
            together,
            queue: Queue::default(),
            limit: Limit::new(rows_max, policy.recover_after),
            estimate: Estimate::default(),
            scale: Scale::new(policy.grow_delay, policy.grow_after),
            rebirth: Rebirth::default(),
            counts: Counts::default(),
            stage: Stage::Loading { until: now + policy.load_time_max },
            tickets: 0,
            instance_numbers: 0,
            instances: BTreeMap::new(),
            idle: Vec::new(),
            waking: Vec::new(),
            flights: BTreeMap::new(),
            keeper_at: None,
            keeper_called: true,
            policy,
        }
    }

    /// The numbers, with the levels as they are now.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            pending: self.queue.len(),
            pending_bytes: self.queue.bytes(),
            running: self.flights.values().map(|flight| flight.tickets.len() - flight.gone.len()).sum(),
            instances: self.instances.values().filter(|member| member.ready).count(),
            batch_rows_max: self.limit.rows(),
            degraded: self.limit.is_degraded(),
            ..self.counts.clone()
        }
    }

    /// Whether an instance can compute now.
    pub(super) fn can_compute(&self) -> bool {
        self.instances.values().any(|member| member.ready)
    }

    /// Most rows of one request.
    pub(super) fn rows_max(&self) -> usize {
        self.limit.full()
    }

    /// Counts a request that was refused before it came here.
    pub(super) fn refused(&mut self, reason: Reason) {
        self.counts.fail(reason);
    }

    /// Lets a request in, or gives it back with the reason why not.
    pub(super) fn ask(&mut self, now: Duration, request: Request<P>) -> Result<Admitted<P>, (P, NotComputed)> {
        if !matches!(self.stage, Stage::Open) {
            // Not counted: whoever asks by the model's name is sent to the version that came in its place.
            return Err((request.payload, NotComputed::Unloaded));
        }
        let Some(displaced) = self.make_room(&request) else {
            let full = self.full();
            return Err((request.payload, full));
        };
        self.tickets += 1;
        let within = request.ask.within.map_or(self.policy.wait_max, |within| within.min(self.policy.wait_max));
        let rank = Rank { priority: request.ask.priority, until: now + within, ticket: self.tickets };
        let Request { rows, bytes, shape, payload, .. } = request;
        let place = self.queue.push(shape, Waiting { rank, rows, bytes, since: now, payload });
        let wake = self.wake_one();
        let wake_keeper = self.plan_keeper(now, rank.until);
        Ok(Admitted { place, displaced, wake, wake_keeper })
    }

    /// Makes room for a request, at the cost of those of a lower priority if need be; `None` when not even that suffices.
    fn make_room(&mut self, request: &Request<P>) -> Option<Vec<(P, NotComputed)>> {
        let (requests_max, bytes_max) = (self.policy.queue_requests_max, self.policy.queue_bytes_max);
        let fits = |requests: usize, bytes: usize| requests < requests_max && bytes + request.bytes <= bytes_max;
        let (lower, lower_bytes) = self.queue.below(request.ask.priority);
        if !fits(self.queue.len() - lower, self.queue.bytes() - lower_bytes) {
            return None;
        }
        let mut displaced = Vec::new();
        while !fits(self.queue.len(), self.queue.bytes()) {
            let last = self.queue.pop_last()?;
            displaced.push((last.payload, self.full()));
        }
        Some(displaced)
    }

    fn full(&mut self) -> NotComputed {
        self.counts.fail(Reason::QueueFull);
        let instances = self.instances.values().filter(|member| member.ready).count();
        let retry_after = self.estimate.time_for(self.queue.rows(), instances).clamp(RETRY_LEAST, RETRY_MOST);
        NotComputed::QueueFull { retry_after }
    }

    /// Whom to wake, if those on their way do not suffice for what waits.
    fn wake_one(&mut self) -> Option<u64> {
        let coming = self.waking.len();
        let enough = match self.together {
            true => coming.saturating_mul(self.limit.rows()) >= self.queue.rows(),
            false => coming >= self.queue.len(),
        };
        if enough {
            return None;
        }
        let sleeper = match self.idle.iter().position(|sleeper| sleeper.gathers) {
            Some(gatherer) => {
                let preferred = self.policy.batch_rows_preferred.iter().min();
                let worth = preferred.map_or(self.limit.rows(), |preferred| self.limit.rows().min(*preferred));
                (self.queue.rows() >= worth).then(|| self.idle.remove(gatherer))?
            }
            None => self.idle.pop()?,
        };
        self.waking.push(sleeper.instance);
        self.counts.wakes += 1;
        Some(sleeper.instance)
    }

    /// Gives an instance something to do.
    pub(super) fn take(&mut self, now: Duration, instance: u64) -> Taken<P> {
        self.idle.retain(|sleeper| sleeper.instance != instance);
        self.waking.retain(|waking| *waking != instance);
        let ends = match self.stage {
            Stage::Draining { .. } => self.queue.len() == 0,
            Stage::Stopping { .. } | Stage::Ended => true,
            Stage::Loading { .. } | Stage::Open => false,
        };
        if ends {
            return Taken { work: Work::End, missed: Vec::new(), wake: None };
        }
        let rows_max = self.limit.at(now);
        let draining = matches!(self.stage, Stage::Draining { .. });
        let rules = Rules {
            rows_max,
            preferred: &self.policy.batch_rows_preferred,
            delay: if draining { Duration::ZERO } else { self.policy.queue_delay_max },
            compute: self.estimate.compute(),
            together: self.together,
        };
        let next = self.queue.next(now, &rules);
        for _ in &next.missed {
            self.counts.fail(Reason::DeadlineMissed);
        }
        let work = match next.batch.is_empty() {
            true => self.rest(now, instance, next.look_at),
            false => self.fly(instance, next.batch, rows_max),
        };
        let wake = matches!(work, Work::Run { .. }).then(|| self.wake_one()).flatten();
        Taken { work, missed: next.missed, wake }
    }

    fn fly(&mut self, instance: u64, batch: Vec<Waiting<P>>, rows_max: usize) -> Work<P> {
        let stop = Stop::default();
        let until = batch.iter().map(|waiting| waiting.rank.until).max().unwrap_or_default();
        let tickets = batch.iter().map(|waiting| waiting.rank.ticket).collect();
        self.flights.insert(instance, Flight { tickets, gone: Vec::new(), until, stop: stop.clone() });
        if let Some(member) = self.instances.get_mut(&instance) {
            member.idle_since = None;
        }
        Work::Run { batch, rows_max, stop }
    }

    fn rest(&mut self, now: Duration, instance: u64, look_at: Option<Duration>) -> Work<P> {
        let spare = self.instances.values().filter(|member| !member.ending).count() > self.policy.instances_min;
        let draining = matches!(self.stage, Stage::Draining { .. });
        let Some(member) = self.instances.get_mut(&instance) else { return Work::End };
        let idle_until = *member.idle_since.get_or_insert(now) + self.policy.idle_after;
        if draining || (spare && idle_until <= now) {
            member.ending = true;
            return Work::End;
        }
        self.idle.push(Sleeper { instance, gathers: look_at.is_some() });
        let idle_until = spare.then_some(idle_until);
        Work::Sleep(look_at.map_or(idle_until, |look_at| Some(idle_until.map_or(look_at, |until| until.min(look_at)))))
    }

    /// Takes down what became of an instance's batch.
    pub(super) fn finish(&mut self, now: Duration, instance: u64, report: &Report) {
        let gone = self.flights.remove(&instance).map(|flight| flight.gone).unwrap_or_default();
        for run in &report.runs {
            self.estimate.observe(run.rows, run.compute);
            self.counts.executions += 1;
            self.counts.inferences += run.rows as u64;
            self.counts.padding_rows += run.bucket.saturating_sub(run.rows) as u64;
            self.counts.batch_rows.observe(run.rows as u64);
            self.counts.compute_us.observe_time(run.compute);
        }
        for rows in &report.too_large {
            self.counts.out_of_memory += 1;
            self.limit.ran_out(*rows, now);
        }
        for outcome in report.outcomes.iter().filter(|outcome| !gone.contains(&outcome.ticket)) {
            match outcome.failed {
                Some(reason) => self.counts.fail(reason),
                None => {
                    self.counts.ok += 1;
                    self.counts.late += u64::from(now > outcome.until);
                    self.counts.queue_us.observe_time(outcome.queue);
                    self.counts.answered_compute_us += u64::try_from(outcome.compute.as_micros()).unwrap_or(u64::MAX);
                }
            }
        }
    }

    /// Nobody waits for that request any more. Gives it back where it was still waiting; where it is computed with others
    /// its answer is thrown away, and where nobody of its batch is left the run is told to stop.
    pub(super) fn cancel(&mut self, place: Place) -> Option<P> {
        let ticket = place.rank.ticket;
        if let Some(waiting) = self.queue.remove(place) {
            self.counts.fail(Reason::Cancelled);
            return Some(waiting.payload);
        }
        let flight = self.flights.values_mut().find(|flight| flight.tickets.contains(&ticket))?;
        flight.gone.push(ticket);
        if flight.gone.len() == flight.tickets.len() {
            flight.stop.stop();
        }
        self.counts.fail(Reason::Cancelled);
        None
    }
}

#[cfg(test)]
#[path = "../desk_tests.rs"]
mod tests;
