//! Files by their digests: `sha256/ab/cd/abcd…`.
//!
//! Several processes may share a folder: what one of them writes has another name and is locked until it is whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::digest::Digest;
use super::disk;
use super::pending::Pending;
use crate::validate::external;

/// What a model's file is called where it lies beside its weights.
const MODEL: &str = "model.onnx";
/// Most files of weights beside a model.
const BESIDE_MAX: usize = 1_000;

/// The store of models' files in a folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Most bytes of one file.
    file_bytes_max: u64,
    /// Held by whoever lays a model with its weights.
    laying: Mutex<()>,
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// Why a file is not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is not what it was said to be.
    #[error("the content has the SHA-256 {found}, it was to have {wanted}: send it again")]
    OtherDigest {
        /// What it was to have.
        wanted: Digest,
        /// What it has.
        found: Digest,
    },
    /// It is too large.
    #[error(
        "the content has more than {0} bytes, which is the most for one file: split its weights into files beside it"
    )]
    TooLarge(u64),
    /// There is no such file.
    #[error("there is no file with the SHA-256 {0} here: upload it first")]
    Unknown(Digest),
    /// A path of weights leads out of the model's folder, or there are too many.
    #[error("the weights '{path}' cannot lie beside the model: {why}")]
    Beside {
        /// The path.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The disk failed.
    #[error("the store of models failed: {0}")]
    Disk(#[from] io::Error),
}

impl Store {
    /// Opens the store in `folder`, which is made if need be. What was being written by processes that ended is put away.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(folder: &Path, file_bytes_max: u64) -> io::Result<Self> {
        let store = Self { folder: folder.to_path_buf(), file_bytes_max, laying: Mutex::default() };
        disk::make_folder(&store.folder)?;
        disk::make_folder(&store.fresh_folder())?;
        disk::make_folder(&store.pending_folder())?;
        store.sweep()?;
        Ok(store)
    }

    /// Puts away what nobody writes to any more.
    fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.fresh_folder())? {
            let path = entry?.path();
            let Ok(left) = File::open(&path) else { continue };
            match left.try_lock() {
                Ok(()) if path.is_dir() => fs::remove_dir_all(&path)?,
                Ok(()) => fs::remove_file(&path)?,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Most bytes of one file.
    pub fn file_bytes_max(&self) -> u64 {
        self.file_bytes_max
    }

    /// The file with that digest.
    ///
    /// # Errors
    /// When there is none, or the disk fails.
    pub fn find(&self, digest: &Digest) -> Result<Kept, StoreError> {
        let path = self.place(digest);
        match path.symlink_metadata() {
            Ok(found) if found.is_file() => Ok(Kept { digest: digest.clone(), bytes: found.len(), path }),
            Ok(_) => Err(StoreError::Unknown(digest.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Unknown(digest.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps what `content` gives. `fresh` names the work: one name at a time.
    ///
    /// # Errors
    /// When it is too large, has another digest than `wanted`, or the disk fails.
    pub fn keep(&self, content: impl Read, wanted: Option<&Digest>, fresh: &str) -> Result<Kept, StoreError> {
        let path = self.fresh_folder().join(fresh);
        let kept = self.write(content, &path).and_then(|_locked| self.adopt(&path, wanted));
        if kept.is_err() {
            // It is put away at the next start if this fails too.
            let _ = fs::remove_file(&path);
        }
        kept
    }

    /// Gives the file, which stays locked as long as it is open.
    fn write(&self, content: impl Read, path: &Path) -> Result<File, StoreError> {
        let mut file = File::create_new(path)?;
        file.lock()?;
        let copied = io::copy(&mut content.take(self.file_bytes_max + 1), &mut file)?;
        if copied > self.file_bytes_max {
            return Err(StoreError::TooLarge(self.file_bytes_max));
        }
        file.flush()?;
        file.sync_all()?;
        Ok(file)
    }

    /// Takes a file on the same disk that is durable and that nobody writes to any more: gives it its name. Until it is claimed
    /// it is pending.
    pub(super) fn adopt(&self, path: &Path, wanted: Option<&Digest>) -> Result<Kept, StoreError> {
        let (digest, bytes) = Digest::of_all(File::open(path)?)?;
        if let Some(wanted) = wanted.filter(|wanted| **wanted != digest) {
            return Err(StoreError::OtherDigest { wanted: wanted.clone(), found: digest });
        }
        if bytes > self.file_bytes_max {
            return Err(StoreError::TooLarge(self.file_bytes_max));
        }
        let (place, pending) = (self.place(&digest), Pending::File(digest.clone()));
        // First, so that what is there is not put away while it is looked at.
        self.renew(&pending)?;
        if place.is_file() {
            fs::remove_file(path)?;
        } else {
            self.mark(&pending)?;
            let mut permissions = fs::metadata(path)?.permissions();
            permissions.set_readonly(true);
            fs::set_permissions(path, permissions)?;
            disk::name(path, &place)?;
        }
        Ok(Kept { digest, bytes, path: place })
    }

    /// Whether the file with that digest still has it: disks forget.
    ///
    /// # Errors
    /// When there is none, or the disk fails.
    pub fn is_whole(&self, digest: &Digest) -> Result<bool, StoreError> {
        let kept = self.find(digest)?;
        Ok(Digest::of_all(File::open(kept.path)?)?.0 == *digest)
    }

    /// Lays a model and the weights beside it into a folder of their own, by the paths that the model names them with. Gives
    /// the model's path there. A model without weights beside it is where it is kept.
    ///
    /// # Errors
    /// When a file is not there, a path leads elsewhere, or the disk fails.
    pub fn lay(&self, model: &Digest, beside: &[(String, Digest)]) -> Result<PathBuf, StoreError> {
        let kept = self.find(model)?;
        if beside.is_empty() {
            return Ok(kept.path);
        }
        for (path, _) in beside {
            let refused = |why| StoreError::Beside { path: path.clone(), why };
            if let Some(why) = external::objection(path) {
                return Err(refused(why));
            }
            if path == MODEL || beside.len() > BESIDE_MAX {
                return Err(refused("it has the model's own name, or there are too many"));
            }
        }
        let name = Self::laid_name(model, beside);
        let (folder, pending) = (self.laid_folder(&name), Pending::Laid(name.clone()));
        let _laying = self.laying.lock().unwrap_or_else(PoisonError::into_inner);
        self.renew(&pending)?;
        if !folder.is_dir() {
            self.mark(&pending)?;
            self.lay_into(&folder, &kept, beside, &name)?;
        }
        Ok(folder.join(MODEL))
    }

    /// The name of a model laid beside these weights, which depends on their order.
    pub fn laid_name(model: &Digest, beside: &[(String, Digest)]) -> Digest {
        let rest = beside.iter().map(|(path, digest)| format!("{path}\n{digest}\n"));
        let list: String = [format!("{model}\n")].into_iter().chain(rest).collect();
        Digest::of(list.as_bytes())
    }

    /// Fills a folder under another name first: it is either all there or not.
    fn lay_into(
        &self,
        folder: &Path,
        model: &Kept,
        beside: &[(String, Digest)],
        name: &Digest,
    ) -> Result<(), StoreError> {
        // Several processes may lay the same model: each in a folder of its own.
        let fresh = self.fresh_folder().join(format!("{name}-{}", std::process::id()));
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        disk::make_folder(&fresh)?;
        let locked = File::open(&fresh)?;
        locked.lock()?;
        // Further names of the same files: nothing is copied, and no link leads anywhere.
        fs::hard_link(&model.path, fresh.join(MODEL))?;
        for (path, digest) in beside {
            let place = fresh.join(path);
            let above = place.parent().unwrap_or(&fresh);
            disk::make_folder(above)?;
            fs::hard_link(self.find(digest)?.path, &place)?;
            disk::sync_folder(above)?;
        }
        disk::sync_folder(&fresh)?;
        match disk::name(&fresh, folder) {
            // Somebody else was quicker.
            Err(_) if folder.is_dir() => Ok(fs::remove_dir_all(&fresh)?),
            done => Ok(done?),
        }
    }

    /// Puts a file away. Who calls this knows that no version of a model has it. Whether it was there.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove(&self, digest: &Digest) -> io::Result<bool> {
        match fs::remove_file(self.place(digest)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let digits = digest.as_str();
        self.folder.join("sha256").join(&digits[..2]).join(&digits[2..4]).join(digits)
    }

    pub(super) fn laid_folder(&self, name: &Digest) -> PathBuf {
        self.folder.join("laid").join(name.as_str())
    }

    fn fresh_folder(&self) -> PathBuf {
        self.folder.join("fresh")
    }
}
