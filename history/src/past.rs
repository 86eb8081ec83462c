//! Where the past is read from: a log, and what is kept in memory of what was read of it before.
//!
//! Whoever steps through a long execution asks for one moment after the other, and each answer folds the same events.
//! They are read once and kept, those of a bounded number of streams and bytes; what nodes gave is decoded when it is asked
//! for, and kept as well. Never: a folded state, which would be one more thing that could be wrong. Invariant: what is kept
//! of a stream is its first events, all of them in their order; events never change, so that nothing kept is ever out of date.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timeloom_store::{EventLog, StreamKey};

use crate::pages::Page;

/// Bytes of payloads whose events are kept. In memory they are a few times larger.
pub const KEPT_BYTES_MAX: usize = 8 << 20;
/// Streams that are kept.
const KEPT_STREAMS_MAX: usize = 64;
/// Streams with fewer events are read again: that takes no longer than anything else about a question.
const KEPT_EVENTS_MIN: usize = 200;

/// What is kept of streams that were read.
pub struct Kept {
    streams: Mutex<Streams>,
    bytes_max: usize,
}

#[derive(Default)]
struct Streams {
    by_key: HashMap<StreamKey, Stream>,
    bytes: usize,
    /// How often something was asked for or put in: the order in which streams were used.
    uses: u64,
}

struct Stream {
    /// The pages, of events of whatever type: an `Arc<Vec<Arc<Page<E>>>>`.
    pages: Arc<dyn Any + Send + Sync>,
    events: usize,
    bytes: usize,
    used: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self::new(KEPT_BYTES_MAX)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams = self.streams();
        formatter
            .debug_struct("Kept")
            .field("streams", &streams.by_key.len())
            .field("bytes", &streams.bytes)
            .finish_non_exhaustive()
    }
}

impl Kept {
    /// Nothing yet; events of at most so many bytes of payloads will be kept.
    pub fn new(bytes_max: usize) -> Self {
        Self { streams: Mutex::default(), bytes_max }
    }

    /// Lets go of what is kept of these streams: their data was erased.
    pub fn forget(&self, streams: &[StreamKey]) {
        let mut kept = self.streams();
        let removed: Vec<_> = streams.iter().filter_map(|stream| kept.remove(stream)).collect();
        drop(kept);
        drop(removed);
    }

    /// Bytes of payloads whose events are kept.
    pub fn bytes(&self) -> usize {
        self.streams().bytes
    }

    /// Largest stream that is kept, in bytes.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The pages of a stream from its first event on; none when it is not kept.
    pub(crate) fn pages<E: Send + Sync + 'static>(&self, stream: &StreamKey) -> Vec<Arc<Page<E>>> {
        let mut streams = self.streams();
        streams.uses += 1;
        let uses = streams.uses;
        let Some(kept) = streams.by_key.get_mut(stream) else { return Vec::new() };
        kept.used = uses;
        let pages = Arc::clone(&kept.pages).downcast::<Vec<Arc<Page<E>>>>();
        drop(streams);
        pages.map(|pages| pages.to_vec()).unwrap_or_default()
    }

    /// Keeps the pages of a stream, which begin with its first event, unless it is short or more of it is kept already. To
    /// be called within a runtime.
    pub(crate) fn put<E: Send + Sync + 'static>(&self, stream: &StreamKey, pages: &[Arc<Page<E>>]) {
        let events: usize = pages.iter().map(|page| page.events.len()).sum();
        let bytes: usize = pages.iter().map(|page| page.bytes).sum();
        if events < KEPT_EVENTS_MIN || bytes > self.bytes_max {
            return;
        }
        let mut streams = self.streams();
        if streams.by_key.get(stream).is_some_and(|kept| kept.events >= events) {
            return;
        }
        let mut removed = vec![streams.remove(stream)];
        while streams.bytes + bytes > self.bytes_max || streams.by_key.len() >= KEPT_STREAMS_MAX {
            let oldest = streams.by_key.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            removed.push(streams.remove(&oldest));
        }
        streams.uses += 1;
        streams.bytes += bytes;
        let used = streams.uses;
        streams.by_key.insert(stream.clone(), Stream { pages: Arc::new(pages.to_vec()), events, bytes, used });
        drop(streams);
        // Letting go of a long stream takes as long as folding it.
        drop(tokio::task::spawn_blocking(move || drop(removed)));
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        // What is kept is whole after every step.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    fn remove(&mut self, stream: &StreamKey) -> Option<Stream> {
        let removed = self.by_key.remove(stream)?;
        self.bytes -= removed.bytes;
        Some(removed)
    }
}

/// Where the past is read from.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    pub(crate) log: &'a dyn EventLog,
    pub(crate) kept: Option<&'a Kept>,
}

impl<'a> Past<'a> {
    /// A log, with what is kept of it: of no other log.
    pub fn new(log: &'a dyn EventLog, kept: &'a Kept) -> Self {
        Self { log, kept: Some(kept) }
    }
}

impl fmt::Debug for Past<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Past").field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// A log of which nothing is kept.
impl<'a, L: EventLog> From<&'a L> for Past<'a> {
    fn from(log: &'a L) -> Self {
        Self { log, kept: None }
    }
}
