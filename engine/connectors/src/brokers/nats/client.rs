//! One connection to a server of NATS.

use std::time::Duration;

use serde_json::{Value, json};
use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;
use tokio::time::Instant;

use super::super::content::{MESSAGE_BYTES_MAX, server};
use crate::fields::Fields;
use crate::wire::{EXCHANGE_TIME_MAX, Server, Wire, garbled};

/// Most bytes of a line: what the server tells of itself is the longest.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Most bytes of the headers of a message.
const HEADERS_BYTES_MAX: usize = 64 << 10;
/// Most characters of a subject.
const SUBJECT_CHARACTERS_MAX: usize = 1_000;
/// The inbox of answers to this connection alone.
const INBOX: &str = "_INBOX.timeloom";
/// Number of the subscription to it.
const INBOX_ID: u64 = 1;
/// Bytes of a message that is too large that are read, to tell which it was.
const BEGINNING_BYTES: usize = 64 << 10;

/// A message.
#[derive(Debug, Clone, Default)]
pub(super) struct Delivered {
    /// Its subject.
    pub subject: String,
    /// Where to answer.
    pub reply: Option<String>,
    /// Its headers, with the status line that comes first.
    pub headers: Vec<u8>,
    /// What it says; of a message that is too large its beginning.
    pub content: Vec<u8>,
    /// How large it is.
    pub bytes: usize,
}

impl Delivered {
    /// The status that the server gave it: 404 and 408 say that there is no message.
    pub fn status(&self) -> Option<u16> {
        let line = self.headers.split(|byte| *byte == b'\r').next()?;
        let rest = line.strip_prefix(b"NATS/1.0")?;
        std::str::from_utf8(rest).ok()?.split_whitespace().next()?.parse().ok()
    }
}

/// One connection.
pub(super) struct Client {
    wire: Wire,
    inbox: String,
    asked: u64,
}

