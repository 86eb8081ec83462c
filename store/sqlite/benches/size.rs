//! Bytes of the log's file for a ten-step execution: packed, and the same rows with their texts as they are.
//!
//! `cargo bench -p timeloom-store-sqlite --bench size`; `executions=200` makes fewer.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark is run by hand, prints, and may stop at anything"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};
use serde_json::value::RawValue;
use tempfile::TempDir;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::bench::argument;
use timeloom_store::{
    Append, DurabilityChoice, EventLog, Expected, LogTransfer, Metadata, NewEvent, Position, Revision, StreamKey,
    SystemClock,
};
use timeloom_store_sqlite::{SqliteLog, SqliteOptions};
use uuid::Uuid;

const EXECUTIONS: u64 = 5_000;
/// Steps after the trigger.
const STEPS: u64 = 10;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let executions = argument("executions").unwrap_or(EXECUTIONS);
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let durability = DurabilityChoice::Relaxed { flush_ms: 1_000 };
    let options = SqliteOptions { durability, ..SqliteOptions::new(Uuid::from_u128(1), Arc::new(SystemClock)) };
    let (log, _blobs) = SqliteLog::open(folder.path(), options).unwrap();
    for number in 0..executions {
        for append in execution(number) {
            log.append(append).await.unwrap();
        }
    }
    let plain = folder.path().join("plain.db");
    let text_bytes = write_plain(&log, &plain).await;
    log.close().await;
    let per_execution = |file: &Path| fs::metadata(file).unwrap().len() as f64 / executions as f64;
    let (plain, packed) = (per_execution(&plain), per_execution(&folder.path().join("log.db")));
    println!("{executions} executions, {} events each in two appends, bytes of the file for one", STEPS + 3);
    println!("| their texts | all texts in their rows | packed | ratio |");
    println!("|---|---|---|---|");
    println!("| {:.0} | {plain:.0} | {packed:.0} | {:.2} |", text_bytes as f64 / executions as f64, packed / plain);
}

/// Writes every row as the first version of the file had it, and gives the bytes of all texts.
async fn write_plain(log: &SqliteLog, file: &Path) -> usize {
    let connection = Connection::open(file).unwrap();
    connection.execute_batch(include_str!("../tests/fixtures/schema-1.sql")).unwrap();
    let mut stream_no = 0;
    let mut text_bytes = 0;
    let mut after = Position::START;
    loop {
        let page = log.export(after, 1_000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position;
        connection.execute_batch("BEGIN").unwrap();
        let mut insert = connection
            .prepare_cached(
                "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )
            .unwrap();
        for event in &page {
            if event.revision == Revision(1) {
                stream_no += 1;
                let stream = (stream_no, event.stream.tenant.0, &*event.stream.category, &*event.stream.id);
                connection.execute("INSERT INTO streams VALUES (?1, ?2, ?3, ?4)", stream).unwrap();
            }
            text_bytes += event.text_bytes();
            insert
                .execute(params![
                    event.position.0,
                    event.stream.tenant.0,
                    &*event.stream.category,
                    &*event.stream.id,
                    event.revision.0,
                    event.id.0.as_bytes(),
                    &*event.event_type,
                    event.event_version,
                    event.payload,
                    event.metadata,
                    event.recorded_at_us,
                    event.leaf,
                    stream_no,
                    event.append.map(|append| append.events),
                    event.append.as_ref().map(|append| append.command_id.0.as_bytes()),
                ])
                .unwrap();
        }
        drop(insert);
        connection.execute_batch("COMMIT").unwrap();
    }
    text_bytes
}

/// Ids as a server makes them: the time in front, then chance.
#[expect(clippy::disallowed_methods, reason = "a benchmark needs no repeatable ids")]
fn id() -> Uuid {
    Uuid::now_v7()
}

/// An execution that a webhook starts: its start by itself, then every step and the end.
fn execution(number: u64) -> [Append; 2] {
    let item = format!(
        r#"{{"json":{{"headers":{{"host":"127.0.0.1:8080","content-type":"application/json","accept":"*/*"}},"params":{{}},"query":{{}},"body":{{"order":{number},"customer":"Zoë","total":12.5,"paid":true}},"webhookUrl":"http://127.0.0.1:8080/webhook/orders"}},"pairedItem":{{"item":0}}}}"#
    );
    let at_ms = 1_760_000_000_000 + number;
    let started = format!(
        r#"{{"type":"execution_started","workflow_id":"{}","workflow_revision":3,"workflow_version":2,"mode":"production","start_node":"Webhook","items":[{item}],"seed":{number},"at_ms":{at_ms}}}"#,
        Uuid::from_u128(7)
    );
    let completed = |node: u64| {
        let text = format!(
            r#"{{"type":"node_completed","run":{{"node":"Node {node}","run_index":0,"execution_index":{node},"sources":[{{"previousNode":"Node {}"}}]}},"started_at_ms":{at_ms},"duration_us":{},"outputs":[[{item}]]}}"#,
            node.saturating_sub(1),
            300 + node * 7
        );
        ("NodeCompleted", text)
    };
    let mut others: Vec<(&str, String)> = (0..=STEPS).map(completed).collect();
    others.push(("ExecutionCompleted", format!(r#"{{"type":"execution_completed","at_ms":{at_ms}}}"#)));
    let stream = StreamKey::new(TenantId(1), "execution", id().to_string());
    let start = append(&stream, Expected::NoStream, vec![("ExecutionStarted", started)]);
    [start, append(&stream, Expected::Exact(Revision(1)), others)]
}

fn append(stream: &StreamKey, expected: Expected, events: Vec<(&str, String)>) -> Append {
    let command_id = CommandId(id());
    let metadata = Arc::new(Metadata {
        actor: Actor::System("engine-1".to_owned()),
        command_id,
        causation_id: Some(EventId(id())),
        correlation_id: None,
        request: None,
    });
    let event = |(event_type, payload): (&str, String)| NewEvent {
        id: EventId(id()),
        event_type: event_type.into(),
        event_version: 1,
        payload: Arc::from(RawValue::from_string(payload).unwrap()),
        metadata: Arc::clone(&metadata),
    };
    Append::new(stream.clone(), expected, events.into_iter().map(event).collect(), command_id)
}
