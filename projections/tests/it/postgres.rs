//! What only PostgreSQL brings with it: several processes, lost connections, servers that end, schemas of others.

use std::sync::Arc;

use timeloom_postgres_testing::{Database, Server};
use timeloom_projections::{ProjectionError, ProjectionStatus, ReadModelStore, ReadModels, Role};
use timeloom_store::{EventLog, MemoryLog};

use crate::crash::long_story;
use crate::places::{Place, postgres_store};
use crate::world::{TENANT, caught_up, execution_id, log_of, reach, rebuilt_dump, tell, until};

fn open(store: ReadModelStore, log: &Arc<MemoryLog>) -> Arc<ReadModels> {
    let models = ReadModels::open(store, Arc::clone(log) as Arc<dyn EventLog>).unwrap();
    models.start().unwrap();
    models
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_writes_others_read_along_and_one_takes_over() {
    let story = long_story(30);
    let log = log_of(&story[..120]).await;
    let place = Place::postgres().await;
    let first = caught_up(place.store(), &log).await;
    let second = open(place.store(), &log);
    reach(&second, log.head()).await;
    assert_eq!((first.role(), second.role()), (Role::Writer, Role::Standby));
    assert_eq!(second.node_runs(TENANT, execution_id(9), None).await.unwrap().len(), 10);
    assert!(matches!(second.rebuild(&[]).await, Err(ProjectionError::NotWriter)));
    assert!(matches!(second.retry(&[]).await, Err(ProjectionError::NotWriter)));
    let alone = timeloom_projections::rebuild(place.store(), Arc::clone(&log) as Arc<dyn EventLog>, &[]).await;
    assert!(matches!(alone, Err(ProjectionError::NotWriter)), "{alone:?}");

    // What the writer replaces is found by those who read along.
    first.rebuild(&[]).await.unwrap();
    tell(&log, &story[120..240]).await;
    reach(&second, log.head()).await;
    assert_eq!(second.node_runs(TENANT, execution_id(19), None).await.unwrap().len(), 10);
    assert!(second.status().iter().all(|status| status.generation == 2 && status.lag == 0));

    first.close().await.unwrap();
    tell(&log, &story[240..]).await;
    reach(&second, log.head()).await;
    assert_eq!(second.role(), Role::Writer);
    second.close().await.unwrap();
    assert_eq!(place.dump().await, rebuilt_dump(&story).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_answered_before_the_first_start_and_refused_where_there_are_none() {
    let log = log_of(&long_story(2)).await;
    let place = Place::postgres().await;
    let idle = ReadModels::open(place.store(), Arc::clone(&log) as Arc<dyn EventLog>).unwrap();
    let refused = idle.execution(TENANT, execution_id(0), None).await.unwrap_err();
    assert!(matches!(refused, ProjectionError::NotMade { projection: "executions" }), "{refused}");
    caught_up(place.store(), &log).await.close().await.unwrap();
    assert!(idle.execution(TENANT, execution_id(0), None).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_looks_at_the_views_for_long_holds_up_a_promotion_and_nothing_else() {
    let story = long_story(10);
    let log = log_of(&story[..60]).await;
    let place = Place::postgres().await;
    let models = caught_up(place.store(), &log).await;
    let Place::Postgres(database) = &place else { unreachable!() };
    let client = database.client().await;
    client.batch_execute("BEGIN; SELECT count(*) FROM node_runs").await.unwrap();
    let rebuilding = models.rebuild(&[]);
    tokio::pin!(rebuilding);
    for piece in story[60..].chunks(20) {
        tell(&log, piece).await;
        tokio::select! {
            report = &mut rebuilding => panic!("{report:?}"),
            () = reach(&models, log.head()) => {}
        }
    }
    let is_promoted = |status: &ProjectionStatus| status.generation == if status.name == "node_runs" { 1 } else { 2 };
    until("the others are promoted", || models.status().iter().all(is_promoted)).await;
    assert_eq!(models.node_runs(TENANT, execution_id(9), None).await.unwrap().len(), 10);
    assert_eq!(models.fault(), None);
    client.batch_execute("COMMIT").await.unwrap();
    let report = rebuilding.await.unwrap();
    assert!(report.projections.iter().all(|status| status.generation == 2));
    models.close().await.unwrap();
    assert_eq!(place.dump().await, rebuilt_dump(&story).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_and_double_nothing() {
    let story = long_story(100);
    let log = log_of(&story[..12]).await;
    let place = Place::postgres().await;
    let models = caught_up(place.store(), &log).await;
    let Place::Postgres(database) = &place else { unreachable!() };
    let client = database.client().await;
    for piece in story[12..].chunks(200) {
        tell(&log, piece).await;
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        client.query(others, &[]).await.unwrap();
    }
    reach(&models, log.head()).await;
    assert_eq!(models.node_runs(TENANT, execution_id(99), None).await.unwrap().len(), 10);
    models.close().await.unwrap();
    assert_eq!(place.dump().await, rebuilt_dump(&story).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_loses_its_connection_in_its_sleep_notices_and_another_may_take_over() {
    let log = log_of(&long_story(2)).await;
    let place = Place::postgres().await;
    let first = caught_up(place.store(), &log).await;
    let Place::Postgres(database) = &place else { unreachable!() };
    let client = database.client().await;
    let lock = "SELECT pg_try_advisory_lock(hashtextextended('timeloom read models public', 0))";
    // Taken at once by a process that is quicker, here by this test.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'";
    client.query(cut, &[]).await.unwrap();
    let mut taken = false;
    while !taken {
        taken = client.query_one(lock, &[]).await.unwrap().get(0);
    }
    until("the writer stands by", || first.role() == Role::Standby).await;
    assert!(first.execution(TENANT, execution_id(1), None).await.unwrap().is_some());
    drop(client);
    until("the writer is one again", || first.role() == Role::Writer).await;
    first.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_is_followed_on() {
    let mut server = Server::start_new();
    let story = long_story(400);
    let log = log_of(&story[..2_400]).await;
    let place = Place::postgres_on(&server).await;
    let models = open(place.store(), &log);
    until("the writer writes", || models.position().0 > 0).await;
    server.kill();
    let (meanwhile, later) = story[2_400..].split_at(1_200);
    tell(&log, meanwhile).await;
    until("the failure is told", || models.fault().is_some()).await;
    server.start();
    // Only who is connected again can write these.
    tell(&log, later).await;
    reach(&models, log.head()).await;
    assert_eq!(models.fault(), None);
    assert!(models.status().iter().all(|status| status.last_error.as_ref().is_some_and(|last| last.over)));
    models.close().await.unwrap();
    assert_eq!(place.dump().await, rebuilt_dump(&story).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schemas_of_one_database_hold_read_models_of_their_own() {
    let database = Database::create().await;
    database.client().await.batch_execute("CREATE SCHEMA one; CREATE SCHEMA other").await.unwrap();
    let within = |schema: &str| postgres_store(&format!("{}?options=-c%20search_path%3D{schema}", database.url()));
    let (short, long) = (log_of(&long_story(1)).await, log_of(&long_story(3)).await);
    let one = caught_up(within("one"), &short).await;
    let other = caught_up(within("other"), &long).await;
    assert_eq!((one.role(), other.role()), (Role::Writer, Role::Writer));
    assert_eq!(one.execution(TENANT, execution_id(2), None).await.unwrap(), None);
    assert!(other.execution(TENANT, execution_id(2), None).await.unwrap().is_some());
    let missing = open(within("missing"), &short);
    until("it is told", || missing.fault().is_some_and(|fault| fault.contains("create it first"))).await;
    for models in [one, other, missing] {
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_something_else_or_of_a_newer_version_is_left_as_it_is() {
    let log = log_of(&long_story(1)).await;
    let place = Place::postgres().await;
    place.run("CREATE TABLE projections (mine text); INSERT INTO projections VALUES ('kept')").await;
    let models = open(place.store(), &log);
    until("it is told", || models.fault().is_some_and(|fault| fault.contains("already exists"))).await;
    models.close().await.unwrap();
    assert_eq!(place.rows("SELECT mine FROM projections").await, ["'kept'"]);
    let there = "SELECT count(*) FROM pg_class WHERE relname IN ('read_models', 'parked_events')";
    assert_eq!(place.rows(there).await, ["0"]);

    let place = Place::postgres().await;
    caught_up(place.store(), &log).await.close().await.unwrap();
    place.run("UPDATE read_models SET layout = 99").await;
    let before = place.dump().await;
    let models = open(place.store(), &log);
    until("it is told", || models.fault().is_some_and(|fault| fault.contains("run a newer Timeloom"))).await;
    models.close().await.unwrap();
    assert_eq!(place.dump().await, before);
}
