//! What language models are asked with, and for whom.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use timeloom_commands::{Clock as WallClock, Commands, Credentials, Ids};
use timeloom_domain::ids::{AgentRunId, ExecutionId, Slug, TenantId, WorkflowId};
use timeloom_domain::inference::port::Asker;
use timeloom_gateway::limits::{Holder, HolderKind};
use timeloom_gateway::ports::{Chance, Clock};
use timeloom_gateway::upstream::Upstream;
use timeloom_inference::pool::Clock as Ticks;
use timeloom_store::{BlobStore, EventLog};

use crate::recorder::Cause;

/// What language models are asked with.
pub struct LanguageParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Where what is said goes that is too large for events.
    pub blobs: Arc<dyn BlobStore>,
    /// All set-ups at a glance.
    pub commands: Commands,
    /// Where keys of providers are.
    pub credentials: Credentials,
    /// The time of day.
    pub clock: Arc<dyn WallClock>,
    /// The time that passes.
    pub ticks: Arc<dyn Ticks>,
    /// Where ids and chance come from.
    pub ids: Arc<dyn Ids>,
    /// Language models that this process computes itself, where it does.
    pub local: Option<Arc<dyn LocalModels>>,
    /// Which addresses providers may be at.
    pub reaching: Reaching,
}

/// Language models that this process computes itself.
pub trait LocalModels: Send + Sync {
    /// What answers for a tenant's provider of the protocol `local`. It is asked with the names of the tenant's models.
    fn upstream(&self, tenant: TenantId) -> Arc<dyn Upstream>;

    /// Names of the tenant's models that can be asked now. Each is a route by itself, where the set-up has none of that
    /// name. The same list is the same pointer.
    fn names(&self, tenant: TenantId) -> Arc<BTreeSet<String>>;
}

/// Which addresses providers may be at.
#[derive(Debug, Clone)]
pub struct Reaching {
    /// Whether any.
    pub allow_private: bool,
    /// Hosts, as `host` or `host:port`, that may be at private ones.
    pub allowed_hosts: BTreeSet<String>,
    /// Whether an address is public.
    pub is_public: fn(IpAddr) -> bool,
}

impl Reaching {
    /// Which addresses the host of a base URL may have; any where nothing is said.
    pub(super) fn of(&self, base_url: &str) -> Option<fn(IpAddr) -> bool> {
        let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
        let with_port = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let default_port = if base_url.starts_with("https:") { 443 } else { 80 };
        let (name, with_port) = match with_port.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((name, _)) => (name, with_port.to_owned()),
            None => (with_port, format!("{with_port}:{default_port}")),
        };
        let is_allowed =
            self.allow_private || self.allowed_hosts.contains(name) || self.allowed_hosts.contains(&with_port);
        (!is_allowed).then_some(self.is_public)
    }
}

/// For whom a language model is asked, and from where.
#[derive(Debug, Clone)]
pub struct LanguageAsker {
    /// For whom, by whom and because of what.
    pub cause: Cause,
    /// The workflow that asks.
    pub workflow: Option<WorkflowId>,
    /// The execution that asks.
    pub execution: Option<ExecutionId>,
    /// The node of it that asks.
    pub node: Option<String>,
    /// The agent that asks.
    pub agent: Option<Slug>,
    /// The run of the agent that asks.
    pub agent_run: Option<AgentRunId>,
    /// Id of the API key by which it is asked.
    pub api_key: Option<String>,
    /// The same for the same question asked again: it decides which target answers where several are tried.
    pub key: Option<String>,
}

impl LanguageAsker {
    /// Somebody who asks from outside.
    pub fn new(cause: Cause) -> Self {
        Self {
            cause,
            workflow: None,
            execution: None,
            node: None,
            agent: None,
            agent_run: None,
            api_key: None,
            key: None,
        }
    }

    /// For whom limits are kept.
    pub fn holders(&self) -> Vec<Holder> {
        let mut holders = vec![Holder::new(HolderKind::Tenant, self.cause.tenant.0.to_string())];
        holders.extend(self.api_key.as_ref().map(|key| Holder::new(HolderKind::Key, key)));
        holders.extend(self.workflow.map(|id| Holder::new(HolderKind::Workflow, id.to_string())));
        holders.extend(self.agent.as_ref().map(|name| Holder::new(HolderKind::Agent, name.as_str())));
        holders
    }
}

impl From<&Asker> for LanguageAsker {
    fn from(asker: &Asker) -> Self {
        let Asker { tenant, actor, causation, correlation, .. } = asker;
        let (tenant, actor) = (*tenant, actor.clone());
        let cause = Cause { tenant, actor, causation: *causation, correlation: *correlation };
        Self {
            workflow: asker.workflow,
            execution: asker.execution,
            node: asker.node.clone(),
            agent: asker.agent.clone(),
            agent_run: asker.agent_run,
            key: asker.key.clone(),
            ..Self::new(cause)
        }
    }
}

/// Time, as the gateway asks for it.
pub(super) struct Times {
    pub wall: Arc<dyn WallClock>,
    pub ticks: Arc<dyn Ticks>,
}

impl Clock for Times {
    fn now_ms(&self) -> i64 {
        self.wall.now_ms()
    }

    fn monotonic_us(&self) -> u64 {
        u64::try_from(self.ticks.now().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Chance, as the gateway asks for it.
pub(super) struct Luck(pub Arc<dyn Ids>);

impl Chance for Luck {
    fn draw(&self) -> u64 {
        self.0.seed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_private_where_it_is_named_with_its_port_or_without() {
        let reaching = |hosts: &[&str]| Reaching {
            allow_private: false,
            allowed_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            is_public: |_| false,
        };
        for (url, host, is_open) in [
            ("http://localhost:11434/api", "localhost", true),
            ("http://localhost:11434/api", "localhost:11434", true),
            ("http://localhost:11434/api", "localhost:80", false),
            ("http://localhost", "localhost:80", true),
            ("https://models.lan/v1?x=1", "models.lan:443", true),
            ("http://[::1]:9/v1", "[::1]", true),
            ("http://[::1]/v1", "[::1]:80", true),
            ("http://localhost.example/v1", "localhost", false),
        ] {
            assert_eq!(reaching(&[host]).of(url).is_none(), is_open, "{url} {host}");
        }
    }
}
