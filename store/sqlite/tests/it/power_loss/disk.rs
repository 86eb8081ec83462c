//! A disk that forgets: what is on it for certain, and what was written since and may or may not be.
//!
//! A sync of a file makes everything certain that was written to it before. When the power goes, each write since then is
//! there, or not, or torn between sectors, as the seed says, in any order.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use timeloom_store::conformance::Chance;

/// The database's own file; the others come and go beside it.
const MAIN_FILE: &str = "log.db";
/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// One change of a file that is not certain yet.
#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
    Delete,
}

/// A file: its content for certain, `None` when it may not even be there, and the changes since.
#[derive(Debug, Default)]
struct File {
    certain: Option<Vec<u8>>,
    changes: Vec<Change>,
}

impl File {
    /// Makes the first `count` changes certain.
    fn settle(&mut self, count: usize) {
        for change in self.changes.drain(..count) {
            apply(&mut self.certain, &change);
        }
    }

    fn settle_deletion(&mut self) {
        if let Some(last) = self.changes.iter().rposition(|change| matches!(change, Change::Delete)) {
            self.settle(last + 1);
        }
    }
}

#[derive(Debug)]
struct State {
    /// By their names in the folder.
    files: BTreeMap<String, File>,
    /// Changes and syncs until the power goes; `None`: it stays.
    left: Option<u64>,
    off: bool,
    /// Changes and syncs so far.
    operations: u64,
}

/// The disk of one folder.
#[derive(Debug)]
pub(super) struct Disk {
    state: Mutex<State>,
    synced: Condvar,
}

/// The power is off.
#[derive(Debug)]
pub(super) struct PowerOff;

impl Disk {
    /// A disk with the files of `folder`, whose power goes after `operations` changes and syncs; `None`: only by
    /// [`Self::power_off`].
    pub(super) fn of(folder: &Path, operations: Option<u64>) -> Self {
        let file = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok().filter(|name| name.starts_with(MAIN_FILE))?;
            let certain = Some(fs::read(entry.path()).unwrap());
            Some((name, File { certain, changes: Vec::new() }))
        };
        let files = fs::read_dir(folder).unwrap().filter_map(|entry| file(entry.unwrap())).collect();
        let state = State { files, left: operations, off: false, operations: 0 };
        Self { state: Mutex::new(state), synced: Condvar::new() }
    }

    pub(super) fn write(&self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), PowerOff> {
        self.change(name, Change::Write { offset, bytes: bytes.to_vec() })
    }

    pub(super) fn truncate(&self, name: &str, length: usize) -> Result<(), PowerOff> {
        self.change(name, Change::Truncate { length })
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), PowerOff> {
        self.change(name, Change::Delete)
    }

    fn change(&self, name: &str, change: Change) -> Result<(), PowerOff> {
        let mut state = self.lock();
        if state.off {
            return Err(PowerOff);
        }
        // Also the last one: it is under way when the power goes.
        state.files.entry(name.to_owned()).or_default().changes.push(change);
        state.count()
    }

    pub(super) fn sync(&self, name: &str) -> Result<(), PowerOff> {
        let mut state = self.lock();
        state.count()?;
        let file = state.files.entry(name.to_owned()).or_default();
        let is_new = file.certain.is_none();
        file.settle(file.changes.len());
        file.certain.get_or_insert_default();
        if is_new && name != MAIN_FILE {
            // With the first sync of a journal or write-ahead log SQLite syncs the folder: what was deleted is gone.
            state.files.values_mut().for_each(File::settle_deletion);
        }
        self.synced.notify_all();
        Ok(())
    }

    pub(super) fn is_off(&self) -> bool {
        self.lock().off
    }

    /// Nothing can be written or read from now on.
    pub(super) fn power_off(&self) {
        self.lock().off = true;
    }

    /// The power was not off in fact: whoever wrote was killed, and what was written is there for the next one.
    pub(super) fn power_on(&self) {
        self.lock().off = false;
    }

    /// Waits until everything that was written is certain.
    pub(super) fn wait_until_all_is_certain(&self) {
        let uncertain = |state: &mut State| state.files.values().any(|file| !file.changes.is_empty());
        drop(self.synced.wait_while(self.lock(), uncertain).unwrap_or_else(PoisonError::into_inner));
    }

    /// How many changes and syncs there were.
    pub(super) fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Writes into `folder` what is on the disk when the power comes back.
    pub(super) fn write_what_is_left(&self, folder: &Path, chance: &mut Chance) {
        // Between all that is not certain being there and none of it.
        let kept = [0, 100, 500, 900, 1_000][chance.index(5)];
        for (name, file) in &self.lock().files {
            let mut content = file.certain.clone();
            for change in &file.changes {
                if chance.happens(kept) {
                    apply(&mut content, &torn(change, chance));
                }
            }
            if let Some(content) = content {
                fs::write(folder.join(name), content).unwrap();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self) -> Result<(), PowerOff> {
        self.operations += 1;
        if let Some(left) = &mut self.left {
            self.off |= *left == 0;
            *left = left.saturating_sub(1);
        }
        if self.off { Err(PowerOff) } else { Ok(()) }
    }
}

/// `change`, or one time in four only some of its sectors' beginning.
fn torn(change: &Change, chance: &mut Chance) -> Change {
    match change {
        Change::Write { offset, bytes } if chance.happens(250) => {
            let sectors = bytes.len() / SECTOR_BYTES;
            let first = chance.index(sectors + 1) * SECTOR_BYTES;
            let (part, offset) =
                if chance.happens(500) { (&bytes[..first], *offset) } else { (&bytes[first..], offset + first) };
            Change::Write { offset, bytes: part.to_vec() }
        }
        whole => whole.clone(),
    }
}

fn apply(content: &mut Option<Vec<u8>>, change: &Change) {
    match change {
        Change::Write { bytes, .. } if bytes.is_empty() => {}
        Change::Write { offset, bytes } => {
            let content = content.get_or_insert_default();
            let end = offset + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(bytes);
        }
        Change::Truncate { length } => content.get_or_insert_default().resize(*length, 0),
        Change::Delete => *content = None,
    }
}
