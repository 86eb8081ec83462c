//! The client against servers that keep to the protocol, and against those that mean no good.
#![expect(clippy::disallowed_methods, reason = "a server of a test ends with the runtime of the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use timeloom_nodes::testing::{Bench, json_of};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does about a message.
pub(super) enum Says {
    /// Answers with JSON.
    Json(Value),
    /// Answers with these headers and this body, and closes.
    Raw(&'static str, Vec<u8>),
    /// Writes the same again and again, after these headers.
    Forever(&'static str, Vec<u8>),
    /// Says nothing, ever.
    Nothing,
}

/// A server, and what it heard: the head of each request in lower case, and its message.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) heard: Arc<Mutex<Vec<(String, Value)>>>,
    count: watch::Receiver<usize>,
}

impl Server {
    pub(super) async fn start(answer: impl Fn(&Value, usize) -> Says + Send + Sync + 'static) -> Self {
        Self::start_by(move |_, message, number| answer(message, number)).await
    }

    /// The same, where an answer depends on the head of the request.
    pub(super) async fn start_by(answer: impl Fn(&str, &Value, usize) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (counting, count) = watch::channel(0);
        let (kept, answer) = (Arc::clone(&heard), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answer, counting) = (Arc::clone(&kept), Arc::clone(&answer), counting.clone());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some((head, message)) = request(&mut stream).await {
                        let number = {
                            let mut kept = kept.lock().unwrap();
                            kept.push((head.clone(), message.clone()));
                            kept.len()
                        };
                        counting.send_modify(|count| *count = number);
                        if said(&mut stream, answer(&head, &message, number)).await.is_none() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, heard, count }
    }

    pub(super) fn heads_of(&self, method: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(_, message)| message["method"] == method).map(|(head, _)| head.clone()).collect()
    }

    /// Waits until a message comes of which that holds.
    pub(super) async fn hears(&mut self, holds: impl Fn(&Value) -> bool) {
        let heard = Arc::clone(&self.heard);
        let waiting = self.count.wait_for(|_| heard.lock().unwrap().iter().any(|(_, message)| holds(message)));
        tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    }
}

pub(super) async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        head.push_str(&line.to_ascii_lowercase());
    }
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |told| told.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, serde_json::from_slice(&body).unwrap_or_default()))
}

async fn said(stream: &mut BufReader<TcpStream>, says: Says) -> Option<()> {
    let (head, body, again) = match says {
        Says::Json(Value::Null) => ("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned(), Vec::new(), false),
        Says::Json(value) => {
            let body = value.to_string().into_bytes();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s-1";
            (format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len()), body, false)
        }
        Says::Raw(head, body) => {
            stream.write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
            return None;
        }
        Says::Forever(head, body) => (format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n"), body, true),
        Says::Nothing => std::future::pending().await,
    };
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body).await.ok()?;
    if !again {
        return Some(());
    }
    loop {
        stream.write_all(&body).await.ok()?;
        tokio::task::yield_now().await;
    }
}

pub(super) fn result(message: &Value, result: Value) -> Says {
    Says::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
}

fn adder() -> Value {
    json!({
        "name": "add", "description": "Adds.", "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
    })
}

/// What a server does that keeps to the protocol: it has one tool, which adds.
pub(super) fn honest(message: &Value) -> Says {
    match message["method"].as_str() {
        Some("initialize") => {
            let info = json!({"name": "Adder", "version": "7"});
            result(message, json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info}))
        }
        Some("tools/list") => result(message, json!({"tools": [adder()]})),
        Some("tools/call") => {
            let number = |name: &str| message["params"]["arguments"][name].as_f64().unwrap_or_default();
            let sum = number("a") + number("b");
            let content = json!([{"type": "text", "text": format!("{sum}")}]);
            result(message, json!({"content": content, "structuredContent": {"sum": sum}}))
        }
        _ => Says::Json(Value::Null),
    }
}

pub(super) fn calling(url: &str) -> Value {
    json!({"server": url, "tool": "add", "arguments": {"a": 1, "b": 2}, "options": {"timeout": 5_000}})
}

pub(super) async fn ran(parameters: Value) -> Result<Value, NodeError> {
    let node = Mcp::new(McpCommands::default());
    let mut bench = Bench::new(&node, 1.0, parameters).input(json!([{}]));
    Ok(json_of(&bench.run_effect().await?, 0))
}

/// A server that is honest but for one method.
pub(super) async fn lying(method: &'static str, lie: impl Fn(&Value) -> Says + Send + Sync + 'static) -> Server {
    Server::start(move |message, _| if message["method"] == method { lie(message) } else { honest(message) }).await
}

