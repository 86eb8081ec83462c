//! The events of a stream, read and decoded a page at a time but for their data, and the next pages meanwhile.
//!
//! Reading is the log's work on its own threads, decoding is done on a blocking thread unless it is little; so several
//! pages are under way at once, on as many cores as there are. Invariant: pages come in the order of the stream.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use serde::de::DeserializeOwned;
use timeloom_domain::event::Event;
use timeloom_store::{
    Direction, EventLog, Filter, LogError, Position, READ_EVENTS_MAX, RecordedEvent, Revision, StreamKey, TenantScope,
    codec,
};

use crate::bare::LeftOut;
use crate::error::HistoryError;
use crate::kind::knows;
use crate::past::Past;

/// Events of the first page: few, as each may have a large payload.
const FIRST_PAGE_EVENTS: usize = 100;
/// Bytes of payloads that a later page is to have, by what the pages before had.
const PAGE_BYTES: usize = 512 << 10;
/// Fewest events of a page.
const PAGE_EVENTS_MIN: usize = 10;
/// Pages that are read and decoded at the same time.
const PAGES_AT_ONCE: usize = 3;
/// Bytes of payloads that are decoded where they came in: handing them to another thread would take as long.
const DECODED_HERE_BYTES: usize = 64 << 10;

/// An event without its payload.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) position: Position,
    pub(crate) revision: Revision,
    pub(crate) event_type: Arc<str>,
    pub(crate) event_version: u16,
    pub(crate) recorded_at: DateTime<Utc>,
    /// Whether this build knows its type and version.
    pub(crate) known: bool,
}

impl Place {
    /// That of an event which no build of ours knows.
    pub(crate) fn unknown(event: &RecordedEvent) -> Self {
        Self::of(event, false)
    }

    fn of(event: &RecordedEvent, known: bool) -> Self {
        Self {
            position: event.position,
            revision: event.revision,
            event_type: Arc::clone(&event.event_type),
            event_version: event.event_version,
            recorded_at: event.recorded_at,
            known,
        }
    }
}

/// An event as it was read.
pub(crate) struct Read<E> {
    pub(crate) place: Place,
    /// What it says; `None` when this build does not know it. One that cannot be read is a fault for whoever comes to it.
    pub(crate) said: Result<Option<E>, LogError>,
    /// What of it was left out, and is read when somebody asks for it.
    pub(crate) left_out: Option<Arc<LeftOut>>,
    /// Bytes of its payload.
    pub(crate) bytes: usize,
}

/// Some events of a stream, one after the other.
pub(crate) struct Page<E> {
    pub(crate) events: Vec<Read<E>>,
    /// Bytes of their payloads.
    pub(crate) bytes: usize,
}

impl<E: Event + DeserializeOwned> Page<E> {
    fn of(recorded: &[Arc<RecordedEvent>]) -> Self {
        let events: Vec<Read<E>> = recorded.iter().map(|event| Read::of(event)).collect();
        Self { bytes: events.iter().map(|event| event.bytes).sum(), events }
    }
}

impl<E: Event + DeserializeOwned> Read<E> {
    fn of(event: &Arc<RecordedEvent>) -> Self {
        let known = knows::<E>(event);
        let bare = if known { codec::decode_bare::<E>(event) } else { None };
        let left_out = bare.is_some().then(|| Arc::new(LeftOut::of(event)));
        let said = match bare {
            None if known => codec::decode::<E>(event).map(Some),
            bare => Ok(bare),
        };
        Self { place: Place::of(event, known), said, left_out, bytes: event.payload.get().len() }
    }
}

type Reading<'a, E> = Pin<Box<dyn Future<Output = Result<Page<E>, LogError>> + Send + 'a>>;

/// The pages of a stream from one of its events on.
pub(crate) struct Pages<'a, E> {
    past: Past<'a>,
    stream: &'a StreamKey,
    /// Up to which event pages were asked for.
    asked: Revision,
    /// Up to which they will be; known after the first page.
    wanted: Option<Revision>,
    last: Position,
    page_events: usize,
    under_way: FuturesOrdered<Reading<'a, E>>,
}

