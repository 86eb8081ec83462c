//! Whether launches that are played back give what launches one by one give: numbers to try them with, and how two answers
//! are compared. Pure: it knows bytes, not the runtime. A recording that fails here is never used.

use bytes::Bytes;
use timeloom_domain::inference::ElementType;

/// How far two numbers may be apart: sums whose order is the GPU's own differ in their last bits.
const NEAR: f64 = 1e-2;
/// What is in an output before it is computed, so that one which was not written is seen.
const MARK: u8 = 0xa5;

/// The numbers below with 16 bits. There are five, so that rows differ where their length is no multiple of it.
const F16: [u16; 5] = [0x3800, 0xb400, 0x3c00, 0x3000, 0xbc00];
const BF16: [u16; 5] = [0x3f00, 0xbe80, 0x3f80, 0x3e00, 0xbf80];
const NUMBERS: [f32; 5] = [0.5, -0.25, 1.0, 0.125, -1.0];

/// Numbers for an input of so many bytes, other than the zeros that recordings are made with. Whole numbers and truth
/// values stay zero: they may be places in a table, and whatever is not in it would be an error of ours.
pub(super) fn sample(element: ElementType, bytes: usize) -> Bytes {
    let pattern: Vec<u8> = match element {
        ElementType::F16 => F16.iter().flat_map(|number| number.to_le_bytes()).collect(),
        ElementType::Bf16 => BF16.iter().flat_map(|number| number.to_le_bytes()).collect(),
        ElementType::F32 => NUMBERS.iter().flat_map(|number| number.to_le_bytes()).collect(),
        ElementType::F64 => NUMBERS.iter().flat_map(|number| f64::from(*number).to_le_bytes()).collect(),
        _ => vec![0],
    };
    pattern.into_iter().cycle().take(bytes).collect()
}

/// What an output of so many bytes holds before it is computed.
pub(super) fn marks(bytes: usize) -> Bytes {
    vec![MARK; bytes].into()
}

/// Whether two answers are the same, but for the last bits of floating numbers.
pub(super) fn same(element: ElementType, left: &[u8], right: &[u8]) -> bool {
    if left == right {
        return true;
    }
    if left.len() != right.len() {
        return false;
    }
    let near = |(left, right): (f64, f64)| {
        left == right || (left.is_nan() && right.is_nan()) || (left - right).abs() <= NEAR * right.abs().max(1.0)
    };
    match element {
        ElementType::F16 => pairs(left, right, |bytes| f16(u16::from_le_bytes(bytes))).all(near),
        ElementType::Bf16 => pairs(left, right, |bytes: [u8; 2]| bf16(u16::from_le_bytes(bytes))).all(near),
        ElementType::F32 => pairs(left, right, |bytes| f64::from(f32::from_le_bytes(bytes))).all(near),
        ElementType::F64 => pairs(left, right, f64::from_le_bytes).all(near),
        _ => false,
    }
}

fn pairs<'a, const N: usize>(
    left: &'a [u8],
    right: &'a [u8],
    number: impl Fn([u8; N]) -> f64 + 'a,
) -> impl Iterator<Item = (f64, f64)> + 'a {
    let both = left.as_chunks().0.iter().zip(right.as_chunks().0);
    both.map(move |(left, right)| (number(*left), number(*right)))
}

fn bf16(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

fn f16(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_as_long_as_their_input_and_the_same_numbers_in_every_type() {
        let halves = sample(ElementType::F16, 24);
        let values: Vec<f64> = halves.as_chunks().0.iter().map(|bytes| f16(u16::from_le_bytes(*bytes))).collect();
        assert_eq!(values, [0.5, -0.25, 1.0, 0.125, -1.0, 0.5, -0.25, 1.0, 0.125, -1.0, 0.5, -0.25]);
        let brains = sample(ElementType::Bf16, 24);
        let same: Vec<f64> = brains.as_chunks().0.iter().map(|bytes| bf16(u16::from_le_bytes(*bytes))).collect();
        assert_eq!(same, values);
        assert_eq!(sample(ElementType::F32, 8).as_ref(), [0.5_f32.to_le_bytes(), (-0.25_f32).to_le_bytes()].concat());
        assert_eq!(sample(ElementType::F64, 8).as_ref(), 0.5_f64.to_le_bytes());
        assert_eq!(sample(ElementType::I64, 16).as_ref(), [0; 16]);
    }

    #[test]
    fn answers_may_differ_in_their_last_bits_alone() {
        let bytes = |number: f32| number.to_le_bytes();
        assert!(same(ElementType::F32, &bytes(0.252), &bytes(0.2521)));
        assert!(!same(ElementType::F32, &bytes(0.252), &bytes(0.0)));
        assert!(same(ElementType::F32, &bytes(f32::NAN), &bytes(-f32::NAN)));
        assert!(!same(ElementType::F32, &bytes(f32::NAN), &bytes(1.0)));
        assert!(same(ElementType::F32, &bytes(f32::INFINITY), &bytes(f32::INFINITY)));
        assert!(same(ElementType::F16, &0x3c00_u16.to_le_bytes(), &0x3c01_u16.to_le_bytes()));
        assert!(!same(ElementType::F16, &0x3c00_u16.to_le_bytes(), &0x3800_u16.to_le_bytes()));
        assert!(!same(ElementType::I64, &1_i64.to_le_bytes(), &2_i64.to_le_bytes()));
        assert!(!same(ElementType::F32, &[0; 4], &[0; 8]));
    }
}
