//! Rules of the Model aggregate.

use timeloom_domain::event::Aggregate;
use timeloom_domain::inference::Gpu;
use timeloom_domain::model::{
    ALIASES_MAX, Model, ModelCommand, ModelEvent, ModelReference, ModelRefusal, ModelSettings, Recording,
    VersionReference,
};

use crate::given::given;
use crate::samples::slug;

fn registered() -> ModelEvent {
    ModelEvent::ModelRegistered { name: slug("sentiment"), description: "Finds the mood of a text.".to_owned() }
}

fn added(version: u32, digit: &str) -> ModelEvent {
    ModelEvent::ModelVersionAdded { version, format: "onnx".to_owned(), digest: digit.repeat(64), file: None }
}

fn add(digit: &str) -> ModelCommand {
    ModelCommand::AddVersion { format: "onnx".to_owned(), digest: digit.repeat(64), file: None }
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
            .when(ModelCommand::AddVersion { format: "onnx".to_owned(), digest: digest.to_owned(), file: None })
            .refused(ModelRefusal::InvalidDigest(digest.chars().take(64).collect()));
    }
}

#[test]
fn a_file_that_did_not_pass_the_checks_is_written_down_and_is_no_version() {
    let rejected =
        ModelEvent::ModelVersionRejected { digest: "a".repeat(64), bytes: 3, reason: "it is no ONNX file".to_owned() };
    let reject =
        ModelCommand::RejectVersion { digest: "A".repeat(64), bytes: 3, reason: "it is no ONNX file".to_owned() };
    given::<Model>([registered()]).when(reject).then([rejected.clone()]);
    given::<Model>([registered(), rejected]).when(add("a")).then([added(1, "a")]);
}

fn promote(version: u32) -> ModelCommand {
    ModelCommand::Promote { version, reason: None }
}

fn promoted(version: u32, from: Option<u32>) -> ModelEvent {
    ModelEvent::ModelPromoted { version, from, reason: None }
}

fn with_two() -> [ModelEvent; 3] {
    [registered(), added(1, "a"), added(2, "b")]
}

fn after(events: impl IntoIterator<Item = ModelEvent>) -> Vec<ModelEvent> {
    with_two().into_iter().chain(events).collect()
}

#[test]
fn only_a_known_version_is_promoted() {
    given::<Model>(with_two()).when(promote(1)).then([promoted(1, None)]);
    given::<Model>(after([promoted(1, None)])).when(promote(2)).then([promoted(2, Some(1))]);
    given::<Model>(after([promoted(1, None)])).when(promote(1)).changes_nothing();
    given::<Model>(with_two()).when(promote(3)).refused(ModelRefusal::UnknownVersion(3));
}

#[test]
fn a_roll_back_goes_to_the_version_before_and_past_one_that_was_withdrawn() {
    let back = || ModelCommand::RollBack { reason: "worse".to_owned() };
    let rolled_back = |version, from| ModelEvent::ModelRolledBack { version, from, reason: "worse".to_owned() };
    let history = || after([promoted(1, None), promoted(2, Some(1))]);
    given::<Model>(history()).when(back()).then([rolled_back(1, 2)]);
    let again = history().into_iter().chain([rolled_back(1, 2)]);
    given::<Model>(again).when(back()).refused(ModelRefusal::NothingBefore);
    given::<Model>(with_two()).when(back()).refused(ModelRefusal::NothingPromoted);
    given::<Model>(history())
        .when(ModelCommand::RollBack { reason: " ".to_owned() })
        .refused(ModelRefusal::InvalidReason);

    let withdrawn = ModelEvent::ModelVersionWithdrawn { version: 2, reason: "wrong labels".to_owned() };
    let three = [added(3, "c"), promoted(1, None), promoted(2, Some(1)), promoted(3, Some(2)), withdrawn];
    given::<Model>(after(three)).when(back()).then([rolled_back(1, 3)]);
}

#[test]
fn a_version_that_answers_is_not_withdrawn_and_a_withdrawn_one_answers_nothing() {
    let withdraw = |version| ModelCommand::Withdraw { version, reason: "wrong labels".to_owned() };
    let withdrawn = || ModelEvent::ModelVersionWithdrawn { version: 1, reason: "wrong labels".to_owned() };
    given::<Model>(with_two()).when(withdraw(1)).then([withdrawn()]);
    given::<Model>(after([withdrawn()])).when(withdraw(1)).changes_nothing();
    given::<Model>(after([withdrawn()])).when(promote(1)).refused(ModelRefusal::Withdrawn(1));
    given::<Model>(after([promoted(1, None)])).when(withdraw(1)).refused(ModelRefusal::InUse(1));
    given::<Model>(after([alias_set("prod", 1, None)])).when(withdraw(1)).refused(ModelRefusal::InUse(1));
    given::<Model>(with_two()).when(withdraw(3)).refused(ModelRefusal::UnknownVersion(3));
}

