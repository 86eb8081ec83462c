//! A stream from which no more is read than was granted, and what one read took besides: a server that sends for ever ends in an
//! error, not in memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many more bytes may be read. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    left: Arc<AtomicUsize>,
}

impl Meter {
    /// A meter that grants so many bytes.
    pub fn new(bytes: usize) -> Self {
        let meter = Self::default();
        meter.grant(bytes);
        meter
    }

    /// Grants so many bytes from now on, whatever was left.
    pub fn grant(&self, bytes: usize) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// Whether all that was granted was read.
    pub fn is_used_up(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn take(&self, bytes: usize) {
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
    }
}

/// A stream whose reader is metered. Writing is not.
#[derive(Debug)]
pub struct Metered<S> {
    inner: S,
    meter: Meter,
}

impl<S> Metered<S> {
    /// The stream, of which `meter` grants bytes.
    pub fn new(inner: S, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.is_used_up() {
            return Poll::Ready(Err(io::Error::other("the server sent more than may be read")));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.meter.take(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn no_more_is_read_than_was_granted_and_what_one_read_took() {
        let meter = Meter::new(10_000);
        let mut endless = Metered::new(tokio::io::join(tokio::io::repeat(7), tokio::io::sink()), meter.clone());
        let (mut part, mut count) = ([0; 600], 0);
        let error = loop {
            match endless.read(&mut part).await {
                Ok(read) => count += read,
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("more than may be read") && meter.is_used_up(), "{error}");
        assert!((10_000..10_600).contains(&count), "{count}");
        meter.grant(600);
        endless.read_exact(&mut part).await.unwrap();
    }
}
