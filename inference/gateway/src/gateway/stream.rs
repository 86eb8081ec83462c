//! Answers piece by piece. What has been passed on cannot be taken back: after the first piece nobody else is asked, and an
//! answer that does not fit its schema ends with an error.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{Assembler, ChatAnswer, Delta, FinishReason, Usage};

use super::ask::{Ask, GatewayError};
use super::meter::{Meter, OUTPUT_TOKENS_GUESSED};
use super::table::Table;
use super::{Gateway, tell_left_out};
use crate::cache::{Cache, CacheKey, Kept};
use crate::error::CallError;
use crate::facts::{Fact, Sink};
use crate::ports::Clock;
use crate::route::{Asking, Attempt, Route, Routed};
use crate::schema::Schema;
use crate::upstream::{Piece, Prompt, Streamed, Upstream};

/// An answer that comes piece by piece. It ends with the first error. Dropping it cancels the call.
pub struct ReplyStream {
    pieces: BoxStream<'static, Result<Piece, CallError>>,
    watch: Option<Box<Watch>>,
}

impl std::fmt::Debug for ReplyStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReplyStream").finish_non_exhaustive()
    }
}

impl ReplyStream {
    /// The pieces of an answer that was there already.
    pub(super) fn kept(answer: &ChatAnswer) -> Self {
        let pieces: Vec<_> =
            answer.deltas().into_iter().map(|delta| Ok(Piece { deltas: vec![delta], raw: None })).collect();
        Self { pieces: stream::iter(pieces).boxed(), watch: None }
    }
}

impl Stream for ReplyStream {
    type Item = Result<Piece, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = std::task::ready!(self.pieces.poll_next_unpin(context));
        let Some(watch) = &mut self.watch else { return Poll::Ready(piece) };
        Poll::Ready(match piece {
            Some(Ok(piece)) => match watch.take(&piece) {
                Ok(()) => Some(Ok(piece)),
                Err(error) => self.end(error),
            },
            Some(Err(error)) => self.end(error),
            None => match self.watch.take().and_then(|mut watch| watch.complete()) {
                Some(error) => {
                    self.pieces = stream::empty().boxed();
                    Some(Err(error))
                }
                None => None,
            },
        })
    }
}

impl ReplyStream {
    fn end(&mut self, error: CallError) -> Option<Result<Piece, CallError>> {
        self.pieces = stream::empty().boxed();
        if let Some(mut watch) = self.watch.take() {
            watch.fail(&error);
        }
        Some(Err(error))
    }
}

/// Watches a stream until it ends, however it ends.
struct Watch {
    routed: Routed<()>,
    meter: Meter,
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    request_id: Option<String>,
    model: String,
    system_fingerprint: Option<String>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    /// The answer, where it is checked or kept.
    assembler: Option<Assembler>,
    schema: Option<Arc<Schema>>,
    keep: Option<(Arc<Cache>, CacheKey, String)>,
    ended: bool,
}

