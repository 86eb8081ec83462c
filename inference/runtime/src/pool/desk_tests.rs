//! The desk in a time of the test's own: instances that take as long as they are told, callers by chance.

use std::collections::BTreeMap;

use proptest::prelude::*;
use timeloom_domain::chance;
use timeloom_domain::inference::Provider;

use super::*;
use crate::instance::InstanceFacts;
use crate::pool::ask::Priority;

const MS: Duration = Duration::from_millis(1);

/// Chance from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(chance::STEP);
        chance::mixed(self.0) % most
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Answered { late: bool },
    Failed(Reason),
}

#[derive(Debug)]
enum Event {
    Done { began: Duration, rows: usize, batch: Vec<(usize, Outcome)>, stop: Stop },
    Woken,
}

/// A pool of instances without threads.
struct House {
    desk: Desk<usize>,
    now: Duration,
    /// What is to come, by time and instance.
    events: BTreeMap<(Duration, u64, u64), Event>,
    numbers: u64,
    chance: Chance,
    places: Vec<Option<Place>>,
    fates: Vec<Vec<Fate>>,
    /// Time of a run: so much at all, and so much for each row, and so many percent of chance.
    base: Duration,
    row: Duration,
    jitter: u64,
    failing: u64,
    rows_max: usize,
}

impl House {
    fn new(policy: Policy, seed: u64) -> Self {
        let (rows_max, instances) = (policy.batch_rows_max, policy.instances_min);
        let mut house = Self {
            desk: Desk::new(policy, true, Duration::ZERO),
            now: Duration::ZERO,
            events: BTreeMap::new(),
            numbers: 0,
            chance: Chance(seed),
            places: Vec::new(),
            fates: Vec::new(),
            base: MS * 2,
            row: MS / 4,
            jitter: 10,
            failing: 0,
            rows_max,
        };
        for _ in 0..instances {
            house.add();
        }
        house
    }

    fn add(&mut self) {
        let instance = self.desk.make().unwrap();
        self.begin(instance);
    }

    fn begin(&mut self, instance: u64) {
        self.desk.ready(instance, &InstanceFacts { provider: Provider::Cpu, rows_max: 1 << 20 });
        self.work(instance);
    }

    fn fate(&mut self, ask: usize, fate: Fate) {
        self.fates[ask].push(fate);
    }

    fn ask(&mut self, rows: usize, ask: Ask) -> usize {
        let payload = self.fates.len();
        self.fates.push(Vec::new());
        self.places.push(None);
        let request = Request { rows, bytes: rows * 100, shape: vec![self.chance.below(2)], ask, payload };
        match self.desk.ask(self.now, request) {
            Ok(admitted) => {
                self.places[payload] = Some(admitted.place);
                for (displaced, why) in admitted.displaced {
                    self.fate(displaced, Fate::Failed(why.reason()));
                }
                admitted.wake.inspect(|instance| self.work(*instance));
            }
            Err((payload, why)) => self.fate(payload, Fate::Failed(why.reason())),
        }
        payload
    }

    fn work(&mut self, instance: u64) {
        let taken = self.desk.take(self.now, instance);
        for missed in taken.missed {
            self.fate(missed.payload, Fate::Failed(Reason::DeadlineMissed));
        }
        match taken.work {
            Work::End => self.desk.gone(instance),
            Work::Sleep(until) => drop(until.map(|until| self.schedule(until, instance, Event::Woken))),
            Work::Run { batch, rows_max, stop } => {
                let rows: usize = batch.iter().map(|waiting| waiting.rows).sum();
                assert!(rows_max <= self.rows_max && (rows <= rows_max || batch.len() == 1));
                assert!(batch.iter().all(|waiting| waiting.rank.until > self.now), "computed after its deadline");
                let failed = (self.chance.below(100) < self.failing).then_some(Reason::Failed);
                let outcomes = batch.iter().map(|waiting| {
                    let (ticket, until) = (waiting.rank.ticket, waiting.rank.until);
                    (
                        waiting.payload,
                        Outcome { ticket, until, queue: self.now - waiting.since, compute: Duration::ZERO, failed },
                    )
                });
                let batch = outcomes.collect();
                let steady = self.base + self.row * rows as u32;
                let took = steady + steady * self.chance.below(self.jitter + 1) as u32 / 100;
                self.schedule(self.now + took, instance, Event::Done { began: self.now, rows, batch, stop });
            }
        }
        taken.wake.inspect(|other| self.work(*other));
    }

    fn schedule(&mut self, at: Duration, instance: u64, event: Event) {
        self.numbers += 1;
        self.events.insert((at, self.numbers, instance), event);
    }

    fn done(&mut self, instance: u64, rows: usize, batch: &[(usize, Outcome)], began: Duration) {
        let runs = vec![Run { rows, bucket: rows, compute: self.now.saturating_sub(began) }];
        let outcomes = batch.iter().map(|(_, outcome)| *outcome).collect();
        self.desk.finish(self.now, instance, &Report { runs, outcomes, too_large: Vec::new() });
        for (ask, outcome) in batch {
            if self.fates[*ask] == [Fate::Failed(Reason::Cancelled)] {
                continue;
            }
            let late = self.now > outcome.until;
            self.fate(*ask, outcome.failed.map_or(Fate::Answered { late }, Fate::Failed));
        }
    }

