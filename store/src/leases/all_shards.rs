//! The leases of a log that only one process can have: all shards, always. Nobody is to be kept out, so the epoch is 0.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{Epoch, Held, Lease, Leases, Roles, Shard, Worker, WorkerId, Workers};
use crate::clock::Clock;
use crate::envelope::Position;
use crate::log::LogError;

/// [`Leases`] of the only process.
pub struct AllShards {
    id: WorkerId,
    roles: Roles,
    address: OnceLock<String>,
    clock: Arc<dyn Clock>,
    started_at: DateTime<Utc>,
    held: watch::Sender<Held>,
}

impl AllShards {
    /// All shards for this process, which starts now.
    pub fn new(id: WorkerId, roles: Roles, clock: Arc<dyn Clock>) -> Self {
        let lease = Lease { epoch: Epoch(0), since: Position::START, is_leaving: false };
        let shards = Shard::all().map(|shard| (shard, lease)).collect();
        let address = OnceLock::new();
        Self { id, roles, address, started_at: clock.now(), clock, held: watch::Sender::new(Held { shards }) }
    }

    /// Joins the workers, of which there is one, as one that answers at `address`.
    pub fn join(&self, address: &str) {
        // Whoever joins again is where it was.
        let _ = self.address.set(address.to_owned());
    }
}

impl fmt::Debug for AllShards {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AllShards").field("id", &self.id).field("roles", &self.roles).finish_non_exhaustive()
    }
}

#[async_trait]
impl Leases for AllShards {
    fn worker(&self) -> WorkerId {
        self.id
    }

    fn held(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        self.held.borrow().shards.get(&shard).is_some_and(|lease| lease.epoch == epoch)
    }

    fn let_go(&self, _shard: Shard, _epoch: Epoch) {}

    async fn leave(&self) {
        self.held.send_replace(Held::default());
    }
}

#[async_trait]
impl Workers for AllShards {
    async fn workers(&self) -> Result<Vec<Worker>, LogError> {
        let shards = self.held.borrow().shards.keys().copied().collect();
        let worker = |address: &String| Worker {
            id: self.id,
            roles: self.roles.clone(),
            address: address.clone(),
            started_at: self.started_at,
            heartbeat_at: self.clock.now(),
            is_live: true,
            shards,
        };
        Ok(self.address.get().map(worker).into_iter().collect())
    }
}
