//! Numbers and texts of the format: LEB128, and what is led by its length. Reading trusts nothing.

/// What is wrong with bytes that are read.
pub(crate) type Fault = String;

/// Appends `number` as LEB128: seven bits a byte, the lowest first, and the eighth bit where more follow.
pub(crate) fn push(buffer: &mut Vec<u8>, mut number: u64) {
    loop {
        let bits = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return buffer.push(bits);
        }
        buffer.push(bits | 0x80);
    }
}

/// The same of a length.
pub(crate) fn push_length(buffer: &mut Vec<u8>, length: usize) {
    push(buffer, length as u64);
}

/// A number with its sign, which is in the lowest bit.
pub(crate) fn push_signed(buffer: &mut Vec<u8>, number: i64) {
    push(buffer, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Bytes led by their length.
pub(crate) fn push_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    push_length(buffer, bytes.len());
    buffer.extend_from_slice(bytes);
}

/// Bytes that are read from the front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'bytes>(&'bytes [u8]);

impl<'bytes> Input<'bytes> {
    pub(crate) fn new(bytes: &'bytes [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// What was not read.
    pub(crate) fn rest(self) -> &'bytes [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'bytes [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Fault> {
        self.take(LENGTH)?.try_into().map_err(|_| "it ends too early".to_owned())
    }

    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or("it ends in a number")?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number is too long".to_owned())
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Fault> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// A number that is at most `max`.
    pub(crate) fn length(&mut self, max: usize) -> Result<usize, Fault> {
        let number = self.number()?;
        usize::try_from(number)
            .ok()
            .filter(|length| *length <= max)
            .ok_or_else(|| format!("it says {number} where at most {max} may be"))
    }

    /// Bytes led by their length, which is at most `max`.
    pub(crate) fn bytes(&mut self, max: usize) -> Result<&'bytes [u8], Fault> {
        let length = self.length(max)?;
        self.take(length)
    }

    /// The same as text.
    pub(crate) fn text(&mut self, max: usize) -> Result<&'bytes str, Fault> {
        std::str::from_utf8(self.bytes(max)?).map_err(|error| format!("a name is not text: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_too_long_ones_are_refused() {
        let mut buffer = Vec::new();
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        numbers.iter().for_each(|number| push(&mut buffer, *number));
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        signed.iter().for_each(|number| push_signed(&mut buffer, *number));
        let mut input = Input::new(&buffer);
        assert_eq!(numbers.map(|_| input.number().unwrap()), numbers);
        assert_eq!(signed.map(|_| input.signed().unwrap()), signed);
        assert!(input.is_empty() && input.number().is_err());
        assert!(Input::new(&[0x80; 12]).number().is_err());
        assert!(Input::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).number().is_err());
        assert!(Input::new(&[5, 1]).bytes(10).is_err() && Input::new(&[5]).length(4).is_err());
    }
}