#[track_caller]
pub(super) fn failed(ran: Result<Value, NodeError>, why: &str) {
    let error = ran.expect_err(why);
    let told = format!("{error} {}", error.description.as_deref().unwrap_or_default());
    assert!(told.contains(why), "{told}");
}

#[tokio::test]
async fn a_tool_is_called_in_one_session_for_all_items_which_is_ended() {
    let mut server = Server::start(|message, _| honest(message)).await;
    let node = Mcp::new(McpCommands::default());
    let parameters = json!({"server": server.url, "tool": "add", "authentication": "httpBearerAuth"});
    let items = json!([{"a": 1, "b": 2}, {"a": 3, "b": 4}]);
    let mut bench = Bench::new(&node, 1.0, parameters).input(items);
    bench = bench.credential("httpBearerAuth", json!({"token": "s3cret"}));
    let given = json_of(&bench.run_effect().await.unwrap(), 0);
    assert_eq!((&given[0]["structuredContent"], &given[1]["text"]), (&json!({"sum": 3.0}), &json!("7")));
    assert_eq!(given[0]["server"], json!({"name": "Adder", "version": "7"}));
    assert_eq!(given[0]["protocolVersion"], "2025-06-18");
    assert_eq!(server.heads_of("initialize").len(), 1);
    for head in server.heads_of("tools/call") {
        for line in [
            "mcp-session-id: s-1",
            "mcp-protocol-version: 2025-06-18",
            "authorization: bearer s3cret",
            "idempotency-key: key-1-",
            "accept: application/json, text/event-stream",
        ] {
            assert!(head.contains(line), "{head}");
        }
    }
    server.hears(Value::is_null).await;
    assert!(server.heard.lock().unwrap().last().unwrap().0.starts_with("delete /mcp"));
}

#[tokio::test]
async fn tools_are_listed_page_by_page() {
    let server = lying("tools/list", |message| match message["params"]["cursor"].as_str() {
        None => result(message, json!({"tools": [adder()], "nextCursor": "2"})),
        Some(_) => result(message, json!({"tools": [{"name": "sub", "inputSchema": {"type": "object"}}]})),
    })
    .await;
    let given = ran(json!({"operation": "list", "server": server.url})).await.unwrap();
    let names: Vec<&str> =
        given[0]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["add", "sub"]);
}

#[tokio::test]
async fn an_answer_may_come_as_events_and_questions_before_it_are_replied_to() {
    let mut server = lying("tools/call", |message| {
        let events = [
            json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}),
            json!({"jsonrpc": "2.0", "id": "theirs", "method": "sampling/createMessage", "params": {}}),
            json!({"jsonrpc": "2.0", "id": message["id"], "result": {"content": [], "structuredContent": {"sum": 3}}}),
        ];
        let body: String = events.iter().map(|event| format!("id: 1\ndata: {event}\n\n")).collect();
        Says::Forever("200 OK\r\ncontent-type: text/event-stream", format!("id: 0\ndata:\n\n{body}").into_bytes())
    })
    .await;
    let given = ran(calling(&server.url)).await.unwrap();
    assert_eq!(given[0]["structuredContent"], json!({"sum": 3}));
    server.hears(|message| message["id"] == "theirs" && message["error"]["code"] == -32_601).await;
}

