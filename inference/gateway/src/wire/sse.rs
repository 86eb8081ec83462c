//! Server-sent events, read from chunks that may be cut anywhere.
//!
//! The same bytes give the same events wherever they are cut. Comments are left out; the id of the last event, and how long to wait
//! before a stream is taken up again, are told apart from the events.

use bytes::{Bytes, BytesMut};

use super::{EVENT_BYTES_MAX, LINE_BYTES_MAX, StreamFault};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its data, lines joined by line feeds.
    pub data: String,
    /// The bytes that it came in, the empty line at its end included.
    pub raw: Bytes,
}

/// Makes events of chunks.
#[derive(Debug, Default)]
pub struct EventReader {
    buffer: BytesMut,
    /// Bytes of the buffer that are lines of the event that is being read.
    read: usize,
    /// Bytes of the buffer in which there is no end of a line.
    seen: usize,
    name: String,
    data: String,
    has_data: bool,
    begun: bool,
    /// The id that the event has which is being read: that of the one before, where it has none of its own.
    id: Option<String>,
    last_id: Option<String>,
    retry_ms: Option<u64>,
}

impl EventReader {
    /// The id of the last event that was whole, with data or without; empty where the stream took it back.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long to wait before the stream is taken up again, in milliseconds, where it says so.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Takes one more chunk. [`Self::next_event`] gives the events that are whole then.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next event that is whole, if there is one.
    ///
    /// # Errors
    /// [`StreamFault`], and again each time after that.
    pub fn next_event(&mut self) -> Result<Option<ServerEvent>, StreamFault> {
        loop {
            let Some((end, next)) = self.line_end() else {
                return if self.buffer.len() - self.read > LINE_BYTES_MAX {
                    Err(StreamFault::LineTooLong)
                } else {
                    Ok(None)
                };
            };
            if end - self.read > LINE_BYTES_MAX {
                return Err(StreamFault::LineTooLong);
            }
            if next > EVENT_BYTES_MAX {
                return Err(StreamFault::EventTooLong);
            }
            let is_empty = end == self.read;
            if !is_empty {
                self.take_line(end)?;
            }
            self.read = next;
            self.seen = next;
            if is_empty && let Some(event) = self.dispatch() {
                return Ok(Some(event));
            }
        }
    }

    /// Where the line ends that begins at `read`, and where the next begins. A carriage return at the very end may be half
    /// of a line's end: it has to wait for the byte after it.
    fn line_end(&mut self) -> Option<(usize, usize)> {
        let place = memchr::memchr2(b'\n', b'\r', self.buffer.get(self.seen..)?).map(|place| place + self.seen);
        let Some(place) = place else {
            self.seen = self.buffer.len();
            return None;
        };
        self.seen = place;
        match (self.buffer.get(place), self.buffer.get(place + 1)) {
            (Some(b'\r'), None) => None,
            (Some(b'\r'), Some(b'\n')) => Some((place, place + 2)),
            _ => Some((place, place + 1)),
        }
    }

    fn take_line(&mut self, end: usize) -> Result<(), StreamFault> {
        let line = self.buffer.get(self.read..end).unwrap_or_default();
        let mut line = std::str::from_utf8(line).map_err(|_| StreamFault::NotText)?;
        if !self.begun {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        self.begun = true;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.name),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry_ms = value.parse().ok().or(self.retry_ms);
            }
            _ => {}
        }
        Ok(())
    }

    /// An event without data is none; its bytes go with the next.
    fn dispatch(&mut self) -> Option<ServerEvent> {
        self.begun = true;
        self.last_id.clone_from(&self.id);
        let name = std::mem::take(&mut self.name);
        if !self.has_data {
            return None;
        }
        let raw = self.buffer.split_to(self.read).freeze();
        self.read = 0;
        self.seen = 0;
        self.has_data = false;
        Some(ServerEvent { name, data: std::mem::take(&mut self.data), raw })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(chunks: &[&[u8]]) -> Result<Vec<(String, String)>, StreamFault> {
        let mut reader = EventReader::default();
        let mut found = Vec::new();
        for chunk in chunks {
            reader.push(chunk);
            while let Some(event) = reader.next_event()? {
                found.push((event.name, event.data));
            }
        }
        Ok(found)
    }

    fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
        wanted.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
    }

    #[test]
    fn names_data_comments_and_all_line_ends_are_read() {
        let bytes = "\u{feff}: hello\n\nevent: a\r\ndata: one\r\ndata:two\r\n\r\ndata\rdata\r\rid: 7\nretry: 3\n\ndata:  x\n\nhalf";
        let wanted = pairs(&[("a", "one\ntwo"), ("", "\n"), ("", " x")]);
        assert_eq!(events(&[bytes.as_bytes()]).unwrap(), wanted);
    }

    #[test]
    fn from_where_a_stream_could_be_taken_up_again_is_told_once_an_event_is_whole() {
        let mut reader = EventReader::default();
        let mut after = |chunk: &str| {
            reader.push(chunk.as_bytes());
            while reader.next_event().unwrap().is_some() {}
            (reader.last_id().map(str::to_owned), reader.retry_ms())
        };
        let at = |id: &str| Some(id.to_owned());
        assert_eq!(after(": hello\n\n"), (None, None));
        assert_eq!(after("id: 7\nretry: 250\ndata:"), (None, Some(250)), "it is not whole yet");
        assert_eq!(after(" x\n\n"), (at("7"), Some(250)));
        assert_eq!(after("data: y\n\n"), (at("7"), Some(250)), "an event without an id has that of the one before");
        assert_eq!(after("id: 8\nretry: soon\n\n"), (at("8"), Some(250)), "no data is needed for it");
        assert_eq!(after("id: a\0b\ndata\n\n"), (at("8"), Some(250)));
        assert_eq!(after("id\ndata\n\n"), (at(""), Some(250)), "and it can be taken back");
    }

    #[test]
    fn the_bytes_of_the_events_are_the_bytes_that_came() {
        let bytes = b": hello\n\ndata: 1\r\n\r\nevent: x\n\ndata: 2\n\n";
        let mut reader = EventReader::default();
        reader.push(bytes);
        let mut raw = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            raw.extend_from_slice(&event.raw);
        }
        assert_eq!(raw, bytes);
    }

    #[test]
    fn a_line_and_an_event_without_end_are_faults() {
        let chunk = vec![b'x'; 1 << 20];
        let endless: Vec<&[u8]> = vec![&chunk; 5];
        assert_eq!(events(&endless), Err(StreamFault::LineTooLong));
        let line = [b"data:".as_slice(), &chunk, b"\n"].concat();
        let lines: Vec<&[u8]> = vec![&line; 9];
        assert_eq!(events(&lines), Err(StreamFault::EventTooLong));
        assert_eq!(events(&[b"data: \xff\n\n"]), Err(StreamFault::NotText));
    }

    proptest! {
        #[test]
        fn wherever_the_bytes_are_cut_the_events_are_the_same(
            bytes in proptest::collection::vec(proptest::sample::select(b"de\r\n: xdataevent\xc3\xa9".to_vec()), 0..200),
            lines in proptest::collection::vec("(data|event|id|):? ?[a-z\u{e9}]{0,4}(\r|\n|\r\n){1,2}", 0..20),
            cuts in proptest::collection::vec(0usize..400, 0..20),
        ) {
            let bytes = [lines.concat().into_bytes(), bytes].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(events(&chunks), events(&[&bytes]));
        }
    }
}
