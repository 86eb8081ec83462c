//! The weights of a file, and the numbers that they stand for.

use half::f16;

use super::read::InvalidGguf;

/// Numbers of a block that share a scale.
pub const BLOCK: usize = 32;
/// Bytes of a block of [`Kind::Q4_1`]: scale, least, 32 numbers of 4 bits.
const Q4_1_BYTES: usize = 20;
/// Bytes of a block of [`Kind::Q8_0`]: scale, 32 numbers of 8 bits.
const Q8_0_BYTES: usize = 34;

/// How the numbers of a weight are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32 bits each.
    F32,
    /// 16 bits each.
    F16,
    /// In blocks: 4 bits each, with a scale and a least number.
    Q4_1,
    /// In blocks: 8 bits each, with a scale.
    Q8_0,
}

impl Kind {
    pub(super) fn of(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            3 => Some(Self::Q4_1),
            8 => Some(Self::Q8_0),
            _ => None,
        }
    }

    /// Bytes of so many numbers; nothing where they are no whole blocks or too many.
    pub(super) fn bytes(self, numbers: usize) -> Option<usize> {
        let blocks = |bytes: usize| numbers.is_multiple_of(BLOCK).then(|| (numbers / BLOCK).checked_mul(bytes))?;
        match self {
            Self::F32 => numbers.checked_mul(4),
            Self::F16 => numbers.checked_mul(2),
            Self::Q4_1 => blocks(Q4_1_BYTES),
            Self::Q8_0 => blocks(Q8_0_BYTES),
        }
    }
}

/// A weight: rows of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight<'a> {
    /// How its numbers are written.
    pub kind: Kind,
    /// Numbers of a row.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
    pub(super) bytes: &'a [u8],
}

impl<'a> Weight<'a> {
    /// Its numbers, row by row.
    pub fn numbers(&self) -> Vec<f32> {
        match self.kind {
            Kind::F32 => {
                self.bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap_or_default())).collect()
            }
            Kind::F16 => self.bytes.chunks_exact(2).map(half).collect(),
            Kind::Q8_0 => self.bytes.chunks_exact(Q8_0_BYTES).flat_map(eights).collect(),
            Kind::Q4_1 => {
                let block =
                    |block: Fours<'a>| block.numbers().map(move |number| f32::from(number) * block.scale + block.least);
                self.fours().flat_map(block).collect()
            }
        }
    }

    /// Its blocks of 4 bits, row by row; none where it is written otherwise.
    pub fn fours(&self) -> impl Iterator<Item = Fours<'a>> {
        let bytes = if self.kind == Kind::Q4_1 { self.bytes } else { &[] };
        bytes.chunks_exact(Q4_1_BYTES).filter_map(|block| {
            let (head, packed) = block.split_at_checked(4)?;
            let (scale, least) = head.split_at_checked(2)?;
            Some(Fours { scale: half(scale), least: half(least), packed: packed.try_into().ok()? })
        })
    }

    /// Checks that it has that shape.
    ///
    /// # Errors
    /// When it has another one.
    pub fn shaped(self, name: &str, rows: usize, columns: usize) -> Result<Self, InvalidGguf> {
        if (self.rows, self.columns) == (rows, columns) {
            return Ok(self);
        }
        let found = format!("{} rows of {}, not {rows} of {columns}", self.rows, self.columns);
        Err(InvalidGguf::Shape { name: name.to_owned(), found })
    }
}

/// 32 numbers of 4 bits: each stands for itself times the scale plus the least.
#[derive(Debug, Clone, Copy)]
pub struct Fours<'a> {
    /// The scale.
    pub scale: f32,
    /// What is added.
    pub least: f32,
    packed: &'a [u8; 16],
}

impl<'a> Fours<'a> {
    /// The numbers, 0 to 15 each: the lower halves of all bytes, then the upper ones.
    pub fn numbers(&self) -> impl Iterator<Item = u8> + use<'a> {
        let packed = self.packed;
        packed.iter().map(|byte| byte & 15).chain(packed.iter().map(|byte| byte >> 4))
    }
}

fn half(two: &[u8]) -> f32 {
    f16::from_le_bytes(two.try_into().unwrap_or_default()).to_f32()
}

fn eights(block: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let (scale, numbers) = block.split_at(2);
    let scale = half(scale);
    numbers.iter().map(move |number| f32::from(number.cast_signed()) * scale)
}
