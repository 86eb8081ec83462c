//! Claims as locks of one session for each process: the database takes them back when the session ends, however it ends.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use timeloom_store::LogError;
use timeloom_store::claims::{Claim, Claims};
use tokio_postgres::Client;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::connect::Address;
use crate::error::log_error;
use crate::log::PostgresLog;

const CLAIM: &str = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
const GIVE_BACK: &str = "SELECT pg_advisory_unlock(hashtextextended($1, 0))";

/// [`Claims`] in the database of a log. The session is opened with the first claim.
pub struct PostgresClaims {
    address: Address,
    log_id: Uuid,
    session: Mutex<Option<Arc<Client>>>,
    tasks: TaskTracker,
}

impl std::fmt::Debug for PostgresClaims {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PostgresClaims").field("log_id", &self.log_id).finish_non_exhaustive()
    }
}

impl PostgresLog {
    /// What this process claims of what is shared with others.
    pub fn claims(&self) -> PostgresClaims {
        let (address, log_id) = (self.address().clone(), self.log_id());
        PostgresClaims { address, log_id, session: Mutex::default(), tasks: TaskTracker::new() }
    }
}

impl PostgresClaims {
    fn open_session(&self) -> Option<Arc<Client>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.clone().filter(|client| !client.is_closed())
    }

    async fn session(&self) -> Result<Arc<Client>, LogError> {
        if let Some(client) = self.open_session() {
            return Ok(client);
        }
        let client = Arc::new(self.address.connect(&self.tasks).await.map_err(log_error)?.client);
        // Of two that came at once, each keeps what it claims on its own.
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&client));
        Ok(client)
    }
}

#[async_trait]
impl Claims for PostgresClaims {
    async fn claim(&self, name: &str) -> Result<Option<Box<dyn Claim>>, LogError> {
        let (client, name) = (self.session().await?, format!("{} {name}", self.log_id));
        let row = client.query_one(CLAIM, &[&name]).await.map_err(log_error)?;
        let is_claimed: bool = row.try_get(0).map_err(log_error)?;
        Ok(is_claimed.then(|| Box::new(Held { client, name }) as Box<dyn Claim>))
    }
}

struct Held {
    client: Arc<Client>,
    name: String,
}

#[async_trait]
impl Claim for Held {
    fn holds(&self) -> bool {
        !self.client.is_closed()
    }

    async fn give_back(self: Box<Self>) {
        if let Err(error) = self.client.query_one(GIVE_BACK, &[&self.name]).await {
            tracing::debug!(%error, "a claim was not given back: it ends with its session");
        }
    }
}
