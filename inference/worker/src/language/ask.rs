//! What language models are asked, and how that is answered.

use std::sync::Arc;

use futures::stream::BoxStream;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use timeloom_commands::Finder;
use timeloom_domain::chat::{EmbedAnswer, EmbedRequest, ErrorClass};
use timeloom_domain::gateway::ContentRecording;
use timeloom_domain::ids::ModelCallId;
use timeloom_domain::inference::hexadecimal;
use timeloom_domain::item::JsonObject;
use timeloom_domain::model_call::{CallContent, CallKind, CallRequest};
use timeloom_domain::money::Money;
use timeloom_gateway::cache::{CacheKey, chat_key, embed_key};
use timeloom_gateway::facts::Sink;
use timeloom_gateway::limits::LimitReached;
use timeloom_gateway::route::RouteError;
use timeloom_gateway::upstream::{Answered, Piece, Prompt};
use timeloom_gateway::{Ask, AskEmbed, CallError, GatewayError, Reply};

use super::LanguageModels;
use super::content::Said;
use super::flow::Flow;
use super::parts::LanguageAsker;
use super::pending::{Ending, Pending, Rest};
use super::story::Story;
use super::tenant::Tenant;
use crate::recorder::NotRecorded;

/// Most characters of a route's name that are written down.
const ROUTE_CHARACTERS_MAX: usize = 200;

/// Why a language model did not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotSaid {
    /// The gateway had no answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// There was one, and it could not be written down, so that it is not given.
    #[error("{}", not_recorded(.0))]
    NotRecorded(NotRecorded),
    /// The process ends.
    #[error("the process ends and takes no more requests: ask again")]
    Draining,
    /// The tenant does not have it.
    #[error("asking language models is switched off for this tenant: ask whoever runs this installation")]
    SwitchedOff,
    /// The log cannot be read.
    #[error("the set-up of the gateway cannot be read: {0}")]
    Fault(String),
}

pub(super) fn not_recorded(why: &NotRecorded) -> String {
    format!("the answer is not given, because {why}")
}

impl NotSaid {
    /// What kind of failure it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Gateway(error) => error.class(),
            Self::NotRecorded(NotRecorded::Behind) | Self::Draining => ErrorClass::Overloaded,
            Self::SwitchedOff => ErrorClass::Unauthorized,
            Self::NotRecorded(_) | Self::Fault(_) => ErrorClass::Server,
        }
    }

    /// The status of HTTP that says it to a caller.
    pub fn status(&self) -> u16 {
        match self {
            Self::Gateway(error) => error.status(),
            Self::NotRecorded(NotRecorded::Behind) | Self::Draining => 503,
            Self::SwitchedOff => 403,
            Self::NotRecorded(_) | Self::Fault(_) => 500,
        }
    }

    /// The reason as a word where nobody was asked; `None` where somebody was.
    pub fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Gateway(error) => refusal(error),
            _ => None,
        }
    }
}

/// Why there is no answer, and by which the call is found where it is written down.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct Unanswered {
    /// The call.
    pub call: Option<ModelCallId>,
    /// Why.
    pub why: NotSaid,
}

impl From<NotSaid> for Unanswered {
    fn from(why: NotSaid) -> Self {
        Self { call: None, why }
    }
}

/// An answer.
pub enum CallReply {
    /// As a whole.
    Whole(Box<Answered>),
    /// Piece by piece. It ends with the first error; dropping it cancels the call.
    Stream(BoxStream<'static, Result<Piece, CallError>>),
}

/// What a language model answered.
pub struct Called {
    /// By which the call is found.
    pub call: ModelCallId,
    /// The provider that answered a whole; absent where the answer was there already.
    pub provider: Option<String>,
    /// What a whole cost, where the price is known.
    pub cost: Option<Money>,
    /// The answer.
    pub reply: CallReply,
}

/// The vectors of texts.
pub struct EmbedCalled {
    /// By which the call is found.
    pub call: ModelCallId,
    /// The vectors.
    pub answer: EmbedAnswer,
    /// What they cost, where the price is known.
    pub cost: Option<Money>,
}

/// What is known of a request before anybody is asked.
struct Prepared {
    tenant: Arc<Tenant>,
    story: Arc<Story>,
    pending: Pending,
    recording: ContentRecording,
    finder: Option<Arc<Finder>>,
}

/// What of a request is written down.
struct Described {
    kind: CallKind,
    route: String,
    stream: bool,
    parameters: JsonObject,
    key: Option<CacheKey>,
}

impl LanguageModels {
    /// Asks for an answer to a chat, as a whole or piece by piece as the request says.
    ///
    /// # Errors
    /// [`Unanswered`] when there is none.
    pub async fn chat(&self, who: LanguageAsker, prompt: Prompt) -> Result<Called, Unanswered> {
        let words = prompt.as_words().ok();
        let described = Described {
            kind: CallKind::Chat,
            route: prompt.model().chars().take(ROUTE_CHARACTERS_MAX).collect(),
            stream: prompt.is_stream(),
            parameters: words.map(|request| parameters(&request.sampling)).unwrap_or_default(),
            key: words.map(|request| chat_key(&[0; 32], request)),
        };
        let said = |recording, finder: Option<&Finder>| match words {
            Some(request) => Said::new(request, recording, finder),
            None => Said::Nothing,
        };
        let choices = words.and_then(|request| request.sampling.choices).unwrap_or(1);
        let prepared = self.prepare(&who, described, said).await?;
        let Prepared { tenant, story, pending, recording, finder } = prepared;
        let ask = Ask {
            call_id: pending.call.to_string(),
            prompt,
            route: None,
            holders: who.holders(),
            key: who.key,
            cache: None,
            sink: Arc::clone(&story) as Arc<dyn Sink>,
        };
        let call = pending.call;
        match tenant.gateway.chat(ask).await {
            Ok(Reply::Whole(answered)) => {
                let content = Said::new(&answered.answer, recording, finder.as_deref());
                let ended = pending.end(Ending::Answered { content }).await;
                let summary = ended.map_err(|why| Unanswered { call: None, why: NotSaid::NotRecorded(why) })?;
                let reply = CallReply::Whole(answered);
                Ok(Called { call, provider: summary.provider, cost: summary.cost, reply })
            }
            Ok(Reply::Stream(pieces)) => {
                let flow = Flow::new(pieces, pending, choices, (recording, finder));
                Ok(Called { call, provider: None, cost: None, reply: CallReply::Stream(flow.into_stream()) })
            }
            Err(error) => Err(unanswered(pending, error).await),
        }
    }

