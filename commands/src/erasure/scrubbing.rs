//! What follows from an erasure: destroyed keys, and what was made of the data.

use std::collections::BTreeSet;

use async_trait::async_trait;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, CommandId, TenantId};
use timeloom_domain::retention::RetentionEvent;
use timeloom_domain::subject::{SubjectCommand, SubjectEvent};
use timeloom_store::{
    BlobHash, Direction, EventLog, Filter, KeyId, LogError, Position, READ_EVENTS_MAX, RecordedEvent, StreamKey,
    SubjectKeyError, SubjectKeys, TenantScope, codec,
};

use super::{Erasures, Found};
use crate::{CommandContext, CommandError};

/// Who finishes erasures.
const ACTOR: &str = "erasure";

/// What was made of the log and may hold data of a subject: read models, snapshots, what is kept in memory.
#[async_trait]
pub trait Derived: Send + Sync {
    /// Whether it is this process that makes it. Another one does otherwise, which hears of it by the log.
    fn is_made_here(&self) -> bool {
        true
    }

    /// Lets go of what this process has of streams in memory.
    fn forget(&self, _streams: &[StreamKey]) {}

    /// Makes it again from the log as that is now, and leaves nothing of what was there before, on disk or in memory.
    ///
    /// # Errors
    /// What failed. It is done again at the next start.
    async fn scrub(&self, streams: &[StreamKey]) -> Result<(), String>;
}