    /// Lets time pass, with all that happens in it.
    fn pass(&mut self, until: Duration) {
        loop {
            let event = self.events.first_key_value().map(|((at, ..), _)| *at);
            let keeper = self.desk.keeper_sleep(self.now).map(|sleep| self.now + sleep);
            let Some(at) = event.into_iter().chain(keeper).min().filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if keeper.is_some_and(|keeper| keeper <= self.now) {
                self.tick();
            } else if let Some(((_, _, instance), event)) = self.events.pop_first() {
                match event {
                    // A thread that was woken before computes by now, and does not hear its alarm.
                    Event::Woken if self.computes(instance) => {}
                    Event::Woken => self.work(instance),
                    Event::Done { began, rows, batch, .. } => {
                        self.done(instance, rows, &batch, began);
                        self.work(instance);
                    }
                }
            }
        }
        self.now = until;
    }

    fn computes(&self, instance: u64) -> bool {
        let done = |((_, _, other), event): (&(Duration, u64, u64), &Event)| {
            *other == instance && matches!(event, Event::Done { .. })
        };
        self.events.iter().any(done)
    }

    fn tick(&mut self) {
        let tick = self.desk.tick(self.now);
        for (ask, why) in tick.failed {
            self.fate(ask, Fate::Failed(why.reason()));
        }
        tick.wake.into_iter().for_each(|instance| self.work(instance));
        tick.make.inspect(|instance| self.begin(*instance));
    }

    fn cancel(&mut self, ask: usize) {
        let Some(place) = self.places[ask].filter(|_| self.fates[ask].is_empty()) else { return };
        self.fate(ask, Fate::Failed(Reason::Cancelled));
        let waited = self.desk.cancel(place);
        if waited.is_none() {
            let flown = self.events.values().find_map(|event| match event {
                Event::Done { batch, stop, .. } if batch.iter().any(|(other, _)| *other == ask) => Some((batch, stop)),
                Event::Done { .. } | Event::Woken => None,
            });
            let (batch, stop) = flown.expect("it waits or flies");
            let all_gone = batch.iter().all(|(other, _)| self.fates[*other] == [Fate::Failed(Reason::Cancelled)]);
            // What nobody can use in time any more is stopped as well, sooner or later.
            let too_late = batch.iter().all(|(_, outcome)| outcome.until <= self.now);
            let as_told = stop.is_stopped() == all_gone;
            assert!(as_told || too_late, "a run goes on for as long as somebody waits for it");
        }
    }
}

fn ask(priority: Priority, within: Duration) -> Ask {
    Ask { priority, within: Some(within) }
}

#[test]
fn at_three_times_what_it_can_do_it_does_as_much_as_at_its_peak() {
    for seed in 0..4 {
        let policy = Policy { instances_min: 2, instances_max: 2, queue_requests_max: 2000, ..Policy::default() };
        let mut house = House::new(policy, seed);
        house.base = MS * 8;
        // Full batches of one row each: with the mean of the jitter so many in a second.
        let full = (house.base + house.row * 32).as_secs_f64() * (1.0 + house.jitter as f64 / 200.0);
        let peak = 2.0 * 32.0 / full;
        let seconds = 2;
        let every = Duration::from_secs_f64(1.0 / (3.0 * peak));
        while house.now < Duration::from_secs(seconds) {
            house.ask(1, ask(Priority::Standard, MS * 100));
            let next = house.now + every;
            house.pass(next);
            assert!(house.desk.queue.len() <= 2000);
        }
        house.pass(Duration::from_secs(seconds + 1));
        let good = house.fates.iter().filter(|fate| **fate == [Fate::Answered { late: false }]).count();
        let goodput = good as f64 / (peak * seconds as f64);
        // Two shapes come by turns, so that not every batch is full; nothing else is lost.
        assert!(goodput >= 0.95, "seed {seed}: {goodput:.3} of the peak");
        let counts = house.desk.counts();
        assert!(counts.late as f64 <= 0.01 * good as f64, "seed {seed}: {} of {good} were late", counts.late);
        assert!(counts.failed(Reason::DeadlineMissed) + counts.failed(Reason::QueueFull) > counts.ok);
    }
}

#[test]
fn who_finds_no_room_is_told_when_there_may_be_and_a_higher_priority_makes_room() {
    let policy = Policy { queue_requests_max: 2, ..Policy::default() };
    let mut house = House::new(policy, 1);
    // The first flies; two wait.
    let low = [0; 3].map(|_| house.ask(1, ask(Priority::Bulk, MS * 1000)));
    let refused = house.ask(1, ask(Priority::Bulk, MS * 1000));
    assert_eq!(house.fates[refused], [Fate::Failed(Reason::QueueFull)]);
    let high = house.ask(1, ask(Priority::Interactive, MS * 1000));
    assert_eq!(house.fates[low[2]], [Fate::Failed(Reason::QueueFull)], "the last of the lowest gave way");
    house.pass(MS * 1000);
    for answered in [low[0], low[1], high] {
        assert_eq!(house.fates[answered], [Fate::Answered { late: false }]);
    }
}

