//! The library: found, opened once, and refused with words.

use std::path::Path;
use std::process::Command;

use timeloom_inference::onnx::{LoadError, Model, OpenError, Options, Runtime};

use crate::support::{library, model, runtime};

#[test]
fn the_library_tells_its_version_and_is_the_same_when_opened_again() {
    let runtime = runtime();
    assert!(runtime.build().version.starts_with("1."), "{:?}", runtime.build());
    assert!(runtime.build().build.contains("build type="), "{:?}", runtime.build());
    assert_eq!(Runtime::open(&library()).unwrap().build(), runtime.build());
    assert_eq!(runtime.digest().unwrap(), runtime.digest().unwrap());
}

#[test]
fn a_missing_file_is_refused_and_the_right_one_can_be_opened_after_it() {
    let missing = Path::new("/nowhere/libonnxruntime.so");
    let Err(OpenError::NoLibrary { path, .. }) = Runtime::open(missing) else { panic!("it was opened") };
    assert_eq!(path, missing);
    assert!(Runtime::open(&library()).is_ok());
}

#[test]
fn a_file_that_is_no_library_and_a_library_that_is_another_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libonnxruntime.so.1.32.0");
    std::fs::write(&text, "not a library").unwrap();
    assert!(matches!(Runtime::open(&text), Err(OpenError::NoLibrary { .. })));

    let shared = library().with_file_name("libonnxruntime_providers_shared.so");
    assert_eq!(Runtime::open(&shared).err(), Some(OpenError::NotOnnxRuntime(shared.canonicalize().unwrap())));
}

#[test]
fn a_second_library_is_refused_while_one_is_open() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("libonnxruntime.so.9");
    std::fs::write(&copy, "another").unwrap();
    let copy = copy.canonicalize().unwrap();
    let wanted = OpenError::Another { path: copy.clone(), open: runtime.build().path.clone() };
    assert_eq!(Runtime::open(&copy).err(), Some(wanted));
}

#[test]
fn models_that_cannot_be_read_or_computed_are_refused() {
    let runtime = runtime();
    let load = |name: &str| Model::open(&runtime, &model(name), Options::default()).and_then(|model| model.session());
    assert!(matches!(load("missing.onnx").err(), Some(LoadError::Unreadable { .. })));
    for name in ["cut.onnx", "operator-unknown.onnx", "operator-custom.onnx", "opset-too-new.onnx", "cycle.onnx"] {
        let refused = load(name).err();
        assert!(matches!(refused, Some(LoadError::Rejected(_))), "{name}: {refused:?}");
    }
    let none = Options { intra_threads: 0, ..Options::default() };
    let refused = Model::open(&runtime, &model("mlp.onnx"), none).err();
    assert!(matches!(refused, Some(LoadError::Options(_))), "{refused:?}");
}

#[test]
fn weights_beside_a_model_are_found_and_those_outside_its_folder_are_not_read() {
    let runtime = runtime();
    let load = |name: &str| Model::open(&runtime, &model(name), Options::default()).and_then(|model| model.session());
    assert!(load("external/model.onnx").is_ok());
    for name in ["external-above.onnx", "external-absolute.onnx"] {
        assert!(matches!(load(name).err(), Some(LoadError::Rejected(_))), "{name}");
    }
}

#[test]
#[ignore = "the child that the next test starts"]
fn the_child_that_opens_the_library() {
    let library = std::env::args().skip_while(|argument| argument != "library").nth(1).unwrap();
    let runtime = Runtime::open(Path::new(&library)).unwrap();
    drop(Model::open(&runtime, &model("mlp.onnx"), Options::default()).unwrap().session().unwrap());
}

/// Libraries of today write an id for the machine into the folder of caches and send what they see, unless they are kept
/// from it.
#[test]
fn the_library_writes_down_nothing_about_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["opening::the_child_that_opens_the_library", "--exact", "--ignored", "--", "library"])
        .arg(library())
        .env_clear()
        .env("HOME", home.path())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
