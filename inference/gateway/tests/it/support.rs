//! Ports, and a model that answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use timeloom_domain::chance;
use timeloom_domain::chat::ErrorClass;
use timeloom_domain::chat::{
    ChatAnswer, ChatRequest, Choice, EmbedAnswer, EmbedRequest, FinishReason, Message, Part, Role, Usage,
};
use timeloom_gateway::CallError;
use timeloom_gateway::facts::{Fact, Told};
use timeloom_gateway::limits::{Limit, Limits};
use timeloom_gateway::openai::decode_request;
use timeloom_gateway::ports::{Chance, Clock, Place, PlaceError, Places, Secret};
use timeloom_gateway::route::{Balance, RouteConfig, Target, Tier};
use timeloom_gateway::upstream::{Answered, CallNotes, Embedded, Piece, Prompt, Streamed, Upstream};
use timeloom_gateway::{Ask, Gateway, Setup};
use url::Url;

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub(crate) struct Standing(AtomicI64);

impl Standing {
    pub(crate) fn pass_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for Standing {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + self.0.load(Ordering::Relaxed)
    }

    fn monotonic_us(&self) -> u64 {
        1_000_000 + self.0.load(Ordering::Relaxed) as u64 * 1_000
    }
}

/// Chance that is the same each time.
#[derive(Debug, Default)]
pub(crate) struct Drawn(AtomicU64);

impl Chance for Drawn {
    fn draw(&self) -> u64 {
        chance::mixed(self.0.fetch_add(chance::STEP, Ordering::Relaxed))
    }
}

/// All providers are at one address, and have one key.
#[derive(Debug)]
pub(crate) struct At(pub(crate) String);

pub(crate) const KEY: &str = "sk-secret-of-the-test";

impl Places for At {
    fn place<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Place, PlaceError>> {
        let place = Place::new(&Url::parse(&self.0).unwrap(), Some(Secret::new(KEY.to_owned())));
        std::future::ready(Ok(place)).boxed()
    }
}

/// What a model does when it is asked.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    Answer(&'static str),
    Fail(CallError),
    /// Answers the first pieces of a stream, then fails.
    Break(&'static str),
    /// Never answers.
    Hang,
}

pub(crate) fn fails(class: ErrorClass) -> Does {
    Does::Fail(CallError::new(class, "it fails"))
}

/// A model that does what is next, and the last of it for ever.
#[derive(Debug)]
pub(crate) struct Model {
    plan: Mutex<VecDeque<Does>>,
    asked: AtomicU64,
    pub(crate) prompts: Mutex<Vec<ChatRequest>>,
}

impl Model {
    pub(crate) fn new(plan: impl IntoIterator<Item = Does>) -> Arc<Self> {
        let plan = Mutex::new(plan.into_iter().collect());
        Arc::new(Self { plan, asked: AtomicU64::new(0), prompts: Mutex::default() })
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn next(&self) -> Does {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut plan = self.plan.lock().unwrap();
        if plan.len() > 1 { plan.pop_front().unwrap() } else { plan.front().unwrap().clone() }
    }

    async fn act(&self) -> Result<Does, CallError> {
        match self.next() {
            Does::Fail(error) => Err(error),
            Does::Hang => std::future::pending().await,
            does => Ok(does),
        }
    }
}

pub(crate) const USAGE: Usage = Usage {
    input_tokens: 10,
    output_tokens: 5,
    cached_input_tokens: None,
    cache_write_tokens: None,
    thinking_tokens: None,
};

pub(crate) fn answer(text: &str, model: &str) -> ChatAnswer {
    let parts = vec![Part::text(text)];
    let choice = Choice { index: 0, parts, finish: Some(FinishReason::Stop), ..Choice::default() };
    let id = "answer-1".to_owned();
    ChatAnswer { id, model: model.to_owned(), choices: vec![choice], usage: Some(USAGE), ..ChatAnswer::default() }
}

impl Upstream for Model {
    fn chat<'a>(&'a self, prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Answered, CallError>> {
        async move {
            self.prompts.lock().unwrap().push(prompt.as_words()?.clone());
            let (Does::Answer(text) | Does::Break(text)) = self.act().await? else { unreachable!() };
            Ok(Answered { answer: answer(text, model), raw: None, notes: CallNotes::default() })
        }
        .boxed()
    }

    fn stream<'a>(&'a self, _: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Streamed, CallError>> {
        async move {
            let (text, breaks) = match self.act().await? {
                Does::Break(text) => (text, true),
                Does::Answer(text) => (text, false),
                _ => unreachable!(),
            };
            let mut deltas = answer(text, model).deltas();
            if breaks {
                deltas.truncate(2);
            }
            let pieces = deltas.into_iter().map(|delta| Ok(Piece { deltas: vec![delta], raw: None }));
            let broken = breaks.then(|| Err(CallError::new(ErrorClass::Unreachable, "it broke off")));
            let pieces: Vec<_> = pieces.chain(broken).collect();
            Ok(Streamed { pieces: stream::iter(pieces).boxed(), notes: CallNotes::default() })
        }
        .boxed()
    }

