//! Executions by a text that people remember of them: their workflow's name or id, their own id, what went wrong and where.
//!
//! No index has it. A question looks at a bounded number of rows, newest first, and says where it stopped.

use std::collections::HashMap;

use async_graphql::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use timeloom_domain::ids::WorkflowId;
use timeloom_history::{self as history, Moment};
use timeloom_projections::{AsOf, Cursor, ExecutionFilter, ExecutionRow, PAGE_ROWS_MAX, Side};
use timeloom_store::Position;

use super::batch::Loads;
use super::execution::Execution;
use super::faults::{bad_input, coded, fault};
use super::paging::{Pages, Paging};
use super::reading::not_there;
use super::rows::page;
use crate::state::ApiState;

/// Longest text, in characters.
const TEXT_CHARACTERS_MAX: usize = 200;
/// Most executions that are looked at for one page.
const LOOKED_AT_ROWS_MAX: usize = 10_000;

/// Lets a filter take those alone that began in a time.
pub(super) async fn began_within(
    state: &ApiState,
    filter: &mut ExecutionFilter,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> Result<()> {
    // The last position before a moment.
    let before = async |time: DateTime<Utc>| -> Result<Position> {
        let earlier = Moment::Time(time - Duration::microseconds(1));
        history::position_of(state.past(), None, earlier).await.map_err(|error| not_there(&error))
    };
    if let Some(from) = from {
        filter.from = Some(Position(before(from).await?.0.saturating_add(1)));
    }
    if let Some(to) = to {
        filter.until = Some(before(to).await?);
    }
    Ok(())
}

/// What is looked for.
struct Needle {
    text: String,
    /// Workflows by their ids, with their names in small letters.
    names: HashMap<WorkflowId, String>,
}

impl Needle {
    async fn try_new(state: &ApiState, text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        if text.is_empty() || text.chars().count() > TEXT_CHARACTERS_MAX {
            return Err(bad_input(format!("text has to have 1 to {TEXT_CHARACTERS_MAX} characters")));
        }
        let listing = state.commands().directory().caught_up().await.map_err(|error| fault(&error))?;
        let own = listing.workflows().filter(|entry| entry.tenant == state.tenant());
        let names = own.map(|entry| (entry.id, entry.draft.name.to_lowercase())).collect();
        Ok(Self { text, names })
    }

    fn is_in(&self, row: &ExecutionRow) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(&self.text);
        self.names.get(&row.workflow_id).is_some_and(|name| name.contains(&self.text))
            || row.workflow_id.to_string().starts_with(&self.text)
            || row.id.to_string().starts_with(&self.text)
            || row.error.as_deref().is_some_and(holds)
            || row.error_node.as_deref().is_some_and(holds)
    }
}

/// A page of executions that have the text, newest first.
pub(super) async fn search(
    context: &Context<'_>,
    state: &ApiState,
    paging: &Paging,
    filter: ExecutionFilter,
    as_of: AsOf,
    text: &str,
) -> Result<Pages<Execution>> {
    let (needle, window, mut next) = (Needle::try_new(state, text).await?, paging.window()?, page(paging)?);
    next.size = PAGE_ROWS_MAX;
    let (loads, mut found, mut looked_at) = (Loads::of(context), Vec::new(), 0);
    loop {
        let read = loads.execution_page(state, as_of, next, filter.clone()).await?;
        looked_at += read.rows.len();
        let (first, last) = (edge(read.rows.first()), edge(read.rows.last()));
        let mut rows = read.rows;
        if next.side == Side::Last {
            rows.reverse();
        }
        let own = rows.into_iter().filter(|row| needle.is_in(row));
        found.extend(own.map(|row| (row.created_position.0, Execution::of(row, as_of))));
        let is_over = match next.side {
            Side::First => !read.has_next || last.is_none(),
            Side::Last => !read.has_previous || first.is_none(),
        };
        if found.len() > window.size || is_over {
            return Ok(window.pages(found));
        }
        if looked_at >= LOOKED_AT_ROWS_MAX {
            return stopped(found, &window, (first, last));
        }
        match next.side {
            Side::First => next.after = last,
            Side::Last => next.before = first,
        }
    }
}

fn edge(row: Option<&ExecutionRow>) -> Option<Cursor> {
    row.map(|row| Cursor(row.created_position))
}

/// What was found before the bound, or that nothing was.
fn stopped(
    mut found: Vec<(u64, Execution)>,
    window: &super::paging::Window,
    (first, last): (Option<Cursor>, Option<Cursor>),
) -> Result<Pages<Execution>> {
    if found.is_empty() {
        let reached = if window.side == Side::First { last } else { first };
        let reached = reached.map(|cursor| cursor.to_string()).unwrap_or_default();
        return Err(coded(
            "TOO_MANY_EXECUTIONS",
            format!(
                "none of {LOOKED_AT_ROWS_MAX} executions down to position {reached} has this text: narrow the list by \
                 workflow, status or time as well"
            ),
        ));
    }
    // There may be more behind it: whoever reads on begins there.
    found.truncate(window.size);
    if window.side == Side::Last {
        found.reverse();
        return Ok(super::paging::pages(true, window.before.is_some(), found));
    }
    Ok(super::paging::pages(window.after.is_some(), true, found))
}
