//! A connection by SSH as the nodes of files use it: for commands, and for subsystems.

use std::time::Duration;

use russh::{ChannelMsg, ChannelStream, client};
use serde_json::json;
use timeloom_domain::item::JsonObject;
use timeloom_engine::node::{NodeError, NodeRun};

use crate::fields::Fields;
use crate::files::command::OUTPUT_BYTES_MAX;
use crate::ssh::{HostKeys, OVERHEAD_BYTES, Server, Session, failure};

/// Longest time until somebody is let in.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// A connection on which this client is signed in.
pub(super) struct Connection {
    pub session: Session,
    /// Most bytes of a file.
    pub file_bytes_max: usize,
    /// Most bytes of a list.
    pub list_bytes_max: usize,
}

impl Connection {
    /// Connects and signs in, as the node's credential of that type says.
    ///
    /// # Errors
    /// [`NodeError`] when the machine cannot be reached, is another one, or lets nobody in.
    pub async fn open(run: &mut NodeRun<'_>, credential_type: &'static str) -> Result<Self, NodeError> {
        let fields = Fields::of(run, credential_type).await?;
        let server = Server {
            host: fields.needed("host")?,
            port: fields.port(22)?,
            user: fields.needed("username")?,
            private_key: fields.some_text("privateKey"),
            passphrase: fields.some_text("passphrase"),
            password: fields.some_text("password"),
            known: HostKeys::read(&fields, "hostKey")?,
        };
        let policy = run.services.outbound.clone();
        let session = Session::open(&server, &policy, CONNECT_TIME).await?;
        Ok(Self { session, file_bytes_max: policy.file_bytes_max, list_bytes_max: policy.response_bytes_max })
    }

    /// Runs a command to its end.
    pub async fn execute(&self, command: &str, folder: &str) -> Result<JsonObject, NodeError> {
        if command.trim().is_empty() {
            return Err(NodeError::operation("the command is empty: write one"));
        }
        let host = &self.session.host;
        let broken = |error: russh::Error| failure(&error, host);
        self.session.meter.grant(OUTPUT_BYTES_MAX * 2 + OVERHEAD_BYTES);
        let mut channel = self.session.channel().await?;
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
        let channel = self.session.channel().await?;
        channel.request_subsystem(true, name).await.map_err(|error| failure(&error, &self.session.host))?;
        Ok(channel.into_stream())
    }

    pub async fn close(&self) {
        self.session.close().await;
    }
}

/// A text for the shell, as one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
