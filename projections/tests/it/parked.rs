//! An event that cannot be folded is set aside with the later ones of its stream, and nothing else is.

use std::sync::Arc;

use timeloom_domain::execution::ExecutionEvent;
use timeloom_domain::workflow::WorkflowEvent;
use timeloom_projections::{PARKED_EVENTS_MAX, ParkedRange, ProjectionStatus, ReadModels, Side};
use timeloom_store::{Append, EventLog, Expected, Position, Revision, TenantScope};

use crate::places::Place;
use crate::world::{
    TENANT, Told, caught_up, completed, definition, execution_id, log_of, new_event, of_a_later_version, position,
    reach, rebuilt_dump, spoilt, start, tell, told, workflow_id,
};

fn created(number: usize, name: &str) -> Told {
    told(workflow_id(number), &WorkflowEvent::WorkflowCreated { definition: definition(name, 1) })
}

fn updated(number: usize, name: &str) -> Told {
    told(workflow_id(number), &WorkflowEvent::WorkflowUpdated { definition: definition(name, 2) })
}

fn status_of(models: &ReadModels, name: &str) -> ProjectionStatus {
    models.status().into_iter().find(|status| status.name == name).unwrap()
}

async fn names(models: &ReadModels) -> Vec<Option<String>> {
    let mut names = Vec::new();
    for number in 0..3 {
        let row = models.workflow(TENANT, workflow_id(number), None).await.unwrap();
        names.push(row.map(|row| row.name));
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_parks_its_stream_and_nothing_else() {
    let story = [
        created(0, "zero"),
        created(1, "one"),
        spoilt(updated(0, "spoilt")),
        updated(0, "behind it"),
        told(execution_id(0), &start(0)),
        updated(1, "one again"),
        created(2, "two"),
    ];
    for place in Place::both().await {
        let log = log_of(&story).await;
        // The second time it is tried again, and nothing is folded twice.
        for _ in 0..2 {
            let models = caught_up(place.store(), &log).await;
            let expected = ["zero", "one again", "two"].map(|name| Some(name.to_owned()));
            assert_eq!(names(&models).await, expected);
            let workflows = status_of(&models, "workflows");
            assert_eq!((workflows.parked, workflows.lag, workflows.position), (2, 0, position(7)));
            assert_eq!(workflows.stopped, None);
            let first = workflows.first_parked.unwrap();
            assert_eq!(
                (first.position, first.revision, &*first.event_type),
                (position(3), Revision(2), "WorkflowUpdated")
            );
            assert!(first.reason().contains("position 3"), "{}", first.reason());
            let last_error = workflows.last_error.unwrap();
            assert_eq!(last_error.error, first.reason());

            let parked =
                models.parked("workflows", TenantScope::All, ParkedRange::after(Position::START, 10)).await.unwrap();
            assert_eq!(parked.iter().map(|event| event.position).collect::<Vec<_>>(), [position(3), position(4)]);
            assert_eq!((parked[0].clone(), parked[1].error.as_deref()), (first, None));
            assert_eq!(
                models.parked("workflows", TenantScope::All, ParkedRange::after(position(3), 10)).await.unwrap(),
                parked[1..]
            );
            let last = ParkedRange { side: Side::Last, limit: 1, ..ParkedRange::after(Position::START, 1) };
            assert_eq!(models.parked("workflows", TenantScope::All, last).await.unwrap(), parked[parked.len() - 1..]);
            assert!(models.parked("nothing", TenantScope::All, ParkedRange::after(Position::START, 10)).await.is_err());
            let others = models.status().into_iter().filter(|status| status.name != "workflows");
            assert!(
                others.clone().all(|status| status.parked == 0 && status.lag == 0),
                "{:?}",
                others.collect::<Vec<_>>()
            );
            assert_eq!(models.retry(&[]).await.unwrap(), 2, "it is as wrong as before");
            models.close().await.unwrap();
        }
        assert_eq!(place.dump().await, rebuilt_dump(&story).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_versions_to_come_park_only_the_executions_that_have_them() {
    let mut unknown = told(execution_id(1), &completed(0, &[1]));
    unknown.event.event_type = "NodeDreamt";
    let story = [
        told(execution_id(0), &start(0)),
        told(execution_id(1), &start(0)),
        told(execution_id(2), &start(0)),
        unknown,
        of_a_later_version(told(execution_id(0), &completed(0, &[1]))),
        told(execution_id(0), &ExecutionEvent::ExecutionCompleted { at_ms: 9 }),
        told(execution_id(2), &completed(0, &[1])),
        told(execution_id(2), &ExecutionEvent::ExecutionCompleted { at_ms: 9 }),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        for name in ["executions", "node_runs"] {
            assert_eq!((status_of(&models, name).parked, status_of(&models, name).lag), (3, 0));
            let parked = models.parked(name, TenantScope::All, ParkedRange::after(Position::START, 10)).await.unwrap();
            assert!(parked[0].reason().contains("unknown event type 'NodeDreamt'"), "{}", parked[0].reason());
            assert!(parked[1].reason().contains("run a newer Timeloom"), "{}", parked[1].reason());
        }
        let ended = async |number| {
            let row = models.execution(TENANT, execution_id(number), None).await.unwrap();
            row.unwrap().status.has_ended()
        };
        assert_eq!((ended(0).await, ended(1).await, ended(2).await), (false, false, true));
        models.close().await.unwrap();
        assert_eq!(place.dump().await, rebuilt_dump(&story).await);
    }
}

/// Lets the database refuse the name `refused`, and takes it back.
async fn refuse(place: &Place, refuses: bool) {
    let table = place.live("workflows").await;
    let sql = match (place, refuses) {
        (Place::Folder(_), true) => format!(
            "CREATE TRIGGER refusal BEFORE INSERT ON {table} WHEN NEW.name = 'refused' \
             BEGIN SELECT RAISE(ABORT, 'not this name'); END"
        ),
        (Place::Folder(_), false) => "DROP TRIGGER refusal".to_owned(),
        (Place::Postgres(_), true) => {
            format!("ALTER TABLE {table} ADD CONSTRAINT refusal CHECK (name <> 'refused')")
        }
        (Place::Postgres(_), false) => format!("ALTER TABLE {table} DROP CONSTRAINT refusal"),
    };
    place.run(&sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_is_parked_and_folded_later_as_if_it_had_been_in_time() {
    let story = [
        created(0, "zero"),
        created(1, "one"),
        updated(0, "refused"),
        told(execution_id(0), &start(0)),
        updated(0, "behind it"),
        updated(1, "one again"),
    ];
    for place in Place::both().await {
        let log = log_of(&story[..2]).await;
        let models = caught_up(place.store(), &log).await;
        refuse(&place, true).await;
        tell(&log, &story[2..]).await;
        reach(&models, log.head()).await;
        assert_eq!(names(&models).await[..2], [Some("zero".to_owned()), Some("one again".to_owned())]);
        let parked =
            models.parked("workflows", TenantScope::All, ParkedRange::after(Position::START, 10)).await.unwrap();
        assert_eq!(parked.iter().map(|event| event.position).collect::<Vec<_>>(), [position(3), position(5)]);
        assert!(models.execution(TENANT, execution_id(0), None).await.unwrap().is_some());
        assert_eq!(models.fault(), None);

        assert_eq!(models.retry(&["workflows"]).await.unwrap(), 2, "it is refused still");
        refuse(&place, false).await;
        assert_eq!(models.retry(&["executions"]).await.unwrap(), 0);
        assert_eq!(status_of(&models, "workflows").parked, 2);
        assert_eq!(models.retry(&[]).await.unwrap(), 0);
        assert_eq!(status_of(&models, "workflows").parked, 0);
        assert_eq!(names(&models).await[0], Some("behind it".to_owned()));
        let then = models.workflow(TENANT, workflow_id(0), Some(position(4))).await.unwrap();
        assert_eq!(then.unwrap().name, "refused");
        models.close().await.unwrap();
        assert_eq!(place.dump().await, rebuilt_dump(&story).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_parked_is_tried_again_when_the_read_models_are_opened() {
    let story = [created(0, "zero"), updated(0, "refused"), updated(0, "behind it")];
    for place in Place::both().await {
        let log = log_of(&story[..1]).await;
        let models = caught_up(place.store(), &log).await;
        refuse(&place, true).await;
        tell(&log, &story[1..]).await;
        reach(&models, log.head()).await;
        assert_eq!(status_of(&models, "workflows").parked, 2);
        models.close().await.unwrap();
        refuse(&place, false).await;

        tell(&log, &[created(1, "one")]).await;
        let models = caught_up(place.store(), &log).await;
        assert_eq!(status_of(&models, "workflows").parked, 0);
        assert_eq!(names(&models).await[0], Some("behind it".to_owned()));
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_would_park_too_much_stops_before_it_and_the_others_go_on() {
    let place = Place::folder();
    let log = log_of(&[created(0, "zero"), spoilt(updated(0, "spoilt"))]).await;
    let mut told = 0;
    while told < PARKED_EVENTS_MAX {
        let events: Vec<_> =
            (0..500).map(|number| new_event(3 + told as u128 + number, &updated(0, "behind"))).collect();
        let command_id = events[0].metadata.command_id;
        let stream = updated(0, "behind").stream;
        told += events.len();
        log.append(Append::new(stream, Expected::Any, events, command_id)).await.unwrap();
    }
    tell(&log, &[told_execution()]).await;
    let models = caught_up(place.store(), &log).await;
    let workflows = status_of(&models, "workflows");
    assert_eq!(workflows.parked, PARKED_EVENTS_MAX);
    let stop = position(PARKED_EVENTS_MAX + 2);
    assert_eq!((workflows.position, workflows.stopped.unwrap().position), (position(PARKED_EVENTS_MAX + 1), stop));
    assert!(models.execution(TENANT, execution_id(0), None).await.unwrap().is_some());
    assert_eq!(models.position(), log.head(), "what has stopped holds nobody up");
    models.close().await.unwrap();
    let log: Arc<dyn EventLog> = log;
    let fresh = Place::folder();
    timeloom_projections::rebuild(fresh.store(), log, &[]).await.unwrap();
    assert_eq!(place.dump().await, fresh.dump().await);
}

fn told_execution() -> Told {
    told(execution_id(0), &start(0))
}
