//! What a worker has to do about its shards, from what it sees: a pure function that backends share.

use super::{Epoch, Held, Shard, WorkerId, wanted_shards};

/// What a worker sees of the storage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The workers that drive executions and are not dead.
    pub live: Vec<WorkerId>,
    /// Each shard with its epoch and the worker that has it.
    pub leases: Vec<(Shard, Option<WorkerId>, Epoch)>,
}

/// What is to be done, each for the epoch that was seen: whoever was faster has changed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeasePlan {
    /// Shards that others took.
    pub lost: Vec<Shard>,
    /// Shards that others should have.
    pub leave: Vec<Shard>,
    /// Shards to take: free, of a dead worker, or left over from before this worker lost its belief.
    pub take: Vec<(Shard, Epoch)>,
    /// Shards to give back.
    pub give_back: Vec<(Shard, Epoch)>,
}

impl LeasePlan {
    /// What `worker`, which has `held`, does next. A worker that `may_drive` nothing leaves what it has.
    pub fn new(worker: WorkerId, may_drive: bool, seen: &Seen, held: &Held) -> Self {
        let wanted = if may_drive { wanted_shards(worker, &seen.live) } else { Default::default() };
        let mut plan = Self::default();
        for (shard, owner, epoch) in &seen.leases {
            let is_wanted = wanted.contains(shard);
            let lease = held.shards.get(shard);
            match (owner, lease) {
                (Some(owner), Some(lease)) if *owner == worker && lease.epoch == *epoch => {
                    if !is_wanted && !lease.is_leaving {
                        plan.leave.push(*shard);
                    }
                }
                (_, Some(_)) => plan.lost.push(*shard),
                (Some(owner), None) if *owner == worker && !is_wanted => plan.give_back.push((*shard, *epoch)),
                (Some(owner), None) if *owner != worker && seen.live.contains(owner) => {}
                (_, None) if is_wanted => plan.take.push((*shard, *epoch)),
                (_, None) => {}
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use uuid::Uuid;

    use super::super::{Lease, SHARDS};
    use super::*;
    use crate::envelope::Position;

    fn worker(number: u128) -> WorkerId {
        WorkerId(Uuid::from_u128(number * 0x1234_5678_9abc_def1))
    }

    type Leases = BTreeMap<Shard, (Option<WorkerId>, Epoch)>;

    /// A storage, and the workers that look at it one after the other.
    #[derive(Default)]
    struct World {
        leases: Leases,
        held: BTreeMap<WorkerId, Held>,
        live: BTreeSet<WorkerId>,
    }

    impl World {
        fn of(count: u128) -> Self {
            let leases = Shard::all().map(|shard| (shard, (None, Epoch(0)))).collect();
            let mut world = Self { leases, ..Self::default() };
            (1..=count).for_each(|number| world.join(number));
            world
        }

        fn join(&mut self, number: u128) {
            self.live.insert(worker(number));
            self.held.insert(worker(number), Held::default());
        }

        fn look(&mut self, id: WorkerId) {
            let leases = self.leases.iter().map(|(shard, (owner, epoch))| (*shard, *owner, *epoch)).collect();
            let seen = Seen { live: self.live.iter().copied().collect(), leases };
            let held = self.held.get_mut(&id).unwrap();
            let plan = LeasePlan::new(id, true, &seen, held);
            // The engine lets go at once.
            held.shards.retain(|shard, _| !plan.lost.contains(shard) && !plan.leave.contains(shard));
            for (shard, epoch) in plan.give_back {
                assert_eq!(self.leases.insert(shard, (None, epoch)), Some((Some(id), epoch)));
            }
            for (shard, epoch) in plan.take {
                let next = Epoch(epoch.0 + 1);
                self.leases.insert(shard, (Some(id), next));
                let lease = Lease { epoch: next, since: Position::START, is_leaving: false };
                held.shards.insert(shard, lease);
            }
        }

        /// Looks of all until nothing moves any more; how many rounds that took.
        fn settle(&mut self) -> usize {
            for round in 0..10 {
                let before = self.standing();
                self.live.clone().into_iter().for_each(|id| self.look(id));
                self.check();
                if self.standing() == before {
                    return round;
                }
            }
            panic!("shards go round in circles");
        }

        /// Who has which shard, and who still holds what he is to leave.
        fn standing(&self) -> (Leases, BTreeSet<(WorkerId, Shard)>) {
            let held = self.held.iter().flat_map(|(id, held)| held.shards.keys().map(|shard| (*id, *shard)));
            (self.leases.clone(), held.collect())
        }

        fn check(&self) {
            for (id, held) in self.held.iter().filter(|(id, _)| self.live.contains(id)) {
                for (shard, lease) in &held.shards {
                    assert_eq!(self.leases[shard], (Some(*id), lease.epoch), "two have shard {shard}");
                }
            }
        }

        fn owners(&self) -> BTreeSet<Option<WorkerId>> {
            self.leases.values().map(|(owner, _)| *owner).collect()
        }
    }

    #[test]
    fn shards_move_to_who_comes_and_from_who_dies_until_all_are_had_by_the_living() {
        let mut world = World::of(1);
        world.settle();
        assert_eq!(world.held[&worker(1)].shards.len(), usize::from(SHARDS));
        for number in 2..=8 {
            world.join(number);
            assert!(world.settle() <= 4);
            assert!(!world.held[&worker(number)].shards.is_empty());
        }
        for number in 1..=7 {
            let before = world.leases.clone();
            world.live.remove(&worker(number));
            assert!(world.settle() <= 4);
            assert!(!world.owners().contains(&Some(worker(number))) && !world.owners().contains(&None));
            let moved = world.leases.iter().filter(|(shard, lease)| before[*shard] != **lease);
            assert!(moved.clone().all(|(shard, _)| before[shard].0 == Some(worker(number))), "only those of the dead");
            assert!(moved.clone().all(|(shard, (_, epoch))| epoch.0 == before[shard].1.0 + 1));
        }
    }

    #[test]
    fn a_worker_that_lost_its_belief_takes_its_shards_in_a_new_epoch() {
        let mut world = World::of(2);
        world.settle();
        let before = world.leases.clone();
        world.held.insert(worker(1), Held::default());
        world.look(worker(1));
        for (shard, (owner, epoch)) in &before {
            let grown = u64::from(*owner == Some(worker(1)));
            assert_eq!(world.leases[shard], (*owner, Epoch(epoch.0 + grown)));
        }
    }

    #[test]
    fn a_worker_that_slept_finds_out_what_it_lost() {
        let mut world = World::of(2);
        world.settle();
        world.live.remove(&worker(1));
        world.settle();
        world.live.insert(worker(1));
        world.look(worker(1));
        assert!(world.held[&worker(1)].shards.is_empty(), "others have them, and are to leave them first");
        world.settle();
        assert!(!world.held[&worker(1)].shards.is_empty());
    }

    #[test]
    fn a_worker_that_may_drive_nothing_leaves_what_it_has() {
        let mut world = World::of(1);
        world.settle();
        let leases = world.leases.iter().map(|(shard, (owner, epoch))| (*shard, *owner, *epoch)).collect();
        let seen = Seen { live: vec![worker(1)], leases };
        let plan = LeasePlan::new(worker(1), false, &seen, &world.held[&worker(1)]);
        assert_eq!((plan.leave.len(), plan.take.len()), (usize::from(SHARDS), 0));
        let plan = LeasePlan::new(worker(1), false, &seen, &Held::default());
        assert_eq!((plan.give_back.len(), plan.take.len()), (usize::from(SHARDS), 0));
    }
}
