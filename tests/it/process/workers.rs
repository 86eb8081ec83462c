//! Many processes on one database: they share the executions out, go on with those of one that died or sleeps, and none of
//! it is recorded twice.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use timeloom_postgres_testing::{Database, Server as Postgres};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::crash::ended_status;
use super::gate::Gate;
use super::server::{Server, chain, client, set, verb, verb_json};

/// Longest time that a test waits for processes to share shards out.
const PATIENCE: Duration = Duration::from_secs(60);
const WORKERS: &str = "{ workers { id roles address shards heartbeatAt live } }";
const SHARDS: usize = 64;

fn start(database: &Database, gate: Option<&Gate>, more: &[&str]) -> Server {
    let unused = tempfile::tempdir().unwrap();
    let mut arguments = vec!["--database", database.url()];
    arguments.extend(gate.iter().flat_map(|gate| ["--allow-private-hosts", gate.host.as_str()]));
    arguments.extend(more);
    Server::start(&unused.path().join("unused"), &arguments)
}

async fn workers(server: &Server) -> Vec<Value> {
    server.ask(WORKERS, json!({})).await["workers"].as_array().unwrap().clone()
}

/// Waits until so many live processes have all shards between them, and each has some.
pub(super) async fn shared_by(count: usize, server: &Server) -> Vec<Value> {
    let sharing = async {
        loop {
            let all = workers(server).await;
            let shards = |worker: &Value| worker["shards"].as_array().unwrap().len();
            let live: Vec<Value> =
                all.into_iter().filter(|worker| worker["live"] == true && shards(worker) > 0).collect();
            if live.len() == count && live.iter().map(shards).sum::<usize>() == SHARDS {
                return live;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, sharing).await.expect("the processes share the executions out")
}

/// Every one of these has completed once, and no node run of any has two results.
async fn completed_once(database: &Database, executions: &[String]) {
    let client = database.client().await;
    let twice = "SELECT count(*) FROM (SELECT FROM events WHERE event_type IN ('NodeCompleted', 'NodeFailed') \
                 GROUP BY aggregate_id, payload->'run'->>'execution_index' HAVING count(*) > 1) AS twice";
    assert_eq!(client.query_one(twice, &[]).await.unwrap().get::<_, i64>(0), 0, "a result is recorded twice");
    let completed = "SELECT count(*) FROM events WHERE event_type = 'ExecutionCompleted' AND aggregate_id = ANY($1)";
    let ended = client.query_one(completed, &[&executions]).await.unwrap().get::<_, i64>(0);
    assert_eq!(ended, i64::try_from(executions.len()).unwrap());
    let verified = verb_json(&["log", "verify", database.url(), "--json"]);
    assert_eq!(verified["faultCount"], 0, "{verified}");
}

async fn begin(server: &Server, workflow: &str, count: usize) -> Vec<String> {
    let mut executions = Vec::new();
    for _ in 0..count {
        let started = server.start_execution(workflow, "STARTED").await;
        executions.push(started["executionId"].as_str().unwrap().to_owned());
    }
    executions
}

async fn all_completed(server: &Server, executions: &[String]) {
    for execution in executions {
        assert_eq!(ended_status(server, execution).await, "COMPLETED", "{execution}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_of_a_killed_process_go_on_in_others_within_five_seconds() {
    const EXECUTIONS: usize = 30;
    let database = Database::create().await;
    let gate = Gate::start().await;
    let first = start(&database, Some(&gate), &[]);
    let (second, third) = (start(&database, Some(&gate), &[]), start(&database, Some(&gate), &[]));
    shared_by(3, &first).await;
    let workflow = third.import(&gate.workflow()).await;
    let executions = begin(&first, &workflow, EXECUTIONS).await;
    gate.asked_by(EXECUTIONS).await;
    let (dead, url) = (second.pid(), second.url.clone());
    second.kill();
    // Those of the dead process ask again, under their keys; then everything may go on.
    let listed = shared_by(2, &first).await;
    assert!(listed.iter().all(|worker| worker["address"] != url.as_str()), "{dead} is dead: {listed:?}");
    gate.open();
    all_completed(&third, &executions).await;
    completed_once(&database, &executions).await;
    let client = database.client().await;
    let late = "SELECT coalesce(max(extract(epoch FROM recorded_at - heartbeat_at)), 0)::float8 \
                FROM events, workers WHERE event_type = 'ExecutionTakenOver' AND address = $1";
    let seconds: f64 = client.query_one(late, &[&url]).await.unwrap().get(0);
    let times =
        "SELECT aggregate_id, count(*) FROM events WHERE event_type = 'ExecutionTakenOver' GROUP BY aggregate_id";
    let taken: HashMap<String, i64> =
        client.query(times, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!((1..EXECUTIONS).contains(&taken.len()), "{} of {EXECUTIONS} were the dead process's", taken.len());
    assert!(seconds < 5.0, "the last of {taken:?} was taken over {seconds} s after the process was heard of");
    for (execution, asked) in gate.asks() {
        // Whoever takes one over may have to leave it to another before it asks.
        let times = taken.get(&execution).copied().unwrap_or(0);
        let fits = if times == 0 { asked == 1 } else { (2..=1 + times).contains(&i64::from(asked)) };
        assert!(fits, "{execution} was taken over {times} times and its effect begun {asked} times");
    }
    first.stop();
    third.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_past_its_leases_is_kept_out() {
    const EXECUTIONS: usize = 20;
    let database = Database::create().await;
    let gate = Gate::start().await;
    let (awake, asleep) = (start(&database, Some(&gate), &[]), start(&database, Some(&gate), &[]));
    shared_by(2, &awake).await;
    let workflow = awake.import(&gate.workflow()).await;
    let executions = begin(&awake, &workflow, EXECUTIONS).await;
    gate.asked_by(EXECUTIONS).await;
    asleep.suspend();
    // What begins now falls into its shards as well.
    let more = begin(&awake, &workflow, EXECUTIONS).await;
    shared_by(1, &awake).await;
    // The answers to all that was asked come now, also those that the sleeping process waits for.
    gate.open();
    let executions: Vec<String> = executions.into_iter().chain(more).collect();
    all_completed(&awake, &executions).await;
    asleep.wake();
    shared_by(2, &awake).await;
    let again = asleep.start_execution(&workflow, "COMPLETED").await;
    assert_eq!(again["status"], "COMPLETED", "{again}");
    completed_once(&database, &executions).await;
    let taken = "SELECT count(*) FROM events WHERE event_type = 'ExecutionTakenOver'";
    assert!(database.client().await.query_one(taken, &[]).await.unwrap().get::<_, i64>(0) > 0);
    awake.stop();
    asleep.stop();
}

/// Starts executions at whichever process takes them, until it is told to stop; those that were acknowledged.
async fn load(urls: Arc<Mutex<Vec<String>>>, workflow: String, count: usize) -> Vec<String> {
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId } }";
    let (http, mut acknowledged, mut tries) = (client(), Vec::new(), 0);
    while acknowledged.len() < count {
        let urls = urls.lock().await.clone();
        let url = &urls[tries % urls.len()];
        tries += 1;
        let body = json!({ "query": query, "variables": { "input": { "workflowId": workflow } } });
        let Ok(sent) = http.post(format!("{url}/graphql")).json(&body).send().await else { continue };
        let Ok(answer) = sent.json::<Value>().await else { continue };
        if let Some(execution) = answer["data"]["startExecution"]["executionId"].as_str() {
            acknowledged.push(execution.to_owned());
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_nothing() {
    const CLIENTS: usize = 4;
    const EXECUTIONS: usize = 60;
    let database = Database::create().await;
    let mut servers: Vec<Server> = (0..3).map(|_| start(&database, None, &[])).collect();
    shared_by(3, &servers[0]).await;
    let steps: Vec<Value> =
        (0..6).map(|step| set(&format!("Step {step}"), &format!("s{step}"), "={{ 1 + 1 }}")).collect();
    let workflow = servers[0].import(&chain("Steps", &steps)).await;
    let urls = |servers: &[Server]| servers.iter().map(|server| server.url.clone()).collect::<Vec<_>>();
    let at = Arc::new(Mutex::new(urls(&servers)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(load(Arc::clone(&at), workflow.clone(), EXECUTIONS));
    }
    for _ in 0..servers.len() {
        let oldest = servers.remove(0);
        oldest.stop();
        servers.push(start(&database, None, &[]));
        *at.lock().await = urls(&servers);
        shared_by(3, &servers[0]).await;
    }
    let executions: Vec<String> = clients.join_all().await.concat();
    assert_eq!(executions.iter().collect::<HashSet<_>>().len(), CLIENTS * EXECUTIONS);
    all_completed(&servers[0], &executions).await;
    completed_once(&database, &executions).await;
    servers.into_iter().for_each(|server| drop(server.stop()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_processes_of_which_three_are_killed_complete_everything() {
    const PROCESSES: usize = 8;
    const EXECUTIONS: usize = 20;
    let database = Database::create().await;
    let mut servers: Vec<Server> = (0..PROCESSES).map(|_| start(&database, None, &["--workers", "1"])).collect();
    shared_by(PROCESSES, &servers[0]).await;
    let steps: Vec<Value> =
        (0..6).map(|step| set(&format!("Step {step}"), &format!("s{step}"), "={{ 1 + 1 }}")).collect();
    let workflow = servers[0].import(&chain("Steps", &steps)).await;
    let at = Arc::new(Mutex::new(servers[..5].iter().map(|server| server.url.clone()).collect()));
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        clients.spawn(load(Arc::clone(&at), workflow.clone(), EXECUTIONS));
    }
    for _ in 5..PROCESSES {
        servers.pop().unwrap().kill();
    }
    let executions: Vec<String> = clients.join_all().await.concat();
    all_completed(&servers[1], &executions).await;
    completed_once(&database, &executions).await;
    shared_by(5, &servers[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_go_on_after_an_outage_of_the_database_that_is_shorter_and_one_that_is_longer_than_a_lease() {
    const LONG_OUTAGE: Duration = Duration::from_secs(5);
    let mut postgres = Postgres::start_new();
    let database = Database::create_on(&postgres).await;
    let (short, long) = (Gate::start().await, Gate::start().await);
    let hosts = format!("{},{}", short.host, long.host);
    let allow = ["--allow-private-hosts", hosts.as_str()];
    let (one, other) = (start(&database, None, &allow), start(&database, None, &allow));
    shared_by(2, &one).await;
    let workflows = (one.import(&short.workflow()).await, one.import(&long.workflow()).await);

    let mut executions = begin(&one, &workflows.0, 8).await;
    short.asked_by(8).await;
    // As short as an outage gets: every connection is gone, and new ones are taken.
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.client().await.query_one(cut, &[]).await.unwrap();
    short.open();
    all_completed(&other, &executions).await;

    let more = begin(&one, &workflows.1, 8).await;
    long.asked_by(8).await;
    postgres.kill();
    // The answers come while nobody can take them down, and every process has to stop believing in its leases.
    long.open();
    tokio::time::sleep(LONG_OUTAGE).await;
    postgres.start();
    all_completed(&other, &more).await;
    executions.extend(more);
    completed_once(&database, &executions).await;
    one.stop();
    other.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_can_be_shared_out_between_processes() {
    let database = Database::create().await;
    let api = start(&database, None, &["--roles", "api"]);
    let engine = start(&database, None, &["--roles", "engine"]);
    let rest = start(&database, None, &["--roles", "projector,scheduler"]);
    let workflow = api.import(&chain("Quick", &[set("Step", "a", "={{ 1 }}")])).await;
    let done = api.start_execution(&workflow, "COMPLETED").await;
    assert_eq!(done["status"], "COMPLETED", "driven by one process, awaited in another");
    let rows = "query($position: Position!) { executions(first: 5, waitFor: $position) { nodes { status } } }";
    let position = database.client().await.query_one("SELECT position FROM log_head", &[]).await.unwrap();
    let rows = api.ask(rows, json!({ "position": position.get::<_, i64>(0).to_string() })).await;
    assert_eq!(rows["executions"]["nodes"], json!([{ "status": "COMPLETED" }]), "and folded in a third");

    for server in [&engine, &rest] {
        let status = |path: &str| client().get(format!("{}{path}", server.url)).send();
        assert_eq!(status("/health/live").await.unwrap().status(), 200);
        for path in ["/graphql/schema", "/v2", "/models/uploads/1"] {
            assert_eq!(status(path).await.unwrap().status(), 404, "{path}: it serves its health alone");
        }
    }
    let listed = verb_json(&["workers", "list", "--json", "--server", &api.url]);
    let roles: Vec<&Value> = listed.as_array().unwrap().iter().map(|worker| &worker["roles"]).collect();
    assert_eq!(roles, [&json!(["API"]), &json!(["ENGINE"]), &json!(["PROJECTOR", "SCHEDULER"])]);
    let table = String::from_utf8(verb(&["workers", "list", "--database", database.url()]).stdout).unwrap();
    assert!(table.contains(&engine.url) && table.contains("projector,scheduler"), "{table}");

    let roles = api.ask("{ projections { role } }", json!({})).await;
    assert!(roles["projections"].as_array().unwrap().iter().all(|row| row["role"] == "STANDBY"), "{roles}");
    // Whoever leaves in order leaves at once.
    engine.stop();
    let left = verb_json(&["workers", "list", "--json", "--server", &api.url]);
    assert_eq!(left.as_array().unwrap().len(), 2, "{left}");
    rest.stop();
    api.stop();
}

#[test]
fn roles_of_a_process_that_is_alone_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |roles: &str| {
        let data = folder.path().to_str().unwrap();
        verb(&["serve", "--listen", "127.0.0.1:0", "--data", data, "--roles", roles])
    };
    let refused = String::from_utf8(serve("api").stderr).unwrap();
    assert!(refused.contains("leave out --roles, or share a database by --database"), "{refused}");
    let refused = serve("api,gardener");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("there are api, engine, projector and scheduler"), "{said}");
}
