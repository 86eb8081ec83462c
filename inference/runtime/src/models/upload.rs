//! Uploads in pieces: each is acknowledged when it is on the disk, and goes on after a crash where it was.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::digest::Digest;
use super::disk;
use super::store::{Kept, Store, StoreError};

/// How much may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadLimits {
    /// Most uploads at a time.
    pub uploads_max: usize,
    /// Most bytes that all of them together may come to.
    pub bytes_max: u64,
    /// Most bytes of one piece.
    pub piece_bytes_max: usize,
    /// How long an upload is kept after its last piece, in milliseconds.
    pub idle_ms_max: u64,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self { uploads_max: 64, bytes_max: 64 << 30, piece_bytes_max: 64 << 20, idle_ms_max: 24 * 3_600_000 }
    }
}

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Which it is.
    pub id: Uuid,
    /// How many bytes it is to have.
    pub bytes: u64,
    /// The digest that it is to have, where that was told.
    pub wanted: Option<String>,
    /// How many bytes are there: the next piece begins with this one.
    pub offset: u64,
    /// When its last piece came, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Why an upload does not go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There is none.
    #[error("there is no upload {0}: it ended, or nothing came for too long; begin another one")]
    Unknown(Uuid),
    /// The piece is not the next one.
    #[error("the upload has {have} bytes, the piece begins at {sent}: send it from {have}")]
    Offset {
        /// How many are there.
        have: u64,
        /// Where the piece begins.
        sent: u64,
    },
    /// It is not complete.
    #[error("the upload has {have} of {wanted} bytes: send the rest first")]
    Incomplete {
        /// How many are there.
        have: u64,
        /// How many it is to have.
        wanted: u64,
    },
    /// There is more than was said.
    #[error("the piece goes beyond the {0} bytes that the upload is to have")]
    Beyond(u64),
    /// The piece is too large.
    #[error("a piece may have {0} bytes at most: send smaller ones")]
    Piece(usize),
    /// Too many are under way.
    #[error("{0} uploads are under way, which is the most: end one, or wait")]
    TooMany(usize),
    /// Too much is under way.
    #[error("uploads under way may come to {0} bytes together: end one, or wait")]
    TooMuch(u64),
    /// The content is not kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk failed.
    #[error("the upload failed: {0}")]
    Disk(#[from] io::Error),
}

/// The uploads of a store.
#[derive(Debug)]
pub struct Uploads {
    store: Arc<Store>,
    limits: UploadLimits,
    /// Each is locked by itself, so that a slow disk holds up one caller alone. No other lock is
    /// taken while this one is held.
    under_way: Mutex<BTreeMap<Uuid, Arc<Upload>>>,
}

#[derive(Debug)]
struct Upload {
    bytes: u64,
    begun: Mutex<Begun>,
}

