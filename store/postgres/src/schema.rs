//! The log's tables in a schema of the database: made when there are none, checked when there are. Never changes a stored
//! event.

use std::time::Duration;

use timeloom_store::Position;
use tokio_postgres::{Client, GenericClient, Transaction};
use uuid::Uuid;

use crate::connect::{Address, PLAN, SYNC};
use crate::error::{OpenError, PostgresError};

/// The newest schema that this build knows.
pub(crate) const SCHEMA_VERSION: u32 = 6;
/// The first version that has what an archive needs.
pub(crate) const ARCHIVE_VERSION: u32 = 6;
/// The oldest build that may use the newest schema: what was added since does not disturb it.
const USABLE_FROM: u32 = 1;
/// How the tables of an older version become those of the next one, while processes of the older version go on. Each is
/// one statement outside any transaction, may be broken off at any moment, and is then made again.
const MIGRATIONS: [(u32, &[&str]); 5] = [
    (
        2,
        &[
            // What a build that was broken off leaves behind is not used, and is in the way.
            "DROP INDEX CONCURRENTLY IF EXISTS events_type",
            "CREATE INDEX CONCURRENTLY events_type ON events (event_type, position)",
        ],
    ),
    (3, &[include_str!("leases.sql"), "ALTER TABLE marks ADD COLUMN IF NOT EXISTS note text"]),
    (4, &[include_str!("tree.sql")]),
    (5, &[include_str!("subject_keys.sql")]),
    (ARCHIVE_VERSION, &[include_str!("archive.sql"), include_str!("external.sql")]),
];
/// The oldest server that has what the tables use, as PostgreSQL counts versions.
const SERVER_VERSION_MIN: i32 = 140_000;
/// Largest payload of an event that a foreign program appends, in bytes: it is not put into a blob, so that reading many
/// must not take too much memory.
const EXTERNAL_PAYLOAD_BYTES_MAX: usize = 256 << 10;
/// Longest metadata of an event that a foreign program appends, in bytes.
const EXTERNAL_METADATA_BYTES_MAX: usize = 64 << 10;
/// Longest id, type and version of an event that a foreign program appends, in bytes.
const EXTERNAL_NAME_BYTES_MAX: usize = 255;
/// How long a foreign program may sit on an open append.
const EXTERNAL_IDLE_MAX: Duration = Duration::from_secs(5);
/// Longest time that the lock of the head, or of the making of tables, is waited for, in milliseconds.
const LOCK_WAIT_MS_MAX: u32 = 15_000;
/// Longest time that an append may lie open in the server without a word, in milliseconds.
const SILENCE_MS_MAX: u32 = 10_000;
/// Held while tables are made: two processes that begin at once make them once.
const MAKING_LOCK: i64 = 0x5469_6d65_6c6f_6f6d;

/// Held while tables are migrated.
const MIGRATING_LOCK: i64 = MAKING_LOCK + 1;
/// Pause before a process that waits for a migration looks again.
const MIGRATING_PAUSE: Duration = Duration::from_millis(100);

/// The tables of the log. Any other table of these names is somebody else's.
const TABLES: [&str; 20] = [
    "log_meta",
    "log_head",
    "events",
    "blobs",
    "marks",
    "snapshot_cache",
    "external_categories",
    "workers",
    "shard_leases",
    "log_tree",
    "log_tree_tiles",
    "log_checkpoints",
    "subject_keys",
    "subject_key_finder",
    "destroyed_subject_keys",
    "log_segments",
    "log_archive",
    "archived_kinds",
    "archived_events",
    "archived_appends",
];
/// What `log_meta` says of itself.
const APPLICATION: &str = "timeloom event log";

/// What the tables say of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The version of the tables.
    pub(crate) version: u32,
    pub(crate) log_id: Uuid,
    /// The schema that the tables are in.
    pub(crate) schema: String,
    /// Whether a copy into the log has not come to its end.
    pub(crate) unfinished: bool,
    /// Up to where a copy into the log was compared with its source.
    pub(crate) verified: Position,
}

