//! Drift over GraphQL: recorded inferences compared with others, and watches started, refused, told and stopped. Nothing here
//! judges for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use timeloom_domain::drift::{
    DriftFinding, DriftStatistic, DriftWatchEvent, FeaturePsi, JudgedWindow, SampleCounts, WindowJudgement,
};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{InferenceId, InferenceWorkerId, ModelLoadId, Slug};
use timeloom_domain::inference::{
    ElementType, InferenceAnswer, InferenceEvent, InferenceRequest, Provider, TensorContent, TensorRecord,
};
use timeloom_store::StreamKey;
use uuid::Uuid;

use crate::support::{TENANT, TestServer, tell};

const WORKER: InferenceWorkerId = InferenceWorkerId(Uuid::from_u128(0x3101));

/// A model with a version.
async fn with_model() -> TestServer {
    let server = TestServer::start();
    let register = "mutation { registerModel(input: {name: \"mood\", description: \"\"}) { errors { code } } }";
    server.data(register, json!({})).await;
    let add = "mutation($input: AddModelVersionInput!) { addModelVersion(input: $input) { model { name } } }";
    let input = json!({ "name": "mood", "format": "onnx", "digest": "a".repeat(64) });
    let added = server.data(add, json!({ "input": input })).await;
    assert_eq!(added["addModelVersion"]["model"]["name"], json!("mood"), "reads show it");
    server
}

fn tensor(name: &str, number: Option<f32>) -> TensorRecord {
    let content =
        number.map_or(TensorContent::Omitted, |number| TensorContent::Inline(STANDARD.encode(number.to_le_bytes())));
    TensorRecord {
        name: name.to_owned(),
        element: ElementType::F32,
        shape: vec![1, 1],
        digest: "d".repeat(64),
        content,
    }
}

/// An inference whose input is a number, or was not kept.
fn answered(number: u128, input: Option<f32>, version: u32) -> InferenceEvent {
    let request = Box::new(InferenceRequest {
        model: Slug::try_new("mood").unwrap(),
        asked: "mood".to_owned(),
        version,
        arm: None,
        digest: "a".repeat(64),
        inputs: vec![tensor("age", input)],
        workflow: None,
        execution: None,
        node: None,
        agent: None,
        key: None,
        shadow_of: None,
        at_ms: 1_700_000_000_000,
        deadline_ms: 1_700_000_030_000,
    });
    let answer = Box::new(InferenceAnswer {
        outputs: vec![tensor("score", Some(0.5))],
        provider: Provider::Cpu,
        load: ModelLoadId(Uuid::from_u128(0x10AE)),
        queue_us: 1,
        compute_us: 1,
        batch_rows: 1,
        bucket: 1,
        fingerprint: "f".repeat(64),
        compared: None,
    });
    let inference = InferenceId(Uuid::from_u128(0x2F00 + number));
    InferenceEvent::InferenceCompleted { inference, request: Some(request), answer }
}

/// Tells of so many inferences, whose inputs go up from a number by one each.
async fn ask(server: &TestServer, first: u128, count: u16, from: f32) {
    let events: Vec<_> = (0..count).map(|at| answered(first + u128::from(at), Some(from + f32::from(at)), 1)).collect();
    let stream = StreamKey::new(TENANT, InferenceEvent::CATEGORY, WORKER.to_string());
    tell(&server.log, &stream, &events).await;
}

const REPORT: &str = "query($last: Int!, $version: Int) { modelDrift(name: \"mood\", last: $last, version: $version) {
    modelName version verdict hasMoreFeatures baseline { inferences notKept erased } window { inferences notKept erased }
    features { feature kind verdict value { psi pValue verdict } baseline { observations mean } window { observations mean } } } }";

