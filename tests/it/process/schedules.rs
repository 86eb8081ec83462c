//! Executions that begin by the clock, in the program as people run it: once each, whatever is killed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use timeloom_domain::ids::WorkflowId;
use timeloom_engine::scheduler::firing_id;
use timeloom_postgres_testing::Database;

use super::crash::ended_status;
use super::server::{Server, set};

const SECOND: i64 = 1_000;

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The second after a time.
fn next_second(after_ms: i64) -> i64 {
    (after_ms.div_euclid(SECOND) + 1) * SECOND
}

/// A workflow that is due every second.
fn every_second(name: &str, settings: Value) -> Value {
    let trigger = json!({
        "name": "Clock", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "position": [0, 0],
        "parameters": { "rule": { "interval": [{ "field": "cronExpression", "expression": "* * * * * *" }] } }
    });
    let mut step = set("Step", "n", "={{ 1 }}");
    step["position"] = json!([200, 0]);
    json!({
        "name": name, "nodes": [trigger, step], "settings": settings,
        "connections": { "Clock": { "main": [[{ "node": "Step", "type": "main", "index": 0 }]] } }
    })
}

/// Sends a mutation on a workflow that is not refused.
pub(super) async fn change(server: &Server, mutation: &str, workflow: &str) {
    let query = format!(
        "mutation($id: UUID!) {{ payload: {mutation}(input: {{ workflowId: $id }}) {{ errors {{ message }} }} }}"
    );
    let payload = server.ask(&query, json!({ "id": workflow })).await["payload"].clone();
    assert_eq!(payload["errors"], json!([]), "{mutation}: {payload}");
}

/// An active workflow; answers its id.
async fn activate(server: &Server, workflow: &Value) -> String {
    let id = server.import(workflow).await;
    change(server, "publishWorkflow", &id).await;
    change(server, "activateWorkflow", &id).await;
    id
}

/// The first events of all executions, in order of the log: id and payload.
pub(super) async fn starts(server: &Server) -> Vec<(String, Value)> {
    let query = "query($after: String) { events(first: 100, after: $after, filter: { types: [\"ExecutionStarted\"] }) {
        nodes { streamId payload } pageInfo { hasNextPage endCursor } } }";
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let events = server.ask(query, json!({ "after": after })).await["events"].clone();
        for event in events["nodes"].as_array().unwrap() {
            found.push((event["streamId"].as_str().unwrap().to_owned(), event["payload"].clone()));
        }
        if events["pageInfo"]["hasNextPage"] == false {
            return found;
        }
        after = events["pageInfo"]["endCursor"].clone();
    }
}

/// When the executions of each workflow were due.
async fn due(server: &Server) -> BTreeMap<String, Vec<i64>> {
    let mut due: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (_, start) in starts(server).await {
        let at = start["trigger"]["due_at_ms"].as_i64().unwrap_or_else(|| panic!("{start}"));
        due.entry(start["workflow_id"].as_str().unwrap().to_owned()).or_default().push(at);
    }
    due.values_mut().for_each(|times| times.sort_unstable());
    due
}

fn execution(workflow: &str, due_at_ms: i64) -> String {
    let id = WorkflowId(workflow.parse().unwrap());
    firing_id(id, "Clock", due_at_ms).to_string()
}

