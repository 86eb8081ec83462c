//! Where ONNX Runtime's library is looked for. It is told places, it reads no environment.

use std::path::{Path, PathBuf};

/// The version that set-up fetches, and that is tested with. Newer ones work; older ones are refused by what they lack.
pub const VERSION: &str = "1.32.0";

/// What the library's file is called before its version.
const FILE: &str = "libonnxruntime.so";
/// Most names of a folder that are looked at.
const NAMES_MAX: usize = 1_000;

/// Places to look at, the first that is named wins: one that is named and does not have it is an error, not passed over.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// What a command or a model's settings say: a file, or a folder that has it.
    pub explicit: Option<PathBuf>,
    /// What the process was configured with: likewise.
    pub configured: Option<PathBuf>,
    /// The folder of caches of whoever runs the process, in which set-up keeps `timeloom/onnxruntime-VERSION/lib`.
    pub cache: Option<PathBuf>,
}

/// The library is at none of the places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// A place was named and it is not there.
    #[error("{0} has no ONNX Runtime: name the file {FILE}.VERSION or a folder that has it")]
    Named(PathBuf),
    /// No place was named, and set-up was not run.
    #[error(
        "ONNX Runtime was not found in {0}: run 'make setup', which fetches it, or name the file by TIMELOOM_ONNXRUNTIME"
    )]
    Nowhere(String),
}

/// Finds the library's file.
///
/// # Errors
/// When it is not where it should be.
pub fn find(places: &Library) -> Result<PathBuf, NotFound> {
    if let Some(named) = places.explicit.as_ref().or(places.configured.as_ref()) {
        return at(named).ok_or_else(|| NotFound::Named(named.clone()));
    }
    let Some(cache) = &places.cache else { return Err(NotFound::Nowhere("any folder of caches".to_owned())) };
    let folder = cache.join("timeloom").join(format!("onnxruntime-{VERSION}")).join("lib");
    at(&folder).ok_or_else(|| NotFound::Nowhere(folder.display().to_string()))
}

/// The library's file at a path: the path itself, or the last by name of those in the folder.
fn at(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_path_buf());
    }
    let names = std::fs::read_dir(path).ok()?.take(NAMES_MAX).flatten();
    let files = names.map(|entry| entry.path()).filter(|file| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        (name == FILE || name.strip_prefix(FILE).is_some_and(|rest| rest.starts_with('.'))) && file.is_file()
    });
    files.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_a_folder_is_found_and_a_named_place_is_never_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libonnxruntime.so.1.32.0");
        std::fs::write(&file, b"").unwrap();
        std::fs::write(folder.path().join("libonnxruntime_providers_shared.so"), b"").unwrap();
        let places = |explicit: Option<&Path>, configured: Option<&Path>| Library {
            explicit: explicit.map(Path::to_path_buf),
            configured: configured.map(Path::to_path_buf),
            cache: None,
        };
        assert_eq!(find(&places(Some(&file), None)).unwrap(), file);
        assert_eq!(find(&places(None, Some(folder.path()))).unwrap(), file);
        let missing = folder.path().join("missing");
        let refused = find(&places(Some(&missing), Some(folder.path()))).unwrap_err();
        assert_eq!(refused, NotFound::Named(missing));
    }

    #[test]
    fn the_folder_of_caches_is_the_last_place() {
        let cache = tempfile::tempdir().unwrap();
        let places = Library { cache: Some(cache.path().to_path_buf()), ..Library::default() };
        let refused = find(&places).unwrap_err().to_string();
        assert!(refused.contains("make setup"), "{refused}");
        let folder = cache.path().join("timeloom").join(format!("onnxruntime-{VERSION}")).join("lib");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("libonnxruntime.so.{VERSION}"));
        std::fs::write(&file, b"").unwrap();
        assert_eq!(find(&places).unwrap(), file);
    }
}
