//! A moment with what time it was: keys and sessions stop letting in without anything that happens.

use async_graphql::Result;
use chrono::{DateTime, Utc};
use timeloom_history as history;
use timeloom_projections::AsOf;
use timeloom_store::{Direction, Filter, TenantScope};

use crate::schema::faults::fault;
use crate::schema::reading::Moment;
use crate::state::ApiState;

/// A moment of the rows, and what time it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Then {
    pub as_of: AsOf,
    /// In milliseconds since 1970.
    pub now_ms: i64,
}

impl Then {
    /// The moment as of which a read answers, once the rows are there.
    pub(crate) async fn of(moment: Moment, state: &ApiState) -> Result<Self> {
        let asked = moment.as_of();
        let then = Self::at(state, moment.of_rows(state).await?).await?;
        Ok(match asked {
            // Between the last event by then and the time that was asked for, time went by.
            history::Moment::Time(time) => {
                let now_ms = time.timestamp_millis().min(Self::now(state).now_ms);
                Self { now_ms: now_ms.max(then.now_ms), ..then }
            }
            _ => then,
        })
    }

    /// Now.
    pub(crate) fn now(state: &ApiState) -> Self {
        Self { as_of: None, now_ms: state.commands().clock().now_ms() }
    }

    /// Right after the event at a position.
    pub(crate) async fn at(state: &ApiState, as_of: AsOf) -> Result<Self> {
        let Some(position) = as_of else { return Ok(Self::now(state)) };
        let newest = state.log().read_all(TenantScope::All, position, Direction::Backward, &Filter::default(), 1).await;
        let newest = newest.map_err(|error| fault(&error))?;
        let now_ms = newest.first().map_or(0, |event| event.recorded_at.timestamp_millis());
        Ok(Self { as_of, now_ms })
    }
}

/// A time in milliseconds since 1970, as clients see it.
pub(crate) fn time(at_ms: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(at_ms)
}
