//! Models: their versions and which one answers requests.

use rusqlite::{Connection, Row};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::model::{ModelEvent, ModelVersion};
use timeloom_store::{Position, RecordedEvent};

use crate::error::FoldError;
use crate::listing::{Rows, Table, damaged, from_json, to_json};
use crate::page::{AsOf, Page, PageOf};
use crate::payload::{read_payload, shorten};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// Its name.
    pub name: Slug,
    /// What it computes.
    pub description: String,
    /// Versions, oldest first.
    pub versions: Vec<ModelVersion>,
    /// The version that answers.
    pub promoted_version: Option<u32>,
    /// Whether it answers no requests.
    pub disabled: bool,
    /// Why it was disabled, while it is.
    pub disabled_reason: Option<String>,
    /// Whether it was put away.
    pub retired: bool,
    /// Which events made it.
    pub provenance: Provenance,
}

/// The read model.
pub(crate) struct Models;

const TABLE: Table = Table {
    name: "models",
    key: "name",
    columns: &[
        "name",
        "description",
        "versions",
        "promoted_version",
        "disabled",
        "disabled_reason",
        "retired",
        "created_position",
        "created_at",
        "from_position",
        "updated_at",
        "revision",
    ],
};

impl ReadModel for Models {
    const NAME: &'static str = "models";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = ModelEvent::CATEGORY;
    const TABLES: &'static [&'static str] = &["models"];
    const SCHEMA: &'static str = "
        CREATE TABLE models (
            tenant           INTEGER NOT NULL,
            name             TEXT    NOT NULL,
            from_position    INTEGER NOT NULL,
            to_position      INTEGER,
            description      TEXT    NOT NULL,
            versions         TEXT    NOT NULL,
            promoted_version INTEGER,
            disabled         INTEGER NOT NULL,
            disabled_reason  TEXT,
            retired          INTEGER NOT NULL,
            created_position INTEGER NOT NULL,
            created_at       INTEGER NOT NULL,
            updated_at       INTEGER NOT NULL,
            revision         INTEGER NOT NULL,
            PRIMARY KEY (tenant, name, from_position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX models_created ON models (tenant, created_position) WHERE to_position IS NULL;";
    type Key = (TenantId, String);
    type Row = ModelRow;
    type Fact = ModelEvent;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, ModelEvent)>, FoldError> {
        let key = (event.stream.tenant, event.stream.id.to_string());
        Ok(Some((key, read_payload::<ModelEvent, ModelEvent>(event)?)))
    }

    fn fold(current: Option<&ModelRow>, fact: ModelEvent, event: &RecordedEvent) -> Folded<ModelRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => ModelRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, ModelEvent::ModelRegistered { name, .. }) => ModelRow {
                name: name.clone(),
                description: String::new(),
                versions: Vec::new(),
                promoted_version: None,
                disabled: false,
                disabled_reason: None,
                retired: false,
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        match fact {
            ModelEvent::ModelRegistered { description, .. } => row.description = description,
            ModelEvent::ModelVersionAdded { version, format, digest } => {
                row.versions.push(ModelVersion { version, format, digest });
            }
            ModelEvent::ModelPromoted { version } => row.promoted_version = Some(version),
            ModelEvent::ModelEnabled {} => {
                row.disabled = false;
                row.disabled_reason = None;
            }
            ModelEvent::ModelDisabled { reason } => {
                row.disabled = true;
                row.disabled_reason = Some(shorten(reason));
            }
            ModelEvent::ModelRetired {} => row.retired = true,
        }
        Folded::Version(row)
    }

    fn from(row: &ModelRow) -> Position {
        row.provenance.updated_position
    }

    fn load(connection: &Connection, (tenant, name): &Self::Key) -> rusqlite::Result<Option<ModelRow>> {
        one(connection, *tenant, name, None)
    }

    fn insert(
        connection: &Connection,
        (tenant, name): &Self::Key,
        row: &ModelRow,
        to: Option<Position>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO models (tenant, name, from_position, to_position, description, versions, \
                   promoted_version, disabled, disabled_reason, retired, created_position, created_at, updated_at, \
                   revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        connection.prepare_cached(sql)?.execute(rusqlite::params![
            tenant.0,
            name,
            row.provenance.updated_position.0,
            to.map(|to| to.0),
            row.description,
            to_json(&row.versions)?,
            row.promoted_version,
            row.disabled,
            row.disabled_reason,
            row.retired,
            row.provenance.created_position.0,
            row.provenance.created_at.timestamp_micros(),
            row.provenance.updated_at.timestamp_micros(),
            row.provenance.revision.0,
        ])?;
        Ok(())
    }

    fn close(
        connection: &Connection,
        (tenant, name): &Self::Key,
        from: Position,
        to: Position,
    ) -> rusqlite::Result<()> {
        let sql = "UPDATE models SET to_position = ?4 WHERE tenant = ?1 AND name = ?2 AND from_position = ?3";
        connection.prepare_cached(sql)?.execute((tenant.0, name, from.0, to.0))?;
        Ok(())
    }
}

/// One model as it was at `as_of`.
pub(crate) fn one(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
    as_of: AsOf,
) -> rusqlite::Result<Option<ModelRow>> {
    TABLE.one(connection, (tenant, &name), as_of, read_row)
}

/// Models as they were at `as_of`, newest first.
pub(crate) fn page(
    connection: &Connection,
    tenant: TenantId,
    as_of: AsOf,
    page: &Page,
) -> rusqlite::Result<PageOf<ModelRow>> {
    let rows = Rows {
        tenant,
        as_of,
        newest: page.newest(as_of),
        limit: page.rows() + 1,
        index: "models_created",
        conditions: Vec::new(),
    };
    let rows = TABLE.page(connection, rows, read_row)?;
    Ok(PageOf::cut(rows, page, |row| row.provenance.created_position))
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<ModelRow> {
    Ok(ModelRow {
        name: Slug::try_new(row.get::<_, String>(0)?).map_err(|error| damaged(0, error))?,
        description: row.get(1)?,
        versions: from_json(row, 2)?,
        promoted_version: row.get(3)?,
        disabled: row.get(4)?,
        disabled_reason: row.get(5)?,
        retired: row.get(6)?,
        provenance: Provenance::from_columns(row, 7)?,
    })
}
