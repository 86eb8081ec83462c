//! What the tests share: the library that set-up fetched, the small models, and tensors made of numbers.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};

use timeloom_domain::inference::ElementType;
use timeloom_inference::onnx::{self, Library, Model, Options, Runtime, Session};
use timeloom_inference::{Inputs, Tensor};

/// The library of the tests: where the environment says, else where set-up keeps it.
#[expect(clippy::disallowed_methods, reason = "tests are told by their environment")]
pub fn library() -> PathBuf {
    let configured = std::env::var_os("TIMELOOM_ONNXRUNTIME").map(PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    onnx::find(&Library { explicit: None, configured, cache }).unwrap()
}

pub fn runtime() -> Runtime {
    Runtime::open(&library()).unwrap()
}

/// The folder of models. On another machine than the one that built the tests it is told by the environment.
#[expect(clippy::disallowed_methods, reason = "tests are told by their environment")]
pub fn models() -> PathBuf {
    let folder = std::env::var_os("TIMELOOM_TEST_MODELS").map(PathBuf::from);
    folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models"))
}

/// The path of a model.
pub fn model(name: &str) -> PathBuf {
    models().join(name)
}

/// A session of a model.
pub fn session(name: &str, options: Options) -> Session {
    Model::open(&runtime(), &model(name), options).unwrap().session().unwrap()
}

/// A tensor of FP32.
pub fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(ElementType::F32, shape.to_vec(), data.into()).unwrap()
}

/// A tensor of INT64.
pub fn integers(shape: &[usize], values: &[i64]) -> Tensor {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(ElementType::I64, shape.to_vec(), data.into()).unwrap()
}

/// The numbers of a tensor of FP32.
pub fn numbers(tensor: &Tensor) -> Vec<f32> {
    assert_eq!(tensor.element(), ElementType::F32);
    tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// What a caller sends: as many rows as the first tensor has.
pub fn inputs(tensors: Vec<Tensor>) -> Inputs {
    let rows = tensors.first().and_then(|tensor| tensor.shape().first().copied()).unwrap_or(1);
    Inputs { tensors, rows }
}

/// Numbers that look like chance and are the same each time.
pub fn scattered(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}
