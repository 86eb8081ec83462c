//! What every store of snapshots does.

use std::sync::Arc;

use bytes::Bytes;
use timeloom_domain::ids::{EventId, TenantId};

use super::fixtures::{new_id, stream};
use crate::envelope::{Position, Revision, StreamKey};
use crate::snapshots::{
    FoldHash, SNAPSHOT_BYTES_MAX, SNAPSHOTS_PER_STREAM_MAX, Snapshot, SnapshotError, SnapshotPlace, SnapshotStore,
};

/// Bytes of states for which a [`FreshSnapshots`] has room.
pub const FRESH_SNAPSHOTS_BYTES: u64 = 1 << 20;

/// A store of snapshots that nobody used before, with room for [`FRESH_SNAPSHOTS_BYTES`].
pub struct FreshSnapshots {
    /// The store.
    pub store: Arc<dyn SnapshotStore>,
    /// What must live as long as it does, for example a temporary folder.
    pub keep: Box<dyn std::any::Any + Send>,
}

/// Makes the tests of a store of snapshots. The argument is the path of an `async fn() -> FreshSnapshots`.
#[macro_export]
macro_rules! snapshot_store_conformance {
    ($fresh:path) => {
        $crate::snapshot_store_conformance! { @tests $fresh:
            the_snapshot_saved_last_comes_back_whole,
            snapshots_of_other_folds_streams_and_tenants_are_apart,
            only_the_newest_snapshots_of_a_stream_are_kept,
            the_oldest_snapshots_make_room,
            a_stream_is_forgotten_alone,
            a_snapshot_that_is_too_large_is_refused,
        }
    };
    (@tests $fresh:path: $($test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::conformance::$test($fresh().await).await;
            }
        )*
    };
}

const FOLD: FoldHash = FoldHash([1; 32]);

fn of(stream: StreamKey, revision: u64, fold_hash: FoldHash, state: Bytes) -> Snapshot {
    let (position, event_id) = (Position(revision * 3), EventId(new_id()));
    Snapshot::new(SnapshotPlace { stream, revision: Revision(revision), position, event_id }, fold_hash, state)
}

fn snapshot(id: &str, revision: u64) -> Snapshot {
    of(stream(id), revision, FOLD, Bytes::from(format!("{{\"revision\":{revision}}}")))
}

async fn load(fresh: &FreshSnapshots, id: &str) -> Option<Snapshot> {
    fresh.store.load(&stream(id), FOLD).await.unwrap()
}

pub async fn the_snapshot_saved_last_comes_back_whole(fresh: FreshSnapshots) {
    assert_eq!(load(&fresh, "a").await, None);
    // A log that was restored from a backup begins again behind: what is saved last counts, not what is furthest.
    for revision in [300, 900, 600] {
        let saved = snapshot("a", revision);
        fresh.store.save(saved.clone()).await.unwrap();
        let loaded = load(&fresh, "a").await.unwrap();
        assert!(loaded.is_whole());
        assert_eq!(loaded, saved);
    }
    let empty = of(stream("empty"), 1, FOLD, Bytes::new());
    fresh.store.save(empty.clone()).await.unwrap();
    assert_eq!(load(&fresh, "empty").await, Some(empty));
}

pub async fn snapshots_of_other_folds_streams_and_tenants_are_apart(fresh: FreshSnapshots) {
    let other_fold = FoldHash([2; 32]);
    let neighbour = StreamKey { tenant: TenantId(2), ..stream("a") };
    let kept = [
        snapshot("a", 1),
        of(stream("a"), 2, other_fold, Bytes::from_static(b"other fold")),
        snapshot("b", 3),
        of(neighbour.clone(), 4, FOLD, Bytes::from_static(b"other tenant")),
    ];
    for snapshot in &kept {
        fresh.store.save(snapshot.clone()).await.unwrap();
    }
    let places = [(stream("a"), FOLD), (stream("a"), other_fold), (stream("b"), FOLD), (neighbour, FOLD)];
    for ((stream, fold), saved) in places.into_iter().zip(kept) {
        assert_eq!(fresh.store.load(&stream, fold).await.unwrap(), Some(saved));
    }
    assert_eq!(fresh.store.load(&stream("b"), other_fold).await.unwrap(), None);
}

pub async fn only_the_newest_snapshots_of_a_stream_are_kept(fresh: FreshSnapshots) {
    let fold = |number: u8| FoldHash([number; 32]);
    for number in 0..=u8::try_from(SNAPSHOTS_PER_STREAM_MAX).unwrap() {
        fresh.store.save(of(stream("a"), 1, fold(number), Bytes::from_static(b"state"))).await.unwrap();
    }
    assert_eq!(fresh.store.load(&stream("a"), fold(0)).await.unwrap(), None);
    for number in 1..=u8::try_from(SNAPSHOTS_PER_STREAM_MAX).unwrap() {
        assert!(fresh.store.load(&stream("a"), fold(number)).await.unwrap().is_some());
    }
}

pub async fn the_oldest_snapshots_make_room(fresh: FreshSnapshots) {
    let quarter = Bytes::from(vec![b'x'; usize::try_from(FRESH_SNAPSHOTS_BYTES / 4).unwrap()]);
    for id in ["a", "b", "c", "d", "e", "f"] {
        fresh.store.save(of(stream(id), 1, FOLD, quarter.clone())).await.unwrap();
    }
    for (id, kept) in [("a", false), ("b", false), ("c", true), ("f", true)] {
        assert_eq!(load(&fresh, id).await.is_some(), kept, "{id}");
    }
}

pub async fn a_stream_is_forgotten_alone(fresh: FreshSnapshots) {
    for snapshot in [snapshot("a", 1), snapshot("a", 2), snapshot("b", 3)] {
        fresh.store.save(snapshot).await.unwrap();
    }
    fresh.store.forget(&stream("a")).await.unwrap();
    fresh.store.forget(&stream("nobody")).await.unwrap();
    assert_eq!(load(&fresh, "a").await, None);
    assert!(load(&fresh, "b").await.is_some());
}

pub async fn a_snapshot_that_is_too_large_is_refused(fresh: FreshSnapshots) {
    fresh.store.save(snapshot("a", 1)).await.unwrap();
    let large = of(stream("a"), 2, FOLD, Bytes::from(vec![b'x'; SNAPSHOT_BYTES_MAX + 1]));
    let refused = fresh.store.save(large).await;
    assert!(matches!(refused, Err(SnapshotError::TooLarge(bytes)) if bytes == SNAPSHOT_BYTES_MAX + 1), "{refused:?}");
    assert_eq!(load(&fresh, "a").await.map(|kept| kept.place.revision), Some(Revision(1)));
}
