//! Scorers that are language models: each is asked by the gateway, so that its limits and budgets hold, and the call is
//! recorded with what was said and what it cost.
//!
//! Invariant: a judge that does not answer costs its score and nothing else; an evaluation that is begun again after a crash
//! finds in the log what its judges said, as far as their routes write that down, and does not ask them for it again.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use timeloom_commands::CommandError;
use timeloom_domain::chat::{ChatAnswer, ChatRequest};
use timeloom_domain::evaluation::{
    JUDGE_NAME_CHARACTERS_MAX, Judged, Judgement, NamedScorer, REASON_CHARACTERS_MAX, Scorer, judge_request, one_line,
    read_judgement,
};
use timeloom_domain::evaluation_set::EvaluationCase;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::{Actor, ModelCallId};
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::model_call::{CallContent, ModelCallEvent};
use timeloom_gateway::cache::{CacheKey, chat_key};
use timeloom_gateway::upstream::Prompt;
use timeloom_inference_worker::language::{CallReply, Called, LanguageAsker, NotSaid, Unanswered};
use timeloom_inference_worker::{Cause, NotRecorded};
use timeloom_store::{BlobHash, Direction, Filter, LogError, RecordedEvent, TenantScope, codec};

use crate::models::Models;

/// Longest time for one judgement, with all waiting for room: a judge that takes longer gives none.
const JUDGE_TIME_MAX: Duration = Duration::from_secs(300);
/// The same for messages.
const JUDGE_MINUTES_MAX: u64 = JUDGE_TIME_MAX.as_secs() / 60;
/// Most times that a judge is asked whom a limit held back.
const TRIES_MAX: u32 = 5;
/// Longest wait for room before it is asked again: a limit of a minute has room by then.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(60);
/// Wait for a log that is behind.
const BEHIND_WAIT: Duration = Duration::from_secs(2);
/// Shortest wait for room.
const ROOM_WAIT_MIN: Duration = Duration::from_millis(100);
/// Events of calls that are read at a time.
const PAGE_EVENTS: usize = 500;
/// Most events of calls that are looked through for those of an evaluation that was begun before.
const LOOKED_THROUGH_EVENTS_MAX: usize = 200_000;

/// The judges of one evaluation.
pub(super) struct Judges<'a> {
    models: &'a Models,
    asked: &'a RecordedEvent,
    /// The set and its version, of whose cases the outputs are.
    on: String,
    /// What they said before, by the digest of the key under which they were asked.
    said: HashMap<String, Said>,
}

/// What a judge said before.
struct Said {
    call: ModelCallId,
    provider: Option<String>,
    /// Over everything that was asked.
    digest: Option<String>,
    content: CallContent,
}

/// An answer, and by whom.
struct Answered {
    call: ModelCallId,
    provider: Option<String>,
    answer: ChatAnswer,
}

impl<'a> Judges<'a> {
    /// The judges of the evaluation that `asked` asks for, on a version of a set.
    pub(super) async fn begin(
        models: &'a Models,
        asked: &'a RecordedEvent,
        scorers: &[NamedScorer],
        on: String,
    ) -> Result<Self, LogError> {
        let has_some = scorers.iter().any(is_judge);
        let said = if has_some { said_before(models, asked).await? } else { HashMap::new() };
        Ok(Self { models, asked, on, said })
    }

