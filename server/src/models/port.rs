//! How nodes and agents of this process ask models, and the API what is taken of limits.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use async_trait::async_trait;
use timeloom_commands::{RecordedCases, Refusal};
use timeloom_domain::chat::{ChatRequest, EmbedRequest, ErrorClass};
use timeloom_domain::evaluation::InferenceSelection;
use timeloom_domain::gateway::GatewayLimit;
use timeloom_domain::ids::{Slug, TenantId};
use timeloom_domain::inference::port::{
    Answering, Asker, Chatted, Described, Embedded, InferencePort, ModelAnswer, ModelAsk, NotAnswered,
};
use timeloom_domain::model::ModelReference;
use timeloom_gateway::limits::Taken;
use timeloom_gateway::upstream::Prompt;
use timeloom_inference::pool::{NotComputed, Priority};
use timeloom_inference_worker::language::{CallReply, Called, LanguageModels, NotSaid, Unanswered};
use timeloom_inference_worker::{Cause, NotInferred, NotRecorded, Question, Worker};
use timeloom_read_api::{InferenceCases, LimitCounts, LimitTaken, NotCounted, NotMade};

use super::cards::Cards;
use super::{Models, evaluating};

/// The models of this process, for those parts of it that are made before it opens them.
#[derive(Debug, Default)]
pub struct Port {
    models: OnceLock<Models>,
    cards: Cards,
}

impl Port {
    /// From now on these are asked. The first ones stay.
    pub fn open(&self, models: Models) {
        // Whoever opens models twice gets the first ones: there is one set of them in a process.
        let _ = self.models.set(models);
    }

    /// Lets go of answers that are kept for the same question.
    pub fn forget_answers(&self) {
        if let Some(models) = self.models.get() {
            models.language().forget_answers();
        }
    }

    fn language(&self) -> Result<&LanguageModels, NotAnswered> {
        self.models.get().map(Models::language).ok_or_else(no_models)
    }

    async fn worker(&self) -> Result<&Worker, NotAnswered> {
        let models = self.models.get().ok_or_else(no_models)?;
        models.worker().await.map_err(|why| not_recorded(&why))
    }
}

fn no_models() -> NotAnswered {
    let message = "this process computes no models: ask a server that does".to_owned();
    NotAnswered::Refused { code: "NO_MODELS", message }
}

impl InferencePort for Port {
    fn describe<'a>(&'a self, asker: &'a Asker, model: &'a ModelReference) -> Answering<'a, Described> {
        Box::pin(async move {
            let described = self.worker().await?.describe(&cause(asker), model).await.map_err(not_inferred)?;
            let signature = described.signature;
            let about = match described.file {
                Some((path, beside)) => self.cards.about(path, beside).await,
                None => BTreeMap::new(),
            };
            Ok(Described {
                model: model.name.clone(),
                version: described.version,
                inputs: signature.inputs.clone(),
                outputs: signature.outputs.clone(),
                about,
            })
        })
    }

    fn infer<'a>(&'a self, asker: &'a Asker, ask: ModelAsk) -> Answering<'a, ModelAnswer> {
        Box::pin(async move {
            let model = ask.model.name.clone();
            let question = Question {
                cause: cause(asker),
                model: ask.model,
                inputs: ask.inputs,
                priority: Priority::default(),
                within: ask.within,
                key: asker.key.clone(),
                execution: asker.execution,
                node: asker.node.clone(),
                workflow: asker.workflow,
                agent: asker.agent.clone(),
            };
            let inferred = self.worker().await?.infer(question).await.map_err(not_inferred)?;
            let (inference, version, outputs) = (inferred.inference, inferred.version, inferred.outputs);
            Ok(ModelAnswer { inference, model, version, outputs })
        })
    }

    fn chat<'a>(&'a self, asker: &'a Asker, request: ChatRequest) -> Answering<'a, Chatted> {
        Box::pin(async move {
            let prompt = Prompt::words(ChatRequest { stream: false, ..request });
            let called = self.language()?.chat(asker.into(), prompt).await.map_err(not_said)?;
            let Called { call, provider, cost, reply } = called;
            match reply {
                CallReply::Whole(answered) => Ok(Chatted { call, provider, answer: answered.answer, cost }),
                CallReply::Stream(_) => {
                    let message = "the answer came piece by piece, which nobody asked for: this is a fault of Timeloom";
                    Err(failed(ErrorClass::Server, message.to_owned()))
                }
            }
        })
    }

    fn embed<'a>(&'a self, asker: &'a Asker, request: EmbedRequest) -> Answering<'a, Embedded> {
        Box::pin(async move {
            let called = self.language()?.embed(asker.into(), request).await.map_err(not_said)?;
            Ok(Embedded { call: called.call, answer: called.answer, cost: called.cost })
        })
    }
}

