//! The shards that a process has, and what changes between two moments.

use std::collections::BTreeMap;

use super::{Epoch, Shard};
use crate::envelope::Position;

/// A shard in this process's hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// How often the shard has been given to somebody.
    pub epoch: Epoch,
    /// The newest position of the log when this process got it: what began at or before it may have been driven by another.
    pub since: Position,
    /// Whether this process is to leave it: what it does for the shard comes to a rest, then it lets go.
    pub is_leaving: bool,
}

/// All shards in this process's hands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Each with its lease.
    pub shards: BTreeMap<Shard, Lease>,
}

impl Held {
    /// The lease of a shard that this process has and does not leave.
    pub fn lease(&self, shard: Shard) -> Option<Lease> {
        self.shards.get(&shard).copied().filter(|lease| !lease.is_leaving)
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShardsChanged {
    /// Shards that this process has now and had not before, or in another epoch.
    pub gained: Vec<(Shard, Lease)>,
    /// Shards that it is to leave.
    pub leaving: Vec<(Shard, Lease)>,
    /// Shards that it has no more, or not in the epoch in which it had them.
    pub lost: Vec<(Shard, Epoch)>,
}

impl ShardsChanged {
    /// What changed from `before` to `after`, whatever was between.
    pub fn between(before: &Held, after: &Held) -> Self {
        let mut changed = Self::default();
        for (shard, lease) in &before.shards {
            if after.shards.get(shard).is_none_or(|now| now.epoch != lease.epoch) {
                changed.lost.push((*shard, lease.epoch));
            }
        }
        for (shard, lease) in &after.shards {
            let had = before.shards.get(shard).filter(|had| had.epoch == lease.epoch);
            if had.is_none() {
                changed.gained.push((*shard, *lease));
            }
            if lease.is_leaving && had.is_none_or(|had| !had.is_leaving) {
                changed.leaving.push((*shard, *lease));
            }
        }
        changed
    }

    /// Whether nothing did.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.leaving.is_empty() && self.lost.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(entries: &[(u16, u64, bool)]) -> Held {
        let lease = |epoch, is_leaving| Lease { epoch: Epoch(epoch), since: Position(1), is_leaving };
        let shards = entries.iter().map(|(shard, epoch, leaving)| (shard_of(*shard), lease(*epoch, *leaving)));
        Held { shards: shards.collect() }
    }

    fn shard_of(number: u16) -> Shard {
        Shard::try_new(number).unwrap()
    }

    fn numbers(changed: &ShardsChanged) -> [Vec<u16>; 3] {
        let all = |shards: &[(Shard, Lease)]| shards.iter().map(|(shard, _)| shard.number()).collect();
        let lost = changed.lost.iter().map(|(shard, _)| shard.number()).collect();
        [all(&changed.gained), all(&changed.leaving), lost]
    }

    #[test]
    fn a_shard_is_gained_left_and_lost_once_each() {
        let steps = [held(&[]), held(&[(1, 5, false), (2, 1, false)]), held(&[(1, 5, true), (2, 1, false)]), held(&[])];
        let changes: Vec<_> = steps.windows(2).map(|pair| ShardsChanged::between(&pair[0], &pair[1])).collect();
        assert_eq!(numbers(&changes[0]), [vec![1, 2], vec![], vec![]]);
        assert_eq!(numbers(&changes[1]), [vec![], vec![1], vec![]]);
        assert_eq!(numbers(&changes[2]), [vec![], vec![], vec![1, 2]]);
        assert!(ShardsChanged::between(&steps[1], &steps[1]).is_empty());
        assert_eq!((steps[2].lease(shard_of(1)), steps[2].lease(shard_of(2)).is_some()), (None, true));
    }

    #[test]
    fn a_shard_in_another_epoch_was_lost_in_between() {
        let changed = ShardsChanged::between(&held(&[(1, 5, false)]), &held(&[(1, 6, false)]));
        assert_eq!(numbers(&changed), [vec![1], vec![], vec![1]]);
        assert_eq!(changed.lost, [(shard_of(1), Epoch(5))]);
    }
}
