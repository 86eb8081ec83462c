//! Trials of versions: whose requests they take, how they are counted, and when their guard ends them.

use timeloom_domain::ids::{InferenceId, ModelLoadId};
use timeloom_domain::inference::{
    FailureClass, InferenceAnswer, InferenceEvent, InferenceRequest, OutputComparison, Provider,
};
use timeloom_domain::model::{
    GuardMetric, InvalidGuard, Model, ModelCommand, ModelEvent, ModelReference, ModelRefusal, ModelSettings, Recording,
    Rollout, RolloutArm, RolloutCount, RolloutFigures, RolloutGuard, percentile,
};
use uuid::Uuid;

use crate::given::given;
use crate::samples::slug;

fn added(version: u32) -> ModelEvent {
    let digest = format!("{version:064x}");
    ModelEvent::ModelVersionAdded { version, format: "onnx".to_owned(), digest, file: None }
}

/// A model with three versions: the first is promoted, the second is called prod.
fn served() -> Vec<ModelEvent> {
    vec![
        ModelEvent::ModelRegistered { name: slug("mood"), description: String::new() },
        added(1),
        added(2),
        added(3),
        ModelEvent::ModelPromoted { version: 1, from: None, reason: None },
        ModelEvent::ModelAliasSet { alias: slug("prod"), version: 2, from: None, reason: None },
    ]
}

fn guard(metric: GuardMetric, bound: u64, fewest: u32) -> RolloutGuard {
    RolloutGuard { metric, bound, fewest, tolerance: None }
}

fn started(shadow: bool, alias: Option<&str>, guard: Option<RolloutGuard>) -> ModelEvent {
    ModelEvent::ModelRolloutStarted { version: 3, percent: 50, shadow, alias: alias.map(slug), guard }
}

fn start(shadow: bool, alias: Option<&str>, guard: Option<RolloutGuard>) -> ModelCommand {
    ModelCommand::StartRollout { version: 3, percent: 50, shadow, alias: alias.map(slug), guard }
}

fn with(more: ModelEvent) -> Vec<ModelEvent> {
    served().into_iter().chain([more]).collect()
}

#[test]
fn a_trial_on_an_alias_takes_requests_of_that_alias_alone_and_tells_the_side() {
    let model = given::<Model>(with(started(false, Some("prod"), None))).state;
    let resolve = |name: &str, key: Option<&str>| {
        let reference: ModelReference = name.parse().unwrap();
        let (version, arm) = model.resolve_arm(&reference.version, key).unwrap();
        (version.version, arm)
    };
    let of = |name: &str| (0..100).map(|key| resolve(name, Some(&format!("key {key}")))).collect::<Vec<_>>();
    let prod = of("mood@prod");
    assert!(prod.contains(&(3, Some(RolloutArm::Candidate))) && prod.contains(&(2, Some(RolloutArm::Stable))));
    assert_eq!(prod, of("mood@prod"), "the same key falls to the same side each time");
    assert!(of("mood").iter().all(|answered| *answered == (1, None)));
    assert!(of("mood@3").iter().all(|answered| *answered == (3, None)));
    assert_eq!(resolve("mood@prod", None), (2, None));
}

#[test]
fn a_trial_on_an_alias_needs_one_that_names_another_version_and_keeps_it_as_it_is() {
    given::<Model>(served()).when(start(false, Some("prod"), None)).then([started(false, Some("prod"), None)]);
    given::<Model>(served()).when(start(false, Some("next"), None)).refused(ModelRefusal::UnknownAlias(slug("next")));
    let same =
        ModelCommand::StartRollout { version: 2, percent: 50, shadow: false, alias: Some(slug("prod")), guard: None };
    given::<Model>(served()).when(same).refused(ModelRefusal::AliasNamesIt(slug("prod"), 2));
    let under_way = || with(started(false, Some("prod"), None));
    let set = ModelCommand::SetAlias { alias: slug("prod"), version: 1, reason: None };
    given::<Model>(under_way()).when(set).refused(ModelRefusal::RolloutUnderWay(3));
    let remove = ModelCommand::RemoveAlias { alias: slug("prod") };
    given::<Model>(under_way()).when(remove).refused(ModelRefusal::RolloutUnderWay(3));
    let reason = || "it is better".to_owned();
    given::<Model>(under_way()).when(ModelCommand::EndRollout { promote: true, reason: reason() }).then([
        ModelEvent::ModelRolloutEnded { promoted: true, reason: reason(), figures: None },
        ModelEvent::ModelAliasSet { alias: slug("prod"), version: 3, from: Some(2), reason: Some(reason()) },
    ]);
}

