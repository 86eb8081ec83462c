//! Rules of the DriftWatch aggregate, and what is made of two sets of inferences.

use timeloom_domain::drift::{
    DriftBaseline, DriftBounds, DriftFinding, DriftStatistic, DriftTarget, DriftVerdict, DriftWatch, DriftWatchCommand,
    DriftWatchEvent, DriftWatchRefusal, DriftWatchSettings, FINDINGS_MAX, JudgedWindow, Profile, SampleCounts, Side,
    WindowJudgement, compare,
};
use timeloom_domain::event::Aggregate as _;
use timeloom_domain::inference::{InferenceRequest, Tensor};

use crate::given::given;
use crate::samples::slug;

fn settings() -> Box<DriftWatchSettings> {
    Box::new(DriftWatchSettings {
        target: DriftTarget { model: slug("mood"), version: None, alias: None },
        baseline: DriftBaseline::Newest { count: 100 },
        window: 50,
        bounds: DriftBounds::default(),
        at_ms: 1,
    })
}

fn window(number: u32) -> JudgedWindow {
    let counts = SampleCounts { inferences: 50, not_kept: 0, erased: 0 };
    JudgedWindow { number, counts, after: 10, up_to: 60, from_ms: 2, until_ms: 3 }
}

fn judgement(watch: u32, number: u32) -> Box<WindowJudgement> {
    let window = window(number);
    Box::new(WindowJudgement { watch, window, stable: 2, moderate: 0, drifted: 1, too_few: 0, worst: None, at_ms: 4 })
}

fn finding(watch: u32, number: u32) -> DriftFinding {
    DriftFinding {
        watch,
        feature: "inputs.age".to_owned(),
        statistic: DriftStatistic::Psi,
        value: 0.5,
        bound: 0.25,
        p_value: 0.001,
        p_bound: 0.025,
        window: window(number),
        observations: 50,
        baseline: SampleCounts { inferences: 100, not_kept: 0, erased: 0 },
        baseline_observations: 100,
        at_ms: 4,
    }
}

fn judge(watch: u32, number: u32) -> DriftWatchCommand {
    DriftWatchCommand::Judge { judgement: judgement(watch, number), findings: vec![finding(watch, number)] }
}

#[test]
fn a_watch_runs_until_it_is_stopped_and_may_be_started_again() {
    let started = || DriftWatchEvent::DriftWatchStarted(settings());
    let stopped = || DriftWatchEvent::DriftWatchStopped { at_ms: 9 };
    let stop = || DriftWatchCommand::Stop { at_ms: 9 };
    given::<DriftWatch>([]).when(DriftWatchCommand::Start(settings())).then([started()]);
    given::<DriftWatch>([started()]).when(DriftWatchCommand::Start(settings())).refused(DriftWatchRefusal::Running);
    given::<DriftWatch>([]).when(stop()).refused(DriftWatchRefusal::NotFound);
    given::<DriftWatch>([started()]).when(stop()).then([stopped()]);
    given::<DriftWatch>([started(), stopped()]).when(stop()).changes_nothing();
    given::<DriftWatch>([started(), stopped()]).when(DriftWatchCommand::Start(settings())).then([started()]);
}

#[test]
fn a_watch_is_replaced_by_another_one_that_begins_anew() {
    let started = || DriftWatchEvent::DriftWatchStarted(settings());
    let larger = || Box::new(DriftWatchSettings { window: 60, at_ms: 9, ..*settings() });
    let replaced = || DriftWatchEvent::DriftWatchStarted(larger());
    let stopped = || DriftWatchEvent::DriftWatchStopped { at_ms: 9 };
    let replace = || DriftWatchCommand::Replace(larger());
    given::<DriftWatch>([started()]).when(replace()).then([stopped(), replaced()]);
    given::<DriftWatch>([]).when(replace()).then([replaced()]);
    given::<DriftWatch>([started(), stopped()]).when(replace()).then([replaced()]);
    let small = Box::new(DriftWatchSettings { window: 19, ..*settings() });
    given::<DriftWatch>([started()]).when(DriftWatchCommand::Replace(small)).refused(DriftWatchRefusal::Window);
    // What the first one comes to late is not said of the second.
    given::<DriftWatch>([started(), stopped(), replaced()]).when(judge(1, 1)).changes_nothing();
}

