//! A log on a server of EventStoreDB's protocol: one `timeloom serve` keeps it, and others follow it. The program has to be
//! built with the feature `esdb`.

use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use super::crash::all_events;
use super::server::{Server, chain, set, verb};

/// More than an event holds, so that it lies beside the log.
const LARGE: &str = "={{ 'long '.repeat(40000) }}";

/// A server that keeps the log of others, at a port that stays.
struct Keeper {
    data: tempfile::TempDir,
    port: u16,
    server: Option<Server>,
}

impl Keeper {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        for category in ["timeloom_log", "timeloom_blob"] {
            let opened = verb(&["tenant", "open", "0", category, "--data", path(data.path())]);
            assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut keeper = Self { data, port, server: None };
        keeper.start();
        keeper
    }

    fn start(&mut self) {
        self.server = Some(Server::start(self.data.path(), &["--esdb-port", &self.port.to_string()]));
    }

    fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// A server whose log is there.
    fn follower(&self, data: &Path) -> Server {
        Server::start(data, &["--store", &format!("esdb://127.0.0.1:{}?tls=false", self.port)])
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What an execution's last node gave, and how executions stand.
async fn reads(server: &Server, execution: &Value) -> Value {
    let head = server.ask("{ head { position } }", json!({})).await["head"]["position"].clone();
    let query = "query($id: UUID!, $to: Position) {
        execution(id: $id, waitFor: $to) { status nodeRuns(first: 10) { nodes { node status output } } }
        executions(first: 10, waitFor: $to) { nodes { id status } }
    }";
    server.ask(query, json!({ "id": execution, "to": head })).await
}

async fn run(server: &Server, workflow: &str) -> Value {
    let started = server.start_execution(workflow, "COMPLETED").await;
    assert_eq!(started["status"], "COMPLETED", "{started}");
    started["executionId"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_another_server_survives_kill_9_of_both_and_an_empty_folder_becomes_the_same() {
    let mut keeper = Keeper::new();
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let follower = keeper.follower(first.path());
    let workflow = follower.import(&chain("Followed", &[set("Small", "a", "={{ 1 + 1 }}"), text("Large")])).await;
    let execution = run(&follower, &workflow).await;
    let (events, read) = (all_events(&follower).await, reads(&follower, &execution).await);
    assert!(read.to_string().contains("long long"), "{read}");

    follower.kill();
    let follower = keeper.follower(first.path());
    assert_eq!(reads(&follower, &execution).await, read, "the same folder after kill -9");
    assert_eq!(all_events(&follower).await[..events.len()], events);

    keeper.kill();
    keeper.start();
    let again = run(&follower, &workflow).await;
    follower.stop();
    let other = keeper.follower(second.path());
    let all = all_events(&other).await;
    assert_eq!(all[..events.len()], events, "an empty folder");
    let read = reads(&other, &again).await;
    assert!(read.to_string().contains("long long"), "{read}");
    assert_eq!(read["executions"]["nodes"].as_array().unwrap().len(), 2, "{read}");
    other.stop();

    // What follows a server is not served by itself.
    let refused = verb(&["serve", "--data", path(first.path()), "--listen", "127.0.0.1:0", "--sign-in", "off"]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("follows the log of a server: give that server with --store"), "{said}");
}

fn text(name: &str) -> Value {
    let mut node = set(name, "text", LARGE);
    node["parameters"]["assignments"]["assignments"][0]["type"] = json!("string");
    node
}
