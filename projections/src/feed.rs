//! The event feed: what happened, in the order of the log.
//!
//! It is served from the log itself. A copy would hold the whole log a second time and would always be a moment behind it;
//! the log is ordered by position, indexed by stream, category and type, and cannot change, which is all that a feed needs.

use std::sync::Arc;

use timeloom_domain::ids::TenantId;
use timeloom_store::{Direction, EventLog, Filter, LogError, Position, RecordedEvent, StreamKey, TenantScope};

use crate::error::ProjectionError;
use crate::page::{AsOf, Cursor, Page, PageOf, Side};

/// Which events to give; empty lists mean all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeedFilter {
    /// Categories of streams, for example `execution`.
    pub categories: Vec<Arc<str>>,
    /// Types of events, for example `NodeCompleted`.
    pub event_types: Vec<Arc<str>>,
    /// One stream only: category and id.
    pub stream: Option<(Arc<str>, Arc<str>)>,
}

/// In which order events are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FeedOrder {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// A page of events up to `as_of`. A cursor is the position of the last event given.
pub(crate) async fn page(
    log: &dyn EventLog,
    tenant: TenantId,
    as_of: AsOf,
    page: &Page,
    filter: FeedFilter,
    order: FeedOrder,
) -> Result<PageOf<Arc<RecordedEvent>>, ProjectionError> {
    let end = as_of.map_or(log.head(), |as_of| as_of.min(log.head()));
    let stream = filter.stream.map(|(category, id)| StreamKey::new(tenant, category, id));
    let filter = Filter { categories: filter.categories, event_types: filter.event_types, stream };
    let cursor = |cursor: Option<Cursor>| cursor.map(|Cursor(position)| position);
    // Everything in between is wanted, the cursors' own events apart.
    let (above, below) = match order {
        FeedOrder::NewestFirst => (cursor(page.before), cursor(page.after)),
        FeedOrder::OldestFirst => (cursor(page.after), cursor(page.before)),
    };
    let newest = below.map_or(end, |below| Position(below.0.saturating_sub(1)).min(end));
    let above = above.unwrap_or(Position::START);
    let is_forward = (order == FeedOrder::OldestFirst) == (page.side == Side::First);
    let (from, direction) = if is_forward { (above, Direction::Forward) } else { (newest, Direction::Backward) };
    let mut events = log.read_all(TenantScope::One(tenant), from, direction, &filter, page.limit()).await?;
    events.retain(|event| event.position > above && event.position <= newest);
    Ok(PageOf::cut(events, page, |event| event.position))
}

/// The event at a position.
pub(crate) async fn one(
    log: &dyn EventLog,
    tenant: TenantId,
    position: Position,
) -> Result<Option<Arc<RecordedEvent>>, LogError> {
    // Looked up among all tenants' events, so that it is one step whoever owns the event there.
    let found = log.read_all(TenantScope::All, position, Direction::Backward, &Filter::default(), 1).await?;
    Ok(found.into_iter().next().filter(|event| event.position == position && event.stream.tenant == tenant))
}
