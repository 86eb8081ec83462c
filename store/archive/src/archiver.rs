//! Moves the beginning of a log into segments. Safe to be ended at any moment: the next run goes on where this one stopped.
//! The way back is in [`restorer`](crate::restorer).
//!
//! Invariant, and the order of everything here: a segment is written and durable; it is read back and every row compared
//! with the log; the event that tells of it is durable; it is registered; only then its rows are dropped.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use timeloom_domain::archive::{Archive, ArchiveCommand, ArchiveEvent, ArchivedRange, STREAM_ID};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::archive::{Archivable, Archived, Segment, Turn};
use timeloom_store::codec::{decode, encode};
use timeloom_store::stored::EXPORT_EVENTS_MAX;
use timeloom_store::{
    Append, AppendError, AskedDurability, Direction, EventLog, Expected, LogError, Metadata, NewEvent, Position,
    READ_EVENTS_MAX, Revision, StoredEvent, StreamKey,
};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::error::ArchiveError;
use crate::places::Places;
use crate::reader::read_segment;
use crate::writer::{SealedSegment, SegmentWriter};

/// Moves ranges of one log, one run at a time.
pub struct Archiver {
    log: Arc<dyn EventLog>,
    pub(crate) rows: Arc<dyn Archivable>,
    pub(crate) places: Places,
    new_id: fn() -> Uuid,
    busy: Mutex<()>,
}

impl fmt::Debug for Archiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Archiver").field("places", &self.places).finish_non_exhaustive()
    }
}

/// What is to be moved.
#[derive(Debug, Clone)]
pub struct Job {
    /// Everything up to and with this position, as far as whole appends reach and something stays behind.
    pub up_to: Position,
    /// Where to: a folder, or `s3://bucket/prefix`.
    pub place: String,
    /// At most so many segments.
    pub segments_max: u64,
    /// Who wants it.
    pub actor: Actor,
}

/// What an archiver has done, and up to which position: its steps in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Rows were read.
    Read(Position),
    /// Their segment is durable in its place.
    Written(Position),
    /// It was read back, and is equal to the rows.
    Compared(Position),
    /// The event that tells of it is durable.
    Told(Position),
    /// The log reads it.
    Registered(Position),
    /// Rows were dropped.
    Dropped(Position),
    /// Rows came back: what is still dropped ends there.
    CameBack(Position),
    /// Those of a segment are all back, and are what was archived.
    Proved(Position),
    /// The event that tells of it is durable.
    ToldBack(Position),
    /// The log does not need the segment any more.
    Forgotten(Position),
}

impl Progress {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read(_) => "reading",
            Self::Written(_) | Self::Compared(_) => "comparing",
            Self::Told(_) | Self::Registered(_) | Self::Dropped(_) => "dropping",
            Self::CameBack(_) | Self::Proved(_) | Self::ToldBack(_) | Self::Forgotten(_) => "bringing back",
        }
    }

    /// How far.
    pub fn position(self) -> Position {
        match self {
            Self::Read(position)
            | Self::Written(position)
            | Self::Compared(position)
            | Self::Told(position)
            | Self::Registered(position)
            | Self::Dropped(position)
            | Self::CameBack(position)
            | Self::Proved(position)
            | Self::ToldBack(position)
            | Self::Forgotten(position) => position,
        }
    }
}

/// What a run of an archiver did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Segments that were written.
    pub segments: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their payloads as they were stored.
    pub payload_bytes: u64,
    /// Bytes of their metadata.
    pub metadata_bytes: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Whether the last of them was full, so that more may be left to move.
    pub full: bool,
    /// How far the log is archived now.
    pub archived: Archived,
}

impl Archiver {
    /// For the log `log` with these rows; segments can go to `places`, and ids are made by `new_id`.
    pub fn new(log: Arc<dyn EventLog>, rows: Arc<dyn Archivable>, places: Places, new_id: fn() -> Uuid) -> Self {
        Self { log, rows, places, new_id, busy: Mutex::new(()) }
    }

