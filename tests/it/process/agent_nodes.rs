//! The nodes of agents, in the program as people run it: the AI Agent of workflow files with tools and a memory, and the node of
//! registered agents. A provider of the test's own says what the model says.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::server::{Server, chain, client, verb, verb_json};
use crate::tree::root;

const STATE: &str = "query($id: ID!) { stateAt(entity: { kind: EXECUTION, id: $id }) { state } }";

/// What the provider was asked, and what it says.
#[derive(Default)]
pub(crate) struct Provider {
    pub(crate) questions: Mutex<Vec<Value>>,
    /// What the model fills in for tools, by their names.
    pub(crate) arguments: Value,
    /// What it says in place of what tools told, one after the other.
    pub(crate) says: Mutex<VecDeque<&'static str>>,
}

/// The model that never answers.
pub(crate) const DOWN: &str = "down";

impl Provider {
    pub(crate) async fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let provider = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let provider = Arc::clone(&provider);
                tokio::spawn(async move { provider.answer(stream).await });
            }
        });
        host
    }

    async fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut length, mut embeds) = (0, false);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                embeds |= line.starts_with("POST ") && line.contains("/embeddings");
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim_end().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.ok()?;
            let question: Value = serde_json::from_slice(&body).unwrap();
            let (status, answer) = match embeds {
                _ if question["model"] == DOWN => ("503 Service Unavailable", json!({"error": {"message": "down"}})),
                true => ("200 OK", embedded(&question)),
                false => ("200 OK", self.speak(question)),
            };
            let answer = answer.to_string();
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}", answer.len());
            stream.write_all(format!("{head}\r\n\r\n{answer}").as_bytes()).await.ok()?;
        }
    }

    /// The model asks all tools that it has at once, then repeats what they told.
    fn speak(&self, question: Value) -> Value {
        let messages = question["messages"].as_array().unwrap();
        let told: Vec<String> = messages
            .iter()
            .filter(|message| message["role"] == "tool")
            .map(|message| message["content"].to_string())
            .collect();
        let tools = question["tools"].as_array().cloned().unwrap_or_default();
        let call = |tool: &Value| {
            let name = tool["function"]["name"].as_str().unwrap();
            let arguments = match name {
                _ if !self.arguments[name].is_null() => self.arguments[name].clone(),
                "Calculator" => json!({"input": "3 * 12.50"}),
                "Seat" => json!({"query": "7"}),
                _ => json!({"Day": "2026-11-27"}),
            };
            json!({"id": format!("call_{name}"), "type": "function",
                "function": {"name": name, "arguments": arguments.to_string()}})
        };
        let message = match told.is_empty() && !tools.is_empty() {
            true => {
                json!({"role": "assistant", "content": null, "tool_calls": tools.iter().map(call).collect::<Vec<_>>()})
            }
            false => {
                let said = self.says.lock().unwrap().pop_front();
                let content = said.map_or_else(|| format!("Told: {}", told.join(" ")), str::to_owned);
                json!({"role": "assistant", "content": content})
            }
        };
        let finish = if message["content"].is_null() { "tool_calls" } else { "stop" };
        self.questions.lock().unwrap().push(question);
        json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.questions.lock().unwrap().len()
    }
}

/// Vectors that tell what a text is about.
fn embedded(question: &Value) -> Value {
    let texts = match &question["input"] {
        Value::Array(texts) => texts.clone(),
        one => vec![one.clone()],
    };
    let vector = |(index, text): (usize, &Value)| {
        let says = |word: &str| f64::from(u8::from(text.as_str().unwrap().contains(word)));
        json!({"object": "embedding", "index": index, "embedding": [says("open"), says("price"), 0.125]})
    };
    json!({"object": "list", "model": "m", "data": texts.iter().enumerate().map(vector).collect::<Value>(),
        "usage": {"prompt_tokens": 5, "total_tokens": 5}})
}

/// A route to a model of the provider.
pub(crate) async fn route(server: &Server, name: &str, model: &str) {
    let route = "mutation($input: SetGatewayRouteInput!) { setGatewayRoute(input: $input) { errors { message } } }";
    let input = json!({"name": name, "tiers": [{"targets": [{"provider": "stub", "model": model}]}]});
    let set = server.ask(route, json!({ "input": input })).await;
    assert_eq!(set["setGatewayRoute"]["errors"], json!([]), "{set}");
}

