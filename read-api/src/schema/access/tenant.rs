//! Tenants: whose data is kept apart. The first, number 0, is there before anything is written of it.

use async_graphql::{Context, ID, Object, Result};
use timeloom_domain::ids::TenantId;
use timeloom_domain::tenant::FIRST_NAME;
use timeloom_projections::{AsOf, Cursor, Page, Side, TenantRow};
use timeloom_store::Position;

use crate::schema::history::History;
use crate::schema::node::tenant_id;
use crate::schema::paging::{Pages, Paging, pages};
use crate::schema::reading::{rows, state};
use crate::schema::rows::page;
use crate::state::ApiState;

/// The tenant that runs the installation.
const FIRST: TenantId = TenantId(0);

/// A tenant.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    number: TenantId,
    /// Absent of the first before anything is written of it.
    row: Option<TenantRow>,
}

#[Object]
impl Tenant {
    /// Its id among everything: its kind and its number.
    pub(crate) async fn id(&self) -> ID {
        tenant_id(self.number)
    }

    /// Its number.
    async fn number(&self) -> u32 {
        self.number.0
    }

    /// What it is called.
    async fn name(&self) -> &str {
        self.row.as_ref().map_or(FIRST_NAME, |row| &row.name)
    }

    /// Whether nobody of it is let in, and nothing of it is started.
    async fn suspended(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.suspended)
    }

    /// The categories that programs of others may append to now, by name.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn open_categories(&self, context: &Context<'_>) -> Result<Vec<String>> {
        let listing = state(context)?.access().directory().now();
        let entry = listing.tenant(self.number);
        Ok(entry.map(|entry| entry.open_categories.into_iter().collect()).unwrap_or_default())
    }

    /// Which events made it what it is; absent of the first before anything is written of it.
    async fn history(&self) -> Option<History> {
        self.row.as_ref().map(|row| row.provenance.into())
    }
}

impl Tenant {
    /// One of which nothing is written.
    pub(crate) fn unwritten(number: TenantId) -> Self {
        Self { number, row: None }
    }

    fn of(row: TenantRow) -> Self {
        Self { number: row.tenant, row: Some(row) }
    }

    /// Its place in the list: the first is the oldest.
    fn created(&self) -> u64 {
        self.row.as_ref().map_or(0, |row| row.provenance.created_position.0)
    }
}

/// One tenant as of a moment.
pub(crate) async fn tenant(state: &ApiState, number: TenantId, as_of: AsOf) -> Result<Option<Tenant>> {
    let row = rows(state.read_models().tenant_row(number, as_of).await)?;
    Ok(match row {
        Some(row) => Some(Tenant::of(row)),
        None => (number == FIRST).then(|| Tenant::unwritten(number)),
    })
}

/// Whether a tenant lets in at a moment; one of which nothing is written does.
pub(crate) async fn lets_in(state: &ApiState, number: TenantId, as_of: AsOf) -> Result<bool> {
    Ok(!rows(state.read_models().tenant_row(number, as_of).await)?.is_some_and(|row| row.suspended))
}

/// Tenants, newest first.
pub(crate) async fn tenants(state: &ApiState, paging: &Paging, as_of: AsOf) -> Result<Pages<Tenant>> {
    let asked = page(paging)?;
    let first = tenant(state, FIRST, as_of).await?.filter(|first| first.row.is_none());
    // It has no event, and its place is behind all that have.
    let is_behind = asked.before.is_none() && asked.after.is_none_or(|after| after > Cursor(Position::START));
    let Some(first) = first.filter(|_| is_behind) else {
        let found = rows(state.read_models().tenants(as_of, &asked).await)?;
        let nodes = found.rows.into_iter().map(Tenant::of).map(|tenant| (tenant.created(), tenant));
        return Ok(pages(found.has_previous, found.has_next, nodes));
    };
    let size = match asked.side {
        Side::First => asked.size,
        Side::Last => asked.size.saturating_sub(1),
    };
    let found = rows(state.read_models().tenants(as_of, &Page { size, ..asked }).await)?;
    let (mut has_previous, mut has_next) = (found.has_previous, found.has_next);
    let mut nodes: Vec<Tenant> = found.rows.into_iter().map(Tenant::of).collect();
    match asked.side {
        Side::First if !has_next && nodes.len() < asked.size => nodes.push(first),
        Side::First => has_next = true,
        Side::Last if asked.size > 0 => nodes.push(first),
        Side::Last => has_previous = true,
    }
    Ok(pages(has_previous, has_next, nodes.into_iter().map(|tenant| (tenant.created(), tenant))))
}
