//! Evaluations over GraphQL: asked for, refused, told and listed. Nothing here carries them out.

use serde_json::{Value, json};
use timeloom_domain::evaluation::{
    BacktestReport, CaseResult, EvaluationEvent, EvaluationReport, Judgement, ScoreCounter,
};
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::ModelCallId;
use timeloom_store::StreamKey;
use uuid::Uuid;

use crate::support::{TENANT, TestServer, tell};

/// A model with two versions.
async fn with_versions() -> TestServer {
    let server = TestServer::start();
    let register =
        "mutation { registerModel(input: {name: \"mood\", description: \"Finds the mood.\"}) { errors { code } } }";
    server.data(register, json!({})).await;
    for digit in ["a", "b"] {
        let add = "mutation($input: AddModelVersionInput!) { addModelVersion(input: $input) { errors { code } } }";
        let input = json!({ "name": "mood", "format": "onnx", "digest": digit.repeat(64) });
        server.data(add, json!({ "input": input })).await;
    }
    server
}

async fn start(server: &TestServer, input: Value) -> Value {
    let query = "mutation($input: StartBacktestInput!) { startBacktest(input: $input) {
        timedOut position errors { code } evaluation { id modelName version tolerance status summary
            cases { last ofVersion agent } } } }";
    server.data(query, json!({ "input": input })).await["startBacktest"].clone()
}

