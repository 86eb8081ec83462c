//! Erasing the data of a subject: who asks, who approves, what goes.
//!
//! The order is safe against a crash at any moment: the log says first that a subject is erased, then its keys are
//! destroyed, then what was made of its data is scrubbed, then the log says that this is done. What a crash left is finished
//! at the next start, before anything is served. Invariant: nothing is approved while a hold is on the subject, or one of its
//! executions is under way.

mod retention;
mod scan;
mod scrubbing;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timeloom_domain::access::Permission;
use timeloom_domain::account::{Account, AccountEvent};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::TenantId;
use timeloom_domain::subject::{Subject, SubjectCommand, SubjectEvent, SubjectRefusal, account_of, check_name};
use timeloom_store::{
    BlobStore, Direction, EventLog, Filter, KeyId, Position, READ_EVENTS_MAX, StreamKey, SubjectKeyError, SubjectKeys,
    TenantScope,
};
use tokio_util::task::TaskTracker;

pub use retention::{LetGo, RetentionEntry};
pub use scan::{Affected, Found};
pub use scrubbing::{Derived, destroy_erased};

use crate::bridge::Base;
use crate::{CommandContext, CommandError, Commands, Outcome, Refusal};

/// Most subjects that are listed: those with a request or a hold, the newest first.
pub const SUBJECTS_LISTED_MAX: usize = 1_000;

/// What can be erased, and how. Cheap to clone.
#[derive(Clone)]
pub struct Erasures {
    inner: Arc<Inner>,
}

/// What erasures work on.
pub struct ErasuresParts {
    /// Where changes go.
    pub commands: Commands,
    /// The log as it is stored: what is sealed is seen sealed.
    pub stored: Arc<dyn EventLog>,
    /// The keys of subjects.
    pub keys: Arc<dyn SubjectKeys>,
    /// Attachments.
    pub blobs: Arc<dyn BlobStore>,
}

struct Inner {
    parts: ErasuresParts,
    /// What was made of the log and must be made again.
    derived: Mutex<Option<Arc<dyn Derived>>>,
    /// One erasure is decided at a time.
    deciding: tokio::sync::Mutex<()>,
    scrubbing: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
}

impl fmt::Debug for Erasures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Erasures").finish_non_exhaustive()
    }
}

/// A subject about which something was decided or asked.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectEntry {
    /// The id of its key, which stands for it.
    pub id: KeyId,
    /// What its events tell.
    pub subject: Subject,
}

impl From<SubjectRefusal> for Refusal {
    fn from(refusal: SubjectRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl From<SubjectKeyError> for CommandError {
    fn from(error: SubjectKeyError) -> Self {
        match error {
            SubjectKeyError::Unavailable(_) => Refusal::new("NO_SUBJECT_KEYS", error.to_string()).into(),
            SubjectKeyError::Backup(_) => Refusal::new("NOT_A_BACKUP", error.to_string()).into(),
            SubjectKeyError::BeingErased => Self::Conflict { message: error.to_string() },
            other => Self::Fault(timeloom_store::LogError::storage(other)),
        }
    }
}

impl Erasures {
    /// Erasures over these parts.
    pub fn new(parts: ErasuresParts) -> Self {
        let (deciding, scrubbing, tasks) =
            (tokio::sync::Mutex::default(), tokio::sync::Mutex::default(), TaskTracker::new());
        Self { inner: Arc::new(Inner { parts, derived: Mutex::default(), deciding, scrubbing, tasks }) }
    }

    /// Says what was made of the log and is to be made again after an erasure.
    pub fn scrubs(&self, derived: Arc<dyn Derived>) {
        *self.derived() = Some(derived);
    }

    fn derived(&self) -> MutexGuard<'_, Option<Arc<dyn Derived>>> {
        self.inner.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the erasures under way, and lets go of what they scrub.
    pub async fn close(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        *self.derived() = None;
    }

    /// Asks for the data of a subject to be erased. The answer is the id under which another one approves it.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn request(
        &self,
        context: &CommandContext,
        subject: &str,
        reason: String,
    ) -> Result<Outcome<KeyId>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let id = self.known_subject(context.tenant, subject).await?;
        let by = context.actor.clone();
        let command = SubjectCommand::RequestErasure { subject: subject.to_owned(), reason, by };
        self.change(context, id, command).await
    }

