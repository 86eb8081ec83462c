//! Language models of this server for those who ask by the protocols of OpenAI, Anthropic and Ollama.

use actix_web::HttpRequest;
use async_trait::async_trait;
use timeloom_commands::Clock as _;
use timeloom_domain::access::Permission;
use timeloom_domain::chat::{EmbedAnswer, EmbedRequest, ErrorClass};
use timeloom_domain::ids::Slug;
use timeloom_domain::model::VersionReference;
use timeloom_gateway::limits::Standing;
use timeloom_gateway::upstream::Prompt;
use timeloom_inference_front::{Asked, Offered, Refused, Said, Skill, Speaking};
use timeloom_inference_worker::Cause;
use timeloom_inference_worker::language::{CallReply, LanguageAsker, NotSaid, Unanswered};
use timeloom_language::task::Task;
use timeloom_read_api::ApiState;

use super::Models;
use super::local::LocalLanguage;
use crate::clock::MachineClock;

/// The language models of this server.
pub struct Spoken {
    models: Models,
}

impl Spoken {
    pub fn new(models: Models) -> Self {
        Self { models }
    }

    /// What is known of a route that leads to a model of this machine by its name; whatever its provider can for others.
    fn offered(&self, who: &ApiState, name: String, is_set_up: bool) -> Offered {
        let elsewhere = |name| Offered { name, skill: Skill::Any, digest: None, bytes: None, loaded: false };
        let Some(slug) = Slug::try_new(&name).ok().filter(|_| !is_set_up) else { return elsewhere(name) };
        let listing = self.models.commands().models().now();
        let version = listing.model(who.tenant(), &slug).and_then(|model| {
            let promoted = model.resolve(&VersionReference::Promoted, None).ok()?;
            Some((promoted, LocalLanguage::skill(promoted)?))
        });
        let Some((version, task)) = version else { return elsewhere(name) };
        let files = version.file.as_ref();
        let beside = files.iter().flat_map(|file| &file.external).map(|file| file.bytes).sum::<u64>();
        let (skill, loaded) = match task {
            Task::Chat => (Skill::Chat, self.models.inner.local.loaded().contains(&version.digest)),
            Task::Embedding => {
                let held = self.models.started().map(|worker| worker.held_of(who.tenant())).unwrap_or_default();
                (Skill::Embedding, held.iter().any(|(of, number, _)| *of == slug && *number == version.version))
            }
        };
        let bytes = files.map(|file| file.bytes.saturating_add(beside));
        Offered { name, skill, digest: Some(version.digest.clone()), bytes, loaded }
    }
}

fn asker(who: &ApiState, key: Option<String>) -> LanguageAsker {
    let context = who.context(None);
    let cause = Cause { tenant: context.tenant, actor: context.actor, causation: None, correlation: None };
    LanguageAsker { api_key: who.api_key().map(str::to_owned), key, ..LanguageAsker::new(cause) }
}

/// Why there is no answer, before it is said in the words of a protocol.
fn refused(unanswered: &Unanswered) -> Refused {
    let Unanswered { call, why } = unanswered;
    let retry_after_ms = match why {
        NotSaid::Gateway(error) => error.retry_after_ms(),
        _ => None,
    };
    Refused {
        retry_after_ms,
        code: why.refusal(),
        call: call.map(|call| call.to_string()),
        ..Refused::new(why.status(), why.class(), &why.to_string())
    }
}

#[async_trait]
impl Speaking for Spoken {
    type Who = ApiState;

    fn who(&self, request: &HttpRequest) -> Result<ApiState, Refused> {
        let state = ApiState::asking(request);
        let state = state.ok_or_else(|| Refused::new(401, ErrorClass::Unauthorized, "show who you are"))?;
        let may = state.require(Permission::ExecutionRun);
        may.map_err(|error| Refused::new(403, ErrorClass::BadRequest, &error.to_string()).coded("FORBIDDEN"))?;
        Ok(state)
    }

    async fn chat(&self, who: &ApiState, asked: Asked<Prompt>) -> Result<Said, Refused> {
        let called = self.models.language().chat(asker(who, asked.key), asked.request).await;
        let called = called.map_err(|error| refused(&error))?;
        let call = called.call.to_string();
        Ok(match called.reply {
            CallReply::Whole(answered) => Said::Whole { call, answered },
            CallReply::Stream(pieces) => Said::Stream { call, pieces },
        })
    }

    async fn embed(&self, who: &ApiState, asked: Asked<EmbedRequest>) -> Result<(String, EmbedAnswer), Refused> {
        let called = self.models.language().embed(asker(who, asked.key), asked.request).await;
        let called = called.map_err(|error| refused(&error))?;
        Ok((called.call.to_string(), called.answer))
    }

    async fn models(&self, who: &ApiState) -> Result<Vec<Offered>, Refused> {
        let language = self.models.language();
        let names = language.route_names(who.tenant()).await.map_err(|why| refused(&why.into()))?;
        let set_up = language.configuration(who.tenant()).await.map_err(|why| refused(&why.into()))?;
        let is_set_up = |name: &str| set_up.as_ref().is_some_and(|all| all.routes.contains_key(name));
        Ok(names
            .into_iter()
            .map(|name| (is_set_up(&name), name))
            .map(|(is, name)| self.offered(who, name, is))
            .collect())
    }

    fn standing(&self, who: &ApiState) -> Vec<Standing> {
        self.models.language().standing(who.tenant(), &asker(who, None).holders())
    }

    fn now_ms(&self) -> i64 {
        MachineClock.now_ms()
    }
}
