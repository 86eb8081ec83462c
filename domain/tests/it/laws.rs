//! Laws that hold for all histories.

use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use timeloom_domain::credential::{Credential, CredentialCommand, CredentialEvent, Sealed, WrappedKey};
use timeloom_domain::definition::Settings;
use timeloom_domain::drift::{
    DriftBaseline, DriftBounds, DriftTarget, DriftWatch, DriftWatchCommand, DriftWatchSettings, JudgedWindow,
    SampleCounts, WindowJudgement,
};
use timeloom_domain::evaluation::{
    BacktestReport, Evaluation, EvaluationCases, EvaluationCommand, EvaluationReport, EvaluationRequest,
    EvaluationSubject, InferenceSelection,
};
use timeloom_domain::evaluation_set::{EvaluationCase, EvaluationSet, EvaluationSetCommand};
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{
    Breakpoint, Execution, ExecutionCommand, ExecutionEvent, NodeFacts, PauseReason, Response, ResponseBody,
    ResumeCause,
};
use timeloom_domain::ids::{ExecutionId, WorkflowId};
use timeloom_domain::item::Source;
use timeloom_domain::listener::{Listener, ListenerCommand, ListenerFacts, RefusedMessage};
use timeloom_domain::model::{self, GuardMetric, Model, ModelCommand, ModelEvent, ModelSettings};
use timeloom_domain::plugin::{Plugin, PluginCommand, PluginEvent};
use timeloom_domain::recall::{Recall, RecallCommand};
use timeloom_domain::replay::{
    BisectionCommand, BisectionOutcome, BisectionOver, BisectionRequest, BisectionStep, BisectionVerdict, REPLAYS_MAX,
    ReplayAgainst, ReplayCheck, ReplayCheckCommand, ReplayReport, ReplayRequest,
};
use timeloom_domain::workflow::{Folder, RollBack, RolloutGuard, Workflow, WorkflowCommand, WorkflowEvent};
use uuid::Uuid;

use crate::samples::{continuation, definition, fork, item, retry, slug, start};

/// Sends commands one after the other; after each, an aggregate that is folded anew from the stored form of the events
/// must be in the same state and decide the same.
fn replay_equals_live<A>(commands: &[A::Command]) -> Result<(), TestCaseError>
where
    A: Aggregate + Debug + PartialEq + Serialize + DeserializeOwned,
    A::Event: Serialize + DeserializeOwned + Debug + PartialEq,
    A::Refusal: PartialEq,
{
    let mut live = A::default();
    let mut stored = Vec::new();
    for command in commands {
        let replayed = replay::<A>(&stored);
        prop_assert_eq!(&replayed, &live);
        prop_assert_eq!(replayed.decide(command), live.decide(command));
        for event in live.decide(command).unwrap_or_default() {
            live.apply(&event);
            stored.push(serde_json::to_vec(&event).unwrap());
        }
    }
    let snapshot: A = serde_json::from_slice(&serde_json::to_vec(&live).unwrap()).unwrap();
    prop_assert_eq!(snapshot, live);
    Ok(())
}

fn replay<A: Aggregate>(stored: &[Vec<u8>]) -> A
where
    A::Event: DeserializeOwned,
{
    let mut state = A::default();
    for payload in stored {
        state.apply(&serde_json::from_slice(payload).unwrap());
    }
    state
}

/// A command that was accepted and is sent again changes nothing or is refused: it never happens twice.
fn never_twice<A>(commands: &[A::Command], again: impl Fn(&A::Command) -> bool) -> Result<(), TestCaseError>
where
    A: Aggregate,
    A::Event: Debug + PartialEq,
{
    let mut state = A::default();
    for command in commands {
        let Ok(events) = state.decide(command) else { continue };
        events.iter().for_each(|event| state.apply(event));
        if again(command) {
            prop_assert_eq!(state.decide(command).unwrap_or_default(), Vec::new());
        }
    }
    Ok(())
}

/// Any order of events folds without a panic, even one that no aggregate would ever decide on.
fn fold_anything<A: Aggregate>(events: &[A::Event]) -> A {
    let mut state = A::default();
    events.iter().for_each(|event| state.apply(event));
    state
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("Start"), Just("Set"), Just("Nobody")].prop_map(str::to_owned)
}

fn items() -> impl Strategy<Value = Option<Vec<timeloom_domain::item::Item>>> {
    prop::option::of(prop::collection::vec((0..3_i64).prop_map(item), 0..3))
}

