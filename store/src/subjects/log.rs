//! The log as everybody but backends, copies and proofs sees it: personal fields are sealed on their way in and opened on
//! their way out.
//!
//! A stream whose first event is about a subject is about it to its end: whoever adds to it need not say so. What is not
//! sealed costs a look at how its payload begins. What begins in a category that is kept for a limited time is sealed under
//! the key of its day, together with that of its subject where it has one: it goes with whichever goes first.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::value::RawValue;
use timeloom_domain::account::AccountEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::TenantId;
use timeloom_domain::personal::{ERASED, Personal, PersonalField};
use timeloom_domain::retention::{RetentionEvent, bucket_name, day_of};
use timeloom_domain::session::SessionEvent;

use super::begun::Begun;
use super::retained::Retained;
use super::seal::{self, KeyIds, Place, SealKeys, is_sealed};
use super::{FoundKey, KeyId, SubjectKey, SubjectKeyError, SubjectKeys};
use crate::clock::Clock;
use crate::envelope::{NewEvent, Payload, Position, RecordedEvent, Revision, StreamKey};
use crate::log::{
    Append, AppendError, Appended, Direction, EventLog, Expected, Filter, LogError, Subscription, TenantScope, Wanted,
};

/// Streams of which it is remembered whom they are about; of one that was forgotten the first event is read.
const STREAMS_REMEMBERED_MAX: usize = 65_536;
/// How long to wait for a subject that is being erased.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_millis(200);

/// An [`EventLog`] around another, in which personal fields are sealed.
pub struct SealingLog {
    inner: Arc<dyn EventLog>,
    opener: Arc<Opener>,
    clock: Arc<dyn Clock>,
    seals_accounts: bool,
    retained: Retained,
    begun: Begun,
    /// Under which keys the rest of a stream is sealed; none: it is about nobody, and kept for ever.
    streams: Mutex<HashMap<StreamKey, KeyIds>>,
}

/// What became of the keys that it takes to open something.
enum FoundKeys {
    /// Here they are.
    Keys(SealKeys),
    /// One of them was destroyed: by an erasure, or because its time was over.
    Erased,
    /// This one should be there and is not.
    Lost(KeyId),
}

/// Opens what the log has sealed.
pub(crate) struct Opener {
    keys: Arc<dyn SubjectKeys>,
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Opener").finish_non_exhaustive()
    }
}

impl SealingLog {
    /// Seals what goes into `inner` under `keys`; of accounts only when asked to. `clock` tells the day under whose key
    /// something is sealed that is kept for a limited time.
    pub fn new(
        inner: Arc<dyn EventLog>,
        keys: Arc<dyn SubjectKeys>,
        clock: Arc<dyn Clock>,
        seals_accounts: bool,
    ) -> Arc<Self> {
        let (opener, retained) = (Arc::new(Opener { keys }), Retained::default());
        let (begun, streams) = (Begun::default(), Mutex::default());
        Arc::new(Self { inner, opener, clock, seals_accounts, retained, begun, streams })
    }

    /// Goes on with new keys where those are lost of which the log says that there are.
    pub fn accept_lost_keys(&self) {
        self.begun.accept_loss();
    }

    /// The key under that name, made where there is none; not where those that there were are lost.
    async fn key_of_name(&self, tenant: TenantId, name: &str) -> Result<SubjectKey, AppendError> {
        self.begun.check(&*self.inner, &*self.opener.keys).await.map_err(refused)?;
        self.opener.keys.of_subject(tenant, name).await.map_err(refused)
    }

    fn remembered(&self, stream: &StreamKey) -> Option<KeyIds> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned()
    }

    fn remember(&self, stream: &StreamKey, keys: KeyIds) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= STREAMS_REMEMBERED_MAX {
            streams.clear();
        }
        streams.insert(stream.clone(), keys);
    }

    /// Under which keys the rest of a stream is sealed, as its first event has it.
    async fn keys_of_stream(&self, stream: &StreamKey) -> Result<KeyIds, LogError> {
        if let Some(known) = self.remembered(stream) {
            return Ok(known);
        }
        let first = self.inner.read_stream(stream, Revision::default(), Direction::Forward, 1).await?;
        let Some(first) = first.first() else { return Ok(KeyIds::default()) };
        let keys = seal::key_ids(&first.payload);
        self.remember(stream, keys.clone());
        Ok(keys)
    }

    /// What the fields of an append are sealed with; no keys: they are about nobody, and kept for ever.
    async fn keys_for(&self, append: &Append, personal: Personal) -> Result<FoundKeys, AppendError> {
        let stream = &append.stream;
        let is_of_account = [AccountEvent::CATEGORY, SessionEvent::CATEGORY].contains(&&*stream.category);
        if is_of_account && !self.seals_accounts {
            return Ok(FoundKeys::Keys(SealKeys::default()));
        }
        let goes_on = personal.of_stream && append.expected != Expected::NoStream;
        let mut keys = match &append.subject {
            // What follows from something erased is not kept either.
            Some(subject) if **subject == *ERASED => return Ok(FoundKeys::Erased),
            Some(subject) => {
                SealKeys { subject: Some(self.key_of_name(stream.tenant, subject).await?), days: Vec::new() }
            }
            None if append.subject_of.is_some() || goes_on => {
                let mut ids = self.keys_of_stream(append.subject_of.as_ref().unwrap_or(stream)).await?;
                if personal.lasts {
                    ids.days.clear();
                }
                match self.opener.find(&ids).await.map_err(refused)? {
                    FoundKeys::Keys(keys) => keys,
                    FoundKeys::Lost(id) => return Err(lost(id, Position::START).into()),
                    FoundKeys::Erased => return Ok(FoundKeys::Erased),
                }
            }
            None => SealKeys::default(),
        };
        let now = self.clock.now();
        if !goes_on && self.retained.is_limited(&*self.inner, stream.tenant, &stream.category, now).await? {
            let name = bucket_name(&stream.category, day_of(now.timestamp_millis()));
            keys.days.push(self.key_of_name(stream.tenant, &name).await?);
        }
        Ok(FoundKeys::Keys(keys))
    }
}

