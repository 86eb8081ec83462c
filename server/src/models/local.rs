//! The language models of this process, as a provider of the gateway: each promoted model that chats or embeds is asked by
//! its name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;

use futures::future::BoxFuture;
use timeloom_commands::{Commands, Ids as _, ModelListing, SystemIds};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::ids::{Actor, Slug, TenantId};
use timeloom_domain::inference::Tensor;
use timeloom_domain::model::{Model, ModelReference, ModelVersion, VersionReference};
use timeloom_gateway::CallError;
use timeloom_gateway::ports::Chance;
use timeloom_gateway::upstream::Upstream;
use timeloom_inference::onnx::Runtime;
use timeloom_inference::pool::{NotComputed, Priority};
use timeloom_inference_worker::language::LocalModels;
use timeloom_inference_worker::{Cause, ModelFiles as _, NotInferred, Question};
use timeloom_language::chat::Engines;
use timeloom_language::embed::Embedders;
use timeloom_language::{Found, Local, Models as Finding, task};

use super::{Files, Inner, Manager, Models};

/// Most threads that a language model uses where its settings say nothing.
const THREADS_MAX: usize = 4;
/// Most tenants whose names are kept.
const NAMES_KEPT_MAX: usize = 10_000;

/// The language models of this process.
pub struct LocalLanguage {
    shared: Arc<Shared>,
    embedders: Arc<Embedders>,
    engines: Arc<Engines>,
    names: Mutex<Names>,
}

/// What all tenants share.
struct Shared {
    commands: Commands,
    files: Arc<Files>,
    /// The models of the process, once they are open.
    models: OnceLock<Weak<Inner>>,
}

/// Names of models that can be asked, as one listing has them.
#[derive(Default)]
struct Names {
    listing: Option<Arc<ModelListing>>,
    of: BTreeMap<TenantId, Arc<BTreeSet<String>>>,
}

impl LocalLanguage {
    /// Those that are found in these files by these commands.
    pub fn new(manager: &Manager, commands: Commands) -> Self {
        let library = manager.library().clone();
        let runtime = move || {
            let path = library.clone()?;
            Runtime::open(&path).map_err(|error| error.to_string())
        };
        let shared = Shared { commands, files: Arc::clone(manager.files()), models: OnceLock::new() };
        Self {
            shared: Arc::new(shared),
            embedders: Arc::default(),
            engines: Arc::new(Engines::new(Arc::new(runtime))),
            names: Mutex::default(),
        }
    }

    /// From now on vectors are computed by these.
    pub fn open(&self, models: &Arc<Inner>) {
        // There is one set of models in a process.
        let _ = self.shared.models.set(Arc::downgrade(models));
    }

    /// What a version can be asked for in words; nothing where it takes tensors alone.
    pub fn skill(version: &ModelVersion) -> Option<task::Task> {
        speaks(version)
    }

    /// Digests of the files of the models that are in memory to chat.
    pub fn loaded(&self) -> BTreeSet<String> {
        self.engines.loaded()
    }

    /// Ends the answers that are under way.
    pub async fn close(&self) {
        let engines = Arc::clone(&self.engines);
        if tokio::task::spawn_blocking(move || engines.close()).await.is_err() {
            tracing::warn!("the threads of language models did not end as they should");
        }
    }
}

impl LocalModels for LocalLanguage {
    fn upstream(&self, tenant: TenantId) -> Arc<dyn Upstream> {
        let finding = Arc::new(OfTenant { tenant, shared: Arc::clone(&self.shared) });
        let (engines, embedders) = (Arc::clone(&self.engines), Arc::clone(&self.embedders));
        Arc::new(Local::new(finding, engines, embedders, Arc::new(Luck)))
    }

    fn names(&self, tenant: TenantId) -> Arc<BTreeSet<String>> {
        let listing = self.shared.commands.models().now();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = names.listing.as_ref().is_some_and(|known| Arc::ptr_eq(known, &listing));
        if !is_known || names.of.len() >= NAMES_KEPT_MAX {
            *names = Names { listing: Some(Arc::clone(&listing)), of: BTreeMap::new() };
        }
        let make = || {
            let of_tenant = listing.models().filter(|(of, ..)| *of == tenant);
            let speaking = of_tenant.filter(|(.., model)| {
                let promoted = model.resolve(&VersionReference::Promoted, None);
                promoted.is_ok_and(|version| speaks(version).is_some())
            });
            Arc::new(speaking.map(|(_, name, _)| name.to_string()).collect())
        };
        Arc::clone(names.of.entry(tenant).or_insert_with(make))
    }
}

