//! Reading one file of events: what is needed of each, without its texts. Files are read side by side.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, ErrorKind, Read};
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::CheckError;
use crate::export::{Manifest, PART_EVENTS, Part};
use crate::leaf::Leaf;
use crate::line::{LINE_BYTES_MAX, Line};
use crate::tree::Hash;

/// Bytes that are read from a file at a time.
const READ_BYTES: usize = 1 << 20;
/// What a payload begins with that is in a blob.
const BLOB_START: &str = r#"{"$blob":"#;

/// What was read of a file.
#[derive(Debug, Default)]
pub(super) struct ReadPart {
    /// Whether the file is there.
    pub is_there: bool,
    /// Whether it is the file that the manifest names.
    pub is_whole: bool,
    /// Its lines.
    pub rows: Vec<Result<Row, String>>,
}

/// What is needed of an event.
#[derive(Debug)]
pub(super) struct Row {
    pub position: u64,
    pub recorded_at_us: i64,
    pub revision: u64,
    /// Its stream, by a hash that nobody can foresee.
    pub stream: u128,
    /// The leaf that it says it has.
    pub leaf: Leaf,
    /// Whether it has it.
    pub is_as_recorded: bool,
    /// The payload that lies beside it.
    pub payload: Option<Referenced>,
}

/// A payload beside an event.
#[derive(Debug)]
pub(super) struct Referenced {
    pub hash: String,
    pub bytes: u64,
}

/// Reads files side by side.
pub(super) fn read_all(
    folder: &Path,
    manifest: &Manifest,
    parts: &[(String, Part)],
) -> Vec<Result<ReadPart, CheckError>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts.iter().map(|(name, _)| scope.spawn(move || read(folder, manifest, name))).collect();
        let crashed = || CheckError::Read { path: folder.to_owned(), error: ErrorKind::Other.into() };
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(crashed()))).collect()
    })
}

fn read(folder: &Path, manifest: &Manifest, name: &str) -> Result<ReadPart, CheckError> {
    let path = folder.join(name);
    let failed = |error| CheckError::Read { path: path.clone(), error };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ReadPart::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut reader = BufReader::with_capacity(READ_BYTES, file);
    let (mut line, mut scratch) = (Vec::new(), Vec::new());
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut part = ReadPart { is_there: true, ..ReadPart::default() };
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        hash.update(&line);
        // What is more than a file may have is told once.
        if part.rows.len() as u64 <= PART_EVENTS {
            part.rows.push(row(&line, &mut scratch));
        }
    }
    let sha256: Hash = hash.finalize().into();
    part.is_whole = manifest.files.iter().any(|file| file.name == name && (file.bytes, file.sha256) == (bytes, sha256));
    Ok(part)
}

fn row(line: &[u8], scratch: &mut Vec<u8>) -> Result<Row, String> {
    let line = line.strip_suffix(b"\n").ok_or("its line has no end")?;
    let text = std::str::from_utf8(line).map_err(|error| format!("it is not text: {error}"))?;
    let line = Line::parse(text).map_err(|error| error.to_string())?;
    let record = line.record();
    Ok(Row {
        position: record.position,
        recorded_at_us: record.recorded_at_us,
        revision: record.revision,
        stream: stream_hash(record.tenant, record.category, record.stream),
        leaf: *line.leaf(),
        is_as_recorded: record.leaf(scratch) == *line.leaf(),
        payload: referenced(record.payload)?,
    })
}

/// Two hashes of the standard library, whose keys are of this process.
fn stream_hash(tenant: u32, category: &str, stream: &str) -> u128 {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    let [high, low] = KEYS.each_ref().map(|key| u128::from(key.hash_one((tenant, category, stream))));
    high << 64 | low
}

fn referenced(payload: &str) -> Result<Option<Referenced>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "$blob")]
        blob: Inner,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        hash: String,
        bytes: u64,
    }
    if !payload.starts_with(BLOB_START) {
        return Ok(None);
    }
    let read: Outer = serde_json::from_str(payload).map_err(|error| format!("its reference to a payload: {error}"))?;
    if crate::hexadecimal::decode(&read.blob.hash).is_none() {
        return Err("its reference to a payload has no hash".to_owned());
    }
    Ok(Some(Referenced { hash: read.blob.hash, bytes: read.blob.bytes }))
}