fn settings() -> impl Strategy<Value = Settings> {
    prop::option::of(Just("v1".to_owned()))
        .prop_map(|execution_order| Settings { execution_order, ..Settings::default() })
}

fn workflow_command() -> impl Strategy<Value = WorkflowCommand> {
    let named = || prop_oneof![Just("first"), Just("second")].prop_map(definition);
    prop_oneof![
        named().prop_map(|definition| WorkflowCommand::Create { definition }),
        named().prop_map(|definition| WorkflowCommand::Update { definition }),
        Just(WorkflowCommand::Publish),
        settings().prop_map(|settings| WorkflowCommand::ChangeSettings { settings }),
        (name(), items()).prop_map(|(node, items)| WorkflowCommand::ChangePins { node, items }),
        prop::option::of(1..3_u32).prop_map(|version| WorkflowCommand::Activate { version }),
        Just(WorkflowCommand::Deactivate),
        any::<i64>().prop_map(|until_ms| WorkflowCommand::ListenForTest { until_ms }),
        folder().prop_map(|folder| WorkflowCommand::Move { folder }),
        Just(WorkflowCommand::Archive),
        Just(WorkflowCommand::Unarchive),
        Just(WorkflowCommand::PublishBeside),
        (prop::option::of(1..3_u32), 0..101_u8, rollout_guard())
            .prop_map(|(version, percent, guard)| { WorkflowCommand::StartRollout { version, percent, guard } }),
        (0..101_u8).prop_map(|percent| WorkflowCommand::ChangeRollout { percent }),
        Just(WorkflowCommand::PromoteRollout),
        prop::option::of(1..3_u32)
            .prop_map(|rollout| WorkflowCommand::RollBackRollout { rollout, cause: RollBack::Person {} }),
    ]
}

fn rollout_guard() -> impl Strategy<Value = Option<RolloutGuard>> {
    let guard = (0..101_u8, 0..3_u32, any::<bool>()).prop_map(|(error_percent_max, executions_min, only_if_worse)| {
        RolloutGuard { error_percent_max, executions_min, window_ms: Some(60_000), only_if_worse }
    });
    prop::option::of(guard)
}

fn folder() -> impl Strategy<Value = Folder> {
    prop_oneof![Just(""), Just("Billing"), Just("Billing/Reminders")].prop_map(|path| Folder::try_new(path).unwrap())
}

fn workflow_event() -> impl Strategy<Value = WorkflowEvent> {
    let named = || prop_oneof![Just("first"), Just("second")].prop_map(definition);
    prop_oneof![
        named().prop_map(|definition| WorkflowEvent::WorkflowCreated { definition }),
        named().prop_map(|definition| WorkflowEvent::WorkflowUpdated { definition }),
        any::<u32>().prop_map(|version| WorkflowEvent::WorkflowVersionPublished { version }),
        settings().prop_map(|settings| WorkflowEvent::WorkflowSettingsChanged { settings }),
        (name(), items()).prop_map(|(node, items)| WorkflowEvent::WorkflowPinsChanged { node, items }),
        any::<u32>().prop_map(|version| WorkflowEvent::WorkflowActivated { version }),
        Just(WorkflowEvent::WorkflowDeactivated {}),
        any::<i64>().prop_map(|until_ms| WorkflowEvent::WorkflowTestListeningStarted { until_ms }),
        folder().prop_map(|folder| WorkflowEvent::WorkflowMoved { folder }),
        Just(WorkflowEvent::WorkflowArchived {}),
        Just(WorkflowEvent::WorkflowUnarchived {}),
        (any::<u32>(), any::<u8>(), rollout_guard()).prop_map(|(version, percent, guard)| {
            WorkflowEvent::WorkflowRolloutStarted { rollout: version, version, percent, guard }
        }),
        any::<u8>().prop_map(|percent| WorkflowEvent::WorkflowRolloutChanged { rollout: 1, percent }),
        any::<u32>().prop_map(|version| WorkflowEvent::WorkflowRolloutPromoted { rollout: 1, version }),
        any::<u32>().prop_map(|version| WorkflowEvent::WorkflowRolloutRolledBack {
            rollout: 1,
            version,
            cause: RollBack::Person {},
        }),
    ]
}

