//! Keys of subjects in the database of the log: one for all its processes, wrapped, destroyed for all of them; and the suite
//! against a log that seals with them.

use std::sync::Arc;

use timeloom_domain::ids::TenantId;
use timeloom_postgres_testing::Database;
use timeloom_store::conformance::Fresh;
use timeloom_store::subjects::vault::{MasterKey, MasterKeys};
use timeloom_store::{
    BlobStore, EventLog, FoundKey, KeyId, SealingLog, SubjectKeyError, SubjectKeys, SystemClock, event_log_conformance,
};
use timeloom_store_postgres::{PostgresLog, PostgresSubjectKeys};
use tokio::task::JoinSet;

use crate::open;

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

/// The keys of a process of its own, whose log is open as long as they are used.
struct Process {
    keys: Arc<PostgresSubjectKeys>,
    _log: Arc<PostgresLog>,
}

impl std::ops::Deref for Process {
    type Target = PostgresSubjectKeys;

    fn deref(&self) -> &PostgresSubjectKeys {
        &self.keys
    }
}

async fn process(database: &Database, masters: &[u8]) -> Process {
    let (log, _) = open(database.url()).await;
    Process { keys: log.subject_keys(Arc::new(Masters(masters.to_vec()))).await.unwrap(), _log: log }
}

async fn sealing(url: &str) -> (Arc<dyn EventLog>, Arc<dyn BlobStore>) {
    let (log, blobs) = open(url).await;
    let keys = log.subject_keys(Arc::new(Masters(vec![1]))).await.unwrap();
    let log = SealingLog::new(log as Arc<dyn EventLog>, keys, Arc::new(SystemClock), true);
    (log as Arc<dyn EventLog>, blobs as Arc<dyn BlobStore>)
}

async fn fresh() -> Fresh {
    let database = Database::create().await;
    let (log, blobs) = sealing(database.url()).await;
    let url = database.url().to_owned();
    let reopen = move || {
        let url = url.clone();
        async move { sealing(&url).await }
    };
    Fresh::new(log, blobs).keeping(database).reopened_by(reopen)
}

event_log_conformance!(fresh);

fn is_open(found: &FoundKey) -> bool {
    matches!(found, FoundKey::Key(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_need_the_key_of_a_subject_at_once_make_one() {
    let database = Database::create().await;
    let mut making = JoinSet::new();
    for _ in 0..6 {
        let keys = process(&database, &[1]).await;
        making.spawn(async move { keys.of_subject(TENANT, "ada").await.unwrap().id });
    }
    let ids = making.join_all().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let keys = process(&database, &[1]).await;
    assert_eq!(keys.find(TENANT, "ada").await.unwrap(), [ids[0]]);
    assert_ne!(keys.of_subject(TenantId(2), "ada").await.unwrap().id, ids[0], "tenants are apart");
    assert!(is_open(&keys.open(ids[0]).await.unwrap()));
    let named = "SELECT count(*) FROM subject_keys WHERE subject_keys::text LIKE '%ada%'";
    let named: i64 = database.client().await.query_one(named, &[]).await.unwrap().get(0);
    assert_eq!(named, 0, "a name is not in the table");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_process_destroys_is_used_by_no_other_and_comes_back_from_no_backup() {
    let database = Database::create().await;
    let (one, other) = (process(&database, &[1]).await, process(&database, &[1]).await);
    let (first, second) =
        (one.of_subject(TENANT, "ada").await.unwrap().id, one.of_subject(TENANT, "bob").await.unwrap().id);
    assert!(is_open(&other.open(first).await.unwrap()), "the other one has it in memory");
    let backup = one.backup().await.unwrap();
    assert!(!backup.contains("ada") && backup.lines().count() == 3, "{backup}");
    one.destroy(&[first]).await.unwrap();
    // As the other one does when it reads of that in the log.
    other.destroy(&[first]).await.unwrap();
    for keys in [&one, &other, &process(&database, &[1]).await] {
        assert!(matches!(keys.open(first).await.unwrap(), FoundKey::Erased));
        assert!(is_open(&keys.open(second).await.unwrap()));
        assert_eq!(keys.restore(&backup).await.unwrap(), 0);
    }
    assert_ne!(other.of_subject(TENANT, "ada").await.unwrap().id, first, "somebody of the same name is somebody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hears_of_nothing_uses_a_destroyed_key_no_longer_than_a_moment() {
    let database = Database::create().await;
    let (one, deaf) = (process(&database, &[1]).await, process(&database, &[1]).await);
    let id = one.of_subject(TENANT, "ada").await.unwrap().id;
    assert!(is_open(&deaf.open(id).await.unwrap()));
    one.destroy(&[id]).await.unwrap();
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while is_open(&deaf.open(id).await.unwrap()) {
        assert!(tokio::time::Instant::now() < until, "it is used for ever");
        tokio::task::yield_now().await;
    }
    assert!(matches!(deaf.open(id).await.unwrap(), FoundKey::Erased));
}

#[tokio::test]
async fn lost_keys_come_back_from_their_backup_and_the_newer_one_seals_on() {
    let (database, other) = (Database::create().await, Database::create().await);
    let lost = process(&database, &[1]).await;
    let old = lost.of_subject(TENANT, "ada").await.unwrap().id;
    let backup = lost.backup().await.unwrap();
    let keys = process(&other, &[1]).await;
    let newer = keys.of_subject(TENANT, "ada").await.unwrap().id;
    assert!(matches!(keys.open(old).await.unwrap(), FoundKey::Lost));
    assert_eq!(keys.restore(&backup).await.unwrap(), 1);
    assert!(is_open(&keys.open(old).await.unwrap()));
    assert_eq!(keys.find(TENANT, "ada").await.unwrap(), [newer, old]);
    assert_eq!(keys.restore(&backup).await.unwrap(), 0, "it is there");
}

#[tokio::test]
async fn a_newer_master_key_wraps_everything_and_a_missing_one_is_told() {
    let database = Database::create().await;
    let first = process(&database, &[1]).await.of_subject(TENANT, "ada").await.unwrap().id;
    let told = process(&database, &[2]).await.open(first).await.unwrap_err().to_string();
    assert!(told.contains("under the master key 1"), "{told}");
    assert!(is_open(&process(&database, &[1, 2]).await.open(first).await.unwrap()));
    let keys = process(&database, &[2]).await;
    assert!(is_open(&keys.open(first).await.unwrap()), "the older one is needed no more");
    assert_eq!(keys.of_subject(TENANT, "ada").await.unwrap().id, first);
}

#[tokio::test]
async fn whom_the_log_says_to_be_erased_stays_so_before_there_is_a_key() {
    let database = Database::create().await;
    let gone = KeyId(uuid::Uuid::from_u128(5));
    process(&database, &[1]).await.destroy(&[gone]).await.unwrap();
    assert!(matches!(process(&database, &[1]).await.open(gone).await.unwrap(), FoundKey::Erased));
}
