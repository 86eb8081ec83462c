//! Pages of rows: how much, from where, as of when. A cursor is a position, so it stays true while rows come in.

use std::fmt;
use std::str::FromStr;

use timeloom_store::Position;

/// Most rows of one page.
pub const PAGE_ROWS_MAX: usize = 100;

/// The position as of which a question is answered; `None` = now.
pub type AsOf = Option<Position>;

/// Where a page ended: the position that orders its last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cursor(pub Position);

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The text is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a cursor: give back the text of a page's end unchanged")]
pub struct InvalidCursor(String);

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let position = text.parse::<u64>().map_err(|_| InvalidCursor(text.chars().take(40).collect()))?;
        Ok(Self(Position(position)))
    }
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows wanted; at most [`PAGE_ROWS_MAX`] are given.
    pub first: usize,
    /// Only rows behind this one.
    pub after: Option<Cursor>,
}

impl Page {
    /// The first page of `first` rows.
    pub fn first(first: usize) -> Self {
        Self { first, after: None }
    }

    /// The page of `first` rows behind `cursor`.
    pub fn after(first: usize, cursor: Cursor) -> Self {
        Self { first, after: Some(cursor) }
    }

    pub(crate) fn rows(&self) -> usize {
        self.first.min(PAGE_ROWS_MAX)
    }

    /// The highest position that a row of this page, newest first, may have been created at.
    pub(crate) fn newest(&self, as_of: AsOf) -> u64 {
        let bound = as_of.map_or(i64::MAX.unsigned_abs(), |position| position.0);
        self.after.map_or(bound, |cursor| cursor.0.0.saturating_sub(1).min(bound))
    }
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PageOf<Row> {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether there are more behind it.
    pub has_next: bool,
    /// Cursor of the last row; `None` when there is no row.
    pub end_cursor: Option<Cursor>,
}

impl<Row> PageOf<Row> {
    /// A page of what was found with one row more than the page has.
    pub(crate) fn cut(mut rows: Vec<Row>, page: &Page, position: impl Fn(&Row) -> Position) -> Self {
        let has_next = rows.len() > page.rows();
        rows.truncate(page.rows());
        let end_cursor = rows.last().map(|row| Cursor(position(row)));
        Self { rows, has_next, end_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded_by_cursor_and_moment_alike() {
        let after = Page::after(10, Cursor(Position(50)));
        assert_eq!(after.newest(None), 49);
        assert_eq!(after.newest(Some(Position(20))), 20);
        assert_eq!(Page::first(10).newest(Some(Position(20))), 20);
        assert_eq!(Page::first(1_000).rows(), PAGE_ROWS_MAX);
    }

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = Cursor(Position(1_234));
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("twelve".parse::<Cursor>().is_err());
    }
}
