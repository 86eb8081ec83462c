//! Triggers that listen: each message starts one execution, and is told to be taken when that is durable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use timeloom_commands::live::Listing as _;
use timeloom_commands::{
    Clock, CommandContext, Commands, Directory, ImportWorkflow, ListenerEntry, ListenerStatus, SystemIds,
};
use timeloom_domain::catalogue::{NodeDefinition, NodeRole, Ports};
use timeloom_domain::execution::{ExecutionEvent, TriggerFacts};
use timeloom_domain::ids::{Actor, CommandId, TenantId, WorkflowId};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::listener::{ListenerEvent, listener_id, message_execution};
use timeloom_engine::listeners::{Listeners, ListenersParts, MESSAGE_BYTES_MAX, UNDER_WAY_MAX};
use timeloom_engine::node::{
    Behaviour, Listen, Listening, Message, NodeError, NodeRegistry, NodeType, OutboundPolicy, Services, SharedNodeType,
    Taken,
};
use timeloom_store::leases::{AllShards, Leases as _, Roles, WorkerId};
use timeloom_store::{EventLog, Filter, MemoryLog, Position, SubscriptionMessage, SystemClock, TenantScope, codec};
use tokio::sync::watch;
use uuid::Uuid;

use crate::bench::PATIENCE;

const TENANT: TenantId = TenantId(1);
const TYPE: &str = "n8n-nodes-base.mqttTrigger";

struct Time;

impl Clock for Time {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000
    }
}

/// What a test does with messages: a broker that keeps them until they are told to be taken.
#[derive(Default)]
struct Broker {
    waiting: Mutex<Vec<(String, usize)>>,
    /// Messages that were told to be taken, with what became of them.
    taken: watch::Sender<Vec<(String, Taken)>>,
    /// How often somebody connected.
    connections: AtomicUsize,
    /// How many connections fail first.
    failures: AtomicUsize,
    /// The cursor of the newest connection.
    cursor: Mutex<Option<Value>>,
    come: tokio::sync::Notify,
}

impl Broker {
    fn send(&self, position: &str) {
        self.send_bytes(position, 1);
    }

    fn send_bytes(&self, position: &str, bytes: usize) {
        self.waiting.lock().unwrap().push((position.to_owned(), bytes));
        self.come.notify_one();
    }

    async fn took(&self, count: usize) -> Vec<(String, Taken)> {
        let mut taken = self.taken.subscribe();
        let reached = taken.wait_for(|taken| taken.len() >= count);
        tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap().clone()
    }
}

struct Trigger(Arc<Broker>);

impl NodeType for Trigger {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: TYPE,
            display_name: "Sample",
            description: "Sample.",
            versions: &[1.0],
            role: NodeRole::Trigger,
            ports: Ports { inputs: 0, outputs: 1, closes_loops: false },
            ..NodeDefinition::BLANK
        }
    }

    fn listens(&self) -> Option<&dyn Listen> {
        Some(self)
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::PassThrough
    }
}

#[async_trait]
impl Listen for Trigger {
    async fn listen(&self, listening: &mut Listening) -> Result<(), NodeError> {
        let broker = &self.0;
        broker.connections.fetch_add(1, Ordering::SeqCst);
        *broker.cursor.lock().unwrap() = listening.cursor.clone();
        if broker.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(NodeError::api("the broker is away"));
        }
        listening.opened().await?;
        loop {
            let next = broker.waiting.lock().unwrap().first().cloned();
            let Some((position, bytes)) = next else {
                broker.come.notified().await;
                continue;
            };
            let item = Item::new(JsonObject::from_iter([("position".to_owned(), json!(position))]));
            let message = Message { position: Some(position.clone()), items: vec![item], bytes };
            let taken = listening.take(message).await?;
            broker.waiting.lock().unwrap().remove(0);
            listening.advance(json!({ "after": position }));
            broker.taken.send_modify(|all| all.push((position, taken)));
        }
    }
}

struct World {
    log: Arc<MemoryLog>,
    commands: Commands,
    broker: Arc<Broker>,
    registry: Arc<NodeRegistry>,
    leases: Arc<AllShards>,
}

impl World {
    fn new() -> Self {
        let log = MemoryLog::new(Arc::new(SystemClock));
        let broker = Arc::new(Broker::default());
        let registry = Arc::new(NodeRegistry::new([Arc::new(Trigger(Arc::clone(&broker))) as SharedNodeType]));
        let commands =
            Commands::new(Arc::clone(&log) as _, Arc::new(registry.catalogue()), Arc::new(Time), Arc::new(SystemIds));
        let leases = Arc::new(AllShards::new(WorkerId(Uuid::from_u128(9)), Roles::all(), Arc::new(SystemClock)));
        Self { log, commands, broker, registry, leases }
    }

    fn directory(&self) -> Directory {
        self.commands.directory().clone()
    }

