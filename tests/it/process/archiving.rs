//! Old events go into the archive of a running server, and come back, and nothing that people ask for changes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use timeloom_postgres_testing::Database;

use super::server::{Server, chain, set, verb, verb_json};

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

/// What people see of the past: every event, and the state of an execution at its first event.
async fn past(server: &Server, execution: &str) -> Value {
    let head = server.ask("{ head { position } }", Value::Null).await["head"]["position"].clone();
    let query = "query($id: ID!, $to: Position) {
        stateAt(stream: { category: \"execution\", id: $id }, asOf: { revision: 1 }) { state }
        executions(first: 20, waitFor: $to) { nodes { id status startedAt nodeRuns(first: 10) { nodes { node status } } } }
    }";
    server.ask(query, json!({ "id": execution, "to": head })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_the_same_from_the_archive_after_restarts_and_in_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let [data, backup] = ["data", "backup"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &[]);
    let workflow =
        server.import(&chain("Old", &[set("One", "a", "={{ 1 }}"), set("Two", "b", "={{ $json.a + 1 }}")])).await;
    let mut execution = String::new();
    for _ in 0..20 {
        let started = server.start_execution(&workflow, "COMPLETED").await;
        execution = started["executionId"].as_str().unwrap().to_owned();
    }
    let events = verb_json(&["events", "list", "--limit", "100", "--server", &server.url, "--json"]);
    let before = past(&server, &execution).await;
    let archive = ["log", "archive", "--up-to", "1000000", "--server", &server.url, "--json"];
    let moved = verb_json(&archive);
    assert!(moved["events"].as_u64() > Some(50) && moved["segments"] == json!(1), "{moved}");
    assert_eq!(past(&server, &execution).await, before);
    let listed = verb_json(&["log", "segments", "--server", &server.url, "--json"]);
    let segment = &listed[0];
    assert_eq!((&segment["first"], &segment["last"]), (&json!("1"), &json!(moved["archivedUpTo"].to_string())));
    let file = data.join("archive").join(segment["name"].as_str().unwrap());
    assert_eq!(json!(fs::metadata(&file).unwrap().len()), segment["bytes"]);
    let again = verb_json(&["events", "list", "--limit", "100", "--server", &server.url, "--json"]);
    let told: Vec<&Value> =
        again["nodes"].as_array().unwrap().iter().filter(|event| event["type"] != "RangeArchived").collect();
    let shown: Vec<&Value> = events["nodes"].as_array().unwrap().iter().collect();
    assert_eq!(told.len().min(50), shown.len().min(50));
    // What was begun before goes on, and commands know what is archived.
    assert_eq!(server.start_execution(&workflow, "COMPLETED").await["status"], "COMPLETED");
    let report = verb_json(&["log", "backup", path(&backup), "--server", &server.url, "--json"]);
    assert!(report["events"].as_u64() > moved["events"].as_u64(), "{report}");
    server.stop();
    for log in [&data, &backup] {
        let report = verb_json(&["log", "verify", path(log), "--json"]);
        assert_eq!(report["faultCount"], json!(0), "{report}");
    }
    // The read models are built anew, from the archive too.
    for name in fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()) {
        let text = name.to_string_lossy().into_owned();
        if text.contains("read") && !name.is_dir() {
            fs::remove_file(&name).unwrap();
        }
    }
    let server = Server::start(&data, &[]);
    let nodes = "{ executions(first: 100) { nodes { id status } } head { position } }";
    let head = server.ask(nodes, Value::Null).await["head"]["position"].clone();
    let query = "query($to: Position) { executions(first: 100, waitFor: $to) { nodes { id status } } }";
    let rows = server.ask(query, json!({ "to": head })).await;
    assert_eq!(rows["executions"]["nodes"].as_array().unwrap().len(), 21);
    server.stop();
    // Without its segment the log says which one it misses.
    fs::rename(&file, folder.path().join("elsewhere")).unwrap();
    let output = verb(&["log", "verify", path(&data)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(segment["name"].as_str().unwrap()), "{said}");
}

/// Imports a workflow, runs it, and answers the last of its executions.
async fn worked(server: &Server) -> String {
    let workflow =
        server.import(&chain("Old", &[set("One", "a", "={{ 1 }}"), set("Two", "b", "={{ $json.a + 1 }}")])).await;
    let mut execution = String::new();
    for _ in 0..5 {
        let started = server.start_execution(&workflow, "COMPLETED").await;
        execution = started["executionId"].as_str().unwrap().to_owned();
    }
    execution
}

/// Whether a server says of each segment that it is what was archived.
async fn proved(server: &Server, segments: &Value) -> Vec<bool> {
    let mut proved = Vec::new();
    for segment in segments.as_array().unwrap() {
        let query = "query($first: Position!) { logSegmentCheck(first: $first) { proved problem } }";
        let check = server.ask(query, json!({ "first": segment["first"] })).await;
        proved.push(check["logSegmentCheck"]["proved"] == json!(true));
    }
    proved
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_archived_comes_back_by_its_segment_or_from_a_position_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let execution = worked(&server).await;
    let before = past(&server, &execution).await;
    let url = server.url.clone();
    let on = |arguments: &[&str]| verb_json(&[arguments, &["--server", &url, "--json"]].concat());
    for up_to in ["20", "40", "1000000"] {
        on(&["log", "archive", "--up-to", up_to]);
    }
    let segments = on(&["log", "segments"]);
    assert_eq!(proved(&server, &segments).await, [true; 3]);
    let second = segments[1]["name"].as_str().unwrap();
    let back = on(&["log", "unarchive", second]);
    assert_eq!(back["archivedUpTo"].to_string(), segments[0]["last"].as_str().unwrap(), "{back}");
    assert_eq!(on(&["log", "segments"]).as_array().unwrap().len(), 1);
    assert_eq!(past(&server, &execution).await, before);
    let unknown = verb(&["log", "unarchive", second, "--server", &url]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("timeloom log segments lists them"), "{unknown:?}");
    server.stop();
    // The same of a folder that nobody serves.
    let data = path(&data);
    let back = verb_json(&["log", "unarchive", "--from", "1", "--data", data, "--json"]);
    assert_eq!(back["archivedUpTo"], json!(0), "{back}");
    let nothing = verb(&["log", "unarchive", "--from", "1", "--data", data]);
    assert!(String::from_utf8_lossy(&nothing.stdout).contains("nothing to bring back"), "{nothing:?}");
    fs::remove_dir_all(Path::new(data).join("archive")).unwrap();
    let report = verb_json(&["log", "verify", data, "--json"]);
    assert_eq!(report["faultCount"], json!(0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_a_database_is_archived_under_several_servers() {
    let (database, folder) = (Database::create().await, tempfile::tempdir().unwrap());
    let [one, two, place] = ["one", "two", "segments"].map(|name| folder.path().join(name));
    let (one, two) =
        (Server::start(&one, &["--database", database.url()]), Server::start(&two, &["--database", database.url()]));
    let execution = worked(&one).await;
    let before = past(&one, &execution).await;
    let refused = verb(&["log", "archive", "--up-to", "50", "--server", &one.url]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("every process of the log has to reach it"), "{said}");
    let archive = ["log", "archive", "--to", path(&place), "--json"];
    verb_json(&[&archive[..], &["--up-to", "50", "--server", &one.url]].concat());
    verb_json(&[&archive[..], &["--up-to", "1000000", "--server", &two.url]].concat());
    let segments = verb_json(&["log", "segments", "--server", &two.url, "--json"]);
    for server in [&one, &two] {
        assert_eq!(past(server, &execution).await, before);
        assert_eq!(proved(server, &segments).await, [true; 2]);
    }
    let report = verb_json(&["log", "verify", database.url(), "--json"]);
    assert_eq!(report["faultCount"], json!(0), "{report}");
    let back = verb_json(&["log", "unarchive", "--from", "1", "--server", &one.url, "--json"]);
    assert_eq!(back["archivedUpTo"], json!(0), "{back}");
    assert_eq!(past(&two, &execution).await, before);
    assert_eq!(worked_again(&two).await, "COMPLETED");
    one.stop();
    two.stop();
}

/// How a run ends of the workflow that is there.
async fn worked_again(server: &Server) -> Value {
    let workflows = server.ask("{ workflows(first: 1) { nodes { id } } }", Value::Null).await;
    let workflow = workflows["workflows"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    server.start_execution(&workflow, "COMPLETED").await["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_archived_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    for (arguments, status, words) in [
        (&["--up-to", "5", "--before", "2026-01-01"][..], 2, "cannot be used with"),
        (&[][..], 2, "--up-to"),
        (&["--before", "yesterday"][..], 2, "write a position"),
        (&["--up-to", "5", "--to", "ftp://host/x"][..], 2, "give a folder or s3://BUCKET/PREFIX"),
    ] {
        let whole = [&["log", "archive", "--server", &server.url][..], arguments].concat();
        let output = verb(&whole);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    server.stop();
}
