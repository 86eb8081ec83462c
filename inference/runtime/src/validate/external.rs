//! Weights beside a model: only in its folder, only as plain files, and as long as it says.

use std::path::{Component, Path};

use super::limits::Rejection;
use super::read::External;

/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 512;

/// What is wrong with a path of weights, if something is.
pub fn objection(path: &str) -> Option<&'static str> {
    let plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    if path.is_empty() || path.len() > PATH_BYTES_MAX {
        Some("its name is empty or too long")
    } else if path.contains(['\\', '\0', ':']) {
        Some("its name has characters that not every system can keep")
    } else if !Path::new(path).components().all(plain) || path.split('/').any(|part| part.is_empty() || part == ".") {
        Some("its name leads out of the model's folder, or is not plain")
    } else {
        None
    }
}

/// Whether weights are in `folder`, in a plain file that no link leads to, as long as the model says.
///
/// # Errors
/// When not.
pub fn inside(folder: &Path, weights: &External) -> Result<(), Rejection> {
    let refused = |why| Rejection::External { path: weights.path.clone(), why };
    if let Some(why) = objection(&weights.path) {
        return Err(refused(why));
    }
    let mut path = folder.to_path_buf();
    let mut parts = weights.path.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let found = path.symlink_metadata().map_err(|_| refused("there is no such file beside the model"))?;
        let last = parts.peek().is_none();
        if found.is_symlink() || (last && !found.is_file()) || (!last && !found.is_dir()) {
            return Err(refused("it is a link, or no plain file"));
        }
        let end = weights.offset.checked_add(weights.length.unwrap_or(0));
        if last && end.is_none_or(|end| end > found.len()) {
            return Err(refused("the file is shorter than the model says"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_out_are_refused_by_name_alone() {
        for path in ["", "..", "../w", "a/../../w", "/etc/passwd", "a//b", "./a", "a/.", "C:\\w", "a\0b", "a/"] {
            assert!(objection(path).is_some(), "{path:?}");
        }
        for path in ["weights.bin", "a/b.bin", ".hidden", "a..b"] {
            assert_eq!(objection(path), None, "{path:?}");
        }
    }

    #[test]
    fn links_and_short_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, [7; 100]).unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("w"), [0; 16]).unwrap();
        std::os::unix::fs::symlink(&secret, model.join("linked")).unwrap();
        std::os::unix::fs::symlink(folder.path(), model.join("out")).unwrap();
        let at = |path: &str, offset, length| External { path: path.to_owned(), offset, length };
        assert_eq!(inside(&model, &at("w", 8, Some(8))), Ok(()));
        for refused in [
            at("linked", 0, Some(1)),
            at("out/secret", 0, Some(1)),
            at("missing", 0, None),
            at("w", 9, Some(8)),
            at("w", u64::MAX, Some(2)),
            at("w/x", 0, None),
        ] {
            assert!(inside(&model, &refused).is_err(), "{refused:?}");
        }
    }
}
