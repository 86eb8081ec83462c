//! Evaluation sets with the program itself: cases from a file, versions of a workflow tried on them, and what got worse.

mod judges;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Server, chain, verb, verb_json};

/// Longest time for something that goes on by itself.
const TIME_MAX: Duration = Duration::from_secs(120);
/// What the second version does worse, and what better.
const CASES: &str = r#"{"id": "parcel", "input": {"text": "my parcel is late"}, "expected": {"label": "delivery"}}
{"id": "came", "input": {"text": "it came late"}, "expected": {"label": "delivery"}}
{"input": {"text": "a refund, please"}, "expected": {"label": "refund"}}

{"id": "hello", "input": {"text": "hello"}, "expected": {"label": "other"}}
"#;

/// A node that gives a label to what has a word in it.
fn labels(word: &str, label: &str) -> Value {
    let code = format!(
        "return $input.all().map((item) => ({{ json: {{ label: item.json.text.includes('{word}') ? '{label}' : 'other' }} }}));"
    );
    code_node("Labels", &code)
}

fn code_node(name: &str, code: &str) -> Value {
    json!({ "name": name, "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": { "jsCode": code } })
}

fn eval(server: &Server, words: &[&str]) -> (Option<i32>, Value) {
    let output = verb(&[&["eval"], words, &["--server", &server.url, "--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"));
    (output.status.code(), value)
}

#[track_caller]
fn refused(server: &Server, words: &[&str], why: &str) {
    let output = verb(&[&["eval"], words, &["--server", &server.url]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains(why), "{words:?}: {told}");
}

fn publish(server: &Server, id: &str) {
    verb_json(&["workflow", "publish", id, "--server", &server.url, "--json"]);
}

/// A workflow with a version for each of these nodes.
async fn workflow(server: &Server, name: &str, versions: &[Value]) -> String {
    let id = server.import(&chain(name, &versions[..1])).await;
    publish(server, &id);
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
    for version in &versions[1..] {
        let source = chain(name, std::slice::from_ref(version)).to_string();
        let data = server.ask(query, json!({ "input": { "workflowId": id, "source": source } })).await;
        assert_eq!(data["importWorkflow"]["errors"], json!([]), "{data}");
        publish(server, &id);
    }
    id
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_of_a_workflow_are_tried_on_a_set_and_it_is_told_which_cases_got_worse() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let file = written(folder.path(), "cases.jsonl", CASES);
    let (status, set) = eval(&server, &["set", "create", "support/questions", &file, "--description", "Labels."]);
    assert_eq!((status, &set["version"]), (Some(0), &json!({ "version": 1, "caseCount": 4 })), "{set}");
    let (_, shown) = eval(&server, &["set", "show", "support/questions"]);
    let cases = shown["version"]["cases"].as_array().unwrap();
    let ids: Vec<&str> = cases.iter().map(|case| case["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["parcel", "came", "3", "hello"]);
    assert_eq!(cases[2]["expected"], json!({ "label": "refund" }));

    let id = workflow(&server, "Labels", &[labels("late", "delivery"), labels("refund", "refund")]).await;
    let of = |version: u32| format!("{id}@{version}");
    let tried = |version: u32| eval(&server, &["run", "support/questions", "--workflow", &of(version)]);
    let (status, before) = tried(1);
    assert_eq!((status, &before["status"], &before["summary"]), (Some(0), &json!("COMPLETED"), &json!("equal 0.750")));
    assert_eq!((&before["setName"], &before["setVersion"]), (&json!("support/questions"), &json!(1)));
    let told = &before["scored"]["told"];
    assert_eq!((&told[0]["caseId"], &told[1]), (&json!("3"), &Value::Null), "{before}");
    assert_eq!(told[0]["verdicts"][0]["reason"], json!("it is another value at /label"));
    let (_, after) = tried(2);
    assert_eq!(after["scored"]["scorers"][0], json!({ "name": "equal", "mean": 0.5, "count": 4, "failed": 0 }));

    let ids = [&before["id"], &after["id"]].map(|id| id.as_str().unwrap());
    let (status, compared) = eval(&server, &["compare", ids[0], ids[1]]);
    let equal = &compared["scorers"][0];
    assert_eq!(status, Some(3), "something got worse");
    let counts = ["cases", "wins", "losses", "ties"].map(|field| equal[field].as_u64().unwrap());
    assert_eq!((counts, &equal["difference"], &equal["pValue"]), ([4, 1, 2, 1], &json!(-0.25), &json!(1.0)));
    let worse: Vec<&str> =
        equal["worse"].as_array().unwrap().iter().map(|case| case["caseId"].as_str().unwrap()).collect();
    assert_eq!(worse, ["parcel", "came"]);
    assert_eq!(eval(&server, &["compare", ids[0], ids[0]]).0, Some(0));

    // What was run for a case is an execution like others, which knows why it ran.
    let execution = &before["scored"]["scores"][0]["executionId"];
    let query = "query($id: UUID!) { execution(id: $id) { status mode workflowVersion } }";
    let run = server.ask(query, json!({ "id": execution })).await;
    assert_eq!(run["execution"], json!({ "status": "COMPLETED", "mode": "MANUAL", "workflowVersion": 1 }));

    let judge = "const { output, expected } = $input.first().json;
        return [{ json: { score: output.label === expected.label ? 1 : 0.5 } }];";
    let judge = workflow(&server, "Judge", &[code_node("Judges", judge)]).await;
    let (judge, second) = (format!("workflow:{judge}@1"), of(2));
    let run = ["run", "support/questions@1", "--workflow", &second, "--scorer", &judge, "--scorer", "contains"];
    let (status, judged) = eval(&server, &[&run[..], &["--at-least", "0.6"]].concat());
    let means: Vec<&Value> = judged["scored"]["scorers"].as_array().unwrap().iter().map(|one| &one["mean"]).collect();
    assert_eq!((status, means), (Some(3), vec![&json!(0.75), &json!(0.5)]), "{judged}");
    let (_, listed) = eval(&server, &["list", "--set", "support/questions"]);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_case_no_set_or_no_scorer_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let bad = written(folder.path(), "bad.jsonl", "{\"input\": 1}\n\n{\"expected\": 2}\n");
    refused(&server, &["set", "create", "questions", &bad], "line 3 is no case: missing field `input`");
    let none = written(folder.path(), "none.jsonl", "\n");
    refused(&server, &["set", "create", "questions", &none], "a version has 1 to 1000 cases, not 0");
    let twice = written(folder.path(), "twice.jsonl", "{\"id\": 2, \"input\": 1}\n{\"input\": 2}\n");
    refused(&server, &["set", "create", "questions", &twice], "there are two cases '2'");
    let good = written(folder.path(), "good.jsonl", "{\"input\": 1}\n{\"input\": 2}\n");
    refused(&server, &["set", "create", "Questions", &good], "is not a valid name");
    assert_eq!(eval(&server, &["set", "create", "questions", &good]).0, Some(0));
    refused(&server, &["set", "create", "questions", &good], "there is an evaluation set 'questions' already");
    refused(&server, &["set", "add", "others", &good], "there is no such evaluation set");

    let (_, added) = eval(&server, &["set", "add", "questions", &good, "--keep"]);
    assert_eq!(added["version"], json!({ "version": 2, "caseCount": 4 }));
    refused(&server, &["set", "add", "questions", &good, "--after", "1"], "the newest version is 2, not 1");
    let (_, shown) = eval(&server, &["set", "show", "questions"]);
    let ids: Vec<&Value> = shown["version"]["cases"].as_array().unwrap().iter().map(|case| &case["id"]).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let (_, fewer) = eval(&server, &["set", "remove", "questions", "2", "4"]);
    assert_eq!(fewer["version"], json!({ "version": 3, "caseCount": 2 }));
    refused(&server, &["set", "remove", "questions", "2"], "the newest version has no case '2'");
    refused(&server, &["set", "remove", "questions", "1", "3"], "a version has 1 to 1000 cases, not 0");
    assert_eq!(eval(&server, &["set", "add", "questions", &good, "--keep"]).0, Some(0));

    let id = workflow(&server, "Labels", &[labels("a", "b")]).await;
    let (first, second) = (format!("{id}@1"), format!("{id}@2"));
    refused(&server, &["run", "questions", "--workflow", &second], "the workflow has no version 2");
    refused(&server, &["run", "questions@7", "--workflow", &first], "has no version 7: its newest is 4");
    refused(&server, &["run", "questions", "--model", "mood@1"], "mood");
    refused(
        &server,
        &["run", "questions", "--workflow", &first, "--scorer", "matches:("],
        "is not a regular expression",
    );
    let (status, unsaid) = eval(&server, &["run", "questions", "--workflow", &first]);
    let report = &unsaid["scored"];
    // It fails on numbers, which have no words.
    assert_eq!(
        (status, &report["failed"], &report["scorers"][0]["mean"]),
        (Some(0), &json!(4), &json!(0.0)),
        "{unsaid}"
    );
    let failure = report["told"][0]["failure"].as_str().unwrap();
    assert!(failure.starts_with("execution ") && failure.ends_with("failed in node 'Labels'"), "{failure}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evaluation_ends_though_the_server_is_killed_and_runs_each_case_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let lines: String = (0..30)
        .map(|number| {
            format!("{{\"input\": {{\"text\": \"late {number}\"}}, \"expected\": {{\"label\": \"delivery\"}}}}\n")
        })
        .collect();
    let file = written(folder.path(), "cases.jsonl", &lines);
    assert_eq!(eval(&server, &["set", "create", "many", &file]).0, Some(0));
    let id = workflow(&server, "Labels", &[labels("late", "delivery")]).await;
    let query = "mutation($input: StartEvaluationInput!) { startEvaluation(input: $input) {
        errors { message } evaluation { id } } }";
    let input = json!({ "set": "many", "workflowId": id, "version": 1, "scorers": [{ "kind": "EQUAL" }] });
    let started = server.ask(query, json!({ "input": input })).await;
    let evaluation = started["startEvaluation"]["evaluation"]["id"].clone();
    server.kill();

    let server = Server::start(folder.path(), &[]);
    let query = "query($id: UUID!) { evaluation(id: $id) { status summary } }";
    let completed = async {
        loop {
            let shown = server.ask(query, json!({ "id": evaluation })).await["evaluation"].clone();
            if shown["status"] != "REQUESTED" {
                return shown;
            }
        }
    };
    let shown = tokio::time::timeout(TIME_MAX, completed).await.unwrap();
    assert_eq!(shown, json!({ "status": "COMPLETED", "summary": "equal 1.000" }));
    let query = "query($id: UUID!) { executions(first: 100, workflowId: $id) { nodes { status } } }";
    let executions = server.ask(query, json!({ "id": id })).await;
    assert_eq!(executions["executions"]["nodes"].as_array().unwrap().len(), 30, "{executions}");
    server.stop();
}
