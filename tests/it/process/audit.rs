//! What an auditor gets and checks: exports of a server and of a folder, by keys and checkpoints that were kept, against
//! operators who change what is on their disk.

use std::path::Path;
use std::process::Output;

use rusqlite::Connection;
use serde_json::{Value, json};
use timeloom_verify::check::{Kind, Known, Report, check};
use timeloom_verify::key::PublicKey;

use super::server::{Server, chain, set, verb, verb_json};
use crate::tree::read;

/// Signs quickly, so that tests need not wait a minute.
const QUICK: [&str; 2] = ["--checkpoint-seconds", "1"];

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn checked(export: &Path, keys: &str, kept: &[String]) -> Report {
    let keys = PublicKey::parse_all(keys).unwrap();
    let kept = kept.iter().map(|note| ("kept".to_owned(), note.clone())).collect();
    check(export, &Known { keys, kept, ..Known::default() }, |_, _| {}).unwrap()
}

async fn worked(server: &Server, executions: usize) {
    let workflow = server.import(&chain("audited", &[set("Set", "a", "1")])).await;
    for _ in 0..executions {
        server.start_execution(&workflow, "COMPLETED").await;
    }
}

/// Waits until a checkpoint covers everything that was there before.
async fn signed(server: &Server) -> Value {
    let head = server.ask("{ head { position } }", json!({})).await["head"]["position"].clone();
    let head: u64 = head.as_str().unwrap().parse().unwrap();
    loop {
        let found = server.ask("{ auditCheckpoint { size root note signedBy } }", json!({})).await;
        let size = found["auditCheckpoint"]["size"].as_str().map_or(0, |size| size.parse().unwrap());
        if size >= head {
            return found["auditCheckpoint"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_server_is_proved_by_its_key_alone_and_so_is_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let [data, first, second] = ["data", "first", "second"].map(|name| folder.path().join(name));
    let witness = folder.path().join("witness");
    let server = Server::start(&data, &[&QUICK[..], &["--witnesses", path(&witness)]].concat());
    worked(&server, 2).await;
    let checkpoint = signed(&server).await;
    let keys = text(&verb(&["audit", "keys", "--server", &server.url]));
    let export = ["audit", "export", "--server", &server.url, "--json", "--out"];
    let told = verb_json(&[&export[..], &[path(&first)]].concat());
    let report = checked(&first, &keys, &[]);
    assert!(report.is_proved(), "{:?}", report.findings);
    assert_eq!((&told["to"], report.from), (&json!(report.to), 1));

    worked(&server, 1).await;
    signed(&server).await;
    verb_json(&[&export[..], &[path(&second)]].concat());
    let kept = [report.note.unwrap(), checkpoint["note"].as_str().unwrap().to_owned()];
    let next = checked(&second, &keys, &kept);
    assert!(next.is_proved() && next.kept.len() == 2 && next.tree_size > report.tree_size, "{next:?}");
    // The same range gives the same bytes.
    let again = folder.path().join("again");
    let range = ["--to", &report.to.to_string(), "--out", path(&again)].map(str::to_owned);
    let range: Vec<&str> = range.iter().map(String::as_str).collect();
    verb_json(&[&["audit", "export", "--server", &server.url, "--json"], &range[..]].concat());
    for name in ["manifest.json", "checkpoint.note", "checkpoints.jsonl", "events-000000000001.jsonl"] {
        assert!(std::fs::read(first.join(name)).unwrap() == std::fs::read(again.join(name)).unwrap(), "{name} differs");
    }
    // The witness has what was signed, byte for byte.
    let size: u64 = checkpoint["size"].as_str().unwrap().parse().unwrap();
    let witnessed = std::fs::read_to_string(witness.join(format!("{size:012}.note"))).unwrap();
    assert_eq!(json!(witnessed), checkpoint["note"]);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_given_to_auditors_who_are_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &QUICK);
    worked(&server, 1).await;
    let checkpoint = signed(&server).await;
    let query = "query($position: Position!, $size: Position!) {
        inclusionProof(position: $position, size: $size) { leaf root path }
        consistencyProof(from: $position, to: $size) { fromRoot toRoot path }
        auditRecord(position: $position) { type leaf payload }
        auditKeys { name id key }
    }";
    let variables = json!({ "position": "3", "size": checkpoint["size"] });
    let answer = server.ask(query, variables).await;
    assert_eq!(answer["inclusionProof"]["leaf"], answer["auditRecord"]["leaf"]);
    assert_eq!(answer["inclusionProof"]["root"], answer["consistencyProof"]["toRoot"]);
    let proof = verb_json(&[
        "audit",
        "proof",
        "--position",
        "3",
        "--size",
        checkpoint["size"].as_str().unwrap(),
        "--server",
        &server.url,
        "--json",
    ]);
    assert_eq!(proof["path"], answer["inclusionProof"]["path"]);
    let trail = "{ events(last: 20, filter: { types: [\"AuditTrailRead\"] }) { nodes { payload } } }";
    let trail = server.ask(trail, json!({})).await.to_string();
    for read in ["inclusion proof", "consistency proof", "event as it is hashed", "keys of checkpoints"] {
        assert!(trail.contains(read), "{read} was not written down: {trail}");
    }
    let refused = server.post("{ inclusionProof(position: 0, size: 2) { leaf } }", json!({})).await;
    assert_eq!(refused["errors"][0]["message"], "the position is 0: give a number from 1 to 2");
    let early = server.post("{ inclusionProof(position: 1, size: 999999) { leaf } }", json!({})).await;
    assert_eq!(early["errors"][0]["extensions"]["code"], "BEHIND", "{early}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_changes_the_disk_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let [data, honest, forged] = ["data", "honest", "forged"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &[]);
    worked(&server, 2).await;
    server.stop();
    let export = |out: &Path| verb(&["audit", "export", "--data", path(&data), "--out", path(out)]);
    assert!(export(&honest).status.success());
    let keys = text(&verb(&["audit", "keys", "--data", path(&data)]));
    let kept = checked(&honest, &keys, &[]).note.unwrap();
    // The operator changes an event and makes its leaf anew, and throws away the tree and what was signed.
    forge(&data, 5);
    let report = verb_json(&["log", "verify", path(&data), "--json"]);
    assert!(report["faults"].to_string().contains("history was changed"), "{report}");
    let refused = export(&forged);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("history was changed"), "{refused:?}");
    for file in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let _ = std::fs::remove_file(data.join(file));
    }
    assert!(export(&forged).status.success());
    let report = checked(&forged, &keys, std::slice::from_ref(&kept));
    assert!(report.findings.iter().any(|finding| finding.kind == Kind::Forked), "{:?}", report.findings);
    // Whoever kept nothing is shown a history that holds together: that is what witnesses are for.
    assert!(checked(&forged, &keys, &[]).is_proved());
}

