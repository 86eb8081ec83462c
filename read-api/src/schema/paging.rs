//! Relay connections: pages with a ceiling, from either end, between opaque cursors.

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{OutputType, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use timeloom_projections::Side;

use super::faults::bad_input;

/// Most entries of one page.
pub(crate) const PAGE_MAX: i32 = 100;
/// Entries of a page when nobody says how many.
pub(crate) const PAGE_DEFAULT: i32 = 20;
/// What a cursor begins with, before it is encoded.
const CURSOR: &str = "at:";

/// A connection whose cursors are opaque text.
pub(crate) type Pages<T> = Connection<String, T, EmptyFields, EmptyFields>;

/// Which page a client asks for, as the arguments say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Paging {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// The same, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    /// How many entries.
    pub size: usize,
    /// Only entries behind this one.
    pub after: Option<u64>,
    /// Only entries ahead of this one.
    pub before: Option<u64>,
    /// From which end of them.
    pub side: Side,
}

impl Paging {
    pub(crate) fn new(first: Option<i32>, after: Option<String>, last: Option<i32>, before: Option<String>) -> Self {
        Self { first, after, last, before }
    }

    /// Checks the arguments.
    pub(crate) fn window(&self) -> Result<Window> {
        let (size, side) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(bad_input("give first or last, not both")),
            (None, Some(last)) => (page_size("last", last)?, Side::Last),
            (first, None) => (page_size("first", first.unwrap_or(PAGE_DEFAULT))?, Side::First),
        };
        let (after, before) = (number(self.after.as_deref())?, number(self.before.as_deref())?);
        Ok(Window { size, after, before, side })
    }
}

impl Window {
    /// A connection of `nodes`, which came from the side that the page is taken from, one more than wanted if there were
    /// more. Each has the number that its cursor hides.
    pub(crate) fn pages<T: OutputType>(&self, mut nodes: Vec<(u64, T)>) -> Pages<T> {
        let has_more = nodes.len() > self.size;
        nodes.truncate(self.size);
        let (has_previous, has_next) = match self.side {
            Side::First => (self.after.is_some(), has_more || self.before.is_some()),
            Side::Last => {
                nodes.reverse();
                (has_more || self.after.is_some(), self.before.is_some())
            }
        };
        pages(has_previous, has_next, nodes)
    }
}

fn page_size(name: &str, size: i32) -> Result<usize> {
    match usize::try_from(size) {
        Ok(checked) if size <= PAGE_MAX => Ok(checked),
        _ => Err(bad_input(format!("{name} is {size}, it must be 0 to {PAGE_MAX}: read on with after or before"))),
    }
}

/// Points that a page costs, for the limit of a whole request.
pub(crate) fn page_cost(first: Option<i32>, last: Option<i32>, entry: usize) -> usize {
    let entries = first.or(last).unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    usize::try_from(entries).unwrap_or(1).saturating_mul(entry).saturating_add(1)
}

/// A connection of `nodes`, each with the number that its cursor hides.
pub(crate) fn pages<T: OutputType>(
    has_previous: bool,
    has_next: bool,
    nodes: impl IntoIterator<Item = (u64, T)>,
) -> Pages<T> {
    let mut connection = Connection::new(has_previous, has_next);
    connection.edges.extend(nodes.into_iter().map(|(number, node)| Edge::new(cursor(number), node)));
    connection
}

/// The cursor that hides a number.
pub(crate) fn cursor(number: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR}{number}"))
}

/// The number that a cursor hides; text that is none is the client's mistake.
fn number(cursor: Option<&str>) -> Result<Option<u64>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let number = decoded.and_then(|text| text.strip_prefix(CURSOR)?.parse().ok());
    let refused = || bad_input("this is no cursor: give back the text of a page's startCursor or endCursor unchanged");
    number.map(Some).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(first: Option<i32>, last: Option<i32>) -> Result<Window> {
        Paging { first, last, ..Paging::default() }.window()
    }

    #[test]
    fn a_page_has_one_end_and_a_bounded_size() {
        assert_eq!(window(None, None).unwrap().size, 20);
        assert_eq!(window(Some(0), None).unwrap().size, 0);
        assert_eq!(window(None, Some(100)).unwrap().side, Side::Last);
        for (first, last) in
            [(Some(1), Some(1)), (Some(-1), None), (None, Some(-1)), (Some(101), None), (None, Some(101))]
        {
            assert!(window(first, last).is_err(), "{first:?} {last:?}");
        }
    }

    #[test]
    fn a_cursor_is_opaque_and_survives() {
        let text = cursor(1_234);
        assert!(!text.contains("1234"));
        assert_eq!(number(Some(&text)).unwrap(), Some(1_234));
        for garbage in ["", "1234", "%%garbage%%", "YXQ6eA"] {
            assert!(number(Some(garbage)).is_err(), "{garbage}");
        }
    }
}
