//! Pages of read-model rows as connections.

use async_graphql::{OutputType, Result};
use timeloom_projections::{Cursor, Page, PageOf};
use timeloom_store::Position;

use super::paging::{Pages, Paging, Window, pages};

/// The page that a client asks for.
pub(crate) fn page(paging: &Paging) -> Result<Page> {
    paging.window().map(Page::from)
}

impl From<Window> for Page {
    fn from(window: Window) -> Self {
        let cursor = |number: Option<u64>| number.map(|number| Cursor(Position(number)));
        Self { size: window.size, after: cursor(window.after), before: cursor(window.before), side: window.side }
    }
}

/// A connection of rows; `node` gives the position that is the row's cursor, and the node.
pub(crate) fn row_pages<Row, T: OutputType>(found: PageOf<Row>, node: impl Fn(Row) -> (Position, T)) -> Pages<T> {
    let nodes = found.rows.into_iter().map(|row| {
        let (position, node) = node(row);
        (position.0, node)
    });
    pages(found.has_previous, found.has_next, nodes)
}