fn facts() -> impl Strategy<Value = NodeFacts> {
    let source = prop::option::of(name().prop_map(|previous_node| Source {
        previous_node,
        previous_node_output: 0,
        previous_node_run: 1,
    }));
    let index = prop_oneof![9 => 0..4_usize, 1 => Just(usize::MAX)];
    (name(), 0..2_usize, index, prop::collection::vec(source, 0..3))
        .prop_map(|(node, run_index, execution_index, sources)| NodeFacts { node, run_index, execution_index, sources })
}

fn execution_event() -> impl Strategy<Value = ExecutionEvent> {
    let error = || json!({"message": "no route"});
    prop_oneof![
        Just(ExecutionEvent::ExecutionStarted(start())),
        Just(ExecutionEvent::ExecutionContinued(continuation())),
        facts().prop_map(|run| ExecutionEvent::NodeScheduled { run }),
        (facts(), any::<u32>(), any::<i64>()).prop_map(|(run, attempt, at_ms)| ExecutionEvent::NodeStarted {
            run,
            attempt,
            idempotency_key: "key".to_owned(),
            at_ms
        }),
        (facts(), items(), any::<bool>()).prop_map(|(run, items, pinned)| ExecutionEvent::NodeCompleted {
            run,
            started_at_ms: 1,
            duration_us: 2,
            memory: items.is_none().then(|| item(1).json),
            outputs: items.into_iter().map(Arc::new).collect(),
            hints: Vec::new(),
            pinned,
        }),
        (facts(), items()).prop_map(move |(run, items)| ExecutionEvent::NodeFailed {
            run,
            started_at_ms: 1,
            duration_us: 2,
            error: error(),
            outputs: items.map(|items| vec![Arc::new(items)]),
        }),
        (facts(), any::<u32>()).prop_map(move |(run, attempt)| ExecutionEvent::NodeRetried {
            run,
            attempt,
            error: error(),
            retry_at_ms: 3
        }),
        name().prop_map(|node| ExecutionEvent::NodeSkipped { node, reason: "no items".to_owned() }),
        waiting_event(),
        ending_event(),
    ]
}

fn waiting_event() -> impl Strategy<Value = ExecutionEvent> {
    let response = || Response { status: 200, headers: Vec::new(), body: ResponseBody::Empty };
    prop_oneof![
        (facts(), prop::option::of(any::<i64>())).prop_map(|(run, until_ms)| ExecutionEvent::ExecutionWaiting {
            node: run.node.clone(),
            until_ms,
            run: until_ms.is_some().then_some(run),
            resume: None,
        }),
        (name(), items()).prop_map(|(node, items)| ExecutionEvent::ExecutionResumed { node, cause: None, items }),
        name().prop_map(|node| ExecutionEvent::ExecutionPaused { reason: PauseReason::Step { node }, at_ms: 5 }),
        any::<bool>().prop_map(|step| ExecutionEvent::ExecutionUnpaused { step }),
        breakpoints().prop_map(|breakpoints| ExecutionEvent::ExecutionBreakpointsChanged { breakpoints }),
        any::<u64>().prop_map(|epoch| ExecutionEvent::ExecutionTakenOver {
            worker: "other".to_owned(),
            epoch,
            at_ms: 6
        }),
        any::<bool>().prop_map(move |more| ExecutionEvent::ExecutionResponded {
            node: None,
            response: response(),
            more,
            at_ms: 7
        }),
        name().prop_map(|node| ExecutionEvent::ExecutionDataSaved { data: [(node.clone(), "1".into())].into(), node }),
        Just(ExecutionEvent::ExecutionRetried(retry())),
        Just(ExecutionEvent::ExecutionForked(fork())),
        facts().prop_map(|run| ExecutionEvent::NodeStubbed { run, of: continuation().root, revision: 3 }),
        Just(ExecutionEvent::ExecutionRetriedAs { execution: continuation().root }),
        Just(ExecutionEvent::ExecutionDismissed { reason: "seen".to_owned() }),
    ]
}

fn breakpoints() -> impl Strategy<Value = Vec<Breakpoint>> {
    prop::collection::vec(name().prop_map(|node| Breakpoint { node, condition: None }), 0..2)
}

fn ending_event() -> impl Strategy<Value = ExecutionEvent> {
    let error = || json!({"message": "no route"});
    prop_oneof![
        Just(ExecutionEvent::ExecutionCancelled { reason: "enough".to_owned() }),
        any::<i64>().prop_map(|at_ms| ExecutionEvent::ExecutionCompleted { at_ms }),
        prop::option::of(name()).prop_map(move |node| ExecutionEvent::ExecutionFailed {
            node,
            error: error(),
            at_ms: 4
        }),
        any::<i64>().prop_map(|at_ms| ExecutionEvent::ExecutionContinuedAsNew { next: continuation().root, at_ms }),
    ]
}