#[test]
fn too_large_a_request_displaces_nobody_when_that_would_not_make_room() {
    let policy = Policy { queue_bytes_max: 1000, ..Policy::default() };
    let mut house = House::new(policy, 1);
    let first = house.ask(1, ask(Priority::Standard, MS * 1000));
    let waits = house.ask(6, ask(Priority::Standard, MS * 1000));
    let low = house.ask(2, ask(Priority::Bulk, MS * 1000));
    let large = house.ask(5, ask(Priority::Interactive, MS * 1000));
    assert_eq!(house.fates[large], [], "the standard one and the bulk one made room");
    assert_eq!(house.fates[low], [Fate::Failed(Reason::QueueFull)]);
    let _ = (first, waits);
}

#[test]
fn instances_come_when_the_wait_lasts_and_go_when_they_idle() {
    let policy = Policy { instances_max: 3, queue_requests_max: 60_000, ..Policy::default() };
    let mut house = House::new(policy, 3);
    let mut most = 0;
    while house.now < Duration::from_secs(4) {
        // Twice what one instance can do.
        for _ in 0..13 {
            house.ask(1, ask(Priority::Standard, Duration::from_secs(20)));
        }
        let next = house.now + MS * 2;
        house.pass(next);
        most = most.max(house.desk.counts().instances);
    }
    assert_eq!(most, 3);
    let busy = house.now;
    house.pass(busy + Duration::from_secs(30));
    assert_eq!(house.desk.counts().instances, 3, "a short silence takes none away");
    house.pass(busy + Duration::from_secs(200));
    assert_eq!(house.desk.counts().instances, 1);
}

#[test]
fn one_wake_serves_all_who_come_until_it_is_here() {
    let mut house = House::new(Policy { instances_min: 4, instances_max: 4, ..Policy::default() }, 1);
    let request = |payload| Request { rows: 1, bytes: 1, shape: vec![], ask: Ask::default(), payload };
    house.fates = vec![Vec::new(); 40];
    let woken: Vec<u64> = (0..40).filter_map(|ask| house.desk.ask(MS, request(ask)).unwrap().wake).collect();
    assert_eq!(woken.len(), 2, "forty rows are two batches, and two instances are woken for them");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_ask_has_exactly_one_fate(
        seed in any::<u64>(),
        rows_max in 1..20_usize,
        instances in 1..4_usize,
        delay in prop_oneof![Just(0_u64), 0..5_u64],
        close in prop_oneof![Just(None), (0..100_u64).prop_map(Some)],
    ) {
        let policy = Policy {
            batch_rows_max: rows_max,
            queue_delay_max: MS * delay as u32,
            instances_min: instances,
            instances_max: instances + 1,
            queue_requests_max: 40,
            queue_bytes_max: 6000,
            grow_after: MS * 50,
            idle_after: MS * 200,
            ..Policy::default()
        };
        let mut house = House::new(policy, seed);
        house.failing = 5;
        for _ in 0..600 {
            match house.chance.below(10) {
                0..=5 => {
                    let rows = 1 + house.chance.below(rows_max as u64) as usize;
                    let priority = Priority::ALL[house.chance.below(4) as usize];
                    let within = MS * (1 + house.chance.below(60)) as u32;
                    house.ask(rows, ask(priority, within));
                }
                6 if !house.fates.is_empty() => {
                    let most = house.fates.len() as u64;
                    let one = house.chance.below(most) as usize;
                    house.cancel(one);
                }
                _ => {
                    let next = house.now + MS * house.chance.below(8) as u32 / 2;
                    house.pass(next);
                }
            }
            let counts = house.desk.counts();
            prop_assert!(counts.pending <= 40 && counts.pending_bytes <= 6000);
            prop_assert!(counts.instances <= instances + 1);
        }
        if let Some(within) = close {
            house.desk.close(house.now, MS * within as u32);
            house.desk.call_keeper();
            let refused = house.ask(1, Ask::default());
            prop_assert_eq!(&house.fates[refused], &[Fate::Failed(Reason::Unloaded)]);
            house.desk.refused(Reason::Unloaded);
        }
        let end = house.now + Duration::from_secs(10);
        house.pass(end);
        prop_assert!(house.fates.iter().all(|fates| fates.len() == 1), "{:?}", house.fates);
        let counts = house.desk.counts();
        prop_assert_eq!((counts.pending, counts.running), (0, 0));
        prop_assert_eq!(counts.ok + counts.failed_all(), house.fates.len() as u64);
        let answered = house.fates.iter().filter(|fate| matches!(fate[0], Fate::Answered { .. })).count();
        prop_assert_eq!(counts.ok, answered as u64);
        if close.is_some() {
            house.desk.call_keeper();
            house.tick();
            prop_assert_eq!(house.desk.stage(), Stage::Ended);
        }
    }
}