impl Client {
    /// Connects and signs in.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn connect(fields: &Fields, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let wanted = server(fields, "host", 4_222, fields.truth("tls"))?;
        // The server speaks first, in the clear; then the connection is secured.
        let mut wire = Wire::open(&Server { tls: None, ..wanted.clone() }, policy).await?;
        let told = wire.line(LINE_BYTES_MAX).await?;
        let info = told.strip_prefix(b"INFO ").ok_or_else(|| garbled("NATS", "its first word is none"))?;
        let info: Value = serde_json::from_slice(info).map_err(|error| garbled("NATS", error))?;
        let needs_tls = info.get("tls_required").and_then(Value::as_bool).unwrap_or(false);
        if needs_tls || wanted.tls.is_some() {
            wire = wire.secured(&wanted.host, &wanted.tls.clone().unwrap_or_default()).await?;
        }
        let connect = json!({
            "verbose": false, "pedantic": false, "name": "timeloom", "lang": "rust", "version": "1", "protocol": 1,
            "headers": true, "no_responders": true, "tls_required": wire.is_secured(),
            "user": fields.some_text("user"), "pass": fields.some_text("password"),
            "auth_token": fields.some_text("token"),
        });
        let number = info.get("client_id").and_then(Value::as_u64).unwrap_or_default();
        let inbox = format!("{INBOX}.{number}.{}", info.get("server_id").and_then(Value::as_str).unwrap_or("0"));
        let mut client = Self { wire, inbox, asked: 0 };
        let words = format!("CONNECT {connect}\r\nSUB {}.* {INBOX_ID}\r\n", client.inbox);
        client.wire.send(words.as_bytes()).await?;
        client.ping().await?;
        Ok(client)
    }

    /// Asks for messages of a subject.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke, or the server refuses.
    pub async fn subscribe(&mut self, subject: &str, id: u64) -> Result<(), NodeError> {
        check(subject)?;
        self.wire.send(format!("SUB {subject} {id}\r\n").as_bytes()).await?;
        self.ping().await
    }

    /// Publishes a message, under an id by which a stream knows it again.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn publish(&mut self, subject: &str, id: Option<&str>, content: &[u8]) -> Result<(), NodeError> {
        self.put(subject, None, id, content).await
    }

    /// Publishes a message, and returns when a stream has it.
    ///
    /// # Errors
    /// [`NodeError`] when none takes it.
    pub async fn publish_confirmed(&mut self, subject: &str, id: &str, content: &[u8]) -> Result<(), NodeError> {
        let answer = self.exchange(subject, Some(id), content).await?;
        if answer.status() == Some(503) {
            return Err(NodeError::operation(format!("no stream of JetStream takes '{subject}'"))
                .described("make a stream with this subject, or do not ask for a confirmation"));
        }
        checked(&answer.content).map(drop)
    }

    /// Asks JetStream.
    ///
    /// # Errors
    /// [`NodeError`] with its words where it refuses.
    pub async fn ask(&mut self, subject: &str, question: &Value) -> Result<Value, NodeError> {
        let answer = self.exchange(subject, None, question.to_string().as_bytes()).await?;
        if answer.status() == Some(503) {
            return Err(NodeError::operation("this server has no JetStream").described("switch it on at the server"));
        }
        checked(&answer.content)
    }

    /// Asks something whose answer comes as a message like others; answers where it will come.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn request(&mut self, subject: &str, id: Option<&str>, content: &[u8]) -> Result<String, NodeError> {
        self.asked += 1;
        let reply = format!("{}.{}", self.inbox, self.asked);
        self.put(subject, Some(&reply), id, content).await?;
        Ok(reply)
    }

    async fn exchange(&mut self, subject: &str, id: Option<&str>, content: &[u8]) -> Result<Delivered, NodeError> {
        let reply = self.request(subject, id, content).await?;
        let deadline = Instant::now() + EXCHANGE_TIME_MAX;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())).await? {
                Some(delivered) if delivered.subject == reply => return Ok(delivered),
                Some(_) => {}
                None => return Err(slow()),
            }
        }
    }

    async fn put(
        &mut self,
        subject: &str,
        reply: Option<&str>,
        id: Option<&str>,
        content: &[u8],
    ) -> Result<(), NodeError> {
        check(subject)?;
        let headers = id.map(|id| format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n")).unwrap_or_default();
        let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
        let length = headers.len() + content.len();
        let mut bytes = if headers.is_empty() {
            format!("PUB {subject} {reply}{length}\r\n").into_bytes()
        } else {
            format!("HPUB {subject} {reply}{} {length}\r\n{headers}", headers.len()).into_bytes()
        };
        bytes.extend(content);
        bytes.extend(b"\r\n");
        self.wire.send(&bytes).await
    }

    /// Asks whether the server is there, and returns when it has said so: all before has arrived.
    ///
    /// # Errors
    /// [`NodeError`] when it does not, or has refused something.
    pub async fn ping(&mut self) -> Result<(), NodeError> {
        self.wire.send(b"PING\r\n").await?;
        let deadline = Instant::now() + EXCHANGE_TIME_MAX;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.wire.comes(left).await? {
                return Err(slow());
            }
            if matches!(self.read().await?, Said::Pong) {
                return Ok(());
            }
        }
    }

    /// The next message within that time.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke, or the server refused something.
    pub async fn next(&mut self, within: Duration) -> Result<Option<Delivered>, NodeError> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.wire.comes(left).await? {
                return Ok(None);
            }
            if let Said::Message(delivered) = self.read().await? {
                return Ok(Some(delivered));
            }
        }
    }

    /// What the server says next.
    async fn read(&mut self) -> Result<Said, NodeError> {
        let line = self.wire.line(LINE_BYTES_MAX).await?;
        let line = std::str::from_utf8(&line).map_err(|_| garbled("NATS", "a line is no text"))?.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "PING" => self.wire.send(b"PONG\r\n").await.map(|()| Said::Other),
            "PONG" => Ok(Said::Pong),
            "MSG" => self.message(rest, false).await,
            "HMSG" => self.message(rest, true).await,
            "INFO" | "+OK" => Ok(Said::Other),
            "-ERR" => {
                let told = NodeError::operation(format!("NATS refused: {}", rest.trim_matches('\'')));
                Err(match rest.contains("uthorization") {
                    true => told.described("save the credential again with the right user, password or token"),
                    false => told,
                })
            }
            _ => Err(garbled("NATS", "a word that is none")),
        }
    }

    async fn message(&mut self, rest: &str, has_headers: bool) -> Result<Said, NodeError> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let number = |word: &&str| word.parse::<usize>().map_err(|_| garbled("NATS", "a length is none"));
        let sizes = if has_headers { 2 } else { 1 };
        let (names, numbers) = words.split_at(words.len().saturating_sub(sizes));
        let (head, whole) = match numbers {
            [whole] if !has_headers => (0, number(whole)?),
            [head, whole] => (number(head)?, number(whole)?),
            _ => return Err(garbled("NATS", "a message has no length")),
        };
        let (subject, reply) = match names {
            [subject, _] => (*subject, None),
            [subject, _, reply] => (*subject, Some((*reply).to_owned())),
            _ => return Err(garbled("NATS", "a message has no subject")),
        };
        let bytes = whole.checked_sub(head).ok_or_else(|| garbled("NATS", "a message is shorter than its headers"))?;
        if head > HEADERS_BYTES_MAX {
            return Err(garbled("NATS", "the headers of a message are too long"));
        }
        let headers = self.wire.exactly(head).await?;
        let read = if bytes > MESSAGE_BYTES_MAX { BEGINNING_BYTES } else { bytes };
        let content = self.wire.exactly(read).await?;
        self.wire.skip(bytes - read + 2).await?;
        let subject = subject.to_owned();
        Ok(Said::Message(Delivered { subject, reply, headers, content, bytes }))
    }
}

enum Said {
    Message(Delivered),
    Pong,
    Other,
}

fn slow() -> NodeError {
    NodeError::api(format!("NATS did not answer within {} s", EXCHANGE_TIME_MAX.as_secs()))
}

fn check(subject: &str) -> Result<(), NodeError> {
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control();
    if subject.is_empty() || subject.chars().count() > SUBJECT_CHARACTERS_MAX || subject.contains(is_odd) {
        let shown: String = subject.chars().take(100).collect();
        return Err(NodeError::operation(format!("'{shown}' is no subject: give words with points between them")));
    }
    Ok(())
}

fn checked(answer: &[u8]) -> Result<Value, NodeError> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| garbled("JetStream", error))?;
    match answer.pointer("/error/description").and_then(Value::as_str) {
        Some(words) => Err(NodeError::operation(format!("JetStream refused: {words}"))),
        None => Ok(answer),
    }
}
