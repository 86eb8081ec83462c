//! The app's files from a folder, for who works on it: only in debug builds, and only where `TIMELOOM_APP` names one.

use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

/// The folder, if one is named.
fn named() -> Option<&'static PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "debug builds only: it is no setting of the program")]
    FOLDER.get_or_init(|| std::env::var_os("TIMELOOM_APP").map(PathBuf::from)).as_ref()
}

/// What the folder has at `path`; outer `None`: no folder is named.
pub(super) fn read(path: &str) -> Option<Option<Vec<u8>>> {
    let relative = Path::new(path.trim_start_matches('/'));
    let is_within = relative.components().all(|part| matches!(part, Component::Normal(_)));
    named().map(|folder| is_within.then(|| std::fs::read(folder.join(relative)).ok()).flatten())
}