fn alias_set(alias: &str, version: u32, from: Option<u32>) -> ModelEvent {
    ModelEvent::ModelAliasSet { alias: slug(alias), version, from, reason: None }
}

fn set_alias(alias: &str, version: u32) -> ModelCommand {
    ModelCommand::SetAlias { alias: slug(alias), version, reason: None }
}

#[test]
fn an_alias_names_one_version_and_is_never_a_number() {
    given::<Model>(with_two()).when(set_alias("prod", 1)).then([alias_set("prod", 1, None)]);
    let set = || after([alias_set("prod", 1, None)]);
    given::<Model>(set()).when(set_alias("prod", 2)).then([alias_set("prod", 2, Some(1))]);
    given::<Model>(set()).when(set_alias("prod", 1)).changes_nothing();
    given::<Model>(set()).when(set_alias("prod", 7)).refused(ModelRefusal::UnknownVersion(7));
    given::<Model>(set()).when(set_alias("2", 1)).refused(ModelRefusal::AliasIsNumber(slug("2")));
    let remove = |alias| ModelCommand::RemoveAlias { alias: slug(alias) };
    let removed = ModelEvent::ModelAliasRemoved { alias: slug("prod"), version: 1 };
    given::<Model>(set()).when(remove("prod")).then([removed]);
    given::<Model>(set()).when(remove("test")).changes_nothing();

    let full = (0..ALIASES_MAX).map(|number| alias_set(&format!("a{number}"), 1, None));
    given::<Model>(after(full)).when(set_alias("more", 1)).refused(ModelRefusal::TooManyAliases);
}

fn trial(version: u32, percent: u8, shadow: bool) -> ModelEvent {
    ModelEvent::ModelRolloutStarted { version, percent, shadow, alias: None, guard: None }
}

#[test]
fn a_trial_takes_a_part_that_grows_and_ends_in_a_promotion_or_not() {
    let start =
        |version, percent, shadow| ModelCommand::StartRollout { version, percent, shadow, alias: None, guard: None };
    let started = |percent| trial(2, percent, false);
    let base = || after([promoted(1, None)]);
    given::<Model>(base()).when(start(2, 10, false)).then([started(10)]);
    given::<Model>(base()).when(start(1, 10, false)).refused(ModelRefusal::AlreadyPromoted(1));
    given::<Model>(with_two()).when(start(2, 10, false)).refused(ModelRefusal::NothingPromoted);
    for (percent, shadow) in [(0, false), (100, false), (0, true), (101, true)] {
        given::<Model>(base()).when(start(2, percent, shadow)).refused(ModelRefusal::InvalidPercent(percent));
    }
    let under_way = || base().into_iter().chain([started(10)]).collect::<Vec<_>>();
    given::<Model>(under_way()).when(start(2, 20, false)).refused(ModelRefusal::RolloutUnderWay(2));
    given::<Model>(under_way()).when(promote(2)).refused(ModelRefusal::RolloutUnderWay(2));
    let step = |percent| ModelCommand::StepRollout { percent };
    given::<Model>(under_way()).when(step(50)).then([ModelEvent::ModelRolloutStepped { percent: 50 }]);
    given::<Model>(under_way()).when(step(10)).changes_nothing();
    given::<Model>(base()).when(step(10)).refused(ModelRefusal::NoRollout);

    let end = |promote| ModelCommand::EndRollout { promote, reason: "it is better".to_owned() };
    let reason = || "it is better".to_owned();
    let ended = |promoted| ModelEvent::ModelRolloutEnded { promoted, reason: reason(), figures: None };
    given::<Model>(under_way()).when(end(false)).then([ended(false)]);
    let reason = Some("it is better".to_owned());
    let promotion = ModelEvent::ModelPromoted { version: 2, from: Some(1), reason };
    given::<Model>(under_way()).when(end(true)).then([ended(true), promotion]);
}

#[test]
fn a_request_is_answered_by_the_version_that_it_names_or_that_answers_for_all() {
    let model = given::<Model>(after([promoted(1, None), alias_set("next", 2, None)])).state;
    let resolve = |reference: &str| {
        let reference: ModelReference = reference.parse().unwrap();
        model.resolve(&reference.version, Some("key")).map(|version| version.version)
    };
    assert_eq!(resolve("sentiment"), Ok(1));
    assert_eq!(resolve("sentiment@next"), Ok(2));
    assert_eq!(resolve("sentiment@2"), Ok(2));
    assert_eq!(resolve("sentiment@3"), Err(ModelRefusal::UnknownVersion(3)));
    assert_eq!(resolve("sentiment@prod"), Err(ModelRefusal::UnknownAlias(slug("prod"))));
    for wrong in ["", "@", "sentiment@", "sentiment@0", "sentiment@4294967296", "sentiment@a@b", "Sentiment"] {
        assert!(wrong.parse::<ModelReference>().is_err(), "{wrong}");
    }

    let disabled = given::<Model>(after([promoted(1, None), disabled()])).state;
    assert_eq!(disabled.resolve(&VersionReference::Promoted, Some("key")), Err(ModelRefusal::Disabled));
    assert_eq!(Model::default().resolve(&VersionReference::Promoted, Some("key")), Err(ModelRefusal::NotFound));
}

