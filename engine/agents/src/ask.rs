//! Asks the model.

use timeloom_domain::agent_run::{AgentRun, AgentRunEvent, MODEL_TRIES_MAX, ModelTurn};
use timeloom_domain::chat::ChatRequest;
use timeloom_domain::ids::Actor;
use timeloom_domain::inference::port::{Asker, Chatted, NotAnswered};

use crate::AGENTS_ACTOR;
use crate::drive::{Driver, Taken};

/// Pause before a question is asked again, in milliseconds; four times as long each time.
const RETRY_MS: i64 = 500;
/// Longest time after which a question is asked again, in milliseconds: what takes longer has failed.
const RETRY_MS_MAX: i64 = 60_000;
/// Longest reason that is written down, in characters.
const MESSAGE_CHARACTERS_MAX: usize = 1_000;

impl Driver {
    pub(crate) async fn ask(&self, run: &AgentRun, turn: u32, attempt: u32) -> Taken {
        let (request, request_digest, at_ms) = (run.request(), run.request_digest(), self.now_ms());
        let asked = AgentRunEvent::AgentModelAsked { turn, attempt, request_digest, at_ms };
        match self.take(asked).await {
            Taken::Look => {}
            not_begun => return not_begun,
        }
        let asker = self.asker(run, turn);
        let answering =
            tokio::time::timeout(self.time_left(run), self.answered(&asker, request, run.fallback_request()));
        let Some(answered) = self.unless_over(answering).await else { return Taken::Look };
        let at_ms = self.now_ms();
        let event = match answered {
            Ok(Ok(chatted)) => AgentRunEvent::AgentModelAnswered { turn, answer: Box::new(turn_of(chatted)), at_ms },
            Ok(Err(reason)) => {
                let retry_at_ms = retry_at_ms(&reason, attempt, at_ms);
                let message = reason.to_string().chars().take(MESSAGE_CHARACTERS_MAX).collect();
                let code = reason.code().to_owned();
                AgentRunEvent::AgentModelFailed { turn, code, message, retry_at_ms, at_ms }
            }
            // The limit of time is what the run fails with.
            Err(_) => {
                let (code, message) = ("timeout".to_owned(), "there was no answer in time".to_owned());
                AgentRunEvent::AgentModelFailed { turn, code, message, retry_at_ms: Some(at_ms), at_ms }
            }
        };
        self.take(event).await
    }

    /// What the model says; where it cannot answer, what the one says that stands in for it. A question that is refused is not
    /// passed on: somebody has to mend what is set up.
    async fn answered(
        &self,
        asker: &Asker,
        request: ChatRequest,
        fallback: Option<ChatRequest>,
    ) -> Result<Chatted, NotAnswered> {
        let models = &self.runs.inner.parts.services.models;
        match (models.chat(asker, request).await, fallback) {
            (Err(NotAnswered::Held { .. } | NotAnswered::Failed { .. }), Some(request)) => {
                models.chat(asker, request).await
            }
            (answered, _) => answered,
        }
    }

    fn asker(&self, run: &AgentRun, turn: u32) -> Asker {
        let facts = run.facts.as_deref();
        let caller = facts.and_then(|facts| facts.caller.as_ref());
        Asker {
            causation: Some(self.begun_by),
            correlation: Some(self.correlation),
            workflow: caller.map(|caller| caller.workflow),
            execution: caller.map(|caller| caller.execution),
            node: caller.map(|caller| caller.node.clone()),
            agent: facts.map(|facts| facts.agent.clone()),
            agent_run: Some(self.run),
            key: Some(format!("{}/{turn}", self.run)),
            ..Asker::new(self.tenant, Actor::System(AGENTS_ACTOR.to_owned()))
        }
    }
}

fn turn_of(chatted: Chatted) -> ModelTurn {
    let Chatted { call, provider, answer, cost } = chatted;
    let choice = answer.choices.into_iter().next().unwrap_or_default();
    ModelTurn {
        call: Some(call),
        provider,
        model: answer.model,
        parts: choice.parts,
        finish: choice.finish,
        usage: answer.usage,
        cost,
    }
}

/// When a question is asked again; `None` where it is not.
fn retry_at_ms(reason: &NotAnswered, attempt: u32, now_ms: i64) -> Option<i64> {
    if !reason.may_pass() || attempt >= MODEL_TRIES_MAX {
        return None;
    }
    let own_ms = RETRY_MS << (2 * attempt.saturating_sub(1).min(3));
    let after_ms = match reason {
        NotAnswered::Held { retry_after_ms: Some(after_ms), .. } => i64::try_from(*after_ms).unwrap_or(i64::MAX),
        _ => own_ms,
    };
    (after_ms <= RETRY_MS_MAX).then(|| now_ms.saturating_add(after_ms))
}

#[cfg(test)]
mod tests {
    use timeloom_domain::chat::ErrorClass;

    use super::*;

    #[test]
    fn a_question_is_asked_again_only_where_that_helps_and_soon() {
        let held = |retry_after_ms| NotAnswered::Held { code: "LIMIT", message: String::new(), retry_after_ms };
        assert_eq!(retry_at_ms(&held(Some(2_000)), 1, 10), Some(2_010));
        assert_eq!(retry_at_ms(&held(Some(86_400_000)), 1, 10), None, "a budget that comes back tomorrow");
        assert_eq!(retry_at_ms(&held(None), 1, 0), Some(500));
        assert_eq!(retry_at_ms(&held(None), 3, 0), Some(8_000));
        assert_eq!(retry_at_ms(&held(None), MODEL_TRIES_MAX, 0), None);
        let refused = NotAnswered::Refused { code: "ROUTE_NOT_FOUND", message: String::new() };
        assert_eq!(retry_at_ms(&refused, 1, 0), None);
        let failed = |class| NotAnswered::Failed { class, message: String::new(), call: None };
        assert!(retry_at_ms(&failed(ErrorClass::Overloaded), 1, 0).is_some());
        assert_eq!(retry_at_ms(&failed(ErrorClass::BadRequest), 1, 0), None);
    }
}
