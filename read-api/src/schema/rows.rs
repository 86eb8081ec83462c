//! Pages of read-model rows as connections.

use async_graphql::{OutputType, Result};
use timeloom_projections::{Cursor, Page, PageOf};
use timeloom_store::Position;

use super::faults::bad_input;
use super::paging::{Pages, page_size, pages};

/// The page that a client asks for.
pub(crate) fn page(first: i32, after: Option<&str>) -> Result<Page> {
    let after = after.map(str::parse::<Cursor>).transpose().map_err(|error| bad_input(error.to_string()))?;
    Ok(Page { first: page_size(first)?, after })
}

/// A connection of rows; `node` gives the position that is the row's cursor, and the node.
pub(crate) fn row_pages<Row, T: OutputType>(
    page: &Page,
    found: PageOf<Row>,
    node: impl Fn(Row) -> (Position, T),
) -> Pages<T> {
    let nodes = found.rows.into_iter().map(|row| {
        let (position, node) = node(row);
        (Cursor(position).to_string(), node)
    });
    pages(page.after.is_some(), found.has_next, nodes)
}
