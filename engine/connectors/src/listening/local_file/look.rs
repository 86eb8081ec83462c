//! One look at a folder: what is in it, without opening or following anything.

use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt as _};
use sha2::{Digest as _, Sha256};
use timeloom_engine::node::{Listening, NodeError};

/// Most files and folders that are watched by one trigger.
pub(super) const ENTRIES_MAX: usize = 20_000;
/// How far down it is looked at most.
const DEPTH_MAX: usize = 64;
/// Bytes of a digest that tells a path or a state from others.
const DIGEST_BYTES: usize = 8;

/// Why it cannot watch anything.
pub(super) const NO_ROOT: &str =
    "this server was started without a folder for files: the operator names one by `timeloom serve --files-root DIR`";

/// A file or folder that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path below the watched one; empty for itself.
    pub path: PathBuf,
    /// A digest of the path.
    pub name: String,
    /// What changes whenever it does.
    pub stamp: String,
    /// What stays as long as it is there: told apart by it is one that was taken away and came again. The stamp where the
    /// file system does not say when something came.
    pub born: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// When it changed last, in milliseconds since 1970.
    pub changed_ms: i64,
}

/// What is watched.
#[derive(Debug)]
pub(super) struct Watched {
    root: PathBuf,
    /// Below the root.
    path: PathBuf,
    is_file: bool,
    depth_max: usize,
    ignored: Option<String>,
}

impl Watched {
    /// What a node watches.
    ///
    /// # Errors
    /// [`NodeError`] when there is no folder for files, or the path is not in it.
    pub fn of(root: Option<&Path>, listening: &Listening) -> Result<Self, NodeError> {
        let root = root.ok_or_else(|| NodeError::operation(NO_ROOT))?.to_owned();
        let named = listening.text("path", "");
        let path = below(&root, Path::new(named.trim()))?;
        let depth = listening.number("options.depth", -1.0);
        let depth_max = if depth < 0.0 { DEPTH_MAX } else { (depth as usize).min(DEPTH_MAX) };
        let ignored = Some(listening.text("options.ignored", "")).filter(|pattern| !pattern.is_empty());
        let is_file = listening.text("triggerOn", "file") == "file";
        Ok(Self { root, path, is_file, depth_max, ignored })
    }

    /// Everything that is there now.
    ///
    /// # Errors
    /// [`NodeError`] when the folder cannot be read, or has too much in it.
    pub fn look(&self) -> Result<Vec<Found>, NodeError> {
        let root = Dir::open_ambient_dir(&self.root, ambient_authority());
        let root =
            root.map_err(|error| NodeError::operation(format!("the folder for files cannot be opened: {error}")))?;
        let mut found = Vec::new();
        if self.is_file {
            // A file that is not there yet may come.
            if let Ok(metadata) = root.symlink_metadata(&self.path)
                && metadata.is_file()
            {
                found.push(entry(PathBuf::new(), &metadata));
            }
            return Ok(found);
        }
        let shown = self.path.display();
        let unreadable =
            |error: std::io::Error| NodeError::operation(format!("the folder '{shown}' cannot be read: {error}"));
        let folder = if self.path.as_os_str().is_empty() { Ok(root) } else { root.open_dir(&self.path) };
        self.walk(&folder.map_err(unreadable)?, Path::new(""), 0, &mut found)?;
        Ok(found)
    }

    fn walk(&self, folder: &Dir, below: &Path, depth: usize, found: &mut Vec<Found>) -> Result<(), NodeError> {
        // What goes while it is looked at is not there.
        let Ok(entries) = folder.entries() else { return Ok(()) };
        for listed in entries.flatten() {
            let name = listed.file_name();
            let path = below.join(&name);
            let Ok(metadata) = folder.symlink_metadata(&name) else { continue };
            let is_folder = metadata.is_dir();
            if !(is_folder || metadata.is_file()) || self.is_ignored(&path) {
                continue;
            }
            if found.len() >= ENTRIES_MAX {
                let message = format!("there are more than {ENTRIES_MAX} files in '{}'", self.path.display());
                let advice = "watch a folder further down, or leave some out by the option 'ignored'";
                return Err(NodeError::operation(message).described(advice));
            }
            found.push(entry(path.clone(), &metadata));
            if is_folder
                && depth < self.depth_max
                && let Ok(inner) = folder.open_dir(&name)
            {
                self.walk(&inner, &path, depth + 1, found)?;
            }
        }
        Ok(())
    }

