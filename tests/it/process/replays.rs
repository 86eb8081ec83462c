//! Forks, replay checks, comparisons, provenance and watches with the program itself.

use serde_json::{Value, json};

use super::server::{Server, chain, set, verb, verb_json};

/// What a verb prints for people, and its exit status.
fn printed(arguments: &[&str]) -> (i32, String, String) {
    let output = verb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Runs a workflow to its end; the execution's id.
async fn run(server: &Server, workflow: &str) -> String {
    let started = server.start_execution(workflow, "COMPLETED").await;
    assert_eq!(started["timedOut"], json!(false), "{started}");
    started["executionId"].as_str().unwrap().to_owned()
}

/// A call to an address of this server, which answers the same every time: its health.
fn calling(server: &Server) -> Value {
    json!({
        "name": "Call", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
        "parameters": { "url": format!("={{{{ '{}/health/live?n=' + $json.n }}}}", server.url), "options": {} }
    })
}

#[tokio::test]
async fn a_run_is_forked_compared_and_explained_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--allow-private-hosts", "*"]);
    let steps =
        [set("Step", "n", "={{ 41 + 1 }}"), calling(&server), set("Last", "m", "={{ $('Step').item.json.n * 2 }}")];
    let workflow = server.import(&chain("Fork", &steps)).await;
    let id = run(&server, &workflow).await;
    let at = ["--server", &server.url];
    let entity = format!("execution/{id}");

    let why = verb_json(&["state", "why", &entity, "/node_runs/3/outputs/0/0/json/m", "--json", at[0], at[1]]);
    let nodes: Vec<&str> = why["steps"].as_array().unwrap().iter().map(|step| step["node"].as_str().unwrap()).collect();
    assert_eq!((&why["value"], &nodes[..2]), (&json!(84), &["Last", "Step"][..]));
    let (code, told, said) = printed(&["state", "why", &entity, "/node_runs/3/outputs/0/0/json/m", at[0], at[1]]);
    assert_eq!(code, 0, "{said}");
    assert!(told.contains("is 84") && told.contains("#1 'Step' run 0, output 0, item 0/json/n"), "{told}");

    let (_, preview, _) = printed(&fork(&id, &server.url, &["--at", "r1", "--preview"]));
    assert!(preview.contains("Call") && preview.contains("false"), "{preview}");
    let same = verb_json(&fork(&id, &server.url, &["--at", "r1", "--json"]));
    let same = same["executionId"].as_str().unwrap();
    ends(&server, same).await;
    let compare = |other: &str| {
        let found = verb_json(&["execution", "compare", &id, other, "--json", at[0], at[1]]);
        (found["same"].clone(), found["cause"]["step"]["node"].clone(), found["rightStatus"].clone())
    };
    assert_eq!(compare(same), (json!(true), Value::Null, json!("COMPLETED")));

    // Another number: the call would be another one, and is not made until it is lifted.
    let changed = ["--at", "r1", "--output", "Step={\"n\": 7}", "--json"];
    let stopped = verb_json(&fork(&id, &server.url, &changed));
    let stopped = stopped["executionId"].as_str().unwrap();
    ends(&server, stopped).await;
    assert_eq!(compare(stopped), (json!(false), json!("Step"), json!("FAILED")));
    let lifted =
        verb_json(&fork(&id, &server.url, &[&changed[..], &["--live", "Call", "--reason", "what if"]].concat()));
    let lifted = lifted["executionId"].as_str().unwrap();
    ends(&server, lifted).await;
    let (code, told, said) = printed(&["execution", "compare", &id, lifted, at[0], at[1]]);
    assert_eq!(code, 0, "{said}");
    assert!(told.contains("they part at 'Step' run 0") && told.contains("/0/0/json/n: 42 → 7"), "{told}");
    let shown = verb_json(&["execution", "show", lifted, "--json", at[0], at[1]]);
    assert_eq!((&shown["status"], &shown["forkedFrom"]["reason"]), (&json!("COMPLETED"), &json!("what if")));

    let watched = verb_json(&["execution", "watch", "$json.m === 14", "--workflow", &workflow, "--json", at[0], at[1]]);
    let seen = watched["nodes"].as_array().unwrap();
    let hits = |execution: &serde_json::Value| execution["hits"].as_array().unwrap().len();
    assert_eq!(seen.iter().map(hits).sum::<usize>(), 1, "{watched}");
    let found = seen.iter().find(|execution| hits(execution) == 1).unwrap();
    assert_eq!((&found["executionId"], &found["hits"][0]["node"]), (&json!(lifted), &json!("Last")));
    for (arguments, words) in [
        (fork(&id, &server.url, &["--at", "r1", "--output", "Nobody=[]"]), "no node 'Nobody'"),
        (fork(&id, &server.url, &["--at", "r99"]), "its revisions go from 1 to"),
        (fork(&id, &server.url, &["--at", "r1", "--live", "Call", "--effects", "live"]), "cannot be used with"),
        (vec!["state", "why", &entity, "/nothing", at[0], at[1]], "has nothing at '/nothing'"),
    ] {
        let (code, _, said) = printed(&arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(words), "'{words}' is not in: {said}");
    }
    server.stop();
}

