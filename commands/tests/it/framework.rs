//! The bridge to cqrs-es: its framework over our log folds every event exactly once, and its own test bench
//! understands our aggregates.

use cqrs_es::event_sink::EventSink;
use cqrs_es::test::TestFramework;
use cqrs_es::{Aggregate as _, DomainEvent as _};
use proptest::prelude::*;
use timeloom_commands::bridge::{Es, EsEvent};
use timeloom_commands::{AddModelVersion, AddPluginVersion, CancelExecution, ImportWorkflow, Keeping, StreamState};
use timeloom_domain::definition::Settings;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::Execution;
use timeloom_domain::ids::{ExecutionId, Slug, WorkflowId};
use timeloom_domain::item::Item;
use timeloom_domain::model::Model;
use timeloom_domain::plugin::{Plugin, PluginCommand, PluginEvent, PluginRefusal};
use timeloom_domain::workflow::Workflow;
use timeloom_store::{Direction, EventLog, Revision, StreamKey, codec};
use uuid::Uuid;

use crate::bench::{TENANT, World, source};

pub(crate) fn slug() -> Slug {
    Slug::try_new("acme/mailer").unwrap()
}

fn registered() -> EsEvent<PluginEvent> {
    EsEvent(PluginEvent::PluginRegistered { name: slug(), description: String::new() })
}

fn added() -> EsEvent<PluginEvent> {
    EsEvent(PluginEvent::PluginVersionAdded { version: "1".to_owned(), digest: "a".repeat(64) })
}

#[tokio::test]
async fn the_frameworks_own_test_bench_understands_our_aggregates() {
    let bench = TestFramework::<Es<Plugin>>::with;
    let enable = |version: &str| PluginCommand::Enable { version: version.to_owned() };
    let enabled = EsEvent(PluginEvent::PluginEnabled { version: "1".to_owned() });
    bench(())
        .given(vec![registered(), added()])
        .when_async(enable("1"))
        .await
        .then_expect_events(vec![enabled.clone()]);
    bench(()).given(vec![registered(), added(), enabled]).when_async(enable("1")).await.then_expect_events(Vec::new());
    let unknown = PluginRefusal::UnknownVersion("2".to_owned());
    bench(()).given(vec![registered(), added()]).when_async(enable("2")).await.then_expect_error(unknown);
    let message = "there is no plugin with this name: register it first";
    bench(()).given_no_previous_events().when_async(enable("1")).await.then_expect_error_message(message);
}

#[tokio::test]
async fn an_aggregate_in_the_framework_folds_its_new_events_once() {
    let (mut aggregate, sink) = (Es::<Plugin>::default(), EventSink::default());
    let register = PluginCommand::Register { name: slug(), description: String::new() };
    aggregate.handle(register, &(), &sink).await.unwrap();
    let add = PluginCommand::AddVersion { version: "1".to_owned(), digest: "a".repeat(64) };
    aggregate.handle(add, &(), &sink).await.unwrap();
    let events = sink.collect().await;
    assert_eq!(events, [registered(), added()]);
    let mut folded = Plugin::default();
    events.iter().for_each(|event| folded.apply(&event.0));
    assert_eq!((&aggregate.0, aggregate.0.versions.len()), (&folded, 1));
}

#[test]
fn events_and_aggregates_keep_their_names_in_the_framework() {
    assert_eq!(
        (registered().event_type(), registered().event_version()),
        ("PluginRegistered".to_owned(), "1".to_owned())
    );
    assert_eq!([Es::<Plugin>::TYPE, Es::<Workflow>::TYPE, Es::<Execution>::TYPE], ["plugin", "workflow", "execution"]);
    let plain = serde_json::to_string(&registered().0).unwrap();
    assert_eq!(serde_json::to_string(&registered()).unwrap(), plain, "the stored shape is that of the event");
}

/// Folds a stream's events one by one from nothing, without the code under test.
pub(crate) async fn folded_by_hand<A>(world: &World, stream: &StreamKey) -> Vec<StreamState<A>>
where
    A: Aggregate + Clone,
    A::Event: serde::de::DeserializeOwned,
{
    let read = world.log.read_stream(stream, Revision::default(), Direction::Forward, 1_000).await.unwrap();
    let mut states = vec![StreamState::<A>::default()];
    for event in &read {
        let mut aggregate = states.last().unwrap().aggregate.clone();
        aggregate.apply(&codec::decode(event).unwrap());
        states.push(StreamState { aggregate, revision: event.revision, position: event.position });
    }
    states
}

