//! Copies, backups and restores with the program itself: under load, killed in the middle, over damage.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_postgres_testing::Database;
use timeloom_store::{
    Append, BlobStore as _, EventLog as _, Expected, LogTransfer, Metadata, NewEvent, Position, StoredEvent, StreamKey,
    SystemClock,
};
use timeloom_store_sqlite::{SqliteBlobs, SqliteLog, SqliteOptions, SqliteSource};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader as AsyncReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::server::{Server, chain, program, set, verb, verb_json};

/// Events of one append in a made log.
const EVENTS_PER_APPEND: u128 = 250;

/// A log of events that no part of the product knows, of which every tenth append has a large one.
async fn made_log(folder: &Path, log_id: u128, appends: u128) {
    let options = SqliteOptions::new(Uuid::from_u128(log_id), Arc::new(SystemClock));
    let (log, _blobs) = SqliteLog::open(folder, options).unwrap();
    for number in 0..appends {
        let first = number * 1_000 + 1;
        let command_id = CommandId(Uuid::from_u128(first));
        let metadata = Arc::new(Metadata {
            actor: Actor::System("test".to_owned()),
            command_id,
            causation_id: None,
            correlation_id: None,
            request: None,
        });
        let event = |offset: u128| {
            let filling = if number % 10 == 3 && offset == 7 { "x".repeat(80_000) } else { String::new() };
            let payload = json!({ "number": first + offset, "filling": filling }).to_string();
            NewEvent {
                id: EventId(Uuid::from_u128(first + 1 + offset)),
                event_type: "OrderPlaced".into(),
                event_version: 3,
                payload: serde_json::from_str::<Box<serde_json::value::RawValue>>(&payload).unwrap().into(),
                metadata: Arc::clone(&metadata),
            }
        };
        let tenant = TenantId(u32::try_from(number % 3).unwrap());
        let stream = StreamKey::new(tenant, "order", format!("o{}", number % 7));
        let events = (0..EVENTS_PER_APPEND).map(event).collect();
        log.append(Append::new(stream, Expected::Any, events, command_id)).await.unwrap();
    }
    log.close().await;
}