/// What `log_meta` has while a copy into the log has not come to its end.
pub(crate) const UNFINISHED_COPY: &str = "copying";
/// What `log_meta` has after a copy was compared with its source: up to where.
pub(crate) const COPY_VERIFIED: &str = "copy_verified";

impl Meta {
    /// The name on which new positions are announced.
    pub(crate) fn channel(&self) -> String {
        channel(self.log_id)
    }
}

fn channel(log_id: Uuid) -> String {
    format!("timeloom_{}", log_id.simple())
}

/// Makes the tables if there are none, checks their version, and says which log it is. A new log has the id `new_id`, and is
/// marked as an unfinished copy when `copy` says so.
pub(crate) async fn prepare(
    client: &mut Client,
    address: &Address,
    new_id: Uuid,
    copy: bool,
) -> Result<Meta, OpenError> {
    let failed = |error: tokio_postgres::Error| database_error(address, error);
    let schema = check_server(client, address).await?;
    let transaction = client.transaction().await.map_err(failed)?;
    transaction.batch_execute(&format!("SET LOCAL lock_timeout = {LOCK_WAIT_MS_MAX}")).await.map_err(failed)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING_LOCK]).await.map_err(failed)?;
    let meta = match read(&transaction, address, &schema).await? {
        Some(meta) => meta,
        None => {
            create(&transaction, &schema, new_id, copy).await.map_err(failed)?;
            Meta { version: SCHEMA_VERSION, log_id: new_id, schema, unfinished: copy, verified: Position::START }
        }
    };
    transaction.commit().await.map_err(failed)?;
    if meta.version < SCHEMA_VERSION {
        migrate(client, &meta).await.map_err(failed)?;
    }
    Ok(Meta { version: meta.version.max(SCHEMA_VERSION), ..meta })
}

/// Brings the tables to the newest version, one process at a time; others that begin meanwhile wait here.
async fn migrate(client: &Client, meta: &Meta) -> Result<(), tokio_postgres::Error> {
    // Asked for again and again: whoever waits for it in the database has a transaction, and an index that is built
    // concurrently waits for those.
    while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&MIGRATING_LOCK]).await?.try_get::<_, bool>(0)? {
        tokio::time::sleep(MIGRATING_PAUSE).await;
    }
    let migrated = async {
        for (version, statements) in MIGRATIONS {
            let found = read_meta(client, "schema_version").await?;
            if found.and_then(|found| found.parse::<u32>().ok()).is_some_and(|found| found >= version) {
                continue;
            }
            tracing::info!(version, "the log's tables are brought to the next version; appends go on meanwhile");
            for statement in statements {
                client.batch_execute(&fill_in(statement, &meta.schema, meta.log_id)).await?;
            }
            let sql = "INSERT INTO log_meta (name, value) VALUES ('schema_version', $1) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            client.execute(sql, &[&version.to_string()]).await?;
            // It is raised by the first segment alone.
            let sql = "INSERT INTO log_meta (name, value) VALUES ('usable_from', $1) ON CONFLICT (name) DO NOTHING";
            client.execute(sql, &[&USABLE_FROM.to_string()]).await?;
        }
        Ok(())
    };
    let migrated = migrated.await;
    // The lock ends with the session at the latest.
    client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATING_LOCK]).await?;
    migrated
}

/// Which log there is, if there is one. Changes nothing.
pub(crate) async fn find(client: &mut Client, address: &Address) -> Result<Option<Meta>, OpenError> {
    let schema = check_server(client, address).await?;
    let failed = |error: tokio_postgres::Error| database_error(address, error);
    let transaction = client.build_transaction().read_only(true).start().await.map_err(failed)?;
    read(&transaction, address, &schema).await
}

fn database_error(address: &Address, error: tokio_postgres::Error) -> OpenError {
    OpenError::Database { address: address.to_string(), error: error.into() }
}

