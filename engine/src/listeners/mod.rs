//! The listeners of this process: for every active workflow with a trigger that listens, exactly one process listens.
//!
//! Which one follows from the shards: whoever has the shard of a listener listens for it. A lease keeps two processes from
//! listening at once; it never keeps the log right: that is what the id of each execution does, which follows from the
//! listener and the position of its message. Invariant: the other side is told that a message was taken only after its
//! execution is durable.

mod ends;
mod hearing;
mod supervise;
mod tried;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use timeloom_commands::directory::{Listing, TriggerKind, TriggerNode, WorkflowEntry};
use timeloom_commands::{Commands, Directory};
use timeloom_domain::definition::Node;
use timeloom_domain::ids::{EventId, ListenerId, TenantId, WorkflowId};
use timeloom_domain::listener::listener_id;
use timeloom_store::EventLog;
use timeloom_store::leases::{Epoch, Held, Leases, Shard};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::ends::Ends;
use crate::node::{NodeRegistry, Services};

/// Most executions of one trigger under way that messages have started: then it reads no more until one has come to an end
/// or waits.
pub const UNDER_WAY_MAX: usize = 64;
/// Most bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Most listeners of one process.
const LISTENERS_MAX: usize = 10_000;
/// How long it is waited before the clock is looked at again while a draft listens: it may have been set.
const CLOCK_LOOK_MS_MAX: i64 = 1_000;

/// What listeners are made of.
pub struct ListenersParts {
    /// The log, whose ends of executions are followed.
    pub log: Arc<dyn EventLog>,
    /// The way in for executions.
    pub commands: Commands,
    /// What is active.
    pub directory: Directory,
    /// The node types that there are.
    pub registry: Arc<NodeRegistry>,
    /// Clients for the outside world.
    pub services: Arc<Services>,
    /// Which shards this process has.
    pub leases: Arc<dyn Leases>,
    /// Zone of workflows that name none.
    pub timezone: Tz,
}

/// The listeners of one process. Cheap to clone.
#[derive(Clone)]
pub struct Listeners {
    parts: Arc<ListenersParts>,
    ends: Arc<Ends>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// A trigger that is to listen here and now.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    tenant: TenantId,
    workflow_id: WorkflowId,
    id: ListenerId,
    node: Arc<Node>,
    timezone: Tz,
    lease: (Shard, Epoch),
    purpose: Purpose,
}

/// For what it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// For the active version.
    Active {
        /// Its number: another version may listen elsewhere.
        version: u32,
    },
    /// For one message to the draft.
    Test {
        /// The event that said so.
        event: EventId,
        /// Until when, in milliseconds since 1970.
        until_ms: i64,
    },
}

/// What tells one time of listening from another: when it changes, the connection is made anew.
type Key = (TenantId, ListenerId, Purpose, Epoch);

/// A listener that runs.
struct Running {
    ending: CancellationToken,
    task: JoinHandle<()>,
}

impl Listeners {
    /// Listeners that do nothing until [`Listeners::start`].
    pub fn new(parts: ListenersParts) -> Self {
        let ends = Arc::new(Ends::new(Arc::clone(&parts.log)));
        Self { parts: Arc::new(parts), ends, tasks: TaskTracker::new(), stopping: CancellationToken::new() }
    }

    /// Begins to listen.
    pub fn start(&self) {
        let (ends, stopping) = (Arc::clone(&self.ends), self.stopping.clone());
        let after = self.parts.log.head();
        self.tasks.spawn(async move { ends.follow(after, &stopping).await });
        let listeners = self.clone();
        self.tasks.spawn(async move { listeners.run().await });
    }

