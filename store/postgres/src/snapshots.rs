//! Snapshots of folded streams in an unlogged table: it costs no write-ahead log, and a server that crashed has it empty,
//! which is all that a cache may be.

use async_trait::async_trait;
use bytes::Bytes;
use timeloom_domain::ids::EventId;
use timeloom_store::snapshots::{SNAPSHOT_BYTES_MAX, SNAPSHOT_STORE_BYTES_MAX, SNAPSHOTS_PER_STREAM_MAX};
use timeloom_store::{FoldHash, Position, Revision, Snapshot, SnapshotError, SnapshotPlace, SnapshotStore, StreamKey};

use crate::error::{log_error, pool_error};
use crate::log::PostgresLog;
use crate::readers::Readers;
use crate::recorded::{signed, unsigned};

/// A [`SnapshotStore`] in the database of the log, which its processes share.
#[derive(Debug, Clone)]
pub struct PostgresSnapshots {
    readers: Readers,
    bytes_max: u64,
}

impl PostgresLog {
    /// The snapshots beside the log.
    pub fn snapshots(&self) -> PostgresSnapshots {
        self.snapshots_with(SNAPSHOT_STORE_BYTES_MAX)
    }

    /// The same, for at most so many bytes of states.
    pub fn snapshots_with(&self, bytes_max: u64) -> PostgresSnapshots {
        PostgresSnapshots { readers: self.readers().clone(), bytes_max }
    }
}

const LOAD: &str = "SELECT sequence, position, event_id, state, checksum FROM snapshot_cache \
     WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3 AND fold_hash = $4 \
     ORDER BY saved DESC LIMIT 1";
const SAVE: &str = "INSERT INTO snapshot_cache (aggregate_type, aggregate_id, tenant_id, sequence, position, event_id, \
     fold_hash, state, checksum) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING saved";
const DROP_SURPLUS: &str = "DELETE FROM snapshot_cache WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3 \
     AND saved NOT IN (SELECT saved FROM snapshot_cache WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3 \
     ORDER BY saved DESC LIMIT $4)";
const MAKE_ROOM: &str = "DELETE FROM snapshot_cache WHERE saved IN (SELECT saved FROM (SELECT saved, \
     sum(octet_length(state)) OVER (ORDER BY saved DESC) AS bytes FROM snapshot_cache) AS newest WHERE bytes > $1::bigint)";
/// One at a time: two that drop the same rows in another order would wait for each other.
const TRY_ROOM: &str = "SELECT pg_try_advisory_xact_lock('snapshot_cache'::regclass::oid::bigint)";
/// Of so many snapshots one looks whether there is room for all, if it is not large itself.
const CHECK_EVERY: u64 = 64;
const FORGET: &str = "DELETE FROM snapshot_cache WHERE aggregate_type = $1 AND aggregate_id = $2 AND tenant_id = $3";

#[async_trait]
impl SnapshotStore for PostgresSnapshots {
    async fn load(&self, stream: &StreamKey, fold_hash: FoldHash) -> Result<Option<Snapshot>, SnapshotError> {
        let tenant = i64::from(stream.tenant.0);
        let hash = fold_hash.0.as_slice();
        let rows = self.readers.query(LOAD, &vec![&&*stream.category, &&*stream.id, &tenant, &hash]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let place = SnapshotPlace {
            stream: stream.clone(),
            revision: Revision(unsigned(row.try_get(0).map_err(log_error)?)),
            position: Position(unsigned(row.try_get(1).map_err(log_error)?)),
            event_id: EventId(row.try_get(2).map_err(log_error)?),
        };
        let state: Vec<u8> = row.try_get(3).map_err(log_error)?;
        let checksum = <[u8; 32]>::try_from(row.try_get::<_, &[u8]>(4).map_err(log_error)?);
        // A checksum of another length is no checksum: there is no snapshot then.
        Ok(checksum.ok().map(|checksum| Snapshot { place, fold_hash, state: state.into(), checksum }))
    }

    async fn save(&self, snapshot: Snapshot) -> Result<(), SnapshotError> {
        let Snapshot { place, fold_hash, state, checksum } = snapshot;
        if state.len() > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLarge(state.len()));
        }
        let (stream, tenant) = (&place.stream, i64::from(place.stream.tenant.0));
        let (category, id) = (&*stream.category, &*stream.id);
        let (hash, checksum): (&[u8], &[u8]) = (&fold_hash.0, &checksum);
        let state: &[u8] = Bytes::as_ref(&state);
        let mut client = self.readers.pool().get().await.map_err(pool_error)?;
        let saved = async {
            let transaction = client.transaction().await?;
            let (revision, position) = (signed(place.revision.0), signed(place.position.0));
            let saved = transaction
                .query_one(
                    SAVE,
                    &[&category, &id, &tenant, &revision, &position, &place.event_id.0, &hash, &state, &checksum],
                )
                .await?;
            let number = unsigned(saved.try_get(0)?);
            let kept = signed(SNAPSHOTS_PER_STREAM_MAX as u64);
            transaction.execute(DROP_SURPLUS, &[&category, &id, &tenant, &kept]).await?;
            // Looking at all of them is dear: a small one can wait until others are with it, or somebody else looks.
            let is_large = state.len() as u64 >= self.bytes_max / CHECK_EVERY;
            if (is_large || number.is_multiple_of(CHECK_EVERY))
                && transaction.query_one(TRY_ROOM, &[]).await?.try_get::<_, bool>(0)?
            {
                transaction.execute(MAKE_ROOM, &[&signed(self.bytes_max)]).await?;
            }
            transaction.commit().await
        };
        saved.await.map_err(|error| SnapshotError::Storage(log_error(error)))
    }

    async fn forget(&self, stream: &StreamKey) -> Result<(), SnapshotError> {
        let tenant = i64::from(stream.tenant.0);
        self.readers.query(FORGET, &vec![&&*stream.category, &&*stream.id, &tenant]).await?;
        Ok(())
    }

    async fn scrub(&self) -> Result<(), SnapshotError> {
        self.readers.query("DELETE FROM snapshot_cache", &Vec::new()).await?;
        Ok(())
    }
}
