//! One connection to Redis, in the second version of its protocol.

use std::time::Duration;

use timeloom_egress::OutboundPolicy;
use timeloom_engine::node::NodeError;

use super::super::content::{MESSAGE_BYTES_MAX, server};
use crate::fields::Fields;
use crate::wire::{Wire, garbled};

/// Most parts of one reply, in all its lists.
const PARTS_MAX: usize = 100_000;
/// Most bytes of one reply.
const REPLY_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Most bytes of a line.
const LINE_BYTES_MAX: usize = 4_096;
/// How deep lists lie in lists.
const DEPTH_MAX: usize = 8;
/// Bytes of a text that is too large that are read, to tell which it was.
const BEGINNING_BYTES: usize = 64 << 10;

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Text(Vec<u8>),
    Number(i64),
    List(Vec<Reply>),
    Nothing,
    Error(String),
}

/// A text that was too large.
#[derive(Debug)]
pub(super) struct TooLarge {
    pub bytes: usize,
    pub beginning: Vec<u8>,
}

impl TooLarge {
    /// Why it is left out.
    pub fn reason(&self) -> String {
        format!("the message has {} bytes, at most {MESSAGE_BYTES_MAX} are taken", self.bytes)
    }
}

impl Reply {
    /// The reply, where it is no error.
    ///
    /// # Errors
    /// [`NodeError`] with the server's words.
    pub fn checked(self) -> Result<Self, NodeError> {
        match self {
            Self::Error(words) => {
                let told = NodeError::operation(format!("Redis refused: {words}"));
                let is_about_who = words.starts_with("NOAUTH") || words.starts_with("WRONGPASS");
                Err(if is_about_who {
                    told.described("save the credential again with the right user and password")
                } else {
                    told
                })
            }
            other => Ok(other),
        }
    }

    /// Its texts, where it is a list of texts and numbers.
    pub fn texts(&self) -> Option<Vec<Vec<u8>>> {
        let Self::List(parts) = self else { return None };
        let text = |part: &Self| match part {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string().into_bytes()),
            _ => None,
        };
        parts.iter().map(text).collect()
    }
}

/// One connection.
pub(super) struct Client {
    wire: Wire,
    too_large: Option<TooLarge>,
}

impl Client {
    /// Connects and signs in.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn connect(fields: &Fields, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let server = server(fields, "host", 6_379, fields.truth("ssl"))?;
        let mut client = Self { wire: Wire::open(&server, policy).await?, too_large: None };
        if let Some(password) = fields.some_text("password") {
            let user = fields.some_text("user");
            let mut sign_in: Vec<&[u8]> = vec![&b"AUTH"[..]];
            sign_in.extend(user.as_deref().map(str::as_bytes));
            sign_in.push(password.as_bytes());
            client.ask(&sign_in).await?;
        }
        let database = fields.count("database", 0)?;
        if database > 0 {
            client.ask(&[b"SELECT", database.to_string().as_bytes()]).await?;
        }
        Ok(client)
    }

    /// Sends a command, and answers its reply where that is no error.
    ///
    /// # Errors
    /// [`NodeError`] when it is one, or the connection broke.
    pub async fn ask(&mut self, command: &[&[u8]]) -> Result<Reply, NodeError> {
        self.send(command).await?;
        self.reply().await?.checked()
    }

    /// Sends a command.
    ///
    /// # Errors
    /// [`NodeError`] when the connection broke.
    pub async fn send(&mut self, command: &[&[u8]]) -> Result<(), NodeError> {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            bytes.extend(format!("${}\r\n", part.len()).as_bytes());
            bytes.extend(*part);
            bytes.extend(b"\r\n");
        }
        self.wire.send(&bytes).await
    }

    /// Whether anything comes within that time.
    ///
    /// # Errors
    /// [`NodeError`] when the connection has ended.
    pub async fn comes(&mut self, within: Duration) -> Result<bool, NodeError> {
        self.wire.comes(within).await
    }

    /// The next reply, at once or as soon as the server is asked to answer.
    ///
    /// # Errors
    /// [`NodeError`] when it is none, or too large.
    pub async fn reply(&mut self) -> Result<Reply, NodeError> {
        let mut room = Room { parts: PARTS_MAX, bytes: REPLY_BYTES_MAX };
        self.part(0, &mut room).await
    }

    /// A text that was too large, of the last reply: nothing stands in its place.
    pub fn take_too_large(&mut self) -> Option<TooLarge> {
        self.too_large.take()
    }

    fn part<'a>(
        &'a mut self,
        depth: usize,
        room: &'a mut Room,
    ) -> futures::future::BoxFuture<'a, Result<Reply, NodeError>> {
        Box::pin(async move {
            let line = self.wire.line(LINE_BYTES_MAX).await?;
            let text = std::str::from_utf8(&line).map_err(|_| garbled("the protocol of Redis", "a line is no text"))?;
            let mut letters = text.chars();
            let (kind, rest) = (letters.next(), letters.as_str());
            room.parts =
                room.parts.checked_sub(1).ok_or_else(|| garbled("the protocol of Redis", "a reply is too long"))?;
            match kind {
                Some('+') => Ok(Reply::Text(rest.as_bytes().to_vec())),
                Some('-') => Ok(Reply::Error(rest.to_owned())),
                Some(':') => Ok(Reply::Number(number(rest)?)),
                Some('$') => match number(rest)? {
                    length if length < 0 => Ok(Reply::Nothing),
                    length => self.text(usize::try_from(length).unwrap_or(usize::MAX), room).await,
                },
                Some('*') => match number(rest)? {
                    count if count < 0 => Ok(Reply::Nothing),
                    _ if depth >= DEPTH_MAX => Err(garbled("the protocol of Redis", "lists lie too deep")),
                    count => {
                        let count = usize::try_from(count).unwrap_or(usize::MAX);
                        let mut parts = Vec::with_capacity(count.min(1_024));
                        for _ in 0..count {
                            parts.push(self.part(depth + 1, room).await?);
                        }
                        Ok(Reply::List(parts))
                    }
                },
                _ => Err(garbled("the protocol of Redis", "a reply of no kind")),
            }
        })
    }

    async fn text(&mut self, length: usize, room: &mut Room) -> Result<Reply, NodeError> {
        if length > MESSAGE_BYTES_MAX {
            // Redis itself has none of more than 512 MiB.
            if length > 1 << 30 {
                return Err(garbled("the protocol of Redis", "a text is too long"));
            }
            let beginning = self.wire.exactly(BEGINNING_BYTES).await?;
            self.wire.skip(length - BEGINNING_BYTES + 2).await?;
            self.too_large = Some(TooLarge { bytes: length, beginning });
            return Ok(Reply::Nothing);
        }
        room.bytes =
            room.bytes.checked_sub(length).ok_or_else(|| garbled("the protocol of Redis", "a reply is too large"))?;
        let text = self.wire.exactly(length).await?;
        self.wire.skip(2).await?;
        Ok(Reply::Text(text))
    }
}

/// How much more a reply may have.
struct Room {
    parts: usize,
    bytes: usize,
}

fn number(text: &str) -> Result<i64, NodeError> {
    text.parse().map_err(|_| garbled("the protocol of Redis", "a number is none"))
}
