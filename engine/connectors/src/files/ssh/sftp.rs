//! Files of another machine by SFTP.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use futures::StreamExt as _;
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{OpenFlags, StatusCode};
use serde_json::json;
use timeloom_engine::node::{BinaryWriter, NodeError, Parts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::connection::Connection;
use crate::files::ftp::{Entry, EntryKind, Remote};
use crate::ssh::OVERHEAD_BYTES;

/// How much of a file is read at a time, in bytes.
const PART_BYTES: usize = 256 << 10;

/// Files of another machine.
pub(super) struct Files {
    connection: Connection,
    session: SftpSession,
}

impl Files {
    pub async fn begin(connection: Connection) -> Result<Self, NodeError> {
        let stream = connection.subsystem("sftp").await?;
        let session = SftpSession::new(stream).await.map_err(|error| failure(&error, "/", &connection.session.host))?;
        Ok(Self { connection, session })
    }

    /// Grants what may come for the next operation.
    fn grant(&self, bytes: usize) {
        // The protocol takes some of it, less than as much again.
        self.connection.session.meter.grant(bytes.saturating_mul(2).saturating_add(OVERHEAD_BYTES));
    }

    fn failed(&self, error: &Error, path: &str) -> NodeError {
        failure(error, path, &self.connection.session.host)
    }
}

#[async_trait]
impl Remote for Files {
    async fn list(&mut self, path: &str) -> Result<Vec<Entry>, NodeError> {
        self.grant(self.connection.list_bytes_max);
        let found = self.session.read_dir(path).await.map_err(|error| self.failed(&error, path))?;
        let entry = |entry: russh_sftp::client::fs::DirEntry| {
            let (known, of) = (entry.metadata(), entry.file_type());
            let kind = if of.is_dir() {
                EntryKind::Folder
            } else if of.is_symlink() {
                EntryKind::Link
            } else {
                EntryKind::File
            };
            let modified = known.mtime.and_then(|seconds| DateTime::from_timestamp(seconds.into(), 0));
            let modified = modified.map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
            Entry { name: entry.file_name(), kind, size: known.size.unwrap_or_default(), modified }
        };
        let mut entries: Vec<Entry> = found.map(entry).collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    async fn read(&mut self, path: &str, into: &mut BinaryWriter) -> Result<(), NodeError> {
        self.grant(self.connection.file_bytes_max);
        let mut file = self.session.open(path).await.map_err(|error| self.failed(&error, path))?;
        loop {
            let mut part = BytesMut::with_capacity(PART_BYTES);
            if file.read_buf(&mut part).await.map_err(|error| cut_off(&error, path))? == 0 {
                break;
            }
            into.write(Bytes::from(part)).await?;
        }
        file.shutdown().await.map_err(|error| cut_off(&error, path))
    }

    async fn write(&mut self, path: &str, mut parts: Parts) -> Result<(), NodeError> {
        self.grant(self.connection.file_bytes_max);
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let opened = self.session.open_with_flags(path, flags).await;
        let mut file = opened.map_err(|error| self.failed(&error, path))?;
        while let Some(part) = parts.next().await {
            file.write_all(&part?).await.map_err(|error| cut_off(&error, path))?;
        }
        file.flush().await.map_err(|error| cut_off(&error, path))?;
        file.shutdown().await.map_err(|error| cut_off(&error, path))
    }

    async fn remove(&mut self, path: &str) -> Result<(), NodeError> {
        self.grant(0);
        self.session.remove_file(path).await.map_err(|error| self.failed(&error, path))
    }

    async fn remove_folder(&mut self, path: &str) -> Result<(), NodeError> {
        self.grant(0);
        self.session.remove_dir(path).await.map_err(|error| self.failed(&error, path))
    }

    async fn make_folder(&mut self, path: &str) -> Result<(), NodeError> {
        self.grant(0);
        // One that is there is as good; whatever is missing is told by what follows.
        let _ = self.session.create_dir(path).await;
        Ok(())
    }

    async fn rename(&mut self, from: &str, to: &str) -> Result<(), NodeError> {
        self.grant(0);
        self.session.rename(from, to).await.map_err(|error| self.failed(&error, from))
    }

    async fn close(&mut self) {
        let _ = self.session.close().await;
        self.connection.close().await;
    }
}

fn failure(error: &Error, path: &str, host: &str) -> NodeError {
    match error {
        Error::Status(status) => {
            let what = match status.status_code {
                StatusCode::NoSuchFile => format!("there is no file '{path}'"),
                StatusCode::PermissionDenied => format!("the server refuses '{path}'"),
                _ => format!("'{path}': {}", status.error_message),
            };
            let data = json!({"code": format!("{:?}", status.status_code), "retryable": false});
            NodeError { data: Some(data), ..NodeError::api(what) }
        }
        other => NodeError::api(format!("the connection with {host} by SFTP failed: {other}"))
            .described("check whether the server is running, or set the node to retry on failure"),
    }
}

fn cut_off(error: &std::io::Error, path: &str) -> NodeError {
    NodeError::api(format!("the file '{path}' was not transferred to its end: {error}"))
}
