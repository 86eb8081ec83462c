//! Where segments are: a folder, or S3. A place only takes whole segments, and gives them back.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::ArchiveError;
use crate::index::SEGMENT_BYTES_MAX;

/// What the address of a place in S3 begins with.
const S3: &str = "s3://";

/// Keeps segments.
#[async_trait]
pub trait Place: fmt::Debug + Send + Sync + 'static {
    /// Keeps a segment; it is durable then. What is there of that name is replaced.
    ///
    /// # Errors
    /// [`ArchiveError::Place`], whose message says why.
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), ArchiveError>;

    /// A whole segment, which has `bytes` bytes.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Place`], and [`ArchiveError::Damaged`] when it has others.
    async fn get(&self, name: &str, bytes: u64) -> Result<Bytes, ArchiveError>;

    /// `bytes` bytes of a segment from `offset` on.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn part(&self, name: &str, offset: u64, bytes: usize) -> Result<Bytes, ArchiveError>;
}

/// Opens places by what logs say of them.
#[derive(Debug, Clone)]
pub struct Places {
    /// What folders that do not begin at the root are in; `None`: nothing.
    base: Option<PathBuf>,
}

impl Places {
    /// Folders that are not given from the root of the file system on are in `base`, which is the data folder.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: Some(base.into()) }
    }

    /// For a log that several machines may work on: folders are given from the root of the file system on, and lead to the same
    /// place on all of them.
    pub fn shared() -> Self {
        Self { base: None }
    }

    fn folder(&self, place: &str) -> Result<PathBuf, ArchiveError> {
        match &self.base {
            Some(base) => Ok(base.join(place)),
            None if Path::new(place).is_absolute() => Ok(place.into()),
            None => Err(ArchiveError::BadPlace {
                place: place.to_owned(),
                detail:
                    "every process of the log has to reach it: give s3://BUCKET/PREFIX, or a folder that is mounted on \
                         all their machines, from / on"
                        .to_owned(),
            }),
        }
    }

    /// Opens a place.
    ///
    /// # Errors
    /// [`ArchiveError::BadPlace`] when it is none that this build can use.
    pub fn open(&self, place: &str) -> Result<Arc<dyn Place>, ArchiveError> {
        let bad = |detail: &str| ArchiveError::BadPlace { place: place.to_owned(), detail: detail.to_owned() };
        if place.starts_with(S3) {
            return in_s3(place);
        }
        if place.is_empty() || place.contains("://") {
            return Err(bad("give a folder or s3://BUCKET/PREFIX"));
        }
        Ok(Arc::new(Folder { shown: place.to_owned(), path: self.folder(place)? }))
    }

    /// A place as a log is to remember it: a folder within the data folder from there on, so that both can be moved
    /// together, any other from the root of the file system on.
    ///
    /// # Errors
    /// [`ArchiveError`] when it is none, or the folder cannot be made.
    pub fn named(&self, place: &str) -> Result<String, ArchiveError> {
        self.open(place)?;
        if place.starts_with(S3) {
            return Ok(place.trim_end_matches('/').to_owned());
        }
        let failed = |error: std::io::Error| ArchiveError::Place { place: place.to_owned(), detail: error.to_string() };
        let folder = self.folder(place)?;
        fs::create_dir_all(&folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let base = self.base.as_ref().map(|base| base.canonicalize()).transpose().map_err(failed)?;
        let within =
            base.and_then(|base| folder.strip_prefix(base).ok()).filter(|within| !within.as_os_str().is_empty());
        let named = within.unwrap_or(&folder).to_str().ok_or_else(|| ArchiveError::BadPlace {
            place: place.to_owned(),
            detail: "its path is not UTF-8: give another folder".to_owned(),
        })?;
        Ok(named.to_owned())
    }
}

#[cfg(feature = "s3")]
fn in_s3(place: &str) -> Result<Arc<dyn Place>, ArchiveError> {
    Ok(Arc::new(crate::s3::Bucket::open(place)?))
}

#[cfg(not(feature = "s3"))]
fn in_s3(place: &str) -> Result<Arc<dyn Place>, ArchiveError> {
    let detail = "this build of Timeloom has no S3: give a folder, or build it with the feature 's3'".to_owned();
    Err(ArchiveError::BadPlace { place: place.to_owned(), detail })
}

