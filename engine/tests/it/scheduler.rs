//! Executions that begin by the clock: once each, at their time, by the workflow's policy when it was missed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use timeloom_commands::{
    Clock, CommandContext, CommandError, Commands, Directory, ImportWorkflow, StartExecution, SystemIds,
};
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, Ports};
use timeloom_domain::definition::{MisfirePolicy, Node, Problem};
use timeloom_domain::execution::{ExecutionEvent, TriggerFacts};
use timeloom_domain::ids::{Actor, CommandId, TenantId, WorkflowId};
use timeloom_engine::node::{Behaviour, NodeRegistry, NodeType, SharedNodeType};
use timeloom_engine::schedule::{SCHEDULE_TRIGGER, Schedule, firing_item};
use timeloom_engine::scheduler::{
    ActiveSchedule, Agenda, MADE_UP_MAX, ScheduleKey, Scheduler, SchedulerParts, Timer, firing_id,
};
use timeloom_store::mark::Mark;
use timeloom_store::{Direction, EventLog, Filter, LogError, MemoryLog, Position, TenantScope, codec};
use tokio::sync::watch;
use uuid::Uuid;

use crate::bench::{MemoryMark, PATIENCE};

const TENANT: TenantId = TenantId(1);
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
/// 2026-03-02T10:00:00Z.
const BEGIN: i64 = 1_772_445_600_000;

/// A clock that stands until it is set.
struct HandClock {
    now: watch::Sender<i64>,
    /// How often somebody began to wait for a time.
    waits: watch::Sender<u64>,
}

impl HandClock {
    fn set(&self, now_ms: i64) {
        self.now.send_replace(now_ms);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        *self.now.borrow()
    }
}

#[async_trait]
impl Timer for HandClock {
    async fn wait_until(&self, at_ms: i64) {
        let mut changes = self.now.subscribe();
        self.waits.send_modify(|waits| *waits += 1);
        if *changes.borrow_and_update() < at_ms {
            changes.changed().await.unwrap();
        }
    }
}

/// The Schedule Trigger without its item.
struct Trigger;

impl NodeType for Trigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: SCHEDULE_TRIGGER,
            display_name: "Sample",
            description: "Sample.",
            versions: &[1.2],
            role: NodeRole::Trigger,
            ports: Ports { inputs: 0, outputs: 1, closes_loops: false },
            ..NodeDefinition::BLANK
        }
    }

    fn problems(&self, node: &Node) -> Vec<Problem> {
        let error = Schedule::parse(&node.node_type, &node.parameters).err();
        let problem = |error: timeloom_engine::schedule::ScheduleError| Problem {
            node: Some(node.name.clone()),
            field: error.field,
            message: error.message,
        };
        error.map(problem).into_iter().collect()
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

struct World {
    log: Arc<MemoryLog>,
    commands: Commands,
    directory: Directory,
    clock: Arc<HandClock>,
    mark: Arc<MemoryMark>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(HandClock { now: watch::Sender::new(BEGIN), waits: watch::Sender::new(0) });
        let shown = Arc::clone(&clock);
        let time = move || -> DateTime<Utc> { DateTime::from_timestamp_millis(shown.now_ms()).unwrap() };
        let log = MemoryLog::new(Arc::new(time));
        let registry = NodeRegistry::new([Arc::new(Trigger) as SharedNodeType]);
        let shared = Arc::clone(&log) as Arc<dyn EventLog>;
        let commands = Commands::new(
            Arc::clone(&shared),
            Arc::new(registry.catalogue()),
            Arc::clone(&clock) as _,
            Arc::new(SystemIds),
        );
        Self { log, commands, directory: Directory::follow(shared), clock, mark: Arc::default() }
    }

    /// A scheduler that has looked at what was due, and waits.
    async fn scheduler(&self) -> Scheduler {
        let scheduler = Scheduler::new(SchedulerParts {
            commands: self.commands.clone(),
            directory: self.directory.clone(),
            timer: Arc::clone(&self.clock) as Arc<dyn Timer>,
            mark: Arc::clone(&self.mark) as Arc<dyn Mark>,
            timezone: Tz::UTC,
        });
        let mut waits = self.clock.waits.subscribe();
        waits.mark_unchanged();
        scheduler.start();
        tokio::time::timeout(PATIENCE, waits.changed()).await.unwrap().unwrap();
        scheduler
    }

    fn context(&self) -> CommandContext {
        CommandContext::trusted(TENANT, Actor::Local("somebody".to_owned()), CommandId(self.commands.ids().uuid()))
    }

    async fn import(&self, id: Option<WorkflowId>, rule: Value, settings: Value) -> WorkflowId {
        let trigger = json!({
            "name": "Clock", "type": SCHEDULE_TRIGGER, "typeVersion": 1.2, "position": [0, 0],
            "parameters": { "rule": { "interval": [rule] } },
        });
        let file = json!({ "name": "Sample", "nodes": [trigger], "connections": {}, "settings": settings });
        let import = ImportWorkflow { workflow_id: id, source: file.to_string().into_bytes() };
        let id = self.commands.import_workflow(&self.context(), import).await.unwrap().value;
        self.commands.publish_workflow(&self.context(), id).await.unwrap();
        id
    }

    /// An active workflow that the directory knows.
    async fn activate(&self, rule: Value, settings: Value) -> WorkflowId {
        let id = self.import(None, rule, settings).await;
        let active = self.commands.activate_workflow(&self.context(), id, None).await.unwrap();
        self.directory.wait_for(active.position).await.unwrap();
        id
    }

    /// The executions of a workflow: when they were due, in order of the log.
    async fn due(&self, id: WorkflowId) -> Vec<i64> {
        let events = self.started().await;
        events.into_iter().filter(|(workflow, ..)| *workflow == id).map(|(_, due, _)| due).collect()
    }

    async fn started(&self) -> Vec<(WorkflowId, i64, Value)> {
        let filter = Filter { event_types: vec!["ExecutionStarted".into()], ..Filter::default() };
        let read =
            self.log.read_all(TenantScope::All, Position::START, Direction::Forward, &filter, 1_000).await.unwrap();
        let fact = |event: &Arc<timeloom_store::RecordedEvent>| match codec::decode::<ExecutionEvent>(event).unwrap() {
            ExecutionEvent::ExecutionStarted(start) => {
                let Some(TriggerFacts::Schedule { due_at_ms }) = start.trigger else { panic!("{start:?}") };
                (start.workflow_id, due_at_ms, start.items[0].json.to_value())
            }
            other => panic!("{other:?}"),
        };
        read.iter().map(fact).collect()
    }

    /// Sets the clock to a time at which `id` is due, and waits until that execution has begun.
    async fn tick(&self, id: WorkflowId, due_at_ms: i64) {
        self.clock.set(due_at_ms);
        self.begun(id, due_at_ms).await;
    }

    async fn begun(&self, id: WorkflowId, due_at_ms: i64) {
        let stream = crate::bench::execution(firing_id(id, "Clock", due_at_ms));
        let filter = Filter { stream: Some(stream), ..Filter::default() };
        let mut events = self.log.subscribe(TenantScope::All, Position::START, filter, 16);
        let begun =
            async { while !matches!(events.next().await, Some(timeloom_store::SubscriptionMessage::Event(_))) {} };
        tokio::time::timeout(PATIENCE, begun).await.unwrap_or_else(|_| panic!("nothing began at {due_at_ms}"));
    }
}

