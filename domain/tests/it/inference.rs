//! Words of inference: fingerprints, signatures, what a worker's events come to.

use timeloom_domain::event::Aggregate;
use timeloom_domain::inference::{
    ElementType, Fingerprint, InferenceWorker, InferenceWorkerEvent, Provider, Signature, TensorSpec, digest_of_all,
    hexadecimal,
};

fn fingerprint() -> Fingerprint {
    Fingerprint {
        model: "cd".repeat(32),
        inputs: "ab".repeat(32),
        options: "threads=1".to_owned(),
        runtime: "ONNX Runtime 1.32.0".to_owned(),
        provider: Provider::Cpu,
        machine: "x86_64 avx2".to_owned(),
        bucket: 0,
    }
}

#[test]
fn a_fingerprint_is_frozen_and_differs_with_each_of_its_parts() {
    // From the format's description: printf of each part with its length before it, through sha256sum.
    assert_eq!(fingerprint().digest(), "ee3b7d70918b5be357fd86e153574e92bb2bbe492d4659757f067f93c620a1aa");
    let usual = fingerprint();
    let others = [
        Fingerprint { model: "ce".repeat(32), ..usual.clone() },
        Fingerprint { inputs: "ac".repeat(32), ..usual.clone() },
        Fingerprint { options: "threads=2".to_owned(), ..usual.clone() },
        Fingerprint { runtime: "ONNX Runtime 1.31.0".to_owned(), ..usual.clone() },
        Fingerprint { provider: Provider::Cuda, ..usual.clone() },
        Fingerprint { machine: "x86_64".to_owned(), ..usual.clone() },
        Fingerprint { bucket: 1, ..usual.clone() },
        // The same letters, parted elsewhere.
        Fingerprint { options: "threads=1O".to_owned(), runtime: "NNX Runtime 1.32.0".to_owned(), ..usual.clone() },
    ];
    for other in others {
        assert_ne!(other.digest(), usual.digest(), "{other:?}");
    }
}

#[test]
fn digests_of_several_tensors_are_told_apart_by_their_order() {
    let (one, other) = ([1; 32], [2; 32]);
    assert_ne!(digest_of_all([one, other]), digest_of_all([other, one]));
    assert_ne!(digest_of_all([one]), digest_of_all([one, one]));
    assert_eq!(digest_of_all([]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(hexadecimal(&[0, 15, 255]), "000fff");
}

#[test]
fn types_of_tensors_are_named_as_the_protocol_names_them() {
    for element in ElementType::ALL {
        assert_eq!(element.name().parse(), Ok(*element));
    }
    assert!("FLOAT".parse::<ElementType>().is_err());
    assert_eq!(serde_json::to_string(&ElementType::Bf16).unwrap(), "\"BF16\"");
    assert!(serde_json::from_str::<ElementType>("\"fp32\"").is_err());
}

#[test]
fn a_model_batches_when_the_first_dimension_of_everything_is_free() {
    let spec =
        |shape: &[Option<u64>]| TensorSpec { name: "x".to_owned(), element: ElementType::F32, shape: shape.to_vec() };
    let signature = |inputs: &[TensorSpec], outputs: &[TensorSpec]| Signature {
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
    };
    let (free, fixed, scalar) = (spec(&[None, Some(3)]), spec(&[Some(1), Some(3)]), spec(&[]));
    assert!(signature(&[free.clone(), free.clone()], std::slice::from_ref(&free)).batches());
    for (input, output) in [(&free, &fixed), (&fixed, &free), (&free, &scalar), (&scalar, &free)] {
        assert!(!signature(std::slice::from_ref(input), std::slice::from_ref(output)).batches());
    }
    assert!(!signature(&[], &[free]).batches());
}

#[test]
fn a_worker_knows_what_it_has_in_memory() {
    let golden = |name: &str| -> InferenceWorkerEvent {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{name}.v1.json")).unwrap()).unwrap()
    };
    let mut worker = InferenceWorker::default();
    for (event, loads, rows_max) in [
        ("InferenceWorkerStarted", 0, None),
        ("ModelLoaded", 1, Some(32)),
        ("ModelDegraded", 1, Some(16)),
        ("ModelRecovered", 1, Some(32)),
        ("ModelUnloaded", 0, None),
        ("ModelLoaded", 1, Some(32)),
        ("InferenceWorkerStopped", 0, None),
    ] {
        worker.apply(&golden(event));
        assert_eq!(worker.loads.len(), loads, "{event}");
        assert_eq!(worker.loads.first().map(|load| load.rows_max), rows_max, "{event}");
    }
    assert!(worker.stopped && worker.machine.is_some());
}
