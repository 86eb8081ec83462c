//! Who is next: the order in which executions that wait for a place get one. Pure: it waits for nothing and wakes nobody.
//!
//! Of those that may run, the highest priority is next; among equals the tenant that was served least recently; of one
//! tenant what began first. Invariants: no limit is ever exceeded; nobody waits while it could run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use timeloom_domain::ids::TenantId;

/// How many executions may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In this process.
    pub process: usize,
    /// Of one tenant, in this process.
    pub tenant: usize,
}

/// Something that wants a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRequest {
    /// Whose it is.
    pub tenant: TenantId,
    /// The lane in which it runs, and how many of that lane may run at once. Without one, only the other limits count.
    pub lane: Option<(Arc<str>, usize)>,
    /// The higher one is next.
    pub priority: i32,
    /// Among equals of a tenant the lower one is next: where in the log it began, so that what goes on after a wait does
    /// not stand behind everything that began since.
    pub order: u64,
}

/// One request's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What comes first: priority, then order, then who came first.
type Rank = (Reverse<i32>, u64, Ticket);
type LaneKey = Option<Arc<str>>;

/// Places and those who wait for one.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    running: usize,
    tickets: u64,
    /// Counts places that were given: a tenant's turn is when it got its last one.
    turns: u64,
    requests: HashMap<Ticket, (PlaceRequest, Stage)>,
    tenants: HashMap<TenantId, Tenant>,
    /// The tenants that may be served, by the priority of their best request and their last turn.
    eligible: BTreeSet<(Reverse<i32>, u64, TenantId)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waits,
    Runs,
}

#[derive(Debug, Default)]
struct Tenant {
    running: usize,
    last_turn: u64,
    lanes: BTreeMap<LaneKey, Lane>,
    /// The best request of each lane that is not full.
    heads: BTreeSet<(Rank, LaneKey)>,
    /// As which it stands among the eligible.
    listed: Option<(Reverse<i32>, u64)>,
}

#[derive(Debug)]
struct Lane {
    limit: usize,
    running: usize,
    waiting: BTreeSet<Rank>,
}

impl Lane {
    /// Its best request, if it may run one more.
    fn head(&self) -> Option<Rank> {
        self.waiting.first().copied().filter(|_| self.running < self.limit)
    }
}

impl Admission {
    /// Places for so many.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            running: 0,
            tickets: 0,
            turns: 0,
            requests: HashMap::new(),
            tenants: HashMap::new(),
            eligible: BTreeSet::new(),
        }
    }

    /// Puts a request into the queue. [`Self::admit`] tells when it has a place.
    pub fn ask(&mut self, request: PlaceRequest) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let rank = rank(&request, ticket);
        let limit = request.lane.as_ref().map(|(_, limit)| *limit);
        self.change(request.tenant, lane_key(&request), |lane| {
            // The newest word counts: a workflow's limit may have changed.
            lane.limit = limit.unwrap_or(usize::MAX);
            lane.waiting.insert(rank);
        });
        self.requests.insert(ticket, (request, Stage::Waits));
        ticket
    }

    /// Gives places to those who are next, as many as there are.
    pub fn admit(&mut self) -> VecDeque<Ticket> {
        let mut admitted = VecDeque::new();
        while self.running < self.limits.process {
            let Some(ticket) = self.next() else { break };
            admitted.push_back(ticket);
        }
        admitted
    }

    /// Gives a place back, or takes a request out of the queue.
    pub fn leave(&mut self, ticket: Ticket) {
        let Some((request, stage)) = self.requests.remove(&ticket) else { return };
        let rank = rank(&request, ticket);
        if stage == Stage::Runs {
            self.running -= 1;
            self.tenants.entry(request.tenant).or_default().running -= 1;
        }
        self.change(request.tenant, lane_key(&request), |lane| match stage {
            Stage::Runs => lane.running -= 1,
            Stage::Waits => drop(lane.waiting.remove(&rank)),
        });
    }

    /// How many wait.
    pub fn waiting_count(&self) -> usize {
        self.requests.len() - self.running
    }

    /// How many have a place.
    pub fn running_count(&self) -> usize {
        self.running
    }

    fn next(&mut self) -> Option<Ticket> {
        let (_, _, tenant_id) = self.eligible.first().copied()?;
        let (rank, lane) = self.tenants.get(&tenant_id)?.heads.first().cloned()?;
        let ticket = rank.2;
        self.running += 1;
        self.turns += 1;
        let turn = self.turns;
        let tenant = self.tenants.entry(tenant_id).or_default();
        tenant.running += 1;
        tenant.last_turn = turn;
        if let Some((_, stage)) = self.requests.get_mut(&ticket) {
            *stage = Stage::Runs;
        }
        self.change(tenant_id, lane, |lane| {
            lane.waiting.remove(&rank);
            lane.running += 1;
        });
        Some(ticket)
    }

    /// Changes a lane, and keeps what is derived from it.
    fn change(&mut self, tenant_id: TenantId, key: LaneKey, change: impl FnOnce(&mut Lane)) {
        let tenant = self.tenants.entry(tenant_id).or_default();
        let lane = tenant.lanes.entry(key.clone()).or_insert_with(|| Lane {
            limit: usize::MAX,
            running: 0,
            waiting: BTreeSet::new(),
        });
        let before = lane.head();
        change(lane);
        let after = lane.head();
        if lane.running == 0 && lane.waiting.is_empty() {
            tenant.lanes.remove(&key);
        }
        if before != after {
            if let Some(rank) = before {
                tenant.heads.remove(&(rank, key.clone()));
            }
            tenant.heads.extend(after.map(|rank| (rank, key)));
        }
        let best = tenant.heads.first().filter(|_| tenant.running < self.limits.tenant);
        let listed = best.map(|((priority, _, _), _)| (*priority, tenant.last_turn));
        if listed != tenant.listed {
            let entry = |(priority, turn): (Reverse<i32>, u64)| (priority, turn, tenant_id);
            if let Some(before) = tenant.listed {
                self.eligible.remove(&entry(before));
            }
            self.eligible.extend(listed.map(entry));
            tenant.listed = listed;
        }
        // A tenant that comes back stands where a new one does: at the front.
        if tenant.lanes.is_empty() {
            self.tenants.remove(&tenant_id);
        }
    }
}