fn refused(error: SubjectKeyError) -> AppendError {
    match error {
        SubjectKeyError::BeingErased => AppendError::Unavailable { retry_after: RETRY_AFTER },
        other => AppendError::Subject(other),
    }
}

/// The payload of an event with its fields sealed; `None` when it has none.
fn sealed(
    keys: &FoundKeys,
    stream: &StreamKey,
    event: &NewEvent,
    fields: &[PersonalField],
) -> Result<Option<Payload>, LogError> {
    if fields.is_empty() {
        return Ok(None);
    }
    let place = Place { stream, id: event.id, event_type: &event.event_type };
    let text = match keys {
        FoundKeys::Keys(keys) => seal::seal(keys, place, event.payload.get(), fields),
        FoundKeys::Erased | FoundKeys::Lost(_) => seal::never_kept(event.payload.get(), fields),
    };
    let wrong = |detail: String| LogError::Corrupt { position: Position::START, detail };
    text.map_err(wrong)?.map(payload).transpose()
}

fn payload(text: String) -> Result<Payload, LogError> {
    Ok(Arc::from(RawValue::from_string(text).map_err(LogError::storage)?))
}

fn lost(key: KeyId, position: Position) -> LogError {
    let detail = format!(
        "the key {key} of the person that this is about is not there, and was not destroyed by an erasure: put the file of \
         keys back, or restore it with `timeloom audit subject-keys restore`"
    );
    LogError::Corrupt { position, detail }
}

/// The event with what stands for its sealed fields: for readers who are given no keys on purpose, whether these were destroyed
/// or not.
///
/// # Errors
/// [`LogError::Corrupt`] when what is sealed is not as it should be.
pub fn without_sealed(event: RecordedEvent) -> Result<RecordedEvent, LogError> {
    let personal = Personal::of(&event.stream.category).filter(|_| is_sealed(&event.payload));
    let Some(personal) = personal else { return Ok(event) };
    let corrupt = |detail: String| LogError::Corrupt { position: event.position, detail };
    let (_, left) = seal::split(event.payload.get()).map_err(corrupt)?;
    let text = seal::erased(left, personal.fields(&event.event_type)).map_err(corrupt)?;
    Ok(RecordedEvent { payload: payload(text)?, ..event })
}

impl Opener {
    /// All of these keys.
    async fn find(&self, ids: &KeyIds) -> Result<FoundKeys, SubjectKeyError> {
        let (mut keys, mut lost) = (SealKeys::default(), None);
        for id in ids.iter() {
            match self.keys.open(id).await? {
                FoundKey::Key(key) if ids.subject == Some(id) => keys.subject = Some(key),
                FoundKey::Key(key) => keys.days.push(key),
                // Then it does not matter what became of the others.
                FoundKey::Erased => return Ok(FoundKeys::Erased),
                FoundKey::Lost => lost = Some(id),
            }
        }
        Ok(lost.map_or(FoundKeys::Keys(keys), FoundKeys::Lost))
    }

    /// The event with its fields opened, or with what stands for them where their subject is erased.
    pub(crate) async fn open(&self, event: Arc<RecordedEvent>) -> Result<Arc<RecordedEvent>, LogError> {
        if !is_sealed(&event.payload) {
            return Ok(event);
        }
        // What others write may look like anything.
        let Some(personal) = Personal::of(&event.stream.category) else { return Ok(event) };
        let position = event.position;
        let corrupt = |detail: String| LogError::Corrupt { position, detail };
        let (header, left) = seal::split(event.payload.get()).map_err(corrupt)?;
        let text = match self.find(&header.keys).await.map_err(LogError::storage)? {
            FoundKeys::Keys(keys) => {
                let place = Place { stream: &event.stream, id: event.id, event_type: &event.event_type };
                seal::open(&keys, place, &header, left)
            }
            FoundKeys::Erased => seal::erased(left, personal.fields(&event.event_type)),
            FoundKeys::Lost(key) => return Err(lost(key, position)),
        };
        let payload = payload(text.map_err(corrupt)?)?;
        Ok(Arc::new(RecordedEvent { payload, ..RecordedEvent::clone(&event) }))
    }