    /// Takes such a request back.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn withdraw(
        &self,
        context: &CommandContext,
        id: KeyId,
        reason: String,
    ) -> Result<Outcome<KeyId>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let by = context.actor.clone();
        self.change(context, id, SubjectCommand::WithdrawErasure { reason, by }).await
    }

    /// Approves such a request, and erases: the keys are destroyed when this answers, what was made of the data goes at once
    /// afterwards.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn approve(&self, context: &CommandContext, id: KeyId) -> Result<Outcome<KeyId>, CommandError> {
        context.require(Permission::ErasureApprove)?;
        let Inner { parts, deciding, .. } = &*self.inner;
        let _one = deciding.lock().await;
        let state = self.subject(context.tenant, id).await?;
        let mut ids = match state.erased_at_ms {
            None => parts.keys.find(context.tenant, &state.name).await?,
            Some(_) => Vec::new(),
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
        parts.keys.hold_back(&ids, true);
        let erased = self.erase(context, id, &state, &ids).await;
        parts.keys.hold_back(&ids, false);
        let (outcome, found) = erased?;
        if let Some(found) = found {
            let (erasures, tenant) = (self.clone(), context.tenant);
            self.inner.tasks.spawn(async move { erasures.finish_one(tenant, id, found).await });
        }
        Ok(outcome)
    }

    /// Decides, writes down, destroys. Without what was found, it had happened before.
    async fn erase(
        &self,
        context: &CommandContext,
        id: KeyId,
        state: &Subject,
        ids: &[KeyId],
    ) -> Result<(Outcome<KeyId>, Option<Found>), CommandError> {
        let found = self.scan(context.tenant, ids).await?;
        for other in ids.iter().filter(|other| **other != id) {
            let held = self.subject(context.tenant, *other).await?.holds;
            if !held.is_empty() {
                let names = held.into_keys().collect::<Vec<_>>().join(", ");
                return Err(Refusal::from(SubjectRefusal::OnHold(names)).into());
            }
        }
        let command = SubjectCommand::ApproveErasure {
            by: context.actor.clone(),
            keys: ids.iter().map(|key| key.0).collect(),
            under_way: found.under_way,
            lets_in: self.lets_in(context.tenant, &state.name).await?,
            at_ms: self.inner.parts.commands.clock().now_ms(),
        };
        let outcome = self.change(context, id, command).await?;
        self.inner.parts.keys.destroy(ids).await?;
        // What the request told of it is not to be seen by those who look at the answer.
        self.inner.parts.commands.forget(&[self.stream(context.tenant, id)]).await?;
        Ok((outcome, state.erased_at_ms.is_none().then_some(found)))
    }

    /// Holds the data of a subject: it is not erased before the hold is released.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn place_hold(
        &self,
        context: &CommandContext,
        subject: &str,
        hold: String,
        reason: String,
    ) -> Result<Outcome<KeyId>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        check_name(subject).map_err(Refusal::from)?;
        // What is being decided is decided before the hold, or after it.
        let _one = self.inner.deciding.lock().await;
        // A hold may be there before the data is.
        let id = self.inner.parts.keys.of_subject(context.tenant, subject).await?.id;
        let by = context.actor.clone();
        let command = SubjectCommand::PlaceHold { hold, subject: subject.to_owned(), reason, by };
        self.change(context, id, command).await
    }

    /// Asks for the end of a hold.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn request_release(
        &self,
        context: &CommandContext,
        id: KeyId,
        hold: String,
        reason: String,
    ) -> Result<Outcome<KeyId>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let by = context.actor.clone();
        self.change(context, id, SubjectCommand::RequestRelease { hold, reason, by }).await
    }

    /// Approves the end of a hold.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn approve_release(
        &self,
        context: &CommandContext,
        id: KeyId,
        hold: String,
    ) -> Result<Outcome<KeyId>, CommandError> {
        context.require(Permission::ErasureApprove)?;
        let by = context.actor.clone();
        self.change(context, id, SubjectCommand::ApproveRelease { hold, by }).await
    }

    /// What there is of a subject, and what an erasure would take. Changes nothing.
    ///
    /// # Errors
    /// A refusal where there is nothing of such a subject, or a fault.
    pub async fn affected(&self, context: &CommandContext, subject: &str) -> Result<Affected, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let id = self.known_subject(context.tenant, subject).await?;
        let ids = self.inner.parts.keys.find(context.tenant, subject).await?;
        let found = self.scan(context.tenant, &ids).await?;
        let lets_in = self.lets_in(context.tenant, subject).await?;
        Ok(Affected { id, found, lets_in, subject: self.subject(context.tenant, id).await? })
    }

    /// The subjects about which something was asked or decided, those with the newest event first.
    ///
    /// # Errors
    /// A refusal or a fault.
    pub async fn list(&self, context: &CommandContext) -> Result<Vec<SubjectEntry>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let (mut ids, mut before) = (Vec::new(), Position(u64::MAX));
        let filter = Filter { categories: vec![SubjectEvent::CATEGORY.into()], ..Filter::default() };
        let scope = TenantScope::One(context.tenant);
        while ids.len() < SUBJECTS_LISTED_MAX {
            let read = self.inner.parts.stored.read_all(scope, before, Direction::Backward, &filter, READ_EVENTS_MAX);
            let page = read.await?;
            for event in &page {
                match event.stream.id.parse() {
                    Ok(id) if !ids.contains(&KeyId(id)) => ids.push(KeyId(id)),
                    _ => {}
                }
                before = Position(event.position.0.saturating_sub(1));
            }
            if page.len() < READ_EVENTS_MAX {
                break;
            }
        }
        ids.truncate(SUBJECTS_LISTED_MAX);
        let mut entries = Vec::with_capacity(ids.len());
        for id in ids {
            entries.push(SubjectEntry { id, subject: self.subject(context.tenant, id).await? });
        }
        Ok(entries)
    }

    fn stream(&self, tenant: TenantId, id: KeyId) -> StreamKey {
        StreamKey::new(tenant, SubjectEvent::CATEGORY, id.to_string())
    }

    /// What was decided about a subject; nothing, where it has none or is another tenant's.
    ///
    /// # Errors
    /// A fault.
    pub async fn subject(&self, tenant: TenantId, id: KeyId) -> Result<Subject, CommandError> {
        let stream = self.stream(tenant, id);
        Ok(self.inner.parts.commands.load::<Subject>(&stream).await?.aggregate.clone())
    }

    /// Every key of a subject, wrapped, to be kept apart from the data.
    ///
    /// # Errors
    /// A refusal or a fault.
    pub async fn backup(&self, context: &CommandContext) -> Result<String, CommandError> {
        context.require(Permission::TenantWrite)?;
        Ok(self.inner.parts.keys.backup().await?)
    }

    /// Takes the keys of a backup that are missing; none of an erased subject. Tells how many.
    ///
    /// # Errors
    /// A refusal or a fault.
    pub async fn restore(&self, context: &CommandContext, backup: &str) -> Result<u64, CommandError> {
        context.require(Permission::TenantWrite)?;
        Ok(self.inner.parts.keys.restore(backup).await?)
    }

    async fn change(
        &self,
        context: &CommandContext,
        id: KeyId,
        command: SubjectCommand,
    ) -> Result<Outcome<KeyId>, CommandError> {
        let commands = &self.inner.parts.commands;
        let stream = commands.stream::<SubjectEvent>(context, id);
        Ok(commands.execute::<Subject>(context, stream, command, Base::Current).await?.with(id))
    }

    /// The id that stands for a subject of which there is something.
    async fn known_subject(&self, tenant: TenantId, subject: &str) -> Result<KeyId, CommandError> {
        check_name(subject).map_err(Refusal::from)?;
        let found = self.inner.parts.keys.find(tenant, subject).await?;
        found.first().copied().ok_or_else(|| {
            let message = "there is no data of such a subject that could be erased: names are case-sensitive, those of \
                           accounts are 'account:ID'";
            Refusal::new("SUBJECT_NOT_FOUND", message).into()
        })
    }

    /// Whether a subject is an account that still lets somebody in.
    async fn lets_in(&self, tenant: TenantId, subject: &str) -> Result<bool, CommandError> {
        let Some(account) = account_of(subject) else { return Ok(false) };
        let stream = StreamKey::new(tenant, AccountEvent::CATEGORY, account.to_string());
        let state = self.inner.parts.commands.load::<Account>(&stream).await?;
        Ok(state.revision.0 > 0 && !state.aggregate.disabled)
    }
}
