//! Wiring: the parts of Timeloom put together over one log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use timeloom_agents::{AgentCalls, AgentRuns, AgentRunsParts};
use timeloom_archive::Archiver;
use timeloom_commands::{Access, Commands, Credentials, Erasures, ErasuresParts, Ids as _, Keeping, SystemIds};
use timeloom_domain::access::Principal;
use timeloom_domain::catalogue::NodeCatalogue;
use timeloom_domain::ids::{Actor, TenantId};
use timeloom_domain::trace::Sampling;
use timeloom_engine::data_tables::LoggedTables;
use timeloom_engine::listeners::{Listeners, ListenersParts};
use timeloom_engine::node::{
    Binaries, CredentialPort, FixedCredentials, NodeRegistry, Services, SubWorkflows, Tracing,
};
use timeloom_engine::reactions::{Reactions, ReactionsParts};
use timeloom_engine::recall::LoggedRecall;
use timeloom_engine::replay::ReplayChecks;
use timeloom_engine::scheduler::{ClockTimer, Scheduler, SchedulerParts};
use timeloom_engine::sub_workflows::SubWorkflowCalls;
use timeloom_engine::vectors::LoggedVectors;
use timeloom_engine::{ContinueAsNew, Engine, EngineOptions, EngineParts};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::Limits;
use timeloom_monitor::{MeasuredLog, Metrics, Service, Traces, TracesParts};
use timeloom_projections::ReadModels;
use timeloom_read_api::{ApiState, ServerFacts, Wiring};
use timeloom_sandbox::SandboxEngine;
use timeloom_store::EventLog;
use timeloom_store::clock::SystemClock;
use timeloom_store::leases::Roles;

use crate::audit::{AuditFollower, AuditKeys, AuditParts};
use crate::clock::MachineClock;
use crate::config::{Config, DurabilityLevel};
use crate::erasure::Made;
use crate::models::Port;
use crate::store::Store;
use crate::trace_config::TraceOptions;

/// Computations at once for each thread: more than one, so that a slow script does not hold up the rest.
const BURSTS_PER_THREAD: usize = 8;
/// Name of the mark up to when schedules were served.
const SCHEDULES_MARK: &str = "schedules.mark";
/// Name of the mark up to which the ends of executions were served.
const REACTIONS_MARK: &str = "reactions.mark";
/// Name of the mark up to which traces were sent.
const TRACES_MARK: &str = "traces.mark";
/// Longest wait for the read models of a folder that was just opened.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(60);

/// Timeloom over one log.
pub struct App {
    /// The way in for changes.
    pub commands: Commands,
    /// The credentials that are kept.
    pub credentials: Credentials,
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// What drives executions; it does nothing until it is started.
    pub engine: Engine,
    /// How nodes and agents ask models; they are refused until models are opened.
    pub models: Arc<Port>,
    /// What begins executions by the clock; it does nothing until it is started.
    pub scheduler: Scheduler,
    /// What listens for messages; it does nothing until it is started.
    pub listeners: Listeners,
    /// What follows from the ends of executions; it does nothing until it is started.
    pub reactions: Reactions,
    /// What runs executions again to see what they do; it does nothing until it is started.
    pub replays: ReplayChecks,
    /// What drives runs of agents; it does nothing until it is started.
    pub agents: AgentRuns,
    /// What lets the tree over the log follow it, and signs checkpoints; it does nothing until it is started.
    pub audit: Option<AuditFollower>,
    /// What can be erased.
    pub erasures: Erasures,
    /// Who has access.
    pub access: Access,
    /// The API's state.
    pub api: ApiState,
    /// What sends traces, where somebody looks at them; it does nothing until it is started.
    pub traces: Option<Traces>,
    /// What moves old ranges of the log into the archive, where that is possible.
    pub archiver: Option<Arc<Archiver>>,
    /// The read models.
    pub read_models: Arc<ReadModels>,
    /// Where everything is kept.
    pub store: Store,
}

/// What not every process has.
#[derive(Default)]
struct Extras {
    /// Credentials in place of those that are kept.
    credentials: Option<Arc<dyn CredentialPort>>,
    /// What is to be traced.
    traces: Option<TraceOptions>,
}

impl Extras {
    /// How executions are traced.
    fn tracing(&self) -> Tracing {
        let options = self.traces.as_ref();
        options.map_or_else(Tracing::default, |options| Tracing { sampling: options.sampling, tells: options.tells })
    }
}

/// The tenant that every installation begins with: it runs the installation.
pub const TENANT: TenantId = TenantId(0);
/// The name of whoever has the machine, where nothing else is known.
const OWNER: &str = "owner";

/// Who sends the commands of whoever has the machine.
pub fn actor() -> Actor {
    Actor::Local(OWNER.to_owned())
}

