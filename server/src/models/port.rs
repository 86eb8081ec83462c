//! How nodes and agents of this process ask models.

use std::sync::OnceLock;

use timeloom_commands::Refusal;
use timeloom_domain::chat::{ChatRequest, EmbedRequest, ErrorClass};
use timeloom_domain::inference::port::{
    Answering, Asker, Chatted, Described, Embedded, InferencePort, ModelAnswer, ModelAsk, NotAnswered,
};
use timeloom_domain::model::ModelReference;
use timeloom_gateway::upstream::Prompt;
use timeloom_inference::pool::{NotComputed, Priority};
use timeloom_inference_worker::language::{CallReply, Called, LanguageModels, NotSaid, Unanswered};
use timeloom_inference_worker::{Cause, NotInferred, NotRecorded, Question, Worker};

use super::Models;

/// The models of this process, for those parts of it that are made before it opens them.
#[derive(Debug, Default)]
pub struct Port {
    models: OnceLock<Models>,
}

impl Port {
    /// From now on these are asked. The first ones stay.
    pub fn open(&self, models: Models) {
        // Whoever opens models twice gets the first ones: there is one set of them in a process.
        let _ = self.models.set(models);
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
            Ok(Described {
                model: model.name.clone(),
                version: described.version,
                inputs: signature.inputs.clone(),
                outputs: signature.outputs.clone(),
                about: std::collections::BTreeMap::new(),
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
