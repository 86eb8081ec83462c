//! Takes files of models in: checks them, loads them once in a process of their own, and makes them versions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use timeloom_commands::{AddModelVersion, CommandContext, CommandError, Commands, Outcome, RejectModelVersion};
use timeloom_domain::access::Permission;
use timeloom_domain::ids::Slug;
use timeloom_domain::model::{ExternalFile, ModelFile};
use timeloom_inference::models::{Digest, Kept, Pending, Store, StoreError};
use timeloom_inference::validate::{self, Limits, Program, Rejection, TrialLimits};
use timeloom_store::{LogError, Position};

use super::{Files, TRIAL_VERB};

/// Most characters of a source or a licence.
const WORDS_CHARACTERS_MAX: usize = 500;

/// A file that is to become a version of a model.
#[derive(Debug, Clone)]
pub struct AddModelFile {
    /// The model; it is registered where it is not.
    pub model: Slug,
    /// What it computes, where it is registered now.
    pub description: String,
    /// SHA-256 of the file, which is kept here.
    pub digest: Digest,
    /// Where it was taken from.
    pub source: Option<String>,
    /// Under which licence it may be used.
    pub licence: Option<String>,
    /// Weights beside it, by the paths that it names them with.
    pub beside: Vec<(String, Digest)>,
    /// Whether requests that name no version are answered by it from now on.
    pub promote: bool,
}

/// The version that a file became.
#[derive(Debug, Clone)]
pub struct Added {
    /// The model.
    pub model: Slug,
    /// The version.
    pub version: u32,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Position of the last event about it.
    pub position: Position,
}

/// Why a file became no version.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    /// It did not pass the checks, which is written down.
    #[error("the file was rejected: {0}")]
    Rejected(Rejection),
    /// There is nothing to try it with.
    #[error("{0}")]
    NoRuntime(String),
    /// The file, or one beside it, is not here.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A command was refused or failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The disk or a process failed.
    #[error("{0}")]
    Fault(String),
}

/// Takes files of models in. Cheap to clone.
#[derive(Clone)]
pub struct Manager {
    files: Arc<Files>,
    commands: Commands,
    library: Arc<Result<PathBuf, String>>,
}

impl Manager {
    /// Takes files into these, and tries them with that library.
    pub fn new(files: Arc<Files>, commands: Commands, library: Result<PathBuf, String>) -> Self {
        Self { files, commands, library: Arc::new(library) }
    }

    /// The files.
    pub fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// The library of ONNX Runtime.
    pub fn library(&self) -> &Result<PathBuf, String> {
        &self.library
    }

    /// Makes a file that is kept here a version of a model.
    ///
    /// # Errors
    /// When it does not pass the checks, or a command is refused.
    pub async fn add(&self, context: &CommandContext, add: AddModelFile) -> Result<Added, NotAdded> {
        context.require(Permission::RegistryWrite).map_err(CommandError::from)?;
        let library = (*self.library).clone().map_err(NotAdded::NoRuntime)?;
        self.register(context, &add).await?;
        let (files, beside, digest) = (Arc::clone(&self.files), add.beside.clone(), add.digest.clone());
        let looked = tokio::task::spawn_blocking(move || look(&files, &digest, &beside, &library)).await;
        let (kept, looked) = looked.map_err(|error| NotAdded::Fault(error.to_string()))??;
        let file = match looked {
            Ok(file) => file,
            Err(rejection) => {
                let reject = RejectModelVersion {
                    digest: add.digest.to_string(),
                    bytes: kept.bytes,
                    reason: rejection.to_string(),
                };
                self.commands.reject_model_version(&self.next(context), add.model, reject).await?;
                return Err(NotAdded::Rejected(rejection));
            }
        };
        let short = |text: String| text.chars().take(WORDS_CHARACTERS_MAX).collect::<String>();
        let file = ModelFile { source: add.source.map(short), licence: add.licence.map(short), ..file };
        let version =
            AddModelVersion { format: "onnx".to_owned(), digest: add.digest.to_string(), file: Some(Box::new(file)) };
        let added = self.commands.add_model_version(&self.next(context), add.model.clone(), version).await?;
        let (number, position) = self.version(context, &add.model, &add.digest, added).await?;
        self.claim(&add.digest, &add.beside).await;
        let position = if add.promote {
            let reason = Some("promoted when it was added".to_owned());
            let model = add.model.clone();
            let promoted = self.commands.promote_model(&self.next(context), model, number, reason).await?;
            // Whoever is told that it answers may ask it at once.
            self.commands.models().wait_for(promoted.position).await.map_err(closed)?;
            promoted.position
        } else {
            position
        };
        Ok(Added { model: add.model, version: number, digest: add.digest, position })
    }

