//! One connection to a server of AMQP 0-9-1, with one channel.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;
use tokio::time::Instant;

use super::super::content::{Beat, MESSAGE_BYTES_MAX, server};
use super::frame::{BODY, FRAME_END, HEADER, HEARTBEAT, METHOD, Method, Properties, Reader, frame, wrong};
use crate::fields::Fields;
use crate::wire::{EXCHANGE_TIME_MAX, Wire};

/// After so long without a word each side takes the other for gone, in seconds.
const HEARTBEAT_S: u16 = 30;
/// How often we say something at least.
pub(super) const BEAT_INTERVAL: Duration = Duration::from_secs(10);
/// Most bytes of a frame.
const FRAME_BYTES_MAX: u32 = 128 << 10;
/// The one channel.
const CHANNEL: u16 = 1;
/// Bytes of a message that is too large that are read, to tell which it was.
const BEGINNING_BYTES: usize = 64 << 10;

/// A method that the server sent: its class, its number, and what follows.
struct Told {
    name: (u16, u16),
    arguments: Vec<u8>,
}

/// A message.
#[derive(Debug)]
pub(super) struct Delivered {
    pub consumer_tag: String,
    pub delivery_tag: u64,
    pub is_redelivered: bool,
    pub exchange: String,
    pub routing_key: String,
    pub properties: Properties,
    /// What it says; of one that is too large its beginning.
    pub content: Vec<u8>,
    /// How large it is.
    pub bytes: u64,
}

/// What became of a message of ours.
pub(super) enum Sent {
    /// The server has it.
    Taken,
    /// No queue wants it.
    Returned(String),
}

/// One connection.
pub(super) struct Client {
    wire: Wire,
    frame_bytes_max: usize,
    /// Whether the server has said anything since this was asked last.
    has_beaten: bool,
}

