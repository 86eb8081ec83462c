//! A GPU computes: proven by the placement of nodes, compared with the CPU, bounded, repeated and stopped.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use timeloom_domain::inference::{ElementType, Gpu, Provider};
use timeloom_inference::onnx::{self, GpuError, LoadError, Model, Options, Session};
use timeloom_inference::{Inputs, Instance, RunError, Stop, Tensor};

use crate::support::{floats, inputs, integers, model, numbers, runtime, scattered, session};

/// How far a GPU's numbers of 32 bits may be from the CPU's.
const NEAR: f32 = 1e-4;
/// The same where it multiplies with fewer bits.
const NEAR_TF32: f32 = 1e-2;

fn required() -> Options {
    Options { gpu: Gpu::Required, ..Options::default() }
}

fn optional() -> Options {
    Options { gpu: Gpu::Optional, ..Options::default() }
}

fn refused(name: &str, options: Options) -> LoadError {
    Model::open(&runtime(), &model(name), options).unwrap().session().err().expect("it was loaded")
}

fn run(session: &mut Session, callers: &[Inputs]) -> Vec<Vec<Tensor>> {
    session.run(callers, &Stop::default()).unwrap().outputs
}

/// Callers of `mlp.onnx` with one row each.
fn callers(count: usize, seed: u64) -> Vec<Inputs> {
    (0..count).map(|caller| inputs(vec![floats(&[1, 8], &scattered(8, seed + caller as u64))])).collect()
}

