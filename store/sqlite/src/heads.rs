//! The newest revision of streams that were used lately, in bounded memory. Only the writer has one.

use std::collections::HashMap;

use timeloom_store::{Revision, StreamKey};

/// Streams in one generation; two generations are kept.
const GENERATION_STREAMS_MAX: usize = 20_000;

/// Where a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) stream_no: i64,
    pub(crate) revision: Revision,
}

/// Heads by stream. When the young generation is full, the old one is forgotten and the young one grows old.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    young: HashMap<StreamKey, Head>,
    old: HashMap<StreamKey, Head>,
}

impl Heads {
    /// The head of `stream`, when it is remembered.
    pub(crate) fn get(&self, stream: &StreamKey) -> Option<Head> {
        self.young.get(stream).or_else(|| self.old.get(stream)).copied()
    }

    /// Remembers the head of `stream`.
    pub(crate) fn put(&mut self, stream: &StreamKey, head: Head) {
        if let Some(known) = self.young.get_mut(stream) {
            *known = head;
            return;
        }
        if self.young.len() >= GENERATION_STREAMS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream.clone(), head);
    }

    /// Forgets the head of `stream`.
    pub(crate) fn forget(&mut self, stream: &StreamKey) {
        self.young.remove(stream);
        self.old.remove(stream);
    }

    /// Forgets everything: what was remembered may not have been committed.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use timeloom_domain::ids::TenantId;

    use super::*;

    #[test]
    fn memory_is_bounded_and_the_newest_value_wins() {
        let mut heads = Heads::default();
        let stream = |number: usize| StreamKey::new(TenantId(1), "execution", number.to_string());
        let head = |number: usize| Head { stream_no: 1, revision: Revision(number as u64) };
        for number in 0..GENERATION_STREAMS_MAX * 5 {
            heads.put(&stream(number), head(number));
            heads.put(&stream(0), head(number));
        }
        assert_eq!(heads.get(&stream(0)), Some(head(GENERATION_STREAMS_MAX * 5 - 1)));
        assert_eq!(heads.get(&stream(1)), None);
        assert!(heads.young.len() + heads.old.len() <= GENERATION_STREAMS_MAX * 2);
    }
}
