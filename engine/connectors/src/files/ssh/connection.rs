//! A connection by SSH: through the rules of egress, to a server whose key is known, read within bounds.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{Handle, Handler, connect_stream};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{ChannelMsg, ChannelStream, Disconnect, Preferred, client};
use serde_json::json;
use timeloom_domain::item::JsonObject;
use timeloom_egress::{EgressError, Meter, Metered, Timeouts, connect};
use timeloom_engine::node::{NodeError, NodeRun};

use super::host_key::HostKeys;
use crate::fields::Fields;
use crate::files::command::OUTPUT_BYTES_MAX;

/// Longest time until somebody is let in.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// Most bytes that may come until then, and besides what is asked for.
pub(super) const OVERHEAD_BYTES: usize = 1 << 20;

/// A connection on which this client is signed in.
pub(super) struct Connection {
    session: Handle<Checking>,
    pub meter: Meter,
    pub host: String,
    /// Most bytes of a file.
    pub file_bytes_max: usize,
    /// Most bytes of a list.
    pub list_bytes_max: usize,
}

/// Believes the servers that a credential knows.
struct Checking {
    known: HostKeys,
    is_unknown: Arc<std::sync::atomic::AtomicBool>,
}

impl Handler for Checking {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let is_known = matches!(shown, PublicKeyOrCertificate::PublicKey { key, .. } if self.known.has(key));
        self.is_unknown.store(!is_known, std::sync::atomic::Ordering::Relaxed);
        Ok(is_known)
    }
}

impl Connection {
    /// Connects and signs in, as the node's credential of that type says.
    ///
    /// # Errors
    /// [`NodeError`] when the machine cannot be reached, is another one, or lets nobody in.
    pub async fn open(run: &mut NodeRun<'_>, credential_type: &'static str) -> Result<Self, NodeError> {
        let fields = Fields::of(run, credential_type).await?;
        let policy = run.services.outbound.clone();
        let (host, port, known) = (fields.needed("host")?, fields.port(22)?, HostKeys::read(&fields.text("hostKey"))?);
        let opening = async {
            let stream = connect(&host, port, &policy, Timeouts { connect: CONNECT_TIME }).await?;
            let meter = Meter::new(OVERHEAD_BYTES);
            let session = greet(Metered::new(stream, meter.clone()), known, &host).await?;
            let mut connection = Self {
                session,
                meter,
                host: host.clone(),
                file_bytes_max: policy.file_bytes_max,
                list_bytes_max: policy.response_bytes_max,
            };
            connection.sign_in(&fields).await?;
            Ok(connection)
        };
        let slow = |_| EgressError::TooSlow { host: host.clone(), port, within: CONNECT_TIME };
        tokio::time::timeout(CONNECT_TIME, opening).await.map_err(slow)?
    }

    async fn sign_in(&mut self, fields: &Fields) -> Result<(), NodeError> {
        let user = fields.needed("username")?;
        let host = self.host.clone();
        let broken = |error: russh::Error| failure(&error, &host);
        let mut is_in = false;
        if let Some(key) = fields.some_text("privateKey") {
            let passphrase = fields.some_text("passphrase");
            let key = decode_secret_key(&with_lines(&key), passphrase.as_deref()).map_err(|_| {
                NodeError::operation("the private key of the credential cannot be read")
                    .described("give it in PEM form, with the passphrase that opens it")
            })?;
            let hash = self.session.best_supported_rsa_hash().await.map_err(broken)?.flatten();
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            is_in = self.session.authenticate_publickey(user.clone(), key).await.map_err(broken)?.success();
        }
        if let Some(password) = fields.some_text("password").filter(|_| !is_in) {
            is_in = self.session.authenticate_password(user.clone(), password).await.map_err(broken)?.success();
        }
        if is_in {
            return Ok(());
        }
        Err(NodeError::api(format!("the server {} does not let '{user}' in", self.host))
            .described("check the user, the password and the key of the credential"))
    }

    /// Runs a command to its end.
    pub async fn execute(&self, command: &str, folder: &str) -> Result<JsonObject, NodeError> {
        if command.trim().is_empty() {
            return Err(NodeError::operation("the command is empty: write one"));
        }
        let host = self.host.clone();
        let broken = |error: russh::Error| failure(&error, &host);
        self.meter.grant(OUTPUT_BYTES_MAX * 2 + OVERHEAD_BYTES);
        let mut channel = self.session.channel_open_session().await.map_err(broken)?;
        channel.exec(true, format!("cd {} && {command}", quoted(folder))).await.map_err(broken)?;
        let (mut stdout, mut stderr, mut code, mut signal) = (Vec::new(), Vec::new(), None, None);
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, ext: 1 } => stderr.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
                ChannelMsg::ExitSignal { signal_name, .. } => signal = Some(format!("{signal_name:?}")),
                ChannelMsg::Failure => return Err(NodeError::api(format!("the server {host} runs no commands"))),
                _ => {}
            }
            if stdout.len().max(stderr.len()) > OUTPUT_BYTES_MAX {
                return Err(NodeError::operation(format!("the command wrote more than {OUTPUT_BYTES_MAX} bytes"))
                    .described("let it write to a file"));
            }
        }
        if code.is_none() && signal.is_none() {
            return Err(NodeError::api(format!("the connection with {host} ended before the command did")));
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
        let told = json!({"code": code, "signal": signal, "stdout": text(stdout), "stderr": text(stderr)});
        Ok(told.as_object().cloned().unwrap_or_default())
    }

    /// A channel with the subsystem of that name.
    pub async fn subsystem(&self, name: &str) -> Result<ChannelStream<client::Msg>, NodeError> {
        let host = self.host.clone();
        let broken = |error: russh::Error| failure(&error, &host);
        let channel = self.session.channel_open_session().await.map_err(broken)?;
        channel.request_subsystem(true, name).await.map_err(broken)?;
        Ok(channel.into_stream())
    }

    pub async fn close(&self) {
        // Whether it hears it makes no difference.
        let _ = self.session.disconnect(Disconnect::ByApplication, "", "en").await;
    }
}

async fn greet(
    stream: Metered<tokio::net::TcpStream>,
    known: HostKeys,
    host: &str,
) -> Result<Handle<Checking>, NodeError> {
    let mut preferred = Preferred::default();
    if let Some(algorithms) = known.algorithms() {
        preferred.key = Cow::Owned(algorithms);
    }
    let config = client::Config { preferred, ..client::Config::default() };
    let is_unknown = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let checking = Checking { known, is_unknown: Arc::clone(&is_unknown) };
    connect_stream(Arc::new(config), stream, checking).await.map_err(|error| {
        if is_unknown.load(std::sync::atomic::Ordering::Relaxed) {
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

/// A text for the shell, as one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

pub(super) fn failure(error: &russh::Error, host: &str) -> NodeError {
    NodeError::api(format!("the connection with {host} by SSH failed: {error}"))
        .described("check host and port of the credential, and whether the server is running")
}
