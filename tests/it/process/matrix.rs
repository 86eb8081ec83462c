//! Every role killed at random moments, many times over, under load: every run completes, effects happen at least once under
//! stable keys, nothing is recorded twice and nothing is stuck.
//!
//! The moments follow from a seed: `TIMELOOM_SEED=…` repeats a run, `TIMELOOM_CRASH_ROUNDS=…` makes it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use timeloom_postgres_testing::Database;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::server::{Server, chain, client, set, verb_json};

const ROUNDS: u64 = 50;
const CLIENTS: usize = 3;
/// Longest time until everything that was acknowledged has ended, after the last kill.
const PATIENCE: Duration = Duration::from_secs(90);
/// The processes: at least one of each role is alive at any time, because one is killed at a time.
const ROLES: [&str; 6] = ["api", "api", "engine", "engine", "projector", "scheduler,engine"];

/// A server of the world outside: it notes who asked it.
struct Ledger {
    host: String,
    asked: Arc<Mutex<BTreeMap<String, u32>>>,
    _task: JoinSet<()>,
}

impl Ledger {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let noted = Arc::clone(&asked);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut answers = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                answers.spawn(async move {
                    let mut request = vec![0; 8_192];
                    let read = stream.read(&mut request).await.unwrap_or(0);
                    let request = String::from_utf8_lossy(&request[..read]);
                    let Some(path) = request.split(' ').nth(1) else { return };
                    *noted.lock().await.entry(path.trim_start_matches('/').to_owned()).or_insert(0) += 1;
                    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\
                                  connection: close\r\n\r\n{\"ok\":1}";
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { host, asked, _task: task }
    }

    /// Steps before and after a question that names the execution and the step.
    fn workflow(&self) -> Value {
        let ask = |name: &str| {
            json!({
                "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
                "parameters": { "url": format!("=http://{}/{{{{ $execution.id }}}}.{name}", self.host), "options": {} }
            })
        };
        let steps = [set("A", "a", "={{ 1 }}"), ask("first"), set("B", "b", "={{ 2 }}"), ask("second")];
        chain("Ledger", &steps)
    }
}

/// A generator that gives the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn start(database: &Database, ledger: &Ledger, roles: &str) -> Server {
    let unused = tempfile::tempdir().unwrap();
    let arguments =
        ["--database", database.url(), "--roles", roles, "--workers", "1", "--allow-private-hosts", &ledger.host];
    Server::start(&unused.path().join("unused"), &arguments)
}

/// Starts executions until it is told to stop; a start that was not answered is sent again under its id.
async fn load(urls: Arc<Mutex<Vec<String>>>, workflow: String, enough: Arc<AtomicBool>) -> Vec<String> {
    let query =
        "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId errors { message } } }";
    let http = client();
    let (mut acknowledged, mut tries) = (Vec::new(), 0);
    while !enough.load(Ordering::SeqCst) {
        let input = json!({ "workflowId": workflow, "commandId": Uuid::now_v7() });
        let body = json!({ "query": query, "variables": { "input": input } });
        loop {
            let urls = urls.lock().await.clone();
            let url = &urls[tries % urls.len()];
            tries += 1;
            let sent = http.post(format!("{url}/graphql")).json(&body).send().await;
            let answer = match sent {
                Ok(sent) => sent.json::<Value>().await.unwrap_or_default(),
                Err(_) => Value::Null,
            };
            if let Some(execution) = answer["data"]["startExecution"]["executionId"].as_str() {
                acknowledged.push(execution.to_owned());
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    acknowledged
}

/// Waits until no execution is open.
async fn all_ended(database: &Database) {
    let open = "SELECT count(*) FROM events AS begun WHERE event_type = 'ExecutionStarted' AND NOT EXISTS \
                (SELECT FROM events AS ended WHERE ended.aggregate_id = begun.aggregate_id AND ended.event_type IN \
                 ('ExecutionCompleted', 'ExecutionFailed', 'ExecutionCancelled'))";
    let client = database.client().await;
    let waited = async {
        while client.query_one(open, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waited).await.is_err() {
        panic!("{} executions are stuck", client.query_one(open, &[]).await.unwrap().get::<_, i64>(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_every_run_completes_and_nothing_is_recorded_twice() {
    let seed = setting("TIMELOOM_SEED", 20_261);
    let mut chance = Chance(seed.max(1));
    let (database, ledger) = (Database::create().await, Ledger::start().await);
    let mut servers: Vec<Server> = ROLES.iter().map(|roles| start(&database, &ledger, roles)).collect();
    let workflow = servers[0].import(&ledger.workflow()).await;
    let urls = Arc::new(Mutex::new(vec![servers[0].url.clone(), servers[1].url.clone()]));
    let enough = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(load(Arc::clone(&urls), workflow.clone(), Arc::clone(&enough)));
    }
    for _ in 0..setting("TIMELOOM_CRASH_ROUNDS", ROUNDS) {
        tokio::time::sleep(Duration::from_millis(chance.below(200))).await;
        let victim = usize::try_from(chance.below(ROLES.len() as u64)).unwrap();
        servers.remove(victim).kill();
        servers.insert(victim, start(&database, &ledger, ROLES[victim]));
        *urls.lock().await = vec![servers[0].url.clone(), servers[1].url.clone()];
    }
    enough.store(true, Ordering::SeqCst);
    let acknowledged = clients.join_all().await.concat();
    assert!(acknowledged.len() > CLIENTS, "seed {seed}: the load went on");
    all_ended(&database).await;
    check(&database, &ledger, &acknowledged, seed).await;
}

async fn check(database: &Database, ledger: &Ledger, acknowledged: &[String], seed: u64) {
    let client = database.client().await;
    let count = async |query: &str| client.query_one(query, &[]).await.unwrap().get::<_, i64>(0);
    let twice = "SELECT count(*) FROM (SELECT FROM events WHERE event_type IN ('NodeCompleted', 'NodeFailed') \
                 GROUP BY aggregate_id, payload->'run'->>'execution_index' HAVING count(*) > 1) AS twice";
    assert_eq!(count(twice).await, 0, "seed {seed}: a result is recorded twice");
    let failed = "SELECT count(*) FROM events WHERE event_type IN ('ExecutionFailed', 'ExecutionCancelled')";
    assert_eq!(count(failed).await, 0, "seed {seed}: a run failed");
    let ids = "SELECT aggregate_id FROM events WHERE event_type = 'ExecutionCompleted'";
    let completed: BTreeSet<String> =
        client.query(ids, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !completed.contains(*id)).collect();
    assert!(lost.is_empty(), "seed {seed}: acknowledged and not completed: {lost:?}");
    let asked = ledger.asked.lock().await;
    let expected: BTreeSet<String> =
        completed.iter().flat_map(|id| [format!("{id}.first"), format!("{id}.second")]).collect();
    let happened: BTreeSet<String> = asked.keys().cloned().collect();
    assert_eq!(happened, expected, "seed {seed}: every effect happened, and no other");
    let repeats: u32 = asked.values().map(|times| times - 1).sum();
    println!("{} runs, {} effects, {repeats} of them repeated after a kill", completed.len(), expected.len());
    let verified = verb_json(&["log", "verify", database.url(), "--json"]);
    assert_eq!(verified["faultCount"], 0, "seed {seed}: {verified}");
}
