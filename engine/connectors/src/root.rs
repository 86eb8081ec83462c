//! The folder in which nodes may read and write files.
//!
//! Never a way out of it: paths are followed from the opened folder on, step by step, and neither `..` nor a link leads
//! above it, also when somebody moves things meanwhile.

use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use timeloom_engine::node::NodeError;

use crate::Settings;

/// The folder in which nodes may read and write files.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    path: Option<PathBuf>,
}

impl Root {
    pub fn new(settings: &Settings) -> Self {
        Self { path: settings.files_root.clone() }
    }

    /// The folder, opened.
    ///
    /// # Errors
    /// [`NodeError`] when the operator named none, or it cannot be opened.
    pub fn open(&self) -> Result<Dir, NodeError> {
        Dir::open_ambient_dir(self.path()?, ambient_authority()).map_err(|error| {
            NodeError::operation(format!("the folder for files cannot be opened: {error}"))
                .described("the operator of this deployment names it by --files-root, and has to make it")
        })
    }

    fn path(&self) -> Result<&Path, NodeError> {
        self.path.as_deref().ok_or_else(|| {
            NodeError::operation("files are refused here: no folder is set in which nodes may read and write them")
                .described("the operator of this deployment can set one: `timeloom serve --files-root FOLDER`")
        })
    }

    /// A path as an author wrote it, from the folder on. One from the root of the file system has to begin with the folder.
    ///
    /// # Errors
    /// [`NodeError`] when it leads elsewhere, or names nothing.
    pub fn relative(&self, written: &str) -> Result<PathBuf, NodeError> {
        let root = self.path()?;
        let written = Path::new(written.trim());
        let path =
            if written.is_absolute() { written.strip_prefix(root).map_err(|_| outside(written))? } else { written };
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(name) => clean.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(outside(written)),
            }
        }
        if clean.as_os_str().is_empty() {
            return Err(NodeError::operation("no file is named: give a path"));
        }
        Ok(clean)
    }
}

fn outside(written: &Path) -> NodeError {
    NodeError::operation(format!("the path '{}' is refused: it leads out of the folder for files", written.display()))
        .described("give a path from that folder on, without '..'")
}

/// The failure of an operation on a file.
pub(crate) fn failure(error: &std::io::Error, path: &Path) -> NodeError {
    let path = path.display();
    match error.kind() {
        std::io::ErrorKind::NotFound => NodeError::operation(format!("there is no file '{path}'")),
        std::io::ErrorKind::PermissionDenied => NodeError::operation(format!("the file '{path}' is refused: {error}"))
            .described("links out of the folder for files are not followed, and rights of files are kept"),
        _ => NodeError::operation(format!("the file '{path}' cannot be used: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_nowhere_but_into_the_folder() {
        let root = Root { path: Some(PathBuf::from("/srv/files")) };
        for (written, relative) in [
            ("a.csv", Some("a.csv")),
            ("./in/a.csv", Some("in/a.csv")),
            ("/srv/files/in/a.csv", Some("in/a.csv")),
            ("/srv/files", None),
            ("/srv/filesystem/a", None),
            ("../a", None),
            ("in/../../a", None),
            ("/etc/passwd", None),
            ("/srv/files/../x", None),
            ("", None),
        ] {
            assert_eq!(root.relative(written).ok(), relative.map(PathBuf::from), "{written}");
        }
        let none = Root { path: None }.relative("a.csv").unwrap_err();
        assert!(none.description.is_some_and(|advice| advice.contains("--files-root")));
    }
}
