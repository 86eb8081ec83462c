//! What all services share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::Access;
use timeloom_domain::access::Principal;
use timeloom_store::EventLog;
use timeloom_store::claims::Claims;
use timeloom_store::mark::Mark;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::consumers::{Marks, Registry};
use crate::looks::Looks;

/// Appends that are taken in at the same time; more wait on their connection.
const APPENDS_MAX: usize = 64;

/// Who may come in.
#[derive(Debug, Clone)]
pub enum OpenTo {
    /// Who shows a key.
    Keys,
    /// Everybody, as this one: for one person on their own machine.
    Everybody(Box<Principal>),
}

/// What the front works with.
#[derive(Clone)]
pub struct FrontParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Who has access, and which categories are open.
    pub access: Access,
    /// Who may come in.
    pub open_to: OpenTo,
    /// Where new ids come from.
    pub ids: Arc<dyn timeloom_commands::Ids>,
    /// Where it is remembered how far groups of consumers came.
    pub marks: Marks,
    /// By which one process at a time serves the consumers of a group.
    pub claims: Arc<dyn Claims>,
    /// How often somebody may ask.
    pub measure: Measure,
}

/// Counts a call of somebody's; how long they have to wait when they call too often.
pub type Measure = Arc<dyn Fn(&Principal) -> Result<(), Duration> + Send + Sync>;

impl FrontParts {
    pub(crate) fn mark(&self, name: &str) -> Arc<dyn Mark> {
        (self.marks)(name)
    }
}

/// The protocol over one log. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: FrontParts,
    pub(crate) appends: Semaphore,
    pub(crate) looks: Looks,
    pub(crate) consumers: Registry,
    /// What goes on beside calls.
    pub(crate) tasks: TaskTracker,
    /// Of this life of the process, for gossip.
    pub(crate) instance: Uuid,
}

impl fmt::Debug for Front {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Front").field("instance", &self.inner.instance).finish_non_exhaustive()
    }
}

impl Front {
    /// The protocol over the log of `parts`.
    pub fn new(parts: FrontParts) -> Self {
        let instance = parts.ids.uuid();
        let appends = Semaphore::new(APPENDS_MAX);
        let (looks, consumers, tasks) = (Looks::default(), Registry::default(), TaskTracker::new());
        Self { inner: Arc::new(Inner { parts, appends, looks, consumers, tasks, instance }) }
    }
}
