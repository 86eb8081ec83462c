//! Rows in PostgreSQL: the connection that writes, which is the only one while it holds the schema's lock.
//!
//! The thread that writes waits for each answer; statements of one step are sent together, so that a batch costs a few
//! round trips whatever is in it. Everything is in the schema that the address's `search_path` begins with. Invariant:
//! whoever loses the connection has lost the lock, and begins again at the checkpoints.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Statement};

use super::value::{Cells, Kind, Row, Value};
use super::{Change, Database, Dialect, Load, Query, StorageError, WriteError};
use crate::error::ProjectionError;
use crate::read_model::Fold;
use crate::store::PostgresPlace;

/// Version of the layout of the schema; each projection's tables have a version of their own.
const LAYOUT_VERSION: i64 = 2;
/// Statements kept prepared by the connection that writes: those of a build each, many times over.
const STATEMENTS_MAX: usize = 256;
/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// After how long silence the other end is asked whether it is there, and how long it may leave that unanswered.
const SILENCE_TIME_MAX: Duration = Duration::from_secs(15);

/// What every connection is set to. Rows are found by keys and walked by indexes, as in SQLite; a table that was just made
/// has no statistics from which the planner could know it.
const SETTINGS: &str = "
    SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET enable_bitmapscan = off; SET lock_timeout = '2s';";

/// The one that writes: rows can be built again, so a lost last moment costs nothing; its statements have one plan each.
/// A machine that loses its power must not keep the lock: the server asks after it.
const WRITER_SETTINGS: &str = "
    SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan; SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2; SET tcp_user_timeout = '15s';
    SET idle_in_transaction_session_timeout = '60s';";

/// Those that read: which index is best depends on what is asked for.
const READER_SETTINGS: &str = "SET plan_cache_mode = force_custom_plan;";

/// The lock of whoever writes the schema.
const LOCK: &str = "SELECT current_schema()::text, pg_try_advisory_lock(hashtextextended('timeloom read models ' || current_schema(), 0))";

/// What the schema says of itself.
const LAYOUT: &str = "
    CREATE TABLE read_models (layout bigint NOT NULL);
    INSERT INTO read_models VALUES ";

/// The parameters as connections are made from them.
pub(super) fn config_of(place: &PostgresPlace) -> Config {
    let mut config = place.config.clone();
    config
        .application_name("timeloom read models")
        .connect_timeout(CONNECT_TIME_MAX)
        .keepalives_idle(SILENCE_TIME_MAX)
        .tcp_user_timeout(SILENCE_TIME_MAX);
    config
}

/// Prepares a new connection that reads.
pub(super) async fn prepare_reader(client: &Client) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&[SETTINGS, READER_SETTINGS].concat()).await
}

/// The connection that writes.
pub(crate) struct Postgres {
    client: Client,
    statements: HashMap<String, Statement>,
    runtime: Handle,
    in_transaction: bool,
    /// Carries what client and server say to each other; ends with this.
    _driver: JoinSet<()>,
}

impl Postgres {
    /// Connects to write; `None` when another process does. To be called outside the runtime's own threads.
    pub fn open(place: &PostgresPlace, runtime: &Handle, layout: &str) -> Result<Option<Self>, ProjectionError> {
        let (client, driver) = runtime.block_on(connect(place, runtime))?;
        let mut opened = Self {
            client,
            statements: HashMap::new(),
            runtime: runtime.clone(),
            in_transaction: false,
            _driver: driver,
        };
        opened.run(&[SETTINGS, WRITER_SETTINGS].concat())?;
        let lock = opened.runtime.block_on(opened.client.query_one(LOCK, &[])).map_err(StorageError::from)?;
        let (schema, locked): (Option<String>, Option<bool>) = (lock.get(0), lock.get(1));
        let Some(schema) = schema else {
            let detail =
                "the schema that the search_path of the address names is not there: create it first".to_owned();
            return Err(StorageError::Foreign(detail).into());
        };
        if locked != Some(true) {
            return Ok(None);
        }
        opened.prepare_layout(&schema, layout)?;
        Ok(Some(opened))
    }