impl Client {
    /// Connects, signs in and opens a channel.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn connect(fields: &Fields, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let is_secured = fields.truth("ssl");
        let server = server(fields, "hostname", if is_secured { 5_671 } else { 5_672 }, is_secured)?;
        let mut client = Self {
            wire: Wire::open(&server, policy).await?,
            frame_bytes_max: FRAME_BYTES_MAX as usize,
            has_beaten: false,
        };
        client.wire.send(b"AMQP\0\0\x09\x01").await?;
        client.sign_in(fields).await?;
        let virtual_host = fields.some_text("vhost").unwrap_or_else(|| "/".to_owned());
        let open = Method::new(10, 40).short_text(&virtual_host)?.short_text("")?.bits(&[false]);
        client.put(0, open).await?;
        client.expect((10, 41)).await?;
        client.put(CHANNEL, Method::new(20, 10).short_text("")?).await?;
        client.expect((20, 11)).await?;
        Ok(client)
    }

    async fn sign_in(&mut self, fields: &Fields) -> Result<(), NodeError> {
        self.expect((10, 10)).await?;
        let able = json!({ "consumer_cancel_notify": true, "authentication_failure_close": true });
        let us = Map::from_iter([("product".to_owned(), json!("Timeloom")), ("capabilities".to_owned(), able)]);
        let proof = format!("\0{}\0{}", fields.text("username"), fields.text("password"));
        let start = Method::new(10, 11).table(&us)?.short_text("PLAIN")?.long_bytes(proof.as_bytes());
        self.put(0, start.short_text("en_US")?).await?;
        let tune = self.expect((10, 30)).await?;
        let mut reader = Reader::new(&tune);
        let (_channels, frame_bytes, heartbeat) = (reader.short()?, reader.long()?, reader.short()?);
        let frame_bytes = if frame_bytes == 0 { FRAME_BYTES_MAX } else { frame_bytes.min(FRAME_BYTES_MAX) };
        let heartbeat = if heartbeat == 0 { HEARTBEAT_S } else { heartbeat.min(HEARTBEAT_S) };
        self.frame_bytes_max = frame_bytes as usize;
        self.put(0, Method::new(10, 31).short(1).long(frame_bytes).short(heartbeat)).await
    }

    /// Makes a queue where it is not there; answers its name.
    ///
    /// # Errors
    /// [`NodeError`] when it is there otherwise, or may not be made.
    pub async fn declare_queue(
        &mut self,
        name: &str,
        (durable, exclusive, auto_delete): (bool, bool, bool),
        arguments: &Map<String, Value>,
    ) -> Result<String, NodeError> {
        let declare = Method::new(50, 10).short(0).short_text(name)?;
        let declare = declare.bits(&[false, durable, exclusive, auto_delete, false]).table(arguments)?;
        self.put(CHANNEL, declare).await?;
        Reader::new(&self.expect((50, 11)).await?).short_text()
    }

    /// Makes an exchange where it is not there.
    ///
    /// # Errors
    /// [`NodeError`] when it is there otherwise, or may not be made.
    pub async fn declare_exchange(
        &mut self,
        name: &str,
        kind: &str,
        (durable, auto_delete): (bool, bool),
        arguments: &Map<String, Value>,
    ) -> Result<(), NodeError> {
        let declare = Method::new(40, 10).short(0).short_text(name)?.short_text(kind)?;
        let declare = declare.bits(&[false, durable, auto_delete, false, false]).table(arguments)?;
        self.put(CHANNEL, declare).await?;
        self.expect((40, 11)).await.map(drop)
    }

    /// Lets an exchange give to a queue.
    ///
    /// # Errors
    /// [`NodeError`] when one of them is not there.
    pub async fn bind(&mut self, queue: &str, exchange: &str, routing_key: &str) -> Result<(), NodeError> {
        let bind = Method::new(50, 20).short(0).short_text(queue)?.short_text(exchange)?.short_text(routing_key)?;
        self.put(CHANNEL, bind.bits(&[false]).table(&Map::new())?).await?;
        self.expect((50, 21)).await.map(drop)
    }

    /// Asks for the messages of a queue, so many at most that were not answered.
    ///
    /// # Errors
    /// [`NodeError`] when it is not there, or somebody else has it for himself.
    pub async fn consume(&mut self, queue: &str, unanswered_max: u16) -> Result<(), NodeError> {
        self.put(CHANNEL, Method::new(60, 10).long(0).short(unanswered_max).bits(&[false])).await?;
        self.expect((60, 11)).await?;
        let consume = Method::new(60, 20).short(0).short_text(queue)?.short_text("")?;
        self.put(CHANNEL, consume.bits(&[false, false, false, false]).table(&Map::new())?).await?;
        self.expect((60, 21)).await.map(drop)
    }

    /// Lets the server say of each message of ours that it has it.
    ///
    /// # Errors
    /// [`NodeError`] when it does not.
    pub async fn confirm(&mut self) -> Result<(), NodeError> {
        self.put(CHANNEL, Method::new(85, 10).bits(&[false])).await?;
        self.expect((85, 11)).await.map(drop)
    }

    /// Sends a message, and returns when the server has it.
    ///
    /// # Errors
    /// [`NodeError`] when it does not take it.
    pub async fn publish(
        &mut self,
        (exchange, routing_key): (&str, &str),
        properties: &Properties,
        content: &[u8],
        is_mandatory: bool,
    ) -> Result<Sent, NodeError> {
        let publish = Method::new(60, 40).short(0).short_text(exchange)?.short_text(routing_key)?;
        let mut bytes = frame(METHOD, CHANNEL, &publish.bits(&[is_mandatory, false]).into_bytes());
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let mut head = 60_u16.to_be_bytes().to_vec();
        head.extend([0, 0]);
        head.extend(size.to_be_bytes());
        head.extend(properties.write()?);
        bytes.extend(frame(HEADER, CHANNEL, &head));
        for part in content.chunks(self.frame_bytes_max.saturating_sub(8).max(1)) {
            bytes.extend(frame(BODY, CHANNEL, part));
        }
        self.wire.send(&bytes).await?;
        let mut returned = None;
        loop {
            let Told { name, arguments } = self.told(EXCHANGE_TIME_MAX).await?;
            match name {
                (60, 50) => {
                    let mut reader = Reader::new(&arguments);
                    let (_code, why) = (reader.short()?, reader.short_text()?);
                    self.content().await?;
                    returned = Some(why);
                }
                (60, 80) => return Ok(returned.map_or(Sent::Taken, Sent::Returned)),
                (60, 120) => return Err(NodeError::api("RabbitMQ could not keep the message: try again")),
                _ => self.react(name, &arguments).await?,
            }
        }
    }

    /// The next message within that time.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke, or the queue is gone.
    pub async fn next(&mut self, within: Duration) -> Result<Option<Delivered>, NodeError> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.wire.comes(left).await? {
                return Ok(None);
            }
            let Some(Told { name, arguments }) = self.frame_told().await? else { continue };
            match name {
                (60, 60) => return self.delivered(&arguments).await.map(Some),
                (60, 30) => return Err(NodeError::api("the queue is gone").described("make it again")),
                _ => self.react(name, &arguments).await?,
            }
        }
    }

    async fn delivered(&mut self, arguments: &[u8]) -> Result<Delivered, NodeError> {
        let mut reader = Reader::new(arguments);
        let consumer_tag = reader.short_text()?;
        let (delivery_tag, is_redelivered) = (reader.long_long()?, reader.octet()? & 1 == 1);
        let (exchange, routing_key) = (reader.short_text()?, reader.short_text()?);
        let (properties, content, bytes) = self.content().await?;
        Ok(Delivered { consumer_tag, delivery_tag, is_redelivered, exchange, routing_key, properties, content, bytes })
    }

    /// Says that we have a message.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn answer(&mut self, delivery_tag: u64) -> Result<(), NodeError> {
        self.put(CHANNEL, Method::new(60, 80).long_long(delivery_tag).bits(&[false])).await
    }

    /// Whether the server has said that it is there since this was asked last.
    pub fn has_beaten(&mut self) -> bool {
        std::mem::take(&mut self.has_beaten)
    }

    /// Says farewell, which need not arrive.
    pub async fn close(&mut self) {
        if let Ok(close) = Method::new(10, 50).short(200).short_text("done") {
            drop(self.put(0, close.short(0).short(0)).await);
        }
    }

    async fn put(&mut self, channel: u16, method: Method) -> Result<(), NodeError> {
        self.wire.send(&frame(METHOD, channel, &method.into_bytes())).await
    }

    /// What follows the name of the method that is to come now.
    async fn expect(&mut self, wanted: (u16, u16)) -> Result<Vec<u8>, NodeError> {
        loop {
            let Told { name, arguments } = self.told(EXCHANGE_TIME_MAX).await?;
            if name == wanted {
                return Ok(arguments);
            }
            self.react(name, &arguments).await?;
        }
    }

    /// Does what a method asks for that may come at any time.
    async fn react(&mut self, name: (u16, u16), arguments: &[u8]) -> Result<(), NodeError> {
        match name {
            (10, 50) | (20, 40) => {
                let mut reader = Reader::new(arguments);
                let (code, why) = (reader.short()?, reader.short_text()?);
                let told = NodeError::operation(format!("RabbitMQ refused ({code}): {why}"));
                Err(match code {
                    403 => told.described("check user, password and what this user may do"),
                    404 => told.described("check the name, and the virtual host in the credential"),
                    406 => told.described("it is there with other properties: give the same, or do not assert it"),
                    _ => told,
                })
            }
            // It wants us to pause, or not any more: so little is sent that this is never needed.
            (20, 20) => {
                let active = arguments.first().copied().unwrap_or(1);
                self.put(CHANNEL, Method::new(20, 21).octets(&[active])).await
            }
            // Names of connections that are blocked for want of memory, and answers to nothing.
            (10, 60 | 61) | (60, 80) => Ok(()),
            (class, method) => Err(wrong(format!("an unexpected method {class}.{method}"))),
        }
    }

    async fn told(&mut self, within: Duration) -> Result<Told, NodeError> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.wire.comes(left).await? {
                return Err(NodeError::api(format!("RabbitMQ did not answer within {} s", within.as_secs())));
            }
            if let Some(told) = self.frame_told().await? {
                return Ok(told);
            }
        }
    }

    /// The next frame, which has begun to come; `None` for a heartbeat.
    async fn frame_told(&mut self) -> Result<Option<Told>, NodeError> {
        let (kind, body) = self.frame().await?;
        match kind {
            HEARTBEAT => {
                self.has_beaten = true;
                Ok(None)
            }
            METHOD => {
                let mut reader = Reader::new(&body);
                let name = (reader.short()?, reader.short()?);
                Ok(Some(Told { name, arguments: body.get(4..).unwrap_or_default().to_vec() }))
            }
            _ => Err(wrong("content without a message")),
        }
    }

    async fn frame(&mut self) -> Result<(u8, Vec<u8>), NodeError> {
        let head = self.wire.exactly(7).await?;
        let mut reader = Reader::new(&head);
        let (kind, _channel, size) = (reader.octet()?, reader.short()?, reader.long()?);
        if kind == b'A' {
            return Err(wrong("it speaks another version"));
        }
        if !matches!(kind, METHOD | HEADER | BODY | HEARTBEAT) || size > FRAME_BYTES_MAX {
            return Err(wrong("a frame is none"));
        }
        let mut body = self.wire.exactly(size as usize + 1).await?;
        if body.pop() != Some(FRAME_END) {
            return Err(wrong("a frame has no end"));
        }
        Ok((kind, body))
    }

    /// The properties and the content of a message whose method came.
    async fn content(&mut self) -> Result<(Properties, Vec<u8>, u64), NodeError> {
        let (kind, head) = self.content_frame().await?;
        if kind != HEADER {
            return Err(wrong("a message without its header"));
        }
        let mut reader = Reader::new(&head);
        let (_class, _weight, size) = (reader.short()?, reader.short()?, reader.long_long()?);
        let properties = Properties::read(&mut reader)?;
        let kept_max = if size > MESSAGE_BYTES_MAX as u64 { BEGINNING_BYTES } else { MESSAGE_BYTES_MAX };
        let (mut content, mut read) = (Vec::new(), 0_u64);
        while read < size {
            let (kind, part) = self.content_frame().await?;
            if kind != BODY || part.is_empty() {
                return Err(wrong("a message without its content"));
            }
            read = read.saturating_add(part.len() as u64);
            let room = kept_max.saturating_sub(content.len()).min(part.len());
            content.extend(part.get(..room).unwrap_or_default());
        }
        Ok((properties, content, size))
    }

    async fn content_frame(&mut self) -> Result<(u8, Vec<u8>), NodeError> {
        loop {
            match self.frame().await? {
                (HEARTBEAT, _) => {}
                other => return Ok(other),
            }
        }
    }
}

#[async_trait]
impl Beat for Client {
    async fn beat(&mut self) -> Result<(), NodeError> {
        self.wire.send(&frame(HEARTBEAT, 0, &[])).await
    }
}
