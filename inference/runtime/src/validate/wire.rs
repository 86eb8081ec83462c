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
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The next field's number and what it holds.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Broken> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
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
        if key >> 3 == 0 { Err(Broken) } else { Ok(Some((key >> 3, value))) }
    }

    fn number(&mut self) -> Result<u64, Broken> {
        let (number, rest) = number(self.0)?;
        self.0 = rest;
        Ok(number)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }
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
        for broken in [&b"\x08"[..], b"\x12\x05hi", b"\x0b", b"\x00\x01", &[0x80; 12]] {
            assert_eq!(Fields::new(broken).next(), Err(Broken), "{broken:?}");
        }
        assert_eq!(numbers(&[1, 0x80, 1], 2), Ok(vec![1, 128]));
        assert_eq!(numbers(&[1, 2, 3], 2), Err(Broken));
    }
}
