//! A `timeloom serve` process on a free loopback port, and the verbs beside it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// What is shown with every request.
    key: Option<String>,
    errors: std::sync::Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// The program under test: the one that `TIMELOOM_PROGRAM` names, or the one beside this test's own file, which
/// `cargo nextest run --workspace` builds.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let named = std::env::var_os("TIMELOOM_PROGRAM").map(PathBuf::from);
        let program = named.unwrap_or_else(|| {
            let folder = std::env::current_exe().unwrap();
            folder.parent().and_then(Path::parent).unwrap().join("timeloom")
        });
        assert!(
            program.exists(),
            "{} is not built: run `cargo build`, or the whole workspace's tests",
            program.display()
        );
        program
    })
}

/// Runs a verb to its end.
pub(crate) fn verb(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a verb printed for programs.
pub(crate) fn verb_json(arguments: &[&str]) -> Value {
    let output = verb(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

impl Server {
    /// Starts a server over `data`, on which nobody signs in, and waits until it says where it listens.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        Self::start_with(data, more, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_with(data: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::started(data, &[&["--sign-in", "off", "--listen", "127.0.0.1:0"], more].concat(), variables)
    }

    /// Starts a server that lets in those alone who show who they are.
    pub(crate) fn start_asking(data: &Path, listen: &str, more: &[&str]) -> Self {
        Self::start_asking_with(data, listen, more, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_asking_with(data: &Path, listen: &str, more: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::started(data, &[&["--sign-in", "required", "--listen", listen], more].concat(), variables)
    }

    /// Shows a key with every request from now on.
    pub(crate) fn show(&mut self, key: &str) {
        self.key = Some(key.to_owned());
    }

    /// The key that is shown.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.key.as_deref()
    }

    fn started(data: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program())
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(more)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let url = loop {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap() == 0 {
                panic!("the server ended: {said}");
            }
            said.push_str(&line);
            if let Some(rest) = line.split("serves on ").nth(1).or_else(|| line.split("its health is on ").nth(1)) {
                break rest.split(['/', ' ']).take(3).collect::<Vec<_>>().join("/").trim_end().to_owned();
            }
        };
        let errors = std::sync::Arc::new(Mutex::new(said));
        let kept = std::sync::Arc::clone(&errors);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                kept.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Self { child, url, key: None, errors, reader: Some(reader) }
    }

    /// What it has said on standard error so far.
    pub(crate) fn said(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process as the kernel does: nothing of it runs any more.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets the process stand still, as on a machine that sleeps, until [`Self::wake`].
    pub(crate) fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) -> String {
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the server stopped with {status}");
        // What it said last may still be in the pipe.
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.errors.lock().unwrap().clone()
    }

    /// Asks GraphQL; answers `data`.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Value {
        let response = self.post(query, variables).await;
        assert!(response.get("errors").is_none(), "{response}");
        response["data"].clone()
    }

    /// The newest calls to language models, the newest first, once they are told as the log has them.
    pub(crate) async fn calls(&self, fields: &str) -> Value {
        let head = self.ask("{ head { position } }", json!({})).await;
        let query =
            format!("query($to: Position) {{ modelCalls(first: 10, waitFor: $to) {{ nodes {{ {fields} }} }} }}");
        self.ask(&query, json!({ "to": head["head"]["position"] })).await["modelCalls"]["nodes"].take()
    }

    /// Asks GraphQL; answers everything.
    pub(crate) async fn post(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let mut request = client().post(format!("{}/graphql", self.url)).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Imports a workflow; answers its id.
    pub(crate) async fn import(&self, definition: &Value) -> String {
        let query = "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) {
            workflowId errors { message } } }";
        let data = self.ask(query, json!({ "input": { "source": definition.to_string() } })).await;
        let payload = &data["importWorkflow"];
        payload["workflowId"].as_str().unwrap_or_else(|| panic!("{payload}")).to_owned()
    }

    /// Starts an execution; answers its payload.
    pub(crate) async fn start_execution(&self, workflow_id: &str, wait_for: &str) -> Value {
        let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
            executionId position status timedOut errors { message } } }";
        let input = json!({ "workflowId": workflow_id, "waitFor": wait_for });
        self.ask(query, json!({ "input": input })).await["startExecution"].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that no proxy stands before.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap()
}

/// A workflow: a manual trigger and then these nodes, one after the other.
pub(crate) fn chain(name: &str, nodes: &[Value]) -> Value {
    let mut all = vec![json!({
        "id": "start", "name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1,
        "position": [0, 0], "parameters": {}
    })];
    let mut connections = serde_json::Map::new();
    let mut previous = "Start".to_owned();
    for (index, node) in nodes.iter().enumerate() {
        let mut node = node.clone();
        let name = node["name"].as_str().unwrap().to_owned();
        node["id"] = json!(format!("node-{index}"));
        node["position"] = json!([200 * (index + 1), 0]);
        connections.insert(previous, json!({ "main": [[{ "node": name, "type": "main", "index": 0 }]] }));
        previous = name;
        all.push(node);
    }
    json!({ "name": name, "nodes": all, "connections": connections, "settings": { "executionOrder": "v1" } })
}

/// A node that sets `field` to what `expression` gives.
pub(crate) fn set(name: &str, field: &str, expression: &str) -> Value {
    json!({
        "name": name, "type": "n8n-nodes-base.set", "typeVersion": 3.4,
        "parameters": {
            "assignments": { "assignments": [{ "id": field, "name": field, "type": "number", "value": expression }] },
            "includeOtherFields": true, "options": {}
        }
    })
}