async fn rows(folder: &Path) -> Vec<StoredEvent> {
    let (log, blobs) = SqliteSource::open(folder).unwrap();
    let mut rows: Vec<StoredEvent> = Vec::new();
    loop {
        let after = rows.last().map_or(Position::START, |row| row.position);
        let page = log.export(after, 1_000).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        for row in &page {
            if let Some(hash) = row.payload.strip_prefix(r#"{"$blob":{"hash":""#) {
                blobs.get(hash[..64].parse().unwrap()).await.unwrap();
            }
        }
        rows.extend(page);
    }
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

/// The refusal of a verb: its status, and words that it says.
fn refused(arguments: &[&str], status: i32, words: &[&str]) {
    let output = verb(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_busy_server_restores_every_event() {
    let folder = tempfile::tempdir().unwrap();
    let [data, backup, restored] = ["data", "backup", "restored"].map(|name| folder.path().join(name));
    let server = Arc::new(Server::start(&data, &[]));
    let code = json!({
        "name": "Large", "type": "n8n-nodes-base.code", "typeVersion": 2,
        "parameters": { "jsCode": "return [{ json: { text: 'timeloom '.repeat(10000), n: Math.random() } }];" }
    });
    let workflow = server.import(&chain("Busy", &[code, set("Step", "a", "={{ $json.text.length }}")])).await;

    let (more, mut enough) = mpsc::channel::<()>(1);
    let mut load = JoinSet::new();
    for _ in 0..2 {
        let (server, workflow, more) = (Arc::clone(&server), workflow.clone(), more.clone());
        load.spawn(async move {
            while !more.is_closed() {
                assert_eq!(server.start_execution(&workflow, "COMPLETED").await["status"], "COMPLETED");
            }
        });
    }
    let back_up = |server: Arc<Server>, backup: String| async move {
        let arguments = move || verb_json(&["log", "backup", &backup, "--server", &server.url, "--json"]);
        tokio::task::spawn_blocking(arguments).await.unwrap()
    };
    let first = back_up(Arc::clone(&server), path(&backup).to_owned()).await;
    server.start_execution(&workflow, "COMPLETED").await;
    let second = back_up(Arc::clone(&server), path(&backup).to_owned()).await;
    enough.close();
    load.join_all().await;
    let third = back_up(Arc::clone(&server), path(&backup).to_owned()).await;
    assert_eq!(second["verifiedAfter"], first["head"], "the second run compares only what is new");
    assert!(second["events"].as_u64() > Some(0), "nothing happened between the first backup and the second");
    let written: u64 = [&first, &second, &third].iter().map(|report| report["events"].as_u64().unwrap()).sum();
    assert_eq!(third["head"], json!(written), "each event was written once");
    let known = server.ask("{ logBackups { place upTo events sizeBytes } }", Value::Null).await;
    let known = known["logBackups"].as_array().unwrap().clone();
    let told: Vec<_> = known.iter().rev().map(|one| (one["upTo"].clone(), one["events"].clone())).collect();
    let text = |position: &Value| json!(position.to_string());
    let made: Vec<_> =
        [&first, &second, &third].iter().map(|one| (text(&one["head"]), one["events"].clone())).collect();
    assert_eq!(told, made, "the server knows each backup");
    assert_eq!(known[0]["place"], json!(backup.canonicalize().unwrap()));
    assert!(known[0]["sizeBytes"].as_u64() > Some(0));
    let executions = "{ executions(first: 100) { nodes { id status startedAt } } }";
    let shown = server.ask(executions, Value::Null).await;
    let Ok(server) = Arc::try_unwrap(server) else { panic!("the server is still in use") };
    server.kill();

    let report = verb_json(&["log", "restore", path(&backup), "--data", path(&restored), "--json"]);
    assert_eq!((&report["head"], &report["logId"]), (&third["head"], &first["logId"]));
    let mut recorded = rows(&data).await;
    let last = recorded.pop().unwrap();
    assert_eq!(&*last.event_type, "BackupTaken", "of the last backup the log tells after it");
    assert!(rows(&restored).await == recorded, "the restored rows differ");
    refused(&["log", "restore", path(&backup), "--data", path(&restored)], 2, &["is not empty", "--data"]);
    let report = verb_json(&["log", "verify", path(&restored), "--json"]);
    assert_eq!((&report["faultCount"], &report["events"]), (&json!(0), &json!(written)));

    let server = Server::start(&restored, &[]);
    let query = executions.replace("(first: 100)", "(first: 100, waitFor: $head)");
    let variables = json!({ "head": third["head"].to_string() });
    let again = server.ask(&format!("query($head: Position!) {query}"), variables).await;
    assert_eq!(again["executions"], shown["executions"]);
    server.stop();
}

/// Serves the log in a folder as a server does, but stops answering after some pages and says so.
async fn stalling_server(log: Arc<SqliteSource>, blobs: Arc<SqliteBlobs>, pages: usize) -> (u16, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stalls, stalled) = mpsc::channel(1);
    tokio::spawn(async move {
        let given = AtomicUsize::new(0);
        while let Ok((mut stream, _)) = listener.accept().await {
            let asked = request_path(&mut stream).await;
            let body = if let Some(hash) = asked.strip_prefix("/log/blobs/") {
                blobs.get(hash.parse().unwrap()).await.unwrap().to_vec()
            } else if let Some(after) = asked.strip_prefix("/log/events?after=") {
                if given.fetch_add(1, Ordering::Relaxed) == pages {
                    stalls.send(()).await.unwrap();
                    std::future::pending::<()>().await;
                }
                let after = after.split('&').next().unwrap().parse().unwrap();
                let page = log.export(Position(after), 1_000).await.unwrap();
                page.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect::<String>().into_bytes()
            } else {
                serde_json::to_vec(&log.identity().await.unwrap()).unwrap()
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
        }
    });
    (port, stalled)
}

async fn request_path(stream: &mut TcpStream) -> String {
    let mut lines = AsyncReader::new(stream).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    while !lines.next_line().await.unwrap().unwrap().is_empty() {}
    first.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_killed_in_the_middle_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let [data, target] = ["data", "target"].map(|name| folder.path().join(name));
    made_log(&data, 7, 40).await;
    let source = SqliteSource::open(&data).unwrap();
    let (port, mut stalled) = stalling_server(source.0, source.1, 3).await;
    let mut copying = Command::new(program())
        .args(["log", "copy", "--from", &format!("http://127.0.0.1:{port}"), "--to", path(&target)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Three pages are written when the fourth is asked for.
    stalled.recv().await.unwrap();
    copying.kill().unwrap();
    copying.wait().unwrap();
    let said: Vec<String> = BufReader::new(copying.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    assert!(said.iter().any(|line| line == "copying: 3000 of 10000 events"), "{said:?}");

    refused(
        &["serve", "--data", path(&target), "--listen", "127.0.0.1:0"],
        1,
        &["copy that was not finished", "again"],
    );
    refused(&["log", "verify", path(&target)], 1, &["copy that was not finished"]);
    // The folder of the source is still open in this process.
    refused(&["log", "copy", "--from", path(&data), "--to", path(&target)], 1, &["is in use by process"]);
    let other = folder.path().join("other");
    made_log(&other, 8, 1).await;
    refused(&["log", "copy", "--from", path(&other), "--to", path(&target)], 2, &["holds another log", "empty one"]);

    let moved = folder.path().join("moved");
    std::fs::rename(&data, &moved).unwrap();
    std::fs::remove_file(moved.join("LOCK")).unwrap();
    let report = verb_json(&["log", "copy", "--from", path(&moved), "--to", path(&target), "--json"]);
    assert_eq!((&report["events"], &report["head"]), (&json!(7_000), &json!(10_000)));
    assert_eq!(report["verifiedAfter"], json!(0), "what the killed run wrote is compared too");
    std::fs::remove_file(moved.join("LOCK")).unwrap();
    assert!(rows(&target).await == rows(&moved).await, "the rows differ");
}

#[tokio::test]
async fn one_changed_byte_is_named_by_verify_and_refused_by_copy() {
    let folder = tempfile::tempdir().unwrap();
    let [data, target] = ["data", "target"].map(|name| folder.path().join(name));
    made_log(&data, 7, 12).await;
    let file = data.join("log.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // The event at position 1,799 is the 49th of the eighth append. Its row has its text as it is, and the texts of the
    // fifteen behind it as what differs from it.
    let text = br#""number":7049,"#;
    let found = bytes.windows(text.len()).position(|window| window == text).unwrap();
    bytes[found + text.len() - 2] = b'1';
    std::fs::write(&file, bytes).unwrap();

    refused(&["log", "verify", path(&data)], 1, &["position 1799: its hash differs"]);
    let report = verb(&["log", "verify", path(&data), "--json"]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let faults = report["faults"].as_array().unwrap().iter().map(|fault| fault["position"].as_u64().unwrap());
    let faults: Vec<u64> = faults.collect();
    assert!(faults[0] == 1_799 && faults.iter().all(|position| *position < 1_799 + 16), "{faults:?}");
    let copy = ["log", "copy", "--from", path(&data), "--to", path(&target)];
    refused(&copy, 1, &["the event at position 1799", "the source is damaged"]);
    refused(&["workflow", "list", "--data", path(&target)], 1, &["copy that was not finished"]);
}

#[tokio::test]
async fn bad_locations_are_refused_with_the_remedy_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let [missing, target, used] = ["missing", "target", "used"].map(|name| folder.path().join(name));
    let copy = |from: &str, to: &str| [from, to].map(str::to_owned);
    for ([from, to], status, words) in [
        (copy("ftp://host/log", path(&target)), 2, ["'ftp://'", "give a data folder"]),
        (copy(path(&missing), path(&target)), 1, ["there is no event log in", "check the path"]),
        (copy("http://127.0.0.1:1", path(&target)), 1, ["http://127.0.0.1:1", "cannot be reached"]),
        (copy(path(&missing), path(&missing)), 2, ["onto itself", "another target"]),
    ] {
        refused(&["log", "copy", "--from", &from, "--to", &to], status, &words);
    }
    assert!(!missing.exists() && !target.exists());

    let server = Server::start(&used, &[]);
    let told = format!("--server {}", server.url);
    refused(&["log", "backup", path(&target), "--data", path(&used)], 1, &["is in use", &told]);
    refused(&["log", "copy", "--from", path(&used), "--to", &server.url], 1, &["is in use"]);
    let in_memory = Server::start(&missing, &["--in-memory"]);
    refused(&["log", "backup", path(&target), "--server", &in_memory.url], 1, &["in memory", "nothing to back up"]);
    in_memory.stop();
    server.stop();
    refused(&["log", "copy", "--from", path(&used), "--to", "http://127.0.0.1:1"], 1, &["can only be read"]);
    std::fs::create_dir_all(&target).unwrap();
    std::fs::write(target.join("holiday.jpg"), "x").unwrap();
    refused(&["log", "restore", path(&used), "--data", path(&target)], 2, &["is not empty"]);
}

#[tokio::test]
async fn the_rows_of_a_server_are_given_in_pages_and_wrong_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    made_log(folder.path(), 7, 6).await;
    let expected = rows(folder.path()).await;
    let server = Server::start(folder.path(), &[]);
    let get = async |path: &str| super::server::client().get(format!("{}{path}", server.url)).send().await.unwrap();
    let identity: Value = get("/log/identity").await.json().await.unwrap();
    assert_eq!(identity, json!({ "log_id": Uuid::from_u128(7), "head": 1_500 }));
    let mut read: Vec<StoredEvent> = Vec::new();
    loop {
        let after = read.last().map_or(0, |row| row.position.0);
        let page = get(&format!("/log/events?after={after}&limit=400")).await;
        assert_eq!(page.headers()["content-type"], "application/x-ndjson");
        let page = page.text().await.unwrap();
        if page.is_empty() {
            break;
        }
        let count = read.len();
        read.extend(page.lines().map(|line| serde_json::from_str::<StoredEvent>(line).unwrap()));
        assert!(read.len() - count <= 400);
    }
    assert!(read == expected, "the rows differ");
    let missing = format!("/log/blobs/{}", "0".repeat(64));
    for (path, status) in [
        ("/log/events?limit=0", 400),
        ("/log/events?limit=1001", 400),
        ("/log/events?after=-1", 400),
        ("/log/events?from=1", 400),
        ("/log/blobs/x", 400),
        (missing.as_str(), 404),
    ] {
        assert_eq!(get(path).await.status(), status, "{path}");
    }
    let other_site = super::server::client().get(format!("{}/log/events", server.url)).header("host", "evil.example");
    assert_eq!(other_site.send().await.unwrap().status(), 403);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_moves_into_a_database_and_back_with_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let [data, back, backup] = ["data", "back", "backup"].map(|name| folder.path().join(name));
    made_log(&data, 7, 20).await;
    let (database, second) = (Database::create().await, Database::create().await);
    let copy = |from: &str, to: &str| verb_json(&["log", "copy", "--from", from, "--to", to, "--json"]);

    let there = copy(path(&data), database.url());
    assert_eq!((&there["events"], &there["blobs"]), (&json!(5_000), &json!(2)));
    let again = copy(path(&data), database.url());
    assert_eq!((&again["events"], &again["verifiedAfter"]), (&json!(0), &json!(5_000)));
    let report = verb_json(&["log", "verify", database.url(), "--json"]);
    assert_eq!((&report["faultCount"], &report["events"], &report["blobs"]), (&json!(0), &json!(5_000), &json!(2)));
    let home = copy(database.url(), path(&back));
    assert_eq!(home["leavesSha256"], there["leavesSha256"]);
    let expected = rows(&data).await;
    assert!(rows(&back).await == expected, "the rows differ");

    let server = Server::start(folder.path(), &["--database", database.url()]);
    verb_json(&["log", "backup", path(&backup), "--server", &server.url, "--json"]);
    server.stop();
    assert!(rows(&backup).await == expected, "the rows differ");
    let restore = ["log", "restore", path(&backup), "--database", second.url()];
    assert_eq!(verb_json(&[&restore[..], &["--json"]].concat())["events"], json!(5_000));
    refused(&restore, 2, &["is not empty", "--database"]);
    refused(&["log", "copy", "--from", path(&data), "--to", &format!("{}_no", second.url())], 1, &["_no"]);
}