fn execution_command() -> impl Strategy<Value = ExecutionCommand> {
    prop_oneof![
        1 => Just(ExecutionCommand::Start(start())),
        1 => Just(ExecutionCommand::Continue(continuation())),
        1 => Just(ExecutionCommand::Retry(retry())),
        1 => Just(ExecutionCommand::Fork(fork())),
        1 => Just(ExecutionCommand::Cancel { reason: "enough".to_owned() }),
        1 => Just(ExecutionCommand::Pause { reason: "wait".to_owned(), at_ms: 8 }),
        1 => any::<bool>().prop_map(|step| ExecutionCommand::Unpause { step }),
        1 => breakpoints().prop_map(|breakpoints| ExecutionCommand::ChangeBreakpoints { breakpoints }),
        1 => items().prop_map(|items| ExecutionCommand::Resume { cause: ResumeCause::Person, items }),
        1 => Just(ExecutionCommand::NoteRetry { execution: continuation().root }),
        1 => Just(ExecutionCommand::Dismiss { reason: "seen".to_owned() }),
        8 => execution_event().prop_map(|event| ExecutionCommand::Record(Box::new(event))),
    ]
}

fn digest() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".repeat(64)), Just("B".repeat(64)), Just("short".to_owned())]
}

fn version() -> impl Strategy<Value = String> {
    prop_oneof![Just("1.0.0"), Just("2.0.0")].prop_map(str::to_owned)
}

fn plugin_command() -> impl Strategy<Value = PluginCommand> {
    prop_oneof![
        Just(PluginCommand::Register { name: slug("a"), description: String::new() }),
        (version(), digest()).prop_map(|(version, digest)| PluginCommand::AddVersion { version, digest }),
        version().prop_map(|version| PluginCommand::Enable { version }),
        Just(PluginCommand::Disable { reason: "odd".to_owned() }),
        Just(PluginCommand::Retire),
    ]
}

fn plugin_event() -> impl Strategy<Value = PluginEvent> {
    prop_oneof![
        Just(PluginEvent::PluginRegistered { name: slug("a"), description: String::new() }),
        (version(), digest()).prop_map(|(version, digest)| PluginEvent::PluginVersionAdded { version, digest }),
        version().prop_map(|version| PluginEvent::PluginEnabled { version }),
        Just(PluginEvent::PluginDisabled { reason: "odd".to_owned() }),
        Just(PluginEvent::PluginRetired {}),
    ]
}

fn sealed() -> impl Strategy<Value = Sealed> {
    let sealed = |(key, version): (&str, Option<u64>)| {
        let (nonce, ciphertext) = ("AA==".to_owned(), "AAAA".to_owned());
        let wrapped = |version| WrappedKey { version, nonce: nonce.clone(), ciphertext: ciphertext.clone() };
        let data_key = version.map(wrapped);
        Sealed { key: key.to_owned(), nonce, ciphertext, data_key }
    };
    (prop_oneof![Just("a"), Just("b")], prop::option::weighted(0.9, 1..4_u64)).prop_map(sealed)
}

fn replay_command() -> impl Strategy<Value = ReplayCheckCommand> {
    let request = |count: usize| ReplayRequest {
        workflow_id: start().workflow_id,
        executions: vec![continuation().root; count],
        against: ReplayAgainst::Same,
        at_ms: 1,
        cases: Vec::new(),
    };
    let counts = prop_oneof![Just(0_usize), Just(1), Just(REPLAYS_MAX), Just(REPLAYS_MAX + 1)];
    prop_oneof![
        counts.prop_map(move |count| ReplayCheckCommand::Request(Box::new(request(count)))),
        any::<u32>().prop_map(|same| ReplayCheckCommand::Complete {
            report: ReplayReport { same, ..ReplayReport::default() },
            at_ms: 2
        }),
        Just(ReplayCheckCommand::Fail { reason: "gone".to_owned(), at_ms: 3 }),
        bisection_command().prop_map(ReplayCheckCommand::Bisection),
    ]
}