fn assert_near(left: &[Vec<Tensor>], right: &[Vec<Tensor>], near: f32) {
    let flat = |side: &[Vec<Tensor>]| side.iter().flatten().flat_map(numbers).collect::<Vec<f32>>();
    let (left, right) = (flat(left), flat(right));
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(&right) {
        assert!((left - right).abs() <= near * right.abs().max(1.0), "{left} is not near {right}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn the_driver_tells_of_its_gpus() {
    let gpus = onnx::gpus().unwrap();
    let first = &gpus[0];
    println!("{first:?}");
    assert!(first.name.contains("NVIDIA") && first.uuid.starts_with("GPU-"), "{first:?}");
    assert!(first.use_now.memory_bytes > first.use_now.memory_used_bytes && first.capability.0 >= 7, "{first:?}");
    assert!(!first.driver.is_empty() && first.cuda >= 13_000, "{first:?}");
}

#[test]
#[ignore = "needs a GPU"]
fn all_nodes_of_a_model_that_requires_a_gpu_are_seen_there() {
    let mut session = session("mlp.onnx", required());
    let loaded = session.loaded().clone();
    println!("{loaded:?}");
    assert_eq!((loaded.provider, &loaded.fell_back), (Provider::Cuda, &None));
    assert!(loaded.placement.of(Provider::Cuda) > 0, "{:?}", loaded.placement);
    assert_eq!(loaded.placement.of(Provider::Cpu), 0, "{:?}", loaded.placement);
    assert_eq!((loaded.graphs, loaded.graphs_refused), (true, None));
    assert_eq!(loaded.buckets, [1, 2, 4, 8, 16, 32, 64]);
    let mut cpu = crate::support::session("mlp.onnx", Options::default());
    let sent = callers(5, 1);
    assert_near(&run(&mut session, &sent), &run(&mut cpu, &sent), NEAR);
}

#[test]
#[ignore = "needs a GPU"]
fn a_model_with_a_node_that_only_the_cpu_has_is_refused_by_the_name_of_the_operator() {
    match refused("determinant.onnx", required()) {
        LoadError::NotAllOnGpu(operators) => assert_eq!(operators, ["Det"]),
        other => panic!("{other:?}"),
    }
    match refused("strings.onnx", required()) {
        LoadError::NotAllOnGpu(operators) => assert_eq!(operators, ["StringConcat"]),
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs a GPU"]
fn a_model_that_would_like_a_gpu_shares_its_nodes_with_the_cpu_and_tells_which() {
    let mut session = session("determinant.onnx", optional());
    let loaded = session.loaded().clone();
    println!("{loaded:?}");
    assert_eq!((loaded.provider, &loaded.fell_back), (Provider::Cuda, &None));
    assert!(loaded.placement.of(Provider::Cuda) > 0 && loaded.placement.on_cpu.contains("Det"), "{loaded:?}");
    assert!(!loaded.graphs && loaded.graphs_refused.is_some(), "{loaded:?}");
    let identity = floats(&[1, 3, 3], &[2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 4.0]);
    let outputs = run(&mut session, &[inputs(vec![identity])]);
    assert_eq!(numbers(&outputs[0][0]), [-24.0]);
}

#[test]
#[ignore = "needs a GPU"]
fn a_model_that_is_all_the_cpus_falls_back_and_says_so() {
    let session = session("strings.onnx", optional());
    let fell_back = session.loaded().fell_back.clone().unwrap();
    println!("{fell_back:?}");
    assert!(matches!(fell_back.reason, GpuError::NoNodes(_)), "{fell_back:?}");
    assert_eq!(session.facts().provider, Provider::Cpu);
}

#[test]
#[ignore = "needs a GPU"]
fn a_gpu_that_is_not_there_is_refused_by_its_number() {
    let found = refused("mlp.onnx", Options { device: 99, ..required() });
    assert!(matches!(found, LoadError::Gpu(GpuError::NoDevice { wanted: 99, .. })), "{found:?}");
}

#[test]
#[ignore = "needs a GPU"]
fn a_bucket_gives_the_same_bits_each_time_whoever_is_in_it_and_in_every_session() {
    let made = Model::open(&runtime(), &model("mlp.onnx"), required()).unwrap();
    let (mut first, mut second) = (made.session().unwrap(), made.session().unwrap());
    let mine = callers(1, 7);
    let with = |others: u64| [mine.clone(), callers(4, others)].concat();
    let ran = first.run(&with(100), &Stop::default()).unwrap();
    assert_eq!(ran.bucket, 8);
    let expected = ran.outputs[0].clone();
    for others in 0..50 {
        assert_eq!(run(&mut first, &with(1_000 + others))[0], expected);
        assert_eq!(run(&mut second, &with(2_000 + others))[0], expected);
    }
}

#[test]
#[ignore = "needs a GPU"]
fn played_back_launches_give_what_launches_one_by_one_give() {
    let mut recorded = session("mlp.onnx", required());
    let mut single = session("mlp.onnx", Options { cuda_graphs: false, ..required() });
    assert!(recorded.loaded().graphs && !single.loaded().graphs);
    let mut cpu = session("mlp.onnx", Options::default());
    for count in [1, 2, 3, 7, 8, 20, 33, 64, 5, 1] {
        let sent = callers(count, count as u64);
        let outputs = run(&mut recorded, &sent);
        assert_eq!(outputs, run(&mut single, &sent), "{count} rows");
        assert_near(&outputs, &run(&mut cpu, &sent), NEAR);
    }
    let too_much = recorded.run(&callers(65, 0), &Stop::default());
    assert!(matches!(too_much, Err(RunError::Unfit(_))), "{too_much:?}");
}

#[test]
#[ignore = "needs a GPU"]
fn fewer_bits_are_near_enough() {
    let mut session = session("mlp.onnx", Options { tf32: true, ..required() });
    let mut cpu = crate::support::session("mlp.onnx", Options::default());
    let sent = callers(16, 3);
    assert_near(&run(&mut session, &sent), &run(&mut cpu, &sent), NEAR_TF32);
}

#[test]
#[ignore = "needs a GPU"]
fn channels_last_give_near_numbers_on_the_gpu_as_a_whole() {
    let mut session = session("conv.onnx", Options { channels_last: true, ..required() });
    let loaded = session.loaded().clone();
    println!("{loaded:?}");
    assert_eq!((loaded.placement.of(Provider::Cpu), loaded.graphs), (0, true), "{loaded:?}");
    let mut cpu = crate::support::session("conv.onnx", Options::default());
    let images: Vec<Inputs> =
        (0..5).map(|seed| inputs(vec![floats(&[1, 3, 8, 8], &scattered(192, seed + 1))])).collect();
    assert_near(&run(&mut session, &images), &run(&mut cpu, &images), NEAR);
}

#[test]
#[ignore = "needs a GPU"]
fn an_input_that_the_cpu_reads_is_seen_anew_each_time() {
    let mut session = session("clip.onnx", optional());
    println!("{:?}", session.loaded());
    assert_eq!(session.facts().provider, Provider::Cuda);
    let sent = |low: f32| inputs(vec![floats(&[2, 3], &[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0]), floats(&[], &[low])]);
    for low in [-1.0, 1.0, -2.5, 0.5] {
        let expected: Vec<f32> = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0].iter().map(|value: &f32| value.max(low)).collect();
        assert_eq!(numbers(&run(&mut session, &[sent(low)])[0][0]), expected);
    }
}

#[test]
#[ignore = "needs a GPU"]
fn branches_and_lengths_that_differ_are_computed_without_recordings() {
    let mut branch = session("if.onnx", optional());
    println!("{:?}", branch.loaded());
    assert_eq!(branch.facts().provider, Provider::Cuda);
    let x = floats(&[1, 4], &[1.0, -2.0, 3.0, -4.0]);
    for (turn, expected) in [(1, [-1.0, 2.0, -3.0, 4.0]), (0, [1.0, 2.0, 3.0, 4.0]), (1, [-1.0, 2.0, -3.0, 4.0])] {
        let turn = Tensor::new(ElementType::Bool, vec![], vec![turn].into()).unwrap();
        let outputs = run(&mut branch, &[Inputs { tensors: vec![turn, x.clone()], rows: 1 }]);
        assert_eq!(numbers(&outputs[0][0]), expected);
    }
    let mut ragged = session("ragged.onnx", required());
    assert!(!ragged.loaded().graphs);
    let sent: Vec<Inputs> = (1..=3).map(|length| inputs(vec![floats(&[1, length], &vec![2.0; length])])).collect();
    let given: Vec<f32> = run(&mut ragged, &sent).iter().flat_map(|outputs| numbers(&outputs[0])).collect();
    assert_eq!(given, [2.0, 4.0, 6.0]);
}

#[test]
#[ignore = "needs a GPU"]
fn buckets_that_the_memory_does_not_hold_are_left_out_and_the_others_compute() {
    let limit = Some(1 << 30);
    let mut session = session("wide.onnx", Options { gpu_bytes_max: limit, ..required() });
    let buckets = session.loaded().buckets.clone();
    println!("{:?}", session.loaded());
    assert_eq!(session.facts().provider, Provider::Cuda);
    let most = *buckets.last().unwrap();
    assert!(most < 64 && session.facts().rows_max == most, "{buckets:?}");
    let sent = |rows: usize| inputs(vec![floats(&[rows, 1], &vec![0.0; rows])]);
    assert_eq!(numbers(&run(&mut session, &[sent(most)])[0][0]), vec![1.0; most]);
    let refused = session.run(&[sent(most + 1)], &Stop::default());
    assert!(matches!(refused, Err(RunError::Unfit(_))), "{refused:?}");
}

#[test]
#[ignore = "needs a GPU"]
fn a_batch_that_the_memory_does_not_hold_is_told_as_such_and_a_smaller_one_computes() {
    let mut session = session("zeros.onnx", Options { gpu_bytes_max: Some(256 << 20), ..optional() });
    println!("{:?}", session.loaded());
    assert_eq!(session.facts().provider, Provider::Cuda);
    let ran = session.run(&[inputs(vec![integers(&[1], &[1 << 30])])], &Stop::default());
    assert!(matches!(ran, Err(RunError::OutOfMemory { .. })), "{ran:?}");
    assert_eq!(numbers(&run(&mut session, &[inputs(vec![integers(&[1], &[2])])])[0][0]), [0.0, 0.0]);
}

#[test]
#[ignore = "needs a GPU"]
fn every_type_of_element_is_given_back_as_it_was() {
    let mut session = session("elements.onnx", optional());
    println!("{:?}", session.loaded());
    assert_eq!(session.facts().provider, Provider::Cuda);
    let tensor = |element: ElementType| {
        let data: Vec<u8> = match element {
            ElementType::Bytes => b"\x01\0\0\0a\0\0\0\0".to_vec(),
            ElementType::Bool => vec![0, 1],
            element => (1..).take(2 * element.bytes().unwrap()).collect(),
        };
        Tensor::new(element, vec![1, 2], data.into()).unwrap()
    };
    let tensors: Vec<Tensor> = session.signature().inputs.iter().map(|spec| tensor(spec.element)).collect();
    assert_eq!(run(&mut session, &[inputs(tensors.clone())]), vec![tensors]);
}

#[test]
#[ignore = "needs a GPU"]
fn a_run_on_the_gpu_ends_when_it_is_told_to_stop() {
    let mut session = session("loop.onnx", optional());
    println!("{:?}", session.loaded());
    assert_eq!(session.facts().provider, Provider::Cuda);
    let sent = |times: i64| inputs(vec![integers(&[], &[times]), floats(&[64, 64], &[0.0; 4096])]);
    let stop = Stop::default();
    let stopper = stop.clone();
    let thread = std::thread::spawn(move || {
        while !stopper.is_heeded() {
            std::thread::yield_now();
        }
        stopper.stop();
    });
    assert_eq!(session.run(&[sent(1 << 40)], &stop), Err(RunError::Stopped));
    thread.join().unwrap();
    assert_eq!(run(&mut session, &[sent(3)])[0][0], floats(&[64, 64], &[0.0; 4096]));
}