    fn is_ignored(&self, path: &Path) -> bool {
        self.ignored.as_deref().is_some_and(|pattern| matches(pattern, &path.to_string_lossy()))
    }

    /// A path as items have it.
    pub fn shown(&self, path: &Path) -> String {
        let whole = self.root.join(&self.path);
        let whole = if path.as_os_str().is_empty() { whole } else { whole.join(path) };
        whole.to_string_lossy().into_owned()
    }
}

/// A path below the root, however it was written.
fn below(root: &Path, path: &Path) -> Result<PathBuf, NodeError> {
    let relative = if path.is_absolute() { path.strip_prefix(root).ok() } else { Some(path) };
    let relative = relative.filter(|path| path.components().all(|part| !matches!(part, Component::ParentDir)));
    let plain =
        |path: &Path| path.components().filter(|part| matches!(part, Component::Normal(_))).collect::<PathBuf>();
    relative.map(plain).ok_or_else(|| {
        NodeError::operation(format!("'{}' is not in the folder that the operator named for files", path.display()))
            .described("give a path below that folder, without '..'")
    })
}

fn entry(path: PathBuf, metadata: &cap_std::fs::Metadata) -> Found {
    let is_folder = metadata.is_dir();
    let changed_ms = metadata.ctime().saturating_mul(1_000).saturating_add(metadata.ctime_nsec() / 1_000_000);
    // A folder changes with what is in it, which is told by itself.
    let state = if is_folder {
        format!("folder {}", metadata.ino())
    } else {
        format!("{} {} {}.{}", metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec())
    };
    let born_at = metadata.created().ok().and_then(|at| at.into_std().duration_since(UNIX_EPOCH).ok());
    let born = born_at.map_or_else(|| state.clone(), |at| format!("born {} {}", metadata.ino(), at.as_nanos()));
    let name = digest(path.to_string_lossy().as_bytes());
    Found { name, stamp: digest(state.as_bytes()), born: digest(born.as_bytes()), path, is_folder, changed_ms }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a path fits a pattern: `*` stands for anything but `/`, `**` for anything, `?` for one character.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    // Which beginnings of the pattern fit what was read of the path so far.
    let mut fits = vec![false; pattern.len() + 1];
    let spread = |fits: &mut Vec<bool>| {
        for place in 0..pattern.len() {
            if fits[place] && pattern[place] == '*' {
                fits[place + 1] = true;
                // `**/` may stand for no folder at all.
                if pattern.get(place + 1) == Some(&'*') && pattern.get(place + 2) == Some(&'/') {
                    fits[place + 3] = true;
                }
            }
        }
    };
    fits[0] = true;
    spread(&mut fits);
    for letter in path {
        let mut next = vec![false; pattern.len() + 1];
        for place in 0..pattern.len() {
            if !fits[place] {
                continue;
            }
            let is_double = pattern[place] == '*'
                && (pattern.get(place + 1) == Some(&'*') || (place > 0 && pattern[place - 1] == '*'));
            match pattern[place] {
                '*' if is_double || letter != '/' => next[place] = true,
                '?' if letter != '/' => next[place + 1] = true,
                wanted if wanted == letter => next[place + 1] = true,
                _ => {}
            }
        }
        fits = next;
        spread(&mut fits);
    }
    fits[pattern.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_people_expect_them_to() {
        for (pattern, path, fits) in [
            ("*.tmp", "a.tmp", true),
            ("*.tmp", "inner/a.tmp", false),
            ("**/*.tmp", "a.tmp", true),
            ("**/*.tmp", "inner/deep/a.tmp", true),
            ("**/*.tmp", "a.txt", false),
            ("inner/**", "inner/deep/a.txt", true),
            ("inner/*", "inner/deep/a.txt", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, path), fits, "{pattern} and {path}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_root() {
        let root = Path::new("/srv/files");
        for (path, wanted) in [
            ("inbox", Some("inbox")),
            ("./inbox/", Some("inbox")),
            ("/srv/files/inbox", Some("inbox")),
            ("", Some("")),
            ("../etc", None),
            ("inbox/../../etc", None),
            ("/etc/passwd", None),
            ("/srv/files-of-others", None),
        ] {
            assert_eq!(below(root, Path::new(path)).ok(), wanted.map(PathBuf::from), "{path}");
        }
    }
}
