//! How long data of a category is kept: who decides, and what goes when its time is over.
//!
//! The order is that of an erasure: the log says first which days are over, then their keys are destroyed, then what was made
//! of the data is scrubbed, then the log says that this is done. Invariant: a day stays while an execution of it is under way,
//! or a hold is on its category or on a subject in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use timeloom_domain::access::Permission;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, CommandId, TenantId};
use timeloom_domain::retention::{
    BUCKETS_MAX, Bucket, RETAINED_CATEGORIES, Retention, RetentionCommand, RetentionEvent, RetentionRefusal,
    bucket_name, check_category, day_of,
};
use timeloom_store::{
    Direction, Filter, KeyId, LogError, Position, READ_EVENTS_MAX, StreamKey, SubjectKeyError, TenantScope,
};

use super::Erasures;
use crate::bridge::Base;
use crate::{CommandContext, CommandError, Outcome, Refusal};

/// Who lets data go whose time is over.
const ACTOR: &str = "retention";

/// What a look at the retention came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LetGo {
    /// How many days went, each of one category of one tenant.
    pub days: usize,
    /// How many days stayed although their time is over: something is under way or held.
    pub kept: usize,
}

/// How long a category is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionEntry {
    /// The category.
    pub category: &'static str,
    /// What its events tell.
    pub retention: Retention,
}

/// A day whose time is over.
struct Over {
    stream: StreamKey,
    bucket: Bucket,
}