impl App {
    /// Opens the data folder or database of `config`.
    ///
    /// # Errors
    /// When it is in use, cannot be written, or was written by a newer version; the message says what to do.
    pub async fn open(config: &Config, registry: NodeRegistry) -> anyhow::Result<Self> {
        Self::open_as(Roles::all(), config, registry, None).await
    }

    /// The same for a process with these roles, which may be traced.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_as(
        roles: Roles,
        config: &Config,
        registry: NodeRegistry,
        traces: Option<TraceOptions>,
    ) -> anyhow::Result<Self> {
        Self::over(Store::open(config, roles).await?, config, registry, Extras { traces, ..Extras::default() })
    }

    /// The same with these credentials in place of those that are kept: for a run of a file by itself.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(
        config: &Config,
        registry: NodeRegistry,
        credentials: FixedCredentials,
    ) -> anyhow::Result<Self> {
        let extras = Extras { credentials: Some(Arc::new(credentials)), ..Extras::default() };
        Self::over(Store::open(config, Roles::all()).await?, config, registry, extras)
    }

    /// Timeloom in memory, with read models in `folder`: for measurements against the embedded store.
    ///
    /// # Errors
    /// When the read models cannot be opened.
    pub fn in_memory(
        config: &Config,
        folder: &Path,
        registry: NodeRegistry,
        traces: Option<TraceOptions>,
    ) -> anyhow::Result<Self> {
        Self::over(Store::in_memory(config, folder)?, config, registry, Extras { traces, ..Extras::default() })
    }

    fn over(store: Store, config: &Config, registry: NodeRegistry, extras: Extras) -> anyhow::Result<Self> {
        let metrics: Arc<Metrics> = Arc::default();
        let log: Arc<dyn EventLog> = Arc::new(MeasuredLog::new(Arc::clone(&store.log), Arc::clone(&metrics)));
        let read_models = ReadModels::open(store.read_models.clone(), Arc::clone(&log))
            .context("the read models cannot be opened")?;
        let (evaluator, catalogue) = evaluator_and_catalogue(&registry)?;
        let (clock, ids) = (Arc::new(MachineClock), Arc::new(SystemIds));
        let commands = Commands::keeping(Arc::clone(&log), Arc::clone(&catalogue), clock, ids, keeping(&store));
        let (credentials, access) = who_and_what_with(&store, &commands);
        let erasures = erasures(&store, &commands);
        let calls = SubWorkflowCalls::new(Arc::clone(&log), commands.clone(), commands.directory().clone());
        let (models, tracing) = (Arc::<Port>::default(), extras.tracing());
        let traces = extras.traces.map(|options| traces(&store, &log, &read_models, &commands, &metrics, options));
        let audit = audit(&store, config, &metrics);
        let (scheduler, reactions) = background(&store, config, &commands, Arc::new(calls.clone()), tracing.sampling);
        let registry = Arc::new(registry);
        let services = Arc::new(Services {
            credentials: extras.credentials.unwrap_or_else(|| Arc::new(credentials.clone())),
            sub_workflows: Arc::new(calls),
            models: Arc::clone(&models) as _,
            tracing,
            ..services(&store, config, &log, &commands)
        });
        let parts = engine_parts(&store, &log, (Arc::clone(&registry), Arc::clone(&evaluator)), Arc::clone(&services));
        let archiver = store.archiver(&log);
        let api = ApiState::new(Wiring {
            commands: commands.clone(),
            credentials: credentials.clone(),
            access: access.clone(),
            erasures: erasures.clone(),
            read_models: Arc::clone(&read_models),
            log: Arc::clone(&log),
            catalogue,
            evaluator,
            workers: Arc::clone(&store.workers),
            limits: Arc::clone(&models) as _,
            inference_cases: Arc::clone(&models) as _,
            stored: store.stored.clone(),
            proofs: audit.as_ref().map(AuditFollower::proofs),
            archiver: archiver.clone(),
            principal: Principal::local(TENANT, config.local_name()),
            webhooks: config.webhooks(),
            metrics: Arc::clone(&metrics),
            graphql: config.graphql.options()?,
            tracer: traces.as_ref().map(Traces::tracer),
            server: server_facts(&store, config, traces.is_some()),
        });
        erasures.scrubs(Made::of(&read_models, &api, &models));
        let listeners = listeners(&store, config, (&log, &commands), (Arc::clone(&registry), Arc::clone(&services)));
        let engine = Engine::new(parts, engine_options(config));
        let agents = agent_runs(&log, &commands, (registry, services), engine.clone());
        Ok(Self {
            replays: ReplayChecks::new(engine.clone(), commands.clone()),
            commands,
            credentials,
            log,
            engine,
            models,
            scheduler,
            listeners,
            reactions,
            agents,
            audit,
            erasures,
            access,
            api,
            traces,
            archiver,
            read_models,
            store,
        })
    }

    /// Lets the read models follow the log.
    ///
    /// # Errors
    /// When they cannot.
    pub fn start_read_models(&self) -> anyhow::Result<()> {
        Ok(self.read_models.start()?)
    }

    /// Lets the read models follow what another process writes.
    ///
    /// # Errors
    /// When they cannot.
    pub fn start_reading(&self) -> anyhow::Result<()> {
        Ok(self.read_models.start_reading()?)
    }

    /// Lets the read models follow the log, and waits until they show all that it holds.
    ///
    /// # Errors
    /// When they cannot, or do not within a minute.
    pub async fn catch_up(&self) -> anyhow::Result<()> {
        self.start_read_models()?;
        self.finish_erasures().await?;
        let caught_up = self.read_models.wait_for(self.log.head(), CATCH_UP_TIME_MAX).await;
        caught_up.context("the read models do not keep up: try `timeloom projections rebuild`")
    }

    /// Finishes the erasures that a process left in the middle. The read models must follow the log.
    ///
    /// # Errors
    /// When they cannot be finished: then what was made of erased data is there still, and nothing may be served.
    pub async fn finish_erasures(&self) -> anyhow::Result<()> {
        self.erasures.finish().await.context("an erasure that was interrupted cannot be finished")
    }

    /// Stops everything in order: no new work, then the engine, whose shards others may have from then on, what sends traces,
    /// the snapshots, the read models, the log.
    pub async fn close(self) {
        self.api.close().await;
        self.erasures.close().await;
        self.scheduler.stop().await;
        self.listeners.stop().await;
        self.reactions.stop().await;
        self.replays.stop().await;
        self.agents.stop().await;
        self.engine.stop().await;
        if let Some(traces) = &self.traces {
            traces.stop().await;
        }
        if let Some(audit) = &self.audit {
            audit.stop().await;
        }
        self.store.leases.leave().await;
        self.access.close().await;
        self.commands.close().await;
        if let Err(error) = self.read_models.close().await {
            tracing::warn!(%error, "the read models did not close cleanly; they are checked at the next start");
        }
        self.store.close().await;
    }
}

