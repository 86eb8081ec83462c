//! The body of a request: bytes in memory and attachments in the order in which they are sent. Attachments are read while
//! they are sent, and never in memory as a whole.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::item::BinaryData;
use timeloom_engine::node::{Binaries, NodeError};

/// A body. Cheap to clone: a redirect may ask for it again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Bytes(Bytes),
    Attachment(Box<BinaryData>, Binaries),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self(vec![Piece::Bytes(bytes.into())])
    }
}

impl Content {
    /// Adds bytes.
    pub fn push(&mut self, bytes: impl Into<Bytes>) {
        self.0.push(Piece::Bytes(bytes.into()));
    }

    /// Adds what an attachment holds.
    pub fn push_attachment(&mut self, attachment: BinaryData, binaries: Binaries) {
        self.0.push(Piece::Attachment(Box::new(attachment), binaries));
    }

    /// The body to send, and its length where all of it is known.
    ///
    /// # Errors
    /// [`NodeError`] when an attachment cannot be read.
    pub fn body(&self) -> Result<(reqwest::Body, Option<usize>), NodeError> {
        if let [Piece::Bytes(bytes)] = self.0.as_slice() {
            return Ok((bytes.clone().into(), Some(bytes.len())));
        }
        let (mut streams, mut length) = (Vec::new(), Some(0));
        for piece in &self.0 {
            let (parts, bytes) = match piece {
                Piece::Bytes(bytes) => (stream::iter([Ok(bytes.clone())]).boxed(), Some(bytes.len())),
                Piece::Attachment(attachment, binaries) => binaries.stream(attachment)?,
            };
            length = length.zip(bytes).map(|(length, bytes)| length + bytes);
            streams.push(parts);
        }
        Ok((reqwest::Body::wrap_stream(stream::iter(streams).flatten()), length))
    }

    /// SHA-256 of what is sent, in hex. Attachments are read for it, and never in memory as a whole.
    ///
    /// # Errors
    /// [`NodeError`] when an attachment cannot be read.
    pub async fn sha256(&self) -> Result<String, NodeError> {
        let mut digest = Sha256::new();
        for piece in &self.0 {
            match piece {
                Piece::Bytes(bytes) => digest.update(bytes),
                Piece::Attachment(attachment, binaries) => {
                    let (mut parts, _) = binaries.stream(attachment)?;
                    while let Some(part) = parts.next().await {
                        digest.update(part?);
                    }
                }
            }
        }
        Ok(hexadecimal(&digest.finalize()))
    }
}

#[cfg(test)]
impl Content {
    /// All of it, for tests.
    pub fn whole(&self) -> Vec<u8> {
        let piece = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.to_vec(),
            Piece::Attachment(attachment, binaries) => binaries.read_blocking(attachment).unwrap().to_vec(),
        };
        self.0.iter().flat_map(piece).collect()
    }
}
