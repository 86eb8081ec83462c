//! A state at a moment is the fold of the events up to it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use serde::Serialize;
use serde::de::DeserializeOwned;
use timeloom_domain::credential::Credential;
use timeloom_domain::event::{Aggregate, Event};
use timeloom_domain::execution::{Execution, ExecutionEvent};
use timeloom_domain::gateway::GatewayConfiguration;
use timeloom_domain::inference::{InferenceWorker, Inferences};
use timeloom_domain::model::Model;
use timeloom_domain::model_call::ModelCalls;
use timeloom_domain::plugin::Plugin;
use timeloom_domain::workflow::{Workflow, WorkflowEvent};
use timeloom_history::{HistoryError, Kind, Moment, position_of, state_at, workflow_at};
use timeloom_store::{EventLog, MemoryLog, Position, RecordedEvent, Revision, StreamKey};

use crate::world::{golden, log, stream};

async fn each_moment<A>(log: &MemoryLog, kind: Kind)
where
    A: Aggregate + Serialize + Send,
    A::Event: DeserializeOwned + Send + Sync + 'static,
{
    let (stream, events) = golden::<A::Event>(log, "x").await;
    let mut folded = A::default();
    for event in &events {
        folded.apply(&serde_json::from_str::<A::Event>(event.payload.get()).unwrap());
        let expected = serde_json::to_value(&folded).unwrap();
        let moments =
            [Moment::Revision(event.revision), Moment::Position(event.position), Moment::Time(event.recorded_at)];
        for moment in moments {
            let state = state_at(log, &stream, moment).await.unwrap();
            assert_eq!(state.state, expected, "{moment:?}");
            assert_eq!((state.position, state.revision), (event.position, event.revision));
            assert_eq!((state.kind, &*state.last_event_type), (Some(kind), &*event.event_type));
            assert_eq!((state.recorded_at, state.unknown.count), (event.recorded_at, 0));
        }
    }
    let newest = state_at(log, &stream, Moment::Newest).await.unwrap();
    assert_eq!(newest.state, serde_json::to_value(&folded).unwrap());
    assert_eq!(A::Event::TYPES.len() as u64, newest.revision.0);
}

#[tokio::test]
async fn every_kind_is_folded_at_every_revision_position_and_time() {
    let log = log();
    each_moment::<Workflow>(&log, Kind::Workflow).await;
    each_moment::<Execution>(&log, Kind::Execution).await;
    each_moment::<Plugin>(&log, Kind::Plugin).await;
    each_moment::<Model>(&log, Kind::Model).await;
    each_moment::<Credential>(&log, Kind::Credential).await;
    each_moment::<Inferences>(&log, Kind::Inferences).await;
    each_moment::<InferenceWorker>(&log, Kind::InferenceWorker).await;
    each_moment::<GatewayConfiguration>(&log, Kind::Gateway).await;
    each_moment::<ModelCalls>(&log, Kind::ModelCalls).await;
}

#[tokio::test]
async fn a_workflow_can_be_had_itself() {
    let log = log();
    let (stream, events) = golden::<WorkflowEvent>(&log, "x").await;
    for event in &events {
        let (workflow, last) = workflow_at(&*log, &stream, event.position).await.unwrap().unwrap();
        let state = state_at(&*log, &stream, Moment::Position(event.position)).await.unwrap();
        assert_eq!(serde_json::to_value(&workflow).unwrap(), state.state);
        assert_eq!((last.position, last.revision), (event.position, event.revision));
    }
    assert!(workflow_at(&*log, &stream, Position(0)).await.unwrap().is_none());
}

#[tokio::test]
async fn what_comes_later_changes_nothing_and_the_future_is_now() {
    let log = log();
    let (stream, events) = golden::<ExecutionEvent>(&log, "x").await;
    let last: &Arc<RecordedEvent> = events.last().unwrap();
    let before = state_at(&*log, &stream, Moment::Revision(Revision(3))).await.unwrap();
    golden::<ExecutionEvent>(&log, "another").await;
    assert_eq!(state_at(&*log, &stream, Moment::Revision(Revision(3))).await.unwrap(), before);
    let future = Moment::Time(last.recorded_at + TimeDelta::days(365));
    assert_eq!(position_of(&*log, None, future).await.unwrap(), log.head());
    assert_eq!(state_at(&*log, &stream, future).await.unwrap().revision, last.revision);
    // Between two events of the stream, the earlier one counts.
    let between = Moment::Position(Position(events[4].position.0 - 1));
    assert_eq!(state_at(&*log, &stream, between).await.unwrap().revision, events[3].revision);
}

#[tokio::test]
async fn moments_that_are_not_there_are_refused_with_what_is_there() {
    let log = log();
    let (stream_key, events) = golden::<ExecutionEvent>(&log, "x").await;
    let ask = async |stream: &StreamKey, moment| state_at(&*log, stream, moment).await.unwrap_err();

    let refused = ask(&stream_key, Moment::Revision(Revision(99))).await;
    let count = events.len() as u64;
    assert_eq!(refused.to_string(), format!("execution/x has no revision 99: its revisions go from 1 to {count}"));
    let refused = ask(&stream_key, Moment::Revision(Revision(0))).await;
    assert!(matches!(refused, HistoryError::RevisionNotReached { newest: Revision(n), .. } if n == count), "{refused}");
    let refused = ask(&stream_key, Moment::Position(Position(1_000))).await;
    let head = log.head();
    assert_eq!(
        refused.to_string(),
        format!("position 1000 is not in the log, which ends at {head}: ask for an earlier one")
    );
    let refused = ask(&stream_key, Moment::Position(Position(1))).await;
    assert!(matches!(refused, HistoryError::NotYet { first: Position(2), .. }), "{refused}");
    let refused = ask(&stream_key, Moment::Time(DateTime::UNIX_EPOCH)).await;
    assert!(refused.to_string().contains("came to be at position 2"), "{refused}");
    for moment in [Moment::Newest, Moment::Position(Position(3)), Moment::Revision(Revision(1))] {
        for nothing in [stream("execution", "y"), stream("order", "y")] {
            let refused = ask(&nothing, moment).await;
            assert!(matches!(&refused, HistoryError::UnknownStream(stream) if *stream == nothing), "{refused}");
        }
    }
    let many = position_of(&*log, None, Moment::Revision(Revision(1))).await;
    assert!(matches!(many, Err(HistoryError::RevisionNeedsStream)), "{many:?}");
}
