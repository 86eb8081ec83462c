//! A disk without room: appends are refused in words, nothing acknowledged is lost, and the log goes on once there is room.
#![expect(clippy::panic, clippy::print_stderr, reason = "what tests are helped by may stop at anything, and say why")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use timeloom_store::conformance::Chance;
use timeloom_store::{
    AppendError, Appended, BLOB_THRESHOLD_BYTES, BlobError, BlobStore, Direction, EventLog, Filter, LogError, Position,
    SubscriptionMessage, TenantScope,
};
use timeloom_store_sqlite::{SqliteBlobs, SqliteLog, SqliteOptions};

use crate::packed::noise;
use crate::{append, options};

/// Says that this process is the one that has its own mounts.
const NAMESPACE_VARIABLE: &str = "TIMELOOM_OWN_MOUNTS";
const DISK_BYTES: usize = 5 << 20;
/// What is taken away to make room.
const BALLAST_BYTES: usize = 2 << 20;
/// Far more appends than fit.
const APPENDS_MAX: u128 = 1_000;

/// A file system in memory of [`DISK_BYTES`], with [`BALLAST_BYTES`] taken.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let size = format!("size={DISK_BYTES}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| {
            fs::write(folder.path().join("ballast"), vec![0; BALLAST_BYTES]).unwrap();
            Self { folder }
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make_room(&self) {
        fs::remove_file(self.folder.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

/// A small disk; `None` when the test ran in a process with mounts of its own instead, or cannot run here at all.
fn small_disk(test: &str) -> Option<SmallDisk> {
    let disk = SmallDisk::mount();
    #[expect(clippy::disallowed_methods, reason = "this is how the test knows that it runs itself")]
    let in_namespace = std::env::var_os(NAMESPACE_VARIABLE).is_some();
    if disk.is_some() || in_namespace {
        assert!(disk.is_some(), "no mount in a namespace of its own");
        return disk;
    }
    let can = Command::new("unshare").args(["-rm", "true"]).output().is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("NOT RUN: {test} needs the right to mount, as the superuser or by `unshare -rm`");
        return None;
    }
    let output = Command::new("unshare")
        .arg("-rm")
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(NAMESPACE_VARIABLE, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    None
}

fn open(folder: &Path) -> (Arc<SqliteLog>, Arc<SqliteBlobs>) {
    SqliteLog::open(folder, options()).unwrap()
}

fn payload_of(bytes: usize, number: u128) -> String {
    format!("\"{number:08}{}\"", "x".repeat(bytes - 10))
}

fn is_full(error: &LogError) -> bool {
    matches!(error, LogError::Storage(error) if error.to_string().starts_with("the disk is full"))
}

/// Appends until one is refused; gives the number of the refused one.
async fn append_until_full(log: &SqliteLog, bytes: usize) -> (Vec<Appended>, u128) {
    let mut acknowledged = Vec::new();
    for number in 0..APPENDS_MAX {
        match log.append(append("a", 1_000 + number * 10, 1, &payload_of(bytes, number))).await {
            Ok(appended) => acknowledged.push(appended),
            Err(AppendError::Log(error)) => {
                assert!(is_full(&error), "{error}");
                return (acknowledged, number);
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the disk is never full");
}

/// Everything that was acknowledged is read and brought, now.
async fn check_readable(log: &SqliteLog, acknowledged: &[Appended]) {
    let mut history = log.subscribe(TenantScope::All, Position::START, Filter::default(), 1_000);
    for appended in acknowledged {
        let Some(SubscriptionMessage::Event(event)) = history.next().await else { panic!("it ends") };
        assert_eq!([event], &*appended.events);
    }
}

async fn check_whole(log: &SqliteLog, blobs: &SqliteBlobs, head: Position) {
    let report = log.verify(blobs, |_| {}).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.head, head);
}

#[tokio::test]
async fn a_full_disk_refuses_appends_and_goes_on_once_there_is_room() {
    let Some(disk) = small_disk("full_disk::a_full_disk_refuses_appends_and_goes_on_once_there_is_room") else {
        return;
    };
    let (log, blobs) = open(&disk.data());
    let (acknowledged, refused) = append_until_full(&log, 60_000).await;
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    assert_eq!(log.head().0, acknowledged.len() as u64);
    check_readable(&log, &acknowledged).await;
    // It stays so, for as long as it takes.
    for _ in 0..3 {
        let again = log.append(append("a", 1_000 + refused * 10, 1, &payload_of(60_000, refused))).await;
        assert!(matches!(&again, Err(AppendError::Log(error)) if is_full(error)), "{again:?}");
    }
    check_readable(&log, &acknowledged).await;

    disk.make_room();
    let appended = log.append(append("a", 1_000 + refused * 10, 1, &payload_of(60_000, refused))).await.unwrap();
    assert_eq!((appended.position.0, appended.repeated), (acknowledged.len() as u64 + 1, false));
    check_whole(&log, &blobs, appended.position).await;
    drop((log, blobs));
    let (log, blobs) = open(&disk.data());
    check_readable(&log, &acknowledged).await;
    check_whole(&log, &blobs, appended.position).await;
}

#[tokio::test]
async fn a_full_disk_refuses_blobs_and_goes_on_once_there_is_room() {
    let Some(disk) = small_disk("full_disk::a_full_disk_refuses_blobs_and_goes_on_once_there_is_room") else { return };
    let (log, blobs) = open(&disk.data());
    let (acknowledged, refused) = append_until_full(&log, 650_000).await;
    assert!(acknowledged.len() > 2, "{}", acknowledged.len());
    let large = Bytes::from(vec![7; 650_000]);
    let outcome = blobs.put(large.clone()).await;
    assert!(matches!(&outcome, Err(BlobError::Log(error)) if is_full(error)), "{outcome:?}");
    assert_eq!(fs::read_dir(disk.data().join("blobs/unfinished")).unwrap().count(), 0, "half a blob is left");
    check_readable(&log, &acknowledged).await;
    let small = log.append(append("b", 5, 1, "1")).await.unwrap();
    assert_eq!(small.position.0, acknowledged.len() as u64 + 1);

    disk.make_room();
    blobs.put(large).await.unwrap();
    let appended = log.append(append("a", 1_000 + refused * 10, 1, &payload_of(650_000, refused))).await.unwrap();
    check_whole(&log, &blobs, appended.position).await;
}

/// What every machine can try: the file itself may not grow any more.
#[tokio::test]
async fn a_full_file_refuses_what_does_not_fit_and_the_log_goes_on() {
    let folder = TempDir::new().unwrap();
    let limited = SqliteOptions { pages_max: Some(64), ..options() };
    let (log, _) = SqliteLog::open(folder.path(), limited).unwrap();
    log.append(append("a", 100, 1, "1")).await.unwrap();
    // Just small enough to be in the file.
    let large = format!("\"{}\"", noise(BLOB_THRESHOLD_BYTES - 2, &mut Chance::new(1)));

    let outcome = log.append(append("large", 200, 16, &large)).await;
    assert!(matches!(&outcome, Err(AppendError::Log(error)) if is_full(error)), "{outcome:?}");
    assert_eq!(log.head(), Position(1));

    // What was refused has left nothing behind: its ids, its stream and its positions are free.
    let small = log.append(append("large", 200, 1, "2")).await.unwrap();
    assert_eq!((small.position.0, small.revision.0, small.repeated), (2, 1, false));
    let all = log.read_all(TenantScope::All, Position(0), Direction::Forward, &Filter::default(), 10).await.unwrap();
    assert_eq!(all.len(), 2);
    drop(log);
    let (log, _) = open(folder.path());
    log.append(append("large", 300, 16, &large)).await.unwrap();
}
