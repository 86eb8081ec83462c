//! Blobs as files named by the hash of their content, in `blobs/` of the data folder. Never changes a file once it has its name.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use timeloom_store::{
    BLOB_BYTES_MAX, BLOB_PART_BYTES, BlobError, BlobHash, BlobMeter, BlobStore, BlobWriter, LogError, WrittenBlob,
};

use crate::error::{OpenError, blobs_error};
use crate::folder::{DataFolder, make_folder};

/// Name of the blobs' folder in a data folder.
const BLOBS_FOLDER: &str = "blobs";
/// Name of the folder in it for files that do not have their name yet.
const UNFINISHED_FOLDER: &str = "unfinished";
/// Bytes compared at a time.
const COMPARED_BYTES: usize = 64 << 10;

/// A [`BlobStore`] in a data folder.
#[derive(Debug)]
pub struct SqliteBlobs {
    files: Arc<BlobFiles>,
    /// Keeps the folder this process's own.
    folder: Arc<DataFolder>,
}

/// The files themselves. Everything here blocks.
#[derive(Debug)]
pub(crate) struct BlobFiles {
    path: PathBuf,
    next_unfinished: AtomicU64,
}

impl SqliteBlobs {
    pub(crate) fn open(folder: Arc<DataFolder>) -> Result<Arc<Self>, OpenError> {
        let path = folder.path().join(BLOBS_FOLDER);
        let unfinished = path.join(UNFINISHED_FOLDER);
        let emptied = match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => make_folder(&unfinished),
        };
        emptied.map_err(|error| OpenError::Io { path: unfinished, error })?;
        let files = Arc::new(BlobFiles { path, next_unfinished: AtomicU64::new(0) });
        Ok(Arc::new(Self { files, folder }))
    }

    pub(crate) fn files(&self) -> Arc<BlobFiles> {
        Arc::clone(&self.files)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&BlobFiles) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let files = Arc::clone(&self.files);
        tokio::task::spawn_blocking(move || work(&files)).await.map_err(LogError::storage)?
    }
}

#[async_trait]
impl BlobStore for SqliteBlobs {
    async fn put(&self, content: Bytes) -> Result<BlobHash, BlobError> {
        if content.len() > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge(content.len()));
        }
        self.work(move |files| files.put(&content)).await
    }

    async fn get(&self, hash: BlobHash) -> Result<Bytes, BlobError> {
        self.work(move |files| files.get(hash).map(Bytes::from)).await
    }

    async fn writer(&self) -> Result<Box<dyn BlobWriter>, BlobError> {
        let files = Arc::clone(&self.files);
        let unfinished = self.work(|files| files.begin()).await?;
        let folder = Arc::clone(&self.folder);
        let writer =
            FileWriter { unfinished, gathered: Vec::new(), meter: BlobMeter::default(), files, _folder: folder };
        Ok(Box::new(writer))
    }

    async fn part(&self, hash: BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError> {
        self.work(move |files| files.part(hash, offset, bytes_max).map(Bytes::from)).await
    }

    async fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        self.work(move |files| files.remove(hash)).await
    }
}

/// A blob on its way into a file.
struct FileWriter {
    unfinished: Arc<Unfinished>,
    /// What is not in the file yet: small pieces are written together.
    gathered: Vec<u8>,
    meter: BlobMeter,
    files: Arc<BlobFiles>,
    /// Keeps the folder this process's own.
    _folder: Arc<DataFolder>,
}

#[async_trait]
impl BlobWriter for FileWriter {
    async fn write(&mut self, content: Bytes) -> Result<(), BlobError> {
        self.meter.add(&content)?;
        self.gathered.extend_from_slice(&content);
        if self.gathered.len() < BLOB_PART_BYTES {
            return Ok(());
        }
        let (unfinished, files) = (Arc::clone(&self.unfinished), Arc::clone(&self.files));
        let gathered = std::mem::take(&mut self.gathered);
        let write = move || (&unfinished.file).write_all(&gathered).map_err(|error| blobs_error(&files.path, error));
        Ok(tokio::task::spawn_blocking(write).await.map_err(LogError::storage)??)
    }

    async fn finish(self: Box<Self>) -> Result<WrittenBlob, BlobError> {
        let finish = move || {
            let written = self.meter.written();
            let named = (&self.unfinished.file)
                .write_all(&self.gathered)
                .and_then(|()| self.files.name(&self.unfinished, written));
            named.map_err(|error| blobs_error(&self.files.path, error))?;
            Ok(written)
        };
        tokio::task::spawn_blocking(finish).await.map_err(LogError::storage)?
    }
}

