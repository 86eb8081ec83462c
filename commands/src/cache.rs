//! Folded states of the streams that commands used last, bounded by number and by size. A kept state is only ever a
//! starting point: what may have come after it is read from the log each time.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use timeloom_store::{Position, Revision, StreamKey};

/// A bounded cache of folded states of any aggregate: the one that was used least recently makes room.
pub(crate) struct StateCache {
    kept: Mutex<Kept>,
    states_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<StreamKey, Entry>,
    /// Streams by the number of their last use.
    by_use: BTreeMap<u64, StreamKey>,
    uses: u64,
    bytes: usize,
}

struct Entry {
    state: Arc<dyn Any + Send + Sync>,
    revision: Revision,
    /// Up to where the log was looked through for what came after.
    looked_at: Position,
    bytes: usize,
    used: u64,
}

impl Kept {
    fn remove(&mut self, stream: &StreamKey) {
        if let Some(entry) = self.entries.remove(stream) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

impl StateCache {
    /// A cache of at most so many states and bytes.
    pub(crate) fn new(states_max: usize, bytes_max: usize) -> Self {
        Self { kept: Mutex::default(), states_max, bytes_max }
    }

    /// The state as it was last seen, and up to where the log was looked through then.
    pub(crate) fn get<S: Send + Sync + 'static>(&self, stream: &StreamKey) -> Option<(Arc<S>, Position)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        let entry = kept.entries.get_mut(stream)?;
        kept.uses += 1;
        kept.by_use.remove(&entry.used);
        kept.by_use.insert(kept.uses, stream.clone());
        entry.used = kept.uses;
        Some((Arc::downcast(Arc::clone(&entry.state)).ok()?, entry.looked_at))
    }

    /// Lets go of the states of these streams.
    pub(crate) fn forget(&self, streams: &[StreamKey]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        streams.iter().for_each(|stream| kept.remove(stream));
    }

    /// Takes down that a kept state is still the newest up to a position.
    pub(crate) fn looked(&self, stream: &StreamKey, revision: Revision, at: Position) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.entries.get_mut(stream).filter(|entry| entry.revision == revision) {
            entry.looked_at = entry.looked_at.max(at);
        }
    }

    /// Keeps a state of `bytes`, unless a newer one is there. One that is larger than all others may be is not kept.
    pub(crate) fn put<S: Send + Sync + 'static>(
        &self,
        stream: &StreamKey,
        (revision, looked_at): (Revision, Position),
        state: Arc<S>,
        bytes: usize,
    ) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.entries.get(stream).is_some_and(|known| known.revision > revision) {
            return;
        }
        kept.remove(stream);
        if bytes > self.bytes_max {
            return;
        }
        kept.uses += 1;
        let used = kept.uses;
        kept.by_use.insert(used, stream.clone());
        kept.entries.insert(stream.clone(), Entry { state, revision, looked_at, bytes, used });
        kept.bytes += bytes;
        while kept.entries.len() > self.states_max || kept.bytes > self.bytes_max {
            let Some((_, oldest)) = kept.by_use.pop_first() else { break };
            kept.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use timeloom_domain::ids::TenantId;

    use super::*;

    fn stream(id: &str) -> StreamKey {
        StreamKey::new(TenantId(1), "order", id)
    }

    fn put(cache: &StateCache, id: &str, revision: u64, bytes: usize) {
        cache.put(&stream(id), (Revision(revision), Position(revision)), Arc::new(format!("{id}{revision}")), bytes);
    }

    fn get(cache: &StateCache, id: &str) -> Option<String> {
        cache.get::<String>(&stream(id)).map(|(state, _)| state.to_string())
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let cache = StateCache::new(2, 1_000);
        put(&cache, "a", 1, 1);
        put(&cache, "b", 1, 1);
        assert!(get(&cache, "a").is_some());
        put(&cache, "c", 1, 1);
        assert_eq!(["a", "b", "c"].map(|id| get(&cache, id).is_some()), [true, false, true]);
    }

    #[test]
    fn sizes_count_and_are_given_back() {
        let cache = StateCache::new(100, 10);
        put(&cache, "a", 1, 6);
        put(&cache, "b", 1, 4);
        put(&cache, "b", 2, 3);
        assert_eq!((get(&cache, "a"), get(&cache, "b")), (Some("a1".to_owned()), Some("b2".to_owned())));
        put(&cache, "c", 1, 2);
        assert_eq!(["a", "b", "c"].map(|id| get(&cache, id).is_some()), [false, true, true]);
        put(&cache, "huge", 1, 11);
        assert_eq!(["b", "c", "huge"].map(|id| get(&cache, id).is_some()), [true, true, false]);
        put(&cache, "c", 2, 11);
        assert_eq!(get(&cache, "c"), None, "what it was is not kept either");
        let kept = cache.kept.lock().unwrap();
        assert_eq!((kept.bytes, kept.entries.len(), kept.by_use.len()), (3, 1, 1));
    }

    #[test]
    fn a_newer_state_stays_and_another_type_is_not_taken_for_it() {
        let cache = StateCache::new(100, 100);
        put(&cache, "a", 5, 1);
        put(&cache, "a", 4, 1);
        assert_eq!(get(&cache, "a").as_deref(), Some("a5"));
        assert!(cache.get::<u32>(&stream("a")).is_none());
    }

    #[test]
    fn what_was_looked_through_counts_for_the_state_that_was_seen() {
        let looked_at = |cache: &StateCache| cache.get::<String>(&stream("a")).map(|(_, at)| at.0);
        let cache = StateCache::new(100, 100);
        put(&cache, "a", 5, 1);
        cache.looked(&stream("a"), Revision(5), Position(9));
        cache.looked(&stream("a"), Revision(5), Position(7));
        assert_eq!(looked_at(&cache), Some(9));
        put(&cache, "a", 6, 1);
        cache.looked(&stream("a"), Revision(5), Position(12));
        assert_eq!(looked_at(&cache), Some(6), "a newer state was not looked after");
    }
}