/// The verb that forks an execution of a server.
fn fork<'a>(id: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["execution", "fork", id, "--server", url], more].concat()
}

/// Waits until an execution has ended.
async fn ends(server: &Server, id: &str) {
    let query = format!("subscription {{ execution(id: \"{id}\", after: \"0\") {{ status }} }}");
    let request = super::server::client().post(format!("{}/graphql", server.url)).header("accept", "text/event-stream");
    let mut response = request.json(&json!({ "query": query })).send().await.unwrap();
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
        if text.contains("\"COMPLETED\"") || text.contains("\"FAILED\"") {
            return;
        }
    }
    panic!("it did not end: {text}");
}

#[tokio::test]
async fn a_replay_tells_what_differs_by_its_exit_status_and_keeps_the_gate_to_publishing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("Replay", &[set("Step", "n", "={{ 41 + 1 }}")])).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(run(&server, &workflow).await);
    }
    let at = ["--server", &server.url];
    let (code, told, said) = printed(&["replay", &ids[0], &ids[1], at[0], at[1]]);
    assert_eq!((code, told.contains("2 same, 0 differ")), (0, true), "{told}{said}");
    let last = ["replay", "--workflow", &workflow, "--last", "10", at[0], at[1]];
    assert_eq!(verb_json(&[&last[..], &["--json"]].concat())["sameCount"], json!(3));
    let (code, _, said) = printed(&["workflow", "publish", &workflow, "--replay-last", "10", at[0], at[1]]);
    assert_eq!(code, 0, "{said}");

    let file = folder.path().join("next.json");
    std::fs::write(&file, chain("Replay", &[set("Step", "n", "={{ 41 + 2 }}")]).to_string()).unwrap();
    let (code, _, said) = printed(&["workflow", "import", file.to_str().unwrap(), "--id", &workflow, at[0], at[1]]);
    assert_eq!(code, 0, "{said}");
    let (code, told, _) = printed(&[&last[..], &["--against", "draft"]].concat());
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("0 same, 3 differ") && told.contains("'Step' gives something else"), "{told}");
    assert!(told.contains("/0/0/json/n: 42 → 43"), "{told}");
    let (code, _, _) = printed(&[&last[..], &["--against", "v1"]].concat());
    assert_eq!(code, 0);
    let publish = ["workflow", "publish", &workflow, "--replay-last", "3", at[0], at[1]];
    let (code, _, said) = printed(&publish);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("0 do the same under the draft and 3 differ, at most 0 may"), "{said}");
    let (code, told, said) = printed(&[&publish[..], &["--max-differ", "3"]].concat());
    assert_eq!((code, told.contains("published version 2")), (0, true), "{told}{said}");
    server.stop();

    // The same without a server, over the folder.
    let data = folder.path().to_str().unwrap();
    let (code, told, said) = printed(&["replay", "--workflow", &workflow, "--against", "draft", "--data", data]);
    assert_eq!((code, told.contains("0 same, 3 differ")), (3, true), "{told}{said}");
    for (arguments, words) in [
        (vec!["replay", "--data", data], "required"),
        (vec!["replay", "--workflow", &workflow, "--against", "newest", "--data", data], "write draft, or a version"),
        (vec!["replay", "--workflow", &workflow, "--against", "v9", "--data", data], "no version 9"),
        (vec!["replay", &workflow, "--data", data], "there is no execution"),
    ] {
        let (code, _, said) = printed(&arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(words), "'{words}' is not in: {said}");
    }
}
