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

/// From which end of what is between the cursors a page is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Side {
    /// The first rows.
    #[default]
    First,
    /// The last rows, in the same order.
    Last,
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Page {
    /// Rows wanted; at most [`PAGE_ROWS_MAX`] are given.
    pub size: usize,
    /// Only rows behind this one.
    pub after: Option<Cursor>,
    /// Only rows ahead of this one.
    pub before: Option<Cursor>,
    /// Which of them.
    pub side: Side,
}

impl Page {
    /// The first page of `size` rows.
    pub fn first(size: usize) -> Self {
        Self { size, after: None, before: None, side: Side::First }
    }

    /// The page of `size` rows behind `cursor`.
    pub fn after(size: usize, cursor: Cursor) -> Self {
        Self { after: Some(cursor), ..Self::first(size) }
    }

    /// The last page of `size` rows.
    pub fn last(size: usize) -> Self {
        Self { side: Side::Last, ..Self::first(size) }
    }

    /// The page of `size` rows right ahead of `cursor`.
    pub fn before(size: usize, cursor: Cursor) -> Self {
        Self { before: Some(cursor), ..Self::last(size) }
    }

    pub(crate) fn rows(&self) -> usize {
        self.size.min(PAGE_ROWS_MAX)
    }

    /// One row more than the page has, which tells whether there are more.
    pub(crate) fn limit(&self) -> usize {
        self.rows() + 1
    }

    /// The highest position that a row of this page, newest first, may have been created at.
    pub(crate) fn newest(&self, as_of: AsOf) -> u64 {
        let bound = as_of.map_or(i64::MAX.unsigned_abs(), |position| position.0);
        self.after.map_or(bound, |cursor| cursor.0.0.saturating_sub(1).min(bound))
    }

    /// The lowest position that a row of this page, newest first, may have been created at.
    pub(crate) fn oldest(&self) -> u64 {
        let bound = i64::MAX.unsigned_abs();
        self.before.map_or(0, |cursor| cursor.0.0.saturating_add(1).min(bound))
    }
}

/// One page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PageOf<Row> {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether there are more ahead of it.
    pub has_previous: bool,
    /// Whether there are more behind it.
    pub has_next: bool,
    /// Cursor of the last row; `None` when there is no row.
    pub end_cursor: Option<Cursor>,
}

impl<Row> PageOf<Row> {
    /// A page of what was found, with one row more than the page has, from the side that the page is taken from.
    pub(crate) fn cut(mut rows: Vec<Row>, page: &Page, position: impl Fn(&Row) -> Position) -> Self {
        let has_more = rows.len() > page.rows();
        rows.truncate(page.rows());
        let (has_previous, has_next) = match page.side {
            Side::First => (page.after.is_some(), has_more || page.before.is_some()),
            Side::Last => {
                rows.reverse();
                (has_more || page.after.is_some(), page.before.is_some())
            }
        };
        let end_cursor = rows.last().map(|row| Cursor(position(row)));
        Self { rows, has_previous, has_next, end_cursor }
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
    fn what_is_found_from_the_end_is_given_in_the_order_of_the_list() {
        let cut = |found: &[u64], page: &Page| {
            let page = PageOf::cut(found.to_vec(), page, |row| Position(*row));
            (page.rows, page.has_previous, page.has_next)
        };
        assert_eq!(cut(&[9, 8, 7], &Page::first(2)), (vec![9, 8], false, true));
        assert_eq!(cut(&[7], &Page::after(2, Cursor(Position(8)))), (vec![7], true, false));
        assert_eq!(cut(&[7, 8, 9], &Page::last(2)), (vec![8, 7], true, false));
        assert_eq!(cut(&[8, 9], &Page::before(2, Cursor(Position(7)))), (vec![9, 8], false, true));
        assert_eq!(Page::before(2, Cursor(Position(7))).oldest(), 8);
    }

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = Cursor(Position(1_234));
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("twelve".parse::<Cursor>().is_err());
    }
}
