//! What a call takes: guessed before it begins, settled when it is known.

use std::sync::Arc;

use timeloom_domain::chat::Usage;

use super::table::Table;
use crate::cost::{Money, Prices};
use crate::facts::{Fact, Sink};
use crate::limits::{Holder, LimitReached, Limits, Reservation, Want};
use crate::ports::Clock;
use crate::route::{Route, Target};

/// Bytes of text that are guessed to be one token: few texts have fewer.
const BYTES_PER_TOKEN: u64 = 3;
/// Tokens that a model is guessed to write when nobody said how many it may.
pub(super) const OUTPUT_TOKENS_GUESSED: u64 = 4_096;

/// The tokens that a text of so many bytes is guessed to be: what is reserved for it before a model reads it.
pub fn tokens_guessed(text_bytes: u64) -> u64 {
    text_bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Counts what a call takes.
pub(super) struct Meter {
    reservation: Option<Reservation>,
    /// What is reserved.
    want: Want,
    sink: Arc<dyn Sink>,
    prices: Arc<Prices>,
    clock: Arc<dyn Clock>,
}

impl Meter {
    /// Reserves what a call may take.
    pub(super) fn begin(
        limits: &Arc<Limits>,
        (table, route): (&Table, &Route),
        holders: &[Holder],
        (text_bytes, output_tokens): (u64, u64),
        clock: &Arc<dyn Clock>,
        sink: &Arc<dyn Sink>,
    ) -> Result<Self, LimitReached> {
        let input_tokens = tokens_guessed(text_bytes);
        let tokens = input_tokens.saturating_add(output_tokens);
        let money = table.dearest(route, input_tokens, output_tokens);
        let want = Want { tokens, money };
        let reserved = limits.reserve(holders, want, clock.now_ms());
        let reservation = reserved.inspect_err(|reached| sink.tell(Fact::LimitReached(reached.clone())))?;
        let (prices, clock) = (Arc::clone(&table.prices), Arc::clone(clock));
        Ok(Self { reservation: Some(reservation), want, sink: Arc::clone(sink), prices, clock })
    }

    /// The call was answered. Where the provider does not tell what it took, what was reserved stays taken.
    pub(super) fn answered(&mut self, target: &Target, usage: Option<Usage>) -> Option<Money> {
        let usage = usage?;
        let cost = self.prices.cost(&target.provider, &target.model, usage);
        if let Some(reservation) = self.reservation.take() {
            let took = Want { tokens: usage.total_tokens(), money: cost };
            reservation.settle(took, self.clock.now_ms());
            self.sink.tell(Fact::Charged { tokens: took.tokens, money: took.money });
        }
        cost
    }

    /// Nothing was answered, and nothing taken.
    pub(super) fn failed(mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(Want { tokens: 0, money: Some(Money(0)) }, self.clock.now_ms());
        }
    }
}

impl Drop for Meter {
    /// What was reserved and not settled stays taken.
    fn drop(&mut self) {
        if self.reservation.take().is_some() {
            self.sink.tell(Fact::Charged { tokens: self.want.tokens, money: self.want.money });
        }
    }
}
