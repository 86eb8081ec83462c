//! Models over GraphQL: which version answers under which name, now and at any moment; trials; settings; refusals.

use serde_json::{Value, json};

use crate::support::TestServer;

/// A model with three versions; the server and the position after them.
async fn with_versions() -> TestServer {
    let server = TestServer::start();
    let register =
        "mutation { registerModel(input: {name: \"mood\", description: \"Finds the mood.\"}) { errors { code } } }";
    server.data(register, json!({})).await;
    for digit in ["a", "b", "c"] {
        let input = json!({ "name": "mood", "format": "onnx", "digest": digit.repeat(64) });
        change(&server, "addModelVersion", "AddModelVersionInput", input).await;
    }
    server
}

/// One change of the model `mood`; the answer.
async fn change(server: &TestServer, field: &str, kind: &str, input: Value) -> Value {
    let query = format!(
        "mutation($input: {kind}!) {{ {field}(input: $input) {{ position errors {{ code path message }} model {{
            promotedVersion aliases {{ alias version }} rollout {{ version percent shadow }} keptLoaded disabledReason
            settings {{ gpu instancesMin rowsMax queueMax finiteOnly recording recordedOneIn }}
            versions {{ version withdrawnReason }} }} }} }}"
    );
    server.data(&query, json!({ "input": input })).await[field].clone()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["code"].as_str().unwrap_or("done")
}

#[tokio::test]
async fn which_version_answered_under_which_name_is_told_for_any_moment() {
    let server = with_versions().await;
    let promote = async |version: u32| {
        let input = json!({ "name": "mood", "version": version, "reason": "better on our texts" });
        change(&server, "promoteModel", "PromoteModelInput", input).await
    };
    let alias = async |version: u32| {
        let input = json!({ "name": "mood", "alias": "prod", "version": version });
        change(&server, "setModelAlias", "SetModelAliasInput", input).await
    };
    promote(1).await;
    let first = alias(1).await;
    assert_eq!(first["model"]["aliases"], json!([{ "alias": "prod", "version": 1 }]));
    promote(2).await;
    alias(2).await;
    let input = json!({ "name": "mood", "reason": "more errors since yesterday" });
    let back = change(&server, "rollBackModel", "RollBackModelInput", input.clone()).await;
    assert_eq!((&back["errors"], &back["model"]["promotedVersion"]), (&json!([]), &json!(1)));
    let again = change(&server, "rollBackModel", "RollBackModelInput", input).await;
    assert_eq!(code(&again), "MODEL_NO_EARLIER_VERSION");

    let query = "query($at: Position!) { model(name: \"mood\", asOf: {position: $at}) {
        promotedVersion aliases { alias version } } }";
    let then = server.data(query, json!({ "at": first["position"] })).await;
    assert_eq!(then["model"], json!({ "promotedVersion": 1, "aliases": [{ "alias": "prod", "version": 1 }] }));

    let remove = json!({ "name": "mood", "alias": "prod" });
    let removed = change(&server, "removeModelAlias", "RemoveModelAliasInput", remove).await;
    assert_eq!(removed["model"]["aliases"], json!([]));
    let number = json!({ "name": "mood", "alias": "7", "version": 1 });
    assert_eq!(code(&change(&server, "setModelAlias", "SetModelAliasInput", number).await), "INVALID_ALIAS");
    let reason = json!({ "name": "mood", "version": 3, "reason": "" });
    assert_eq!(code(&change(&server, "promoteModel", "PromoteModelInput", reason).await), "REASON_MISSING");
    server.stop().await;
}

#[tokio::test]
async fn a_trial_of_an_alias_has_a_guard_and_figures_and_a_guard_that_cannot_watch_is_refused() {
    let server = with_versions().await;
    change(&server, "setModelAlias", "SetModelAliasInput", json!({ "name": "mood", "alias": "prod", "version": 1 }))
        .await;
    let start = async |shadow: bool, guard: Value| {
        let input =
            json!({ "name": "mood", "version": 2, "percent": 20, "shadow": shadow, "alias": "prod", "guard": guard });
        change(&server, "startModelRollout", "StartModelRolloutInput", input).await
    };
    for guard in [
        json!({ "metric": "ERROR_RATE", "bound": 0.0 }),
        json!({ "metric": "ERROR_RATE", "bound": 1.5 }),
        json!({ "metric": "LATENCY_P95", "bound": -1.0 }),
        json!({ "metric": "ERROR_RATE", "bound": 0.1, "fewest": 0 }),
        json!({ "metric": "DISAGREEMENT", "bound": 0.1 }),
        json!({ "metric": "ERROR_RATE", "bound": 0.1, "tolerance": 0.1 }),
    ] {
        assert_eq!(code(&start(false, guard.clone()).await), "INVALID_ROLLOUT_GUARD", "{guard}");
    }
    let guard = json!({ "metric": "DISAGREEMENT", "bound": 0.05, "fewest": 40, "tolerance": 0.01 });
    assert_eq!(code(&start(true, guard.clone()).await), "done");
    let query = "{ model(name: \"mood\") { rollout { alias guard { metric bound fewest tolerance }
        figures { compared candidate { answered failed errorRate latencyP95Us } stable { answered } } } } }";
    let shown = server.data(query, json!({})).await["model"]["rollout"].clone();
    assert_eq!((&shown["alias"], &shown["guard"]), (&json!("prod"), &guard));
    let nothing = json!({ "answered": 0, "failed": 0, "errorRate": 0.0, "latencyP95Us": null });
    assert_eq!(shown["figures"]["candidate"], nothing);
    let other = json!({ "name": "mood", "alias": "prod", "version": 3 });
    assert_eq!(code(&change(&server, "setModelAlias", "SetModelAliasInput", other).await), "MODEL_ROLLOUT_UNDER_WAY");
    server.stop().await;
}

