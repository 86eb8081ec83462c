//! Real models and what asks them.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and tell as tests do")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use futures::future::BoxFuture;
use tempfile::TempDir;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::ids::Slug;
use timeloom_domain::inference::{Signature, Tensor};
use timeloom_domain::model::{ModelReference, VersionReference};
use timeloom_gateway::CallError;
use timeloom_gateway::ports::Chance;
use timeloom_inference::instance::{Inputs, Instance, Stop};
use timeloom_inference::onnx::{self, Library, Model, Options, Runtime};
use timeloom_inference::packages;
use timeloom_language::chat::Engines;
use timeloom_language::embed::Embedders;
use timeloom_language::{Found, Local, Models, convert};

#[expect(clippy::disallowed_methods, reason = "tests look where set-up put things")]
fn cache() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => cache.into(),
        None => PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
    }
}

pub fn runtime() -> Runtime {
    let places = Library { cache: Some(cache()), ..Library::default() };
    Runtime::open(&onnx::find(&places).unwrap()).unwrap()
}

/// A file of a model's package; says SKIPPED where it was not fetched.
pub fn file(model: &str, file: &str) -> Option<PathBuf> {
    let path = packages::known(model).unwrap().file_in(&cache(), file);
    if path.is_file() {
        return Some(path);
    }
    println!("SKIPPED: {} is not there: run 'make setup' where there is internet", path.display());
    None
}

/// The small language model as ONNX, made once for all tests.
pub fn smollm2() -> Option<&'static Path> {
    static MADE: LazyLock<Option<(TempDir, PathBuf)>> = LazyLock::new(|| {
        let file = file("smollm2", "model.gguf")?;
        let made = convert::convert(&std::fs::read(file).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, made.model).unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), made.tokenizer).unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), made.chat).unwrap();
        Some((folder, path))
    });
    MADE.as_ref().map(|(_, path)| path.as_path())
}

/// Models of files: one for each name.
pub struct OfFiles {
    signature: Signature,
    path: PathBuf,
    asked: AtomicU64,
}

impl OfFiles {
    pub fn new(path: &Path) -> Arc<Self> {
        let signature = session(path).signature().clone();
        Arc::new(Self { signature, path: path.to_path_buf(), asked: AtomicU64::new(0) })
    }

    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn session(path: &Path) -> onnx::Session {
    Model::open(&runtime(), path, Options::default()).unwrap().session().unwrap()
}

impl Models for OfFiles {
    fn find<'a>(&'a self, model: &'a str) -> BoxFuture<'a, Result<Found, CallError>> {
        Box::pin(async move {
            let name = Slug::try_new(model).map_err(|error| CallError::new(ErrorClass::NotFound, error.to_string()))?;
            let files = std::fs::read_dir(self.path.parent().unwrap()).unwrap();
            let beside: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            Ok(Found {
                version: ModelReference { name, version: VersionReference::Number(1) },
                digest: "0".repeat(64),
                signature: self.signature.clone(),
                beside,
                path: self.path.clone(),
                threads: 2,
            })
        })
    }

    fn infer(
        &self,
        _: ModelReference,
        inputs: Vec<(String, Tensor)>,
    ) -> BoxFuture<'_, Result<Vec<(String, Tensor)>, CallError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut session = session(&self.path);
        let inputs = Inputs::named(&self.signature, &inputs).unwrap();
        let given = session.run(&[inputs], &Stop::default()).unwrap().outputs.remove(0);
        let names = self.signature.outputs.iter().map(|spec| spec.name.clone());
        let given: Vec<(String, Tensor)> = names.zip(given).collect();
        Box::pin(std::future::ready(Ok(given)))
    }
}

struct Fixed;

impl Chance for Fixed {
    fn draw(&self) -> u64 {
        7
    }
}

/// A provider of that model, and its engines.
pub fn provider(models: Arc<OfFiles>) -> (Local, Arc<Engines>) {
    let engines = Arc::new(Engines::new(Arc::new(|| Ok(runtime()))));
    let local = Local::new(models, Arc::clone(&engines), Arc::new(Embedders::default()), Arc::new(Fixed));
    (local, engines)
}
