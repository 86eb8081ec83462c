//! The files of this repository, built and fetched ones left out.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders whose content is built, fetched or somebody else's.
const SKIPPED: [&str; 11] = [
    ".cache",
    ".git",
    "data",
    "dist",
    "gql",
    "node_modules",
    "playwright-report",
    "proptest-regressions",
    "target",
    "test-results",
    "third_party",
];

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Files whose name ends in one of these, by path from the root.
pub(crate) fn files(endings: &[&str]) -> Vec<PathBuf> {
    let root = root();
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                open.push(path);
            } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path.strip_prefix(&root).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no file ends in {endings:?}");
    found
}

/// The text of a file, by path from the root.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
