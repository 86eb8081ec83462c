//! Workflows: what each is called, how large it is, what is published. The definition itself is read from the log.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use timeloom_domain::definition::{Settings, WorkflowDefinition};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{TenantId, WorkflowId};
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_store::{Position, RecordedEvent};

use crate::error::FoldError;
use crate::listing::{Rows, Table, from_json, to_json, uuid};
use crate::page::{AsOf, Page, PageOf};
use crate::payload::{check_type, read_payload, stream_uuid};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowRow {
    /// Its id.
    pub id: WorkflowId,
    /// Name of the draft.
    pub name: String,
    /// Nodes of the draft.
    pub node_count: u64,
    /// Settings of the draft.
    pub settings: SettingsSummary,
    /// The newest published version.
    pub published_version: Option<u32>,
    /// Whether it was put away.
    pub archived: bool,
    /// Which events made it.
    pub provenance: Provenance,
}

/// The settings that decide how a workflow runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SettingsSummary {
    /// `v1`: depth first; absent or `v0`: breadth first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_order: Option<String>,
    /// IANA time zone; the deployment's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Seconds after which an execution is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<f64>,
    /// Workflow to start when an execution fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_workflow: Option<String>,
}

impl From<&Settings> for SettingsSummary {
    fn from(settings: &Settings) -> Self {
        Self {
            execution_order: settings.execution_order.clone(),
            timezone: settings.timezone.clone(),
            execution_timeout: settings.execution_timeout,
            error_workflow: settings.error_workflow.clone(),
        }
    }
}

/// Which workflows to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// Only those put away, or only those not; `None` = both.
    pub archived: Option<bool>,
}

/// The read model.
pub(crate) struct Workflows;

/// What an event says about a workflow.
pub(crate) enum WorkflowFact {
    Defined { id: WorkflowId, definition: Arc<WorkflowDefinition> },
    Published(u32),
    SettingsChanged(SettingsSummary),
    PinsChanged,
    Archived,
}

const TABLE: Table = Table {
    name: "workflows",
    key: "id",
    columns: &[
        "id",
        "name",
        "node_count",
        "settings",
        "published_version",
        "archived",
        "created_position",
        "created_at",
        "from_position",
        "updated_at",
        "revision",
    ],
};