impl Watch {
    fn take(&mut self, piece: &Piece) -> Result<(), CallError> {
        for delta in &piece.deltas {
            match delta {
                Delta::Started { model, system_fingerprint, .. } => {
                    self.model.clone_from(model);
                    self.system_fingerprint.clone_from(system_fingerprint);
                }
                Delta::Finished { choice: 0, reason } => self.finish = Some(reason.clone()),
                Delta::Usage(usage) => self.usage = Some(*usage),
                _ => {}
            }
            if let Some(assembler) = &mut self.assembler {
                assembler.take(delta).map_err(|error| CallError::garbage(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// The answer is whole; the error with which it ends all the same, if it does not fit.
    fn complete(&mut self) -> Option<CallError> {
        self.ended = true;
        self.routed.succeeded();
        let (attempt, target) = (self.routed.attempt, self.routed.target.clone());
        let cost = self.meter.answered(&target, self.usage);
        self.sink.tell(Fact::Completed {
            attempt,
            provider: target.provider,
            model: if self.model.is_empty() { target.model } else { std::mem::take(&mut self.model) },
            finish: self.finish.as_ref().map(|finish| finish.name().to_owned()),
            usage: self.usage,
            cost,
            request_id: self.request_id.take(),
            system_fingerprint: self.system_fingerprint.take(),
            after_us: self.after_us(),
        });
        let answer = self.assembler.take()?.finish();
        let calls_tools = self.finish == Some(FinishReason::ToolCalls);
        if let Some(schema) = self.schema.take().filter(|_| !calls_tools)
            && let Err(violations) = schema.check(&answer.text())
        {
            let message = format!("the model's answer does not fit the schema: {}", violations.join("; "));
            self.sink.tell(Fact::OutputSchemaViolated { attempt, violations, repairing: false });
            return Some(CallError::new(ErrorClass::Garbage, message));
        }
        if let Some((cache, key, call_id)) = self.keep.take()
            && !matches!(self.finish, Some(FinishReason::ContentFilter) | None)
        {
            let bytes = crate::cache::size_of(&answer);
            cache.keep(key, Kept::Chat(Arc::new(answer), None), bytes, &call_id, self.clock.now_ms());
        }
        None
    }

    fn fail(&mut self, error: &CallError) {
        self.ended = true;
        self.routed.failed(error);
        let target = self.routed.target.clone();
        self.meter.answered(&target, self.usage.filter(|_| self.finish.is_some()));
        self.sink.tell(Fact::AttemptFailed {
            attempt: self.routed.attempt,
            class: error.class,
            status: error.status,
            retry_after_ms: error.retry_after_ms,
            message: error.message.clone(),
            after_us: self.after_us(),
        });
    }

    fn after_us(&self) -> u64 {
        self.clock.monotonic_us().saturating_sub(self.routed.began_us)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // All was said, and the caller knows. Otherwise the target is told that nobody waits.
        if !self.ended && self.finish.is_some() {
            self.complete();
        }
    }
}

struct InPieces<'p>(&'p Prompt);

impl Asking for InPieces<'_> {
    type Answer = Streamed;

    fn ask<'u>(&'u self, upstream: &'u dyn Upstream, model: &'u str) -> BoxFuture<'u, Result<Streamed, CallError>> {
        upstream.stream(self.0, model)
    }
}

impl Gateway {
    pub(super) async fn stream(
        &self,
        table: &Table,
        route: &Route,
        ask: &Ask,
        schema: Option<Arc<Schema>>,
        keep: Option<CacheKey>,
    ) -> Result<ReplyStream, GatewayError> {
        let prompt = &ask.prompt;
        let guess = (prompt.text_bytes(), prompt.output_tokens_max().unwrap_or(OUTPUT_TOKENS_GUESSED));
        let sink = ask.sink.as_ref();
        let meter = Meter::begin(&self.limits, (table, route), &ask.holders, guess, &self.clock, &ask.sink)?;
        let find = |provider: &str| table.find(provider);
        let with = Attempt {
            find: &find,
            key: ask.key.as_deref(),
            attempts: 0,
            clock: &self.clock,
            chance: &self.chance,
            sink: &ask.sink,
        };
        let routed = match route.call(&with, &InPieces(prompt)).await {
            Ok(routed) => routed,
            Err(error) => {
                meter.failed();
                return Err(error.into());
            }
        };
        let after_us = self.clock.monotonic_us().saturating_sub(routed.began_us);
        sink.tell(Fact::FirstToken { attempt: routed.attempt, after_us });
        tell_left_out(sink, routed.attempt, &routed.value.notes);
        let mut pieces = stream::empty().boxed();
        let mut request_id = None;
        let routed = routed.map(|streamed| {
            pieces = streamed.pieces;
            request_id = streamed.notes.request_id;
        });
        let wants_whole = schema.is_some() || keep.is_some();
        let watch = Box::new(Watch {
            routed,
            meter,
            sink: Arc::clone(&ask.sink),
            clock: Arc::clone(&self.clock),
            request_id,
            model: String::new(),
            system_fingerprint: None,
            finish: None,
            usage: None,
            assembler: wants_whole.then(Assembler::default),
            schema,
            keep: keep.map(|key| (Arc::clone(&self.cache), key, ask.call_id.clone())),
            ended: false,
        });
        Ok(ReplyStream { pieces, watch: Some(watch) })
    }
}
