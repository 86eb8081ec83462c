//! A database without room: appends are refused in words, nothing acknowledged is lost, and the log goes on once there is room.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use timeloom_postgres_testing::{Server, connect};
use timeloom_store::{AppendError, EventLog};
use timeloom_store_postgres::PostgresLog;

use crate::{append, open, read_everything};

/// A new database takes some seven megabytes.
const DISK_BYTES: usize = 24 << 20;
/// What is taken away to make room.
const BALLAST_BYTES: usize = 6 << 20;
/// Far more appends than fit.
const APPENDS_MAX: u128 = 1_000;

/// A file system in memory, with a part of it taken.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let size = format!("size={DISK_BYTES}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| {
            fs::write(folder.path().join("ballast"), vec![0; BALLAST_BYTES]).unwrap();
            Self(folder)
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Makes a folder that belongs to whom the server's own files belong to.
fn folder_of_server(path: &Path, server: &Server) {
    fs::create_dir(path).unwrap();
    let owner = fs::metadata(server.socket()).unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// Text that does not become shorter when it is compressed.
fn noise(bytes: usize, seed: u128) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5_a2b7_39e1_2d5f_4c01).wrapping_add(1);
        char::from(b'0' + ((state >> 100) % 75) as u8)
    };
    (0..bytes).map(|_| next()).filter(|letter| *letter != '\\').collect()
}

async fn fill(log: &PostgresLog) -> (u64, AppendError) {
    let mut acknowledged = 0;
    for number in 1..APPENDS_MAX {
        match log.append(append("a", number * 10, 1, &format!("\"{}\"", noise(60_000, number)))).await {
            Ok(appended) => acknowledged = appended.position.0,
            Err(error) => return (acknowledged, error),
        }
    }
    (acknowledged, AppendError::DuplicateId)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_refuses_in_words_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("NOT RUN: a full database needs the right to mount");
        return;
    };
    let server = Server::start_new();
    fs::set_permissions(disk.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let space = disk.0.path().join("space");
    folder_of_server(&space, &server);
    let admin = connect(&server.url("postgres")).await;
    admin.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{}'", space.display())).await.unwrap();
    admin.batch_execute("CREATE DATABASE small TEMPLATE template0 TABLESPACE small").await.unwrap();
    let (log, _) = open(&server.url("small")).await;

    let (acknowledged, refused) = fill(&log).await;
    assert!(acknowledged > 10, "{refused}");
    assert!(refused.to_string().contains("the database's disk is full: make room"), "{refused}");
    assert_eq!(read_everything(&*log).await.len() as u64, acknowledged, "reads go on, and nothing is lost");
    fs::remove_file(disk.0.path().join("ballast")).unwrap();
    let appended = log.append(append("a", 1_000_000, 1, "{}")).await.unwrap();
    assert_eq!(appended.position.0, acknowledged + 1, "without a restart");
}
