//! The leases of a log in a database: rows of workers with their heartbeats, rows of shards with their owners.
//!
//! The database's clock alone says who is dead. A worker believes in its leases by its own clock, for less time; when it
//! cannot tell the database that it is there, it stops before others take over.

mod statements;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use timeloom_store::leases::{
    BELIEF_MAX, Epoch, HEARTBEAT_INTERVAL, Held, LOOK_INTERVAL, Lease, LeasePlan, Role, Roles, Shard, Worker, WorkerId,
    Workers,
};
use timeloom_store::{Leases, LogError};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connect::Address;
use crate::error::PostgresError;
use crate::log::PostgresLog;

/// Longest time of one look at the database before its connection is given up.
const LOOK_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest time that a worker which leaves takes to say so.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(2);

/// [`Leases`] in the database of a log.
pub struct PostgresLeases {
    shared: Arc<Shared>,
    address: Address,
    /// The name of the lock by which builds before leases kept each other out.
    old_lock: String,
    tasks: TaskTracker,
}

/// What the task that keeps the leases has in common with those who ask.
struct Shared {
    id: WorkerId,
    roles: Roles,
    held: watch::Sender<Held>,
    /// Until when this process believes in what it has; `None` before the first heartbeat and after that time.
    believed_until: Mutex<Option<Instant>>,
    wake: Notify,
    leaving: CancellationToken,
}

impl std::fmt::Debug for PostgresLeases {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { id, roles, .. } = &*self.shared;
        formatter.debug_struct("PostgresLeases").field("id", id).field("roles", roles).finish_non_exhaustive()
    }
}

impl PostgresLog {
    /// A worker with these roles. It has no shards and is not listed before [`PostgresLeases::join`].
    pub fn leases(&self, id: WorkerId, roles: Roles) -> Arc<PostgresLeases> {
        let shared = Shared {
            id,
            roles,
            held: watch::Sender::default(),
            believed_until: Mutex::default(),
            wake: Notify::new(),
            leaving: CancellationToken::new(),
        };
        let (address, old_lock) = (self.address().clone(), format!("{} engine", self.log_id()));
        Arc::new(PostgresLeases { shared: Arc::new(shared), address, old_lock, tasks: TaskTracker::new() })
    }
}

impl PostgresLeases {
    /// Joins the workers of the log as one that answers at `address`, and keeps the leases until it leaves. To be called
    /// once, within a tokio runtime.
    pub fn join(&self, address: &str) {
        let keeper = Keeper {
            shared: Arc::clone(&self.shared),
            database: self.address.clone(),
            address: address.to_owned(),
            old_lock: self.old_lock.clone(),
            tasks: self.tasks.clone(),
            session: None,
            next_heartbeat: Instant::now(),
        };
        self.tasks.spawn(keeper.run());
    }
}

impl Drop for PostgresLeases {
    fn drop(&mut self) {
        self.shared.leaving.cancel();
    }
}

#[async_trait]
impl Leases for PostgresLeases {
    fn worker(&self) -> WorkerId {
        self.shared.id
    }

    fn held(&self) -> watch::Receiver<Held> {
        self.shared.held.subscribe()
    }

    fn holds(&self, shard: Shard, epoch: Epoch) -> bool {
        let is_believed = self.shared.believed_until().is_some_and(|until| Instant::now() < until);
        is_believed && self.shared.held.borrow().shards.get(&shard).is_some_and(|lease| lease.epoch == epoch)
    }

    fn let_go(&self, shard: Shard, epoch: Epoch) {
        let is_left = |lease: &Lease| lease.is_leaving && lease.epoch == epoch;
        self.shared.held.send_if_modified(|held| {
            held.shards.get(&shard).is_some_and(is_left) && held.shards.remove(&shard).is_some()
        });
        self.shared.wake.notify_one();
    }

