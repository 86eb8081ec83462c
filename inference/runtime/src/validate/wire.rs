//! The encoding of a model's file: fields with a number, each a whole number or a run of bytes. It copies nothing.

/// The file does not follow its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A whole number.
    Number(u64),
    /// Four bytes or eight of them: a number with a fixed width.
    Fixed(&'a [u8]),
    /// A text, bytes, a message, or several numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message, in the order of the file.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    /// Fields that may be there once, a bit each.
    once: u64,
    /// Those of them that were there.
    seen: u64,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self::once(message, &[])
    }

    /// The same, where each of these fields may be there once. Whoever loads the file puts what comes twice together, so
    /// that what was checked would not be what is loaded.
    pub(crate) fn once(message: &'a [u8], fields: &[u32]) -> Self {
        let once = fields.iter().fold(0, |bits, field| bits | bit(u64::from(*field)));
        Self { rest: message, once, seen: 0 }
    }

    /// The next field's number and what it holds.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Broken> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        // Whoever loads the file reads no more than 32 bits of it.
        let key = self.number().and_then(|key| u32::try_from(key).map_err(|_| Broken)).map(u64::from)?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => Value::Fixed(self.take(8)?),
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| Broken)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed(self.take(4)?),
            _ => return Err(Broken),
        };
        let field = key >> 3;
        let is_again = bit(field) & self.once & self.seen != 0;
        self.seen |= bit(field);
        if field == 0 || is_again { Err(Broken) } else { Ok(Some((field, value))) }
    }

    fn number(&mut self) -> Result<u64, Broken> {
        let (number, rest) = number(self.rest)?;
        self.rest = rest;
        Ok(number)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Broken)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// The bit of a field; those above 63 have none.
fn bit(field: u64) -> u64 {
    u32::try_from(field).ok().and_then(|field| 1_u64.checked_shl(field)).unwrap_or(0)
}

/// The number at the start of `bytes`, and what follows it: seven bits a byte, the lowest first.
fn number(bytes: &[u8]) -> Result<(u64, &[u8]), Broken> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((number, &bytes[index + 1..]));
        }
    }
    Err(Broken)
}

/// Numbers that are written after each other into one field.
pub(crate) fn numbers(mut bytes: &[u8], most: usize) -> Result<Vec<u64>, Broken> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        if numbers.len() == most {
            return Err(Broken);
        }
        let (next, rest) = number(bytes)?;
        numbers.push(next);
        bytes = rest;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_their_order_and_broken_ones_are_refused() {
        let mut fields = Fields::new(b"\x08\x96\x01\x12\x02hi\x1d\x01\x02\x03\x04");
        assert_eq!(fields.next(), Ok(Some((1, Value::Number(150)))));
        assert_eq!(fields.next(), Ok(Some((2, Value::Bytes(b"hi")))));
        assert_eq!(fields.next(), Ok(Some((3, Value::Fixed(&[1, 2, 3, 4])))));
        assert_eq!(fields.next(), Ok(None));
        let mut twice = Fields::once(b"\x08\x01\x10\x02\x10\x03\x08\x04", &[1]);
        assert_eq!(twice.next(), Ok(Some((1, Value::Number(1)))));
        assert_eq!(twice.next(), Ok(Some((2, Value::Number(2)))));
        assert_eq!(twice.next(), Ok(Some((2, Value::Number(3)))), "others may be there several times");
        assert_eq!(twice.next(), Err(Broken));
        // Field 7 of 32 bits, with a bit above them.
        assert_eq!(Fields::new(b"\xba\x80\x80\x80\x10\x01!").next(), Err(Broken));
        for broken in [&b"\x08"[..], b"\x12\x05hi", b"\x0b", b"\x00\x01", &[0x80; 12]] {
            assert_eq!(Fields::new(broken).next(), Err(Broken), "{broken:?}");
        }
        assert_eq!(numbers(&[1, 0x80, 1], 2), Ok(vec![1, 128]));
        assert_eq!(numbers(&[1, 2, 3], 2), Err(Broken));
    }
}
