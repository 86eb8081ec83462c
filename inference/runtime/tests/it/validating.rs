//! Files of models from outside: what passes, what is refused in which words, and what a trial in a child survives.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use timeloom_domain::inference::{ElementType, Signature};
use timeloom_inference::validate::trial::TrialError;
use timeloom_inference::validate::{self, Limits, Model, Program, Rejection, TrialLimits};

use crate::support::{library, model, models, session};

fn check(path: &Path) -> Result<Model, Rejection> {
    validate::check(path, &Limits::default()).unwrap()
}

fn refused(name: &str) -> Rejection {
    check(&model(name)).unwrap_err()
}

/// The test below, which is the child of the others.
fn child() -> Program {
    let arguments = ["validating::the_child_of_a_trial", "--exact", "--nocapture", "--ignored", "--", "trial"];
    Program { path: std::env::current_exe().unwrap(), arguments: arguments.map(str::to_owned).to_vec() }
}

#[test]
#[ignore = "the child that other tests start"]
fn the_child_of_a_trial() {
    let arguments: Vec<String> = std::env::args().skip_while(|argument| argument != "trial").skip(1).collect();
    assert_eq!(validate::child_main(&arguments), 0);
}

fn on_trial(path: &Path, declared: &Signature) -> Result<Signature, Rejection> {
    validate::in_child(&child(), &library(), path, declared, &TrialLimits::default())
}

#[test]
fn a_good_model_is_read_as_the_runtime_reads_it() {
    for name in ["mlp.onnx", "elements.onnx", "stateful.onnx", "if.onnx", "loop.onnx", "external/model.onnx"] {
        let read = check(&model(name)).unwrap();
        let session = session(name, timeloom_inference::onnx::Options::default());
        assert_eq!(&read.signature, session.signature(), "{name}");
    }
    let read = check(&model("mlp.onnx")).unwrap();
    assert_eq!((read.ir, read.opset, read.nodes), (9, 17, 4));
    assert_eq!(read.producer, "timeloom-tests");
    assert_eq!(read.operators.get("Gemm"), Some(&2));
    assert_eq!(read.signature.inputs[0].element, ElementType::F32);
    // Branches count.
    assert_eq!(check(&model("if.onnx")).unwrap().nodes, 3);
    let beside = check(&model("external/model.onnx")).unwrap().external;
    assert_eq!((beside[0].path.as_str(), beside[0].length), ("weights.bin", Some(32)));
}

#[test]
fn what_is_no_model_or_not_served_is_refused_in_words() {
    let said = |name: &str| refused(name).to_string();
    assert!(said("make.py").contains("no ONNX model"), "{}", said("make.py"));
    assert!(said("cut.onnx").contains("no ONNX model"), "{}", said("cut.onnx"));
    assert!(said("opset-too-new.onnx").contains("version 99"), "{}", said("opset-too-new.onnx"));
    assert!(said("ir-too-new.onnx").contains("version 99"), "{}", said("ir-too-new.onnx"));
    assert_eq!(
        refused("operator-custom.onnx"),
        Rejection::Operator { domain: "com.example".to_owned(), operator: "Conjure".to_owned() }
    );
    assert_eq!(refused("weight-too-large.onnx"), Rejection::Weight("w".to_owned()));
    assert!(matches!(refused("nested.onnx"), Rejection::TooMuch { what: "branches within each other", .. }));
    for name in ["external-above.onnx", "external-absolute.onnx"] {
        assert!(matches!(refused(name), Rejection::External { .. }), "{name}");
    }
}

#[test]
fn every_limit_is_kept() {
    let limits = Limits::default();
    let read = |name: &str, limits: Limits| validate::check(&model(name), &limits).unwrap().unwrap_err();
    let size = read("mlp.onnx", Limits { bytes_max: 100, ..limits });
    assert!(matches!(size, Rejection::Size { most: 100, .. }), "{size:?}");
    let nodes = read("mlp.onnx", Limits { nodes_max: 3, ..limits });
    assert_eq!(nodes, Rejection::TooMuch { what: "nodes", most: 3 });
    let weights = read("mlp.onnx", Limits { weights_max: 3, ..limits });
    assert_eq!(weights, Rejection::TooMuch { what: "weights", most: 3 });
    let nesting = read("if.onnx", Limits { nesting_max: 0, ..limits });
    assert_eq!(nesting, Rejection::TooMuch { what: "branches within each other", most: 0 });
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.onnx");
    std::fs::write(&empty, b"").unwrap();
    assert!(matches!(check(&empty), Err(Rejection::Size { found: 0, .. })));
}

#[test]
fn weights_that_are_not_beside_the_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("model.onnx");
    std::fs::copy(model("external/model.onnx"), &alone).unwrap();
    assert!(matches!(check(&alone), Err(Rejection::External { .. })));
    std::fs::write(folder.path().join("weights.bin"), [0; 31]).unwrap();
    assert!(matches!(check(&alone), Err(Rejection::External { .. })));
    std::fs::write(folder.path().join("weights.bin"), [0; 32]).unwrap();
    assert!(check(&alone).is_ok());
}