    fn prepare_layout(&mut self, schema: &str, layout: &str) -> Result<(), StorageError> {
        match self.runtime.block_on(layout_of(&self.client))? {
            Some(LAYOUT_VERSION) => Ok(()),
            Some(version) if version > LAYOUT_VERSION => Err(newer(version)),
            None | Some(_) => {
                tracing::info!(schema, "read models are begun");
                let schema = Dialect::Postgres.schema(layout);
                // One request is one transaction: an object that is there already leaves everything as it was.
                self.run(&format!("{LAYOUT} ({LAYOUT_VERSION}); {schema}"))
            }
        }
    }

    fn prepare_all(&mut self, sqls: &[&str]) -> Result<(), (usize, StorageError)> {
        if self.statements.len() + sqls.len() > STATEMENTS_MAX {
            // Most are of builds that are gone.
            self.statements.clear();
        }
        for (number, sql) in sqls.iter().enumerate() {
            if !self.statements.contains_key(*sql) {
                let prepared =
                    self.runtime.block_on(self.client.prepare(sql)).map_err(|error| (number, error.into()))?;
                self.statements.insert((*sql).to_owned(), prepared);
            }
        }
        Ok(())
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, StorageError> {
        self.prepare_all(&[sql]).map_err(|(_, error)| error)?;
        self.statements.get(sql).cloned().ok_or(StorageError::Pool("a statement was lost".to_owned()))
    }
}

async fn connect(place: &PostgresPlace, runtime: &Handle) -> Result<(Client, JoinSet<()>), StorageError> {
    let (client, connection) = config_of(place).connect(place.tls.clone()).await?;
    let mut driver = JoinSet::new();
    let carried = async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "the connection that writes the read models has ended");
        }
    };
    driver.spawn_on(carried, runtime);
    Ok((client, driver))
}

/// The version of the layout in the schema, if there is one.
pub(super) async fn layout_of(client: &Client) -> Result<Option<i64>, StorageError> {
    let there = "SELECT to_regclass(quote_ident(current_schema()) || '.read_models') IS NOT NULL";
    if !client.query_one(there, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    Ok(Some(client.query_one("SELECT layout FROM read_models", &[]).await?.try_get(0)?))
}

fn newer(version: i64) -> StorageError {
    StorageError::Foreign(format!(
        "the read models' schema has layout {version}, this build knows {LAYOUT_VERSION}: run a newer Timeloom, \
         or name an empty schema in the address"
    ))
}

/// The values of one column of a change.
enum Column<'a> {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<&'a str>>),
    Blobs(Vec<Option<&'a [u8]>>),
}

impl<'a> Column<'a> {
    fn of(kind: Kind, values: impl Iterator<Item = &'a Value<'a>>) -> Self {
        match kind {
            Kind::Integer => Self::Integers(
                values.map(|value| if let Value::Integer(number) = value { Some(*number) } else { None }).collect(),
            ),
            Kind::Text => Self::Texts(
                values.map(|value| if let Value::Text(text) = value { Some(text.as_ref()) } else { None }).collect(),
            ),
            Kind::Blob => Self::Blobs(
                values.map(|value| if let Value::Blob(bytes) = value { Some(bytes.as_ref()) } else { None }).collect(),
            ),
        }
    }

    fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Integers(values) => values,
            Self::Texts(values) => values,
            Self::Blobs(values) => values,
        }
    }
}

/// Rows of values turned into columns.
fn columns<'a>(kinds: &[Kind], values: &'a [Value<'a>]) -> Vec<Column<'a>> {
    let columns = kinds.iter().enumerate();
    columns.map(|(place, kind)| Column::of(*kind, values.iter().skip(place).step_by(kinds.len()))).collect()
}

fn parameters<'a>(columns: &'a [Column<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    columns.iter().map(Column::parameter).collect()
}

pub(super) fn values_of<'a>(query: &'a Query) -> Vec<&'a (dyn ToSql + Sync)> {
    query.values.iter().map(|value| value as &'a (dyn ToSql + Sync)).collect()
}

