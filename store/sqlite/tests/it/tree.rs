//! The tree over the log: its proofs hold, it can be made again, and history that was changed is told.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;
use timeloom_store::proofs::{Edge, ProofLog, ProofsError};
use timeloom_store::{EventLog as _, LogTransfer, Position};
use timeloom_store_sqlite::{DataFolder, SqliteLog, SqliteTree};
use timeloom_verify::Checkpoint;
use timeloom_verify::checkpoint::origin;
use timeloom_verify::key::{PrivateKey, Validity};
use timeloom_verify::tree::{check_consistency, check_inclusion};

use crate::{append, options};

/// A log and its tree.
struct Opened {
    log: Arc<SqliteLog>,
    proofs: ProofLog,
}

fn opened(path: &Path) -> Opened {
    let folder = Arc::new(DataFolder::acquire(path).unwrap());
    let (log, _) = SqliteLog::open_in(Arc::clone(&folder), options()).unwrap();
    let tree = SqliteTree::open(folder).unwrap();
    let proofs = ProofLog::new(Arc::clone(&log) as Arc<dyn LogTransfer>, tree);
    Opened { log, proofs }
}

impl Opened {
    async fn fill(&self, first: u128, appends: u128) {
        for number in first..first + appends {
            self.log.append(append("s", number * 100 + 1, 7, "{}")).await.unwrap();
        }
    }

    async fn fold(&self) -> u64 {
        let head = self.log.head();
        loop {
            let folded = self.proofs.fold(head).await.unwrap();
            if !folded.has_more {
                return folded.size;
            }
        }
    }

    async fn sign(&self) -> Checkpoint {
        let name = origin(self.proofs.log_id().await.unwrap());
        let key = PrivateKey::from_seed(&name, &[1; 32], Validity::default()).unwrap();
        let made = self.proofs.make_checkpoint(&[key]).await.unwrap().unwrap();
        Checkpoint::parse(&made.note).unwrap().0
    }

    async fn close(self) {
        self.log.close().await;
    }
}