fn bisection_command() -> impl Strategy<Value = BisectionCommand> {
    let request = |candidates: u32| BisectionRequest {
        workflow_id: start().workflow_id,
        good: continuation().root,
        bad: ExecutionId(Uuid::from_u128(2)),
        over: BisectionOver::Definitions,
        check: None,
        tolerance: None,
        candidates,
        digest: "0f".repeat(32),
        at_ms: 1,
    };
    let verdicts = prop_oneof![Just(BisectionVerdict::Good), Just(BisectionVerdict::Bad)];
    prop_oneof![
        (0..3_u32).prop_map(move |candidates| BisectionCommand::Begin(Box::new(request(candidates)))),
        (0..3_u32, verdicts).prop_map(|(point, verdict)| {
            BisectionCommand::TakeStep(BisectionStep { point, verdict, reason: None, at_ms: 2 })
        }),
        (0..2_u64)
            .prop_map(|position| BisectionCommand::End { outcome: BisectionOutcome::Change { position }, at_ms: 3 }),
    ]
}

fn evaluation_command() -> impl Strategy<Value = EvaluationCommand> {
    let request = |last: u32| EvaluationRequest {
        subject: EvaluationSubject::ModelVersion { model: slug("a"), version: 1 },
        cases: EvaluationCases::Inferences(InferenceSelection { last, ..InferenceSelection::default() }),
        tolerance: 0,
        scorers: Vec::new(),
        at_ms: 1,
    };
    prop_oneof![
        prop_oneof![Just(0_u32), Just(1), Just(1_001)]
            .prop_map(move |last| EvaluationCommand::Request(Box::new(request(last)))),
        any::<u32>().prop_map(|same| EvaluationCommand::Complete {
            report: Box::new(EvaluationReport::Backtest(BacktestReport { same, ..BacktestReport::default() })),
            at_ms: 2
        }),
        Just(EvaluationCommand::Fail { reason: "gone".to_owned(), at_ms: 3 }),
    ]
}

fn drift_command() -> impl Strategy<Value = DriftWatchCommand> {
    let settings = |window: u32| DriftWatchSettings {
        target: DriftTarget { model: slug("a"), version: None, alias: None },
        baseline: DriftBaseline::Newest { count: 50 },
        window,
        bounds: DriftBounds::default(),
        at_ms: 1,
    };
    let judgement = |watch: u32, number: u32| WindowJudgement {
        watch,
        window: JudgedWindow { number, counts: SampleCounts::default(), after: 1, up_to: 2, from_ms: 1, until_ms: 2 },
        stable: 1,
        moderate: 0,
        drifted: 0,
        too_few: 0,
        worst: None,
        at_ms: 2,
    };
    prop_oneof![
        prop_oneof![Just(0_u32), Just(50)].prop_map(move |window| DriftWatchCommand::Start(Box::new(settings(window)))),
        Just(DriftWatchCommand::Replace(Box::new(settings(60)))),
        (0..3_u32, 0..4_u32).prop_map(move |(watch, number)| DriftWatchCommand::Judge {
            judgement: Box::new(judgement(watch, number)),
            findings: Vec::new(),
        }),
        Just(DriftWatchCommand::Stop { at_ms: 3 }),
    ]
}

fn evaluation_set_command() -> impl Strategy<Value = EvaluationSetCommand> {
    let cases = || {
        let case = |id: u32| EvaluationCase::by_hand(id.to_string(), json!({ "id": id }), None);
        prop::collection::vec((0..3_u32).prop_map(case), 0..3)
    };
    prop_oneof![
        cases().prop_map(|cases| EvaluationSetCommand::Create {
            name: slug("a"),
            description: String::new(),
            cases,
            subject: None,
            at_ms: 1
        }),
        (prop::option::of(0..3_u32), cases()).prop_map(|(after, cases)| EvaluationSetCommand::AddVersion {
            after,
            cases,
            subject: None,
            at_ms: 2
        }),
    ]
}

fn recall_command() -> impl Strategy<Value = RecallCommand> {
    let by = || prop_oneof![Just("run-1"), Just("run-2"), Just("run-3")].prop_map(Arc::<str>::from);
    let keys = prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(Arc::<str>::from), 0..4);
    prop_oneof![
        4 => (by(), keys, 2..5_u32).prop_map(|(by, keys, keys_max)| RecallCommand::Remember { by, keys, keys_max }),
        4 => (by(), -3..3_i32).prop_map(|(by, mark)| RecallCommand::Raise { by, mark: f64::from(mark) }),
        1 => Just(RecallCommand::Clear),
    ]
}

