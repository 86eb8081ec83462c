//! The log of a running server, read over HTTP. Never believes a page: whoever copies checks every row.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use timeloom_store::proofs::{CHECKPOINTS_READ_MAX, Growth, StoredCheckpoint, TileId, TreeStore};
use timeloom_store::stored::EXPORT_BYTES_MAX;
use timeloom_store::{
    BLOB_BYTES_MAX, BlobError, BlobHash, BlobStore, BlobWriter, Direction, LogError, LogIdentity, LogTransfer,
    Position, StoredEvent,
};
use timeloom_verify::export::EarlierCheckpoint;

use crate::token::HOW_TO_SHOW;

/// Longest wait for a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the next bytes of an answer.
const SILENCE_TIME_MAX: Duration = Duration::from_secs(60);
/// Largest page of rows as JSON, in bytes: quotes and line ends in texts take twice their room.
const PAGE_BYTES_MAX: usize = 4 * EXPORT_BYTES_MAX;
/// Most bytes of a refusal that are told.
const REFUSAL_BYTES_MAX: usize = 2_000;

/// The log that a server serves.
pub struct ServedLog {
    url: String,
    http: reqwest::Client,
}

/// Why a server did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
enum ServedError {
    #[error("the server at {url} cannot be reached: {error}")]
    Unreachable { url: String, error: reqwest::Error },
    #[error("the server at {url} broke off: {error}")]
    BrokeOff { url: String, error: reqwest::Error },
    #[error("the server at {url} answered {status}: {message}")]
    Refused { url: String, status: StatusCode, message: String },
    #[error("the server at {url} gave an answer of more than {max} bytes: is it Timeloom?")]
    TooLarge { url: String, max: usize },
    #[error(
        "the server at {url} gave something that is not a row of a log ({error}): is it Timeloom, and not a newer one?"
    )]
    NotRows { url: String, error: serde_json::Error },
}

impl ServedLog {
    /// The log of the server at `url`, which is shown these headers; nothing is asked yet.
    ///
    /// # Errors
    /// When no client can be made, or `url` is not the address of a server.
    pub fn try_new(url: &str, headers: HeaderMap) -> anyhow::Result<Self> {
        if url::Url::parse(url).is_err() {
            bail!("'{url}' is not the address of a server");
        }
        let client = reqwest::Client::builder().no_proxy().default_headers(headers).connect_timeout(CONNECT_TIME_MAX);
        let http = client.read_timeout(SILENCE_TIME_MAX).build().context("no HTTP client could be made")?;
        Ok(Self { url: url.to_owned(), http })
    }

    /// The body of an answer, at most `bytes_max` of it.
    async fn get(&self, path: &str, bytes_max: usize) -> Result<Bytes, ServedError> {
        let url = || self.url.clone();
        let sent = self.http.get(format!("{}{path}", self.url)).send().await;
        let mut response = sent.map_err(|error| ServedError::Unreachable { url: url(), error })?;
        let status = response.status();
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| ServedError::BrokeOff { url: url(), error })? {
            if body.len() + part.len() > bytes_max {
                return Err(ServedError::TooLarge { url: url(), max: bytes_max });
            }
            body.extend_from_slice(&part);
        }
        if status.is_success() {
            return Ok(body.freeze());
        }
        let message = match status {
            StatusCode::UNAUTHORIZED => format!("{}; {HOW_TO_SHOW}", refusal(&body)),
            _ => refusal(&body),
        };
        Err(ServedError::Refused { url: url(), status, message })
    }
}

/// What a server said that it would not do, from its JSON where it is that.
fn refusal(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json.pointer("/errors/0/message")?.as_str());
    let text = String::from_utf8_lossy(body.get(..REFUSAL_BYTES_MAX).unwrap_or(body));
    message.map_or_else(|| text.into_owned(), str::to_owned)
}

#[async_trait]
impl LogTransfer for ServedLog {
    async fn identity(&self) -> Result<LogIdentity, LogError> {
        let body = self.get("/log/identity", PAGE_BYTES_MAX).await.map_err(LogError::storage)?;
        let identity = serde_json::from_slice(&body);
        identity.map_err(|error| LogError::storage(ServedError::NotRows { url: self.url.clone(), error }))
    }