#[tokio::test]
async fn a_session_that_is_gone_is_begun_anew() {
    let gone = Arc::new(Mutex::new(0));
    let server = lying("tools/call", move |message| {
        let mut times = gone.lock().unwrap();
        *times += 1;
        if *times == 1 { Says::Raw("404 Not Found", Vec::new()) } else { honest(message) }
    })
    .await;
    assert_eq!(ran(calling(&server.url)).await.unwrap()[0]["text"], "3");
    assert_eq!(server.heads_of("initialize").len(), 2);
    let never = lying("tools/call", |_| Says::Raw("404 Not Found", Vec::new())).await;
    failed(ran(calling(&never.url)).await, "ended the session");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_told_so() {
    let mut server = lying("tools/call", |_| Says::Nothing).await;
    let mut parameters = calling(&server.url);
    parameters["options"]["timeout"] = json!(300);
    failed(ran(parameters).await, "did not answer within 300 ms");
    server.hears(|message| message["method"] == "notifications/cancelled" && message["params"]["requestId"] == 3).await;
    let server = lying("initialize", |_| Says::Nothing).await;
    failed(ran(json!({"operation": "list", "server": server.url, "options": {"timeout": 200}})).await, "200 ms");
}

#[tokio::test]
async fn answers_without_end_are_bounded() {
    let stream = "200 OK\r\ncontent-type: text/event-stream";
    let told = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x".repeat(100)}});
    let body = format!("data: {told}\n\n").into_bytes();
    let server = lying("tools/call", move |_| Says::Forever(stream, body.clone())).await;
    failed(ran(calling(&server.url)).await, "more than");
    let server = lying("tools/call", move |_| Says::Forever(stream, vec![b'x'; 4_096])).await;
    failed(ran(calling(&server.url)).await, "more than");
    let server =
        lying("tools/call", |_| Says::Forever("200 OK\r\ncontent-type: application/json", vec![b' '; 1 << 16])).await;
    failed(ran(calling(&server.url)).await, "more than 1048576 bytes");
    let asking = format!("data: {}\n\n", json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).into_bytes();
    let server = lying("tools/call", move |_| Says::Forever(stream, asking.clone())).await;
    failed(ran(calling(&server.url)).await, "more than 100 messages");
    // Each byte alone is in time, all of them never are.
    let server = lying("tools/call", move |_| Says::Forever(stream, b":\n".to_vec())).await;
    let mut parameters = calling(&server.url);
    parameters["options"]["timeout"] = json!(300);
    assert!(ran(parameters).await.is_err());
}

#[tokio::test]
async fn lists_without_measure_are_refused() {
    let tool = |number: usize| json!({"name": format!("t{number}"), "inputSchema": {"type": "object"}});
    let list = |url: &str| json!({"operation": "list", "server": url});
    let server = lying("tools/list", move |message| {
        result(message, json!({"tools": (0..10_000).map(tool).collect::<Vec<_>>()}))
    })
    .await;
    failed(ran(list(&server.url)).await, "more than 1000 tools");
    let server = lying("tools/list", move |message| result(message, json!({"tools": [], "nextCursor": "same"}))).await;
    failed(ran(list(&server.url)).await, "to the same page");
    let server = Server::start(|message, number| match message["method"].as_str() {
        Some("tools/list") => result(message, json!({"tools": [], "nextCursor": number.to_string()})),
        _ => honest(message),
    })
    .await;
    failed(ran(list(&server.url)).await, "more than 64 pages");
    let server = lying("tools/list", move |message| result(message, json!({"tools": [tool(1), tool(1)]}))).await;
    failed(ran(list(&server.url)).await, "two tools called 't1'");
    let server = lying("tools/list", |message| result(message, json!({"tools": [{"name": "a"}]}))).await;
    failed(ran(list(&server.url)).await, "does not say what it takes");
}

#[tokio::test]
async fn what_is_not_the_protocol_is_told_as_that() {
    let page = b"<!doctype html><title>Sign in</title>".to_vec();
    let server = lying("initialize", move |_| Says::Raw("200 OK\r\ncontent-type: text/html", page.clone())).await;
    failed(ran(calling(&server.url)).await, "it is of the type 'text/html'");
    let server = lying("tools/call", |message| {
        Says::Json(json!({"jsonrpc": "2.0", "id": message["id"].as_u64().unwrap() + 1, "result": {"content": []}}))
    })
    .await;
    failed(ran(calling(&server.url)).await, "a question that was not asked");
    let server =
        lying("tools/call", |_| Says::Raw("200 OK\r\ncontent-type: application/json", b"{\"json".to_vec())).await;
    failed(ran(calling(&server.url)).await, "it is no JSON");
    let server = lying("tools/call", |_| {
        Says::Raw("200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000", b"{".to_vec())
    })
    .await;
    failed(ran(calling(&server.url)).await, "ended the connection");
    let old = json!({"protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {}});
    let server = lying("initialize", move |message| result(message, old.clone())).await;
    failed(ran(calling(&server.url)).await, "speaks the revision '2024-11-05'");
    let server = lying("initialize", |_| Says::Raw("401 Unauthorized\r\ncontent-length: 2", b"no".to_vec())).await;
    failed(ran(calling(&server.url)).await, "choose a credential");
}

#[tokio::test]
async fn what_a_tool_gives_is_held_to_what_was_promised() {
    let gives = |given: Value| lying("tools/call", move |message| result(message, given.clone()));
    let server = gives(json!({"content": [], "structuredContent": {"sum": "three"}})).await;
    failed(ran(calling(&server.url)).await, "is not what was promised");
    let server = gives(json!({"content": [{"type": "text", "text": "3"}]})).await;
    failed(ran(calling(&server.url)).await, "has no structured content");
    let mut unchecked = calling(&server.url);
    unchecked["checkOutput"] = json!(false);
    assert_eq!(ran(unchecked).await.unwrap()[0]["text"], "3");
    let server = gives(json!({"content": [{"type": "text", "text": "too large"}], "isError": true})).await;
    failed(ran(calling(&server.url)).await, "the tool failed: too large");
    let mut other = calling(&server.url);
    other["tool"] = json!("mul");
    failed(ran(other).await, "has no tool 'mul'");
}

#[tokio::test]
async fn a_server_leads_nowhere_else() {
    let server = lying("tools/call", |_| {
        Says::Raw("307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0", Vec::new())
    })
    .await;
    failed(ran(calling(&server.url)).await, "redirects are not followed");
    let node = Mcp::new(McpCommands::default());
    let mut bench = Bench::new(&node, 1.0, calling(&server.url)).input(json!([{}]));
    bench.services.outbound.allow_private = false;
    failed(bench.run_effect().await.map(|output| json_of(&output, 0)), "private or reserved");
    failed(ran(calling("file:///etc/passwd")).await, "use http or https");
    failed(ran(calling("http://user:s3cret@127.0.0.1/mcp")).await, "put them into a credential");
}

#[tokio::test]
async fn pictures_become_attachments() {
    let picture = json!({"content": [{"type": "image", "mimeType": "image/png", "data": "AAEC"}]});
    let server = lying("tools/call", move |message| result(message, picture.clone())).await;
    let mut parameters = calling(&server.url);
    parameters["checkOutput"] = json!(false);
    let node = Mcp::new(McpCommands::default());
    let mut bench = Bench::new(&node, 1.0, parameters).input(json!([{}]));
    let output = bench.run_effect().await.unwrap();
    let kept = output.outputs[0][0].binary.clone().unwrap();
    assert_eq!(kept["data"].mime_type, "image/png");
}

/// A server that is a program of the shell.
fn program(script: &str) -> Mcp {
    let commands = json!({"mcpServers": {"adder": {
        "command": "/bin/sh", "args": ["-c", script], "env": {"GREETING": "hello"},
    }}});
    Mcp::new(McpCommands::read(&commands.to_string()).unwrap())
}

const INITIALIZED: &str = r#"read -r line; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh"}}}'; read -r line; "#;

async fn ran_by(node: &Mcp, parameters: Value) -> Result<Value, NodeError> {
    let mut bench = Bench::new(node, 1.0, parameters).input(json!([{}]));
    Ok(json_of(&bench.run_effect().await?, 0))
}

#[tokio::test]
async fn a_command_that_the_operator_named_is_a_server_and_knows_nothing_of_this_program() {
    let script = r#"read -r line; echo '{"jsonrpc":"2.0","id":"p","method":"ping"}'; read -r pong;
        names=$(env | cut -d= -f1 | sort | tr '\n' ' ')
        echo '{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"'"$GREETING $names"'"}]}}'; read -r line"#;
    let node = program(&format!("{INITIALIZED}{script}"));
    let parameters = json!({"server": "adder", "tool": "add", "checkOutput": false});
    let given = ran_by(&node, parameters).await.unwrap();
    let told = given[0]["text"].as_str().unwrap();
    assert!(told.starts_with("hello ") && told.contains("GREETING") && !told.contains("CARGO"), "{told}");
    failed(ran_by(&node, json!({"server": "/bin/sh", "tool": "x"})).await, "--mcp-commands");
    let with = json!({"server": "adder", "tool": "x", "authentication": "httpBearerAuth"});
    let mut bench = Bench::new(&node, 1.0, with).input(json!([{}]));
    bench = bench.credential("httpBearerAuth", json!({"token": "t"}));
    failed(bench.run_effect().await.map(|output| json_of(&output, 0)), "takes no credential");
}

#[tokio::test]
async fn a_command_that_dies_hangs_or_shouts_is_ended() {
    let parameters = json!({"server": "adder", "tool": "add", "checkOutput": false, "options": {"timeout": 5_000}});
    failed(ran_by(&program(&format!("{INITIALIZED}exit 0")), parameters.clone()).await, "ended the connection");
    let shouting = format!("{INITIALIZED}yes");
    failed(ran_by(&program(&shouting), parameters.clone()).await, "it is no JSON");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let hanging = program(&format!("echo $$ > {}; {INITIALIZED}sleep 1000 & wait", file.display()));
    let mut soon = parameters;
    soon["options"]["timeout"] = json!(2_000);
    failed(ran_by(&hanging, soon).await, "did not answer within 2000 ms");
    let left = std::fs::read_to_string(file).unwrap().trim().to_owned();
    let is_there = || {
        let state = std::fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z")
    };
    // It is killed by now, and goes in its own time.
    let began = std::time::Instant::now();
    while is_there() {
        assert!(began.elapsed() < PATIENCE, "it still runs");
        tokio::task::yield_now().await;
    }
}