impl Database for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn outlives_failures(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), StorageError> {
        if self.client.is_closed() {
            return Err(StorageError::Pool("the connection that writes has ended".to_owned()));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StorageError> {
        self.run("BEGIN")?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StorageError> {
        self.run("COMMIT")?;
        self.in_transaction = false;
        Ok(())
    }

    fn rollback(&mut self) {
        if std::mem::take(&mut self.in_transaction)
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction of the read models could not be taken back");
        }
    }

    fn scrub(&mut self) -> Result<(), StorageError> {
        // Dropped tables are gone from the disk at once; where else their rows may lie is for who runs the database.
        Ok(())
    }

    fn run(&mut self, sql: &str) -> Result<(), StorageError> {
        Ok(self.runtime.block_on(self.client.batch_execute(sql))?)
    }

    fn execute(&mut self, query: &Query) -> Result<u64, StorageError> {
        let statement = self.statement(&query.sql)?;
        Ok(self.runtime.block_on(self.client.execute(&statement, &values_of(query)))?)
    }

    fn query(
        &mut self,
        query: &Query,
        read: &mut dyn FnMut(&mut Cells<'_>) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let statement = self.statement(&query.sql)?;
        let rows = self.runtime.block_on(self.client.query(&statement, &values_of(query)))?;
        rows.iter().try_for_each(|row| read(&mut Cells::from(Row::Postgres(row), 0)))
    }

    fn load(&mut self, folds: &mut [(Load, &mut dyn Fold)]) -> Result<(), StorageError> {
        let sqls: Vec<String> = folds.iter().map(|(load, _)| load.sql.clone()).collect();
        self.prepare_all(&sqls.iter().map(String::as_str).collect::<Vec<_>>()).map_err(|(_, error)| error)?;
        let answers = {
            let keys = folds.iter().map(|(_, fold)| {
                let mut keys = Vec::new();
                (0..fold.keys()).for_each(|place| fold.key(place, &mut keys));
                keys
            });
            let keys: Vec<Vec<Value<'_>>> = keys.collect();
            let columns: Vec<Vec<Column<'_>>> =
                folds.iter().zip(&keys).map(|((load, _), keys)| columns(&load.kinds, keys)).collect();
            let parameters: Vec<_> = columns.iter().map(|columns| parameters(columns)).collect();
            let client = &self.client;
            let asked = sqls
                .iter()
                .zip(&parameters)
                .filter_map(|(sql, parameters)| Some(client.query(self.statements.get(sql)?, parameters)));
            self.runtime.block_on(try_join_all(asked))?
        };
        for ((_, fold), rows) in folds.iter_mut().zip(answers) {
            for row in &rows {
                let place: i64 = row.try_get(0)?;
                let place = usize::try_from(place - 1).map_err(super::damaged)?;
                fold.loaded(place, &mut Cells::from(Row::Postgres(row), 1))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, changes: &[Change<'_>]) -> Result<Vec<u64>, WriteError> {
        let sqls: Vec<&str> = changes.iter().map(|change| change.sql.as_str()).collect();
        self.prepare_all(&sqls).map_err(|(change, error)| WriteError { change, error })?;
        let columns: Vec<Vec<Column<'_>>> =
            changes.iter().map(|change| columns(&change.kinds, &change.values)).collect();
        let parameters: Vec<_> = columns.iter().map(|columns| parameters(columns)).collect();
        let client = &self.client;
        // Sent in this order without waiting: after one that fails the server answers that the transaction is void.
        let asked = sqls
            .iter()
            .zip(&parameters)
            .filter_map(|(sql, parameters)| Some(client.execute(self.statements.get(*sql)?, parameters)));
        let answers = self.runtime.block_on(join_all(asked));
        let numbered = answers.into_iter().enumerate();
        numbered.map(|(change, answer)| answer.map_err(|error| WriteError { change, error: error.into() })).collect()
    }

    fn close(mut self: Box<Self>) -> Result<(), StorageError> {
        // The server notices later that the connection has ended; whoever writes next need not wait for that. When the
        // connection is lost already, so is the lock.
        if let Err(error) = self.run("SELECT pg_advisory_unlock_all()") {
            tracing::debug!(%error, "the lock of the read models went with the connection");
        }
        Ok(())
    }
}