fn listener_command() -> impl Strategy<Value = ListenerCommand> {
    let facts = || {
        prop_oneof![Just("here"), Just("there")].prop_map(|place| ListenerFacts {
            workflow_id: WorkflowId(uuid::Uuid::from_u128(7)),
            node: "Hear".to_owned(),
            node_type: "n8n-nodes-base.mqttTrigger".to_owned(),
            place: place.to_owned(),
        })
    };
    let refused = |position: u8| RefusedMessage {
        position: position.to_string(),
        reason: "too large".to_owned(),
        bytes: 1,
        digest: "d".to_owned(),
    };
    prop_oneof![
        (facts(), prop_oneof![Just("one"), Just("two")])
            .prop_map(|(facts, worker)| ListenerCommand::Open { facts, worker: worker.to_owned() }),
        (facts(), 1..5_u32).prop_map(|(facts, attempts)| ListenerCommand::Fail {
            facts,
            attempts,
            error: "away".to_owned()
        }),
        (0..3_u64, prop::option::of(0..3_u8)).prop_map(|(messages, cursor)| ListenerCommand::Advance {
            messages,
            cursor: cursor.map(|cursor| serde_json::json!(cursor)),
        }),
        (0..30_u8).prop_map(move |position| ListenerCommand::Refuse(refused(position))),
    ]
}

fn credential_command() -> impl Strategy<Value = CredentialCommand> {
    let save = |(name, sealed): (&str, Sealed)| CredentialCommand::Save {
        name: name.to_owned(),
        credential_type: "httpBasicAuth".to_owned(),
        fields: vec!["user".to_owned()],
        sealed,
    };
    prop_oneof![
        (prop_oneof![Just("Mailer"), Just("")], sealed()).prop_map(save),
        (sealed(), sealed()).prop_map(|(from, sealed)| CredentialCommand::Reseal { from, sealed }),
        Just(CredentialCommand::Delete),
    ]
}

fn credential_event() -> impl Strategy<Value = CredentialEvent> {
    let saved = |sealed| CredentialEvent::CredentialSaved {
        name: "Mailer".to_owned(),
        credential_type: "httpBasicAuth".to_owned(),
        fields: vec!["user".to_owned()],
        sealed,
    };
    prop_oneof![
        sealed().prop_map(saved),
        sealed().prop_map(|sealed| CredentialEvent::CredentialResealed { sealed }),
        Just(CredentialEvent::CredentialDeleted {}),
    ]
}

fn model_command() -> impl Strategy<Value = ModelCommand> {
    let reason = || "odd".to_owned();
    prop_oneof![
        Just(ModelCommand::Register { name: slug("a"), description: String::new() }),
        digest().prop_map(|digest| ModelCommand::AddVersion { format: "onnx".to_owned(), digest, file: None }),
        (0..4_u32).prop_map(move |version| ModelCommand::Withdraw { version, reason: reason() }),
        (0..4_u32).prop_map(|version| ModelCommand::Promote { version, reason: None }),
        Just(ModelCommand::RollBack { reason: reason() }),
        (0..4_u32).prop_map(|version| ModelCommand::SetAlias { alias: slug("prod"), version, reason: None }),
        Just(ModelCommand::RemoveAlias { alias: slug("prod") }),
        (0..4_u32).prop_map(|queue_max| ModelCommand::Configure {
            settings: ModelSettings { queue_max, ..ModelSettings::default() }
        }),
        (0..4_u32).prop_map(|version| ModelCommand::Load { version }),
        (0..4_u32).prop_map(|version| ModelCommand::Unload { version }),
        (0..4_u32, 0..=101_u8, any::<bool>(), any::<bool>(), prop::option::of(model_guard())).prop_map(
            |(version, percent, shadow, by_alias, guard)| ModelCommand::StartRollout {
                version,
                percent,
                shadow,
                alias: by_alias.then(|| slug("prod")),
                guard,
            }
        ),
        (0..4_u32).prop_map(move |version| ModelCommand::GuardRollout {
            version,
            reason: reason(),
            figures: Box::default(),
        }),
        (0..=101_u8).prop_map(|percent| ModelCommand::StepRollout { percent }),
        any::<bool>().prop_map(move |promote| ModelCommand::EndRollout { promote, reason: reason() }),
        Just(ModelCommand::Enable),
        Just(ModelCommand::Disable { reason: reason() }),
        Just(ModelCommand::Retire),
    ]
}

