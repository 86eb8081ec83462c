//! Chance for nodes, drawn from the seed of a node run: the same run draws the same again.

use timeloom_domain::chance;

/// A stream of chance (SplitMix64). The seed holds 64 bits: enough for test data and ids, too little for secrets
/// that must withstand an attacker.
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// A stream of its own for item `index`.
    pub fn new(seed: u64, index: usize) -> Self {
        let mut chance = Self { state: seed };
        let offset = chance.next() ^ (index as u64).wrapping_mul(0xd134_2543_de82_ef95);
        Self { state: offset }
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        let next = chance::mixed(self.state);
        self.state = self.state.wrapping_add(chance::STEP);
        next
    }

    /// A whole number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// One of the choices.
    pub fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len().max(1));
        choices.get(index).copied().unwrap_or_default()
    }

    /// Some bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }

    /// A text of `length` of these characters.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let characters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| self.pick(&characters)).collect()
    }

    /// A UUID of version 4.
    pub fn uuid(&mut self) -> String {
        let mut bytes = self.bytes(16);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        assert_eq!(Chance::new(1, 0).uuid(), Chance::new(1, 0).uuid());
        assert_ne!(Chance::new(1, 0).uuid(), Chance::new(1, 1).uuid());
        assert_ne!(Chance::new(1, 0).uuid(), Chance::new(2, 0).uuid());
        let uuid = Chance::new(3, 4).uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
    }

    #[test]
    fn draws_stay_below_their_bound() {
        let mut chance = Chance::new(5, 0);
        assert!((0..1_000).all(|_| chance.below(3) < 3));
        assert_eq!(chance.text("ab", 20).chars().filter(|c| "ab".contains(*c)).count(), 20);
    }
}
