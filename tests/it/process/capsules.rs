//! Capsules: made on one machine, and opened, proved and run again on another that has nothing else.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::server::{Server, chain, program, set, verb, verb_json};

/// Signs quickly, so that tests need not wait a minute.
const QUICK: [&str; 2] = ["--checkpoint-seconds", "1"];

/// Runs a verb on an empty machine: in a folder without anything but what is in it.
fn elsewhere(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command.output().unwrap()
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn keys(server: &Server) -> String {
    let (code, keys, said) = told(&verb(&["audit", "keys", "--server", &server.url]));
    assert_eq!(code, 0, "{said}");
    keys
}

/// A call to an address of this server, which answers the same every time: its health.
fn calling(server: &Server) -> Value {
    json!({
        "name": "Call", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
        "parameters": { "url": format!("={{{{ '{}/health/live?n=' + $json.n }}}}", server.url), "options": {} }
    })
}

fn made(server: &Server, execution: &str, file: &Path) -> Value {
    let file = file.to_str().unwrap();
    verb_json(&["capsule", "make", execution, "-o", file, "--server", &server.url, "--json"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capsule_opens_proves_itself_and_runs_again_where_there_is_nothing_else() {
    let [here, there] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let server = Server::start(here.path(), &[&QUICK[..], &["--allow-private-hosts", "*"]].concat());
    let steps =
        [set("Step", "n", "={{ 41 + 1 }}"), calling(&server), set("Last", "m", "={{ $('Step').item.json.n * 2 }}")];
    let workflow = server.import(&chain("Capsuled", &steps)).await;
    let started = server.start_execution(&workflow, "COMPLETED").await;
    let execution = started["executionId"].as_str().unwrap();
    // Others' events are in the log and not in the capsule.
    let other = server.import(&chain("Other", &[set("Secret", "secret", "={{ 123456789 }}")])).await;
    server.start_execution(&other, "COMPLETED").await;
    let summary = made(&server, execution, &there.path().join("run.capsule"));
    assert_eq!(summary["in_force"]["workflows"][0]["name"], "Capsuled", "{summary}");
    let again = there.path().join("again.capsule");
    made(&server, execution, &again);
    assert!(
        fs::read(&again).unwrap() == fs::read(there.path().join("run.capsule")).unwrap(),
        "it is the same file twice"
    );
    fs::write(there.path().join("keys.txt"), keys(&server)).unwrap();
    server.stop();
    drop(here);

    let (code, shown, said) = told(&elsewhere(there.path(), &["capsule", "show", "run.capsule", "--events"]));
    assert_eq!(code, 0, "{said}");
    for words in [execution, "is completed", "ran 'Capsuled'", "n8n-nodes-base.httpRequest 4.2", "NodeCompleted"] {
        assert!(shown.contains(words), "'{words}' is not in: {shown}");
    }
    assert!(!shown.contains(&other), "{shown}");
    let proved = ["capsule", "verify", "run.capsule", "--key", "keys.txt"];
    let (code, words, said) = told(&elsewhere(there.path(), &proved));
    assert!(code == 0 && words.starts_with("PROVED"), "{code} {words} {said}");
    let (code, words, _) = told(&elsewhere(there.path(), &["capsule", "verify", "run.capsule"]));
    assert!(code == 2 && words.starts_with("WHOLE, BUT NOT PROVED"), "{code} {words}");

    let (code, words, said) = told(&elsewhere(there.path(), &["capsule", "replay", "run.capsule"]));
    assert!(code == 0 && words.contains("the same came of it"), "{code} {words} {said}");
    a_test_is_made_of_it(there.path());
    // Nothing was opened, and nothing is left but what was asked for.
    assert!(!there.path().join("data").exists());
}

/// A capsule with its definition, changed in one place after the other.
fn a_test_is_made_of_it(folder: &Path) {
    let (code, words, said) = told(&elsewhere(folder, &["capsule", "import", "run.capsule", "--into", "case"]));
    assert_eq!(code, 0, "{said}");
    assert!(words.contains("'Capsuled' as it was run"), "{words}");
    let (code, _, said) = told(&elsewhere(folder, &["capsule", "replay", "case"]));
    assert_eq!(code, 0, "{said}");
    let file = folder.join("case/workflow.json");
    let definition = fs::read_to_string(&file).unwrap();
    assert!(definition.contains(".n * 2"), "{definition}");
    // What only computes is computed anew.
    fs::write(&file, definition.replace(".n * 2", ".n * 3")).unwrap();
    let (code, words, _) = told(&elsewhere(folder, &["capsule", "replay", "case"]));
    assert_eq!(code, 3, "{words}");
    assert!(words.contains("'Last' gives something else") && words.contains("84 → 126"), "{words}");
    // What would ask the world something else is not asked.
    fs::write(&file, definition.replace("41 + 1", "41 + 2")).unwrap();
    let changed = elsewhere(folder, &["capsule", "replay", "case", "--json"]);
    let answer: Value = serde_json::from_slice(&changed.stdout).unwrap();
    assert_eq!((changed.status.code(), &answer["outcome"]), (Some(3), &json!("not-answered")), "{answer}");
    let (code, _, said) = told(&elsewhere(folder, &["capsule", "import", "run.capsule", "--into", "case"]));
    assert!(code == 2 && said.contains("case is there already"), "{code} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capsule_has_what_was_called_and_what_it_goes_on_from_and_nothing_that_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &QUICK);
    let secret = "ada@example.org";
    let mut inner = chain("Inner", &[set("Twice", "twice", "={{ $json.n * 2 }}")]);
    inner["nodes"][0] = json!({
        "id": "start", "name": "Start", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1.1,
        "position": [0, 0], "parameters": { "inputSource": "passthrough" }
    });
    let inner = server.import(&inner).await;
    let call = json!({
        "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.1,
        "parameters": { "workflowId": inner, "options": {} }
    });
    let outer = server.import(&chain("Outer", &[set("Give", "n", "={{ 4 }}"), call])).await;
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId status } }";
    let input = json!({ "workflowId": outer, "items": [{ "mail": secret }], "subject": "ada", "waitFor": "COMPLETED" });
    let started = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
    assert_eq!(started["status"], "COMPLETED", "{started}");
    let execution = started["executionId"].as_str().unwrap();
    let forked = verb_json(&["execution", "fork", execution, "--at", "r1", "--server", &server.url, "--json"]);
    let fork = forked["executionId"].as_str().unwrap();
    let ended = format!("query {{ execution(id: \"{fork}\") {{ status }} }}");
    while server.ask(&ended, json!({})).await["execution"]["status"] != "COMPLETED" {
        tokio::task::yield_now().await;
    }
    let file = folder.path().join("fork.capsule");
    let summary = made(&server, fork, &file);
    let roles: Vec<&str> =
        summary["streams"].as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
    for role in ["execution", "earlier", "called", "workflow"] {
        assert!(roles.contains(&role), "{role} is not in {roles:?}");
    }
    let names: Vec<&Value> =
        summary["in_force"]["workflows"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(summary["sealed_events"].as_u64().unwrap() > 0, "{summary}");
    // Not in the file, not in what is shown of it.
    let shown = verb(&["capsule", "show", file.to_str().unwrap(), "--json", "--events"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert!(!unpacked(&file).contains(secret) && !String::from_utf8_lossy(&shown.stdout).contains(secret));
    server.stop();
}

/// All texts of a capsule.
fn unpacked(file: &Path) -> String {
    let mut archive = zip::ZipArchive::new(fs::File::open(file).unwrap()).unwrap();
    let mut all = String::new();
    for index in 0..archive.len() {
        std::io::Read::read_to_string(&mut archive.by_index(index).unwrap(), &mut all).unwrap();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_capsule_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &QUICK);
    let wait = json!({
        "name": "Wait", "type": "n8n-nodes-base.wait", "typeVersion": 1.1, "webhookId": "w",
        "parameters": { "resume": "webhook", "options": {} }
    });
    let waiting = server.import(&chain("Waits", &[wait])).await;
    let open = server.start_execution(&waiting, "STARTED").await["executionId"].as_str().unwrap().to_owned();
    let workflow = server.import(&chain("Plain", &[set("Set", "a", "1")])).await;
    let ended = server.start_execution(&workflow, "COMPLETED").await["executionId"].as_str().unwrap().to_owned();
    let file = folder.path().join("run.capsule");
    let path = file.to_str().unwrap();
    let make = |execution: &str| told(&verb(&["capsule", "make", execution, "-o", path, "--server", &server.url]));
    let (code, _, said) = make(&open);
    assert!(
        code == 2 && said.contains("has not ended: whoever has a capsule of it could make it go on"),
        "{code} {said}"
    );
    let (code, _, said) = make("01900000-0000-7000-8000-00000000dead");
    assert!(code == 2 && said.contains("there is nothing called execution/"), "{code} {said}");
    assert!(!file.exists());
    server.stop();
    // Out of a folder that nobody serves.
    let at_rest = ["capsule", "make", &ended, "-o", path, "--data", data.to_str().unwrap()];
    let (code, words, said) = told(&verb(&at_rest));
    assert!(code == 0 && words.contains("events"), "{code} {said}");

    let content = fs::read(&file).unwrap();
    fs::write(&file, &content[..content.len() - 30]).unwrap();
    for arguments in
        [vec!["show", path], vec!["verify", path], vec!["replay", path], vec!["import", path, "--into", "x"]]
    {
        let (code, _, said) = told(&verb(&[&["capsule"], &arguments[..]].concat()));
        assert!(code == 2 && said.contains("this is no whole capsule"), "{arguments:?}: {code} {said}");
    }
    let (code, _, said) = told(&verb(&["capsule", "show", "/nowhere.capsule"]));
    assert!(code == 2 && said.contains("/nowhere.capsule cannot be read"), "{code} {said}");
}
