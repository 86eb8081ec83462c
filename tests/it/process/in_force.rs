//! What was in force at a moment, with the program itself.

use serde_json::{Value, json};

use super::server::{Server, chain, set, verb, verb_json};

async fn position(server: &Server) -> String {
    let head = server.ask("{ head { position } }", json!({})).await;
    head["head"]["position"].as_str().unwrap().to_owned()
}

/// Sends a change that is not refused.
async fn change(server: &Server, field: &str, of: &str, input: Value) {
    let query = format!("mutation($input: {of}!) {{ {field}(input: $input) {{ errors {{ message }} }} }}");
    let answer = server.ask(&query, json!({ "input": input })).await;
    assert_eq!(answer[field]["errors"], json!([]), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_force_is_told_of_the_whole_at_one_moment_and_never_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("First", &[set("Set", "a", "={{ 1 }}")])).await;
    let flag = json!({ "feature": "agents", "percent": 30, "onFor": [], "offFor": [], "reason": "a trial" });
    change(&server, "setFeatureFlag", "SetFeatureFlagInput", flag).await;
    let before = position(&server).await;
    change(&server, "publishWorkflow", "PublishWorkflowInput", json!({ "workflowId": workflow })).await;
    let flag = json!({ "feature": "agents", "percent": 60, "onFor": [], "offFor": [], "reason": "more" });
    change(&server, "setFeatureFlag", "SetFeatureFlagInput", flag).await;
    let secret = folder.path().join("secret.json");
    std::fs::write(&secret, r#"{"user": "ada", "password": "correct horse"}"#).unwrap();
    let saved = verb(&[
        "credential",
        "save",
        "Mail",
        "--type",
        "httpBasicAuth",
        "--fields",
        secret.to_str().unwrap(),
        "--server",
        &server.url,
    ]);
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));

    let told = |moment: &str| verb_json(&["asof", moment, "--server", &server.url, "--json"]);
    let (then, now) = (told(&before), told(&position(&server).await));
    assert_eq!((&then["workflows"][0]["publishedVersion"], &then["credentials"]), (&Value::Null, &json!([])), "{then}");
    assert_eq!(then["featureFlags"][0]["rollout"]["percent"], 30);
    assert_eq!(
        (&now["workflows"][0]["name"], &now["workflows"][0]["publishedVersion"]),
        (&json!("First"), &json!(1)),
        "{now}"
    );
    assert_eq!(
        (&now["featureFlags"][0]["rollout"]["percent"], &now["credentials"][0]["name"]),
        (&json!(60), &json!("Mail"))
    );
    assert!(!now.to_string().contains("correct horse"));
    // As it was then, whatever came since; and by its time.
    assert_eq!(told(&before), then);
    assert_eq!(told(then["recordedAt"].as_str().unwrap()), then);
    let shown = verb(&["asof", &before, "--server", &server.url]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("workflows:") && shown.contains("First") && shown.contains("credentials: none"), "{shown}");
    for (moment, words) in [("r3", "give a position or a time"), ("99999999", "is not in the log, which ends at")] {
        let refused = verb(&["asof", moment, "--server", &server.url]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(words), "{moment}: {said}");
    }
    server.stop();
}
