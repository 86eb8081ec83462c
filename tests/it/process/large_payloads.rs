//! Runs of many items and with large files: that they complete, and what they leave.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::server::{Server, chain, client, set};

/// Length of the large file.
const FILE_BYTES: usize = 50_000_000;
/// How long the end of a run is waited for at a time, in milliseconds.
const WAIT_MS: u32 = 30_000;
/// How often it is waited for.
const WAITS_MAX: usize = 6;
/// The command that starts a run: sent again, it waits for the same run again.
const COMMAND: &str = "01900000-0000-7000-8000-000000000001";
/// What a server may take for the data of these runs, in MiB. The same runs are measured whole by `make bench`.
const MEMORY_MIB_MAX: u64 = 250;

/// A file service: gives a large file for any GET, JSON as large for one of `/small` or `/one`, and says how long the body of
/// any POST was.
struct FileService {
    address: String,
    _serving: JoinSet<()>,
}

impl FileService {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut answering = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                answering.spawn(answer(stream));
            }
        });
        Self { address, _serving: serving }
    }
}

/// Answers one request.
async fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    if head.starts_with("get /small") || head.starts_with("get /one") {
        let body = if head.starts_with("get /one") { items(1, FILE_BYTES) } else { items(FILE_BYTES / 1_000, 1_000) };
        return give_json(&mut stream, &body).await;
    }
    if head.starts_with("get") {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: {FILE_BYTES}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        for number in 0..FILE_BYTES / 100_000 {
            stream.write_all(&piece(number)).await.unwrap();
        }
        return;
    }
    let told: usize = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let (mut received, mut buffer) = (0, vec![0; 1 << 16]);
    while received < told {
        received += stream.read(&mut buffer).await.unwrap();
    }
    give_json(&mut stream, &json!({ "received": received })).await;
}

async fn give_json(stream: &mut TcpStream, body: &Value) {
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
}

/// So many items, each of about so many bytes.
fn items(count: usize, bytes: usize) -> Value {
    let note = "x".repeat(bytes - 60);
    (0..count).map(|id| json!({ "id": id, "n": id % 97, "note": note, "tag": "a" })).collect()
}

/// A piece of the file, unlike its neighbours.
fn piece(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 251).unwrap(); 100_000]
}