/// What commands are decided on is what folding the stream by hand gives, whatever was kept meanwhile.
async fn folds_once<A>(world: &World, id: &str)
where
    A: Aggregate
        + Clone
        + PartialEq
        + std::fmt::Debug
        + serde::Serialize
        + serde::de::DeserializeOwned
        + Send
        + Sync
        + 'static,
    A::Event: timeloom_commands::bridge::EventBounds,
{
    let stream = StreamKey::new(TENANT, <A::Event as Event>::CATEGORY, id);
    let by_hand = folded_by_hand::<A>(world, &stream).await;
    for world in [world, &world.restarted(Keeping::default())] {
        assert_eq!(&*world.commands.load::<A>(&stream).await.unwrap(), by_hand.last().unwrap());
    }
}

/// Sends the `number`-th kind of command; answers whether it was taken.
pub(crate) async fn workflow_command(world: &World, id: WorkflowId, number: u8) -> bool {
    let (commands, context) = (&world.commands, world.context());
    let answer = match number {
        0..=3 => {
            let import = ImportWorkflow { workflow_id: Some(id), source: source(&format!("file {number}")) };
            commands.import_workflow(&context, import).await
        }
        4 | 5 => commands.publish_workflow(&context, id).await,
        6 => {
            let pins = Some(vec![Item::default(); 2]);
            commands.change_workflow_pins(&context, id, "Set".to_owned(), pins).await
        }
        7 => {
            let settings = Settings { execution_order: Some("v1".to_owned()), ..Settings::default() };
            commands.change_workflow_settings(&context, id, settings).await
        }
        _ => commands.archive_workflow(&context, id).await,
    };
    answer.is_ok()
}

pub(crate) async fn plugin_command(world: &World, number: u8) -> bool {
    let (commands, context, version) = (&world.commands, world.context(), (number % 3).to_string());
    let answer = match number {
        0 => commands.register_plugin(&context, slug(), String::new()).await,
        1..=4 => {
            let add = AddPluginVersion { version, digest: "a".repeat(64) };
            commands.add_plugin_version(&context, slug(), add).await
        }
        5 | 6 => commands.enable_plugin(&context, slug(), version).await,
        7 => commands.disable_plugin(&context, slug(), String::new()).await,
        _ => commands.retire_plugin(&context, slug()).await,
    };
    answer.is_ok()
}

pub(crate) async fn model_command(world: &World, number: u8) -> bool {
    let (commands, context) = (&world.commands, world.context());
    let answer = match number {
        0 => commands.register_model(&context, slug(), String::new()).await,
        1..=3 => {
            let add = AddModelVersion { format: "onnx".to_owned(), digest: number.to_string().repeat(64), file: None };
            commands.add_model_version(&context, slug(), add).await
        }
        4 | 5 => commands.promote_model(&context, slug(), u32::from(number - 3), None).await,
        6 => commands.enable_model(&context, slug()).await,
        7 => commands.disable_model(&context, slug(), String::new()).await,
        _ => commands.retire_model(&context, slug()).await,
    };
    answer.is_ok()
}

pub(crate) fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_is_folded_exactly_once(numbers in prop::collection::vec(0..9_u8, 1..24), cancels in any::<bool>()) {
        block_on(async {
            let (world, id) = (World::new(), WorkflowId(Uuid::from_u128(99)));
            for number in &numbers {
                workflow_command(&world, id, *number).await;
                plugin_command(&world, *number).await;
                model_command(&world, *number).await;
            }
            folds_once::<Workflow>(&world, &id.to_string()).await;
            folds_once::<Plugin>(&world, slug().as_str()).await;
            folds_once::<Model>(&world, slug().as_str()).await;
            let execution = world.start(world.import("run").await).await;
            if cancels {
                let cancel = CancelExecution { execution_id: execution, reason: String::new() };
                world.commands.cancel_execution(&world.context(), cancel).await.unwrap();
            }
            folds_once::<Execution>(&world, &execution.to_string()).await;
        });
    }

    #[test]
    fn a_run_is_of_the_workflow_as_it_is_though_it_was_kept(numbers in prop::collection::vec(0..8_u8, 1..16)) {
        block_on(async {
            let (world, id) = (World::new(), WorkflowId(Uuid::from_u128(99)));
            workflow_command(&world, id, 0).await;
            for number in &numbers {
                // Each start folds what is new onto the state that the one before left.
                let execution: ExecutionId = world.start(id).await;
                let stream = |category: &str, id: String| StreamKey::new(TENANT, category, id);
                let run = world.commands.load::<Execution>(&stream("execution", execution.to_string())).await.unwrap();
                let run = run.aggregate.start.clone().unwrap();
                let now = world.commands.load::<Workflow>(&stream("workflow", id.to_string())).await.unwrap();
                assert_eq!(run.workflow_revision, now.revision.0);
                assert_eq!(run.pins, now.aggregate.draft.clone().unwrap().pin_data);
                workflow_command(&world, id, *number).await;
            }
        });
    }
}
