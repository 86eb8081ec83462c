//! Logs with stories in them: random ones that obey the aggregates, and dumps of the tables made of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use timeloom_domain::access::{Permission, Permissions, Role};
use timeloom_domain::account::{Account, AccountCommand, AccountKind, SealedPassword};
use timeloom_domain::credential::{Credential, CredentialCommand, Sealed, WrappedKey};
use timeloom_domain::definition::{Settings, WorkflowDefinition};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{
    Breakpoint, Continuation, Execution, ExecutionCommand, ExecutionEvent, ExecutionMode, NodeFacts, NodeRunStatus,
    RunOptions, StartFacts, TriggerFacts,
};
use timeloom_domain::ids::{
    AccountId, Actor, CommandId, CredentialId, EventId, ExecutionId, SessionId, Slug, TenantId, WorkflowId,
};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_domain::model::{Model, ModelCommand};
use timeloom_domain::plugin::{Plugin, PluginCommand};
use timeloom_domain::session::{Session, SessionCommand, SessionEnd, SignInMethod};
use timeloom_domain::tenant::{Tenant, TenantCommand};
use timeloom_domain::workflow::{Workflow, WorkflowCommand};
use timeloom_projections::{ReadModelStore, ReadModels, rebuild};
use timeloom_store::codec::{Encoded, encode};
use timeloom_store::{Append, EventLog, Expected, MemoryLog, Metadata, NewEvent, Position, StreamKey};
use uuid::Uuid;

use crate::inferences::{inference_event, worker_event, worker_id};
use crate::model_calls::model_call_event;
use crate::places::Place;

/// The tenant of all stories but the one about tenants.
pub const TENANT: TenantId = TenantId(1);
/// Long enough for a busy machine; nothing waits so long that works.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often is looked whether something holds.
pub const LOOK: Duration = Duration::from_millis(5);

/// One event of a story.
#[derive(Debug, Clone)]
pub struct Told {
    pub stream: StreamKey,
    pub event: Encoded,
}

/// An event of one of our aggregates, in the stream with this id.
pub fn told<E: Event + Serialize>(id: impl ToString, event: &E) -> Told {
    told_by(TENANT, id, event)
}

/// The same of another tenant.
pub fn told_by<E: Event + Serialize>(tenant: TenantId, id: impl ToString, event: &E) -> Told {
    Told { stream: StreamKey::new(tenant, E::CATEGORY, id.to_string()), event: encode(event).unwrap() }
}

/// The same event as no build can read it yet: of a version to come.
pub fn of_a_later_version(mut told: Told) -> Told {
    told.event.event_version = 99;
    told
}

/// The same event as no build can read it: its payload is not what its type says.
pub fn spoilt(mut told: Told) -> Told {
    told.event.payload = Arc::from(RawValue::from_string(r#"{"type":"spoilt"}"#.to_owned()).unwrap());
    told
}

/// An empty log whose clock stands, so that the same story is the same log.
pub fn empty_log() -> Arc<MemoryLog> {
    MemoryLog::new(Arc::new(|| DateTime::<Utc>::from_timestamp(1_700_000_000, 0).unwrap()))
}

/// A log of this story.
pub async fn log_of(story: &[Told]) -> Arc<MemoryLog> {
    let log = empty_log();
    tell(&log, story).await;
    log
}

/// Appends a story, an append each event.
pub async fn tell(log: &MemoryLog, story: &[Told]) {
    for told in story {
        let event = new_event(u128::from(log.head().0) + 1, told);
        let command_id = event.metadata.command_id;
        let stream = told.stream.clone();
        log.append(Append::new(stream, Expected::Any, vec![event], command_id)).await.unwrap();
    }
}

/// An event to append, with a number for its ids.
pub fn new_event(number: u128, told: &Told) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(number)),
        event_type: told.event.event_type.into(),
        event_version: told.event.event_version,
        payload: Arc::clone(&told.event.payload),
        metadata: Arc::new(Metadata {
            actor: Actor::Local("tester".to_owned()),
            command_id: CommandId(Uuid::from_u128(number)),
            causation_id: None,
            correlation_id: None,
            request: None,
        }),
    }
}

/// Read models of the whole log, started and caught up.
pub async fn caught_up(store: impl Into<ReadModelStore>, log: &Arc<MemoryLog>) -> Arc<ReadModels> {
    let models = ReadModels::open(store, Arc::clone(log) as Arc<dyn EventLog>).unwrap();
    models.start().unwrap();
    reach(&models, log.head()).await;
    models
}

