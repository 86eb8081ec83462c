//! Answers as a whole.

use std::sync::Arc;

use futures::future::BoxFuture;
use timeloom_domain::chat::FinishReason;

use super::ask::{Ask, GatewayError};
use super::meter::{Meter, OUTPUT_TOKENS_GUESSED};
use super::table::Table;
use super::{Gateway, tell_left_out};
use crate::cache::{CacheKey, Kept};
use crate::error::CallError;
use crate::facts::Fact;
use crate::route::{Asking, Attempt, Route};
use crate::schema::{Schema, repair};
use crate::upstream::{Answered, Prompt, Upstream};

struct AsAWhole<'p>(&'p Prompt);

impl Asking for AsAWhole<'_> {
    type Answer = Answered;

    fn ask<'u>(&'u self, upstream: &'u dyn Upstream, model: &'u str) -> BoxFuture<'u, Result<Answered, CallError>> {
        upstream.chat(self.0, model)
    }
}

impl Gateway {
    pub(super) async fn whole(
        &self,
        table: &Table,
        route: &Route,
        ask: &Ask,
        schema: Option<&Schema>,
        keep: Option<CacheKey>,
    ) -> Result<Answered, GatewayError> {
        let (answered, attempt) = self.once(table, route, ask, &ask.prompt, 0).await?;
        let Some(violations) = violations_of(&answered, schema) else {
            self.keep(keep, &answered, &ask.call_id);
            return Ok(answered);
        };
        let repairing = route.config().repair;
        ask.sink.tell(Fact::OutputSchemaViolated { attempt, violations: violations.clone(), repairing });
        if !repairing {
            return Err(GatewayError::Violated { violations });
        }
        let request = ask.prompt.as_words().map_err(GatewayError::Invalid)?;
        let again = Prompt::words(repair(request, &answered.answer.text(), &violations));
        let (answered, attempt) = self.once(table, route, ask, &again, attempt).await?;
        if let Some(violations) = violations_of(&answered, schema) {
            let told = Fact::OutputSchemaViolated { attempt, violations: violations.clone(), repairing: false };
            ask.sink.tell(told);
            return Err(GatewayError::Violated { violations });
        }
        self.keep(keep, &answered, &ask.call_id);
        Ok(answered)
    }

    /// One call along the route, and the attempt that was answered.
    async fn once(
        &self,
        table: &Table,
        route: &Route,
        ask: &Ask,
        prompt: &Prompt,
        attempts: u32,
    ) -> Result<(Answered, u32), GatewayError> {
        let guess = (prompt.text_bytes(), prompt.output_tokens_max().unwrap_or(OUTPUT_TOKENS_GUESSED));
        let sink = ask.sink.as_ref();
        let mut meter = Meter::begin(&self.limits, (table, route), &ask.holders, guess, &self.clock, &ask.sink)?;
        let find = |provider: &str| table.find(provider);
        let with = Attempt {
            find: &find,
            key: ask.key.as_deref(),
            attempts,
            clock: &self.clock,
            chance: &self.chance,
            sink: &ask.sink,
        };
        let routed = route.call(&with, &AsAWhole(prompt)).await;
        let mut routed = match routed {
            Ok(routed) => routed,
            Err(error) => {
                meter.failed();
                return Err(error.into());
            }
        };
        routed.succeeded();
        let after_us = self.clock.monotonic_us().saturating_sub(routed.began_us);
        let (attempt, target) = (routed.attempt, routed.target.clone());
        let answered = routed.value;
        let answer = &answered.answer;
        let cost = meter.answered(&target, answer.usage);
        tell_left_out(sink, attempt, &answered.notes);
        sink.tell(Fact::Completed {
            attempt,
            provider: target.provider,
            model: if answer.model.is_empty() { target.model } else { answer.model.clone() },
            finish: answer.finish().map(|finish| finish.name().to_owned()),
            usage: answer.usage,
            cost,
            request_id: answered.notes.request_id.clone(),
            system_fingerprint: answer.system_fingerprint.clone(),
            after_us,
        });
        Ok((answered, attempt))
    }

    fn keep(&self, key: Option<CacheKey>, answered: &Answered, call_id: &str) {
        let Some(key) = key else { return };
        let held_back = matches!(answered.answer.finish(), Some(FinishReason::ContentFilter) | None);
        if held_back {
            return;
        }
        let bytes = answered.raw.as_ref().map_or(0, bytes::Bytes::len) + crate::cache::size_of(&answered.answer);
        let kept = Kept::Chat(Arc::new(answered.answer.clone()), answered.raw.clone());
        self.cache.keep(key, kept, bytes, call_id, self.clock.now_ms());
    }
}

/// In which ways an answer does not fit. An answer that calls tools is not there yet.
fn violations_of(answered: &Answered, schema: Option<&Schema>) -> Option<Vec<String>> {
    let schema = schema?;
    if matches!(answered.answer.finish(), Some(FinishReason::ToolCalls)) {
        return None;
    }
    schema.check(&answered.answer.text()).err()
}