#[test]
fn a_window_is_judged_once_and_only_by_the_watch_that_is_under_way() {
    let started = || DriftWatchEvent::DriftWatchStarted(settings());
    let found = || DriftWatchEvent::DriftDetected(Box::new(finding(1, 1)));
    let judged = || DriftWatchEvent::DriftWindowJudged(judgement(1, 1));
    given::<DriftWatch>([]).when(judge(1, 1)).refused(DriftWatchRefusal::NotFound);
    given::<DriftWatch>([started()]).when(judge(1, 1)).then([found(), judged()]);
    given::<DriftWatch>([started(), found(), judged()]).when(judge(1, 1)).changes_nothing();
    given::<DriftWatch>([started()]).when(judge(1, 2)).changes_nothing();
    let stopped = DriftWatchEvent::DriftWatchStopped { at_ms: 9 };
    given::<DriftWatch>([started(), stopped.clone()]).when(judge(1, 1)).changes_nothing();
    // What the first watch comes to late is not said of the second.
    given::<DriftWatch>([started(), stopped, started()]).when(judge(1, 1)).changes_nothing();
}

#[test]
fn a_watch_that_cannot_come_to_a_judgement_is_refused() {
    let refused = |settings: DriftWatchSettings, why| {
        given::<DriftWatch>([]).when(DriftWatchCommand::Start(Box::new(settings))).refused(why);
    };
    refused(DriftWatchSettings { window: 19, ..*settings() }, DriftWatchRefusal::Window);
    refused(DriftWatchSettings { window: 2_001, ..*settings() }, DriftWatchRefusal::Window);
    let baseline = DriftBaseline::Newest { count: 19 };
    refused(DriftWatchSettings { baseline, ..*settings() }, DriftWatchRefusal::Baseline);
    let baseline = DriftBaseline::Answered { from_ms: 5, until_ms: 5 };
    refused(DriftWatchSettings { baseline, ..*settings() }, DriftWatchRefusal::NoTime);
    for (moderate, drifted, p) in [(0.0, 0.2, 0.05), (0.3, 0.2, 0.05), (0.1, f64::NAN, 0.05), (0.1, 0.2, 0.0)] {
        let bounds = DriftBounds { moderate, drifted, p };
        refused(DriftWatchSettings { bounds, ..*settings() }, DriftWatchRefusal::Bounds);
    }
}

#[test]
fn a_watch_keeps_a_bounded_number_of_findings_the_newest() {
    let mut watch = DriftWatch::default();
    watch.apply(&DriftWatchEvent::DriftWatchStarted(settings()));
    for number in 1..=200 {
        watch.apply(&DriftWatchEvent::DriftDetected(Box::new(finding(1, number))));
    }
    let numbers: Vec<u32> = watch.findings.iter().map(|finding| finding.window.number).collect();
    assert_eq!((numbers.len(), numbers.last()), (FINDINGS_MAX, Some(&200)));
}

#[test]
fn copies_other_versions_and_other_aliases_are_not_meant() {
    let request = |version: u32, asked: &str| InferenceRequest {
        model: slug("mood"),
        asked: asked.to_owned(),
        version,
        arm: None,
        digest: String::new(),
        inputs: Vec::new(),
        workflow: None,
        execution: None,
        node: None,
        agent: None,
        key: None,
        shadow_of: None,
        at_ms: 1,
        deadline_ms: 2,
    };
    let target = |version, alias| DriftTarget { model: slug("mood"), version, alias };
    assert!(target(None, None).takes(&request(1, "mood")));
    assert!(target(Some(1), None).takes(&request(1, "mood@prod")));
    assert!(!target(Some(2), None).takes(&request(1, "mood")));
    assert!(target(None, Some(slug("prod"))).takes(&request(1, "mood@prod")));
    assert!(!target(None, Some(slug("prod"))).takes(&request(1, "mood")));
    assert!(!DriftTarget { model: slug("other"), version: None, alias: None }.takes(&request(1, "mood")));
    let copy = InferenceRequest {
        shadow_of: Some(timeloom_domain::ids::InferenceId(uuid::Uuid::from_u128(1))),
        ..request(1, "mood")
    };
    assert!(!target(None, None).takes(&copy));
}