    /// Whether segments could go to a place, as far as its address says.
    ///
    /// # Errors
    /// [`ArchiveError::BadPlace`], which says what to give.
    pub fn check(&self, place: &str) -> Result<(), ArchiveError> {
        self.places.open(place).map(drop)
    }

    /// The log's rows, and which segments it has.
    pub fn rows(&self) -> &dyn Archivable {
        &*self.rows
    }

    /// Keeps other runs away, of this process and of others, while what it gives is kept.
    pub(crate) async fn alone(&self) -> Result<(MutexGuard<'_, ()>, Turn), ArchiveError> {
        let busy = || {
            ArchiveError::Refused("the log is being archived by another run: try again when that has ended".to_owned())
        };
        let here = self.busy.try_lock().map_err(|_| busy())?;
        Ok((here, self.rows.turn().await?.ok_or_else(busy)?))
    }

    /// Finishes what an earlier run began: brings back what was being brought back, registers what the log tells of, and drops
    /// what is registered.
    ///
    /// # Errors
    /// [`ArchiveError`], whose message says what to do.
    pub(crate) async fn resume(
        &self,
        actor: &Actor,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Archived, ArchiveError> {
        if let Some(segment) = self.rows.restoring().await? {
            self.bring_back(&segment, actor, progress).await?;
        }
        let mut archived = self.rows.archived().await?;
        for range in &self.told().await?.ranges {
            let segment = segment_of(range)?;
            if segment.first > archived.registered {
                self.rows.register(segment.clone()).await?;
                progress(Progress::Registered(segment.last));
                archived = self.rows.archived().await?;
            }
        }
        self.drop_rows(progress).await
    }

    /// Moves what `job` says; first it finishes what an earlier run began.
    ///
    /// # Errors
    /// [`ArchiveError`], whose message says what to do; what was moved until then is moved.
    pub async fn run(&self, job: &Job, mut progress: impl FnMut(Progress) + Send) -> Result<Sealed, ArchiveError> {
        let _alone = self.alone().await?;
        let mut sealed = Sealed { archived: self.resume(&job.actor, &mut progress).await?, ..Sealed::default() };
        let named = self.places.named(&job.place)?;
        let identity = self.rows.identity().await?;
        // The newest event stays: the log goes on from it.
        let up_to = job.up_to.min(Position(identity.head.0.saturating_sub(1)));
        while sealed.archived.registered < up_to && sealed.segments < job.segments_max {
            let after = sealed.archived.registered;
            let Some(writer) = self.fill(identity.log_id, after, up_to, &mut progress).await? else { break };
            sealed.full = writer.is_full();
            let segment = self.seal(writer, &named).await?;
            progress(Progress::Written(segment.index.last));
            self.compare(&segment, &named).await?;
            progress(Progress::Compared(segment.index.last));
            let range = range_of(&segment, &named);
            let registered = segment_of(&range)?;
            self.tell(ArchiveCommand::Note(range), &job.actor).await?;
            progress(Progress::Told(registered.last));
            self.rows.register(registered.clone()).await?;
            progress(Progress::Registered(registered.last));
            sealed.segments += 1;
            sealed.events += segment.index.events();
            sealed.payload_bytes += segment.index.payload_bytes;
            sealed.metadata_bytes += segment.index.metadata_bytes;
            sealed.bytes += registered.bytes;
            sealed.archived = self.drop_rows(&mut progress).await?;
        }
        Ok(sealed)
    }

    /// Fills a segment with the whole appends after `after` that end at `up_to` or before; `None` when there are none.
    async fn fill(
        &self,
        log_id: Uuid,
        after: Position,
        up_to: Position,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Option<SegmentWriter>, ArchiveError> {
        let mut writer = SegmentWriter::new(log_id, Position(after.0 + 1));
        let (mut at, mut append) = (after, Vec::new());
        'pages: while at < up_to {
            let page = self.rows.export(at, EXPORT_EVENTS_MAX).await?;
            at = page.last().map_or(up_to, |last| last.position);
            for event in page {
                if event.position > up_to {
                    break 'pages;
                }
                let ends = event.append.is_some();
                append.push(event);
                if ends {
                    append.drain(..).try_for_each(|event: StoredEvent| writer.add(&event))?;
                    if writer.is_full() {
                        break 'pages;
                    }
                }
            }
            progress(Progress::Read(at));
        }
        Ok((writer.events() > 0).then_some(writer))
    }

    /// Compresses it and keeps it in its place, where it is durable then.
    async fn seal(&self, writer: SegmentWriter, place: &str) -> Result<SealedSegment, ArchiveError> {
        let sealed = tokio::task::spawn_blocking(move || writer.seal()).await;
        let mut sealed = sealed.map_err(LogError::storage)??;
        let bytes = Bytes::from(std::mem::take(&mut sealed.bytes));
        self.places.open(place)?.put(&sealed.name, bytes.clone()).await?;
        sealed.bytes = bytes.into();
        Ok(sealed)
    }

    /// Reads the segment back from its place and compares every row of it with the log.
    async fn compare(&self, sealed: &SealedSegment, place: &str) -> Result<(), ArchiveError> {
        let damaged =
            |detail: String| ArchiveError::Damaged { name: sealed.name.clone(), place: place.to_owned(), detail };
        let back = self.places.open(place)?.get(&sealed.name, sealed.bytes.len() as u64).await?;
        if <[u8; 32]>::from(Sha256::digest(&back)) != sealed.sha256 {
            return Err(damaged("what was read back has another hash".to_owned()));
        }
        let (rows, mut blocks) = tokio::sync::mpsc::channel(2);
        let reading = tokio::task::spawn_blocking(move || {
            read_segment(&back, |block| rows.blocking_send(block).map_err(|_| "nobody reads it".to_owned()))
        });
        let mut log = Pages::after(&*self.rows, Position(sealed.index.first.0 - 1));
        while let Some(block) = blocks.recv().await {
            for row in block {
                if log.next().await?.as_ref() != Some(&row) {
                    return Err(ArchiveError::Differs(row.position));
                }
            }
        }
        let index = reading.await.map_err(LogError::storage)?.map_err(damaged)?;
        if index == sealed.index && log.at == index.last {
            Ok(())
        } else {
            Err(damaged("what was read back has another range".to_owned()))
        }
    }

    /// Writes down, durably, that a range is in its segment, or is back.
    pub(crate) async fn tell(&self, command: ArchiveCommand, actor: &Actor) -> Result<(), ArchiveError> {
        let told = self.told().await?;
        let refused = |refusal: &dyn std::error::Error| ArchiveError::Refused(refusal.to_string());
        let events = told.archive.decide(&command).map_err(|refusal| refused(&refusal))?;
        let command_id = CommandId((self.new_id)());
        let metadata = Arc::new(Metadata::new(actor.clone(), command_id));
        let events = events.iter().map(|event| {
            let encoded = encode(event)?;
            Ok(NewEvent {
                id: EventId((self.new_id)()),
                event_type: encoded.event_type.into(),
                event_version: encoded.event_version,
                payload: encoded.payload,
                metadata: Arc::clone(&metadata),
            })
        });
        let events = events.collect::<Result<Vec<_>, LogError>>()?;
        let append = Append::new(stream(), Expected::Exact(told.revision), events, command_id);
        match self.log.append(append.asking(AskedDurability::Strict)).await {
            Ok(_) => Ok(()),
            Err(AppendError::Log(error)) => Err(error.into()),
            Err(error) => Err(ArchiveError::Refused(format!("{error}: is another archiver at work? run it again"))),
        }
    }

    /// What the log tells of its archive.
    pub(crate) async fn told(&self) -> Result<Told, ArchiveError> {
        let mut told = Told::default();
        loop {
            let page = self.log.read_stream(&stream(), told.revision, Direction::Forward, READ_EVENTS_MAX).await?;
            let Some(last) = page.last() else { return Ok(told) };
            told.revision = last.revision;
            for event in &page {
                let event = decode(event)?;
                told.archive.apply(&event);
                match event {
                    ArchiveEvent::RangeArchived(range) => told.ranges.push(range),
                    ArchiveEvent::RangeRestored(back) => told.ranges.retain(|range| range.first < back.first),
                }
            }
        }
    }

    async fn drop_rows(&self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Archived, ArchiveError> {
        let mut archived = self.rows.archived().await?;
        while archived.dropped < archived.registered {
            let before = archived.dropped;
            archived = self.rows.drop_some().await?;
            progress(Progress::Dropped(archived.dropped));
            if archived.dropped == before {
                let detail = "rows of the archive cannot be dropped: an append goes beyond its segment".to_owned();
                return Err(LogError::Corrupt { position: before, detail }.into());
            }
        }
        Ok(archived)
    }
}

/// What the log tells of its archive.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Of the last event that does.
    revision: Revision,
    archive: Archive,
    /// The ranges that are archived, in order.
    pub(crate) ranges: Vec<ArchivedRange>,
}

/// Rows of the log one after the other.
pub(crate) struct Pages<'rows> {
    rows: &'rows dyn Archivable,
    at: Position,
    page: std::vec::IntoIter<StoredEvent>,
}