    fn embed<'a>(&'a self, request: &'a EmbedRequest, model: &'a str) -> BoxFuture<'a, Result<Embedded, CallError>> {
        async move {
            self.act().await?;
            let vectors = vec![vec![0.5, -1.0]; request.input.count()];
            let answer = EmbedAnswer { model: model.to_owned(), vectors, usage: Some(USAGE) };
            Ok(Embedded { answer, notes: CallNotes::default() })
        }
        .boxed()
    }
}

/// A gateway of such models.
pub(crate) struct Bench {
    pub(crate) gateway: Gateway,
    pub(crate) clock: Arc<Standing>,
    pub(crate) told: Arc<Told>,
}

impl Bench {
    pub(crate) fn new(models: &[(&str, Arc<Model>)], routes: Vec<RouteConfig>, limits: Vec<Limit>) -> Self {
        let prices = r#"{"currency": "EUR", "models": [
            {"provider": "a", "model": "m", "input": "1", "output": "2"},
            {"provider": "b", "model": "m", "input": "3", "output": "4"}
        ]}"#;
        let prices = timeloom_gateway::cost::Prices::parse(prices).unwrap();
        let clock = Arc::new(Standing::default());
        let limits = Limits::try_new(limits).unwrap();
        let gateway = Gateway::new(limits, 1 << 20, clock.clone(), Arc::new(Drawn::default()));
        let providers: BTreeMap<String, Arc<dyn Upstream>> =
            models.iter().map(|(name, model)| ((*name).to_owned(), model.clone() as Arc<dyn Upstream>)).collect();
        gateway.configure(Setup { providers, routes, prices }).unwrap();
        Self { gateway, clock, told: Arc::default() }
    }

    pub(crate) fn ask(&self, request: Value) -> Ask {
        Ask {
            call_id: "call-1".to_owned(),
            prompt: Prompt::words(decode_request(request).unwrap()),
            route: None,
            holders: Vec::new(),
            key: None,
            cache: None,
            sink: self.told.clone(),
        }
    }

    /// The facts that were told, in words that are short.
    pub(crate) fn facts(&self) -> Vec<String> {
        shortened(&self.told)
    }
}

/// The facts that were told, in short, but for what limits were charged with, which has tests of its own.
pub(crate) fn shortened(told: &Told) -> Vec<String> {
    told.take().iter().filter(|fact| !matches!(fact, Fact::Charged { .. })).map(short).collect()
}

fn short(fact: &Fact) -> String {
    match fact {
        Fact::CacheHit { source } => format!("cached {source}"),
        Fact::LimitReached(_) => "limit".to_owned(),
        Fact::AttemptStarted { attempt, provider, reason, .. } => format!("{attempt} {provider} {}", reason.name()),
        Fact::LeftOut { what, .. } => format!("left out {}", what.join(", ")),
        Fact::AttemptFailed { attempt, class, .. } => format!("{attempt} failed {class}"),
        Fact::FirstToken { attempt, .. } => format!("{attempt} first token"),
        Fact::Completed { attempt, finish, cost, .. } => {
            let cost = cost.map_or("?".to_owned(), |cost| cost.0.to_string());
            format!("{attempt} completed {} {cost}", finish.as_deref().unwrap_or("-"))
        }
        Fact::Charged { tokens, .. } => format!("charged {tokens}"),
        Fact::Cancelled { attempt, .. } => format!("{attempt} cancelled"),
        Fact::OutputSchemaViolated { attempt, repairing, .. } => format!("{attempt} violated repairing={repairing}"),
        Fact::CircuitOpened { provider, for_ms, .. } => format!("{provider} opened {for_ms}"),
        Fact::CircuitHalfOpened { provider, .. } => format!("{provider} half-opened"),
        Fact::CircuitClosed { provider, .. } => format!("{provider} closed"),
    }
}

pub(crate) fn target(provider: &str, weight: u32) -> Target {
    Target { provider: provider.to_owned(), model: "m".to_owned(), weight }
}

/// A route that asks the providers one after the other.
pub(crate) fn in_order(providers: &[&str]) -> RouteConfig {
    let tier = |provider: &&str| Tier { balance: Balance::Load, targets: vec![target(provider, 1)] };
    let mut config = RouteConfig::new("chat", providers.iter().map(tier).collect());
    config.retry.backoff_ms = 0;
    config
}

pub(crate) fn hello() -> ChatRequest {
    let messages = vec![Message::text(Role::User, "hello")];
    ChatRequest { model: "chat".to_owned(), messages, ..ChatRequest::default() }
}