/// A file that has no name among the blobs yet.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // One that was finished has another name by now. What cannot be removed goes at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

impl BlobFiles {
    /// Stores `content` durably. What is there is kept when it is whole and replaced when it is not.
    pub(crate) fn put(&self, content: &[u8]) -> Result<BlobHash, BlobError> {
        let hash = BlobHash::of(content);
        let (shard, file) = self.place(hash);
        let stored = if has_content(&file, content) {
            // Whoever is storing the same at this moment may have given it its name, but not made the name safe yet.
            sync_folder(&self.path).and_then(|()| sync_folder(&shard))
        } else {
            self.write(content, &shard, &file)
        };
        stored.map_err(|error| blobs_error(&self.path, error))?;
        Ok(hash)
    }

    fn write(&self, content: &[u8], shard: &Path, file: &Path) -> std::io::Result<()> {
        let unfinished = self.unfinished()?;
        (&unfinished.file).write_all(content)?;
        self.give_name(&unfinished, shard, file)
    }

    /// The name comes after the content is safe, and the name itself is safe before this returns.
    fn give_name(&self, unfinished: &Unfinished, shard: &Path, file: &Path) -> std::io::Result<()> {
        unfinished.file.sync_all()?;
        make_folder(shard)?;
        // Also when somebody else made it: that may be a moment ago.
        sync_folder(&self.path)?;
        fs::rename(&unfinished.path, file)?;
        sync_folder(shard)
    }

    fn unfinished(&self) -> std::io::Result<Unfinished> {
        let number = self.next_unfinished.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(UNFINISHED_FOLDER).join(number.to_string());
        Ok(Unfinished { file: File::create(&path)?, path })
    }

    /// A blob whose content is still to come.
    fn begin(&self) -> Result<Arc<Unfinished>, BlobError> {
        Ok(Arc::new(self.unfinished().map_err(|error| blobs_error(&self.path, error))?))
    }

    /// Gives a file that has all of its content its name. One that has the name already may be damaged: it is replaced.
    fn name(&self, unfinished: &Unfinished, written: WrittenBlob) -> std::io::Result<()> {
        let (shard, file) = self.place(written.hash);
        self.give_name(unfinished, &shard, &file)
    }

    /// The content of a blob, checked against its hash.
    fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        let (shard, file) = self.place(hash);
        let removed = match fs::remove_file(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_folder(&shard),
        };
        Ok(removed.map_err(|error| blobs_error(&self.path, error))?)
    }

    pub(crate) fn get(&self, hash: BlobHash) -> Result<Vec<u8>, BlobError> {
        let (_, file) = self.place(hash);
        let content = fs::read(file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => BlobError::Missing(hash),
            _ => blobs_error(&self.path, error).into(),
        })?;
        if BlobHash::of(&content) == hash { Ok(content) } else { Err(BlobError::Damaged(hash)) }
    }

    /// A part of the content of a blob.
    fn part(&self, hash: BlobHash, offset: u64, bytes_max: usize) -> Result<Vec<u8>, BlobError> {
        let (_, file) = self.place(hash);
        let read = || {
            let mut file = File::open(&file)?;
            let mut part = Vec::new();
            if offset < file.metadata()?.len() {
                file.seek(SeekFrom::Start(offset))?;
                file.take(bytes_max as u64).read_to_end(&mut part)?;
            }
            Ok(part)
        };
        read().map_err(|error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => BlobError::Missing(hash),
            _ => blobs_error(&self.path, error).into(),
        })
    }

    fn place(&self, hash: BlobHash) -> (PathBuf, PathBuf) {
        let name = hash.to_string();
        let (first, rest) = name.split_at(2);
        let shard = self.path.join(first);
        let file = shard.join(rest);
        (shard, file)
    }
}

/// Whether the file has exactly this content; one that cannot be read has not.
fn has_content(file: &Path, content: &[u8]) -> bool {
    let Ok(mut file) = File::open(file) else { return false };
    if !file.metadata().is_ok_and(|stored| stored.len() == content.len() as u64) {
        return false;
    }
    let mut buffer = vec![0; COMPARED_BYTES];
    content.chunks(COMPARED_BYTES).all(|expected| {
        buffer.get_mut(..expected.len()).is_some_and(|read| file.read_exact(read).is_ok() && read == expected)
    })
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Other systems do not let a folder be opened as a file; they write names down with the file.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as where it can fail")]
fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
