//! The protocol of FTP: one connection for commands, another for each file or list.
//!
//! Never goes where the server says: files come from the address of the first connection, whatever address an answer names.
//! Answers are short lines, of which there are few.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use rustls::ClientConfig;
use serde_json::json;
use timeloom_egress::{OutboundPolicy, Timeouts, TlsOptions, Verification, connect, connect_again, secure, tls_config};
use timeloom_engine::node::{BinaryWriter, NodeError, NodeRun, Parts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Entry, Remote, listing};
use crate::fields::Fields;
use crate::stream::Stream;

/// Longest time until there is a connection, and until an answer comes.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Longest line of an answer, in bytes.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Most lines of an answer.
const LINES_MAX: usize = 200;
/// How much of a file is read at a time, in bytes.
const PART_BYTES: usize = 256 << 10;
const TIMEOUTS: Timeouts = Timeouts { connect: ANSWER_TIME };

/// A connection with an FTP server.
pub(super) struct Client {
    stream: Stream,
    read: BytesMut,
    host: String,
    peer: IpAddr,
    /// What files are secured by; the same as the commands, so that the server knows who it is.
    tls: Option<Arc<ClientConfig>>,
    policy: OutboundPolicy,
    /// Whether the server lists folders in the form that is made for programs.
    lists_facts: bool,
}

/// An answer: its code, and its text.
struct Answer {
    code: u16,
    text: String,
}

/// How a connection is secured.
enum Security {
    None,
    Explicit,
    Implicit,
}

impl Client {
    /// Connects and signs in, as the node's credential says.
    ///
    /// # Errors
    /// [`NodeError`] when that is refused or fails.
    pub async fn open(run: &mut NodeRun<'_>) -> Result<Box<dyn Remote>, NodeError> {
        let fields = Fields::of(run, "ftp").await?;
        let security = match fields.text("secure").as_str() {
            "explicit" => Security::Explicit,
            "implicit" => Security::Implicit,
            _ => Security::None,
        };
        let is_any = fields.truth("allowUnauthorizedCerts");
        let options = TlsOptions {
            authority: fields.some_text("caCertificate"),
            verification: if is_any { Verification::None } else { Verification::Full },
            ..TlsOptions::default()
        };
        let tls = if matches!(security, Security::None) { None } else { Some(tls_config(&options)?) };
        let usual = if matches!(security, Security::Implicit) { 990 } else { 21 };
        let (host, port, policy) = (fields.needed("host")?, fields.port(usual)?, run.services.outbound.clone());
        let stream = connect(&host, port, &policy, TIMEOUTS).await?;
        let peer = stream.peer_addr().map_err(|error| broken(&host, &error))?.ip();
        let stream: Stream = match (&security, &tls) {
            (Security::Implicit, Some(config)) => Box::new(secure(stream, &host, Arc::clone(config), TIMEOUTS).await?),
            _ => Box::new(stream),
        };
        let mut client = Self { stream, read: BytesMut::new(), host, peer, tls, policy, lists_facts: true };
        client.answer().await?.expected(2)?;
        if matches!(security, Security::Explicit) {
            client.secured().await?;
        }
        client.sign_in(&fields).await?;
        Ok(Box::new(client))
    }