impl<'a, E: Event + DeserializeOwned + Send + Sync + 'static> Pages<'a, E> {
    /// Those after `after`, up to the last event at or before `last` and perhaps some more.
    pub(crate) fn new(past: Past<'a>, stream: &'a StreamKey, after: Revision, last: Position) -> Self {
        let (under_way, page_events) = (FuturesOrdered::new(), FIRST_PAGE_EVENTS);
        Self { past, stream, asked: after, wanted: None, last, page_events, under_way }
    }

    /// The next page; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Page<E>>, HistoryError> {
        if self.under_way.is_empty() && self.wanted.is_none() {
            return self.first().await.map(Some);
        }
        self.ask_for_more();
        match self.under_way.next().await {
            Some(page) => Ok(Some(page?)),
            None => Ok(None),
        }
    }

    /// Most streams have one page.
    async fn first(&mut self) -> Result<Page<E>, HistoryError> {
        let page = read::<E>(self.past.log, self.stream, self.asked, FIRST_PAGE_EVENTS).await?;
        let reached = page.events.last().is_some_and(|event| event.place.position >= self.last);
        self.asked = Revision(self.asked.0 + page.events.len() as u64);
        self.wanted = Some(if page.events.len() < FIRST_PAGE_EVENTS || reached {
            self.asked
        } else {
            self.page_events =
                (PAGE_BYTES * page.events.len() / page.bytes.max(1)).clamp(PAGE_EVENTS_MIN, READ_EVENTS_MAX);
            newest(self.past, self.stream, self.last).await?.max(self.asked)
        });
        self.ask_for_more();
        Ok(page)
    }

    fn ask_for_more(&mut self) {
        let Some(wanted) = self.wanted else { return };
        while self.asked < wanted && self.under_way.len() < PAGES_AT_ONCE {
            let events = self.page_events.min(usize::try_from(wanted.0 - self.asked.0).unwrap_or(usize::MAX));
            self.under_way.push_back(Box::pin(read(self.past.log, self.stream, self.asked, events)));
            self.asked = Revision(self.asked.0 + events as u64);
        }
    }
}

/// The last event of the stream at or before a position.
async fn newest(past: Past<'_>, stream: &StreamKey, last: Position) -> Result<Revision, LogError> {
    let filter = Filter { stream: Some(stream.clone()), ..Filter::default() };
    let scope = TenantScope::One(stream.tenant);
    let newest = past.log.read_all(scope, last, Direction::Backward, &filter, 1).await?;
    Ok(newest.first().map_or(Revision(0), |event| event.revision))
}

async fn read<E: Event + DeserializeOwned + Send + Sync + 'static>(
    log: &dyn EventLog,
    stream: &StreamKey,
    after: Revision,
    limit: usize,
) -> Result<Page<E>, LogError> {
    let recorded = log.read_stream(stream, after, Direction::Forward, limit).await?;
    let bytes: usize = recorded.iter().map(|event| event.payload.get().len()).sum();
    if bytes <= DECODED_HERE_BYTES {
        return Ok(Page::of(&recorded));
    }
    tokio::task::spawn_blocking(move || Page::of(&recorded)).await.map_err(LogError::storage)
}

/// Pages that were taken, and where in them a fold stands.
pub(crate) struct Shelf<E> {
    pages: VecDeque<Arc<Page<E>>>,
    /// The page in which the next event is, and its place there.
    page: usize,
    place: usize,
    bytes: usize,
    /// Whether the stream's first event is on it, and all up to the last.
    whole: bool,
}

impl<E> Shelf<E> {
    /// These pages, which begin with the first event of a stream.
    pub(crate) fn new(pages: Vec<Arc<Page<E>>>) -> Self {
        let bytes = pages.iter().map(|page| page.bytes).sum();
        Self { pages: pages.into(), page: 0, place: 0, bytes, whole: true }
    }

    /// The next event, which stays next until [`Self::pass`].
    pub(crate) fn next(&mut self) -> Option<&Read<E>> {
        while self.pages.get(self.page).is_some_and(|page| self.place >= page.events.len()) {
            (self.page, self.place) = (self.page + 1, 0);
        }
        self.pages.get(self.page)?.events.get(self.place)
    }

    pub(crate) fn pass(&mut self) {
        self.place += 1;
    }

    /// The last event that is on it.
    pub(crate) fn newest(&self) -> Option<&Place> {
        self.pages.iter().rev().find_map(|page| page.events.last()).map(|event| &event.place)
    }

    /// Takes the next page. Once there are more than `bytes_max` bytes, those before are let go.
    pub(crate) fn take(&mut self, page: Page<E>, bytes_max: usize) {
        self.bytes += page.bytes;
        self.pages.push_back(Arc::new(page));
        if self.bytes > bytes_max {
            self.whole = false;
            while self.page > 0 {
                if let Some(passed) = self.pages.pop_front() {
                    self.bytes -= passed.bytes;
                }
                self.page -= 1;
            }
        }
    }

    /// All pages from the stream's first event on, when none was let go.
    pub(crate) fn whole(&mut self) -> Option<&[Arc<Page<E>>]> {
        self.whole.then(|| &*self.pages.make_contiguous())
    }
}