async fn read(transaction: &Transaction<'_>, address: &Address, schema: &str) -> Result<Option<Meta>, OpenError> {
    let failed = |error: tokio_postgres::Error| database_error(address, error);
    let found = transaction
        .query(
            "SELECT relname::text FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relname = ANY($2)",
            &[&schema, &TABLES.as_slice()],
        )
        .await
        .map_err(failed)?;
    let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    let not_a_log = |table: &str| OpenError::NotALog {
        address: address.to_string(),
        schema: schema.to_owned(),
        table: table.to_owned(),
    };
    let Some(first) = found.first() else { return Ok(None) };
    if !found.iter().any(|table| table == "log_meta") {
        return Err(not_a_log(first));
    }
    let value = async |name: &str| read_meta(transaction, name).await;
    // A table of that name without these columns is not ours either.
    let application = value("application").await.map_err(|_| not_a_log("log_meta"))?;
    if application.as_deref() != Some(APPLICATION) {
        return Err(not_a_log("log_meta"));
    }
    let version = value("schema_version").await.map_err(failed)?;
    let version = version.and_then(|version| version.parse().ok()).ok_or_else(|| not_a_log("log_meta"))?;
    let usable_from = value("usable_from").await.map_err(failed)?.and_then(|version| version.parse().ok());
    if usable_from.unwrap_or(version) > SCHEMA_VERSION {
        return Err(OpenError::NewerSchema { address: address.to_string(), found: version, known: SCHEMA_VERSION });
    }
    let log_id = value("log_id").await.map_err(failed)?;
    let log_id = log_id.and_then(|id| id.parse().ok()).ok_or_else(|| not_a_log("log_meta"))?;
    let unfinished = value(UNFINISHED_COPY).await.map_err(failed)?.is_some();
    let verified = value(COPY_VERIFIED).await.map_err(failed)?.and_then(|position| position.parse().ok());
    let verified = Position(verified.unwrap_or_default());
    Ok(Some(Meta { version, log_id, schema: schema.to_owned(), unfinished, verified }))
}

/// Whether the server can hold a log; gives the schema to use.
async fn check_server(client: &Client, address: &Address) -> Result<String, OpenError> {
    let unfit = |reason: String| OpenError::Unfit { address: address.to_string(), reason };
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), \
             current_setting('server_encoding'), quote_ident(current_schema()), current_setting('fsync')::boolean, \
             current_setting('full_page_writes')::boolean, pg_is_in_recovery()",
            &[],
        )
        .await
        .map_err(|error| OpenError::Database { address: address.to_string(), error: error.into() })?;
    let (version, encoding): (i32, String) = (row.get(0), row.get(2));
    if version < SERVER_VERSION_MIN {
        let shown: String = row.get(1);
        return Err(unfit(format!("PostgreSQL 14 or newer is needed, this is {shown}")));
    }
    if encoding != "UTF8" {
        return Err(unfit(format!("its encoding is {encoding}: make the database with ENCODING 'UTF8'")));
    }
    if row.get(6) {
        return Err(unfit("it is a standby, which cannot be written: give the address of the primary".to_owned()));
    }
    let (syncs, whole_pages): (bool, bool) = (row.get(4), row.get(5));
    if !(syncs && whole_pages) {
        tracing::warn!(
            %address,
            "this server has fsync or full_page_writes off: when its machine loses power, acknowledged events may be lost"
        );
    }
    row.get::<_, Option<String>>(3)
        .ok_or_else(|| unfit("no schema of its search_path exists: make it, or name another".to_owned()))
}

pub(crate) async fn read_meta(
    client: &impl GenericClient,
    name: &str,
) -> Result<Option<String>, tokio_postgres::Error> {
    let row = client.query_opt("SELECT value FROM log_meta WHERE name = $1", &[&name]).await?;
    Ok(row.map(|row| row.get(0)))
}