    /// Asks for the vectors of texts.
    ///
    /// # Errors
    /// [`Unanswered`] when there are none.
    pub async fn embed(&self, who: LanguageAsker, request: EmbedRequest) -> Result<EmbedCalled, Unanswered> {
        let mut parameters = JsonObject::new();
        parameters.extend(request.dimensions.map(|dimensions| ("dimensions".to_owned(), dimensions.into())));
        let described = Described {
            kind: CallKind::Embed,
            route: request.model.chars().take(ROUTE_CHARACTERS_MAX).collect(),
            stream: false,
            parameters,
            key: Some(embed_key(&[0; 32], &request)),
        };
        let said = |recording, finder: Option<&Finder>| Said::new(&request, recording, finder);
        let Prepared { tenant, story, pending, .. } = self.prepare(&who, described, said).await?;
        let call = pending.call;
        let ask = AskEmbed {
            call_id: call.to_string(),
            request,
            holders: who.holders(),
            key: who.key,
            cache: None,
            sink: Arc::clone(&story) as Arc<dyn Sink>,
        };
        match tenant.gateway.embed(ask).await {
            Ok(answer) => {
                // Vectors are found again from the texts: only what tells them apart is kept.
                let content = Said::new(&answer, ContentRecording::Digests, None);
                let ended = pending.end(Ending::Answered { content }).await;
                let summary = ended.map_err(|why| Unanswered { call: None, why: NotSaid::NotRecorded(why) })?;
                Ok(EmbedCalled { call, answer, cost: summary.cost })
            }
            Err(error) => Err(unanswered(pending, error).await),
        }
    }

    async fn prepare(
        &self,
        who: &LanguageAsker,
        described: Described,
        said: impl FnOnce(ContentRecording, Option<&Finder>) -> Said,
    ) -> Result<Prepared, NotSaid> {
        let inner = Arc::clone(&self.inner);
        let began_us = inner.clock.monotonic_us();
        let tenant = self.tenant(who.cause.tenant).await?;
        let recording = tenant.content_of(&described.route);
        let finder = tenant.finder(&inner).await?;
        let call = ModelCallId(inner.ids.uuid());
        let story = Arc::new(Story::default());
        let Described { kind, route, stream, parameters, key } = described;
        let request = CallRequest {
            kind,
            route,
            stream,
            workflow: who.workflow,
            execution: who.execution,
            node: who.node.clone(),
            agent: who.agent.clone(),
            agent_run: who.agent_run,
            key: who.api_key.clone(),
            split_key: who.key.as_ref().map(|key| {
                let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
                hexadecimal(&digest)
            }),
            parameters,
            digest: key.map(|CacheKey(digest)| hexadecimal(&digest)),
            prompt: CallContent::Nothing,
            at_ms: inner.wall.now_ms(),
        };
        let prompt = said(recording, finder.as_deref());
        let (cause, currency) = (who.cause.clone(), tenant.currency());
        let rest = Rest { inner, cause, request, prompt, finder: finder.clone(), currency, began_us };
        let pending = Pending::new(call, Arc::clone(&story), rest);
        Ok(Prepared { tenant, story, pending, recording, finder })
    }
}

/// Writes down why there is no answer.
async fn unanswered(pending: Pending, error: GatewayError) -> Unanswered {
    let (call, reason, retry_after_ms) = (pending.call, error.to_string(), error.retry_after_ms());
    let ending = match refusal(&error) {
        Some(code) => Ending::Refused { code, reason, retry_after_ms },
        None => Ending::Failed { class: error.class(), reason, retry_after_ms },
    };
    let call = match pending.end(ending).await {
        Ok(_) => Some(call),
        Err(why) => {
            tracing::warn!(%call, error = %why, "why a language model did not answer is not written down");
            None
        }
    };
    Unanswered { call, why: error.into() }
}

/// Why nobody was asked, as a word; `None` where somebody was.
fn refusal(error: &GatewayError) -> Option<&'static str> {
    match error {
        GatewayError::NoRoute(_) => Some("ROUTE_NOT_FOUND"),
        GatewayError::Invalid(_) => Some("INVALID_REQUEST"),
        GatewayError::Schema(_) => Some("INVALID_SCHEMA"),
        GatewayError::Limit(LimitReached::TooMuch { .. }) => Some("OVER_LIMIT"),
        GatewayError::Limit(LimitReached::NoPrice { .. }) => Some("NO_PRICE"),
        GatewayError::Limit(_) => Some("LIMIT_REACHED"),
        GatewayError::Route(RouteError::NoneLeft { .. }) => Some("TARGETS_LEFT_ALONE"),
        GatewayError::Route(RouteError::Failed { .. }) | GatewayError::Violated { .. } => None,
    }
}

fn parameters(sampling: &timeloom_domain::chat::Sampling) -> JsonObject {
    match serde_json::to_value(sampling) {
        Ok(Value::Object(fields)) => fields,
        _ => JsonObject::new(),
    }
}
