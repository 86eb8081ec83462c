//! Language models of this server for those who ask by OpenAI's protocol.

use actix_web::HttpRequest;
use async_trait::async_trait;
use timeloom_commands::Clock as _;
use timeloom_domain::access::Permission;
use timeloom_domain::chat::{EmbedAnswer, EmbedRequest, ErrorClass};
use timeloom_gateway::limits::Standing;
use timeloom_gateway::openai::ChatBody;
use timeloom_gateway::upstream::Prompt;
use timeloom_inference_front::v1::{Asked, Refusal, Said, Speaking};
use timeloom_inference_worker::Cause;
use timeloom_inference_worker::language::{CallReply, LanguageAsker, NotSaid, Unanswered};
use timeloom_read_api::ApiState;

use super::Models;
use crate::clock::MachineClock;

/// The language models of this server.
pub struct Spoken {
    models: Models,
}

impl Spoken {
    pub fn new(models: Models) -> Self {
        Self { models }
    }
}

fn asker(who: &ApiState, key: Option<String>) -> LanguageAsker {
    let context = who.context(None);
    let cause = Cause { tenant: context.tenant, actor: context.actor, causation: None, correlation: None };
    LanguageAsker { api_key: who.api_key().map(str::to_owned), key, ..LanguageAsker::new(cause) }
}

/// Why there is no answer, for a client of the protocol.
fn refused(unanswered: &Unanswered) -> Refusal {
    let Unanswered { call, why } = unanswered;
    let mut refusal = Refusal::new(why.status(), why.class(), &why.to_string());
    if let NotSaid::Gateway(error) = why {
        refusal.retry_after_ms = error.retry_after_ms();
    }
    if let Some(code) = why.refusal() {
        refusal = refusal.coded(match code {
            // As the protocol's own clients know them.
            "LIMIT_REACHED" => "rate_limit_exceeded",
            "ROUTE_NOT_FOUND" => "model_not_found",
            other => other,
        });
    }
    refusal.call = call.map(|call| call.to_string());
    refusal
}

#[async_trait]
impl Speaking for Spoken {
    type Who = ApiState;

    fn who(&self, request: &HttpRequest) -> Result<ApiState, Refusal> {
        let state = ApiState::asking(request);
        let state = state.ok_or_else(|| Refusal::new(401, ErrorClass::Unauthorized, "show who you are"))?;
        let may = state.require(Permission::ExecutionRun);
        may.map_err(|error| Refusal::new(403, ErrorClass::BadRequest, &error.to_string()).coded("forbidden"))?;
        Ok(state)
    }

    async fn chat(&self, who: &ApiState, asked: Asked<ChatBody>) -> Result<Said, Refusal> {
        let usage = asked.request.head().stream_usage;
        let now_s = MachineClock.now_ms().div_euclid(1_000);
        let called = self.models.language().chat(asker(who, asked.key), Prompt::body(asked.request)).await;
        let called = called.map_err(|error| refused(&error))?;
        let call = called.call.to_string();
        Ok(match called.reply {
            CallReply::Whole(answered) => {
                let body = answered.openai_body(&format!("chatcmpl-{call}"), now_s);
                Said::Whole { call, body }
            }
            CallReply::Stream(pieces) => Said::Stream { call, now_s, usage, pieces },
        })
    }

    async fn embed(&self, who: &ApiState, asked: Asked<EmbedRequest>) -> Result<(String, EmbedAnswer), Refusal> {
        let called = self.models.language().embed(asker(who, asked.key), asked.request).await;
        let called = called.map_err(|error| refused(&error))?;
        Ok((called.call.to_string(), called.answer))
    }

    async fn models(&self, who: &ApiState) -> Result<Vec<String>, Refusal> {
        let names = self.models.language().route_names(who.tenant()).await;
        names.map_err(|why| refused(&why.into()))
    }

    fn standing(&self, who: &ApiState) -> Vec<Standing> {
        self.models.language().standing(who.tenant(), &asker(who, None).holders())
    }
}