    /// Listeners of a process, which have begun.
    fn listen(&self) -> Listeners {
        let listeners = Listeners::new(ListenersParts {
            log: Arc::clone(&self.log) as _,
            commands: self.commands.clone(),
            directory: self.directory(),
            registry: Arc::clone(&self.registry),
            services: Arc::new(Services::new(OutboundPolicy::default())),
            leases: Arc::clone(&self.leases) as _,
            timezone: chrono_tz::UTC,
        });
        listeners.start();
        listeners
    }

    fn context(&self) -> CommandContext {
        CommandContext::trusted(TENANT, Actor::Local("somebody".to_owned()), CommandId(self.commands.ids().uuid()))
    }

    async fn import(&self) -> WorkflowId {
        let trigger = json!({ "name": "Hear", "type": TYPE, "typeVersion": 1, "position": [0, 0], "parameters": {} });
        let file = json!({ "name": "Sample", "nodes": [trigger], "connections": {} });
        let import = ImportWorkflow { workflow_id: None, source: file.to_string().into_bytes() };
        self.commands.import_workflow(&self.context(), import).await.unwrap().value
    }

    async fn activate(&self) -> WorkflowId {
        let id = self.import().await;
        self.commands.publish_workflow(&self.context(), id).await.unwrap();
        let active = self.commands.activate_workflow(&self.context(), id, None).await.unwrap();
        self.directory().wait_for(active.position).await.unwrap();
        id
    }

    /// The events of a category so far, by stream.
    async fn events<E: timeloom_domain::event::Event + serde::de::DeserializeOwned>(&self) -> Vec<(String, E)> {
        let filter = Filter { categories: vec![E::CATEGORY.into()], ..Filter::default() };
        let mut events = self.log.subscribe(TenantScope::All, Position::START, filter, 1_024);
        let mut found = Vec::new();
        while let Some(message) = events.next().await {
            match message {
                SubscriptionMessage::Event(event) => {
                    found.push((event.stream.id.to_string(), codec::decode::<E>(&event).unwrap()));
                }
                SubscriptionMessage::CaughtUp(_) => break,
                _ => {}
            }
        }
        found
    }

    /// Positions of the messages that have started executions.
    async fn started(&self) -> Vec<String> {
        let position = |event: ExecutionEvent| match event {
            ExecutionEvent::ExecutionStarted(facts) => match &facts.trigger {
                Some(TriggerFacts::Message { position, is_test: false }) => Some(position.clone()),
                other => panic!("{other:?}"),
            },
            _ => None,
        };
        self.events::<ExecutionEvent>().await.into_iter().filter_map(|(_, event)| position(event)).collect()
    }

    /// What is told of a listener, once it is so.
    async fn told(&self, workflow: WorkflowId, is_so: impl Fn(&ListenerEntry) -> bool) -> Arc<ListenerEntry> {
        let id = listener_id(workflow, "Hear");
        let mut changes = self.commands.listeners().changes();
        let reached = changes.wait_for(|listing| listing.entry(TENANT, id).is_some_and(|entry| is_so(entry)));
        let listing = tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap().clone();
        Arc::clone(listing.entry(TENANT, id).unwrap())
    }
}

#[tokio::test]
async fn each_message_starts_one_execution_whose_id_follows_from_its_position() {
    let world = World::new();
    let workflow = world.activate().await;
    let listeners = world.listen();
    ["a", "b", "a"].iter().for_each(|position| world.broker.send(position));
    let taken = world.broker.took(3).await;
    let became: Vec<Taken> = taken.into_iter().map(|(_, taken)| taken).collect();
    assert_eq!(became, [Taken::Started, Taken::Started, Taken::Repeated]);
    assert_eq!(world.started().await, ["a", "b"]);
    let ids: Vec<String> = world.events::<ExecutionEvent>().await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids[0], message_execution(listener_id(workflow, "Hear"), "a").to_string());
    listeners.stop().await;
}

#[tokio::test]
async fn what_was_taken_before_the_process_died_starts_nothing_again() {
    let world = World::new();
    let workflow = world.activate().await;
    let listeners = world.listen();
    world.broker.send("a");
    world.broker.took(1).await;
    listeners.stop().await;
    // The broker never heard that it was taken.
    ["a", "b"].iter().for_each(|position| world.broker.send(position));
    let listeners = world.listen();
    let taken = world.broker.took(3).await;
    assert_eq!(taken[1..], [("a".to_owned(), Taken::Repeated), ("b".to_owned(), Taken::Started)]);
    assert_eq!(*world.broker.cursor.lock().unwrap(), Some(json!({ "after": "a" })), "it goes on where it was");
    assert_eq!(world.started().await, ["a", "b"]);
    world.told(workflow, |entry| entry.messages == 2 && entry.status == ListenerStatus::Listening).await;
    listeners.stop().await;
}