    async fn secured(&mut self) -> Result<(), NodeError> {
        self.say("AUTH TLS", 2).await?;
        let Some(config) = self.tls.clone() else { return Ok(()) };
        if !self.read.is_empty() {
            return Err(NodeError::api("the server sent more than its answer before the connection was secured"));
        }
        let plain =
            std::mem::replace(&mut self.stream, Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink())));
        self.stream = Box::new(secure(plain, &self.host, config, TIMEOUTS).await?);
        Ok(())
    }

    async fn sign_in(&mut self, fields: &Fields) -> Result<(), NodeError> {
        let user = fields.some_text("username").unwrap_or_else(|| "anonymous".to_owned());
        let password = fields.text("password");
        super::check_line(&user)?;
        super::check_line(&password)?;
        let asked = self.ask(&format!("USER {user}")).await?;
        if asked.code == 331 {
            self.say(&format!("PASS {password}"), 2).await?;
        } else {
            asked.expected(2)?;
        }
        if self.tls.is_some() {
            self.say("PBSZ 0", 2).await?;
            self.say("PROT P", 2).await?;
        }
        // Names are UTF-8 for most servers anyway; one that does not know the option says so, and nothing follows.
        self.ask("OPTS UTF8 ON").await?;
        self.say("TYPE I", 2).await.map(drop)
    }

    /// Sends a command, whose answer has to begin with that digit.
    async fn say(&mut self, command: &str, digit: u16) -> Result<Answer, NodeError> {
        self.ask(command).await?.expected(digit)
    }

    async fn ask(&mut self, command: &str) -> Result<Answer, NodeError> {
        let line = format!("{command}\r\n");
        let sent = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| broken(&self.host, &error))?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer, NodeError> {
        let host = self.host.clone();
        let slow =
            move |_| NodeError::api(format!("the server {host} did not answer within {} s", ANSWER_TIME.as_secs()));
        tokio::time::timeout(ANSWER_TIME, self.lines()).await.map_err(slow)?
    }

    /// One answer: `200 text`, or several lines from `200-text` to `200 text`.
    async fn lines(&mut self) -> Result<Answer, NodeError> {
        let garbage = |host: &str| {
            NodeError::api(format!("the server {host} does not answer as FTP does"))
                .described("check host, port and TLS of the credential")
        };
        let mut first = None;
        for _ in 0..LINES_MAX {
            let line = self.line().await?.ok_or_else(|| garbage(&self.host))?;
            let code: Option<u16> = line.get(..3).and_then(|code| code.parse().ok());
            match (first, code) {
                (None, Some(code)) if (100..600).contains(&code) => first = Some(code),
                (None, _) => return Err(garbage(&self.host)),
                (Some(_), _) => {}
            }
            if code == first && line.as_bytes().get(3) != Some(&b'-') {
                let text = line.get(4..).unwrap_or_default().to_owned();
                return Ok(Answer { code: code.unwrap_or_default(), text });
            }
        }
        Err(garbage(&self.host))
    }

    async fn line(&mut self) -> Result<Option<String>, NodeError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end + 1);
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            if self.read.len() > LINE_BYTES_MAX {
                return Ok(None);
            }
            let count = self.stream.read_buf(&mut self.read).await.map_err(|error| broken(&self.host, &error))?;
            if count == 0 {
                let ended = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Err(broken(&self.host, &ended));
            }
        }
    }

    /// Asks for a transfer by a command, and opens the connection for it.
    async fn transfer(&mut self, command: &str) -> Result<Stream, NodeError> {
        let port = self.passive().await?;
        let stream = connect_again(self.peer, port, TIMEOUTS).await?;
        // Before it agrees on TLS the server has to have heard the command.
        self.say(command, 1).await?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(config) => Box::new(secure(stream, &self.host, Arc::clone(config), TIMEOUTS).await?),
        })
    }

    /// The port at which the server waits for the next transfer.
    async fn passive(&mut self) -> Result<u16, NodeError> {
        let extended = self.ask("EPSV").await?;
        let told = if extended.code == 229 {
            extended.text.split('|').nth(3).and_then(|port| port.parse().ok())
        } else {
            let answer = self.say("PASV", 2).await?;
            let inner = answer.text.split_once('(').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
            let numbers: Vec<u16> = inner.split([',', ')']).filter_map(|number| number.trim().parse().ok()).collect();
            match numbers.as_slice() {
                [_, _, _, _, high, low] if *high < 256 && *low < 256 => Some(high * 256 + low),
                _ => None,
            }
        };
        told.filter(|port| *port > 0).ok_or_else(|| NodeError::api("the server names no port for files"))
    }

    /// All of a list, as lines.
    async fn listed(&mut self, command: &str) -> Result<Vec<String>, NodeError> {
        let bytes_max = self.policy.response_bytes_max;
        let mut data = self.transfer(command).await?;
        let mut bytes = BytesMut::new();
        while data.read_buf(&mut bytes).await.map_err(|error| broken(&self.host, &error))? > 0 {
            if bytes.len() > bytes_max {
                return Err(NodeError::api(format!("the list has more than {bytes_max} bytes")));
            }
        }
        drop(data);
        self.answer().await?.expected(2)?;
        Ok(String::from_utf8_lossy(&bytes).lines().map(|line| line.trim_end().to_owned()).collect())
    }
}

