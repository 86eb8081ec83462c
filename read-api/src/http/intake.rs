//! Bodies of requests, read within bounds. What is too large is still taken for a while, and thrown away: who is cut off while
//! it sends often never comes to read why.

use std::time::Duration;

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};

/// Most bytes of a refused body that are thrown away before the connection is closed.
const DRAINED_BYTES_MAX: usize = 32 << 20;
/// Longest time for that.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// Who sends nothing for so long reads the answer, or is gone.
const DRAIN_PAUSE_MAX: Duration = Duration::from_millis(250);

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum NotRead {
    /// It has more bytes than were allowed.
    TooLarge,
    /// It broke off, or is not encoded as it says.
    Broken(PayloadError),
}

/// Reads a body of at most `bytes_max` bytes.
pub(super) async fn read<S>(mut body: S, bytes_max: usize) -> Result<Bytes, NotRead>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let mut taken = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(NotRead::Broken)?;
        if taken.len() + chunk.len() > bytes_max {
            drop(taken);
            drain(body).await;
            return Err(NotRead::TooLarge);
        }
        taken.extend_from_slice(&chunk);
    }
    Ok(taken.freeze())
}

/// Throws away what is left of a refused body, as much of it as comes soon.
pub(super) async fn drain<S>(mut rest: S)
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let draining = async {
        let mut left = DRAINED_BYTES_MAX;
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(DRAIN_PAUSE_MAX, rest.next()).await {
            match left.checked_sub(chunk.len()) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // What does not come in time is cut off.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, draining).await;
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn chunks(count: usize) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin {
        stream::iter((0..count).map(|_| Ok(Bytes::from(vec![7; 1 << 20]))))
    }

    #[tokio::test]
    async fn what_fits_is_read_and_what_does_not_is_taken_to_its_end_within_bounds() {
        assert_eq!(read(chunks(2), 2 << 20).await.unwrap().len(), 2 << 20);
        let mut rest = chunks(5);
        assert!(matches!(read(&mut rest, 2 << 20).await, Err(NotRead::TooLarge)));
        assert!(rest.next().await.is_none(), "it was taken to its end");
        let mut rest = chunks(100);
        assert!(matches!(read(&mut rest, 2 << 20).await, Err(NotRead::TooLarge)));
        assert_eq!(rest.count().await, 100 - 3 - 33, "no more than is bounded");
    }

    #[tokio::test]
    async fn who_pauses_is_not_waited_for() {
        let mut rest = chunks(3).chain(stream::pending());
        let refused = tokio::time::timeout(DRAIN_TIME_MAX, read(&mut rest, 1 << 20)).await;
        assert!(matches!(refused, Ok(Err(NotRead::TooLarge))));
    }
}
