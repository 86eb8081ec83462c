//! The tree over the log's leaves, in tables beside it. Any process may let it grow: one row says how far it is, and whoever
//! finds it at another size than they thought changes nothing.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use timeloom_store::proofs::{CHECKPOINTS_READ_MAX, Growth, StoredCheckpoint, TileId, TreeStore};
use timeloom_store::{Direction, LogError, Position};

use crate::error::{log_error, pool_error};
use crate::log::PostgresLog;
use crate::readers::Readers;
use crate::recorded::{signed, unsigned};
use crate::transfer::PostgresSource;

const READ: &str = "SELECT level, tile, hashes FROM log_tree_tiles \
     WHERE (level, tile) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))";
const WRITE: &str = "INSERT INTO log_tree_tiles (level, tile, hashes) \
     SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) \
     ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes";
const KEEP: &str =
    "INSERT INTO log_checkpoints (size, note) VALUES ($1, $2) ON CONFLICT (size) DO NOTHING RETURNING size";

/// A [`TreeStore`] in the database of the log.
#[derive(Debug, Clone)]
pub struct PostgresTree {
    readers: Readers,
}

impl PostgresLog {
    /// The tree beside the log.
    pub fn tree(&self) -> PostgresTree {
        PostgresTree { readers: self.readers().clone() }
    }
}

impl PostgresSource {
    /// The tree beside the log.
    pub fn tree(&self) -> PostgresTree {
        PostgresTree { readers: self.readers().clone() }
    }
}

#[async_trait]
impl TreeStore for PostgresTree {
    async fn size(&self) -> Result<u64, LogError> {
        let rows = self.readers.query("SELECT size FROM log_tree", &Vec::new()).await?;
        let size = rows.first().map(|row| row.try_get(0)).transpose().map_err(log_error)?;
        Ok(size.map_or(0, unsigned))
    }

    async fn tiles(&self, wanted: Vec<TileId>) -> Result<HashMap<TileId, Vec<[u8; 32]>>, LogError> {
        let levels: Vec<i16> = wanted.iter().map(|tile| i16::from(tile.level)).collect();
        let indexes: Vec<i64> = wanted.iter().map(|tile| signed(tile.index)).collect();
        let rows = self.readers.query(READ, &vec![&levels, &indexes]).await?;
        let mut tiles = HashMap::with_capacity(rows.len());
        for row in &rows {
            let level: i16 = row.try_get(0).map_err(log_error)?;
            let index = unsigned(row.try_get(1).map_err(log_error)?);
            let (hashes, rest) = row.try_get::<_, &[u8]>(2).map_err(log_error)?.as_chunks();
            let level = u8::try_from(level).ok().filter(|_| rest.is_empty()).ok_or_else(damaged)?;
            tiles.insert(TileId { level, index }, hashes.to_vec());
        }
        Ok(tiles)
    }

    async fn grow(&self, growth: Growth) -> Result<bool, LogError> {
        let levels: Vec<i16> = growth.tiles.iter().map(|(tile, _)| i16::from(tile.level)).collect();
        let indexes: Vec<i64> = growth.tiles.iter().map(|(tile, _)| signed(tile.index)).collect();
        let hashes: Vec<&[u8]> = growth.tiles.iter().map(|(_, hashes)| hashes.as_flattened()).collect();
        let mut client = self.readers.pool().get().await.map_err(pool_error)?;
        let grown = async {
            let transaction = client.transaction().await?;
            let sql = "UPDATE log_tree SET size = $2 WHERE size = $1";
            if transaction.execute(sql, &[&signed(growth.from), &signed(growth.to)]).await? == 0 {
                return Ok(false);
            }
            transaction.execute(WRITE, &[&levels, &indexes, &hashes]).await?;
            transaction.commit().await?;
            Ok(true)
        };
        grown.await.map_err(|error: tokio_postgres::Error| log_error(error))
    }

    async fn begin_again(&self) -> Result<(), LogError> {
        let mut client = self.readers.pool().get().await.map_err(pool_error)?;
        let begun = async {
            let transaction = client.transaction().await?;
            transaction.batch_execute("UPDATE log_tree SET size = 0; DELETE FROM log_tree_tiles").await?;
            transaction.commit().await
        };
        begun.await.map_err(log_error)
    }

    async fn checkpoints(
        &self,
        sizes: RangeInclusive<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredCheckpoint>, LogError> {
        let order = match direction {
            Direction::Forward => "",
            Direction::Backward => " DESC",
        };
        let sql = format!(
            "SELECT size, note FROM log_checkpoints WHERE size BETWEEN $1 AND $2 ORDER BY size{order} LIMIT $3"
        );
        let limit = signed(limit.min(CHECKPOINTS_READ_MAX) as u64);
        let rows = self.readers.query(&sql, &vec![&signed(*sizes.start()), &signed(*sizes.end()), &limit]).await?;
        let read =
            |row: &tokio_postgres::Row| Ok(StoredCheckpoint { size: unsigned(row.try_get(0)?), note: row.try_get(1)? });
        rows.iter().map(|row| read(row).map_err(log_error)).collect()
    }

    async fn keep(&self, checkpoint: StoredCheckpoint) -> Result<bool, LogError> {
        let rows = self.readers.query(KEEP, &vec![&signed(checkpoint.size), &checkpoint.note]).await?;
        Ok(!rows.is_empty())
    }

    async fn cosigned(&self, checkpoint: StoredCheckpoint) -> Result<(), LogError> {
        let sql = "UPDATE log_checkpoints SET note = $2 WHERE size = $1";
        self.readers.query(sql, &vec![&signed(checkpoint.size), &checkpoint.note]).await?;
        Ok(())
    }
}

fn damaged() -> LogError {
    let detail = "a tile is not whole".to_owned();
    LogError::Corrupt { position: Position::START, detail }
}
