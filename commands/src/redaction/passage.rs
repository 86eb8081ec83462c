//! Hides secrets in content that comes piece by piece and is never whole in memory.
//!
//! Invariant: what is given out has no secret in it, also none that lies across two pieces.

use std::sync::Arc;

use super::Finder;
use super::finder::ALL;

/// Content on its way.
pub struct Passage {
    finder: Arc<Finder>,
    /// What came and may be the beginning of a secret.
    held: Vec<u8>,
    /// Bytes at its beginning in whose place a mark stands already.
    marked: usize,
}

impl Passage {
    /// A way past `finder`.
    pub fn new(finder: Arc<Finder>) -> Self {
        Self { finder, held: Vec::new(), marked: 0 }
    }

    /// Takes the next piece; answers what may go on.
    pub fn pass(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        // A secret that begins behind this may end in a later piece.
        let certain = self.held.len().saturating_sub(self.finder.bytes_max());
        self.passed(certain)
    }

    /// What is left when no more comes.
    pub fn finish(mut self) -> Vec<u8> {
        self.passed(self.held.len())
    }

    /// What was held up to `certain`, or up to the end of the secret that is there.
    fn passed(&mut self, certain: usize) -> Vec<u8> {
        let Some(places) = self.finder.places(&self.held) else {
            self.held.clear();
            return ALL.as_bytes().to_vec();
        };
        let (mut passed, mut done, mut up_to) = (Vec::with_capacity(certain), self.marked, certain);
        for found in places.take_while(|found| found.range.start < certain) {
            passed.extend_from_slice(self.held.get(done..found.range.start).unwrap_or_default());
            passed.extend_from_slice(self.finder.mark(&found).as_bytes());
            (done, up_to) = (found.range.end, up_to.max(found.end));
        }
        passed.extend_from_slice(self.held.get(done..up_to).unwrap_or_default());
        self.marked = done.saturating_sub(up_to);
        self.held.drain(..up_to);
        passed
    }
}