fn request(name: &str, mut parameters: Value) -> Value {
    parameters["options"] = json!({});
    json!({ "name": name, "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2, "parameters": parameters })
}

/// The most memory that a process ever had for its data, in MiB. The pages of the program's own file do not count: they are
/// the system's to take back, and of a program that was built for debugging there are many.
fn peak_mib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    kib("VmHWM").saturating_sub(kib("RssFile")) / 1024
}

/// Starts an execution and waits for its end, longer than a single answer may take.
async fn start_and_wait(server: &Server, workflow_id: &str) -> Value {
    let query = "mutation($input: StartExecutionInput!) { startExecution(input: $input) {
        executionId status timedOut errors { message } } }";
    let input =
        json!({ "commandId": COMMAND, "workflowId": workflow_id, "waitFor": "COMPLETED", "timeoutMs": WAIT_MS });
    let mut answer = Value::Null;
    for _ in 0..WAITS_MAX {
        answer = server.ask(query, json!({ "input": input })).await["startExecution"].clone();
        if answer["timedOut"] != true {
            break;
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_passes_through_a_run_and_can_be_downloaded() {
    let folder = tempfile::tempdir().unwrap();
    let files = FileService::start().await;
    let server = Server::start(folder.path(), &["--allow-private-hosts", &files.address]);
    let url = format!("http://{}/report.pdf", files.address);
    let send = json!({ "url": url, "method": "POST", "sendBody": true, "contentType": "binaryData",
        "inputDataFieldName": "data" });
    let nodes = [request("Get", json!({ "url": url })), set("Step", "a", "=1"), request("Send", send)];
    let workflow = server.import(&chain("Files", &nodes)).await;
    let ended = server.start_execution(&workflow, "COMPLETED").await;
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    let execution = ended["executionId"].as_str().unwrap();

    let address = |query: &str| format!("{}/binary/{execution}?{query}", server.url);
    // The step between kept the attachment by its reference.
    let response = client().get(address("node=Step")).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((response.status().as_u16(), header("content-type").as_str()), (200, "application/pdf"));
    assert!(header("content-disposition").starts_with("attachment; filename=\"report.pdf\""));
    assert_eq!(header("x-content-type-options"), "nosniff");
    let content = response.bytes().await.unwrap();
    assert_eq!(content.len(), FILE_BYTES);
    assert!(
        content.chunks(100_000).enumerate().all(|(number, chunk)| chunk == piece(number)),
        "the content is another"
    );
    for query in ["node=Nobody", "node=Step&item=1", "node=Step&name=other", "node=Step&run=1"] {
        assert_eq!(client().get(address(query)).send().await.unwrap().status().as_u16(), 404, "{query}");
    }
    let foreign = client().get(address("node=Step")).header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(foreign.status().as_u16(), 403);
    let peak = peak_mib(&server);
    assert!(peak < MEMORY_MIB_MAX, "the server took {peak} MiB");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_many_items_completes_and_late_nodes_reach_early_ones() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let script = "return Array.from({ length: 14000 }, (_, i) => \
        ({ json: { id: i, name: `Person ${i}`, note: 'x'.repeat(120) } }));";
    let mut nodes = vec![json!({
        "name": "Make", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": { "jsCode": script }
    })];
    nodes.extend((1..=8).map(|step| set(&format!("Step {step}"), &format!("s{step}"), "={{ $json.id + 1 }}")));
    // What the first step gave was let go long before: it is fetched from the log.
    nodes.push(set("Late", "late", "={{ $('Step 1').item.json.s1 + $('Make').all().length }}"));
    let check = "const all = $input.all(); \
        const wrong = all.filter((item, i) => item.json.late !== i + 14001 || item.json.s8 !== i + 1); \
        if (all.length !== 14000 || wrong.length) throw new Error(`${wrong.length} of ${all.length} are wrong`); \
        return [];";
    nodes.push(json!({
        "name": "Check", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": { "jsCode": check }
    }));
    let workflow = server.import(&chain("Many", &nodes)).await;
    let ended = start_and_wait(&server, &workflow).await;
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    let peak = peak_mib(&server);
    assert!(peak < MEMORY_MIB_MAX, "the server took {peak} MiB");
    server.stop();
}

/// Gets JSON, changes every item three times and fails when any of them is not what it should be; says what that took.
#[expect(clippy::print_stdout, reason = "how near to the bound it came is worth knowing")]
async fn peak_of_steps_over(path: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let files = FileService::start().await;
    let server = Server::start(folder.path(), &["--allow-private-hosts", &files.address]);
    let mut nodes = vec![request("Get", json!({ "url": format!("http://{}{path}", files.address) }))];
    nodes.extend((1..=3).map(|step| set(&format!("Step {step}"), &format!("s{step}"), "={{ $json.id + 1 }}")));
    let number = |value: &str, operation: &str, other: usize| json!({ "leftValue": value, "rightValue": other, "operator": { "type": "number", "operation": operation } });
    let wrong_sum = number("={{ $json.s1 + $json.s2 + $json.s3 - 3 * $json.id }}", "notEquals", 3);
    let wrong_note = number("={{ $json.note.length }}", "lt", 900);
    let conditions = json!({ "conditions": [wrong_sum, wrong_note], "combinator": "or", "options": {} });
    nodes.push(json!({ "name": "Wrong", "type": "n8n-nodes-base.filter", "typeVersion": 2.2,
        "parameters": { "conditions": conditions, "options": {} } }));
    nodes.push(json!({ "name": "Fail", "type": "n8n-nodes-base.stopAndError", "typeVersion": 1,
        "parameters": { "errorMessage": "an item is wrong" } }));
    let workflow = server.import(&chain("Large", &nodes)).await;
    let ended = start_and_wait(&server, &workflow).await;
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    let peak = peak_mib(&server);
    println!("{path}: the server took {peak} MiB");
    server.stop();
    peak
}

#[tokio::test(flavor = "multi_thread")]
async fn large_json_in_many_small_items_is_changed_within_the_bound() {
    let peak = peak_of_steps_over("/small").await;
    assert!(peak < MEMORY_MIB_MAX, "the server took {peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_json_in_one_item_is_changed_within_the_bound() {
    let peak = peak_of_steps_over("/one").await;
    assert!(peak < MEMORY_MIB_MAX, "the server took {peak} MiB");
}