/// Waits until the rows hold a position, and tells why they do not.
pub async fn reach(models: &ReadModels, position: Position) {
    let reached = models.wait_for(position, PATIENCE).await;
    reached.unwrap_or_else(|behind| panic!("{behind}: {:?}, {:?}", models.fault(), models.status()));
}

/// Waits until something holds that nobody announces.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(LOOK).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what}"));
}

/// The dump of read models built in one go.
pub async fn rebuilt_dump(story: &[Told]) -> Vec<String> {
    let folder = Place::folder();
    rebuild(folder.store(), log_of(story).await, &[]).await.unwrap();
    folder.dump().await
}

pub fn workflow_id(number: usize) -> WorkflowId {
    WorkflowId(Uuid::from_u128(0xA000 + number as u128))
}

pub fn execution_id(number: usize) -> ExecutionId {
    ExecutionId(Uuid::from_u128(0xE000 + number as u128))
}

pub fn credential_id(number: usize) -> CredentialId {
    CredentialId(Uuid::from_u128(0xC000 + number as u128))
}

pub fn account_id(number: usize) -> AccountId {
    AccountId(Uuid::from_u128(0xACC0 + number as u128))
}

pub fn session_id(number: usize) -> SessionId {
    SessionId(Uuid::from_u128(0x5E50 + number as u128))
}

pub fn slug(number: usize) -> Slug {
    Slug::try_new(format!("name-{number}")).unwrap()
}

pub fn position(number: usize) -> Position {
    Position(number as u64)
}

pub fn definition(name: &str, nodes: usize) -> Arc<WorkflowDefinition> {
    let nodes: Vec<_> = (0..nodes).map(|node| json!({"name": format!("n{node}"), "type": "t"})).collect();
    let settings = json!({"executionOrder": "v1", "timezone": "Europe/Berlin", "kept": true});
    Arc::new(serde_json::from_value(json!({"name": name, "nodes": nodes, "settings": settings})).unwrap())
}

pub fn start(workflow: usize) -> ExecutionEvent {
    ExecutionEvent::ExecutionStarted(Arc::new(StartFacts {
        workflow_id: workflow_id(workflow),
        workflow_revision: 1,
        workflow_version: (workflow % 2 == 1).then_some(1),
        mode: if workflow % 2 == 1 { ExecutionMode::Production } else { ExecutionMode::Manual },
        start_node: "Start".to_owned(),
        items: items(2),
        pins: BTreeMap::new(),
        seed: 7,
        at_ms: 1_000,
        trigger: (workflow % 2 == 1).then(webhook),
        options: RunOptions { priority: -3, ..RunOptions::default() },
        subject: None,
    }))
}

fn webhook() -> TriggerFacts {
    TriggerFacts::Webhook { method: "POST".to_owned(), path: "orders".to_owned(), is_test: false }
}

/// How the stream after that of `previous` begins, with so many node runs behind it.
pub fn continued(previous: ExecutionId, earlier_runs: usize) -> ExecutionEvent {
    let ExecutionEvent::ExecutionStarted(facts) = start(1) else { unreachable!("an execution starts") };
    ExecutionEvent::ExecutionContinued(Box::new(Continuation {
        previous,
        root: previous,
        link: 1,
        start: facts.without_items(),
        earlier_runs,
        run_counts: BTreeMap::new(),
        due: Vec::new(),
        waiting: Vec::new(),
        memory: BTreeMap::new(),
        is_fork: false,
        at_ms: 5_000,
    }))
}

/// How a later link of a fork begins.
pub fn link_of_fork(previous: ExecutionId) -> ExecutionEvent {
    match continued(previous, 1) {
        ExecutionEvent::ExecutionContinued(continuation) => {
            ExecutionEvent::ExecutionContinued(Box::new(Continuation { is_fork: true, ..*continuation }))
        }
        other => other,
    }
}

pub fn items(count: usize) -> Vec<Item> {
    (0..count).map(|n| Item::new(JsonObject::from_iter([("n".to_owned(), json!(n))]))).collect()
}

pub fn run(execution_index: usize) -> NodeFacts {
    NodeFacts {
        node: format!("n{}", execution_index % 3),
        run_index: execution_index / 3,
        execution_index,
        sources: vec![],
    }
}