fn model_guard() -> impl Strategy<Value = model::RolloutGuard> {
    let metrics =
        prop_oneof![Just(GuardMetric::ErrorRate), Just(GuardMetric::LatencyP95), Just(GuardMetric::Disagreement)];
    (metrics, 0..2_000_000_u64, 0..3_u32, prop::option::of(0..2_000_000_u64))
        .prop_map(|(metric, bound, fewest, tolerance)| model::RolloutGuard { metric, bound, fewest, tolerance })
}

fn model_event() -> impl Strategy<Value = ModelEvent> {
    let (format, reason) = (|| "onnx".to_owned(), || "odd".to_owned());
    prop_oneof![
        Just(ModelEvent::ModelRegistered { name: slug("a"), description: String::new() }),
        (any::<u32>(), digest()).prop_map(move |(version, digest)| ModelEvent::ModelVersionAdded {
            version,
            format: format(),
            digest,
            file: None
        }),
        any::<u32>().prop_map(move |version| ModelEvent::ModelVersionWithdrawn { version, reason: reason() }),
        any::<u32>().prop_map(|version| ModelEvent::ModelPromoted { version, from: None, reason: None }),
        (any::<u32>(), any::<u32>()).prop_map(move |(version, from)| ModelEvent::ModelRolledBack {
            version,
            from,
            reason: reason()
        }),
        any::<u32>().prop_map(|version| {
            let alias = slug("prod");
            ModelEvent::ModelAliasSet { alias, version, from: None, reason: None }
        }),
        any::<u32>().prop_map(|version| ModelEvent::ModelAliasRemoved { alias: slug("prod"), version }),
        any::<u32>().prop_map(|version| ModelEvent::ModelLoadRequested { version }),
        (any::<u32>(), any::<u8>(), any::<bool>(), prop::option::of(model_guard())).prop_map(
            |(version, percent, shadow, guard)| ModelEvent::ModelRolloutStarted {
                version,
                percent,
                shadow,
                alias: shadow.then(|| slug("prod")),
                guard,
            }
        ),
        any::<u8>().prop_map(|percent| ModelEvent::ModelRolloutStepped { percent }),
        any::<bool>().prop_map(move |promoted| ModelEvent::ModelRolloutEnded {
            promoted,
            reason: reason(),
            figures: (!promoted).then(Box::default),
        }),
        Just(ModelEvent::ModelEnabled {}),
        Just(ModelEvent::ModelDisabled { reason: reason() }),
        Just(ModelEvent::ModelRetired {}),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_workflow_decides_after_replay_as_it_decides_live(commands in prop::collection::vec(workflow_command(), 0..24)) {
        replay_equals_live::<Workflow>(&commands)?;
        never_twice::<Workflow>(&commands, |_| true)?;
    }

    #[test]
    fn an_execution_decides_after_replay_as_it_decides_live(
        commands in prop::collection::vec(execution_command(), 0..24),
        continues in any::<bool>(),
    ) {
        let begins = if continues { ExecutionCommand::Continue(continuation()) } else { ExecutionCommand::Start(start()) };
        let commands = [vec![begins], commands].concat();
        replay_equals_live::<Execution>(&commands)?;
        never_twice::<Execution>(&commands, |command| !matches!(command, ExecutionCommand::Record(_)))?;
    }

    #[test]
    fn a_plugin_decides_after_replay_as_it_decides_live(commands in prop::collection::vec(plugin_command(), 0..24)) {
        replay_equals_live::<Plugin>(&commands)?;
        never_twice::<Plugin>(&commands, |_| true)?;
    }

    #[test]
    fn a_model_decides_after_replay_as_it_decides_live(commands in prop::collection::vec(model_command(), 0..24)) {
        replay_equals_live::<Model>(&commands)?;
        // Who goes back twice is at the version before that.
        never_twice::<Model>(&commands, |command| !matches!(command, ModelCommand::RollBack { .. }))?;
    }

    #[test]
    fn an_evaluation_decides_after_replay_as_it_decides_live(
        commands in prop::collection::vec(evaluation_command(), 0..8)
    ) {
        replay_equals_live::<Evaluation>(&commands)?;
        never_twice::<Evaluation>(&commands, |_| true)?;
    }

    #[test]
    fn a_watch_over_drift_decides_after_replay_as_it_decides_live(
        commands in prop::collection::vec(drift_command(), 0..8)
    ) {
        replay_equals_live::<DriftWatch>(&commands)?;
        never_twice::<DriftWatch>(&commands, |_| true)?;
    }

    #[test]
    fn an_evaluation_set_decides_after_replay_as_it_decides_live(
        commands in prop::collection::vec(evaluation_set_command(), 0..8)
    ) {
        replay_equals_live::<EvaluationSet>(&commands)?;
    }

    #[test]
    fn a_replay_check_decides_after_replay_as_it_decides_live(commands in prop::collection::vec(replay_command(), 0..8)) {
        replay_equals_live::<ReplayCheck>(&commands)?;
        never_twice::<ReplayCheck>(&commands, |_| true)?;
    }

    #[test]
    fn a_listener_decides_after_replay_as_it_decides_live(commands in prop::collection::vec(listener_command(), 0..40)) {
        replay_equals_live::<Listener>(&commands)?;
        // Messages come again and again.
        never_twice::<Listener>(&commands, |command| !matches!(command, ListenerCommand::Advance { messages: 1.., .. }))?;
    }

    #[test]
    fn a_memory_decides_after_replay_as_it_decides_live(commands in prop::collection::vec(recall_command(), 0..24)) {
        replay_equals_live::<Recall>(&commands)?;
        // What is new may make an older key be forgotten that the same command names.
        never_twice::<Recall>(&commands, |command| !matches!(command, RecallCommand::Remember { .. }))?;
    }

    #[test]
    fn whoever_saw_a_key_first_keeps_it_and_gets_the_same_answer_again(
        before in prop::collection::vec(recall_command(), 0..12),
        mine in recall_command(),
    ) {
        let mut memory = Recall::default();
        let send = |memory: &mut Recall, command: &RecallCommand| {
            for event in memory.decide(command).unwrap() {
                memory.apply(&event);
            }
        };
        before.iter().for_each(|command| send(&mut memory, command));
        if let RecallCommand::Remember { by, keys, .. } = &mine {
            send(&mut memory, &mine);
            let first = memory.are_new(keys, by);
            send(&mut memory, &mine);
            prop_assert_eq!(memory.are_new(keys, by), first);
        }
    }

    #[test]
    fn a_credential_decides_after_replay_as_it_decides_live(
        commands in prop::collection::vec(credential_command(), 0..24),
    ) {
        replay_equals_live::<Credential>(&commands)?;
        never_twice::<Credential>(&commands, |_| true)?;
    }

    #[test]
    fn any_events_fold_and_any_command_is_answered_then(
        workflow in prop::collection::vec(workflow_event(), 0..16),
        execution in prop::collection::vec(execution_event(), 0..16),
        plugin in prop::collection::vec(plugin_event(), 0..16),
        model in prop::collection::vec(model_event(), 0..16),
        credential in prop::collection::vec(credential_event(), 0..16),
        commands in
            (workflow_command(), execution_command(), plugin_command(), model_command(), credential_command()),
    ) {
        let _ = fold_anything::<Workflow>(&workflow).decide(&commands.0);
        let _ = fold_anything::<Execution>(&execution).decide(&commands.1);
        let _ = fold_anything::<Plugin>(&plugin).decide(&commands.2);
        let _ = fold_anything::<Model>(&model).decide(&commands.3);
        let _ = fold_anything::<Credential>(&credential).decide(&commands.4);
    }

    #[test]
    fn an_execution_that_ended_stays_as_it_is(
        ending in ending_event(),
        commands in prop::collection::vec(execution_command(), 1..8),
    ) {
        let ended = fold_anything::<Execution>(&[ExecutionEvent::ExecutionStarted(start()), ending]);
        let outcome = |execution: &Execution| {
            let Execution { status, node_runs, error, ended_at_ms, continued_as, .. } = execution.clone();
            (status, node_runs, error, ended_at_ms, continued_as)
        };
        let mut noted = ended.clone();
        for command in &commands {
            for event in noted.decide(command).unwrap_or_default() {
                noted.apply(&event);
            }
            prop_assert_eq!(outcome(&noted), outcome(&ended));
        }
    }

    #[test]
    fn an_event_says_its_type_as_it_is_stored(event in execution_event()) {
        let stored = serde_json::to_value(&event).unwrap();
        let words: String = event.event_type().chars().fold(String::new(), |text, letter| {
            let gap = if letter.is_uppercase() && !text.is_empty() { "_" } else { "" };
            format!("{text}{gap}{}", letter.to_ascii_lowercase())
        });
        prop_assert_eq!(stored["type"].as_str(), Some(words.as_str()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = timeloom_domain::definition::parse(&bytes);
    }
}