impl ReadModel for Workflows {
    const NAME: &'static str = "workflows";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = WorkflowEvent::CATEGORY;
    const TABLES: &'static [&'static str] = &["workflows"];
    const SCHEMA: &'static str = "
        CREATE TABLE workflows (
            tenant            INTEGER NOT NULL,
            id                BLOB    NOT NULL,
            from_position     INTEGER NOT NULL,
            to_position       INTEGER,
            name              TEXT    NOT NULL,
            node_count        INTEGER NOT NULL,
            settings          TEXT    NOT NULL,
            published_version INTEGER,
            archived          INTEGER NOT NULL,
            created_position  INTEGER NOT NULL,
            created_at        INTEGER NOT NULL,
            updated_at        INTEGER NOT NULL,
            revision          INTEGER NOT NULL,
            PRIMARY KEY (tenant, id, from_position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX workflows_created ON workflows (tenant, created_position) WHERE to_position IS NULL;";
    type Key = (TenantId, WorkflowId);
    type Row = WorkflowRow;
    type Fact = WorkflowFact;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, WorkflowFact)>, FoldError> {
        let key = (event.stream.tenant, WorkflowId(stream_uuid(event)?));
        check_type::<WorkflowEvent>(event)?;
        // Pinned items are data: they may be large and no row shows them.
        if &*event.event_type == "WorkflowPinsChanged" {
            return Ok(Some((key, WorkflowFact::PinsChanged)));
        }
        let fact = match read_payload::<WorkflowEvent, WorkflowEvent>(event)? {
            WorkflowEvent::WorkflowCreated { definition } | WorkflowEvent::WorkflowUpdated { definition } => {
                WorkflowFact::Defined { id: key.1, definition }
            }
            WorkflowEvent::WorkflowVersionPublished { version } => WorkflowFact::Published(version),
            WorkflowEvent::WorkflowSettingsChanged { settings } => WorkflowFact::SettingsChanged((&settings).into()),
            WorkflowEvent::WorkflowPinsChanged { .. } => WorkflowFact::PinsChanged,
            WorkflowEvent::WorkflowArchived {} => WorkflowFact::Archived,
        };
        Ok(Some((key, fact)))
    }

    fn fold(current: Option<&WorkflowRow>, fact: WorkflowFact, event: &RecordedEvent) -> Folded<WorkflowRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => WorkflowRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, WorkflowFact::Defined { id, .. }) => WorkflowRow {
                id: *id,
                name: String::new(),
                node_count: 0,
                settings: SettingsSummary::default(),
                published_version: None,
                archived: false,
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        match fact {
            WorkflowFact::Defined { definition, .. } => {
                row.name.clone_from(&definition.name);
                row.node_count = definition.nodes.len() as u64;
                row.settings = (&definition.settings).into();
            }
            WorkflowFact::Published(version) => row.published_version = Some(version),
            WorkflowFact::SettingsChanged(settings) => row.settings = settings,
            WorkflowFact::PinsChanged => {}
            WorkflowFact::Archived => row.archived = true,
        }
        Folded::Version(row)
    }

    fn from(row: &WorkflowRow) -> Position {
        row.provenance.updated_position
    }

    fn load(connection: &Connection, (tenant, id): &Self::Key) -> rusqlite::Result<Option<WorkflowRow>> {
        one(connection, *tenant, *id, None)
    }

    fn insert(
        connection: &Connection,
        (tenant, id): &Self::Key,
        row: &WorkflowRow,
        to: Option<Position>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO workflows (tenant, id, from_position, to_position, name, node_count, settings, \
                   published_version, archived, created_position, created_at, updated_at, revision) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        connection.prepare_cached(sql)?.execute(rusqlite::params![
            tenant.0,
            id.0.as_bytes(),
            row.provenance.updated_position.0,
            to.map(|to| to.0),
            row.name,
            row.node_count,
            to_json(&row.settings)?,
            row.published_version,
            row.archived,
            row.provenance.created_position.0,
            row.provenance.created_at.timestamp_micros(),
            row.provenance.updated_at.timestamp_micros(),
            row.provenance.revision.0,
        ])?;
        Ok(())
    }

    fn close(connection: &Connection, (tenant, id): &Self::Key, from: Position, to: Position) -> rusqlite::Result<()> {
        let sql = "UPDATE workflows SET to_position = ?4 WHERE tenant = ?1 AND id = ?2 AND from_position = ?3";
        connection.prepare_cached(sql)?.execute((tenant.0, id.0.as_bytes(), from.0, to.0))?;
        Ok(())
    }
}

/// One workflow as it was at `as_of`.
pub(crate) fn one(
    connection: &Connection,
    tenant: TenantId,
    id: WorkflowId,
    as_of: AsOf,
) -> rusqlite::Result<Option<WorkflowRow>> {
    TABLE.one(connection, (tenant, id.0.as_bytes()), as_of, read_row)
}

/// Workflows as they were at `as_of`, newest first.
pub(crate) fn page(
    connection: &Connection,
    tenant: TenantId,
    as_of: AsOf,
    page: &Page,
    filter: WorkflowFilter,
) -> rusqlite::Result<PageOf<WorkflowRow>> {
    let archived = filter.archived.map(|archived| ("version.archived = ?", Value::Integer(archived.into())));
    let rows = Rows {
        tenant,
        as_of,
        newest: page.newest(as_of),
        limit: page.rows() + 1,
        index: "workflows_created",
        conditions: archived.into_iter().collect(),
    };
    let rows = TABLE.page(connection, rows, read_row)?;
    Ok(PageOf::cut(rows, page, |row| row.provenance.created_position))
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<WorkflowRow> {
    Ok(WorkflowRow {
        id: WorkflowId(uuid(row, 0)?),
        name: row.get(1)?,
        node_count: row.get(2)?,
        settings: from_json(row, 3)?,
        published_version: row.get(4)?,
        archived: row.get(5)?,
        provenance: Provenance::from_columns(row, 6)?,
    })
}