    async fn leave(&self) {
        self.shared.held.send_replace(Held::default());
        self.shared.leaving.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[async_trait]
impl Workers for PostgresLog {
    async fn workers(&self) -> Result<Vec<Worker>, LogError> {
        statements::workers(self.readers()).await
    }
}

impl Shared {
    fn lock_belief(&self) -> MutexGuard<'_, Option<Instant>> {
        self.believed_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn believed_until(&self) -> Option<Instant> {
        *self.lock_belief()
    }

    /// A heartbeat that was sent at a time has arrived. What was believed too long is lost, whoever has it by now.
    fn believe(&self, sent: Instant) {
        self.disbelieve_when_over();
        *self.lock_belief() = Some(sent + BELIEF_MAX);
    }

    /// Gives up what cannot be believed in any more.
    fn disbelieve_when_over(&self) {
        let mut until = self.lock_belief();
        if until.is_none_or(|until| Instant::now() < until) {
            return;
        }
        *until = None;
        let lost = self.held.send_replace(Held::default()).shards.len();
        drop(until);
        if lost > 0 {
            tracing::warn!(
                shards = lost,
                "the database was out of reach for too long: this process lets its executions go"
            );
        }
    }
}

/// The task that keeps the leases.
struct Keeper {
    shared: Arc<Shared>,
    database: Address,
    address: String,
    old_lock: String,
    tasks: TaskTracker,
    session: Option<Session>,
    next_heartbeat: Instant,
}

/// A connection, and what was settled on it.
struct Session {
    client: tokio_postgres::Client,
    /// Whether no process of a build before leases drives executions.
    may_drive: bool,
}

impl Keeper {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while !shared.leaving.is_cancelled() {
            let looked = believing(&shared, tokio::time::timeout(LOOK_TIME_MAX, self.look())).await;
            if let Some(reason) = match looked {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("it takes too long to answer".to_owned()),
            } {
                tracing::debug!(reason, "the database cannot be told that this worker is there; trying again");
                self.session = None;
            }
            let pause = async {
                tokio::select! {
                    () = shared.leaving.cancelled() => {}
                    () = shared.wake.notified() => {}
                    () = tokio::time::sleep(LOOK_INTERVAL) => {}
                }
            };
            believing(&shared, pause).await;
        }
        if tokio::time::timeout(LEAVE_TIME_MAX, self.say_goodbye()).await.is_err() {
            tracing::debug!("the database could not be told that this worker is gone; it finds out by itself");
        }
    }

    /// Tells that this worker is there when it is time to, sees how things are, and does what follows from that.
    async fn look(&mut self) -> Result<(), PostgresError> {
        let (shared, id) = (Arc::clone(&self.shared), self.shared.id);
        let session = match &mut self.session {
            Some(session) => session,
            None => {
                let client = self.database.connect(&self.tasks).await?.client;
                client.batch_execute(&statements::settings()).await?;
                self.next_heartbeat = Instant::now();
                self.session.insert(Session { client, may_drive: false })
            }
        };
        let client = &session.client;
        let sent = Instant::now();
        if sent >= self.next_heartbeat {
            statements::beat(client, id, &shared.roles, &self.address).await?;
            shared.believe(sent);
            self.next_heartbeat = sent + HEARTBEAT_INTERVAL;
        }
        if !shared.roles.has(Role::Engine) {
            return Ok(());
        }
        if !session.may_drive {
            session.may_drive = statements::shut_out_old_builds(client, &self.old_lock).await?;
        }
        let seen = statements::see(client).await?;
        let plan = LeasePlan::new(id, session.may_drive, &seen, &shared.held.borrow().clone());
        if !plan.lost.is_empty() || !plan.leave.is_empty() {
            shared.held.send_modify(|held| {
                held.shards.retain(|shard, _| !plan.lost.contains(shard));
                let left = held.shards.iter_mut().filter(|(shard, _)| plan.leave.contains(shard));
                left.for_each(|(_, lease)| lease.is_leaving = true);
            });
        }
        if !plan.give_back.is_empty() {
            statements::give_back(client, id, &plan.give_back).await?;
        }
        if !plan.take.is_empty() {
            let taken = statements::take(client, id, &plan.take).await?;
            // Only what is believed in is had: the answer may have been long in coming.
            shared.disbelieve_when_over();
            let until = shared.lock_belief();
            if until.is_some() && !taken.is_empty() {
                shared.held.send_modify(|held| held.shards.extend(taken));
            }
        }
        Ok(())
    }

    async fn say_goodbye(&mut self) {
        let client = match self.session.take() {
            Some(session) => Ok(session.client),
            None => self.database.connect(&self.tasks).await.map(|listening| listening.client),
        };
        let gone = async { statements::leave(&client?, self.shared.id).await };
        if let Err(error) = gone.await {
            tracing::debug!(%error, "the database could not be told that this worker is gone; it finds out by itself");
        }
    }
}

/// Waits for something, and gives up what cannot be believed in any more meanwhile.
async fn believing<F: Future>(shared: &Shared, awaited: F) -> F::Output {
    let mut awaited = std::pin::pin!(awaited);
    loop {
        let until = shared.believed_until();
        let over = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            output = &mut awaited => return output,
            () = over => shared.disbelieve_when_over(),
        }
    }
}
