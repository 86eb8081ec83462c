//! The connection of a writer, with the statements that it prepared.

use timeloom_store::{LogError, Position};
use tokio::sync::watch;
use tokio_postgres::{Client, Statement};

use crate::columns::INSERT_EVENTS;
use crate::connect::Listening;
use crate::recorded::COLUMNS;
use crate::schema::{self, Meta};

/// A connection that appends and hears of new positions.
pub(super) struct Connection {
    pub(super) client: Client,
    announced: watch::Receiver<u64>,
    statements: Option<Statements>,
}

/// Statements of one connection.
pub(super) struct Statements {
    pub(super) lock_head: Statement,
    pub(super) find_dropped: Statement,
    pub(super) find_revisions: Statement,
    pub(super) find_commands: Statement,
    pub(super) find_event_ids: Statement,
    pub(super) find_archived_ids: Statement,
    pub(super) insert_events: Statement,
    pub(super) move_head: Statement,
    pub(super) read_run: Statement,
}

impl Connection {
    pub(super) fn new(listening: Listening) -> Self {
        Self { client: listening.client, announced: listening.announced, statements: None }
    }

    /// Readies the session and prepares the statements, once.
    pub(super) async fn prepare(&mut self, meta: &Meta) -> Result<(), tokio_postgres::Error> {
        if self.statements.is_some() {
            return Ok(());
        }
        schema::prepare_writer(&self.client, meta).await?;
        let client = &self.client;
        let prepare = |sql: String| async move { client.prepare(&sql).await };
        let (
            lock_head,
            find_dropped,
            find_revisions,
            find_commands,
            find_event_ids,
            find_archived_ids,
            insert_events,
            move_head,
            read_run,
        ) = tokio::try_join!(
            prepare("SELECT position, recorded_at_us FROM log_head FOR UPDATE".to_owned()),
            prepare("SELECT dropped FROM log_archive".to_owned()),
            prepare(FIND_REVISIONS.to_owned()),
            prepare(FIND_COMMANDS.to_owned()),
            prepare(FIND_EVENT_IDS.to_owned()),
            prepare("SELECT FROM archived_events WHERE event_id = ANY($1) LIMIT 1".to_owned()),
            prepare(INSERT_EVENTS.to_owned()),
            // The announcement becomes audible with the commit.
            prepare(format!(
                "UPDATE log_head SET position = $1, recorded_at_us = $2 RETURNING pg_notify('{}', position::text)",
                meta.channel()
            )),
            prepare(format!("SELECT {COLUMNS} FROM events WHERE position BETWEEN $1 AND $2 ORDER BY position")),
        )?;
        self.statements = Some(Statements {
            lock_head,
            find_dropped,
            find_revisions,
            find_commands,
            find_event_ids,
            find_archived_ids,
            insert_events,
            move_head,
            read_run,
        });
        Ok(())
    }

    pub(super) fn statements(&self) -> Result<&Statements, LogError> {
        self.statements.as_ref().ok_or(LogError::Closed)
    }

    /// Returns when a position after `head` was announced, or nothing can be announced any more.
    pub(super) async fn announced(&mut self, head: Position) {
        while self.announced.changed().await.is_ok() {
            if *self.announced.borrow_and_update() > head.0 {
                break;
            }
        }
    }
}

const FIND_EVENT_IDS: &str = "
    SELECT event_id FROM events WHERE event_id = ANY($1)
    UNION ALL SELECT event_id FROM archived_events WHERE event_id = ANY($1)";

/// The newest revision of each stream that has any: number of the stream in the arrays, revision.
const FIND_REVISIONS: &str = "
    SELECT key.number, newest.sequence
    FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS key (aggregate_type, aggregate_id, tenant_id, number)
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT sequence FROM events AS event
                WHERE event.aggregate_type = key.aggregate_type AND event.aggregate_id = key.aggregate_id
                    AND event.tenant_id = key.tenant_id
                ORDER BY sequence DESC LIMIT 1),
            (SELECT sequence FROM archived_appends AS append
                WHERE append.aggregate_type = key.aggregate_type AND append.aggregate_id = key.aggregate_id
                    AND append.tenant_id = key.tenant_id
                ORDER BY sequence DESC LIMIT 1)) AS sequence
    ) AS newest
    WHERE newest.sequence IS NOT NULL";

/// The appends of some commands, by their last events.
const FIND_COMMANDS: &str = "
    SELECT command_id, aggregate_type, aggregate_id, tenant_id, position, append_events
    FROM events WHERE command_id = ANY($1) AND append_events IS NOT NULL
    UNION ALL SELECT command_id, aggregate_type, aggregate_id, tenant_id, position, append_events
    FROM archived_appends WHERE command_id = ANY($1)";
