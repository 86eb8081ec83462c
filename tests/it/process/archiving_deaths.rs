//! A server that is killed while it archives: nothing is lost, and the next one finishes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::{
    Append, Clock, EventLog as _, Expected, Metadata, NewEvent, Payload, Position, StreamKey, SystemClock,
};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use timeloom_verify::check::{Known, check};
use timeloom_verify::key::PublicKey;
use uuid::Uuid;

use super::server::{Server, verb, verb_json};

/// Events that are old enough: more than the background task leaves alone, and enough for many transactions of dropped rows.
const OLD_EVENTS: u64 = 20_000;
const EVENTS_PER_APPEND: u64 = 1_000;
/// How old they are.
const OLD_DAYS: i64 = 3;
/// Longest time that a server takes to get anywhere.
const PATIENCE: Duration = Duration::from_secs(120);

/// Something that can be seen of how far archiving is, in the order in which it comes.
type Moment = (&'static str, fn(&Path) -> bool);

const MOMENTS: [Moment; 5] = [
    ("the archive's folder is there", |data| data.join("archive").exists()),
    ("the segment is in its place", |data| !segment_files(data).is_empty()),
    ("the log tells of it", |data| number(data, "SELECT count(*) FROM events WHERE event_type = 'RangeArchived'") > 0),
    ("it is registered", |data| number(data, "SELECT count(*) FROM segments") > 0),
    ("some rows are dropped", |data| dropped(data) > 0),
];

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

fn segment_files(data: &Path) -> Vec<String> {
    let Ok(files) = fs::read_dir(data.join("archive")) else { return Vec::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".segment")).collect()
}

/// What the log's own file says, beside the server that has it open.
fn number(data: &Path, sql: &str) -> u64 {
    let file = Connection::open_with_flags(data.join("log.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

fn dropped(data: &Path) -> u64 {
    number(data, "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'archived'), 0)")
}

/// A log most of whose events are some days old.
async fn old_log(data: &Path) {
    let old = || SystemClock.now() - chrono::Duration::days(OLD_DAYS);
    for (clock, appends) in [
        (Arc::new(old) as Arc<dyn Clock>, OLD_EVENTS / EVENTS_PER_APPEND),
        (Arc::new(SystemClock) as Arc<dyn Clock>, 1),
    ] {
        let (log, _blobs) = SqliteLog::open(data, SqliteOptions::new(Uuid::from_u128(7), clock)).unwrap();
        for _ in 0..appends {
            let first = u128::from(log.head().0) * 2 + 1;
            log.append(append(first)).await.unwrap();
        }
        log.close().await;
    }
}

fn append(first: u128) -> Append {
    let command_id = CommandId(Uuid::from_u128(first));
    let metadata = Arc::new(Metadata::new(Actor::System("test".to_owned()), command_id));
    let event = |number: u128| NewEvent {
        id: EventId(Uuid::from_u128(first + 1 + number)),
        event_type: "Measured".into(),
        event_version: 1,
        payload: Payload::from(RawValue::from_string(format!(r#"{{"value":{}}}"#, first + number)).unwrap()),
        metadata: Arc::clone(&metadata),
    };
    let events = (0..u128::from(EVENTS_PER_APPEND)).map(event).collect();
    Append::new(StreamKey::new(TenantId(1), "probe", format!("p-{}", first % 7)), Expected::Any, events, command_id)
}

/// Exports the old events from the folder that nobody serves, and checks them as an auditor does, who keeps these notes.
/// Gives what was exported and the note.
fn exported(data: &Path, out: &Path, kept: &[String]) -> (Vec<u8>, String) {
    let keys = verb(&["audit", "keys", "--data", path(data)]);
    let keys = PublicKey::parse_all(&String::from_utf8(keys.stdout).unwrap()).unwrap();
    let to = OLD_EVENTS.to_string();
    verb_json(&["audit", "export", "--data", path(data), "--to", &to, "--out", path(out), "--json"]);
    let kept = kept.iter().map(|note| ("kept".to_owned(), note.clone())).collect();
    let report = check(out, &Known { keys, kept, ..Known::default() }, |_, _| {}).unwrap();
    assert!(report.is_proved() && report.to == OLD_EVENTS, "{:?}", report.findings);
    let mut files: Vec<_> = fs::read_dir(out).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with("events-"));
    files.sort();
    (files.iter().flat_map(|file| fs::read(file).unwrap()).collect(), report.note.unwrap())
}

/// Looks at the log without rest until the moment has come.
async fn until(data: &Path, (name, has_come): Moment) {
    let began = Instant::now();
    while !has_come(data) {
        assert!(began.elapsed() < PATIENCE, "it was waited too long until {name}");
        tokio::task::yield_now().await;
    }
}

/// Kills a server at each moment of archiving, which `begin` has it do, and looks at what is left; then lets one finish.
async fn killed_at_every_moment(more: &[&str], begin: impl AsyncFn(&Server)) {
    let folder = tempfile::tempdir().unwrap();
    let [data, before, after] = ["data", "before", "after"].map(|name| folder.path().join(name));
    old_log(&data).await;
    let (events, note) = exported(&data, &before, &[]);
    let mut unfinished = 0;
    for moment in MOMENTS {
        let server = Server::start(&data, more);
        tokio::select! {
            () = until(&data, moment) => {}
            () = async { begin(&server).await; std::future::pending().await } => {}
        }
        server.kill();
        unfinished += u64::from(dropped(&data) < OLD_EVENTS);
        let report = verb_json(&["log", "verify", path(&data), "--json"]);
        assert_eq!(report["faultCount"], json!(0), "killed when {}: {report}", moment.0);
    }
    assert!(unfinished > 1, "all but {unfinished} of the servers had finished before they were killed");
    let server = Server::start(&data, more);
    begin(&server).await;
    until(&data, ("all of it is dropped", |data| dropped(data) == OLD_EVENTS)).await;
    let asked = "{ logArchive { archivedUpTo droppedUpTo segments { first last name } }
        told: events(first: 10, filter: { types: [\"RangeArchived\"] }) { nodes { position } } }";
    let answer = server.ask(asked, Value::Null).await;
    let segments = answer["logArchive"]["segments"].as_array().unwrap();
    assert_eq!((segments.len(), answer["told"]["nodes"].as_array().unwrap().len()), (1, 1), "{answer}");
    assert_eq!((&segments[0]["first"], &segments[0]["last"]), (&json!("1"), &json!(OLD_EVENTS.to_string())));
    assert_eq!(segment_files(&data), [segments[0]["name"].as_str().unwrap()]);
    assert_eq!(fs::read_dir(data.join("archive")).unwrap().count(), 1, "no part of a file is left");
    server.stop();
    assert_eq!(number(&data, &format!("SELECT count(*) FROM events WHERE position <= {OLD_EVENTS}")), 0);
    let (again, _) = exported(&data, &after, &[note]);
    assert!(again == events, "an auditor gets other bytes from the archive than before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_it_archives_by_itself_loses_nothing() {
    killed_at_every_moment(&["--archive-after-days", "1"], async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_somebody_archives_loses_nothing() {
    killed_at_every_moment(&[], async |server| {
        let query = "mutation($input: ArchiveLogInput!) { archiveLog(input: $input) { done errors { message } } }";
        let input = json!({ "upTo": Position(OLD_EVENTS).to_string(), "to": "archive" });
        // A server that dies does not answer.
        let asked = super::server::client().post(format!("{}/graphql", server.url));
        let _ = asked.json(&json!({ "query": query, "variables": { "input": input } })).send().await;
    })
    .await;
}