    /// What a judge says of the output for a case, or why it says nothing.
    ///
    /// # Errors
    /// When nothing can be said now, and the evaluation has to be begun again: the process ends, or the log fails.
    pub(super) async fn judgement(
        &self,
        named: &NamedScorer,
        (route, rubric): (&str, &str),
        case: &EvaluationCase,
        output: &Value,
    ) -> Result<Judgement, CommandError> {
        let expected = case.expected.as_ref().and_then(|expected| expected.pointer(&named.expected_at));
        let request = match judge_request(route, rubric, Judged { input: &case.input, expected, output }) {
            Ok(request) => request,
            Err(why) => return Ok(Judgement::none(&named.name, why)),
        };
        // The same in every evaluation on these cases: where targets are tried side by side, the same one judges a case.
        let key = format!("evaluation/{}/{}/{}", self.on, named.name, case.id);
        if let Some(answered) = self.said_to(&key, &request).await {
            return Ok(self.judged(&named.name, answered).await);
        }
        let language = self.models.language();
        let prompt = || Prompt::words(request.clone());
        let asking = async {
            let mut tries = 1;
            loop {
                match language.chat(self.asker(key.clone()), prompt()).await {
                    Err(Unanswered { why: NotSaid::Gateway(error), .. })
                        if tries < TRIES_MAX && room_after(error.retry_after_ms()).is_some() =>
                    {
                        tokio::time::sleep(room_after(error.retry_after_ms()).unwrap_or(ROOM_WAIT_MIN)).await;
                        tries += 1;
                    }
                    // It was answered, and the log is too slow to take that down: what is asked again costs again.
                    Err(Unanswered { why: NotSaid::NotRecorded(NotRecorded::Behind), .. }) if tries < TRIES_MAX => {
                        tokio::time::sleep(BEHIND_WAIT).await;
                        tries += 1;
                    }
                    ended => return ended,
                }
            }
        };
        match tokio::time::timeout(JUDGE_TIME_MAX, Box::pin(asking)).await {
            Ok(Ok(called)) => Ok(self.judged_by_call(&named.name, called).await),
            // Nobody was to blame for it: whoever takes the evaluation up next asks.
            Ok(Err(Unanswered { why: NotSaid::Draining | NotSaid::NotRecorded(NotRecorded::Closed), .. })) => {
                Err(LogError::Closed.into())
            }
            Ok(Err(Unanswered { call, why })) => {
                let mut reason = format!("the judge did not answer: {why}");
                if matches!(why, NotSaid::Gateway(_)) {
                    reason = self.hidden(reason).await;
                }
                Ok(Judgement { call, ..Judgement::none(&named.name, reason) })
            }
            Err(_) => {
                let why = format!("the judge did not answer within {JUDGE_MINUTES_MAX} minutes");
                Ok(Judgement::none(&named.name, why))
            }
        }
    }

    /// Who asks: nobody but the evaluation, with nothing of what is tried.
    fn asker(&self, key: String) -> LanguageAsker {
        let cause = Cause {
            tenant: self.asked.stream.tenant,
            actor: Actor::System(super::NAME.to_owned()),
            causation: Some(self.asked.id),
            correlation: self.asked.metadata.correlation_id.or(Some(self.asked.id)),
        };
        LanguageAsker { key: Some(key), ..LanguageAsker::new(cause) }
    }

    /// What it answered when this was asked before.
    async fn said_to(&self, key: &str, request: &ChatRequest) -> Option<Answered> {
        let key: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let said = self.said.get(&hexadecimal(&key))?;
        // A model that is tried again may have another output than before.
        let CacheKey(digest) = chat_key(&[0; 32], request);
        if said.digest.as_deref() != Some(hexadecimal(&digest).as_str()) {
            return None;
        }
        let answer: ChatAnswer = match &said.content {
            CallContent::Inline(text) => serde_json::from_str(text).ok()?,
            CallContent::Blob(id) => {
                let bytes = self.models.inner.blobs.get(BlobHash::of_attachment(id)?).await.ok()?;
                serde_json::from_slice(&bytes).ok()?
            }
            CallContent::Omitted { .. } | CallContent::Nothing => return None,
        };
        // A mark in the place of a secret may have spoilt it.
        read_judgement(&answer).ok()?;
        Some(Answered { call: said.call, provider: said.provider.clone(), answer })
    }