fn lane_key(request: &PlaceRequest) -> LaneKey {
    request.lane.as_ref().map(|(name, _)| Arc::clone(name))
}

fn rank(request: &PlaceRequest, ticket: Ticket) -> Rank {
    (Reverse(request.priority), request.order, ticket)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(tenant: u32, order: u64) -> PlaceRequest {
        PlaceRequest { tenant: TenantId(tenant), lane: None, priority: 0, order }
    }

    fn limits(process: usize, tenant: usize) -> Limits {
        Limits { process, tenant }
    }

    /// Serves one after the other; whose request it was, and its order.
    fn served(admission: &mut Admission) -> Vec<(u32, u64)> {
        let mut order = Vec::new();
        loop {
            let admitted = admission.admit();
            if admitted.is_empty() {
                return order;
            }
            for ticket in admitted {
                let request = &admission.requests[&ticket].0;
                order.push((request.tenant.0, request.order));
                admission.leave(ticket);
            }
        }
    }

    #[test]
    fn a_tenant_with_many_does_not_hold_up_another_s_first() {
        let mut admission = Admission::new(limits(1, 1));
        for order in 0..10_000 {
            admission.ask(request(1, order));
        }
        admission.ask(request(2, 10_000));
        admission.ask(request(2, 10_001));
        let order = served(&mut admission);
        assert_eq!(order[..5], [(1, 0), (2, 10_000), (1, 1), (2, 10_001), (1, 2)]);
        assert_eq!((order.len(), admission.waiting_count(), admission.running_count()), (10_002, 0, 0));
        assert!(admission.tenants.is_empty() && admission.eligible.is_empty(), "nothing is left behind");
    }

    #[test]
    fn the_higher_priority_is_next_whoever_has_it() {
        let mut admission = Admission::new(limits(1, 1));
        for (tenant, order, priority) in [(1, 1, 0), (1, 2, 5), (2, 3, 5), (2, 4, -1), (1, 5, 7)] {
            admission.ask(PlaceRequest { priority, ..request(tenant, order) });
        }
        let order: Vec<u64> = served(&mut admission).into_iter().map(|(_, order)| order).collect();
        assert_eq!(order, [5, 3, 2, 1, 4], "of two with the same priority the tenant that was served longer ago");
    }

    #[test]
    fn a_full_lane_lets_others_of_its_tenant_by_and_is_served_when_one_leaves() {
        let mut admission = Admission::new(limits(10, 10));
        let in_lane = |order| PlaceRequest { lane: Some((Arc::from("one"), 1)), ..request(1, order) };
        let tickets: Vec<Ticket> = (0..3).map(|order| admission.ask(in_lane(order))).collect();
        let other = admission.ask(request(1, 9));
        assert_eq!(admission.admit(), [tickets[0], other]);
        // One that waits and goes is not served; the first place is free for the one after it.
        admission.leave(tickets[1]);
        assert!(admission.admit().is_empty());
        admission.leave(tickets[0]);
        assert_eq!(admission.admit(), [tickets[2]]);
    }

    #[test]
    fn a_lane_takes_the_limit_of_the_newest_request() {
        let mut admission = Admission::new(limits(10, 10));
        let in_lane = |order, limit| PlaceRequest { lane: Some((Arc::from("one"), limit)), ..request(1, order) };
        let (first, second) = (admission.ask(in_lane(1, 1)), admission.ask(in_lane(2, 1)));
        assert_eq!(admission.admit(), [first]);
        let third = admission.ask(in_lane(3, 3));
        assert_eq!(admission.admit(), [second, third]);
    }

    #[test]
    fn what_goes_on_after_a_wait_stands_before_what_began_since() {
        let mut admission = Admission::new(limits(1, 1));
        let first = admission.ask(request(1, 5));
        admission.admit();
        admission.leave(first);
        admission.ask(request(1, 7));
        admission.ask(request(1, 5));
        assert_eq!(served(&mut admission), [(1, 5), (1, 7)]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Ask { tenant: u32, lane: Option<(u8, usize)>, priority: i32 },
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let lane = proptest::option::of((0..3u8, 1..3usize));
        prop_oneof![
            3 => (0..3u32, lane, -1..2i32).prop_map(|(tenant, lane, priority)| Step::Ask { tenant, lane, priority }),
            2 => (0..64usize).prop_map(Step::Leave),
        ]
    }

    /// Whether this one of those that wait could have a place.
    fn could_run(admission: &Admission, ticket: Ticket) -> bool {
        let (request, _) = &admission.requests[&ticket];
        let running = |of: &dyn Fn(&PlaceRequest) -> bool| {
            admission.requests.values().filter(|(other, stage)| *stage == Stage::Runs && of(other)).count()
        };
        let lane = &admission.tenants[&request.tenant].lanes[&lane_key(request)];
        running(&|_| true) < admission.limits.process
            && running(&|other| other.tenant == request.tenant) < admission.limits.tenant
            && running(&|other| other.tenant == request.tenant && lane_key(other) == lane_key(request)) < lane.limit
    }

    proptest! {
        #[test]
        fn no_limit_is_exceeded_and_nobody_waits_who_could_run(steps in prop::collection::vec(step(), 1..120)) {
            let mut admission = Admission::new(limits(4, 3));
            let mut tickets: Vec<Ticket> = Vec::new();
            for (order, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Ask { tenant, lane, priority } => {
                        let lane = lane.map(|(number, limit)| (Arc::from(number.to_string()), limit));
                        let request = PlaceRequest { tenant: TenantId(tenant), lane, priority, order: order as u64 };
                        tickets.push(admission.ask(request));
                    }
                    Step::Leave(index) if !tickets.is_empty() => {
                        admission.leave(tickets.remove(index % tickets.len()));
                    }
                    Step::Leave(_) => {}
                }
                admission.admit();
                let running = admission.requests.values().filter(|(_, stage)| *stage == Stage::Runs).count();
                prop_assert_eq!(running, admission.running_count());
                prop_assert!(running <= 4);
                for tenant in admission.tenants.values() {
                    prop_assert!(tenant.running <= 3);
                    prop_assert_eq!(tenant.running, tenant.lanes.values().map(|lane| lane.running).sum::<usize>());
                }
                let waits = |ticket: &&Ticket| admission.requests[ticket].1 == Stage::Waits;
                for ticket in tickets.iter().filter(waits) {
                    prop_assert!(!could_run(&admission, *ticket), "{:?} waits in vain", ticket);
                }
            }
            tickets.into_iter().for_each(|ticket| admission.leave(ticket));
            prop_assert!(admission.tenants.is_empty() && admission.eligible.is_empty());
        }
    }
}
