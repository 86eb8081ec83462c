//! A stream on its way to a client, written anew piece by piece.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use timeloom_domain::chat::Delta;
use timeloom_gateway::CallError;
use timeloom_gateway::upstream::Piece;

/// Writes pieces in the words of a protocol.
pub(crate) trait Writing: Send + 'static {
    /// What a piece is in them; nothing where it comes later.
    fn write(&mut self, delta: &Delta) -> Result<Bytes, CallError>;

    /// What ends the stream.
    fn end(&mut self) -> Result<Bytes, CallError>;

    /// What ends a stream that failed.
    fn failed(&self, error: &CallError) -> Bytes;
}

/// The bytes of a stream. Dropping it cancels the call.
pub(crate) fn written(
    pieces: BoxStream<'static, Result<Piece, CallError>>,
    writing: impl Writing,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some((pieces, writing)), |under_way| async move {
        let (mut pieces, mut writing) = under_way?;
        loop {
            let bytes = match pieces.next().await {
                Some(Ok(piece)) => all(&mut writing, &piece.deltas),
                Some(Err(error)) => Err(error),
                None => {
                    let last = writing.end().unwrap_or_else(|error| writing.failed(&error));
                    return Some((Ok(last), None));
                }
            };
            match bytes {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some((Ok(bytes), Some((pieces, writing)))),
                Err(error) => return Some((Ok(writing.failed(&error)), None)),
            }
        }
    })
}

fn all(writing: &mut impl Writing, deltas: &[Delta]) -> Result<Bytes, CallError> {
    let mut bytes = BytesMut::new();
    for delta in deltas {
        bytes.extend_from_slice(&writing.write(delta)?);
    }
    Ok(bytes.freeze())
}