#[test]
fn a_guard_that_cannot_watch_is_refused() {
    let refused = |shadow, guard, why| {
        given::<Model>(served()).when(start(shadow, None, Some(guard))).refused(ModelRefusal::InvalidGuard(why));
    };
    refused(false, guard(GuardMetric::ErrorRate, 0, 10), InvalidGuard::Rate);
    refused(false, guard(GuardMetric::ErrorRate, 1_000_000, 10), InvalidGuard::Rate);
    refused(false, guard(GuardMetric::LatencyP95, 0, 10), InvalidGuard::Latency);
    refused(false, guard(GuardMetric::ErrorRate, 50_000, 0), InvalidGuard::Fewest);
    refused(false, guard(GuardMetric::Disagreement, 50_000, 10), InvalidGuard::NoShadow);
    let odd = RolloutGuard { tolerance: Some(1), ..guard(GuardMetric::ErrorRate, 50_000, 10) };
    refused(false, odd, InvalidGuard::Tolerance);

    let recording = Recording::Sampled { one_in: 10 };
    let sampled = ModelSettings { recording, ..ModelSettings::default() };
    let configured = with(ModelEvent::ModelConfigured { settings: Box::new(sampled.clone()) });
    let good = || Some(guard(GuardMetric::ErrorRate, 50_000, 10));
    let why = || ModelRefusal::InvalidGuard(InvalidGuard::Sampled);
    given::<Model>(configured).when(start(false, None, good())).refused(why());
    let under_way = with(started(false, None, good()));
    given::<Model>(under_way).when(ModelCommand::Configure { settings: sampled }).refused(why());
}

#[test]
fn a_guard_ends_the_trial_of_its_version_once_with_the_figures() {
    let figures = RolloutFigures { compared: 7, ..RolloutFigures::default() };
    let broken =
        |version| ModelCommand::GuardRollout { version, reason: "too slow".to_owned(), figures: Box::new(figures) };
    let under_way = || with(started(false, None, Some(guard(GuardMetric::LatencyP95, 1_000, 10))));
    let ended = ModelEvent::ModelRolloutEnded {
        promoted: false,
        reason: "too slow".to_owned(),
        figures: Some(Box::new(figures)),
    };
    given::<Model>(under_way()).when(broken(3)).then([ended]);
    given::<Model>(under_way()).when(broken(2)).changes_nothing();
    given::<Model>(served()).when(broken(3)).changes_nothing();
}

fn inference(number: u128) -> InferenceId {
    InferenceId(Uuid::from_u128(number))
}

fn request(version: u32, arm: Option<RolloutArm>) -> Box<InferenceRequest> {
    Box::new(InferenceRequest {
        model: slug("mood"),
        asked: "mood".to_owned(),
        version,
        arm,
        digest: "a".repeat(64),
        inputs: Vec::new(),
        workflow: None,
        execution: None,
        node: None,
        agent: None,
        key: None,
        shadow_of: None,
        at_ms: 0,
        deadline_ms: 30_000,
    })
}

fn completed(number: u128, request: Option<Box<InferenceRequest>>, latency_us: u64) -> InferenceEvent {
    compared(number, request, latency_us, None)
}

fn compared(
    number: u128,
    request: Option<Box<InferenceRequest>>,
    latency_us: u64,
    compared: Option<OutputComparison>,
) -> InferenceEvent {
    let answer = InferenceAnswer {
        outputs: Vec::new(),
        provider: Provider::Cpu,
        load: ModelLoadId(Uuid::from_u128(1)),
        queue_us: 0,
        compute_us: latency_us,
        batch_rows: 1,
        bucket: 1,
        fingerprint: "f".repeat(64),
        compared,
    };
    InferenceEvent::InferenceCompleted { inference: inference(number), request, answer: Box::new(answer) }
}