#[async_trait]
impl LimitCounts for Port {
    async fn taken(&self, tenant: TenantId, limits: &[GatewayLimit]) -> Result<Option<Vec<LimitTaken>>, NotCounted> {
        let Some(models) = self.models.get() else { return Ok(None) };
        let counted = models.language().taken(tenant, limits).await.map_err(|why| NotCounted(why.to_string()))?;
        let told = |Taken { by, used, left, resets_at_ms }| LimitTaken { by, used, left, resets_at_ms };
        Ok(Some(counted.into_iter().map(told).collect()))
    }
}

#[async_trait]
impl InferenceCases for Port {
    async fn cases(
        &self,
        tenant: TenantId,
        model: &Slug,
        selection: &InferenceSelection,
    ) -> Result<Option<RecordedCases>, NotMade> {
        let Some(models) = self.models.get() else { return Ok(None) };
        let made = Box::pin(evaluating::recorded_cases(models, tenant, (model, selection))).await;
        made.map(Some).map_err(|why| NotMade(why.to_string()))
    }
}

fn not_said(unanswered: Unanswered) -> NotAnswered {
    let Unanswered { call, why } = unanswered;
    let message = why.to_string();
    let retry_after_ms = if let NotSaid::Gateway(error) = &why { error.retry_after_ms() } else { None };
    match (why.refusal(), why) {
        (Some(code @ ("LIMIT_REACHED" | "TARGETS_LEFT_ALONE")), _) => held(code, message, retry_after_ms),
        (Some(code), _) => NotAnswered::Refused { code, message },
        (None, NotSaid::Draining) => held("DRAINING", message, None),
        (None, NotSaid::NotRecorded(why)) => not_recorded(&why),
        (None, why) => NotAnswered::Failed { class: why.class(), message, call },
    }
}

fn cause(asker: &Asker) -> Cause {
    Cause {
        tenant: asker.tenant,
        actor: asker.actor.clone(),
        causation: asker.causation,
        correlation: asker.correlation,
    }
}

fn not_inferred(why: NotInferred) -> NotAnswered {
    let message = why.to_string();
    match why {
        NotInferred::Refused(refusal) => NotAnswered::Refused { code: Refusal::from(refusal).code, message },
        NotInferred::Inputs(_) => NotAnswered::Refused { code: "UNFIT_INPUTS", message },
        NotInferred::NotLoaded { code, .. } => NotAnswered::Refused { code, message },
        NotInferred::Draining => held("DRAINING", message, None),
        NotInferred::NotRecorded(why) => not_recorded(&why),
        NotInferred::NotComputed(why) => match why {
            NotComputed::QueueFull { retry_after } => {
                held("QUEUE_FULL", message, u64::try_from(retry_after.as_millis()).ok())
            }
            NotComputed::Unloaded => held("UNLOADED", message, None),
            NotComputed::Unfit(_) => NotAnswered::Refused { code: "UNFIT_INPUTS", message },
            NotComputed::DeadlineMissed | NotComputed::Cancelled => failed(ErrorClass::Timeout, message),
            NotComputed::OutOfMemory => failed(ErrorClass::Overloaded, message),
            NotComputed::Failed(_) => failed(ErrorClass::Server, message),
        },
    }
}

fn not_recorded(why: &NotRecorded) -> NotAnswered {
    match why {
        NotRecorded::Behind | NotRecorded::Closed => held("NOT_RECORDED", why.to_string(), None),
        NotRecorded::Failed(_) => failed(ErrorClass::Server, why.to_string()),
    }
}

fn held(code: &'static str, message: String, retry_after_ms: Option<u64>) -> NotAnswered {
    NotAnswered::Held { code, message, retry_after_ms }
}

fn failed(class: ErrorClass, message: String) -> NotAnswered {
    NotAnswered::Failed { class, message, call: None }
}