fn feature<'a>(report: &'a Value, name: &str) -> &'a Value {
    let features = report["features"].as_array().unwrap();
    features.iter().find(|known| known["feature"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

#[tokio::test]
async fn what_moved_is_told_with_how_far_and_what_did_not_is_stable() {
    let server = with_model().await;
    ask(&server, 0, 40, 0.0).await;
    ask(&server, 100, 40, 0.0).await;
    let same = server.data(REPORT, json!({ "last": 40 })).await["modelDrift"].clone();
    assert_eq!(same["verdict"], json!("STABLE"), "{same}");
    assert_eq!(same["baseline"], json!({ "inferences": 40, "notKept": 0, "erased": 0 }));

    ask(&server, 200, 40, 1_000.0).await;
    let moved = server.data(REPORT, json!({ "last": 40 })).await["modelDrift"].clone();
    assert_eq!(moved["verdict"], json!("DRIFTED"), "{moved}");
    let age = feature(&moved, "inputs.age");
    assert_eq!((&age["kind"], &age["verdict"]), (&json!("NUMBER"), &json!("DRIFTED")));
    assert_eq!((&age["baseline"]["mean"], &age["window"]["mean"]), (&json!(19.5), &json!(1_019.5)));
    assert_eq!(feature(&moved, "outputs.score")["verdict"], json!("STABLE"));
    assert_eq!(moved["features"][0]["feature"], json!("inputs.age"), "what moved most comes first");
}

#[tokio::test]
async fn what_was_not_kept_is_counted_and_too_little_is_not_judged() {
    let server = with_model().await;
    ask(&server, 0, 40, 0.0).await;
    let stream = StreamKey::new(TENANT, InferenceEvent::CATEGORY, WORKER.to_string());
    let without: Vec<_> = (0..40).map(|at| answered(300 + at, None, 1)).collect();
    tell(&server.log, &stream, &without).await;
    let report = server.data(REPORT, json!({ "last": 40 })).await["modelDrift"].clone();
    assert_eq!(report["window"], json!({ "inferences": 40, "notKept": 40, "erased": 0 }));
    assert_eq!(feature(&report, "inputs.age")["verdict"], json!("TOO_FEW"), "{report}");
    let other = server.data(REPORT, json!({ "last": 40, "version": 2 })).await["modelDrift"].clone();
    assert_eq!((&other["verdict"], &other["window"]["inferences"]), (&json!("TOO_FEW"), &json!(0)));
    let none = server.data("{ modelDrift(name: \"nothing\") { verdict } }", json!({})).await;
    assert_eq!(none["modelDrift"], Value::Null);
}

#[tokio::test]
async fn a_comparison_that_makes_no_sense_is_refused_in_words() {
    let server = with_model().await;
    let day = "{from: \"2026-03-01T00:00:00Z\", until: \"2026-03-02T00:00:00Z\"}";
    let backwards = "{from: \"2026-03-02T00:00:00Z\", until: \"2026-03-01T00:00:00Z\"}";
    for (arguments, why) in [
        ("last: 5".to_owned(), "20 to 1000"),
        (format!("baseline: {day}"), "needs both"),
        (format!("baseline: {backwards}, window: {day}"), "earlier beginning"),
        ("bounds: {moderate: 0.5, drifted: 0.2}".to_owned(), "bounds are above 0"),
    ] {
        let query = format!("{{ modelDrift(name: \"mood\", {arguments}) {{ verdict }} }}");
        let refused = server.ask(&query, json!({})).await;
        let error = &refused["errors"][0];
        assert_eq!(error["extensions"]["code"], json!("BAD_USER_INPUT"), "{refused}");
        assert!(error["message"].as_str().unwrap().contains(why), "{refused}");
    }
}

async fn start(server: &TestServer, input: Value) -> Value {
    let query = "mutation($input: StartDriftWatchInput!) { startDriftWatch(input: $input) {
        name position errors { code message } } }";
    server.data(query, json!({ "input": input })).await["startDriftWatch"].clone()
}

