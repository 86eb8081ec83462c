//! An event as a line of an export: JSON that people and programs read, from which the leaf can be computed.
//!
//! The form is frozen. Payload and metadata stand in it byte for byte as they are stored, so that nothing has to be
//! built or escaped to prove them; where they have a line end in them, which only programs that append by themselves
//! write, they are a JSON text under `payload_text` or `metadata_text` in place of JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::hexadecimal;
use crate::leaf::{Leaf, Record};

/// Longest line, in bytes: no append is longer.
pub const LINE_BYTES_MAX: usize = 32 << 20;

/// Writes an event as a line, its end included.
pub fn write(record: &Record<'_>, leaf: &Leaf, line: &mut String) {
    let Record { position, tenant, revision, event_version, recorded_at_us, .. } = record;
    let _ = write!(line, r#"{{"position":{position},"tenant":{tenant},"category":"#);
    push_text(line, record.category);
    line.push_str(r#","stream":"#);
    push_text(line, record.stream);
    let _ = write!(line, r#","revision":{revision},"id":"{}","type":"#, Uuid::from_bytes(record.id));
    push_text(line, record.event_type);
    let _ = write!(line, r#","version":{event_version},"recorded_at_us":{recorded_at_us}"#);
    push_json(line, "payload", record.payload);
    push_json(line, "metadata", record.metadata);
    let _ = writeln!(line, r#","leaf":"{}"}}"#, hexadecimal::encode(leaf));
}

fn push_text(line: &mut String, text: &str) {
    // A text of JSON is never refused.
    line.push_str(&serde_json::to_string(text).unwrap_or_default());
}

fn push_json(line: &mut String, name: &str, json: &str) {
    let has_line_end = json.contains(['\n', '\r']);
    let _ = write!(line, r#","{name}{}":"#, if has_line_end { "_text" } else { "" });
    if has_line_end {
        push_text(line, json);
    } else {
        line.push_str(json);
    }
}

/// A line as it is read. Texts are those of the line wherever they can be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<'line> {
    position: u64,
    tenant: u32,
    #[serde(borrow)]
    category: Cow<'line, str>,
    #[serde(borrow)]
    stream: Cow<'line, str>,
    revision: u64,
    id: Uuid,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'line, str>,
    version: u16,
    recorded_at_us: i64,
    #[serde(borrow, default, deserialize_with = "json")]
    payload: Option<&'line RawValue>,
    #[serde(borrow, default)]
    payload_text: Option<Cow<'line, str>>,
    #[serde(borrow, default, deserialize_with = "json")]
    metadata: Option<&'line RawValue>,
    #[serde(borrow, default)]
    metadata_text: Option<Cow<'line, str>>,
    #[serde(with = "hexadecimal")]
    leaf: Leaf,
}

/// JSON that is there, be it `null`.
fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Why a line is none.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not JSON, or not that of an event.
    #[error("it is not an event: {0}")]
    Form(#[from] serde_json::Error),
    /// It has no payload or no metadata, or has it twice.
    #[error("it has not just one {0}")]
    Twofold(&'static str),
}

impl<'line> Line<'line> {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// [`LineError`] when it is not an event.
    pub fn parse(line: &'line str) -> Result<Self, LineError> {
        let line: Self = serde_json::from_str(line)?;
        if line.payload.is_some() == line.payload_text.is_some() {
            return Err(LineError::Twofold("payload"));
        }
        if line.metadata.is_some() == line.metadata_text.is_some() {
            return Err(LineError::Twofold("metadata"));
        }
        Ok(line)
    }

    /// The event.
    pub fn record(&self) -> Record<'_> {
        let text = |json: Option<&'line RawValue>| json.map(RawValue::get);
        Record {
            position: self.position,
            tenant: self.tenant,
            category: &self.category,
            stream: &self.stream,
            revision: self.revision,
            id: *self.id.as_bytes(),
            event_type: &self.event_type,
            event_version: self.version,
            recorded_at_us: self.recorded_at_us,
            payload: text(self.payload).or(self.payload_text.as_deref()).unwrap_or_default(),
            metadata: text(self.metadata).or(self.metadata_text.as_deref()).unwrap_or_default(),
        }
    }

    /// The leaf that the line says it has.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'text>(payload: &'text str, metadata: &'text str) -> Record<'text> {
        Record {
            position: 7,
            tenant: 2,
            category: "order",
            stream: "o-\"1\"",
            revision: 3,
            id: [5; 16],
            event_type: "OrderPlaced",
            event_version: 1,
            recorded_at_us: 1_764_136_800_000_000,
            payload,
            metadata,
        }
    }

    fn written(record: &Record<'_>) -> String {
        let mut line = String::new();
        write(record, &record.leaf(&mut Vec::new()), &mut line);
        line
    }

    #[test]
    fn the_form_of_a_line_is_frozen() {
        let line = written(&record(r#"{ "total": 12.50 }"#, "{}"));
        let leaf = "3c09a2c43b0b8fbc5c6ef7ee4c4e1ff9c33b3fcd7a7e8c2e6ae95f0f5b0d4e0a";
        let expected = r#"{"position":7,"tenant":2,"category":"order","stream":"o-\"1\"","revision":3,"id":"05050505-0505-0505-0505-050505050505","type":"OrderPlaced","version":1,"recorded_at_us":1764136800000000,"payload":{ "total": 12.50 },"metadata":{},"leaf":""#;
        assert_eq!(line.get(..line.len() - leaf.len() - 3), Some(expected));
        assert!(line.ends_with("\"}\n"));
    }

    #[test]
    fn what_is_read_is_what_was_written_byte_for_byte() {
        for payload in
            [r#"{"a":1e0,"a":"\u0041"}"#, "{\n \"pretty\": true\r\n}", "\"\"", "null", "{\"text\":\"\u{7f}é\"}"]
        {
            let record = record(payload, "{}");
            let line = written(&record);
            assert_eq!(line.lines().count(), 1, "{line}");
            let read = Line::parse(line.trim_end()).unwrap();
            assert_eq!(read.record(), record);
            assert_eq!(*read.leaf(), read.record().leaf(&mut Vec::new()));
        }
    }

    #[test]
    fn a_line_says_nothing_twice_and_nothing_else() {
        let line = written(&record("{}", "{}"));
        for wrong in [
            line.replacen(r#""payload":{}"#, r#""payload":{},"payload_text":"{}""#, 1),
            line.replacen(r#""payload":{},"#, "", 1),
            line.replacen(r#""payload":{}"#, r#""payload":{},"payload":{}"#, 1),
            line.replacen(r#""payload":{}"#, r#""payload":{},"more":{}"#, 1),
            line.replacen(r#""payload":{}"#, r#""payload":{"#, 1),
        ] {
            assert!(Line::parse(wrong.trim_end()).is_err(), "{wrong}");
        }
    }
}
