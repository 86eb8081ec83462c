//! Numbers that tell as little as possible of those that they were made from. Nothing here is fit for secrets.

/// The next number after `number` in the sequence of SplitMix64.
pub fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// By how much the state of SplitMix64 grows from one number to the next.
pub const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
