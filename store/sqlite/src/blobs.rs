//! Blobs as files named by the hash of their content, in `blobs/` of the data folder. Never changes a file once it has its name.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use timeloom_store::{BLOB_BYTES_MAX, BlobError, BlobHash, BlobStore, LogError};

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
    _folder: Arc<DataFolder>,
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
        Ok(Arc::new(Self { files, _folder: folder }))
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

    /// The name comes after the content is safe, and the name itself is safe before this returns.
    fn write(&self, content: &[u8], shard: &Path, file: &Path) -> std::io::Result<()> {
        let number = self.next_unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path.join(UNFINISHED_FOLDER).join(number.to_string());
        let written = (|| {
            let mut temporary = File::create(&unfinished)?;
            temporary.write_all(content)?;
            temporary.sync_all()?;
            make_folder(shard)?;
            // Also when somebody else made it: that may be a moment ago.
            sync_folder(&self.path)?;
            fs::rename(&unfinished, file)?;
            sync_folder(shard)
        })();
        if written.is_err() {
            // What is left is removed at the next start.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// The content of a blob, checked against its hash.
    pub(crate) fn get(&self, hash: BlobHash) -> Result<Vec<u8>, BlobError> {
        let (_, file) = self.place(hash);
        let content = fs::read(file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => BlobError::Missing(hash),
            _ => blobs_error(&self.path, error).into(),
        })?;
        if BlobHash::of(&content) == hash { Ok(content) } else { Err(BlobError::Damaged(hash)) }
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
