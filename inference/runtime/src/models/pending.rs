//! What came in and is part of no version yet: each file and each laid model has a mark, which goes when it becomes part of
//! one. What nobody made anything of is found by its mark, and put away.
//!
//! Invariant: what has no mark is never put away here, and a mark that somebody came back to lives on as if it were new.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::UNIX_EPOCH;

use super::digest::Digest;
use super::disk;
use super::store::Store;

/// Most of them that are looked at together; the rest comes with the next look.
const LOOKED_AT_MAX: usize = 1_000;
/// What the mark of a laid model begins with.
const LAID: &str = "laid-";

/// Something that came in and is part of no version, as far as the store was told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pending {
    /// A file, by its digest.
    File(Digest),
    /// A model laid beside its weights, by the name that [`Store::laid_name`] gives.
    Laid(Digest),
}

impl Pending {
    fn mark(&self) -> String {
        match self {
            Self::File(digest) => digest.to_string(),
            Self::Laid(name) => format!("{LAID}{name}"),
        }
    }

    fn of_mark(mark: &str) -> Option<Self> {
        match mark.strip_prefix(LAID) {
            Some(name) => Digest::from_str(name).ok().map(Self::Laid),
            None => Digest::from_str(mark).ok().map(Self::File),
        }
    }
}

impl Store {
    /// What came in at least `age_ms` before `now_ms` and nobody claimed; a thousand at most.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn pending(&self, now_ms: u64, age_ms: u64) -> io::Result<Vec<Pending>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.pending_folder())?.take(LOOKED_AT_MAX) {
            let Some(pending) = entry?.file_name().to_str().and_then(Pending::of_mark) else { continue };
            if self.is_old(&pending, now_ms, age_ms)? {
                found.push(pending);
            }
        }
        found.sort();
        Ok(found)
    }

    /// It is part of a version: it stays, whatever its age.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn claim(&self, pending: &Pending) -> io::Result<()> {
        gone(fs::remove_file(self.mark_of(pending)))
    }

    /// Somebody makes something of it now: it is as if it had just come in.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn renew(&self, pending: &Pending) -> io::Result<()> {
        let _gate = self.pending_gate()?;
        if self.mark_of(pending).exists() { self.write_mark(pending) } else { Ok(()) }
    }

    /// Puts it away, if nobody came back to it meanwhile. Who calls this knows that no version has it. Whether it is gone.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn discard(&self, pending: &Pending, now_ms: u64, age_ms: u64) -> io::Result<bool> {
        let _gate = self.pending_gate()?;
        if !self.is_old(pending, now_ms, age_ms)? {
            return Ok(false);
        }
        match pending {
            Pending::File(digest) => {
                self.remove(digest)?;
            }
            Pending::Laid(name) => gone(fs::remove_dir_all(self.laid_folder(name)))?,
        }
        // The mark goes last: whoever is interrupted here finds it again.
        self.claim(pending).map(|()| true)
    }

    /// Marks what has just come in, before it has its name.
    pub(super) fn mark(&self, pending: &Pending) -> io::Result<()> {
        self.write_mark(pending)?;
        disk::sync_folder(&self.pending_folder())
    }

    /// The folder of marks.
    pub(super) fn pending_folder(&self) -> PathBuf {
        self.folder().join("pending")
    }

    /// Whether the mark is there and was last written that long ago. A file system has its own clock, that of the machine.
    fn is_old(&self, pending: &Pending, now_ms: u64, age_ms: u64) -> io::Result<bool> {
        let written = match fs::metadata(self.mark_of(pending)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            found => found?.modified()?,
        };
        let written_ms = written.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Ok(u128::from(now_ms) >= written_ms + u128::from(age_ms))
    }

    fn write_mark(&self, pending: &Pending) -> io::Result<()> {
        let mut mark = File::create(self.mark_of(pending))?;
        mark.write_all(b"\n")?;
        mark.sync_all()
    }

    fn mark_of(&self, pending: &Pending) -> PathBuf {
        self.pending_folder().join(pending.mark())
    }

    /// One process at a time puts something away or comes back to it.
    fn pending_gate(&self) -> io::Result<File> {
        let gate = File::create(self.folder().join("pending.lock"))?;
        gate.lock()?;
        Ok(gate)
    }
}

/// What is not there need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
