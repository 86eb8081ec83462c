//! Answers that were given before, found by what was asked.
//!
//! Only equal requests find each other: the key is a SHA-256 over everything that decides the answer, written in one way.
//! Whether an answer is wanted piece by piece does not decide it. Never holds more bytes than it may.

mod canonical;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::canonical::{chat_key, embed_key};
use timeloom_domain::chat::{ChatAnswer, Choice, EmbedAnswer};

/// Bytes that an entry takes beside its answer, about.
const ENTRY_BYTES: usize = 512;

/// When a route's answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// Never.
    Never,
    /// Where the request decides the answer: at temperature 0, and vectors.
    Deterministic {
        /// For how long, in milliseconds.
        age_ms_max: i64,
    },
    /// Always, whether or not the model might answer otherwise another time.
    Always {
        /// For how long, in milliseconds.
        age_ms_max: i64,
    },
}

impl CacheUse {
    /// For how long the answer of a call is kept, if it is.
    pub fn age_ms_max(self, deterministic: bool) -> Option<i64> {
        match self {
            Self::Deterministic { age_ms_max } if deterministic => Some(age_ms_max),
            Self::Always { age_ms_max } => Some(age_ms_max),
            Self::Never | Self::Deterministic { .. } => None,
        }
    }
}

/// By which an answer is found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(pub [u8; 32]);

impl fmt::Debug for CacheKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl CacheKey {
    fn of(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }
}

/// What is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// An answer, and the bytes that it came in if they can be given to a client of OpenAI's protocol.
    Chat(Arc<ChatAnswer>, Option<Bytes>),
    /// Vectors.
    Embed(Arc<EmbedAnswer>),
}

/// An answer that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The answer.
    pub kept: Kept,
    /// The call that it was an answer to.
    pub source: String,
}

/// Keeps answers; those that nobody asked for the longest go first.
#[derive(Debug)]
pub struct Cache {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<CacheKey, Entry>,
    /// Keys by when they were used last.
    order: BTreeMap<u64, CacheKey>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    hit: Hit,
    bytes: usize,
    made_ms: i64,
    used: u64,
}

impl Cache {
    /// A cache that holds at most so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default() }
    }

    /// The answer of that key, if it is not older than `age_ms_max`.
    pub fn find(&self, key: CacheKey, age_ms_max: i64, now_ms: i64) -> Option<Hit> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let entry = state.entries.get_mut(&key)?;
        if now_ms.saturating_sub(entry.made_ms) > age_ms_max {
            state.remove(key);
            return None;
        }
        state.uses += 1;
        state.order.remove(&entry.used);
        entry.used = state.uses;
        state.order.insert(entry.used, key);
        Some(entry.hit.clone())
    }

    /// Keeps the answer of the call `source`, which takes about `bytes`.
    pub fn keep(&self, key: CacheKey, kept: Kept, bytes: usize, source: &str, now_ms: i64) {
        let bytes = bytes + ENTRY_BYTES;
        if bytes > self.bytes_max {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.remove(key);
        while state.bytes + bytes > self.bytes_max {
            let Some((_, oldest)) = state.order.first_key_value().map(|(used, key)| (*used, *key)) else { break };
            state.remove(oldest);
        }
        state.uses += 1;
        let used = state.uses;
        state.order.insert(used, key);
        state.bytes += bytes;
        state.entries.insert(key, Entry { hit: Hit { kept, source: source.to_owned() }, bytes, made_ms: now_ms, used });
    }

    /// Lets go of every answer.
    pub fn clear(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// Bytes that are held, about.
    pub fn bytes(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

impl State {
    fn remove(&mut self, key: CacheKey) {
        if let Some(entry) = self.entries.remove(&key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

/// Bytes that an answer takes, about.
pub(crate) fn size_of(answer: &ChatAnswer) -> usize {
    let of_choice = |choice: &Choice| choice.parts.iter().map(|part| part.bytes() + ENTRY_BYTES / 4).sum::<usize>();
    let extra = if answer.extra.is_empty() { 0 } else { Value::from(answer.extra.clone()).to_string().len() };
    answer.choices.iter().map(of_choice).sum::<usize>() + extra
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> CacheKey {
        CacheKey([number; 32])
    }

    fn vectors(number: f32) -> Kept {
        Kept::Embed(Arc::new(EmbedAnswer { vectors: vec![vec![number]], ..EmbedAnswer::default() }))
    }

    #[test]
    fn answers_are_found_until_they_are_too_old() {
        let cache = Cache::new(1 << 20);
        cache.keep(key(1), vectors(1.0), 10, "call-1", 1_000);
        let hit = cache.find(key(1), 500, 1_500).unwrap();
        assert_eq!((hit.kept, hit.source.as_str()), (vectors(1.0), "call-1"));
        assert_eq!(cache.find(key(2), 500, 1_500), None);
        assert_eq!(cache.find(key(1), 500, 1_501), None);
        assert_eq!(cache.bytes(), 0, "what is too old is gone");
    }

    #[test]
    fn once_cleared_it_has_no_answer_and_keeps_new_ones() {
        let cache = Cache::new(10_000);
        cache.keep(key(1), vectors(1.0), 100, "one", 0);
        cache.clear();
        assert!(cache.find(key(1), 1_000, 0).is_none() && cache.bytes() == 0);
        cache.keep(key(1), vectors(1.0), 100, "two", 0);
        assert!(cache.find(key(1), 1_000, 0).is_some());
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_gives_up_what_was_not_used() {
        let cache = Cache::new(3 * (100 + ENTRY_BYTES));
        for number in 1..=3 {
            cache.keep(key(number), vectors(1.0), 100, "call", 0);
        }
        assert!(cache.find(key(1), 10, 0).is_some());
        cache.keep(key(4), vectors(4.0), 100, "call", 0);
        let there = [1, 2, 3, 4].map(|number| cache.find(key(number), 10, 0).is_some());
        assert_eq!(there, [true, false, true, true]);
        assert!(cache.bytes() <= 3 * (100 + ENTRY_BYTES));
        cache.keep(key(5), vectors(5.0), 1 << 20, "call", 0);
        assert!(cache.find(key(5), 10, 0).is_none(), "what is larger than all of it is not kept");
        cache.keep(key(4), vectors(6.0), 100, "call", 0);
        assert_eq!(cache.find(key(4), 10, 0).unwrap().kept, vectors(6.0));
        assert!(cache.bytes() <= 3 * (100 + ENTRY_BYTES));
    }
}
