//! Reading a file, with limits.

use std::collections::BTreeMap;

use super::value::Value;
use super::weight::{Kind, Weight};

/// Versions that are read.
const VERSIONS: [u32; 2] = [2, 3];
/// Most things that a file says of itself.
const VALUES_MAX: u64 = 4_096;
/// Most weights.
const WEIGHTS_MAX: u64 = 10_000;
/// Longest text, in bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// Longest list: as many words as a tokenizer may have.
const LIST_MAX: u64 = 1 << 20;
/// Where weights begin unless the file says otherwise: at multiples of so many bytes.
const ALIGNMENT: u64 = 32;
/// Most bytes of it that are taken.
const ALIGNMENT_MAX: u64 = 1 << 16;

/// A file that was read.
#[derive(Debug)]
pub struct Gguf<'a> {
    values: BTreeMap<&'a str, Value<'a>>,
    weights: BTreeMap<&'a str, Weight<'a>>,
}

/// Why a file is none, or none that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGguf {
    /// It is no file of the format.
    #[error("the file is no GGUF: {0}")]
    NotGguf(&'static str),
    /// Something of it is too much.
    #[error("the file has more than {most} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much is allowed.
        most: u64,
    },
    /// Something is missing or of another type.
    #[error("the file does not say '{0}', or not as it is understood here")]
    Missing(String),
    /// A weight is written in a way that is not read.
    #[error("the weight '{name}' is written in the way {kind}: F32, F16, Q4_1 and Q8_0 are read")]
    Kind {
        /// The weight.
        name: String,
        /// The number of the way.
        kind: u32,
    },
    /// A weight has another shape.
    #[error("the weight '{name}' does not fit: {found}")]
    Shape {
        /// The weight.
        name: String,
        /// What is wrong.
        found: String,
    },
    /// It is no model that can be computed here.
    #[error("the model cannot be taken: {0}")]
    Unsupported(String),
}

impl<'a> Gguf<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is none, or has too much of something.
    pub fn read(bytes: &'a [u8]) -> Result<Self, InvalidGguf> {
        let mut rest = Rest { bytes, at: 0 };
        if rest.take(4)? != b"GGUF" {
            return Err(InvalidGguf::NotGguf("it begins otherwise"));
        }
        if !VERSIONS.contains(&rest.u32()?) {
            return Err(InvalidGguf::NotGguf("it is of another version than 2 or 3"));
        }
        let count_weights = bound("weights", rest.u64()?, WEIGHTS_MAX)?;
        let count_values = bound("things that it says of itself", rest.u64()?, VALUES_MAX)?;
        let mut values = BTreeMap::new();
        for _ in 0..count_values {
            let name = rest.text()?;
            let kind = rest.u32()?;
            values.insert(name, rest.value(kind)?);
        }
        let mut places = Vec::new();
        for _ in 0..count_weights {
            places.push(rest.place()?);
        }
        let alignment = match values.get("general.alignment") {
            Some(Value::Number(number)) => u64::try_from(*number).unwrap_or(0),
            _ => ALIGNMENT,
        };
        if alignment == 0 || alignment > ALIGNMENT_MAX {
            return Err(InvalidGguf::NotGguf("its weights begin at multiples of a number that cannot be"));
        }
        let start = (rest.at as u64).next_multiple_of(alignment);
        let mut weights = BTreeMap::new();
        for (name, place) in places {
            weights.insert(name, place.weight(name, bytes, start)?);
        }
        Ok(Self { values, weights })
    }

    /// What it says by that name.
    pub fn value(&self, name: &str) -> Option<&Value<'a>> {
        self.values.get(name)
    }

    /// A whole number, at most `most`.
    ///
    /// # Errors
    /// When it is not there, or too large.
    pub fn number(&self, name: &str, most: usize) -> Result<usize, InvalidGguf> {
        let number = match self.value(name) {
            Some(Value::Number(number)) => usize::try_from(*number).ok(),
            _ => None,
        };
        number.filter(|number| *number <= most).ok_or_else(|| InvalidGguf::Missing(name.to_owned()))
    }

    /// A number.
    ///
    /// # Errors
    /// When it is not there, or not finite.
    pub fn fraction(&self, name: &str) -> Result<f64, InvalidGguf> {
        match self.value(name) {
            Some(Value::Fraction(number)) if number.is_finite() => Ok(*number),
            _ => Err(InvalidGguf::Missing(name.to_owned())),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// When it is not there.
    pub fn text(&self, name: &str) -> Result<&'a str, InvalidGguf> {
        match self.value(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(InvalidGguf::Missing(name.to_owned())),
        }
    }

    /// Texts.
    ///
    /// # Errors
    /// When they are not there.
    pub fn texts(&self, name: &str) -> Result<&[&'a str], InvalidGguf> {
        match self.value(name) {
            Some(Value::Texts(texts)) => Ok(texts),
            _ => Err(InvalidGguf::Missing(name.to_owned())),
        }
    }

    /// The weight of that name.
    ///
    /// # Errors
    /// When it is not there.
    pub fn weight(&self, name: &str) -> Result<Weight<'a>, InvalidGguf> {
        self.weights.get(name).copied().ok_or_else(|| InvalidGguf::Missing(name.to_owned()))
    }

    /// Names of all weights.
    pub fn weight_names(&self) -> impl Iterator<Item = &'a str> {
        self.weights.keys().copied()
    }
}

