//! What serves: which version, what it can do, and since when.

use async_graphql::{Context, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use timeloom_domain::access::Permission;

use super::reading::state;
use crate::state::ApiState;

/// Reads about the server.
#[derive(Debug, Default)]
pub struct ServerQuery;

/// The process that answers.
#[derive(Debug, SimpleObject)]
struct ServerInfo {
    /// Version of the program.
    version: &'static str,
    /// What is switched on here beside what every server does: `relaxed-durability`, `traces`. Told to those who may
    /// see the system.
    features: Option<Vec<String>>,
    /// What keeps the log: `sqlite`, `postgresql` or `memory`. Told to those who may see the system.
    backend: Option<&'static str>,
    /// When the process began. Told to those who may see the system.
    started_at: Option<DateTime<Utc>>,
    /// How long it has run, in milliseconds. Told to those who may see the system.
    uptime_ms: Option<i64>,
}

#[Object]
impl ServerQuery {
    /// The server that answers: its version for everybody, the rest for those who may see the system.
    #[expect(clippy::unused_async, reason = "resolvers are async")]
    async fn server_info(&self, context: &Context<'_>) -> Result<ServerInfo> {
        let state: &ApiState = state(context)?;
        let version = env!("CARGO_PKG_VERSION");
        if state.require(Permission::SystemRead).is_err() {
            return Ok(ServerInfo { version, features: None, backend: None, started_at: None, uptime_ms: None });
        }
        let (facts, began) = state.server();
        let now = state.commands().clock().now_ms();
        Ok(ServerInfo {
            version,
            features: Some(facts.features.iter().map(|feature| (*feature).to_owned()).collect()),
            backend: Some(facts.backend),
            started_at: DateTime::from_timestamp_millis(began),
            uptime_ms: Some(now.saturating_sub(began).max(0)),
        })
    }
}