pub(crate) async fn set_up(server: &Server, host: &str) {
    let provider = "mutation($input: SetGatewayProviderInput!) {
        setGatewayProvider(input: $input) { errors { message } } }";
    let input = json!({"name": "stub", "protocol": "OPEN_AI", "baseUrl": format!("http://{host}/v1")});
    let set = server.ask(provider, json!({ "input": input })).await;
    assert_eq!(set["setGatewayProvider"]["errors"], json!([]), "{set}");
    route(server, "gpt-4o-mini", "m").await;
}

/// Runs a workflow to its end; the execution's id, and the JSON of what its last node gave.
pub(crate) async fn ran(server: &Server, workflow: &str) -> (String, Value) {
    let started = server.start_execution(workflow, "COMPLETED").await;
    let id = started["executionId"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned();
    let state = server.ask(STATE, json!({ "id": id })).await["stateAt"]["state"].clone();
    assert_eq!(started["status"], json!("COMPLETED"), "{}", state["error"]);
    let last = state["node_runs"].as_array().unwrap().last().unwrap().clone();
    (id, last["outputs"][0][0]["json"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_of_a_workflow_file_calls_its_tools_remembers_and_is_never_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(Provider::default());
    let host = provider.serve().await;
    let server = Server::start(folder.path(), &["--allow-private-hosts", &host]);
    set_up(&server, &host).await;
    let text = std::fs::read_to_string(root().join("examples/models/agent.json")).unwrap();
    let mut definition: Value = serde_json::from_str(&text).unwrap();
    // A node as a tool, with what the model fills and what the item says.
    definition["nodes"].as_array_mut().unwrap().push(json!({
        "id": "day", "name": "Day", "type": "n8n-nodes-base.dateTimeTool", "typeVersion": 2, "position": [820, 200],
        "parameters": {"operation": "formatDate", "format": "custom", "customFormat": "=yyyy",
            "date": "={{ $fromAI('Day', 'the day', 'string') }}", "outputFieldName": "={{ $json.sessionId }}"},
    }));
    definition["connections"]["Day"] = json!({"ai_tool": [[{"node": "Agent", "type": "ai_tool", "index": 0}]]});
    let workflow = server.import(&definition).await;
    let (id, item) = ran(&server, &workflow).await;
    let output = item["output"].as_str().unwrap_or_else(|| panic!("{item}"));
    for told in ["37.5", "free", "2026", "example"] {
        assert!(output.contains(told), "'{told}' is not in {output}");
    }
    assert_eq!(item["intermediateSteps"][0]["action"]["toolInput"], json!({"input": "3 * 12.50"}), "{item}");
    let run = item["runId"].as_str().unwrap().to_owned();
    let transcript = verb_json(&["agent", "transcript", &run, "--json", "--server", &server.url]);
    let calls = transcript["events"].as_array().unwrap().iter().filter(|event| event["type"] == "AgentToolAnswered");
    assert_eq!(calls.count(), 3, "{transcript}");
    assert_eq!(provider.count(), 2);

    let replay = verb_json(&["replay", &id, "--json", "--server", &server.url]);
    assert_eq!((&replay["sameCount"], &replay["differCount"]), (&json!(1), &json!(0)), "{replay}");
    assert_eq!(provider.count(), 2, "a replay asks nobody");

    ran(&server, &workflow).await;
    let third = provider.questions.lock().unwrap()[2]["messages"].clone();
    assert!(third[2]["content"].as_str().unwrap().starts_with("Told: "), "the session is remembered: {third}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_of_registered_agents_runs_one_for_each_item() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(Provider::default());
    let host = provider.serve().await;
    let server = Server::start(folder.path(), &["--allow-private-hosts", &host]);
    set_up(&server, &host).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(json!({"model": "gpt-4o-mini", "prompt": "You answer."}).to_string().as_bytes()).unwrap();
    let added = verb(&["agent", "add", "helper", file.path().to_str().unwrap(), "--server", &server.url]);
    assert!(added.status.success(), "{added:?}");
    let node = json!({"name": "Ask", "type": "timeloom.agent", "typeVersion": 1,
        "parameters": {"agent": "helper", "input": "Hello?"}});
    let workflow = server.import(&chain("Registered", &[node])).await;
    let (id, item) = ran(&server, &workflow).await;
    assert_eq!(item["output"], "Told: ", "{item}");
    let query = "query($id: UUID!) { agentRun(id: $id) { status version } }";
    let run = server.ask(query, json!({ "id": item["runId"] })).await["agentRun"].clone();
    assert_eq!(run["status"], "COMPLETED", "{run}");
    let replay = verb_json(&["replay", &id, "--json", "--server", &server.url]);
    assert_eq!(replay["differCount"], json!(0), "{replay}");
    assert_eq!(provider.count(), 1, "a replay asks nobody");
    server.stop();
}

/// Publishes and activates a workflow.
fn activate(server: &Server, workflow: &str) {
    for step in ["publish", "activate"] {
        let done = verb(&["workflow", step, workflow, "--server", &server.url]);
        assert!(done.status.success(), "{step}: {done:?}");
    }
}

/// Sends a body to the chat of the example; status and JSON of the answer.
async fn say(server: &Server, body: &Value) -> (u16, Value) {
    let sent = client().post(format!("{}/webhook/tickets/chat", server.url)).json(body).send().await.unwrap();
    (sent.status().as_u16(), sent.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_answered_by_its_agent_which_remembers_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Arc::new(Provider::default());
    let host = provider.serve().await;
    let server = Server::start(folder.path(), &["--allow-private-hosts", &host]);
    set_up(&server, &host).await;
    let text = std::fs::read_to_string(root().join("examples/models/agent-chat.json")).unwrap();
    let workflow = server.import(&serde_json::from_str(&text).unwrap()).await;
    let message = |session: &str, said: &str| json!({"action": "sendMessage", "sessionId": session, "chatInput": said});
    assert_eq!(say(&server, &message("ada", "Hello?")).await.0, 404, "a draft takes no messages");
    activate(&server, &workflow);

    let (status, first) = say(&server, &message("ada", "What do 3 tickets cost?")).await;
    assert_eq!(status, 200, "{first}");
    assert!(first["output"].as_str().unwrap().contains("37.5"), "{first}");
    assert_eq!(say(&server, &message("ada", "And is it free?")).await.0, 200);
    assert_eq!(say(&server, &message("bob", "Hello?")).await.0, 200);
    let asked = |place: usize| provider.questions.lock().unwrap()[place]["messages"].to_string();
    let (second, other) = (asked(2), asked(4));
    assert!(second.contains("What do 3 tickets cost?") && second.contains("And is it free?"), "{second}");
    assert!(!other.contains("tickets cost?"), "another session knows nothing of it: {other}");

    let earlier = say(&server, &json!({"action": "loadPreviousSession", "sessionId": "ada"})).await;
    assert_eq!(earlier, (200, json!({"data": []})));
    let (status, refused) = say(&server, &json!({"action": "sendMessage", "sessionId": "ada"})).await;
    assert_eq!((status, refused["message"].as_str().unwrap().contains("chatInput")), (422, true), "{refused}");
    assert_eq!(provider.count(), 6, "neither asks the model");
    let page = client().get(format!("{}/webhook/tickets/chat", server.url)).send().await.unwrap();
    assert_eq!(page.status(), 404);
    assert!(page.text().await.unwrap().contains("there is no page of this chat"));

    // By hand, with the items that a message would have given.
    let start =
        "mutation($input: StartExecutionInput!) { startExecution(input: $input) { status errors { message } } }";
    let input = json!({"workflowId": workflow, "waitFor": "COMPLETED",
        "items": [{"json": message("ada", "By hand?")}]});
    let started = server.ask(start, json!({ "input": input })).await["startExecution"].clone();
    assert_eq!(started["status"], "COMPLETED", "{started}");
    assert!(asked(6).contains("What do 3 tickets cost?"), "it is the same session: {}", asked(6));

    assert!(verb(&["workflow", "deactivate", &workflow, "--server", &server.url]).status.success());
    assert_eq!(say(&server, &message("ada", "Still there?")).await.0, 404);
    server.stop();
}