/// What a loader puts together from two fields would not be what was checked.
#[test]
fn a_model_that_says_twice_what_counts_once_is_refused() {
    let whole = std::fs::read(model("mlp.onnx")).unwrap();
    assert!(validate::read::model(&whole, &Limits::default()).is_ok());
    // A second graph, version of the format, or graph whose number has bits that loaders drop; each is empty.
    for again in [&[0x3a, 0][..], &[0x08, 8], &[0xba, 0x80, 0x80, 0x80, 0x10, 0]] {
        let twice = [&whole, again].concat();
        let refused = validate::read::model(&twice, &Limits::default()).unwrap_err();
        assert!(refused.to_string().contains("no ONNX model"), "{refused}");
    }
}

/// Models with bytes changed, cut and repeated: each is read or refused, none brings the reader down.
#[test]
fn thousands_of_broken_models_are_read_or_refused() {
    let names = ["mlp.onnx", "elements.onnx", "if.onnx", "nested.onnx", "external/model.onnx", "weight-too-large.onnx"];
    let mut state = 42_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let (mut good, mut bad) = (0, 0);
    for name in names {
        let whole = std::fs::read(model(name)).unwrap();
        for _ in 0..1_000 {
            let mut bytes = whole.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                match next(4) {
                    0 => bytes[at] ^= 1 << next(8),
                    1 => bytes[at] = [0, 0x7f, 0x80, 0xff][next(4)],
                    2 => bytes.truncate(at.max(1)),
                    _ => {
                        let end = (at + next(64)).min(bytes.len());
                        let piece = bytes[at..end].to_vec();
                        bytes.splice(at..at, piece);
                    }
                }
            }
            match validate::read::model(&bytes, &Limits::default()) {
                Ok(_) => good += 1,
                Err(_) => bad += 1,
            }
        }
    }
    assert_eq!(good + bad, 6_000);
    assert!(good > 100 && bad > 1_000, "{good} read, {bad} refused");
}

#[test]
fn a_trial_tells_what_the_runtime_says_of_a_model() {
    for name in ["mlp.onnx", "external/model.onnx", "strings.onnx"] {
        let read = check(&model(name)).unwrap();
        assert_eq!(on_trial(&model(name), &read.signature), Ok(read.signature), "{name}");
    }
    let read = check(&model("operator-unknown.onnx")).unwrap();
    let Err(Rejection::Trial(TrialError::Refused(reason))) = on_trial(&model("operator-unknown.onnx"), &read.signature)
    else {
        panic!("it was taken")
    };
    assert!(reason.contains("Conjure"), "{reason}");
    let cycle = check(&model("cycle.onnx")).unwrap();
    assert!(on_trial(&model("cycle.onnx"), &cycle.signature).is_err());
    let other = on_trial(&model("mlp.onnx"), &cycle.signature);
    assert_eq!(other, Err(TrialError::OtherSignature.into()));
}

#[test]
fn a_child_that_hangs_is_killed_and_one_that_wants_too_much_memory_is_refused() {
    let declared = check(&model("mlp.onnx")).unwrap().signature;
    let run = |program: &Program, limits: TrialLimits| {
        validate::in_child(program, &library(), &model("mlp.onnx"), &declared, &limits).unwrap_err()
    };
    let time = Duration::from_millis(200);
    let limits = TrialLimits { time, ..TrialLimits::default() };
    // `sleep` takes the trial's arguments for numbers of seconds, a path among them: so it is told through a shell.
    let shell = |script: &str| Program { path: "/bin/sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()] };
    assert_eq!(run(&shell("exec sleep 60"), limits), TrialError::TookTooLong(time).into());
    let limits = TrialLimits::default();
    assert!(matches!(run(&shell("kill -SEGV $$"), limits), Rejection::Trial(TrialError::Crashed(_))));
    assert!(matches!(run(&shell("kill -XCPU $$"), limits), Rejection::Trial(TrialError::TookTooLong(_))));
    assert!(matches!(run(&shell("yes"), limits), Rejection::Trial(_)));
    let missing = Program { path: PathBuf::from("/nowhere"), arguments: Vec::new() };
    assert!(matches!(run(&missing, limits), Rejection::Trial(TrialError::NoChild(_))));
    // The library alone does not fit into so little.
    let small = TrialLimits { memory_bytes: 40 << 20, ..TrialLimits::default() };
    assert!(matches!(run(&child(), small), Rejection::Trial(_)));
}

#[test]
fn every_committed_model_is_read_or_refused_without_a_trial() {
    let mut seen = 0;
    for entry in std::fs::read_dir(models()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            seen += 1;
            drop(check(&path));
        }
    }
    assert!(seen > 20, "{seen}");
}