#[tokio::test]
async fn a_version_is_tried_withdrawn_and_kept_loaded() {
    let server = with_versions().await;
    change(&server, "promoteModel", "PromoteModelInput", json!({ "name": "mood", "version": 1 })).await;
    let start = |version: u32, percent: u8| json!({ "name": "mood", "version": version, "percent": percent });
    let started = change(&server, "startModelRollout", "StartModelRolloutInput", start(2, 10)).await;
    assert_eq!(started["model"]["rollout"], json!({ "version": 2, "percent": 10, "shadow": false }));
    let other = change(&server, "startModelRollout", "StartModelRolloutInput", start(3, 10)).await;
    assert_eq!(code(&other), "MODEL_ROLLOUT_UNDER_WAY");
    let step = |percent: u8| json!({ "name": "mood", "percent": percent });
    assert_eq!(code(&change(&server, "stepModelRollout", "StepModelRolloutInput", step(100)).await), "INVALID_PERCENT");
    change(&server, "stepModelRollout", "StepModelRolloutInput", step(50)).await;
    let end = json!({ "name": "mood", "promote": true, "reason": "no more errors than before" });
    let ended = change(&server, "endModelRollout", "EndModelRolloutInput", end.clone()).await;
    assert_eq!((&ended["model"]["rollout"], &ended["model"]["promotedVersion"]), (&Value::Null, &json!(2)));
    assert_eq!(code(&change(&server, "endModelRollout", "EndModelRolloutInput", end).await), "MODEL_NO_ROLLOUT");

    let withdraw = |version: u32| json!({ "name": "mood", "version": version, "reason": "wrong labels" });
    let used = change(&server, "withdrawModelVersion", "WithdrawModelVersionInput", withdraw(2)).await;
    assert_eq!(code(&used), "MODEL_VERSION_IN_USE");
    let gone = change(&server, "withdrawModelVersion", "WithdrawModelVersionInput", withdraw(1)).await;
    assert_eq!(gone["model"]["versions"][0], json!({ "version": 1, "withdrawnReason": "wrong labels" }));
    let load = |version: u32| json!({ "name": "mood", "version": version });
    assert_eq!(code(&change(&server, "loadModel", "ModelVersionInput", load(1)).await), "MODEL_VERSION_WITHDRAWN");
    let loaded = change(&server, "loadModel", "ModelVersionInput", load(3)).await;
    assert_eq!(loaded["model"]["keptLoaded"], json!([3]));
    let unloaded = change(&server, "unloadModel", "ModelVersionInput", load(3)).await;
    assert_eq!(unloaded["model"]["keptLoaded"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn a_model_is_configured_within_bounds() {
    let server = with_versions().await;
    let configure = async |input: Value| change(&server, "configureModel", "ConfigureModelInput", input).await;
    let recording = json!({ "level": "SAMPLED", "oneIn": 100 });
    let set = json!({ "name": "mood", "gpu": "OPTIONAL", "rowsMax": 32, "finiteOnly": true, "recording": recording });
    assert_eq!(
        configure(set).await["model"]["settings"],
        json!({ "gpu": "OPTIONAL", "instancesMin": 1, "rowsMax": 32, "queueMax": 1024, "finiteOnly": true,
            "recording": "SAMPLED", "recordedOneIn": 100 })
    );
    let wrong = [
        json!({ "name": "mood", "queueMax": 0 }),
        json!({ "name": "mood", "instancesMin": 3, "instancesMax": 2 }),
        json!({ "name": "mood", "recording": { "level": "SAMPLED" } }),
        json!({ "name": "mood", "recording": { "level": "FULL", "oneIn": 3 } }),
        json!({ "name": "mood", "recording": { "level": "SAMPLED", "oneIn": 0 } }),
    ];
    for input in wrong {
        assert_eq!(code(&configure(input.clone()).await), "INVALID_MODEL_SETTINGS", "{input}");
    }
    assert_eq!(code(&configure(json!({ "name": "nobody" })).await), "MODEL_NOT_FOUND");
    assert_eq!(code(&configure(json!({ "name": "No Name" })).await), "INVALID_NAME");
    server.stop().await;
}