    async fn open_all(&self, mut events: Vec<Arc<RecordedEvent>>) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        for event in &mut events {
            if is_sealed(&event.payload) {
                *event = self.open(Arc::clone(event)).await?;
            }
        }
        Ok(events)
    }
}

#[async_trait]
impl EventLog for SealingLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let Some(personal) = Personal::of(&append.stream.category) else {
            let changes_retention = *append.stream.category == *RetentionEvent::CATEGORY;
            let appended = self.inner.append(append).await;
            if changes_retention {
                self.retained.changed();
            }
            return appended;
        };
        let has_fields = |event: &NewEvent| !personal.fields(&event.event_type).is_empty();
        if !append.events.iter().any(has_fields) {
            return self.inner.append(append).await;
        }
        let keys = self.keys_for(&append, personal).await?;
        let ids = match &keys {
            FoundKeys::Keys(keys) => Some(keys.ids()),
            FoundKeys::Erased | FoundKeys::Lost(_) => None,
        };
        let begins = personal.of_stream && append.expected == Expected::NoStream;
        let stream = append.stream.clone();
        let (append, originals) = match &keys {
            FoundKeys::Keys(keys) if keys.is_empty() => (append, Vec::new()),
            keys => sealed_append(append, keys, personal)?,
        };
        let appended = self.inner.append(append).await?;
        if let Some(key) = ids.as_ref().and_then(|ids| ids.iter().next()) {
            self.begun.say(&*self.inner, &*self.opener.keys, key).await?;
        }
        if let Some(ids) = ids.filter(|_| begins && !appended.repeated) {
            self.remember(&stream, ids);
        }
        self.opened(appended, originals).await
    }

    async fn read_stream(
        &self,
        stream: &StreamKey,
        after: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.opener.open_all(self.inner.read_stream(stream, after, direction, limit).await?).await
    }

    async fn read_all(
        &self,
        scope: TenantScope,
        after: Position,
        direction: Direction,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.opener.open_all(self.inner.read_all(scope, after, direction, filter, limit).await?).await
    }

    async fn look_up(&self, scope: TenantScope, wanted: &Wanted) -> Result<Vec<Arc<RecordedEvent>>, LogError> {
        self.opener.open_all(self.inner.look_up(scope, wanted).await?).await
    }

    fn subscribe(&self, scope: TenantScope, after: Position, filter: Filter, capacity: usize) -> Subscription {
        self.inner.subscribe(scope, after, filter, capacity).opened_by(Arc::clone(&self.opener))
    }

    fn head(&self) -> Position {
        self.inner.head()
    }

    fn newest_of(&self, category: &str) -> Option<Position> {
        self.inner.newest_of(category)
    }

    async fn wait_for(&self, position: Position) -> Result<(), LogError> {
        self.inner.wait_for(position).await
    }

    async fn position_at(&self, time_us: i64) -> Result<Position, LogError> {
        self.inner.position_at(time_us).await
    }
}

/// The append with its fields sealed, and each payload as it came in.
fn sealed_append(append: Append, keys: &FoundKeys, personal: Personal) -> Result<(Append, Vec<Payload>), AppendError> {
    let mut originals = Vec::with_capacity(append.events.len());
    let mut events = Vec::with_capacity(append.events.len());
    for event in append.events {
        let stored = sealed(keys, &append.stream, &event, personal.fields(&event.event_type))?;
        let kept = match (&stored, keys) {
            // What was never kept is not told either.
            (Some(stored), FoundKeys::Erased | FoundKeys::Lost(_)) => Arc::clone(stored),
            _ => Arc::clone(&event.payload),
        };
        originals.push(kept);
        events.push(NewEvent { payload: stored.unwrap_or_else(|| Arc::clone(&event.payload)), ..event });
    }
    Ok((Append { events, ..append }, originals))
}

impl SealingLog {
    /// The answer with payloads as they came in.
    async fn opened(&self, mut appended: Appended, originals: Vec<Payload>) -> Result<Appended, AppendError> {
        if !appended.repeated && originals.len() == appended.events.len() {
            for (event, payload) in appended.events.iter_mut().zip(originals) {
                if is_sealed(&event.payload) {
                    *event = Arc::new(RecordedEvent { payload, ..RecordedEvent::clone(event) });
                }
            }
            return Ok(appended);
        }
        // The first answer again, which may have been sealed otherwise.
        appended.events = self.opener.open_all(appended.events).await?;
        Ok(appended)
    }
}
