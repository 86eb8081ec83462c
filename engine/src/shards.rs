//! The shards that this process drives, and how it lets them go.

use std::collections::HashMap;
use std::sync::Arc;

use timeloom_domain::execution::ExecutionEvent;
use timeloom_store::leases::{DRAIN_TIME_MAX, Epoch, Lease, Leases, Shard, ShardsChanged};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A shard in this process's hands, for as long as it has it without a break.
pub(crate) struct Hold {
    pub(crate) shard: Shard,
    pub(crate) lease: Lease,
    /// Executions rest at their next step: others are to have the shard.
    pub(crate) leaving: CancellationToken,
    /// Executions rest at once: others may have the shard, or the engine stops.
    pub(crate) lost: CancellationToken,
    /// The executions that are driven.
    pub(crate) tasks: TaskTracker,
    leases: Arc<dyn Leases>,
}

impl Hold {
    fn new(shard: Shard, lease: Lease, leases: &Arc<dyn Leases>, stopping: &CancellationToken) -> Arc<Self> {
        let lost = stopping.child_token();
        let (leaving, tasks, leases) = (lost.child_token(), TaskTracker::new(), Arc::clone(leases));
        Arc::new(Self { shard, lease, leaving, lost, tasks, leases })
    }

    /// Whether this process may act for the shard at this moment.
    pub(crate) fn is_valid(&self) -> bool {
        !self.lost.is_cancelled() && self.leases.holds(self.shard, self.lease.epoch)
    }

    /// Lets what is under way come to a rest, for as long as that may take, then gives the shard back.
    async fn leave(self: Arc<Self>) {
        self.tasks.close();
        if tokio::time::timeout(DRAIN_TIME_MAX, self.tasks.wait()).await.is_err() {
            tracing::warn!(shard = %self.shard, "executions that others are to drive do not come to a rest: they are dropped");
        }
        self.lost.cancel();
        self.leases.let_go(self.shard, self.lease.epoch);
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Shards(HashMap<Shard, Arc<Hold>>);

impl Shards {
    /// The hold of a shard in which executions may be begun.
    pub(crate) fn hold(&self, shard: Shard) -> Option<&Arc<Hold>> {
        self.0.get(&shard).filter(|hold| !hold.leaving.is_cancelled())
    }

    /// Takes a change in; `tasks` own what comes of it. Whether there is something new to drive.
    pub(crate) fn change(
        &mut self,
        changed: ShardsChanged,
        leases: &Arc<dyn Leases>,
        stopping: &CancellationToken,
        tasks: &TaskTracker,
    ) -> bool {
        for (shard, epoch) in changed.lost {
            self.lose(shard, epoch);
        }
        let has_gained = !changed.gained.is_empty();
        for (shard, lease) in changed.gained {
            self.0.insert(shard, Hold::new(shard, lease, leases, stopping));
        }
        for (shard, _) in changed.leaving {
            if let Some(hold) = self.0.get(&shard) {
                hold.leaving.cancel();
                tasks.spawn(Arc::clone(hold).leave());
            }
        }
        has_gained
    }

    fn lose(&mut self, shard: Shard, epoch: Epoch) {
        if self.0.get(&shard).is_some_and(|hold| hold.lease.epoch == epoch)
            && let Some(hold) = self.0.remove(&shard)
        {
            hold.lost.cancel();
        }
    }
}

/// By what right this process drives an execution.
pub(crate) struct Ownership {
    hold: Arc<Hold>,
    /// Whether another may have driven it before, who is to be kept out.
    takes_over: bool,
}

impl Ownership {
    pub(crate) fn new(hold: Arc<Hold>, may_be_another_s: bool) -> Self {
        // Where only one process can have the log there is nobody to keep out.
        let takes_over = may_be_another_s && hold.lease.epoch != Epoch::default();
        Self { hold, takes_over }
    }

    /// Whether a newer owner of the shard has taken the execution over, or may do so at this moment.
    pub(crate) fn is_kept_out(&mut self, events: &[ExecutionEvent]) -> bool {
        let mine = self.hold.lease.epoch.0;
        let newest = events.iter().rev().find_map(|event| match event {
            ExecutionEvent::ExecutionTakenOver { epoch, .. } => Some(*epoch),
            _ => None,
        });
        self.takes_over &= newest != Some(mine);
        newest.is_some_and(|newest| newest > mine) || !self.is_valid()
    }

    /// The epoch in which the execution is to be taken over, while it is not.
    pub(crate) fn to_take_over(&self) -> Option<u64> {
        self.takes_over.then_some(self.hold.lease.epoch.0)
    }

    /// It is.
    pub(crate) fn taken_over(&mut self) {
        self.takes_over = false;
    }

    /// Whether this process may act for the execution at this moment.
    pub(crate) fn is_valid(&self) -> bool {
        self.hold.is_valid()
    }

    /// Whether an execution that stands between two steps is to rest.
    pub(crate) fn is_over(&self) -> bool {
        self.hold.leaving.is_cancelled() || !self.is_valid()
    }

    /// Told when executions are to rest at their next step.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.hold.leaving
    }

    /// Told when executions are to rest at once.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.hold.lost
    }
}
