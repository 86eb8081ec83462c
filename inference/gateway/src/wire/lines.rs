//! JSON lines, read from chunks that may be cut anywhere. Empty lines are left out.

use bytes::{Bytes, BytesMut};

use super::{LINE_BYTES_MAX, StreamFault};

/// Makes lines of chunks.
#[derive(Debug, Default)]
pub struct LineReader {
    buffer: BytesMut,
    seen: usize,
}

impl LineReader {
    /// Takes one more chunk. [`Self::next_line`] gives the lines that are whole then.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next line that is whole, if there is one.
    ///
    /// # Errors
    /// [`StreamFault::LineTooLong`]
    pub fn next_line(&mut self) -> Result<Option<Bytes>, StreamFault> {
        while let Some(place) = memchr::memchr(b'\n', self.buffer.get(self.seen..).unwrap_or_default()) {
            let line = self.buffer.split_to(self.seen + place + 1).freeze();
            self.seen = 0;
            if line.len() > LINE_BYTES_MAX {
                return Err(StreamFault::LineTooLong);
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
        self.seen = self.buffer.len();
        if self.seen > LINE_BYTES_MAX { Err(StreamFault::LineTooLong) } else { Ok(None) }
    }

    /// What is left when no more chunks come: a last line need not have an end.
    pub fn last_line(&mut self) -> Option<Bytes> {
        let rest = self.buffer.split().freeze();
        self.seen = 0;
        (!rest.trim_ascii().is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Bytes> {
        let mut reader = LineReader::default();
        let mut found = Vec::new();
        for chunk in chunks {
            reader.push(chunk);
            while let Some(line) = reader.next_line().unwrap() {
                found.push(line);
            }
        }
        found.extend(reader.last_line());
        found
    }

    #[test]
    fn a_line_without_end_is_a_fault() {
        let mut reader = LineReader::default();
        reader.push(&vec![b'x'; LINE_BYTES_MAX + 1]);
        assert_eq!(reader.next_line(), Err(StreamFault::LineTooLong));
    }

    proptest! {
        #[test]
        fn wherever_the_bytes_are_cut_the_lines_are_the_same(bytes in "[a\n\r ]{0,80}", cut in 0usize..80) {
            let cut = cut.min(bytes.len());
            let (one, two) = bytes.as_bytes().split_at(cut);
            prop_assert_eq!(lines(&[one, two]), lines(&[bytes.as_bytes()]));
            let wanted: Vec<&str> = bytes.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect();
            let found = lines(&[one, two]);
            let found: Vec<&str> = found.iter().map(|line| std::str::from_utf8(line).unwrap().trim()).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
