//! Keys of subjects in a file: found again, wrapped, destroyed for good; and the suite against a log that seals with them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use timeloom_domain::ids::TenantId;
use timeloom_store::conformance::Fresh;
use timeloom_store::subjects::vault::{MasterKey, MasterKeys};
use timeloom_store::{
    BlobStore, EventLog, FoundKey, KeyId, SealingLog, SubjectKeyError, SubjectKeys, SystemClock, event_log_conformance,
};
use timeloom_store_sqlite::{DataFolder, SqliteLog, SqliteSubjectKeys};

use crate::options;

const TENANT: TenantId = TenantId(1);

/// Master keys named by their numbers; the last one wraps.
struct Masters(Vec<u8>);

fn master(number: u8) -> MasterKey {
    MasterKey { fingerprint: number.to_string(), bytes: [number; 32].into() }
}

impl MasterKeys for Masters {
    fn newest(&self) -> Result<MasterKey, SubjectKeyError> {
        Ok(master(*self.0.last().unwrap()))
    }

    fn find(&self, fingerprint: &str) -> Result<MasterKey, SubjectKeyError> {
        let found = self.0.iter().find(|number| number.to_string() == fingerprint);
        found.map(|number| master(*number)).ok_or(SubjectKeyError::NoMasterKey { fingerprint: fingerprint.to_owned() })
    }
}

fn open(path: &Path, masters: &[u8]) -> Arc<SqliteSubjectKeys> {
    let folder = Arc::new(DataFolder::acquire(path).unwrap());
    SqliteSubjectKeys::open(folder, Arc::new(Masters(masters.to_vec()))).unwrap()
}

async fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let opened = move || {
        let folder = Arc::new(DataFolder::acquire(&path).unwrap());
        let (log, blobs) = SqliteLog::open_in(Arc::clone(&folder), options()).unwrap();
        let keys = SqliteSubjectKeys::open(folder, Arc::new(Masters(vec![1]))).unwrap();
        let log = SealingLog::new(log as Arc<dyn EventLog>, keys, Arc::new(SystemClock), true);
        (log as Arc<dyn EventLog>, blobs as Arc<dyn BlobStore>)
    };
    let (log, blobs) = opened();
    let reopen = move || std::future::ready(opened());
    std::future::ready(Fresh::new(log, blobs).keeping(folder).reopened_by(reopen)).await
}

event_log_conformance!(fresh);

fn is_open(found: &FoundKey) -> bool {
    matches!(found, FoundKey::Key(_))
}

/// Whether a file of keys, or what SQLite keeps beside it, has these bytes.
fn has(path: &Path, wanted: &[u8]) -> bool {
    ["subjects.db", "subjects.db-wal"].iter().any(|file| {
        let bytes = fs::read(path.join("keys").join(file)).unwrap_or_default();
        bytes.windows(wanted.len()).any(|part| part == wanted)
    })
}

#[tokio::test]
async fn a_folder_without_subjects_has_no_keys_and_one_with_some_finds_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(folder.path(), &[1]);
    assert!(keys.find(TENANT, "ada").await.unwrap().is_empty());
    assert!(!folder.path().join("keys").exists(), "nothing is made before it is needed");
    let first = keys.of_subject(TENANT, "ada").await.unwrap();
    let file = folder.path().join("keys/subjects.db");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert!(!has(folder.path(), b"ada"), "a name is not in the file");
    assert_ne!(keys.of_subject(TenantId(2), "ada").await.unwrap().id, first.id, "tenants are apart");
    drop(keys);
    let keys = open(folder.path(), &[1]);
    assert_eq!(keys.of_subject(TENANT, "ada").await.unwrap().id, first.id);
    assert!(is_open(&keys.open(first.id).await.unwrap()));
}

#[tokio::test]
async fn a_destroyed_key_is_in_no_file_and_comes_back_from_none() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(folder.path(), &[1]);
    let (first, other) = (keys.of_subject(TENANT, "ada").await.unwrap(), keys.of_subject(TENANT, "bob").await.unwrap());
    let backup = keys.backup().await.unwrap();
    let line = backup.lines().find(|line| line.contains(&first.id.to_string())).unwrap();
    let stored: serde_json::Value = serde_json::from_str(line).unwrap();
    let sealed = stored["key"]["sealed"].as_str().unwrap().as_bytes().to_vec();
    assert!(has(folder.path(), &sealed));
    keys.destroy(&[first.id]).await.unwrap();
    assert!(!has(folder.path(), &sealed), "the wrapped key is gone from the file");
    assert!(matches!(keys.open(first.id).await.unwrap(), FoundKey::Erased));
    assert!(is_open(&keys.open(other.id).await.unwrap()));
    assert_eq!(keys.restore(&backup).await.unwrap(), 0);
    drop(keys);
    let keys = open(folder.path(), &[1]);
    assert!(matches!(keys.open(first.id).await.unwrap(), FoundKey::Erased), "it is known after a start");
    assert_ne!(keys.of_subject(TENANT, "ada").await.unwrap().id, first.id);
}

#[tokio::test]
async fn a_newer_master_key_wraps_everything_and_a_missing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path(), &[1]).of_subject(TENANT, "ada").await.unwrap();
    let without = open(folder.path(), &[2]);
    let told = without.open(first.id).await.unwrap_err().to_string();
    assert!(told.contains("under the master key 1"), "{told}");
    drop(without);
    assert!(is_open(&open(folder.path(), &[1, 2]).open(first.id).await.unwrap()));
    let keys = open(folder.path(), &[2]);
    assert!(is_open(&keys.open(first.id).await.unwrap()), "the older one is needed no more");
    assert_eq!(keys.of_subject(TENANT, "ada").await.unwrap().id, first.id);
}

#[tokio::test]
async fn lost_keys_come_back_and_the_newer_one_seals_on() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lost = open(folder.path(), &[1]);
    let old = lost.of_subject(TENANT, "ada").await.unwrap();
    let backup = lost.backup().await.unwrap();
    let keys = open(other.path(), &[1]);
    let newer = keys.of_subject(TENANT, "ada").await.unwrap();
    assert!(matches!(keys.open(old.id).await.unwrap(), FoundKey::Lost));
    assert_eq!(keys.restore(&backup).await.unwrap(), 1);
    assert!(is_open(&keys.open(old.id).await.unwrap()));
    assert_eq!(keys.find(TENANT, "ada").await.unwrap(), [newer.id, old.id]);
    assert_eq!(keys.restore(&backup).await.unwrap(), 0, "it is there");
    let refused = keys.restore("something else").await.unwrap_err();
    assert!(matches!(refused, SubjectKeyError::Backup(_)), "{refused}");
}

#[tokio::test]
async fn whom_the_log_says_to_be_erased_stays_so_before_there_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let gone = KeyId(uuid::Uuid::from_u128(5));
    let keys = open(folder.path(), &[1]);
    keys.destroy(&[gone]).await.unwrap();
    assert!(matches!(keys.open(gone).await.unwrap(), FoundKey::Erased));
    keys.of_subject(TENANT, "ada").await.unwrap();
    drop(keys);
    assert!(matches!(open(folder.path(), &[1]).open(gone).await.unwrap(), FoundKey::Erased));
}
