//! Elements between JSON and bytes: each number goes straight from its digits into its place, without a tree of values.
//!
//! What comes in here is sound JSON already; whether it is of the type and shape is found out here. A number that its type
//! cannot hold is refused, never rounded into it; only fractions are rounded, to the nearest that the type has.

use std::borrow::Cow;

use bytes::Bytes;
use timeloom_domain::inference::DIMENSIONS_MAX;
use timeloom_domain::inference::ElementType;

use super::error::InputError;

/// Bytes of what an element is quoted with in a message.
const QUOTED_CHARS_MAX: usize = 40;
/// Elements that room is made for before they are seen.
const RESERVED_BYTES_MAX: usize = 16 << 20;

/// Reads the elements of a tensor of that shape, flat or nested.
///
/// # Errors
/// When an element is not of the type, or the arrays are not of the shape.
pub(super) fn read(json: &str, element: ElementType, shape: &[usize], elements: usize) -> Result<Bytes, InputError> {
    let read = |put: Put| scan(json, element, shape, elements, put);
    match element {
        ElementType::Bool => read(|token, out| {
            out.push(match token {
                "true" => 1,
                "false" => 0,
                _ => return None,
            });
            Some(())
        }),
        ElementType::U8 => read(|token, out| put(out, &u8::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::U16 => read(|token, out| put(out, &u16::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::U32 => read(|token, out| put(out, &u32::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::U64 => read(|token, out| put(out, &u64::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::I8 => read(|token, out| put(out, &i8::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::I16 => read(|token, out| put(out, &i16::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::I32 => read(|token, out| put(out, &i32::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::I64 => read(|token, out| put(out, &i64::try_from(whole(token)?).ok()?.to_le_bytes())),
        ElementType::F32 => read(|token, out| {
            // What JSON does not have, as `inf`, does not come here.
            let number: f32 = token.parse().ok()?;
            number.is_finite().then(|| put(out, &number.to_le_bytes()))?
        }),
        ElementType::F64 => read(|token, out| {
            let number: f64 = token.parse().ok()?;
            number.is_finite().then(|| put(out, &number.to_le_bytes()))?
        }),
        ElementType::Bytes => read(|token, out| {
            let text = unquoted(token)?;
            put(out, &u32::try_from(text.len()).ok()?.to_le_bytes())?;
            put(out, text.as_bytes())
        }),
        ElementType::F16 | ElementType::Bf16 => Err(InputError::BinaryOnly(element)),
    }
}

/// Puts an element after the others; `None` when it is not of the type.
type Put = fn(token: &str, out: &mut Vec<u8>) -> Option<()>;

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend_from_slice(bytes);
    Some(())
}

/// A whole number, written as one.
fn whole(token: &str) -> Option<i128> {
    let (negative, digits) = token.strip_prefix('-').map_or((false, token), |digits| (true, digits));
    // No type has a number of more digits; nineteen fit 64 bits without a look at each step.
    let number = match digits.len() {
        1..=19 => i128::from(
            digits
                .bytes()
                .try_fold(0_u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))?,
        ),
        20 => digits.parse().ok()?,
        _ => return None,
    };
    Some(if negative { -number } else { number })
}

fn unquoted(token: &str) -> Option<Cow<'_, str>> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(token).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

fn scan(json: &str, element: ElementType, shape: &[usize], elements: usize, put: Put) -> Result<Bytes, InputError> {
    let bytes = json.as_bytes();
    let wrong_shape = || InputError::Shape { elements };
    let size = element.bytes().unwrap_or(8);
    // A few bytes that tell of many elements get no room for them.
    let mut out = Vec::with_capacity(elements.min(bytes.len()).saturating_mul(size).min(RESERVED_BYTES_MAX));
    let (mut nest, mut at, mut count) = (Nest::default(), 0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'[' => nest.open(count, shape).ok_or_else(wrong_shape)?,
            b']' => nest.close(shape).ok_or_else(wrong_shape)?,
            b',' | b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => {
                let end = at + token_length(bytes.get(at..).unwrap_or_default());
                let token = json.get(at..end).unwrap_or_default();
                nest.element(shape).ok_or_else(wrong_shape)?;
                if count == elements {
                    return Err(wrong_shape());
                }
                put(token, &mut out).ok_or_else(|| InputError::Element {
                    at: count,
                    element,
                    found: token.chars().take(QUOTED_CHARS_MAX).collect(),
                })?;
                count += 1;
                at = end;
                continue;
            }
        }
        at += 1;
    }
    if count == elements && nest.opened { Ok(out.into()) } else { Err(wrong_shape()) }
}

/// Bytes of the scalar that `bytes` begins with. An object is a token up to its first comma, and no element.
fn token_length(bytes: &[u8]) -> usize {
    let ends = |byte: &u8| matches!(byte, b',' | b']' | b' ' | b'\n' | b'\r' | b'\t');
    if bytes.first() != Some(&b'"') {
        return bytes.iter().position(ends).unwrap_or(bytes.len());
    }
    let mut escaped = true;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// Where in nested arrays one is.
#[derive(Debug, Default)]
struct Nest {
    depth: usize,
    /// Elements and arrays so far in the arrays that are open.
    counts: [usize; DIMENSIONS_MAX + 1],
    /// Whether arrays are in arrays: then they must be as the shape says.
    nested: bool,
    opened: bool,
}

impl Nest {
    fn open(&mut self, elements: usize, shape: &[usize]) -> Option<()> {
        if self.depth > 0 {
            // Elements beside arrays are of no shape at all.
            let mixed = !self.nested && elements > 0;
            self.nested = true;
            if mixed || self.depth >= shape.len() {
                return None;
            }
        }
        self.opened = true;
        self.depth += 1;
        *self.counts.get_mut(self.depth)? = 0;
        Some(())
    }

    fn close(&mut self, shape: &[usize]) -> Option<()> {
        let count = *self.counts.get(self.depth)?;
        let outer = self.depth.checked_sub(1)?;
        // Once arrays were in arrays, each must be as long as the shape says; a single flat one is counted as a whole.
        if self.nested && shape.get(outer) != Some(&count) {
            return None;
        }
        self.depth = outer;
        *self.counts.get_mut(outer)? += 1;
        Some(())
    }

    fn element(&mut self, shape: &[usize]) -> Option<()> {
        let flat = self.depth == 1 && !self.nested;
        if !flat && self.depth != shape.len() {
            return None;
        }
        *self.counts.get_mut(self.depth)? += 1;
        Some(())
    }
}

/// Why elements cannot be told as JSON.
pub(super) type Untellable = &'static str;

/// Writes elements as one flat array.
///
/// # Errors
/// When JSON cannot hold them.
pub(super) fn write(out: &mut Vec<u8>, element: ElementType, data: &[u8]) -> Result<(), Untellable> {
    out.push(b'[');
    let first = out.len();
    match element {
        ElementType::Bool => each::<1>(out, data, |out, [byte]| {
            out.extend_from_slice(if byte == 0 { b"false" } else { b"true" });
            Ok(())
        }),
        ElementType::U8 => each(out, data, |out, bytes| whole_out(out, u8::from_le_bytes(bytes))),
        ElementType::U16 => each(out, data, |out, bytes| whole_out(out, u16::from_le_bytes(bytes))),
        ElementType::U32 => each(out, data, |out, bytes| whole_out(out, u32::from_le_bytes(bytes))),
        ElementType::U64 => each(out, data, |out, bytes| whole_out(out, u64::from_le_bytes(bytes))),
        ElementType::I8 => each(out, data, |out, bytes| whole_out(out, i8::from_le_bytes(bytes))),
        ElementType::I16 => each(out, data, |out, bytes| whole_out(out, i16::from_le_bytes(bytes))),
        ElementType::I32 => each(out, data, |out, bytes| whole_out(out, i32::from_le_bytes(bytes))),
        ElementType::I64 => each(out, data, |out, bytes| whole_out(out, i64::from_le_bytes(bytes))),
        ElementType::F32 => each(out, data, |out, bytes| fraction_out(out, f32::from_le_bytes(bytes))),
        ElementType::F64 => each(out, data, |out, bytes| fraction_out(out, f64::from_le_bytes(bytes))),
        ElementType::Bytes => texts_out(out, data),
        ElementType::F16 | ElementType::Bf16 => Err("is of a type that JSON does not have"),
    }?;
    // Each element has a comma after it; the last one's is the end.
    match out.last_mut().filter(|_| !data.is_empty()) {
        Some(last) => *last = b']',
        None => {
            out.truncate(first);
            out.push(b']');
        }
    }
    Ok(())
}

fn each<const BYTES: usize>(
    out: &mut Vec<u8>,
    data: &[u8],
    write: impl Fn(&mut Vec<u8>, [u8; BYTES]) -> Result<(), Untellable>,
) -> Result<(), Untellable> {
    let (elements, _) = data.as_chunks::<BYTES>();
    for element in elements {
        write(out, *element)?;
        out.push(b',');
    }
    Ok(())
}

/// Writes a text or a whole number as JSON, which cannot fail: a list of bytes takes everything.
pub(super) fn json(out: &mut Vec<u8>, value: impl serde::Serialize) {
    let _ = serde_json::to_writer(out, &value);
}

fn whole_out(out: &mut Vec<u8>, number: impl serde::Serialize) -> Result<(), Untellable> {
    serde_json::to_writer(out, &number).map_err(|_| "cannot be written")
}

/// The shortest digits that are read as the same number again.
fn fraction_out<F: serde::Serialize + Into<f64> + Copy>(out: &mut Vec<u8>, number: F) -> Result<(), Untellable> {
    if !Into::<f64>::into(number).is_finite() {
        return Err("holds NaN or infinity, which JSON does not have");
    }
    whole_out(out, number)
}

fn texts_out(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Untellable> {
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (text, after) = after.split_at_checked(length).ok_or("is broken")?;
        json(out, std::str::from_utf8(text).map_err(|_| "holds bytes that are no text")?);
        out.push(b',');
        rest = after;
    }
    Ok(())
}
