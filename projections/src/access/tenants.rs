//! Tenants: which there are beside the first one, and who is not let in. All their rows are the first tenant's.

use timeloom_domain::event::Event;
use timeloom_domain::ids::TenantId;
use timeloom_domain::tenant::TenantEvent;
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, integer, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::read_payload;
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantRow {
    /// Its number.
    pub tenant: TenantId,
    /// What it is called.
    pub name: String,
    /// Whether nobody of it is let in.
    pub suspended: bool,
    /// Which events made it.
    pub provenance: Provenance,
}

/// The read model.
pub(crate) struct Tenants;

static TABLE: Table = Table {
    name: "tenants",
    key: &[text("stream")],
    classed: false,
    columns: &[
        integer("number"),
        text("name"),
        integer("suspended"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[
        Index { name: "tenants_created", columns: &["created_position"], closed: false },
        Index { name: "tenants_number", columns: &["number", "created_position"], closed: false },
    ],
    kept: None,
};

impl ReadModel for Tenants {
    const NAME: &'static str = "tenants";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = TenantEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, String);
    type Row = TenantRow;
    type Fact = TenantEvent;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, TenantEvent)>, FoldError> {
        let key = (event.stream.tenant, event.stream.id.to_string());
        Ok(Some((key, read_payload::<TenantEvent, TenantEvent>(event)?)))
    }

    fn fold(current: Option<&TenantRow>, fact: TenantEvent, event: &RecordedEvent) -> Folded<TenantRow> {
        let provenance =
            current.map_or_else(|| Provenance::created_by(event), |current| current.provenance.updated_by(event));
        Folded::Version(match (fact, current) {
            (TenantEvent::TenantCreated { tenant, name }, _) => {
                TenantRow { tenant, name, suspended: false, provenance }
            }
            (_, None) => return Folded::Nothing,
            // Which categories are open follows from the log where it matters: no row tells it.
            (TenantEvent::CategoryOpened { .. } | TenantEvent::CategoryClosed { .. }, Some(current)) => {
                TenantRow { provenance, ..current.clone() }
            }
            (TenantEvent::TenantRenamed { name }, Some(current)) => TenantRow { name, provenance, ..current.clone() },
            (TenantEvent::TenantSuspended {}, Some(current)) => {
                TenantRow { suspended: true, provenance, ..current.clone() }
            }
            (TenantEvent::TenantResumed {}, Some(current)) => {
                TenantRow { suspended: false, provenance, ..current.clone() }
            }
        })
    }

    fn from(row: &TenantRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, stream): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), stream.into()]);
    }

    fn values<'a>(row: &'a TenantRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.extend([row.tenant.into(), (&row.name).into(), row.suspended.into()]);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<TenantRow, StorageError> {
        read_row(cells)
    }
}

/// The tenants with a number as they were at `as_of`: one or none.
pub(super) fn one(named: &Named, number: TenantId, as_of: AsOf) -> Query {
    named.page(Rows {
        tenant: TenantId(0),
        as_of,
        page: Page::first(1),
        index: "tenants_number",
        conditions: vec![("newest.number = ?", number.into())],
    })
}

/// Tenants as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, as_of: AsOf, page: &Page) -> Query {
    named.page(Rows { tenant: TenantId(0), as_of, page: *page, index: "tenants_created", conditions: Vec::new() })
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<TenantRow, StorageError> {
    let _: String = cells.take()?;
    let from = cells.take()?;
    Ok(TenantRow {
        tenant: TenantId(cells.take()?),
        name: cells.take()?,
        suspended: cells.take()?,
        provenance: Provenance::take(cells, from)?,
    })
}