/// Changes the payload of an event together with its leaf.
fn forge(data: &Path, position: u64) {
    let connection = Connection::open(data.join("log.db")).unwrap();
    connection.execute_batch("DROP TRIGGER events_no_update").unwrap();
    let sql = "UPDATE events SET event_type = 'SomethingElse' WHERE position = ?1";
    assert_eq!(connection.execute(sql, [position]).unwrap(), 1);
    drop(connection);
    let rows = verb_json(&["log", "verify", path(data), "--json"]);
    assert!(rows["faults"].to_string().contains("its hash differs"), "{rows}");
    let runtime = tokio::runtime::Handle::current();
    let leaf = tokio::task::block_in_place(|| {
        runtime.block_on(async {
            let (log, _) = timeloom_store_sqlite::SqliteSource::open(data).unwrap();
            let page = timeloom_store::LogTransfer::export(&*log, timeloom_store::Position(position - 1), 1).await;
            page.unwrap()[0].computed_leaf(&mut Vec::new())
        })
    });
    let connection = Connection::open(data.join("log.db")).unwrap();
    connection.execute("UPDATE events SET leaf = ?2 WHERE position = ?1", rusqlite::params![position, leaf]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_signs_from_then_on_and_what_the_old_one_signed_stays_valid() {
    let folder = tempfile::tempdir().unwrap();
    let [data, before, after] = ["data", "before", "after"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &QUICK);
    worked(&server, 1).await;
    let old = signed(&server).await;
    let made = text(&verb(&["audit", "keys", "new", "--data", path(&data)]));
    assert_eq!(made.lines().count(), 2, "{made}");
    assert!(made.lines().next().unwrap().contains(" until="), "{made}");
    worked(&server, 1).await;
    let new = signed(&server).await;
    let keys = text(&verb(&["audit", "keys", "--server", &server.url]));
    assert_eq!(keys, made, "the server knows both");
    server.stop();
    assert!(verb(&["audit", "export", "--data", path(&data), "--out", path(&after)]).status.success());
    let kept = [&old, &new].map(|kept| kept["note"].as_str().unwrap().to_owned());
    let report = checked(&after, &keys, &kept);
    assert!(report.is_proved() && report.kept.len() == 2, "{:?}", report.findings);
    // Whoever knows the old key alone is told who signed.
    let old_key = keys.lines().next().unwrap();
    assert_eq!(checked(&after, old_key, &[]).findings[0].kind, Kind::WrongKey);
    drop(before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_for_other_programs_has_every_event() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    worked(&server, 1).await;
    server.stop();
    for (format, file) in [("cloudevents", "events-000000000001.jsonl"), ("csv", "events-000000000001.csv")] {
        let out = folder.path().join(format);
        let told =
            verb_json(&["audit", "export", "--data", path(&data), "--format", format, "--out", path(&out), "--json"]);
        let lines = std::fs::read_to_string(out.join(file)).unwrap().lines().count();
        let events = usize::try_from(told["to"].as_u64().unwrap()).unwrap();
        assert!(lines >= events, "{format}: {lines} lines of {events} events");
        let refused = verb(&["audit", "verify", path(&out), "--key", "timeloom/x+00000000+AA"]);
        assert_eq!(refused.status.code(), Some(2));
    }
    let wrong = verb(&["audit", "export", "--data", path(&data), "--from", "9", "--to", "3", "--out", path(&data)]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

/// Reads what was exported as others do: their program, their types.
const READ_PARQUET: &str = "
import pyarrow.parquet as parquet, pyarrow, json, sys
folder, lines = sys.argv[1], [json.loads(line) for line in open(sys.argv[2])]
table = parquet.read_table(folder + '/events-000000000001.parquet')
rows = table.to_pylist()
assert len(rows) == len(lines) > 5, (len(rows), len(lines))
assert table.schema.field('recorded_at').type == pyarrow.timestamp('us', tz='UTC'), table.schema
same = ['position', 'tenant', 'category', 'stream', 'revision', 'type', 'version', 'leaf']
for row, line in zip(rows, lines):
    assert [row[name] for name in same] == [line[name] for name in same], (row, line)
    assert row['id'] == line['id'] and json.loads(row['payload']) == line['payload'], (row, line)
    assert json.loads(row['metadata']) == line['metadata'], (row, line)
    assert row['recorded_at'].timestamp() == line['recorded_at_us'] / 1e6, (row, line)
";

#[tokio::test(flavor = "multi_thread")]
async fn parquet_is_read_by_the_program_of_others_and_goes_on_where_it_was_cut_off() {
    let requirements = crate::tree::root().join("tests/it/process/parquet.txt");
    let python = match super::python::with("parquet-client", &requirements) {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let [data, out, again, lines] = ["data", "out", "again", "lines"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &[]);
    worked(&server, 2).await;
    server.stop();
    let export = |format: &str, out: &Path| {
        verb_json(&["audit", "export", "--data", path(&data), "--format", format, "--out", path(out), "--json"])
    };
    export("parquet", &out);
    export("jsonl", &lines);
    let lines = lines.join("events-000000000001.jsonl");
    super::python::run(&python, &["-c", READ_PARQUET, path(&out), path(&lines)], folder.path()).unwrap();
    // Cut off after a file: it goes on there, and the bytes are the same.
    std::fs::create_dir(&again).unwrap();
    let file = "events-000000000001.parquet";
    std::fs::copy(out.join(file), again.join(file)).unwrap();
    assert_eq!(export("parquet", &again)["filesKept"], 1);
    std::fs::remove_file(again.join(file)).unwrap();
    assert_eq!(export("parquet", &again)["filesKept"], 0);
    for name in [file, "manifest.json", "checkpoint.note"] {
        assert!(std::fs::read(out.join(name)).unwrap() == std::fs::read(again.join(name)).unwrap(), "{name} differs");
    }
    let refused = verb(&["audit", "verify", path(&out), "--key", "timeloom/x+00000000+AA"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_disk_does_inside_the_tree_is_found_and_mended_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &QUICK);
    worked(&server, 80).await;
    let before = signed(&server).await;
    server.stop();
    // One bit of a leaf far from the edge.
    let connection = Connection::open(data.join("audit.db")).unwrap();
    let sql = "SELECT hashes FROM tree_tiles WHERE level = 0 AND tile = 0";
    let mut hashes: Vec<u8> = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(hashes.len(), 256 * 32, "a full tile");
    hashes[1_000] ^= 4;
    let sql = "UPDATE tree_tiles SET hashes = ?1 WHERE level = 0 AND tile = 0";
    assert_eq!(connection.execute(sql, [&hashes]).unwrap(), 1);
    drop(connection);
    let server = Server::start(&data, &QUICK);
    worked(&server, 1).await;
    let after = signed(&server).await;
    let kept = [&before, &after].map(|kept| kept["note"].as_str().unwrap().to_owned());
    let keys = text(&verb(&["audit", "keys", "--server", &server.url]));
    verb_json(&["audit", "export", "--server", &server.url, "--out", path(&out), "--json"]);
    let report = checked(&out, &keys, &kept);
    assert!(report.is_proved() && report.kept.len() == 2, "{:?}", report.findings);
    let said = server.stop();
    assert!(said.contains("the tree over the log is damaged and is made again"), "{said}");
    assert!(!said.contains("history was changed"), "{said}");
}

/// What the page for auditors tells them to type.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_auditors_tells_what_works() {
    let page = read("docs/audit.md");
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    worked(&server, 1).await;
    server.stop();
    let program = super::server::program();
    let begin = page.split("## What is proved").next().unwrap();
    let blocks = begin.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let (mut said, mut commands) = (String::new(), 0);
    for command in blocks.flat_map(str::lines) {
        // `timeloom audit verify` is the same program as `timeloom-verify`, and is built here in any case.
        let command = command.replace("timeloom-verify", "timeloom audit verify");
        let ran = std::process::Command::new("sh")
            .arg("-c")
            .arg(command.replace("timeloom audit", &format!("{} audit", path(program))))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
        said.push_str(&String::from_utf8_lossy(&ran.stdout));
        commands += 1;
    }
    assert!(commands >= 5 && said.contains("PROVED: events 1 to "), "{said}");
    assert!(said.contains("the same history as the checkpoints that were kept"), "{said}");
}