/// Where a weight is, as the file claims.
struct Place {
    kind: u32,
    dimensions: Vec<u64>,
    offset: u64,
}

impl Place {
    fn weight<'a>(&self, name: &str, bytes: &'a [u8], start: u64) -> Result<Weight<'a>, InvalidGguf> {
        let kind = Kind::of(self.kind).ok_or_else(|| InvalidGguf::Kind { name: name.to_owned(), kind: self.kind })?;
        let wrong = |found: &str| InvalidGguf::Shape { name: name.to_owned(), found: found.to_owned() };
        let (columns, rows) = match self.dimensions.as_slice() {
            [columns] => (*columns, 1),
            [columns, rows] => (*columns, *rows),
            _ => return Err(wrong("it has neither one dimension nor two")),
        };
        let size = |length: u64| usize::try_from(length).map_err(|_| wrong("it is too large"));
        let (columns, rows) = (size(columns)?, size(rows)?);
        let length = columns.checked_mul(rows).and_then(|numbers| kind.bytes(numbers));
        let length = length.ok_or_else(|| wrong("it is too large, or of no whole blocks"))?;
        if kind.bytes(columns).is_none() || columns == 0 || rows == 0 {
            return Err(wrong("its rows are empty, or of no whole blocks"));
        }
        let from = start.checked_add(self.offset).and_then(|from| usize::try_from(from).ok());
        let bytes = from.and_then(|from| bytes.get(from..from.checked_add(length)?));
        let bytes = bytes.ok_or_else(|| wrong("it lies outside the file"))?;
        Ok(Weight { kind, columns, rows, bytes })
    }
}

/// What is left of a file.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], InvalidGguf> {
        let taken = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        self.at += taken.map_or(0, <[u8]>::len);
        taken.ok_or(InvalidGguf::NotGguf("it ends too early"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidGguf> {
        self.take(N)?.try_into().map_err(|_| InvalidGguf::NotGguf("it ends too early"))
    }

    fn u32(&mut self) -> Result<u32, InvalidGguf> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, InvalidGguf> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<&'a str, InvalidGguf> {
        let length = bound("bytes in a text", self.u64()?, TEXT_BYTES_MAX)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        str::from_utf8(self.take(length)?).map_err(|_| InvalidGguf::NotGguf("a text in it is not UTF-8"))
    }

    fn value(&mut self, kind: u32) -> Result<Value<'a>, InvalidGguf> {
        Ok(match kind {
            6 => Value::Fraction(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Truth(self.take(1)? != [0]),
            8 => Value::Text(self.text()?),
            9 => self.list()?,
            12 => Value::Fraction(f64::from_le_bytes(self.array()?)),
            _ => Value::Number(self.number(kind)?),
        })
    }

    fn number(&mut self, kind: u32) -> Result<i64, InvalidGguf> {
        Ok(match kind {
            0 => u8::from_le_bytes(self.array()?).into(),
            1 => i8::from_le_bytes(self.array()?).into(),
            2 => u16::from_le_bytes(self.array()?).into(),
            3 => i16::from_le_bytes(self.array()?).into(),
            4 => self.u32()?.into(),
            5 => i32::from_le_bytes(self.array()?).into(),
            10 => i64::try_from(self.u64()?).map_err(|_| InvalidGguf::NotGguf("a number in it is too large"))?,
            11 => i64::from_le_bytes(self.array()?),
            _ => return Err(InvalidGguf::NotGguf("a value in it is of a type that there is not")),
        })
    }

    fn list(&mut self) -> Result<Value<'a>, InvalidGguf> {
        let kind = self.u32()?;
        let length = bound("values in a list", self.u64()?, LIST_MAX)?;
        match kind {
            8 => {
                let texts = (0..length).map(|_| self.text()).collect::<Result<Vec<_>, _>>();
                texts.map(Value::Texts)
            }
            0..=5 | 10 | 11 => {
                let numbers = (0..length).map(|_| self.number(kind)).collect::<Result<Vec<_>, _>>();
                numbers.map(Value::Numbers)
            }
            6 | 7 | 12 => {
                let bytes = [4, 1, 8][usize::from(kind == 7) + 2 * usize::from(kind == 12)];
                self.take(usize::try_from(length).unwrap_or(usize::MAX).saturating_mul(bytes))?;
                Ok(Value::Other)
            }
            _ => Err(InvalidGguf::NotGguf("a list in it is of a type that there is not")),
        }
    }

    fn place(&mut self) -> Result<(&'a str, Place), InvalidGguf> {
        let name = self.text()?;
        let count = bound("dimensions of a weight", self.u32()?.into(), 4)?;
        let dimensions = (0..count).map(|_| self.u64()).collect::<Result<Vec<_>, _>>()?;
        Ok((name, Place { dimensions, kind: self.u32()?, offset: self.u64()? }))
    }
}

fn bound(what: &'static str, found: u64, most: u64) -> Result<u64, InvalidGguf> {
    if found > most { Err(InvalidGguf::TooMuch { what, most }) } else { Ok(found) }
}
