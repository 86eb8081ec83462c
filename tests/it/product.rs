//! A whole Timeloom in memory, without a server: commands in, the engine at work, the folded execution out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use serde_json::Value;
use timeloom_commands::{
    Clock, CommandContext, Commands, ForkVersion, Ids, ImportWorkflow, StartExecution, StartReplayCheck, SystemIds,
};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{Execution, ExecutionEvent};
use timeloom_domain::ids::{Actor, CommandId, ExecutionId, TenantId, WorkflowId};
use timeloom_domain::replay::{ReplayCheckEvent, ReplayReport};
use timeloom_engine::checkpoint::NoCheckpoint;
use timeloom_engine::node::{OutboundPolicy, Services};
use timeloom_engine::replay::ReplayChecks;
use timeloom_engine::{ContinueAsNew, Engine, EngineOptions, EngineParts};
use timeloom_expressions::evaluator::Evaluator;
use timeloom_expressions::port::Limits;
use timeloom_sandbox::SandboxEngine;
use timeloom_store::clock::Clock as StoreClock;
use timeloom_store::leases::{AllShards, Roles, WorkerId};
use timeloom_store::{EventLog, Filter, MemoryLog, Position, StreamKey, SubscriptionMessage, SystemClock, TenantScope};

/// Longest time for one execution of a test.
const EXECUTION_TIME_MAX: Duration = Duration::from_secs(30);

/// A running Timeloom.
pub(crate) struct Product {
    log: Arc<dyn EventLog>,
    commands: Commands,
    engine: Engine,
}

struct Time;

impl Clock for Time {
    fn now_ms(&self) -> i64 {
        SystemClock.now().timestamp_millis()
    }
}

impl Product {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let log: Arc<dyn EventLog> = MemoryLog::new(Arc::new(SystemClock));
        let registry = Arc::new(timeloom_nodes::registry::all());
        let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) = (Arc::new(Time), Arc::new(SystemIds));
        let catalogue = Arc::new(registry.catalogue());
        let commands = Commands::new(Arc::clone(&log), catalogue, Arc::clone(&clock), Arc::clone(&ids));
        let outbound = OutboundPolicy {
            allow_private: true,
            request_time_max: Duration::from_secs(5),
            response_bytes_max: 1 << 20,
            ..OutboundPolicy::default()
        };
        let parts = EngineParts {
            log: Arc::clone(&log),
            registry,
            evaluator: Evaluator::new(Some(Arc::new(SandboxEngine::new(7).unwrap()))),
            clock,
            ids,
            services: Arc::new(Services::new(outbound)),
            checkpoints: Arc::new(NoCheckpoint),
            leases: Arc::new(AllShards::new(WorkerId(SystemIds.uuid()), Roles::all(), Arc::new(SystemClock))),
        };
        let options = EngineOptions {
            timezone: Tz::UTC,
            vars: Arc::default(),
            env: Arc::default(),
            executions_max: 8,
            tenant_executions_max: 8,
            bursts_max: 2,
            code_limits: Limits::CODE,
            continue_as_new: ContinueAsNew::default(),
            public_url: Arc::from("http://localhost:8080"),
        };
        let engine = Engine::new(parts, options);
        engine.start().await.unwrap();
        Self { log, commands, engine }
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.engine.stop().await;
    }

    /// Imports a workflow file, runs it by hand and waits for its end.
    pub(crate) async fn run(&self, workflow: &Value) -> Execution {
        self.run_kept(workflow).await.2
    }

    /// The same, with the ids of the workflow and of the execution.
    pub(crate) async fn run_kept(&self, workflow: &Value) -> (WorkflowId, ExecutionId, Execution) {
        let import = ImportWorkflow { workflow_id: None, source: workflow.to_string().into_bytes() };
        let workflow_id = self.commands.import_workflow(&self.context(), import).await.unwrap().value;
        let start = StartExecution::by_hand(workflow_id);
        let id = self.commands.start_execution(&self.context(), start).await.unwrap().value;
        let execution = tokio::time::timeout(EXECUTION_TIME_MAX, self.ended(id)).await.unwrap();
        (workflow_id, id, execution)
    }

    /// Runs an execution again without touching the world.
    pub(crate) async fn replay(&self, workflow_id: WorkflowId, execution: ExecutionId) -> ReplayReport {
        let checks = ReplayChecks::new(self.engine.clone(), self.commands.clone());
        checks.start();
        let check = StartReplayCheck {
            workflow_id,
            executions: vec![execution],
            against: ForkVersion::Same,
            with_cases: false,
        };
        let id = self.commands.start_replay_check(&self.context(), check).await.unwrap().value;
        let stream = StreamKey::new(TenantId::default(), ReplayCheckEvent::CATEGORY, id.to_string());
        let filter = Filter { stream: Some(stream), ..Filter::default() };
        let mut events = self.log.subscribe(TenantScope::All, Position::START, filter, 100);
        let report = async {
            loop {
                if let Some(SubscriptionMessage::Event(event)) = events.next().await
                    && let ReplayCheckEvent::ReplayCheckCompleted { report, .. } =
                        timeloom_store::codec::decode(&event).unwrap()
                {
                    return report;
                }
            }
        };
        let report = tokio::time::timeout(EXECUTION_TIME_MAX, report).await.unwrap();
        checks.stop().await;
        report
    }

    async fn ended(&self, id: ExecutionId) -> Execution {
        let stream = StreamKey::new(TenantId::default(), ExecutionEvent::CATEGORY, id.to_string());
        let filter = Filter { stream: Some(stream), ..Filter::default() };
        let mut events = self.log.subscribe(TenantScope::All, Position::START, filter, 10_000);
        let mut execution = Execution::default();
        while !execution.status.has_ended() {
            match events.next().await {
                Some(SubscriptionMessage::Event(event)) => {
                    execution.apply(&timeloom_store::codec::decode(&event).unwrap())
                }
                Some(SubscriptionMessage::CaughtUp(_) | SubscriptionMessage::Checkpoint(_)) => {}
                other => panic!("the subscription ended: {other:?}"),
            }
        }
        execution
    }

    fn context(&self) -> CommandContext {
        CommandContext::trusted(
            TenantId::default(),
            Actor::Local("test".to_owned()),
            CommandId(self.commands.ids().uuid()),
        )
    }
}

/// The JSON of the items that a node's newest run gave, by output.
pub(crate) fn outputs(execution: &Execution) -> BTreeMap<&str, Value> {
    let mut newest = BTreeMap::new();
    for run in &execution.node_runs {
        let outputs = run.outputs.iter().flatten();
        let json: Value =
            outputs.map(|items| items.iter().map(|item| item.json.to_value()).collect::<Value>()).collect();
        newest.insert(run.node.as_str(), json);
    }
    newest
}