#[test]
fn a_trial_answers_its_part_of_the_keys_and_the_same_keys_each_time() {
    let tried = |percent, shadow| {
        let started = trial(2, percent, shadow);
        given::<Model>(after([promoted(1, None), started])).state
    };
    let taken = |model: &Model| -> Vec<u32> {
        let of = |key: u32| model.resolve(&VersionReference::Promoted, Some(&format!("key {key}"))).unwrap().version;
        (0..10_000).filter(|key| of(*key) == 2).collect()
    };
    let (ten, thirty) = (taken(&tried(10, false)), taken(&tried(30, false)));
    assert!((800..1_200).contains(&ten.len()), "{} of 10,000 fell to 10 %", ten.len());
    assert!((2_700..3_300).contains(&thirty.len()), "{} of 10,000 fell to 30 %", thirty.len());
    assert!(ten.iter().all(|key| thirty.contains(key)), "who was taken stays taken when the part grows");
    assert_eq!(taken(&tried(100, true)), Vec::<u32>::new(), "a shadow answers nobody");
    let without = tried(99, false).resolve(&VersionReference::Promoted, None).unwrap().version;
    assert_eq!(without, 1, "who has no key is not part of a trial");
}

#[test]
fn settings_that_nothing_can_be_run_with_are_refused() {
    let configure = |settings| ModelCommand::Configure { settings };
    let usual = ModelSettings::default;
    let changed = ModelSettings { gpu: Gpu::Required, recording: Recording::Sampled { one_in: 100 }, ..usual() };
    let configured = ModelEvent::ModelConfigured { settings: Box::new(changed.clone()) };
    given::<Model>([registered()]).when(configure(changed)).then([configured]);
    given::<Model>([registered()]).when(configure(usual())).changes_nothing();
    let wrong = [
        ("queueMax", ModelSettings { queue_max: 0, ..usual() }),
        ("instancesMax", ModelSettings { instances_max: Some(0), ..usual() }),
        ("instancesMin", ModelSettings { instances_min: 3, instances_max: Some(2), ..usual() }),
        ("threads", ModelSettings { threads: Some(1_000), ..usual() }),
        ("rowsMax", ModelSettings { rows_max: Some(0), ..usual() }),
        ("queueDelayUs", ModelSettings { queue_delay_us: 1_000_001, ..usual() }),
        ("timeoutMs", ModelSettings { timeout_ms: 0, ..usual() }),
        ("oneIn", ModelSettings { recording: Recording::Sampled { one_in: 0 }, ..usual() }),
    ];
    for (field, settings) in wrong {
        match Model::decide(&given::<Model>([registered()]).state, &configure(settings)) {
            Err(ModelRefusal::InvalidSettings(why)) => assert_eq!(why.field, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn workers_keep_what_was_asked_for_and_nothing_that_was_withdrawn() {
    let load = |version| ModelCommand::Load { version };
    let asked = ModelEvent::ModelLoadRequested { version: 1 };
    given::<Model>(with_two()).when(load(1)).then([asked.clone()]);
    given::<Model>(after([asked.clone()])).when(load(1)).changes_nothing();
    given::<Model>(with_two()).when(load(9)).refused(ModelRefusal::UnknownVersion(9));
    let unload = ModelCommand::Unload { version: 1 };
    given::<Model>(after([asked.clone()])).when(unload.clone()).then([ModelEvent::ModelUnloadRequested { version: 1 }]);
    given::<Model>(with_two()).when(unload).changes_nothing();
    let withdrawn = ModelEvent::ModelVersionWithdrawn { version: 1, reason: "wrong labels".to_owned() };
    assert!(given::<Model>(after([asked, withdrawn])).state.kept_loaded.is_empty());
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
    for command in [add("a"), promote(1), ModelCommand::Enable, disable()] {
        given::<Model>([registered(), retired.clone()]).when(command).refused(ModelRefusal::Retired);
    }
}

#[test]
fn a_model_that_never_was_takes_no_changes() {
    for command in [add("a"), promote(1), ModelCommand::Enable, disable(), ModelCommand::Retire] {
        given::<Model>([]).when(command).refused(ModelRefusal::NotFound);
    }
}
