//! Who computes: seen, and never silently another than was wanted.

use timeloom_domain::inference::{Gpu, Provider};
use timeloom_inference::onnx::{FellBack, GpuError, LoadError, Model, Options, Placement};
use timeloom_inference::{Instance, Stop};

use crate::support::{floats, inputs, model, runtime, session};

#[test]
fn all_nodes_of_a_model_without_a_gpu_are_seen_on_the_cpu() {
    let session = session("mlp.onnx", Options::default());
    let loaded = session.loaded();
    assert_eq!(loaded.provider, Provider::Cpu);
    assert_eq!(loaded.placement.of(Provider::Cuda), 0);
    let nodes = loaded.placement.of(Provider::Cpu);
    assert!(nodes > 0 && loaded.placement.nodes.len() == 1, "{:?}", loaded.placement);
    assert!(loaded.placement.on_cpu.contains("Softmax"), "{:?}", loaded.placement);
    assert_eq!(loaded.placement.nodes.get(Placement::CPU), Some(&nodes));
    assert_eq!(loaded.fell_back, None);
}

/// What a library for the CPU says to who wants a GPU.
fn no_gpu(reason: &GpuError) {
    if cfg!(feature = "cuda") {
        assert!(matches!(reason, GpuError::NoProvider(_)), "{reason:?}");
    } else {
        assert_eq!(*reason, GpuError::NotCompiled);
    }
}

#[test]
fn a_model_that_requires_a_gpu_is_refused_where_there_is_none() {
    let options = Options { gpu: Gpu::Required, ..Options::default() };
    let refused = Model::open(&runtime(), &model("mlp.onnx"), options).unwrap().session().err();
    match refused {
        Some(LoadError::Gpu(reason)) => no_gpu(&reason),
        refused => panic!("{refused:?}"),
    }
}

#[test]
fn a_model_that_would_like_a_gpu_is_computed_by_the_cpu_and_says_so() {
    let mut session = session("identity.onnx", Options { gpu: Gpu::Optional, ..Options::default() });
    assert_eq!(session.facts().provider, Provider::Cpu);
    match &session.loaded().fell_back {
        Some(FellBack { wanted: Provider::Cuda, got: Provider::Cpu, reason }) => no_gpu(reason),
        fell_back => panic!("{fell_back:?}"),
    }
    let sent = floats(&[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    let ran = session.run(&[inputs(vec![sent.clone()])], &Stop::default()).unwrap();
    assert_eq!(ran.outputs, vec![vec![sent]]);
    assert_eq!(ran.bucket, 1);
}
