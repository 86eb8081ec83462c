//! Models of this server for those who ask by the Open Inference Protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix_web::HttpRequest;
use async_trait::async_trait;
use timeloom_domain::access::Permission;
use timeloom_domain::ids::Slug;
use timeloom_domain::inference::Provider;
use timeloom_domain::model::{Model, ModelReference, VersionReference};
use timeloom_inference::Tensor;
use timeloom_inference::models::Digest;
use timeloom_inference::pool::Ask;
use timeloom_inference_front::v2::{
    Computed, Described, Gathering, IndexEntry, IndexState, LoadRequest, ModelStatistics, Purpose, Refusal,
    RefusalKind, Serving,
};
use timeloom_inference_worker::{Cause, Question, Worker};
use timeloom_read_api::ApiState;

use super::{AddModelFile, Models, refusals};

/// The models of this server.
pub struct Served {
    models: Models,
}

impl Served {
    pub fn new(models: Models) -> Self {
        Self { models }
    }

    async fn worker(&self) -> Result<&Worker, Refusal> {
        self.models.worker().await.map_err(|error| refusals::not_recorded(&error))
    }

    async fn model(&self, who: &ApiState, name: &Slug) -> Result<Arc<Model>, Refusal> {
        let listing = self.models.commands().models().caught_up().await;
        let listing = listing.map_err(|error| Refusal::new(RefusalKind::Unavailable, error.to_string()))?;
        let missing = || Refusal::new(RefusalKind::NotFound, format!("there is no model '{name}'"));
        listing.model(who.tenant(), name).cloned().ok_or_else(missing)
    }

    /// Takes a file that came with the request in, and promotes it.
    async fn take_in(
        &self,
        who: &ApiState,
        name: &Slug,
        files: BTreeMap<String, bytes::Bytes>,
    ) -> Result<u32, Refusal> {
        let invalid = |message: &str| Refusal::new(RefusalKind::Invalid, message);
        let manager = self.models.manager().clone();
        let (mut model, mut beside) = (None, Vec::new());
        for (path, content) in files {
            // The protocol puts a version's number before the file's name.
            let file = path.split_once('/').map_or(path.as_str(), |(_, file)| file).to_owned();
            let at = Arc::clone(manager.files());
            let fresh = self.models.commands().ids().uuid().to_string();
            let kept = tokio::task::spawn_blocking(move || at.store.keep(&content[..], None, &fresh)).await;
            let kept = kept.map_err(|error| Refusal::new(RefusalKind::Fault, error.to_string()))?;
            let digest: Digest = kept.map_err(|error| refusals::store(&error))?.digest;
            if file.ends_with(".onnx") && model.replace(digest.clone()).is_some() {
                return Err(invalid("two files of models came: one version is one model"));
            } else if !file.ends_with(".onnx") {
                beside.push((file, digest));
            }
        }
        let digest = model.ok_or_else(|| invalid("no file of a model came: its name ends in .onnx"))?;
        let add = AddModelFile {
            model: name.clone(),
            description: String::new(),
            digest,
            source: None,
            licence: None,
            beside,
            promote: true,
        };
        let added = manager.add(&who.context(None), add).await.map_err(|error| refusals::not_added(&error))?;
        Ok(added.version)
    }
}

fn cause(who: &ApiState) -> Cause {
    let context = who.context(None);
    Cause { tenant: context.tenant, actor: context.actor, causation: None, correlation: None }
}

fn reference(model: &str, version: Option<&str>) -> Result<ModelReference, Refusal> {
    let text = version.map_or_else(|| model.to_owned(), |version| format!("{model}@{version}"));
    text.parse().map_err(|error| Refusal::new(RefusalKind::NotFound, format!("{error}")))
}

fn name_of(model: &str) -> Result<Slug, Refusal> {
    Slug::try_new(model).map_err(|error| Refusal::new(RefusalKind::NotFound, error.to_string()))
}

#[async_trait]
impl Serving for Served {
    type Who = ApiState;

    fn who(&self, request: &HttpRequest, purpose: Purpose) -> Result<ApiState, Refusal> {
        let who = refusals::who(request, Permission::RegistryRead)?;
        match purpose {
            Purpose::See => {}
            Purpose::Ask => refusals::require(&who, Permission::ExecutionRun)?,
            Purpose::Load => refusals::require(&who, Permission::RegistryWrite)?,
        }
        Ok(who)
    }

    fn is_ready(&self) -> bool {
        self.models.has_runtime()
    }