/// A folder of this machine, or one that is mounted here.
#[derive(Debug, Clone)]
pub struct Folder {
    shown: String,
    path: PathBuf,
}

impl Folder {
    /// Does `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Self, &str) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let (own, name) = (self.clone(), name.to_owned());
        tokio::task::spawn_blocking(move || work(&own, &name))
            .await
            .map_err(|error| ArchiveError::Place { place: self.shown.clone(), detail: error.to_string() })?
    }

    fn failed(&self, name: &str, error: &std::io::Error) -> ArchiveError {
        let (name, place) = (name.to_owned(), self.shown.clone());
        match error.kind() {
            ErrorKind::NotFound => ArchiveError::Missing { name, place },
            ErrorKind::UnexpectedEof => ArchiveError::Damaged { name, place, detail: "it is cut off".to_owned() },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                ArchiveError::Place { place, detail: "the disk is full: make room, then run it again".to_owned() }
            }
            _ => ArchiveError::Place { place, detail: format!("{name}: {error}") },
        }
    }

    fn file(&self, name: &str) -> Result<PathBuf, ArchiveError> {
        check_name(name, &self.shown)?;
        Ok(self.path.join(name))
    }

    /// Written beside its name and moved there once the disk has it, so that under its name there is all of it or nothing.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let file = self.file(name)?;
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => {
                ArchiveError::Place { place: self.shown.clone(), detail: "the folder is not there: make it".to_owned() }
            }
            _ => self.failed(name, &error),
        };
        let part = file.with_extension("part");
        let mut written = File::create(&part).map_err(failed)?;
        written.write_all(bytes).and_then(|()| written.sync_all()).map_err(failed)?;
        drop(written);
        fs::rename(&part, &file).map_err(failed)?;
        sync_folder(&self.path).map_err(failed)
    }

    fn read(&self, name: &str, offset: u64, bytes: usize) -> Result<Bytes, ArchiveError> {
        let failed = |error: std::io::Error| self.failed(name, &error);
        let mut file = File::open(self.file(name)?).map_err(failed)?;
        let mut read = vec![0; bytes];
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut read)).map_err(failed)?;
        Ok(read.into())
    }
}

#[async_trait]
impl Place for Folder {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), ArchiveError> {
        self.blocking(name, move |folder, name| folder.write(name, &bytes)).await
    }

    async fn get(&self, name: &str, bytes: u64) -> Result<Bytes, ArchiveError> {
        let length = check_length(name, &self.shown, bytes)?;
        self.blocking(name, move |folder, name| {
            let found = fs::metadata(folder.file(name)?).map_err(|error| folder.failed(name, &error))?.len();
            if found != bytes {
                let detail = format!("it has {found} bytes, not {bytes}");
                return Err(ArchiveError::Damaged { name: name.to_owned(), place: folder.shown.clone(), detail });
            }
            folder.read(name, 0, length)
        })
        .await
    }

    async fn part(&self, name: &str, offset: u64, bytes: usize) -> Result<Bytes, ArchiveError> {
        self.blocking(name, move |folder, name| folder.read(name, offset, bytes)).await
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// A length that a segment can have.
pub(crate) fn check_length(name: &str, place: &str, bytes: u64) -> Result<usize, ArchiveError> {
    usize::try_from(bytes).ok().filter(|_| bytes <= SEGMENT_BYTES_MAX).ok_or_else(|| ArchiveError::Damaged {
        name: name.to_owned(),
        place: place.to_owned(),
        detail: format!("it has {bytes} bytes, more than a segment can have"),
    })
}

/// Only names that the writer gives: a log that was tampered with reaches no other file.
pub(crate) fn check_name(name: &str, place: &str) -> Result<(), ArchiveError> {
    let own = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let stem = name.strip_suffix(".segment").unwrap_or_default();
    if !stem.is_empty() && stem.bytes().all(own) {
        return Ok(());
    }
    Err(ArchiveError::BadPlace { place: place.to_owned(), detail: format!("'{name}' is no name of a segment") })
}