/// What a version can be asked for in words.
fn speaks(version: &ModelVersion) -> Option<task::Task> {
    let file = version.file.as_ref()?;
    task::of(&file.signature, &beside(version))
}

fn beside(version: &ModelVersion) -> BTreeSet<String> {
    let files = version.file.iter().flat_map(|file| &file.external);
    files.map(|file| file.path.clone()).collect()
}

/// The models of one tenant.
struct OfTenant {
    tenant: TenantId,
    shared: Arc<Shared>,
}

impl OfTenant {
    async fn version(&self, model: &str) -> Result<(Arc<Model>, Slug, ModelVersion), CallError> {
        let missing = |why: String| CallError::new(ErrorClass::NotFound, why);
        let reference: ModelReference = model.parse().map_err(|error| missing(format!("{error}")))?;
        let listing = self.shared.commands.models().caught_up().await;
        let listing = listing.map_err(|error| CallError::new(ErrorClass::Server, error.to_string()))?;
        let found = listing.model(self.tenant, &reference.name);
        let found = found.ok_or_else(|| missing(format!("there is no model '{}' on this machine", reference.name)))?;
        let version = found.resolve(&reference.version, None).map_err(|refusal| missing(refusal.to_string()))?;
        Ok((Arc::clone(found), reference.name, version.clone()))
    }
}

impl Finding for OfTenant {
    fn find<'a>(&'a self, model: &'a str) -> BoxFuture<'a, Result<Found, CallError>> {
        Box::pin(async move {
            let (model, name, version) = self.version(model).await?;
            let unknown =
                || CallError::unsupported("of this version only its digest is known, not what it takes and gives");
            let file = version.file.as_ref().ok_or_else(unknown)?;
            let files = Arc::clone(&self.shared.files);
            let (digest, external) = (version.digest.clone(), file.external.clone());
            let path = tokio::task::spawn_blocking(move || files.path(&digest, &external)).await;
            let path = path.ok().flatten().ok_or_else(|| {
                let why =
                    format!("the files of {name}@{} are not on this machine: add the model here", version.version);
                CallError::new(ErrorClass::NotFound, why)
            })?;
            let threads = model.settings.threads.and_then(|threads| usize::try_from(threads).ok());
            let own = || thread::available_parallelism().map_or(1, |all| all.get().min(THREADS_MAX));
            Ok(Found {
                version: ModelReference { name, version: VersionReference::Number(version.version) },
                digest: version.digest.clone(),
                signature: file.signature.clone(),
                beside: beside(&version),
                path,
                threads: threads.unwrap_or_else(own),
            })
        })
    }

    fn infer(
        &self,
        version: ModelReference,
        inputs: Vec<(String, Tensor)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Tensor)>, CallError>> {
        Box::pin(async move {
            let closed =
                || CallError::new(ErrorClass::Overloaded, "the server is about to stop: ask again when it is back");
            let inner = self.shared.models.get().and_then(Weak::upgrade).ok_or_else(closed)?;
            let models = Models { inner };
            let fault = |error: String| CallError::new(ErrorClass::Server, error);
            let worker = models.worker().await.map_err(|error| fault(error.to_string()))?;
            let actor = Actor::System("gateway".to_owned());
            let question = Question {
                cause: Cause { tenant: self.tenant, actor, causation: None, correlation: None },
                model: version,
                inputs,
                priority: Priority::default(),
                within: None,
                key: None,
                execution: None,
                node: None,
                workflow: None,
                agent: None,
            };
            Ok(worker.infer(question).await.map_err(|why| failed(&why))?.outputs)
        })
    }
}

fn failed(why: &NotInferred) -> CallError {
    let class = match why {
        NotInferred::Refused(_) | NotInferred::NotLoaded { .. } => ErrorClass::NotFound,
        NotInferred::Inputs(_) | NotInferred::NotComputed(NotComputed::Unfit(_)) => ErrorClass::Unsupported,
        NotInferred::Draining | NotInferred::NotComputed(NotComputed::QueueFull { .. }) => ErrorClass::Overloaded,
        NotInferred::NotComputed(NotComputed::DeadlineMissed | NotComputed::Cancelled) => ErrorClass::Timeout,
        NotInferred::NotComputed(_) | NotInferred::NotRecorded(_) => ErrorClass::Server,
    };
    CallError::new(class, why.to_string())
}

/// Chance, as the gateway asks for it.
struct Luck;

impl Chance for Luck {
    fn draw(&self) -> u64 {
        SystemIds.seed()
    }
}
