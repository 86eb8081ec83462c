//! A log in memory, models of a few hundred bytes, and the real ONNX Runtime.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use timeloom_commands::{AddModelVersion, Clock, CommandContext, Commands, SystemIds};
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::event::Event;
use timeloom_domain::ids::{Actor, CommandId, FIRST_TENANT, InferenceWorkerId, Slug};
use timeloom_domain::inference::{ElementType, hexadecimal};
use timeloom_domain::model::{ExternalFile, ModelSettings};
use timeloom_inference::Tensor;
use timeloom_inference::onnx::{self, Library, Runtime};
use timeloom_inference::pool::{MachineClock, Priority};
use timeloom_inference_worker::{Cause, ModelFiles, Parts, Question, Worker};
use timeloom_store::{Direction, EventLog, Filter, MemoryBlobs, MemoryLog, Position, SystemClock, TenantScope, codec};
use uuid::Uuid;

pub struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> i64 {
        1_767_268_800_000
    }
}

/// Files by their digests.
#[derive(Default)]
pub struct Files(Mutex<HashMap<String, PathBuf>>);

impl ModelFiles for Files {
    fn path(&self, digest: &str, _: &[ExternalFile]) -> Option<PathBuf> {
        self.0.lock().unwrap().get(digest).cloned()
    }
}

pub struct World {
    pub log: Arc<dyn EventLog>,
    pub blobs: Arc<MemoryBlobs>,
    pub files: Arc<Files>,
    pub commands: Commands,
}

/// The library that set-up fetched.
#[expect(clippy::disallowed_methods, reason = "tests are told by their environment")]
pub fn runtime() -> Runtime {
    let configured = std::env::var_os("TIMELOOM_ONNXRUNTIME").map(PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    Runtime::open(&onnx::find(&Library { explicit: None, configured, cache }).unwrap()).unwrap()
}

pub fn slug(text: &str) -> Slug {
    Slug::try_new(text).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "each command of a test is another one")]
fn new_id() -> Uuid {
    Uuid::new_v4()
}

impl World {
    pub fn new() -> Self {
        Self::over(MemoryLog::new(Arc::new(SystemClock)))
    }

    pub fn over(log: Arc<dyn EventLog>) -> Self {
        let catalogue = Arc::new(NodeCatalogue::default());
        let commands = Commands::new(Arc::clone(&log), catalogue, Arc::new(Noon), Arc::new(SystemIds));
        Self { log, blobs: MemoryBlobs::new(), files: Arc::default(), commands }
    }

    pub fn context(&self) -> CommandContext {
        CommandContext::trusted(FIRST_TENANT, Actor::Local("tester".to_owned()), CommandId(new_id()))
    }

    /// Adds a file of the small models as a version of `name`, which is registered where it is not.
    pub async fn add(&self, name: &str, file: &str) -> u32 {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/tests/models").join(file);
        let digest = hexadecimal(&sha(&std::fs::read(&path).unwrap()));
        self.files.0.lock().unwrap().insert(digest.clone(), path);
        let _ = self.commands.register_model(&self.context(), slug(name), String::new()).await;
        let add = AddModelVersion { format: "onnx".to_owned(), digest: digest.clone(), file: None };
        let added = self.commands.add_model_version(&self.context(), slug(name), add).await.unwrap();
        let listing = self.commands.models().wait_for(added.position).await.unwrap();
        let model = listing.model(FIRST_TENANT, &slug(name)).unwrap();
        model.versions.iter().find(|version| version.digest == digest).unwrap().version
    }

    /// The same, promoted, with these settings.
    pub async fn serve(&self, name: &str, file: &str, settings: ModelSettings) -> u32 {
        let version = self.add(name, file).await;
        let settings = ModelSettings { threads: Some(1), instances_max: Some(1), rows_max: Some(32), ..settings };
        let _ = self.commands.configure_model(&self.context(), slug(name), settings).await;
        let promoted = self.commands.promote_model(&self.context(), slug(name), version, None).await.unwrap();
        self.commands.models().wait_for(promoted.position).await.unwrap();
        version
    }

    pub async fn worker(&self) -> Worker {
        self.worker_with(Ok(runtime())).await
    }

    pub async fn worker_with(&self, runtime: Result<Runtime, String>) -> Worker {
        let parts = Parts {
            id: InferenceWorkerId(new_id()),
            log: Arc::clone(&self.log),
            blobs: Arc::clone(&self.blobs) as _,
            commands: self.commands.clone(),
            clock: Arc::new(Noon),
            ticks: Arc::new(MachineClock::default()),
            ids: Arc::new(SystemIds),
            runtime,
            files: Arc::clone(&self.files) as _,
            overrides: Vec::new(),
        };
        Worker::start(parts).await.unwrap()
    }

    /// Every event of a category, in order.
    pub async fn events<E: Event + serde::de::DeserializeOwned>(&self) -> Vec<E> {
        let filter = Filter { categories: vec![E::CATEGORY.into()], ..Filter::default() };
        let (mut events, mut after) = (Vec::new(), Position::START);
        loop {
            let page = self.log.read_all(TenantScope::All, after, Direction::Forward, &filter, 1_000).await.unwrap();
            let Some(last) = page.last() else { return events };
            after = last.position;
            events.extend(page.iter().map(|event| codec::decode::<E>(event).unwrap()));
        }
    }
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

pub fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(ElementType::F32, shape.to_vec(), data.into()).unwrap()
}

/// A question with one row of eight numbers, as `mlp.onnx` wants.
pub fn question(model: &str, seed: u32) -> Question {
    let values: Vec<f32> = (0..8).map(|at| ((seed * 31 + at * 7) % 97) as f32 / 97.0 - 0.5).collect();
    Question {
        cause: Cause {
            tenant: FIRST_TENANT,
            actor: Actor::Local("tester".to_owned()),
            causation: None,
            correlation: None,
        },
        model: model.parse().unwrap(),
        inputs: vec![("x".to_owned(), floats(&[1, 8], &values))],
        priority: Priority::Standard,
        within: None,
        key: None,
        execution: None,
        node: None,
        workflow: None,
        agent: None,
    }
}

/// A question with that tensor.
pub fn question_with(model: &str, tensor: Tensor) -> Question {
    Question { inputs: vec![("x".to_owned(), tensor)], ..question(model, 0) }
}
