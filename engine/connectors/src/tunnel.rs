//! How a database is reached: straight, or through a server of SSH that reaches it.
//!
//! Rules of egress count for the server of SSH. What is connected to from there is that server's choice: it looks the name up,
//! and its own rules say where it connects to. Invariant: each connection has a session of its own, which ends with it.

use std::io;
#[cfg(feature = "databases")]
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use timeloom_egress::{OutboundPolicy, Timeouts, connect};
use timeloom_engine::node::NodeError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(feature = "databases")]
use tokio::net::TcpListener;
#[cfg(feature = "databases")]
use tokio::task::JoinSet;

use crate::fields::Fields;
#[cfg(feature = "ssh")]
use crate::ssh::{HostKeys, Server, Session};
use crate::stream::Stream;

/// How a credential wants its server to be reached.
pub(crate) enum Way {
    /// From here.
    Straight,
    /// From a server of SSH.
    #[cfg(feature = "ssh")]
    Tunnel(Box<Server>),
}

/// A way whose beginning is open.
pub(crate) enum Route {
    /// From here.
    Straight,
    /// From the server of SSH with which this session is.
    #[cfg(feature = "ssh")]
    Tunnel(Session),
}

impl Way {
    /// The way that the fields of a credential name.
    ///
    /// # Errors
    /// [`NodeError`] when they name a tunnel, and something that it needs is missing or is none.
    pub fn of(fields: &Fields) -> Result<Self, NodeError> {
        if !fields.truth("sshTunnel") {
            return Ok(Self::Straight);
        }
        Self::tunnel(fields)
    }

    #[cfg(feature = "ssh")]
    fn tunnel(fields: &Fields) -> Result<Self, NodeError> {
        let by_key = match fields.text("sshAuthenticateWith").as_str() {
            "" | "password" => false,
            "privateKey" => true,
            other => {
                return Err(NodeError::operation(format!("an SSH tunnel signs in by no '{other}'"))
                    .described("let 'sshAuthenticateWith' of the credential be password or privateKey"));
            }
        };
        let (private_key, password) = if by_key {
            (Some(fields.needed("privateKey")?), None)
        } else {
            (None, Some(fields.needed("sshPassword")?))
        };
        Ok(Self::Tunnel(Box::new(Server {
            host: fields.needed("sshHost")?,
            port: fields.port_named("sshPort", 22)?,
            user: fields.needed("sshUser")?,
            private_key,
            passphrase: fields.some_text("passphrase"),
            password,
            known: HostKeys::read(fields, "sshHostKey")?,
        })))
    }

    #[cfg(not(feature = "ssh"))]
    fn tunnel(_: &Fields) -> Result<Self, NodeError> {
        Err(NodeError::operation("this build has no SSH, and so no SSH tunnels")
            .described("use a build with the feature 'ssh', or turn the tunnel off in the credential"))
    }

    /// Opens its beginning, within that time.
    ///
    /// # Errors
    /// [`NodeError`] when the server of SSH is refused, cannot be reached, is another one, or lets nobody in.
    #[cfg_attr(
        not(feature = "ssh"),
        expect(unused_variables, clippy::unused_async, reason = "a build without SSH opens nothing")
    )]
    pub async fn open(&self, policy: &OutboundPolicy, within: Duration) -> Result<Route, NodeError> {
        match self {
            Self::Straight => Ok(Route::Straight),
            #[cfg(feature = "ssh")]
            Self::Tunnel(server) => {
                let session = Session::open(server, policy, within).await.map_err(no_tunnel)?;
                // From here on it is the one who reads what comes through it that says how much it may be; what nobody takes
                // waits on the other side.
                session.meter.grant(usize::MAX);
                Ok(Route::Tunnel(session))
            }
        }
    }
}

impl Route {
    /// Connects to the server at its end, within that time.
    ///
    /// # Errors
    /// [`NodeError`] when it is refused or cannot be reached.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        policy: &OutboundPolicy,
        within: Duration,
    ) -> Result<Reached, NodeError> {
        match self.through(host, port, within).await? {
            Some(stream) => Ok(Reached(stream)),
            None => Ok(Reached(Box::new(connect(host, port, policy, Timeouts { connect: within }).await?))),
        }
    }

    /// A connection through the tunnel; `None` where there is none.
    ///
    /// # Errors
    /// [`NodeError`] when the server of SSH may not connect, or does not reach the other one.
    #[cfg_attr(
        not(feature = "ssh"),
        expect(unused_variables, clippy::unused_async, reason = "a build without SSH opens nothing")
    )]
    pub async fn through(&self, host: &str, port: u16, within: Duration) -> Result<Option<Stream>, NodeError> {
        match self {
            Self::Straight => Ok(None),
            #[cfg(feature = "ssh")]
            Self::Tunnel(session) => {
                let stream = session.forwarded(host, port, within).await.map_err(no_tunnel)?;
                Ok(Some(Box::new(stream)))
            }
        }
    }
}

#[cfg(feature = "ssh")]
fn no_tunnel(error: NodeError) -> NodeError {
    NodeError { message: format!("no SSH tunnel: {}", error.message), ..error }
}

/// A connection to a server, whichever way it goes. It is a type of its own since the client of PostgreSQL takes none with a
/// lifetime in it, as a pointer to a trait has.
pub(crate) struct Reached(Stream);

impl AsyncRead for Reached {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Reached {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A stream for a client that connects by itself: a port of this machine that takes one connection, and no other after it.
#[cfg(feature = "databases")]
pub(crate) struct Doorway {
    /// Where it takes the connection.
    pub address: SocketAddr,
    /// What moves bytes to and fro; it ends with the doorway.
    _moving: JoinSet<()>,
}

#[cfg(feature = "databases")]
impl Doorway {
    /// A doorway to the other side of that stream.
    ///
    /// # Errors
    /// [`NodeError`] when this machine has no port for it.
    pub async fn to(mut far: Stream) -> Result<Self, NodeError> {
        let bound = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            Ok::<_, io::Error>((listener.local_addr()?, listener))
        };
        let (address, listener) = bound.await.map_err(|error| {
            NodeError::api(format!("this machine has no port for the near end of an SSH tunnel: {error}"))
        })?;
        let mut moving = JoinSet::new();
        moving.spawn(async move {
            let Ok((mut near, _)) = listener.accept().await else { return };
            drop(listener);
            // The protocol waits for each small packet.
            let _ = near.set_nodelay(true);
            if let Err(error) = tokio::io::copy_bidirectional(&mut near, &mut far).await {
                tracing::debug!(%error, "an SSH tunnel ended");
            }
        });
        Ok(Self { address, _moving: moving })
    }
}
