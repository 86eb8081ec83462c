//! Plugins: their versions and which one workflows may use.

use serde::{Deserialize, Serialize};
use timeloom_domain::event::Event;
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::plugin::PluginEvent;
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, damaged, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, shorten, stream_name};
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

static TABLE: Table = Table {
    name: "plugins",
    key: &[text("name")],
    classed: false,
    columns: &[
        text("description"),
        text("versions"),
        text("enabled_version").optional(),
        text("disabled_reason").optional(),
        integer("retired"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "plugins_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for Plugins {
    const NAME: &'static str = "plugins";
    const VERSION: u32 = 2;
    const CATEGORY: &'static str = PluginEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, Slug);
    type Row = PluginRow;
    type Fact = PluginEvent;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, PluginEvent)>, FoldError> {
        let key = (event.stream.tenant, stream_name(event)?);
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

    fn key<'a>((tenant, name): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), name.as_str().into()]);
    }

    fn values<'a>(row: &'a PluginRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([
            (&row.description).into(),
            Value::json(&row.versions)?,
            row.enabled_version.as_ref().into(),
            row.disabled_reason.as_ref().into(),
            row.retired.into(),
        ]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<PluginRow, StorageError> {
        read_row(cells)
    }
}

/// One plugin as it was at `as_of`.
pub(crate) fn one(named: &Named, tenant: TenantId, name: &Slug, as_of: AsOf) -> Query {
    named.one(tenant, name.as_str().to_owned().into(), as_of)
}

/// Plugins as they were at `as_of`, newest first.
pub(crate) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page) -> Query {
    named.page(Rows { tenant, as_of, page: *page, index: "plugins_created", conditions: Vec::new() })
}

/// A row from its cells.
pub(crate) fn read_row(cells: &mut Cells<'_>) -> Result<PluginRow, StorageError> {
    let name = Slug::try_new(cells.take::<String>()?).map_err(damaged)?;
    let from = cells.take()?;
    Ok(PluginRow {
        name,
        description: cells.take()?,
        versions: cells.take_json()?,
        enabled_version: cells.take()?,
        disabled_reason: cells.take()?,
        retired: cells.take()?,
        provenance: Provenance::take(cells, from)?,
    })
}
