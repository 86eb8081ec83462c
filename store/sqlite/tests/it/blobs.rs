//! Blobs are files: what happens to the files is noticed.

use std::fs;

use bytes::Bytes;
use tempfile::TempDir;
use timeloom_store::{BlobError, BlobHash, BlobStore};

use crate::open;

#[tokio::test]
async fn a_damaged_file_is_not_given_out_and_storing_again_of_a_cut_one_repairs_it() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    let content = Bytes::from_static(b"some output of a node");
    let hash = blobs.put(content.clone()).await.unwrap();
    let name = hash.to_string();
    let file = folder.path().join("blobs").join(&name[..2]).join(&name[2..]);

    fs::write(&file, b"some output of a mode").unwrap();
    assert!(matches!(blobs.get(hash).await, Err(BlobError::Damaged(damaged)) if damaged == hash));

    fs::write(&file, b"some").unwrap();
    blobs.put(content.clone()).await.unwrap();
    assert_eq!(blobs.get(hash).await.unwrap(), content);
    drop(log);
}

#[tokio::test]
async fn blobs_are_there_after_reopening_and_unfinished_files_are_not() {
    let folder = TempDir::new().unwrap();
    let (log, blobs) = open(folder.path());
    let hash = blobs.put(Bytes::from_static(b"kept")).await.unwrap();
    drop((log, blobs));
    let unfinished = folder.path().join("blobs/unfinished/0");
    fs::write(&unfinished, b"half of").unwrap();

    let (_log, blobs) = open(folder.path());
    assert_eq!(blobs.get(hash).await.unwrap(), Bytes::from_static(b"kept"));
    assert!(!unfinished.exists());
    assert!(matches!(blobs.get(BlobHash::of(b"half of")).await, Err(BlobError::Missing(_))));
}