    async fn export(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, LogError> {
        let path = format!("/log/events?after={after}&limit={limit}");
        let body = self.get(&path, PAGE_BYTES_MAX).await.map_err(LogError::storage)?;
        let rows: Result<Vec<StoredEvent>, _> = serde_json::Deserializer::from_slice(&body).into_iter().collect();
        rows.map_err(|error| LogError::storage(ServedError::NotRows { url: self.url.clone(), error }))
    }
}

/// What a server says of the tree over its log.
#[derive(Debug, Deserialize)]
struct TreeSize {
    size: u64,
}

/// Nothing can be written there, so nothing is.
#[async_trait]
impl TreeStore for ServedLog {
    async fn size(&self) -> Result<u64, LogError> {
        let body = match self.get("/log/tree", PAGE_BYTES_MAX).await {
            Ok(body) => body,
            // A server of before has none.
            Err(ServedError::Refused { status: StatusCode::NOT_FOUND, .. }) => return Ok(0),
            Err(error) => return Err(LogError::storage(error)),
        };
        let read = serde_json::from_slice::<TreeSize>(&body);
        Ok(read.map_err(|error| LogError::storage(ServedError::NotRows { url: self.url.clone(), error }))?.size)
    }

    async fn tiles(&self, wanted: Vec<TileId>) -> Result<HashMap<TileId, Vec<[u8; 32]>>, LogError> {
        let mut tiles = HashMap::with_capacity(wanted.len());
        for tile in wanted {
            let path = format!("/log/tree/tiles/{}/{}", tile.level, tile.index);
            let body = self.get(&path, PAGE_BYTES_MAX).await.map_err(LogError::storage)?;
            let (hashes, rest) = body.as_chunks();
            if !rest.is_empty() {
                let error = serde::de::Error::custom("a tile is not whole hashes");
                return Err(LogError::storage(ServedError::NotRows { url: self.url.clone(), error }));
            }
            tiles.insert(tile, hashes.to_vec());
        }
        Ok(tiles)
    }

    async fn grow(&self, _growth: Growth) -> Result<bool, LogError> {
        Err(LogError::Closed)
    }

    async fn begin_again(&self) -> Result<(), LogError> {
        Err(LogError::Closed)
    }

    async fn checkpoints(
        &self,
        sizes: RangeInclusive<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredCheckpoint>, LogError> {
        let (from, to, limit) = (sizes.start(), sizes.end(), limit.min(CHECKPOINTS_READ_MAX));
        let newest = direction == Direction::Backward;
        let path = format!("/log/checkpoints?from={from}&to={to}&limit={limit}&newest={newest}");
        let body = match self.get(&path, PAGE_BYTES_MAX).await {
            Ok(body) => body,
            Err(ServedError::Refused { status: StatusCode::NOT_FOUND, .. }) => return Ok(Vec::new()),
            Err(error) => return Err(LogError::storage(error)),
        };
        let lines = serde_json::Deserializer::from_slice(&body).into_iter::<EarlierCheckpoint>();
        let read = lines.map(|line| line.map(|line| StoredCheckpoint { size: line.size, note: line.note }));
        let read: Result<Vec<_>, _> = read.collect();
        read.map_err(|error| LogError::storage(ServedError::NotRows { url: self.url.clone(), error }))
    }

    async fn keep(&self, _checkpoint: StoredCheckpoint) -> Result<bool, LogError> {
        Err(LogError::Closed)
    }

    async fn cosigned(&self, _checkpoint: StoredCheckpoint) -> Result<(), LogError> {
        Err(LogError::Closed)
    }
}

#[async_trait]
impl BlobStore for ServedLog {
    async fn put(&self, _content: Bytes) -> Result<BlobHash, BlobError> {
        Err(LogError::Closed.into())
    }

    async fn get(&self, hash: BlobHash) -> Result<Bytes, BlobError> {
        match Self::get(self, &format!("/log/blobs/{hash}"), BLOB_BYTES_MAX).await {
            Ok(content) if BlobHash::of(&content) == hash => Ok(content),
            Ok(_) | Err(ServedError::Refused { status: StatusCode::GONE, .. }) => Err(BlobError::Damaged(hash)),
            Err(ServedError::Refused { status: StatusCode::NOT_FOUND, .. }) => Err(BlobError::Missing(hash)),
            Err(error) => Err(LogError::storage(error).into()),
        }
    }

    async fn writer(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        Err(LogError::Closed.into())
    }

    async fn part(&self, hash: BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError> {
        let content = BlobStore::get(self, hash).await?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        Ok(content.slice(from..from.saturating_add(bytes_max).min(content.len())))
    }

    async fn remove(&self, _hash: BlobHash) -> Result<(), BlobError> {
        Err(LogError::Closed.into())
    }
}
