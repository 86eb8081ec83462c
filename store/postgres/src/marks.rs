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
