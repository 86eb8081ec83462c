//! The files of models of this process, by their digests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use timeloom_domain::model::ExternalFile;
use timeloom_inference::models::{Store, UploadLimits, Uploads};
use timeloom_inference_worker::ModelFiles;

/// Most bytes of one file.
const FILE_BYTES_MAX: u64 = 64 << 30;

/// The files of models, and those that are on their way.
pub struct Files {
    /// Those that are here.
    pub store: Arc<Store>,
    /// Those that are on their way.
    pub uploads: Uploads,
}

impl Files {
    /// Opens the folder, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let failed = || format!("the folder of models {} cannot be used", folder.display());
        let store = Arc::new(Store::open(folder, FILE_BYTES_MAX).with_context(failed)?);
        let uploads = Uploads::open(Arc::clone(&store), UploadLimits::default()).with_context(failed)?;
        Ok(Self { store, uploads })
    }
}

impl ModelFiles for Files {
    fn path(&self, digest: &str, beside: &[ExternalFile]) -> Option<PathBuf> {
        let digest = digest.parse().ok()?;
        let beside: Option<Vec<_>> =
            beside.iter().map(|file| Some((file.path.clone(), file.digest.parse().ok()?))).collect();
        match self.store.lay(&digest, &beside?) {
            Ok(path) => Some(path),
            Err(error) => {
                tracing::warn!(%error, %digest, "a model's file is not here");
                None
            }
        }
    }
}