    /// The files of a version stay. Where that cannot be told to the store, whoever collects files sees it by the version.
    async fn claim(&self, digest: &Digest, beside: &[(String, Digest)]) {
        let (files, all) = (Arc::clone(&self.files), pending(digest, beside));
        let claimed = tokio::task::spawn_blocking(move || all.iter().try_for_each(|one| files.store.claim(one)));
        if let Ok(Err(error)) = claimed.await {
            tracing::warn!(%error, "the files of a model's version could not be marked as such yet");
        }
    }

    async fn register(&self, context: &CommandContext, add: &AddModelFile) -> Result<(), NotAdded> {
        let listing = self.commands.models().caught_up().await.map_err(closed)?;
        if listing.model(context.tenant, &add.model).is_some() {
            return Ok(());
        }
        let (model, description) = (add.model.clone(), add.description.clone());
        match self.commands.register_model(&self.next(context), model, description).await {
            // Somebody else was first: that is as good.
            Err(CommandError::Refused(refusal)) if refusal.code == "MODEL_EXISTS" => Ok(()),
            outcome => Ok(outcome.map(|_| ())?),
        }
    }

    /// The number that a file has as a version, and where that is told.
    async fn version(
        &self,
        context: &CommandContext,
        model: &Slug,
        digest: &Digest,
        added: Outcome<Slug>,
    ) -> Result<(u32, Position), NotAdded> {
        let listing = self.commands.models().wait_for(added.position).await.map_err(closed)?;
        let known = listing.model(context.tenant, model);
        let version = known.and_then(|model| model.versions.iter().find(|known| known.digest == digest.as_str()));
        let version = version.ok_or_else(|| NotAdded::Fault("the version that was added is not seen".to_owned()))?;
        Ok((version.version, added.position))
    }

    /// The same context for another command.
    fn next(&self, context: &CommandContext) -> CommandContext {
        context.following(timeloom_domain::ids::CommandId(self.commands.ids().uuid()))
    }
}

fn closed(error: LogError) -> NotAdded {
    NotAdded::Fault(error.to_string())
}

type Looked = Result<ModelFile, Rejection>;

/// What lies in the store for a model of that digest with these weights beside it.
fn pending(digest: &Digest, beside: &[(String, Digest)]) -> Vec<Pending> {
    let weights = beside.iter().map(|(_, digest)| Pending::File(digest.clone()));
    let laid = (!beside.is_empty()).then(|| Pending::Laid(Store::laid_name(digest, beside)));
    [Pending::File(digest.clone())].into_iter().chain(weights).chain(laid).collect()
}

/// Reads the file and loads it in a process of its own.
fn look(
    files: &Files,
    digest: &Digest,
    beside: &[(String, Digest)],
    library: &Path,
) -> Result<(Kept, Looked), NotAdded> {
    let fault = |error: std::io::Error| NotAdded::Fault(format!("the file of the model cannot be read: {error}"));
    // Nobody puts it away while it is looked at.
    pending(digest, beside).iter().try_for_each(|one| files.store.renew(one)).map_err(fault)?;
    let kept = files.store.find(digest)?;
    let path = files.store.lay(digest, beside)?;
    let model = match validate::check(&path, &Limits::default()).map_err(fault)? {
        Ok(model) => model,
        Err(rejection) => return Ok((kept, Err(rejection))),
    };
    let program = std::env::current_exe().map_err(fault)?;
    let program = Program { path: program, arguments: vec![TRIAL_VERB.to_owned()] };
    let tried = validate::in_child(&program, library, &path, &model.signature, &TrialLimits::default());
    let signature = match tried {
        Ok(signature) => signature,
        Err(rejection) => return Ok((kept, Err(rejection))),
    };
    let mut external = Vec::with_capacity(beside.len());
    for (path, digest) in beside {
        let bytes = files.store.find(digest)?.bytes;
        external.push(ExternalFile { path: path.clone(), digest: digest.to_string(), bytes });
    }
    external.sort_by(|left, right| left.path.cmp(&right.path));
    let bytes = kept.bytes;
    let file = ModelFile {
        bytes,
        signature,
        opset: model.opset,
        nodes: model.nodes as u64,
        producer: model.producer.chars().take(WORDS_CHARACTERS_MAX).collect(),
        source: None,
        licence: None,
        external,
    };
    Ok((kept, Ok(file)))
}