fn failed(number: u128, request: Box<InferenceRequest>) -> InferenceEvent {
    let (class, reason) = (FailureClass::Runtime, "it broke".to_owned());
    InferenceEvent::InferenceFailed { inference: inference(number), request: Some(request), class, reason }
}

fn counted(shadow: bool, guard: &RolloutGuard, events: impl IntoIterator<Item = InferenceEvent>) -> RolloutFigures {
    let rollout = Rollout { version: 3, percent: 50, shadow, alias: None, guard: Some(guard.clone()) };
    let mut count = RolloutCount::new(slug("mood"), &rollout);
    events.into_iter().for_each(|event| count.take(&event));
    count.figures(99)
}

#[test]
fn each_side_of_a_trial_is_counted_and_what_is_of_no_side_is_not() {
    let guard = guard(GuardMetric::ErrorRate, 200_000, 4);
    let (candidate, stable) = (Some(RolloutArm::Candidate), Some(RolloutArm::Stable));
    let figures = counted(
        false,
        &guard,
        [
            completed(1, Some(request(3, candidate)), 100),
            completed(2, Some(request(3, candidate)), 300),
            failed(3, request(3, candidate)),
            // Of an earlier trial.
            failed(4, request(2, candidate)),
            // Who named the version.
            failed(5, request(3, None)),
            completed(6, Some(request(1, stable)), 50),
            // Where every step is an event of its own.
            InferenceEvent::InferenceRequested { inference: inference(7), request: request(3, candidate) },
            completed(7, None, 200),
            completed(8, None, 9_999),
        ],
    );
    assert_eq!((figures.candidate.answered, figures.candidate.failed, figures.up_to), (3, 1, 99));
    assert_eq!((figures.candidate.latency_p95_us, figures.stable.answered), (Some(300), 1));
    assert_eq!(figures.candidate.error_rate(), 250_000);
    assert_eq!(guard.broken_by(&figures).as_deref(), Some("25 % of 4 inferences failed, above 20 %"));
    let patient = RolloutGuard { fewest: 5, ..guard.clone() };
    assert_eq!(patient.broken_by(&figures), None, "too few were counted");
    let lenient = RolloutGuard { bound: 250_000, ..guard };
    assert_eq!(lenient.broken_by(&figures), None, "what is at the bound is not above it");
}

#[test]
fn copies_disagree_by_their_class_or_by_a_tolerance() {
    let apart = |apart, class_changed| Some(OutputComparison { same: false, apart: Some(apart), class_changed });
    let copy = || Some(request(3, Some(RolloutArm::Shadow)));
    let events = || {
        [
            compared(1, copy(), 10, Some(OutputComparison { same: true, apart: Some(0.0), class_changed: false })),
            compared(2, copy(), 10, apart(0.01, false)),
            compared(3, copy(), 10, apart(0.2, false)),
            compared(4, copy(), 10, apart(0.3, true)),
        ]
    };
    let by_class = guard(GuardMetric::Disagreement, 100_000, 4);
    let figures = counted(true, &by_class, events());
    assert_eq!((figures.compared, figures.disagreed), (4, 1));
    assert_eq!(by_class.broken_by(&figures).as_deref(), Some("25 % of 4 answers are others, above 10 %"));
    let by_distance = RolloutGuard { tolerance: Some(100_000), ..by_class };
    assert_eq!(counted(true, &by_distance, events()).disagreed, 2);
}

#[test]
fn a_slow_version_is_told_by_the_time_of_most_of_its_answers() {
    let guard = guard(GuardMetric::LatencyP95, 1_000, 20);
    let of = |slow: u128| {
        let latency = |number| if number < slow { 5_000 } else { 500 };
        let events =
            (0..20).map(|number| completed(number, Some(request(3, Some(RolloutArm::Candidate))), latency(number)));
        counted(false, &guard, events)
    };
    assert_eq!(guard.broken_by(&of(1)), None, "one of twenty may be slow");
    assert_eq!(guard.broken_by(&of(2)).as_deref(), Some("95 of 100 of 20 inferences took 5000 us, above 1000 us"));
    assert_eq!(percentile([3, 1, 2], 50), Some(2));
    assert_eq!(percentile([], 50), None);
}
