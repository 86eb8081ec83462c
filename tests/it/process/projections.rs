//! The read models looked at and rebuilt in a running server, while executions are started.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use timeloom_domain::ids::TenantId;
use timeloom_postgres_testing::Database;
use timeloom_store::StreamKey;
use tokio::task::JoinSet;

use super::server::{Server, chain, program, set, verb, verb_json};
use super::time_travel::append_stranger;

/// Rebuilds, one after the other.
const REBUILDS: u32 = 5;

/// What a verb says on standard output, beside a running test.
async fn said(arguments: Vec<String>) -> (Option<i32>, String, String) {
    let run = move || std::process::Command::new(program()).args(arguments).output().unwrap();
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn arguments(verb: &[&str], server: &Server) -> Vec<String> {
    verb.iter().copied().chain(["--server", &server.url]).map(str::to_owned).collect()
}

/// Starts an execution and waits for its end; its id.
async fn completed(server: &Server, workflow: &str) -> String {
    let done = server.start_execution(workflow, "COMPLETED").await;
    assert_eq!(done["status"], "COMPLETED", "{done}");
    done["executionId"].as_str().unwrap().to_owned()
}

/// The ids of all completed executions that the rows have, in their order.
async fn shown(server: &Server) -> Vec<String> {
    let head = server.ask("{ head { position } }", json!({})).await["head"]["position"].clone();
    let query = "query($position: Position, $after: String) {
        executions(first: 100, after: $after, waitFor: $position, status: COMPLETED) {
            nodes { id } pageInfo { hasNextPage endCursor } } }";
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = server.ask(query, json!({ "position": head, "after": after })).await["executions"].clone();
        ids.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] != json!(true) {
            ids.sort();
            return ids;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// A folder with an event that no build can fold.
async fn poisoned(folder: &Path) {
    let stream = StreamKey::new(TenantId(0), "workflow", "7e57ab1e-0000-4000-8000-000000000001");
    append_stranger(folder, 100, stream, "WorkflowPainted", json!({ "colour": "blue" })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_rebuilds_while_executions_are_started() {
    let folder = tempfile::tempdir().unwrap();
    poisoned(folder.path()).await;
    let server = Server::start(folder.path(), &[]);
    let workflow = server.import(&chain("Busy", &[set("Step", "a", "={{ 1 }}")])).await;
    let mut ids = BTreeSet::new();
    for _ in 0..20 {
        ids.insert(completed(&server, &workflow).await);
    }

    let mut rebuilds = JoinSet::new();
    let arguments = arguments(&["projections", "rebuild", "--json"], &server);
    rebuilds.spawn(async move {
        let mut reports = Vec::new();
        for _ in 0..REBUILDS {
            reports.push(said(arguments.clone()).await);
        }
        reports
    });
    let reports = loop {
        if let Some(reports) = rebuilds.try_join_next() {
            break reports.unwrap();
        }
        ids.insert(completed(&server, &workflow).await);
    };
    let mut positions = Vec::new();
    for (status, told, errors) in reports {
        assert_eq!(status, Some(0), "{errors}");
        let report: Value = serde_json::from_str(&told).unwrap();
        let position = report["position"].as_u64().unwrap();
        assert!(report["events"].as_u64().unwrap() >= position, "it looked at the whole log: {report}");
        assert!(report["rows"].as_u64().unwrap() > 40 && report["projections"][0]["parked"] == json!(1), "{report}");
        positions.push(position);
    }
    assert!(positions.is_sorted() && positions.first() < positions.last(), "the log grew meanwhile: {positions:?}");

    // Every execution is there, as it was told to whoever started it, and none twice.
    assert_eq!(shown(&server).await, ids.into_iter().collect::<Vec<_>>());
    let listed = verb_json(&["projections", "list", "--json", "--server", &server.url]);
    for projection in listed.as_array().unwrap() {
        assert_eq!((&projection["building"], &projection["role"]), (&Value::Null, &json!("WRITER")), "{projection}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_events_are_told_by_a_server_and_from_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    poisoned(folder.path()).await;
    let server = Server::start(folder.path(), &[]);
    server.import(&chain("Flow", &[])).await;
    for (verb, words) in [
        (vec!["projections", "list"], "workflows, first parked: 1  workflow/7e57ab1e"),
        (vec!["projections", "parked"], "workflows  1  workflow/7e57ab1e-0000-4000-8000-000000000001  WorkflowPainted"),
        (vec!["projections", "parked", "workflows", "--json"], "\"projection\":\"workflows\""),
        (vec!["projections", "retry", "workflows"], "1 events are parked still"),
        (vec!["projections", "rebuild", "workflows"], "workflows: 1 events are parked: "),
    ] {
        let (status, told, errors) = said(arguments(&verb, &server)).await;
        assert_eq!(status, Some(0), "{verb:?}: {errors}");
        assert!(told.contains(words), "{verb:?}: '{words}' is not in: {told}");
    }
    for verb in [["projections", "rebuild", "orders"], ["projections", "parked", "orders"]] {
        let (status, _, errors) = said(arguments(&verb, &server)).await;
        assert_eq!(status, Some(2), "{errors}");
        assert!(errors.contains("there is no projection 'orders': name one of workflows, "), "{errors}");
    }
    server.stop();

    let data = folder.path().to_str().unwrap();
    let listed = verb_json(&["projections", "list", "--json", "--data", data]);
    let parked = listed.as_array().unwrap().iter().map(|each| each["parkedCount"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(parked, 1, "{listed}");
    let output = verb(&["projections", "retry", "--data", data]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 events are parked still"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stands_by_says_which_to_ask() {
    let database = Database::create().await;
    let unused = tempfile::tempdir().unwrap();
    let start = || Server::start(&unused.path().join("unused"), &["--database", database.url()]);
    let (first, standby) = (start(), start());
    let imported = "query($position: Position) { workflows(waitFor: $position) { nodes { id } } }";
    first.import(&chain("Flow", &[])).await;
    let mut writers = 0;
    for server in [&first, &standby] {
        // A process that shows rows knows which part it has.
        server.ask(imported, json!({ "position": "1" })).await;
        let data = server.ask("{ projections { role } }", json!({})).await;
        let writes = data["projections"][0]["role"] == "WRITER";
        writers += u32::from(writes);
        for verb in [["projections", "rebuild"], ["projections", "retry"]] {
            let (status, told, errors) = said(arguments(&verb, server)).await;
            if writes {
                assert_eq!(status, Some(0), "{errors}");
            } else {
                assert_eq!((status, told.as_str()), (Some(2), ""));
                assert!(
                    errors.contains("ask the server of the same database whose `projections` have the role WRITER")
                );
            }
        }
        let (status, told, _) = said(arguments(&["projections", "list"], server)).await;
        assert!(status == Some(0) && told.contains("node_runs"), "{told}");
    }
    assert_eq!(writers, 1);
    standby.stop();
    first.stop();
}