pub fn completed(execution_index: usize, counts: &[usize]) -> ExecutionEvent {
    ExecutionEvent::NodeCompleted {
        run: run(execution_index),
        started_at_ms: 1_001,
        duration_us: 250,
        outputs: counts.iter().map(|count| Arc::new(items(*count))).collect(),
        memory: None,
        hints: vec![],
        pinned: false,
    }
}

/// What may happen next, as three random numbers.
pub type Chance = (u8, u8, u8);

pub fn chances(most: usize) -> impl Strategy<Value = Vec<Chance>> {
    prop::collection::vec(any::<Chance>(), 1..most)
}

/// A world of aggregates that chance happens to: only what they allow is told.
#[derive(Default)]
pub struct World {
    pub story: Vec<Told>,
    pub executions: Vec<Execution>,
    workflows: [Workflow; 3],
    plugins: [Plugin; 2],
    models: [Model; 2],
    credentials: [Credential; 2],
    pub accounts: [Account; 4],
    sessions: [Session; 3],
    tenants: [Tenant; 2],
}

pub fn story_of(chances: &[Chance]) -> Vec<Told> {
    let mut world = World::default();
    for chance in chances {
        world.happen(*chance);
    }
    world.story
}

impl World {
    pub fn happen(&mut self, (what, which, how): Chance) {
        let how = usize::from(how);
        match what % 18 {
            0 | 1 => self.start_execution(how % 3),
            2 => {
                let number = usize::from(which) % self.workflows.len();
                let command = workflow_command(how);
                decide(&mut self.story, &mut self.workflows[number], workflow_id(number), &command);
            }
            3 => {
                let number = usize::from(which) % self.plugins.len();
                decide(&mut self.story, &mut self.plugins[number], slug(number), &plugin_command(slug(number), how));
            }
            4 => {
                let number = usize::from(which) % self.models.len();
                decide(&mut self.story, &mut self.models[number], slug(number), &model_command(slug(number), how));
            }
            5 => {
                let number = usize::from(which) % self.credentials.len();
                let (credential, id) = (&mut self.credentials[number], credential_id(number));
                let command = credential_command(number, how, credential.version);
                decide(&mut self.story, credential, id, &command);
            }
            6 | 7 => {
                let number = usize::from(which) % self.accounts.len();
                let command = account_command(number, how);
                decide(&mut self.story, &mut self.accounts[number], account_id(number), &command);
            }
            8 => {
                let number = usize::from(which) % self.sessions.len();
                let command = session_command(how);
                decide(&mut self.story, &mut self.sessions[number], session_id(number), &command);
            }
            9 => {
                let number = usize::from(which) % self.tenants.len();
                let command = tenant_command(number, how);
                decide_of(&mut self.story, TenantId(0), &mut self.tenants[number], number, &command);
            }
            10 => {
                let number = usize::from(which) % 6;
                self.story.push(told(worker_id(number % 2), &inference_event(number, how)));
            }
            11 => {
                let number = usize::from(which) % 2;
                self.story.push(told(worker_id(number), &worker_event(number, how)));
            }
            12 => {
                let number = usize::from(which) % 6;
                self.story.push(told(worker_id(number % 2), &model_call_event(number, how)));
            }
            _ if self.executions.is_empty() => {}
            _ => {
                let number = usize::from(which) % self.executions.len();
                let execution = &mut self.executions[number];
                let command = execution_command(execution, how);
                decide(&mut self.story, execution, execution_id(number), &command);
            }
        }
    }

    fn start_execution(&mut self, workflow: usize) {
        let number = self.executions.len();
        let mut execution = Execution::default();
        execution.apply(&start(workflow));
        self.executions.push(execution);
        self.story.push(told(execution_id(number), &start(workflow)));
    }
}

fn decide<A: Aggregate>(story: &mut Vec<Told>, aggregate: &mut A, id: impl ToString, command: &A::Command)
where
    A::Event: Serialize,
{
    decide_of(story, TENANT, aggregate, id, command);
}

fn decide_of<A: Aggregate>(
    story: &mut Vec<Told>,
    tenant: TenantId,
    aggregate: &mut A,
    id: impl ToString,
    command: &A::Command,
) where
    A::Event: Serialize,
{
    for event in aggregate.decide(command).unwrap_or_default() {
        aggregate.apply(&event);
        story.push(told_by(tenant, id.to_string(), &event));
    }
}

