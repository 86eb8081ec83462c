//! Which shard something falls into, and which worker should have it. The same in every process, whenever it is asked.

use std::collections::BTreeSet;
use std::fmt;

use super::{SHARDS, WorkerId};

/// A part of all executions, by the hash of a key.
///
/// ```
/// use timeloom_store::leases::Shard;
///
/// assert_eq!(Shard::of("0192a1b2-0000-7000-8000-000000000000"), Shard::of("0192a1b2-0000-7000-8000-000000000000"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(u16);

impl Shard {
    /// The shard of a key.
    pub fn of(key: &str) -> Self {
        let number = leading(blake3::hash(key.as_bytes())) % u64::from(SHARDS);
        Self(u16::try_from(number).unwrap_or_default())
    }

    /// The shard with a number; `None` from [`SHARDS`] on.
    pub fn try_new(number: u16) -> Option<Self> {
        (number < SHARDS).then_some(Self(number))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// How often a shard has been given to somebody. 0 says that only one process can have the log at all, so that nobody
/// needs to be kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The shards that `worker` should have among these, itself included whether it is named or not. Each shard goes to the
/// worker with the highest weight for it (rendezvous hashing): when a worker comes or goes, only its shards move.
pub fn wanted_shards(worker: WorkerId, live: &[WorkerId]) -> BTreeSet<Shard> {
    let is_mine = |shard: &Shard| {
        let mine = weight(worker, *shard);
        live.iter().filter(|other| **other != worker).all(|other| weight(*other, *shard) < mine)
    };
    Shard::all().filter(is_mine).collect()
}

/// Two workers never weigh the same: the id decides.
fn weight(worker: WorkerId, shard: Shard) -> (u64, WorkerId) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(worker.0.as_bytes()).update(&shard.0.to_be_bytes());
    (leading(hasher.finalize()), worker)
}

fn leading(hash: blake3::Hash) -> u64 {
    hash.as_bytes().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn workers(count: u128) -> Vec<WorkerId> {
        (1..=count).map(|number| WorkerId(Uuid::from_u128(number * 0x1234_5678_9abc_def1))).collect()
    }

    #[test]
    fn the_shard_of_a_key_never_changes() {
        let known = [("", 38), ("lane", 58), ("0192a1b2-0000-7000-8000-000000000000", 32)];
        let found: Vec<u16> = known.iter().map(|(key, _)| Shard::of(key).number()).collect();
        let expected: Vec<u16> = known.iter().map(|(_, shard)| *shard).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_shard_is_wanted_by_exactly_one_worker_and_none_by_few() {
        for count in 1..=8 {
            let workers = workers(count);
            let wanted: Vec<_> = workers.iter().map(|worker| wanted_shards(*worker, &workers)).collect();
            let all: BTreeSet<Shard> = wanted.iter().flatten().copied().collect();
            let sum: usize = wanted.iter().map(BTreeSet::len).sum();
            assert_eq!((sum, all.len()), (usize::from(SHARDS), usize::from(SHARDS)), "{count} workers");
            let fair = usize::from(SHARDS) / workers.len();
            assert!(wanted.iter().all(|shards| shards.len() * 4 >= fair), "{count} workers: {wanted:?}");
        }
    }

    #[test]
    fn a_worker_that_goes_moves_no_shard_of_the_others() {
        let before = workers(5);
        let after = &before[1..];
        for worker in after {
            let (had, has) = (wanted_shards(*worker, &before), wanted_shards(*worker, after));
            assert!(had.is_subset(&has), "{worker:?} lost {:?}", had.difference(&has));
        }
    }

    #[test]
    fn a_worker_that_nobody_sees_counts_itself() {
        let all = workers(2);
        assert_eq!(wanted_shards(all[0], &[]).len(), usize::from(SHARDS));
        assert_eq!(wanted_shards(all[0], &all[1..]), wanted_shards(all[0], &all));
    }
}