/// What the log says is erased.
async fn erased(log: &dyn EventLog) -> Result<Vec<(TenantId, StreamKey, Vec<KeyId>)>, LogError> {
    let filter = Filter {
        categories: vec![SubjectEvent::CATEGORY.into()],
        event_types: vec!["SubjectErased".into()],
        ..Filter::default()
    };
    let (mut found, mut after) = (Vec::new(), Position::START);
    loop {
        let page = log.read_all(TenantScope::All, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
        for event in &page {
            after = event.position;
            if let SubjectEvent::SubjectErased { keys, .. } = codec::decode(event)? {
                let keys = keys.into_iter().map(KeyId).collect();
                found.push((event.stream.tenant, event.stream.clone(), keys));
            }
        }
        if page.len() < READ_EVENTS_MAX {
            return Ok(found);
        }
    }
}

/// The keys of the days whose time is over, as the log says it.
async fn over(log: &dyn EventLog) -> Result<Vec<KeyId>, LogError> {
    let filter = Filter {
        categories: vec![RetentionEvent::CATEGORY.into()],
        event_types: vec!["RetentionApplied".into()],
        ..Filter::default()
    };
    let (mut found, mut after) = (Vec::new(), Position::START);
    loop {
        let page = log.read_all(TenantScope::All, after, Direction::Forward, &filter, READ_EVENTS_MAX).await?;
        for event in &page {
            after = event.position;
            if let RetentionEvent::RetentionApplied { buckets, .. } = codec::decode(event)? {
                found.extend(buckets.into_iter().map(|bucket| KeyId(bucket.key)));
            }
        }
        if page.len() < READ_EVENTS_MAX {
            return Ok(found);
        }
    }
}

/// Destroys every key of whom the log says that it is erased, and of days whose time is over, whichever file of keys is there: to be called before anybody
/// reads the log.
///
/// # Errors
/// When the log cannot be read or a key cannot be destroyed.
pub async fn destroy_erased(log: &dyn EventLog, keys: &dyn SubjectKeys) -> Result<(), SubjectKeyError> {
    let erased = erased(log).await.map_err(SubjectKeyError::storage)?;
    let mut ids: Vec<KeyId> = erased.into_iter().flat_map(|(_, _, ids)| ids).collect();
    ids.extend(over(log).await.map_err(SubjectKeyError::storage)?);
    if ids.is_empty() { Ok(()) } else { keys.destroy(&ids).await }
}

impl Erasures {
    /// Finishes the erasures that a process left which ended in the middle of them.
    ///
    /// # Errors
    /// A fault. What was made of erased data may be there still.
    pub async fn finish(&self) -> Result<(), CommandError> {
        for (tenant, stream, ids) in erased(&*self.inner.parts.stored).await? {
            let Ok(id) = stream.id.parse() else { continue };
            if self.subject(tenant, KeyId(id)).await?.completed_at_ms.is_some() {
                continue;
            }
            tracing::info!(subject = %stream.id, "an erasure was interrupted and is finished now");
            let found = self.scan(tenant, &ids).await?;
            self.complete(tenant, KeyId(id), found).await?;
        }
        self.finish_retention().await
    }

    /// The same for one that was decided just now.
    pub(super) async fn finish_one(&self, tenant: TenantId, id: KeyId, found: Found) {
        if self.is_made_elsewhere() {
            return;
        }
        if let Err(error) = self.complete(tenant, id, found).await {
            tracing::error!(%error, subject = %id, "an erasure is not finished: its key is gone, and what was made of the data goes at the next start");
        }
    }

    pub(super) async fn remove(&self, attachments: &BTreeSet<BlobHash>) -> Result<(), CommandError> {
        for hash in attachments {
            let removed = self.inner.parts.blobs.remove(*hash).await;
            removed.map_err(|error| CommandError::Fault(LogError::storage(error)))?;
        }
        Ok(())
    }

    /// Lets go of what was made of streams.
    pub(super) async fn scrub(&self, streams: &[StreamKey]) -> Result<(), CommandError> {
        self.inner.parts.commands.forget(streams).await?;
        let derived = self.derived().clone();
        if let Some(derived) = derived {
            let scrubbed = derived.scrub(streams).await;
            scrubbed.map_err(|detail| CommandError::Fault(LogError::storage(std::io::Error::other(detail))))?;
        }
        Ok(())
    }

    /// Hears of what some process of the same log has decided, maybe this one: its keys are used no more, and what this
    /// process has of the data goes. Whichever process makes the read models finishes it.
    ///
    /// # Errors
    /// A fault: then it is to be told again.
    pub async fn heard(&self, event: &RecordedEvent) -> Result<(), CommandError> {
        let keys: Vec<KeyId> = match &*event.event_type {
            "SubjectErased" => match codec::decode(event)? {
                SubjectEvent::SubjectErased { keys, .. } => keys.into_iter().map(KeyId).collect(),
                _ => return Ok(()),
            },
            "RetentionApplied" => match codec::decode(event)? {
                RetentionEvent::RetentionApplied { buckets, .. } => {
                    buckets.into_iter().map(|bucket| KeyId(bucket.key)).collect()
                }
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        self.inner.parts.keys.destroy(&keys).await?;
        let mut streams: Vec<StreamKey> = self.scan(event.stream.tenant, &keys).await?.streams.into_keys().collect();
        streams.push(event.stream.clone());
        self.inner.parts.commands.forget(&streams).await?;
        let derived = self.derived().clone();
        let Some(derived) = derived else { return Ok(()) };
        derived.forget(&streams);
        if derived.is_made_here() { self.finish().await } else { Ok(()) }
    }

    /// Whether it is for this process to finish what was erased.
    pub fn is_to_be_finished_here(&self) -> bool {
        !self.is_made_elsewhere()
    }

    /// Whether another process makes what is to be made again.
    pub(super) fn is_made_elsewhere(&self) -> bool {
        self.derived().as_ref().is_some_and(|derived| !derived.is_made_here())
    }

    async fn complete(&self, tenant: TenantId, id: KeyId, found: Found) -> Result<(), CommandError> {
        let _one = self.inner.scrubbing.lock().await;
        if self.subject(tenant, id).await?.completed_at_ms.is_some() {
            return Ok(());
        }
        let parts = &self.inner.parts;
        let own = self.stream(tenant, id);
        let mut streams: Vec<StreamKey> = found.streams.keys().cloned().collect();
        if !streams.contains(&own) {
            streams.push(own);
        }
        self.remove(&found.attachments).await?;
        self.scrub(&streams).await?;
        let context =
            CommandContext::trusted(tenant, Actor::System(ACTOR.to_owned()), CommandId(parts.commands.ids().uuid()));
        let (count, at_ms) = (streams.len() as u64, parts.commands.clock().now_ms());
        let command = SubjectCommand::CompleteErasure { streams: count, events: found.count(), at_ms };
        self.change(&context, id, command).await?;
        Ok(())
    }
}
