//! Relay connections: pages with a ceiling.

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{OutputType, Result};

use super::faults::bad_input;

/// Most entries of one page.
pub(crate) const PAGE_MAX: i32 = 100;
/// Entries of a page when nobody says how many.
pub(crate) const PAGE_DEFAULT: i32 = 20;

/// A connection whose cursors are opaque text.
pub(crate) type Pages<T> = Connection<String, T, EmptyFields, EmptyFields>;

/// How many entries to give, checked.
pub(crate) fn page_size(first: i32) -> Result<usize> {
    match usize::try_from(first) {
        Ok(size) if (1..=PAGE_MAX).contains(&first) => Ok(size),
        _ => Err(bad_input(format!("first is {first}, it must be 1 to {PAGE_MAX}: read on with after"))),
    }
}

/// Points that a page of `first` entries costs, for the limit of a whole request.
pub(crate) fn page_cost(first: i32, entry: usize) -> usize {
    let entries = usize::try_from(first.clamp(1, PAGE_MAX)).unwrap_or(1);
    entries.saturating_mul(entry).saturating_add(1)
}

/// A connection of `nodes`, each with its cursor.
pub(crate) fn pages<T: OutputType>(
    has_previous: bool,
    has_next: bool,
    nodes: impl IntoIterator<Item = (String, T)>,
) -> Pages<T> {
    let mut connection = Connection::new(has_previous, has_next);
    connection.edges.extend(nodes.into_iter().map(|(cursor, node)| Edge::new(cursor, node)));
    connection
}

/// A cursor that is a number; an unknown one is the client's mistake.
pub(crate) fn number_cursor(cursor: Option<&str>) -> Result<Option<u64>> {
    let number = |text: &str| text.parse().map_err(|_| bad_input("this cursor is not one of this list's"));
    cursor.map(number).transpose()
}