    async fn describe(&self, who: &ApiState, model: &str, version: Option<&str>) -> Result<Described, Refusal> {
        let reference = reference(model, version)?;
        let known = self.model(who, &reference.name).await?;
        let described = self.worker().await?.describe(&cause(who), &reference).await.map_err(refusals::not_inferred)?;
        let policy = &described.policy;
        let usable = known.versions.iter().filter(|version| version.withdrawn.is_none());
        Ok(Described {
            versions: usable.map(|version| version.version.to_string()).collect(),
            platform: match described.provider {
                Provider::Cpu => "onnxruntime_onnx".to_owned(),
                Provider::Cuda => "onnxruntime_onnx_cuda".to_owned(),
            },
            gathering: Gathering {
                max_batch_size: if described.signature.batches() { policy.batch_rows_max } else { 0 },
                preferred_batch_size: policy.batch_rows_preferred.clone(),
                max_queue_delay_microseconds: u64::try_from(policy.queue_delay_max.as_micros()).unwrap_or(u64::MAX),
                instances: policy.instances_max,
                on_gpu: described.provider == Provider::Cuda,
            },
            signature: described.signature,
            ready: described.ready,
        })
    }

    async fn infer(
        &self,
        who: &ApiState,
        model: &str,
        version: Option<&str>,
        inputs: Vec<(String, Tensor)>,
        ask: Ask,
        key: Option<String>,
    ) -> Result<Computed, Refusal> {
        let question = Question {
            cause: cause(who),
            model: reference(model, version)?,
            inputs,
            priority: ask.priority,
            within: ask.within,
            key,
            execution: None,
            node: None,
            workflow: None,
            agent: None,
        };
        let inferred = self.worker().await?.infer(question).await.map_err(refusals::not_inferred)?;
        Ok(Computed { version: inferred.version.to_string(), outputs: inferred.outputs })
    }

    async fn index(&self, who: &ApiState) -> Result<Vec<IndexEntry>, Refusal> {
        let listing = self.models.commands().models().caught_up().await;
        let listing = listing.map_err(|error| Refusal::new(RefusalKind::Unavailable, error.to_string()))?;
        let held = self.models.started().map(|worker| worker.held_of(who.tenant())).unwrap_or_default();
        let is_held = |name: &Slug, version: u32| held.iter().any(|(of, at, _)| of == name && *at == version);
        let mut entries = Vec::new();
        for (_, name, model) in listing.models().filter(|(tenant, ..)| *tenant == who.tenant()) {
            for version in model.versions.iter().filter(|version| version.withdrawn.is_none()) {
                let ready = is_held(name, version.version);
                entries.push(IndexEntry {
                    name: name.to_string(),
                    version: version.version.to_string(),
                    state: if ready { IndexState::Ready } else { IndexState::Unavailable },
                    reason: if ready { String::new() } else { "it is loaded when it is asked for".to_owned() },
                });
            }
        }
        Ok(entries)
    }

    async fn load(&self, who: &ApiState, model: &str, request: LoadRequest) -> Result<(), Refusal> {
        let name = name_of(model)?;
        let version = if request.files.is_empty() {
            let known = self.model(who, &name).await?;
            let version = known.resolve(&VersionReference::Promoted, None);
            version.map_err(|refusal| Refusal::new(RefusalKind::Conflict, refusal.to_string()))?.version
        } else {
            self.take_in(who, &name, request.files).await?
        };
        let loaded = self.models.commands().load_model(&who.context(None), name.clone(), version).await;
        let loaded = loaded.map_err(|error| refusals::command(&error))?;
        let models = self.models.commands().models();
        models
            .wait_for(loaded.position)
            .await
            .map_err(|error| Refusal::new(RefusalKind::Unavailable, error.to_string()))?;
        let reference = ModelReference { name, version: VersionReference::Number(version) };
        self.worker().await?.describe(&cause(who), &reference).await.map_err(refusals::not_inferred)?;
        Ok(())
    }

    async fn unload(&self, who: &ApiState, model: &str) -> Result<(), Refusal> {
        let name = name_of(model)?;
        let known = self.model(who, &name).await?;
        let held = self.models.started().map(|worker| worker.held_of(who.tenant())).unwrap_or_default();
        let held = held.into_iter().filter(|(of, ..)| *of == name).map(|(_, version, _)| version);
        let all: BTreeSet<u32> = known.kept_loaded.iter().copied().chain(held).collect();
        for version in all {
            let unloaded = self.models.commands().unload_model(&who.context(None), name.clone(), version).await;
            unloaded.map_err(|error| refusals::command(&error))?;
            if let Some(worker) = self.models.started() {
                worker.unload(&cause(who), &name, version).await;
            }
        }
        Ok(())
    }

    async fn statistics(
        &self,
        who: &ApiState,
        model: Option<&str>,
        version: Option<&str>,
    ) -> Result<Vec<ModelStatistics>, Refusal> {
        let held = self.models.started().map(|worker| worker.held_of(who.tenant())).unwrap_or_default();
        let wanted = |name: &Slug, number: u32| {
            model.is_none_or(|model| name.as_str() == model)
                && version.is_none_or(|version| version == number.to_string())
        };
        let found: Vec<ModelStatistics> = held
            .into_iter()
            .filter(|(name, number, _)| wanted(name, *number))
            .map(|(name, number, counts)| ModelStatistics::new(name.to_string(), number.to_string(), &counts))
            .collect();
        match model {
            Some(model) if found.is_empty() => {
                Err(Refusal::new(RefusalKind::NotFound, format!("no such version of '{model}' is loaded")))
            }
            _ => Ok(found),
        }
    }
}