impl Upload {
    fn new(begun: Begun) -> Arc<Self> {
        Arc::new(Self { bytes: begun.bytes, begun: Mutex::new(begun) })
    }

    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uploads {
    /// Opens them: those that were under way go on with the bytes that were acknowledged.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(store: Arc<Store>, limits: UploadLimits) -> io::Result<Self> {
        let uploads = Self { store, limits, under_way: Mutex::default() };
        let folder = uploads.folder();
        disk::make_folder(&folder)?;
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let content = OpenOptions::new().write(true).open(path.join("content"));
            let begun = fs::read(path.join("upload.json")).ok().and_then(|json| serde_json::from_slice(&json).ok());
            match (begun, content) {
                (Some(begun), Ok(content)) => {
                    let begun: Begun = begun;
                    // What came after the last acknowledgement may be torn.
                    content.set_len(begun.offset)?;
                    found.insert(begun.id, Upload::new(begun));
                }
                // It was not begun as far as anybody was told, or its content is kept already.
                _ => fs::remove_dir_all(&path)?,
            }
        }
        *uploads.lock() = found;
        Ok(uploads)
    }

    /// Begins an upload of so many bytes under an id that the caller made.
    ///
    /// # Errors
    /// When it is too large, too much is under way, or the disk fails.
    pub fn begin(&self, id: Uuid, bytes: u64, wanted: Option<&Digest>, now_ms: u64) -> Result<Begun, UploadError> {
        if bytes > self.store.file_bytes_max() {
            return Err(StoreError::TooLarge(self.store.file_bytes_max()).into());
        }
        let mut under_way = self.lock();
        if under_way.len() >= self.limits.uploads_max {
            return Err(UploadError::TooMany(self.limits.uploads_max));
        }
        let promised: u64 = under_way.values().map(|upload| upload.bytes).sum();
        if promised.saturating_add(bytes) > self.limits.bytes_max {
            return Err(UploadError::TooMuch(self.limits.bytes_max));
        }
        let begun = Begun { id, bytes, wanted: wanted.map(ToString::to_string), offset: 0, at_ms: now_ms };
        let folder = self.folder().join(id.to_string());
        fs::create_dir(&folder)?;
        File::create(folder.join("content"))?.sync_all()?;
        self.note(&begun)?;
        disk::sync_folder(&self.folder())?;
        under_way.insert(id, Upload::new(begun.clone()));
        Ok(begun)
    }

    /// Where an upload stands.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, id: Uuid) -> Result<Begun, UploadError> {
        let upload = self.upload(id)?;
        let begun = upload.lock().clone();
        Ok(begun)
    }

    /// Takes the piece that begins at `offset`. When this returns the piece is on the disk.
    ///
    /// # Errors
    /// When it is not the next piece, too large, or the disk fails.
    pub fn append(&self, id: Uuid, offset: u64, piece: &[u8], now_ms: u64) -> Result<Begun, UploadError> {
        if piece.len() > self.limits.piece_bytes_max {
            return Err(UploadError::Piece(self.limits.piece_bytes_max));
        }
        let upload = self.upload(id)?;
        let mut begun = self.hold(&upload)?;
        if offset != begun.offset {
            return Err(UploadError::Offset { have: begun.offset, sent: offset });
        }
        let end = offset.checked_add(piece.len() as u64).filter(|end| *end <= begun.bytes);
        let end = end.ok_or(UploadError::Beyond(begun.bytes))?;
        let mut file = OpenOptions::new().write(true).open(self.content(id))?;
        // A piece that was not acknowledged may have left bytes: they are written over.
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(piece)?;
        file.sync_data()?;
        let grown = Begun { offset: end, at_ms: now_ms, ..begun.clone() };
        self.note(&grown)?;
        *begun = grown;
        Ok(begun.clone())
    }

    /// Ends a complete upload: its content is kept under its digest.
    ///
    /// # Errors
    /// When it is not complete, or has another digest than was told: then it is gone. When the disk fails.
    pub fn finish(&self, id: Uuid) -> Result<Kept, UploadError> {
        let upload = self.upload(id)?;
        let begun = self.hold(&upload)?;
        if begun.offset != begun.bytes {
            return Err(UploadError::Incomplete { have: begun.offset, wanted: begun.bytes });
        }
        let content = self.content(id);
        // Bytes of a larger piece that was not acknowledged do not count.
        OpenOptions::new().write(true).open(&content)?.set_len(begun.bytes)?;
        let wanted = begun.wanted.as_ref().and_then(|wanted| wanted.parse().ok());
        let kept = self.store.adopt(&content, wanted.as_ref());
        match &kept {
            Ok(_) | Err(StoreError::OtherDigest { .. } | StoreError::TooLarge(_)) => self.forget(id)?,
            Err(_) => {}
        }
        Ok(kept?)
    }

    /// Ends an upload and puts away what came. Whether there was one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn abandon(&self, id: Uuid) -> io::Result<bool> {
        let Ok(upload) = self.upload(id) else { return Ok(false) };
        let Ok(_begun) = self.hold(&upload) else { return Ok(false) };
        self.forget(id)?;
        Ok(true)
    }

    /// Puts away uploads that nothing came for in too long; gives which.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn expire(&self, now_ms: u64) -> io::Result<Vec<Uuid>> {
        let all: Vec<Arc<Upload>> = self.lock().values().cloned().collect();
        let begun = all.iter().map(|upload| upload.lock().clone());
        let idle = begun.filter(|begun| now_ms.saturating_sub(begun.at_ms) > self.limits.idle_ms_max);
        let idle: Vec<Uuid> = idle.map(|begun| begun.id).collect();
        for id in &idle {
            self.abandon(*id)?;
        }
        Ok(idle)
    }

    fn upload(&self, id: Uuid) -> Result<Arc<Upload>, UploadError> {
        self.lock().get(&id).map(Arc::clone).ok_or(UploadError::Unknown(id))
    }

    /// Locks an upload, which may have ended while it was waited for.
    fn hold<'a>(&self, upload: &'a Upload) -> Result<MutexGuard<'a, Begun>, UploadError> {
        let begun = upload.lock();
        if self.lock().contains_key(&begun.id) { Ok(begun) } else { Err(UploadError::Unknown(begun.id)) }
    }

    /// Writes down where an upload stands.
    fn note(&self, begun: &Begun) -> io::Result<()> {
        let json = serde_json::to_vec(begun).map_err(io::Error::other)?;
        disk::replace(&self.folder().join(begun.id.to_string()).join("upload.json"), &json)
    }

    fn forget(&self, id: Uuid) -> io::Result<()> {
        self.lock().remove(&id);
        fs::remove_dir_all(self.folder().join(id.to_string()))?;
        disk::sync_folder(&self.folder())
    }

    fn content(&self, id: Uuid) -> PathBuf {
        self.folder().join(id.to_string()).join("content")
    }

    fn folder(&self) -> PathBuf {
        self.store.folder().join("uploads")
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Upload>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