impl Answer {
    /// The answer, where it begins with that digit.
    fn expected(self, digit: u16) -> Result<Self, NodeError> {
        if self.code / 100 == digit {
            return Ok(self);
        }
        let retryable = self.code / 100 == 4;
        let data = json!({"code": self.code, "retryable": retryable});
        Err(NodeError { data: Some(data), ..NodeError::api(format!("{} {}", self.code, self.text)) })
    }
}

fn broken(host: &str, error: &std::io::Error) -> NodeError {
    NodeError::api(format!("the connection with {host} failed: {error}"))
        .described("check host, port and TLS of the credential, and whether the server is running")
}

#[async_trait]
impl Remote for Client {
    async fn list(&mut self, path: &str) -> Result<Vec<Entry>, NodeError> {
        if self.lists_facts {
            match self.listed(&format!("MLSD {path}")).await {
                Ok(lines) => return Ok(lines.iter().filter_map(|line| listing::facts(line)).collect()),
                // It does not know the command; the connection that waits for the list is not used.
                Err(error)
                    if error
                        .data
                        .as_ref()
                        .is_some_and(|data| [500, 502, 504].iter().any(|code| data["code"] == *code)) =>
                {
                    self.lists_facts = false;
                }
                Err(error) => return Err(error),
            }
        }
        let lines = self.listed(&format!("LIST {path}")).await?;
        Ok(lines.iter().filter_map(|line| listing::line(line)).collect())
    }

    async fn read(&mut self, path: &str, into: &mut BinaryWriter) -> Result<(), NodeError> {
        let mut data = self.transfer(&format!("RETR {path}")).await?;
        loop {
            let mut part = BytesMut::with_capacity(PART_BYTES);
            if data.read_buf(&mut part).await.map_err(|error| broken(&self.host, &error))? == 0 {
                break;
            }
            into.write(Bytes::from(part)).await?;
        }
        drop(data);
        self.answer().await?.expected(2).map(drop)
    }

    async fn write(&mut self, path: &str, mut parts: Parts) -> Result<(), NodeError> {
        let mut data = self.transfer(&format!("STOR {path}")).await?;
        while let Some(part) = parts.next().await {
            data.write_all(&part?).await.map_err(|error| broken(&self.host, &error))?;
        }
        data.shutdown().await.map_err(|error| broken(&self.host, &error))?;
        drop(data);
        self.answer().await?.expected(2).map(drop)
    }

    async fn remove(&mut self, path: &str) -> Result<(), NodeError> {
        self.say(&format!("DELE {path}"), 2).await.map(drop)
    }

    async fn remove_folder(&mut self, path: &str) -> Result<(), NodeError> {
        self.say(&format!("RMD {path}"), 2).await.map(drop)
    }

    async fn make_folder(&mut self, path: &str) -> Result<(), NodeError> {
        // Servers have many words for one that is there; whatever is missing is told by what follows.
        self.ask(&format!("MKD {path}")).await.map(drop)
    }

    async fn rename(&mut self, from: &str, to: &str) -> Result<(), NodeError> {
        self.say(&format!("RNFR {from}"), 3).await?;
        self.say(&format!("RNTO {to}"), 2).await.map(drop)
    }

    async fn close(&mut self) {
        // Whether it says good-bye as well makes no difference.
        let _ = self.ask("QUIT").await;
    }
}