impl From<RetentionRefusal> for Refusal {
    fn from(refusal: RetentionRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl Erasures {
    /// How long each category is kept that can have a retention.
    ///
    /// # Errors
    /// A refusal or a fault.
    pub async fn retentions(&self, context: &CommandContext) -> Result<Vec<RetentionEntry>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let mut entries = Vec::with_capacity(RETAINED_CATEGORIES.len());
        for category in RETAINED_CATEGORIES {
            entries.push(RetentionEntry { category, retention: self.retention(context.tenant, category).await? });
        }
        Ok(entries)
    }

    /// How long a category of a tenant is kept; for ever where nobody said otherwise.
    ///
    /// # Errors
    /// A fault.
    pub async fn retention(&self, tenant: TenantId, category: &str) -> Result<Retention, CommandError> {
        let stream = StreamKey::new(tenant, RetentionEvent::CATEGORY, category);
        Ok(self.inner.parts.commands.load::<Retention>(&stream).await?.aggregate.clone())
    }

    /// Keeps data of a category for so many days, or for ever: at once where that is longer than before; else it is asked for,
    /// and another one approves it. It counts for what begins afterwards.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn set_retention(
        &self,
        context: &CommandContext,
        category: &str,
        days: Option<u32>,
        reason: String,
    ) -> Result<Outcome<String>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let (by, at_ms) = (context.actor.clone(), self.inner.parts.commands.clock().now_ms());
        self.change_retention(context, category, RetentionCommand::Set { days, reason, by, at_ms }).await
    }

    /// Approves that a category is kept less long. Days whose time is over go with the next look.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn approve_retention(
        &self,
        context: &CommandContext,
        category: &str,
    ) -> Result<Outcome<String>, CommandError> {
        context.require(Permission::ErasureApprove)?;
        let (by, at_ms) = (context.actor.clone(), self.inner.parts.commands.clock().now_ms());
        self.change_retention(context, category, RetentionCommand::Approve { by, at_ms }).await
    }

    /// Takes back what was asked for.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn withdraw_retention(
        &self,
        context: &CommandContext,
        category: &str,
        reason: String,
    ) -> Result<Outcome<String>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let by = context.actor.clone();
        self.change_retention(context, category, RetentionCommand::Withdraw { reason, by }).await
    }

    /// Holds all data of a category.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn place_retention_hold(
        &self,
        context: &CommandContext,
        category: &str,
        hold: String,
        reason: String,
    ) -> Result<Outcome<String>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let by = context.actor.clone();
        self.change_retention(context, category, RetentionCommand::PlaceHold { hold, reason, by }).await
    }

    /// Asks for the end of such a hold.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn request_retention_release(
        &self,
        context: &CommandContext,
        category: &str,
        hold: String,
        reason: String,
    ) -> Result<Outcome<String>, CommandError> {
        context.require(Permission::ErasureRequest)?;
        let by = context.actor.clone();
        self.change_retention(context, category, RetentionCommand::RequestRelease { hold, reason, by }).await
    }

    /// Approves the end of such a hold.
    ///
    /// # Errors
    /// A refusal, conflict or fault.
    pub async fn approve_retention_release(
        &self,
        context: &CommandContext,
        category: &str,
        hold: String,
    ) -> Result<Outcome<String>, CommandError> {
        context.require(Permission::ErasureApprove)?;
        let by = context.actor.clone();
        self.change_retention(context, category, RetentionCommand::ApproveRelease { hold, by }).await
    }

    async fn change_retention(
        &self,
        context: &CommandContext,
        category: &str,
        command: RetentionCommand,
    ) -> Result<Outcome<String>, CommandError> {
        check_category(category).map_err(Refusal::from)?;
        let commands = &self.inner.parts.commands;
        let stream = commands.stream::<RetentionEvent>(context, category);
        let done = commands.execute::<Retention>(context, stream, command, Base::Current).await?;
        Ok(done.with(category.to_owned()))
    }

    /// Lets the data go whose time is over, of all tenants, and what was made of it. To be called now and then.
    ///
    /// # Errors
    /// A fault. What was begun is finished by the next start.
    pub async fn apply_retention(&self) -> Result<LetGo, CommandError> {
        let _one = self.inner.deciding.lock().await;
        let now_ms = self.inner.parts.commands.clock().now_ms();
        let mut of_tenants: BTreeMap<TenantId, Vec<Over>> = BTreeMap::new();
        for stream in self.retention_streams("RetentionSet").await? {
            let over = self.over(&stream, now_ms).await?;
            of_tenants.entry(stream.tenant).or_default().extend(over);
        }
        let mut done = LetGo::default();
        for (tenant, over) in of_tenants {
            let kept = self.kept(tenant, &over).await?;
            let mut of_streams: HashMap<StreamKey, Vec<Bucket>> = HashMap::new();
            for Over { stream, bucket } in over {
                if kept.contains(&KeyId(bucket.key)) {
                    done.kept += 1;
                } else {
                    of_streams.entry(stream).or_default().push(bucket);
                }
            }
            for (stream, buckets) in of_streams {
                done.days += self.let_go(&stream, buckets, now_ms).await?;
            }
        }
        if done.days > 0 && !self.is_made_elsewhere() {
            self.finish_retention().await?;
        }
        Ok(done)
    }

    /// Says that the time of these days is over, and destroys their keys. Tells how many.
    async fn let_go(&self, stream: &StreamKey, buckets: Vec<Bucket>, at_ms: i64) -> Result<usize, CommandError> {
        let keys: Vec<KeyId> = buckets.iter().map(|bucket| KeyId(bucket.key)).collect();
        let command = RetentionCommand::Apply { buckets, at_ms };
        match self.by_itself(stream, command).await {
            Ok(()) => {}
            // Somebody decided otherwise in between.
            Err(CommandError::Refused(refusal)) => {
                tracing::info!(%stream, reason = %refusal.message, "data whose time is over stays");
                return Ok(0);
            }
            Err(error) => return Err(error),
        }
        self.inner.parts.keys.destroy(&keys).await?;
        Ok(keys.len())
    }

    /// Finishes what was begun: what was made of data whose key is gone goes as well.
    ///
    /// # Errors
    /// A fault. What was made of the data may be there still.
    pub(super) async fn finish_retention(&self) -> Result<(), CommandError> {
        let _one = self.inner.scrubbing.lock().await;
        let commands = &self.inner.parts.commands;
        let (mut gone, mut streams) = (Vec::new(), BTreeSet::new());
        for stream in self.retention_streams("RetentionApplied").await? {
            let going = commands.load::<Retention>(&stream).await?.aggregate.going.clone();
            if going.is_empty() {
                continue;
            }
            let keys: Vec<KeyId> = going.into_iter().map(KeyId).collect();
            let found = self.scan(stream.tenant, &keys).await?;
            self.remove(&found.attachments).await?;
            streams.extend(found.streams.keys().cloned());
            gone.push((stream, found.streams.len() as u64, found.count()));
        }
        if gone.is_empty() {
            return Ok(());
        }
        // All of it at once: read models are built again as a whole.
        self.scrub(&streams.into_iter().collect::<Vec<_>>()).await?;
        for (stream, streams, events) in gone {
            let at_ms = commands.clock().now_ms();
            self.by_itself(&stream, RetentionCommand::Complete { streams, events, at_ms }).await?;
        }
        Ok(())
    }

    async fn by_itself(&self, stream: &StreamKey, command: RetentionCommand) -> Result<(), CommandError> {
        let commands = &self.inner.parts.commands;
        let (actor, id) = (Actor::System(ACTOR.to_owned()), CommandId(commands.ids().uuid()));
        let context = CommandContext::trusted(stream.tenant, actor, id);
        commands.execute::<Retention>(&context, stream.clone(), command, Base::Current).await?;
        Ok(())
    }

    /// The days of a stream whose time is over and whose keys are there, the oldest first.
    async fn over(&self, stream: &StreamKey, now_ms: i64) -> Result<Vec<Over>, CommandError> {
        let state = self.inner.parts.commands.load::<Retention>(stream).await?;
        let retention = &state.aggregate;
        let (Some(since_ms), Some(last), true) =
            (retention.since_ms, retention.over_by(now_ms), retention.holds.is_empty())
        else {
            return Ok(Vec::new());
        };
        let mut over = Vec::new();
        for day in day_of(since_ms)..=last {
            let name = bucket_name(&stream.id, day);
            let found = match self.inner.parts.keys.find(stream.tenant, &name).await {
                // Then nothing was ever sealed here.
                Err(SubjectKeyError::Unavailable(_)) => Vec::new(),
                found => found?,
            };
            let of_day = |id: KeyId| Over { stream: stream.clone(), bucket: Bucket { day, key: id.0 } };
            over.extend(found.into_iter().map(of_day));
            if over.len() >= BUCKETS_MAX {
                break;
            }
        }
        over.truncate(BUCKETS_MAX);
        Ok(over)
    }

    /// Those of these days that have to stay: an execution of them is under way, or a hold is on a subject in them.
    async fn kept(&self, tenant: TenantId, over: &[Over]) -> Result<BTreeSet<KeyId>, CommandError> {
        let ids: BTreeSet<KeyId> = over.iter().map(|over| KeyId(over.bucket.key)).collect();
        if ids.is_empty() {
            return Ok(ids);
        }
        let beside = self.beside(tenant, &ids).await?;
        let mut kept = beside.under_way;
        for (subject, buckets) in beside.subjects {
            if !self.subject(tenant, subject).await?.holds.is_empty() {
                kept.extend(buckets);
            }
        }
        Ok(kept)
    }

    /// Every stream of retentions that has events of a type.
    async fn retention_streams(&self, event_type: &str) -> Result<BTreeSet<StreamKey>, LogError> {
        let filter = Filter {
            categories: vec![RetentionEvent::CATEGORY.into()],
            event_types: vec![event_type.into()],
            ..Filter::default()
        };
        let (mut streams, mut after) = (BTreeSet::new(), Position::START);
        loop {
            let read =
                self.inner.parts.stored.read_all(TenantScope::All, after, Direction::Forward, &filter, READ_EVENTS_MAX);
            let page = read.await?;
            for event in &page {
                after = event.position;
                streams.insert(event.stream.clone());
            }
            if page.len() < READ_EVENTS_MAX {
                return Ok(streams);
            }
        }
    }
}