    async fn judged_by_call(&self, scorer: &str, called: Called) -> Judgement {
        let Called { call, provider, reply, .. } = called;
        match reply {
            CallReply::Whole(answered) => {
                self.judged(scorer, Answered { call, provider, answer: answered.answer }).await
            }
            CallReply::Stream(_) => {
                let why = "the judge answered piece by piece, which nobody asked for: this is a fault of Timeloom";
                Judgement { call: Some(call), ..Judgement::none(scorer, why) }
            }
        }
    }

    async fn judged(&self, scorer: &str, answered: Answered) -> Judgement {
        let Answered { call, provider, answer } = answered;
        let (score, reason) = match read_judgement(&answer) {
            Ok(score) => (Some(score.value), score.reason),
            Err(why) => (None, Some(why)),
        };
        // Hidden before it is cut: the beginning of a secret is none that could be found.
        let reason = match reason {
            Some(reason) => Some(one_line(&self.hidden(reason).await, REASON_CHARACTERS_MAX)),
            None => None,
        };
        let model = one_line(&self.hidden(answer.model.clone()).await, JUDGE_NAME_CHARACTERS_MAX);
        Judgement {
            scorer: scorer.to_owned(),
            score,
            reason,
            model: Some(model).filter(|model| !model.is_empty()),
            provider,
            call: Some(call),
        }
    }

    /// The text without secrets of credentials, which a model may repeat that was given them. Where they cannot be looked
    /// for, nothing of it.
    async fn hidden(&self, mut text: String) -> String {
        match Box::pin(self.models.language().secrets(self.asked.stream.tenant)).await {
            Ok(finder) => {
                if let Some(finder) = finder {
                    finder.hide_in_text(&mut text);
                }
                text
            }
            Err(error) => {
                tracing::warn!(evaluation = %self.asked.stream, %error, "what a judge said cannot be looked through");
                "what the judge said is not kept: secrets in it could not be looked for".to_owned()
            }
        }
    }
}

/// Whether a scorer is a judge.
pub(super) fn is_judge(named: &NamedScorer) -> bool {
    matches!(named.scorer, Scorer::Judge { .. })
}

/// How long to wait for room, where it comes soon enough to wait for.
fn room_after(retry_after_ms: Option<u64>) -> Option<Duration> {
    let wait = Duration::from_millis(retry_after_ms?);
    (wait <= ROOM_WAIT_MAX).then(|| wait.max(ROOM_WAIT_MIN))
}

/// What the judges of an evaluation were answered so far: the calls that follow from its request.
async fn said_before(models: &Models, asked: &RecordedEvent) -> Result<HashMap<String, Said>, LogError> {
    let filter = Filter {
        categories: vec![ModelCallEvent::CATEGORY.into()],
        event_types: vec!["ModelCallCompleted".into()],
        ..Filter::default()
    };
    let (mut said, mut after, mut seen) = (HashMap::new(), asked.position, 0);
    while seen < LOOKED_THROUGH_EVENTS_MAX {
        let scope = TenantScope::One(asked.stream.tenant);
        let page = models.inner.log.read_all(scope, after, Direction::Forward, &filter, PAGE_EVENTS).await?;
        for event in page.iter().filter(|event| event.metadata.causation_id == Some(asked.id)) {
            let Ok(ModelCallEvent::ModelCallCompleted { call, answer }) = codec::decode(event) else { continue };
            let Some(key) = call.request.split_key else { continue };
            let provider = call.attempts.last().map(|attempt| attempt.provider.clone());
            let before = Said { call: call.id, provider, digest: call.request.digest, content: answer.content };
            said.insert(key, before);
        }
        seen += page.len();
        match page.last() {
            Some(last) if page.len() == PAGE_EVENTS => after = last.position,
            _ => break,
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_comes_late_or_never_is_not_waited_for() {
        assert_eq!(room_after(None), None);
        assert_eq!(room_after(Some(0)), Some(ROOM_WAIT_MIN));
        assert_eq!(room_after(Some(60_000)), Some(ROOM_WAIT_MAX));
        assert_eq!(room_after(Some(60_001)), None);
    }
}
