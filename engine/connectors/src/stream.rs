//! Streams that egress opened, whether they are secured or not.

use timeloom_egress::{EgressError, OutboundPolicy, Timeouts, TlsOptions, connect, secure, tls_config};
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream to another program.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for S {}

/// A stream to another program, behind a pointer.
pub(crate) type Stream = Box<dyn Duplex>;

/// Connects, and agrees on TLS where that is asked for.
///
/// # Errors
/// [`EgressError`].
pub(crate) async fn open(
    host: &str,
    port: u16,
    tls: Option<&TlsOptions>,
    policy: &OutboundPolicy,
    timeouts: Timeouts,
) -> Result<Stream, EgressError> {
    let stream = connect(host, port, policy, timeouts).await?;
    Ok(match tls {
        None => Box::new(stream),
        Some(options) => Box::new(secure(stream, host, tls_config(options)?, timeouts).await?),
    })
}
