//! Uploads in pieces: each is acknowledged when it is on the disk, and goes on after a crash where it was.
//!
//! Invariant: where an upload stands is on the disk alone, and only who has its content locked changes it. So several
//! processes may share a folder: an upload that began at one of them goes on at another. To whom it does not belong there is
//! no such upload.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use timeloom_domain::ids::{FIRST_TENANT, TenantId};
use uuid::Uuid;

use super::digest::Digest;
use super::disk;
use super::store::{Kept, Store, StoreError};

/// The file of an upload that says where it stands.
const STANDING: &str = "upload.json";

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
    /// Whose it is. Before this was written down there was nobody else who could send files.
    #[serde(default = "first_tenant")]
    pub tenant: TenantId,
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
}

/// An upload that nobody else changes meanwhile.
struct Held {
    begun: Begun,
    /// Locked as long as it is open.
    content: File,
}

impl Uploads {
    /// Opens them: those that were under way go on with the bytes that were acknowledged.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(store: Arc<Store>, limits: UploadLimits) -> io::Result<Self> {
        let uploads = Self { store, limits };
        disk::make_folder(&uploads.folder())?;
        let _gate = uploads.gate()?;
        for path in uploads.folders()? {
            let is_begun = path.join("content").is_file() && read(&path).is_some();
            if !is_begun {
                // It was not begun as far as anybody was told, or its content is kept already.
                put_away(&path)?;
            }
        }
        Ok(uploads)
    }

    /// Begins an upload of so many bytes for a tenant, under an id that the caller made.
    ///
    /// # Errors
    /// When it is too large, too much is under way, or the disk fails.
    pub fn begin(
        &self,
        (tenant, id): (TenantId, Uuid),
        bytes: u64,
        wanted: Option<&Digest>,
        now_ms: u64,
    ) -> Result<Begun, UploadError> {
        if bytes > self.store.file_bytes_max() {
            return Err(StoreError::TooLarge(self.store.file_bytes_max()).into());
        }
        let _gate = self.gate()?;
        let under_way: Vec<Begun> = self.folders()?.iter().filter_map(|folder| read(folder)).collect();
        if under_way.len() >= self.limits.uploads_max {
            return Err(UploadError::TooMany(self.limits.uploads_max));
        }
        let promised = under_way.iter().fold(bytes, |sum, upload| sum.saturating_add(upload.bytes));
        if promised > self.limits.bytes_max {
            return Err(UploadError::TooMuch(self.limits.bytes_max));
        }
        let wanted = wanted.map(ToString::to_string);
        let begun = Begun { id, tenant, bytes, wanted, offset: 0, at_ms: now_ms };
        let folder = self.folder_of(id);
        fs::create_dir(&folder)?;
        File::create(folder.join("content"))?.sync_all()?;
        self.note(&begun)?;
        disk::sync_folder(&self.folder())?;
        Ok(begun)
    }

    /// Where an upload of a tenant stands.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, (tenant, id): (TenantId, Uuid)) -> Result<Begun, UploadError> {
        read(&self.folder_of(id)).filter(|begun| begun.tenant == tenant).ok_or(UploadError::Unknown(id))
    }

    /// Takes the piece that begins at `offset`. When this returns the piece is on the disk.
    ///
    /// # Errors
    /// When it is not the next piece, too large, or the disk fails.
    pub fn append(
        &self,
        (tenant, id): (TenantId, Uuid),
        offset: u64,
        piece: &[u8],
        now_ms: u64,
    ) -> Result<Begun, UploadError> {
        if piece.len() > self.limits.piece_bytes_max {
            return Err(UploadError::Piece(self.limits.piece_bytes_max));
        }
        let Held { begun, mut content } = self.hold(id, |begun| begun.tenant == tenant)?;
        if offset != begun.offset {
            return Err(UploadError::Offset { have: begun.offset, sent: offset });
        }
        let end = offset.checked_add(piece.len() as u64).filter(|end| *end <= begun.bytes);
        let end = end.ok_or(UploadError::Beyond(begun.bytes))?;
        // A piece that was not acknowledged may have left bytes: they are written over.
        content.seek(SeekFrom::Start(offset))?;
        content.write_all(piece)?;
        content.sync_data()?;
        let grown = Begun { offset: end, at_ms: now_ms, ..begun };
        self.note(&grown)?;
        Ok(grown)
    }

    /// Ends a complete upload: its content is kept under its digest.
    ///
    /// # Errors
    /// When it is not complete, or has another digest than was told: then it is gone. When the disk fails.
    pub fn finish(&self, (tenant, id): (TenantId, Uuid)) -> Result<Kept, UploadError> {
        let Held { begun, content } = self.hold(id, |begun| begun.tenant == tenant)?;
        // A disk that lost acknowledged bytes is found out here, not by whoever loads the file.
        let have = begun.offset.min(content.metadata()?.len());
        if have != begun.bytes {
            return Err(UploadError::Incomplete { have, wanted: begun.bytes });
        }
        // Bytes of a larger piece that was not acknowledged do not count.
        content.set_len(begun.bytes)?;
        let wanted = begun.wanted.as_ref().and_then(|wanted| wanted.parse().ok());
        let kept = self.store.adopt(&self.folder_of(id).join("content"), wanted.as_ref());
        match &kept {
            Ok(_) | Err(StoreError::OtherDigest { .. } | StoreError::TooLarge(_)) => self.forget(id)?,
            Err(_) => {}
        }
        Ok(kept?)
    }

    /// Ends an upload of a tenant and puts away what came. Whether there was one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn abandon(&self, (tenant, id): (TenantId, Uuid)) -> io::Result<bool> {
        match self.hold(id, |begun| begun.tenant == tenant) {
            Ok(_held) => self.forget(id).map(|()| true),
            Err(UploadError::Disk(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// Puts away uploads that nothing came for in too long; gives which.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn expire(&self, now_ms: u64) -> io::Result<Vec<Uuid>> {
        let is_idle = |begun: &Begun| now_ms.saturating_sub(begun.at_ms) > self.limits.idle_ms_max;
        let mut gone = Vec::new();
        for begun in self.folders()?.iter().filter_map(|folder| read(folder)).filter(is_idle) {
            // A piece may have come since it was looked at.
            if let Ok(_held) = self.hold(begun.id, is_idle) {
                self.forget(begun.id)?;
                gone.push(begun.id);
            }
        }
        Ok(gone)
    }

    /// Waits until nobody else changes the upload, which may have ended by then, or be another one than is meant.
    fn hold(&self, id: Uuid, is_meant: impl Fn(&Begun) -> bool) -> Result<Held, UploadError> {
        let folder = self.folder_of(id);
        // Who has no business with it does not wait for who has.
        read(&folder).filter(&is_meant).ok_or(UploadError::Unknown(id))?;
        let content = match OpenOptions::new().write(true).open(folder.join("content")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(UploadError::Unknown(id)),
            opened => opened?,
        };
        content.lock()?;
        let begun = read(&folder).filter(is_meant).ok_or(UploadError::Unknown(id))?;
        Ok(Held { begun, content })
    }

    /// One process at a time counts what is under way.
    fn gate(&self) -> io::Result<File> {
        let gate = File::create(self.store.folder().join("uploads.lock"))?;
        gate.lock()?;
        Ok(gate)
    }

    /// Writes down where an upload stands.
    fn note(&self, begun: &Begun) -> io::Result<()> {
        let json = serde_json::to_vec(begun).map_err(io::Error::other)?;
        disk::replace(&self.folder_of(begun.id).join(STANDING), &json)
    }

    fn forget(&self, id: Uuid) -> io::Result<()> {
        put_away(&self.folder_of(id))?;
        disk::sync_folder(&self.folder())
    }

    fn folders(&self) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(self.folder())?.map(|entry| entry.map(|entry| entry.path())).collect()
    }

    fn folder_of(&self, id: Uuid) -> PathBuf {
        self.folder().join(id.to_string())
    }

    fn folder(&self) -> PathBuf {
        self.store.folder().join("uploads")
    }
}

fn first_tenant() -> TenantId {
    FIRST_TENANT
}

/// Where the upload in `folder` stands, if there is one.
fn read(folder: &Path) -> Option<Begun> {
    fs::read(folder.join(STANDING)).ok().and_then(|json| serde_json::from_slice(&json).ok())
}

/// Puts an upload away: first what says that there is one.
fn put_away(folder: &Path) -> io::Result<()> {
    for gone in [fs::remove_file(folder.join(STANDING)), fs::remove_dir_all(folder)] {
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