/// A command on one of four accounts: the last is an agent's, which acts for the first.
pub fn account_command(number: usize, how: usize) -> AccountCommand {
    let name = format!("account {number}");
    let role = Role::EACH[how / 16 % Role::EACH.len()];
    let key = format!("k{}", how % 3);
    let sealed = |key: usize| {
        let (nonce, ciphertext) = ("AAAA".to_owned(), "c2VhbGVk".to_owned());
        SealedPassword { key: format!("key-{key}"), nonce, ciphertext }
    };
    match how % 16 {
        0 | 1 => AccountCommand::Create {
            kind: [AccountKind::User, AccountKind::User, AccountKind::Service, AccountKind::Agent][number],
            email: (number < 2).then(|| format!("a{number}@example.org")),
            name,
            on_behalf_of: (number == 3).then(|| account_id(0)),
            roles: vec![role],
        },
        2..=4 => AccountCommand::Grant(role),
        5 | 6 => AccountCommand::Revoke { role, others_own: true },
        7 => AccountCommand::Disable { others_own: true },
        8 => AccountCommand::Enable,
        9 => AccountCommand::SetPassword(sealed(how % 3)),
        10 => AccountCommand::LinkIdentity { issuer: "https://id.example.org".to_owned(), subject: key },
        11 => AccountCommand::UnlinkIdentity { issuer: "https://id.example.org".to_owned(), subject: key },
        12 | 13 => AccountCommand::MakeKey {
            key,
            name,
            digest: "d".repeat(64),
            scopes: how.is_multiple_of(2).then(|| Permissions::of(&[Permission::WorkflowRead, Permission::AuditRead])),
            expires_at_ms: how.is_multiple_of(4).then_some(10_000),
            now_ms: 1_000,
        },
        14 => AccountCommand::NoteKeyUse { key, now_ms: 2_000 },
        _ => AccountCommand::RevokeKey { key },
    }
}

fn session_command(how: usize) -> SessionCommand {
    match how % 4 {
        0 | 1 => SessionCommand::Start {
            account: account_id(how % 2),
            method: if how.is_multiple_of(2) { SignInMethod::Link } else { SignInMethod::Password },
            digest: "d".repeat(64),
            now_ms: 1_000,
            address: how.is_multiple_of(3).then(|| "192.0.2.7".to_owned()),
            user_agent: Some("browser".to_owned()),
        },
        2 => SessionCommand::NoteUse { now_ms: 1_000 + how as i64 * 10_000 },
        _ => SessionCommand::End(if how > 100 { SessionEnd::Revoked } else { SessionEnd::SignedOut }),
    }
}

fn tenant_command(number: usize, how: usize) -> TenantCommand {
    let name = format!("tenant {}", how % 5);
    match how % 5 {
        0 | 1 => TenantCommand::Create { tenant: TenantId(number as u32 + 1), name },
        2 => TenantCommand::Rename { name },
        3 => TenantCommand::Suspend,
        _ => TenantCommand::Resume,
    }
}

fn workflow_command(how: usize) -> WorkflowCommand {
    let definition = definition(&format!("w{how}"), 1 + how % 4);
    match how % 7 {
        0 => WorkflowCommand::Create { definition },
        1 | 2 => WorkflowCommand::Update { definition },
        3 => WorkflowCommand::Publish,
        4 => WorkflowCommand::ChangeSettings {
            settings: Settings { execution_timeout: Some(how as f64), ..Settings::default() },
        },
        5 => {
            WorkflowCommand::ChangePins { node: "n0".to_owned(), items: how.is_multiple_of(2).then(|| items(how % 5)) }
        }
        _ if how > 200 => WorkflowCommand::Archive,
        _ => WorkflowCommand::Create { definition },
    }
}

fn plugin_command(name: Slug, how: usize) -> PluginCommand {
    let version = format!("1.{}", how % 3);
    match how % 6 {
        0 | 1 => PluginCommand::Register { name, description: "d".to_owned() },
        2 => PluginCommand::AddVersion { version, digest: format!("{:064x}", how % 3) },
        3 => PluginCommand::Enable { version },
        4 => PluginCommand::Disable { reason: "r".to_owned() },
        _ if how > 200 => PluginCommand::Retire,
        _ => PluginCommand::Register { name, description: "d".to_owned() },
    }
}