#[tokio::test]
async fn a_trigger_that_was_deactivated_hears_nothing() {
    let world = World::new();
    let workflow = world.activate().await;
    let listeners = world.listen();
    world.told(workflow, |entry| entry.status == ListenerStatus::Listening).await;
    let over = world.commands.deactivate_workflow(&world.context(), workflow).await.unwrap();
    world.directory().wait_for(over.position).await.unwrap();
    world.broker.send("a");
    // Whoever is told last of all that another workflow listens has passed the change.
    let other = world.activate().await;
    world.told(other, |entry| entry.status == ListenerStatus::Listening).await;
    world.broker.took(1).await;
    let facts = |event: ExecutionEvent| match event {
        ExecutionEvent::ExecutionStarted(facts) => Some(facts.workflow_id),
        _ => None,
    };
    let of: Vec<WorkflowId> =
        world.events::<ExecutionEvent>().await.into_iter().filter_map(|(_, event)| facts(event)).collect();
    assert_eq!(of, [other]);
    listeners.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_away_is_tried_again_and_told_of_ever_less() {
    let world = World::new();
    world.broker.failures.store(3, Ordering::SeqCst);
    let workflow = world.activate().await;
    let listeners = world.listen();
    let told = world.told(workflow, |entry| entry.status == ListenerStatus::Listening).await;
    assert_eq!((told.attempts, told.error.as_deref()), (0, Some("the broker is away")));
    let attempts: Vec<u32> = world
        .events::<ListenerEvent>()
        .await
        .into_iter()
        .filter_map(|(_, event)| match event {
            ListenerEvent::ListenerFailed { attempts, .. } => Some(attempts),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!(world.broker.connections.load(Ordering::SeqCst), 4);
    listeners.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_left_out_told_and_does_not_come_again() {
    let world = World::new();
    let workflow = world.activate().await;
    let listeners = world.listen();
    world.broker.send_bytes("large", MESSAGE_BYTES_MAX + 1);
    world.broker.send("small");
    let taken = world.broker.took(2).await;
    assert_eq!(taken, [("large".to_owned(), Taken::Refused), ("small".to_owned(), Taken::Started)]);
    let told = world.told(workflow, |entry| entry.refused == 1).await;
    let refused = &told.newest_refused[0].message;
    assert_eq!((refused.position.as_str(), refused.bytes), ("large", MESSAGE_BYTES_MAX as u64 + 1));
    assert!(refused.reason.contains("at most 16777216") && refused.digest.len() == 64, "{refused:?}");
    listeners.stop().await;
}

#[tokio::test]
async fn no_more_executions_are_under_way_than_a_trigger_may_have() {
    let world = World::new();
    let workflow = world.activate().await;
    // No engine runs here: nothing ends by itself.
    let listeners = world.listen();
    (0..UNDER_WAY_MAX + 5).for_each(|number| world.broker.send(&number.to_string()));
    world.broker.took(UNDER_WAY_MAX).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(200), world.broker.took(UNDER_WAY_MAX + 1)).await.is_err(),
        "it reads no more"
    );
    let first = message_execution(listener_id(workflow, "Hear"), "0");
    let cancel = timeloom_commands::CancelExecution { execution_id: first, reason: "enough".to_owned() };
    world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
    assert_eq!(world.broker.took(UNDER_WAY_MAX + 1).await.len(), UNDER_WAY_MAX + 1, "one has ended: one more begins");
    listeners.stop().await;
}

#[tokio::test]
async fn a_process_without_the_shard_does_not_listen() {
    let world = World::new();
    world.activate().await;
    world.leases.leave().await;
    let listeners = world.listen();
    world.broker.send("a");
    assert!(tokio::time::timeout(Duration::from_millis(200), world.broker.took(1)).await.is_err());
    assert_eq!(world.broker.connections.load(Ordering::SeqCst), 0);
    listeners.stop().await;
}

#[tokio::test]
async fn a_draft_that_listens_takes_one_message_and_keeps_no_cursor() {
    let world = World::new();
    let workflow = world.import().await;
    let until_ms = Time.now_ms() + 60_000;
    let listening = world.commands.listen_for_test(&world.context(), workflow, until_ms).await.unwrap();
    world.directory().wait_for(listening.position).await.unwrap();
    ["a", "b"].iter().for_each(|position| world.broker.send(position));
    let listeners = world.listen();
    assert_eq!(world.broker.took(1).await, [("a".to_owned(), Taken::Started)]);
    let events: BTreeMap<String, ExecutionEvent> = world.events::<ExecutionEvent>().await.into_iter().collect();
    let [ExecutionEvent::ExecutionStarted(facts)] = &events.into_values().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(facts.trigger, Some(TriggerFacts::Message { position: "a".to_owned(), is_test: true }));
    assert_eq!(facts.workflow_version, None);
    assert_eq!(world.events::<ListenerEvent>().await.len(), 0);
    assert!(world.commands.listeners().caught_up().await.unwrap().is_caught_up());
    listeners.stop().await;
}