/// What can be erased of what this process has.
fn erasures(store: &Store, commands: &Commands) -> Erasures {
    Erasures::new(ErasuresParts {
        commands: commands.clone(),
        stored: Arc::clone(&store.sealed),
        keys: Arc::clone(&store.subject_keys),
        blobs: Arc::clone(&store.blobs),
    })
}

/// What the process tells of itself.
fn server_facts(store: &Store, config: &Config, is_traced: bool) -> ServerFacts {
    let switched_on =
        [(matches!(config.durability, DurabilityLevel::Relaxed), "relaxed-durability"), (is_traced, "traces")];
    let features = switched_on.into_iter().filter_map(|(is_on, feature)| is_on.then_some(feature)).collect();
    ServerFacts { backend: store.backend(), features }
}

/// What commands remember of the streams that they have read.
fn keeping(store: &Store) -> Keeping {
    Keeping { snapshots: store.snapshots.clone(), ..Keeping::default() }
}

/// What evaluates expressions, and what nodes there are, by which those of drafts are checked.
pub(crate) fn evaluator_and_catalogue(registry: &NodeRegistry) -> anyhow::Result<(Arc<Evaluator>, Arc<NodeCatalogue>)> {
    let sandbox = SandboxEngine::new(SystemIds.seed()).context("the JavaScript sandbox cannot be opened")?;
    let evaluator = Evaluator::new(Some(Arc::new(sandbox)));
    let checks = Arc::clone(&evaluator);
    let catalogue = registry.catalogue().with_expression_check(Arc::new(move |texts: &[&str]| checks.broken(texts)));
    Ok((evaluator, Arc::new(catalogue)))
}

/// What lets the tree over the log follow it, where anything is stored.
fn audit(store: &Store, config: &Config, metrics: &Arc<Metrics>) -> Option<AuditFollower> {
    let keys = AuditKeys::new(config, store.key_place(config));
    let parts = |proofs| AuditParts { proofs, log: Arc::clone(&store.log), keys, metrics: Arc::clone(metrics) };
    store.proofs.clone().map(parts).map(AuditFollower::new)
}

/// What executions are driven with.
fn engine_parts(
    store: &Store,
    log: &Arc<dyn EventLog>,
    (registry, evaluator): (Arc<NodeRegistry>, Arc<Evaluator>),
    services: Arc<Services>,
) -> EngineParts {
    EngineParts {
        log: Arc::clone(log),
        registry,
        evaluator,
        clock: Arc::new(MachineClock),
        ids: Arc::new(SystemIds),
        services,
        checkpoints: Arc::clone(&store.checkpoints),
        leases: Arc::clone(&store.leases),
    }
}

