//! One listener, for as long as it is wanted: connects, listens, and connects again with growing pauses.

use std::sync::Arc;
use std::time::Duration;

use timeloom_commands::{CommandContext, SecretTexts};
use timeloom_domain::ids::{Actor, CommandId, EventId};
use timeloom_domain::listener::ListenerFacts;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hearing::{Active, digest, over};
use super::tried::Tried;
use super::{Listeners, Purpose, Wanted};
use crate::node::{Hearing, Listen, Listening, NodeError, ON_ITS_OWN, SharedNodeType};

/// Pause before the first further attempt; it doubles with each that fails.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// What has listened for so long before it failed is connected to again at once.
const STEADY_AFTER: Duration = Duration::from_secs(60);
/// How often it is written down how far a listener came, at most.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// How long a listener of a draft may take to tell the other side that it has the message.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(2);

impl Listeners {
    /// Listens until it is not wanted any more.
    pub(super) async fn supervise(&self, wanted: Wanted, ending: CancellationToken) {
        let Some(node_type) = self.parts.registry.get(&wanted.node.node_type).cloned() else {
            tracing::error!(workflow_id = %wanted.workflow_id, node_type = wanted.node.node_type, "this build has no such trigger: it never hears anything");
            return;
        };
        match wanted.purpose {
            Purpose::Active { .. } => self.listen_for_active(&wanted, &node_type, &ending).await,
            Purpose::Test { event, .. } => self.listen_for_draft(&wanted, &node_type, event, &ending).await,
        }
    }

    async fn listen_for_active(&self, wanted: &Wanted, node_type: &SharedNodeType, ending: &CancellationToken) {
        let Some(listen) = node_type.listens() else { return };
        let facts = ListenerFacts {
            workflow_id: wanted.workflow_id,
            node: wanted.node.name.clone(),
            node_type: wanted.node.node_type.clone(),
            place: digest(listen.place(&wanted.node).to_string().as_bytes()),
        };
        let secrets = SecretTexts::default().shared();
        let hearing = Arc::new(Active::new(self, wanted, facts.clone(), secrets.clone(), ending));
        let (mut attempts, mut pause) = (0_u32, PAUSE);
        while !ending.is_cancelled() {
            let begun = Instant::now();
            let listened = self.attempt(wanted, listen, &facts, &secrets, &hearing, ending).await;
            hearing.flush().await;
            if ending.is_cancelled() {
                return;
            }
            // One that lets everybody in and throws everybody out is no better than one that is away.
            if hearing.has_opened() && begun.elapsed() >= STEADY_AFTER {
                (attempts, pause) = (0, PAUSE);
            }
            let error = match listened {
                Ok(()) => NodeError::api("the other side ended the connection"),
                Err(error) => error,
            };
            if error.message != ON_ITS_OWN {
                attempts = attempts.saturating_add(1);
                let (workflow_id, node) = (wanted.workflow_id, &wanted.node.name);
                tracing::warn!(%workflow_id, node, attempts, "a trigger does not listen; trying again");
                // The first, and then ever fewer: a broker that is away for a month does not fill the log.
                if attempts.is_power_of_two() {
                    hearing.failed(attempts, &error).await;
                }
            }
            ending.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = (2 * pause).min(PAUSE_MAX);
        }
    }

    /// Listens once, until it fails or is to end.
    async fn attempt(
        &self,
        wanted: &Wanted,
        listen: &dyn Listen,
        facts: &ListenerFacts,
        secrets: &SecretTexts,
        hearing: &Arc<Active>,
        ending: &CancellationToken,
    ) -> Result<(), NodeError> {
        let commands = &self.parts.commands;
        let context = CommandContext::trusted(
            wanted.tenant,
            Actor::System("listener".to_owned()),
            CommandId(commands.ids().uuid()),
        );
        let known = commands.listener(&context, wanted.id).await;
        let known = known.map_err(|error| NodeError::operation(error.to_string()))?;
        let cursor = known.aggregate.cursor_at(facts).cloned();
        let port: Arc<dyn Hearing> = Arc::clone(hearing) as _;
        let mut listening = self.listening(wanted, port, secrets, cursor);
        let mut listened = listen.listen(&mut listening);
        loop {
            tokio::select! {
                ended = &mut listened => return ended,
                () = ending.cancelled() => return Err(over()),
                () = tokio::time::sleep(FLUSH_INTERVAL) => hearing.flush().await,
            }
        }
    }

    /// Listens for the one message of a draft. Why it cannot is told in the server's log alone.
    async fn listen_for_draft(
        &self,
        wanted: &Wanted,
        node_type: &SharedNodeType,
        event: EventId,
        ending: &CancellationToken,
    ) {
        let Some(listen) = node_type.listens() else { return };
        let secrets = SecretTexts::default().shared();
        let hearing = Arc::new(Tried::new(self, wanted, secrets.clone(), event));
        let done = hearing.done.clone();
        let port: Arc<dyn Hearing> = hearing;
        let mut listening = self.listening(wanted, port, &secrets, None);
        let farewell = async {
            done.cancelled().await;
            tokio::time::sleep(FAREWELL_TIME_MAX).await;
        };
        let ended = tokio::select! {
            ended = listen.listen(&mut listening) => ended,
            () = farewell => return,
            () = ending.cancelled() => return,
        };
        if let Err(mut error) = ended.or_else(|error| if error.message == ON_ITS_OWN { Ok(()) } else { Err(error) }) {
            if let Some(finder) = secrets.finder() {
                crate::hide::Hide::hide(&mut error, &finder);
            }
            let (workflow_id, node) = (wanted.workflow_id, &wanted.node.name);
            tracing::warn!(%workflow_id, node, %error, "the draft cannot listen");
        }
    }

    fn listening(
        &self,
        wanted: &Wanted,
        hearing: Arc<dyn Hearing>,
        secrets: &SecretTexts,
        cursor: Option<serde_json::Value>,
    ) -> Listening {
        let parts = crate::node::ListeningParts {
            tenant: wanted.tenant,
            workflow_id: wanted.workflow_id,
            timezone: wanted.timezone,
            is_test: matches!(wanted.purpose, Purpose::Test { .. }),
            services: Arc::clone(&self.parts.services),
            cursor,
            secrets: secrets.clone(),
            clock: Arc::clone(self.parts.commands.clock()),
        };
        Listening::new(Arc::clone(&wanted.node), hearing, parts)
    }
}
