//! One connection to a broker of MQTT.

use std::time::Duration;

use async_trait::async_trait;
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;

use super::super::content::{Beat, MESSAGE_BYTES_MAX, server};
use super::packet::{
    self, Connect, PUBLISH_ACK, PUBLISH_COMPLETE, PUBLISH_RECEIVED, PUBLISH_RELEASE, Packet, Published,
};
use crate::fields::Fields;
use crate::wire::{EXCHANGE_TIME_MAX, Wire, garbled};

/// After so long without a word the broker takes us for gone, in seconds.
const KEEP_ALIVE_S: u16 = 30;
/// How often we say something at least.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Bytes of a packet beside the content of its message.
const HEAD_BYTES_MAX: usize = 70_000;
/// Bytes of a message that is too large that are read, to tell which it was.
const BEGINNING_BYTES: usize = 64 << 10;

/// How surely a message is to arrive: so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quality {
    /// Once or never.
    AtMost,
    /// Once or several times.
    AtLeast,
    /// Once.
    Exactly,
}

impl Quality {
    /// What a number means.
    pub fn of(number: f64) -> Self {
        match number {
            n if n >= 2.0 => Self::Exactly,
            n if n >= 1.0 => Self::AtLeast,
            _ => Self::AtMost,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::AtMost => 0,
            Self::AtLeast => 1,
            Self::Exactly => 2,
        }
    }
}

/// What came.
#[derive(Debug)]
pub(super) enum Came {
    Packet(Packet),
    /// A message that is too large: how large, and what was read of it.
    TooLarge {
        bytes: usize,
        beginning: Published,
    },
}

/// One connection.
pub(super) struct Client {
    wire: Wire,
    next_id: u16,
    /// Whether the broker knew the session.
    pub session_present: bool,
}