impl<'rows> Pages<'rows> {
    /// From the row behind `at` on.
    pub(crate) fn after(rows: &'rows dyn Archivable, at: Position) -> Self {
        Self { rows, at, page: Vec::new().into_iter() }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<StoredEvent>, LogError> {
        if self.page.as_slice().is_empty() {
            self.page = self.rows.export(self.at, EXPORT_EVENTS_MAX).await?.into_iter();
        }
        let next = self.page.next();
        self.at = next.as_ref().map_or(self.at, |event| event.position);
        Ok(next)
    }
}

fn stream() -> StreamKey {
    StreamKey::new(TenantId::default(), ArchiveEvent::CATEGORY, STREAM_ID)
}

fn range_of(sealed: &SealedSegment, place: &str) -> ArchivedRange {
    let subtrees = sealed.index.subtrees.iter();
    ArchivedRange {
        first: sealed.index.first.0,
        last: sealed.index.last.0,
        place: place.to_owned(),
        segment: sealed.name.clone(),
        bytes: sealed.bytes.len() as u64,
        sha256: hexadecimal(&sealed.sha256),
        index_sha256: hexadecimal(&sealed.index_sha256),
        last_us: sealed.index.last_us,
        payload_bytes: sealed.index.payload_bytes,
        subtrees: subtrees.map(|subtree| format!("{}:{}", subtree.level, hexadecimal(&subtree.hash))).collect(),
    }
}

/// The segment of which an event tells.
///
/// # Errors
/// [`LogError::Corrupt`] when a hash of it is none.
pub fn segment_of(range: &ArchivedRange) -> Result<Segment, LogError> {
    let digest = |text: &str| {
        let mut digest = [0; 32];
        let digits = text.as_bytes().chunks_exact(2);
        let whole = digits.len() == digest.len() && digits.remainder().is_empty();
        for (byte, digits) in digest.iter_mut().zip(digits) {
            let digits = std::str::from_utf8(digits).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        whole.then_some(digest)
    };
    let (sha256, index_sha256) = digest(&range.sha256).zip(digest(&range.index_sha256)).ok_or_else(|| {
        let detail = format!("the hashes of the archive's segment {} are none", range.segment);
        LogError::Corrupt { position: Position(range.first), detail }
    })?;
    Ok(Segment {
        first: Position(range.first),
        last: Position(range.last),
        place: range.place.clone(),
        name: range.segment.clone(),
        bytes: range.bytes,
        sha256,
        index_sha256,
        last_us: range.last_us,
    })
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
