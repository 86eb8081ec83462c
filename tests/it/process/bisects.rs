//! The change that made a run bad, found with the program itself.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::server::{Server, chain, set, verb};
use crate::tree::root;

/// What a verb prints, and its exit status.
fn printed(arguments: &[&str]) -> (i32, String, String) {
    let output = verb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Puts a definition in the place of the draft.
async fn replace(server: &Server, workflow: &str, definition: &Value) {
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
    let input = json!({ "workflowId": workflow, "source": definition.to_string() });
    let answer = server.ask(query, json!({ "input": input })).await;
    assert_eq!(answer["importWorkflow"]["errors"], json!([]), "{answer}");
}

async fn run(server: &Server, workflow: &str) -> String {
    server.start_execution(workflow, "COMPLETED").await["executionId"].as_str().unwrap().to_owned()
}

/// A workflow whose price is right or wrong, and whose note is changed by every edit.
fn priced(price: &str, note: usize) -> Value {
    let note = set("Note", "note", &format!("={{{{ {note} }}}}"));
    chain("Prices", &[set("Price", "price", price), note, set("Last", "total", "={{ $json.price * 2 }}")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_change_is_found_in_few_steps_and_told_with_who_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--checkpoint-seconds", "1"]);
    let workflow = server.import(&priced("={{ 21 }}", 0)).await;
    let good = run(&server, &workflow).await;
    // The twelfth of twenty edits breaks the price; one before it cannot be run at all.
    for edit in 1..=20 {
        let price = if edit < 12 { "={{ 21 }}" } else { "={{ 12 }}" };
        replace(&server, &workflow, &priced(price, edit)).await;
    }
    let bad = run(&server, &workflow).await;
    let at = ["--server", &server.url];
    let check = ["--check", "$json.total !== 42"];
    let (code, told, said) = printed(&["bisect", &good, &bad, check[0], check[1], at[0], at[1]]);
    assert_eq!(code, 0, "{told} {said}");
    assert!(told.contains("20 changes of the workflow lie between"), "{told}");
    assert!(
        told.contains("this change did it:") && told.contains("revision 13,") && told.contains("~ 'Price'"),
        "{told}"
    );
    let (code, json, said) = printed(&["bisect", &good, &bad, check[0], check[1], "--json", at[0], at[1]]);
    assert_eq!(code, 0, "{said}");
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&answer["found"], &answer["changes"][0]["revision"]), (&json!("change"), &json!(13)));
    assert!(answer["steps"].as_array().unwrap().len() <= 5, "{answer}");
    searches_are_listed_and_go_on(&server, &answer, (&good, &bad)).await;

    for (arguments, words) in [
        (vec![&*bad, &*good], "name the one that ran first before the other"),
        (vec![&*good, &*bad, "--check", "$json.total === 42"], "is not true of the bad run"),
        (vec![&*good, "01900000-0000-7000-8000-00000000dead"], "there is nothing called execution/"),
    ] {
        let (code, _, said) = printed(&[&["bisect"], &arguments[..], &at[..]].concat());
        assert!(code == 2 && said.contains(words), "{arguments:?}: {code} {said}");
    }
    server.stop();
}

/// What was searched for is listed with what was found; a search that was cut off goes on where it was, and one that ended does not.
async fn searches_are_listed_and_go_on(server: &Server, answer: &Value, (good, bad): (&str, &str)) {
    let at = ["--server", &server.url];
    let ended = answer["bisection"].as_str().unwrap();
    let (code, told, said) = printed(&["bisect", "--list", at[0], at[1]]);
    let found = format!("change at {}", answer["changes"][0]["position"].as_str().unwrap());
    assert!(code == 0 && told.contains(ended) && told.contains(&found), "{told} {said}");
    let (code, _, said) = printed(&["bisect", "--resume", ended, at[0], at[1]]);
    assert!(code == 2 && said.contains("has ended (change)"), "{code} {said}");

    // The same search, cut off after its first step, whose verdict was told the other way round: what was told stands.
    let query = "query($id: UUID!) { bisection(id: $id) { candidates digest steps { point verdict } } }";
    let known = server.ask(query, json!({ "id": ended })).await["bisection"].clone();
    assert_eq!(known["candidates"], 20, "{known}");
    assert_eq!(known["steps"].as_array().unwrap().len(), answer["steps"].as_array().unwrap().len(), "{known}");
    let begin = "mutation($input: BeginBisectionInput!) { beginBisection(input: $input) { bisection { id } errors { message } } }";
    let mut input = json!({
        "goodExecutionId": good, "badExecutionId": bad, "check": "$json.total !== 42", "candidates": 20,
        "digest": known["digest"],
    });
    let begun = server.ask(begin, json!({ "input": input })).await["beginBisection"].clone();
    let id = begun["bisection"]["id"].as_str().unwrap_or_else(|| panic!("{begun}"));
    let step = "mutation($input: TakeBisectionStepInput!) { takeBisectionStep(input: $input) { errors { message } } }";
    let first = json!({ "bisectionId": id, "point": 10, "verdict": "BAD" });
    let taken = server.ask(step, json!({ "input": first })).await;
    assert_eq!(taken["takeBisectionStep"]["errors"], json!([]), "{taken}");
    let (code, json, said) = printed(&["bisect", "--resume", id, "--json", at[0], at[1]]);
    assert_eq!(code, 0, "{json} {said}");
    let resumed: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&resumed["bisection"], &resumed["found"]), (&json!(id), &json!("change")), "{resumed}");
    assert_eq!(resumed["changes"][0]["revision"], 11, "{resumed}");

    input["digest"] = json!("0f".repeat(32));
    let other = server.ask(begin, json!({ "input": input })).await["beginBisection"]["bisection"]["id"].clone();
    let other = other.as_str().unwrap();
    let (code, _, said) = printed(&["bisect", "--resume", other, at[0], at[1]]);
    assert!(code == 2 && said.contains("what is searched through is other"), "{code} {said}");
    let (code, told, said) = printed(&["bisect", "--abandon", other, at[0], at[1]]);
    assert!(code == 0 && told.contains("is abandoned"), "{code} {told} {said}");
    let (code, _, said) = printed(&["bisect", "--resume", other, at[0], at[1]]);
    assert!(code == 2 && said.contains("has ended (abandoned)"), "{code} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_edit_did_is_blamed_on_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--checkpoint-seconds", "1"]);
    let failing = |note: usize| {
        let stop = json!({
            "name": "Stop", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
            "parameters": { "errorMessage": "too late" }
        });
        chain("Fails", &[set("Note", "note", &format!("={{{{ {note} }}}}")), stop])
    };
    let workflow = server.import(&failing(0)).await;
    let first = run(&server, &workflow).await;
    for edit in 1..=3 {
        replace(&server, &workflow, &failing(edit)).await;
    }
    let second = run(&server, &workflow).await;
    server.stop();
    let data = folder.path().to_str().unwrap();
    let (code, told, said) = printed(&["bisect", &first, &second, "--data", data]);
    assert_eq!(code, 1, "{told} {said}");
    assert!(told.contains("no change of the workflow did it"), "{told}");
}

