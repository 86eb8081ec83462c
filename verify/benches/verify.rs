//! How fast an export is checked, and what the tree costs. `EVENTS` says how many events; a million when absent.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use timeloom_verify::check::{Known, check};
use timeloom_verify::checkpoint::{Checkpoint, origin};
use timeloom_verify::export::{
    CHECKPOINT, CHECKPOINTS, EventsFormat, FORMAT, File, MANIFEST, Manifest, Payloads, VERSION, digest, parts,
};
use timeloom_verify::key::{PrivateKey, Validity};
use timeloom_verify::leaf::{Leaf, Record};
use timeloom_verify::line;
use timeloom_verify::tree::Frontier;
use uuid::Uuid;

const LOG: Uuid = Uuid::from_u128(1);
/// Bytes of a payload, about what an event of an execution has.
const PAYLOAD_BYTES: usize = 400;
/// Streams that the events are of.
const STREAMS: u64 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[expect(clippy::disallowed_methods, reason = "a benchmark is set up by its environment")]
    let events: u64 = std::env::var("EVENTS").ok().map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let key = PrivateKey::from_seed(&origin(LOG), &[1; 32], Validity::default()).ok_or("no key")?;
    let leaves = write(folder.path(), events, &key)?;
    let known = Known { keys: vec![key.public()], ..Known::default() };
    let began = Instant::now();
    let report = check(folder.path(), &known, |_, _| {})?;
    let seconds = began.elapsed().as_secs_f64();
    if !report.is_proved() {
        return Err(format!("{:?}", report.findings).into());
    }
    let bytes: u64 = fs::read_dir(folder.path())?.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum();
    let megabytes = bytes as f64 / 1e6;
    tell(&format!(
        "check: {events} events ({megabytes:.0} MB) in {seconds:.2} s, {:.0} events/s, {:.0} MB/s",
        events as f64 / seconds,
        megabytes / seconds
    ));
    let began = Instant::now();
    let mut tree = Frontier::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    let root = tree.root();
    let nanoseconds = began.elapsed().as_nanos() as f64 / events as f64;
    tell(&format!("tree: {nanoseconds:.0} ns for each event (root {:02x}…)", root[0]));
    Ok(())
}

/// Writes an export of so many events.
fn write(folder: &Path, events: u64, key: &PrivateKey) -> Result<Vec<Leaf>, Box<dyn std::error::Error>> {
    let filling = "x".repeat(PAYLOAD_BYTES - 60);
    let (mut scratch, mut leaves, mut text, mut files) = (Vec::new(), Vec::new(), String::new(), Vec::new());
    let mut tree = Frontier::default();
    let mut payload = String::new();
    for part in parts(1, events) {
        text.clear();
        for position in part.first..=part.last {
            payload.clear();
            write!(
                payload,
                r#"{{"node":"Set {position}","items":[{{"json":{{"value":{position}.5,"text":"{filling}"}}}}]}}"#
            )?;
            let stream = format!("0192f0a1-7c3b-7d11-9a35-{:012x}", position % STREAMS);
            let record = Record {
                position,
                tenant: 0,
                category: "execution",
                stream: &stream,
                revision: (position - 1) / STREAMS + 1,
                id: u128::from(position).to_be_bytes(),
                event_type: "NodeCompleted",
                event_version: 3,
                recorded_at_us: 1_764_000_000_000_000 + i64::try_from(position)?,
                payload: &payload,
                metadata: r#"{"actor":"system:engine","command_id":"0192f0a1-7c3b-7d11-9a35-4a1b2c3d4e5f"}"#,
            };
            let leaf = record.leaf(&mut scratch);
            line::write(&record, &leaf, &mut text);
            tree.push(leaf);
            leaves.push(leaf);
        }
        fs::write(folder.join(part.name("jsonl")), &text)?;
        files.push(part.name("jsonl"));
    }
    let recorded_at_us = 1_764_000_000_000_000 + i64::try_from(events)?;
    let checkpoint = Checkpoint { origin: origin(LOG), size: events, root: tree.root(), recorded_at_us };
    fs::write(folder.join(CHECKPOINT), checkpoint.signed(std::slice::from_ref(key)).to_string())?;
    fs::write(folder.join(CHECKPOINTS), "")?;
    files.extend([CHECKPOINT, CHECKPOINTS].map(str::to_owned));
    let described = files.into_iter().map(|name| {
        let (bytes, sha256) = digest(fs::File::open(folder.join(&name))?)?;
        Ok(File { name, bytes, sha256 })
    });
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        log_id: LOG,
        from: 1,
        to: events,
        tree_size: events,
        root: tree.root(),
        left: Vec::new(),
        right: Vec::new(),
        consistency: Vec::new(),
        events: EventsFormat::Jsonl,
        payloads: Payloads::Referenced,
        files: described.collect::<std::io::Result<_>>()?,
    };
    fs::write(folder.join(MANIFEST), manifest.to_text()?)?;
    Ok(leaves)
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
fn tell(text: &str) {
    println!("{text}");
}
