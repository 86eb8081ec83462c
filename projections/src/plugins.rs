//! Plugins: their versions and which one workflows may use.

use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::plugin::PluginEvent;
use timeloom_store::{Position, RecordedEvent};

use crate::error::FoldError;
use crate::listing::{Rows, Table, damaged, from_json, to_json};
use crate::page::{AsOf, Page, PageOf};
use crate::payload::{read_payload, shorten};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginRow {
    /// Its name.
    pub name: Slug,
    /// What it is for.
    pub description: String,
    /// Versions in the order in which they came.
    pub versions: Vec<PluginVersion>,
    /// The version that workflows may use.
    pub enabled_version: Option<String>,
    /// Why it was disabled, while it is.
    pub disabled_reason: Option<String>,
    /// Whether it was put away.
    pub retired: bool,
    /// Which events made it.
    pub provenance: Provenance,
}

/// One version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginVersion {
    /// The version, as its author writes it.
    pub version: String,
    /// SHA-256 of the package, hexadecimal.
    pub digest: String,
}

/// The read model.
pub(crate) struct Plugins;

const TABLE: Table = Table {
    name: "plugins",
    key: "name",
    columns: &[
        "name",
        "description",
        "versions",
        "enabled_version",
        "disabled_reason",
        "retired",
        "created_position",
        "created_at",
        "from_position",
        "updated_at",
        "revision",
    ],
};

impl ReadModel for Plugins {
    const NAME: &'static str = "plugins";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = PluginEvent::CATEGORY;
    const TABLES: &'static [&'static str] = &["plugins"];
    const SCHEMA: &'static str = "
        CREATE TABLE plugins (
            tenant           INTEGER NOT NULL,
            name             TEXT    NOT NULL,
            from_position    INTEGER NOT NULL,
            to_position      INTEGER,
            description      TEXT    NOT NULL,
            versions         TEXT    NOT NULL,
            enabled_version  TEXT,
            disabled_reason  TEXT,
            retired          INTEGER NOT NULL,
            created_position INTEGER NOT NULL,
            created_at       INTEGER NOT NULL,
            updated_at       INTEGER NOT NULL,
            revision         INTEGER NOT NULL,
            PRIMARY KEY (tenant, name, from_position)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX plugins_created ON plugins (tenant, created_position) WHERE to_position IS NULL;";
    type Key = (TenantId, String);
    type Row = PluginRow;
    type Fact = PluginEvent;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, PluginEvent)>, FoldError> {
        let key = (event.stream.tenant, event.stream.id.to_string());
        Ok(Some((key, read_payload::<PluginEvent, PluginEvent>(event)?)))
    }

    fn fold(current: Option<&PluginRow>, fact: PluginEvent, event: &RecordedEvent) -> Folded<PluginRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => PluginRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, PluginEvent::PluginRegistered { name, .. }) => PluginRow {
                name: name.clone(),
                description: String::new(),
                versions: Vec::new(),
                enabled_version: None,
                disabled_reason: None,
                retired: false,
                provenance: Provenance::created_by(event),
            },
            (None, _) => return Folded::Nothing,
        };
        match fact {
            PluginEvent::PluginRegistered { description, .. } => row.description = description,
            PluginEvent::PluginVersionAdded { version, digest } => {
                row.versions.push(PluginVersion { version, digest });
            }
            PluginEvent::PluginEnabled { version } => {
                row.enabled_version = Some(version);
                row.disabled_reason = None;
            }
            PluginEvent::PluginDisabled { reason } => {
                row.enabled_version = None;
                row.disabled_reason = Some(shorten(reason));
            }
            PluginEvent::PluginRetired {} => {
                row.enabled_version = None;
                row.retired = true;
            }
        }
        Folded::Version(row)
    }

    fn from(row: &PluginRow) -> Position {
        row.provenance.updated_position
    }

    fn load(connection: &Connection, (tenant, name): &Self::Key) -> rusqlite::Result<Option<PluginRow>> {
        one(connection, *tenant, name, None)
    }

    fn insert(
        connection: &Connection,
        (tenant, name): &Self::Key,
        row: &PluginRow,
        to: Option<Position>,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO plugins (tenant, name, from_position, to_position, description, versions, \
                   enabled_version, disabled_reason, retired, created_position, created_at, updated_at, revision) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        connection.prepare_cached(sql)?.execute(rusqlite::params![
            tenant.0,
            name,
            row.provenance.updated_position.0,
            to.map(|to| to.0),
            row.description,
            to_json(&row.versions)?,
            row.enabled_version,
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
        let sql = "UPDATE plugins SET to_position = ?4 WHERE tenant = ?1 AND name = ?2 AND from_position = ?3";
        connection.prepare_cached(sql)?.execute((tenant.0, name, from.0, to.0))?;
        Ok(())
    }
}

/// One plugin as it was at `as_of`.
pub(crate) fn one(
    connection: &Connection,
    tenant: TenantId,
    name: &str,
    as_of: AsOf,
) -> rusqlite::Result<Option<PluginRow>> {
    TABLE.one(connection, (tenant, &name), as_of, read_row)
}

/// Plugins as they were at `as_of`, newest first.
pub(crate) fn page(
    connection: &Connection,
    tenant: TenantId,
    as_of: AsOf,
    page: &Page,
) -> rusqlite::Result<PageOf<PluginRow>> {
    let rows = Rows {
        tenant,
        as_of,
        newest: page.newest(as_of),
        limit: page.rows() + 1,
        index: "plugins_created",
        conditions: Vec::new(),
    };
    let rows = TABLE.page(connection, rows, read_row)?;
    Ok(PageOf::cut(rows, page, |row| row.provenance.created_position))
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<PluginRow> {
    Ok(PluginRow {
        name: Slug::try_new(row.get::<_, String>(0)?).map_err(|error| damaged(0, error))?,
        description: row.get(1)?,
        versions: from_json(row, 2)?,
        enabled_version: row.get(3)?,
        disabled_reason: row.get(4)?,
        retired: row.get(5)?,
        provenance: Provenance::from_columns(row, 6)?,
    })
}
