//! A call under way. However it ends, that is written down: also when nobody waits for it any more.

use std::sync::Arc;

use timeloom_commands::Finder;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::ids::ModelCallId;
use timeloom_domain::model_call::{CallAnswer, CallAttempt, CallRequest, ModelCall, ModelCallEvent};
use timeloom_domain::money::Money;

use super::Inner;
use super::content::Said;
use super::story::{Story, Told, WORDS_CHARACTERS_MAX};
use crate::recorder::{Cause, NotRecorded};

/// A call under way.
pub(super) struct Pending {
    pub call: ModelCallId,
    story: Arc<Story>,
    /// What is needed to write it down; nothing once that began.
    rest: Option<Box<Rest>>,
}

/// What is needed to write a call down.
pub(super) struct Rest {
    pub inner: Arc<Inner>,
    pub cause: Cause,
    pub request: CallRequest,
    pub prompt: Said,
    pub finder: Option<Arc<Finder>>,
    /// What prices are in.
    pub currency: Option<String>,
    pub began_us: u64,
}

/// How a call ended.
pub(super) enum Ending {
    Answered { content: Said },
    Failed { class: ErrorClass, reason: String, retry_after_ms: Option<u64> },
    Refused { code: &'static str, reason: String, retry_after_ms: Option<u64> },
    Cancelled,
}

/// What whoever asked is told beside the answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Summary {
    pub provider: Option<String>,
    pub cost: Option<Money>,
}

impl Pending {
    pub fn new(call: ModelCallId, story: Arc<Story>, rest: Rest) -> Self {
        Self { call, story, rest: Some(Box::new(rest)) }
    }

    /// Writes down how it ended, and answers when that is safe. Whoever stops waiting for it does not stop it.
    ///
    /// # Errors
    /// When it is not in the log.
    pub async fn end(mut self, ending: Ending) -> Result<Summary, NotRecorded> {
        let Some(rest) = self.rest.take() else { return Err(NotRecorded::Closed) };
        let (tasks, home) = (rest.inner.tasks.clone(), rest.inner.home.clone());
        let written = tasks.spawn_on(write_down(self.call, rest, self.story.take(), ending), &home);
        written.await.unwrap_or(Err(NotRecorded::Closed))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(rest) = self.rest.take() else { return };
        let (call, told) = (self.call, self.story.take());
        let (tasks, home) = (rest.inner.tasks.clone(), rest.inner.home.clone());
        tasks.spawn_on(
            async move {
                if let Err(error) = write_down(call, rest, told, Ending::Cancelled).await {
                    tracing::warn!(%call, %error, "that a call to a language model was cancelled is not written down");
                }
            },
            &home,
        );
    }
}

async fn write_down(id: ModelCallId, rest: Box<Rest>, told: Told, ending: Ending) -> Result<Summary, NotRecorded> {
    let Rest { inner, cause, mut request, prompt, finder, currency, began_us } = *rest;
    let failed = |error: timeloom_store::BlobError| NotRecorded::Failed(error.to_string());
    // What was not asked is not kept: who is held back often asks often.
    let prompt = if matches!(ending, Ending::Refused { .. }) { prompt.digest() } else { prompt };
    request.prompt = prompt.written(inner.blobs.as_ref()).await.map_err(failed)?;
    let Told { mut attempts, usage, cost, charged, cached_from, circuits } = told;
    let hidden = |mut text: String| {
        if let Some(finder) = &finder {
            finder.hide_in_text(&mut text);
        }
        text
    };
    attempts.iter_mut().for_each(|attempt| hide_words(attempt, &hidden));
    request.route = hidden(std::mem::take(&mut request.route));
    let last = attempts.last();
    let summary = Summary { provider: last.map(|attempt| attempt.provider.clone()), cost };
    let (model, finish) = last.map(|last| (last.answered_by.clone(), last.finish.clone())).unwrap_or_default();
    let took_us = inner.clock.monotonic_us().saturating_sub(began_us);
    let (charged_tokens, charged_money) = charged;
    let currency = cost.and(currency);
    let call =
        Box::new(ModelCall { id, request, attempts, usage, cost, currency, charged_tokens, charged_money, took_us });
    let ended = match ending {
        Ending::Answered { content } => {
            let content = content.written(inner.blobs.as_ref()).await.map_err(failed)?;
            let cached_from = cached_from.and_then(|source| source.parse().ok());
            let answer = CallAnswer { content, model: model.unwrap_or_default(), finish, cached_from };
            ModelCallEvent::ModelCallCompleted { call, answer: Box::new(answer) }
        }
        Ending::Failed { class, reason, retry_after_ms } => {
            ModelCallEvent::ModelCallFailed { call, class, reason: hidden(reason), retry_after_ms }
        }
        Ending::Refused { code, reason, retry_after_ms } => {
            let code = code.to_owned();
            ModelCallEvent::ModelCallRefused { call, code, reason: hidden(reason), retry_after_ms }
        }
        Ending::Cancelled => ModelCallEvent::ModelCallCancelled { call },
    };
    let tenant = cause.tenant;
    let mut events = circuits;
    events.push(ended);
    inner.calls.record(cause, &events).await?;
    events.iter().for_each(|event| inner.numbers.count(tenant, event));
    Ok(summary)
}

/// Hides secrets in what a provider said of an attempt: it may repeat the key wherever it has words of its own.
fn hide_words(attempt: &mut CallAttempt, hidden: &impl Fn(String) -> String) {
    if let Some(failure) = &mut attempt.failure {
        failure.message = hidden(std::mem::take(&mut failure.message));
    }
    attempt.violations = std::mem::take(&mut attempt.violations).into_iter().map(hidden).collect();
    let words =
        [&mut attempt.answered_by, &mut attempt.finish, &mut attempt.request_id, &mut attempt.system_fingerprint];
    for word in words.into_iter().flatten() {
        *word = hidden(std::mem::take(word)).chars().take(WORDS_CHARACTERS_MAX).collect();
    }
}

#[cfg(test)]
mod tests {
    use timeloom_commands::SecretTexts;
    use timeloom_domain::model_call::CallFailure;

    use super::*;

    #[test]
    fn a_key_that_a_provider_repeats_anywhere_in_its_answer_is_written_down_nowhere() {
        const KEY: &str = "sk-0123456789abcdef0123456789abcdef";
        let secrets = SecretTexts::default();
        secrets.note("provider", KEY);
        let finder = secrets.finder().unwrap();
        let said = || Some(format!("model for {KEY}"));
        let failure =
            CallFailure { class: None, status: Some(401), retry_after_ms: None, message: format!("bad {KEY}") };
        let mut attempt = CallAttempt {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            reason: "first".to_owned(),
            left_out: Vec::new(),
            first_token_us: None,
            took_us: 1,
            failure: Some(failure),
            answered_by: said(),
            finish: said(),
            usage: None,
            cost: None,
            request_id: said(),
            system_fingerprint: said(),
            violations: vec![format!("not {KEY}")],
        };
        hide_words(&mut attempt, &|mut text| {
            finder.hide_in_text(&mut text);
            text
        });
        let written = serde_json::to_string(&attempt).unwrap();
        assert!(!written.contains("0123456789abcdef"), "{written}");
        assert_eq!(written.matches("model for ").count(), 4, "what else was said stays: {written}");
    }
}