fn every_minute() -> Value {
    json!({ "field": "minutes", "minutesInterval": 1 })
}

fn minutes(from: i64, to: i64) -> Vec<i64> {
    (from..=to).map(|minute| BEGIN + minute * MINUTE).collect()
}

#[tokio::test]
async fn each_time_begins_one_execution_that_tells_when_it_was_due() {
    let world = World::new();
    let id = world.activate(every_minute(), json!({ "timezone": "Europe/Berlin" })).await;
    let scheduler = world.scheduler().await;
    world.tick(id, BEGIN + MINUTE).await;
    world.tick(id, BEGIN + 2 * MINUTE).await;
    scheduler.stop().await;
    let started = world.started().await;
    let due = minutes(1, 2);
    assert_eq!(started.iter().map(|(_, due, _)| *due).collect::<Vec<_>>(), due);
    assert_eq!(started[0].2, Value::Object(firing_item(due[0], Tz::Europe__Berlin)));
    assert_eq!(*world.mark.0.lock().unwrap(), u64::try_from(due[1]).ok(), "a stop remembers how far it came");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_schedulers_one_begins_each_execution() {
    let world = World::new();
    let id = world.activate(every_minute(), json!({})).await;
    let mut schedulers = Vec::new();
    for _ in 0..4 {
        schedulers.push(world.scheduler().await);
    }
    for minute in 1..=20 {
        world.tick(id, BEGIN + minute * MINUTE).await;
    }
    for scheduler in schedulers {
        scheduler.stop().await;
    }
    assert_eq!(world.due(id).await, minutes(1, 20));
}

#[tokio::test]
async fn what_was_missed_while_nothing_ran_is_treated_by_the_workflows_policy() {
    let world = World::new();
    let mut ids = BTreeMap::new();
    for policy in ["none", "skip", "once", "all"] {
        let settings = if policy == "none" { json!({}) } else { json!({ "misfire": policy }) };
        ids.insert(policy, world.activate(every_minute(), settings).await);
    }
    let scheduler = world.scheduler().await;
    for id in ids.values() {
        world.tick(*id, BEGIN + MINUTE).await;
    }
    scheduler.stop().await;
    // A few seconds after the tenth minute: even what is hardly late was missed.
    world.clock.set(BEGIN + 10 * MINUTE + 5 * SECOND);
    let scheduler = world.scheduler().await;
    world.begun(ids["once"], BEGIN + 10 * MINUTE).await;
    for id in ids.values() {
        world.tick(*id, BEGIN + 11 * MINUTE).await;
    }
    scheduler.stop().await;
    assert_eq!(world.due(ids["none"]).await, [minutes(1, 1), minutes(11, 11)].concat());
    assert_eq!(world.due(ids["skip"]).await, [minutes(1, 1), minutes(11, 11)].concat());
    assert_eq!(world.due(ids["once"]).await, [minutes(1, 1), minutes(10, 11)].concat());
    assert_eq!(world.due(ids["all"]).await, minutes(1, 11));
}

#[tokio::test]
async fn what_was_missed_before_anything_was_ever_due_is_made_up_for() {
    let world = World::new();
    let id = world.activate(every_minute(), json!({ "misfire": "all" })).await;
    let scheduler = world.scheduler().await;
    scheduler.stop().await;
    world.clock.set(BEGIN + 3 * MINUTE + SECOND);
    let scheduler = world.scheduler().await;
    world.begun(id, BEGIN + 3 * MINUTE).await;
    scheduler.stop().await;
    assert_eq!(world.due(id).await, minutes(1, 3));
}

#[tokio::test]
async fn nothing_was_missed_before_a_workflow_was_active() {
    let world = World::new();
    let first = world.activate(every_minute(), json!({ "misfire": "all" })).await;
    let scheduler = world.scheduler().await;
    world.tick(first, BEGIN + MINUTE).await;
    scheduler.stop().await;
    world.clock.set(BEGIN + 5 * MINUTE);
    let late = world.activate(every_minute(), json!({ "misfire": "all" })).await;
    world.clock.set(BEGIN + 7 * MINUTE + SECOND);
    let scheduler = world.scheduler().await;
    world.begun(late, BEGIN + 7 * MINUTE).await;
    world.begun(first, BEGIN + 7 * MINUTE).await;
    scheduler.stop().await;
    assert_eq!(world.due(late).await, minutes(6, 7));
    assert_eq!(world.due(first).await, minutes(1, 7));
}

#[tokio::test]
async fn a_clock_that_goes_back_begins_nothing_twice() {
    let world = World::new();
    let id = world.activate(every_minute(), json!({})).await;
    let scheduler = world.scheduler().await;
    for minute in 1..=3 {
        world.tick(id, BEGIN + minute * MINUTE).await;
    }
    for minute in 1..=4 {
        world.tick(id, BEGIN + minute * MINUTE).await;
    }
    scheduler.stop().await;
    assert_eq!(world.due(id).await, minutes(1, 4));
    // A mark of a clock that was far ahead keeps nothing from being due.
    world.mark.save((BEGIN + 1_000_000 * MINUTE).unsigned_abs()).await.unwrap();
    let scheduler = world.scheduler().await;
    world.tick(id, BEGIN + 5 * MINUTE).await;
    scheduler.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_misses_what_lies_between() {
    let world = World::new();
    let (skip, all) = (
        world.activate(every_minute(), json!({})).await,
        world.activate(every_minute(), json!({ "misfire": "all" })).await,
    );
    let scheduler = world.scheduler().await;
    world.tick(skip, BEGIN + MINUTE).await;
    world.begun(all, BEGIN + MINUTE).await;
    world.clock.set(BEGIN + 60 * MINUTE);
    world.begun(skip, BEGIN + 60 * MINUTE).await;
    world.begun(all, BEGIN + 60 * MINUTE).await;
    scheduler.stop().await;
    assert_eq!(world.due(skip).await, [minutes(1, 1), minutes(60, 60)].concat());
    let mut due = world.due(all).await;
    due.sort_unstable();
    assert_eq!(due, minutes(1, 60));
}

#[tokio::test]
async fn a_schedule_that_was_taken_out_or_replaced_is_due_no_more() {
    let world = World::new();
    let (stopped, replaced) =
        (world.activate(every_minute(), json!({})).await, world.activate(every_minute(), json!({})).await);
    let scheduler = world.scheduler().await;
    world.tick(stopped, BEGIN + MINUTE).await;
    world.begun(replaced, BEGIN + MINUTE).await;
    let down = world.commands.deactivate_workflow(&world.context(), stopped).await.unwrap();
    world.import(Some(replaced), json!({ "field": "minutes", "minutesInterval": 5 }), json!({})).await;
    world.directory.wait_for(down.position).await.unwrap();
    world.directory.wait_for(world.log.head()).await.unwrap();
    for minute in 2..=5 {
        world.clock.set(BEGIN + minute * MINUTE);
    }
    world.begun(replaced, BEGIN + 5 * MINUTE).await;
    scheduler.stop().await;
    assert_eq!(world.due(stopped).await, minutes(1, 1));
    assert_eq!(world.due(replaced).await, [minutes(1, 1), minutes(5, 5)].concat());
    // A scheduler that has not heard of it yet is told by the command.
    let stale = StartExecution {
        version: Some(1),
        ..StartExecution::by_trigger(replaced, TriggerFacts::Schedule { due_at_ms: BEGIN + 6 * MINUTE })
    };
    let refused = world.commands.start_execution(&world.context(), stale).await.unwrap_err();
    assert!(matches!(refused, CommandError::Refused(refusal) if refusal.code == "WORKFLOW_NOT_ACTIVE"));
}

#[tokio::test]
async fn a_schedule_that_says_no_time_is_not_activated() {
    let world = World::new();
    let id = world.import(None, json!({ "field": "cronExpression", "expression": "every day" }), json!({})).await;
    let refused = world.commands.activate_workflow(&world.context(), id, None).await.unwrap_err();
    let CommandError::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.problems[0].node.as_deref(), Some("Clock"));
    assert_eq!(refusal.problems[0].field, "parameters.rule.interval[0].expression");
}

fn every_second(misfire: MisfirePolicy) -> ActiveSchedule {
    let parameters = json!({ "rule": { "interval": [{ "field": "seconds", "secondsInterval": 1 }] } });
    let schedule = Schedule::parse(SCHEDULE_TRIGGER, &parameters).unwrap();
    ActiveSchedule {
        key: ScheduleKey { tenant: TENANT, workflow_id: WorkflowId(Uuid::from_u128(1)), node: Arc::from("Clock") },
        version: 1,
        since_ms: BEGIN,
        timetable: schedule.timetable(BEGIN, Tz::UTC),
        zone: Tz::UTC,
        tells_time: true,
        misfire,
    }
}

#[test]
fn a_month_of_missed_seconds_is_made_up_for_within_bounds() {
    let now = BEGIN + 30 * 24 * 60 * MINUTE;
    for (policy, made_up) in [(MisfirePolicy::Skip, 0), (MisfirePolicy::Once, 1), (MisfirePolicy::All, MADE_UP_MAX)] {
        let mut agenda = Agenda::default();
        agenda.replace(vec![every_second(policy)], now, Some(BEGIN));
        let due: Vec<i64> = agenda.take_due(now).iter().map(|firing| firing.due_at_ms).collect();
        let newest: Vec<i64> = (0..made_up as i64).rev().map(|second| now - second * SECOND).collect();
        assert_eq!(due, newest, "{policy:?}");
        assert_eq!(agenda.next_at(), Some(now + SECOND));
    }
}

#[test]
fn what_is_late_while_it_looks_is_not_missed() {
    let mut agenda = Agenda::default();
    agenda.replace(vec![every_second(MisfirePolicy::Skip)], BEGIN, None);
    let due = |agenda: &mut Agenda, now: i64| agenda.take_due(now).len();
    assert_eq!(due(&mut agenda, BEGIN + 40 * SECOND), 40);
    assert_eq!(due(&mut agenda, BEGIN + 40 * SECOND), 0);
    assert_eq!(due(&mut agenda, BEGIN + 39 * SECOND), 0);
    assert_eq!(due(&mut agenda, BEGIN + 41 * SECOND), 2, "one of them has begun before, and its id says so");
}

static LOOKS: AtomicI64 = AtomicI64::new(0);

#[tokio::test]
async fn a_storage_that_cannot_tell_the_mark_is_asked_again() {
    struct Slow;

    #[async_trait]
    impl Mark for Slow {
        async fn load(&self) -> Result<Option<u64>, LogError> {
            if LOOKS.fetch_add(1, Ordering::SeqCst) == 0 { Err(LogError::Closed) } else { Ok(None) }
        }

        async fn save(&self, _done_ms: u64) -> Result<(), LogError> {
            Err(LogError::Closed)
        }
    }

    let world = World::new();
    let id = world.activate(every_minute(), json!({})).await;
    let scheduler = Scheduler::new(SchedulerParts {
        commands: world.commands.clone(),
        directory: world.directory.clone(),
        timer: Arc::clone(&world.clock) as Arc<dyn Timer>,
        mark: Arc::new(Slow),
        timezone: Tz::UTC,
    });
    let mut waits = world.clock.waits.subscribe();
    waits.mark_unchanged();
    scheduler.start();
    tokio::time::timeout(PATIENCE, waits.changed()).await.unwrap().unwrap();
    world.tick(id, BEGIN + MINUTE).await;
    scheduler.stop().await;
    assert_eq!(LOOKS.load(Ordering::SeqCst), 2);
}