/// Changes a row as somebody who has the file can.
fn change(folder: &Path, file: &str, sql: &str) {
    let connection = Connection::open(folder.join(file)).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tree_proves_holds_for_its_root() {
    let folder = TempDir::new().unwrap();
    let opened = opened(folder.path());
    opened.fill(1, 43).await;
    assert_eq!(opened.fold().await, 301);
    let old = opened.sign().await;
    opened.fill(100, 150).await;
    assert_eq!(opened.fold().await, 1_351);
    let new = opened.sign().await;
    assert_eq!((old.size, new.size), (301, 1_351));
    for position in [1, 2, 255, 256, 257, 300, 512, 1_024, 1_350, 1_351] {
        let leaf = opened.proofs.leaf(position).await.unwrap();
        let row = opened.log.export(Position(position - 1), 1).await.unwrap().remove(0);
        assert_eq!(leaf, row.leaf);
        let path = opened.proofs.inclusion(position, new.size).await.unwrap();
        assert_eq!(check_inclusion(position, new.size, &leaf, &path, &new.root), Ok(()), "{position}");
    }
    let path = opened.proofs.consistency(old.size, new.size).await.unwrap();
    assert_eq!(check_consistency((old.size, &old.root), (new.size, &new.root), &path), Ok(()));
    assert!(matches!(opened.proofs.inclusion(1, 9_999).await, Err(ProofsError::Behind { asked: 9_999, size: 1_351 })));
    assert!(matches!(opened.proofs.inclusion(0, 5).await, Err(ProofsError::Range(_))));
    assert_eq!(opened.proofs.compare_with_checkpoints(|_| {}).await.unwrap(), 2);
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_was_lost_is_made_again_and_has_the_same_roots() {
    let folder = TempDir::new().unwrap();
    let opened = self::opened(folder.path());
    opened.fill(1, 60).await;
    opened.fold().await;
    let signed = opened.sign().await;
    assert_eq!(opened.proofs.look_at_edge().await.unwrap(), Edge::Sound);
    opened.close().await;
    change(folder.path(), "audit.db", "DELETE FROM tree_tiles WHERE level = 1");
    let opened = self::opened(folder.path());
    assert!(matches!(opened.proofs.look_at_edge().await.unwrap(), Edge::Damaged(_)));
    opened.proofs.tree().begin_again().await.unwrap();
    assert_eq!(opened.fold().await, 420);
    assert_eq!(opened.proofs.root(420).await.unwrap(), signed.root);
    assert_eq!(opened.proofs.look_at_edge().await.unwrap(), Edge::Sound);
    opened.close().await;
}

/// Flips a bit of a hash of a tile, as a disk does.
fn flip(folder: &Path, tile: (u8, u64), hash: usize) {
    let connection = Connection::open(folder.join("audit.db")).unwrap();
    let read = "SELECT hashes FROM tree_tiles WHERE level = ?1 AND tile = ?2";
    let mut hashes: Vec<u8> = connection.query_row(read, tile, |row| row.get(0)).unwrap();
    hashes[hash * 32 + 7] ^= 16;
    let write = "UPDATE tree_tiles SET hashes = ?3 WHERE level = ?1 AND tile = ?2";
    assert_eq!(connection.execute(write, (tile.0, tile.1, hashes)).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_out_of_a_damaged_tree_is_not_given_and_the_tree_is_made_again() {
    let folder = TempDir::new().unwrap();
    let opened = self::opened(folder.path());
    opened.fill(1, 150).await;
    assert_eq!(opened.fold().await, 1_050);
    let signed = opened.sign().await;
    opened.close().await;
    // A leaf, and a root of 256 of them, neither at the edge.
    for (tile, hash, position) in [((0, 1), 44, 300), ((1, 0), 2, 20)] {
        flip(folder.path(), tile, hash);
        let opened = self::opened(folder.path());
        let asked = opened.proofs.inclusion(position, 1_050).await;
        assert!(matches!(asked, Err(ProofsError::Damaged(_))), "{tile:?}: {asked:?}");
        assert_eq!(opened.proofs.size().await.unwrap(), 0, "it is forgotten");
        assert_eq!(opened.fold().await, 1_050);
        let (leaf, path) = (opened.proofs.leaf(position).await, opened.proofs.inclusion(position, 1_050).await);
        let (leaf, path) = (leaf.unwrap(), path.unwrap());
        assert_eq!(check_inclusion(position, 1_050, &leaf, &path, &signed.root), Ok(()));
        opened.close().await;
    }
    flip(folder.path(), (0, 2), 200);
    let opened = self::opened(folder.path());
    assert!(matches!(opened.proofs.consistency(600, 1_050).await, Err(ProofsError::Damaged(_))));
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_anywhere_in_the_tree_is_found_by_looking_at_it() {
    let folder = TempDir::new().unwrap();
    let opened = self::opened(folder.path());
    for number in 1..=700 {
        opened.log.append(append("s", number * 100, 99, "{}")).await.unwrap();
    }
    assert_eq!(opened.fold().await, 69_300);
    opened.sign().await;
    assert_eq!(looked(&opened).await, Ok(()));
    opened.close().await;
    for (tile, hash) in [((0, 0), 0), ((0, 269), 255), ((1, 0), 77), ((1, 1), 5), ((2, 0), 0)] {
        flip(folder.path(), tile, hash);
        let opened = self::opened(folder.path());
        assert!(looked(&opened).await.is_err(), "{tile:?}");
        assert_eq!(opened.fold().await, 69_300);
        assert_eq!(looked(&opened).await, Ok(()));
        opened.close().await;
    }
}

/// What is found by looking at the edge, and then at everything.
async fn looked(opened: &Opened) -> Result<(), String> {
    if let Edge::Damaged(reason) = opened.proofs.look_at_edge().await.unwrap() {
        opened.proofs.tree().begin_again().await.unwrap();
        return Err(reason);
    }
    let mut next = Some(0);
    while let Some(part) = next {
        next = opened.proofs.look_inside(part).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_disk_did_to_the_newest_part_is_not_signed() {
    let folder = TempDir::new().unwrap();
    let opened = self::opened(folder.path());
    opened.fill(1, 10).await;
    opened.fold().await;
    opened.sign().await;
    opened.fill(20, 10).await;
    assert_eq!(opened.fold().await, 140);
    let root = opened.proofs.root(140).await.unwrap();
    flip(folder.path(), (0, 0), 100);
    let name = origin(opened.proofs.log_id().await.unwrap());
    let key = PrivateKey::from_seed(&name, &[1; 32], Validity::default()).unwrap();
    let made = opened.proofs.make_checkpoint(&[key]).await;
    assert!(matches!(made, Err(ProofsError::Damaged(_))), "{made:?}");
    assert_eq!(opened.fold().await, 140);
    assert_eq!(opened.sign().await.root, root);
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_was_changed_is_told_and_not_signed_again() {
    let folder = TempDir::new().unwrap();
    let opened = self::opened(folder.path());
    opened.fill(1, 10).await;
    opened.fold().await;
    opened.sign().await;
    opened.close().await;
    // The row and its leaf, as somebody would who knows how leaves are made; and the tree is thrown away.
    change(
        folder.path(),
        "log.db",
        "DROP TRIGGER IF EXISTS events_no_update; UPDATE events SET leaf = randomblob(32) WHERE position = 23",
    );
    change(folder.path(), "audit.db", "UPDATE tree SET size = 0; DELETE FROM tree_tiles");
    let opened = self::opened(folder.path());
    let folded = opened.proofs.fold(opened.log.head()).await;
    assert!(matches!(folded, Err(ProofsError::HistoryChanged { position: Position(70), .. })), "{folded:?}");
    assert_eq!(opened.proofs.size().await.unwrap(), 0, "nothing of it is kept");
    let compared = opened.proofs.compare_with_checkpoints(|_| {}).await;
    assert!(matches!(compared, Err(ProofsError::HistoryChanged { .. })), "{compared:?}");
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_a_checkpoint_is_told() {
    let folder = TempDir::new().unwrap();
    let opened = self::opened(folder.path());
    opened.fill(1, 10).await;
    opened.fold().await;
    let signed = opened.sign().await;
    opened.close().await;
    // Another log with fewer events takes its place.
    let other = TempDir::new().unwrap();
    let shorter = self::opened(other.path());
    shorter.fill(1, 3).await;
    shorter.close().await;
    std::fs::copy(folder.path().join("audit.db"), other.path().join("audit.db")).unwrap();
    let shorter = self::opened(other.path());
    let edge = shorter.proofs.look_at_edge().await;
    let detail = format!("a checkpoint of {} events was made, and the log ends at 21", signed.size);
    assert!(edge.unwrap_err().to_string().contains(&detail));
    shorter.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_is_put_aside_and_kept() {
    let folder = TempDir::new().unwrap();
    opened(folder.path()).close().await;
    std::fs::write(folder.path().join("audit.db"), "no database at all, but long enough to be looked at").unwrap();
    let opened = opened(folder.path());
    opened.fill(1, 2).await;
    assert_eq!(opened.fold().await, 14);
    opened.close().await;
    let aside = std::fs::read_to_string(folder.path().join("audit.db.damaged")).unwrap();
    assert!(aside.starts_with("no database"));
}