#[tokio::test]
async fn a_watch_needs_a_model_and_a_baseline_that_was_kept() {
    let server = with_model().await;
    let code = |payload: &Value| payload["errors"][0]["code"].clone();
    let input = |more: Value| {
        let mut input = json!({ "name": "mood", "baselineNewest": 20, "window": 20 });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let nothing = start(&server, input(json!({}))).await;
    assert_eq!(code(&nothing), json!("BASELINE_TOO_SMALL"), "{nothing}");
    assert!(nothing["errors"][0]["message"].as_str().unwrap().contains("has 0 inferences"), "{nothing}");
    ask(&server, 0, 40, 0.0).await;
    assert_eq!(code(&start(&server, input(json!({ "name": "nothing" }))).await), json!("MODEL_NOT_FOUND"));
    assert_eq!(code(&start(&server, input(json!({ "window": 19 }))).await), json!("WINDOW_OUT_OF_RANGE"));
    assert_eq!(code(&start(&server, input(json!({ "baselineNewest": 2_001 }))).await), json!("BASELINE_OUT_OF_RANGE"));
    assert_eq!(code(&start(&server, input(json!({ "name": "No Name" }))).await), json!("INVALID_NAME"));
    let started = start(&server, input(json!({}))).await;
    assert_eq!((&started["name"], &started["errors"]), (&json!("mood"), &json!([])), "{started}");
    assert_eq!(code(&start(&server, input(json!({}))).await), json!("DRIFT_WATCH_RUNNING"));

    // In the place of the one that runs, which goes on where the other one is refused.
    let refused = start(&server, input(json!({ "replace": true, "window": 19 }))).await;
    assert_eq!(code(&refused), json!("WINDOW_OUT_OF_RANGE"));
    let running = "{ model(name: \"mood\") { driftWatch { running window } } }";
    let shown = async || server.data(running, json!({})).await["model"]["driftWatch"].clone();
    assert_eq!(shown().await, json!({ "running": true, "window": 20 }));
    let replaced = start(&server, input(json!({ "replace": true, "window": 30 }))).await;
    assert_eq!(replaced["errors"], json!([]), "{replaced}");
    assert_eq!(shown().await, json!({ "running": true, "window": 30 }));
}

#[tokio::test]
async fn a_watch_tells_how_it_is_set_what_it_judged_and_what_it_found_as_of_any_moment() {
    let server = with_model().await;
    let watch = "query($asOf: AsOf) { model(name: \"mood\", asOf: $asOf) { driftWatch {
        running version window judged stoppedAt baseline { newest from } bounds { moderate drifted p }
        last { drifted worstFeature window { number upTo } } findings { feature statistic value window { number } } } } }";
    let of = async |as_of: Value| server.data(watch, json!({ "asOf": as_of })).await["model"]["driftWatch"].clone();
    assert_eq!(of(Value::Null).await, Value::Null);
    ask(&server, 0, 40, 0.0).await;
    let started = start(&server, json!({ "name": "mood", "version": 1, "baselineNewest": 40, "window": 30 })).await;
    let shown = of(Value::Null).await;
    assert_eq!((&shown["running"], &shown["version"], &shown["window"]), (&json!(true), &json!(1), &json!(30)));
    assert_eq!(shown["baseline"], json!({ "newest": 40, "from": null }));
    assert_eq!(shown["bounds"], json!({ "moderate": 0.1, "drifted": 0.25, "p": 0.05 }));
    assert_eq!((&shown["judged"], &shown["last"], &shown["findings"]), (&json!(0), &Value::Null, &json!([])));

    let counts = SampleCounts { inferences: 30, not_kept: 0, erased: 0 };
    let window = JudgedWindow { number: 1, counts, after: 50, up_to: 80, from_ms: 1, until_ms: 2 };
    let finding = DriftFinding {
        watch: 1,
        feature: "inputs.age".to_owned(),
        statistic: DriftStatistic::Psi,
        value: 0.5,
        bound: 0.25,
        p_value: 0.001,
        p_bound: 0.025,
        window: window.clone(),
        observations: 30,
        baseline: SampleCounts { inferences: 40, not_kept: 0, erased: 0 },
        baseline_observations: 40,
        at_ms: 3,
    };
    let worst = Some(FeaturePsi { feature: "inputs.age".to_owned(), psi: 0.5 });
    let judgement =
        WindowJudgement { watch: 1, window, stable: 1, moderate: 0, drifted: 1, too_few: 0, worst, at_ms: 3 };
    let stream = StreamKey::new(TENANT, DriftWatchEvent::CATEGORY, "mood".to_owned());
    let events =
        [DriftWatchEvent::DriftDetected(Box::new(finding)), DriftWatchEvent::DriftWindowJudged(Box::new(judgement))];
    tell(&server.log, &stream, &events).await;
    let judged = of(Value::Null).await;
    assert_eq!(
        judged["last"],
        json!({ "drifted": 1, "worstFeature": "inputs.age", "window": { "number": 1, "upTo": "80" } })
    );
    let found = json!([{ "feature": "inputs.age", "statistic": "PSI", "value": 0.5, "window": { "number": 1 } }]);
    assert_eq!(judged["findings"], found);

    let stop = "mutation { stopDriftWatch(input: {name: \"mood\"}) { errors { code } } }";
    assert_eq!(server.data(stop, json!({})).await["stopDriftWatch"]["errors"], json!([]));
    let stopped = of(Value::Null).await;
    assert_eq!((&stopped["running"], &stopped["findings"]), (&json!(false), &found));
    let before = of(json!({ "position": started["position"] })).await;
    assert_eq!((&before["running"], &before["judged"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn a_time_takes_what_was_answered_in_it_and_an_alias_what_named_it() {
    let server = with_model().await;
    ask(&server, 0, 40, 0.0).await;
    let query = "query($window: DriftTimesInput!, $alias: String) { modelDrift(name: \"mood\", alias: $alias,
        baseline: {from: \"2020-01-01T00:00:00Z\", until: \"2200-01-01T00:00:00Z\"}, window: $window) {
        verdict baseline { inferences } window { inferences } } }";
    let all = json!({ "from": "2020-01-01T00:00:00Z", "until": "2200-01-01T00:00:00Z" });
    let early = json!({ "from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z" });
    let of = async |window: &Value, alias: Option<&str>| {
        server.data(query, json!({ "window": window, "alias": alias })).await["modelDrift"].clone()
    };
    let expected = |verdict, of, now| json!({ "verdict": verdict, "baseline": { "inferences": of }, "window": { "inferences": now } });
    assert_eq!(of(&all, None).await, expected("STABLE", 40, 40));
    assert_eq!(of(&early, None).await, expected("TOO_FEW", 40, 0));
    assert_eq!(of(&all, Some("prod")).await, expected("TOO_FEW", 0, 0));
}

#[tokio::test]
async fn an_inference_of_which_every_step_is_an_event_is_found_by_its_answer() {
    let server = with_model().await;
    let stream = StreamKey::new(TENANT, InferenceEvent::CATEGORY, WORKER.to_string());
    let mut events = Vec::new();
    for at in 0..40_u16 {
        let InferenceEvent::InferenceCompleted { inference, request: Some(request), answer } =
            answered(u128::from(at), Some(f32::from(at)), 1)
        else {
            unreachable!("it is answered")
        };
        events.push(InferenceEvent::InferenceRequested { inference, request });
        events.push(InferenceEvent::InferenceStarted { inference, queue_us: 1 });
        events.push(InferenceEvent::InferenceCompleted { inference, request: None, answer });
    }
    tell(&server.log, &stream, &events).await;
    let report = server.data(REPORT, json!({ "last": 20 })).await["modelDrift"].clone();
    assert_eq!((&report["window"]["inferences"], &report["baseline"]["inferences"]), (&json!(20), &json!(20)));
    let age = feature(&report, "inputs.age");
    assert_eq!(
        (&age["baseline"]["mean"], &age["window"]["mean"]),
        (&json!(9.5), &json!(29.5)),
        "the newest are the window"
    );
}
