//! Frames, methods and properties of AMQP 0-9-1, as bytes. Pure.

use serde_json::{Map, Value, json};
use timeloom_engine::node::NodeError;

use super::table;
use crate::wire::garbled;

/// What follows every frame.
pub(super) const FRAME_END: u8 = 0xce;
/// Kinds of frames.
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// What the server sends is not of its protocol.
pub(super) fn wrong(what: impl std::fmt::Display) -> NodeError {
    garbled("AMQP 0-9-1", what)
}

/// A frame as bytes.
pub(super) fn frame(kind: u8, channel: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 8);
    bytes.push(kind);
    bytes.extend(channel.to_be_bytes());
    // No frame is longer than the server allows, which is far less.
    bytes.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(body);
    bytes.push(FRAME_END);
    bytes
}

/// A method that is being written.
pub(super) struct Method(Vec<u8>);

impl Method {
    pub fn new(class: u16, number: u16) -> Self {
        Self([class.to_be_bytes(), number.to_be_bytes()].concat())
    }

    pub fn octets(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn short(self, number: u16) -> Self {
        self.octets(&number.to_be_bytes())
    }

    pub fn long(self, number: u32) -> Self {
        self.octets(&number.to_be_bytes())
    }

    pub fn long_long(self, number: u64) -> Self {
        self.octets(&number.to_be_bytes())
    }

    /// Truths beside each other, the first the lowest bit.
    pub fn bits(self, bits: &[bool]) -> Self {
        let byte = bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.octets(&[byte])
    }

    /// # Errors
    /// [`NodeError`] when the text is longer than 255 bytes.
    pub fn short_text(self, text: &str) -> Result<Self, NodeError> {
        let bytes = short_text(text)?;
        Ok(self.octets(&bytes))
    }

    pub fn long_bytes(self, bytes: &[u8]) -> Self {
        self.long(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).octets(bytes)
    }

    /// # Errors
    /// [`NodeError`] when a name in it is too long.
    pub fn table(self, table: &Map<String, Value>) -> Result<Self, NodeError> {
        let bytes = table::write(table)?;
        Ok(self.octets(&bytes))
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn short_text(text: &str) -> Result<Vec<u8>, NodeError> {
    let length = u8::try_from(text.len()).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        NodeError::operation(format!("'{shown}…' is too long: a name of AMQP has at most 255 bytes"))
    })?;
    Ok([&[length], text.as_bytes()].concat())
}

/// Bytes that are being read.
pub(super) struct Reader<'b> {
    left: &'b [u8],
}

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { left: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'b [u8], NodeError> {
        let (taken, left) = self.left.split_at_checked(count).ok_or_else(|| wrong("a frame is cut off"))?;
        self.left = left;
        Ok(taken)
    }

    pub fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], NodeError> {
        self.take(COUNT)?.try_into().map_err(|_| wrong("a frame is cut off"))
    }

    pub fn octet(&mut self) -> Result<u8, NodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub fn short(&mut self) -> Result<u16, NodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub fn long(&mut self) -> Result<u32, NodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn long_long(&mut self) -> Result<u64, NodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub fn short_text(&mut self) -> Result<String, NodeError> {
        let length = self.octet()?;
        Ok(String::from_utf8_lossy(self.take(length.into())?).into_owned())
    }

    pub fn long_bytes(&mut self) -> Result<&'b [u8], NodeError> {
        let length = usize::try_from(self.long()?).unwrap_or(usize::MAX);
        self.take(length)
    }
}

/// What a message says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Properties {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub headers: Map<String, Value>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<String>,
    pub reply_to: Option<String>,
    pub expiration: Option<String>,
    pub message_id: Option<String>,
    pub timestamp: Option<u64>,
    pub kind: Option<String>,
    pub user_id: Option<String>,
    pub app_id: Option<String>,
}

impl Properties {
    /// Their flags and what follows them.
    pub fn write(&self) -> Result<Vec<u8>, NodeError> {
        let (mut flags, mut body) = (0_u16, Vec::new());
        let mut text = |bit: u16, text: &Option<String>, body: &mut Vec<u8>| -> Result<(), NodeError> {
            if let Some(text) = text {
                flags |= 1 << bit;
                body.extend(short_text(text)?);
            }
            Ok(())
        };
        text(15, &self.content_type, &mut body)?;
        text(14, &self.content_encoding, &mut body)?;
        let mut with_headers = 0;
        if !self.headers.is_empty() {
            with_headers = 1 << 13;
            body.extend(table::write(&self.headers)?);
        }
        let mut with_numbers = 0;
        for (bit, number) in [(12, self.delivery_mode), (11, self.priority)] {
            if let Some(number) = number {
                with_numbers |= 1 << bit;
                body.push(number);
            }
        }
        text(10, &self.correlation_id, &mut body)?;
        text(9, &self.reply_to, &mut body)?;
        text(8, &self.expiration, &mut body)?;
        text(7, &self.message_id, &mut body)?;
        let mut bytes = (flags | with_headers | with_numbers).to_be_bytes().to_vec();
        bytes.extend(body);
        Ok(bytes)
    }

    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, NodeError> {
        let flags = reader.short()?;
        let has = |bit: u16| flags & 1 << bit != 0;
        let text = |bit: u16, reader: &mut Reader<'_>| has(bit).then(|| reader.short_text()).transpose();
        Ok(Self {
            content_type: text(15, reader)?,
            content_encoding: text(14, reader)?,
            headers: if has(13) { table::read(reader)? } else { Map::new() },
            delivery_mode: has(12).then(|| reader.octet()).transpose()?,
            priority: has(11).then(|| reader.octet()).transpose()?,
            correlation_id: text(10, reader)?,
            reply_to: text(9, reader)?,
            expiration: text(8, reader)?,
            message_id: text(7, reader)?,
            timestamp: has(6).then(|| reader.long_long()).transpose()?,
            kind: text(5, reader)?,
            user_id: text(4, reader)?,
            app_id: text(3, reader)?,
        })
    }

    /// As items have them.
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let mut field = |name: &str, value: Value| {
            if !value.is_null() {
                fields.insert(name.to_owned(), value);
            }
        };
        field("contentType", json!(self.content_type));
        field("contentEncoding", json!(self.content_encoding));
        field("headers", json!(self.headers));
        field("deliveryMode", json!(self.delivery_mode));
        field("priority", json!(self.priority));
        field("correlationId", json!(self.correlation_id));
        field("replyTo", json!(self.reply_to));
        field("expiration", json!(self.expiration));
        field("messageId", json!(self.message_id));
        field("timestamp", json!(self.timestamp));
        field("type", json!(self.kind));
        field("userId", json!(self.user_id));
        field("appId", json!(self.app_id));
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_as_they_were_written() {
        let properties = Properties {
            content_type: Some("application/json".to_owned()),
            headers: Map::from_iter([("a".to_owned(), json!(1))]),
            delivery_mode: Some(2),
            correlation_id: Some("c".to_owned()),
            message_id: Some("m".to_owned()),
            ..Properties::default()
        };
        let written = properties.write().unwrap();
        assert_eq!(Properties::read(&mut Reader::new(&written)), Ok(properties));
    }

    #[test]
    fn truths_lie_beside_each_other_the_first_lowest() {
        assert_eq!(Method::new(1, 2).bits(&[true, false, true]).into_bytes(), [0, 1, 0, 2, 0b101]);
    }
}
