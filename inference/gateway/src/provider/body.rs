//! Bodies of answers, never more of them than a limit, packed or not.

use std::io::Write as _;

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::http::{Answer, broken};
use crate::error::CallError;

/// Most bytes of an error's body that are read.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// Packed bytes that are unpacked at a time: one byte makes at most about a thousand.
const UNPACKED_AT_ONCE_BYTES: usize = 4 << 10;

/// Reads a body to its end.
pub(super) async fn read(answer: Answer, bytes_max: usize) -> Result<Bytes, CallError> {
    let mut chunks = Chunks::new(answer, bytes_max)?;
    let Some(first) = chunks.next().await? else { return Ok(Bytes::new()) };
    let Some(second) = chunks.next().await? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second);
    while let Some(chunk) = chunks.next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Reads as much of an error as comes.
pub(super) async fn read_some(answer: Answer) -> Bytes {
    read(answer, ERROR_BYTES_MAX).await.unwrap_or_default()
}

/// A body, chunk by chunk.
pub(super) struct Chunks {
    body: Incoming,
    unpack: Option<MultiGzDecoder<Vec<u8>>>,
    bytes_left: usize,
    bytes_max: usize,
}

impl Chunks {
    pub(super) fn new(answer: Answer, bytes_max: usize) -> Result<Self, CallError> {
        let packed = match answer.headers().get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
            None | Some(b"identity" | b"") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(_) => return Err(CallError::garbage("it is packed in a way that was not asked for")),
        };
        let unpack = packed.then(|| MultiGzDecoder::new(Vec::new()));
        Ok(Self { body: answer.into_body(), unpack, bytes_left: bytes_max, bytes_max })
    }

    /// The next chunk, if there is one.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        while let Some(frame) = self.body.frame().await {
            let Ok(chunk) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            let chunk = self.unpacked(chunk)?;
            self.bytes_left = self.bytes_left.checked_sub(chunk.len()).ok_or_else(|| too_large(self.bytes_max))?;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// What is left of it, to be thrown away.
    pub(super) fn into_rest(self) -> Incoming {
        self.body
    }

    fn unpacked(&mut self, chunk: Bytes) -> Result<Bytes, CallError> {
        let Some(unpack) = &mut self.unpack else { return Ok(chunk) };
        for part in chunk.chunks(UNPACKED_AT_ONCE_BYTES) {
            let written = unpack.write_all(part).and_then(|()| unpack.flush());
            written.map_err(|error| CallError::garbage(format!("it is packed wrongly ({error})")))?;
            if unpack.get_ref().len() > self.bytes_left {
                return Err(too_large(self.bytes_max));
            }
        }
        Ok(std::mem::take(unpack.get_mut()).into())
    }
}

fn too_large(bytes_max: usize) -> CallError {
    CallError::garbage(format!("it is larger than {bytes_max} bytes"))
}