    /// Stops, and writes down where to go on.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn run(&self) {
        let ListenersParts { directory, leases, commands, .. } = &*self.parts;
        let (mut changes, mut held) = (directory.changes(), leases.held());
        let mut running: HashMap<Key, Running> = HashMap::new();
        tokio::select! {
            caught_up = directory.caught_up() => if caught_up.is_err() { return },
            () = self.stopping.cancelled() => return,
        }
        loop {
            let listing = Arc::clone(&changes.borrow_and_update());
            let now_ms = commands.clock().now_ms();
            let shards = held.borrow_and_update().clone();
            let (wanted, look_ms) = self.wanted(&listing, &shards, now_ms);
            self.reconcile(wanted, &mut running);
            let again_ms = look_ms.map_or(i64::MAX, |until_ms| (until_ms - now_ms).clamp(1, CLOCK_LOOK_MS_MAX));
            let again = Duration::from_millis(again_ms.unsigned_abs());
            tokio::select! {
                () = self.stopping.cancelled() => break,
                changed = changes.changed() => if changed.is_err() { break },
                changed = held.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(again), if look_ms.is_some() => {}
            }
        }
        for listener in running.values() {
            listener.ending.cancel();
        }
        for (_, listener) in running {
            finished(listener.task).await;
        }
    }

    /// What is to listen here, and until when a draft does that is among it.
    fn wanted(&self, listing: &Listing, held: &Held, now_ms: i64) -> (HashMap<Key, Wanted>, Option<i64>) {
        let mut wanted = HashMap::new();
        let mut look_ms: Option<i64> = None;
        let mut want = |entry: &WorkflowEntry, trigger: &TriggerNode, purpose: Purpose| {
            let id = listener_id(entry.id, &trigger.name);
            let shard = Shard::of(&id.to_string());
            let Some(lease) = held.lease(shard) else { return };
            if wanted.len() >= LISTENERS_MAX {
                tracing::error!(workflow_id = %entry.id, node = trigger.name, "a process listens for at most {LISTENERS_MAX} triggers: this one is left out, start more processes");
                return;
            }
            if let Purpose::Test { until_ms, .. } = purpose {
                look_ms = Some(look_ms.map_or(until_ms, |known| known.min(until_ms)));
            }
            let node = Arc::new(trigger.to_node());
            let timezone = self.timezone(entry, purpose);
            let lease = (shard, lease.epoch);
            let one = Wanted { tenant: entry.tenant, workflow_id: entry.id, id, node, timezone, lease, purpose };
            wanted.insert((entry.tenant, id, purpose, lease.1), one);
        };
        for (entry, trigger) in listing.active_triggers(TriggerKind::Message) {
            let Some(active) = &entry.active else { continue };
            want(entry, trigger, Purpose::Active { version: active.version });
        }
        for entry in listing.workflows() {
            let Some(listening) = entry.listening.filter(|listening| now_ms < listening.until_ms) else { continue };
            for trigger in entry.draft.of_kind(TriggerKind::Message) {
                want(entry, trigger, Purpose::Test { event: listening.event, until_ms: listening.until_ms });
            }
        }
        (wanted, look_ms)
    }

    fn timezone(&self, entry: &WorkflowEntry, purpose: Purpose) -> Tz {
        let facts = match (purpose, &entry.active) {
            (Purpose::Active { .. }, Some(active)) => &active.facts,
            _ => &entry.draft,
        };
        let named = facts.settings.timezone.as_deref().filter(|name| !matches!(*name, "" | "DEFAULT"));
        named.and_then(|name| name.parse().ok()).unwrap_or(self.parts.timezone)
    }

    /// Ends what is not wanted any more, and begins what is new.
    fn reconcile(&self, wanted: HashMap<Key, Wanted>, running: &mut HashMap<Key, Running>) {
        let over: Vec<Key> = running.keys().filter(|key| !wanted.contains_key(*key)).copied().collect();
        let mut ending: HashMap<(TenantId, ListenerId), JoinHandle<()>> = HashMap::new();
        for key in over {
            if let Some(Running { ending: end, task }) = running.remove(&key) {
                end.cancel();
                ending.insert((key.0, key.1), task);
            }
        }
        for (key, one) in wanted {
            if running.contains_key(&key) {
                continue;
            }
            // Whoever listens in its place waits until it has written down where to go on.
            let before = ending.remove(&(key.0, key.1));
            let end = self.stopping.child_token();
            let (listeners, ended) = (self.clone(), end.clone());
            let task = self.tasks.spawn(async move {
                if let Some(before) = before {
                    finished(before).await;
                }
                listeners.supervise(one, ended).await;
            });
            running.insert(key, Running { ending: end, task });
        }
    }
}

/// Waits for the end of a task.
async fn finished(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a listener ended by itself");
    }
}
