//! Events whose texts are packed: read as they came in from wherever reading begins, and damage to them is told.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use rusqlite::Connection;
use serde_json::value::RawValue;
use tempfile::TempDir;
use timeloom_domain::ids::{Actor, CommandId, EventId, TenantId};
use timeloom_store::conformance::Chance;
use timeloom_store::{
    Append, BLOB_THRESHOLD_BYTES, Direction, EventLog, Expected, Filter, LogError, LogTransfer, Metadata, NewEvent,
    Position, READ_EVENTS_MAX, RecordedEvent, Revision, SubscriptionMessage, TenantScope,
};
use timeloom_store_sqlite::{SqliteLog, SqliteSource};
use uuid::Uuid;

use crate::{append, open, stream};

/// What a ten-step execution may take of the file.
const EXECUTION_BYTES_MAX: u64 = 6_000;

/// Payload and metadata of the event at `position`, read from the file as its description says and by nothing of ours.
pub(super) fn texts_in(connection: &Connection, position: u64) -> (String, String) {
    let own = |position: u64| -> (String, String, Option<Vec<u8>>) {
        let sql = "SELECT payload, metadata, packed FROM events WHERE position = ?1";
        connection.query_row(sql, [position], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    };
    let (payload, metadata, _) = own(position);
    if !payload.is_empty() {
        return (payload, metadata);
    }
    let sql = "SELECT max(position) FROM events WHERE position < ?1 AND packed IS NOT NULL";
    let head: u64 = connection.query_row(sql, [position], |row| row.get(0)).unwrap();
    let (payload, metadata, packed) = own(head);
    let packed = packed.unwrap();
    let mut at = 0;
    let mut number = || {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = usize::from(packed[at]);
            at += 1;
            number |= (byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    };
    let events = number();
    let lengths: Vec<usize> = (0..2 * events).map(|_| number()).collect();
    let dictionary = payload + &metadata;
    let texts = lz4_flex::block::decompress_with_dict(&packed[at..], lengths.iter().sum(), dictionary.as_bytes());
    let mut texts = String::from_utf8(texts.unwrap()).unwrap();
    let mut all = lengths.into_iter().map(|length| texts.drain(..length).collect::<String>());
    let payload = all.nth(2 * usize::try_from(position - head - 1).unwrap()).unwrap();
    (payload, all.next().unwrap())
}

/// Letters and digits in which next to nothing repeats.
pub(super) fn noise(bytes: usize, chance: &mut Chance) -> String {
    const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..bytes).map(|_| char::from(CHARACTERS[chance.index(CHARACTERS.len())])).collect()
}

/// An event to append.
#[derive(Debug, Clone)]
struct Made {
    payload: String,
    event_type: &'static str,
    actor: u8,
}

/// Texts that repeat, differ, spill, say nothing, or look like anything but text.
fn made() -> impl Strategy<Value = Made> {
    let filled = |bytes: std::ops::Range<usize>| {
        (bytes, any::<u64>()).prop_map(|(bytes, seed)| format!("\"{}\"", noise(bytes, &mut Chance::new(seed))))
    };
    let item =
        |n: u16| format!(r#"{{"items":[{{"json":{{"order":{n},"customer":"Zoë","paid":true}},"n":"Node {n}"}}]}}"#);
    let payload = prop_oneof![
        6 => Just(r#"{"type":"node_completed","outputs":[[{"json":{"order":7,"customer":"Zoë"}}]]}"#.to_owned()),
        6 => any::<u16>().prop_map(item),
        2 => (0..40u16, any::<u16>()).prop_map(move |(times, n)| format!("[{}]", vec![item(n); times.into()].join(","))),
        2 => filled(0..3_000),
        1 => Just(format!("\"{}\"", "x".repeat(BLOB_THRESHOLD_BYTES - 2))),
        1 => (BLOB_THRESHOLD_BYTES + 1..BLOB_THRESHOLD_BYTES + 9).prop_map(|bytes| format!("\"{}\"", "y".repeat(bytes))),
        2 => prop_oneof![Just("0"), Just("null"), Just("\"\""), Just("{}"), Just(" [ ] ")].prop_map(str::to_owned),
        1 => Just(r#""\u0000\uffff""#.to_owned()),
        2 => ".{0,200}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let event_type = prop_oneof![6 => Just("NodeCompleted"), 1 => Just("Rare")];
    (payload, event_type, 0..3u8).prop_map(|(payload, event_type, actor)| Made { payload, event_type, actor })
}

/// An append to one of two streams, with ids from `first_id` on.
fn append_of(made: &[Made], number: u128) -> Append {
    let first_id = 1_000 * (number + 1);
    let command_id = CommandId(Uuid::from_u128(first_id));
    let event = |(made, id): (&Made, u128)| NewEvent {
        id: EventId(Uuid::from_u128(id)),
        event_type: made.event_type.into(),
        event_version: 1,
        payload: Arc::from(RawValue::from_string(made.payload.clone()).unwrap()),
        metadata: Arc::new(Metadata {
            actor: Actor::System(format!("engine-{}", "x".repeat(usize::from(made.actor) * 3))),
            command_id,
            causation_id: None,
            correlation_id: None,
            request: None,
        }),
    };
    let stream = stream(["a", "b"][usize::from(number % 3 == 1)]);
    Append::new(stream, Expected::Any, made.iter().zip(first_id + 1..).map(event).collect(), command_id)
}

type Events = Vec<Arc<RecordedEvent>>;

/// Those of `all` that come after or, backward, up to a place, and pass.
fn wanted(
    all: &[Arc<RecordedEvent>],
    direction: Direction,
    limit: usize,
    passes: impl Fn(&RecordedEvent) -> bool,
    place: impl Fn(&RecordedEvent) -> bool,
) -> Events {
    let passing =
        all.iter().filter(|event| passes(event) && place(event) == (direction == Direction::Forward)).cloned();
    match direction {
        Direction::Forward => passing.take(limit).collect(),
        Direction::Backward => passing.rev().take(limit).collect(),
    }
}

/// Reads from `after` in every way, at most `limit`.
async fn check_reads(log: &SqliteLog, all: &[Arc<RecordedEvent>], after: u64, limit: usize) {
    let rare = Filter { event_types: vec!["Rare".into()], ..Filter::default() };
    let of_stream = Filter { stream: Some(stream("b")), ..Filter::default() };
    for direction in [Direction::Forward, Direction::Backward] {
        for filter in [Filter::default(), rare.clone(), of_stream.clone()] {
            let read = log.read_all(TenantScope::One(TenantId(1)), Position(after), direction, &filter, limit).await;
            let passes = |event: &RecordedEvent| filter.matches(TenantScope::All, event);
            let expected = wanted(all, direction, limit, passes, |event| event.position.0 > after);
            assert!(read.unwrap() == expected, "{filter:?} {direction:?} from {after}, {limit}");
        }
        let read = log.read_stream(&stream("a"), Revision(after), direction, limit).await.unwrap();
        let of_stream = |event: &RecordedEvent| *event.stream.id == *"a";
        let expected = wanted(all, direction, limit, of_stream, |event| event.revision.0 > after);
        assert!(read == expected, "{direction:?} in the stream from {after}, {limit}");
    }
    let exported = log.export(Position(after), limit).await.unwrap();
    let restored = exported.iter().filter(|row| !row.payload.starts_with(r#"{"$blob""#)).all(|row| {
        let event = &all[usize::try_from(row.position.0).unwrap() - 1];
        event.payload.get() == row.payload && row.computed_leaf(&mut Vec::new()) == row.leaf
    });
    assert!(restored && exported.len() == limit.min(all.len().saturating_sub(usize::try_from(after).unwrap())));
}

async fn check_history(log: &SqliteLog, all: &[Arc<RecordedEvent>], after: u64) {
    let mut history = log.subscribe(TenantScope::All, Position(after), Filter::default(), 64);
    let mut seen = Vec::new();
    while let Some(SubscriptionMessage::Event(event)) = history.next().await {
        seen.push(event);
    }
    assert!(seen == all[usize::try_from(after).unwrap()..], "history after {after}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_appended_is_read_from_everywhere(
        appends in prop::collection::vec(prop_oneof![prop::collection::vec(made(), 1..20), prop::collection::vec(made(), 1..200)], 1..4),
        places in prop::collection::vec((any::<Index>(), 1..40usize), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = TempDir::new().unwrap();
            let (log, blobs) = open(folder.path());
            let mut all = Events::new();
            for (made, number) in appends.iter().zip(0..) {
                all.extend(log.append(append_of(made, number)).await.unwrap().events);
            }
            for (made, number) in appends.iter().zip(0..) {
                let again = log.append(append_of(made, number)).await.unwrap();
                assert!(again.repeated && again.events.iter().all(|event| all.contains(event)));
            }
            drop((log, blobs));
            let (log, blobs) = open(folder.path());
            for (place, limit) in places {
                let after = place.index(all.len()) as u64;
                check_reads(&log, &all, after, limit).await;
                check_history(&log, &all, after).await;
            }
            check_reads(&log, &all, 0, READ_EVENTS_MAX).await;
            assert!(log.verify(&*blobs, |_| {}).await.unwrap().is_whole());
            drop((log, blobs));
            let connection = Connection::open(folder.path().join("log.db")).unwrap();
            for event in all.iter().filter(|event| event.payload.get().len() <= BLOB_THRESHOLD_BYTES) {
                assert_eq!(texts_in(&connection, event.position.0).0, event.payload.get());
            }
        });
    }
}

/// The start of an execution of ten nodes by itself, and its other events in one append, as a server makes them.
fn execution(number: u128) -> [Append; 2] {
    let item = format!(
        r#"{{"json":{{"headers":{{"host":"127.0.0.1:8080","content-type":"application/json","accept":"*/*"}},"params":{{}},"query":{{}},"body":{{"order":{number},"customer":"Zoë","total":12.5,"paid":true}},"webhookUrl":"http://127.0.0.1:8080/webhook/orders"}},"pairedItem":{{"item":0}}}}"#
    );
    let at_ms = 1_760_000_000_000 + number;
    let started = format!(
        r#"{{"type":"execution_started","workflow_id":"{}","workflow_revision":3,"workflow_version":2,"mode":"production","start_node":"Webhook","items":[{item}],"seed":{number},"at_ms":{at_ms}}}"#,
        Uuid::from_u128(7)
    );
    let completed = |node: u128| {
        format!(
            r#"{{"type":"node_completed","run":{{"node":"Node {node}","run_index":0,"execution_index":{node},"sources":[{{"previousNode":"Node {}"}}]}},"started_at_ms":{at_ms},"duration_us":{},"outputs":[[{item}]]}}"#,
            node.saturating_sub(1),
            300 + node * 7
        )
    };
    let mut others: Vec<String> = (0..11).map(completed).collect();
    others.push(format!(r#"{{"type":"execution_completed","at_ms":{at_ms}}}"#));
    let made = |payload: &String| Made { payload: payload.clone(), event_type: "NodeCompleted", actor: 1 };
    let mut appends = [
        append_of(&[made(&started)], 2 * number),
        append_of(&others.iter().map(made).collect::<Vec<_>>(), 2 * number + 1),
    ];
    for append in &mut appends {
        append.stream = stream(&Uuid::from_u128(number << 64).to_string());
    }
    appends
}

#[tokio::test]
async fn a_ten_step_execution_takes_six_kilobytes_at_most_and_so_does_its_copy() {
    const EXECUTIONS: u64 = 300;
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    for number in 0..u128::from(EXECUTIONS) {
        for append in execution(number) {
            log.append(append).await.unwrap();
        }
    }
    drop(log);
    let target = TempDir::new().unwrap();
    crate::transfer::copied(folder.path(), target.path()).await.unwrap();
    for path in [folder.path(), target.path()] {
        let bytes = fs::metadata(path.join("log.db")).unwrap().len() / EXECUTIONS;
        assert!(bytes <= EXECUTION_BYTES_MAX, "{bytes} bytes");
    }
}

/// The program in the page about the file gives every event as it came in.
#[tokio::test]
async fn the_reader_in_the_documents_reads_the_file() {
    let folder = TempDir::new().unwrap();
    let (log, _) = open(folder.path());
    let mut expected = String::new();
    for number in 0..20 {
        for append in execution(number) {
            for event in log.append(append).await.unwrap().events {
                let metadata = serde_json::to_string(&*event.metadata).unwrap();
                writeln!(expected, "{} {} {} {metadata}", event.position, event.event_type, event.payload).unwrap();
            }
        }
    }
    drop(log);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/log-file.md")).unwrap();
    let program = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let file = folder.path().join("log.db");
    match Command::new("python3").arg("-c").arg(program).arg(file).env("PYTHONIOENCODING", "utf-8").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => eprintln!("NOT RUN: it needs python3"),
        output => {
            let output = output.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(String::from_utf8(output.stdout).unwrap() == expected, "it gives something else");
        }
    }
}

/// What becomes of the packed texts of nine events, which are 19 bytes of numbers and an LZ4 block.
type Damage = fn(Vec<u8>) -> Option<Vec<u8>>;

/// Three appends of ten events, the second of which is damaged: what reading its events says, by position.
async fn faults_of(damage: Damage) -> Vec<(u64, String)> {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    let mut all = Events::new();
    for number in 0..3 {
        all.extend(log.append(append("a", 100 + number * 100, 10, r#"{"a":1}"#)).await.unwrap().events);
    }
    drop((log, blobs));
    let connection = Connection::open(folder.path().join("log.db")).unwrap();
    let sql = "SELECT packed FROM events WHERE position = 11";
    let packed = connection.query_row(sql, [], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    connection.execute_batch("DROP TRIGGER events_no_update").unwrap();
    connection.execute("UPDATE events SET packed = ?1 WHERE position = 11", [damage(packed)]).unwrap();
    drop(connection);
    let (log, blobs) = open(folder.path());
    let mut faults = Vec::new();
    for event in &all {
        let before = Position(event.position.0 - 1);
        match log.read_all(TenantScope::All, before, Direction::Forward, &Filter::default(), 1).await {
            Ok(read) => assert!(read == [Arc::clone(event)], "what is read is wrong and was not noticed"),
            Err(error) => {
                let told_there = matches!(error, LogError::Corrupt { position, .. } if position == event.position);
                assert!(told_there, "{error}");
                faults.push((event.position.0, error.to_string()));
            }
        }
    }
    // A page with one of them is refused, whatever the direction.
    for direction in [Direction::Forward, Direction::Backward] {
        let from = Position(if direction == Direction::Forward { 0 } else { 30 });
        let page = log.read_all(TenantScope::All, from, direction, &Filter::default(), 30).await;
        assert!(matches!(page, Err(LogError::Corrupt { .. })), "{page:?}");
    }
    let page = log.export(Position(0), 30).await.unwrap_err();
    assert!(matches!(page, LogError::Corrupt { position: Position(12), .. }), "{page}");
    // Who looks for every fault is told all of them.
    let report = log.verify(&*blobs, |_| {}).await.unwrap();
    let told: Vec<u64> = report.first_faults.iter().map(|fault| fault.position.0).collect();
    assert_eq!(told, faults.iter().map(|(position, _)| *position).collect::<Vec<_>>());
    assert_eq!((report.events, report.head), (30, Position(30)));
    drop((log, blobs));
    let (source, blobs) = SqliteSource::open(folder.path()).unwrap();
    assert!(!source.verify(&*blobs, |_| {}).await.unwrap().is_whole());
    faults
}

#[tokio::test]
async fn damaged_texts_are_told_at_their_positions_and_nowhere_else() {
    let damages: [(Damage, &str); 9] = [
        (|_| None, "its texts are in no row before it"),
        (|_| Some(Vec::new()), "its texts are in no row before it"),
        (|packed| Some(packed[..5].to_vec()), "the row with its texts is cut off"),
        (|packed| Some(packed[..packed.len() - 6].to_vec()), "its texts"),
        (|packed| Some([&[16], &packed[1..]].concat()), "the row with its texts has those of 16 events"),
        // Lengths of which each is allowed, but not their sum; and one that no text has.
        (|packed| Some([&[9, 0xff, 0xff, 0x0f, 0xff, 0xff, 0x0f], &packed[3..]].concat()), "more than 262144 bytes"),
        (|packed| Some([&[9, 0xff, 0xff, 0xff, 0xff, 0x0f], &packed[3..]].concat()), "is cut off"),
        (|packed| Some([&packed[..19], &[0]].concat()), "its texts have 0 bytes in place of"),
        (|packed| Some([&packed[..19], &[0, 0xff, 0xff, 0]].concat()), "its texts cannot be unpacked"),
    ];
    for (number, (damage, said)) in damages.into_iter().enumerate() {
        let faults = faults_of(damage).await;
        let positions: Vec<u64> = faults.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, (12..=20).collect::<Vec<_>>(), "damage {number}");
        assert!(faults.iter().all(|(_, detail)| detail.contains(said)), "damage {number}: {faults:?}");
    }
}
