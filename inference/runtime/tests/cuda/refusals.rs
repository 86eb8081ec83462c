//! The library for CUDA, on a machine that has no driver.

use timeloom_domain::inference::{Gpu, Provider};
use timeloom_inference::onnx::{self, GpuError, LoadError, Model, Options};
use timeloom_inference::{Instance, Stop};

use crate::support::{floats, inputs, model, runtime, session};

#[test]
#[ignore = "needs the library for CUDA and no driver"]
fn a_model_that_requires_a_gpu_is_refused_for_want_of_a_driver() {
    let options = Options { gpu: Gpu::Required, ..Options::default() };
    let refused = Model::open(&runtime(), &model("mlp.onnx"), options).unwrap().session().err();
    match refused {
        Some(LoadError::Gpu(GpuError::NoDriver(detail))) => assert!(detail.contains("libcuda"), "{detail}"),
        refused => panic!("{refused:?}"),
    }
}

#[test]
#[ignore = "needs the library for CUDA and no driver"]
fn a_model_that_would_like_a_gpu_is_computed_by_the_cpu_for_want_of_a_driver() {
    let mut session = session("identity.onnx", Options { gpu: Gpu::Optional, ..Options::default() });
    let fell_back = session.loaded().fell_back.clone().unwrap();
    assert!(matches!(fell_back.reason, GpuError::NoDriver(_)), "{fell_back:?}");
    assert_eq!(session.facts().provider, Provider::Cpu);
    let sent = floats(&[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    let ran = session.run(&[inputs(vec![sent.clone()])], &Stop::default()).unwrap();
    assert_eq!(ran.outputs, vec![vec![sent]]);
}

#[test]
#[ignore = "needs the library for CUDA and no driver"]
fn gpus_are_not_told_of_without_a_driver() {
    assert!(matches!(onnx::gpus(), Err(GpuError::NoDriver(_))));
}

/// The provider's own file is taken away: the library alone can do nothing.
#[test]
#[ignore = "needs the library for CUDA and no driver"]
fn a_library_without_the_file_of_its_provider_is_refused_by_the_name_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let library = crate::support::library().canonicalize().unwrap();
    let alone = folder.path().join(library.file_name().unwrap());
    std::fs::copy(&library, &alone).unwrap();
    let runtime = onnx::Runtime::open(&alone).unwrap();
    let options = Options { gpu: Gpu::Required, ..Options::default() };
    let refused = Model::open(&runtime, &model("mlp.onnx"), options).unwrap().session().err();
    assert!(matches!(refused, Some(LoadError::Gpu(GpuError::NoProviderFile(_)))), "{refused:?}");
}
