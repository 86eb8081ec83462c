//! Executions with those first that somebody has to look after: two lists, read as one.
//!
//! A cursor tells the list as well as the place in it, so that a page goes on where the one before it ended, whatever was
//! retried or dismissed meanwhile.

use async_graphql::{Context, Enum, Result};
use timeloom_projections::{AsOf, Cursor, ExecutionFilter, Page, Side};
use timeloom_store::Position;

use super::batch::Loads;
use super::execution::Execution;
use super::paging::{Pages, Paging, Window, pages};
use crate::state::ApiState;

/// Marks the cursors of failures that nobody has looked after. No position is as high.
const UNRESOLVED: u64 = 1 << 63;

/// In which order executions are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum)]
pub(crate) enum ExecutionOrder {
    /// Those that began last come first.
    #[default]
    Newest,
    /// Dead letters come first, then all others; the newest first among each. It cannot be had for a `text`.
    UnresolvedFirst,
}

/// Reads one page: of the failures that nobody has looked after, of all others, or from the one into the other.
pub(super) async fn unresolved_first(
    context: &Context<'_>,
    state: &ApiState,
    paging: &Paging,
    filter: ExecutionFilter,
    as_of: AsOf,
) -> Result<Pages<Execution>> {
    let window = paging.window()?;
    let lists = match window.side {
        Side::First => [true, false],
        Side::Last => [false, true],
    };
    let (mut found, mut has_more) = (Vec::new(), false);
    for unresolved in lists {
        // What is wanted alone is the whole of it.
        let is_left_out = filter.unresolved.is_some_and(|only| only != unresolved);
        let Some(page) = part(&window, unresolved, found.len()).filter(|_| !is_left_out && !has_more) else { continue };
        let filter = ExecutionFilter { unresolved: Some(unresolved), ..filter.clone() };
        let mut read = Loads::of(context).execution_page(state, as_of, page, filter).await?;
        has_more = if window.side == Side::First { read.has_next } else { read.has_previous };
        if window.side == Side::Last {
            read.rows.reverse();
        }
        let mark = if unresolved { UNRESOLVED } else { 0 };
        found.extend(read.rows.into_iter().map(|row| (row.created_position.0 | mark, Execution::of(row, as_of))));
    }
    let (has_previous, has_next) = match window.side {
        Side::First => (window.after.is_some(), has_more || window.before.is_some()),
        Side::Last => (has_more || window.after.is_some(), window.before.is_some()),
    };
    if window.side == Side::Last {
        found.reverse();
    }
    Ok(pages(has_previous, has_next, found))
}

/// The page of one of the lists that belongs to the whole's, of which some is read already; `None` where the cursors leave
/// nothing of the list.
fn part(window: &Window, unresolved: bool, read: usize) -> Option<Page> {
    let is_first = |cursor: u64| cursor & UNRESOLVED != 0;
    let of_list = |cursor: Option<u64>| {
        let own = cursor.filter(|cursor| is_first(*cursor) == unresolved);
        own.map(|cursor| Cursor(Position(cursor & !UNRESOLVED)))
    };
    let is_behind = unresolved && window.after.is_some_and(|after| !is_first(after));
    let is_ahead = !unresolved && window.before.is_some_and(is_first);
    let size = window.size.saturating_sub(read);
    (!is_behind && !is_ahead).then(|| Page {
        size,
        after: of_list(window.after),
        before: of_list(window.before),
        side: window.side,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(after: Option<u64>, before: Option<u64>) -> Window {
        Window { size: 3, after, before, side: Side::First }
    }

    #[test]
    fn cursors_of_one_list_say_what_is_left_of_the_other() {
        let at = |number: u64| Some(Cursor(Position(number)));
        let behind = window(Some(7), None);
        assert_eq!(part(&behind, true, 0), None);
        assert_eq!(part(&behind, false, 1), Some(Page { size: 2, after: at(7), before: None, side: Side::First }));
        let within = window(Some(UNRESOLVED | 7), None);
        assert_eq!(part(&within, true, 0).and_then(|page| page.after), at(7));
        assert_eq!(part(&within, false, 0).map(|page| page.after), Some(None));
        let ahead = window(None, Some(UNRESOLVED | 7));
        assert_eq!(part(&ahead, true, 0).and_then(|page| page.before), at(7));
        assert_eq!(part(&ahead, false, 0), None);
    }
}
