//! Packets of MQTT 3.1.1, as bytes. Pure.

use timeloom_engine::node::NodeError;

use crate::wire::garbled;

/// Most bytes of a text in a packet.
const TEXT_BYTES_MAX: usize = u16::MAX as usize;

/// What the broker sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet {
    /// It lets us in, or says by a number why not.
    ConnectAnswer { session_present: bool, code: u8 },
    /// A message.
    Publish(Published),
    /// It has a message of ours, for good where that was of quality 1.
    PublishAnswer { kind: u8, id: u16 },
    /// Which subscriptions it took: a quality each, or 0x80.
    SubscribeAnswer { codes: Vec<u8> },
    /// It is there.
    PingAnswer,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    /// Its topic.
    pub topic: String,
    /// What tells it from others under way; `None` where nobody is to answer.
    pub id: Option<u16>,
    /// Whether it may have been sent before.
    pub is_repeated: bool,
    /// Whether it is to be answered in two steps.
    pub is_exactly_once: bool,
    /// What it says.
    pub content: Vec<u8>,
}

/// Types of packets, as the first four bits have them.
pub(super) const PUBLISH_ACK: u8 = 4;
pub(super) const PUBLISH_RECEIVED: u8 = 5;
pub(super) const PUBLISH_RELEASE: u8 = 6;
pub(super) const PUBLISH_COMPLETE: u8 = 7;

/// Who connects.
pub(super) struct Connect<'a> {
    pub client_id: &'a str,
    pub user: Option<&'a str>,
    pub password: Option<&'a str>,
    pub is_clean: bool,
    pub keep_alive_s: u16,
}

impl Connect<'_> {
    /// Its packet.
    pub fn packet(&self) -> Result<Vec<u8>, NodeError> {
        let mut body = Vec::new();
        text(&mut body, "MQTT")?;
        let flags =
            u8::from(self.is_clean) << 1 | u8::from(self.password.is_some()) << 6 | u8::from(self.user.is_some()) << 7;
        body.extend([4, flags]);
        body.extend(self.keep_alive_s.to_be_bytes());
        text(&mut body, self.client_id)?;
        if let Some(user) = self.user {
            text(&mut body, user)?;
        }
        if let Some(password) = self.password {
            text(&mut body, password)?;
        }
        Ok(packet(0x10, &body))
    }
}

/// A message of ours.
pub(super) fn publish(
    topic: &str,
    content: &[u8],
    (quality, id): (u8, u16),
    retain: bool,
    is_repeated: bool,
) -> Result<Vec<u8>, NodeError> {
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        let message = format!("'{topic}' is no topic that messages can be published to: leave '+' and '#' out");
        return Err(NodeError::operation(message));
    }
    let mut body = Vec::with_capacity(content.len() + topic.len() + 4);
    text(&mut body, topic)?;
    if quality > 0 {
        body.extend(id.to_be_bytes());
    }
    body.extend(content);
    Ok(packet(0x30 | u8::from(is_repeated) << 3 | quality << 1 | u8::from(retain), &body))
}

/// A wish for messages of these topics, each with its quality.
pub(super) fn subscribe(id: u16, topics: &[(String, u8)]) -> Result<Vec<u8>, NodeError> {
    let mut body = id.to_be_bytes().to_vec();
    for (topic, quality) in topics {
        text(&mut body, topic)?;
        body.push(*quality);
    }
    Ok(packet(0x82, &body))
}

/// An answer to a message or to an answer.
pub(super) fn answer(kind: u8, id: u16) -> Vec<u8> {
    let flags = if kind == PUBLISH_RELEASE { 0x02 } else { 0 };
    packet(kind << 4 | flags, &id.to_be_bytes())
}

/// A question whether the broker is there.
pub(super) fn ping() -> Vec<u8> {
    packet(0xc0, &[])
}

/// A farewell.
pub(super) fn disconnect() -> Vec<u8> {
    packet(0xe0, &[])
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let digit = (left % 128) as u8;
        left /= 128;
        packet.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

fn text(body: &mut Vec<u8>, text: &str) -> Result<(), NodeError> {
    let length = u16::try_from(text.len());
    let length =
        length.map_err(|_| NodeError::operation(format!("a text of MQTT has at most {TEXT_BYTES_MAX} bytes")))?;
    body.extend(length.to_be_bytes());
    body.extend(text.as_bytes());
    Ok(())
}

/// A packet that was read: its first byte, and what follows the length.
pub(super) fn read(first: u8, body: &[u8]) -> Result<Packet, NodeError> {
    let number = |place: usize| match body.get(place..place + 2) {
        Some([high, low]) => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err(garbled("MQTT", "a packet is cut off")),
    };
    match first >> 4 {
        2 => match body {
            [flags, code] => Ok(Packet::ConnectAnswer { session_present: flags & 1 == 1, code: *code }),
            _ => Err(garbled("MQTT", "its first answer is none")),
        },
        3 => {
            let length = usize::from(number(0)?);
            let topic = body.get(2..2 + length).ok_or_else(|| garbled("MQTT", "a topic is cut off"))?;
            let topic = String::from_utf8(topic.to_vec()).map_err(|_| garbled("MQTT", "a topic is no text"))?;
            let quality = first >> 1 & 0b11;
            let (id, begin) = match quality {
                0 => (None, 2 + length),
                1 | 2 => (Some(number(2 + length)?), 4 + length),
                _ => return Err(garbled("MQTT", "a message of a quality that is none")),
            };
            let content = body.get(begin..).unwrap_or_default().to_vec();
            let (is_repeated, is_exactly_once) = (first & 0x08 != 0, quality == 2);
            Ok(Packet::Publish(Published { topic, id, is_repeated, is_exactly_once, content }))
        }
        kind @ PUBLISH_ACK..=PUBLISH_COMPLETE => Ok(Packet::PublishAnswer { kind, id: number(0)? }),
        9 => Ok(Packet::SubscribeAnswer { codes: body.get(2..).unwrap_or_default().to_vec() }),
        13 => Ok(Packet::PingAnswer),
        other => Err(garbled("MQTT", format!("a packet of type {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(packet: &[u8]) -> (u8, &[u8]) {
        (packet[0], &packet[2..])
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        for (quality, id) in [(0, None), (1, Some(7)), (2, Some(7))] {
            let written = publish("a/b", b"hello", (quality, 7), false, quality == 1).unwrap();
            let (first, body) = body(&written);
            let expected = Published {
                topic: "a/b".to_owned(),
                id,
                is_repeated: quality == 1,
                is_exactly_once: quality == 2,
                content: b"hello".to_vec(),
            };
            assert_eq!(read(first, body), Ok(Packet::Publish(expected)));
        }
    }

    #[test]
    fn lengths_have_seven_bits_a_byte() {
        assert_eq!(packet(0x30, &[0; 127])[..2], [0x30, 127]);
        assert_eq!(packet(0x30, &[0; 128])[..3], [0x30, 0x80, 1]);
        assert_eq!(packet(0x30, &[0; 321])[..3], [0x30, 0xc1, 2]);
    }

    #[test]
    fn what_is_no_packet_is_told() {
        for (first, body) in [(0x20, &[1_u8][..]), (0x30, &[0, 9, b'a']), (0x36, &[0, 0]), (0x40, &[1]), (0x00, &[])] {
            assert!(read(first, body).is_err(), "{first:02x}");
        }
        assert!(publish("a/#", b"", (0, 0), false, false).is_err());
    }
}
