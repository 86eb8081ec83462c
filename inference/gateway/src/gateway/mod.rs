//! The gateway as a whole: what is asked goes past the cache and the limits to a route, and what comes back past the schema.
//!
//! Everything that happens is told to the sink of the call, in order. Dropping a call or its stream cancels it.

mod ask;
mod embed;
mod meter;
mod stream;
mod table;
mod whole;

use std::sync::{Arc, PoisonError, RwLock};

pub use self::ask::{Ask, AskEmbed, GatewayError, Reply};
pub use self::meter::tokens_guessed;
pub use self::stream::ReplyStream;
use self::table::Table;
pub use self::table::{InvalidSetup, Setup};
use crate::cache::{Cache, CacheKey, Hit, Kept, chat_key};
use crate::facts::{Fact, Sink};
use crate::limits::Limits;
use crate::ports::{Chance, Clock};
use crate::route::{Health, Route, TargetHealth};
use crate::schema::{Schema, Schemas};
use crate::upstream::{Answered, CallNotes};

/// The gateway.
pub struct Gateway {
    table: RwLock<Arc<Table>>,
    health: Health,
    limits: Arc<Limits>,
    cache: Arc<Cache>,
    schemas: Schemas,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").field("table", &self.table()).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway without routes, whose cache holds at most `cache_bytes_max` bytes.
    pub fn new(limits: Arc<Limits>, cache_bytes_max: usize, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self {
            table: RwLock::default(),
            health: Health::default(),
            limits,
            cache: Arc::new(Cache::new(cache_bytes_max)),
            schemas: Schemas::default(),
            clock,
            chance,
        }
    }

    /// Sets providers, routes and prices. Calls under way go on as they began; what is known of targets stays known.
    ///
    /// # Errors
    /// [`InvalidSetup`], and nothing is changed then.
    pub fn configure(&self, setup: Setup) -> Result<(), InvalidSetup> {
        let table = Arc::new(Table::try_new(setup, &self.table(), &self.health)?);
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        self.health.sweep();
        Ok(())
    }

    /// Lets go of the answers that are kept for the same question: some of them may be about somebody who was erased.
    pub fn forget_answers(&self) {
        self.cache.clear();
    }

    /// Names of all routes.
    pub fn routes(&self) -> Vec<String> {
        self.table().route_names()
    }

    /// How all targets do.
    pub fn health(&self) -> Vec<TargetHealth> {
        self.health.all()
    }

    /// The limits.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Asks for an answer to a chat, as a whole or piece by piece as the request says.
    ///
    /// # Errors
    /// [`GatewayError`] when there is none.
    pub async fn chat(&self, ask: Ask) -> Result<Reply, GatewayError> {
        let table = self.table();
        let route = table.route(ask.route.as_deref().unwrap_or_else(|| ask.prompt.model()))?;
        let schema = self.schema(&ask)?;
        let keep = self.keep_as(&route, &ask)?;
        if let Some((key, age_ms_max)) = keep
            && let Some(Hit { kept: Kept::Chat(answer, raw), source }) =
                self.cache.find(key, age_ms_max, self.clock.now_ms())
        {
            ask.sink.tell(Fact::CacheHit { source });
            let raw = raw.filter(|_| ask.prompt.as_body().is_some());
            return Ok(if ask.prompt.is_stream() {
                Reply::Stream(ReplyStream::kept(&answer))
            } else {
                Reply::Whole(Box::new(Answered { answer: (*answer).clone(), raw, notes: CallNotes::default() }))
            });
        }
        let keep = keep.map(|(key, _)| key);
        if ask.prompt.is_stream() {
            self.stream(&table, &route, &ask, schema, keep).await.map(Reply::Stream)
        } else {
            self.whole(&table, &route, &ask, schema.as_deref(), keep).await.map(Box::new).map(Reply::Whole)
        }
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn schema(&self, ask: &Ask) -> Result<Option<Arc<Schema>>, GatewayError> {
        if !ask.prompt.has_schema() {
            return Ok(None);
        }
        let request = ask.prompt.as_words().map_err(GatewayError::Invalid)?;
        Ok(self.schemas.of(request)?)
    }

    /// By which key the answer is found and kept, and for how long, if it is.
    fn keep_as(&self, route: &Route, ask: &Ask) -> Result<Option<(CacheKey, i64)>, GatewayError> {
        let wanted = ask.cache.unwrap_or(route.config().cache);
        let Some(age_ms_max) = wanted.age_ms_max(ask.prompt.is_deterministic()) else { return Ok(None) };
        let request = ask.prompt.as_words().map_err(GatewayError::Invalid)?;
        Ok(Some((chat_key(route.fingerprint(), request), age_ms_max)))
    }
}

/// Tells what a protocol had no word for, if there is anything.
fn tell_left_out(sink: &dyn Sink, attempt: u32, notes: &CallNotes) {
    if !notes.left_out.is_empty() {
        sink.tell(Fact::LeftOut { attempt, what: notes.left_out.iter().copied().collect() });
    }
}
