//! Agents: their versions, and where each stands.

use timeloom_domain::agent::{Agent, AgentEvent};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_store::{Position, RecordedEvent};

use crate::database::{Cells, Index, Named, Query, Rows, StorageError, Table, Value, damaged, text};
use crate::error::FoldError;
use crate::page::{AsOf, Page};
use crate::payload::{read_payload, stream_name};
use crate::provenance::Provenance;
use crate::read_model::{Folded, ReadModel};

/// One agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRow {
    /// Its name.
    pub name: Slug,
    /// What its events come to, by the aggregate's own fold.
    pub agent: Agent,
    /// Which events made it.
    pub provenance: Provenance,
}

/// The read model.
pub(crate) struct Agents;

static TABLE: Table = Table {
    name: "agents",
    key: &[text("name")],
    classed: false,
    columns: &[
        text("agent"),
        Provenance::COLUMNS[0],
        Provenance::COLUMNS[1],
        Provenance::COLUMNS[2],
        Provenance::COLUMNS[3],
    ],
    indexes: &[Index { name: "agents_created", columns: &["created_position"], closed: false }],
    kept: None,
};

impl ReadModel for Agents {
    const NAME: &'static str = "agents";
    const VERSION: u32 = 1;
    const CATEGORY: &'static str = AgentEvent::CATEGORY;
    const TABLE: &'static Table = &TABLE;
    type Key = (TenantId, Slug);
    type Row = AgentRow;
    type Fact = AgentEvent;

    fn read(event: &RecordedEvent) -> Result<Option<(Self::Key, AgentEvent)>, FoldError> {
        let key = (event.stream.tenant, stream_name(event)?);
        Ok(Some((key, read_payload::<AgentEvent, AgentEvent>(event)?)))
    }

    fn fold(current: Option<&AgentRow>, fact: AgentEvent, event: &RecordedEvent) -> Folded<AgentRow> {
        let mut row = match (current, &fact) {
            (Some(current), _) => AgentRow { provenance: current.provenance.updated_by(event), ..current.clone() },
            (None, AgentEvent::AgentRegistered { name, .. }) => {
                AgentRow { name: name.clone(), agent: Agent::default(), provenance: Provenance::created_by(event) }
            }
            (None, _) => return Folded::Nothing,
        };
        row.agent.apply(&fact);
        Folded::Version(row)
    }

    fn from(row: &AgentRow) -> Position {
        row.provenance.updated_position
    }

    fn key<'a>((tenant, name): &'a Self::Key, values: &mut Vec<Value<'a>>) {
        values.extend([(*tenant).into(), name.as_str().into()]);
    }

    fn values<'a>(row: &'a AgentRow, values: &mut Vec<Value<'a>>) -> Result<(), StorageError> {
        values.push(Value::json(&row.agent)?);
        values.extend(row.provenance.values());
        Ok(())
    }

    fn load(cells: &mut Cells<'_>) -> Result<AgentRow, StorageError> {
        read_row(cells)
    }
}

/// One agent as it was at `as_of`.
pub(super) fn one(named: &Named, tenant: TenantId, name: &Slug, as_of: AsOf) -> Query {
    named.one(tenant, name.as_str().to_owned().into(), as_of)
}

/// Agents as they were at `as_of`, newest first.
pub(super) fn page(named: &Named, tenant: TenantId, as_of: AsOf, page: &Page) -> Query {
    named.page(Rows { tenant, as_of, page: *page, index: "agents_created", conditions: Vec::new() })
}

/// A row from its cells.
pub(super) fn read_row(cells: &mut Cells<'_>) -> Result<AgentRow, StorageError> {
    let name = Slug::try_new(cells.take::<String>()?).map_err(damaged)?;
    let from = cells.take()?;
    Ok(AgentRow { name, agent: cells.take_json()?, provenance: Provenance::take(cells, from)? })
}