/// The same with a node of a plugin, which this build has not the code of.
fn mailed(note: usize) -> Value {
    let mail = json!({ "name": "Mail", "type": "acme-mail.send", "typeVersion": 1, "parameters": {} });
    let note = set("Note", "note", &format!("={{{{ {note} }}}}"));
    chain("Prices", &[set("Price", "price", "={{ 21 }}"), note, mail])
}

async fn plugin_version(server: &Server, version: &str) {
    let query = "mutation($version: String!, $digest: String!) {
        addPluginVersion(input: { name: \"acme-mail\", version: $version, digest: $digest }) { errors { message } }
        enablePlugin(input: { name: \"acme-mail\", version: $version }) { errors { message } } }";
    let answer = server.ask(query, json!({ "version": version, "digest": "a".repeat(64) })).await;
    let errors = [&answer["addPluginVersion"]["errors"], &answer["enablePlugin"]["errors"]];
    assert_eq!(errors, [&json!([]), &json!([])], "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_plugin_whose_code_is_not_here_is_not_tried_and_stays_among_those_that_may_have_done_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--checkpoint-seconds", "1"]);
    let register =
        "mutation { registerPlugin(input: { name: \"acme-mail\", description: \"Mail\" }) { errors { message } } }";
    let registered = server.ask(register, json!({})).await;
    assert_eq!(registered["registerPlugin"]["errors"], json!([]), "{registered}");
    let workflow = server.import(&priced("={{ 21 }}", 0)).await;
    let good = run(&server, &workflow).await;
    // Of these four candidates the second and third cannot be tried; the fourth takes the node away and breaks the price.
    plugin_version(&server, "1.2.0").await;
    replace(&server, &workflow, &mailed(1)).await;
    plugin_version(&server, "1.3.0").await;
    replace(&server, &workflow, &priced("={{ 12 }}", 2)).await;
    let bad = run(&server, &workflow).await;
    let bisect = |more: &[&str]| {
        printed(&[&["bisect", &good, &bad, "--check", "$json.total !== 42"], more, &["--server", &server.url]].concat())
    };

    let (code, json, said) = bisect(&["--json"]);
    assert_eq!(code, 0, "{json} {said}");
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&answer["found"], &answer["between"]), (&json!("one-of"), &json!(4)), "{answer}");
    let blamed: Vec<&Value> = answer["changes"].as_array().unwrap().iter().map(|change| &change["kind"]).collect();
    assert_eq!(blamed, ["WORKFLOW", "PLUGIN", "WORKFLOW"], "{answer}");
    assert_eq!(answer["changes"][1]["what"], "plugin acme-mail 1.2.0 -> 1.3.0", "{answer}");
    assert_eq!(answer["untried"].as_array().unwrap().len(), 2, "{answer}");
    let query = "query($id: UUID!) { bisection(id: $id) { found steps { point verdict reason } } }";
    let record = server.ask(query, json!({ "id": answer["bisection"] })).await["bisection"].clone();
    assert_eq!(record["found"], "ONE_OF", "{record}");
    let untested = record["steps"].as_array().unwrap().iter().find(|step| step["point"] == 3).unwrap();
    assert!(untested["reason"].as_str().unwrap().starts_with("it cannot be tried"), "{untested}");
    let steps = answer["steps"].as_array().unwrap();
    let last = steps.iter().find(|step| step["point"] == 3).unwrap();
    assert_eq!((&last["verdict"], &last["plugins"]), (&json!("untestable"), &json!({ "acme-mail": "1.3.0" })));

    let (code, told, said) = bisect(&[]);
    assert_eq!(code, 0, "{told} {said}");
    for words in [
        "2 changes of the workflow and 2 of plugins that it uses lie between",
        "it cannot be tried: 'Mail' (acme-mail.send) is of plugin acme-mail, version 1.3.0, whose code this build does not run",
        "one of these changes did it",
        "plugin acme-mail 1.2.0 -> 1.3.0",
        "what they changed cannot be tried",
    ] {
        assert!(told.contains(words), "'{words}' is not in: {told}");
    }
    server.stop();
}

/// The model of the tests with other numbers in its last layer: what it answers is another class.
fn otherwise(folder: &Path) -> PathBuf {
    let mut content = fs::read(root().join("inference/runtime/tests/models/mlp.onnx")).unwrap();
    // The name of the weights, and the head of their twelve bytes.
    let head = b"\x42\x02b1\x4a\x0c";
    let at = content.windows(head.len()).position(|window| window == head).unwrap() + head.len();
    let numbers: Vec<u8> = [-20_f32, 0.0, 20.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    content[at..at + numbers.len()].copy_from_slice(&numbers);
    let file = folder.join("otherwise.onnx");
    fs::write(&file, content).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_promotion_that_made_a_model_answer_otherwise_is_found_by_asking_few_of_its_versions() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    let at = ["--server", server.url.as_str()];
    let model = |arguments: &[&str]| {
        let (code, told, said) = printed(&[&["model"], arguments, &at].concat());
        assert_eq!(code, 0, "{arguments:?}: {told} {said}");
    };
    let file = |name: &str| root().join("inference/runtime/tests/models").join(name).to_str().unwrap().to_owned();
    model(&["add", "mood", &file("mlp.onnx"), "--promote"]);
    model(&["add", "mood", &file("mlp-again.onnx")]);
    model(&["add", "mood", otherwise(folder.path()).to_str().unwrap()]);
    let rows = json!({
        "name": "Rows", "type": "n8n-nodes-base.code", "typeVersion": 2,
        "parameters": { "jsCode": "return [1, 2].map((n) => ({ json: { x: Array(8).fill(n / 10) } }));" }
    });
    let node = json!({ "name": "Ask", "type": "timeloom.model", "typeVersion": 1, "parameters": { "model": "mood" } });
    let workflow = server.import(&chain("Moods", &[rows, node])).await;
    let good = run(&server, &workflow).await;
    // The seventh of twelve changes brings the version that answers otherwise; the aliases are others' matter.
    for version in ["2", "1", "2", "1", "2", "1", "3"] {
        model(&["promote", "mood", version]);
    }
    for version in ["1", "2", "1", "2", "1"] {
        model(&["alias", "mood", "prod", version]);
    }
    let bad = run(&server, &workflow).await;
    let bisect = |more: &[&str]| printed(&[&["bisect", &good, &bad, "--model-versions"], more, &at].concat());

    let (code, told, said) = bisect(&["--json"]);
    assert_eq!(code, 0, "{told} {said}");
    let answer: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&answer["found"], &answer["between"]), (&json!("change"), &json!(12)), "{answer}");
    assert_eq!(answer["changes"][0]["type"], "ModelPromoted", "{answer}");
    assert_eq!((&answer["from"], &answer["to"]), (&json!({ "mood": 1 }), &json!({ "mood": 3 })), "{answer}");
    let steps = answer["steps"].as_array().unwrap().len();
    assert!((1..=5).contains(&steps), "{answer}");
    let query = "query($id: UUID!) { bisection(id: $id) { over tolerance found steps { point } } }";
    let record = server.ask(query, json!({ "id": answer["bisection"] })).await["bisection"].clone();
    assert_eq!((&record["over"], &record["tolerance"]), (&json!("MODEL_VERSIONS"), &json!(0.001)), "{record}");
    assert_eq!((&record["found"], record["steps"].as_array().unwrap().len()), (&json!("CHANGE"), steps), "{record}");
    // Every step is an evaluation in the log, and no version is asked twice in one search.
    let evaluations = "{ evaluations(first: 100) { nodes { version status } } }";
    let tried = server.ask(evaluations, json!({})).await["evaluations"]["nodes"].as_array().unwrap().clone();
    assert!((2..=3).contains(&tried.len()) && tried.iter().all(|one| one["status"] == "COMPLETED"), "{tried:?}");

    // What is bad may be said; it has to be so of the bad run itself.
    let (code, told, said) = bisect(&["--check", "$json.different === 0"]);
    assert!(
        code == 0 && told.contains("this change did it:") && told.contains("ModelPromoted"),
        "{code} {told} {said}"
    );
    assert!(told.contains("from version 1 of 'mood' to version 3 of 'mood'"), "{told}");
    let (code, _, said) = bisect(&["--check", "$json.different > 0"]);
    assert!(code == 2 && said.contains("is not true of the answers of the bad run"), "{code} {said}");

    // A run that the promotion did not change is no one's fault.
    let (code, told, said) =
        printed(&["bisect", &bad, &run(&server, &workflow).await, "--model-versions", at[0], at[1]]);
    assert!(code == 1 && told.contains("no change of a model's version did it"), "{code} {told} {said}");
    server.stop();
}