fn seconds(from: i64, to: i64) -> Vec<i64> {
    (from..=to).step_by(SECOND as usize).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_four_schedulers_on_one_database_each_time_begins_one_execution() {
    let database = Database::create().await;
    let unused = tempfile::tempdir().unwrap();
    let start = || Server::start(&unused.path().join("unused"), &["--database", database.url()]);
    let mut servers: Vec<Server> = (0..4).map(|_| start()).collect();
    let workflow = activate(&servers[1], &every_second("Ticks", json!({}))).await;
    let (first, count) = (next_second(now_ms()), 6);
    for nth in 0..count {
        let id = execution(&workflow, first + nth * SECOND);
        assert_eq!(ended_status(&servers[nth as usize % 4], &id).await, "COMPLETED");
        if nth == 2 {
            // One of them dies, and is not missed.
            servers.pop().unwrap().kill();
            servers.push(start());
        }
    }
    change(&servers[2], "deactivateWorkflow", &workflow).await;
    let stopped = now_ms();
    let times = due(&servers[0]).await.remove(&workflow).unwrap();
    let last = *times.last().unwrap();
    assert_eq!(times, seconds(times[0], last), "every second is there, and none twice");
    assert!(times[0] <= first && last >= first + (count - 1) * SECOND && last <= stopped, "{times:?}");
    for server in servers {
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_that_were_missed_after_kill_9_are_treated_as_each_workflow_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut ids = BTreeMap::new();
    for policy in ["skip", "once", "all"] {
        ids.insert(policy, activate(&server, &every_second(policy, json!({ "misfire": policy }))).await);
    }
    let first = next_second(now_ms());
    for id in ids.values() {
        assert_eq!(ended_status(&server, &execution(id, first)).await, "COMPLETED");
    }
    server.kill();
    let killed = now_ms();
    // Only the clock itself can bring what is missed.
    std::thread::sleep(Duration::from_millis(2_500));
    let restarted = now_ms();
    let server = Server::start(folder.path(), &[]);
    let after = next_second(now_ms() + SECOND);
    for id in ids.values() {
        assert_eq!(ended_status(&server, &execution(id, after)).await, "COMPLETED");
    }
    let due = due(&server).await;
    server.stop();
    let of = |policy: &str| {
        let times = &due[&ids[policy]];
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{policy}: {times:?}");
        times.iter().copied().filter(|time| *time > killed).collect::<Vec<i64>>()
    };
    let (skip, once, all) = (of("skip"), of("once"), of("all"));
    assert!(skip[0] > restarted, "what was missed is left out: {skip:?}");
    assert_eq!(once[0] + SECOND, skip[0], "one stands for all that was missed: {once:?}");
    assert_eq!(all, seconds(next_second(killed), *all.last().unwrap()), "all are made up for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_goes_on_after_a_restart_and_ends_when_its_workflow_is_published_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let workflow = activate(&server, &every_second("Ticks", json!({}))).await;
    server.stop();
    let server = Server::start(folder.path(), &[]);
    let id = execution(&workflow, next_second(now_ms()));
    assert_eq!(ended_status(&server, &id).await, "COMPLETED");
    let mut yearly = every_second("Ticks", json!({}));
    yearly["nodes"][0]["parameters"]["rule"]["interval"][0]["expression"] = json!("0 0 29 2 *");
    let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { errors { message } } }";
    let input = json!({ "workflowId": workflow, "source": yearly.to_string() });
    server.ask(query, json!({ "input": input })).await;
    change(&server, "publishWorkflow", &workflow).await;
    let published = now_ms();
    // Another workflow tells that the clock has gone on.
    let other = activate(&server, &every_second("Other", json!({}))).await;
    let id = execution(&other, next_second(now_ms() + SECOND));
    assert_eq!(ended_status(&server, &id).await, "COMPLETED");
    assert!(due(&server).await[&workflow].iter().all(|time| *time <= published));
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_says_no_time_is_refused_with_its_node() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut wrong = every_second("Wrong", json!({}));
    wrong["nodes"][0]["parameters"]["rule"]["interval"][0]["expression"] = json!("every noon");
    let id = server.import(&wrong).await;
    change(&server, "publishWorkflow", &id).await;
    let query = "mutation($id: UUID!) { activateWorkflow(input: { workflowId: $id }) {
        errors { message ... on Refused { problems { node field } } } } }";
    let errors = server.ask(query, json!({ "id": id })).await["activateWorkflow"]["errors"].clone();
    assert_eq!(errors[0]["problems"][0]["node"], "Clock", "{errors}");
    assert!(errors[0]["message"].as_str().unwrap().contains("'every noon' is not a cron expression"), "{errors}");
    server.stop();
}