/// How executions are driven.
pub(crate) fn engine_options(config: &Config) -> EngineOptions {
    EngineOptions {
        timezone: config.timezone,
        vars: Arc::default(),
        env: Arc::new(config.expression_environment()),
        executions_max: config.executions_max as usize,
        tenant_executions_max: config.tenant_executions_max as usize,
        bursts_max: config.worker_threads() * BURSTS_PER_THREAD,
        code_limits: Limits::CODE,
        continue_as_new: ContinueAsNew::default(),
        public_url: Arc::from(config.public_url()),
    }
}

/// Credentials, and who has access, under the keys of a store.
fn who_and_what_with(store: &Store, commands: &Commands) -> (Credentials, Access) {
    let credentials = Credentials::new(commands.clone(), Arc::clone(&store.keys), Arc::new(SystemIds));
    (credentials, Access::new(commands.clone(), Arc::clone(&store.keys), Arc::new(SystemIds)))
}

/// What nodes use that the log and the store of this process give them.
fn services(store: &Store, config: &Config, log: &Arc<dyn EventLog>, commands: &Commands) -> Services {
    Services {
        binaries: Binaries::new(Arc::clone(&store.blobs)),
        recall: Arc::new(LoggedRecall::new(commands.clone())),
        data_tables: Arc::new(LoggedTables::new(commands.clone())),
        vectors: Arc::new(LoggedVectors::new(commands.clone())),
        agents: Arc::new(AgentCalls::new(Arc::clone(log), commands.clone())),
        documents: crate::documents::reader(),
        features: Arc::new(commands.flags().clone()),
        ..Services::new(config.outbound())
    }
}

/// What drives the runs of agents that this process drives executions of as well.
fn agent_runs(
    log: &Arc<dyn EventLog>,
    commands: &Commands,
    (registry, services): (Arc<NodeRegistry>, Arc<Services>),
    engine: Engine,
) -> AgentRuns {
    AgentRuns::new(AgentRunsParts {
        log: Arc::clone(log),
        commands: commands.clone(),
        registry,
        services,
        drives: Arc::new(move |id| engine.drives(id)),
    })
}

/// What begins executions by the clock, and what follows from their ends. Any number of processes may run both.
fn background(
    store: &Store,
    config: &Config,
    commands: &Commands,
    sub_workflows: Arc<dyn SubWorkflows>,
    sampling: Sampling,
) -> (Scheduler, Reactions) {
    let scheduler = Scheduler::new(SchedulerParts {
        commands: commands.clone(),
        directory: commands.directory().clone(),
        timer: Arc::new(ClockTimer(Arc::clone(commands.clock()))),
        mark: store.mark(SCHEDULES_MARK),
        timezone: config.timezone,
    });
    let reactions = Reactions::new(ReactionsParts {
        log: Arc::clone(&store.log),
        commands: commands.clone(),
        directory: commands.directory().clone(),
        sub_workflows,
        mark: store.mark(REACTIONS_MARK),
        public_url: Arc::from(config.public_url()),
        sampling,
    });
    (scheduler, reactions)
}

/// What listens for messages in the shards of this process.
fn listeners(
    store: &Store,
    config: &Config,
    (log, commands): (&Arc<dyn EventLog>, &Commands),
    (registry, services): (Arc<NodeRegistry>, Arc<Services>),
) -> Listeners {
    Listeners::new(ListenersParts {
        log: Arc::clone(log),
        commands: commands.clone(),
        directory: commands.directory().clone(),
        registry,
        services,
        leases: Arc::clone(&store.leases),
        timezone: config.timezone,
    })
}

/// What sends traces of this process.
fn traces(
    store: &Store,
    log: &Arc<dyn EventLog>,
    read_models: &Arc<ReadModels>,
    commands: &Commands,
    metrics: &Arc<Metrics>,
    options: TraceOptions,
) -> Traces {
    let directory = commands.directory().clone();
    let workflow_name = move |tenant, id| directory.now().workflow(tenant, id).map(|entry| entry.draft.name.clone());
    Traces::new(TracesParts {
        log: Arc::clone(log),
        leases: Arc::clone(&store.leases),
        read_models: Arc::clone(read_models),
        clock: Arc::new(SystemClock),
        workflow_name: Arc::new(workflow_name),
        collector: options.collector,
        mark: store.mark(TRACES_MARK),
        service: Service { name: options.service_name, instance: store.leases.worker().to_string() },
        sampling: options.sampling,
        metrics: Arc::clone(metrics),
    })
}
