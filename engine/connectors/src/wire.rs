//! A connection to a server whose protocol is spoken here: every read has a size and a time.
//!
//! Never reads what it was not asked for, so that a server that sends without end fills a buffer of a fixed size. Invariant:
//! waiting for something to come may be given up at any time; reading it is done to its end or fails.

use std::time::Duration;

use timeloom_egress::{EgressError, OutboundPolicy, Timeouts, TlsOptions, connect, secure, tls_config};
use timeloom_engine::node::NodeError;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

/// Longest time until there is a connection, and again until it is secured.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest time for a whole answer or message, once it has begun, and for everything that is sent.
pub(crate) const EXCHANGE_TIME_MAX: Duration =
    if cfg!(test) { Duration::from_millis(500) } else { Duration::from_secs(30) };
/// Bytes that are read at once of what is thrown away.
const SKIPPED_BYTES: usize = 16 << 10;

/// Anything that bytes go through both ways.
trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for S {}

/// A server to connect to.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured; `None` for not at all.
    pub tls: Option<TlsOptions>,
}

/// A connection.
pub(crate) struct Wire {
    stream: BufReader<Box<dyn Duplex>>,
    /// Whether others can read what goes through it.
    is_secured: bool,
}

impl Wire {
    /// Connects where the policy allows it.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn open(server: &Server, policy: &OutboundPolicy) -> Result<Self, NodeError> {
        let timeouts = Timeouts { connect: CONNECT_TIME_MAX };
        let stream = connect(&server.host, server.port, policy, timeouts).await.map_err(|error| unreached(&error))?;
        let plain = Self { stream: BufReader::new(Box::new(stream)), is_secured: false };
        match &server.tls {
            Some(options) => plain.secured(&server.host, options).await,
            None => Ok(plain),
        }
    }

    /// Agrees on TLS over it. Nothing that came before that is believed.
    ///
    /// # Errors
    /// [`NodeError`] that says what to do.
    pub async fn secured(self, host: &str, options: &TlsOptions) -> Result<Self, NodeError> {
        let timeouts = Timeouts { connect: CONNECT_TIME_MAX };
        if !self.stream.buffer().is_empty() {
            return Err(NodeError::api(
                "the server sent more before the connection was secured: somebody may be in between",
            ));
        }
        let config = tls_config(options).map_err(|error| unreached(&error))?;
        let secured = secure(self.stream.into_inner(), host, config, timeouts).await;
        let secured = secured.map_err(|error| unreached(&error))?;
        Ok(Self { stream: BufReader::new(Box::new(secured)), is_secured: true })
    }

    /// Whether others cannot read what goes through it.
    pub fn is_secured(&self) -> bool {
        self.is_secured
    }

    /// Whether anything comes within that time. May be given up at any time: nothing is lost.
    ///
    /// # Errors
    /// [`NodeError`] when the connection has ended.
    pub async fn comes(&mut self, within: Duration) -> Result<bool, NodeError> {
        match timeout(within, self.stream.fill_buf()).await {
            Err(_) => Ok(false),
            Ok(Ok([])) => Err(ended()),
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) => Err(broken(&error)),
        }
    }

    /// The next so many bytes; who asks knows that they are not too many.
    ///
    /// # Errors
    /// [`NodeError`] when they do not come in time.
    pub async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, NodeError> {
        let mut bytes = vec![0; count];
        within(self.stream.read_exact(&mut bytes)).await?;
        Ok(bytes)
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`NodeError`] when it does not come in time.
    pub async fn byte(&mut self) -> Result<u8, NodeError> {
        within(self.stream.read_u8()).await
    }

    /// Reads so many bytes and throws them away.
    ///
    /// # Errors
    /// [`NodeError`] when they do not come, each part in time.
    pub async fn skip(&mut self, mut count: usize) -> Result<(), NodeError> {
        let mut part = vec![0; SKIPPED_BYTES.min(count)];
        while count > 0 {
            let now = part.len().min(count);
            within(self.stream.read_exact(part.get_mut(..now).unwrap_or_default())).await?;
            count -= now;
        }
        Ok(())
    }

    /// The next line, without its end, of at most so many bytes.
    ///
    /// # Errors
    /// [`NodeError`] when it is longer, or does not come in time.
    pub async fn line(&mut self, bytes_max: usize) -> Result<Vec<u8>, NodeError> {
        let mut line = Vec::new();
        within(async {
            loop {
                let byte = self.stream.read_u8().await?;
                if byte == b'\n' {
                    return Ok(());
                }
                line.push(byte);
                if line.len() > bytes_max.saturating_add(1) {
                    return Err(std::io::Error::other("the server sends a line that is too long"));
                }
            }
        })
        .await?;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// Sends bytes, all of them.
    ///
    /// # Errors
    /// [`NodeError`] when the other side does not take them in time.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        within(async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await
    }

    /// The stream itself, for a client that speaks over it. Nothing may have come yet.
    #[cfg(test)]
    pub fn of(stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)), is_secured: false }
    }
}

async fn within<T>(exchange: impl Future<Output = std::io::Result<T>>) -> Result<T, NodeError> {
    match timeout(EXCHANGE_TIME_MAX, exchange).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_) => Err(NodeError::api(format!(
            "the server did not answer within {} s: see whether it is busy, or does not speak this protocol",
            EXCHANGE_TIME_MAX.as_secs()
        ))),
    }
}

fn broken(error: &std::io::Error) -> NodeError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => ended(),
        _ => NodeError::api(format!("the connection broke: {error}")),
    }
}

fn ended() -> NodeError {
    NodeError::api("the server ended the connection")
}

/// A failure to connect, in words.
pub(crate) fn unreached(error: &EgressError) -> NodeError {
    let told =
        if error.is_refusal() { NodeError::operation(error.to_string()) } else { NodeError::api(error.to_string()) };
    told.described(error.advice())
}

/// What the other side sends is not of its protocol.
pub(crate) fn garbled(protocol: &str, what: impl std::fmt::Display) -> NodeError {
    NodeError::api(format!("the server does not speak {protocol} as it should: {what}"))
        .described("check host and port, and whether the connection is to be secured")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex, join, repeat, sink};

    use super::*;

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let (ours, _theirs) = duplex(64);
        let mut wire = Wire::of(ours);
        assert!(!wire.comes(Duration::from_millis(10)).await.unwrap());
        let error = wire.line(100).await.unwrap_err();
        assert!(error.message.contains("did not answer within"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_drips_is_given_up_however_often_it_drips() {
        let (ours, mut theirs) = duplex(64);
        let mut wire = Wire::of(ours);
        let dripping = async {
            loop {
                if theirs.write_all(b"x").await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = dripping => panic!("nobody is to hang up"),
            line = wire.line(1_000) => assert!(line.unwrap_err().message.contains("did not answer")),
        }
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused_at_its_bound() {
        let mut wire = Wire::of(join(repeat(b'x'), sink()));
        let error = wire.line(1_000).await.unwrap_err();
        assert!(error.message.contains("too long"), "{error}");
    }

    #[tokio::test]
    async fn what_follows_a_line_stays_to_be_read() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"one\r\ntwo\nrest").await.unwrap();
        let mut wire = Wire::of(ours);
        assert_eq!(wire.line(10).await.unwrap(), b"one");
        assert_eq!(wire.line(10).await.unwrap(), b"two");
        wire.skip(2).await.unwrap();
        assert_eq!(wire.exactly(2).await.unwrap(), b"st");
        drop(theirs);
        assert_eq!(wire.byte().await.unwrap_err().message, "the server ended the connection");
    }
}