#[tokio::test]
async fn a_backtest_is_asked_for_and_told_with_what_came_of_it() {
    let server = with_versions().await;
    let input =
        json!({ "model": "mood", "version": 2, "ofVersion": 1, "agent": "reader", "last": 50, "tolerance": 0.01 });
    let asked = start(&server, input).await;
    assert_eq!((&asked["errors"], &asked["timedOut"]), (&json!([]), &json!(false)));
    let evaluation = &asked["evaluation"];
    assert_eq!(
        (&evaluation["modelName"], &evaluation["version"], &evaluation["status"], &evaluation["summary"]),
        (&json!("mood"), &json!(2), &json!("REQUESTED"), &Value::Null)
    );
    assert_eq!(evaluation["tolerance"], json!(0.01));
    assert_eq!(evaluation["cases"], json!({ "last": 50, "ofVersion": 1, "agent": "reader" }));

    let id: Uuid = evaluation["id"].as_str().unwrap().parse().unwrap();
    let report = BacktestReport { cases: 50, same: 47, near: 2, skipped: 1, ..BacktestReport::default() };
    let report = Box::new(EvaluationReport::Backtest(report));
    let stream = StreamKey::new(TENANT, EvaluationEvent::CATEGORY, id.to_string());
    let ended = tell(&server.log, &stream, &[EvaluationEvent::EvaluationCompleted { report, at_ms: 9 }]).await;
    let query = "query($id: UUID!, $at: Position) { evaluation(id: $id, waitFor: $at) { status summary backtest { cases same } }
        evaluations(model: \"mood\", status: COMPLETED, waitFor: $at) { nodes { id } } others: evaluations(model: \"other\", waitFor: $at) { nodes { id } } }";
    let shown = server.data(query, json!({ "id": id, "at": ended.0.to_string() })).await;
    assert_eq!(
        shown["evaluation"],
        json!({ "status": "COMPLETED", "summary": "47 same, 2 near, 0 different, 1 skipped",
            "backtest": { "cases": 50, "same": 47 } })
    );
    assert_eq!(shown["evaluations"]["nodes"], json!([{ "id": id.to_string() }]));
    assert_eq!(shown["others"]["nodes"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_tried_is_refused_in_words() {
    let server = with_versions().await;
    for (input, code) in [
        (json!({ "model": "other", "version": 1 }), "MODEL_NOT_FOUND"),
        (json!({ "model": "mood", "version": 9 }), "MODEL_VERSION_NOT_FOUND"),
        (json!({ "model": "mood", "version": 2, "last": 0 }), "CASES_OUT_OF_RANGE"),
        (json!({ "model": "mood", "version": 2, "last": 1_001 }), "CASES_OUT_OF_RANGE"),
        (json!({ "model": "mood", "version": 2, "tolerance": 1.5 }), "INVALID_TOLERANCE"),
        (json!({ "model": "mood", "version": 2, "timeoutMs": 300_001 }), "TIMEOUT_TOO_LONG"),
        (
            json!({ "model": "mood", "version": 2, "from": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z" }),
            "INVALID_TIME_RANGE",
        ),
    ] {
        let refused = start(&server, input.clone()).await;
        assert_eq!(refused["errors"][0]["code"], json!(code), "{input}");
        assert_eq!(refused["evaluation"], Value::Null);
    }
    server.stop().await;
}

const SET: &str = "mutation($input: CreateEvaluationSetInput!) { createEvaluationSet(input: $input) {
    name leftOut repeated errors { code message } evaluationSet { newestVersion } } }";

async fn with_set(server: &TestServer, name: &str) -> Value {
    let lines = "{\"input\": {\"a\": 1}, \"expected\": 2}\n{\"id\": \"b\", \"input\": [1]}\n";
    let input = json!({ "name": name, "lines": lines, "cases": [{ "input": "c", "expected": null }] });
    server.data(SET, json!({ "input": input })).await["createEvaluationSet"].clone()
}

#[tokio::test]
async fn a_set_is_made_added_to_listed_and_read_case_by_case() {
    let server = TestServer::start();
    let made = with_set(&server, "questions").await;
    assert_eq!((&made["errors"], &made["evaluationSet"]), (&json!([]), &json!({ "newestVersion": 1 })));
    let again = with_set(&server, "questions").await;
    assert_eq!(again["errors"][0]["code"], json!("EVALUATION_SET_EXISTS"));

    let add = "mutation($input: AddEvaluationSetVersionInput!) { addEvaluationSetVersion(input: $input) {
        repeated errors { code } evaluationSet { newestVersion } } }";
    let command = "0190f3c0-0000-7000-8000-0000000000aa";
    let input = json!({ "commandId": command, "name": "questions", "keep": true, "cases": [{ "input": "d" }] });
    let added = server.data(add, json!({ "input": input })).await["addEvaluationSetVersion"].clone();
    assert_eq!((&added["errors"], &added["evaluationSet"]["newestVersion"]), (&json!([]), &json!(2)));
    let sent_again = server.data(add, json!({ "input": input })).await["addEvaluationSetVersion"].clone();
    assert_eq!((&sent_again["repeated"], &sent_again["errors"]), (&json!(true), &json!([])), "{sent_again}");

    let fewer = json!({ "name": "questions", "keep": true, "without": ["b", "1"], "cases": [{ "input": "e" }] });
    let removed = server.data(add, json!({ "input": fewer })).await["addEvaluationSetVersion"].clone();
    assert_eq!((&removed["errors"], &removed["evaluationSet"]["newestVersion"]), (&json!([]), &json!(3)));
    let unknown = server.data(add, json!({ "input": fewer })).await["addEvaluationSetVersion"].clone();
    assert_eq!(unknown["errors"], json!([{ "code": "UNKNOWN_CASE" }]));
    let input = json!({ "name": "questions", "without": ["3"], "cases": [{ "input": "f" }] });
    let alone = server.data(add, json!({ "input": input })).await["addEvaluationSetVersion"].clone();
    assert_eq!(alone["errors"], json!([{ "code": "NOTHING_KEPT" }]));

    let query = "{ evaluationSet(name: \"questions\") { versions { version caseCount }
        second: version(version: 2) { cases { id input expected origin } } version { cases { id } }
        first: version(version: 1) { cases(first: 1, skip: 1) { id } } }
        evaluationSets { nodes { name } } none: evaluationSet(name: \"others\") { name } }";
    let shown = server.data(query, json!({})).await;
    let set = &shown["evaluationSet"];
    let version = |version: u32, count: u32| json!({ "version": version, "caseCount": count });
    assert_eq!(set["versions"], json!([version(1, 3), version(2, 4), version(3, 3)]));
    // The new one is the third, which is taken by one that was kept.
    assert_eq!(set["version"]["cases"], json!([{ "id": "3" }, { "id": "4" }, { "id": "5" }]));
    assert_eq!(set["first"]["cases"], json!([{ "id": "b" }]));
    let cases = set["second"]["cases"].as_array().unwrap();
    let ids: Vec<&str> = cases.iter().map(|case| case["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "b", "3", "4"]);
    assert_eq!(cases[0], json!({ "id": "1", "input": { "a": 1 }, "expected": 2, "origin": "HAND" }));
    assert_eq!((&shown["evaluationSets"]["nodes"], &shown["none"]), (&json!([{ "name": "questions" }]), &Value::Null));
    server.stop().await;
}

#[tokio::test]
async fn an_evaluation_of_a_set_is_asked_for_and_what_cannot_be_judged_is_refused() {
    let server = with_versions().await;
    with_set(&server, "questions").await;
    let query = "mutation($input: StartEvaluationInput!) { startEvaluation(input: $input) { errors { code }
        evaluation { id modelName version setName setVersion status scorers { name kind at tolerance } } } }";
    let start = async |input: Value| server.data(query, json!({ "input": input })).await["startEvaluation"].clone();
    let scorers = json!([{ "kind": "EQUAL" }, { "name": "close", "kind": "NEAR", "at": "/y", "tolerance": 0.01 }]);
    let asked = start(json!({ "set": "questions", "model": "mood", "version": 2, "scorers": scorers })).await;
    let evaluation = &asked["evaluation"];
    assert_eq!((&asked["errors"], &evaluation["status"]), (&json!([]), &json!("REQUESTED")), "{asked}");
    assert_eq!((&evaluation["setName"], &evaluation["setVersion"]), (&json!("questions"), &json!(1)));
    assert_eq!(evaluation["scorers"][0]["name"], json!("equal"));
    assert_eq!(evaluation["scorers"][1], json!({ "name": "close", "kind": "NEAR", "at": "/y", "tolerance": 0.01 }));

    let equal = json!([{ "kind": "EQUAL" }]);
    for (input, code) in [
        (json!({ "set": "others", "model": "mood", "version": 2, "scorers": equal }), "EVALUATION_SET_NOT_FOUND"),
        (
            json!({ "set": "questions", "setVersion": 9, "model": "mood", "version": 2, "scorers": equal }),
            "EVALUATION_SET_VERSION_NOT_FOUND",
        ),
        (json!({ "set": "questions", "model": "mood", "version": 2, "scorers": [] }), "SCORERS_OUT_OF_RANGE"),
        (json!({ "set": "questions", "version": 2, "scorers": equal }), "INVALID_SUBJECT"),
        (json!({ "set": "questions", "agent": "nobody", "version": 2, "scorers": equal }), "AGENT_NOT_FOUND"),
        (
            json!({ "set": "questions", "model": "mood", "version": 2, "scorers": [{ "kind": "MATCHES" }] }),
            "INVALID_SCORER",
        ),
        (
            json!({ "set": "questions", "model": "mood", "version": 2, "scorers": [{ "kind": "JUDGE", "route": "mood" }] }),
            "INVALID_SCORER",
        ),
    ] {
        let refused = start(input.clone()).await;
        assert_eq!((&refused["errors"][0]["code"], &refused["evaluation"]), (&json!(code), &Value::Null), "{input}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_judge_is_asked_by_a_route_that_is_there_and_what_it_said_is_told_with_the_case() {
    let server = with_versions().await;
    with_set(&server, "questions").await;
    for (change, input) in [
        ("setGatewayProvider", json!({ "name": "own", "protocol": "OPEN_AI", "baseUrl": "https://models.example/v1" })),
        (
            "setGatewayRoute",
            json!({ "name": "judges", "tiers": [{ "targets": [{ "provider": "own", "model": "judge-1" }] }] }),
        ),
    ] {
        let name = change.replacen("set", "Set", 1);
        let query = format!("mutation($input: {name}Input!) {{ {change}(input: $input) {{ errors {{ message }} }} }}");
        let set = server.data(&query, json!({ "input": input })).await;
        assert_eq!(set[change]["errors"], json!([]), "{set}");
    }
    let query = "mutation($input: StartEvaluationInput!) { startEvaluation(input: $input) { errors { code message }
        evaluation { id scorers { name kind route rubric pattern } } } }";
    let start = async |judge: Value| {
        let input = json!({ "set": "questions", "model": "mood", "version": 2, "scorers": [judge] });
        server.data(query, json!({ "input": input })).await["startEvaluation"].clone()
    };
    let judge = |route: &str, rubric: &str| json!({ "kind": "JUDGE", "route": route, "rubric": rubric });
    let nowhere = start(judge("nowhere", "Polite.")).await;
    assert_eq!(nowhere["errors"][0]["code"], json!("ROUTE_NOT_FOUND"), "{nowhere}");
    let empty = start(judge("judges", " ")).await;
    assert_eq!(empty["errors"][0]["code"], json!("INVALID_SCORER"), "{empty}");
    let asked = start(judge("judges", "Polite.")).await;
    let told = json!([{ "name": "judge", "kind": "JUDGE", "route": "judges", "rubric": "Polite.", "pattern": null }]);
    assert_eq!((&asked["errors"], &asked["evaluation"]["scorers"]), (&json!([]), &told), "{asked}");

    let id: Uuid = asked["evaluation"]["id"].as_str().unwrap().parse().unwrap();
    let call = ModelCallId(Uuid::from_u128(7));
    let said = Judgement {
        score: Some(0.5),
        model: Some("judge-1".to_owned()),
        provider: Some("own".to_owned()),
        call: Some(call),
        ..Judgement::none("judge", "So so.")
    };
    let mut counter = ScoreCounter::new(["judge"]);
    for said in [said, Judgement::none("judge", "the budget is used up")] {
        let case = said.call.map_or("b", |_| "a").to_owned();
        counter.take(case, CaseResult { run: None, scores: Ok(vec![said.score()]), judgements: vec![said] });
    }
    let report = Box::new(EvaluationReport::Scored(counter.report()));
    let stream = StreamKey::new(TENANT, EvaluationEvent::CATEGORY, id.to_string());
    let ended = tell(&server.log, &stream, &[EvaluationEvent::EvaluationCompleted { report, at_ms: 9 }]).await;
    let query = "query($id: UUID!, $at: Position) { evaluation(id: $id, waitFor: $at) { summary scored {
        scorers { mean count failed } scores { caseId scores judgements { scorer score reason model provider callId } } } } }";
    let shown = server.data(query, json!({ "id": id, "at": ended.0.to_string() })).await["evaluation"].clone();
    assert_eq!(shown["summary"], json!("judge 0.500"));
    assert_eq!(shown["scored"]["scorers"], json!([{ "mean": 0.5, "count": 1, "failed": 1 }]));
    assert_eq!(
        shown["scored"]["scores"],
        json!([
            { "caseId": "a", "scores": [0.5], "judgements": [{ "scorer": "judge", "score": 0.5, "reason": "So so.",
                "model": "judge-1", "provider": "own", "callId": call.0.to_string() }] },
            { "caseId": "b", "scores": [null], "judgements": [{ "scorer": "judge", "score": null,
                "reason": "the budget is used up", "model": null, "provider": null, "callId": null }] },
        ])
    );
    server.stop().await;
}
