//! Chance that can be had again: the same seed gives the same numbers everywhere and for ever. Never for secrets.

/// A source of numbers.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another source, whose numbers depend on this one's seed and `purpose` but not on how many were taken.
    pub fn fork(&self, purpose: u64) -> Self {
        Self(Self(self.0 ^ purpose.wrapping_mul(0xd134_2543_de82_ef95)).next())
    }

    /// The next number (splitmix64).
    #[expect(clippy::should_implement_trait, reason = "it never ends, and an iterator's adapters are of no use here")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// An index into something of length `length`.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True in `per_thousand` of a thousand cases.
    pub fn happens(&mut self, per_thousand: u16) -> bool {
        self.below(1_000) < u64::from(per_thousand)
    }
}
