//! The tree over the log in a database: any process may let it grow, and it is one tree.

use std::sync::Arc;

use timeloom_postgres_testing::Database;
use timeloom_store::proofs::{Edge, ProofLog, ProofsError};
use timeloom_store::{EventLog as _, LogTransfer, Position};
use timeloom_store_postgres::PostgresLog;
use timeloom_verify::Checkpoint;
use timeloom_verify::checkpoint::origin;
use timeloom_verify::key::{PrivateKey, Validity};
use timeloom_verify::tree::{Frontier, check_inclusion};
use tokio::task::JoinSet;

use crate::{append, open};

fn proofs(log: &Arc<PostgresLog>) -> ProofLog {
    ProofLog::new(Arc::clone(log) as Arc<dyn LogTransfer>, Arc::new(log.tree()))
}

async fn fold(proofs: &ProofLog, head: Position) -> u64 {
    loop {
        let folded = proofs.fold(head).await.unwrap();
        if !folded.has_more {
            return folded.size;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_let_the_tree_grow_at_once_make_one_tree() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    for number in 0..30u128 {
        log.append(append("a", number * 200 + 1, 100, "{}")).await.unwrap();
    }
    let head = log.head();
    let mut growing = JoinSet::new();
    for _ in 0..4 {
        let (other, _) = open(database.url()).await;
        growing.spawn(async move { fold(&proofs(&other), head).await });
    }
    assert_eq!(growing.join_all().await, [3_000; 4]);
    let proofs = proofs(&log);
    let mut expected = Frontier::default();
    while expected.size() < head.0 {
        let page = log.leaves(Position(expected.size()), 1_000).await.unwrap();
        page.iter().for_each(|row| expected.push(row.leaf));
    }
    assert_eq!(proofs.root(3_000).await.unwrap(), expected.root());
    let (leaf, path) = (proofs.leaf(777).await.unwrap(), proofs.inclusion(777, 3_000).await.unwrap());
    assert_eq!(check_inclusion(777, 3_000, &leaf, &path, &expected.root()), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_kept_once_and_binds_the_tree_that_is_made_again() {
    let database = Database::create().await;
    let (log, _) = open(database.url()).await;
    log.append(append("a", 1, 100, "{}")).await.unwrap();
    let proofs = proofs(&log);
    fold(&proofs, log.head()).await;
    let key = PrivateKey::from_seed(&origin(log.log_id()), &[1; 32], Validity::default()).unwrap();
    let keys = [key];
    let made = proofs.make_checkpoint(&keys).await.unwrap().unwrap();
    assert_eq!(proofs.make_checkpoint(&keys).await.unwrap(), None, "it is kept already");
    assert_eq!(proofs.newest_checkpoint().await.unwrap(), Some(made.clone()));
    assert_eq!(Checkpoint::parse(&made.note).unwrap().0.size, 100);
    let client = database.client().await;
    client.batch_execute("DELETE FROM log_tree_tiles").await.unwrap();
    assert!(matches!(proofs.look_at_edge().await.unwrap(), Edge::Damaged(_)));
    proofs.tree().begin_again().await.unwrap();
    assert_eq!(fold(&proofs, log.head()).await, 100);
    assert_eq!(proofs.look_at_edge().await.unwrap(), Edge::Sound);
    // Whoever owns the tables can do anything to them, and is found out.
    let forge = "ALTER TABLE events DISABLE TRIGGER USER; \
                 UPDATE events SET leaf = sha256('other') WHERE position = 50";
    client.batch_execute(forge).await.unwrap();
    proofs.tree().begin_again().await.unwrap();
    let changed = proofs.fold(log.head()).await;
    assert!(matches!(changed, Err(ProofsError::HistoryChanged { position: Position(100), .. })), "{changed:?}");
}
