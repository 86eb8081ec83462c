//! Texts into vectors, through the routes as chats go.

use std::sync::Arc;

use futures::future::BoxFuture;
use timeloom_domain::chat::{EmbedAnswer, EmbedRequest};

use super::ask::{AskEmbed, GatewayError};
use super::meter::Meter;
use super::{Gateway, tell_left_out};
use crate::cache::{CacheKey, Hit, Kept, embed_key};
use crate::error::CallError;
use crate::facts::Fact;
use crate::route::{Asking, Attempt};
use crate::upstream::{Embedded, Upstream};

struct Vectors<'p>(&'p EmbedRequest);

impl Asking for Vectors<'_> {
    type Answer = Embedded;

    fn ask<'u>(&'u self, upstream: &'u dyn Upstream, model: &'u str) -> BoxFuture<'u, Result<Embedded, CallError>> {
        upstream.embed(self.0, model)
    }
}

impl Gateway {
    /// Asks for vectors.
    ///
    /// # Errors
    /// [`GatewayError`] when there are none.
    pub async fn embed(&self, ask: AskEmbed) -> Result<EmbedAnswer, GatewayError> {
        let table = self.table();
        let route = table.route(&ask.request.model)?;
        let age_ms_max = ask.cache.unwrap_or(route.config().cache).age_ms_max(true);
        let keep: Option<(CacheKey, i64)> = age_ms_max.map(|age| (embed_key(route.fingerprint(), &ask.request), age));
        if let Some((key, age_ms_max)) = keep
            && let Some(Hit { kept: Kept::Embed(answer), source }) =
                self.cache.find(key, age_ms_max, self.clock.now_ms())
        {
            ask.sink.tell(Fact::CacheHit { source });
            return Ok((*answer).clone());
        }
        let guess = (ask.request.input.text_bytes(), 0);
        let sink = ask.sink.as_ref();
        let mut meter = Meter::begin(&self.limits, (&table, &route), &ask.holders, guess, &self.clock, &ask.sink)?;
        let find = |provider: &str| table.find(provider);
        let with = Attempt {
            find: &find,
            key: ask.key.as_deref(),
            attempts: 0,
            clock: &self.clock,
            chance: &self.chance,
            sink: &ask.sink,
        };
        let routed = route.call(&with, &Vectors(&ask.request)).await;
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
        let embedded = routed.value;
        let cost = meter.answered(&target, embedded.answer.usage);
        tell_left_out(sink, attempt, &embedded.notes);
        let answer = embedded.answer;
        sink.tell(Fact::Completed {
            attempt,
            provider: target.provider,
            model: if answer.model.is_empty() { target.model } else { answer.model.clone() },
            finish: None,
            usage: answer.usage,
            cost,
            request_id: embedded.notes.request_id,
            system_fingerprint: None,
            after_us,
        });
        if let Some((key, _)) = keep {
            let bytes = answer.vectors.iter().map(|vector| vector.len() * 4 + 24).sum();
            let kept = Kept::Embed(Arc::new(answer.clone()));
            self.cache.keep(key, kept, bytes, &ask.call_id, self.clock.now_ms());
        }
        Ok(answer)
    }
}