impl Client {
    /// Connects and signs in.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn connect(
        fields: &Fields,
        client_id: &str,
        is_clean: bool,
        policy: &OutboundPolicy,
    ) -> Result<Self, NodeError> {
        let protocol = fields.text("protocol");
        if protocol.starts_with("ws") {
            let message = "MQTT over web sockets is not spoken here: use the protocol mqtt or mqtts";
            return Err(NodeError::operation(message));
        }
        let is_secured = protocol == "mqtts" || fields.truth("ssl");
        let server = server(fields, "host", if is_secured { 8883 } else { 1883 }, is_secured)?;
        let (user, password) = (fields.some_text("username"), fields.some_text("password"));
        let connect = Connect {
            client_id,
            user: user.as_deref(),
            password: password.as_deref(),
            is_clean,
            keep_alive_s: KEEP_ALIVE_S,
        };
        let mut wire = Wire::open(&server, policy).await?;
        wire.send(&connect.packet()?).await?;
        let mut client = Self { wire, next_id: 0, session_present: false };
        match client.answer().await? {
            Packet::ConnectAnswer { session_present, code: 0 } => client.session_present = session_present,
            Packet::ConnectAnswer { code, .. } => return Err(not_let_in(code)),
            _ => return Err(garbled("MQTT", "its first answer is none")),
        }
        Ok(client)
    }

    /// Asks for messages of these topics.
    ///
    /// # Errors
    /// [`NodeError`] when the broker refuses one of them.
    pub async fn subscribe(&mut self, topics: &[(String, u8)]) -> Result<Vec<Came>, NodeError> {
        let id = self.id();
        self.wire.send(&packet::subscribe(id, topics)?).await?;
        // Messages of a session that goes on may come before the answer.
        let mut before = Vec::new();
        loop {
            match self.next().await? {
                Came::Packet(Packet::SubscribeAnswer { codes }) => {
                    let refused = codes.iter().zip(topics).find(|(code, _)| **code == 0x80);
                    return match refused {
                        Some((_, (topic, _))) => {
                            let message = format!("the broker refuses the topic '{topic}'");
                            Err(NodeError::operation(message).described("check the topic, and what this user may read"))
                        }
                        None => Ok(before),
                    };
                }
                other if before.len() < usize::from(u16::MAX) => before.push(other),
                _ => return Err(garbled("MQTT", "it does not answer a wish for messages")),
            }
        }
    }

    /// Publishes a message, and returns when the broker has it as surely as is asked for.
    ///
    /// # Errors
    /// [`NodeError`] when it does not take it.
    pub async fn publish(
        &mut self,
        topic: &str,
        content: &[u8],
        quality: Quality,
        retain: bool,
    ) -> Result<(), NodeError> {
        let id = self.id();
        self.wire.send(&packet::publish(topic, content, (quality.number(), id), retain, false)?).await?;
        match quality {
            Quality::AtMost => Ok(()),
            Quality::AtLeast => self.answered(PUBLISH_ACK, id).await,
            Quality::Exactly => {
                self.answered(PUBLISH_RECEIVED, id).await?;
                self.wire.send(&packet::answer(PUBLISH_RELEASE, id)).await?;
                self.answered(PUBLISH_COMPLETE, id).await
            }
        }
    }

    async fn answered(&mut self, kind: u8, id: u16) -> Result<(), NodeError> {
        loop {
            match self.answer().await? {
                Packet::PublishAnswer { kind: came, id: of } if (came, of) == (kind, id) => return Ok(()),
                Packet::PublishAnswer { .. } | Packet::PingAnswer => {}
                _ => return Err(garbled("MQTT", "it does not answer a message")),
            }
        }
    }

    /// Answers a message or an answer.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn tell(&mut self, kind: u8, id: u16) -> Result<(), NodeError> {
        self.wire.send(&packet::answer(kind, id)).await
    }

    /// Asks whether the broker is there.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn ping(&mut self) -> Result<(), NodeError> {
        self.wire.send(&packet::ping()).await
    }

    /// Whether anything comes within that time.
    ///
    /// # Errors
    /// [`NodeError`] when the connection has ended.
    pub async fn comes(&mut self, within: Duration) -> Result<bool, NodeError> {
        self.wire.comes(within).await
    }

    /// Says farewell, which need not arrive: who publishes has all its answers.
    pub async fn leave(&mut self) {
        drop(self.wire.send(&packet::disconnect()).await);
    }

    async fn answer(&mut self) -> Result<Packet, NodeError> {
        if !self.wire.comes(EXCHANGE_TIME_MAX).await? {
            return Err(NodeError::api(format!("the broker did not answer within {} s", EXCHANGE_TIME_MAX.as_secs())));
        }
        match self.next().await? {
            Came::Packet(packet) => Ok(packet),
            Came::TooLarge { .. } => Err(garbled("MQTT", "an answer is too large")),
        }
    }

    /// The next packet, which has begun to come.
    ///
    /// # Errors
    /// [`NodeError`] when it is none.
    pub async fn next(&mut self) -> Result<Came, NodeError> {
        let first = self.wire.byte().await?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let digit = self.wire.byte().await?;
            length |= usize::from(digit & 0x7f) << shift;
            shift += 7;
            if digit & 0x80 == 0 {
                break;
            }
            if shift > 21 {
                return Err(garbled("MQTT", "a packet has no length"));
            }
        }
        if length <= MESSAGE_BYTES_MAX + HEAD_BYTES_MAX {
            let body = self.wire.exactly(length).await?;
            return packet::read(first, &body).map(Came::Packet);
        }
        // Nothing but a message is that large. What it begins with is read; the rest goes by.
        let beginning = self.wire.exactly(BEGINNING_BYTES + HEAD_BYTES_MAX).await?;
        self.wire.skip(length - beginning.len()).await?;
        match packet::read(first, &beginning)? {
            Packet::Publish(beginning) => Ok(Came::TooLarge { bytes: length, beginning }),
            _ => Err(garbled("MQTT", "a packet is too large")),
        }
    }

    fn id(&mut self) -> u16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }
}

#[async_trait]
impl Beat for Client {
    async fn beat(&mut self) -> Result<(), NodeError> {
        self.ping().await
    }
}

fn not_let_in(code: u8) -> NodeError {
    let (why, advice) = match code {
        1 => ("it does not speak version 3.1.1", "use a broker that does"),
        2 => ("it does not take the client id", "give another client id in the credential"),
        3 => ("it is not available", "try again later"),
        4 => ("the user name or password is wrong", "save the credential again with the right ones"),
        5 => ("this user may not connect", "ask who runs the broker"),
        _ => ("it does not say why", "ask who runs the broker"),
    };
    NodeError::operation(format!("the broker does not let us in: {why}")).described(advice)
}
