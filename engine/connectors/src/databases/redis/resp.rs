//! The protocol of Redis, version 2: requests are lists of texts, answers are read with bounds on their size and depth.

use std::fmt;
use std::io;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Deepest nesting of lists in an answer.
const DEPTH_MAX: usize = 8;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;
/// What an element of a list takes in memory beside its text, in bytes.
const ELEMENT_BYTES: usize = 32;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A word such as `OK`.
    Simple(String),
    /// A number.
    Number(i64),
    /// A text; it may be any bytes.
    Text(Vec<u8>),
    /// Nothing.
    Nothing,
    /// Several answers.
    List(Vec<Reply>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplyError {
    /// The server says no.
    #[error("{0}")]
    Refused(String),
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What came is no answer.
    #[error("the server sent what is none of the protocol")]
    Garbage,
    /// The answer is too large.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
}

impl Reply {
    /// As text; what is no text is written out.
    pub fn text(self) -> Option<String> {
        match self {
            Self::Simple(text) => Some(text),
            Self::Number(number) => Some(number.to_string()),
            Self::Text(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Self::Nothing | Self::List(_) => None,
        }
    }

    /// As a list of texts.
    pub fn texts(self) -> Vec<String> {
        match self {
            Self::List(parts) => parts.into_iter().map(|part| part.text().unwrap_or_default()).collect(),
            other => other.text().into_iter().collect(),
        }
    }
}

/// A connection.
pub(crate) struct Connection<S> {
    stream: S,
    read: BytesMut,
    /// How many more bytes of this answer may come.
    left: usize,
    bytes_max: usize,
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// One of whose answers none may have more than so many bytes.
    pub fn new(stream: S, bytes_max: usize) -> Self {
        Self { stream, read: BytesMut::new(), left: bytes_max, bytes_max }
    }

    /// Sends a command and reads its answer.
    ///
    /// # Errors
    /// [`ReplyError`]. After one that is no [`ReplyError::Refused`] the connection is of no more use.
    pub async fn ask(&mut self, command: &[&[u8]]) -> Result<Reply, ReplyError> {
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            request.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            request.extend_from_slice(part);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request).await?;
        self.stream.flush().await?;
        self.left = self.bytes_max;
        self.reply().await
    }

    /// Reads one answer. What is within it is read without recursion: nesting is bounded.
    async fn reply(&mut self) -> Result<Reply, ReplyError> {
        let mut open: Vec<(usize, Vec<Reply>)> = Vec::new();
        let mut refused = None;
        loop {
            let mut done = match self.element().await? {
                Element::Whole(reply) => reply,
                Element::Refused(message) => {
                    refused.get_or_insert(message);
                    Reply::Nothing
                }
                Element::List(0) => Reply::List(Vec::new()),
                Element::List(count) => {
                    if open.len() == DEPTH_MAX {
                        return Err(ReplyError::Garbage);
                    }
                    open.push((count, Vec::new()));
                    continue;
                }
            };
            loop {
                let Some((missing, mut parts)) = open.pop() else {
                    return refused.map_or(Ok(done), |message| Err(ReplyError::Refused(message)));
                };
                parts.push(done);
                if missing > 1 {
                    open.push((missing - 1, parts));
                    break;
                }
                done = Reply::List(parts);
            }
        }
    }

    async fn element(&mut self) -> Result<Element, ReplyError> {
        self.take(ELEMENT_BYTES)?;
        let line = self.line().await?;
        let (kind, rest) = line.split_at_checked(1).ok_or(ReplyError::Garbage)?;
        let number = || rest.parse::<i64>().map_err(|_| ReplyError::Garbage);
        Ok(match kind {
            "+" => Element::Whole(Reply::Simple(rest.to_owned())),
            "-" => Element::Refused(rest.to_owned()),
            ":" => Element::Whole(Reply::Number(number()?)),
            "$" => match usize::try_from(number()?) {
                Err(_) => Element::Whole(Reply::Nothing),
                Ok(length) => Element::Whole(Reply::Text(self.bytes(length).await?)),
            },
            "*" => usize::try_from(number()?).map_or(Element::Whole(Reply::Nothing), Element::List),
            _ => return Err(ReplyError::Garbage),
        })
    }

    async fn line(&mut self) -> Result<String, ReplyError> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\r\n") {
                self.take(end)?;
                let line = self.read.split_to(end);
                self.read.advance(2);
                return String::from_utf8(line.to_vec()).map_err(|_| ReplyError::Garbage);
            }
            if self.read.len() > LINE_BYTES_MAX {
                return Err(ReplyError::Garbage);
            }
            self.more().await?;
        }
    }

    async fn bytes(&mut self, length: usize) -> Result<Vec<u8>, ReplyError> {
        self.take(length)?;
        while self.read.len() < length + 2 {
            self.more().await?;
        }
        let text = self.read.split_to(length).to_vec();
        if self.read.split_to(2) != b"\r\n"[..] {
            return Err(ReplyError::Garbage);
        }
        Ok(text)
    }

    async fn more(&mut self) -> Result<(), ReplyError> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> Result<(), ReplyError> {
        self.left = self.left.checked_sub(bytes).ok_or(ReplyError::TooLarge(self.bytes_max))?;
        Ok(())
    }
}

enum Element {
    Whole(Reply),
    Refused(String),
    List(usize),
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    async fn answered(answer: &[u8], bytes_max: usize) -> Result<Reply, ReplyError> {
        let (ours, mut theirs) = duplex(1 << 20);
        theirs.write_all(answer).await.unwrap();
        let mut connection = Connection::new(ours, bytes_max);
        let (answer, heard) = tokio::join!(connection.ask(&[b"GET", b"a\r\n"]), async {
            let mut heard = [0; 22];
            theirs.read_exact(&mut heard).await.unwrap();
            drop(theirs);
            heard
        });
        assert_eq!(&heard, b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n");
        answer
    }

    #[tokio::test]
    async fn answers_are_read_whatever_is_in_them() {
        let list = Reply::List(vec![
            Reply::Number(-7),
            Reply::Nothing,
            Reply::List(vec![Reply::Simple("OK".to_owned()), Reply::List(Vec::new())]),
            Reply::Text(b"a\r\n\xff".to_vec()),
        ]);
        let sent = b"*4\r\n:-7\r\n$-1\r\n*2\r\n+OK\r\n*0\r\n$4\r\na\r\n\xff\r\n";
        assert_eq!(answered(sent, 4_096).await.unwrap(), list);
        let refused = answered(b"-WRONGTYPE no\r\n", 4_096).await.unwrap_err();
        assert!(matches!(&refused, ReplyError::Refused(message) if message == "WRONGTYPE no"), "{refused}");
    }

    #[tokio::test]
    async fn what_is_no_answer_or_too_large_ends_the_reading() {
        for garbage in [&b"HTTP/1.1 400\r\n"[..], b"$x\r\n", b"\r\n", b"$1\r\nabc\r\n", b":\xff\r\n"] {
            let error = answered(garbage, 4_096).await.unwrap_err();
            assert!(matches!(error, ReplyError::Garbage), "{error}");
        }
        let deep = "*1\r\n".repeat(DEPTH_MAX + 1);
        assert!(matches!(answered(deep.as_bytes(), 4_096).await, Err(ReplyError::Garbage)));
        for large in ["$1000000000000\r\n", "*1000000\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"] {
            let error = answered(large.as_bytes(), 128).await.unwrap_err();
            assert!(matches!(error, ReplyError::TooLarge(128)), "{error}");
        }
        assert!(matches!(answered(b"$5\r\nab", 4_096).await, Err(ReplyError::Io(_))));
    }
}
