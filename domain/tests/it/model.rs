//! Rules of the Model aggregate.

use timeloom_domain::model::{Model, ModelCommand, ModelEvent, ModelRefusal};

use crate::given::given;
use crate::samples::slug;

fn registered() -> ModelEvent {
    ModelEvent::ModelRegistered { name: slug("sentiment"), description: "Finds the mood of a text.".to_owned() }
}

fn added(version: u32, digit: &str) -> ModelEvent {
    ModelEvent::ModelVersionAdded { version, format: "onnx".to_owned(), digest: digit.repeat(64) }
}

fn add(digit: &str) -> ModelCommand {
    ModelCommand::AddVersion { format: "onnx".to_owned(), digest: digit.repeat(64) }
}

fn disabled() -> ModelEvent {
    ModelEvent::ModelDisabled { reason: "it drifts".to_owned() }
}

fn disable() -> ModelCommand {
    ModelCommand::Disable { reason: "it drifts".to_owned() }
}

#[test]
fn a_name_is_registered_once() {
    let register =
        || ModelCommand::Register { name: slug("sentiment"), description: "Finds the mood of a text.".to_owned() };
    given::<Model>([]).when(register()).then([registered()]);
    given::<Model>([registered()]).when(register()).refused(ModelRefusal::AlreadyRegistered);
}

#[test]
fn versions_are_numbered_and_the_same_file_is_added_once() {
    given::<Model>([registered()]).when(add("a")).then([added(1, "a")]);
    given::<Model>([registered(), added(1, "a")]).when(add("b")).then([added(2, "b")]);
    given::<Model>([registered(), added(1, "a")]).when(add("a")).changes_nothing();
    given::<Model>([registered(), added(1, "a")]).when(add("A")).changes_nothing();
}

#[test]
fn a_digest_that_is_none_is_refused() {
    for digest in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
        given::<Model>([registered()])
            .when(ModelCommand::AddVersion { format: "onnx".to_owned(), digest: digest.to_owned() })
            .refused(ModelRefusal::InvalidDigest(digest.chars().take(64).collect()));
    }
}

#[test]
fn only_a_known_version_is_promoted() {
    let promote = |version| ModelCommand::Promote { version };
    let promoted = |version| ModelEvent::ModelPromoted { version };
    given::<Model>([registered(), added(1, "a")]).when(promote(1)).then([promoted(1)]);
    given::<Model>([registered(), added(1, "a"), promoted(1)]).when(promote(1)).changes_nothing();
    given::<Model>([registered(), added(1, "a")]).when(promote(2)).refused(ModelRefusal::UnknownVersion(2));
    let rolled_back = [registered(), added(1, "a"), added(2, "b"), promoted(2), promoted(1)];
    assert_eq!(given::<Model>(rolled_back).state.promoted_version, Some(1));
}

#[test]
fn a_model_is_disabled_and_enabled_again() {
    given::<Model>([registered()]).when(disable()).then([disabled()]);
    given::<Model>([registered(), disabled()]).when(disable()).changes_nothing();
    given::<Model>([registered(), disabled()]).when(ModelCommand::Enable).then([ModelEvent::ModelEnabled {}]);
    given::<Model>([registered()]).when(ModelCommand::Enable).changes_nothing();
}

#[test]
fn a_retired_model_takes_no_changes() {
    let retired = ModelEvent::ModelRetired {};
    given::<Model>([registered()]).when(ModelCommand::Retire).then([retired.clone()]);
    given::<Model>([registered(), retired.clone()]).when(ModelCommand::Retire).changes_nothing();
    for command in [add("a"), ModelCommand::Promote { version: 1 }, ModelCommand::Enable, disable()] {
        given::<Model>([registered(), retired.clone()]).when(command).refused(ModelRefusal::Retired);
    }
}

#[test]
fn a_model_that_never_was_takes_no_changes() {
    let promote = ModelCommand::Promote { version: 1 };
    for command in [add("a"), promote, ModelCommand::Enable, disable(), ModelCommand::Retire] {
        given::<Model>([]).when(command).refused(ModelRefusal::NotFound);
    }
}
