//! What workers say to the database. Times are compared by its clock alone.

use timeloom_store::leases::{
    DEAD_AFTER, DEAD_LISTED_MAX, Epoch, Lease, Roles, Seen, Shard, WORKERS_MAX, Worker, WorkerId,
};
use timeloom_store::{LogError, Position};
use tokio_postgres::{Client, Error};

use crate::connect::SYNC;
use crate::error::log_error;
use crate::readers::Readers;
use crate::recorded::{signed, unsigned};

/// Longest time of one statement in the server, in milliseconds.
const STATEMENT_MS_MAX: u32 = 3_000;

const BEAT: &str = "INSERT INTO workers (id, roles, address) VALUES ($1, $2, $3) \
     ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp()";
const FORGET: &str = "DELETE FROM workers WHERE heartbeat_at < clock_timestamp() - $1 * interval '1 millisecond'";
const SEE_WORKERS: &str = "SELECT id FROM workers WHERE 'engine' = ANY(string_to_array(roles, ',')) \
     AND heartbeat_at > clock_timestamp() - $1 * interval '1 millisecond' ORDER BY id";
const SEE_LEASES: &str = "SELECT shard, worker, epoch FROM shard_leases ORDER BY shard";
/// The epoch is part of the condition: of two that see the same free shard one finds it changed. Whether an owner is dead
/// is looked at again, since it may have been heard of meanwhile.
const TAKE: &str = "UPDATE shard_leases AS lease SET worker = $1, epoch = lease.epoch + 1 \
     FROM unnest($2::smallint[], $3::bigint[]) AS seen (shard, epoch) \
     WHERE lease.shard = seen.shard AND lease.epoch = seen.epoch \
     AND (lease.worker IS NULL OR lease.worker = $1 OR NOT EXISTS (SELECT FROM workers \
         WHERE id = lease.worker AND heartbeat_at > clock_timestamp() - $4 * interval '1 millisecond')) \
     RETURNING lease.shard, lease.epoch";
const GIVE_BACK: &str = "UPDATE shard_leases AS lease SET worker = NULL \
     FROM unnest($2::smallint[], $3::bigint[]) AS seen (shard, epoch) \
     WHERE lease.shard = seen.shard AND lease.epoch = seen.epoch AND lease.worker = $1";
const LIST: &str = "SELECT id, roles, address, started_at, heartbeat_at, \
     heartbeat_at > clock_timestamp() - $1 * interval '1 millisecond', \
     ARRAY(SELECT shard FROM shard_leases WHERE worker = id ORDER BY shard) \
     FROM workers ORDER BY started_at, id LIMIT $2";

/// What a session of a worker is set to.
pub(super) fn settings() -> String {
    format!("{SYNC}; SET statement_timeout = {STATEMENT_MS_MAX}; SET row_security = off")
}

fn milliseconds(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Says that a worker is there, and removes those that have not been for long.
pub(super) async fn beat(client: &Client, id: WorkerId, roles: &Roles, address: &str) -> Result<(), Error> {
    client.execute(BEAT, &[&id.0, &roles.to_string(), &address]).await?;
    client.execute(FORGET, &[&milliseconds(DEAD_LISTED_MAX)]).await?;
    Ok(())
}

/// Takes a share of the lock that a build before leases has for itself while it drives executions, and keeps until its end.
/// False while such a process is there.
pub(super) async fn shut_out_old_builds(client: &Client, name: &str) -> Result<bool, Error> {
    let sql = "SELECT pg_try_advisory_lock_shared(hashtextextended($1, 0))";
    client.query_one(sql, &[&name]).await?.try_get(0)
}

/// How things are.
pub(super) async fn see(client: &Client) -> Result<Seen, Error> {
    let dead_after = milliseconds(DEAD_AFTER);
    let workers = client.query(SEE_WORKERS, &[&dead_after]).await?;
    let live = workers.iter().map(|row| Ok(WorkerId(row.try_get(0)?))).collect::<Result<_, Error>>()?;
    let mut leases = Vec::new();
    for row in client.query(SEE_LEASES, &[]).await? {
        // A shard that this build does not know is not its to have.
        if let Some(shard) = shard(row.try_get(0)?) {
            let owner: Option<uuid::Uuid> = row.try_get(1)?;
            leases.push((shard, owner.map(WorkerId), Epoch(unsigned(row.try_get(2)?))));
        }
    }
    Ok(Seen { live, leases })
}

fn shard(number: i16) -> Option<Shard> {
    Shard::try_new(u16::try_from(number).ok()?)
}

fn arrays(shards: &[(Shard, Epoch)]) -> (Vec<i16>, Vec<i64>) {
    // There are fewer shards than a small integer counts.
    let pair = |(shard, epoch): &(Shard, Epoch)| (i16::try_from(shard.number()).unwrap_or(i16::MAX), signed(epoch.0));
    shards.iter().map(pair).unzip()
}

/// Takes shards, if nobody was faster.
pub(super) async fn take(
    client: &Client,
    id: WorkerId,
    shards: &[(Shard, Epoch)],
) -> Result<Vec<(Shard, Lease)>, Error> {
    let (numbers, epochs) = arrays(shards);
    let taken = client.query(TAKE, &[&id.0, &numbers, &epochs, &milliseconds(DEAD_AFTER)]).await?;
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    // After the shards are taken: whatever their last owner appended lies at or before it, or is refused.
    let since = Position(unsigned(client.query_one("SELECT position FROM log_head", &[]).await?.try_get(0)?));
    let mut leases = Vec::with_capacity(taken.len());
    for row in &taken {
        if let Some(shard) = shard(row.try_get(0)?) {
            let epoch = Epoch(unsigned(row.try_get(1)?));
            leases.push((shard, Lease { epoch, since, is_leaving: false }));
        }
    }
    Ok(leases)
}

/// Gives shards back that a worker has.
pub(super) async fn give_back(client: &Client, id: WorkerId, shards: &[(Shard, Epoch)]) -> Result<(), Error> {
    let (numbers, epochs) = arrays(shards);
    client.execute(GIVE_BACK, &[&id.0, &numbers, &epochs]).await?;
    Ok(())
}

/// Gives everything back and is no worker any more.
pub(super) async fn leave(client: &Client, id: WorkerId) -> Result<(), Error> {
    client.execute("UPDATE shard_leases SET worker = NULL WHERE worker = $1", &[&id.0]).await?;
    client.execute("DELETE FROM workers WHERE id = $1", &[&id.0]).await?;
    Ok(())
}

/// All workers.
pub(super) async fn workers(readers: &Readers) -> Result<Vec<Worker>, LogError> {
    let limit = signed(WORKERS_MAX as u64);
    let rows = readers.query(LIST, &vec![&milliseconds(DEAD_AFTER), &limit]).await?;
    rows.iter().map(worker).collect::<Result<_, _>>().map_err(log_error)
}

fn worker(row: &tokio_postgres::Row) -> Result<Worker, Error> {
    let (roles, numbers): (String, Vec<i16>) = (row.try_get(1)?, row.try_get(6)?);
    Ok(Worker {
        id: WorkerId(row.try_get(0)?),
        // A newer build may have roles that this one does not know.
        roles: roles.split(',').filter_map(|word| word.parse().ok()).collect(),
        address: row.try_get(2)?,
        started_at: row.try_get(3)?,
        heartbeat_at: row.try_get(4)?,
        is_live: row.try_get(5)?,
        shards: numbers.into_iter().filter_map(shard).collect(),
    })
}
