//! Numbers that tell as little as possible of those that they were made from. Nothing here is fit for secrets.

/// The next number after `number` in the sequence of SplitMix64.
pub fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The place of a number among a hundred, from 0; for another text it is another one. Whatever is below a percentage stays
/// below a greater one. Frozen: another way would switch what was split by it before.
pub fn place_of_hundred(number: u64, text: &[u8]) -> u8 {
    let mixed = text.iter().fold(mixed(number), |mixed, byte| self::mixed(mixed ^ u64::from(*byte)));
    u8::try_from(mixed % 100).unwrap_or_default()
}

/// By how much the state of SplitMix64 grows from one number to the next.
pub const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
