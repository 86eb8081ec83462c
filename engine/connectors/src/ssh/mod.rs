//! Sessions by SSH: with a server whose key the credential knows, through the rules of egress, read within bounds.
//!
//! Never signs in on a server that has another key. Invariant: at most [`OVERHEAD_BYTES`] are read until somebody is let in.

mod host_key;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::client::{Handle, Handler, Msg, connect_stream};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{Channel, Disconnect, Preferred, client};
use timeloom_egress::{EgressError, Meter, Metered, OutboundPolicy, Timeouts, connect};
use timeloom_engine::node::NodeError;
use tokio::net::TcpStream;

pub(crate) use self::host_key::HostKeys;

/// Most bytes that may come until somebody is let in, and besides what is asked for.
pub(crate) const OVERHEAD_BYTES: usize = 1 << 20;

/// A server, and who signs in there. The key is tried before the password.
pub(crate) struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who signs in.
    pub user: String,
    /// The private key, in PEM form.
    pub private_key: Option<String>,
    /// What opens the private key.
    pub passphrase: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The keys that the server may have.
    pub known: HostKeys,
}

/// A session in which this client is signed in. It ends when it is dropped with all that was opened in it.
pub(crate) struct Session {
    handle: Handle<Checking>,
    /// What may be read of all that comes.
    pub meter: Meter,
    /// The server's name or address.
    pub host: String,
}

/// Believes the servers that a credential knows.
struct Checking {
    known: HostKeys,
    is_unknown: Arc<AtomicBool>,
}

impl Handler for Checking {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let is_known = matches!(shown, PublicKeyOrCertificate::PublicKey { key, .. } if self.known.has(key));
        self.is_unknown.store(!is_known, Ordering::Relaxed);
        Ok(is_known)
    }
}

impl Session {
    /// Connects and signs in, all of it within that time.
    ///
    /// # Errors
    /// [`NodeError`] when the machine cannot be reached, is another one, or lets nobody in.
    pub async fn open(server: &Server, policy: &OutboundPolicy, within: Duration) -> Result<Self, NodeError> {
        let (host, port) = (&server.host, server.port);
        let opening = async {
            let stream = connect(host, port, policy, Timeouts { connect: within }).await?;
            let meter = Meter::new(OVERHEAD_BYTES);
            let handle = greet(Metered::new(stream, meter.clone()), server).await?;
            let mut session = Self { handle, meter, host: host.clone() };
            session.sign_in(server).await?;
            Ok(session)
        };
        let slow = |_| EgressError::TooSlow { host: host.clone(), port, within };
        tokio::time::timeout(within, opening).await.map_err(slow)?
    }

    async fn sign_in(&mut self, server: &Server) -> Result<(), NodeError> {
        let (user, host) = (&server.user, &server.host);
        let broken = |error: russh::Error| failure(&error, host);
        let mut is_in = false;
        if let Some(key) = &server.private_key {
            let key = decode_secret_key(&with_lines(key), server.passphrase.as_deref()).map_err(|_| {
                NodeError::operation("the private key of the credential cannot be read")
                    .described("give it in PEM form, with the passphrase that opens it")
            })?;
            let hash = self.handle.best_supported_rsa_hash().await.map_err(broken)?.flatten();
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            is_in = self.handle.authenticate_publickey(user.clone(), key).await.map_err(broken)?.success();
        }
        if let Some(password) = server.password.clone().filter(|_| !is_in) {
            is_in = self.handle.authenticate_password(user.clone(), password).await.map_err(broken)?.success();
        }
        if is_in {
            return Ok(());
        }
        Err(NodeError::api(format!("the server {host} does not let '{user}' in"))
            .described("check the user, the password and the key of the credential"))
    }

    /// A channel for a command or a subsystem.
    pub async fn channel(&self) -> Result<Channel<Msg>, NodeError> {
        self.handle.channel_open_session().await.map_err(|error| failure(&error, &self.host))
    }

    /// Says that it is over.
    pub async fn close(&self) {
        // Whether it hears it makes no difference.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "en").await;
    }
}

#[cfg(any(feature = "databases", feature = "listening"))]
impl Session {
    /// A connection from that server to another one, whose name it looks up itself.
    ///
    /// # Errors
    /// [`NodeError`] when it may not, or does not reach it within that time.
    pub async fn forwarded(
        &self,
        host: &str,
        port: u16,
        within: Duration,
    ) -> Result<russh::ChannelStream<Msg>, NodeError> {
        let by = &self.host;
        let opening = self.handle.channel_open_direct_tcpip(
            timeloom_egress::bare_host(host),
            u32::from(port),
            // Who asks for the connection: nobody but this session can use it.
            "127.0.0.1",
            0,
        );
        let opened = match tokio::time::timeout(within, opening).await {
            Ok(opened) => opened,
            Err(_) => return Err(unreached(by, host, port)),
        };
        let channel = opened.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(russh::ChannelOpenFailure::AdministrativelyProhibited) => {
                NodeError::operation(format!("the SSH server {by} forwards no connection to {host}:{port}"))
                    .described("let that server allow it (AllowTcpForwarding, PermitOpen)")
            }
            russh::Error::ChannelOpenFailure(_) => unreached(by, host, port),
            other => failure(&other, by),
        })?;
        Ok(channel.into_stream())
    }
}

#[cfg(any(feature = "databases", feature = "listening"))]
fn unreached(by: &str, host: &str, port: u16) -> NodeError {
    NodeError::api(format!("the SSH server {by} does not reach {host}:{port}"))
        .described("give host and port as that server knows them, and check whether the database is running")
}

async fn greet(stream: Metered<TcpStream>, server: &Server) -> Result<Handle<Checking>, NodeError> {
    let (host, known) = (&server.host, server.known.clone());
    let mut preferred = Preferred::default();
    if let Some(algorithms) = known.algorithms() {
        preferred.key = Cow::Owned(algorithms);
    }
    let config = client::Config { preferred, ..client::Config::default() };
    let is_unknown = Arc::new(AtomicBool::new(false));
    let checking = Checking { known, is_unknown: Arc::clone(&is_unknown) };
    connect_stream(Arc::new(config), stream, checking).await.map_err(|error| {
        if is_unknown.load(Ordering::Relaxed) {
            return NodeError::operation(format!("the server {host} has another key than the credential knows"))
                .described("somebody may be in between: compare the key with whoever runs the server, then save it in the credential");
        }
        failure(&error, host)
    })
}

/// A key of one line, as forms make of several, with its lines.
fn with_lines(key: &str) -> String {
    if key.trim().lines().count() > 1 { key.to_owned() } else { key.replace("\\n", "\n") }
}

/// What a failure of the protocol is for whoever wrote the workflow.
pub(crate) fn failure(error: &russh::Error, host: &str) -> NodeError {
    NodeError::api(format!("the connection with {host} by SSH failed: {error}"))
        .described("check host and port of the credential, and whether the server is running")
}
