//! Who drives what: the processes of one log, the shards that executions fall into, and which process has which shard.
//!
//! A lease keeps two processes from doing the same work at once. It never keeps the log right: that is what the expected
//! revision of every append does, so a process that goes on although its lease is over is refused by the log. Invariants:
//! an epoch of a shard is given once and is greater than those before; a process believes in its leases for less time than
//! others do.

mod all_shards;
mod held;
mod plan;
mod shard;
mod worker;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

pub use all_shards::AllShards;
pub use held::{Held, Lease, ShardsChanged};
pub use plan::{LeasePlan, Seen};
pub use shard::{Epoch, Shard, wanted_shards};
pub use worker::{Role, Roles, UnknownRole, Worker, WorkerId};

use crate::log::LogError;

/// Into how many shards executions fall. It is part of what processes of different builds agree on, and never changes.
pub const SHARDS: u16 = 64;
/// How often a worker tells that it is there.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// After so long without a heartbeat, by the clock of the storage, a worker is dead and its shards are free.
pub const DEAD_AFTER: Duration = Duration::from_secs(3);
/// How long a worker believes in its leases after a heartbeat, by its own clock: it stops before others take over.
pub const BELIEF_MAX: Duration = Duration::from_millis(2_500);
/// How often a worker looks which shards it should have.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long a worker that others are to follow lets its executions come to a rest before it drops what they do.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a worker is listed after its last heartbeat.
pub const DEAD_LISTED_MAX: Duration = Duration::from_secs(60);
/// Most workers of one log.
pub const WORKERS_MAX: usize = 1_024;

/// This process among the workers of a log, and the shards that it has.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Which worker this process is.
    fn worker(&self) -> WorkerId;

    /// The shards that it has, as they change. What changed is told by [`ShardsChanged::between`].
    fn held(&self) -> watch::Receiver<Held>;

    /// Whether it may still act for a shard at this moment, by its own clock. To be asked before anything that shows
    /// outside, since a process may have been asleep.
    fn holds(&self, shard: Shard, epoch: Epoch) -> bool;

    /// Says that nothing of this process acts for a shard any more that it is to leave: others may have it.
    fn let_go(&self, shard: Shard, epoch: Epoch);

    /// Gives every shard back and leaves the workers. Nothing of this process may act for any shard any more. A storage that
    /// is out of reach is not waited for: others take over when this worker counts as dead.
    async fn leave(&self);
}

/// The workers of a log, for people who look.
#[async_trait]
pub trait Workers: Send + Sync + 'static {
    /// All of them, those that died in the last minute among them, in the order in which they started; at most
    /// [`WORKERS_MAX`].
    ///
    /// # Errors
    /// [`LogError`] when the storage fails.
    async fn workers(&self) -> Result<Vec<Worker>, LogError>;
}
