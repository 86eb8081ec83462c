//! What the database itself can say of the log: that positions have no gap, that the head is at the last of them, and that
//! they were given in the order in which transactions became visible. Never changes anything.

use std::fmt;

use timeloom_store::{LogError, Position};

use crate::error::{log_error, pool_error};
use crate::log::PostgresLog;
use crate::readers::Readers;
use crate::recorded::unsigned;
use crate::transfer::PostgresSource;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// How many events there are.
    pub events: u64,
    /// Where the log says that it ends.
    pub head: Position,
    /// The highest position of an event.
    pub last: Position,
    /// How many transactions appended them.
    pub transactions: u64,
    /// Transactions whose events do not lie side by side: somebody appended without the lock of the head.
    pub torn_transactions: u64,
    /// Whether a transaction that is still under way may yet show an event below one that can be seen.
    pub unsettled: bool,
}

impl CheckReport {
    /// Whether everything is as it has to be.
    pub fn is_sound(&self) -> bool {
        self.events == self.head.0 && self.head == self.last && self.torn_transactions == 0 && !self.unsettled
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, head, last, torn_transactions, .. } = self;
        write!(
            formatter,
            "the database has {events} events up to position {last}, its head says {head}, and {torn_transactions} of its \
             transactions do not lie side by side"
        )?;
        if self.unsettled { formatter.write_str("; one that can be seen is under way") } else { Ok(()) }
    }
}

impl PostgresLog {
    /// Asks the database, in one snapshot. The transaction ids in the rows are the witness: the order of positions is the
    /// order of visibility if each transaction's events are one run, and no running transaction has events among them.
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn check(&self) -> Result<CheckReport, LogError> {
        check(self.readers()).await
    }
}

impl PostgresSource {
    /// The same as [`PostgresLog::check`].
    ///
    /// # Errors
    /// [`LogError`] when the database fails.
    pub async fn check(&self) -> Result<CheckReport, LogError> {
        check(self.readers()).await
    }
}

async fn check(readers: &Readers) -> Result<CheckReport, LogError> {
    let archived = if readers.has_archive() { "(SELECT count(*) FROM archived_events)" } else { "0" };
    let sql = format!("
        WITH runs AS (
            SELECT tx, count(*) AS events, max(position) - min(position) + 1 AS width FROM events GROUP BY tx
        )
        SELECT (coalesce(sum(runs.events), 0) + {archived})::bigint,
            (SELECT position FROM log_head), (SELECT coalesce(max(position), 0) FROM events), count(*), count(*) FILTER (WHERE events <> width),
            coalesce(bool_or(tx IN (SELECT pg_snapshot_xip(pg_current_snapshot()))), false)
        FROM runs");
    let mut client = readers.pool().get().await.map_err(pool_error)?;
    let looked = async {
        let transaction = client.transaction().await?;
        // All of the log is looked at, which takes as long as it takes.
        transaction.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on").await?;
        transaction.query_one(&sql, &[]).await
    };
    let row = looked.await.map_err(log_error)?;
    let number = |index: usize| row.try_get(index).map(unsigned).map_err(log_error);
    Ok(CheckReport {
        events: number(0)?,
        head: Position(number(1)?),
        last: Position(number(2)?),
        transactions: number(3)?,
        torn_transactions: number(4)?,
        unsettled: row.try_get(5).map_err(log_error)?,
    })
}
