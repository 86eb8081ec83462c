//! Positions that processes remember for all of them, such as how far executions have ended.

use timeloom_store::{LogError, Position};

use crate::error::log_error;
use crate::log::PostgresLog;
use crate::recorded::{signed, unsigned};

impl PostgresLog {
    /// The position that is remembered under a name; the start when there is none.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn mark(&self, name: &str) -> Result<Position, LogError> {
        let rows = self.readers().query("SELECT position FROM marks WHERE name = $1", &vec![&name]).await?;
        let position = rows.first().map(|row| row.try_get(0).map_err(log_error)).transpose()?;
        Ok(position.map_or(Position::START, |position| Position(unsigned(position))))
    }

    /// What is noted under a name, and the position as of which it was.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn note(&self, name: &str) -> Result<Option<(Position, String)>, LogError> {
        let sql = "SELECT position, note FROM marks WHERE name = $1 AND note IS NOT NULL";
        let rows = self.readers().query(sql, &vec![&name]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let position = Position(unsigned(row.try_get(0).map_err(log_error)?));
        Ok(Some((position, row.try_get(1).map_err(log_error)?)))
    }

    /// Notes something under a name, as of a position. What is as of an earlier one than what is there changes nothing.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn set_note(&self, name: &str, position: Position, note: &str) -> Result<(), LogError> {
        let sql = "INSERT INTO marks (name, position, note) VALUES ($1, $2, $3) ON CONFLICT (name) \
                   DO UPDATE SET position = excluded.position, note = excluded.note \
                   WHERE marks.position <= excluded.position";
        self.readers().query(sql, &vec![&name, &signed(position.0), &note]).await?;
        Ok(())
    }

    /// Remembers a position under a name. It only moves forward.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn set_mark(&self, name: &str, position: Position) -> Result<(), LogError> {
        let sql = "INSERT INTO marks (name, position) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET position = greatest(marks.position, excluded.position)";
        self.readers().query(sql, &vec![&name, &signed(position.0)]).await?;
        Ok(())
    }
}
