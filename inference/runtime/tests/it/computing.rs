//! What models give, alone and in batches.

use bytes::Bytes;
use timeloom_domain::inference::{ElementType, Provider};
use timeloom_inference::onnx::{Model, Options, Processor};
use timeloom_inference::{Instance, RunError, Stop, Tensor};

use crate::support::{floats, inputs, integers, model, numbers, runtime, scattered, session};

#[test]
fn what_goes_in_comes_out_with_its_name_and_shape() {
    let mut session = session("identity.onnx", Options::default());
    let signature = session.signature();
    assert_eq!(signature.inputs[0].name, "x");
    assert_eq!(signature.outputs[0].name, "y");
    assert_eq!(signature.inputs[0].shape, vec![None, Some(4)]);
    assert!(signature.batches());
    let sent = floats(&[2, 4], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let ran = session.run(&[inputs(vec![sent.clone()])], &Stop::default()).unwrap();
    assert_eq!(ran.outputs, vec![vec![sent]]);
    assert_eq!(ran.bucket, 2);
    assert_eq!(session.facts().provider, Provider::Cpu);
}

#[test]
fn every_type_of_element_goes_in_and_comes_out_as_it_was() {
    let mut session = session("elements.onnx", Options::default());
    let tensors: Vec<Tensor> = session
        .signature()
        .inputs
        .iter()
        .map(|spec| {
            let data: Vec<u8> = match spec.element {
                ElementType::Bytes => b"\x03\0\0\0\xc3\xa9!\0\0\0\0\x01\0\0\0a\x02\0\0\0bc".to_vec(),
                ElementType::Bool => vec![0, 1, 1, 0],
                element => (1..).take(4 * element.bytes().unwrap()).collect(),
            };
            Tensor::new(spec.element, vec![2, 2], data.into()).unwrap()
        })
        .collect();
    assert_eq!(tensors.len(), ElementType::ALL.len());
    let ran = session.run(&[inputs(tensors.clone())], &Stop::default()).unwrap();
    assert_eq!(ran.outputs, vec![tensors]);
}

#[test]
fn texts_are_batched_and_bad_ones_are_refused() {
    let mut session = session("strings.onnx", Options::default());
    let text = |text: &[u8]| {
        let mut data = (text.len() as u32).to_le_bytes().to_vec();
        data.extend_from_slice(text);
        inputs(vec![Tensor::new(ElementType::Bytes, vec![1, 1], data.into()).unwrap()])
    };
    let ran = session.run(&[text(b"a"), text("zwölf".as_bytes())], &Stop::default()).unwrap();
    assert_eq!(ran.outputs[0][0].data().as_ref(), b"\x02\0\0\0a!");
    assert_eq!(ran.outputs[1][0].data().as_ref(), "\x07\0\0\0zwölf!".as_bytes());
    for bad in [&b"\xff\xfe"[..], b"a\0b"] {
        assert!(matches!(session.run(&[text(bad)], &Stop::default()), Err(RunError::Unfit(_))));
    }
}

#[test]
fn each_caller_of_a_batch_gets_the_bits_that_it_would_get_alone() {
    let made = Model::open(&runtime(), &model("mlp.onnx"), Options::default()).unwrap();
    let (mut together, mut alone) = (made.session().unwrap(), made.session().unwrap());
    let stop = Stop::default();
    for count in [1, 2, 3, 5, 8, 32] {
        let callers: Vec<_> = (0..count)
            .map(|caller| {
                let rows = 1 + caller % 3;
                inputs(vec![floats(&[rows, 8], &scattered(rows * 8, (count * 100 + caller) as u64))])
            })
            .collect();
        let ran = together.run(&callers, &stop).unwrap();
        for (caller, outputs) in callers.iter().zip(&ran.outputs) {
            assert_eq!(&alone.run(std::slice::from_ref(caller), &stop).unwrap().outputs[0], outputs);
            let sums: Vec<f32> = numbers(&outputs[0]).chunks(3).map(|row| row.iter().sum()).collect();
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
        }
    }
}

#[test]
fn callers_whose_rows_differ_in_length_are_computed_apart_and_answered_in_order() {
    let mut session = session("ragged.onnx", Options::default());
    let callers = [
        inputs(vec![floats(&[1, 2], &[1.0, 2.0])]),
        inputs(vec![floats(&[1, 3], &[1.0, 2.0, 3.0])]),
        inputs(vec![floats(&[2, 2], &[5.0, 6.0, 7.0, 8.0])]),
    ];
    let ran = session.run(&callers, &Stop::default()).unwrap();
    let given: Vec<Vec<f32>> = ran.outputs.iter().map(|outputs| numbers(&outputs[0])).collect();
    assert_eq!(given, [vec![3.0], vec![6.0], vec![11.0, 15.0]]);
    assert_eq!(ran.bucket, 4);
}

#[test]
fn models_that_do_not_batch_answer_several_callers_one_after_the_other() {
    let mut session = session("fixed.onnx", Options::default());
    assert!(!session.signature().batches());
    let caller = |start: f32| inputs(vec![floats(&[2, 3], &[start; 6])]);
    let ran = session.run(&[caller(1.0), caller(2.0)], &Stop::default()).unwrap();
    let given: Vec<f32> = ran.outputs.iter().map(|outputs| numbers(&outputs[0])[0]).collect();
    assert_eq!(given, [-1.0, -2.0]);

    let mut scalar = crate::support::session("scalar.onnx", Options::default());
    let ran = scalar.run(&[inputs(vec![floats(&[], &[4.0])])], &Stop::default()).unwrap();
    assert_eq!(ran.outputs, vec![vec![floats(&[], &[-4.0])]]);
}

#[test]
fn a_state_is_carried_from_run_to_run_by_the_caller() {
    let mut session = session("stateful.onnx", Options::default());
    let mut state = floats(&[1, 2], &[0.0, 0.0]);
    for step in 1..=3_u8 {
        let ran = session.run(&[inputs(vec![floats(&[1, 2], &[1.0, 2.0]), state])], &Stop::default()).unwrap();
        let outputs = &ran.outputs[0];
        assert_eq!(numbers(&outputs[0]), [2.0 * f32::from(step), 4.0 * f32::from(step)]);
        state = outputs[1].clone();
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_computed() {
    let mut session = session("add.onnx", Options::default());
    let mut refused = |tensors: Vec<Tensor>| match session.run(&[inputs(tensors)], &Stop::default()) {
        Err(RunError::Unfit(detail)) => detail,
        ran => panic!("{ran:?}"),
    };
    let three = || floats(&[1, 3], &[1.0; 3]);
    assert_eq!(refused(vec![three()]), "1 inputs were sent, it takes 2: a, b");
    assert_eq!(refused(vec![three(), integers(&[1, 3], &[1; 3])]), "'b' is INT64, it must be FP32");
    assert_eq!(refused(vec![three(), floats(&[1, 2], &[1.0; 2])]), "'b' has the shape [1, 2], it must be [any, 3]");
    assert_eq!(refused(vec![three(), floats(&[2, 3], &[1.0; 6])]), "'b' has the shape [2, 3] and is sent as 1 rows");
}

#[test]
fn what_is_no_number_passes_through_unless_the_model_refuses_it() {
    let sent = || inputs(vec![floats(&[1, 4], &[f32::NAN, 1.0, f32::INFINITY, 0.0])]);
    let ran = session("identity.onnx", Options::default()).run(&[sent()], &Stop::default()).unwrap();
    assert!(numbers(&ran.outputs[0][0])[0].is_nan());
    let strict = Options { finite_only: true, ..Options::default() };
    let refused = session("identity.onnx", strict).run(&[sent()], &Stop::default());
    assert!(matches!(refused, Err(RunError::Unfit(detail)) if detail.contains("not a number")));
}

#[test]
fn more_than_there_is_memory_for_is_told_as_such_and_the_session_goes_on() {
    let mut session = session("zeros.onnx", Options::default());
    let ran = session.run(&[inputs(vec![integers(&[1], &[1 << 46])])], &Stop::default());
    assert!(matches!(ran, Err(RunError::OutOfMemory { .. })), "{ran:?}");
    let ran = session.run(&[inputs(vec![integers(&[1], &[2])])], &Stop::default()).unwrap();
    assert_eq!(numbers(&ran.outputs[0][0]), [0.0, 0.0]);
}

#[test]
fn two_sessions_of_a_model_compute_on_threads_of_their_own() {
    let made = Model::open(&runtime(), &model("mlp.onnx"), Options::default()).unwrap();
    let sent = inputs(vec![floats(&[4, 8], &scattered(32, 1))]);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let begin = || {
            scope.spawn(|| {
                let mut session = made.session().unwrap();
                (0..50).map(|_| session.run(std::slice::from_ref(&sent), &Stop::default()).unwrap()).collect::<Vec<_>>()
            })
        };
        let threads = [begin(), begin()];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.len(), 100);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_batch_keeps_nothing_of_the_larger_one_before_it() {
    let mut session = session("identity.onnx", Options::default());
    for rows in [9, 2, 9, 1] {
        let sent = floats(&[rows, 4], &scattered(rows * 4, rows as u64));
        let ran = session.run(&[inputs(vec![sent.clone()])], &Stop::default()).unwrap();
        assert_eq!(ran.outputs, vec![vec![sent]]);
    }
}

#[test]
fn the_processor_is_told_in_a_fixed_order() {
    let processor = Processor::here();
    assert_eq!(processor, Processor::here());
    assert_eq!(processor.architecture, std::env::consts::ARCH);
    assert_ne!(Bytes::from(processor.features.join(",")), Bytes::new());
}
