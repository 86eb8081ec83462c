//! The sessions that an agent remembers, by the events of its memories.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::agent_memory::AgentMemoryEvent;
use timeloom_domain::event::Event as _;
use timeloom_domain::ids::Slug;
use timeloom_projections::AsOf;
use timeloom_store::{Direction, Filter, Position, RecordedEvent, TenantScope};

use crate::schema::faults::fault;
use crate::schema::reading::state;
use crate::schema::scalars::PositionScalar;

/// Most sessions that are told.
const SESSIONS_MAX: usize = 100;
/// Events of memories that are read at once.
const READ_EVENTS: usize = 500;
/// Most events of memories that are looked at: those of all agents lie among each other.
const LOOKED_AT_EVENTS_MAX: usize = 10_000;

/// A session whose earlier runs an agent remembers.
#[derive(Debug, SimpleObject)]
pub(crate) struct AgentSession {
    /// Its name, as runs were started with it.
    session: String,
    /// How many questions and answers are remembered.
    exchanges: u64,
    /// When the newest came in.
    last_at: DateTime<Utc>,
    /// The position of the event that says so.
    last_position: PositionScalar,
    #[graphql(skip)]
    exchanges_max: u64,
}

/// What is known of one memory while its events are read from the newest on.
enum Memory {
    /// Of this agent, and there may be more before.
    Open(AgentSession),
    /// What was before is forgotten, and so it was told in full.
    Told(AgentSession),
    /// Forgotten, or another agent's.
    Nothing,
}

/// The sessions of an agent as of a moment, those that were spoken in last first.
pub(super) async fn sessions(context: &Context<'_>, agent: &Slug, as_of: AsOf) -> Result<Vec<AgentSession>> {
    let state = state(context)?;
    let filter = Filter { categories: vec![AgentMemoryEvent::CATEGORY.into()], ..Filter::default() };
    let scope = TenantScope::One(state.tenant());
    let mut memories: HashMap<std::sync::Arc<str>, Memory> = HashMap::new();
    let (mut at, mut looked_at) = (as_of.unwrap_or_else(|| state.log().head()), 0);
    while looked_at < LOOKED_AT_EVENTS_MAX {
        let page = state.log().read_all(scope, at, Direction::Backward, &filter, READ_EVENTS).await;
        let page = page.map_err(|error| fault(&error))?;
        for event in &page {
            take(&mut memories, agent, event);
            at = Position(event.position.0.saturating_sub(1));
        }
        looked_at += page.len();
        if page.len() < READ_EVENTS {
            break;
        }
    }
    let mut found: Vec<AgentSession> = memories.into_values().filter_map(Memory::session).collect();
    found.sort_by_key(|session| std::cmp::Reverse(session.last_position.0));
    found.truncate(SESSIONS_MAX);
    Ok(found)
}

/// Takes in an event that is older than all before it.
fn take(memories: &mut HashMap<std::sync::Arc<str>, Memory>, agent: &Slug, event: &RecordedEvent) {
    // What this build cannot read tells nothing of a session.
    let Ok(told) = serde_json::from_str::<AgentMemoryEvent>(event.payload.get()) else { return };
    match (memories.entry(event.stream.id.clone()), told) {
        (
            Entry::Vacant(place),
            AgentMemoryEvent::AgentExchangeRemembered { agent: own, session, exchanges_max, .. },
        ) => {
            let is_own = own == *agent;
            place.insert(if is_own {
                Memory::Open(AgentSession {
                    session,
                    exchanges: 1,
                    last_at: event.recorded_at,
                    last_position: PositionScalar(event.position),
                    exchanges_max: exchanges_max.into(),
                })
            } else {
                Memory::Nothing
            });
        }
        (Entry::Vacant(place), AgentMemoryEvent::AgentMemoryCleared {}) => {
            place.insert(Memory::Nothing);
        }
        (Entry::Occupied(mut place), told) => {
            let known = std::mem::replace(place.get_mut(), Memory::Nothing);
            place.insert(known.with_older(&told));
        }
    }
}

impl Memory {
    fn with_older(self, told: &AgentMemoryEvent) -> Self {
        match (self, told) {
            (Self::Open(session), AgentMemoryEvent::AgentExchangeRemembered { .. }) => {
                let exchanges = session.exchanges.saturating_add(1).min(session.exchanges_max);
                Self::Open(AgentSession { exchanges, ..session })
            }
            (Self::Open(session), AgentMemoryEvent::AgentMemoryCleared {}) => Self::Told(session),
            (known, _) => known,
        }
    }

    fn session(self) -> Option<AgentSession> {
        match self {
            Self::Open(session) | Self::Told(session) => Some(session),
            Self::Nothing => None,
        }
    }
}
