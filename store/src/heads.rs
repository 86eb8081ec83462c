//! Where streams are that were used lately, in bounded memory. Only the writer of a backend has one.

use std::collections::HashMap;

use crate::envelope::StreamKey;

/// Streams in one generation; two generations are kept.
const GENERATION_STREAMS_MAX: usize = 20_000;

/// What a backend knows of streams. When the young generation is full, the old one is forgotten and the young one grows
/// old.
#[derive(Debug)]
pub struct Heads<Head> {
    young: HashMap<StreamKey, Head>,
    old: HashMap<StreamKey, Head>,
}

impl<Head> Default for Heads<Head> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<Head: Copy> Heads<Head> {
    /// The head of `stream`, when it is remembered.
    pub fn get(&self, stream: &StreamKey) -> Option<Head> {
        self.young.get(stream).or_else(|| self.old.get(stream)).copied()
    }

    /// Remembers the head of `stream`.
    pub fn put(&mut self, stream: &StreamKey, head: Head) {
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
    pub fn forget(&mut self, stream: &StreamKey) {
        self.young.remove(stream);
        self.old.remove(stream);
    }

    /// Forgets everything: what was remembered may not have been committed.
    pub fn clear(&mut self) {
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
        for number in 0..GENERATION_STREAMS_MAX * 5 {
            heads.put(&stream(number), number);
            heads.put(&stream(0), number);
        }
        assert_eq!(heads.get(&stream(0)), Some(GENERATION_STREAMS_MAX * 5 - 1));
        assert_eq!(heads.get(&stream(1)), None);
        assert!(heads.young.len() + heads.old.len() <= GENERATION_STREAMS_MAX * 2);
    }
}
