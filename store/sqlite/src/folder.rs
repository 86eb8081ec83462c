//! The data folder: everything that one Timeloom keeps, used by one process at a time.
//!
//! The operating system holds the lock, so it ends with its process however that ends. The lock file tells others who has it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};

/// Name of the lock file in a data folder.
const LOCK_FILE: &str = "LOCK";
/// Most bytes that are read from a lock file.
const LOCK_FILE_BYTES_MAX: u64 = 4_096;

/// A data folder that belongs to this process until dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: Mutex<File>,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it and serves at `url`.
    #[error("data folder {} is in use by process {pid}: use `--server {url}`", path.display())]
    Served {
        /// The folder.
        path: PathBuf,
        /// The process.
        pid: String,
        /// Where it serves.
        url: String,
    },
    /// Another process has it.
    #[error(
        "data folder {} is in use by process {pid}: wait for it or stop it, or give another --data folder",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process; `unknown` when it has not said yet.
        pid: String,
    },
    /// Something that is not a folder has that name.
    #[error("{} is not a folder: give another --data folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// No permission.
    #[error("no permission to write in data folder {}: change its owner or mode, or give another --data folder", path.display())]
    NotWritable {
        /// The folder.
        path: PathBuf,
    },
    /// Anything else.
    #[error("data folder {} cannot be used: {error}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl DataFolder {
    /// Takes the folder at `path` for this process; makes it when there is none, readable by its owner only.
    ///
    /// # Errors
    /// [`FolderError`], whose message says what to do.
    pub fn acquire(path: impl Into<PathBuf>) -> Result<Self, FolderError> {
        let path = path.into();
        let refused = |error| refusal(&path, error);
        if path.exists() && !path.is_dir() {
            return Err(FolderError::NotAFolder { path });
        }
        make_folder(&path).map_err(refused)?;
        let lock_path = path.join(LOCK_FILE);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path);
        let file = file.map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, file)),
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        let folder = Self { path, lock: Mutex::new(file) };
        folder.write_owner("").map_err(|error| refusal(&folder.path, error))?;
        Ok(folder)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells other processes where this one serves.
    ///
    /// # Errors
    /// [`FolderError`] when the lock file cannot be written.
    pub fn set_owner_url(&self, url: &str) -> Result<(), FolderError> {
        self.write_owner(url).map_err(|error| refusal(&self.path, error))
    }

    fn write_owner(&self, url: &str) -> io::Result<()> {
        let mut file = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(format!("{}\n{url}\n", process::id()).as_bytes())?;
        file.sync_data()
    }
}

fn refusal(path: &Path, error: io::Error) -> FolderError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FolderError::NotWritable { path },
        ErrorKind::NotADirectory => FolderError::NotAFolder { path },
        _ => FolderError::Io { path, error },
    }
}

fn in_use(path: PathBuf, file: File) -> FolderError {
    let mut owner = String::new();
    // Where the lock keeps others from reading, the owner stays unknown.
    let _ = file.take(LOCK_FILE_BYTES_MAX).read_to_string(&mut owner);
    let mut lines = owner.lines();
    let pid = lines.next().filter(|pid| !pid.is_empty()).unwrap_or("unknown").to_owned();
    match lines.next().filter(|url| !url.is_empty()) {
        Some(url) => FolderError::Served { path, pid, url: url.to_owned() },
        None => FolderError::InUse { path, pid },
    }
}

/// Makes a folder and its parents, readable by its owner only; payloads may be secret.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
