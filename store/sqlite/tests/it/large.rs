//! Large payloads are files beside the log: what rows have in their place, and what happens to the files is noticed.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use timeloom_store::{
    AppendError, BLOB_THRESHOLD_BYTES, BlobHash, Direction, EventLog, Filter, LogError, Position, Revision,
    SubscriptionMessage, TenantScope,
};

use crate::packed::texts_in;
use crate::{append, open, stream};

fn text_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

fn file_of(folder: &Path, content: &str) -> PathBuf {
    let name = BlobHash::of(content.as_bytes()).to_string();
    folder.join("blobs").join(&name[..2]).join(&name[2..])
}

fn row_of(folder: &Path, position: u64) -> String {
    let connection = Connection::open(folder.join("log.db")).unwrap();
    texts_in(&connection, position).0
}

fn blob_count(folder: &Path) -> usize {
    let shards = fs::read_dir(folder.join("blobs")).unwrap().map(|shard| shard.unwrap().path());
    shards.map(|shard| fs::read_dir(shard).unwrap().count()).sum()
}

#[tokio::test]
async fn payloads_of_every_size_survive_reopening() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    let sizes = [BLOB_THRESHOLD_BYTES - 1, BLOB_THRESHOLD_BYTES, 1 << 20, 20 << 20];
    for (number, bytes) in (1..).zip(sizes) {
        log.append(append("a", number * 100, 1, &text_of(bytes))).await.unwrap();
    }
    drop((log, blobs));
    let files: Vec<bool> = sizes.iter().map(|bytes| file_of(folder.path(), &text_of(*bytes)).exists()).collect();
    assert_eq!(files, [false, false, true, true]);

    let (log, _) = open(folder.path());
    let read = log.read_stream(&stream("a"), Revision(0), Direction::Forward, 10).await.unwrap();
    let mut subscription = log.subscribe(TenantScope::All, Position(0), Filter::default(), 16);
    assert_eq!(read.len(), sizes.len());
    for (bytes, read) in sizes.into_iter().zip(read) {
        assert!(read.payload.get() == text_of(bytes), "{bytes} bytes");
        let Some(SubscriptionMessage::Event(event)) = subscription.next().await else { panic!("no event") };
        assert!(event.payload.get() == text_of(bytes), "{bytes} bytes, from history");
    }
    let again = log.append(append("a", 400, 1, &text_of(20 << 20))).await.unwrap();
    assert!(again.repeated && again.events[0].payload.get() == text_of(20 << 20));
}

#[tokio::test]
async fn a_row_has_the_reference_and_its_leaf_covers_it() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    let text = text_of(100_000);
    let appended = log.append(append("a", 100, 2, &text)).await.unwrap();
    log.append(append("b", 200, 1, &text)).await.unwrap();
    let reference = format!(r#"{{"$blob":{{"hash":"{}","bytes":100000}}}}"#, BlobHash::of(text.as_bytes()));
    for position in 1..=3 {
        assert_eq!(row_of(folder.path(), position), reference);
    }
    assert_eq!(blob_count(folder.path()), 1, "the same content is stored once");

    let connection = Connection::open(folder.path().join("log.db")).unwrap();
    let (metadata, leaf): (String, Vec<u8>) = connection
        .query_row("SELECT metadata, leaf FROM events WHERE position = 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let event = &appended.events[0];
    assert_eq!(timeloom_store::leaf::leaf(event, &reference, &metadata, &mut Vec::new()).as_slice(), leaf);
    assert_ne!(Sha256::digest(text.as_bytes()).as_slice(), leaf);
}

/// A file where the unfinished blobs' folder should be keeps everybody from writing, the superuser too.
#[tokio::test]
async fn an_append_whose_blob_cannot_be_written_is_refused_and_appends_nothing() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    let unfinished = folder.path().join("blobs/unfinished");
    fs::remove_dir_all(&unfinished).unwrap();
    fs::write(&unfinished, b"").unwrap();
    let large = append("a", 100, 1, &text_of(100_000));

    let outcome = log.append(large.clone()).await;
    let Err(AppendError::Log(LogError::Storage(error))) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("check that the folder is there and may be written"), "{error}");
    assert_eq!(log.head(), Position(0));
    // Small payloads need no blobs, and what was refused has left nothing behind.
    assert_eq!(log.append(append("a", 200, 1, "1")).await.unwrap().position, Position(1));

    fs::remove_file(&unfinished).unwrap();
    fs::create_dir(&unfinished).unwrap();
    let appended = log.append(large).await.unwrap();
    assert_eq!((appended.position, appended.repeated), (Position(2), false));
}

#[tokio::test]
async fn a_damaged_or_missing_blob_is_reported_with_the_position() {
    let folder = TempDir::new().unwrap();
    let (log, _blobs) = open(folder.path());
    log.append(append("a", 100, 1, "1")).await.unwrap();
    let text = text_of(9 << 20);
    let large = append("a", 200, 1, &text);
    log.append(large.clone()).await.unwrap();
    log.append(append("a", 300, 1, "3")).await.unwrap();
    let file = file_of(folder.path(), &text);

    fs::write(&file, text.replacen('x', "y", 1)).unwrap();
    for expected in ["is damaged", "is not in the store"] {
        let all = Filter::default();
        let reads = [
            log.read_stream(&stream("a"), Revision(0), Direction::Forward, 10).await,
            log.read_all(TenantScope::All, Position(3), Direction::Backward, &all, 10).await,
        ];
        let mut subscription = log.subscribe(TenantScope::All, Position(1), Filter::default(), 16);
        let Some(SubscriptionMessage::Failed(failed)) = subscription.next().await else { panic!("not failed") };
        for error in reads.into_iter().map(Result::unwrap_err).chain([failed]) {
            assert!(matches!(error, LogError::Corrupt { position: Position(2), .. }), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        // What does not need it can be read.
        assert_eq!(log.read_stream(&stream("a"), Revision(2), Direction::Forward, 10).await.unwrap().len(), 1);
        if file.exists() {
            fs::remove_file(&file).unwrap();
        }
    }
    // The sender has the content: to say it again repairs it.
    assert!(log.append(large).await.unwrap().repeated);
    let read = log.read_stream(&stream("a"), Revision(0), Direction::Forward, 10).await.unwrap();
    assert!(read[1].payload.get() == text);
}