/// What inferences show whose input is a number and whose output two scores.
fn profile(numbers: impl IntoIterator<Item = f32>) -> Profile {
    let mut profile = Profile::default();
    for number in numbers {
        profile.counts.inferences += 1;
        profile.take(Side::Input, "age", &Tensor::of_f32(vec![1, 1], &[number]).unwrap());
        let scores = if number < 50.0 { [0.9, 0.1] } else { [0.1, 0.9] };
        profile.take(Side::Output, "scores", &Tensor::of_f32(vec![1, 2], &scores).unwrap());
    }
    profile
}

/// Whole numbers that go round in a range, none of them next to the one before.
fn spread(count: u16, from: u16, to: u16) -> impl Iterator<Item = f32> {
    (0..count).map(move |at| f32::from(from + at * 37 % (to - from)))
}

#[test]
fn the_same_distribution_is_stable_and_another_one_drifts_in_what_goes_in_and_what_comes_out() {
    let baseline = profile(spread(200, 0, 100));
    let same = compare(&baseline, &profile(spread(100, 0, 100)), &DriftBounds::default());
    assert_eq!(same.count(DriftVerdict::Stable), u32::try_from(same.features.len()).unwrap(), "{same:#?}");

    let older = compare(&baseline, &profile(spread(100, 60, 100)), &DriftBounds::default());
    let of = |feature: &str| older.features.iter().find(|known| known.feature == feature).unwrap();
    assert_eq!(of("inputs.age").verdict, DriftVerdict::Drifted);
    assert_eq!(of("outputs.scores.class").verdict, DriftVerdict::Drifted);
    assert_eq!(older.features[0].verdict, DriftVerdict::Drifted, "what moved most comes first");
    let (judgement, findings) = older.judgement(3, &window(7), &DriftBounds::default(), 5);
    assert_eq!((judgement.watch, judgement.window.number, judgement.drifted as usize), (3, 7, findings.len()));
    let age = findings.iter().find(|finding| finding.feature == "inputs.age").unwrap();
    assert!(age.value >= age.bound && age.p_value < age.p_bound, "{age:?}");
    assert_eq!((age.observations, age.baseline_observations), (100, 200));
}

#[test]
fn too_little_is_not_judged_and_a_number_that_goes_missing_is() {
    let baseline = profile(spread(200, 0, 100));
    let few = compare(&baseline, &profile(spread(19, 90, 100)), &DriftBounds::default());
    assert_eq!(few.count(DriftVerdict::TooFew), u32::try_from(few.features.len()).unwrap());

    let gone = spread(100, 0, 100).enumerate().map(|(at, number)| if at % 2 == 0 { f32::NAN } else { number });
    let report = compare(&baseline, &profile(gone), &DriftBounds::default());
    let age = report.features.iter().find(|known| known.feature == "inputs.age").unwrap();
    assert_eq!((age.window.missing, age.verdict), (50, DriftVerdict::Drifted));
    assert_eq!(age.worst().unwrap().0, DriftStatistic::MissingPsi);
}

#[test]
fn a_few_observations_that_differ_by_chance_are_no_drift() {
    // Gathered in every other tenth: the index of so few is far above the bound, and chance brings that often.
    let baseline = profile(spread(20, 0, 100));
    let gathered = (0..20).map(|at| [5.0, 25.0, 45.0, 65.0, 85.0][at % 5]);
    let report = compare(&baseline, &profile(gathered), &DriftBounds::default());
    let age = report.features.iter().find(|known| known.feature == "inputs.age").unwrap();
    assert!(age.value.unwrap().psi > 0.25, "{age:?}");
    assert_eq!(report.count(DriftVerdict::Drifted), 0, "{report:#?}");
}