async fn create(
    transaction: &Transaction<'_>,
    schema: &str,
    log_id: Uuid,
    copy: bool,
) -> Result<(), tokio_postgres::Error> {
    let tables = include_str!("schema.sql").replace("{external}", include_str!("external.sql"));
    for statements in [
        tables.as_str(),
        include_str!("leases.sql"),
        include_str!("tree.sql"),
        include_str!("subject_keys.sql"),
        include_str!("archive.sql"),
    ] {
        transaction.batch_execute(&fill_in(statements, schema, log_id)).await?;
    }
    let insert = transaction.prepare("INSERT INTO log_meta (name, value) VALUES ($1, $2)").await?;
    let (version, usable_from, log_id) = (SCHEMA_VERSION.to_string(), USABLE_FROM.to_string(), log_id.to_string());
    let mut entries = vec![
        ("application", APPLICATION),
        ("schema_version", &version),
        ("usable_from", &usable_from),
        ("log_id", &log_id),
    ];
    if copy {
        entries.push((UNFINISHED_COPY, "true"));
    }
    for (name, value) in entries {
        transaction.execute(&insert, &[&name, &value]).await?;
    }
    Ok(())
}

/// Puts the words of this log into statements.
fn fill_in(statements: &str, schema: &str, log_id: Uuid) -> String {
    let events = format!("{schema}.events").replace('\'', "''");
    statements
        .replace("{schema}", schema)
        .replace("{events}", &format!("'{events}'"))
        .replace("{channel}", &channel(log_id))
        .replace("{payload_bytes_max}", &EXTERNAL_PAYLOAD_BYTES_MAX.to_string())
        .replace("{metadata_bytes_max}", &EXTERNAL_METADATA_BYTES_MAX.to_string())
        .replace("{name_bytes_max}", &EXTERNAL_NAME_BYTES_MAX.to_string())
        .replace("{external_idle_ms_max}", &EXTERNAL_IDLE_MAX.as_millis().to_string())
}

/// Says that this program knows of the archive, to [`ensure_known`]'s trigger.
pub(crate) const KNOWS_ARCHIVE: &str = "SET timeloom.archive = 'known'";

/// From now on programs that know of no archive can neither open the log nor append to it.
pub(crate) async fn ensure_known(client: &mut Client) -> Result<(), tokio_postgres::Error> {
    let there =
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgname = 'events_know_archive')";
    if client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    let sql = format!(
        "SET LOCAL lock_timeout = {LOCK_WAIT_MS_MAX};
         INSERT INTO log_meta (name, value) VALUES ('usable_from', '{ARCHIVE_VERSION}')
             ON CONFLICT (name) DO UPDATE SET value = excluded.value;
         CREATE OR REPLACE TRIGGER events_know_archive BEFORE INSERT ON events FOR EACH ROW
             WHEN (NEW.position IS NOT NULL AND current_setting('timeloom.archive', true) IS DISTINCT FROM 'known')
             EXECUTE FUNCTION log_archive_is_unknown()"
    );
    transaction.batch_execute(&sql).await?;
    transaction.commit().await
}

/// What a session is set to that holds the lock of the head: it does not wait for ever, and the server gives its lock up when
/// nothing is heard of it, as of a machine that lost its power.
pub(crate) fn appending() -> String {
    format!(
        "{SYNC}; {PLAN}; {KNOWS_ARCHIVE}; SET lock_timeout = {LOCK_WAIT_MS_MAX}; \
         SET idle_in_transaction_session_timeout = {SILENCE_MS_MAX}"
    )
}

/// Readies a connection that appends: it syncs, does not wait for ever, and hears of new positions.
pub(crate) async fn prepare_writer(client: &Client, meta: &Meta) -> Result<(), tokio_postgres::Error> {
    const LOCK_WAIT_MS_MAX: u32 = 15_000;
    let channel = meta.channel();
    let settings = format!("{SYNC}; {PLAN}; {KNOWS_ARCHIVE}; SET lock_timeout = {LOCK_WAIT_MS_MAX}; LISTEN {channel}");
    client.batch_execute(&settings).await
}

/// The milliseconds that the server takes at most to write what it was not waited for.
pub(crate) async fn loss_ms_max(client: &Client) -> Result<u32, PostgresError> {
    // The server's documentation says: at most three times this delay.
    const DELAYS: i64 = 3;
    let sql = "SELECT setting::bigint FROM pg_settings WHERE name = 'wal_writer_delay'";
    let delay_ms: i64 = client.query_one(sql, &[]).await?.try_get(0)?;
    Ok(u32::try_from(DELAYS * delay_ms).unwrap_or(u32::MAX))
}