fn sealed(key: usize, version: u64) -> Sealed {
    let data_key = WrappedKey { version, nonce: "AAAA".to_owned(), ciphertext: "a2V5".to_owned() };
    let (nonce, ciphertext) = ("AAAA".to_owned(), "c2VhbGVk".to_owned());
    Sealed { key: format!("key-{key}"), nonce, ciphertext, data_key: Some(data_key) }
}

pub fn credential_command(number: usize, how: usize, version: u64) -> CredentialCommand {
    match how % 4 {
        0 | 1 => CredentialCommand::Save {
            name: format!("c{number}"),
            credential_type: "httpBasicAuth".to_owned(),
            fields: (0..=how % 3).map(|field| format!("f{field}")).collect(),
            sealed: sealed(how % 5, version + 1),
        },
        2 => CredentialCommand::Reseal { from: sealed(how % 5, version), sealed: sealed((how + 1) % 5, version) },
        _ => CredentialCommand::Delete,
    }
}

fn model_command(name: Slug, how: usize) -> ModelCommand {
    match how % 7 {
        0 | 1 => ModelCommand::Register { name, description: "d".to_owned() },
        2 => ModelCommand::AddVersion { format: "onnx".to_owned(), digest: format!("{how:064x}"), file: None },
        3 => ModelCommand::Promote { version: 1, reason: None },
        4 => ModelCommand::Disable { reason: "r".to_owned() },
        5 => ModelCommand::Enable,
        _ if how > 200 => ModelCommand::Retire,
        _ => ModelCommand::Register { name, description: "d".to_owned() },
    }
}

fn breakpoint(node: &str) -> Breakpoint {
    Breakpoint { node: node.to_owned(), condition: None }
}

/// Facts that a node saved: the number, and names that are like it without being the same.
pub fn saved(number: usize) -> BTreeMap<String, String> {
    let facts = [("order", number.to_string()), ("re:\"order", "1".to_owned()), (",\"order", "1\":\"".to_owned())];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn execution_command(execution: &Execution, how: usize) -> ExecutionCommand {
    let next = execution.node_runs.len();
    let open = execution
        .node_runs
        .iter()
        .position(|run| !matches!(run.status, NodeRunStatus::Completed | NodeRunStatus::Failed))
        .unwrap_or(next);
    let error = json!({"name": "NodeError", "message": format!("failed {how}")});
    let node = "n0".to_owned();
    let reason = format!("because {how}");
    match how % 32 {
        24 => return ExecutionCommand::Pause { reason, at_ms: 7 },
        25 | 26 => return ExecutionCommand::Unpause { step: how.is_multiple_of(2) },
        27 | 28 => return ExecutionCommand::NoteRetry { execution: execution_id(how) },
        29 => return ExecutionCommand::Dismiss { reason },
        30 => return ExecutionCommand::ChangeBreakpoints { breakpoints: vec![breakpoint(&node)] },
        _ => {}
    }
    let event = match how % 32 {
        0..=7 => completed(next, &[how % 3, how % 2]),
        8 | 9 => ExecutionEvent::NodeScheduled { run: run(next) },
        10 | 11 => {
            ExecutionEvent::NodeStarted { run: run(open), attempt: 1, idempotency_key: "k".to_owned(), at_ms: 5 }
        }
        12 => ExecutionEvent::NodeRetried { run: run(open), attempt: 1, error, retry_at_ms: 9 },
        13 => ExecutionEvent::NodeFailed {
            run: run(open),
            started_at_ms: 5,
            duration_us: 6,
            error,
            outputs: how.is_multiple_of(2).then(|| vec![Arc::new(items(1))]),
        },
        14 | 15 => completed(open, &[1]),
        16 | 17 => ExecutionEvent::ExecutionWaiting { node, until_ms: Some(99), run: None, resume: None },
        18 | 19 => ExecutionEvent::ExecutionResumed { node, cause: None, items: None },
        20 if how > 200 => ExecutionEvent::ExecutionContinuedAsNew { next: execution_id(99), at_ms: 2_002 },
        20 => ExecutionEvent::NodeSkipped { node, reason: "no items".to_owned() },
        21 => ExecutionEvent::ExecutionCompleted { at_ms: 2_000 },
        31 => ExecutionEvent::ExecutionDataSaved { node, data: saved(how % 3) },
        22 => ExecutionEvent::ExecutionFailed { node: Some(node), error, at_ms: 2_001 },
        _ => return ExecutionCommand::Cancel { reason: "enough".to_owned() },
    };
    ExecutionCommand::Record(Box::new(event))
}
